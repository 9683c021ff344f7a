"""Decide whether a claim holds: two exact computations must agree, or a sampled mean must be close to the exact value.

The mean of n draws of a statistic is approximately normal only if n is large enough.  The necessary n can be
computed, because the law of every statistic here is known.  Let s^2 be the variance of one draw, and let m4 be the
fourth central moment of one draw.  The larger n s^4 / m4 is, the closer the mean is to normal.  If the
statistic is the indicator of a rare event, n s^4 / m4 is about the expected number of occurrences.  There are three
cases:

    n s^4 / m4 is at least 25     the mean must be within five standard errors of the exact value.  For several means,
                                  the limit is higher (see the function allowed)
    one value is almost certain   every draw must have this value
    otherwise                     the claim cannot be tested, and the report states this
"""
from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.special import ndtr, ndtri

STANDARD_ERRORS = 5.0
RELATIVE = 1e-10
EVENTS = 25.0               # with fewer expected events, the mean is not close to normal
CERTAIN = 1e-5              # a smaller expected number of draws counts as 0
SMALLEST = 1e-280           # smaller numbers lose digits in float64, and so do their quotients


class Claim(NamedTuple):
    """Holds one line of the report."""

    text: str
    exact: str
    found: str
    holds: bool | None
    """None if the claim cannot be tested.  In this case, `found` states the reason."""
    short: bool = False
    """Whether the claim is one of the five claims that are selected for a lecture."""


class Sampled:
    """Computes the mean of a statistic over all draws.

    `statistic` maps the noise to an array of shape (draws, ...).

    If `cells` is given, statistic(noise) has an integer from 0 to cells - 1 for each draw.  In this case, `mean` is an
    array of shape (cells,): the frequency of each integer.
    """

    def __init__(self, statistic: Callable[[np.ndarray], np.ndarray], cells: int = 0) -> None:
        self.statistic, self.cells = statistic, cells
        self.n, self.total = 0, 0.0

    def add(self, noise: np.ndarray) -> None:
        values = self.statistic(noise)
        self.n += len(values)
        self.total = self.total + (np.bincount(values, minlength=self.cells) if self.cells else values.sum(axis=0))

    @property
    def mean(self) -> np.ndarray:
        return np.atleast_1d(self.total / self.n)


class Law(NamedTuple):
    """Describes the exact law of a statistic with one or more entries.  All arrays have shape (entries,)."""

    deviation: np.ndarray
    kurtosis: np.ndarray
    """The fourth central moment divided by the fourth power of the deviation; infinite if the deviation is almost 0."""
    usual: np.ndarray
    """The value of each entry in the likeliest outcome."""
    others: np.ndarray
    """The probability that an entry has a value other than `usual`."""
    shift: np.ndarray
    """The mean of |value - usual|."""
    largest: np.ndarray
    """The largest absolute value."""


def normal(variance: float, kurtosis: float) -> Law:
    """Return the law of a continuous statistic with this variance and kurtosis."""
    return Law(*np.atleast_1d(np.sqrt(variance), kurtosis, 0.0, 1.0, np.inf, 0.0))


def of_events(p: np.ndarray) -> Law:
    p = np.clip(np.ravel(p), 0, 1)
    others = np.minimum(p, 1 - p)
    variance = p * (1 - p)
    kurtosis = np.divide(1 - 3 * variance, variance, out=np.full(p.shape, np.inf), where=variance > SMALLEST)
    return Law(np.sqrt(variance), kurtosis, np.where(p > 0.5, 1.0, 0.0), others, others, np.ones_like(p))


def of_values(probability: np.ndarray, values: np.ndarray) -> Law:
    """Return the law of a statistic.  `probability` is reshaped to (outcomes,), and `values` to (outcomes, entries)."""
    probability, values = np.ravel(probability), np.reshape(values, (np.size(probability), -1))
    usual = values[probability.argmax()]
    off = values - usual
    scale = np.abs(off).max(axis=0)
    off = off / np.where(scale > 0, scale, 1)                               # a fourth power might underflow
    central = off - probability @ off
    variance, fourth = probability @ central**2, probability @ central**4
    kurtosis = np.divide(fourth, variance**2, out=np.full(fourth.shape, np.inf), where=variance**2 > SMALLEST)
    return Law(np.sqrt(variance) * scale, kurtosis, usual, probability @ (off != 0),
               scale * (probability @ np.abs(off)), np.abs(values).max(axis=0))


def allowed(values: int, errors: float = STANDARD_ERRORS) -> float:
    """Return the limit, in standard errors, for the largest deviation of several sampled values.

    Let p be the probability that the deviation of a single value is above `errors` by chance.  For five standard
    errors, p is 6e-7.  For several values the limit is higher than `errors`, so that the probability that at least one
    deviation is above the limit is still at most p.
    """
    return float(-ndtri(ndtr(-errors) / values))


def identity(text: str, one: np.ndarray, other: np.ndarray, tolerance: float = RELATIVE, scale: float = 0.0) -> Claim:
    """Return the claim that two exact computations agree.

    Let s be the largest absolute value in the array `one`, or `scale` if this is larger.  The claim holds if the
    largest difference between the entries of `one` and `other` is at most `tolerance` * s.
    """
    one, other = np.atleast_1d(one), np.atleast_1d(other)
    shown = f"{one.flat[np.abs(one).argmax()]:.6g}"
    largest = max(float(np.abs(one).max()), float(np.abs(other).max()))
    if 0 < largest < SMALLEST:
        return Claim(text, shown, f"cannot be tested: numbers below {SMALLEST:g} have lost digits", None)
    scale = max(float(np.abs(one).max()), scale)
    off = float(np.abs(one - other).max() / scale) if scale > 0 else largest
    return Claim(text, shown, f"second method differs by {off:.0e}", off <= tolerance)


def estimated(text: str, truth: np.ndarray, sampled: Sampled, law: Law) -> Claim:
    """Return the claim that a sampled quantity has the exact value `truth`."""
    truth, mean, n = np.ravel(truth), np.ravel(sampled.mean), sampled.n
    events = n / law.kurtosis
    often = events >= EVENTS
    certain = ~often & (n * law.others < CERTAIN)
    # If all draws must be equal, their mean is the usual value, but the exact mean may differ from it by the shift.
    rounding = RELATIVE * law.largest + SMALLEST
    equal = ((np.abs(mean - law.usual) <= rounding)
             & (np.abs(mean - truth) <= law.shift * (1 + 1e-6) + rounding))
    if (certain & ~equal).any():
        worst = np.flatnonzero(certain & ~equal)[0]
        return Claim(text, f"{truth[worst]:.6g}", f"{mean[worst]:.6g}, though every draw must be "
                     f"{law.usual[worst]:.6g}", False)
    if not often.any() and not certain.all():
        best = np.where(certain, -1, events).argmax()
        return Claim(text, f"{truth[best]:.6g}", f"cannot be tested: it depends on rare draws, {events[best]:.2g} of "
                     f"{n:,} are expected, and {EVENTS:g} would be needed", None)
    if not often.any():
        worst = np.abs(truth).argmax()
        return Claim(text, f"{truth[worst]:.6g}", f"{mean[worst]:.6g} in every draw, and no other is expected", True)
    error = np.maximum(law.deviation / np.sqrt(n), RELATIVE * law.largest)  # of sampling, or of rounding in the sum
    truth, mean, error = truth[often], mean[often], error[often]
    z = np.abs(mean - truth) / error
    worst = z.argmax()
    of = f", worst of {len(z)}" if len(z) > 1 else ""
    return Claim(text, f"{truth[worst]:.6g}", f"{mean[worst]:.6g} ± {error[worst]:.1g} ({z[worst]:.1f} s.e.{of})",
                 bool(z[worst] < allowed(len(z))))
