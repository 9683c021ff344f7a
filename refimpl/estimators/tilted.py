"""The mean of direct at finite eps by enumeration, without noise: the gradient of the objective that direct ascends.

    grad = (E_{q_eps} grad h - E_q grad h) / eps,    q_eps(z) = q(z) exp(eps f(z)) / E_q exp(eps f)

is the exact gradient of the tilted objective T = (1/eps) log E_q exp(eps f).  With one variable it is the mean of
`direct`, (q_eps - q) / eps.  With several it is the mean of the gradient of Theorem 1 with a Gumbel variable for every
joint value.
"""
from __future__ import annotations

import numpy as np

from refimpl import direct, joint
from refimpl.arguments import temperature
from refimpl.estimators.base import Estimate, Objective


def gradient(h: np.ndarray, f: np.ndarray, eps: float) -> np.ndarray:
    """Return grad_h T, (B, n, k), from f of every joint value, (B, K)."""
    change = direct.expected_gradient(joint.log_q(h), f, eps)               # (q_eps - q) / eps of every joint value
    return (change @ joint.one_hots(*h.shape[1:])).reshape(h.shape)         # its marginals


def estimate(h: np.ndarray, objective: Objective, rng: np.random.Generator, *, eps: float) -> Estimate:
    """Return the estimate, biased as direct is but without noise; the decoder learns from all values, weighted by q."""
    h, eps = h.astype(np.float64), temperature("eps", eps)
    table = objective.joint_table()
    return Estimate(gradient(h, table.f, eps), table.weighted(np.exp(joint.log_q(h))))
