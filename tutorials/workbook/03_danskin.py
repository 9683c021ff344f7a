"""3. Danskin's derivative of a maximum.

An arg max is a staircase and has no useful derivative, but the maximum itself has one.
Hold the noise fixed: as a function of eps, each value z is a straight line with the slope f(z), and the maximum lies on
the highest of these lines.
So its derivative is that of the line which wins, z(eps), held fixed (Danskin's theorem).

    value      max_z  h(z) + eps f(z) + gamma(z)
    d_eps      the derivative of this value in eps:   f(z(eps))
    d_h        the derivative of this value in h:     onehot z(eps)

Shapes: h, f, gamma (B, k); eps is one number.  Units: f in nats, eps in 1/nat, the value is a pure number.
"""
import numpy as np


def maximum(h: np.ndarray, f: np.ndarray, eps: float, noise: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The value (B,), its derivative d_eps (B,), and its derivative d_h (B, k), for each row of the noise (B, k)."""
    ...
