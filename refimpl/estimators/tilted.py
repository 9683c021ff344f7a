"""The mean of direct at finite eps without its noise, by enumeration: the gradient of what direct really ascends.

    grad = (E_{q_eps} grad h - E_q grad h) / eps,    q_eps(z) = q(z) exp(eps f(z)) / E_q exp(eps f)

is the exact gradient of the tilted objective T = (1/eps) log E_q exp(eps f).  With one variable it is direct's own
mean, (q_eps - q) / eps.  With several it is the mean that Theorem 1 has, with a Gumbel variable for every joint value.
"""
from __future__ import annotations

import numpy as np

from refimpl import direct, joint
from refimpl.arguments import temperature
from refimpl.estimators.base import Estimate, Objective


def gradient(h: np.ndarray, f: np.ndarray, eps: float) -> np.ndarray:
    """grad_h T, (B, n, k), from f (B, K) of every joint value."""
    change = direct.expected_gradient(joint.log_q(h), f, eps)               # (q_eps - q) / eps of every joint value
    return (change @ joint.one_hots(*h.shape[1:])).reshape(h.shape)         # its margins


def estimate(h: np.ndarray, objective: Objective, rng: np.random.Generator, *, eps: float) -> Estimate:
    """Biased as direct is, and silent; the decoder learns from all joint values, weighted by q."""
    h, eps = h.astype(np.float64), temperature("eps", eps)
    table = objective.joint_table()
    return Estimate(gradient(h, table.f, eps), table.weighted(np.exp(joint.log_q(h))))
