"""The mixture model: its whole backward pass against differences of its loss, its table against one class at a time."""
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
    model.parameters.values *= 2.5                                     # away from the flat start
    return model


@pytest.fixture
def x(rng):
    return (rng.random((BATCH, PIXELS)) < 0.4).astype(float)


def draw(model, x, seed=SEED):
    """(h, g, KL of the Gaussian, generator as the model leaves it after drawing g)."""
    rng = np.random.default_rng(seed)
    e = model.trunk.forward(x)
    mu, log_var = np.split(model.gaussian_head.forward(e), 2, axis=1)
    xi = rng.standard_normal(mu.shape, dtype=np.float32).astype(float)
    return model.class_head.forward(e), mu + np.exp(log_var / 2) * xi, gaussian_kl(mu, log_var)[0], rng


def f_of_all(model, x, g):
    """(B, classes), one class after the other through the plain decoder."""
    columns = []
    for c in range(CLASSES):
        inputs = np.zeros((len(x), CLASSES, D))
        inputs[:, c] = g                                    # the matrix of slide 33: zero but for the row of the class
        a = model.decoder.forward(inputs.reshape(len(x), -1))
        columns.append((x * a - np.logaddexp(0, a)).sum(axis=1))
    return np.stack(columns, axis=1)


def test_table_is_one_class_at_a_time(model, x, rng):
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
def test_exact_gradient_of_the_whole_model(model, x, rng, kl_grad, beta):
    def loss(kl_grad=kl_grad, beta=beta):
        h, g, kl, _ = draw(model, x)
        expected = (softmax(h, axis=1) * f_of_all(model, x, g)).sum(axis=1)
        return (-expected + kl_grad * categorical_kl(h)[0] + beta * kl).mean()

    model.backward(x, estimators.get("exact"), np.random.default_rng(SEED), kl_grad, beta)
    assert worst(gradcheck(loss, model.parameters.values, model.parameters.grads, rng)) < 1e-7
    other, more = lambda: loss(not kl_grad), lambda: loss(beta=beta + 1)        # each term is seen
    assert worst(gradcheck(other, model.parameters.values, model.parameters.grads, rng)) > 1e-3
    assert worst(gradcheck(more, model.parameters.values, model.parameters.grads, rng)) > 1e-3


def test_relaxed_gradient_of_the_whole_model(model, x, rng):
    tau = 0.6

    def loss():
        h, g, kl, noise = draw(model, x)
        z = softmax((h[:, None] + gumbel.sample((BATCH, 1, CLASSES), noise)) / tau, axis=-1)
        return (-model.objective(x, g).run(z).f + categorical_kl(h)[0] + kl).mean()

    model.backward(x, estimators.get("gumbel-softmax"), np.random.default_rng(SEED), tau=tau)
    assert worst(gradcheck(loss, model.parameters.values, model.parameters.grads, rng)) < 1e-7


def test_gradient_at_a_sampled_class(model, x, rng):
    """What direct leaves to the decoder and the Gaussian: the gradient at z*, which they do not move."""
    z = np.eye(CLASSES)[rng.integers(CLASSES, size=BATCH)][:, None]
    fixed = Estimator("fixed", lambda h, objective, rng: Estimate(np.zeros_like(h), objective.run(z)), "", False)

    def loss():
        _, g, kl, _ = draw(model, x)
        return (-model.objective(x, g).run(z).f + kl).mean()

    model.backward(x, fixed, np.random.default_rng(SEED), kl_grad=False)
    at_point = model.parameters.grads.copy()
    assert worst(gradcheck(loss, model.parameters.values, model.parameters.grads, rng)) < 1e-7
    weights = z[:, 0]                                                       # the same, as a mixture with one weight 1
    fixed = Estimator("fixed", lambda h, objective, rng: Estimate(
        np.zeros_like(h), objective.joint_table().weighted(weights)), "", False)
    model.parameters.zero_grads()
    model.backward(x, fixed, np.random.default_rng(SEED), kl_grad=False)
    assert_close_in_norm(model.parameters.grads, at_point)


def test_direct_moves_the_class_by_the_pair_of_arg_maxes(model, x):
    eps, seen = 5.0, []
    estimator = estimators.get("direct")

    def watch(h, *rest, **more):
        seen.append((h.copy(), estimator.estimate(h, *rest, **more)))
        return seen[-1][1]

    watched = Estimator("direct", watch, "", False)
    model.backward(x, watched, np.random.default_rng(SEED), False, eps=eps)
    h, g, _, noise = draw(model, x)
    gamma = gumbel.sample((BATCH, 1, CLASSES), noise)[:, 0]
    z_star, z_eps = (h + gamma).argmax(axis=1), (eps * f_of_all(model, x, g) + h + gamma).argmax(axis=1)
    assert (z_star != z_eps).any()
    np.testing.assert_array_equal(seen[0][1].grad[:, 0], (np.eye(CLASSES)[z_eps] - np.eye(CLASSES)[z_star]) / eps)
    np.testing.assert_array_equal(seen[0][1].decoder_term.z[:, 0], np.eye(CLASSES)[z_star])


@pytest.mark.parametrize("weight, image_weight, beta", [(1.0, 1.0, 1.0), (3.0, 0.2, 2.0), (2.0, 0.0, 1.0)])
def test_labelled_gradient_of_the_whole_model(model, x, rng, weight, image_weight, beta):
    labels = rng.integers(CLASSES, size=BATCH)

    def loss(weight=weight):
        h, g, kl, _ = draw(model, x)
        at_label = np.arange(BATCH), labels
        taught = image_weight * (-f_of_all(model, x, g)[at_label] + beta * kl)
        return (taught - weight * log_softmax(h, axis=1)[at_label]).mean()

    model.backward_labelled(x, labels, labelled.cross_entropy, 1.0, weight, np.random.default_rng(SEED),
                            image_weight, beta)
    assert worst(gradcheck(loss, model.parameters.values, model.parameters.grads, rng)) < 1e-7
    assert worst(gradcheck(lambda: loss(weight + 1), model.parameters.values, model.parameters.grads, rng)) > 1e-3


def test_float32_follows_float64(x):
    models = [MixtureVAE(D, (6, 8), PIXELS, (8, 7), 5, CLASSES, dtype) for dtype in (np.float64, np.float32)]
    for made in models:
        made.initialise(np.random.default_rng(1))
        made.backward(x.astype(made.dtype), estimators.get("exact"), np.random.default_rng(SEED))
    assert models[1].parameters.grads.dtype == np.float32
    assert_close_in_norm(models[1].parameters.grads, models[0].parameters.grads, 1e-4)


def test_bound_and_classes_image_by_image(model, x):
    part = Images(x)
    bound = model.bound(part, np.random.default_rng(SEED))
    h, g, kl, _ = draw(model, x)
    reconstruction = (softmax(h, axis=1) * f_of_all(model, x, g)).sum(axis=1).mean()
    class_kl = np.mean([(q * np.log(q * CLASSES)).sum() for q in softmax(h, axis=1)])
    found = [bound.reconstruction, bound.class_kl, bound.gaussian_kl]
    assert_close_in_norm(found, [reconstruction, class_kl, kl.mean()])
    assert bound.test_elbo == pytest.approx(reconstruction - class_kl - kl.mean(), rel=1e-12)
    np.testing.assert_array_equal(model.classify(part), h.argmax(axis=1))


class Few:
    """Images as a data.Part gives them."""

    def __init__(self, x):
        self.x = x

    def __len__(self):
        return len(self.x)

    def blocks(self, size, dtype):
        return (self.x[start:start + size].astype(dtype) for start in range(0, len(self.x), size))


def test_blocks_change_neither_classes_nor_averages(model, x, monkeypatch):
    """Blocks of 4 and 2: averages over images, not over blocks, each block with the noise that comes next."""
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


def test_scores_that_are_no_number_are_refused(model, x):
    model.decoder.layers[-1].b[0] = np.nan
    with pytest.raises(NotFinite, match="^f must be finite"):
        model.bound(Few(x), np.random.default_rng(SEED))


def test_what_feeds_the_gaussian_adds_up_with_its_weights(model, x, rng):
    """A point and the whole table learn in turn: dg is the weighted sum of what each alone leaves there."""
    g, z = rng.normal(size=(BATCH, D)), np.eye(CLASSES)[rng.integers(CLASSES, size=BATCH)][:, None]
    weights = softmax(rng.normal(size=(BATCH, CLASSES)), axis=1)
    ways = (lambda objective: objective.run(z), lambda objective: objective.joint_table().weighted(weights))
    alone = []
    for way in ways:
        objective = model.objective(x, g)
        way(objective).accumulate()
        alone.append(objective.inputs.dg.copy())
    objective = model.objective(x, g)
    for way, weight in ((ways[0], 2.0), (ways[1], -0.5), (ways[0], 0.25), (ways[1], 1.0)):
        way(objective).accumulate(weight)
    assert_close_in_norm(objective.inputs.dg, 2.25 * alone[0] + 0.5 * alone[1], 1e-12)


def test_a_table_without_its_logits_or_of_old_weights_does_not_learn(model, x, rng):
    weights, inputs = np.full((BATCH, CLASSES), 1 / CLASSES), ClassRow(CLASSES, rng.normal(size=(BATCH, D)))
    kept, lost = (OwnTable(model.decoder, inputs, x, keep) for keep in (True, False))
    assert_close_in_norm(lost.f, kept.f, 1e-14)
    with pytest.raises(ValueError, match="^this table was made without keep"):
        lost.weighted(weights).accumulate()
    kept.weighted(weights).accumulate()
    Adam(model.parameters).step()
    with pytest.raises(StalePass, match="make it again"):
        kept.weighted(weights).accumulate()


def test_the_kl_gradient_is_on_and_beta_is_one_unless_told_otherwise(model, x):
    grads = []
    for settings in ({}, {"kl_grad": True, "beta": 1.0}):
        model.parameters.zero_grads()
        model.backward(x, estimators.get("exact"), np.random.default_rng(SEED), **settings)
        grads.append(model.parameters.grads.copy())
    np.testing.assert_array_equal(*grads)
