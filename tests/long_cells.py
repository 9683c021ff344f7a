"""Cells of the chapters that take long.  They, and the cells that need names from them, run with --slow only."""
from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

# Each text occurs in one cell of one chapter, on the line that takes long.
LONG = ("found = choosing_eps.table(1_000, count=12)", "toy.integers(3, size=600)", "SEEDS, EPS, tested = range(5)",
        "def five_scores(mistakes, steps=250, rate=0.3):", "def seconds(function, n, repeat):", "def direct_with(eps):")


def short(parts: Sequence[str]) -> list[str]:
    """Return the parts of a program, in which every part that takes long, or needs such a part, is empty."""
    missing: set[str] = set()
    kept = []
    for code in parts:
        tree = ast.parse(code)
        stored = set(_stored(tree))
        own = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
        needed = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)} - stored - own
        changed = {node.value.id for node in ast.walk(tree)                     # names whose object it changes
                   if isinstance(node, (ast.Attribute, ast.Subscript)) and isinstance(node.value, ast.Name)} & missing
        left_out = any(text in code for text in LONG) or needed & missing or changed
        missing = missing | stored if left_out else missing - stored
        kept.append("" if left_out else code)
    return kept


def _stored(tree: ast.AST) -> Iterator[str]:
    """Yield the global names that a program defines, without the local names of functions and comprehensions."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            yield node.name
        elif isinstance(node, ast.alias):
            yield node.asname or node.name.partition(".")[0]
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif not isinstance(node, (ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)):
            yield from _stored(node)
