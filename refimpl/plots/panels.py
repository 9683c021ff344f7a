"""The panels that stand beside the walls in the explorer: the joint law, the errors against eps, one draw.

Each makes its artists once and moves them in `update`, so that a redraw is cheap; `artists` are those that move.
"""
from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes

from refimpl import direct, gumbel, plots
from refimpl.plots import walls
from refimpl.plots.outline import Outline

GRID = np.geomspace(0.01, 10.0, 41)                     # of eps, for the errors


class Law:
    """P(z* = i, z*(eps) = j) as a heat map, its sums beside and below it: q and q_eps."""

    def __init__(self, ax: Axes, names: Sequence[str] = walls.NAMES) -> None:
        self.image = ax.imshow(np.zeros((3, 3)), cmap="Greys", vmin=0, vmax=1, interpolation="nearest",
                               extent=(-0.5, 2.5, 2.5, -0.5))
        middle = dict(ha="center", va="center", size=11.5)
        self.cells = [[Outline(ax, j, i, **middle) for j in range(3)] for i in range(3)]
        self.q = [Outline(ax, 3.05, i, **middle) for i in range(3)]
        self.q_eps = [Outline(ax, j, 2.85, **middle) for j in range(3)]
        self.stays = Outline(ax, -0.34, 1.24, transform=ax.transAxes)
        ax.set(xlim=(-0.5, 3.5), ylim=(3.2, -0.5), ylabel="z*, by h")
        ax.set_xticks([0, 1, 2, 3.05], [*names, "q"])
        ax.set_yticks([0, 1, 2, 2.85], [*names, r"$q_\epsilon$"])
        ax.xaxis.tick_top()
        ax.set_xlabel("z(ε), by h + εf", fontsize=12)
        ax.xaxis.set_label_position("top")
        ax.tick_params(length=0, labelsize=12)
        for spine in ax.spines.values():
            spine.set_visible(False)

    @property
    def artists(self) -> list[Artist]:
        return [self.image, *(cell for row in self.cells for cell in row), *self.q, *self.q_eps, self.stays]

    def update(self, h: np.ndarray, f: np.ndarray, eps: float) -> None:
        law = direct.joint_law(h, f, eps)
        self.image.set_data(law)
        for row, chances in zip(self.cells, law):
            for cell, chance in zip(row, chances):
                cell.set_text(f"{chance:.3f}" if chance else "0")       # a pair only climbs: exact zeros
                cell.set_facecolor("1" if chance > 0.5 else "0")
        for texts, chances in ((self.q, law.sum(axis=1)), (self.q_eps, law.sum(axis=0))):
            for text, chance in zip(texts, chances):
                text.set_text(f"{chance:.3f}")
        self.stays.set_text(f"The pair of winners: equal in {np.trace(law):.1%}")


class Errors:
    """Bias, standard deviation and root mean squared error of the mean over some draws against eps, exact."""

    NAMES = ("bias", "standard deviation", "root mean squared error")

    def __init__(self, ax: Axes, draws: int, spread: float) -> None:
        """draws: how many are averaged.  spread: of f, nats, which the axis is made for."""
        self.draws = draws
        styles = ((plots.FURTHER[0], "--"), (plots.FURTHER[1], ":"), (plots.TRUTH, "-"))
        self.lines = [ax.loglog([1.0], [1.0], dash, color=colour, linewidth=2.2, label=name)[0]
                      for name, (colour, dash) in zip(self.NAMES, styles)]
        self.here = ax.axvline(1.0, color="0.6", linewidth=1.2)
        self.points = ax.plot([1.0] * 3, [1.0] * 3, "o", color="0", markersize=7)[0]
        self.value = Outline(ax, 0.03, 0.97, size=11, va="top", transform=ax.transAxes)
        ax.set(xlim=(GRID[0], GRID[-1]), ylim=(2e-4 * spread, 3 * spread), xlabel="ε, 1/nat", ylabel="nats")
        ax.set_title(f"Error of a mean of {draws:,} draws", fontsize=12, loc="left", x=-0.22, pad=62)
        ax.set_xticks([0.01, 0.1, 1, 10], ["0.01", "0.1", "1", "10"])
        ax.legend(frameon=False, fontsize=11, loc="lower left", bbox_to_anchor=(-0.22, 1.0), borderaxespad=0,
                  labelspacing=0.25)                    # above: inside, the lines would move over it

    @property
    def artists(self) -> list[Artist]:
        return [self.here, *self.lines, self.points, self.value]

    def update(self, h: np.ndarray, f: np.ndarray, eps: float) -> None:
        at = np.append(GRID, eps)                       # the last one is where the explorer stands
        bias = np.linalg.norm(direct.bias(h, f, at), axis=-1)
        deviation = np.sqrt(direct.variance(h, f, at).sum(axis=-1) / self.draws)
        error = np.sqrt(direct.mse(h, f, at, self.draws))
        for line, values in zip(self.lines, (bias, deviation, error)):
            line.set_data(GRID, values[:-1])
        self.here.set_xdata([eps, eps])
        self.points.set_data([eps] * 3, [bias[-1], deviation[-1], error[-1]])
        self.value.set_text(f"error at this ε: {error[-1]:.3g} nats")


class OneDraw:
    """One draw's perturbed scores, before and after eps f, its two winners, and the gradient that they make."""

    PLACES = np.array([0, 1, 2, 4, 5, 6])

    def __init__(self, ax: Axes, names: Sequence[str] = walls.NAMES, colours: Sequence[str] = walls.COLOURS) -> None:
        self.ax, self.names = ax, names
        self.bars = list(ax.bar(self.PLACES, 1.0, color=[*colours, *colours], width=0.85))
        self.values = [Outline(ax, place, 0.0, size=11, ha="center") for place in self.PLACES]
        self.winners = ax.plot([0, 4], [0, 0], "*", color="0", markersize=15, clip_on=False)[0]
        self.zero = ax.axhline(0, color="0.3", linewidth=1)
        self.gradient = Outline(ax, 0.0, -0.42, transform=ax.transAxes)
        ax.set(xlim=(-0.8, 6.8), ylim=(0, 1))
        ax.set_xticks(self.PLACES, [*names, *names])
        ax.text(0.24, 1.06, "h + γ", transform=ax.transAxes, fontsize=13, ha="center")
        ax.text(0.76, 1.06, "εf + h + γ", transform=ax.transAxes, fontsize=13, ha="center")
        ax.set_yticks([])                               # the bars carry their numbers: an axis would have to be redrawn
        ax.tick_params(length=0, labelsize=12)
        ax.spines["left"].set_visible(False)
        ax.spines["bottom"].set_visible(False)

    @property
    def artists(self) -> list[Artist]:
        return [*self.bars, self.zero, *self.values, self.winners, self.gradient]

    def update(self, h: np.ndarray, f: np.ndarray, eps: float, gammas: np.ndarray) -> None:
        """gammas: (3,), the noise of this draw."""
        heights = np.concatenate([h + gammas, eps * f + h + gammas])
        span = max(heights.max(), 0) - min(heights.min(), 0)
        self.ax.set_ylim(min(heights.min(), 0) - 0.3 * span, max(heights.max(), 0) + 0.55 * span)
        for place, bar, text, height in zip(self.PLACES, self.bars, self.values, heights):
            bar.set_height(height)
            above = height >= 0
            text.set_anchor(place, height + (0.03 if above else -0.03) * span, "baseline" if above else "top")
            text.set_text(f"{height:.2f}".replace("-", "−"))
        old, new = (int(z) for z in direct.argmax_pair(h, f, eps, gammas))
        tops = heights[[old, 3 + new]]
        tops = np.where(tops > 0, tops + 0.4 * span, 0.2 * span)            # a number stands on a bar that goes up
        self.winners.set_data(self.PLACES[[old, 3 + new]], tops)
        g = (gumbel.one_hot(np.array(new), 3) - gumbel.one_hot(np.array(old), 3)) / eps
        words = ", ".join(f"{entry:+.3g}" if entry else "0" for entry in g).replace("-", "−")
        self.gradient.set_text(f"the same winner, {self.names[old]}: gradient (0, 0, 0)" if old == new else
                               f"{self.names[old]} → {self.names[new]}: gradient in h ({words})")
