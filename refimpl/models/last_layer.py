"""f of many hidden states an image, through the decoder's last layer: for tables of scores.

    a = hidden W + b (784 logits),      f = x . a - sum_d log(1 + e^{a_d})

x . a = hidden . (W x) + b . x needs no logits.  Only log(1 + e^a), summed over the pixels, needs them.
"""
from __future__ import annotations

import numpy as np

from refimpl.nn.layers import Linear
from refimpl.nn.losses import softplus_sum

PRODUCT = 2_000     # decoder outputs a product: large ones are the fastest, but not all outputs need fit into memory
CACHED = 200        # outputs whose 784 logits, in float32, a core's own cache holds while softplus_sum goes over them


def scores(last: Linear, hidden: np.ndarray, x: np.ndarray, keep: np.ndarray | None = None) -> np.ndarray:
    """log p(x given z), nats: hidden (B, m, H + 1), m states of each image x (B, pixels) -> (B, m).

    hidden   its last column is 1, so that the product with W over b is the logits, bias and all: adding b would cost
             another pass over 784 numbers a state
    keep     where the logits (B m, pixels) are to be left, for whoever goes on to learn from them
    """
    f = np.matmul(hidden, (x @ last.W_over_b.T)[:, :, None])[:, :, 0]                          # x . a
    rows, flat = hidden.reshape(-1, last.n_in + 1), f.reshape(-1)
    scratch = np.empty((min(PRODUCT, len(rows)), last.n_out), x.dtype)              # logits, again and again
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
