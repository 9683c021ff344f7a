"""Checks of the arg max, the noise and the features of paths, by enumeration of all paths."""
from __future__ import annotations

import math

import numpy as np
from scipy.special import softmax

from refimpl import gumbel, joint
from refimpl.latent import paths
from refimpl.latent.paths import Paths
from tests.asserts import z_scores

SIZES = [(4, 4), (3, 5), (5, 3), (1, 4), (4, 1), (2, 2)]


def by_loops(rows, columns):
    """Return the cells of every path, by recursion, with right before down."""
    def onward(row, column):
        if (row, column) == (rows - 1, columns - 1):
            return [[(row, column)]]
        rights = onward(row, column + 1) if column + 1 < columns else []
        downs = onward(row + 1, column) if row + 1 < rows else []
        return [[(row, column), *rest] for rest in rights + downs]

    return onward(0, 0)


def worst_loss(family_class=Paths, seeds=40) -> float:
    """Return the largest loss of the arg max compared with the best of all paths; infinite if it is not a path."""
    worst = 0.0
    for rows, columns in SIZES:
        every = paths.all_paths(rows, columns)
        known = {tuple(path) for path in every}
        for seed in range(seeds):
            theta = np.random.default_rng([seed, rows, columns]).normal(size=(5, rows * columns)) - (seed % 3)
            z = family_class(rows, columns).argmax(theta)
            if {tuple(path) for path in z[..., 1]} - known or (z[..., 0] != 1 - z[..., 1]).any():
                return math.inf
            worst = max(worst, ((theta @ every.T).max(axis=1) - (theta * z[..., 1]).sum(axis=1)).max())
    return worst


def share_of_first_among_equals(family_class=Paths) -> float:
    """Return how often the arg max is the first of the best paths, in the order of all_paths.

    The scores are small whole numbers, so that there are many ties.
    """
    rng = np.random.default_rng(0)
    every = paths.all_paths(4, 4)
    theta = rng.integers(-1, 2, size=(500, 16)).astype(float)
    scores = theta @ every.T
    ties = ((scores == scores.max(axis=1, keepdims=True)).sum(axis=1) > 1).mean()
    assert ties > 0.4
    is_first = (family_class(4, 4).argmax(theta)[..., 1] == every[scores.argmax(axis=1)]).all(axis=1)
    return float(is_first.mean())


def check_features_tilt_and_joint_arg_max(rng, family_class=Paths) -> None:
    family, theta, table = family_class(3, 3), rng.normal(size=(6, 9)), 2 * rng.normal(size=(6, 9, 2))
    every, hots = paths.all_paths(3, 3), gumbel.one_hot(paths.all_paths(3, 3).astype(int), 2)
    np.testing.assert_array_equal(family.features(hots), every)
    tilted = family.argmax(family.tilt(theta, table))
    joint_table = 3 * rng.normal(size=(6, 2**9))
    both = family.joint_argmax(theta, joint_table)
    for b in range(6):
        of_table = [sum(table[b, c, int(path[c])] for c in range(9)) for path in every]
        np.testing.assert_array_equal(tilted[b], hots[np.argmax(theta[b] @ every.T + of_table)])
        at = theta[b] @ every.T + joint_table[b, joint.index(hots)]
        np.testing.assert_array_equal(both[b], hots[at.argmax()])
    assert (family.joint_argmax(theta, np.zeros((6, 2**9))) == family.argmax(theta)).all()


def deviation_on_two_paths(family_class=Paths) -> float:
    """Return the deviation of the mean path in 2 x 2 cells from its exact value, in standard errors.

    The two paths differ in one cell, so E max is the sum of the shared scores plus a logsumexp of the two others, whose
    derivative is a softmax.  The result is infinite if z is not a path.
    """
    theta, draws = np.random.default_rng(5).normal(size=4), 200_000
    z = family_class(2, 2).sample(np.broadcast_to(theta, (draws, 4)), np.random.default_rng(0))[..., 1]
    if not ((z[:, [0, 3]] == 1).all() and (z[:, 1] + z[:, 2] == 1).all()):
        return math.inf
    return float(np.abs(z_scores(z[:, 1:3], softmax(theta[1:3]))).max())
