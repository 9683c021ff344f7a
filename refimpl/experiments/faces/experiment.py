"""Train models of faces, and run the switch test (slides 2 and 25).

A model has a binary variable for each attribute.  Models are trained by `direct` and by three other estimators, with 0,
20, 50, 200 and 1,000 labels.  The table lists the accuracy of each attribute, the share of images whose three
attributes are all correct, and the bound.  The switch test changes one variable of a sample or of an encoded test
image (judge.py).
"""
from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from refimpl import data, plots
from refimpl.arguments import InputError
from refimpl.data import faces
from refimpl.experiments.faces import judge as faces_judge
from refimpl.experiments.records import Record, write_measurements
from refimpl.experiments.training import cells
from refimpl.experiments.training.cells import Cell
from refimpl.plots import runs as pictures_of_runs
from refimpl.runs import checkpoint, streams
from refimpl.runs.mixture import PRETRAIN_BATCH, MixtureSettings, attribute_columns

LABELS = (0, 20, 50, 200, 1000)
ESTIMATORS = ("direct", "gumbel-softmax", "local-expectation", "exact")
SWITCH = "faces-switch"                 # the rows of the switch test
SHOWN = "direct, 50 labels"             # the label of the run in the pictures
STEPS = 300                             # steps on the labelled images alone, for every number of labels
COLUMNS = attribute_columns(faces.ATTRIBUTES)

Runs = dict[Cell, list[dict[str, float]]]


def by_labels(dataset: str, seed: int) -> list[Cell]:
    """Return the runs with this seed.  Their Gaussian g has 10 components, and a face has 9 nuisances."""
    if not data.get(dataset).attributes:
        raise InputError(f"experiment faces needs images with attributes, and {dataset} has none; there are "
                         + ", ".join(name for name, entry in data.REGISTRY.items() if entry.attributes))
    return [Cell(f"{name}, {labels} labels", MixtureSettings(
        dataset=dataset, seed=seed, estimator=name, labels=labels, gaussian=10, shift=1,
        pretrain=STEPS * PRETRAIN_BATCH // max(labels, PRETRAIN_BATCH)).resolved())
        for labels in LABELS for name in ESTIMATORS]


def lines(runs: Runs, epoch: int) -> list[str]:
    made = [f"Test accuracy, %, and -ELBO, nats per image, after {epoch} epoch{'s' * (epoch != 1)} on all images",
            "(with 0 labels: under the best assignment of variables to attributes)",
            f"  {'':26s}" + "".join(f"{name:>16s}" for name in (*faces.ATTRIBUTES, "all three", "-ELBO"))]
    groups: dict[str, list[Cell]] = {}
    for cell, rows in runs.items():
        if not math.isnan(cells.at_epoch(rows, epoch, "accuracy")):
            groups.setdefault(cell.label, []).append(cell)
    for label, group in groups.items():
        words = []
        for name, factor in [*((column, 100) for column in (*COLUMNS, "accuracy")), ("test_elbo", -1)]:
            mean, half = cells.interval([factor * cells.at_epoch(runs[cell], epoch, name) for cell in group])
            words.append(f"{mean:.2f}" + ("" if math.isnan(half) else f" ± {half:.2f}"))
        made.append(f"  {label:26s}" + "".join(f"{word:>16s}" for word in words)
                    + f"  ({len(group)} seed{'s' * (len(group) > 1)})")
    return made


def measure(runs: Runs, folder: Path, data_dir: str | None, report: Callable[[str], None]) -> None:
    """Run the switch test on every model."""
    if not runs:
        return
    whole = data.load("faces", data_dir)
    judge = faces_judge.Judge(whole.train)
    report(f"judge: {judge.accuracy(whole.test):.2%} of the test faces are classified correctly in all attributes")
    for cell in runs:
        run, history = checkpoint.load(folder / cell.folder / checkpoint.FILE)
        rng = streams.switch_test(cell.settings.seed)
        rows = faces_judge.switch_test(run.model, run.naming(whole.test), judge, whole.test,
                                       len(whole.train) + len(whole.valid), history[-1, 0], rng)
        settings = {"dataset": cell.settings.dataset, "seed": cell.settings.seed}
        write_measurements(folder, SWITCH, cell.label, settings, rows)
        words = "; ".join(f"{row.attribute} {row.generated:.1%} drawn, {row.encoded:.1%} encoded" for row in rows)
        report(f"{cell.label}, seed {cell.settings.seed}, faces in which only the switched attribute changed: {words}")


def pictures(runs: Runs, folder: Path) -> dict[str, Figure]:
    made, test = {}, data.load("faces").test
    for cell in runs:
        if cell.label in (SHOWN, "direct, 0 labels") and cell.settings.seed == 0:
            run, _ = checkpoint.load(folder / cell.folder / checkpoint.FILE)
            if cell.label == SHOWN:
                made["faces-samples.png"] = pictures_of_runs.samples(run, test)
            file = "faces-switched.png" if cell.label == SHOWN else "faces-unnamed.png"
            made[file] = pictures_of_runs.switched(run, test, changes=cell.label != SHOWN)
    return made


def draw(records: Sequence[Record], title: str) -> Figure:
    figure, axes = plots.new_figure(3, width=5.0, height=4.0)
    series = [(0, name, "accuracy", "-", name) for name in ESTIMATORS]
    series += [(1, "direct", column, dash, name)
               for column, name, dash in zip(COLUMNS, faces.ATTRIBUTES, ("-", "--", ":"))]
    series += [(2, name, "test_elbo", "-", name) for name in ESTIMATORS]
    ends: list[list[tuple[str, float, float, str]]] = [[], [], []]
    for panel, estimator, column, dash, words in series:
        colour, points = plots.colour(estimator), {}
        for record in records:
            if record.settings["estimator"] == estimator:
                value = float(record.rows[-1][column])
                points.setdefault(LABELS.index(int(record.settings["labels"])), []).append(
                    -value if panel == 2 else 100 * (1 - value))
        beside = 0.08 * (ESTIMATORS.index(estimator) - 1.5) * (panel != 1)              # so that points do not overlap
        if points:
            places = np.array(sorted(points))
            medians = [float(np.median(points[place])) for place in places]
            axes[panel].plot(places + beside, medians, color=colour, linestyle=dash, label=words)
            ends[panel].append((words, places[-1] + beside, medians[-1], colour))
            for place in places:
                axes[panel].plot([place + beside] * len(points[place]), points[place], ".", color=colour)
    for ax, words, name, named in zip(axes, ("test images, %", "", "nats per image"), (
            "not all three attributes right", "attribute wrong, direct", "test -ELBO"), ends):
        ax.set(xlabel="labelled images", ylabel=words, title=name)
        ax.set_xticks(range(len(LABELS)), [f"{count:,}" for count in LABELS])
        if ax is not axes[2]:
            ax.set_yscale("symlog", linthresh=0.01)
            ax.set_yticks([0, 0.01, 0.1, 1, 10, 100], ["0", "0.01", "0.1", "1", "10", "100"])
            ax.set_ylim(-0.002, 150)
        plots.name_lines(ax, named)
    epochs = sorted({record.epochs()[-1] for record in records})
    length = f"{epochs[0]}" if len(epochs) == 1 else f"{epochs[0]} to {epochs[-1]}"
    plots.entitle(figure, title, f"a dot is a seed, after {length} epochs, a line their median; methods side by side")
    return figure
