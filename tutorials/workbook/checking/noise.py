"""1. Gumbel noise: its law is compared with the exact distribution function, and with the laws of common slips.

The probability that right noise is called wrong by chance is tiny.  By the inequality of Dvoretzky, Kiefer, Wolfowitz
and Massart, the largest distance between the sampled and the exact distribution function exceeds 2.9 / sqrt(N) with a
probability below 1e-7, for every N.  The correlation of two columns of N independent numbers exceeds 6 / sqrt(N) with a
probability below 1e-8.
"""
from __future__ import annotations

from types import ModuleType

import numpy as np
from scipy.special import expit, ndtr

from checking import core, loading
from checking.loading import Problem

SHAPE = 8_000, 5
MOST, MOST_CORRELATED = 2.9, 6.0
C = np.euler_gamma


def right_tail(loc: float = 0.0, scale: float = 1.0):
    """Return the distribution function of loc + scale * gamma, where gamma is Gumbel noise with mean c."""
    return lambda t: np.exp(-np.exp(-(t - loc) / scale))


def left_tail(loc: float):
    """Return the distribution function of loc - gamma, where gamma is Gumbel noise with mean c."""
    return lambda t: -np.expm1(-np.exp(t - loc))


def exponential(loc: float = 0.0):
    """Return the distribution function of loc + E, where E is exponential with mean 1."""
    return lambda t: -np.expm1(-np.maximum(t - loc, 0))


LAWS = {
    "Euler's constant 0.5772... (np.euler_gamma) is not subtracted, so the mean is not zero": right_tail(),
    "Euler's constant is added, and must be subtracted": right_tail(loc=C),
    "the sign is wrong: the first sign of -log must be a minus (the long tail must be on the right)":
        left_tail(C),
    "the sign is wrong, and Euler's constant is subtracted from log(E)": left_tail(-C),
    "the sign is wrong, and Euler's constant is missing": left_tail(0.0),
    "one logarithm is missing: -log(U) - c is not Gumbel noise, -log(-log(U)) - c is": exponential(loc=-C),
    "one logarithm is missing, and Euler's constant too: -log(U) is not Gumbel noise": exponential(),
    "the noise is normal, and must be Gumbel": ndtr,
    "the noise is normal, shifted by Euler's constant, and must be Gumbel": lambda t: ndtr(t + C),
    "the noise is uniform on 0 ... 1: the logarithms are missing": lambda t: np.clip(t, 0, 1),
    "the noise is logistic (log U - log(1 - U)), which is the difference of two Gumbel variables": expit,
    "the mean is zero and the variance is 1: Gumbel noise has the variance pi^2 / 6, so do not rescale it":
        right_tail(loc=-C * np.sqrt(6) / np.pi, scale=np.sqrt(6) / np.pi),
    "the logarithm has the base 2, and must be natural":
        right_tail(loc=-C, scale=1 / np.log(2)),
}
RIGHT = right_tail(loc=-C)


class Noise:
    """Describes the function gumbel(shape, rng) that the student has to write."""

    name = "gumbel"

    def judge(self, module: ModuleType) -> None:
        """Raise Problem if the noise has another law, or if it is not drawn only from `rng`."""
        draw = lambda shape, rng: core.array(
            "what `gumbel` returns", loading.call(module, self.name, {"shape": shape, "rng": rng}), np.empty(shape))
        for shape in ((1, 2), (3, 4), (2,)):
            drawn = draw(shape, np.random.default_rng(1))
            if drawn.shape != shape:
                other = draw((3, 4), np.random.default_rng(1)).shape
                slip = "  Likely slip: give the shape as size=shape." if other in ((), (2,)) else ""
                raise Problem(f"`gumbel` must return an array of the shape it is asked for: for shape = {shape} it has "
                              f"the shape {drawn.shape}.{slip}")
            if not np.isfinite(drawn).all():
                raise Problem("`gumbel` returns NaN or infinite numbers.  Likely slip: the logarithm of a negative "
                              "number (-log(log(U)) instead of -log(-log(U))).")
        self._judge_generator(draw)
        gamma = draw(SHAPE, np.random.default_rng(20191208))
        if not np.isfinite(gamma).all():
            raise Problem("`gumbel` returns infinite numbers, or NaN.  Likely slip: the logarithm of 0 or of a "
                          "negative number.")
        self._judge_independence(gamma)
        ordered = np.sort(gamma, axis=None).astype(float)
        if distance(ordered, RIGHT) > MOST:
            fitting = [words for words, law in LAWS.items() if distance(ordered, law) < MOST]
            if not fitting and distance(ordered - ordered.mean(), RIGHT) < MOST:
                fitting = ["it is Gumbel noise with another mean; E must have the mean 1, and what is subtracted must "
                           "be 0.5772... (np.euler_gamma)"]
            said = f"Likely slip: {fitting[0]}." if fitting else "It is none of the usual slips."
            raise Problem(f"`gumbel` does not have the law of Gumbel noise.  {said}", f"Its mean is {gamma.mean():.3f} "
                          f"and its variance {gamma.var():.3f}; right are 0 and {np.pi**2 / 6:.3f}.")

    def _judge_generator(self, draw) -> None:
        one, other = (draw((2, 3), np.random.default_rng(7)) for _ in range(2))
        if not np.array_equal(one, other):
            raise Problem("`gumbel` gives different numbers with the same rng.  Likely slip: it draws from np.random, "
                          "or from a generator of its own, and must draw from rng alone.")
        rng = np.random.default_rng(7)
        if np.array_equal(draw((2, 3), rng), draw((2, 3), rng)):
            raise Problem("`gumbel` gives the same numbers when it is called again.  Likely slip: it makes a generator "
                          "of its own, with a fixed seed, and must draw from rng.")

    def _judge_independence(self, gamma: np.ndarray) -> None:
        if np.ptp(gamma, axis=0).max() < 1e-9:
            raise Problem("`gumbel` gives the same noise in every row.  Likely slip: one row is drawn and repeated; "
                          "each row needs its own (rng.standard_exponential(shape)).")
        if np.ptp(gamma, axis=1).max() < 1e-9:
            raise Problem("`gumbel` gives one number for a whole row.  Likely slip: the shape drawn is (B, 1); each "
                          "value of z needs its own number, else no arg max changes.")
        bounded = np.tanh(gamma)                            # the moments of bounded numbers cannot be large by chance
        off = np.corrcoef(bounded, rowvar=False) - np.eye(SHAPE[1])
        if np.abs(off).max() * np.sqrt(SHAPE[0]) > MOST_CORRELATED:
            raise Problem("`gumbel` gives numbers that depend on each other: each must be drawn by itself.")


def distance(ordered: np.ndarray, law) -> float:
    """Return sqrt(N) times the largest distance between the sampled and the exact distribution function.

    `ordered` holds N sampled numbers in rising order, and `law` is the exact distribution function.
    """
    with np.errstate(over="ignore"):
        below = law(ordered)
    N = below.size
    steps = np.arange(N + 1) / N
    return float(np.sqrt(N) * max((steps[1:] - below).max(), (below - steps[:-1]).max()))


TASKS = (Noise(),)
