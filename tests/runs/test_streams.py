"""Streams of random numbers: they are all different, and they have the seeds behind the committed rows."""
from __future__ import annotations

import numpy as np
import pytest

from refimpl.runs import streams


def first(rng: np.random.Generator) -> int:
    return int(rng.integers(2**63))


@pytest.mark.parametrize("classes", [2, 8, 10])
def test_streams_of_random_numbers_are_all_different(classes):
    values = [first(stream) for seed in range(5) for stream in (
        streams.training(seed), streams.labelled_images(seed, classes),
        *(streams.measuring(seed, epoch, classes) for epoch in range(1, 50)))]
    assert len(set(values)) == len(values)


def test_streams_have_the_seeds_behind_the_committed_rows():
    for stream, entropy in ((streams.training(3), 3), (streams.labelled_images(3, 10), [3, 10]),
                            (streams.measuring(3, 9, 10), [3, 9]), (streams.measuring(3, 10), [3, 10]),
                            (streams.switch_test(3), [3, 5]), (streams.samples(3), 3)):
        assert first(stream) == first(np.random.default_rng(entropy))
