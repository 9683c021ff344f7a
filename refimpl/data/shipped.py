"""MNIST and Fashion-MNIST, as data/pack.py packs them: one file each, known by the sha256 of its content."""
from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import NamedTuple

import numpy as np

from refimpl.checks import InputError
from refimpl.data.base import PIXELS, Part
from refimpl.system.files import read_arrays

FOLDER = Path(__file__).resolve().parent.parent.parent / "data"
ADVICE = "restore it from the repository, or make it anew with data/pack.py"
DAMAGED = f"is damaged or not a data file of this package; {ADVICE}"
CUTS = (slice(0, 50_000), slice(50_000, 60_000), slice(60_000, 70_000))     # training, validation, test


class Shipped(NamedTuple):
    """A reader of one such file, in the folder that the user named or else in data/.

    sha256 is that of the images' bytes followed by the labels' bytes: of the content, whatever zlib made of it.
    """

    name: str
    file: str
    sha256: str

    def __call__(self, folder: Path | None) -> tuple[Part, Part, Part]:
        path = FOLDER / self.file
        if folder is not None and os.path.lexists(folder / self.file):      # a link to nowhere is no reason to look on
            path = folder / self.file
        images, labels = self._content(path)
        train, valid, test = (Part(images[cut], labels[cut]) for cut in CUTS)
        return train, valid, test

    def _content(self, path: Path) -> tuple[np.ndarray, np.ndarray]:
        arrays = read_arrays(path, missing=f"is missing; {ADVICE}", damaged=DAMAGED)
        if not {"images", "labels"} <= set(arrays):
            raise InputError(f"{path} {DAMAGED}")
        images, labels = arrays["images"], arrays["labels"]
        for key, array, shape in (("images", images, (70_000, PIXELS // 8)), ("labels", labels, (70_000,))):
            if array.shape != shape or array.dtype != np.uint8:
                raise InputError(f"{path}: {key} must be uint8 of shape {shape}, got {array.dtype} {array.shape}; "
                                 f"{ADVICE}")
        if hashlib.sha256(images.tobytes() + labels.tobytes()).hexdigest() != self.sha256:
            raise InputError(f"{path}: the sha256 of its content is not that of {self.name}; {ADVICE}")
        return images, labels


mnist = Shipped("mnist", "mnist.npz", "1ed78d835d8742ca662bfbc21257950328b445cb5d9c03e9dad5d0861200e72e")
fashion_mnist = Shipped("fashion-mnist", "fashion_mnist.npz",
                        "f58ad7bbbe6c702a1adc55d081461d15631795afb498c509988ab117707be1db")
