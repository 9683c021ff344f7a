"""Slide 21's number: sampled against exact, and exact against plain linear algebra."""
from __future__ import annotations

import numpy as np
import pytest

from refimpl import data, direct
from refimpl.experiments import variance
from refimpl.models.vae import VAE


@pytest.fixture
def model_and_batch(rng):
    model = DiscreteVAE(6, hidden=20)
    model.initialise(rng)
    model.values *= 2
    return model, data.load("mnist").train.images(slice(0, 25))


@pytest.mark.parametrize("eps", [0.1, 1.0])
def test_sampled_points_lie_on_the_exact_line(model_and_batch, rng, eps):
    model, x = model_and_batch
    sampled, error = variance.sampled_deviation(model, x, "direct", eps, 400, rng)
    exact = variance.exact_deviation(model, x, eps)
    assert abs(sampled - exact) < 4 * error and error < 0.05 * exact


def test_exact_deviation_by_writing_out_the_jacobian(model_and_batch):
    """d h / d weights of every image, one backward pass a score; variance J C J^T, summed over images."""
    model, x = model_and_batch
    h, f = model.score_all(x)
    total = 0.0
    for b in range(len(x)):
        jacobian = []
        for value in range(6):
            model.encoder.forward(x[b:b + 1])
            model.encoder.backward(np.eye(6, dtype=np.float32)[value:value + 1], need_dx=False)
            jacobian.append(model.encoder_grads.astype(float))
        jacobian = np.array(jacobian)                                       # (k, weights)
        covariance = direct.covariance(h[b, 0], f[b], 0.3)
        total += np.einsum("cp,cd,dp->", jacobian, covariance, jacobian)
    expected = np.sqrt(total / len(x) ** 2 / model.encoder.n_parameters)
    assert variance.exact_deviation(model, x, 0.3) == pytest.approx(expected, rel=1e-5)


def test_deviation_falls_with_the_root_of_the_batch(model_and_batch):
    model, x = model_and_batch
    twice = np.concatenate([x, x])
    assert variance.exact_deviation(model, twice, 0.3) == pytest.approx(
        variance.exact_deviation(model, x, 0.3) / np.sqrt(2), rel=1e-6)
