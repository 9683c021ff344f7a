"""What the lecture says, page by page: each page has one sentence, and the picture or formula that shows it.

`python -m refimpl make lecture --write` draws them into lecture.pdf; ../teach.md says when to show which.
"""
from __future__ import annotations

import hashlib

from matplotlib.figure import Figure

from lecture import noise, proof, slide, staircase, training
from refimpl.plots import figure_digest, own_settings

PAGES = (
    ("Two arg maxes give the gradient that one arg max does not have", staircase.opening),
    ("The encoder scores the values, noise is added, and the largest sum is chosen", staircase.choice),
    ("One run is a staircase in the weight: only the mean over all noise has a slope", staircase.staircase),
    ("Theorem 1: the slope of the mean is a limit of differences of two arg maxes", staircase.theorem),
    ("The slope of a maximum is the slope of the line that wins (Danskin)", staircase.danskin_lines),
    ("Averaged over all noise, the maximum has no kink, and so it has second derivatives", staircase.mean_maximum),
    ("With two values, the arg max is a wall in the noise, and ε f moves the wall", proof.wall),
    ("Raising a score and mixing in f move the same wall: that is Theorem 1 for two values", proof.two_moves),
    ("With three values the walls form a Y, and only draws between two Ys change their winner", proof.cloud),
    ("As ε falls, fewer draws change their winner, but each of them weighs 1/ε", proof.three_clouds),
    ("A wall has two sides, so the derivatives of q are symmetric: that proves Theorem 1", proof.two_sides),
    ("The paper’s proof: the mixed second derivative of G does not depend on the order", proof.order),
    ("Theorem 1 in numbers: as ε falls, the mean of the estimate tends to the gradient", proof.numbers),
    ("Gumbel noise is a race of alarm clocks, and ε f changes their speed", noise.race),
    ("The joint law of the two winners is known exactly: a draw can only move to a higher f", noise.joint_law),
    ("Sharing the noise between the two arg maxes saves a whole order of ε in the variance", noise.sharing),
    ("A small ε is noisy and a large one is biased: the best ε is known exactly", noise.errors),
    ("At finite ε the estimate is the exact gradient of another objective, T", noise.tilted),
    ("Noise without a density breaks the theorem: with coins the quotient grows like 1/ε", noise.atoms),
    ("Two arg maxes leave at once a plateau of MNIST where the exact gradient can stay for epochs",
     training.bounds),
    ("Sum where the sum is cheap: two arg maxes are for problems where only the arg max is cheap",
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
    """What the PDF says of itself: its titles, a line each, and as keyword a digest of what is drawn, the same
    whichever version of matplotlib draws it."""
    digest = hashlib.sha256("".join(map(figure_digest, figures)).encode()).hexdigest()
    return {"Title": "Direct optimisation through arg max", "Subject": "\n".join(title for title, _ in PAGES),
            "Keywords": digest}
