"""Three ways to train the encoder's scores h of the class from a label y: ascent directions with one row per image.

    released         (onehot(y) - onehot(z*)) / eps            the perturbed arg max of direct, replaced by the label
    direct-loss      (onehot(z*(eps)) - onehot(z*)) / eps      z*(eps) = argmax(h + gamma - eps l), l(z) = [z != y]
    cross-entropy    onehot(y) - q                             grad log q(y), no noise

The expectation of the first is (onehot(y) - q) / eps: the cross-entropy's gradient times 1/eps, but with a variance
that cross-entropy does not have.  The second is direct optimisation (estimators/direct.py) of f = -l, as on slide 33.
Its expectation is grad_h (1/eps) log(1 + q(y) (e^eps - 1)).  For eps -> 0 that is the gradient of q(y), the expected
accuracy; for a large eps it is the gradient of log q(y) / eps, as for `released`.  So at a small eps an image whose
q(y) is near 0 changes the encoder very little, whereas cross-entropy corrects it at full strength.
"""
from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.special import softmax

from refimpl import arguments, direct, gumbel


def released(h: np.ndarray, labels: np.ndarray, rng: np.random.Generator, eps: float) -> np.ndarray:
    """Return (onehot(y) - onehot(z*)) / eps, (B, k), for h (B, k), integer labels (B,), and eps from 1e-6 to 1e6.

    Its mean is (onehot(y) - q) / eps = grad_h log q(y) / eps.
    """
    (h,), k, eps = arguments.scores(h=h), np.shape(h)[-1], arguments.temperature("eps", eps)
    z_star = gumbel.argmax(h, gumbel.sample(h.shape, rng))
    return (gumbel.one_hot(arguments.indices(labels, k, "labels"), k) - gumbel.one_hot(z_star, k)) / eps


def direct_loss(h: np.ndarray, labels: np.ndarray, rng: np.random.Generator, eps: float) -> np.ndarray:
    """Return the direct gradient of f(z) = -[z != y], (B, k): direct loss minimisation with the 0/1 loss.

    The arguments are those of `released`.  Its mean is (q_eps - q) / eps, where q_eps = softmax(h + eps onehot(y)).
    """
    (h,), k, eps = arguments.scores(h=h), np.shape(h)[-1], arguments.temperature("eps", eps)
    f = gumbel.one_hot(arguments.indices(labels, k, "labels"), k) - 1
    return direct.gradient(h, f, eps, gumbel.sample(h.shape, rng))


def cross_entropy(h: np.ndarray, labels: np.ndarray, rng: np.random.Generator | None = None,
                  eps: float | None = None) -> np.ndarray:
    """Return grad_h log q(y) = onehot(y) - q, (B, k); rng and eps are accepted but not used."""
    (h,), k = arguments.scores(h=h), np.shape(h)[-1]
    return gumbel.one_hot(arguments.indices(labels, k, "labels"), k) - softmax(h, axis=-1)


REGISTRY: dict[str, Callable[..., np.ndarray]] = {
    "released": released, "direct-loss": direct_loss, "cross-entropy": cross_entropy}
