"""Runs agree bit for bit with the reference implementation in by_hand.py, so every setting has its effect."""
from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest

from refimpl import estimators
from refimpl.estimators import binary
from tests.runs.cases import CASES, FEW, SEMI, TRAIN, distance, trained, truth
from tests.settings import changed, mixture


@pytest.mark.parametrize("case", CASES)
def test_run_equals_its_reference_implementation(case):
    assert distance(CASES[case]) == 0


def test_every_setting_differs_from_its_default_in_some_case():
    """Otherwise the comparison with the reference could not notice that a setting has no effect."""
    for cases, without in ((TRAIN, {"exact_every"}), (SEMI, set())):
        kind = type(next(iter(cases.values())))
        for each in fields(kind):
            if each.name not in without and each.metadata["option"]:
                assert any(getattr(settings, each.name) != each.default for settings in cases.values()), each.name


@pytest.mark.parametrize("name", [name for name, entry in estimators.REGISTRY.items() if entry.serves is not binary])
def test_mixture_with_every_estimator_that_is_not_binary_equals_the_reference(name):
    assert distance(mixture(estimator=name, **FEW), 1) == 0


@pytest.mark.parametrize("change", [
    dict(eps=0.31), dict(label_weight=3.1), dict(image_weight=0.8), dict(label_batch=8), dict(shift=3), dict(beta=4.1),
    dict(beta_epochs=3), dict(kl_grad=False), dict(lr=2.1e-3), dict(seed=4), dict(pretrain=3), dict(labels=30),
    dict(labelled_term="direct-loss"), dict(batch=49), dict(gaussian=5), dict(dataset="fashion-mnist")])
def test_changing_any_setting_of_the_mixture_changes_the_run(change):
    """Otherwise the comparison with the reference could not notice a wrong value of it."""
    settings = SEMI["direct"].resolved()
    reference, run = truth(settings, 2).values, trained(changed(settings, **change), 2).model.parameters.values
    assert len(reference) != len(run) or np.abs(reference - run).max() > 1e-4
