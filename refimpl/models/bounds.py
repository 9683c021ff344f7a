"""Compute the exact likelihood and the exact ELBO of a model by a sum over all joint values of z.

    log p(x) = logsumexp_z f(x, z) - log K        the prior is uniform on K joint values
    ELBO     = E_q f(x, z) - sum_i KL(q_i || uniform)

The output of the decoder does not depend on x, so the decoder is evaluated once for each z.  The scores f(x, z) of all
images may need too much memory: if K = 2^15, there are 3.3e8 scores for 10,000 images.  Therefore, the images are taken
in blocks.  One matrix product computes the scores of a block.
"""
from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from refimpl import arguments, joint
from refimpl.nn.losses import categorical_kl, log_softmax, softplus_sum

SCORES = 8_000_000          # the largest number of scores in a block, which takes 32 MB in float32
DOUBLE_UP_TO = 1_024        # with more joint values, float32 is used, which causes errors of about 1e-3 nats


class Bounds(NamedTuple):
    """The exact ELBO, log-likelihood and gap (log_likelihood - elbo), in nats.  All three are means over the images."""

    elbo: float
    log_likelihood: float
    gap: float


def bounds(logits: np.ndarray, images, encode: Callable[[np.ndarray], np.ndarray] | None = None) -> Bounds:
    """Return the exact ELBO, log-likelihood and gap, averaged over the images.

    logits   an array of shape (K, pixels): the decoder's output for every joint value, in the order of joint.values
    images   a data.Part
    encode   a function that maps images x to an array of shape (B, n, k): the scores h of a factorised q.  If q has
             no closed form, `encode` must be None, and the ELBO and the gap are NaN

    Raises arguments.NotFinite if a score is not finite.
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
        # The maximum has been subtracted from f, so the mean keeps its digits in float32.  q.sum() is 1 up to rounding.
        expected = top[:, 0] + np.einsum("bz,bz->b", q, f) / q.sum(axis=1)
        total[0] += expected.sum(dtype=np.float64) - categorical_kl(h)[0].sum()
    arguments.finite("f", total)
    log_likelihood = float(total[1] / len(images))
    if encode is None:
        return Bounds(np.nan, log_likelihood, np.nan)
    elbo = float(total[0] / len(images))
    return Bounds(elbo, log_likelihood, log_likelihood - elbo)
