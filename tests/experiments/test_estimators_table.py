"""The table of all estimators: its rows, its verdicts and its exit status."""
from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from refimpl import cli, estimators
from refimpl.arguments import InputError, Setting
from refimpl.estimators import binary
from refimpl.experiments.theory import estimators_table
from refimpl.models.toy import Toy


@pytest.mark.parametrize("n, k", [(1, 5), pytest.param(3, 2, marks=pytest.mark.slow)])
def test_all_claims_of_unbiasedness_hold(n, k, tmp_path, monkeypatch):
    monkeypatch.setattr(estimators_table, "WARM_UP", 30)    # no claim depends on how well a baseline is trained
    rows = estimators_table.run(n, k, 20_000, 0, tmp_path)
    expected = {name for name, entry in estimators.REGISTRY.items() if k == 2 or entry.serves is not binary}
    assert {row.name for row in rows} == expected
    assert all(row.found for row in rows if row.claims)
    exact = rows[0]
    assert exact.variance < 1e-20 and exact.bias < 1e-12
    assert (tmp_path / "estimators.png").read_bytes().startswith(b"\x89PNG")


def test_false_claim_of_unbiasedness_gives_exit_status_1(tmp_path, capsys, monkeypatch):
    false = replace(estimators.get("gumbel-softmax"), unbiased=True)
    few = {"exact": estimators.get("exact"), "gumbel-softmax": false}                   # the others are slow
    monkeypatch.setattr(estimators, "REGISTRY", few)
    assert cli.main(["measure", "estimators", "--samples", "20000", "--out", str(tmp_path)]) == 1
    assert "BIASED, but declared not to be" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [dict(n=0), dict(k=1), dict(samples=10), dict(seed=-1), dict(n=12, k=8)])
def test_numbers_out_of_range_are_refused(arguments):
    with pytest.raises(InputError):
        estimators_table.run(**arguments)


def test_row_has_the_bias_and_variance_of_a_gaussian_estimator(rng):
    """The estimates are Gaussian with mean truth + shift and known deviations, so that every number is known."""
    shift = np.array([[0.3, -0.1], [0.0, 0.2]])

    def known(h, objective, rng):
        objective.evaluations += 7
        return estimators.Estimate(truth + shift + np.array([[1.0, 2.0], [3.0, 0.5]]) * rng.normal(size=h.shape), None)

    toy, truth = Toy(1, 2, 2, rng), rng.normal(size=(2, 2))
    entry = estimators.Estimator("known", known, "", unbiased=True)
    chunks: list[int] = []
    row = estimators_table.measure(entry, np.zeros((2, 2)), toy, truth, 45_000, rng, chunks.append)
    assert chunks == [20_000, 20_000, 5_000] and row.evaluations == 7 and row.name == "known"
    assert row.bias == pytest.approx(np.linalg.norm(shift), abs=0.05)
    assert row.variance == pytest.approx(1 + 4 + 9 + 0.25, rel=0.03) and row.at_equal_cost == 7 * row.variance
    assert row.z == pytest.approx(0.2 / 0.5 * np.sqrt(45_000), rel=0.1)     # the largest one, in standard errors
    assert row.claims and not row.found and estimators_table.verdict(row) == "BIASED, but declared not to be"
    shift[...] = 0
    row = estimators_table.measure(entry, np.zeros((2, 2)), toy, truth, 45_000, rng)
    assert row.found and row.z < 4 and estimators_table.verdict(row) == "unbiased"


def test_memory_of_an_estimator_does_not_change_after_the_warm_up(monkeypatch, rng):
    monkeypatch.setattr(estimators_table, "WARM_UP", 3)
    monkeypatch.setattr(estimators_table, "CHUNK", 100)
    calls = []

    def learner(h, objective, rng, *, tau, memory):
        calls.append((len(h), tau, float(memory["steps"][0])))
        memory["steps"] += 1
        return estimators.Estimate(np.zeros(h.shape), None)

    entry = estimators.Estimator("learner", learner, "", unbiased=False,
                                 hyperparameters={"tau": Setting(float, 0.4, "of the learner")},
                                 memory=lambda n, k: {"steps": np.zeros(1)})
    estimators_table.measure(entry, np.zeros((2, 2)), Toy(1, 2, 2, rng), np.ones((2, 2)), 250, rng)
    assert calls == [(100, 0.4, 0.0), (100, 0.4, 1.0), (100, 0.4, 2.0),
                     (100, 0.4, 3.0), (100, 0.4, 3.0), (50, 0.4, 3.0)]


@pytest.mark.parametrize("n, k, samples", [(1, 64, 1_000), (2, 16, 1_000),
                                           pytest.param(1, 8, 100_000, marks=pytest.mark.slow)])
def test_rare_values_do_not_make_an_unbiased_estimator_fail(n, k, samples, monkeypatch):
    """Most of 64 values come only a few times in 1,000 draws, so that the draws do not show their standard error."""
    monkeypatch.setattr(estimators_table, "WARM_UP", 10)
    for row in estimators_table.run(n, k, samples):
        assert row.found or not row.claims, row
        assert row.silent or row.z < 1_000, row


def test_estimator_with_too_few_informative_draws_is_not_tested(rng):
    """First only a few draws differ from the others; then q says that two of the values are rare."""
    truth = np.zeros((1, 4))

    def estimate(h, objective, rng):
        grad = np.zeros((len(h), 1, 4))
        grad[::period, 0, :2] = [1.0, -1.0]
        grad[period // 2::period, 0, :2] = [-1.0, 1.0]
        return estimators.Estimate(grad + np.array([0, 0, 0.5, -0.5]), None)

    entry = estimators.Estimator("rare", estimate, "", unbiased=True)
    for period, tested in ((20, True), (200, False)):                       # 100 of 1,000 draws differ, and then 10
        row = estimators_table.measure(entry, np.zeros((1, 4)), Toy(1, 1, 4, rng), truth + 1e-4, 1_000, rng)
        assert row.tested is tested and row.found
        assert (estimators_table.verdict(row) == "cannot be tested: too few draws") is not tested
    period = 2                                                              # q makes the first two rare
    row = estimators_table.measure(entry, np.array([[-9.0, -9, 0, 0]]), Toy(1, 1, 4, rng), truth + 1, 1_000, rng)
    assert not row.tested


@pytest.mark.parametrize("shift, unbiased", [(3e-10, True), (5e-10, False)])
def test_noiseless_estimator_is_compared_to_ten_digits(shift, unbiased, rng):
    entry = estimators.Estimator("noiseless", lambda h, objective, rng: estimators.Estimate(
        np.broadcast_to([1.0, 1.0 + shift], h.shape), None), "", unbiased=True)
    row = estimators_table.measure(entry, np.zeros((1, 2)), Toy(1, 1, 2, rng), np.ones((1, 2)), 1_000, rng)
    assert row.silent and row.tested and row.found is unbiased


@pytest.mark.parametrize("shift, unbiased", [(3.5, True), (4.2, True), (4.5, False)])
def test_estimator_is_called_biased_beyond_about_four_standard_errors(monkeypatch, rng, shift, unbiased):
    """Every coordinate is truth + 1 or truth - 1; the first one is also shifted by so many standard errors."""
    truth, samples = np.ones((2, 2)), 1_000

    def estimate(h, objective, rng):
        grad = truth + np.where(np.arange(len(h)) % 2, 1.0, -1.0)[:, None, None] * np.ones((1, 2, 2))
        grad[:, 0, 0] += shift / np.sqrt(samples)
        return estimators.Estimate(grad, None)

    entry = estimators.Estimator("coin", estimate, "", unbiased=True)
    row = estimators_table.measure(entry, np.zeros((2, 2)), Toy(1, 2, 2, rng), truth, samples, rng)
    assert row.found is unbiased and row.claims and row.z == pytest.approx(shift, rel=1e-9)
    assert row.bias == pytest.approx(shift / np.sqrt(samples)) and row.variance == pytest.approx(4.0)
    assert estimators_table.verdict(row) == ("unbiased" if unbiased else "BIASED, but declared not to be")


@pytest.mark.parametrize("wrong, message", [
    (dict(n=0), "--n must be at least 1 and at most 12, got 0"),
    (dict(n=13), "--n must be at most 12 and at least 1, got 13"),
    (dict(k=1), "--k must be at least 2 and at most 64, got 1"),
    (dict(k=65), "--k must be at most 64 and at least 2, got 65"),
    (dict(samples=999), "--samples must be at least 1000 and at most 100000000, got 999"),
    (dict(seed=-1), "--seed must be at least 0, got -1")])
def test_number_out_of_range_is_named(wrong, message):
    with pytest.raises(InputError) as problem:
        estimators_table.run(**wrong)
    assert str(problem.value) == message
