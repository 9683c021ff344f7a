"""Slides 23 and 24: the test bound of several runs against epochs and against wall clock, in one picture."""
from __future__ import annotations

import csv
import json
import math
from pathlib import Path

from refimpl import plots
from refimpl.checks import InputError
from refimpl.runs.vae import VAESettings


def read_run(folder: Path | str) -> tuple[VAESettings, list[dict[str, float]]]:
    """The settings and the rows of metrics.csv of a run's folder that hold a test bound; InputError, one line, if it is not one."""
    folder = Path(folder)
    try:
        settings = VAESettings(**json.loads((folder / "config.json").read_text(encoding="utf-8"))).resolved()
        with open(folder / "metrics.csv", encoding="utf-8", newline="") as stream:
            rows = [{name: float(value or "nan") for name, value in row.items()}
                    for row in csv.DictReader(stream)]
        if not all(math.isfinite(row[name]) for row in rows for name in ("epoch", "seconds")):
            raise ValueError
        measured = [row for row in rows if math.isfinite(row["test_elbo"])]
    except FileNotFoundError as problem:
        raise InputError(f"{folder} is not a run: {Path(problem.filename).name} is missing") from None
    except (OSError, ValueError, TypeError, KeyError, OverflowError, RecursionError, csv.Error):
        raise InputError(f"{folder} is not a run: config.json or metrics.csv cannot be read") from None
    if not measured:
        raise InputError(f"{folder} has no epoch with a test bound yet in its metrics.csv")
    return settings, measured


def run(folders: list[Path | str], out: Path | str) -> list[tuple[VAESettings, list[dict[str, float]]]]:
    """Draw all runs into the file `out`, a PNG.  Raises InputError if a folder is not a run or their data sets differ."""
    runs = [read_run(folder) for folder in folders]
    datasets = sorted({settings.dataset for settings, _ in runs})
    if len(datasets) > 1:
        raise InputError(f"the runs are of different data sets, {' and '.join(datasets)}; their bounds cannot be compared")
    out = Path(out)
    if out.is_dir():
        raise InputError(f"--out {out} is a folder; it must be a file, FILE.png")
    figure, axes = plots.new_figure(2, width=5.2, height=4.2)
    drawn: dict[str, int] = {}
    for settings, rows in runs:
        again = drawn[settings.estimator] = drawn.get(settings.estimator, -1) + 1       # the same estimator once more
        style = dict(color=plots.colour(settings.estimator), linestyle=("-", "--", ":", "-.")[again % 4],
                     marker="o" if len(rows) < 20 else None, markersize=4, label=settings.label() + f", seed {settings.seed}")
        for ax, against in zip(axes, ("epoch", "seconds")):
            ax.plot([row[against] for row in rows], [-row["test_elbo"] for row in rows], **style)
    axes[0].set(xlabel="epoch", ylabel="test -ELBO, exact, nats an image")
    axes[1].set(xlabel="training time, seconds")
    axes[0].xaxis.get_major_locator().set_params(integer=True)
    axes[0].legend(frameon=False, fontsize=9)
    figure.suptitle(f"{datasets[0]}: lower is better", fontsize=12)
    plots.save(figure, out)
    return runs
