"""Mean and covariance of each estimator's draws, and the law of its latent, by enumeration and quadrature (laws.py)."""
from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from scipy.special import softmax

from refimpl import direct, estimators, joint
from refimpl.estimators import halves, reinmax, tilted
from tests.estimators import laws
from tests.estimators.drawn import (CASES, EPS, SAMPLES, STANDARD_ERRORS, check_no_score_no_gradient,
                                    check_scaling_f_is_scaling_eps,
                                    check_two_sided_is_the_pure_function_of_one_variable, correlation_of_the_winners,
                                    error_of_reinmax, excess_of_the_latent, falls_of_the_joint_pair, problem,
                                    worst_law_of_z_given_b, worst_moment, zeros_of_disarm)


def test_all_but_the_silent_ones_are_here():
    assert set(CASES) | {"exact", "tilted", "capped", "amplified"} == set(estimators.REGISTRY)


@pytest.mark.parametrize("name", list(CASES))
def test_mean_and_covariance_are_the_formulas_and_the_latent_is_a_sample_of_q(name):
    """Gumbel-softmax's latent is relaxed: there it is the corner it lies nearest to."""
    of_mean, of_covariance = worst_moment(name)
    assert of_mean < STANDARD_ERRORS and of_covariance < STANDARD_ERRORS
    assert excess_of_the_latent(name) < 5


@pytest.mark.parametrize("name, tolerance", [
    ("local-expectation", 1e-12), ("reinforce", 1e-12), ("reinforce-loo", 1e-12), ("perturbed", 1e-12),
    ("arm", 1e-12), ("disarm", 1e-12),
    ("rebar", 1e-8), ("relax", 1e-8)])                      # steep where u is near 0 or 1: Gauss has nine digits there
def test_the_unbiased_ones_have_the_true_mean_without_sampling(name, tolerance):
    h, toy = problem(*CASES[name][0])
    truth = joint.gradient(h, toy.joint_table().f[0]).ravel()
    np.testing.assert_allclose(CASES[name][2](h, toy)[0], truth, rtol=0, atol=tolerance * np.abs(truth).max())


@pytest.mark.parametrize("name", [name for name in CASES if not estimators.get(name).unbiased])
def test_the_others_have_not(name):
    h, toy = problem(*CASES[name][0])
    truth = joint.gradient(h, toy.joint_table().f[0]).ravel()
    assert np.abs(CASES[name][2](h, toy)[0] - truth).max() > 0.02 * np.abs(truth).max()


def test_one_variable_has_the_law_of_the_pair(rng):
    """n = 1: direct, coordinate-wise and joint, has the mean and covariance of refimpl.direct, and so has two-sided."""
    h, toy = problem(1, 4)
    f = toy.joint_table().f[0]
    many = np.broadcast_to(h, (SAMPLES, 1, 4))
    for name, two_sided in (("direct", False), ("direct-joint", False), ("two-sided", True)):
        grad = estimators.get(name).estimate(many, toy.repeated(0, SAMPLES), rng, eps=EPS).grad[:, 0]
        mean = direct.expected_gradient(h[0], f, EPS, two_sided)
        products = (grad - mean)[:, :, None] * (grad - mean)[:, None, :]
        truth = direct.covariance(h[0], f, EPS, two_sided)
        for samples, exactly in ((grad, mean), (products, truth)):
            assert (np.abs(samples.mean(axis=0) - exactly) < 4.5 * samples.std(axis=0) / np.sqrt(SAMPLES)).all()


@pytest.mark.parametrize("scale", [1e-3, 1.0, 100.0])
@pytest.mark.parametrize("eps", [1e-6, 0.1, 1.0, 20.0])
def test_the_halves_of_the_tilt_split_it_at_the_likeliest_value(scale, eps, rng):
    """Where every other value is worse, `capped` is the tilt up to its normaliser, and `amplified` the exact gradient.
    Where every other value is better, it is the other way round."""
    q = softmax(h := rng.normal(size=(20, 1, 5)), axis=-1)[:, 0]
    best = h.argmax(axis=-1)
    for sign in (-1.0, 1.0):
        f = sign * scale * np.abs(rng.normal(size=(20, 5)))
        np.put_along_axis(f, best, 0.0, axis=-1)                            # d = f
        exact = joint.gradient(h, f)
        normaliser = (q * np.exp(np.minimum(eps * f, 700))).sum(axis=-1)[:, None, None]
        tilt = tilted.gradient(h, f, eps) * (normaliser if sign < 0 else 1)
        like_tilt, like_exact = (halves.capped_gradient, halves.amplified_gradient)[::int(-sign)]
        if eps * scale < 100:                                               # the comparison's own exponential is finite
            np.testing.assert_allclose(like_tilt(h, f, eps), tilt, rtol=1e-9, atol=1e-13 * np.abs(tilt).max())
        np.testing.assert_allclose(like_exact(h, f, eps), exact, rtol=1e-12, atol=1e-14 * np.abs(exact).max())
        assert np.isfinite(like_tilt(h, f, eps)).all()


@pytest.mark.parametrize("n, k", [(1, 4), (3, 2), (2, 3)])
@pytest.mark.parametrize("eps", [1e-3, 0.4, 5.0])
def test_tilted_is_the_slope_of_the_tilted_objective(n, k, eps):
    """T(h) = (1/eps) log E_q exp(eps f), by complex steps of the scores; with one variable the mean of direct."""
    h, toy = problem(n, k)
    f = toy.joint_table().f[0]
    found = estimators.get("tilted").estimate(h[None], toy, None, eps=eps).grad[0]

    def T(scores):
        log_q = sum(np.log(np.exp(s) / np.exp(s).sum())[z] for s, z in zip(scores, joint.values(n, k).T))
        return np.log((np.exp(log_q) * np.exp(eps * (f - f.max()))).sum()) / eps

    for place in np.ndindex(n, k):
        stepped = h.astype(complex)
        stepped[place] += 1e-30j
        assert found[place] == pytest.approx(T(stepped).imag / 1e-30, rel=1e-9, abs=1e-12)
    if n == 1:
        np.testing.assert_allclose(found[0], direct.expected_gradient(h[0], f, eps), rtol=1e-12)
    truth = joint.gradient(h, f)
    assert (np.abs(found - truth).max() < 1e-2 * np.abs(truth).max()) == (eps < 0.01)


def test_local_tilted_has_the_mean_of_direct_and_less_noise():
    """By their exact laws: between the two there is noise only."""
    h, toy = problem(2, 3)
    (mean, covariance), (silent, left) = laws.coordinate_wise(h, toy, EPS), laws.local_tilted(h, toy, EPS)
    np.testing.assert_allclose(silent, mean, rtol=1e-10, atol=1e-12)
    assert (np.diag(left) < 0.2 * np.diag(covariance)).all()


def test_reinforce_is_perturbed_averaged_over_the_noise_that_did_not_decide():
    """One mean, and by their laws the noise of `perturbed` is the greater by E[(f - baseline)^2 (q_i^2 + 1 - b_i)]."""
    h, toy = problem(2, 3)
    (mean, covariance), (same, less) = laws.perturbed(h, toy, 0.8), laws.reinforce(h, toy, 0.8)
    np.testing.assert_allclose(mean, same, rtol=0, atol=1e-12)
    z, q = laws.corners(2, 3), np.exp(joint.log_q(h))
    more = (q * (laws.f_at(toy, z) - 0.8) ** 2) @ (softmax(h, axis=-1) ** 2 + 1 - z).reshape(-1, 6)
    np.testing.assert_allclose(np.diag(covariance) - np.diag(less), more, rtol=1e-12)
    assert (np.diag(covariance) > 2 * np.diag(less)).all()


def test_perturbed_has_the_variances_of_the_running_problem():
    """k = 3, no baseline: 1.14, 0.84, 1.57 against REINFORCE's 0.18, 0.34, 0.25."""
    q, f = softmax([0.3, -0.4, 0.6]), np.array([1.0, -2.0, 0.5])
    b, mean = np.eye(3), q * (f - q @ f)
    reinforce = (q * f**2) @ (b - q) ** 2 - mean**2
    assert reinforce.round(2).tolist() == [0.18, 0.34, 0.25]
    assert (reinforce + (q * f**2) @ (q**2 + 1 - b)).round(2).tolist() == [1.14, 0.84, 1.57]


def test_imle_is_direct_where_f_is_linear(rng):
    """Draw by draw: then the slope is the table of single changes."""
    class Linear:
        """f(z) = sum_i w_i . z_i."""

        def run(self, z):
            return SimpleNamespace(z=z, f=(w * z).sum(axis=(1, 2)), df_dz=lambda: np.broadcast_to(w, z.shape))

        def table(self, z):
            here = self.run(z)
            return SimpleNamespace(f=here.f[:, None, None] + w - (w * z).sum(axis=-1, keepdims=True), at_z=here)

    w, h = rng.normal(size=(2, 3)), rng.normal(size=(2_000, 2, 3))
    one, other = (estimators.get(name).estimate(h, Linear(), np.random.default_rng(1), eps=0.7)
                  for name in ("imle", "direct"))
    assert (one.grad == other.grad).all() and (one.grad != 0).any()


# --- the latent -------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("name", list(CASES))
def test_no_score_no_gradient(name):
    check_no_score_no_gradient(name)


# --- relations that hold in every draw --------------------------------------------------------------------------------

def test_the_joint_pair_only_climbs():
    assert falls_of_the_joint_pair() == 0


@pytest.mark.parametrize("name", ["direct", "two-sided", "direct-joint"])
def test_scaling_f_is_scaling_eps(name):
    check_scaling_f_is_scaling_eps(name)


def test_two_sided_is_the_pure_function_of_one_variable():
    check_two_sided_is_the_pure_function_of_one_variable()


def test_disarm_is_exactly_zero_where_the_pair_agrees():
    assert zeros_of_disarm() == 0


# --- ReinMax's one exact claim ----------------------------------------------------------------------------------------

def test_reinmax_is_exact_for_a_quadratic_f_at_tau_1_and_there_alone(monkeypatch):
    assert error_of_reinmax(reinmax, monkeypatch) < 1e-13
    assert error_of_reinmax(reinmax, monkeypatch, tau=0.5) > 0.01
    assert error_of_reinmax(reinmax, monkeypatch, cubic=1.0) > 0.01


# --- REBAR's z given b ------------------------------------------------------------------------------------------------

def test_z_given_b_has_its_law():
    assert worst_law_of_z_given_b() < 2.2               # of sixty statistics


def test_z_given_b_is_drawn_afresh():
    assert correlation_of_the_winners() < 4


def test_gumbel_rao_is_straight_through_with_less_variance():
    """By quadrature: one mean, whatever the number of draws, and a covariance that shrinks in every direction."""
    h, toy = problem(2, 2)
    mean, covariance = laws.gumbel_softmax(h, toy, 0.7, hard=True)
    traces = [np.trace(covariance)]
    for samples in (1, 3, 30):
        same, smaller = laws.gumbel_rao(h, toy, 0.7, samples)
        np.testing.assert_allclose(same, mean, rtol=0, atol=1e-12)
        assert np.linalg.eigvalsh(covariance - smaller).min() > -1e-12
        traces.append(np.trace(smaller))
    assert traces[0] == pytest.approx(traces[1], rel=1e-9) and traces[1] > 1.05 * traces[2] > 1.05 * traces[3]
