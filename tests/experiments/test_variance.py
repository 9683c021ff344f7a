"""The deviation of slide 21: the sampled value against the exact one, and the exact one against linear algebra."""
from __future__ import annotations

import csv

import numpy as np
import pytest

from refimpl import data, direct, estimators
from refimpl.arguments import InputError
from refimpl.experiments.measuring import variance
from refimpl.latent.independent import Independent
from refimpl.models.vae import VAE
from refimpl.runs import loop
from tests.settings import vae
from tests.spies import raw, spied


@pytest.fixture
def model_and_batch(rng):
    model = VAE(Independent(1, 6), hidden=20)
    model.initialise(rng)
    model.parameters.values *= 2
    return model, data.load("mnist").train.images(slice(0, 25))


@pytest.mark.parametrize("eps", [0.1, 1.0])
def test_sampled_deviation_agrees_with_the_exact_one(model_and_batch, rng, eps):
    model, x = model_and_batch
    sampled, error, _ = variance.sampled_deviation(model, x, "direct", eps, 400, rng)
    exact = variance.exact_deviation(model, x, eps)
    assert abs(sampled - exact) < 4 * error and error < 0.05 * exact


def test_exact_deviation_equals_that_from_the_full_jacobian(model_and_batch):
    """The Jacobian J of the scores of an image takes one backward pass per score.  If C is the covariance of the
    gradient with respect to h, the variance is the trace of J^T C J, summed over the images."""
    model, x = model_and_batch
    h, f = model.score_all(x)
    total = 0.0
    for b in range(len(x)):
        jacobian = []
        for value in range(6):
            model.parameters.zero_grads()
            model.encoder.run(x[b:b + 1]).backward(np.eye(6, dtype=np.float32)[value:value + 1]).accumulate()
            jacobian.append(model.parameters.grads[:model.encoder.n_parameters].astype(float))
        jacobian = np.array(jacobian)                                       # (k, weights)
        covariance = direct.covariance(h[b, 0], f[b], 0.3)
        total += np.einsum("cp,cd,dp->", jacobian, covariance, jacobian)
    expected = np.sqrt(total / len(x) ** 2 / model.encoder.n_parameters)
    assert variance.exact_deviation(model, x, 0.3) == pytest.approx(expected, rel=1e-5)


def test_deviation_is_inversely_proportional_to_the_root_of_the_batch_size(model_and_batch):
    model, x = model_and_batch
    twice = np.concatenate([x, x])
    assert variance.exact_deviation(model, twice, 0.3) == pytest.approx(
        variance.exact_deviation(model, x, 0.3) / np.sqrt(2), rel=1e-6)


def test_sampled_deviation_equals_that_of_plain_loops(model_and_batch):
    """The deviation is that of the encoder's whole gradient without the KL term."""
    model, x = model_and_batch
    for name, setting in (("direct", "eps"), ("gumbel-softmax", "tau")):
        measured = variance.sampled_deviation(model, x, name, 0.4, 30, np.random.default_rng(2))
        rng, gradients = np.random.default_rng(2), []
        for _ in range(30):
            model.parameters.zero_grads()
            model.backward(x, estimators.get(name), rng, False, **{setting: 0.4})
            gradients.append(model.parameters.grads[:model.encoder.n_parameters].astype(float))
        each = np.var(gradients, axis=0, ddof=1)
        assert measured[0] == pytest.approx(np.sqrt(each.mean()), rel=1e-4)
        assert measured[2] == pytest.approx(np.sqrt(each).mean(), rel=1e-4) and measured[2] < 0.9 * measured[0]
        squares = ((gradients - np.mean(gradients, axis=0)) ** 2).mean(axis=1) * 30 / 29
        assert measured[1] == pytest.approx(squares.std(ddof=1) / np.sqrt(30) / 2 / np.sqrt(each.mean()), rel=1e-3)


@pytest.fixture
def rows(tmp_path, monkeypatch, quick):
    """Return the rows, the figure, the rows of the CSV file, and the calls of sampled_deviation, for a small run."""
    loop.train(vae(k=4, limit=80, batch=40, hidden=6, seed=2), 2, tmp_path / "run")
    saved, measured = spied(monkeypatch, variance.plots, "save"), spied(monkeypatch, variance, "sampled_deviation")
    computed = variance.run(tmp_path / "v", tmp_path / "run", samples=6, batch=40)
    with open(tmp_path / "v" / "variance.csv", newline="") as stream:
        return computed, saved[-1]["figure"], list(csv.DictReader(stream)), measured


def test_rows_file_and_picture_have_the_same_numbers(rows):
    computed, figure, written, measured = rows
    assert [row.temperature for row in computed] == [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0]
    assert [(call["name"], call["temperature"]) for call in measured] == [
        (name, row.temperature) for row in computed for name in ("direct", "gumbel-softmax")]
    np.testing.assert_array_equal(measured[0]["x"], raw("mnist", "train", 40)[0])
    for row, text in zip(computed, written):
        assert {name: float(value) for name, value in text.items()} == pytest.approx(row._asdict(), rel=1e-5)
        assert row.direct_exact == pytest.approx(variance.exact_deviation(measured[0]["model"], measured[0]["x"],
                                                                          row.temperature), rel=1e-12)
    (ax,) = figure.axes
    assert ax.lines[0].get_ydata().tolist() == [row.direct_exact for row in computed]
    assert ax.lines[0].get_color() == ax.containers[0].lines[0].get_color() == variance.plots.colour("direct")
    for container, name in zip(ax.containers, ("direct", "gumbel_softmax")):
        points, _, (bars,) = container.lines
        assert points.get_xdata().tolist() == [row.temperature for row in computed]
        assert points.get_ydata().tolist() == [getattr(row, name) for row in computed]
        halves = [(segment[1, 1] - segment[0, 1]) / 2 for segment in bars.get_segments()]
        assert halves == pytest.approx([2 * getattr(row, f"{name}_error") for row in computed], rel=1e-6)
    assert variance.plots.colour("gumbel-softmax") == ax.containers[1].lines[0].get_color()
    title = figure.get_suptitle()
    assert "k = 4" in title and "epoch 2" in title and "batch of 40" in title


def test_model_is_trained_if_no_run_is_given(monkeypatch):
    trained = []
    monkeypatch.setattr(variance, "train_epoch", lambda run, part: trained.append((run, part)))
    model, images, words = variance.trained_model(None, "fashion-mnist", 7, 5, None)
    ((run, part),) = trained
    assert run.model is model and part is images.train and "k = 7" in words
    assert (run.settings.dataset, run.settings.k, run.settings.seed) == ("fashion-mnist", 7, 5)


def test_deviation_is_zero_if_no_draw_changes_an_arg_max(model_and_batch, rng):
    model, x = model_and_batch
    assert variance.sampled_deviation(model, x[:1], "direct", 1e-6, 3, rng) == (0.0, 0.0, 0.0)


def test_noise_follows_the_seed_and_images_are_those_of_the_run(tmp_path, monkeypatch, quick):
    """The seed is that of the call, not that of the run.  A batch may contain all images of the run."""
    loop.train(vae(k=3, limit=60, batch=30, hidden=5, seed=2, dataset="fashion-mnist"), 1, tmp_path / "run")
    loads, states, batches = spied(monkeypatch, variance.data, "load"), [], []

    def measure(model, x, name, temperature, samples, rng, after):
        states.append(rng.bit_generator.state)
        batches.append(x)
        return 1.0, 0.1, 0.5

    monkeypatch.setattr(variance, "sampled_deviation", measure)
    monkeypatch.setattr(variance.plots, "save", lambda figure, path: None)
    (tmp_path / "d").mkdir()
    variance.run(tmp_path / "v", tmp_path / "run", seed=5, samples=1_000, batch=60, data_dir=tmp_path / "d")
    assert loads == [dict(name="fashion-mnist", data_dir=tmp_path / "d", limit=60, sha256=None)]
    assert states[0] == np.random.default_rng(5).bit_generator.state
    np.testing.assert_array_equal(batches[0], raw("fashion-mnist", "train", 60)[0])
    for wrong, words in ((dict(batch=61), "--batch must be at most 60, the number of training images, got 61"),
                         (dict(batch=0), "--batch must be at least 1, got 0"),
                         (dict(samples=1_001), "--samples must be at most 1000 and at least 5, got 1001")):
        with pytest.raises(InputError) as problem:
            variance.run(tmp_path / "w", tmp_path / "run", **wrong)
        assert str(problem.value) == words
    assert not (tmp_path / "w").exists()


def test_run_with_several_variables_is_refused(tmp_path, quick):
    loop.train(vae(n=2, k=2, limit=60, batch=30, hidden=5), 1, tmp_path / "run")
    with pytest.raises(InputError, match="run has 2 latent variables; the exact variance is known for one"):
        variance.run(tmp_path / "v", tmp_path / "run", samples=5, batch=10)
