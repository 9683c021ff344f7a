"""The training loop: resumed and repeated runs, progress of training, divergence, and the files of a run."""
from __future__ import annotations

import csv
import json

import numpy as np
import pytest

from refimpl import data
from refimpl.arguments import InputError
from refimpl.plots.runs import of_run
from refimpl.runs import checkpoint, loop
from refimpl.runs.vae import COLUMNS, VAERun, VAESettings
from tests.asserts import assert_same_to_the_bit, checkpoint_content
from tests.cases import first
from tests.settings import vae

SMALL = dict(hidden=20, limit=400, batch=64)                        # the last batch of an epoch is smaller


def small(**settings) -> VAESettings:
    return vae(**{**SMALL, **settings}).resolved()


@pytest.mark.parametrize("settings", first(4, [
    {}, {"as_released": True}, {"estimator": "relax", "n": 3, "k": 2}, {"family": "pairwise", "n": 4, "k": 2},
    {"estimator": "exact"}, {"estimator": "gumbel-softmax"}, {"k": 5, "kl_grad": False, "eps": 0.3},
    {"estimator": "straight-through-gumbel-softmax", "as_released": True}, {"estimator": "reinforce", "n": 3, "k": 2},
    {"estimator": "rebar", "n": 3, "k": 2}]))
def test_resumed_run_equals_an_uninterrupted_run(tmp_path, quick, settings):
    loop.train(small(**settings), 4, tmp_path / "whole")
    for epochs in (1, 3, 4):
        loop.train(small(**settings), epochs, tmp_path / "parts", resume=epochs > 1)
    assert_same_to_the_bit(tmp_path / "whole", tmp_path / "parts")


def test_run_is_reproduced_by_the_same_seed_and_changed_by_another(tmp_path, quick):
    for name, seed in (("one", 3), ("two", 3), ("three", 4)):
        loop.train(small(seed=seed), 1, tmp_path / name)
    assert_same_to_the_bit(tmp_path / "one", tmp_path / "two")
    assert (checkpoint_content(tmp_path / "one")["values"] != checkpoint_content(tmp_path / "three")["values"]).any()


def test_training_improves_the_bound(tmp_path, quick):
    rows = loop.train(vae(limit=1_000), 6, tmp_path)
    assert rows[-1]["train_elbo"] > rows[0]["train_elbo"] + 20


def test_consecutive_training_by_the_same_commit_is_recorded_once(tmp_path, monkeypatch):
    for epochs, commits_of in enumerate(("a", "a", "b", "a"), start=1):
        monkeypatch.setattr(loop, "commit", lambda: commits_of)
        loop.train(small(), epochs, tmp_path, resume=epochs > 1)
    assert loop.commits_of(tmp_path) == ["a", "b", "a"] and loop.commits_of(tmp_path / "none") == []


def test_run_writes_all_its_files(tmp_path):
    rows = loop.train(small(), 2, tmp_path, draw=of_run)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(set(loop.WRITTEN) - {"switched.png"})
    with open(tmp_path / "metrics.csv", newline="") as stream:
        written = list(csv.DictReader(stream))
    assert tuple(written[0]) == (*COLUMNS, "evaluations") and len(written) == 2
    assert [row["epoch"] for row in written] == ["1", "2"] and written[1]["step"] == "14"
    for row, text in zip(rows, written):
        assert float(text["test_elbo"]) == pytest.approx(row["test_elbo"], abs=1e-6)
        assert row["gap"] == pytest.approx(row["test_log_likelihood"] - row["test_elbo"], abs=1e-9) and row["gap"] >= 0
        assert float(text["eps_or_tau"]) == 0.1
    assert json.loads((tmp_path / "config.json").read_text())["hyperparameters"] == {"eps": 0.1}
    for picture in ("curves.png", "samples.png"):
        assert (tmp_path / picture).read_bytes().startswith(b"\x89PNG")


def test_metrics_of_exact_have_no_epsilon(tmp_path):
    loop.train(small(estimator="exact"), 1, tmp_path)
    with open(tmp_path / "metrics.csv", newline="") as stream:
        assert next(csv.DictReader(stream))["eps_or_tau"] == ""


@pytest.mark.parametrize("weight", [np.inf, np.nan, 3e38])
def test_divergence_is_reported_in_one_line_and_keeps_the_last_checkpoint(tmp_path, quick, monkeypatch, weight):
    original_step = VAERun.step

    def step(self, x):
        self.model.parameters.values[...] = weight          # as after steps with a learning rate that is too large
        return original_step(self, x)

    monkeypatch.setattr(VAERun, "step", step)
    with pytest.raises(InputError, match="diverged.*smaller --lr"):
        loop.train(small(), 3, tmp_path)
    assert len(checkpoint_content(tmp_path)["history"]) == 0                     # the last good checkpoint is kept


@pytest.mark.parametrize("name", loop.WRITTEN)
def test_folder_with_any_file_of_a_run_is_not_overwritten(tmp_path, name):
    """The message advises --resume only if there is a checkpoint, because only then can the run be continued."""
    (tmp_path / name).write_text("somebody's")
    with pytest.raises(InputError) as problem:
        loop.train(small(), 1, tmp_path)
    held = f"--out {tmp_path} already holds {name}; "
    advice = "continue with --resume, or choose" if name == checkpoint.FILE else "no run to continue: choose"
    assert str(problem.value) == f"{held}{advice} another folder"
    assert [path.name for path in tmp_path.iterdir()] == [name] and (tmp_path / name).read_text() == "somebody's"


def test_divergence_message_names_learning_rate_and_current_temperature():
    for settings, step, words in ((small(lr=0.5, eps=3.0), 7, "--lr than 0.5, or another eps than 3"),
                                  (small(as_released=True), 1_000, "--lr than 0.001, or another eps than 0.99005"),
                                  (small(estimator="gumbel-softmax"), 7, "--lr than 0.001, or another tau than 0.5"),
                                  (small(estimator="exact"), 7, "--lr than 0.001")):
        run = VAERun.start(settings)
        run.adam.t = step
        run.model.parameters.values[0] = np.nan
        with pytest.raises(InputError) as problem:
            loop.train_epoch(run, data.load("mnist", limit=1).train.first(0))
        assert str(problem.value).endswith(words)


def test_files_are_complete_before_the_first_epoch_and_after_each_epoch(tmp_path, quick, monkeypatch):
    """During training, or after the process is killed, the files contain the settings and all rows so far."""
    seen: list[list[str]] = []

    def record(*rest, **keywords):
        assert json.loads((tmp_path / "config.json").read_text())["dataset"] == "mnist"
        seen.append([line.split(",")[0] for line in (tmp_path / "metrics.csv").read_text().splitlines()])

    original_progress, original_epoch = loop.Progress, loop.train_epoch
    totals: list[int] = []
    monkeypatch.setattr(loop, "Progress",
                        lambda label, total: totals.append((label, total)) or original_progress(label, total))
    monkeypatch.setattr(loop, "train_epoch", lambda *rest: record() or original_epoch(*rest))
    loop.train(small(limit=50, batch=20), 2, tmp_path, report=record)
    assert seen == [["epoch"], ["epoch", "1"], ["epoch", "1"], ["epoch", "1", "2"]]
    (tmp_path / "metrics.csv").unlink()
    loop.train(small(limit=50, batch=20), 3, tmp_path, resume=True, report=record)
    assert seen[4:] == [["epoch", "1", "2"], ["epoch", "1", "2", "3"]]
    assert totals == [("epoch 1 of 2", 3), ("epoch 2 of 2", 3), ("epoch 3 of 3", 3)]


def test_progress_counts_the_steps_of_an_epoch(tmp_path, quick, monkeypatch):
    from refimpl import data

    whole = data.load("mnist", limit=120)
    parts = whole._replace(valid=whole.valid.first(10), test=whole.test.first(30))
    monkeypatch.setattr(loop.data, "load", lambda *rest: parts)
    counted: list[list[int]] = []

    class Counter:
        def __init__(self, label, total):
            counted.append([total, 0])

        def advance(self, amount=1):
            counted[-1][1] += amount

        def clear(self):
            pass

    monkeypatch.setattr(loop, "Progress", Counter)
    loop.train(small(limit=120, batch=50), 2, tmp_path)
    assert counted == [[3, 3], [3, 3]]
