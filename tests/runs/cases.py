"""Runs of both kinds in which every setting differs from its default somewhere, and the distance of each run from the
reference implementation in by_hand.py.
"""
from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np

from refimpl.runs import kind_of
from refimpl.runs.loop import train_epoch
from refimpl.runs.settings import RunSettings
from refimpl.runs.vae import VAESettings
from tests.runs import by_hand
from tests.settings import mixture, vae

SMALL = dict(hidden=7, limit=70, batch=30, lr=2e-3, seed=3)             # batches of 30, 30 and 10
TRAIN = {
    "direct": vae(eps=0.3, k=6, dataset="fashion-mnist", **SMALL),
    "direct without the KL gradient": vae(eps=0.3, k=6, kl_grad=False, **SMALL),
    "a weight of the KL term": vae(eps=0.3, k=6, kl_weight=0.2, **SMALL),
    "momentum": vae(eps=0.3, k=6, optimiser="momentum", **SMALL),
    "direct as released": vae(as_released=True, n=3, k=3, **SMALL),
    "two-sided as released": vae(as_released=True, estimator="two-sided", **SMALL),
    "gumbel-softmax": vae(estimator="gumbel-softmax", tau=0.8, n=2, k=4, **SMALL),
    "schedule alone": vae(estimator="reinmax", schedule="released", k=5, **SMALL),
    "exact": vae(estimator="exact", n=2, k=3, **SMALL),
    "reinforce": vae(estimator="reinforce", n=4, k=2, **SMALL),
    "rebar, batch mean": vae(estimator="rebar", tau=0.7, batch_mean=True, n=4, k=2, **SMALL),
    "relax": vae(estimator="relax", tau=0.7, n=4, k=2, **SMALL),
    "decoder from q": vae(learn_from="q", n=3, k=2, **SMALL),
    "decoder from z*": vae(estimator="exact", learn_from="z_star", n=2, k=3, **SMALL),
    "pairwise, another start": vae(n=4, k=2, family="pairwise", solver="persistency", pair_start=-1.0,
                                           **SMALL),
    "pairwise, absolute value": vae(n=4, k=2, family="pairwise", solver="persistency", absolute=True, **SMALL),
    "pairwise": vae(eps=0.4, n=4, k=2, family="pairwise", solver="persistency", **SMALL),
    "pairwise, any sign": vae(n=4, k=2, family="pairwise", solver="enumeration", non_negative=False,
                                      **SMALL),
    "pairwise, any sign, another start": vae(n=4, k=2, family="pairwise", solver="enumeration", non_negative=False,
                                             pair_start=0.05, **SMALL),
    "pairwise, coordinate": vae(n=4, k=2, family="pairwise", solver="coordinate", **SMALL),
}
FEW = dict(limit=120, batch=50, lr=2e-3, seed=3, labels=20, pretrain=2, gaussian=4)
SEMI = {
    "direct": mixture(eps=0.3, label_weight=3.0, image_weight=0.7, label_batch=7, shift=2, beta=4.0,
                              beta_epochs=2,
                              **FEW),
    "released term": mixture(labelled_term="released", label_eps=0.5, label_batch=7, kl_grad=False, beta=9.0,
                                     beta_epochs=1, dataset="fashion-mnist", **FEW),
    "direct loss": mixture(estimator="gumbel-softmax", tau=0.8, labelled_term="direct-loss", label_eps=0.7,
                                   label_weight=0.0, image_weight=0.5, beta_epochs=0, **FEW),
    "as released": mixture(as_released=True, **FEW),
    "no labels": mixture(**{**FEW, "labels": 0}, beta=3.0),
    "more labels than a batch": mixture(**{**FEW, "limit": 300, "labels": 120, "batch": 100}),
    "rebar": mixture(estimator="rebar", tau=0.8, batch_mean=True, image_weight=0.0, label_weight=2.0, **FEW),
    "schedule alone": mixture(estimator="straight-through-gumbel-softmax", schedule="released", **FEW),
    "reinforce": mixture(estimator="reinforce", **FEW),
    "attributes": mixture(dataset="faces", **{**FEW, "labels": 19}),
    "attributes, rebar": mixture(dataset="faces", estimator="rebar", **FEW),
    "attributes without labels": mixture(dataset="faces", estimator="exact", **{**FEW, "labels": 0}),
}
CASES = {**{f"train, {name}": settings for name, settings in TRAIN.items()},
         **{f"semi-supervised, {name}": settings for name, settings in SEMI.items()}}


def trained(settings: RunSettings, epochs: int):
    """Train the run without writing files."""
    from refimpl import data

    dataset = data.load(settings.dataset, None, settings.limit)
    run = kind_of(settings).start(settings)
    run.attach(dataset)
    for epoch in range(run.FIRST_EPOCH, epochs + 1):
        train_epoch(run, dataset.train, epoch=epoch)
    return run


class Truth(NamedTuple):
    """The final state of the reference run, and how far its weights have moved."""

    values: np.ndarray
    M: np.ndarray
    V: np.ndarray
    steps: int
    moved: float


@functools.cache
def truth(settings: RunSettings, epochs: int) -> Truth:
    """Return the reference run, computed once: tests that plant an error call this before, so that it is correct."""
    model, adam = (by_hand.vae if isinstance(settings, VAESettings) else by_hand.mixture)(settings, epochs)
    start = kind_of(settings).start(settings).model.parameters.values
    return Truth(model.parameters.values, adam.M, adam.V, adam.t, np.abs(model.parameters.values - start).max())


def distance(settings: RunSettings, epochs: int = 2) -> float:
    """Return the distance of the run's weights and moments from the reference, relative to how far weights moved."""
    settings = settings.resolved()
    run, expected = trained(settings, epochs), truth(settings, epochs)
    assert run.adam.t == expected.steps
    off = [np.abs(one - other).max() for one, other in ((run.model.parameters.values, expected.values),
                                                        (run.adam.M, expected.M), (run.adam.V, expected.V))]
    return float(max(off) / expected.moved)
