"""Render few pictures: rendering one takes longer than training the small run that it shows.

Every figure is built, and its file contains the digest of its content.  The picture in the file, however, is a single
pixel, unless the test has the marker `drawn`.  Tests that look at pixels or at the way files are written have it.  With
`--slow`, each kind of picture is rendered once per process: a picture is skipped only if it is like an earlier one.
Two pictures are alike if they have the same name, the same axes and artists, the same text apart from digits, and
numbers of about the same size, all finite in both or not all finite in both.
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
    """Return a key that is equal for two pictures if the same lines of code draw them."""
    axes = [(ax.get_xscale(), ax.get_yscale(), len(ax.lines), len(ax.patches), len(ax.collections), len(ax.images),
             *(_size(line.get_xydata()) for line in ax.lines), *(_size(image.get_array()) for image in ax.images))
            for ax in figure.axes]
    words = [figure.get_suptitle(), *(text.get_text() for each in (figure, *figure.axes) for text in each.texts)]
    for ax in figure.axes:
        words += [ax.get_title(place) for place in ("left", "center", "right")] + [ax.get_xlabel(), ax.get_ylabel()]
        words += [text.get_text() for text in ax.get_legend().get_texts()] if ax.get_legend() else []
        for axis in (ax.xaxis, ax.yaxis):
            if isinstance(axis.get_major_formatter(), (FixedFormatter, FuncFormatter)):            # labels, not numbers
                words += [text.get_text() for text in axis.get_ticklabels()]
    words = [re.sub(r"[\d.,]+", "#", word) for word in words]
    return (Path(path).name, tuple(axes), tuple(words))


def _size(numbers) -> tuple:
    """Return whether there are numbers, whether all are finite, and the size of the largest in steps of 1,000."""
    numbers = np.ma.filled(np.ma.asarray(numbers, float), np.nan)
    finite = np.abs(numbers[np.isfinite(numbers)])
    largest = finite.max(initial=0)
    return (numbers.size > 0, finite.size == numbers.size, round(np.log10(largest) / 3) if largest else None)


def begin(every: bool, new: bool) -> None:
    """Choose for the next test whether plots.save renders every picture, only new kinds of pictures, or none."""
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
