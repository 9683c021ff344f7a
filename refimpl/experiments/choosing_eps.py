"""Choosing eps without the truth, from what one has in practice: draws of the noise and scores.

    python -m refimpl choose-eps --samples 1000             each rule against the exact best eps, on random problems

The mean of M estimates is off by |bias|^2 + variance / M in mean square.  At small eps (direct.py, chapter 4)

    variance = C / eps + O(1),    bias = eps b + O(eps^2),    so the error is least at    eps = (C / (2 M |b|^2))^(1/3)

Both constants can be measured at any one eps with the same draws: C from the spread of the estimates, and b from the
one-sided estimate less the two-sided one, whose mean has no first order:

    D = (onehot(z*(eps)) - 2 onehot(z*) + onehot(z*(-eps))) / (2 eps),    E D = eps b + O(eps^3)

|E D|^2 is estimated without bias by |mean D|^2 less its own sampling variance.  Start at 1 / (deviation of f), measure,
move, repeat: the laws hold nearby only.
"""
from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from refimpl import checks, direct, exact, gumbel
from refimpl.checks import InputError

ROUNDS = 8              # of measuring and moving; eps moves by a factor of at most 2 in each
FLOOR = 0.25            # of D's sampling variance: what cannot be told from 0 is not taken for 0
PROBLEMS = 50
KINDS = {"k = 3 ... 10": (3, 10), "k = 2": (2, 2)}      # with two values the bias may cross 0 at an accidental eps


def choose(h: np.ndarray, f: np.ndarray, noise: np.ndarray) -> float:
    """An eps for the mean of the one-sided estimates with this noise, from scores (k,) and noise (M, k), M >= 2.

    Uses no expectation, only the draws.  Returns eps > 0, in 1 / the unit of f; at most 1 / (deviation of f).  Raises
    ValueError for other shapes, or where f is the same for all values: then every estimate is 0.
    """
    h, f, noise = checks.scores(h=h, f=f, noise=noise)
    if h.ndim != 1 or f.shape != h.shape or noise.ndim != 2 or noise.shape[1] != len(h) or len(noise) < 2:
        raise ValueError(f"h and f must have shape (k,) and noise (M, k) with M at least 2, "
                         f"got {h.shape}, {f.shape}, {noise.shape}")
    if np.ptp(f) == 0:
        raise ValueError("f must differ between the values of z: if it is constant, so is every estimate")
    M = len(noise)
    deviation = f[gumbel.argmax(h, noise)].std()
    largest = 1 / (deviation if deviation > 0 else f.std())
    eps = largest
    for _ in range(ROUNDS):
        one = direct.gradient(h, f, eps, noise)
        D = one - direct.two_sided_gradient(h, f, eps, noise)
        C = eps * one.var(axis=0, ddof=1).sum()
        if C == 0:                                                  # no winner has changed: a smaller eps shows less
            return eps
        sampling = D.var(axis=0, ddof=1).sum() / M
        b_squared = max((D.mean(axis=0) ** 2).sum() - sampling, FLOOR * sampling) / eps**2
        best = largest if b_squared == 0 else (C / (2 * M * b_squared)) ** (1 / 3)
        eps = min(float(np.clip(best, eps / 2, 2 * eps)), largest)
    return eps


def by_deviation(h: np.ndarray, f: np.ndarray, noise: np.ndarray) -> float:
    """2 / (deviation of f under q) / M^(1/3): the scaling law alone, with one constant for all problems."""
    deviation = np.asarray(f)[gumbel.argmax(h, noise)].std()
    return 2 / (deviation if deviation > 0 else np.std(f)) / len(noise) ** (1 / 3)


def always(h: np.ndarray, f: np.ndarray, noise: np.ndarray) -> float:
    """0.1, whatever f is."""
    return 0.1


RULES: dict[str, Callable[[np.ndarray, np.ndarray, np.ndarray], float]] = {
    "measured": choose, "2 / deviation of f / M^(1/3)": by_deviation, "0.1 always": always}


class Regret(NamedTuple):
    """Mean squared error by a rule over the least possible one, for each problem: 1 is the optimum."""

    rule: str
    ratios: np.ndarray
    """(problems,)"""


def problems(count: int, least: int, most: int, seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Random (h, f) of least ... most values; f's scale spreads over two decades."""
    rng, made = np.random.default_rng(seed), []
    for _ in range(count):
        k = int(rng.integers(least, most + 1))
        made.append((rng.normal(size=k), rng.normal(size=k) * np.exp(rng.uniform(-2, 3))))
    return made


def regrets(given: list[tuple[np.ndarray, np.ndarray]], M: int, seed: int) -> list[Regret]:
    """Each rule on each problem, against the exact best eps; answering 0 counts as a rival where it is better."""
    found: dict[str, list[float]] = {name: [] for name in RULES}
    rng = np.random.default_rng(seed)
    for (h, f), least in zip(given, least_errors(given, M)):
        noise = gumbel.sample((M, len(h)), rng)
        for name, rule in RULES.items():
            found[name].append(float(direct.mse(h, f, rule(h, f, noise), M)) / least)
    return [Regret(name, np.array(ratios)) for name, ratios in found.items()]


def least_errors(given: list[tuple[np.ndarray, np.ndarray]], M: int) -> np.ndarray:
    """The least exact mean squared error of each problem, at its best eps or by answering 0; (problems,)."""
    least = np.empty(len(given))
    for k in {len(h) for h, _ in given}:                                # all problems of a size at a time: it is faster
        rows = [row for row, (h, _) in enumerate(given) if len(h) == k]
        h, f = (np.stack([given[row][part] for row in rows]) for part in (0, 1))
        best = direct.best_eps(h, f, samples=M)
        at_zero = (exact.gradient(h, f) ** 2).sum(axis=-1)
        at_best = direct.mse(h, f, np.where(np.isfinite(best), best, 1.0), M)
        least[rows] = np.where(np.isfinite(best), np.minimum(at_best, at_zero), at_zero)
    return least


def table(M: int, seed: int = 0, count: int = PROBLEMS) -> dict[str, list[Regret]]:
    """The rules on `count` random problems of three to ten values, and on as many of two, for means of M estimates."""
    return {words: regrets(problems(count, least, most, seed), M, seed + 1)
            for words, (least, most) in KINDS.items()}


def lines(found: dict[str, list[Regret]], M: int) -> list[str]:
    """The table to print."""
    made = [f"Mean squared error of the mean of {M:,} estimates, over the least possible; random problems",
            "  " + 30 * " " + "".join(f" {words + ': median':>20s} {'worst':>9s}" for words in found)]
    for rows in zip(*found.values()):
        made.append(f"  {rows[0].rule:30s}" + "".join(
            f" {np.median(row.ratios):20.2f} {row.ratios.max():9.1f}" for row in rows))
    return made


def run(M: int, count: int = PROBLEMS, seed: int = 0) -> list[str]:
    """The table for means of M estimates, as lines.  Raises InputError if an option is out of range."""
    limits = (("samples", M, 2, 100_000), ("problems", count, 1, 1_000), ("seed", seed, 0, 10**9))
    for name, value, least, most in limits:
        if not least <= value <= most:
            raise InputError(f"--{name} must be in {least} ... {most}, got {value}")
    return lines(table(M, seed, count), M)
