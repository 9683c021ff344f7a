"""Draw the pictures of the experiments.  Each picture answers one question.

A line shows the median over the seeds, and a band reaches from the lowest to the highest value.  A panel that shows a
single epoch has a dot for each run instead.  In such a panel, each label has its own row, and the best label is at the
top.
"""
from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from refimpl import plots
from refimpl.experiments import paper
from refimpl.experiments.records import Record

BAND = "line: median of the seeds, band: lowest to highest"
DOTS = "a dot is a seed, a stroke the median of the seeds"
ONE = "one seed"
THIN = "thin line: one seed, after the other seeds end"
CROSS = f"cross: paper, after {paper.EPOCHS} epochs"


@dataclass(frozen=True)
class Panel:
    title: str
    records: Sequence[Record]
    merit: str = "test_elbo"
    """The name of the column on the vertical axis."""
    against: str = "epoch"
    """The name of the column on the horizontal axis."""
    words: str = "epoch"
    unit: float = 1.0
    """The values on the horizontal axis are divided by this number."""
    log: bool = False
    symlog: float | None = None
    """If given, the horizontal axis is linear up to this value and logarithmic above it, so the axis can start at 0."""
    log_y: bool = False
    above: float | None = None
    """If given, only values up to this number of nats above the best value are shown."""
    sign: float = -1.0
    paper: Mapping[str, float] = field(default_factory=dict)
    """Maps labels of our runs to the paper's values."""
    last: bool = False
    """Whether the panel shows only the last epoch, as dots."""


def by_label(records: Sequence[Record]) -> dict[str, list[Record]]:
    groups: dict[str, list[Record]] = {}
    for record in records:
        groups.setdefault(record.label, []).append(record)
    return groups


def in_common(runs: Sequence[Record], column: str, key: str) -> list[float]:
    """Return the epochs or steps at which all runs have a value in `column`.  Runs without any value are ignored."""
    begun = [set(epochs) for record in runs if (epochs := record.epochs(column, key))]
    return sorted(set.intersection(*begun)) if begun else []


def curve(runs: Sequence[Record], column: str, against: str = "epoch", sign: float = -1.0
          ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return four arrays with one entry for each epoch or step at which all runs have a value.

    The first array holds the values of `against`.  The other three arrays hold `sign` times `column`: the median over
    the runs, the lowest value and the highest value.  Runs without any value are ignored.
    """
    key = "step" if against == "step" else "epoch"
    runs = [record for record in runs if record.epochs(column, key)]
    if not runs:
        return (np.empty(0),) * 4
    epochs = in_common(runs, column, key)
    values = np.array([[sign * record.at(epoch, column, key) for epoch in epochs] for record in runs])
    x = np.median([[record.at(epoch, against, key) for epoch in epochs] for record in runs], axis=0)
    return x, np.median(values, axis=0), values.min(axis=0), values.max(axis=0)


def only_epoch(panel: Panel) -> float | None:
    """Return the epoch that the panel shows as dots, or None if the panel shows curves."""
    if panel.against != "epoch":
        return None
    if panel.last:
        return max(in_common(panel.records, panel.merit, "epoch"), default=None)
    epochs = {epoch for runs in by_label(panel.records).values() for epoch in in_common(runs, panel.merit, "epoch")}
    return epochs.pop() if len(epochs) == 1 else None


def how_to_read(panels: Sequence[Panel]) -> str:
    groups = [(panel, only_epoch(panel), runs) for panel in panels for runs in by_label(panel.records).values()]
    longer = any(len({max(epochs) for record in runs if (epochs := record.epochs(panel.merit))}) > 1
                 for panel, dots, runs in groups if panel.against != "step" and dots is None)
    lines, one = {dots is None for _, dots, _ in groups}, all(len(runs) == 1 for _, _, runs in groups)
    marks = ((ONE, one),) if one else ((BAND, True in lines), (THIN, longer), (DOTS, False in lines))
    return "; ".join(words for words, some in (*marks, (CROSS, any(panel.paper for panel in panels))) if some)


def draw(panels: Sequence[Panel], ylabel: str, title: str, columns: int | None = None, width: float = 5.4,
         height: float = 3.5, alike: bool = False) -> Figure:
    """Draw the panels.  If `alike` is true, all panels have the same limits of the axes."""
    columns, named = columns or len(panels), []
    figure, axes = plots.new_figure(columns, math.ceil(len(panels) / columns), width=width, height=height)
    for place, (ax, panel) in enumerate(zip(axes, panels)):
        epoch = only_epoch(panel)
        if epoch is not None:
            _dots(ax, panel, epoch)
            ax.set(xlabel=ylabel, title=f"{panel.title}, after {epoch:g} epoch{'s' * (epoch != 1)}")
            continue
        if panel.log:
            ax.set_xscale("log")
        named.append((ax, _panel(ax, panel)))
        ax.set(xlabel=panel.words, ylabel=ylabel if place % columns == 0 else "", title=panel.title)
        if panel.symlog:
            ax.set_xscale("symlog", linthresh=panel.symlog)
            ax.set_xlim(0, max((line.get_xdata()[-1] for line in ax.lines), default=1))
        if panel.log or panel.symlog:
            low, high = ax.get_xlim()
            ticks = [tick for tick in ((0, 10, 100, 1000, 10_000) if panel.symlog else (1, 2, 5, 10, 20, 50, 100, 300))
                     if low <= tick <= high]
            if len(ticks) > 1:                              # otherwise matplotlib's own ticks: less than an epoch
                ax.set_xticks(ticks, [f"{tick:,}" for tick in ticks])
                ax.minorticks_off()
        elif panel.against == "epoch":
            ax.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)
        if panel.log_y:
            ax.set_yscale("log")
    if alike:
        for side in ("x", "y"):
            lows, highs = zip(*(getattr(ax, f"get_{side}lim")() for ax in axes))
            for ax in axes:
                ax.set(**{f"{side}lim": (min(lows), max(highs))})
    for ax, ends in named:
        plots.name_lines(ax, ends)
    plots.entitle(figure, title, how_to_read(panels))
    return figure


def _panel(ax: Axes, panel: Panel) -> list[tuple[str, float, float, str]]:
    """Return the ends of the lines in the form that plots.name_lines needs."""
    ends, starts = [], []
    for label, runs in by_label(panel.records).items():
        x, middle, low, high = curve(runs, panel.merit, panel.against, panel.sign)
        if not len(x):
            continue
        style = plots.line_style(label)
        key = "step" if panel.against == "step" else "epoch"
        longest = max(runs, key=lambda record: max(record.epochs(panel.merit, key), default=0))
        last_x, last_y = x, middle
        if longest.epochs(panel.merit, key)[-1] > in_common(runs, panel.merit, key)[-1]:       # it goes on alone
            last_x, last_y, _, _ = curve([longest], panel.merit, panel.against, panel.sign)
            ax.plot(last_x / panel.unit, last_y, linewidth=1.0, **style)
        ax.plot(x / panel.unit, middle, linewidth=1.8, label=label, marker="o" if len(x) < 8 else None, markersize=4,
                **style)
        if len(runs) > 1:
            ax.fill_between(x / panel.unit, low, high, color=style["color"], alpha=0.15, linewidth=0)
        ends.append((label, last_x[-1] / panel.unit, last_y[-1], style["color"]))
        starts.append((x / panel.unit, middle))
    for label, value in panel.paper.items():
        shade = plots.line_style(label)["color"]
        ax.plot(paper.EPOCHS, value, "x", color=shade, markersize=8, markeredgewidth=2)
        ends.append((f"paper: {label.removesuffix(' as released')}", paper.EPOCHS, value, shade))
    if starts and panel.above is not None:
        best = min(end[2] for end in ends)
        ax.set_ylim(best - 1, best + panel.above)
        first, inside = (min(found) for found in zip(*((x[0], x[np.argmax(middle < best + panel.above)])
                                                       for x, middle in starts)))
        if inside > first:
            ax.set_xlim(left=inside)
    return ends


def dots(ax: Axes, values: Sequence[float], place: float, colour: str, upright: bool = False) -> None:
    """Draw a dot for each run, and a stroke at the median.  The dots form a row, or a column if `upright` is true."""
    stroke = dict(marker="_" if upright else "|", markersize=15, markeredgewidth=2, alpha=1.0)
    for numbers, style in ((values, dict(marker="o", markersize=6, markeredgewidth=0, alpha=0.7)),
                           ([np.median(values)], stroke)):
        at = [place] * len(numbers)
        ax.plot(*((at, numbers) if upright else (numbers, at)), linestyle="none", color=colour, **style)


def _dots(ax: Axes, panel: Panel, epoch: float) -> None:
    values = {label: found for label, runs in by_label(panel.records).items()
              if (found := [panel.sign * record.at(epoch, panel.merit) for record in runs
                            if record.epochs(panel.merit)])}
    order = sorted(values, key=lambda label: float(np.median(values[label])), reverse=panel.sign < 0)
    far = min(map(min, values.values()), default=0.0) + (panel.above or math.inf)
    for place, label in enumerate(order):
        colour = plots.line_style(label)["color"]
        if max(values[label]) > far:
            ends = " to ".join(dict.fromkeys(f"{end(values[label]):.0f}" for end in (min, max)))
            ax.text(0.98, place, f"{ends} →", transform=ax.get_yaxis_transform(), ha="right", va="center",
                    fontsize=plots.TEXT, color=colour)
        else:
            dots(ax, values[label], place, colour)
        if label in panel.paper:
            ax.plot(panel.paper[label], place, "x", color=colour, markersize=8, markeredgewidth=2)
    ax.set_yticks(range(len(order)), order)
    ax.set_ylim(-0.6, len(order) - 0.4)
