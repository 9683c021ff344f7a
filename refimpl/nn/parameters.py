"""Store all parameters of a model in one flat vector, and their gradients in another."""
from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from refimpl.nn.layers import Layer


class StalePass(RuntimeError):
    """Raised if gradients are requested from a forward pass that is older than the latest update of the parameters."""


class Parameters:
    """Holds all parameters in a flat vector `values`, and their gradients in a flat vector `grads`.

    With this layout an optimiser updates one array, a model is saved as one array, and gradcheck() changes one array.
    The gradients accumulate: a training step calls zero_grads() once, every term of the loss adds its gradient, and
    then Adam reads the sum.

    `version` counts how often an optimiser has updated `values`.  A forward pass with an older version is stale.
    """

    def __init__(self, values: np.ndarray, grads: np.ndarray, layers: Sequence[Layer] = ()) -> None:
        if values.ndim != 1 or values.shape != grads.shape or values.dtype != grads.dtype:
            raise ValueError("Parameters: values and grads must be vectors with the same length and dtype, got "
                             f"{values.shape} {values.dtype} and {grads.shape} {grads.dtype}")
        self.values, self.grads, self.layers = values, grads, list(layers)
        self.version = 0

    def zero_grads(self) -> None:
        """Set all gradients to 0.  The gradients of the layers are views of `grads`, so they become 0, too."""
        self.grads.fill(0)


def bind(layers: Sequence[Layer], dtype: np.dtype = np.float32) -> Parameters:
    """Join the parameters of all given layers or networks in one Parameters object, and return it.

    The parameters of the layers become views of the vectors of this object.  All values are 0 at first.
    """
    flat = [layer for given in layers for layer in getattr(given, "layers", [given]) if layer.n_parameters]
    size = sum(layer.n_parameters for layer in flat)
    parameters = Parameters(np.zeros(size, dtype), np.zeros(size, dtype), flat)
    start = 0
    for layer in flat:
        stop = start + layer.n_parameters
        layer.bind(parameters.values[start:stop], parameters.grads[start:stop])
        start = stop
    for given in layers:
        given.parameters = parameters
    return parameters
