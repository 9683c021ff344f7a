"""What the README says must run."""
from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from refimpl.cli.parser import make_parser
from tests.asserts import z_scores

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_commands_in_the_readme_parse():
    """Every `python -m refimpl …` and every command of the table is one that the command line takes."""
    commands = re.findall(r"python -m refimpl ([^`\n…]+)", README)
    (table,) = re.findall(r"## What it can do\n(.*?)\nEstimators", README, re.S)
    commands += re.findall(r"^\| `([^`…]+)` \|", table, re.M)
    assert len(commands) >= 6
    for command in commands:
        if command != "--help":
            make_parser().parse_args(command.split())


def test_python_in_the_readme_shows_theorem_1():
    (block,) = re.findall(r"```python\n(.*?)```", README, re.S)
    names: dict = {}
    exec(block, names)                                                     # noqa: S102  our own README
    sampled = names["direct"].gradient(names["h"], names["f"], 0.1, names["noise"])
    assert np.abs(z_scores(sampled, names["direct"].expected_gradient(names["h"], names["f"], 0.1))).max() < 4


@pytest.mark.parametrize("page", ["README.md", "data/README.md", "tutorials/README.md", "tutorials/results.md",
                                  "tutorials/attributes.md"])
def test_links_and_pictures_exist(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#]+)\)", text):
        assert target.startswith("https://") or (ROOT / page).parent.joinpath(target).exists(), target
    for path in re.findall(r"`((?:refimpl|tests|data|tutorials)/[\w./]*)`", text):
        assert (ROOT / path).exists(), path
