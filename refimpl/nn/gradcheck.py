"""Check a handwritten gradient against central differences of its loss along random directions, in float64."""
from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np


class Check(NamedTuple):
    """Holds the derivative along a direction by the backward pass and by differences, and their relative difference."""

    analytic: float
    numeric: float
    error: float


def gradcheck(loss: Callable[[], float], values: np.ndarray, grads: np.ndarray, rng: np.random.Generator,
              directions: int = 8, step: float = 1e-5) -> list[Check]:
    """Compare `grads` with differences of loss() along random unit directions of `values`.

    loss     takes no argument, reads `values` and returns a number, which must be the same if it is called again
    values   any float64 array, such as a network's flat parameters or an input; changed in place, and restored
    grads    the gradient at `values` by the backward pass; it is copied first
    step     length of the step to either side.  The error of the difference falls as step^2, the rounding error grows
             as 1/step

    Returns one Check per direction.  The error is relative to the length of the gradient over sqrt(size), the typical
    derivative along a random direction, because the derivative itself can happen to be near 0.  If a ReLU's kink lies
    between the two points, the difference is wrong; with such a small step that is rare.

    Raises TypeError if values is not float64: in float32 a difference does not show an error below about one percent.
    Raises ValueError if the shapes differ, there is nothing to check, or loss() is not the same at the same point.
    """
    if values.dtype != np.float64 or grads.dtype != np.float64:
        raise TypeError(f"gradcheck: values and grads must be float64, got {values.dtype} and {grads.dtype}")
    if values.shape != grads.shape:
        raise ValueError(f"gradcheck: values and grads must have one shape, got {values.shape} and {grads.shape}")
    if values.size == 0:
        raise ValueError("gradcheck: values must hold at least one number")
    first, second = loss(), loss()
    if first != second and not (np.isnan(first) and np.isnan(second)):
        raise ValueError("gradcheck: loss() must return the same value at the same point; fix its noise")
    start, gradient = values.copy(), grads.copy()
    typical = np.linalg.norm(gradient) / np.sqrt(gradient.size)
    checks = []
    for _ in range(directions):
        direction = rng.standard_normal(values.shape)
        direction /= np.linalg.norm(direction)
        analytic = float((gradient * direction).sum())
        values[...] = start + step * direction
        above = loss()
        values[...] = start - step * direction
        below = loss()
        values[...] = start
        numeric = float(above - below) / (2 * step)
        scale = max(abs(analytic), abs(numeric), typical)
        error = abs(analytic - numeric) / scale if scale > 0 else 0.0
        if not (np.isfinite(analytic) and np.isfinite(numeric)):
            error = np.inf                          # NaN would pass every comparison
        checks.append(Check(analytic, numeric, error))
    return checks


def worst(checks: list[Check]) -> float:
    """Return the largest relative error of a gradcheck."""
    return max(check.error for check in checks)
