"""Coordinate-wise and joint arg max, measured on models for which the result is known."""
from __future__ import annotations

import numpy as np
import pytest

from refimpl import data, gumbel, joint
from refimpl.arguments import InputError
from refimpl.experiments.measuring import joint_argmax as experiment
from refimpl.latent.independent import Independent
from refimpl.models.vae import VAE


def test_joint_argmax_equals_plain_loops(rng):
    perturbed, f = rng.normal(size=(20, 3, 2)), 3 * rng.normal(size=(20, 8))
    z = Independent(3, 2).joint_argmax(perturbed, 0.7 * f).argmax(axis=-1)
    for b in range(20):
        scores = [0.7 * f[b, index] + sum(perturbed[b, i, value[i]] for i in range(3))
                  for index, value in enumerate(joint.values(3, 2))]
        assert (z[b] == joint.values(3, 2)[int(np.argmax(scores))]).all()


def test_coordinate_table_has_the_entries_of_the_joint_table(rng):
    model = VAE(Independent(2, 3), 7, 12, np.float64)
    model.initialise(rng)
    x = (rng.random((5, 12)) < 0.5).astype(float)
    z = rng.integers(3, size=(5, 2))
    objective = model.objective(x)
    assert np.allclose(experiment._table(objective.joint_table().f, z, 2, 3), objective.table(gumbel.one_hot(z, 3)).f)


def test_joint_and_coordinate_arg_max_agree_for_one_variable(rng):
    model = VAE(Independent(1, 4), 7, 12, np.float64)
    model.initialise(rng)
    x = (rng.random((5, 12)) < 0.5).astype(float)
    row = experiment.measure(model, x, 0.5, 50, rng)
    assert row.images_agree == row.coordinates_agree == 1 and row.bias == row.bias_joint


def test_joint_and_coordinate_arg_max_agree_only_for_small_eps(rng):
    model = VAE(Independent(5, 2), 20, 40, np.float64)
    model.initialise(rng)
    model.parameters.values *= 4
    x = (rng.random((20, 40)) < 0.5).astype(float)
    tiny, large = (experiment.measure(model, x, eps, 60, rng) for eps in (1e-4, 5.0))
    assert tiny.images_agree > 0.99 > large.images_agree
    assert large.moved > tiny.moved


@pytest.mark.parametrize("arguments", [dict(n=1), dict(n=13), dict(samples=1), dict(batch=0)])
def test_numbers_out_of_range_are_refused(arguments):
    with pytest.raises(InputError):
        experiment.run(**arguments)


def row_by_loops(model, x, eps, samples, rng):
    """Compute all columns of a row with loops over draws, images and values."""
    h, f = model.encode(x), model.objective(x).joint_table().f
    values = np.array(joint.values(model.n, model.k))
    batch, n, k = h.shape
    exact_gradient, counts = joint.gradient(h, f), np.zeros(3)
    gradients = {"coordinate": [], "joint": [], "linear": []}
    for _ in range(samples):
        noisy = h + gumbel.sample(h.shape, rng)
        z_star, coordinate, joint_z = (np.zeros((batch, n), int) for _ in range(3))
        for b in range(batch):
            scores = [sum(noisy[b, i, value[i]] for i in range(n)) for value in values]
            z_star[b] = values[int(np.argmax(scores))]
            joint_z[b] = values[int(np.argmax([score + eps * f[b, index] for index, score in enumerate(scores)]))]
            for i in range(n):
                scores_of_i = []
                for c in range(k):
                    z = z_star[b].copy()
                    z[i] = c
                    scores_of_i.append(noisy[b, i, c] + eps * f[b, int(np.flatnonzero((values == z).all(axis=1))[0])])
                coordinate[b, i] = int(np.argmax(scores_of_i))
        agree = coordinate == joint_z
        counts += [(joint_z != z_star).mean(), agree.mean(), agree.all(axis=1).mean()]
        one_hot = np.eye(k)[z_star]
        slope = model.decoder.run(one_hot.reshape(batch, -1))
        slope = slope.backward(x - 1 / (1 + np.exp(-slope.y))).dx.reshape(batch, n, k)      # df/dz at z*
        linear = (noisy + eps * slope).argmax(axis=-1)
        for name, z in (("coordinate", coordinate), ("joint", joint_z), ("linear", linear)):
            gradients[name].append((np.eye(k)[z] - np.eye(k)[z_star]) / eps)
    scale, errors = np.linalg.norm(exact_gradient), []
    for estimates in gradients.values():
        mean = np.mean(estimates, axis=0)
        errors.append((np.linalg.norm(mean - exact_gradient) / scale,
                       np.sqrt(np.mean([((g - mean) ** 2).sum() for g in estimates])) / scale))
    biases, deviations = zip(*errors)
    return [eps, *(counts / samples), *biases, *deviations, max(deviations) / np.sqrt(samples)]


def test_row_equals_plain_loops(rng):
    model = VAE(Independent(3, 2), 9, 14, np.float64)
    model.initialise(rng)
    model.parameters.values *= 6
    x = (rng.random((6, 14)) < 0.5).astype(float)
    row = experiment.measure(model, x, 0.8, 12, np.random.default_rng(3))
    np.testing.assert_allclose(list(row), row_by_loops(model, x, 0.8, 12, np.random.default_rng(3)), rtol=1e-9)
    assert 0 < row.moved < 1 and row.coordinates_agree < 1 and abs(row.bias - row.bias_joint) > 1e-3


def test_run_measures_the_trained_model_on_training_images(monkeypatch):
    from refimpl.runs.vae import VAERun
    from tests.spies import raw, spied

    monkeypatch.setattr(experiment, "train_epoch", lambda run, part, *rest: trained.append((run, part)))
    trained, measured, starts = [], spied(monkeypatch, experiment, "measure"), spied(monkeypatch, VAERun, "start")
    rows = experiment.run(n=3, dataset="fashion-mnist", seed=4, samples=2, batch=7)
    ((run, part),) = trained
    settings = run.settings
    assert (settings.n, settings.k, settings.seed, settings.dataset) == (3, 2, 4, "fashion-mnist") and len(starts) == 1
    assert settings.estimator == "direct" and len(part) == 50_000
    assert [call["eps"] for call in measured] == list(experiment.EPSILONS) == [row.eps for row in rows]
    for call in measured:
        assert call["model"] is run.model and call["samples"] == 2
        np.testing.assert_array_equal(call["x"], raw("fashion-mnist", "train", 7)[0])


def test_run_uses_the_requested_noise_and_data(monkeypatch, tmp_path):
    from tests.spies import spied

    states, loads = [], spied(monkeypatch, data, "load")
    monkeypatch.setattr(experiment, "train_epoch", lambda run, part, *rest: None)
    monkeypatch.setattr(experiment, "measure", lambda *arguments: states.append(arguments[4].bit_generator.state))
    experiment.run(n=2, seed=7, samples=2, batch=3, data_dir=tmp_path)
    assert loads == [dict(name="mnist", data_dir=tmp_path, limit=None, sha256=None)]
    assert states[0] == np.random.default_rng(7).bit_generator.state


@pytest.mark.parametrize("name, least, most", [("n", 2, 12), ("samples", 2, 100_000), ("batch", 1, 1_000)])
def test_limits_of_a_range_are_allowed_and_values_beyond_are_refused(monkeypatch, name, least, most):
    monkeypatch.setattr(experiment, "train_epoch", lambda run, part, *rest: None)
    monkeypatch.setattr(experiment, "measure", lambda *arguments: None)
    for value in (least, most):
        assert len(experiment.run(**{"n": 2, name: value})) == len(experiment.EPSILONS)
    for value, words in ((least - 1, f"at least {least} and at most {most}"),
                         (most + 1, f"at most {most} and at least {least}")):
        with pytest.raises(InputError, match=f"^--{name} must be {words}, got {value}$"):
            experiment.run(**{name: value})
