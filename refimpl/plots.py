"""Pictures: one palette, safe for the colour-blind, the same colour for the same estimator everywhere."""
from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from refimpl.files import write_whole

# Okabe and Ito's palette (Color Universal Design, 2008).
TRUTH = "#000000"
COLOURS = {
    "exact": "#000000",
    "direct": "#D55E00",
    "two-sided": "#E69F00",
    "gumbel-softmax": "#0072B2",
    "straight-through-gumbel-softmax": "#56B4E9",
}
FURTHER = ("#D55E00", "#0072B2", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
PIXELS = (28, 28)


def new_figure(columns: int, rows: int = 1, width: float = 4.6, height: float = 3.6) -> tuple[Figure, list]:
    """A figure with rows x columns axes, as a flat list, in a style that stays legible at half size."""
    figure = Figure(figsize=(width * columns, height * rows), dpi=110, layout="constrained")
    axes = [figure.add_subplot(rows, columns, place + 1) for place in range(rows * columns)]
    for ax in axes:
        ax.grid(color="0.9", linewidth=0.8)
        ax.set_axisbelow(True)
        for side in ("top", "right"):
            ax.spines[side].set_visible(False)
        ax.tick_params(labelsize=11)
        ax.xaxis.label.set_size(12)
        ax.yaxis.label.set_size(12)
    return figure, axes


def save(figure: Figure, path: Path) -> None:
    """Write the figure as PNG, whole or not at all."""
    write_whole(path, lambda stream: figure.savefig(stream, format="png"))


def curves(rows: list[dict[str, float]], label: str, dataset: str) -> Figure:
    """Bounds of one run against the epoch, and the gap between bound and likelihood."""
    figure, (bound, gap) = new_figure(2)
    epochs = [row["epoch"] for row in rows]
    marker = "o" if len(rows) < 40 else None
    bound.plot(epochs, [-row["train_elbo"] for row in rows], color="0.55", marker=marker, label="train, -ELBO")
    bound.plot(epochs, [-row["valid_elbo"] for row in rows], color=FURTHER[1], marker=marker, label="validation, -ELBO")
    bound.plot(epochs, [-row["test_elbo"] for row in rows], color=FURTHER[0], marker=marker, label="test, -ELBO")
    bound.plot(epochs, [-row["test_log_likelihood"] for row in rows], color=TRUTH, linestyle="--", marker=marker,
               label="test, -log p(x)")
    bound.set(xlabel="epoch", ylabel="nats an image (lower is better)", title=f"{dataset}: exact bounds")
    bound.legend(frameon=False, fontsize=10)
    gap.plot(epochs, [row["gap"] for row in rows], color=FURTHER[0], marker=marker)
    gap.set(xlabel="epoch", ylabel="KL(q || posterior), nats", title="gap on the test images", ylim=(0, None))
    for ax in (bound, gap):
        ax.xaxis.get_major_locator().set_params(integer=True)
    figure.suptitle(label, fontsize=12)
    return figure


def samples(logits: np.ndarray, dataset: str, label: str) -> Figure:
    """What each value of z draws: the mean image of the decoder, a tile a value.  logits: (k, 784)."""
    shown = min(len(logits), 100)
    columns = min(10, shown)
    rows = math.ceil(shown / columns)
    figure = Figure(figsize=(0.95 * columns, 1.12 * rows + 0.6), dpi=110, layout="constrained")
    for z in range(shown):
        ax = figure.add_subplot(rows, columns, z + 1)
        mean = 1 / (1 + np.exp(-np.clip(logits[z].astype(np.float64), -700, 700)))
        ax.imshow(mean.reshape(PIXELS), cmap="gray_r", vmin=0, vmax=1, interpolation="nearest")
        ax.set_title(f"z = {z}", fontsize=9, pad=2)
        ax.set_axis_off()
    first = f" (the first {shown} of {len(logits)})" if shown < len(logits) else ""
    figure.suptitle(f"{dataset}, {label}: mean image of each z{first}", fontsize=10)
    return figure
