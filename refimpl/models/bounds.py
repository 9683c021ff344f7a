"""What a trained model is really worth: exact likelihood and exact bound, from one pass over all joint values of z.

    log p(x) = logsumexp_z f(x, z) - log K        uniform prior on K joint values
    ELBO     = E_q f(x, z) - sum_i KL(q_i || uniform)

The decoder does not depend on x, so its K outputs are computed once; each block of images then takes one matrix
product.  K = 2^15 and 10,000 images are 3.3e8 scores: they are made, summed and forgotten block by block.
"""
from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from refimpl import arguments, joint
from refimpl.nn.losses import categorical_kl, log_softmax, softplus_sum

SCORES = 8_000_000          # of a block: 32 MB in float32
DOUBLE_UP_TO = 1_024        # joint values for which scores are summed in float64; above, in float32, to about 1e-3 nats


class Bounds(NamedTuple):
    """Exact averages over a set of images, in nats: elbo <= log_likelihood, gap is the difference."""

    elbo: float
    log_likelihood: float
    gap: float


def bounds(logits: np.ndarray, images, encode: Callable[[np.ndarray], np.ndarray] | None = None) -> Bounds:
    """Averages over the images of a data.Part.

    logits   (K, pixels), the decoder's output for every joint value in the order of joint.values
    encode   x -> h (B, n, k), the scores of a factorised q; None where q has no closed form: elbo and gap are then NaN

    Raises arguments.NotFinite if scores are not finite.
    """
    total, hots = np.zeros(2), None
    dtype = np.float64 if len(logits) <= DOUBLE_UP_TO else np.float32
    a = logits.astype(dtype)
    normaliser = softplus_sum(a)
    block = max(1, min(2_000, SCORES // len(a)))
    for x in images.blocks(block, logits.dtype):
        f = x.astype(dtype, copy=False) @ a.T
        f -= normaliser                                                     # (block, K)
        top = f.max(axis=1, keepdims=True)
        f -= top
        evidence = np.log(np.exp(f).sum(axis=1, dtype=np.float64)) - np.log(len(a))
        total[1] += (top[:, 0] + evidence).sum(dtype=np.float64)
        if encode is None:
            continue
        h = encode(x).astype(np.float64)
        n, k = h.shape[1:]
        if hots is None:
            hots = joint.one_hots(n, k, dtype)
        q = log_softmax(h).reshape(len(x), n * k).astype(dtype) @ hots.T
        np.exp(q, out=q)
        # f is measured from its top, so that the mean keeps its digits in float32; q sums to 1 but for rounding
        expected = top[:, 0] + np.einsum("bz,bz->b", q, f) / q.sum(axis=1)
        total[0] += expected.sum(dtype=np.float64) - categorical_kl(h)[0].sum()
    arguments.finite("f", total)
    log_likelihood = float(total[1] / len(images))
    if encode is None:
        return Bounds(np.nan, log_likelihood, np.nan)
    elbo = float(total[0] / len(images))
    return Bounds(elbo, log_likelihood, log_likelihood - elbo)
