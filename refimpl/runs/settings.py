"""What a training run is: every choice that its result depends on, each said once, with its default, help and range.

A kind of run has a dataclass of its own that adds to RunSettings.  The command line's options are made from its fields.
"""
from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, fields, replace

from refimpl import data, estimators
from refimpl.checks import COUNTS, InputError, learning_rate, temperature
from refimpl.runs import schedules

TYPES = {"str": str, "int": int, "float": float, "bool": bool, "None": type(None)}
WIDEST = 10_000     # values of z, inputs of the decoder, units of a hidden layer


def setting(default: object, text: str, *, least: float | None = None, most: float | None = None,
            check: Callable[[str, float], float] | None = None, choices: Callable[[], Iterable[str]] | None = None,
            files: str | None = None, said: bool = True) -> object:
    """A field of settings: its default, a line of help, and what is allowed.

    least, most: the range of a count, ends included.  check: of any other number, one of checks.py, which the library
    asks too.  choices: makes the names that are allowed, when
    asked, so that what is registered later counts.  files: the suffix of files that are allowed beside them.  said:
    whether a user says it; otherwise it is found in the data, and there is no option for it.
    """
    return field(default=default, metadata=dict(help=text, least=least, most=most, check=check, choices=choices,
                                                files=files, said=said))


def option(name: str) -> str:
    """The command line's name of a field."""
    return "--" + name.replace("_", "-")


def arguments(settings: RunSettings) -> list[str]:
    """The command line's options for these settings, those that have a value."""
    made = []
    for each in fields(settings):
        value, name = getattr(settings, each.name), option(each.name)
        if not each.metadata["said"]:
            continue
        if each.type == "bool | None" and value is not None:
            made.append(name if value else name.replace("--", "--no-", 1))
        elif value is True:
            made.append(name)
        elif value is not None and value is not False:
            made += [name, str(value)]
    return made


def check_fields(settings: RunSettings) -> None:
    """InputError, one line, if a field is not of its type or not allowed: settings also come from files that anybody
    may have edited."""
    for each in fields(settings):
        value, kinds = getattr(settings, each.name), [kind.strip() for kind in each.type.split("|")]
        if not any(type(value) is TYPES[kind] or (kind == "float" and type(value) is int) for kind in kinds):
            raise InputError(f"{each.name} must be {each.type.replace(' | ', ' or ')}, got {value!r}")
        if value is None:
            continue
        allowed = each.metadata
        if allowed["choices"] is not None and value not in (names := list(allowed["choices"]())) \
                and not (allowed["files"] and value.endswith(allowed["files"])):
            more = f", and FILE{allowed['files']} of your own" if allowed["files"] else ""
            raise InputError(f"unknown {each.name.replace('_', ' ')} {value!r}; there are {', '.join(names)}{more}")
        name = option(each.name)
        if allowed["least"] is not None and not value >= allowed["least"]:
            raise InputError(f"{name} must be at least {allowed['least']}, got {value}")
        most = allowed["most"]
        if most is None and type(value) is int and each.name != "seed":     # a seed may be as long as it likes
            most = COUNTS
        if most is not None and not value <= most:
            raise InputError(f"{name} must be at most {most}, got {value}")
        if allowed["check"] is not None:
            try:
                allowed["check"](name, value)
            except (TypeError, ValueError) as problem:
                raise InputError(str(problem)) from None


@dataclass(frozen=True)
class RunSettings:
    """All that determines a run, but for its length: a run may be resumed for more epochs, not with other settings.

    None, in eps, tau and others, is the estimator's or the kind's own default, which resolved() fills in.  as_released
    is a preset: resolved() turns it into the settings of the authors' code, and contradicting one of them is an error.
    Where the data set is a file, resolved() also keeps what it found in it, and a run that is continued does not take
    another.  There, and only there, these are not None.
    """

    dataset: str = setting("mnist", "images to train on", choices=lambda: data.REGISTRY, files=data.own.SUFFIX)
    estimator: str = setting("direct", "gradient of the encoder's scores", choices=lambda: estimators.REGISTRY)
    batch: int = setting(100, "images a step", least=1)
    lr: float = setting(1e-3, "Adam's learning rate", check=learning_rate)
    eps: float | None = setting(None, "of direct and its kin, constant, in 1/nat (default: the estimator's)",
                                check=temperature)
    tau: float | None = setting(None, "of relaxed estimators, constant (default: the estimator's)", check=temperature)
    schedule: str | None = setting(None, "of eps or tau; released falls from 1 to 0.1 (default: constant)",
                                   choices=lambda: ("constant", "released"))
    kl_grad: bool | None = setting(None, "whether the KL term takes part in the gradient (default: it does)")
    batch_mean: bool | None = setting(None, "rebar and relax: the batch's mean score as every image's learning signal "
                                            "(default: its own)")
    as_released: bool = setting(False, "as the authors' code: the released schedule, no KL gradient for direct, and "
                                       "what else it does differently")
    seed: int = setting(0, "of weights, order and noise", least=0)
    limit: int | None = setting(None, "use only the first LIMIT images of each part", least=1)
    file_sha256: str | None = setting(None, "of the file", said=False)
    file_height: int | None = setting(None, "of its images, pixels", least=1, most=data.own.MOST_PIXELS, said=False)
    file_width: int | None = setting(None, "of its images, pixels", least=1, most=data.own.MOST_PIXELS, said=False)
    file_classes: int | None = setting(None, "of its labels, if it has any", least=1, most=data.own.MOST_CLASSES,
                                       said=False)

    def resolved(self) -> RunSettings:
        """The same with the preset expanded and every default filled in; resolved again, it stays as it is.

        Raises InputError, one line, where a choice is not allowed.
        """
        check_fields(self)
        estimator = estimators.get(self.estimator)
        self._check_estimator(estimator)
        settings = self._described()
        settings = settings._expanded() if self.as_released else settings
        settings = settings._filled()
        chosen: dict[str, object] = {"schedule": settings.schedule or "constant"}
        if chosen["schedule"] == "constant" and estimator.setting and getattr(settings, estimator.setting) is None:
            chosen[estimator.setting] = estimator.default
        if "batch_mean" in estimator.released:
            chosen["batch_mean"] = bool(settings.batch_mean)
        return replace(settings, **chosen)

    def preset(self) -> dict[str, object]:
        """The settings that as_released stands for; a kind of run adds its own."""
        estimator = estimators.get(self.estimator)
        made: dict[str, object] = {"kl_grad": True, **estimator.released}
        return made | ({"schedule": "released"} if estimator.setting else {})

    def _described(self) -> RunSettings:
        """The same with what is to be found in a file of one's own; InputError if it is no good."""
        found = (self.file_sha256, self.file_height, self.file_width)
        if None in found and found != (None, None, None) or self.file_sha256 is None and self.file_classes is not None:
            raise InputError("file_sha256, file_height and file_width go together, and file_classes with them")
        if None not in found and self.file_height * self.file_width > data.own.MOST_PIXELS:
            raise InputError(f"file_height times file_width must be at most {data.own.MOST_PIXELS}, "
                             f"got {self.file_height * self.file_width}")
        entry = self.entry
        if self.file_sha256 is not None or entry.sha256 is None:
            return self
        return replace(self, file_sha256=entry.sha256, file_height=entry.shape[0], file_width=entry.shape[1],
                       file_classes=entry.classes)

    @property
    def entry(self) -> data.Entry:
        """What is known of the data set without its images: from the registry, or kept here from the file."""
        if self.file_sha256 is None:
            return data.get(self.dataset)
        return data.own.kept(self.dataset, self.file_sha256, (self.file_height, self.file_width), self.file_classes)

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width) of an image."""
        return self.entry.shape

    @property
    def pixels(self) -> int:
        """Of an image."""
        return math.prod(self.shape)

    def load(self, data_dir: str | None = None, limit: int | None = None) -> data.Dataset:
        """The images; InputError where they cannot be read, or a file is no longer the one that it was."""
        return data.load(self.dataset, data_dir, limit, self.file_sha256)

    def _filled(self) -> RunSettings:
        """The same with the defaults of this kind of run filled in, and its own choices checked."""
        raise TypeError(f"{type(self).__name__} has no defaults of its own")

    def _expanded(self) -> RunSettings:
        for name, value in self.preset().items():
            if getattr(self, name) not in (None, value):
                raise InputError(f"--as-released has its own {name.replace('_', ' ')}, {value}; leave out "
                                 f"{option(name)}")
        return replace(self, as_released=False, **self.preset())

    def _check_estimator(self, estimator: estimators.Estimator) -> None:
        """InputError if eps, tau, a schedule or a signal is given to an estimator that has no such thing."""
        released = "--schedule released" if self.schedule == "released" else ""
        scheduled = "--as-released" if self.as_released else released
        for name in ("eps", "tau"):
            if getattr(self, name) is not None and estimator.setting != name:
                raise InputError(f"--{name} is not a setting of the estimator {estimator.name}"
                                 + (f", which has --{estimator.setting}" if estimator.setting else ""))
            if getattr(self, name) is not None and scheduled:
                raise InputError(f"{scheduled} has a schedule of its own for {name}; leave out --{name}")
        if self.schedule == "released" and not estimator.setting:
            raise InputError("--schedule released needs an estimator with eps or tau, "
                             f"and {estimator.name} has neither")
        if self.batch_mean is not None and "batch_mean" not in estimator.released:
            raise InputError(f"--batch-mean is not a setting of the estimator {estimator.name}")

    @property
    def released(self) -> bool:
        """Whether these, resolved, are the settings of the authors' code, where those differ from the defaults."""
        preset = self.preset()
        plain = replace(self, **{name: None for name in preset}).resolved()
        return plain != self and all(getattr(self, name) == value for name, value in preset.items())

    def check_data(self, dataset: data.Dataset) -> None:
        """InputError if the data cannot serve these settings."""
        if self.batch > len(dataset.train):
            raise InputError(f"--batch must be at most {len(dataset.train)}, the number of training images, "
                             f"got {self.batch}")

    def temperature(self, step: int) -> dict[str, float]:
        """The estimator's keyword, eps or tau, at this step; {} if it has none.  Of resolved settings."""
        name = estimators.get(self.estimator).setting
        if name is None:
            return {}
        return {name: schedules.released(name, step) if self.schedule == "released" else getattr(self, name)}

    def keywords(self, step: int) -> dict[str, object]:
        """All keywords of the estimator at this step that follow from the settings."""
        return self.temperature(step) | ({"batch_mean": True} if self.batch_mean else {})

