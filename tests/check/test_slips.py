"""Every planted slip is named, also where eps, k or f could hide it, and no wrong name is given."""
from __future__ import annotations

import numpy as np
import pytest
from scipy.special import softmax

from refimpl import check, gumbel
from refimpl.check import rounding
from tests.check.planted import OF_NOISE, OF_OWN_NOISE, own, right

H, F = np.array([0.5, -1.0, 0.2, 1.0]), np.array([1.0, 2.5, 0.0, -1.0])
HIDDEN = [([0.5, -1.0, 0.2], [1.0, 2.5, 0.0], 1.0), ([0.3, -0.6], [1.0, 0.2], 0.5)]


def names_slip(report, words):
    """Return whether the verdict has one kind, and all the words occur before the sentence about other explanations."""
    first = report.verdict.split(" At these h, f and eps")[0]
    return report.holds is False and report.kind is not None and all(each in first for each in words.split("*"))


@pytest.mark.parametrize("name", OF_NOISE)
def test_every_slip_is_named_with_the_given_noise(name):
    function, words = OF_NOISE[name]
    report = check.gradient(function, H, F, 0.3, 2_000)
    assert names_slip(report, words), report.verdict
    assert report.verdict.startswith(("NOT the direct gradient: ", "Not the direct gradient: "))


@pytest.mark.parametrize("name", OF_NOISE)
@pytest.mark.parametrize("number", [1, pytest.param(0, marks=pytest.mark.slow)])
def test_every_slip_is_named_where_eps_or_k_could_hide_it(name, number):
    """At eps = 1, a factor 1/eps has no effect.  At k = 2 and eps = 1/2, the factors 1/2, eps and 1/k are equal."""
    function, words = OF_NOISE[name]
    report = check.gradient(function, *HIDDEN[number], 3_000)
    assert names_slip(report, words), report.verdict


@pytest.mark.parametrize("name", OF_OWN_NOISE)
def test_every_slip_is_named_with_noise_drawn_by_the_function(name):
    function, words = OF_OWN_NOISE[name]
    assert names_slip(report := check.gradient(function, H, F, 0.3, 10_000), words), report.verdict


@pytest.mark.slow
@pytest.mark.parametrize("name", ["sign", "missing 1/eps", "second dropped", "f negated", "no noise", "probabilities",
                                  "temperature", "1/sigma", "one noise", "times f", "exact", "gumbel-softmax",
                                  "reinforce, baseline"])
def test_slips_are_named_from_their_distribution_alone(name):
    function, words = OF_NOISE[name]
    assert names_slip(report := check.gradient(own(function), H, F, 0.3, 10_000), words), report.verdict


def test_verdict_says_that_eps_one_hides_a_factor():
    report = check.gradient(right, H, F, 1.0, 2_000)
    assert report.holds and "At these h, f and eps (k = 4, eps = 1)" in report.verdict
    assert "the factor 1/eps is missing" in report.verdict
    assert "problems of the same kind (k = 6, eps = 0.7)" in report.verdict
    assert "At these" not in check.gradient(right, H, F, 0.3, 2_000).verdict


def test_verdict_is_open_for_a_function_that_accepts_only_eps_one():
    """It raises an error for other problems, so explanations that coincide at eps = 1 cannot be separated."""
    def only(h, f, eps, noise):
        if eps != 1:
            raise RuntimeError("eps must be 1")
        return right(h, f, eps, noise)

    report = check.gradient(only, H, F, 1.0, 2_000)
    assert report.holds is None and report.kind is None and "cannot tell" in report.verdict
    assert "the direct gradient" in report.verdict and "the factor 1/eps is missing" in report.verdict


def test_unknown_estimators_get_no_name_but_their_mean_is_reported():
    def varying(h, f, eps, noise):                          # REINFORCE with a baseline that varies with the noise
        z = np.eye(h.shape[-1])[(h + noise).argmax(-1)]
        baseline = np.roll(noise, 1, axis=0)[:, :1]
        return ((f * z).sum(-1, keepdims=True) - baseline) * (z - softmax(h, axis=-1))

    report = check.gradient(varying, H, F, 0.3, 40_000)
    assert report.holds is False and report.kind is None and report.mean in ("E f", "both")
    assert "none of the slips" in report.verdict and "its mean is the gradient of E f" in report.verdict
    biased = check.gradient(lambda *four: 0.8 * varying(*four), H, F, 0.3, 40_000)
    assert biased.mean == "neither" and "its mean is" not in biased.verdict and biased.mean_z_exact > 6


def test_reordered_noise_and_unseeded_noise_are_reported():
    report = check.gradient(lambda h, f, eps, noise: right(h, f, eps, noise[::-1]), H, F, 0.3, 20_000)
    assert report.holds is False and "does not use the noise that it is given" in report.verdict and report.equal < 1
    rng = np.random.default_rng(0)
    report = check.gradient(lambda h, f, eps, noise: right(h, f, eps, gumbel.sample(h.shape, rng)), H, F, 0.3, 20_000)
    assert report.holds is None and "it draws its own" in report.verdict and "two calls" in report.notes[0]


def test_one_sided_and_two_sided_gradients_are_distinguished():
    from refimpl import direct

    for function, two_sided in ((direct.gradient, False), (direct.two_sided_gradient, True)):
        assert check.gradient(function, H, F, 0.3, 2_000, two_sided=two_sided).holds is True
        report = check.gradient(function, H, F, 0.3, 2_000, two_sided=not two_sided)
        assert report.holds is False and "that was asked for" in report.verdict


def quadratic(z):
    return (z @ np.array([1.0, 2.0, -1.0])) ** 2


def slope(z):
    return 2 * quadratic(z)[:, None] ** 0.5 * np.sign(z @ np.array([1.0, 2.0, -1.0]))[:, None] * np.array([1.0, 2, -1])


def relaxed(tau, hard):
    def function(h, f, eps, noise):
        soft = softmax((h + noise) / tau, axis=-1)
        z = np.eye(h.shape[-1])[soft.argmax(-1)] if hard else soft
        return soft * (slope(z) - (soft * slope(z)).sum(-1, keepdims=True)) / tau
    return function


@pytest.mark.parametrize("tau", [0.5, 0.83])
@pytest.mark.parametrize("hard", [False, True])
def test_relaxations_are_recognised_from_f_between_one_hot_vectors(tau, hard):
    report = check.gradient(relaxed(tau, hard), [0.1, 0.5, -0.3], quadratic, 0.3, 3_000)
    assert report.kind == ("straight-through" if hard else "gumbel-softmax")
    assert f"temperature {tau:.3g}." in report.verdict
    report = check.gradient(lambda h, f, eps, noise: right(h, f(np.eye(3)), eps, noise), [0.1, 0.5, -0.3], quadratic,
                            0.3, 3_000)
    assert report.holds is True


def test_zero_is_named_where_every_draw_changes():
    report = check.gradient(lambda h, f, eps, noise: 0 * h, [0.0, 1e5, 2.0], [1.0, 0.0, 2.0], 1e5, 1_000)
    assert names_slip(report, "it is zero"), report.verdict


@pytest.mark.parametrize("eps", [1e5, 1e39])
@pytest.mark.filterwarnings("error")
def test_slip_is_named_without_a_warning_if_eps_overflows_in_half_precision(eps):
    report = check.gradient(lambda h, f, eps, noise: right(h, f, eps, noise / 2), [0.0, 1.0], [1.0, 0.0], eps, 1_000)
    assert report.holds is False and "the noise is multiplied by 0.5" in report.verdict, report.verdict


@pytest.mark.filterwarnings("error")
def test_number_beyond_float32_becomes_infinite_in_bfloat16_without_a_warning():
    assert np.isinf(rounding.to("bfloat16", np.array([1e39]))).all()
