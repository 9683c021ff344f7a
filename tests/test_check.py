"""check.gradient: the right one passes, in any precision, and each slip is named."""
from __future__ import annotations

import re

import numpy as np
import pytest

from refimpl import check, direct, exact, gumbel

H, F = np.array([0.5, -1.0, 0.2, 1.0]), np.array([1.0, 2.5, 0.0, -1.0])


def right(h, f, eps, noise):
    onehot = np.eye(h.shape[-1])
    return (onehot[(eps * f + h + noise).argmax(-1)] - onehot[(h + noise).argmax(-1)]) / eps


def unshared(h, f, eps, rng):
    onehot = np.eye(h.shape[-1])
    first, second = (gumbel.sample(h.shape, rng) for _ in range(2))
    return (onehot[(eps * f + h + first).argmax(-1)] - onehot[(h + second).argmax(-1)]) / eps


SLIPS = {
    "The sign is wrong": lambda h, f, eps, noise: -right(h, f, eps, noise),
    "The factor 1/eps is missing": lambda h, f, eps, noise: eps * right(h, f, eps, noise),
    "divided by eps twice": lambda h, f, eps, noise: right(h, f, eps, noise) / eps,
    "half of what it should be": lambda h, f, eps, noise: right(h, f, eps, noise) / 2,
    "twice what it should be": lambda h, f, eps, noise: right(h, f, eps, noise) * 2,
    "The noise is not shared": unshared,
    "The second term is dropped": lambda h, f, eps, noise: np.eye(4)[(eps * f + h + noise).argmax(-1)] / eps,
    "The first term is dropped": lambda h, f, eps, noise: -np.eye(4)[(h + noise).argmax(-1)] / eps,
    "f enters with the wrong sign": lambda h, f, eps, noise: right(h, -f, eps, noise),
    "f enters without eps": lambda h, f, eps, noise: right(h, f / eps, eps, noise),
    "the two-sided difference": lambda h, f, eps, noise: direct.two_sided_gradient(h, f, eps, noise),
    "this is the mean at this eps": lambda h, f, eps, noise: direct.expected_gradient(h, f, eps),
    "this is the exact gradient": lambda h, f, eps, noise: exact.gradient(h, f),
    "no noise in the arg maxes": lambda h, f, eps, noise: right(h, f, eps, 0 * noise),
    "The noise has the wrong sign": lambda h, f, eps, noise: right(h, f, eps, -noise)}


@pytest.mark.parametrize("words", SLIPS)
def test_every_slip_is_named(words):
    """By its mean and variance alone where the function draws its own noise, too."""
    report = check.gradient(SLIPS[words], H, F, samples=40_000)
    assert not report.holds and report.verdict.startswith("NOT the direct gradient. ") and words in report.verdict
    assert report.verdict in str(report)


def own_noise(h, f, eps, rng):
    return right(h, f, eps, gumbel.sample(h.shape, rng))


@pytest.mark.parametrize("function", [
    right, own_noise, lambda h, f, eps, noise: right(h, f, eps, noise + 0.5772),     # the mean of the noise is free
    lambda h, f, eps, noise: right(h.astype("f"), f.astype("f"), eps, noise.astype("f")).astype("f"),
    lambda h, f, eps, noise: right(h, f, eps, noise).tolist(), lambda *four: right(*four)])
@pytest.mark.parametrize("eps", [0.05, 0.3, 3.0])
def test_the_right_one_holds(function, eps):
    report = check.gradient(function, H, F, eps, samples=40_000)
    assert report.holds and report.verdict == "It is the direct gradient."
    assert report.equal == (None if function is own_noise else 1.0)


def test_the_table_is_exact_beside_found():
    report = check.gradient(right, H, F, samples=40_000)
    g = right(np.broadcast_to(H, (40_000, 4)), F, 0.3,
              np.concatenate([gumbel.sample((20_000, 4), rng) for rng in [np.random.default_rng(0)] for _ in range(2)]))
    for i, (mean, found, error, variance, spread) in enumerate(report.rows):
        assert mean == direct.expected_gradient(H, F, 0.3)[i] and variance == direct.variance(H, F, 0.3)[i]
        assert found == pytest.approx(g[:, i].mean(), rel=1e-9) and spread == pytest.approx(g[:, i].var(), rel=1e-3)
        assert error == pytest.approx(g[:, i].std() / 200, rel=1e-3)
    text = str(report)
    assert "40,000 draws" in text and "100.00% of the draws" in text and max(map(len, text.splitlines())) < 100


def test_noise_that_is_not_used_and_noise_that_is_no_gumbel():
    report = check.gradient(lambda h, f, eps, noise: right(h, f, eps, noise[::-1]), H, F)
    assert not report.holds and "does not use the noise that it is given" in report.verdict and report.equal < 1
    report = check.gradient(lambda h, f, eps, rng: right(h, f, eps, rng.normal(size=h.shape)), H, F)
    assert not report.holds and "none of the slips" in report.verdict


@pytest.mark.parametrize("arguments, problem, words", [
    ((5, H, F), TypeError, "^function must be a function"), ((lambda h, f: h, H, F), TypeError, "four arguments"),
    ((lambda h, f, eps, noise: h[:3], H, F), ValueError, r"^function must return an array of shape \(1000, 4\)"),
    ((lambda h, f, eps, noise: h * np.nan, H, F), ValueError, "^function must return finite"),
    ((right, H, F[:2]), ValueError, "^h and f must be vectors of one length"),
    ((right, H, 0 * F), ValueError, "^f must hold diff"),
    ((right, [H], [F]), ValueError, "^h and f must be vectors"), ((right, H, F, 0.0), ValueError, "^eps"),
    ((right, H, F, 0.3, 10), ValueError, "^samples"), ((right, [np.nan, 1], [1, 2]), ValueError, "^h")])
def test_bad_input(arguments, problem, words):
    with pytest.raises(problem, match=words):
        check.gradient(*(*arguments, 0.3, 1_000)[:max(5, len(arguments))])


def test_verdicts_are_sentences():
    for words in check._slips(H, F, 0.3):
        assert re.fullmatch(r"[A-Zf].*\.", words, re.S)
