"""Runs of the jigsaw on a few images: what is trained, what is kept, and what is drawn and printed."""
from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from refimpl import data
from refimpl.arguments import InputError
from refimpl.experiments import records, registry
from refimpl.experiments.jigsaw import experiment, gradients, runs
from refimpl.experiments.records import Record

WANTED = ["direct, 2 x 2", "gumbel-sinkhorn, 3 x 3, no labels", "reinforce, 4 x 4, by place"]


@pytest.fixture
def small(monkeypatch, quick):
    """Two steps an epoch, few jigsaws to be solved, a narrow network, two mean pictures."""
    for name, value in (("EPOCH", 20), ("BATCH", 10), ("TESTED", 20), ("HIDDEN", 4), ("COMPONENTS", 2)):
        monkeypatch.setattr(runs, name, value)
    monkeypatch.setattr(runs, "mixture_of", lambda dataset, data_dir: runs.Mixture(
        data.load(dataset).train.images(slice(0, 50)), 2, np.random.default_rng(0), 2))
    runs.ceiling.cache_clear()
    yield
    runs.ceiling.cache_clear()


def train(out, epochs, seeds=1, jobs=1, only=WANTED):
    lines = []
    found = registry.run("jigsaw", epochs, seeds, out, jobs, ["mnist"], report=lines.append, only=only)
    return found, lines


def state(out, cell):
    found = dict(np.load(out / cell.folder / runs.FILE, allow_pickle=False))
    found["rows"] = np.delete(found["rows"], runs.COLUMNS.index("seconds"), axis=1)
    return found


def test_continued_runs_equal_uninterrupted_ones_and_write_their_rows(tmp_path, small, monkeypatch):
    monkeypatch.setattr(registry.plots, "save", lambda figure, path: drawn.append(path.name))
    drawn = []
    whole, lines = train(tmp_path / "whole", 2)
    assert [cell.label for cell in whole] == WANTED and drawn[0] == "jigsaw.png" and len(lines) == 1 + 3
    assert lines[1].startswith("mnist, direct, 2 x 2, seed 0: ") and "test images are right, " in lines[1]
    for epochs, version in ((1, "earlier"), (2, "later")):
        monkeypatch.setattr(runs, "commit", lambda version=version: version)
        train(tmp_path / "parts", epochs)
    assert {record.commits for record in records.read_all(tmp_path / "parts" / "rows")} == {("earlier", "later")}
    for cell in whole:
        one, other = state(tmp_path / "whole", cell), state(tmp_path / "parts", cell)
        for name, array in one.items():
            np.testing.assert_array_equal(array, other[name] if name != "made_by" else array)
    _, lines = train(tmp_path / "parts", 2)
    assert len(lines) == 1                                              # nothing is left to do
    for record in records.read_all(tmp_path / "whole" / "rows"):
        registry.check(record)
        assert [row["epoch"] for row in record.rows] == [1, 2] and record.label in WANTED
        row = record.rows[-1]
        assert (row["f"] == row["f"]) == ("no labels" in record.label) and 0.1 < row["chance"] < 0.4
        if "no labels" in record.label:
            assert max(row["f"], row["f_truth"]) <= row["f_best"]       # the best one is found without the network
    table = registry.REGISTRY["jigsaw"].table(whole, 2)
    last = whole[next(iter(whole))][-1]
    assert table[0].startswith("Test images after 2 epochs of 20 images") and len(table) == 2 + 3
    assert f"{100 * last['test_tiles']:.2f} %" in table[2] and f"{100 * last['test_images']:.2f} %" in table[2]


def test_run_that_cannot_be_continued_is_refused_in_one_line(tmp_path, small, monkeypatch):
    monkeypatch.setattr(registry.plots, "save", lambda figure, path: None)
    (found, _), cell = train(tmp_path, 1, only=WANTED[:1]), experiment.make("mnist", 0)[0]
    path = tmp_path / cell.folder / runs.FILE
    with pytest.raises(InputError, match="^--jobs must be 1 for jigsaw[^\n]*got 2$"):
        train(tmp_path, 1, jobs=2)
    with pytest.raises(InputError, match="holds a run with other settings"):
        runs.JigsawRun.load(path, replace(cell.settings, lr=0.5), None)
    with monkeypatch.context() as patch, pytest.raises(InputError, match="mnist has 50,000 training images"):
        patch.setattr(runs, "SHUFFLED", 50_000)
        runs.JigsawRun(cell.settings, None)
    content = dict(np.load(path, allow_pickle=False))
    for name, wrong in (("values", content["values"][:-1]), ("rng", "{}"), ("rows", content["rows"][:, 1:]),
                        ("settings", "no JSON"), ("made_by", "{}"), ("made_by", "[]"),
                        ("made_by", '{"commits": [], "threads": 1}'), ("made_by", 10**5 * "["),
                        ("rng", str(content["rng"]).replace('"state": {"state": ', '"state": {"state": -')),
                        ("t", np.inf), ("t", -5), ("t", content["t"] + 1), ("V", -1 - content["V"]),
                        ("values", content["values"] * np.nan), ("values", content["values"].astype(str)),
                        ("rows", np.full(content["rows"].shape, "a")), ("rows", content["rows"] * np.nan)):
        np.savez(path, **{**content, name: wrong})
        with pytest.raises(InputError, match="^[^\n]*is truncated, damaged, or not a jigsaw's run$"):
            runs.JigsawRun.load(path, cell.settings, None)


def test_step_increases_the_objective(small):
    """With labels and the exact gradient E f rises on the images of the step; Adam descends on minus it."""
    cell = next(cell for cell in experiment.make("mnist", 0) if cell.label.startswith("enumeration"))
    run, x = runs.JigsawRun(cell.settings, None), data.load("mnist").train.images(slice(0, 60))
    for _ in range(60):
        run.step(x)
    tested = runs.Tested(*(getattr(runs.Tested.of(data.load("mnist").train.first(20), 2), name) for name in (
        "tiles", "y", "right")))
    assert tested.shares(run.solve(tested.tiles))[0] > 0.6 > 2 * float(tested.right.mean())


def test_shares_count_identical_tiles_as_right():
    tested = runs.Tested(np.zeros((1, 4, 1)), np.eye(4)[None], np.array([[[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 1, 0],
                                                                         [0, 0, 0, 1.0]]]))
    assert tested.shares(np.eye(4)[None, [1, 0, 2, 3]]) == (1.0, 1.0)
    assert tested.shares(np.eye(4)[None, [1, 0, 3, 2]]) == (0.5, 0.0)


def test_labels_of_the_runs_describe_their_settings():
    made = {cell.label: cell.settings for cell in experiment.make("mnist", 3)}
    assert len(made) == 16 + 3 + 6 and {settings.seed for settings in made.values()} == {3}
    for label, settings in made.items():
        assert label.startswith(f"{settings.method}, {settings.side} x {settings.side}")
        assert settings.labels != ("no labels" in label) and settings.by_place == ("by place" in label)
        assert settings.draws == (10 if "10 draws" in label else 1)
        assert (settings.eps is not None) == (settings.method == "direct")
        assert (settings.tau is not None) == (settings.method == "gumbel-sinkhorn")
    assert made["direct, 3 x 3, eps 1"].eps == 1 and set(gradients.METHODS) == {s.method for s in made.values()}
    assert {cell.label for cell in experiment.make("fashion-mnist", 0)} == {
        label for label in made if "draws" not in label and "place" not in label and "eps" not in label}
    grid = experiment.grid("mnist", 0)
    assert len({cell.folder for cell in grid}) == len(grid) and {cell.settings.method for cell in grid} == set(
        gradients.METHODS)


def test_puzzle_without_labels_does_not_contain_the_true_matching(small):
    cell = next(cell for cell in experiment.make("mnist", 0) if "no labels" in cell.label)
    run = runs.JigsawRun(cell.settings, None)
    tested = run.tested["test"]
    puzzle = run.puzzle(tested.tiles, tested.y)
    assert puzzle.y is None
    other = run.puzzle(tested.tiles, np.roll(tested.y, 1, axis=1))
    np.testing.assert_array_equal(puzzle.objective.c, other.objective.c)


def test_f_compares_pixels_or_places_with_labels(small):
    made = {cell.label: cell for cell in experiment.make("mnist", 0)}
    for label, by_place in (("direct, 4 x 4", False), ("direct, 4 x 4, by place", True)):
        run = runs.JigsawRun(made[label].settings, None)
        tested = run.tested["test"]
        puzzle = run.puzzle(tested.tiles, tested.y)
        np.testing.assert_array_equal(puzzle.objective.c, tested.y if by_place else tested.right)
        np.testing.assert_array_equal(puzzle.y, tested.y)


def test_picture_marks_wrong_tiles(small):
    tested = runs.Tested.of(data.load("mnist").test, 4)
    right = experiment.shown(tested, tested.y, 4)
    np.testing.assert_array_equal(right, data.load("mnist").test.images(slice(0, 20)).reshape(-1, 28, 28))
    wrong = experiment.shown(tested, np.roll(tested.y, 1, axis=1), 4)
    grey = np.isclose(wrong, 0.3).reshape(20, 4, 7, 4, 7).any(axis=(2, 4)).sum(axis=(1, 2))
    expected = 16 - (tested.right * np.roll(tested.y, 1, axis=1)).sum(axis=(1, 2))
    np.testing.assert_array_equal(grey, expected)


def records_of(*labels, column=0.5, rows=2):
    every = {cell.label: cell for seed in (0, 1) for cell in experiment.make("mnist", 0)}
    return [Record("jigsaw", label, every[label].settings.as_dict() | {"seed": seed}, ("abcdefabcdef",), [
        dict.fromkeys(runs.COLUMNS, column + 0.1 * seed) | {"epoch": float(epoch)} for epoch in range(1, rows + 1)])
        for label in labels for seed in (0, 1)]


def test_picture_of_the_curves():
    made = records_of("direct, 2 x 2", "enumeration, 2 x 2", "direct, 3 x 3, no labels", "direct, 4 x 4, by place")
    for record in made:
        for row in record.rows:
            row["test_images"] = 0.99                                   # is not what is drawn
    figure = registry.REGISTRY["jigsaw"].draw(made, "title")
    assert [ax.get_title() for ax in figure.axes] == ["mnist, 2 x 2", "mnist, 3 x 3, no labels"]
    lines = {line.get_label(): line for line in figure.axes[0].lines}
    assert set(lines) == {"direct", "enumeration"} and lines["direct"].get_ydata().tolist() == [55, 55]
