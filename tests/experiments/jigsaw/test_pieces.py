"""Tiles, what a matching is worth, and the network: each by its definition or by differences."""
from __future__ import annotations

import numpy as np
import pytest
from scipy.special import log_softmax, logsumexp

from refimpl import data
from refimpl.experiments.jigsaw import gradients, network, tiles
from refimpl.experiments.jigsaw.gradients import Puzzle
from refimpl.experiments.jigsaw.network import Scorer
from refimpl.experiments.jigsaw.objectives import Likelihood, Mixture, Places, best
from refimpl.latent import sets
from refimpl.nn.gradcheck import gradcheck
from refimpl.nn.parameters import bind
from tests.differences import central


@pytest.fixture(scope="module")
def x():
    return data.load("mnist").test.images(slice(0, 40))


# --- tiles ------------------------------------------------------------------------------------------------------------

def lost(side: int, x: np.ndarray, module=tiles) -> float:
    """How many pixels of an image are not what they were, after cutting, shuffling and putting together by y."""
    shuffled, y = module.shuffle(module.cut(x, side), np.random.default_rng(1))
    whole = x.reshape(-1, 28, 28)[:, :side * (28 // side), :side * (28 // side)]
    return float((module.assemble(shuffled, y, side) != whole).sum() / len(x))


@pytest.mark.parametrize("side", [2, 3, 4])
def test_matching_undoes_the_shuffling(side, x):
    assert lost(side, x) == 0
    cut = tiles.cut(x, side)
    shuffled, y = tiles.shuffle(cut, np.random.default_rng(1))
    assert cut.shape == (len(x), side**2, (28 // side)**2)
    np.testing.assert_array_equal(np.einsum("bij,bip->bjp", y, shuffled), cut)
    assert (y.sum(axis=1) == 1).all() and (y.sum(axis=2) == 1).all()
    assert len(np.unique(y.argmax(axis=2), axis=0)) > 15                        # an order of its own for each image


def test_three_tiles_of_nine_pixels_leave_out_the_last_row_and_column(x):
    assert tiles.cut(x, 3).shape == (len(x), 9, 81)
    np.testing.assert_array_equal(tiles.cut(x, 3)[:, 8].reshape(-1, 9, 9), x.reshape(-1, 28, 28)[:, 18:27, 18:27])


def test_right_compares_pixels(x):
    shuffled, y = tiles.shuffle(tiles.cut(x, 4), np.random.default_rng(1))
    R, whole = tiles.right(shuffled, y), tiles.cut(x, 4)
    for image in (0, 7, 20):
        for i in range(16):
            for j in range(16):
                assert R[image, i, j] == (shuffled[image, i] == whole[image, j]).all()
    np.testing.assert_array_equal((R * y).sum(axis=(1, 2)), 16)
    assert (R.sum(axis=(1, 2)) > 17).mean() > 0.9                               # black tiles are in nearly all of them


def test_matching_that_exchanges_identical_tiles_is_right(x):
    shuffled, y = tiles.shuffle(tiles.cut(x, 4), np.random.default_rng(1))
    R = tiles.right(shuffled, y)
    image = int(R.sum(axis=(1, 2)).argmax())
    i, k = np.flatnonzero(~shuffled[image].any(axis=1))[:2]                     # two black ones
    other = y[image].copy()
    other[[i, k]] = other[[k, i]]
    assert (R[image] * other).sum() == 16 and (y[image] * other).sum() == 14


# --- the network ------------------------------------------------------------------------------------------------------

def worst_of_network(module=network) -> float:
    rng = np.random.default_rng(0)
    scorer = module.Scorer(6, 3, 5, np.float64)
    scorer.initialise(rng)
    x, weights = rng.normal(size=(4, 3, 6)), rng.normal(size=(4, 3, 3))
    scores = scorer.run(x)
    scores.backward(np.tanh(scores.theta) * weights, 0.5)
    checks = gradcheck(lambda: float(0.5 * (weights * np.log(np.cosh(scorer.run(x).theta))).sum()),
                       scorer.parameters.values, scorer.parameters.grads, rng)
    return max(check.error for check in checks)


def test_network_backward_pass_equals_finite_differences():
    assert worst_of_network() < 1e-7


def test_scores_are_permuted_with_the_tiles(rng, x):
    scorer = Scorer(49, 16, 8, np.float64)
    scorer.initialise(rng)
    shuffled = tiles.cut(x, 4)
    order = rng.permutation(16)
    theta = scorer.run(shuffled).theta
    np.testing.assert_allclose(scorer.run(shuffled[:, order]).theta, theta[:, order], atol=1e-12)
    assert np.abs(theta[:, 0] - theta[:, 5]).max() > 1e-3


def moved(method: str, x: np.ndarray, exchange: bool, right: bool, **keywords) -> np.ndarray:
    """The parameters' gradient, where the truth says one or the other of two identical tiles for a place."""
    rng = np.random.default_rng(2)
    scorer = Scorer(49, 16, 4, np.float64)
    scorer.initialise(rng)
    shuffled, y = tiles.shuffle(tiles.cut(x, 4), rng)
    if exchange:
        for image in range(len(x)):
            i, k = np.flatnonzero(~shuffled[image].any(axis=1))[:2]
            y[image, [i, k]] = y[image, [k, i]]
    scores = scorer.run(shuffled)
    puzzle = Puzzle(Places(tiles.right(shuffled, y) if right else y), y)
    scores.backward(gradients.METHODS[method](scores.theta, puzzle, rng, **keywords))
    return scorer.parameters.grads


@pytest.mark.parametrize("method, right, same", [("fenchel-young", False, True), ("cross-entropy", False, True),
                                                 ("reinforce", True, True), ("reinforce", False, False)])
def test_effect_of_exchanging_identical_tiles_in_the_truth(x, method, right, same):
    """Their scores are the same, and so are their gradients' ways into the weights: a method that says y - z does not
    notice; one that multiplies by f does, unless f compares pixels."""
    one, other = (moved(method, x[:10], exchange, right) for exchange in (False, True))
    assert (np.abs(one - other).max() < 1e-9 * np.abs(one).max()) == same


# --- what a matching is worth -----------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def mixture(x):
    return Mixture(x, 3, np.random.default_rng(0), rounds=3)


@pytest.mark.parametrize("side", [2, 4])
def test_likelihood_of_the_true_matching_is_that_of_the_image(side, x, mixture):
    """28 pixels can be divided by 2 and by 4: nothing is left out."""
    shuffled, y = tiles.shuffle(tiles.cut(x, side), np.random.default_rng(1))
    expected = logsumexp(mixture.joint(x.astype(float)), axis=1)
    np.testing.assert_allclose(mixture.objective(shuffled, side).value(y), expected, rtol=1e-6)


def test_tangent_is_the_gradient_and_a_lower_bound(rng):
    f = Likelihood(rng.normal(size=(5, 3, 3, 4)), np.log(np.full(4, 0.25)))
    z = rng.random((5, 3, 3))
    np.testing.assert_allclose(f.tangent(z).reshape(-1), central(lambda z: f.value(z).sum(), z), atol=1e-8)
    for other in sets.matchings(3).values():
        line = f.value(z) + (f.tangent(z) * (other - z)).sum(axis=(1, 2))
        assert (f.value(np.broadcast_to(other, z.shape)) >= line - 1e-12).all()


def test_expectation_maximisation_increases_the_likelihood(x):
    worth = [logsumexp(Mixture(x, 3, np.random.default_rng(0), rounds).joint(x.astype(float)), axis=1).mean()
             for rounds in (1, 2, 5, 10)]
    assert (np.diff(worth) > 0).all()


def test_mixture_is_a_probability_distribution_of_images():
    """Over all 2^784 images it sums to one if each pixel does: of one component, the frequencies of the pixels."""
    x = (np.random.default_rng(0).random((30, 784)) < 0.3).astype(float)
    one = Mixture(x, 1, np.random.default_rng(0))
    np.testing.assert_allclose(one.mean[0], (x.sum(axis=0) + 0.5) / 31)
    assert logsumexp(Mixture(x, 4, np.random.default_rng(0)).log_pi) == pytest.approx(0, abs=1e-12)


def test_best_equals_the_best_of_all_matchings(rng):
    """Of three tiles all six matchings are compared; with one component it is exact, with more it is nearly always."""
    every = sets.matchings(3).values()
    for components, share in ((1, 1.0), (3, 0.95)):
        f = Likelihood(3 * rng.normal(size=(200, 3, 3, components)), log_softmax(np.zeros(components)))
        values = np.stack([f.value(np.broadcast_to(z, (200, 3, 3))) for z in every], axis=1)
        assert (np.isclose(f.value(best(f)), values.max(axis=1))).mean() >= share


def test_scorer_keeps_the_dtype_of_its_parameters(x):
    """float32 parameters are what runs have; bind() gives them."""
    scorer = Scorer(196, 4, 3)
    bind([scorer.tile, scorer.head], np.float32)
    assert scorer.run(tiles.cut(x, 2)).theta.dtype == np.float32
