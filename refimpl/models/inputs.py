"""Compute the decoder's input from z and, in some models, from a Gaussian vector g.  Each image has its own g."""
from __future__ import annotations

import numpy as np

from refimpl import joint
from refimpl.nn.layers import Linear
from refimpl.nn.network import Backward


class OneHots:
    """Joins the n one-hot vectors of each image into one row of n k numbers."""

    shared = True                   # whether the decoder's output for a value of z is the same for every image

    def __init__(self, n: int, k: int) -> None:
        self.n, self.k = n, k

    def forward(self, z: np.ndarray) -> np.ndarray:
        return z.reshape(len(z), self.n * self.k)

    def backward(self, z: np.ndarray, dinputs: np.ndarray) -> np.ndarray:
        return dinputs.reshape(z.shape)

    def accumulate(self, z: np.ndarray, back: Backward, weight: float) -> None:
        """Do nothing, because there is no Gaussian vector g that needs a gradient."""

    def constant(self, first: Linear) -> np.ndarray:
        """Return the part of the first layer's output that does not depend on z."""
        return first.b


class ClassRow:
    """Computes the decoder's input for each image, from the class z and the Gaussian vector g (slide 33).

    z has shape (B, 1, k).  g and the attribute dg have shape (B, d).  dg accumulates the gradient with respect to g.
    The input is the k x d matrix z g^T.  If z is one-hot, the row of the chosen class is g, and all other rows are 0.
    """

    n = 1
    shared = False                  # every image has its own g

    def __init__(self, k: int, g: np.ndarray) -> None:
        self.k, self.g = k, g
        self.width = k * g.shape[1]
        self.dg = np.zeros_like(g)

    def forward(self, z: np.ndarray) -> np.ndarray:
        return (z[:, 0, :, None] * self.g[:, None, :]).reshape(len(z), -1)

    def backward(self, z: np.ndarray, dinputs: np.ndarray) -> np.ndarray:
        return np.einsum("bcj,bj->bc", dinputs.reshape(len(z), self.k, -1), self.g)[:, None, :]

    def accumulate(self, z: np.ndarray, back: Backward, weight: float) -> None:
        """Multiply the gradient with respect to g by `weight`, and add the product to the attribute dg."""
        self.dg += weight * np.einsum("bc,bcj->bj", z[:, 0], back.dx.reshape(len(z), self.k, -1))

    def every(self, first: Linear) -> np.ndarray:
        """Return an array of shape (B k, H): the first layer's output for every pair of an image and a class.

        For each class, only d of the k d inputs are not zero.  So the product for one class needs only d rows of
        weights, and the products for all k classes cost as much as one product with all k d rows.
        """
        y = (self.g @ self._by_class(first.W)).reshape(-1, first.n_out)
        y += first.b
        return y

    def accumulate_every(self, first: Linear, dy: np.ndarray) -> None:
        """Do the backward pass of every() for a dy of shape (B k, H).  Add the gradients to `first` and to dg."""
        db = dy.sum(axis=0)
        dy = dy.reshape(len(self.g), self.k * first.n_out)                  # the first layer, all classes at once
        dW = (self.g.T @ dy).reshape(-1, self.k, first.n_out).transpose(1, 0, 2).reshape(first.W.shape)
        first.add(dW, db)
        self.dg += dy @ self._by_class(first.W).T

    def _by_class(self, W: np.ndarray) -> np.ndarray:
        """Return the weights W as an array of shape (d, k H), with one block of H columns for each class."""
        return W.reshape(self.k, -1, W.shape[1]).transpose(1, 0, 2).reshape(-1, self.k * W.shape[1])


class BesideGaussian:
    """Makes one row of n k + d numbers for each image: z, followed by the Gaussian vector g.

    z has shape (B, n, k).  g and the attribute dg have shape (B, d).  dg accumulates the gradient with respect to g.
    """

    shared = False

    def __init__(self, n: int, k: int, g: np.ndarray) -> None:
        self.n, self.k, self.g = n, k, g
        self.width = n * k + g.shape[1]
        self.dg = np.zeros_like(g)

    def forward(self, z: np.ndarray) -> np.ndarray:
        return np.concatenate([z.reshape(len(z), -1), self.g], axis=1)

    def backward(self, z: np.ndarray, dinputs: np.ndarray) -> np.ndarray:
        return dinputs[:, :self.n * self.k].reshape(z.shape)

    def accumulate(self, z: np.ndarray, back: Backward, weight: float) -> None:
        self.dg += weight * back.dx[:, self.n * self.k:]

    def constant(self, first: Linear) -> np.ndarray:
        """Return an array of shape (B, H): the part of the first layer's output that does not depend on z."""
        return first.b + self.g @ first.W[self.n * self.k:]

    def every(self, first: Linear) -> np.ndarray:
        """Return an array of shape (B K, H): the first layer's output for every pair of an image and a joint value.

        The output is the sum of a part that depends only on z and a part that depends only on g.
        """
        of_z = joint.one_hots(self.n, self.k, self.g.dtype) @ first.W[:self.n * self.k]         # (K, H)
        return (self.constant(first)[:, None] + of_z).reshape(-1, first.n_out)

    def accumulate_every(self, first: Linear, dy: np.ndarray) -> None:
        """Do the backward pass of every(), for dy of shape (B K, H).  Add to the gradients of `first` and to dg."""
        dy = dy.reshape(len(self.g), -1, first.n_out)
        of_g = dy.sum(axis=1)
        hots = joint.one_hots(self.n, self.k, self.g.dtype)
        first.add(np.concatenate([hots.T @ dy.sum(axis=0), self.g.T @ of_g]), of_g.sum(axis=0))
        self.dg += of_g @ first.W[self.n * self.k:].T


Gaussian = ClassRow | BesideGaussian
Inputs = OneHots | Gaussian


def with_gaussian(n: int, k: int, g: np.ndarray) -> Gaussian:
    return ClassRow(k, g) if n == 1 else BesideGaussian(n, k, g)
