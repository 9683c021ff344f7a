"""What a number is worth as evidence: two exact routes that must agree, or a sampled mean and its exact standard error.

A mean of n draws is normal only where the draws that make it vary are many.  How many is known, because the law of
every sampled statistic is: with variance s^2 and fourth central moment m4, the mean of n draws is about as normal as
the share of n s^4 / m4 rare events among n draws.  For an event of small probability p that is the expected number n p.

    at least 25                         the mean must lie within five standard errors of the exact value
    all n draws all but certainly one   every draw must be that one value
    in between                          the draws can show nothing, and the claim says so
"""
from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.special import ndtr, ndtri

STANDARD_ERRORS = 5.0
RELATIVE = 1e-10
EVENTS = 25.0               # so many are expected, or the mean is not normal
CERTAIN = 1e-5              # an expected number of draws below this is none
SMALLEST = 1e-280           # the last digits of smaller numbers, and of their quotients, are lost in float64


class Claim(NamedTuple):
    """A line of the report.  `exact` and `found` are what is shown; `holds` is the verdict."""

    text: str
    exact: str
    found: str
    holds: bool | None
    """None where it cannot be tested: then `found` says why."""
    short: bool = False
    """Whether it is one of the five that a class needs."""


class Sampled:
    """Running mean of a statistic of the noise, entry by entry: statistic(noise) is (n, ...)."""

    def __init__(self, statistic: Callable[[np.ndarray], np.ndarray]) -> None:
        self.statistic = statistic
        self.n, self.total = 0, 0.0

    def add(self, noise: np.ndarray) -> None:
        values = self.statistic(noise)
        self.n += len(values)
        self.total = self.total + values.sum(axis=0)

    @property
    def mean(self) -> np.ndarray:
        return np.atleast_1d(self.total / self.n)


class Counted(Sampled):
    """Frequencies of an integer statistic with values 0 ... cells - 1: the same as sampling its one-hot vector."""

    def __init__(self, statistic: Callable[[np.ndarray], np.ndarray], cells: int) -> None:
        super().__init__(statistic)
        self.cells = cells

    def add(self, noise: np.ndarray) -> None:
        values = self.statistic(noise)
        self.n += len(values)
        self.total = self.total + np.bincount(values, minlength=self.cells)


class Law(NamedTuple):
    """The exact law of one draw of a statistic, as far as the error of its mean needs it.  All (entries,)."""

    deviation: np.ndarray
    """Its standard deviation."""
    kurtosis: np.ndarray
    """Its fourth central moment over the fourth power of the deviation; infinite where the deviation is all but 0."""
    usual: np.ndarray
    """Its value in the likeliest outcome."""
    others: np.ndarray
    """The probability of another value."""
    shift: np.ndarray
    """E |value - usual|."""
    largest: np.ndarray
    """The largest absolute value."""


def normal(variance: float, kurtosis: float) -> Law:
    """The law of a statistic with a density."""
    return Law(*np.atleast_1d(np.sqrt(variance), kurtosis, 0.0, 1.0, np.inf, 0.0))


def of_events(p: np.ndarray) -> Law:
    """The law of the indicators of events with these probabilities."""
    p = np.clip(np.ravel(p), 0, 1)
    others = np.minimum(p, 1 - p)
    variance = p * (1 - p)
    kurtosis = np.divide(1 - 3 * variance, variance, out=np.full(p.shape, np.inf), where=variance > SMALLEST)
    return Law(np.sqrt(variance), kurtosis, np.where(p > 0.5, 1.0, 0.0), others, others, np.ones_like(p))


def of_values(probability: np.ndarray, values: np.ndarray) -> Law:
    """The law of a statistic of finitely many outcomes: probability (outcomes,), values (outcomes, entries)."""
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
    """Standard errors that the worst of so many values may be off: `errors` for one, and for more as many as are as
    rare.  So the chance of a false alarm is that of a single value, 6e-7 for a normal one and five errors."""
    return float(-ndtri(ndtr(-errors) / values))


def identity(text: str, one: np.ndarray, other: np.ndarray, tolerance: float = RELATIVE, scale: float = 0.0) -> Claim:
    """Two exact routes to one quantity: shown is the first route's largest entry and how far the other is off.

    It is off relative to the largest entry, or to `scale` if that is larger.
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
    """A sampled quantity: shown is the entry that is furthest off, in standard errors of its exact law.

    An entry with fewer than EVENTS expected events counts only where all draws must be equal.
    """
    truth, mean, n = np.ravel(truth), np.ravel(sampled.mean), sampled.n
    events = n / law.kurtosis
    often = events >= EVENTS
    certain = ~often & (n * law.others < CERTAIN)
    # Where no draw may differ, the mean is the usual value, and the exact one is off by the others' share.
    rounding = RELATIVE * law.largest + SMALLEST
    equal = ((np.abs(mean - law.usual) <= rounding)
             & (np.abs(mean - truth) <= law.shift * (1 + 1e-6) + rounding))
    if (certain & ~equal).any():
        worst = np.flatnonzero(certain & ~equal)[0]
        return Claim(text, f"{truth[worst]:.6g}", f"{mean[worst]:.6g}, though every draw must be "
                     f"{law.usual[worst]:.6g}", False)
    if not often.any() and not certain.all():
        best = np.where(certain, -1, events).argmax()
        return Claim(text, f"{truth[best]:.6g}", f"cannot be tested: it hangs on rare draws, {events[best]:.2g} of "
                     f"{n:,} are expected, and {EVENTS:g} would be needed", None)
    if not often.any():
        worst = np.abs(truth).argmax()
        return Claim(text, f"{truth[worst]:.6g}", f"{mean[worst]:.6g} in every draw, and no other is expected", True)
    error = np.maximum(law.deviation / np.sqrt(n), RELATIVE * law.largest)  # of the sampling, or else of the sums
    truth, mean, error = truth[often], mean[often], error[often]
    z = np.abs(mean - truth) / error
    worst = z.argmax()
    of = f", worst of {len(z)}" if len(z) > 1 else ""
    return Claim(text, f"{truth[worst]:.6g}", f"{mean[worst]:.6g} ± {error[worst]:.1g} ({z[worst]:.1f} s.e.{of})",
                 bool(z[worst] < allowed(len(z))))
