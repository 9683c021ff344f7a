"""Sets whose linear arg max can be found by a known algorithm: subsets, matchings, spanning trees and paths.

Each function returns a Linear.  The table lists the algorithm for the arg max.  The last column states how the sum of
exp(theta . z) over all z could be computed.  Direct optimisation does not need this sum.

    set                   one z                           arg max                sum over all z
    subsets(n, k)         (n,), k ones                    sorting                polynomial in n and k
    matchings(n)          (n, n), a permutation matrix    assignment, O(n^3)     a permanent, #P-hard (Valiant 1979)
    trees(nodes, edges)   (edges,), nodes - 1 ones        Kruskal (1956)         a determinant
    paths(rows, columns)  (rows, columns)                 dynamic programming    dynamic programming

A score of minus infinity excludes an entry, for example a forbidden pair of a matching or a missing edge of a graph.
If several z are equally good, the first one in values() is returned, but matchings(n) may return any of them.
"""
from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components, minimum_spanning_tree

from refimpl import arguments
from refimpl.latent.linear import EXCLUDED, Linear
from refimpl.latent.paths import LISTED, Paths, all_paths

LARGEST_SIZE = 100_000


def _chosen(n: int, k: int) -> np.ndarray:
    if math.comb(n, k) > LISTED:
        raise ValueError(f"n must be so small that there are at most {LISTED:,} choices to list, got {k} of {n} with "
                         f"{math.comb(n, k):,}")
    return np.array(list(itertools.combinations(range(n), k)), int).reshape(math.comb(n, k), k)


def _ones(places: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Return an array of this shape with 1 at `places` on its last axis, and 0 elsewhere."""
    z = np.zeros(shape)
    np.put_along_axis(z, places, 1, axis=-1)
    return z


def subsets(n: int, k: int) -> Linear:
    """Return the set of all choices of k out of n places.

    z has shape (n,) and is 1 at the k chosen places.  The arg max chooses the places with the k highest scores.  The
    probability of z* is the sum of gumbel.top_k_probability (Plackett and Luce) over all orders of the k places.
    """
    n = arguments.integer("n", n, 1, LARGEST_SIZE)
    k = arguments.integer("k", k, 0, n)

    def highest(theta: np.ndarray) -> np.ndarray:
        return _ones(np.argsort(-theta, axis=-1, kind="stable")[:, :k], theta.shape)

    def every() -> np.ndarray:
        places = _chosen(n, k)
        return _ones(places, (len(places), n))

    return Linear(n, highest, every, batched=True)


def matchings(n: int) -> Linear:
    """Return the set of perfect matchings of n things with n places.

    z has shape (n, n), with a single 1 in each row and each column.  The solver is
    scipy.optimize.linear_sum_assignment.  values() lists all matchings if n is at most 8.
    """
    n = arguments.integer("n", n, 1, 10_000)

    def assign(theta: np.ndarray) -> np.ndarray:
        try:
            columns = [linear_sum_assignment(costs)[1] for costs in -theta]
        except ValueError:                              # "cost matrix is infeasible"
            raise ValueError(EXCLUDED) from None
        z = np.zeros(theta.size)
        z[np.arange(0, z.size, n) + np.concatenate([np.zeros(0, int), *columns])] = 1
        return z.reshape(theta.shape)

    def every() -> np.ndarray:
        if n > 20 or math.factorial(n) > LISTED:
            raise ValueError(f"n must be so small that there are at most {LISTED:,} matchings to list, got {n}")
        return np.eye(n)[list(itertools.permutations(range(n)))]

    return Linear((n, n), assign, every, batched=True)


def trees(nodes: int, edges: Sequence[tuple[int, int]]) -> Linear:
    """Return the set of spanning trees of a graph.

    `edges` is a list of pairs of nodes, which are numbered from 0.  z has one entry for each edge of the graph, and
    this entry is 1 if the edge belongs to the tree.  The solver is scipy's minimum_spanning_tree.  The tree
    depends only on the ranking of the scores, so the solver gets their ranks.  The highest score has rank 1.  Raises
    ValueError if the edges do not connect all nodes, if the two nodes of an edge are equal, or if an edge occurs twice.
    """
    nodes = arguments.integer("nodes", nodes, 1, LARGEST_SIZE)
    ends = arguments.array("edges", edges)
    ends = ends if ends.size else np.zeros((0, 2), int)
    if ends.ndim != 2 or ends.shape[1] != 2:
        raise ValueError(f"edges must be pairs of nodes, got an array of shape {ends.shape}")
    ends = np.sort(arguments.indices(ends, nodes, "edges"), axis=1)
    if (ends[:, 0] == ends[:, 1]).any() or len(np.unique(ends, axis=0)) < len(ends):
        raise ValueError("edges must be pairs of different nodes, each pair once")
    m, graph = len(ends), csr_matrix((np.arange(1.0, len(ends) + 1), ends.T), (nodes, nodes))
    if connected_components(graph, directed=False)[0] > 1:
        raise ValueError(f"edges must connect all {nodes} nodes")
    number = graph.data.astype(int) - 1                                     # the edge of each entry of `graph`

    def kruskal(theta: np.ndarray) -> np.ndarray:
        order, z = np.argsort(-theta, axis=-1, kind="stable"), np.zeros(theta.shape)
        rank = np.argsort(order, axis=-1) + 1.0                             # 1 for the best edge
        for image in range(len(theta) if m else 0):
            graph.data = rank[image, number]
            tree = minimum_spanning_tree(graph)
            z[image, order[image, tree.data.astype(int) - 1]] = 1
        return z

    def every() -> np.ndarray:
        chosen, incidence = _chosen(m, nodes - 1), np.zeros((m, nodes))
        incidence[np.arange(m), ends[:, 0]], incidence[np.arange(m), ends[:, 1]] = 1, -1
        trees = chosen[np.abs(np.linalg.det(incidence[chosen, 1:])) > 0.5]  # +-1 for a tree, 0 if there is a cycle
        return _ones(trees, (len(trees), m))

    return Linear(m, kruskal, every, batched=True)


def paths(rows: int, columns: int) -> Linear:
    """Return the set of paths over a grid from the first cell to the last, with moves to the right or down.

    z has shape (rows, columns) and is 1 on the path.  To train with the same paths, use the family latent.paths.Paths.
    """
    grid = Paths(rows, columns)
    return Linear((rows, columns), lambda theta: grid.best(theta.reshape(-1, grid.n)).reshape(theta.shape),
                  lambda: all_paths(rows, columns).reshape(-1, rows, columns), batched=True)
