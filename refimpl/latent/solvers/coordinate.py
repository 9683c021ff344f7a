"""Coordinate ascent changes one variable at a time, as long as such a change increases the score.

This method is fast, but finds only a local maximum.
"""
from __future__ import annotations

import numpy as np

from refimpl.latent.solvers.base import check, matrix


def argmax(u: np.ndarray, w: np.ndarray) -> np.ndarray:
    """Return an array of shape (B, n).  Each row is a local maximum: changing one variable cannot increase the score.

    The code changes one variable at a time until no change increases the score.
    """
    u, w = check(u, w)
    n = u.shape[1]
    W = matrix(w, n)
    z = (u > 0).astype(u.dtype)
    moved = True
    while moved:
        moved = False
        for i in range(n):
            gain = u[:, i] + (W[:, i] * z).sum(axis=1)                  # the score at z_i = 1 minus that at z_i = 0
            better = np.where(gain == 0, z[:, i], gain > 0)
            moved |= bool((better != z[:, i]).any())
            z[:, i] = better
    return z.astype(np.int8)
