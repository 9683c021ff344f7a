"""The code and the commands of the README run and do what it says."""
from __future__ import annotations

import ast
import contextlib
import importlib.util
import io
import re
from pathlib import Path

import numpy as np
import pytest

import refimpl
from refimpl import check, cli, plots
from refimpl.cli.parser import make_parser
from tests.asserts import z_scores

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_readme_has_at_most_150_lines():
    assert README.count("\n") <= 150


def test_commands_in_the_readme_parse():
    commands = re.findall(r"python -m refimpl ([^`\n…]+)", README)
    assert len(commands) >= 2
    for command in commands:
        make_parser().parse_args(command.split())


def test_python_in_the_readme_prints_the_output_shown_below_it():
    (source, shown) = re.search(r"```python\n(.*?)```\n```text\n(.*?)```", README, re.S).groups()
    names: dict = {}
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(source, names)                                                # noqa: S102  our own README
    assert printed.getvalue() == shown
    sampled = names["direct"].gradient(names["h"], names["f"], 0.1, names["noise"])
    assert np.abs(z_scores(sampled, names["direct"].expected_gradient(names["h"], names["f"], 0.1))).max() < 4


def test_estimators_checked_in_the_readme_print_the_verdicts_shown():
    """The block needs torch and jax.  Without them, only its NumPy function is checked."""
    (setup, _), (block, shown) = re.findall(r"```py(?:thon)?\n(.*?)```\n```text\n(.*?)```", README, re.S)
    compile(block, "README.md", "exec")
    names: dict = {}
    exec(setup.partition("noise = ")[0], names)                            # noqa: S102
    if all(map(importlib.util.find_spec, ("torch", "jax"))):
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(block, names)                                             # noqa: S102
        assert printed.getvalue() == shown
    else:
        (numpy_only,) = re.findall(r"^def in_numpy.*?\n\n", block, re.M | re.S)
        exec(numpy_only, names)                                            # noqa: S102
        verdict = check.gradient(names["in_numpy"], names["h"], names["f"]).verdict
        assert shown.startswith(f"in_numpy: {verdict}\n")


def test_version_to_cite_is_that_of_the_package():
    assert f"version = {{{refimpl.__version__}}}" in README


@pytest.mark.slow
def test_pictures_in_the_readme_equal_those_that_the_commands_draw(tmp_path):
    assert cli.main(["verify", "--out", str(tmp_path)]) == 0
    assert cli.main(["explore", "--save", str(tmp_path / "explorer.png")]) == 0
    for name in ("component.png", "explorer.png"):
        assert plots.digest_of(ROOT / "tutorials/figures" / name) == plots.digest_of(tmp_path / name), name


@pytest.mark.parametrize("page", ["README.md", "data/README.md", *(
    str(path.relative_to(ROOT)) for path in sorted((ROOT / "tutorials").rglob("*.md")))])
def test_links_paths_and_pictures_point_to_existing_files(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#]+)\)", text):
        assert target.startswith("https://") or (ROOT / page).parent.joinpath(target).exists(), target
    for path in re.findall(r"`((?:refimpl|tests|data|tutorials)/[\w./]*)`", text):
        assert (ROOT / path).exists(), path


EQUATIONS = [line for page in (README, (ROOT / "tutorials/glossary.md").read_text(encoding="utf-8")) for line in
             re.findall(r"^\| of the paper \| in words \|.*\n\|[ -|]+\n((?:\|.*\n)+)", page, re.M)[0].splitlines()]


def exists(path: str) -> bool:
    """Return whether refimpl has this function, class or method, such as `danskin.G` or `models.bounds.bounds`."""
    module, names = "refimpl", path.split(".")
    while names and importlib.util.find_spec(f"{module}.{names[0]}"):
        module = f"{module}.{names.pop(0)}"
        if not hasattr(importlib.import_module(module), "__path__"):
            break
    thing = importlib.import_module(module)
    for name in names:
        thing = getattr(thing, name, None)
    return bool(names) and callable(thing)


def test_tables_of_equations_name_existing_functions():
    source = ast.parse((ROOT / "refimpl/one_page.py").read_text(encoding="utf-8"))
    on_the_page = {node.id for node in ast.walk(source) if isinstance(node, ast.Name)
                   and isinstance(node.ctx, ast.Store)} | {node.name for node in ast.walk(source)
                                                           if isinstance(node, ast.FunctionDef)}
    for line in EQUATIONS:
        _, _, page, package = (cell.strip() for cell in line.strip("|").split("|"))
        assert set(re.findall(r"`([^`]+)`", page)) <= on_the_page, line
        functions = re.findall(r"`([^`]+)`", package)
        assert functions and all(map(exists, functions)), line
    equations = " ".join(line.split("|")[1] for line in EQUATIONS)
    for part in ("Theorem 1, equation 1", "equation 2", "equation 3", "equation 4", "Theorem 2", "equation 5",
                 "equations 6 and 7", "slide 29", "slide 30"):
        assert part in equations


def test_exists_is_false_for_modules_and_missing_names():
    assert exists("direct.gradient") and exists("models.decoder.DecoderObjective.table")
    assert not any(map(exists, ("direct.gradients", "models.decoder", "direct", "nothing.at_all",
                               "models.decoder.DecoderObjective.tables")))
