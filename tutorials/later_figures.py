"""The figures of chapters 5 to 10: each function draws one of them from what the chapter has computed."""
from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np

from refimpl import plots


def losses(curves: Mapping[str, np.ndarray], best: float, half: int = 10) -> None:
    """Chapter 5: the loss of each batch, averaged over up to `half` neighbours on either side, and the least loss."""
    _, ax = plt.subplots(figsize=(6, 3.2))
    ax.axhline(best, color=plots.TRUTH, linewidth=2.5, label="best possible")
    for (words, values), shade in zip(curves.items(), plots.FURTHER[1:]):
        reach = [min(half, place, len(values) - 1 - place) for place in range(len(values))]
        mean = [values[place - r:place + r + 1].mean() for place, r in enumerate(reach)]
        ax.plot(np.arange(1, len(values) + 1), mean, color=shade, linewidth=1.8, label=words)
    ax.set(xlabel="step of 100 images", ylabel="loss, nats per image", yscale="log", ylim=(160, 600))
    ax.set_yticks([170, 200, 300, 400, 500], ["170", "200", "300", "400", "500"])
    ax.minorticks_off()
    ax.legend(fontsize=10)


def digits(*rows: np.ndarray) -> None:
    """Chapter 5: rows of ten pictures (10, 784), in shades from 0 to 1."""
    _, axes = plt.subplots(len(rows), 10, figsize=(9, 1.05 * len(rows)), squeeze=False)
    for line, pictures in zip(axes, rows):
        for ax, picture in zip(line, pictures):
            ax.imshow(picture.reshape(28, 28), cmap="gray_r", vmin=0, vmax=1)
            ax.set_axis_off()


def by_epochs(curves: Mapping[str, Sequence[float]], xlabel: str, heights: Mapping[float, str] = {}) -> None:
    """Chapter 6: test -ELBO of each run, in the colour of its estimator, and dotted lines at heights with a name."""
    _, ax = plt.subplots(figsize=(6.5, 3.6))
    longest = max(map(len, curves.values()))
    for nats, words in heights.items():
        ax.axhline(nats, color="0.45", linestyle=":", linewidth=1.3)
        ax.text(longest + 0.1, nats + 0.4, words, color="0.3", fontsize=10, ha="right")
    for words, values in curves.items():
        ax.plot(range(1, len(values) + 1), values, marker="o", linewidth=1.8, label=words, **plots.line_style(words))
    ax.set(xlabel=xlabel, ylabel="test -ELBO, exact, nats", xticks=range(1, longest + 1))
    ax.legend(fontsize=10, ncols=2, loc="lower center", bbox_to_anchor=(0.5, 1.0))


def push(lead: np.ndarray, pushes: Mapping[float, np.ndarray]) -> None:
    """Chapter 6: what takes the place of the lead at each eps, with the two halves marked."""
    _, ax = plt.subplots(figsize=(6.5, 3.6))
    ax.axvspan(lead[0], 0, color="0.95", zorder=0)
    ax.plot(lead, lead, color=plots.TRUTH, linewidth=2, label="exact: the lead itself")
    for (eps, values), shade, dash in zip(pushes.items(), plots.FURTHER[:2], ("-", "--")):
        ax.plot(lead, values, color=shade, linestyle=dash, linewidth=2, label=f"push, eps = {eps:g}")
        ax.text(lead[0] + 1, -1 / eps + 1.5, f"cap at {-1 / eps:g}", color=shade, fontsize=10)
    ax.text(-12, -32, "explains it worse:\nthe cap", ha="center", fontsize=10)
    ax.text(26, -22, "explains it better:\nthe amplification", ha="center", fontsize=10)
    ax.set(xlabel="lead of a losing value, nats", ylabel="push, nats", xlim=(lead[0], lead[-1]), ylim=(-42, 42))
    ax.legend(fontsize=10, loc="upper left")


def second_arg_max(eps: np.ndarray, panels: Mapping[str, Sequence[np.ndarray]]) -> None:
    """Chapter 6: total variance with and without the second arg max, a panel for each model."""
    _, axes = plt.subplots(1, len(panels), sharey=True, figsize=(9, 3.4))
    for ax, (title, (with_it, without)) in zip(axes, panels.items()):
        ax.loglog(eps, without, color="0.45", linestyle="--", linewidth=2, label="$z(\\epsilon)$ alone, less $q$")
        ax.loglog(eps, with_it, color=plots.colour("direct"), linewidth=2, label="difference of two arg maxes")
        ax.set(title=title, xlabel="eps, 1/nat")
    axes[0].set(ylabel="total variance, nats squared")
    axes[1].legend(fontsize=10)
