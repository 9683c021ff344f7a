"""planted() finds code by its syntax tree, whatever its names are, and reports code that it cannot find."""
from __future__ import annotations

import importlib.util

import numpy as np
import pytest

from tests.mutation.slips import planted

SOURCE = '''
"""scores * eps, in words."""
SCALE = 2.0

def tilted(scores, table, eps):
    moved = (scores
             + eps * table)             # scores + eps * table
    best = max(moved)
    moved = [score - best for score in moved]
    return SCALE * best, moved

def twice(a, b):
    c = a * b
    return c + a * b
'''


@pytest.fixture
def module(tmp_path):
    def load(*changes):
        text = SOURCE
        for old, new in changes:
            text = text.replace(old, new)
        (tmp_path / "some.py").write_text(text)
        spec = importlib.util.spec_from_file_location("some", tmp_path / "some.py")
        loaded = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(loaded)
        return loaded
    return load


def value(module) -> float:
    return module.tilted(np.array([3.0]), np.array([5.0]), 0.5)[0]


@pytest.mark.parametrize("changes", [
    (), [("moved", "shifted")], [("table", "f"), ("eps", "epsilon"), ("scores", "h")],
    [("(scores\n             + eps * table)             # scores + eps * table", "scores + (eps*table)")]])
def test_planted_ignores_names_line_breaks_brackets_and_comments(module, changes):
    loaded = module(*changes)
    assert value(loaded) == 11
    assert value(planted(loaded, "scores + eps * table", "scores + table", "tilted")) == 16
    assert value(planted(loaded, "SCALE * best", "best", "tilted")) == 5.5
    assert value(planted(loaded, "best = max(moved)", "best = max(moved) + 0.5", "tilted")) == 12
    assert value(loaded) == 11                                   # the module itself is unchanged


def test_planted_replaces_expressions_and_statements(module):
    assert planted(module(), "SCALE = 2.0", "SCALE = 3.0").SCALE == 3
    assert planted(module(), "_c + a * b", "_c", "twice").twice(2, 3) == 6
    assert planted(module(), "c = a * b", "c = 0", "twice").twice(2, 3) == 6
    assert module().twice(2, 3) == 12


@pytest.mark.parametrize("right, wrong, function, words", [
    ("scores - eps * table", "scores", "tilted", r"tilted contains this 0 times, not once: scores - eps \* table"),
    ("a * b", "a", "twice", "some.twice contains this 2 times, not once: a [*] b"),
    ("scores + eps * table", "scores", "gone", "some has no function gone"),
    ("SCALE * best", "gone * best", "tilted", "there is no gone any more; rewrite this slip"),
    ("eps * table", "eps = table", "tilted", "an expression must be replaced by an expression")])
def test_error_explains_why_a_slip_cannot_be_planted(module, right, wrong, function, words):
    with pytest.raises(AssertionError, match=words):
        planted(module(), right, wrong, function)
