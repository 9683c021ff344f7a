"""All 2^n values of z in one matrix product: [z, z_i z_j] for every z, times the batch's (u, w)."""
from __future__ import annotations

from functools import lru_cache

import numpy as np

from refimpl.latent.solvers.base import check, products

MOST = 20
SCORES = 4_000_000          # at a time
KEPT = 16                   # the table of features is made once for each n up to this: 71 MB in float64; 1.8 GB at 20


def all_values(n: int) -> np.ndarray:
    """(2^n, n) of 0 and 1, int8, in the order of joint.values(n, 2).  Read-only, and kept for later up to n = 16."""
    return _kept_values(n) if n <= KEPT else _values(n)


def features(n: int, dtype: np.dtype) -> np.ndarray:
    """(2^n, n + n (n-1)/2): z and all its products.  Read-only, and kept for the next call up to n = 16."""
    return _kept_features(n, np.dtype(dtype)) if n <= KEPT else _features(n, dtype)


def _values(n: int) -> np.ndarray:
    z = (np.arange(2**n)[:, None] >> np.arange(n - 1, -1, -1) & 1).astype(np.int8)
    z.setflags(write=False)
    return z


def _features(n: int, dtype: np.dtype) -> np.ndarray:
    z = all_values(n)
    phi = np.concatenate([z, products(z)], axis=1).astype(dtype)
    phi.setflags(write=False)
    return phi


_kept_values, _kept_features = lru_cache(maxsize=None)(_values), lru_cache(maxsize=None)(_features)


def all_scores(u: np.ndarray, w: np.ndarray) -> np.ndarray:
    """S(z) of every z: (B, 2^n)."""
    return np.concatenate([u, w], axis=1) @ features(u.shape[1], np.result_type(u, w)).T


def argmax(u: np.ndarray, w: np.ndarray) -> np.ndarray:
    """The first maximiser in the order of all_values, by looking at all of them.  n <= 20."""
    u, w = check(u, w)
    n = u.shape[1]
    if n > MOST:
        raise ValueError(f"u must have at most {MOST} variables for enumeration, got {n}")
    block = max(1, SCORES // 2**n)
    blocks = (slice(start, start + block) for start in range(0, len(u), block))
    best = [all_scores(u[rows], w[rows]).argmax(axis=1) for rows in blocks]
    return all_values(n)[np.concatenate(best)] if best else np.zeros((0, n), np.int8)
