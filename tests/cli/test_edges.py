"""Unusual environments, folders, streams and numbers: commands still succeed, or fail with a one-line message."""
from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import matplotlib as mpl
import matplotlib.image
import numpy as np
import pytest

from refimpl import cli, plots
from refimpl.arguments import InputError, NotFinite
from refimpl.plots import images, runs
from refimpl.runs import checkpoint, loop
from refimpl.runs.vae import VAERun
from tests.cases import first
from tests.cli.helpers import SMALL, WITHOUT_PICTURES, assert_refused, call
from tests.settings import vae

ROOT = Path(__file__).resolve().parent.parent.parent


def run_in_shell(arguments: str, before: str = "", program: str = "-m refimpl",
                 **more) -> subprocess.CompletedProcess:
    """Run refimpl in a new Python process, started by a shell, with the package on the path.

    `before` is put in front of the command, and `more` goes to subprocess.run, for example cwd.
    """
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **more.pop("env", {})}
    command = f"{before}{sys.executable} {program} {arguments}"
    return subprocess.run(command, shell=True, capture_output=True, text=True, env=environment, **more)


@pytest.mark.slow
def test_verify_succeeds_with_closed_standard_output(tmp_path):
    """The status must not be 1, because status 1 of verify means that a claim failed."""
    done = run_in_shell(f"verify --k 2 --samples 1000 --out {tmp_path} >&-", cwd=tmp_path, program=WITHOUT_PICTURES)
    assert done.returncode == 0 and done.stderr == ""


BAD_MATPLOTLIBRC = """text.usetex: True
figure.figsize: 9000, 9000
font.family: No Such Font
lines.linewidth: 700
"""


@pytest.mark.slow
def test_pictures_do_not_depend_on_the_users_matplotlib_settings(tmp_path):
    """The command runs with a matplotlibrc that would break its pictures, a folder for matplotlib's cache that cannot
    be created, and a backend that does not exist."""
    (tmp_path / "matplotlibrc").write_text(BAD_MATPLOTLIBRC)
    done = run_in_shell("train --limit 60 --batch 20 --hidden 4 --epochs 1 --out run", cwd=tmp_path,
                        env={"MPLCONFIGDIR": "/proc/none", "MPLBACKEND": "nosuch"})
    assert (done.returncode, done.stderr) == (0, "")
    with mpl.rc_context(fname=tmp_path / "matplotlibrc"):
        loop.train(vae(hidden=4, limit=60, batch=20), 1, tmp_path / "expected", draw=runs.of_run)
        assert mpl.rcParams["lines.linewidth"] == 700                       # the user's settings are unchanged
    for name in ("curves.png", "samples.png"):
        assert plots.digest_of(tmp_path / "run" / name) == plots.digest_of(tmp_path / "expected" / name) != ""


def test_run_succeeds_if_a_picture_cannot_be_drawn(tmp_path, capsys, monkeypatch):
    def of_run(run, rows, dataset):
        raise OverflowError("no tick\nfor this")

    monkeypatch.setattr(runs, "of_run", of_run)
    status, out, err = call(capsys, "train", *SMALL, "--epochs", 1, "--out", tmp_path)
    assert status == 0 and "1 epoch: test" in out
    assert err == f"{tmp_path / 'curves.png'} could not be drawn: OverflowError: no tick\n"
    assert (tmp_path / "metrics.csv").exists()


@pytest.mark.drawn
@pytest.mark.parametrize("shape", [(3_000, 1), (1, 3_000), (1_000, 3)])
def test_pictures_of_images_of_extreme_shape_stay_small(tmp_path, shape, recwarn):
    figure = images.tiles(np.zeros((16, shape[0] * shape[1])), "数据 देव", "direct", shape=shape)
    plots.save(figure, tmp_path / "x.png")
    high, wide = mpl.image.imread(tmp_path / "x.png").shape[:2]
    assert max(high, wide) < 4_000 and not recwarn.list


@pytest.mark.parametrize("words", first(1, ["--help", "--version", "train --help"]))
def test_help_with_closed_standard_output_succeeds(tmp_path, words):
    done = run_in_shell(f"{words} >&-", cwd=tmp_path)
    assert done.returncode == 0 and done.stderr == ""


@pytest.mark.parametrize("name", first(1, ["matplotlib", "numpy"]))
def test_missing_package_is_named_in_one_line(tmp_path, name):
    """NumPy is imported at the start, and Matplotlib only by some commands."""
    (tmp_path / "missing" / name).mkdir(parents=True)
    (tmp_path / "missing" / name / "__init__.py").write_text(f"raise ModuleNotFoundError(\"No module named '{name}'\")")
    done = run_in_shell("train --limit 60 --batch 20 --hidden 4 --epochs 1", cwd=tmp_path,
                        env={"PYTHONPATH": f"{tmp_path / 'missing'}{os.pathsep}{ROOT}"})
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and f"No module named '{name}'" in done.stderr


@pytest.mark.parametrize("when", first(1, ["numpy", "refimpl.cli", "refimpl.cli.parser", "matplotlib.figure"]))
def test_ctrl_c_during_an_import_exits_without_traceback(tmp_path, when):
    """The interrupt may come during any import, and the imported module may raise another error instead."""
    (tmp_path / "sitecustomize.py").write_text(f"""
import os, signal, sys
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == {when!r}:
            try:
                os.kill(os.getpid(), signal.SIGINT)
            except BaseException:
                raise RuntimeError("an extension module was not initialised") from None
sys.meta_path.insert(0, Finder())
""")
    done = run_in_shell("train --limit 60 --batch 20 --hidden 4 --epochs 1", cwd=tmp_path,
                        env={"PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"},
                        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
    assert done.returncode == 130 and "Traceback" not in done.stderr


def test_deleted_current_folder_is_reported(tmp_path):
    (tmp_path / "gone").mkdir()
    done = run_in_shell("verify --k 2 --samples 1000 --out q", cwd=tmp_path / "gone",
                        before=f"rmdir {tmp_path / 'gone'}; ")
    assert done.returncode == 2 and done.stderr.count("\n") == 1
    assert "the current folder has been deleted" in done.stderr


WINDOW = """
from matplotlib.backend_bases import FigureManagerBase
from matplotlib.backends.backend_agg import FigureCanvasAgg


class Manager(FigureManagerBase):
    @classmethod
    def pyplot_show(cls, *, block=None):
        print("a window is shown")


class FigureCanvas(FigureCanvasAgg):
    required_interactive_framework = "headless"         # so that it needs no display
    manager_class = Manager
"""


@pytest.mark.slow
def test_explorer_opens_a_window_of_the_users_backend(tmp_path):
    """All other commands ignore MPLBACKEND, because they draw only files; explore must use this backend."""
    (tmp_path / "a_window.py").write_text(WINDOW)
    environment = {"PYTHONPATH": f"{ROOT}{os.pathsep}{tmp_path}", "MPLBACKEND": "module://a_window"}
    done = run_in_shell("explore --samples 50", cwd=tmp_path, env=environment)
    assert (done.returncode, done.stdout, done.stderr) == (0, "a window is shown\n", "")
    done = run_in_shell("explore", cwd=tmp_path, env={"MPLBACKEND": "nosuch"})
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and "MPLBACKEND=nosuch" in done.stderr


@pytest.mark.slow
def test_interrupts_ignored_by_the_parent_process_stay_ignored(tmp_path):
    """A script's background job starts with SIGINT ignored.  Python keeps this, and so must the command."""
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
def test_empty_name_of_the_out_folder_is_refused(tmp_path, capsys, monkeypatch, command):
    monkeypatch.chdir(tmp_path)
    assert_refused(capsys, [*command, "--out", ""], "--out", "empty name")
    assert not list(tmp_path.iterdir())


def test_resume_is_suggested_only_if_there_is_a_checkpoint(tmp_path, capsys):
    (tmp_path / "config.json").write_text("{}")
    assert_refused(capsys, ["train", *SMALL, "--out", tmp_path], "config.json", "choose another folder")
    _, _, err = call(capsys, "train", *SMALL, "--out", tmp_path)
    assert "--resume" not in err
    (tmp_path / checkpoint.FILE).write_bytes(b"")
    assert_refused(capsys, ["train", *SMALL, "--out", tmp_path], "continue with --resume")


@pytest.fixture
def finished(tmp_path, quick) -> Path:
    """Return the folder of a finished run of one epoch, without pictures."""
    loop.train(vae(hidden=4, limit=60, batch=20), 1, tmp_path / "run")
    return tmp_path / "run"


@pytest.mark.parametrize("number", ["1e308", "-1e13"])
def test_compare_refuses_impossible_measurements(finished, tmp_path, capsys, number):
    text = (finished / "metrics.csv").read_text().splitlines()
    names, values = text[0].split(","), text[1].split(",")
    values[names.index("test_elbo")] = number
    (finished / "metrics.csv").write_text("\n".join([text[0], ",".join(values)]) + "\n")
    assert_refused(capsys, ["compare", finished, "--save", tmp_path / "c.png"], "metrics.csv", "beyond 1e+12")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run"]


@pytest.mark.parametrize("name", ["config.json", "metrics.csv", checkpoint.FILE])
def test_named_pipe_in_place_of_a_file_is_refused(finished, tmp_path, capsys, name):
    (finished / name).unlink()
    os.mkfifo(finished / name)
    command = ["measure", "codes", finished] if name == checkpoint.FILE else \
        ["compare", finished, "--save", tmp_path / "c.png"]
    assert_refused(capsys, command, name, "not a plain file")


def test_compare_accepts_runs_of_every_kind(finished, tmp_path, capsys):
    small = ["--labels", "10", "--limit", "60", "--batch", "20", "--pretrain", "1", "--epochs", "1", "--gaussian", "2"]
    assert call(capsys, "semi-supervised", *small, "--out", tmp_path / "mixture")[0] == 0
    status, out, err = call(capsys, "compare", finished, tmp_path / "mixture", "--save", tmp_path / "c.png")
    assert status == 0 and err == "" and "10 labels" in out and "k = 10" in out


# --- divergence, temperatures, generator states, imports --------------------------------------------------------------

def test_finite_weights_with_overflowing_scores_are_reported_as_divergence(tmp_path, monkeypatch, recwarn):
    """The step succeeds and leaves finite weights, but their scores overflow.  There must be no warning."""
    def blow_up(self, x):
        self.adam.t += 1
        self.model.parameters.values[...] = 1e20
        return 0

    monkeypatch.setattr(VAERun, "step", blow_up)
    with pytest.raises(InputError, match=r"^training diverged: .*smaller --lr than 0.001, or another eps than 0.1$"):
        loop.train(vae(hidden=4, limit=60, batch=20), 1, tmp_path)
    assert not recwarn.list


def test_estimate_that_is_not_finite_is_reported_as_divergence(tmp_path, monkeypatch):
    def step(self, x):
        raise NotFinite("f must be finite, got NaN or infinity")

    monkeypatch.setattr(VAERun, "step", step)
    with pytest.raises(InputError, match="^training diverged"):
        loop.train(vae(hidden=4, limit=60, batch=20), 1, tmp_path)


@pytest.mark.parametrize("name", ["eps", "tau"])
def test_temperature_out_of_range_is_refused_by_name(tmp_path, capsys, name):
    estimator = {"eps": "two-sided", "tau": "gumbel-softmax"}[name]
    assert_refused(capsys, ["train", "--estimator", estimator, f"--{name}", "1e308", "--out", tmp_path / "run"],
                   f"--{name} must be at least 1e-06 and at most 1000000")


@pytest.mark.parametrize("place, value", [("state", -1), ("inc", -1), ("state", 2**128)])
def test_invalid_generator_state_is_refused(finished, place, value):
    content = dict(np.load(finished / checkpoint.FILE))
    state = json.loads(str(content["rng"]))
    state["state"][place] = value
    np.savez(finished / checkpoint.FILE, **{**content, "rng": json.dumps(state)})
    with pytest.raises(InputError, match="is truncated, damaged, or not a checkpoint"):
        checkpoint.load(finished / checkpoint.FILE)


def test_help_does_not_import_matplotlib():
    code = "import sys, refimpl.cli; assert 'matplotlib' not in sys.modules, 'imported'; refimpl.cli.make_parser()"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert cli.make_parser().prog == "python -m refimpl"
