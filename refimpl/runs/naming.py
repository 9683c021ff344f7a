"""Compute the accuracy of a model that predicts labels.

A model has n variables of k values each, and a label is the index of a joint value, as in joint.values.  Ten classes
are the values of one variable, so n = 1 and k = 10.  Attributes are n variables of two values each.  If a model was
trained without labels, the variables and their values have no names.  Then variables and values are matched to the true
labels before the accuracy is computed.
"""
from __future__ import annotations

from typing import NamedTuple

import numpy as np

from refimpl import joint


class Naming(NamedTuple):
    """Defines what the variables of a model mean.

    Entry j of `variable`, of shape (n,), is the index i of the variable that means attribute j.  If variable i has the
    value v, then attribute j has the value value[j, v]; `value` has shape (n, k).
    """

    variable: np.ndarray
    value: np.ndarray

    def read(self, predicted: np.ndarray) -> np.ndarray:
        """Translate predicted values of the model's variables, of shape (N, n), into attributes, of shape (N, n)."""
        return np.stack([value[predicted[:, i]] for i, value in zip(self.variable, self.value)], axis=1)


class Accuracy(NamedTuple):
    """Holds the accuracy of a model, as shares of the images.

    `every` is the share with all attributes right.  Entry j of `each`, of shape (n,), is the share with attribute j
    right.
    """

    every: float
    each: np.ndarray


def as_taught(n: int, k: int) -> Naming:
    """Return the naming of a model that has learnt from labels: variable j means attribute j."""
    return Naming(np.arange(n), np.tile(np.arange(k), (n, 1)))


def best_match(predicted: np.ndarray, labels: np.ndarray, k: int) -> Naming:
    """Return the naming with the most agreements between `predicted` and `labels`, both (N, n).

    Each entry of `labels` that equals the renamed prediction is one agreement.  First, for each pair of a variable and
    an attribute, the best one-to-one renaming of the values is found; with k = 2, the two values are either exchanged
    or kept.  Then the best one-to-one pairing of variables and attributes is found.
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
    """Return the accuracy of the labels `predicted`, of shape (N,), compared with the true labels `labels`, of shape
    (N,).

    If `matched` is True, best_match first renames the variables and their values.
    """
    values = joint.values(n, k)
    said, true = values[predicted], values[labels]
    naming = best_match(said, true, k) if matched else as_taught(n, k)
    right = naming.read(said) == true
    return Accuracy(float(np.count_nonzero(right.all(axis=1)) / len(labels)), right.mean(axis=0))

