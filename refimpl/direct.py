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
gradients, biases and variances are 0, stay_probability is 1.  eps may be 1e-305 ... 1e305; scores and eps f may be as
large as 1e300 in absolute value.

"Exactly" means to rounding, also where eps is tiny or q all but certain.  There differences of probabilities would
cancel, so none is taken: what is small is written as a sum of small terms, and divided by eps before it can underflow.
"""
from __future__ import annotations

from math import factorial
from typing import NamedTuple

import numpy as np
from scipy.special import log_softmax, logsumexp, softmax

from refimpl import checks, clocks, exact, gumbel


class Pair(NamedTuple):
    """The two arg maxes of one draw of the noise, integers (...)."""

    z_star: np.ndarray
    z_eps: np.ndarray


def _check(h, f, eps) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """h and f broadcast together, and eps (..., 1) ready to multiply them."""
    h, f = checks.scores(h=h, f=f)
    h, f = np.broadcast_arrays(h, f)
    eps = checks.epsilon(eps, h.shape[:-1])
    checks.product(eps, f)
    shape = np.broadcast_shapes(h.shape, eps.shape)                  # eps may bring batch axes of its own
    return np.broadcast_to(h, shape), np.broadcast_to(f, shape), eps


def _as_one_sided(h, f, eps, two_sided: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The one-sided problem (scores, f, eps) whose pair and gradient are the wanted ones."""
    h, f, eps = _check(h, f, eps)
    return (exact._tilted(h, f, -eps)[0], f, 2 * eps) if checks.flag("two_sided", two_sided) else (h, f, eps)


# --- one sample -----------------------------------------------------------------------------------------------------

def argmax_pair(h: np.ndarray, f: np.ndarray, eps: float, noise: np.ndarray) -> Pair:
    """z* = argmax(h + gamma) and z*(eps) = argmax(eps f + h + gamma), with one and the same noise."""
    return _argmax_pair(h, f, eps, noise, two_sided=False)


def _argmax_pair(h, f, eps, noise, two_sided: bool) -> Pair:
    """argmax_pair; two-sided, z*(-eps) takes the place of z*."""
    two_sided = checks.flag("two_sided", two_sided)
    h, f, noise = checks.scores(h=h, f=f, noise=noise)
    eps = checks.epsilon(eps, np.broadcast_shapes(h.shape, f.shape, noise.shape)[:-1])
    checks.product(eps, f)
    first, second = (exact._tilted(h, f, step)[0] + noise for step in (-eps if two_sided else 0 * eps, eps))
    return Pair(np.argmax(first, axis=-1), np.argmax(second, axis=-1))


def gradient(h: np.ndarray, f: np.ndarray, eps: float, noise: np.ndarray, two_sided: bool = False) -> np.ndarray:
    """(onehot(z*(eps)) - onehot(z*)) / eps, one estimate a draw of the noise (equation 1).  Returns (..., k).

    Two-sided: (onehot(z*(eps)) - onehot(z*(-eps))) / (2 eps).  Entries are -1, 0 or 1 over eps, or over 2 eps, in units
    of f; they sum to 0.
    """
    first, second = _argmax_pair(h, f, eps, noise, two_sided)
    k = np.shape(noise)[-1]
    width = checks.epsilon(eps) * (2 if two_sided else 1)
    return (gumbel.one_hot(second, k) - gumbel.one_hot(first, k)) / width


def two_sided_gradient(h: np.ndarray, f: np.ndarray, eps: float, noise: np.ndarray) -> np.ndarray:
    """gradient(..., two_sided=True)."""
    return gradient(h, f, eps, noise, two_sided=True)


# --- its mean -------------------------------------------------------------------------------------------------------

def tilted_objective(h: np.ndarray, f: np.ndarray, eps: float) -> np.ndarray:
    """T = (1/eps) log E_q exp(eps f) = (G(h, eps) - G(h, 0)) / eps, whose gradient the estimator follows.

    Returns (...).  T -> E_q f as eps -> 0; T = log E_q p(x given z) at eps = 1 for f = log p(x given z);
    T -> max f as eps -> infinity.
    """
    h, f, eps = _check(h, f, eps)
    tilt = _tilt(h, f, eps)
    # T - f_b = log(Z) / eps.  Z = 1 + rise, rise = eps mean_u:  log1p keeps the digits of a small rise.
    rise = eps * tilt.mean_u
    small = np.where(tilt.moved, 0, rise)
    ratio = clocks.over(np.log1p(small), small)
    scores, largest = exact._tilted(log_softmax(h, axis=-1), f - tilt.f_b, eps)
    log_Z = logsumexp(scores, axis=-1, keepdims=True) + largest
    return (tilt.f_b + np.where(tilt.moved, log_Z / eps, tilt.mean_u * ratio))[..., 0]


class _Tilt(NamedTuple):
    """What exp(eps f) does to q, measured from b, the likeliest value: d = f - f_b, x = eps d, q_eps = q e^x / Z."""

    q: np.ndarray           # (..., k)
    d: np.ndarray           # (..., k)
    f_b: np.ndarray         # (..., 1)
    qu: np.ndarray          # (..., k)    q u,  u = (e^x - 1) / eps
    mean_u: np.ndarray      # (..., 1)    E_q u
    Z: np.ndarray           # (..., 1)    E_q e^x = 1 + eps E_q u
    moved: np.ndarray       # (..., 1)    Z > 2: b has lost more than half of its mass.  Then u may have been cut off.


def _tilt(h: np.ndarray, f: np.ndarray, eps: np.ndarray) -> _Tilt:
    """eps (..., 1) may be negative here."""
    log_q = log_softmax(h, axis=-1)
    q, d = np.exp(log_q), exact._from_likeliest(h, f)
    x = eps * d
    low, high = np.minimum(x, 1), np.maximum(x, 1)
    # Two ways to the same q u.  Up to x = 1:  u = d (e^x - 1) / x, which needs no 1 / eps.  Above it e^x may overflow
    # where q e^x does not:  q (e^x - 1) = q e^x (1 - e^-x); cut off at q e^x = e, where Z > 2 already.
    beyond = np.exp(np.minimum(log_q + high, 1)) * -np.expm1(-high) / eps
    qu = np.where(x <= 1, q * d * clocks.over(np.expm1(low), low), beyond)
    mean_u = qu.sum(axis=-1, keepdims=True)
    Z = 1 + eps * mean_u
    f_b = np.take_along_axis(f, h.argmax(axis=-1)[..., None], axis=-1)
    return _Tilt(q, d, f_b, qu, mean_u, Z, Z > 2)


def expected_gradient(h: np.ndarray, f: np.ndarray, eps: float, two_sided: bool = False) -> np.ndarray:
    """E g = (q_eps - q) / eps, exactly; for a two-sided difference (q_eps - q_{-eps}) / (2 eps).  Returns (..., k).

    With q_eps = q e^x / Z this is q (u - E_q u) / Z, u = (e^x - 1) / eps, which does not subtract probabilities.  As
    u_b = 0 for the likeliest value b, the digits of the others' small q stay.
    """
    h, f, eps = _as_one_sided(h, f, eps, two_sided)
    tilt = _tilt(h, f, eps)
    # Where b has lost half of its mass, at least 1/2k, the plain difference loses no digits.
    difference = (softmax(exact._tilted(h, f, eps)[0], axis=-1) - tilt.q) / eps
    return np.where(tilt.moved, difference, (tilt.qu - tilt.q * tilt.mean_u) / tilt.Z)


def bias(h: np.ndarray, f: np.ndarray, eps: float, two_sided: bool = False) -> np.ndarray:
    """E g - grad_h E_q f, exactly.  Returns (..., k).  O(eps) one-sided, O(eps^2) two-sided; need not be monotone.

    Measure f from its mean: c = f - E_q f, x = eps c.  Then grad_h E_q f = q c, and what is left is of second order:

        C = (cosh x - 1) / eps                      S = (sinh x - x) / eps
        E_i = C_i - E_q C - x_i E_q S               even in eps
        O_i = S_i - E_q S - x_i E_q C               odd in eps
        Z(+-eps) = 1 + eps E_q C +- eps E_q S

        one-sided bias = q (E + O) / Z(eps)
        two-sided bias = q (O (1 + eps E_q C) - E eps E_q S) / (Z(eps) Z(-eps))

    The two-sided bias is the mean of the one-sided ones at eps and -eps; written so, their leading terms are gone.
    """
    h, f, eps = _check(h, f, eps)
    two_sided, tilt = checks.flag("two_sided", two_sided), _tilt(h, f, eps)
    mean_d = (tilt.q * tilt.d).sum(axis=-1, keepdims=True)
    # A large tilt has a bias of the size of the gradient itself: there the difference of the two loses nothing.
    small = ~tilt.moved & (np.abs(eps * mean_d) <= 1)
    if two_sided:
        small &= ~_tilt(h, f, -eps).moved
    difference = expected_gradient(h, f, eps[..., 0], two_sided) - exact.gradient(h, f)

    q, c = tilt.q, np.where(small, tilt.d - mean_d, 0)
    x = eps * c
    qC, qS = _even_and_odd(log_softmax(h, axis=-1), c, eps, two_sided)
    mean_C, mean_S = qC.sum(axis=-1, keepdims=True), qS.sum(axis=-1, keepdims=True)
    qE = qC - q * mean_C - q * x * mean_S
    qO = qS - q * mean_S - q * x * mean_C
    rise, tip = eps * mean_C, eps * mean_S
    if two_sided:
        series = (qO * (1 + rise) - qE * tip) / ((1 + rise + tip) * (1 + rise - tip))
    else:
        series = (qE + qO) / (1 + rise + tip)
    return np.where(small, series, difference)


def _even_and_odd(log_q: np.ndarray, c: np.ndarray, eps: np.ndarray, two_sided: bool) -> tuple[np.ndarray, np.ndarray]:
    """q C and q S, C = (cosh x - 1) / eps, S = (sinh x - x) / eps, x = eps c, with all their digits.

    Up to |x| = 1 by forms that do not subtract:

        C = c (x / 2) (sinh(x / 2) / (x / 2))^2
        S = c x^2 (1/3! + x^2/5! + x^4/7! + ...)

    Beyond it by q e^x, as q may be tiny where e^x overflows.  One-sided only C + S matters, which is free of e^-x: that
    is left out of both.
    """
    q, x = np.exp(log_q), eps * c
    y = np.clip(x, -1, 1)
    sinhc = clocks.over(np.sinh(y / 2), y / 2)
    series = np.zeros(y.shape)
    for n in range(19, 1, -2):                                      # 1/21! is 10^-19 of the first term
        series = 1 / factorial(n) + y**2 * series
    # Not small enough for the series, where |x| > 1.  2 is above log(q e^|x|) wherever the result is used.
    rising = np.exp(np.minimum(log_q + x, 2)) / 2
    falling = np.exp(np.minimum(log_q - x, 2)) / 2 if two_sided else 0.0
    near = np.abs(x) <= 1
    C = np.where(near, q * c * (y / 2) * sinhc**2, (rising + falling - q) / eps)
    S = np.where(near, q * c * y**2 * series, (rising - falling) / eps - q * c)
    return C, S


# --- the coupling law: how the pair moves together ------------------------------------------------------------------

def stay_probability(h: np.ndarray, f: np.ndarray, eps: float, two_sided: bool = False) -> np.ndarray:
    """P(z* = z*(eps) = i), the diagonal of joint_law, in O(k log k) and without a k x k array.  Returns (..., k).

    P(i, i) = w_i / C(a_i) = 1 / sum_j exp(max(h_j - h_i, h_j - h_i + eps (f_j - f_i))): i must beat every j both ways.
    Its sum is the chance that the sampled gradient is zero.
    """
    return clocks.stay(clocks.make(*_as_one_sided(h, f, eps, two_sided)))


def joint_law(h: np.ndarray, f: np.ndarray, eps: float, two_sided: bool = False) -> np.ndarray:
    """P(z* = i, z*(eps) = j), exactly.  Returns (..., k, k), i on the last axis but one.  Two-sided: z*(-eps) = i.

    Off the diagonal only pairs that climb, a_j < a_i, have mass:

        P(i, j) = (w_i w_j / a_j) (F(a_i) - F(a_j)),     F(t) = integral^t ds / C(s)^2

    C is linear between neighbouring a's, A + B s, and there the integral from s0 to s1 is (s1 - s0) / (C(s0) C(s1)):
    positive terms only, nothing cancels.  Rows sum to q, columns to q_eps.
    """
    h, f, eps = _as_one_sided(h, f, eps, two_sided)
    pair = clocks.make(h, f, eps)
    law = eps[..., None] * clocks.move_rates(pair)
    diagonal = np.arange(h.shape[-1])
    law[..., diagonal, diagonal] = clocks.stay(pair)
    return law


# --- what one estimate, or the mean of many, is worth ---------------------------------------------------------------

TOO_SMALL = "be larger: the variance grows as the spread of f over eps"


def variance(h: np.ndarray, f: np.ndarray, eps: float, two_sided: bool = False) -> np.ndarray:
    """Variance of each component of one sampled gradient, exactly, in units of f squared.  Returns (..., k).

    A component is +1/eps where the pair arrives, z*(eps) = i alone, -1/eps where it leaves, z* = i alone, and else 0:
    variance = (arrive + leave - (arrive - leave)^2) / eps^2, written below with positive terms only.
    """
    h, f, eps = _as_one_sided(h, f, eps, two_sided)
    pair = clocks.make(h, f, eps)
    leave, arrive, stay = clocks.leave_rate(pair), clocks.arrive_rate(pair), clocks.stay(pair)
    # q = stay + eps leave, so 1 - eps leave = stay + the q of all others.  It keeps its digits where a move is certain.
    q, q_eps = softmax(h, axis=-1), softmax(exact._tilted(h, f, eps)[0], axis=-1)
    no_leave, no_arrive = stay + _others(q), stay + _others(q_eps)
    with np.errstate(over="ignore"):
        result = (arrive * no_arrive + leave * no_leave + 2 * arrive * (eps * leave)) / eps
    return checks.fits(result, "eps", TOO_SMALL)


def _others(q: np.ndarray) -> np.ndarray:
    """1 - q_i as the sum of all other q's: those before i, and those behind it."""
    before, behind = np.zeros(q.shape), np.zeros(q.shape)
    before[..., 1:] = q[..., :-1].cumsum(axis=-1)
    behind[..., :-1] = q[..., :0:-1].cumsum(axis=-1)[..., ::-1]
    return before + behind


def covariance(h: np.ndarray, f: np.ndarray, eps: float, two_sided: bool = False) -> np.ndarray:
    """Covariance matrix of one sampled gradient, exactly.  Returns (..., k, k); rows and columns sum to 0.

    With P the joint law off its diagonal, D = onehot(z*(eps)) - onehot(z*) has E D = P's column sums - its row sums.
    E D D^T has -(P + P^T) off the diagonal, and on it the sums of P's row and column.

    One outcome (i, j) may be all but certain.  Then D is measured from its value D* there, which changes no covariance
    and leaves only the small chances of the other outcomes, rest in all:

        E (D - D*)            = E' D - rest D*                      E' without the likeliest outcome
        E (D - D*) (D - D*)^T = E' D D^T - E' D D*^T - D* E' D^T + rest D* D*^T
    """
    h, f, eps = _as_one_sided(h, f, eps, two_sided)
    k = h.shape[-1]
    diagonal = np.arange(k)
    pair = clocks.make(h, f, eps)
    P = clocks.move_rates(pair)                                              # chances over eps from here on
    P[..., diagonal, diagonal] = clocks.stay(pair) / eps
    outcomes = P.reshape(h.shape[:-1] + (k * k,))                        # the pair (i, j) at i k + j
    likeliest = outcomes.argmax(axis=-1)
    np.put_along_axis(outcomes, likeliest[..., None], 0.0, axis=-1)
    rest = outcomes.sum(axis=-1, keepdims=True)
    P = outcomes.reshape(P.shape)
    P[..., diagonal, diagonal] = 0                                       # where the pair stays, D = 0
    D_star = gumbel.one_hot(likeliest % k, k) - gumbel.one_hot(likeliest // k, k)

    leave, arrive = P.sum(axis=-1), P.sum(axis=-2)
    mean = arrive - leave
    second = -(P + np.swapaxes(P, -1, -2))
    second[..., diagonal, diagonal] = leave + arrive
    cross = _outer(mean, D_star)
    second += rest[..., None] * _outer(D_star, D_star) - (cross + np.swapaxes(cross, -1, -2))
    mean -= rest * D_star
    with np.errstate(over="ignore", invalid="ignore"):
        result = second / eps[..., None] - _outer(mean, mean)
    return checks.fits(result, "eps", TOO_SMALL)


def _outer(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """(..., k), (..., k) -> (..., k, k)."""
    return one[..., :, None] * other[..., None, :]


def mse(h: np.ndarray, f: np.ndarray, eps: float, samples: int = 1, two_sided: bool = False) -> np.ndarray:
    """E |mean of `samples` gradients - grad_h E_q f|^2 = |bias|^2 + trace(covariance) / samples, exactly.

    Returns (...).  Raises ValueError if samples < 1.
    """
    samples = checks.whole("samples", samples, 1)
    with np.errstate(over="ignore"):
        squared_bias = (bias(h, f, eps, two_sided) ** 2).sum(axis=-1)
        checks.fits(squared_bias, "f", "have a spread below about 1e150, as its square is returned")
        result = squared_bias + variance(h, f, eps, two_sided).sum(axis=-1) / float(samples)
    return checks.fits(result, "eps", TOO_SMALL)


def best_eps(h: np.ndarray, f: np.ndarray, samples: int = 1, two_sided: bool = False) -> np.ndarray:
    """The eps with the least exact mean squared error, of a single gradient unless samples says more.  Returns (...).

    Too small an eps and the rare +-1/eps dominates; too large and the bias does.  The natural unit is 1 over the spread
    max f - min f, in which everything below is computed: a grid over 38 decades of eps finds the right valley, a
    golden-section search its floor, to about seven digits.  The error need not have one valley only, and where q is all
    but certain the best eps grows as one over the gradient: then the grid goes on, up to 150 decades.

    Infinity is returned where no eps on the grid beats it: as eps grows the estimate tends to 0, whose error is
    |grad_h E_q f|^2, and a single noisy sample can be worse than that at every eps.  Where f is constant, or k = 1,
    every eps is perfect and 1 is returned.  Raises ValueError if samples < 1, or if f varies by so little that the best
    eps is no float64.
    """
    samples = checks.whole("samples", samples, 1)
    h, f, _ = _check(h, f, 1.0)
    spread = f.max(axis=-1) - f.min(axis=-1)
    varies = spread > 0
    f = (f - f.max(axis=-1, keepdims=True)) / np.where(varies, spread, 1)[..., None]        # 0 ... -1

    def error(log_eps: np.ndarray) -> np.ndarray:
        return mse(h, f, np.exp(log_eps), samples, two_sided)

    at_infinity = (exact.gradient(h, f) ** 2).sum(axis=-1)                          # the error of the estimate 0
    decades = 2 - np.log10(np.where(at_infinity > 0, at_infinity, 1)) / 2           # beyond 1 / |gradient|
    decades = float(np.clip(decades, 32, 150).max(initial=32))
    grid = np.log(10.0) * np.linspace(-6, decades, round(10 * (6 + decades)) + 1)
    # Many points of the grid at a time, as far as memory allows: errors is (points, ...).
    points, block = grid.reshape((-1,) + (1,) * spread.ndim), max(1, 100_000 // max(h.size, 1))
    errors = np.concatenate([error(points[start:start + block] + np.zeros(spread.shape))
                             for start in range(0, len(grid), block)])
    lowest = np.clip(errors.argmin(axis=0), 1, len(grid) - 2)
    left, right = grid[lowest - 1], grid[lowest + 1]
    golden = (np.sqrt(5) - 1) / 2
    for _ in range(42):                                                              # 0.618^42 = 2e-9 of two grid steps
        inner_left, inner_right = right - golden * (right - left), left + golden * (right - left)
        keep_left = error(inner_left) < error(inner_right)
        left, right = np.where(keep_left, left, inner_left), np.where(keep_left, inner_right, right)
    best = (left + right) / 2
    beats_zero = np.minimum(error(best), errors.min(axis=0)) < at_infinity * (1 - 1e-9)       # by more than rounding
    with np.errstate(over="ignore"):
        in_units_of_f = np.exp(best) / np.where(varies, spread, 1)
    checks.fits(np.where(varies & beats_zero, in_units_of_f, 0), "f", "vary by more, or not at all, for its best eps")
    return np.where(varies, np.where(beats_zero, in_units_of_f, np.inf), 1.0)
