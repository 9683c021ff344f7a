"""Recognise estimators that are not a difference of two arg maxes, such as REINFORCE and Gumbel-softmax."""
from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.special import softmax

from refimpl import gumbel
from refimpl.check import factors
from refimpl.check.laws import smallest, snapped
from refimpl.check.problem import Problem
from refimpl.check.slips import Draws, Score

ROWS = 2_000


class Hypothesis(NamedTuple):
    """A possible explanation of the user's gradients: an estimator, multiplied by a sign and a factor."""

    name: str
    sign: int
    factor: str


class Seen(NamedTuple):
    """Holds gradients that the user's function has returned, and the noise with which it was called."""

    problem: Problem
    g: np.ndarray                       # (rows, n, k)
    noise: np.ndarray | None            # (rows, n, k); None if the function draws its own
    draws: int                          # the number of draws in one call
    rough: float                        # the relative rounding error that is allowed
    f_gradient: Callable[[np.ndarray], np.ndarray]      # maps z (rows, n, k) to df/dz


def constants(problem: Problem) -> dict[str, tuple[np.ndarray, str]]:
    known = {"exact": (problem.gradient(), "this is the exact gradient, q (f - E f): there is no noise in it")}
    mean = problem.tilted()
    if mean is not None:
        known["mean"] = (mean, "this is the mean at this eps, (q_eps - q) / eps: there is no noise in it")
        known["mean of two"] = (problem.tilted(two_sided=True), "this is the mean of the two-sided difference, "
                                "(q_eps - q_-eps) / (2 eps): there is no noise in it")
    return known


def recognised(seen: Seen, rng: np.random.Generator) -> dict[Hypothesis, str]:
    g, problem = seen.g, seen.problem
    if not g.any():
        return {Hypothesis("zero", 1, factors.RIGHT): "it is zero, whatever the noise"}
    if np.ptp(g, axis=0).max() <= 1e-3 * seen.rough * np.abs(g).max():
        found = {}
        for name, (value, words) in constants(problem).items():
            found |= _named(seen, name, words, _factor(seen, np.broadcast_to(value, g.shape)))
        return found
    found = _score_function(seen)
    noise = gumbel.sample((20_000 // max(1, len(problem.f) // 50), *problem.h.shape), rng) if seen.noise is None \
        else seen.noise
    for name, (values, words) in _multiples(problem, noise).items():
        found |= _named(seen, name, words, _factor(seen, values))
    for name, (make, words) in _relaxations(seen).items():
        some = noise[:300] if seen.noise is not None else noise[:5_000]
        tau = float(np.exp(smallest(lambda log_tau: _misfit(seen, make(some, float(np.exp(log_tau)))))))
        usual = snapped(tau, 1e-3 if seen.noise is not None and seen.rough < 0.01 else 0.15)
        factor, at = _factor(seen, make(noise, usual)), usual           # prefer the usual number if it fits
        if factor is None:
            factor, at = _factor(seen, make(noise, tau)), tau
        found |= _named(seen, name, words.format(at), factor)
    return found


def _named(seen: Seen, name: str, words: str, factor: float | None) -> dict[Hypothesis, str]:
    if factor is None:
        return {}
    within = 10 * seen.rough if seen.noise is not None else 0.1
    names = factors.near(abs(factor), seen.problem, seen.draws, within)
    return {Hypothesis(name, int(np.sign(factor)), each): words for each in sorted(names)}


def _factor(seen: Seen, template: np.ndarray) -> float | None:
    """Return the number c for which seen.g = c * template in almost every draw, or None if there is none.

    If their noise differs, it is enough that c * template and seen.g have the same distribution.
    """
    g, size = seen.g, np.abs(template).max()
    if size == 0:
        return None
    if len(template) != len(g) or (seen.noise is None and np.ptp(template, axis=0).max() > 0):
        return _factor_in_law(seen, template)
    factor = float((g * template).sum() / (template**2).sum())
    off, rows = np.abs(g - factor * template).max(axis=(1, 2)), np.abs(factor * template).max(axis=(1, 2))
    fits = off <= seen.rough * np.where(seen.rough > 0.01, abs(factor) * size, rows) + 1e-6 * abs(factor) * size
    return factor if factor and fits.mean() >= 0.99 else None


def _factor_in_law(seen: Seen, template: np.ndarray) -> float | None:
    """Return a number c such that seen.g and c * template agree in distribution, or None if no such c is found."""
    g = seen.g
    if g[0].size > 100:
        return None
    size = float(np.sqrt((g**2).mean() / (template**2).mean()))
    limit = np.sqrt(np.log(2e6 * g[0].size) / 2 * (1 / len(g) + 1 / len(template)))
    usual = [each for each in set(factors.factors(seen.problem, seen.draws).values()) if 0.9 < size / each < 1.1]
    for c in [sign * each for each in (*usual, size) for sign in (1, -1)]:
        if all(_distance(g[:, i, a], c * template[:, i, a]) < limit for i, a in np.ndindex(g.shape[1:])):
            return c
    return None


def _distance(one: np.ndarray, other: np.ndarray) -> float:
    """Return the Kolmogorov-Smirnov distance of two samples.  Numbers that differ only by rounding count as equal."""
    one, other = np.sort(one), np.sort(other)
    places = np.concatenate([one, other]) + 1e-9 * max(np.abs(one).max(), np.abs(other).max())
    below = (np.searchsorted(each, places, side="right") / len(each) for each in (one, other))
    return float(np.abs(np.subtract(*below)).max())


def _misfit(seen: Seen, template: np.ndarray) -> float:
    if seen.noise is not None:
        g = seen.g[:len(template)]
        inner, both = (g * template).sum(), (g**2).sum() * (template**2).sum()
        return 1 - abs(inner) / np.sqrt(both) if both > 0 else 1.0
    g_moments, moments = (np.concatenate([each.mean(axis=0), each.std(axis=0)]) for each in (seen.g, template))
    if not moments.any():
        return 1e9
    sign = 1.0 if (g_moments[:len(g_moments) // 2] * moments[:len(moments) // 2]).sum() >= 0 else -1.0
    g_moments[:len(g_moments) // 2] *= sign
    return float(((g_moments - moments) ** 2).sum() / (g_moments**2).sum())


def _multiples(problem: Problem, noise: np.ndarray) -> dict[str, tuple[np.ndarray, str]]:
    draws = Draws(problem, noise)
    z, z_eps = draws.winner(Score(1, 0)), draws.winner(Score(1, problem.eps))
    eye = np.eye(problem.h.shape[1])
    direct = (eye[problem.digits[z_eps]] - eye[problem.digits[z]]) / problem.eps
    scaled = {"f(z_star)": problem.f[z], "f(z_eps)": problem.f[z_eps], "f(z_eps) - f(z_star)": problem.f[z_eps] -
              problem.f[z]}
    made = {name: direct * by[:, None, None] for name, by in scaled.items()}
    if len(problem.h) == 1:
        made["f"] = direct * problem.f
    return {f"times {name}": (g, f"it is the direct gradient multiplied by {name}") for name, g in made.items()}


def _through(p: np.ndarray, slope: np.ndarray) -> np.ndarray:
    """Multiply `slope` by diag(p) - p p^T, the Jacobian of a softmax with the value p."""
    return p * (slope - (p * slope).sum(axis=-1, keepdims=True))


def _relaxations(seen: Seen) -> dict[str, tuple[Callable, str]]:
    problem, slope = seen.problem, seen.f_gradient

    def z_star(noise: np.ndarray) -> np.ndarray:
        return np.eye(noise.shape[-1])[(problem.h + noise).argmax(axis=-1)]

    def soft(noise: np.ndarray, tau: float) -> np.ndarray:
        z = softmax((problem.h + noise) / tau, axis=-1)
        return _through(z, slope(z)) / tau

    def hard(noise: np.ndarray, tau: float) -> np.ndarray:
        return _through(softmax((problem.h + noise) / tau, axis=-1), slope(z_star(noise))) / tau

    def straight(noise: np.ndarray, tau: float) -> np.ndarray:
        return _through(softmax(problem.h / tau, axis=-1), slope(z_star(noise))) / tau

    linear = problem.callable is None and len(problem.h) == 1
    known = {"gumbel-softmax": (soft, "it is the Gumbel-softmax gradient at temperature {:.3g}" +
                                (" (soft or straight-through: for a table f they are the same)" if linear else ""))}
    if not linear:
        known["straight-through"] = (hard, "it is the straight-through Gumbel-softmax gradient at temperature {:.3g}")
        known["straight"] = (straight, "it is a straight-through gradient: that of softmax(h / {:.3g}) at z_star")
    return known


def _score_function(seen: Seen) -> dict[Hypothesis, str]:
    """Recognise REINFORCE, whose gradients (f(z) - b)(onehot(z) - q) are multiples of onehot(z) - q."""
    problem, g = seen.problem, seen.g
    n, k = problem.h.shape
    if seen.noise is not None:
        z = [problem.digits[Draws(problem, seen.noise).winner(Score(1, 0))]]
    else:
        z = [np.abs(g).argmax(axis=-1)]
        if k == 2 and n == 1:                               # the sign of g does not determine z: try both values
            z = [(g[:, :, 0] < 0).astype(int), (g[:, :, 0] > 0).astype(int)]
    found = {}
    for digits in z:
        away = np.eye(k)[digits] - problem.q
        length = (away**2).sum(axis=(1, 2))
        factor = (g * away).sum(axis=(1, 2)) / np.maximum(length, 1e-300)
        off = np.abs(g - factor[:, None, None] * away).max(axis=(1, 2))
        sharp = length > 1e-6
        if not sharp.any() or (off[sharp] > 5 * seen.rough * np.abs(g).max()).mean() > 0.01:
            continue
        f = problem.f[problem.index(digits)]
        if len(np.unique(f[sharp])) < 2:
            continue
        for sign in (1, -1):
            b = (f - sign * factor)[sharp]
            scale = np.ptp(problem.f) + np.abs(problem.f).max()
            if np.ptp(b) <= 10 * seen.rough * scale:
                value = b.mean()
                words = "without a baseline" if abs(value) <= 10 * seen.rough * scale else \
                    f"with the constant baseline {value:.4g}"
                found[Hypothesis("reinforce", sign, factors.RIGHT)] = f"it is REINFORCE {words}"
    return found
