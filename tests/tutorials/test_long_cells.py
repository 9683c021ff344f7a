"""The cells that an ordinary run omits from the chapters, and the names that all cells use from refimpl."""
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


def test_each_long_cell_occurs_once_in_the_chapters():
    every = [code for source in PROGRAMS for code in code_of(source)]
    for text in long_cells.LONG:
        assert sum(text in code for code in every) == 1, text


def test_cells_that_need_a_name_of_a_long_cell_are_omitted(monkeypatch):
    monkeypatch.setattr(long_cells, "LONG", ("slow()",))
    parts = ["import numpy as np\nx = 1", "y = slow()\nfor i in range(3):\n    local = [j for j in range(i)]",
             "z = y + 1", "print(x)", "def f():\n    return z", "j = x", "y = 2", "print(y)", "print(local)"]
    kept = long_cells.short(parts)
    assert [place for place, code in enumerate(kept) if code] == [0, 3, 5, 6, 7]
    assert all(code in ("", part) for code, part in zip(kept, parts))


@pytest.mark.parametrize("source", PROGRAMS, ids=lambda path: path.stem)
def test_ordinary_run_includes_most_cells_of_a_chapter(source):
    """At least 60 % of the cells run, including the first three."""
    parts = code_of(source)
    kept = [code for code in long_cells.short(parts) if code]
    assert kept[:3] == parts[:3] and len(kept) >= 0.6 * len(parts)


@pytest.mark.parametrize("source", PROGRAMS, ids=lambda path: path.stem)
def test_names_that_a_chapter_uses_exist_in_the_package(source):
    """Check all names that the cells import from refimpl, and all attributes of its modules that they use."""
    tree = ast.parse("\n".join(code_of(source)))
    modules: dict[str, types.ModuleType] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module.partition(".")[0] == "refimpl":
            for name in node.names:
                try:
                    imported = getattr(importlib.import_module(node.module), name.name)
                except AttributeError:
                    imported = importlib.import_module(f"{node.module}.{name.name}")
                if isinstance(imported, types.ModuleType):
                    modules[name.asname or name.name] = imported
    assert "from refimpl" in ast.unparse(tree) or source.name.startswith("appendix_")
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in modules:
            assert hasattr(modules[node.value.id], node.attr), f"{node.value.id}.{node.attr}"
