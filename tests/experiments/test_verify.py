"""The report of `verify`: true claims hold for any problem, false ones fail, rare events raise no false alarm."""
from __future__ import annotations

import numpy as np
import pytest

from refimpl import gumbel
from refimpl.experiments import verify


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
