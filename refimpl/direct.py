"""The direct gradient: a difference of two arg maxes instead of the derivative of one (Theorem 1, equation 1).

    z*      = argmax(h + gamma)                        z*(eps) = argmax(eps f + h + gamma), the same gamma
    g       = (onehot(z*(eps)) - onehot(z*)) / eps     one sample of the estimator of grad_h E f(z*)
    E g     = (q_eps - q) / eps                        exactly, q = softmax(h), q_eps = softmax(h + eps f)
            = grad_h T,  T = (1/eps) log E_q exp(eps f)

At finite eps the estimator is unbiased for the tilted objective T, and biased by (eps/2) grad Var_q f + O(eps^2) for
E_q f.  Everything about it is known exactly, because the joint law of the pair (z*, z*(eps)) is: joint_law.  From it
follow variance, covariance, mean squared error, and the best eps for a number of samples.

Two-sided, (onehot(z*(eps)) - onehot(z*(-eps))) / 2 eps has bias O(eps^2).  It is nothing new: the same pair, seen from
the scores h - eps f, with 2 eps.  That is how two_sided=True is computed throughout (see _as_one_sided).

Shapes: h, f, noise (..., k), the last axis over the values of z, batch axes broadcast; eps > 0, a number or an array
over the batch axes.  Ties have probability 0 and go to the lowest index.  With k = 1 there is nothing to choose: all
gradients, biases and variances are 0, stay_probability is 1.
"""
from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.special import log_softmax, logsumexp, softmax

from refimpl import checks, exact, gumbel


class Pair(NamedTuple):
    """The two arg maxes of one draw of the noise, integers (...)."""

    z_star: np.ndarray
    z_eps: np.ndarray


def _check(h, f, eps) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """h and f broadcast together, and eps (..., 1) ready to multiply them."""
    h, f = checks.scores(h=h, f=f)
    h, f = np.broadcast_arrays(h, f)
    eps = checks.epsilon(eps, h.shape[:-1])
    shape = np.broadcast_shapes(h.shape, eps.shape)                  # eps may bring batch axes of its own
    return np.broadcast_to(h, shape), np.broadcast_to(f, shape), eps


def _as_one_sided(h, f, eps, two_sided: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The one-sided problem (scores, f, eps) whose pair and gradient are the wanted ones."""
    h, f, eps = _check(h, f, eps)
    return (h - eps * f, f, 2 * eps) if two_sided else (h, f, eps)


# --- one sample -----------------------------------------------------------------------------------------------------

def argmax_pair(h: np.ndarray, f: np.ndarray, eps: float, noise: np.ndarray) -> Pair:
    """z* = argmax(h + gamma) and z*(eps) = argmax(eps f + h + gamma), with one and the same noise."""
    h, f, noise = checks.scores(h=h, f=f, noise=noise)
    shape = np.broadcast_shapes(h.shape, f.shape, noise.shape)
    eps = checks.epsilon(eps, shape[:-1])
    perturbed = h + noise
    z_star = np.broadcast_to(np.argmax(perturbed, axis=-1), np.broadcast_shapes(shape, eps.shape)[:-1])
    return Pair(z_star, np.argmax(eps * f + perturbed, axis=-1))


def gradient(h: np.ndarray, f: np.ndarray, eps: float, noise: np.ndarray) -> np.ndarray:
    """(onehot(z*(eps)) - onehot(z*)) / eps, one estimate a draw of the noise (equation 1).  Returns (..., k).

    Entries are -1/eps, 0 or 1/eps, in units of f; they sum to 0.
    """
    z_star, z_eps = argmax_pair(h, f, eps, noise)
    k = np.shape(noise)[-1]
    return (gumbel.one_hot(z_eps, k) - gumbel.one_hot(z_star, k)) / checks.epsilon(eps)


def two_sided_gradient(h: np.ndarray, f: np.ndarray, eps: float, noise: np.ndarray) -> np.ndarray:
    """(onehot(z*(eps)) - onehot(z*(-eps))) / (2 eps), one estimate a draw of the noise.  Returns (..., k)."""
    h, f, noise = checks.scores(h=h, f=f, noise=noise)
    step = checks.epsilon(eps, np.broadcast_shapes(h.shape, f.shape, noise.shape)[:-1])
    return gradient(h - step * f, f, 2 * step[..., 0], noise)


# --- its mean -------------------------------------------------------------------------------------------------------

def tilted_objective(h: np.ndarray, f: np.ndarray, eps: float) -> np.ndarray:
    """T = (1/eps) log E_q exp(eps f) = (G(h, eps) - G(h, 0)) / eps, whose gradient the estimator follows.  Returns (...).

    T -> E_q f as eps -> 0; T = log E_q p(x given z) at eps = 1 for f = log p(x given z); T -> max f as eps -> infinity.
    """
    h, f, eps = _check(h, f, eps)
    return (logsumexp(log_softmax(h, axis=-1) + eps * f, axis=-1, keepdims=True) / eps)[..., 0]


def expected_gradient(h: np.ndarray, f: np.ndarray, eps: float, two_sided: bool = False) -> np.ndarray:
    """E g = (q_eps - q) / eps, exactly; for a two-sided difference (q_eps - q_{-eps}) / (2 eps).  Returns (..., k)."""
    h, f, eps = _as_one_sided(h, f, eps, two_sided)
    change = softmax(h + eps * f, axis=-1) - softmax(h, axis=-1)
    # The entries of `change` sum to 0.  Where q is all but 1 its own difference has no digits left; the others' sum has.
    likeliest = h.argmax(axis=-1)[..., None]
    np.put_along_axis(change, likeliest, 0.0, axis=-1)
    np.put_along_axis(change, likeliest, -change.sum(axis=-1, keepdims=True), axis=-1)
    return change / eps


def bias(h: np.ndarray, f: np.ndarray, eps: float, two_sided: bool = False) -> np.ndarray:
    """E g - grad_h E_q f, exactly.  Returns (..., k).  O(eps) one-sided, O(eps^2) two-sided; need not be monotone."""
    return expected_gradient(h, f, eps, two_sided) - exact.gradient(h, f)


# --- the coupling law: how the pair moves together ----------------------------------------------------------------------

class _Clocks(NamedTuple):
    """The alarm clocks behind the pair, sorted so that the perturbation favours the first most.

    E_z = exp(-(h_z + gamma_z + c)) are independent exponentials of rate w_z = exp(h_z): z* is the smallest E_z, and
    z*(eps) the smallest a_z E_z with a_z = exp(-s_z), s = eps f.  Only s relative to its maximum matters.  All in logs:
    eps f of a real image spans thousands of nats.
    """

    order: np.ndarray       # (..., k)    sorts the values of z by falling s
    log_w: np.ndarray       # (..., k)    in that order, sum of w = 1
    s: np.ndarray           # (..., k)    in that order, falling from 0
    log_fall: np.ndarray    # (..., k-1)  log(e^{s_m} - e^{s_{m+1}}), -inf where two are tied
    log_D: np.ndarray       # (..., k)    log of C(a_z) / a_z,  C(t) = sum_z w_z max(1, t / a_z)


def _clocks(h: np.ndarray, f: np.ndarray, eps: np.ndarray) -> _Clocks:
    order = np.argsort(-f, axis=-1, kind="stable")
    f = np.take_along_axis(f, order, axis=-1)
    log_w = np.take_along_axis(log_softmax(h, axis=-1), order, axis=-1)
    s = eps * (f - f[..., :1])
    with np.errstate(divide="ignore"):
        log_fall = s[..., :-1] + np.log(-np.expm1(s[..., 1:] - s[..., :-1]))
    # C(a_i) / a_i = sum over j favoured more (before i) of w_j e^{s_j}  +  e^{s_i} sum over the others, i included, of w_j.
    # Both are running sums over the sorted values; the first is shifted by one place, as i itself is not in it.
    favoured_more = np.full(s.shape, -np.inf)
    favoured_more[..., 1:] = np.logaddexp.accumulate(log_w + s, axis=-1)[..., :-1]
    others = np.logaddexp.accumulate(log_w[..., ::-1], axis=-1)[..., ::-1]
    return _Clocks(order, log_w, s, log_fall, np.logaddexp(favoured_more, s + others))


def _unsort(values: np.ndarray, clocks: _Clocks) -> np.ndarray:
    """(..., k) from the clocks' order back to the caller's."""
    result = np.empty(values.shape)
    np.put_along_axis(result, clocks.order, values, axis=-1)
    return result


def stay_probability(h: np.ndarray, f: np.ndarray, eps: float, two_sided: bool = False) -> np.ndarray:
    """P(z* = z*(eps) = i), the diagonal of joint_law, in O(k log k) and without a k x k array.  Returns (..., k).

    P(i, i) = w_i / C(a_i) = 1 / sum_j exp(max(h_j - h_i, h_j - h_i + eps (f_j - f_i))): i must beat every j both ways.
    Its sum is the chance that the sampled gradient is zero.
    """
    clocks = _clocks(*_as_one_sided(h, f, eps, two_sided))
    return _unsort(np.exp(clocks.log_w + clocks.s - clocks.log_D), clocks)


def _leave_probability(h: np.ndarray, f: np.ndarray, eps: np.ndarray) -> np.ndarray:
    """P(z* = i, z*(eps) != i) = q_i - P(i, i), without that subtraction: for a tiny eps it has few digits left.

    q_i - P(i, i) = w_i (C(a_i) - 1) / C(a_i), and C(a_i) - 1 = sum over j before i of w_j (e^{s_j - s_i} - 1), which by
    parts is e^{-s_i} sum over m before i of (e^{s_m} - e^{s_{m+1}}) (w_1 + ... + w_m): positive terms only.
    """
    clocks = _clocks(h, f, eps)
    log_W = np.logaddexp.accumulate(clocks.log_w, axis=-1)
    log_excess = np.full(h.shape, -np.inf)                               # the most favoured value never leaves
    log_excess[..., 1:] = np.logaddexp.accumulate(clocks.log_fall + log_W[..., :-1], axis=-1)
    return _unsort(np.exp(clocks.log_w + log_excess - clocks.log_D), clocks)


def joint_law(h: np.ndarray, f: np.ndarray, eps: float, two_sided: bool = False) -> np.ndarray:
    """P(z* = i, z*(eps) = j), exactly.  Returns (..., k, k), i on the last axis but one.  Two-sided: z*(-eps) = i.

    Off the diagonal only pairs that climb, a_j < a_i, have mass:

        P(i, j) = (w_i w_j / a_j) (F(a_i) - F(a_j)),     F(t) = integral^t ds / C(s)^2

    C is linear between neighbouring a's, A + B s, and there the integral from s0 to s1 is (s1 - s0) / (C(s0) C(s1)):
    positive terms only, nothing cancels.  Rows sum to q, columns to q_eps.
    """
    h, f, eps = _as_one_sided(h, f, eps, two_sided)
    clocks = _clocks(h, f, eps)
    k = h.shape[-1]
    # Piece m lies between a_m and a_{m+1}; with C(a) = a D:  (a_{m+1} - a_m) / (C C') = (e^{s_m} - e^{s_{m+1}}) / (D D')
    log_piece = clocks.log_fall - clocks.log_D[..., :-1] - clocks.log_D[..., 1:]                        # (..., k-1)
    # For each j (row) the running sum of the pieces from m = j on: entry i-1 is log (F(a_i) - F(a_j)).
    from_j = np.where(np.arange(k)[:, None] <= np.arange(k - 1), log_piece[..., None, :], -np.inf)      # (..., k, k-1)
    log_F = np.logaddexp.accumulate(from_j, axis=-1)
    log_climb = clocks.log_w[..., 1:, None] + (clocks.log_w + clocks.s)[..., None, :]                   # i = 1 ..., j
    sorted_law = np.zeros(h.shape + (k,))                                                               # (..., i, j)
    sorted_law[..., 1:, :] = np.exp(log_climb + np.swapaxes(log_F, -1, -2))
    sorted_law[..., np.arange(k), np.arange(k)] = np.exp(clocks.log_w + clocks.s - clocks.log_D)
    back = np.argsort(clocks.order, axis=-1)                             # from the sorted order to the caller's
    law = np.take_along_axis(sorted_law, back[..., :, None], axis=-2)
    return np.take_along_axis(law, back[..., None, :], axis=-1)


# --- what one estimate, or the mean of many, is worth --------------------------------------------------------------------

def variance(h: np.ndarray, f: np.ndarray, eps: float, two_sided: bool = False) -> np.ndarray:
    """Variance of each component of one sampled gradient, exactly, in units of f squared.  Returns (..., k).

    A component is +1/eps where the pair arrives, z*(eps) = i alone, -1/eps where it leaves, z* = i alone, and else 0:
    variance = (arrive + leave - (arrive - leave)^2) / eps^2, written below with positive terms only.
    """
    h, f, eps = _as_one_sided(h, f, eps, two_sided)
    leave = np.minimum(_leave_probability(h, f, eps), 1)     # a probability, also after rounding
    arrive = np.minimum(_leave_probability(h + eps * f, -f, eps), 1)     # seen from z*(eps), eps f is taken away again
    return (arrive * (1 - arrive) + leave * (1 - leave) + 2 * arrive * leave) / eps**2


def covariance(h: np.ndarray, f: np.ndarray, eps: float, two_sided: bool = False) -> np.ndarray:
    """Covariance matrix of one sampled gradient, exactly.  Returns (..., k, k); rows and columns sum to 0.

    With P the joint law off its diagonal, E (u - v)(u - v)^T for u = onehot(z*(eps)), v = onehot(z*) has -(P + P^T)
    off the diagonal, and on it the sums of P's row and column.
    """
    law = joint_law(h, f, eps, two_sided)
    k = law.shape[-1]
    diagonal = np.arange(k)
    law[..., diagonal, diagonal] = 0
    leave, arrive = law.sum(axis=-1), law.sum(axis=-2)
    second = -(law + np.swapaxes(law, -1, -2))
    second[..., diagonal, diagonal] = leave + arrive
    mean = arrive - leave
    width = checks.epsilon(eps)[..., None] * (2 if two_sided else 1)
    return (second - mean[..., :, None] * mean[..., None, :]) / width**2


def mse(h: np.ndarray, f: np.ndarray, eps: float, samples: int = 1, two_sided: bool = False) -> np.ndarray:
    """E |mean of `samples` gradients - grad_h E_q f|^2 = |bias|^2 + trace(covariance) / samples, exactly.  Returns (...).

    Raises ValueError if samples < 1.
    """
    if not samples >= 1:
        raise ValueError(f"samples must be at least 1, got {samples}")
    squared_bias = (bias(h, f, eps, two_sided) ** 2).sum(axis=-1)
    return squared_bias + variance(h, f, eps, two_sided).sum(axis=-1) / samples


def best_eps(h: np.ndarray, f: np.ndarray, samples: int = 1, two_sided: bool = False) -> np.ndarray:
    """The eps with the least exact mean squared error for the mean of `samples` gradients.  Returns (...).

    Too small an eps and the rare +-1/eps dominates; too large and the bias does.  The natural unit is 1 over the spread
    max f - min f: a grid over 38 decades of eps in that unit finds the right valley (the error need not have one valley
    only, and where q is all but certain the best eps grows as one over the rest), a golden-section search its floor, to
    about seven digits.

    Infinity is returned where no eps on the grid beats it: as eps grows the estimate tends to 0, whose error is
    |grad_h E_q f|^2, and a single noisy sample can be worse than that at every eps.  Where f is constant, or k = 1, every
    eps is perfect and 1 is returned.  Raises ValueError if samples < 1.
    """
    h, f, _ = _check(h, f, 1.0)
    spread = f.max(axis=-1) - f.min(axis=-1)
    unit = np.where(spread > 0, 1 / np.where(spread > 0, spread, 1), 1.0)

    def error(log_eps: np.ndarray) -> np.ndarray:
        return mse(h, f, np.exp(log_eps) * unit, samples, two_sided)

    grid = np.log(10.0) * np.linspace(-6, 32, 381)
    errors = np.stack([error(np.full(unit.shape, point)) for point in grid])        # (381, ...)
    lowest = np.clip(errors.argmin(axis=0), 1, len(grid) - 2)
    left, right = grid[lowest - 1], grid[lowest + 1]
    golden = (np.sqrt(5) - 1) / 2
    for _ in range(42):                                                              # 0.618^42 = 2e-9 of two grid steps
        inner_left, inner_right = right - golden * (right - left), left + golden * (right - left)
        keep_left = error(inner_left) < error(inner_right)
        left, right = np.where(keep_left, left, inner_left), np.where(keep_left, inner_right, right)
    best = (left + right) / 2
    at_infinity = (exact.gradient(h, f) ** 2).sum(axis=-1)
    beats_zero = np.minimum(error(best), errors.min(axis=0)) < at_infinity * (1 - 1e-9)       # by more than rounding
    finite = np.where(beats_zero, np.exp(best) * unit, np.inf)
    return np.where(spread > 0, finite, 1.0)
