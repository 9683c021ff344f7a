"""The steps of the proof of Theorem 1."""
from __future__ import annotations

import numpy as np
import pytest
from scipy.special import logsumexp

from refimpl import danskin, exact, gumbel
from tests.asserts import assert_close_in_norm, assert_relative, z_scores
from tests.differences import central

SCALES = [(1.0, 1.0), (5.0, 300.0), (1e3, 1e4)]
EPSILONS = [-0.5, 0.0, 1e-4, 0.3, 10.0]


@pytest.fixture
def problem(rng):
    return rng.normal(size=6), 2 * rng.normal(size=6)


def test_G_is_the_mean_perturbed_maximum(rng, problem):
    h, f = problem
    noise = gumbel.sample((400_000, 6), rng)
    for eps in (0.0, 0.3, -0.5):
        values = danskin.perturbed_max(h, f, eps, noise).value
        assert abs(z_scores(values, danskin.G(h, f, eps))) < 4
        assert danskin.G_monte_carlo(h, f, eps, noise) == values.mean(axis=0)
    # the test must detect noise whose mean is 0.577 instead of 0
    assert abs(z_scores(danskin.perturbed_max(h, f, 0.3, noise + np.euler_gamma).value, danskin.G(h, f, 0.3))) > 100


def test_slope_of_the_maximum_is_the_slope_of_the_winner(rng, problem):
    h, f = problem
    noise = gumbel.sample((2_000, 6), rng)
    step = 1e-7
    left, right = (danskin.perturbed_max(h, f, 0.3 + side, noise) for side in (-step, step))
    away_from_kinks = left.z_eps == right.z_eps
    assert away_from_kinks.mean() > 0.99
    slope = (right.value - left.value) / (2 * step)
    assert np.allclose(slope[away_from_kinks], f[left.z_eps][away_from_kinks], atol=1e-6)
    # at a kink the slope lies between those of the two lines that meet, and it never falls: the maximum is convex
    assert (f[right.z_eps] >= f[left.z_eps]).all()


def test_winner_changes_where_two_lines_cross():
    h, f, noise = np.zeros(2), np.array([0.0, 1.0]), np.array([[0.7, 0.0]])
    assert danskin.perturbed_max(h, f, 0.69, noise).z_eps == 0
    assert danskin.perturbed_max(h, f, 0.71, noise).z_eps == 1
    assert danskin.perturbed_max(h, f, 0.70, noise).value == pytest.approx(0.7)


@pytest.mark.parametrize("eps", EPSILONS)
def test_first_derivatives_agree_with_differences(problem, eps):
    h, f = problem
    assert_close_in_norm(danskin.dG_deps(h, f, eps), central(lambda e: danskin.G(h, f, float(e)), eps)[0], 1e-8)
    assert_close_in_norm(danskin.dG_dh(h, f, eps), central(lambda x: danskin.G(x, f, eps), h), 1e-8)


@pytest.mark.parametrize("eps", EPSILONS)
@pytest.mark.parametrize("h_scale, f_scale", SCALES)
@pytest.mark.parametrize("k", [1, 2, 6, 40])
def test_both_orders_of_the_mixed_derivative_agree(rng, eps, h_scale, f_scale, k):
    h, f = rng.uniform(-h_scale, h_scale, (4, k)), rng.uniform(-f_scale, f_scale, (4, k))
    one, swapped = danskin.d2G_dh_deps(h, f, eps), danskin.d2G_deps_dh(h, f, eps)
    assert_relative(one, swapped, 1e-10, floor=max(1e-13 * np.abs(swapped).max(), 1e-280))
    assert_close_in_norm(one, exact.gradient(h + eps * f, f), 1e-12)


def test_mixed_derivatives_agree_with_differences_of_the_first_ones(problem):
    h, f = problem
    by_h = central(lambda x: danskin.dG_deps(x, f, 0.3), h)
    by_eps = central(lambda e: danskin.dG_dh(h, f, float(e)), 0.3)[..., 0]
    assert_close_in_norm(danskin.d2G_dh_deps(h, f, 0.3), by_h, 1e-8)
    assert_close_in_norm(danskin.d2G_deps_dh(h, f, 0.3), by_eps, 1e-8)


def test_at_eps_zero_the_mixed_derivative_is_the_gradient_of_the_expectation(problem):
    h, f = problem
    assert_relative(danskin.d2G_dh_deps(h, f, 0.0), exact.gradient(h, f))
    assert_relative(danskin.d2G_deps_dh(h, f, 0.0), exact.gradient(h, f))
    assert_relative(danskin.dG_deps(h, f, 0.0), exact.expectation(h, f))


def test_batch_axes_broadcast_and_eps_may_vary(rng):
    h, f = rng.normal(size=(3, 1, 4)), rng.normal(size=(5, 4))
    eps = np.linspace(-1, 1, 5)
    values = danskin.G(h, f, eps)
    assert values.shape == (3, 5)
    assert values[2, 4] == pytest.approx(logsumexp(h[2, 0] + eps[4] * f[4]), rel=1e-14)
    for function in (danskin.dG_dh, danskin.d2G_dh_deps, danskin.d2G_deps_dh):
        assert_relative(function(h, f, eps)[1, 3], function(h[1, 0], f[3], eps[3]), 1e-13)


@pytest.mark.parametrize("function", [danskin.G, danskin.dG_deps, danskin.dG_dh, danskin.d2G_dh_deps,
                                      danskin.d2G_deps_dh])
def test_errors_name_the_invalid_argument(function):
    for arguments, name in ((([np.nan, 1], [0, 1], 0.1), "h"), (([0, 1], [np.inf, 1], 0.1), "f"),
                            (([0, 1], [0, 1, 2], 0.1), "f"), (([], [], 0.1), "h"), (([0, 1], [0, 1], np.nan), "eps"),
                            (([0, 1], [0, 1], np.inf), "eps"), ((np.zeros((2, 3)), np.zeros(3), np.ones(4)), "eps")):
        with pytest.raises(ValueError, match=rf"^{name} must"):
            function(*arguments)


def test_monte_carlo_needs_an_axis_of_samples():
    for h, f in (([0.0, 1.0], [1.0, 2.0]), ([0.0], [1.0])):
        with pytest.raises(ValueError, match=r"^noise must have shape \(samples, ..., k\)"):
            danskin.G_monte_carlo(h, f, 0.1, [0.0, 0.0])


def test_monte_carlo_averages_only_the_sample_axis_when_shapes_broadcast(rng):
    noise = gumbel.sample((1_000, 6), rng)
    h, f = rng.normal(size=(3, 4, 6)), rng.normal(size=6)
    assert danskin.G_monte_carlo(h, f, 0.3, noise).shape == (3, 4)
    assert danskin.G_monte_carlo(h[0, 0], f, np.array([[0.1], [0.2]]), noise).shape == (2, 1)
    assert danskin.G_monte_carlo(h, f, 0.3, noise)[2, 1] == pytest.approx(danskin.G_monte_carlo(h[2, 1], f, 0.3, noise))


def test_monte_carlo_rejects_zero_samples():
    with pytest.raises(ValueError, match="^noise must"):
        danskin.G_monte_carlo([0.0, 1.0], [1.0, 2.0], 0.1, np.zeros((0, 2)))


@pytest.mark.parametrize("unit", [1e-300, 1e-150, 1e150, 1e299])
def test_rescaling_f_and_eps_only_rescales_the_derivatives(problem, unit):
    """G(h, c f, eps / c) = G(h, f, eps), and d/deps gains a factor c, where a fixed complex step might be too large."""
    h, f = problem
    assert_relative(danskin.G(h, unit * f, 0.3 / unit), danskin.G(h, f, 0.3), 1e-13)
    assert_relative(danskin.dG_deps(h, unit * f, 0.3 / unit) / unit, danskin.dG_deps(h, f, 0.3), 1e-13)
    for function in (danskin.d2G_dh_deps, danskin.d2G_deps_dh):
        assert_relative(function(h, unit * f, 0.3 / unit) / unit, function(h, f, 0.3), 1e-12)


def test_eps_f_must_not_overflow():
    for eps, f in ((1e308, 1.0), (1e200, 1e200), (-1e305, 1e6)):
        for call in (danskin.G, danskin.dG_deps, danskin.dG_dh, danskin.d2G_dh_deps, danskin.d2G_deps_dh,
                     lambda *arguments: danskin.perturbed_max(*arguments, np.zeros(2))):
            with pytest.raises(ValueError, match="^eps must"):
                call([0.0, 1.0], [0.0, f], eps)


def test_h_decides_between_values_that_tie_in_f_at_huge_eps():
    """eps f is 1e20 for two values, which differ only in h; rounding h + eps f would lose the difference."""
    h, f = np.array([0.0, 1.0, 2.0]), np.array([1e20, 1e20, 0.0])
    assert_relative(danskin.dG_dh(h, f, 1.0), [1 / (1 + np.e), np.e / (1 + np.e), 0.0], 1e-14)
    assert danskin.perturbed_max(h, f, 1.0, [0.0, 0.0, 0.0]).z_eps == 1


def test_adding_a_constant_to_h_changes_no_derivative(rng):
    """Near h = 1e16, floats are 2 apart, and rounding h + eps f would lose eps f."""
    small, f = np.array([0.0, 2.0, -2.0, 4.0]), rng.normal(size=4)
    for function in (danskin.dG_deps, danskin.dG_dh, danskin.d2G_dh_deps, danskin.d2G_deps_dh):
        assert_close_in_norm(function(1e16 + small, f, 0.7), function(small, f, 0.7), 1e-13)
        far = function(np.full(2, 1e20), np.array([0.0, 1_000.0]), 1.0)         # e^1000 would overflow
        assert_close_in_norm(far, function(np.zeros(2), np.array([0.0, 1_000.0]), 1.0), 1e-13)


def test_images_in_a_batch_may_have_different_units_of_f(problem):
    """In one batch with f in units from 1e-300 to 1e299, each image gets the digits that it gets alone."""
    h, f = problem
    units = np.array([1e-300, 1e-20, 1.0, 1e299])
    for function in (danskin.d2G_dh_deps, danskin.d2G_deps_dh):
        together = function(h, f * units[:, None], 0.3 / units)
        assert_relative(together / units[:, None], function(h, f, 0.3), 1e-12)


def test_complex_step_is_exact_to_rounding(rng):
    """A step of 1e-6 would have an error of about 1e-13, because the error of the complex step is of order step^2."""
    h, f = np.zeros((50, 2)), rng.normal(size=(50, 2))
    q = np.exp(f[:, 1] - f[:, 0]) / (1 + np.exp(f[:, 1] - f[:, 0]))
    slope = q * (1 - q) * (f[:, 1] - f[:, 0])
    gradient = danskin.d2G_deps_dh(h, f, 1.0)
    assert np.abs(gradient[:, 1] / slope - 1).max() < 2e-15
    assert np.abs(gradient[:, 0] / slope + 1).max() < 2e-15


def test_perturbed_max_breaks_ties_by_lowest_index_and_rejects_wrong_shapes():
    assert danskin.perturbed_max(np.zeros(3), np.zeros(3), 0.1, [0.0, 1.0, 1.0]).z_eps == 1
    with pytest.raises(ValueError, match="^eps must broadcast with the batch axes"):
        danskin.perturbed_max(np.zeros(3), np.zeros(3), np.ones(4), np.zeros((5, 3)))


def test_h_decides_between_values_that_tie_in_f_at_huge_negative_eps():
    """At eps = -1e20, the two values with the smallest f tie, and in every function h alone decides between them."""
    h, f, eps = np.array([0.0, 1.0, 2.0]), np.array([-3.0, -3.0, 0.0]), -1e20
    q = np.array([1.0, np.e, 0.0]) / (1 + np.e)
    np.testing.assert_allclose(danskin.dG_dh(h, f, eps), q, rtol=1e-14)
    np.testing.assert_allclose(danskin.dG_deps(h, f, eps), -3.0, rtol=1e-14)
    assert danskin.perturbed_max(h, f, eps, np.zeros(3)).z_eps == 1
    assert danskin.perturbed_max(h, f, eps, np.array([1.5, 0.0, 0.0])).z_eps == 0
    assert danskin.G(h, f, eps) == pytest.approx(3e20)
