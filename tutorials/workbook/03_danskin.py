"""3. Danskin's derivative of a maximum.

An arg max is a staircase and has no useful derivative, but the maximum itself has one.
Hold the noise fixed.  As a function of eps, the perturbed score of each value z is a straight line with the slope f(z),
and the maximum is the height of the highest line.
So the derivative of the maximum is that of the highest line, which is the line of z(eps) (Danskin's theorem).

    value      max_z  h(z) + eps f(z) + gamma(z)
    d_eps      its derivative with respect to eps:   f(z(eps))
    d_h        its derivative with respect to h:     onehot z(eps)

Shapes: h, f, gamma (B, k); eps is one number.  Units: f is in nats, eps in 1/nat, and the value is a pure number.
"""
import numpy as np


def maximum(h: np.ndarray, f: np.ndarray, eps: float, noise: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The value (B,), its derivative d_eps (B,), and its derivative d_h (B, k), for each row of the noise (B, k)."""
    ...
