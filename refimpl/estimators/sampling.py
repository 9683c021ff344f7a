"""Functions that several estimators share: sampling from q, and the backward pass of a log-softmax."""
from __future__ import annotations

import numpy as np

from refimpl import gumbel


def sample(h: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw a one-hot sample of softmax(h) for each variable of each image, of shape (B, n, k), by the Gumbel-max
    trick."""
    return gumbel.one_hot(gumbel.argmax(h, gumbel.sample(h.shape, rng)), h.shape[-1])


def through_log_softmax(p: np.ndarray, gradient: np.ndarray) -> np.ndarray:
    """Convert a gradient with respect to log p, of shape (..., k), to a gradient with respect to h, where p =
    softmax(h)."""
    return gradient - p * gradient.sum(axis=-1, keepdims=True)
