"""Compute probabilities and walls of an arg max for any noise, by quadrature over heights (chapter 2, appendix A).

`law` is the distribution of the noise of one value: any object with the methods cdf and pdf, as in scipy.stats. Scores
have shape (k,).
"""
from __future__ import annotations

import numpy as np

STEP = 0.01
HEIGHTS = np.arange(-12, 45, STEP)


def chances(law, scores: np.ndarray) -> np.ndarray:
    """Return P(z* = z) for each z (equation 6).

    This is the integral over t of the density of z at height t, times the probability that all others are below t.
    """
    below, at = law.cdf(HEIGHTS - scores[:, None]), law.pdf(HEIGHTS - scores[:, None])
    return np.array([(at[z] * np.delete(below, z, axis=0).prod(axis=0)).sum() for z in range(len(scores))]) * STEP


def walls(law, scores: np.ndarray) -> np.ndarray:
    """Return rho, (k, k), with zeros on the diagonal.

    An entry is the integral over t of the density with which two values are at height t and all others below t.
    """
    k, below, at = len(scores), law.cdf(HEIGHTS - scores[:, None]), law.pdf(HEIGHTS - scores[:, None])
    return np.array([[(at[i] * at[j] * np.delete(below, [i, j], axis=0).prod(axis=0)).sum() * STEP if i != j else 0
                      for j in range(k)] for i in range(k)])


def jacobian(law, scores: np.ndarray, d: float = 1e-4) -> np.ndarray:
    """Return d q_i / d h_j, (k, k), computed from difference quotients of the probabilities."""
    return np.stack([(chances(law, scores + d * unit) - chances(law, scores - d * unit)) / (2 * d)
                     for unit in np.eye(len(scores))], axis=1)
