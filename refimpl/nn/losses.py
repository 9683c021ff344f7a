"""Scores and penalties with their derivatives: Bernoulli pixels with logits, and the KL terms.

All are in nats.  Nothing here divides by the batch size: what is averaged is the model's business.
"""
from __future__ import annotations

import numpy as np
from scipy import special

SAFE = 22.0         # e^(4 * 22) = e^88 is still a float32


def softplus_and_sigmoid(a: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """log(1 + e^a) and its derivative 1 / (1 + e^-a), sharing the one exponential e^-|a|, which cannot overflow."""
    e = np.exp(-np.abs(a))
    # log1p keeps the digits of a tiny e but is not vectorised; a float32 score of hundreds of nats has none to keep.
    log_one_plus_e = np.log1p(e) if a.dtype == np.float64 else np.log(1 + e)
    softplus = np.maximum(a, 0) + log_one_plus_e        # log(1 + e^a) = a + log(1 + e^-a)          for a > 0
    sigmoid = np.where(a >= 0, 1, e) / (1 + e)          # e^a / (1 + e^a)                           for a < 0
    return softplus, sigmoid


def softplus_sum(a: np.ndarray, scratch: np.ndarray | None = None) -> np.ndarray:
    """sum over the last axis of log(1 + e^a).  a: (rows, width).

    scratch: an array like a to work in; a itself, where it is not needed any more.

    A logarithm costs several times a product: one is taken of four factors 1 + e^a, where no a is above SAFE.
    Otherwise log(1 + e^a) = a/2 + |a|/2 + log(1 + e^-|a|), whose factors lie between 1 and 2.
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
    """1 / (1 + e^-a) = (1 + tanh(a / 2)) / 2, to rounding of 1: one vectorised function, and nothing that overflows."""
    half = a.dtype.type(0.5)
    s = a * half
    np.tanh(s, out=s)
    s *= half
    s += half
    return s


def bernoulli_score(x: np.ndarray, a: np.ndarray) -> np.ndarray:
    """log p(x given logits a) of binary pixels, an example a row: f (B,) in nats.  x, a: (B, D), x in [0, 1]."""
    return np.einsum("bd,bd->b", x, a) - softplus_sum(a)     # f = sum_d x_d a_d - log(1 + e^{a_d})


def bernoulli_score_backward(x: np.ndarray, a: np.ndarray) -> np.ndarray:
    """df/da (B, D) = x - sigmoid(a)."""
    s = sigmoid(a)
    return np.subtract(x, s, out=s)


def bernoulli_score_table(x: np.ndarray, a: np.ndarray) -> np.ndarray:
    """log p(x_b given logits a_z) of every image b under every latent value z: f (B, K) in nats.  x: (B, D), a: (K, D).

    The decoder does not depend on x: its K rows are computed once, and one matrix product compares them with the batch.
    """
    f = x @ a.T
    f -= softplus_sum(a)                                     # f_bz = x_b . a_z - sum_d log(1 + e^{a_zd})
    return f


def bernoulli_score_table_backward(weights: np.ndarray, x: np.ndarray, a: np.ndarray) -> np.ndarray:
    """Gradient in a (K, D) of sum_bz weights_bz f_bz, with weights (B, K) and the rest as in bernoulli_score_table."""
    da = weights.T @ x                                              # sum_b weights_bz x_b
    da -= weights.sum(axis=0)[:, None] * sigmoid(a)                 #     - (sum_b weights_bz) sigmoid(a_z)
    return da


def log_softmax(h: np.ndarray) -> np.ndarray:
    """log softmax over the last axis, in the dtype of h."""
    return special.log_softmax(h, axis=-1)


def categorical_kl(h: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """KL(softmax(h) || uniform) over the last axis, and its gradient in h.

    h: (..., k).  Returns kl (...) = sum q log q + log k and dkl/dh (..., k) = q (log q - sum q log q).
    A q that underflows to 0 counts as 0 log 0 = 0.
    """
    log_q = log_softmax(h)
    q = np.exp(log_q)
    negative_entropy = (q * log_q).sum(axis=-1)
    kl = negative_entropy + np.log(h.shape[-1])
    return kl, q * (log_q - negative_entropy[..., None])


def gaussian_kl(mu: np.ndarray, log_var: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """KL(N(mu, s^2) || N(0, 1)) summed over the last axis, s^2 = exp(log_var), and its gradients in mu and log_var.

    mu, log_var: (..., d).  Returns kl (...) = sum (mu^2 + s^2 - log s^2 - 1) / 2, mu, (s^2 - 1) / 2.
    """
    variance = np.exp(log_var)
    kl = 0.5 * (mu * mu + variance - log_var - 1).sum(axis=-1)
    return kl, mu, 0.5 * (variance - 1)
