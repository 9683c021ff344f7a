"""What a lower precision can and cannot change: the roundoff of each, and whether a difference is one of rounding."""
from __future__ import annotations

import numpy as np

PRECISIONS = {"float64": 2.0**-53, "float32": 2.0**-24, "float16": 2.0**-11, "bfloat16": 2.0**-8}
"""The unit roundoff of each, from the finest."""
STEPS = 8.0
"""Roundoffs, of the sum of the largest |h|, |noise| and eps |f|, by which two scores can change places: h, noise, eps,
f, eps f and the two sums are rounded, in both scores."""


def check(precision: object) -> str | None:
    """precision itself, if it is None or a known name; ValueError otherwise."""
    if precision is None:
        return None
    name = str(getattr(precision, "__name__", precision)).removeprefix("torch.")
    if name not in PRECISIONS:
        raise ValueError(f"precision must be one of {', '.join(PRECISIONS)}, or None, got {precision!r}")
    return name


def to(precision: str, values: np.ndarray) -> np.ndarray:
    """values rounded to this precision, as float64."""
    if precision == "bfloat16":
        bits = np.asarray(values, dtype=np.float32).view(np.uint32).astype(np.uint64)
        bits = (bits + 0x7FFF + ((bits >> 16) & 1)) & 0xFFFF0000        # to nearest, ties to even
        return bits.astype(np.uint32).view(np.float32).astype(np.float64)
    with np.errstate(over="ignore"):
        return np.asarray(values).astype(precision).astype(np.float64)


def roundoff(precision: str, eps: float) -> float:
    """Relative error of one operation with eps in it: float16 has few digits below 6e-5."""
    return PRECISIONS[precision] + (2.0**-25 / eps if precision == "float16" else 0.0)


def level(share: float, allowed: list[str], eps: float) -> str | None:
    """The finest precision at which a gap of this share of the largest scores is a near-tie; None if none is."""
    return next((each for each in allowed if share <= STEPS * roundoff(each, eps)), None)


def of_value(found: float, wanted: float, allowed: list[str], eps: float) -> str | None:
    """The finest precision at which `found` is `wanted` but for rounding; None if none is.

    A rounding of more than single precision leaves a number with few digits, itself or its reciprocal; anything else
    is a factor.
    """
    off = abs(found / wanted - 1)
    for each in allowed:
        if off <= 2.2 * roundoff(each, eps) + 1e-13 and (PRECISIONS[each] < 1e-6 or few_digits(found, each)):
            return each
    return None


def few_digits(value: float, precision: str) -> bool:
    """Whether the value or its reciprocal is a number of this precision, but for single precision."""
    tries = np.array([value, 1 / value, 0.5 / value])
    return bool((np.abs(to(precision, tries) - tries) <= 2e-7 * np.abs(tries)).any()) or abs(value) > 65504
