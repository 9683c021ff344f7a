"""Cut images into N = side^2 tiles, shuffle the tiles, and put them together according to a matching.

A matching z has shape (B, N, N).  z_ij is 1 if tile i is at place j, and 0 otherwise, so each row and each column has
one 1 (latent/sets.py).  If side is 3, the last row and the last column of pixels of each image are left out.
"""
from __future__ import annotations

import numpy as np

from refimpl import data, gumbel


def cut(x: np.ndarray, side: int) -> np.ndarray:
    """Return an array of shape (B, N, pixels): the tiles of each image, row by row.  `x` has shape (B, 784)."""
    high = data.SHAPE[0] // side
    x = x.reshape(-1, *data.SHAPE)[:, :side * high, :side * high]
    return x.reshape(-1, side, high, side, high).transpose(0, 1, 3, 2, 4).reshape(len(x), side * side, high * high)


def assemble(tiles: np.ndarray, z: np.ndarray, side: int) -> np.ndarray:
    """Put the tiles at the places that the matching z gives them.  The result has shape (B, height, height)."""
    high = data.SHAPE[0] // side
    placed = np.take_along_axis(tiles, z.argmax(axis=1)[..., None], axis=1)             # the tile that is at place j
    return placed.reshape(-1, side, side, high, high).transpose(0, 1, 3, 2, 4).reshape(-1, side * high, side * high)


def shuffle(tiles: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Shuffle the tiles of each image.  Return the shuffled tiles, and y, the matching that puts them back in order."""
    place = rng.permuted(np.tile(np.arange(tiles.shape[1]), (len(tiles), 1)), axis=1)
    return np.take_along_axis(tiles, place[..., None], axis=1), gumbel.one_hot(place, tiles.shape[1])


def right(tiles: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return R of shape (B, N, N).  R_ij is 1 if tile i equals the tile that belongs at place j, and 0 otherwise.

    All pixels must be 0 or 1.  If an image has identical tiles, some rows of R hold several ones.  A matching z is a
    solution if the sum of all R_ij z_ij is N.
    """
    truth = np.take_along_axis(tiles, y.argmax(axis=1)[..., None], axis=1)
    ink, ink_there = tiles.sum(axis=2)[:, :, None], truth.sum(axis=2)[:, None, :]
    differing = ink + ink_there - 2 * tiles @ truth.transpose(0, 2, 1)                  # pixels
    return (differing == 0).astype(np.float64)
