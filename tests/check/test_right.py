"""What is right is never condemned: random problems over the whole range, in every precision."""
from __future__ import annotations

import numpy as np
import pytest

from refimpl import check, direct, gumbel
from tests.cases import first
from tests.check.planted import own, right
from tests.check.precisions import Tensor, direct_in

PRECISIONS = ("float64", "float32", "float16", "bfloat16")


def problem(number: int, most: float):
    """k = 2 ... 1,000, h spread by up to 20, f by up to 200, eps = 1e-5 ... 10, 1,000 ... 100,000 samples."""
    rng = np.random.default_rng([20, number])
    k = round(2 * 500 ** rng.random())
    h = rng.uniform(0, rng.uniform(0, 20), k)
    f = rng.uniform(0, 0.02 * 10_000 ** rng.random(), k) - rng.choice([0, 100])
    samples = max(1_000, min(round(10 ** rng.uniform(3, 5)), int(most / k)))
    return h, f, 10 ** rng.uniform(-5, 1), samples


def accepted(number: int, most: float) -> None:
    h, f, eps, samples = problem(number, most)
    precision, two_sided, told = PRECISIONS[number % 4], number // 4 % 2 == 1, number // 8 % 2 == 1
    if precision == "float64" and told:
        function = direct.two_sided_gradient if two_sided else direct.gradient
    else:
        function = direct_in(precision, two_sided, told)
    report = check.gradient(function, h, f, eps, samples, np.random.default_rng(number))
    assert report.holds is True, (number, report.verdict)
    assert report.kind == ("two-sided" if two_sided else "direct") and report.samples == samples
    assert precision != "float64" or report.equal == 1.0


@pytest.mark.parametrize("number", first(16, range(0, 32)))        # each precision and kind, with and without its name
def test_right_ones_are_accepted(number):
    accepted(number, most=60_000)


@pytest.mark.slow
@pytest.mark.parametrize("number", range(32, 500))
def test_right_ones_are_accepted_on_500_problems(number):
    accepted(number, most=20_000_000)


RARE = [([20, 0, 0], [1, 2, 0], 0.3), ([0.5, -1, 0.2], [1, 2, 0], 1e-5), ([0, -800.0], [1, 2], 0.3),
        ([0.5, -1, 0.2], [-149, -148, -150], 1.0), ([1000.5, 999, 1000.2], [1, 2, 0], 0.3), ([0.5, -1], [1, 2], 2.0),
        ([0.5, -1, 0.2, 0.1], [1, 1, 1, 2], 0.5)]


@pytest.mark.parametrize("h, f, eps, precision", [
    pytest.param(*problem, precision, marks=[] if place % 2 == which % 2 else [pytest.mark.slow])
    for place, problem in enumerate(RARE) for which, precision in enumerate(PRECISIONS)])
def test_rare_changes_and_near_ties(h, f, eps, precision):
    report = check.gradient(direct_in(precision), h, f, eps, 5_000)
    assert report.holds is True and report.kind == "direct", report.verdict


def test_a_thousand_values_in_a_gigabyte():
    """A block of draws at a time: the default number of samples needs little memory."""
    import tracemalloc

    rng = np.random.default_rng(0)
    h, f = rng.normal(size=(2, 1_000)) * 3
    tracemalloc.start()
    report = check.gradient(direct.gradient, h, f, 0.1, 2_000)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert report.holds and peak < 2e8


def test_a_function_with_its_own_noise_is_held_to_the_exact_law():
    """False rejections at the level of 1e-6: 4 problems, none rejected; where nothing changes it cannot be told."""
    problems = [problem(number, 1e5)[:3] for number in range(64, 100)]
    found = [check.gradient(own(right), h[:10], f[:10], eps, 1_000, np.random.default_rng(0))
             for h, f, eps in problems[:4] if np.ptp(f[:10])]
    assert all(report.holds is not False for report in found)
    assert any(report.holds for report in found) and any(report.holds is None for report in found)


@pytest.mark.parametrize("samples, holds", [(29_000, None), (31_000, True)])
def test_too_few_changes_to_tell(samples, holds):
    """30 expected changes are asked for: here the chance of one is 1.007e-3."""
    h, f, eps = [0.5, -1, 0.2], [1, 2, 0], 0.003
    chance = 1 - direct.stay_probability(h, f, eps).sum()
    assert 29_000 * chance < 30 < 31_000 * chance
    report = check.gradient(own(right), h, f, eps, samples)
    assert report.holds is holds
    if holds is None:
        assert "cannot tell with these samples" in report.verdict and "30,000 would do" in report.verdict
        assert f"only {samples * chance:.2g} of {samples:,} draws" in report.verdict


def test_a_tensor_of_half_precision_is_read():
    report = check.gradient(lambda *four: Tensor(right(*four)), [0.5, -1, 0.2], [1, 2, 0], 0.5, 2_000)
    assert report.holds and report.precision == "bfloat16" and report.near_ties == 0


def test_the_precision_is_found_out_or_given():
    h, f = [0.5, -1, 0.2], [1, 2, 0]
    report = check.gradient(direct_in("bfloat16", told=False), h, f, 0.5, 20_000)
    assert report.holds and report.precision == "bfloat16" and report.near_ties > 20
    assert report.equal == 1 - report.near_ties / 20_000
    assert check.gradient(direct_in("bfloat16", told=False), h, f, 0.5, 20_000, precision="float32").holds is not True


@pytest.mark.parametrize("factor, holds", [(1 + 1e-3, False), (1 + 1e-10, True), (1.01, False), (0.99, False)])
def test_a_factor_near_one_is_not_rounding(factor, holds):
    report = check.gradient(lambda *four: factor * right(*four) * (1 + 1e-14), [0.5, -1, 0.2], [1, 2, 0], 0.37, 2_000)
    assert report.holds is holds


def test_a_small_error_in_the_scores_is_not_rounding():
    report = check.gradient(lambda h, f, eps, noise: right(1.003 * h, f, eps, noise), [0.5, -1, 0.2, 1],
                            [1, 2.5, 0, -1], 0.3, 50_000)
    assert report.holds is not True


def joint(h, f, eps, noise):
    """Several variables, by the table of all joint values."""
    draws, n, k = h.shape
    total = (h + noise)[:, 0]
    for i in range(1, n):
        total = (total[:, :, None] + (h + noise)[:, i, None]).reshape(draws, -1)
    pick = [np.eye(k)[np.array(np.unravel_index(scores.argmax(-1), (k,) * n)).T]
            for scores in (total, total + eps * np.reshape(f, -1))]
    return (pick[1] - pick[0]) / eps


@pytest.mark.parametrize("n, k", [(2, 3), pytest.param(1, 4, marks=pytest.mark.slow),
                                  pytest.param(3, 2, marks=pytest.mark.slow)])
def test_several_variables(n, k):
    rng = np.random.default_rng(3)
    h, f = rng.normal(size=(n, k)), rng.normal(size=(k,) * n)
    assert check.gradient(joint, h, f, 0.4, 5_000).kind == "direct"
    single = check.gradient(lambda *four: joint(*four).astype("f"), h, f * 100, 0.01, 5_000)
    assert single.holds and len(single.rows) == n * k
    report = check.gradient(lambda *four: -joint(*four), h, f, 0.4, 5_000)
    assert report.holds is False and "the sign is wrong" in report.verdict
    report = check.gradient(lambda h, f, eps, rng: joint(h, f, eps, gumbel.sample(h.shape, rng)), h, f, 0.4, 5_000)
    assert report.holds and report.equal is None
