"""What labels teach: the mean of each term against its formula, and what the formula is the gradient of."""
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
def test_the_mean_of_each_labelled_term(name, eps, h, rng):
    y = int(h.argmin())
    draws = label_terms.REGISTRY[name](np.broadcast_to(h, (DRAWS, K)), np.full(DRAWS, y), rng, eps)
    if name == "cross-entropy":                                             # no noise
        assert_close_in_norm(draws, mean_formula(name, h, y, eps), 1e-14)
        return
    assert np.abs(z_scores(draws, mean_formula(name, h, y, eps))).max() < 4
    if eps == 1.0:                                                          # and the measurement sees a wrong eps
        assert np.abs(z_scores(draws, mean_formula(name, h, y, 2 * eps))).max() > 4


@pytest.mark.parametrize("name, objective", [
    ("released", lambda h, y, eps: log_softmax(h)[y] / eps), ("cross-entropy", lambda h, y, eps: log_softmax(h)[y]),
    ("direct-loss", lambda h, y, eps: np.log1p(softmax(h)[y] * np.expm1(eps)) / eps)])
def test_the_mean_is_the_gradient_that_the_docstring_names(name, objective, h, rng):
    y, eps = 2, 0.7
    checks = gradcheck(lambda: objective(h, y, eps), h, mean_formula(name, h, y, eps), rng)
    assert worst(checks) < 1e-7


@pytest.mark.parametrize("name", ["released", "direct-loss", "cross-entropy"])
def test_terms_are_their_formulas(name):
    assert worst_difference(name) < 1e-12


def test_there_are_three_terms():
    assert list(label_terms.REGISTRY) == ["released", "direct-loss", "cross-entropy"]


def test_limits_of_direct_loss(h):
    y, q = int(h.argmin()), softmax(h)
    small, large = mean_formula("direct-loss", h, y, 1e-7), mean_formula("direct-loss", h, y, 60.0)
    np.testing.assert_allclose(small, q[y] * (np.eye(K)[y] - q), rtol=1e-5)                 # the gradient of q(y)
    np.testing.assert_allclose(large, mean_formula("released", h, y, 60.0), rtol=1e-10)


@pytest.mark.parametrize("labels, problem", [([0, 1], "labels must lie in 0 ... 1, got 0 ... 5"),
                                             ([0.5, 1], "integers")])
@pytest.mark.parametrize("name", list(label_terms.REGISTRY))
def test_bad_labels(name, labels, problem, rng):
    labels = np.asarray(labels) * (5 if problem.startswith("labels") else 1)
    with pytest.raises((ValueError, TypeError), match=problem.replace("...", r"\.\.\.")):
        label_terms.REGISTRY[name](np.zeros((2, 2)), labels, rng, 0.1)


@pytest.mark.parametrize("eps", [0.0, -1.0, np.nan])
@pytest.mark.parametrize("name", ["released", "direct-loss"])
def test_bad_eps(name, eps, rng):
    with pytest.raises(ValueError, match="eps must be"):
        label_terms.REGISTRY[name](np.zeros((2, 3)), np.array([0, 1]), rng, eps)
