"""Check Adam, which works in blocks and flushes denormal numbers, against the textbook."""
from __future__ import annotations

import numpy as np
import pytest

from refimpl.nn import adam as module
from refimpl.nn.adam import Adam
from refimpl.nn.parameters import Parameters


def textbook(values, gradients, lr=1e-3, beta1=0.9, beta2=0.999, eps=1e-8):
    """Compute Algorithm 1 of the paper, line by line."""
    theta, m, v = values.copy(), np.zeros_like(values), np.zeros_like(values)
    for t, g in enumerate(gradients, start=1):
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g * g
        theta -= lr * (m / (1 - beta1**t)) / (np.sqrt(v / (1 - beta2**t)) + eps)
    return theta


@pytest.mark.parametrize("size", [1, 100, module.BLOCK, 2 * module.BLOCK + 17])
def test_steps_equal_those_of_the_textbook(rng, size):
    start = rng.normal(size=size)
    gradients = rng.normal(size=(7, size)) * 10.0 ** rng.integers(-9, 3, size)
    values, grads = start.copy(), np.zeros(size)
    adam = Adam(Parameters(values, grads), lr=3e-3, beta1=0.8, beta2=0.99)
    for g in gradients:
        grads[...] = g
        adam.step()
    expected = textbook(start, gradients, lr=3e-3, beta1=0.8, beta2=0.99)
    assert np.abs(values - expected).max() < 1e-13
    assert np.abs(values - textbook(start, gradients, lr=3.003e-3, beta1=0.8, beta2=0.99)).max() > 1e-6


@pytest.mark.parametrize("size", [1, 2 * module.BLOCK + 17])
def test_steps_with_momentum_only_equal_those_of_the_textbook_without_the_division(rng, size):
    start, gradients = rng.normal(size=size), rng.normal(size=(5, size))
    values, grads = start.copy(), np.zeros(size)
    adam = Adam(Parameters(values, grads), lr=0.1, beta1=0.8, momentum_only=True)
    expected, m = start.copy(), 0
    for t, g in enumerate(gradients, start=1):
        grads[...] = g
        adam.step()
        m = 0.8 * m + 0.2 * g
        expected -= 0.1 * m / (1 - 0.8**t)
    assert np.abs(values - expected).max() < 1e-14 and (adam.V == 0).all()


def test_moments_have_no_denormal_numbers_after_gradients_become_zero(rng):
    values, grads = rng.normal(size=1000).astype(np.float32), rng.normal(size=1000).astype(np.float32)
    adam = Adam(Parameters(values, grads))
    adam.step()
    grads[...] = 0
    smallest = np.finfo(np.float32).tiny
    for _ in range(2_000):
        adam.step()
        for moment in (adam.M, adam.V):
            assert not ((moment != 0) & (np.abs(moment) < smallest)).any()
    assert (adam.M == 0).all()


def test_flushing_denormals_does_not_change_later_steps(rng):
    """The gradient is 0 for 900 steps and then not; the textbook does not flush, and gives the same steps."""
    size, start = 50, rng.normal(size=50)
    gradients = np.concatenate([rng.normal(size=(3, size)), np.zeros((900, size)), rng.normal(size=(3, size))])
    values, grads = start.copy(), np.zeros(size)
    adam = Adam(Parameters(values, grads))
    for g in gradients:
        grads[...] = g
        adam.step()
    assert np.abs(values - textbook(start, gradients)).max() < 1e-13


def test_bad_arguments_are_rejected():
    good = np.zeros(3)
    for call in (lambda: Parameters(good, np.zeros(4)), lambda: Parameters(good, np.zeros(3, np.float32)),
                 lambda: Parameters(np.zeros((3, 1)), np.zeros((3, 1)))):
        with pytest.raises(ValueError, match="^Parameters"):
            call()
    good = Parameters(good, np.zeros(3))
    for call in (lambda: Adam(good, lr=0), lambda: Adam(good, lr=float("nan")), lambda: Adam(good, beta1=1.0),
                 lambda: Adam(good, beta2=-0.1), lambda: Adam(good, eps=0), lambda: Adam(good, lr=float("inf")),
                 lambda: Adam(good, beta1=-0.1), lambda: Adam(good, beta2=1.0), lambda: Adam(good, eps=float("nan"))):
        with pytest.raises(ValueError, match="^Adam"):
            call()


def test_flush_reaches_every_block_and_keeps_small_gradients(rng):
    """In both blocks, the moments of zero gradients become exactly 0, and those of gradients of 1e-12 do not."""
    size = module.BLOCK + 100
    values, grads = np.zeros(size, np.float32), np.zeros(size, np.float32)
    adam = Adam(Parameters(values, grads), eps=1e-15)
    grads[:] = 1.0
    adam.step()
    alive = np.zeros(size, bool)
    alive[::7] = True
    gradients = np.where(alive, 1e-12, 0.0)
    for _ in range(1_500):
        grads[:] = gradients
        adam.step()
    assert (adam.M[~alive] == 0).all() and (adam.M[alive] > 5e-12).all()


def test_betas_may_be_zero(rng):
    start, gradients = rng.normal(size=20), rng.normal(size=(5, 20))
    values, grads = start.copy(), np.zeros(20)
    adam = Adam(Parameters(values, grads), beta1=0.0, beta2=0.0)
    for g in gradients:
        grads[...] = g
        adam.step()
    assert np.abs(values - textbook(start, gradients, beta1=0.0, beta2=0.0)).max() < 1e-13


def test_gradients_of_1e_14_take_textbook_steps(rng):
    """The sums of their squares are near 1e-26, far above the flush's limit; Adam's step has no unit."""
    gradients = 1e-14 * rng.normal(size=(300, 20))
    values, grads = np.zeros(20), np.zeros(20)
    adam = Adam(Parameters(values, grads), eps=1e-25)
    for g in gradients:
        grads[...] = g
        adam.step()
    expected = textbook(np.zeros(20), gradients, eps=1e-25)
    assert np.abs(values - expected).max() < 1e-12 and np.abs(expected).max() > 1e-3


@pytest.mark.parametrize("dtype, gradient, eps", [(np.float64, 1e-16, 1e-20), (np.float32, 1e-16, 1e-20),
                                                  (np.float64, 1e-40, 1e-8), (np.float64, 1e-100, 1e-110)])
def test_small_constant_gradient_is_not_flushed(dtype, gradient, eps):
    """There are two flushes in 130 steps.  A constant gradient moves its weight by lr g / (g + eps) per step."""
    values = np.zeros(1, dtype)
    adam = Adam(Parameters(values, np.full(1, gradient, dtype)), eps=eps)
    for _ in range(130):
        adam.step()
    assert values[0] == pytest.approx(-0.13 * gradient / (gradient + eps), rel=1e-3)


def test_moments_have_the_dtype_of_the_values():
    for dtype in (np.float32, np.float64):
        adam = Adam(Parameters(np.ones(3, dtype), np.ones(3, dtype)))
        adam.step()
        assert {a.dtype for a in (adam.M, adam.V, adam._scratch, adam.parameters.values)} == {np.dtype(dtype)}
