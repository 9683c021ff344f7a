"""What the benchmark counts; its times are for people, not for tests."""
from __future__ import annotations

import numpy as np
import pytest

from refimpl import data
from refimpl.experiments import benchmark
from refimpl.runs.mixture import MixtureSettings
from refimpl.runs.vae import VAESettings


@pytest.fixture
def counted(monkeypatch):
    """A list that gets the multiplications of every matrix product made by np.matmul from now on."""
    made, right = [], np.matmul

    def matmul(left, factor, out=None):
        if left.ndim == 2:                              # the batched ones are no products of matrices
            made.append(left.shape[0] * left.shape[1] * factor.shape[1])
        return right(left, factor) if out is None else right(left, factor, out=out)

    monkeypatch.setattr(np, "matmul", matmul)
    return made


@pytest.mark.parametrize("case", benchmark.MIXTURE, ids=lambda case: case["estimator"])
def test_the_listed_products_are_those_of_a_mixture_step(counted, case):
    settings = MixtureSettings(batch=20, label_batch=10, **case).resolved()
    step = benchmark.step_function(data.load("mnist", limit=2_000), settings)
    counted.clear()
    step()
    listed = sum(m * n * p for m, n, p in benchmark.mixture_shapes(settings))
    if case["estimator"] != "gumbel-softmax":
        counted.append(20 * 784 * 400)                  # W x, written with @ in models/outputs.py
    if case["estimator"] == "exact":
        counted.append(2 * 20 * 30 * 2000)              # the first layer's backward pass, in models/mixture_objective.py
    assert sum(counted) == listed


@pytest.mark.parametrize("case", benchmark.CASES, ids=lambda case: "-".join(map(str, case.values())))
def test_the_listed_products_are_those_of_a_step(counted, case):
    """Count the multiplications of all matrix products in the networks during one step."""
    settings = VAESettings(batch=20, **case).resolved()
    step = benchmark.step_function(data.load("mnist", limit=200), settings)
    step()
    step()                                              # reinforce's first step makes one more pass, for its baseline
    counted.clear()
    step()
    listed = sum(m * n * p for m, n, p in benchmark.product_shapes(settings))
    if settings.n == 1 and settings.estimator in ("exact", "direct"):
        counted.append(2 * 20 * 784 * settings.k)       # x . logits and its transpose, written with @ in nn/losses.py
    elif benchmark.ASKED[settings.estimator][2]:
        counted.append(20 * 784 * 300)                  # W2 x, written with @ in models/outputs.py
    assert sum(counted) == listed
