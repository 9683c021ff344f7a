"""Planted errors in the estimators: a check must detect each change of a function by a wide margin.

A slip consists of correct code and of the wrong code that replaces it: see slips.py.
"""
from __future__ import annotations

import inspect
from dataclasses import replace
from functools import cache

import pytest

from refimpl import estimators
from refimpl.estimators import (arm, bias_halves, direct, exact, gumbel_rao, gumbel_softmax, imle, label_terms,
                                local_expectation, local_tilted, noisy_exact, perturbed, rebar, reinforce, reinmax,
                                relax, tilted)
from refimpl.latent import pairwise, solvers
from refimpl.models.decoder import DecoderPass
from refimpl.models.tables import SharedTable
from tests.estimators import drawn, label_loops, loops, relations
from tests.mutation.slips import planted

pytestmark = pytest.mark.slow                               # these tests test the tests; they change rarely

LIMIT = 1e-12               # of tests/estimators/test_by_loops.py
MARGIN = 1e-5               # the least error that a slip must cause: ten million times the limit


@pytest.fixture(autouse=True)
def small_network(monkeypatch):
    """Give the network of RELAX three hidden units, as tests/estimators/test_by_loops.py does."""
    monkeypatch.setattr(relax, "HIDDEN", 3)


# --- against plain loops ----------------------------------------------------------------------------------------------

# name: its module and function, and the slips (right code, wrong code, further keywords)
SLIPS = {
    "exact": (exact, "estimate", [
        ("table.weighted(q)", "table.weighted(q / 2)", {}),
        ("joint.gradient(h, table.f)", "joint.gradient(-h, table.f)", {}),
    ]),
    "direct": (direct, "estimate", [
        ("_difference / eps", "_difference", {}),
        ("family.tilt(noisy, eps * table.f)", "family.tilt(noisy, table.f)", {}),
        ("family.tilt(noisy, eps * table.f)", "family.tilt(theta, eps * table.f)", {}),
        ("    table = objective.table(z_star)",
         "    table = objective.table(family.sample(theta, rng))", {}),
        ("(family.features(z_eps) - family.features(z_star)) / eps",
         "(family.features(z_star) - family.features(z_eps)) / eps", {}),
        ("noisy = family.perturb(theta, rng)", "noisy = family.perturb(theta, rng); rng.random()", {}),
    ]),
    "two-sided": (direct, "two_sided_estimate", [
        ("-eps * table.f", "eps * -table.f * 2", {}),
        ("(2 * eps)", "eps", {}),
        ("(family.features(z_plus) - family.features(z_minus))", "(family.features(z_minus) - family.features(z_plus))",
         {}),
        ("family.features(z_plus) - family.features(z_minus)", "family.features(z_plus) - family.features(z_star)", {}),
    ]),
    "direct-joint": (direct, "joint_estimate", [
        ("objective.run(z_star, counted=False)", "objective.run(z_eps, counted=False)", {}),
        ("family.joint_argmax(noisy, _f)", "family.joint_argmax(family.perturb(theta, rng), _f)", {}),
        ("eps * objective.joint_table().f", "objective.joint_table().f", {}),
        ("eps * objective.joint_table().f", "-eps * objective.joint_table().f", {}),
    ]),
    "tilted": (tilted, "estimate", [
        ("gradient(h, table.f, _eps)", "gradient(-h, table.f, _eps)", {}),
        ("direct.expected_gradient(_h, f, eps)", "direct.expected_gradient(_h, f, eps) * eps", {}),
        ("direct.expected_gradient(_h, f, eps)", "direct.expected_gradient(_h, f, 0.5)", {}),
        ("direct.expected_gradient(_h, f, eps)", "direct.expected_gradient(_h, f, eps, two_sided=True)", {}),
        ("table.weighted(np.exp(joint.log_q(h)))", "table.weighted(np.exp(joint.log_q(-h)))", {}),
    ]),
    "capped": (bias_halves, "capped_estimate", [
        ("np.where(d < 0, _u, d)", "np.where(d > 0, _u, d)", {}),
        ("np.expm1(eps * np.minimum(d, 0)) / eps", "np.expm1(eps * np.minimum(d, 0))", {}),
        ("np.expm1(eps * np.minimum(d, 0)) / eps", "np.maximum(d, -1 / eps)", {}),
    ]),
    "amplified": (bias_halves, "amplified_estimate", [
        ("np.where(d > 0, amplified, _u)", "np.where(d < 0, amplified, _u)", {}),
        ("np.maximum(logsumexp(log_q + eps * d, axis=-1, keepdims=True), 0)",
         "logsumexp(log_q + eps * d, axis=-1, keepdims=True)", {}),
        ("np.maximum(logsumexp(log_q + eps * d, axis=-1, keepdims=True), 0)", "0", {}),
        ("np.minimum(gain, 1)", "gain.clip(0, 0.5)", {}),
    ]),
    "noisy-exact": (noisy_exact, "estimate", [
        ("_g - tilted.gradient(h, f, eps)", "_g", {}),
        ("joint.gradient(h, f) + noise", "noise", {}),
        ("joint.gradient(h, f) + noise", "joint.gradient(h, f) + 0 * noise", {}),
        ("joint.gradient(h, f) + noise", "joint.gradient(h, f) - noise", {}),
        ("noisy + eps * f", "noisy + f", {}),
        ("objective.run(z_star, counted=False)", "objective.run(z_eps, counted=False)", {}),
    ]),
    "imle": (imle, "estimate", [
        ("family.tilt(noisy, eps * run.df_dz())", "family.tilt(noisy, run.df_dz())", {}),
        ("family.tilt(noisy, eps * run.df_dz())", "family.tilt(theta, eps * run.df_dz())", {}),
        ("family.tilt(noisy, eps * run.df_dz())", "family.tilt(noisy, eps * objective.table(z_star).f)", {}),
        ("_difference / eps", "_difference", {}),
        ("Estimate(_gradient, run)", "Estimate(_gradient, objective.run(z_eps))", {}),
    ]),
    "gumbel-softmax": (gumbel_softmax, "estimate", [
        ("relaxed.back(run.df_dz())", "relaxed.back(run.df_dz()) * tau", {}),
        ("family.relax(theta, rng, temperature(\"tau\", tau))",
         "family.relax(theta, rng, temperature(\"tau\", 0.5))", {}),
        ("objective.run(relaxed.z)", "objective.run(one_hot(relaxed.z.argmax(axis=-1), 2))", {}),
    ]),
    "straight-through-gumbel-softmax": (gumbel_softmax, "straight_through_estimate", [
        ("objective.run(one_hot(relaxed.z.argmax(axis=-1), h.shape[-1]))", "objective.run(relaxed.z)", {}),
        ("_family.relax(h, rng, temperature(\"tau\", tau))", "_family.relax(h, rng, 1.0)", {}),
    ]),
    "gumbel-rao": (gumbel_rao, "estimate", [
        ("total / (samples * tau)", "total / samples", {}),
        ("total / (samples * tau)", "total / tau", {}),
        ("gumbel.sample_given_argmax(h, b.argmax(axis=-1), rng)", "gumbel.sample(h.shape, rng)", {}),
        ("gumbel.sample_given_argmax(h, b.argmax(axis=-1), rng)",
         "gumbel.sample_given_argmax(0 * h, b.argmax(axis=-1), rng)", {}),
        ("range(samples)", "range(1, samples)", {}),
        ("objective.run(b)", "objective.run(softmax(h, axis=-1))", {}),
    ]),
    "reinmax": (reinmax, "estimate", [
        ("2 * through_softmax(_pi, g)", "1 * through_softmax(_pi, g)", {}),
        ("_two - through_softmax(softmax(h, axis=-1), g) / 2", "_two", {}),
        ("through_softmax(softmax(h, axis=-1), g) / 2", "through_softmax(softmax(h, axis=-1), g)", {}),
        ("through_softmax(softmax(h, axis=-1), g) / 2", "through_softmax(softmax(h / tau, axis=-1), g) / 2", {}),
        ("softmax(h / tau, axis=-1)", "softmax(h, axis=-1)", {}),
        ("run = objective.run(D)", "run = objective.run(softmax(h, axis=-1))", {}),
    ]),
    "local-expectation": (local_expectation, "estimate", [
        ("    table = objective.table(sample(h, rng))",
         "    table, anew = objective.table(sample(h, rng)), objective.table(sample(h, rng))\n"
         "    table.f[:, :, 1] = anew.f[:, :, 1]", {}),
        ("exact.gradient(h, table.f)", "exact.gradient(h, table.f) / h.shape[1]", {}),
        ("Estimate(exact.gradient(h, table.f), table.at_z)",
         "Estimate(exact.gradient(h, table.f), objective.run(sample(h, rng)))", {}),
    ]),
    "local-tilted": (local_tilted, "estimate", [
        ("direct.expected_gradient(h, table.f, _eps)", "direct.expected_gradient(h, table.f, 0.1)", {}),
        ("direct.expected_gradient(h, table.f, _eps)", "direct.expected_gradient(h, -table.f, _eps)", {}),
        ("direct.expected_gradient(h, table.f, _eps)", "direct.expected_gradient(h, table.f, _eps, two_sided=True)",
         {}),
        ("table.at_z", "objective.run(sample(h, rng))", {}),
    ]),
    "reinforce": (reinforce, "estimate", [
        ("signal = run.f - memory[\"baseline\"][0]",
         "signal = run.f - 0.99 * memory[\"baseline\"][0] - 0.01 * run.f.mean()", {}),
        ("objective.run(sample(h, rng)).f.mean()", "objective.run(b).f.mean()", {}),
        ("memory[\"steps\"] += 1", "memory[\"steps\"] += 0", {}),
        ("(1 - DECAY) * run.f.mean()", "(1 - DECAY) * run.f.sum()", {}),
        ("DECAY = 0.99", "DECAY = 0.999", {}),
        ("signal * (b - softmax(h, axis=-1))", "signal * b", {}),
    ]),
    "reinforce-loo": (reinforce, "leave_one_out_estimate", [
        ("0.5 * _difference", "_difference", {}),
        ("Estimate(_gradient, second)", "Estimate(_gradient, first)", {}),
        ("_difference * (one - other)", "_difference * (one - softmax(h, axis=-1))", {}),
    ]),
    "perturbed": (perturbed, "estimate", [
        ("1 - X", "-X", {}),
        ("1 - X", "X - 1", {}),
        ("np.exp(-noise - EULER)", "np.exp(-noise)", {}),
        ("np.exp(-noise - EULER)", "np.exp(-(theta + noise) - EULER)", {}),
        ("np.exp(-noise - EULER)", "np.exp(-family.noise(theta, rng) - EULER)", {}),
        ("objective.run(family.sample(theta, rng)).f.mean()", "run.f.mean()", {}),
        ("    run = objective.run(z_star)", "    run = objective.run(family.sample(theta, rng))", {}),
    ]),
    "rebar": (rebar, "estimate", [
        ("    grad_h = a - eta(memory) * d",
         "    memory['a_dot_d'] += (a * d).sum()\n    memory['d_dot_d'] += (d * d).sum()\n"
         "    grad_h = a - eta(memory) * d", {}),
        ("np.where(b > 0, -np.log(of_winner), -log_total)", "np.where(b > 0, -np.log(of_winner), -log_waiting)", {}),
        ("np.where(b > 0, 0.0, np.exp(log_waiting - log_total))", "np.zeros(h.shape)", {}),
        ("np.where(b > 0, 0.0, np.exp(log_waiting - log_total))", "np.exp(log_waiting - log_total)", {}),
        ("through_softmax(soft, run.df_dz()) / tau", "through_softmax(soft, run.df_dz())", {}),
        ("softmax(z / tau, axis=-1)", "softmax(z, axis=-1)", {}),
        ("DECAY = 0.99", "DECAY = 0.9", {}),
        ("_share * now / len(h)", "_share * now", {}),
        ("return Estimate(grad_h, run)", "return Estimate(grad_h, objective.run(softmax(samples.z, axis=-1)))", {}),
        ("np.full_like(f, f.sum())", "np.full_like(f, f.mean())", {"batch_mean": True}),
        ("np.full_like(f, f.sum()), np.full_like(f_given_b, f_given_b.sum())", "np.full_like(f, f.sum()), f_given_b",
         {"batch_mean": True}),
    ]),
    "relax": (relax, "estimate", [
        ("    found = gradients(h, objective, rng, temperature(\"tau\", tau), memory[\"r\"],\n"
         "                      flag(\"batch_mean\", batch_mean))\n",
         "    from copy import deepcopy\n"
         "    first = gradients(h, objective, deepcopy(rng), tau, memory['r'], batch_mean)\n"
         "    memory['r'] -= LR * np.sign(first.grads_r)\n"
         "    found = gradients(h, objective, rng, tau, memory['r'], batch_mean)\n", {}),
        ("adam.step()", "None", {}),
        ("int(memory[\"adam_t\"][0])\n", "0\n", {}),
        ("    memory[\"adam_t\"][0] = adam.t\n", "", {}),
        ("Parameters(_r, found.grads_r)", "Parameters(_r, -found.grads_r)", {}),
        ("LR = 1e-3", "LR = 2e-3", {}),
        ("temperature(\"tau\", tau)", "0.5", {}),
        ("run.f - f_given_b - r_given_b", "run.f - f_given_b", {"old_memory": True}),
        ("_c - samples.dz_given_b * grad_c_given_b", "_c - grad_c_given_b", {}),
        ("        signal = np.full_like(signal, signal.sum())", "        signal = np.full_like(signal, signal.mean())",
         {"batch_mean": True}),
        ("        of_signal = np.full_like(of_signal, of_signal.sum())", "        pass", {"batch_mean": True}),
        ("Estimate(_gradient, found.run)", "Estimate(_gradient, objective.run(found.samples.z_given_b))", {}),
    ]),
    "arm": (arm, "estimate", [
        ("difference * (u - 0.5)", "difference * u", {}),
        ("difference * (u - 0.5)", "difference * (0.5 - u)", {}),
        ("u > expit(-logit), u < expit(logit)", "u < expit(logit), u < expit(logit)", {}),
        ("u = rng.random(logit.shape)", "u = np.broadcast_to(rng.random((len(h), 1)), logit.shape)", {}),
        ("return _logit, _u, _b1, _b2, _difference, other",
         "return _logit, _u, _b1, _b2, _difference, objective.run(first / 2 + second / 2)", {}),
        ("np.stack([-grad_logit, grad_logit], axis=-1)", "np.stack([grad_logit, grad_logit], axis=-1)", {}),
    ]),
    "disarm": (arm, "disarm_estimate", [
        ("_signed * (b1 != b2)", "_signed", {}),
        ("0.5 * difference * sign", "difference * sign", {}),
        ("np.where(b2, -1.0, 1.0)", "np.where(b2, 1.0, -1.0)", {}),
        ("expit(np.abs(logit))", "expit(logit)", {}),
    ]),
}
ROWS = [(name, *slip) for name, (_, _, slips) in SLIPS.items() for slip in slips]


def slipped(name, right, wrong):
    module, function, _ = SLIPS[name]
    copy = planted(module, right, wrong, function)
    if module is relax:
        copy.HIDDEN = relax.HIDDEN                          # the value of the fixture
    return getattr(copy, function)


@cache
def difference_of_the_correct_code(name, *keywords) -> float:
    return loops.worst_difference(name, value=0.3, **dict(keywords))


def ids_of(rows):
    return [f"{row[0]}: {row[2].strip()[:40]}" for row in rows]


def test_every_estimator_has_planted_errors():
    assert set(SLIPS) == set(estimators.REGISTRY)


@pytest.mark.parametrize("name, right, wrong, keywords", ROWS, ids=ids_of(ROWS))
def test_plain_loops_detect_planted_errors(name, right, wrong, keywords):
    assert difference_of_the_correct_code(name, *keywords.items()) < LIMIT
    estimate = slipped(name, right, wrong)
    assert loops.worst_difference(name, estimate=estimate, value=0.3, **keywords) > MARGIN


# --- against enumeration and quadrature, which do not share errors with the loops ------------------------------------

# name, right code, wrong code: slips that do not change the mean
SAME_MEAN = [
    ("disarm", "_signed * (b1 != b2)", "_signed"),
    ("direct", "family.tilt(noisy, eps * table.f)",
     "family.tilt(family.perturb(theta, rng), eps * table.f)"),
    ("two-sided", "family.tilt(noisy, -eps * table.f)", "family.tilt(family.perturb(theta, rng), -eps * table.f)"),
    ("direct-joint", "family.joint_argmax(noisy, _f)", "family.joint_argmax(family.perturb(theta, rng), _f)"),
    ("local-expectation", "    table = objective.table(sample(h, rng))",
     "    table, anew = objective.table(sample(h, rng)), objective.table(sample(h, rng))\n"
     "    table.f[:, :, 1] = anew.f[:, :, 1]"),
    ("reinforce-loo", "_difference * (one - other)", "_difference * 2 * (one - softmax(h, axis=-1))"),
    ("reinforce", "signal = run.f - memory[\"baseline\"][0]", "signal = run.f + memory[\"baseline\"][0]"),
    ("perturbed", "centred(run, memory, _another)", "run.f"),
    ("gumbel-rao", "gumbel.sample_given_argmax(h, b.argmax(axis=-1), rng)",                  # the same draw each time
     "gumbel.sample_given_argmax(h, b.argmax(axis=-1), np.random.default_rng(5))"),
    ("rebar", "a - eta(memory) * d", "a + eta(memory) * d"),
    ("arm", "difference * (u - 0.5)", "difference * (u - 0.5) * 2 * (rng.random(u.shape) < 0.5)"),
]
# slips that change the mean
OTHER_MEAN = [
    ("direct", "(family.features(z_eps) - family.features(z_star)) / eps",
     "(family.features(z_eps) - family.features(z_star))"),
    ("two-sided", "(2 * eps)", "eps"),
    ("two-sided", "family.tilt(noisy, -eps * table.f)", "family.tilt(noisy, -2 * eps * table.f)"),
    ("direct-joint", "eps * objective.joint_table().f", "2 * eps * objective.joint_table().f"),
    ("gumbel-softmax", "family.relax(theta, rng, temperature(\"tau\", tau))", "family.relax(theta, rng, 2 * tau)"),
    ("straight-through-gumbel-softmax", "objective.run(one_hot(relaxed.z.argmax(axis=-1), h.shape[-1]))",
     "objective.run(relaxed.z)"),
    ("gumbel-rao", "gumbel.sample_given_argmax(h, b.argmax(axis=-1), rng)", "gumbel.sample(h.shape, rng)"),
    ("gumbel-rao", "b.argmax(axis=-1)", "sample(h, rng).argmax(axis=-1)"),
    ("reinmax", "2 * through_softmax(_pi, g)", "1 * through_softmax(_pi, g)"),
    ("reinmax", "_two - through_softmax(softmax(h, axis=-1), g) / 2", "_two"),
    ("reinforce", "signal * (b - softmax(h, axis=-1))", "signal * b"),
    ("perturbed", "1 - X", "-X"),
    ("perturbed", "np.exp(-noise - EULER)", "np.exp(-noise)"),
    ("rebar", "np.where(b > 0, 0.0, np.exp(log_waiting - log_total))", "np.zeros(h.shape)"),
    ("relax", "_c - samples.dz_given_b * grad_c_given_b", "_c - grad_c_given_b"),
    ("arm", "u > expit(-logit), u < expit(logit)", "u < expit(logit), u > expit(-logit)"),
    ("disarm", "expit(np.abs(logit))", "expit(logit)"),
]


@pytest.mark.parametrize("name, right, wrong", SAME_MEAN, ids=ids_of(SAME_MEAN))
def test_covariance_detects_errors_that_do_not_change_the_mean(name, right, wrong):
    of_mean, of_covariance = drawn.worst_moment(name, slipped(name, right, wrong))
    assert of_mean < 4.5 and of_covariance > 3 * 4.5


@pytest.mark.parametrize("name, right, wrong", OTHER_MEAN, ids=ids_of(OTHER_MEAN))
def test_mean_detects_planted_errors(name, right, wrong):
    assert drawn.worst_moment(name, slipped(name, right, wrong))[0] > 3 * 4.5


@pytest.mark.parametrize("name, right, wrong", [
    ("direct", "table.at_z", "objective.run(z_eps)"),
    ("two-sided", "table.at_z", "objective.run(z_plus)"),
    ("direct-joint", "objective.run(z_star, counted=False)", "objective.run(z_eps, counted=False)"),
    ("rebar", "return Estimate(grad_h, run)",
     "return Estimate(grad_h, objective.run(one_hot(samples.dz_given_b.argmax(axis=-1), 2)))"),
    ("arm", "u > expit(-logit), u < expit(logit)", "u > expit(-logit), u < expit(-logit)"),
    ("perturbed", "family.argmax(theta + noise)", "family.argmax(2 * theta + noise)"),
    ("reinforce", "b = sample(h, rng)", "b = sample(2 * h, rng)")])
def test_law_of_the_latent_detects_planted_errors(name, right, wrong):
    assert drawn.excess_chi_square_of_the_latent(name, slipped(name, right, wrong)) > 15


def test_direct_joint_without_shared_noise_lowers_f():
    fresh = slipped("direct-joint", "family.joint_argmax(noisy, _f)",
                    "family.joint_argmax(family.perturb(theta, rng), _f)")
    assert drawn.draws_in_which_the_joint_pair_falls(fresh) > 50


def test_disarm_without_its_zeros_is_detected():
    assert drawn.share_of_nonzero_where_samples_agree(slipped("disarm", "_signed * (b1 != b2)", "_signed")) > 0.5


@pytest.mark.parametrize("right, wrong", [row[:2] for row in SLIPS["reinmax"][2][:3]])
def test_quadratic_f_detects_errors_in_reinmax(monkeypatch, right, wrong):
    assert drawn.error_of_reinmax(planted(reinmax, right, wrong), monkeypatch) > 0.05


@pytest.mark.parametrize("right, wrong", [
    ("np.where(_b, _winner, -log_total)", "np.where(_b, _winner, -log_waiting)"),          # v_b forgotten
    ("np.where(_b, -np.log(of_winner), _other)", "np.where(_b, log_p - np.log(of_winner), _other)"),
    ("log_waiting = np.log(E_v) - log_p", "log_waiting = np.log(E_v)"),                 # p_i forgotten
    ("z = log_p - np.log(E_u)", "z = h - np.log(E_u)")])                                # h instead of log p
def test_law_of_z_given_b_detects_planted_errors(right, wrong):
    assert drawn.worst_law_of_z_given_b(planted(rebar, right, wrong).coupled_samples) > 3 * 2.2


def test_z_given_b_that_equals_z_is_detected():
    """Its law is correct, but it is not independent of z given b."""
    def same(h, rng):
        drawn = rebar.coupled_samples(h, rng)
        return drawn._replace(z_given_b=drawn.z)

    assert drawn.worst_law_of_z_given_b(same) < 2.2
    assert drawn.correlation_of_the_winners(same) > 100


# --- gradient terms of labelled images --------------------------------------------------------------------------------

@pytest.mark.parametrize("name, function, right, wrong", [
    ("released", "released", "_y - gumbel.one_hot(z_star, k)", "_y - softmax(h, axis=-1)"),
    ("released", "released", "_term / eps", "_term * eps"),
    ("released", "released", "_term / eps", "-_term / eps"),
    ("direct-loss", "direct_loss", "direct.gradient(h, f, eps, _noise)", "direct.gradient(h, -f, eps, _noise)"),
    ("direct-loss", "direct_loss", "direct.gradient(h, f, eps, _noise)", "direct.gradient(h, f / eps, eps, _noise)"),
    ("direct-loss", "direct_loss", "direct.gradient(h, f, eps, _noise)",
     "direct.two_sided_gradient(h, f, eps, _noise)"),
    ("cross-entropy", "cross_entropy", "softmax(h, axis=-1)", "softmax(-h, axis=-1)"),
    ("cross-entropy", "cross_entropy", "softmax(h, axis=-1)", "softmax(h / eps, axis=-1)"),
])
def test_plain_loops_detect_errors_in_labelled_terms(name, function, right, wrong):
    assert label_loops.worst_difference(name, getattr(planted(label_terms, right, wrong, function), function)) > 0.01


# --- pair scores ------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("name, right, wrong", [
    ("direct", "gamma[..., 1] - gamma[..., 0]", "gamma[..., 1]"),
    ("direct", "table[..., 1] - table[..., 0]", "table[..., 0] - table[..., 1]"),
    ("two-sided", "np.concatenate([ones, products(ones)], axis=-1)",
     "np.concatenate([ones, 0 * products(ones)], axis=-1)"),
    ("direct-joint", "_scores + arguments.finite(\"f\", table)", "_scores + 2 * table"),
    ("gumbel-softmax", "through_softmax(weights, df_dweights) / tau", "through_softmax(weights, df_dweights)"),
    ("gumbel-softmax", "np.stack([1 - ones, ones], axis=-1)", "np.stack([ones, 1 - ones], axis=-1)"),
])
def test_plain_loops_detect_errors_in_the_pairwise_family(name, right, wrong):
    family = planted(pairwise, right, wrong).Pairwise(3, solvers.get("enumeration"), False)

    def slipped_estimate(theta, objective, rng, **settings):
        return estimators.get(name).estimate(theta, objective, rng, **{**settings, "family": family})

    assert loops.worst_difference_with_pairs(name, value=0.4) < LIMIT
    assert loops.worst_difference_with_pairs(name, slipped_estimate, value=0.4) > MARGIN


# --- checks that do not depend on samples: a slip in the registry makes them fail -------------------------------------

@pytest.mark.parametrize("test, name, right, wrong", [
    (drawn.check_gradient_is_zero_if_f_is_zero, "direct-joint", "family.joint_argmax(noisy, _f)",
     "family.joint_argmax(family.perturb(theta, rng), _f)"),
    (drawn.check_gradient_is_zero_if_f_is_zero, "two-sided", "family.tilt(noisy, -eps * table.f)",
     "family.tilt(family.perturb(theta, rng), -eps * table.f)"),
    (drawn.check_gradient_is_zero_if_f_is_zero, "rebar", "a - eta(memory) * d", "a - d + samples.b"),
    (drawn.check_scaling_f_equals_scaling_eps, "direct",
     "(family.features(z_eps) - family.features(z_star)) / eps",
     "(family.features(z_eps) - family.features(z_star))"),
    (drawn.check_scaling_f_equals_scaling_eps, "two-sided", "-eps * table.f", "-eps**2 * table.f"),
    (drawn.check_scaling_f_equals_scaling_eps, "direct-joint", "eps * objective.joint_table().f",
     "objective.joint_table().f"),
    (drawn.check_two_sided_equals_direct_two_sided_gradient, "two-sided",
     "-eps * table.f", "-2 * eps * table.f"),
    (drawn.check_two_sided_equals_direct_two_sided_gradient, "two-sided", "(2 * eps)", "eps"),
    (relations.check_invalid_temperature_is_rejected, "reinmax", "temperature(\"tau\", tau)", "tau"),
    (relations.check_invalid_temperature_is_rejected, "rebar", "temperature(\"tau\", tau)", "tau"),
    (relations.check_memory_is_updated_in_place, "reinforce", "memory[\"baseline\"] *= DECAY",
     "memory[\"baseline\"] = memory[\"baseline\"] * DECAY"),
    (relations.check_memory_is_updated_in_place, "relax", "adam.step()", "None"),
    (relations.check_first_estimate_has_the_stated_cost, "direct-joint",
     "objective.run(z_star, counted=False)", "objective.run(z_star, counted=True)"),
    (relations.check_first_estimate_has_the_stated_cost, "reinforce",
     "objective.run(sample(h, rng)).f.mean()", "objective.run(sample(h, rng), counted=False).f.mean()"),
])
def test_exact_relations_detect_planted_errors(monkeypatch, rng, test, name, right, wrong):
    h, toy = drawn.problem(1, 5)
    given = {"name": name, "toy": toy, "h": h[None], "rng": rng, "value": -1.0}
    given = {key: given[key] for key in inspect.signature(test).parameters}
    test(**given)
    monkeypatch.setitem(estimators.REGISTRY, name, replace(estimators.get(name), estimate=slipped(name, right, wrong)))
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        test(**given)


@pytest.mark.parametrize("change", [{"memory": relax.memory}, {"memory": None}, {"unbiased": True, "bias_order": 1},
                                    {"enumerates": True}, {"colour": "#000000"}])
def test_wrong_declaration_of_an_estimator_is_detected(monkeypatch, rng, change):
    monkeypatch.setitem(estimators.REGISTRY, "rebar", replace(estimators.get("rebar"), **change))
    with pytest.raises((AssertionError, TypeError)):
        relations.check_every_estimator_has_a_name_a_summary_and_its_own_colour()
        relations.check_memories_have_the_expected_sizes()
        relations.check_only_enumerating_estimators_evaluate_every_joint_value("rebar", rng)


RIGHT_LEARN, RIGHT_TABLE = DecoderPass.accumulate, SharedTable.accumulate


@pytest.mark.parametrize("name, target, wrong", [
    ("direct", DecoderPass, lambda self, weight=1.0: RIGHT_LEARN(self, 1.0)),               # weight ignored
    ("rebar", DecoderPass, lambda self, weight=1.0: RIGHT_LEARN(self, -weight)),            # wrong sign
    ("arm", DecoderPass, lambda self, weight=1.0: RIGHT_LEARN(self, weight * len(self.z))),  # a sum, not a mean
    ("exact", SharedTable, lambda self, weights, weight: RIGHT_TABLE(self, weights**2, weight)),
])
def test_wrong_decoder_gradients_are_detected(monkeypatch, rng, name, target, wrong):
    monkeypatch.setattr(target, "accumulate", wrong)
    with pytest.raises(AssertionError):
        relations.check_decoder_gradient_is_evaluated_at_the_latent(name, 2, 2, rng)
