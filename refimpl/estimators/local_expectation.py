"""Local expectation (Titsias and Lazaro-Gredilla, NIPS 2015): each coordinate enumerated, the others sampled.

    grad_{h_i} = q_i (f_i - sum_c q_i(c) f_i(c)),     f_i(c) = f(z_1 ... z_i = c ... z_n) around a sample z

Unbiased: the inner expectation is exact, the outer one sampled.  It is what the coordinate-wise direct gradient tends
to as eps -> 0, averaged over the noise of z_i given the others, for the same number of decoder evaluations.
"""
from __future__ import annotations

import numpy as np

from refimpl import exact
from refimpl.estimators.base import Estimate, Objective
from refimpl.estimators.sampling import sample


def estimate(h: np.ndarray, objective: Objective, rng: np.random.Generator) -> Estimate:
    """Unbiased; 1 + n (k - 1) decoder evaluations."""
    table = objective.table(sample(h, rng))
    return Estimate(exact.gradient(h, table.f), table.at_z)
