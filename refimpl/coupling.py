"""Compute the exact joint law of the pair of arg maxes (z*, z*(eps)).  This result is not in the paper.

    E_z = exp(-(h_z + gamma_z + c))   the time at which alarm clock z rings.  It is exponential with rate w_z = exp(h_z)
    z*       the z with the smallest E_z
    z*(eps)  the z with the smallest a_z E_z,    a_z = exp(-eps f_z)

We say that a draw leaves i if z* = i and z*(eps) != i, that it arrives at j if z*(eps) = j and z* != j, and that it
moves from i to j if it does both.  The class Clocks computes the probability that both arg maxes are i, and the rate
of each of these three events, which is the probability of the event divided by eps.  All four quantities are sums of
positive terms, computed in logs, so no digits are lost, even if eps or q(z) is very small.  The joint law follows from
these four quantities, and so do the variance and the covariance of one sampled gradient.

The arguments have the same shapes as in direct.py.  The functions check their arguments, but the class Clocks does not.
"""
from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.special import log_softmax, softmax

from refimpl import arguments, gumbel
from refimpl._digits import as_one_sided, others, ratio, tilted

# --- the law of the pair, and the variance of one sampled gradient ---------------------------------------------------

def stay_probability(h: np.ndarray, f: np.ndarray, eps: float, two_sided: bool = False) -> np.ndarray:
    """Return an array of shape (..., k): P(z* = z*(eps) = i), the diagonal of joint_law.

    In the one-sided case, i must win twice: with the scores h and with the scores h + eps f.  The probability is
    1 / sum_j exp(max(h_j - h_i, h_j - h_i + eps (f_j - f_i))).  The sum over all i is the probability that the sampled
    gradient is zero.  The computation takes O(k log k) time and makes no k x k array.
    """
    return Clocks.of(*as_one_sided(h, f, eps, two_sided)).stay()


def joint_law(h: np.ndarray, f: np.ndarray, eps: float, two_sided: bool = False) -> np.ndarray:
    """Return an array of shape (..., k, k): the exact P(z* = i, z*(eps) = j) in row i and column j.

    If `two_sided` is True, z*(-eps) takes the place of z*.  Otherwise, let w = exp(h), a = exp(-eps f) and
    C(s) = sum_z w_z max(1, s / a_z).  If f_j <= f_i and i != j, P(i, j) is 0.  If f_j > f_i, that is a_j < a_i,

        P(i, j) = (w_i w_j / a_j) (I(a_i) - I(a_j)),     I(t) = integral_0^t ds / C(s)^2

    C is linear between neighbouring values s0 < s1 of a, so I(s1) - I(s0) = (s1 - s0) / (C(s0) C(s1)).  All terms are
    positive, so no digits are lost.  Row i sums to q_i, and column j sums to q_eps(j).
    """
    h, f, eps = as_one_sided(h, f, eps, two_sided)
    pair = Clocks.of(h, f, eps)
    law = eps[..., None] * pair.move_rates()
    diagonal = np.arange(h.shape[-1])
    law[..., diagonal, diagonal] = pair.stay()
    return law


TOO_SMALL = "be larger: the variance grows as the spread of f over eps"


def variance(h: np.ndarray, f: np.ndarray, eps: float, two_sided: bool = False) -> np.ndarray:
    """Return an array of shape (..., k): the exact variance of each component of one sampled gradient.

    The unit is the square of the unit of f.

    In the one-sided case, component i is +1/eps if z*(eps) = i and z* != i.  It is -1/eps if z* = i and z*(eps) != i,
    and 0 otherwise.  Let `arrive` and `leave` be the probabilities of +1/eps and -1/eps.  The variance is
    (arrive + leave - (arrive - leave)^2) / eps^2.  The code computes it as a sum of positive terms.  Raises
    ValueError if eps is so small that the variance overflows.
    """
    h, f, eps = as_one_sided(h, f, eps, two_sided)
    pair = Clocks.of(h, f, eps)
    leave, arrive, both = pair.leave_rate(), pair.arrive_rate(), pair.stay()
    # q_i = stay_i + eps leave_i.  So 1 - eps leave_i = stay_i + the q of all other values, a sum of positive terms,
    # which keeps its digits even if a move is almost certain.
    q, q_eps = softmax(h, axis=-1), softmax(tilted(h, f, eps)[0], axis=-1)
    no_leave, no_arrive = both + others(q), both + others(q_eps)
    with np.errstate(over="ignore"):
        result = (arrive * no_arrive + leave * no_leave + 2 * arrive * (eps * leave)) / eps
    return arguments.no_overflow(result, "eps", TOO_SMALL)


def covariance(h: np.ndarray, f: np.ndarray, eps: float, two_sided: bool = False) -> np.ndarray:
    """Return an array of shape (..., k, k): the exact covariance matrix of one sampled gradient.

    Each row and each column of the matrix sums to 0.

    Let D = onehot(z*(eps)) - onehot(z*), and let P be the joint law with 0 on its diagonal.  Let c be the column sums
    of P, and let r be the row sums.  Then E D = c - r.  On the diagonal, E D D^T is c + r.  Off the diagonal,
    E D D^T is -(P + P^T).

    If one outcome (i, j) is almost certain, the difference E D D^T - (E D)(E D)^T loses digits.  Let D* be the D of the
    likeliest outcome.  The code subtracts the constant D* from D.  This changes no covariance.  Let E' be the part of
    the sum E that belongs to all other outcomes, and let `rest` be the probability of these outcomes:

        E (D - D*)            = E' D - rest D*
        E (D - D*) (D - D*)^T = E' D D^T - E' D D*^T - D* E' D^T + rest D* D*^T
    """
    h, f, eps = as_one_sided(h, f, eps, two_sided)
    k = h.shape[-1]
    diagonal = np.arange(k)
    pair = Clocks.of(h, f, eps)
    P = pair.move_rates()                                               # from here on, probabilities divided by eps
    P[..., diagonal, diagonal] = pair.stay() / eps
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
    return arguments.no_overflow(result, "eps", TOO_SMALL)


def _outer(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    return one[..., :, None] * other[..., None, :]


# --- the clocks -------------------------------------------------------------------------------------------------------

class Clocks(NamedTuple):
    """Sorts the values of z by s = eps f = -log a, from the largest s to the smallest.

    The perturbation eps f favours the first value in this order most.  All numbers are stored as logs, because eps f
    can span thousands of nats for a real image.
    """

    order: np.ndarray       # (..., k)    sorts the values of z from the largest s to the smallest
    log_w: np.ndarray       # (..., k)    log of w in this order; the w sum to 1
    s: np.ndarray           # (..., k)    s minus its maximum in this order, so it falls from 0
    log_fall: np.ndarray    # (..., k-1)  log((e^{s_m} - e^{s_{m+1}}) / eps), -inf where s_m = s_{m+1}
    log_D: np.ndarray       # (..., k)    log of C(a_z) / a_z,  C(t) = sum_z w_z max(1, t / a_z)

    @classmethod
    def of(cls, h: np.ndarray, f: np.ndarray, eps: np.ndarray) -> Clocks:
        order = np.argsort(-f, axis=-1, kind="stable")
        f = np.take_along_axis(f, order, axis=-1)
        log_w = np.take_along_axis(log_softmax(h, axis=-1), order, axis=-1)
        s = eps * (f - f[..., :1])
        drop = f[..., :-1] - f[..., 1:]
        step = eps * drop                                                # s_m - s_{m+1}, rounded only once
        mean_slope = ratio(-np.expm1(-step), step)
        with np.errstate(divide="ignore"):
            log_fall = s[..., :-1] + np.log(drop * mean_slope)           # e^{s_m} (1 - e^-step) / eps
        # C(a_i) / a_i = (sum of w_j e^{s_j} over all j before i, which are favoured more) + e^{s_i} (sum of w_j over i
        # and all j after i).  Both sums are running sums over the sorted values; the first one is shifted by one place.
        favoured_more = np.full(s.shape, -np.inf)
        favoured_more[..., 1:] = np.logaddexp.accumulate(log_w + s, axis=-1)[..., :-1]
        others = np.logaddexp.accumulate(log_w[..., ::-1], axis=-1)[..., ::-1]
        return cls(order, log_w, s, log_fall, np.logaddexp(favoured_more, s + others))

    def _unsort(self, values: np.ndarray) -> np.ndarray:
        result = np.empty(values.shape)
        np.put_along_axis(result, self.order, values, axis=-1)
        return result

    def stay(self) -> np.ndarray:
        """Return an array of shape (..., k): P(z* = z*(eps) = i) = w_i / C(a_i)."""
        return self._unsort(np.exp(self.log_w + self.s - self.log_D))

    def leave_rate(self) -> np.ndarray:
        """Return an array of shape (..., k): P(z* = i, z*(eps) != i) / eps.

        The rate is (q_i - P(i, i)) / eps = w_i (C(a_i) - 1) / (eps C(a_i)).  In both forms, the subtraction would lose
        digits.  Summation by parts turns C(a_i) - 1 into a sum of positive terms:

            C(a_i) - 1 = e^{-s_i} sum_{m < i} (e^{s_m} - e^{s_{m+1}}) (w_1 + ... + w_m)
        """
        log_W = np.logaddexp.accumulate(self.log_w, axis=-1)
        log_excess = np.full(self.s.shape, -np.inf)                        # the most favoured value never leaves
        log_excess[..., 1:] = np.logaddexp.accumulate(self.log_fall + log_W[..., :-1], axis=-1)
        return self._unsort(np.exp(self.log_w + log_excess - self.log_D))

    def _log_piece(self) -> np.ndarray:
        """Return an array of shape (..., k-1): log(piece m / eps).  Piece m is an integral from a_m to a_{m+1}."""
        # The integrand is 1 / C(t)^2.  With C(a_m) = a_m D and C(a_{m+1}) = a_{m+1} D', piece m is
        # (a_{m+1} - a_m) / (C(a_m) C(a_{m+1})) = (e^{s_m} - e^{s_{m+1}}) / (D D')
        return self.log_fall - self.log_D[..., :-1] - self.log_D[..., 1:]

    def arrive_rate(self) -> np.ndarray:
        """Return an array of shape (..., k): P(z*(eps) = j, z* != j) / eps.  No k x k array is made.

        The rate is the sum of column j of move_rates.  In sorted order, entry i > j of the column is (w_i w_j / a_j)
        times the sum of the pieces m = j ... i-1 (see _log_piece).  Piece m is part of every entry i > m, so its factor
        in the sum is (w_j / a_j) (w_{m+1} + w_{m+2} + ...).
        """
        log_behind = np.logaddexp.accumulate(self.log_w[..., ::-1], axis=-1)[..., -2::-1]       # log(w_{m+1} + ...)
        log_terms = self._log_piece() + log_behind
        log_sum = np.full(self.s.shape, -np.inf)                           # no pair arrives at the least favoured value
        log_sum[..., :-1] = np.logaddexp.accumulate(log_terms[..., ::-1], axis=-1)[..., ::-1]     # over m from j on
        return self._unsort(np.exp(self.log_w + self.s + log_sum))

    def move_rates(self) -> np.ndarray:
        """Return an array of shape (..., k, k): joint_law divided by eps, with 0 on the diagonal."""
        k = self.s.shape[-1]
        # Row j is the running sum of the pieces m = j, j+1, ...: its entry i-1 is log (I(a_i) - I(a_j)).
        from_j = np.where(np.arange(k)[:, None] <= np.arange(k - 1), self._log_piece()[..., None, :], -np.inf)
        log_I = np.logaddexp.accumulate(from_j, axis=-1)
        log_climb = self.log_w[..., 1:, None] + (self.log_w + self.s)[..., None, :]                   # i from 1, j
        sorted_law = np.zeros(self.s.shape + (k,))                                                        # (..., i, j)
        sorted_law[..., 1:, :] = np.exp(log_climb + np.swapaxes(log_I, -1, -2))
        back = np.argsort(self.order, axis=-1)                             # from the sorted order to the caller's
        law = np.take_along_axis(sorted_law, back[..., :, None], axis=-2)
        return np.take_along_axis(law, back[..., None, :], axis=-1)
