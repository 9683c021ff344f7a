"""Make the tables of the experiments on the plateau, and of the experiment that tunes every method equally."""
from __future__ import annotations

import math

import numpy as np

from refimpl.experiments.pictures import by_label
from refimpl.experiments.records import Record
from refimpl.experiments.training.panels import EXITS
from refimpl.report import measurements
from refimpl.report.markdown import table
from refimpl.report.store import Spread, Store, lengths, spread
from refimpl.report.tables import NO_ROWS, plural, commits_line

GRADIENTS = {"exact": "neither", "tilted": "bias", "noisy-exact": "noise", "direct": "both"}
SIGNALS = ("q", "z*")
STEPS = (40, 200, 1000)
EARLY, FAR = 3, 10.0    # an epoch, and nats above the best median; the first plateau of MNIST is 40 nats above
STUCK = 5.0             # nats above the best median of the data set; runs that left the plateau differ by less


def far(values: Spread, limit: float) -> str:
    """Return how many seeds have a value above `limit`, as text such as "2 of 5"."""
    return f"{sum(value > limit for value in values.values)} of {len(values.values)}"


def plateau(store: Store) -> str:
    found: dict[str, dict[tuple[str, str], Spread]] = {}
    last: dict[str, int] = {}
    for dataset in store.datasets("plateau"):
        groups = {(name, signal): store.select("plateau", dataset, f"{name}, decoder {signal}")
                  for signal in SIGNALS for name in GRADIENTS}
        epochs = lengths(list(groups.values()), "test_elbo")
        if epochs:
            last[dataset] = epochs[0]
            found[dataset] = {key: spread(group, epochs[0], "test_elbo") for key, group in groups.items()}
    if not found:
        return NO_ROWS.format("plateau")
    limits = {dataset: min(value.median for value in runs.values()) + STUCK for dataset, runs in found.items()}
    lines = [[name, has, signal, *(cell for dataset, runs in found.items() for cell in (
        runs[name, signal].range_text(), far(runs[name, signal], limits[dataset])))]
        for signal in SIGNALS for name, has in GRADIENTS.items()]
    head = ["encoder's gradient", "its bias or noise", "decoder learns from",
            *(words for dataset in found for words in (f"{dataset}, epoch {last[dataset]}: −ELBO", "far behind"))]
    return (table(head, lines) + "\n\nEach bound is a median over the seeds (the lowest and highest are in brackets). "
            "The *best median* of a data set is the lowest of its medians. The columns *far behind* count the runs "
            f"that end more than {STUCK:g} nats above the best median, that is, above "
            + " or ".join(f"{limit:.1f} ({dataset})" for dataset, limit in limits.items()) + ". "
            + commits_line(store.select("plateau")))


def exits(store: Store) -> str:
    lines = []
    for dataset in store.datasets("plateau-exits"):
        groups = by_label(store.select("plateau-exits", dataset))
        epochs = lengths(list(groups.values()), "test_elbo")
        if not epochs:
            continue
        last = epochs[0]
        ends = {label: spread(group, last, "test_elbo") for label, group in groups.items()}
        limit = min(end.median for end in ends.values()) + FAR
        for label in sorted(groups, key=lambda label: ("no KL" in label, _eps(label), EXITS.index(_name(label)))):
            early = spread(groups[label], EARLY, "test_elbo")
            lines.append([dataset, _name(label), _eps(label) or "–", "no" if "no KL" in label else "yes",
                          far(early, limit), far(ends[label], limit), ends[label].range_text(),
                          f"{spread(groups[label], last, 'gap', 1).median:.1f}", str(last)])
    if not lines:
        return NO_ROWS.format("plateau-exits").replace("No rows yet", "Not run yet")
    head = ["data set", "gradient", "ε", "KL gradient", f"far behind after {EARLY} epochs",
            "far behind after the last epoch", "−ELBO after the last epoch", "gap after the last epoch", "epochs"]
    return (table(head, lines) + "\n\nThe −ELBO and the gap are medians over the seeds, in nats, with the range of "
            "−ELBO in brackets. The *best median* of a data set is the lowest of its median −ELBOs. The "
            f"columns *far behind* count the runs whose −ELBO is more than {FAR:g} nats above the best median. "
            + commits_line(store.select("plateau-exits")))


def tests(store: Store) -> str:
    groups = by_label(store.select("plateau-tests"))
    epochs = lengths(list(groups.values()), "test_elbo")
    if not epochs:
        return NO_ROWS.format("plateau-tests")
    lines = []
    for label, group in groups.items():
        name, changed = label.split(", ")
        ends = spread(group, epochs[0], "test_elbo")
        same = [spread(other, epochs[0], "test_elbo").median for other in groups.values()
                if other[0].settings["k"] == group[0].settings["k"]]
        limit = min(same) + FAR
        lines.append([changed, name, far(spread(group, EARLY, "test_elbo"), limit), far(ends, limit),
                      ends.range_text()])
    head = ["changed", "gradient", f"far behind after {EARLY} epochs", f"far behind after {epochs[0]} epochs",
            f"−ELBO after {epochs[0]} epochs"]
    return (table(head, lines) + "\n\nAll runs are on MNIST. Gradients that use ε have ε = 0.1. The columns "
            f"*far behind* count the runs whose −ELBO is more than {FAR:g} nats above the *best median*, which is "
            "the lowest median −ELBO in the table for the same k. "
            + commits_line(store.select("plateau-tests")))


def _name(label: str) -> str:
    return label.split(",")[0]


def _eps(label: str) -> str:
    return next((part.removeprefix("eps ") for part in label.split(", ") if part.startswith("eps ")), "")


def _median(group: list[Record], column: str, step: int, form: str, sign: float = 1.0) -> str:
    value = sign * float(np.median([record.at(step, column, "step") for record in group]))
    return "–" if math.isnan(value) else format(value, form)


def plateau_steps(store: Store) -> str:
    lines, records = [], []
    for dataset in store.datasets("plateau-steps"):
        for signal in SIGNALS:
            for name in GRADIENTS:
                found = store.select("plateau-steps", dataset, f"{name}, decoder {signal}")
                if not found:
                    continue
                records = found
                lines.append([dataset, name, signal, *(_median(found, "values_used", step, ".2f") for step in STEPS),
                              _median(found, "winner", STEPS[1], ".0%"), _median(found, "entropy", STEPS[1], ".3f"),
                              *(_median(found, "length_exact", step, ".2g") for step in STEPS),
                              _median(found, "ahead", STEPS[1], ".1%")])
    if not lines:
        return measurements.NO_ROWS.format("plateau-steps")
    head = ["data set", "trained by", "decoder learns from", *(f"values used, step {step:,}" for step in STEPS),
            f"images on the winning value, step {STEPS[1]}", f"entropy of q, nats, step {STEPS[1]}",
            *(f"length of the exact gradient, nats, step {step:,}" for step in STEPS),
            f"images that some value explains 10 nats better than their likeliest value, step {STEPS[1]}"]
    return (table(head, lines) + f"\n\nAll values are computed exactly on 1,000 test images, and are medians "
            f"over {plural(len(records), 'seed')}. The exact gradient is the gradient of E f with respect to the "
            "scores, at the weights of the run. Its length is averaged over the images. "
            + commits_line(store.select("plateau-steps")))


def plateau_forces(store: Store) -> str:
    """Make the table of the quantities that measuring/plateau_forces.py defines: push, pull and lead."""
    lines = []
    for dataset in store.datasets("plateau-forces"):
        for label, group in by_label(store.select("plateau-forces", dataset)).items():
            lines.append([dataset, label, *(_median(group, column, step, ".1f") for column in (
                "push", "pull", "lead_f") for step in STEPS[:2]), _median(group, "elbo", STEPS[2], ".1f", -1.0)])
    if not lines:
        return measurements.NO_ROWS.format("plateau-forces")
    head = ["data set", "gradient", *(f"{words}, step {step}" for words in ("push", "pull", "lead of the winner in f")
                                      for step in STEPS[:2]), f"−ELBO, step {STEPS[2]:,}"]
    return (table(head, lines) + "\n\nAll values are exact, in nats. They are medians over "
            f"{plural(len(group), 'seed')}. Push, pull and lead are averages over the losing values of 1,000 test "
            "images. " + commits_line(store.select("plateau-forces")))


def tuning(store: Store) -> str:
    groups = by_label(store.select("tuning"))
    epochs = lengths(list(groups.values()), "valid_elbo")
    if not epochs:
        return NO_ROWS.format("tuning")
    epoch, lines = epochs[0], []
    defaults = {"direct": ", eps 0.1, lr 0.001", "exact": ", lr 0.001", "gumbel-softmax": ", tau 0.5, lr 0.001"}
    for k in (10, 50):
        for name, default in defaults.items():
            ours = {label: group for label, group in groups.items() if label.startswith(f"{name}, k = {k},")}
            if not ours:
                continue
            best = min(ours, key=lambda label: spread(ours[label], epoch, "valid_elbo").median)
            usual = ours.get(f"{name}, k = {k}{default}", [])
            lines.append([str(k), name, str(len(ours)), best.split(f"k = {k}, ")[1],
                          spread(ours[best], epoch, "valid_elbo").range_text(),
                          spread(ours[best], epoch, "test_elbo").range_text(),
                          spread(usual, epoch, "test_elbo").range_text()])
    seeds = plural(len(next(iter(groups.values()))), "seed")
    return (table(["k", "method", "settings tried", "chosen on the validation part", "its validation −ELBO",
                   "its test −ELBO", "test −ELBO of the default"], lines)
            + f"\n\nAll runs are on MNIST, with {seeds} and {epoch} epochs"
            f"{'' if seeds == '1 seed' else '; values are medians (the lowest and highest are in brackets)'}. "
            + commits_line(store.select("tuning")))


BLOCKS = {"plateau": plateau, "plateau-exits": exits, "plateau-tests": tests, "plateau-steps": plateau_steps,
          "plateau-forces": plateau_forces, "tuning": tuning}
