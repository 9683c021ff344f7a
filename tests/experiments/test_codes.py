"""The codes of a model are counted correctly, for independent variables and for pair scores."""
from __future__ import annotations

import numpy as np

from refimpl import data, gumbel
from refimpl.experiments.measuring import codes
from refimpl.runs import checkpoint, loop
from refimpl.runs.vae import VAERun
from tests.cli.helpers import assert_refused
from tests.settings import vae
from tests.spies import raw


def test_pair_scores_starting_at_zero_give_all_images_the_same_code():
    """Each of 14 neighbours adds softplus(0) = 0.7, so that every image gets the z of ones only."""
    images = data.load("fashion-mnist", limit=300).test
    pairs = dict(n=15, k=2, family="pairwise")
    start = VAERun.start(vae(solver="persistency", pair_start=0.0, **pairs).resolved())
    counted = codes.count(start, images, np.random.default_rng(0))
    assert counted.different == 1 and (counted.shares[:, 1] == 1).all()
    for options in (dict(solver="persistency"), dict(solver="enumeration", non_negative=False)):
        run = VAERun.start(vae(**options, **pairs).resolved())          # the default start, and scores of any sign
        assert codes.count(run, images, np.random.default_rng(0)).different > 250


def test_command_counts_the_codes_of_a_run(tmp_path, capsys):
    from refimpl import cli

    loop.train(vae(n=2, k=3, limit=200, hidden=8), 1, tmp_path)
    first, last = codes.run(tmp_path, 150)
    assert first.images == last.images == 150 and 1 <= last.different <= 9
    assert np.allclose(last.shares.sum(axis=1), 1)
    assert cli.main(["measure", "codes", str(tmp_path)]) == 0
    assert "different z" in capsys.readouterr().out
    assert_refused(capsys, ["measure", "codes", tmp_path / "none"], "checkpoint.npz is missing")
    assert_refused(capsys, ["measure", "codes", tmp_path, "--images", 0], "--images must be at least 1, got 0")


def test_codes_are_counted_before_and_after_training(tmp_path, quick, monkeypatch):
    """The codes are those of the first test images, with the noise of the seed."""
    settings = vae(n=3, k=2, limit=200, hidden=8, seed=5, dataset="fashion-mnist", lr=0.05).resolved()
    loop.train(settings, 2, tmp_path)
    trained, _ = checkpoint.load(tmp_path / checkpoint.FILE)
    x, _ = raw("fashion-mnist", "test", 150)
    for counted, model in zip(codes.run(tmp_path, 150), (VAERun.start(settings).model, trained.model)):
        h = model.encoder.forward(x).reshape(150, 3, 2)
        z = (h + gumbel.sample(h.shape, np.random.default_rng(5))).argmax(axis=-1)
        assert counted.images == 150 and counted.different == len(set(map(tuple, z.tolist())))
        np.testing.assert_allclose(counted.shares[:, 1], z.mean(axis=0), atol=1e-12)
        np.testing.assert_allclose(counted.shares[:, 0], 1 - z.mean(axis=0), atol=1e-12)
