"""The page of all commands agrees with the parser, and every example on it can be parsed."""
from __future__ import annotations

import shlex

from refimpl import estimators
from refimpl.cli import reference
from refimpl.cli.parser import make_parser
from refimpl.experiments import registry
from tests.cli.helpers import call, snapshot

TEXT = (reference.ROOT / reference.PAGE).read_text(encoding="utf-8")


def test_page_of_commands_is_up_to_date():
    assert TEXT == reference.page()


def test_page_lists_every_command_with_its_options():
    top = make_parser().below
    for commands in (top, *(parser.below for parser in top.subparsers.choices.values())):
        for name, parser in commands.subparsers.choices.items() if commands else ():
            words = parser.prog.removeprefix("python -m refimpl ")
            assert parser.below or f"### `{words}`\n" in TEXT
            for option, description in parser.described():
                assert f"| `{option}` | " in TEXT and description.split(",")[0].replace("|", "\\|") in TEXT
    for names in (estimators.REGISTRY, registry.REGISTRY):
        assert all(f"| `{name}` |" in TEXT for name in names)


def test_examples_on_the_page_are_valid_commands(capsys):
    examples = [line for line in TEXT.splitlines() if line.startswith("python -m refimpl ")]
    assert len(examples) > 12
    for line in examples:
        make_parser().parse_args(shlex.split(line)[3:])
    assert examples[0] in call(capsys, "verify", "--help")[1]


def test_page_of_commands_is_written_only_with_the_write_option(tmp_path, capsys, monkeypatch):
    (tmp_path / "tutorials").mkdir()
    (tmp_path / reference.PAGE).write_text("old")
    monkeypatch.setattr(reference, "ROOT", tmp_path)
    before = snapshot(tmp_path)
    assert call(capsys, "make", "commands")[0] == 0 and snapshot(tmp_path) == before
    assert call(capsys, "make", "commands", "--write")[0] == 0
    assert (tmp_path / reference.PAGE).read_text(encoding="utf-8") == TEXT
