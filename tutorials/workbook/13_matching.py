"""13. Two matchings instead of two arg maxes.

A matching puts each of n tiles at a place of its own.  The best matching can be found without listing all n! matchings.
The estimate of Theorem 1 needs only two best matchings with the same noise: one without f, and one with eps f added.
It does not need the sum over all matchings, for which no fast algorithm is known.

    z*     = argmax_z  sum_ij (theta_ij + gamma_ij) z_ij                  z runs over all matchings
    z(eps) = argmax_z  sum_ij (theta_ij + gamma_ij + eps c_ij) z_ij       f(z) = sum_ij c_ij z_ij
    g      = (z(eps) - z*) / eps

A matching is a matrix of 0 and 1 with a single 1 in each row and in each column: z_ij = 1 puts tile i at place j.
Shapes: theta, c, gamma, z and g are (B, n, n), and eps > 0 is one number.  Units: f, c and g have the same unit, and
eps has the inverse unit; theta and gamma are pure numbers.  g is a direction of ascent of E f.  To find a matching, use
scipy's linear_sum_assignment.  It takes one matrix, returns the row and the column of every 1, and minimises the sum
unless you tell it to maximise.
"""
import numpy as np
from scipy.optimize import linear_sum_assignment


def matching(theta: np.ndarray) -> np.ndarray:
    """Return the best matching for each matrix of scores in theta, as an array of 0s and 1s of shape (B, n, n)."""
    ...


def direct_matching(theta: np.ndarray, c: np.ndarray, eps: float, noise: np.ndarray) -> np.ndarray:
    """For each matrix of noise, return one estimate g of the gradient of E f with respect to theta."""
    ...
