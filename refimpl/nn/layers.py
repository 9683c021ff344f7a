"""Layers with hand-written forward and backward passes, side by side.

Every layer has the same three verbs:

    bind(values, grads)   take its parameters as views of one flat vector, and its gradients as views of another
    forward(x)            rows of x are examples; returns the output and remembers what backward needs
    backward(dy)          dy = d loss / d output of the last forward; writes the parameter gradients, returns dx

backward *overwrites* the parameter gradients (it does not add to them).  The arrays that forward and backward return
are buffers of the layer: they are valid until the layer's next call.  Copy what has to live longer.
"""
from __future__ import annotations

from collections.abc import Sequence

import numpy as np


class Buffers:
    """Scratch arrays that are allocated once and handed out again, cut to the number of rows at hand.

    A training step makes the same dozen arrays over and over.  Asking the operating system for fresh pages each time
    costs more than the arithmetic on them.
    """

    def __init__(self) -> None:
        self._arrays: dict[str, np.ndarray] = {}

    def get(self, name: str, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
        """An uninitialised array of this shape and dtype; the same memory at every call with this name."""
        array = self._arrays.get(name)
        if array is None or array.shape[1:] != shape[1:] or array.dtype != dtype or len(array) < shape[0]:
            array = self._arrays[name] = np.empty(shape, dtype)
        return array[: shape[0]]


class Layer:
    """A layer without parameters; layers with parameters override the first three members."""

    n_parameters = 0

    def bind(self, values: np.ndarray, grads: np.ndarray) -> None:
        """Take n_parameters entries of the flat vectors as this layer's parameters and gradients."""

    def initialise(self, rng: np.random.Generator) -> None:
        """Draw the initial parameters in place."""

    def forward(self, x: np.ndarray, training: bool = True) -> np.ndarray:
        raise TypeError(f"{type(self).__name__} has no forward pass")

    def backward(self, dy: np.ndarray, need_dx: bool = True) -> np.ndarray | None:
        raise TypeError(f"{type(self).__name__} has no backward pass")


class Linear(Layer):
    """y = x W + b, with W of shape (n_in, n_out) and b of shape (n_out,)."""

    def __init__(self, n_in: int, n_out: int) -> None:
        if n_in < 1 or n_out < 1:
            raise ValueError(f"Linear: n_in and n_out must be at least 1, got {n_in} and {n_out}")
        self.n_in, self.n_out = n_in, n_out
        self.n_parameters = n_in * n_out + n_out
        self._buffers = Buffers()

    def bind(self, values: np.ndarray, grads: np.ndarray) -> None:
        n_weights = self.n_in * self.n_out
        self.W = values[:n_weights].reshape(self.n_in, self.n_out)
        self.b = values[n_weights:]
        self.dW = grads[:n_weights].reshape(self.n_in, self.n_out)
        self.db = grads[n_weights:]

    def initialise(self, rng: np.random.Generator) -> None:
        """Uniform on +-1/sqrt(n_in), weights and bias alike: the default of the library the released code used."""
        bound = 1.0 / np.sqrt(self.n_in)
        self.W[...] = rng.uniform(-bound, bound, self.W.shape)
        self.b[...] = rng.uniform(-bound, bound, self.b.shape)

    def forward(self, x: np.ndarray, training: bool = True) -> np.ndarray:
        if x.ndim != 2 or x.shape[1] != self.n_in:
            raise ValueError(f"Linear: x must have shape (rows, {self.n_in}), got {x.shape}")
        self.x = x
        y = self._buffers.get("y", (len(x), self.n_out), self.W.dtype)
        np.matmul(x, self.W, out=y)                     # y = x W
        y += self.b                                     #       + b
        return y

    def backward(self, dy: np.ndarray, need_dx: bool = True) -> np.ndarray | None:
        np.matmul(self.x.T, dy, out=self.dW)            # y_bj = sum_i x_bi W_ij  =>  dW_ij = sum_b x_bi dy_bj
        np.sum(dy, axis=0, out=self.db)                 # every row has the same b
        if not need_dx:                                 # the first layer: nobody asks for the gradient of the data
            return None
        dx = self._buffers.get("dx", (len(dy), self.n_in), self.W.dtype)
        return np.matmul(dy, self.W.T, out=dx)          # dx_bi = sum_j dy_bj W_ij


class ReLU(Layer):
    """y = max(x, 0).  At x = 0, where there are two one-sided derivatives, backward takes 0."""

    def __init__(self) -> None:
        self._buffers = Buffers()

    def forward(self, x: np.ndarray, training: bool = True) -> np.ndarray:
        self.y = np.maximum(x, 0, out=self._buffers.get("y", x.shape, x.dtype))
        return self.y

    def backward(self, dy: np.ndarray, need_dx: bool = True) -> np.ndarray:
        dx = self._buffers.get("dx", dy.shape, dy.dtype)
        return np.multiply(dy, self.y > 0, out=dx)      # dy/dx = 1 where the unit is on, 0 where it is off


class LeakyReLU(Layer):
    """y = x for x > 0, slope * x otherwise; 0 <= slope < 1."""

    def __init__(self, slope: float = 0.01) -> None:
        if not 0 <= slope < 1:
            raise ValueError(f"LeakyReLU: slope must lie in [0, 1), got {slope}")
        self.slope = slope
        self._buffers = Buffers()

    def forward(self, x: np.ndarray, training: bool = True) -> np.ndarray:
        self.x = x
        y = self._buffers.get("y", x.shape, x.dtype)
        np.multiply(x, self.slope, out=y)
        return np.maximum(x, y, out=y)                  # slope < 1, so the larger of the two is the right branch

    def backward(self, dy: np.ndarray, need_dx: bool = True) -> np.ndarray:
        dx = self._buffers.get("dx", dy.shape, dy.dtype)
        np.multiply(dy, self.slope, out=dx)
        np.copyto(dx, dy, where=self.x > 0)
        return dx


class Dropout(Layer):
    """Sets each entry to 0 with the given probability and scales the others up, so that the mean is kept.

    Outside training it does nothing.  The generator is handed over at construction: it is the caller's, and its state
    is part of what the caller has to save.
    """

    def __init__(self, probability: float, rng: np.random.Generator) -> None:
        if not 0 <= probability < 1:
            raise ValueError(f"Dropout: probability must lie in [0, 1), got {probability}")
        self.probability, self.rng = probability, rng
        self._buffers = Buffers()

    def forward(self, x: np.ndarray, training: bool = True) -> np.ndarray:
        self.mask = None
        if not training or self.probability == 0:
            return x
        self.mask = self._buffers.get("mask", x.shape, x.dtype)
        kept = self.rng.random(x.shape, dtype=np.float32) >= self.probability
        np.multiply(kept, 1.0 / (1.0 - self.probability), out=self.mask, casting="unsafe")
        return np.multiply(x, self.mask, out=self._buffers.get("y", x.shape, x.dtype))

    def backward(self, dy: np.ndarray, need_dx: bool = True) -> np.ndarray:
        if self.mask is None:
            return dy
        return np.multiply(dy, self.mask, out=self._buffers.get("dx", dy.shape, dy.dtype))


class Sequential(Layer):
    """Layers one after the other: forward in order, backward in reverse."""

    def __init__(self, layers: Sequence[Layer]) -> None:
        self.layers = list(layers)
        self.n_parameters = sum(layer.n_parameters for layer in self.layers)

    def bind(self, values: np.ndarray, grads: np.ndarray) -> None:
        start = 0
        for layer in self.layers:
            stop = start + layer.n_parameters
            layer.bind(values[start:stop], grads[start:stop])
            start = stop

    def initialise(self, rng: np.random.Generator) -> None:
        for layer in self.layers:
            layer.initialise(rng)

    def forward(self, x: np.ndarray, training: bool = True) -> np.ndarray:
        for layer in self.layers:
            x = layer.forward(x, training)
        return x

    def backward(self, dy: np.ndarray, need_dx: bool = True) -> np.ndarray | None:
        for depth in reversed(range(len(self.layers))):
            dy = self.layers[depth].backward(dy, need_dx or depth > 0)
        return dy


class MLP(Sequential):
    """Linear layers of the given widths with a ReLU between every two: MLP([784, 300, 10]) is 784-300-ReLU-10."""

    def __init__(self, widths: Sequence[int]) -> None:
        if len(widths) < 2:
            raise ValueError(f"MLP: at least an input and an output width are needed, got {list(widths)}")
        layers: list[Layer] = [Linear(widths[0], widths[1])]
        for n_in, n_out in zip(widths[1:], widths[2:]):
            layers += [ReLU(), Linear(n_in, n_out)]
        super().__init__(layers)


def bind_all(layers: Sequence[Layer], dtype: np.dtype = np.float32) -> tuple[np.ndarray, np.ndarray]:
    """Give all these layers their parameters in ONE flat vector, and their gradients in another.

    An optimiser then is a few passes over one array, saving a model is saving one array, and a difference check moves
    along one vector.  Returns (values, grads), both of shape (total number of parameters,).
    """
    together = Sequential(layers)
    values = np.zeros(together.n_parameters, dtype)
    grads = np.zeros(together.n_parameters, dtype)
    together.bind(values, grads)
    return values, grads
