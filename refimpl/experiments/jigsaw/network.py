"""Define the network that computes a score theta_ij of tile i at place j.

    e_i = ReLU(tile_i W + b),   theta_i = MLP(e_i, mean_k e_k)           the same weights for all tiles

theta_i depends only on e_i and on the mean of all e_k, so theta_i does not depend on the order of the tiles (Zaheer et
al., Deep Sets, 2017).
"""
from __future__ import annotations

import numpy as np

from refimpl.nn.layers import Linear, ReLU
from refimpl.nn.network import MLP, Network
from refimpl.nn.parameters import bind


class Scorer:
    """The network.  `pixels` is the number of pixels of a tile, and `places` is the number N of places."""

    def __init__(self, pixels: int, places: int, hidden: int, dtype: np.dtype = np.float32) -> None:
        self.tile = Network([Linear(pixels, hidden), ReLU()])
        self.head = MLP([2 * hidden, hidden, places])
        self.parameters = bind([self.tile, self.head], dtype)

    def initialise(self, rng: np.random.Generator) -> None:
        self.tile.initialise(rng)
        self.head.initialise(rng)

    def run(self, tiles: np.ndarray) -> Scores:
        return Scores(self, tiles)


class Scores:
    """A forward pass.  `tiles` has shape (B, N, pixels), and the scores theta have shape (B, N, N)."""

    def __init__(self, scorer: Scorer, tiles: np.ndarray) -> None:
        (B, N, pixels), dtype = tiles.shape, scorer.parameters.values.dtype
        self._tile = scorer.tile.run(tiles.reshape(B * N, pixels).astype(dtype, copy=False))
        e = self._tile.y.reshape(B, N, -1)
        mean = np.broadcast_to(e.mean(axis=1, keepdims=True), e.shape)
        self._head = scorer.head.run(np.concatenate([e, mean], axis=2).reshape(B * N, -1))
        self.theta = self._head.y.reshape(B, N, N)

    def backward(self, dtheta: np.ndarray, weight: float = 1.0) -> None:
        """Add `weight` times the gradient of a loss to parameters.grads.  `dtheta` is d loss / d theta."""
        B, N, _ = self.theta.shape
        back = self._head.backward(dtheta.reshape(B * N, N).astype(self.theta.dtype, copy=False))
        back.accumulate(weight)
        de, dmean = np.split(back.dx.reshape(B, N, -1), 2, axis=2)
        de = de + dmean.mean(axis=1, keepdims=True)                         # mean = sum_k e_k / N
        self._tile.backward(de.reshape(B * N, -1)).accumulate(weight)
