"""last_layer.scores: f of many hidden states is computed in blocks of any size, and the logits are kept on request."""
from __future__ import annotations

import numpy as np
import pytest

from refimpl.models import last_layer
from refimpl.nn.layers import Linear
from refimpl.nn.parameters import bind
from tests.asserts import assert_relative


@pytest.mark.parametrize("product, cached", [(7, 3), (6, 6), (30, 30), (29, 1), (1, 1), (2_000, 200)])
def test_scores_and_logits_do_not_depend_on_block_sizes(rng, monkeypatch, product, cached):
    monkeypatch.setattr(last_layer, "PRODUCT", product)
    monkeypatch.setattr(last_layer, "CACHED", cached)
    last = Linear(4, 9)
    bind([last], np.float64)
    last.initialise(rng)
    last.W_over_b *= 3
    x = (rng.random((6, 9)) < 0.4).astype(float)
    hidden = np.concatenate([rng.normal(size=(6, 5, 4)), np.ones((6, 5, 1))], axis=2)           # 30 states
    logits = hidden[..., :4] @ last.W + last.b
    truth = np.einsum("bd,bmd->bm", x, logits) - np.logaddexp(0, logits).sum(axis=2)
    kept, keep = (x.copy(), hidden.copy()), np.full((30, 9), np.nan)
    assert_relative(last_layer.scores(last, hidden, x, keep), truth, 1e-12)
    assert_relative(keep.reshape(logits.shape), logits, 1e-11)
    assert_relative(last_layer.scores(last, hidden, x), truth, 1e-12)
    assert (x == kept[0]).all() and (hidden == kept[1]).all()
