"""Plant a slip, that is an error, in a copy of a module.

    planted(direct, "(2 * eps)", "eps", "two_sided_estimate")       a copy of the module direct with this slip

`right` and `wrong` are expressions or statements; an empty `wrong` deletes a statement.  `right` is searched in the
syntax tree of the function, or of the whole module if the function does not contain it.  So line breaks, comments,
brackets and the names of arguments and local variables do not matter: they may change after the slip was written.  A
name such as _x matches any expression, and means the same expression in `wrong`.

If `right` does not occur exactly once, an AssertionError names the slip that must be rewritten.  The copy is executed
as a separate module, so the original does not change.
"""
from __future__ import annotations

import ast
import builtins
import inspect
from collections.abc import Iterator
from types import ModuleType


def planted(module: ModuleType, right: str, wrong: str, function: str = "") -> ModuleType:
    """Return a copy of the module with one piece changed, in this function if it occurs there, else anywhere."""
    tree = ast.parse(inspect.getsource(module))
    scopes = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name == function]
    assert scopes or not function, f"{module.__name__} has no function {function}; name another for the slip {right!r}"
    search = _Search(module, right)
    found = next((found for scope in (*scopes, tree) for exact in (True, False)
                  if (found := list(search.places(scope, exact)))), [])
    where = f"{module.__name__}.{function}".rstrip(".")
    assert len(found) == 1, (f"{where} contains this {len(found)} times, not once: {right}.  "
                             "Rewrite this slip: give the code that the function has now, and the wrong code.")
    (owner, field, place, names) = found[0]
    _replace(owner, field, place, search, _Renamed(names, search.known, tree, f"{where}, slip {wrong!r}"), wrong)
    copy = ModuleType(module.__name__)
    exec(compile(ast.fix_missing_locations(tree), f"{module.__name__} with a slip", "exec"), copy.__dict__)
    return copy


class _Search:
    """Finds all places with the same syntax tree as the piece, up to names."""

    def __init__(self, module: ModuleType, right: str) -> None:
        self.known = set(vars(module)) | set(vars(builtins))
        self.statements = ast.parse(inspect.cleandoc(right)).body
        self.expression = self.statements[0].value if isinstance(self.statements[0], ast.Expr) else None

    def places(self, scope: ast.AST, exact: bool) -> Iterator[tuple[ast.AST, str, int | None, dict[str, ast.expr]]]:
        """Yield the node that contains the piece, the field, the index in a list or None, and the names that match."""
        for owner in ast.walk(scope):
            for field, value in ast.iter_fields(owner):
                for place, node in enumerate(value) if isinstance(value, list) else [(None, value)]:
                    names: dict[str, ast.expr] = {}
                    if self.expression is not None:
                        same = isinstance(node, ast.expr) and self._same(self.expression, node, names, exact)
                    else:
                        there = value[place:place + len(self.statements)] if isinstance(node, ast.stmt) else []
                        same = isinstance(value, list) and self._same(self.statements, there, names, exact)
                    if same:
                        yield owner, field, place, names

    def _same(self, piece, node, names: dict[str, ast.expr], exact: bool) -> bool:
        if isinstance(piece, ast.Name):
            if piece.id.startswith("_") and piece.id not in self.known:
                return isinstance(node, ast.expr) and _agrees(names, piece.id, node)
            if exact or piece.id in self.known:
                return isinstance(node, ast.Name) and node.id == piece.id
            return isinstance(node, ast.Name) and node.id not in self.known and _agrees(names, piece.id, node)
        if type(piece) is not type(node):
            return False
        if isinstance(piece, list):
            return len(piece) == len(node) and all(self._same(one, other, names, exact)
                                                   for one, other in zip(piece, node))
        if isinstance(piece, ast.AST):
            return all(self._same(value, getattr(node, field), names, exact) for field, value in ast.iter_fields(piece)
                       if field != "ctx")
        return piece == node


def _agrees(names: dict[str, ast.expr], name: str, node: ast.expr) -> bool:
    """Return whether a name of the piece can match this expression: each name matches exactly one expression."""
    text = ast.unparse(node)
    if any((each == name) != (ast.unparse(other) == text) for each, other in names.items()):
        return False
    names[name] = node
    return True


class _Renamed(ast.NodeTransformer):
    """Replaces the names in `wrong` by those that the function uses now."""

    def __init__(self, names: dict[str, ast.expr], known: set[str], tree: ast.AST, where: str) -> None:
        stored = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
        self.names, self.where = names, where
        self.there = known | stored | {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}

    def of(self, wrong: str) -> list[ast.stmt]:
        parsed = ast.parse(inspect.cleandoc(wrong))
        for node in ast.walk(parsed):                   # names that the slip itself introduces
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                self.there.add(node.id)
            self.there |= {node.arg} if isinstance(node, ast.arg) else set()
            self.there |= {each.name for each in node.names} if isinstance(node, ast.ImportFrom) else set()
        return self.visit(parsed).body or [ast.Pass()]

    def visit_Name(self, node: ast.Name) -> ast.expr:
        if node.id in self.names:
            return self.names[node.id]
        assert node.id in self.there, f"{self.where}: there is no {node.id} any more; rewrite this slip"
        return node


def _replace(owner: ast.AST, field: str, place: int | None, search: _Search, renamed: _Renamed, wrong: str) -> None:
    nodes = renamed.of(wrong)
    if search.expression is None:
        getattr(owner, field)[place:place + len(search.statements)] = nodes
        return
    assert len(nodes) == 1 and isinstance(nodes[0], ast.Expr), (
        f"an expression must be replaced by an expression, not by {wrong!r}")
    if place is None:
        setattr(owner, field, nodes[0].value)
    else:
        getattr(owner, field)[place] = nodes[0].value
