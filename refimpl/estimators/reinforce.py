"""REINFORCE, the score-function estimator (Williams 1992): (f(b) - baseline) grad log q(b), grad_h log q(b) = b - p.

Unbiased whatever the baseline, as long as the baseline does not depend on b: E[b - p] = 0.
"""
from __future__ import annotations

import numpy as np
from scipy.special import softmax

from refimpl.estimators.base import Estimate, Memory, Objective
from refimpl.estimators.sampling import sample

DECAY = 0.99


def memory(n: int, k: int) -> Memory:
    """The moving average of f over past batches; `steps` counts them."""
    return {"baseline": np.zeros(1), "steps": np.zeros(1)}


def estimate(h: np.ndarray, objective: Objective, rng: np.random.Generator, *, memory: Memory) -> Estimate:
    """With a moving-average baseline, one number for all images, made of past batches only.

    Before the first batch there is no past: one more sample, independent of b, stands in for it.
    """
    b = sample(h, rng)
    if memory["steps"][0] == 0:
        memory["baseline"][0] = objective.run(sample(h, rng)).f.mean()
    run = objective.run(b)
    signal = (run.f - memory["baseline"][0])[:, None, None]             # before this batch joins the average
    memory["baseline"] *= DECAY
    memory["baseline"] += (1 - DECAY) * run.f.mean()
    memory["steps"] += 1
    return Estimate(signal * (b - softmax(h, axis=-1)), run)


def leave_one_out_estimate(h: np.ndarray, objective: Objective, rng: np.random.Generator) -> Estimate:
    """Two samples an image, each the other's baseline (Kool, van Hoof and Welling 2019).

        (1/2) [(f1 - f2) (b1 - p) + (f2 - f1) (b2 - p)] = (1/2) (f1 - f2) (b1 - b2)
    """
    one, other = sample(h, rng), sample(h, rng)
    first, second = objective.run(one), objective.run(other)
    return Estimate(0.5 * (first.f - second.f)[:, None, None] * (one - other), second)
