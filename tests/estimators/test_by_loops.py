"""Every estimator agrees with a reference in plain loops (loops.py) to 1e-12 if both use the same noise."""
from __future__ import annotations

import numpy as np
import pytest

from refimpl import estimators
from refimpl.estimators import binary, relax
from refimpl.latent import solvers
from refimpl.latent.pairwise import Pairwise
from tests.estimators.loops import REFERENCES_WITH_PAIRS, REFERENCES, worst_difference, worst_difference_with_pairs

LIMIT = 1e-12               # numbers of size 1 to 100, in double precision


@pytest.fixture(autouse=True)
def small_network(monkeypatch):
    """Give the network of RELAX three hidden units, because the loops differentiate it one number at a time."""
    assert (relax.HIDDEN, relax.LR) == (32, 1e-3)
    monkeypatch.setattr(relax, "HIDDEN", 3)


def test_every_estimator_has_a_reference_in_plain_loops():
    assert set(REFERENCES) == set(estimators.REGISTRY)
    pairs = Pairwise(3, solvers.get("enumeration"), False)
    assert set(REFERENCES_WITH_PAIRS) == {name for name, entry in estimators.REGISTRY.items() if entry.serves(pairs)}


SIZES = [(2, 2), (2, 3), (1, 2), (1, 4)]


@pytest.mark.parametrize("name, n, k", [(name, n, k) for name in REFERENCES for n, k in SIZES
                                        if k == 2 or estimators.get(name).serves is not binary])
def test_estimators_agree_with_plain_loops(name, n, k):
    for value in (0.35, 1.2) if (n, k) == (2, 2) else (0.35,):                     # of eps or tau
        assert worst_difference(name, n=n, k=k, value=value) < LIMIT


@pytest.mark.parametrize("value", [0.35, 1.2])
@pytest.mark.parametrize("name", list(REFERENCES_WITH_PAIRS))
def test_estimators_with_pair_scores_agree_with_plain_loops(name, value):
    assert worst_difference_with_pairs(name, value=value) < LIMIT


@pytest.mark.parametrize("batch_mean", [False, True])
@pytest.mark.parametrize("name", ["rebar", "relax"])
def test_rebar_and_relax_agree_with_plain_loops_after_earlier_batches(name, batch_mean):
    for old_memory in (False, True):
        assert worst_difference(name, k=3, old_memory=old_memory, batch_mean=batch_mean) < LIMIT


def test_reinforce_agrees_with_plain_loops_after_earlier_batches():
    assert worst_difference("reinforce", k=3, old_memory=True) < LIMIT


@pytest.mark.parametrize("name", list(REFERENCES))
def test_estimators_agree_with_plain_loops_for_single_precision_scores(name):
    """In training theta is float32.  Then some of the arithmetic is float32 too, and rounds to 1e-7."""
    assert worst_difference(name, dtype=np.float32, value=0.5) < 2e-5
