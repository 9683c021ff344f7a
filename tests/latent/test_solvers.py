"""Solvers of the pairwise arg max, compared on thousands of instances, also with ties; and planted errors."""
from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy.sparse import csr_array
from scipy.sparse.csgraph import maximum_flow

from refimpl.arguments import InputError
from refimpl.latent import solvers
from refimpl.latent.solvers import base, coordinate, enumeration, maxflow, milp, persistency
from tests.cases import first


def instances(rng, batch, n, sign, scale=1.0):
    """Return random scores, with unary scores such that about half of the variables are 1 at the maximum."""
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
def test_enumeration_agrees_with_plain_loops(rng, n, sign):
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


def relative_loss(u, w, z):
    """Return (max S - S(z)) / (sum of |u| and |w|), with the maximum by enumeration, so n must be small."""
    loss = base.score(u, w, enumeration.argmax(u, w)) - base.score(u, w, z)
    return loss / np.maximum(np.abs(u).sum(axis=1) + np.abs(w).sum(axis=1), np.finfo(float).tiny)


def by_max_flow(u, w):
    """Return maxflow.argmax, and check what must hold for all scores: type, shape, unchanged arguments."""
    kept = u.copy(), w.copy()
    with np.errstate(over="raise", divide="raise", invalid="raise"):
        z = maxflow.argmax(u, w)
    assert z.dtype == np.int8 and z.shape == u.shape and ((z == 0) | (z == 1)).all()
    assert (u == kept[0]).all() and (w == kept[1]).all()
    return z


ROUNDING = 1e-14            # relative to the sum of |u| and |w|: a few roundings of float64, 1e-16 each


@pytest.mark.parametrize("n", [1, 2, 4, 7, 11, 15])
@pytest.mark.parametrize("scale", [0.3, 1.0, 5.0])
def test_maxflow_agrees_with_enumeration_to_rounding(rng, n, scale):
    u, w = instances(rng, 1_000 if n < 15 else 300, n, "non-negative", scale)
    z = by_max_flow(u, w)
    assert np.abs(relative_loss(u, w, z)).max() <= ROUNDING
    assert (z == enumeration.argmax(u, w)).all()                        # these have no ties


def sparse_instances(rng, batch, n):
    """Return scores in which three pairs in ten are from 0.01 to 1: the flow must make detours and go back."""
    w = 10 ** rng.uniform(-2, 0, (batch, n * (n - 1) // 2)) * (rng.random((batch, n * (n - 1) // 2)) < 0.3)
    return rng.normal(size=(batch, n)) / 2 - base.matrix(w, n).sum(axis=2) / 2, w


@pytest.mark.parametrize("n", [3, 7, 10, 15])
def test_maxflow_is_exact_if_few_pairs_have_scores(rng, n):
    u, w = sparse_instances(rng, 2_000 if n < 15 else 100, n)
    assert np.abs(relative_loss(u, w, by_max_flow(u, w))).max() <= ROUNDING


@pytest.mark.parametrize("n", first(4, [1, 2, 5, 9, 15]))
def test_maxflow_is_exact_for_scores_of_all_scales(rng, n):
    """First u and w each have a scale from 1e-6 to 1e6; then every single score has its own scale."""
    batch, pairs = 300 if n < 15 else 50, n * (n - 1) // 2
    for u_scale, w_scale in itertools.product((1e-6, 1e-3, 1.0, 1e3, 1e6), repeat=2):
        u, w = u_scale * rng.normal(size=(batch, n)), w_scale * rng.exponential(size=(batch, pairs))
        for unary in (u, u - base.matrix(w, n).sum(axis=2) / 2):        # the second: about half the variables are 1
            assert np.abs(relative_loss(unary, w, by_max_flow(unary, w))).max() <= ROUNDING
    for span in (3, 6, 100):
        u = rng.choice([-1, 1], (batch, n)) * 10 ** rng.uniform(-span, span, (batch, n))
        w = 10 ** rng.uniform(-span, span, (batch, pairs))
        for unary in (u, u - base.matrix(w, n).sum(axis=2) / 2):
            assert np.abs(relative_loss(unary, w, by_max_flow(unary, w))).max() <= ROUNDING


@pytest.mark.parametrize("n", first(4, [1, 2, 3, 6, 10]))
def test_maxflow_is_exact_with_ties(rng, n):
    """Scores have few different values, so many z tie and pushes fill edges exactly.  Sums of halves are exact."""
    for density in (0.0, 0.3, 1.0):
        w = rng.integers(0, 4, (2_000, n * (n - 1) // 2)) * (rng.random((2_000, n * (n - 1) // 2)) < density)
        centred = rng.integers(-2, 3, (2_000, n)) - base.matrix(w, n).sum(axis=2) / 2
        for u in (rng.integers(-3, 4, (2_000, n)) / 2, centred):
            assert (relative_loss(u, w, by_max_flow(u, w)) == 0).all()


def test_maxflow_without_pair_scores_selects_the_positive_scores(rng):
    for n in (1, 2, 15, 60):
        u = rng.normal(size=(200, n))
        assert (by_max_flow(u, np.zeros((200, n * (n - 1) // 2))) == (u > 0)).all()


@pytest.mark.parametrize("factor", [1e-300, 1e-8, 1e6, 1e290, 1e300])
def test_maxflow_is_exact_for_extreme_capacities(rng, factor):
    for n in (1, 2, 6, 15):
        u, w = instances(rng, 100, n, "non-negative", 3.0)
        assert (by_max_flow(factor * u, factor * w) == enumeration.argmax(u, w)).all()


def test_maxflow_is_exact_for_the_largest_and_smallest_floats():
    for number in (np.finfo(float).max, np.finfo(float).tiny, np.nextafter(0, 1)):
        assert (by_max_flow(np.full((1, 2), -number), np.full((1, 1), number)) == 0).all()          # -2 + 1
        assert (by_max_flow(np.full((1, 4), -number), np.full((1, 6), number)) == 1).all()          # -4 + 6
        assert (by_max_flow(np.array([[-number, number]]), np.zeros((1, 1))) == [0, 1]).all()
    u, w = np.array([[-1e300, 1e-300, -1e-300]]), np.array([[1e300, 1e-300, 0.0]])
    assert base.score(u, w, by_max_flow(u, w)) >= 0
    u, w = np.array([[1.0, -1e-300]]), np.array([[1e-300]])
    assert by_max_flow(u, w)[0, 0] == 1


@pytest.mark.parametrize("n", [1, 2, 15])
def test_maxflow_does_not_depend_on_batch_size_blocks_or_order(rng, n, monkeypatch):
    u, w = instances(rng, 5_000, n, "non-negative", 3.0)
    whole = by_max_flow(u, w)
    assert np.abs(relative_loss(u[:500], w[:500], whole[:500])).max() <= ROUNDING
    assert by_max_flow(u[:0], w[:0]).shape == (0, n)
    for b in range(0, 5_000, 50):                                       # images do not influence each other
        assert (by_max_flow(u[b:b + 1], w[b:b + 1]) == whole[b]).all()
    for rooms in (1, 7 * n**2, 10**9):                                  # blocks of 1 image, of 7, and all images
        monkeypatch.setattr(maxflow, "ROOMS", rooms)
        assert (by_max_flow(u[:200], w[:200]) == whole[:200]).all()
    order = rng.permutation(5_000)
    assert (by_max_flow(u[order], w[order]) == whole[order]).all()
    assert (by_max_flow(1e300 * u, 1e300 * w) == whole).all()


def scipy_flow(u, w):
    """Return SciPy's maximum flow and the sum of the capacities from the source, for integers u and even integers w."""
    n = len(u)
    i, j = base.pairs(n)
    t = -u - base.matrix(w[None], n)[0].sum(axis=1) // 2
    start = np.concatenate([np.where(t < 0, n, np.arange(n)), i, j]).astype(np.int32)
    end = np.concatenate([np.where(t < 0, np.arange(n), n + 1), j, i]).astype(np.int32)
    capacity = np.concatenate([np.abs(t), w // 2, w // 2]).astype(np.int32)
    graph = csr_array((capacity, (start, end)), shape=(n + 2, n + 2))
    return maximum_flow(graph, n, n + 1).flow_value, np.maximum(-t, 0).sum()


@pytest.mark.parametrize("n, batch, density", [(2, 50, 1.0), (15, 100, 1.0), (15, 100, 0.2), (40, 20, 1.0),
                                               (40, 20, 0.1), (200, 3, 1.0), (200, 3, 0.015)])
def test_maxflow_cut_equals_the_maximum_flow_of_scipy(rng, n, batch, density):
    """A cut whose value equals the maximum flow is a minimum cut, also for large n.  All numbers are integers."""
    w = 2 * rng.integers(0, 100, (batch, n * (n - 1) // 2)) * (rng.random((batch, n * (n - 1) // 2)) < density)
    u = rng.integers(-300, 301, (batch, n)) - base.matrix(w, n).sum(axis=2) // 2
    score = base.score(u, w, by_max_flow(u, w))
    for b in range(batch):
        value, supply = scipy_flow(u[b], w[b])
        assert score[b] == supply - value
    assert (score > 0).any()


def sweeps(monkeypatch, u, w):
    """Return the number of sweeps that max-flow needs for the slowest image, and its z."""
    count, sweep = [], maxflow._sweep
    with monkeypatch.context() as patch:
        patch.setattr(maxflow, "_sweep", lambda *arguments: (count.append(1), sweep(*arguments))[1])
        z = by_max_flow(u, w)
    return len(count), z


def test_maxflow_needs_at_most_the_proven_number_of_sweeps(rng, monkeypatch):
    for n in (2, 4, 8, 12):
        for span in (0.1, 1, 16):                                       # w almost equal, or of many magnitudes
            w = 10 ** rng.uniform(-span, 0, (60, n * (n - 1) // 2))
            u = rng.normal(size=(60, n)) - base.matrix(w, n).sum(axis=2) / 2
            for b in range(60):
                assert sweeps(monkeypatch, u[b:b + 1], w[b:b + 1])[0] <= n**2
    u, w = instances(rng, 100, 15, "non-negative", 1.0)
    assert sweeps(monkeypatch, u, w)[0] <= 15                           # in practice


def test_maxflow_needs_one_sweep_for_a_long_chain(monkeypatch):
    """All excess is at one end and the sink at the other: one sweep sends as much as the narrowest edge allows."""
    n = 60
    i, j = base.pairs(n)
    for narrowest in (0, 30, 58):
        w = np.where(j == i + 1, 8.0, 0.0)[None]
        w[0, (i == narrowest) & (j == narrowest + 1)] = 2.0
        u = -base.matrix(w, n).sum(axis=2) / 2
        u[0, 0] += 3.0
        u[0, -1] -= 5.0
        count, z = sweeps(monkeypatch, u, w)
        assert count == 1 and (z[0] == (np.arange(n) <= narrowest)).all()


@pytest.mark.parametrize("sign", ["non-negative", "any"])
@pytest.mark.parametrize("n", first(3, [1, 2, 5, 8]))
def test_milp_agrees_with_enumeration(rng, n, sign):
    u, w = instances(rng, 60, n, sign, 3.0)
    loss = base.score(u, w, enumeration.argmax(u, w)) - base.score(u, w, milp.argmax(u, w))
    assert np.abs(loss).max() < 1e-6


def test_coordinate_ascent_returns_a_local_maximum_that_is_not_always_global(rng):
    u, w = instances(rng, 500, 8, "any", 5.0)
    z = coordinate.argmax(u, w)
    score = base.score(u, w, z)
    for i in range(8):
        changed = z.copy()
        changed[:, i] = 1 - changed[:, i]
        assert (base.score(u, w, changed) <= score + 1e-12).all()
    best = base.score(u, w, enumeration.argmax(u, w))
    assert (score <= best + 1e-12).all() and (score < best - 1e-6).any()


@pytest.mark.parametrize("name", [name for name, solver in solvers.REGISTRY.items() if solver.exact])
def test_exact_solvers_return_a_maximiser_for_ties_and_zeros(name):
    """All scores are 0, or there are two maximisers: each maximiser is correct."""
    solver = solvers.get(name)
    for u, w in ((np.zeros((1, 3)), np.zeros((1, 3))), (np.array([[-1.0, -1.0]]), np.array([[2.0]])),
                 (np.array([[1.0, 0.0, -1.0]]), np.zeros((1, 3)))):
        z = solver.argmax(u, w)
        assert base.score(u, w, z) == pytest.approx(base.score(u, w, enumeration.argmax(u, w)), abs=1e-6)
        assert z.dtype == np.int8 and z.shape == u.shape


def test_maxflow_agrees_with_integer_program_for_30_variables(rng):
    """For n = 30, which is too large for enumeration, max-flow must agree with the integer program."""
    u, w = instances(rng, 5, 30, "non-negative", 1.0)
    flow, program = (base.score(u, w, solver.argmax(u, w)) for solver in (maxflow, milp))
    assert np.abs(flow - program).max() < 1e-5
    assert (base.score(u, w, coordinate.argmax(u, w)) <= flow + 1e-12).all()


def test_maxflow_and_integer_program_are_exact_for_extreme_scores(rng):
    u, w = instances(rng, 50, 6, "non-negative")
    for factor in (1e-8, 1e6):
        z = maxflow.argmax(factor * u, factor * w)
        assert np.abs(relative_loss(u, w, z)).max() <= ROUNDING
        program = milp.argmax(factor * u[:10], factor * w[:10])
        assert (program == enumeration.argmax(u[:10], w[:10])).all()


def test_solvers_accept_float32_and_do_not_depend_on_block_size(rng, monkeypatch):
    u, w = (a.astype(np.float32) for a in instances(rng, 40, 6, "any"))
    whole = enumeration.argmax(u, w)
    monkeypatch.setattr(enumeration, "SCORES", 3 * 2**6)
    assert (enumeration.argmax(u, w) == whole).all()
    assert (persistency.argmax(u, w) == whole).all()
    assert (maxflow.argmax(u, abs(w)) == maxflow.argmax(u.astype(float), abs(w).astype(float))).all()
    assert enumeration.argmax(u[:0], w[:0]).shape == (0, 6)


# --- planted errors ---------------------------------------------------------------------------------------------------

def test_max_flow_with_halved_edges_is_detected(rng, monkeypatch):
    """The edges between variables have half their capacity."""
    u, w = instances(rng, 300, 7, "non-negative", 3.0)
    assert relative_loss(u, w, maxflow.argmax(u, w)).max() <= ROUNDING
    network = maxflow._network

    def halved(u, w):
        excess, room = network(u, w)
        return excess, room / 2

    monkeypatch.setattr(maxflow, "_network", halved)
    assert (relative_loss(u, w, maxflow.argmax(u, w)) > 1e-3).any()


def test_max_flow_without_reverse_capacities_is_detected(rng, monkeypatch):
    """Few instances reveal it, because w / 2 in each direction is usually enough room to send a flow back."""
    u, w = sparse_instances(rng, 2_000, 10)
    sweep = maxflow._sweep

    def one_way(excess, room, distance, onward):
        before = room.copy()
        sweep(excess, room, distance, onward)
        np.minimum(room, before, out=room)

    monkeypatch.setattr(maxflow, "_sweep", one_way)
    assert (relative_loss(u, w, maxflow.argmax(u, w)) > 1e-3).any()


def test_max_flow_that_stops_early_is_detected(rng, monkeypatch):
    """After one sweep the excess that was not sent is treated as cut off."""
    u, w = instances(rng, 300, 7, "non-negative", 3.0)
    sweep = maxflow._sweep

    def once(excess, room, distance, onward):
        sweep(excess, room, distance, onward)
        excess[excess > 0] = 0

    monkeypatch.setattr(maxflow, "_sweep", once)
    assert (relative_loss(u, w, maxflow.argmax(u, w)) > 1e-3).any()


def test_persistency_that_fixes_too_many_variables_is_detected(rng, monkeypatch):
    right = persistency.matrix
    monkeypatch.setattr(persistency, "matrix", lambda w, n: 0.8 * right(w, n))
    u, w = instances(rng, 300, 7, "any", 3.0)
    assert (persistency.argmax(u, w) != enumeration.argmax(u, w)).any()


# --- bad input --------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("solver", list(solvers.REGISTRY.values()), ids=lambda solver: solver.name)
def test_solver_errors_name_the_invalid_argument(solver):
    for u, w, name in ((np.zeros(3), np.zeros((1, 3)), "u"), (np.zeros((2, 3)), np.zeros((2, 2)), "w"),
                       (np.full((1, 2), np.nan), np.zeros((1, 1)), "u"),
                       (np.zeros((1, 2)), np.full((1, 1), np.inf), "w"),
                       (np.zeros((2, 0)), np.zeros((2, 0)), "u")):
        with pytest.raises(ValueError, match=f"^{name} must"):
            solver.argmax(u, w)


def test_solvers_reject_problems_that_they_cannot_solve(rng):
    with pytest.raises(ValueError, match="^w must not be negative.*integer program"):
        maxflow.argmax(np.zeros((1, 2)), -np.ones((1, 1)))
    with pytest.raises(ValueError, match="^w must not be negative.*integer program"):
        maxflow.argmax(np.zeros((1, 3)), np.array([[1.0, -1e-300, 1.0]]))
    with pytest.raises(ValueError, match="^u must have at most 20"):
        enumeration.argmax(np.zeros((1, 21)), np.zeros((1, 210)))
    with pytest.raises(ValueError, match="uncertain"):
        persistency.argmax(np.zeros((1, 21)), np.ones((1, 210)) * rng.choice([-1, 1], 210))
    with pytest.raises(InputError, match="enumeration, persistency"):
        solvers.get("simplex")


def test_registry_declares_the_properties_of_each_solver():
    """Pairwise and the command line rely on three properties: exact, needs w >= 0, largest n."""
    declared = {name: (solver.exact, solver.non_negative, solver.most) for name, solver in solvers.REGISTRY.items()}
    assert declared == {"enumeration": (True, False, 20), "persistency": (True, False, 20),
                        "maxflow": (True, True, 200), "milp": (True, False, 60), "coordinate": (False, False, 200)}


def test_coordinate_ascent_starts_at_the_positive_scores_and_keeps_ties():
    for u, w, z in (([-1.0, -1.0], [3.0], [0, 0]),                      # a local maximum; (1, 1) is better
                    ([0.0, -1.0], [0.0], [0, 0]), ([1.0, 2.0], [-1.0], [1, 1]), ([0.0, 1.0], [2.0], [1, 1])):
        assert coordinate.argmax(np.array([u]), np.array([w])).tolist() == [z]


def test_tables_of_all_values_are_cached_and_read_only():
    for n in (3, 16):
        assert enumeration.all_values(n) is enumeration.all_values(n)
    for dtype in (np.float32, np.float64):
        phi = enumeration.features(9, dtype)
        assert phi is enumeration.features(9, np.dtype(dtype)) and phi.dtype == dtype
    for n in (3, 17):
        with pytest.raises(ValueError, match="read-only"):
            enumeration.all_values(n)[0, 0] = 1
    with pytest.raises(ValueError, match="read-only"):
        enumeration.features(3, np.float64)[0, 0] = 1


def test_enumeration_uses_the_largest_allowed_blocks(rng, monkeypatch):
    """A block has at most SCORES scores, and every image is in exactly one block."""
    rows, right = [], enumeration.all_scores
    monkeypatch.setattr(enumeration, "SCORES", 3 * 2**4)
    monkeypatch.setattr(enumeration, "all_scores", lambda u, w: (rows.append(len(u)), right(u, w))[1])
    enumeration.argmax(*instances(rng, 10, 4, "any"))
    assert rows == [3, 3, 3, 1]


def test_solvers_convert_integers_to_float64_without_loss():
    """2^24 + 1 cannot be represented in float32."""
    u, w = base.check(np.array([[2**24 + 1]]), np.zeros((1, 0), int))
    assert u.dtype == w.dtype == np.float64 and u[0, 0] == 2**24 + 1
    assert base.matrix(np.array([[2.0**24 + 1]]), 2)[0, 1, 0] == 2**24 + 1
    for solver in (enumeration, persistency, maxflow, coordinate):     # S(1, 1) = 2 and S(1, 0) = 1
        assert solver.argmax(np.array([[1, -2**25]]), np.array([[2**25 + 1]])).tolist() == [[1, 1]]


def test_max_flow_computes_in_float64(rng, monkeypatch):
    """In float32 the result would have a relative error of 1e-7."""
    dtypes, network = [], maxflow._network
    monkeypatch.setattr(maxflow, "_network", lambda u, w: (dtypes.extend((u.dtype, w.dtype)), network(u, w))[1])
    u, w = (a.astype(np.float32) for a in instances(rng, 20, 6, "non-negative"))
    assert (maxflow.argmax(u, w) == enumeration.argmax(u, w)).all() and set(dtypes) == {np.dtype(np.float64)}


def test_fix_certain_fixes_variables_until_none_is_certain():
    """z_0 = 1 implies z_1 = 1, and then z_2 = 0; each follows from those fixed before.  z_3 and z_4 stay free."""
    u = np.array([[1.0, -2.0, -1.0, 0.5, 0.5]])
    W = np.zeros((1, 5, 5))
    for i, j, score in ((0, 1, 3.0), (0, 2, 1.3), (1, 2, -0.5), (3, 4, -1.0)):
        W[0, i, j] = W[0, j, i] = score
    free, ones = persistency.fix_certain(u, W)
    assert free.tolist() == [[False, False, False, True, True]]
    assert ones.tolist() == [[True, True, False, False, False]]


def test_largest_number_of_variables_is_accepted(rng, monkeypatch):
    """Both solvers that enumerate accept MOST variables and reject one more."""
    monkeypatch.setattr(enumeration, "MOST", 5)
    for solver in (enumeration, persistency):
        solver.argmax(np.zeros((1, 5)), np.zeros((1, 10)))
        with pytest.raises(ValueError, match="at most 5"):
            solver.argmax(np.zeros((1, 6)), np.zeros((1, 15)))


def test_integer_program_scales_scores_to_one_and_raises_if_unsolved(monkeypatch):
    largest, right = [], milp._one
    monkeypatch.setattr(milp, "_one", lambda u, w: (largest.append(max(np.abs(u).max(), np.abs(w).max())),
                                                    right(u, w))[1])
    for u, w in (([1.0, 2.0], [-1e3]), ([-1e3, 1.0], [1.0]), ([1.0, 1.0], [1e3])):
        z = milp.argmax(np.array([u]), np.array([w]))
        assert tuple(z[0]) == best_by_loops(np.array(u), np.array(w))
    assert largest == [1.0, 1.0, 1.0]
    monkeypatch.setattr("scipy.optimize.milp", lambda *arguments,
                        **more: type("Found", (), {"x": None, "message": "too hard"}))
    with pytest.raises(RuntimeError, match="^the integer program was not solved: too hard"):
        milp.argmax(np.ones((1, 2)), np.ones((1, 1)))


def test_integer_program_rounds_values_that_are_almost_one(monkeypatch):
    """HiGHS returns integers to a tolerance of 1e-6, so 0.9999999 means 1."""
    almost = type("Found", (), {"x": np.array([0.9999999, 1e-7, 0.0])})
    monkeypatch.setattr("scipy.optimize.milp", lambda *arguments, **more: almost)
    assert milp.argmax(np.array([[1.0, -1.0]]), np.ones((1, 1))).tolist() == [[1, 0]]


def test_integer_program_respects_pair_scores_of_one_thousandth():
    """A pair score of either sign, as small as the second unary score, decides the value of the second variable."""
    for u, w, z in (([1.0, 0.001], [-0.002], [1, 0]), ([1.0, -0.001], [0.002], [1, 1]),
                    ([1.0, 0.003], [-0.002], [1, 1]), ([1.0, -0.003], [0.002], [1, 0])):
        assert milp.argmax(np.array([u]), np.array([w])).tolist() == [z]


def test_solution_does_not_depend_on_other_images_in_the_batch(rng):
    """Scaling each image by 1e-290, 1 or 1e290, or solving it alone, gives the same z."""
    u, w = instances(rng, 60, 6, "non-negative", 3.0)
    unit = 10.0 ** rng.choice([-290, 0, 290], (60, 1))
    for solver in (enumeration, persistency, maxflow, coordinate):
        together = solver.argmax(u * unit, w * unit)
        assert (together == solver.argmax(u, w)).all()
        for b in range(60):
            assert (solver.argmax(u[b:b + 1], w[b:b + 1]) == together[b]).all()


def test_coordinate_ascent_continues_until_no_variable_changes():
    """Each sweep changes one variable, the one before the last changed: the chain needs four sweeps."""
    u, w = np.full((1, 5), -1.0), np.zeros((1, 10))
    u[0, 4] = 1.0
    for place, (i, j) in enumerate(zip(*base.pairs(5))):
        w[0, place] = 2.0 * (j == i + 1)
    assert coordinate.argmax(u, w).tolist() == [[1, 1, 1, 1, 1]]
