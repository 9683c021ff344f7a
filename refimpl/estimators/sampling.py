"""What several estimators need: a sample of q, and the way back through a log-softmax."""
from __future__ import annotations

import numpy as np

from refimpl import gumbel


def sample(h: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """One-hot samples (B, n, k) of softmax(h), by arg max."""
    return gumbel.one_hot(gumbel.argmax(h, gumbel.sample(h.shape, rng)), h.shape[-1])


def through_log_softmax(p: np.ndarray, gradient: np.ndarray) -> np.ndarray:
    """From d/d log p to d/dh, p = softmax(h): gradient - p sum(gradient).  (..., k)."""
    return gradient - p * gradient.sum(axis=-1, keepdims=True)
