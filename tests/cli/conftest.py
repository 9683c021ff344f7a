"""Fixtures: a finished run that is trained once, and a copy of it for each test that changes files."""
from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from refimpl import cli
from tests.cli.helpers import SMALL


@pytest.fixture(scope="session")
def finished(tmp_path_factory) -> Path:
    """Return the folder of a finished run of two epochs, which tests must not change."""
    folder = tmp_path_factory.mktemp("finished") / "run"
    assert cli.main(["train", *SMALL, "--epochs", "2", "--out", str(folder)]) == 0
    return folder


@pytest.fixture
def run(finished, tmp_path) -> Path:
    """Return the folder of a copy of the finished run, which a test may change."""
    return Path(shutil.copytree(finished, tmp_path / "run"))
