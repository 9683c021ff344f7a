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
# name: unbiased, setting, default, arrays of its memory for n = 2, k = 3, any_family, binary, enumerates, released
CLAIMS = {
    "exact": (True, None, None, None, False, False, True, {}),
    "direct": (False, "eps", 0.1, None, True, False, False, {"kl_grad": False}),
    "two-sided": (False, "eps", 0.1, None, True, False, False, {"kl_grad": False}),
    "direct-joint": (False, "eps", 0.1, None, True, False, True, {"kl_grad": False}),
    "tilted": (False, "eps", 0.1, None, False, False, True, {"kl_grad": False}),
    "noisy-exact": (True, "eps", 0.1, None, False, False, True, {"kl_grad": False}),
    "imle": (False, "eps", 0.1, None, True, False, False, {"kl_grad": False}),
    "gumbel-softmax": (False, "tau", 0.5, None, True, False, False, {}),
    "straight-through-gumbel-softmax": (False, "tau", 0.5, None, False, False, False, {}),
    "reinmax": (False, "tau", 1.0, None, False, False, False, {}),
    "local-expectation": (True, None, None, None, False, False, False, {}),
    "local-tilted": (False, "eps", 0.1, None, False, False, False, {"kl_grad": False}),
    "reinforce": (True, None, None, {"baseline": 1, "steps": 1}, False, False, False, {}),
    "reinforce-loo": (True, None, None, None, False, False, False, {}),
    "perturbed": (True, None, None, {"baseline": 1, "steps": 1}, False, False, False, {}),
    "rebar": (True, "tau", 0.5, {"a_dot_d": 1, "d_dot_d": 1}, False, False, False, {"batch_mean": True}),
    "relax": (True, "tau", 0.5, {"r": 257, "adam_M": 257, "adam_V": 257, "adam_t": 1}, False, False, False,
              {"batch_mean": True}),
    "arm": (True, None, None, None, False, True, False, {}),
    "disarm": (True, None, None, None, False, True, False, {}),
}


def check_registry_claims_what_is_written_here() -> None:
    found = {}
    for name, entry in estimators.REGISTRY.items():
        memory = {key: array.size for key, array in entry.memory(2, 3).items()} if entry.memory else None
        found[name] = (entry.unbiased, entry.setting, entry.default, memory, entry.any_family, entry.binary,
                       entry.enumerates, entry.released)
        assert entry.name == name and entry.summary and estimators.get(name) is entry
        assert entry.keywords("a family") == ({"family": "a family"} if entry.any_family else {})
    assert found == CLAIMS and list(found) == list(CLAIMS)
    assert len({entry.colour for entry in estimators.REGISTRY.values()}) == len(CLAIMS)


def check_a_memory_is_changed_in_place(name, toy, h, rng) -> None:
    """Whoever holds the arrays, to save them, sees what has been learnt."""
    entry = estimators.get(name)
    memory = entry.memory(1, K)
    held, before = dict(memory), {key: array.copy() for key, array in memory.items()}
    entry.estimate(h, toy, rng, memory=memory, **({entry.setting: 0.5} if entry.setting else {}))
    assert set(memory) == set(held) and all(memory[key] is held[key] for key in held)
    assert all((held[key] != before[key]).any() for key in held)


COSTS = {"exact": 4, "tilted": 4, "noisy-exact": 4, "direct": 3, "two-sided": 3, "direct-joint": 4,
         "local-expectation": 3, "local-tilted": 3, "reinforce": 2, "reinforce-loo": 2, "perturbed": 2,
         "rebar": 3, "relax": 3, "arm": 2, "disarm": 2}


def check_first_estimates_cost_as_much_of_a_decoder_as_of_a_toy(name, rng) -> None:
    """n = k = 2: four joint values, three around one.  A moving average's first estimate needs one more."""
    entry, model = estimators.get(name), VAE(Independent(2, 2), 6, 10, np.float64)
    model.initialise(rng)
    for objective in (Toy(4, 2, 2, rng), model.objective((rng.random((4, 10)) < 0.4).astype(float))):
        settings = {entry.setting: 0.5} if entry.setting else {}
        settings |= {"memory": entry.memory(2, 2)} if entry.memory else {}
        entry.estimate(rng.normal(size=(4, 2, 2)), objective, rng, **settings)
        assert objective.evaluations == COSTS.get(name, 1)


def check_the_decoder_learns_from_the_latent(name, n, k, rng) -> None:
    """learn() adds the gradient of -1/B sum_b f(x_b, z_b) at the latent's z; for enumeration, of the mean under q."""
    entry = estimators.get(name)
    model = VAE(Independent(n, k), 6, 10, np.float64)
    model.initialise(rng)
    x, h = (rng.random((4, 10)) < 0.4).astype(float), rng.normal(size=(4, n, k))
    settings = {entry.setting: 0.5} if entry.setting else {}
    settings |= {"memory": entry.memory(n, k)} if entry.memory else {}
    grad, latent = entry.estimate(h, model.objective(x), np.random.default_rng(2), **settings)
    found = {}
    for weight in (1.0, -2.5):
        model.parameters.zero_grads()
        latent.learn(weight)
        found[weight] = model.parameters.grads.copy()
    assert np.abs(found[1.0]).max() > 0.01
    assert_close_in_norm(found[-2.5], -2.5 * found[1.0], 1e-12)
    assert (found[1.0][:model.encoder.n_parameters] == 0).all()

    def loss():
        silent = name in ("exact", "tilted")
        z = joint.one_hots(n, k).reshape(-1, 1, n, k).repeat(4, 1) if silent else latent.z[None]
        f = np.stack([model.objective(x).run(one).f for one in z])
        q = np.exp(joint.log_q(h)).T if silent else 1.0
        return -(q * f).sum() / 4

    assert worst(gradcheck(loss, model.parameters.values, found[1.0], rng)) < 1e-7


def check_bad_temperatures(toy, h, rng, name, value) -> None:
    entry = estimators.get(name)
    memory = {"memory": entry.memory(1, K)} if entry.memory else {}
    with pytest.raises(ValueError, match=f"^{entry.setting} must"):
        entry.estimate(h, toy, rng, **{entry.setting: value}, **memory)
