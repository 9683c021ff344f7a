"""The pages of the lecture: each has one sentence as its title, and a picture or a formula that shows it.

`python -m refimpl make lecture --write` draws them into lecture.pdf, and ../teach.md says when to show which page.
"""
from __future__ import annotations

import hashlib

from matplotlib.figure import Figure

from lecture import noise, proof, slide, staircase, training
from refimpl.plots import figure_digest, own_settings

PAGES = (
    ("Two arg maxes give the gradient that one arg max does not have", staircase.opening),
    ("The encoder scores the values, noise is added, and the largest sum is chosen", staircase.choice),
    ("As the weight changes, one run is a staircase: only the mean over all noise has a slope", staircase.staircase),
    ("Theorem 1: the slope of the mean is a limit of differences of two arg maxes", staircase.theorem),
    ("The slope of a maximum is the slope of the line that wins (Danskin)", staircase.danskin_lines),
    ("Averaged over all noise, the maximum has no kink, and so it has second derivatives", staircase.mean_maximum),
    ("With two values, a wall in the noise decides the arg max, and ε f moves the wall", proof.wall),
    ("Raising a score and mixing in f move the same wall: that is Theorem 1 for two values", proof.two_moves),
    ("With three values the walls form a Y, and only draws between two Ys change their winner", proof.cloud),
    ("As ε falls, fewer draws change their winner, but each has the weight 1/ε", proof.three_clouds),
    ("A wall has two sides, so the derivatives of q are symmetric: that proves Theorem 1", proof.two_sides),
    ("The paper’s proof: the mixed second derivative of G does not depend on the order", proof.order),
    ("Theorem 1 in numbers: as ε falls, the mean of the estimate tends to the gradient", proof.numbers),
    ("Gumbel noise is a race of alarm clocks, and ε f changes their speed", noise.race),
    ("The joint law of the two winners is known exactly, and f of the second is never lower", noise.joint_law),
    ("Sharing the noise between the two arg maxes lowers the variance from order 1/ε² to 1/ε", noise.sharing),
    ("A small ε is noisy and a large one is biased: the best ε is known exactly", noise.errors),
    ("At finite ε the mean of the estimate is the exact gradient of another objective, T", noise.tilted),
    ("Noise without a density breaks the theorem: with coin flips the quotient grows like 1/ε", noise.atoms),
    ("On MNIST two arg maxes leave a plateau in one epoch; the exact gradient can stay longer",
     training.bounds),
    ("Where the sum is cheap, compute it: two arg maxes are for problems with only a cheap arg max",
     training.seconds))


@own_settings()
def draw() -> list[Figure]:
    """All pages, in order."""
    figures = []
    for number, (title, picture) in enumerate(PAGES, start=1):
        figures.append(slide.new(title, number))
        picture(figures[-1])
    return figures


def about(figures: list[Figure]) -> dict[str, str]:
    """The metadata of the PDF: the titles of its pages, one per line, and a digest of all pages as the keyword.

    The digest does not depend on the version of matplotlib that draws the pages."""
    digest = hashlib.sha256("".join(map(figure_digest, figures)).encode()).hexdigest()
    return {"Title": "Direct optimisation through arg max", "Subject": "\n".join(title for title, _ in PAGES),
            "Keywords": digest}
