"""Imports go down only: a file may use what stands below it in the house, and files of its own folder."""
from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "refimpl"
# From the ground up; files and folders of one line stand side by side.
FLOORS = ("arguments", "gumbel _digits", "exact joint", "danskin coupling", "error", "direct", "check", "system nn",
          "data latent", "estimators", "models plots one_page", "runs", "experiments", "report", "cli", "__main__")
FLOOR = {name: floor for floor, names in enumerate(FLOORS) for name in names.split()}
FILES = sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


def imported(text: str) -> set[str]:
    """The files and folders of refimpl that this source imports, also inside functions."""
    found = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom) and node.module == "refimpl":
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("refimpl."):
            found.add(node.module.split(".")[1])
        elif isinstance(node, ast.Import):
            found |= {alias.name.split(".")[1] for alias in node.names if alias.name.startswith("refimpl.")}
    return found - {"__version__"}


def goes_up(place: str, text: str) -> set[str]:
    """What the source of this file or folder imports from above, or from beside it."""
    return {name for name in imported(text) if name != place and FLOOR[name] >= FLOOR[place]}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_go_down(path):
    place = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    assert goes_up(place, path.read_text(encoding="utf-8")) == set()


def test_every_file_and_folder_has_its_floor():
    assert {path.relative_to(PACKAGE).parts[0].removesuffix(".py") for path in FILES} == set(FLOOR)


def test_an_import_from_above_is_seen():
    assert goes_up("nn", "from refimpl.models.vae import VAE") == {"models"}
    assert goes_up("models", "def f():\n    from refimpl import runs, arguments") == {"runs"}
    assert goes_up("latent", "import refimpl.latent.solvers, refimpl.data.base") == {"data"}
    assert goes_up("cli", "from refimpl import __version__, experiments") == set()
