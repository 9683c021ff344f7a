"""1. Gumbel noise.

A sample of q = softmax(h) can be drawn by an arg max: add noise to the scores h, and take the value with the largest
sum.  The noise is one random number for each value of z, independent of all others, and its law must be Gumbel's.
Here the mean of the noise is zero, so on average it does not change a score.

    gamma = -log(E) - c            E exponential with mean 1, c = 0.5772... (np.euler_gamma)
    gamma = -log(-log(U)) - c      the same law, U uniform between 0 and 1

gamma and h are pure numbers: they have no unit.
"""
import numpy as np


def gumbel(shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """Gumbel noise with mean zero: an array of this shape, drawn from rng."""
    return -np.log(rng.standard_exponential(shape)) - np.euler_gamma
