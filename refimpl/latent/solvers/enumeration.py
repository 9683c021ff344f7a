"""Find the arg max by comparing all 2^n values of z.  One matrix product computes the scores of a block of images."""
from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from refimpl.latent.solvers.base import check, products

MOST = 20
SCORES = 4_000_000          # the number of scores in memory at a time
KEPT = 16                   # up to this n, the features are kept in memory: 71 MB in float64 (1.8 GB for n = 20)


@lru_cache(maxsize=None)
def all_values(n: int) -> np.ndarray:
    """Return all values of z as a read-only int8 array of shape (2^n, n), in the order of joint.values(n, 2)."""
    z = (np.arange(2**n)[:, None] >> np.arange(n - 1, -1, -1) & 1).astype(np.int8)
    z.setflags(write=False)
    return z


def features(n: int, dtype: np.dtype) -> np.ndarray:
    """Return a read-only array of shape (2^n, n + n (n-1)/2).  Each row holds a z and all products z_i z_j."""
    return (_kept_features if n <= KEPT else _features)(n, np.dtype(dtype))


def _features(n: int, dtype: np.dtype) -> np.ndarray:
    z = all_values(n)
    phi = np.concatenate([z, products(z)], axis=1).astype(dtype)
    phi.setflags(write=False)
    return phi


_kept_features = lru_cache(maxsize=None)(_features)


def all_scores(u: np.ndarray, w: np.ndarray) -> np.ndarray:
    """Return an array of shape (B, 2^n): for each image, the score S(z) of every z."""
    return np.concatenate([u, w], axis=1) @ features(u.shape[1], np.result_type(u, w)).T


def _exact(terms: np.ndarray) -> bool:
    """Return whether the sum of every subset of these float64 numbers is certainly exact.

    Sums are exact if all numbers are multiples of one unit, and their absolute values add up to less than 2^53 units.
    """
    mantissa, exponent = np.frexp(terms[terms != 0])
    digits = (mantissa * 2.0**53).astype(np.int64)
    lowest = np.frexp((digits & -digits).astype(np.float64))[1] + exponent - 53         # multiples of 2^(lowest-1)
    return not len(lowest) or np.abs(terms).sum() < np.ldexp(1.0, int(lowest.min()) + 52)


def _first_best(scores: np.ndarray, u: np.ndarray, w: np.ndarray) -> np.ndarray:
    """Return an array of shape (B,): for each image, the index of the first z whose exact score is the largest."""
    best = scores.argmax(axis=1)
    size = np.abs(u).sum(axis=1) + np.abs(w).sum(axis=1)
    rounding = 2 * (u.shape[1] + w.shape[1]) * np.finfo(scores.dtype).eps * size
    least = (np.take_along_axis(scores, best[:, None], axis=1)[:, 0] - rounding).astype(scores.dtype)
    near = scores >= least[:, None]
    for b in np.flatnonzero(np.count_nonzero(near, axis=1) > 1):
        candidates = np.flatnonzero(near[b])
        terms = np.concatenate([u[b], w[b]]).astype(np.float64)
        values = all_values(u.shape[1])[candidates]
        phi = np.concatenate([values, products(values)], axis=1)
        first = int((phi @ terms).argmax())
        if not _exact(terms):
            first = 0
            for other in range(1, len(phi)):
                if math.fsum((phi[other] - phi[first]) * terms) > 0:    # the sign of a sum without any rounding
                    first = other
        best[b] = candidates[first]
    return best


def argmax(u: np.ndarray, w: np.ndarray) -> np.ndarray:
    """Return an array of shape (B, n): the z with the largest score for each image.

    In a tie, the z that comes first in all_values is returned.  Raises ValueError if n exceeds MOST.
    """
    u, w = check(u, w)
    n = u.shape[1]
    if n > MOST:
        raise ValueError(f"u must have at most {MOST} variables for enumeration, got {n}")
    block = max(1, SCORES // 2**n)
    blocks = (slice(start, start + block) for start in range(0, len(u), block))
    best = [_first_best(all_scores(u[rows], w[rows]), u[rows], w[rows]) for rows in blocks]
    return all_values(n)[np.concatenate(best)] if best else np.zeros((0, n), np.int8)
