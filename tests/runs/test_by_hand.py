"""A run comes, to the bit, to what its settings say when they are written out by hand: so every one of them arrives."""
from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest

from refimpl import estimators
from refimpl.estimators import binary
from refimpl.runs import kind_of
from refimpl.runs.loop import train_epoch
from refimpl.runs.settings import RunSettings
from refimpl.runs.vae import VAESettings
from tests.runs import by_hand
from tests.settings import changed, mixture, vae

SMALL = dict(hidden=7, limit=70, batch=30, lr=2e-3, seed=3)             # batches of 30, 30 and 10
TRAIN = {
    "direct": vae(eps=0.3, k=6, dataset="fashion-mnist", **SMALL),
    "direct without the KL gradient": vae(eps=0.3, k=6, kl_grad=False, **SMALL),
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
    "pairwise": vae(eps=0.4, n=4, k=2, family="pairwise", solver="persistency", **SMALL),
    "pairwise, any sign": vae(n=4, k=2, family="pairwise", solver="enumeration", non_negative=False,
                                      **SMALL),
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
    """The run itself, without files."""
    from refimpl import data

    dataset = data.load(settings.dataset, None, settings.limit)
    run = kind_of(settings).start(settings)
    run.attach(dataset)
    for epoch in range(run.FIRST_EPOCH, epochs + 1):
        train_epoch(run, dataset.train, epoch=epoch)
    return run


def distance(settings: RunSettings, epochs: int = 2) -> float:
    """How far the run's weights and moments are from those by hand, in units of how far the weights have moved."""
    settings = settings.resolved()
    run = trained(settings, epochs)
    expected, adam = (by_hand.vae if isinstance(settings, VAESettings) else by_hand.mixture)(settings, epochs)
    assert run.adam.t == adam.t
    start = kind_of(settings).start(settings).model.parameters.values
    moved = np.abs(expected.parameters.values - start).max()
    off = [np.abs(one - other).max() for one, other in ((run.model.parameters.values, expected.parameters.values),
                                                        (run.adam.M, adam.M), (run.adam.V, adam.V))]
    return float(max(off) / moved)


@pytest.mark.parametrize("case", CASES)
def test_a_run_is_what_its_settings_say(case):
    assert distance(CASES[case]) == 0


def test_every_setting_that_changes_a_run_is_somewhere_another_than_its_default():
    """So that one which does not arrive would be seen above."""
    for cases, without in ((TRAIN, {"exact_every"}), (SEMI, set())):
        kind = type(next(iter(cases.values())))
        for each in fields(kind):
            if each.name not in without and each.metadata["option"]:
                assert any(getattr(settings, each.name) != each.default for settings in cases.values()), each.name


@pytest.mark.parametrize("name", [name for name, entry in estimators.REGISTRY.items() if entry.serves is not binary])
def test_the_mixture_takes_every_estimator_that_is_not_binary(name):
    assert distance(mixture(estimator=name, **FEW), 1) == 0


@pytest.mark.parametrize("change", [
    dict(eps=0.31), dict(label_weight=3.1), dict(image_weight=0.8), dict(label_batch=8), dict(shift=3), dict(beta=4.1),
    dict(beta_epochs=3), dict(kl_grad=False), dict(lr=2.1e-3), dict(seed=4), dict(pretrain=3), dict(labels=30),
    dict(labelled_term="direct-loss"), dict(batch=49), dict(gaussian=5), dict(dataset="fashion-mnist")])
def test_each_setting_of_the_mixture_matters(change):
    """Another value gives another run: the comparison by hand is not blind to it."""
    settings = SEMI["direct"].resolved()
    one, other = (trained(each, 2).model.parameters.values for each in (settings, changed(settings, **change)))
    assert len(one) != len(other) or np.abs(one - other).max() > 1e-4
