"""The pictures of the experiments: which runs answer which question, in which panels."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from matplotlib.figure import Figure

from refimpl import plots
from refimpl.experiments.pictures import Panel, draw, how_to_read
from refimpl.experiments.records import Record
from refimpl.experiments.training import comparisons

Records = Sequence[Record]
NATS = "test -ELBO, nats per image"
COMPARED = ("direct", "local-expectation", "disarm", "rebar", "relax", "arm")       # slide 31 and what it left out
GRADIENTS = ("exact", "tilted", "noisy-exact", "direct")            # neither bias nor noise, bias, noise, both


def datasets(records: Records) -> list[str]:
    return sorted({record.dataset for record in records}, key=in_order)


def in_order(dataset: str) -> tuple[int, str]:
    """The paper's data sets in its order, then others by name."""
    known = ("mnist", "fashion-mnist", "omniglot")
    return (known.index(dataset) if dataset in known else len(known)), dataset


def chosen(records: Records, labels: Sequence[str], dataset: str, rename: Callable[[str], str] = str) -> list[Record]:
    """The runs of these labels, in that order, under other words."""
    return [replace(record, label=rename(label)) for label in labels for record in records
            if (record.label, record.dataset) == (label, dataset)]


def binary(records: Records, title: str) -> Figure:
    """Against epochs, and against decoder evaluations."""
    panels = []
    for dataset in datasets(records):
        ours = chosen(records, COMPARED, dataset)
        panels += [Panel(dataset, ours, above=40), Panel(dataset, ours, against="evaluations", unit=1e6, log=True,
                                                         words="decoder evaluations, millions", above=40)]
    return draw(panels, NATS, f"{title}\n{how_to_read(panels)}", columns=2)


def released(records: Records, title: str = "What the released settings change, one estimator a panel") -> Figure:
    """Each estimator of slide 31 as it should be, with one released setting, and as released."""
    panels = []
    for dataset in datasets(records):
        for name, between in (("direct", "direct, no KL"), ("rebar", "rebar, batch mean"),
                              ("relax", "relax, batch mean")):
            labels = (name, between, f"{name} as released")
            panels.append(Panel(f"{dataset}: {name}", chosen(records, labels, dataset), above=50))
    figure = draw(panels, NATS, f"{title}\n{how_to_read(panels)}", columns=3, width=4.0)
    low, high = zip(*(ax.get_ylim() for ax in figure.axes))             # one scale for one quantity
    for ax in figure.axes:
        ax.set_ylim(min(low), max(high))
    return figure


def joint(records: Records, title: str) -> Figure:
    names = ("direct", "direct-joint", "local-expectation", "exact")
    panels = [Panel(f"{dataset}, n = {n}", chosen(records, [f"{name}, n = {n}" for name in names], dataset,
                                                  lambda label: label.split(",")[0]))
              for dataset in datasets(records) for n in (8, 12)]
    return draw(panels, NATS, f"{title}\n{how_to_read(panels)}", columns=2)


def structured(records: Records, title: str) -> Figure:
    """-log p(x), since pair scores have no bound."""
    labels = ("unstructured", "unstructured, no KL", "pairwise, w >= 0", "pairwise, w >= 0, start 0",
              "pairwise, any sign")
    panels = [Panel(dataset, chosen(records, labels, dataset), "test_log_likelihood", above=25)
              for dataset in datasets(records)]
    return draw(panels, "test -log p(x), nats per image", f"{title}\n{how_to_read(panels)}", width=6.5, height=3.2)


def convergence(records: Records, title: str) -> Figure:
    names = ("direct", "direct as released", "exact", "gumbel-softmax", "gumbel-softmax as released",
             "straight-through as released")
    panels = [Panel(f"{dataset}, k = {k}", chosen(records, [f"{name}, k = {k}" for name in names], dataset,
                                                  lambda label: label.split(", k")[0]), log=True, above=60)
              for dataset in datasets(records) for k in (10, 50)]
    return draw(panels, NATS, f"{title}\n{how_to_read(panels)}", columns=2)


def plateau(records: Records, title: str) -> Figure:
    panels = [Panel(f"{dataset}, decoder learns from {signal}",
                    chosen(records, [f"{name}, decoder {signal}" for name in GRADIENTS], dataset,
                           lambda label: label.split(",")[0]), above=60)
              for dataset in datasets(records) for signal in ("q", "z*")]
    return draw(panels, NATS, f"{title}\n{how_to_read(panels)}", columns=2)


EXITS = ("exact", "tilted", "capped", "amplified", "noisy-exact", "direct")


def plateau_exits(records: Records, title: str) -> Figure:
    """A row for each data set; with the KL gradient at both eps, then without it."""
    panels = []
    for dataset in datasets(records):
        for words, name_of_panel in (("", "with the KL gradient"), (", no KL", "without the KL gradient")):
            for eps in (0.1, 1.0):
                labels = [(f"exact{words}" if name == "exact" else f"{name}, eps {eps:g}{words}") for name in EXITS]
                panels.append(Panel(f"{dataset}, {name_of_panel}, eps = {eps:g}",
                                    chosen(records, labels, dataset, lambda label: label.split(",")[0]), above=60))
    return draw(panels, NATS, f"{title}\n{how_to_read(panels)}", columns=4)


def plateau_tests(records: Records, title: str) -> Figure:
    """A panel for each setting that is changed; the weights of the KL term are in the table."""
    panels = [Panel(words, chosen(records, [f"{name}, {words}" for name in EXITS], "mnist",
                                  lambda label: label.split(",")[0]), above=60)
              for words in comparisons.CHANGES]
    return draw(panels, NATS, f"{title}\n{how_to_read(panels)}", columns=len(panels), width=3.6)


def latent_sizes(records: Records, title: str) -> Figure:
    """Against k, at the last epoch that all runs of a data set have: the median, a bar from the lowest to the highest.
    Some seeds may sit on a plateau, so that a mean would tell nothing."""
    figure, axes = plots.new_figure(len(datasets(records)), width=4.4, height=3.6)
    for ax, dataset in zip(axes, datasets(records)):
        here = [record for record in records if record.dataset == dataset]
        epoch = min(record.epochs("test_elbo")[-1] for record in here)
        for name in dict.fromkeys(str(record.settings["estimator"]) for record in here):
            points: dict[int, list[float]] = {}
            for record in here:
                if record.settings["estimator"] == name:
                    points.setdefault(int(record.settings["k"]), []).append(-record.at(epoch, "test_elbo"))
            sizes = sorted(points)
            middle = np.array([np.median(points[k]) for k in sizes])
            low, high = (np.array([end(points[k]) for k in sizes]) for end in (min, max))
            known = (middle - low, high - middle) if (high > low).any() else None
            ax.errorbar(sizes, middle, known, marker="o", capsize=3, label=name, **plots.line_style(name))
        ax.set(xlabel="k, values of z", ylabel=NATS if ax is axes[0] else "", title=f"{dataset}, {epoch} epochs",
               xticks=sizes)
    handles = {line.get_label(): line for line in axes[0].containers}
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=4, frameon=False, fontsize=10)
    figure.suptitle(f"{title}\ndot: median of the seeds, bar: lowest to highest", fontsize=12)
    return figure


def tuning(records: Records, title: str) -> Figure:
    """The validation bound at the last common epoch against eps or tau, one line per learning rate."""
    kinds = [(k, name, setting) for k in (10, 50) for name, setting in (("direct", "eps"), ("gumbel-softmax", "tau"))]
    figure, axes = plots.new_figure(2, 2, height=3.2)
    epoch = min(record.epochs("valid_elbo")[-1] for record in records)
    rates = sorted({float(record.settings["lr"]) for record in records})
    for ax, (k, name, setting) in zip(axes, kinds):
        for place, lr in enumerate(rates):
            points: dict[float, list[float]] = {}
            for record in records:
                if (record.settings["k"], record.settings["estimator"], record.settings["lr"]) == (k, name, lr):
                    value = float(record.settings["hyperparameters"][setting])
                    points.setdefault(value, []).append(-record.at(epoch, "valid_elbo"))
            values = sorted(points)
            ax.plot(values, [np.median(points[value]) for value in values], color=plots.colour(name), marker="o",
                    linestyle=("-", "--", ":")[place % 3], label=f"{name}, lr {lr:g}")
        ax.set(xlabel=setting, xscale="log", ylabel="validation -ELBO, nats", title=f"{name}, k = {k}")
        ax.legend(frameon=False, fontsize=9)
    figure.suptitle(f"{title}, after {epoch} epochs", fontsize=12)
    return figure
