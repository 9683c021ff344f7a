"""How many images a model puts where their labels say; without labels, after its variables and values were named.

n variables of k values each; a label is the index of a joint value, as in joint.values.  One class of ten values is
n = 1; attributes are n variables of two values.
"""
from __future__ import annotations

from typing import NamedTuple

import numpy as np

from refimpl import joint


class Naming(NamedTuple):
    """Which attribute each variable stands for, and which value each of its values.

    variable (n,): the place of the model's variable that is read as attribute j.  value (n, k): what each value of that
    variable is read as.
    """

    variable: np.ndarray
    value: np.ndarray

    def read(self, predicted: np.ndarray) -> np.ndarray:
        """The attributes (N, n) that the model's variables (N, n) say."""
        return np.stack([value[predicted[:, i]] for i, value in zip(self.variable, self.value)], axis=1)


class Accuracy(NamedTuple):
    """Shares of images: all attributes right, and each (n,)."""

    every: float
    each: np.ndarray


def as_taught(n: int, k: int) -> Naming:
    """Variable j is attribute j: what labels have taught."""
    return Naming(np.arange(n), np.tile(np.arange(k), (n, 1)))


def best_match(predicted: np.ndarray, labels: np.ndarray, k: int) -> Naming:
    """The naming under which predicted (N, n) agrees most often with labels (N, n), summed over the attributes.

    Of each pair of a variable and an attribute first the best one-to-one renaming of the values, for two values a flip
    or none; then of all one-to-one pairings of variables and attributes the best.
    """
    from scipy.optimize import linear_sum_assignment    # here: importing it takes longer than all of refimpl

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
    """Of predicted labels (N,) against true ones (N,); matched: under the best naming."""
    values = joint.values(n, k)
    said, true = values[predicted], values[labels]
    naming = best_match(said, true, k) if matched else as_taught(n, k)
    right = naming.read(said) == true
    return Accuracy(float(np.count_nonzero(right.all(axis=1)) / len(labels)), right.mean(axis=0))


def accuracy(predicted: np.ndarray, labels: np.ndarray, classes: int, matched: bool) -> float:
    """The share of one class of so many; `matched`: after the one-to-one renaming of predictions that makes it
    largest."""
    return accuracies(predicted, labels, 1, classes, matched).every
