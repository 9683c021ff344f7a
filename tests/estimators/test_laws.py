"""Mean and covariance of each estimator's draws, and the law of its latent, against the exact laws in laws.py."""
from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from scipy.special import softmax

from refimpl import direct, estimators, joint
from refimpl.estimators import bias_halves, reinmax, tilted
from tests.estimators import laws
from tests.estimators.drawn import (CASES, EPS, SAMPLES, STANDARD_ERRORS, check_gradient_is_zero_if_f_is_zero,
                                    check_scaling_f_equals_scaling_eps,
                                    check_two_sided_equals_direct_two_sided_gradient, correlation_of_the_winners,
                                    draws_in_which_the_joint_pair_falls, error_of_reinmax,
                                    excess_chi_square_of_the_latent, problem, share_of_nonzero_where_samples_agree,
                                    worst_law_of_z_given_b, worst_moment)


def test_cases_include_every_estimator_that_uses_noise():
    assert set(CASES) | {"exact", "tilted", "capped", "amplified"} == set(estimators.REGISTRY)


@pytest.mark.parametrize("name", list(CASES))
def test_draws_have_the_exact_mean_and_covariance_and_the_latent_is_a_sample_of_q(name):
    """The latent of Gumbel-softmax is relaxed: its nearest one-hot vector is the sample."""
    of_mean, of_covariance = worst_moment(name)
    assert of_mean < STANDARD_ERRORS and of_covariance < STANDARD_ERRORS
    assert excess_chi_square_of_the_latent(name) < 5


@pytest.mark.parametrize("name, tolerance", [
    ("local-expectation", 1e-12), ("reinforce", 1e-12), ("reinforce-loo", 1e-12), ("perturbed", 1e-12),
    ("arm", 1e-12), ("disarm", 1e-12),
    ("rebar", 1e-8), ("relax", 1e-8)])                      # the quadrature is less exact near u = 0 and u = 1
def test_exact_mean_of_unbiased_estimators_is_the_true_gradient(name, tolerance):
    h, toy = problem(*CASES[name][0])
    truth = joint.gradient(h, toy.joint_table().f[0]).ravel()
    np.testing.assert_allclose(CASES[name][2](h, toy)[0], truth, rtol=0, atol=tolerance * np.abs(truth).max())


@pytest.mark.parametrize("name", [name for name in CASES if not estimators.get(name).unbiased])
def test_exact_mean_of_biased_estimators_is_not_the_true_gradient(name):
    h, toy = problem(*CASES[name][0])
    truth = joint.gradient(h, toy.joint_table().f[0]).ravel()
    assert np.abs(CASES[name][2](h, toy)[0] - truth).max() > 0.02 * np.abs(truth).max()


def test_direct_with_one_variable_has_the_exact_mean_and_covariance(rng):
    """With n = 1, direct, direct-joint and two-sided have the mean and covariance that refimpl.direct computes."""
    h, toy = problem(1, 4)
    f = toy.joint_table().f[0]
    many = np.broadcast_to(h, (SAMPLES, 1, 4))
    for name, two_sided in (("direct", False), ("direct-joint", False), ("two-sided", True)):
        grad = estimators.get(name).estimate(many, toy.repeated(0, SAMPLES), rng, eps=EPS).grad[:, 0]
        mean = direct.expected_gradient(h[0], f, EPS, two_sided)
        products = (grad - mean)[:, :, None] * (grad - mean)[:, None, :]
        covariance = direct.covariance(h[0], f, EPS, two_sided)
        for samples, truth in ((grad, mean), (products, covariance)):
            assert (np.abs(samples.mean(axis=0) - truth) < 4.5 * samples.std(axis=0) / np.sqrt(SAMPLES)).all()


@pytest.mark.parametrize("scale", [1e-3, 1.0, 100.0])
@pytest.mark.parametrize("eps", [1e-6, 0.1, 1.0, 20.0])
def test_capped_and_amplified_split_the_tilt_at_the_likeliest_value(scale, eps, rng):
    """If f is lower at all other values, `capped` is the tilt times its normaliser, and `amplified` the exact gradient.

    If f is higher at all other values, `capped` is the exact gradient and `amplified` the tilt.
    """
    q = softmax(h := rng.normal(size=(20, 1, 5)), axis=-1)[:, 0]
    best = h.argmax(axis=-1)
    for sign in (-1.0, 1.0):
        f = sign * scale * np.abs(rng.normal(size=(20, 5)))
        np.put_along_axis(f, best, 0.0, axis=-1)                            # d = f
        exact = joint.gradient(h, f)
        normaliser = (q * np.exp(np.minimum(eps * f, 700))).sum(axis=-1)[:, None, None]
        tilt = tilted.gradient(h, f, eps) * (normaliser if sign < 0 else 1)
        like_tilt, like_exact = (bias_halves.capped_gradient, bias_halves.amplified_gradient)[::int(-sign)]
        if eps * scale < 100:                                               # otherwise the exponential above overflows
            np.testing.assert_allclose(like_tilt(h, f, eps), tilt, rtol=1e-9, atol=1e-13 * np.abs(tilt).max())
        np.testing.assert_allclose(like_exact(h, f, eps), exact, rtol=1e-12, atol=1e-14 * np.abs(exact).max())
        assert np.isfinite(like_tilt(h, f, eps)).all()


@pytest.mark.parametrize("n, k", [(1, 4), (3, 2), (2, 3)])
@pytest.mark.parametrize("eps", [1e-3, 0.4, 5.0])
def test_tilted_is_the_gradient_of_the_tilted_objective(n, k, eps):
    """T(h) = (1/eps) log E_q exp(eps f) is differentiated by complex steps.

    With one variable its gradient is also the mean of direct.
    """
    h, toy = problem(n, k)
    f = toy.joint_table().f[0]
    gradient = estimators.get("tilted").estimate(h[None], toy, None, eps=eps).grad[0]

    def T(scores):
        log_q = sum(np.log(np.exp(s) / np.exp(s).sum())[z] for s, z in zip(scores, joint.values(n, k).T))
        return np.log((np.exp(log_q) * np.exp(eps * (f - f.max()))).sum()) / eps

    for place in np.ndindex(n, k):
        stepped = h.astype(complex)
        stepped[place] += 1e-30j
        assert gradient[place] == pytest.approx(T(stepped).imag / 1e-30, rel=1e-9, abs=1e-12)
    if n == 1:
        np.testing.assert_allclose(gradient[0], direct.expected_gradient(h[0], f, eps), rtol=1e-12)
    truth = joint.gradient(h, f)
    assert (np.abs(gradient - truth).max() < 1e-2 * np.abs(truth).max()) == (eps < 0.01)


def test_local_tilted_has_the_mean_of_direct_and_less_variance():
    h, toy = problem(2, 3)
    mean, covariance = laws.coordinate_wise(h, toy, EPS)
    local_mean, local_covariance = laws.local_tilted(h, toy, EPS)
    np.testing.assert_allclose(local_mean, mean, rtol=1e-10, atol=1e-12)
    assert (np.diag(local_covariance) < 0.2 * np.diag(covariance)).all()


def test_reinforce_has_the_mean_of_perturbed_and_less_variance():
    """The means are equal, and the variances differ by E[(f - baseline)^2 (q_i^2 + 1 - b_i)]."""
    h, toy = problem(2, 3)
    mean, covariance = laws.perturbed(h, toy, 0.8)
    reinforce_mean, reinforce_covariance = laws.reinforce(h, toy, 0.8)
    np.testing.assert_allclose(mean, reinforce_mean, rtol=0, atol=1e-12)
    z, q = laws.one_hot_values(2, 3), np.exp(joint.log_q(h))
    difference = (q * (laws.f_at(toy, z) - 0.8) ** 2) @ (softmax(h, axis=-1) ** 2 + 1 - z).reshape(-1, 6)
    np.testing.assert_allclose(np.diag(covariance) - np.diag(reinforce_covariance), difference, rtol=1e-12)
    assert (np.diag(covariance) > 2 * np.diag(reinforce_covariance)).all()


def test_exact_variances_of_perturbed_and_reinforce_with_three_values():
    """Without a baseline they are 1.14, 0.84, 1.57 for perturbed and 0.18, 0.34, 0.25 for REINFORCE."""
    q, f = softmax([0.3, -0.4, 0.6]), np.array([1.0, -2.0, 0.5])
    b, mean = np.eye(3), q * (f - q @ f)
    reinforce = (q * f**2) @ (b - q) ** 2 - mean**2
    assert reinforce.round(2).tolist() == [0.18, 0.34, 0.25]
    assert (reinforce + (q * f**2) @ (q**2 + 1 - b)).round(2).tolist() == [1.14, 0.84, 1.57]


def test_imle_equals_direct_if_f_is_linear(rng):
    """If f is linear, its derivative gives the same differences as the table of single changes, in every draw."""
    class Linear:
        """f(z) = sum_i w_i . z_i."""

        def run(self, z):
            return SimpleNamespace(z=z, f=(w * z).sum(axis=(1, 2)), df_dz=lambda: np.broadcast_to(w, z.shape))

        def table(self, z):
            at_z = self.run(z)
            return SimpleNamespace(f=at_z.f[:, None, None] + w - (w * z).sum(axis=-1, keepdims=True), at_z=at_z)

    w, h = rng.normal(size=(2, 3)), rng.normal(size=(2_000, 2, 3))
    imle, of_direct = (estimators.get(name).estimate(h, Linear(), np.random.default_rng(1), eps=0.7)
                       for name in ("imle", "direct"))
    assert (imle.grad == of_direct.grad).all() and (imle.grad != 0).any()


# --- f = 0 ------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("name", list(CASES))
def test_gradient_is_zero_if_f_is_zero(name):
    check_gradient_is_zero_if_f_is_zero(name)


# --- relations that hold in every draw --------------------------------------------------------------------------------

def test_second_arg_max_of_direct_joint_never_lowers_f():
    assert draws_in_which_the_joint_pair_falls() == 0


@pytest.mark.parametrize("name", ["direct", "two-sided", "direct-joint"])
def test_scaling_f_equals_scaling_eps(name):
    check_scaling_f_equals_scaling_eps(name)


def test_two_sided_with_one_variable_equals_direct_two_sided_gradient():
    check_two_sided_equals_direct_two_sided_gradient()


def test_disarm_is_exactly_zero_where_both_samples_agree():
    assert share_of_nonzero_where_samples_agree() == 0


# --- where ReinMax is exact -------------------------------------------------------------------------------------------

def test_reinmax_is_exact_only_for_a_quadratic_f_at_tau_1(monkeypatch):
    assert error_of_reinmax(reinmax, monkeypatch) < 1e-13
    assert error_of_reinmax(reinmax, monkeypatch, tau=0.5) > 0.01
    assert error_of_reinmax(reinmax, monkeypatch, cubic=1.0) > 0.01


# --- REBAR's z given b ------------------------------------------------------------------------------------------------

def test_z_given_b_has_the_exact_conditional_law():
    assert worst_law_of_z_given_b() < 2.2               # the largest of sixty statistics


def test_winners_of_z_and_z_given_b_are_uncorrelated():
    assert correlation_of_the_winners() < 4


def test_gumbel_rao_has_the_mean_of_straight_through_and_less_variance():
    """By quadrature: the mean does not depend on the number of draws, and no direction has a higher variance."""
    h, toy = problem(2, 2)
    mean, covariance = laws.gumbel_softmax(h, toy, 0.7, hard=True)
    traces = [np.trace(covariance)]
    for samples in (1, 3, 30):
        rao_mean, rao_covariance = laws.gumbel_rao(h, toy, 0.7, samples)
        np.testing.assert_allclose(rao_mean, mean, rtol=0, atol=1e-12)
        assert np.linalg.eigvalsh(covariance - rao_covariance).min() > -1e-12
        traces.append(np.trace(rao_covariance))
    assert traces[0] == pytest.approx(traces[1], rel=1e-9) and traces[1] > 1.05 * traces[2] > 1.05 * traces[3]
