"""Draw the images whose labels are known, balanced over the classes, and shift them at random to augment them."""
from __future__ import annotations

import numpy as np

from refimpl import data


def draw(part: data.Part, labels: int, classes: int, rng: np.random.Generator) -> np.ndarray:
    """Draw the indices, (labels,), of labels / classes training images of each class, without repetition.

    If that is not a whole number, some classes, which are drawn at random, have one image more than the others.
    """
    counts, more = np.full(classes, labels // classes), labels % classes
    if more:
        counts[rng.choice(classes, more, replace=False)] += 1
    chosen = [rng.choice(np.flatnonzero(part.labels == c), counts[c], replace=False) for c in range(classes)]
    return np.concatenate(chosen).astype(np.intp)


def shift(x: np.ndarray, most: int, rng: np.random.Generator, shape: tuple[int, int] = data.SHAPE) -> np.ndarray:
    """Return the images, (B, height x width), each moved at random by up to `most` pixels up or down and left or right.

    shape is (height, width).  Pixels that come in from outside are 0.
    """
    if most == 0:
        return x
    batch, (high, wide) = len(x), shape
    padded = np.zeros((batch, high + 2 * most, wide + 2 * most), x.dtype)
    padded[:, most:-most, most:-most] = x.reshape(batch, high, wide)
    down, across = rng.integers(0, 2 * most + 1, size=(2, batch))
    rows = down[:, None] + np.arange(high)                                  # a window of the padded image
    columns = across[:, None] + np.arange(wide)
    return padded[np.arange(batch)[:, None, None], rows[:, :, None], columns[:, None, :]].reshape(batch, -1)
