"""Planted errors in linear arg maxes and Gumbel-top-k: see test_planted_errors_in_the_estimators.py."""
from __future__ import annotations

import numpy as np
import pytest
from scipy.special import softmax

from refimpl import gumbel
from refimpl.latent import linear, sets
from tests.latent import linear_laws
from tests.mutation.slips import planted
from tests.test_gumbel import excess_of_top_k


def slipped(name, right, wrong, function=""):
    """Return the family of this case, built from a Linear with a planted error."""
    right_one = linear_laws.problem(name)[0]
    wrong_one = planted(linear, right, wrong, function).Linear(right_one.shape, right_one._argmax, right_one.values,
                                                               right_one._batched)
    return wrong_one


@pytest.mark.parametrize("right, wrong", [
    ("self._solve(noisy + step * c)", "self._solve(noisy - step * c)"),                     # wrong sign
    ("self._solve(noisy + step * c)", "self._solve(noisy)"),                                # f not perturbed
    ("self._solve(noisy + step * c)", "self._solve(noisy + c)"),                            # eps forgotten
    ("(second - first) / _width", "second - first"),                                        # 1 / eps missing
    ("(second - first) / _width", "(first - second) / _width"),
    ("(self._width(eps, first.shape) * _sides)", "self._width(eps, first.shape) ** 2"),
    ("theta + gumbel.sample(theta.shape, noise)", "theta + 1.2 * gumbel.sample(theta.shape, noise)"),
    ("theta + gumbel.sample(theta.shape, noise)",                                           # one number for each z
     "theta + gumbel.sample((len(theta),) + (1,) * len(self.shape), noise)")])
def test_exact_mean_detects_planted_errors(right, wrong):
    assert linear_laws.off("paths", family=slipped("paths", right, wrong)) > 8


@pytest.mark.parametrize("right, wrong", [
    ("self._solve(noisy - step * c) if two_sided else np.broadcast_to(z_star, z_eps.shape)",
     "np.broadcast_to(self._solve(noisy), z_eps.shape)"),
    ("2 if two_sided else 1", "1")])
def test_exact_mean_of_two_sided_detects_planted_errors(right, wrong):
    assert linear_laws.off("subsets", family=slipped("subsets", right, wrong), two_sided=True) > 8


def test_noise_that_is_not_shared_is_detected():
    """The mean stays correct, so only single draws reveal the error."""
    family = slipped("subsets", "self._solve(noisy + step * c)", "self._solve(self.perturb(theta, noise) + step * c)")
    _, _, theta, c = linear_laws.problem("subsets")
    assert linear_laws.off("subsets", family=family) < 4 and linear_laws.falls(family, theta, c) > 50


def test_noise_on_values_instead_of_scores_is_detected():
    """Then z* has the Gibbs law, whose mean has another derivative."""
    family, _, theta, c = linear_laws.problem("subsets")
    every = family.values()

    def gradient(theta, c, eps, rng, two_sided):
        gamma = gumbel.sample((len(theta), len(every)), rng)
        first, second = (every[((theta + side * eps * c) @ every.T + gamma).argmax(axis=1)] for side in (0, 1))
        return (second - first) / eps

    assert linear_laws.off("subsets", gradient, draws=100_000) > 6


@pytest.mark.parametrize("make, right, wrong", [
    (lambda m: m.subsets(6, 3), "np.argsort(-theta, axis=-1, kind='stable')[:, :k]",
     "np.argsort(theta, axis=-1, kind='stable')[:, :k]"),
    (lambda m: m.subsets(6, 3), "np.argsort(-theta, axis=-1, kind='stable')[:, :k]",
     "np.argsort(-theta, axis=-1, kind='stable')[:, :k - 1]"),
    (lambda m: m.matchings(4), "linear_sum_assignment(costs)", "linear_sum_assignment(-costs)"),  # minimises
    (lambda m: m.matchings(4), "np.arange(0, z.size, n) + _columns", "np.arange(0, z.size, n)"),
    (lambda m: m.trees(4, linear_laws.CHORD), "np.argsort(order, axis=-1) + 1.0", "-np.argsort(order, axis=-1) - 1.0"),
    (lambda m: m.trees(4, linear_laws.CHORD), "np.argsort(order, axis=-1) + 1.0", "np.argsort(order, axis=-1) + 0.0"),
    (lambda m: m.trees(4, linear_laws.CHORD), "rank[image, number]", "rank[image]"),
    (lambda m: m.trees(4, linear_laws.CHORD), "rank[image, number]", "-theta[image, number]"),
    (lambda m: m.paths(3, 4), "grid.best(theta.reshape(-1, grid.n))", "grid.best(-theta.reshape(-1, grid.n))")])
def test_enumeration_detects_wrong_solvers(make, right, wrong):
    try:
        loss = linear_laws.worst_loss(make(planted(sets, right, wrong)), 10)
    except (IndexError, ValueError, AssertionError):        # the result is not a valid z
        loss = np.inf
    assert loss > 0.01


@pytest.mark.parametrize("right, wrong", [
    ("np.where(excluded @ every > 0, -np.inf, scores)", "scores"),
    ("np.where(excluded, 0, rows) @ every", "-np.where(excluded, 0, rows) @ every")])
def test_errors_in_the_enumeration_itself_are_detected(right, wrong):
    module = planted(linear, right, wrong)
    family = sets.subsets(6, 3)
    enumerated = module.Linear(6, values=family.values)
    theta = np.random.default_rng(0).normal(size=(50, 6)) - 5
    theta[:, 0] = -np.inf
    with pytest.raises((AssertionError, ValueError)):
        np.testing.assert_array_equal(enumerated.argmax(theta), family.argmax(theta))


@pytest.mark.parametrize("right, wrong", [
    ("sample(h.shape, rng)", "rng.normal(size=h.shape)"), ("np.argsort(-noisy)", "np.argsort(noisy)"),
    ("sample(h.shape, rng)", "1.1 * sample(h.shape, rng)")])
def test_law_of_top_k_detects_planted_errors(right, wrong):
    right = right.replace("(-noisy)", "(-noisy, axis=-1, kind='stable')")
    wrong = wrong.replace("(noisy)", "(noisy, axis=-1, kind='stable')")
    assert excess_of_top_k(planted(gumbel, right, wrong, "top_k").top_k) > 8


def test_law_of_top_k_detects_replacement_and_sorted_indices():
    def sorted_by_index(h, k, rng):
        return np.sort(gumbel.top_k(h, k, rng), axis=-1)

    def with_replacement(h, k, rng):
        return rng.choice(h.shape[-1], (len(h), k), p=softmax(h[0]))

    assert min(excess_of_top_k(sorted_by_index), excess_of_top_k(with_replacement)) > 20
