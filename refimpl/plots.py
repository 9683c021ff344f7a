"""Pictures: one palette, safe for the colour-blind, the same colour for the same estimator everywhere."""
from __future__ import annotations

import math
import warnings
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from refimpl.system.files import write_whole

# Okabe and Ito's palette (Color Universal Design, 2008).
TRUTH = "#000000"
COLOURS = {
    "exact": "#000000",
    "direct": "#D55E00",
    "direct-joint": "#8C3B00",
    "two-sided": "#E69F00",
    "gumbel-softmax": "#0072B2",
    "straight-through-gumbel-softmax": "#56B4E9",
    "reinmax": "#003F5C",
    "local-expectation": "#7F7F7F",
    "reinforce": "#BFBFBF",
    "reinforce-loo": "#999933",
    "rebar": "#CC79A7",
    "relax": "#882255",
    "arm": "#009E73",
    "disarm": "#44AA99",
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


def chapter_style() -> None:
    """Make pyplot's figures look like these, small enough for a page: the tutorials call it once."""
    import matplotlib.pyplot as plt                         # here, because only notebooks and chapters need a window

    warnings.filterwarnings("ignore", message="FigureCanvasAgg is non-interactive")     # no display: show() has nothing to do
    plt.rcParams.update({
        "axes.prop_cycle": plt.cycler(color=FURTHER),
        "figure.dpi": 80, "figure.figsize": (9.0, 3.4), "figure.constrained_layout.use": True, "font.size": 11,
        "axes.grid": True, "axes.axisbelow": True, "grid.color": "0.9", "axes.spines.top": False, "axes.spines.right": False,
        "legend.frameon": False, "axes.titlesize": 12})


def save(figure: Figure, path: Path) -> None:
    """Write the figure as PNG, whole or not at all."""
    write_whole(path, lambda stream: figure.savefig(stream, format="png"))


def curves(rows: list[dict[str, float]], label: str, dataset: str) -> Figure:
    """Bounds of one run against the epoch, and the gap between bound and likelihood."""
    figure, (bound, gap) = new_figure(2)
    marker = "o" if len(rows) < 40 else None
    lines = (("sampled_elbo", "test, -ELBO from one sample an image", "0.75", ":"),) if "sampled_elbo" in rows[0] else ()
    for name, label_, colour, style in lines + (("train_elbo", "train, -ELBO", "0.55", "-"),
                                        ("valid_elbo", "validation, -ELBO", FURTHER[1], "-"),
                                        ("test_elbo", "test, -ELBO", FURTHER[0], "-"),
                                        ("test_log_likelihood", "test, -log p(x)", TRUTH, "--")):
        known = [row for row in rows if not math.isnan(row[name])]
        if known:                                           # exact values are not computed each epoch of a large latent
            bound.plot([row["epoch"] for row in known], [-row[name] for row in known], color=colour, linestyle=style,
                       marker=marker, label=label_)
    bound.set(xlabel="epoch", ylabel="nats an image (lower is better)", title=f"{dataset}: exact bounds")
    bound.legend(frameon=False, fontsize=10)
    known = [row for row in rows if not math.isnan(row["gap"])]
    gap.plot([row["epoch"] for row in known], [row["gap"] for row in known], color=FURTHER[0], marker=marker)
    gap.set(xlabel="epoch", ylabel="KL(q || posterior), nats", title="gap on the test images", ylim=(0, None))
    for ax in (bound, gap):
        ax.xaxis.get_major_locator().set_params(integer=True)
    figure.suptitle(label, fontsize=12)
    return figure


def samples(logits: np.ndarray, dataset: str, label: str, names: list[str] | None = None) -> Figure:
    """What values of z draw: the mean image of the decoder, a tile a value.  logits: (values, 784); names: of the values.

    At most 100 tiles, in one picture with a margin between them: a hundred axes would take a hundred times as long.
    """
    shown = min(len(logits), 100)
    columns = min(10, shown)
    rows = math.ceil(shown / columns)
    side, gap, top = PIXELS[0], 3, 8                            # pixels; `top` leaves room for a tile's name
    canvas = np.full((rows * (side + top), columns * (side + gap)), np.nan)
    width = max(0.95 * columns, 4.5)
    figure = Figure(figsize=(width, width * canvas.shape[0] / canvas.shape[1] + 0.4), dpi=110, layout="constrained")
    ax = figure.add_subplot()
    for tile in range(shown):
        row, column = divmod(tile, columns)
        down, right = row * (side + top) + top, column * (side + gap)
        mean = 1 / (1 + np.exp(-np.clip(logits[tile].astype(np.float64), -700, 700)))
        canvas[down:down + side, right:right + side] = mean.reshape(PIXELS)
        ax.text(right + side / 2, down - 1, names[tile] if names else f"z = {tile}", ha="center", va="bottom", fontsize=8)
    ax.imshow(canvas, cmap="gray_r", vmin=0, vmax=1, interpolation="nearest")
    ax.set_axis_off()
    which = f"{shown} values of z" if names or shown < len(logits) else "each z"
    figure.suptitle(f"{dataset}, {label}: mean image of {which}", fontsize=10)
    return figure
