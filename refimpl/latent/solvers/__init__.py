"""Solvers for the arg max of pairwise scores, each in its own file.  base.py describes their signature."""
from __future__ import annotations

from refimpl.arguments import InputError, unknown
from refimpl.latent.solvers import coordinate, enumeration, maxflow, milp, persistency
from refimpl.latent.solvers.base import Solver

__all__ = ["REGISTRY", "Solver", "get"]

REGISTRY: dict[str, Solver] = {entry.name: entry for entry in (
    Solver("enumeration", enumeration.argmax, "all 2^n values in one matrix product", True, False, enumeration.MOST),
    Solver("persistency", persistency.argmax, "certain variables first, the rest by enumeration", True, False,
           enumeration.MOST),
    Solver("maxflow", maxflow.argmax, "minimum cut; pair scores must not be negative", True, True, 200),
    Solver("milp", milp.argmax, "integer program; pair scores of any sign", True, False, 60),
    Solver("coordinate", coordinate.argmax, "coordinate ascent; a local maximum only", False, False, 200),
)}


def get(name: str) -> Solver:
    """Return the solver with this name.  If the name is unknown, raises InputError with a list of all names."""
    if name not in REGISTRY:
        raise InputError(unknown("solver", name, REGISTRY))
    return REGISTRY[name]
