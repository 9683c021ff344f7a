"""Mean and variance of the gradients, and their statistical errors."""
from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from scipy.special import ndtri

RARE = 16.0                 # so many of the largest gradients may be missing, or too many, by chance


class Moments(NamedTuple):
    """Holds sums of the gradients and of their squares, relative to an origin near the mean."""

    draws: int
    origin: np.ndarray                  # (n, k)
    total: np.ndarray                   # (n, k)
    squares: np.ndarray                 # (n, k)
    largest: float                      # the largest |gradient|

    def add(self, g: np.ndarray) -> Moments:
        """Return the moments with the gradients (draws, n, k) of another block added."""
        flat, size = g.reshape(len(g), -1) - self.origin.ravel(), max(-g.min(), g.max())
        squares = np.einsum("ij,ij->j", flat, flat).reshape(self.origin.shape)
        return Moments(self.draws + len(g), self.origin, self.total + flat.sum(axis=0).reshape(self.origin.shape),
                       self.squares + squares, max(self.largest, float(size)))

    @property
    def mean(self) -> np.ndarray:
        """Return the mean, (n, k)."""
        mean = self.origin + self.total / self.draws
        return np.where(np.abs(mean) <= 1e-14 * np.abs(self.origin), 0.0, mean)         # 0 but for rounding

    @property
    def variance(self) -> np.ndarray:
        """Return the variance of one gradient, (n, k)."""
        square, second = (self.total / self.draws) ** 2, self.squares / self.draws
        return np.where(second - square <= 1e-12 * square, 0.0, second - square)        # 0 but for rounding

    @property
    def error(self) -> np.ndarray:
        """Return the standard error of the mean, (n, k)."""
        return np.sqrt(self.variance / self.draws)

    def careful_error(self, least_event: float) -> np.ndarray:
        """Return the standard error as if RARE more of the largest gradients had occurred, as some may be missing."""
        event = self.largest if self.largest > 0 else least_event
        return np.sqrt((self.variance + RARE * event**2 / self.draws) / self.draws)


def none(origin: np.ndarray) -> Moments:
    """Return the moments before the first block."""
    return Moments(0, origin, np.zeros(origin.shape), np.zeros(origin.shape), 0.0)


def threshold(tests: int, chance: float = 1e-6) -> float:
    """Return the number of standard errors that one of `tests` normal variables exceeds with this probability."""
    return float(-ndtri(chance / (2 * tests)))


def farthest(difference: np.ndarray, error: np.ndarray) -> float:
    """Return the largest |difference| in standard errors, and 0 if there is no difference."""
    off = np.abs(difference)
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(np.where(off > 1e-12 * np.abs(off).max(), off / error, 0.0).max()) if off.any() else 0.0


def draws_needed(difference: np.ndarray, variance: np.ndarray, tests: int) -> float:
    """Return how many draws bring the difference of two means to twice the threshold; infinite if it is zero."""
    with np.errstate(divide="ignore", invalid="ignore"):
        needed = np.where(difference != 0, variance / difference**2, np.inf).min()
    return round_up((2 * threshold(tests)) ** 2 * needed)


def round_up(number: float) -> float:
    """Return the number rounded up to one leading digit."""
    if not np.isfinite(number):
        return math.inf
    unit = 10.0 ** math.floor(math.log10(max(number, 1)))
    return float(math.ceil(number / unit) * unit)
