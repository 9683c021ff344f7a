"""The explorer's figure: walls, joint law, errors and one draw, with sliders for eps, the spread of f and each h.

A move of a slider draws only what moves: everything else is kept as pixels ("blitting"), until the window changes.
"""
from __future__ import annotations

import numpy as np
from matplotlib.artist import Artist
from matplotlib.figure import Figure
from matplotlib.widgets import Slider

from refimpl import direct
from refimpl.plots import panels, walls
from refimpl.plots.outline import Outline

EPS = (0.01, 10.0)                                      # 1/nat
SPREAD = (0.1, 4.0)                                     # a factor on f


class Explorer:
    """The panels and sliders on a figure.  sliders: "eps" (its logarithm to base 10), "spread", "h0", "h1", "h2"."""

    def __init__(self, figure: Figure, h: np.ndarray, f: np.ndarray, eps: float, noise: np.ndarray) -> None:
        """h: (3,), pure numbers.  f: (3,), nats.  eps: within EPS, 1/nat.  noise: (N, 3).  The figure must be empty."""
        self.figure, self.given_f, self.noise = figure, np.asarray(f, float), noise
        self.sliders, self.values = self._make_sliders(h, eps)      # first: each draws the whole figure when it is made
        axes = [figure.add_axes(place) for place in ((0.05, 0.27, 0.40, 0.53), (0.54, 0.53, 0.18, 0.28),
                                                     (0.79, 0.56, 0.19, 0.235), (0.52, 0.28, 0.46, 0.14))]
        for ax in axes:
            for side in ("top", "right"):
                ax.spines[side].set_visible(False)
            ax.tick_params(labelsize=11)
            ax.xaxis.label.set_size(12)
            ax.yaxis.label.set_size(12)
        self.cloud = walls.draw_cloud(axes[0], h, f, eps, noise)
        self.law = panels.Law(axes[1])
        self.errors = panels.Errors(axes[2], len(noise), float(np.ptp(self.given_f)))
        self.draw = panels.OneDraw(axes[3])
        self.chosen = int(np.argmax(self.cloud.pair.z_star != self.cloud.pair.z_eps))       # one that changes, if any
        self.here = axes[0].plot([0], [0], "o", markersize=13, markerfacecolor="none", markeredgecolor="0",
                                 markeredgewidth=1.8, zorder=7)[0]
        self.words = [Outline(axes[0], 0.03, bottom, size=13, transform=figure.transFigure)
                      for bottom in (0.962, 0.928)]
        figure.text(0.5, 0.485, "The circled draw: move the mouse over the cloud", fontsize=12)
        self._still, self._names, self._whole = None, [], False
        figure.canvas.mpl_connect("motion_notify_event", self._mouse)
        self.update()

    @property
    def moving(self) -> list[Artist]:
        """All that a slider or the mouse moves."""
        handles = [part for slider in self.sliders.values() for part in (slider.poly, *slider.ax.lines)]
        cloud = [artist for artist in self.cloud.artists if artist not in self.cloud.labels]
        return [*cloud, self.here, *self.law.artists, *self.errors.artists, *self.draw.artists,
                *self.words, *handles, *self.values.values()]

    def go_live(self) -> None:
        """From now on keep the pixels of what does not move, and draw only what does; or all, where that cannot be."""
        if not self.figure.canvas.supports_blit:        # a few window systems of matplotlib keep no pixels
            self._whole = True
            return
        for artist in (*self.moving, *self.cloud.labels):
            artist.set_animated(True)                   # left out of an ordinary drawing, and drawn on top of it
        self.figure.canvas.mpl_connect("draw_event", self._drawn)

    def _make_sliders(self, h: np.ndarray, eps: float) -> tuple[dict[str, Slider], dict[str, Outline]]:
        widest = max(3.0, float(np.ceil(np.abs(h).max())))
        names = [f"h({name})" for name in walls.NAMES]
        wanted = {"eps": ("ε", *np.log10(EPS), np.log10(eps)), "spread": ("f times", *SPREAD, 1.0),
                  **{f"h{z}": (name, -widest, widest, float(h[z])) for z, name in enumerate(names)}}
        places = [(0.12, 0.125), (0.12, 0.065), (0.58, 0.155), (0.58, 0.095), (0.58, 0.035)]
        made, values = {}, {}
        for (left, bottom), (name, (label, low, high, value)) in zip(places, wanted.items()):
            ax = self.figure.add_axes((left, bottom, 0.33, 0.03))
            colour = walls.COLOURS[int(name[1])] if name.startswith("h") else "0.45"
            made[name] = Slider(ax, label, low, high, valinit=value, color=colour)
            made[name].label.set_size(13)
            made[name].valtext.set_visible(False)
            values[name] = Outline(ax, 1.02, 0.5, size=13, va="center", transform=ax.transAxes)
            made[name].drawon = False                   # its own drawing would be one of the whole figure
            made[name].on_changed(lambda value: self.update())
        return made, values

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
        """Show what the sliders say."""
        h, f, eps = self.h, self.f, self.eps
        self.cloud.update(h, f, eps, self.noise)
        self.law.update(h, f, eps)
        self.errors.update(h, f, eps)
        self.draw.update(h, f, eps, self.noise[self.chosen])
        self.here.set_data(*self.cloud.points[[self.chosen]].T)
        sampled = direct.gradient(h, f, eps, self.noise).mean(axis=0)
        exact = direct.expected_gradient(h, f, eps)
        moved, count = self.cloud.moved, len(self.noise)
        self.words[0].set_text(f"{moved:,} of {count:,} draws change their winner. Each counts 1/ε = {1 / eps:.3g}.")
        self.words[1].set_text(f"Gradient in h, nats: these draws {_vector(sampled)}, exact {_vector(exact)}")
        for name, text in self.values.items():
            text.set_text(f"{eps:.3g} /nat" if name == "eps" else f"{self.sliders[name].val:.2f}".replace("-", "−"))
        self.redraw()

    def choose(self, a: float, b: float) -> None:
        """Show the draw that lies nearest to this point of the cloud's plane."""
        nearest = int(np.argmin(((self.cloud.points - (a, b)) ** 2).sum(axis=1)))
        if nearest != self.chosen:
            self.chosen = nearest
            self.here.set_data(*self.cloud.points[[nearest]].T)
            self.draw.update(self.h, self.f, self.eps, self.noise[nearest])
            self.redraw()

    def redraw(self) -> None:
        """Put what moves over the pixels of what does not, and that on the window."""
        if self._whole:
            self.figure.canvas.draw_idle()
        elif self._still is not None:                   # else nothing has been drawn yet: the first drawing is of all
            self._draw_moving()
            self.figure.canvas.blit(self.figure.bbox)

    def _draw_moving(self) -> None:
        self.figure.canvas.restore_region(self._still)
        for artist in self.moving:
            self.figure.draw_artist(artist)
        for text, pixels in self._names:                # the names do not move: they come and go
            if text.get_visible():
                self.figure.canvas.restore_region(pixels)

    def _drawn(self, event) -> None:
        """The whole figure has been drawn, without what moves: keep it."""
        if event.canvas is self.figure.canvas and not self.figure.canvas.is_saving():
            canvas, self._names = self.figure.canvas, []
            self._still = canvas.copy_from_bbox(self.figure.bbox)
            for text in self.cloud.labels:
                shown = text.get_visible()
                text.set_visible(True)
                self.figure.draw_artist(text)
                self._names.append((text, canvas.copy_from_bbox(text.get_bbox_patch().get_window_extent())))
                text.set_visible(shown)
            self._draw_moving()                         # the window takes it from here: it is in the midst of drawing

    def _mouse(self, event) -> None:
        if event.inaxes is self.here.axes:
            self.choose(event.xdata, event.ydata)


def _vector(numbers: np.ndarray) -> str:
    return "(" + ", ".join(f"{number:+.3f}" for number in numbers).replace("-", "−") + ")"
