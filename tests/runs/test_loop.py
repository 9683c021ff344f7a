"""The loop: runs resumed and repeated, what they learn, and the files they leave."""
from __future__ import annotations

import csv
import json

import numpy as np
import pytest

from refimpl.runs import checkpoint, loop
from refimpl.checks import InputError
from refimpl.runs.vae import COLUMNS
from refimpl.runs.vae import VAESettings
from tests.asserts import assert_same_to_the_bit, checkpoint_content

SMALL = dict(hidden=20, limit=400, batch=64)                        # the last batch of an epoch is smaller


def small(**settings) -> VAESettings:
    return VAESettings(**{**SMALL, **settings}).resolved()


@pytest.mark.parametrize("settings", [
    {}, {"estimator": "exact"}, {"estimator": "gumbel-softmax"}, {"as_released": True},
    {"estimator": "straight-through-gumbel-softmax", "as_released": True}, {"k": 5, "kl_grad": False, "eps": 0.3},
    {"estimator": "reinforce", "n": 3, "k": 2}, {"estimator": "rebar",
        "n": 3, "k": 2}, {"estimator": "relax", "n": 3, "k": 2},
    {"structure": "pairwise", "n": 4, "k": 2}])
def test_resumed_equals_uninterrupted(tmp_path, quick, settings):
    loop.train(small(**settings), 4, tmp_path / "whole")
    for epochs in (1, 3, 4):
        loop.train(small(**settings), epochs, tmp_path / "parts", resume=epochs > 1)
    assert_same_to_the_bit(tmp_path / "whole", tmp_path / "parts")


def test_same_seed_same_run_other_seed_other_run(tmp_path, quick):
    for name, seed in (("one", 3), ("two", 3), ("three", 4)):
        loop.train(small(seed=seed), 1, tmp_path / name)
    assert_same_to_the_bit(tmp_path / "one", tmp_path / "two")
    assert (checkpoint_content(tmp_path / "one")["values"] != checkpoint_content(tmp_path / "three")["values"]).any()


def test_training_learns(tmp_path, quick):
    rows = loop.train(VAESettings(limit=1_000), 6, tmp_path)
    assert rows[-1]["train_elbo"] > rows[0]["train_elbo"] + 20


def test_files_of_a_run(tmp_path):
    rows = loop.train(small(), 2, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(loop.WRITTEN)
    with open(tmp_path / "metrics.csv", newline="") as stream:
        written = list(csv.DictReader(stream))
    assert tuple(written[0]) == COLUMNS and len(written) == 2
    assert [row["epoch"] for row in written] == ["1", "2"] and written[1]["step"] == "14"
    for row, text in zip(rows, written):
        assert float(text["test_elbo"]) == pytest.approx(row["test_elbo"], abs=1e-6)
        assert row["gap"] == pytest.approx(row["test_log_likelihood"] - row["test_elbo"], abs=1e-9) and row["gap"] >= 0
        assert float(text["eps_or_tau"]) == 0.1
    assert json.loads((tmp_path / "config.json").read_text())["eps"] == 0.1
    for picture in ("curves.png", "samples.png"):
        assert (tmp_path / picture).read_bytes().startswith(b"\x89PNG")


def test_exact_has_no_epsilon(tmp_path):
    loop.train(small(estimator="exact"), 1, tmp_path)
    with open(tmp_path / "metrics.csv", newline="") as stream:
        assert next(csv.DictReader(stream))["eps_or_tau"] == ""


def test_divergence_is_said_in_one_line(tmp_path, quick):
    with pytest.raises(InputError, match="diverged.*smaller --lr"):
        loop.train(small(lr=1e30), 3, tmp_path)
    assert len(checkpoint_content(tmp_path)["history"]) == 0                     # the last good checkpoint stands
