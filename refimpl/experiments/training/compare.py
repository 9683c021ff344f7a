"""Plot the test bounds of several runs against the epoch and against the training time, as on slides 23 and 24."""
from __future__ import annotations

import csv
import io
import json
import math
from pathlib import Path

from refimpl import plots
from refimpl.arguments import InputError
from refimpl.runs import KINDS, checkpoint
from refimpl.runs.protocol import Row
from refimpl.runs.settings import RunSettings, unregistered
from refimpl.system.files import read_whole


def read_run(folder: Path | str) -> tuple[RunSettings, list[Row]]:
    """Return the settings of a run, and all rows of metrics.csv that contain a test bound."""
    folder = Path(folder)
    texts = [read_whole(folder / name, missing=f"is missing: {folder} is not a run")
             for name in ("config.json", "metrics.csv")]
    try:
        config, metrics = (text.decode("utf-8") for text in texts)
        fields = json.loads(config)
        problem, settings = unregistered(fields), None
        if "kind" not in fields and "estimator" in fields:
            problem = "was made by an earlier version of this program; train it again in another folder"
        if problem is None:
            settings = KINDS[fields.pop("kind")].SETTINGS.from_dict(fields).resolved()
        rows = [{name: float(value or "nan") for name, value in row.items()}
                for row in csv.DictReader(io.StringIO(metrics, newline=""))]
        if not all(math.isfinite(row[name]) for row in rows for name in ("epoch", "seconds")):
            raise ValueError
        measured = [row for row in rows if math.isfinite(row["test_elbo"])]
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError, csv.Error):
        raise InputError(f"{folder} is not a run: config.json or metrics.csv cannot be read") from None
    if settings is None:
        raise InputError(f"{folder} {problem}")
    if any(abs(row[name]) > checkpoint.LARGEST for row in measured for name in ("epoch", "seconds", "test_elbo")):
        raise InputError(f"{folder}: metrics.csv holds a number beyond {checkpoint.LARGEST:g}, which cannot be right")
    if not measured:
        raise InputError(f"{folder} has no epoch with a test bound yet in its metrics.csv")
    return settings, measured


@plots.own_settings()
def run(folders: list[Path | str], out: Path | str) -> list[tuple[RunSettings, list[Row]]]:
    """Write the plot to the file `out`.  For each run, return what read_run() returns."""
    out = Path(out)
    if out.is_dir():
        raise InputError(f"--save {out} is a folder; it must be a file, FILE.png")
    plots.format_of(out)
    runs = [read_run(folder) for folder in folders]
    datasets = sorted({settings.entry.name for settings, _ in runs})
    if len(datasets) > 1:
        raise InputError(f"the runs used different data sets, {' and '.join(datasets)}; "
                         "their bounds cannot be compared")
    if len({settings.file_sha256 for settings, _ in runs}) > 1:
        raise InputError(f"the runs used different files with the name {datasets[0]}; their bounds cannot be compared")
    figure, axes = plots.new_figure(2, width=5.2, height=4.2)
    drawn: dict[str, int] = {}
    for settings, rows in runs:
        again = drawn[settings.estimator] = drawn.get(settings.estimator, -1) + 1       # 0, 1, ... per estimator
        style = dict(color=plots.colour(settings.estimator), linestyle=("-", "--", ":", "-.")[again % 4],
                     marker="o" if len(rows) < 20 else None, markersize=4,
                     label=f"{settings.label()}, seed {settings.seed}")
        for ax, against in zip(axes, ("epoch", "seconds")):
            ax.plot([row[against] for row in rows], [-row["test_elbo"] for row in rows], **style)
    axes[0].set(xlabel="epoch", ylabel="test -ELBO, exact, nats per image")
    axes[1].set(xlabel="training time, seconds")
    axes[0].xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)
    axes[0].legend(frameon=False, fontsize=9)
    figure.suptitle(f"{datasets[0]}: lower is better", fontsize=12)
    plots.save(figure, out)
    return runs
