"""Every estimator on a nonlinear toy: mean and variance against enumeration, relaxations against differences."""
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
from tests.estimators.relations import (K, check_a_memory_is_changed_in_place, check_bad_temperatures,
                                       check_every_entry_has_a_name_words_and_a_colour_of_its_own,
                                       check_first_estimates_cost_as_much_of_a_decoder_as_of_a_toy,
                                       check_the_decoder_learns_from_the_latent, check_the_sizes_of_the_memories,
                                       check_those_that_enumerate_evaluate_every_joint_value_and_the_others_do_not)


@pytest.fixture
def toy(rng):
    return Toy(3, 1, K, rng)


@pytest.fixture
def h(rng):
    return rng.normal(size=(3, 1, K))


def draws(name, toy, h, rng, image=1, times=200_000, **settings):
    """`times` independent estimates for one image."""
    objective = toy.repeated(image, times)
    return estimators.get(name).estimate(h[image:image + 1].repeat(times, 0), objective, rng, **settings)


def test_exact_is_enumeration(toy, h, rng):
    grad, decoder_term = estimators.get("exact").estimate(h, toy, rng)
    corners = np.stack([toy.run(np.tile(np.eye(K)[z], (3, 1, 1))).f for z in range(K)], axis=-1)
    assert_relative(grad[:, 0], exact.gradient(h[:, 0], corners), 1e-11)
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


def test_direct_uses_one_noise_for_both(toy, h):
    """Only pairs that climb: no draw may move to a lower f."""
    grad, decoder_term = draws("direct", toy, h, np.random.default_rng(0), eps=0.5, times=20_000)
    f = toy.joint_table().f[1]
    assert ((grad[:, 0] * f).sum(axis=-1) >= 0).all()
    assert (grad[:, 0][decoder_term.z[:, 0] == 0] >= 0).all()           # what is not z* can only be arrived at


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
    df_dz = toy.run(decoder_term.z).df_dz()                                # at the corner
    loss = lambda: (df_dz * softmax((h + noise) / tau, axis=-1)).sum()
    assert worst(gradcheck(loss, h, grad, np.random.default_rng(1))) < 1e-7


def test_gumbel_softmax_is_biased_and_less_so_at_a_lower_tau(toy, h, rng):
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
def test_same_generator_same_estimate_and_the_stated_cost(toy, h, name, settings, evaluations):
    estimate = estimators.get(name).estimate
    first = estimate(h, toy, np.random.default_rng(3), **settings)
    assert toy.evaluations == evaluations
    second = estimate(h, toy, np.random.default_rng(3), **settings)
    assert (first.grad == second.grad).all()
    assert first.grad.shape == h.shape
    assert np.abs(first.grad.sum(axis=-1)).max() < 1e-12          # moving all scores together changes nothing


def test_every_entry_has_a_name_words_and_a_colour_of_its_own():
    check_every_entry_has_a_name_words_and_a_colour_of_its_own()


def test_the_sizes_of_the_memories():
    check_the_sizes_of_the_memories()


@pytest.mark.parametrize("name", list(estimators.REGISTRY))
def test_those_that_enumerate_evaluate_every_joint_value_and_the_others_do_not(name, rng):
    check_those_that_enumerate_evaluate_every_joint_value_and_the_others_do_not(name, rng)


def test_a_fresh_memory_is_zero_but_for_the_networks_first_layer():
    for name, entry in estimators.REGISTRY.items():
        for n, k in ((1, 4), (3, 2)):
            for key, array in (entry.memory(n, k) if entry.memory else {}).items():
                assert array.dtype == np.float64
                nonzero = n * k * relax.HIDDEN if key == "r" else 0
                assert (array[:nonzero] != 0).all() and (array[nonzero:] == 0).all()
    first = relax.memory(50, 2)["r"][:100 * relax.HIDDEN]
    assert abs(first.std() * 10 - 1) < 0.05 and abs(first.mean() * 10) < 0.05       # standard deviation 1 / sqrt(n k)
    same_for_all = np.random.default_rng(0).normal(size=first.size) / 10      # a run that goes on finds it again
    assert (first == same_for_all).all()


def test_perturbed_refuses_scores_without_noise(rng):
    settings = {"family": Pairwise(2, solvers.get("enumeration"), False), "memory": reinforce.memory(2, 2)}
    with pytest.raises(ValueError, match="^family must perturb every score"):
        estimators.get("perturbed").estimate(np.zeros((4, 3)), Toy(4, 2, 2, rng), rng, **settings)


LEARNING = [name for name, entry in estimators.REGISTRY.items() if entry.memory]


@pytest.mark.parametrize("name", LEARNING)
def test_a_memory_is_changed_in_place(name, toy, h, rng):
    check_a_memory_is_changed_in_place(name, toy, h, rng)


@pytest.mark.parametrize("name", list(estimators.REGISTRY))
def test_first_estimates_cost_as_much_of_a_decoder_as_of_a_toy(name, rng):
    check_first_estimates_cost_as_much_of_a_decoder_as_of_a_toy(name, rng)


# --- the decoder learns from the latent -------------------------------------------------------------------------------

@pytest.mark.parametrize("name, n, k", [(name, n, k) for name, entry in estimators.REGISTRY.items()
                                        for n, k in ((2, 2), (1, 3)) if k == 2 or entry.serves is not binary])
def test_the_decoder_learns_from_the_latent(name, n, k, rng):
    check_the_decoder_learns_from_the_latent(name, n, k, rng)


def test_unknown_names():
    assert estimators.get("direct").temperature == "eps" and estimators.get("exact").temperature is None
    with pytest.raises(InputError, match="exact, direct, two-sided"):
        estimators.get("rebarr")


@pytest.mark.parametrize("value", [0.0, -1.0, float("nan"), float("inf")])
@pytest.mark.parametrize("name", [name for name, entry in estimators.REGISTRY.items() if entry.temperature])
def test_bad_temperatures(toy, h, rng, name, value):
    check_bad_temperatures(toy, h, rng, name, value)
