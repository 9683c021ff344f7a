"""Make the pictures of the data set of faces.  A face has three known attributes and nine nuisances (slides 2, 25).

    faces.draw((1, 0, 1), nuisances)      a face with glasses, short hair and a smile
    faces.draw((0, 0, 1), nuisances)      the same face without glasses; all other pixels are the same

A nuisance is a number that changes the picture but is not an attribute, such as the width of the head.

The parts of a face are simple shapes.  An eye, for example, is the inside of a circle.  The coordinates u (to the
right) and v (down) count pixels from the middle of the head.  Both axes tilt with the head.

The images are drawn anew on every machine and must be the same everywhere, bit for bit.  So the code uses only +, -, *
and /, because IEEE 754 fixes how the results of these operations are rounded.  The order of the terms in every sum is
fixed, too.  The random numbers are made from the raw bits of PCG64, because NumPy guarantees these bits (NEP 19) but
may change the methods of a Generator.
"""
from __future__ import annotations

import functools
from pathlib import Path
from typing import NamedTuple

import numpy as np

from refimpl import arguments
from refimpl.arguments import InputError
from refimpl.data.base import Part, content_digest
from refimpl.data.mnist import CUTS

SIDE = 28
IMAGES = 70_000
SEED = 20191208                     # with this seed, no two of the 70,000 pictures are equal
SHA256 = "05dc2c4791858e07ee7cc29930125de77e9a97842fc27962e23a1dd8bce31198"
ATTRIBUTES = ("glasses", "long hair", "smile")

NUISANCES: dict[str, tuple[float, float]] = {
    "across": (-1.0, 1.0),          # middle of the head, in pixels from the middle of the picture
    "down": (-0.3, 0.7),
    "tilt": (-0.065, 0.065),        # tangent of half the angle, clockwise: up to 7.4 degrees
    "width": (8.0, 9.6),            # half axes of the head, pixels
    "height": (10.2, 11.6),
    "eyes apart": (3.7, 4.4),       # distance of each eye from the middle line, pixels
    "eye size": (0.9, 1.35),        # radius, pixels
    "line": (1.0, 1.8),             # thickness of the head's outline and of the mouth, pixels
    "mouth": (0.5, 0.62),           # distance below the middle, as a fraction of the half height
}
"""The range of each nuisance.  The data set draws uniformly from it.  A face in these ranges fits into the picture."""
LOW, HIGH = np.array(list(NUISANCES.values())).T

LENS, WIRE = 3.1, 1.1               # radius of the glasses, and the thickness of their wire, pixels
EYES = -0.13                        # position of the eyes, measured like "mouth"; negative, so above the middle
BLOCK = 100                         # faces drawn at a time, so few that their pixels fit into a core's cache


class Truth(NamedTuple):
    """Holds arrays for N faces: attributes (uint8, shape (N, 3)) and nuisances (float64, shape (N, 9))."""

    attributes: np.ndarray
    nuisances: np.ndarray


def truth(images: int = IMAGES) -> Truth:
    """Return the attributes and nuisances of the faces with the numbers 0 to `images` - 1.

    The order is: training faces, validation faces, test faces.  Each attribute is 0 or 1 with probability 1/2.  Each
    nuisance is uniform in its range.  All these numbers are independent.

    Raises ValueError unless `images` is from 1 to 70,000.
    """
    images = arguments.integer("images", images, 1, IMAGES)
    raw = np.random.PCG64(SEED).random_raw(images * (1 + len(LOW))).reshape(images, -1)
    code = (raw[:, :1] >> np.uint64(61)).astype(np.uint8)
    level = (raw[:, 1:] >> np.uint64(48)).astype(np.float64)                        # 0 ... 65,535
    return Truth(code >> np.array([2, 1, 0], np.uint8) & np.uint8(1), LOW + (HIGH - LOW) * ((level + 0.5) / 65_536))


def draw(attributes: np.ndarray, nuisances: np.ndarray) -> np.ndarray:
    """Return a boolean array of shape (..., 28, 28): pictures of faces, in which True is ink.

    attributes  an array of shape (..., 3): 0s and 1s, in the order of ATTRIBUTES
    nuisances   an array of shape (..., 9): numbers in the order of NUISANCES

    The leading axes broadcast.  Each picture depends only on its own attributes and nuisances.  Glasses and long hair
    only add ink, and a smile changes only the mouth.

    Raises TypeError or ValueError if a shape is wrong, an attribute is neither 0 nor 1, or a nuisance is outside its
    range.  The message names the argument.
    """
    wanted, given = arguments.array("attributes", attributes), arguments.array("nuisances", nuisances)
    for name, array, length, kinds in (("attributes", wanted, len(ATTRIBUTES), "biuf"),
                                       ("nuisances", given, len(LOW), "iuf")):
        if array.dtype.kind not in kinds:
            raise TypeError(f"{name} must be real numbers, got dtype {array.dtype}")
        if array.ndim == 0 or array.shape[-1] != length:
            raise ValueError(f"{name} must have {length} entries on the last axis, got shape {array.shape}")
    if not ((wanted == 0) | (wanted == 1)).all():
        raise ValueError("attributes must be 0 or 1 each")
    given = given.astype(np.float64)
    outside = ~((given >= LOW) & (given <= HIGH)).reshape(-1, len(LOW)).all(axis=0)
    if outside.any():
        name = list(NUISANCES)[outside.argmax()]
        raise ValueError(f"nuisances must lie in their ranges, and {name} is not in {NUISANCES[name]}")
    batch = arguments.broadcast(("attributes", "nuisances"), (wanted.shape[:-1], given.shape[:-1]))
    wanted = np.broadcast_to(wanted == 1, batch + wanted.shape[-1:]).reshape(-1, len(ATTRIBUTES))
    given = np.broadcast_to(given, batch + given.shape[-1:]).reshape(-1, len(LOW))
    pictures = np.empty((len(given), SIDE, SIDE), bool)
    for start in range(0, len(given), BLOCK):
        block = slice(start, start + BLOCK)
        pictures[block] = _ink(wanted[block], given[block])
    return pictures.reshape(batch + (SIDE, SIDE))


def _ellipse(u: np.ndarray, v: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return whether each pixel lies inside the ellipse with the half axes `a` and `b`.

    The top and bottom 0.4 pixels of the ellipse are cut off.  Otherwise a single pixel would stick out at each end.
    """
    return (u * u * (1 / (a * a)) + v * v * (1 / (b * b)) <= 1) & (np.abs(v) <= b - 0.4)


def _ink(attributes: np.ndarray, nuisances: np.ndarray) -> np.ndarray:
    """Return a boolean array of shape (N, 28, 28): N pictures, in which True is ink."""
    glasses, long_hair, smile = np.moveaxis(attributes, 1, 0)[..., None, None]
    across, down, tilt, *rest = np.moveaxis(nuisances, 1, 0)[..., None, None]       # each is (N, 1, 1)
    cosine, sine = (1 - tilt * tilt) / (1 + tilt * tilt), 2 * tilt / (1 + tilt * tilt)
    middle = np.arange(SIDE) - (SIDE - 1) / 2
    x, y = middle - across, middle[:, None] - down                                  # (N, 1, 28) and (N, 28, 1)
    u = (cosine * x).astype(np.float32) + (sine * y).astype(np.float32)
    v = (cosine * y).astype(np.float32) - (sine * x).astype(np.float32)
    a, b, apart, eye, line, mouth = (each.astype(np.float32) for each in rest)
    side = np.abs(u)                                                                # a face is symmetric

    head, face = _ellipse(u, v, a + line / 2, b + line / 2), _ellipse(u, v, a - line / 2, b - line / 2)
    brow = _ellipse(u, v - 0.45 * b, 1.2 * a, 1.05 * b)                             # the area not covered by hair
    ink = head & ~face | _ellipse(u, v, a + 1.2, b + 1.2) & ~brow & (v < -0.15 * b)

    falls = (v > 0) & (side < a + 2.6) & (v < 0.92 * b)                             # long hair on both sides
    locks = (_ellipse(u, v, a + 2.6, b + 1.8) | falls) & ~head & ((v < 0.1 * b) | (side > 0.82 * a))
    ink |= long_hair & locks

    to_eye, above = side - apart, v - EYES * b
    distance = to_eye * to_eye + above * above                                      # the squared distance
    ink |= distance <= eye * eye
    outer, inner = LENS + WIRE / 2, LENS - WIRE / 2
    lens = (distance <= outer * outer) & (distance >= inner * inner)
    bridge_and_arms = (np.abs(to_eye) > LENS) & (np.abs(above) <= WIRE / 2)
    ink |= glasses & face & (lens | bridge_and_arms)

    below, half = v - mouth * b, np.maximum(line, 1.15) / 2
    straight = (side <= 3.2) & (np.abs(below) <= half)
    curved = (side <= 4.4) & (np.abs(below + 0.14 * u * u - 1.2) <= half + 0.16 * side)     # thicker at its ends
    return ink | np.where(smile, curved, straight)


def read(folder: Path | None) -> tuple[Part, Part, Part]:
    """Return 50,000 faces for training, 10,000 for validation and 10,000 for testing.

    The faces are drawn at the first call and then kept in memory.  `folder` is not used.  The label of a face is
    4 glasses + 2 long hair + smile, where each attribute is 0 or 1.  Raises InputError if the checksum of the images is
    wrong.
    """
    images, labels = _content()
    train, valid, test = (Part(images[cut], labels[cut]) for cut in CUTS)
    return train, valid, test


@functools.lru_cache(maxsize=1)
def _content() -> tuple[np.ndarray, np.ndarray]:
    """Draw the faces, check their sha256, and return the packed images and the labels as read-only arrays."""
    attributes, nuisances = truth()
    images = np.concatenate([np.packbits(draw(attributes[start:start + BLOCK], nuisances[start:start + BLOCK])
                                         .reshape(-1, SIDE * SIDE), axis=1) for start in range(0, IMAGES, BLOCK)])
    labels = attributes @ np.array([4, 2, 1], np.uint8)
    if content_digest(images, labels) != SHA256:
        raise InputError("faces: the sha256 of the drawn images is not the same as on other machines; the arithmetic "
                         "of this NumPy does not round as IEEE 754 requires")
    images.setflags(write=False)
    labels.setflags(write=False)
    return images, labels
