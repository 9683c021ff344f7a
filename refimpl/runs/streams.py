"""All streams of random numbers of a run and of its measurements, and their seeds.

Each purpose has a separate generator, so draws for one purpose do not change those for another.  The streams are those
of the committed rows, with one exception: in older rows, the noise of the bound in the epoch whose number equals the
number of classes (10 for MNIST) came from the stream of the labelled images.  Draws from a finished model, and those at
step 0, start with the same numbers as its initial weights.
"""
from __future__ import annotations

import numpy as np

APART = 1                   # distinguishes two streams whose other seeds are equal
SWITCH_TEST = 5


def training(seed: int) -> np.random.Generator:
    """Return the generator of the weights, the order of the images and the noise; checkpoints contain its state."""
    return np.random.default_rng(seed)


def labelled_images(seed: int, classes: int) -> np.random.Generator:
    """Return the generator that chooses the labelled images, the same for every estimator and after a resume."""
    return np.random.default_rng([seed, classes])


def measuring(seed: int, step: int, classes: int = 0) -> np.random.Generator:
    """Return the generator of the noise in a measurement; classes is their number in a run with labelled images."""
    return np.random.default_rng([seed, step] + [APART] * (step == classes and step > 0))


def samples(seed: int) -> np.random.Generator:
    """Return the generator of the pictures of samples, and of the tables of codes and yardsticks."""
    return np.random.default_rng(seed)


def switch_test(seed: int) -> np.random.Generator:
    """Return the generator of the faces of the switch test."""
    return np.random.default_rng([seed, SWITCH_TEST])
