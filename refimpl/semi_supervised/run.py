"""A semi-supervised run under way: first epochs on the labelled images alone, then all images and the labelled ones beside them.

    loss = mean over a batch of      [ -E f(x, c, g) + KL(q(c) || uniform) + beta KL(q(g) || N(0, 1)) ]
         + mean over labelled ones   [ image_weight (-E f(x, y, g) + beta KL(q(g) || N(0, 1))) - label_weight * (what the term ascends) ]

While the labelled images are alone, all weights are 1.
"""
from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from matplotlib.figure import Figure
from scipy.optimize import linear_sum_assignment

from refimpl import data, estimators
from refimpl.estimators import Memory
from refimpl.estimators import labelled as terms
from refimpl.models.mixture import MixtureVAE
from refimpl.nn.adam import Adam
from refimpl.semi_supervised import labelled, pictures
from refimpl.semi_supervised.settings import SemiSupervisedSettings

COLUMNS = ("epoch", "step", "accuracy", "valid_accuracy", "test_elbo", "reconstruction", "class_kl", "gaussian_kl", "epsilon",
           "seconds", "evaluations")
PRETRAIN_BATCH = 100


@dataclass
class SemiSupervisedRun:
    """Everything that the next step depends on.  attach() gives it the labelled images, which the seed determines."""

    settings: SemiSupervisedSettings
    model: MixtureVAE
    adam: Adam
    rng: np.random.Generator
    memory: Memory = field(default_factory=dict)

    COMMAND = "semi-supervised"
    FORMAT = "refimpl semi-supervised run 1"
    SETTINGS = SemiSupervisedSettings
    FIRST_EPOCH = 0                     # the pretraining; what comes after it is counted from 1

    @classmethod
    def start(cls, settings: SemiSupervisedSettings) -> SemiSupervisedRun:
        """A new run of resolved settings: weights drawn from the seed, the same for every estimator."""
        rng = np.random.default_rng(settings.seed)
        run = cls.blank(settings, rng)
        run.model.initialise(rng)
        return run

    @classmethod
    def blank(cls, settings: SemiSupervisedSettings, rng: np.random.Generator) -> SemiSupervisedRun:
        """The same with all weights 0, to be filled from a checkpoint."""
        model = MixtureVAE(settings.gaussian)
        return cls(settings, model, Adam(model.values, model.grads, settings.lr), rng)

    @property
    def columns(self) -> tuple[str, ...]:
        return COLUMNS

    def attach(self, dataset: data.Dataset) -> None:
        """Draw the labelled images, from a generator of their own: the same ones for every estimator and after a resume."""
        part, classes = dataset.train, self.model.classes
        rows = labelled.draw(part, self.settings.labels, classes, np.random.default_rng([self.settings.seed, classes]))
        self._x, self._y = part.images(rows, self.model.dtype), part.labels[rows].astype(np.intp)
        self._noisy_grads = np.empty_like(self.model.grads)

    def steps(self, epoch: int, part: data.Part) -> int:
        if epoch == 0:
            return self.settings.pretrain * math.ceil(len(self._x) / PRETRAIN_BATCH)
        return math.ceil(len(part) / self.settings.batch)

    def epoch(self, epoch: int, part: data.Part) -> Iterator[int]:
        """Make the steps of an epoch; yields the decoder evaluations of each.  Epoch 0 is the whole pretraining."""
        settings = self.settings
        if epoch == 0:
            for _ in range(settings.pretrain if settings.labels else 0):
                order = self.rng.permutation(len(self._x))
                for start in range(0, len(order), PRETRAIN_BATCH):
                    yield self.labelled_step(order[start:start + PRETRAIN_BATCH])
            return
        order, steps = self.rng.permutation(len(part)), self.steps(epoch, part)
        for step in range(steps):
            rows = order[step * settings.batch:(step + 1) * settings.batch]
            beta = settings.beta_at(epoch - 1 + step / steps)
            yield self.step(part.images(rows, self.model.dtype), settings.temperature((epoch - 1) * steps + step), beta)

    def labelled_step(self, rows: np.ndarray) -> int:
        """Forward, backward, Adam on labelled images alone."""
        self._learn_labelled(rows, 1.0, 1.0, 1.0)
        self.adam.step()
        return len(rows)

    def step(self, x: np.ndarray, temperature: dict[str, float], beta: float) -> int:
        """Forward, backward, Adam on a batch without labels and, if they still count, some labelled images beside it."""
        settings = self.settings
        objective = self.model.backward(x, estimators.get(settings.estimator), self.rng, settings.kl_grad, beta, **temperature)
        evaluations = objective.evaluations * len(x)
        if len(self._x) and (settings.label_weight > 0 or settings.image_weight > 0):
            self._noisy_grads[...] = self.model.grads
            rows = self.rng.choice(len(self._x), min(settings.label_batch, len(self._x)), replace=False)
            self._learn_labelled(rows, settings.label_weight, settings.image_weight, beta)
            self.model.grads += self._noisy_grads
            evaluations += len(rows)
        self.adam.step()
        return evaluations

    def _learn_labelled(self, rows: np.ndarray, weight: float, image_weight: float, beta: float) -> None:
        settings = self.settings
        term = terms.REGISTRY[settings.labelled_term]
        x = labelled.shift(self._x[rows], settings.shift, self.rng)
        self.model.backward_labelled(x, self._y[rows], term, settings.label_eps, weight, self.rng, image_weight, beta)

    def measure(self, dataset: data.Dataset, epoch: int, last: bool) -> dict[str, float]:
        """One row, by column, nats an image on the test images; the class enumerated, one Gaussian sample an image."""
        settings = self.settings
        noise = np.random.default_rng([settings.seed, epoch])
        bound = self.model.bound(dataset.test, noise)
        steps = self.steps(1, dataset.train)
        temperature = settings.temperature(epoch * steps - 1) if epoch else {}
        return {"epoch": epoch, "step": self.adam.t, "accuracy": self.accuracy(dataset.test),
                "valid_accuracy": self.accuracy(dataset.valid), **bound._asdict(),
                "epsilon": next(iter(temperature.values()), math.nan)}

    def accuracy(self, part: data.Part) -> float:
        """Share of images whose likeliest class is their label; without labels, by the best one-to-one match of the two."""
        predicted = self.model.classify(part)
        return accuracy(predicted, part.labels, self.model.classes, matched=self.settings.labels == 0)

    def pictures(self, rows: list[dict[str, float]], dataset: data.Dataset) -> dict[str, Figure]:
        settings = self.settings
        return {"curves.png": pictures.curves(rows, settings.label(), settings.dataset),
                "samples.png": pictures.grids([(settings.label(), pictures.sample(self.model, settings.seed))], settings.dataset)}


def accuracy(predicted: np.ndarray, labels: np.ndarray, classes: int, matched: bool) -> float:
    """Share of equal entries; `matched`: after the one-to-one renaming of predictions that makes it largest."""
    counts = np.zeros((classes, classes), np.int64)
    np.add.at(counts, (predicted, labels), 1)
    if matched:
        rows, columns = linear_sum_assignment(counts, maximize=True)
        return float(counts[rows, columns].sum() / len(labels))
    return float(np.trace(counts) / len(labels))
