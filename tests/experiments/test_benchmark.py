"""What the benchmark counts; its times are for people, not for tests."""
from __future__ import annotations

import numpy as np
import pytest

from refimpl import data
from refimpl.experiments import benchmark
from refimpl.settings import Settings


@pytest.mark.parametrize("case", benchmark.CASES, ids=lambda case: "-".join(map(str, case.values())))
def test_the_listed_products_are_those_of_a_step(monkeypatch, case):
    """Count the multiplications of all matrix products in the networks during one step."""
    settings = Settings(batch=20, **case).resolved()
    step = benchmark.step_function(data.load("mnist", limit=200), settings)
    step()
    step()                                              # reinforce's first step makes one more pass, for its baseline
    counted = 0
    right = np.matmul

    def matmul(left, factor, out=None):
        nonlocal counted
        if left.ndim == 2:                              # the batched ones are no products of matrices
            counted += left.shape[0] * left.shape[1] * factor.shape[1]
        return right(left, factor) if out is None else right(left, factor, out=out)

    monkeypatch.setattr(np, "matmul", matmul)
    step()
    listed = sum(m * n * p for m, n, p in benchmark.product_shapes(settings))
    if settings.n == 1 and settings.estimator in ("exact", "direct"):
        counted += 2 * 20 * 784 * settings.k            # x . logits and its transpose, written with @ in nn/losses.py
    elif benchmark.ASKED[settings.estimator][2]:
        counted += 20 * 784 * 300                       # W2 x, written with @ in models/coordinates.py
    assert counted == listed
