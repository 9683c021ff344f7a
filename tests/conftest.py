"""Options and helpers for all tests."""
from __future__ import annotations

import atexit
import os
import shutil
import sys
import tempfile

if sys.dont_write_bytecode:
    # Without compiled files, the second process and every interpreter that a test starts would compile all modules
    # again.  They share a temporary folder of compiled files, so that none is written beside the sources.
    sys.dont_write_bytecode, sys.pycache_prefix = False, tempfile.mkdtemp()
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ["PYTHONPYCACHEPREFIX"] = sys.pycache_prefix
    atexit.register(shutil.rmtree, sys.pycache_prefix, ignore_errors=True)

# This must be set before NumPy is imported, and child processes inherit it.  On small matrices threads do not help.
for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")

import numpy as np                                          # noqa: E402
import pytest                                               # noqa: E402

# These packages contain assertions in files that are not test files.
pytest.register_assert_rewrite("tests.estimators", "tests.latent", "tests.plots", "tests.runs")

from tests import drawn_once, one_parser                   # noqa: E402
from tests.two_processes import pytest_runtestloop         # noqa: E402, F401  (a hook that pytest looks up here)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--slow", action="store_true", help="also run the tests that are marked slow")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--slow"):
        return
    slow = [item for item in items if item.get_closest_marker("slow")]
    if slow:
        config.hook.pytest_deselected(items=slow)
        items[:] = [item for item in items if not item.get_closest_marker("slow")]


def pytest_runtest_setup(item: pytest.Item) -> None:
    drawn_once.begin(every=item.get_closest_marker("drawn") is not None, new=item.config.getoption("--slow"))
    one_parser.begin()


@pytest.fixture
def rng() -> np.random.Generator:
    """Return a generator that starts from the same seed in every test."""
    return np.random.default_rng(20191208)


@pytest.fixture
def quick(monkeypatch) -> None:
    """Make runs faster where a test allows it: draw no pictures, and do not wait for the disk."""
    from refimpl.plots import runs

    monkeypatch.setattr(runs, "KINDS", {})
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
