"""Plot the results of the experiments.  Each panel compares the runs that answer one question."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from matplotlib.figure import Figure

from refimpl import plots
from refimpl.experiments import paper
from refimpl.experiments.pictures import DOTS, Panel, dots, draw, in_common
from refimpl.experiments.records import Record
from refimpl.experiments.training import runs_by_slide

Records = Sequence[Record]
NATS = "test -ELBO, nats per image"
COMPARED = ("direct", "local-tilted", "local-expectation", "disarm", "rebar", "relax", "arm")  # some not on slide 31
PAPER = {"fashion-mnist": paper.BINARY}
GRADIENTS = ("exact", "tilted", "noisy-exact", "direct")            # no bias or noise; bias; noise; both


def datasets(records: Records) -> list[str]:
    known = ("mnist", "fashion-mnist", "omniglot")
    found = {record.dataset for record in records}
    return [name for name in known if name in found] + sorted(found - {*known})


def chosen(records: Records, labels: Sequence[str], dataset: str, short: bool = False) -> list[Record]:
    return [replace(record, label=label.split(",")[0] if short else label) for label in labels for record in records
            if (record.label, record.dataset) == (label, dataset)]


def binary(records: Records, title: str) -> Figure:
    panels = []
    for dataset in datasets(records):
        ours = chosen(records, COMPARED, dataset)
        panels += [Panel(f"{dataset}, by epochs", ours, log=True, above=32, paper=PAPER.get(dataset, {})),
                   Panel(f"{dataset}, by decoder evaluations", ours, against="evaluations", unit=1e6, log=True,
                         words="decoder evaluations, millions", above=32)]
    return draw(panels, NATS, title, columns=2, height=4.4)


def released(records: Records, title: str) -> Figure:
    panels = []
    for dataset in datasets(records):
        for name, between in (("direct", "direct, no KL"), ("rebar", "rebar, batch mean"),
                              ("relax", "relax, batch mean")):
            labels, theirs = (name, between, f"{name} as released"), PAPER.get(dataset, {})
            panels.append(Panel(f"{dataset}: {name}", chosen(records, labels, dataset), log=True, above=50,
                                paper={label: theirs[label] for label in labels if label in theirs}))
    return draw(panels, NATS, title, columns=3, width=5.0, alike=True)


def structured(records: Records, title: str) -> Figure:
    """The panels show -log p(x), because encoders with pair scores have no ELBO."""
    labels = ("unstructured", "unstructured, no KL", "pairwise, w >= 0", "pairwise, w >= 0, start 0",
              "pairwise, any sign")
    panels = [Panel(dataset, chosen(records, labels, dataset), "test_log_likelihood", above=8,
                    paper=paper.STRUCTURED if dataset == "fashion-mnist" else {}) for dataset in datasets(records)]
    return draw(panels, "test -log p(x), nats per image", title, width=7.5, height=3.2)


def convergence(records: Records, title: str) -> Figure:
    names = ("direct", "direct as released", "exact", "gumbel-softmax", "gumbel-softmax as released",
             "straight-through as released")
    panels = [Panel(f"{dataset}, k = {k}", chosen(records, [f"{name}, k = {k}" for name in names], dataset, True),
                    log=True, above=70, paper=paper.CONVERGENCE.get(dataset, {}).get(k, {}))
              for dataset in datasets(records) for k in (10, 50)]
    return draw(panels, NATS, title, columns=2)


def plateau(records: Records, title: str) -> Figure:
    panels = [Panel(f"{dataset}, decoder learns from {signal}",
                    chosen(records, [f"{name}, decoder {signal}" for name in GRADIENTS], dataset, True), above=60,
                    last=dataset != "mnist")
              for dataset in datasets(records) for signal in ("q", "z*")]
    return draw(panels, NATS, title, columns=2)


EXITS = ("exact", "tilted", "capped", "amplified", "noisy-exact", "direct")


def plateau_exits(records: Records, title: str) -> Figure:
    panels = []
    for dataset in datasets(records):
        for words, name_of_panel in (("", "with the KL gradient"), (", no KL", "without the KL gradient")):
            for eps in (0.1, 1.0):
                labels = [(f"exact{words}" if name == "exact" else f"{name}, eps {eps:g}{words}") for name in EXITS]
                panels.append(Panel(f"{dataset}, {name_of_panel}, eps = {eps:g}",
                                    chosen(records, labels, dataset, True), above=60))
    return draw(panels, NATS, title, columns=2)


def plateau_tests(records: Records, title: str) -> Figure:
    titles = ("learning rate 0.0003", "learning rate 0.003", "k = 50", "decoder learns from z*",
              "momentum, learning rate 0.03", "momentum, learning rate 0.1", "momentum, learning rate 0.3",
              "momentum, learning rate 1")
    panels = [Panel(words, chosen(records, [f"{name}, {changed}" for name in EXITS], "mnist", True), above=72)
              for words, changed in zip(titles, runs_by_slide.CHANGES)]
    return draw(panels, NATS, title, columns=2)


def latent_sizes(records: Records, title: str) -> Figure:
    """A few runs may stay on a plateau.  They would dominate a mean, so the median is shown."""
    figure, axes = plots.new_figure(len(datasets(records)), width=7.0, height=4.0)
    for ax, dataset in zip(axes, datasets(records)):
        here = [record for record in records if record.dataset == dataset]
        epoch = in_common(here, "test_elbo", "epoch")[-1]
        sizes = sorted({int(record.settings["k"]) for record in here})
        names, ends = list(dict.fromkeys(str(record.settings["estimator"]) for record in here)), []
        for place, name in enumerate(names):
            for k in sizes:
                values = [-record.at(epoch, "test_elbo") for record in here
                          if (record.settings["estimator"], record.settings["k"]) == (name, k)]
                if values:
                    dots(ax, values, k + 1.4 * (place - (len(names) - 1) / 2), plots.colour(name), upright=True)
                    end = (name, ax.lines[-1].get_xdata()[0], float(np.median(values)), plots.colour(name))
            ends.append(end)
        ax.set(xlabel="k, values of z", ylabel=NATS if ax is axes[0] else "", title=f"{dataset}, {epoch} epochs",
               xticks=sizes)
        plots.name_lines(ax, ends)
    plots.entitle(figure, title, f"{DOTS}; methods side by side")
    return figure


def ranked(records: Records, title: str, merit: str = "test_elbo", words: str = NATS, sign: float = -1.0) -> Figure:
    panels = [Panel(dataset, [record for record in records if record.dataset == dataset], merit, sign=sign, last=True)
              for dataset in datasets(records)]
    rows = len({record.label for record in records})
    return draw(panels, words, title, width=8.0, height=0.25 * rows + 1.6)
