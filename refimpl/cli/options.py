"""Make the options of the command line from their declarations, and turn the parsed options into settings.

The declarations are in other files.  The options of a run are the fields of its settings.  Estimators and families
declare more options, as Setting objects.  The options of experiments are in experiments/options.py.
"""
from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields, replace

import numpy as np

from refimpl import data, estimators, latent
from refimpl.arguments import RANGES, InputError, Options, Setting, Value, unknown
from refimpl.runs.settings import TYPES, RunSettings, option


def numbers(text: str) -> np.ndarray:
    """Convert a string such as "1,-2,0.5" to an array.  argparse calls this function."""
    try:
        return np.array([float(number) for number in text.split(",")])
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be numbers with commas between them, got {text!r}") from None


def number(kind: type, least: float | None = None, most: float | None = None) -> Callable[[str], Value]:
    """Return a function for argparse that converts a string to a number in the range `least` to `most`."""
    declared = Setting(kind, None, "", least, most)

    def parsed(text: str) -> Value:
        try:
            return declared.parse("", text)
        except InputError as problem:
            raise argparse.ArgumentTypeError(str(problem).strip()) from None

    return parsed


def described(text: str, least: float | None = None, most: float | None = None,
              within: Callable[[str, float], float] | None = None, choices: Iterable[str] = (),
              default: object = None) -> str:
    """Return a line of help: `text`, then the allowed values, then the default.

    If `text` already ends with a default, `default` is not added.
    """
    least, most = RANGES.get(within, (least, most))
    ends = [f"{words} {end:,.10g}" for words, end in (("at least", least), ("at most", most)) if end is not None]
    both = f"from {least:,.10g} to {most:,.10g}" if least is not None and most is not None else " and ".join(ends)
    allowed = f": {', '.join(choices)}" if choices else f", {both}" if both else ""
    text, said, more = text.partition(" (default: ")
    return text + allowed + said + more + (f" (default: {default})" if default is not None and not said else "")


def add_numbers(parser: argparse.ArgumentParser, declared: Mapping[str, Setting]) -> None:
    for name, each in declared.items():
        parser.add_argument(option(name), type=number(each.kind, each.least, each.most), default=each.default,
                            help=described(each.help, each.least, each.most), metavar=name.upper())


def add_settings(parser: argparse.ArgumentParser, settings: type[RunSettings]) -> None:
    """Add the options for training a run, including those of all estimators and families.

    An option that the user leaves out is absent from the parsed options, so a continued run keeps its settings.
    """
    for each in fields(settings):
        allowed, kind = each.metadata, each.type.split(" | ")[0]
        if not allowed["option"] or isinstance(each.default, Options):
            continue
        choices = list(allowed["choices"]()) if allowed["choices"] else []
        choices += [f"or FILE{allowed['files']} of your own"] if allowed["files"] else []
        text = described(allowed["help"], allowed["least"], allowed["most"], allowed["check"], choices,
                         each.default if each.default is not False else None)
        if each.type == "bool":
            parser.add_argument(option(each.name), action="store_true", default=argparse.SUPPRESS, help=text)
        else:
            _add(parser, each.name, TYPES[kind], text)
    parser.add_argument("--set", nargs="+", action="extend", default=argparse.SUPPRESS, metavar="NAME=VALUE",
                        help="settings of the estimator or of the family, by name; each of them also has an option "
                             "of its own, listed below")
    for name, setting in _declared(settings).items():
        text = described(setting.help, setting.least, setting.most, setting.within,
                         setting.choices() if setting.choices else (), _default(settings, name))
        _add(parser, name, setting.kind, text)


def _add(parser: argparse.ArgumentParser, name: str, kind: type, text: str) -> None:
    takes = {"action": argparse.BooleanOptionalAction} if kind is bool else \
        {"type": number(kind), "metavar": name.upper()}
    parser.add_argument(option(name), default=argparse.SUPPRESS, help=text, **takes)


OTHER_OPTIONS = {"epochs", "out", "resume", "data_dir", "set", "run", "command", "prog", "after_stop"}


def _sources(settings: type[RunSettings]) -> dict[str, Mapping[str, Setting]]:
    allowed = settings.__dataclass_fields__["estimator"].metadata["choices"]()
    sources = {name: estimators.REGISTRY[name].hyperparameters for name in allowed}
    if "family" in settings.__dataclass_fields__:
        sources |= {name: family.options for name, family in latent.REGISTRY.items()}
    return sources


def _declared(settings: type[RunSettings]) -> dict[str, Setting]:
    """Return the declared settings, except those with the same name as another option."""
    taken = {*settings.__dataclass_fields__, *OTHER_OPTIONS}
    return {name: setting for source in reversed(_sources(settings).values()) for name, setting in source.items()
            if name not in taken}


def _default(settings: type[RunSettings], name: str) -> str | None:
    """Return one text: the most common default, then "VALUE for OWNER" for each owner with a different default.

    An owner is an estimator or a family.
    """
    defaults = {owner: source[name].default for owner, source in _sources(settings).items() if name in source}
    usual = max(defaults.values(), key=list(defaults.values()).count)
    others = [f"{value} for {owner}" for owner, value in defaults.items() if value != usual]
    words = {True: "yes", False: "no"}.get(usual, usual) if type(usual) is bool else usual
    return None if usual is None else ", ".join([str(words), *others])


def given(options: argparse.Namespace, settings: type[RunSettings], base: RunSettings | None = None
          ) -> dict[str, object]:
    """Return the fields that the user has set on the command line, with their values.

    If the command continues an earlier run, `base` holds the settings of the earlier run.
    """
    names = [each.name for each in fields(settings)]
    values = {name: getattr(options, name) for name in names if hasattr(options, name)}
    start = base or settings()
    known = {"hyperparameters": estimators.get(values.get("estimator", start.estimator)).hyperparameters}
    if "family" in names:
        known["family_options"] = latent.get(values.get("family", start.family)).options
    found: dict[str, dict[str, Value]] = {field: {} for field in known}
    for name, value in _named(options, settings):
        field = next((field for field, declared in known.items() if name in declared), None)
        if field is None:
            raise InputError(_foreign(name, [each for declared in known.values() for each in declared]))
        found[field][name] = known[field][name].parse(option(name), value) if isinstance(value, str) else value
    return values | {field: Options(chosen) for field, chosen in found.items() if chosen}


def _foreign(name: str, known: list[str]) -> str:
    owners = [f"the estimator {entry.name}" for entry in estimators.REGISTRY.values() if name in entry.hyperparameters]
    owners += [f"the family {owner}" for owner, family in latent.REGISTRY.items() if name in family.options]
    if not owners:
        return unknown("setting", name, known) if known else f"unknown setting {name!r}; there are none here"
    has = f"which has {', '.join(map(option, known))}" if known else "which has none"
    return f"{option(name)} is a setting of {' and '.join(owners)}, not of this run, {has}"


def _named(options: argparse.Namespace, settings: type[RunSettings]) -> list[tuple[str, Value]]:
    pairs: list[tuple[str, Value]] = []
    for text in getattr(options, "set", []):
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise InputError(f"--set must be NAME=VALUE, got {text!r}")
        pairs.append((name.replace("-", "_"), value))
    return pairs + [(name, getattr(options, name)) for name in _declared(settings) if hasattr(options, name)]


def read_settings(options: argparse.Namespace, settings: type[RunSettings]) -> RunSettings:
    return settings(**given(options, settings)).resolved()


def resumed_settings(options: argparse.Namespace, saved: RunSettings, where: str) -> RunSettings:
    """Return the settings of the run to be continued.  Raise InputError if an option contradicts `saved`."""
    wanted = given(options, type(saved), saved)
    if wanted.pop("as_released", False):
        wanted = {**saved.preset(), **wanted}
    moved = saved.file_sha256 is not None and wanted.get("dataset", saved.dataset) != saved.dataset
    if moved and data.get(wanted["dataset"]).sha256 == saved.file_sha256:
        saved = replace(saved, dataset=wanted["dataset"])           # the same file, which has been moved
    differing = []
    for name, value in wanted.items():
        before = getattr(saved, name)
        pairs = [(key, before.get(key), entry) for key, entry in value.items()] if isinstance(value, Options) else \
            [(name, before, value)]
        differing += [f"{key} is {old}, not {new}" for key, old, new in pairs if old != new]
    if differing:
        raise InputError(f"{where} was made with other settings: {'; '.join(differing)}")
    return saved
