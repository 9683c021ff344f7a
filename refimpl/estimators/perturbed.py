"""Perturbed optimisers (Berthet et al., NeurIPS 2020): a score-function estimator from the density of the noise.

Adding a number to a score has the same effect as adding it to the noise of this score.  So the density of the noise can
be differentiated instead of the law of z*.  The negative derivative of the log density, -d log F'(gamma) / d gamma,
is 1 - X, where X = exp(-(gamma + c)) is a standard exponential variable (gumbel.py).

    grad = (f(z*) - baseline) (1 - X),    E grad = grad_h E f(z*)

Let b = onehot(z*).  For independent variables, E[1 - X given b] = b - q.  So the conditional mean of this estimator
given b is the REINFORCE estimate.  Both estimators have the same mean and need equally many evaluations, but REINFORCE
has less variance than `perturbed` (Rao and Blackwell).  The advantage of `perturbed` is that the law of z* need not be
known.  But every score must have its own noise, so `perturbed` cannot be used for families with pair scores.

The baseline is the same moving average as in REINFORCE.  The paper uses no baseline.
"""
from __future__ import annotations

import numpy as np

from refimpl.estimators.base import Estimate, Memory, Objective
from refimpl.estimators.reinforce import centred, memory
from refimpl.gumbel import EULER
from refimpl.latent.family import Family
from refimpl.latent.independent import Independent

__all__ = ["estimate", "memory"]


def estimate(theta: np.ndarray, objective: Objective, rng: np.random.Generator, *, memory: Memory,
             family: Family | None = None) -> Estimate:
    """Return an unbiased estimate of grad_theta E f(z*).  It is computed from one z* per image.

    Raises ValueError if the family does not perturb every score.
    """
    family = family or Independent(*theta.shape[1:])
    if not family.noise_on_every_score:
        raise ValueError("family must perturb every score: 1 - X is not defined for a score without noise")
    noise = family.noise(theta, rng)                                        # gamma
    z_star = family.argmax(theta + noise)
    run = objective.run(z_star)
    signal = centred(run, memory, lambda: objective.run(family.sample(theta, rng)).f.mean())
    X = np.exp(-noise - EULER)                                    # exponential with mean 1
    return Estimate(signal.reshape((-1,) + (1,) * (theta.ndim - 1)) * (1 - X), run)
