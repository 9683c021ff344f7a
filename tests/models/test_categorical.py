"""The whole model: forward and backward against differences of its loss, bounds against plain loops."""
from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.special import expit, softmax

from refimpl import data, direct, estimators, exact, gumbel
from refimpl.estimators import Mixture, Point
from refimpl.models.categorical import CategoricalVAE
from refimpl.nn.gradcheck import gradcheck, worst
from tests.asserts import assert_relative, z_scores

K, HIDDEN, PIXELS, BATCH = 4, 7, 12, 6


@pytest.fixture
def model(rng):
    model = CategoricalVAE(K, HIDDEN, PIXELS, np.float64)
    model.initialise(rng)
    model.values *= 3                                       # away from the flat start
    return model


@pytest.fixture
def x(rng):
    return (rng.random((BATCH, PIXELS)) < 0.4).astype(float)


def expected_loss(model, x, objective, kl_grad):
    """-1/B sum_b (objective(h_b, f_b) - KL_b), objective one of the pure functions of h and f."""
    h, f = model.score_all(x)
    return -(objective(h, f) - (exact.kl(h) if kl_grad else 0)).mean()


@pytest.mark.parametrize("kl_grad", [True, False])
def test_exact_gradient_of_the_whole_model(model, x, rng, kl_grad):
    model.backward(x, estimators.get("exact"), rng, kl_grad)
    loss = lambda: expected_loss(model, x, exact.expectation, kl_grad)
    assert worst(gradcheck(loss, model.values, model.grads, rng)) < 1e-7
    other = lambda: expected_loss(model, x, exact.expectation, not kl_grad)
    assert worst(gradcheck(other, model.values, model.grads, rng)) > 1e-3      # the KL term is seen


def test_relaxed_gradient_of_the_whole_model(model, x, rng):
    seed, tau = 11, 0.6

    def loss():
        h = model.encoder.forward(x)[:, None, :].copy()
        z = softmax((h + gumbel.sample(h.shape, np.random.default_rng(seed))) / tau, axis=-1)
        return -(model.objective(x).score(z) - exact.kl(h[:, 0])).mean()

    model.backward(x, estimators.get("gumbel-softmax"), np.random.default_rng(seed), True, tau=tau)
    assert worst(gradcheck(loss, model.values, model.grads, rng)) < 1e-7


def test_direct_gradient_of_the_whole_model_is_that_of_the_tilted_objective_on_average(model, x, rng):
    eps, n = 0.5, 4_000
    samples = np.empty((n, model.encoder.n_parameters))
    for sample in range(n):
        model.backward(x, estimators.get("direct"), rng, True, eps=eps)
        samples[sample] = model.encoder_grads
    # The exact mean: the same backward pass, which is linear in grad_h, fed with the exact expectation.
    h, f = model.score_all(x)
    mean = estimators.Estimator("mean", lambda *_: estimators.Estimate(
        direct.expected_gradient(h, f, eps)[:, None], Mixture(softmax(h, axis=-1))), None, None, "")

    objective = model.objective(x)
    objective.table()
    model.objective = lambda _: objective
    model.backward(x, mean, rng, True)
    truth = model.encoder_grads.copy()
    loss = lambda: expected_loss(model, x, lambda h, f: direct.tilted_objective(h, f, eps), True)
    encoder_values = model.values[: model.encoder.n_parameters]
    assert worst(gradcheck(loss, encoder_values, truth, rng)) < 1e-7
    directions = rng.normal(size=(model.encoder.n_parameters, 10))
    assert np.abs(z_scores(samples @ directions, truth @ directions)).max() < 4


def test_direct_decoder_gradient_is_that_of_the_sampled_score(model, x, rng):
    """With the same noise: -1/B sum_b f(x_b, z*_b), differenced in the decoder's parameters."""
    seed = 4
    model.backward(x, estimators.get("direct"), np.random.default_rng(seed), True, eps=0.3)
    h = model.encoder.forward(x)[:, None, :].copy()
    z_star = gumbel.argmax(h, gumbel.sample(h.shape, np.random.default_rng(seed)))
    start = model.encoder.n_parameters
    loss = lambda: -np.take_along_axis(model.score_all(x)[1], z_star, axis=1).mean()
    assert worst(gradcheck(loss, model.values[start:], model.grads[start:], rng)) < 1e-7


def test_a_sampled_value_learns_the_same_through_the_table_and_through_its_own_pass(model, x, rng):
    z = np.eye(K)[rng.integers(K, size=BATCH)][:, None, :]
    decoder_grads = model.grads[model.encoder.n_parameters:]
    objective = model.objective(x)
    objective.table(z)
    objective.learn(Point(z))
    through_table = decoder_grads.copy()
    objective = model.objective(x)
    objective.learn(Point(z))
    assert np.allclose(decoder_grads, through_table, rtol=1e-12, atol=1e-14)
    decoder_grads[...] = 0
    objective.table()
    objective.learn(Mixture(z[:, 0]))
    assert np.allclose(decoder_grads, through_table, rtol=1e-12, atol=1e-14)


def test_a_later_pass_is_not_mistaken_for_the_one_that_was_scored(model, x, rng):
    """score_and_grad(z), then another pass, then learn(z): the gradient must still be that of z."""
    z = np.eye(K)[rng.integers(K, size=BATCH)][:, None, :]
    other = np.roll(z, 1, axis=-1)
    decoder_grads = model.grads[model.encoder.n_parameters:]
    objective = model.objective(x)
    objective.score_and_grad(z)
    objective.learn(Point(z))
    alone = decoder_grads.copy()
    for interfere in (lambda: objective.score_and_grad(other), objective.table, lambda: objective.table(other)):
        objective.score_and_grad(z)
        interfere()
        objective.learn(Point(z))
        assert np.allclose(decoder_grads, alone, rtol=1e-12, atol=1e-14)


def test_objective_scores(model, x, rng):
    objective = model.objective(x)
    table = objective.table()[:, 0]
    for value in range(K):
        z = np.tile(np.eye(K)[value], (BATCH, 1, 1))
        assert_relative(objective.score(z), table[:, value], 1e-12)
    z = softmax(rng.normal(size=(BATCH, 1, K)), axis=-1)
    _, df_dz = objective.score_and_grad(z)
    assert worst(gradcheck(lambda: objective.score(z).sum(), z, df_dz.copy(), rng)) < 1e-7


def test_bounds_by_plain_loops(model, x):
    class Images:                                           # like a data.Part, of 12 pixels
        def __len__(self):
            return BATCH

        def images(self, rows, dtype):
            return x[rows].astype(dtype)

    part = Images()
    bounds = model.bounds(part)
    pixels = expit(model.decode_all())                                       # (K, PIXELS)
    elbo = likelihood = 0.0
    for image in x:
        scores = model.encoder.forward(image[None])[0]
        q = [math.exp(s) / sum(math.exp(t) for t in scores) for s in scores]
        f = [sum(math.log(p if on else 1 - p) for p, on in zip(pixels[z], image)) for z in range(K)]
        elbo += sum(q[z] * (f[z] - math.log(q[z] * K)) for z in range(K)) / BATCH
        likelihood += math.log(sum(math.exp(f[z]) / K for z in range(K))) / BATCH
    assert bounds.elbo == pytest.approx(elbo, rel=1e-12)
    assert bounds.log_likelihood == pytest.approx(likelihood, rel=1e-12)
    assert bounds.gap == pytest.approx(likelihood - elbo, rel=1e-9)
    assert model.bounds(part, block=4) == pytest.approx(bounds, rel=1e-12)


def test_float32_bounds_agree_with_float64(rng):
    """The bound is reported to two decimals: float32 training may not cost the second."""
    part = data.load("mnist", limit=500).test
    bounds = []
    for dtype in (np.float32, np.float64):
        model = CategoricalVAE(10, dtype=dtype)
        model.initialise(np.random.default_rng(0))
        model.values *= 2
        bounds.append(model.bounds(part))
    assert np.abs(np.subtract(*bounds)).max() < 2e-3


def test_same_seed_same_model():
    one, two = CategoricalVAE(5), CategoricalVAE(5)
    one.initialise(np.random.default_rng(8))
    two.initialise(np.random.default_rng(8))
    assert (one.values == two.values).all() and one.values.dtype == np.float32
    with pytest.raises(ValueError, match="^k must"):
        CategoricalVAE(1)
