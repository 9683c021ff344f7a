"""The families of latent variables, each in its own file, and the solvers for their arg maxes."""
from __future__ import annotations

from refimpl.arguments import InputError, unknown
from refimpl.latent.family import Family
from refimpl.latent.independent import Independent
from refimpl.latent.pairwise import Pairwise
from refimpl.latent.paths import Paths

__all__ = ["REGISTRY", "Family", "get"]

REGISTRY: dict[str, type[Family]] = {"independent": Independent, "pairwise": Pairwise, "paths": Paths}


def get(name: str) -> type[Family]:
    """Return the family with this name.  If the name is unknown, raises InputError with a list of all names."""
    if name not in REGISTRY:
        raise InputError(unknown("family", name, REGISTRY))
    return REGISTRY[name]
