"""Maximum flow: exact for w >= 0, where the score is supermodular and its maximum a minimum cut (Hammer 1965).

With -w z_i z_j = -(w/2) (z_i + z_j) + (w/2) |z_i - z_j|,

    -S(z) = sum_i t_i z_i + sum_{i<j} (w_ij / 2) |z_i - z_j|,     t_i = -u_i - (1/2) sum_j w_ij

is the value of a cut, up to a constant: t_i < 0 is an edge source -> i of capacity -t_i, t_i > 0 an edge i -> sink of capacity
t_i, and w_ij / 2 an edge each way between i and j.  z_i = 1 on the source's side.

scipy's maximum_flow takes integers.  Capacities are scaled and rounded, each off by at most half a unit; a cut has at most
n + n (n-1)/2 edges, so two cuts compare to within that many units: quantisation_bound is what the score can lose by it.
"""
from __future__ import annotations

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import breadth_first_order, maximum_flow

from refimpl.latent.solvers.base import check, pairs

TOTAL = 2**30               # capacities of one graph add up to at most this, so that no sum of int32 overflows


def _check(u: np.ndarray, w: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    u, w = check(u, w)
    if (w < 0).any():
        raise ValueError(f"w must not be negative for max-flow, got {w.min():g}: use the integer program or enumeration")
    return u.astype(np.float64), w.astype(np.float64)


def _terminals(u: np.ndarray, w: np.ndarray) -> np.ndarray:
    """t (B, n)."""
    n = u.shape[1]
    i, j = pairs(n)
    share = np.zeros(u.shape)
    for pair in range(len(i)):
        share[:, i[pair]] += w[:, pair]
        share[:, j[pair]] += w[:, pair]
    return -u - share / 2


def _scale(t: np.ndarray, w: np.ndarray) -> np.ndarray:
    """Units a nat, (B,): as many as TOTAL allows."""
    total = np.abs(t).sum(axis=1) + w.sum(axis=1)                       # w / 2 each way
    slots = t.shape[1] + 2 * w.shape[1]                                 # each may be rounded up
    return (TOTAL - slots) / np.maximum(total, 1e-290)


def quantisation_bound(u: np.ndarray, w: np.ndarray) -> np.ndarray:
    """How far below the maximum the score of the returned z can lie, (B,), because capacities are integers."""
    u, w = _check(u, w)
    return (u.shape[1] + w.shape[1]) / _scale(_terminals(u, w), w)


def argmax(u: np.ndarray, w: np.ndarray) -> np.ndarray:
    """A maximiser to within quantisation_bound, one flow an image.  Raises ValueError if a pair score is negative."""
    u, w = _check(u, w)
    batch, n = u.shape
    i, j = pairs(n)
    t = _terminals(u, w)
    scale = _scale(t, w)[:, None]
    terminal = np.rint(np.abs(t) * scale).astype(np.int32)
    between = np.rint(w / 2 * scale).astype(np.int32)
    source, sink = n, n + 1
    z = np.zeros((batch, n), np.int8)
    for b in range(batch):
        to_source = t[b] < 0
        start = np.concatenate([np.where(to_source, source, np.arange(n)), i, j])
        end = np.concatenate([np.where(to_source, np.arange(n), sink), j, i])
        capacity = csr_array((np.concatenate([terminal[b], between[b], between[b]]), (start, end)), shape=(n + 2, n + 2))
        flow = maximum_flow(capacity, source, sink).flow
        residual = capacity - flow                                      # where it is positive, more could still be pushed
        residual.data = np.maximum(residual.data, 0)
        residual.eliminate_zeros()
        reached = breadth_first_order(residual, source, return_predecessors=False)
        z[b, reached[reached < n]] = 1                                  # the source's side of a minimum cut
    return z
