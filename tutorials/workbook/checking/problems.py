"""Make scores and noise for the checks.  The smallest arrays come first, so the examples that are printed are small."""
from __future__ import annotations

import numpy as np

from refimpl import gumbel


def rows(B: int, k: int, seed: int, spread: float = 1.0) -> np.ndarray:
    """Return random numbers, (B, k), which are rounded so that a row fits on a line."""
    return np.round(spread * np.random.default_rng(seed).normal(size=(B, k)), 2)


def noise(B: int, k: int, seed: int) -> np.ndarray:
    """Return Gumbel noise, (B, k), rounded."""
    return np.round(gumbel.sample((B, k), np.random.default_rng(seed)), 2)


def perturbed(*names: str) -> list[dict[str, object]]:
    """Return three cases with the named arguments out of h, f, eps and noise.

    The first case is a single draw whose two arg maxes differ, the second has two rows, and the third has 300 draws.
    """
    cases = [{"h": np.array([[0.5, 0.0]]), "f": np.array([[-1.0, 2.0]]), "eps": 0.5, "noise": np.array([[0.2, -0.4]])},
             {"h": rows(2, 3, 1), "f": rows(2, 3, 2, 2.0), "eps": 0.8, "noise": noise(2, 3, 3)},
             {"h": rows(300, 4, 4), "f": rows(300, 4, 5, 2.0), "eps": 0.3, "noise": noise(300, 4, 6)}]
    return [{name: case[name] for name in names} for case in cases]
