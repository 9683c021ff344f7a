"""Coordinate-wise direct with its noise averaged out, as far as one sample allows: local expectation at finite eps.

    grad_{h_i} = (softmax(h_i + eps f_i) - softmax(h_i)) / eps,    f_i(c) = f(z_1 ... z_i = c ... z_n) around a sample z

What local expectation is to the exact gradient, this is to `tilted`: the mean of the coordinate-wise direct gradient of
z_i, given the others.  For the same evaluations it has direct's bias and little of its noise, so that between the two
only noise is left, and between it and local expectation only bias.
"""
from __future__ import annotations

import numpy as np

from refimpl import direct
from refimpl.arguments import temperature
from refimpl.estimators.base import Estimate, Objective
from refimpl.estimators.sampling import sample


def estimate(h: np.ndarray, objective: Objective, rng: np.random.Generator, *, eps: float) -> Estimate:
    """Biased as direct is; 1 + n (k - 1) decoder evaluations."""
    eps = temperature("eps", eps)
    table = objective.table(sample(h, rng))
    return Estimate(direct.expected_gradient(h, table.f, eps), table.at_z)
