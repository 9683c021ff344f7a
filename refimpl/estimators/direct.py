"""Direct optimisation through arg max (Theorem 1), for any family of latent variables.

    grad = (grad h(z*(eps)) - grad h(z*)) / eps,    z* = argmax(h + gamma),    z*(eps) = argmax(eps f + h + gamma)

The method features(z) of a family returns grad_theta h(z).  For independent variables, features(z) is the one-hot z.
For pairwise scores, it is z and all products z_i z_j.  The decoder learns from z*, which is a plain sample of q.
"""
from __future__ import annotations

import numpy as np

from refimpl.arguments import temperature
from refimpl.estimators.base import Estimate, Objective
from refimpl.latent.family import Family
from refimpl.latent.independent import Independent


def estimate(theta: np.ndarray, objective: Objective, rng: np.random.Generator, *, eps: float,
             family: Family | None = None) -> Estimate:
    """Return the estimate of Theorem 1, from f at z* and at all z that differ from z* in one variable (slides 18, 30).

    If there is only one variable, f is computed at every value, and z*(eps) is the arg max of the theorem.  If there
    are several variables, this arg max is approximated by

        z*(eps) = argmax of  eps sum_i f(z*_1 ... z_i ... z*_n) + h(z) + gamma

    Term i of the sum is the value of f at z* with z_i in place of z*_i.
    """
    family, eps = family or Independent(*theta.shape[1:]), temperature("eps", eps)
    noisy = family.perturb(theta, rng)                                      # h + gamma
    z_star = family.argmax(noisy)
    table = objective.table(z_star)                                         # f around z*
    z_eps = family.argmax(family.tilt(noisy, eps * table.f))                # the same gamma
    grad = (family.features(z_eps) - family.features(z_star)) / eps         # equation (1)
    return Estimate(grad, table.at_z)


def two_sided_estimate(theta: np.ndarray, objective: Objective, rng: np.random.Generator, *, eps: float,
                       family: Family | None = None) -> Estimate:
    """Return the two-sided estimate (grad h(z*(eps)) - grad h(z*(-eps))) / (2 eps).

    Its bias is O(eps^2) for n = 1.  This function needs as many decoder evaluations as the function `estimate`.
    """
    family, eps = family or Independent(*theta.shape[1:]), temperature("eps", eps)
    noisy = family.perturb(theta, rng)
    z_star = family.argmax(noisy)
    table = objective.table(z_star)
    z_plus = family.argmax(family.tilt(noisy, eps * table.f))
    z_minus = family.argmax(family.tilt(noisy, -eps * table.f))
    grad = (family.features(z_plus) - family.features(z_minus)) / (2 * eps)
    return Estimate(grad, table.at_z)


def joint_estimate(theta: np.ndarray, objective: Objective, rng: np.random.Generator, *, eps: float,
                   family: Family | None = None) -> Estimate:
    """Return the estimate with the exact joint arg max of slide 29, which is found by enumeration:

        z*(eps) = argmax over all z of  eps f(z_1 ... z_n) + h(z) + gamma

    The noise is low-dimensional: each value of each variable has one Gumbel variable, and the noise of a joint value is
    the sum of the Gumbel variables of its n values.
    """
    family, eps = family or Independent(*theta.shape[1:]), temperature("eps", eps)
    noisy = family.perturb(theta, rng)
    z_star = family.argmax(noisy)
    z_eps = family.joint_argmax(noisy, eps * objective.joint_table().f)
    grad = (family.features(z_eps) - family.features(z_star)) / eps
    return Estimate(grad, objective.run(z_star, counted=False))             # f(z*) is in the table already
