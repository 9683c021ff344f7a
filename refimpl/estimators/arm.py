"""Estimate the gradient for binary variables by ARM or DisARM, from pairs of samples that differ as often as possible.

ARM is by Yin and Zhou (ICLR 2019), and DisARM is by Dong, Mnih and Tucker (NeurIPS 2020).  One uniform variable u per
coordinate determines two samples b1 and b2 of Bernoulli(sigmoid(l)), where l = h_1 - h_0:

    b1 = [u > sigmoid(-l)],   b2 = [u < sigmoid(l)]
    ARM     grad_l = (f(b1) - f(b2)) (u - 1/2)
    DisARM  grad_l = (1/2) (f(b1) - f(b2)) (-1)^{b2} [b1 != b2] sigmoid(|l|)        the mean of ARM given b1 and b2
"""
from __future__ import annotations

import numpy as np
from scipy.special import expit

from refimpl.estimators.base import Estimate, Objective, Pass


def _pair(h: np.ndarray, objective: Objective, rng: np.random.Generator
          ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray, Pass]:
    """Draw the samples.  Return l, u, b1, b2, the column f(b1) - f(b2), and the decoder's pass at b2."""
    if h.shape[-1] != 2:
        raise ValueError(f"h must have shape (B, n, 2) for a pair of opposed samples, got {h.shape}")
    logit = h[..., 1].astype(np.float64) - h[..., 0]
    u = rng.random(logit.shape)
    b1, b2 = u > expit(-logit), u < expit(logit)
    first, second = (np.stack([~b, b], axis=-1).astype(np.float64) for b in (b1, b2))
    one, other = objective.run(first), objective.run(second)
    return logit, u, b1, b2, (one.f - other.f)[:, None], other


def _to_scores(grad_logit: np.ndarray) -> np.ndarray:
    return np.stack([-grad_logit, grad_logit], axis=-1)


def estimate(h: np.ndarray, objective: Objective, rng: np.random.Generator) -> Estimate:
    """Return the ARM estimate, which needs two decoder evaluations."""
    _, u, _, _, difference, run = _pair(h, objective, rng)
    return Estimate(_to_scores(difference * (u - 0.5)), run)


def disarm_estimate(h: np.ndarray, objective: Objective, rng: np.random.Generator) -> Estimate:
    """Return the DisARM estimate, which needs two decoder evaluations.  Its variance is never larger than ARM's."""
    logit, _, b1, b2, difference, run = _pair(h, objective, rng)
    sign = np.where(b2, -1.0, 1.0)
    return Estimate(_to_scores(0.5 * difference * sign * (b1 != b2) * expit(np.abs(logit))), run)
