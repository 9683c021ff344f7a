"""Rules that choose eps without the truth: their parts against exact values, and slips that must show."""
from __future__ import annotations

import numpy as np
import pytest

from refimpl import direct, exact, gumbel
from refimpl.experiments import choosing_eps

H, F = np.array([0.3, -0.4, 0.6]), np.array([1.0, -2.0, 0.5])


def best_by_the_law(h, f, M):
    """(C / (2 M |b|^2))^(1/3), with both constants from the exact variance and bias at a tiny eps."""
    tiny = 1e-6
    C = tiny * direct.variance(h, f, tiny).sum()
    b = np.linalg.norm(direct.bias(h, f, tiny)) / tiny
    return (C / (2 * M * b**2)) ** (1 / 3)


def test_the_law_is_the_best_eps_where_there_are_many_draws():
    for M in (10**7, 10**9):
        assert best_by_the_law(H, F, M) == pytest.approx(direct.best_eps(H, F, samples=M), rel=0.02)


def test_with_many_draws_the_measured_rule_is_the_law():
    """400,000 draws; D's noise is then a twentieth of its mean, and eps goes with the 2/3 power of it."""
    noise = gumbel.sample((400_000, 3), np.random.default_rng(0))
    M = len(noise)
    chosen = choosing_eps.choose(H, F, noise)
    D = direct.gradient(H, F, chosen, noise) - direct.two_sided_gradient(H, F, chosen, noise)
    error = np.sqrt(D.var(axis=0).sum() / M) / np.linalg.norm(D.mean(axis=0))
    assert abs(np.log(chosen / direct.best_eps(H, F, samples=M))) < 3 * 2 / 3 * error + 0.05
    assert direct.mse(H, F, chosen, M) < 1.2 * direct.mse(H, F, direct.best_eps(H, F, samples=M), M)


def test_the_difference_has_the_bias_for_its_mean():
    """E D = (one-sided bias) - (two-sided bias): eps b at first order, b = grad Var_q f / 2."""
    q = np.exp(H) / np.exp(H).sum()
    c = F - q @ F
    b = q * (c**2 - q @ c**2) / 2
    eps = 1e-4
    mean = direct.expected_gradient(H, F, eps) - direct.expected_gradient(H, F, eps, two_sided=True)
    np.testing.assert_allclose(mean / eps, b, rtol=1e-5)


@pytest.mark.parametrize("rule", [choosing_eps.choose, choosing_eps.by_deviation])
def test_rules_know_the_unit_of_f(rule):
    noise = gumbel.sample((500, 3), np.random.default_rng(1))
    assert rule(H, 10 * F, noise) == pytest.approx(rule(H, F, noise) / 10, rel=1e-12)
    assert rule(H, F + 7, noise) == pytest.approx(rule(H, F, noise), rel=1e-9)
    assert rule(H + 7, F, noise) == pytest.approx(rule(H, F, noise), rel=1e-9)


def test_rules_are_near_the_optimum_and_a_rule_without_a_unit_is_not():
    """Medians over fifty problems; the numbers of chapter 4 at 1,000 draws are of this kind."""
    found = dict(zip(choosing_eps.RULES, choosing_eps.regrets(choosing_eps.problems(50, 3, 10, 5), 300, 6)))
    assert all(row.rule == name and (row.ratios > 1 - 1e-9).all() for name, row in found.items())
    assert np.median(found["measured"].ratios) < 1.2 and np.quantile(found["measured"].ratios, 0.9) < 3
    assert np.median(found["2 / deviation of f / M^(1/3)"].ratios) < 1.15
    assert np.median(found["0.1 always"].ratios) > 2


def test_slips_cost_what_they_should(monkeypatch):
    """The one-sided estimate taken twice: D is 0, and eps stays large.  Its noise taken for bias: too small."""
    noise = gumbel.sample((300, 3), np.random.default_rng(2))
    right = choosing_eps.choose(H, F, noise)
    monkeypatch.setattr(direct, "two_sided_gradient", direct.gradient)
    assert choosing_eps.choose(H, F, noise) > 2 * right
    monkeypatch.undo()
    monkeypatch.setattr(choosing_eps, "FLOOR", 100.0)
    assert choosing_eps.choose(H, F, noise) < right / 2


def test_least_error_counts_answering_zero():
    """One draw, a tiny gradient: nothing beats 0, and the ratio is to that."""
    h, f = np.zeros(2), np.array([0.0, 1e-3])
    (row, *_) = choosing_eps.regrets([(h, f)], 2, 0)
    noise = gumbel.sample((2, 2), np.random.default_rng(0))
    least = min((exact.gradient(h, f) ** 2).sum(), direct.mse(h, f, min(direct.best_eps(h, f, samples=2), 1e6), 2))
    assert row.ratios[0] == pytest.approx(direct.mse(h, f, choosing_eps.choose(h, f, noise), 2) / least)


@pytest.mark.parametrize("h, f, noise, words", [
    (H, F[:2], np.zeros((5, 3)), "shape"), (H, F, np.zeros((1, 3)), "at least 2"), (H, F, np.zeros((5, 2)), "shape"),
    (H, F, np.zeros(3), "shape"), (H, np.ones(3), np.zeros((5, 3)), "differ"), (H, F * np.nan, np.zeros((5, 3)), "f")])
def test_bad_input(h, f, noise, words):
    with pytest.raises(ValueError, match=words):
        choosing_eps.choose(h, f, noise)


def test_all_draws_alike():
    """No draw ever changes its winner: the rule answers, and stays finite."""
    noise = np.tile([10.0, 0.0, 0.0], (5, 1))
    assert 0 < choosing_eps.choose(H, F, noise) < np.inf and 0 < choosing_eps.by_deviation(H, F, noise) < np.inf


def test_the_table_has_a_line_a_rule():
    made = choosing_eps.run(10, 3, 4)
    assert len(made) == 2 + len(choosing_eps.RULES) and "10 estimates" in made[0]
    assert [line.split("  ")[1] for line in made[2:]] == list(choosing_eps.RULES)
