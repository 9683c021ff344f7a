"""Direct optimisation through arg max (Theorem 1): z*, f around it, and z*(eps) with the same noise."""
from __future__ import annotations

import numpy as np

from refimpl import direct, gumbel, joint
from refimpl.estimators.base import Estimate, Objective, Point


def _sample(h: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """(noise, z* one-hot), both (B, n, k)."""
    noise = gumbel.sample(h.shape, rng)
    return noise, gumbel.one_hot(gumbel.argmax(h, noise), h.shape[-1])


def estimate(h: np.ndarray, objective: Objective, rng: np.random.Generator, *, eps: float) -> Estimate:
    """(onehot(z*(eps)) - onehot(z*)) / eps, coordinate by coordinate (slides 18 and 30).

    With one latent variable the table holds f of every value and the arg max is the theorem's.  With several,

        z_i(eps) = argmax over z_i of  eps f(z*_1 ... z_i ... z*_n) + h_i(z_i) + gamma_i(z_i)

    is an approximation of the joint arg max: each coordinate moves as if the others stayed at z*.  The decoder learns from
    z*, which is a plain sample of q.
    """
    noise, z_star = _sample(h, rng)
    f = objective.table(z_star)
    return Estimate(direct.gradient(h, f, eps, noise), Point(z_star))


def two_sided_estimate(h: np.ndarray, objective: Objective, rng: np.random.Generator, *, eps: float) -> Estimate:
    """The same with both signs, (onehot(z*(eps)) - onehot(z*(-eps))) / (2 eps): bias O(eps^2) for n = 1, at no more cost."""
    noise, z_star = _sample(h, rng)
    f = objective.table(z_star)
    return Estimate(direct.two_sided_gradient(h, f, eps, noise), Point(z_star))


def joint_estimate(h: np.ndarray, objective: Objective, rng: np.random.Generator, *, eps: float) -> Estimate:
    """The joint perturbed arg max of slide 29, exactly, by enumeration:

        z*(eps) = argmax over all z of  eps f(z_1 ... z_n) + sum_i h_i(z_i) + sum_i gamma_i(z_i)

    The noise is low-dimensional, n k numbers for k^n joint values, so that z* is still the coordinate-wise arg max.
    """
    if not (np.isfinite(eps) and eps > 0):
        raise ValueError(f"eps must be above 0 and finite, got {eps}")
    n, k = h.shape[1:]
    noise, z_star = _sample(h, rng)
    z_eps = joint_argmax(h + noise, objective.joint_table(), eps)
    return Estimate((gumbel.one_hot(z_eps, k) - z_star) / eps, Point(z_star))


def joint_argmax(perturbed: np.ndarray, f: np.ndarray, eps: float) -> np.ndarray:
    """argmax over all joint z of eps f(z) + sum_i perturbed_i(z_i).  perturbed (B, n, k), f (B, K) -> integers (B, n)."""
    n, k = perturbed.shape[1:]
    total = eps * f + perturbed.reshape(len(perturbed), n * k) @ joint.one_hots(n, k).T
    return joint.values(n, k)[total.argmax(axis=-1)]
