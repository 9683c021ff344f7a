"""A small objective that replaces the decoder.  Its values can be enumerated, so estimates can be checked exactly.

    f_b(z) = sum_m c_bm sin(a_bm . z + 1)

z has shape (n, k), and its rows are one-hot or relaxed.  f is nonlinear, depends on all coordinates jointly, and is
smooth between the one-hot vectors.
"""
from __future__ import annotations

from functools import cached_property
from typing import NamedTuple

import numpy as np

from refimpl import arguments, joint
from refimpl.estimators import Table

WAVES = 5


class ToyPass:
    """Computes f and df/dz at one z for each image."""

    def __init__(self, toy: Toy, z: np.ndarray) -> None:
        self._toy, self.z = toy, z

    @cached_property
    def _phase(self) -> np.ndarray:
        return np.einsum("bmd,bd->bm", self._toy.a, self.z.reshape(len(self.z), -1)) + 1

    @cached_property
    def f(self) -> np.ndarray:
        return (self._toy.c * np.sin(self._phase)).sum(axis=1)

    def df_dz(self) -> np.ndarray:
        toy = self._toy
        return np.einsum("bm,bmd->bd", toy.c * np.cos(self._phase), toy.a).reshape(self.z.shape)

    def accumulate(self, weight: float = 1.0) -> None:
        """Do nothing, because a toy has no parameters."""


class ToyTable(NamedTuple):
    """Holds f in an array of shape (B, K): one number for each image and each joint value."""

    f: np.ndarray
    weights: np.ndarray | None = None

    def weighted(self, weights: np.ndarray) -> ToyTable:
        return self._replace(weights=weights)

    def accumulate(self, weight: float = 1.0) -> None:
        """Do nothing, because a toy has no parameters."""


class Toy:
    """An Objective (see estimators/base.py) for n variables with k values each.  Each image has its own random f."""

    def __init__(self, batch: int, n: int, k: int, rng: np.random.Generator) -> None:
        self.n, self.k = n, k
        self.a = 1.5 * rng.normal(size=(batch, WAVES, n * k))
        self.c = 2.0 * rng.normal(size=(batch, WAVES))
        self.evaluations = 0

    def repeated(self, image: int, times: int) -> Toy:
        """Return a Toy with `times` images.  They all have the same f as the given image.

        One call of an estimator with the returned Toy makes `times` independent draws for this f.
        """
        copy = Toy(0, self.n, self.k, np.random.default_rng(0))
        copy.a = np.broadcast_to(self.a[image], (times,) + self.a.shape[1:])
        copy.c = np.broadcast_to(self.c[image], (times,) + self.c.shape[1:])
        return copy

    def run(self, z: np.ndarray, counted: bool = True) -> ToyPass:
        self.evaluations += counted
        return ToyPass(self, z)

    def table(self, z: np.ndarray) -> Table:
        arguments.corners("z", z)
        self.evaluations += 1 + self.n * (self.k - 1)
        a = self.a.reshape(self.a.shape[:2] + (self.n, self.k))
        at_z = np.einsum("bmik,bik->bmi", a, z)
        phase = at_z.sum(axis=-1)[:, :, None, None] - at_z[..., None] + a + 1           # with z_i replaced by c
        return Table(np.einsum("bm,bmik->bik", self.c, np.sin(phase)), ToyPass(self, z))

    def joint_table(self) -> ToyTable:
        self.evaluations += joint.count(self.n, self.k)
        return ToyTable(np.einsum("bm,bmz->bz", self.c, np.sin(self.a @ joint.one_hots(self.n, self.k).T + 1)))
