"""What a semi-supervised run is: every choice that its result depends on, checked in one place."""
from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from refimpl import data, estimators, schedules
from refimpl.checks import InputError
from refimpl.estimators import labelled
from refimpl.models.mixture import CLASSES
from refimpl.settings import arguments, check_positive, check_range, check_temperature, check_types, option

ESTIMATORS = ("direct", "gumbel-softmax", "exact")


@dataclass(frozen=True)
class SemiSupervisedSettings:
    """All that determines a run, but for its length.

    labels         labelled images, equally many a class; 0 is clustering
    labelled_term  what they teach the class's scores: cross-entropy (the default), released or direct-loss
                   (estimators/labelled.py), the latter two with label_eps
    pretrain       epochs over the labelled images alone, which are epoch 0 of the run
    label_weight   weight, after the pretraining, of what the labels teach the class's scores, mean against mean
    image_weight   the same for what the labelled images, as images of a known class, teach decoder and Gaussian; where both
                   weights are 0 no labelled image takes part
    label_batch    how many of them join each step
    shift          labelled images are moved by up to so many pixels each way, anew at each step
    beta           weight of the Gaussian's KL term at the start; it goes to 1 over beta_epochs epochs, on a straight line
    eps, tau None  the estimator's default, constant.  kl_grad: the class's KL term
    as_released    the authors' recipe: labelled_term released at 0.05, no labels after the pretraining, no shifts, beta 1,
                   eps or tau falling from 1, and for direct no gradient of the class's KL term
    Without labels (0) whatever concerns them plays no part.
    """

    dataset: str = "mnist"
    estimator: str = "direct"
    labels: int = 100
    labelled_term: str | None = None
    label_eps: float = 0.05
    label_weight: float | None = None
    image_weight: float | None = None
    label_batch: int = 50
    pretrain: int = 1200
    shift: int | None = None
    beta: float | None = None
    beta_epochs: int = 20
    gaussian: int = 30
    batch: int = 100
    lr: float = 8e-4
    eps: float | None = None
    tau: float | None = None
    kl_grad: bool | None = None
    as_released: bool = False
    seed: int = 0
    limit: int | None = None

    def resolved(self) -> SemiSupervisedSettings:
        """The same with every default filled in; resolved again, it stays as it is.  Raises InputError, one line, where a
        choice is not allowed."""
        check_types(self)
        if self.dataset == "omniglot":
            raise InputError("omniglot has no labels of ten classes; semi-supervised takes mnist and fashion-mnist")
        if self.dataset not in data.NAMES:
            raise InputError(f"unknown data set {self.dataset!r}; semi-supervised takes mnist and fashion-mnist")
        if self.estimator not in ESTIMATORS:
            raise InputError(f"unknown estimator {self.estimator!r} for semi-supervised; there are {', '.join(ESTIMATORS)}")
        if self.labelled_term is not None and self.labelled_term not in labelled.REGISTRY:
            raise InputError(f"unknown labelled term {self.labelled_term!r}; there are {', '.join(labelled.REGISTRY)}")
        check_range("labels", self.labels, 0)
        if self.labels % CLASSES:
            raise InputError(f"--labels must be divisible by the {CLASSES} classes, got {self.labels}")
        check_range("gaussian", self.gaussian, 1, 1_000)
        for name in ("batch", "label_batch", "limit"):
            check_range(name, getattr(self, name), 1)
        for name in ("seed", "pretrain", "beta_epochs"):
            check_range(name, getattr(self, name), 0)
        check_range("shift", self.shift, 0, 27)
        for name in ("label_weight", "image_weight"):
            check_range(name, getattr(self, name), 0, 1e6)
        for name in ("lr", "eps", "tau", "label_eps", "beta"):
            check_positive(name, getattr(self, name))
        estimator = estimators.get(self.estimator)
        check_temperature(estimator, self)
        if self.as_released:
            return self._as_released()
        chosen = {estimator.setting: estimator.default} if estimator.setting else {}
        chosen |= {"labelled_term": "cross-entropy", "label_weight": 50.0, "image_weight": 0.2, "shift": 3, "beta": 5.0, "kl_grad": True}
        return replace(self, **{name: value for name, value in chosen.items() if getattr(self, name) is None})

    def _as_released(self) -> SemiSupervisedSettings:
        fixed = {"labelled_term": "released", "label_eps": 0.05, "label_weight": 0.0, "image_weight": 0.0, "shift": 0, "beta": 1.0,
                 "kl_grad": self.estimator != "direct"}
        for name, value in fixed.items():
            if getattr(self, name) not in (None, value):
                raise InputError(f"--as-released has its own {name.replace('_', ' ')}, {value}; leave out {option(name)}")
        return replace(self, **fixed)

    def check_data(self, dataset: data.Dataset) -> None:
        """InputError if the data cannot serve these settings."""
        part = dataset.train
        if self.batch > len(part):
            raise InputError(f"--batch must be at most {len(part)}, the number of training images, got {self.batch}")
        if self.labels > len(part):
            raise InputError(f"--labels must be at most {len(part)}, the number of training images, got {self.labels}")
        rarest = int(np.bincount(part.labels, minlength=CLASSES)[:CLASSES].min())
        if self.labels > CLASSES * rarest:
            raise InputError(f"--labels must be at most {CLASSES * rarest}, got {self.labels}: the rarest class has {rarest} of the "
                             f"{len(part)} training images")

    def temperature(self, step: int) -> dict[str, float]:
        """The estimator's keyword, eps or tau, at this step of those after the pretraining; {} if it has none."""
        name = estimators.get(self.estimator).setting
        if name is None:
            return {}
        return {name: schedules.released(name, step) if self.as_released else getattr(self, name)}

    def beta_at(self, epochs: float) -> float:
        """The weight of the Gaussian's KL term, so many epochs after the pretraining."""
        left = max(0.0, 1 - epochs / self.beta_epochs) if self.beta_epochs else 0.0
        return 1 + (self.beta - 1) * left

    def arguments(self) -> list[str]:
        """The command line that trains it, without its length and folder."""
        return ["semi-supervised", *arguments(self)]

    def label(self) -> str:
        """A few words for the legend of a picture."""
        words = [self.estimator, f"{self.labels} labels" if self.labels else "no labels"]
        return ", ".join(words + (["as released"] if self.as_released else []))
