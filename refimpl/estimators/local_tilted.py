"""The estimator `local-tilted` is coordinate-wise `direct`, averaged over the noise of each coordinate.

    grad_{h_i} = (softmax(h_i + eps f_i) - softmax(h_i)) / eps,    f_i(c) = f(z with z_i replaced by c), for a sample z

Given the other coordinates, the estimate is the conditional mean of the coordinate-wise direct gradient of h_i.
Coordinate-wise `direct` has the same bias and needs the same number of evaluations, but it has more noise.
As eps -> 0, the estimate tends to local expectation.
"""
from __future__ import annotations

import numpy as np

from refimpl import direct
from refimpl.arguments import temperature
from refimpl.estimators.base import Estimate, Objective
from refimpl.estimators.sampling import sample


def estimate(h: np.ndarray, objective: Objective, rng: np.random.Generator, *, eps: float) -> Estimate:
    """Compute the estimate with 1 + n (k - 1) decoder evaluations."""
    eps = temperature("eps", eps)
    table = objective.table(sample(h, rng))
    return Estimate(direct.expected_gradient(h, table.f, eps), table.at_z)
