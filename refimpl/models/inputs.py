"""What the decoder is fed: how z, and whatever else an image has, become its input, and the way back."""
from __future__ import annotations

import numpy as np

from refimpl import joint
from refimpl.nn.layers import Linear
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

    def constant(self, first: Linear) -> np.ndarray:
        """What the first layer adds whatever z is: its bias."""
        return first.b


class ClassRow:
    """A class and a Gaussian (slide 33): the k x d matrix z g^T, zero but for the class's row, which holds g (B, d).

    z (B, 1, k) one-hot or relaxed -> (B, k d).  dg (B, d) gathers the gradient in g, as layers gather theirs.
    """

    n = 1
    shared = False                  # every image has a g of its own

    def __init__(self, k: int, g: np.ndarray) -> None:
        self.k, self.g = k, g
        self.width = k * g.shape[1]
        self.dg = np.zeros_like(g)

    def forward(self, z: np.ndarray) -> np.ndarray:
        return (z[:, 0, :, None] * self.g[:, None, :]).reshape(len(z), -1)

    def backward(self, z: np.ndarray, dinputs: np.ndarray) -> np.ndarray:
        """d/dz (B, 1, k) from d/d inputs."""
        return np.einsum("bcj,bj->bc", dinputs.reshape(len(z), self.k, -1), self.g)[:, None, :]

    def accumulate(self, z: np.ndarray, back: Backward, weight: float) -> None:
        """Add weight times the gradient in g."""
        self.dg += weight * np.einsum("bc,bcj->bj", z[:, 0], back.dx.reshape(len(z), self.k, -1))

    def every(self, first: Linear) -> np.ndarray:
        """What the first layer makes of every class, (B k, H).

        Only one row of the k x d input matrix is not zero, so that the first layer of all classes together costs what
        one full input would cost: g times each class's d rows of weights.
        """
        y = (self.g @ self._by_class(first.W)).reshape(-1, first.n_out)
        y += first.b
        return y

    def accumulate_every(self, first: Linear, dy: np.ndarray) -> None:
        """The way back of every(): from dy (B k, H) to the first layer's gradients and to dg."""
        db = dy.sum(axis=0)
        dy = dy.reshape(len(self.g), self.k * first.n_out)                  # the first layer, all classes at once
        dW = (self.g.T @ dy).reshape(-1, self.k, first.n_out).transpose(1, 0, 2).reshape(first.W.shape)
        first.add(dW, db)
        self.dg += dy @ self._by_class(first.W).T

    def _by_class(self, W: np.ndarray) -> np.ndarray:
        """The first layer's weights side by side a class, (d, k H): one product with g serves all classes."""
        return W.reshape(self.k, -1, W.shape[1]).transpose(1, 0, 2).reshape(-1, self.k * W.shape[1])


class BesideGaussian:
    """Several variables and a Gaussian: the n one-hots of z one after the other, and g (B, d) beside them.

    z (B, n, k) one-hot or relaxed -> (B, n k + d).  dg (B, d) gathers the gradient in g.
    """

    shared = False

    def __init__(self, n: int, k: int, g: np.ndarray) -> None:
        self.n, self.k, self.g = n, k, g
        self.width = n * k + g.shape[1]
        self.dg = np.zeros_like(g)

    def forward(self, z: np.ndarray) -> np.ndarray:
        return np.concatenate([z.reshape(len(z), -1), self.g], axis=1)

    def backward(self, z: np.ndarray, dinputs: np.ndarray) -> np.ndarray:
        """d/dz (B, n, k) from d/d inputs."""
        return dinputs[:, :self.n * self.k].reshape(z.shape)

    def accumulate(self, z: np.ndarray, back: Backward, weight: float) -> None:
        """Add weight times the gradient in g."""
        self.dg += weight * back.dx[:, self.n * self.k:]

    def constant(self, first: Linear) -> np.ndarray:
        """What the first layer adds whatever z is, (B, H): the Gaussian's part, and the bias."""
        return first.b + self.g @ first.W[self.n * self.k:]

    def every(self, first: Linear) -> np.ndarray:
        """What the first layer makes of every joint value, (B K, H): its part of z, the same for all images, and that
        of g, the same for all z."""
        of_z = joint.one_hots(self.n, self.k, self.g.dtype) @ first.W[:self.n * self.k]         # (K, H)
        return (self.constant(first)[:, None] + of_z).reshape(-1, first.n_out)

    def accumulate_every(self, first: Linear, dy: np.ndarray) -> None:
        """The way back of every(): from dy (B K, H) to the first layer's gradients and to dg."""
        dy = dy.reshape(len(self.g), -1, first.n_out)
        of_g = dy.sum(axis=1)
        hots = joint.one_hots(self.n, self.k, self.g.dtype)
        first.add(np.concatenate([hots.T @ dy.sum(axis=0), self.g.T @ of_g]), of_g.sum(axis=0))
        self.dg += of_g @ first.W[self.n * self.k:].T


Gaussian = ClassRow | BesideGaussian
Inputs = OneHots | Gaussian


def with_gaussian(n: int, k: int, g: np.ndarray) -> Gaussian:
    """How z (B, n, k) and a Gaussian g (B, d) go in: a single variable, a class, by its row; several beside g."""
    return ClassRow(k, g) if n == 1 else BesideGaussian(n, k, g)
