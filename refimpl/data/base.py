"""The types of a data set, which has three parts with binary images of one size, and the interface of its reader."""
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
    """Holds N images of `shape`, (height, width), and their labels, (N,) uint8, or None if there are no labels.

    The images are packed row by row into (N, bytes) uint8, with eight pixels per byte and zeros at the end."""

    packed: np.ndarray
    labels: np.ndarray | None
    shape: tuple[int, int] = SHAPE

    def __len__(self) -> int:
        return len(self.packed)

    def images(self, rows: np.ndarray | slice = slice(None), dtype: np.dtype = np.float32) -> np.ndarray:
        """Return these images as rows of 0.0 and 1.0, (rows, height x width)."""
        return np.unpackbits(self.packed[rows], axis=1, count=math.prod(self.shape)).astype(dtype)

    def blocks(self, size: int, dtype: np.dtype = np.float32) -> Iterator[np.ndarray]:
        """Yield all images in order, at most `size` at a time, (rows, height x width), to save memory.

        Raises ValueError, at the call, if `size` is below 1.
        """
        if size < 1:
            raise ValueError(f"size must be at least 1 image, got {size}")
        return (self.images(slice(start, start + size), dtype) for start in range(0, len(self), size))

    def first(self, limit: int) -> Part:
        """Return the first `limit` images, or all if there are fewer, as a view."""
        return Part(self.packed[:limit], None if self.labels is None else self.labels[:limit], self.shape)


class Dataset(NamedTuple):
    """Holds three parts that share no image; all images have the same shape."""

    name: str
    train: Part
    valid: Part
    test: Part

    @property
    def shape(self) -> tuple[int, int]:
        """Return the (height, width) of an image."""
        return self.train.shape


class Reader(Protocol):
    """Reads one data set and checks it."""

    def __call__(self, folder: Path | None) -> tuple[Part, Part, Part]:
        """Return the parts for training, validation and test, which share no image.

        folder is the user's data folder, which exists, or None.  Raises InputError if a file is missing, damaged or of
        another kind.
        """


class Entry(NamedTuple):
    """An entry of the registry: what is known of a data set without its images.

    classes     number of classes of the labels, or None if there are no labels
    shape       (height, width) of every image
    attributes  names of attributes with two values, which are the digits of the label as a binary number, as in
                joint.values; () if the labels are classes
    sha256      of a user's file; None for the other data sets
    note        one line that the user should read; usually empty
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
    """Return the sha256 of the images' bytes followed by the labels' bytes."""
    digest = hashlib.sha256(np.ascontiguousarray(images))
    digest.update(np.ascontiguousarray(labels))
    return digest.hexdigest()
