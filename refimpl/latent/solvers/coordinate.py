"""Coordinate ascent: set variable after variable to its better value until none moves.  Cheap; a local maximum only."""
from __future__ import annotations

import numpy as np

from refimpl.latent.solvers.base import check, matrix


def argmax(u: np.ndarray, w: np.ndarray) -> np.ndarray:
    """A z that no change of a single variable improves, from the start z_i = [u_i > 0]; not a maximiser in general.

    Each change raises the score, so that it ends; a variable that gains nothing either way stays as it is.
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
