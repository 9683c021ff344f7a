"""Build the command line's parser only once, because building it takes longer than most commands that are refused.

The parser depends on the registries and refers to the functions of the commands.  A test that registers an entry, or
replaces a command's function, gets a new parser.
"""
from __future__ import annotations

import argparse

from refimpl import cli, data, estimators, latent
from refimpl.cli import commands, measurements
from refimpl.experiments import registry
from refimpl.runs import KINDS

BUILD = cli.make_parser
BUILT: dict[tuple, tuple] = {}                              # the parser, and its inputs, whose ids must stay valid


def begin() -> None:
    """Let `cli.main` and `cli.make_parser` use an existing parser in the next test, if there is one that fits."""
    cli.make_parser = make_parser


def make_parser() -> argparse.ArgumentParser:
    """Return the parser for the entries and functions that are registered and defined now."""
    depends_on = [pair for entries in (data.REGISTRY, estimators.REGISTRY, latent.REGISTRY, registry.REGISTRY, KINDS,
                                       vars(commands), vars(measurements)) for pair in entries.items()]
    key = tuple((name, id(entry)) for name, entry in depends_on)
    if key not in BUILT:
        BUILT[key] = BUILD(), depends_on
    return BUILT[key][0]
