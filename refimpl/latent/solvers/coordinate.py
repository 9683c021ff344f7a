"""Coordinate ascent: set one variable after another to its better value until no variable changes.

This method is fast, but finds only a local maximum.
"""
from __future__ import annotations

import numpy as np

from refimpl.latent.solvers.base import check, matrix


def argmax(u: np.ndarray, w: np.ndarray) -> np.ndarray:
    """Return a local maximum z, of shape (B, n): no change of a single variable increases the score.

    The loop ends, because a variable changes only if the score increases.
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
