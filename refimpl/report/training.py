"""Make the tables of the runs that belong to slides 23, 24, 29, 30, 31 and 32, and to figure 1 of the supplement."""
from __future__ import annotations

from collections.abc import Sequence

from refimpl.experiments import paper
from refimpl.report.markdown import table
from refimpl.report.store import Store, lengths, spread
from refimpl.report.tables import NO_ROWS, bounds, plural, commits_line, seeds_at

METHODS = ("direct", "direct as released", "direct without KL", "direct with falling eps", "exact", "gumbel-softmax",
           "gumbel-softmax with tau 0.1", "gumbel-softmax as released", "straight-through as released")
BINARY = ("direct", "direct as released", "local-expectation", "disarm", "arm", "rebar", "rebar as released", "relax",
          "relax as released", "imle", "local-tilted", "gumbel-softmax", "gumbel-softmax with tau 0.1", "reinforce-loo",
          "reinmax", "direct, no KL")
SIGNAL = ("rebar", "rebar, batch mean", "rebar as released", "relax", "relax, batch mean", "relax as released")
STRUCTURED = ("unstructured", "unstructured, no KL", "pairwise, w >= 0", "pairwise, w >= 0, start -6",
              "pairwise, w >= 0, start -1", "pairwise, w >= 0, start 0", "pairwise, w >= 0, absolute",
              "pairwise, any sign", "pairwise, any sign, start 0.05")


def convergence(store: Store) -> str:
    parts = []
    for dataset in store.datasets("convergence"):
        for k in (10, 50):
            labels = [f"{name}, k = {k}" for name in METHODS]
            if not any(store.select("convergence", dataset, label) for label in labels):
                continue
            slide = {f"{name}, k = {k}": value for name, value in paper.CONVERGENCE.get(dataset, {}).get(k, {}).items()}
            parts.append(f"**{dataset}, k = {k}**\n\n" + bounds(
                store, "convergence", dataset, labels, slide, lambda label: label.split(", k")[0], stuck=True))
    if not parts:
        return NO_ROWS.format("convergence")
    note = parts[-1].rpartition("\n\n")[2]              # stands below the last table, and not below each table
    parts = [*(part.removesuffix("\n\n" + note) for part in parts), note + " " + commits_line(
        store.select("convergence"))]
    return "\n\n".join(parts)


def latent_sizes(store: Store) -> str:
    lines, ks = [], (20, 30, 40, 50)
    for dataset in store.datasets("latent-sizes"):
        groups = {(name, k): store.select("latent-sizes", dataset, f"{name}, k = {k}")
                  for name in ("direct", "exact", "gumbel-softmax") for k in ks}
        known = lengths([group for group in groups.values() if group], "test_elbo")
        if not known:
            continue
        for name in ("direct", "exact", "gumbel-softmax"):
            lines.append([f"{dataset}, {name}", plural(known[0], "epoch")] + [
                spread(groups[name, k], known[0], "test_elbo").range_text() for k in ks])
    if not lines:
        return NO_ROWS.format("latent-sizes")
    return (table(["", "after", *(f"k = {k}" for k in ks)], lines)
            + "\n\nThe values are test −ELBO, in nats per image: medians over the seeds (the lowest and "
            "highest are in brackets). "
            + commits_line(store.select("latent-sizes")))


def joint(store: Store) -> str:
    parts = []
    for n in (8, 12):
        labels = [f"{name}, n = {n}" for name in ("direct", "direct-joint", "local-expectation", "exact")]
        for dataset in store.datasets("joint"):
            parts.append(f"**{dataset}, n = {n}**\n\n" + bounds(store, "joint", dataset, labels,
                                                               rename=lambda label: label.split(",")[0]))
    return "\n\n".join([*parts, commits_line(store.select("joint"))]) if parts else NO_ROWS.format("joint")


def _fifteen(store: Store, labels: Sequence[str]) -> list[str]:
    return [f"**{dataset}**\n\n" + bounds(store, "binary", dataset, labels,
                                          paper.BINARY if dataset == "fashion-mnist" else None)
            for dataset in store.datasets("binary")]


def binary(store: Store) -> str:
    parts = _fifteen(store, BINARY)
    return "\n\n".join([*parts, commits_line(store.select("binary"))]) if parts else NO_ROWS.format("binary")


def released_signal(store: Store) -> str:
    return "\n\n".join(_fifteen(store, SIGNAL)) or NO_ROWS.format("binary")


def structured(store: Store) -> str:
    parts = []
    for dataset in store.datasets("structured"):
        found = {label: group for label in STRUCTURED if (group := store.select("structured", dataset, label))}
        groups = list(found.values())
        epochs = lengths(groups, "test_log_likelihood")
        between = sorted({epoch for epoch in (10, 30, 50, 100, *epochs) if epochs and epoch <= epochs[-1]})
        lines = [[label, f"{paper.STRUCTURED[label]:g}" if label in paper.STRUCTURED else "–"] + [
            spread(group, epoch, "test_log_likelihood").text() for epoch in between]
            for label, group in found.items()]
        head = ["encoder", "paper's test loss, 300 epochs"] + [
            f"{plural(epoch, 'epoch')}, {seeds_at(groups, epoch, 'test_log_likelihood')}" for epoch in between]
        parts.append(f"**{dataset}**: exact test −log p(x), nats per image\n\n" + table(head, lines))
    return "\n\n".join([*parts, commits_line(store.select("structured"))]) if parts else NO_ROWS.format("structured")


BLOCKS = {"convergence": convergence, "latent-sizes": latent_sizes, "joint": joint, "binary": binary,
          "released-signal": released_signal, "structured": structured}
