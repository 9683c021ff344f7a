"""Define the interface of all kinds of runs.

The training loop, the checkpoints, the experiments and the command line use a run only through this interface:

    run = Kind.start(settings)          the weights are drawn from the seed
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
"""Maps the columns of metrics.csv to their values.  The value of a metric that was not computed is NaN."""


class Run(ABC):
    """Holds everything that determines the next step of a run.

    To add a kind of run, write a file with a subclass that defines the members below, and add the class to KINDS.  The
    text and the pictures of each kind of run are in cli/words.py and plots/runs.py.
    """

    COMMAND: ClassVar[str]
    """The command that trains a run of this kind: `python -m refimpl COMMAND`."""
    SUMMARY: ClassVar[str]
    """One line that describes the command."""
    EXAMPLE: ClassVar[str] = ""
    """The options of the example that --help prints."""
    FORMAT: ClassVar[str]
    """The name of the checkpoint format."""
    SETTINGS: ClassVar[type[RunSettings]]
    EPOCHS: ClassVar[int]
    """The default number of epochs."""
    FIRST_EPOCH: ClassVar[int] = 1

    def __init__(self, settings: RunSettings, model, rng: np.random.Generator) -> None:
        """Make a run.  `model` must have `parameters`, `dtype`, `family`, `n`, `k` and the method initialise(rng)."""
        self.settings, self.model, self.rng = settings, model, rng
        self.adam = Adam(model.parameters, settings.lr)
        self.estimator = estimators.get(settings.estimator)
        make = self.estimator.memory
        self.memory: Memory = make(model.family.n, model.family.k) if make else {}

    @classmethod
    def start(cls, settings: RunSettings) -> Run:
        """Return a new run.  Its weights depend on the seed, but not on the estimator.  `settings` must be resolved."""
        rng = streams.training(settings.seed)
        run = cls.create(settings, rng)
        run.model.initialise(rng)
        return run

    @classmethod
    @abstractmethod
    def create(cls, settings: RunSettings, rng: np.random.Generator) -> Run:
        """Return a new run in which all weights are 0.  The caller initialises them or reads them from a checkpoint."""

    def attach(self, dataset: data.Dataset) -> None:
        """Store what the run needs from the data.  Call this method once, before the first step."""

    @property
    @abstractmethod
    def columns(self) -> tuple[str, ...]:
        """Return the column names of metrics.csv."""

    @property
    def may_be_missing(self) -> tuple[str, ...]:
        """Return the columns that may contain NaN, for example because they are not computed in every epoch."""
        return ("eps_or_tau",)

    def keywords(self, step: int) -> dict[str, object]:
        return self.settings.keywords(step) | ({"memory": self.memory} if self.memory else {})

    def steps(self, epoch: int, part: data.Part) -> int:
        return math.ceil(len(part) / self.settings.batch)

    def epoch(self, epoch: int, part: data.Part) -> Iterator[int]:
        """Train on all images of `part` once, in random order; yield each step's number of decoder evaluations."""
        order = self.rng.permutation(len(part))
        for start in range(0, len(part), self.settings.batch):
            yield self.step(part.images(order[start:start + self.settings.batch], self.model.dtype))

    @abstractmethod
    def step(self, x: np.ndarray) -> int:
        """Make one training step on images of shape (B, pixels); return the number of decoder evaluations."""

    @abstractmethod
    def measure(self, dataset: data.Dataset, epoch: int, last: bool) -> Row:
        """Return the metrics after an epoch, except `seconds` and `evaluations`, which the loop adds."""
