"""The pages beside the chapters: what they show runs, and does what they say."""
from __future__ import annotations

import csv
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from refimpl import cli
from refimpl.report import functions
from refimpl.runs import loop
from refimpl.runs.vae import VAESettings

ROOT = Path(__file__).resolve().parent.parent
PAGES = {name: (ROOT / "tutorials" / name).read_text(encoding="utf-8")
         for name in ("attributes.md", "check_your_own.md", "your_own_estimator.md")}


def code(page: str) -> list[str]:
    return re.findall(r"```python\n(.*?)```", PAGES[page], re.S)


def test_the_stand_in_of_check_your_own_passes(capsys):
    names: dict = {}
    exec(code("check_your_own.md")[0], names)
    assert names["report"].holds and "It is the direct gradient." in capsys.readouterr().out


def test_the_functions_for_other_frameworks_are_python():
    for block in re.findall(r"```text\n(.*?)```", PAGES["check_your_own.md"], re.S):
        compile(block, "check_your_own.md", "exec")


def test_the_weights_elsewhere_give_the_same_bound(tmp_path):
    loop.train(VAESettings(k=4, hidden=12, limit=2_000), 1, tmp_path)
    names: dict = {}
    exec(code("check_your_own.md")[1], names)
    from refimpl import data
    whole = data.load("mnist").test
    from refimpl.runs import checkpoint
    expected = checkpoint.load(tmp_path / checkpoint.FILE)[0].model.bounds(whole).elbo
    assert names["bound"](tmp_path, hidden=12, k=4) == pytest.approx(expected, abs=1e-3)


def test_the_code_of_discovering_attributes_holds_what_the_page_says(capsys):
    names: dict = {}
    for block in code("attributes.md"):
        exec(block, names)
    said = capsys.readouterr().out
    assert abs(names["after"] - names["before"]) < 1e-9 and names["before"] < -100
    changed = names["changed"]
    assert list(changed)[:3] == ["glasses", "long hair", "smile"] and len(changed) == 12
    assert said.count(" pixels") == 12 and said.count("an attribute") == 3
    assert said.splitlines()[1].startswith("across") and changed["across"] == max(changed.values())


def test_the_commands_of_discovering_attributes_parse():
    from refimpl.cli.parser import make_parser

    commands = re.findall(r"^python -m refimpl (.*)$", PAGES["attributes.md"], re.M)
    assert len(commands) == 3
    for command in commands:
        make_parser().parse_args(shlex.split(command))


@pytest.fixture(scope="module")
def mine(tmp_path_factory):
    """The file of the page, in a folder of its own."""
    folder = tmp_path_factory.mktemp("mine")
    (folder / "mine.py").write_text(code("your_own_estimator.md")[0])
    return folder


def called(folder, *arguments):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1"}
    return subprocess.run([sys.executable, "mine.py", *arguments], cwd=folder, env=environment, capture_output=True,
                          text=True)


def test_an_estimator_of_one_s_own_trains_and_is_drawn_and_measured(mine, capsys):
    done = called(mine, "train", "--estimator", "mine", "--epochs", "1", "--limit", "500", "--out", "runs/mine")
    assert done.returncode == 0, done.stderr
    with open(mine / "runs/mine/metrics.csv", newline="") as stream:
        assert len(list(csv.DictReader(stream))) == 1
    done = called(mine, "compare", "runs/mine", "--save", "mine.png")
    assert done.returncode == 0 and (mine / "mine.png").read_bytes().startswith(b"\x89PNG"), done.stderr
    done = called(mine, "measure", "estimators", "--n", "2", "--k", "2", "--samples", "5000", "--out", "runs/e")
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("mine ")]
    assert done.returncode == 0 and line.rstrip().endswith("unbiased")
    # whoever has not registered it is told so, in one line
    for arguments in (["compare", str(mine / "runs/mine"), "--save", str(mine / "x.png")],
                      ["train", "--resume", "--out", str(mine / "runs/mine")]):
        assert cli.main(arguments) == 2
        assert "'mine'" in (said := capsys.readouterr().err) and said.count("\n") == 1


def test_the_index_of_the_functions_is_what_the_command_makes(capsys):
    assert cli.main(["make", "functions"]) == 0
    made = capsys.readouterr().out
    assert made == (ROOT / functions.PAGE).read_text(encoding="utf-8"), "`python -m refimpl make functions --write`"
    assert "| `gradient` | (onehot(z*(eps)) - onehot(z*)) / eps, one estimate a draw of the noise" in made


def test_every_public_function_has_a_first_line():
    import importlib

    for name in functions.MODULES:
        for each, value in functions.public(importlib.import_module(f"refimpl.{name}")):
            assert functions.first_sentence(value), f"{name}.{each}"


def test_functions_write(tmp_path, monkeypatch, capsys):
    (tmp_path / "tutorials").mkdir()
    monkeypatch.setattr(functions, "ROOT", tmp_path)
    assert cli.main(["make", "functions", "--write"]) == 0
    assert (tmp_path / functions.PAGE).read_text() == functions.page()
