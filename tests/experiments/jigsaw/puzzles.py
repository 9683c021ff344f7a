"""Small jigsaws with a known truth: scores of two tiles, whose law of z* is a formula, and how far a mean is off."""
from __future__ import annotations

import numpy as np

from refimpl.experiments.jigsaw import gradients
from refimpl.experiments.jigsaw.gradients import Puzzle
from refimpl.experiments.jigsaw.objectives import Places
from refimpl.latent import sets
from tests.asserts import z_scores
from tests.differences import central
from tests.latent.linear_laws import matching_law

EPS = 0.7
THETA = np.array([[0.3, -0.4], [0.1, 0.5]])
C = np.array([[1.0, 0.0], [0.4, 0.8]])
TWO, DRAWS = sets.matchings(2), 6_000


def mu(theta: np.ndarray) -> np.ndarray:
    """Return the exact E z* of two tiles."""
    return np.tensordot(matching_law(TWO, theta), TWO.values(), 1)


def truth(method: str) -> np.ndarray:
    """Return the exact mean of the method's gradient, which for reinforce is the gradient of E f(z*)."""
    return {"direct": (mu(THETA + EPS * C) - mu(THETA)) / EPS, "fenchel-young": np.eye(2) - mu(THETA),
            "reinforce": central(lambda theta: (C * mu(theta)).sum(), THETA).reshape(2, 2)}[method]


def puzzle(theta: np.ndarray = THETA, c: np.ndarray = C, draws: int = DRAWS) -> tuple[np.ndarray, Puzzle]:
    """Return a puzzle with the same scores many times, for many draws of the noise."""
    many = np.broadcast_to(theta, (draws, *theta.shape))
    return many, Puzzle(Places(np.broadcast_to(c, many.shape)), np.broadcast_to(np.eye(len(theta)), many.shape))


def off(method: str, module=gradients) -> float:
    """Return the largest deviation of an entry of the mean of this module's method, in standard errors."""
    theta, problem = puzzle()
    keywords = {"eps": EPS} if method == "direct" else {}
    made = module.METHODS[method](theta, problem, np.random.default_rng(3), **keywords)
    return float(np.abs(z_scores(made, truth(method))).max())
