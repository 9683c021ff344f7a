"""2. The arg max and its law.

The value with the largest perturbed score is called z*.  We write it as a one-hot vector, which is 1 at z* and 0
elsewhere.
If the noise is Gumbel noise, z* has the law q = softmax(h): this is the Gumbel-max trick (Theorem 2).
We also need log q.  The value of log q must be correct even where q itself is so small that it is rounded to 0.

    z*     = argmax_z  h(z) + gamma(z)
    q(z)   = e^h(z) / sum_z' e^h(z')
    log q  = g - log sum_z' e^g(z'),    g(z) = h(z) - max_z' h(z')

Shapes: all arrays are (B, k), with a row for each of B images and a column for each of k values.  Units: h and gamma
are pure numbers, and log q is in nats.  e^h can be too large for a floating-point number, but e^g is at most 1.
"""
import numpy as np


def arg_max(h: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """Return the one-hot vectors of z* for the scores h and the Gumbel noise.  All three arrays have shape (B, k)."""
    ...


def law(h: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return q and log q for the scores h.  All three arrays have shape (B, k)."""
    ...
