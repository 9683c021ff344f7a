"""Make the tables for slides 2 and 25: the accuracy of each attribute, and the results of the switch test."""
from __future__ import annotations

from refimpl.data.faces import ATTRIBUTES
from refimpl.experiments.faces.experiment import COLUMNS, ESTIMATORS, LABELS, SHOWN, SWITCH
from refimpl.experiments.faces.judge import FACES, NEEDED
from refimpl.experiments.records import Record
from refimpl.report.markdown import table
from refimpl.report.store import Spread, Store, lengths, spread
from refimpl.report.tables import NO_ROWS, plural, commits_line
from refimpl.report.verdicts import Finding

# A variable switches an attribute if this attribute, and no other, changes in at least this share of the faces.
SHARE = 0.95
ALONE = "direct, 0 labels"


def groups(store: Store, experiment: str) -> dict[str, list[Record]]:
    every = [f"{name}, {labels} labels" for labels in LABELS for name in ESTIMATORS]
    return {label: group for label in every if (group := store.select(experiment, "faces", label))}


def faces(store: Store) -> str:
    lines = []
    for label, group in groups(store, "faces").items():
        epochs = lengths([group], "accuracy")[0]
        lines.append([label, plural(epochs, "epoch"),
                      *(spread(group, epochs, column, 100).range_text(2, " %") for column in (*COLUMNS, "accuracy")),
                      spread(group, epochs, "test_elbo").range_text(), str(len(group))])
    if not lines:
        return NO_ROWS.format("faces")
    return (table(["run", "after", *ATTRIBUTES, "all three", "−ELBO", "seeds"], lines)
            + "\n\nAll values are measured on the test images. Each value is a median over the seeds (the lowest and "
            "the highest value are in brackets). In runs without labels, each variable is named after the "
            "attribute that fits it best. " + commits_line(store.select("faces")))


def values(group: list[Record], attribute: str, column: str, factor: float = 1.0) -> Spread:
    return Spread(tuple(factor * float(row[column]) for record in group for row in record.rows
                        if row["attribute"] == attribute))


def switched(store: Store) -> str:
    lines, found = [], groups(store, SWITCH)
    for label, group in found.items():
        last = group[0].rows[0]["epochs"]
        shares = [values(group, name, column, 100).range_text(1, " %") for column in ("generated", "encoded")
                  for name in ATTRIBUTES]
        pixels = [values(group, ATTRIBUTES[0], "pixels_again").range_text(1)]
        for column in ("pixels_switched", "pixels_other"):
            every = [values(group, name, column) for name in ATTRIBUTES]
            means = Spread(tuple(sum(seed) / len(seed) for seed in zip(*(one.values for one in every))))
            pixels.append(means.range_text(1))
        lines.append([label, plural(int(last), "epoch"), *shares, *pixels, str(len(group))])
    if not lines:
        return NO_ROWS.format("faces")
    judge = min(float(row["judge"]) for group in found.values() for record in group for row in record.rows)
    head = ["run", "after", *(f"drawn: {name}" for name in ATTRIBUTES), *(f"encoded: {name}" for name in ATTRIBUTES),
            "wrong pixels: not switched", "wrong pixels: switched",
            "wrong pixels: switched, with another face's g", "seeds"]
    return (table(head, lines) + f"\n\nOne variable is switched in each of {FACES:,} faces. Each percentage is the "
            "share of these faces in which the judge finds that only the attribute of this variable changed. The judge "
            f"is correct about all three attributes in {judge:.2%} of the test images. A pixel is wrong if it differs "
            "from the same pixel of the true face. The numbers of wrong pixels, out of 784, are averages over the "
            "three attributes. All values are medians over the seeds (the lowest and highest are in brackets). "
            + commits_line(store.select(SWITCH)))


def found_alone(record: Record) -> int:
    return sum(min(float(row["generated"]), float(row["encoded"])) >= SHARE for row in record.rows)


def look(store: Store) -> Finding | None:
    taught, alone = (store.select(SWITCH, "faces", label) for label in (SHOWN, ALONE))
    if not taught or not alone:
        return None
    judged = all(float(row["judge"]) >= NEEDED for record in taught + alone for row in record.rows)
    worst = min(float(row[column]) for record in taught for row in record.rows for column in ("generated", "encoded"))
    most = max(map(found_alone, alone))
    holds = judged and worst >= SHARE and most < len(ATTRIBUTES) and min(len(taught), len(alone)) > 1
    return Finding(holds, f"50 labels: {100 * worst:.1f} % of the switches change only the right "
                   f"attribute; no labels: {most} of {len(ATTRIBUTES)} attributes are found",
                   int(taught[0].rows[0]["epochs"]), (len(taught),))


def attributes(store: Store) -> str:
    lines, records = [], []
    for labels in LABELS:
        label = f"direct, {labels} labels"
        runs, tests = (store.select(experiment, "faces", label) for experiment in ("faces", SWITCH))
        epochs = lengths([runs], "accuracy")
        if not epochs or not tests:
            continue
        records += runs
        counts = sorted(map(found_alone, tests))
        alone = spread(runs, 0, "accuracy", 100).range_text(2, " %") if labels else "–"
        lines.append([f"{labels:,}", alone, spread(runs, epochs[0], "accuracy", 100).range_text(2, " %"),
                      *(spread(runs, epochs[0], column, 100).range_text(2, " %") for column in COLUMNS),
                      f"{counts[0]}" if counts[0] == counts[-1] else f"{counts[0]} to {counts[-1]}",
                      str(epochs[0]), str(len(runs))])
    if not lines:
        return NO_ROWS.format("faces")
    return (table(["labels", "all three right, after training on the labelled images alone",
                   "all three right, after training on all images", *ATTRIBUTES, "attributes with a variable of their "
                   "own", "epochs", "seeds"], lines)
            + "\n\nAll runs use `direct`. The percentages are shares of the test images: medians over the seeds (the "
            "lowest and highest values are in brackets). In runs without labels, each variable is named after "
            "the attribute that fits it best. Guessing an attribute would be right for 50 % of the images. "
            + commits_line(records))


def unnamed(store: Store) -> str:
    records = store.select(SWITCH, "faces", ALONE)
    if not records:
        return NO_ROWS.format("faces")
    lines = [[str(record.seed), str(row["attribute"]), f"{100 * float(row['agrees']):.2f} %",
              f"{row['nuisance']}, {float(row['correlation']):.2f}"] for record in records for row in record.rows]
    return (table(["seed", "variable, by the name that fits best", "images in which it agrees with this attribute",
                   "nuisance with which it correlates most, and this correlation"], lines)
            + f"\n\nThe values are from {FACES:,} test images. A bit that is chosen at random for each image would "
            "agree with an attribute in about 50 % of the images. A bit that states whether a nuisance is in the upper "
            "half of its range has a correlation of 0.87 with this nuisance. "
            + commits_line(records))


BLOCKS = {"faces": faces, "faces-switch": switched, "attributes": attributes, "attributes-unnamed": unnamed}
