"""puzzle.gif: a network puts together ten test images of nine tiles each, while direct optimisation trains it.

The network places the tiles after each number of steps in STEPS.  In between, every tile moves in a straight line from
its old place to its new one.
"""
from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from moving import gif
from refimpl import data, plots
from refimpl.experiments.jigsaw import experiment
from refimpl.experiments.jigsaw.runs import BATCH, SHUFFLED, JigsawRun, Tested
from refimpl.system.progress import Progress

SIDE, SEED, DATASET = 3, 0, "mnist"
STEPS = (0, 2, 5, 10, 15, 20, 30, 40, 60, 80, 120, 160, 240, 320, 480, 640, 800)
BETWEEN = 4                                             # number of frames per entry of STEPS
ROWS, COLUMNS = 2, 5
PIXEL, MARGIN, WRONG = 5, 5, 0.25                       # screen pixels per image pixel; image pixels; grey level


class Puzzle:
    """The animation, with BETWEEN frames for each entry of `steps` except the last."""

    fps = 8

    def __init__(self, steps: Sequence[int] = STEPS, tested: int = 1_000) -> None:
        """Train.  `tested` is the number of test images over which the shown shares are computed."""
        self.steps = tuple(steps)
        settings = next(cell.settings for cell in experiment.make(DATASET, SEED)
                        if cell.label == experiment.label("direct", SIDE))
        run, images = JigsawRun(settings, None), data.load(DATASET)
        test, progress = Tested.of(images.test.first(tested), SIDE), Progress("training", steps[-1])
        self.tiles = test.tiles[:ROWS * COLUMNS]
        self.high = data.SHAPE[0] // SIDE
        self.places, self.wrong, self.shares, done = [], [], [], 0
        for step in self.steps:
            while done < step:
                run.step(images.train.images(run.rng.choice(SHUFFLED, BATCH, replace=False)))
                done += 1
                progress.advance()
            z = run.solve(test.tiles)
            self.shares.append(test.shares(z))
            z, right = z[:len(self.tiles)], test.right[:len(self.tiles)]
            self.places.append(z.argmax(axis=2))
            self.wrong.append(1 - (right * z).sum(axis=2))
        progress.clear()
        last = BETWEEN * (len(steps) - 1)
        self.order, self.still = [*[0] * 8, *range(last + 1), *[last] * 16], last
        self.figure = Figure(figsize=gif.SIZE, dpi=gif.DPI)
        across, up = (inches * gif.DPI for inches in gif.SIZE)
        high, wide = (PIXEL * pixels for pixels in self.canvas(0).shape)
        ax = self.figure.add_axes(((across - wide) / 2 / across, 60 / up, wide / across, high / up))
        self.picture = ax.imshow(self.canvas(0), cmap="gray_r", vmin=0, vmax=1, interpolation="nearest", aspect="auto")
        ax.set_axis_off()
        self.figure.text(0.02, 0.93, "A jigsaw learns to solve itself", fontsize=17, va="center", fontweight="bold",
                         color=plots.colour("direct"))
        self.words = self.figure.text(0.02, 0.855, "", fontsize=15, va="center")
        self.figure.text(0.02, 0.05, f"MNIST, 3 × 3 tiles, direct optimisation, {BATCH} images per step, seed {SEED}. "
                         "Tiles on grey are wrong.", fontsize=13, va="center", color="0.35")
        self.show(0)

    def canvas(self, frame: int) -> np.ndarray:
        """Return the picture of this frame as a matrix of grey levels between 0, white, and 1, black."""
        look, part = divmod(frame, BETWEEN)
        size = SIDE * self.high
        canvas = np.zeros((ROWS * (size + MARGIN) - MARGIN, COLUMNS * (size + MARGIN) - MARGIN))
        for image, tiles in enumerate(self.tiles):
            down, right = ((size + MARGIN) * number for number in divmod(image, COLUMNS))
            for tile, pixels in enumerate(tiles):
                here, there = (np.array(divmod(int(self.places[at][image, tile]), SIDE)) * self.high
                               for at in (look, min(look + 1, len(self.steps) - 1)))
                row, column = np.rint(here + (there - here) * part / BETWEEN).astype(int) + (down, right)
                ground = WRONG * self.wrong[look][image, tile]
                square = canvas[row:row + self.high, column:column + self.high]
                np.maximum(square, np.maximum(pixels.reshape(self.high, self.high), ground), out=square)
        return canvas

    def show(self, frame: int) -> None:
        look = frame // BETWEEN
        tiles, images = self.shares[look]
        self.picture.set_data(self.canvas(frame))
        self.words.set_text(f"After {self.steps[look]} steps, {100 * tiles:.0f} % of the test tiles and "
                            f"{100 * images:.0f} % of the test images are right.")
