"""The gradient estimators, by name.  One file an estimator, one signature (see base.py)."""
from __future__ import annotations

from refimpl.checks import InputError
from refimpl.estimators import direct, exact, gumbel_softmax
from refimpl.estimators.base import Estimate, Estimator, Mixture, Objective, Point

__all__ = ["REGISTRY", "Estimate", "Estimator", "Mixture", "Objective", "Point", "get"]

REGISTRY: dict[str, Estimator] = {entry.name: entry for entry in (
    Estimator("exact", exact.estimate, None, None, "enumeration of all values of z; no noise"),
    Estimator("direct", direct.estimate, "eps", 0.1, "difference of two arg maxes (Theorem 1)"),
    Estimator("gumbel-softmax", gumbel_softmax.estimate, "tau", 0.5, "the arg max relaxed to a softmax"),
    Estimator("straight-through-gumbel-softmax", gumbel_softmax.straight_through_estimate, "tau", 0.5,
              "hard sample forward, relaxed sample backward"),
)}


def get(name: str) -> Estimator:
    """The estimator of this name; InputError, listing the names, if there is none."""
    if name not in REGISTRY:
        raise InputError(f"unknown estimator {name!r}; there are {', '.join(REGISTRY)}")
    return REGISTRY[name]
