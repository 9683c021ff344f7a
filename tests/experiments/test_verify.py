"""The report of `verify`: true claims hold for any problem, false ones fail, and rare events cause no false alarm."""
from __future__ import annotations

import importlib
import math

import numpy as np
import pytest

from refimpl import danskin, direct, gumbel
from refimpl.arguments import InputError
from refimpl.experiments.theory import evidence, verify
from refimpl.experiments.theory import theorem1
from tests.cases import first
from tests.spies import spied


@pytest.mark.parametrize("k, seed", [(2, 0), (3, 1), (6, 2), (12, 3), pytest.param(50, 4, marks=pytest.mark.slow)])
def test_all_claims_hold(k, seed):
    claims = verify.run(k, seed, samples=30_000)
    assert len(claims) >= 20
    assert all(claim.holds for claim in claims), [claim for claim in claims if not claim.holds]


def test_claim_fails_if_its_value_is_off_by_ten_standard_errors(rng):
    h = rng.normal(size=4)
    q = gumbel.choice_probabilities(h)
    counted = verify.Sampled(lambda noise: gumbel.argmax(h, noise), 4)
    counted.add(gumbel.sample((100_000, 4), rng))
    assert verify.estimated("right", q, counted, evidence.of_events(q)).holds
    assert not verify.estimated("wrong", q + 10 * np.sqrt(q / 100_000), counted, evidence.of_events(q)).holds


def test_counted_and_sampled_means_agree(rng):
    noise = gumbel.sample((5_000, 4), rng)
    index = lambda noise: gumbel.argmax(np.zeros(4), noise)
    counted, sampled = verify.Sampled(index, 4), verify.Sampled(lambda noise: np.eye(4)[index(noise)])
    for half in (noise[:1_000], noise[1_000:]):
        counted.add(half)
        sampled.add(half)
    assert counted.n == sampled.n == 5_000 and np.allclose(counted.mean, sampled.mean)


def test_identity_measures_relative_to_the_largest_entry():
    assert verify.identity("", np.array([1e6, 1.0]), np.array([1e6, 1.0 + 1e-6])).holds
    assert not verify.identity("", np.array([1.0, 2.0]), np.array([1.0, 2.0 + 1e-9])).holds
    assert verify.identity("", np.zeros(3), np.zeros(3)).holds


def test_preferred_probability_for_usual_eps():
    assert verify.preferred_probability(10, 1.0) == pytest.approx(0.476, abs=5e-4)
    assert verify.preferred_probability(10, 0.1) == pytest.approx(0.9996, abs=5e-5)


def test_law_of_a_statistic_has_the_moments_of_its_draws(rng):
    """The laws of values, of events and of the maximum agree with a million draws to 2 %."""
    p, values = np.array([0.5, 0.3, 0.2]), np.array([[1.0, -7.0], [4.0, -7.0], [-2.0, -1.0]])
    index = rng.choice(3, size=1_000_000, p=p)
    noise = gumbel.sample((1_000_000, 1), rng)
    for law, drawn in ((evidence.of_values(p, values), values[index]), (evidence.of_events(p), np.eye(3)[index]),
                       (evidence.normal(np.pi**2 / 6, 5.4), noise)):
        centred = drawn - drawn.mean(axis=0)
        np.testing.assert_allclose(law.deviation, centred.std(axis=0), rtol=0.02)
        np.testing.assert_allclose(law.kurtosis, (centred**4).mean(axis=0) / (centred**2).mean(axis=0) ** 2, rtol=0.02)
    law = evidence.of_values(p, values)
    assert law.usual.tolist() == [1, -7] and law.largest.tolist() == [4, 7]
    np.testing.assert_allclose([law.others, law.shift], [[0.5, 0.2], [0.3 * 3 + 0.2 * 3, 0.2 * 6]])


def test_preferred_probability_for_tiny_and_huge_eps():
    assert verify.preferred_probability(10, 0.01) == pytest.approx(1.0)
    assert verify.preferred_probability(10, 1e4) == pytest.approx(0.1, abs=1e-3)


# --- planted errors ---------------------------------------------------------------------------------------------------

FEW, DEFAULT = 1_000, 200_000


def scaled(factor: float):
    """Return a planted error that multiplies the result of a function by this factor."""
    return lambda original: lambda *arguments, **keywords: factor * original(*arguments, **keywords)


def one_entry_off(original):
    """Make only the first entry of the result 1 % larger."""
    def wrong(*arguments, **keywords):
        result = np.array(original(*arguments, **keywords))
        result[..., 0] *= 1.01
        return result
    return wrong


def shifted_noise(original):
    return lambda shape, rng: original(shape, rng) + 0.05


def maximum_too_high(original):
    """Make the maximum 1 % too high, and leave the winner unchanged."""
    def wrong(*arguments):
        value, z_eps = original(*arguments)
        return danskin.PerturbedMax(1.01 * value, z_eps)
    return wrong


def second_argmax_off(original):
    """In every hundredth pair, let the second arg max be the value with the lowest f."""
    def wrong(h, f, eps, noise):
        z_star, z_eps = original(h, f, eps, noise)
        return direct.Pair(z_star, np.where(np.arange(len(z_eps)) % 100 == 0, f.argmin(), z_eps))
    return wrong


# Function -> the error planted in it, the number of draws that shows it, and a part of a claim that must fail.
PLANTED_ERRORS = {
    "gumbel.sample": (shifted_noise, DEFAULT, "step 1"),
    "gumbel.choice_probabilities": (one_entry_off, FEW, "second method: the integral"),
    "gumbel.choice_probabilities_by_quadrature": (scaled(1.01), FEW, "second method: the integral"),
    "danskin.perturbed_max": (maximum_too_high, FEW, "the highest line"),
    "danskin.G": (scaled(1.01), FEW, "differences of G"),
    "danskin.dG_deps": (scaled(1.01), FEW, "dG/deps; second method"),
    "danskin.dG_dh": (one_entry_off, FEW, "dG/dh; second method"),
    "danskin.d2G_dh_deps": (scaled(1.01), FEW, "(3)"),
    "danskin.d2G_deps_dh": (scaled(1.01), FEW, "(4)"),
    "exact.gradient": (scaled(1.01), FEW, "Theorem 1 (1)"),
    "direct.gradient": (scaled(1.01), DEFAULT, "total variance of g"),
    "direct.two_sided_gradient": (scaled(1.01), DEFAULT, "two-sided"),
    "direct.expected_gradient": (scaled(1.01), FEW, "grad T"),
    "direct.variance": (scaled(1.01), DEFAULT, "total variance of g"),
    "direct.joint_law": (scaled(1.01), FEW, "coupling law: rows"),
    "direct.best_eps": (scaled(1.01), FEW, "best eps for one sample; second method"),
    "direct.mse": (scaled(1.01), DEFAULT, "best eps for one sample is"),
    "direct.tilted_objective": (scaled(1.01), FEW, "grad T"),
    "direct.argmax_pair": (second_argmax_off, FEW, "the pair only climbs"),
    "experiments.theory.verify.preferred_probability": (scaled(1.01), FEW, "T - KL"),
}


@pytest.mark.parametrize("target", PLANTED_ERRORS)
def test_error_of_one_percent_in_any_formula_fails_a_claim(monkeypatch, target):
    plant, samples, claim_text = PLANTED_ERRORS[target]
    module, _, name = target.rpartition(".")
    owner = importlib.import_module(f"refimpl.{module}")
    monkeypatch.setattr(owner, name, plant(getattr(owner, name)))
    failed = [claim.text for claim in verify.run(6, 0, samples) if not claim.holds]
    assert any(claim_text in text for text in failed), failed


def test_all_claims_hold_with_the_default_number_of_draws():
    claims = verify.run()
    assert len(claims) == 28 and all(claim.holds for claim in claims)


@pytest.mark.slow
def test_exact_claims_hold_for_many_problems():
    for k, seed in ((2, 5), (3, 6), (5, 7), (9, 8), (20, 9), (50, 10)):
        claims = [claim for claim in verify.run(k, seed, FEW)
                  if "s.e." not in claim.found and "rare draws" not in claim.found]
        assert len(claims) >= 13 and all(claim.holds for claim in claims), [
                   claim for claim in claims if not claim.holds]


def test_numbers_out_of_range_are_refused():
    for wrong in (dict(k=1), dict(k=51), dict(samples=999), dict(samples=10**8 + 1), dict(seed=-1)):
        with pytest.raises(InputError):
            verify.run(**wrong)


def test_sampled_points_of_the_picture_agree_with_its_lines(tmp_path, monkeypatch):
    """Lines show the exact bias, deviation and error, points show sampled values, and a star marks the best eps."""
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


def means(values, n: int) -> evidence.Sampled:
    """Return a statistic of n draws with these means."""
    sampled = evidence.Sampled(lambda noise: noise)
    sampled.n, sampled.total = n, n * np.asarray(values)
    return sampled


def test_only_entries_with_enough_expected_events_are_tested():
    """An entry is tested only if at least 25 events are expected."""
    for events, counts in ((23.0, False), (25.0, True)):
        p = np.array([0.5, events / 1_000, 0.5])
        claim = verify.estimated("", p, means(p + [0, 0.1, 0], 1_000), evidence.of_events(p))
        assert claim.holds is not counts
    # if all events are rare, but not so rare that none may occur, the claim cannot be tested
    p = np.array([1e-4, 1e-3, 2e-3])
    claim = verify.estimated("", p, means(10 * p, 1_000), evidence.of_events(p))
    assert claim.holds is None and "cannot be tested" in claim.found and "2 of 1,000 are expected" in claim.found


@pytest.mark.parametrize("events, verdict", [(0.9e-5, False), (1.1e-5, None)])
def test_single_event_fails_a_claim_if_none_is_possible(events, verdict):
    p = np.array([events / 1_000])
    never = True if events < 1e-5 else None
    assert verify.estimated("", p, means([0.0], 1_000), evidence.of_events(p)).holds is never
    assert verify.estimated("", p, means([1e-3], 1_000), evidence.of_events(p)).holds is verdict


def test_constant_draws_must_equal_the_exact_value():
    sure = evidence.of_events(np.array([1.0, 0.0]))
    assert verify.estimated("", np.array([1.0, 0.0]), means([1.0, 0.0], 1_000), sure).holds is True
    assert verify.estimated("", np.array([1.0, 1e-9]), means([1.0, 0.0], 1_000), sure).holds is False


@pytest.mark.parametrize("off, holds", [(4.5, True), (4.9, True), (5.1, False), (5.5, False), (-4.9, True),
                                        (-5.1, False)])
def test_sampled_claim_holds_up_to_five_standard_errors(off, holds):
    law = evidence.of_values(np.array([0.5, 0.5]), np.array([1.0, -1.0]))
    claim = verify.estimated("", np.zeros(1), means([off / np.sqrt(1_000)], 1_000), law)
    assert claim.holds is holds and claim.found.endswith(f"({abs(off)} s.e.)")


def test_allowed_error_of_many_values_is_corrected_by_bonferroni():
    """m values are together as unlikely to exceed the allowed error as one value is to exceed five standard errors."""
    assert evidence.allowed(1) == pytest.approx(5)
    for values in (6, 2_500):
        assert values * math.erfc(evidence.allowed(values) / np.sqrt(2)) == pytest.approx(math.erfc(5 / np.sqrt(2)))


@pytest.mark.parametrize("off, holds", [(0.9e-10, True), (1.1e-10, False)])
def test_identity_holds_to_ten_digits(off, holds):
    assert verify.identity("", 1.0, 1.0 + off).holds is holds


@pytest.mark.parametrize("size, holds", [(0.9e-280, None), (1.1e-280, False)])
def test_numbers_too_small_for_full_precision_are_not_compared(size, holds):
    claim = verify.identity("", size, 0.5 * size)
    assert claim.holds is holds and ("cannot be tested" in claim.found) is (holds is None)


@pytest.mark.parametrize("power, holds", [(0.94, False), (0.96, True), (1.04, True), (1.06, False), (1.94, False),
                                          (1.96, True), (0.0, False)])
def test_slope_of_the_bias_is_tested_within_a_twentieth(monkeypatch, power, holds):
    """A slope of 2 is right too: O(eps) is an upper bound, and the term of first order may vanish."""
    monkeypatch.setattr(direct, "bias", lambda h, f, eps, two_sided: np.multiply.outer(eps**power, np.ones(2)))
    claim = verify._slope("", np.zeros(2), np.array([0.0, 3.0]), False, 1)
    assert claim.holds is holds and ("first term vanishes" in claim.found) is (power == 1.96)


# --- problems given by the user ---------------------------------------------------------------------------------------

FAR_APART = ["1e3,-1e3 1,2 0.5", "0,-800 0,1000 1", "0,0 0,1e-300 0.5", "-199.4,192.1 41.1,144.0 0.001",
             "0.5,-1,0.2 1,2,0 30", "0,0 0,40 0.5", "0,-680 0,1 0.5", "1000,1000,-1000 -1000,1000,1000 1000",
             "0,0 0,1e-160 1000", "0,1e-13 0,1 0.001", "0,-9 0,3 0.5", "3,1,3 -88.86,-88.84,-88.87 480",
             "0,0,0 0,-257,-500 35", "0,20,20 1000,999.9999999999998,0 7", "-4,-2 -284,-893 2.8"]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("problem", first(8, FAR_APART))
def test_every_problem_has_28_verdicts_and_none_fails(problem):
    h, f, eps = problem.split()
    h, f = (np.array(scores.split(","), float) for scores in (h, f))
    claims = verify.run(seed=3, samples=FEW, h=h, f=f, eps=float(eps))
    assert len(claims) == 28 and not [claim for claim in claims if claim.holds is False]
    assert not [claim for claim in claims if "nan" in claim.exact + claim.found]
    for claim in claims:
        assert (claim.holds is None) is ("cannot be tested" in claim.found)


@pytest.mark.slow
@pytest.mark.filterwarnings("error")
def test_problems_drawn_from_a_wide_range_have_28_verdicts(monkeypatch):
    least = verify._maximised_probability(10, 1.0)
    monkeypatch.setattr(verify, "_maximised_probability", lambda k, eps: least)         # slow, and always the same
    for seed in range(15):
        rng = np.random.default_rng([seed, 5])
        k = int(rng.integers(2, 8))
        h, f = (rng.normal(size=k) * 10 ** rng.uniform(-6, 2.5) for _ in range(2))
        claims = verify.run(seed=seed, samples=FEW, h=h, f=f, eps=float(10 ** rng.uniform(-3, 3)))
        assert len(claims) == 28 and not [claim for claim in claims if claim.holds is False], (seed, claims)


def test_sampled_claims_have_a_verdict_if_no_winner_changes():
    """The scores h are so far apart that the noise almost never changes the winner."""
    claims = verify.run(samples=FEW, h=np.array([0.0, -50.0]), f=np.array([1.0, 2.0]))
    found = {claim.text: claim.found for claim in claims}
    assert found["Theorem 2: P(z* = z), sampled"] == "1 in every draw, and no other is expected"
    claims = verify.run(samples=FEW, h=np.array([0.0, -8.0]), f=np.array([1.0, 2.0]))
    found = {claim.text: claim.found for claim in claims}
    sampled = found["Theorem 2: P(z* = z), sampled"]
    assert sampled.startswith("cannot be tested: it depends on rare draws, 0.34 of 1,000")


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("problem", first(1, FAR_APART[:5]))
def test_pictures_can_be_drawn_for_scores_far_apart(problem, tmp_path):
    h, f, eps = problem.split()
    h, f = (np.array(scores.split(","), float) for scores in (h, f))
    for draw in (lambda: theorem1.errors(h, f, FEW, np.random.default_rng(0), 0),
                 lambda: theorem1.component(h, f, FEW, np.random.default_rng(0))):
        draw().savefig(tmp_path / "drawn.png", dpi=20)


def test_control_variate_reduces_the_variance_up_to_the_printed_eps():
    h, f = verify.problem(6, np.random.default_rng(0))
    claim = verify._control_variate(h, f)
    limit = float(claim.found.partition("below eps = ")[2])

    def variance_without(eps):
        q = gumbel.choice_probabilities(h + eps * f)
        return (1 - (q**2).sum()) / eps**2

    assert direct.variance(h, f, limit / 1.05).sum() < variance_without(limit / 1.05)
    assert direct.variance(h, f, limit * 1.05).sum() > variance_without(limit * 1.05)
    assert float(claim.exact) == pytest.approx(direct.variance(h, f, 0.01).sum(), rel=1e-5)
    assert float(claim.found.split()[0]) == pytest.approx(variance_without(0.01), rel=1e-5) and claim.holds


def test_picture_labels_each_of_its_parts():
    """The noise of the points is the standard deviation over the root of the number of draws."""
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
    assert "k = 3, 2,500 draws per point, seed 17" in figure.get_suptitle()


def test_verify_draws_the_requested_number_of_samples(monkeypatch):
    monkeypatch.setattr(verify, "CHUNK", 700)
    sizes: list[int] = []
    original = gumbel.sample
    monkeypatch.setattr(verify.gumbel, "sample", lambda shape, rng: sizes.append(shape[0]) or original(shape, rng))
    verify.run(3, 0, 1_500)
    assert sizes == [700, 700, 100, 1_000]                          # the last 1,000 are examined one by one
