"""Correct functions are never rejected, on random problems over the whole range and in every precision."""
from __future__ import annotations

import numpy as np
import pytest

from refimpl import check, direct, gumbel
from tests.cases import first
from tests.check.planted import own, right
from tests.check.precisions import Tensor, direct_in

PRECISIONS = ("float64", "float32", "float16", "bfloat16")


def problem(number: int, most: float):
    """Return h, f, eps, samples: k from 2 to 1,000, h spread by up to 20, f by up to 200, eps from 1e-5 to 10."""
    rng = np.random.default_rng([20, number])
    k = round(2 * 500 ** rng.random())
    h = rng.uniform(0, rng.uniform(0, 20), k)
    f = rng.uniform(0, 0.02 * 10_000 ** rng.random(), k) - rng.choice([0, 100])
    samples = max(1_000, min(round(10 ** rng.uniform(3, 5)), int(most / k)))
    return h, f, 10 ** rng.uniform(-5, 1), samples


def assert_accepted(number: int, most: float) -> None:
    h, f, eps, samples = problem(number, most)
    precision, two_sided, typed = PRECISIONS[number % 4], number // 4 % 2 == 1, number // 8 % 2 == 1
    if precision == "float64" and typed:
        function = direct.two_sided_gradient if two_sided else direct.gradient
    else:
        function = direct_in(precision, two_sided, typed)
    report = check.gradient(function, h, f, eps, samples, np.random.default_rng(number))
    assert report.holds is True, (number, report.verdict)
    assert report.kind == ("two-sided" if two_sided else "direct") and report.samples == samples
    assert precision != "float64" or report.equal == 1.0


@pytest.mark.parametrize("number", first(16, range(0, 32)))        # each precision and kind, with and without its name
def test_correct_functions_are_accepted(number):
    assert_accepted(number, most=60_000)


@pytest.mark.slow
@pytest.mark.parametrize("number", range(32, 500))
def test_correct_functions_are_accepted_on_500_problems(number):
    assert_accepted(number, most=20_000_000)


RARE = [([20, 0, 0], [1, 2, 0], 0.3), ([0.5, -1, 0.2], [1, 2, 0], 1e-5), ([0, -800.0], [1, 2], 0.3),
        ([0.5, -1, 0.2], [-149, -148, -150], 1.0), ([1000.5, 999, 1000.2], [1, 2, 0], 0.3), ([0.5, -1], [1, 2], 2.0),
        ([0.5, -1, 0.2, 0.1], [1, 1, 1, 2], 0.5)]


@pytest.mark.parametrize("h, f, eps, precision", [
    pytest.param(*problem, precision, marks=[] if place % 2 == which % 2 else [pytest.mark.slow])
    for place, problem in enumerate(RARE) for which, precision in enumerate(PRECISIONS)])
def test_correct_functions_are_accepted_with_rare_changes_and_near_ties(h, f, eps, precision):
    report = check.gradient(direct_in(precision), h, f, eps, 5_000)
    assert report.holds is True and report.kind == "direct", report.verdict


def test_a_thousand_values_need_less_than_200_mb_of_memory():
    """Draws are processed in blocks."""
    import tracemalloc

    rng = np.random.default_rng(0)
    h, f = rng.normal(size=(2, 1_000)) * 3
    tracemalloc.start()
    report = check.gradient(direct.gradient, h, f, 0.1, 2_000)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert report.holds and peak < 2e8


def test_function_with_its_own_noise_is_compared_with_the_exact_distribution():
    """No problem is rejected (the test's level is 1e-6).  Where no arg max changes, the verdict is open."""
    problems = [problem(number, 1e5)[:3] for number in range(64, 100)]
    reports = [check.gradient(own(right), h[:10], f[:10], eps, 1_000, np.random.default_rng(0))
             for h, f, eps in problems[:4] if np.ptp(f[:10])]
    assert all(report.holds is not False for report in reports)
    assert any(report.holds for report in reports) and any(report.holds is None for report in reports)


@pytest.mark.parametrize("samples, holds", [(29_000, None), (31_000, True)])
def test_verdict_is_open_with_fewer_than_30_expected_changes(samples, holds):
    """In a draw, the arg maxes differ with probability 1.007e-3."""
    h, f, eps = [0.5, -1, 0.2], [1, 2, 0], 0.003
    chance = 1 - direct.stay_probability(h, f, eps).sum()
    assert 29_000 * chance < 30 < 31_000 * chance
    report = check.gradient(own(right), h, f, eps, samples)
    assert report.holds is holds
    if holds is None:
        assert "cannot tell with these samples" in report.verdict and "30,000 would be enough" in report.verdict
        assert f"only {samples * chance:.2g} of {samples:,} draws" in report.verdict


def test_bfloat16_tensor_is_accepted():
    report = check.gradient(lambda *four: Tensor(right(*four)), [0.5, -1, 0.2], [1, 2, 0], 0.5, 2_000)
    assert report.holds and report.precision == "bfloat16" and report.near_ties == 0


def test_precision_is_recognised_or_given():
    h, f = [0.5, -1, 0.2], [1, 2, 0]
    report = check.gradient(direct_in("bfloat16", typed=False), h, f, 0.5, 20_000)
    assert report.holds and report.precision == "bfloat16" and report.near_ties > 20
    assert report.equal == 1 - report.near_ties / 20_000
    assert check.gradient(direct_in("bfloat16", typed=False), h, f, 0.5, 20_000, precision="float32").holds is not True


@pytest.mark.parametrize("factor, holds", [(1 + 1e-3, False), (1 + 1e-10, True), (1.01, False), (0.99, False)])
def test_factor_near_one_is_not_taken_for_rounding(factor, holds):
    report = check.gradient(lambda *four: factor * right(*four) * (1 + 1e-14), [0.5, -1, 0.2], [1, 2, 0], 0.37, 2_000)
    assert report.holds is holds


def test_small_error_in_the_scores_is_not_taken_for_rounding():
    report = check.gradient(lambda h, f, eps, noise: right(1.003 * h, f, eps, noise), [0.5, -1, 0.2, 1],
                            [1, 2.5, 0, -1], 0.3, 50_000)
    assert report.holds is not True


def joint(h, f, eps, noise):
    """Compute the direct gradient of several variables from the table of all joint values."""
    draws, n, k = h.shape
    total = (h + noise)[:, 0]
    for i in range(1, n):
        total = (total[:, :, None] + (h + noise)[:, i, None]).reshape(draws, -1)
    pick = [np.eye(k)[np.array(np.unravel_index(scores.argmax(-1), (k,) * n)).T]
            for scores in (total, total + eps * np.reshape(f, -1))]
    return (pick[1] - pick[0]) / eps


@pytest.mark.parametrize("n, k", [(2, 3), pytest.param(1, 4, marks=pytest.mark.slow),
                                  pytest.param(3, 2, marks=pytest.mark.slow)])
def test_direct_gradient_of_several_variables_is_recognised(n, k):
    rng = np.random.default_rng(3)
    h, f = rng.normal(size=(n, k)), rng.normal(size=(k,) * n)
    assert check.gradient(joint, h, f, 0.4, 5_000).kind == "direct"
    single = check.gradient(lambda *four: joint(*four).astype("f"), h, f * 100, 0.01, 5_000)
    assert single.holds and len(single.rows) == n * k
    report = check.gradient(lambda *four: -joint(*four), h, f, 0.4, 5_000)
    assert report.holds is False and "the sign is wrong" in report.verdict
    report = check.gradient(lambda h, f, eps, rng: joint(h, f, eps, gumbel.sample(h.shape, rng)), h, f, 0.4, 5_000)
    assert report.holds and report.equal is None
