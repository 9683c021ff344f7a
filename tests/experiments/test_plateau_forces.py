"""Push and pull on the losing values: every measurement against a plain loop, with and without the KL gradient."""
from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from refimpl import cli, data
from refimpl.arguments import Options
from refimpl.experiments import records
from refimpl.experiments.measuring import plateau_forces, plateau_steps
from refimpl.experiments.training import runs_by_slide
from refimpl.experiments.training.cells import Cell
from refimpl.runs.vae import VAERun
from tests.settings import vae


@pytest.mark.parametrize("kl_grad", [True, False])
@pytest.mark.parametrize("estimator, eps", [("exact", None), ("capped", 0.05)])
def test_look_equals_plain_loops(estimator, eps, kl_grad):
    own = Options({} if eps is None else {"eps": eps})
    run = VAERun.start(vae(estimator=estimator, k=3, hidden=5, limit=400, kl_grad=kl_grad,
                           hyperparameters=own).resolved())
    run.model.parameters.values *= 8                                        # so that the scores differ more
    x = data.load("mnist", limit=20).test.images(slice(0, 20), np.float32)
    measured = plateau_forces.look(run, x, 7)
    h, f = (scores.reshape(20, 3) for scores in run.model.score_all(x))
    lead_f, lead_h, push, pull = [], [], [], []
    for h_b, f_b in zip(h, f):
        log_q = h_b - math.log(sum(math.exp(each) for each in h_b))
        q, w = np.exp(log_q), int(np.argmax(h_b))
        d = f_b - f_b[w]
        if eps is not None:                                                 # the cap: no value is below -1/eps
            d = np.where(d < 0, np.expm1(eps * np.minimum(d, 0)) / eps, d)
        for i in {0, 1, 2} - {w}:
            lead_f.append(f_b[w] - f_b[i])
            lead_h.append(h_b[w] - h_b[i])
            push.append(d[i] - sum(q * d))
            pull.append(-(log_q[i] - sum(q * log_q)) if kl_grad else 0)
    assert measured["lead_f"] == pytest.approx(np.mean(lead_f), rel=1e-5)
    assert measured["lead_h"] == pytest.approx(np.mean(lead_h), rel=1e-5)
    assert measured["pull"] == pytest.approx(np.mean(pull), rel=1e-5)
    assert measured["push"] == pytest.approx(np.mean(push), rel=1e-4)


def test_command_writes_the_rows_of_every_label_and_a_picture(tmp_path, monkeypatch, capsys):
    cells = [Cell(cell.label, replace(cell.settings, k=3, hidden=5))
             for cell in runs_by_slide.plateau_exits("mnist", 0)]
    monkeypatch.setattr(runs_by_slide, "plateau_exits", lambda dataset, seed: [
        Cell(cell.label, replace(cell.settings, dataset=dataset, seed=seed)) for cell in cells])
    monkeypatch.setattr(plateau_steps, "IMAGES", 50)
    assert cli.main(["measure", "plateau-forces", "--seeds", "2", "--steps", "3", "--out", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert all(label in out for label in plateau_forces.LABELS) and (tmp_path / "plateau-forces.png").exists()
    written = records.read_source(tmp_path)
    assert [(record.label, record.seed) for record in written] == [
        (label, seed) for label in sorted(plateau_forces.LABELS) for seed in (0, 1)]
