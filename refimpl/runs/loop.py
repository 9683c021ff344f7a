"""Train a run.  In each epoch, the loop makes the training steps, measures the model, and writes a checkpoint.

The output folder of a run contains these files:

    config.json                 the settings
    metrics.csv                 one row of metrics per epoch
    commit.txt                  the versions of the code that trained the run
    threads.txt                 the numbers of threads that the run used
    checkpoint.npz              everything that is needed to continue the run
    curves.png, samples.png     pictures that are made at the end
    switched.png                a picture that is made at the end if the data have attributes
"""
from __future__ import annotations

import contextlib
import json
import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from refimpl import data
from refimpl.arguments import InputError, NotFinite, finite
from refimpl.runs import checkpoint, kind_of
from refimpl.runs.protocol import Row, Run
from refimpl.runs.settings import RunSettings
from refimpl.system.commit import commit, threads
from refimpl.system.files import csv_text, locked, output_folder, read_whole, write_text
from refimpl.system.memory import available
from refimpl.system.progress import Progress

if TYPE_CHECKING:                       # importing matplotlib takes long
    from matplotlib.figure import Figure

COMMIT, THREADS = "commit.txt", "threads.txt"
WRITTEN = (checkpoint.FILE, "config.json", "metrics.csv", COMMIT, THREADS, "curves.png", "samples.png", "switched.png")


def train_epoch(run: Run, part: data.Part, after_step: Callable[[], None] = lambda: None, epoch: int = 1) -> int:
    """Train for one epoch on the images of `part`, and return the number of decoder evaluations.

    after_step() is called after each step.  Raises InputError if weights or scores are no longer finite.
    """
    evaluations = 0
    with _may_diverge(run):
        for made in run.epoch(epoch, part):
            evaluations += made
            after_step()
        finite("weights", run.model.parameters.values)
    return evaluations


@contextlib.contextmanager
def _may_diverge(run: Run) -> Iterator[None]:
    try:
        with np.errstate(over="ignore", invalid="ignore"):
            yield
    except NotFinite:
        temperature = run.settings.temperature(run.adam.t)
        used = "".join(f", or another {name} than {value:g}" for name, value in temperature.items())
        raise InputError("training diverged: weights or scores are no longer finite; try a smaller --lr than "
                         f"{run.settings.lr:g}{used}") from None


def train(settings: RunSettings, epochs: int, out: Path | str, resume: bool = False, data_dir: str | None = None,
          report: Callable[[Row], None] = lambda row: None, started: Callable[[], None] = lambda: None,
          draw: Callable[[Run, list[Row], data.Dataset], dict[str, Figure]] | None = None) -> list[Row]:
    """Train until the run has `epochs` epochs in total, write its files, and return the rows of metrics.

    settings  all settings of the run
    out       the folder for the files
    resume    whether to continue the run in `out`.  This run must have the same settings.  An interruption does not
              change a single bit of the result
    data_dir  the folder that is searched first for data, as in data.load
    report    a function that is called with each new row
    started   a function that is called once, as soon as all arguments have been checked
    draw      a function such as plots.runs.of_run.  It is called at the end, and returns a dictionary from file
              names to figures.  By default there are no pictures

    If the process is killed, at most the current epoch is lost.  If the settings, the data or the folder `out` cannot
    be used, InputError is raised before anything is written.  The same happens if `out` already contains a run and
    `resume` is not set.  If training diverges, InputError is raised later.
    """
    settings = settings.resolved()
    if epochs < 1:
        raise InputError(f"--epochs must be at least 1, got {epochs}")
    dataset = settings.load(data_dir, settings.limit)
    settings.check_data(dataset)
    _refuse_what_does_not_fit(settings)
    if draw is not None:
        from refimpl import plots                       # any error of this import should come early

    out = Path(out)
    if resume:
        checkpoint.load(out / checkpoint.FILE, settings)            # so errors come before the lock
    else:
        _refuse_what_is_held(out)
    with locked(output_folder(out)):
        if resume:
            run, history = checkpoint.load(out / checkpoint.FILE, settings)
        else:
            _refuse_what_is_held(out)                     # another process may have written into it
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
    model = kind_of(settings).create(settings, np.random.default_rng(0)).model          # zeros take no memory
    images = 3 * settings.batch + (2 * model.k if model.n == 1 else 0)
    numbers = 4 * model.parameters.values.size + images * settings.pixels + 2 * settings.batch * model.n * model.k
    needed, there = numbers * model.dtype.itemsize, available()
    if needed > there:
        raise InputError(f"the run needs at least {needed / 1e9:.2g} GB of memory, and {there / 1e9:.2g} GB are "
                         "available; use smaller images, or a smaller --k, --n, --hidden or --batch")


def _refuse_what_is_held(out: Path) -> None:
    held = [name for name in WRITTEN if (out / name).exists()] if out.is_dir() else []
    if held:
        advice = "continue with --resume, or choose" if checkpoint.FILE in held else "no run to continue: choose"
        raise InputError(f"--out {out} already holds {', '.join(held)}; {advice} another folder")


def _continue(run: Run, history: np.ndarray, epochs: int, out: Path, dataset: data.Dataset,
              report: Callable[[Row], None]) -> list[Row]:
    """Train the remaining epochs, and write all files of the run except the first checkpoint and the pictures."""
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
        with _may_diverge(run):                             # scores may be infinite although all weights are finite
            row = run.measure(dataset, epoch, last=epoch == epochs)
        before = dict(zip(names, history[-1])) if len(history) else {}
        row["seconds"] = before.get("seconds", 0.0) + seconds
        row["evaluations"] = before.get("evaluations", 0.0) + evaluations
        history = np.vstack([history, [row[name] for name in names]])
        checkpoint.save(out / checkpoint.FILE, run, history)
        _write_metrics(out, names, history)
        report(row)

    return [dict(zip(names, row)) for row in history.tolist()]


def commits_of(folder: Path) -> list[str]:
    """Return the versions of the code that trained the run in this folder, oldest first."""
    return _lines(folder / COMMIT)


def threads_of(folder: Path) -> list[int]:
    """Return the thread counts from threads.txt in this folder, in the order in which the run used them."""
    return [int(line) for line in _lines(folder / THREADS)]


def _lines(path: Path) -> list[str]:
    return read_whole(path, "is missing").decode("utf-8", "replace").split("\n")[:-1] if path.exists() else []


def _note(path: Path, value: str) -> None:
    before = _lines(path)
    if value not in before[-1:]:
        write_text(path, "".join(f"{line}\n" for line in (*before, value)))


def _write_metrics(out: Path, names: tuple[str, ...], history: np.ndarray) -> None:
    digits = {"epoch": 0, "step": 0, "evaluations": 0, "seconds": 3}
    rows = [["" if math.isnan(value) else f"{value:.{digits.get(name, 6)}f}" for name, value in zip(names, row)]
            for row in history.tolist()]
    write_text(out / "metrics.csv", csv_text([names, *rows]))
