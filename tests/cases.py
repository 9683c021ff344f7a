"""Cases of a parametrized test of which the ordinary run needs only the first."""
from __future__ import annotations

from collections.abc import Iterable

import pytest


def first(count: int, cases: Iterable) -> list:
    """The cases of a test with one parameter; all after the first `count` carry the marker slow."""
    cases = list(cases)
    return [*cases[:count], *(pytest.param(case, marks=pytest.mark.slow) for case in cases[count:])]
