"""The page of the jigsaw: shares of tiles and of images that are right, times, and what explains them."""
from __future__ import annotations

import math

from refimpl.experiments.jigsaw.experiment import (BY_PLACE, CHOSEN, CHOSEN_WITHOUT, LABELLED, NO_LABELS, SIDES,
                                                   UNLABELLED, label)
from refimpl.experiments.jigsaw.runs import BATCH, EPOCH
from refimpl.experiments.records import Record
from refimpl.report.markdown import table
from refimpl.report.store import Store, lengths, spread
from refimpl.report.tables import NO_ROWS, commits_line, plural, seeds_at

SHARES = (("tiles", "test_tiles"), ("images", "test_images"))
NOTE = "Mean over the seeds ± half of the 95 % interval, %."


def _shares(group: list[Record], epoch: int) -> list[str]:
    return [spread(group, epoch, column, 100).text(1) if group else "–" for _, column in SHARES]


def results(store: Store) -> str:
    """A table for each data set, the methods with labels."""
    parts = []
    for dataset in store.datasets("jigsaw"):
        groups = {(method, side): store.select("jigsaw", dataset, label(method, side)) for side in SIDES
                  for method in (*LABELLED, "enumeration") if method != "enumeration" or side == 2}
        there = [group for group in groups.values() if group]
        epochs = lengths(there, "test_tiles")
        if not epochs:
            continue
        epoch = epochs[0]
        chance = [f"{spread(groups['direct', side], epoch, 'chance', 100).mean:.1f}" if groups["direct", side] else "–"
                  for side in SIDES]
        lines = [["tiles in a random order", *(cell for share in chance for cell in (share, "–"))]]
        lines += [[method, *(cell for side in SIDES for cell in _shares(groups.get((method, side), []), epoch))]
                  for method in (*LABELLED, "enumeration")]
        head = ["method", *(f"{side} × {side}, {words}" for side in SIDES for words, _ in SHARES)]
        parts.append(f"**{dataset}**, {plural(epoch, 'epoch')} of {EPOCH:,} images, "
                     f"{seeds_at(there, epoch, 'test_tiles')}\n\n" + table(head, lines))
    if not parts:
        return NO_ROWS.format("jigsaw")
    return "\n\n".join([*parts, NOTE + " " + commits_line(store.select("jigsaw"))])


def times(store: Store) -> str:
    """Milliseconds of a processor for a step of 100 images, over all seeds and data sets."""
    lines = []
    for method in (*LABELLED, "enumeration"):
        cells = []
        for side in SIDES:
            records = store.select("jigsaw", label=label(method, side)) if method != "enumeration" or side == 2 else []
            taken = [1e3 * float(last["seconds"]) / (float(last["epoch"]) * EPOCH / BATCH)
                     for last in (record.rows[-1] for record in records)]
            cells.append(f"{sorted(taken)[len(taken) // 2]:.1f}" if taken else "–")
        lines.append([method, *cells])
    return (table([f"ms per step of {BATCH} images", *(f"{side} × {side}" for side in SIDES)], lines)
            + "\n\nTime of one processor, cutting and shuffling included; the median over all runs.")


def questions(store: Store) -> str:
    """By place or by pixels, and the mean of the gradient against its noise: pairs of runs of MNIST."""
    lines = []
    for side, methods in ((4, ("direct", f"direct, {BY_PLACE}", "reinforce", f"reinforce, {BY_PLACE}")),
                          (3, ("direct", "direct, 10 draws", "direct, eps 1", "direct, eps 1, 10 draws", "reinforce",
                               "reinforce, 10 draws", "fenchel-young"))):
        for name in methods:
            method, _, words = name.partition(", ")
            group = store.select("jigsaw", "mnist", label(method, side, words))
            epochs = lengths([group], "test_tiles")
            if epochs:
                lines.append([f"{side} × {side}", name, *_shares(group, epochs[0])])
    return table(["", "run", *(words for words, _ in SHARES)], lines) + "\n\n" + NOTE if lines else \
        NO_ROWS.format("jigsaw")


def unlabelled(store: Store) -> str:
    """Without labels: what the network reaches, what its f is worth, and what maximising f alone would reach."""
    lines = []
    for dataset in store.datasets("jigsaw"):
        groups = {method: store.select("jigsaw", dataset, label(method, 3, NO_LABELS)) for method in UNLABELLED}
        groups = {method: group for method, group in groups.items() if group}
        epochs = lengths(list(groups.values()), "test_tiles")
        if not epochs:
            continue
        row = next(iter(groups.values()))[0].rows[-1]
        lines.append([dataset, "the truth", "100", "100", f"{-row['f_truth']:.1f}"])
        lines.append([dataset, "f maximised, no network", f"{100 * row['best_tiles']:.1f}",
                      f"{100 * row['best_images']:.1f}", f"{-row['f_best']:.1f}"])
        lines += [[dataset, f"network, {method}", *_shares(group, epochs[0]), spread(group, epochs[0], "f").text(1)]
                  for method, group in groups.items()]
    return table(["", "", *(words for words, _ in SHARES), "−f, nats per image"], lines) + "\n\n" + NOTE if lines \
        else NO_ROWS.format("jigsaw")


def best_setting(store: Store, method: str, labels: bool) -> tuple[Record, list[Record]] | None:
    """The run of jigsaw-tuning whose last epoch is best on the validation images, and all of this method."""
    runs = [record for record in store.select("jigsaw-tuning") if record.settings["method"] == method
            and record.settings["labels"] is labels]
    return (max(runs, key=lambda record: float(record.rows[-1]["valid_tiles"])), runs) if runs else None


def tuning(store: Store) -> str:
    """Best and worst setting of each method, by the tiles of the validation images that are right."""
    lines = []
    for chosen, labels in ((CHOSEN, True), (CHOSEN_WITHOUT, False)):
        for method in chosen:
            found = best_setting(store, method, labels)
            if found:
                words = [" = ".join((name, f"{found[0].settings[name]:g}")) for name in ("lr", "eps", "tau")
                         if found[0].settings[name] is not None]
                shares = [100 * float(record.rows[-1]["valid_tiles"]) for record in found[1]]
                lines.append(["yes" if labels else "no", method, str(len(shares)), ", ".join(words),
                              f"{max(shares):.1f}", f"{min(shares):.1f}"])
    if not lines:
        return NO_ROWS.format("jigsaw-tuning")
    epochs = int(max(float(record.rows[-1]["epoch"]) for record in store.select("jigsaw-tuning")))
    return (table(["labels", "method", "settings tried", "the best", "its tiles, %", "the worst, %"], lines)
            + f"\n\nMNIST, seed 0, {plural(epochs, 'epoch')}, validation images; 3 × 3 tiles, and enumeration 2 × 2. "
            + commits_line(store.select("jigsaw-tuning")))


def large_eps(store: Store) -> str:
    """Direct against eps, each at its best learning rate, beside Fenchel-Young: validation images."""
    best: dict[float, float] = {}
    for record in store.select("jigsaw-tuning"):
        if record.settings["method"] == "direct" and record.settings["labels"]:
            eps, share = float(record.settings["eps"]), 100 * float(record.rows[-1]["valid_tiles"])
            best[eps] = max(share, best.get(eps, -math.inf))
    other = best_setting(store, "fenchel-young", True)
    if not best or not other:
        return NO_ROWS.format("jigsaw-tuning")
    lines = [[f"direct, ε = {eps:g}", f"{best[eps]:.1f}"] for eps in sorted(best)]
    return table(["run, at its best learning rate", "tiles, %"],
                 [*lines, ["fenchel-young", f"{100 * float(other[0].rows[-1]['valid_tiles']):.1f}"]])


BLOCKS = {"jigsaw": results, "jigsaw-times": times, "jigsaw-questions": questions, "jigsaw-no-labels": unlabelled,
          "jigsaw-tuning": tuning, "jigsaw-eps": large_eps}
