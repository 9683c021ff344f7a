"""What the decoder is fed: how z, and whatever else an image has, become its input, and the way back."""
from __future__ import annotations

import numpy as np

from refimpl.nn.network import Backward


class OneHots:
    """The n one-hot vectors of z one after the other: z (B, n, k) -> (B, n k)."""

    shared = True                   # what the decoder makes of a z is the same for every image

    def __init__(self, n: int, k: int) -> None:
        self.n, self.k = n, k

    def forward(self, z: np.ndarray) -> np.ndarray:
        return z.reshape(len(z), self.n * self.k)

    def backward(self, z: np.ndarray, dinputs: np.ndarray) -> np.ndarray:
        """d/dz (B, n, k) from d/d inputs."""
        return dinputs.reshape(z.shape)

    def accumulate(self, z: np.ndarray, back: Backward, weight: float) -> None:
        """Nothing but z goes in, and nothing has to learn."""


class ClassRow:
    """A class and a Gaussian (slide 33): the k x d matrix z g^T, zero but for the class's row, which holds g (B, d).

    z (B, 1, k) one-hot or relaxed -> (B, k d).  dg (B, d) gathers the gradient in g, as layers gather theirs.
    """

    n = 1
    shared = False                  # every image has a g of its own

    def __init__(self, k: int, g: np.ndarray) -> None:
        self.k, self.g = k, g
        self.dg = np.zeros_like(g)

    def forward(self, z: np.ndarray) -> np.ndarray:
        return (z[:, 0, :, None] * self.g[:, None, :]).reshape(len(z), -1)

    def backward(self, z: np.ndarray, dinputs: np.ndarray) -> np.ndarray:
        """d/dz (B, 1, k) from d/d inputs."""
        return np.einsum("bcj,bj->bc", dinputs.reshape(len(z), self.k, -1), self.g)[:, None, :]

    def accumulate(self, z: np.ndarray, back: Backward, weight: float) -> None:
        """Add weight times the gradient in g."""
        self.dg += weight * np.einsum("bc,bcj->bj", z[:, 0], back.dx.reshape(len(z), self.k, -1))
