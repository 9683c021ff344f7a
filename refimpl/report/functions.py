"""Make the page tutorials/functions.md from the docstrings of the public functions."""
from __future__ import annotations

import importlib
import inspect
from types import ModuleType

from refimpl.report.markdown import table
from refimpl.report.pages import ROOT
from refimpl.system.files import write_text

PAGE = "tutorials/functions.md"
# The modules that readers call.  Those with the paper's mathematics come first, then those that train models.
MODULES = ("gumbel", "danskin", "direct", "coupling", "finite_eps", "exact", "joint", "check", "nn.layers",
           "nn.network", "nn.losses", "nn.adam", "nn.gradcheck", "latent.family", "latent.independent",
           "latent.pairwise", "latent.paths", "latent.linear", "latent.sets", "latent.solvers", "estimators.base",
           "estimators", "models.vae", "models.mixture", "models.decoder", "models.bounds", "runs.vae",
           "runs.mixture", "runs.loop", "runs.checkpoint", "data", "data.faces", "plots", "plots.walls",
           "experiments.theory.choosing_eps")


def public(module: ModuleType) -> list[tuple[str, object]]:
    return [(name, value) for name, value in vars(module).items()
            if (inspect.isfunction(value) or inspect.isclass(value)) and value.__module__ == module.__name__
            and not name.startswith("_")]


def first_sentence(thing: object) -> str:
    text = " ".join((inspect.getdoc(thing) or "").split("\n\n")[0].split())
    end = text.find(". ")
    return (text if end < 0 else text[:end + 1]).replace("|", "\\|")


def page() -> str:
    parts = ["# Public functions", "", "This page is made by `python -m refimpl make functions --write`. The "
             "docstring of a", "function describes its shapes, units and errors: see "
             "`help(refimpl.direct.gradient)`, or the file.", ""]
    for name in MODULES:
        module = importlib.import_module(f"refimpl.{name}")
        found = public(module)
        if found:
            lines = [[f"`{each}`", first_sentence(value)] for each, value in found]
            summary = first_sentence(module).rstrip(".:")
            parts += [f"## `refimpl.{name}`", "", f"{summary}.", "", table(["name", "what it does"], lines), ""]
    return "\n".join(parts)


def write() -> None:
    write_text(ROOT / PAGE, page())
