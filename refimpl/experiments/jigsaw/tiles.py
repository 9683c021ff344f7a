"""An image cut into side x side tiles, the tiles in any order, and what a matching makes of them.

A matching is z (B, N, N) of 0 and 1, N = side^2, with one 1 in each row and column: z_ij = 1 puts tile i at place j
(latent/sets.py).  28 pixels cannot be divided by 3: for 3 x 3 tiles the last row and the last column of pixels are
cut off.
"""
from __future__ import annotations

import numpy as np

from refimpl import data, gumbel


def cut(x: np.ndarray, side: int) -> np.ndarray:
    """Images (B, 784) as tiles (B, N, pixels), the tile of place j at j; places are counted row by row."""
    high = data.SHAPE[0] // side
    x = x.reshape(-1, *data.SHAPE)[:, :side * high, :side * high]
    return x.reshape(-1, side, high, side, high).transpose(0, 1, 3, 2, 4).reshape(len(x), side * side, high * high)


def assemble(tiles: np.ndarray, z: np.ndarray, side: int) -> np.ndarray:
    """The pictures (B, height, height) that tiles (B, N, pixels) make if tile i lies where z (B, N, N) puts it."""
    high = data.SHAPE[0] // side
    placed = np.take_along_axis(tiles, z.argmax(axis=1)[..., None], axis=1)             # which tile lies at place j
    return placed.reshape(-1, side, side, high, high).transpose(0, 1, 3, 2, 4).reshape(-1, side * high, side * high)


def shuffle(tiles: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """The tiles of each image in a random order, and the matching y (B, N, N) that puts each back where it was."""
    place = rng.permuted(np.tile(np.arange(tiles.shape[1]), (len(tiles), 1)), axis=1)
    return np.take_along_axis(tiles, place[..., None], axis=1), gumbel.one_hot(place, tiles.shape[1])


def right(tiles: np.ndarray, y: np.ndarray) -> np.ndarray:
    """R (B, N, N) of 0 and 1: whether tile i has the pixels, all 0 or 1, of the tile that belongs at place j.

    Identical tiles may change places: R_ij = 1 then for several i and j, and every z with sum R z = N is a solution.
    """
    truth = np.take_along_axis(tiles, y.argmax(axis=1)[..., None], axis=1)
    ink, ink_there = tiles.sum(axis=2)[:, :, None], truth.sum(axis=2)[:, None, :]
    differing = ink + ink_there - 2 * tiles @ truth.transpose(0, 2, 1)                  # pixels
    return (differing == 0).astype(np.float64)

