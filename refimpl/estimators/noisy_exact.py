"""The estimator `noisy-exact` is `direct` without its bias: the exact gradient plus the noise of `direct`.

    grad = grad_h E_q f + (g - E g),    g = (grad h(z*(eps)) - grad h(z*)) / eps

This estimator enumerates all joint values, so it is not useful in practice.  It separates the effects of bias and
noise: `exact` has neither, `tilted` has the bias of `direct`, `noisy-exact` has the noise of `direct`, and `direct` has
both.  For several variables, g uses a separate Gumbel variable for every joint value.  With this kind of noise, E g is
known: E g is the gradient that `tilted` returns.
"""
from __future__ import annotations

import numpy as np

from refimpl import gumbel, joint
from refimpl.arguments import temperature
from refimpl.estimators import tilted
from refimpl.estimators.base import Estimate, Objective


def estimate(h: np.ndarray, objective: Objective, rng: np.random.Generator, *, eps: float) -> Estimate:
    """Return the estimate, which is unbiased at every eps.  As with `direct`, the decoder learns from z*."""
    h, eps = h.astype(np.float64), temperature("eps", eps)
    f = objective.joint_table().f
    log_q, hots = joint.log_q(h), joint.one_hots(*h.shape[1:])
    noisy = log_q + gumbel.sample(log_q.shape, rng)                         # h + gamma for every joint value
    z_star, z_eps = (hots[scores.argmax(axis=-1)].reshape(h.shape) for scores in (noisy, noisy + eps * f))
    noise = (z_eps - z_star) / eps - tilted.gradient(h, f, eps)             # g - E g
    return Estimate(joint.gradient(h, f) + noise, objective.run(z_star, counted=False))
