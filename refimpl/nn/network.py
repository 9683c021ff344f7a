"""Layers one after the other, and a forward pass of them as a value that keeps what its backward pass needs.

    run = network.run(x)            forward: run.y is the output
    back = run.backward(dy)         d loss / d output of every layer, from the last to the first
    back.accumulate(weight)         adds weight * (gradient in the parameters) to their gradients
    back.dx                         d loss / dx
"""
from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np

from refimpl.nn.layers import Layer, Linear, ReLU
from refimpl.nn.parameters import Parameters, StalePass, bind


class Pass:
    """One forward pass.  No later pass changes it; once an optimiser has moved the parameters it is stale.

    y: the output (rows, n_out).  x is not copied: changing it in place before the backward pass changes the gradient.
    """

    def __init__(self, network: Network, x: np.ndarray) -> None:
        self._network, self._version = network, network.parameters.version
        self.outputs = [x]                              # of layer 0, 1, ...; the input stands before them
        for layer in network.layers:
            self.outputs.append(layer.forward(self.outputs[-1]))

    @property
    def y(self) -> np.ndarray:
        return self.outputs[-1]

    def backward(self, dy: np.ndarray) -> Backward:
        """The backward pass for d loss / dy = dy (rows, n_out).  Raises StalePass if the parameters have moved."""
        return Backward(self, dy)

    def check(self) -> None:
        """StalePass if the parameters are no longer those of this pass."""
        if self._network.parameters.version != self._version:
            raise StalePass("this pass is stale: the parameters have been updated since; run the network again")


class Backward:
    """d loss / d output of every layer.  The parameters' gradients are added, and dx is made, where asked for."""

    def __init__(self, run: Pass, dy: np.ndarray) -> None:
        run.check()
        self._run, self._layers = run, run._network.layers
        if dy.shape != run.y.shape:
            raise ValueError(f"dy must have the shape of the output, {run.y.shape}, got {dy.shape}")
        self._dys = [dy]                                # of the last layer, the one before, ...; reversed below
        for depth in reversed(range(1, len(self._layers))):
            x, y = run.outputs[depth], run.outputs[depth + 1]
            self._dys.append(self._layers[depth].backward(x, y, self._dys[-1]))
        self._dys.reverse()

    def accumulate(self, weight: float = 1.0) -> None:
        """Add weight * (gradient in the parameters) to their gradients."""
        self._run.check()
        for layer, x, dy in zip(self._layers, self._run.outputs, self._dys):
            layer.accumulate(x, dy, weight)

    @cached_property
    def dx(self) -> np.ndarray:
        """d loss / dx, (rows, n_in); for the first network of a model nobody asks for it, and it is not made."""
        self._run.check()
        return self._layers[0].backward(self._run.outputs[0], self._run.outputs[1], self._dys[0])


class Network:
    """Layers one after the other.

    It has Parameters of its own in float32, all 0, until nn.parameters.bind joins it with others, or gives it another
    dtype.
    """

    parameters: Parameters

    def __init__(self, layers: Sequence[Layer]) -> None:
        self.layers = list(layers)
        self.n_parameters = sum(layer.n_parameters for layer in self.layers)
        bind([self])

    def initialise(self, rng: np.random.Generator) -> None:
        """Draw the initial parameters, layer by layer."""
        for layer in self.layers:
            layer.initialise(rng)

    def run(self, x: np.ndarray) -> Pass:
        """Forward, keeping what the backward pass needs.  x: (rows, n_in)."""
        return Pass(self, x)

    def forward(self, x: np.ndarray) -> np.ndarray:
        """Forward, keeping nothing.  x: (rows, n_in) -> (rows, n_out)."""
        for layer in self.layers:
            x = layer.forward(x)
        return x


class MLP(Network):
    """Linear layers of the given widths with a ReLU between every two: MLP([784, 300, 10]) is 784-300-ReLU-10."""

    def __init__(self, widths: Sequence[int]) -> None:
        if len(widths) < 2:
            raise ValueError(f"MLP: at least an input and an output width are needed, got {list(widths)}")
        layers: list[Layer] = [Linear(widths[0], widths[1])]
        for n_in, n_out in zip(widths[1:], widths[2:]):
            layers += [ReLU(), Linear(n_in, n_out)]
        super().__init__(layers)
