"""A replacement for data.Part: a few images with any number of pixels."""
from __future__ import annotations

from collections.abc import Iterator

import numpy as np


class Images:
    """Images (N, pixels) of 0.0 and 1.0."""

    def __init__(self, x: np.ndarray) -> None:
        self.x = x

    def __len__(self) -> int:
        return len(self.x)

    def blocks(self, size: int, dtype: np.dtype) -> Iterator[np.ndarray]:
        return (self.x[start:start + size].astype(dtype) for start in range(0, len(self.x), size))
