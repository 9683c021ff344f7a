"""Exact bounds and likelihoods against plain loops."""
from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy.special import expit

from refimpl import data, joint
from refimpl.arguments import NotFinite
from refimpl.latent.independent import Independent
from refimpl.models import bounds as truth
from refimpl.models.vae import VAE
from tests.models.images import Images

PIXELS, IMAGES = 12, 5


@pytest.mark.parametrize("n, k", [(1, 4), (3, 2), (2, 3)])
@pytest.mark.parametrize("block", [None, 2])
def test_bounds_agree_with_plain_loops(rng, monkeypatch, n, k, block):
    model = VAE(Independent(n, k), 7, PIXELS, np.float64)
    model.initialise(rng)
    model.parameters.values *= 3
    x = (rng.random((IMAGES, PIXELS)) < 0.4).astype(float)
    if block:
        monkeypatch.setattr(truth, "SCORES", block * k**n)
    bounds = model.bounds(Images(x))
    elbo = likelihood = 0.0
    for image in x:
        h = model.encode(image[None])[0]
        q = [[math.exp(s) / sum(math.exp(t) for t in row) for s in row] for row in h]
        terms = []
        for z in itertools.product(range(k), repeat=n):
            pixels = expit(model.decoder.forward(np.eye(k)[list(z)].reshape(1, -1))[0])
            f = sum(math.log(p if on else 1 - p) for p, on in zip(pixels, image))
            weight = math.prod(q[i][z[i]] for i in range(n))
            elbo += weight * (f - math.log(weight * k**n)) / IMAGES
            terms.append(math.exp(f) / k**n)
        likelihood += math.log(sum(terms)) / IMAGES
    assert bounds.elbo == pytest.approx(elbo, rel=1e-12)
    assert bounds.log_likelihood == pytest.approx(likelihood, rel=1e-12)
    assert bounds.gap == pytest.approx(likelihood - elbo, rel=1e-8)


def test_bounds_summed_in_float32_agree_with_float64(rng, monkeypatch):
    """Sums over 2^11 joint values in float32 agree with float64 to the third decimal."""
    model = VAE(Independent(11, 2))
    model.initialise(rng)
    model.parameters.values *= 2
    part = data.load("mnist", limit=200).test
    single = model.bounds(part)
    monkeypatch.setattr(truth, "DOUBLE_UP_TO", 10**6)
    double = model.bounds(part)
    assert 0 < np.abs(np.subtract(single, double)).max() < 1e-3
    assert single.gap >= 0


def test_scores_that_are_not_finite_are_rejected(rng):
    for bad in (np.nan, np.inf):
        logits = rng.normal(size=(8, PIXELS))
        logits[3, 4] = bad
        with np.errstate(invalid="ignore"), pytest.raises(NotFinite, match="^f must be finite"):
            truth.bounds(logits, Images(np.ones((IMAGES, PIXELS))))


def test_bound_is_nan_without_a_closed_form_of_q(rng):
    logits = rng.normal(size=(8, 784))
    bounds = truth.bounds(logits, data.load("mnist", limit=50).test)
    assert math.isnan(bounds.elbo) and math.isnan(bounds.gap) and bounds.log_likelihood < 0


def test_too_many_joint_values_are_rejected():
    from refimpl.arguments import InputError

    with pytest.raises(InputError, match="131,072"):
        VAE(Independent(17, 2), 2, 3).decode_all()
    with pytest.raises(InputError, match=r"2\^20 = 1,048,576.*65,536"):
        joint.require(20, 2, joint.COUNTABLE, "the exact likelihood", "use a smaller n")


@pytest.mark.parametrize("scores, values, size", [(None, 4, 2_000), (None, 10_000, 800), (100, 8, 12), (100, 200, 1)])
def test_block_size_respects_the_limit_of_scores(monkeypatch, scores, values, size):
    """Otherwise memory would grow with the number of joint values.  A block has at least one image."""
    if scores:
        monkeypatch.setattr(truth, "SCORES", scores)
    sizes = []

    class Watched(Images):
        def blocks(self, size, dtype):
            sizes.append(size)
            return super().blocks(size, dtype)

    truth.bounds(np.zeros((values, 2), np.float32), Watched(np.ones((3, 2))))
    assert sizes == [size]


@pytest.mark.parametrize("values, digits", [(1_024, 1e-13), (1_025, 1e-6)])
def test_up_to_1024_joint_values_are_summed_in_float64(rng, values, digits):
    logits, x = rng.normal(size=(values, 50)).astype(np.float32), (rng.random((4, 50)) < 0.5).astype(float)
    a = logits.astype(float)
    scores = x @ a.T - np.logaddexp(0, a).sum(axis=1)
    expected = (np.logaddexp.reduce(scores, axis=1) - math.log(values)).mean()
    assert truth.bounds(logits, Images(x)).log_likelihood == pytest.approx(expected, rel=digits)
