"""Gumbel-softmax (Maddison et al.; Jang et al., ICLR 2017): the arg max of Gumbel-max replaced by a softmax.

    z = softmax((h + gamma) / tau)      is differentiable, so grad_h f(z) = J df/dz / tau,  J = diag(z) - z z^T

It is biased for E_q f at every tau > 0, because f is evaluated between the one-hot vectors, where no z of the model
lies.  With pair scores the softmax is over all joint values: see each family's relax().
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
    """Return the gradient of f at the relaxed sample; the decoder learns from the relaxed sample too."""
    family = family or Independent(*theta.shape[1:])
    relaxed = family.relax(theta, rng, temperature("tau", tau))
    run = objective.run(relaxed.z)
    return Estimate(relaxed.back(run.df_dz()), run)


def straight_through_estimate(h: np.ndarray, objective: Objective, rng: np.random.Generator, *,
                              tau: float) -> Estimate:
    """Run the hard sample argmax(h + gamma) forward, and return the gradient as if it had been the relaxed sample."""
    relaxed = Independent(*h.shape[1:]).relax(h, rng, temperature("tau", tau))
    run = objective.run(one_hot(relaxed.z.argmax(axis=-1), h.shape[-1]))
    return Estimate(relaxed.back(run.df_dz()), run)
