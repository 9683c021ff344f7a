"""Find the arg max: fix the variables whose best value is certain, and enumerate the values of all other variables.

The method is exact for pair scores of any sign, and fast if |u| is large.

Assume that some variables are already fixed.  If z_i changes from 0 to 1, the score changes by at least low_i and at
most high_i:

    low_i  = u_i + (sum of w_ij over all j fixed at 1) + (sum of min(w_ij, 0) over all free j)
    high_i = u_i + (sum of w_ij over all j fixed at 1) + (sum of max(w_ij, 0) over all free j)

If low_i > 0, z_i is 1 in every maximiser.  If high_i < 0, z_i is 0 in every maximiser.  When a variable is fixed, the
range from low_i to high_i may become narrower for the free variables.  So low_i and high_i are computed repeatedly
until no further variable can be fixed.  If two maximisers differ in z_i, variable i is never fixed.  At the end, the
values of the free variables are enumerated.
"""
from __future__ import annotations

import numpy as np

from refimpl.latent.solvers import enumeration
from refimpl.latent.solvers.base import check, matrix, pairs


def fix_certain(u: np.ndarray, W: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return two boolean arrays of shape (B, n): whether each variable is still free, and whether it is fixed at 1.

    u has shape (B, n).  W has shape (B, n, n) and holds the pair scores as symmetric matrices.
    """
    negative, positive = np.minimum(W, 0), np.maximum(W, 0)
    free, ones = np.ones(u.shape, bool), np.zeros(u.shape, bool)
    while True:
        base = u + np.matmul(W, ones[:, :, None].astype(u.dtype))[:, :, 0]
        open_ends = free[:, :, None].astype(u.dtype)
        to_one = free & (base + np.matmul(negative, open_ends)[:, :, 0] > 0)
        to_zero = free & (base + np.matmul(positive, open_ends)[:, :, 0] < 0)
        if not (to_one.any() or to_zero.any()):
            return free, ones
        ones |= to_one
        free &= ~(to_one | to_zero)


def argmax(u: np.ndarray, w: np.ndarray) -> np.ndarray:
    """Return an array of shape (B, n): for each image, a maximiser z.

    Raises ValueError if more than enumeration.MOST variables stay free.
    """
    u, w = check(u, w)
    n = u.shape[1]
    W = matrix(w, n)
    free, ones = fix_certain(u, W)
    z = ones.astype(np.int8)
    left = free.sum(axis=1)
    if left.max(initial=0) > enumeration.MOST:
        raise ValueError(f"u and w must leave at most {enumeration.MOST} variables uncertain, {left.max()} are: "
                         "use max-flow (w >= 0) or the integer program")
    for size in np.unique(left[left > 0]):                  # images with the same number of uncertain variables
        rows = np.flatnonzero(left == size)
        where = np.nonzero(free[rows])[1].reshape(len(rows), size)                  # (rows, size) variables
        image = rows[:, None]
        rest = u[image, where] + (W[image, where] * ones[rows][:, None, :]).sum(axis=-1)
        i, j = pairs(size)
        z[image, where] = enumeration.argmax(rest, W[image, where[:, i], where[:, j]])
    return z
