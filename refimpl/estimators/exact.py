"""Enumeration, "unbiased" on the slides: q (f - E_q f), with f of every value of z.  No noise and no variance."""
from __future__ import annotations

import numpy as np

from refimpl import exact, gumbel
from refimpl.estimators.base import Estimate, Mixture, Objective


def estimate(h: np.ndarray, objective: Objective, rng: np.random.Generator) -> Estimate:
    """grad_h E_q f itself; the decoder learns from all values, weighted by q.  h: (B, 1, k)."""
    if h.shape[1] != 1:
        raise ValueError(f"h must have shape (B, 1, k) for enumeration, got {h.shape}")
    f = objective.table()
    return Estimate(exact.gradient(h, f), Mixture(gumbel.choice_probabilities(h)[:, 0]))
