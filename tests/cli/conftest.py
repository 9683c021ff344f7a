"""One run, trained once, and a copy of it for each test that may damage it."""
from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from refimpl import cli
from tests.cli.helpers import SMALL


@pytest.fixture(scope="session")
def finished(tmp_path_factory) -> Path:
    """A finished run of two epochs, for reading only."""
    folder = tmp_path_factory.mktemp("finished") / "run"
    assert cli.main(["train", *SMALL, "--epochs", "2", "--out", str(folder)]) == 0
    return folder


@pytest.fixture
def run(finished, tmp_path) -> Path:
    """A copy of it, to do with as one likes."""
    return Path(shutil.copytree(finished, tmp_path / "run"))
