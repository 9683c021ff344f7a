"""What every kind of run is: all that the loop, the checkpoints, the experiments and the command line ask of one.

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
"""A row of metrics, by column; NaN where nothing was computed."""


class Run(ABC):
    """Everything that the next step depends on.  A new kind of run is one file with these members and a line in KINDS.

    What is printed of it, and its pictures, may have lines of their own in cli/words.py and plots/runs.py.
    """

    COMMAND: ClassVar[str]
    """Its command, `python -m refimpl COMMAND`."""
    SUMMARY: ClassVar[str]
    """What the command does, in a line."""
    EXAMPLE: ClassVar[str] = ""
    """Options for an example in the help."""
    FORMAT: ClassVar[str]
    """What its checkpoints say they are."""
    SETTINGS: ClassVar[type[RunSettings]]
    EPOCHS: ClassVar[int]
    """How many, unless the user says otherwise."""
    FIRST_EPOCH: ClassVar[int] = 1

    def __init__(self, settings: RunSettings, model, rng: np.random.Generator) -> None:
        """model: with `parameters`, `dtype`, `n`, `k` of its discrete variables and initialise(rng)."""
        self.settings, self.model, self.rng = settings, model, rng
        self.adam = Adam(model.parameters, settings.lr)
        self.estimator = estimators.get(settings.estimator)
        make = self.estimator.memory
        self.memory: Memory = make(model.family.n, model.family.k) if make else {}

    @classmethod
    def start(cls, settings: RunSettings) -> Run:
        """A new run of resolved settings: weights drawn from the seed, the same for every estimator."""
        rng = streams.training(settings.seed)
        run = cls.create(settings, rng)
        run.model.initialise(rng)
        return run

    @classmethod
    @abstractmethod
    def create(cls, settings: RunSettings, rng: np.random.Generator) -> Run:
        """The same with all weights 0, to be filled from a checkpoint."""

    def attach(self, dataset: data.Dataset) -> None:
        """Called once, before the first step, for those that keep something of the data."""

    @property
    @abstractmethod
    def columns(self) -> tuple[str, ...]:
        """The columns of metrics.csv."""

    @property
    def may_be_missing(self) -> tuple[str, ...]:
        """Those that are NaN in rows for which they were not computed; an estimator may have neither eps nor tau."""
        return ("eps_or_tau",)

    def keywords(self, step: int) -> dict[str, object]:
        """The estimator's keywords at this step: eps or tau, the batch's mean score, what it has learnt."""
        return self.settings.keywords(step) | ({"memory": self.memory} if self.memory else {})

    def steps(self, epoch: int, part: data.Part) -> int:
        """How many steps this epoch has."""
        return math.ceil(len(part) / self.settings.batch)

    def epoch(self, epoch: int, part: data.Part) -> Iterator[int]:
        """Make the steps of one pass over the part in random order, the last batch perhaps smaller; yields the decoder
        evaluations of each."""
        order = self.rng.permutation(len(part))
        for start in range(0, len(part), self.settings.batch):
            yield self.step(part.images(order[start:start + self.settings.batch], self.model.dtype))

    @abstractmethod
    def step(self, x: np.ndarray) -> int:
        """One training step on the images x (B, pixels); returns the decoder evaluations, all images together."""

    @abstractmethod
    def measure(self, dataset: data.Dataset, epoch: int, last: bool) -> Row:
        """What the model is worth after this epoch: all columns but seconds and evaluations, which the loop adds."""
