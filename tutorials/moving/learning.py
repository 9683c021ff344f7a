"""learning.gif: the images and bounds of a model with ten values during training, by enumeration and by direct.

The seed was chosen because enumeration stays on its plateau with it.  The experiment `plateau` has five seeds.
"""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure
from scipy.special import expit

from moving import gif
from refimpl import data, plots
from refimpl.plots.images import SHAPE
from refimpl.runs.vae import VAERun, VAESettings
from refimpl.system.progress import Progress

NAMES = {"exact": "exact gradient, by enumeration", "direct": "direct optimisation"}
SEED = 0
STEPS = (*range(0, 20, 4), *range(20, 100, 10), *range(100, 300, 25), *range(300, 1001, 50))       # two epochs of 500
TESTED = 1_000                                          # number of test images for the bounds
GREYS = 16                                              # with all shades of grey the GIF would be three times as large
PIXEL, MARGIN = 3, 1                                    # PIXEL: screen pixels per image pixel; MARGIN: image pixels


class Seen(NamedTuple):
    """What the animation shows of a run, with one entry per frame."""

    images: np.ndarray          # (frames, k, pixels)    the decoder's mean image of each value
    bounds: np.ndarray          # (frames,)              exact -ELBO on TESTED test images, nats per image


def follow(settings: VAESettings, dataset: data.Dataset, steps: Sequence[int],
           advance: Callable[[], None] = lambda: None) -> Seen:
    """Train, and return images and bounds after the numbers of steps in `steps`, which start at 0 and increase."""
    run, images, bounds, done, epoch = VAERun.start(settings.resolved()), [], [], 0, 1
    run.attach(dataset)
    tested = dataset.test.first(TESTED)

    def look() -> None:
        logits = run.model.decode_all().astype(np.float64)
        images.append(expit(logits))
        bounds.append(-run.model.bounds(tested).elbo)

    look()
    while done < steps[-1]:
        for _ in run.epoch(epoch, dataset.train):
            done += 1
            advance()
            if done in steps:
                look()
            if done == steps[-1]:
                break
        epoch += 1
    return Seen(np.array(images), np.array(bounds))


class Learning:
    """The animation, with one frame per entry of `steps`.  The images are above, the bounds below."""

    fps = 5

    def __init__(self, steps: Sequence[int] = STEPS, limit: int | None = None, hidden: int = 300) -> None:
        """Train both estimators.  `limit` (number of images) and `hidden` (number of units) make tests faster."""
        self.steps, last = tuple(steps), len(steps) - 1
        self.order, self.still = [*[0] * 4, *range(len(steps)), *[last] * 12], last
        dataset, progress = data.load("mnist", limit=limit), Progress("training", len(NAMES) * steps[-1])
        self.seen = {name: follow(VAESettings(estimator=name, k=10, seed=SEED, limit=limit, hidden=hidden), dataset,
                                  steps, progress.advance) for name in NAMES}
        progress.clear()
        self.figure = Figure(figsize=gif.SIZE, dpi=gif.DPI)
        self.rows, self.lines, self.points = {}, {}, {}
        across, up = (inches * gif.DPI for inches in gif.SIZE)
        for name, bottom in zip(NAMES, (388, 268)):
            row = _side_by_side(self.seen[name].images[0])
            height, width = (PIXEL * pixels for pixels in row.shape)
            ax = self.figure.add_axes((8 / across, bottom / up, width / across, height / up))     # one pixel each
            self.rows[name] = ax.imshow(row, cmap="gray_r", vmin=0, vmax=1, interpolation="nearest", aspect="auto")
            ax.set_axis_off()
            self.figure.text(0.02, (bottom + 97) / up, NAMES[name], fontsize=15, va="center",
                             color=plots.colour(name), fontweight="bold")
        ax = self.figure.add_axes((0.085, 0.115, 0.895, 0.285))
        for side in ("top", "right"):
            ax.spines[side].set_visible(False)
        for name in NAMES:
            style = dict(color=plots.colour(name))
            self.lines[name] = ax.plot([], [], "-", linewidth=3, **style)[0]
            self.points[name] = ax.plot([], [], "o", markersize=10, **style)[0]
        least = min(seen.bounds.min() for seen in self.seen.values())
        ax.set(xlim=(-0.01 * steps[-1], 1.02 * steps[-1]), ylim=(least - 8, least + 85))
        ax.set_xlabel(f"steps, {VAESettings().batch} images each", fontsize=14)
        ax.tick_params(labelsize=13)
        self.figure.text(0.02, 0.44, f"exact −ELBO of {TESTED:,} test images, nats per image (lower is better)",
                         fontsize=13, va="center")
        self.figure.text(0.98, 0.375, f"MNIST; seed {SEED} was chosen to show the plateau", fontsize=13, va="center",
                         ha="right", color="0.35")
        self.step = self.figure.text(0.98, 0.93, "", fontsize=15, va="center", ha="right")
        self.show(0)

    def show(self, frame: int) -> None:
        for name, seen in self.seen.items():
            self.rows[name].set_data(_side_by_side(seen.images[frame]))
            self.lines[name].set_data(self.steps[:frame + 1], seen.bounds[:frame + 1])
            self.points[name].set_data([self.steps[frame]], [seen.bounds[frame]])
        values = " and ".join(f"{seen.bounds[frame]:.0f}" for seen in self.seen.values())
        self.step.set_text(f"step {self.steps[frame]}: {values} nats")


def _side_by_side(images: np.ndarray) -> np.ndarray:
    """Return the images, (k, pixels), side by side as one picture in GREYS shades, with a margin after each."""
    padded = np.zeros((len(images), SHAPE[0], SHAPE[1] + MARGIN))
    padded[:, :, :SHAPE[1]] = images.reshape((-1, *SHAPE))
    return np.concatenate(list(np.round(padded * (GREYS - 1)) / (GREYS - 1)), axis=1)
