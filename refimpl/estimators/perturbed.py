"""The noise-space score function of perturbed optimisers (Berthet et al., NeurIPS 2020): 1 - X, X = exp(-(gamma + c)).

Shifting a score is the same as shifting its noise, so grad_h can be moved to the density of the noise.  Its score
function -d log F'(gamma) / d gamma is 1 - X, where X is a standard exponential variable, the waiting time of an alarm
clock of rate 1 (gumbel.py).

    grad = (f(z*) - baseline) (1 - X),    E grad = grad_h E f(z*)

For independent variables E[1 - X given z* = b] = b - q, so REINFORCE is the conditional mean of this estimator given b:
the same mean, less variance, and the same evaluations (Rao and Blackwell).  The advantage over REINFORCE is that the
law of z* need not be known.  But every score must have its own noise, so families with pair scores are not served.

The baseline is REINFORCE's moving average, so the two estimators differ only in 1 - X.  The paper has no baseline.
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
    """Return the unbiased estimate, from f at one z.  Raises ValueError if the family does not perturb every score."""
    family = family or Independent(*theta.shape[1:])
    if not family.noise_on_every_score:
        raise ValueError("family must perturb every score: 1 - X is not defined for a score without noise")
    noise = family.noise(theta, rng)                                        # gamma
    z_star = family.argmax(theta + noise)
    run = objective.run(z_star)
    signal = centred(run, memory, lambda: objective.run(family.sample(theta, rng)).f.mean())
    X = np.exp(-noise - EULER)                                    # of mean 1
    return Estimate(signal.reshape((-1,) + (1,) * (theta.ndim - 1)) * (1 - X), run)
