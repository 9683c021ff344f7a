"""The alarm clocks behind the pair (z*, z*(eps)): the law of how the two arg maxes move together (Theorem 1).

    E_z = exp(-(h_z + gamma_z + c))   independent exponentials of rate w_z = exp(h_z)
    z*       the smallest E_z
    z*(eps)  the smallest a_z E_z,    a_z = exp(-eps f_z)

The chance that both are i, and the rates (chances over eps) at which the pair leaves i, arrives at j, or moves from i
to j, are sums of positive terms in logs: nothing cancels, however small eps or a q is.  direct.py puts them together.

Shapes: scores (..., k), eps (..., 1), checked and broadcast by the caller.
"""
from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.special import log_softmax


def over(value: np.ndarray, x: np.ndarray) -> np.ndarray:
    """value / x, and 1 at x = 0, the limit for expm1, log1p and sinh."""
    return np.where(x == 0, 1, value / np.where(x == 0, 1, x))


class Clocks(NamedTuple):
    """Sorted so that the perturbation favours the first most, s = eps f = -log a.

    Only s relative to its maximum matters.  All in logs: eps f of a real image spans thousands of nats.
    """

    order: np.ndarray       # (..., k)    sorts the values of z by falling s
    log_w: np.ndarray       # (..., k)    in that order, sum of w = 1
    s: np.ndarray           # (..., k)    in that order, falling from 0
    log_fall: np.ndarray    # (..., k-1)  log((e^{s_m} - e^{s_{m+1}}) / eps), -inf where two are tied
    log_D: np.ndarray       # (..., k)    log of C(a_z) / a_z,  C(t) = sum_z w_z max(1, t / a_z)


def make(h: np.ndarray, f: np.ndarray, eps: np.ndarray) -> Clocks:
    """The clocks of this pair."""
    order = np.argsort(-f, axis=-1, kind="stable")
    f = np.take_along_axis(f, order, axis=-1)
    log_w = np.take_along_axis(log_softmax(h, axis=-1), order, axis=-1)
    s = eps * (f - f[..., :1])
    drop = f[..., :-1] - f[..., 1:]
    step = eps * drop                                                # s_m - s_{m+1}, by one rounding only
    mean_slope = over(-np.expm1(-step), step)
    with np.errstate(divide="ignore"):
        log_fall = s[..., :-1] + np.log(drop * mean_slope)           # e^{s_m} (1 - e^-step) / eps
    # C(a_i) / a_i = sum over j favoured more (before i) of w_j e^{s_j}  +  e^{s_i} sum over the others, with i, of w_j.
    # Both are running sums over the sorted values; the first is shifted by one place, as i itself is not in it.
    favoured_more = np.full(s.shape, -np.inf)
    favoured_more[..., 1:] = np.logaddexp.accumulate(log_w + s, axis=-1)[..., :-1]
    others = np.logaddexp.accumulate(log_w[..., ::-1], axis=-1)[..., ::-1]
    return Clocks(order, log_w, s, log_fall, np.logaddexp(favoured_more, s + others))


def _unsort(values: np.ndarray, clocks: Clocks) -> np.ndarray:
    """(..., k) from the clocks' order back to the caller's."""
    result = np.empty(values.shape)
    np.put_along_axis(result, clocks.order, values, axis=-1)
    return result


def stay(clocks: Clocks) -> np.ndarray:
    """P(z* = z*(eps) = i) = w_i / C(a_i), (..., k)."""
    return _unsort(np.exp(clocks.log_w + clocks.s - clocks.log_D), clocks)


def leave_rate(clocks: Clocks) -> np.ndarray:
    """P(z* = i, z*(eps) != i) / eps = (q_i - P(i, i)) / eps, without that subtraction: a tiny eps leaves it few digits.

    q_i - P(i, i) = w_i (C(a_i) - 1) / C(a_i), and C(a_i) - 1 = sum over j before i of w_j (e^{s_j - s_i} - 1), which by
    parts is e^{-s_i} sum over m before i of (e^{s_m} - e^{s_{m+1}}) (w_1 + ... + w_m): positive terms only.
    """
    log_W = np.logaddexp.accumulate(clocks.log_w, axis=-1)
    log_excess = np.full(clocks.s.shape, -np.inf)                        # the most favoured value never leaves
    log_excess[..., 1:] = np.logaddexp.accumulate(clocks.log_fall + log_W[..., :-1], axis=-1)
    return _unsort(np.exp(clocks.log_w + log_excess - clocks.log_D), clocks)


def _log_piece(clocks: Clocks) -> np.ndarray:
    """log of (1 / eps) integral dt / C(t)^2 between neighbouring a's, as joint_law needs it.  (..., k-1)."""
    # Piece m lies between a_m and a_{m+1}.  With C(a) = a D, and here, as in log_fall, over eps:
    # (a_{m+1} - a_m) / (C C') = (e^{s_m} - e^{s_{m+1}}) / (D D')
    return clocks.log_fall - clocks.log_D[..., :-1] - clocks.log_D[..., 1:]


def arrive_rate(clocks: Clocks) -> np.ndarray:
    """P(z*(eps) = j, z* != j) / eps, the sum of joint_law's column j off the diagonal, without a k x k array.

    Each i behind j adds (w_i w_j / a_j) times the pieces from a_j to a_i.  So piece m is met by all i behind it.
    """
    log_behind = np.logaddexp.accumulate(clocks.log_w[..., ::-1], axis=-1)[..., -2::-1]       # of w_{m+1} + ... + w_k
    log_terms = _log_piece(clocks) + log_behind
    log_sum = np.full(clocks.s.shape, -np.inf)                           # at the least favoured value none arrives
    log_sum[..., :-1] = np.logaddexp.accumulate(log_terms[..., ::-1], axis=-1)[..., ::-1]     # over m from j on
    return _unsort(np.exp(clocks.log_w + clocks.s + log_sum), clocks)


def move_rates(clocks: Clocks) -> np.ndarray:
    """joint_law / eps off the diagonal, and 0 on it."""
    k = clocks.s.shape[-1]
    # For each j (row) the running sum of the pieces from m = j on: entry i-1 is log (F(a_i) - F(a_j)).
    from_j = np.where(np.arange(k)[:, None] <= np.arange(k - 1), _log_piece(clocks)[..., None, :], -np.inf)
    log_F = np.logaddexp.accumulate(from_j, axis=-1)
    log_climb = clocks.log_w[..., 1:, None] + (clocks.log_w + clocks.s)[..., None, :]                   # i = 1 ..., j
    sorted_law = np.zeros(clocks.s.shape + (k,))                                                        # (..., i, j)
    sorted_law[..., 1:, :] = np.exp(log_climb + np.swapaxes(log_F, -1, -2))
    back = np.argsort(clocks.order, axis=-1)                             # from the sorted order to the caller's
    law = np.take_along_axis(sorted_law, back[..., :, None], axis=-2)
    return np.take_along_axis(law, back[..., None, :], axis=-1)
