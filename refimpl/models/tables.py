"""Compute tables of f for each image and every joint value of z.  The decoder can learn from such a table."""
from __future__ import annotations

import numpy as np

from refimpl import joint
from refimpl.models import last_layer
from refimpl.models.inputs import Gaussian, OneHots
from refimpl.nn.losses import bernoulli_score_table, bernoulli_score_table_backward, sigmoid
from refimpl.nn.network import MLP
from refimpl.nn.parameters import StalePass


class Weighted:
    """The decoder's part of the loss, if the decoder learns from all joint values.

    `weights` has shape (B, K) and holds the weights of the joint values.  The weights of each image sum to 1.
    """

    def __init__(self, table: SharedTable | OwnTable, weights: np.ndarray) -> None:
        self.table, self.weights = table, np.array(weights)             # a copy, as in DecoderPass

    def accumulate(self, weight: float = 1.0) -> None:
        """Compute the gradient of -weight/B sum_bz weights_bz f_bz, and add it to the decoder's stored gradients."""
        self.table.accumulate(self.weights, weight)


class EnumeratedPoint(Weighted):
    """The decoder's part of the loss, if z is one variable and the decoder learns from one value of z per image.

    The chosen value has weight 1, and all others have weight 0.
    """

    def __init__(self, table: SharedTable | OwnTable, z: np.ndarray) -> None:
        super().__init__(table, z[:, 0])
        self.z = self.weights[:, None, :]                               # (B, 1, k)


class SharedTable:
    """A table for a decoder whose output does not depend on x.  K decoder outputs suffice for the whole batch."""

    def __init__(self, decoder: MLP, inputs: OneHots, x: np.ndarray) -> None:
        self._x = x
        self._run = decoder.run(joint.one_hots(inputs.n, inputs.k, x.dtype))            # (K, pixels) logits
        self.f = bernoulli_score_table(x, self._run.y)                                  # (B, K)

    def weighted(self, weights: np.ndarray) -> Weighted:
        return Weighted(self, weights)

    def accumulate(self, weights: np.ndarray, weight: float) -> None:
        weights = (weights * (-weight / len(self._x))).astype(self._x.dtype, copy=False)
        da = bernoulli_score_table_backward(weights, self._x, self._run.y)
        self._run.backward(da).accumulate()


class OwnTable:
    """A table for a decoder whose input depends on z and on a Gaussian vector of the image.

    Each image needs K = k^n decoder outputs of its own.  `inputs` computes the first layer for all outputs together.
    This is faster than computing the outputs one by one.
    """

    def __init__(self, decoder: MLP, inputs: Gaussian, x: np.ndarray, keep: bool = True) -> None:
        """Compute the table.  If `keep` is True, the logits are stored, so that the decoder can learn from them."""
        self._decoder, self._inputs, self._x = decoder, inputs, x
        self._version = decoder.parameters.version
        first, last = decoder.layers[0], decoder.layers[-1]
        self._outputs = [inputs.every(first)]                                           # (B K, H)
        for layer in decoder.layers[1:-1]:
            self._outputs.append(layer.forward(self._outputs[-1]))
        ones = np.ones((len(self._outputs[-1]), 1), x.dtype)                            # see last_layer.scores
        hidden = np.concatenate([self._outputs[-1], ones], axis=1).reshape(len(x), -1, last.n_in + 1)
        self._logits = np.empty((len(ones), last.n_out), x.dtype) if keep else None
        self.f = last_layer.scores(last, hidden, x, keep=self._logits)                  # (B, K)

    def weighted(self, weights: np.ndarray) -> Weighted:
        return Weighted(self, weights)

    def accumulate(self, weights: np.ndarray, weight: float) -> None:
        if self._decoder.parameters.version != self._version:
            raise StalePass("this table is stale: the parameters have been updated since; make it again")
        if self._logits is None:
            raise ValueError("this table was made without keep, so it has no logits from which the decoder could learn")
        x, (batch, K) = self._x, self.f.shape
        dy = sigmoid(self._logits).reshape(batch, K, -1)
        dy -= x[:, None]                                                    # -df/da = sigmoid(a) - x
        dy *= (weights * (weight / batch)).astype(x.dtype)[:, :, None]
        dy = dy.reshape(batch * K, -1)
        layers = self._decoder.layers
        for depth in reversed(range(1, len(layers))):
            before, after = self._outputs[depth - 1], self._outputs[depth] if depth < len(self._outputs) else None
            layers[depth].accumulate(before, dy)
            dy = layers[depth].backward(before, after, dy)
        self._inputs.accumulate_every(layers[0], dy)
