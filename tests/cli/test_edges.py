"""Odd places, names, streams and numbers: each gets its one line, and nothing is left behind."""
from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from refimpl import cli
from refimpl.checks import InputError, NotFinite
from refimpl.experiments import cells
from refimpl.experiments.cells import Cell
from refimpl.runs import checkpoint, loop
from refimpl.runs.vae import VAERun, VAESettings
from tests.cli.helpers import SMALL, assert_refused, call

ROOT = Path(__file__).resolve().parent.parent.parent


def in_a_process(arguments: str, **more) -> subprocess.CompletedProcess:
    """A command line through a shell, with the package on the path, from wherever `cwd` says."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **more.pop("env", {})}
    return subprocess.run(f"{sys.executable} -m refimpl {arguments}", shell=True, capture_output=True, text=True,
                          env=environment, **more)


def test_standard_output_may_be_closed(tmp_path):
    """Status 0, not 1, which for verify would mean that a claim failed."""
    done = in_a_process(f"verify --k 2 --samples 1000 --out {tmp_path} >&-", cwd=tmp_path)
    assert done.returncode == 0 and done.stderr == ""


def test_a_window_system_that_matplotlib_does_not_know_is_nobodys_business(tmp_path):
    done = in_a_process(f"train --limit 60 --batch 20 --hidden 4 --epochs 1 --out {tmp_path / 'run'}", cwd=tmp_path,
                        env={"MPLBACKEND": "nosuch"})
    assert done.returncode == 0 and done.stderr == ""
    assert (tmp_path / "run" / "curves.png").exists()


WINDOW = """
from matplotlib.backend_bases import FigureManagerBase
from matplotlib.backends.backend_agg import FigureCanvasAgg


class Manager(FigureManagerBase):
    @classmethod
    def pyplot_show(cls, *, block=None):
        print("a window is shown")


class FigureCanvas(FigureCanvasAgg):
    required_interactive_framework = "headless"         # what a process without a display runs
    manager_class = Manager
"""


def test_the_explorer_opens_a_window_of_the_user_s_system(tmp_path):
    """As a program: every other command draws into files, whatever MPLBACKEND says, and this one must not."""
    (tmp_path / "a_window.py").write_text(WINDOW)
    there = {"PYTHONPATH": f"{ROOT}{os.pathsep}{tmp_path}", "MPLBACKEND": "module://a_window"}
    done = in_a_process("explore --samples 50", cwd=tmp_path, env=there)
    assert (done.returncode, done.stdout, done.stderr) == (0, "a window is shown\n", "")
    done = in_a_process("explore", cwd=tmp_path, env={"MPLBACKEND": "nosuch"})
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and "MPLBACKEND=nosuch" in done.stderr


def test_interrupts_that_the_parent_told_us_to_ignore_are_ignored(tmp_path):
    """A background job of a script, or nohup: Python leaves SIGINT alone where it was ignored at the start."""
    command = [sys.executable, "-m", "refimpl", "train", *SMALL, "--epochs", "3", "--out", str(tmp_path / "r")]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                               preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN))
    process.stdout.readline()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0 and "3 epochs" in out and err == ""


@pytest.mark.parametrize("command", [["train"], ["semi-supervised"], ["verify"], ["measure", "variance"],
                                     ["measure", "estimators"], ["measure", "structured-timing"],
                                     ["experiment", "binary"], ["quickstart"]])
def test_an_empty_name_is_no_folder(tmp_path, capsys, monkeypatch, command):
    monkeypatch.chdir(tmp_path)
    assert_refused(capsys, [*command, "--out", ""], "--out", "empty name")
    assert not list(tmp_path.iterdir())


def test_a_folder_with_settings_and_no_checkpoint_is_not_told_to_resume(tmp_path, capsys):
    (tmp_path / "config.json").write_text("{}")
    assert_refused(capsys, ["train", *SMALL, "--out", tmp_path], "config.json", "choose another folder")
    _, _, err = call(capsys, "train", *SMALL, "--out", tmp_path)
    assert "--resume" not in err
    (tmp_path / checkpoint.FILE).write_bytes(b"")
    assert_refused(capsys, ["train", *SMALL, "--out", tmp_path], "continue with --resume")


@pytest.fixture
def finished(tmp_path, quick) -> Path:
    """A run of one epoch, without pictures."""
    loop.train(VAESettings(hidden=4, limit=60, batch=20), 1, tmp_path / "run")
    return tmp_path / "run"


@pytest.mark.parametrize("number", ["1e308", "-1e13"])
def test_compare_refuses_numbers_that_are_no_measurement(finished, tmp_path, capsys, number):
    text = (finished / "metrics.csv").read_text().splitlines()
    names, values = text[0].split(","), text[1].split(",")
    values[names.index("test_elbo")] = number
    (finished / "metrics.csv").write_text("\n".join([text[0], ",".join(values)]) + "\n")
    assert_refused(capsys, ["compare", finished, "--save", tmp_path / "c.png"], "metrics.csv", "beyond 1e+12")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run"]


@pytest.mark.parametrize("name", ["config.json", "metrics.csv", checkpoint.FILE])
def test_a_pipe_in_the_place_of_a_file_is_refused_unopened(finished, tmp_path, capsys, name):
    (finished / name).unlink()
    os.mkfifo(finished / name)
    command = ["measure", "codes", finished] if name == checkpoint.FILE else \
        ["compare", finished, "--save", tmp_path / "c.png"]
    assert_refused(capsys, command, name, "not a plain file")


def test_compare_takes_runs_of_every_kind(finished, tmp_path, capsys):
    small = ["--labels", "10", "--limit", "60", "--batch", "20", "--pretrain", "1", "--epochs", "1", "--gaussian", "2"]
    assert call(capsys, "semi-supervised", *small, "--out", tmp_path / "mixture")[0] == 0
    status, out, err = call(capsys, "compare", finished, tmp_path / "mixture", "--save", tmp_path / "c.png")
    assert status == 0 and err == "" and "10 labels" in out and "k = 10" in out


def test_jobs_find_the_package_from_any_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PYTHONPATH", raising=False)
    cell = Cell("one", VAESettings(hidden=4, limit=60, batch=20).resolved())
    cells.run_cells([cell], 1, tmp_path / "out", 2, None, lambda line: None)
    assert cells.epochs_done(tmp_path / "out" / cell.folder) == 1


# --- runs that are not finite, checkpoints that are not ours ----------------------------------------------------------

def test_finite_weights_whose_scores_are_not_are_said_in_one_line(tmp_path, monkeypatch, recwarn):
    """The steps go well and the weights are finite, but what they score overflows: no warning, one line."""
    def blow_up(self, x):
        self.adam.t += 1
        self.model.parameters.values[...] = 1e20
        return 0

    monkeypatch.setattr(VAERun, "step", blow_up)
    with pytest.raises(InputError, match=r"^training diverged: .*smaller --lr than 0.001, or another eps than 0.1$"):
        loop.train(VAESettings(hidden=4, limit=60, batch=20), 1, tmp_path)
    assert not recwarn.list


def test_an_estimate_that_is_not_finite_ends_the_epoch(tmp_path, monkeypatch):
    def step(self, x):
        raise NotFinite("f must be finite, got NaN or infinity")

    monkeypatch.setattr(VAERun, "step", step)
    with pytest.raises(InputError, match="^training diverged"):
        loop.train(VAESettings(hidden=4, limit=60, batch=20), 1, tmp_path)


@pytest.mark.parametrize("name", ["eps", "tau"])
def test_a_temperature_beyond_all_use_is_refused_by_its_name(tmp_path, capsys, name):
    estimator = {"eps": "two-sided", "tau": "gumbel-softmax"}[name]
    assert_refused(capsys, ["train", "--estimator", estimator, f"--{name}", "1e308", "--out", tmp_path / "run"],
                   f"--{name} must be at most")


@pytest.mark.parametrize("place, value", [("state", -1), ("inc", -1), ("state", 2**128)])
def test_a_generator_in_a_state_that_it_cannot_have_is_refused(finished, place, value):
    content = dict(np.load(finished / checkpoint.FILE))
    state = json.loads(str(content["rng"]))
    state["state"][place] = value
    np.savez(finished / checkpoint.FILE, **{**content, "rng": json.dumps(state)})
    with pytest.raises(InputError, match="is truncated, damaged, or not a checkpoint"):
        checkpoint.load(finished / checkpoint.FILE)


def test_help_does_not_wait_for_matplotlib():
    code = "import sys, refimpl.cli; assert 'matplotlib' not in sys.modules, 'imported'; refimpl.cli.make_parser()"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert cli.make_parser().prog == "python -m refimpl"
