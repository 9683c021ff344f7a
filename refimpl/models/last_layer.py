"""Compute f from many hidden states per image, with the last layer of the decoder.

    a = hidden W + b (784 logits),      f = x . a - sum_d log(1 + e^{a_d})

The first term, x . a = hidden . (W x) + b . x, can be computed without the logits.  Only the second term needs them.
"""
from __future__ import annotations

import numpy as np

from refimpl.nn.layers import Linear
from refimpl.nn.losses import softplus_sum

PRODUCT = 2_000     # decoder outputs per matrix product: a larger product is faster, but needs more memory
CACHED = 200        # softplus_sum takes this many outputs at a time: their 784 float32 logits fit into a core's cache


def scores(last: Linear, hidden: np.ndarray, x: np.ndarray, keep: np.ndarray | None = None) -> np.ndarray:
    """Return an array of shape (B, m): log p(x given z), in nats, for m hidden states of each image.

    hidden   the hidden states, of shape (B, m, H + 1).  Each ends with a 1, so its product with W_over_b contains the
             bias.  Adding the bias separately would be slower
    x        the images, of shape (B, pixels)
    keep     an array of shape (B m, pixels) into which the logits are written, or None if they are not needed later
    """
    f = np.matmul(hidden, (x @ last.W_over_b.T)[:, :, None])[:, :, 0]                          # x . a
    rows, flat = hidden.reshape(-1, last.n_in + 1), f.reshape(-1)
    scratch = np.empty((min(PRODUCT, len(rows)), last.n_out), x.dtype)              # for the logits of each block
    for start in range(0, len(rows), PRODUCT):
        block = rows[start:start + PRODUCT]
        a = scratch[:len(block)]
        np.matmul(block, last.W_over_b, out=a)
        if keep is not None:
            keep[start:start + PRODUCT] = a
        for inner in range(0, len(block), CACHED):
            few = a[inner:inner + CACHED]
            flat[start + inner:][:len(few)] -= softplus_sum(few, scratch=few)
    return f
