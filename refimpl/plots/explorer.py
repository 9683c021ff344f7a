"""Make the figure of the explorer: the walls of Theorem 1, the panels beside them (panels.py), and the sliders."""
from __future__ import annotations

from collections.abc import Sequence

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.widgets import Slider

from refimpl import direct
from refimpl.plots import panels, walls

EPS = (0.01, 10.0)                                      # range of eps, 1/nat
SPREAD = (0.1, 4.0)                                     # range of the factor by which f is multiplied
STYLE = {"font.size": 12, "axes.titlesize": 12, "axes.titlelocation": "left", "axes.spines.top": False,
         "axes.spines.right": False, "legend.frameon": False, "legend.labelspacing": 0.25}


class Explorer:
    """Shows the panels on a figure, and updates them when a slider is moved.

    The sliders are "eps" (log10 of eps), "spread" (the factor of f), "h0", "h1" and "h2".
    """

    def __init__(self, figure: Figure, h: np.ndarray, f: np.ndarray, eps: float, noise: np.ndarray,
                 names: Sequence[str] = walls.NAMES) -> None:
        """Show the explorer on `figure`, which must be empty.

        h      initial encoder scores, of shape (3,).  They have no unit
        f      decoder scores in nats, of shape (3,).  The slider "spread" multiplies them by a factor
        eps    initial weight of f in the second arg max, in 1/nat.  It must lie in the range EPS
        noise  N draws of the noise, of shape (N, 3)
        names  the names of the three values
        """
        self.figure, self.given_f, self.noise, self.names = figure, np.asarray(f, float), noise, names
        with matplotlib.rc_context(STYLE):
            self.sliders = self._make_sliders(h, eps)
            self.axes = [figure.add_axes(place) for place in ((0.05, 0.27, 0.40, 0.53), (0.55, 0.61, 0.21, 0.22),
                                                              (0.815, 0.61, 0.165, 0.22), (0.53, 0.28, 0.45, 0.19))]
            self.words = figure.text(0.03, 0.975, "", va="top", linespacing=1.4)
            self.cloud = walls.draw_cloud(self.axes[0], h, f, eps, noise, names=names, legend=False)
            self.axes[0].set(xticks=(-4, -2, 0, 2, 4), yticks=(-4, -2, 0, 2, 4))
            self.axes[0].legend(handles=self.cloud.key, loc="lower left", bbox_to_anchor=(0.1, 1.0))
            self.here = self.axes[0].plot([], [], "o", markersize=13, markerfacecolor="none", markeredgecolor="0",
                                          markeredgewidth=1.8, zorder=7)[0]
            for ax in self.axes:
                ax.tick_params(labelsize=STYLE["font.size"])        # this also sets the size of ticks made later
        # At the start, the first draw that changes its winner is circled, or draw 0 if there is none.
        self.chosen = int(np.argmax(self.cloud.pair.z_star != self.cloud.pair.z_eps))
        figure.canvas.mpl_connect("motion_notify_event", self._mouse)
        self.update()

    def _make_sliders(self, h: np.ndarray, eps: float) -> dict[str, Slider]:
        widest = max(3.0, float(np.ceil(np.abs(h).max())))
        wanted = {"eps": ("ε", *np.log10(EPS), np.log10(eps), "0.45"), "spread": ("f times", *SPREAD, 1.0, "0.45"),
                  **{f"h{z}": (f"h({name})", -widest, widest, float(h[z]), walls.COLOURS[z])
                     for z, name in enumerate(self.names)}}
        places = [(0.12, 0.125), (0.12, 0.065), (0.59, 0.155), (0.59, 0.095), (0.59, 0.035)]
        made = {}
        for (left, bottom), (name, (label, low, high, value, colour)) in zip(places, wanted.items()):
            ax = self.figure.add_axes((left, bottom, 0.32, 0.03))
            made[name] = Slider(ax, label, low, high, valinit=value, color=colour)
            made[name].drawon = False                   # because update() draws everything
            made[name].on_changed(lambda value: self.update())
        return made

    @property
    def h(self) -> np.ndarray:
        return np.array([self.sliders[f"h{z}"].val for z in range(3)])

    @property
    def f(self) -> np.ndarray:
        return self.given_f * self.sliders["spread"].val

    @property
    def eps(self) -> float:
        return float(10 ** self.sliders["eps"].val)

    def update(self) -> None:
        problem = h, f, eps = self.h, self.f, self.eps
        draws = len(self.noise)
        self.cloud.update(*problem, self.noise)
        with matplotlib.rc_context(STYLE):
            panels.law(self.axes[1], *problem, self.names)
            panels.errors(self.axes[2], *problem, draws)
        sampled = direct.gradient(*problem, self.noise).mean(axis=0)
        self.words.set_text(
            f"{self.cloud.moved:,} of {draws:,} draws change their winner. Each counts 1/ε = {1 / eps:.3g}.\n"
            f"Gradient in h, nats: these draws {_vector(sampled)}, exact {_vector(direct.expected_gradient(*problem))}")
        for name, slider in self.sliders.items():
            slider.valtext.set_text(f"{eps:.3g} /nat" if name == "eps" else f"{slider.val:.2f}".replace("-", "−"))
        self.choose(self.chosen)

    def choose(self, index: int) -> None:
        """Mark the draw with this index by a circle, and show its scores and winners in the last panel."""
        self.chosen = index
        self.here.set_data(*self.cloud.points[[index]].T)
        with matplotlib.rc_context(STYLE):
            panels.one_draw(self.axes[3], self.h, self.f, self.eps, self.noise[index], self.names)
        self.figure.canvas.draw_idle()

    def _mouse(self, event) -> None:
        if event.inaxes is self.axes[0]:
            nearest = int(np.argmin(((self.cloud.points - (event.xdata, event.ydata)) ** 2).sum(axis=1)))
            if nearest != self.chosen:
                self.choose(nearest)


def _vector(numbers: np.ndarray) -> str:
    return "(" + ", ".join(f"{number:+.3f}" for number in numbers).replace("-", "−") + ")"
