"""Gumbel-Rao (Paulus et al., ICLR 2021) averages the straight-through gradient over the noise, given the arg max.

    b = onehot(argmax(h + gamma)),    g = df/dz at b,    z = softmax((h + gamma) / tau)
    straight-through: J(z) g / tau,   J(z) = diag(z) - z z^T
    here:             1/m sum of J(z_j) g / tau,   z_j from m draws of gamma given that b is the arg max

f is evaluated only at b, so the average needs no further evaluation.  Averaging keeps the mean and the bias of the
straight-through gradient, and lowers the variance (Rao and Blackwell).  As m grows, the variance falls towards the
variance of E[J(z) given b] g / tau.  The noise given b is drawn by gumbel.sample_given_argmax.
"""
from __future__ import annotations

import numpy as np
from scipy.special import softmax

from refimpl import gumbel
from refimpl.arguments import COUNTS, integer, temperature
from refimpl.estimators.base import Estimate, Objective
from refimpl.estimators.sampling import sample
from refimpl.latent.independent import through_softmax

SAMPLES = 10


def estimate(h: np.ndarray, objective: Objective, rng: np.random.Generator, *, tau: float,
             samples: int = SAMPLES) -> Estimate:
    """Return the estimate from one decoder evaluation.  `samples` is m, the number of draws of the noise given b."""
    tau, samples = temperature("tau", tau), integer("samples", samples, 1, COUNTS)
    b = sample(h, rng)
    run = objective.run(b)
    g, total = run.df_dz(), np.zeros(h.shape)
    for _ in range(samples):
        z = softmax((h + gumbel.sample_given_argmax(h, b.argmax(axis=-1), rng)) / tau, axis=-1)
        total += through_softmax(z, g)
    return Estimate(total / (samples * tau), run)
