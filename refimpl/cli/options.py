"""Options of the command line, made from the fields of a run's settings: name, default, help, type, what is allowed."""
from __future__ import annotations

import argparse
from dataclasses import fields

from refimpl.runs.settings import TYPES, RunSettings, option


def add_settings(parser: argparse.ArgumentParser, settings: type[RunSettings]) -> None:
    """An option a field.  What is allowed is checked by the settings themselves, in one place for files too."""
    for each in fields(settings):
        text, kind = each.metadata["help"], each.type.split(" | ")[0]
        if each.metadata["choices"] is not None:
            text += ": " + ", ".join(each.metadata["choices"]())
        name = option(each.name)
        if each.type == "bool | None":
            parser.add_argument(name, action=argparse.BooleanOptionalAction, default=each.default, help=text)
        elif kind == "bool":
            parser.add_argument(name, action="store_true", default=each.default, help=text)
        else:
            parser.add_argument(name, type=TYPES[kind], default=each.default, help=text,
                                metavar=each.name.upper())


def read_settings(options: argparse.Namespace, settings: type[RunSettings]) -> RunSettings:
    """The settings that these options say, resolved."""
    return settings(**{each.name: getattr(options, each.name) for each in fields(settings)}).resolved()
