"""The whole model: forward and backward against differences of its loss, bounds against plain loops."""
from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import softmax

from refimpl import data, direct, estimators, exact, gumbel, joint
from refimpl.estimators import Mixture, Point
from refimpl.models.vae import VAE
from refimpl.nn.gradcheck import gradcheck, worst
from tests.asserts import assert_relative, z_scores

K, HIDDEN, PIXELS, BATCH = 4, 7, 12, 6


@pytest.fixture
def model(rng):
    model = DiscreteVAE(K, 1, HIDDEN, PIXELS, np.float64)
    model.initialise(rng)
    model.values *= 3                                       # away from the flat start
    return model


@pytest.fixture
def x(rng):
    return (rng.random((BATCH, PIXELS)) < 0.4).astype(float)


def expected_loss(model, x, objective, kl_grad):
    """-1/B sum_b (objective(h_b, f_b) - KL_b), objective one of the pure functions of h and f."""
    h, f = model.score_all(x)
    return -(objective(h[:, 0], f) - (exact.kl(h[:, 0]) if kl_grad else 0)).mean()


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
        h = model.encode(x).copy()
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
        direct.expected_gradient(h, f[:, None], eps), Mixture(softmax(h[:, 0], axis=-1))), "", False)

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
    h = model.encode(x).copy()
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
    """Any two passes, then learn: the gradient must still be that of the latent, with as many images as values too."""
    x, model_k = x[:K], K                                   # B = K: shapes give nothing away
    z = np.eye(K)[rng.integers(model_k, size=K)][:, None, :]
    other = np.roll(z, 1, axis=-1)
    decoder_grads = model.grads[model.encoder.n_parameters:]
    objective = model.objective(x)
    objective.score_and_grad(z)
    objective.learn(Point(z))
    alone = decoder_grads.copy()
    passes = (lambda: objective.score_and_grad(other), lambda: objective.score(other), objective.table,
              lambda: objective.table(other), lambda: objective.table(z), lambda: objective.score(z))
    for first in passes:
        for second in passes:
            first()
            second()
            for latent in (Point(z), Mixture(z[:, 0])):
                decoder_grads[...] = 0
                objective.learn(latent)
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


def test_float32_bounds_agree_with_float64(rng):
    """The bound is reported to two decimals: float32 training may not cost the second."""
    part = data.load("mnist", limit=500).test
    bounds = []
    for dtype in (np.float32, np.float64):
        model = DiscreteVAE(10, dtype=dtype)
        model.initialise(np.random.default_rng(0))
        model.values *= 2
        bounds.append(model.bounds(part))
    assert np.abs(np.subtract(*bounds)).max() < 2e-3


def test_same_seed_same_model():
    one, two = DiscreteVAE(5), DiscreteVAE(5)
    one.initialise(np.random.default_rng(8))
    two.initialise(np.random.default_rng(8))
    assert (one.values == two.values).all() and one.values.dtype == np.float32
    with pytest.raises(ValueError, match="^k must"):
        DiscreteVAE(1)


# --- several variables ---------------------------------------------------------------------------------------------------

@pytest.fixture
def several(rng):
    model = DiscreteVAE(3, 2, HIDDEN, PIXELS, np.float64)
    model.initialise(rng)
    model.values *= 3
    return model


def test_exact_gradient_with_several_variables(several, x, rng):
    several.backward(x, estimators.get("exact"), rng, True)

    def loss():
        h, f = several.score_all(x)
        return -(joint.expectation(h, f) - exact.kl(h).sum(axis=1)).mean()

    assert worst(gradcheck(loss, several.values, several.grads, rng)) < 1e-7


def test_table_with_several_variables_is_one_score_at_a_time(several, x, rng):
    z = np.eye(3)[rng.integers(3, size=(BATCH, 2))]
    objective = several.objective(x)
    table = objective.table(z)
    assert objective.evaluations == 1 + 2 * 2
    joint_table = objective.joint_table()
    for i in range(2):
        for c in range(3):
            changed = z.copy()
            changed[:, i] = np.eye(3)[c]
            assert_relative(table[:, i, c], objective.score(changed), 1e-11)
            assert_relative(table[:, i, c], joint_table[np.arange(BATCH), joint.index(changed)], 1e-11)
    with pytest.raises(ValueError, match="^table needs z"):
        objective.table()


def test_fast_table_in_float32(rng):
    """n = 15, 784 pixels, blocks and all: against float64, one decoder output at a time."""
    models = [DiscreteVAE(2, 15, 40, 784, dtype) for dtype in (np.float32, np.float64)]
    models[0].initialise(rng)
    models[0].values *= 2
    models[1].values[...] = models[0].values
    x = (rng.random((30, 784)) < 0.3).astype(np.float32)
    z = np.eye(2)[rng.integers(2, size=(30, 15))]
    fast = models[0].objective(x).table(z)
    slow = models[1].objective(x.astype(float))
    for i in range(15):
        changed = z.copy()
        changed[:, i] = 1 - changed[:, i]
        values = changed[:, i].argmax(axis=-1)
        assert np.abs(fast[np.arange(30), i, values] - slow.score(changed)).max() < 2e-3
    assert models[0].objective(x).table(z).dtype == np.float32


@pytest.mark.parametrize("name", ["direct", "two-sided", "direct-joint", "local-expectation", "reinforce", "reinforce-loo",
                                  "rebar", "relax", "reinmax", "gumbel-softmax", "straight-through-gumbel-softmax"])
def test_decoder_gradient_with_several_variables_is_that_of_the_latent(several, x, rng, name):
    """Whatever the estimator passed through the decoder, what is left in the layers is the gradient at its latent."""
    entry = estimators.get(name)
    keywords = {entry.setting: 0.5} if entry.setting else {}
    if entry.memory:
        keywords["memory"] = entry.memory(2, 3)
    latents = []

    def spy(*arguments, **more):
        estimate = entry.estimate(*arguments, **more)
        latents.append(estimate.latent)
        return estimate

    several.backward(x, replace(entry, estimate=spy), rng, True, **keywords)
    start = several.encoder.n_parameters
    loss = lambda: -several.objective(x).score(latents[0].z).mean()
    assert worst(gradcheck(loss, several.values[start:], several.grads[start:], rng)) < 1e-7


def test_sampled_elbo_is_unbiased(several, rng):
    images = (rng.random((5, PIXELS)) < 0.4).astype(float)

    class Images:
        def __len__(self):
            return 5

        def images(self, rows, dtype):
            return images[rows].astype(dtype)

    truth = several.bounds(Images()).elbo
    draws = np.array([several.sampled_elbo(Images(), rng) for _ in range(3_000)])
    assert abs(draws.mean() - truth) < 4 * draws.std() / np.sqrt(len(draws))
