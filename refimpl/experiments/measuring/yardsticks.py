"""Measure the bound of a model in all ways that the paper uses: with one sample, with 100 samples, and by enumeration.

    python -m refimpl measure yardsticks DIR ...

The slides estimate the bound of `direct` from one sample per image, and the bound of Gumbel-softmax from 100 samples
per image.  They compute the bound of `exact` by enumeration.  If the samples are one-hot, the mean of an estimate is
the exact bound, so the three ways differ only by noise.  If the samples are relaxed, the mean is another number.
"""
from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from refimpl import data
from refimpl.arguments import InputError
from refimpl.experiments import options
from refimpl.experiments.records import write_measurements
from refimpl.models.vae import VAE
from refimpl.runs import checkpoint, streams
from refimpl.runs.vae import VAERun
from refimpl.system.files import output_folder
from refimpl.system.progress import Progress

HUNDRED = 100


class Row(NamedTuple):
    """Holds the test -ELBO of a model, measured in several ways, in nats per image.

    Each spread is the standard deviation over the repetitions.
    """

    run: str
    exact: float
    one: float
    one_spread: float
    hundred: float
    hundred_spread: float
    relaxed_one: float
    """Measured with one relaxed sample z = softmax((h + gamma) / tau) per image.  NaN for an estimator without tau."""
    relaxed_hundred: float


def sampled(model: VAE, images: data.Part, samples: int, rng: np.random.Generator, tau: float | None = None) -> float:
    """Return an estimate of -ELBO in nats per image.  If `tau` is given, the samples are relaxed."""
    total = 0.0
    for x in images.blocks(2_000, model.dtype):
        h = model.encode(x)
        objective = model.objective(x)
        for _ in range(samples):
            z = model.family.sample(h, rng) if tau is None else model.family.relax(h, rng, tau).z
            total += objective.run(z).f.sum(dtype=np.float64) / samples
        total -= model.family.kl(h)[0].sum(dtype=np.float64)
    return -total / len(images)


def measure(run: VAERun, words: str, images: data.Part, repetitions: int, rng: np.random.Generator) -> Row:
    model = run.model
    one, hundred = ([sampled(model, images, samples, rng) for _ in range(repetitions)] for samples in (1, HUNDRED))
    tau = run.settings.temperature(run.adam.t).get("tau")
    relaxed = [float("nan")] * 2 if tau is None else [sampled(model, images, samples, rng, tau)
                                                     for samples in (1, HUNDRED)]
    return Row(words, -model.bounds(images).elbo, float(np.mean(one)), float(np.std(one, ddof=1)),
               float(np.mean(hundred)), float(np.std(hundred, ddof=1)), *relaxed)


def run(folders: Sequence[Path | str], repetitions: int = 10, images: int = 2_000, data_dir: str | None = None,
        out: Path | str | None = None, report: Callable[[Row], None] = lambda row: None) -> list[Row]:
    """Measure each run.  Raises InputError if a number is out of range, or if a folder has no run with a bound."""
    options.check("yardsticks", repetitions=repetitions, images=images)
    loaded = [checkpoint.load(Path(folder) / checkpoint.FILE, kind=VAERun) for folder in folders]
    for place, (trained, _) in zip(folders, loaded):
        if not trained.model.family.normalised:
            raise InputError(f"{place} has a structured encoder: there is no bound to measure")
    folder = output_folder(out) if out is not None else None
    rows = []
    for trained, history in loaded:
        settings = trained.settings
        part = settings.load(data_dir).test.first(images)
        words = f"{settings.entry.name}, {settings.label()}, {len(history)} epoch{'s' * (len(history) != 1)}"
        progress = Progress(words, 1)
        rows.append(measure(trained, words, part, repetitions, streams.samples(settings.seed)))
        progress.clear()
        report(rows[-1])
    if folder is not None:
        write_measurements(folder, "yardsticks", "all", dict(repetitions=repetitions, images=images), rows)
    return rows
