"""Networks of layers.  A forward pass is an object that stores what the backward pass needs.

    run = network.run(x)            run the forward pass; run.y is the output
    back = run.backward(dy)         compute d loss / d output of every layer, from the last to the first
    back.accumulate(weight)         add weight * d loss / d parameters to the stored gradients of the parameters
    back.dx                         d loss / dx
"""
from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np

from refimpl.nn.layers import Layer, Linear, ReLU
from refimpl.nn.parameters import Parameters, StalePass, bind


class Pass:
    """A forward pass of a network.  The output y has shape (rows, n_out).

    The pass becomes stale when an optimiser updates the parameters.  The input x is not copied, so it must not be
    changed in place before the backward pass.
    """

    def __init__(self, network: Network, x: np.ndarray) -> None:
        self._network, self._version = network, network.parameters.version
        self.outputs = [x]                              # the input, followed by the outputs of layers 0, 1, ...
        for layer in network.layers:
            self.outputs.append(layer.forward(self.outputs[-1]))

    @property
    def y(self) -> np.ndarray:
        return self.outputs[-1]

    def backward(self, dy: np.ndarray) -> Backward:
        """Return the backward pass for the given dy = d loss / dy.  Raise StalePass if this pass is stale."""
        return Backward(self, dy)

    def check(self) -> None:
        """Raise StalePass if the parameters have been updated since this pass was computed."""
        if self._network.parameters.version != self._version:
            raise StalePass("this pass is stale: the parameters have been updated since; run the network again")


class Backward:
    """A backward pass: for the output y of every layer of a network, it computes d loss / dy.

    accumulate() computes the gradients of the parameters.  The gradient dx is computed when it is first used.
    """

    def __init__(self, run: Pass, dy: np.ndarray) -> None:
        run.check()
        self._run, self._layers = run, run._network.layers
        if dy.shape != run.y.shape:
            raise ValueError(f"dy must have the shape of the output, {run.y.shape}, got {dy.shape}")
        self._dys = [dy]                                # for the last layer, the one before it, ...; reversed below
        for depth in reversed(range(1, len(self._layers))):
            x, y = run.outputs[depth], run.outputs[depth + 1]
            self._dys.append(self._layers[depth].backward(x, y, self._dys[-1]))
        self._dys.reverse()

    def accumulate(self, weight: float = 1.0) -> None:
        """Add `weight` times d loss / d parameters to the stored gradients of the parameters."""
        self._run.check()
        for layer, x, dy in zip(self._layers, self._run.outputs, self._dys):
            layer.accumulate(x, dy, weight)

    @cached_property
    def dx(self) -> np.ndarray:
        """Return an array of shape (rows, n_in): d loss / dx."""
        self._run.check()
        return self._layers[0].backward(self._run.outputs[0], self._run.outputs[1], self._dys[0])


class Network:
    """A sequence of layers.

    The parameters are float32 zeros at first.  nn.parameters.bind can join the parameters of several networks, or
    change the dtype.
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
        """Run the forward pass for an x of shape (rows, n_in), and store what the backward pass needs."""
        return Pass(self, x)

    def forward(self, x: np.ndarray) -> np.ndarray:
        """Return an array of shape (rows, n_out): the output for x.  Store nothing for a backward pass."""
        for layer in self.layers:
            x = layer.forward(x)
        return x


class MLP(Network):
    """A network of linear layers of the given widths, with a ReLU between consecutive layers.

    For example, MLP([784, 300, 10]) has 784 inputs, a hidden layer of 300 ReLUs, and 10 outputs.
    """

    def __init__(self, widths: Sequence[int]) -> None:
        if len(widths) < 2:
            raise ValueError(f"MLP: at least an input and an output width are needed, got {list(widths)}")
        layers: list[Layer] = [Linear(widths[0], widths[1])]
        for n_in, n_out in zip(widths[1:], widths[2:]):
            layers += [ReLU(), Linear(n_in, n_out)]
        super().__init__(layers)
