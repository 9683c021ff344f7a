"""Sample by an arg max: Gumbel noise and the Gumbel-max trick (Theorem 2; Gumbel 1954, Luce 1959, McFadden 1973).

Add independent zero-mean Gumbel noise gamma(z) to every score h(z) and take the arg max z*.  Then z* has the law
softmax(h).  Scores have shape (..., k).  The last axis runs over the values of z, and all other axes are batch axes.

    CDF      F(t) = exp(-exp(-(t + c)))               c = 0.5772..., Euler's constant, makes the mean 0
    density  F'(t) = exp(-(t + c)) F(t)               the slides write G for F, and g for F'

Alarm clocks explain all functions of this file.  Clock z rings at the time E(z) = exp(-(h(z) + gamma(z) + c)), which is
an exponential variable with the rate w(z) = exp(h(z)).  The arg max is the clock that rings first.
"""
from __future__ import annotations

import numpy as np
from scipy.special import logsumexp, softmax

from refimpl import arguments

EULER = float(np.euler_gamma)


def sample(shape: int | tuple[int, ...], rng: np.random.Generator, dtype: np.dtype = np.float64) -> np.ndarray:
    """Return independent zero-mean Gumbel noise, which has variance pi^2 / 6.

    `shape` is the shape of the result, an int or a tuple of ints.  `dtype` is float64 or float32.  Raises TypeError for
    any other dtype, or if `rng` is not a numpy.random.Generator.

    gamma = -log(E) - c, where E is a standard exponential variable.  E is always drawn in float64, because float32 is
    too coarse near 0, where gamma is largest.  If E is 0, it is replaced by np.finfo(np.float64).tiny (2.2e-308).
    """
    shape = arguments.shape(shape)
    arguments.generator(rng)
    dtype = arguments.dtype(dtype)
    if dtype not in (np.float64, np.float32):
        raise TypeError(f"dtype must be float64 or float32, got {dtype}")
    return np.asarray(-_log_exponential(shape, rng) - EULER).astype(dtype, copy=False)


def one_hot(index: np.ndarray, k: int) -> np.ndarray:
    """Return a one-hot vector of length k for each integer in `index`.

    `index` has shape (...) and contains integers from 0 to k - 1.  The result has shape (..., k) and dtype float64.
    """
    k = arguments.integer("k", k, 1, most=10**9)
    return (arguments.indices(index, k)[..., None] == np.arange(k)).astype(np.float64)


def argmax(h: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """Return z*, the arg max of h + gamma (equation 5).  For each draw of the noise, z* is a sample of softmax(h).

    h and `noise` have shape (..., k), and their batch axes broadcast.  The result has shape (...).  If two values tie,
    which has probability 0, the lower index is returned.
    """
    h, noise = arguments.scores(h=h, noise=noise)
    # Only differences of h matter.  They are computed first, because h + noise would lose the noise where h is 1e16.
    return np.argmax(h - h.max(axis=-1, keepdims=True) + noise, axis=-1)


def choice_probabilities(h: np.ndarray) -> np.ndarray:
    """Return P(z* = z) = exp(h(z)) / sum exp(h), the law of z* by Theorem 2.  h and the result have shape (..., k)."""
    (h,) = arguments.scores(h=h)
    return softmax(h, axis=-1)


def choice_probabilities_by_quadrature(h: np.ndarray) -> np.ndarray:
    """Compute P(z* = z) numerically, as the integral in the proof of Theorem 2 (equation 6).

        P(z* = z) = integral F'(t - h(z)) prod_{z' != z} F(t - h(z')) dt

    The integrand is the density of the event that the noisy score of z is t and all other noisy scores are below t.
    The integrand is analytic and vanishes at both ends, so the error of the plain trapezoid rule falls faster than any
    power of the step.  h and the result have shape (..., k).  The relative error is about 1e-13.
    """
    (h,) = arguments.scores(h=h)
    h = h - h.max(axis=-1, keepdims=True)                  # only differences matter; t - h loses them if h is 1e16
    # Left of this window, F(t) < exp(-e^7.4), which is 0 in float64.  Right of it lies less than e^-45 of the integral.
    t = np.arange(-8.0, np.log(h.shape[-1]) + 45.0, 0.125)                       # (T,)
    u = t[:, None] - h[..., None, :] + EULER                                     # (..., T, k)
    log_F = -np.exp(-u)                                                          # log F(t - h(z))
    # F' = e^{-u} F, so F'(t - h(z)) times the other F's is e^{-u(z)} times the product of all of them.
    return np.exp(-u + log_F.sum(axis=-1, keepdims=True)).sum(axis=-2) * 0.125   # (..., k)


def sample_given_argmax(h: np.ndarray, index: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw Gumbel noise under the condition that argmax(h, noise) is `index`.

    Think of alarm clocks, where clock z has the rate w(z) = exp(h(z)).  The time until the first clock rings is
    exponential with rate sum w, whichever clock is the first.  From then on, the wait for any other clock z is
    exponential with rate w(z), because exponential variables have no memory.

    h has shape (..., k).  `index` has shape (...), and its axes broadcast with the batch axes of h.  The noise has the
    broadcast shape (..., k).  Raises ValueError if an index is outside 0 ... k-1.
    """
    (h,) = arguments.scores(h=h)
    arguments.generator(rng)
    k = h.shape[-1]
    index = arguments.indices(index, k)
    shape = arguments.broadcast(("index", "the batch axes of h"), (index.shape, h.shape[:-1])) + (k,)
    h = h - h.max(axis=-1, keepdims=True)                                  # only differences of h matter
    log_sum = logsumexp(h, axis=-1, keepdims=True)
    log_first = _log_exponential(shape[:-1] + (1,), rng) - log_sum         # log of the first ring's time, rate sum w
    log_fresh = _log_exponential(shape, rng)                               # log (wait w), where wait w has rate 1
    won = one_hot(index, k) > 0
    # E = exp(-(h + gamma + c)), so gamma = -log(E w) - c.  E is `first` for the arg max, `first` + `wait` for others.
    noise = -np.where(won, log_first + h, np.logaddexp(log_first + h, log_fresh)) - EULER
    # If the h of the arg max is lower than another h by 1e15 or more, rounding could make the other one win.  So the
    # noise of the arg max is rounded upwards.
    best_other = np.where(won, -np.inf, h + noise).max(axis=-1, keepdims=True)
    return np.where(won, np.maximum(noise, np.nextafter(best_other - h, np.inf)), noise)


def top_k(h: np.ndarray, k: int, rng: np.random.Generator) -> np.ndarray:
    """Return the k values of z with the highest h + gamma, from the highest to the lowest (Gumbel-top-k).

    h has shape (..., n), k is from 0 to n, and the result has shape (..., k).  The k values are drawn without
    replacement.  (If each value has an alarm clock of rate e^h, the k values whose clocks ring first are drawn, in the
    order of ringing: Yellott 1977; Kool et al., ICML 2019.)  top_k_probability computes the probability of each result.
    """
    (h,) = arguments.scores(h=h)
    k = arguments.integer("k", k, 0, h.shape[-1])
    noisy = h - h.max(axis=-1, keepdims=True) + sample(h.shape, rng)
    return np.argsort(-noisy, axis=-1, kind="stable")[..., :k]


def top_k_probability(h: np.ndarray, order: np.ndarray) -> np.ndarray:
    """Return P(top_k(h, k) == order), by the law of Plackett (1975) and Luce (1959).

    Each of the k values is drawn from a softmax over the values that have not been drawn before:

        P = prod_j exp(h(o_j)) / sum over z not in {o_1 ... o_{j-1}} of exp(h(z))

    h has shape (..., n), `order` has shape (..., k), and their batch axes broadcast.  The result has shape (...), and
    is 1 if k = 0.  Raises ValueError if a value occurs twice in an order.
    """
    (h,) = arguments.scores(h=h)
    n, order = h.shape[-1], arguments.array("order", order)
    order = arguments.indices(order if order.size else order.astype(int), n, "order")
    if order.ndim == 0 or order.shape[-1] and (np.diff(np.sort(order, axis=-1), axis=-1) == 0).any():
        raise ValueError("order must have shape (..., k) and hold each value at most once")
    batch = arguments.broadcast(("order", "the batch axes of h"), (order.shape[:-1], h.shape[:-1]))
    left, log_p = np.broadcast_to(h - h.max(axis=-1, keepdims=True), batch + (n,)).copy(), np.zeros(batch)
    for j in range(order.shape[-1]):
        at = np.broadcast_to(order[..., j, None], batch + (1,))
        log_p += np.take_along_axis(left, at, -1)[..., 0] - logsumexp(left, axis=-1)
        np.put_along_axis(left, at, -np.inf, -1)
    return np.exp(log_p)


def _log_exponential(shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """Draw standard exponential variables E, and return log E."""
    return np.log(np.maximum(rng.standard_exponential(shape), np.finfo(np.float64).tiny))
