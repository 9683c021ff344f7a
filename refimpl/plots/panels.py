"""Plot three of the explorer's four panels: the joint law, the errors for a range of eps, and one draw.

Each function empties its axes and draws on them again.  New axes would be slower, because they need new ticks.
"""
from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from refimpl import direct, plots
from refimpl.plots import walls

GRID = np.geomspace(0.01, 10.0, 41)                     # values of eps in the panel of errors
PLACES = np.array([0, 1, 2, 4, 5, 6])                   # x of the bars that show one draw
ERRORS = (("bias", plots.FURTHER[0], "--"), ("standard deviation", plots.FURTHER[1], ":"),
          ("root mean square", plots.TRUTH, "-"))


def _empty(ax: Axes) -> None:
    for artist in [*ax.lines, *ax.patches, *ax.images, *ax.texts]:
        artist.remove()


def law(ax: Axes, h: np.ndarray, f: np.ndarray, eps: float, names: Sequence[str]) -> None:
    """Show P(z* = i, z(eps) = j) as a heat map, with the row sums q on its right and the column sums q_eps below it."""
    _empty(ax)
    chances = direct.joint_law(h, f, eps)
    ax.imshow(chances, cmap="Greys", vmin=0, vmax=1)
    cells = [(j, i, chance) for (i, j), chance in np.ndenumerate(chances)]
    cells += [(3.15, i, chance) for i, chance in enumerate(chances.sum(axis=1))]
    cells += [(j, 2.9, chance) for j, chance in enumerate(chances.sum(axis=0))]
    for x, y, chance in cells:                          # exactly 0 if f(j) is smaller than f(i)
        ax.text(x, y, f"{chance:.3f}" if chance else "0", ha="center", va="center",
                color="1" if chance > 0.5 and max(x, y) <= 2 else "0")
    ax.set(xlim=(-0.5, 3.6), ylim=(3.2, -0.5), aspect="auto", xlabel="z(ε), by h + εf", ylabel="z*, by h")
    ax.set_title(f"The same winner: {np.trace(chances):.1%}")
    ax.set_xticks([0, 1, 2, 3.15], [*names, "q"])
    ax.set_yticks([0, 1, 2, 2.9], [*names, r"$q_\epsilon$"])
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)


def errors(ax: Axes, h: np.ndarray, f: np.ndarray, eps: float, draws: int) -> None:
    """Plot the errors of the average of several gradients; `draws` is their number.  Dots mark the given `eps`."""
    _empty(ax)
    if ax.get_xscale() != "log":                        # setting the scale again would make new ticks
        ax.set(xscale="log", yscale="log")
        ax.minorticks_off()
    at = np.append(GRID, eps)                           # the last entry is the explorer's eps
    values = (np.linalg.norm(direct.bias(h, f, at), axis=-1),
              np.sqrt(direct.variance(h, f, at).sum(axis=-1) / draws), np.sqrt(direct.mse(h, f, at, draws)))
    for (name, colour, dash), value in zip(ERRORS, values):
        ax.plot(GRID, value[:-1], dash, color=colour, linewidth=2.2, label=f"{name}: {value[-1]:.3g}")
    ax.axvline(eps, color="0.6", linewidth=1.2)
    ax.plot([eps] * 3, [value[-1] for value in values], "o", color="0", markersize=7)
    ax.set(xlim=(GRID[0], GRID[-1]), ylim=(2e-4 * np.ptp(f), 3 * np.ptp(f)), xlabel="ε, 1/nat", ylabel="nats")
    ax.set_xticks([0.01, 0.1, 1, 10], ["0.01", "0.1", "1", "10"])
    # The legend is above the axes, because inside them the curves would cross it.
    ax.legend(title=f"Error of a mean of {draws:,} draws", alignment="left", loc="lower left",
              bbox_to_anchor=(-0.3, 1.0), handlelength=1.5, borderaxespad=0)


def one_draw(ax: Axes, h: np.ndarray, f: np.ndarray, eps: float, gammas: np.ndarray, names: Sequence[str]) -> None:
    """Show the scores and the winners of one draw of the noise, `gammas`, which has shape (3,)."""
    _empty(ax)
    heights = np.concatenate([h + gammas, eps * f + h + gammas])
    old, new = (int(z) for z in direct.argmax_pair(h, f, eps, gammas))
    ax.bar(PLACES, heights, color=[*walls.COLOURS, *walls.COLOURS], width=0.85)
    span = np.ptp([*heights, 0])
    for place, height in zip(PLACES, heights):
        ax.text(place, height + np.copysign(0.03, height) * span, f"{height:.2f}".replace("-", "−"), ha="center",
                va="bottom" if height >= 0 else "top")
    winners = [old, 3 + new]
    ax.plot(PLACES[winners], np.maximum(heights[winners], -0.1 * span) + 0.4 * span, "*", color="0", markersize=15)
    ax.axhline(0, color="0.3", linewidth=1)
    g = ", ".join(f"{entry:+.3g}" if entry else "0" for entry in direct.gradient(h, f, eps, gammas)).replace("-", "−")
    change = f"the same winner, {names[old]}" if old == new else f"{names[old]} → {names[new]}"
    ax.set_title(f"The circled draw, the one under the mouse; stars: its winners\n{change}: gradient in h ({g})")
    ax.set(xlim=(-0.8, 6.8), ylim=(min(heights.min(), 0) - 0.3 * span, max(heights.max(), 0) + 0.6 * span), yticks=[])
    ax.set_xticks(PLACES, [f"{name}\n{scores}" for scores in ("h + γ", "εf + h + γ")
                           for name, scores in zip(names, ("", scores, ""))])
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
