"""What several estimators need: a sample, and the way back through a softmax."""
from __future__ import annotations

import numpy as np

from refimpl import gumbel


def sample(h: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """One-hot samples (B, n, k) of softmax(h), by arg max."""
    return gumbel.one_hot(gumbel.argmax(h, gumbel.sample(h.shape, rng)), h.shape[-1])


def through_softmax(p: np.ndarray, gradient: np.ndarray) -> np.ndarray:
    """J gradient, J = diag(p) - p p^T the (symmetric) Jacobian of p = softmax(h): from d/dp to d/dh.  (..., k)."""
    return p * (gradient - (p * gradient).sum(axis=-1, keepdims=True))


def through_log_softmax(p: np.ndarray, gradient: np.ndarray) -> np.ndarray:
    """From d/d log p to d/dh, p = softmax(h): gradient - p sum(gradient).  (..., k)."""
    return gradient - p * gradient.sum(axis=-1, keepdims=True)


def positive(name: str, value: float) -> float:
    """value, if it is above 0 and finite; ValueError that names it otherwise."""
    if not (np.isfinite(value) and value > 0):
        raise ValueError(f"{name} must be above 0 and finite, got {value}")
    return value
