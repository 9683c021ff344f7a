"""A file may import only from lower layers of the package and from its own folder."""
from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "refimpl"
# From the lowest layer to the highest; files and folders in one string are in the same layer.
LAYERS = ("arguments", "gumbel _digits", "exact joint", "danskin coupling", "finite_eps", "direct", "check",
          "system nn", "data latent", "estimators", "models plots one_page", "runs", "experiments", "report", "cli",
          "__main__")
LAYER = {name: layer for layer, names in enumerate(LAYERS) for name in names.split()}
FILES = sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


def imported(text: str) -> set[str]:
    """Return the files and folders of refimpl that this source imports, also inside functions."""
    names = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom) and node.module == "refimpl":
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("refimpl."):
            names.add(node.module.split(".")[1])
        elif isinstance(node, ast.Import):
            names |= {alias.name.split(".")[1] for alias in node.names if alias.name.startswith("refimpl.")}
    return names - {"__version__"}


def imports_from_above(place: str, text: str) -> set[str]:
    """Return what the source of this file or folder imports from its own layer or a higher one."""
    return {name for name in imported(text) if name != place and LAYER[name] >= LAYER[place]}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_modules_import_only_from_lower_layers(path):
    place = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    assert imports_from_above(place, path.read_text(encoding="utf-8")) == set()


def test_every_file_and_folder_has_a_layer():
    assert {path.relative_to(PACKAGE).parts[0].removesuffix(".py") for path in FILES} == set(LAYER)


def test_check_detects_imports_from_higher_layers():
    assert imports_from_above("nn", "from refimpl.models.vae import VAE") == {"models"}
    assert imports_from_above("models", "def f():\n    from refimpl import runs, arguments") == {"runs"}
    assert imports_from_above("latent", "import refimpl.latent.solvers, refimpl.data.base") == {"data"}
    assert imports_from_above("cli", "from refimpl import __version__, experiments") == set()
