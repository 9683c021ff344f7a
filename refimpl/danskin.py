"""Danskin's theorem and the proof of Theorem 1, step by step, in functions (supplement, equations 2 to 4).

The prediction generating function

    G(h, eps) = E_gamma max_z { eps f(z) + h(z) + gamma(z) }

is an average of maxima of linear functions.  Each maximum has kinks, yet away from them its derivative is the slope of
the line that wins (Danskin); averaged over the noise the kinks are gone, and both orders of the mixed derivative agree:

    d/dh d/deps G = d/dh  E f(z*(eps))          at eps = 0 the gradient of E f(z*)                         (equation 3)
    d/deps d/dh G = d/deps E onehot(z*(eps))    at eps = 0 the limit of a difference of two arg maxes      (equation 4)

The scores h themselves are the parameter here, so grad h(z) = onehot(z); the chain rule to the weights of an encoder is
linear.  Shapes: h, f, noise (..., k), the last axis over the values of z; eps a number or an array over the batch axes.
eps may be 0 or negative: G is smooth through 0, which is where the theorem takes its derivative.  Scores, noise and
eps f may be as large as 1e300 in absolute value.
"""
from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.special import logsumexp, softmax

from refimpl import arguments
from refimpl._digits import from_likeliest, tilted

# Step of the complex-step derivative.  There is no subtraction, hence no cancellation: it may be as small as it likes.
COMPLEX_STEP = 1e-25


class PerturbedMax(NamedTuple):
    """The maximum for each draw of the noise: its value (...), and the index (...) of the line it lies on."""

    value: np.ndarray
    z_eps: np.ndarray


def _check(h, f, eps) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """h, f and eps (..., 1), checked; eps may have any sign."""
    h, f = arguments.scores(h=h, f=f)
    eps = arguments.epsilon(eps, np.broadcast_shapes(h.shape, f.shape)[:-1], positive=False)
    arguments.perturbation(eps, f)
    return h, f, eps


def perturbed_max(h: np.ndarray, f: np.ndarray, eps: float, noise: np.ndarray) -> PerturbedMax:
    """max_z {eps f(z) + h(z) + gamma(z)} and the z that attains it, for each draw of the noise.

    As a function of eps this is the upper envelope of k lines, line z with slope f(z).  Danskin: where one line z_eps
    wins alone, the derivative in eps is its slope f(z_eps), and the derivative in h is onehot(z_eps).  At a kink,
    where two lines tie (probability 0), the lower index is reported; every slope between the two is a subgradient.
    """
    h, f, noise = arguments.scores(h=h, f=f, noise=noise)
    eps = arguments.epsilon(eps, np.broadcast_shapes(h.shape, f.shape, noise.shape)[:-1], positive=False)
    arguments.perturbation(eps, f)
    scores, largest = tilted(h, f, eps)                             # h + eps f = scores + largest
    total = scores + noise
    z_eps = np.argmax(total, axis=-1)
    return PerturbedMax((np.take_along_axis(total, z_eps[..., None], axis=-1) + largest)[..., 0], z_eps)


def G(h: np.ndarray, f: np.ndarray, eps: float) -> np.ndarray:
    """G(h, eps) exactly: logsumexp(h + eps f), with no constant because the noise has mean zero.  Returns (...)."""
    scores, largest = tilted(*_check(h, f, eps))             # h + eps f = scores + largest
    return logsumexp(scores, axis=-1) + largest[..., 0]


def G_monte_carlo(h: np.ndarray, f: np.ndarray, eps: float, noise: np.ndarray) -> np.ndarray:
    """G by its definition: the mean of the perturbed maximum over draws of the noise.

    noise: (samples, ..., k); the first axis is averaged over, the others broadcast with those of h, f and eps.
    Returns (...).  The standard error is the standard deviation of perturbed_max(...).value over sqrt(samples).
    """
    (h,), (f,), (noise,) = arguments.scores(h=h), arguments.scores(f=f), arguments.scores(noise=noise)
    arguments.epsilon(eps, positive=False)                             # whether it broadcasts, perturbed_max will see
    if noise.ndim < 2 or noise.shape[0] == 0:
        raise ValueError(f"noise must have shape (samples, ..., k) with samples >= 1, got shape {noise.shape}")
    axes = max(np.ndim(h), np.ndim(f), np.ndim(eps) + 1)            # of one sample; missing ones go behind the first
    noise = noise.reshape(noise.shape[:1] + (1,) * (axes + 1 - noise.ndim) + noise.shape[1:])
    return perturbed_max(h, f, eps, noise).value.mean(axis=0)


def dG_deps(h: np.ndarray, f: np.ndarray, eps: float) -> np.ndarray:
    """dG/deps = E f(z*(eps)) = sum_z q_eps(z) f(z), q_eps = softmax(h + eps f).  Returns (...)."""
    h, f, eps = _check(h, f, eps)
    return (softmax(tilted(h, f, eps)[0], axis=-1) * f).sum(axis=-1)


def dG_dh(h: np.ndarray, f: np.ndarray, eps: float) -> np.ndarray:
    """dG/dh = E onehot(z*(eps)) = q_eps = softmax(h + eps f).  Returns (..., k)."""
    return softmax(tilted(*_check(h, f, eps))[0], axis=-1)


def d2G_dh_deps(h: np.ndarray, f: np.ndarray, eps: float) -> np.ndarray:
    """d/dh of dG/deps, the order of equation 3: first E f(z*(eps)), then its gradient in h.  Returns (..., k).

    Route: algebra.  dG/deps = q_eps . f, and the Jacobian of a softmax is diag(q) - q q^T, written out in full.
    """
    h, f, eps = _check(h, f, eps)
    scores, _ = tilted(h, f, eps)
    q_eps = softmax(scores, axis=-1)
    jacobian = q_eps[..., :, None] * (np.eye(q_eps.shape[-1]) - q_eps[..., None, :])     # d q_eps(z) / d h(z')
    return (jacobian @ from_likeliest(scores, f)[..., None])[..., 0]


def d2G_deps_dh(h: np.ndarray, f: np.ndarray, eps: float) -> np.ndarray:
    """d/deps of dG/dh, the order of equation 4: first E onehot(z*(eps)), then its derivative in eps.  Returns (..., k).

    Route: no algebra at all.  The complex step d/deps u(eps) = Im u(eps + i s) / s, exact to rounding because nothing
    is subtracted, applied to softmax(h + eps f) evaluated at a complex eps.
    """
    h, f, eps = _check(h, f, eps)
    scores, _ = tilted(h, f, eps)
    slope = from_likeliest(scores, f)
    scale = np.abs(slope).max(axis=-1, keepdims=True)               # times the step it is small, in any unit of f
    slope = slope / np.where(scale > 0, scale, 1)
    weights = np.exp(scores + 1j * COMPLEX_STEP * slope)
    return (weights / weights.sum(axis=-1, keepdims=True)).imag / COMPLEX_STEP * scale
