"""The direct gradient: a difference of two arg maxes instead of the derivative of one (Theorem 1, equation 1).

    z*      = argmax(h + gamma)                        z*(eps) = argmax(eps f + h + gamma), the same gamma
    g       = (onehot(z*(eps)) - onehot(z*)) / eps     one sample of the estimator of grad_h E f(z*)
    E g     = (q_eps - q) / eps                        exactly, q = softmax(h), q_eps = softmax(h + eps f)
            = grad_h T,  T = (1/eps) log E_q exp(eps f)

At finite eps the estimator is unbiased for the tilted objective T, and biased by (eps/2) grad Var_q f + O(eps^2) for
E_q f.  Everything about it is known exactly, because the joint law of the pair (z*, z*(eps)) is: joint_law.  From it
follow variance, covariance, mean squared error, and the best eps for a number of samples.

Two-sided, (onehot(z*(eps)) - onehot(z*(-eps))) / 2 eps has bias O(eps^2).  It is nothing new: the same pair, seen from
the scores h - eps f, with 2 eps.  That is how two_sided=True is computed throughout (see _digits.as_one_sided).

Shapes: h, f, noise (..., k), the last axis over the values of z, batch axes broadcast; eps > 0, a number or an array
over the batch axes.  Ties have probability 0 and go to the lowest index.  With k = 1 there is nothing to choose: all
gradients, biases and variances are 0, stay_probability is 1.  eps may be 1e-305 ... 1e305; scores and eps f may be as
large as 1e300 in absolute value.

"Exactly" means up to rounding, even where eps is tiny or some q(z) is almost 1.  There, differences of probabilities
would cancel, so none is taken:
what is small is written as a sum of small terms, and divided by eps before it can underflow.
"""
from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.special import log_softmax, logsumexp

from refimpl import arguments, gumbel
from refimpl._digits import as_one_sided, checked, mean_change, ratio, tilt, tilted
from refimpl.coupling import covariance, joint_law, stay_probability, variance
from refimpl.error import best_eps, bias, mse

__all__ = ["Pair", "argmax_pair", "best_eps", "bias", "covariance", "expected_gradient", "gradient", "joint_law", "mse",
           "stay_probability", "tilted_objective", "two_sided_gradient", "variance"]


class Pair(NamedTuple):
    """The two arg maxes of one draw of the noise, integers (...)."""

    z_star: np.ndarray
    z_eps: np.ndarray


def argmax_pair(h: np.ndarray, f: np.ndarray, eps: float, noise: np.ndarray) -> Pair:
    """z* = argmax(h + gamma) and z*(eps) = argmax(eps f + h + gamma), with one and the same noise."""
    return _argmax_pair(h, f, eps, noise, two_sided=False)


def _argmax_pair(h, f, eps, noise, two_sided: bool) -> Pair:
    """argmax_pair; two-sided, z*(-eps) takes the place of z*."""
    two_sided = arguments.flag("two_sided", two_sided)
    h, f, noise = arguments.scores(h=h, f=f, noise=noise)
    eps = arguments.epsilon(eps, np.broadcast_shapes(h.shape, f.shape, noise.shape)[:-1])
    arguments.perturbation(eps, f)
    first, second = (tilted(h, f, step)[0] + noise for step in (-eps if two_sided else 0 * eps, eps))
    return Pair(np.argmax(first, axis=-1), np.argmax(second, axis=-1))


def gradient(h: np.ndarray, f: np.ndarray, eps: float, noise: np.ndarray, two_sided: bool = False) -> np.ndarray:
    """(onehot(z*(eps)) - onehot(z*)) / eps, one estimate per draw of the noise (equation 1).  Returns (..., k).

    Two-sided: (onehot(z*(eps)) - onehot(z*(-eps))) / (2 eps).  Entries are -1, 0 or 1 over eps, or over 2 eps, in units
    of f; they sum to 0.
    """
    first, second = _argmax_pair(h, f, eps, noise, two_sided)
    k = np.shape(noise)[-1]
    width = arguments.epsilon(eps) * (2 if two_sided else 1)
    return (gumbel.one_hot(second, k) - gumbel.one_hot(first, k)) / width


def two_sided_gradient(h: np.ndarray, f: np.ndarray, eps: float, noise: np.ndarray) -> np.ndarray:
    """gradient(..., two_sided=True)."""
    return gradient(h, f, eps, noise, two_sided=True)


def expected_gradient(h: np.ndarray, f: np.ndarray, eps: float, two_sided: bool = False) -> np.ndarray:
    """E g = (q_eps - q) / eps, exactly; for a two-sided difference (q_eps - q_{-eps}) / (2 eps).  Returns (..., k)."""
    return mean_change(*as_one_sided(h, f, eps, two_sided))


def tilted_objective(h: np.ndarray, f: np.ndarray, eps: float) -> np.ndarray:
    """T = (1/eps) log E_q exp(eps f) = (G(h, eps) - G(h, 0)) / eps, whose gradient the estimator follows.

    Returns (...).  T -> E_q f as eps -> 0; T = log E_q p(x given z) at eps = 1 for f = log p(x given z);
    T -> max f as eps -> infinity.
    """
    h, f, eps = checked(h, f, eps)
    change = tilt(h, f, eps)
    # T - f_b = log(Z) / eps.  Z = 1 + rise, rise = eps mean_u:  log1p keeps the digits of a small rise.
    rise = eps * change.mean_u
    small = np.where(change.moved, 0, rise)
    mean_slope = ratio(np.log1p(small), small)
    scores, largest = tilted(log_softmax(h, axis=-1), f - change.f_b, eps)
    log_Z = logsumexp(scores, axis=-1, keepdims=True) + largest
    return (change.f_b + np.where(change.moved, log_Z / eps, change.mean_u * mean_slope))[..., 0]
