"""Work that starts with the session, on the core that the tests leave idle; the test that wants it waits for it.

A module names such work in AHEAD, by the test's name: {"test_x": work}, where work(**parameters of the test) returns
what the test looks at.  conftest.py starts it for the tests that were selected, in their order, one at a time.
"""
from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor

import pytest

POOL = ThreadPoolExecutor(1)
STARTED: dict[str, Future] = {}


def start(items: list[pytest.Item]) -> None:
    """Start what the modules of these tests have named."""
    for item in items:
        work = getattr(item.module, "AHEAD", {}).get(item.originalname)
        if work is not None:
            parameters = item.callspec.params if hasattr(item, "callspec") else {}
            STARTED[item.nodeid] = POOL.submit(work, **parameters)


def result(item: pytest.Item) -> object:
    """What the work of this test has come to, once it has."""
    return STARTED[item.nodeid].result()


def stop() -> None:
    """Begin no more of it."""
    POOL.shutdown(wait=False, cancel_futures=True)
