"""The training loop: each epoch makes its steps, measures the model, and writes a checkpoint to continue from.

An output folder contains config.json, metrics.csv (one row per epoch), commit.txt and threads.txt (the versions of the
code and the numbers of threads that trained it), checkpoint.npz, curves.png and samples.png.
"""
from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from refimpl import data
from refimpl.arguments import InputError, NotFinite
from refimpl.runs import checkpoint, kind_of
from refimpl.runs.protocol import Row, Run
from refimpl.runs.settings import RunSettings
from refimpl.system.commit import commit, threads
from refimpl.system.files import csv_text, locked, output_folder, read_whole, write_text
from refimpl.system.memory import available
from refimpl.system.progress import Progress

if TYPE_CHECKING:                       # matplotlib is slow to import, and only pictures need it
    from matplotlib.figure import Figure

COMMIT, THREADS = "commit.txt", "threads.txt"
WRITTEN = (checkpoint.FILE, "config.json", "metrics.csv", COMMIT, THREADS, "curves.png", "samples.png", "switched.png")


def train_epoch(run: Run, part: data.Part, after_step: Callable[[], None] = lambda: None, epoch: int = 1) -> int:
    """Train for one epoch, a pass over the part in random order; return the number of decoder evaluations.

    Raises InputError if training has diverged: then weights or scores are no longer finite.
    """
    evaluations = 0
    with np.errstate(over="ignore", invalid="ignore"):          # the two checks below report it once
        try:
            for made in run.epoch(epoch, part):
                evaluations += made
                after_step()
        except NotFinite:
            raise _diverged(run) from None
    if not np.isfinite(run.model.parameters.values).all():
        raise _diverged(run)
    return evaluations


def _diverged(run: Run) -> InputError:
    """Return the error to raise if training has diverged."""
    temperature = run.settings.temperature(run.adam.t)
    used = "".join(f", or another {name} than {value:g}" for name, value in temperature.items())
    return InputError("training diverged: weights or scores are no longer finite; try a smaller --lr than "
                      f"{run.settings.lr:g}{used}")


def _measure(run: Run, dataset: data.Dataset, epoch: int, last: bool) -> Row:
    """Return a row of metrics; raise InputError if scores are not finite although the weights are."""
    with np.errstate(over="ignore", invalid="ignore"):
        try:
            return run.measure(dataset, epoch, last)
        except NotFinite:
            raise _diverged(run) from None


def train(settings: RunSettings, epochs: int, out: Path | str, resume: bool = False, data_dir: str | None = None,
          report: Callable[[Row], None] = lambda row: None, started: Callable[[], None] = lambda: None,
          draw: Callable[[Run, list[Row], data.Dataset], dict[str, Figure]] | None = None) -> list[Row]:
    """Train until the run has `epochs` epochs, and write into the folder `out`; return the rows of metrics.csv.

    resume   continue the run in `out`, which must have these settings; the result is bit for bit as without a break
    report   called with each new row
    started  called once, when all arguments have been checked
    draw     makes the pictures at the end, by file name (plots/runs.py); without it there are none

    If the process is killed, at most the current epoch is lost.  Raises InputError, before anything is written, if a
    setting, the data or `out` cannot be used, or if `out` already holds a run and `resume` is not set.
    """
    settings = settings.resolved()
    if epochs < 1:
        raise InputError(f"--epochs must be at least 1, got {epochs}")
    dataset = settings.load(data_dir, settings.limit)
    settings.check_data(dataset)
    _refuse_what_does_not_fit(settings)
    if draw is not None:
        from refimpl import plots                       # matplotlib may fail to start, so import it first

    out = Path(out)
    if resume:
        checkpoint.load(out / checkpoint.FILE, settings)            # report its errors before locking the folder
    else:
        _refuse_what_is_held(out)
    with locked(output_folder(out)):
        if resume:
            run, history = checkpoint.load(out / checkpoint.FILE, settings)
        else:
            _refuse_what_is_held(out)                     # another process may have written in between
            run = kind_of(settings).start(settings)
            history = np.empty((0, len(run.columns)))
            checkpoint.save(out / checkpoint.FILE, run, history)
        started()
        rows = _continue(run, history, epochs, out, dataset, report)
        if draw is not None:
            with plots.may_fail(out / "curves.png"):
                for name, figure in draw(run, rows, dataset).items():
                    plots.save(figure, out / name)
        return rows


def _refuse_what_does_not_fit(settings: RunSettings) -> None:
    """Raise InputError if the run needs more memory than this process may have, because the system would kill it.

    This is a lower bound: weights, gradients, Adam's moments, a batch of images with the decoder's outputs, and, for a
    single latent variable, the decoder's image of each value.
    """
    model = kind_of(settings).create(settings, np.random.default_rng(0)).model          # zeros, which take no memory
    images = 3 * settings.batch + (2 * model.k if model.n == 1 else 0)
    numbers = 4 * model.parameters.values.size + images * settings.pixels + 2 * settings.batch * model.n * model.k
    needed, there = numbers * model.dtype.itemsize, available()
    if needed > there:
        raise InputError(f"it needs at least {needed / 1e9:.2g} GB of memory, and {there / 1e9:.2g} GB are there; "
                         "use smaller images, or a smaller --k, --n, --hidden or --batch")


def _refuse_what_is_held(out: Path) -> None:
    """Raise InputError if the folder contains a run, or a part of one."""
    held = [name for name in WRITTEN if (out / name).exists()] if out.is_dir() else []
    if held:
        advice = "continue with --resume, or choose" if checkpoint.FILE in held else "no run to continue: choose"
        raise InputError(f"--out {out} already holds {', '.join(held)}; {advice} another folder")


def _continue(run: Run, history: np.ndarray, epochs: int, out: Path, dataset: data.Dataset,
              report: Callable[[Row], None]) -> list[Row]:
    """Train the remaining epochs, and write everything except the first checkpoint."""
    settings, names = run.settings, run.columns
    write_text(out / "config.json", json.dumps({"kind": type(run).COMMAND} | settings.as_dict(), indent=2) + "\n")
    _write_metrics(out, names, history)
    _note(out / COMMIT, commit())
    _note(out / THREADS, str(threads()))
    run.attach(dataset)
    for epoch in range(run.FIRST_EPOCH + len(history), epochs + 1):
        progress = Progress(f"epoch {epoch} of {epochs}", run.steps(epoch, dataset.train))
        started = time.perf_counter()
        evaluations = train_epoch(run, dataset.train, progress.advance, epoch)
        seconds = time.perf_counter() - started
        progress.clear()
        row = _measure(run, dataset, epoch, last=epoch == epochs)
        before = dict(zip(names, history[-1])) if len(history) else {}
        row["seconds"] = before.get("seconds", 0.0) + seconds
        row["evaluations"] = before.get("evaluations", 0.0) + evaluations
        history = np.vstack([history, [row[name] for name in names]])
        checkpoint.save(out / checkpoint.FILE, run, history)
        _write_metrics(out, names, history)
        report(row)

    return [dict(zip(names, row)) for row in history.tolist()]


def commits_of(folder: Path) -> list[str]:
    """Return the commits or versions by which the run in this folder was trained, in order, as far as recorded."""
    return _lines(folder / COMMIT)


def threads_of(folder: Path) -> list[int]:
    """Return the numbers of threads with which the run in this folder was trained, in order, as far as recorded."""
    return [int(line) for line in _lines(folder / THREADS)]


def _lines(path: Path) -> list[str]:
    """Return the lines of a file; none if it does not exist."""
    return read_whole(path, "is missing").decode("utf-8", "replace").split("\n")[:-1] if path.exists() else []


def _note(path: Path, value: str) -> None:
    """Append a commit or a number of threads to the file, unless it is the last line already."""
    before = _lines(path)
    if value not in before[-1:]:
        write_text(path, "".join(f"{line}\n" for line in (*before, value)))


def _write_metrics(out: Path, names: tuple[str, ...], history: np.ndarray) -> None:
    """Write metrics.csv; NaN becomes an empty cell."""
    counts = {"epoch": "d", "step": "d", "evaluations": "d", "seconds": ".3f"}
    rows = [["" if math.isnan(value) else
             format(int(value) if counts.get(name) == "d" else value, counts.get(name, ".6f"))
             for name, value in zip(names, row)] for row in history.tolist()]
    write_text(out / "metrics.csv", csv_text([names, *rows]))
