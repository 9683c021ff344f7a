"""Scores and penalties: values against scipy, gradients against differences, planted errors."""
from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from scipy.special import expit, softmax

from refimpl.nn import losses
from refimpl.nn.gradcheck import gradcheck, worst
from tests.asserts import assert_relative


def test_softplus_and_sigmoid_up_to_ten_thousand():
    a = np.array([-1e4, -700, -40, -1, 0, 1, 40, 700, 1e4])
    softplus, sigmoid = losses.softplus_and_sigmoid(a)
    assert_relative(softplus, np.logaddexp(0, a), 1e-14)
    assert_relative(sigmoid, expit(a), 1e-14)
    softplus32, sigmoid32 = losses.softplus_and_sigmoid(a.astype(np.float32))
    assert softplus32.dtype == sigmoid32.dtype == np.float32
    assert np.allclose(softplus32, softplus, rtol=1e-6, atol=1e-7) and np.allclose(sigmoid32, sigmoid, atol=1e-7)


@pytest.mark.parametrize("dtype, tolerance", [(np.float64, 1e-15), (np.float32, 1e-7)])
def test_sigmoid_up_to_ten_thousand(dtype, tolerance):
    a = np.array([-1e4, -700, -40, -1, 0, 1, 40, 700, 1e4], dtype)
    kept = a.copy()
    found = losses.sigmoid(a)
    assert found.dtype == dtype and (a == kept).all()
    assert np.abs(found - expit(a.astype(float))).max() <= tolerance and found[4] == 0.5


def test_scores_leave_their_arguments_as_they_were(rng):
    x, a = (rng.random((4, 30)) < 0.4).astype(float), 30 * rng.normal(size=(4, 30))
    kept = a.copy()
    losses.bernoulli_score(x, a), losses.bernoulli_score_backward(x, a), losses.bernoulli_score_table(x, a)
    losses.bernoulli_score_table_backward(np.ones((4, 4)), x, a)
    assert (a == kept).all()


def test_bernoulli_score_is_the_log_probability(rng):
    x, a = (rng.random((4, 30)) < 0.4).astype(float), 3 * rng.normal(size=(4, 30))
    f = losses.bernoulli_score(x, a)
    assert_relative(f, stats.bernoulli.logpmf(x, expit(a)).sum(axis=1), 1e-12)


def test_bernoulli_score_gradient(rng):
    x, a = rng.random((4, 30)), 3 * rng.normal(size=(4, 30))
    weights = rng.normal(size=4)
    df_da = losses.bernoulli_score_backward(x, a)
    loss = lambda: (weights * losses.bernoulli_score(x, a)).sum()
    assert worst(gradcheck(loss, a, weights[:, None] * df_da, rng)) < 1e-7


def test_score_table_agrees_with_one_score_at_a_time(rng):
    x, a = (rng.random((4, 30)) < 0.4).astype(float), 3 * rng.normal(size=(6, 30))
    f = losses.bernoulli_score_table(x, a)
    for b in range(4):
        for z in range(6):
            assert f[b, z] == pytest.approx(losses.bernoulli_score(x[b:b + 1], a[z:z + 1])[0], rel=1e-13)


def test_score_table_gradient(rng):
    x, a = (rng.random((4, 30)) < 0.4).astype(float), 3 * rng.normal(size=(6, 30))
    weights = rng.normal(size=(4, 6))
    da = losses.bernoulli_score_table_backward(weights, x, a)
    loss = lambda: (weights * losses.bernoulli_score_table(x, a)).sum()
    assert worst(gradcheck(loss, a, da, rng)) < 1e-7
    assert worst(gradcheck(loss, a, 1.001 * da, rng)) > 1e-4


@pytest.mark.parametrize("k", [1, 2, 10])
def test_categorical_kl(rng, k):
    h = 3 * rng.normal(size=(4, k))
    kl, dh = losses.categorical_kl(h)
    q = softmax(h, axis=-1)
    assert np.allclose(kl, [stats.entropy(row, np.full(k, 1 / k)) for row in q], atol=1e-13)
    assert worst(gradcheck(lambda: losses.categorical_kl(h)[0].sum(), h, dh, rng)) < 1e-7


def test_off_by_one_in_the_kl_is_caught(rng):
    """d/dq of q log q is log q + 1; its 1 drops out only because q (1 - sum q) = 0. Without the inner sum it shows."""
    h = 3 * rng.normal(size=(4, 10))
    _, dh = losses.categorical_kl(h)
    q = softmax(h, axis=-1)
    assert worst(gradcheck(lambda: losses.categorical_kl(h)[0].sum(), h, dh + 1e-3 * q, rng)) > 1e-5
    assert losses.categorical_kl(np.zeros((1, 10)))[0] == pytest.approx(0, abs=1e-15)      # log k, not log(k - 1)
    assert losses.categorical_kl(np.array([[1e4, 0, 0]]))[0] == pytest.approx(np.log(3))


def test_categorical_kl_survives_scores_that_underflow():
    kl, dh = losses.categorical_kl(np.array([[1e3, 0.0, -1e3]], np.float32))
    assert kl == pytest.approx(np.log(3)) and np.isfinite(dh).all()


def test_gaussian_kl(rng):
    mu, log_var = rng.normal(size=(3, 5)), rng.normal(size=(3, 5))
    kl, dmu, dlog_var = losses.gaussian_kl(mu, log_var)
    # by numerical integration of (log q - log p) q, coordinate by coordinate
    t = np.linspace(-40, 40, 400_001)
    for b in range(3):
        total = 0.0
        for d in range(5):
            q = stats.norm(mu[b, d], np.exp(log_var[b, d] / 2))
            total += ((q.logpdf(t) - stats.norm.logpdf(t)) * q.pdf(t)).sum() * (t[1] - t[0])
        assert kl[b] == pytest.approx(total, rel=1e-9)
    assert worst(gradcheck(lambda: losses.gaussian_kl(mu, log_var)[0].sum(), mu, dmu, rng)) < 1e-7
    assert worst(gradcheck(lambda: losses.gaussian_kl(mu, log_var)[0].sum(), log_var, dlog_var, rng)) < 1e-7


@pytest.mark.parametrize("width", [1, 3, 4, 30, 784])
@pytest.mark.parametrize("largest", [5.0, 21.9, 22.1, 22.25, 25.0, 40.0, 60.0, 88.0, 100.0, 300.0, 1e4])
@pytest.mark.parametrize("dtype, tolerance", [(np.float64, 1e-13), (np.float32, 2e-6)])
def test_softplus_sum_of_small_and_large_logits(rng, width, largest, dtype, tolerance):
    a = rng.uniform(-largest, largest, (7, width)).astype(dtype)
    a[0] = largest                                      # all factors as large as they get: no product may overflow
    truth = np.logaddexp(0, a.astype(np.float64)).sum(axis=1)
    with np.errstate(under="ignore"):
        found = losses.softplus_sum(a.copy())
    assert found.dtype == dtype
    np.testing.assert_allclose(found, truth, rtol=tolerance, atol=tolerance * max(1, width))


@pytest.mark.parametrize("safe", [30.0, 100.0])
def test_a_limit_of_the_fast_way_that_is_too_high_is_caught(monkeypatch, safe):
    """Four factors e^30 are no float32 any more."""
    a = np.full((2, 8), 0.99 * safe, np.float32)
    truth = np.logaddexp(0, a.astype(np.float64)).sum(axis=1)
    np.testing.assert_allclose(losses.softplus_sum(a.copy()), truth, rtol=2e-6)
    monkeypatch.setattr(losses, "SAFE", safe)
    with np.errstate(over="ignore"):
        assert not np.allclose(losses.softplus_sum(a.copy()), truth, rtol=0.1)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_log_softmax_of_each_row_by_itself(dtype):
    """Rows a million apart: shifted by the largest score of all, the others would underflow to log 0."""
    row = np.array([0.5, -1.0, 2.0, 80.0, 0.25], dtype)
    h = np.stack([row, row + dtype(1e6), row - dtype(1e6)])[:, None]
    found = losses.log_softmax(h)
    assert found.dtype == dtype and found.shape == h.shape
    for one, of in zip(found[:, 0], h[:, 0].astype(np.longdouble)):
        truth = of - of.max() - np.log(np.exp(of - of.max()).sum())
        np.testing.assert_allclose(one, truth.astype(float), rtol=1e-6 if dtype is np.float32 else 1e-13)


@pytest.mark.parametrize("largest", [5.0, 500.0])
def test_softplus_sum_leaves_its_input_alone_unless_that_is_given_as_scratch(rng, largest):
    a = rng.uniform(-largest, largest, (7, 13)).astype(np.float32)
    kept = a.copy()
    found = losses.softplus_sum(a)
    assert (a == kept).all()
    scratch = np.empty_like(a)
    assert (losses.softplus_sum(a, scratch=scratch) == found).all() and (a == kept).all()
    assert (losses.softplus_sum(a, scratch=a) == found).all() and (a != kept).any()
