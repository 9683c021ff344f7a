"""The noise-space score function of perturbed optimisers (Berthet et al., NeurIPS 2020): 1 - X, X = exp(-(gamma + c)).

A shift of a score is a shift of its noise, so grad_h falls on the density of the noise: -d log F'(gamma) / d gamma is
1 - X, with X a standard exponential variable, the waiting time of an alarm clock at rate 1 (gumbel.py).

    grad = (f(z*) - baseline) (1 - X),    E grad = grad_h E f(z*)

The noise that did not decide stays in it.  For independent variables E[1 - X given z* = b] = b - q, so that REINFORCE
is its conditional mean: the same mean, less variance, at the same evaluations (Rao and Blackwell).  What it has over
REINFORCE is that it asks for no law of z*: it serves an arg max whose q nobody knows, if every score has its own noise.
That is why it does not serve every family: pair scores have no noise, and no shift of noise is a shift of theirs.

The baseline is REINFORCE's moving average, so that the two differ in this one thing.  The paper has none.
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
    """Unbiased; f at one z.  ValueError for a family that perturbs some of its scores only."""
    family = family or Independent(*theta.shape[1:])
    if not family.noise_on_every_score:
        raise ValueError("family must perturb every score: 1 - X says nothing of a score without noise")
    noise = family.noise(theta, rng)                                        # gamma
    z_star = family.argmax(theta + noise)
    run = objective.run(z_star)
    signal = centred(run, memory, lambda: objective.run(family.sample(theta, rng)).f.mean())
    X = np.exp(-noise - EULER)                                    # of mean 1
    return Estimate(signal.reshape((-1,) + (1,) * (theta.ndim - 1)) * (1 - X), run)
