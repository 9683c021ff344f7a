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

from refimpl import checkpoint, data, joint, plots
from refimpl.checks import InputError, NotFinite
from refimpl.files import locked, output_folder, write_text
from refimpl.models import truth
from refimpl.progress import Progress
from refimpl.run import Run
from refimpl.settings import Settings

CHECKPOINT = "checkpoint.npz"
WRITTEN = (CHECKPOINT, "config.json", "metrics.csv", "curves.png", "samples.png")


def train_epoch(run: Run, part: data.Part, after_step: Callable[[], None] = lambda: None) -> int:
    """One pass over the part in random order; the last batch may be smaller.  Returns the decoder evaluations made.

    Raises InputError if weights or scores are no longer finite: training has diverged.
    """
    diverged = InputError(f"training diverged: weights or scores are no longer finite; try a smaller --lr than "
                          f"{run.settings.lr:g}, or a larger --eps or --tau")
    order = run.rng.permutation(len(part))
    evaluations = 0
    with np.errstate(over="ignore", invalid="ignore"):          # said once, by the two checks below, not step by step
        for start in range(0, len(part), run.settings.batch):
            x = part.images(order[start:start + run.settings.batch], run.model.dtype)
            try:
                evaluations += run.step(x)
            except NotFinite:
                raise diverged from None
            after_step()
    if not np.isfinite(run.model.values).all():
        raise diverged
    return evaluations


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
    names = checkpoint.columns(settings)
    if resume:
        checkpoint.load(out / CHECKPOINT, settings)             # whatever is wrong with it is said before anything is touched
    else:
        held = [name for name in WRITTEN if (out / name).exists()] if out.is_dir() else []
        if held:
            raise InputError(f"--out {out} already holds {', '.join(held)}; continue with --resume, or choose another folder")
    with locked(output_folder(out)):
        if resume:
            run, history = checkpoint.load(out / CHECKPOINT, settings)
        else:
            run, history = Run.start(settings), np.empty((0, len(names)))
            checkpoint.save(out / CHECKPOINT, run, history)
        return _continue(run, history, epochs, out, dataset, report)


def _continue(run: Run, history: np.ndarray, epochs: int, out: Path, dataset: data.Dataset,
              report: Callable[[dict[str, float]], None]) -> list[dict[str, float]]:
    """Train from where the run stands, and write everything but the first checkpoint."""
    settings, names = run.settings, checkpoint.columns(run.settings)
    write_text(out / "config.json", json.dumps(asdict(settings), indent=2) + "\n")
    _write_metrics(out, names, history)
    for epoch in range(len(history) + 1, epochs + 1):
        progress = Progress(f"epoch {epoch} of {epochs}", math.ceil(len(dataset.train) / settings.batch))
        started = time.perf_counter()
        evaluations = train_epoch(run, dataset.train, progress.advance)
        seconds = time.perf_counter() - started
        progress.clear()
        row = _measure(run, dataset, epoch, last=epoch == epochs)
        before = dict(zip(names, history[-1])) if len(history) else {}
        row["seconds"] = before.get("seconds", 0.0) + seconds
        row["evaluations"] = before.get("evaluations", 0.0) + evaluations
        history = np.vstack([history, [row[name] for name in names]])
        checkpoint.save(out / CHECKPOINT, run, history)
        _write_metrics(out, names, history)
        report(row)

    rows = [dict(zip(names, row)) for row in history.tolist()]
    plots.save(plots.curves(rows, settings.label(), settings.dataset), out / "curves.png")
    plots.save(plots.samples(*_draw(run)), out / "samples.png")
    return rows


def _measure(run: Run, dataset: data.Dataset, epoch: int, last: bool) -> dict[str, float]:
    """One row, by column.  Bounds are exact, by enumeration, whatever the estimator; NaN where none was computed.

    Up to 1,024 joint values all three parts are measured each epoch.  Beyond, and up to 65,536, the test images every
    exact_every epochs and at the end, so that a run which was once shorter keeps an exact row at its old end.  sampled_elbo, one z an image, is there each epoch; its noise is a generator's of its own.
    """
    settings, model = run.settings, run.model
    values = joint.count(settings.n, settings.k)
    unknown = truth.Bounds(math.nan, math.nan, math.nan)
    train = valid = test = unknown
    if values <= truth.DOUBLE_UP_TO or settings.n == 1:
        train, valid, test = (model.bounds(part) for part in (dataset.train, dataset.valid, dataset.test))
    elif values <= joint.COUNTABLE and (last or epoch % settings.exact_every == 0):
        test = model.bounds(dataset.test)
    row = {"epoch": epoch, "step": run.adam.t, "train_elbo": train.elbo, "valid_elbo": valid.elbo, "test_elbo": test.elbo,
           "test_log_likelihood": test.log_likelihood, "gap": test.gap,
           "epsilon": next(iter(settings.temperature(run.adam.t - 1).values()), math.nan)}         # of the last step made
    noise = np.random.default_rng([settings.seed, epoch])
    if settings.structure and settings.as_released:
        row[checkpoint.NOT_A_BOUND] = model.released_loss(dataset.test, noise)
    elif settings.n > 1 and not settings.structure:
        row["sampled_elbo"] = model.sampled_elbo(dataset.test, noise)
    return row


def _draw(run: Run) -> tuple[np.ndarray, str, str, list[str] | None]:
    """For plots.samples: every value of a single latent variable, or 100 joint values at random, named by their index."""
    settings, model = run.settings, run.model
    if settings.n == 1:
        return model.decode_all(), settings.dataset, settings.label(), None
    z = np.eye(settings.k)[np.random.default_rng(settings.seed).integers(settings.k, size=(100, settings.n))]
    logits = model.decoder.forward(z.reshape(100, -1).astype(model.dtype)).copy()
    countable = joint.count(settings.n, settings.k) <= joint.COUNTABLE
    return logits, settings.dataset, settings.label(), [str(joint.index(row)) if countable else "" for row in z]


def _write_metrics(out: Path, names: tuple[str, ...], history: np.ndarray) -> None:
    counts = {"epoch": "d", "step": "d", "evaluations": "d", "seconds": ".3f"}
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(names)
    for row in history.tolist():
        writer.writerow(["" if math.isnan(value) else format(int(value) if counts.get(name) == "d" else value,
                                                             counts.get(name, ".6f")) for name, value in zip(names, row)])
    write_text(out / "metrics.csv", stream.getvalue())
