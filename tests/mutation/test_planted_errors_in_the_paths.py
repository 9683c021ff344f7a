"""Planted errors in the paths over a grid: see test_planted_errors_in_the_estimators.py."""
from __future__ import annotations

import numpy as np
import pytest

from refimpl.latent import paths
from tests.latent import path_loops
from tests.mutation.slips import planted


def slipped(right, wrong):
    return planted(paths, right, wrong).Paths


@pytest.mark.parametrize("right, wrong", [
    ("np.maximum(_right, _down)", "np.minimum(_right, _down)"),
    ("np.maximum(best[row, column + 1], best[row + 1, column])", "best[row, column + 1]"),
    ("cells[row, column] + onward", "onward"),
    ("cells[row, column] + onward", "cells[column % self.rows, row % self.columns] + onward"),
    ("best[row + 1, column, image] > best[row, column + 1, image]",
     "best[row + 1, column, image] < best[row, column + 1, image]"),
    ("    on[0, 0] = 1", "    pass"),
    ("_theta.T.reshape(self.rows, self.columns, -1)", "-_theta.T.reshape(self.rows, self.columns, -1)"),
    ("    return np.stack([1 - ones, ones], axis=-1)", "    return np.stack([ones, 1 - ones], axis=-1)")])
def test_enumeration_detects_wrong_arg_maxes(right, wrong):
    try:
        assert path_loops.worst_loss(slipped(right, wrong), 5) > 0.01
    except (IndexError, ValueError):                        # the path leaves the grid, or there is none
        pass


def test_tie_that_is_resolved_to_the_last_path_is_detected():
    wrong = slipped("_down > best[row, column + 1, image]", "_down >= best[row, column + 1, image]")
    assert path_loops.share_of_first_among_equals(wrong) < 0.8


@pytest.mark.parametrize("right, wrong", [
    ("gumbel.sample(_checked.shape, rng)", "rng.normal(0, 1.28, _checked.shape)"),
    ("gumbel.sample(_checked.shape, rng)", "1.05 * gumbel.sample(_checked.shape, rng)"),
    ("gumbel.sample(_checked.shape, rng)", "gumbel.sample((len(theta), 1), rng)")])
def test_law_of_two_paths_detects_wrong_noise(right, wrong):
    assert path_loops.deviation_on_two_paths(slipped(right, wrong)) > 8


@pytest.mark.parametrize("right, wrong", [
    ("return z[..., 1]", "return z[..., 0]"),
    ("_theta + table[..., 1] - table[..., 0]", "_theta + table[..., 1]"),
    ("_theta + table[..., 1] - table[..., 0]", "_theta + table[..., 0] + table[..., 1]"),
    ("np.arange(self.n - 1, -1, -1)", "np.arange(self.n)"),
    ("arguments.finite(\"f\", table[:, place])", "0 * table[:, place]")])
def test_enumeration_detects_errors_in_features_and_tilt(right, wrong):
    with pytest.raises(AssertionError):
        path_loops.check_features_tilt_and_joint_arg_max(np.random.default_rng(0), slipped(right, wrong))
