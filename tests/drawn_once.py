"""Few pictures are rendered: to render one takes longer than to train the small run that it shows.

Every figure is built, and its file holds the digest of its content.  But unless the test carries the marker `drawn`, as
tests do that look at pixels or at the way in which files are written, the file shows a single pixel.  With `--slow`
each kind of picture is rendered once in every process: a picture is left out only if it is like an earlier one.  Two
pictures are alike if they have the same name and the same axes, artists and words, digits aside, and numbers of about
the same size, all of them finite or not.
"""
from __future__ import annotations

import functools
import re
import sys
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FixedFormatter, FuncFormatter

SEEN: set[tuple] = set()
state = {"every": False, "new": False}


def likeness(figure: Figure, path: Path) -> tuple:
    """Return what two pictures have in common if the same lines of code draw them."""
    axes = [(ax.get_xscale(), ax.get_yscale(), len(ax.lines), len(ax.patches), len(ax.collections), len(ax.images),
             *(_size(line.get_xydata()) for line in ax.lines), *(_size(image.get_array()) for image in ax.images))
            for ax in figure.axes]
    words = [figure.get_suptitle(), *(text.get_text() for each in (figure, *figure.axes) for text in each.texts)]
    for ax in figure.axes:
        words += [ax.get_title(place) for place in ("left", "center", "right")] + [ax.get_xlabel(), ax.get_ylabel()]
        words += [text.get_text() for text in ax.get_legend().get_texts()] if ax.get_legend() else []
        for axis in (ax.xaxis, ax.yaxis):
            if isinstance(axis.get_major_formatter(), (FixedFormatter, FuncFormatter)):             # words of one's own
                words += [text.get_text() for text in axis.get_ticklabels()]
    words = [re.sub(r"[\d.,]+", "#", word) for word in words]
    return (Path(path).name, tuple(axes), tuple(words))


def _size(numbers) -> tuple:
    """Whether there are some, whether all are finite, and the largest to three decades."""
    numbers = np.ma.filled(np.ma.asarray(numbers, float), np.nan)
    finite = np.abs(numbers[np.isfinite(numbers)])
    largest = finite.max(initial=0)
    return (numbers.size > 0, finite.size == numbers.size, round(np.log10(largest) / 3) if largest else None)


def begin(every: bool, new: bool) -> None:
    """For the test that begins, before it calls plots.save: render every picture, or those that are new, or none."""
    state.update(every=every, new=new)
    plots = sys.modules.get("refimpl.plots")
    if plots is not None and not hasattr(plots.save, "__wrapped__"):
        plots.save = _once(plots.save)


def _once(save):
    @functools.wraps(save)
    def save_once(figure: Figure, path: Path) -> None:
        alike = None if state["every"] else likeness(figure, path)
        if alike and (alike in SEEN or not state["new"]):
            figure.savefig = Figure(figsize=(0.1, 0.1), dpi=10).savefig
        save(figure, path)
        if alike:
            SEEN.add(alike)

    return save_once
