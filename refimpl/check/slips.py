"""List the estimators that are differences of two arg maxes: the direct gradient, and common wrong versions of it.

Each arg max has scores of the form a h + b f + c noise, where a, b and c are numbers.  The check finds these numbers
and the factor of the difference separately.  So its report can name mistakes in the scores and in the factor.
"""
from __future__ import annotations

from typing import NamedTuple

import numpy as np

from refimpl.check.problem import Problem


class Score(NamedTuple):
    h: float                            # the factor of h in the score
    f: float                            # the factor of f
    noise: float = 1.0                  # the factor of the noise
    probabilities: bool = False         # whether softmax(h) replaces h
    local: bool = False                 # whether f is computed by changing one variable of z* at a time


class Slip(NamedTuple):
    """Describes the estimator (onehot(argmax plus) - onehot(argmax minus)) * unit.

    If `plus` or `minus` is None, its one-hot vector is left out.
    """

    plus: Score | None
    minus: Score | None
    unit: float                         # the factor of the difference
    words: str                          # a phrase for the report
    negated: str = ""                   # the phrase for minus this estimator; if empty, it is made from `words`
    law: str = "gumbel"                 # the law of the noise, if the function draws its own
    shared: bool = True                 # whether both arg maxes have the same noise


RIGHT, TWO_SIDED, LOCAL = "direct", "two-sided", "local"
ACCEPTED = (RIGHT, TWO_SIDED, LOCAL)


def slips(problem: Problem) -> dict[str, Slip]:
    """Return the direct gradients for the eps of this problem, and common wrong versions of them."""
    eps, one = problem.eps, 1 / problem.eps
    plain, tilted, back = Score(1, 0), Score(1, eps), Score(1, -eps)
    loss = "the sign is wrong, or it is the gradient of the loss -f (then pass loss=True)"
    no_noise = "there is no noise in the arg maxes"
    known = {
        RIGHT: Slip(tilted, plain, one, "the direct gradient", f"minus the direct gradient: {loss}"),
        TWO_SIDED: Slip(tilted, back, one / 2, "the two-sided direct gradient",
                        f"minus the two-sided direct gradient: {loss}"),
        "f negated": Slip(back, plain, one, "f enters with the wrong sign: z_eps is the arg max of h - eps f + noise",
                          "it is the backward difference: z_eps is the arg max of h - eps f + noise, and is subtracted "
                          "from z_star"),
        "second dropped": Slip(tilted, None, one, "the second term is dropped: onehot(z_star) is not subtracted",
                               "the first term alone, with the wrong sign: it is -onehot(z_eps)"),
        "first dropped": Slip(None, plain, one, "the first term is dropped: it is -onehot(z_star)",
                              "the second term alone, with the wrong sign: it is onehot(z_star)"),
        "f without eps": Slip(Score(1, 1), plain, one, "f enters without eps: z_eps is the arg max of h + f + noise"),
        "f over eps": Slip(Score(1, one), plain, one,
                           "f is divided by eps: z_eps is the arg max of h + f / eps + noise"),
        "f times eps twice": Slip(Score(1, eps**2), plain, one, "f is multiplied by eps twice"),
        "no noise": Slip(Score(1, eps, 0), Score(1, 0, 0), one, f"{no_noise}: h decides alone"),
        "no noise, f without eps": Slip(Score(1, 1, 0), Score(1, 0, 0), one,
                                        f"{no_noise}, and f enters without eps"),
        "no noise, f negated": Slip(Score(1, -eps, 0), Score(1, 0, 0), one,
                                    f"{no_noise}, and f enters with the wrong sign",
                                    f"{no_noise}, and it is the backward difference"),
        "noise in z_eps only": Slip(tilted, Score(1, 0, 0), one, "the noise is missing in z_star"),
        "noise in z_star only": Slip(Score(1, eps, 0), plain, one, "the noise is missing in z_eps"),
        "noise reversed": Slip(Score(1, eps, -1), Score(1, 0, -1), one,
                               "the noise has the wrong sign: -noise is added"),
        "noise reversed in z_star": Slip(tilted, Score(1, 0, -1), one, "the noise has the wrong sign in z_star"),
        "probabilities": Slip(Score(1, eps, 1, True), Score(1, 0, 1, True), one,
                              "the noise is added to the probabilities softmax(h), and not to the scores h"),
        "h left out": Slip(Score(0, eps), plain, one, "h is left out of z_eps"),
        "h left out twice": Slip(Score(0, eps), Score(0, 0), one, "h is left out of both arg maxes"),
        "f and h exchanged": Slip(Score(eps, 1), plain, one, "eps multiplies h, and not f, in z_eps"),
    }
    if len(problem.h) > 1:
        known[LOCAL] = Slip(Score(1, eps, local=True), plain, one, "the direct gradient by single changes around "
                            "z_star (slides 18 and 30), an approximation of the joint arg max",
                            f"minus the direct gradient by single changes around z_star: {loss}")
    return known


def of_own_noise(problem: Problem) -> dict[str, Slip]:
    eps, one = problem.eps, 1 / problem.eps
    plain, tilted = Score(1, 0), Score(1, eps)
    unshared = "the noise is not shared: each arg max has drawn its own"
    logarithm = "a logarithm is missing in the noise"
    return {
        "unshared": Slip(tilted, plain, one, unshared, f"{unshared}, and the sign is wrong", shared=False),
        "unshared two-sided": Slip(tilted, Score(1, -eps), one / 2,
                                   "the two-sided difference with noise that is not shared", shared=False),
        "one logarithm": Slip(tilted, plain, one, f"{logarithm}: it is -log(U), and should be -log(-log(U))",
                              law="exponential"),
        "one logarithm, reversed": Slip(Score(1, eps, -1), Score(1, 0, -1), one,
                                        f"{logarithm}: it is log(U), and should be -log(-log(U))", law="exponential"),
        "normal": Slip(tilted, plain, one, "the noise is normal, and should be Gumbel", law="normal"),
        "uniform": Slip(tilted, plain, one, "the noise is uniform on 0 ... 1, and should be Gumbel", law="uniform"),
    }


def cooled(problem: Problem, sigma: float) -> dict[str, Slip]:
    """Return three versions of the direct gradient that have the wrong temperature sigma."""
    eps, one, plain = problem.eps, 1 / problem.eps, Score(1, 0, sigma)
    missing = f"the scores are divided by {sigma:.3g} (or the noise is multiplied by it), and a factor 1/{sigma:.3g} " \
              "is missing"
    return {"temperature": Slip(Score(1, eps, sigma), plain, one, f"the noise is multiplied by {sigma:.3g}: its mean "
                                f"belongs to softmax(h / {sigma:.3g})"),
            "1/sigma missing": Slip(Score(1, eps * sigma, sigma), plain, one, missing),
            "1/sigma missing outside": Slip(Score(1, eps, sigma), plain, sigma * one, missing)}


class Draws:
    """Computes the arg max of each draw, and keeps it for all estimators with the same Score."""

    def __init__(self, problem: Problem, noise: np.ndarray) -> None:
        self.problem, self.noise, self.kept = problem, noise, {}
        self.base = problem.scores(noise)                               # (draws, K)
        h = problem.h - problem.h.max(axis=-1, keepdims=True)           # only differences of h and f matter
        self.h, self.q = problem.scores(h), problem.scores(problem.q)
        self.f = problem.f - problem.f.max()

    def scores(self, score: Score, rows: np.ndarray | slice = slice(None)) -> np.ndarray:
        """Return an array of shape (rows, K): the score of every joint value in the draws `rows`."""
        fixed = score.h * (self.q if score.probabilities else self.h) + score.f * self.f
        return score.noise * self.base[rows] + fixed

    def local_scores(self, score: Score, rows: np.ndarray | slice = slice(None)) -> np.ndarray:
        """Return array[row, i, c]: the score of z* with z_i replaced by c, up to a term that does not depend on c."""
        n, k = self.problem.h.shape
        z_star = self.winner(Score(1, 0))[rows]
        place = k ** np.arange(n - 1, -1, -1)
        around = z_star[:, None, None] + (np.arange(k) - self.problem.digits[z_star][:, :, None]) * place[:, None]
        return self.problem.h + self.noise[rows] + score.f * self.f[around]

    def winner(self, score: Score) -> np.ndarray:
        if score not in self.kept:
            if score.local:
                self.kept[score] = self.problem.index(self.local_scores(score).argmax(axis=-1))
            else:
                self.kept[score] = self.scores(score).argmax(axis=-1)
        return self.kept[score]

    def expected(self, slip: Slip) -> tuple[np.ndarray, np.ndarray]:
        """Return the places of the positive and of the negative entries, with -1 if there is none.

        Both arrays have shape (draws, n).
        """
        none = np.full((len(self.noise), len(self.problem.h)), -1)
        plus, minus = (none if score is None else self.problem.digits[self.winner(score)]
                       for score in (slip.plus, slip.minus))
        same = plus == minus
        return np.where(same, -1, plus), np.where(same, -1, minus)


class Decoded(NamedTuple):
    """Describes gradients of the form (one-hot vector - one-hot vector) * number."""

    plus: np.ndarray                    # (draws, n), the place of the positive entry, or -1 if there is none
    minus: np.ndarray                   # (draws, n), the place of the negative entry, or -1 if there is none
    fits: bool                          # whether a row has at most one + and one -, and all have the same size
    least: float                        # the smallest |entry| that is not zero; 0 if all entries are zero
    most: float                         # the largest |entry|

    @property
    def moved(self) -> np.ndarray:
        return ((self.plus >= 0) | (self.minus >= 0)).any(axis=-1)


def decode(g: np.ndarray) -> Decoded:
    """Find the positive and the negative entry in each row of k entries.  `g` has shape (draws, n, k)."""
    plus, minus = g.argmax(axis=-1), g.argmin(axis=-1)
    above = np.take_along_axis(g, plus[..., None], axis=-1)[..., 0]
    below = -np.take_along_axis(g, minus[..., None], axis=-1)[..., 0]
    plus, minus = np.where(above > 0, plus, -1), np.where(below > 0, minus, -1)
    sizes = np.concatenate([above[above > 0], below[below > 0]])
    if not sizes.size:
        return Decoded(plus, minus, True, 0.0, 0.0)
    least, most = float(sizes.min()), float(sizes.max())
    entries = (plus >= 0).astype(int) + (minus >= 0)
    fits = most <= least * 1.0001 and bool((np.count_nonzero(g, axis=-1) == entries).all())
    return Decoded(plus, minus, fits, least, most)
