"""Compute a direction in which to change the encoder's class scores h, given a label y for each image.

    released         (onehot(y) - onehot(z*)) / eps            `direct`, with the label in place of z*(eps)
    direct-loss      (onehot(z*(eps)) - onehot(z*)) / eps      z*(eps) = argmax(h + gamma - eps l), l(z) = [z != y]
    cross-entropy    onehot(y) - q                             the gradient of log q(y), without noise

The mean of `released` is (onehot(y) - q) / eps, which is 1/eps times the direction of `cross-entropy`.  But `released`
is noisy, and `cross-entropy` is not.  `direct-loss` is direct optimisation (estimators/direct.py) with f = -l (slide
33).  The mean of `direct-loss` is grad_h (1/eps) log(1 + q(y) (e^eps - 1)).  If q(y) e^eps is large, the logarithm is
close to eps + log q(y), so this mean is close to the mean of `released`.  As eps -> 0, the mean of `direct-loss` tends
to the gradient of q(y), the expected accuracy.  If q(y) is near 0 for an image, this gradient is almost 0, but
component y of `cross-entropy` is almost 1.
"""
from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.special import softmax

from refimpl import arguments, direct, gumbel


def released(h: np.ndarray, labels: np.ndarray, rng: np.random.Generator, eps: float) -> np.ndarray:
    """Return an array of shape (B, k): (onehot(y) - onehot(z*)) / eps.  `labels` holds the integers y in shape (B,)."""
    (h,), k, eps = arguments.scores(h=h), np.shape(h)[-1], arguments.temperature("eps", eps)
    z_star = gumbel.argmax(h, gumbel.sample(h.shape, rng))
    return (gumbel.one_hot(arguments.indices(labels, k, "labels"), k) - gumbel.one_hot(z_star, k)) / eps


def direct_loss(h: np.ndarray, labels: np.ndarray, rng: np.random.Generator, eps: float) -> np.ndarray:
    """Return an array of shape (B, k): the direct gradient for f(z) = -[z != y].

    The method is direct loss minimisation with the 0/1 loss.  The mean of this gradient is (q_eps - q) / eps, where
    q_eps = softmax(h + eps onehot(y)).  The arguments are those of `released`.
    """
    (h,), k, eps = arguments.scores(h=h), np.shape(h)[-1], arguments.temperature("eps", eps)
    f = gumbel.one_hot(arguments.indices(labels, k, "labels"), k) - 1
    return direct.gradient(h, f, eps, gumbel.sample(h.shape, rng))


def cross_entropy(h: np.ndarray, labels: np.ndarray, rng: np.random.Generator | None = None,
                  eps: float | None = None) -> np.ndarray:
    """Return an array of shape (B, k): grad_h log q(y) = onehot(y) - q.  `rng` and `eps` are not used."""
    (h,), k = arguments.scores(h=h), np.shape(h)[-1]
    return gumbel.one_hot(arguments.indices(labels, k, "labels"), k) - softmax(h, axis=-1)


REGISTRY: dict[str, Callable[..., np.ndarray]] = {
    "released": released, "direct-loss": direct_loss, "cross-entropy": cross_entropy}
