"""Pairwise scores of n binary variables, and what every solver of their arg max is.

    S(z) = sum_i u_i z_i + sum_{i<j} w_ij z_i z_j,     z in {0, 1}^n          (slide 32; u carries the perturbation)

    argmax(u, w) -> z        u (B, n), w (B, n (n-1)/2) with the pairs in the order of pairs(n); z (B, n) of 0 and 1

All solvers but coordinate ascent return a maximiser; where several z tie, any of them.
"""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from refimpl.arguments import NotFinite


@dataclass(frozen=True)
class Solver:
    """An entry of the registry."""

    name: str
    argmax: Callable[[np.ndarray, np.ndarray], np.ndarray]
    summary: str
    exact: bool
    """Whether z is a maximiser: always by enumeration, to rounding by the others (see their files)."""
    non_negative: bool
    """Whether it needs w >= 0."""
    most: int
    """The largest n it takes."""


def pairs(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Indices i < j of the pair scores, in order: (0, 1), (0, 2), ..., (n-2, n-1)."""
    return np.triu_indices(n, 1)


def check(u: np.ndarray, w: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(u, w) as float arrays of fitting shapes; ValueError that names the argument otherwise."""
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
    """z_i z_j of every pair: (..., n) -> (..., n (n-1)/2)."""
    i, j = pairs(z.shape[-1])
    return z[..., i] * z[..., j]


def score(u: np.ndarray, w: np.ndarray, z: np.ndarray) -> np.ndarray:
    """S(z), one image per row: (B,)."""
    return (u * z).sum(axis=-1) + (w * products(z)).sum(axis=-1)


def matrix(w: np.ndarray, n: int) -> np.ndarray:
    """The pair scores as symmetric matrices with an empty diagonal: (B, n (n-1)/2) -> (B, n, n)."""
    full = np.zeros((len(w), n, n), w.dtype)
    i, j = pairs(n)
    full[:, i, j] = full[:, j, i] = w
    return full
