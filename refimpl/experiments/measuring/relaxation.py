"""Compare two bounds of a model: the exact bound, and the bound of relaxed samples.

    python -m refimpl measure relaxation

Gumbel-softmax with a fixed tau maximises the bound of relaxed samples.  These samples, softmax((h + gamma) / tau), are
not one-hot, but the trained model is used with one-hot samples.  After every epoch, the bounds are measured on the
first 2,000 test images:

    relaxed           the bound from ten relaxed samples of each image, nats per image; NaN for straight-through
    elbo              the exact bound of the same model
    log_likelihood    the exact log p(x), which depends only on the decoder
"""
from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from refimpl import data, plots
from refimpl.arguments import Options
from refimpl.experiments import options
from refimpl.experiments.measuring.yardsticks import sampled
from refimpl.experiments.records import Record, write
from refimpl.runs import streams
from refimpl.runs.loop import train_epoch
from refimpl.runs.vae import VAERun, VAESettings
from refimpl.system.commit import commit, threads
from refimpl.system.files import output_folder
from refimpl.system.progress import Progress

IMAGES, SAMPLES = 2_000, 10
TAUS = (0.1, 0.25, 0.5, 1.0)
HARD = "straight-through-gumbel-softmax"
LABELS = {**{f"gumbel-softmax, tau {tau:g}": ("gumbel-softmax", tau) for tau in TAUS}, "straight-through, tau 0.5": (
    HARD, 0.5)}
Point = dict[str, float]


def look(run: VAERun, images: data.Part, epoch: int) -> Point:
    """Measure the run without using the random generator of the run."""
    bounds = run.model.bounds(images)
    relaxed = float("nan") if run.settings.estimator == HARD else -sampled(
        run.model, images, SAMPLES, streams.measuring(run.settings.seed, epoch),
        run.settings.temperature(run.adam.t)["tau"])
    return {"epoch": epoch, "relaxed": relaxed, "elbo": bounds.elbo, "log_likelihood": bounds.log_likelihood}


def run(out: Path | str, epochs: int = 60, seeds: int = 1, dataset: str = "mnist",
        report: Callable[[str, Point], None] = lambda label, row: None) -> list[Record]:
    """Train every run, and measure it after each epoch.  Raises InputError if a number is out of range."""
    options.check("relaxation", epochs=epochs, seeds=seeds)
    folder, images, records = output_folder(out), data.load(dataset), []
    part = images.test.first(IMAGES)
    for label, (name, tau) in LABELS.items():
        for seed in range(seeds):
            trained = VAERun.start(VAESettings(dataset=dataset, estimator=name, seed=seed,
                                               hyperparameters=Options(tau=tau)).resolved())
            points, progress = [], Progress(f"{label}, seed {seed}", epochs)
            for epoch in range(1, epochs + 1):
                train_epoch(trained, images.train, epoch=epoch)
                points.append(look(trained, part, epoch))
                progress.advance()
            progress.clear()
            settings = trained.settings.as_dict() | {"epochs": epochs}
            records.append(Record("relaxation", label, settings, (commit(),), points, (threads(),)))
            write(folder / "rows", records[-1])
            report(label, points[-1])
    with plots.may_fail(folder / "relaxation.png"):
        plots.save(draw(records), folder / "relaxation.png")
    return records


def draw(records: Sequence[Record], title: str = "The bound of relaxed samples and the exact bound") -> Figure:
    """Plot one panel for each run with seed 0."""
    first = [record for record in records if record.seed == 0]
    figure, axes = plots.new_figure(len(first), width=3.6, height=3.6)
    for ax, record in zip(axes, first):
        style = dict(color=plots.colour(str(record.settings["estimator"])), linewidth=2)
        for column, words, dash in (("relaxed", "relaxed: what it is trained for", ":"), ("elbo", "exact bound", "-"),
                                    ("log_likelihood", "−log p(x), exact", "--")):
            ax.plot([row["epoch"] for row in record.rows], [-row[column] for row in record.rows], dash, label=words,
                    **style)
        ax.set(title=record.label, xlabel="epoch")
    axes[0].set_ylabel("test −ELBO, nats per image")
    low, high = zip(*(ax.get_ylim() for ax in axes))
    for ax in axes:
        ax.set_ylim(min(low), min(max(high), 230))
    handles = axes[0].get_legend_handles_labels()
    figure.legend(*handles, loc="outside lower center", ncols=3, frameon=False, fontsize=plots.TEXT)
    plots.entitle(figure, title, f"{first[0].dataset}, k = 10, τ fixed")
    return figure


def best(record: Record, column: str) -> tuple[int, float]:
    """Return the epoch with the largest value of the column, and the loss at this epoch, which is minus this value."""
    row = max(record.rows, key=lambda row: np.nan_to_num(row[column], nan=-np.inf))
    return int(row["epoch"]), -row[column]
