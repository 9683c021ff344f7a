"""The experiments with labels, among them that of slide 33, on a few hundred images."""
from __future__ import annotations

import re
from dataclasses import replace

import pytest

from refimpl.arguments import InputError
from refimpl.experiments import registry
from refimpl.experiments.training import semi_supervised
from refimpl.experiments.training.cells import Cell


@pytest.fixture(autouse=True)
def small(monkeypatch, quick):
    original = semi_supervised._cell

    def cell(label, dataset, seed, **settings):
        full = original(label, dataset, seed, **settings)
        return Cell(label, replace(full.settings, limit=100, batch=50, pretrain=2,
                                   labels=min(full.settings.labels, 20), gaussian=5))

    monkeypatch.setattr(semi_supervised, "_cell", cell)


def test_experiment_of_slide_33_writes_its_results_and_pictures(tmp_path):
    lines = []
    labels = ["direct, 0 labels", "direct, 100 labels", "gumbel-softmax, 50 labels"]
    runs = registry.run("semi-supervised", 1, 2, tmp_path, datasets=["mnist"], report=lines.append, only=labels)
    assert len(runs) == 6 and sum("accuracy" in line for line in lines) == 6
    for picture in ("semi-supervised.png", "classes-mnist.png"):
        assert (tmp_path / picture).read_bytes().startswith(b"\x89PNG")
    table = registry.REGISTRY["semi-supervised"].table(runs, 1)
    assert len(table) == 3 + 3 and all("(2 seeds)" in line for line in table[3:])
    header = (tmp_path / "semi-supervised.csv").read_text().splitlines()[0]
    assert header.startswith("dataset,label,seed,epochs,accuracy,valid_accuracy,test_elbo,reconstruction")
    message = ("unknown label of semi-supervised 'direct, 70 labels'; did you mean 'direct, .*0 labels'. "
               "there are direct, 50 labels;")
    with pytest.raises(InputError, match=message):
        registry.run("semi-supervised", 1, 1, tmp_path, only=["direct, 70 labels"])


def test_table_shows_the_values_of_the_paper_in_parentheses():
    settings = replace(semi_supervised.by_labels("mnist", 0)[2].settings, labels=100)
    rows = [{"epoch": 1.0, "accuracy": 0.5, "test_elbo": -123.456}]
    line = semi_supervised.lines({Cell("direct, 100 labels", settings): rows}, 1)[3]
    assert re.search(r"50\.00 % \(95\.4 %\) +123\.46 \(90\.93\)", line)


def test_table_has_no_paper_value_for_another_data_set(tmp_path):
    runs = registry.run("semi-supervised", 1, 1, tmp_path, datasets=["faces"], report=lambda line: None,
                       only=["direct, 50 labels"])
    line = registry.REGISTRY["semi-supervised"].table(runs, 1)[3]
    assert line.split()[:4] == ["faces", "direct,", "50", "labels"] and line.count("(") == 1    # only of the seeds
    assert (tmp_path / "semi-supervised.png").read_bytes().startswith(b"\x89PNG")


def test_experiment_with_labelled_terms_runs_the_requested_labels(tmp_path):
    every = [cell.label for cell in semi_supervised.by_term("mnist", 0)]
    labels = [every[1], every[2], every[5]]
    runs = registry.run("labelled-terms", 1, 1, tmp_path, report=lambda line: None, only=labels)
    assert len(set(every)) == len(every) == 10 and [cell.label for cell in runs] == labels
    assert (tmp_path / "labelled-terms.png").read_bytes().startswith(b"\x89PNG")
