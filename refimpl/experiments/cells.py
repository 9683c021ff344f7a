"""An experiment is a set of training runs, its cells, and a picture of them.  Cells are resumed, skipped when done, and run one
after the other or two at a time."""
from __future__ import annotations

import csv
import io
import itertools
import json
import math
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from scipy import stats

from refimpl import checkpoint, data, training
from refimpl.checkpoint import KINDS
from refimpl.checks import InputError
from refimpl.semi_supervised.settings import SemiSupervisedSettings
from refimpl.settings import Settings
from refimpl.system.files import write_text

MEASURED = ("accuracy", "valid_accuracy", "test_elbo", "test_log_likelihood", "reconstruction", "class_kl", "gaussian_kl", "gap",
            "seconds", "evaluations")


@dataclass(frozen=True)
class Cell:
    """One run of an experiment: the words it goes by in tables and legends, and its settings."""

    label: str
    settings: Settings | SemiSupervisedSettings

    @property
    def folder(self) -> str:
        words = [self.settings.dataset, self.label, f"seed{self.settings.seed}"]
        return re.sub(r"[^\w-]", "", "-".join(words).replace(" ", "_"))


def epochs_done(folder: Path) -> int:
    """Epochs that the run in this folder has behind it; 0 if there is none."""
    path = folder / training.CHECKPOINT
    if not path.exists():
        return 0
    history = checkpoint.load(path)[1]
    return int(history[-1, 0]) if len(history) else 0


def expected_seconds(cells: Sequence[Cell], epochs: int, out: Path, data_dir: str | None) -> float:
    """Time for what is left to do, from twenty steps of each kind of cell; exact bounds and pictures come on top."""
    images = {name: data.load(name, data_dir) for name in {cell.settings.dataset for cell in cells}}
    total, known = 0.0, {}
    for cell in cells:
        part = images[cell.settings.dataset].train
        left = max(0, epochs - epochs_done(out / cell.folder))
        if left == 0:
            continue
        run = KINDS[type(cell.settings)].start(cell.settings)
        run.attach(images[cell.settings.dataset])
        epochs_left = [(1, left)] if (out / cell.folder / training.CHECKPOINT).exists() or run.FIRST_EPOCH == 1 else [(0, 1), (1, left)]
        for epoch, times in epochs_left:
            if (cell.label, epoch) not in known:
                known[cell.label, epoch] = _seconds_a_step(run.epoch(epoch, part))
            total += times * run.steps(epoch, part) * known[cell.label, epoch]
    return total


def _seconds_a_step(steps: Iterator[int]) -> float:
    next(steps, None)
    started = time.perf_counter()
    made = sum(1 for _ in itertools.islice(steps, 20))                  # fewer only if the data set is tiny
    return (time.perf_counter() - started) / max(made, 1)


def run_cells(cells: Sequence[Cell], epochs: int, out: Path, jobs: int, data_dir: str | None,
              report: Callable[[str], None]) -> None:
    """Train every cell to `epochs` epochs.  With jobs = 2 in two processes, each with one thread for its matrix products."""
    waiting = [cell for cell in cells if epochs_done(out / cell.folder) < epochs]
    if jobs == 1:
        for cell in waiting:
            folder = out / cell.folder
            rows = training.train(cell.settings, epochs, folder, (folder / training.CHECKPOINT).exists(), data_dir)
            report(_line(cell, rows[-1]))
        return
    running: dict[subprocess.Popen, Cell] = {}
    try:
        while waiting or running:
            while waiting and len(running) < jobs:
                cell = waiting.pop(0)
                running[_start(cell, epochs, out / cell.folder, data_dir)] = cell
            for process in [process for process in running if process.poll() is not None]:
                cell = running.pop(process)
                _, problem = process.communicate()
                if process.returncode:
                    raise InputError(f"{cell.folder}: {problem.strip() or 'stopped'}")
                report(_line(cell, read_rows(out / cell.folder)[-1]))
            time.sleep(0.2)
    finally:
        for process in running:
            process.terminate()
            process.communicate()


def _start(cell: Cell, epochs: int, folder: Path, data_dir: str | None) -> subprocess.Popen:
    arguments = [sys.executable, "-m", "refimpl", *cell.settings.arguments(), "--epochs", str(epochs), "--out", str(folder)]
    arguments += ["--data-dir", str(data_dir)] if data_dir else []
    arguments += ["--resume"] if (folder / training.CHECKPOINT).exists() else []
    one_thread = {name: "1" for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")}
    return subprocess.Popen(arguments, env={**os.environ, **one_thread}, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                            text=True)


def read_rows(folder: Path) -> list[dict[str, float]]:
    """The rows of a run, from its checkpoint."""
    run, history = checkpoint.load(folder / training.CHECKPOINT)
    return [dict(zip(run.columns, row)) for row in history.tolist()]


def _line(cell: Cell, row: dict[str, float]) -> str:
    words = []
    for name, text, factor in (("accuracy", "accuracy {:.2f} %", 100), ("test_elbo", "test -ELBO {:.2f} nats", -1),
                               ("test_log_likelihood", "-log p(x) {:.2f} nats", -1)):
        if not math.isnan(row.get(name, math.nan)):
            words.append(text.format(factor * row[name]))
    return (f"{cell.settings.dataset}, {cell.label}, seed {cell.settings.seed}: {', '.join(words)} after {row['epoch']:.0f} "
            f"epochs, {row['seconds']:.0f} s")


def collect(cells: Sequence[Cell], out: Path) -> dict[Cell, list[dict[str, float]]]:
    """The rows of every cell that has any."""
    return {cell: read_rows(out / cell.folder) for cell in cells if epochs_done(out / cell.folder)}


def at_epoch(rows: list[dict[str, float]], epoch: int, name: str) -> float:
    """A value at an epoch; NaN if the run did not get there or it was not computed."""
    return next((row[name] for row in rows if row["epoch"] == epoch), math.nan)


def interval(values: Sequence[float]) -> tuple[float, float]:
    """(mean, half width of the 95 % interval of Student's t); the half width is NaN for a single value."""
    values = np.asarray([value for value in values if not math.isnan(value)])
    if len(values) < 2:
        return (float(values.mean()) if len(values) else math.nan), math.nan
    return float(values.mean()), float(stats.t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values)))


def write_results(runs: dict[Cell, list[dict[str, float]]], out: Path, name: str) -> None:
    """NAME.csv, a line a cell at its last epoch, and NAME.json with every row of every cell."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    measured = [key for key in MEASURED if any(key in rows[-1] for rows in runs.values())]
    writer.writerow(["dataset", "label", "seed", "epochs", *measured])
    for cell, rows in runs.items():
        last = rows[-1]
        values = [last["epoch"], *(last.get(key, math.nan) for key in measured)]
        writer.writerow([cell.settings.dataset, cell.label, cell.settings.seed,
                         *("" if math.isnan(value) else f"{value:.10g}" for value in values)])
    write_text(out / f"{name}.csv", stream.getvalue())
    content = [{"label": cell.label, "settings": asdict(cell.settings),
                "rows": [{key: None if math.isnan(value) else value for key, value in row.items()} for row in rows]}
               for cell, rows in runs.items()]
    write_text(out / f"{name}.json", json.dumps(content, indent=1) + "\n")


def table(runs: dict[Cell, list[dict[str, float]]], epoch: int, name: str) -> list[tuple[str, str, int, float, float]]:
    """(data set, label, seeds, mean, half width) of minus a column at an epoch, best first, for cells that have it."""
    groups: dict[tuple[str, str], list[float]] = {}
    for cell, rows in runs.items():
        value = at_epoch(rows, epoch, name)
        if not math.isnan(value):
            groups.setdefault((cell.settings.dataset, cell.label), []).append(-value)
    lines = [(*key, len(values), *interval(values)) for key, values in groups.items()]
    return sorted(lines, key=lambda line: (line[0], line[3]))
