"""Helpers for the tests of the command line: call it in this process, and check how it refuses arguments."""
from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

from refimpl import cli
from refimpl.cli.parser import make_parser
from refimpl.cli.subcommands import Parser

ROOT = Path(__file__).resolve().parent.parent.parent
# Arguments of Python that act like `-m refimpl` but save no picture: saving takes most of the time of a short `verify`.
WITHOUT_PICTURES = ('-c "import runpy, refimpl.plots; refimpl.plots.save = lambda figure, path: None; '
                    'runpy.run_module(\'refimpl\', run_name=\'__main__\', alter_sys=True)"')
SMALL = ["--hidden", "16", "--limit", "300", "--batch", "50"]


def call(capsys, *arguments) -> tuple[int, str, str]:
    """Run the command line in this process; return its status, standard output and standard error."""
    try:
        status = cli.main([str(argument) for argument in arguments])
    except SystemExit as problem:                               # argparse exits in this way
        status = problem.code
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def assert_refused(capsys, arguments, *words) -> None:
    """Check that the status is 2 and that standard error is one line that contains all these words."""
    status, _, err = call(capsys, *arguments)
    assert status == 2, (status, err)
    assert err.count("\n") == 1 and "Traceback" not in err, err
    for word in words:
        assert word in err, err


def snapshot(folder: Path) -> dict[str, bytes]:
    """Return the content of every file below the folder, by relative path."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def every_command(parser: Parser | None = None) -> Iterator[Parser]:
    """Yield the parser of each command; those of `measure` and `make` are followed by their subcommands."""
    for action in (parser or make_parser())._actions:
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                yield command
                yield from every_command(command)
