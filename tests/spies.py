"""Record the arguments of a function's calls; and read the raw images of a data set for comparison."""
from __future__ import annotations

import functools
import inspect

import numpy as np
import pytest


def spied(patch: pytest.MonkeyPatch, owner, name: str) -> list[dict]:
    """Return a list to which the arguments of every later call of owner.name are added, by name, including defaults."""
    right, calls = getattr(owner, name), []
    signature = inspect.signature(right)

    @functools.wraps(right)
    def watched(*arguments, **keywords):
        bound = signature.bind(*arguments, **keywords)
        bound.apply_defaults()
        calls.append(dict(bound.arguments))
        return right(*arguments, **keywords)

    patch.setattr(owner, name, watched)
    return calls


def raw(dataset: str, part: str, limit: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Return the images (N, 784), 0 or 1 in float32, and the labels (N,) of a part, without refimpl's reader.

    They are sliced from the shipped file; faces are drawn.
    """
    from refimpl import data
    from refimpl.data import faces

    start, stop = {"train": (0, 50_000), "valid": (50_000, 60_000), "test": (60_000, 70_000)}[part]
    stop = stop if limit is None else min(stop, start + limit)
    if dataset == "faces":
        attributes, nuisances = (array[start:stop] for array in faces.truth(stop))
        return (faces.draw(attributes, nuisances).reshape(-1, 784).astype(np.float32),
                4 * attributes[:, 0] + 2 * attributes[:, 1] + attributes[:, 2])
    images, labels = _file(data.SHIPPED / f"{dataset.replace('-', '_')}.npz")
    return np.unpackbits(images[start:stop], axis=1).astype(np.float32), labels[start:stop]


@functools.lru_cache(maxsize=2)
def _file(path) -> tuple[np.ndarray, np.ndarray]:
    with np.load(path, allow_pickle=False) as content:
        return content["images"], content["labels"]
