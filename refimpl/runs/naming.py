"""Compute the accuracy of a model that predicts labels.

A model has n variables of k values each.  For k classes, n = 1.  For n attributes, k = 2, and there is one
variable for each attribute.  A label is the index of a joint value, as in joint.values.  After training without
labels, the variables and their values have no names.  So best_match chooses names that fit the true labels.
"""
from __future__ import annotations

from typing import NamedTuple

import numpy as np

from refimpl import joint


class Naming(NamedTuple):
    """Defines the meaning of the variables of a model.

    `variable` has shape (n,), and variable[j] is the index i of the variable that represents attribute j.  `value` has
    shape (n, k).  If the variable of attribute j is equal to v, then attribute j is equal to value[j, v].
    """

    variable: np.ndarray
    value: np.ndarray

    def read(self, predicted: np.ndarray) -> np.ndarray:
        """Translate the values of the variables into attributes.  `predicted` and the result have shape (N, n)."""
        return np.stack([value[predicted[:, i]] for i, value in zip(self.variable, self.value)], axis=1)


class Accuracy(NamedTuple):
    """Holds shares of images.

    `every` is the share with all attributes correct, and each[j] is the share with attribute j correct.
    """

    every: float
    each: np.ndarray


def as_taught(n: int, k: int) -> Naming:
    """Return the naming of a model that has learnt from labels: variable j means attribute j."""
    return Naming(np.arange(n), np.tile(np.arange(k), (n, 1)))


def best_match(predicted: np.ndarray, labels: np.ndarray, k: int) -> Naming:
    """Return the naming that makes as many predictions correct as possible.

    `predicted` and `labels` have shape (N, n).  First, the function finds the best one-to-one renaming of the k
    values for each pair of a variable and an attribute.  Then it finds the best one-to-one pairing of variables and
    attributes.
    """
    from scipy.optimize import linear_sum_assignment    # imported here because it takes long

    n = labels.shape[1]
    agreeing, renamed = np.zeros((n, n)), np.zeros((n, n, k), int)
    for i in range(n):
        for j in range(n):
            counts = np.zeros((k, k), np.int64)
            np.add.at(counts, (predicted[:, i], labels[:, j]), 1)
            rows, columns = linear_sum_assignment(counts, maximize=True)
            agreeing[i, j], renamed[i, j, rows] = counts[rows, columns].sum(), columns
    variables, attributes = linear_sum_assignment(agreeing, maximize=True)
    order = np.argsort(attributes)
    return Naming(variables[order], renamed[variables[order], np.arange(n)])


def accuracies(predicted: np.ndarray, labels: np.ndarray, n: int, k: int, matched: bool) -> Accuracy:
    """Return the accuracy of the predicted labels.  `predicted` and `labels` have shape (N,).

    If `matched` is True, best_match first renames the variables and their values.
    """
    values = joint.values(n, k)
    said, true = values[predicted], values[labels]
    naming = best_match(said, true, k) if matched else as_taught(n, k)
    right = naming.read(said) == true
    return Accuracy(float(np.count_nonzero(right.all(axis=1)) / len(labels)), right.mean(axis=0))

