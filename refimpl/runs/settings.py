"""Define the settings of a training run.

A setting is a choice that can change the result of a run.  Each kind of run has a dataclass that extends
RunSettings.  Each field declares a default, a line of help and a range.  Most fields are options of the command line.
"""
from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields, replace

from refimpl import data, estimators, latent
from refimpl.arguments import (COUNTS, InputError, Options, Setting, Value, in_range, learning_rate,
                            unknown)
from refimpl.runs import schedules

TYPES = {"str": str, "int": int, "float": float, "bool": bool, "None": type(None)}
WIDEST = 10_000     # largest number of values of z, decoder inputs, or units of a hidden layer


def setting(default: object, text: str, *, least: float | None = None, most: float | None = None,
            check: Callable[[str, float], float] | None = None, choices: Callable[[], Iterable[str]] | None = None,
            files: str | None = None, option: bool = True) -> object:
    """Return a dataclass field with a line of help and the conditions on allowed values.

    least, most   the smallest and the largest allowed value of a count
    check         a function in arguments.py.  It checks the range of a number that is not a count
    choices       a function that returns the allowed names, including the names that a user has registered
    files         a suffix.  The name of any file with this suffix is also allowed
    option        whether the command line has an option for the field.  If there is none, the data set gives the value
    """
    return field(default=default, metadata=dict(help=text, least=least, most=most, check=check, choices=choices,
                                                files=files, option=option))


def option(name: str) -> str:
    return "--" + name.replace("_", "-")


def command_line(settings: RunSettings) -> list[str]:
    """Return the words of a command line with these settings.  Settings that are None are left out."""
    words, chosen = [], []
    for each in fields(settings):
        value, name = getattr(settings, each.name), option(each.name)
        if not each.metadata["option"]:
            continue
        if isinstance(value, Mapping):
            chosen += [f"{key}={entry}" for key, entry in value.items() if entry is not None]
        elif each.type == "bool | None" and value is not None:
            words.append(name if value else name.replace("--", "--no-", 1))
        elif value is True:
            words.append(name)
        elif value is not None and value is not False:
            words += [name, str(value)]
    return words + (["--set", *chosen] if chosen else [])


def check_fields(settings: RunSettings) -> None:
    """Raise InputError if a field has the wrong type or a value that is not allowed."""
    for each in fields(settings):
        value, kinds = getattr(settings, each.name), [kind.strip() for kind in each.type.split("|")]
        if kinds == ["Options"]:
            if not isinstance(value, Options):
                raise InputError(f"{each.name} must be settings by name, got {value!r}")
            continue
        if not any(type(value) is TYPES[kind] or (kind == "float" and type(value) is int) for kind in kinds):
            raise InputError(f"{each.name} must be {each.type.replace(' | ', ' or ')}, got {value!r}")
        if value is None:
            continue
        allowed = each.metadata
        if allowed["choices"] is not None and value not in (names := list(allowed["choices"]())) \
                and not (allowed["files"] and value.endswith(allowed["files"])):
            more = f", and FILE{allowed['files']} of your own" if allowed["files"] else ""
            raise InputError(unknown(each.name.replace("_", " "), value, names) + more)
        most = allowed["most"]
        if most is None and type(value) is int and each.name != "seed":     # a seed has no maximum
            most = COUNTS
        in_range(option(each.name), value, allowed["least"], most, allowed["check"])


def check_options(known: Mapping[str, Setting], given: Mapping[str, Value], of: str) -> None:
    for name, value in given.items():
        if name not in known:
            has = f", which has {', '.join(known)}" if known else ", which has no settings"
            raise InputError(f"{name} is not a setting of {of}{has}")
        known[name].check(option(name), value)


def unregistered(values: Mapping[str, object]) -> str | None:
    for name, words, registry in (("estimator", "was trained by the estimator", estimators.REGISTRY),
                                  ("family", "has latent variables of the family", latent.REGISTRY)):
        value = values.get(name)
        if isinstance(value, str) and value.isprintable() and value not in registry:
            return (f"{words} {value!r}, which is not registered here; register it first, as in "
                    "tutorials/your_own_estimator.md")
    return None


@dataclass(frozen=True)
class RunSettings:
    """Holds all settings of a run except the number of epochs, which can be increased later.

    If a field is None, the default of the estimator or of the kind of run is used.  resolved() fills in these defaults
    and the missing hyperparameters.  If `as_released` is set, resolved() fills in the settings of the authors' code,
    and raises InputError if another setting contradicts them.  If the data set is a user's file, resolved() also
    fills in the fields whose names begin with file_.  Such a run can be continued only with the same file.
    """

    dataset: str = setting("mnist", "images to train on", choices=lambda: data.REGISTRY, files=data.own_images.SUFFIX)
    estimator: str = setting("direct", "estimator of the gradient with respect to the encoder's scores",
                             choices=lambda: estimators.REGISTRY)
    batch: int = setting(100, "images per step", least=1)
    lr: float = setting(1e-3, "learning rate", check=learning_rate)
    hyperparameters: Options = setting(Options(), "of the estimator, by name")
    schedule: str | None = setting(None, "schedule of eps or tau (released falls from 1 to 0.1) (default: constant)",
                                   choices=lambda: ("constant", "released"))
    kl_grad: bool | None = setting(None, "whether to include the gradient of the KL term (default: yes, unless "
                                               "--as-released or the family excludes it)")
    as_released: bool = setting(False, "train as the authors' code does: with the released schedule, without the KL "
                                       "gradient for direct, and with the other settings in which that code differs")
    seed: int = setting(0, "seed of the weights, of the order of the images and of the noise", least=0)
    limit: int | None = setting(None, "use only the first LIMIT images of each part (default: all)", least=1)
    file_sha256: str | None = setting(None, "of the file", option=False)
    file_height: int | None = setting(None, "of its images, pixels", least=1, most=data.own_images.MOST_PIXELS,
                                      option=False)
    file_width: int | None = setting(None, "of its images, pixels", least=1, most=data.own_images.MOST_PIXELS,
                                     option=False)
    file_classes: int | None = setting(None, "of its labels, if it has any", least=1, most=data.own_images.MOST_CLASSES,
                                       option=False)

    def as_dict(self) -> dict[str, object]:
        """Return a dictionary of the fields, with values that can be written as JSON."""
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        return {name: dict(value) if isinstance(value, Options) else value for name, value in values.items()}

    @classmethod
    def from_dict(cls, values: Mapping[str, object]) -> RunSettings:
        """Return the settings from a dictionary that as_dict() has returned.

        Raises KeyError or TypeError if `values` cannot be such a dictionary.
        """
        return cls(**{name: Options(value) if isinstance(cls.__dataclass_fields__[name].default, Options) else value
                      for name, value in values.items()})

    def resolved(self) -> RunSettings:
        """Return the settings with all defaults filled in.  If `as_released` is set, preset() is applied first.

        Settings that are already resolved are returned unchanged.  Raises InputError if a value is not allowed.
        """
        check_fields(self)
        estimator = estimators.get(self.estimator)
        self._check_estimator(estimator)
        settings = self._described()
        settings = settings._expanded() if self.as_released else settings
        settings = settings._filled()
        schedule, given = settings.schedule or "constant", settings.hyperparameters
        moved = estimator.temperature if schedule == "released" else None       # the schedule gives its value
        chosen = {name: given.get(name, value) for name, value in estimator.defaults.items() if name != moved}
        return replace(settings, schedule=schedule, hyperparameters=Options(chosen))

    def preset(self) -> dict[str, object]:
        """Return the settings that replace `as_released`.  Each kind of run adds its own settings."""
        estimator = estimators.get(self.estimator)
        names = {each.name for each in fields(self)}
        preset: dict[str, object] = {"kl_grad": True} | {
            name: value for name, value in estimator.released.items() if name in names}
        own = {name: value for name, value in estimator.released.items() if name not in names}
        preset |= {"schedule": "released"} if estimator.temperature else {}
        return preset | ({"hyperparameters": Options(own)} if own else {})

    def _described(self) -> RunSettings:
        """Return the settings.  If the data set is a user's file, the fields file_* are filled in."""
        found = (self.file_sha256, self.file_height, self.file_width)
        if None in found and found != (None, None, None) or self.file_sha256 is None and self.file_classes is not None:
            raise InputError("file_sha256, file_height and file_width go together, and file_classes with them")
        if None not in found and self.file_height * self.file_width > data.own_images.MOST_PIXELS:
            raise InputError(f"file_height times file_width must be at most {data.own_images.MOST_PIXELS}, "
                             f"got {self.file_height * self.file_width}")
        entry = self.entry
        if self.file_sha256 is not None or entry.sha256 is None:
            return self
        return replace(self, file_sha256=entry.sha256, file_height=entry.shape[0], file_width=entry.shape[1],
                       file_classes=entry.classes)

    @property
    def entry(self) -> data.Entry:
        if self.file_sha256 is None:
            return data.get(self.dataset)
        return data.own_images.cached(self.dataset, self.file_sha256, (self.file_height, self.file_width),
                                      self.file_classes)

    @property
    def shape(self) -> tuple[int, int]:
        """Return the (height, width) of an image."""
        return self.entry.shape

    @property
    def pixels(self) -> int:
        return math.prod(self.shape)

    def load(self, data_dir: str | None = None, limit: int | None = None) -> data.Dataset:
        """Return the data set.  Raise InputError if its file cannot be read, or has changed since the run started."""
        return data.load(self.dataset, data_dir, limit, self.file_sha256)

    def _filled(self) -> RunSettings:
        """Check and complete the fields that only this kind of run has, and return the settings."""
        raise TypeError(f"{type(self).__name__} must define _filled")

    def _expanded(self) -> RunSettings:
        preset = self.preset()
        for name, value in preset.items():
            given = getattr(self, name)
            if isinstance(given, Options):
                for key in sorted(given.keys() & value.keys()):
                    if given[key] != value[key]:
                        raise InputError(f"--as-released has its own {key}, {value[key]}; leave out {option(key)}")
                preset[name] = given | value
            elif given not in (None, value):
                raise InputError(f"--as-released has its own {name.replace('_', ' ')}, {value}; leave out "
                                 f"{option(name)}")
        return replace(self, as_released=False, **preset)

    def _check_estimator(self, estimator: estimators.Estimator) -> None:
        check_options(estimator.hyperparameters, self.hyperparameters, f"the estimator {estimator.name}")
        released = "--schedule released" if self.schedule == "released" else ""
        scheduled = "--as-released" if self.as_released else released
        if scheduled and estimator.temperature in self.hyperparameters:
            raise InputError(f"{scheduled} has its own schedule for {estimator.temperature}; leave out "
                             f"--{estimator.temperature}")
        if self.schedule == "released" and not estimator.temperature:
            raise InputError("--schedule released needs an estimator with eps or tau, "
                             f"and {estimator.name} has neither")

    @property
    def released(self) -> bool:
        """Return True if these resolved settings are those of the authors' code (see preset) and not the defaults."""
        preset = self.preset()
        plain = replace(self, **{name: Options() if isinstance(value, Options) else None
                                 for name, value in preset.items()}).resolved()
        return plain != self and all(
            value.items() <= getattr(self, name).items() if isinstance(value, Options) else getattr(self, name) == value
            for name, value in preset.items())

    def check_data(self, dataset: data.Dataset) -> None:
        if self.batch > len(dataset.train):
            raise InputError(f"--batch must be at most {len(dataset.train)}, the number of training images, "
                             f"got {self.batch}")

    def temperature(self, step: int) -> dict[str, float]:
        """Return {"eps": value} or {"tau": value} at this step, or {} if the estimator has neither eps nor tau.

        The settings must be resolved.
        """
        name = estimators.get(self.estimator).temperature
        if name is None:
            return {}
        return {name: schedules.released(name, step) if self.schedule == "released" else self.hyperparameters[name]}

    def keywords(self, step: int) -> dict[str, Value]:
        return dict(self.hyperparameters) | self.temperature(step)
