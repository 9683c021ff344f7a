"""Standard streams that are full, closed or limited to ASCII, and the exit status of each kind of error."""
from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from refimpl.arguments import InputError
from refimpl.cli import commands
from refimpl.runs import KINDS
from tests import spawn
from tests.cli.helpers import ROOT, WITHOUT_PICTURES, call


def verify(environment: dict[str, str] | None = None, redirect: str = "") -> subprocess.CompletedProcess:
    """Run a short verify in a shell, with its streams redirected by `redirect`."""
    with tempfile.TemporaryDirectory() as folder:
        command = f"{sys.executable} {WITHOUT_PICTURES} verify --samples 1000 --out {folder} {redirect}"
        return subprocess.run(command, shell=True, cwd=ROOT, capture_output=True, text=True,
                              env={**os.environ, **(environment or {})})


@pytest.mark.slow
def test_verify_succeeds_with_ascii_output_and_closed_standard_error():
    done = verify({"PYTHONIOENCODING": "ascii"}, "2>&-")
    assert done.returncode == 0 and re.search(r"(\d+) of \1 claims hold", done.stdout), done.stdout


def test_full_standard_output_is_reported_in_one_line(tmp_path):
    done = spawn.refimpl("verify", "--samples", 1000, "--out", tmp_path, stdout=Path("/dev/full"))
    assert done.returncode == 2 and done.stderr.count("\n") == 1


@pytest.mark.slow
def test_reader_that_closes_the_pipe_early_causes_no_error():
    done = verify(redirect="| head -n 1")
    assert "Traceback" not in done.stderr and "Error" not in done.stderr


@pytest.mark.parametrize("problem, status, words", [
    (KeyboardInterrupt(), 130, "python -m refimpl verify: stopped\n"), (BrokenPipeError(32, "Broken pipe"), 141, ""),
    (InputError("it is so"), 2, "python -m refimpl verify: error: it is so\n"),
    (OSError(28, "No space left on device", "/x/y"), 2,
     "python -m refimpl verify: error: /x/y: No space left on device\n"),
    (OSError(28, "No space left on device"), 2, "python -m refimpl verify: error: No space left on device\n"),
    (MemoryError(), 2, "python -m refimpl verify: error: there is not enough memory for this; use a smaller --k, --n, "
                       "--hidden or --batch\n")])
def test_each_exception_has_its_exit_status_and_message(monkeypatch, capsys, problem, status, words):
    def end(options):
        raise problem

    monkeypatch.setattr(commands, "verify", end)
    assert call(capsys, "verify") == (status, "", words)


@pytest.mark.parametrize("arguments, function, words", [
    *(([name], "train", "stopped; continue with --resume") for name in KINDS),
    (["quickstart"], "quickstart", "stopped; the same command continues"),
    (["experiment", "joint"], "experiment", "stopped; the same command continues"),
    (["compare", "a", "--save", "b.png"], "compare", "stopped"), (["make", "functions"], "functions", "stopped")])
def test_stopped_command_says_how_to_continue(monkeypatch, capsys, arguments, function, words):
    def stop(*options):
        raise KeyboardInterrupt

    monkeypatch.setattr(commands, function, stop)
    shown = arguments[:2] if arguments[0] == "make" else arguments[:1]
    assert call(capsys, *arguments) == (130, "", f"python -m refimpl {' '.join(shown)}: {words}\n")
