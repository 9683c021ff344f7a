"""Plot the bounds and accuracies of one run against its epochs."""
from __future__ import annotations

import math
from collections.abc import Sequence

from matplotlib.figure import Figure

from refimpl.plots.style import FURTHER, TRUTH, new_figure


def bounds(rows: Sequence[dict[str, float]], label: str, dataset: str) -> Figure:
    figure, (bound, gap) = new_figure(2)
    marker = "o" if len(rows) < 40 else None
    for name, words, colour, style in (("sampled_elbo", "test, -ELBO from one sample per image", "0.75", ":"),
                                       ("train_elbo", "train, -ELBO", "0.55", "-"),
                                       ("valid_elbo", "validation, -ELBO", FURTHER[1], "-"),
                                       ("test_elbo", "test, -ELBO", FURTHER[0], "-"),
                                       ("test_log_likelihood", "test, -log p(x)", TRUTH, "--")):
        known = [row for row in rows if not math.isnan(row.get(name, math.nan))]
        if known:                           # some runs have no sampled bounds, and some epochs have no exact ones
            bound.plot([row["epoch"] for row in known], [-row[name] for row in known], color=colour, linestyle=style,
                       marker=marker, label=words)
    bound.set(xlabel="epoch", ylabel="nats per image (lower is better)", title=f"{dataset}: exact bounds")
    bound.legend(frameon=False, fontsize=10)
    known = [row for row in rows if not math.isnan(row["gap"])]
    gap.plot([row["epoch"] for row in known], [row["gap"] for row in known], color=FURTHER[0], marker=marker)
    gap.set(xlabel="epoch", ylabel="KL(q || posterior), nats", title="gap on the test images", ylim=(0, None))
    for ax in (bound, gap):
        ax.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)
    figure.suptitle(label, fontsize=12)
    return figure


def accuracies(rows: Sequence[dict[str, float]], label: str, dataset: str) -> Figure:
    """Plot the accuracy and the bound of one run.

    The bound of epoch 0, the pretraining, is not shown, because it is too far from the other bounds.
    """
    figure, (accuracy, bound) = new_figure(2)
    marker = "o" if len(rows) < 40 else None
    epochs = [row["epoch"] for row in rows]
    for name, words, colour in (("valid_accuracy", "validation", FURTHER[1]), ("accuracy", "test", FURTHER[0])):
        accuracy.plot(epochs, [100 * row[name] for row in rows], color=colour, marker=marker, label=words)
    accuracy.set(xlabel="epoch", ylabel="accuracy, %", title=dataset)
    accuracy.legend(frameon=False, fontsize=10)
    if len(rows) == 1:                              # there is only the pretraining, so no bound to show
        bound.remove()
        figure.suptitle(label, fontsize=12)
        return figure
    later = rows[1:]
    for name, words, sign, colour in (("test_elbo", "test, -ELBO", -1, FURTHER[0]),
                                      ("reconstruction", "its reconstruction", -1, FURTHER[4]),
                                      ("gaussian_kl", "its Gaussian KL", 1, FURTHER[2]),
                                      ("class_kl", "its class KL", 1, FURTHER[3])):
        bound.plot([row["epoch"] for row in later], [sign * row[name] for row in later],
                   color=colour, marker=marker, label=words)
    bound.set(xlabel="epoch", ylabel="nats per image", title="bound, class enumerated", ylim=(0, None))
    bound.legend(frameon=False, fontsize=10)
    for ax in (accuracy, bound):
        ax.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)
    figure.suptitle(label, fontsize=12)
    return figure
