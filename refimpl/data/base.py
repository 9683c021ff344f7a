"""What a data set is here: three parts of binary images of one size, and what a reader of one must do."""
from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np

SHAPE = (28, 28)
PIXELS = 784


@dataclass(frozen=True)
class Part:
    """Images of `shape`, (height, width), packed: (N, bytes) uint8, eight pixels a byte, row by row, each image's last
    byte filled up with zeros; labels (N,) uint8 or None where the data set has none."""

    packed: np.ndarray
    labels: np.ndarray | None
    shape: tuple[int, int] = SHAPE

    def __len__(self) -> int:
        return len(self.packed)

    def images(self, rows: np.ndarray | slice = slice(None), dtype: np.dtype = np.float32) -> np.ndarray:
        """These rows as (rows, height width) of 0.0 and 1.0."""
        return np.unpackbits(self.packed[rows], axis=1, count=math.prod(self.shape)).astype(dtype)

    def blocks(self, size: int, dtype: np.dtype = np.float32) -> Iterator[np.ndarray]:
        """All images in order, at most `size` at a time, (rows, height width): 50,000 of 28 x 28 would take 157 MB as
        float32.

        Raises ValueError, at the call, if `size` is below 1.
        """
        if size < 1:
            raise ValueError(f"size must be at least 1 image, got {size}")
        return (self.images(slice(start, start + size), dtype) for start in range(0, len(self), size))

    def first(self, limit: int) -> Part:
        """The first `limit` images, or all if there are fewer; a view, not a copy."""
        return Part(self.packed[:limit], None if self.labels is None else self.labels[:limit], self.shape)


class Dataset(NamedTuple):
    """Three parts that share no image; all images are of one shape."""

    name: str
    train: Part
    valid: Part
    test: Part

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width) of an image."""
        return self.train.shape


class Reader(Protocol):
    """Reads one data set and checks it."""

    def __call__(self, folder: Path | None) -> tuple[Part, Part, Part]:
        """Parts for training, validation and test, which share no image.

        folder  the one that the user named, which exists; None if there is none

        Raises InputError, one line, if a file is missing, damaged or not what it should be.
        """


class Entry(NamedTuple):
    """What is known of a data set without its images: a line of the registry.

    classes     how many the labels tell apart, or None where there are no labels
    shape       (height, width) of every image
    attributes  names of two-valued attributes whose values are the digits of the label as a binary number, the first
                the slowest, as in joint.values; () where a label is no such number
    sha256      of a file of one's own; None where the name says which images are meant
    note        what whoever uses the data should know, a line; mostly empty
    """

    name: str
    read: Reader
    classes: int | None
    summary: str
    shape: tuple[int, int] = SHAPE
    attributes: tuple[str, ...] = ()
    sha256: str | None = None
    note: str = ""


def content_digest(images: np.ndarray, labels: np.ndarray) -> str:
    """The sha256 of the images' bytes followed by the labels' bytes."""
    digest = hashlib.sha256(np.ascontiguousarray(images))
    digest.update(np.ascontiguousarray(labels))
    return digest.hexdigest()
