"""Local expectation at finite eps: coordinate-wise direct, with the noise of each coordinate averaged out.

    grad_{h_i} = (softmax(h_i + eps f_i) - softmax(h_i)) / eps,    f_i(c) = f(z_1 ... z_i = c ... z_n) around a sample z

It relates to `tilted` as local expectation does to the exact gradient: it is the mean of the coordinate-wise direct
gradient of z_i given the other coordinates.  For the same number of evaluations it has the bias of direct and little of
its noise.  So it differs from direct only by noise, and from local expectation only by bias.
"""
from __future__ import annotations

import numpy as np

from refimpl import direct
from refimpl.arguments import temperature
from refimpl.estimators.base import Estimate, Objective
from refimpl.estimators.sampling import sample


def estimate(h: np.ndarray, objective: Objective, rng: np.random.Generator, *, eps: float) -> Estimate:
    """Return the estimate, biased as direct is, from 1 + n (k - 1) decoder evaluations."""
    eps = temperature("eps", eps)
    table = objective.table(sample(h, rng))
    return Estimate(direct.expected_gradient(h, table.f, eps), table.at_z)
