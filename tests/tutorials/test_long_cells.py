"""What is left out of a chapter in the ordinary run: the long cells, and what needs them; and that it fits refimpl."""
from __future__ import annotations

import ast
import importlib
import types

import pytest

from tests import long_cells
from tests.chapters import FOLDER, cells

PROGRAMS = sorted(path for path in FOLDER.glob("*.py") if path.read_text(encoding="utf-8").startswith("# %%"))


def code_of(source) -> list[str]:
    return [text for kind, text in cells(source) if kind == "code"]


def test_each_long_cell_is_one_of_one_chapter():
    every = [code for source in PROGRAMS for code in code_of(source)]
    for text in long_cells.LONG:
        assert sum(text in code for code in every) == 1, text


def test_what_needs_a_name_of_a_long_cell_is_left_out(monkeypatch):
    monkeypatch.setattr(long_cells, "LONG", ("slow()",))
    parts = ["import numpy as np\nx = 1", "y = slow()\nfor i in range(3):\n    local = [j for j in range(i)]",
             "z = y + 1", "print(x)", "def f():\n    return z", "j = x", "y = 2", "print(y)", "print(local)"]
    kept = long_cells.short(parts)
    assert [place for place, code in enumerate(kept) if code] == [0, 3, 5, 6, 7]
    assert all(code in ("", part) for code, part in zip(kept, parts))


@pytest.mark.parametrize("source", PROGRAMS, ids=lambda path: path.stem)
def test_most_of_a_chapter_runs_always(source):
    """And its first cells in any case."""
    parts = code_of(source)
    kept = [code for code in long_cells.short(parts) if code]
    assert kept[:3] == parts[:3] and len(kept) >= 0.6 * len(parts)


@pytest.mark.parametrize("source", PROGRAMS, ids=lambda path: path.stem)
def test_what_a_chapter_uses_of_the_package_is_there(source):
    """Every name that any of its cells imports from refimpl, and every attribute of a module that it asks for."""
    tree = ast.parse("\n".join(code_of(source)))
    modules: dict[str, types.ModuleType] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module.partition(".")[0] == "refimpl":
            for name in node.names:
                try:
                    found = getattr(importlib.import_module(node.module), name.name)
                except AttributeError:
                    found = importlib.import_module(f"{node.module}.{name.name}")
                if isinstance(found, types.ModuleType):
                    modules[name.asname or name.name] = found
    assert "from refimpl" in ast.unparse(tree) or source.name.startswith("appendix_")
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in modules:
            assert hasattr(modules[node.value.id], node.attr), f"{node.value.id}.{node.attr}"
