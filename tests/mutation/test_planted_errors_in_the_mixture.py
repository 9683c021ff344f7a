"""Slips in the mixture model's backward pass and in what labels teach: see test_planted_errors.py."""
from __future__ import annotations

import numpy as np
import pytest
from scipy.special import softmax

from refimpl import estimators
from refimpl.estimators import label_terms as labelled
from refimpl.models import inputs, mixture
from refimpl.models.mixture import MixtureVAE
from refimpl.nn.gradcheck import gradcheck, worst
from refimpl.nn.losses import categorical_kl
from tests.asserts import z_scores

D, CLASSES, PIXELS, BATCH, SEED = 3, 4, 14, 6, 5
RIGHT_ENCODE, RIGHT_KL, RIGHT_ROWS = MixtureVAE.encode, mixture.gaussian_kl, inputs.ClassRow._by_class


def f_of_all(model, x, g):
    """(B, classes), one class after the other through the plain decoder."""
    columns = []
    for c in range(CLASSES):
        inputs = np.zeros((len(x), CLASSES, D))
        inputs[:, c] = g                                    # the matrix of slide 33: zero but for the row of the class
        a = model.decoder.forward(inputs.reshape(len(x), -1))
        columns.append((x * a - np.logaddexp(0, a)).sum(axis=1))
    return np.stack(columns, axis=1)


def check_mixture() -> float:
    """Worst relative error of the gradient, enumeration with all KL terms, against differences of the bound."""
    rng = np.random.default_rng(3)
    model = MixtureVAE(D, (6, 8), PIXELS, (8, 7), 5, CLASSES, np.float64)
    model.initialise(rng)
    model.parameters.values *= 2.5
    x = (rng.random((BATCH, PIXELS)) < 0.4).astype(float)

    def loss():
        e = model.trunk.forward(x)
        h = model.class_head.forward(e)
        mu, log_var = np.split(model.gaussian_head.forward(e), 2, axis=1)
        xi = np.random.default_rng(SEED).standard_normal(mu.shape, dtype=np.float32).astype(float)
        g = mu + np.exp(log_var / 2) * xi
        kl = RIGHT_KL(mu, log_var)[0]
        return (-(softmax(h, axis=1) * f_of_all(model, x, g)).sum(axis=1) + categorical_kl(h)[0] + kl).mean()

    model.parameters.zero_grads()
    model.backward(x, estimators.get("exact"), np.random.default_rng(SEED))
    return worst(gradcheck(loss, model.parameters.values, model.parameters.grads, rng))


def test_the_mixture_itself_passes():
    assert check_mixture() < 1e-7


def half_forgotten_in_the_reparameterisation(monkeypatch):
    def wrong(self, x, rng):
        right = RIGHT_ENCODE(self, x, rng)
        return right._replace(deviation=2 * right.deviation)            # ds / dlog_var = s / 2
    monkeypatch.setattr(MixtureVAE, "encode", wrong)


def noise_forgotten_in_the_reparameterisation(monkeypatch):
    def wrong(self, x, rng):
        right = RIGHT_ENCODE(self, x, rng)
        return right._replace(xi=np.ones_like(right.xi))
    monkeypatch.setattr(MixtureVAE, "encode", wrong)


def gaussian_kl_without_its_one(monkeypatch):
    def wrong(mu, log_var):
        kl, dmu, dlog_var = RIGHT_KL(mu, log_var)
        return kl, dmu, dlog_var + 0.5
    monkeypatch.setattr(mixture, "gaussian_kl", wrong)


def classes_given_each_others_rows(monkeypatch):
    def wrong(self, W):
        by_class = RIGHT_ROWS(self, W).reshape(D, CLASSES, -1)
        return np.ascontiguousarray(by_class[:, ::-1]).reshape(D, -1)
    monkeypatch.setattr(inputs.ClassRow, "_by_class", wrong)


@pytest.mark.parametrize("plant", [half_forgotten_in_the_reparameterisation, noise_forgotten_in_the_reparameterisation,
                                   gaussian_kl_without_its_one, classes_given_each_others_rows])
def test_slips_are_caught(monkeypatch, plant):
    plant(monkeypatch)
    assert check_mixture() > 1e-4


@pytest.mark.parametrize("wrong", [
    lambda h, y, rng, eps: -labelled.direct_loss(h, y, rng, eps),                       # sign
    lambda h, y, rng, eps: eps * labelled.direct_loss(h, y, rng, eps),                  # 1 / eps forgotten
    labelled.released])                                                                 # one term for the other
def test_a_wrong_labelled_term_is_caught(wrong):
    h, eps, draws = np.array([0.5, -1.0, 1.0]), 0.5, 100_000
    mean = (softmax(h + eps * np.eye(3)[1]) - softmax(h)) / eps
    sampled = wrong(np.broadcast_to(h, (draws, 3)), np.full(draws, 1), np.random.default_rng(1), eps)
    assert np.abs(z_scores(sampled, mean)).max() > 20
