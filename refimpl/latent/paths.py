"""The family of paths over a grid of cells, from the first cell to the last.

Each move of a path goes one cell to the right or one cell down.

    h(z) = sum_c theta_c z_c        z in {0, 1}^cells, z_c = 1 on the path; features(z) = z; theta_c = -cost of cell c

There are C(rows + columns - 2, rows - 1) paths.  Dynamic programming (Bellman 1957) finds the best path in one pass
over the cells.  Each cell has one Gumbel variable as its noise.  The noise of a path is the sum of the noise of its
cells, and paths that share cells share noise.  Therefore the law q(z) of the perturbed arg max has no closed form, and
there is no KL term and no ELBO.  The prior is uniform on the paths.  In `train --family paths`, the encoder maps each
image to a path, and the decoder reconstructs the image from this path.
"""
from __future__ import annotations

import itertools
import math
from collections.abc import Mapping

import numpy as np

from refimpl import arguments, gumbel
from refimpl.arguments import InputError, Setting, Value
from refimpl.latent.family import Family
from refimpl.latent.linear import EXCLUDED

LISTED = 100_000            # the largest number of paths that all_paths lists
LARGEST_SIDE = 1_000


def count(rows: int, columns: int) -> int:
    """Return the number of paths, C(rows + columns - 2, rows - 1): 20 for 4 x 4 cells and 155,117,520 for 16 x 16."""
    rows = arguments.integer("rows", rows, 1, LARGEST_SIDE)
    columns = arguments.integer("columns", columns, 1, LARGEST_SIDE)
    return math.comb(rows + columns - 2, rows - 1)


def all_paths(rows: int, columns: int) -> np.ndarray:
    """Return all paths as 0s and 1s, of shape (paths, rows * columns).

    The paths are in the lexicographic order of their moves.  In this order, a move to the right comes before a move
    down.  Raises ValueError if there are more than 100,000 paths (LISTED).
    """
    if count(rows, columns) > LISTED:
        raise ValueError(f"rows must be so few that there are at most {LISTED:,} paths, got {rows} x {columns} cells "
                         f"with {count(rows, columns):,}")
    moves = rows + columns - 2
    every = np.zeros((count(rows, columns), rows, columns))
    for path, rights in enumerate(itertools.combinations(range(moves), columns - 1)):
        row = column = 0
        every[path, 0, 0] = 1
        for move in range(moves):
            row, column = (row, column + 1) if move in rights else (row + 1, column)
            every[path, row, column] = 1
    return every.reshape(len(every), -1)


class Paths(Family):
    """The family of paths over a grid.

    theta has shape (B, rows * columns) and holds the scores of the cells, row by row.  z has shape (B, cells, 2).  Its
    entries are (0, 1) for the cells on the path, and (1, 0) for all other cells.

    Raises ValueError if the grid has fewer than two cells, or if a side is longer than 1,000 cells (LARGEST_SIDE).
    """

    k = 2
    normalised = False
    relaxable = False
    has_unary_kl = False
    noise_on_every_score = True
    options = {"rows": Setting(int, None, "number of rows of the grid, which must divide --n (default: the root of "
                                          "--n, rounded down)", least=1, most=LARGEST_SIDE)}

    @classmethod
    def complete(cls, n: int, k: int, options: Mapping[str, Value]) -> dict[str, Value]:
        rows = super().complete(n, k, options)["rows"] or math.isqrt(n)
        if k != 2 or n < 2:
            raise InputError(f"--family paths needs --k 2 and --n above 1, a binary variable for each cell, "
                             f"got --k {k} and --n {n}")
        if n % rows or n // rows > LARGEST_SIDE:
            raise InputError(f"--rows must divide --n {n} into at most {LARGEST_SIDE:,} columns, got {rows}")
        return {"rows": rows}

    @classmethod
    def create(cls, n: int, k: int, *, rows: int) -> Paths:
        return cls(rows, n // rows)

    def label(self) -> str:
        return f"paths over {self.rows} x {self.columns} cells"

    def values(self, dtype: np.dtype = np.float64) -> np.ndarray:
        if self.count() > LISTED:
            raise InputError(f"listing every path of {self.rows} x {self.columns} cells needs at most {LISTED:,}, "
                             f"and there are {self.count():,}; use a smaller grid")
        ones = all_paths(self.rows, self.columns)
        return np.stack([1 - ones, ones], axis=-1).reshape(len(ones), -1).astype(dtype)

    def count(self) -> int:
        return count(self.rows, self.columns)

    def __init__(self, rows: int, columns: int) -> None:
        count(rows, columns)                                            # raises an error if one of them is not allowed
        if rows * columns < 2:
            raise ValueError(f"columns must be at least 2 where there is one row, got {columns}")
        self.rows, self.columns = int(rows), int(columns)
        self.n = self.outputs = self.rows * self.columns

    def perturb(self, theta: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return theta + gumbel.sample(self._checked(theta).shape, rng)

    def argmax(self, theta: np.ndarray) -> np.ndarray:
        """Return an array of shape (B, cells, 2): the best path for each image, by dynamic programming.

        If several paths are equally good, the one that all_paths lists first is returned.
        """
        ones = self.best(self._checked(theta))
        return np.stack([1 - ones, ones], axis=-1)

    def best(self, theta: np.ndarray) -> np.ndarray:
        """Return an array of shape (B, cells): the best path for each image, with 1 for the cells on the path.

        A score of minus infinity excludes a cell.  Raises ValueError if every path contains an excluded cell.
        """
        cells = theta.T.reshape(self.rows, self.columns, -1)
        best = np.full((self.rows + 1, self.columns + 1, len(theta)), -np.inf)      # score from a cell to the end
        best[-1, -2] = 0                                                            # after the last cell
        for row, column in itertools.product(reversed(range(self.rows)), reversed(range(self.columns))):
            onward = np.maximum(best[row, column + 1], best[row + 1, column])
            best[row, column] = cells[row, column] + onward                         # Bellman's equation
        if np.isneginf(best[0, 0]).any():
            raise ValueError(EXCLUDED)
        on, image = np.zeros(cells.shape), np.arange(len(theta))
        row = column = np.zeros(len(theta), int)
        on[0, 0] = 1
        for _ in range(self.rows + self.columns - 2):                               # follow the best moves forward
            down = best[row + 1, column, image] > best[row, column + 1, image]
            row, column = row + down, column + ~down
            on[row, column, image] = 1
        return on.reshape(self.n, -1).T

    def features(self, z: np.ndarray) -> np.ndarray:
        return z[..., 1]

    def tilt(self, theta: np.ndarray, table: np.ndarray) -> np.ndarray:
        """Return theta + table[..., 1] - table[..., 0], of shape (B, cells).  The index 1 is for cells on the path."""
        arguments.finite("f", table)
        return theta + table[..., 1] - table[..., 0]

    def joint_argmax(self, theta: np.ndarray, table: np.ndarray) -> np.ndarray:
        """Return an array of shape (B, cells, 2): the best path for each image, by enumeration.

        `table` has shape (B, 2^cells).  The entries for joint values that are not paths are ignored.
        """
        if self.n > 30:
            raise ValueError(f"table must hold all 2^{self.n} joint values, which is too many for {self.n} cells")
        every = all_paths(self.rows, self.columns)
        place = (every @ 2.0 ** np.arange(self.n - 1, -1, -1)).astype(int)          # in the order of joint.values
        total = self._checked(theta) @ every.T + arguments.finite("f", table[:, place])
        return gumbel.one_hot(every[total.argmax(axis=1)].astype(int), 2)

    def _checked(self, theta: np.ndarray) -> np.ndarray:
        if theta.ndim != 2 or theta.shape[1] != self.n:
            raise ValueError(f"theta must have shape (B, {self.n}) for {self.rows} x {self.columns} cells, "
                             f"got {theta.shape}")
        return arguments.finite("theta", theta)
