"""The families of latent variables, by name, and the solvers of their arg maxes.  Each family has its own file."""
from __future__ import annotations

from refimpl.arguments import InputError, unknown
from refimpl.latent.family import Family
from refimpl.latent.independent import Independent
from refimpl.latent.pairwise import Pairwise
from refimpl.latent.paths import Paths

__all__ = ["REGISTRY", "Family", "get"]

REGISTRY: dict[str, type[Family]] = {"independent": Independent, "pairwise": Pairwise, "paths": Paths}


def get(name: str) -> type[Family]:
    """Return the family with this name.  If there is none, raise an InputError that lists all names."""
    if name not in REGISTRY:
        raise InputError(unknown("family", name, REGISTRY))
    return REGISTRY[name]
