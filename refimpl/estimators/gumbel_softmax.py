"""Gumbel-softmax (Maddison et al.; Jang et al., ICLR 2017): the arg max of Gumbel-max replaced by a softmax.

    z = softmax((h + gamma) / tau)      is differentiable, so grad_h f(z) = J df/dz / tau,  J = diag(z) - z z^T

Biased for E_q f at every tau > 0: f is evaluated between the corners of the simplex, where no z of the model lies.
"""
from __future__ import annotations

import numpy as np
from scipy.special import softmax

from refimpl import gumbel
from refimpl.estimators.base import Estimate, Objective, Point
from refimpl.estimators.sampling import positive, through_softmax


def _relaxed_sample(h: np.ndarray, rng: np.random.Generator, tau: float) -> np.ndarray:
    return softmax((h + gumbel.sample(h.shape, rng)) / positive("tau", tau), axis=-1)


def estimate(h: np.ndarray, objective: Objective, rng: np.random.Generator, *, tau: float) -> Estimate:
    """The gradient of f at the relaxed sample; the decoder learns from the relaxed sample too."""
    z = _relaxed_sample(h, rng, tau)
    _, df_dz = objective.score_and_grad(z)
    return Estimate(through_softmax(z, df_dz) / tau, Point(z))


def straight_through_estimate(h: np.ndarray, objective: Objective, rng: np.random.Generator, *, tau: float) -> Estimate:
    """Straight-through: forward with the hard sample argmax(h + gamma), backward as if it had been the relaxed one."""
    z = _relaxed_sample(h, rng, tau)
    hard = gumbel.one_hot(z.argmax(axis=-1), h.shape[-1])
    _, df_dz = objective.score_and_grad(hard)
    return Estimate(through_softmax(z, df_dz) / tau, Point(hard))
