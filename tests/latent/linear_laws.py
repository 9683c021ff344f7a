"""Sets with a linear arg max and their exact laws, by enumeration of orders or in closed form."""
from __future__ import annotations

import itertools

import numpy as np
from scipy.special import expit, softmax

from refimpl import gumbel
from refimpl.latent import sets
from refimpl.latent.linear import Linear
from tests.asserts import z_scores

CHORD = ((0, 1), (1, 2), (2, 3), (3, 0), (2, 0))            # a square with a diagonal: eight trees
EPS = 0.7


def subset_law(family, theta):
    """Return the Plackett-Luce probability of each subset, summed over all orders of its elements."""
    return np.array([sum(gumbel.top_k_probability(theta, list(order))
                         for order in itertools.permutations(np.flatnonzero(z))) for z in family.values()])


def tree_law(family, theta, edges=CHORD):
    """Follow Kruskal's algorithm: the next edge that closes no cycle is drawn from a softmax (no memory)."""
    law = dict.fromkeys((tuple(np.flatnonzero(z)) for z in family.values()), 0.0)

    def grow(taken, part, p):
        open_ = [e for e, (i, j) in enumerate(edges) if part[i] != part[j]]
        if not open_:
            law[tuple(sorted(taken))] += p
        for e, share in zip(open_, softmax([theta[e] for e in open_]) if open_ else ()):
            i, j = edges[e]
            grow([*taken, e], [part[i] if each == part[j] else each for each in part], p * share)

    grow([], range(1 + max(itertools.chain(*edges))), 1.0)
    return np.array(list(law.values()))


def matching_law(family, theta):
    """Use n = 2: the two sums of noise differ by the sum of two logistic variables, whose CDF is known."""
    t = theta[0, 0] + theta[1, 1] - theta[0, 1] - theta[1, 0]
    p = np.exp(t) * (np.exp(t) - 1 - t) / np.expm1(t)**2
    return np.array([p, 1 - p])                             # values() begins with the identity


def path_law(family, theta):
    """Return the law of the two paths of 2 x 2 cells, by the two cells in which they differ."""
    right = expit(theta[0, 1] - theta[1, 0])
    return np.array([right, 1 - right])


def one_law(family, theta):
    return softmax(theta)


CASES = {"subsets": (lambda: sets.subsets(5, 2), subset_law), "trees": (lambda: sets.trees(4, CHORD), tree_law),
         "matchings": (lambda: sets.matchings(2), matching_law), "paths": (lambda: sets.paths(2, 2), path_law),
         "one of four": (lambda: Linear(4, lambda theta: np.arange(4) == theta.argmax()), None),
         "compared": (lambda: Linear(4, values=np.eye(4)), one_law)}


def problem(name):
    """Return (family, law, theta, c)."""
    make, law = CASES[name]
    family, rng = make(), np.random.default_rng(7)
    return family, law or one_law, rng.normal(size=family.shape), 1.5 * rng.normal(size=family.shape)


def mu(family, law, theta):
    values = np.eye(4) if law is one_law else family.values()
    return np.tensordot(law(family, theta), values, 1)


def expected(family, law, theta, c, eps, two_sided=False):
    """Return the exact (mu_eps - mu) / eps."""
    below = mu(family, law, theta - eps * c) if two_sided else mu(family, law, theta)
    return (mu(family, law, theta + eps * c) - below) / (eps * (2 if two_sided else 1))


def off(name, gradient=None, draws=10_000, two_sided=False, family=None) -> float:
    """Return the largest deviation of the mean direct gradient from (mu_eps - mu) / eps, in standard errors."""
    right, law, theta, c = problem(name)
    family = family or right
    if name == "trees":                                     # test_linear.py compares SciPy's solver with it
        family = Linear(family.shape, values=family.values)
    draws = min(draws, 2_000) if name == "one of four" else draws       # its solver takes one theta at a time
    many = np.broadcast_to(theta, (draws, *theta.shape))
    grad = (gradient or family.gradient)(many, c, EPS, np.random.default_rng(3), two_sided=two_sided)
    return float(np.abs(z_scores(grad, expected(right, law, theta, c, EPS, two_sided))).max())


def falls(family, theta, c) -> int:
    """Return the number of draws with f(z(eps)) < f(z*), or in which f = 0 changes z; both must be 0."""
    many = np.broadcast_to(theta, (300, *theta.shape))
    axes = tuple(range(1, many.ndim))
    grad = family.gradient(many, c, EPS, np.random.default_rng(3))
    without_f = family.gradient(many, 0 * c, EPS, np.random.default_rng(3))
    return int(((grad * c).sum(axis=axes) < -1e-12).sum() + (without_f != 0).any(axis=axes).sum())


def worst_loss(family, rounds=25) -> float:
    """Return the largest loss of the solver compared with the best of all z, also with excluded entries."""
    enumerated, rng, worst = Linear(family.shape, values=family.values), np.random.default_rng(0), 0.0
    for share in (0.0, 0.15):
        for theta in rng.normal(size=(rounds, *family.shape)):
            theta[rng.random(family.shape) < share] = -np.inf
            try:
                best = enumerated.argmax(theta)
            except ValueError as problem:
                try:
                    family.argmax(theta)
                except ValueError as error:
                    assert str(error) == str(problem)
                    continue
                return np.inf
            worst = max(worst, (theta[best == 1].sum() - theta[family.argmax(theta) == 1].sum()))
    return float(worst)
