"""Compare the user's gradients, draw by draw, with known estimators, and find the estimators that explain all draws.

An estimator explains a draw if it returns the same gradient for the same noise.  If two scores are nearly equal, the
gradients may differ, because rounding can change the arg max.
"""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from refimpl.check import rounding
from refimpl.check.laws import snapped
from refimpl.check.problem import Problem
from refimpl.check.slips import ACCEPTED, Decoded, Draws, Score, Slip, cooled

TOP = 16                    # with several variables, near-ties are sought among so many of the best joint values
ROUNDED = 20_000            # the number of draws that are simulated to find the share of near-ties


@dataclass
class Match:
    """Counts the draws in which the user's gradient is not `sign` times the gradient of `slip`."""

    slip: Slip
    sign: int
    unequal: int = 0        # the number of draws that differ from the slip
    share: float = 0.0      # the maximum of _gap() over the unequal draws; infinity if the slip cannot fit

    def compare(self, draws: Draws, found: Decoded) -> None:
        plus, minus = (found.plus, found.minus) if self.sign > 0 else (found.minus, found.plus)
        expected_plus, expected_minus = draws.expected(self.slip)
        rows = np.flatnonzero(((plus != expected_plus) | (minus != expected_minus)).any(axis=-1))
        self.unequal += len(rows)
        for start in range(0, len(rows), 500):
            if np.isfinite(self.share):
                some = rows[start:start + 500]
                self.share = max(self.share, float(_gap(draws, self.slip, some, plus[some], minus[some]).max()))


def _gap(draws: Draws, slip: Slip, rows: np.ndarray, plus: np.ndarray, minus: np.ndarray) -> np.ndarray:
    # For each draw, the result is the gap that rounding.level() needs.
    problem = draws.problem
    step = max(abs(score.f) for score in (slip.plus, slip.minus) if score is not None)
    largest = np.abs(problem.h).max(axis=-1).sum() + step * np.abs(problem.f).max() + np.zeros(len(rows))
    if any(score is not None and score.noise for score in (slip.plus, slip.minus)):
        largest += np.abs(draws.noise[rows]).max(axis=-1).sum(axis=-1)
    if slip.plus is not None and slip.plus.local:
        above, below = (scores.max(axis=-1, keepdims=True) - scores
                        for scores in (draws.local_scores(slip.plus, rows), problem.h + draws.noise[rows]))
        return _pair_gap(slip, above, below, plus, minus).max(axis=-1) / largest
    above, below = (_below(draws, score, rows) for score in (slip.plus, slip.minus))
    if len(problem.h) == 1:
        return _pair_gap(slip, above[:, None], below[:, None], plus, minus)[:, 0] / largest
    return _joint_gap(problem, slip, above, below, plus, minus) / largest


def _below(draws: Draws, score: Score | None, rows: np.ndarray) -> np.ndarray:
    if score is None:
        return np.zeros((len(rows), len(draws.problem.f)))
    scores = draws.scores(score, rows)
    return scores.max(axis=-1, keepdims=True) - scores


def _joint_gap(problem: Problem, slip: Slip, above: np.ndarray, below: np.ndarray, plus: np.ndarray,
               minus: np.ndarray) -> np.ndarray:
    n, k = problem.h.shape
    weights = np.random.default_rng(0).random((n, k))
    wanted = np.zeros(len(plus))
    for places, sign in ((plus, 1), (minus, -1)):
        wanted += sign * np.where(places >= 0, weights[np.arange(n), places], 0).sum(axis=-1)
    code = problem._corner(weights).sum(axis=-1)
    top = min(TOP, len(problem.f))
    first, second = (np.argpartition(each, top - 1, axis=-1)[:, :top] for each in (above, below))
    gap = np.maximum(np.take_along_axis(above, first, -1)[:, :, None], np.take_along_axis(below, second, -1)[:, None])
    of_plus = code[first] if slip.plus is not None else np.zeros(first.shape)
    of_minus = code[second] if slip.minus is not None else np.zeros(second.shape)
    same = np.abs(of_plus[:, :, None] - of_minus[:, None] - wanted[:, None, None]) < 1e-9
    return np.where(same, gap, np.inf).min(axis=(1, 2))


def _pair_gap(slip: Slip, above: np.ndarray, below: np.ndarray, plus: np.ndarray, minus: np.ndarray) -> np.ndarray:
    """For each draw and variable, return by how much the scores must change for `slip` to give `plus` and `minus`."""
    pair = np.maximum(np.take_along_axis(above, plus[..., None], -1), np.take_along_axis(below, minus[..., None], -1))
    two = slip.plus is not None and slip.minus is not None
    stays = np.maximum(above, below).min(axis=-1) if two else np.inf
    fits = ((plus >= 0) == (slip.plus is not None)) & ((minus >= 0) == (slip.minus is not None))
    return np.where(fits, pair[..., 0], np.where((plus < 0) & (minus < 0), stays, np.inf))


def expected_near_ties(problem: Problem, slip: Slip, precision: str, noise: np.ndarray) -> float:
    """Return the share of draws in which rounding to this precision changes an arg max."""
    rows = max(1, min(len(noise), ROUNDED, 4_000_000 // len(problem.f)))
    draws = Draws(problem, noise[:rows])
    low_noise = rounding.to(precision, problem.scores(noise[:rows]))
    unequal = np.zeros(rows, dtype=bool)
    with np.errstate(over="ignore", invalid="ignore"):              # a large eps is infinite in float16
        for score in (slip.plus, slip.minus):
            if score is not None and not score.local:
                h = rounding.to(precision, score.h * problem.scores(problem.q if score.probabilities else problem.h))
                base = rounding.to(precision, h + score.noise * low_noise)
                eps_f = rounding.to(precision, np.array(score.f)) * rounding.to(precision, problem.f)
                rounded = rounding.to(precision, rounding.to(precision, eps_f) + base)
                unequal |= rounded.argmax(axis=-1) != draws.winner(score)
    return float(unequal.mean())


def usual(problem: Problem, match: Match, level: str, allowed: list[str], noise: np.ndarray, draws: int) -> str | None:
    def expected(each: str) -> float:
        return draws * expected_near_ties(problem, match.slip, each, noise) + 1e-9

    return next((each for each in allowed[allowed.index(level):] if 0.1 <= match.unequal / expected(each) <= 3), None)


def decide(compared: dict[tuple[str, int], Match], allowed: list[str], eps: float) -> dict[tuple[str, int], str]:
    order = list(rounding.PRECISIONS)
    found = {key: level for key, match in compared.items() if (level := rounding.level(match.share, allowed, eps))}
    if not found:
        return {}
    finest = min(order.index(level) for level in found.values())
    fewest = min(compared[key].unequal for key in found)
    right = {key for key in found if key[0] in ACCEPTED and key[1] > 0}
    fewest_right = min((compared[key].unequal for key in right), default=0)
    return {key: level for key, level in found.items()
            if (key in right and compared[key].unequal <= 5 * fewest_right + 20)
            or (key not in right and order.index(level) == finest and compared[key].unequal <= 5 * fewest + 20)}


def temperatures(problem: Problem, noise: np.ndarray, found: Decoded) -> dict[tuple[str, int], Match]:
    """Find the temperature sigma that was used by mistake (see slips.cooled), from the draws of one variable.

    A gradient that is not zero shows both arg maxes, and each arg max gives bounds on sigma.  For example, if
    i = argmax(h + sigma noise), then sigma (noise_j - noise_i) <= h_i - h_j for all j.
    """
    result = {}
    if len(problem.h) > 1 or not found.fits:
        return result
    for name in cooled(problem, 1.0):
        for sign in (1, -1):
            plus, minus = (found.plus, found.minus) if sign > 0 else (found.minus, found.plus)
            rows = np.flatnonzero((plus >= 0).all(axis=-1) & (minus >= 0).all(axis=-1))[:2_000]
            if len(rows) < 3:
                continue
            inside = name == "1/sigma missing"                          # in this slip sigma multiplies eps f, too
            least, most = _bounds(problem.h[0], noise[rows, 0], minus[rows, 0])
            both = _bounds(problem.h[0], noise[rows, 0] + problem.eps * problem.f, plus[rows, 0]) if inside else \
                _bounds(problem.h[0] + problem.eps * problem.f, noise[rows, 0], plus[rows, 0])
            least, most = max(least, both[0]), min(most, both[1])
            if not 0 < least <= most * 1.001 or not np.isfinite(most):
                continue
            middle = float(np.sqrt(least * most))
            usual = snapped(middle, abs(np.log(most / least)) / 2 + 1e-9)
            slip = cooled(problem, usual)[name]
            match = Match(slip, sign)
            match.compare(Draws(problem, noise), found)
            if match.unequal <= max(2, 0.02 * found.moved.sum()) and match.share <= 1e-4:
                result[name, sign] = match
    return result


def _bounds(h: np.ndarray, noise: np.ndarray, winner: np.ndarray) -> tuple[float, float]:
    """Return the smallest and the largest sigma for which argmax(h + sigma noise) is `winner` in every draw."""
    each = np.arange(len(winner))
    gain = noise - noise[each, winner][:, None]                         # the winner needs sigma * gain <= lead
    lead = h[winner][:, None] - h
    with np.errstate(divide="ignore", invalid="ignore"):
        bound = lead / gain
    return (float(np.where(gain < 0, bound, -np.inf).max()), float(np.where(gain > 0, bound, np.inf).min()))
