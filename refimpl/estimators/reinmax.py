"""ReinMax (Liu et al., NeurIPS 2023) corrects the straight-through gradient to second order, by Heun's method.

    D = onehot sample, p = softmax(h), pi = (softmax(h / tau) + D) / 2, g = df/dD, J(p) = diag(p) - p p^T
    grad = 2 J(pi) g - J(p) g / 2

The estimate is unbiased if f is quadratic and tau = 1, and biased otherwise.
"""
from __future__ import annotations

import numpy as np
from scipy.special import softmax

from refimpl.arguments import temperature
from refimpl.estimators.base import Estimate, Objective
from refimpl.estimators.sampling import sample
from refimpl.latent.independent import through_softmax


def estimate(h: np.ndarray, objective: Objective, rng: np.random.Generator, *, tau: float) -> Estimate:
    """Return the estimate, from one decoder evaluation."""
    tau = temperature("tau", tau)
    D = sample(h, rng)
    run = objective.run(D)
    g = run.df_dz()
    pi = (softmax(h / tau, axis=-1) + D) / 2
    return Estimate(2 * through_softmax(pi, g) - through_softmax(softmax(h, axis=-1), g) / 2, run)
