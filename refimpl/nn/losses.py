"""Compute the terms of the losses and their derivatives: the score of binary pixels, and the KL terms.

All terms are in nats, and are not divided by the batch size.
"""
from __future__ import annotations

import numpy as np
from scipy import special

SAFE = 22.0         # e^(4 * 22) = e^88 does not overflow in float32


def softplus_and_sigmoid(a: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return log(1 + e^a) and its derivative 1 / (1 + e^-a).  Both are computed from e^-|a|, which cannot overflow."""
    e = np.exp(-np.abs(a))
    # log1p is accurate even for a tiny e, but slow.  In float32, the scores have larger rounding errors anyway.
    log_one_plus_e = np.log1p(e) if a.dtype == np.float64 else np.log(1 + e)
    softplus = np.maximum(a, 0) + log_one_plus_e        # log(1 + e^a) = a + log(1 + e^-a)          for a > 0
    sigmoid = np.where(a >= 0, 1, e) / (1 + e)          # e^a / (1 + e^a)                           for a < 0
    return softplus, sigmoid


def softplus_sum(a: np.ndarray, scratch: np.ndarray | None = None) -> np.ndarray:
    """Return an array of shape (rows,): the sum of log(1 + e^a) over each row of `a`.

    `a` has shape (rows, width).  `scratch` has the shape and dtype of `a`, and the function overwrites `scratch`.  The
    caller can pass `a` itself as `scratch` if `a` is not needed any more.

    A logarithm is several times slower than a product.  So the function multiplies the factors 1 + e^a in groups of
    four, and takes the logarithm of each product.  If an entry of `a` is above SAFE, a product could overflow.  Then
    log(1 + e^a) is computed as (a + |a|) / 2 + log(1 + e^-|a|), and the factors 1 + e^-|a| are multiplied instead.
    """
    rows, width = a.shape
    outside, factors = 0.0, np.empty_like(a) if scratch is None else scratch
    if a.max(initial=0) > SAFE:
        outside = a.sum(axis=1) / 2
        a = np.abs(a, out=factors)
        outside += a.sum(axis=1) / 2
        np.negative(a, out=a)
    np.exp(a, out=factors)
    factors += 1
    whole = width // 4 * 4
    products = np.multiply.reduce(factors[:, :whole].reshape(rows, 4, -1), axis=1)
    return outside + np.log(products).sum(axis=1) + np.log(factors[:, whole:]).sum(axis=1)


def sigmoid(a: np.ndarray) -> np.ndarray:
    """Return 1 / (1 + e^-a), computed as (1 + tanh(a / 2)) / 2.

    This formula is fast and cannot overflow.  Its absolute error is about the machine epsilon.
    """
    half = a.dtype.type(0.5)
    s = a * half
    np.tanh(s, out=s)
    s *= half
    s += half
    return s


def bernoulli_score(x: np.ndarray, a: np.ndarray) -> np.ndarray:
    """Return an array of shape (B,): log p(x given logits a) for each image, in nats.

    x and a have shape (B, D).  The pixels x lie in [0, 1].
    """
    return np.einsum("bd,bd->b", x, a) - softplus_sum(a)     # f = sum_d x_d a_d - log(1 + e^{a_d})


def bernoulli_score_backward(x: np.ndarray, a: np.ndarray) -> np.ndarray:
    """Return df/da = x - sigmoid(a), of shape (B, D), where f = bernoulli_score(x, a)."""
    s = sigmoid(a)
    return np.subtract(x, s, out=s)


def bernoulli_score_table(x: np.ndarray, a: np.ndarray) -> np.ndarray:
    """Return an array of shape (B, K): log p(x_b given logits a_z) for every b and every z, in nats.

    x has shape (B, D), and a has shape (K, D).  One matrix product gives the scores of all images, because the logits
    do not depend on the image.
    """
    f = x @ a.T
    f -= softplus_sum(a)                                     # f_bz = x_b . a_z - sum_d log(1 + e^{a_zd})
    return f


def bernoulli_score_table_backward(weights: np.ndarray, x: np.ndarray, a: np.ndarray) -> np.ndarray:
    """Return the gradient of sum(weights * bernoulli_score_table(x, a)) with respect to a, of shape (K, D)."""
    da = weights.T @ x                                              # sum_b weights_bz x_b
    da -= weights.sum(axis=0)[:, None] * sigmoid(a)                 #     - (sum_b weights_bz) sigmoid(a_z)
    return da


def log_softmax(h: np.ndarray) -> np.ndarray:
    """Return log softmax(h) over the last axis, in the dtype of h."""
    return special.log_softmax(h, axis=-1)


def categorical_kl(h: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return KL(softmax(h) || uniform), of shape (...), and its gradient with respect to h.

    h and the gradient have shape (..., k).  With q = softmax(h), the KL divergence is sum q log q + log k, and the
    gradient is q (log q - sum q log q).  If an entry of q underflows to 0, its term q log q is 0.
    """
    log_q = log_softmax(h)
    q = np.exp(log_q)
    negative_entropy = (q * log_q).sum(axis=-1)
    kl = negative_entropy + np.log(h.shape[-1])
    return kl, q * (log_q - negative_entropy[..., None])


def gaussian_kl(mu: np.ndarray, log_var: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return KL(N(mu, s^2) || N(0, 1)), of shape (...), and its gradients with respect to mu and log_var.

    mu, log_var and both gradients have shape (..., d).  With s^2 = exp(log_var), the KL divergence is
    sum (mu^2 + s^2 - log s^2 - 1) / 2, and the gradients are mu and (s^2 - 1) / 2.
    """
    variance = np.exp(log_var)
    kl = 0.5 * (mu * mu + variance - log_var - 1).sum(axis=-1)
    return kl, mu, 0.5 * (variance - 1)
