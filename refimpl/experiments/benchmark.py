"""How long does a training step take, beside the matrix products that it cannot avoid?

    python -m refimpl benchmark

Seconds depend on the machine and on what else it is doing; the ratio of two times measured in the same minute says more.
Steps and products take turns, round by round, after a warm-up, and the medians over the rounds are shown.
"""
from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from refimpl import data, estimators
from refimpl.checks import InputError
from refimpl.models.categorical import CategoricalVAE
from refimpl.nn.adam import Adam
from refimpl.progress import Progress
from refimpl.settings import Settings
from refimpl.training import train_epoch

SIZES = (10, 50)            # values of z, as on slides 23 and 24


class Row(NamedTuple):
    """Medians over the rounds, in seconds a step."""

    estimator: str
    k: int
    step: float
    products: float


def product_shapes(estimator: str, k: int, batch: int, hidden: int = 300,
                   pixels: int = data.PIXELS) -> list[tuple[int, int, int]]:
    """(rows, inner, columns) of every matrix product that forward and backward passes of a step need.

    The encoder needs no gradient in x.  With the table of all values, one-hot inputs make the decoder's first layer a copy
    of its weights; relaxed inputs need it in full, and the gradient in them.
    """
    encoder = [(batch, pixels, hidden), (batch, hidden, k),                                  # forward
               (hidden, batch, k), (batch, k, hidden), (pixels, batch, hidden)]              # dW2, d hidden, dW1
    if estimator in ("exact", "direct"):
        decoder = [(k, hidden, pixels), (batch, pixels, k),                                  # logits, x . logits
                   (k, batch, pixels), (hidden, k, pixels), (k, pixels, hidden)]             # d logits, dW2, d hidden
    else:
        decoder = [(batch, k, hidden), (batch, hidden, pixels),                              # forward
                   (hidden, batch, pixels), (batch, pixels, hidden), (k, batch, hidden), (batch, hidden, k)]
    return encoder + decoder


def step_function(dataset: data.Dataset, estimator: str, k: int, batch: int) -> Callable[[], None]:
    """One whole training step, as `train` makes it: images unpacked, forward, backward, Adam."""
    settings = Settings(estimator=estimator, k=k, batch=batch).resolved()
    rng = np.random.default_rng(0)
    model = CategoricalVAE(k)
    model.initialise(rng)
    adam = Adam(model.values, model.grads, settings.lr)
    entry = estimators.get(estimator)

    def step() -> None:
        x = dataset.train.images(rng.integers(len(dataset.train), size=batch), model.dtype)
        model.backward(x, entry, rng, settings.kl_grad, **settings.temperature(adam.t))
        adam.step()

    return step


def products_function(estimator: str, k: int, batch: int) -> Callable[[], None]:
    """The matrix products of a step and nothing else."""
    rng = np.random.default_rng(0)
    triples = [(rng.random((m, n), dtype=np.float32), rng.random((n, p), dtype=np.float32), np.empty((m, p), np.float32))
               for m, n, p in product_shapes(estimator, k, batch)]

    def products() -> None:
        for left, right, result in triples:
            np.matmul(left, right, out=result)

    return products


def seconds(function: Callable[[], None], times: int) -> float:
    """Mean seconds a call."""
    started = time.perf_counter()
    for _ in range(times):
        function()
    return (time.perf_counter() - started) / times


def run(batch: int = 100, steps: int = 50, rounds: int = 9, report: Callable[[Row], None] = lambda row: None,
        names: tuple[str, ...] = tuple(estimators.REGISTRY)) -> list[Row]:
    """Time all estimators at k = 10 and 50 on MNIST.  Raises InputError if a number is out of range."""
    dataset = data.load("mnist")
    for name, value, most in (("batch", batch, len(dataset.train)), ("steps", steps, None), ("rounds", rounds, None)):
        if value < 1 or (most is not None and value > most):
            raise InputError(f"--{name} must be at least 1" + (f" and at most {most}" if most else "") + f", got {value}")
    rows = []
    for k in SIZES:
        for name in names:
            step, products = step_function(dataset, name, k, batch), products_function(name, k, batch)
            progress = Progress(f"{name}, k = {k}", rounds)
            seconds(step, steps), seconds(products, steps)                                  # warm-up
            times = []
            for _ in range(rounds):
                times.append((seconds(step, steps), seconds(products, steps)))
                progress.advance()
            progress.clear()
            rows.append(Row(name, k, *(float(median) for median in np.median(times, axis=0))))
            report(rows[-1])
    return rows


def epoch_seconds(k: int = 10, epochs: int = 3) -> list[float]:
    """Seconds of each of the first epochs of direct on MNIST: a slow-down would be denormal numbers at work."""
    dataset = data.load("mnist")
    settings = Settings(k=k).resolved()
    rng = np.random.default_rng(0)
    model = CategoricalVAE(k)
    model.initialise(rng)
    adam = Adam(model.values, model.grads, settings.lr)
    taken = []
    for epoch in range(1, epochs + 1):
        progress = Progress(f"epoch {epoch} of {epochs}", len(dataset.train) // settings.batch)
        started = time.perf_counter()
        train_epoch(model, adam, dataset.train, settings, rng, progress.advance)
        taken.append(time.perf_counter() - started)
        progress.clear()
    return taken
