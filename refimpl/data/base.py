"""Define the classes that describe a data set.  All images of a data set are binary and have the same size."""
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
    """Holds N images and their labels.

    packed  the images, uint8 of shape (N, bytes).  Each image is stored row by row, with eight pixels per byte.
            In the last byte of an image, unused bits are 0.
    labels  uint8 of shape (N,), or None if there are no labels
    shape   (height, width) of every image
    """

    packed: np.ndarray
    labels: np.ndarray | None
    shape: tuple[int, int] = SHAPE

    def __len__(self) -> int:
        return len(self.packed)

    def images(self, rows: np.ndarray | slice = slice(None), dtype: np.dtype = np.float32) -> np.ndarray:
        """Return an array of shape (images, height x width): images whose pixels are 0.0 or 1.0.

        `rows` selects the images by their indices.  By default, all images are returned.
        """
        return np.unpackbits(self.packed[rows], axis=1, count=math.prod(self.shape)).astype(dtype)

    def blocks(self, size: int, dtype: np.dtype = np.float32) -> Iterator[np.ndarray]:
        """Yield all images in order, in blocks of shape (size, height x width).  The last block may be smaller.

        If size < 1, the call itself raises ValueError, before the first block is requested.
        """
        if size < 1:
            raise ValueError(f"size must be at least 1 image, got {size}")
        return (self.images(slice(start, start + size), dtype) for start in range(0, len(self), size))

    def first(self, limit: int) -> Part:
        """Return a Part with the first `limit` images, or with all images if there are fewer.  Nothing is copied."""
        return Part(self.packed[:limit], None if self.labels is None else self.labels[:limit], self.shape)


class Dataset(NamedTuple):
    """The name and the parts of a data set.  Each image is in one part only, and all images have the same shape."""

    name: str
    train: Part
    valid: Part
    test: Part

    @property
    def shape(self) -> tuple[int, int]:
        """Return the (height, width) of an image."""
        return self.train.shape


class Reader(Protocol):
    """The type of a function that reads one data set and checks it."""

    def __call__(self, folder: Path | None) -> tuple[Part, Part, Part]:
        """Return the parts for training, validation and test.  No image is in two parts.

        `folder` is None or an existing folder with the user's data.  Raises InputError if a file is missing, damaged or
        not the right file.
        """


class Entry(NamedTuple):
    """Describes a data set, without its images.

    read        the function that reads the images
    classes     number of different labels, or None if there are no labels
    summary     a short description of the images
    shape       (height, width) of every image
    attributes  names of the attributes that an image may have, or () if the labels are plain classes.  A label, written
                as a binary number, has one digit per attribute, in the order of `attributes`.
    sha256      the sha256 of a user's file; None for the other data sets
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
    """Return the sha256 of all bytes: first the bytes of `images`, then the bytes of `labels`."""
    digest = hashlib.sha256(np.ascontiguousarray(images))
    digest.update(np.ascontiguousarray(labels))
    return digest.hexdigest()
