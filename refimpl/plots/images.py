"""What models draw: a tile a latent value, or a grid with a column a class and a row a Gaussian."""
from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

PIXELS = (28, 28)


def tiles(logits: np.ndarray, dataset: str, label: str, names: list[str] | None = None) -> Figure:
    """What values of z draw: the decoder's mean image, a tile a value.  logits: (values, 784); names: of the values.

    At most 100 tiles, in one picture with a margin between them: a hundred axes would take a hundred times as long.
    """
    shown = min(len(logits), 100)
    columns = min(10, shown)
    rows = math.ceil(shown / columns)
    lines = 1 + max((name.count("\n") for name in names), default=0) if names else 1
    side, gap, top = PIXELS[0], 3, 8 * lines                    # pixels; `top` leaves room for a tile's name
    canvas = np.full((rows * (side + top), columns * (side + gap)), np.nan)
    width = max(0.95 * columns, 4.5)
    figure = Figure(figsize=(width, width * canvas.shape[0] / canvas.shape[1] + 0.4), dpi=110, layout="constrained")
    ax = figure.add_subplot()
    for tile in range(shown):
        row, column = divmod(tile, columns)
        down, right = row * (side + top) + top, column * (side + gap)
        mean = 1 / (1 + np.exp(-np.clip(logits[tile].astype(np.float64), -700, 700)))
        canvas[down:down + side, right:right + side] = mean.reshape(PIXELS)
        name = names[tile] if names else f"z = {tile}"
        ax.text(right + side / 2, down - 1, name, ha="center", va="bottom", fontsize=8 if lines == 1 else 6)
    ax.imshow(canvas, cmap="gray_r", vmin=0, vmax=1, interpolation="nearest")
    ax.set_axis_off()
    which = f"{shown} values of z" if names or shown < len(logits) else "each z"
    figure.suptitle(f"{dataset}, {label}: mean image of {which}", fontsize=10)
    return figure


def grids(samples: Sequence[tuple[str, np.ndarray]], dataset: str) -> Figure:
    """One grid beside the other: (title, images (rows, classes, pixels)) each."""
    side, gap = PIXELS[0], 2
    figure = Figure(figsize=(4.6 * len(samples), 4.3), dpi=110, layout="constrained")
    for place, (title, images) in enumerate(samples):
        rows, columns = images.shape[:2]
        canvas = np.full((rows * (side + gap), columns * (side + gap)), np.nan)
        for row in range(rows):
            for column in range(columns):
                down, right = row * (side + gap), column * (side + gap)
                canvas[down:down + side, right:right + side] = images[row, column].reshape(PIXELS)
        ax = figure.add_subplot(1, len(samples), place + 1)
        ax.imshow(canvas, cmap="gray_r", vmin=0, vmax=1, interpolation="nearest")
        ax.set_xticks((side + gap) * np.arange(columns) + side / 2, [str(c) for c in range(columns)])
        ax.set_yticks([])
        ax.tick_params(length=0, labelsize=10)
        ax.set(xlabel="class", ylabel="a row a Gaussian" if place == 0 else "", title=title)
        for spine in ax.spines.values():
            spine.set_visible(False)
    figure.suptitle(dataset, fontsize=12)
    return figure
