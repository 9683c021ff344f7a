"""Tables of the experiments that take a cause away: the plateau, and equal tuning."""
from __future__ import annotations

import numpy as np

from refimpl.experiments.rows import Record
from refimpl.report.markdown import table
from refimpl.report.store import Spread, Store, lengths, spread
from refimpl.report.tables import NO_ROWS, counted, made_at

GRADIENTS = {"exact": "neither", "tilted": "bias", "noisy-exact": "noise", "direct": "both"}
SIGNALS = ("q", "z*")
STEPS = (40, 200, 1000)
STUCK = 5.0             # nats above the best median of the data set: beyond any difference between runs that got off


def plateau_runs(store: Store, dataset: str) -> dict[tuple[str, str], Spread]:
    """(gradient, decoder's signal) -> minus the test bounds of the seeds at the last epoch that all have."""
    groups = {(name, signal): store.of("plateau", dataset, f"{name}, decoder {signal}")
              for name in GRADIENTS for signal in SIGNALS}
    epochs = lengths(list(groups.values()), "test_elbo")
    return {key: spread(group, epochs[0], "test_elbo") for key, group in groups.items()} if epochs else {}


def stuck(runs: dict[tuple[str, str], Spread]) -> dict[tuple[str, str], int]:
    """How many seeds of each are still nats above the best."""
    best = min(value.median for value in runs.values())
    return {key: sum(value > best + STUCK for value in spread_.values) for key, spread_ in runs.items()}


def plateau(store: Store) -> str:
    lines, datasets = [], [dataset for dataset in store.datasets("plateau") if plateau_runs(store, dataset)]
    if not datasets:
        return NO_ROWS.format("plateau")
    found = {dataset: plateau_runs(store, dataset) for dataset in datasets}
    late = {dataset: stuck(runs) for dataset, runs in found.items()}
    for signal in SIGNALS:
        for name, has in GRADIENTS.items():
            line = [name, has, signal]
            for dataset in datasets:
                value = found[dataset][name, signal]
                line += [value.range_text(), f"{late[dataset][name, signal]} of {len(value.values)}"]
            lines.append(line)
    epoch = lengths([store.of("plateau", datasets[0])], "test_elbo")[0]
    head = ["encoder's gradient", "has bias, noise", "decoder learns from"]
    for dataset in datasets:
        head += [f"{dataset}: −ELBO", "late"]
    limits = ", ".join(f"{dataset} {min(value.median for value in runs.values()) + STUCK:.1f}"
                       for dataset, runs in found.items())
    return (table(head, lines) + f"\n\nAfter {epoch} epochs; median over the seeds, lowest and highest. *Late*: seeds "
            f"more than {STUCK:g} nats above the best median of the data set ({limits}). "
            + made_at(store.of("plateau")))


def plateau_steps(store: Store) -> str:
    """Every run at a few steps."""
    lines, records = [], []
    for dataset in store.datasets("plateau-steps"):
        for signal in SIGNALS:
            for name in GRADIENTS:
                records = store.of("plateau-steps", dataset, f"{name}, decoder {signal}") or records
                if not records or records[0].label != f"{name}, decoder {signal}":
                    continue
                values = {(column, step): float(np.median([record.at(step, column, "step") for record in records]))
                          for column in ("values_used", "winner", "entropy", "length_exact", "ahead")
                          for step in STEPS}
                lines.append([dataset, name, signal, *(f"{values['values_used', step]:.2f}" for step in STEPS),
                              f"{values['winner', STEPS[1]]:.0%}", f"{values['entropy', STEPS[1]]:.3f}",
                              *(f"{values['length_exact', step]:.2g}" for step in STEPS),
                              f"{values['ahead', STEPS[1]]:.1%}"])
    if not lines:
        return NO_ROWS.format("plateau").replace("experiment plateau", "measure plateau-steps")
    head = ["data set", "trained by", "decoder learns from", *(f"values used, step {step:,}" for step in STEPS),
            f"images on the winning value, step {STEPS[1]}", f"entropy of q, nats, step {STEPS[1]}",
            *(f"length of the exact dh, nats, step {step:,}" for step in STEPS),
            f"images that another value explains 10 nats better, step {STEPS[1]}"]
    return (table(head, lines) + f"\n\nExact, on 1,000 test images; median over {counted(len(records), 'seed')}. dh is "
            "the exact gradient of E f in the scores at that run's weights, its mean length over the images. "
            + made_at(store.of("plateau-steps")))


def _by_setting(records: list[Record]) -> dict[str, list[Record]]:
    groups: dict[str, list[Record]] = {}
    for record in records:
        groups.setdefault(record.label, []).append(record)
    return groups


def tuning(store: Store) -> str:
    """Each method's setting with the best median validation bound, and its test bound beside the default's."""
    groups = _by_setting(store.of("tuning"))
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
    seeds = counted(len(next(iter(groups.values()))), "seed")
    return (table(["k", "method", "settings tried", "chosen on the validation part", "its validation −ELBO",
                   "its test −ELBO", "test −ELBO of the default"], lines)
            + f"\n\nMNIST, after {epoch} epochs, {seeds}{'' if seeds == '1 seed' else '; median, lowest and highest'}. "
            + made_at(store.of("tuning")))


BLOCKS = {"plateau": plateau, "plateau-steps": plateau_steps, "tuning": tuning}
