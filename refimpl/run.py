"""A run of `train` under way: model, optimiser, what the estimator has learnt, and the generator.  A step, and a row of metrics.

training.py and checkpoint.py ask the same of every kind of run; refimpl/semi_supervised/run.py is the other kind.
"""
from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure

from refimpl import argmax, data, estimators, joint, plots
from refimpl.estimators import Memory, structured
from refimpl.models import truth
from refimpl.models.discrete import DiscreteVAE
from refimpl.models.structured import StructuredVAE
from refimpl.nn.adam import Adam
from refimpl.settings import Settings

COLUMNS = ("epoch", "step", "train_elbo", "valid_elbo", "test_elbo", "test_log_likelihood", "gap", "epsilon", "seconds")
NOT_A_BOUND = "released_loss_not_a_bound"


@dataclass
class Run:
    """Everything that the next step depends on."""

    COMMAND = "train"
    FORMAT = "refimpl run 1"            # what its checkpoints say they are
    SETTINGS = Settings
    FIRST_EPOCH = 1

    settings: Settings
    model: DiscreteVAE | StructuredVAE
    adam: Adam
    memory: Memory
    rng: np.random.Generator

    @classmethod
    def start(cls, settings: Settings) -> Run:
        """A new run of resolved settings: weights drawn from the seed, the same for every estimator."""
        rng = np.random.default_rng(settings.seed)
        run = cls.blank(settings, rng)
        run.model.initialise(rng)
        return run

    @classmethod
    def blank(cls, settings: Settings, rng: np.random.Generator) -> Run:
        """The same with all weights 0, to be filled from a checkpoint."""
        if settings.structure:
            model = StructuredVAE(settings.n, argmax.get(settings.solver), settings.non_negative, settings.hidden)
        else:
            model = DiscreteVAE(settings.k, settings.n, settings.hidden)
        make = None if settings.structure else estimators.get(settings.estimator).memory
        memory = make(settings.n, settings.k) if make else {}
        return cls(settings, model, Adam(model.values, model.grads, settings.lr), memory, rng)

    def step(self, x: np.ndarray) -> int:
        """Forward, backward, Adam on one batch; returns the decoder evaluations that its estimator made, all images together."""
        keywords = self.settings.temperature(self.adam.t)
        if self.settings.structure:
            objective = self.model.backward(x, structured.REGISTRY[self.settings.estimator], self.rng, **keywords)
        else:
            estimator = estimators.get(self.settings.estimator)
            if self.settings.as_released:
                keywords |= estimator.as_released
            if self.memory:
                keywords["memory"] = self.memory
            objective = self.model.backward(x, estimator, self.rng, self.settings.kl_grad, **keywords)
        self.adam.step()
        return objective.evaluations * len(x)

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of metrics.csv: COLUMNS, and more behind them where there are several latent variables."""
        if self.settings.n == 1:
            return COLUMNS
        if self.settings.structure:
            return COLUMNS + ((NOT_A_BOUND,) if self.settings.as_released else ()) + ("evaluations",)
        return COLUMNS + ("sampled_elbo", "evaluations")

    def attach(self, dataset: data.Dataset) -> None:
        """Called once, before the first step.  This kind of run keeps nothing of the data."""

    def steps(self, epoch: int, part: data.Part) -> int:
        """How many steps this epoch has."""
        return math.ceil(len(part) / self.settings.batch)

    def epoch(self, epoch: int, part: data.Part) -> Iterator[int]:
        """Make the steps of one pass over the part in random order, the last batch perhaps smaller; yields the decoder
        evaluations of each."""
        order = self.rng.permutation(len(part))
        for start in range(0, len(part), self.settings.batch):
            yield self.step(part.images(order[start:start + self.settings.batch], self.model.dtype))

    def measure(self, dataset: data.Dataset, epoch: int, last: bool) -> dict[str, float]:
        """One row, by column.  Bounds are exact, by enumeration, whatever the estimator; NaN where none was computed.

        Up to 1,024 joint values all three parts are measured each epoch.  Beyond, and up to 65,536, the test images every
        exact_every epochs and at the end, so that a run which was once shorter keeps an exact row at its old end.
        sampled_elbo, one z an image, is there each epoch; its noise is a generator's of its own.
        """
        settings, model = self.settings, self.model
        values = joint.count(settings.n, settings.k)
        unknown = truth.Bounds(math.nan, math.nan, math.nan)
        train = valid = test = unknown
        if values <= truth.DOUBLE_UP_TO or settings.n == 1:
            train, valid, test = (model.bounds(part) for part in (dataset.train, dataset.valid, dataset.test))
        elif values <= joint.COUNTABLE and (last or epoch % settings.exact_every == 0):
            test = model.bounds(dataset.test)
        row = {"epoch": epoch, "step": self.adam.t, "train_elbo": train.elbo, "valid_elbo": valid.elbo,
               "test_elbo": test.elbo, "test_log_likelihood": test.log_likelihood, "gap": test.gap,
               "epsilon": next(iter(settings.temperature(self.adam.t - 1).values()), math.nan)}     # of the last step made
        noise = np.random.default_rng([settings.seed, epoch])
        if settings.structure and settings.as_released:
            row[NOT_A_BOUND] = model.released_loss(dataset.test, noise)
        elif settings.n > 1 and not settings.structure:
            row["sampled_elbo"] = model.sampled_elbo(dataset.test, noise)
        return row

    def pictures(self, rows: list[dict[str, float]], dataset: data.Dataset) -> dict[str, Figure]:
        """curves.png, and samples.png: every value of a single latent variable, or 100 joint values at random, named by
        their index."""
        settings, model = self.settings, self.model
        names = None
        if settings.n == 1:
            logits = model.decode_all()
        else:
            z = np.eye(settings.k)[np.random.default_rng(settings.seed).integers(settings.k, size=(100, settings.n))]
            logits = model.decoder.forward(z.reshape(100, -1).astype(model.dtype)).copy()
            countable = joint.count(settings.n, settings.k) <= joint.COUNTABLE
            names = [str(joint.index(row)) if countable else "" for row in z]
        return {"curves.png": plots.curves(rows, settings.label(), settings.dataset),
                "samples.png": plots.samples(logits, settings.dataset, settings.label(), names)}
