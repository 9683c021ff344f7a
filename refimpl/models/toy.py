"""A small objective in the place of a decoder, nonlinear and enumerable: on it every estimator can be held to the truth.

    f_b(z) = sum_m c_bm sin(a_bm . z + 1)

with z (n, k) one-hot rows or anything between: nonlinear in each coordinate, joint in all, smooth between the corners.
"""
from __future__ import annotations

import numpy as np

from refimpl import joint

WAVES = 5


class Toy:
    """An Objective (estimators/base.py) for n variables of k values; one random function an image."""

    def __init__(self, batch: int, n: int, k: int, rng: np.random.Generator) -> None:
        self.n, self.k = n, k
        self.a = 1.5 * rng.normal(size=(batch, WAVES, n * k))
        self.c = 2.0 * rng.normal(size=(batch, WAVES))
        self.evaluations = 0

    def repeated(self, image: int, times: int) -> Toy:
        """The same function in every row: many independent draws for one image in one call."""
        copy = Toy(0, self.n, self.k, np.random.default_rng(0))
        copy.a = np.broadcast_to(self.a[image], (times,) + self.a.shape[1:])
        copy.c = np.broadcast_to(self.c[image], (times,) + self.c.shape[1:])
        return copy

    def score(self, z: np.ndarray) -> np.ndarray:
        self.evaluations += 1
        return self._f(z)[0]

    def score_and_grad(self, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        self.evaluations += 1
        f, phase = self._f(z)
        return f, np.einsum("bm,bmd->bd", self.c * np.cos(phase), self.a).reshape(z.shape)

    def table(self, z: np.ndarray | None = None) -> np.ndarray:
        self.evaluations += 1 + self.n * (self.k - 1)
        if z is None:
            if self.n > 1:
                raise ValueError("table needs z: with n > 1 the other coordinates have to be somewhere")
            z = np.zeros((len(self.c), 1, self.k))                                      # no other coordinates
        a = self.a.reshape(self.a.shape[:2] + (self.n, self.k))
        at_z = np.einsum("bmik,bik->bmi", a, z)
        phase = at_z.sum(axis=-1)[:, :, None, None] - at_z[..., None] + a + 1           # z_i taken out, value c put in
        return np.einsum("bm,bmik->bik", self.c, np.sin(phase))

    def joint_table(self) -> np.ndarray:
        self.evaluations += joint.count(self.n, self.k)
        return np.einsum("bm,bmz->bz", self.c, np.sin(self.a @ joint.one_hots(self.n, self.k).T + 1))

    def _f(self, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        phase = np.einsum("bmd,bd->bm", self.a, z.reshape(len(z), -1)) + 1
        return (self.c * np.sin(phase)).sum(axis=1), phase
