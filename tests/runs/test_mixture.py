"""Semi-supervised runs: labelled images, steps, resuming bit for bit, accuracy, and refused settings."""
from __future__ import annotations

import csv
import itertools
import json

import numpy as np
import pytest

from refimpl import data
from refimpl.arguments import InputError
from refimpl.plots.runs import of_run
from refimpl.runs import checkpoint, labelled_images as labelled, loop
from refimpl.runs.mixture import COLUMNS, MixtureRun, MixtureSettings
from refimpl.runs.naming import accuracies
from refimpl.runs.vae import VAERun
from tests.asserts import assert_same_to_the_bit
from tests.cases import first
from tests.settings import mixture, vae

SMALL = dict(limit=300, batch=64, labels=20, pretrain=5)


def small(**settings) -> MixtureSettings:
    return mixture(**{**SMALL, **settings}).resolved()


# --- the labelled images ----------------------------------------------------------------------------------------------

def test_labelled_images_are_balanced_distinct_and_from_the_training_part(rng):
    dataset = data.load("fashion-mnist")
    rows = labelled.draw(dataset.train, 600, 10, rng)
    assert len(set(rows.tolist())) == 600 and rows.max() < len(dataset.train) == 50_000
    np.testing.assert_array_equal(np.bincount(dataset.train.labels[rows]), np.full(10, 60))


def test_labelled_images_depend_on_the_seed_and_not_on_the_estimator():
    dataset = data.load("mnist", limit=2_000)
    attached = []
    for settings in (small(limit=2_000), small(limit=2_000, estimator="exact", labelled_term="released"),
                     small(limit=2_000, seed=1)):
        attached.append(MixtureRun.start(settings))
        attached[-1].attach(dataset)
    np.testing.assert_array_equal(attached[0].x_labelled, attached[1].x_labelled)
    assert (attached[0].x_labelled != attached[2].x_labelled).any()
    assert set(np.unique(attached[0].x_labelled)) == {0.0, 1.0}                     # binary like all others


def test_shift_moves_whole_images(rng):
    x = np.zeros((400, 28, 28), np.float32)
    x[:, 10, 20] = 1
    moved = labelled.shift(x.reshape(400, -1), 3, rng).reshape(400, 28, 28)
    assert moved.sum() == 400
    _, down, across = np.nonzero(moved)
    assert set(down - 10) == set(across - 20) == set(range(-3, 4))
    edge = np.zeros((200, 28, 28), np.float32)
    edge[:, 0, 0] = 1
    assert 0 < labelled.shift(edge.reshape(200, -1), 3, rng).sum() < 200    # pixels moved out of the image are lost
    assert labelled.shift(edge.reshape(200, -1), 0, rng).base is not None


# --- accuracy ---------------------------------------------------------------------------------------------------------

def accuracy(predicted, labels, classes, matched):
    return accuracies(predicted, labels, 1, classes, matched).every


def test_accuracy_with_and_without_matching_of_clusters(rng):
    labels = rng.integers(4, size=300)
    renamed = np.array([2, 0, 3, 1])[labels]
    wrong = rng.random(300) < 0.2
    predicted = np.where(wrong, (renamed + 1) % 4, renamed)
    assert accuracy(labels, labels, 4, matched=False) == 1 and accuracy(renamed, labels, 4, matched=False) == 0
    assert accuracy(predicted, labels, 4, matched=True) == pytest.approx(1 - wrong.mean())
    best = max(np.mean(np.array(names)[predicted] == labels) for names in itertools.permutations(range(4)))
    assert accuracy(predicted, labels, 4, matched=True) == best
    assert accuracy(np.zeros(300, int), labels, 4, matched=True) == np.bincount(labels).max() / 300   # empty clusters


# --- runs -------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("settings", first(3, [
    {}, {"estimator": "relax", "as_released": True}, {"labels": 0}, {"estimator": "exact"},
    {"estimator": "gumbel-softmax", "labelled_term": "direct-loss"}, {"as_released": True},
    {"labelled_term": "released", "dataset": "fashion-mnist"}, {"estimator": "reinforce"}, {"estimator": "rebar"}]))
def test_resumed_run_equals_an_uninterrupted_run(tmp_path, quick, settings):
    settings = small(limit=80, batch=30, pretrain=2, **settings)            # batches of 30, 30 and 20
    loop.train(settings, 2, tmp_path / "whole")
    for epochs in (1, 2):
        loop.train(settings, epochs, tmp_path / "parts", resume=epochs > 1)
    assert_same_to_the_bit(tmp_path / "whole", tmp_path / "parts")


def test_files_and_rows_of_a_run(tmp_path):
    rows = loop.train(small(), 2, tmp_path, draw=of_run)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(set(loop.WRITTEN) - {"switched.png"})
    with open(tmp_path / "metrics.csv", newline="") as stream:
        written = list(csv.DictReader(stream))
    assert tuple(written[0]) == COLUMNS and [row["epoch"] for row in written] == ["0", "1", "2"]
    assert [row["step"] for row in written] == ["5", "10", "15"]            # 5 of 20 labelled images, then 300 in 64s
    assert written[0]["eps_or_tau"] == "" and float(written[1]["eps_or_tau"]) == 0.1
    for row in rows:
        assert row["test_elbo"] == pytest.approx(row["reconstruction"] - row["class_kl"] - row["gaussian_kl"], abs=1e-9)
        assert 0 <= row["accuracy"] <= 1 and row["class_kl"] >= 0 and row["gaussian_kl"] >= 0
    # evaluations: 5 steps of 20; then 10 classes of each of 300 images, and 20 labelled ones beside each of 5 batches
    assert [row["evaluations"] for row in rows] == [100, 100 + 3_100, 100 + 2 * 3_100]
    assert json.loads((tmp_path / "config.json").read_text())["label_weight"] == 50


@pytest.mark.slow
def test_mixture_learns_from_labelled_and_from_unlabelled_images(tmp_path, quick):
    settings = mixture(labels=50, limit=1_500, pretrain=120, batch=20, lr=2e-3, beta=1.0).resolved()
    rows = loop.train(settings, 2, tmp_path)
    assert rows[0]["accuracy"] > 0.25                                       # chance is 0.1
    assert rows[-1]["accuracy"] > rows[0]["accuracy"] + 0.1
    assert rows[-1]["test_elbo"] > rows[0]["test_elbo"] + 20


def test_released_recipe_uses_no_label_after_the_pretraining(monkeypatch):
    dataset = data.load("mnist", limit=300)
    run = MixtureRun.start(small(as_released=True))
    run.attach(dataset)
    assert sum(run.epoch(0, dataset.train)) == 5 * 20
    monkeypatch.setattr(run.model, "backward_labelled", None)
    assert sum(run.epoch(1, dataset.train)) == 10 * 300
    settings = small(as_released=True)
    assert settings.temperature(0) == {"eps": 1.0} and settings.labelled_term == "released" and not settings.kl_grad
    assert small(as_released=True, estimator="gumbel-softmax").kl_grad


def test_run_of_the_wrong_kind_is_refused(tmp_path, quick):
    loop.train(small(), 0 + 1, tmp_path / "mixture")
    with pytest.raises(InputError, match="is a run of the command semi-supervised; a run of train is needed here"):
        checkpoint.load(tmp_path / "mixture" / checkpoint.FILE, kind=VAERun)
    loop.train(vae(limit=300, hidden=8).resolved(), 1, tmp_path / "other")
    with pytest.raises(InputError, match="is a run of the command train; a run of semi-supervised is needed here"):
        loop.train(small(), 2, tmp_path / "other", resume=True)


# --- refused settings -------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("labels, problem", [
    (400, "--labels must be at most 300, the number of training images, got 400"),
    (300, r"--labels must be at most \d+, got 300: the rarest class has \d+ of the 300 training images")])
def test_more_labels_than_images_are_refused(tmp_path, labels, problem):
    with pytest.raises(InputError, match=problem):
        loop.train(small(labels=labels), 1, tmp_path / "run")
    assert not (tmp_path / "run").exists()
