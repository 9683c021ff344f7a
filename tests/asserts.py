"""Assertions whose messages report the size of the error."""
from __future__ import annotations

from pathlib import Path

import numpy as np

from refimpl.runs import checkpoint
from refimpl.runs.checkpoint import FILE


def assert_relative(value, truth, tolerance: float = 1e-10, floor: float = 1e-280) -> None:
    """Assert that entries are within a relative `tolerance` of the truth; for entries below `floor`, relative to it."""
    value, truth = np.broadcast_arrays(np.asarray(value, float), np.asarray(truth, float))
    error = np.abs(value - truth) / np.maximum(np.abs(truth), floor)
    assert np.isfinite(value).all(), "not finite"
    assert error.max(initial=0) <= tolerance, f"relative error {error.max():.2e} > {tolerance:.0e}"


def assert_close_in_norm(value, truth, tolerance: float = 1e-10) -> None:
    """Assert that all entries are within `tolerance` of the truth, relative to the truth's largest entry."""
    value, truth = np.broadcast_arrays(np.asarray(value, float), np.asarray(truth, float))
    scale = max(np.abs(truth).max(initial=0), 1e-280)
    error = np.abs(value - truth).max(initial=0) / scale
    assert error <= tolerance, f"error {error:.2e} of the largest entry > {tolerance:.0e}"


def z_scores(samples: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Return (mean over axis 0 - truth) / standard error, and 0 where both are exactly equal."""
    difference = samples.mean(axis=0) - truth
    error = samples.std(axis=0, ddof=1) / np.sqrt(len(samples))
    return np.where(difference == 0, 0.0, difference / np.where(error > 0, error, 1e-300))


def checkpoint_content(folder: Path) -> dict[str, np.ndarray]:
    """Return the contents of a run's checkpoint without the seconds, which differ between runs."""
    run, _ = checkpoint.load(folder / FILE)
    content = dict(np.load(folder / FILE, allow_pickle=False))
    content["history"] = np.delete(content["history"], run.columns.index("seconds"), axis=1)
    return content


def assert_same_to_the_bit(one: Path, other: Path) -> None:
    """Assert that two folders contain the same run, bit for bit."""
    left, right = checkpoint_content(one), checkpoint_content(other)
    for name in left:
        assert left[name].tobytes() == right[name].tobytes(), name
