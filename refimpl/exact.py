"""Compute exact values by enumeration: expectations, their gradients, the evidence lower bound and the likelihood.

The scores h and f have shape (..., k) and must be finite and at most 1e300 in absolute value; q = softmax(h).  All
values are in the units of f, which are nats for a log-likelihood.
"""
from __future__ import annotations

import numpy as np
from scipy.special import log_softmax, logsumexp, softmax

from refimpl import _digits, arguments


def expectation(h: np.ndarray, f: np.ndarray) -> np.ndarray:
    """Return E_q f = sum_z q(z) f(z), of shape (...)."""
    h, f = arguments.scores(h=h, f=f)
    return (softmax(h, axis=-1) * f).sum(axis=-1)


def gradient(h: np.ndarray, f: np.ndarray) -> np.ndarray:
    """Return grad_h E_q f = q (f - E_q f), of shape (..., k).  This is the gradient that Theorem 1 estimates.

    The entries of the gradient sum to 0, because adding a constant to all scores does not change q.
    """
    h, f = arguments.scores(h=h, f=f)
    q, f = softmax(h, axis=-1), _digits.from_likeliest(h, f)
    return q * (f - (q * f).sum(axis=-1, keepdims=True))


def from_likeliest(h: np.ndarray, f: np.ndarray) -> np.ndarray:
    """Return f - f_b, of shape (..., k), where b = argmax h is the likeliest value of z.

    Subtracting the constant f_b changes no gradient, but reduces rounding errors.  If q is concentrated on b, then
    f_b - E_q f is a difference of two nearly equal numbers and loses its digits.  But f_b - E_q f = -E_q d, where d is
    the result f - f_b.  As d_b = 0, E_q d is a sum over the values of z other than b, and each term keeps its digits.
    """
    return _digits.from_likeliest(*arguments.scores(h=h, f=f))


def kl(h: np.ndarray) -> np.ndarray:
    """Return KL(q || uniform) = sum_z q log q + log k, of shape (...).  All values are between 0 and log k."""
    (h,) = arguments.scores(h=h)
    log_q = log_softmax(h, axis=-1)
    return np.maximum((np.exp(log_q) * log_q).sum(axis=-1) + np.log(h.shape[-1]), 0)


def elbo(h: np.ndarray, f: np.ndarray) -> np.ndarray:
    """Return the ELBO E_q f - KL(q || uniform), of shape (...), where f = log p(x given z) and the prior is uniform."""
    return expectation(h, f) - kl(h)


def log_likelihood(f: np.ndarray) -> np.ndarray:
    """Return log p(x) = logsumexp_z f(z) - log k, of shape (...), under a uniform prior."""
    (f,) = arguments.scores(f=f)
    return logsumexp(f, axis=-1) - np.log(f.shape[-1])


def posterior(f: np.ndarray) -> np.ndarray:
    """Return p(z given x) = softmax(f), of shape (..., k), under a uniform prior."""
    (f,) = arguments.scores(f=f)
    return softmax(f, axis=-1)


def gap(h: np.ndarray, f: np.ndarray) -> np.ndarray:
    """Return log p(x) - ELBO, of shape (...), computed as KL(q || p(z given x)) and therefore never below 0."""
    h, f = arguments.scores(h=h, f=f)
    log_q = log_softmax(h, axis=-1)
    return np.maximum((np.exp(log_q) * (log_q - log_softmax(f, axis=-1))).sum(axis=-1), 0)
