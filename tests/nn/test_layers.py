"""Check every backward pass against differences of its forward pass, and the checker against planted errors."""
from __future__ import annotations

import numpy as np
import pytest

from refimpl.latent.independent import Independent
from refimpl.models.mixture import MixtureVAE
from refimpl.models.vae import VAE
from refimpl.nn.adam import Adam
from refimpl.nn.gradcheck import Check, gradcheck, worst
from refimpl.nn.layers import Layer, Linear, ReLU
from refimpl.nn.network import MLP, Network
from refimpl.nn.parameters import StalePass, bind

NETWORKS = {
    "linear": lambda: Network([Linear(7, 5)]),
    "relu": lambda: Network([ReLU()]),
    "mlp": lambda: MLP([7, 6, 5, 4]),
    "relu last": lambda: Network([Linear(7, 6), ReLU(), Linear(6, 3), ReLU()]),
}


def set_up(network, rng):
    """Initialise the network; return the function loss() = sum(weights * network(x)), the parameters, x and weights."""
    parameters = bind([network], np.float64)
    network.initialise(rng)
    x = rng.normal(size=(9, 7))
    weights = rng.normal(size=network.forward(x).shape)
    return (lambda: (weights * network.forward(x)).sum()), parameters, x, weights


@pytest.mark.parametrize("name", NETWORKS)
def test_backward_pass_agrees_with_differences(rng, name):
    network = NETWORKS[name]()
    loss, parameters, x, weights = set_up(network, rng)
    back = network.run(x).backward(weights)
    back.accumulate()
    assert worst(gradcheck(loss, x, back.dx, rng)) < 1e-7
    if parameters.values.size:
        assert worst(gradcheck(loss, parameters.values, parameters.grads, rng)) < 1e-7


def test_run_and_forward_agree(rng):
    network = MLP([7, 6, 5, 4])
    _, _, x, _ = set_up(network, rng)
    run = network.run(x)
    np.testing.assert_array_equal(run.y, network.forward(x))
    assert [output.shape for output in run.outputs] == [(9, 7), (9, 6), (9, 6), (9, 5), (9, 5), (9, 4)]


@pytest.mark.parametrize("place", ["weights", "bias", "input"])
def test_gradcheck_detects_an_error_of_a_tenth_of_a_percent(rng, place):
    network = NETWORKS["linear"]()
    loss, parameters, x, weights = set_up(network, rng)
    back = network.run(x).backward(weights)
    back.accumulate()
    dx = back.dx.copy()
    layer = network.layers[0]
    {"weights": layer.dW, "bias": layer.db, "input": dx}[place][...] *= 1.001
    target, gradient = (x, dx) if place == "input" else (parameters.values, parameters.grads)
    assert worst(gradcheck(loss, target, gradient, rng)) > 1e-5


def test_gradcheck_detects_one_wrong_entry(rng):
    network = MLP([7, 6, 4])
    loss, parameters, x, weights = set_up(network, rng)
    network.run(x).backward(weights).accumulate()
    grads = parameters.grads
    grads[rng.integers(len(grads))] += 1e-3 * np.linalg.norm(grads)
    assert worst(gradcheck(loss, parameters.values, grads, rng)) > 1e-5


# --- gradients accumulate ---------------------------------------------------------------------------------------------

def test_gradients_accumulate_with_weights_in_any_order(rng):
    network = MLP([7, 6, 4])
    _, parameters, x, weights = set_up(network, rng)
    x2 = rng.normal(size=(5, 7))
    alone = []
    for rows, dy in ((x, weights), (x2, weights[:5])):
        parameters.zero_grads()
        network.run(rows).backward(dy).accumulate()
        alone.append(parameters.grads.copy())
    one, two = network.run(x).backward(weights), network.run(x2).backward(weights[:5])
    for order in ((one, two), (two, one)):
        parameters.zero_grads()
        for back in order:
            back.accumulate(3.0 if back is one else -0.25)
        np.testing.assert_allclose(parameters.grads, 3 * alone[0] - 0.25 * alone[1], rtol=1e-12, atol=1e-13)
    one.accumulate(0.5)
    np.testing.assert_allclose(parameters.grads, 3.5 * alone[0] - 0.25 * alone[1], rtol=1e-12, atol=1e-13)


def test_zero_grads_clears_all_gradients(rng):
    """This includes layers that no later pass reaches, and gradients that were added directly to a layer."""
    one, two = MLP([7, 6, 4]), MLP([4, 3])
    parameters = bind([one, two], np.float64)
    for network in (one, two):
        network.initialise(rng)
    x = rng.normal(size=(9, 7))
    two.run(one.run(x).y).backward(np.ones((9, 3))).accumulate()
    one.run(x).backward(np.ones((9, 4))).accumulate()
    assert (parameters.grads != 0).mean() > 0.9
    parameters.zero_grads()
    two.run(one.forward(x)).backward(np.ones((9, 3))).accumulate()
    reached = parameters.grads[one.n_parameters:].copy()
    assert (parameters.grads[:one.n_parameters] == 0).all() and (reached != 0).any()
    parameters.zero_grads()
    two.layers[0].add(np.ones((4, 3)), np.full(3, 2.0))
    two.layers[0].add(np.ones((4, 3)), np.full(3, 2.0))
    assert parameters.grads[one.n_parameters:].tolist() == [2.0] * 12 + [4.0] * 3
    parameters.zero_grads()
    assert (parameters.grads == 0).all()


def test_reading_the_input_gradient_adds_nothing_to_the_gradients(rng):
    network = MLP([7, 6, 4])
    _, parameters, x, weights = set_up(network, rng)
    parameters.zero_grads()
    back = network.run(x).backward(weights)
    assert back.dx.shape == x.shape and (parameters.grads == 0).all()


# --- a pass keeps its values ------------------------------------------------------------------------------------------

def test_later_passes_do_not_change_an_earlier_pass(rng):
    network = MLP([7, 6, 4])
    _, parameters, x, weights = set_up(network, rng)
    parameters.zero_grads()
    network.run(x).backward(weights).accumulate()
    alone = parameters.grads.copy()
    run = network.run(x)
    for _ in range(3):                                              # with as many rows, and with fewer
        for rows in (9, 4):
            network.run(rng.normal(size=(rows, 7))).backward(rng.normal(size=(rows, 4))).accumulate()
    back = run.backward(weights)
    network.run(-x).backward(-weights).accumulate()
    parameters.zero_grads()
    back.accumulate()
    np.testing.assert_array_equal(parameters.grads, alone)


def test_pass_is_rejected_after_its_parameters_have_changed(rng):
    network = MLP([7, 6, 4])
    _, parameters, x, weights = set_up(network, rng)
    run = network.run(x)
    back = run.backward(weights)
    fresh = run.backward(weights)
    back.accumulate()
    fresh.dx                                                        # computed before the step, so it stays valid
    Adam(parameters).step()
    for call in (lambda: run.backward(weights), back.accumulate, lambda: back.dx):
        with pytest.raises(StalePass, match="run the network again"):
            call()
    network.run(x).backward(weights).accumulate()                   # a new pass is valid


def test_backward_pass_rejects_gradient_of_wrong_shape(rng):
    network = MLP([7, 6, 4])
    _, _, x, weights = set_up(network, rng)
    with pytest.raises(ValueError, match=r"^dy must have the shape of the output, \(9, 4\), got \(8, 4\)"):
        network.run(x).backward(weights[:8])


# --- parameters -------------------------------------------------------------------------------------------------------

def test_parameter_vector_shares_memory_with_the_layers(rng):
    one, two = Linear(3, 2), Linear(2, 4)
    parameters = bind([one, two], np.float64)
    assert parameters.values.size == 3 * 2 + 2 + 2 * 4 + 4
    parameters.values[...] = np.arange(parameters.values.size)
    assert one.W[0].tolist() == [0, 1] and two.b.tolist() == [16, 17, 18, 19]
    two.db[...] = 7
    assert (parameters.grads[-4:] == 7).all()


def test_initial_weights_are_uniform_up_to_one_over_sqrt_n_in(rng):
    layer = Linear(400, 300)
    bind([layer], np.float64)
    layer.initialise(rng)
    assert np.abs(layer.W).max() <= 0.05 and layer.W.std() == pytest.approx(0.05 / np.sqrt(3), rel=0.01)
    assert np.abs(layer.b).max() <= 0.05 and layer.b.std() > 0.02


def in_order(layers, rng):
    """Return what initialise() should draw: layer by layer, weights before biases, uniform on +-1/sqrt(n_in)."""
    linear = [layer for layer in layers if isinstance(layer, Linear)]
    draws = [rng.uniform(-1, 1, size) / np.sqrt(layer.n_in)
             for layer in linear for size in (layer.n_in * layer.n_out, layer.n_out)]
    return np.concatenate(draws)


def test_initial_weights_are_drawn_layer_by_layer_weights_before_biases():
    """A seed always gives the same weights in a network and in both models, whose parameter vector has this order."""
    network = MLP([7, 6, 5, 4])
    parameters = bind([network], np.float64)
    network.initialise(np.random.default_rng(3))
    np.testing.assert_allclose(parameters.values, in_order(network.layers, np.random.default_rng(3)), rtol=1e-13)
    for model in (VAE(Independent(2, 3), 7, 12, np.float64), MixtureVAE(3, (6, 8), 14, (8, 7), 5, 4, np.float64)):
        model.initialise(np.random.default_rng(3))
        if isinstance(model, VAE):
            networks = (model.encoder, model.decoder)
        else:
            networks = (model.trunk, model.class_head, model.gaussian_head, model.decoder)
        layers = [layer for network in networks for layer in network.layers]
        np.testing.assert_allclose(model.parameters.values, in_order(layers, np.random.default_rng(3)), rtol=1e-13)


def layer_sizes(*networks):
    return [[(layer.n_in, layer.n_out) if isinstance(layer, Linear) else type(layer).__name__
             for layer in network.layers] for network in networks]


def test_default_layer_sizes_are_those_of_the_slides():
    model = VAE(Independent(1, 10))
    assert layer_sizes(model.encoder, model.decoder) == [
        [(784, 300), "ReLU", (300, 10)], [(10, 300), "ReLU", (300, 784)]]
    model = MixtureVAE()
    assert layer_sizes(model.trunk, model.class_head, model.gaussian_head, model.decoder) == [
        [(784, 400), "ReLU", (400, 200), "ReLU"], [(200, 100), "ReLU", (100, 10)], [(200, 60)],
        [(300, 200), "ReLU", (200, 400), "ReLU", (400, 784)]]
    assert model.dtype == np.float32 == bind([Linear(3, 2)]).values.dtype


def test_bad_arguments_are_rejected():
    for call in (lambda: Linear(0, 3), lambda: Linear(3, 0), lambda: MLP([3])):
        with pytest.raises(ValueError):
            call()
    layer = Linear(3, 2)
    bind([layer])
    with pytest.raises(ValueError, match="x must have shape"):
        layer.forward(np.zeros((5, 4), np.float32))
    for call in (lambda: Layer().forward(np.zeros((1, 1))), lambda: Layer().backward(None, None, None)):
        with pytest.raises(TypeError):
            call()


# --- the checker ------------------------------------------------------------------------------------------------------

def test_gradcheck_rejects_float32_wrong_shapes_and_random_losses(rng):
    with pytest.raises(TypeError):
        gradcheck(lambda: 0.0, np.zeros(3, np.float32), np.zeros(3, np.float32), rng)
    for values, grads in ((np.zeros(3, np.float32), np.zeros(3)), (np.zeros(3), np.zeros(3, np.float32))):
        with pytest.raises(TypeError, match="^gradcheck: values and grads must be float64"):
            gradcheck(lambda: 0.0, values, grads, rng)
    with pytest.raises(ValueError, match="the same shape"):
        gradcheck(lambda: 0.0, np.zeros(3), np.zeros(4), rng)
    with pytest.raises(ValueError, match="same value"):
        gradcheck(lambda: rng.normal(), np.zeros(3), np.zeros(3), rng)


def test_gradcheck_reports_infinite_error_for_nan(rng):
    values = rng.normal(size=5)
    assert worst(gradcheck(lambda: float((values**2).sum()), values, np.full(5, np.nan), rng)) == np.inf
    broken = lambda: float("nan") if values[0] > start else float((values**2).sum())
    start = float(values[0])
    assert worst(gradcheck(broken, values, 2 * values, rng)) == np.inf
    with pytest.raises(ValueError, match="at least one"):
        gradcheck(lambda: 0.0, np.zeros(0), np.zeros(0), rng)


def test_gradcheck_reports_infinite_error_if_the_loss_is_always_nan(rng):
    assert worst(gradcheck(lambda: float("nan"), np.zeros(3), np.ones(3), rng)) == np.inf


def test_gradcheck_directions_derivatives_and_errors_agree_with_reference(rng):
    """There are eight unit directions; values are restored; errors are relative to at least |gradient| / sqrt(size)."""
    values = rng.normal(size=5)
    original, wrong, linear = values.copy(), np.zeros(5), np.array([0.0, 0.0, 0.0, 0.0, 2.0])
    wrong[0] = 1.0
    checks = gradcheck(lambda: float(linear @ values), values, wrong, np.random.default_rng(3))
    assert len(checks) == 8 and (values == original).all()
    draws = np.random.default_rng(3).standard_normal((8, 5))
    for check, direction in zip(checks, draws / np.linalg.norm(draws, axis=1, keepdims=True)):
        assert check.analytic == pytest.approx(direction[0], rel=1e-12)
        assert check.numeric == pytest.approx(2 * direction[4], rel=1e-9)
        scale = max(abs(direction[0]), 2 * abs(direction[4]), 1 / np.sqrt(5))
        assert check.error == pytest.approx(abs(direction[0] - 2 * direction[4]) / scale, rel=1e-8)
    assert worst([Check(0.0, 0.0, error) for error in (0.1, 0.3, 0.2)]) == 0.3
    assert worst(gradcheck(lambda: 7.0, values, np.zeros(5), rng)) == 0                 # gradient 0 is right


def test_gradcheck_uses_a_step_of_1e_5():
    """The derivative of t^3 at 0 is 0, and its central difference is exactly step^2."""
    value = np.zeros(1)
    checks = gradcheck(lambda: float(value[0] ** 3), value, np.ones(1), np.random.default_rng(0))
    assert abs(checks[0].numeric) == pytest.approx(1e-10, rel=1e-6)


def test_gradcheck_copies_the_gradient_before_evaluating_the_loss(rng):
    """The loss overwrites the gradients when it is evaluated, as a model's backward pass does."""
    values = rng.normal(size=5)
    grads = 2 * values

    def loss():
        grads[...] = 0
        return float((values**2).sum())

    assert worst(gradcheck(loss, values, grads, rng)) < 1e-8


def test_zero_grads_writes_zeros_in_every_view(rng):
    one, other = MLP([4, 3]), MLP([3, 2])
    parameters = bind([one, other], np.float64)
    parameters.grads[:] = rng.normal(size=parameters.grads.shape)
    parameters.zero_grads()
    for layer in (*one.layers, *other.layers):
        assert not layer.dW.any() and not layer.db.any()
    assert parameters.grads is parameters.grads and not parameters.grads.any()


def test_new_network_has_its_own_parameters(rng):
    """They are zeros in float32.  bind() joins the parameters of several networks into one vector."""
    network, x = MLP([3, 4, 2]), np.ones((5, 3), np.float32)
    assert (network.forward(x) == 0).all() and network.parameters.values.shape == (network.n_parameters,) == (26,)
    network.initialise(rng)
    run = network.run(x)
    run.backward(np.ones((5, 2), np.float32)).accumulate()
    assert run.y.any() and network.parameters.grads.any()
    assert Linear(3, 2).forward(x).shape == (5, 2)
    other = MLP([2, 2])
    joined = bind([network, other], np.float64)
    assert network.parameters is other.parameters is joined and joined.values.shape == (26 + 6,)
    joined.values[:] = 1
    assert (network.forward(x.astype(np.float64)) == 4 * 4 + 1).all()
