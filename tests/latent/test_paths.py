"""Paths over a grid: the arg max against enumeration, Danskin's theorem, and the estimators that serve paths."""
from __future__ import annotations

import itertools
from types import SimpleNamespace

import numpy as np
import pytest

from refimpl import estimators, gumbel
from refimpl.arguments import NotFinite
from refimpl.estimators import reinforce
from refimpl.latent import paths
from refimpl.latent.paths import Paths
from tests.latent.path_loops import (SIZES, by_loops, check_features_tilt_and_joint_arg_max, deviation_on_two_paths,
                                     share_of_first_among_equals, worst_loss)


@pytest.mark.parametrize("rows, columns", SIZES)
def test_all_paths_agrees_with_a_recursion_in_content_and_order(rows, columns):
    every, expected = paths.all_paths(rows, columns), by_loops(rows, columns)
    assert every.shape == (paths.count(rows, columns), rows * columns) == (len(expected), rows * columns)
    for cells, path in zip(every, expected):
        assert sorted(np.flatnonzero(cells)) == sorted(row * columns + column for row, column in path)


def test_count_is_the_number_of_paths():
    assert paths.count(4, 4) == 20 == len(paths.all_paths(4, 4))
    assert paths.count(16, 16) == 155_117_520 and paths.count(1, 9) == 1
    assert (paths.all_paths(4, 4).sum(axis=1) == 7).all()


def test_arg_max_is_the_best_of_all_paths():
    assert worst_loss() < 1e-12


def test_arg_max_of_tied_paths_is_the_first():
    assert share_of_first_among_equals() == 1
    flat = Paths(3, 4).argmax(np.zeros((2, 12)))[..., 1].reshape(2, 3, 4)
    assert (flat[:, 0] == 1).all() and (flat[:, 1:, -1] == 1).all() and flat.sum() == 12        # right, then down


def test_arg_max_of_a_batch_equals_single_arg_maxes_and_accepts_empty_batches(rng):
    family, theta = Paths(4, 5), rng.normal(size=(7, 20))
    kept = theta.copy()
    z = family.argmax(theta)
    assert z.shape == (7, 20, 2) and z.dtype == np.float64 and (theta == kept).all()
    for b in range(7):
        np.testing.assert_array_equal(family.argmax(theta[b:b + 1])[0], z[b])
    assert family.argmax(np.zeros((0, 20))).shape == (0, 20, 2)
    np.testing.assert_array_equal(family.argmax(theta.astype(np.float32)), z)


def test_features_tilt_and_joint_arg_max_agree_with_enumeration(rng):
    check_features_tilt_and_joint_arg_max(rng)


def test_noise_is_one_gumbel_variable_per_cell(rng):
    family, theta = Paths(2, 3), rng.normal(size=(4, 6))
    np.testing.assert_array_equal(family.perturb(theta, np.random.default_rng(1)),
                                  theta + gumbel.sample((4, 6), np.random.default_rng(1)))
    assert family.noise_on_every_score and family.outputs == family.n == 6 and family.k == 2
    np.testing.assert_array_equal(family.sample(theta, np.random.default_rng(1)),
                                  family.argmax(family.perturb(theta, np.random.default_rng(1))))


def test_operations_that_paths_do_not_support_are_rejected(rng):
    family, theta = Paths(2, 3), rng.normal(size=(4, 6))
    assert family.kl(theta) is None and not family.normalised
    with pytest.raises(TypeError, match="^Paths has no relaxed arg max"):
        family.relax(theta, rng, 1.0)
    with pytest.raises(TypeError, match="^Paths has no law of each variable"):
        family.unary_kl(theta)
    with pytest.raises(ValueError, match="^table must hold all 2"):
        Paths(6, 6).joint_argmax(np.zeros((1, 36)), np.zeros((1, 4)))


@pytest.mark.parametrize("rows, columns, error, words", [
    (0, 4, ValueError, "rows must be in 1"), (4, 1_001, ValueError, "columns must be in 1"),
    (1, 1, ValueError, "columns must be at least 2"), (2.5, 4, ValueError, "rows must be a whole"),
    (4, "4", TypeError, "columns must be a whole number")])
def test_invalid_grids_are_rejected(rows, columns, error, words):
    with pytest.raises(error, match=f"^{words}"):
        Paths(rows, columns)


def test_invalid_scores_are_rejected(rng):
    family = Paths(2, 3)
    for shape in ((6,), (2, 5), (2, 2, 3)):
        for call in (family.argmax, lambda theta: family.perturb(theta, rng)):
            with pytest.raises(ValueError, match=r"^theta must have shape \(B, 6\)"):
                call(np.zeros(shape))
    for bad in (np.nan, np.inf):
        theta = np.zeros((2, 6))
        theta[1, 3] = bad
        for call in (family.argmax, lambda theta: family.perturb(theta, rng)):
            with pytest.raises(NotFinite, match="^theta must be finite"):
                call(theta)
        with pytest.raises(NotFinite, match="^f must be finite"):
            family.tilt(np.zeros((2, 6)), np.full((2, 6, 2), bad))
        with pytest.raises(NotFinite, match="^f must be finite"):
            family.joint_argmax(np.zeros((2, 6)), np.full((2, 2**6), bad))
    with pytest.raises(ValueError, match="^rows must be so few"):
        paths.all_paths(16, 16)


# --- Danskin ----------------------------------------------------------------------------------------------------------

def test_mean_path_of_two_is_the_exact_derivative_of_the_mean_maximum():
    assert deviation_on_two_paths() < 4


def test_mean_path_is_the_slope_of_the_mean_perturbed_maximum(rng):
    """Use central differences with shared noise.

    The maximum of each draw is convex and piecewise linear in theta, so its central difference lies between the slopes
    at both ends.  Then the same holds for the means, without any tolerance except for rounding.
    """
    rows, columns, draws, step = 3, 4, 20_000, 1e-3
    family, every, theta = Paths(rows, columns), paths.all_paths(rows, columns), rng.normal(size=12)
    noise = gumbel.sample((draws, 12), rng)
    at = lambda shifted: family.argmax(shifted + noise)[..., 1].mean(axis=0)
    top = lambda shifted: ((shifted + noise) @ every.T).max(axis=1).mean()
    for cell in range(12):
        above, below = theta + step * np.eye(12)[cell], theta - step * np.eye(12)[cell]
        slope = (top(above) - top(below)) / (2 * step)
        assert at(below)[cell] - 1e-9 <= slope <= at(above)[cell] + 1e-9
        assert at(above)[cell] - at(below)[cell] < 2e-3
        assert abs(at(theta)[cell] - slope) < 2e-3


# --- the estimators ---------------------------------------------------------------------------------------------------

def sine_waves(rows, columns, rng):
    """Return an objective of paths, f(z) = 2 sin(a . z) + 2 sin(b . z), neither linear nor a sum over cells."""
    waves = rng.normal(size=(2, rows * columns))

    def run(z, counted=True):
        phase = z[..., 1] @ waves.T
        slope = np.zeros(z.shape)
        slope[..., 1] = 2 * np.cos(phase) @ waves
        return SimpleNamespace(z=z, f=2 * np.sin(phase).sum(axis=-1), df_dz=lambda: slope)

    every = gumbel.one_hot(np.array(list(itertools.product([0, 1], repeat=rows * columns))), 2)
    return SimpleNamespace(run=run, joint_table=lambda: SimpleNamespace(f=run(every).f[None]))


def slope_by_differences(family, f, theta, noise, step=0.05):
    """Return mean and standard error of grad E f(z*), by central differences with shared noise."""
    pairs = []
    for unit in np.eye(len(theta)):
        above, below = (f.run(family.argmax(theta + side * step * unit + noise)).f for side in (1, -1))
        pairs.append((above - below) / (2 * step))
    pairs = np.array(pairs)
    return pairs.mean(axis=1), pairs.std(axis=1) / np.sqrt(len(noise))


@pytest.mark.slow
def test_direct_and_perturbed_estimate_the_gradient_of_a_nonlinear_f(rng):
    """Both agree with differences of E f within the standard errors, and an error of 20 % would be detected.

    Direct uses the joint arg max and a small eps; perturbed is unbiased.  A grid of 3 x 3 cells has six paths.
    """
    family, draws, theta = Paths(3, 3), 200_000, rng.normal(size=9)
    f = sine_waves(3, 3, rng)
    truth, error = slope_by_differences(family, f, theta, gumbel.sample((draws, 9), np.random.default_rng(3)))
    many = np.broadcast_to(theta, (draws, 9))
    grads = {"direct-joint": estimators.get("direct-joint").estimate(many, f, rng, eps=0.05, family=family).grad,
             "perturbed": estimators.get("perturbed").estimate(many, f, rng, family=family,
                                                               memory=reinforce.memory(9, 2)).grad}
    assert np.abs(truth).max() > 0.2 and (truth[[0, 8]] == 0).all()        # all paths share the first and the last cell
    for name, grad in grads.items():
        both = np.hypot(error, grad.std(axis=0) / np.sqrt(draws)).clip(1e-12)
        assert np.abs((grad.mean(axis=0) - truth) / both).max() < 4.5, name
        assert np.abs((grad.mean(axis=0) - 1.2 * truth) / both).max() > 6, name
