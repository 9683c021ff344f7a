"""Measurements in the first steps: each against a plain loop, at the right steps, and without effect on the run."""
from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from refimpl import cli, data
from refimpl.arguments import InputError
from refimpl.experiments import records
from refimpl.experiments.training import runs_by_slide
from refimpl.experiments.measuring import plateau_steps
from refimpl.experiments.training.cells import Cell
from refimpl.runs.loop import train_epoch
from refimpl.runs.vae import VAERun
from tests.settings import vae

SMALL = vae(estimator="direct", k=3, hidden=5, limit=400, batch=50).resolved()


def test_look_equals_plain_loops():
    run = VAERun.start(SMALL)
    run.model.parameters.values *= 8                                        # so that the scores differ more
    x = data.load("mnist", limit=20).test.images(slice(0, 20), np.float32)
    measured = plateau_steps.look(run, x, 7)
    h, f = run.model.encode(x).astype(float)[:, 0], run.model.score_all(x)[1]
    q = np.exp(h) / np.exp(h).sum(axis=1, keepdims=True)
    elbo, entropy, lengths = [], [], []
    for q_b, f_b in zip(q, f):
        entropy.append(-sum(p * math.log(p) for p in q_b))
        elbo.append(sum(p * value for p, value in zip(q_b, f_b)) + entropy[-1] - math.log(3))
        mean = sum(p * value for p, value in zip(q_b, f_b))
        lengths.append(math.sqrt(sum((p * (value - mean)) ** 2 for p, value in zip(q_b, f_b))))
    share = q.mean(axis=0)
    assert measured["step"] == 7 and measured["elbo"] == pytest.approx(np.mean(elbo), rel=1e-6)
    assert measured["entropy"] == pytest.approx(np.mean(entropy), rel=1e-5)
    assert measured["length_exact"] == pytest.approx(np.mean(lengths), rel=1e-4)
    assert measured["winner"] == max(np.bincount(q.argmax(axis=1))) / 20
    assert measured["values_used"] == pytest.approx(math.exp(-sum(p * math.log(p) for p in share)), rel=1e-5)
    gaps = [max(f_b) - f_b[list(q_b).index(max(q_b))] for q_b, f_b in zip(q, f)]
    assert measured["ahead"] == sum(gap > 10 for gap in gaps) / 20
    # the length of a direct gradient is 0, or sqrt(2) / eps if the winner changes
    changed = measured["length_made"] * 20 * 0.1 / math.sqrt(2)
    assert changed == pytest.approx(round(changed))


def test_measuring_does_not_change_the_training(monkeypatch):
    monkeypatch.setattr(plateau_steps, "CLOSE", 10)
    monkeypatch.setattr(plateau_steps, "LATER", 4)
    images = data.load("mnist", limit=400)
    run, plain = VAERun.start(SMALL), VAERun.start(SMALL)
    points = plateau_steps.follow(run, images, 16)                          # two epochs of eight steps
    for epoch in (1, 2):
        train_epoch(plain, images.train, epoch=epoch)
    assert [point["step"] for point in points] == [0, 5, 10, 12, 16] and run.adam.t == 16
    assert (run.model.parameters.values == plain.model.parameters.values).all()
    assert points[-1]["elbo"] == plateau_steps.look(plain, images.test.images(slice(0, 1_000)), 16)["elbo"]


def test_command_writes_the_rows_of_every_run_and_a_picture(tmp_path, monkeypatch, capsys):
    cells = [Cell(cell.label, replace(cell.settings, k=3, hidden=5)) for cell in runs_by_slide.plateau("mnist", 0)[:2]]
    monkeypatch.setattr(runs_by_slide, "plateau", lambda dataset, seed: [
        Cell(cell.label, replace(cell.settings, dataset=dataset, seed=seed)) for cell in cells])
    monkeypatch.setattr(plateau_steps, "IMAGES", 50)
    options = ["--seeds", "2", "--steps", "3", "--dataset", "mnist", "--out", str(tmp_path)]
    assert cli.main(["measure", "plateau-steps", *options]) == 0
    assert "exact, decoder q" in capsys.readouterr().out and (tmp_path / "plateau-steps.png").exists()
    written = records.read_source(tmp_path)
    assert [(record.label, record.seed) for record in written] == [
        (cell.label, seed) for cell in cells for seed in (0, 1)]
    assert all([row["step"] for row in record.rows] == [0, 3] for record in written)
    for name in ("seeds", "steps"):
        with pytest.raises(InputError, match=f"--{name} must be at least 1 and"):
            plateau_steps.run(tmp_path, **{name: 0})
