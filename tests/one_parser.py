"""The command line's parser is built once: that takes longer than most commands that are refused.

It follows from the registries and refers to the functions of the commands.  A test that registers an entry of its own,
or that replaces a command's function, gets a parser of its own.
"""
from __future__ import annotations

import argparse

from refimpl import cli, data, estimators, latent
from refimpl.cli import commands, measurements
from refimpl.experiments import registry
from refimpl.runs import KINDS

BUILD = cli.make_parser
BUILT: dict[tuple, tuple] = {}                              # a parser, and what it depends on, which keeps its id


def begin() -> None:
    """For the test that begins: `cli.main` and `cli.make_parser` use a parser that exists already, if there is one."""
    cli.make_parser = make_parser


def make_parser() -> argparse.ArgumentParser:
    """The parser for what is registered and defined now."""
    depends_on = [pair for entries in (data.REGISTRY, estimators.REGISTRY, latent.REGISTRY, registry.REGISTRY, KINDS,
                                       vars(commands), vars(measurements)) for pair in entries.items()]
    key = tuple((name, id(entry)) for name, entry in depends_on)
    if key not in BUILT:
        BUILT[key] = BUILD(), depends_on
    return BUILT[key][0]
