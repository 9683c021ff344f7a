"""4. The difference of two arg maxes.

The encoder needs the gradient of E f(z*) with respect to its scores h.  One arg max does not give this gradient.
Theorem 1 uses two arg maxes with the same noise: z* without f, and z(eps) with eps f added to the scores.
The difference of their one-hot vectors, divided by eps, is an estimate of the gradient.  The mean of the estimate tends
to the gradient as eps goes to 0.

    z*     = argmax_z  h(z) + gamma(z)
    z(eps) = argmax_z  h(z) + eps f(z) + gamma(z)
    g      = (onehot z(eps) - onehot z*) / eps

Shapes: h, f, gamma and g are (B, k), and eps > 0 is one number.  Units: f and g are in nats, and eps is in 1/nat.  g is
a direction of ascent: if a small multiple of g is added to h, E f grows on average.
"""
from importlib import import_module

import numpy as np

arg_max = import_module("02_arg_max").arg_max


def direct_gradient(h: np.ndarray, f: np.ndarray, eps: float, noise: np.ndarray) -> np.ndarray:
    """Return an array of shape (B, k): one estimate g for each row of the noise."""
    ...
