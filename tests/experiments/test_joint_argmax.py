"""Coordinate-wise against joint arg max: the measurement on models where the answer is known."""
from __future__ import annotations

import numpy as np
import pytest

from refimpl import gumbel, joint
from refimpl.checks import InputError
from refimpl.estimators.direct import joint_argmax
from refimpl.experiments import joint_argmax as experiment
from refimpl.models.vae import VAE


def test_joint_argmax_by_plain_loops(rng):
    perturbed, f = rng.normal(size=(20, 3, 2)), 3 * rng.normal(size=(20, 8))
    z = joint_argmax(perturbed, f, 0.7)
    for b in range(20):
        scores = [0.7 * f[b, place] + sum(perturbed[b, i, value[i]] for i in range(3))
                  for place, value in enumerate(joint.values(3, 2))]
        assert (z[b] == joint.values(3, 2)[int(np.argmax(scores))]).all()


def test_table_picked_from_the_joint_one(rng):
    model = DiscreteVAE(3, 2, 7, 12, np.float64)
    model.initialise(rng)
    x = (rng.random((5, 12)) < 0.5).astype(float)
    z = rng.integers(3, size=(5, 2))
    objective = model.objective(x)
    assert np.allclose(experiment._table(objective.joint_table(), z, 2, 3), objective.table(gumbel.one_hot(z, 3)))


def test_with_one_variable_the_two_agree_always(rng):
    model = DiscreteVAE(4, 1, 7, 12, np.float64)
    model.initialise(rng)
    x = (rng.random((5, 12)) < 0.5).astype(float)
    row = experiment.measure(model, x, 0.5, 50, rng)
    assert row.images_agree == row.coordinates_agree == 1 and row.bias == row.bias_joint


def test_tiny_eps_agrees_and_large_eps_does_not(rng):
    model = DiscreteVAE(2, 5, 20, 40, np.float64)
    model.initialise(rng)
    model.values *= 4
    x = (rng.random((20, 40)) < 0.5).astype(float)
    tiny, large = (experiment.measure(model, x, eps, 60, rng) for eps in (1e-4, 5.0))
    assert tiny.images_agree > 0.99 > large.images_agree
    assert large.moved > tiny.moved


@pytest.mark.parametrize("arguments", [dict(n=1), dict(n=13), dict(samples=1), dict(batch=0)])
def test_numbers_out_of_range(arguments):
    with pytest.raises(InputError):
        experiment.run(**arguments)
