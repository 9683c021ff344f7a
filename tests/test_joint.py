"""Joint values: their order, expectations and gradients by plain loops."""
from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from refimpl import joint
from refimpl.nn.gradcheck import gradcheck, worst
from tests.asserts import assert_relative


@pytest.mark.parametrize("n, k", [(1, 5), (3, 2), (2, 3), (4, 2)])
def test_order_of_the_joint_values(n, k):
    expected = list(itertools.product(range(k), repeat=n))
    assert joint.values(n, k).tolist() == [list(z) for z in expected]
    hots = joint.one_hots(n, k)
    assert (joint.index(hots.reshape(-1, n, k)) == np.arange(k**n)).all()
    assert (hots.sum(axis=1) == n).all()


def test_expectation_and_gradient(rng):
    h, f = 2 * rng.normal(size=(4, 3, 2)), 5 * rng.normal(size=(4, 8))
    q = np.exp(h) / np.exp(h).sum(axis=-1, keepdims=True)
    for b in range(4):
        total = 0.0
        for place, z in enumerate(itertools.product(range(2), repeat=3)):
            total += math.prod(q[b, i, z[i]] for i in range(3)) * f[b, place]
        assert joint.expectation(h, f)[b] == pytest.approx(total, rel=1e-12)
    gradient = joint.gradient(h, f)
    assert worst(gradcheck(lambda: joint.expectation(h, f).sum(), h, gradient, rng)) < 1e-8
    assert np.abs(gradient.sum(axis=-1)).max() < 1e-12
    assert_relative(np.exp(joint.log_q(h)).sum(axis=-1), 1.0, 1e-13)


def test_one_variable_is_plain_enumeration(rng):
    from refimpl import exact

    h, f = rng.normal(size=(4, 1, 6)), rng.normal(size=(4, 6))
    assert_relative(joint.gradient(h, f)[:, 0], exact.gradient(h[:, 0], f), 1e-11)


def test_bad_shapes():
    with pytest.raises(ValueError, match="^f must"):
        joint.gradient(np.zeros((2, 3, 2)), np.zeros((2, 7)))
    with pytest.raises(ValueError, match="^h must"):
        joint.gradient(np.full((2, 3, 2), np.nan), np.zeros((2, 8)))
