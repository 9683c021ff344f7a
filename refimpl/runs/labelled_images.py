"""Choose which images are used with their labels, and shift these images at random."""
from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from refimpl import data


def draw(part: data.Part, labels: int, classes: int, rng: np.random.Generator) -> np.ndarray:
    """Return an array of shape (labels,): the indices of images of `part`, drawn at random without repetition.

    The number of images of each class is labels // classes.  If there is a remainder, some classes, chosen at random,
    have one more image.
    """
    counts, more = np.full(classes, labels // classes), labels % classes
    if more:
        counts[rng.choice(classes, more, replace=False)] += 1
    chosen = [rng.choice(np.flatnonzero(part.labels == c), counts[c], replace=False) for c in range(classes)]
    return np.concatenate(chosen).astype(np.intp)


def shift(x: np.ndarray, most: int, rng: np.random.Generator, shape: tuple[int, int] = data.SHAPE) -> np.ndarray:
    """Shift each image at random, vertically and horizontally, by at most `most` pixels.

    `x` has shape (B, height x width), and `shape` is (height, width).  Pixels that come in from outside are 0.
    """
    if most == 0:
        return x
    padded = np.pad(x.reshape(-1, *shape), ((0, 0), (most, most), (most, most)))
    shifted = sliding_window_view(padded, shape, axis=(1, 2))       # all shifts, (B, down, across, height, width)
    down, across = rng.integers(0, 2 * most + 1, size=(2, len(x)))
    return shifted[np.arange(len(x)), down, across].reshape(len(x), -1)
