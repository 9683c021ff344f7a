"""4. The difference of two arg maxes.

The encoder needs the gradient of E f(z*) in its scores h, and cannot get it from one arg max.
Theorem 1 takes two, with the same noise: z* without f, and z(eps) with a little of f added to the scores.
The difference of their one-hot vectors, divided by eps, is an estimate of the gradient, and its mean tends to the
gradient as eps goes to 0.

    z*     = argmax_z  h(z) + gamma(z)
    z(eps) = argmax_z  h(z) + eps f(z) + gamma(z)
    g      = (onehot z(eps) - onehot z*) / eps

Shapes: h, f, gamma, g (B, k); eps > 0 is one number.  Units: f and g in nats, eps in 1/nat.  g is a direction of
ascent: add it to h, and on average E f grows.
"""
from importlib import import_module

import numpy as np

arg_max = import_module("02_arg_max").arg_max


def direct_gradient(h: np.ndarray, f: np.ndarray, eps: float, noise: np.ndarray) -> np.ndarray:
    """One estimate g for each row of the noise (B, k): (B, k)."""
    return (arg_max(h + eps * f, noise) - arg_max(h, noise)) / eps
