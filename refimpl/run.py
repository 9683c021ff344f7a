"""A run under way: model, optimiser, what the estimator has learnt, and the generator.  One step of it."""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from refimpl import argmax, estimators
from refimpl.estimators import Memory, structured
from refimpl.models.discrete import DiscreteVAE
from refimpl.models.structured import StructuredVAE
from refimpl.nn.adam import Adam
from refimpl.settings import Settings


@dataclass
class Run:
    """Everything that the next step depends on."""

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
