"""How runs of an experiment are drawn, from their rows: one question a picture, at most six lines.

A line is the median over the seeds, its band reaches from the lowest to the highest.  Runs that were measured at one
epoch only make no line: each seed is a dot then, one row per run, the best at the top.
"""
from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from refimpl import plots
from refimpl.experiments.records import Record

MOST = 6                                                # lines a panel
BAND = "line: median of the seeds, band: lowest to highest"
DOTS = "a dot is a seed, a stroke the median of the seeds"
ONE = "one seed"
THIN = "thin: one seed goes on alone"


@dataclass(frozen=True)
class Panel:
    """One pair of axes: these runs, minus this column against that one."""

    title: str
    records: Sequence[Record]
    merit: str = "test_elbo"
    against: str = "epoch"
    words: str = "epoch"
    unit: float = 1.0
    """What the abscissa is divided by."""
    log: bool = False
    symlog: float | None = None
    """Up to where the abscissa is linear, and then logarithmic: for one that starts at 0."""
    log_y: bool = False
    above: float | None = None
    """Nats above the best that are shown; None for all."""
    sign: float = -1.0


def by_label(records: Sequence[Record]) -> dict[str, list[Record]]:
    groups: dict[str, list[Record]] = {}
    for record in records:
        groups.setdefault(record.label, []).append(record)
    return groups


def _in_common(runs: Sequence[Record], column: str, key: str) -> list[float]:
    """The epochs, or steps, at which all runs that have the column at all have it."""
    begun = [set(epochs) for record in runs if (epochs := record.epochs(column, key))]
    return sorted(set.intersection(*begun)) if begun else []


def curve(runs: Sequence[Record], column: str, against: str = "epoch", sign: float = -1.0
          ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """(x, median, lowest, highest) of a column over the seeds, at the epochs that every run has it.  A run that has not
    come to its first value yet does not count."""
    key = "step" if against == "step" else "epoch"
    runs = [record for record in runs if record.epochs(column, key)]
    if not runs:
        return (np.empty(0),) * 4
    epochs = _in_common(runs, column, key)
    values = np.array([[sign * record.at(epoch, column, key) for epoch in epochs] for record in runs])
    x = np.median([[record.at(epoch, against, key) for epoch in epochs] for record in runs], axis=0)
    return x, np.median(values, axis=0), values.min(axis=0), values.max(axis=0)


def only_epoch(panel: Panel) -> float | None:
    """The one epoch at which all runs of the panel have the column; None if there is a curve to be drawn."""
    if panel.against != "epoch":
        return None
    epochs = {epoch for runs in by_label(panel.records).values() for epoch in _in_common(runs, panel.merit, "epoch")}
    return epochs.pop() if len(epochs) == 1 else None


def how_to_read(panels: Sequence[Panel]) -> str:
    if all(len(runs) == 1 for panel in panels for runs in by_label(panel.records).values()):
        return ONE
    alone = [only_epoch(panel) is not None for panel in panels]
    longer = any(len({max(epochs) for record in runs if (epochs := record.epochs(panel.merit))}) > 1
                 for panel in panels if panel.against != "step" for runs in by_label(panel.records).values())
    return "; ".join(words for words, some in ((BAND, not all(alone)), (THIN, longer), (DOTS, any(alone))) if some)


def draw(panels: Sequence[Panel], ylabel: str, title: str, columns: int | None = None, width: float = 4.6,
         height: float = 3.5) -> Figure:
    """The panels side by side, one legend below them all."""
    columns = columns or len(panels)
    figure, axes = plots.new_figure(columns, math.ceil(len(panels) / columns), width=width, height=height)
    for place, (ax, panel) in enumerate(zip(axes, panels)):
        epoch = only_epoch(panel)
        if epoch is not None:
            _dots(ax, panel, epoch)
            ax.set(xlabel=ylabel, title=f"{panel.title}, after {epoch:g} epoch{'s' * (epoch != 1)}")
            continue
        _panel(ax, panel)
        ax.set(xlabel=panel.words, ylabel=ylabel if place % columns == 0 else "", title=panel.title)
        if panel.log:
            ax.set_xscale("log")
        elif panel.against == "epoch":
            ax.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)
        if panel.log_y:
            ax.set_yscale("log")
        if panel.symlog:
            ax.set_xscale("symlog", linthresh=panel.symlog)
            last = max(line.get_xdata()[-1] for line in ax.lines)
            decades = 10.0 ** np.arange(1, 7)
            ax.set_xticks([0, *decades[(decades > panel.symlog) & (decades <= last)]])
            ax.set_xlim(0, last)
    handles = {line.get_label(): line for ax in axes for line in ax.lines if not line.get_label().startswith("_")}
    letters = 7 + max(map(len, handles), default=0)                         # of an entry, its line and margins included
    fit = int(11 * width * columns / letters)                               # about eleven letters an inch
    if handles:
        figure.legend(handles.values(), handles.keys(), loc="outside lower center",
                      ncols=max(1, min(fit, MOST, len(handles))), frameon=False, fontsize=10)
    figure.suptitle(title, fontsize=12)
    return figure


def _panel(ax: Axes, panel: Panel) -> None:
    ends = []
    for label, runs in by_label(panel.records).items():
        x, middle, low, high = curve(runs, panel.merit, panel.against, panel.sign)
        if not len(x):
            continue
        style = plots.line_style(label)
        key = "step" if panel.against == "step" else "epoch"
        end = middle[-1]
        longest = max(runs, key=lambda record: max(record.epochs(panel.merit, key), default=0))
        far = curve([longest], panel.merit, panel.against, panel.sign)       # beyond what all seeds have: one of them
        alone = np.array(longest.epochs(panel.merit, key)) >= _in_common(runs, panel.merit, key)[-1]
        if alone.sum() > 1:
            end = min(end, far[1][-1])
            ax.plot(far[0][alone] / panel.unit, far[1][alone], linewidth=1.0, **style)
        ax.plot(x / panel.unit, middle, linewidth=1.8, label=label, marker="o" if len(x) < 8 else None, markersize=4,
                **style)
        if len(runs) > 1:
            ax.fill_between(x / panel.unit, low, high, color=style["color"], alpha=0.15, linewidth=0)
        ends.append(end)
    if ends and panel.above is not None:
        ax.set_ylim(min(ends) - 1, min(ends) + panel.above)


def _dots(ax: Axes, panel: Panel, epoch: float) -> None:
    values = {label: found for label, runs in by_label(panel.records).items()
              if (found := [panel.sign * record.at(epoch, panel.merit) for record in runs
                            if record.epochs(panel.merit)])}
    order = sorted(values, key=lambda label: float(np.median(values[label])), reverse=True)
    for place, label in enumerate(order):
        style = {"color": plots.line_style(label)["color"], "linestyle": "none"}
        ax.plot(values[label], [place] * len(values[label]), marker="o", markersize=6, alpha=0.7, **style)
        ax.plot(np.median(values[label]), place, marker="|", markersize=20, markeredgewidth=2, **style)
    ax.set_yticks(range(len(order)), order)
    ax.set_ylim(-0.6, len(order) - 0.4)
