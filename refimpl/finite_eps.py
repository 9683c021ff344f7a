"""Compute the exact bias and mean squared error of the direct gradient, and the eps for which the error is smallest.

The bias is (eps/2) grad Var_q f + O(eps^2), or O(eps^2) for the two-sided estimator.  As eps falls, the variance grows
in proportion to 1/eps.  So the best eps is neither very small nor very large.  The shapes are those of direct.py.
"""
from __future__ import annotations

import numpy as np
from scipy.special import log_softmax

from refimpl import arguments, exact
from refimpl._digits import as_one_sided, checked, even_and_odd, mean_change, tilt
from refimpl.coupling import TOO_SMALL, variance


def bias(h: np.ndarray, f: np.ndarray, eps: float, two_sided: bool = False) -> np.ndarray:
    """Return an array of shape (..., k): the exact bias E g - grad_h E_q f.

    The bias is O(eps), or O(eps^2) if `two_sided` is True.  It is not always a monotone function of eps.  Let
    c = f - E_q f and x = eps c.  Then grad_h E_q f = q c, and the bias consists of terms of order 2 and higher in x:

        C = (cosh x - 1) / eps                      S = (sinh x - x) / eps
        E_i = C_i - E_q C - x_i E_q S               odd in eps
        O_i = S_i - E_q S - x_i E_q C               even in eps
        Z(+-eps) = 1 + eps E_q C +- eps E_q S

        one-sided bias_i = q_i (E_i + O_i) / Z(eps)
        two-sided bias_i = q_i (O_i (1 + eps E_q C) - E_i (eps E_q S)) / (Z(eps) Z(-eps))

    The two-sided bias is the mean of the one-sided biases at eps and -eps.  Its formula omits the leading terms of the
    two one-sided biases, because these terms cancel.
    """
    h, f, eps = checked(h, f, eps)
    two_sided, change = arguments.flag("two_sided", two_sided), tilt(h, f, eps)
    mean_d = (change.q * change.d).sum(axis=-1, keepdims=True)
    # If eps is large, the bias is as large as the gradient, and the plain difference loses no digits.
    small = ~change.moved & (np.abs(eps * mean_d) <= 1)
    if two_sided:
        small &= ~tilt(h, f, -eps).moved
    difference = mean_change(*as_one_sided(h, f, eps[..., 0], two_sided)) - exact.gradient(h, f)

    q, c = change.q, np.where(small, change.d - mean_d, 0)
    x = eps * c
    qC, qS = even_and_odd(log_softmax(h, axis=-1), c, eps, two_sided)
    mean_C, mean_S = qC.sum(axis=-1, keepdims=True), qS.sum(axis=-1, keepdims=True)
    qE = qC - q * mean_C - q * x * mean_S
    qO = qS - q * mean_S - q * x * mean_C
    rise, tip = eps * mean_C, eps * mean_S
    if two_sided:
        series = (qO * (1 + rise) - qE * tip) / ((1 + rise + tip) * (1 + rise - tip))
    else:
        series = (qE + qO) / (1 + rise + tip)
    return np.where(small, series, difference)


def mse(h: np.ndarray, f: np.ndarray, eps: float, samples: int = 1, two_sided: bool = False) -> np.ndarray:
    """Return an array of shape (...): the exact mean squared error of an average of direct gradients.

    The average of `samples` gradients estimates grad_h E_q f.  Its error is |bias|^2 + trace(covariance) / samples.
    Raises ValueError if samples < 1.
    """
    samples = arguments.integer("samples", samples, 1)
    with np.errstate(over="ignore"):
        squared_bias = (bias(h, f, eps, two_sided) ** 2).sum(axis=-1)
        arguments.no_overflow(squared_bias, "f", "have a spread below about 1e150, as its square is returned")
        result = squared_bias + variance(h, f, eps, two_sided).sum(axis=-1) / float(samples)
    return arguments.no_overflow(result, "eps", TOO_SMALL)


def best_eps(h: np.ndarray, f: np.ndarray, samples: int = 1, two_sided: bool = False) -> np.ndarray:
    """Return an array of shape (...): the eps with the smallest mean squared error (see mse).

    If eps is too small, the variance dominates the error; if eps is too large, the bias dominates it.  The error is
    computed exactly and can have several local minima.  A grid of eps finds the neighbourhood of the lowest minimum,
    and nine finer grids find this minimum as precisely as rounding allows.  The first grid usually covers 38 decades of
    the product eps (max f - min f).  If one q(z) is almost 1, the gradient is very short.  The best eps is inversely
    proportional to the length of the gradient, so the grid then covers up to 156 decades.

    As eps grows, the estimate tends to 0, and its error tends to |grad_h E_q f|^2.  If no eps has a smaller error
    than this limit, the function returns infinity.  This can happen if `samples` is small.  If f is constant or k = 1,
    every eps is equally good, and the function returns 1.  Raises ValueError if samples < 1, or if f varies by so
    little that the best eps exceeds the range of float64.
    """
    samples = arguments.integer("samples", samples, 1)
    h, f, _ = checked(h, f, 1.0)
    spread = f.max(axis=-1) - f.min(axis=-1)
    varies = spread > 0
    f = (f - f.max(axis=-1, keepdims=True)) / np.where(varies, spread, 1)[..., None]        # 0 ... -1

    block = max(1, 100_000 // max(h.size, 1))                   # points whose errors are computed at a time

    def errors_at(log_eps: np.ndarray) -> np.ndarray:           # (points, ...) -> (points, ...)
        return np.concatenate([mse(h, f, np.exp(log_eps[start:start + block]), samples, two_sided)
                               for start in range(0, len(log_eps), block)])

    at_infinity = (exact.gradient(h, f) ** 2).sum(axis=-1)                          # the error of the estimate 0
    decades = 2 - np.log10(np.where(at_infinity > 0, at_infinity, 1)) / 2           # beyond 1 / |gradient|
    decades = float(np.clip(decades, 32, 150).max(initial=32))
    ends = (np.full(spread.shape, np.log(10.0) * end) for end in (-6, decades))
    points, least = np.linspace(*ends, round(10 * (6 + decades)) + 1), np.inf
    for _ in range(10):                             # each grid lies between the neighbours of the best point
        errors = errors_at(points)
        least = np.minimum(least, errors.min(axis=0))
        lowest = np.clip(errors.argmin(axis=0), 1, len(points) - 2)[None]
        left, right = (np.take_along_axis(points, lowest + side, axis=0)[0] for side in (-1, 1))
        points = np.linspace(left, right, 20)
    best = (left + right) / 2
    beats_zero = least < at_infinity * (1 - 1e-9)               # by more than rounding
    with np.errstate(over="ignore"):
        in_units_of_f = np.exp(best) / np.where(varies, spread, 1)
    arguments.no_overflow(np.where(varies & beats_zero, in_units_of_f, 0), "f",
                   "vary by more, or not at all, for its best eps")
    return np.where(varies, np.where(beats_zero, in_units_of_f, np.inf), 1.0)
