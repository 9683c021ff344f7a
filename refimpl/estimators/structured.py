"""Gradients through a pairwise encoder: direct optimisation with any solver, and Gumbel-softmax over all 2^n joint values.

    S(z) = sum_i (u_i + gamma_i) z_i + sum_{i<j} w_ij z_i z_j,      gamma_i = gamma_i(1) - gamma_i(0), low-dimensional noise
    z* = argmax S,   z*(eps) = argmax of S with u_i + eps (f(z* with z_i = 1) - f(z* with z_i = 0)) in the place of u_i
    d/du_i: (z_i(eps) - z_i*) / eps        d/dw_ij: (z_i z_j at z*(eps) - z_i z_j at z*) / eps

The pair (u, w) plays the part of h; perturbed this way z* is not a sample of the Gibbs distribution exp(S), and q has no closed form.
"""
from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.special import softmax

from refimpl import gumbel
from refimpl.argmax import enumeration
from refimpl.argmax.base import products
from refimpl.estimators.base import Objective, Point
from refimpl.estimators.sampling import positive, through_softmax


class StructuredEstimate(NamedTuple):
    """grad_u (B, n) and grad_w (B, n (n-1)/2) in nats an image, and what the decoder learns from."""

    grad_u: np.ndarray
    grad_w: np.ndarray
    latent: Point


def to_one_hot(z: np.ndarray) -> np.ndarray:
    """(B, n) of 0 and 1 to (B, n, 2) one-hot."""
    return np.stack([1 - z, z], axis=-1).astype(np.float64)


def perturb(u: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """u plus the low-dimensional noise of each variable, gamma_i(1) - gamma_i(0), in the dtype of u."""
    gamma = gumbel.sample(u.shape + (2,), rng)
    return u + (gamma[..., 1] - gamma[..., 0]).astype(u.dtype)


def _difference(z_eps: np.ndarray, z_star: np.ndarray, eps: float, latent: np.ndarray) -> StructuredEstimate:
    z_eps, z_star = z_eps.astype(np.float64), z_star.astype(np.float64)
    return StructuredEstimate((z_eps - z_star) / eps, (products(z_eps) - products(z_star)) / eps, Point(latent))


def direct_estimate(u: np.ndarray, w: np.ndarray, objective: Objective, rng: np.random.Generator, *, eps: float,
                    argmax: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> StructuredEstimate:
    """Two arg maxes by the solver, f by the table of single changes around z*; the decoder learns from z*."""
    perturbed = perturb(u, rng)
    z_star = argmax(perturbed, w)
    latent = to_one_hot(z_star)
    table = objective.table(latent)
    z_eps = argmax(perturbed + np.asarray(positive("eps", eps) * (table[..., 1] - table[..., 0]), perturbed.dtype), w)
    return _difference(z_eps, z_star, eps, latent)


def direct_joint_estimate(u: np.ndarray, w: np.ndarray, objective: Objective, rng: np.random.Generator, *, eps: float,
                          argmax: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> StructuredEstimate:
    """The exact perturbed arg max, of eps f(z) + S(z) over all z, by enumeration whatever the solver (which finds z*)."""
    perturbed = perturb(u, rng)
    z_star = argmax(perturbed, w)
    total = positive("eps", eps) * objective.joint_table() + enumeration.all_scores(perturbed, w)
    return _difference(enumeration.all_values(u.shape[1])[total.argmax(axis=1)], z_star, eps, to_one_hot(z_star))


def gumbel_softmax_estimate(u: np.ndarray, w: np.ndarray, objective: Objective, rng: np.random.Generator, *,
                            tau: float, argmax: object = None) -> StructuredEstimate:
    """Gumbel-softmax over the 2^n joint values, a Gumbel variable each: exponential in n, as slide 32 shows."""
    n = u.shape[1]
    scores = enumeration.all_scores(u, w)
    weights = softmax((scores + gumbel.sample(scores.shape, rng)) / positive("tau", tau), axis=1)       # (B, 2^n)
    phi = enumeration.features(n, weights.dtype)                                                        # z and its products
    z = to_one_hot(weights @ phi[:, :n])
    _, df_dz = objective.score_and_grad(z)
    df_dweights = (df_dz[..., 1] - df_dz[..., 0]) @ phi[:, :n].T
    through = through_softmax(weights, df_dweights) / tau @ phi                                         # d/du and d/dw
    return StructuredEstimate(through[:, :n], through[:, n:], Point(z))


REGISTRY: dict[str, Callable[..., StructuredEstimate]] = {
    "direct": direct_estimate, "direct-joint": direct_joint_estimate, "gumbel-softmax": gumbel_softmax_estimate}
