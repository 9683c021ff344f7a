"""The bound of the relaxed samples and the exact bound, measured without an effect on the training."""
from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.special import log_softmax, softmax

from refimpl import cli, data, gumbel
from refimpl.arguments import Options
from refimpl.experiments import records
from refimpl.experiments.measuring import relaxation
from refimpl.runs import streams
from refimpl.runs.loop import train_epoch
from refimpl.runs.vae import VAERun
from tests.settings import vae


def test_look_equals_plain_loops():
    run = VAERun.start(vae(estimator="gumbel-softmax", tau=0.4, k=3, hidden=5).resolved())
    run.model.parameters.values *= 8                                        # so that the scores differ more
    part = data.load("mnist", limit=20).test
    measured = relaxation.look(run, part, 4)
    x, rng = part.images(slice(0, 20)).astype(float), streams.measuring(0, 4)
    h = run.model.encode(x.astype(np.float32)).astype(float)
    log_q = log_softmax(h[:, 0], axis=-1)
    kl = (np.exp(log_q) * log_q).sum(axis=1) + math.log(3)
    f = []
    for _ in range(relaxation.SAMPLES):
        z = softmax((h + gumbel.sample(h.shape, rng)) / 0.4, axis=-1)
        a = run.model.decoder.forward(z.astype(np.float32)[:, 0])
        f.append((x * a - np.logaddexp(0, a)).sum(axis=-1))
    assert measured["relaxed"] == pytest.approx((np.mean(f, axis=0) - kl).mean(), rel=1e-4)
    exact = run.model.bounds(part)
    assert (measured["epoch"], measured["elbo"], measured["log_likelihood"]) == (4, exact.elbo, exact.log_likelihood)


def test_command_writes_the_rows_of_every_label_and_a_picture(tmp_path, monkeypatch, capsys):
    small = data.load("mnist", limit=200)
    monkeypatch.setattr(relaxation.data, "load", lambda name: small)
    assert cli.main(["measure", "relaxation", "--epochs", "2", "--out", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert all(label in out for label in relaxation.LABELS) and (tmp_path / "relaxation.png").exists()
    written = {record.label: record for record in records.read_source(tmp_path)}
    assert set(written) == set(relaxation.LABELS)
    assert all([row["epoch"] for row in record.rows] == [1, 2] for record in written.values())
    assert math.isnan(written["straight-through, tau 0.5"].rows[0]["relaxed"])
    plain = VAERun.start(vae(estimator="gumbel-softmax", hyperparameters=Options(tau=0.5)).resolved())
    for epoch in (1, 2):
        train_epoch(plain, small.train, epoch=epoch)
    expected = plain.model.bounds(small.test).elbo
    assert written["gumbel-softmax, tau 0.5"].rows[-1]["elbo"] == pytest.approx(expected, abs=1e-4)
