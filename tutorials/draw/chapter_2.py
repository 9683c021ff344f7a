"""The figures of chapter 2."""
from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np

from draw import COLOURS, NAMES
from refimpl import plots
from refimpl.plots import walls


def wall(delta_1, t, density, old, new) -> None:
    """The density of the difference of the noise of two values, with the old and the new place of the wall."""
    _, ax = plt.subplots(figsize=(6.5, 3.4))
    ax.plot(t, density, color=plots.TRUTH)
    ax.hist(delta_1, bins=120, range=(-6, 6), density=True, color="0.85")
    for place, style, words in ((old, "-", "wall"), (new, "--", "wall, eps = 0.2")):
        ax.axvline(place, color=plots.TRUTH, linestyle=style, label=words)
    strip = (t > old) & (t < new)
    ax.fill_between(t[strip], density[strip], color=COLOURS[0], alpha=0.6, label="coat before, shirt after")
    ax.text(-5.5, 0.12, "shirt wins", color=COLOURS[0], fontsize=16, fontweight="bold")
    ax.text(3.0, 0.09, "coat wins", color=COLOURS[1], fontsize=16, fontweight="bold")
    ax.set(xlabel="$\\Delta_1 = \\gamma_1 - \\gamma_0$", ylabel="density", xlim=(-6, 8))
    ax.legend(fontsize=12, loc="upper right")


def clouds(h, f, values, noise) -> None:
    """The draws with the Y of h and the Y of h + eps f.

    A draw whose winner changes is a large dot: the left half has the colour of the old winner, the right of the new.
    """
    _, axes = plt.subplots(1, len(values), figsize=(12, 4.7), sharey=True)
    points = walls.differences(noise)
    old = (h + noise).argmax(axis=1)
    for ax, eps in zip(axes, values):
        new = (h + eps * f + noise).argmax(axis=1)
        for scores, style, width in ((h, "-", 2.5), (h + eps * f, "--", 2.5)):
            for segment in walls.y_lines(scores):
                ax.plot(*segment.T, style, color=plots.TRUTH, linewidth=width, zorder=2)
        for z in range(3):
            ax.plot(*points[(old == z) & (new == z)].T, "o", color=COLOURS[z], markersize=3.5, alpha=0.6,
                    markeredgewidth=0)
        for place in np.flatnonzero(old != new):
            ax.plot(*points[place], "o", markersize=13, fillstyle="left", markerfacecolor=COLOURS[old[place]],
                    markerfacecoloralt=COLOURS[new[place]], markeredgecolor="white", markeredgewidth=1, zorder=3)
        for z, (corner, name) in enumerate(zip(walls.CORNERS, NAMES)):
            ax.text(*corner, name, transform=ax.transAxes, color=COLOURS[z], fontsize=16, fontweight="bold",
                    ha="left" if corner[0] < 0.5 else "right", va="bottom" if corner[1] < 0.5 else "top",
                    bbox={"facecolor": "white", "edgecolor": "none", "pad": 1})
        ax.set(xlim=(-4, 4), ylim=(-4, 4), aspect="equal", xlabel="$\\Delta_1$, coat minus shirt")
        ax.set_title(f"eps = {eps:g}: {np.sum(old != new)} of {len(noise)} change", fontsize=15)
    axes[0].set_ylabel("$\\Delta_2$, dress minus shirt")


def estimates(grid, means, errors, fine, exact, limit) -> None:
    """Means of estimates with two standard errors against eps, with the exact mean and its limit."""
    _, ax = plt.subplots(figsize=(6.5, 3.4))
    ax.axhline(limit, color=plots.TRUTH, linewidth=3, label="true gradient")
    ax.semilogx(fine, exact, color="0.5", label="exact mean $(q_\\epsilon - q) / \\epsilon$")
    ax.errorbar(grid, means, errors, fmt="o", color=plots.colour("direct"), label="4,000 draws, ± 2 standard errors")
    ax.set(xlabel="eps, 1/nat", ylabel="component of the shirt, nats")
    ax.legend(fontsize=9)


def atoms(scores, means, eps, quotients) -> None:
    """For noise that is +1 or -1: E f against the score of value 1, and the quotient against eps."""
    _, (left, right) = plt.subplots(1, 2, figsize=(9, 3.2))
    left.plot(scores, means, ".", color=plots.TRUTH, markersize=3)
    left.set(xlabel="score of value 1", ylabel="E f, nats")
    right.loglog(eps, quotients, "o", color=plots.colour("direct"), markersize=4)
    right.set(xlabel="eps, 1/nat", ylabel="quotient, nats")


def race(runs) -> None:
    """E f against the step, one panel for each method.  runs: {title: (colour, values (steps, runs))}."""
    _, axes = plt.subplots(1, len(runs), figsize=(3 * len(runs), 3.2), sharey=True)
    for ax, (name, (colour, values)) in zip(axes, runs.items()):
        ax.plot(values, color=colour, alpha=0.6)
        ax.set(title=name, xlabel="step")
    axes[0].set_ylabel("E f, nats")
