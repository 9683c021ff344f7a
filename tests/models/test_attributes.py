"""The mixture model with several variables: its gradients against differences, and the case of one class."""
from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy.special import log_softmax, softmax

from refimpl import data, estimators, gumbel, joint
from refimpl.estimators import Estimate, Estimator, binary, label_terms
from refimpl.models.mixture import MixtureVAE
from refimpl.nn.adam import Adam
from refimpl.nn.gradcheck import gradcheck, worst
from refimpl.nn.losses import categorical_kl, gaussian_kl
from tests.asserts import assert_close_in_norm, z_scores
from tests.models.images import Images
from tests.models.ten_classes import OneClass

D, PIXELS, BATCH, SEED = 3, 14, 6, 5
SIZES = [(3, 2), (2, 3)]


def new_model(n, k, hidden=(6, 8), seed=1):
    model = MixtureVAE(D, hidden, PIXELS, (8, 7), 5, k, np.float64, n)
    model.initialise(np.random.default_rng(seed))
    model.parameters.values *= 2.5                                     # away from the almost constant initial model
    return model


@pytest.fixture(params=list(itertools.product(SIZES, [(9,), (6, 8), (5, 6, 7)])), ids=str)
def model(request):
    (n, k), hidden = request.param
    return new_model(n, k, hidden)


@pytest.fixture
def x(rng):
    return (rng.random((BATCH, PIXELS)) < 0.4).astype(float)


def every(model):
    """Return all joint values (K, n); the first variable changes slowest."""
    return np.array(list(itertools.product(range(model.k), repeat=model.n)))


def draw(model, x, seed=SEED):
    """Return h (B, n, k), g, the Gaussian KL, and the generator in its state after the model has drawn g."""
    rng = np.random.default_rng(seed)
    e = model.trunk.forward(x)
    mu, log_var = np.split(model.gaussian_head.forward(e), 2, axis=1)
    xi = rng.standard_normal(mu.shape, dtype=np.float32).astype(float)
    h = model.class_head.forward(e).reshape(len(x), model.n, model.k)
    return h, mu + np.exp(log_var / 2) * xi, gaussian_kl(mu, log_var)[0], rng


def f_at(model, x, g, values):
    """Return f (B,) of one joint value (n,) for all images, with one-hot vectors and g as the decoder's input."""
    one_hots = np.concatenate([np.eye(model.k)[value] for value in values])
    a = model.decoder.forward(np.concatenate([np.tile(one_hots, (len(x), 1)), g], axis=1))
    return (x * a - np.logaddexp(0, a)).sum(axis=1)


def f_of_all(model, x, g):
    return np.stack([f_at(model, x, g, values) for values in every(model)], axis=1)


def joint_q(h):
    """Return q (B, K): for each joint value a product of n factors."""
    q = softmax(h, axis=-1)
    values = itertools.product(range(h.shape[2]), repeat=h.shape[1])
    return np.stack([np.prod([q[:, i, c] for i, c in enumerate(each)], axis=0) for each in values], axis=1)


def test_tables_agree_with_single_joint_values(model, x, rng):
    g, values = rng.normal(size=(BATCH, D)), rng.integers(model.k, size=(BATCH, model.n))
    objective, truth, z = model.objective(x, g), f_of_all(model, x, g), np.eye(model.k)[values]
    assert_close_in_norm(objective.joint_table().f, truth)
    assert objective.evaluations == model.k ** model.n
    table, index = objective.table(z), joint.index(z)
    assert objective.evaluations == model.k ** model.n + 1 + model.n * (model.k - 1)
    assert_close_in_norm(objective.run(z).f, truth[np.arange(BATCH), index])
    assert_close_in_norm(table.at_z.f, truth[np.arange(BATCH), index])
    for i, c in itertools.product(range(model.n), range(model.k)):
        changed = values.copy()
        changed[:, i] = c
        assert_close_in_norm(table.f[:, i, c], truth[np.arange(BATCH), joint.index(np.eye(model.k)[changed])])
    decoded = model.decode(g)
    assert_close_in_norm((x[:, None] * decoded - np.logaddexp(0, decoded)).sum(axis=-1), truth)


@pytest.mark.parametrize("kl_grad, beta", [(True, 1.0), (False, 4.0)])
def test_exact_gradient_of_the_whole_model_agrees_with_differences(model, x, rng, kl_grad, beta):
    def loss(kl_grad=kl_grad, beta=beta):
        h, g, kl, _ = draw(model, x)
        expected = (joint_q(h) * f_of_all(model, x, g)).sum(axis=1)
        return (-expected + kl_grad * categorical_kl(h)[0].sum(axis=1) + beta * kl).mean()

    model.backward(x, estimators.get("exact"), np.random.default_rng(SEED), kl_grad, beta)
    values, grads = model.parameters.values, model.parameters.grads
    assert worst(gradcheck(loss, values, grads, rng)) < 1e-7
    assert worst(gradcheck(lambda: loss(not kl_grad), values, grads, rng)) > 1e-3          # each term matters
    assert worst(gradcheck(lambda: loss(beta=beta + 1), values, grads, rng)) > 1e-3


def test_relaxed_gradient_of_the_whole_model_agrees_with_differences(model, x, rng):
    tau = 0.6

    def loss():
        h, g, kl, noise = draw(model, x)
        z = softmax((h + gumbel.sample(h.shape, noise)) / tau, axis=-1)
        a = model.decoder.forward(np.concatenate([z.reshape(BATCH, -1), g], axis=1))
        f = (x * a - np.logaddexp(0, a)).sum(axis=1)
        return (-f + categorical_kl(h)[0].sum(axis=1) + kl).mean()

    model.backward(x, estimators.get("gumbel-softmax"), np.random.default_rng(SEED), tau=tau)
    assert worst(gradcheck(loss, model.parameters.values, model.parameters.grads, rng)) < 1e-7


def test_decoder_and_gaussian_get_the_same_gradient_from_a_pass_and_from_a_table(model, x, rng):
    z = np.eye(model.k)[rng.integers(model.k, size=(BATCH, model.n))]
    weights = np.eye(model.k ** model.n)[joint.index(z)]
    point = lambda objective: objective.run(z)
    mixture = lambda objective: objective.joint_table().weighted(weights)
    grads = []
    for way in (point, mixture, lambda objective: objective.table(z).at_z):
        fixed = Estimator("fixed", lambda h, objective, rng: Estimate(np.zeros_like(h), way(objective)), "", False)
        model.parameters.zero_grads()
        model.backward(x, fixed, np.random.default_rng(SEED), kl_grad=False)
        grads.append(model.parameters.grads.copy())
    assert np.abs(grads[0]).max() > 1e-3
    for other in grads[1:]:
        assert_close_in_norm(other, grads[0])


@pytest.mark.parametrize("weight, image_weight, beta", [(1.0, 1.0, 1.0), (3.0, 0.2, 2.0)])
def test_labelled_gradient_of_the_whole_model_agrees_with_differences(model, x, rng, weight, image_weight, beta):
    labels = rng.integers(model.k ** model.n, size=BATCH)

    def loss(weight=weight):
        h, g, kl, _ = draw(model, x)
        f, log_q = f_of_all(model, x, g)[np.arange(BATCH), labels], 0.0
        for i, c in enumerate(every(model)[labels].T):                      # one term for each attribute
            log_q = log_q + log_softmax(h[:, i], axis=1)[np.arange(BATCH), c]
        return (image_weight * (-f + beta * kl) - weight * log_q).mean()

    model.backward_labelled(x, labels, label_terms.cross_entropy, 1.0, weight, np.random.default_rng(SEED),
                            image_weight, beta)
    assert worst(gradcheck(loss, model.parameters.values, model.parameters.grads, rng)) < 1e-7
    assert worst(gradcheck(lambda: loss(weight + 1), model.parameters.values, model.parameters.grads, rng)) > 1e-3


def test_bound_and_labels_agree_with_the_joint_law(model, x):
    bound = model.bound(Images(x), np.random.default_rng(SEED))
    h, g, kl, _ = draw(model, x)
    reconstruction = (joint_q(h) * f_of_all(model, x, g)).sum(axis=1).mean()
    q = joint_q(h)
    class_kl = (q * np.log(q * q.shape[1])).sum(axis=1).mean()              # between the joint law and the uniform law
    assert_close_in_norm(bound, [reconstruction - class_kl - kl.mean(), reconstruction, class_kl, kl.mean()])
    np.testing.assert_array_equal(model.classify(Images(x)), q.argmax(axis=1))


@pytest.mark.parametrize("name", ["direct", "direct-joint"])
def test_gradient_of_direct_is_the_difference_of_two_arg_maxes_of_the_attributes(x, name):
    """Coordinate-wise direct uses f of single changes of z*; direct-joint uses f of all joint values."""
    model, eps, estimates = new_model(3, 2), 3.0, []
    entry = estimators.get(name)

    def watch(*arguments, **keywords):
        estimates.append(entry.estimate(*arguments, **keywords))
        return estimates[-1]

    model.backward(x, Estimator(name, watch, "", False), np.random.default_rng(SEED), False, eps=eps)
    h, g, _, noise = draw(model, x)
    scores, f, changed_pairs = h + gumbel.sample(h.shape, noise), f_of_all(model, x, g), 0
    for b in range(BATCH):
        z_star = scores[b].argmax(axis=1)
        if name == "direct":
            z_eps = []
            for i in range(3):
                changed = [tuple(c if j == i else z_star[j] for j in range(3)) for c in range(2)]
                z_eps.append(np.argmax([eps * f[b, 4 * z[0] + 2 * z[1] + z[2]] + scores[b, i, z[i]] for z in changed]))
        else:
            total = [eps * f[b, place] + scores[b, np.arange(3), z].sum() for place, z in enumerate(every(model))]
            z_eps = every(model)[int(np.argmax(total))]
        np.testing.assert_array_equal(estimates[0].grad[b], (np.eye(2)[z_eps] - np.eye(2)[z_star]) / eps)
        np.testing.assert_array_equal(estimates[0].decoder_term.z[b], np.eye(2)[z_star])
        changed_pairs += int((np.array(z_eps) != z_star).any())
    assert changed_pairs > 1


@pytest.mark.parametrize("name, keywords", [("local-expectation", {}), ("reinforce-loo", {}), ("rebar", {"tau": 0.7})])
def test_mean_of_unbiased_estimators_is_the_exact_gradient(name, keywords, rng):
    """The gradient with respect to the scores, for a fixed g, is the mean of 4,000 draws for each of six images."""
    model = new_model(3, 2)
    x, draws = (rng.random((BATCH, PIXELS)) < 0.4).astype(float), 4_000
    h, g, _, _ = draw(model, x)
    entry = estimators.get(name)
    if entry.memory:
        keywords = {**keywords, "memory": entry.memory(3, 2)}
    expected = joint.gradient(h, f_of_all(model, x, g))
    repeated = [np.repeat(array, draws, axis=0) for array in (x, g, h)]
    grad, _ = entry.estimate(repeated[2], model.objective(*repeated[:2]), rng, **keywords)
    z = [z_scores(grad[b * draws:(b + 1) * draws].reshape(draws, -1)[:, ::2], expected[b].reshape(-1)[::2])
         for b in range(BATCH)]
    assert np.abs(z).max() < 4.5


def test_float32_gradient_agrees_with_float64(x):
    models = [MixtureVAE(D, (6, 8), PIXELS, (8, 7), 5, 2, dtype, 3) for dtype in (np.float64, np.float32)]
    for each in models:
        each.initialise(np.random.default_rng(1))
        each.backward(x.astype(each.dtype), estimators.get("exact"), np.random.default_rng(SEED))
        each.backward_labelled(x.astype(each.dtype), np.arange(BATCH), label_terms.cross_entropy, 1.0, 1.0,
                               np.random.default_rng(SEED))
    assert models[1].parameters.grads.dtype == np.float32
    assert_close_in_norm(models[1].parameters.grads, models[0].parameters.grads, 1e-4)


def test_labels_that_are_not_joint_values_are_rejected(x):
    model = new_model(3, 2)
    for labels in (np.full(BATCH, 8), np.full(BATCH, -1)):
        with pytest.raises(ValueError, match="^labels must"):
            model.backward_labelled(x, labels, label_terms.cross_entropy, 1.0, 1.0, np.random.default_rng(SEED))


# --- one class, against the reference for n = 1 -----------------------------------------------------------------------

EVERY = [(name, dict(entry.defaults)) for name, entry in estimators.REGISTRY.items()
         if entry.serves is not binary]


@pytest.mark.parametrize("name, keywords", EVERY)
def test_model_with_one_class_equals_the_reference_to_the_bit(name, keywords):
    """Compare six training steps in float32, each with a labelled batch."""
    part, entry, models = data.load("mnist", limit=64).train, estimators.get(name), []
    for kind in (MixtureVAE, OneClass):
        rng = np.random.default_rng(SEED)
        model = kind(5, (20, 30), trunk=(40, 20), head=10)
        model.initialise(rng)
        adam, memory = Adam(model.parameters, 2e-3), entry.memory(1, 10) if entry.memory else None
        more = keywords | ({"memory": memory} if memory else {})
        for step, (term, eps) in enumerate(itertools.product(
                (label_terms.cross_entropy, label_terms.released, label_terms.direct_loss), (0.7, 0.9))):
            rows = slice(10 * step, 10 * step + 10)
            model.parameters.zero_grads()
            model.backward(part.images(rows), entry, rng, step != 2, 1.5, **more)
            model.backward_labelled(part.images(rows), part.labels[rows].astype(np.intp), term, eps, 3.0, rng, 0.3, 1.5)
            adam.step()
        models.append(model)
    general, reference = models
    np.testing.assert_array_equal(general.parameters.values, reference.parameters.values)
    assert tuple(general.bound(part, np.random.default_rng(2))) == reference.bound(part, np.random.default_rng(2))
    np.testing.assert_array_equal(general.classify(part), reference.classify(part))
    g = np.random.default_rng(3).standard_normal((4, 5), dtype=np.float32)
    np.testing.assert_array_equal(general.decode(g), reference.decode(g))
