"""1. Gumbel noise.

A sample of q = softmax(h) can be drawn by an arg max: add noise to the scores h, and take the value with the largest
sum.  The noise is an independent random number for each value of z, and it must have the Gumbel distribution.
Here the mean of the noise is zero, so on average the noise does not change a score.

    gamma = -log(E) - c            E is exponential with mean 1, and c = 0.5772... (np.euler_gamma)
    gamma = -log(-log(U)) - c      has the same law if U is uniform between 0 and 1

gamma and h are pure numbers: they have no unit.
"""
import numpy as np


def gumbel(shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """Draw Gumbel noise with mean zero from `rng`, and return it as an array of this shape."""
    ...
