"""The exact gradient of the tilted objective T = (1/eps) log E_q exp(eps f), by enumeration, without noise.

    grad = (E_{q_eps} grad h - E_q grad h) / eps,    q_eps(z) = q(z) exp(eps f(z)) / E_q exp(eps f)

For one variable, `grad` is (q_eps - q) / eps, the mean of `direct` at this eps.  For several variables, `grad` would be
the mean of equation (1) if every joint value had its own Gumbel variable.
"""
from __future__ import annotations

import numpy as np

from refimpl import direct, joint
from refimpl.arguments import temperature
from refimpl.estimators.base import Estimate, Objective


def gradient(h: np.ndarray, f: np.ndarray, eps: float) -> np.ndarray:
    """Return grad_h T as an array of shape (B, n, k).  f has shape (B, k^n): one column for each joint value."""
    change = direct.expected_gradient(joint.log_q(h), f, eps)               # (q_eps - q) / eps for every joint value
    return (change @ joint.one_hots(*h.shape[1:])).reshape(h.shape)         # summed for each value of each variable


def estimate(h: np.ndarray, objective: Objective, rng: np.random.Generator, *, eps: float) -> Estimate:
    """Return the estimate.  The decoder learns from all joint values, weighted by q."""
    h, eps = h.astype(np.float64), temperature("eps", eps)
    table = objective.joint_table()
    return Estimate(gradient(h, table.f, eps), table.weighted(np.exp(joint.log_q(h))))
