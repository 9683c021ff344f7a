"""What the benchmark counts; its times are for people, not for tests."""
from __future__ import annotations

import pytest

from refimpl import estimators
from refimpl.experiments import benchmark
from refimpl.nn import layers


@pytest.mark.parametrize("name", list(estimators.REGISTRY))
@pytest.mark.parametrize("k", [10, 50])
def test_the_listed_products_are_those_of_a_step(monkeypatch, name, k):
    """Count the multiplications of all matrix products in the layers during one step; the table's two come on top."""
    counted = 0
    right = layers.np.matmul

    def matmul(left, right_factor, out):
        nonlocal counted
        counted += left.shape[0] * left.shape[1] * right_factor.shape[1]
        return right(left, right_factor, out=out)

    from refimpl import data
    step = benchmark.step_function(data.load("mnist", limit=200), name, k, 100)
    monkeypatch.setattr(layers.np, "matmul", matmul)
    step()
    listed = sum(m * n * p for m, n, p in benchmark.product_shapes(name, k, 100))
    if name in ("exact", "direct"):
        # listed: x . logits and its transpose, which the losses make; not listed: the decoder's first layer on one-hot rows
        counted += 2 * 100 * 784 * k - 2 * k * k * 300
    assert counted == listed
