"""The interface of all kinds of runs, which the loop, the checkpoints, the experiments and the command line use.

    run = Kind.start(settings)          weights drawn from the seed
    run.attach(dataset)                 once, before the first step
    for evaluations in run.epoch(1, part): ...
    row = run.measure(dataset, 1, last=True)
"""
from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import ClassVar

import numpy as np

from refimpl import data, estimators
from refimpl.estimators import Memory
from refimpl.nn.adam import Adam
from refimpl.runs import streams
from refimpl.runs.settings import RunSettings

Row = dict[str, float]
"""A row of metrics by column; NaN if a metric was not computed."""


class Run(ABC):
    """Holds everything on which the next step depends.  A new kind of run is one file with these members and a line in
    KINDS.  Its printed lines and pictures can be adapted in cli/words.py and plots/runs.py.
    """

    COMMAND: ClassVar[str]
    """Its command, `python -m refimpl COMMAND`."""
    SUMMARY: ClassVar[str]
    """One line that says what the command does."""
    EXAMPLE: ClassVar[str] = ""
    """Options for an example in the help."""
    FORMAT: ClassVar[str]
    """The name of the format of its checkpoints."""
    SETTINGS: ClassVar[type[RunSettings]]
    EPOCHS: ClassVar[int]
    """The default number of epochs."""
    FIRST_EPOCH: ClassVar[int] = 1

    def __init__(self, settings: RunSettings, model, rng: np.random.Generator) -> None:
        """Start with this model, which has `parameters`, `dtype`, `family`, `n`, `k` and initialise(rng)."""
        self.settings, self.model, self.rng = settings, model, rng
        self.adam = Adam(model.parameters, settings.lr)
        self.estimator = estimators.get(settings.estimator)
        make = self.estimator.memory
        self.memory: Memory = make(model.family.n, model.family.k) if make else {}

    @classmethod
    def start(cls, settings: RunSettings) -> Run:
        """Return a new run of resolved settings, with weights drawn from the seed, the same for every estimator."""
        rng = streams.training(settings.seed)
        run = cls.create(settings, rng)
        run.model.initialise(rng)
        return run

    @classmethod
    @abstractmethod
    def create(cls, settings: RunSettings, rng: np.random.Generator) -> Run:
        """Return a new run with all weights 0, to be filled from a checkpoint."""

    def attach(self, dataset: data.Dataset) -> None:
        """Take what the run needs from the data; called once, before the first step."""

    @property
    @abstractmethod
    def columns(self) -> tuple[str, ...]:
        """Return the columns of metrics.csv."""

    @property
    def may_be_missing(self) -> tuple[str, ...]:
        """Return the columns that may be NaN, because they are not computed in every row or for every estimator."""
        return ("eps_or_tau",)

    def keywords(self, step: int) -> dict[str, object]:
        """Return the estimator's keywords at this step: its hyperparameters, and its memory if it has one."""
        return self.settings.keywords(step) | ({"memory": self.memory} if self.memory else {})

    def steps(self, epoch: int, part: data.Part) -> int:
        """Return the number of steps in this epoch."""
        return math.ceil(len(part) / self.settings.batch)

    def epoch(self, epoch: int, part: data.Part) -> Iterator[int]:
        """Make the steps of one pass over the part in random order, in which the last batch may be smaller; yield the
        decoder evaluations of each step."""
        order = self.rng.permutation(len(part))
        for start in range(0, len(part), self.settings.batch):
            yield self.step(part.images(order[start:start + self.settings.batch], self.model.dtype))

    @abstractmethod
    def step(self, x: np.ndarray) -> int:
        """Make one training step on images x, (B, pixels); return the decoder evaluations of all images together."""

    @abstractmethod
    def measure(self, dataset: data.Dataset, epoch: int, last: bool) -> Row:
        """Measure the model after an epoch; return all columns but seconds and evaluations, which the loop adds."""
