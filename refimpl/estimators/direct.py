"""Direct optimisation through arg max (Theorem 1): z*, the table of f around it, and z*(eps) with the same noise."""
from __future__ import annotations

import numpy as np

from refimpl import checks, direct, gumbel
from refimpl.estimators.base import Estimate, Objective, Point


def estimate(h: np.ndarray, objective: Objective, rng: np.random.Generator, *, eps: float) -> Estimate:
    """(onehot(z*(eps)) - onehot(z*)) / eps, coordinate by coordinate (slides 18 and 30).

    With one latent variable the table holds f of every value and the arg max is the theorem's.  The decoder learns from
    z*, which is a plain sample of q.
    """
    noise = gumbel.sample(h.shape, rng)
    z_star = checks.one_hot(gumbel.argmax(h, noise), h.shape[-1])
    f = objective.table(z_star)
    return Estimate(direct.gradient(h, f, eps, noise), Point(z_star))
