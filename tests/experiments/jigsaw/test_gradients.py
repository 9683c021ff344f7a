"""Every method's gradient against a truth without sampling, or against enumeration."""
from __future__ import annotations

import numpy as np
import pytest
from scipy.special import softmax

from refimpl import gumbel
from refimpl.experiments.jigsaw import gradients, sinkhorn
from refimpl.experiments.jigsaw.gradients import Puzzle
from refimpl.experiments.jigsaw.objectives import Places
from refimpl.latent import sets
from tests.differences import central
from tests.experiments.jigsaw.puzzles import EPS, off, puzzle


@pytest.mark.parametrize("method", ["direct", "fenchel-young", "reinforce"])
def test_mean_gradient_of_two_tiles_is_exact(method):
    """6,000 draws; the worst of four entries, which two tiles make one number and its negative."""
    assert off(method) < 4


def test_direct_gradient_of_four_tiles_agrees_with_enumeration(rng):
    """The mean of the direct gradient, with draws and a solver of their own on either side; standard errors of both."""
    theta, c = rng.normal(size=(4, 4)), rng.integers(2, size=(4, 4)).astype(float)
    many, problem = puzzle(theta, c, 5_000)
    every = sets.matchings(4).values().reshape(24, 16)
    made = gradients.direct(many, problem, rng, EPS)
    means, errors = [made.mean(axis=0)], [made.std(axis=0) / np.sqrt(5_000)]
    for scores in (theta + EPS * c, theta):                         # unshared noise: only the mean is wanted
        z = every[((scores + gumbel.sample((20_000, 4, 4), rng)).reshape(-1, 16) @ every.T).argmax(axis=1)]
        means.append(z.mean(axis=0).reshape(4, 4))
        errors.append(z.std(axis=0).reshape(4, 4) / np.sqrt(20_000))
    expected = (means[1] - means[2]) / EPS
    error = np.sqrt(errors[0]**2 + (errors[1]**2 + errors[2]**2) / EPS**2)
    assert (np.abs(means[0] - expected) / error).max() < 4 and np.abs(expected).max() > 10 * error.max()


def test_both_arg_maxes_share_their_noise(rng):
    """Then f(z(eps)) >= f(z*) for each draw, and where f is the same everywhere, nothing moves."""
    many, problem = puzzle(rng.normal(size=(4, 4)), rng.normal(size=(4, 4)), 300)
    gained = (gradients.direct(many, problem, rng, EPS) * problem.objective.c).sum(axis=(1, 2))
    assert gained.min() > -1e-12 and gained.max() > 0.1
    still = Puzzle(Places(np.ones_like(many)), problem.y)
    assert not gradients.direct(many, still, rng, EPS).any()


def test_enumeration_is_the_gradient_of_the_gibbs_mean(rng):
    theta, c = rng.normal(size=(2, 4, 4)), rng.normal(size=(2, 4, 4))
    every = sets.matchings(4).values()

    def mean(theta):
        p = softmax(np.einsum("bij,kij->bk", theta, every), axis=1)
        return (p * np.einsum("bij,kij->bk", c, every)).sum()

    made = gradients.enumeration(theta, Puzzle(Places(c), None), rng)
    np.testing.assert_allclose(made.reshape(-1), central(mean, theta), atol=1e-9)
    assert np.abs(made).max() > 0.1


def test_cross_entropy_is_the_gradient_of_the_mean_log_probability(rng):
    theta, y = rng.normal(size=(2, 3, 3)), np.eye(3)[rng.permuted(np.tile(np.arange(3), (2, 1)), axis=1)]
    made = gradients.cross_entropy(theta, Puzzle(Places(y), y), rng)
    expected = central(lambda theta: (y * np.log(softmax(theta, axis=-1))).sum(), theta)
    np.testing.assert_allclose(made.reshape(-1), expected, atol=1e-9)


def test_with_a_large_eps_direct_is_fenchel_young_divided_by_eps(rng):
    """f = c . z then decides alone, and its maximiser is y."""
    many, problem = puzzle(rng.normal(size=(4, 4)), np.eye(4), 50)
    made = gradients.direct(many, problem, np.random.default_rng(5), 1e6)
    star = sets.matchings(4).sample(many, np.random.default_rng(5))
    np.testing.assert_allclose(1e6 * made, problem.y - star, atol=1e-9)


def test_gradients_of_several_draws_are_averaged(rng):
    many, problem = puzzle(draws=4)
    for method, keywords in (("direct", {"eps": EPS}), ("fenchel-young", {})):
        one = np.random.default_rng(5)
        each = [gradients.METHODS[method](many, problem, one, **keywords) for _ in range(3)]
        made = gradients.METHODS[method](many, problem, np.random.default_rng(5), **keywords, draws=3)
        np.testing.assert_allclose(made, np.mean(each, axis=0), atol=1e-12)


# --- Sinkhorn ---------------------------------------------------------------------------------------------------------

def test_sinkhorn_makes_rows_and_columns_that_sum_to_one(rng):
    scores = rng.normal(size=(3, 5, 5))
    P = sinkhorn.result(sinkhorn.forward(scores, 0.7, 60))
    np.testing.assert_allclose(P.sum(axis=1), 1, atol=1e-12)                # the last division was by columns
    np.testing.assert_allclose(P.sum(axis=2), 1, atol=1e-6)
    ratio = np.log(P) - scores / 0.7                                        # P = diag(a) exp(scores / tau) diag(b)
    double = ratio - ratio.mean(axis=1, keepdims=True) - ratio.mean(axis=2, keepdims=True)
    np.testing.assert_allclose(double, np.broadcast_to(double[:, :1, :1], double.shape), atol=1e-9)


def test_sinkhorn_tends_to_the_best_matching_as_tau_falls(rng):
    scores = rng.normal(size=(20, 4, 4))
    best = sets.matchings(4).argmax(scores)
    off = [np.abs(sinkhorn.result(sinkhorn.forward(scores, tau, 100)) - best).mean() for tau in (1.0, 0.1, 0.01)]
    assert off[0] > 3 * off[1] > 9 * off[2] and off[2] < 0.02


def test_sinkhorn_with_huge_scores_is_finite(rng):
    made = sinkhorn.forward(1e5 * rng.normal(size=(3, 5, 5)), 0.1)
    back = sinkhorn.backward(made, rng.normal(size=(3, 5, 5)), 0.1)
    assert np.isfinite(sinkhorn.result(made)).all() and np.isfinite(back).all()


def worst_sinkhorn(module=sinkhorn) -> float:
    """The largest difference of the backward pass from central differences, relative to the largest entry."""
    rng = np.random.default_rng(0)
    scores, dP = rng.normal(size=(2, 4, 4)), rng.normal(size=(2, 4, 4))
    made = module.backward(module.forward(scores, 0.6, 5), dP, 0.6).reshape(-1)
    truth = central(lambda scores: (dP * module.result(module.forward(scores, 0.6, 5))).sum(), scores)
    return float(np.abs(made - truth).max() / np.abs(truth).max())


def test_sinkhorn_backward_pass_equals_finite_differences():
    assert worst_sinkhorn() < 1e-8


def test_gumbel_sinkhorn_is_the_gradient_of_f_at_the_relaxed_matching(rng):
    theta, c = rng.normal(size=(2, 4, 4)), rng.normal(size=(2, 4, 4))
    noise = gumbel.sample(theta.shape, np.random.default_rng(9))
    made = gradients.gumbel_sinkhorn(theta, Puzzle(Places(c), None), np.random.default_rng(9), 0.8)
    truth = central(lambda theta: (c * sinkhorn.result(sinkhorn.forward(theta + noise, 0.8))).sum(), theta)
    np.testing.assert_allclose(made.reshape(-1), truth, atol=1e-8)
