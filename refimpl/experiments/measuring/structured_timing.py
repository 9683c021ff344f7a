"""Measure how long a training step of a structured encoder takes, for each method and each n (slide 32).

    python -m refimpl measure structured-timing

Joint Gumbel-softmax takes time and memory proportional to 2^n, whereas a minimum cut takes polynomial time.  After a
warm-up step on MNIST, at most eleven steps are timed, and the result is the median of their times.  If a step takes a
few seconds, one step is timed.
"""
from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure

from refimpl import data, plots
from refimpl.arguments import Options
from refimpl.experiments import options
from refimpl.experiments.records import Record, write_measurements
from refimpl.runs.vae import VAERun, VAESettings
from refimpl.system.files import csv_text, output_folder, write_text
from refimpl.system.progress import Progress

SIZES = (5, 7, 9, 11, 13, 15)
LONGER = (20, 30, 40)                       # only for max-flow and coordinate ascent
BUDGET = 4.0                                # approximate seconds per point


class Row(NamedTuple):
    method: str
    n: int
    seconds: float


METHODS = {
    "direct, maxflow": ("direct", "maxflow"),
    "direct, persistency": ("direct", "persistency"),
    "direct, enumeration": ("direct", "enumeration"),
    "direct, milp (any sign)": ("direct", "milp"),
    "direct, coordinate ascent": ("direct", "coordinate"),
    "joint Gumbel-softmax": ("gumbel-softmax", "enumeration"),
}


def run(out: Path | str, batch: int = 100, largest: int = 40,
        report: Callable[[Row], None] = lambda row: None) -> list[Row]:
    """Time each method for its values of n up to `largest`.  Raises InputError if a number is out of range."""
    options.check("structured-timing", batch=batch, largest=largest)
    folder = output_folder(out)
    dataset = data.load("mnist")
    rows = []
    for method, (estimator, solver) in METHODS.items():
        polynomial = solver in ("maxflow", "coordinate")
        for n in [n for n in SIZES + (LONGER if polynomial else ()) if n <= largest]:
            settings = VAESettings(n=n, k=2, batch=batch, family="pairwise", estimator=estimator,
                                   family_options=Options(solver=solver)).resolved()
            rows.append(Row(method, n, _seconds(settings, dataset, f"{method}, n = {n}")))
            report(rows[-1])
    table = csv_text([Row._fields, *([row.method, row.n, f"{row.seconds:.6f}"] for row in rows)])
    write_text(folder / "structured-timing.csv", table)
    write_measurements(folder, "structured-timing", f"batch {batch}", dict(batch=batch, largest=largest), rows)
    with plots.may_fail(folder / "structured-timing.png"):
        plots.save(_figure(rows, batch), folder / "structured-timing.png")
    return rows


def _seconds(settings: VAESettings, dataset: data.Dataset, words: str) -> float:
    run = VAERun.start(settings)
    progress = Progress(words, 12)
    times: list[float] = []
    while len(times) < 12 and (len(times) < 2 or sum(times) < BUDGET):
        x = dataset.train.images(run.rng.integers(len(dataset.train), size=settings.batch))
        started = time.perf_counter()
        run.step(x)
        times.append(time.perf_counter() - started)
        progress.advance()
    progress.clear()
    return float(np.median(times[1:]))                  # the first step is the warm-up


def draw(record: Record) -> Figure:
    return _figure([Row(row["method"], int(row["n"]), row["seconds"]) for row in record.rows],
                   record.settings["batch"])


def _figure(rows: list[Row], batch: int) -> Figure:
    figure, (ax,) = plots.new_figure(1, width=8.0, height=4.6)
    ends = []
    for method, (estimator, solver) in METHODS.items():
        points = [(row.n, row.seconds) for row in rows if row.method == method]
        if not points:
            continue
        colour = plots.SOLVERS[solver] if estimator == "direct" else plots.colour(estimator)
        ax.semilogy(*zip(*points), marker="o", color=colour, label=method)
        ends.append((method, *points[-1], colour))
    ax.set(xlabel="n, binary latent variables", ylabel="seconds per step",
           title=f"Time of a training step, batch of {batch}")
    ax.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)
    plots.name_lines(ax, ends)
    return figure
