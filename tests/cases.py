"""Mark the later cases of a parametrized test as slow."""
from __future__ import annotations

from collections.abc import Iterable

import pytest


def first(count: int, cases: Iterable) -> list:
    """Return the cases of a test with one parameter; all after the first `count` have the marker slow."""
    cases = list(cases)
    return [*cases[:count], *(pytest.param(case, marks=pytest.mark.slow) for case in cases[count:])]
