"""What a label y teaches the encoder's scores h of the class: three gradients of what is maximised, one image per row.

    released         (onehot(y) - onehot(z*)) / eps            the perturbed arg max of direct, replaced by the label
    direct-loss      (onehot(z*(eps)) - onehot(z*)) / eps      z*(eps) = argmax(h + gamma - eps l), l(z) = [z != y]
    cross-entropy    onehot(y) - q                             grad log q(y), no noise

In expectation the first is (onehot(y) - q) / eps: the cross-entropy's gradient times 1/eps, whatever the released
code's eps was meant to do, and with a variance that cross-entropy does not have.  The second is direct optimisation
(estimators/direct.py) of f = -l, as slide 33 writes it: in expectation grad_h (1/eps) log(1 + q(y) (e^eps - 1)), which
for eps -> 0 is the gradient of q(y), the expected accuracy, and for a large eps that of log q(y) / eps, as released.
An image that is far from right (q(y) near 0) therefore teaches next to nothing at a small eps, where cross-entropy
corrects it at full strength.
"""
from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.special import softmax

from refimpl import arguments, direct, gumbel


def released(h: np.ndarray, labels: np.ndarray, rng: np.random.Generator, eps: float) -> np.ndarray:
    """(onehot(y) - onehot(z*)) / eps.  h (B, k), labels (B,) integers; eps a number in 1e-6 ... 1e6.  Returns (B, k).

    E = (onehot(y) - q) / eps = grad_h log q(y) / eps.
    """
    (h,), k, eps = arguments.scores(h=h), np.shape(h)[-1], arguments.temperature("eps", eps)
    z_star = gumbel.argmax(h, gumbel.sample(h.shape, rng))
    return (gumbel.one_hot(arguments.indices(labels, k, "labels"), k) - gumbel.one_hot(z_star, k)) / eps


def direct_loss(h: np.ndarray, labels: np.ndarray, rng: np.random.Generator, eps: float) -> np.ndarray:
    """Direct loss minimisation with the 0/1 loss: the direct gradient of f(z) = -[z != y].  As above otherwise.

    E = (q_eps - q) / eps, q_eps = softmax(h + eps onehot(y)).
    """
    (h,), k, eps = arguments.scores(h=h), np.shape(h)[-1], arguments.temperature("eps", eps)
    f = gumbel.one_hot(arguments.indices(labels, k, "labels"), k) - 1
    return direct.gradient(h, f, eps, gumbel.sample(h.shape, rng))


def cross_entropy(h: np.ndarray, labels: np.ndarray, rng: np.random.Generator | None = None,
                  eps: float | None = None) -> np.ndarray:
    """grad_h log q(y) = onehot(y) - q, with neither noise nor eps.  As above otherwise."""
    (h,), k = arguments.scores(h=h), np.shape(h)[-1]
    return gumbel.one_hot(arguments.indices(labels, k, "labels"), k) - softmax(h, axis=-1)


REGISTRY: dict[str, Callable[..., np.ndarray]] = {
    "released": released, "direct-loss": direct_loss, "cross-entropy": cross_entropy}
