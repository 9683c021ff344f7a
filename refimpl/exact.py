"""The truth by enumeration: expectations, their gradients, and what a latent-variable model is really worth.

Scores h and f have shape (..., k), finite and at most 1e300 in absolute value; q = softmax(h).  All values are in the
units of f (nats, for a log-likelihood).
"""
from __future__ import annotations

import numpy as np
from scipy.special import log_softmax, logsumexp, softmax

from refimpl import _digits, arguments


def expectation(h: np.ndarray, f: np.ndarray) -> np.ndarray:
    """E_q f = sum_z q(z) f(z).  Returns (...)."""
    h, f = arguments.scores(h=h, f=f)
    return (softmax(h, axis=-1) * f).sum(axis=-1)


def gradient(h: np.ndarray, f: np.ndarray) -> np.ndarray:
    """grad_h E_q f = q (f - E_q f), the left-hand side of Theorem 1 with h as the parameter.  Returns (..., k).

    Its entries sum to 0: moving all scores together changes nothing.
    """
    h, f = arguments.scores(h=h, f=f)
    q, f = softmax(h, axis=-1), _digits.from_likeliest(h, f)
    return q * (f - (q * f).sum(axis=-1, keepdims=True))


def from_likeliest(h: np.ndarray, f: np.ndarray) -> np.ndarray:
    """f measured from its value at the likeliest z, argmax h.  Returns (..., k).

    A constant in f changes no gradient, but some round better.

    As q gathers on one value b, f_b - E_q f becomes the difference of two equal numbers and loses all its digits.  With
    f_b = 0 it is minus a sum over the other values, however small they are.
    """
    return _digits.from_likeliest(*arguments.scores(h=h, f=f))


def kl(h: np.ndarray) -> np.ndarray:
    """KL(q || uniform) = sum_z q log q + log k.  Returns (...), between 0 and log k."""
    (h,) = arguments.scores(h=h)
    log_q = log_softmax(h, axis=-1)
    return np.maximum((np.exp(log_q) * log_q).sum(axis=-1) + np.log(h.shape[-1]), 0)


def elbo(h: np.ndarray, f: np.ndarray) -> np.ndarray:
    """E_q f - KL(q || uniform), the evidence lower bound under a uniform prior; f = log p(x given z).

    Returns (...).
    """
    return expectation(h, f) - kl(h)


def log_likelihood(f: np.ndarray) -> np.ndarray:
    """log p(x) = logsumexp_z f(z) - log k under a uniform prior: what the bound bounds.  Returns (...)."""
    (f,) = arguments.scores(f=f)
    return logsumexp(f, axis=-1) - np.log(f.shape[-1])


def posterior(f: np.ndarray) -> np.ndarray:
    """p(z given x) = softmax(f) under a uniform prior.  Returns (..., k)."""
    (f,) = arguments.scores(f=f)
    return softmax(f, axis=-1)


def gap(h: np.ndarray, f: np.ndarray) -> np.ndarray:
    """KL(q || p(z given x)) = log p(x) - ELBO, computed as the divergence itself and never below 0.  Returns (...)."""
    h, f = arguments.scores(h=h, f=f)
    log_q = log_softmax(h, axis=-1)
    return np.maximum((np.exp(log_q) * (log_q - log_softmax(f, axis=-1))).sum(axis=-1), 0)
