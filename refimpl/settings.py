"""What a training run is: every choice that its result depends on, checked in one place."""
from __future__ import annotations

import math
from dataclasses import dataclass, replace

from refimpl import data, estimators, schedules
from refimpl.checks import InputError


WIDEST = 10_000     # values of z, units of a hidden layer: beyond it enumeration is no longer a small table


@dataclass(frozen=True)
class Settings:
    """All that determines a run, but for its length: a run may be resumed for more epochs, not with other settings.

    eps or tau None: the estimator's default, constant.  kl_grad None: on.  as_released: the schedule of the authors'
    code for eps or tau, and, for direct, no gradient of the KL term; contradicting it is an error.
    """

    dataset: str = "mnist"
    estimator: str = "direct"
    k: int = 10
    hidden: int = 300
    batch: int = 100
    lr: float = 1e-3
    eps: float | None = None
    tau: float | None = None
    kl_grad: bool | None = None
    as_released: bool = False
    seed: int = 0
    limit: int | None = None

    def resolved(self) -> Settings:
        """The same with every default filled in; resolved again, it stays as it is.  Raises InputError, one line, where a choice is not allowed."""
        if self.dataset not in data.NAMES:
            raise InputError(f"unknown data set {self.dataset!r}; there are {', '.join(data.NAMES)}")
        estimator = estimators.get(self.estimator)
        for name, value, least, most in (("k", self.k, 2, WIDEST), ("hidden", self.hidden, 1, WIDEST),
                                         ("batch", self.batch, 1, None), ("seed", self.seed, 0, None),
                                         ("limit", self.limit, 1, None)):
            if value is not None and value < least:
                raise InputError(f"--{name} must be at least {least}, got {value}")
            if value is not None and most is not None and value > most:
                raise InputError(f"--{name} must be at most {most}, got {value}")
        for name, value in (("lr", self.lr), ("eps", self.eps), ("tau", self.tau)):
            if value is not None and not (math.isfinite(value) and value > 0):
                raise InputError(f"--{name} must be above 0 and finite, got {value}")
        for name in ("eps", "tau"):
            if getattr(self, name) is not None and estimator.setting != name:
                raise InputError(f"--{name} is not a setting of the estimator {self.estimator}"
                                 + (f", which has --{estimator.setting}" if estimator.setting else ""))
        if self.as_released:
            kl_grad = self.estimator != "direct"
            for name in ("eps", "tau"):
                if getattr(self, name) is not None:
                    raise InputError(f"--as-released has a schedule of its own for {name}; leave out --{name}")
            if self.kl_grad is not None and self.kl_grad != kl_grad:
                raise InputError(f"--as-released trains {self.estimator} {'with' if kl_grad else 'without'} the gradient "
                                 f"of the KL term; leave out --{'no-' if kl_grad else ''}kl-grad")
            return replace(self, kl_grad=kl_grad)
        filled = {"kl_grad": self.kl_grad is not False}
        if estimator.setting and getattr(self, estimator.setting) is None:
            filled[estimator.setting] = estimator.default
        return replace(self, **filled)

    def temperature(self, step: int) -> dict[str, float]:
        """The estimator's keyword, eps or tau, at this step; {} if it has none.  Of resolved settings."""
        name = estimators.get(self.estimator).setting
        if name is None:
            return {}
        return {name: schedules.released(name, step) if self.as_released else getattr(self, name)}

    def label(self) -> str:
        """A few words for the legend of a picture."""
        words = [self.estimator, f"k = {self.k}"]
        if self.as_released:
            words.append("as released")
        else:
            name = estimators.get(self.estimator).setting
            words += [f"{name} = {getattr(self, name):g}"] if name else []
            words += [] if self.kl_grad else ["no KL gradient"]
        return ", ".join(words)
