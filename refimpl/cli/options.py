"""Options of the command line, made from the fields of a run's settings: name, default, help, type, what is allowed."""
from __future__ import annotations

import argparse
from dataclasses import fields, replace

import numpy as np

from refimpl import data
from refimpl.checks import InputError
from refimpl.runs.settings import TYPES, RunSettings, option


def numbers(text: str) -> np.ndarray:
    """Numbers between commas: a `type` for argparse."""
    try:
        found = np.array([float(number) for number in text.split(",")])
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be numbers with commas between them, got {text!r}") from None
    return found


def add_settings(parser: argparse.ArgumentParser, settings: type[RunSettings]) -> None:
    """An option a field.  What is allowed is checked by the settings themselves, in one place for files too.

    An option that is not given is not there: whoever continues a run need not say its settings again.
    """
    for each in fields(settings):
        text, kind = each.metadata["help"], each.type.split(" | ")[0]
        if not each.metadata["said"]:
            continue
        if each.metadata["choices"] is not None:
            text += ": " + ", ".join(each.metadata["choices"]())
        if each.metadata["files"]:
            text += f", or FILE{each.metadata['files']} of your own"
        if each.default is not None and each.default is not False:
            text += f" (default: {each.default})"
        name = option(each.name)
        if each.type == "bool | None":
            parser.add_argument(name, action=argparse.BooleanOptionalAction, default=argparse.SUPPRESS, help=text)
        elif kind == "bool":
            parser.add_argument(name, action="store_true", default=argparse.SUPPRESS, help=text)
        else:
            parser.add_argument(name, type=TYPES[kind], default=argparse.SUPPRESS, help=text,
                                metavar=each.name.upper())


def given(options: argparse.Namespace, settings: type[RunSettings]) -> dict[str, object]:
    """The settings that were said on the command line."""
    return {each.name: getattr(options, each.name) for each in fields(settings) if hasattr(options, each.name)}


def read_settings(options: argparse.Namespace, settings: type[RunSettings]) -> RunSettings:
    """The settings that these options say, resolved."""
    return settings(**given(options, settings)).resolved()


def agreed(options: argparse.Namespace, saved: RunSettings, where: str) -> RunSettings:
    """The settings of a run that is to be continued; InputError if what was said besides is something else."""
    said = given(options, type(saved))
    if said.pop("as_released", False):
        said = {**saved.preset(), **said}
    moved = saved.file_sha256 is not None and said.get("dataset", saved.dataset) != saved.dataset
    if moved and data.get(said["dataset"]).sha256 == saved.file_sha256:
        saved = replace(saved, dataset=said["dataset"])             # the same images, wherever the file lies now
    differing = [f"{name} is {getattr(saved, name)}, not {value}" for name, value in said.items()
                 if getattr(saved, name) != value]
    if differing:
        raise InputError(f"{where} was made with other settings: {'; '.join(differing)}")
    return saved
