"""Choose what the decoder learns from, independently of the encoder's gradient.

By default, the estimator decides.  For example, with `direct` the decoder learns from a sample z*.  With `exact` the
decoder learns from all values of z, weighted by q.  learning_from() lets the user choose between z* and q.  If two
runs have the same choice, their estimators differ only in the encoder's gradient.
"""
from __future__ import annotations

from dataclasses import replace

import numpy as np

from refimpl import joint
from refimpl.estimators.base import Estimate, Estimator, Objective
from refimpl.estimators.sampling import sample

SIGNALS = ("z_star", "q")


def learning_from(entry: Estimator, signal: str) -> Estimator:
    """Return a copy of the estimator `entry`.  With the copy, the decoder learns from `signal`:

        z_star      one sample of q for each image.  The sample is drawn after the encoder's gradient is estimated
        q           all joint values, weighted by q.  Their number must not be too large

    The copy works for independent variables only.  Raises ValueError if `signal` is neither z_star nor q.
    """
    if signal not in SIGNALS:
        raise ValueError(f"signal must be one of {', '.join(SIGNALS)}, got {signal!r}")

    def estimate(h: np.ndarray, objective: Objective, rng: np.random.Generator, **settings) -> Estimate:
        grad, _ = entry.estimate(h, objective, rng, **settings)
        if signal == "z_star":
            return Estimate(grad, objective.run(sample(h, rng), counted=False))
        return Estimate(grad, objective.joint_table().weighted(np.exp(joint.log_q(h.astype(np.float64)))))

    return replace(entry, estimate=estimate)
