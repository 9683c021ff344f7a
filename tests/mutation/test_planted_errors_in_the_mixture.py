"""Planted errors in the backward pass of the mixture model and in labelled terms: see test_planted_errors.py."""
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
from tests.models.images import Images

D, CLASSES, PIXELS, BATCH, SEED = 3, 4, 14, 6, 5
RIGHT_ENCODE, RIGHT_KL, RIGHT_ROWS = MixtureVAE.encode, mixture.gaussian_kl, inputs.ClassRow._by_class


def f_of_all(model, x, g):
    """Return f (B, classes), from one decoder pass for each class."""
    columns = []
    for c in range(CLASSES):
        inputs = np.zeros((len(x), CLASSES, D))
        inputs[:, c] = g                                    # the matrix of slide 33: zero except for one row
        a = model.decoder.forward(inputs.reshape(len(x), -1))
        columns.append((x * a - np.logaddexp(0, a)).sum(axis=1))
    return np.stack(columns, axis=1)


def check_mixture() -> float:
    """Return the largest relative error of the exact gradient with all KL terms, against differences of the bound."""
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


def test_correct_mixture_passes():
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
def test_planted_errors_in_the_mixture_are_detected(monkeypatch, plant):
    plant(monkeypatch)
    assert check_mixture() > 1e-4


@pytest.mark.parametrize("wrong", [
    lambda h, y, rng, eps: -labelled.direct_loss(h, y, rng, eps),                       # sign
    lambda h, y, rng, eps: eps * labelled.direct_loss(h, y, rng, eps),                  # 1 / eps forgotten
    labelled.released])                                                                 # the wrong term
def test_wrong_labelled_terms_are_detected(wrong):
    h, eps, draws = np.array([0.5, -1.0, 1.0]), 0.5, 100_000
    mean = (softmax(h + eps * np.eye(3)[1]) - softmax(h)) / eps
    sampled = wrong(np.broadcast_to(h, (draws, 3)), np.full(draws, 1), np.random.default_rng(1), eps)
    assert np.abs(z_scores(sampled, mean)).max() > 20


# --- several variables and g ------------------------------------------------------------------------------------------

RIGHT_EVERY, RIGHT_LEARN = inputs.BesideGaussian.every, inputs.BesideGaussian.accumulate_every


def check_attributes() -> float:
    """Return the largest relative error of the exact gradient, the labelled gradient, the table, and the bound.

    The gradients are compared with differences of their losses, and the table contains f of single changes.
    """
    rng, model = np.random.default_rng(3), MixtureVAE(D, (6, 8), PIXELS, (8, 7), 5, 2, np.float64, 3)
    model.initialise(rng)
    model.parameters.values *= 2.5
    x, labels = (rng.random((BATCH, PIXELS)) < 0.4).astype(float), rng.integers(8, size=BATCH)
    bits = np.arange(8)[:, None] // np.array([4, 2, 1]) % 2                     # of each joint value

    def parts():
        e = model.trunk.forward(x)
        h = model.class_head.forward(e).reshape(BATCH, 3, 2)
        mu, log_var = np.split(model.gaussian_head.forward(e), 2, axis=1)
        xi = np.random.default_rng(SEED).standard_normal(mu.shape, dtype=np.float32).astype(float)
        g = mu + np.exp(log_var / 2) * xi
        f = np.empty((BATCH, 8))
        for z in range(8):
            a = model.decoder.forward(np.concatenate([np.tile(np.eye(2)[bits[z]].ravel(), (BATCH, 1)), g], axis=1))
            f[:, z] = (x * a - np.logaddexp(0, a)).sum(axis=1)
        q = softmax(h, axis=2)
        return h, g, q[:, 0, bits[:, 0]] * q[:, 1, bits[:, 1]] * q[:, 2, bits[:, 2]], f, RIGHT_KL(mu, log_var)[0]

    def loss():
        h, _, law, f, kl = parts()
        return (-(law * f).sum(axis=1) + categorical_kl(h)[0].sum(axis=1) + kl).mean()

    def labelled_loss():
        h, _, _, f, kl = parts()
        log_q = np.log(softmax(h, axis=2))[np.arange(BATCH)[:, None], np.arange(3), bits[labels]].sum(axis=1)
        return (-f[np.arange(BATCH), labels] + kl - log_q).mean()

    h, g, law, f, kl = parts()
    errors = []
    for way, of in ((lambda noise: model.backward(x, estimators.get("exact"), noise), loss),
                    (lambda noise: model.backward_labelled(x, labels, labelled.cross_entropy, 1.0, 1.0, noise),
                     labelled_loss)):
        model.parameters.zero_grads()
        way(np.random.default_rng(SEED))
        errors.append(worst(gradcheck(of, model.parameters.values, model.parameters.grads, rng)))
    table = model.objective(x, g).table(np.eye(2)[bits[labels]]).f
    for i in range(3):
        for value in range(2):
            other = labels + (value - bits[labels, i]) * 2 ** (2 - i)
            errors.append(np.abs(table[:, i, value] / f[np.arange(BATCH), other] - 1).max())
    elbo = model.bound(Images(x), np.random.default_rng(SEED)).test_elbo
    errors.append(abs(elbo / -loss() - 1))
    return max(errors)


def test_correct_model_with_several_variables_passes():
    assert check_attributes() < 1e-7


def g_not_reaching_the_first_layer(monkeypatch):
    monkeypatch.setattr(inputs.BesideGaussian, "constant", lambda self, first: first.b + 0 * self.g[:, :1])


def joint_values_in_another_order(monkeypatch):
    monkeypatch.setattr(inputs.BesideGaussian, "every", lambda self, first: RIGHT_EVERY(self, first).reshape(
        BATCH, 2, 2, 2, -1).transpose(0, 3, 2, 1, 4).reshape(BATCH * 8, -1))


def nothing_for_g_from_the_table(monkeypatch):
    def wrong(self, first, dy):
        before = self.dg.copy()
        RIGHT_LEARN(self, first, dy)
        self.dg = before
    monkeypatch.setattr(inputs.BesideGaussian, "accumulate_every", wrong)


def nothing_for_g_from_a_point(monkeypatch):
    monkeypatch.setattr(inputs.BesideGaussian, "accumulate", lambda self, z, back, weight: None)


def attributes_swapped_in_the_labels(monkeypatch):
    right = MixtureVAE.values
    monkeypatch.setattr(MixtureVAE, "values", lambda self, labels: right(self, labels)[:, [1, 0, 2]])


def first_variable_fastest_in_the_law(monkeypatch):
    right = mixture._joint_law
    monkeypatch.setattr(mixture, "_joint_law", lambda q: right(q[:, ::-1]))


def kl_of_the_first_variable_for_all(monkeypatch):
    def wrong(h):
        kl, dkl = categorical_kl(h)
        return kl[:, :1], dkl
    monkeypatch.setattr(mixture, "categorical_kl", wrong)


@pytest.mark.parametrize("plant", [
    g_not_reaching_the_first_layer, joint_values_in_another_order, nothing_for_g_from_the_table,
    nothing_for_g_from_a_point, attributes_swapped_in_the_labels, first_variable_fastest_in_the_law,
    kl_of_the_first_variable_for_all])
def test_planted_errors_with_several_variables_are_detected(monkeypatch, plant):
    plant(monkeypatch)
    assert check_attributes() > 1e-4
