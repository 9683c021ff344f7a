"""Make the tables of the page on jigsaws."""
from __future__ import annotations

from refimpl.experiments.jigsaw.experiment import BY_PLACE, LABELLED, NO_LABELS, SIDES, UNLABELLED, label
from refimpl.experiments.jigsaw.runs import BATCH, EPOCH
from refimpl.experiments.records import Record
from refimpl.report.markdown import table
from refimpl.report.store import Spread, Store, lengths, spread
from refimpl.report.tables import NO_ROWS, commits_line, plural, seeds_at

SHARES = (("tiles", "test_tiles"), ("images", "test_images"))
NOTE = ("The values are means over the seeds ± half the width of the 95 % interval. *Tiles* is the percentage of "
        "correctly placed tiles. *Images* is the percentage of test images whose tiles are all placed correctly.")
METHODS = (*LABELLED, "enumeration")


def _shares(group: list[Record], epoch: int) -> list[str]:
    return [spread(group, epoch, column, 100).text(1) for _, column in SHARES]


def _milliseconds(group: list[Record]) -> str:
    steps = EPOCH / BATCH
    values = [1e3 * float(record.rows[-1]["seconds"]) / (steps * float(record.rows[-1]["epoch"])) for record in group]
    return f"{Spread(tuple(values)).median:.1f}" if group else "–"


def results(store: Store) -> str:
    """Make one table for each data set, with the methods that use labels."""
    parts = []
    for dataset in store.datasets("jigsaw"):
        groups = {(method, side): store.select("jigsaw", dataset, label(method, side)) for method in METHODS
                  for side in SIDES if method != "enumeration" or side == 2}
        there = [group for group in groups.values() if group]
        if not (epochs := lengths(there, "test_tiles")):
            continue
        chance = ([spread(group, epochs[0], "chance", 100) for (_, of), group in groups.items() if of == side and group]
                  for side in SIDES)                    # all runs with tiles of this size have the same value
        lines = [["tiles in a random order", *(cell for shares in chance for cell in (
            f"{shares[0].mean:.1f}" if shares else "–", "–")), "–"]]
        for method in METHODS:
            of = [groups.get((method, side), []) for side in SIDES]
            lines.append([method, *(cell for group in of for cell in _shares(group, epochs[0])),
                          " / ".join(map(_milliseconds, of))])
        head = ["method", *(f"{side} × {side}, {words}" for side in SIDES for words, _ in SHARES),
                "ms per step: 2 × 2 / 3 × 3 / 4 × 4"]
        parts.append(f"**{dataset}**, {plural(epochs[0], 'epoch')} of {EPOCH:,} images, "
                     f"{seeds_at(there, epochs[0], 'test_tiles')}\n\n" + table(head, lines))
    if not parts:
        return NO_ROWS.format("jigsaw")
    return "\n\n".join([*parts, f"{NOTE} A step uses {BATCH} images, and its time was measured on one processor. "
                        + commits_line(store.select("jigsaw"))])


def questions(store: Store) -> str:
    lines = []
    for side, names in ((4, ("direct", f"direct, {BY_PLACE}", "reinforce", f"reinforce, {BY_PLACE}")),
                        (3, ("direct", "direct, 10 draws", "direct, eps 1", "direct, eps 1, 10 draws", "reinforce",
                             "reinforce, 10 draws"))):
        for name in names:
            method, _, words = name.partition(", ")
            group = store.select("jigsaw", "mnist", label(method, side, words))
            if epochs := lengths([group], "test_tiles"):
                lines.append([f"{side} × {side}", name, *_shares(group, epochs[0])])
    return table(["MNIST", "run", *(words for words, _ in SHARES)], lines) + "\n\n" + NOTE if lines else \
        NO_ROWS.format("jigsaw")


def unlabelled(store: Store) -> str:
    lines = []
    for dataset in store.datasets("jigsaw"):
        groups = {method: group for method in UNLABELLED
                  if (group := store.select("jigsaw", dataset, label(method, 3, NO_LABELS)))}
        if not (epochs := lengths(list(groups.values()), "test_tiles")):
            continue
        row = next(iter(groups.values()))[0].rows[-1]
        lines += [[dataset, "the truth", "100", "100", f"{-row['f_truth']:.1f}"],
                  [dataset, "f maximised, no network", f"{100 * row['best_tiles']:.1f}",
                   f"{100 * row['best_images']:.1f}", f"{-row['f_best']:.1f}"]]
        lines += [[dataset, f"network, {method}", *_shares(group, epochs[0]), spread(group, epochs[0], "f").text(1)]
                  for method, group in groups.items()]
    return table(["3 × 3", "", *(words for words, _ in SHARES), "−f, nats per image"], lines) + "\n\n" + NOTE \
        if lines else NO_ROWS.format("jigsaw")


def tuned(store: Store) -> dict[tuple[bool, str], list[Record]]:
    """Group the runs of `jigsaw-tuning` by method and by whether they use labels.  The best run of a group is first."""
    found: dict[tuple[bool, str], list[Record]] = {}
    for record in store.select("jigsaw-tuning"):
        found.setdefault((bool(record.settings["labels"]), str(record.settings["method"])), []).append(record)
    return {key: sorted(runs, key=lambda record: -float(record.rows[-1]["valid_tiles"]))
            for key, runs in found.items()}


def tuning(store: Store) -> str:
    lines = []
    for (labels, method), runs in sorted(tuned(store).items(), key=lambda pair: (not pair[0][0], pair[0][1])):
        best = {(record.settings["eps"], record.settings["tau"]): record for record in reversed(runs)}
        for (eps, tau), record in sorted(best.items(), key=lambda pair: pair[0][0] or pair[0][1] or 0):
            words = f"ε = {eps:g}" if eps else f"τ = {tau:g}" if tau else "–"
            lines.append(["yes" if labels else "no", method, words, f"{record.settings['lr']:g}",
                          f"{100 * float(record.rows[-1]['valid_tiles']):.1f}" + " (chosen)" * (record is runs[0])])
    if not lines:
        return NO_ROWS.format("jigsaw-tuning")
    records = store.select("jigsaw-tuning")
    return (table(["labels", "method", "ε or τ", "best learning rate", "correctly placed tiles, %"], lines)
            + f"\n\nThe {len(records)} runs use seed 0, and were tested on validation images of MNIST after "
            f"{plural(int(records[0].rows[-1]['epoch']), 'epoch')}. The images have 3 × 3 tiles, or 2 × 2 tiles for "
            "enumeration. "
            + commits_line(records))


BLOCKS = {"jigsaw": results, "jigsaw-questions": questions, "jigsaw-no-labels": unlabelled, "jigsaw-tuning": tuning}
