"""What the tests of the command line share: calling it in this process, and what a refusal looks like."""
from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

from refimpl import cli
from refimpl.cli.parser import make_parser
from refimpl.cli.subcommands import Parser

ROOT = Path(__file__).resolve().parent.parent.parent
# `python -m refimpl`, with pictures that are made and not drawn, which takes most of the time of a short `verify`.
UNDRAWN = ('-c "import runpy, refimpl.plots; refimpl.plots.save = lambda figure, path: None; '
           'runpy.run_module(\'refimpl\', run_name=\'__main__\', alter_sys=True)"')
SMALL = ["--hidden", "16", "--limit", "300", "--batch", "50"]


def call(capsys, *arguments) -> tuple[int, str, str]:
    """(status, standard output, standard error) of the command line, in this process."""
    try:
        status = cli.main([str(argument) for argument in arguments])
    except SystemExit as leaving:                               # argparse leaves this way
        status = leaving.code
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def assert_refused(capsys, arguments, *words) -> None:
    """Status 2, and one line on standard error with all these words."""
    status, _, err = call(capsys, *arguments)
    assert status == 2, (status, err)
    assert err.count("\n") == 1 and "Traceback" not in err, err
    for word in words:
        assert word in err, err


def snapshot(folder: Path) -> dict[str, bytes]:
    """Every file below the folder, with its content."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def every_command(parser: Parser | None = None) -> Iterator[Parser]:
    """The parser of each command, that of `measure` and of `make` followed by those below them."""
    for action in (parser or make_parser())._actions:
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                yield command
                yield from every_command(command)
