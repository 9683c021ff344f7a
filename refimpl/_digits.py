"""Compute differences of nearly equal numbers without losing digits.

If eps is tiny or one q(z) is almost 1, a difference of probabilities loses its digits.  So this file writes each small
number as a sum of small terms, and divides the terms by eps before they can underflow.  You can skip this file if you
are only interested in the theorem.

h and f have shape (..., k), where the last axis runs over the values of z.  eps has shape (..., 1).
"""
from __future__ import annotations

from math import factorial
from typing import NamedTuple

import numpy as np
from scipy.special import log_softmax, softmax

from refimpl import arguments


def checked(h, f, eps, positive: bool = True) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Check h, f and eps, and return them as float64 arrays.

    The returned h and f have the same shape (..., k), and eps has shape (..., 1).  If `positive` is False, eps may have
    any sign.  Raises the same exceptions as `scores`, `epsilon` and `perturbation` in arguments.py.
    """
    h, f = arguments.scores(h=h, f=f)
    eps = arguments.epsilon(eps, np.broadcast_shapes(h.shape, f.shape)[:-1], positive)
    arguments.perturbation(eps, f)
    shape = np.broadcast_shapes(h.shape, f.shape, eps.shape)         # eps may have more batch axes
    return np.broadcast_to(h, shape), np.broadcast_to(f, shape), eps


def as_one_sided(h, f, eps, two_sided: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return h, f and eps of a one-sided problem with the same arg maxes and the same gradient as the given problem.

    If `two_sided` is False, the given problem is already one-sided and does not change.
    """
    h, f, eps = checked(h, f, eps)
    return (tilted(h, f, -eps)[0], f, 2 * eps) if arguments.flag("two_sided", two_sided) else (h, f, eps)


def from_likeliest(h: np.ndarray, f: np.ndarray) -> np.ndarray:
    """Return f - f_b, where b = argmax h.  Here, unlike in exact.from_likeliest, h may exceed 1e300."""
    h, f = np.broadcast_arrays(h, f)
    return f - np.take_along_axis(f, h.argmax(axis=-1)[..., None], axis=-1)


def tilted(h: np.ndarray, f: np.ndarray, eps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return two arrays: the entries of h + eps f after their maximum has been subtracted, and this maximum.

    The first array has shape (..., k), and the second has shape (..., 1).  If two values of z have the same f, the
    difference of their scores h is not lost, even if eps f is large.
    """
    shape = np.broadcast_shapes(h.shape, f.shape, eps.shape)         # eps may have more batch axes
    h, f = np.broadcast_to(h, shape), np.broadcast_to(f, shape)
    best_f = np.where(eps > 0, f.max(axis=-1, keepdims=True), f.min(axis=-1, keepdims=True))
    best = (h - h.max(axis=-1, keepdims=True) + eps * (f - best_f)).argmax(axis=-1)[..., None]
    h_best, f_best = np.take_along_axis(h, best, axis=-1), np.take_along_axis(f, best, axis=-1)
    return h - h_best + eps * (f - f_best), h_best + eps * f_best


def ratio(value: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Return `value` / x, or the limit 1 if x = 0.  `value` is expm1(x), log1p(x) or sinh(x)."""
    return np.where(x == 0, 1, value / np.where(x == 0, 1, x))


class Tilt(NamedTuple):
    """Holds the terms of q_eps = q e^x / Z, where x = eps d, d = f - f_b, and b is the likeliest value."""

    q: np.ndarray           # (..., k)
    d: np.ndarray           # (..., k)
    f_b: np.ndarray         # (..., 1)
    qu: np.ndarray          # (..., k)    q u,  u = (e^x - 1) / eps
    mean_u: np.ndarray      # (..., 1)    E_q u
    Z: np.ndarray           # (..., 1)    E_q e^x = 1 + eps E_q u
    moved: np.ndarray       # (..., 1)    whether Z > 2: b has lost more than half of its mass, and qu may be clipped


def tilt(h: np.ndarray, f: np.ndarray, eps: np.ndarray) -> Tilt:
    """Return the Tilt of h and f for this eps, which may be negative."""
    log_q = log_softmax(h, axis=-1)
    q, d = np.exp(log_q), from_likeliest(h, f)
    x = eps * d
    low, high = np.minimum(x, 1), np.maximum(x, 1)
    # q u is computed in two ways.  For x <= 1, u = d (e^x - 1) / x needs no 1 / eps.  For x > 1, e^x may overflow
    # although q e^x does not, so q (e^x - 1) = q e^x (1 - e^-x) is used.  If q e^x > e, e replaces it; then Z > 2.
    beyond = np.exp(np.minimum(log_q + high, 1)) * -np.expm1(-high) / eps
    qu = np.where(x <= 1, q * d * ratio(np.expm1(low), low), beyond)
    mean_u = qu.sum(axis=-1, keepdims=True)
    Z = 1 + eps * mean_u
    f_b = np.take_along_axis(f, h.argmax(axis=-1)[..., None], axis=-1)
    return Tilt(q, d, f_b, qu, mean_u, Z, Z > 2)


def mean_change(h: np.ndarray, f: np.ndarray, eps: np.ndarray) -> np.ndarray:
    """Return (q_eps - q) / eps.

    Usually the result is computed as q (u - E_q u) / Z, where u = (e^x - 1) / eps and x = eps (f - f_b).  This formula
    does not subtract probabilities.  For the likeliest value b, x_b = 0, so u_b = 0, and E_q u sums only over the other
    values.  So the results for these values keep their relative precision, even if their probabilities are small.
    """
    change = tilt(h, f, eps)
    # The probability of b is at least 1/k.  Where b has lost over half of it, the plain difference loses no digits.
    difference = (softmax(tilted(h, f, eps)[0], axis=-1) - change.q) / eps
    return np.where(change.moved, difference, (change.qu - change.q * change.mean_u) / change.Z)


def even_and_odd(log_q: np.ndarray, c: np.ndarray, eps: np.ndarray, two_sided: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return q C and q S with all their digits, where C = (cosh x - 1) / eps, S = (sinh x - x) / eps and x = eps c.

    For |x| <= 1, C and S are computed without subtractions:

        C = c (x / 2) (sinh(x / 2) / (x / 2))^2
        S = c x^2 (1/3! + x^2/5! + x^4/7! + ...)

    For |x| > 1, e^x may overflow although q e^x does not.  So q e^x is computed as e^(log q + x).  A one-sided
    difference needs only the sum C + S, and e^-x cancels in this sum.  So if `two_sided` is False, C and S leave out
    e^-x.
    """
    q, x = np.exp(log_q), eps * c
    y = np.clip(x, -1, 1)
    sinhc = ratio(np.sinh(y / 2), y / 2)
    series = np.zeros(y.shape)
    for n in range(19, 1, -2):                                      # the next coefficient, 1/21!, is 10^-19 times 1/3!
        series = 1 / factorial(n) + y**2 * series
    # Where |x| > 1, the series is not used.  The limit 2 on the logs changes no result that is used.
    rising = np.exp(np.minimum(log_q + x, 2)) / 2
    falling = np.exp(np.minimum(log_q - x, 2)) / 2 if two_sided else 0.0
    near = np.abs(x) <= 1
    C = np.where(near, q * c * (y / 2) * sinhc**2, (rising + falling - q) / eps)
    S = np.where(near, q * c * y**2 * series, (rising - falling) / eps - q * c)
    return C, S


def others(q: np.ndarray) -> np.ndarray:
    """Return 1 - q_i for each i, computed as the sum of all other q_j."""
    before, behind = np.zeros(q.shape), np.zeros(q.shape)
    before[..., 1:] = q[..., :-1].cumsum(axis=-1)
    behind[..., :-1] = q[..., :0:-1].cumsum(axis=-1)[..., ::-1]
    return before + behind
