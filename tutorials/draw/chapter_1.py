"""The figures of chapter 1."""
from __future__ import annotations

import math

import matplotlib.pyplot as plt
import numpy as np

from draw import COLOURS, NAMES
from refimpl import plots


def staircase(w, one, ten, coarse, smooth) -> None:
    """f of the chosen name against w: for one draw, the mean of ten draws, and the mean of all at weights `coarse`."""
    _, ax = plt.subplots(figsize=(6.5, 3.4))
    ax.plot(coarse, smooth, color=plots.TRUTH, linewidth=3, label="mean of 100,000 draws")
    ax.plot(w, one, color=plots.FURTHER[1], label="one draw")
    ax.plot(w, ten, color=plots.FURTHER[0], label="mean of ten draws")
    ax.set(xlabel="weight w", ylabel="$f(z^{\\star})$, nats")
    ax.legend(fontsize=9)


def matching(right, n) -> None:
    """Left: the work for the sum and for the arg max. Right: the share of right captions in training (runs, steps)."""
    _, (left, ax) = plt.subplots(1, 2, figsize=(9, 3.5))
    sizes = np.arange(2, 61)
    left.semilogy(sizes, [float(math.factorial(size)) for size in sizes], color="0.6", linewidth=2.5)
    left.semilogy(sizes, sizes * 2.0**sizes, color=plots.TRUTH, linewidth=2.5)
    left.semilogy(sizes, sizes**3.0, color=plots.colour("direct"), linewidth=2.5)
    left.text(33, 1e50, "terms of the sum", color="0.4", ha="right", fontsize=11)
    left.text(60, 1e23, "steps of Ryser's formula", ha="right", fontsize=11)
    left.text(60, 1e-8, "steps of the arg max", color=plots.colour("direct"), ha="right", fontsize=11)
    left.axvline(n, color="0.6", linestyle=":", zorder=0)
    left.set(xlabel="number of photos and captions", ylabel="number",
             yticks=[1, 1e20, 1e40, 1e60, 1e80], ylim=(1e-12, 1e85))
    ax.plot(np.asarray(right).T, color=plots.colour("direct"), alpha=0.35, linewidth=1)
    ax.plot(np.mean(right, axis=0), color=plots.TRUTH, linewidth=2.5)
    ax.set(xlabel="training step", ylabel="share of right captions", ylim=(0, 1.02))


def lines(eps, heights, winner, f, scores, over_scores) -> None:
    """The lines (eps, 3) and their maximum; the slope of the maximum; the maximum against the score of the shirt."""
    _, (left, middle, right) = plt.subplots(1, 3, figsize=(12, 3.5))
    left.plot(eps, heights.max(axis=1), color="0.75", linewidth=8, label="maximum", solid_capstyle="round")
    for z, (name, colour) in enumerate(zip(NAMES, COLOURS)):
        left.plot(eps, heights[:, z], color=colour, label=f"{name}, slope {f[z]:g}")
        middle.plot(eps[winner == z], f[winner[winner == z]], color=colour, linewidth=4)
    left.set(xlabel="eps, 1/nat", ylabel="eps f + h + noise")
    left.legend(fontsize=9)
    middle.set(xlabel="eps, 1/nat", ylabel="slope of the maximum, nats")
    right.plot(scores, over_scores, color="0.75", linewidth=8, solid_capstyle="round")
    right.set(xlabel="h(shirt), with eps = 0", ylabel="maximum")


def averages(grid, curves) -> None:
    """The mean maximum and the mean slope against eps.  curves: {draws: (maxima, slopes)}; most draws in black."""
    _, (left, right) = plt.subplots(1, 2, figsize=(9, 3.4), sharex=True)
    looks = ("0.7", 1.5), (plots.FURTHER[1], 1.5), (plots.TRUTH, 4), (plots.FURTHER[0], 1.5)
    order = sorted(curves, key=lambda draws: draws != max(curves))             # the thick black line lies below
    looks = dict(zip(sorted(curves), (looks[0], looks[1], looks[3], looks[2])))
    for draws in order:
        colour, width = looks[draws]
        left.plot(grid, curves[draws][0], color=colour, linewidth=width, label=f"{draws:,} draw{'s' * (draws > 1)}")
        right.plot(grid, curves[draws][1], color=colour, linewidth=width)
    left.set(xlabel="eps, 1/nat", ylabel="mean maximum")
    right.set(xlabel="eps, 1/nat", ylabel="mean slope of the winner, nats")
    left.legend(fontsize=9)


def learnt(runs) -> None:
    """The scores (runs, steps, 3) during training."""
    _, ax = plt.subplots(figsize=(6.5, 3.4))
    for z, (name, colour) in enumerate(zip(NAMES, COLOURS)):
        ax.plot(runs[:, :, z].T, color=colour, alpha=0.4)
        ax.plot([], [], color=colour, label=name)
    ax.set(xlabel="step", ylabel="score h", xlim=(0, 480))
    ax.legend(fontsize=9, loc="center right")
