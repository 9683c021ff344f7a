"""Every stream of random numbers of a run and of its measurements, by what seeds it.

A generator of its own for each purpose: what is drawn for one moves nothing of another.  The numbers are those that
the committed rows were made with.  Only the noise of the bound in the epoch whose number is that of the classes
(10 for MNIST), which was once that of the labelled images, is another one than in rows made before.  What is drawn
from a finished model, and at step 0, begins with the numbers that its first weights were drawn from.
"""
from __future__ import annotations

import numpy as np

APART = 1                   # distinguishes two streams whose other numbers are equal
SWITCH_TEST = 5


def training(seed: int) -> np.random.Generator:
    """Weights, then the order of the images and the noise of the estimator; it is kept in the checkpoint."""
    return np.random.default_rng(seed)


def labelled_images(seed: int, classes: int) -> np.random.Generator:
    """Which images have a label: the same for every estimator and after a resume."""
    return np.random.default_rng([seed, classes])


def measuring(seed: int, step: int, classes: int = 0) -> np.random.Generator:
    """The noise of a sampled bound after an epoch, or of a look at a step; classes: of a run with labelled images."""
    return np.random.default_rng([seed, step] + [APART] * (step == classes and step > 0))


def samples(seed: int) -> np.random.Generator:
    """What the pictures of samples and the tables of codes and yardsticks draw."""
    return np.random.default_rng(seed)


def switch_test(seed: int) -> np.random.Generator:
    """Faces of the switch test."""
    return np.random.default_rng([seed, SWITCH_TEST])
