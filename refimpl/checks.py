"""What the public functions ask of their arguments, and the one line they answer when it is not so."""
from __future__ import annotations

import numpy as np


class InputError(ValueError):
    """Something that the user gave cannot be used: a file, a folder, an option.  One line says what, where, and what is
    allowed; the command line prints it and exits with status 2."""


class NotFinite(ValueError):
    """NaN or infinity where there should be a score."""


def scores(**named) -> list[np.ndarray]:
    """Each argument as a float64 array (..., k), k >= 1, finite, of one k, with batch axes that broadcast.

    Raises TypeError for what is not real numbers and ValueError for the rest; the message names the argument.
    """
    arrays: list[np.ndarray] = []
    first_name, shape = "", ()
    for name, value in named.items():
        array = np.asarray(value)
        if array.dtype.kind not in "fiub":
            raise TypeError(f"{name} must be an array of real numbers, got dtype {array.dtype}")
        array = array.astype(np.float64, copy=False)
        if array.ndim == 0 or array.shape[-1] == 0:
            raise ValueError(f"{name} must have shape (..., k) with k >= 1, got shape {array.shape}")
        if not np.isfinite(array).all():
            raise NotFinite(f"{name} must be finite, got NaN or infinity")
        if not arrays:
            first_name, shape = name, array.shape
        elif array.shape[-1] != shape[-1]:
            raise ValueError(f"{name} must have as many values of z on its last axis as {first_name}: "
                             f"got shapes {array.shape} and {shape}")
        else:
            try:
                shape = np.broadcast_shapes(shape, array.shape)
            except ValueError:
                raise ValueError(f"{name} must broadcast with {first_name}: "
                                 f"got shapes {array.shape} and {shape}") from None
        arrays.append(array)
    return arrays


def epsilon(eps, batch_shape: tuple[int, ...] = (), positive: bool = True) -> np.ndarray:
    """eps as float64, with a last axis of length 1 so that it multiplies (..., k).

    A number, or an array that broadcasts with the batch axes.  Raises ValueError naming eps if it is not finite, if
    `positive` and it is not above 0, or if it does not broadcast.
    """
    array = np.asarray(eps)
    if array.dtype.kind not in "fiu":
        raise TypeError(f"eps must be a real number or an array of them, got dtype {array.dtype}")
    array = array.astype(np.float64, copy=False)
    if not np.isfinite(array).all():
        raise ValueError("eps must be finite, got NaN or infinity")
    if positive and not (array > 0).all():
        raise ValueError(f"eps must be above 0, got {array.min():g}")
    try:
        np.broadcast_shapes(array.shape, batch_shape)
    except ValueError:
        raise ValueError(f"eps must broadcast with the batch axes {batch_shape}, got shape {array.shape}") from None
    return array[..., None]


def finite(name: str, array: np.ndarray) -> np.ndarray:
    """The array itself, if all of it is finite; NotFinite that names it otherwise."""
    if not np.isfinite(array).all():
        raise NotFinite(f"{name} must be finite, got NaN or infinity")
    return array


def positive(name: str, value: float) -> float:
    """value, if it is above 0 and finite; ValueError that names it otherwise."""
    if not (np.isfinite(value) and value > 0):
        raise ValueError(f"{name} must be above 0 and finite, got {value}")
    return value


def corners(name: str, z: np.ndarray) -> np.ndarray:
    """Indices (...) of the one-hot vectors z (..., k); ValueError that names it if they are anything else."""
    if not (((z == 0) | (z == 1)).all() and (z.sum(axis=-1) == 1).all()):
        raise ValueError(f"{name} must be one-hot vectors on its last axis, got a relaxed or an empty one")
    return z.argmax(axis=-1)


def generator(rng) -> np.random.Generator:
    """rng itself, if it is a numpy Generator; TypeError otherwise."""
    if not isinstance(rng, np.random.Generator):
        raise TypeError(f"rng must be a numpy.random.Generator (numpy.random.default_rng(seed)), got {type(rng).__name__}")
    return rng


def indices(index, k: int, name: str = "index") -> np.ndarray:
    """index as an integer array with all entries in 0 ... k-1; TypeError or ValueError otherwise."""
    array = np.asarray(index)
    if array.dtype.kind not in "iu":
        raise TypeError(f"{name} must hold integers, got dtype {array.dtype}")
    if array.size and (array.min() < 0 or array.max() >= k):
        raise ValueError(f"{name} must lie in 0 ... {k - 1}, got {array.min()} ... {array.max()}")
    return array
