"""Define the runs of the command `semi-supervised`.

The pretraining uses only the labelled images.  Then the mixture model is trained on all images with this loss:

    loss = mean over a batch           [ -E f(x, c, g) + KL(q(c) || uniform) + beta KL(q(g) || N(0, 1)) ]
         + mean over labelled images   [ image_weight (-E f(x, y, g) + beta KL(q(g) || N(0, 1)))
                                         - label_weight * (the objective of labelled_term) ]

c is the class, y is the known class, and g is the Gaussian variable.  For a data set with attributes, c consists of
one binary variable for each attribute.  If labelled_term is `cross-entropy`, the objective is log q(y).  The
pretraining minimises the second mean, with beta = image_weight = label_weight = 1.  After the pretraining, some
labelled images are added to each batch.
"""
from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import expit

from refimpl import data, estimators
from refimpl.arguments import InputError, kl_weight, learning_rate, temperature, weight
from refimpl.estimators import label_terms
from refimpl.latent.independent import Independent
from refimpl.models.mixture import MixtureVAE
from refimpl.runs import labelled_images, naming, streams
from refimpl.runs.protocol import Row, Run
from refimpl.runs.settings import RunSettings, setting

COLUMNS = ("epoch", "step", "accuracy", "valid_accuracy", "test_elbo", "reconstruction", "class_kl", "gaussian_kl",
           "eps_or_tau", "seconds", "evaluations")
PRETRAIN_BATCH = 100


def serving() -> list[str]:
    """Return the names of the estimators that can be used for a variable with ten values."""
    return [name for name, entry in estimators.REGISTRY.items() if entry.serves(Independent(1, 10))]


@dataclass(frozen=True)
class MixtureSettings(RunSettings):
    """Holds all settings of a run of `semi-supervised`, except the number of epochs.

    labels         number of labelled images, or 0 for clustering without labels.  It must be divisible by the number of
                   classes, unless the data set has attributes
    labelled_term  loss term that trains the class scores of the labelled images: `cross-entropy`, `released` or
                   `direct-loss` (see estimators/label_terms.py)
    label_eps      eps of the terms `released` and `direct-loss`
    label_weight   weight of the labelled term
    image_weight   weight of the terms that train the decoder and the Gaussian on labelled images
    label_batch    number of labelled images that are added to each batch
    pretrain       number of passes over the labelled images in the pretraining, which is epoch 0 of the run
    shift          largest random shift of a labelled image, in pixels
    beta           weight of the Gaussian's KL term directly after the pretraining
    beta_epochs    number of epochs in which the weight beta changes linearly to 1
    gaussian       dimension of the Gaussian
    kl_grad        whether the gradient includes the KL term of the class

    During the pretraining, label_weight, image_weight and beta have no effect: the three weights are 1.  If
    label_weight and image_weight are 0, only the pretraining uses labelled images.  If `labels` is 0, the settings that
    concern labelled images have no effect.
    """

    estimator: str = setting("direct", "estimator of the gradient with respect to the class's scores",
                             choices=serving)
    lr: float = setting(8e-4, "learning rate", check=learning_rate)
    labels: int = setting(100, "number of labelled images, equally many per class (0 for clustering)", least=0)
    labelled_term: str | None = setting(None, "term that trains the class's scores on a label (default: cross-entropy)",
                                        choices=lambda: label_terms.REGISTRY)
    label_eps: float | None = setting(None, "eps of the terms released and direct-loss (default: 0.05)",
                                      check=temperature)
    label_weight: float | None = setting(None, "weight of the labelled term after the pretraining (default: 50)",
                                         check=weight)
    image_weight: float | None = setting(None, "weight of the labelled images as images of a known class, after the "
                                               "pretraining (default: 0.2)", check=weight)
    label_batch: int = setting(50, "number of labelled images that are added to each batch", least=1)
    pretrain: int = setting(1200, "number of epochs over the labelled images alone, before the first epoch", least=0)
    shift: int | None = setting(None, "largest random shift of a labelled image at each use, in pixels (default: 3)",
                                least=0, most=27)
    beta: float | None = setting(None, "first weight of the Gaussian's KL term, which then goes to 1 (default: 5)",
                                 check=kl_weight)
    beta_epochs: int = setting(20, "number of epochs in which the weight --beta goes to 1", least=0)
    gaussian: int = setting(30, "dimension of the Gaussian", least=1, most=1_000)

    def preset(self) -> dict[str, object]:
        """Return the settings of the authors' code, which uses labels only in the pretraining."""
        return super().preset() | {"labelled_term": "released", "label_eps": 0.05, "label_weight": 0.0,
                                   "image_weight": 0.0, "shift": 0, "beta": 1.0}

    def _filled(self) -> MixtureSettings:
        classes, most = self.entry.classes, min(self.shape) - 1
        if classes is None or classes < 2:
            labelled = [name for name, entry in data.REGISTRY.items() if entry.classes is not None]
            raise InputError(f"{self.dataset} has no labels of two classes or more; semi-supervised takes "
                             f"{', '.join(labelled)}, or FILE{data.own_images.SUFFIX} with such labels")
        if self.labels % classes and not self.entry.attributes:
            raise InputError(f"--labels must be divisible by the {classes} classes, got {self.labels}")
        if self.shift is not None and self.shift > most:
            raise InputError(f"--shift must be at most {most} for images of {self.shape[0]} x {self.shape[1]} pixels, "
                             f"got {self.shift}")
        usual = {"labelled_term": "cross-entropy", "label_eps": 0.05, "label_weight": 50.0, "image_weight": 0.2,
                 "shift": min(3, most), "beta": 5.0, "kl_grad": True}
        return replace(self, **{name: value for name, value in usual.items() if getattr(self, name) is None})

    def check_data(self, dataset: data.Dataset) -> None:
        super().check_data(dataset)
        part, classes = dataset.train, self.entry.classes
        if self.labels > len(part):
            raise InputError(f"--labels must be at most {len(part)}, the number of training images, got {self.labels}")
        rarest = int(np.bincount(part.labels, minlength=classes)[:classes].min())
        if self.labels > classes * rarest:
            rare = "combination of attributes" if self.entry.attributes else "class"
            raise InputError(f"--labels must be at most {classes * rarest}, got {self.labels}: the rarest {rare} has "
                             f"{rarest} of the {len(part)} training images")

    @property
    def variables(self) -> tuple[int, int]:
        """Return (n, k).  There are n discrete variables, and each of them has k values."""
        attributes = self.entry.attributes
        return (len(attributes), 2) if attributes else (1, self.entry.classes)

    def beta_at(self, epochs: float) -> float:
        """Return the weight of the Gaussian's KL term, given the number of epochs after the pretraining."""
        left = max(0.0, 1 - epochs / self.beta_epochs) if self.beta_epochs else 0.0
        return 1 + (self.beta - 1) * left

    def label(self) -> str:
        """Return the words that describe the run in the legend of a picture."""
        words = [self.estimator, f"{self.labels} labels" if self.labels else "no labels"]
        return ", ".join(words + (["as released"] if self.released else []))


class MixtureRun(Run):
    """Trains the mixture model (the command `semi-supervised`)."""

    COMMAND = "semi-supervised"
    SUMMARY = "train a mixture model on images of which only a few have labels (slide 33)"
    EXAMPLE = "--labels 100 --epochs 60"
    FORMAT = "refimpl semi-supervised run 3"
    SETTINGS = MixtureSettings
    EPOCHS = 60
    FIRST_EPOCH = 0                     # the pretraining; the epochs after it are counted from 1

    settings: MixtureSettings
    model: MixtureVAE

    def __init__(self, settings: MixtureSettings, model: MixtureVAE, rng: np.random.Generator) -> None:
        super().__init__(settings, model, rng)
        self.x_labelled = np.empty((0, settings.pixels), model.dtype)
        self.y_labelled = np.empty(0, np.intp)
        self._steps_an_epoch = 1

    @classmethod
    def create(cls, settings: MixtureSettings, rng: np.random.Generator) -> MixtureRun:
        n, k = settings.variables
        model = MixtureVAE(settings.gaussian, pixels=settings.pixels, classes=k, n=n)
        return cls(settings, model, rng)

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the names of the metrics: COLUMNS, and one accuracy for each attribute of the data set."""
        return COLUMNS + tuple(attribute_columns(self.settings.entry.attributes))

    def attach(self, dataset: data.Dataset) -> None:
        """Choose the labelled images.  They depend on the seed, but not on the estimator."""
        part, classes = dataset.train, self.settings.entry.classes
        rows = labelled_images.draw(part, self.settings.labels, classes,
                                    streams.labelled_images(self.settings.seed, classes))
        self.x_labelled = part.images(rows, self.model.dtype)
        self.y_labelled = part.labels[rows].astype(np.intp)
        self._steps_an_epoch = super().steps(1, part)

    def steps(self, epoch: int, part: data.Part) -> int:
        if epoch == 0:
            return self.settings.pretrain * math.ceil(self.settings.labels / PRETRAIN_BATCH)
        return super().steps(epoch, part)

    def epoch(self, epoch: int, part: data.Part) -> Iterator[int]:
        """Train for one epoch; yield the number of decoder evaluations of each step.  Epoch 0 is the pretraining."""
        if epoch > 0:
            yield from super().epoch(epoch, part)
            return
        for _ in range(self.settings.pretrain if self.settings.labels else 0):
            order = self.rng.permutation(len(self.x_labelled))
            for start in range(0, len(order), PRETRAIN_BATCH):
                rows = order[start:start + PRETRAIN_BATCH]
                self.model.parameters.zero_grads()
                self._learn_labelled(rows, 1.0, 1.0, 1.0)
                self.adam.step()
                yield len(rows)

    def step(self, x: np.ndarray) -> int:
        """Make one training step after the pretraining; return the number of decoder evaluations.

        `x` contains images without labels and has shape (B, pixels).  Labelled images are added, unless label_weight
        and image_weight are both 0.
        """
        settings = self.settings
        done = self._steps_done()
        beta = settings.beta_at(done / self._steps_an_epoch)
        self.model.parameters.zero_grads()
        objective = self.model.backward(x, self.estimator, self.rng, settings.kl_grad, beta, **self.keywords(done))
        evaluations = objective.evaluations * len(x)
        if len(self.x_labelled) and (settings.label_weight > 0 or settings.image_weight > 0):
            rows = self.rng.choice(len(self.x_labelled), min(settings.label_batch, len(self.x_labelled)), replace=False)
            self._learn_labelled(rows, settings.label_weight, settings.image_weight, beta)
            evaluations += len(rows)
        self.adam.step()
        return evaluations

    def _steps_done(self) -> int:
        pretraining = self.settings.pretrain * math.ceil(self.settings.labels / PRETRAIN_BATCH)
        return max(0, self.adam.t - pretraining)

    def _learn_labelled(self, rows: np.ndarray, weight: float, image_weight: float, beta: float) -> None:
        settings = self.settings
        term = label_terms.REGISTRY[settings.labelled_term]
        x = labelled_images.shift(self.x_labelled[rows], settings.shift, self.rng, settings.shape)
        self.model.backward_labelled(x, self.y_labelled[rows], term, settings.label_eps, weight, self.rng, image_weight,
                                     beta)

    def measure(self, dataset: data.Dataset, epoch: int, last: bool) -> Row:
        """Return all metrics after an epoch, except `seconds` and `evaluations`, which the loop adds.

        The bound is in nats per image.  All values of c are enumerated, and one g is sampled per image.
        """
        settings = self.settings
        bound = self.model.bound(dataset.test, streams.measuring(settings.seed, epoch, settings.entry.classes))
        temperature = settings.temperature(self._steps_done() - 1) if epoch else {}         # in the last step
        right = self.accuracies(dataset.test)
        each = zip(attribute_columns(settings.entry.attributes), right.each.tolist())
        return {"epoch": epoch, "step": self.adam.t, "accuracy": right.every,
                "valid_accuracy": self.accuracy(dataset.valid), **bound._asdict(),
                "eps_or_tau": next(iter(temperature.values()), math.nan), **dict(each)}

    def accuracy(self, part: data.Part) -> float:
        """Return the share of images for which the likeliest value of c is the true value.

        In a run without labels, naming.best_match first assigns a meaning to each variable of c and to each of its
        values.
        """
        return self.accuracies(part).every

    def naming(self, part: data.Part) -> naming.Naming:
        """Return what the variables of c mean.  For a run without labels, best_match finds this from `part`."""
        n, k = self.settings.variables
        if self.settings.labels:
            return naming.as_taught(n, k)
        return naming.best_match(self.model.values(self.model.classify(part)), self.model.values(part.labels), k)

    def accuracies(self, part: data.Part) -> naming.Accuracy:
        """Return the accuracy of c as a whole, and the accuracy of each single attribute."""
        return naming.accuracies(self.model.classify(part), part.labels, *self.settings.variables,
                                 matched=self.settings.labels == 0)

    def samples(self, rows: int = 8) -> np.ndarray:
        """Return mean images in an array of shape (rows, K, pixels).

        All images of a row have the same g, which is drawn from the prior.  Each image has another value of c.
        """
        g = streams.samples(self.settings.seed).standard_normal((rows, self.model.d)).astype(self.model.dtype)
        return expit(self.model.decode(g).astype(np.float64))


def attribute_columns(attributes: Sequence[str]) -> list[str]:
    """Return the names of the columns that contain the accuracy of each attribute."""
    return ["accuracy_" + name.replace(" ", "_") for name in attributes]
