"""Scores, noise and images to check on, the small ones first, so that the example that is shown is small."""
from __future__ import annotations

import numpy as np

from refimpl import gumbel


def rows(B: int, k: int, seed: int, spread: float = 1.0) -> np.ndarray:
    """Random numbers (B, k), rounded so that they fit on a line."""
    return np.round(spread * np.random.default_rng(seed).normal(size=(B, k)), 2)


def noise(B: int, k: int, seed: int) -> np.ndarray:
    """Gumbel noise (B, k), rounded."""
    return np.round(gumbel.sample((B, k), np.random.default_rng(seed)), 2)


def perturbed(*names: str) -> list[dict[str, object]]:
    """Those of h, f, eps and noise that are named: a draw that changes its winner, two rows, and 300 draws."""
    cases = [{"h": np.array([[0.5, 0.0]]), "f": np.array([[-1.0, 2.0]]), "eps": 0.5, "noise": np.array([[0.2, -0.4]])},
             {"h": rows(2, 3, 1), "f": rows(2, 3, 2, 2.0), "eps": 0.8, "noise": noise(2, 3, 3)},
             {"h": rows(300, 4, 4), "f": rows(300, 4, 5, 2.0), "eps": 0.3, "noise": noise(300, 4, 6)}]
    return [{name: case[name] for name in names} for case in cases]
