"""The chapters, appendices and solutions run, and each notebook consists of its source and the outputs.

These tests do not need the tool that builds the notebooks.  Numbers in the text that a chapter does not assert itself
are asserted by the file of the same name in tests/tutorials/numbers.
"""
from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from refimpl.arguments import InputError
from refimpl.experiments.training import tutorial_runs
from refimpl.plots import walls
from tests import long_cells, spawn
from tests.chapters import APPENDICES, FOLDER, SOURCES, cells, prose

BACKPROPAGATION = FOLDER / "05_backpropagation.py"
NUMBERS = Path(__file__).resolve().parent / "tutorials" / "numbers"
each = pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
each_or_appendix = pytest.mark.parametrize("source", SOURCES + APPENDICES, ids=lambda path: path.stem)


def solutions(source: Path) -> list[str]:
    """Return the code of each solution that is hidden in a <details>."""
    hidden = re.findall(r"<details><summary>Solution</summary>\n(.*?)</details>", prose(source), re.S)
    return ["\n".join(re.findall(r"```python\n(.*?)```", text, re.S)) for text in hidden]


def test_there_are_eleven_chapters_and_each_source_has_a_notebook():
    assert [path.name[:2] for path in SOURCES] == [f"{number:02d}" for number in range(1, 12)]
    assert sorted(path.stem for path in FOLDER.glob("*.ipynb")) == [path.stem for path in SOURCES + APPENDICES]


RUNNER = """
import sys, warnings
warnings.filterwarnings("error", module="__main__|refimpl")     # not of other packages
names, own = {"__name__": "__main__"}, None
for place, text in enumerate(sys.stdin.read().split(chr(0)), start=1):      # cells, then numbers, then solutions
    if text.startswith("# numbers"):                                        # these run on a copy of the names
        own = dict(names) if own is None else own
    exec(compile(text, f"part {place}", "exec"), own if text.startswith("# numbers") else names)
"""


def numbers(source: Path) -> list[str]:
    """Return the assertions about numbers of this chapter, split at comments that begin a line."""
    path = NUMBERS / source.name
    parts = re.split(r"^(?=# )", path.read_text(encoding="utf-8"), flags=re.M) if path.exists() else []
    return ["# numbers\n" + part for part in parts]


def run_chapter(source: Path, whole: bool) -> subprocess.CompletedProcess:
    """Run the chapter, its numbers and its solutions in one process, in which a warning from refimpl is an error.

    If `whole` is true, this includes the cells that take long, and the numbers and solutions that need them.  The
    process runs `python -c`, which finds start.py on PYTHONPATH; a program or a notebook finds it in its own folder.
    """
    parts = [text for kind, text in cells(source) if kind == "code"] + numbers(source) + solutions(source)
    text = "\0".join(parts if whole else long_cells.short(parts))
    return spawn.python("-c", RUNNER, text=text, env={"PYTHONPATH": str(FOLDER)})


def test_every_file_of_numbers_belongs_to_a_chapter():
    files = sorted(NUMBERS.glob("*.py"))
    assert files and {path.name for path in files} <= {path.name for path in SOURCES + APPENDICES}
    assert all("\nassert " in path.read_text(encoding="utf-8") for path in files)


@each_or_appendix
def test_chapter_its_numbers_and_its_solutions_run(source, request):
    """Without --slow, cells that take long, and parts that need them, are left out: see long_cells.py."""
    done = run_chapter(source, request.config.getoption("--slow"))
    assert done.returncode == 0, done.stderr
    assert done.stderr == "" and "nan" not in done.stdout


PROBLEM = """names = ["shirt", "coat", "dress"]              # z = 0, 1, 2
colours = ["#004488", "#DDAA33", "#BB5566"]
h = np.array([0.3, -0.4, 0.6])                  # the encoder's scores
f = np.array([1.0, -2.0, 0.5])                  # the decoder's scores, nats
noise = np.random.default_rng(1).gumbel(-np.euler_gamma, size=(100_000, 3))     # one row per draw, mean 0
M = len(noise)
"""


def test_chapters_1_to_4_use_the_same_problem():
    """Scores, colours and draws are the same, and they are those of the package's pictures of the walls."""
    for source in SOURCES[:4]:
        first = next(text for kind, text in cells(source) if kind == "code")
        assert PROBLEM in first + "\n", source.name
    names: dict = {"np": np}
    exec(PROBLEM, names)
    assert tuple(names["names"]) == walls.NAMES and tuple(names["colours"]) == walls.COLOURS
    assert (names["h"] == walls.H).all() and (names["f"] == walls.F).all()


@each_or_appendix
def test_notebook_contains_its_source_with_outputs(source):
    notebook = source.with_suffix(".ipynb")
    content = json.loads(notebook.read_text(encoding="utf-8"))
    built = [(cell["cell_type"], "".join(cell["source"]).strip()) for cell in content["cells"]]
    assert built == cells(source)
    code = [cell for cell in content["cells"] if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in code] == list(range(1, len(code) + 1))
    outputs = [output for cell in code for output in cell["outputs"]]
    assert not [output for output in outputs if output["output_type"] == "error" or output.get("name") == "stderr"]
    pictures = sum("image/png" in output.get("data", {}) for output in outputs)
    assert pictures == sum(text.count("plt.show()") for kind, text in built if kind == "code")
    assert notebook.stat().st_size < 1_000_000


MOST_WORDS, MOST_LINES = 3_000, 200             # a chapter should be read in one sitting


@each
def test_chapter_is_not_too_long(source):
    """The limits are for the text up to the exercises and for the code."""
    text = prose(source).partition("\n## Exercises\n")[0]
    code = [line for kind, part in cells(source) if kind == "code" for line in part.split("\n") if line.strip()]
    assert len(text.split()) <= MOST_WORDS and len(code) <= MOST_LINES


@pytest.mark.parametrize("source", SOURCES[:4], ids=lambda path: path.stem)
def test_chapter_on_theory_ends_with_the_workbook_and_its_symbols(source):
    assert re.search(r"^## Now write it yourself\n[^#]*`python tutorials/workbook/check\.py \d+`", prose(source), re.M)
    symbols = prose(source).rpartition("\n## Symbols\n")[2]
    assert re.fullmatch(r"\n+(These symbols are new\. [^\n]*\n+)?\|.*", symbols, re.S)


@each
def test_chapter_has_all_its_parts(source):
    text = prose(source)
    assert re.match(r"# \d+\. \S", text)
    for part in ("**You will**", "**You will learn**", "**You need**", "seconds",
                 "| symbol | in the code | the slides write | meaning |",
                 "## Exercises", "**1 (easy).**", "**2 (medium).**", "**3 (hard).**",
                 "## Where it goes wrong in practice", "## What to read next"):
        assert part in text, part
    assert len(solutions(source)) == 3 and all("assert" in code for code in solutions(source))
    code = "\n".join(text for kind, text in cells(source) if kind == "code")
    assert code.count("assert") >= 3 and code.count("plt.show()") >= 2
    assert "from refimpl" in code


@each_or_appendix
def test_mathematics_renders_on_github(source):
    """$…$ is closed on its line, contains no star, and is not in *emphasis*, which an underscore in it would end."""
    text = re.sub(r"```.*?```", "", prose(source), flags=re.S)
    text = re.sub(r"`[^`\n]*`", "", text)
    displayed = re.findall(r"^\$\$.*\$\$$", text, re.M)
    assert text.count("$$") == 2 * len(displayed), "a displayed formula must be alone on its line"
    rest = re.sub(r"^\$\$.*\$\$$", "", text, flags=re.M)
    for line in rest.split("\n"):
        assert line.count("$") % 2 == 0, line
        for formula in re.findall(r"\$([^$]*)\$", line):
            assert "*" not in formula and formula == formula.strip(), formula
    for formula in displayed:
        assert "*" not in formula, formula
    without_bold = re.sub(r"\*\*[^*]+\*\*", "", rest)
    for emphasis in re.findall(r"(?<!\*)\*(?!\s)([^*\n]+)\*", without_bold):
        assert "_" not in emphasis and "$" not in emphasis, emphasis


@pytest.mark.parametrize("page", [*SOURCES, *APPENDICES, FOLDER / "README.md"], ids=lambda path: path.name)
def test_links_and_paths_point_to_existing_files(page):
    text = prose(page) if page.suffix == ".py" else page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#]+)\)", text):
        assert target.startswith("https://") or (FOLDER / target).exists(), target
    for path in re.findall(r"`((?:refimpl|tests|data|tutorials)/[\w./]*)`", text):
        assert (FOLDER.parent / path).exists(), path


def test_index_links_every_chapter_with_a_picture():
    index = (FOLDER / "README.md").read_text(encoding="utf-8")
    for source in SOURCES:
        assert f"]({source.stem}.ipynb)" in index and f"](figures/chapter-{source.name[:2]}.png)" in index
    for source in APPENDICES:
        assert f"]({source.stem}.ipynb)" in index


# --- the small trained runs -------------------------------------------------------------------------------------------

def test_every_tutorial_run_exists_and_agrees_with_its_plan():
    assert sorted(path.stem for path in tutorial_runs.FOLDER.glob("*.npz")) == sorted(tutorial_runs.PLANS)
    for name, plan in tutorial_runs.PLANS.items():
        loaded = tutorial_runs.load(name)
        assert loaded.settings == plan.settings.resolved() and loaded.rows[-1]["epoch"] == plan.epochs
        assert (loaded.run is not None) == plan.weights
        pages = [path for path in SOURCES if path.name.startswith(f"{plan.chapter:02d}")]
        pages += [path for path in APPENDICES if f"({pages[0].stem}.ipynb)" in prose(path)]    # its appendices
        text = "".join(path.read_text(encoding="utf-8") for path in pages)
        assert name in text or name.partition("-")[0] + "-{" in text
    assert sum(path.stat().st_size for path in tutorial_runs.FOLDER.glob("*.npz")) < 2_000_000


def test_stored_weights_give_the_bound_of_the_last_row():
    loaded = tutorial_runs.load("eps-0.1-kl")
    from refimpl import data
    elbo = loaded.run.model.bounds(data.load("mnist").test).elbo
    assert elbo == pytest.approx(loaded.rows[-1]["test_elbo"], abs=1e-3)    # float32; rounding depends on threads


@pytest.mark.slow
def test_tutorial_run_can_be_made_again_and_missing_runs_are_reported(tmp_path, monkeypatch, capsys):
    plan = tutorial_runs.PLANS["eps-1-kl"]
    monkeypatch.setitem(tutorial_runs.PLANS, "eps-1-kl", plan._replace(epochs=1))
    tutorial_runs.make(["eps-1-kl"], tmp_path)
    assert "chapter 4, 1 epochs" in capsys.readouterr().out
    trained, stored = tutorial_runs.load("eps-1-kl", tmp_path), tutorial_runs.load("eps-1-kl")
    first, expected = trained.rows[0]["test_elbo"], stored.rows[0]["test_elbo"]
    assert first == pytest.approx(expected, abs=2.0)            # rounding depends on the machine
    assert np.isfinite(trained.run.model.parameters.values).all()
    (tmp_path / "eps-1-kl.npz").write_bytes(b"")
    for name, folder, problem in (("eps-1-kl", tmp_path, "is damaged; make it with"),
                                  ("eps-0.1-kl", tmp_path, "is missing; make it with")):
        with pytest.raises(InputError, match=problem):
            tutorial_runs.load(name, folder)
    with pytest.raises(InputError, match="unknown run 'eps-2-kl'; did you mean 'eps-1-kl'. there are eps-1-kl"):
        tutorial_runs.make(["eps-2-kl"], tmp_path)


# --- run as programs, alone, as sheets --------------------------------------------------------------------------------

def program(source: Path, folder: Path, *arguments: str, alone: bool = False) -> subprocess.CompletedProcess:
    """Run the chapter as a program in this folder; if `alone`, with a new interpreter that has to find the package."""
    if not alone:
        return spawn.python(source, *arguments, cwd=folder)
    environment = {**os.environ, "MPLBACKEND": "agg", "OPENBLAS_NUM_THREADS": "1"}
    environment.pop("PYTHONPATH", None)
    return subprocess.run([sys.executable, str(source), *arguments], cwd=folder, env=environment, capture_output=True,
                          text=True)


@pytest.mark.slow
def test_chapter_saves_its_figures_when_run_from_any_folder(tmp_path):
    done = program(SOURCES[0], tmp_path, "--save-figures", "kept")
    assert done.returncode == 0, done.stderr
    figures = sorted(path.name for path in (tmp_path / "kept").iterdir())
    assert figures and figures == [f"01_staircase-{place + 1}.png" for place in range(len(figures))]
    assert done.stdout.count("Figure: kept") == len(figures) and "no display" not in done.stdout
    assert "--save-figures DIR saves them" in program(SOURCES[0], tmp_path).stdout


FIRST = ("import start    # if it is not found: clone the whole repository, and run this chapter in its folder "
         "tutorials/")


@each_or_appendix
def test_every_chapter_begins_with_start(source):
    first = next(text for kind, text in cells(source) if kind == "code")
    assert first.startswith(FIRST)


def test_chapter_copied_alone_explains_what_is_missing(tmp_path):
    """The first line fails, and Python quotes it with its comment, which says what to do."""
    shutil.copy(BACKPROPAGATION, tmp_path / "chapter.py")
    done = program(tmp_path / "chapter.py", tmp_path, alone=True)
    assert done.returncode == 1 and done.stdout == ""
    assert [line.strip() for line in done.stderr.splitlines()].count(FIRST) == 1
    assert done.stderr.count("File ") == 1 and done.stderr.endswith("No module named 'start'\n")


def test_start_copied_without_the_package_reports_it_in_one_line(tmp_path):
    """The message has one line.  With PYTHONPATH the chapter works."""
    shutil.copy(FOLDER / "start.py", tmp_path)
    (tmp_path / "chapter.py").write_text(f"{FIRST}\nprint(start.plots.TRUTH)\n")
    done = program(tmp_path / "chapter.py", tmp_path, alone=True)
    assert done.returncode == 1 and done.stderr.count("\n") == 1 and "Traceback" not in done.stderr
    assert "clone the whole repository" in done.stderr and "PYTHONPATH" in done.stderr
    assert program(tmp_path / "chapter.py", tmp_path).stdout.endswith("#000000\n")


@pytest.mark.parametrize("place", [
    pytest.param(FOLDER, id="its own", marks=pytest.mark.slow), pytest.param(FOLDER.parent, id="the clone"),
    pytest.param(FOLDER.parent.parent, id="above the clone", marks=pytest.mark.slow)])
def test_start_finds_the_package_from_any_folder(place):
    done = program(FOLDER / "start.py", place, alone=True)
    assert (done.returncode, done.stderr) == (0, "") and "no display" in done.stdout


def test_build_joins_printed_lines_up_to_the_next_figure():
    spec = importlib.util.spec_from_file_location("build", FOLDER / "build.py")
    build = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(build)
    first, second = ({"output_type": "stream", "name": "stdout", "text": [f"{word}\n"]} for word in ("one", "two"))
    figure, warning = {"output_type": "display_data", "data": {}}, {**first, "name": "stderr"}
    both = {**first, "text": ["one\n", "two\n"]}
    assert build.joined([dict(first), second, figure, second, warning]) == [both, figure, second, warning]


def test_every_chapter_has_three_exercises_with_their_solutions():
    for source in SOURCES:
        exercises = source.read_text(encoding="utf-8").partition("# ## Exercises\n")[2].partition("\n# ## ")[0]
        assert [exercises.count(words) for words in ("(easy).", "(medium).", "(hard).", "<details>")] == [1, 1, 1, 3]
