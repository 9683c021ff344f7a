"""Check the order of joint values, and their expectations and gradients against simple loops."""
from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from refimpl import joint
from refimpl.nn.gradcheck import gradcheck, worst
from tests.asserts import assert_relative


@pytest.mark.parametrize("n, k", [(1, 5), (3, 2), (2, 3), (4, 2)])
def test_joint_values_are_in_lexicographic_order(n, k):
    expected = list(itertools.product(range(k), repeat=n))
    assert joint.values(n, k).tolist() == [list(z) for z in expected]
    hots = joint.one_hots(n, k)
    assert (joint.index(hots.reshape(-1, n, k)) == np.arange(k**n)).all()
    assert (hots.sum(axis=1) == n).all()


def test_expectation_and_gradient_agree_with_loops_and_differences(rng):
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


def test_gradient_of_one_variable_agrees_with_exact_gradient(rng):
    from refimpl import exact

    h, f = rng.normal(size=(4, 1, 6)), rng.normal(size=(4, 6))
    assert_relative(joint.gradient(h, f)[:, 0], exact.gradient(h[:, 0], f), 1e-11)


def test_errors_about_shapes_name_the_argument():
    with pytest.raises(ValueError, match="^f must"):
        joint.gradient(np.zeros((2, 3, 2)), np.zeros((2, 7)))
    with pytest.raises(ValueError, match="^h must"):
        joint.gradient(np.full((2, 3, 2), np.nan), np.zeros((2, 8)))
    with pytest.raises(ValueError, match="^h must have shape"):
        joint.gradient(np.zeros(2), np.zeros(2))
    with pytest.raises(ValueError, match="^f must broadcast with h"):
        joint.gradient(np.zeros((3, 2, 2)), np.zeros((4, 4)))


def test_index_and_log_q_accept_lists():
    h, z = [[0.5, -1.0], [2.0, 0.0]], [[0, 1], [1, 0]]
    assert joint.index(z) == 2
    assert (joint.log_q(h) == joint.log_q(np.array(h))).all()


def test_errors_about_sizes_name_the_argument():
    for call, name, error in ((lambda: joint.values(2, -1), "k", ValueError),
                              (lambda: joint.count(-1, 3), "n", ValueError),
                              (lambda: joint.count(2, 2.5), "k", ValueError),
                              (lambda: joint.values(None, 2), "n", TypeError),
                              (lambda: joint.values(60, 2), "n", ValueError),
                              (lambda: joint.index([0, 1]), "z", ValueError),
                              (lambda: joint.index([[0.5, 0.5]]), "z", ValueError),
                              (lambda: joint.index([[0, 0]]), "z", ValueError),
                              (lambda: joint.index([[1, 1]]), "z", ValueError),
                              (lambda: joint.one_hots(2, 2, complex), "dtype", TypeError),
                              (lambda: joint.index(np.eye(2)[[0] * 63]), "z", ValueError),
                              (lambda: joint.log_q(np.zeros((40, 2))), "h", ValueError)):
        with pytest.raises(error, match=f"^{name} must"):
            call()
    assert joint.index(np.eye(2)[[1] * 62]) == 2**62 - 1


def test_batch_axes_broadcast(rng):
    h, f = rng.normal(size=(4, 1, 2, 3)), rng.normal(size=(5, 9))
    assert joint.gradient(h, f).shape == (4, 5, 2, 3)
    assert_relative(joint.gradient(h, f)[3, 2], joint.gradient(h[3, 0], f[2]), 1e-14)


def test_list_of_joint_values_is_limited_by_its_number_of_entries(monkeypatch):
    """The list has n k k^n one-hot entries, 48 for 3 variables of 2 values."""
    for limit, allowed in ((48, True), (47, False)):
        monkeypatch.setattr(joint, "LISTED", limit)
        for call in (lambda: joint.values(3, 2), lambda: joint.one_hots(3, 2)):
            if allowed:
                assert len(call()) == 8
            else:
                with pytest.raises(ValueError, match="^n must have so few variables"):
                    call()


def test_require_allows_the_limit_and_reports_a_larger_size():
    joint.require(3, 2, 8, "this", "use that")
    problem = r"^this enumerates all 2\^3 = 8 joint values, and at most 7 are allowed; use that$"
    with pytest.raises(ValueError, match=problem):
        joint.require(3, 2, 7, "this", "use that")
    with pytest.raises(ValueError, match=r"10\^100 = about 10\^100 joint values"):
        joint.require(100, 10, 7, "this", "use that")
    assert (joint.TRAINABLE, joint.COUNTABLE) == (2**12, 2**16)
