"""clocks.gif: one draw of the noise as three alarm clocks.  The first to ring is z*, until another overtakes it.

    X_z = exp(-(h_z + gamma_z + c))     exponential of rate e^{h_z}; the first to ring is z* = argmax(h + gamma)
    e^{-eps f_z} X_z                    the second race; the first to ring is z(eps) = argmax(eps f + h + gamma)

Because both races use the same noise, they are coupled as in direct.joint_law.
"""
from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from moving import gif
from refimpl import direct, gumbel
from refimpl.plots import walls

SEED, DRAWS = 0, 20_000
TIMES = np.linspace(0.0, 1.75, 15)                      # times shown in the first race, one per frame
EPS = np.round(np.linspace(0.0, 0.9, 31), 2)            # eps in the second race, one per frame, 1/nat
END = 3.0                                               # right end of the time axis


def times(h: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """Return X_z = exp(-(h_z + gamma_z + c)), which are exponential variables with rates e^{h_z}.

    h and noise have the shape (..., 3) and are broadcast.
    """
    return np.exp(-(h + noise + gumbel.EULER))


def chosen_draw() -> np.ndarray:
    """Return the noise, (3,), of the first draw that suits the animation.

    In this draw the coat rings first, the shirt overtakes it half-way, and the three times are well separated.
    """
    noise = gumbel.sample((DRAWS, 3), np.random.default_rng(SEED))
    X = times(walls.H, noise)
    overtakes = np.log(X[:, 0] / X[:, 1]) / (walls.F[0] - walls.F[1])       # the eps at which shirt and coat tie
    good = (X.argmin(axis=1) == 1) & (X.argmax(axis=1) == 2) & (overtakes > 0.3) & (overtakes < 0.45)
    good &= (X.max(axis=1) < TIMES[-1]) & (X[:, 2] > X[:, 0] + 0.4) & (X[:, 1] > 0.35)
    return noise[np.flatnonzero(good)[0]]


class Clocks:
    """The animation: first the race in time, then the second race as eps grows.

    It starts with the frame for print, because some programs show only the first frame of a GIF.
    """

    fps = 6
    frames = len(TIMES) + len(EPS)
    still = frames - 12
    order = [*[still] * 9, *[0] * 8, *range(len(TIMES)), *[len(TIMES) - 1] * 8, *range(len(TIMES), frames),
             *[frames - 1] * 14]

    def __init__(self) -> None:
        self.noise = chosen_draw()
        self.X = times(walls.H, self.noise)
        self.figure = Figure(figsize=gif.SIZE, dpi=gif.DPI)
        ax = self.figure.add_axes((0.235, 0.27, 0.735, 0.51))
        for side in ("top", "right", "left"):
            ax.spines[side].set_visible(False)
        rows = [2, 1, 0]                                # the first value is at the top
        self.waits = [ax.plot([], [], "-", color=colour, linewidth=9, alpha=0.35, solid_capstyle="butt")[0]
                      for colour in walls.COLOURS]
        self.first = [ax.plot([], [], "o", markersize=17, markerfacecolor="1", markeredgecolor=colour,
                              markeredgewidth=3, clip_on=False)[0] for colour in walls.COLOURS]
        self.second = [ax.plot([], [], "o", markersize=17, color=colour)[0] for colour in walls.COLOURS]
        self.wins = [ax.plot([], [], "*", markersize=13, color=shade, zorder=5)[0] for shade in ("0", "1")]
        self.rows = rows
        ax.set(xlim=(0, END), ylim=(-0.6, 2.6))
        ax.set_yticks(rows, [f"{name}, f = {value:g}".replace("-", "−") for name, value in zip(walls.NAMES, walls.F)],
                      fontsize=16)
        for label, colour in zip(ax.get_yticklabels(), walls.COLOURS):
            label.set_bbox(dict(facecolor=colour, edgecolor="none", pad=3))
            label.set_color(walls.readable(colour))
        ax.tick_params(axis="y", length=0, pad=16)
        ax.tick_params(axis="x", labelsize=14)
        ax.set_xlabel("time", fontsize=15)
        self.words = [self.figure.text(0.02, height, "", fontsize=16, va="center") for height in (0.94, 0.85)]
        self.figure.text(0.98, 0.77, "○ first race     ● second race     ★ rings first", fontsize=15, va="center",
                         ha="right")
        self.figure.text(0.02, 0.125, "f: the decoder's score of each value, in nats.  h: the encoder's score.",
                         fontsize=15, va="center", color="0.35")
        self.result = self.figure.text(0.02, 0.045, "", fontsize=16, va="center", fontweight="bold")
        self.show(0)

    def show(self, frame: int) -> None:
        if frame < len(TIMES):
            self._first_race(TIMES[frame])
        else:
            self._second_race(EPS[frame - len(TIMES)])

    def _first_race(self, now: float) -> None:
        z_star = int(self.X.argmin())
        self._place(np.minimum(self.X, now), np.minimum(self.X, now), np.full(3, np.nan))
        rung = now >= self.X[z_star]
        self._star(0, z_star if rung else None, self.X)
        self._star(1, None, self.X)
        self.words[0].set_text("One draw of the noise, shown as three alarm clocks.")
        self.words[1].set_text("Clock z rings at a random time, with rate exp(h).  The first to ring is z*.")
        self.result.set_text(f"z* = {walls.NAMES[z_star]}" if rung else "")

    def _second_race(self, eps: float) -> None:
        later = np.exp(-eps * walls.F) * self.X
        z_star, z_eps = int(self.X.argmin()), int(later.argmin())
        self._place(later, self.X, later)
        self._star(0, z_star, self.X)
        self._star(1, z_eps, later)
        self.words[0].set_text(f"Second race: each time is multiplied by exp(−εf).  ε = {eps:.2f}")
        if eps == 0:
            self.words[1].set_text("")
            self.result.set_text(f"z* = {walls.NAMES[z_star]},  z(ε) = {walls.NAMES[z_eps]}")
            return
        other = 1 - direct.stay_probability(walls.H, walls.F, eps).sum()
        self.words[1].set_text(f"z(ε) differs from z* with probability {100 * other:.1f} % (exact).")
        g = direct.gradient(walls.H, walls.F, eps, self.noise)
        entries = ", ".join(f"{entry:+.1f}" if entry else "0" for entry in g).replace("-", "−")
        self.result.set_text(f"z* = {walls.NAMES[z_star]},  z(ε) = {walls.NAMES[z_eps]}:  direct gradient ({entries})")

    def _place(self, waits: np.ndarray, first: np.ndarray, second: np.ndarray) -> None:
        """Draw bars up to `waits`, circles at the times of the first race, and dots at those of the second.

        Circles and dots at NaN are not drawn.
        """
        for z, row in enumerate(self.rows):
            self.waits[z].set_data([0, waits[z]], [row, row])
            self.first[z].set_data([first[z]], [row])
            self.second[z].set_data([second[z]], [row])

    def _star(self, race: int, winner: int | None, at: np.ndarray) -> None:
        """Put the star of this race on its winner, or hide the star if there is no winner yet."""
        place = (np.nan, np.nan) if winner is None else (at[winner], self.rows[winner])
        self.wins[race].set_data([place[0]], [place[1]])
