"""Choose the images whose labels are known, and shift them.

The numbers of labelled images in any two classes differ by at most one.  Random shifts make many different images from
the few labelled images.
"""
from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from refimpl import data


def draw(part: data.Part, labels: int, classes: int, rng: np.random.Generator) -> np.ndarray:
    """Return the indices, of shape (labels,), of the images of `part` whose labels are used.

    They are drawn without repetition, equally many from each class.  If `labels` is not divisible by `classes`, some
    classes, which are chosen at random, have one image more than the others.
    """
    counts, more = np.full(classes, labels // classes), labels % classes
    if more:
        counts[rng.choice(classes, more, replace=False)] += 1
    chosen = [rng.choice(np.flatnonzero(part.labels == c), counts[c], replace=False) for c in range(classes)]
    return np.concatenate(chosen).astype(np.intp)


def shift(x: np.ndarray, most: int, rng: np.random.Generator, shape: tuple[int, int] = data.SHAPE) -> np.ndarray:
    """Return the images `x`, of shape (B, height x width), each shifted at random.

    An image moves by up to `most` pixels up or down, and by up to `most` pixels left or right.  Pixels that come in
    from outside are 0.  `shape` is (height, width).
    """
    if most == 0:
        return x
    padded = np.pad(x.reshape(-1, *shape), ((0, 0), (most, most), (most, most)))
    shifted = sliding_window_view(padded, shape, axis=(1, 2))       # all shifts, (B, down, across, height, width)
    down, across = rng.integers(0, 2 * most + 1, size=(2, len(x)))
    return shifted[np.arange(len(x)), down, across].reshape(len(x), -1)
