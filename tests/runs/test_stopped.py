"""Runs that are killed during a save, interrupted by Ctrl-C or ended with their experiment; and their peak memory."""
from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from refimpl.arguments import InputError
from refimpl.runs import checkpoint, loop
from refimpl.system import files
from tests import spawn
from tests.asserts import assert_same_to_the_bit, checkpoint_content
from tests.settings import vae

ROOT = Path(__file__).resolve().parent.parent.parent
SETTINGS = vae(hidden=20, limit=400, batch=64).resolved()
OPTIONS = ["--hidden", "20", "--limit", "400", "--batch", "64"]


def command(out: Path, *more: str) -> list[str]:
    return ["-m", "refimpl", "train", *OPTIONS, "--out", str(out), *more]


# One process forks a child for each case, which is faster than a new process each.  Each child kills itself.
KILLED_WHILE_SAVING = """
import json, os, signal, sys
from refimpl import cli, plots

def die(moment, which, out):
    saves, original = [], getattr(os, moment)
    def deadly(*arguments):
        saves.append(1)
        if len(saves) == which:
            os.kill(os.getpid(), signal.SIGKILL)
        return original(*arguments)
    setattr(os, moment, deadly)
    cli.main([*sys.argv[2:], "--epochs", "3", "--out", out])

statuses = {}
for moment, which, out in json.loads(sys.argv[1]):
    child = os.fork()
    if child == 0:
        sys.stdout = open(os.devnull, "w")
        die(moment, which, out)
        os._exit(0)
    statuses[out] = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
print(json.dumps(statuses))
"""
# Files are written in this order: checkpoint.npz, config.json, metrics.csv, commit.txt and threads.txt at the start;
# checkpoint.npz and metrics.csv after each epoch.  So writes 5 to 9 are those from threads.txt to the second epoch's
# metrics.csv.
MOMENTS = [(moment, which) for moment in ("fsync", "replace") for which in (5, 6, 7, 8, 9)]


@pytest.fixture(scope="module")
def killed(tmp_path_factory) -> Path:
    """Return a folder with one killed run for each of MOMENTS."""
    folder = tmp_path_factory.mktemp("killed")
    cases = [(moment, which, str(folder / f"{moment}-{which}")) for moment, which in MOMENTS]
    done = spawn.python("-c", KILLED_WHILE_SAVING, json.dumps(cases), "train", *OPTIONS)
    assert done.returncode == 0, done.stderr
    assert set(json.loads(done.stdout).values()) == {-signal.SIGKILL} and len(json.loads(done.stdout)) == len(MOMENTS)
    return folder


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    """Return a folder with an uninterrupted run of 3 epochs."""
    folder = tmp_path_factory.mktemp("whole")
    loop.train(SETTINGS, 3, folder / "3")
    return folder


@pytest.mark.parametrize("moment, which", MOMENTS)
def test_run_killed_during_a_save_can_be_resumed(killed, whole, moment, which):
    folder = killed / f"{moment}-{which}"
    _, history = checkpoint.load(folder / checkpoint.FILE)              # it can be read after every kill
    assert len(history) < 3
    loop.train(SETTINGS, 3, folder, resume=True)
    assert_same_to_the_bit(whole / "3", folder)
    assert not list(folder.glob("*.tmp"))
    rows = (folder / "metrics.csv").read_text().splitlines()
    assert [row.split(",")[0] for row in rows] == ["epoch", "1", "2", "3"]


def test_run_stopped_by_ctrl_c_can_be_resumed(tmp_path):
    """The run is stopped at an arbitrary point after its second epoch, and then continued for one more epoch."""
    # If the tests run in the background of a script, SIGINT is ignored in their child processes, so it is reset here.
    process = subprocess.Popen([sys.executable, *command(tmp_path / "stopped", "--epochs", "1000000")], cwd=ROOT,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                               preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
    for _ in range(5):                                              # three lines of heading, two epochs
        process.stdout.readline()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130 and "Traceback" not in err
    assert "--resume" in err
    done = len(checkpoint_content(tmp_path / "stopped")["history"])
    assert done >= 2
    resumed = spawn.python(*command(tmp_path / "stopped", "--epochs", str(done + 1), "--resume"))
    # no progress is printed into a pipe
    assert resumed.returncode == 0 and resumed.stderr == "" and "\r" not in resumed.stdout
    loop.train(SETTINGS, done + 1, tmp_path / "whole")
    assert_same_to_the_bit(tmp_path / "whole", tmp_path / "stopped")


@pytest.mark.parametrize("number", [signal.SIGKILL, *(pytest.param(each, marks=pytest.mark.slow)
                                                      for each in (signal.SIGTERM, signal.SIGHUP))])
def test_killing_an_experiment_also_ends_its_runs(tmp_path, number):
    """Each run locks its folder, so when no folder is locked, no run is left.

    PYTHONVERBOSE makes the runs print a lot: a run must also end if nothing reads its output any more.
    """
    process = subprocess.Popen([sys.executable, "-m", "refimpl", "experiment", "binary", "--only", "arm", "disarm",
                                "--epochs", "100000", "--jobs", "2", "--out", str(tmp_path)], cwd=ROOT,
                               stdout=subprocess.PIPE, stderr=subprocess.DEVNULL if number == signal.SIGKILL else
                               subprocess.PIPE, text=True,
                               env={**os.environ, **({"PYTHONVERBOSE": "1"} if number == signal.SIGKILL else {})})
    folders = [tmp_path / f"fashion-mnist-{name}-seed0" for name in ("arm", "disarm")]
    while not all((folder / "config.json").exists() for folder in folders):
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    if number == signal.SIGTERM:
        assert process.returncode == 130 and "the same command continues" in err and "Traceback" not in err
    end = time.monotonic() + (0 if number == signal.SIGTERM else 20)
    while True:
        try:
            for folder in folders:
                with files.locked(folder):
                    pass
            break
        except InputError:
            assert time.monotonic() < end, "a run has not ended"
            time.sleep(0.1)


@pytest.mark.slow
def test_peak_memory_of_training_on_mnist(tmp_path):
    """Train for an epoch and print the peak memory in MB.  A large batch needs more memory and less time."""
    code = ("import resource, sys; from refimpl import cli; cli.main(sys.argv[1:]); "
            "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)")
    arguments = ["train", "--k", "50", "--batch", "1000", "--epochs", "1", "--out", str(tmp_path / "run")]
    # The shell in between is small; a direct child of this process would start with the peak of this process.
    done = subprocess.run(["sh", "-c", '"$@"; exit $?', "sh", sys.executable, "-c", code, *arguments], cwd=ROOT,
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout.split()[-1]) < 600, "MB"
