"""Train the single weight of chapters 2 and 4 a thousand times.  It shifts score from the dress to the shirt.

E f rises on both sides of the start.  A gradient is a function of scores (RUNS, 3) and a random generator.  It returns
one estimate for each run, (RUNS, 3).
"""
from __future__ import annotations

import numpy as np

from refimpl.plots.walls import F as f
from refimpl.plots.walls import H as h

RUNS = 1_000
DIRECTION = np.array([1.0, 0.0, -1.0])


def softmax(scores: np.ndarray) -> np.ndarray:
    """Return the probability that each value wins under Gumbel noise (chapter 3)."""
    e = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def mean_of_f(w: np.ndarray) -> np.ndarray:
    """Return the exact E f for each of these weights."""
    return softmax(h + w[..., None] * DIRECTION) @ f


def gumbel_noise(rng: np.random.Generator) -> np.ndarray:
    return rng.gumbel(-np.euler_gamma, size=(RUNS, 3))


def train(gradient, steps: int = 3000, lr: float = 0.01) -> np.ndarray:
    """Maximise E f from w = 0 with one estimate per step, and return w at each step of each run, (steps, RUNS)."""
    rng, w, kept = np.random.default_rng(5), np.zeros(RUNS), []
    for _ in range(steps):
        kept.append(w)
        w = w + lr * gradient(h + w[:, None] * DIRECTION, rng) @ DIRECTION
    return np.array(kept)


def bottom_of_the_valley() -> float:
    """Return the weight at which E f is smallest.  A run that ends to its left has moved in the wrong direction."""
    weights = np.linspace(-2, 2, 4001)
    return float(weights[mean_of_f(weights).argmin()])
