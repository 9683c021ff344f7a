"""Compute the direct gradient: a difference of two arg maxes replaces the derivative of an arg max (Theorem 1).

    z*      = argmax(h + gamma)                        z*(eps) = argmax(eps f + h + gamma), with the same gamma
    g       = (onehot(z*(eps)) - onehot(z*)) / eps     one sample of the estimator of grad_h E f(z*)
    E g     = (q_eps - q) / eps                        exactly, with q = softmax(h) and q_eps = softmax(h + eps f)
            = grad_h T,  T = (1/eps) log E_q exp(eps f)

At finite eps, g is an unbiased estimate of the gradient of the tilted objective T.  As an estimate of the gradient of
E_q f, g has the bias (eps/2) grad Var_q f + O(eps^2).  The joint law of z* and z*(eps) is known exactly (joint_law).
The joint law gives the variance, the covariance and the mean squared error.  best_eps() minimises this error.

The two-sided estimator (onehot(z*(eps)) - onehot(z*(-eps))) / (2 eps) has a bias of O(eps^2).  It equals the one-sided
estimator for the scores h - eps f and the step 2 eps, and the code computes it in this way (_digits.as_one_sided).

Shapes: h, f and noise have shape (..., k), where the last axis runs over the values of z, and batch axes broadcast. eps
is a number from 1e-305 to 1e305, or an array of such numbers that broadcasts with the batch axes.  Scores and eps f may
be as large as 1e300 in absolute value.  If several values of z tie, which has probability 0, the one with the lowest
index is the arg max.  If k = 1, all gradients, biases and variances are 0, and stay_probability is 1.

"Exactly" means up to rounding, even if eps is tiny or some q(z) is almost 1.  In these cases, a difference of
probabilities loses its digits.  So each small number is computed as a sum of small terms.  These terms are divided by
eps before they can underflow.
"""
from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.special import log_softmax, logsumexp

from refimpl import arguments, gumbel
from refimpl._digits import as_one_sided, checked, mean_change, ratio, tilt, tilted
from refimpl.coupling import covariance, joint_law, stay_probability, variance
from refimpl.finite_eps import best_eps, bias, mse

__all__ = ["Pair", "argmax_pair", "best_eps", "bias", "covariance", "expected_gradient", "gradient", "joint_law", "mse",
           "stay_probability", "tilted_objective", "two_sided_gradient", "variance"]


class Pair(NamedTuple):
    """Holds two integer arrays of shape (...): the two arg maxes for each draw of the noise."""

    z_star: np.ndarray
    z_eps: np.ndarray


def argmax_pair(h: np.ndarray, f: np.ndarray, eps: float, noise: np.ndarray) -> Pair:
    """Return z* = argmax(h + gamma) and z*(eps) = argmax(eps f + h + gamma), computed with the same noise."""
    return _argmax_pair(h, f, eps, noise, two_sided=False)


def _argmax_pair(h, f, eps, noise, two_sided: bool) -> Pair:
    two_sided = arguments.flag("two_sided", two_sided)
    h, f, noise = arguments.scores(h=h, f=f, noise=noise)
    eps = arguments.epsilon(eps, np.broadcast_shapes(h.shape, f.shape, noise.shape)[:-1])
    arguments.perturbation(eps, f)
    first, second = (tilted(h, f, step)[0] + noise for step in (-eps if two_sided else 0 * eps, eps))
    return Pair(np.argmax(first, axis=-1), np.argmax(second, axis=-1))


def gradient(h: np.ndarray, f: np.ndarray, eps: float, noise: np.ndarray, two_sided: bool = False) -> np.ndarray:
    """Return an array of shape (..., k): one direct gradient for each draw of the noise (equation 1).

    A direct gradient is (onehot(z*(eps)) - onehot(z*)) / eps.  Each entry is 0, 1/eps or -1/eps.  If `two_sided` is
    True, the gradient is (onehot(z*(eps)) - onehot(z*(-eps))) / (2 eps), and each entry is 0, 1/(2 eps) or -1/(2 eps).
    In both cases the gradient is in units of f, and its entries sum to 0.
    """
    first, second = _argmax_pair(h, f, eps, noise, two_sided)
    k = np.shape(noise)[-1]
    width = arguments.epsilon(eps) * (2 if two_sided else 1)
    return (gumbel.one_hot(second, k) - gumbel.one_hot(first, k)) / width


def two_sided_gradient(h: np.ndarray, f: np.ndarray, eps: float, noise: np.ndarray) -> np.ndarray:
    """Return gradient(h, f, eps, noise, two_sided=True)."""
    return gradient(h, f, eps, noise, two_sided=True)


def expected_gradient(h: np.ndarray, f: np.ndarray, eps: float, two_sided: bool = False) -> np.ndarray:
    """Return an array of shape (..., k): the exact mean of the gradient, E g = (q_eps - q) / eps.

    If `two_sided` is True, the mean is (q_eps - q_{-eps}) / (2 eps).
    """
    return mean_change(*as_one_sided(h, f, eps, two_sided))


def tilted_objective(h: np.ndarray, f: np.ndarray, eps: float) -> np.ndarray:
    """Return an array of shape (...): T = (1/eps) log E_q exp(eps f).

    The gradient of T with respect to h is expected_gradient.  T tends to E_q f as eps -> 0, and to max f as
    eps -> infinity.  If f = log p(x given z) and eps = 1, then T = log E_q p(x given z).
    """
    h, f, eps = checked(h, f, eps)
    change = tilt(h, f, eps)
    # T - f_b = log(Z) / eps with Z = 1 + rise and rise = eps mean_u.  log1p keeps the digits of a small `rise`.
    rise = eps * change.mean_u
    small = np.where(change.moved, 0, rise)
    mean_slope = ratio(np.log1p(small), small)
    scores, largest = tilted(log_softmax(h, axis=-1), f - change.f_b, eps)
    log_Z = logsumexp(scores, axis=-1, keepdims=True) + largest
    return (change.f_b + np.where(change.moved, log_Z / eps, change.mean_u * mean_slope))[..., 0]
