"""Experiments from end to end on a few images: cells, continued runs, results and pictures."""
from __future__ import annotations

import csv
import math
from dataclasses import replace

import pytest

from refimpl.arguments import InputError
from refimpl.experiments import records, registry
from refimpl.experiments.training import cells, runs_by_slide
from refimpl.experiments.training.cells import Cell
from refimpl.runs import checkpoint
from tests.cases import first


@pytest.fixture(autouse=True)
def small(monkeypatch, quick):
    """Give all cells few images, hidden units and latent variables.  Other tests check the pictures."""
    original = runs_by_slide._cell

    def cell(label, dataset, seed, **settings):
        full = original(label, dataset, seed, **settings)
        n = min(full.settings.n, 5)
        return Cell(label, replace(full.settings, limit=100, hidden=6, n=n))

    monkeypatch.setattr(runs_by_slide, "_cell", cell)
    monkeypatch.setattr(runs_by_slide, "LEARNING_RATES", (1e-3,))
    monkeypatch.setattr(runs_by_slide, "TUNED", {"direct": [{"eps": 0.1}], "exact": [{}],
                                               "gumbel-softmax": [{"tau": 0.5}]})


@pytest.mark.parametrize("name", first(4, [name for name in registry.REGISTRY if name not in (
    "semi-supervised", "labelled-terms", "label-weights", "label-steps", "faces", "jigsaw", "jigsaw-tuning")]))
def test_experiment_runs_and_writes_its_rows(tmp_path, name):
    lines = []
    seeds = 2 if name == "structured" else 1
    runs = registry.run(name, 1, seeds, tmp_path, datasets=["fashion-mnist"], report=lines.append)
    expected = registry.REGISTRY[name].make("fashion-mnist", 0)
    assert len(runs) == seeds * len(expected) and f"{len(runs)} runs of 1 epoch" in lines[0]
    assert len(lines) == 1 + len(runs) and all("min left" in line for line in lines[1:-1]) and "left" not in lines[-1]
    assert (tmp_path / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    with open(tmp_path / f"{name}.csv", newline="") as stream:
        assert len(list(csv.DictReader(stream))) == len(runs)
    assert {record.label for record in records.read_source(tmp_path)} == {cell.label for cell in expected}
    table = cells.table(runs, 1, registry.REGISTRY[name].merit)
    assert table and all(count == seeds and math.isfinite(mean) for _, _, count, mean, _ in table)


def test_finished_cells_are_skipped_and_shorter_ones_continued(tmp_path):
    def run(epochs, seeds):
        return registry.run("structured", epochs, seeds, tmp_path, datasets=["fashion-mnist"], report=lines.append)

    lines: list[str] = []
    run(1, 2)
    before = {path: path.read_bytes() for path in tmp_path.rglob(checkpoint.FILE)}
    lines.clear()
    run(1, 2)
    assert len(lines) == 1                                              # the first line only: nothing was trained
    assert {path: path.read_bytes() for path in tmp_path.rglob(checkpoint.FILE)} == before
    runs = run(2, 1)
    assert {(cell.settings.seed, len(rows)) for cell, rows in runs.items()} == {(0, 2), (1, 1)}


def test_folders_of_cells_are_all_different():
    every_folder = [cell.folder for experiment in registry.REGISTRY.values() for dataset in experiment.datasets
                    for seed in (0, 1) for cell in experiment.make(dataset, seed)]
    for experiment in registry.REGISTRY.values():
        folders = [cell.folder for dataset in experiment.datasets for cell in experiment.make(dataset, 0)]
        assert len(set(folders)) == len(folders)
    assert all("/" not in folder and " " not in folder for folder in every_folder)


@pytest.mark.parametrize("arguments", [dict(epochs=0, seeds=1), dict(epochs=1, seeds=0),
                                       dict(epochs=1, seeds=1, jobs=0),
                                       dict(epochs=1, seeds=1, jobs=65), dict(epochs=1, seeds=101)])
def test_numbers_out_of_range_are_refused(tmp_path, arguments):
    with pytest.raises(InputError):
        registry.run("convergence", out=tmp_path, datasets=["mnist"], report=lambda line: None, **arguments)


@pytest.fixture
def passed_arguments(monkeypatch):
    """Replace what registry.run calls; return lists of the data sets, the cells run and collected, and the files."""
    loads, ran, collected, written = [], [], [], []
    monkeypatch.setattr(registry.data, "load", lambda *arguments: loads.append(arguments))
    monkeypatch.setattr(cells, "run_cells", lambda *arguments: ran.append(arguments))
    monkeypatch.setattr(cells, "collect", lambda some_cells, folder: collected.append(some_cells) or {})
    monkeypatch.setattr(cells, "write_results", lambda runs, folder, name: written.append(folder / name) or [])
    monkeypatch.setattr(registry.plots, "save", lambda figure, path: written.append(path))
    for name, entry in registry.REGISTRY.items():
        monkeypatch.setitem(registry.REGISTRY, name, replace(
            entry, draw=lambda runs, title: title, further=lambda runs, folder: {"more.png": None}))
    return loads, ran, collected, written


def test_experiment_passes_its_arguments_on(tmp_path, passed_arguments):
    """The numbers are the largest ones allowed."""
    loads, ran, collected, written = passed_arguments
    lines: list[str] = []
    registry.run("structured", 100_000, 100, tmp_path / "x", 64, ["mnist", "omniglot"], "/data", lines.append)
    assert loads == [("mnist", "/data"), ("omniglot", "/data")]
    ((all_cells, *rest),) = ran
    assert rest == [100_000, tmp_path / "x", 64, "/data", lines.append] and len(all_cells) == 2 * 100 * 9
    assert {(cell.settings.dataset, cell.settings.seed) for cell in all_cells} == {
        (dataset, seed) for dataset in ("mnist", "omniglot") for seed in range(100)}
    assert written == [tmp_path / "x" / name for name in ("structured", "structured.png", "more.png")]
    assert lines == ["structured: 1800 runs of 100000 epochs; you can stop it at any time and continue with the same "
                     "command"]


def test_all_runs_in_the_folder_are_drawn(tmp_path, passed_arguments):
    """Runs on the data sets of the experiment and of this call are drawn, with any seed and any label."""
    _, ran, collected, _ = passed_arguments
    some = [registry.REGISTRY["binary"].make(dataset, seed)[place]
            for dataset, seed, place in (("fashion-mnist", 0, 2), ("mnist", 57, 1), ("omniglot", 99, 0))]
    for cell in some:
        (tmp_path / cell.folder).mkdir()
    registry.run("binary", 1, 1, tmp_path, datasets=["omniglot"], report=lambda line: None, only=["arm"])
    assert [cell.label for cell in ran[0][0]] == ["arm"]
    assert {cell.folder for cell in collected[0]} == {cell.folder for cell in some}
    registry.run("binary", 1, 1, tmp_path, datasets=["mnist"], report=lambda line: None)
    assert {cell.folder for cell in collected[1]} == {cell.folder for cell in some[:2]}


@pytest.mark.parametrize("name, value, most", [("epochs", 100_001, 100_000), ("seeds", 101, 100), ("jobs", 65, 64)])
def test_number_out_of_range_is_named(tmp_path, name, value, most):
    with pytest.raises(InputError, match=f"^--{name} must be at most {most} and at least 1, got {value}$"):
        registry.run("joint", **{"epochs": 1, "seeds": 1, "out": tmp_path / "x", name: value})
