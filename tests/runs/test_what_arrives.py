"""Runs pass each setting on to the right function and write each measurement into the right column."""
from __future__ import annotations

import contextlib
import csv
import json
import math

import numpy as np
import pytest

from refimpl import estimators
from refimpl.arguments import InputError
from refimpl.models.vae import VAE
from refimpl.nn.parameters import Parameters
from refimpl.plots.runs import of_run
from refimpl.runs import checkpoint, loop
from refimpl.system.files import locked
from tests.runs.arriving import (check_an_epoch, check_clusters_are_matched_and_classes_are_not,
                                 check_end_of_the_pretraining, check_exact_every, check_labelled_images,
                                 check_noise_of_the_sampled_bound, check_pretraining, check_row_of_the_mixture,
                                 check_row_of_train, check_sum_of_both_terms, check_temperature_of_train,
                                 check_totals, check_training_images, check_widths_solver_and_family, mixed, part,
                                 small, started, taught)
from tests.spies import spied


# --- the epoch --------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("settings", [small(), mixed()], ids=["train", "semi-supervised"])
def test_an_epoch_visits_each_image_once_in_the_order_drawn_by_the_runs_generator(settings):
    check_an_epoch(settings)


def test_loop_trains_on_the_training_part(tmp_path, quick):
    check_training_images(tmp_path / "run")


# --- a row of metrics -------------------------------------------------------------------------------------------------

def test_metrics_row_of_train_has_each_bound_in_its_column():
    check_row_of_train()


def test_exact_bounds_of_a_large_latent_are_computed_every_exact_every_epochs():
    check_exact_every()


def test_noise_of_the_sampled_bound_depends_only_on_seed_and_epoch():
    check_noise_of_the_sampled_bound()


@pytest.mark.parametrize("settings, rows", [
    (dict(n=11, k=2, estimator="direct"), {"sampled_elbo"}),
    (dict(n=4, k=2, family="pairwise"), set()),
    (dict(n=4, k=2, family="pairwise", as_released=True), {"released_loss_not_a_bound"})])
def test_metrics_row_has_the_temperature_of_the_last_step_and_all_columns(settings, rows):
    run, dataset = started(small(limit=64, **settings))
    run.adam.t = 501
    row = run.measure(dataset, 1, False)
    assert set(run.columns) == {*row, "seconds", "evaluations"} and rows <= set(row)
    assert row["eps_or_tau"] == (math.exp(-0.005) if settings.get("as_released") else 0.1) and row["step"] == 501
    if rows:
        sampled = run.model.sampled_elbo(part("test", 64), np.random.default_rng([0, 1]))
        assert row[rows.pop()] == sampled


def test_metrics_row_of_the_mixture_has_accuracy_and_bounds_in_their_columns():
    check_row_of_the_mixture()


@pytest.mark.parametrize("estimator, name", [("direct", "eps"), ("rebar", "tau")])
def test_temperature_schedule_of_the_mixture_starts_after_the_pretraining(estimator, name):
    check_end_of_the_pretraining(estimator, name)


# --- the arguments of a step ------------------------------------------------------------------------------------------

@pytest.mark.parametrize("kind", ["train", "semi-supervised"])
@pytest.mark.parametrize("estimator, name", [("direct", "eps"), ("two-sided", "eps"), ("gumbel-softmax", "tau"),
                                             ("rebar", "tau"), ("relax", "tau"), ("reinforce", None), ("exact", None)])
def test_estimator_settings_reach_every_step(kind, estimator, name, monkeypatch):
    setting = {name: 0.37} if name else {}
    settings = (small if kind == "train" else mixed)(estimator=estimator, kl_grad=False, **setting)
    run, dataset = started(settings)
    backward = spied(monkeypatch, type(run.model), "backward")
    zeroed, moved = spied(monkeypatch, Parameters, "zero_grads"), spied(monkeypatch, type(run.adam), "step")
    loop.train_epoch(run, dataset.train)
    moved = [call for call in moved if call["self"] is run.adam]            # relax has its own Adam
    assert len(backward) == len(zeroed) == len(moved) == 3
    for call in backward:
        assert call["estimator"] is estimators.get(estimator) and call["rng"] is run.rng and call["kl_grad"] is False
        assert {name: value for name, value in call["settings"].items() if name != "memory"} == {
            **estimators.get(estimator).defaults, **setting}
        assert call["settings"].get("memory") is (run.memory if run.memory else None)
    assert bool(run.memory) == (estimator in ("reinforce", "rebar", "relax"))
    assert run.estimator is estimators.get(estimator) and run.adam.lr == settings.lr


@pytest.mark.parametrize("estimator, name", [("direct", "eps"), ("gumbel-softmax", "tau")])
def test_every_step_of_train_has_the_temperature_of_the_schedule(estimator, name):
    check_temperature_of_train(estimator, name)


@pytest.mark.parametrize("kind", ["train", "semi-supervised"])
def test_batch_mean_setting_reaches_every_step(kind, monkeypatch):
    for given in ({"batch_mean": True}, {"batch_mean": False}, {}):
        run, dataset = started((small if kind == "train" else mixed)(estimator="relax", **given))
        with monkeypatch.context() as patch:
            backward = spied(patch, type(run.model), "backward")
            loop.train_epoch(run, dataset.train)
        assert all(call["settings"]["batch_mean"] is given.get("batch_mean", False) for call in backward)


def test_data_set_limit_and_data_folder_reach_the_loader(tmp_path, monkeypatch, quick):
    loads = spied(monkeypatch, loop.data, "load")
    loop.train(small(dataset="fashion-mnist", limit=70), 1, tmp_path / "one", data_dir=str(tmp_path))
    assert loads == [{"name": "fashion-mnist", "data_dir": str(tmp_path), "limit": 70, "sha256": None}]


def test_gradient_of_a_mixture_step_is_the_sum_of_both_terms():
    check_sum_of_both_terms()


# --- the labelled images ----------------------------------------------------------------------------------------------

def test_labelled_images_are_training_images_with_their_own_labels():
    check_labelled_images()


def test_pretraining_uses_only_the_labelled_images_with_all_weights_one():
    check_pretraining()


# --- the loop's own columns and files ---------------------------------------------------------------------------------

def test_seconds_and_evaluations_add_up_over_epochs_and_a_resume(tmp_path, quick):
    check_totals(tmp_path / "run")


@pytest.mark.parametrize("settings, an_image", [
    (dict(estimator="exact", n=3, k=2), 8), (dict(estimator="direct", n=3, k=4),
                                             10), (dict(estimator="arm", n=3, k=2), 2),
    (dict(estimator="gumbel-softmax", n=3, k=2), 1), (dict(estimator="rebar", n=3, k=2), 3)])
def test_an_epoch_counts_its_decoder_evaluations(settings, an_image):
    run, dataset = started(small(**settings))
    assert loop.train_epoch(run, dataset.train) == 150 * an_image


@pytest.mark.parametrize("settings", [small(n=3, k=2, as_released=True), mixed(as_released=True, estimator="rebar")],
                         ids=["train", "semi-supervised"])
def test_files_contain_the_settings_and_metrics_of_the_run(tmp_path, settings, quick):
    reported: list[dict] = []
    rows = loop.train(settings, 2, tmp_path, report=reported.append)
    run, history = checkpoint.load(tmp_path / checkpoint.FILE)
    assert json.loads((tmp_path / "config.json").read_text()) == {"kind": run.COMMAND} | settings.as_dict()
    assert settings.as_dict() == run.settings.as_dict()
    assert not settings.as_released and settings.schedule == "released"
    np.testing.assert_array_equal(history, [[row[name] for name in run.columns] for row in rows])
    assert [sorted(row) for row in reported] == [sorted(row) for row in rows]
    with open(tmp_path / "metrics.csv", newline="") as stream:
        written = list(csv.DictReader(stream))
    assert len(written) == len(rows) and list(written[0]) == list(run.columns)
    for text, row, told in zip(written, rows, reported):
        for name in run.columns:
            if math.isnan(row[name]):
                assert text[name] == "" and math.isnan(told[name])
            else:
                assert float(text[name]) == pytest.approx(row[name], abs=5.1e-4 if name == "seconds" else 5.1e-7)
                assert told[name] == row[name]


def test_folder_is_locked_during_training(tmp_path, quick):
    refused = []

    def report(row):
        with pytest.raises(InputError, match="in use"), locked(tmp_path):
            pass
        refused.append(row)

    loop.train(small(), 1, tmp_path, report=report)
    assert len(refused) == 1
    with locked(tmp_path):
        before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
        with pytest.raises(InputError, match="in use"):
            loop.train(small(), 2, tmp_path, resume=True)
        assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_run_that_finishes_before_the_lock_is_acquired_is_not_overwritten(tmp_path, quick, monkeypatch):
    """The other run finishes between the first check of the folder and the lock."""
    @contextlib.contextmanager
    def too_late(folder):
        with monkeypatch.context() as patch:
            patch.setattr(loop, "locked", locked)
            loop.train(small(), 1, tmp_path)
        before.update({path.name: path.read_bytes() for path in tmp_path.iterdir()})
        with locked(folder):
            yield

    before: dict[str, bytes] = {}
    monkeypatch.setattr(loop, "locked", too_late)
    with pytest.raises(InputError, match="already holds checkpoint.npz"):
        loop.train(small(), 1, tmp_path)
    assert before and {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_samples_are_drawn_by_the_trained_model(monkeypatch):
    from refimpl.plots import images

    run, dataset = started(small(k=4))
    loop.train_epoch(run, dataset.train)
    rows = [{**run.measure(dataset, 1, True), "seconds": 1.0}]
    tiles = spied(monkeypatch, images, "tiles")
    of_run(run, rows, dataset)
    np.testing.assert_array_equal(tiles[0]["logits"], run.model.decoder.forward(np.eye(4, dtype=np.float32)))
    run, dataset = taught()
    g = np.random.default_rng(0).standard_normal((8, 4)).astype(np.float32)
    for c in (0, 7):
        a = run.model.decoder.forward(np.kron(np.eye(10, dtype=np.float32)[c], g))
        np.testing.assert_allclose(run.samples()[:, c], 1 / (1 + np.exp(-a.astype(float))), rtol=1e-5)


def test_step_of_train_passes_batch_and_eps_to_vae_backward(monkeypatch):
    calls = spied(monkeypatch, VAE, "backward")
    run, dataset = started(small(eps=0.2))
    x = dataset.train.images(slice(0, 9))
    assert run.step(x) == 9 * 10 and calls[0]["x"] is x and calls[0]["settings"] == {"eps": 0.2}


def test_samples_are_determined_by_the_seed(monkeypatch):
    """If there are many joint values, the samples show those that the test images use most, each once, with its digits
    and its share; the Gaussian samples of the mixture follow from the seed, too."""
    from refimpl.plots import images

    tiles, drawn = spied(monkeypatch, images, "tiles"), []
    for seed in (0, 7):
        run, dataset = started(small(n=3, k=4, seed=seed))
        of_run(run, [{**run.measure(dataset, 1, True), "seconds": 1.0, "evaluations": 1.0}], dataset)
        z = run.model.draw(dataset.test.images(), np.random.default_rng(seed)).argmax(axis=-1).tolist()
        counts = {value: z.count(list(value)) for value in sorted(map(tuple, z))}
        values = sorted(counts, key=lambda value: (-counts[value], value))[:100]
        assert tiles[-1]["names"] == ["".join(map(str, value)) + f"\n{counts[value] / len(z):.1%}" for value in values]
        assert 1 < len(values) == len(tiles[-1]["names"])
        hot = np.eye(4, dtype=np.float32)[values].reshape(len(values), 12)
        np.testing.assert_allclose(tiles[-1]["logits"], run.model.decoder.forward(hot), rtol=1e-5, atol=1e-6)
        assert tiles[-1]["dataset"] == "mnist" and tiles[-1]["label"] == run.settings.label()
        mixture, _ = started(mixed(seed=seed, labels=0))
        g = np.random.default_rng(seed).standard_normal((8, 4)).astype(np.float32)
        logits = mixture.model.decode(g).astype(float)
        np.testing.assert_allclose(mixture.samples(), 1 / (1 + np.exp(-logits)), rtol=1e-5)
        drawn.append(mixture.samples())
    assert np.abs(drawn[0] - drawn[1]).max() > 1e-3


def test_all_parts_are_measured_up_to_1024_joint_values_and_only_the_test_part_beyond():
    for n, measured in ((10, True), (11, False)):
        run, dataset = started(small(n=n, k=2, limit=64))
        row = run.measure(dataset, 1, False)
        assert {math.isfinite(row[f"{name}_elbo"]) for name in ("train", "valid", "test")} == {measured}
        assert math.isfinite(run.measure(dataset, 1, True)["test_elbo"])


def test_noise_of_the_mixture_bound_differs_between_epochs_and_between_seeds():
    values = set()
    for seed in (0, 1):
        run, dataset = started(mixed(seed=seed, labels=0))
        run.model.parameters.values[...] = np.random.default_rng(5).normal(size=len(run.model.parameters.values)) / 5
        values |= {run.measure(dataset, epoch, False)["reconstruction"] for epoch in (1, 2)}
    assert len(values) == 4


def test_seed_and_epoch_are_not_interchangeable_in_the_noise_of_the_sampled_bound():
    """Seed 1 in epoch 2 has other noise than seed 2 in epoch 1."""
    bounds = []
    for seed, epoch in ((1, 2), (2, 1)):
        run, dataset = started(small(n=3, k=2, seed=seed))
        run.model.parameters.values[...] = np.random.default_rng(5).normal(size=len(run.model.parameters.values)) / 5
        bounds.append(run.measure(dataset, epoch, False)["sampled_elbo"])
        assert bounds[-1] == run.model.sampled_elbo(part("test", 150), np.random.default_rng([seed, epoch]))
    assert bounds[0] != bounds[1]


def test_accuracy_matches_clusters_to_labels_only_without_labelled_images():
    check_clusters_are_matched_and_classes_are_not()


def test_settings_determine_layer_widths_solver_and_family():
    check_widths_solver_and_family()
