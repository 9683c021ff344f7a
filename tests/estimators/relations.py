"""What every estimator must do: change its memory in place, refuse, cost and teach what it claims."""
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


def check_every_entry_has_a_name_words_and_a_colour_of_its_own():
    for name, entry in estimators.REGISTRY.items():
        assert entry.name == name and entry.summary and estimators.get(name) is entry
        assert entry.serves.__doc__.startswith("Serves ")
        assert not (entry.unbiased and entry.bias_order)
        assert all(setting.help for setting in entry.hyperparameters.values())
    assert len({entry.colour for entry in estimators.REGISTRY.values()}) == len(estimators.REGISTRY)


MEMORIES = {"reinforce": {"baseline": 1, "steps": 1}, "perturbed": {"baseline": 1, "steps": 1},
            "rebar": {"a_dot_d": 1, "d_dot_d": 1}, "relax": {"r": 257, "adam_M": 257, "adam_V": 257, "adam_t": 1}}


def check_the_sizes_of_the_memories():
    """Of n = 2 variables of k = 3 values."""
    assert MEMORIES == {name: {key: array.size for key, array in entry.memory(2, 3).items()}
                        for name, entry in estimators.REGISTRY.items() if entry.memory}


def check_those_that_enumerate_evaluate_every_joint_value_and_the_others_do_not(name, rng):
    """Check it with n = 4, k = 2: there are 16 joint values, and 5 in a table of single changes."""
    entry, toy = estimators.get(name), Toy(3, 4, 2, rng)
    memory = {"memory": entry.memory(4, 2)} if entry.memory else {}
    entry.estimate(rng.normal(size=(3, 4, 2)), toy, rng, **entry.defaults, **memory)
    assert toy.evaluations == 16 if entry.enumerates else toy.evaluations <= 5


def check_a_memory_is_changed_in_place(name, toy, h, rng) -> None:
    """Check that the arrays are changed in place, so that a run can save what has been learnt."""
    entry = estimators.get(name)
    memory = entry.memory(1, K)
    held, before = dict(memory), {key: array.copy() for key, array in memory.items()}
    entry.estimate(h, toy, rng, memory=memory, **({entry.temperature: 0.5} if entry.temperature else {}))
    assert set(memory) == set(held) and all(memory[key] is held[key] for key in held)
    assert all((held[key] != before[key]).any() for key in held)


COSTS = {"exact": 4, "tilted": 4, "capped": 4, "amplified": 4, "noisy-exact": 4, "direct": 3,
         "two-sided": 3, "direct-joint": 4,
         "local-expectation": 3, "local-tilted": 3, "reinforce": 2, "reinforce-loo": 2, "perturbed": 2,
         "rebar": 3, "relax": 3, "arm": 2, "disarm": 2}


def check_first_estimates_cost_as_much_of_a_decoder_as_of_a_toy(name, rng) -> None:
    """n = k = 2: four joint values, three around one.  A moving average's first estimate needs one more."""
    entry, model = estimators.get(name), VAE(Independent(2, 2), 6, 10, np.float64)
    model.initialise(rng)
    for objective in (Toy(4, 2, 2, rng), model.objective((rng.random((4, 10)) < 0.4).astype(float))):
        settings = {entry.temperature: 0.5} if entry.temperature else {}
        settings |= {"memory": entry.memory(2, 2)} if entry.memory else {}
        entry.estimate(rng.normal(size=(4, 2, 2)), objective, rng, **settings)
        assert objective.evaluations == COSTS.get(name, 1)


def check_the_decoder_learns_from_the_latent(name, n, k, rng) -> None:
    """learn() adds the gradient of -1/B sum_b f(x_b, z_b) at the latent's z; for enumeration, of the mean under q."""
    entry = estimators.get(name)
    model = VAE(Independent(n, k), 6, 10, np.float64)
    model.initialise(rng)
    x, h = (rng.random((4, 10)) < 0.4).astype(float), rng.normal(size=(4, n, k))
    settings = {entry.temperature: 0.5} if entry.temperature else {}
    settings |= {"memory": entry.memory(n, k)} if entry.memory else {}
    grad, decoder_term = entry.estimate(h, model.objective(x), np.random.default_rng(2), **settings)
    found = {}
    for weight in (1.0, -2.5):
        model.parameters.zero_grads()
        decoder_term.accumulate(weight)
        found[weight] = model.parameters.grads.copy()
    assert np.abs(found[1.0]).max() > 0.01
    assert_close_in_norm(found[-2.5], -2.5 * found[1.0], 1e-12)
    assert (found[1.0][:model.encoder.n_parameters] == 0).all()

    def loss():
        silent = name in ("exact", "tilted", "capped", "amplified")
        z = joint.one_hots(n, k).reshape(-1, 1, n, k).repeat(4, 1) if silent else decoder_term.z[None]
        f = np.stack([model.objective(x).run(one).f for one in z])
        q = np.exp(joint.log_q(h)).T if silent else 1.0
        return -(q * f).sum() / 4

    assert worst(gradcheck(loss, model.parameters.values, found[1.0], rng)) < 1e-7


def check_bad_temperatures(toy, h, rng, name, value) -> None:
    entry = estimators.get(name)
    memory = {"memory": entry.memory(1, K)} if entry.memory else {}
    with pytest.raises(ValueError, match=f"^{entry.temperature} must"):
        entry.estimate(h, toy, rng, **{entry.temperature: value}, **memory)
