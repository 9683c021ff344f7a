"""Functions that several estimators share: sampling from q, and the backward pass of a log-softmax."""
from __future__ import annotations

import numpy as np

from refimpl import gumbel


def sample(h: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw one-hot samples of softmax(h) by the Gumbel-max trick.  The result has shape (B, n, k)."""
    return gumbel.one_hot(gumbel.argmax(h, gumbel.sample(h.shape, rng)), h.shape[-1])


def through_log_softmax(p: np.ndarray, gradient: np.ndarray) -> np.ndarray:
    """Compute the gradient with respect to h from the gradient with respect to log p.  Here p = softmax(h)."""
    return gradient - p * gradient.sum(axis=-1, keepdims=True)
