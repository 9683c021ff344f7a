"""Two estimators by enumeration, without noise.  The bias of `tilted` has two parts; each estimator has one part.

Let w be the likeliest value of z and d(z) = f(z) - f(w).  The exact gradient is q (u - E_q u) with u = d.  The tilted
gradient has the same form with u = (exp(eps d) - 1) / (eps N), where N = E_q exp(eps d).  This u differs from d in two
ways:

    d < 0   the value explains the image worse than w: u is bounded, and never falls below -1 / (eps N)
    d > 0   the value explains the image better than w: u is amplified, and grows exponentially in d

Each of the two estimators changes u = d in one of these two cases:

    capped      u = (exp(eps d) - 1) / eps                if d < 0, and u = d otherwise
    amplified   u = (exp(eps d) - 1) / (eps max(1, N))    if d > 0, and u = d otherwise

Training with one of the two estimators shows the effect of one part of the bias.  As eps -> 0, both estimators tend to
the exact gradient.
"""
from __future__ import annotations

import numpy as np
from scipy.special import logsumexp

from refimpl import joint
from refimpl.arguments import temperature
from refimpl.estimators.base import Estimate, Objective


def _differences(h: np.ndarray, f: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return log q(z) and d(z) = f(z) - f(w), where w is the likeliest z, as two arrays of shape (B, k^n)."""
    log_q, f = joint.log_q(h.astype(np.float64)), f.astype(np.float64)
    return log_q, f - np.take_along_axis(f, log_q.argmax(axis=-1)[:, None], axis=-1)


def _gradient(h: np.ndarray, log_q: np.ndarray, weighted: np.ndarray) -> np.ndarray:
    """For each value of each variable, sum q (u - E_q u) over the joint values that contain it.  `weighted` is q u."""
    change = weighted - np.exp(log_q) * weighted.sum(axis=-1, keepdims=True)
    return (change @ joint.one_hots(*h.shape[1:])).reshape(h.shape)


def capped_gradient(h: np.ndarray, f: np.ndarray, eps: float) -> np.ndarray:
    """Return the gradient of `capped` as an array of shape (B, n, k)."""
    log_q, d = _differences(h, f)
    return _gradient(h, log_q, np.exp(log_q) * np.where(d < 0, np.expm1(eps * np.minimum(d, 0)) / eps, d))


def amplified_gradient(h: np.ndarray, f: np.ndarray, eps: float) -> np.ndarray:
    """Return the gradient of `amplified` as an array of shape (B, n, k).

    The normaliser max(1, E_q exp(eps d)) keeps q u below 1/eps, as in the tilted gradient.
    """
    log_q, d = _differences(h, f)
    log_normaliser = np.maximum(logsumexp(log_q + eps * d, axis=-1, keepdims=True), 0)
    gain = eps * np.maximum(d, 0)
    # Compute (e^gain - 1) e^(log q - log N): by expm1 if gain < 1, otherwise by a difference of exponentials.
    amplified = np.where(gain < 1, np.expm1(np.minimum(gain, 1)) * np.exp(log_q - log_normaliser),
                         np.exp(log_q + gain - log_normaliser) - np.exp(log_q - log_normaliser)) / eps
    return _gradient(h, log_q, np.where(d > 0, amplified, np.exp(log_q) * d))


def capped_estimate(h: np.ndarray, objective: Objective, rng: np.random.Generator, *, eps: float) -> Estimate:
    """Return the capped gradient.  The decoder learns from all joint values, weighted by q."""
    eps, table = temperature("eps", eps), objective.joint_table()
    return Estimate(capped_gradient(h, table.f, eps),
                    table.weighted(np.exp(joint.log_q(h.astype(np.float64)))))


def amplified_estimate(h: np.ndarray, objective: Objective, rng: np.random.Generator, *, eps: float) -> Estimate:
    """Return the amplified gradient.  The decoder learns from all joint values, weighted by q."""
    eps, table = temperature("eps", eps), objective.joint_table()
    return Estimate(amplified_gradient(h, table.f, eps),
                    table.weighted(np.exp(joint.log_q(h.astype(np.float64)))))
