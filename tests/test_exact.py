"""Check enumeration against simple loops."""
from __future__ import annotations

import math

import numpy as np
import pytest

from refimpl import exact
from tests.asserts import assert_relative
from tests.differences import central


def test_expectation_bound_and_likelihood_agree_with_loops(rng):
    h, f = rng.normal(size=5), 3 * rng.normal(size=5)
    total = sum(math.exp(score) for score in h)
    q = [math.exp(score) / total for score in h]
    expectation = sum(q[z] * f[z] for z in range(5))
    kl = sum(q[z] * math.log(q[z] * 5) for z in range(5))
    evidence = math.log(sum(math.exp(f[z]) / 5 for z in range(5)))
    assert_relative(exact.expectation(h, f), expectation, 1e-13)
    assert_relative(exact.kl(h), kl, 1e-12)
    assert_relative(exact.elbo(h, f), expectation - kl, 1e-12)
    assert_relative(exact.log_likelihood(f), evidence, 1e-13)
    assert_relative(exact.gap(h, f), evidence - (expectation - kl), 1e-12)
    assert_relative(exact.posterior(f), [math.exp(f[z]) / 5 / math.exp(evidence) for z in range(5)], 1e-12)


def test_gradient_is_the_derivative_of_the_expectation(rng):
    h, f = rng.normal(size=5), 3 * rng.normal(size=5)
    assert np.allclose(exact.gradient(h, f), central(lambda x: exact.expectation(x, f), h), atol=1e-9)
    assert abs(exact.gradient(h, f).sum()) < 1e-15


def test_gradient_keeps_small_entries_when_one_value_is_almost_certain():
    """q is (1, e^-90, e^-100) up to rounding; the reference q_i sum_j q_j (f_i - f_j) has no cancellation."""
    h, f = np.array([0.0, -90.0, -100.0]), np.array([-200.0, -150.0, -300.0])
    q = np.exp(h)
    pairs = [sum(q[i] * q[j] * (f[i] - f[j]) for j in range(3)) for i in range(3)]
    assert_relative(exact.gradient(h, f), pairs, 1e-13)


def test_gap_is_zero_only_at_the_posterior(rng):
    f = 5 * rng.normal(size=(20, 6))
    assert np.abs(exact.gap(f, f)).max() == 0
    assert (exact.gap(f + rng.normal(size=f.shape), f) > 0).all()
    h = rng.normal(size=(20, 6))
    assert_relative(exact.gap(h, f), exact.log_likelihood(f) - exact.elbo(h, f), 1e-10)


def test_results_for_extreme_scores_are_finite():
    h, f = np.array([1e3, -1e3, 0.0]), np.array([-1e4, 1e4, 0.0])
    for value in (exact.expectation(h, f), exact.kl(h), exact.elbo(h, f), exact.gap(h, f), exact.log_likelihood(f)):
        assert np.isfinite(value)
    assert exact.kl(h) == pytest.approx(math.log(3))
    assert exact.expectation(h, f) == pytest.approx(-1e4)


def test_single_value_has_zero_divergence_and_gradient():
    assert exact.kl([3.0]) == 0 and exact.gap([3.0], [-7.0]) == 0
    assert exact.gradient([3.0], [-7.0]).tolist() == [0.0]
    assert exact.elbo([3.0], [-7.0]) == -7.0


def test_errors_name_the_invalid_argument():
    for call, name in ((lambda: exact.expectation([0, np.nan], [0, 1]), "h"),
                       (lambda: exact.gradient([0, 1], [0]), "f"),
                       (lambda: exact.log_likelihood([]), "f"), (lambda: exact.kl(1.0), "h")):
        with pytest.raises(ValueError, match=rf"^{name} must"):
            call()


def test_kl_is_never_negative():
    for k in range(1, 40):
        assert exact.kl(np.zeros(k)) >= 0
