"""The exact gradient, by enumeration of all joint values.  It has no variance.  For n = 1 it is q (f - E_q f)."""
from __future__ import annotations

import numpy as np

from refimpl import joint
from refimpl.estimators.base import Estimate, Objective


def estimate(h: np.ndarray, objective: Objective, rng: np.random.Generator) -> Estimate:
    """Return grad_h E_q f.  The decoder learns from all joint values, weighted by q."""
    table = objective.joint_table()
    q = np.exp(joint.log_q(h.astype(np.float64)))
    return Estimate(joint.gradient(h, table.f), table.weighted(q))
