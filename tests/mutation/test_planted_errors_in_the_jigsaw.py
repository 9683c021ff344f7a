"""Planted errors in the jigsaw: see test_planted_errors_in_the_estimators.py."""
from __future__ import annotations

import numpy as np
import pytest

from refimpl import data
from refimpl.experiments.jigsaw import gradients, network, sinkhorn, tiles
from refimpl.latent import linear, sets
from tests.experiments.jigsaw.puzzles import EPS, off, puzzle
from tests.experiments.jigsaw.test_gradients import worst_sinkhorn
from tests.experiments.jigsaw.test_pieces import lost, worst_of_network
from tests.mutation.slips import planted


@pytest.mark.parametrize("function, right, wrong", [
    ("fenchel_young", "puzzle.y - _mean", "_mean - puzzle.y"),
    ("fenchel_young", "family.sample(theta, rng)", "family.argmax(theta)"),             # no noise
    ("reinforce", "1 - np.exp(-(each + gumbel.EULER))", "np.exp(-(each + gumbel.EULER)) - 1"),
    ("reinforce", "np.exp(-(each + gumbel.EULER))", "np.exp(-each)"),
    ("reinforce", "_ahead * samples / (samples - 1)", "_ahead"),                        # baseline with the own f
    ("reinforce", "family.sample(theta, each)", "family.sample(theta, rng)")])          # not the noise of the score
def test_exact_mean_detects_planted_errors(function, right, wrong):
    assert off(function.replace("_", "-"), planted(gradients, right, wrong, function)) > 8


def test_transposed_matching_is_detected():
    """Use a cyclic matching of three tiles, because matchings of two are symmetric.  Certain scores give gradient 0."""
    turn = np.eye(3)[[1, 2, 0]]
    theta, problem = puzzle(60 * turn, turn, 50)
    problem = problem._replace(y=problem.objective.c)
    slipped = planted(gradients, "family.sample(theta, rng)", "family.sample(theta, rng).transpose(0, 2, 1)",
                      "fenchel_young")
    largest = [np.abs(each.fenchel_young(theta, problem, np.random.default_rng(0))).max()
               for each in (gradients, slipped)]
    assert largest == [0, 1]


@pytest.mark.parametrize("right, wrong", [("self._solve(noisy + step * c)", "self._solve(noisy - step * c)"),
                                          ("(second - first) / _width", "second - first")])
def test_exact_mean_of_direct_detects_planted_errors(right, wrong, monkeypatch):
    family = sets.matchings(2)
    slipped = planted(linear, right, wrong).Linear((2, 2), family._argmax, family.values, True)
    monkeypatch.setattr(gradients, "matchings", lambda n: slipped)
    assert off("direct") > 8


def test_noise_that_is_not_shared_is_detected(monkeypatch):
    family = sets.matchings(2)
    slipped = planted(linear, "self._solve(noisy + step * c)", "self._solve(self.perturb(theta, noise) + step * c)"
                      ).Linear((2, 2), family._argmax, family.values, True)
    theta, problem = puzzle(draws=300)
    monkeypatch.setattr(gradients, "matchings", lambda n: slipped)
    gained = (gradients.direct(theta, problem, np.random.default_rng(3), EPS) * problem.objective.c).sum(axis=(1, 2))
    assert (gained < -1e-12).sum() > 30


@pytest.mark.parametrize("right, wrong", [("dL.transpose(2, 0, 1) / tau", "dL.transpose(2, 0, 1)"),
                                          ("(ROWS, COLUMNS)[place % 2]", "(COLUMNS, ROWS)[place % 2]"),
                                          ("made[-1] * dP.transpose(1, 2, 0)", "dP.transpose(1, 2, 0)"),
                                          ("made[-1] * dP.transpose(1, 2, 0)", "made[-1] * dP.transpose(2, 1, 0)")])
def test_differences_detect_planted_errors_in_sinkhorn(right, wrong):
    assert worst_sinkhorn(planted(sinkhorn, right, wrong, "backward")) > 1e-3


@pytest.mark.parametrize("right, wrong", [("de + dmean.mean(axis=1, keepdims=True)", "de"),
                                          ("de + dmean.mean(axis=1, keepdims=True)", "de + dmean"),
                                          ("dmean.mean(axis=1, keepdims=True)", "dmean.sum(axis=1, keepdims=True)")])
def test_differences_detect_planted_errors_in_the_network(right, wrong):
    assert worst_of_network(planted(network, right, wrong)) > 1e-3


@pytest.mark.parametrize("function, right, wrong", [
    ("assemble", "z.argmax(axis=1)", "z.argmax(axis=2)"),                               # transposed matching
    ("shuffle", "gumbel.one_hot(place, tiles.shape[1])", "gumbel.one_hot(place, tiles.shape[1]).transpose(0, 2, 1)"),
    ("cut", "x.reshape(-1, side, high, side, high).transpose(0, 1, 3, 2, 4)",
     "x.reshape(-1, side, high, side, high).transpose(0, 3, 1, 2, 4)")])
def test_lost_pixels_are_detected(function, right, wrong):
    x = data.load("mnist").test.images(slice(0, 10))
    assert lost(3, x, planted(tiles, right, wrong, function)) > 20
