"""Read MNIST and Fashion-MNIST from the two files that data/pack.py packed, and check the sha256 of their content."""
from __future__ import annotations

import functools
import os
from pathlib import Path
from typing import NamedTuple

import numpy as np

from refimpl.arguments import InputError
from refimpl.data.base import PIXELS, Part, content_digest
from refimpl.system.files import file_stamp, read_arrays

FOLDER = Path(__file__).resolve().parent.parent.parent / "data"
ADVICE = "restore it from the repository, or make it again with data/pack.py"
MISSING = f"is missing; {ADVICE}"
DAMAGED = f"is damaged or not a data file of this package; {ADVICE}"
CUTS = (slice(0, 50_000), slice(50_000, 60_000), slice(60_000, 70_000))     # training, validation, test


class Shipped(NamedTuple):
    """Reads a data set from the user's folder, or from data/ if the user's folder does not contain `file`.

    `sha256` is the expected content_digest of the images and labels.
    """

    name: str
    file: str
    sha256: str

    def __call__(self, folder: Path | None) -> tuple[Part, Part, Part]:
        path = FOLDER / self.file
        if folder is not None and os.path.lexists(folder / self.file):      # also for a broken link, which is an error
            path = folder / self.file
        stamp = file_stamp(path, MISSING)
        images, labels = _content(self, Path(os.path.realpath(path)), stamp)
        train, valid, test = (Part(images[cut], labels[cut]) for cut in CUTS)
        return train, valid, test


@functools.lru_cache(maxsize=2)
def _content(kind: Shipped, path: Path, stamp: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Read and check a file, and return the packed images and the labels as read-only arrays.

    Reading a file takes about 0.1 s.  So the contents of the two files that were used last, 7 MB each, stay in
    memory.  If a file changes, `stamp` changes too, and the file is read again.
    """
    arrays = read_arrays(path, missing=MISSING, damaged=DAMAGED)
    if not {"images", "labels"} <= set(arrays):
        raise InputError(f"{path} {DAMAGED}")
    images, labels = arrays["images"], arrays["labels"]
    for key, array, shape in (("images", images, (70_000, PIXELS // 8)), ("labels", labels, (70_000,))):
        if array.shape != shape or array.dtype != np.uint8:
            raise InputError(f"{path}: {key} must be uint8 of shape {shape}, got {array.dtype} {array.shape}; {ADVICE}")
    if content_digest(images, labels) != kind.sha256:
        raise InputError(f"{path}: the sha256 of its content is not that of {kind.name}; {ADVICE}")
    images.setflags(write=False)
    labels.setflags(write=False)
    return images, labels


mnist = Shipped("mnist", "mnist.npz", "1ed78d835d8742ca662bfbc21257950328b445cb5d9c03e9dad5d0861200e72e")
fashion_mnist = Shipped("fashion-mnist", "fashion_mnist.npz",
                        "f58ad7bbbe6c702a1adc55d081461d15631795afb498c509988ab117707be1db")
