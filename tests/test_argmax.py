"""Solvers of the pairwise arg max: against each other on thousands of instances, with ties, and with planted errors."""
from __future__ import annotations

import itertools

import numpy as np
import pytest

from refimpl import argmax
from refimpl.argmax import base, coordinate, enumeration, maxflow, milp, persistency
from refimpl.checks import InputError


def instances(rng, batch, n, sign, scale=1.0):
    """Random scores around the point where pairs matter: unary ones centred so that about half the variables are on."""
    w = scale * rng.normal(size=(batch, n * (n - 1) // 2)) / np.sqrt(n)
    w = np.abs(w) if sign == "non-negative" else w
    u = rng.normal(size=(batch, n)) - (base.matrix(w, n).sum(axis=2) / 2)
    return u, w


def best_by_loops(u, w):
    n = len(u)
    def score(z):
        pairs = itertools.combinations(range(n), 2)
        return sum(u[i] * z[i] for i in range(n)) + sum(w[p] * z[i] * z[j] for p, (i, j) in enumerate(pairs))
    return max(itertools.product((0, 1), repeat=n), key=score)


@pytest.mark.parametrize("sign", ["non-negative", "any"])
@pytest.mark.parametrize("n", [1, 2, 5])
def test_enumeration_by_plain_loops(rng, n, sign):
    u, w = instances(rng, 30, n, sign)
    z = enumeration.argmax(u, w)
    for b in range(30):
        assert tuple(z[b]) == best_by_loops(u[b], w[b])


@pytest.mark.parametrize("sign", ["non-negative", "any"])
@pytest.mark.parametrize("n", [2, 4, 7, 11])
@pytest.mark.parametrize("scale", [0.3, 1.0, 5.0])
def test_persistency_agrees_with_enumeration(rng, n, sign, scale):
    u, w = instances(rng, 1_000, n, sign, scale)
    assert (persistency.argmax(u, w) == enumeration.argmax(u, w)).all()


@pytest.mark.parametrize("n", [1, 2, 4, 7, 11])
@pytest.mark.parametrize("scale", [0.3, 1.0, 5.0])
def test_maxflow_agrees_with_enumeration_within_the_proven_bound(rng, n, scale):
    u, w = instances(rng, 300, n, "non-negative", scale)
    loss = base.score(u, w, enumeration.argmax(u, w)) - base.score(u, w, maxflow.argmax(u, w))
    bound = maxflow.quantisation_bound(u, w)
    assert (loss <= bound).all() and (bound < 1e-4).all()
    assert (loss >= -1e-12).all()


@pytest.mark.parametrize("sign", ["non-negative", "any"])
@pytest.mark.parametrize("n", [1, 2, 5, 8])
def test_milp_agrees_with_enumeration(rng, n, sign):
    u, w = instances(rng, 60, n, sign, 3.0)
    loss = base.score(u, w, enumeration.argmax(u, w)) - base.score(u, w, milp.argmax(u, w))
    assert np.abs(loss).max() < 1e-6


def test_coordinate_ascent_is_a_local_maximum_and_not_always_the_global_one(rng):
    u, w = instances(rng, 500, 8, "any", 5.0)
    z = coordinate.argmax(u, w)
    score = base.score(u, w, z)
    for i in range(8):
        changed = z.copy()
        changed[:, i] = 1 - changed[:, i]
        assert (base.score(u, w, changed) <= score + 1e-12).all()
    best = base.score(u, w, enumeration.argmax(u, w))
    assert (score <= best + 1e-12).all() and (score < best - 1e-6).any()


@pytest.mark.parametrize("name", [name for name, solver in argmax.REGISTRY.items() if solver.exact])
def test_ties_and_zeros(name):
    """All scores 0, or two equal maximisers: any maximiser will do."""
    solver = argmax.get(name)
    for u, w in ((np.zeros((1, 3)), np.zeros((1, 3))), (np.array([[-1.0, -1.0]]), np.array([[2.0]])),
                 (np.array([[1.0, 0.0, -1.0]]), np.zeros((1, 3)))):
        z = solver.argmax(u, w)
        assert base.score(u, w, z) == pytest.approx(base.score(u, w, enumeration.argmax(u, w)), abs=1e-6)
        assert z.dtype == np.int8 and z.shape == u.shape


def test_large_n_for_the_polynomial_solvers(rng):
    """n = 30 is beyond enumeration; max-flow and persistency-reduced instances must agree with the integer program."""
    u, w = instances(rng, 5, 30, "non-negative", 1.0)
    flow, program = (base.score(u, w, solver.argmax(u, w)) for solver in (maxflow, milp))
    assert np.abs(flow - program).max() < 1e-4
    assert (base.score(u, w, coordinate.argmax(u, w)) <= flow + 1e-4).all()


def test_extreme_scores(rng):
    u, w = instances(rng, 50, 6, "non-negative")
    for factor in (1e-8, 1e6):
        z = maxflow.argmax(factor * u, factor * w)
        loss = base.score(u, w, enumeration.argmax(u, w)) - base.score(u, w, z)
        assert (factor * loss <= maxflow.quantisation_bound(factor * u, factor * w) * (1 + 1e-6)).all()
        program = milp.argmax(factor * u[:10], factor * w[:10])
        assert (program == enumeration.argmax(u[:10], w[:10])).all()


def test_float32_and_blocks(rng, monkeypatch):
    u, w = (a.astype(np.float32) for a in instances(rng, 40, 6, "any"))
    whole = enumeration.argmax(u, w)
    monkeypatch.setattr(enumeration, "SCORES", 3 * 2**6)
    assert (enumeration.argmax(u, w) == whole).all()
    assert (persistency.argmax(u, w) == whole).all()
    assert enumeration.argmax(u[:0], w[:0]).shape == (0, 6)


# --- planted errors --------------------------------------------------------------------------------------------------------------

def test_a_max_flow_with_halved_edges_is_caught(rng, monkeypatch):
    u, w = instances(rng, 300, 7, "non-negative", 3.0)
    best = base.score(u, w, enumeration.argmax(u, w))
    terminals = maxflow._terminals(u, w)
    monkeypatch.setattr(maxflow, "_terminals", lambda *_: terminals)
    assert (best - base.score(u, w, maxflow.argmax(u, w)) <= maxflow.quantisation_bound(u, w)).all()
    halved = maxflow.argmax(u, w / 2)                           # terminals right, edges between variables at half their capacity
    assert (best - base.score(u, w, halved) > 1e-3).any()


def test_a_persistency_that_fixes_too_much_is_caught(rng, monkeypatch):
    right = persistency.matrix
    monkeypatch.setattr(persistency, "matrix", lambda w, n: 0.8 * right(w, n))
    u, w = instances(rng, 300, 7, "any", 3.0)
    assert (persistency.argmax(u, w) != enumeration.argmax(u, w)).any()


# --- bad input ---------------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("solver", list(argmax.REGISTRY.values()), ids=lambda solver: solver.name)
def test_bad_values_are_named(solver):
    for u, w, name in ((np.zeros(3), np.zeros((1, 3)), "u"), (np.zeros((2, 3)), np.zeros((2, 2)), "w"),
                       (np.full((1, 2), np.nan), np.zeros((1, 1)), "u"), (np.zeros((1, 2)), np.full((1, 1), np.inf), "w"),
                       (np.zeros((2, 0)), np.zeros((2, 0)), "u")):
        with pytest.raises(ValueError, match=f"^{name} must"):
            solver.argmax(u, w)


def test_solvers_refuse_what_they_cannot_do(rng):
    with pytest.raises(ValueError, match="^w must not be negative.*integer program"):
        maxflow.argmax(np.zeros((1, 2)), -np.ones((1, 1)))
    with pytest.raises(ValueError, match="^u must have at most 20"):
        enumeration.argmax(np.zeros((1, 21)), np.zeros((1, 210)))
    with pytest.raises(ValueError, match="uncertain"):
        persistency.argmax(np.zeros((1, 21)), np.ones((1, 210)) * rng.choice([-1, 1], 210))
    with pytest.raises(InputError, match="enumeration, persistency"):
        argmax.get("simplex")
