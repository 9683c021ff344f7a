"""Danskin's theorem and the proof of Theorem 1, with a function for each step (supplement, equations 2 to 4).

The prediction generating function

    G(h, eps) = E_gamma max_z { eps f(z) + h(z) + gamma(z) }

is an average of maxima of linear functions.  Each maximum has kinks.  Away from the kinks, its derivative is the slope
of the highest line (Danskin).  But G itself has no kinks, so the two orders of differentiation give the same mixed
derivative:

    d/dh d/deps G = d/dh  E f(z*(eps))          (equation 3)
    d/deps d/dh G = d/deps E onehot(z*(eps))    (equation 4)

At eps = 0, the right side of equation 3 is the gradient of E f(z*).  The right side of equation 4 is the limit, as eps
-> 0, of the mean of (onehot(z*(eps)) - onehot(z*)) / eps.

In this file, derivatives are taken with respect to the scores h, so grad h(z) = onehot(z).  The chain rule then gives
the derivatives with respect to the weights of an encoder.  h, f and noise have shape (..., k), where the last axis runs
over the values of z.  eps is a number, or an array that broadcasts with the batch axes.  eps may be 0 or negative.
Scores, noise and eps f may be as large as 1e300 in absolute value.
"""
from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.special import logsumexp, softmax

from refimpl import arguments
from refimpl._digits import checked, from_likeliest, tilted

# The step of the complex-step derivative.  It can be this small because the method subtracts nothing, so no digits
# are lost.
COMPLEX_STEP = 1e-25


class PerturbedMax(NamedTuple):
    """Holds two arrays of shape (...): the maximum `value` and the arg max `z_eps`, for each draw of the noise."""

    value: np.ndarray
    z_eps: np.ndarray


def perturbed_max(h: np.ndarray, f: np.ndarray, eps: float, noise: np.ndarray) -> PerturbedMax:
    """Return the maximum and the arg max over z of eps f(z) + h(z) + gamma(z), for each draw of the noise.

    As a function of eps, the maximum is the upper envelope of k lines, where line z has the slope f(z).  Suppose that a
    single line z_eps attains the maximum.  By Danskin's theorem, the maximum then has the derivative f(z_eps)
    with respect to eps, and the gradient onehot(z_eps) with respect to h.  At a kink, two lines attain the
    maximum.  Then z_eps is the line with the lower index, and every number between the slopes of the two lines is a
    subgradient.  Kinks have probability 0.
    """
    h, f, noise = arguments.scores(h=h, f=f, noise=noise)
    eps = arguments.epsilon(eps, np.broadcast_shapes(h.shape, f.shape, noise.shape)[:-1], positive=False)
    arguments.perturbation(eps, f)
    scores, largest = tilted(h, f, eps)                             # h + eps f = scores + largest
    total = scores + noise
    z_eps = np.argmax(total, axis=-1)
    return PerturbedMax((np.take_along_axis(total, z_eps[..., None], axis=-1) + largest)[..., 0], z_eps)


def G(h: np.ndarray, f: np.ndarray, eps: float) -> np.ndarray:
    """Return G(h, eps) = logsumexp(h + eps f) for noise with mean zero.  The result has shape (...)."""
    scores, largest = tilted(*checked(h, f, eps, positive=False))             # h + eps f = scores + largest
    return logsumexp(scores, axis=-1) + largest[..., 0]


def G_monte_carlo(h: np.ndarray, f: np.ndarray, eps: float, noise: np.ndarray) -> np.ndarray:
    """Estimate G by the mean of perturbed_max(...).value over the samples of the noise.  The result has shape (...).

    noise has shape (samples, ..., k), and each sample broadcasts with h, f and eps.  The standard error is the standard
    deviation of perturbed_max(...).value over the samples, divided by sqrt(samples).
    """
    (h,), (f,), (noise,) = arguments.scores(h=h), arguments.scores(f=f), arguments.scores(noise=noise)
    arguments.epsilon(eps, positive=False)                             # perturbed_max checks that it broadcasts
    if noise.ndim < 2 or noise.shape[0] == 0:
        raise ValueError(f"noise must have shape (samples, ..., k) with samples >= 1, got shape {noise.shape}")
    axes = max(np.ndim(h), np.ndim(f), np.ndim(eps) + 1)            # the number of axes of one sample
    noise = noise.reshape(noise.shape[:1] + (1,) * (axes + 1 - noise.ndim) + noise.shape[1:])
    return perturbed_max(h, f, eps, noise).value.mean(axis=0)


def dG_deps(h: np.ndarray, f: np.ndarray, eps: float) -> np.ndarray:
    """Return dG/deps = E f(z*(eps)) = q_eps . f, where q_eps = softmax(h + eps f).  The result has shape (...)."""
    h, f, eps = checked(h, f, eps, positive=False)
    return (softmax(tilted(h, f, eps)[0], axis=-1) * f).sum(axis=-1)


def dG_dh(h: np.ndarray, f: np.ndarray, eps: float) -> np.ndarray:
    """Return dG/dh = E onehot(z*(eps)) = q_eps = softmax(h + eps f).  The result has shape (..., k)."""
    return softmax(tilted(*checked(h, f, eps, positive=False))[0], axis=-1)


def d2G_dh_deps(h: np.ndarray, f: np.ndarray, eps: float) -> np.ndarray:
    """Return the gradient of dG/deps with respect to h (equation 3).  The result has shape (..., k).

    The formula follows from dG/deps = q_eps . f and the Jacobian of a softmax, diag(q) - q q^T.
    """
    h, f, eps = checked(h, f, eps, positive=False)
    scores, _ = tilted(h, f, eps)
    q_eps = softmax(scores, axis=-1)
    jacobian = q_eps[..., :, None] * (np.eye(q_eps.shape[-1]) - q_eps[..., None, :])     # d q_eps(z) / d h(z')
    return (jacobian @ from_likeliest(scores, f)[..., None])[..., 0]


def d2G_deps_dh(h: np.ndarray, f: np.ndarray, eps: float) -> np.ndarray:
    """Return the derivative of dG/dh with respect to eps (equation 4).  The result has shape (..., k).

    The derivative of u(eps) = softmax(h + eps f) is computed by a complex step: Im u(eps + i s) / s with a tiny s.  The
    result is exact up to rounding, because nothing is subtracted.
    """
    h, f, eps = checked(h, f, eps, positive=False)
    scores, _ = tilted(h, f, eps)
    slope = from_likeliest(scores, f)
    scale = np.abs(slope).max(axis=-1, keepdims=True)               # so that slope times the step is small
    slope = slope / np.where(scale > 0, scale, 1)
    weights = np.exp(scores + 1j * COMPLEX_STEP * slope)
    return (weights / weights.sum(axis=-1, keepdims=True)).imag / COMPLEX_STEP * scale
