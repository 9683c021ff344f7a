"""One style for all pictures: one palette, safe for the colour-blind, the same colour for the same estimator."""
from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from refimpl import estimators
from refimpl.system.files import write_whole

TRUTH = "#000000"
# Okabe and Ito's palette (Color Universal Design, 2008), for what is no estimator.
FURTHER = ("#D55E00", "#0072B2", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")


def colour(estimator: str) -> str:
    """The colour of an estimator, from its entry in the registry; grey for one that is not registered here."""
    entry = estimators.REGISTRY.get(estimator)
    return entry.colour if entry else "#5F5F5F"


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

    # without a display show() has nothing to do, and need not say so
    warnings.filterwarnings("ignore", message="FigureCanvasAgg is non-interactive")
    plt.rcParams.update({
        "axes.prop_cycle": plt.cycler(color=FURTHER),
        "figure.dpi": 80, "figure.figsize": (9.0, 3.4), "figure.constrained_layout.use": True, "font.size": 11,
        "axes.grid": True, "axes.axisbelow": True, "grid.color": "0.9",
        "axes.spines.top": False, "axes.spines.right": False, "legend.frameon": False, "axes.titlesize": 12})


def save(figure: Figure, path: Path) -> None:
    """Write the figure as PNG, whole or not at all."""
    write_whole(path, lambda stream: figure.savefig(stream, format="png"))
