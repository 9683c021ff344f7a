"""Train and load the small runs that the tutorials use, so that readers need not wait for training.

    python -m refimpl make tutorial-runs --write [NAME ...]

This command trains the runs with the given names, or all runs if no name is given.  All runs together take about ten
minutes.  Each file tutorials/runs/NAME.npz contains the settings and the metrics of a run.  For some runs it also
contains the weights.  The same seed on the same machine gives the same numbers, except for the training times.
"""
from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from refimpl.arguments import InputError, Options, unknown
from refimpl.runs import checkpoint, kind_of, loop
from refimpl.runs.mixture import MixtureSettings
from refimpl.runs.protocol import Row, Run
from refimpl.runs.settings import RunSettings
from refimpl.runs.vae import VAESettings
from refimpl.system.files import output_folder, read_arrays, write_whole

FOLDER = Path(__file__).resolve().parents[3] / "tutorials" / "runs"


class Plan(NamedTuple):
    """Describes a run and the chapter that loads it.  If `weights` is True, the run's file contains the weights."""

    chapter: int
    settings: RunSettings
    epochs: int
    weights: bool = False


class Loaded(NamedTuple):
    """A run and its metrics.  `run` is None if the run's file does not contain the weights."""

    settings: RunSettings
    rows: list[Row]
    run: Run | None


SMALL = dict(hidden=40)
BINARY = dict(n=8, k=2, hidden=100)
PAIRWISE = dict(dataset="fashion-mnist", family="pairwise", **BINARY)
PLANS: dict[str, Plan] = {
    "eps-1-kl": Plan(4, VAESettings(hyperparameters=Options(eps=1.0), **SMALL), 8, True),
    "eps-0.1-kl": Plan(4, VAESettings(hyperparameters=Options(eps=0.1), **SMALL), 8, True),
    "eps-1-no-kl": Plan(4, VAESettings(hyperparameters=Options(eps=1.0), kl_grad=False, **SMALL), 8, True),
    "single-direct": Plan(6, VAESettings(), 10),
    "single-direct-as-released": Plan(6, VAESettings(as_released=True), 10),
    "single-exact": Plan(6, VAESettings(estimator="exact"), 10),
    "single-gumbel-softmax": Plan(6, VAESettings(estimator="gumbel-softmax"), 10),
    **{f"binary-{name}": Plan(7, VAESettings(estimator=name, **BINARY), 8)
       for name in ("exact", "direct", "local-expectation", "rebar", "relax", "arm", "disarm", "reinforce-loo")},
    "structured-none": Plan(8, VAESettings(dataset="fashion-mnist", kl_grad=False, **BINARY), 8),
    "structured-non-negative": Plan(8, VAESettings(family_options=Options(solver="persistency"), **PAIRWISE), 8),
    "structured-any-sign": Plan(8, VAESettings(family_options=Options(solver="enumeration", non_negative=False),
                                                **PAIRWISE), 8),
    **{f"labels-{labels}": Plan(9, MixtureSettings(labels=labels, limit=10_000, beta_epochs=10), 15)
       for labels in (0, 50, 100)},
}


def described(name: str, folder: Path = FOLDER) -> str:
    _known(name)
    return f"{folder / name}.npz: chapter {PLANS[name].chapter}, {PLANS[name].epochs} epochs"


def make(names: Sequence[str] = (), folder: Path = FOLDER, report: Callable[[str], None] = print) -> None:
    for name in names:
        _known(name)
    output_folder(folder)
    for name in names or PLANS:
        plan = PLANS[name]
        with tempfile.TemporaryDirectory() as scratch:
            rows = loop.train(plan.settings, plan.epochs, Path(scratch) / "run")
            content = {"settings": json.dumps(plan.settings.resolved().as_dict()), "columns": np.array(list(rows[0])),
                       "history": np.array([list(row.values()) for row in rows])}
            if plan.weights:
                with np.load(Path(scratch) / "run" / checkpoint.FILE, allow_pickle=False) as saved:
                    content["values"] = saved["values"]
        write_whole(folder / f"{name}.npz", lambda stream: np.savez_compressed(stream, **content))
        report(f"{described(name, folder)}, {rows[-1]['seconds']:.0f} s")


def load(name: str, folder: Path = FOLDER) -> Loaded:
    """Return the run `name`.  Raises InputError if the name is unknown, or if the file is missing or damaged."""
    _known(name)
    advice = f"; make it with python -m refimpl make tutorial-runs --write {name}"
    content = read_arrays(folder / f"{name}.npz", missing="is missing" + advice, damaged="is damaged" + advice)
    kind = kind_of(PLANS[name].settings)
    try:
        settings = kind.SETTINGS.from_dict(json.loads(str(content["settings"]))).resolved()
        rows = [dict(zip(content["columns"].tolist(), row)) for row in content["history"].tolist()]
        run = None
        if "values" in content:
            run = kind.create(settings, np.random.default_rng(0))
            run.model.parameters.values[...] = content["values"]
    except (KeyError, ValueError, TypeError):
        raise InputError(f"{folder / name}.npz is damaged{advice}") from None
    return Loaded(settings, rows, run)


def _known(name: str) -> None:
    if name not in PLANS:
        raise InputError(unknown("run", name, PLANS))
