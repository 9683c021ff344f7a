"""Adapt argparse to this program.

An error message is one line without the usage, and it suggests the nearest known name.  --help lists the commands in
groups.
"""
from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Sequence
from difflib import get_close_matches

from refimpl.arguments import one_line, unknown
from refimpl.cli.options import add_numbers
from refimpl.experiments.options import OPTIONS

PROGRAM = "python -m refimpl"


class Parser(argparse.ArgumentParser):
    late: Callable[[], str] | None = None
    """Returns more text for the end of --help.  This function is called only when --help is printed."""
    elsewhere: dict[str, str]
    """Maps the last word of each command to the whole command, for suggestions in error messages."""
    example = ""
    """The options of an example that --help shows.  The example must work without any change."""
    below: Commands | None = None
    """The subcommands, or None if there are none."""

    def __init__(self, *arguments, **keywords) -> None:
        super().__init__(*arguments, **keywords)
        self.elsewhere = {}

    def _print_message(self, message: str, file=None) -> None:
        """Print the message into `file`.  If the caller has closed the stream, `file` is None; then print nothing."""
        if file is not None:
            super()._print_message(message, file)

    def error(self, message: str):
        message = re.sub(r"^argument (\S+): (?=must )", r"\1 ", message)
        self.exit(2, f"{self.prog}: error: {one_line(message)} (see {self.prog} --help)\n")

    def _check_value(self, action: argparse.Action, value: object) -> None:
        if action.choices is not None and value not in action.choices:
            program = "" if self.prog == PROGRAM else f"{PROGRAM} "
            elsewhere = {name: program + whole for name, whole in self.elsewhere.items()}
            self.error(unknown(action.dest.replace("_", " "), value, action.choices,
                               {} if action.option_strings else elsewhere))

    def parse_known_args(self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None):
        found, rest = super().parse_known_args(args, namespace)
        if rest:
            near = get_close_matches(rest[0], self._option_string_actions, 1)
            self.error(f"unknown argument {rest[0]!r}" + (f"; did you mean {near[0]!r}?" if near else ""))
        return found, rest

    def format_help(self) -> str:
        example = f"\nexample:\n  {self.prog} {self.example}\n" if self.example else ""
        return super().format_help() + example + ("\n" + self.late() if self.late else "")

    def described(self) -> list[tuple[str, str]]:
        """For each option, return the two texts that --help shows: the option with its arguments, and what it does."""
        made = self._get_formatter()
        lines = []
        for action in self._actions:
            if action.help is argparse.SUPPRESS or "--help" in action.option_strings:
                continue
            takes = "" if action.nargs == 0 or isinstance(action, argparse.BooleanOptionalAction) else \
                made._format_args(action, action.dest.upper())
            names = ", ".join(action.option_strings)
            lines.append((f"{names} {takes}".strip(), made._expand_help(action)))
        return lines


class Help(argparse.ArgumentDefaultsHelpFormatter):
    def _get_help_string(self, action: argparse.Action) -> str:
        empty = action.default is None or action.default is False or action.default == []
        return action.help if empty or "(default: " in action.help else super()._get_help_string(action)


class Commands:
    """Holds the subcommands of a parser, in groups."""

    def __init__(self, parser: Parser, dest: str) -> None:
        self.prog, self.elsewhere = parser.prog, parser.elsewhere
        self.groups: dict[str, list[tuple[str, str]]] = {}
        parser.usage, parser.late = f"{parser.prog} {dest.upper()} ...", self.overview
        parser.below = self
        self.subparsers = parser.add_subparsers(dest=dest, required=True, metavar=dest.upper(), parser_class=Parser,
                                                help=argparse.SUPPRESS, prog=parser.prog)

    def add(self, group: str, name: str, run: Callable[[argparse.Namespace], int] | None, summary: str,
            after_stop: str = "", shown: str = "", example: str = "") -> Parser:
        """Add a command to a group, and return its parser.

        If the command is an experiment, an option is added for each number that the experiment declares.

        run         the function that is called with the parsed options, or None if the command has subcommands
        summary     one line for the list of commands
        after_stop  text that is printed if the command is stopped by Ctrl-C
        shown       the name in the list of commands, if it differs from `name`
        example     options that --help shows as an example.  The example must work without any change
        """
        self.groups.setdefault(group, []).append((shown or name, summary))
        added = self.subparsers.add_parser(name, description=summary.partition("; see ")[0], formatter_class=Help,
                                           allow_abbrev=False)      # --no-n must not mean --no-non-negative
        added.elsewhere, added.example = self.elsewhere, example
        self.elsewhere.setdefault(name, added.prog.removeprefix(PROGRAM).strip())
        added.set_defaults(run=run, after_stop=after_stop, prog=added.prog)
        add_numbers(added, OPTIONS.get(name, {}))
        return added

    def overview(self) -> str:
        return "\n\n".join("\n".join([f"{title}:", *(f"  {name:18s} {summary}" for name, summary in entries)])
                           for title, entries in self.groups.items()) + "\n"
