"""Training runs: resumed, killed, stopped, repeated; the files they leave."""
from __future__ import annotations

import csv
import json
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from refimpl.runs import checkpoint, loop
from refimpl.checks import InputError
from refimpl.runs.vae import COLUMNS
from refimpl.runs.schedules import released
from refimpl.runs.vae import VAESettings
from tests.asserts import assert_same_to_the_bit, checkpoint_content

ROOT = Path(__file__).resolve().parent.parent.parent
SMALL = dict(hidden=20, limit=400, batch=64)                        # the last batch of an epoch is smaller


def small(**settings) -> VAESettings:
    return VAESettings(**{**SMALL, **settings}).resolved()


@pytest.mark.parametrize("settings", [
    {}, {"estimator": "exact"}, {"estimator": "gumbel-softmax"}, {"as_released": True},
    {"estimator": "straight-through-gumbel-softmax", "as_released": True}, {"k": 5, "kl_grad": False, "eps": 0.3},
    {"estimator": "reinforce", "n": 3, "k": 2}, {"estimator": "rebar", "n": 3, "k": 2}, {"estimator": "relax", "n": 3, "k": 2},
    {"structure": "pairwise", "n": 4, "k": 2}])
def test_resumed_equals_uninterrupted(tmp_path, settings):
    loop.train(small(**settings), 4, tmp_path / "whole")
    for epochs in (1, 3, 4):
        loop.train(small(**settings), epochs, tmp_path / "parts", resume=epochs > 1)
    assert_same_to_the_bit(tmp_path / "whole", tmp_path / "parts")


def test_same_seed_same_run_other_seed_other_run(tmp_path):
    for name, seed in (("one", 3), ("two", 3), ("three", 4)):
        loop.train(small(seed=seed), 1, tmp_path / name)
    assert_same_to_the_bit(tmp_path / "one", tmp_path / "two")
    assert (checkpoint_content(tmp_path / "one")["values"] != checkpoint_content(tmp_path / "three")["values"]).any()


def test_training_learns(tmp_path):
    rows = loop.train(VAESettings(limit=1_000), 6, tmp_path)
    assert rows[-1]["train_elbo"] > rows[0]["train_elbo"] + 20


def test_files_of_a_run(tmp_path):
    rows = loop.train(small(), 2, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(loop.WRITTEN)
    with open(tmp_path / "metrics.csv", newline="") as stream:
        written = list(csv.DictReader(stream))
    assert tuple(written[0]) == COLUMNS and len(written) == 2
    assert [row["epoch"] for row in written] == ["1", "2"] and written[1]["step"] == "14"
    for row, text in zip(rows, written):
        assert float(text["test_elbo"]) == pytest.approx(row["test_elbo"], abs=1e-6)
        assert row["gap"] == pytest.approx(row["test_log_likelihood"] - row["test_elbo"], abs=1e-9) and row["gap"] >= 0
        assert float(text["epsilon"]) == 0.1
    assert json.loads((tmp_path / "config.json").read_text())["eps"] == 0.1
    for picture in ("curves.png", "samples.png"):
        assert (tmp_path / picture).read_bytes().startswith(b"\x89PNG")


def test_exact_has_no_epsilon(tmp_path):
    loop.train(small(estimator="exact"), 1, tmp_path)
    with open(tmp_path / "metrics.csv", newline="") as stream:
        assert next(csv.DictReader(stream))["epsilon"] == ""


def test_released_schedule():
    assert released("eps", 0) == released("eps", 499) == 1
    assert released("eps", 500) == pytest.approx(np.exp(-0.005)) and released("tau", 999) == 1
    assert released("tau", 1_000) == pytest.approx(np.exp(-0.01))
    assert released("eps", 10**6) == 0.1
    settings = small(as_released=True)
    assert not settings.kl_grad and settings.temperature(0) == {"eps": 1.0}
    assert small(estimator="exact", as_released=True).kl_grad and small().temperature(10**6) == {"eps": 0.1}


def test_divergence_is_said_in_one_line(tmp_path):
    with pytest.raises(InputError, match="diverged.*smaller --lr"):
        loop.train(small(lr=1e30), 3, tmp_path)
    assert len(checkpoint_content(tmp_path)["history"]) == 0                     # the last good checkpoint stands


# --- stopped from outside -----------------------------------------------------------------------------------------------------

def command(out: Path, *more: str) -> list[str]:
    return [sys.executable, "-m", "refimpl", "train", "--hidden", "20", "--limit", "400", "--batch", "64",
            "--out", str(out), *more]


def run(arguments: list[str], **more) -> subprocess.CompletedProcess:
    return subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True, **more)


KILLED_WHILE_SAVING = """
import os, signal, sys
from refimpl import cli
moment, which = sys.argv[1], int(sys.argv[2])
saves, right = [], getattr(os, moment)
def deadly(*arguments):
    saves.append(1)
    if len(saves) == which:
        os.kill(os.getpid(), signal.SIGKILL)
    return right(*arguments)
setattr(os, moment, deadly)
cli.main(sys.argv[3:])
"""


@pytest.mark.parametrize("moment", ["fsync", "replace"])
@pytest.mark.parametrize("which", [4, 5, 6])                        # checkpoint and metrics of the second epoch, and after
def test_killed_in_the_middle_of_a_save(tmp_path, moment, which):
    loop.train(small(), 3, tmp_path / "whole")
    killed = run([sys.executable, "-c", KILLED_WHILE_SAVING, moment, str(which),
                  *command(tmp_path / "killed", "--epochs", "3")[3:]])
    assert killed.returncode == -signal.SIGKILL
    assert (tmp_path / "killed" / (checkpoint.FILE)).exists()
    checkpoint.load(tmp_path / "killed" / checkpoint.FILE)      # whole, whatever the moment
    resumed = run(command(tmp_path / "killed", "--epochs", "3", "--resume"))
    assert resumed.returncode == 0, resumed.stderr
    assert_same_to_the_bit(tmp_path / "whole", tmp_path / "killed")
    assert not list((tmp_path / "killed").glob("*.tmp"))
    csv_rows = (tmp_path / "killed" / "metrics.csv").read_text().splitlines()
    assert [row.split(",")[0] for row in csv_rows] == ["epoch", "1", "2", "3"]


def test_ctrl_c_and_resume(tmp_path):
    loop.train(small(), 40, tmp_path / "whole")
    process = subprocess.Popen(command(tmp_path / "stopped", "--epochs", "40"), cwd=ROOT, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True)
    for _ in range(4):                                              # two lines of heading, two epochs
        process.stdout.readline()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130 and "Traceback" not in err
    assert "--resume" in err
    assert 0 < len(checkpoint_content(tmp_path / "stopped")["history"]) < 40
    assert run(command(tmp_path / "stopped", "--epochs", "40", "--resume")).returncode == 0
    assert_same_to_the_bit(tmp_path / "whole", tmp_path / "stopped")


def test_a_pipe_gets_no_progress_line(tmp_path):
    done = run(command(tmp_path / "run", "--epochs", "1"))
    assert done.returncode == 0 and done.stderr == "" and "\r" not in done.stdout


def test_peak_memory_of_training_on_mnist(tmp_path):
    code = ("import resource, sys; from refimpl import cli; cli.main(sys.argv[1:]); "
            "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)")
    done = run([sys.executable, "-c", code, "train", "--k", "50", "--epochs", "1", "--out", str(tmp_path / "run")])
    assert done.returncode == 0, done.stderr
    assert int(done.stdout.split()[-1]) < 600, "MB"
