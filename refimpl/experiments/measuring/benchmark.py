"""Compare the time of a training step with the time of the matrix products in this step.

    python -m refimpl measure benchmark

After a warm-up, there are several rounds.  Each round measures first the steps and then the products.  The results are
medians over the rounds.
Times depend on the machine and on its load, so the ratio of two times is more informative than the times themselves.
"""
from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from refimpl import data, estimators
from refimpl.arguments import Options
from refimpl.experiments import options
from refimpl.experiments.records import write_measurements
from refimpl.runs import kind_of
from refimpl.runs.loop import train_epoch
from refimpl.runs.mixture import MixtureSettings
from refimpl.runs.protocol import Run
from refimpl.runs.settings import RunSettings
from refimpl.runs.vae import VAERun, VAESettings
from refimpl.system.files import output_folder
from refimpl.system.progress import Progress

SINGLE = ("exact", "direct", "gumbel-softmax", "straight-through-gumbel-softmax")


def cases(batch: int) -> list[RunSettings]:
    """Return the settings that are timed: the settings of slides 23, 24, 31, 32 and 33."""
    made: list[RunSettings] = [VAESettings(batch=batch, estimator=name, k=k) for k in (10, 50) for name in SINGLE]
    made += [VAESettings(batch=batch, estimator=name, n=15, k=2) for name, entry in estimators.REGISTRY.items()
             if not entry.enumerates]
    made += [VAESettings(batch=batch, family="pairwise", family_options=Options(solver=solver), n=15, k=2)
             for solver in ("persistency", "maxflow", "enumeration", "coordinate")]
    made += [MixtureSettings(batch=batch, estimator=name, labels=100) for name in ("direct", "gumbel-softmax", "exact")]
    return [settings.resolved() for settings in made]


class Row(NamedTuple):
    """Holds the median times over the rounds, in seconds."""

    step_of: str
    step: float
    products: float


class Counted(np.ndarray):
    """An array that records the shapes of its matrix products.  Arrays computed from a Counted are Counted, too."""

    noted: list[tuple[int, int, int]] = []

    def __array_ufunc__(self, ufunc, method, *inputs, out=None, **keywords):
        plain = [np.asarray(each) if isinstance(each, Counted) else each for each in inputs]
        if out is not None:
            keywords["out"] = tuple(map(np.asarray, out))
        if ufunc is np.matmul and plain[0].ndim == plain[1].ndim == 2:      # batched products are small
            Counted.noted.append((*plain[0].shape, plain[1].shape[1]))
        result = getattr(ufunc, method)(*plain, **keywords)
        if out is not None:
            return out[0] if len(out) == 1 else out
        return result.view(Counted) if isinstance(result, np.ndarray) else result


def product_shapes(settings: RunSettings) -> list[tuple[int, int, int]]:
    """Return the shapes (rows, inner, columns) of all products of two matrices in a training step."""
    dataset = data.load("mnist")
    run = started(settings, dataset)
    parameters = run.model.parameters
    stop = 0
    for layer in parameters.layers:
        start, stop = stop, stop + layer.n_parameters
        layer.bind(parameters.values.view(Counted)[start:stop], parameters.grads.view(Counted)[start:stop])
    # The images are Counted, too: they are multiplied with the weights of a table, which depend on no parameter.
    x = dataset.train.images(slice(0, settings.batch), run.model.dtype).view(Counted)
    run.step(x)                                                             # reinforce's first step has an extra pass
    Counted.noted = []
    run.step(x)
    return Counted.noted


def started(settings: RunSettings, dataset: data.Dataset) -> Run:
    run = kind_of(settings).start(settings)
    run.attach(dataset)
    return run


def step_function(settings: RunSettings, dataset: data.Dataset) -> Callable[[], None]:
    """Return a function that unpacks a batch of images and makes one training step, as the training loop does."""
    run = started(settings, dataset)

    def step() -> None:
        rows = run.rng.integers(len(dataset.train), size=settings.batch)
        run.step(dataset.train.images(rows, run.model.dtype))

    return step


def products_function(settings: RunSettings) -> Callable[[], None]:
    rng = np.random.default_rng(0)
    random = lambda *shape: rng.random(shape, dtype=np.float32)
    triples = [(random(m, n), random(n, p), np.empty((m, p), np.float32)) for m, n, p in product_shapes(settings)]

    def products() -> None:
        for left, right, result in triples:
            np.matmul(left, right, out=result)

    return products


def seconds(function: Callable[[], None], times: int) -> float:
    started = time.perf_counter()
    for _ in range(times):
        function()
    return (time.perf_counter() - started) / times


def run(batch: int = 100, steps: int = 30, rounds: int = 7,
        report: Callable[[Row], None] = lambda row: None, out: Path | str | None = None) -> list[Row]:
    """Time all cases on MNIST.  Raises InputError if a number is out of range."""
    dataset = data.load("mnist")
    options.check("benchmark", batch=batch, steps=steps, rounds=rounds)
    folder = output_folder(out) if out is not None else None
    rows = []
    for settings in cases(batch):
        step, products = step_function(settings, dataset), products_function(settings)
        progress = Progress(settings.label(), rounds + 1)
        seconds(step, steps), seconds(products, steps)                                      # warm-up
        progress.advance()
        times = []
        for _ in range(rounds):
            times.append((seconds(step, steps), seconds(products, steps)))
            progress.advance()
        progress.clear()
        rows.append(Row(settings.label(), *np.median(times, axis=0).tolist()))
        report(rows[-1])
    if folder is not None:
        write_measurements(folder, "benchmark", f"batch {batch}", dict(batch=batch, steps=steps, rounds=rounds), rows)
    return rows


def epoch_seconds(k: int = 10, epochs: int = 3) -> list[float]:
    """Return the seconds of each epoch of `direct` on MNIST.  If denormal numbers arise, later epochs are slower."""
    dataset = data.load("mnist")
    run = VAERun.start(VAESettings(k=k).resolved())
    taken = []
    for epoch in range(1, epochs + 1):
        progress = Progress(f"epoch {epoch} of {epochs}", len(dataset.train) // run.settings.batch)
        started = time.perf_counter()
        train_epoch(run, dataset.train, progress.advance)
        taken.append(time.perf_counter() - started)
        progress.clear()
    return taken
