"""REINFORCE (Williams 1992), the score-function estimator, returns (f(b) - baseline) grad_h log q(b).

Here b is a one-hot sample of q, whose probabilities are p = softmax(h).  So grad_h log q(b) = b - p.  The mean of
b - p is 0, so the estimate is unbiased for every baseline that does not depend on b.
"""
from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.special import softmax

from refimpl.estimators.base import Estimate, Memory, Objective, Pass
from refimpl.estimators.sampling import sample

DECAY = 0.99


def memory(n: int, k: int) -> Memory:
    """Return the initial memory: `baseline`, the moving average of f, and `steps`, the number of batches so far."""
    return {"baseline": np.zeros(1), "steps": np.zeros(1)}


def centred(run: Pass, memory: Memory, another: Callable[[], float]) -> np.ndarray:
    """Return an array of shape (B,): f minus the baseline.  Also update the baseline with the f of this batch.

    For the first batch, the baseline is another(): the mean of f over new samples.
    """
    if memory["steps"][0] == 0:
        memory["baseline"][0] = another()
    signal = run.f - memory["baseline"][0]                              # this batch is not yet in the baseline
    memory["baseline"] *= DECAY
    memory["baseline"] += (1 - DECAY) * run.f.mean()
    memory["steps"] += 1
    return signal


def estimate(h: np.ndarray, objective: Objective, rng: np.random.Generator, *, memory: Memory) -> Estimate:
    """Return the estimate with a moving-average baseline, which is one number for all images."""
    b = sample(h, rng)
    run = objective.run(b)
    signal = centred(run, memory, lambda: objective.run(sample(h, rng)).f.mean())[:, None, None]
    return Estimate(signal * (b - softmax(h, axis=-1)), run)


def leave_one_out_estimate(h: np.ndarray, objective: Objective, rng: np.random.Generator) -> Estimate:
    """Return the estimate from two samples per image (Kool, van Hoof and Welling 2019).

    The f of each sample is the baseline of the other sample:

        (1/2) [(f1 - f2) (b1 - p) + (f2 - f1) (b2 - p)] = (1/2) (f1 - f2) (b1 - b2)
    """
    one, other = sample(h, rng), sample(h, rng)
    first, second = objective.run(one), objective.run(other)
    return Estimate(0.5 * (first.f - second.f)[:, None, None] * (one - other), second)
