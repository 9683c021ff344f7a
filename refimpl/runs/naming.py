"""The accuracy of predicted labels; for a model without labels, after its variables and values are matched to them.

There are n variables of k values each, and a label is the index of a joint value, as in joint.values.  One class of ten
values is n = 1 and k = 10; attributes are n variables of two values.
"""
from __future__ import annotations

from typing import NamedTuple

import numpy as np

from refimpl import joint


class Naming(NamedTuple):
    """Holds which of the model's variables is attribute j, (n,), and what each value of this variable means, (n, k)."""

    variable: np.ndarray
    value: np.ndarray

    def read(self, predicted: np.ndarray) -> np.ndarray:
        """Return the attributes, (N, n), that the model's variables, (N, n), stand for."""
        return np.stack([value[predicted[:, i]] for i, value in zip(self.variable, self.value)], axis=1)


class Accuracy(NamedTuple):
    """Holds the share of images with all attributes right, and that of each attribute, (n,)."""

    every: float
    each: np.ndarray


def as_taught(n: int, k: int) -> Naming:
    """Return the naming in which variable j is attribute j, which is right if the model has learnt from labels."""
    return Naming(np.arange(n), np.tile(np.arange(k), (n, 1)))


def best_match(predicted: np.ndarray, labels: np.ndarray, k: int) -> Naming:
    """Return the naming under which predicted, (N, n), agrees most often with labels, (N, n), summed over attributes.

    First the best one-to-one renaming of the values is found for each pair of a variable and an attribute; with two
    values it is a flip or none.  Then the best one-to-one pairing of variables and attributes is found.
    """
    from scipy.optimize import linear_sum_assignment    # imported only here, because it is slow to import

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
    """Return the accuracy of predicted labels, (N,), given the true ones, (N,); if `matched`, under the best naming."""
    values = joint.values(n, k)
    said, true = values[predicted], values[labels]
    naming = best_match(said, true, k) if matched else as_taught(n, k)
    right = naming.read(said) == true
    return Accuracy(float(np.count_nonzero(right.all(axis=1)) / len(labels)), right.mean(axis=0))

