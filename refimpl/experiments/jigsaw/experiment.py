"""Define the runs of the jigsaws.

Enumeration is run with 2 x 2 tiles.  Every other method is run with 2 x 2, 3 x 3 and 4 x 4 tiles.  Three methods are
also run without labels, with 3 x 3 tiles.  On MNIST, additional runs answer two questions:

    by place    if two tiles are identical, does it matter whether f counts them as correct after they swap places?
    draws       does it help to average each gradient over ten times the usual number of draws of the noise?
"""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from refimpl import data, gumbel
from refimpl.experiments import pictures
from refimpl.experiments.jigsaw import runs as jigsaws
from refimpl.experiments.jigsaw import tiles
from refimpl.experiments.jigsaw.runs import JigsawSettings
from refimpl.experiments.pictures import Panel
from refimpl.experiments.records import Record
from refimpl.experiments.training import cells, panels
from refimpl.experiments.training.cells import Cell
from refimpl.plots import images

SIDES = (2, 3, 4)
LABELLED = ("direct", "fenchel-young", "gumbel-sinkhorn", "reinforce", "cross-entropy")
UNLABELLED = ("direct", "gumbel-sinkhorn", "reinforce")
BY_PLACE, NO_LABELS = "by place", "no labels"
# These settings were chosen on the validation images of MNIST in `jigsaw-tuning`, with 3 x 3 tiles (2 x 2 for
# enumeration).
CHOSEN: dict[str, dict[str, float]] = {
    "direct": {"lr": 1e-2, "eps": 4.0}, "fenchel-young": {"lr": 3e-2}, "gumbel-sinkhorn": {"lr": 3e-2, "tau": 2.0},
    "reinforce": {"lr": 1e-3}, "cross-entropy": {"lr": 3e-2}, "enumeration": {"lr": 1e-2}}
CHOSEN_WITHOUT = {"direct": {"lr": 1e-2, "eps": 0.5}, "gumbel-sinkhorn": {"lr": 1e-2, "tau": 1.0},
                  "reinforce": {"lr": 3e-3}}
LOWEST = {True: 3e-4, False: 1e-3}      # a lower learning rate for reinforce only, with labels (True) and without
RATES, EPS, TAU = (1e-3, 3e-3, 1e-2, 3e-2, 1e-1), (1.0, 4.0, 16.0), (0.5, 1.0, 2.0, 4.0)
EPS_WITHOUT = (0.02, 0.1, 0.5, 2.5)     # in 1/nat, because f is in nats without labels; with labels f counts places


def label(method: str, side: int, words: str = "") -> str:
    """Return the label of a run, for example "direct, 3 x 3, no labels"."""
    return ", ".join([method, f"{side} x {side}", *[words] * bool(words)])


def make(dataset: str, seed: int) -> list[Cell]:
    def cell(method: str, side: int, words: str = "", **more) -> Cell:
        chosen = (CHOSEN_WITHOUT if words == NO_LABELS else CHOSEN)[method] | more
        return Cell(label(method, side, words), JigsawSettings(dataset, seed, side, method, **chosen))

    made = [cell(method, side) for side in SIDES for method in (*LABELLED, *["enumeration"] * (side == 2))]
    made += [cell(method, 3, NO_LABELS, labels=False) for method in UNLABELLED]
    if dataset == "mnist":
        made += [cell(method, 4, BY_PLACE, by_place=True) for method in ("direct", "reinforce")]
        made += [cell("direct", 3, "eps 1", eps=1.0), cell("direct", 3, "eps 1, 10 draws", eps=1.0, draws=10),
                 cell("direct", 3, "10 draws", draws=10), cell("reinforce", 3, "10 draws", draws=10)]
    return made


def grid(dataset: str, seed: int) -> list[Cell]:
    """Return the runs of `jigsaw-tuning`."""
    made = [Cell(label("enumeration", 2, f"lr {lr:g}"), JigsawSettings(dataset, seed, 2, "enumeration", lr))
            for lr in RATES]
    for labels, methods, eps in ((True, LABELLED, EPS), (False, UNLABELLED, EPS_WITHOUT)):
        own = {"direct": [{"eps": value} for value in eps], "gumbel-sinkhorn": [{"tau": value} for value in TAU]}
        for method in methods:
            for lr in (*[LOWEST[labels]] * (method == "reinforce"), *(RATES if labels else RATES[1:3])):
                for chosen in own.get(method, [{}]):
                    words = [f"{name} {value:g}" for name, value in {"lr": lr, **chosen}.items()]
                    made.append(Cell(label(method, 3, ", ".join(words + [NO_LABELS] * (not labels))), JigsawSettings(
                        dataset, seed, 3, method, lr, labels=labels, **chosen)))
    return made


def lines(runs: dict[Cell, list[dict[str, float]]], epoch: int) -> list[str]:
    made = [f"Test images after {epoch} epoch{'s' * (epoch != 1)} of {jigsaws.EPOCH:,} images: shares that are right, "
            "mean over the seeds ± 95 % interval", f"  {'':57s}{'tiles':>15s}{'whole images':>17s}"]
    for (dataset, words), group in cells.groups(runs, epoch, "test_tiles").items():
        right, whole = (cells.mean_and_half(runs, group, epoch, name, 100, " %")
                        for name in ("test_tiles", "test_images"))
        made.append(f"  {dataset:14s} {words:42s}{right:>15s}{whole:>17s}  "
                    f"({len(group)} seed{'s' * (len(group) > 1)})")
    return made


def draw(records: Sequence[Record], title: str) -> Figure:
    drawn = []
    for dataset in panels.datasets(records):
        for side, words in (*((side, "") for side in SIDES), (3, NO_LABELS)):
            names = UNLABELLED if words else (*LABELLED, "enumeration")
            wanted = {label(name, side, words): name for name in names}
            chosen = [replace(record, label=wanted[record.label]) for record in records
                      if record.dataset == dataset and record.label in wanted]
            if chosen:
                drawn.append(Panel(f"{dataset}, {side} x {side}" + f", {words}" * bool(words), chosen, "test_tiles",
                                    words=f"epoch of {jigsaws.EPOCH:,} images", sign=100.0))
    return pictures.draw(drawn, "tiles that are right, %", title, columns=min(2, len(drawn)), height=3.0)


def solved(found: dict[Cell, list[dict[str, float]]], folder: Path) -> dict[str, Figure]:
    made = {}
    for dataset in dict.fromkeys(cell.settings.dataset for cell in found):
        here = {cell.label: cell for cell in found if (cell.settings.dataset, cell.settings.seed) == (dataset, 0)}
        methods = [method for method in LABELLED if label(method, 4) in here]
        if methods:
            tested = jigsaws.Tested.of(data.load(dataset).test.first(8), 4)
            columns = [shown(tested, gumbel.one_hot(np.tile(np.arange(16), (8, 1)), 16), 4, False)]
            for method in methods:
                run = jigsaws.opened(here[label(method, 4)], folder, None)
                columns.append(shown(tested, run.solve(tested.tiles), 4))
            columns.append(shown(tested, tested.y, 4))
            names = ["shuffled", *(method.replace("-", "-\n") for method in methods), "truth"]
            made[f"jigsaw-solved-{dataset}.png"] = images.sheet(
                np.stack(columns, axis=1), names, "each row is one test image",
                f"{dataset}, 4 x 4 tiles, seed 0, {len(run.rows)} epochs; wrong tiles are grey")
    return made


def shown(tested: jigsaws.Tested, z: np.ndarray, side: int, mark: bool = True) -> np.ndarray:
    """Return the pictures that the matchings z make from the tiles.  If `mark` is true, wrong tiles are marked grey."""
    wrong = 1 - (tested.right * z).sum(axis=2) if mark else np.zeros(z.shape[:2])
    return tiles.assemble(np.maximum(tested.tiles, 0.3 * wrong[..., None]), z, side)
