"""Error messages are one line, even if a path has unusual characters or a matplotlibrc cannot be read."""
from __future__ import annotations

import sys

import matplotlib as mpl
import pytest

from refimpl import plots
from refimpl.arguments import InputError, one_line
from refimpl.experiments import theory
from refimpl.experiments.theory import explore
from tests.cli.helpers import SMALL, assert_refused, call
from tests.cli.test_edges import run_in_shell

UNUSUAL = "a\nb\rc\x1b[31md\x0be\x85f\u2028g\x00h\udcff"
ESCAPED = r"a\nb\rc\x1b[31md\x0be\x85f\u2028g\x00h\udcff"
NAME = UNUSUAL.replace("\x00", "").replace("\udcff", "")            # without the characters that no file name has
NAME_ESCAPED = ESCAPED.replace(r"\x00", "").replace(r"\udcff", "")


def test_message_of_an_input_error_is_one_line():
    assert str(InputError(UNUSUAL)) == one_line(UNUSUAL) == ESCAPED and ESCAPED.isprintable()
    assert one_line(ESCAPED) == ESCAPED and one_line("ε = 0,1 … 数据") == "ε = 0,1 … 数据"


@pytest.mark.parametrize("arguments", [
    ["compare", NAME, "--save", "x.png"], ["compare", "there", "--save", NAME], ["train", "--dataset", NAME + ".npz"],
    ["train", "--dataset", NAME], ["train", "--data-dir", NAME], ["train", *SMALL, "--out", "file/" + NAME],
    ["train", *SMALL, "--out", NAME], ["train", "--resume", "--out", NAME], ["train", "--" + NAME],
    ["train", "--set", NAME], ["train", "--estimator", NAME], [NAME], ["measure", "codes", NAME],
    ["measure", "variance", "--run", NAME], ["make", "report", "--root", NAME], ["explore", "--save", NAME],
    ["experiment", "binary", "--only", NAME], ["verify", "--h", NAME, "--f", "1,2"]],
    ids=lambda arguments: " ".join(arguments).replace(NAME, "UNUSUAL"))
def test_every_error_message_is_one_line(tmp_path, capsys, monkeypatch, arguments):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("")
    if arguments[-2:] == ["--out", NAME] and "--resume" not in arguments:
        (tmp_path / NAME).write_text("")
    status, _, err = call(capsys, *arguments)
    assert status == 2 and err[-1] == "\n" and err[:-1].isprintable() and NAME_ESCAPED in err.replace("\\\\", "\\"), err


def test_picture_that_cannot_be_drawn_is_reported_in_one_line(tmp_path, capsys):
    with plots.may_fail(tmp_path / NAME):
        raise OverflowError("no tick")
    assert capsys.readouterr().err == f"{tmp_path}/{NAME_ESCAPED} could not be drawn: OverflowError: no tick\n"


def test_undecodable_matplotlib_settings_are_refused_before_training(tmp_path):
    """The error must come before a run is trained whose pictures could not be drawn."""
    (tmp_path / "matplotlibrc").write_bytes(b"font.family: \xff\n")
    done = run_in_shell("train --limit 60 --batch 20 --hidden 4 --epochs 1 --out run", cwd=tmp_path)
    assert done.returncode == 2 and done.stderr.count("\n") == 1, done.stderr
    assert "matplotlibrc" in done.stderr and "can't decode byte 0xff" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["matplotlibrc"]


def test_explorer_refuses_undecodable_matplotlib_settings(capsys, monkeypatch):
    class Finder:
        def find_spec(self, name, *more):
            raise UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte")

    monkeypatch.delattr(theory, "explore")
    monkeypatch.delitem(sys.modules, "refimpl.experiments.theory.explore")
    monkeypatch.setattr(sys, "meta_path", [Finder()])
    assert_refused(capsys, ["explore"], "matplotlibrc in the current folder", "can't decode byte 0xff")


def test_explorer_ignores_the_users_matplotlib_settings(tmp_path, monkeypatch):
    """They are ignored from the first line that is drawn until the window is closed."""
    widths = []

    class Explorer:
        def __init__(self, figure, *problem):
            widths.append(mpl.rcParams["lines.linewidth"])
            self.figure = figure

    monkeypatch.setattr(explore, "Explorer", Explorer)
    monkeypatch.setattr(explore, "_window", lambda: widths.append(mpl.rcParams["lines.linewidth"]))
    monkeypatch.setattr(explore, "_wait", lambda: widths.append(mpl.rcParams["lines.linewidth"]))
    monkeypatch.setattr(plots, "save", lambda figure, path: None)
    with mpl.rc_context({"lines.linewidth": 700}):
        explore.run(samples=10)
        explore.run(samples=10, save=tmp_path / "x.png")
        assert mpl.rcParams["lines.linewidth"] == 700
    assert widths == [mpl.rcParamsDefault["lines.linewidth"]] * 4
