"""Check Theorem 2 and the sampler of Gumbel noise."""
from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from refimpl import direct, gumbel
from tests.asserts import assert_relative


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_noise_has_the_zero_mean_gumbel_distribution(rng, dtype):
    noise = gumbel.sample(200_000, rng, dtype)
    assert noise.dtype == dtype
    law = stats.gumbel_r(loc=-np.euler_gamma)
    assert stats.kstest(noise.astype(float), law.cdf).pvalue > 1e-3
    assert abs(noise.mean()) < 4 * law.std() / np.sqrt(noise.size)
    # the same test must reject uncentred noise, whose mean is Euler's constant, 0.577
    assert stats.kstest(noise.astype(float) + np.euler_gamma, law.cdf).pvalue < 1e-12


def test_noise_is_finite_when_the_generator_returns_zero():
    class Zeros(np.random.Generator):
        def standard_exponential(self, size=None, dtype=np.float64):
            return np.zeros(size, dtype)

    for dtype in (np.float64, np.float32):
        assert np.isfinite(gumbel.sample(3, Zeros(np.random.PCG64(0)), dtype)).all()


@pytest.mark.parametrize("waiting", [1e-7, 1e-20, 1e-100, 1e-300, 40.0, 700.0])
def test_noise_is_not_cut_off_in_either_tail(waiting):
    """gamma is -log E - c for every E that the generator returns.  A billion draws would not show a cut-off tail."""
    class Given(np.random.Generator):
        def standard_exponential(self, size=None, dtype=np.float64):
            return np.full(size, waiting, dtype)

    for dtype, digits in ((np.float64, 1e-14), (np.float32, 1e-6)):
        noise = gumbel.sample(3, Given(np.random.PCG64(0)), dtype)
        np.testing.assert_allclose(noise, -np.log(waiting) - np.euler_gamma, rtol=digits)


def test_arg_max_frequencies_are_the_softmax(rng):
    h = np.array([1.0, -0.5, 2.0, 0.0, -3.0, 1.5])
    n = 300_000
    counts = np.bincount(gumbel.argmax(h, gumbel.sample((n, 6), rng)), minlength=6)
    expected = n * gumbel.choice_probabilities(h)
    assert stats.chisquare(counts, expected).pvalue > 1e-3
    wrong = h + np.array([0.03, 0, 0, 0, 0, 0])                     # a 3 % error in one weight must be detected
    assert stats.chisquare(counts, n * gumbel.choice_probabilities(wrong)).pvalue < 1e-6


def test_same_noise_gives_the_same_arg_max(rng):
    h, noise = rng.normal(size=(5, 7)), gumbel.sample((100, 5, 7), rng)
    first, second = gumbel.argmax(h, noise), gumbel.argmax(h.copy(), noise.copy())
    assert (first == second).all()
    assert (gumbel.argmax(h + 3.0, noise) == first).all()           # a constant moves no arg max
    again = np.random.default_rng(5), np.random.default_rng(5)
    assert (gumbel.sample(50, again[0]) == gumbel.sample(50, again[1])).all()


@pytest.mark.parametrize("scale", [0.1, 3.0, 30.0, 1000.0])
@pytest.mark.parametrize("k", [1, 2, 6, 40])
def test_integral_in_the_proof_equals_the_softmax(rng, scale, k):
    h = rng.uniform(-scale, scale, (3, k))
    assert_relative(gumbel.choice_probabilities_by_quadrature(h), gumbel.choice_probabilities(h), 1e-12)


def test_given_index_wins_with_conditional_noise(rng):
    h = rng.normal(size=(4, 6)) * 3
    index = rng.integers(6, size=(2_000, 4))
    noise = gumbel.sample_given_argmax(h, index, rng)
    assert noise.shape == (2_000, 4, 6)
    assert (gumbel.argmax(h, noise) == index).all()


def test_conditional_noise_averaged_over_the_winner_is_gumbel_noise(rng):
    """If the winner is drawn from the softmax, and the noise given the winner, every coordinate has Gumbel noise."""
    h = np.array([0.5, -1.0, 2.0])
    index = rng.choice(3, size=100_000, p=gumbel.choice_probabilities(h))
    noise = gumbel.sample_given_argmax(h, index, rng)
    law = stats.gumbel_r(loc=-np.euler_gamma)
    for coordinate in range(3):
        assert stats.kstest(noise[:, coordinate], law.cdf).pvalue > 1e-3
    assert np.abs(np.corrcoef(noise.T) - np.eye(3)).max() < 4 / np.sqrt(100_000)


def test_conditional_noise_is_finite_for_extreme_scores(rng):
    h = np.array([1000.0, -1000.0, 0.0])
    for index in range(3):
        noise = gumbel.sample_given_argmax(h, np.full(200, index), rng)
        assert np.isfinite(noise).all()
        assert (gumbel.argmax(h, noise) == index).all()


def test_single_value_wins_and_ties_go_to_the_lowest_index():
    assert gumbel.argmax([[2.0], [3.0]], [[0.1], [0.2]]).tolist() == [0, 0]
    assert gumbel.argmax([1.0, 1.0, 0.0], [0.0, 0.0, 0.0]) == 0
    assert gumbel.choice_probabilities([5.0]).tolist() == [1.0]


@pytest.mark.parametrize("call, name", [
    (lambda r: gumbel.argmax([1.0, np.nan], [0.0, 0.0]), "h"),
    (lambda r: gumbel.argmax([1.0, 2.0], [0.0, np.inf]), "noise"),
    (lambda r: gumbel.argmax([1.0, 2.0], [0.0, 0.0, 0.0]), "noise"),
    (lambda r: gumbel.argmax(np.zeros((2, 3)), np.zeros((4, 3))), "noise"),
    (lambda r: gumbel.choice_probabilities([]), "h"),
    (lambda r: gumbel.choice_probabilities(3.0), "h"),
    (lambda r: gumbel.choice_probabilities_by_quadrature([np.inf]), "h"),
    (lambda r: gumbel.sample_given_argmax([1.0, 2.0], 2, r), "index"),
    (lambda r: gumbel.sample_given_argmax([1.0, 2.0], -1, r), "index"),
    (lambda r: gumbel.sample_given_argmax(np.zeros((2, 3)), np.zeros(5, int), r), "index"),
])
def test_errors_name_the_invalid_argument(rng, call, name):
    with pytest.raises(ValueError, match=rf"^{name} must"):
        call(rng)


def test_type_errors_name_the_argument(rng):
    with pytest.raises(TypeError, match="^rng must"):
        gumbel.sample(3, np.random)
    with pytest.raises(TypeError, match="^dtype must"):
        gumbel.sample(3, rng, np.float16)
    with pytest.raises(TypeError, match="^h must"):
        gumbel.choice_probabilities(["a", "b"])
    with pytest.raises(TypeError, match="^h must"):
        gumbel.choice_probabilities([1j, 2])
    with pytest.raises(TypeError, match="^index must"):
        gumbel.sample_given_argmax([1.0, 2.0], 0.5, rng)
    with pytest.raises(TypeError, match="^rng must"):
        gumbel.sample_given_argmax([1.0, 2.0], 0, np.random)


def test_float32_noise_has_the_full_upper_tail():
    """The noise is drawn in float64, because float32 draws of an exponential variable are too coarse near 0.

    The largest of 2 10^7 draws lies between 13 and 25 with a probability of 0.9999.
    """
    largest = max(gumbel.sample(2_000_000, np.random.default_rng(seed), np.float32).max() for seed in range(10))
    assert 13 < largest < 25
    small = np.concatenate([gumbel.sample(1_000_000, np.random.default_rng(seed), np.float32) for seed in range(2)])
    assert np.unique(small[small > 9]).size > 0.9 * (small > 9).sum()                 # many distinct values in the tail


def test_conditional_noise_has_exponential_waiting_times_of_the_right_rates(rng):
    """With E(z) = exp(-(h + gamma + c)), the first time has rate sum w, and each other waits further with rate w(z)."""
    h = np.array([0.5, -1.0, 2.0])
    noise = gumbel.sample_given_argmax(h, np.full(1_000_000, 1), rng)
    E = np.exp(-(h + noise + np.euler_gamma))
    first, waits = E[:, 1], (E - E[:, 1:2])[:, [0, 2]]
    for draws, rate in ((first, np.exp(h).sum()), (waits[:, 0], np.exp(h[0])), (waits[:, 1], np.exp(h[2]))):
        assert abs(draws.mean() * rate - 1) < 4 / 1_000                             # 0.4 %


@pytest.mark.parametrize("offset", [1e16, -1e17, 1e299])
def test_results_depend_only_on_differences_of_scores(rng, offset):
    """Results are equal to the bit.  Steps of 64 survive in h at 1e17, and at 1e299 all entries of h are equal."""
    h = offset + 64.0 * np.array([0.0, 1.0, 1.0, -1.0])
    small = h - h.max()
    noise = gumbel.sample((500, 4), rng)
    assert (gumbel.argmax(h, noise) == gumbel.argmax(small, noise)).all()
    assert_relative(gumbel.choice_probabilities_by_quadrature(h), gumbel.choice_probabilities(small), 1e-12)
    of_large, of_small = (gumbel.sample_given_argmax(x, 2, np.random.default_rng(3)) for x in (h, small))
    assert (of_large == of_small).all() and gumbel.argmax(h, of_large) == 2


@pytest.mark.parametrize("gap", [1e3, 1e13, 1e16, 1e299])
def test_given_index_wins_even_with_a_very_low_score(rng, gap):
    h = np.array([0.0, -gap, -gap])
    for index in range(3):
        noise = gumbel.sample_given_argmax(h, np.full(2_000, index), rng)
        assert (gumbel.argmax(h, noise) == index).all()
    law = stats.gumbel_r(loc=-np.euler_gamma)           # if the best value wins, the noise of the others is plain
    losers = gumbel.sample_given_argmax(h, np.zeros(20_000, int), rng)[:, 1]
    assert stats.kstest(losers, law.cdf).pvalue > 1e-3


def test_one_hot_returns_one_hot_vectors_and_rejects_bad_indices():
    assert gumbel.one_hot([[0, 2], [1, 1]], 3).tolist() == [[[1, 0, 0], [0, 0, 1]], [[0, 1, 0], [0, 1, 0]]]
    for index, k, name in ((3, 3, "index"), (-1, 3, "index"), (0, 0, "k")):
        with pytest.raises(ValueError, match=f"^{name} must"):
            gumbel.one_hot(index, k)


@pytest.mark.parametrize("wrong, error", [
    ([[1.0, 2.0], [3.0]], ValueError), ([1.0, 1e301], ValueError), ([1.0, np.inf], ValueError), ([1j, 2.0], TypeError),
    (np.ma.masked_array([1.0, 2.0], [False, True]), TypeError), ([np.ma.masked, 1.0], TypeError), (None, TypeError),
    (np.array([1.0, 2.0], object), TypeError), ("12", TypeError), ([10**400, 1], TypeError),
])
def test_errors_about_unusual_arrays_name_the_argument(wrong, error):
    with pytest.raises(error, match="^h must"):
        gumbel.choice_probabilities(wrong)
    with pytest.raises(error, match="^noise must"):
        gumbel.argmax([1.0, 2.0], wrong)


def test_error_about_broadcasting_names_both_arguments():
    with pytest.raises(ValueError, match="^noise must broadcast with f: got shapes"):
        direct.gradient(np.zeros(3), np.zeros((2, 3)), 0.1, np.zeros((4, 3)))
    with pytest.raises(ValueError, match="^eps must broadcast with the batch axes"):
        direct.gradient(np.zeros(3), np.zeros((2, 3)), np.ones(4), np.zeros((2, 3)))


def test_images_in_a_batch_do_not_affect_each_other(rng):
    """Scores near 1e17 in one image cost no digits in another, because each image subtracts its own largest score."""
    h = np.stack([rng.normal(size=4), 1e17 + 64.0 * np.arange(4)])
    noise, small = gumbel.sample((500, 2, 4), rng), h - h.max(axis=-1, keepdims=True)
    assert (gumbel.argmax(h, noise) == (small + noise).argmax(axis=-1)).all()
    index = rng.integers(4, size=(500, 2))
    of_large, of_small = (gumbel.sample_given_argmax(scores, index, np.random.default_rng(3)) for scores in (h, small))
    assert (of_large == of_small).all()
    assert_relative(gumbel.choice_probabilities_by_quadrature(h)[0], gumbel.choice_probabilities(h[0]), 1e-12)


def test_one_hot_handles_100_000_values():
    # a table of joint values may have as many
    hot = gumbel.one_hot(99_999, 100_000)
    assert hot.shape == (100_000,) and hot[-1] == 1 == hot.sum()


# --- Gumbel-top-k -----------------------------------------------------------------------------------------------------

def excess_of_top_k(draw=gumbel.top_k, draws=20_000) -> float:
    """Return the chi-square of ordered draws against top_k_probability, in standard deviations above its mean."""
    h, k = np.array([0.6, -0.4, 1.2, 0.0, -1.0]), 3
    orders = np.array(list(itertools.permutations(range(5), k)))
    chosen = draw(np.broadcast_to(h, (draws, 5)), k, np.random.default_rng(4))
    place = np.full(5**k, len(orders))                      # the last count is of invalid orders
    place[orders @ 5 ** np.arange(k)] = np.arange(len(orders))
    counts = np.bincount(place[chosen @ 5 ** np.arange(k)], minlength=len(orders) + 1)
    expected = draws * gumbel.top_k_probability(h, orders)
    statistic = ((counts[:-1] - expected) ** 2 / expected).sum() + counts[-1]
    return float((statistic - (len(orders) - 1)) / np.sqrt(2 * (len(orders) - 1)))


def test_top_k_has_the_plackett_luce_distribution():
    assert abs(excess_of_top_k()) < 4


@pytest.mark.parametrize("scale", [1.0, 30.0, 1e3])
def test_top_k_probability_agrees_with_its_definition(rng, scale):
    """It is a product of fractions of the remaining weights, and it sums to 1 over all orders."""
    h = scale * rng.normal(size=4)
    for k in range(5):
        orders = np.array(list(itertools.permutations(range(4), k)), int).reshape(math.perm(4, k), k)
        p = gumbel.top_k_probability(h, orders)
        assert p.sum() == pytest.approx(1, abs=1e-12)
        for order, value in zip(orders, p):
            left, product = list(range(4)), 1.0
            for z in order:
                product *= np.exp(h[z] - h[left].max()) / np.exp(h[left] - h[left].max()).sum()
                left.remove(z)
            assert value == pytest.approx(product, rel=1e-10, abs=1e-290)
    assert_relative(gumbel.top_k_probability(h, np.arange(4)[:, None]), gumbel.choice_probabilities(h), 1e-10)


def test_top_k_handles_limits_of_k_batches_and_excluded_values(rng):
    h = rng.normal(size=(3, 1, 4))
    assert gumbel.top_k(h, 0, rng).shape == (3, 1, 0) and gumbel.top_k_probability(h, []).tolist() == [[1.0]] * 3
    assert (np.sort(gumbel.top_k(h, 4, rng), axis=-1) == np.arange(4)).all()
    first = gumbel.top_k(h, 2, np.random.default_rng(1))[..., 0]
    assert (first == gumbel.argmax(h, gumbel.sample(h.shape, np.random.default_rng(1)))).all()
    assert gumbel.top_k_probability(h, np.zeros((2, 1), int)).shape == (3, 2)
    low = np.array([-1e300, 0, 0])                          # an excluded value comes last
    assert (gumbel.top_k(np.broadcast_to(low, (500, 3)), 2, rng) > 0).all()
    assert gumbel.top_k_probability(low, [[1, 2], [2, 1], [0, 1]]).tolist() == [0.5, 0.5, 0.0]
    assert gumbel.top_k([1e17, 1e17 + 64], 1, rng).tolist() == [1]


@pytest.mark.parametrize("call, error, words", [
    (lambda r: gumbel.top_k(np.zeros(3), 4, r), ValueError, "k must be in 0"),
    (lambda r: gumbel.top_k(np.zeros(3), -1, r), ValueError, "k must be in 0"),
    (lambda r: gumbel.top_k(np.zeros(3), 1.5, r), ValueError, "k must be a whole number"),
    (lambda r: gumbel.top_k([0, np.nan], 1, r), ValueError, "h must be finite"),
    (lambda r: gumbel.top_k([0, -np.inf], 1, r), ValueError, "h must be finite"),
    (lambda r: gumbel.top_k([0, 1], 1, np.random), TypeError, "rng must"),
    (lambda r: gumbel.top_k_probability([0, 1], [1, 1]), ValueError, "order must have shape"),
    (lambda r: gumbel.top_k_probability([0, 1], 1), ValueError, "order must have shape"),
    (lambda r: gumbel.top_k_probability([0, 1], [2]), ValueError, "order must lie in 0"),
    (lambda r: gumbel.top_k_probability([0, 1], [0.5]), TypeError, "order must hold integers"),
    (lambda r: gumbel.top_k_probability(np.zeros((2, 3)), np.zeros((4, 1), int)), ValueError, "order must broadcast"),
])
def test_errors_of_top_k_name_the_invalid_argument(rng, call, error, words):
    with pytest.raises(error, match=f"^{words}"):
        call(rng)
