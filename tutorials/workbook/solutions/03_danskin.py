"""3. Danskin's derivative of a maximum.

As a function of the scores, an arg max is piecewise constant, so it has no useful derivative.  But the maximum has one.
Keep the noise fixed.  As a function of eps, the perturbed score of each value z is a straight line with slope f(z),
and the maximum is the height of the highest line.
So the derivative of the maximum is the slope of the highest line, which is the line of z(eps) (Danskin's theorem).

    value      max_z  h(z) + eps f(z) + gamma(z)
    d_eps      its derivative with respect to eps:   f(z(eps))
    d_h        its derivative with respect to h:     onehot z(eps)

Shapes: h, f and gamma are (B, k), and eps is one number.  Units: f is in nats, eps is in 1/nat, and the value is a pure
number.
"""
import numpy as np


def maximum(h: np.ndarray, f: np.ndarray, eps: float, noise: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the value, d_eps and d_h for this noise.  Their shapes are (B,), (B,) and (B, k)."""
    scores = h + eps * f + noise
    z_eps = np.eye(h.shape[1])[scores.argmax(axis=1)]
    return scores.max(axis=1), (z_eps * f).sum(axis=1), z_eps
