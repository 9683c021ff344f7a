"""Linear arg maxes: solvers against enumeration, exact laws, the direct gradient, and invalid arguments."""
from __future__ import annotations

import doctest
import itertools
import math

import numpy as np
import pytest
from scipy.special import expit, logit

from refimpl import gumbel
from refimpl.arguments import NotFinite
from refimpl.latent import linear, sets
from refimpl.latent.linear import Linear
from tests.asserts import z_scores
from tests.latent import linear_laws
from tests.latent.linear_laws import CASES, CHORD, expected, falls, mu, off, problem, worst_loss

FULL = list(itertools.combinations(range(4), 2))
SETS = {"subsets": (lambda: sets.subsets(6, 3), 20), "none of them": (lambda: sets.subsets(3, 0), 1),
        "all of them": (lambda: sets.subsets(3, 3), 1), "matchings": (lambda: sets.matchings(4), 24),
        "one matching": (lambda: sets.matchings(1), 1), "trees": (lambda: sets.trees(4, FULL), 16),
        "square": (lambda: sets.trees(4, CHORD), 8), "a path is a tree": (lambda: sets.trees(3, [(0, 1), (1, 2)]), 1),
        "one edge": (lambda: sets.trees(2, [(1, 0)]), 1), "one node": (lambda: sets.trees(1, []), 1),
        "paths": (lambda: sets.paths(3, 4), 10), "row": (lambda: sets.paths(1, 3), 1)}


def test_examples_in_the_docstring_of_linear_are_correct():
    assert doctest.testmod(linear) == (0, 8)


@pytest.mark.parametrize("name", SETS)
def test_solver_returns_the_best_of_all_values(name):
    make, count = SETS[name]
    family = make()
    every = family.values()
    assert every.shape == (count, *family.shape) and len(np.unique(every, axis=0)) == count
    assert worst_loss(family) < 1e-12


@pytest.mark.parametrize("name", ["subsets", "square", "paths"])
def test_arg_max_of_ties_is_the_first_in_the_list_of_values(name):
    """Small whole scores tie often; 0 and -0 tie too."""
    family, rng = SETS[name][0](), np.random.default_rng(0)
    theta = rng.integers(-1, 2, size=(100, *family.shape)) * rng.choice([1.0, 0.0, -0.0], size=(100, *family.shape))
    np.testing.assert_array_equal(family.argmax(theta), Linear(family.shape, values=family.values).argmax(theta))


def test_arg_max_of_tied_matchings_is_a_matching():
    z = sets.matchings(5).argmax(np.zeros((2, 5, 5)))
    assert (z.sum(axis=1) == 1).all() and (z.sum(axis=2) == 1).all()


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("two_sided", [False, True])
def test_direct_gradient_has_the_exact_mean(name, two_sided):
    """Every entry is within four standard errors of (mu_eps - mu) / eps."""
    assert off(name, two_sided=two_sided) < 4


@pytest.mark.parametrize("name", CASES)
def test_both_arg_maxes_use_the_same_noise(name):
    family, _, theta, c = problem(name)
    assert falls(family, theta, c) == 0


@pytest.mark.parametrize("name", CASES)
def test_bias_is_of_order_eps_or_of_order_eps_squared_if_two_sided(name):
    """By the exact laws, half the eps gives half the bias, or a quarter of it if two-sided."""
    family, law, theta, c = problem(name)
    truth = expected(family, law, theta, c, 1e-4, two_sided=True)
    for two_sided, order in ((False, 1), (True, 2)):
        sizes = [np.abs(expected(family, law, theta, c, eps, two_sided) - truth).max() for eps in (0.08, 0.04)]
        assert abs(math.log2(sizes[0] / sizes[1]) - order) < 0.1


@pytest.mark.parametrize("name, gap", [("matchings", -1.25), ("paths", -2.5)])
def test_bias_of_mean_gradients_has_the_same_orders(name, gap):
    """The noise of these two depends on one number s; from its quantiles the mean is exact to 1 / (draws eps)."""
    family, law, _, _ = problem(name)
    theta, c = np.array([[0.0, gap], [0.0, 0.0]]), np.array([[0.0, 1.0], [0.0, 0.0]])
    draws = 10_000 if name == "matchings" else 40_000
    p = (np.arange(draws) + 0.5) / draws
    s = logit(p)
    if name == "matchings":                                 # of the sum of two logistic variables, on a fine grid
        t = np.linspace(-20, 20, 200_000)
        s = np.interp(p, np.exp(t) * (np.exp(t) - 1 - t) / np.expm1(t)**2, t)
    gamma = np.zeros((draws, 2, 2))
    gamma[:, 0, 1] = s
    truth = expected(family, law, theta, c, 1e-4, two_sided=True)
    for two_sided, order in ((False, 1), (True, 2)):
        bias = [np.abs(family.gradient(theta, c, eps, gamma, two_sided).mean(axis=0) - truth).max()
                for eps in (1.0, 0.5)]
        assert bias[1] > 5e-4 and abs(math.log2(bias[0] / bias[1]) - order) < 0.25, bias


def test_mean_matching_is_the_slope_of_the_mean_maximum(rng):
    """In each draw the maximum is convex, so its central difference lies between the slopes at both ends."""
    family, theta, step = sets.matchings(3), rng.normal(size=(3, 3)), 1e-2
    noise = gumbel.sample((2_000, 3, 3), rng)
    at = lambda shifted: family.argmax(shifted + noise)
    top = lambda shifted: ((shifted + noise) * at(shifted)).sum(axis=(1, 2))
    for cell in np.ndindex(2, 3):
        shift = np.zeros((3, 3))
        shift[cell] = step
        slope = (top(theta + shift) - top(theta - shift)) / (2 * step)
        assert (at(theta - shift)[:, *cell] - 1e-9 <= slope).all()
        assert (slope <= at(theta + shift)[:, *cell] + 1e-9).all()


def test_law_of_the_perturbed_arg_max_is_not_the_gibbs_law():
    """The law of perturb-and-MAP and exp(theta . z) / sum differ by several hundredths."""
    family, law, theta, _ = problem("subsets")
    theta = 2 * theta
    gibbs = gumbel.choice_probabilities(family.values() @ theta)
    exact = law(family, theta)
    assert exact.sum() == pytest.approx(1, abs=1e-12) and np.abs(exact - gibbs).max() > 0.02
    z = family.sample(np.broadcast_to(theta, (20_000, 5)), np.random.default_rng(0))
    assert np.abs(z_scores(z, exact @ family.values())).max() < 4 < np.abs(z_scores(z, gibbs @ family.values())).max()


# --- shapes, noise and slopes -----------------------------------------------------------------------------------------

def test_batches_broadcast_and_arguments_stay_unchanged(rng):
    family, theta, c = sets.matchings(3), rng.normal(size=(4, 1, 3, 3)), rng.normal(size=(2, 3, 3))
    noise, eps = gumbel.sample((5, 1, 1, 3, 3), rng), np.array([0.3, 0.9])
    kept = theta.copy(), c.copy(), noise.copy()
    pair = family.argmax_pair(theta, c, eps, noise)
    grad = family.gradient(theta, c, eps, noise)
    assert pair.z_star.shape == pair.z_eps.shape == grad.shape == (5, 4, 2, 3, 3)
    for a, b, d in np.ndindex(5, 4, 2):
        single = family.gradient(theta[b, 0], c[d], eps[d], noise[a, 0, 0])
        np.testing.assert_array_equal(grad[a, b, d], single)
    assert all((now == then).all() for now, then in zip((theta, c, noise), kept))
    for shape in ((0,), (2, 0)):
        assert family.argmax(np.zeros((*shape, 3, 3))).shape == (*shape, 3, 3)
        assert sets.trees(1, []).argmax(np.zeros((*shape, 0))).shape == (*shape, 0)
        assert sets.paths(2, 2).argmax(np.zeros((*shape, 2, 2))).shape == (*shape, 2, 2)
    assert sets.trees(1, []).argmax(np.zeros((7, 0))).shape == (7, 0)
    np.testing.assert_array_equal(family.argmax(theta.astype(np.float32)), family.argmax(theta))
    np.testing.assert_array_equal(family.argmax([[0, 1, 0], [1, 0, 0], [0, 0, 1]]), [[0, 1, 0], [1, 0, 0], [0, 0, 1]])


def test_generator_as_noise_draws_one_gumbel_variable_per_entry(rng):
    family, theta = sets.subsets(4, 2), rng.normal(size=(3, 4))
    gamma = gumbel.sample((3, 4), np.random.default_rng(1))
    np.testing.assert_array_equal(family.perturb(theta, np.random.default_rng(1)), theta + gamma)
    for call in (family.sample, lambda theta, noise: family.gradient(theta, np.ones(4) * [1, 0, 0, 2], 0.5, noise)):
        np.testing.assert_array_equal(call(theta, np.random.default_rng(1)), call(theta, gamma))


@pytest.mark.parametrize("two_sided", [False, True])
def test_gradient_accepts_a_function_that_returns_the_slope_at_z_star(two_sided, rng):
    """For f(z) = -|A z - y|^2, passing the slope as a function gives the gradient of passing its value at z*."""
    family, theta, A, y = sets.subsets(5, 2), rng.normal(size=(50, 5)), rng.normal(size=(3, 5)), rng.normal(size=3)
    arguments = []

    def slope(z):
        arguments.append(z)
        return -2 * (z @ A.T - y) @ A

    noise = gumbel.sample((50, 5), rng)
    grad = family.gradient(theta, slope, 0.5, noise, two_sided)
    (z_star,) = arguments
    np.testing.assert_array_equal(z_star, family.argmax(theta + noise))
    np.testing.assert_array_equal(grad, family.gradient(theta, slope(z_star), 0.5, noise, two_sided))
    assert (grad != 0).any()


# --- excluded entries and invalid arguments ---------------------------------------------------------------------------

def test_excluded_entries_are_in_neither_arg_max(rng):
    for name in ("subsets", "matchings", "trees", "paths"):
        family = SETS[name][0]()
        theta, free = rng.normal(size=family.shape), family.values()[3]                  # this z stays allowed
        theta.flat[free.argmin()] = -np.inf
        many, c = np.broadcast_to(theta, (100, *family.shape)), np.where(np.isneginf(theta), 1e3, 0)
        for z in family.argmax_pair(many, c + rng.normal(size=family.shape), 2.0, rng):
            assert not z[:, np.isneginf(theta)].any() and np.isneginf(theta).any()


@pytest.mark.parametrize("name", [name for name in SETS if name not in ("none of them", "one node")])
@pytest.mark.parametrize("batch", [(), (3,)])
def test_error_is_one_line_if_all_values_are_excluded(name, batch):
    family = SETS[name][0]()
    theta = np.full((*batch, *family.shape), -np.inf)
    for call in (family.argmax, lambda theta: family.sample(theta, np.random.default_rng(0)),
                 Linear(family.shape, values=family.values).argmax):
        with pytest.raises(ValueError, match="^theta must leave at least one z.*exclude them all$"):
            call(theta)


@pytest.mark.parametrize("name", ["subsets", "matchings", "trees", "paths"])
@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e301])
def test_scores_that_are_not_finite_are_rejected(name, bad, rng):
    family = SETS[name][0]()
    theta, fine = np.zeros((2, *family.shape)), np.zeros(family.shape)
    theta[1].flat[1] = bad
    for call in (family.argmax, lambda theta: family.perturb(theta, rng),
                 lambda theta: family.gradient(theta, fine, 1, rng)):
        with pytest.raises(NotFinite, match="^theta must be finite and at most 1e.300 .*or minus infinity"):
            call(theta)
    for arguments in ((fine, theta, 1, fine), (fine, fine, 1, theta)):
        with pytest.raises(NotFinite, match="^(c|noise) must be finite and at most 1e.300 in absolute value$"):
            family.gradient(*arguments)
    with pytest.raises(NotFinite, match="^c must be finite"):
        family.gradient(fine, fine - np.inf, 1, rng)


@pytest.mark.parametrize("call, error, words", [
    (lambda s: s.argmax(np.zeros(5)), ValueError, r"theta must have shape \(\.\.\., 4\), got \(5,\)"),
    (lambda s: s.argmax(0.0), ValueError, "theta must have shape"),
    (lambda s: s.argmax("1234"), TypeError, "theta must be an array of real numbers"),
    (lambda s: s.argmax([1j] * 4), TypeError, "theta must be an array of real numbers"),
    (lambda s: s.argmax(np.ma.masked_array(np.zeros(4), [True] * 4)), TypeError, "theta must not be a masked"),
    (lambda s: s.perturb(np.zeros(4), 0), ValueError, "noise must have shape"),
    (lambda s: s.perturb(np.zeros(4), np.random), TypeError, "noise must be an array .* or a numpy.random.Generator"),
    (lambda s: s.values().sort(), ValueError, ".*read-only"),
    (lambda s: Linear(2, argmax=lambda t: t.sort()).argmax([1, 0]), ValueError, ".*read-only"),
    (lambda s: s.perturb(np.zeros((2, 4)), np.zeros((3, 4))), ValueError, "noise must broadcast with theta"),
    (lambda s: s.gradient(np.zeros((2, 4)), np.zeros((3, 4)), 1, np.zeros(4)), ValueError, "c must broadcast"),
    (lambda s: s.gradient(np.zeros(4), np.zeros(3), 1, np.zeros(4)), ValueError, "c must have shape"),
    (lambda s: s.gradient(np.zeros(4), np.zeros(4), 0, np.zeros(4)), ValueError, "eps must be above 0"),
    (lambda s: s.gradient(np.zeros(4), np.zeros(4), np.nan, np.zeros(4)), ValueError, "eps must be finite"),
    (lambda s: s.gradient(np.zeros((2, 4)), np.zeros(4), np.ones(3), np.zeros(4)), ValueError, "eps must broadcast"),
    (lambda s: s.gradient(np.zeros(4), np.full(4, 1e200), 1e200, np.zeros(4)), ValueError, "eps must be so small"),
    (lambda s: s.gradient(np.zeros(4), np.zeros(4), 1, np.zeros(4), two_sided=1), TypeError, "two_sided must be"),
    (lambda s: Linear(4), TypeError, "argmax or values must be given"),
    (lambda s: Linear(4, argmax=3), TypeError, "argmax must be a function"),
    (lambda s: Linear(-1, argmax=len), ValueError, "shape must be in 0"),
    (lambda s: Linear(4, argmax=np.argmax).argmax(np.zeros(4)), ValueError, "argmax must return arrays of the shape"),
    (lambda s: Linear(4, argmax=lambda t: 2 * t).argmax(np.ones(4)), ValueError, "argmax must return arrays of 0 and"),
    (lambda s: Linear(4, argmax=lambda t: t * np.nan).argmax(np.ones(4)), ValueError, "argmax must return arrays of 0"),
    (lambda s: Linear(4, argmax=lambda t: None).argmax(np.ones(4)), ValueError, "argmax must return"),
    (lambda s: Linear(4, argmax=lambda t: t).values(), ValueError, "values must be given"),
    (lambda s: Linear(4, values=np.eye(3)).values(), ValueError, "values must return arrays of the shape"),
    (lambda s: Linear(4, values=np.zeros((0, 4))).argmax(np.ones(4)), ValueError, "values must hold at least one z"),
    (lambda s: sets.subsets(3, 4), ValueError, "k must be in 0 ... 3"),
    (lambda s: sets.subsets(0, 0), ValueError, "n must be in 1"),
    (lambda s: sets.subsets(4, 1.5), ValueError, "k must be a whole number"),
    (lambda s: sets.subsets(60, 30).values(), ValueError, "n must be so small that there are at most 100,000"),
    (lambda s: sets.matchings(9).values(), ValueError, "n must be so small that there are at most 100,000 matchings"),
    (lambda s: sets.matchings(0), ValueError, "n must be in 1"),
    (lambda s: sets.trees(3, [(0, 1)]), ValueError, "edges must connect all 3 nodes"),
    (lambda s: sets.trees(2, []), ValueError, "edges must connect all 2 nodes"),
    (lambda s: sets.trees(2, [(0, 2)]), ValueError, "edges must lie in 0 ... 1"),
    (lambda s: sets.trees(2, [(0, 1), (1, 0)]), ValueError, "edges must be pairs of different nodes, each pair once"),
    (lambda s: sets.trees(2, [(0, 1), (1, 1)]), ValueError, "edges must be pairs of different nodes"),
    (lambda s: sets.trees(2, [0, 1]), ValueError, "edges must be pairs of nodes"),
    (lambda s: sets.trees(2, [(0, 1.0)]), TypeError, "edges must hold integers"),
    (lambda s: sets.paths(1, 1), ValueError, "columns must be at least 2")])
def test_errors_name_the_invalid_argument(call, error, words):
    with pytest.raises(error, match=f"^{words}") as problem:
        call(sets.subsets(4, 2))
    assert "\n" not in str(problem.value)


def test_arg_max_of_large_and_of_nearly_equal_scores_is_exact():
    """Scores near 1e300 do not overflow, and edges with weights of 0 or below are treated like all others."""
    for name in ("subsets", "matchings", "trees", "paths"):
        family = SETS[name][0]()
        z = family.values()[-1]
        np.testing.assert_array_equal(family.argmax(2e299 * z - 1e299), z)
    tree = sets.trees(3, [(0, 1), (1, 2), (0, 2)])
    assert tree.argmax([0.0, -1.0, 0.0]).tolist() == [1, 0, 1]
    assert tree.argmax([-5.0, -4.0, -1e-300]).tolist() == [0, 1, 1]
