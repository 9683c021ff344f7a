"""For a function that draws its own noise, test whether its gradients have the distribution of a given estimator.

Each gradient is the difference of two arg maxes.  If they agree, the gradient is zero.  If they differ, the gradient
points away from the first one and towards the second one.  For each value of z, the numbers of gradients that point
away from it and towards it are binomial, so they can be tested exactly.  A normal approximation would be wrong for
rare changes.
"""
from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.special import bdtr, bdtrc, softmax

from refimpl import coupling, gumbel
from refimpl._digits import tilted
from refimpl.check.problem import Problem
from refimpl.check.slips import Draws, Slip

LEVEL = 1e-6                # the probability that any count of a comparison leads to the rejection of the correct slip
SIMULATED = 100_000         # the number of draws for a slip whose law is not known in closed form
CHANGES = 30.0              # counts are used for a verdict only if at least this many changes are expected


class Counts(NamedTuple):
    draws: int
    arrive: np.ndarray                  # (n, k)
    leave: np.ndarray                   # (n, k)
    stay: np.ndarray                    # (n, 1)

    def __add__(self, other: Counts) -> Counts:         # type: ignore[override]
        return Counts(*(one + two for one, two in zip(self, other)))

    def negated(self) -> Counts:
        return Counts(self.draws, self.leave, self.arrive, self.stay)

    def all(self) -> np.ndarray:
        """Return `arrive`, `leave` and `stay` in one array of shape (n, 2 k + 1)."""
        return np.concatenate([self.arrive, self.leave, self.stay], axis=1)


def count(plus: np.ndarray, minus: np.ndarray, k: int) -> Counts:
    """Count the gradients by the place of the positive entry (`plus`) and by that of the negative entry (`minus`)."""
    arrive, leave = (np.array([np.bincount(column[column >= 0], minlength=k) for column in places.T])
                     for places in (plus, minus))
    return Counts(len(plus), arrive, leave, ((plus < 0) & (minus < 0)).sum(axis=0)[:, None])


def exact_chances(problem: Problem, slip: Slip) -> np.ndarray | None:
    """Return the probabilities of the events that Counts.all() counts, or None if there is no closed form."""
    plus, minus = slip.plus, slip.minus
    if len(problem.h) > 1 or slip.law != "gumbel" or plus is None or minus is None:
        return None
    if not all(score.noise == plus.noise > 0 and score.h == 1 and not score.local and score.probabilities ==
               plus.probabilities for score in (plus, minus)):
        return None
    h = (problem.q if plus.probabilities else problem.h) / plus.noise
    first, second = minus.f / plus.noise, plus.f / plus.noise
    if not slip.shared:
        q, q_eps = (softmax(h + step * (problem.f - problem.f.max()), axis=-1) for step in (first, second))
        return np.concatenate([q_eps * (1 - q), q * (1 - q_eps), (q * q_eps).sum(axis=-1, keepdims=True)], axis=1)
    if first == second:
        return np.concatenate([np.zeros((1, 2 * h.shape[1])), np.ones((1, 1))], axis=1)
    step = np.array([[abs(second - first)]])
    start = tilted(h, problem.f[None], np.array([[first]]))[0]
    pair = coupling.Clocks.of(start, np.sign(second - first) * problem.f[None], step)
    move = step * np.concatenate([pair.arrive_rate(), pair.leave_rate()], axis=1)
    return np.concatenate([move, pair.stay().sum(axis=-1, keepdims=True)], axis=1)


def sampled(problem: Problem, slip: Slip, draws: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Simulate gradients with new noise, and return the places of their positive and negative entries."""
    shape = (draws,) + problem.h.shape
    make = {"gumbel": lambda: gumbel.sample(shape, rng), "exponential": lambda: rng.standard_exponential(shape),
            "normal": lambda: rng.standard_normal(shape), "uniform": lambda: rng.random(shape)}[slip.law]
    first = Draws(problem, make())
    if slip.shared:
        return first.expected(slip)
    plus, _ = first.expected(slip._replace(minus=None))
    _, minus = Draws(problem, make()).expected(slip._replace(plus=None))
    return np.where(plus == minus, -1, plus), np.where(plus == minus, -1, minus)


def simulated(problem: Problem, slip: Slip, draws: int, rng: np.random.Generator) -> Counts:
    total, block = None, max(1, 1_000_000 // len(problem.f))
    draws = max(1_000, min(draws, SIMULATED, 5_000_000 // len(problem.f)))
    for start in range(0, draws, block):
        plus, minus = sampled(problem, slip, min(block, draws - start), rng)
        counts = count(plus, minus, problem.h.shape[1])
        total = counts if total is None else total + counts
    return total


def excluded(counts: Counts, problem: Problem, slip: Slip, rng: np.random.Generator) -> bool:
    """Return whether the counts contradict `slip`.

    If the law of `slip` has no closed form, a quick test with at most 4,000 simulated draws comes first.
    """
    few = exact_chances(problem, slip) is None and chance(counts, problem, slip, rng, 4_000) < LEVEL
    return few or chance(counts, problem, slip, rng) < LEVEL


def chance(counts: Counts, problem: Problem, slip: Slip, rng: np.random.Generator, draws: int = SIMULATED) -> float:
    """Return m p, where m is the number of counts and p is the smallest of their two-sided p-values."""
    found = counts.all()
    p = exact_chances(problem, slip)
    if p is None:
        other = simulated(problem, slip, min(counts.draws, draws), rng)
        found, total = found.astype(float), found + other.all()         # given the sum `total`, `found` is binomial
        p = np.full(found.shape, counts.draws / (counts.draws + other.draws))
    else:
        total, p = np.full(found.shape, counts.draws), np.clip(p, 0, 1)
    with np.errstate(invalid="ignore"):
        low = np.where(total > found, bdtr(found, total, p), 1.0)
        high = np.where(found > 0, bdtrc(found - 1, total, p), 1.0)
    tails = np.minimum(np.minimum(low, high) * 2, 1)
    tails = np.where((total == 0) | (p >= 1), np.where(found == total, 1, 0), tails)
    return float(tails.min() * found.size)


def expected_changes(problem: Problem, slip: Slip) -> float | None:
    """Return the probability that a gradient is not zero, or None if there is no closed form."""
    chances = exact_chances(problem, slip)
    return None if chances is None else min(float(chances[0, :problem.h.shape[1]].sum()), 1.0)      # not 1 + 1e-16


def temperature(counts: Counts, problem: Problem, family: Callable[[Problem, float], Slip]) -> float:
    """Estimate the temperature sigma by maximum likelihood, as if all counts were independent."""
    found = counts.all()

    def misfit(log_sigma: float) -> float:
        p = np.clip(exact_chances(problem, family(problem, float(np.exp(log_sigma)))), 1e-300, 1 - 1e-16)
        return -float((found * np.log(p) + (counts.draws - found) * np.log1p(-p)).sum())

    return float(np.exp(smallest(misfit)))


def smallest(misfit, least: float = -3.0, most: float = 3.0) -> float:
    """Return the point between `least` and `most` at which misfit(point) is smallest."""
    grid = np.linspace(least, most, 25)
    best = int(np.argmin([misfit(point) for point in grid]))
    left, right = grid[max(best - 1, 0)], grid[min(best + 1, len(grid) - 1)]
    golden = (np.sqrt(5) - 1) / 2
    for _ in range(22):
        one, two = right - golden * (right - left), left + golden * (right - left)
        left, right = (left, two) if misfit(one) < misfit(two) else (one, right)
    return float((left + right) / 2)


def snapped(value: float, within: float) -> float:
    usual = np.array([0.1, 0.2, 0.25, 0.3, 1 / 3, 0.4, 0.5, 0.6, 2 / 3, 0.7, 0.75, 0.8, 0.9, 1, 1.5, 2, 3, 4, 5, 10])
    nearest = usual[np.abs(np.log(usual / value)).argmin()]
    return float(nearest if abs(np.log(nearest / value)) < within else value)
