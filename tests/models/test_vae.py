"""The whole VAE: forward and backward pass against differences of the loss, bounds against plain loops."""
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
    model.parameters.values *= 3                                       # away from the almost constant initial model
    return model


@pytest.fixture
def x(rng):
    return (rng.random((BATCH, PIXELS)) < 0.4).astype(float)


def expected_loss(model, x, objective, kl_weight):
    """Return -1/B sum_b (objective(h_b, f_b) - kl_weight KL_b), for a function `objective` of h and f."""
    h, f = model.score_all(x)
    return -(objective(h[:, 0], f) - kl_weight * exact.kl(h[:, 0])).mean()


@pytest.mark.parametrize("kl_grad", [True, False])
def test_exact_gradient_of_the_whole_model_agrees_with_differences(model, x, rng, kl_grad):
    model.backward(x, estimators.get("exact"), rng, kl_grad)
    loss = lambda: expected_loss(model, x, exact.expectation, kl_grad)
    assert worst(gradcheck(loss, model.parameters.values, model.parameters.grads, rng)) < 1e-7
    other_loss = lambda: expected_loss(model, x, exact.expectation, not kl_grad)        # the KL term matters
    assert worst(gradcheck(other_loss, model.parameters.values, model.parameters.grads, rng)) > 1e-3


def test_kl_weight_scales_the_kl_term(model, x, rng):
    model.backward(x, estimators.get("exact"), rng, True, 0.3)
    loss = lambda weight: lambda: expected_loss(model, x, exact.expectation, weight)
    errors = [worst(gradcheck(loss(weight), model.parameters.values, model.parameters.grads, rng))
              for weight in (0.3, 0.0, 1.0)]
    assert errors[0] < 1e-7 and min(errors[1:]) > 1e-3
    with pytest.raises(ValueError, match="^kl_weight must be"):
        model.backward(x, estimators.get("exact"), rng, True, -0.1)


def test_relaxed_gradient_of_the_whole_model_agrees_with_differences(model, x, rng):
    seed, tau = 11, 0.6

    def loss():
        h = model.encode(x)
        z = softmax((h + gumbel.sample(h.shape, np.random.default_rng(seed))) / tau, axis=-1)
        return -(model.objective(x).run(z).f - exact.kl(h[:, 0])).mean()

    model.backward(x, estimators.get("gumbel-softmax"), np.random.default_rng(seed), True, tau=tau)
    assert worst(gradcheck(loss, model.parameters.values, model.parameters.grads, rng)) < 1e-7


def test_mean_of_direct_gradient_is_the_gradient_of_the_tilted_objective(model, x, rng):
    eps, n = 0.5, 4_000
    samples = np.empty((n, model.encoder.n_parameters))
    for sample in range(n):
        model.parameters.zero_grads()
        model.backward(x, estimators.get("direct"), rng, True, eps=eps)
        samples[sample] = model.encoder_grads
    # The backward pass is linear in grad_h, so the expectation of grad_h gives the exact mean.
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


def test_decoder_gradient_of_direct_is_the_gradient_of_f_at_z_star(model, x, rng):
    """It agrees with differences of -1/B sum_b f(x_b, z*_b), computed with the same noise."""
    seed = 4
    model.backward(x, estimators.get("direct"), np.random.default_rng(seed), True, eps=0.3)
    h = model.encode(x).copy()
    z_star = gumbel.argmax(h, gumbel.sample(h.shape, np.random.default_rng(seed)))
    start = model.encoder.n_parameters
    loss = lambda: -np.take_along_axis(model.score_all(x)[1], z_star, axis=1).mean()
    assert worst(gradcheck(loss, model.parameters.values[start:], model.parameters.grads[start:], rng)) < 1e-7


def decoder_gradient(model, accumulate) -> np.ndarray:
    """Return the decoder's gradients after zero_grads() and accumulate()."""
    model.parameters.zero_grads()
    accumulate()
    return model.parameters.grads[model.encoder.n_parameters:].copy()


def one_hots(rng, batch=BATCH, n=1, k=K):
    return np.eye(k)[rng.integers(k, size=(batch, n))]


def test_decoder_gradient_of_a_sample_is_the_same_from_tables_and_from_a_pass(model, x, rng):
    z = one_hots(rng)
    own = decoder_gradient(model, lambda: model.objective(x).run(z).accumulate())
    for decoder_term in (model.objective(x).table(z).at_z, model.objective(x).joint_table().weighted(z[:, 0])):
        assert np.allclose(decoder_gradient(model, decoder_term.accumulate), own, rtol=1e-12, atol=1e-14)
    assert (model.objective(x).table(z).at_z.z == z).all()


def test_later_evaluations_do_not_change_an_earlier_pass(model, x, rng):
    """A pass keeps its result when other objectives, passes and tables are computed and its z is modified."""
    x = x[:K]                                               # as many images as values: shapes cannot reveal a mix-up
    z, other = one_hots(rng, K), one_hots(rng, K)
    one, two = model.objective(x), model.objective(1 - x)
    alone = decoder_gradient(model, lambda: model.objective(x).run(z).accumulate())
    df_dz = model.objective(x).run(z).df_dz()
    z_copy = z.copy()
    latents = [one.run(z_copy), one.table(z_copy).at_z, one.joint_table().weighted(z_copy[:, 0])]
    f = latents[0].f.copy()
    for objective in (one, two):
        objective.run(other).df_dz()
        objective.table(other).at_z.accumulate()
        objective.joint_table().weighted(softmax(rng.normal(size=(K, K)))).accumulate()
        objective.run(softmax(rng.normal(size=(K, 1, K)), axis=-1)).accumulate()
    z_copy[...] = other
    for decoder_term in latents:
        assert np.allclose(decoder_gradient(model, decoder_term.accumulate), alone, rtol=1e-12, atol=1e-14)
    assert (latents[0].f == f).all() and np.allclose(latents[0].df_dz(), df_dz, rtol=1e-12)


@pytest.mark.parametrize("n, k", [(1, 4), (2, 3)])
def test_accumulate_adds_weighted_terms(n, k, x, rng):
    model = VAE(Independent(n, k), HIDDEN, PIXELS, np.float64)
    model.initialise(rng)
    objective, z, other = model.objective(x), one_hots(rng, n=n, k=k), one_hots(rng, n=n, k=k)
    first, second = (decoder_gradient(model, objective.run(each).accumulate) for each in (z, other))

    def both():
        objective.table(z).at_z.accumulate(2.0)
        objective.run(other).accumulate(-0.5)

    assert np.allclose(decoder_gradient(model, both), 2 * first - 0.5 * second, rtol=1e-12, atol=1e-14)


def test_decoder_gradient_of_a_relaxed_z_is_evaluated_at_that_z(model, x, rng):
    """Also for n = 1, f of a relaxed z is not the weighted mean of f of the values."""
    z = softmax(rng.normal(size=(BATCH, 1, K)), axis=-1)
    run = model.objective(x).run(z)
    grads = decoder_gradient(model, run.accumulate)
    start = model.encoder.n_parameters
    loss = lambda: -model.objective(x).run(z).f.mean()
    assert worst(gradcheck(loss, model.parameters.values[start:], grads, rng)) < 1e-7
    mixture = decoder_gradient(model, model.objective(x).joint_table().weighted(z[:, 0]).accumulate)
    assert np.abs(mixture - grads).max() > 1e-3
    for bad in (z, np.zeros_like(z), 2 * one_hots(rng)):
        with pytest.raises(ValueError, match="^z must be one-hot"):
            model.objective(x).table(bad)
    with pytest.raises(ValueError, match=r"^z must have shape \(B, n, k\) = \(6, 1, 4\)"):
        model.objective(x).run(z[:3])
    with pytest.raises(ValueError, match=r"^z must have shape \(B, n, k\) = \(6, 1, 4\)"):
        model.objective(x).table(one_hots(rng)[:3])


@pytest.mark.parametrize("n, k", [(1, 4), (2, 3)])
def test_empty_batch_is_rejected(n, k, x, rng):
    model = VAE(Independent(n, k), HIDDEN, PIXELS, np.float64)
    model.initialise(rng)
    with pytest.raises(ValueError, match="^x must hold at least one image"):
        model.backward(x[:0], estimators.get("exact"), rng)
    with pytest.raises(ValueError, match="^x must hold at least one image"):
        model.objective(x[:0])


@pytest.mark.parametrize("n, k", [(1, 4), (2, 3)])
def test_pass_with_old_weights_is_rejected(n, k, x, rng):
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
    objective.run(z).accumulate()                                # computed with the new weights


def test_scores_of_the_objective_are_consistent_and_counted(model, x, rng):
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


def test_bounds_of_a_float32_model_agree_with_float64(rng):
    """The bound is reported with two decimals, and float32 must not change the second."""
    part = data.load("mnist", limit=500).test
    bounds = []
    for dtype in (np.float32, np.float64):
        model = VAE(Independent(1, 10), dtype=dtype)
        model.initialise(np.random.default_rng(0))
        model.parameters.values *= 2
        bounds.append(model.bounds(part))
    assert np.abs(np.subtract(*bounds)).max() < 2e-3


def test_equal_seeds_give_equal_models():
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


def test_exact_gradient_with_several_variables_agrees_with_differences(several, x, rng):
    several.backward(x, estimators.get("exact"), rng, True)

    def loss():
        h, f = several.score_all(x)
        return -(joint.expectation(h, f) - exact.kl(h).sum(axis=1)).mean()

    assert worst(gradcheck(loss, several.parameters.values, several.parameters.grads, rng)) < 1e-7


def test_table_with_several_variables_agrees_with_single_scores(several, x, rng):
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


def test_table_in_float32_agrees_with_float64(rng):
    """With n = 15 and 784 pixels, the table agrees with single decoder outputs in float64."""
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
def test_decoder_gradient_with_several_variables_is_evaluated_at_the_latent(several, x, rng, name):
    """Other passes of the estimator through the decoder must not change the gradient at its latent."""
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


@pytest.fixture(params=["enumeration", "maxflow", "persistency", "persistency, absolute value"])
def structured(request, rng):
    solver, _, absolute = request.param.partition(", ")
    model = VAE(Pairwise(N, solvers.get(solver), True, absolute=bool(absolute)), 7, PIXELS, np.float64)
    model.initialise(rng)
    model.parameters.values *= 3
    return model


def test_gradient_of_joint_gumbel_softmax_agrees_with_differences(x, rng):
    """Encoder, softplus, joint softmax and decoder agree with differences of the loss for fixed noise."""
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


def test_encoder_gradient_follows_from_the_estimate_by_the_chain_rule(structured, x, rng):
    """For a fixed estimate grad with respect to theta = (u, w), the loss of the encoder is -1/B sum grad . theta."""
    fixed = rng.normal(size=(BATCH, N + 6))

    def estimate(theta, objective, rng, family):
        return Estimate(fixed, objective.run(family.argmax(theta)))

    structured.backward(x, Estimator("fixed", estimate, "", False, serves=every_family), rng, False)
    loss = lambda: -(fixed * structured.encode(x)).sum() / BATCH
    values = structured.parameters.values[:structured.encoder.n_parameters]
    assert worst(gradcheck(loss, values, structured.encoder_grads.copy(), rng)) < 1e-7


def test_all_solvers_give_the_same_gradient(x):
    """With the same noise, all solvers find the same maximiser and so give the same gradient."""
    grads = []
    for name in ("enumeration", "maxflow", "persistency", "milp"):
        model = VAE(Pairwise(N, solvers.get(name), True), 7, PIXELS, np.float64)
        model.initialise(np.random.default_rng(0))
        model.backward(x, estimators.get("direct"), np.random.default_rng(1), False, eps=0.3)
        grads.append(model.parameters.grads.copy())
    for other in grads[1:]:
        assert np.allclose(other, grads[0], atol=1e-12)


def test_kl_gradient_and_estimators_that_do_not_serve_the_family_are_rejected(structured, x, rng):
    with pytest.raises(ValueError, match="^kl_grad must be False"):
        structured.backward(x, estimators.get("direct"), rng, True, eps=0.1)
    with pytest.raises(ValueError, match="^estimator rebar cannot be used for this family of latent variables"):
        structured.backward(x, estimators.get("rebar"), rng, False, tau=0.5)


def test_sampled_elbo_is_the_score_minus_the_unary_kl(structured, rng):
    """The reference computes the formula image by image with the same noise."""
    x = (rng.random((20, PIXELS)) < 0.4).astype(float)
    elbo = structured.sampled_elbo(Images(x), np.random.default_rng(5), block=7)
    noise, total = np.random.default_rng(5), 0.0
    for start in range(0, 20, 7):
        theta = structured.encode(x[start:start + 7])
        z = structured.family.sample(theta, noise)
        for b in range(len(z)):
            a = structured.decoder.forward(z[b].reshape(1, -1))[0]
            q = 1 / (1 + np.exp(-theta[b, :N]))
            kl = (q * np.log(2 * q) + (1 - q) * np.log(2 * (1 - q))).sum()
            total += (x[start + b] * a - np.logaddexp(0, a)).sum() - kl
    assert elbo == pytest.approx(total / 20, rel=1e-12)


def test_bounds_without_a_closed_form_of_q_are_nan_except_for_the_likelihood(structured, x):
    bounds = structured.bounds(Images(x))
    assert np.isnan(bounds.elbo) and np.isnan(bounds.gap)
    _, f = structured.score_all(x)
    assert bounds.log_likelihood == pytest.approx(exact.log_likelihood(f).mean(), rel=1e-12)


def test_kl_gradient_is_on_by_default(model, x):
    grads = []
    for settings in ({}, {"kl_grad": True}):
        model.parameters.zero_grads()
        model.backward(x, estimators.get("exact"), np.random.default_rng(1), **settings)
        grads.append(model.parameters.grads.copy())
    np.testing.assert_array_equal(*grads)


def test_sampled_bound_that_is_not_finite_is_rejected(model, x, rng):
    model.decoder.layers[-1].b[0] = np.nan
    with pytest.raises(NotFinite, match="^f must be finite"):
        model.sampled_elbo(Images(x), rng)
