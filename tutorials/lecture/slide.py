"""The frame of every page: 16:9, with a sentence as the title, and letters that can be read from the last row."""
from __future__ import annotations

import textwrap
from collections.abc import Sequence

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from refimpl.plots import walls

SIZE = (13.333, 7.5)                    # inches
TITLE, LABEL, SMALL = 30, 22, 18        # points: of the title, of the text in a picture, of the page's number
LETTERS = 50                            # in a line of a title, which has two lines at most
SETTINGS = {"font.size": LABEL, "axes.labelsize": LABEL, "axes.titlesize": LABEL, "xtick.labelsize": 20,
            "ytick.labelsize": 20, "legend.fontsize": 20, "legend.frameon": False, "lines.linewidth": 3.5,
            "axes.linewidth": 1.5, "axes.spines.top": False, "axes.spines.right": False, "axes.grid": True,
            "axes.axisbelow": True, "grid.color": "0.9", "grid.linewidth": 1.2, "mathtext.fontset": "cm",
            "figure.dpi": 100}
WHOLE = (0.11, 0.14, 0.85, 0.60)        # place of a single picture, in parts of the page: left, bottom, width, height
LEFT, RIGHT = (0.08, 0.14, 0.40, 0.56), (0.57, 0.14, 0.40, 0.56)


def lines(title: str) -> str:
    """The title, broken into lines."""
    return textwrap.fill(title, LETTERS)


def new(title: str, number: int) -> Figure:
    """An empty page with its title and its number.  matplotlib's rcParams keep SETTINGS afterwards."""
    matplotlib.rcParams.update(SETTINGS)
    figure = Figure(figsize=SIZE)
    figure.text(0.04, 0.955, lines(title), fontsize=TITLE, va="top", linespacing=1.15)
    figure.add_artist(Line2D([0.04, 0.96], [0.795, 0.795], color="0.75", linewidth=2))
    figure.text(0.97, 0.025, f"{number}", fontsize=SMALL, color="0.4", ha="right")
    return figure


def formula(figure: Figure, x: float, y: float, text: str, size: float = 30, **more: object) -> None:
    """A formula or a line of text, with its left end at x and its middle at y, in parts of the page."""
    figure.text(x, y, text, fontsize=size, va="center", **more)


def named(ax: Axes, places: Sequence[float], names: Sequence[str] = walls.NAMES) -> None:
    """Write the names of the three values along the x axis."""
    ax.set_xticks(places, names)
    ax.tick_params(axis="x", length=0)
    ax.grid(visible=False, axis="x")


def bare(ax: Axes) -> None:
    """Remove the frame, the ticks and the grid."""
    ax.set(xticks=[], yticks=[])
    ax.grid(visible=False)
    ax.spines[:].set_visible(False)


def number(value: float, digits: int = 3, sign: bool = False) -> str:
    """The value as text, with a minus sign that is as long as a plus sign."""
    return f"{value:{'+' if sign else ''}.{digits}f}".replace("-", "−")


def vector(values: Sequence[float], digits: int = 3) -> str:
    return "(" + ",  ".join(number(value, digits, sign=True) for value in values) + ")"
