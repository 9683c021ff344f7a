"""Check samples of the direct gradient against its exact mean, its variance and the joint law of the two arg maxes."""
from __future__ import annotations

import numpy as np
import pytest

from refimpl import danskin, direct, exact, gumbel
from tests.asserts import assert_close_in_norm, assert_relative, z_scores
from tests.differences import central

N = 400_000
EXTREMES = [(1.0, 1.0, 1e-4), (1.0, 1.0, 0.5), (10.0, 500.0, 0.1), (3.0, 1e4, 1e-4), (1e3, 1e4, 10.0), (1e3, 1e4, 1e-4),
            (1e3, 1e3, 1.0), (1.0, 1e-6, 1e-4)]


@pytest.fixture(scope="module")
def problem():
    """Return scores of a few nats for six values, and a batch of noise, all drawn once and read-only."""
    rng = np.random.default_rng(20191208)
    drawn = rng.normal(size=6), 3 * rng.normal(size=6), gumbel.sample((N, 6), rng)
    for array in drawn:
        array.setflags(write=False)
    return drawn


def softmax(scores):
    return gumbel.choice_probabilities(scores)


# --- mean ------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("eps", [0.05, 0.5, 2.0])
def test_sampled_mean_is_the_expected_gradient(problem, eps):
    h, f, noise = problem
    assert np.abs(z_scores(direct.gradient(h, f, eps, noise), direct.expected_gradient(h, f, eps))).max() < 4
    two_sided = direct.expected_gradient(h, f, eps, two_sided=True)
    assert np.abs(z_scores(direct.two_sided_gradient(h, f, eps, noise), two_sided)).max() < 4


def test_expected_gradient_is_the_gradient_of_the_tilted_objective(problem):
    h, f, _ = problem
    for eps in (1e-3, 0.3, 3.0):
        by_differences = central(lambda x: direct.tilted_objective(x, f, eps), h)
        assert_close_in_norm(direct.expected_gradient(h, f, eps), by_differences, 1e-7)


def test_tilted_objective_goes_from_the_mean_of_f_to_its_maximum(problem):
    h, f, _ = problem
    assert direct.tilted_objective(h, f, 1e-7) == pytest.approx(exact.expectation(h, f), abs=1e-5)
    assert direct.tilted_objective(np.zeros(6), f, 1.0) == pytest.approx(exact.log_likelihood(f), rel=1e-13)
    assert direct.tilted_objective(h, f, 1e4) == pytest.approx(f.max(), abs=1e-2)
    assert_relative(direct.tilted_objective(h, f, 0.3), (danskin.G(h, f, 0.3) - danskin.G(h, f, 0.0)) / 0.3, 1e-12)


def test_expected_gradient_tends_to_the_exact_gradient_as_eps_falls(problem):
    h, f, _ = problem
    assert_close_in_norm(direct.expected_gradient(h, f, 1e-6), exact.gradient(h, f), 1e-5)


def test_leading_bias_is_half_eps_times_the_gradient_of_the_variance_of_f(problem):
    h, f, _ = problem
    variance = lambda x: exact.expectation(x, f**2) - exact.expectation(x, f) ** 2
    leading = central(variance, h) / 2
    assert_close_in_norm(direct.bias(h, f, 1e-4) / 1e-4, leading, 1e-3)


@pytest.mark.parametrize("two_sided, order", [(False, 1.0), (True, 2.0)])
def test_bias_is_of_order_eps_and_two_sided_of_order_eps_squared(rng, two_sided, order):
    eps = np.array([0.02, 0.01, 0.005])
    for _ in range(10):
        h, f = rng.normal(size=6), rng.normal(size=6)
        size = np.linalg.norm(direct.bias(h, f, eps[:, None] * np.ones(1), two_sided).reshape(3, 6), axis=-1)
        slopes = np.diff(np.log(size)) / np.diff(np.log(eps))
        assert np.abs(slopes - order).max() < 0.05, slopes


# --- the coupling ---------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("two_sided", [False, True])
@pytest.mark.parametrize("h_scale, f_scale, eps", EXTREMES)
@pytest.mark.parametrize("k", [1, 2, 6, 40])
def test_joint_law_has_the_softmax_marginals(rng, h_scale, f_scale, eps, k, two_sided):
    h, f = rng.uniform(-h_scale, h_scale, (12, k)), rng.uniform(-f_scale, f_scale, (12, k))
    f[:4] = np.round(f[:4] / f_scale * 2) * f_scale / 2                                # ties
    law = direct.joint_law(h, f, eps, two_sided)
    before, after = (h - eps * f if two_sided else h), h + eps * f
    assert law.min() >= 0
    assert_relative(law.sum(axis=-1), softmax(before))
    assert_relative(law.sum(axis=-2), softmax(after))
    stay = direct.stay_probability(h, f, eps, two_sided)
    assert_relative(stay, np.diagonal(law, axis1=-2, axis2=-1))
    with np.errstate(over="ignore"):                                                   # the formula, computed directly
        pairs = np.exp(np.maximum(before[:, None, :] - before[:, :, None], after[:, None, :] - after[:, :, None]))
    assert_relative(stay, 1 / pairs.sum(axis=-1))


@pytest.mark.parametrize("two_sided", [False, True])
def test_joint_law_agrees_with_a_million_samples(rng, two_sided):
    h, f, eps, n = rng.normal(size=5), 3 * rng.normal(size=5), 0.4, 1_000_000
    f[3] = f[1]                                                                         # a tie
    noise = gumbel.sample((n, 5), rng)
    z_eps = gumbel.argmax(h + eps * f, noise)
    z_star = gumbel.argmax(h - eps * f if two_sided else h, noise)
    if not two_sided:
        pair = direct.argmax_pair(h, f, eps, noise)
        assert (pair.z_star == z_star).all() and (pair.z_eps == z_eps).all()
    counts = np.bincount(z_star * 5 + z_eps, minlength=25).reshape(5, 5)
    law = direct.joint_law(h, f, eps, two_sided)
    assert (counts[law == 0] == 0).all()
    error = np.sqrt(law * (1 - law) / n)
    assert np.abs((counts / n - law)[law > 0] / error[law > 0]).max() < 4.5
    independent = np.outer(law.sum(axis=1), law.sum(axis=0))                            # if noise were not shared
    assert np.abs((counts / n - independent)[law > 0] / error[law > 0]).max() > 50


def test_second_arg_max_never_lowers_f(problem):
    h, f, noise = problem
    pair = direct.argmax_pair(h, f, 0.4, noise)
    assert (f[pair.z_eps] >= f[pair.z_star]).all()


# --- variance -------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("two_sided", [False, True])
def test_sampled_variance_and_covariance_agree_with_the_exact_ones(problem, two_sided):
    h, f, noise = problem
    sampled = (direct.two_sided_gradient if two_sided else direct.gradient)(h, f, 0.4, noise)
    mean = direct.expected_gradient(h, f, 0.4, two_sided)
    products = (sampled - mean)[:, :, None] * (sampled - mean)[:, None, :]
    truth = direct.covariance(h, f, 0.4, two_sided)
    assert np.abs(z_scores(products, truth)).max() < 4.5
    assert_relative(np.diagonal(truth), direct.variance(h, f, 0.4, two_sided), 1e-12)
    assert np.abs(truth.sum(axis=0)).max() < 1e-12


@pytest.mark.parametrize("two_sided", [False, True])
@pytest.mark.parametrize("h_scale, f_scale, eps", EXTREMES)
def test_variance_agrees_with_the_joint_law(rng, h_scale, f_scale, eps, two_sided):
    h, f = rng.uniform(-h_scale, h_scale, (12, 6)), rng.uniform(-f_scale, f_scale, (12, 6))
    law = direct.joint_law(h, f, eps, two_sided)
    law[:, np.arange(6), np.arange(6)] = 0
    width = 2 * eps if two_sided else eps
    leave, arrive = law.sum(axis=-1), law.sum(axis=-2)
    second = (leave + arrive) / width**2
    variance = direct.variance(h, f, eps, two_sided)
    assert (variance >= 0).all()
    # relative to the second moment, because an almost certain switch has almost no variance
    assert (np.abs(variance + ((arrive - leave) / width) ** 2 - second) <= 1e-10 * second).all()


def test_mse_agrees_with_the_sampled_squared_error_of_a_mean(problem):
    h, f, noise = problem
    for two_sided in (False, True):
        sampled = (direct.two_sided_gradient if two_sided else direct.gradient)(h, f, 0.5, noise)
        means = sampled.reshape(N // 10, 10, 6).mean(axis=1)
        errors = ((means - exact.gradient(h, f)) ** 2).sum(axis=-1)
        assert abs(z_scores(errors, direct.mse(h, f, 0.5, 10, two_sided))) < 4


@pytest.mark.parametrize("two_sided", [False, True])
@pytest.mark.parametrize("samples", [1, 100, 10_000, 10**15])
def test_best_eps_minimises_the_mean_squared_error(rng, two_sided, samples):
    """None of 161 other eps has a smaller error, and a parabola fitted nearby has its minimum there to five digits."""
    h = rng.normal(size=(3, 6))
    f = np.array([1e-3, 1.0, 1e3])[:, None, None] * rng.normal(size=(3, 3, 6))
    best = direct.best_eps(h, f, samples, two_sided)
    assert best.shape == (3, 3)
    error = lambda log_factor: direct.mse(h, f, best * np.exp(log_factor), samples, two_sided)
    grid = error(np.linspace(-8, 8, 161)[:, None, None])
    left, at_best, right = error(np.array([-1e-3, 0, 1e-3])[:, None, None])
    assert (at_best <= grid * (1 + 1e-9)).all()
    assert (left + right > 2 * at_best).all()
    floor = 1e-3 * (left - right) / (left - 2 * at_best + right) / 2
    assert np.abs(floor).max() < 1e-5


def test_best_eps_falls_with_the_number_of_samples(problem):
    h, f, _ = problem
    best = [float(direct.best_eps(h, f, samples)) for samples in (1, 10, 100, 1_000)]
    assert best == sorted(best, reverse=True) and best[0] > 2 * best[-1]


# --- edges ----------------------------------------------------------------------------------------------------------

def test_single_value_has_zero_gradient_bias_and_variance(rng):
    h, f, noise = np.zeros((3, 1)), np.ones((3, 1)), gumbel.sample((3, 1), rng)
    for result in (direct.gradient(h, f, 0.1, noise), direct.two_sided_gradient(h, f, 0.1, noise),
                   direct.bias(h, f, 0.1), direct.variance(h, f, 0.1),
                   direct.expected_gradient(h, f, 0.1), direct.covariance(h, f, 0.1)):
        assert (result == 0).all()
    assert (direct.stay_probability(h, f, 0.1) == 1).all() and (direct.joint_law(h, f, 0.1) == 1).all()
    assert (direct.best_eps(h, f) == 1).all() and (direct.mse(h, f, 0.1) == 0).all()


def test_ties_go_to_the_lowest_index_and_constant_f_has_zero_variance(rng):
    pair = direct.argmax_pair(np.zeros(3), np.zeros(3), 0.1, np.zeros(3))
    assert pair.z_star == 0 and pair.z_eps == 0
    h, f = rng.normal(size=4), np.full(4, -200.0)
    assert direct.stay_probability(h, f, 0.1).sum() == pytest.approx(1, abs=1e-14)
    assert (direct.variance(h, f, 0.1) == 0).all()
    assert direct.best_eps(h, f) == 1


def test_eps_may_vary_over_the_batch(rng):
    h, f, eps = rng.normal(size=6), rng.normal(size=6), np.array([0.1, 1.0])
    noise = gumbel.sample((50, 2, 6), rng)
    for function in (direct.expected_gradient, direct.variance, direct.stay_probability, direct.joint_law, direct.bias,
                     direct.covariance, direct.mse, direct.tilted_objective):
        together = function(h, f, eps)
        for place in range(2):
            assert_relative(together[place], function(h, f, eps[place]), 1e-14)
    for function in (direct.gradient, direct.two_sided_gradient):
        together = function(h, f, eps, noise)
        assert together.shape == (50, 2, 6)
        for place in range(2):
            assert (together[:, place] == function(h, f, eps[place], noise[:, place])).all()


FUNCTIONS = [direct.expected_gradient, direct.tilted_objective, direct.joint_law, direct.stay_probability, direct.bias,
             direct.variance, direct.covariance, direct.mse]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_errors_name_the_invalid_argument(function):
    for arguments, name in ((([np.nan, 1], [0, 1], 0.1), "h"), (([0, 1], [np.inf, 1], 0.1), "f"),
                            (([0, 1], [0, 1, 2], 0.1), "f"), (([], [], 0.1), "h"), (([0, 1], [0, 1], 0.0), "eps"),
                            (([0, 1], [0, 1], -0.1), "eps"), (([0, 1], [0, 1], np.nan), "eps"),
                            ((np.zeros((2, 3)), np.zeros((4, 3)), 0.1), "f"),
                            ((np.zeros((2, 3)), np.zeros(3), np.ones(4)), "eps")):
        with pytest.raises(ValueError, match=rf"^{name} must"):
            function(*arguments)


@pytest.mark.parametrize("function", [direct.gradient, direct.two_sided_gradient, direct.argmax_pair])
def test_errors_of_sampled_functions_name_the_invalid_argument(function):
    zeros = np.zeros(2)
    for arguments, name in (((zeros, zeros, 0.1, [np.nan, 0]), "noise"), ((zeros, zeros, 0.0, zeros), "eps"),
                            ((zeros, [0, np.nan], 0.1, zeros), "f"), ((zeros, zeros, 0.1, np.zeros(3)), "noise"),
                            ((np.zeros(0), np.zeros(0), 0.1, np.zeros(0)), "h")):
        with pytest.raises(ValueError, match=rf"^{name} must"):
            function(*arguments)


def test_samples_must_be_at_least_one():
    for function in (lambda: direct.mse([0, 1], [1, 2], 0.1, samples=0),
                     lambda: direct.best_eps([0, 1], [1, 2], samples=0)):
        with pytest.raises(ValueError, match="^samples must"):
            function()


def test_best_eps_is_huge_when_one_value_is_almost_certain():
    """The arg maxes differ with probability e^-20, and the gradient is as small: for one sample eps is near 10^8."""
    h, f = np.array([0.0, -20.0, -25.0]), np.array([-100.0, -95.0, -103.0])
    best = float(direct.best_eps(h, f, samples=1))
    assert 1e7 < best < 1e9
    assert (direct.mse(h, f, np.geomspace(1e-6, 1e20, 500)) >= direct.mse(h, f, best) * (1 - 1e-9)).all()


def test_best_eps_is_infinite_where_the_zero_estimate_is_best(rng):
    """In some of these problems switches lead away from the gradient, and no finite eps is better than 0."""
    h, f = 3 * rng.normal(size=(200, 5)), rng.normal(size=(200, 5))
    best = direct.best_eps(h, f, samples=1)
    zero = (exact.gradient(h, f) ** 2).sum(axis=-1)
    errors = direct.mse(h, f, np.geomspace(1e-3, 1e9, 120)[:, None] * np.ones(200)).min(axis=0)
    infinite = np.isinf(best)
    assert 0 < infinite.sum() < 100
    assert (errors >= zero * (1 - 1e-8))[infinite].all()
    at_best = direct.mse(h[~infinite], f[~infinite], best[~infinite])
    assert (at_best <= errors[~infinite] * (1 + 1e-9)).all() and (at_best < zero[~infinite]).all()


def test_expected_gradient_keeps_small_entries_when_one_value_is_almost_certain():
    h, f, eps = np.array([0.0, -40.0, -45.0]), np.array([-100.0, -95.0, -103.0]), 0.1
    q, s = np.exp(h), eps * (f + 100)
    others = q[1:] * np.expm1(s[1:]) / eps                                  # 1 + sum q is 1 to 17 digits
    assert_relative(direct.expected_gradient(h, f, eps), [-others.sum(), *others], 1e-10)


def test_samples_must_not_be_nan():
    with pytest.raises(ValueError, match="^samples must"):
        direct.mse([0, 1], [1, 2], 0.1, samples=float("nan"))


@pytest.mark.parametrize("wrong, error", [(None, TypeError), ("3", TypeError), (True, TypeError), ([1, 2], TypeError),
                                          (1.5, ValueError), (float("inf"), ValueError), (-1, ValueError)])
def test_samples_must_be_a_whole_number(wrong, error):
    for function in (lambda: direct.mse([0, 1], [1, 2], 0.1, samples=wrong),
                     lambda: direct.best_eps([0, 1], [1, 2], samples=wrong)):
        with pytest.raises(error, match="^samples must"):
            function()


def test_two_sided_gradient_equals_gradient_with_the_flag(problem):
    h, f, noise = problem
    both = direct.gradient(h, f, 0.4, noise[:1_000], two_sided=True)
    assert (both == direct.two_sided_gradient(h, f, 0.4, noise[:1_000])).all()
    one_hot = lambda eps: np.eye(6)[gumbel.argmax(h + eps * f, noise[:1_000])]
    assert_relative(both, (one_hot(0.4) - one_hot(-0.4)) / 0.8, 1e-15)


def test_both_formulas_of_the_tilt_agree_where_they_meet():
    """Of ten equal values, one is favoured 18-fold: E_q exp(eps f) is 1.9, near the limit between the two formulas."""
    h, f = np.zeros(10), np.array([0.0, np.log(18)] + 8 * [-50.0])
    q_eps = np.exp(f) / np.exp(f).sum()
    assert_close_in_norm(direct.expected_gradient(h, f, 1.0), q_eps - 0.1, 1e-13)
    assert_relative(direct.tilted_objective(h, f, 1.0), np.log(np.exp(f).mean()), 1e-13)
    assert_close_in_norm(direct.bias(h, f, 1.0), q_eps - 0.1 - 0.1 * (f - f.mean()), 1e-13)
