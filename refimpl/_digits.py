"""Numerically stable forms of quantities that would lose digits as differences of nearly equal numbers.

Where eps is tiny or q almost certain, differences of probabilities cancel.  So a small number is written as a sum of
small terms, and divided by eps before it can underflow.  If you read for the theorem, you can skip this file.

h and f have shape (..., k), and the last axis runs over the values of z; eps has shape (..., 1) and is already checked.
"""
from __future__ import annotations

from math import factorial
from typing import NamedTuple

import numpy as np
from scipy.special import log_softmax, softmax

from refimpl import arguments


def checked(h, f, eps) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return h and f broadcast together, and eps (..., 1), after checking them (see arguments.scores and epsilon)."""
    h, f = arguments.scores(h=h, f=f)
    h, f = np.broadcast_arrays(h, f)
    eps = arguments.epsilon(eps, h.shape[:-1])
    arguments.perturbation(eps, f)
    shape = np.broadcast_shapes(h.shape, eps.shape)                  # eps may have more batch axes
    return np.broadcast_to(h, shape), np.broadcast_to(f, shape), eps


def as_one_sided(h, f, eps, two_sided: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the one-sided problem (scores, f, eps) that has the pair and the gradient of the given problem."""
    h, f, eps = checked(h, f, eps)
    return (tilted(h, f, -eps)[0], f, 2 * eps) if arguments.flag("two_sided", two_sided) else (h, f, eps)


def from_likeliest(h: np.ndarray, f: np.ndarray) -> np.ndarray:
    """Return f - f_b with b = argmax h, as exact.from_likeliest does, but without a limit of 1e300 on h."""
    h, f = np.broadcast_arrays(h, f)
    return f - np.take_along_axis(f, h.argmax(axis=-1)[..., None], axis=-1)


def tilted(h: np.ndarray, f: np.ndarray, eps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return h + eps f minus its largest entry, (..., k), and that entry, (..., 1).

    The values of h and f at the largest entry are subtracted before h and eps f are added.  So the differences between
    the scores h of values with equal f are kept, however large eps f is.  eps has a last axis of length 1.
    """
    h, f = np.broadcast_arrays(h, f)
    shape = np.broadcast_shapes(h.shape, eps.shape)                  # eps may have more batch axes
    h, f = np.broadcast_to(h, shape), np.broadcast_to(f, shape)
    best_f = np.where(eps > 0, f.max(axis=-1, keepdims=True), f.min(axis=-1, keepdims=True))
    best = (h - h.max(axis=-1, keepdims=True) + eps * (f - best_f)).argmax(axis=-1)[..., None]
    h_best, f_best = np.take_along_axis(h, best, axis=-1), np.take_along_axis(f, best, axis=-1)
    return h - h_best + eps * (f - f_best), h_best + eps * f_best


def ratio(value: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Return value / x, and 1 where x = 0, which is the limit if value is expm1(x), log1p(x) or sinh(x)."""
    return np.where(x == 0, 1, value / np.where(x == 0, 1, x))


class Tilt(NamedTuple):
    """Holds the parts of q_eps = q e^x / Z, where x = eps d, d = f - f_b, and b is the likeliest value."""

    q: np.ndarray           # (..., k)
    d: np.ndarray           # (..., k)
    f_b: np.ndarray         # (..., 1)
    qu: np.ndarray          # (..., k)    q u,  u = (e^x - 1) / eps
    mean_u: np.ndarray      # (..., 1)    E_q u
    Z: np.ndarray           # (..., 1)    E_q e^x = 1 + eps E_q u
    moved: np.ndarray       # (..., 1)    Z > 2: b has lost more than half of its mass.  Then qu may be cut off.


def tilt(h: np.ndarray, f: np.ndarray, eps: np.ndarray) -> Tilt:
    """Compute the parts of q_eps; eps (..., 1) may be negative here."""
    log_q = log_softmax(h, axis=-1)
    q, d = np.exp(log_q), from_likeliest(h, f)
    x = eps * d
    low, high = np.minimum(x, 1), np.maximum(x, 1)
    # q u is computed in two ways.  Up to x = 1, u = d (e^x - 1) / x, which needs no 1 / eps.  Above it e^x may overflow
    # where q e^x does not, so q (e^x - 1) = q e^x (1 - e^-x) is used, cut off at q e^x = e, where Z > 2 already.
    beyond = np.exp(np.minimum(log_q + high, 1)) * -np.expm1(-high) / eps
    qu = np.where(x <= 1, q * d * ratio(np.expm1(low), low), beyond)
    mean_u = qu.sum(axis=-1, keepdims=True)
    Z = 1 + eps * mean_u
    f_b = np.take_along_axis(f, h.argmax(axis=-1)[..., None], axis=-1)
    return Tilt(q, d, f_b, qu, mean_u, Z, Z > 2)


def mean_change(h: np.ndarray, f: np.ndarray, eps: np.ndarray) -> np.ndarray:
    """Return (q_eps - q) / eps, (..., k).

    With q_eps = q e^x / Z this is q (u - E_q u) / Z, u = (e^x - 1) / eps, in which no probabilities are subtracted.
    As u_b = 0 for the likeliest value b, the small q of the other values keep their digits.
    """
    change = tilt(h, f, eps)
    # Where b has lost half of its mass, which is at least 1/(2k), the plain difference loses no digits.
    difference = (softmax(tilted(h, f, eps)[0], axis=-1) - change.q) / eps
    return np.where(change.moved, difference, (change.qu - change.q * change.mean_u) / change.Z)


def even_and_odd(log_q: np.ndarray, c: np.ndarray, eps: np.ndarray, two_sided: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return q C and q S, C = (cosh x - 1) / eps, S = (sinh x - x) / eps, x = eps c, with all their digits.

    Up to |x| = 1 they are computed without subtractions:

        C = c (x / 2) (sinh(x / 2) / (x / 2))^2
        S = c x^2 (1/3! + x^2/5! + x^4/7! + ...)

    Beyond it they are computed from q e^x, as q may be tiny where e^x overflows.  Only C + S matters for a one-sided
    difference.  It does not contain e^-x, which is then left out of both.
    """
    q, x = np.exp(log_q), eps * c
    y = np.clip(x, -1, 1)
    sinhc = ratio(np.sinh(y / 2), y / 2)
    series = np.zeros(y.shape)
    for n in range(19, 1, -2):                                      # 1/21! is 10^-19 of the first term
        series = 1 / factorial(n) + y**2 * series
    # Where |x| > 1, the series is not used.  2 is above log(q e^|x|) wherever the result is used.
    rising = np.exp(np.minimum(log_q + x, 2)) / 2
    falling = np.exp(np.minimum(log_q - x, 2)) / 2 if two_sided else 0.0
    near = np.abs(x) <= 1
    C = np.where(near, q * c * (y / 2) * sinhc**2, (rising + falling - q) / eps)
    S = np.where(near, q * c * y**2 * series, (rising - falling) / eps - q * c)
    return C, S


def others(q: np.ndarray) -> np.ndarray:
    """Return 1 - q_i, (..., k), as the sum of all other q's: those before i, and those after it."""
    before, behind = np.zeros(q.shape), np.zeros(q.shape)
    before[..., 1:] = q[..., :-1].cumsum(axis=-1)
    behind[..., :-1] = q[..., :0:-1].cumsum(axis=-1)[..., ::-1]
    return before + behind
