"""Pairwise scores of n binary variables, and the interface of all solvers that maximise such scores.

    S(z) = sum_i u_i z_i + sum_{i<j} w_ij z_i z_j,     z in {0, 1}^n          (slide 32; u contains the perturbation)

A solver is a function argmax(u, w) -> z.  u has shape (B, n).  w has shape (B, n (n-1)/2), with the pairs in the order
of pairs(n).  z has shape (B, n) and contains 0s and 1s.

All solvers except coordinate ascent return a z with the largest S(z).  In a tie, any of the best z may be returned.
"""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from refimpl.arguments import NotFinite


@dataclass(frozen=True)
class Solver:
    """An entry of the registry: a solver and its properties."""

    name: str
    argmax: Callable[[np.ndarray, np.ndarray], np.ndarray]
    summary: str
    exact: bool
    """Whether the solver returns a maximiser of S.  Enumeration does so without any error.  The other exact
    solvers have small numerical errors, which their files describe."""
    non_negative: bool
    """Whether the solver needs w >= 0."""
    most: int
    """The largest n that the solver accepts."""


def pairs(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the indices i and j of all pairs with i < j, in the order (0, 1), (0, 2), ..., (n-2, n-1)."""
    return np.triu_indices(n, 1)


def check(u: np.ndarray, w: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return u and w as float arrays.

    Raises ValueError if a shape is wrong, and NotFinite if a score is not finite.
    """
    u, w = np.asarray(u), np.asarray(w)
    u, w = (a if a.dtype in (np.float32, np.float64) else a.astype(np.float64) for a in (u, w))
    if u.ndim != 2 or u.shape[1] < 1:
        raise ValueError(f"u must have shape (B, n) with n >= 1, got {u.shape}")
    batch, n = u.shape
    if w.shape != (batch, n * (n - 1) // 2):
        raise ValueError(f"w must have shape (B, n (n-1) / 2) = {(batch, n * (n - 1) // 2)}, got {w.shape}")
    for name, array in (("u", u), ("w", w)):
        if not np.isfinite(array).all():
            raise NotFinite(f"{name} must be finite, got NaN or infinity")
    return u, w


def products(z: np.ndarray) -> np.ndarray:
    """Return an array of shape (..., n (n-1)/2): the products z_i z_j of all pairs i < j.  z has shape (..., n)."""
    i, j = pairs(z.shape[-1])
    return z[..., i] * z[..., j]


def score(u: np.ndarray, w: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Return an array of shape (B,): the score S(z) of each image.  u, w and z have one row per image."""
    return (u * z).sum(axis=-1) + (w * products(z)).sum(axis=-1)


def matrix(w: np.ndarray, n: int) -> np.ndarray:
    """Return the pair scores as symmetric matrices with zeros on the diagonal.

    w has shape (B, n (n-1)/2), and the matrices have shape (B, n, n).
    """
    full = np.zeros((len(w), n, n), w.dtype)
    i, j = pairs(n)
    full[:, i, j] = full[:, j, i] = w
    return full
