"""Check a handwritten gradient, in float64, by central differences of the loss along random directions."""
from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np


class Check(NamedTuple):
    """Holds two results for the derivative of the loss along one direction.

    The backward pass gives `analytic`, and central differences give `numeric`.  `error` is their relative difference.
    """

    analytic: float
    numeric: float
    error: float


def gradcheck(loss: Callable[[], float], values: np.ndarray, grads: np.ndarray, rng: np.random.Generator,
              directions: int = 8, step: float = 1e-5) -> list[Check]:
    """Compare `grads` with central differences of loss() along random unit directions.  Return a Check per direction.

    loss     a function without arguments that reads `values` and returns a number.  It must return the same number
             whenever it is called at the same `values`
    values   any float64 array, for example the flat parameters or the input of a network.  It is changed in place,
             and restored at the end
    grads    the gradient that the backward pass has computed at `values`.  It is copied before loss() is called
    step     the length of the step to either side.  The error of the difference formula grows as step^2, and the
             rounding error grows as 1/step

    The error is the difference of the two derivatives, divided by the larger of their absolute values.  The divisor is
    at least |grads| / sqrt(size), the typical size of a derivative, because both derivatives may by chance be near 0.
    If the kink of a ReLU lies between the two points of a difference, the numeric derivative is wrong.  This is rare if
    `step` is small.

    Raises TypeError if an array is not float64: in float32, rounding hides errors that are less than about one
    percent of the gradient.  Raises ValueError if the shapes differ, if there is nothing to check, or if loss() returns
    different numbers at the same point.
    """
    if values.dtype != np.float64 or grads.dtype != np.float64:
        raise TypeError(f"gradcheck: values and grads must be float64, got {values.dtype} and {grads.dtype}")
    if values.shape != grads.shape:
        raise ValueError(f"gradcheck: values and grads must have the same shape, got {values.shape} and {grads.shape}")
    if values.size == 0:
        raise ValueError("gradcheck: values must hold at least one number")
    start, gradient = values.copy(), grads.copy()       # before loss() is called, which may write into grads
    if not np.array_equal(loss(), loss(), equal_nan=True):
        raise ValueError("gradcheck: loss() must return the same value at the same point; fix its noise")
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
            error = np.inf                          # because every comparison with NaN is False
        checks.append(Check(analytic, numeric, error))
    return checks


def worst(checks: list[Check]) -> float:
    """Return the largest of the relative errors in a list of checks."""
    return max(check.error for check in checks)
