"""Faces: the judge, the switch test on models whose results are known, and the experiment on a few images."""
from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.figure import Figure
from scipy.stats import norm

from refimpl import data, plots
from refimpl.arguments import InputError
from refimpl.data import faces
from refimpl.experiments import records, registry
from refimpl.experiments.faces import experiment as faces_experiment, judge as faces_judge, sheet
from refimpl.experiments.faces.judge import Judge, exactly, flipped, switch_test
from refimpl.experiments.records import Record
from refimpl.experiments.training.cells import Cell
from refimpl.runs.naming import Naming, as_taught
from tests.spies import raw

FIRST, IMAGES = 60_000, 400             # where the test part begins in faces.truth; number of faces in a test
NAMES = ("accuracy_glasses", "accuracy_long_hair", "accuracy_smile")


@pytest.fixture(scope="module")
def judge():
    return Judge(data.load("faces").train)


@pytest.mark.slow
def test_judge_recognises_the_attributes_accurately(judge):
    x, labels = raw("faces", "test", 10_000)
    predicted = judge.predict(x)
    correct = predicted == (labels[:, None] >> np.array([2, 1, 0])) % 2
    assert correct.all(axis=1).mean() == judge.accuracy(data.load("faces").test) > faces_judge.NEEDED + 0.005
    nuisances = faces.truth(200).nuisances
    for bits in itertools.product((0, 1), repeat=3):
        drawn = faces.draw(np.array(bits), nuisances).reshape(200, -1).astype(np.float32)
        assert (judge.predict(drawn) == bits).mean() > 0.99


def test_exactly_counts_faces_in_which_only_one_attribute_changed():
    before = np.array([[0, 0, 0], [0, 1, 0], [1, 1, 1], [1, 0, 0]])
    after = np.array([[1, 0, 0], [1, 0, 0], [1, 1, 1], [0, 0, 0]])      # only 0; 0 and 1; none; only 0
    assert [exactly(before, after, j) for j in range(3)] == [0.5, 0.0, 0.0]
    np.testing.assert_array_equal(flipped(before, 1)[:, 1], 1 - before[:, 1])
    np.testing.assert_array_equal(flipped(before, 1)[:, [0, 2]], before[:, [0, 2]])


class Perfect:
    """A model that draws faces as the data were drawn: its bits are the attributes, and its g the normal scores of the
    nuisances."""

    n, d, dtype = 3, len(faces.LOW), np.float64

    def infer(self, x):
        attributes, nuisances = (array[FIRST:] for array in faces.truth(FIRST + len(x)))
        share = (nuisances - faces.LOW) / (faces.HIGH - faces.LOW)
        return attributes.astype(int), norm.ppf(share)

    def decode_as(self, values, g):
        nuisances = faces.LOW + (faces.HIGH - faces.LOW) * norm.cdf(g)
        return np.where(self.drawn(values, nuisances, g), 1.0, -1.0).reshape(len(g), -1)

    def drawn(self, values, nuisances, g):
        return faces.draw(values, nuisances)


def check_switch_test(judge, model, naming=None) -> None:
    rows = switch_test(model, naming or as_taught(3, 2), judge, data.load("faces").test, FIRST, 7.0,
                       np.random.default_rng(1), IMAGES)
    assert [row.attribute for row in rows] == list(faces.ATTRIBUTES)
    for row in rows:
        assert row.judge > faces_judge.NEEDED and row.epochs == 7
        assert min(row.generated, row.encoded) > 0.98
        assert row.agrees == 1 and row.correlation < 0.2                    # the standard error is 0.05
        assert row.pixels_again < 0.1 and row.pixels_switched < 0.1 and row.pixels_other > 50


@pytest.mark.slow
def test_perfect_model_passes_the_switch_test(judge):
    check_switch_test(judge, Perfect())


class Renamed(Perfect):
    """Variables 0, 1 and 2 mean long hair, a smile and no glasses."""

    def infer(self, x):
        values, g = super().infer(x)
        return np.stack([values[:, 1], values[:, 2], 1 - values[:, 0]], axis=1), g

    def drawn(self, values, nuisances, g):
        return faces.draw(np.stack([1 - values[:, 2], values[:, 0], values[:, 1]], axis=1), nuisances)


def test_switch_test_uses_the_naming_of_the_variables(judge):
    check_switch_test(judge, Renamed(), Naming(np.array([2, 0, 1]), np.array([[1, 0], [0, 1], [0, 1]])))
    with pytest.raises(AssertionError):
        check_switch_test(judge, Renamed())


class Swapped(Perfect):
    """Glasses and long hair are exchanged when a face is drawn."""

    def drawn(self, values, nuisances, g):
        return faces.draw(values[:, [1, 0, 2]], nuisances)


class GlassesAlsoSmile(Perfect):
    """Every face with glasses also smiles."""

    def drawn(self, values, nuisances, g):
        values = values.copy()
        values[:, 2] |= values[:, 0]
        return faces.draw(values, nuisances)


class AttributesFromGaussian(Perfect):
    """The attributes come from g, and the bits have no effect."""

    def drawn(self, values, nuisances, g):
        return faces.draw((g[:, :3] > 0).astype(int), nuisances)


class GaussianNotKept(Perfect):
    """Every drawing uses another g, so that the attributes are right but the rest of the face changes."""

    def __init__(self):
        self.rng = np.random.default_rng(3)

    def decode_as(self, values, g):
        return super().decode_as(values, self.rng.permutation(g))


@pytest.mark.parametrize("wrong", [Swapped, GlassesAlsoSmile, AttributesFromGaussian, GaussianNotKept])
def test_switch_test_detects_wrong_models(judge, wrong):
    with pytest.raises(AssertionError):
        check_switch_test(judge, wrong())


def test_switch_test_check_detects_a_changed_gaussian(judge, monkeypatch):
    original, calls = faces_judge.binarise, itertools.count()
    monkeypatch.setattr(faces_judge, "binarise",
                        lambda model, values, g: original(model, values, np.roll(g, next(calls), 0)))
    with pytest.raises(AssertionError):
        check_switch_test(judge, Perfect())


def test_closest_nuisance_has_the_largest_correlation_with_a_bit():
    nuisances = faces.truth(2_000).nuisances
    for column, name in enumerate(faces.NUISANCES):
        bit = (nuisances[:, column] > np.median(nuisances[:, column])).astype(int)
        closest, correlation = faces_judge._closest(bit, nuisances)
        assert closest == name and correlation == pytest.approx(abs(np.corrcoef(bit, nuisances[:, column])[0, 1]))
        assert correlation == pytest.approx(np.sqrt(3) / 2, abs=0.01)   # of uniform numbers and their upper half
    assert faces_judge._closest(np.ones(2_000, int), nuisances) == ("across", 0.0)


# --- the experiment ---------------------------------------------------------------------------------------------------

@pytest.fixture
def small(monkeypatch):
    entry = registry.REGISTRY["faces"]

    def make(dataset, seed):
        return [Cell(cell.label, replace(cell.settings, limit=100, batch=50, pretrain=2,
                                         labels=min(cell.settings.labels, 20), gaussian=5))
                for cell in entry.make(dataset, seed)]

    monkeypatch.setitem(registry.REGISTRY, "faces", replace(entry, make=make))
    monkeypatch.setattr(faces_judge, "FACES", 100)


def check_judge_is_trained_on_the_training_images(tmp_path, monkeypatch) -> None:
    """The judge must be trained on all training images and no others, and measured on all test images."""
    trained_on, measured_on = [], []

    class RecordingJudge(Judge):
        def __init__(self, part):
            trained_on.append(part)
            super().__init__(part.first(100))

        def accuracy(self, part):
            measured_on.append(part)
            return super().accuracy(part)

    monkeypatch.setattr(faces_judge, "Judge", RecordingJudge)
    without_pictures = replace(registry.REGISTRY["faces"], draw=lambda records, title: Figure(),
                               further=lambda *rest: {})
    monkeypatch.setitem(registry.REGISTRY, "faces", without_pictures)
    registry.run("faces", 1, 1, tmp_path, report=lambda line: None, only=["direct, 50 labels"])
    for parts, name, length in ((trained_on, "train", 50_000), (measured_on, "test", 10_000)):
        assert parts and all(len(part) == length for part in parts)
        assert all((part.images(slice(0, 200)) == raw("faces", name, 200)[0]).all() for part in parts)


def test_judge_is_trained_on_the_training_images(tmp_path, monkeypatch, small, quick):
    check_judge_is_trained_on_the_training_images(tmp_path, monkeypatch)


@pytest.mark.slow
def test_judge_check_detects_a_judge_trained_on_test_images(tmp_path, monkeypatch, small, quick):
    original = faces_experiment.data.load

    def swapped(name, *rest):
        dataset = original(name, *rest)
        return dataset._replace(train=dataset.test) if rest == (None,) else dataset

    monkeypatch.setattr(faces_experiment.data, "load", swapped)
    with pytest.raises(AssertionError):
        check_judge_is_trained_on_the_training_images(tmp_path, monkeypatch)


@pytest.mark.slow
def test_faces_experiment_end_to_end(tmp_path, monkeypatch, judge, small, quick):
    monkeypatch.setattr(faces_judge, "Judge", lambda part: judge)           # other tests check its training
    lines = []
    labels = ["direct, 0 labels", "direct, 50 labels", "gumbel-softmax, 1000 labels"]
    runs = registry.run("faces", 1, 1, tmp_path, report=lines.append, only=labels)
    assert [cell.label for cell in runs] == labels
    assert sum("judge: " in line for line in lines) == 1
    assert sum("faces in which only the switched attribute changed" in line for line in lines) == 3
    for picture in ("faces.png", "faces-samples.png", "faces-switched.png", "faces-unnamed.png"):
        assert (tmp_path / picture).read_bytes().startswith(b"\x89PNG")
    every = records.read_all(tmp_path / "rows")
    trained = {record.label: record for record in every if record.experiment == "faces"}
    switched = {record.label: record for record in every if record.experiment == "faces-switch"}
    assert set(trained) == set(switched) == set(labels) and len(every) == 6
    assert set(NAMES) <= set(trained[labels[0]].rows[-1])
    assert switched[labels[0]].settings == {"dataset": "faces", "seed": 0}
    assert [row["attribute"] for row in switched[labels[0]].rows] == list(faces.ATTRIBUTES)
    assert all(0 <= row[name] <= 1 for row in switched[labels[1]].rows for name in ("generated", "encoded", "judge"))
    table = registry.REGISTRY["faces"].table(runs, 1)
    assert len(table) == 3 + 3 and table[2].split() == ["glasses", "long", "hair", "smile", "all", "three", "-ELBO"]
    last = trained[labels[1]].rows[-1]
    expected = [f"{100 * last[name]:.2f}" for name in (*NAMES, "accuracy")] + [f"{-last['test_elbo']:.2f}"]
    assert table[4].split()[3:8] == expected


def records_of_all_runs() -> list[Record]:
    """Return a record of every run, for seeds 0 and 1.  No two runs have the same numbers."""
    cells = [cell for seed in (0, 1) for cell in faces_experiment.by_labels("faces", seed)]
    return [Record("faces", cell.label, cell.settings.as_dict(), (), [
        {"epoch": float(epoch), "accuracy": index / 100, "test_elbo": -100.0 - index - epoch,
         **{name: index / 100 + 0.01 * j for j, name in enumerate(NAMES)}} for epoch in (0, 1, 2)])
        for index, cell in enumerate(cells)]


def test_picture_of_the_faces_experiment():
    every = records_of_all_runs()
    figure = registry.REGISTRY["faces"].draw(every, "title")
    assert figure.get_suptitle().startswith("title\na dot is a seed, after 2 epochs, a line their median")
    accuracy, each, bound = figure.axes
    panels = ([(accuracy, name, "accuracy", 100, name, plots.colour(name)) for name in faces_experiment.ESTIMATORS]
              + [(each, "direct", column, 100, words, None) for column, words in zip(NAMES, faces.ATTRIBUTES)])
    for ax, estimator, column, factor, words, colour in panels:
        (line,) = [line for line in ax.lines if line.get_label() == words]
        assert colour in (None, line.get_color()) and np.round(line.get_xdata()).tolist() == [0, 1, 2, 3, 4]
        for labels, y in zip((0, 20, 50, 200, 1000), line.get_ydata()):
            group = [record for record in every if record.label == f"{estimator}, {labels} labels"]
            assert len(group) == 2 and y == pytest.approx(np.median(
                [factor * (1 - record.rows[-1][column]) for record in group]))
    assert [label.get_text() for label in bound.get_xticklabels()] == ["0", "20", "50", "200", "1,000"]
    (line,) = [line for line in bound.lines if line.get_color() == plots.colour("exact")
               and len(set(np.round(line.get_xdata()))) == 5]
    assert line.get_ydata()[0] == pytest.approx(-np.median([record.rows[-1]["test_elbo"] for record in every
                                                            if record.label == "exact, 0 labels"]))


def test_wrong_suffix_is_refused_before_the_faces_are_drawn(monkeypatch, tmp_path):
    monkeypatch.setattr(sheet, "draw", lambda rows: pytest.fail("the faces were drawn"))
    with pytest.raises(InputError, match=r"must be one of \.png, \.pdf, \.svg$"):
        sheet.run(tmp_path / "faces.jpg")
