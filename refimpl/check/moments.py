"""Compute the mean and the variance of the gradients, and the standard error of the mean."""
from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from scipy.special import ndtri

RARE = 16.0                 # this many gradients of the largest size may have been missed by chance


class Moments(NamedTuple):
    """Holds the sums of g - origin and of (g - origin)^2 over all gradients g.  The origin is near the mean of g."""

    draws: int
    origin: np.ndarray                  # (n, k)
    total: np.ndarray                   # (n, k)
    squares: np.ndarray                 # (n, k)
    largest: float                      # the largest |gradient|

    def add(self, g: np.ndarray) -> Moments:
        """Return new Moments that also include the gradients g, of shape (draws, n, k)."""
        flat, size = g.reshape(len(g), -1) - self.origin.ravel(), max(-g.min(), g.max())
        squares = np.einsum("ij,ij->j", flat, flat).reshape(self.origin.shape)
        return Moments(self.draws + len(g), self.origin, self.total + flat.sum(axis=0).reshape(self.origin.shape),
                       self.squares + squares, max(self.largest, float(size)))

    @property
    def mean(self) -> np.ndarray:
        mean = self.origin + self.total / self.draws
        return np.where(np.abs(mean) <= 1e-14 * np.abs(self.origin), 0.0, mean)         # a rounding error becomes 0

    @property
    def variance(self) -> np.ndarray:
        """Return an array of shape (n, k): the variance of one gradient."""
        square, second = (self.total / self.draws) ** 2, self.squares / self.draws
        return np.where(second - square <= 1e-12 * square, 0.0, second - square)        # a rounding error becomes 0

    @property
    def error(self) -> np.ndarray:
        """Return an array of shape (n, k): the standard error of the mean."""
        return np.sqrt(self.variance / self.draws)

    def careful_error(self, least_event: float) -> np.ndarray:
        """Return a standard error that allows for rare gradients, which may have been missed by chance.

        This error is computed as if a few more gradients of the largest size had been drawn.  If all gradients are
        zero, the largest size is `least_event`.
        """
        event = self.largest if self.largest > 0 else least_event
        return np.sqrt((self.variance + RARE * event**2 / self.draws) / self.draws)


def none(origin: np.ndarray) -> Moments:
    return Moments(0, origin, np.zeros(origin.shape), np.zeros(origin.shape), 0.0)


def threshold(tests: int, chance: float = 1e-6) -> float:
    """Return a threshold, in standard errors, for the comparison of several means with their true values.

    `tests` is the number of means.  If every expectation is equal to its true value, the probability
    that any of the means exceeds the threshold is at most `chance`.
    """
    return float(-ndtri(chance / (2 * tests)))


def farthest(difference: np.ndarray, error: np.ndarray) -> float:
    off = np.abs(difference)
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(np.where(off > 1e-12 * np.abs(off).max(), off / error, 0.0).max()) if off.any() else 0.0


def draws_needed(difference: np.ndarray, variance: np.ndarray, tests: int) -> float:
    """Return how many draws are needed to tell two means apart.  If the means are equal, the result is infinite."""
    with np.errstate(divide="ignore", invalid="ignore"):
        needed = np.where(difference != 0, variance / difference**2, np.inf).min()
    return round_up((2 * threshold(tests)) ** 2 * needed)


def round_up(number: float) -> float:
    """Round `number` up to one significant digit."""
    if not np.isfinite(number):
        return math.inf
    unit = 10.0 ** math.floor(math.log10(max(number, 1)))
    return float(math.ceil(number / unit) * unit)
