"""Gumbel noise and the Gumbel-max trick: sampling by arg max (Theorem 2; Gumbel 1954, Luce 1959, McFadden 1973).

Add independent zero-mean Gumbel noise gamma(z) to every score h(z) and take the arg max.  The winner is distributed as
softmax(h).  Scores have shape (..., k): the last axis runs over the values of z, all others are batch.

    CDF      G(t) = exp(-exp(-(t + c)))               c = 0.5772..., Euler's constant, makes the mean 0
    density  g(t) = exp(-(t + c)) G(t)

One picture carries the whole file: E(z) = exp(-(h(z) + gamma(z) + c)) is an exponential variable of rate
w(z) = exp(h(z)).  The largest score is the smallest E, the first alarm clock to ring.
"""
from __future__ import annotations

import numpy as np
from scipy.special import logsumexp, softmax

from refimpl import checks

EULER = float(np.euler_gamma)


def sample(shape: int | tuple[int, ...], rng: np.random.Generator, dtype: np.dtype = np.float64) -> np.ndarray:
    """Independent zero-mean Gumbel noise, variance pi^2 / 6.

    gamma = -log(E) - c with E a standard exponential, drawn in float64 whatever the dtype of the result: -log(-log(U)) of a
    float32 U is infinite about once in 10^7 draws, and a float32 E has no values below 10^-7, which cuts the upper tail
    at 16.  An exact 0 is lifted to the smallest normal number.

    shape: of the result.  dtype: float64 or float32.  Raises TypeError for another generator or dtype.
    """
    checks.generator(rng)
    dtype = np.dtype(dtype)
    if dtype not in (np.float64, np.float32):
        raise TypeError(f"dtype must be float64 or float32, got {dtype}")
    E = rng.standard_exponential(shape)
    return (-np.log(np.maximum(E, np.finfo(np.float64).tiny)) - EULER).astype(dtype, copy=False)


def argmax(h: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """z* = argmax over the last axis of h + gamma: one sample of softmax(h) for each draw of the noise (equation 5).

    h, noise: (..., k), batch axes broadcast.  Returns integers (...).  Ties, of probability 0 under the noise's
    density, go to the lowest index; k = 1 gives 0.
    """
    h, noise = checks.scores(h=h, noise=noise)
    return np.argmax(h + noise, axis=-1)


def one_hot(index: np.ndarray, k: int) -> np.ndarray:
    """(...) integers to (..., k) float64: 1 at the index, 0 elsewhere."""
    return (index[..., None] == np.arange(k)).astype(np.float64)


def choice_probabilities(h: np.ndarray) -> np.ndarray:
    """P(z* = z) = exp(h(z)) / sum exp(h): Theorem 2.  h: (..., k) -> (..., k)."""
    (h,) = checks.scores(h=h)
    return softmax(h, axis=-1)


def choice_probabilities_by_quadrature(h: np.ndarray) -> np.ndarray:
    """P(z* = z) as the integral in the proof of Theorem 2 (equation 6), done numerically: no algebra, no sampling.

        P(z* = z) = integral g(t - h(z)) prod_{z' != z} G(t - h(z')) dt

    z wins at height t: it lies at t exactly, all others below.  The integrand is analytic and dies off at both ends,
    where the plain trapezoid rule converges faster than any power of its step.

    h: (..., k) -> (..., k), to about 1e-13 relative.
    """
    (h,) = checks.scores(h=h)
    # Left of the window G(t - max h) < exp(-e^7.4) = 0; right of it, what is missed is below e^-45 of the whole.
    offsets = np.arange(-8.0, np.log(h.shape[-1]) + 45.0, 0.125)
    t = h.max(axis=-1, keepdims=True) + offsets                                  # (..., T)
    u = t[..., None] - h[..., None, :] + EULER                                   # (..., T, k)
    log_G = -np.exp(-u)                                                          # log G(t - h(z))
    # g = e^{-u} G, so g(t - h(z)) times the other G's is e^{-u(z)} times the product of all of them.
    return np.exp(-u + log_G.sum(axis=-1, keepdims=True)).sum(axis=-2) * 0.125   # (..., k)


def sample_given_argmax(h: np.ndarray, index: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Noise drawn from its law given that `index` won: argmax(h, noise) == index, everything else as it falls.

    In alarm clocks: the first one rings after an exponential time of rate sum w, whichever it is; from then on each of
    the others takes a fresh exponential time of its own rate w(z), since exponentials have no memory.

    h: (..., k).  index: integers (...), broadcasts with h's batch axes.  Returns noise of the broadcast shape (..., k).
    Raises ValueError if an index is outside 0 ... k-1.
    """
    (h,) = checks.scores(h=h)
    checks.generator(rng)
    k = h.shape[-1]
    index = checks.indices(index, k)
    try:
        shape = np.broadcast_shapes(h.shape[:-1], index.shape) + (k,)
    except ValueError:
        raise ValueError(f"index must broadcast with the batch axes of h: got shapes {index.shape} and {h.shape}") from None
    tiny = np.finfo(np.float64).tiny
    log_first = np.log(np.maximum(rng.standard_exponential(shape[:-1] + (1,)), tiny)) - logsumexp(h, axis=-1, keepdims=True)
    log_wait = np.log(np.maximum(rng.standard_exponential(shape), tiny)) - h     # log of an exponential of rate w(z)
    won = one_hot(index, k) > 0
    log_E = np.where(won, log_first, np.logaddexp(log_first, log_wait))          # winner: first; others: first + wait
    return -log_E - EULER - h                                                    # E = exp(-(h + gamma + c))
