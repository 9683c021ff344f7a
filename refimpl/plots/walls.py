"""Plot the walls of Theorem 1, and show how eps f moves them.

With k = 3, the arg max depends on the noise only through two numbers, a = gamma_1 - gamma_0 and b = gamma_2 - gamma_0.
So each draw of the noise is a point (a, b) in a plane.  Value 0 is the arg max where a < h_0 - h_1 and b < h_0 - h_2.
Three walls separate the regions of the three values.  On each wall, two values tie.  The walls form a Y with its centre
at (h_0 - h_1, h_0 - h_2).  Adding eps f to the scores moves the Y.  The draws between the old and the new Y change
their winner, and have the weight 1/eps in the direct gradient (equation 1).  All other draws have the weight 0.

The module also defines the three values of the chapters' example: their scores H and F, their NAMES and their COLOURS.
"""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.text import Text

from refimpl import arguments, direct
from refimpl.plots.style import TRUTH

NAMES = ("shirt", "coat", "dress")
COLOURS = ("#004488", "#DDAA33", "#BB5566")             # Paul Tol's high-contrast palette
H = np.array([0.3, -0.4, 0.6])                          # encoder scores, pure numbers
F = np.array([1.0, -2.0, 0.5])                          # decoder scores, nats
H.flags.writeable = F.flags.writeable = False           # they are shared, so read-only

WALLS = ((0, 1), (0, 2), (1, 2))                        # the two values that tie on each arm of the Y
ARMS = ((0.0, -1.0), (-1.0, 0.0), (1.0, 1.0))           # the direction of each arm from the centre
CORNERS = ((0.03, 0.03), (0.97, 0.03), (0.03, 0.97))    # places in the window for the names of 0, 1 and 2
WINDOW = ((-4.0, 4.0), (-4.0, 4.0))

Limits = tuple[tuple[float, float], tuple[float, float]]


def differences(noise: np.ndarray) -> np.ndarray:
    """Return gamma_1 - gamma_0 and gamma_2 - gamma_0 of each draw, as an array of shape (N, 2).

    Given h, the two differences determine the arg max.  `noise` contains N draws and must have shape (N, 3).  Raises
    ValueError for another shape, and TypeError if `noise` is not an array of numbers.
    """
    noise = _shaped("noise", noise, 2)
    return noise[:, 1:] - noise[:, :1]


def y_lines(h: np.ndarray, limits: Limits = WINDOW) -> np.ndarray:
    """Return an array of shape (3, 2, 2): the two ends of the visible part of each wall.

    The walls are in the order of WALLS.  For each wall, the array holds two points (a, b): first the end nearer to the
    centre of the Y, then the other end.  Both points are NaN if the wall does not cross the window.

    `h` has shape (3,), and `limits` is ((left, right), (bottom, top)).  Raises ValueError if `h` has another shape, or
    if the limits are not in rising order.
    """
    h = _shaped("h", h, 1)
    low, high = _window(limits)
    centre = h[0] - h[1:]
    segments = np.full((3, 2, 2), np.nan)
    for place, arm in enumerate(np.array(ARMS)):
        first, last = 0.0, np.inf                       # centre + t arm is inside for first <= t <= last
        for axis in range(2):
            if arm[axis] == 0:
                last = last if low[axis] <= centre[axis] <= high[axis] else -np.inf
                continue
            ends = sorted((edge[axis] - centre[axis]) / arm[axis] for edge in (low, high))
            first, last = max(first, ends[0]), min(last, ends[1])
        if first < last:
            segments[place] = centre + np.outer((first, last), arm)
    return segments


@dataclass
class Cloud:
    """Holds the lines and texts that draw_cloud has added to a figure, and the data that they show.

    update() is fast, because it changes the data of these lines instead of making new lines.
    """

    limits: Limits
    kept: list[Line2D]
    """For each value, the draws in which this value wins with h + noise and also with h + eps f + noise."""
    changed: dict[tuple[int, int], Line2D]
    """For each (old winner, new winner), the points of the draws with this change, and their rings."""
    solid: Line2D
    """The Y of h."""
    dashed: Line2D
    """The Y of h + eps f."""
    labels: list[Text]
    """The names of the values, each in a corner where this value is the winner."""
    key: list[Line2D]
    """The entries of a legend: the two Ys, and a draw that changes its winner."""
    pair: direct.Pair | None = None
    """The two winners of every draw: the arg max of h + noise, and the arg max of h + eps f + noise."""
    points: np.ndarray | None = None
    """The positions of the draws in the plane, of shape (N, 2)."""

    @property
    def moved(self) -> int:
        """Return the number of draws that change their winner, including those outside the window."""
        return int((self.pair.z_star != self.pair.z_eps).sum())

    def update(self, h: np.ndarray, f: np.ndarray, eps: float, noise: np.ndarray) -> None:
        """Show other scores, another eps or other draws; see draw_cloud for the arguments and exceptions."""
        h, f, noise = _shaped("h", h, 1), _shaped("f", f, 1), _shaped("noise", noise, 2)
        self.pair, self.points = direct.argmax_pair(h, f, eps, noise), differences(noise)
        old, new = self.pair
        for value, line in enumerate(self.kept):
            line.set_data(*self.points[(old == value) & (new == value)].T)
        for (i, j), line in self.changed.items():
            line.set_data(*self.points[(old == i) & (new == j)].T)
        for line, scores in ((self.solid, h), (self.dashed, h + eps * f)):
            # A point of NaN after each of the three walls separates them.
            path = np.pad(y_lines(scores, self.limits), ((0, 0), (0, 1), (0, 0)), constant_values=np.nan)
            line.set_data(*path.reshape(-1, 2).T)
        low, high = _window(self.limits)
        for value, (text, corner) in enumerate(zip(self.labels, CORNERS)):
            a, b = np.where(np.array(corner) < 0.5, low, high)          # the corner may be in another region
            text.set_visible(bool(np.argmax(h + (0, a, b)) == value))


def draw_cloud(ax: Axes, h: np.ndarray, f: np.ndarray, eps: float, noise: np.ndarray, limits: Limits = WINDOW,
               names: Sequence[str] = NAMES, colours: Sequence[str] = COLOURS, size: float = 1.0,
               legend: bool = True) -> Cloud:
    """Plot the walls of h, the walls of h + eps f, and a point for each draw.  Return a Cloud that holds them.

    If eps f does not change the winner of a draw, the point is small and has the colour of this winner.  If eps f
    changes the winner, the point is larger.  It has the colour of the new winner, and a ring in the colour of the old
    winner.

    ax       matplotlib axes for the plot
    h        encoder scores, of shape (3,).  They have no unit
    f        decoder scores in nats, of shape (3,)
    eps      weight of f, in 1/nat.  It must be above 0
    noise    draws of the noise, of shape (N, 3)
    limits   ((left, right), (bottom, top)) of the window
    names    names of the three values
    colours  colours of the three values, in the form "#RRGGBB"
    size     factor by which points, lines and letters are enlarged
    legend   whether to add a legend of the lines and rings

    Raises ValueError if a shape is wrong, `eps` is not above 0, or the limits are not in rising order.
    """
    _window(limits)
    if len(names) != 3 or len(colours) != 3:
        raise ValueError(f"names and colours must have three entries each, got {len(names)} and {len(colours)}")
    kept = [ax.plot([], [], "o", color=colour, markersize=2.6 * size, markeredgewidth=0, alpha=0.5, zorder=2)[0]
            for colour in colours]
    solid = ax.plot([], [], "-", color=TRUTH, linewidth=2.2 * size, zorder=3, label="the walls of h")[0]
    dashed = ax.plot([], [], "--", color=TRUTH, linewidth=2.2 * size, zorder=5, label="the walls of h + εf")[0]
    changed = {(i, j): ax.plot([], [], "o", markerfacecolor=colours[j], markeredgecolor=colours[i],
                               markersize=6.0 * size, markeredgewidth=1.8 * size, zorder=4)[0]
               for i in range(3) for j in range(3) if i != j}
    labels = [ax.text(*corner, name, transform=ax.transAxes, fontsize=12 * size, fontweight="bold", zorder=6,
                      color=readable(colour), ha="left" if corner[0] < 0.5 else "right",
                      va="bottom" if corner[1] < 0.5 else "top", bbox=dict(facecolor=colour, edgecolor="none", pad=3))
              for corner, name, colour in zip(CORNERS, names, colours)]
    ax.set(xlim=limits[0], ylim=limits[1], aspect="equal",
           xlabel=f"γ({names[1]}) − γ({names[0]})", ylabel=f"γ({names[2]}) − γ({names[0]})")
    ring = Line2D([], [], linestyle="none", marker="o", markerfacecolor="1", markeredgecolor="0.35",
                  markersize=6.0 * size, markeredgewidth=1.8 * size, label="winner changes (ring: old, centre: new)")
    cloud = Cloud(limits, kept, changed, solid, dashed, labels, [solid, dashed, ring])
    if legend:
        ax.legend(handles=cloud.key, loc="lower center", bbox_to_anchor=(0.5, 1.0), frameon=False,
                  fontsize=10 * size, handlelength=1.8, borderaxespad=0.2)
    cloud.update(h, f, eps, noise)
    return cloud


def readable(colour: str) -> str:
    """Return "#000000" or "#FFFFFF", whichever is easier to read on a colour in the form "#RRGGBB"."""
    red, green, blue = (int(colour[at:at + 2], 16) for at in (1, 3, 5))
    return "#000000" if 0.299 * red + 0.587 * green + 0.114 * blue > 140 else "#FFFFFF"


def _shaped(name: str, value: object, axes: int) -> np.ndarray:
    (numbers,) = arguments.scores(**{name: value})
    if numbers.ndim != axes or numbers.shape[-1] != 3:
        raise ValueError(f"{name} must have shape {'(3,)' if axes == 1 else '(N, 3)'}: the picture is of three values "
                         f"of z, got shape {numbers.shape}")
    return numbers


def _window(limits: object) -> tuple[np.ndarray, np.ndarray]:
    """Check `limits`, and return the lower left and the upper right corner of the window."""
    edges = arguments.array("limits", limits)
    if edges.shape != (2, 2) or edges.dtype.kind not in "fiu" or not np.isfinite(edges).all() \
            or not (edges[:, 0] < edges[:, 1]).all():
        raise ValueError(f"limits must be ((left, right), (bottom, top)), finite and rising, got {limits}")
    return edges[:, 0].astype(float), edges[:, 1].astype(float)
