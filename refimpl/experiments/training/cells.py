"""Train the runs of an experiment, one or more at a time.

A run that was interrupted is continued, and a run that is done is skipped.
"""
from __future__ import annotations

import math
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.special import stdtrit

from refimpl.arguments import InputError
from refimpl.experiments.records import Record, write, thinned
from refimpl.plots.runs import of_run
from refimpl.runs import checkpoint, kind_of, loop
from refimpl.runs.protocol import Row
from refimpl.runs.settings import RunSettings, command_line
from refimpl.system.files import csv_text, write_text

MEASURED = ("accuracy", "valid_accuracy", "test_elbo", "test_log_likelihood", "reconstruction", "class_kl",
            "gaussian_kl", "gap", "seconds", "evaluations")
PACKAGE = Path(__file__).resolve().parents[3]             # the folder in which other processes find refimpl


@dataclass(frozen=True)
class Cell:
    """One run of an experiment.  `label` is its name in tables and legends."""

    label: str
    settings: RunSettings

    @property
    def folder(self) -> str:
        words = [self.settings.dataset, self.label, f"seed{self.settings.seed}"]
        return re.sub(r"[^\w-]", "", "-".join(words).replace(" ", "_"))


def epochs_done(cell: Cell, out: Path) -> int:
    """Return the number of epochs that the run has.  Raises InputError if its folder holds another run.

    Two labels may have the same folder name, because a folder name leaves out some characters of the label.
    """
    path = out / cell.folder / checkpoint.FILE
    if not path.exists():
        return 0
    history = checkpoint.load(path, cell.settings)[1]
    return int(history[-1, 0]) if len(history) else 0


def run_cells(cells: Sequence[Cell], epochs: int, out: Path, jobs: int, data_dir: str | None,
              report: Callable[[str], None]) -> None:
    """Train every run to the given number of epochs, and report its results when it ends.

    If jobs > 1, each run has its own process, which uses one thread for its matrix products.
    """
    done = {cell: epochs_done(cell, out) for cell in cells}
    waiting = [cell for cell in cells if done[cell] < epochs]
    to_do, made, started = sum(epochs - done[cell] for cell in waiting), 0, time.monotonic()

    def ended(cell: Cell, row: Row) -> None:
        nonlocal made
        made += epochs - done[cell]
        minutes = (time.monotonic() - started) / made * (to_do - made) / 60
        report(_line(cell, row) + (f"; about {minutes:.0f} min left" if made < to_do else ""))

    if jobs == 1:
        for cell in waiting:
            folder = out / cell.folder
            rows = loop.train(cell.settings, epochs, folder, (folder / checkpoint.FILE).exists(), data_dir,
                              draw=of_run)
            ended(cell, rows[-1])
        return
    running: dict[subprocess.Popen, Cell] = {}
    # The other processes read from `theirs`.  They end when `ours` is closed, at the latest when this process ends.
    theirs, ours = os.pipe()
    try:
        while waiting or running:
            while waiting and len(running) < jobs:
                cell = waiting.pop(0)
                running[_start(cell, epochs, out / cell.folder, data_dir, theirs)] = cell
            for process in list(running):
                try:
                    _, problem = process.communicate(timeout=0.2 / len(running))       # this also reads the output
                except subprocess.TimeoutExpired:
                    continue
                cell = running.pop(process)
                if process.returncode:
                    raise InputError(f"{cell.folder}: {(problem.strip() or 'stopped').splitlines()[-1]}")
                ended(cell, read_rows(out / cell.folder)[-1])
    finally:
        for process in running:
            process.terminate()
            process.communicate()
        os.close(ours)
        os.close(theirs)


def _start(cell: Cell, epochs: int, folder: Path, data_dir: str | None, stdin: int) -> subprocess.Popen:
    command = [sys.executable, "-m", "refimpl", kind_of(cell.settings).COMMAND, *command_line(cell.settings),
               "--epochs", str(epochs), "--out", str(folder)]
    command += ["--data-dir", str(data_dir)] if data_dir else []
    command += ["--resume"] if (folder / checkpoint.FILE).exists() else []
    ones = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "REFIMPL_UNTIL_STDIN_CLOSES")
    environment = {**os.environ, **dict.fromkeys(ones, "1")}            # for the last one, see __main__.py
    above = os.environ.get("PYTHONPATH")                                # the package need not be in the current folder
    environment["PYTHONPATH"] = str(PACKAGE) + (os.pathsep + above if above else "")
    return subprocess.Popen(command, env=environment, stdin=stdin, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                            text=True, errors="replace")


def read_rows(folder: Path) -> list[Row]:
    run, history = checkpoint.load(folder / checkpoint.FILE)
    return [dict(zip(run.columns, row)) for row in history.tolist()]


def _line(cell: Cell, row: Row) -> str:
    words = []
    for name, text, factor in (("accuracy", "accuracy {:.2f} %", 100), ("test_elbo", "test -ELBO {:.2f} nats", -1),
                               ("test_log_likelihood", "-log p(x) {:.2f} nats", -1)):
        if not math.isnan(row.get(name, math.nan)):
            words.append(text.format(factor * row[name]))
    return (f"{cell.settings.dataset}, {cell.label}, seed {cell.settings.seed}: {', '.join(words)} "
            f"after {row['epoch']:.0f} epochs, {row['seconds']:.0f} s")


def collect(cells: Sequence[Cell], out: Path) -> dict[Cell, list[Row]]:
    return {cell: read_rows(out / cell.folder) for cell in cells if epochs_done(cell, out)}


def at_epoch(rows: list[Row], epoch: int, name: str) -> float:
    return next((row[name] for row in rows if row["epoch"] == epoch), math.nan)


def groups(runs: dict[Cell, list[Row]], epoch: int, name: str) -> dict[tuple[str, str], list[Cell]]:
    """Group the runs by data set and label.  A run without a value of the metric at this epoch is left out."""
    found: dict[tuple[str, str], list[Cell]] = {}
    for cell, rows in runs.items():
        if not math.isnan(at_epoch(rows, epoch, name)):
            found.setdefault((cell.settings.dataset, cell.label), []).append(cell)
    return found


def interval(values: Sequence[float]) -> tuple[float, float]:
    """Return the mean and half the width of its 95 % interval.  The half-width of a single value is NaN."""
    values = np.asarray([value for value in values if not math.isnan(value)])
    if len(values) < 2:
        return (float(values.mean()) if len(values) else math.nan), math.nan
    return float(values.mean()), float(stdtrit(len(values) - 1, 0.975) * values.std(ddof=1) / np.sqrt(len(values)))


def mean_and_half(runs: dict[Cell, list[Row]], group: Sequence[Cell], epoch: int, name: str, factor: int,
                  unit: str = "") -> str:
    """Return the mean of a group of runs as text, with half the width of its 95 % interval: "1.50 ± 0.20"."""
    mean, half = interval([factor * at_epoch(runs[cell], epoch, name) for cell in group])
    return f"{mean:.2f}{unit}" + ("" if math.isnan(half) else f" ± {half:.2f}")


def write_results(runs: dict[Cell, list[Row]], out: Path, name: str) -> list[Record]:
    """Write the last metrics of all runs into NAME.csv.  Write the record of each run into the folder `rows`."""
    measured = [key for key in MEASURED if any(key in rows[-1] for rows in runs.values())]
    lines = [["dataset", "label", "seed", "epochs", *measured]]
    for cell, rows in runs.items():
        values = [rows[-1]["epoch"], *(rows[-1].get(key, math.nan) for key in measured)]
        lines.append([cell.settings.dataset, cell.label, cell.settings.seed,
                      *("" if math.isnan(value) else f"{value:.10g}" for value in values)])
    write_text(out / f"{name}.csv", csv_text(lines))
    records = [Record(name, cell.label, cell.settings.as_dict(), tuple(loop.commits_of(out / cell.folder)),
                      thinned(every), tuple(loop.threads_of(out / cell.folder)))
               for cell, every in runs.items()]
    for record in records:
        write(out / "rows", record)
    return records


def table(runs: dict[Cell, list[Row]], epoch: int, name: str) -> list[tuple[str, str, int, float, float]]:
    """Return lines (data set, label, number of seeds, mean, half width), sorted by data set and mean.

    The value of a seed is the metric `name` at this epoch, with its sign reversed.  See interval().
    """
    lines = [(*key, len(group), *interval([-at_epoch(runs[cell], epoch, name) for cell in group]))
             for key, group in groups(runs, epoch, name).items()]
    return sorted(lines, key=lambda line: (line[0], line[3]))
