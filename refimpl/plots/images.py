"""Show images drawn by models, as tiles or in grids."""
from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.special import expit

from refimpl.plots.style import TEXT, entitle

SHAPE = (28, 28)


def tiles(logits: np.ndarray, dataset: str, label: str, names: list[str] | None = None,
          shape: tuple[int, int] = SHAPE) -> Figure:
    """Show the decoder's mean images for the first 100 values of z, one tile per value.

    logits   logits of the pixels, of shape (values, pixels)
    dataset  name of the data set, for the title
    label    description of the run, for the title
    names    names of the values, by default z = 0, z = 1 and so on
    shape    (height, width) of an image

    All tiles are parts of a single image, because drawing a hundred axes would be slow.
    """
    shown = min(len(logits), 100)
    columns = min(10, shown)
    rows = math.ceil(shown / columns)
    lines = 1 + max((name.count("\n") for name in names), default=0) if names else 1
    (high, wide), gap, top = shape, 3, 8 * lines                # pixels; `top` is the room for a name
    canvas = np.full((rows * (high + top), columns * (wide + gap)), np.nan)
    width = max(0.95 * columns, 4.5)
    height = min(width * canvas.shape[0] / canvas.shape[1], 3 * width) + 0.4       # images may have any shape
    figure = Figure(figsize=(width, max(height, 1.5)), dpi=110, layout="constrained")
    ax = figure.add_subplot()
    for tile in range(shown):
        row, column = divmod(tile, columns)
        down, right = row * (high + top) + top, column * (wide + gap)
        mean = expit(logits[tile].astype(np.float64))
        canvas[down:down + high, right:right + wide] = mean.reshape(shape)
        name = names[tile] if names else f"z = {tile}"
        ax.text(right + wide / 2, down - 1, name, ha="center", va="bottom", fontsize=8 if lines == 1 else 6)
    ax.imshow(canvas, cmap="gray_r", vmin=0, vmax=1, interpolation="nearest")
    ax.set_axis_off()
    which = f"{shown} values of z" if names or shown < len(logits) else "each z"
    figure.suptitle(f"{dataset}, {label}: mean image of {which}", fontsize=10)
    return figure


def _show_grid(ax: Axes, images: np.ndarray, gap: int, names: list[str], rows: Sequence[str] = ()) -> None:
    down, across, high, wide = images.shape
    canvas = np.full((down, high + gap, across, wide + gap), np.nan)        # NaN is drawn as a gap
    canvas[:, :high, :, :wide] = images.transpose(0, 2, 1, 3)
    ax.imshow(canvas.reshape(down * (high + gap), across * (wide + gap)), cmap="gray_r", vmin=0, vmax=1,
              interpolation="nearest")
    ax.set_xticks((wide + gap) * np.arange(across) + wide / 2, names)
    ax.set_yticks((high + gap) * np.arange(len(rows)) + high / 2, rows)
    ax.tick_params(length=0, labelsize=TEXT)
    ax.yaxis.label.set_size(TEXT)
    for spine in ax.spines.values():
        spine.set_visible(False)


def grids(samples: Sequence[tuple[str, np.ndarray]], dataset: str, shape: tuple[int, int] = SHAPE) -> Figure:
    """Show grids of images side by side.

    `samples` has a pair for each grid: a title, and images of shape (rows, classes, pixels).  `dataset` is the title of
    the figure, and `shape` is the (height, width) of an image.
    """
    figure = Figure(figsize=(4.6 * len(samples), 4.3), dpi=110, layout="constrained")
    for place, (title, images) in enumerate(samples):
        ax = figure.add_subplot(1, len(samples), place + 1)
        _show_grid(ax, images.reshape(images.shape[:2] + shape), 2, [str(c) for c in range(images.shape[1])])
        ax.set(xlabel="class", ylabel="one row per Gaussian" if place == 0 else "", title=title)
    figure.suptitle(dataset, fontsize=12)
    return figure


def sheet(images: np.ndarray, names: list[str], row: str | Sequence[str], title: str) -> Figure:
    """Show images, of shape (rows, columns, height, width), in a grid with a title.

    `names` has a name for each column.  `row` is one label for all rows, or a sequence with a name for each row.
    """
    width = images.shape[1] + 1.4 * (not isinstance(row, str))
    figure = Figure(figsize=(width, 0.9 * images.shape[0] + 1.2), dpi=110, layout="constrained")
    ax = figure.add_subplot(anchor="N")
    _show_grid(ax, images, 4, names, () if isinstance(row, str) else row)
    ax.set(ylabel=row if isinstance(row, str) else "")
    entitle(figure, title)
    return figure
