"""Mean and variance of the gradients, and what can be said of them with so many draws."""
from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from scipy.special import ndtri

RARE = 16.0                 # events of the largest size that may have been missed, or seen too often, by chance


class Moments(NamedTuple):
    """Sums of the gradients and of their squares about an origin near the mean."""

    draws: int
    origin: np.ndarray                  # (n, k)
    total: np.ndarray                   # (n, k)
    squares: np.ndarray                 # (n, k)
    largest: float                      # the largest |gradient|

    def add(self, g: np.ndarray) -> Moments:
        """With the gradients (draws, n, k) of another block."""
        flat, size = g.reshape(len(g), -1) - self.origin.ravel(), max(-g.min(), g.max())
        squares = np.einsum("ij,ij->j", flat, flat).reshape(self.origin.shape)
        return Moments(self.draws + len(g), self.origin, self.total + flat.sum(axis=0).reshape(self.origin.shape),
                       self.squares + squares, max(self.largest, float(size)))

    @property
    def mean(self) -> np.ndarray:
        """(n, k)."""
        mean = self.origin + self.total / self.draws
        return np.where(np.abs(mean) <= 1e-14 * np.abs(self.origin), 0.0, mean)         # 0 but for rounding

    @property
    def variance(self) -> np.ndarray:
        """(n, k), of one gradient."""
        square, second = (self.total / self.draws) ** 2, self.squares / self.draws
        return np.where(second - square <= 1e-12 * square, 0.0, second - square)        # 0 but for rounding

    @property
    def error(self) -> np.ndarray:
        """Standard error of the mean, (n, k)."""
        return np.sqrt(self.variance / self.draws)

    def careful_error(self, least_event: float) -> np.ndarray:
        """The same with RARE more events of the largest size: what was not seen may be rare, and not impossible."""
        event = self.largest if self.largest > 0 else least_event
        return np.sqrt((self.variance + RARE * event**2 / self.draws) / self.draws)


def none(origin: np.ndarray) -> Moments:
    """Before the first block."""
    return Moments(0, origin, np.zeros(origin.shape), np.zeros(origin.shape), 0.0)


def threshold(tests: int, chance: float = 1e-6) -> float:
    """Standard errors that the largest of so many normal numbers exceeds with this chance."""
    return float(-ndtri(chance / (2 * tests)))


def farthest(difference: np.ndarray, error: np.ndarray) -> float:
    """The largest |difference| in standard errors; 0 where there is no difference."""
    off = np.abs(difference)
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(np.where(off > 1e-12 * np.abs(off).max(), off / error, 0.0).max()) if off.any() else 0.0


def draws_needed(difference: np.ndarray, variance: np.ndarray, tests: int) -> float:
    """How many draws put the difference of two means at twice the threshold; infinite if there is none."""
    with np.errstate(divide="ignore", invalid="ignore"):
        needed = np.where(difference != 0, variance / difference**2, np.inf).min()
    return round_up((2 * threshold(tests)) ** 2 * needed)


def round_up(number: float) -> float:
    """To one leading digit."""
    if not np.isfinite(number):
        return math.inf
    unit = 10.0 ** math.floor(math.log10(max(number, 1)))
    return float(math.ceil(number / unit) * unit)
