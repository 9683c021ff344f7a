"""Make the random generators of a run and of its measurements from the seed of the run.

There is a separate generator for each purpose, so draws for one purpose do not change the draws for other purposes.
The runs in tutorials/rows used these generators.  There is one exception: in the runs with labelled images that were
trained before APART was introduced, the bound at the end of epoch C was measured with the seed of labelled_images(),
where C is the number of classes (10 for MNIST).

Three of the separate generators have the same seed, so they draw the same numbers: training(), samples(), and
measuring() at step 0.
"""
from __future__ import annotations

import numpy as np

APART = 1                   # appended to a seed that another stream already has
SWITCH_TEST = 5


def training(seed: int) -> np.random.Generator:
    """Return the generator for the initial weights, the order of the images and the noise of training.

    Checkpoints contain the state of this generator.
    """
    return np.random.default_rng(seed)


def labelled_images(seed: int, classes: int) -> np.random.Generator:
    """Return the generator that chooses the labelled images, which are the same for every estimator."""
    return np.random.default_rng([seed, classes])


def measuring(seed: int, step: int, classes: int = 0) -> np.random.Generator:
    """Return the generator for the noise of a measurement at this step or epoch.

    `classes` is the number of classes in runs of `semi-supervised`, and 0 otherwise.
    """
    return np.random.default_rng([seed, step] + [APART] * (step == classes and step > 0))


def samples(seed: int) -> np.random.Generator:
    """Return the generator for pictures of samples, and for the tables of `measure codes` and `measure yardsticks`."""
    return np.random.default_rng(seed)


def switch_test(seed: int) -> np.random.Generator:
    """Return the generator that draws the faces for the switch test of the experiment `faces`."""
    return np.random.default_rng([seed, SWITCH_TEST])
