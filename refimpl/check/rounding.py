"""Define the rounding errors of each precision, and test whether rounding explains a difference."""
from __future__ import annotations

import numpy as np

PRECISIONS = {"float64": 2.0**-53, "float32": 2.0**-24, "float16": 2.0**-11, "bfloat16": 2.0**-8}
"""The unit roundoff of each precision.  The finest precision comes first."""
STEPS = 8.0
"""Rounding can change the order of two scores if their difference is below STEPS * unit roundoff * (the sum of the
largest |h|, |noise| and eps |f|).  Each score has seven roundings: of h, noise, eps, f and eps f, and of two sums."""


def up_to(precision: object) -> list[str]:
    """Return the names of all precisions from the finest one to `precision`, which is a name or a dtype.

    If `precision` is None, return all names.  Raises ValueError if there is no such precision.
    """
    order = list(PRECISIONS)
    if precision is None:
        return order
    name = str(getattr(precision, "__name__", precision)).removeprefix("torch.")
    if name not in PRECISIONS:
        raise ValueError(f"precision must be one of {', '.join(PRECISIONS)}, or None, got {precision!r}")
    return order[:order.index(name) + 1]


def to(precision: str, values: np.ndarray) -> np.ndarray:
    """Round the values to this precision, and return them as float64."""
    if precision == "bfloat16":
        bits = to("float32", values).astype(np.float32).view(np.uint32).astype(np.uint64)
        bits = (bits + 0x7FFF + ((bits >> 16) & 1)) & 0xFFFF0000        # to nearest, ties to even
        return bits.astype(np.uint32).view(np.float32).astype(np.float64)
    with np.errstate(over="ignore"):
        return np.asarray(values).astype(precision).astype(np.float64)


def roundoff(precision: str, eps: float) -> float:
    """Return the relative rounding error of a number of the size of eps.

    In float16 this error grows for small eps, because float16 numbers below 6e-5 have few digits.
    """
    return PRECISIONS[precision] + (2.0**-25 / eps if precision == "float16" else 0.0)


def level(share: float, allowed: list[str], eps: float) -> str | None:
    """Find the finest allowed precision whose rounding can change the order of two scores.

    `share` is their difference, divided by the sum of the largest |h|, the largest |noise| and the largest eps |f|.
    """
    return next((each for each in allowed if share <= STEPS * roundoff(each, eps)), None)


def of_value(found: float, wanted: float, allowed: list[str], eps: float) -> str | None:
    """Find the finest allowed precision whose rounding explains the difference between `found` and `wanted`.

    Half precision is an explanation only if, in addition, `found` or 1 / `found` has few digits.
    """
    off = abs(found / wanted - 1)
    for each in allowed:
        if off <= 2.2 * roundoff(each, eps) + 1e-13 and (PRECISIONS[each] < 1e-6 or few_digits(found, each)):
            return each
    return None


def few_digits(value: float, precision: str) -> bool:
    tries = np.array([value, 1 / value, 0.5 / value])
    return bool((np.abs(to(precision, tries) - tries) <= 2e-7 * np.abs(tries)).any()) or abs(value) > 65504
