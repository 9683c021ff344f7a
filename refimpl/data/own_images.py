"""Read your own images from an .npz file: `--dataset FILE.npz`.

    np.savez_compressed("own.npz", images=images, labels=labels)

images   an array of shape (N, height, width) or (N, pixels).  With shape (N, pixels), an image is shown as a square
         if possible, and otherwise as one row.  The entries are bool, integers 0 and 1, integers from 0 to 255, or
         floats in [0, 1].  If the largest integer is above 1, integers of at least 128 become 1, and all others
         become 0.  Floats of at least 1/2 become 1, and all others become 0.
labels   integers from 0 to C - 1, of shape (N,), where C is the number of classes.  Each class must occur among the
         images for training.  Labels are optional.

The order in the file determines the parts.  The last 1/7 of the images is for testing, the 1/7 before it is for
validation, and all others are for training.
"""
from __future__ import annotations

import functools
import hashlib
import math
import os
import re
from pathlib import Path
from typing import NamedTuple

import numpy as np

from refimpl.arguments import InputError
from refimpl.data.base import Entry, Part
from refimpl.system.files import arrays_in, file_stamp, read_whole

SUFFIX = ".npz"
PARTS = 7                               # number of equal parts of a file: one is for testing, one for validation
MOST_PIXELS = 65_536                    # 256 x 256
MOST_CLASSES = 256
MISSING = "is missing: --dataset names a file of images"
DAMAGED = "is damaged or not an .npz file of arrays; arrays of objects are not read, as they would have to be unpickled"


class Content(NamedTuple):
    """Holds the packed images and the labels of a file, and the fields of its Entry."""

    images: np.ndarray
    labels: np.ndarray | None
    shape: tuple[int, int]
    classes: int | None
    sha256: str
    note: str


def entry(name: str) -> Entry:
    """Return the entry of the file `name`.  Raises InputError if the file is missing, damaged, or in another format."""
    content = _read(name)
    return cached(name, content.sha256, content.shape, content.classes)._replace(note=content.note)


def cached(name: str, sha256: str, shape: tuple[int, int], classes: int | None) -> Entry:
    """Return the entry that describes a file, without reading the file.

    The last three arguments are values that were recorded when the file was read.
    """
    title = re.sub(r"[^\w. -]", "_", Path(name).stem)
    return Entry(title, lambda folder: _parts(_read(name)), classes, "images of your own", shape, sha256=sha256)


def _parts(content: Content) -> tuple[Part, Part, Part]:
    whole, held = len(content.images), len(content.images) // PARTS
    cuts = slice(0, whole - 2 * held), slice(whole - 2 * held, whole - held), slice(whole - held, whole)
    train, valid, test = (Part(content.images[cut], None if content.labels is None else content.labels[cut],
                               content.shape) for cut in cuts)
    return train, valid, test


def _read(name: str) -> Content:
    path = Path(name)
    return _content(path, Path(os.path.realpath(path)), file_stamp(path, MISSING))


@functools.lru_cache(maxsize=2)
def _content(path: Path, resolved: Path, stamp: tuple[int, ...]) -> Content:
    """Return the content of a file in read-only arrays.  The file is read again only if `stamp` has changed."""
    content = read_whole(path, MISSING)
    arrays = arrays_in(content, f"{path} {DAMAGED}")
    if "images" not in arrays:
        raise InputError(f"{path} must hold an array named images; it holds {', '.join(sorted(arrays)) or 'nothing'}")
    shape, images, note = _binary(path, arrays["images"])
    labels, classes = _labels(path, arrays.get("labels"), len(images))
    for array in (images, labels):
        if array is not None:
            array.setflags(write=False)
    return Content(images, labels, shape, classes, hashlib.sha256(content).hexdigest(), note)


def _binary(path: Path, images: np.ndarray) -> tuple[tuple[int, int], np.ndarray, str]:
    """Return (height, width), the packed images, and a note, which is empty if no pixel was rounded."""
    if images.dtype.kind not in "biuf":
        raise InputError(f"{path}: images must be bool, integers or floats, got {images.dtype}")
    if images.ndim not in (2, 3) or 0 in images.shape[1:]:
        raise InputError(f"{path}: images must be (N, height, width) or (N, pixels), got shape {images.shape}")
    if images.shape == (70_000, 98) and images.dtype == np.uint8:
        raise InputError(f"{path} holds images that are packed already, as the shipped files are: name those "
                         "by --dataset mnist or fashion-mnist")
    number, pixels = len(images), math.prod(images.shape[1:])
    if pixels > MOST_PIXELS:
        raise InputError(f"{path}: an image must have at most {MOST_PIXELS:,} pixels, got {pixels:,}")
    if number < PARTS:
        raise InputError(f"{path}: at least {PARTS} images are needed, {PARTS - 2} of them to train on, got {number}")
    side = math.isqrt(pixels)
    shape = images.shape[1:] if images.ndim == 3 else (side, side) if side * side == pixels else (1, pixels)

    least, most = images.min(), images.max()
    if images.dtype.kind == "f" and np.isnan(least):
        raise InputError(f"{path}: images must not hold NaN")
    allowed = 255 if images.dtype.kind in "iu" and most > 1 else 1
    if least < 0 or most > allowed:
        raise InputError(f"{path}: images must be floats in [0, 1], or integers that are 0 or 1, or 0 ... 255; "
                         f"got {images.dtype} from {least:g} to {most:g}")
    ink = images if images.dtype.kind == "b" else images >= allowed / 2
    if ink.all() or not ink.any():
        raise InputError(f"{path}: every pixel is {int(ink.flat[0])} after rounding at one half")
    between = int(np.count_nonzero((images > 0) & (images < allowed))) if images.dtype.kind != "b" else 0
    note = (f"{path}: {between:,} of {images.size:,} pixels ({between / images.size:.1%}) lay strictly between white "
            "and black, and were rounded at one half") if between else ""
    return shape, np.packbits(ink.reshape(number, pixels), axis=1), note


def _labels(path: Path, labels: np.ndarray | None, number: int) -> tuple[np.ndarray | None, int | None]:
    if labels is None:
        return None, None
    if labels.dtype.kind not in "iu":
        raise InputError(f"{path}: labels must be integers, got {labels.dtype}")
    if labels.shape != (number,):
        raise InputError(f"{path}: there must be one label per image, so labels must have shape ({number},), "
                         f"got {labels.shape}")
    found = np.unique(labels)
    if len(found) > MOST_CLASSES:
        raise InputError(f"{path}: labels must be of at most {MOST_CLASSES} classes, got {len(found):,}")
    if found[0] != 0 or found[-1] != len(found) - 1:
        raise InputError(f"{path}: labels must be 0 ... C - 1, each of them used, got {len(found)} different ones from "
                         f"{found[0]} to {found[-1]}; np.unique(labels, return_inverse=True)[1] renumbers them")
    absent = np.setdiff1d(found, labels[:number - 2 * (number // PARTS)])
    if len(absent):
        raise InputError(f"{path}: the class {absent[0]} has no image to train on: the order of the file decides the "
                         "parts, and the last two sevenths are held out; shuffle images and labels alike")
    return labels.astype(np.uint8), len(found)
