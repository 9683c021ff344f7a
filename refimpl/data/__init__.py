"""Load a data set by its name.  Every data set has binary images in three parts.  data/README.md names the sources."""
from __future__ import annotations

import os
from pathlib import Path

from refimpl.arguments import InputError, unknown
from refimpl.data import faces, mnist, omniglot, own_images
from refimpl.data.base import PIXELS, SHAPE, Dataset, Entry, Part, Reader
from refimpl.data.mnist import FOLDER as SHIPPED

__all__ = ["NAMES", "PIXELS", "REGISTRY", "SHAPE", "SHIPPED", "Dataset", "Entry", "Part", "Reader", "get",
           "load", "own"]

REGISTRY: dict[str, Entry] = {entry.name: entry for entry in (
    Entry("mnist", mnist.mnist, 10, "handwritten digits, shipped"),
    Entry("fashion-mnist", mnist.fashion_mnist, 10, "pictures of clothing, shipped"),
    Entry("omniglot", omniglot.read, None, "handwritten characters of many alphabets, from files of your own"),
    Entry("faces", faces.read, 2 ** len(faces.ATTRIBUTES), "faces drawn from three attributes and nine nuisances",
          attributes=faces.ATTRIBUTES),
)}
NAMES = tuple(REGISTRY)


def get(name: str) -> Entry:
    """Return the entry of a data set.  `name` is one of NAMES, or FILE.npz with your own images.

    Raises InputError if there is no such data set, or if the file cannot be used.
    """
    if name in REGISTRY:
        return REGISTRY[name]
    if name.endswith(own_images.SUFFIX):
        return own_images.entry(name)
    raise InputError(unknown("data set", name, REGISTRY) + f", and FILE{own_images.SUFFIX} of your own")


def load(name: str, data_dir: str | os.PathLike | None = None, limit: int | None = None,
         sha256: str | None = None) -> Dataset:
    """Return the images and labels of a data set.

    name      one of NAMES, or FILE.npz with your own images (see own_images.py).  mnist, fashion-mnist and faces have
              50,000 images for training, 10,000 for validation and 10,000 for testing.  For mnist and fashion-mnist,
              the validation part consists of the last 10,000 of the original 60,000 training images.
    data_dir  the folder to search before the shipped folder data/.  The default is the environment variable
              REFIMPL_DATA_DIR, if it is set.
    limit     the largest number of images to keep in each part.  By default, all images are kept.
    sha256    if given, the sha256 that FILE.npz must have

    Raises InputError if the name is unknown, if limit < 1, or if a file is missing, damaged or not the right file.
    """
    data_dir = data_dir or os.environ.get("REFIMPL_DATA_DIR") or None
    folder = Path(data_dir) if data_dir else None
    if limit is not None and limit < 1:
        raise InputError(f"limit must be at least 1 image, got {limit}")
    if folder is not None:
        if not os.path.isdir(folder):
            raise InputError(f"--data-dir (or REFIMPL_DATA_DIR) {folder} is not a folder")
        if not os.access(folder, os.R_OK | os.X_OK):        # otherwise its files would seem to be missing
            raise InputError(f"--data-dir (or REFIMPL_DATA_DIR) {folder} cannot be read: Permission denied")
    entry = get(name)
    if sha256 != entry.sha256 and sha256 is not None:
        raise InputError(f"{name} holds other images than when this run was started: its sha256 began with "
                         f"{sha256[:12]} then, and begins with {(entry.sha256 or 'nothing')[:12]} now")
    parts = entry.read(folder)
    if limit is not None:
        parts = tuple(part.first(limit) for part in parts)
    for part in parts:
        if part.shape != entry.shape:
            raise InputError(f"{name} has images of {part.shape[0]} x {part.shape[1]} pixels, but its entry says "
                             f"{entry.shape[0]} x {entry.shape[1]}")
    return Dataset(entry.name, *parts)
