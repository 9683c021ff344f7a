"""Compute f at all neighbours of a joint value z in one decoder pass.

A neighbour differs from z in one coordinate, so z has n (k - 1) neighbours.  Replacing z_i changes the first layer's
output by the difference of two rows of weights, so the first layer needs no matrix product.  The last layer computes f
without storing the logits (last_layer.scores).
"""
from __future__ import annotations

import numpy as np

from refimpl.models import last_layer
from refimpl.models.inputs import BesideGaussian, OneHots
from refimpl.nn.network import MLP


def neighbour_scores(decoder: MLP, inputs: OneHots | BesideGaussian, x: np.ndarray,
                     chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each z_i, return its k-1 other values, and the value of f when z_i is changed to each of them.

    `chosen` has shape (B, n) and holds z as integers.  Both results have shape (B, n, k-1).  f is log p(x given z), in
    nats.
    """
    (batch, n), k = chosen.shape, inputs.k
    first, _, *middle, last = decoder.layers
    rows = first.W[:n * k].reshape(n, k, -1)                               # a row for each value of each variable
    other = (chosen[:, :, None] + np.arange(1, k)) % k                                  # (B, n, k-1)

    # Compute the first layer's output at z itself, and all n k (k-1) changes to it, which are differences of rows.
    base = inputs.constant(first) + rows[np.arange(n), chosen].sum(axis=1)                             # (B, H)
    base = np.concatenate([base, np.ones((batch, 1), base.dtype)], axis=1)              # the 1: see last_layer.scores
    replacement = (np.arange(k)[:, None] + np.arange(1, k)) % k                               # (k, k-1), as in `other`
    differences = np.zeros((n * k, k - 1, first.n_out + 1), base.dtype)                 # (n k, k-1, H + 1)
    differences[:, :, :-1] = (rows[:, replacement] - rows[:, :, None]).reshape(n * k, k - 1, -1)
    hidden = differences[np.arange(n) * k + chosen]                                     # (B, n, k-1, H + 1)
    hidden += base[:, None, None]
    np.maximum(hidden, 0, out=hidden)
    hidden = hidden.reshape(batch, n * (k - 1), -1)
    if middle:                                                                          # further hidden layers
        y = hidden[:, :, :-1].reshape(-1, first.n_out)
        for layer in middle:
            y = layer.forward(y)
        y = np.concatenate([y, np.ones((len(y), 1), y.dtype)], axis=1)
        hidden = y.reshape(batch, n * (k - 1), -1)
    return other, last_layer.scores(last, hidden, x).reshape(batch, n, k - 1)
