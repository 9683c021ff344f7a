"""In Gumbel-softmax (Maddison et al.; Jang et al., ICLR 2017), a softmax replaces the arg max of the Gumbel-max trick.

    z = softmax((h + gamma) / tau)      is differentiable, so grad_h f(z) = J df/dz / tau,  J = diag(z) - z z^T

This is a biased estimate of grad_h E_q f at every tau > 0, because f is evaluated between the one-hot vectors, at
points that a discrete z never reaches.  For pair scores, the softmax runs over all joint values (see relax() of each
family).
"""
from __future__ import annotations

import numpy as np

from refimpl.arguments import temperature
from refimpl.estimators.base import Estimate, Objective
from refimpl.gumbel import one_hot
from refimpl.latent.family import Family
from refimpl.latent.independent import Independent


def estimate(theta: np.ndarray, objective: Objective, rng: np.random.Generator, *, tau: float,
             family: Family | None = None) -> Estimate:
    """Return the gradient of f at the relaxed sample.  The decoder also learns from the relaxed sample."""
    family = family or Independent(*theta.shape[1:])
    relaxed = family.relax(theta, rng, temperature("tau", tau))
    run = objective.run(relaxed.z)
    return Estimate(relaxed.back(run.df_dz()), run)


def straight_through_estimate(h: np.ndarray, objective: Objective, rng: np.random.Generator, *,
                              tau: float) -> Estimate:
    """Return the straight-through estimate: f and df/dz are computed at the hard sample, onehot(argmax(h + gamma)).

    df/dz is then passed back to h as if z had been the relaxed sample.
    """
    relaxed = Independent(*h.shape[1:]).relax(h, rng, temperature("tau", tau))
    run = objective.run(one_hot(relaxed.z.argmax(axis=-1), h.shape[-1]))
    return Estimate(relaxed.back(run.df_dz()), run)
