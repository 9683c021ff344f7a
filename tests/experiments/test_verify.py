"""The report of `verify`: true claims hold for any problem, false ones fail, rare events raise no false alarm."""
from __future__ import annotations

import importlib

import numpy as np
import pytest

from refimpl import danskin, direct, gumbel
from refimpl.checks import InputError
from refimpl.experiments import theorem1, verify
from tests.spies import spied


@pytest.mark.parametrize("k, seed", [(2, 0), (3, 1), (6, 2), (12, 3), (50, 4)])
def test_all_claims_hold(k, seed):
    claims = verify.run(k, seed, samples=30_000)
    assert len(claims) >= 20
    assert all(claim.holds for claim in claims), [claim for claim in claims if not claim.holds]


def test_a_shift_of_ten_standard_errors_fails(rng):
    h = rng.normal(size=4)
    q = gumbel.choice_probabilities(h)
    counted = verify.Counted(lambda noise: gumbel.argmax(h, noise), 4)
    counted.add(gumbel.sample((100_000, 4), rng))
    assert verify.estimated("right", q, counted, q).holds
    assert not verify.estimated("wrong", q + 10 * np.sqrt(q / 100_000), counted, q).holds


def test_counted_and_sampled_agree(rng):
    noise = gumbel.sample((5_000, 4), rng)
    index = lambda noise: gumbel.argmax(np.zeros(4), noise)
    counted, sampled = verify.Counted(index, 4), verify.Sampled(lambda noise: np.eye(4)[index(noise)])
    for half in (noise[:1_000], noise[1_000:]):
        counted.add(half)
        sampled.add(half)
    assert np.allclose(counted.mean, sampled.mean) and np.allclose(counted.error, sampled.error)


def test_identity_measures_relative_to_the_largest_entry():
    assert verify.identity("", np.array([1e6, 1.0]), np.array([1e6, 1.0 + 1e-6])).holds
    assert not verify.identity("", np.array([1.0, 2.0]), np.array([1.0, 2.0 + 1e-9])).holds
    assert verify.identity("", np.zeros(3), np.zeros(3)).holds


def test_preferred_probability():
    assert verify.preferred_probability(10, 1.0) == pytest.approx(0.476, abs=5e-4)
    assert verify.preferred_probability(10, 0.1) == pytest.approx(0.9996, abs=5e-5)


def test_standard_error_is_that_of_the_mean(rng):
    noise = gumbel.sample((9_000, 3), rng)
    sampled = verify.Sampled(lambda noise: noise)
    for part in np.split(noise, 3):
        sampled.add(part)
    assert np.allclose(sampled.error, noise.std(axis=0, ddof=1) / np.sqrt(9_000))
    shifted = noise.mean(axis=0) + 6 * sampled.error
    assert not verify.estimated("", shifted, sampled).holds


def test_preferred_probability_at_tiny_eps():
    assert verify.preferred_probability(10, 0.01) == pytest.approx(1.0)
    assert verify.preferred_probability(10, 1e4) == pytest.approx(0.1, abs=1e-3)


# --- what verify is there to catch ------------------------------------------------------------------------------------

FEW, DEFAULT = 1_000, 200_000


def times(factor: float):
    """A function whose result is off by this factor."""
    return lambda right: lambda *arguments, **keywords: factor * right(*arguments, **keywords)


def one_entry_off(right):
    """Only the first value's entry is off, by 1 %."""
    def wrong(*arguments, **keywords):
        made = np.array(right(*arguments, **keywords))
        made[..., 0] *= 1.01
        return made
    return wrong


def shifted_noise(right):
    return lambda shape, rng: right(shape, rng) + 0.05


def higher(right):
    """The maximum, 1 % too high; the winner is right."""
    def wrong(*arguments):
        value, z_eps = right(*arguments)
        return danskin.PerturbedMax(1.01 * value, z_eps)
    return wrong


def second_argmax_off(right):
    """One pair in a hundred does not climb."""
    def wrong(h, f, eps, noise):
        z_star, z_eps = right(h, f, eps, noise)
        return direct.Pair(z_star, np.where(np.arange(len(z_eps)) % 100 == 0, f.argmin(), z_eps))
    return wrong


# What is planted where, the draws that it takes to see it, and a claim that must fail.
SLIPS = {
    "gumbel.sample": (shifted_noise, DEFAULT, "step 1"),
    "gumbel.choice_probabilities": (one_entry_off, FEW, "second method: the integral"),
    "gumbel.choice_probabilities_by_quadrature": (times(1.01), FEW, "second method: the integral"),
    "danskin.perturbed_max": (higher, FEW, "the highest line"),
    "danskin.G": (times(1.01), FEW, "differences of G"),
    "danskin.dG_deps": (times(1.01), FEW, "dG/deps; second method"),
    "danskin.dG_dh": (one_entry_off, FEW, "dG/dh; second method"),
    "danskin.d2G_dh_deps": (times(1.01), FEW, "(3)"),
    "danskin.d2G_deps_dh": (times(1.01), FEW, "(4)"),
    "exact.gradient": (times(1.01), FEW, "Theorem 1 (1)"),
    "direct.gradient": (times(1.01), DEFAULT, "total variance of g"),
    "direct.two_sided_gradient": (times(1.01), DEFAULT, "two-sided"),
    "direct.expected_gradient": (times(1.01), FEW, "grad T"),
    "direct.variance": (times(1.01), DEFAULT, "total variance of g"),
    "direct.joint_law": (times(1.01), FEW, "coupling law: rows"),
    "direct.best_eps": (times(1.01), FEW, "best eps for one sample; second method"),
    "direct.mse": (times(1.01), DEFAULT, "best eps for one sample is"),
    "direct.tilted_objective": (times(1.01), FEW, "grad T"),
    "direct.argmax_pair": (second_argmax_off, FEW, "the pair only climbs"),
    "experiments.verify.preferred_probability": (times(1.01), FEW, "T - KL"),
}


@pytest.mark.parametrize("target", SLIPS)
def test_one_percent_off_in_any_of_the_mathematics_fails_a_claim(monkeypatch, target):
    plant, samples, words = SLIPS[target]
    module, _, name = target.rpartition(".")
    owner = importlib.import_module(f"refimpl.{module}")
    monkeypatch.setattr(owner, name, plant(getattr(owner, name)))
    failed = [claim.text for claim in verify.run(6, 0, samples) if not claim.holds]
    assert any(words in text for text in failed), failed


def test_without_a_slip_all_hold_with_the_default_draws():
    claims = verify.run()
    assert len(claims) == 28 and all(claim.holds for claim in claims)


def test_every_claim_of_two_exact_routes_holds_for_many_problems():
    for k, seed in ((2, 5), (3, 6), (5, 7), (9, 8), (20, 9), (50, 10)):
        claims = [claim for claim in verify.run(k, seed, FEW) if "s.e." not in claim.found]
        assert len(claims) >= 13 and all(claim.holds for claim in claims), [
                   claim for claim in claims if not claim.holds]


def test_numbers_out_of_range():
    for wrong in (dict(k=1), dict(k=51), dict(samples=999), dict(samples=10**8 + 1), dict(seed=-1)):
        with pytest.raises(InputError):
            verify.run(**wrong)


def test_the_picture_s_points_lie_on_its_lines(tmp_path, monkeypatch):
    """Lines are the exact bias, deviation and error; points are sampled; a star stands at the best eps."""
    saved = spied(monkeypatch, verify.plots, "save")
    verify.run(4, 1, 20_000, tmp_path)
    figure = saved[0]["figure"]
    h, f = verify.problem(4, np.random.default_rng(1))
    bias, deviation, error = figure.axes
    for label, two_sided in (("one-sided", False), ("two-sided", True)):
        lines = [next(line for line in ax.lines if line.get_label() == f"{label}, exact") for ax in figure.axes]
        eps = lines[0].get_xdata()
        np.testing.assert_allclose(lines[0].get_ydata(), np.linalg.norm(direct.bias(h, f, eps, two_sided), axis=-1))
        np.testing.assert_allclose(lines[1].get_ydata() ** 2, direct.variance(h, f, eps, two_sided).sum(axis=-1))
        np.testing.assert_allclose(lines[2].get_ydata() ** 2, direct.mse(h, f, eps, 100, two_sided))
        for column, (ax, exact_one) in enumerate(zip((deviation, error),
                                                     (lambda eps: direct.variance(h, f, eps, two_sided).sum(),
                                                      lambda eps: direct.mse(h, f, eps, 100, two_sided)))):
            points = next(line for line in ax.lines if line.get_label() == f"{label}, sampled")
            for x, y in zip(points.get_xdata(), points.get_ydata()):
                assert y == pytest.approx(np.sqrt(exact_one(x)), rel=0.25)
        best = float(direct.best_eps(h, f, 100, two_sided))
        stars = [line.get_xydata()[0].tolist() for line in error.lines if line.get_marker() == "*"]
        assert [best, float(np.sqrt(direct.mse(h, f, best, 100, two_sided)))] in stars
    assert [ax.get_xscale() for ax in figure.axes] == [ax.get_yscale() for ax in figure.axes] == 3 * ["log"]


def test_rare_entries_are_left_out_and_all_others_count():
    """An entry that expects fewer than 25 events is no evidence; one that expects 25 is."""
    sampled = verify.Sampled(lambda noise: noise)
    sampled.add(np.zeros((1_000, 3)))
    sampled.squares = sampled.squares + 1_000                           # of each entry the mean is 0, the deviation 1
    for probability, counts in ((0.0249, False), (0.025, True)):
        q = np.array([0.5, probability, 0.5])
        claim = verify.estimated("", np.array([0.0, 1.0, 0.0]), sampled, q)
        assert claim.holds is not counts
    # where all are rare, the most frequent ones still count
    assert not verify.estimated("", np.array([0.0, 1.0, 0.0]), sampled, np.array([1e-4, 1e-3, 1e-3])).holds


@pytest.mark.parametrize("off, holds", [(4.5, True), (5.5, False)])
def test_a_sampled_value_holds_up_to_five_standard_errors(off, holds):
    sampled = verify.Sampled(lambda noise: noise)
    sampled.add(np.tile([[1.0], [-1.0]], (500, 1)))
    claim = verify.estimated("", off * sampled.error, sampled)
    assert claim.holds is holds and claim.found.endswith(f"({off} s.e.)")


def test_the_control_variate_pays_up_to_the_eps_that_is_said():
    h, f = verify.problem(6, np.random.default_rng(0))
    claim = verify._control_variate(h, f)
    said = float(claim.found.partition("below eps = ")[2])

    def without(eps):
        q = gumbel.choice_probabilities(h + eps * f)
        return (1 - (q**2).sum()) / eps**2

    assert direct.variance(h, f, said / 1.05).sum() < without(said / 1.05)
    assert direct.variance(h, f, said * 1.05).sum() > without(said * 1.05)
    assert float(claim.exact) == pytest.approx(direct.variance(h, f, 0.01).sum(), rel=1e-5)
    assert float(claim.found.split()[0]) == pytest.approx(without(0.01), rel=1e-5) and claim.holds


def test_the_picture_says_what_each_of_its_parts_is():
    """And below the noise of its points, the deviation over the root of the draws, no bias can be seen."""
    h, f = verify.problem(3, np.random.default_rng(2))
    figure = theorem1.errors(h, f, 2_500, np.random.default_rng(3), 17)
    bias, deviation, _ = figure.axes
    assert [ax.get_title() for ax in figure.axes] == ["bias against grad E f", "one sample", "mean of 100 samples"]
    assert [ax.get_ylabel() for ax in figure.axes] == [
        "|bias|, nats", "standard deviation, nats", "root mean squared error, nats"]
    assert {ax.get_xlabel() for ax in figure.axes} == {"eps, 1/nat"}
    floor = next(line for line in bias.lines if line.get_label() == "noise of the points")
    one_sided = next(line for line in deviation.lines if line.get_label() == "one-sided, exact")
    np.testing.assert_allclose(floor.get_ydata(), one_sided.get_ydata() / 50)
    assert "k = 3, 2,500 draws a point, seed 17" in figure.get_suptitle()


def test_as_many_draws_as_were_asked_for(monkeypatch):
    monkeypatch.setattr(verify, "CHUNK", 700)
    made: list[int] = []
    right = gumbel.sample
    monkeypatch.setattr(verify.gumbel, "sample", lambda shape, rng: made.append(shape[0]) or right(shape, rng))
    verify.run(3, 0, 1_500)
    assert made == [700, 700, 100, 1_000]                           # and a thousand looked at one by one
