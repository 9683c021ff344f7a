"""Training: epochs of steps, exact bounds after each, a checkpoint that a run continues from to the bit.

An output folder holds config.json, metrics.csv (a row an epoch), checkpoint.npz, curves.png and samples.png.
"""
from __future__ import annotations

import csv
import io
import json
import math
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np

from refimpl import checkpoint, data, estimators, plots
from refimpl.checks import InputError, NotFinite
from refimpl.files import output_folder, write_text
from refimpl.models.categorical import CategoricalVAE
from refimpl.nn.adam import Adam
from refimpl.progress import Progress
from refimpl.settings import Settings

CHECKPOINT = "checkpoint.npz"
WRITTEN = (CHECKPOINT, "config.json", "metrics.csv", "curves.png", "samples.png")


def train_epoch(model: CategoricalVAE, adam: Adam, part: data.Part, settings: Settings, rng: np.random.Generator,
                after_step: Callable[[], None] = lambda: None) -> None:
    """One pass over the part in random order; the last batch may be smaller.  Raises InputError if a weight is not finite
    afterwards: training has diverged."""
    estimator = estimators.get(settings.estimator)
    order = rng.permutation(len(part))
    diverged = InputError(f"training diverged: weights or scores are no longer finite; try a smaller --lr than "
                          f"{settings.lr:g}")
    with np.errstate(over="ignore", invalid="ignore"):          # said once, by the two checks below, not step by step
        for start in range(0, len(part), settings.batch):
            x = part.images(order[start:start + settings.batch], model.dtype)
            try:
                model.backward(x, estimator, rng, settings.kl_grad, **settings.temperature(adam.t))
            except NotFinite:
                raise diverged from None
            adam.step()
            after_step()
    if not np.isfinite(model.values).all():
        raise diverged


def train(settings: Settings, epochs: int, out: Path | str, resume: bool = False, data_dir: str | None = None,
          report: Callable[[dict[str, float]], None] = lambda row: None) -> list[dict[str, float]]:
    """Train to `epochs` epochs in all, writing into the folder `out`; returns the rows of metrics.csv.

    resume   continue the run that `out` holds, to the bit as if it had never stopped; it must have these settings
    report   called with each new row

    Killed at any moment, it loses at most the epoch under way.  Raises InputError, one line, before anything is written,
    if a setting, the data or `out` cannot be used; without `resume` a folder that holds a run already is left alone.
    """
    settings = settings.resolved()
    if epochs < 1:
        raise InputError(f"--epochs must be at least 1, got {epochs}")
    dataset = data.load(settings.dataset, data_dir, settings.limit)
    if settings.batch > len(dataset.train):
        raise InputError(f"--batch must be at most {len(dataset.train)}, the number of training images, "
                         f"got {settings.batch}")
    out = Path(out)
    if resume:
        _, model, adam, rng, history = checkpoint.load(out / CHECKPOINT, settings)
        out = output_folder(out)
    else:
        held = [name for name in WRITTEN if (out / name).exists()] if out.is_dir() else []
        if held:
            raise InputError(f"--out {out} already holds {', '.join(held)}; continue with --resume, or choose another folder")
        rng = np.random.default_rng(settings.seed)
        model = CategoricalVAE(settings.k, settings.hidden)
        model.initialise(rng)
        adam = Adam(model.values, model.grads, settings.lr)
        history = np.empty((0, len(checkpoint.COLUMNS)))
        out = output_folder(out)
        checkpoint.save(out / CHECKPOINT, settings, model, adam, rng, history)
    write_text(out / "config.json", json.dumps(asdict(settings), indent=2) + "\n")
    _write_metrics(out, history)

    for epoch in range(len(history) + 1, epochs + 1):
        progress = Progress(f"epoch {epoch} of {epochs}", math.ceil(len(dataset.train) / settings.batch))
        started = time.perf_counter()
        train_epoch(model, adam, dataset.train, settings, rng, progress.advance)
        seconds = time.perf_counter() - started
        progress.clear()
        row = _measure(model, dataset, settings, epoch, adam.t, seconds + (history[-1, -1] if len(history) else 0.0))
        history = np.vstack([history, row])
        checkpoint.save(out / CHECKPOINT, settings, model, adam, rng, history)
        _write_metrics(out, history)
        report(dict(zip(checkpoint.COLUMNS, row)))

    rows = [dict(zip(checkpoint.COLUMNS, row)) for row in history.tolist()]
    plots.save(plots.curves(rows, settings.label(), settings.dataset), out / "curves.png")
    plots.save(plots.samples(model.decode_all(), settings.dataset, settings.label()), out / "samples.png")
    return rows


def _measure(model: CategoricalVAE, dataset: data.Dataset, settings: Settings, epoch: int, step: int,
             seconds: float) -> list[float]:
    """One row, in the order of checkpoint.COLUMNS; every bound is exact, by enumeration, whatever the estimator."""
    train, valid, test = (model.bounds(part) for part in (dataset.train, dataset.valid, dataset.test))
    temperature = settings.temperature(step - 1)                # of the last step made
    epsilon = next(iter(temperature.values()), math.nan)
    return [epoch, step, train.elbo, valid.elbo, test.elbo, test.log_likelihood, test.gap, epsilon, seconds]


def _write_metrics(out: Path, history: np.ndarray) -> None:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(checkpoint.COLUMNS)
    for row in history.tolist():
        writer.writerow([int(row[0]), int(row[1]), *(f"{value:.6f}" for value in row[2:7]),
                         "" if math.isnan(row[7]) else f"{row[7]:.6f}", f"{row[8]:.3f}"])
    write_text(out / "metrics.csv", stream.getvalue())
