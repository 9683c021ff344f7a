"""A small nonlinear objective that can be enumerated, in the place of a decoder."""
from __future__ import annotations

import numpy as np


class Toy:
    """f(z) = sum_m c_bm sin(a_bm . z + 1) for a single z of k values, one function an image; defined between the corners of
    the simplex as well, and nonlinear there."""

    def __init__(self, batch: int, k: int, rng: np.random.Generator, waves: int = 5) -> None:
        self.a = 2 * rng.normal(size=(batch, waves, k))
        self.c = 2 * rng.normal(size=(batch, waves))
        self.evaluations = 0

    def score_and_grad(self, z):
        self.evaluations += 1
        phase = np.einsum("bmk,bk->bm", self.a, z[:, 0]) + 1
        f = (self.c * np.sin(phase)).sum(axis=1)
        return f, np.einsum("bm,bmk->bk", self.c * np.cos(phase), self.a)[:, None, :]

    def score(self, z):
        return self.score_and_grad(z)[0]

    def table(self, z=None):
        self.evaluations += self.a.shape[-1]
        return np.einsum("bm,bmk->bk", self.c, np.sin(self.a + 1))[:, None, :]
