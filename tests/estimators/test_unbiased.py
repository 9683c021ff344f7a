"""Unbiased estimators on the nonlinear toy objective, and planted errors that make them biased or noisy."""
from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from refimpl import estimators, joint
from refimpl.estimators import arm, binary, rebar, relax
from refimpl.experiments.theory import estimators_table
from refimpl.experiments.theory.estimators_table import WARM_UP, measure
from refimpl.models.toy import Toy
from refimpl.nn.gradcheck import gradcheck, worst
from tests.asserts import assert_relative
from tests.mutation.slips import planted

UNBIASED = [name for name, entry in estimators.REGISTRY.items() if entry.unbiased]


@pytest.fixture(autouse=True)
def short_warm_up(monkeypatch):
    """Shorten the warm-up, because it does not affect the bias.  The slow test keeps the full warm-up."""
    monkeypatch.setattr(estimators_table, "WARM_UP", 30)


def setting(n, k, seed=1):
    rng = np.random.default_rng(seed)
    h, toy = rng.normal(size=(n, k)), Toy(1, n, k, rng)
    return h, toy, joint.gradient(h, toy.joint_table().f[0])


def check(name, n=4, k=2, samples=60_000, **changed):
    h, toy, truth = setting(n, k)
    return measure(replace(estimators.get(name), **changed), h, toy, truth, samples, np.random.default_rng(7))


@pytest.mark.parametrize("n, k", [(4, 2), (1, 8), (3, 3)])
@pytest.mark.parametrize("name", UNBIASED)
def test_estimators_declared_unbiased_have_the_true_mean(name, n, k):
    if estimators.get(name).serves is binary and k != 2:
        with pytest.raises(ValueError, match="^h must"):
            check(name, n, k, 10)
        return
    row = check(name, n, k, 20_000)         # test_by_loops.py compares single draws
    assert row.z < 4, row


@pytest.mark.slow
@pytest.mark.parametrize("name", UNBIASED)
def test_estimators_declared_unbiased_have_the_true_mean_in_400_000_samples(name, monkeypatch):
    monkeypatch.setattr(estimators_table, "WARM_UP", WARM_UP)
    assert check(name, samples=400_000).z < 4


@pytest.mark.parametrize("name", ["direct", "direct-joint", "gumbel-softmax", "straight-through-gumbel-softmax",
                                  "reinmax"])
def test_measurement_detects_a_bias(name):
    chosen = estimators.get(name)
    high = replace(chosen.hyperparameters[chosen.temperature], default=1.0)
    assert check(name, hyperparameters={**chosen.hyperparameters, chosen.temperature: high}).z > 5


def test_tables_and_slope_of_the_toy_are_correct(rng):
    toy = Toy(3, 3, 2, rng)
    z = np.eye(2)[rng.integers(2, size=(3, 3))]
    table, joint_table = toy.table(z).f, toy.joint_table().f
    for i in range(3):
        for c in range(2):
            changed = z.copy()
            changed[:, i] = np.eye(2)[c]
            assert_relative(table[:, i, c], toy.run(changed).f, 1e-10)
            assert_relative(table[:, i, c], joint_table[np.arange(3), joint.index(changed)], 1e-10)
    soft = rng.random((3, 3, 2))
    with pytest.raises(ValueError, match="^z must be one-hot"):
        toy.table(soft)                                             # single changes are defined for one-hot z only
    slope = toy.run(soft).df_dz()
    assert worst(gradcheck(lambda: toy.run(soft).f.sum(), soft, slope, rng)) < 1e-7


# --- cost and relations -----------------------------------------------------------------------------------------------

@pytest.mark.parametrize("name, evaluations", [
    ("exact", 16), ("direct", 5), ("two-sided", 5), ("direct-joint", 16), ("tilted", 16), ("capped", 16),
    ("amplified", 16), ("noisy-exact", 16), ("imle", 1), ("local-tilted", 5), ("local-expectation", 5),
    ("reinforce", 1), ("reinforce-loo", 2), ("perturbed", 1), ("rebar", 3),
    ("relax", 3), ("arm", 2), ("disarm", 2), ("reinmax", 1), ("gumbel-softmax", 1), ("gumbel-rao", 1),
    ("straight-through-gumbel-softmax", 1)])
def test_estimators_make_the_stated_number_of_decoder_evaluations(name, evaluations):
    h, toy, _ = setting(4, 2)
    entry = estimators.get(name)
    keywords = {entry.temperature: 0.5} if entry.temperature else {}
    if entry.memory:
        keywords["memory"] = entry.memory(4, 2)
        entry.estimate(h[None], toy, np.random.default_rng(0), **keywords)      # the first baseline needs another
    toy.evaluations = 0
    entry.estimate(h[None], toy, np.random.default_rng(0), **keywords)
    assert toy.evaluations == evaluations


def test_disarm_is_the_mean_of_arm_given_both_samples(rng):
    """For one variable, group many draws by (b1, b2): the mean of ARM in a group is the value of DisARM."""
    h = np.array([[[0.3, -0.4]]])
    toy = Toy(1, 1, 2, rng)
    times = 200_000
    many = np.broadcast_to(h, (times, 1, 2))
    arm_draws = arm.estimate(many, toy.repeated(0, times), np.random.default_rng(2)).grad[:, 0, 1]
    disarm_draws = arm.disarm_estimate(many, toy.repeated(0, times), np.random.default_rng(2)).grad[:, 0, 1]
    for value in np.unique(disarm_draws):
        group = arm_draws[disarm_draws == value]
        error = group.std() / np.sqrt(len(group))
        assert abs(group.mean() - value) < 4 * max(error, 1e-12)
    assert disarm_draws.var() < arm_draws.var()


def test_local_expectation_has_the_mean_of_two_sided_and_less_variance():
    """As eps -> 0 the mean of direct tends to that of local expectation, which is the true gradient."""
    h, toy, truth = setting(4, 2)
    row = measure(estimators.get("two-sided"), h, toy, truth, 100_000, np.random.default_rng(3))
    assert row.z < 5
    assert check("local-expectation").variance < row.variance / 4


def test_eta_minimises_the_variance():
    """After many batches eta is near its best value: the variance is higher at 0, 0.5 and 1.5 times eta."""
    h, toy, _ = setting(4, 2)
    memory = rebar.memory(4, 2)
    rng = np.random.default_rng(0)
    many = np.broadcast_to(h, (500, 4, 2))
    for _ in range(200):
        rebar.estimate(many, toy.repeated(0, 500), rng, tau=0.5, memory=memory)
    variances = {}
    for scale in (0.0, 0.5, 1.0, 1.5):
        fixed = {"a_dot_d": np.array([scale * rebar.eta(memory)]), "d_dot_d": np.ones(1)}
        draws = rebar.estimate(np.broadcast_to(h, (20_000, 4, 2)), toy.repeated(0, 20_000), np.random.default_rng(1),
                               tau=0.5, memory=fixed).grad
        variances[scale] = draws.var(axis=0).sum()
    assert variances[1.0] == min(variances.values())
    assert variances[1.0] < 0.9 * variances[0.0]


def test_relax_is_unbiased_with_any_network(monkeypatch):
    """In a short test the network would stay almost zero, so here its parameters start far from 0."""
    def large_parameters(n, k):
        return {**relax.memory(n, k), "r": np.random.default_rng(3).normal(size=relax.size(n * k))}

    assert check("relax", memory=large_parameters).z < 4
    right = relax.value_and_slope

    def without_slope(r, z):
        value, slope = right(r, z)
        return value, 0 * slope

    monkeypatch.setattr(relax, "value_and_slope", without_slope)
    assert check("relax", memory=large_parameters).z > 12


@pytest.mark.slow
def test_relax_learns_to_lower_its_variance():
    h, toy, _ = setting(4, 2)
    memory = relax.memory(4, 2)
    rng = np.random.default_rng(0)
    many = np.broadcast_to(h, (200, 4, 2))
    squares = [(relax.estimate(many, toy.repeated(0, 200), rng, tau=0.5, memory=memory).grad ** 2).sum() / 200
               for _ in range(600)]
    assert np.mean(squares[-200:]) < 0.9 * np.mean(squares[:100])


# --- RELAX's network: a gradient of a gradient ------------------------------------------------------------------------

def test_network_of_relax_has_correct_gradients(rng):
    flat = rng.normal(size=relax.size(6))
    z = rng.normal(size=(5, 6))
    r = relax.network(flat, 6)
    value, slope = relax.value_and_slope(r, z)
    assert worst(gradcheck(lambda: relax.value_and_slope(r, z)[0].sum(), z, slope, rng)) < 1e-7
    of_value, of_slope = rng.normal(size=5), rng.normal(size=(5, 6))
    grads = np.zeros_like(flat)
    relax.add_gradient(relax.network(grads, 6), r, z, of_value, of_slope)

    def loss():
        value, slope = relax.value_and_slope(relax.network(flat, 6), z)
        return (of_value * value).sum() + (of_slope * slope).sum()

    assert worst(gradcheck(loss, flat, grads, rng)) < 1e-7


@pytest.mark.parametrize("batch_mean", [False, True])
def test_relax_has_the_correct_gradient_of_the_squared_gradient(rng, batch_mean):
    h, toy = rng.normal(size=(6, 3, 2)), Toy(6, 3, 2, rng)
    flat = 0.5 * rng.normal(size=relax.size(6))
    run = lambda: relax.gradients(h, toy, np.random.default_rng(4), 0.5, flat, batch_mean)
    grads = run().grads_r
    assert worst(gradcheck(lambda: (run().grad_h ** 2).sum() / 6, flat, grads, rng)) < 1e-7


# --- planted errors ---------------------------------------------------------------------------------------------------

def test_rebar_without_the_derivative_of_the_conditional_relaxation_is_biased(monkeypatch):
    """The missing term lowers the variance and adds a bias."""
    right = rebar.coupled_samples
    assert check("rebar", samples=100_000).z < 4
    monkeypatch.setattr(rebar, "coupled_samples", lambda h, rng: right(h, rng)._replace(dz_given_b=np.zeros(h.shape)))
    assert check("rebar", samples=100_000).z > 8


def test_rebar_with_an_independent_z_in_place_of_z_given_b_is_biased(monkeypatch):
    right = rebar.coupled_samples

    def independent(h, rng):
        samples = right(h, rng)
        return samples._replace(z_given_b=right(h, rng).z)

    monkeypatch.setattr(rebar, "coupled_samples", independent)
    assert check("rebar", samples=100_000).z > 5.5


def test_conditional_relaxation_has_the_law_of_the_relaxation(rng):
    """z~ given b, averaged over b, is distributed as z, and its arg max is b."""
    h = rng.normal(size=(1, 1, 4)).repeat(100_000, 0)
    samples = rebar.coupled_samples(h, rng)
    assert (samples.z_given_b.argmax(axis=-1) == samples.b.argmax(axis=-1)).all()
    for power in (1, 2):
        difference = samples.z**power - samples.z_given_b**power
        assert np.abs(difference.mean(axis=0) / (difference.std(axis=0) / np.sqrt(len(h)))).max() < 4


def test_derivative_of_the_conditional_relaxation_agrees_with_differences(rng):
    """Differences with respect to log p, with fixed uniform numbers and fixed b."""
    h = rng.normal(size=(3, 2, 4))
    samples = rebar.coupled_samples(h, np.random.default_rng(5))
    E_v = np.random.default_rng(5)
    E_v.standard_exponential(h.shape)
    E_v = E_v.standard_exponential(h.shape)
    of_winner = (E_v * samples.b).sum(axis=-1, keepdims=True)
    z_given_b = lambda log_p: np.where(samples.b > 0, -np.log(of_winner), -np.log(E_v / np.exp(log_p) + of_winner))
    log_p = np.log(samples.p)
    assert_relative(samples.z_given_b, z_given_b(log_p), 1e-10)
    slope = (z_given_b(log_p + 1e-6) - z_given_b(log_p - 1e-6)) / 2e-6
    assert np.abs(slope - samples.dz_given_b).max() < 1e-8


def test_arm_with_separate_noise_for_the_coordinates_is_biased():
    """The signals of some coordinates use the u of one pair of samples and the f of another pair."""
    pair = "_, u, _, _, difference, run = _pair(h, objective, rng)"
    not_shared = planted(arm, pair, f"{pair}\ndifference = np.where(np.arange(h.shape[1]) % 2 == 0, difference, "
                                    "_pair(h, objective, rng)[4])", "estimate").estimate
    assert check("arm").z < 4
    assert check("arm", estimate=not_shared).z > 8


def test_arm_with_swapped_samples_is_biased():
    swapped = planted(arm, "difference * (u - 0.5)", "-difference * (u - 0.5)", "estimate").estimate
    assert check("arm", estimate=swapped).z > 8


def test_disarm_without_its_sign_is_biased():
    unsigned = planted(arm, "0.5 * difference * sign", "0.5 * difference", "disarm_estimate").disarm_estimate
    assert check("disarm", estimate=unsigned).z > 8


def test_batch_mean_score_adds_variance_and_no_bias():
    """The released baselines give every image the mean score of the batch as its learning signal."""
    rng = np.random.default_rng(1)
    images, n, times = 50, 4, 500
    h, toy = rng.normal(size=(images, n, 2)), Toy(images, n, 2, rng)
    toy.c *= 3
    truth = joint.gradient(h, toy.joint_table().f)
    variance = {}
    for batch_mean in (False, True):
        memory, noise = rebar.memory(n, 2), np.random.default_rng(2)
        draws = np.array([rebar.estimate(h, toy, noise, tau=0.5, memory=memory, batch_mean=batch_mean).grad
                          for _ in range(times)])
        z = (draws.mean(axis=0) - truth) / (draws.std(axis=0) / np.sqrt(times))
        assert np.abs(z).max() < 5
        variance[batch_mean] = draws.var(axis=0).sum()
    assert variance[True] > 10 * variance[False]                    # 49 of the fifty scores are noise for an image
