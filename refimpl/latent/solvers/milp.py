"""Find the arg max for pair scores of any sign by solving an integer program for each image.

The solver is HiGHS, called by scipy.optimize.milp.  The program is

    maximise sum u_i z_i + sum w_ij y_ij,   z binary,  0 <= y <= 1
    w_ij > 0:  y_ij <= z_i,  y_ij <= z_j            w_ij < 0:  y_ij >= z_i + z_j - 1

At the optimum, y_ij = z_i z_j.  If w_ij > 0, y_ij becomes as large as possible, so only upper bounds are needed.
If w_ij < 0, y_ij becomes as small as possible, so only lower bounds are needed.
"""
from __future__ import annotations

import numpy as np

from refimpl.latent.solvers.base import check, pairs


def argmax(u: np.ndarray, w: np.ndarray) -> np.ndarray:
    """Return an array of shape (B, n): one maximiser z for each image, up to the tolerances of the solver.

    The tolerances are absolute, about 1e-6.  So the scores of each image are first divided by the largest |score|.
    Raises ValueError if a shape is wrong, or if a score is not finite.  Raises RuntimeError if the solver fails.
    """
    u, w = check(u, w)
    u, w = u.astype(np.float64), w.astype(np.float64)
    largest = np.maximum(np.abs(u).max(axis=1, initial=0), np.abs(w).max(axis=1, initial=0))[:, None]
    u, w = (scores / np.where(largest > 0, largest, 1) for scores in (u, w))
    z = np.zeros(u.shape, np.int8)
    for b in range(len(u)):
        z[b] = _one(u[b], w[b])
    return z


def _one(u: np.ndarray, w: np.ndarray) -> np.ndarray:
    from scipy.optimize import Bounds, LinearConstraint, milp      # imported only here, because it is slow to import
    from scipy.sparse import csr_array

    n = len(u)
    i, j = pairs(n)
    used = np.flatnonzero(w)
    i, j, w = i[used], j[used], w[used]
    y = n + np.arange(len(used))
    up, down = np.flatnonzero(w > 0), np.flatnonzero(w < 0)
    # Each row of the matrix is a constraint a . (z, y) <= bound:  y - z_i <= 0,  y - z_j <= 0  or  z_i + z_j - y <= 1.
    first, second, third = (np.arange(len(part)) + offset for part, offset in
                            ((up, 0), (up, len(up)), (down, 2 * len(up))))
    row = np.concatenate([first, first, second, second, third, third, third])
    column = np.concatenate([y[up], i[up], y[up], j[up], i[down], j[down], y[down]])
    entry = np.concatenate([np.ones(len(up)), -np.ones(len(up))] * 2 + [np.ones(2 * len(down)), -np.ones(len(down))])
    rows = 2 * len(up) + len(down)
    constraints = []
    if rows:
        bound = np.concatenate([np.zeros(2 * len(up)), np.ones(len(down))])
        where = row.astype(np.int32), column.astype(np.int32)           # scipy < 1.15 accepts only int32 indices
        constraints = [LinearConstraint(csr_array((entry, where), shape=(rows, n + len(used))), -np.inf, bound)]
    integrality = np.concatenate([np.ones(n), np.zeros(len(used))])
    found = milp(-np.concatenate([u, w]), integrality=integrality, bounds=Bounds(0, 1), constraints=constraints,
                 options={"mip_rel_gap": 0})
    if found.x is None:
        raise RuntimeError(f"the integer program was not solved: {found.message}")
    return np.rint(found.x[:n])
