"""Define the runs for slide 33.  Show the accuracy and the bound of the mixture model in a table and in plots.

    semi-supervised   `direct` and Gumbel-softmax with each number of labels, and `direct` without labels (clustering)
    label-steps       the same numbers of labels, but the pretraining on the labelled images always has 1,200 steps
    labelled-terms    100 labels: our settings, our settings with one change, and the released settings
    label-weights     100 labels, with several weights of the two loss terms for labelled images
"""
from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from refimpl import data, plots
from refimpl.experiments.paper import LABEL_EPOCHS, LABELLED, LABELS
from refimpl.experiments.pictures import DOTS, by_label, dots, in_common
from refimpl.experiments.records import Record
from refimpl.experiments.training import cells
from refimpl.experiments.training.cells import Cell
from refimpl.plots import images
from refimpl.runs import checkpoint
from refimpl.runs.mixture import PRETRAIN_BATCH, MixtureSettings

ESTIMATORS = ("direct", "gumbel-softmax")
LABEL_WEIGHTS, IMAGE_WEIGHTS = (1.0, 5.0, 50.0), (0.05, 0.2, 1.0)


def _cell(label: str, dataset: str, seed: int, **settings) -> Cell:
    return Cell(label, MixtureSettings(dataset=dataset, seed=seed, **settings).resolved())


def by_labels(dataset: str, seed: int) -> list[Cell]:
    made = [_cell(f"{name}, {labels} labels", dataset, seed, estimator=name, labels=labels)
            for labels in LABELS for name in ESTIMATORS]
    return [*made, _cell("direct, 0 labels", dataset, seed, labels=0)]


def by_steps(dataset: str, seed: int) -> list[Cell]:
    """Return runs whose pretraining always has 1,200 steps.

    An epoch on 1,200 labelled images has twelve steps, and an epoch on 50 labelled images has one step.
    """
    return [_cell(f"{name}, {labels} labels, 1,200 steps", dataset, seed, estimator=name, labels=labels,
                  pretrain=1200 * PRETRAIN_BATCH // max(labels, PRETRAIN_BATCH))
            for labels in LABELS for name in ESTIMATORS]


def by_term(dataset: str, seed: int) -> list[Cell]:
    """Return runs with different loss terms for the labels, and runs in which one of our settings is changed.

    The mean of the released term is the cross-entropy divided by label_eps = 0.05, so it is 20 times the cross-entropy.
    To make up for this, the weight of the released term is 2.5 instead of 50.  During the pretraining, however, all
    weights are 1, and the mean gradient of the released term is 20 times the gradient of the cross-entropy.
    """
    return [_cell("cross-entropy", dataset, seed),
            _cell("released term", dataset, seed, labelled_term="released", label_weight=2.5),              # 50 * 0.05
            _cell("direct loss, eps 0.05", dataset, seed, labelled_term="direct-loss"),
            _cell("direct loss, eps 1", dataset, seed, labelled_term="direct-loss", label_eps=1.0),
            _cell("direct loss, eps 5", dataset, seed, labelled_term="direct-loss", label_eps=5.0),
            _cell("as released", dataset, seed, as_released=True),
            _cell("ours, no shifts", dataset, seed, shift=0),
            _cell("ours, beta 1", dataset, seed, beta=1.0),
            _cell("ours, label weight 1", dataset, seed, label_weight=1.0),
            _cell("ours, image weight 1", dataset, seed, image_weight=1.0)]


def by_weight(dataset: str, seed: int) -> list[Cell]:
    return [_cell(weights_label(of_label, of_image), dataset, seed, label_weight=of_label, image_weight=of_image)
            for of_label in LABEL_WEIGHTS for of_image in IMAGE_WEIGHTS]


def weights_label(of_label: float, of_image: float) -> str:
    return f"label weight {of_label:g}, image weight {of_image:g}"


def lines(runs: dict[Cell, list[dict[str, float]]], epoch: int) -> list[str]:
    made = [f"Test accuracy and -ELBO, nats per image, after {epoch} epoch{'s' * (epoch != 1)} on all images",
            "(With 0 labels: accuracy of the clusters, assigned to classes as well as possible.  In brackets: the",
            "paper's values after 400 epochs with another recipe: labels only in the pretraining, and no shifts.)"]
    for (dataset, label), group in cells.groups(runs, epoch, "accuracy").items():
        values, slide = [], _paper(group[0])
        for name, factor, unit, which in (("accuracy", 100, " %", 0), ("test_elbo", -1, "", 1)):
            values.append(cells.mean_and_half(runs, group, epoch, name, factor, unit)
                          + (f" ({slide[which]:g}{unit})" if slide else ""))
        seeds = f"{len(group)} seed{'s' * (len(group) > 1)}"
        made.append(f"  {dataset:13s} {label:26s} {values[0]:25s} {values[1]:22s} ({seeds})")
    return made


def _paper(cell: Cell) -> tuple[float, float] | None:
    settings = cell.settings
    if cell.label != f"{settings.estimator}, {settings.labels} labels" or settings.labels not in LABELS \
            or settings.dataset not in LABELLED:
        return None
    accuracy, bound = LABELLED[settings.dataset][settings.estimator]
    place = LABELS.index(settings.labels)
    return accuracy[place], bound[place]


PANELS = (("accuracy", 100, "test accuracy, %"), ("test_elbo", -1, "test -ELBO, nats per image"))


def draw(records: Sequence[Record], title: str) -> Figure:
    records = [record for record in records if record.settings["labels"]] or list(records)
    datasets = list(dict.fromkeys(record.dataset for record in records))
    epoch = in_common(records, "accuracy", "epoch")[-1]
    figure, axes = plots.new_figure(2, len(datasets), width=6.2, height=4.2)
    for ax, (dataset, (name, factor, words)) in zip(axes, [(one, panel) for one in datasets for panel in PANELS]):
        ends = []
        for estimator, beside in zip(ESTIMATORS, (0.95, 1.05)):
            points: dict[int, list[float]] = {}
            for record in records:
                if (record.dataset, record.settings["estimator"]) == (dataset, estimator):
                    points.setdefault(int(record.settings["labels"]), []).append(factor * record.at(epoch, name))
            colour, counts = plots.colour(estimator), sorted(points)
            for count in counts:
                dots(ax, points[count], count * beside, colour, upright=True)
            if points:
                ends.append((f"{estimator}, here", counts[-1] * beside, np.median(points[counts[-1]]), colour))
            if dataset in LABELLED:
                theirs = LABELLED[dataset][estimator][name == "test_elbo"]
                ax.plot(LABELS, theirs, color=colour, marker="x", linestyle=":", label=f"{estimator}, paper")
                ends.append((f"{estimator}, paper", LABELS[-1], theirs[-1], colour))
        # All runs have labels, or none has: see above.  A logarithmic axis has no place for 0 labels.
        scale = "log" if records[0].settings["labels"] else "linear"
        ax.set(xscale=scale, xlabel="labelled images", ylabel=words, title=dataset)
        ax.set_xticks(LABELS, [str(count) for count in LABELS])
        ax.minorticks_off()
        plots.name_lines(ax, ends)
    plots.entitle(figure, title, f"{DOTS}, after {epoch} epoch{'s' * (epoch != 1)}; crosses: paper, after "
                                 f"{LABEL_EPOCHS}")
    return figure


def draw_terms(records: Sequence[Record], title: str) -> Figure:
    """Plot a row of dots for each variant, with the most accurate variant at the top."""
    epoch, groups = in_common(records, "accuracy", "epoch")[-1], by_label(records)
    figure, axes = plots.new_figure(2, width=5.6, height=0.36 * len(groups) + 1.6)
    order = sorted(groups, key=lambda label: float(np.median([record.at(epoch, "accuracy")
                                                              for record in groups[label]])))
    for ax, (name, factor, words) in zip(axes, PANELS):
        for place, label in enumerate(order):
            dots(ax, [factor * record.at(epoch, name) for record in groups[label]], place, plots.TRUTH)
        ax.set(xlabel=words, yticks=range(len(order)), yticklabels=order if ax is axes[0] else [])
    plots.entitle(figure, title, f"{DOTS}, after {epoch} epoch{'s' * (epoch != 1)}; ours: cross-entropy without one "
                                 "part of the recipe")
    return figure


def grids(runs: dict[Cell, list[dict[str, float]]], folder: Path) -> dict[str, Figure]:
    made = {}
    for dataset in sorted({cell.settings.dataset for cell in runs}):
        here = {cell.label: cell for cell in runs if (cell.settings.dataset, cell.settings.seed) == (dataset, 0)}
        if not {"direct, 0 labels", "direct, 100 labels"} <= here.keys():
            continue
        found = []
        for label, words in (("direct, 0 labels", "unsupervised"), ("direct, 100 labels", "100 labels")):
            run, history = checkpoint.load(folder / here[label].folder / checkpoint.FILE)
            found.append((f"{words}, {history[-1, 0]:.0f} epochs", run.samples()))
        made[f"classes-{dataset}.png"] = images.grids(found, dataset, data.get(dataset).shape)
    return made
