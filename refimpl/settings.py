"""What a training run is: every choice that its result depends on, checked in one place."""
from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace

from refimpl import argmax, data, estimators, joint, schedules
from refimpl.checks import InputError
from refimpl.estimators import structured

TYPES = {"str": str, "int": int, "float": float, "bool": bool, "None": type(None)}
WIDEST = 10_000     # values of z, inputs of the decoder, units of a hidden layer


def check_types(settings) -> None:
    """InputError if a field is not of its type: settings also come from files that anybody may have edited."""
    for field in fields(settings):
        value, kinds = getattr(settings, field.name), [kind.strip() for kind in field.type.split("|")]
        if not any(type(value) is TYPES[kind] or (kind == "float" and type(value) is int) for kind in kinds):
            raise InputError(f"{field.name} must be {field.type.replace(' | ', ' or ')}, got {value!r}")


def option(name: str) -> str:
    """The command line's name of a field."""
    return "--" + name.replace("_", "-")


def arguments(settings) -> list[str]:
    """The command line's options for these settings, those that have a value."""
    made = []
    for field in fields(settings):
        value, name = getattr(settings, field.name), option(field.name)
        if field.type == "bool | None" and value is not None:
            made.append(name if value else name.replace("--", "--no-", 1))
        elif value is True:
            made.append(name)
        elif value is not None and value is not False:
            made += [name, str(value)]
    return made


def check_range(name: str, value: float | None, least: float, most: float | None = None) -> None:
    """InputError unless value is None or in least ... most, and finite."""
    if value is not None and not value >= least:
        raise InputError(f"{option(name)} must be at least {least}, got {value}")
    if value is not None and not value <= (math.inf if most is None else most):
        raise InputError(f"{option(name)} must be at most {most}, got {value}")


def check_positive(name: str, value: float | None) -> None:
    """InputError unless value is None, or above 0 and finite."""
    if value is not None and not (math.isfinite(value) and value > 0):
        raise InputError(f"{option(name)} must be above 0 and finite, got {value}")


def check_temperature(estimator: estimators.Estimator, settings) -> None:
    """InputError if eps or tau is given to an estimator that has no such setting, or beside as_released."""
    for name in ("eps", "tau"):
        if getattr(settings, name) is not None and estimator.setting != name:
            raise InputError(f"--{name} is not a setting of the estimator {estimator.name}"
                             + (f", which has --{estimator.setting}" if estimator.setting else ""))
        if getattr(settings, name) is not None and settings.as_released:
            raise InputError(f"--as-released has a schedule of its own for {name}; leave out --{name}")


@dataclass(frozen=True)
class Settings:
    """All that determines a run, but for its length: a run may be resumed for more epochs, not with other settings.

    eps or tau None: the estimator's default, constant.  kl_grad None: on, but for structured encoders, which have no KL
    term.  as_released: what the authors' code does, namely the schedule for eps or tau; for direct no gradient of the KL
    term; for rebar and relax the batch's mean score as every image's learning signal.  Contradicting it is an error.
    structure "pairwise": pair scores beside the unary ones, arg max by `solver`; non_negative: through a softplus.
    """

    dataset: str = "mnist"
    estimator: str = "direct"
    n: int = 1
    k: int = 10
    hidden: int = 300
    batch: int = 100
    lr: float = 1e-3
    eps: float | None = None
    tau: float | None = None
    kl_grad: bool | None = None
    as_released: bool = False
    structure: str | None = None
    solver: str | None = None
    non_negative: bool | None = None
    seed: int = 0
    limit: int | None = None
    exact_every: int = 5

    def resolved(self) -> Settings:
        """The same with every default filled in; resolved again, it stays as it is.  Raises InputError, one line, where a
        choice is not allowed."""
        check_types(self)
        if self.dataset not in data.NAMES:
            raise InputError(f"unknown data set {self.dataset!r}; there are {', '.join(data.NAMES)}")
        estimator = estimators.get(self.estimator)
        self._check_numbers()
        check_temperature(estimator, self)
        if estimator.binary and self.k != 2:
            raise InputError(f"--estimator {self.estimator} serves binary variables only; use --k 2, got --k {self.k}")
        if estimator.enumerates and self.n > 1:
            joint.require(self.n, self.k, joint.TRAINABLE, f"--estimator {self.estimator}",
                          "use direct, local-expectation or another that does not enumerate")
        resolved = self._structured() if self.structure is not None else self._factorised()
        if not self.as_released and estimator.setting and getattr(self, estimator.setting) is None:
            resolved = replace(resolved, **{estimator.setting: estimator.default})
        return resolved

    def _check_numbers(self) -> None:
        check_range("n", self.n, 1, 200)
        check_range("k", self.k, 2, WIDEST)
        check_range("hidden", self.hidden, 1, WIDEST)
        for name in ("batch", "exact_every", "limit"):
            check_range(name, getattr(self, name), 1)
        check_range("seed", self.seed, 0)
        if self.n * self.k > WIDEST:
            raise InputError(f"--n times --k must be at most {WIDEST}, got {self.n * self.k}")
        for name in ("lr", "eps", "tau"):
            check_positive(name, getattr(self, name))

    def _factorised(self) -> Settings:
        for name, value in (("solver", self.solver), ("non-negative", self.non_negative)):
            if value is not None:
                raise InputError(f"--{name} goes with --structure pairwise only")
        kl_grad = self.kl_grad is not False
        if self.as_released:
            kl_grad = not self.estimator.startswith("direct")
            if self.kl_grad is not None and self.kl_grad != kl_grad:
                raise InputError(f"--as-released trains {self.estimator} {'with' if kl_grad else 'without'} the gradient "
                                 f"of the KL term; leave out --{'no-' if kl_grad else ''}kl-grad")
        return replace(self, kl_grad=kl_grad)

    def _structured(self) -> Settings:
        if self.structure != "pairwise":
            raise InputError(f"unknown structure {self.structure!r}; there is pairwise")
        if self.k != 2:
            raise InputError(f"--structure pairwise needs binary variables, --k 2, got --k {self.k}")
        if self.estimator not in structured.REGISTRY:
            raise InputError(f"--estimator {self.estimator} does not serve a structured encoder; "
                             f"{', '.join(structured.REGISTRY)} do")
        if self.kl_grad:
            raise InputError("a structured encoder has no KL term in closed form; leave out --kl-grad")
        solver = argmax.get(self.solver or "maxflow")
        if not 2 <= self.n <= solver.most:
            raise InputError(f"--n must be in 2 ... {solver.most} for --solver {solver.name}, got {self.n}")
        if self.estimator == "gumbel-softmax":
            joint.require(self.n, 2, joint.COUNTABLE, "gumbel-softmax over joint values", "use direct")
        non_negative = solver.name != "milp" if self.non_negative is None else self.non_negative
        if solver.non_negative and not non_negative:
            raise InputError(f"--solver {solver.name} needs pair scores that are not negative; leave out "
                             "--no-non-negative, or use --solver milp or enumeration")
        return replace(self, kl_grad=False, solver=solver.name, non_negative=non_negative)

    def check_data(self, dataset: data.Dataset) -> None:
        """InputError if the data cannot serve these settings."""
        if self.batch > len(dataset.train):
            raise InputError(f"--batch must be at most {len(dataset.train)}, the number of training images, got {self.batch}")

    def temperature(self, step: int) -> dict[str, float]:
        """The estimator's keyword, eps or tau, at this step; {} if it has none.  Of resolved settings."""
        name = estimators.get(self.estimator).setting
        if name is None:
            return {}
        return {name: schedules.released(name, step) if self.as_released else getattr(self, name)}

    def arguments(self) -> list[str]:
        """The command line that trains it, without its length and folder."""
        return ["train", *arguments(self)]

    def label(self) -> str:
        """A few words for the legend of a picture."""
        words = [self.estimator, f"n = {self.n}, k = {self.k}" if self.n > 1 else f"k = {self.k}"]
        if self.structure:
            words.append(f"pairwise by {self.solver}" + ("" if self.non_negative else ", any sign"))
        if self.as_released:
            words.append("as released")
        else:
            name = estimators.get(self.estimator).setting
            words += [f"{name} = {getattr(self, name):g}"] if name else []
            words += [] if self.kl_grad or self.structure else ["no KL gradient"]
        return ", ".join(words)
