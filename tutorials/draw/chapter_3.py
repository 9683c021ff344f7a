"""The figures of chapter 3."""
from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np

from draw import COLOURS, NAMES
from refimpl import plots


def noise(drawn, t, density) -> None:
    """A histogram of the sampled noise, and its density."""
    _, ax = plt.subplots(figsize=(6, 3.2))
    ax.hist(drawn, bins=130, range=(-4, 7), density=True, color="0.8", label="sampled")
    ax.plot(t, density, color=plots.TRUTH, label="density $F'(t)$")
    ax.set(xlabel="t", ylabel="density")
    ax.legend()


def heights(t, integrand, chances) -> None:
    """For each name, the density with which it wins at height t."""
    _, ax = plt.subplots(figsize=(6.5, 3.6))
    for z, (name, colour) in enumerate(zip(NAMES, COLOURS)):
        ax.plot(t, integrand[z], color=colour, linewidth=2.5, label=f"{name} wins: area {chances[z]:.3f}")
    ax.set(xlim=(-2, 7), ylim=(0, None), xlabel="height t at which it wins", ylabel="density")
    ax.legend(fontsize=12)


def clocks(X, first, when, S) -> None:
    """Left: eight draws of the three clocks. Right: the time of the first ring, with one panel for each winner."""
    figure = plt.figure(figsize=(10, 3.8))
    grid = figure.add_gridspec(3, 2, width_ratios=[1.4, 1])
    left = figure.add_subplot(grid[:, 0])
    for row in range(8):
        left.hlines(row, 0, 3, color="0.9", linewidth=1)
        for z in range(3):
            won = first[row] == z
            left.plot(X[row, z], row, marker="o" if won else "|", color=COLOURS[z], markersize=10 if won else 12,
                      markeredgewidth=2)
    left.set(xlabel="time (later rings are not shown)", yticks=[], ylabel="eight draws", xlim=(-0.05, 3),
             title="dot: the first ring")
    times = np.linspace(0, 1.5, 31)
    for z, (name, colour) in enumerate(zip(NAMES, COLOURS)):
        ax = figure.add_subplot(grid[z, 1])
        ax.hist(when[first == z], bins=times, density=True, color=colour, alpha=0.6)
        ax.plot(times, S * np.exp(-S * times), color=plots.TRUTH, linewidth=2)
        ax.text(0.97, 0.75, f"{name} rings first", transform=ax.transAxes, ha="right", color=colour, fontsize=11)
        ax.set(ylim=(0, 4.3), yticks=[0, 2, 4])
        if z < 2:
            ax.tick_params(labelbottom=False)
    ax.set_xlabel("time of the first ring; black: $S e^{-S t}$")


def other_noise(scores, of_dress, odds) -> None:
    """The probability of the dress and the odds of shirt against coat, against the score of the dress."""
    _, (left, right) = plt.subplots(1, 2, figsize=(9, 3.2))
    for name, colour, style in (("Gumbel", plots.TRUTH, "-"), ("Gaussian", plots.FURTHER[1], "--"),
                                ("Laplace", plots.FURTHER[2], "-.")):
        left.plot(scores, of_dress[name], style, color=colour, label=name)
        right.plot(scores, odds[name], style, color=colour, linewidth=2)
    left.set(xlabel="score of the dress", ylabel="probability of the dress")
    right.set(xlabel="score of the dress", ylabel="odds, shirt : coat", ylim=(1.5, 3.2))
    left.legend(fontsize=9)
