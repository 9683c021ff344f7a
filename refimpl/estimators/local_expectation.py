"""Local expectation (Titsias and Lazaro-Gredilla, NIPS 2015) enumerates each coordinate and samples the others.

    grad_{h_i} = q_i (f_i - sum_c q_i(c) f_i(c)),     f_i(c) = f(z with z_i replaced by c), for a sample z

The estimate is unbiased: the expectation over z_i is exact, and the expectation over the other coordinates is sampled.
The estimate needs as many decoder evaluations as `direct` with the coordinate-wise arg max.  If all
coordinates except z_i are fixed, the average of `direct` over the noise of z_i tends to the estimate above as eps -> 0.
"""
from __future__ import annotations

import numpy as np

from refimpl import exact
from refimpl.estimators.base import Estimate, Objective
from refimpl.estimators.sampling import sample


def estimate(h: np.ndarray, objective: Objective, rng: np.random.Generator) -> Estimate:
    """Return the estimate.  It needs 1 + n (k - 1) decoder evaluations."""
    table = objective.table(sample(h, rng))
    return Estimate(exact.gradient(h, table.f), table.at_z)
