"""Runs on images with attributes: labelled images, accuracies, and the assignment of variables to attributes."""
from __future__ import annotations

import csv
import itertools

import numpy as np
import pytest

from refimpl import data
from refimpl.arguments import InputError
from refimpl.cli.words import words_of
from refimpl.models.mixture import MixtureVAE
from refimpl.nn.losses import sigmoid
from refimpl.plots import runs as pictures_of_runs
from refimpl.runs import labelled_images, loop, naming
from refimpl.runs.mixture import COLUMNS, MixtureRun, MixtureSettings
from refimpl.runs.naming import Naming, accuracies, as_taught, best_match
from tests.asserts import assert_same_to_the_bit
from tests.cases import first
from tests.settings import mixture
from tests.spies import raw

NAMES = ("accuracy_glasses", "accuracy_long_hair", "accuracy_smile")


def small(**settings) -> MixtureSettings:
    return mixture(**{**dict(dataset="faces", limit=300, batch=64, labels=21, pretrain=4, gaussian=4,
                                     shift=1), **settings}).resolved()


# --- the labelled images ----------------------------------------------------------------------------------------------

@pytest.mark.parametrize("labels", [3, 8, 20, 50, 1000])
def test_labelled_images_are_as_even_as_their_number_allows(labels, rng):
    part = data.load("faces").train
    rows = labelled_images.draw(part, labels, 8, rng)
    counts = np.bincount(part.labels[rows], minlength=8)
    assert len(set(rows.tolist())) == labels == counts.sum() and counts.max() - counts.min() <= 1


def test_combinations_with_one_more_labelled_image_are_drawn_at_random(rng):
    part = data.load("faces", limit=3_000).train
    counts = sum(np.bincount(part.labels[labelled_images.draw(part, 9, 8, rng)], minlength=8) - 1 for _ in range(200))
    assert counts.sum() == 200 and counts.min() > 5                     # 25 each on average, standard deviation 4.7


# --- accuracy and names of variables ---------------------------------------------------------------------------------

@pytest.mark.parametrize("n, k", [(1, 4), (2, 2), (3, 2), (2, 3)])
def test_best_match_equals_the_best_of_all_namings(n, k, rng):
    """Compare with all n! assignments of variables and all (k!)^n permutations of values, on noisy renamed copies."""
    for _ in range(3):
        true = rng.integers(k, size=(200, n))
        noisy = np.where(rng.random(true.shape) < 0.3, rng.integers(k, size=true.shape), true)
        said = np.stack([rng.permutation(k)[column] for column in noisy[:, rng.permutation(n)].T], axis=1)
        best = max(sum(np.mean(np.array(values[j])[said[:, order[j]]] == true[:, j]) for j in range(n))
                   for order in itertools.permutations(range(n))
                   for values in itertools.product(itertools.permutations(range(k)), repeat=n))
        found = best_match(said, true, k)
        assert (found.read(said) == true).mean(axis=0).sum() == pytest.approx(best, abs=1e-12)
        assert sorted(found.variable) == list(range(n))
        assert all(sorted(value) == list(range(k)) for value in found.value)


def test_best_match_undoes_permuted_variables_and_flipped_values():
    true = np.array(list(itertools.product((0, 1), repeat=3)))
    said = np.stack([1 - true[:, 2], true[:, 0], 1 - true[:, 1]], axis=1)
    found = best_match(said, true, 2)
    np.testing.assert_array_equal(found.variable, [1, 2, 0])
    np.testing.assert_array_equal(found.value, [[0, 1], [1, 0], [1, 0]])
    np.testing.assert_array_equal(found.read(said), true)
    np.testing.assert_array_equal(as_taught(3, 2).read(said), said)


def test_accuracies_count_each_attribute_and_all_together():
    labels = np.array([0b000, 0b101, 0b110, 0b011])
    predicted = np.array([0b000, 0b111, 0b110, 0b000])
    found = accuracies(predicted, labels, 3, 2, matched=False)
    assert found.every == 0.5 and found.each.tolist() == [1.0, 0.5, 0.75]
    swapped = np.array([0b000, 0b011, 0b110, 0b101])                    # the first two attributes are exchanged
    assert accuracies(swapped, labels, 3, 2, matched=False).every == 0.5
    assert accuracies(swapped, labels, 3, 2, matched=True).every == 1
    assert accuracies(7 - swapped, labels, 3, 2, matched=True).every == 1


# --- runs -------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("settings", first(2, [
    {}, {"as_released": True, "shift": None}, {"estimator": "gumbel-softmax"}, {"labels": 0, "estimator": "exact"},
    {"estimator": "rebar", "labelled_term": "direct-loss"}]))
def test_resumed_run_equals_an_uninterrupted_run(tmp_path, quick, settings):
    settings = small(limit=80, batch=30, pretrain=2, **settings)            # batches of 30, 30 and 20
    loop.train(settings, 2, tmp_path / "whole")
    for epochs in (1, 2):
        loop.train(settings, epochs, tmp_path / "parts", resume=epochs > 1)
    assert_same_to_the_bit(tmp_path / "whole", tmp_path / "parts")


def test_files_rows_and_lines_of_a_run(tmp_path):
    settings = small()
    rows = loop.train(settings, 1, tmp_path, draw=pictures_of_runs.of_run)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(loop.WRITTEN)
    with open(tmp_path / "metrics.csv", newline="") as stream:
        assert tuple(next(csv.reader(stream))) == COLUMNS + NAMES
    # 8 joint values are not enumerated by direct: 1 + 3 (2 - 1) evaluations an image, and 21 labelled ones a batch of 5
    assert [row["evaluations"] for row in rows] == [4 * 21, 4 * 21 + 300 * 4 + 5 * 21]
    for row in rows:
        assert row["accuracy"] <= min(row[name] for name in NAMES) + 1e-12
        assert row["test_elbo"] == pytest.approx(row["reconstruction"] - row["class_kl"] - row["gaussian_kl"], abs=1e-9)
    words_here = words_of("semi-supervised")
    title, line = words_here.heading(settings).splitlines()[-1], words_here.line(settings, rows[-1])
    assert len(title) == len(line) and title.endswith("seconds   glasses long hair     smile")
    for words, name in (("glasses", NAMES[0]), ("long hair", NAMES[1]), ("smile", NAMES[2])):
        assert line[:title.index(words) + len(words)].endswith(f" {100 * rows[-1][name]:.2f} %")
    assert "attributes enumerated" in words_of("semi-supervised").heading(settings)


def taught(**settings):
    run = MixtureRun.start(small(**settings))
    dataset = data.load("faces", limit=run.settings.limit)
    run.attach(dataset)
    for epoch in (0, 1):
        loop.train_epoch(run, dataset.train, epoch=epoch)
    return run, dataset


def check_row() -> None:
    """Check that each column has the accuracy of its own attribute on the test part."""
    run, dataset = taught(pretrain=30)
    x, labels = raw("faces", "test", 300)
    h = run.model.class_head.forward(run.model.trunk.forward(x)).reshape(-1, 3, 2)
    right = [(h[:, j, 1] > h[:, j, 0]) == (labels >> (2 - j)) % 2 for j in range(3)]
    shares = [float(np.mean(each)) for each in right]
    assert np.diff(sorted(shares)).min() > 0.01                         # no two values are close
    row = run.measure(dataset, 1, True)
    assert [row[name] for name in NAMES] == pytest.approx(shares, abs=1e-12)
    assert row["accuracy"] == pytest.approx(np.mean(np.all(right, axis=0)), abs=1e-12)


def test_metrics_row_has_the_accuracy_of_each_attribute_in_its_column():
    check_row()


def check_labelled_images_teach_each_variable_its_attribute() -> None:
    run, dataset = taught(limit=2_000, labels=160, pretrain=80, batch=500, lr=2e-3)
    glasses, hair, smile = run.accuracies(dataset.test).each
    assert min(glasses, hair) > 0.95 and smile > 0.54                   # chance is 0.5, standard error 0.011


@pytest.mark.slow
def test_labelled_images_teach_each_variable_its_attribute():
    check_labelled_images_teach_each_variable_its_attribute()


def values_rolled(patch):
    """The labelled term teaches each variable another attribute; the scores are read as before."""
    right = MixtureVAE.values
    patch.setattr(MixtureVAE, "values", lambda self, labels: np.roll(right(self, labels), 1, axis=1))


def attributes_read_backwards(patch):
    right = Naming.read
    patch.setattr(Naming, "read", lambda self, predicted: right(self, predicted)[:, ::-1])


def digits_backwards(patch):
    """classify gives the first variable's digit to the last."""
    right = MixtureVAE.classify
    patch.setattr(MixtureVAE, "classify", lambda self, images: (
        (label := right(self, images)) % 2 * 4 + label // 2 % 2 * 2 + label // 4))


@pytest.mark.parametrize("plant, check", [
    pytest.param(values_rolled, check_labelled_images_teach_each_variable_its_attribute, marks=pytest.mark.slow),
    (attributes_read_backwards, check_row), (digits_backwards, check_row),
    pytest.param(digits_backwards, check_labelled_images_teach_each_variable_its_attribute, marks=pytest.mark.slow)])
def test_checks_detect_mixed_up_attributes(monkeypatch, plant, check):
    plant(monkeypatch)
    with pytest.raises(AssertionError):
        check()


def test_accuracy_without_labels_is_that_of_the_best_match():
    run, dataset = taught(labels=0)
    predicted = run.model.classify(dataset.test)
    expected = naming.accuracies(predicted, dataset.test.labels, 3, 2, matched=True)
    assert run.accuracy(dataset.test) == expected.every
    assert expected.each.min() >= 0.5                                   # a flip is allowed
    np.testing.assert_array_equal(run.naming(dataset.test).variable, best_match(
        run.model.values(predicted), run.model.values(dataset.test.labels), 2).variable)


# --- pictures ---------------------------------------------------------------------------------------------------------

def tiles(figure, gap=4):
    """Return the tiles of a figure, of the shape (rows, columns, 28, 28)."""
    canvas = figure.axes[0].images[0].get_array().filled(np.nan)
    rows, columns = canvas.shape[0] // (28 + gap), canvas.shape[1] // (28 + gap)
    return canvas.reshape(rows, 28 + gap, columns, 28 + gap)[:, :28, :, :28].transpose(0, 2, 1, 3)


def test_samples_have_one_combination_per_column_and_one_gaussian_sample_per_row():
    run, dataset = taught()
    figure = pictures_of_runs.samples(run, dataset.test)
    shown = tiles(figure)
    assert shown.shape[:2] == (8, 8)
    names = [label.get_text().split("\n") for label in figure.axes[0].get_xticklabels()]
    assert names[0] == ["none"] and names[5] == ["glasses", "smile"] and names[7] == ["glasses", "long hair", "smile"]
    g = np.random.default_rng(0).standard_normal((8, 4)).astype(np.float32)
    for column, bits in enumerate(itertools.product((0, 1), repeat=3)):
        a = run.model.decode_as(np.tile(bits, (8, 1)), g)
        np.testing.assert_allclose(shown[:, column].reshape(8, -1), sigmoid(a), atol=1e-6)


def test_columns_of_samples_follow_the_names_of_the_attributes(monkeypatch):
    """Variable 2, with its values flipped, stands for glasses, variable 0 for long hair, variable 1 for a smile."""
    run, dataset = taught()
    as_drawn = tiles(pictures_of_runs.samples(run, dataset.test)).reshape(8, 2, 2, 2, 28, 28)
    named = Naming(np.array([2, 0, 1]), np.array([[1, 0], [0, 1], [0, 1]]))
    monkeypatch.setattr(MixtureRun, "naming", lambda self, part: named)
    shown = tiles(pictures_of_runs.samples(run, dataset.test)).reshape(8, 2, 2, 2, 28, 28)
    for glasses, hair, smile in itertools.product((0, 1), repeat=3):
        np.testing.assert_array_equal(shown[:, glasses, hair, smile], as_drawn[:, hair, smile, 1 - glasses])


def check_switched() -> None:
    """Check that a row shows a test image, its reconstruction, and the reconstructions with one attribute changed and
    the same mean g; or the differences that these changes make."""
    run, dataset = taught()
    model, shown = run.model, tiles(pictures_of_runs.switched(run, dataset.test))
    changes = tiles(pictures_of_runs.switched(run, dataset.test, changes=True))
    np.testing.assert_array_equal(changes[:, :2], shown[:, :2])
    np.testing.assert_allclose(changes[:, 2:], np.abs(shown[:, 2:] - shown[:, 1:2]), atol=1e-6)
    images, labels = raw("faces", "test", 300)
    assert shown.shape[:2] == (4, 5)
    for row, label in enumerate((0b000, 0b011, 0b101, 0b110)):
        x = images[labels == label][:1]
        np.testing.assert_array_equal(shown[row, 0].reshape(1, -1), x)
        e = model.trunk.forward(x)
        bits = model.class_head.forward(e).reshape(3, 2).argmax(axis=1)
        g = model.gaussian_head.forward(e)[:, :4]
        for column, switch in enumerate(([0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]), start=1):
            hots = np.eye(2, dtype=np.float32)[bits ^ np.array(switch)].reshape(1, -1)
            a = model.decoder.forward(np.concatenate([hots, g], axis=1))
            np.testing.assert_allclose(shown[row, column].reshape(1, -1), 1 / (1 + np.exp(-a)), atol=1e-6)


def test_switched_picture_changes_one_attribute_and_keeps_the_gaussian():
    check_switched()


def test_few_test_images_may_leave_out_the_switched_picture():
    """Each row shows an image with an even number of attributes, and the first three test images have an odd number."""
    run, dataset = taught()
    row = dict.fromkeys(run.columns, 0.5)
    assert "switched.png" in pictures_of_runs.of_run(run, [row, row], dataset)
    few = dataset._replace(test=dataset.test.first(3))
    assert set(pictures_of_runs.of_run(run, [row, row], few)) == {"curves.png", "samples.png"}


def test_check_of_the_switched_picture_detects_a_changed_gaussian(monkeypatch):
    right = MixtureVAE.decode_as
    monkeypatch.setattr(MixtureVAE, "decode_as", lambda self, values, g: right(self, values, np.roll(g, 1, axis=0)))
    with pytest.raises(AssertionError):
        check_switched()


def test_existing_picture_is_not_overwritten(tmp_path):
    (tmp_path / "switched.png").write_text("mine")
    with pytest.raises(InputError, match=r"already holds switched\.png"):
        loop.train(small(), 1, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["switched.png"]
