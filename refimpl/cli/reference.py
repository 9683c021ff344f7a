"""Make the page tutorials/commands.md from the parser and from the registry of estimators."""
from __future__ import annotations

from collections.abc import Iterator

from refimpl import estimators
from refimpl.cli.parser import make_parser
from refimpl.cli.subcommands import PROGRAM, Commands, Parser
from refimpl.experiments import registry
from refimpl.report.markdown import table
from refimpl.report.pages import ROOT
from refimpl.runs.settings import option
from refimpl.system.files import write_text

PAGE = "tutorials/commands.md"
INTRODUCTION = f"""# Commands

This page is made by `{PROGRAM} make commands --write`. `{PROGRAM} COMMAND --help` prints the same
options in a terminal. If a command, an option or a value is mistyped, the error message suggests the nearest known one.
Only `make` overwrites files of the repository, and only with `--write`.
"""
ESTIMATORS = """## Estimators

These are the values of `--estimator`. The column *bias* describes the difference between the mean of an
estimator and the gradient of E f with respect to the scores h. The last column lists the options of the estimator.
`tilted`, `capped`, `amplified`, `local-tilted` and `noisy-exact` exist to separate the bias of `direct` from its noise.
"""


def _bias(entry: estimators.Estimator) -> str:
    if entry.unbiased:
        return "none"
    return {None: "does not vanish", 1: "of order ε", 2: "of order ε²"}[entry.bias_order]


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("*", "\\*")


def _sections(commands: Commands) -> Iterator[str]:
    for title, entries in commands.groups.items():
        yield f"## {title}\n"
        for name, summary in entries:
            parser: Parser = commands.subparsers.choices[name.split()[0]]
            if parser.below is not None:
                yield from _sections(parser.below)
                continue
            sentence = summary.partition("; see ")[0]
            yield f"### `{parser.prog.removeprefix(PROGRAM).strip()}`\n\n{sentence[0].upper()}{sentence[1:]}.\n"
            if parser.example:
                yield f"```sh\n{parser.prog} {parser.example}\n```\n"
            yield table(["option", "meaning"], [[f"`{words}`", _cell(text)] for words, text in parser.described()]
                        ) + "\n"
            if name.startswith("experiment"):
                yield table(["NAME", "what it compares", "data sets"], [
                    [f"`{each.name}`", _cell(each.summary), ", ".join(each.datasets)]
                    for each in registry.REGISTRY.values()]) + "\n"


def page() -> str:
    rows = [[f"`{name}`", _cell(entry.summary), _bias(entry),
             ", ".join(f"`{option(each)}`" for each in entry.hyperparameters)]
            for name, entry in estimators.REGISTRY.items()]
    return "\n".join([INTRODUCTION, *_sections(make_parser().below), ESTIMATORS,
                      table(["name", "what it is", "bias", "options"], rows), ""])


def write() -> None:
    write_text(ROOT / PAGE, page())
