"""Layers, each with a handwritten forward pass and backward pass.

A layer consists of its parameters and three functions:

    forward(x) -> y               return the output y.  Each row of x is an example
    backward(x, y, dy) -> dx      return d loss / dx from dy = d loss / dy, for the x and y of a forward pass
    accumulate(x, dy, weight)     add weight * d loss / d parameters to the stored gradients of the parameters

A layer does not store x and y for the backward pass.  The class Pass in network.py stores them.
"""
from __future__ import annotations

import numpy as np


class Layer:
    """The base class of layers.  Layers with parameters override bind, initialise and accumulate."""

    n_parameters = 0

    def bind(self, values: np.ndarray, grads: np.ndarray) -> None:
        """Use the flat vectors `values` and `grads` to store the parameters and their gradients."""

    def initialise(self, rng: np.random.Generator) -> None:
        """Draw the initial parameters in place."""

    def forward(self, x: np.ndarray) -> np.ndarray:
        raise TypeError(f"{type(self).__name__} has no forward pass")

    def backward(self, x: np.ndarray, y: np.ndarray, dy: np.ndarray) -> np.ndarray:
        raise TypeError(f"{type(self).__name__} has no backward pass")

    def accumulate(self, x: np.ndarray, dy: np.ndarray, weight: float = 1.0) -> None:
        """Do nothing, because there are no parameters."""


class Linear(Layer):
    """The layer y = x W + b, with W of shape (n_in, n_out) and b of shape (n_out,)."""

    def __init__(self, n_in: int, n_out: int) -> None:
        if n_in < 1 or n_out < 1:
            raise ValueError(f"Linear: n_in and n_out must be at least 1, got {n_in} and {n_out}")
        self.n_in, self.n_out = n_in, n_out
        self.n_parameters = n_in * n_out + n_out
        self.bind(*np.zeros((2, self.n_parameters), np.float32))        # until a network calls bind with its vectors

    def bind(self, values: np.ndarray, grads: np.ndarray) -> None:
        n_weights = self.n_in * self.n_out
        self.W = values[:n_weights].reshape(self.n_in, self.n_out)
        self.b = values[n_weights:]
        self.W_over_b = values.reshape(self.n_in + 1, self.n_out)       # [x, 1] @ W_over_b = x W + b, in one product
        self.dW = grads[:n_weights].reshape(self.n_in, self.n_out)
        self.db = grads[n_weights:]

    def initialise(self, rng: np.random.Generator) -> None:
        """Draw W and b uniformly between -1/sqrt(n_in) and 1/sqrt(n_in), as in the released code."""
        bound = 1.0 / np.sqrt(self.n_in)
        self.W[...] = rng.uniform(-bound, bound, self.W.shape)
        self.b[...] = rng.uniform(-bound, bound, self.b.shape)

    def forward(self, x: np.ndarray) -> np.ndarray:
        if x.ndim != 2 or x.shape[1] != self.n_in:
            raise ValueError(f"Linear: x must have shape (rows, {self.n_in}), got {x.shape}")
        y = x @ self.W                                  # y = x W
        y += self.b                                     #       + b
        return y

    def backward(self, x: np.ndarray, y: np.ndarray, dy: np.ndarray) -> np.ndarray:
        return dy @ self.W.T                            # dx_bi = sum_j dy_bj W_ij

    def accumulate(self, x: np.ndarray, dy: np.ndarray, weight: float = 1.0) -> None:
        """Add `weight` times dW_ij = sum_b x_bi dy_bj and db_j = sum_b dy_bj to the stored gradients."""
        if weight != 1:
            x = x * x.dtype.type(weight)                # so the product x^T dy contains the factor `weight`
        self.add(x.T @ dy, dy.sum(axis=0) * dy.dtype.type(weight))

    def add(self, dW: np.ndarray, db: np.ndarray) -> None:
        self.dW += dW
        self.db += db


class ReLU(Layer):
    """The layer y = max(x, 0), whose derivative at the kink x = 0 is taken as 0."""

    def forward(self, x: np.ndarray) -> np.ndarray:
        return np.maximum(x, 0)

    def backward(self, x: np.ndarray, y: np.ndarray, dy: np.ndarray) -> np.ndarray:
        return dy * (y > 0)                             # dy/dx = 1 where the unit is on, 0 where it is off
