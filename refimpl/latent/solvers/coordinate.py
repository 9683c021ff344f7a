"""Coordinate ascent: set one variable after another to its better value, up to a local maximum; fast but not exact."""
from __future__ import annotations

import numpy as np

from refimpl.latent.solvers.base import check, matrix


def argmax(u: np.ndarray, w: np.ndarray) -> np.ndarray:
    """Return a z that no change of a single variable improves, starting from z_i = [u_i > 0].

    A variable changes only if the score increases, so the loop ends.
    """
    u, w = check(u, w)
    n = u.shape[1]
    W = matrix(w, n)
    z = (u > 0).astype(u.dtype)
    moved = True
    while moved:
        moved = False
        for i in range(n):
            gain = u[:, i] + (W[:, i] * z).sum(axis=1)                  # of z_i = 1 over z_i = 0
            better = np.where(gain == 0, z[:, i], gain > 0)
            moved |= bool((better != z[:, i]).any())
            z[:, i] = better
    return z.astype(np.int8)
