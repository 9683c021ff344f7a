"""Planted errors: each of these deliberate errors must be detected by the check that guards against it.

A check returns the deviation of the code under test, in standard errors or as a relative error.  Correct code passes
the limit that the ordinary tests use, and wrong code exceeds it by a wide margin.
"""
from __future__ import annotations

import numpy as np
import pytest
from matplotlib.figure import Figure

from refimpl import cli, direct, estimators, exact, gumbel
from refimpl.danskin import d2G_deps_dh
from refimpl.direct import gradient as direct_gradient
from refimpl.latent import independent
from refimpl.latent.independent import Independent
from refimpl.models.vae import VAE
from refimpl.nn import layers, losses
from refimpl.nn.gradcheck import gradcheck, worst
from tests.asserts import z_scores

EPS, N = 0.5, 200_000
K, HIDDEN, PIXELS, BATCH = 4, 7, 12, 6


# --- the direct gradient's mean and variance --------------------------------------------------------------------------

def correct_gradient(h, f, noise):
    return direct.gradient(h, f, EPS, noise)


def pair(h, f, noise):
    z_star, z_eps = direct.argmax_pair(h, f, EPS, noise)
    return gumbel.one_hot(z_star, h.shape[-1]), gumbel.one_hot(z_eps, h.shape[-1])


def second_term_dropped(h, f, noise):
    return pair(h, f, noise)[1] / EPS


def sign_swapped(h, f, noise):
    star, eps = pair(h, f, noise)
    return (star - eps) / EPS


def eps_missing(h, f, noise):
    star, eps = pair(h, f, noise)
    return eps - star


def f_not_scaled_by_eps(h, f, noise):
    z_star, z_eps = direct.argmax_pair(h, f, 1.0, noise)
    return (gumbel.one_hot(z_eps, len(h)) - gumbel.one_hot(z_star, len(h))) / EPS


def noise_not_shared(h, f, noise):
    star, _ = pair(h, f, noise)
    _, eps = pair(h, f, np.roll(noise, 1, axis=0))
    return (eps - star) / EPS


def noise_shared_by_all_values(h, f, noise):
    return direct.gradient(h, f, EPS, np.broadcast_to(noise[:, :1], noise.shape))


def check_mean_and_variance(gradient) -> float:
    """Return the largest deviation of mean or variance of the sampled gradient, in standard errors."""
    rng = np.random.default_rng(1)
    h, f = rng.normal(size=6), 2 * rng.normal(size=6)
    sampled = gradient(h, f, gumbel.sample((N, 6), rng))
    mean, variance = direct.expected_gradient(h, f, EPS), direct.variance(h, f, EPS)
    return max(np.abs(z_scores(sampled, mean)).max(), np.abs(z_scores((sampled - mean) ** 2, variance)).max())


def test_correct_gradient_passes():
    assert check_mean_and_variance(correct_gradient) < 4


@pytest.mark.parametrize("wrong", [second_term_dropped, sign_swapped, eps_missing, f_not_scaled_by_eps,
                                   noise_not_shared, noise_shared_by_all_values])
def test_wrong_gradients_are_detected(wrong):
    assert check_mean_and_variance(wrong) > 20


def test_mean_alone_does_not_detect_noise_that_is_not_shared():
    """The mean is correct, so a test of the mean alone would pass."""
    rng = np.random.default_rng(1)
    h, f = rng.normal(size=6), 2 * rng.normal(size=6)
    sampled = noise_not_shared(h, f, gumbel.sample((N, 6), rng))
    assert np.abs(z_scores(sampled, direct.expected_gradient(h, f, EPS))).max() < 4


# --- backward passes of the whole model -------------------------------------------------------------------------------

def check_model() -> float:
    """Return the largest relative error of the exact gradient with KL term, against differences of the bound."""
    rng = np.random.default_rng(2)
    model = VAE(Independent(1, K), HIDDEN, PIXELS, np.float64)
    model.initialise(rng)
    model.parameters.values *= 3
    x = (rng.random((BATCH, PIXELS)) < 0.4).astype(float)

    def loss():
        h, f = model.score_all(x)
        return -(exact.expectation(h[:, 0], f) - exact.kl(h[:, 0])).mean()

    model.parameters.zero_grads()
    model.backward(x, estimators.get("exact"), rng, True)
    return worst(gradcheck(loss, model.parameters.values, model.parameters.grads, rng))


def test_correct_model_passes():
    assert check_model() < 1e-7


def off_by_one_in_the_kl(monkeypatch):
    right = losses.categorical_kl
    monkeypatch.setattr(independent, "categorical_kl", lambda h: (right(h)[0], right(h)[1] * K / (K - 1)))


def kl_with_the_wrong_sign(monkeypatch):
    right = losses.categorical_kl
    monkeypatch.setattr(independent, "categorical_kl", lambda h: (right(h)[0], -right(h)[1]))


def a_tenth_of_a_percent_in_a_weight_gradient(monkeypatch):
    right = layers.Linear.accumulate

    def accumulate(self, x, dy, weight=1.0):
        right(self, x, dy, weight)
        self.dW *= 1.001

    monkeypatch.setattr(layers.Linear, "accumulate", accumulate)


def a_tenth_of_a_percent_in_the_relu(monkeypatch):
    right = layers.ReLU.backward
    monkeypatch.setattr(layers.ReLU, "backward", lambda self, x, y, dy: 1.001 * right(self, x, y, dy))


def a_tenth_of_a_percent_in_the_sigmoid(monkeypatch):
    right = losses.sigmoid
    monkeypatch.setattr(losses, "sigmoid", lambda a: 1.001 * right(a))


def bias_gradient_forgotten(monkeypatch):
    right = layers.Linear.accumulate

    def accumulate(self, x, dy, weight=1.0):
        right(self, x, dy, weight)
        self.db[...] = 0

    monkeypatch.setattr(layers.Linear, "accumulate", accumulate)


@pytest.mark.parametrize("plant", [off_by_one_in_the_kl, kl_with_the_wrong_sign,
                                   a_tenth_of_a_percent_in_a_weight_gradient, a_tenth_of_a_percent_in_the_relu,
                                   a_tenth_of_a_percent_in_the_sigmoid, bias_gradient_forgotten])
def test_wrong_backward_passes_are_detected(monkeypatch, plant):
    plant(monkeypatch)
    assert check_model() > 1e-5


# --- the latent from which the decoder learns -------------------------------------------------------------------------

def test_decoder_that_learns_from_z_eps_is_detected():
    """z*(eps) is not a sample of q, which the law of the latent reveals."""
    rng = np.random.default_rng(3)
    h, f = rng.normal(size=5), 2 * rng.normal(size=5)
    z_star, z_eps = direct.argmax_pair(h, f, EPS, gumbel.sample((N, 5), rng))
    q = gumbel.choice_probabilities(h)
    assert np.abs(z_scores(gumbel.one_hot(z_star, 5), q)).max() < 4
    assert np.abs(z_scores(gumbel.one_hot(z_eps, 5), q)).max() > 20


# --- the command verify -----------------------------------------------------------------------------------------------

@pytest.mark.parametrize("target, wrong", [
    ("direct.gradient", lambda *arguments, **named: -direct_gradient(*arguments, **named)),
    ("gumbel.sample", lambda shape, rng: np.asarray(rng.gumbel(size=shape))),                  # mean 0.577, not 0
    ("danskin.d2G_deps_dh", lambda h, f, eps: 1.0001 * d2G_deps_dh(h, f, eps)),
    ("direct.joint_law", lambda h, f, eps, two_sided=False: np.multiply.outer(*(2 * [np.full(6, 1 / 6)]))),
])
def test_verify_fails_on_wrong_mathematics(monkeypatch, tmp_path, capsys, target, wrong):
    monkeypatch.setattr(f"refimpl.{target}", wrong)
    for picture in ("errors", "component"):                                             # the two slowest pictures
        monkeypatch.setattr(f"refimpl.experiments.theory.theorem1.{picture}", lambda *numbers: Figure())
    assert cli.main(["verify", "--samples", "20000", "--out", str(tmp_path)]) == 1
    assert "FAILS" in capsys.readouterr().out
