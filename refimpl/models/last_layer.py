"""Compute f for many hidden states per image through the decoder's last layer, for tables of scores.

    a = hidden W + b (784 logits),      f = x . a - sum_d log(1 + e^{a_d})

x . a = hidden . (W x) + b . x does not need the logits.  Only the sum of log(1 + e^a) over the pixels needs them.
"""
from __future__ import annotations

import numpy as np

from refimpl.nn.layers import Linear
from refimpl.nn.losses import softplus_sum

PRODUCT = 2_000     # decoder outputs per product: large products are faster, but need more memory
CACHED = 200        # the 784 logits in float32 of so many outputs fit into a core's cache for softplus_sum


def scores(last: Linear, hidden: np.ndarray, x: np.ndarray, keep: np.ndarray | None = None) -> np.ndarray:
    """Return log p(x given z) in nats, (B, m), for m hidden states of each image x, (B, pixels).

    hidden   (B, m, H + 1).  Its last column is 1, so the product with W over b gives the logits including the bias.
             Adding b separately would cost another pass over 784 numbers per state
    keep     an array (B m, pixels) into which the logits are written, if they are needed later for learning
    """
    f = np.matmul(hidden, (x @ last.W_over_b.T)[:, :, None])[:, :, 0]                          # x . a
    rows, flat = hidden.reshape(-1, last.n_in + 1), f.reshape(-1)
    scratch = np.empty((min(PRODUCT, len(rows)), last.n_out), x.dtype)              # logits, used again for each block
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
