"""Faces drawn from known truth: three attributes, nine nuisances (slides 2 and 25 show such faces).

    faces.draw((1, 0, 1), nuisances)      a face with glasses, short hair and a smile
    faces.draw((0, 0, 1), nuisances)      the same face without them, pixel by pixel

Every shape is a condition on the pixel's place (u, v), in pixels from the middle of the head, u across, v down, both
turned with the head: inside an ellipse, near a circle, near a parabola.

The set is drawn anew on every machine, and must be the same to the bit.  So only +, -, * and / are used, which IEEE 754
rounds alike everywhere; no sine, no square root, no sum whose order is free.  The random bits are those of a bit
generator itself, whose stream NumPy keeps (NEP 19), not of a Generator's methods, which it may change.
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
SEED = 20191208                     # no two of its 70,000 pictures are alike
SHA256 = "05dc2c4791858e07ee7cc29930125de77e9a97842fc27962e23a1dd8bce31198"
ATTRIBUTES = ("glasses", "long hair", "smile")

NUISANCES: dict[str, tuple[float, float]] = {
    "across": (-1.0, 1.0),          # place of the head's middle, pixels from that of the picture
    "down": (-0.3, 0.7),
    "tilt": (-0.065, 0.065),        # tangent of half the angle, clockwise: up to 7.4 degrees
    "width": (8.0, 9.6),            # half axes of the head, pixels
    "height": (10.2, 11.6),
    "eyes apart": (3.7, 4.4),       # of each from the middle line, pixels
    "eye size": (0.9, 1.35),        # radius, pixels
    "line": (1.0, 1.8),             # thickness of the head's outline and of the mouth, pixels
    "mouth": (0.5, 0.62),           # its height, in half heights of the head below the middle
}
"""The range of each nuisance, uniform in the data set.  Within it every face fits into the picture."""
LOW, HIGH = np.array(list(NUISANCES.values())).T

LENS, WIRE = 3.1, 1.1               # radius of the glasses, and the thickness of their wire, pixels
EYES = -0.13                        # height of the eyes, in half heights of the head
BLOCK = 100                         # faces at a time: their pixels stay in a core's cache


class Truth(NamedTuple):
    """What the images were drawn from: attributes (N, 3) uint8 of 0 and 1; nuisances (N, 9) in their own units."""

    attributes: np.ndarray
    nuisances: np.ndarray


def truth(images: int = IMAGES) -> Truth:
    """The truth of the data set's first `images` images: training, validation, test, as their parts follow.

    Attributes are fair coins, nuisances uniform, all independent of each other.  ValueError if images is not in
    1 ... 70,000.
    """
    images = arguments.integer("images", images, 1, IMAGES)
    raw = np.random.PCG64(SEED).random_raw(images * (1 + len(LOW))).reshape(images, -1)
    code = (raw[:, :1] >> np.uint64(61)).astype(np.uint8)
    level = (raw[:, 1:] >> np.uint64(48)).astype(np.float64)                        # 0 ... 65,535
    return Truth(code >> np.array([2, 1, 0], np.uint8) & np.uint8(1), LOW + (HIGH - LOW) * ((level + 0.5) / 65_536))


def draw(attributes: np.ndarray, nuisances: np.ndarray) -> np.ndarray:
    """Binary pictures (..., 28, 28), True is ink, of attributes (..., 3), 0 or 1, and nuisances (..., 9).

    The attributes are ATTRIBUTES in their order, the nuisances NUISANCES in theirs; batch axes broadcast.  Pure: the
    same arguments give the same pixels, whatever else is drawn with them.  Glasses and long hair only add ink, a smile
    moves that of the mouth.

    Raises TypeError or ValueError, naming the argument, for another shape, an attribute that is neither 0 nor 1, or a
    nuisance outside its range.
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
    if not ((given >= LOW) & (given <= HIGH)).all():
        outside = ~((given >= LOW) & (given <= HIGH)).reshape(-1, len(LOW)).all(axis=0)
        name = list(NUISANCES)[int(outside.argmax())]
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
    """Inside the ellipse of half axes a and b, without the outermost 0.4 pixels of its top and its bottom, where
    a lone pixel would stick out."""
    return (u * u * (1 / (a * a)) + v * v * (1 / (b * b)) <= 1) & (np.abs(v) <= b - 0.4)


def _ink(attributes: np.ndarray, nuisances: np.ndarray) -> np.ndarray:
    """(N, 28, 28) of attributes (N, 3) bool and nuisances (N, 9) float64; pixels in float32, which is twice as fast."""
    glasses, long_hair, smile = np.moveaxis(attributes, 1, 0)[..., None, None]
    across, down, tilt, *rest = np.moveaxis(nuisances, 1, 0)[..., None, None]       # (N, 1, 1) each
    cosine, sine = (1 - tilt * tilt) / (1 + tilt * tilt), 2 * tilt / (1 + tilt * tilt)
    middle = np.arange(SIDE) - (SIDE - 1) / 2
    x, y = middle - across, middle[:, None] - down                                  # (N, 1, 28) and (N, 28, 1)
    u = (cosine * x).astype(np.float32) + (sine * y).astype(np.float32)
    v = (cosine * y).astype(np.float32) - (sine * x).astype(np.float32)
    a, b, apart, eye, line, mouth = (each.astype(np.float32) for each in rest)
    side = np.abs(u)                                                                # a face is its own mirror image

    head, face = _ellipse(u, v, a + line / 2, b + line / 2), _ellipse(u, v, a - line / 2, b - line / 2)
    brow = _ellipse(u, v - 0.45 * b, 1.2 * a, 1.05 * b)                             # what the hair leaves free
    ink = head & ~face | _ellipse(u, v, a + 1.2, b + 1.2) & ~brow & (v < -0.15 * b)

    falls = (v > 0) & (side < a + 2.6) & (v < 0.92 * b)                             # down both sides, free of the chin
    locks = (_ellipse(u, v, a + 2.6, b + 1.8) | falls) & ~head & ((v < 0.1 * b) | (side > 0.82 * a))
    ink |= long_hair & locks

    to_eye, above = side - apart, v - EYES * b
    distance = to_eye * to_eye + above * above                                      # squared
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
    """50,000 / 10,000 / 10,000 faces, drawn in a few seconds at the first call and kept; `folder` plays no part.

    A label is the attributes as the digits of a binary number, as in joint.values(3, 2): 4 glasses + 2 long hair +
    smile.  Raises InputError if the images differ from those drawn elsewhere.
    """
    images, labels = _content()
    train, valid, test = (Part(images[cut], labels[cut]) for cut in CUTS)
    return train, valid, test


@functools.lru_cache(maxsize=1)
def _content() -> tuple[np.ndarray, np.ndarray]:
    """Images (70000, 98) and labels (70000,), uint8 and read-only, checked."""
    attributes, nuisances = truth()
    images = np.concatenate([np.packbits(draw(attributes[start:start + BLOCK], nuisances[start:start + BLOCK])
                                         .reshape(-1, SIDE * SIDE), axis=1) for start in range(0, IMAGES, BLOCK)])
    labels = attributes @ np.array([4, 2, 1], np.uint8)
    if content_digest(images, labels) != SHA256:
        raise InputError("faces: the sha256 of what was drawn is not what it is elsewhere; the arithmetic of this "
                         "NumPy does not round as IEEE 754 says")
    images.setflags(write=False)
    labels.setflags(write=False)
    return images, labels
