"""The gradient estimators, by name.  One file an idea, one signature (see base.py)."""
from __future__ import annotations

from refimpl.checks import InputError
from refimpl.estimators import arm, direct, exact, gumbel_softmax, local_expectation, rebar, reinforce, reinmax, relax
from refimpl.estimators.base import Estimate, Estimator, Memory, Mixture, Objective, Point

__all__ = ["REGISTRY", "Estimate", "Estimator", "Memory", "Mixture", "Objective", "Point", "get"]

REGISTRY: dict[str, Estimator] = {entry.name: entry for entry in (
    Estimator("exact", exact.estimate, "enumeration of all joint values; no noise", unbiased=True, enumerates=True),
    Estimator("direct", direct.estimate, "difference of two arg maxes (Theorem 1)", unbiased=False, setting="eps",
              default=0.1),
    Estimator("two-sided", direct.two_sided_estimate, "direct with both signs of eps", unbiased=False, setting="eps",
              default=0.1),
    Estimator("direct-joint", direct.joint_estimate, "direct with the exact joint arg max (slide 29)", unbiased=False,
              setting="eps", default=0.1, enumerates=True),
    Estimator("gumbel-softmax", gumbel_softmax.estimate, "the arg max relaxed to a softmax", unbiased=False, setting="tau",
              default=0.5),
    Estimator("straight-through-gumbel-softmax", gumbel_softmax.straight_through_estimate,
              "hard sample forward, relaxed sample backward", unbiased=False, setting="tau", default=0.5),
    Estimator("reinmax", reinmax.estimate, "straight-through with a second-order correction", unbiased=False, setting="tau",
              default=1.0),
    Estimator("local-expectation", local_expectation.estimate, "one coordinate enumerated, the others sampled", unbiased=True),
    Estimator("reinforce", reinforce.estimate, "score function, moving-average baseline", unbiased=True,
              memory=reinforce.memory),
    Estimator("reinforce-loo", reinforce.leave_one_out_estimate, "score function, two samples, each the other's baseline",
              unbiased=True),
    Estimator("rebar", rebar.estimate, "score function, relaxed control variate", unbiased=True, setting="tau", default=0.5,
              memory=rebar.memory, as_released={"batch_mean": True}),
    Estimator("relax", relax.estimate, "REBAR with a learnt control variate", unbiased=True, setting="tau", default=0.5,
              memory=relax.memory, as_released={"batch_mean": True}),
    Estimator("arm", arm.estimate, "opposed pairs of binary samples", unbiased=True, binary=True),
    Estimator("disarm", arm.disarm_estimate, "ARM averaged over what the pair leaves open", unbiased=True, binary=True),
)}


def get(name: str) -> Estimator:
    """The estimator of this name; InputError, listing the names, if there is none."""
    if name not in REGISTRY:
        raise InputError(f"unknown estimator {name!r}; there are {', '.join(REGISTRY)}")
    return REGISTRY[name]
