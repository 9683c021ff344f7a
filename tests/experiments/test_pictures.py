"""What the pictures show: columns, signs, labels, colours and axes, read from the artists of matplotlib."""
from __future__ import annotations

import csv
import json
import math
import re
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from refimpl import estimators, plots
from refimpl.arguments import InputError
from refimpl.experiments import paper, pictures, registry
from refimpl.experiments.measuring import plateau_steps, structured_timing
from refimpl.experiments.records import Record, thinned
from refimpl.experiments.theory import estimators_table
from refimpl.experiments.training import compare, panels, semi_supervised
from refimpl.experiments.training.cells import Cell
from refimpl.latent import solvers
from refimpl.plots import curves, images
from tests.settings import mixture, vae
from tests.spies import spied

pytestmark = pytest.mark.drawn

# No two columns have the same numbers, so that a test fails if one is drawn in place of another.
COLUMNS = {"train_elbo": -300.0, "valid_elbo": -400.0, "test_elbo": -500.0, "test_log_likelihood": -600.0, "gap": 70.0,
           "sampled_elbo": -700.0, "accuracy": 0.3, "valid_accuracy": 0.5, "reconstruction": -80.0, "class_kl": 2.0,
           "gaussian_kl": 11.0, "evaluations": 2e6, "seconds": 3.0, "step": 500.0, "eps_or_tau": 0.1}


def rows(epochs: int, first: int = 1, more: float = 0.0, **changed) -> list[dict[str, float]]:
    """Return rows of these epochs.  Every value identifies its column and its epoch."""
    return [{"epoch": float(epoch), **{name: value * (1 + 0.01 * epoch) + more for name, value in COLUMNS.items()},
             **changed}
            for epoch in range(first, first + epochs)]


def data_of(line) -> tuple[list[float], list[float]]:
    return list(line.get_xdata()), list(line.get_ydata())


def column(measured: list[dict[str, float]], name: str, factor: float = 1.0) -> list[float]:
    return [factor * row[name] for row in measured]


def by_label(ax) -> dict[str, object]:
    return {line.get_label(): line for line in ax.lines}


def test_curves_of_train_show_every_bound_and_the_gap():
    measured = rows(3)
    bound, gap = curves.bounds(measured, "words", "mnist").axes
    lines = by_label(bound)
    for label, name in (("train, -ELBO", "train_elbo"), ("validation, -ELBO", "valid_elbo"),
                        ("test, -ELBO", "test_elbo"), ("test, -log p(x)", "test_log_likelihood"),
                        ("test, -ELBO from one sample per image", "sampled_elbo")):
        assert data_of(lines.pop(label)) == ([1, 2, 3], column(measured, name, -1))
    assert not lines and data_of(gap.lines[0]) == ([1, 2, 3], column(measured, "gap"))
    measured[1] = {**measured[1], "test_elbo": math.nan, "gap": math.nan}
    bound, gap = curves.bounds(measured, "words", "mnist").axes
    assert data_of(by_label(bound)["test, -ELBO"])[0] == list(gap.lines[0].get_xdata()) == [1, 3]


def test_curves_of_semi_supervised_show_accuracies_and_bounds():
    measured = rows(4, first=0)
    accuracy, bound = curves.accuracies(measured, "words", "mnist").axes
    assert data_of(by_label(accuracy)["test"]) == ([0, 1, 2, 3], column(measured, "accuracy", 100))
    assert data_of(by_label(accuracy)["validation"]) == ([0, 1, 2, 3], column(measured, "valid_accuracy", 100))
    lines = by_label(bound)                                     # without the pretraining, whose bound is far off
    for label, name, sign in (("test, -ELBO", "test_elbo", -1), ("its reconstruction", "reconstruction", -1),
                              ("its Gaussian KL", "gaussian_kl", 1), ("its class KL", "class_kl", 1)):
        assert data_of(lines.pop(label)) == ([1, 2, 3], column(measured[1:], name, sign))
    assert not lines


@pytest.fixture
def records_of():
    """Return a function that makes records of all runs of an experiment, for its first two data sets and three seeds.

    No two records have the same numbers.  The seeds are unevenly spaced, so that the mean is not the median, and the
    lowest seed is not as far from the median as the highest one.
    """
    def make(name: str, first: int = 1) -> list[Record]:
        experiment = registry.REGISTRY[name]
        cells = [cell for dataset in experiment.datasets[:2] for seed in (0, 1, 2)
                 for cell in experiment.make(dataset, seed)]
        return [Record(name, cell.label, cell.settings.as_dict(), (),
                       rows(3, first, more=-0.125 * place - 0.3 * (cell.settings.seed == 2)))
                for place, cell in enumerate(cells)]
    return make


def matching(records, **expected) -> list[Record]:
    """Return the records with these settings, or with this label."""
    every = [{"label": record.label, **record.settings, **record.settings.get("hyperparameters", {})}
             for record in records]
    return [record for record, values in zip(records, every)
            if all(values[name] == value for name, value in expected.items())]


NATS = "test -ELBO, nats per image"
# Experiment -> its panels for MNIST, or for Fashion-MNIST if there is no other data set.  A panel has a title, the
# labels of its records, the same labels as drawn, the column of the abscissa, its unit, and the column of the ordinate.
METHODS = ["direct", "direct as released", "exact", "gumbel-softmax", "gumbel-softmax as released",
           "straight-through as released"]
SEVEN = ["direct", "local-tilted", "local-expectation", "disarm", "rebar", "relax", "arm"]
FIVE = ["unstructured", "unstructured, no KL", "pairwise, w >= 0", "pairwise, w >= 0, start 0", "pairwise, any sign"]
EXITS = ["exact", "tilted", "capped", "amplified", "noisy-exact", "direct"]
PLATEAU = ["exact", "tilted", "noisy-exact", "direct"]
PANELS = {
    "binary": [("mnist, by epochs", SEVEN, SEVEN, "epoch", 1, "test_elbo"),
               ("mnist, by decoder evaluations", SEVEN, SEVEN, "evaluations", 1e6, "test_elbo")],
    "structured": [("fashion-mnist", FIVE, FIVE, "epoch", 1, "test_log_likelihood")],
    "convergence": [(f"mnist, k = {k}", [f"{name}, k = {k}" for name in METHODS], METHODS, "epoch", 1, "test_elbo")
                    for k in (10, 50)],
    "plateau": [(f"mnist, decoder learns from {signal}", [f"{name}, decoder {signal}" for name in PLATEAU], PLATEAU,
                 "epoch", 1, "test_elbo") for signal in ("q", "z*")],
    "plateau-exits": [(f"mnist, {words} the KL gradient, eps = {eps:g}",
                       [f"exact{end}", *(f"{name}, eps {eps:g}{end}" for name in EXITS[1:])], EXITS,
                       "epoch", 1, "test_elbo")
                      for words, end in (("with", ""), ("without", ", no KL")) for eps in (0.1, 1.0)]}
WORDS = {"epoch": "epoch", "evaluations": "decoder evaluations, millions"}


def shown_names(ax) -> list[str]:
    """Return the names at the ends of the lines."""
    return [text.get_text() for text in ax.texts]


@pytest.mark.parametrize("name", PANELS)
def test_experiments_show_median_and_range_of_the_seeds(records_of, name):
    records = records_of(name)
    figure = registry.REGISTRY[name].draw(records, "title")
    notes = re.sub(r"\s", " ", figure.get_suptitle())
    assert notes.startswith(f"title {pictures.BAND}")
    crosses = [text for ax in figure.axes for text in shown_names(ax) if text.startswith("paper: ")]
    assert (pictures.CROSS in notes) == bool(crosses) or name == "structured"
    assert len(figure.axes) == len(PANELS[name]) * len({record.dataset for record in records})
    dataset = PANELS[name][0][0].split(",")[0]
    for place, (ax, (title, labels, shown, against, unit, merit)) in enumerate(zip(figure.axes, PANELS[name])):
        assert ax.get_title() == title and ax.get_xlabel() == WORDS[against]
        expected = "test -log p(x), nats per image" if name == "structured" else NATS
        assert ax.get_ylabel() == (expected if place % 2 == 0 else "")
        lines = [line for line in ax.lines if line.get_marker() != "x"]
        assert [line.get_label() for line in lines] == shown, title
        assert {text for text in shown_names(ax) if not text.startswith("paper: ")} == set(shown)
        assert len({(line.get_color(), line.get_linestyle()) for line in lines}) == len(shown)
        for label, line, band in zip(labels, lines, ax.collections):
            of_label = matching(records, label=label, dataset=dataset)
            values = np.array([column(record.rows, merit, -1) for record in of_label])
            assert len(of_label) == 3 and list(line.get_ydata()) == list(np.median(values, axis=0))
            x = np.median([column(record.rows, against, 1 / unit) for record in of_label], axis=0)
            np.testing.assert_allclose(line.get_xdata(), x, rtol=1e-12)
            corners = band.get_paths()[0].vertices
            for at, low, high in zip(x, values.min(axis=0), values.max(axis=0)):
                y = corners[np.isclose(corners[:, 0], at, rtol=1e-9), 1]
                assert len(y) and (y.min(), y.max()) == (low, high)
            assert line.get_color() == plots.line_style(line.get_label())["color"]
    assert not figure.legends


def test_crosses_show_the_values_of_the_paper(records_of):
    """A cross has the colour of its method and is at the last epoch of the paper."""
    figures = {name: registry.REGISTRY[name].draw(records_of(name), "").axes for name in ("convergence", "binary")}
    crosses = {(name, ax.get_title()): {(*line.get_xdata(), *line.get_ydata(), line.get_color()) for line in ax.lines
                                        if line.get_marker() == "x"} for name, axes in figures.items() for ax in axes}
    expected = {("convergence", f"{dataset}, k = {k}"): values for dataset, sizes in paper.CONVERGENCE.items()
                for k, values in sizes.items()} | {("binary", "fashion-mnist, by epochs"): paper.BINARY}
    for panel, drawn in crosses.items():
        assert drawn == {(300, value, plots.line_style(label)["color"])
                         for label, value in expected.get(panel, {}).items()}, panel
    assert sum(map(bool, crosses.values())) == 5


def test_seed_with_more_epochs_continues_as_a_thin_line(records_of):
    """The first seed has five epochs and the others have three: the median ends at the third, and a thin line shows all
    five."""
    records = records_of("convergence")
    records[0] = replace(records[0], rows=rows(5))
    figure = registry.REGISTRY["convergence"].draw(records, "title")
    assert f"{pictures.BAND}; {pictures.THIN}" in re.sub(r"\s", " ", figure.get_suptitle())
    ax = figure.axes[0]
    thin_line, median = [line for line in ax.lines if line.get_color() == plots.colour("direct")][:2]
    assert list(median.get_xdata()) == [1, 2, 3] and list(thin_line.get_xdata()) == [1, 2, 3, 4, 5]
    assert list(thin_line.get_ydata()) == column(records[0].rows, "test_elbo", -1)
    (name,) = [text for text in ax.texts if text.get_text() == "direct"]            # at the end of the thin line
    assert name.xy[0] == pytest.approx((ax.transScale + ax.transLimits).transform((5, 1))[0])
    assert thin_line.get_linewidth() < median.get_linewidth() and not thin_line.get_label().startswith("direct")


@pytest.mark.parametrize("epochs", [3, 1])
def test_run_without_a_value_does_not_hide_other_runs(records_of, epochs):
    """One seed has no bound yet; the other two are drawn, as a line or as dots."""
    records = [replace(record, rows=record.rows[:epochs]) for record in records_of("binary")]
    records[0] = replace(records[0], rows=[{**records[0].rows[0], "test_elbo": math.nan}])
    ax = registry.REGISTRY["binary"].draw(records, "").axes[2]          # after the two axes of MNIST
    assert ax.get_title().startswith(records[0].dataset)
    others = matching(records, label=records[0].label, dataset=records[0].dataset)[1:]
    values = [column(record.rows, "test_elbo", -1) for record in others]
    assert len(others) == 2
    drawn = [list(line.get_ydata() if epochs > 1 else line.get_xdata()) for line in ax.lines]
    assert (list(np.median(values, axis=0)) if epochs > 1 else [value for (value,) in values]) in drawn


def test_only_exact_bounds_are_drawn(records_of):
    """An epoch without an exact bound has no point, because a sampled bound is another quantity."""
    records = records_of("binary")
    for record in records:
        record.rows[1]["test_elbo"] = math.nan
    for line in registry.REGISTRY["binary"].draw(records, "").axes[0].lines:
        assert list(line.get_xdata()) == [1, 3]


def test_released_settings_have_one_panel_per_estimator(records_of):
    figure = panels.released(records_of("binary"), "title")
    middle_labels = {"direct": "direct, no KL", "rebar": "rebar, batch mean", "relax": "relax, batch mean"}
    for ax, (name, middle) in zip(figure.axes, middle_labels.items()):
        assert ax.get_title() == f"mnist: {name}"
        assert [line.get_label() for line in ax.lines] == [name, middle, f"{name} as released"]
        assert sorted(shown_names(ax)) == sorted(line.get_label() for line in ax.lines)
        assert len({line.get_linestyle() for line in ax.lines}) == 3
    assert len({ax.get_ylim() for ax in figure.axes}) == 1              # all panels have the same scale


def test_axis_is_cropped_to_the_relevant_range(records_of):
    """The axis begins one nat below the best last value, and values far above it are outside the picture."""
    for name, above in (("binary", 32), ("convergence", 70)):
        for ax in registry.REGISTRY[name].draw(records_of(name), "").axes:
            low, high = ax.get_ylim()
            best = min(line.get_ydata()[-1] for line in ax.lines)
            assert low == pytest.approx(best - 1) and high == pytest.approx(best + above)


def test_picture_of_latent_sizes_has_dots_and_medians_for_every_k(records_of):
    """Runs are compared at the last epoch that all have reached.  Each seed is a dot, and a stroke marks the median."""
    records = records_of("latent-sizes")
    place = next(place for place, record in enumerate(records) if record.dataset == "mnist")
    records[place] = replace(records[place], rows=records[place].rows[:2])
    axes = registry.REGISTRY["latent-sizes"].draw(records, "").axes
    for ax, dataset, epoch in zip(axes, ("mnist", "fashion-mnist"), (2, 3)):
        assert ax.get_title() == f"{dataset}, {epoch} epochs" and len(ax.lines) == 2 * 3 * 4
        assert set(shown_names(ax)) == {"direct", "exact", "gumbel-softmax"}
        for name in shown_names(ax):
            lines = [line for line in ax.lines if line.get_color() == plots.colour(name)]
            for k, seeds, stroke in zip((20, 30, 40, 50), lines[::2], lines[1::2]):
                values = [-record.at(epoch, "test_elbo")
                          for record in matching(records, dataset=dataset, k=k, estimator=name)]
                assert len(values) == 3 and list(seeds.get_ydata()) == values and seeds.get_marker() == "o"
                assert list(stroke.get_ydata()) == [np.median(values)] and stroke.get_marker() == "_"
                assert set(seeds.get_xdata()) == set(stroke.get_xdata()) and abs(stroke.get_xdata()[0] - k) < 2


@pytest.mark.parametrize("name, merit, words", [("tuning", "valid_elbo", "validation -ELBO"),
                                                ("joint", "test_elbo", NATS)])
def test_ranked_picture_has_the_best_label_at_the_top(records_of, name, merit, words):
    """For jigsaws, the best label is the one with the largest share of tiles in place."""
    records = records_of(name)
    (ax,) = registry.REGISTRY[name].draw(records, "title").axes
    labels = [text.get_text() for text in ax.get_yticklabels()]
    assert set(labels) == {record.label for record in records} and ax.get_xlabel() == words
    medians = []
    for place, label in enumerate(labels):
        dots, stroke = (line for line in ax.lines if line.get_ydata()[0] == place)
        assert list(dots.get_xdata()) == [-record.rows[-1][merit] for record in matching(records, label=label)]
        medians.append(stroke.get_xdata()[0])
    assert medians == sorted(medians, reverse=True)
    jigsaws = [replace(record, rows=[{**row, "valid_tiles": -row["valid_elbo"] / 1000} for row in record.rows])
               for record in records]
    (ax,) = registry.REGISTRY["jigsaw-tuning"].draw(jigsaws, "title").axes
    shares = [line.get_xdata()[0] for line in ax.lines if line.get_marker() == "|"]
    assert shares == sorted(shares) and shares[-1] > 30


def test_picture_of_the_first_steps_shows_medians_over_the_seeds(records_of):
    """Runs in which the decoder does not use the default of learn_from are not drawn."""
    records = [replace(record, experiment="plateau-steps", rows=[
        {"step": float(step), "elbo": -300.0 - step, "values_used": 5 + seed + step, "length_exact": 0.1 + step}
        for step in (0, 5, 10)]) for seed, record in enumerate(records_of("plateau"))]
    axes = plateau_steps.draw(records).axes
    assert len(axes) == 2
    for ax, (name, sign) in zip(axes, (("values_used", 1), ("length_exact", 1))):
        assert {line.get_label() for line in ax.lines} == set(PLATEAU) and ax.get_title().startswith("mnist: ")
        for line in ax.lines:
            of_estimator = matching(records, dataset="mnist", estimator=line.get_label(), learn_from=None)
            values = [column(record.rows, name, sign) for record in of_estimator]
            assert len(of_estimator) == 3 and list(line.get_ydata()) == list(np.median(values, axis=0))
            assert list(line.get_xdata()) == [0, 5, 10]


def test_picture_of_the_first_steps_may_have_no_lines(records_of):
    """There is only a run in which the decoder does not use the default of learn_from."""
    record = next(record for record in records_of("plateau") if record.label == "direct, decoder q")
    steps = [{"step": float(step), "values_used": 2.0, "length_exact": 0.1} for step in (0, 5)]
    axes = plateau_steps.draw([replace(record, experiment="plateau-steps", rows=steps)]).axes
    assert len(axes) == 2 and not any(ax.lines for ax in axes)


def test_picture_of_slide_33_has_our_results_and_those_of_the_paper(records_of):
    """Runs without labels are neither drawn nor considered in the choice of the epoch."""
    records = records_of("semi-supervised", first=0)
    labelled = next(place for place, record in enumerate(records) if record.settings["labels"])
    records[labelled] = replace(records[labelled], rows=records[labelled].rows[:2])
    unlabelled = next(place for place, record in enumerate(records) if not record.settings["labels"])
    records[unlabelled] = replace(records[unlabelled], rows=records[unlabelled].rows[:1])
    figure = registry.REGISTRY["semi-supervised"].draw(records, "title")
    assert figure.get_suptitle() == f"title\n{pictures.DOTS}, after 1 epoch; crosses: paper, after 400"
    assert [ax.get_ylabel() for ax in figure.axes] == 2 * ["test accuracy, %", NATS]
    for row, dataset in enumerate(("mnist", "fashion-mnist")):
        for place, (name, factor) in enumerate((("accuracy", 100), ("test_elbo", -1))):
            ax = figure.axes[2 * row + place]
            assert sorted(shown_names(ax)) == sorted(f"{estimator}, {whose}" for whose in ("here", "paper")
                                                     for estimator in ("direct", "gumbel-softmax"))
            for estimator in ("direct", "gumbel-softmax"):
                paper_line = by_label(ax)[f"{estimator}, paper"]
                lines = [line for line in ax.lines
                         if line.get_color() == plots.colour(estimator) and line is not paper_line]
                assert paper_line.get_color() == plots.colour(estimator) and data_of(paper_line) == (
                    [50, 100, 300, 600, 1200], list(paper.LABELLED[dataset][estimator][place]))
                for labels, seeds, stroke in zip((50, 100, 300, 600, 1200), lines[::2], lines[1::2]):
                    values = [factor * record.at(1, name) for record in matching(
                        records, dataset=dataset, estimator=estimator, labels=labels)]
                    assert len(values) == 3 and list(seeds.get_ydata()) == values
                    assert list(stroke.get_ydata()) == [np.median(values)]
                    assert stroke.get_xdata()[0] == pytest.approx(labels, rel=0.06)


def test_picture_of_labelled_terms_has_one_row_per_variant(records_of):
    """The most accurate variant is at the top.  Each seed is a dot, and a stroke marks the median."""
    records = records_of("labelled-terms", first=0)
    axes = registry.REGISTRY["labelled-terms"].draw(records, "").axes
    labels = [text.get_text() for text in axes[0].get_yticklabels()]
    assert set(labels) == {record.label for record in records} and len(labels) == 10
    medians = [np.median([record.rows[-1]["accuracy"] for record in matching(records, label=label)])
               for label in labels]
    assert medians == sorted(medians)
    for ax, (name, factor) in zip(axes, (("accuracy", 100), ("test_elbo", -1))):
        assert not ax.patches and len(ax.lines) == 2 * len(labels)
        for place, (label, seeds, stroke) in enumerate(zip(labels, ax.lines[::2], ax.lines[1::2])):
            values = [factor * record.rows[-1][name] for record in matching(records, label=label)]
            assert data_of(seeds) == (values, [place] * len(values))
            assert data_of(stroke) == ([np.median(values)], [place])


@pytest.mark.parametrize("name", ["semi-supervised", "labelled-terms", "label-steps", "latent-sizes"])
def test_runs_of_different_lengths_are_compared_at_an_epoch_that_all_have_kept(records_of, name):
    """The shortest run ends at epoch 23, which the files of longer runs do not keep."""
    records = records_of(name)
    records = [replace(record, rows=thinned(rows(30 if place else 23))) for place, record in enumerate(records)]
    for ax in registry.REGISTRY[name].draw(records, "").axes:
        assert all(np.isfinite(line.get_xydata().astype(float)).all() for line in ax.lines)


def test_picture_of_runs_that_all_have_no_labels_is_drawn(records_of, tmp_path):
    records = matching(records_of("semi-supervised", first=0), labels=0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        plots.save(registry.REGISTRY["semi-supervised"].draw(records, ""), tmp_path / "a.png")


@pytest.mark.parametrize("words, colour, dash", [
    ("direct", plots.colour("direct"), "-"), ("direct as released", plots.colour("direct"), "--"),
    ("direct, no KL", plots.colour("direct"), "-."), ("rebar, batch mean", plots.colour("rebar"), ":"),
    ("direct-joint", plots.colour("direct-joint"), "-"), ("unstructured", plots.colour("direct"), "-"),
    ("unstructured, no KL", plots.colour("direct"), "-."), ("pairwise, w >= 0", plots.SOLVERS["maxflow"], "-"),
    ("pairwise, w >= 0, start 0", plots.SOLVERS["maxflow"], "--"), ("pairwise, any sign", plots.SOLVERS["milp"], "-")])
def test_line_style_depends_only_on_the_label(words, colour, dash):
    assert plots.line_style(words) == {"color": colour, "linestyle": dash}


def test_every_solver_has_its_own_colour():
    assert set(plots.SOLVERS) == set(solvers.REGISTRY) and len(set(plots.SOLVERS.values())) == len(plots.SOLVERS)


def test_saved_picture_contains_a_digest_of_its_content(tmp_path):
    def figure(value, label="a", title="t"):
        drawn, (ax,) = plots.new_figure(1)
        ax.plot([1, 2], [3, value], label=label)
        ax.set(title=title)
        return drawn

    plots.save(figure(4.0), tmp_path / "x.png")
    digest = plots.digest_of(tmp_path / "x.png")
    assert len(digest) == 64 and digest == plots.figure_digest(figure(4.0)) == plots.figure_digest(figure(4.0 + 1e-9))
    for changed in (figure(4.1), figure(4.0, "b"), figure(4.0, title="u")):
        assert plots.figure_digest(changed) != digest
    wider = figure(4.0)
    wider.axes[0].set_xlim(0, 9)
    assert plots.figure_digest(wider) != digest
    (tmp_path / "y.png").write_bytes(b"no digest")
    assert plots.digest_of(tmp_path / "y.png") == ""


def test_samples_with_and_without_labels_are_shown_side_by_side(monkeypatch, tmp_path):
    runs = {Cell(f"direct, {labels} labels", mixture(labels=labels, seed=seed).resolved()): rows(2)
            for labels in (0, 100) for seed in (0, 1)}
    loaded = []

    def load(path):
        loaded.append(path.parent.name)
        run = type("Run", (), {"samples": lambda self: np.full((2, 10, 784), len(loaded) / 10)})()
        return run, np.array([[7.0]])

    monkeypatch.setattr(semi_supervised.checkpoint, "load", load)
    drawn = spied(monkeypatch, semi_supervised.images, "grids")
    assert list(semi_supervised.grids(runs, tmp_path)) == ["classes-mnist.png"]
    assert loaded == ["mnist-direct_0_labels-seed0", "mnist-direct_100_labels-seed0"]
    assert [(title, images[0, 0, 0]) for title, images in drawn[0]["samples"]] == [
        ("unsupervised, 7 epochs", 0.1), ("100 labels, 7 epochs", 0.2)]


def test_compare_draws_the_test_bound(tmp_path, monkeypatch):
    runs = [(vae(estimator=name, seed=seed).resolved(), rows(3, more=float(-seed)))
            for name, seed in (("direct", 0), ("exact", 1), ("direct", 2))]
    remaining = iter(runs)
    monkeypatch.setattr(compare, "read_run", lambda folder: next(remaining))
    saved = spied(monkeypatch, compare.plots, "save")
    compare.run(["a", "b", "c"], tmp_path / "c.png")
    epochs, seconds = saved[0]["figure"].axes
    for ax, against in ((epochs, "epoch"), (seconds, "seconds")):
        for (settings, measured), line in zip(runs, ax.lines):
            assert data_of(line) == (column(measured, against), column(measured, "test_elbo", -1))
            assert line.get_color() == plots.colour(settings.estimator)
            assert settings.label() in line.get_label() and f"seed {settings.seed}" in line.get_label()
        assert [line.get_linestyle() for line in ax.lines] == ["-", "-", "--"]


def test_picture_of_the_estimators_shows_bias_noise_and_variance():
    """A bias beyond four standard errors is a diamond.  Unbiased estimators are above the others, those with the least
    variance first."""
    table = [estimators_table.Row("exact", 1e-14, 0.1, 0.0, 8, True, True),
             estimators_table.Row("direct", 0.5, 30.0, 9.0, 5, False, False),
             estimators_table.Row("rebar", 0.02, 2.0, 4.0, 3, True, True)]
    bias, variance = estimators_table._figure(table, "words", 400).axes
    points = {line.get_ydata()[0]: (line.get_xdata()[0], line.get_marker(), line.get_color())
              for line in bias.lines if line.get_marker() in "oD"}
    assert points == {2: (1e-14, "o", plots.colour("exact")), 0: (0.5, "D", plots.colour("direct")),
                      1: (0.02, "o", plots.colour("rebar"))}
    noise = {line.get_ydata()[0]: line.get_xdata()[0] for line in bias.lines if line.get_marker() == "|"}
    assert noise == {0: 3 / 20, 1: 2 / 20}                      # the root of variance / draws; exact has no noise
    # variance times evaluations; exact has no variance
    assert [(line.get_ydata()[0], line.get_xdata()[0]) for line in variance.lines] == [(1, 12), (0, 45)]
    assert [label.get_text() for label in bias.get_yticklabels()] == ["exact", "rebar", "direct"]
    assert list(bias.get_yticks()) == [2, 1, 0]


def test_picture_of_timing_shows_seconds_against_n():
    timed = [structured_timing.Row(method, n, 0.1 * place + n) for place, method in enumerate(structured_timing.METHODS)
             for n in (5, 7)]
    (ax,) = structured_timing._figure(timed, 10).axes
    for line in ax.lines:
        assert data_of(line) == ([5, 7], [row.seconds for row in timed if row.method == line.get_label()])
    assert len({line.get_color() for line in ax.lines}) == len(structured_timing.METHODS)


# --- images drawn by models -------------------------------------------------------------------------------------------

PROBABILITIES = np.linspace(0.01, 0.99, 784)                # an image that changes if turned, mirrored or inverted


@pytest.mark.parametrize("values, columns", [(3, 3), (10, 10), (13, 10), (120, 10)])
def test_each_tile_shows_its_own_value(values, columns):
    """Tiles are ordered row by row, each with its name, and show the probabilities of the pixels, with black for 1."""
    own = 0.9 + 0.1 * np.arange(values) / values            # each tile has a different brightness
    p = own[:, None] * PROBABILITIES
    names = [f"name {tile}" for tile in range(values)] if values == 13 else None
    figure = images.tiles(np.log(p / (1 - p)).astype(np.float32), "mnist", "words", names)
    (ax,) = figure.axes
    (picture,) = ax.images
    canvas, shown = np.ma.getdata(picture.get_array()), min(values, 100)
    assert picture.get_clim() == (0, 1) and picture.get_cmap().name == "gray_r"
    assert [text.get_text() for text in ax.texts] == (names or [f"z = {tile}" for tile in range(values)])[:100]
    for tile, text in enumerate(ax.texts):
        x, y = text.get_position()                          # the name is above the middle of its tile
        left, top = round(x - 14), round(y + 1)
        np.testing.assert_allclose(canvas[top:top + 28, left:left + 28], p[tile].reshape(28, 28), atol=1e-5)
        assert (left // 31, top // 36) == (tile % columns, tile // columns)
    assert np.isfinite(canvas).sum() == 784 * shown and len(ax.texts) == shown
    which = f"{shown} values of z" if values in (13, 120) else "each z"
    assert figure.get_suptitle() == f"mnist, words: mean image of {which}"


def test_grid_has_one_column_per_class_and_one_row_per_gaussian_sample():
    shape = (2, 5)
    samples = [(title, (0.9 + 0.01 * np.arange(10).reshape(shape) - lower)[..., None] * PROBABILITIES)
               for title, lower in (("left", 0.0), ("right", 0.5))]
    figure = images.grids(samples, "fashion-mnist")
    assert figure.get_suptitle() == "fashion-mnist" and [ax.get_title() for ax in figure.axes] == ["left", "right"]
    for ax, (_, sampled) in zip(figure.axes, samples):
        (picture,) = ax.images
        canvas = np.ma.getdata(picture.get_array())
        assert picture.get_clim() == (0, 1) and picture.get_cmap().name == "gray_r"
        assert [label.get_text() for label in ax.get_xticklabels()] == ["0", "1", "2", "3", "4"]
        for c, middle in enumerate(ax.get_xticks()):
            for row in range(2):
                left, top = round(middle - 14), 30 * row
                np.testing.assert_allclose(canvas[top:top + 28, left:left + 28], sampled[row, c].reshape(28, 28))
        assert ax.get_xlabel() == "class"
    assert [ax.get_ylabel() for ax in figure.axes] == ["one row per Gaussian", ""]


# --- texts, colours, axes ---------------------------------------------------------------------------------------------

@pytest.fixture
def saved_figures(monkeypatch) -> dict[Path, object]:
    """Return a dict that gets every saved figure by its path.  Nothing is written."""
    figures_of: dict[Path, object] = {}
    monkeypatch.setattr(plots, "save", lambda figure, path: figures_of.update({path: figure}))
    return figures_of


def test_axes_of_a_figure_are_ordered_row_by_row():
    figure, axes = plots.new_figure(3, 2, width=4.0, height=1.5)
    assert tuple(figure.get_size_inches()) == (12.0, 3.0) and len(axes) == 6 and axes == figure.axes
    assert [ax.get_subplotspec().num1 for ax in axes] == list(range(6))
    assert {ax.get_gridspec().get_geometry() for ax in axes} == {(2, 3)}


def test_saved_png_has_the_size_of_the_figure(tmp_path):
    figure, _ = plots.new_figure(2, width=2.0, height=1.0)
    plots.save(figure, tmp_path / "x.png")
    content = (tmp_path / "x.png").read_bytes()
    assert content.startswith(b"\x89PNG") and [path.name for path in tmp_path.iterdir()] == ["x.png"]
    assert [int.from_bytes(content[at:at + 4], "big") for at in (16, 20)] == [440, 110]         # 110 dots per inch


def test_unregistered_estimator_is_grey():
    assert plots.colour("of another program") == "#5F5F5F"
    assert "#5F5F5F" not in {plots.colour(name) for name in estimators.REGISTRY}


@pytest.mark.parametrize("draw", [curves.bounds, curves.accuracies])
def test_lines_of_a_run_have_different_colours(draw):
    """Points have markers only if there are fewer than forty of them."""
    for epochs, marker in ((3, "o"), (39, "o"), (40, "None")):
        figure = draw(rows(epochs), "direct, k = 10", "fashion-mnist")
        for ax in figure.axes:
            assert len({line.get_color() for line in ax.lines}) == len(ax.lines)
            assert {line.get_marker() for line in ax.lines} == {marker}
            assert ax.get_xlabel() == "epoch" and "nats" in ax.get_ylabel() or ax.get_ylabel() == "accuracy, %"
        assert figure.get_suptitle() == "direct, k = 10" and "fashion-mnist" in figure.axes[0].get_title()


def test_only_the_accuracy_is_drawn_before_the_first_epoch():
    (accuracy,) = curves.accuracies(rows(1, first=0), "words", "mnist").axes
    assert all(data_of(line)[0] == [0] for line in accuracy.lines) and len(accuracy.lines) == 2


@pytest.mark.parametrize("suffix, start", [(".png", b"\x89PNG"), (".pdf", b"%PDF"), (".svg", b"<?xml"),
                                           (".SVG", b"<?xml")])
def test_suffix_of_the_file_determines_its_format(tmp_path, suffix, start):
    figure, _ = plots.new_figure(1)
    plots.save(figure, tmp_path / f"x{suffix}")
    assert (tmp_path / f"x{suffix}").read_bytes().startswith(start)


@pytest.mark.parametrize("name", ["x.jpg", "x", "x.png.gz", ".png"])
def test_unknown_suffix_is_refused(tmp_path, name):
    figure, _ = plots.new_figure(1)
    with pytest.raises(InputError, match=r"must be one of \.png, \.pdf, \.svg$"):
        plots.save(figure, tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_single_epoch_is_drawn_as_one_dot_per_seed(records_of):
    """The best label is at the top, a stroke marks the median, and a cross the value of the paper.  If a seed is far
    off, the range of its label is written at the edge instead."""
    records = [replace(record, rows=record.rows[:1]) for record in records_of("structured")]
    records[0] = replace(records[0], rows=[{**records[0].rows[0], "test_log_likelihood": -900.0}])
    figure = registry.REGISTRY["structured"].draw(records, "title")
    assert figure.get_suptitle().startswith(f"title\n{pictures.DOTS}; cross: paper") and not figure.legends
    (ax,) = figure.axes
    assert ax.get_title() == "fashion-mnist, after 1 epoch" and ax.get_xlabel() == "test -log p(x), nats per image"
    names, medians = [label.get_text() for label in ax.get_yticklabels()], []
    for place, name in enumerate(names):
        here = [line for line in ax.lines if line.get_ydata()[0] == place]
        crosses = [line.get_xdata()[0] for line in here if line.get_marker() == "x"]
        assert crosses == ([paper.STRUCTURED[name]] if name in paper.STRUCTURED else [])
        values = [-record.at(1, "test_log_likelihood") for record in matching(records, label=name)]
        medians.append(np.median(values))
        if name == records[0].label:
            (text,) = ax.texts
            assert text.get_text() == f"{min(values):.0f} to 900 →" and text.get_position()[1] == place
            assert len(here) == len(crosses)
            continue
        dots, stroke = (line for line in here if line.get_marker() != "x")
        assert list(dots.get_xdata()) == values and len(values) == 3 and dots.get_marker() == "o"
        assert list(stroke.get_xdata()) == [np.median(values)] and stroke.get_marker() == "|"
        assert dots.get_color() == stroke.get_color() == plots.line_style(name)["color"]
    assert sorted(names) == sorted(FIVE) and medians == sorted(medians, reverse=True)
    assert ax.get_xlim()[1] < 900


def test_picture_with_bands_and_dots_explains_both(records_of):
    """The lines of Fashion-MNIST cross so often that only their last values are drawn."""
    figure = registry.REGISTRY["plateau"].draw(records_of("plateau"), "title")
    assert re.sub(r"\s", " ", figure.get_suptitle()) == f"title {pictures.BAND}; {pictures.DOTS}"
    assert set(shown_names(figure.axes[0])) == set(PLATEAU) and figure.axes[0].get_xlabel() == "epoch"
    for ax, signal in zip(figure.axes[2:], ("q", "z*")):
        assert ax.get_title() == f"fashion-mnist, decoder learns from {signal}, after 3 epochs"
        assert {text.get_text() for text in ax.get_yticklabels()} == set(PLATEAU)


def test_compare_labels_its_axes_and_its_data(tmp_path, monkeypatch, saved_figures):
    """The points of a short run have markers, and those of a long run have none."""
    settings = vae(dataset="fashion-mnist").resolved()
    for epochs, marker in ((3, "o"), (20, "None")):
        monkeypatch.setattr(compare, "read_run", lambda folder: (settings, rows(epochs)))
        compare.run(["a"], tmp_path / "c.png")
        figure = saved_figures[tmp_path / "c.png"]
        assert [ax.get_xlabel() for ax in figure.axes] == ["epoch", "training time, seconds"]
        assert figure.axes[0].get_ylabel().startswith("test -ELBO")
        assert figure.get_suptitle().startswith("fashion-mnist")
        assert {line.get_marker() for ax in figure.axes for line in ax.lines} == {marker}


def test_title_of_timing_names_the_batch_size(tmp_path, monkeypatch, saved_figures):
    monkeypatch.setattr(structured_timing, "_seconds", lambda settings, dataset, words: 0.25 + settings.n / 1000)
    timed = structured_timing.run(tmp_path, batch=9, largest=7)
    (ax,) = saved_figures[tmp_path / "structured-timing.png"].axes
    assert ax.get_title() == "Time of a training step, batch of 9"
    with open(tmp_path / "structured-timing.csv", newline="") as stream:
        written = [(row["method"], int(row["n"]), float(row["seconds"])) for row in csv.DictReader(stream)]
    assert written == [tuple(row) for row in timed] and {row.seconds for row in timed} == {0.255, 0.257}


def test_title_of_the_estimators_names_seed_and_gradient_norm(tmp_path, monkeypatch, saved_figures):
    few = {name: estimators.REGISTRY[name] for name in ("exact", "direct")}
    monkeypatch.setattr(estimators_table.estimators, "REGISTRY", few)
    measured, norms = spied(monkeypatch, estimators_table, "measure"), []
    for seed in (3, 4):
        measured.clear()
        estimators_table.run(2, 3, 1_000, seed, tmp_path)
        norms.append(np.linalg.norm(measured[0]["truth"]))
        assert f"n = 2, k = 3: 1,000 draws, seed {seed}; |truth| = {norms[-1]:.2g} nats" in \
            saved_figures[tmp_path / "estimators.png"].get_suptitle().replace("\n", " ")
        assert measured[0]["h"] is measured[1]["h"] and measured[0]["rng"] is not measured[1]["rng"]
        np.testing.assert_array_equal(measured[0]["h"], np.random.default_rng(seed).normal(size=(2, 3)))
    assert abs(norms[0] - norms[1]) > 0.01


@pytest.mark.parametrize("name", ["epoch", "seconds", "test_elbo"])
def test_impossible_measurement_is_refused(tmp_path, name):
    (tmp_path / "config.json").write_text(json.dumps({"kind": "train"} | vae().resolved().as_dict()))
    for value, refused in ((-1e12, False), (1e12, False), (1.1e12, True), (-1.1e12, True)):
        row = {"epoch": 1.0, "seconds": 2.0, "test_elbo": -3.0, name: value}
        (tmp_path / "metrics.csv").write_text(f"{','.join(row)}\n{','.join(map(str, row.values()))}\n")
        if refused:
            with pytest.raises(InputError, match="holds a number beyond 1e\\+12, which cannot be right"):
                compare.read_run(tmp_path)
        else:
            assert compare.read_run(tmp_path) == (vae().resolved(), [row])


def test_logarithmic_axis_has_ticks_for_runs_of_any_length():
    """The usual ticks are used if at least two of them are visible, and those of matplotlib otherwise."""
    measured = [{**row, "evaluations": row["epoch"] * 4e6} for row in rows(5)]
    for unit, usual in ((1e6, True), (1e8, False)):
        record = Record("binary", "direct", vae().resolved().as_dict(), ("0" * 12,), measured, ())
        (ax,) = pictures.draw([pictures.Panel("few", [record], against="evaluations", unit=unit, log=True)], "nats",
                              "title").axes
        low, high = ax.get_xlim()
        visible = [tick for tick in ax.xaxis.get_majorticklocs() if low <= tick <= high]
        assert visible and (set(visible) <= {1, 2, 5, 10, 20, 50, 100, 300}) is usual
