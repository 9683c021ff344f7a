"""The whole model: forward and backward against differences of its loss, bounds against plain loops."""
from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import softmax

from refimpl import data, direct, estimators, exact, gumbel, joint
from refimpl.arguments import NotFinite
from refimpl.estimators import Estimate, Estimator, every_family
from refimpl.latent import solvers
from refimpl.latent.independent import Independent
from refimpl.latent.pairwise import Pairwise
from refimpl.latent.solvers import enumeration
from refimpl.models.vae import VAE
from refimpl.nn.adam import Adam
from refimpl.nn.gradcheck import gradcheck, worst
from refimpl.nn.parameters import StalePass
from tests.asserts import assert_relative, z_scores
from tests.models.images import Images

K, HIDDEN, PIXELS, BATCH = 4, 7, 12, 6


@pytest.fixture
def model(rng):
    model = VAE(Independent(1, K), HIDDEN, PIXELS, np.float64)
    model.initialise(rng)
    model.parameters.values *= 3                                       # away from the flat start
    return model


@pytest.fixture
def x(rng):
    return (rng.random((BATCH, PIXELS)) < 0.4).astype(float)


def expected_loss(model, x, objective, kl_weight):
    """-1/B sum_b (objective(h_b, f_b) - kl_weight KL_b), objective one of the pure functions of h and f."""
    h, f = model.score_all(x)
    return -(objective(h[:, 0], f) - kl_weight * exact.kl(h[:, 0])).mean()


@pytest.mark.parametrize("kl_grad", [True, False])
def test_exact_gradient_of_the_whole_model(model, x, rng, kl_grad):
    model.backward(x, estimators.get("exact"), rng, kl_grad)
    loss = lambda: expected_loss(model, x, exact.expectation, kl_grad)
    assert worst(gradcheck(loss, model.parameters.values, model.parameters.grads, rng)) < 1e-7
    other = lambda: expected_loss(model, x, exact.expectation, not kl_grad)
    assert worst(gradcheck(other, model.parameters.values, model.parameters.grads, rng)) > 1e-3     # the KL is seen


def test_the_kl_term_enters_with_its_weight(model, x, rng):
    model.backward(x, estimators.get("exact"), rng, True, 0.3)
    loss = lambda weight: lambda: expected_loss(model, x, exact.expectation, weight)
    errors = [worst(gradcheck(loss(weight), model.parameters.values, model.parameters.grads, rng))
              for weight in (0.3, 0.0, 1.0)]
    assert errors[0] < 1e-7 and min(errors[1:]) > 1e-3
    with pytest.raises(ValueError, match="^kl_weight must be"):
        model.backward(x, estimators.get("exact"), rng, True, -0.1)


def test_relaxed_gradient_of_the_whole_model(model, x, rng):
    seed, tau = 11, 0.6

    def loss():
        h = model.encode(x)
        z = softmax((h + gumbel.sample(h.shape, np.random.default_rng(seed))) / tau, axis=-1)
        return -(model.objective(x).run(z).f - exact.kl(h[:, 0])).mean()

    model.backward(x, estimators.get("gumbel-softmax"), np.random.default_rng(seed), True, tau=tau)
    assert worst(gradcheck(loss, model.parameters.values, model.parameters.grads, rng)) < 1e-7


def test_direct_gradient_of_the_whole_model_is_that_of_the_tilted_objective_on_average(model, x, rng):
    eps, n = 0.5, 4_000
    samples = np.empty((n, model.encoder.n_parameters))
    for sample in range(n):
        model.parameters.zero_grads()
        model.backward(x, estimators.get("direct"), rng, True, eps=eps)
        samples[sample] = model.encoder_grads
    # The exact mean: the same backward pass, which is linear in grad_h, fed with the exact expectation.
    h, f = model.score_all(x)
    mean = Estimator("mean", lambda h, objective, rng: Estimate(
        direct.expected_gradient(h, f[:, None], eps),
        objective.joint_table().weighted(softmax(h[:, 0], axis=-1))), "", False)
    model.parameters.zero_grads()
    model.backward(x, mean, rng, True)
    truth = model.encoder_grads.copy()
    loss = lambda: expected_loss(model, x, lambda h, f: direct.tilted_objective(h, f, eps), True)
    encoder_values = model.parameters.values[: model.encoder.n_parameters]
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
    assert worst(gradcheck(loss, model.parameters.values[start:], model.parameters.grads[start:], rng)) < 1e-7


def learnt(model, learn) -> np.ndarray:
    """The decoder's gradients after zero_grads() and learn()."""
    model.parameters.zero_grads()
    learn()
    return model.parameters.grads[model.encoder.n_parameters:].copy()


def one_hots(rng, batch=BATCH, n=1, k=K):
    return np.eye(k)[rng.integers(k, size=(batch, n))]


def test_a_sampled_value_learns_the_same_through_the_table_and_through_its_own_pass(model, x, rng):
    z = one_hots(rng)
    own = learnt(model, lambda: model.objective(x).run(z).accumulate())
    for decoder_term in (model.objective(x).table(z).at_z, model.objective(x).joint_table().weighted(z[:, 0])):
        assert np.allclose(learnt(model, decoder_term.accumulate), own, rtol=1e-12, atol=1e-14)
    assert (model.objective(x).table(z).at_z.z == z).all()


def test_what_is_asked_later_changes_no_earlier_pass(model, x, rng):
    """Two objectives, other passes, tables, gradients and a z that is changed afterwards: a pass is a value."""
    x = x[:K]                                               # as many images as values: shapes give nothing away
    z, other = one_hots(rng, K), one_hots(rng, K)
    one, two = model.objective(x), model.objective(1 - x)
    alone = learnt(model, lambda: model.objective(x).run(z).accumulate())
    df_dz = model.objective(x).run(z).df_dz()
    mine = z.copy()
    latents = [one.run(mine), one.table(mine).at_z, one.joint_table().weighted(mine[:, 0])]
    f = latents[0].f.copy()
    for objective in (one, two):
        objective.run(other).df_dz()
        objective.table(other).at_z.accumulate()
        objective.joint_table().weighted(softmax(rng.normal(size=(K, K)))).accumulate()
        objective.run(softmax(rng.normal(size=(K, 1, K)), axis=-1)).accumulate()
    mine[...] = other
    for decoder_term in latents:
        assert np.allclose(learnt(model, decoder_term.accumulate), alone, rtol=1e-12, atol=1e-14)
    assert (latents[0].f == f).all() and np.allclose(latents[0].df_dz(), df_dz, rtol=1e-12)


@pytest.mark.parametrize("n, k", [(1, 4), (2, 3)])
def test_weights_of_terms_and_their_sum(n, k, x, rng):
    model = VAE(Independent(n, k), HIDDEN, PIXELS, np.float64)
    model.initialise(rng)
    objective, z, other = model.objective(x), one_hots(rng, n=n, k=k), one_hots(rng, n=n, k=k)
    first, second = (learnt(model, objective.run(each).accumulate) for each in (z, other))

    def both():
        objective.table(z).at_z.accumulate(2.0)
        objective.run(other).accumulate(-0.5)

    assert np.allclose(learnt(model, both), 2 * first - 0.5 * second, rtol=1e-12, atol=1e-14)


def test_a_relaxed_z_learns_at_its_own_place(model, x, rng):
    """For n = 1 too: f of a mixture of values is not the mixture of their f."""
    z = softmax(rng.normal(size=(BATCH, 1, K)), axis=-1)
    run = model.objective(x).run(z)
    grads = learnt(model, run.accumulate)
    start = model.encoder.n_parameters
    loss = lambda: -model.objective(x).run(z).f.mean()
    assert worst(gradcheck(loss, model.parameters.values[start:], grads, rng)) < 1e-7
    mixture = learnt(model, model.objective(x).joint_table().weighted(z[:, 0]).accumulate)
    assert np.abs(mixture - grads).max() > 1e-3
    for bad in (z, np.zeros_like(z), 2 * one_hots(rng)):
        with pytest.raises(ValueError, match="^z must be one-hot"):
            model.objective(x).table(bad)
    with pytest.raises(ValueError, match=r"^z must have shape \(B, n, k\) = \(6, 1, 4\)"):
        model.objective(x).run(z[:3])
    with pytest.raises(ValueError, match=r"^z must have shape \(B, n, k\) = \(6, 1, 4\)"):
        model.objective(x).table(one_hots(rng)[:3])


@pytest.mark.parametrize("n, k", [(1, 4), (2, 3)])
def test_a_batch_without_images_is_refused(n, k, x, rng):
    model = VAE(Independent(n, k), HIDDEN, PIXELS, np.float64)
    model.initialise(rng)
    with pytest.raises(ValueError, match="^x must hold at least one image"):
        model.backward(x[:0], estimators.get("exact"), rng)
    with pytest.raises(ValueError, match="^x must hold at least one image"):
        model.objective(x[:0])


@pytest.mark.parametrize("n, k", [(1, 4), (2, 3)])
def test_a_pass_of_weights_that_have_moved_is_refused(n, k, x, rng):
    model = VAE(Independent(n, k), HIDDEN, PIXELS, np.float64)
    model.initialise(rng)
    objective, z = model.objective(x), one_hots(rng, n=n, k=k)
    run, table, every = objective.run(z), objective.table(z), objective.joint_table()
    run.accumulate()
    Adam(model.parameters).step()
    weighted = every.weighted(np.full((BATCH, k**n), k**-n))
    for call in (run.accumulate, table.at_z.accumulate, weighted.accumulate, run.df_dz):
        with pytest.raises(StalePass):
            call()
    objective.run(z).accumulate()                                # made with the new weights


def test_objective_scores(model, x, rng):
    objective = model.objective(x)
    table = objective.table(one_hots(rng)).f[:, 0]
    assert_relative(objective.joint_table().f, table, 1e-14)
    for value in range(K):
        z = np.tile(np.eye(K)[value], (BATCH, 1, 1))
        assert_relative(objective.run(z).f, table[:, value], 1e-12)
    assert objective.evaluations == K + K + K
    objective.run(z, counted=False)
    assert objective.evaluations == K + K + K
    z = softmax(rng.normal(size=(BATCH, 1, K)), axis=-1)
    df_dz = objective.run(z).df_dz()
    assert worst(gradcheck(lambda: objective.run(z).f.sum(), z, df_dz.copy(), rng)) < 1e-7


def test_float32_bounds_agree_with_float64(rng):
    """The bound is reported to two decimals: float32 training may not cost the second."""
    part = data.load("mnist", limit=500).test
    bounds = []
    for dtype in (np.float32, np.float64):
        model = VAE(Independent(1, 10), dtype=dtype)
        model.initialise(np.random.default_rng(0))
        model.parameters.values *= 2
        bounds.append(model.bounds(part))
    assert np.abs(np.subtract(*bounds)).max() < 2e-3


def test_same_seed_same_model():
    one, two = VAE(Independent(1, 5)), VAE(Independent(1, 5))
    one.initialise(np.random.default_rng(8))
    two.initialise(np.random.default_rng(8))
    assert (one.parameters.values == two.parameters.values).all() and one.parameters.values.dtype == np.float32


# --- several variables ------------------------------------------------------------------------------------------------

@pytest.fixture
def several(rng):
    model = VAE(Independent(2, 3), HIDDEN, PIXELS, np.float64)
    model.initialise(rng)
    model.parameters.values *= 3
    return model


def test_exact_gradient_with_several_variables(several, x, rng):
    several.backward(x, estimators.get("exact"), rng, True)

    def loss():
        h, f = several.score_all(x)
        return -(joint.expectation(h, f) - exact.kl(h).sum(axis=1)).mean()

    assert worst(gradcheck(loss, several.parameters.values, several.parameters.grads, rng)) < 1e-7


def test_table_with_several_variables_is_one_score_at_a_time(several, x, rng):
    z = np.eye(3)[rng.integers(3, size=(BATCH, 2))]
    objective = several.objective(x)
    table = objective.table(z).f
    assert objective.evaluations == 1 + 2 * 2
    joint_table = objective.joint_table().f
    for i in range(2):
        for c in range(3):
            changed = z.copy()
            changed[:, i] = np.eye(3)[c]
            assert_relative(table[:, i, c], objective.run(changed).f, 1e-11)
            assert_relative(table[:, i, c], joint_table[np.arange(BATCH), joint.index(changed)], 1e-11)
    with pytest.raises(ValueError, match="^z must be one-hot"):
        objective.table(softmax(z, axis=-1))


def test_fast_table_in_float32(rng):
    """n = 15, 784 pixels, blocks and all: against float64, one decoder output at a time."""
    models = [VAE(Independent(15, 2), 40, 784, dtype) for dtype in (np.float32, np.float64)]
    models[0].initialise(rng)
    models[0].parameters.values *= 2
    models[1].parameters.values[...] = models[0].parameters.values
    x = (rng.random((30, 784)) < 0.3).astype(np.float32)
    z = np.eye(2)[rng.integers(2, size=(30, 15))]
    fast = models[0].objective(x).table(z).f
    slow = models[1].objective(x.astype(float))
    for i in range(15):
        changed = z.copy()
        changed[:, i] = 1 - changed[:, i]
        values = changed[:, i].argmax(axis=-1)
        assert np.abs(fast[np.arange(30), i, values] - slow.run(changed).f).max() < 2e-3
    assert fast.dtype == np.float32


@pytest.mark.parametrize("name", ["direct", "two-sided", "direct-joint", "local-expectation", "reinforce",
                                  "reinforce-loo", "rebar", "relax", "reinmax", "gumbel-softmax",
                                  "straight-through-gumbel-softmax"])
def test_decoder_gradient_with_several_variables_is_that_of_the_latent(several, x, rng, name):
    """Whatever the estimator passed through the decoder, what is left in the layers is the gradient at its latent."""
    entry = estimators.get(name)
    keywords = {entry.temperature: 0.5} if entry.temperature else {}
    if entry.memory:
        keywords["memory"] = entry.memory(2, 3)
    latents = []

    def spy(*arguments, **more):
        estimate = entry.estimate(*arguments, **more)
        latents.append(estimate.decoder_term)
        return estimate

    several.backward(x, replace(entry, estimate=spy), rng, True, **keywords)
    start = several.encoder.n_parameters
    loss = lambda: -several.objective(x).run(latents[0].z).f.mean()
    assert worst(gradcheck(loss, several.parameters.values[start:], several.parameters.grads[start:], rng)) < 1e-7


@pytest.mark.slow
def test_sampled_elbo_is_unbiased(several, rng):
    images = (rng.random((5, PIXELS)) < 0.4).astype(float)
    truth = several.bounds(Images(images)).elbo
    draws = np.array([several.sampled_elbo(Images(images), rng) for _ in range(3_000)])
    assert abs(draws.mean() - truth) < 4 * draws.std() / np.sqrt(len(draws))


# --- pair scores ------------------------------------------------------------------------------------------------------

N = 4


@pytest.fixture(params=["enumeration", "maxflow", "persistency"])
def structured(request, rng):
    model = VAE(Pairwise(N, solvers.get(request.param), True), 7, PIXELS, np.float64)
    model.initialise(rng)
    model.parameters.values *= 3
    return model


def test_whole_model_with_joint_gumbel_softmax(x, rng):
    """Encoder, softplus, joint softmax, decoder: all of it against differences of the loss, with the noise fixed."""
    model = VAE(Pairwise(N, solvers.get("enumeration"), True), 7, PIXELS, np.float64)
    model.initialise(rng)
    model.parameters.values *= 3

    def loss():
        out = model.encoder.forward(x)
        u, w = out[:, :N], np.logaddexp(0, out[:, N:])
        scores = enumeration.all_scores(u, w)
        weights = softmax((scores + gumbel.sample(scores.shape, np.random.default_rng(2))) / 0.7, axis=1)
        ones = weights @ enumeration.all_values(N)
        return -model.objective(x).run(np.stack([1 - ones, ones], axis=-1)).f.mean()

    model.backward(x, estimators.get("gumbel-softmax"), np.random.default_rng(2), False, tau=0.7)
    assert worst(gradcheck(loss, model.parameters.values, model.parameters.grads, rng)) < 1e-7


def test_encoder_gradient_is_the_chain_rule_from_the_estimate(structured, x, rng):
    """A fixed gradient in theta = (u, w): the encoder's gradient is that of -1/B sum grad . theta."""
    fixed = rng.normal(size=(BATCH, N + 6))

    def estimate(theta, objective, rng, family):
        return Estimate(fixed, objective.run(family.argmax(theta)))

    structured.backward(x, Estimator("fixed", estimate, "", False, serves=every_family), rng, False)
    loss = lambda: -(fixed * structured.encode(x)).sum() / BATCH
    values = structured.parameters.values[:structured.encoder.n_parameters]
    assert worst(gradcheck(loss, values, structured.encoder_grads.copy(), rng)) < 1e-7


def test_all_solvers_train_the_same_model(x):
    """Same noise, same maximiser, same gradient."""
    grads = []
    for name in ("enumeration", "maxflow", "persistency", "milp"):
        model = VAE(Pairwise(N, solvers.get(name), True), 7, PIXELS, np.float64)
        model.initialise(np.random.default_rng(0))
        model.backward(x, estimators.get("direct"), np.random.default_rng(1), False, eps=0.3)
        grads.append(model.parameters.grads.copy())
    for other in grads[1:]:
        assert np.allclose(other, grads[0], atol=1e-12)


def test_a_term_or_an_estimator_that_does_not_serve_the_family_is_refused(structured, x, rng):
    with pytest.raises(ValueError, match="^kl_grad must be False"):
        structured.backward(x, estimators.get("direct"), rng, True, eps=0.1)
    with pytest.raises(ValueError, match="^estimator must serve this family of latent variables, and rebar"):
        structured.backward(x, estimators.get("rebar"), rng, False, tau=0.5)


def test_released_loss_is_the_score_less_the_unary_kl(structured, rng):
    """Image by image, by its formula, with the noise that the model draws."""
    x = (rng.random((20, PIXELS)) < 0.4).astype(float)
    found = structured.sampled_elbo(Images(x), np.random.default_rng(5), block=7)
    noise, total = np.random.default_rng(5), 0.0
    for start in range(0, 20, 7):
        theta = structured.encode(x[start:start + 7])
        z = structured.family.sample(theta, noise)
        for b in range(len(z)):
            a = structured.decoder.forward(z[b].reshape(1, -1))[0]
            q = 1 / (1 + np.exp(-theta[b, :N]))
            kl = (q * np.log(2 * q) + (1 - q) * np.log(2 * (1 - q))).sum()
            total += (x[start + b] * a - np.logaddexp(0, a)).sum() - kl
    assert found == pytest.approx(total / 20, rel=1e-12)


def test_bounds_without_a_closed_form_of_q(structured, x):
    found = structured.bounds(Images(x))
    assert np.isnan(found.elbo) and np.isnan(found.gap)
    _, f = structured.score_all(x)
    assert found.log_likelihood == pytest.approx(exact.log_likelihood(f).mean(), rel=1e-12)


def test_the_kl_gradient_is_on_unless_told_otherwise(model, x):
    grads = []
    for settings in ({}, {"kl_grad": True}):
        model.parameters.zero_grads()
        model.backward(x, estimators.get("exact"), np.random.default_rng(1), **settings)
        grads.append(model.parameters.grads.copy())
    np.testing.assert_array_equal(*grads)


def test_a_sampled_bound_that_is_no_number_is_refused(model, x, rng):
    model.decoder.layers[-1].b[0] = np.nan
    with pytest.raises(NotFinite, match="^f must be finite"):
        model.sampled_elbo(Images(x), rng)
