"""The mixture model: its backward pass against differences of the loss, its table against single classes."""
from __future__ import annotations

import numpy as np
import pytest
from scipy.special import log_softmax, softmax

from refimpl import estimators, gumbel
from refimpl.arguments import NotFinite
from refimpl.estimators import Estimate, Estimator, label_terms as labelled
from refimpl.models import mixture
from refimpl.models.inputs import ClassRow
from refimpl.models.mixture import MixtureVAE
from refimpl.models.tables import OwnTable
from refimpl.nn.adam import Adam
from refimpl.nn.gradcheck import gradcheck, worst
from refimpl.nn.losses import categorical_kl, gaussian_kl
from refimpl.nn.parameters import StalePass
from tests.asserts import assert_close_in_norm
from tests.models.images import Images

D, CLASSES, PIXELS, BATCH, SEED = 3, 4, 14, 6, 5


@pytest.fixture(params=[(9,), (6, 8)], ids=["one hidden layer", "two"])
def model(request, rng):
    model = MixtureVAE(D, request.param, PIXELS, (8, 7), 5, CLASSES, np.float64)
    model.initialise(rng)
    model.parameters.values *= 2.5                                     # away from the almost constant initial model
    return model


@pytest.fixture
def x(rng):
    return (rng.random((BATCH, PIXELS)) < 0.4).astype(float)


def draw(model, x, seed=SEED):
    """Return h, g, the Gaussian KL, and the generator in its state after the model has drawn g."""
    rng = np.random.default_rng(seed)
    e = model.trunk.forward(x)
    mu, log_var = np.split(model.gaussian_head.forward(e), 2, axis=1)
    xi = rng.standard_normal(mu.shape, dtype=np.float32).astype(float)
    return model.class_head.forward(e), mu + np.exp(log_var / 2) * xi, gaussian_kl(mu, log_var)[0], rng


def f_of_all(model, x, g):
    """Return f (B, classes), from one decoder pass for each class."""
    columns = []
    for c in range(CLASSES):
        inputs = np.zeros((len(x), CLASSES, D))
        inputs[:, c] = g                                    # the matrix of slide 33: zero except for one row
        a = model.decoder.forward(inputs.reshape(len(x), -1))
        columns.append((x * a - np.logaddexp(0, a)).sum(axis=1))
    return np.stack(columns, axis=1)


def test_table_agrees_with_single_classes(model, x, rng):
    g = rng.normal(size=(BATCH, D))
    objective, truth = model.objective(x, g), f_of_all(model, x, g)
    some = np.eye(CLASSES)[rng.integers(CLASSES, size=BATCH)][:, None]
    table = objective.table(some)
    assert_close_in_norm(table.f[:, 0], truth)
    assert_close_in_norm(table.at_z.f, (truth * some[:, 0]).sum(axis=1))
    assert_close_in_norm(objective.joint_table().f, truth)
    for c in range(CLASSES):
        z = np.broadcast_to(np.eye(CLASSES)[c], (BATCH, 1, CLASSES))
        assert_close_in_norm(objective.run(z).f, truth[:, c])
    assert objective.evaluations == 2 * CLASSES + CLASSES
    assert_close_in_norm(model.decode(g), np.stack([model.decoder.forward(np.kron(np.eye(CLASSES)[c], g))
                                                    for c in range(CLASSES)], axis=1))


@pytest.mark.parametrize("kl_grad, beta", [(True, 1.0), (False, 1.0), (True, 4.0)])
def test_exact_gradient_of_the_whole_model_agrees_with_differences(model, x, rng, kl_grad, beta):
    def loss(kl_grad=kl_grad, beta=beta):
        h, g, kl, _ = draw(model, x)
        expected = (softmax(h, axis=1) * f_of_all(model, x, g)).sum(axis=1)
        return (-expected + kl_grad * categorical_kl(h)[0] + beta * kl).mean()

    model.backward(x, estimators.get("exact"), np.random.default_rng(SEED), kl_grad, beta)
    assert worst(gradcheck(loss, model.parameters.values, model.parameters.grads, rng)) < 1e-7
    other_kl, other_beta = lambda: loss(not kl_grad), lambda: loss(beta=beta + 1)       # each term matters
    assert worst(gradcheck(other_kl, model.parameters.values, model.parameters.grads, rng)) > 1e-3
    assert worst(gradcheck(other_beta, model.parameters.values, model.parameters.grads, rng)) > 1e-3


def test_relaxed_gradient_of_the_whole_model_agrees_with_differences(model, x, rng):
    tau = 0.6

    def loss():
        h, g, kl, noise = draw(model, x)
        z = softmax((h[:, None] + gumbel.sample((BATCH, 1, CLASSES), noise)) / tau, axis=-1)
        return (-model.objective(x, g).run(z).f + categorical_kl(h)[0] + kl).mean()

    model.backward(x, estimators.get("gumbel-softmax"), np.random.default_rng(SEED), tau=tau)
    assert worst(gradcheck(loss, model.parameters.values, model.parameters.grads, rng)) < 1e-7


def test_gradient_at_a_sampled_class_agrees_with_differences(model, x, rng):
    """With direct, the decoder and the Gaussian get the gradient at a fixed z*."""
    z = np.eye(CLASSES)[rng.integers(CLASSES, size=BATCH)][:, None]
    fixed = Estimator("fixed", lambda h, objective, rng: Estimate(np.zeros_like(h), objective.run(z)), "", False)

    def loss():
        _, g, kl, _ = draw(model, x)
        return (-model.objective(x, g).run(z).f + kl).mean()

    model.backward(x, fixed, np.random.default_rng(SEED), kl_grad=False)
    at_point = model.parameters.grads.copy()
    assert worst(gradcheck(loss, model.parameters.values, model.parameters.grads, rng)) < 1e-7
    weights = z[:, 0]                                                       # the same z as a weighted sum
    fixed = Estimator("fixed", lambda h, objective, rng: Estimate(
        np.zeros_like(h), objective.joint_table().weighted(weights)), "", False)
    model.parameters.zero_grads()
    model.backward(x, fixed, np.random.default_rng(SEED), kl_grad=False)
    assert_close_in_norm(model.parameters.grads, at_point)


def test_gradient_of_direct_is_the_difference_of_two_arg_maxes_of_the_class(model, x):
    eps, estimates = 5.0, []
    estimator = estimators.get("direct")

    def watch(h, *rest, **more):
        estimates.append((h.copy(), estimator.estimate(h, *rest, **more)))
        return estimates[-1][1]

    watched = Estimator("direct", watch, "", False)
    model.backward(x, watched, np.random.default_rng(SEED), False, eps=eps)
    h, g, _, noise = draw(model, x)
    gamma = gumbel.sample((BATCH, 1, CLASSES), noise)[:, 0]
    z_star, z_eps = (h + gamma).argmax(axis=1), (eps * f_of_all(model, x, g) + h + gamma).argmax(axis=1)
    assert (z_star != z_eps).any()
    np.testing.assert_array_equal(estimates[0][1].grad[:, 0], (np.eye(CLASSES)[z_eps] - np.eye(CLASSES)[z_star]) / eps)
    np.testing.assert_array_equal(estimates[0][1].decoder_term.z[:, 0], np.eye(CLASSES)[z_star])


@pytest.mark.parametrize("weight, image_weight, beta", [(1.0, 1.0, 1.0), (3.0, 0.2, 2.0), (2.0, 0.0, 1.0)])
def test_labelled_gradient_of_the_whole_model_agrees_with_differences(model, x, rng, weight, image_weight, beta):
    labels = rng.integers(CLASSES, size=BATCH)

    def loss(weight=weight):
        h, g, kl, _ = draw(model, x)
        at_label = np.arange(BATCH), labels
        image_loss = image_weight * (-f_of_all(model, x, g)[at_label] + beta * kl)
        return (image_loss - weight * log_softmax(h, axis=1)[at_label]).mean()

    model.backward_labelled(x, labels, labelled.cross_entropy, 1.0, weight, np.random.default_rng(SEED),
                            image_weight, beta)
    assert worst(gradcheck(loss, model.parameters.values, model.parameters.grads, rng)) < 1e-7
    assert worst(gradcheck(lambda: loss(weight + 1), model.parameters.values, model.parameters.grads, rng)) > 1e-3


def test_float32_gradient_agrees_with_float64(x):
    models = [MixtureVAE(D, (6, 8), PIXELS, (8, 7), 5, CLASSES, dtype) for dtype in (np.float64, np.float32)]
    for each in models:
        each.initialise(np.random.default_rng(1))
        each.backward(x.astype(each.dtype), estimators.get("exact"), np.random.default_rng(SEED))
    assert models[1].parameters.grads.dtype == np.float32
    assert_close_in_norm(models[1].parameters.grads, models[0].parameters.grads, 1e-4)


def test_bound_and_classes_agree_with_their_formulas(model, x):
    part = Images(x)
    bound = model.bound(part, np.random.default_rng(SEED))
    h, g, kl, _ = draw(model, x)
    reconstruction = (softmax(h, axis=1) * f_of_all(model, x, g)).sum(axis=1).mean()
    class_kl = np.mean([(q * np.log(q * CLASSES)).sum() for q in softmax(h, axis=1)])
    parts = [bound.reconstruction, bound.class_kl, bound.gaussian_kl]
    assert_close_in_norm(parts, [reconstruction, class_kl, kl.mean()])
    assert bound.test_elbo == pytest.approx(reconstruction - class_kl - kl.mean(), rel=1e-12)
    np.testing.assert_array_equal(model.classify(part), h.argmax(axis=1))


class Few:
    """Images with the methods of data.Part that the model uses."""

    def __init__(self, x):
        self.x = x

    def __len__(self):
        return len(self.x)

    def blocks(self, size, dtype):
        return (self.x[start:start + size].astype(dtype) for start in range(0, len(self.x), size))


def test_classes_and_averages_do_not_depend_on_blocks(model, x, monkeypatch):
    """With blocks of 4 and 2, the averages are over images, and each block draws the next noise."""
    monkeypatch.setattr(mixture, "BLOCK", 4)
    bound = model.bound(Few(x), np.random.default_rng(SEED))
    noise, totals = np.random.default_rng(SEED), np.zeros(3)
    for part in (x[:4], x[4:]):
        encoded = model.encode(part, noise)
        q = softmax(encoded.h[:, 0], axis=1)
        totals += ((q * f_of_all(model, part, encoded.g)).sum(), (q * np.log(q * CLASSES)).sum(),
                   gaussian_kl(encoded.mu, encoded.log_var)[0].sum())
    assert_close_in_norm([bound.reconstruction, bound.class_kl, bound.gaussian_kl], totals / BATCH)
    np.testing.assert_array_equal(model.classify(Few(x)), draw(model, x)[0].argmax(axis=1))


def test_scores_that_are_not_finite_are_rejected(model, x):
    model.decoder.layers[-1].b[0] = np.nan
    with pytest.raises(NotFinite, match="^f must be finite"):
        model.bound(Few(x), np.random.default_rng(SEED))


def test_gradient_of_g_is_the_weighted_sum_of_all_contributions(model, x, rng):
    """After several calls of accumulate(), dg is the weighted sum of their separate contributions."""
    g, z = rng.normal(size=(BATCH, D)), np.eye(CLASSES)[rng.integers(CLASSES, size=BATCH)][:, None]
    weights = softmax(rng.normal(size=(BATCH, CLASSES)), axis=1)
    passes = (lambda objective: objective.run(z), lambda objective: objective.joint_table().weighted(weights))
    alone = []
    for run in passes:
        objective = model.objective(x, g)
        run(objective).accumulate()
        alone.append(objective.inputs.dg.copy())
    objective = model.objective(x, g)
    for run, weight in ((passes[0], 2.0), (passes[1], -0.5), (passes[0], 0.25), (passes[1], 1.0)):
        run(objective).accumulate(weight)
    assert_close_in_norm(objective.inputs.dg, 2.25 * alone[0] + 0.5 * alone[1], 1e-12)


def test_table_without_logits_or_with_old_weights_rejects_accumulate(model, x, rng):
    weights, inputs = np.full((BATCH, CLASSES), 1 / CLASSES), ClassRow(CLASSES, rng.normal(size=(BATCH, D)))
    with_logits, without_logits = (OwnTable(model.decoder, inputs, x, keep) for keep in (True, False))
    assert_close_in_norm(without_logits.f, with_logits.f, 1e-14)
    with pytest.raises(ValueError, match="^this table was made without keep"):
        without_logits.weighted(weights).accumulate()
    with_logits.weighted(weights).accumulate()
    Adam(model.parameters).step()
    with pytest.raises(StalePass, match="make it again"):
        with_logits.weighted(weights).accumulate()


def test_defaults_are_kl_gradient_on_and_beta_one(model, x):
    grads = []
    for settings in ({}, {"kl_grad": True, "beta": 1.0}):
        model.parameters.zero_grads()
        model.backward(x, estimators.get("exact"), np.random.default_rng(SEED), **settings)
        grads.append(model.parameters.grads.copy())
    np.testing.assert_array_equal(*grads)
