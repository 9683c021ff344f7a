"""Every backward pass against differences of its forward pass, in float64; and the checker against planted errors."""
from __future__ import annotations

import numpy as np
import pytest

from refimpl.nn.gradcheck import gradcheck, worst
from refimpl.nn.layers import MLP, Buffers, Dropout, LeakyReLU, Linear, ReLU, Sequential, bind_all

LAYERS = {
    "linear": lambda: Linear(7, 5),
    "relu": lambda: ReLU(),
    "leaky relu": lambda: LeakyReLU(0.2),
    "mlp": lambda: MLP([7, 6, 5, 4]),
    "leaky mlp": lambda: Sequential([Linear(7, 6), LeakyReLU(), Linear(6, 3)]),
}


def set_up(layer, rng):
    """A random layer with a loss sum(weights * layer(x)); returns loss(), the parameters, and x."""
    values, grads = bind_all([layer], np.float64)
    layer.initialise(rng)
    x = rng.normal(size=(9, 7))
    weights = rng.normal(size=layer.forward(x).shape)
    return (lambda: (weights * layer.forward(x)).sum()), values, grads, x, weights


@pytest.mark.parametrize("name", LAYERS)
def test_backward_pass(rng, name):
    layer = LAYERS[name]()
    loss, values, grads, x, weights = set_up(layer, rng)
    loss()
    dx = layer.backward(weights).copy()
    assert worst(gradcheck(loss, x, dx, rng)) < 1e-7
    if values.size:
        assert worst(gradcheck(loss, values, grads, rng)) < 1e-7


@pytest.mark.parametrize("place", ["weights", "bias", "input"])
def test_an_error_of_a_tenth_of_a_percent_is_caught(rng, place):
    layer = Linear(7, 5)
    loss, values, grads, x, weights = set_up(layer, rng)
    loss()
    dx = layer.backward(weights).copy()
    {"weights": layer.dW, "bias": layer.db, "input": dx}[place][...] *= 1.001
    target, gradient = (x, dx) if place == "input" else (values, grads)
    assert worst(gradcheck(loss, target, gradient, rng)) > 1e-5


def test_one_wrong_entry_is_caught(rng):
    layer = MLP([7, 6, 4])
    loss, values, grads, _, weights = set_up(layer, rng)
    loss()
    layer.backward(weights)
    grads[rng.integers(len(grads))] += 1e-3 * np.linalg.norm(grads)
    assert worst(gradcheck(loss, values, grads, rng)) > 1e-5


def test_need_dx_false_changes_no_parameter_gradient(rng):
    layer = MLP([7, 6, 4])
    loss, _, grads, _, weights = set_up(layer, rng)
    loss()
    layer.backward(weights)
    full = grads.copy()
    grads[...] = 0
    loss()
    assert layer.backward(weights, need_dx=False) is None
    assert (grads == full).all()


def test_dropout_in_training_and_out_of_it(rng):
    x = rng.normal(size=(400, 500))
    layer = Dropout(0.3, np.random.default_rng(1))
    assert layer.forward(x, training=False) is x and layer.backward(x) is x
    y = layer.forward(x).copy()
    dropped = y == 0
    assert abs(dropped.mean() - 0.3) < 4 * np.sqrt(0.21 / x.size)
    assert np.allclose(y[~dropped], x[~dropped] / 0.7)
    assert (layer.backward(np.ones_like(x)) == np.where(dropped, 0, 1 / 0.7)).all()


def test_dropout_backward_pass(rng):
    x, weights = rng.normal(size=(9, 7)), rng.normal(size=(9, 7))

    def layer():
        return Dropout(0.4, np.random.default_rng(3))           # the same mask at every call

    used = layer()
    used.forward(x)
    assert worst(gradcheck(lambda: (weights * layer().forward(x)).sum(), x, used.backward(weights).copy(), rng)) < 1e-7


def test_flat_vector_is_shared_with_the_layers(rng):
    one, two = Linear(3, 2), Linear(2, 4)
    values, grads = bind_all([one, two], np.float64)
    assert values.size == 3 * 2 + 2 + 2 * 4 + 4
    values[...] = np.arange(values.size)
    assert one.W[0].tolist() == [0, 1] and two.b.tolist() == [16, 17, 18, 19]
    two.db[...] = 7
    assert (grads[-4:] == 7).all()


def test_buffers_are_reused_and_cut_to_size():
    buffers = Buffers()
    big = buffers.get("y", (8, 3), np.float32)
    small = buffers.get("y", (5, 3), np.float32)
    assert small.shape == (5, 3) and np.shares_memory(big, small)
    assert not np.shares_memory(big, buffers.get("y", (9, 3), np.float32))
    assert buffers.get("y", (2, 3), np.float64).dtype == np.float64


def test_smaller_last_batch_after_a_large_one(rng):
    layer = MLP([7, 6, 4])
    values, grads = bind_all([layer], np.float64)
    layer.initialise(rng)
    x, dy = rng.normal(size=(20, 7)), rng.normal(size=(20, 4))
    layer.forward(x)
    layer.backward(dy)
    layer.forward(x[:3])
    layer.backward(dy[:3])
    fresh = MLP([7, 6, 4])
    fresh_values, fresh_grads = bind_all([fresh], np.float64)
    fresh_values[...] = values
    fresh.forward(x[:3])
    fresh.backward(dy[:3])
    assert np.allclose(grads, fresh_grads, rtol=1e-13)


def test_initial_weights_follow_the_stated_bound(rng):
    layer = Linear(400, 300)
    bind_all([layer], np.float64)
    layer.initialise(rng)
    assert np.abs(layer.W).max() <= 0.05 and layer.W.std() == pytest.approx(0.05 / np.sqrt(3), rel=0.01)
    assert np.abs(layer.b).max() <= 0.05 and layer.b.std() > 0.02


def test_bad_arguments():
    for call in (lambda: Linear(0, 3), lambda: LeakyReLU(1.0), lambda: Dropout(1.0, None), lambda: MLP([3])):
        with pytest.raises(ValueError):
            call()
    layer = Linear(3, 2)
    bind_all([layer])
    with pytest.raises(ValueError, match="x must have shape"):
        layer.forward(np.zeros((5, 4), np.float32))


def test_gradcheck_refuses_what_it_cannot_judge(rng):
    with pytest.raises(TypeError):
        gradcheck(lambda: 0.0, np.zeros(3, np.float32), np.zeros(3, np.float32), rng)
    with pytest.raises(ValueError, match="one shape"):
        gradcheck(lambda: 0.0, np.zeros(3), np.zeros(4), rng)
    with pytest.raises(ValueError, match="same value"):
        gradcheck(lambda: rng.normal(), np.zeros(3), np.zeros(3), rng)


def test_gradcheck_lets_no_nan_pass(rng):
    values = rng.normal(size=5)
    assert worst(gradcheck(lambda: float((values**2).sum()), values, np.full(5, np.nan), rng)) == np.inf
    broken = lambda: float("nan") if values[0] > start else float((values**2).sum())
    start = float(values[0])
    assert worst(gradcheck(broken, values, 2 * values, rng)) == np.inf
    with pytest.raises(ValueError, match="at least one"):
        gradcheck(lambda: 0.0, np.zeros(0), np.zeros(0), rng)
