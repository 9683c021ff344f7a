"""Gradient terms of labelled images: their means, and the objectives of which these are the gradients."""
from __future__ import annotations

import numpy as np
import pytest
from scipy.special import log_softmax, softmax

from refimpl.estimators import label_terms
from refimpl.nn.gradcheck import gradcheck, worst
from tests.asserts import assert_close_in_norm, z_scores
from tests.estimators.label_loops import worst_difference

K, DRAWS = 5, 200_000


@pytest.fixture
def h(rng):
    return 1.5 * rng.normal(size=K)


def mean_formula(name, h, y, eps):
    q = softmax(h)
    return {"released": (np.eye(K)[y] - q) / eps, "cross-entropy": np.eye(K)[y] - q,
            "direct-loss": (softmax(h + eps * np.eye(K)[y]) - q) / eps}[name]


@pytest.mark.parametrize("name", list(label_terms.REGISTRY))
@pytest.mark.parametrize("eps", [0.05, 1.0])
def test_labelled_term_has_the_mean_of_its_formula(name, eps, h, rng):
    y = int(h.argmin())
    draws = label_terms.REGISTRY[name](np.broadcast_to(h, (DRAWS, K)), np.full(DRAWS, y), rng, eps)
    if name == "cross-entropy":                                             # no noise
        assert_close_in_norm(draws, mean_formula(name, h, y, eps), 1e-14)
        return
    assert np.abs(z_scores(draws, mean_formula(name, h, y, eps))).max() < 4
    if eps == 1.0:                                                          # a wrong eps is detected
        assert np.abs(z_scores(draws, mean_formula(name, h, y, 2 * eps))).max() > 4


@pytest.mark.parametrize("name, objective", [
    ("released", lambda h, y, eps: log_softmax(h)[y] / eps), ("cross-entropy", lambda h, y, eps: log_softmax(h)[y]),
    ("direct-loss", lambda h, y, eps: np.log1p(softmax(h)[y] * np.expm1(eps)) / eps)])
def test_mean_of_labelled_term_is_the_gradient_of_its_objective(name, objective, h, rng):
    y, eps = 2, 0.7
    checks = gradcheck(lambda: objective(h, y, eps), h, mean_formula(name, h, y, eps), rng)
    assert worst(checks) < 1e-7


@pytest.mark.parametrize("name", ["released", "direct-loss", "cross-entropy"])
def test_labelled_terms_agree_with_plain_loops(name):
    assert worst_difference(name) < 1e-12


def test_registry_contains_three_labelled_terms():
    assert list(label_terms.REGISTRY) == ["released", "direct-loss", "cross-entropy"]


def test_mean_of_direct_loss_has_the_right_limits_for_small_and_large_eps(h):
    y, q = int(h.argmin()), softmax(h)
    small, large = mean_formula("direct-loss", h, y, 1e-7), mean_formula("direct-loss", h, y, 60.0)
    np.testing.assert_allclose(small, q[y] * (np.eye(K)[y] - q), rtol=1e-5)                 # the gradient of q(y)
    np.testing.assert_allclose(large, mean_formula("released", h, y, 60.0), rtol=1e-10)


@pytest.mark.parametrize("labels, problem", [([0, 1], "labels must lie in 0 ... 1, got 0 ... 5"),
                                             ([0.5, 1], "integers")])
@pytest.mark.parametrize("name", list(label_terms.REGISTRY))
def test_invalid_labels_are_rejected(name, labels, problem, rng):
    labels = np.asarray(labels) * (5 if problem.startswith("labels") else 1)
    with pytest.raises((ValueError, TypeError), match=problem.replace("...", r"\.\.\.")):
        label_terms.REGISTRY[name](np.zeros((2, 2)), labels, rng, 0.1)


@pytest.mark.parametrize("eps", [0.0, -1.0, np.nan])
@pytest.mark.parametrize("name", ["released", "direct-loss"])
def test_invalid_eps_is_rejected(name, eps, rng):
    with pytest.raises(ValueError, match="eps must be"):
        label_terms.REGISTRY[name](np.zeros((2, 3)), np.array([0, 1]), rng, eps)
