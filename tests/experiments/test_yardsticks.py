"""Bounds from one sample, from a hundred samples and by enumeration: they have the same mean and different noise."""
from __future__ import annotations

import math

import numpy as np
import pytest

from refimpl import cli, data
from refimpl.arguments import InputError
from refimpl.experiments import records
from refimpl.experiments.measuring import yardsticks
from refimpl.runs import loop
from refimpl.runs.vae import VAERun
from tests.cli.helpers import assert_refused
from tests.settings import vae


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Return a folder with three runs: direct, Gumbel-softmax, and direct with pair scores."""
    folder = tmp_path_factory.mktemp("runs")
    common = dict(limit=300, hidden=8, lr=0.01)
    for name, settings in (("direct", vae(k=4, **common)),
                           ("gumbel-softmax", vae(k=4, estimator="gumbel-softmax", **common)),
                           ("pairs", vae(n=3, k=2, family="pairwise", solver="enumeration", **common))):
        loop.train(settings, 2, folder / name)
    return folder


def test_one_hot_samples_have_the_exact_bound_as_their_mean():
    run = VAERun.start(vae(k=4, hidden=8).resolved())
    run.model.parameters.values *= 4
    part, rng = data.load("mnist", limit=50).test, np.random.default_rng(1)
    exact = -run.model.bounds(part).elbo
    spread = {}
    for samples in (1, 20):
        values = [yardsticks.sampled(run.model, part, samples, rng) for _ in range(60)]
        spread[samples] = np.std(values, ddof=1)
        assert abs(np.mean(values) - exact) < 4 * spread[samples] / np.sqrt(60)
    assert 3 < spread[1] / spread[20] < 6.5                                     # sqrt(20) = 4.5
    relaxed = [yardsticks.sampled(run.model, part, 5, rng, tau=0.5) for _ in range(10)]
    assert abs(np.mean(relaxed) - exact) > 4 * np.std(relaxed)              # the relaxed bound is another quantity


def test_command_writes_a_row_for_every_run(trained, tmp_path, capsys):
    folders = [str(trained / name) for name in ("direct", "gumbel-softmax")]
    assert cli.main(["measure", "yardsticks", *folders, "--images", "100", "--repetitions", "3",
                     "--out", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert "mnist, direct, k = 4, eps = 0.1, 2 epochs" in out
    (record,) = records.read_source(tmp_path)
    assert record.settings == {"repetitions": 3, "images": 100} and len(record.rows) == 2
    direct, soft = record.rows
    assert math.isnan(direct["relaxed_one"]) and abs(soft["relaxed_one"] - soft["relaxed_hundred"]) < 5
    for row in record.rows:
        assert abs(row["one"] - row["exact"]) < 5 and row["hundred_spread"] < row["one_spread"]


def test_bad_input_is_refused_in_one_line(trained, tmp_path, capsys):
    for arguments, words in (([str(tmp_path / "none")], "is missing"),
                             ([str(trained / "pairs")], "has a structured encoder: there is no bound"),
                             ([str(trained / "direct"), "--repetitions", "1"], "--repetitions must be at least 2"),
                             ([str(trained / "direct"), "--images", "0"], "--images must be at least 1")):
        assert_refused(capsys, ["measure", "yardsticks", *arguments, "--out", tmp_path], words)
    with pytest.raises(InputError):
        yardsticks.run([trained / "direct"], repetitions=1)
