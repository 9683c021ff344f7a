"""Solvers of the pairwise arg max: against each other on thousands of instances, with ties, and with planted errors."""
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


def relative_loss(u, w, z):
    """How far S(z) is below the maximum, as a fraction of the sum of |u| and |w|; by enumeration, so n is small."""
    loss = base.score(u, w, enumeration.argmax(u, w)) - base.score(u, w, z)
    return loss / np.maximum(np.abs(u).sum(axis=1) + np.abs(w).sum(axis=1), np.finfo(float).tiny)


def by_max_flow(u, w):
    """maxflow.argmax, after checks of all that it promises whatever the scores."""
    kept = u.copy(), w.copy()
    with np.errstate(over="raise", divide="raise", invalid="raise"):
        z = maxflow.argmax(u, w)
    assert z.dtype == np.int8 and z.shape == u.shape and ((z == 0) | (z == 1)).all()
    assert (u == kept[0]).all() and (w == kept[1]).all()
    return z


ROUNDING = 1e-14            # of the sum of |u| and |w|: a few roundings of float64, which keeps 1e-16 of each


@pytest.mark.parametrize("n", [1, 2, 4, 7, 11, 15])
@pytest.mark.parametrize("scale", [0.3, 1.0, 5.0])
def test_maxflow_agrees_with_enumeration_to_rounding(rng, n, scale):
    u, w = instances(rng, 1_000 if n < 15 else 300, n, "non-negative", scale)
    z = by_max_flow(u, w)
    assert np.abs(relative_loss(u, w, z)).max() <= ROUNDING
    assert (z == enumeration.argmax(u, w)).all()                        # no ties among these


def sparse_instances(rng, batch, n):
    """Three pairs in ten, of all magnitudes from 0.01 up: the flow has to go round about, forth and back."""
    w = 10 ** rng.uniform(-2, 0, (batch, n * (n - 1) // 2)) * (rng.random((batch, n * (n - 1) // 2)) < 0.3)
    return rng.normal(size=(batch, n)) / 2 - base.matrix(w, n).sum(axis=2) / 2, w


@pytest.mark.parametrize("n", [3, 7, 10, 15])
def test_maxflow_where_few_variables_are_neighbours(rng, n):
    u, w = sparse_instances(rng, 2_000 if n < 15 else 100, n)
    assert np.abs(relative_loss(u, w, by_max_flow(u, w))).max() <= ROUNDING


@pytest.mark.parametrize("n", first(4, [1, 2, 5, 9, 15]))
def test_maxflow_at_all_scales(rng, n):
    """u and w each from 1e-6 to 1e6, and then every single score, in one and the same image."""
    batch, pairs = 300 if n < 15 else 50, n * (n - 1) // 2
    for u_scale, w_scale in itertools.product((1e-6, 1e-3, 1.0, 1e3, 1e6), repeat=2):
        u, w = u_scale * rng.normal(size=(batch, n)), w_scale * rng.exponential(size=(batch, pairs))
        for unary in (u, u - base.matrix(w, n).sum(axis=2) / 2):        # the second: about half the variables are on
            assert np.abs(relative_loss(unary, w, by_max_flow(unary, w))).max() <= ROUNDING
    for span in (3, 6, 100):
        u = rng.choice([-1, 1], (batch, n)) * 10 ** rng.uniform(-span, span, (batch, n))
        w = 10 ** rng.uniform(-span, span, (batch, pairs))
        for unary in (u, u - base.matrix(w, n).sum(axis=2) / 2):
            assert np.abs(relative_loss(unary, w, by_max_flow(unary, w))).max() <= ROUNDING


@pytest.mark.parametrize("n", first(4, [1, 2, 3, 6, 10]))
def test_maxflow_with_ties(rng, n):
    """Few different values, so that many z tie and pushes fill edges exactly.  Halves add without rounding: no loss."""
    for density in (0.0, 0.3, 1.0):
        w = rng.integers(0, 4, (2_000, n * (n - 1) // 2)) * (rng.random((2_000, n * (n - 1) // 2)) < density)
        centred = rng.integers(-2, 3, (2_000, n)) - base.matrix(w, n).sum(axis=2) / 2
        for u in (rng.integers(-3, 4, (2_000, n)) / 2, centred):
            assert (relative_loss(u, w, by_max_flow(u, w)) == 0).all()


def test_maxflow_without_pairs_takes_the_positive_scores(rng):
    for n in (1, 2, 15, 60):
        u = rng.normal(size=(200, n))
        assert (by_max_flow(u, np.zeros((200, n * (n - 1) // 2))) == (u > 0)).all()


@pytest.mark.parametrize("factor", [1e-300, 1e-8, 1e6, 1e290, 1e300])
def test_maxflow_with_extreme_capacities(rng, factor):
    for n in (1, 2, 6, 15):
        u, w = instances(rng, 100, n, "non-negative", 3.0)
        assert (by_max_flow(factor * u, factor * w) == enumeration.argmax(u, w)).all()


def test_maxflow_with_the_largest_and_the_smallest_numbers():
    for number in (np.finfo(float).max, np.finfo(float).tiny, np.nextafter(0, 1)):
        assert (by_max_flow(np.full((1, 2), -number), np.full((1, 1), number)) == 0).all()          # -2 + 1
        assert (by_max_flow(np.full((1, 4), -number), np.full((1, 6), number)) == 1).all()          # -4 + 6
        assert (by_max_flow(np.array([[-number, number]]), np.zeros((1, 1))) == [0, 1]).all()
    u, w = np.array([[-1e300, 1e-300, -1e-300]]), np.array([[1e300, 1e-300, 0.0]])
    assert base.score(u, w, by_max_flow(u, w)) >= 0
    u, w = np.array([[1.0, -1e-300]]), np.array([[1e-300]])
    assert by_max_flow(u, w)[0, 0] == 1


@pytest.mark.parametrize("n", [1, 2, 15])
def test_maxflow_of_no_image_of_one_and_of_thousands(rng, n, monkeypatch):
    u, w = instances(rng, 5_000, n, "non-negative", 3.0)
    whole = by_max_flow(u, w)
    assert np.abs(relative_loss(u[:500], w[:500], whole[:500])).max() <= ROUNDING
    assert by_max_flow(u[:0], w[:0]).shape == (0, n)
    for b in range(0, 5_000, 50):                                       # no image sees another
        assert (by_max_flow(u[b:b + 1], w[b:b + 1]) == whole[b]).all()
    for rooms in (1, 7 * n**2, 10**9):                                  # blocks of 1, of 7 and of all
        monkeypatch.setattr(maxflow, "ROOMS", rooms)
        assert (by_max_flow(u[:200], w[:200]) == whole[:200]).all()
    order = rng.permutation(5_000)
    assert (by_max_flow(u[order], w[order]) == whole[order]).all()
    assert (by_max_flow(1e300 * u, 1e300 * w) == whole).all()


def scipy_flow(u, w):
    """(maximum flow by scipy, sum of the capacities out of the source), for integers u and even integers w."""
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
def test_maxflow_cuts_as_much_as_scipy_can_send(rng, n, batch, density):
    """Beyond enumeration too: a cut of exactly the maximum flow's value is a minimum cut.  All numbers are integers."""
    w = 2 * rng.integers(0, 100, (batch, n * (n - 1) // 2)) * (rng.random((batch, n * (n - 1) // 2)) < density)
    u = rng.integers(-300, 301, (batch, n)) - base.matrix(w, n).sum(axis=2) // 2
    score = base.score(u, w, by_max_flow(u, w))
    for b in range(batch):
        value, supply = scipy_flow(u[b], w[b])
        assert score[b] == supply - value
    assert (score > 0).any()


def sweeps(monkeypatch, u, w):
    """How many sweeps max-flow needs, for the slowest image; and its z."""
    count, sweep = [], maxflow._sweep
    with monkeypatch.context() as patch:
        patch.setattr(maxflow, "_sweep", lambda *arguments: (count.append(1), sweep(*arguments))[1])
        z = by_max_flow(u, w)
    return len(count), z


def test_maxflow_ends_within_the_proven_number_of_sweeps(rng, monkeypatch):
    for n in (2, 4, 8, 12):
        for span in (0.1, 1, 16):                                       # w from equal to all orders of magnitude
            w = 10 ** rng.uniform(-span, 0, (60, n * (n - 1) // 2))
            u = rng.normal(size=(60, n)) - base.matrix(w, n).sum(axis=2) / 2
            for b in range(60):
                assert sweeps(monkeypatch, u[b:b + 1], w[b:b + 1])[0] <= n**2
    u, w = instances(rng, 100, 15, "non-negative", 1.0)
    assert sweeps(monkeypatch, u, w)[0] <= 15                           # in practice


def test_maxflow_through_a_long_chain(monkeypatch):
    """All the excess at one end, the sink at the other: one sweep sends what the narrowest edge takes."""
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


@pytest.mark.parametrize("name", [name for name, solver in solvers.REGISTRY.items() if solver.exact])
def test_ties_and_zeros(name):
    """All scores 0, or two equal maximisers: any maximiser will do."""
    solver = solvers.get(name)
    for u, w in ((np.zeros((1, 3)), np.zeros((1, 3))), (np.array([[-1.0, -1.0]]), np.array([[2.0]])),
                 (np.array([[1.0, 0.0, -1.0]]), np.zeros((1, 3)))):
        z = solver.argmax(u, w)
        assert base.score(u, w, z) == pytest.approx(base.score(u, w, enumeration.argmax(u, w)), abs=1e-6)
        assert z.dtype == np.int8 and z.shape == u.shape


def test_large_n_for_the_polynomial_solvers(rng):
    """n = 30 is beyond enumeration; max-flow and persistency-reduced instances must agree with the integer program."""
    u, w = instances(rng, 5, 30, "non-negative", 1.0)
    flow, program = (base.score(u, w, solver.argmax(u, w)) for solver in (maxflow, milp))
    assert np.abs(flow - program).max() < 1e-5
    assert (base.score(u, w, coordinate.argmax(u, w)) <= flow + 1e-12).all()


def test_extreme_scores(rng):
    u, w = instances(rng, 50, 6, "non-negative")
    for factor in (1e-8, 1e6):
        z = maxflow.argmax(factor * u, factor * w)
        assert np.abs(relative_loss(u, w, z)).max() <= ROUNDING
        program = milp.argmax(factor * u[:10], factor * w[:10])
        assert (program == enumeration.argmax(u[:10], w[:10])).all()


def test_float32_and_blocks(rng, monkeypatch):
    u, w = (a.astype(np.float32) for a in instances(rng, 40, 6, "any"))
    whole = enumeration.argmax(u, w)
    monkeypatch.setattr(enumeration, "SCORES", 3 * 2**6)
    assert (enumeration.argmax(u, w) == whole).all()
    assert (persistency.argmax(u, w) == whole).all()
    assert (maxflow.argmax(u, abs(w)) == maxflow.argmax(u.astype(float), abs(w).astype(float))).all()
    assert enumeration.argmax(u[:0], w[:0]).shape == (0, 6)


# --- planted errors ---------------------------------------------------------------------------------------------------

def test_a_max_flow_with_halved_edges_is_caught(rng, monkeypatch):
    """Terminals right, edges between variables at half their capacity."""
    u, w = instances(rng, 300, 7, "non-negative", 3.0)
    assert relative_loss(u, w, maxflow.argmax(u, w)).max() <= ROUNDING
    network = maxflow._network

    def halved(u, w):
        excess, room = network(u, w)
        return excess, room / 2

    monkeypatch.setattr(maxflow, "_network", halved)
    assert (relative_loss(u, w, maxflow.argmax(u, w)) > 1e-3).any()


def test_a_max_flow_that_makes_no_room_backwards_is_caught(rng, monkeypatch):
    """Few instances show it: w / 2 each way is room enough to take back what was sent once."""
    u, w = sparse_instances(rng, 2_000, 10)
    sweep = maxflow._sweep

    def one_way(excess, room, distance, onward):
        before = room.copy()
        sweep(excess, room, distance, onward)
        np.minimum(room, before, out=room)

    monkeypatch.setattr(maxflow, "_sweep", one_way)
    assert (relative_loss(u, w, maxflow.argmax(u, w)) > 1e-3).any()


def test_a_max_flow_that_stops_early_is_caught(rng, monkeypatch):
    """After one sweep, what cannot be sent at once is taken for cut off."""
    u, w = instances(rng, 300, 7, "non-negative", 3.0)
    sweep = maxflow._sweep

    def once(excess, room, distance, onward):
        sweep(excess, room, distance, onward)
        excess[excess > 0] = 0

    monkeypatch.setattr(maxflow, "_sweep", once)
    assert (relative_loss(u, w, maxflow.argmax(u, w)) > 1e-3).any()


def test_a_persistency_that_fixes_too_much_is_caught(rng, monkeypatch):
    right = persistency.matrix
    monkeypatch.setattr(persistency, "matrix", lambda w, n: 0.8 * right(w, n))
    u, w = instances(rng, 300, 7, "any", 3.0)
    assert (persistency.argmax(u, w) != enumeration.argmax(u, w)).any()


# --- bad input --------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("solver", list(solvers.REGISTRY.values()), ids=lambda solver: solver.name)
def test_bad_values_are_named(solver):
    for u, w, name in ((np.zeros(3), np.zeros((1, 3)), "u"), (np.zeros((2, 3)), np.zeros((2, 2)), "w"),
                       (np.full((1, 2), np.nan), np.zeros((1, 1)), "u"),
                       (np.zeros((1, 2)), np.full((1, 1), np.inf), "w"),
                       (np.zeros((2, 0)), np.zeros((2, 0)), "u")):
        with pytest.raises(ValueError, match=f"^{name} must"):
            solver.argmax(u, w)


def test_solvers_refuse_what_they_cannot_do(rng):
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


def test_the_registry_says_what_each_solver_does():
    """exact, needs w >= 0, largest n: what Pairwise and the command line rely on."""
    said = {name: (solver.exact, solver.non_negative, solver.most) for name, solver in solvers.REGISTRY.items()}
    assert said == {"enumeration": (True, False, 20), "persistency": (True, False, 20), "maxflow": (True, True, 200),
                    "milp": (True, False, 60), "coordinate": (False, False, 200)}


def test_coordinate_ascent_starts_at_the_positive_scores_and_moves_no_tie():
    for u, w, z in (([-1.0, -1.0], [3.0], [0, 0]),                      # a local maximum; (1, 1) is better
                    ([0.0, -1.0], [0.0], [0, 0]), ([1.0, 2.0], [-1.0], [1, 1]), ([0.0, 1.0], [2.0], [1, 1])):
        assert coordinate.argmax(np.array([u]), np.array([w])).tolist() == [z]


def test_tables_of_all_values_are_kept_and_cannot_be_changed():
    for n in (3, 16):
        assert enumeration.all_values(n) is enumeration.all_values(n)
    for dtype in (np.float32, np.float64):
        phi = enumeration.features(9, dtype)
        assert phi is enumeration.features(9, np.dtype(dtype)) and phi.dtype == dtype
    for n in (3, 17):                                                   # from 17 on made anew
        with pytest.raises(ValueError, match="read-only"):
            enumeration.all_values(n)[0, 0] = 1
    with pytest.raises(ValueError, match="read-only"):
        enumeration.features(3, np.float64)[0, 0] = 1


def test_blocks_of_the_enumeration_are_as_large_as_they_may_be(rng, monkeypatch):
    """However many images come: never more than SCORES scores at a time, and every image once."""
    rows, right = [], enumeration.all_scores
    monkeypatch.setattr(enumeration, "SCORES", 3 * 2**4)
    monkeypatch.setattr(enumeration, "all_scores", lambda u, w: (rows.append(len(u)), right(u, w))[1])
    enumeration.argmax(*instances(rng, 10, 4, "any"))
    assert rows == [3, 3, 3, 1]


def test_integers_keep_all_their_digits():
    """2^24 + 1 is no float32."""
    u, w = base.check(np.array([[2**24 + 1]]), np.zeros((1, 0), int))
    assert u.dtype == w.dtype == np.float64 and u[0, 0] == 2**24 + 1
    assert base.matrix(np.array([[2.0**24 + 1]]), 2)[0, 1, 0] == 2**24 + 1
    for solver in (enumeration, persistency, maxflow, coordinate):     # S(1, 1) = 2 and S(1, 0) = 1
        assert solver.argmax(np.array([[1, -2**25]]), np.array([[2**25 + 1]])).tolist() == [[1, 1]]


def test_max_flow_sums_in_float64(rng, monkeypatch):
    """In float32 it would end as well, with a rounding of 1e-7 of the scores."""
    seen, network = [], maxflow._network
    monkeypatch.setattr(maxflow, "_network", lambda u, w: (seen.extend((u.dtype, w.dtype)), network(u, w))[1])
    u, w = (a.astype(np.float32) for a in instances(rng, 20, 6, "non-negative"))
    assert (maxflow.argmax(u, w) == enumeration.argmax(u, w)).all() and set(seen) == {np.dtype(np.float64)}


def test_what_is_certain_is_fixed_to_the_end():
    """z_0 is 1, so z_1 is 1, so z_2 is 0: one after the other, each by what was fixed before.  z_3, z_4 stay open."""
    u = np.array([[1.0, -2.0, -1.0, 0.5, 0.5]])
    W = np.zeros((1, 5, 5))
    for i, j, score in ((0, 1, 3.0), (0, 2, 1.3), (1, 2, -0.5), (3, 4, -1.0)):
        W[0, i, j] = W[0, j, i] = score
    free, ones = persistency.fix_certain(u, W)
    assert free.tolist() == [[False, False, False, True, True]]
    assert ones.tolist() == [[True, True, False, False, False]]


def test_the_largest_number_of_variables_is_allowed(rng, monkeypatch):
    """MOST itself, by both that enumerate; one more is refused."""
    monkeypatch.setattr(enumeration, "MOST", 5)
    for solver in (enumeration, persistency):
        solver.argmax(np.zeros((1, 5)), np.zeros((1, 10)))
        with pytest.raises(ValueError, match="at most 5"):
            solver.argmax(np.zeros((1, 6)), np.zeros((1, 15)))


def test_the_integer_program_gets_scores_of_size_one_and_says_when_it_is_not_solved(monkeypatch):
    seen, right = [], milp._one
    monkeypatch.setattr(milp, "_one", lambda u, w, n: (seen.append(max(np.abs(u).max(), np.abs(w).max())),
                                                       right(u, w, n))[1])
    for u, w in (([1.0, 2.0], [-1e3]), ([-1e3, 1.0], [1.0]), ([1.0, 1.0], [1e3])):
        z = milp.argmax(np.array([u]), np.array([w]))
        assert tuple(z[0]) == best_by_loops(np.array(u), np.array(w))
    assert seen == [1.0, 1.0, 1.0]
    monkeypatch.setattr("scipy.optimize.milp", lambda *arguments,
                        **more: type("Found", (), {"x": None, "message": "too hard"}))
    with pytest.raises(RuntimeError, match="^the integer program was not solved: too hard"):
        milp.argmax(np.ones((1, 2)), np.ones((1, 1)))


def test_the_integer_program_rounds_what_is_all_but_one(monkeypatch):
    """HiGHS keeps integers to 1e-6 only: 0.9999999 is 1."""
    almost = type("Found", (), {"x": np.array([0.9999999, 1e-7, 0.0])})
    monkeypatch.setattr("scipy.optimize.milp", lambda *arguments, **more: almost)
    assert milp.argmax(np.array([[1.0, -1.0]]), np.ones((1, 1))).tolist() == [[1, 0]]


def test_the_integer_program_sees_pair_scores_of_a_thousandth():
    """Of either sign: the second variable is worth it but for, or only with, a pair score as small as itself."""
    for u, w, z in (([1.0, 0.001], [-0.002], [1, 0]), ([1.0, -0.001], [0.002], [1, 1]),
                    ([1.0, 0.003], [-0.002], [1, 1]), ([1.0, -0.003], [0.002], [1, 0])):
        assert milp.argmax(np.array([u]), np.array([w])).tolist() == [z]


def test_no_image_sees_the_scores_of_another(rng):
    """Units from 1e-290 to 1e290 in one batch, and each image alone: the same z."""
    u, w = instances(rng, 60, 6, "non-negative", 3.0)
    unit = 10.0 ** rng.choice([-290, 0, 290], (60, 1))
    for solver in (enumeration, persistency, maxflow, coordinate):
        together = solver.argmax(u * unit, w * unit)
        assert (together == solver.argmax(u, w)).all()
        for b in range(60):
            assert (solver.argmax(u[b:b + 1], w[b:b + 1]) == together[b]).all()


def test_coordinate_ascent_goes_on_until_no_variable_moves():
    """Each sweep moves one variable, the one before the last that moved: four sweeps to the end of the chain."""
    u, w = np.full((1, 5), -1.0), np.zeros((1, 10))
    u[0, 4] = 1.0
    for place, (i, j) in enumerate(zip(*base.pairs(5))):
        w[0, place] = 2.0 * (j == i + 1)
    assert coordinate.argmax(u, w).tolist() == [[1, 1, 1, 1, 1]]
