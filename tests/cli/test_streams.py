"""Standard output and error that are odd, full, closed or left early."""
from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.cli.helpers import ROOT


@pytest.mark.parametrize("environment, redirect", [({"PYTHONIOENCODING": "ascii"}, ""), ({}, "2>&-")])
def test_odd_streams(tmp_path, environment, redirect):
    done = subprocess.run(f"{sys.executable} -m refimpl verify --samples 1000 --out {tmp_path} {redirect}", shell=True,
                          cwd=ROOT, capture_output=True, env={**os.environ, **environment})
    assert done.returncode == 0, done.stderr


def test_output_that_cannot_be_written(tmp_path):
    done = subprocess.run(f"{sys.executable} -m refimpl verify --samples 1000 --out {tmp_path} >/dev/full", shell=True,
                          cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2 and done.stderr.count("\n") == 1


def test_a_reader_that_leaves_early_is_no_error(tmp_path):
    done = subprocess.run(f"{sys.executable} -m refimpl verify --samples 1000 --out {tmp_path} | head -n 1", shell=True,
                          cwd=ROOT, capture_output=True, text=True)
    assert "Traceback" not in done.stderr and "Error" not in done.stderr
