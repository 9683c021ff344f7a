"""Check the exact functions of direct and joint to 1e-12 against their definitions in decimals of hundreds of digits.

With so many digits, differences of probabilities can be computed directly from their definitions.  Seeds are fixed.
Errors are relative to the largest entry unless a test says otherwise.
"""
from __future__ import annotations

import itertools
import math
from contextlib import contextmanager
from decimal import Decimal, localcontext

import numpy as np
import pytest

from refimpl import direct, exact, joint
from tests.asserts import assert_relative

EPSILONS = [1e-300, 1e-160, 1e-30, 1e-17, 1e-9, 1e-5, 1e-2, 0.3, 1.0, 10.0, 1e3]


def exponentials(scores):
    """Return exp(score - largest) in decimals.  This is slow, so callers keep the result."""
    return [(score - max(scores)).exp() for score in scores]


def law(scores):
    """Return the softmax of the scores in decimals."""
    weights = exponentials(scores)
    total = sum(weights)
    return [weight / total for weight in weights]


class Truth:
    """Reference values for one problem, computed in decimals from their definitions."""

    def __init__(self, h, f, eps, two_sided=False):
        self.h, self.f, eps = [Decimal(x) for x in h.tolist()], [Decimal(x) for x in f.tolist()], Decimal(eps)
        tilt = lambda step: [a + step * b for a, b in zip(self.h, self.f)]
        self.k, self.q = len(h), law(self.h)
        self.before, self.after = tilt(-eps if two_sided else Decimal(0)), tilt(eps)
        self.width = 2 * eps if two_sided else eps
        self.weights = exponentials(self.before), exponentials(self.after)
        self.first, self.second = ([weight / sum(side) for weight in side] for side in self.weights)
        self.expected = [(b - a) / self.width for a, b in zip(self.first, self.second)]
        mean = sum(a * b for a, b in zip(self.q, self.f))
        self.gradient = [a * (b - mean) for a, b in zip(self.q, self.f)]
        self.bias = [a - b for a, b in zip(self.expected, self.gradient)]

    def tilted_objective(self):
        ratios = [a - b for a, b in zip(self.after, self.before)]
        return sum(q * r.exp() for q, r in zip(self.q, ratios)).ln() / self.width

    def stay(self, i):
        """Return 1 / sum_j exp(max(h_j - h_i, h_j - h_i + eps (f_j - f_i))): i wins both arg maxes."""
        before, after = self.weights                                # exp of a maximum is the maximum of the exps
        return 1 / sum(max(before[j] / before[i], after[j] / after[i]) for j in range(self.k))

    def variance(self):
        second = [(a + b - 2 * self.stay(i)) / self.width**2 for i, (a, b) in enumerate(zip(self.first, self.second))]
        return [a - b**2 for a, b in zip(second, self.expected)]


@contextmanager
def digits_for(eps=1.0):
    """Compute with enough decimal digits for the reference values at this eps.

    The two-sided bias is of order eps^2, and it is a difference divided by eps: it needs three times log10(1 / eps)
    digits, but no result below 1e-330 matters.  Probabilities of 10^-60 occur, and of 10^-300 where eps f is thousands
    of nats.
    """
    small = max(0, -math.log10(eps))
    with localcontext() as context:
        context.prec, context.Emin, context.Emax = 150 + int(min(3 * small, small + 330)), -10**9, 10**9
        if eps > 10:
            context.prec = 700
        yield


def off(value, truth):
    """Return the largest error divided by the largest true entry, in decimals.  Values below 1e-308 may round to 0."""
    truth = np.ravel(np.array(truth, dtype=object))
    error = max(abs(Decimal(v) - t) for v, t in zip(np.ravel(value).tolist(), truth))
    return float(error / max(max(abs(t) for t in truth), Decimal("1e-308")))


def problems(count, seed):
    """Yield random h and f, among them almost certain values, ties in f, and a best f whose probability is tiny."""
    rng = np.random.default_rng(seed)
    for number in range(count):
        k = int(rng.integers(2, 7))
        h, f = rng.normal(size=k), rng.normal(size=k)
        if number % 4 == 1:
            h[0] += rng.choice([20.0, 60.0])
        if number % 4 == 2:
            f = np.round(f)
        if number % 4 == 3:
            h[np.argmax(f)] -= rng.choice([20.0, 60.0])
        yield h, f


@pytest.mark.parametrize("two_sided", [False, True])
@pytest.mark.parametrize("eps", EPSILONS)
def test_exact_functions_agree_with_decimals_at_every_eps(eps, two_sided):
    with digits_for(eps):
        for h, f in problems(4, seed=round(400 - math.log10(eps))):
            truth = Truth(h, f, eps, two_sided)
            assert off(direct.expected_gradient(h, f, eps, two_sided), truth.expected) < 1e-12
            assert off(direct.bias(h, f, eps, two_sided), truth.bias) < 1e-12
            assert off(direct.variance(h, f, eps, two_sided), truth.variance()) < 1e-12
            if not two_sided:
                assert off(direct.tilted_objective(h, f, eps), [truth.tilted_objective()]) < 1e-12


def test_decimal_reference_detects_cancellation_in_a_plain_difference():
    """In float64, (softmax(h + eps f) - softmax(h)) / eps - gradient is 786 times the bias at eps = 1e-9."""
    h, f, eps = np.array([0.1, -0.4, 0.9]), np.array([1.0, 2.0, -1.0]), 1e-9
    softmax = lambda scores: np.exp(scores) / np.exp(scores).sum()
    plain = (softmax(h + eps * f) - softmax(h)) / eps
    with digits_for(eps):
        truth = Truth(h, f, eps)
        assert off(plain, truth.expected) > 1e-9
        assert off(plain - exact.gradient(h, f), truth.bias) > 1
        assert off(1.0001 * direct.bias(h, f, eps), truth.bias) > 1e-5


@pytest.mark.parametrize("eps", [1e-300, 1e-9, 0.1])
def test_small_entries_keep_their_digits_when_one_value_is_almost_certain(eps):
    """Each entry is accurate to 1e-12.  q is about (1, e^-60, e^-70), and no two values of f are close."""
    h, f = np.array([0.0, -60.0, -70.0]), np.array([-1.0, 1.5, -4.0])
    with digits_for(eps):
        truth = Truth(h, f, eps)
        for value, exactly in ((direct.expected_gradient(h, f, eps), truth.expected),
                               (direct.bias(h, f, eps), truth.bias), (direct.variance(h, f, eps), truth.variance())):
            for entry, right in zip(value.tolist(), exactly):
                assert abs(Decimal(entry) - right) <= Decimal("1e-12") * abs(right) + Decimal("1e-322")


@pytest.mark.parametrize("eps", [1e-300, 1e-12, 1e-3, 0.5])
def test_bias_is_accurate_where_its_leading_term_vanishes(eps):
    """For q = (1/2, 1/2), the leading term (eps/2) grad Var_q f is 0, and its rounding must not hide the next term."""
    h, f = np.zeros(2), np.array([0.0, 1.0])
    with digits_for(eps):
        for two_sided in (False, True):
            assert off(direct.bias(h, f, eps, two_sided), Truth(h, f, eps, two_sided).bias) < 1e-12


def test_variance_is_exact_when_a_switch_is_almost_certain():
    """q = (1 - e^-50, e^-50), and eps f is so large at the second value that it wins z*(eps): Var = q_0 q_1 / eps^2."""
    h, f, eps = np.array([0.0, -50.0]), np.array([0.0, 1.0]), 1e3
    q = np.exp(-50.0)
    assert_relative(direct.variance(h, f, eps), q * (1 - q) / eps**2, 1e-12)
    covariance = q * (1 - q) / eps**2 * np.array([[1, -1], [-1, 1]])
    assert_relative(direct.covariance(h, f, eps), covariance, 1e-12)


@pytest.mark.parametrize("two_sided", [False, True])
def test_covariance_has_the_variance_on_its_diagonal_and_sums_to_zero_at_every_eps(two_sided):
    for eps in EPSILONS:
        for h, f in problems(8, seed=7):
            covariance, variance = direct.covariance(h, f, eps, two_sided), direct.variance(h, f, eps, two_sided)
            largest = variance.max()
            assert np.abs(np.diagonal(covariance) - variance).max() <= 1e-12 * largest
            assert np.abs(covariance.sum(axis=0) / max(largest, 1e-300)).max() <= 1e-12
            assert (covariance == covariance.T).all()


# --- the unit of f ----------------------------------------------------------------------------------------------------

UNITS = [1e-300, 1e-200, 1e-20, 1e20, 1e200, 1e300]


@pytest.mark.parametrize("two_sided", [False, True])
def test_rescaling_f_and_eps_only_rescales_the_results(rng, two_sided):
    """g(c f, eps) = c g(f, c eps) for every draw, so the best eps for c f is the best eps for f divided by c.

    The best eps is computed for all units in one batch: images with different units must not affect each other.
    """
    h, f, units = rng.normal(size=(3, 4)), rng.uniform(-1, 1, size=(3, 4)), np.array(UNITS)
    best = direct.best_eps(h, f * units[:, None, None], 5, two_sided) * units[:, None]
    assert_relative(best, direct.best_eps(h, f, 5, two_sided), 1e-6)
    for unit in UNITS:
        for function in (direct.expected_gradient, direct.bias):
            scaled = function(h, f * unit, 0.3 / unit, two_sided) / unit
            assert np.abs(scaled - function(h, f, 0.3, two_sided)).max() < 1e-14
        law = direct.joint_law(h, f * unit, 0.3 / unit, two_sided)
        assert_relative(law, direct.joint_law(h, f, 0.3, two_sided), 1e-12)


def test_best_eps_is_found_beyond_the_first_grid():
    """q = (1 - p, p), f = (0, 1), p = e^-200: an almost certain switch has size 1/eps, which is right at eps = 1/p."""
    assert_relative(direct.best_eps([0.0, -200.0], [0.0, 1.0]), np.exp(200.0), 1e-5)


def test_error_about_overflow_names_the_argument_that_causes_it():
    for call, name in ((lambda: direct.mse([0, 1], [0, 1e200], 1.0), "f"),
                       (lambda: direct.variance([0, 1], [0, 1e200], 1e-200), "eps"),
                       (lambda: direct.covariance([0, 1], [0, 1e200], 1e-200), "eps"),
                       (lambda: direct.best_eps([0, 1], [0, 5e-324]), "f"),
                       (lambda: direct.bias([0, 1], [0, 1e200], 1e200), "eps"),
                       (lambda: direct.expected_gradient([0, 1], [0, 1], 1e308), "eps"),
                       (lambda: direct.expected_gradient([0, 1], [0, 1], 1e-307), "eps"),
                       (lambda: exact.kl([0, 1e308]), "h"), (lambda: exact.gap([0, 1], [0, 1e308]), "f")):
        with pytest.raises(ValueError, match=rf"^{name} must"):
            call()


# --- joint values -----------------------------------------------------------------------------------------------------

def test_joint_gradient_keeps_small_entries_when_one_value_is_almost_certain(rng):
    """Each entry agrees with decimals to 1e-12.  Each of the three variables has a different almost certain value."""
    h, f = rng.normal(size=(3, 3)), rng.normal(size=27)
    h[0, 1] += 40
    h[1, 0] += 15
    h[2, 2] += 80
    with digits_for():
        q, scores = [law([Decimal(x) for x in row.tolist()]) for row in h], [Decimal(x) for x in f.tolist()]
        truth = np.zeros((3, 3), dtype=object)
        for i, c in itertools.product(range(3), range(3)):
            for z, score in zip(itertools.product(range(3), repeat=3), scores):
                # d q(z) / d h_i(c) = q(z) ([z_i = c] - q_i(c))
                truth[i, c] += math.prod(q[j][z[j]] for j in range(3)) * ((z[i] == c) - q[i][c]) * score
        for value, right in zip(joint.gradient(h, f).ravel().tolist(), truth.ravel()):
            assert abs(Decimal(value) - right) <= Decimal("1e-12") * abs(right)
