"""Every estimator on a nonlinear toy objective: moments against enumeration, relaxations against differences."""
from __future__ import annotations

import numpy as np
import pytest
from scipy.special import softmax

from refimpl import direct, estimators, exact, gumbel
from refimpl.arguments import InputError
from refimpl.estimators import binary, reinforce, relax
from refimpl.latent import solvers
from refimpl.latent.pairwise import Pairwise
from refimpl.models.toy import Toy, ToyPass, ToyTable
from refimpl.nn.gradcheck import gradcheck, worst
from tests.asserts import assert_relative, z_scores
from tests.estimators.relations import (K, check_decoder_gradient_is_evaluated_at_the_latent,
                                        check_every_estimator_has_a_name_a_summary_and_its_own_colour,
                                        check_first_estimate_has_the_stated_cost, check_invalid_temperature_is_rejected,
                                        check_memories_have_the_expected_sizes, check_memory_is_updated_in_place,
                                        check_only_enumerating_estimators_evaluate_every_joint_value)


@pytest.fixture
def toy(rng):
    return Toy(3, 1, K, rng)


@pytest.fixture
def h(rng):
    return rng.normal(size=(3, 1, K))


def draws(name, toy, h, rng, image=1, times=200_000, **settings):
    """Return `times` independent estimates for one image."""
    objective = toy.repeated(image, times)
    return estimators.get(name).estimate(h[image:image + 1].repeat(times, 0), objective, rng, **settings)


def test_exact_equals_enumeration(toy, h, rng):
    grad, decoder_term = estimators.get("exact").estimate(h, toy, rng)
    f = np.stack([toy.run(np.tile(np.eye(K)[z], (3, 1, 1))).f for z in range(K)], axis=-1)
    assert_relative(grad[:, 0], exact.gradient(h[:, 0], f), 1e-11)
    assert isinstance(decoder_term, ToyTable)
    assert_relative(decoder_term.weights, softmax(h[:, 0], axis=-1), 1e-13)


@pytest.mark.parametrize("eps", [0.1, 1.0])
def test_direct_has_the_exact_mean_and_variance(toy, h, rng, eps):
    grad, decoder_term = draws("direct", toy, h, rng, eps=eps)
    f = toy.joint_table().f[1]
    mean, variance = direct.expected_gradient(h[1, 0], f, eps), direct.variance(h[1, 0], f, eps)
    assert np.abs(z_scores(grad[:, 0], mean)).max() < 4
    assert np.abs(z_scores((grad[:, 0] - mean) ** 2, variance)).max() < 4
    assert isinstance(decoder_term, ToyPass)
    assert np.abs(z_scores(decoder_term.z[:, 0], softmax(h[1, 0]))).max() < 4
    assert np.abs(z_scores(grad[:, 0], exact.gradient(h[1, 0], f))).max() > 5 or eps < 1      # at eps = 1 it is biased


def test_direct_uses_the_same_noise_for_both_arg_maxes(toy, h):
    """With the same noise, no draw has a second arg max with a lower f."""
    grad, decoder_term = draws("direct", toy, h, np.random.default_rng(0), eps=0.5, times=20_000)
    f = toy.joint_table().f[1]
    assert ((grad[:, 0] * f).sum(axis=-1) >= 0).all()
    assert (grad[:, 0][decoder_term.z[:, 0] == 0] >= 0).all()           # only the entry of z* can decrease


@pytest.mark.parametrize("tau", [0.3, 1.0])
def test_gumbel_softmax_is_the_derivative_of_the_relaxed_score(toy, h, tau):
    seed = 5
    grad, decoder_term = estimators.get("gumbel-softmax").estimate(h, toy, np.random.default_rng(seed), tau=tau)
    noise = gumbel.sample(h.shape, np.random.default_rng(seed))
    loss = lambda: toy.run(softmax((h + noise) / tau, axis=-1)).f.sum()
    assert worst(gradcheck(loss, h, grad, np.random.default_rng(1))) < 1e-7
    assert worst(gradcheck(loss, h, 1.001 * grad, np.random.default_rng(1))) > 1e-5
    assert_relative(decoder_term.z, softmax((h + noise) / tau, axis=-1), 1e-12)


def test_straight_through_is_hard_forward_and_soft_backward(toy, h):
    tau, seed = 0.7, 5
    estimate = estimators.get("straight-through-gumbel-softmax").estimate
    grad, decoder_term = estimate(h, toy, np.random.default_rng(seed), tau=tau)
    noise = gumbel.sample(h.shape, np.random.default_rng(seed))
    assert (decoder_term.z.argmax(axis=-1) == gumbel.argmax(h, noise)).all()
    assert set(np.unique(decoder_term.z)) == {0.0, 1.0}
    df_dz = toy.run(decoder_term.z).df_dz()                                # at the one-hot sample
    loss = lambda: (df_dz * softmax((h + noise) / tau, axis=-1)).sum()
    assert worst(gradcheck(loss, h, grad, np.random.default_rng(1))) < 1e-7


def test_bias_of_gumbel_softmax_falls_with_tau(toy, h, rng):
    truth = exact.gradient(h[1, 0], toy.joint_table().f[1])
    bias = {}
    for tau in (0.1, 1.0):
        grad, _ = draws("gumbel-softmax", toy, h, rng, tau=tau, times=400_000)
        bias[tau] = np.linalg.norm(grad[:, 0].mean(axis=0) - truth)
        noise = np.sqrt(grad[:, 0].var(axis=0).sum() / len(grad))
    assert bias[1.0] > 5 * noise and bias[0.1] < 0.7 * bias[1.0]


@pytest.mark.parametrize("name, settings, evaluations", [
    ("exact", {}, K), ("direct", {"eps": 0.1}, K), ("gumbel-softmax", {"tau": 1.0}, 1),
    ("straight-through-gumbel-softmax", {"tau": 1.0}, 1)])
def test_estimate_is_reproducible_and_has_the_stated_cost(toy, h, name, settings, evaluations):
    estimate = estimators.get(name).estimate
    first = estimate(h, toy, np.random.default_rng(3), **settings)
    assert toy.evaluations == evaluations
    second = estimate(h, toy, np.random.default_rng(3), **settings)
    assert (first.grad == second.grad).all()
    assert first.grad.shape == h.shape
    assert np.abs(first.grad.sum(axis=-1)).max() < 1e-12          # a shift of all scores has no effect


def test_every_estimator_has_a_name_a_summary_and_its_own_colour():
    check_every_estimator_has_a_name_a_summary_and_its_own_colour()


def test_memories_have_the_expected_sizes():
    check_memories_have_the_expected_sizes()


@pytest.mark.parametrize("name", list(estimators.REGISTRY))
def test_only_enumerating_estimators_evaluate_every_joint_value(name, rng):
    check_only_enumerating_estimators_evaluate_every_joint_value(name, rng)


def test_new_memory_is_zero_except_for_the_first_layer_of_the_network():
    for name, entry in estimators.REGISTRY.items():
        for n, k in ((1, 4), (3, 2)):
            for key, array in (entry.memory(n, k) if entry.memory else {}).items():
                assert array.dtype == np.float64
                nonzero = n * k * relax.HIDDEN if key == "r" else 0
                assert (array[:nonzero] != 0).all() and (array[nonzero:] == 0).all()
    first = relax.memory(50, 2)["r"][:100 * relax.HIDDEN]
    assert abs(first.std() * 10 - 1) < 0.05 and abs(first.mean() * 10) < 0.05       # standard deviation 1 / sqrt(n k)
    expected = np.random.default_rng(0).normal(size=first.size) / 10      # a run that is continued needs the same
    assert (first == expected).all()


def test_perturbed_rejects_families_with_scores_without_noise(rng):
    settings = {"family": Pairwise(2, solvers.get("enumeration"), False), "memory": reinforce.memory(2, 2)}
    with pytest.raises(ValueError, match="^family must perturb every score"):
        estimators.get("perturbed").estimate(np.zeros((4, 3)), Toy(4, 2, 2, rng), rng, **settings)


LEARNING = [name for name, entry in estimators.REGISTRY.items() if entry.memory]


@pytest.mark.parametrize("name", LEARNING)
def test_memory_is_updated_in_place(name, toy, h, rng):
    check_memory_is_updated_in_place(name, toy, h, rng)


@pytest.mark.parametrize("name", list(estimators.REGISTRY))
def test_first_estimate_has_the_stated_cost_for_decoder_and_toy(name, rng):
    check_first_estimate_has_the_stated_cost(name, rng)


# --- the gradient of the decoder --------------------------------------------------------------------------------------

@pytest.mark.parametrize("name, n, k", [(name, n, k) for name, entry in estimators.REGISTRY.items()
                                        for n, k in ((2, 2), (1, 3)) if k == 2 or entry.serves is not binary])
def test_decoder_gradient_is_evaluated_at_the_latent(name, n, k, rng):
    check_decoder_gradient_is_evaluated_at_the_latent(name, n, k, rng)


def test_unknown_estimator_name_is_rejected():
    assert estimators.get("direct").temperature == "eps" and estimators.get("exact").temperature is None
    with pytest.raises(InputError, match="exact, direct, two-sided"):
        estimators.get("rebarr")


@pytest.mark.parametrize("value", [0.0, -1.0, float("nan"), float("inf")])
@pytest.mark.parametrize("name", [name for name, entry in estimators.REGISTRY.items() if entry.temperature])
def test_invalid_temperature_is_rejected(toy, h, rng, name, value):
    check_invalid_temperature_is_rejected(toy, h, rng, name, value)
