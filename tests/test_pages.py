"""The code and the commands on the pages beside the chapters run, and do what the pages say."""
from __future__ import annotations

import contextlib
import csv
import io
import re
import shlex
from pathlib import Path

import pytest

from refimpl import cli
from refimpl.experiments import registry
from refimpl.report import functions
from refimpl.runs import loop
from tests import spawn
from tests.settings import vae

ROOT = Path(__file__).resolve().parent.parent
PAGES = {name: (ROOT / "tutorials" / name).read_text(encoding="utf-8")
         for name in ("attributes.md", "check_your_own.md", "jigsaw.md", "your_own_estimator.md")}


def code(page: str) -> list[str]:
    return re.findall(r"```python\n(.*?)```", PAGES[page], re.S)


def test_blocks_of_check_your_own_print_the_output_shown_on_the_page():
    names: dict = {}
    blocks = re.findall(r"```python\n([^`]*?)```\n\n```text\n([^`]*?)```", PAGES["check_your_own.md"])
    assert len(blocks) == 5
    for source, shown in blocks:
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(source, names)
        assert printed.getvalue() == shown
    assert names["report"].holds and "It is the direct gradient." in blocks[0][1]
    verdicts = [" ".join(shown.split()).rpartition("direct gradient: ")[2] for _, shown in blocks[1:]]
    expected = "the sign is wrong", "the noise is not shared", "Gumbel-softmax", "REINFORCE"
    for words, verdict in zip(expected, verdicts):
        assert words in verdict


def test_functions_for_other_frameworks_compile():
    blocks = re.findall(r"```py\n(.*?)```", PAGES["check_your_own.md"], re.S)
    assert len(blocks) == 3
    for block in blocks:
        compile(block, "check_your_own.md", "exec")


def test_code_that_loads_weights_elsewhere_computes_the_same_bound(tmp_path):
    loop.train(vae(k=4, hidden=12, limit=2_000), 1, tmp_path)
    names: dict = {}
    exec(code("check_your_own.md")[-1], names)
    from refimpl import data
    whole = data.load("mnist").test
    from refimpl.runs import checkpoint
    expected = checkpoint.load(tmp_path / checkpoint.FILE)[0].model.bounds(whole).elbo
    assert names["bound"](tmp_path, hidden=12, k=4) == pytest.approx(expected, abs=1e-3)


def test_code_of_attributes_md_agrees_with_its_text(capsys):
    names: dict = {}
    for block in code("attributes.md"):
        exec(block, names)
    printed = capsys.readouterr().out
    assert abs(names["after"] - names["before"]) < 1e-9 and names["before"] < -100
    changed = names["changed"]
    assert list(changed)[:3] == ["glasses", "long hair", "smile"] and len(changed) == 12
    assert printed.count(" pixels") == 12 and printed.count("an attribute") == 3
    assert printed.splitlines()[1].startswith("across") and changed["across"] == max(changed.values())


def test_commands_of_attributes_md_parse():
    from refimpl.cli.parser import make_parser

    commands = re.findall(r"^python -m refimpl (.*)$", PAGES["attributes.md"], re.M)
    assert len(commands) == 3
    for command in commands:
        make_parser().parse_args(shlex.split(command))


def test_code_of_jigsaw_md_runs_and_its_commands_parse(capsys):
    from refimpl.cli.parser import make_parser

    (block,) = code("jigsaw.md")
    exec(block, {})                                                         # the block contains an assertion
    assert capsys.readouterr().out.count("eps times the gradient is") == 2
    commands = re.findall(r"^python -m refimpl (.*)$", PAGES["jigsaw.md"], re.M)
    assert len(commands) == 3
    for command in commands:
        options = make_parser().parse_args(shlex.split(command))
        known = {cell.label for cell in registry.REGISTRY[options.name].make("mnist", 0)}
        assert set(options.only or ()) <= known


@pytest.fixture(scope="module")
def user_folder(tmp_path_factory):
    """Return a new folder with the two files that the page shows."""
    folder = tmp_path_factory.mktemp("mine")
    for name, content in zip(("mine.py", "subsets.py"), code("your_own_estimator.md"), strict=True):
        (folder / name).write_text(content)
    return folder


def run_file(folder, *arguments, file="mine.py"):
    return spawn.python(folder / file, *arguments, cwd=folder, env={"PYTHONPATH": str(ROOT)})


def test_custom_estimator_of_the_page_trains_and_is_plotted_and_measured(user_folder, capsys):
    done = run_file(user_folder, "train", "--estimator", "mine", "--epochs", "1", "--limit", "500", "--out",
                    "runs/mine")
    assert done.returncode == 0, done.stderr
    with open(user_folder / "runs/mine/metrics.csv", newline="") as stream:
        assert len(list(csv.DictReader(stream))) == 1
    done = run_file(user_folder, "compare", "runs/mine", "--save", "mine.png")
    assert done.returncode == 0 and (user_folder / "mine.png").read_bytes().startswith(b"\x89PNG"), done.stderr
    short = ("from refimpl.experiments.theory import estimators_table as table; "
             "table.WARM_UP = 5; import runpy; runpy.run_path('mine.py', run_name='__main__')")
    done = spawn.python("-c", short, "measure", "estimators", "--n", "2", "--k", "2", "--samples", "5000", "--out",
                        "runs/e", cwd=user_folder)
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("mine ")]
    assert done.returncode == 0 and line.rstrip().endswith("unbiased")
    # without the entry in the registry there is an error of one line
    for arguments in (["compare", str(user_folder / "runs/mine"), "--save", str(user_folder / "x.png")],
                      ["train", "--resume", "--out", str(user_folder / "runs/mine")]):
        assert cli.main(arguments) == 2
        assert "'mine'" in (error := capsys.readouterr().err) and error.count("\n") == 1


def test_custom_hyperparameter_is_set_and_a_wrong_name_gives_the_error_on_the_page(user_folder):
    small = ["train", "--estimator", "mine", "--epochs", "1", "--limit", "300"]
    done = run_file(user_folder, *small, "--set", "lam=0.3", "--out", "runs/lam")
    assert done.returncode == 0 and "mine, k = 10, lam = 0.3" in done.stdout, done.stderr
    done = run_file(user_folder, *small, "--set", "lamb=0.3", "--out", "runs/lamb")
    (answer,) = re.findall(r"^python -m refimpl train: error: .*$", PAGES["your_own_estimator.md"], re.M)
    assert done.returncode == 2 and done.stderr.strip() == answer


def test_custom_family_trains_with_the_command_on_the_page(user_folder):
    (command,) = re.findall(r"^python subsets.py (.*)$", PAGES["your_own_estimator.md"], re.M)
    done = run_file(user_folder, *shlex.split(command), "--limit", "300", "--hidden", "20", file="subsets.py")
    assert done.returncode == 0 and "direct, n = 10, k = 2, subsets of 3" in done.stdout, done.stderr
    assert "-log p(x)" in done.stdout and "nan" not in done.stdout


def test_index_of_functions_is_up_to_date(capsys):
    assert cli.main(["make", "functions"]) == 0
    printed = capsys.readouterr().out
    assert printed == (ROOT / functions.PAGE).read_text(encoding="utf-8"), \
        "run `python -m refimpl make functions --write`"
    assert "| `gradient` | Return " in printed


def test_every_public_function_has_a_first_sentence():
    import importlib

    for name in functions.MODULES:
        for each, value in functions.public(importlib.import_module(f"refimpl.{name}")):
            assert functions.first_sentence(value), f"{name}.{each}"


def test_make_functions_writes_the_index(tmp_path, monkeypatch, capsys):
    (tmp_path / "tutorials").mkdir()
    monkeypatch.setattr(functions, "ROOT", tmp_path)
    assert cli.main(["make", "functions", "--write"]) == 0
    assert (tmp_path / functions.PAGE).read_text() == functions.page()
