"""Check scores and divergences against scipy, and their gradients against differences and planted errors."""
from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from scipy.special import expit, softmax

from refimpl.nn import losses
from refimpl.nn.gradcheck import gradcheck, worst
from tests.asserts import assert_relative


def test_softplus_and_sigmoid_are_accurate_up_to_ten_thousand():
    a = np.array([-1e4, -700, -40, -1, 0, 1, 40, 700, 1e4])
    softplus, sigmoid = losses.softplus_and_sigmoid(a)
    assert_relative(softplus, np.logaddexp(0, a), 1e-14)
    assert_relative(sigmoid, expit(a), 1e-14)
    softplus32, sigmoid32 = losses.softplus_and_sigmoid(a.astype(np.float32))
    assert softplus32.dtype == sigmoid32.dtype == np.float32
    assert np.allclose(softplus32, softplus, rtol=1e-6, atol=1e-7) and np.allclose(sigmoid32, sigmoid, atol=1e-7)


@pytest.mark.parametrize("dtype, tolerance", [(np.float64, 1e-15), (np.float32, 1e-7)])
def test_sigmoid_is_accurate_up_to_ten_thousand(dtype, tolerance):
    a = np.array([-1e4, -700, -40, -1, 0, 1, 40, 700, 1e4], dtype)
    original = a.copy()
    result = losses.sigmoid(a)
    assert result.dtype == dtype and (a == original).all()
    assert np.abs(result - expit(a.astype(float))).max() <= tolerance and result[4] == 0.5


def test_scores_do_not_change_their_arguments(rng):
    x, a = (rng.random((4, 30)) < 0.4).astype(float), 30 * rng.normal(size=(4, 30))
    original = a.copy()
    losses.bernoulli_score(x, a), losses.bernoulli_score_backward(x, a), losses.bernoulli_score_table(x, a)
    losses.bernoulli_score_table_backward(np.ones((4, 4)), x, a)
    assert (a == original).all()


def test_bernoulli_score_is_the_log_probability(rng):
    x, a = (rng.random((4, 30)) < 0.4).astype(float), 3 * rng.normal(size=(4, 30))
    f = losses.bernoulli_score(x, a)
    assert_relative(f, stats.bernoulli.logpmf(x, expit(a)).sum(axis=1), 1e-12)


def test_bernoulli_score_gradient_agrees_with_differences(rng):
    x, a = rng.random((4, 30)), 3 * rng.normal(size=(4, 30))
    weights = rng.normal(size=4)
    df_da = losses.bernoulli_score_backward(x, a)
    loss = lambda: (weights * losses.bernoulli_score(x, a)).sum()
    assert worst(gradcheck(loss, a, weights[:, None] * df_da, rng)) < 1e-7


def test_score_table_agrees_with_single_scores(rng):
    x, a = (rng.random((4, 30)) < 0.4).astype(float), 3 * rng.normal(size=(6, 30))
    f = losses.bernoulli_score_table(x, a)
    for b in range(4):
        for z in range(6):
            assert f[b, z] == pytest.approx(losses.bernoulli_score(x[b:b + 1], a[z:z + 1])[0], rel=1e-13)


def test_score_table_gradient_agrees_with_differences(rng):
    x, a = (rng.random((4, 30)) < 0.4).astype(float), 3 * rng.normal(size=(6, 30))
    weights = rng.normal(size=(4, 6))
    da = losses.bernoulli_score_table_backward(weights, x, a)
    loss = lambda: (weights * losses.bernoulli_score_table(x, a)).sum()
    assert worst(gradcheck(loss, a, da, rng)) < 1e-7
    assert worst(gradcheck(loss, a, 1.001 * da, rng)) > 1e-4


@pytest.mark.parametrize("k", [1, 2, 10])
def test_categorical_kl_agrees_with_scipy_and_its_gradient_with_differences(rng, k):
    h = 3 * rng.normal(size=(4, k))
    kl, dh = losses.categorical_kl(h)
    q = softmax(h, axis=-1)
    assert np.allclose(kl, [stats.entropy(row, np.full(k, 1 / k)) for row in q], atol=1e-13)
    assert worst(gradcheck(lambda: losses.categorical_kl(h)[0].sum(), h, dh, rng)) < 1e-7


def test_gradcheck_detects_an_extra_q_in_the_gradient_of_the_kl(rng):
    """The derivative of q log q is log q + 1.  Its 1 would contribute q if the term with sum q were forgotten."""
    h = 3 * rng.normal(size=(4, 10))
    _, dh = losses.categorical_kl(h)
    q = softmax(h, axis=-1)
    assert worst(gradcheck(lambda: losses.categorical_kl(h)[0].sum(), h, dh + 1e-3 * q, rng)) > 1e-5
    assert losses.categorical_kl(np.zeros((1, 10)))[0] == pytest.approx(0, abs=1e-15)      # log k, not log(k - 1)
    assert losses.categorical_kl(np.array([[1e4, 0, 0]]))[0] == pytest.approx(np.log(3))


def test_categorical_kl_is_finite_when_exponentials_underflow():
    kl, dh = losses.categorical_kl(np.array([[1e3, 0.0, -1e3]], np.float32))
    assert kl == pytest.approx(np.log(3)) and np.isfinite(dh).all()


def test_gaussian_kl_agrees_with_integration_and_its_gradient_with_differences(rng):
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
def test_softplus_sum_is_accurate_for_small_and_large_logits(rng, width, largest, dtype, tolerance):
    a = rng.uniform(-largest, largest, (7, width)).astype(dtype)
    a[0] = largest                                      # the largest factors; no product may overflow
    truth = np.logaddexp(0, a.astype(np.float64)).sum(axis=1)
    with np.errstate(under="ignore"):
        total = losses.softplus_sum(a.copy())
    assert total.dtype == dtype
    np.testing.assert_allclose(total, truth, rtol=tolerance, atol=tolerance * max(1, width))


@pytest.mark.parametrize("safe", [30.0, 100.0])
def test_softplus_sum_overflows_if_its_fast_path_has_a_limit_that_is_too_high(monkeypatch, safe):
    # a product of four factors e^30 overflows in float32
    a = np.full((2, 8), 0.99 * safe, np.float32)
    truth = np.logaddexp(0, a.astype(np.float64)).sum(axis=1)
    np.testing.assert_allclose(losses.softplus_sum(a.copy()), truth, rtol=2e-6)
    monkeypatch.setattr(losses, "SAFE", safe)
    with np.errstate(over="ignore"):
        assert not np.allclose(losses.softplus_sum(a.copy()), truth, rtol=0.1)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_log_softmax_treats_each_row_separately(dtype):
    """Rows are a million apart: shifted by the overall maximum, the lower rows would underflow to log 0."""
    row = np.array([0.5, -1.0, 2.0, 80.0, 0.25], dtype)
    h = np.stack([row, row + dtype(1e6), row - dtype(1e6)])[:, None]
    result = losses.log_softmax(h)
    assert result.dtype == dtype and result.shape == h.shape
    for row_result, scores in zip(result[:, 0], h[:, 0].astype(np.longdouble)):
        truth = scores - scores.max() - np.log(np.exp(scores - scores.max()).sum())
        np.testing.assert_allclose(row_result, truth.astype(float), rtol=1e-6 if dtype is np.float32 else 1e-13)


@pytest.mark.parametrize("largest", [5.0, 500.0])
def test_softplus_sum_overwrites_its_input_only_if_given_as_scratch(rng, largest):
    a = rng.uniform(-largest, largest, (7, 13)).astype(np.float32)
    original = a.copy()
    total = losses.softplus_sum(a)
    assert (a == original).all()
    scratch = np.empty_like(a)
    assert (losses.softplus_sum(a, scratch=scratch) == total).all() and (a == original).all()
    assert (losses.softplus_sum(a, scratch=a) == total).all() and (a != original).any()
