"""Checks that every estimator must pass: memory, errors, number of evaluations, gradient of the decoder."""
from __future__ import annotations

import numpy as np
import pytest

from refimpl import estimators, joint
from refimpl.latent.independent import Independent
from refimpl.models.toy import Toy
from refimpl.models.vae import VAE
from refimpl.nn.gradcheck import gradcheck, worst
from tests.asserts import assert_close_in_norm

K = 5


def check_every_estimator_has_a_name_a_summary_and_its_own_colour():
    for name, entry in estimators.REGISTRY.items():
        assert entry.name == name and entry.summary and estimators.get(name) is entry
        assert entry.serves.__doc__.startswith("The estimator works ")
        assert not (entry.unbiased and entry.bias_order)
        assert all(setting.help for setting in entry.hyperparameters.values())
    assert len({entry.colour for entry in estimators.REGISTRY.values()}) == len(estimators.REGISTRY)


MEMORIES = {"reinforce": {"baseline": 1, "steps": 1}, "perturbed": {"baseline": 1, "steps": 1},
            "rebar": {"a_dot_d": 1, "d_dot_d": 1}, "relax": {"r": 257, "adam_M": 257, "adam_V": 257, "adam_t": 1}}


def check_memories_have_the_expected_sizes():
    # of n = 2 variables with k = 3 values
    assert MEMORIES == {name: {key: array.size for key, array in entry.memory(2, 3).items()}
                        for name, entry in estimators.REGISTRY.items() if entry.memory}


def check_only_enumerating_estimators_evaluate_every_joint_value(name, rng):
    """Use n = 4 and k = 2: there are 16 joint values, and 5 values in a table of single changes."""
    entry, toy = estimators.get(name), Toy(3, 4, 2, rng)
    memory = {"memory": entry.memory(4, 2)} if entry.memory else {}
    entry.estimate(rng.normal(size=(3, 4, 2)), toy, rng, **entry.defaults, **memory)
    assert toy.evaluations == 16 if entry.enumerates else toy.evaluations <= 5


def check_memory_is_updated_in_place(name, toy, h, rng) -> None:
    """Check that the arrays change in place, so that a run can save what was learnt."""
    entry = estimators.get(name)
    memory = entry.memory(1, K)
    same_arrays, before = dict(memory), {key: array.copy() for key, array in memory.items()}
    entry.estimate(h, toy, rng, memory=memory, **({entry.temperature: 0.5} if entry.temperature else {}))
    assert set(memory) == set(same_arrays) and all(memory[key] is array for key, array in same_arrays.items())
    assert all((memory[key] != before[key]).any() for key in memory)


COSTS = {"exact": 4, "tilted": 4, "capped": 4, "amplified": 4, "noisy-exact": 4, "direct": 3,
         "two-sided": 3, "direct-joint": 4,
         "local-expectation": 3, "local-tilted": 3, "reinforce": 2, "reinforce-loo": 2, "perturbed": 2,
         "rebar": 3, "relax": 3, "arm": 2, "disarm": 2}


def check_first_estimate_has_the_stated_cost(name, rng) -> None:
    """Use n = k = 2: four joint values, or three in a table of single changes.

    The first estimate with a moving average needs one evaluation more.
    """
    entry, model = estimators.get(name), VAE(Independent(2, 2), 6, 10, np.float64)
    model.initialise(rng)
    for objective in (Toy(4, 2, 2, rng), model.objective((rng.random((4, 10)) < 0.4).astype(float))):
        settings = {entry.temperature: 0.5} if entry.temperature else {}
        settings |= {"memory": entry.memory(2, 2)} if entry.memory else {}
        entry.estimate(rng.normal(size=(4, 2, 2)), objective, rng, **settings)
        assert objective.evaluations == COSTS.get(name, 1)


def check_decoder_gradient_is_evaluated_at_the_latent(name, n, k, rng) -> None:
    """Check that accumulate() adds the gradient of -1/B sum_b f(x_b, z_b) at the latent's z.

    For estimators that enumerate, f is replaced by its mean under q.
    """
    entry = estimators.get(name)
    model = VAE(Independent(n, k), 6, 10, np.float64)
    model.initialise(rng)
    x, h = (rng.random((4, 10)) < 0.4).astype(float), rng.normal(size=(4, n, k))
    settings = {entry.temperature: 0.5} if entry.temperature else {}
    settings |= {"memory": entry.memory(n, k)} if entry.memory else {}
    grad, decoder_term = entry.estimate(h, model.objective(x), np.random.default_rng(2), **settings)
    grads = {}
    for weight in (1.0, -2.5):
        model.parameters.zero_grads()
        decoder_term.accumulate(weight)
        grads[weight] = model.parameters.grads.copy()
    assert np.abs(grads[1.0]).max() > 0.01
    assert_close_in_norm(grads[-2.5], -2.5 * grads[1.0], 1e-12)
    assert (grads[1.0][:model.encoder.n_parameters] == 0).all()

    def loss():
        enumerates = name in ("exact", "tilted", "capped", "amplified")
        z = joint.one_hots(n, k).reshape(-1, 1, n, k).repeat(4, 1) if enumerates else decoder_term.z[None]
        f = np.stack([model.objective(x).run(one).f for one in z])
        q = np.exp(joint.log_q(h)).T if enumerates else 1.0
        return -(q * f).sum() / 4

    assert worst(gradcheck(loss, model.parameters.values, grads[1.0], rng)) < 1e-7


def check_invalid_temperature_is_rejected(toy, h, rng, name, value) -> None:
    entry = estimators.get(name)
    memory = {"memory": entry.memory(1, K)} if entry.memory else {}
    with pytest.raises(ValueError, match=f"^{entry.temperature} must"):
        entry.estimate(h, toy, rng, **{entry.temperature: value}, **memory)
