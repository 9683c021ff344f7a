"""Solvers and families with scores that cancel, differ by many orders of magnitude, or exceed the noise."""
from __future__ import annotations

import itertools
from fractions import Fraction

import numpy as np
import pytest

from refimpl import estimators
from refimpl.estimators import perturbed
from refimpl.gumbel import EULER
from refimpl.latent import solvers
from refimpl.latent.independent import Independent
from refimpl.latent.pairwise import Pairwise
from refimpl.latent.paths import Paths
from refimpl.latent.solvers import base, coordinate, enumeration, milp
from refimpl.models.toy import Toy


def first_best(u, w):
    """Return the first maximiser, computed in fractions."""
    n = len(u)
    pairs = list(itertools.combinations(range(n), 2))

    def score(z):
        return (sum(Fraction(float(u[i])) for i in range(n) if z[i])
                + sum(Fraction(float(w[p])) for p, (i, j) in enumerate(pairs) if z[i] and z[j]))

    return max(itertools.product((0, 1), repeat=n), key=score)


def test_enumeration_does_not_lose_small_scores_to_rounding():
    u, w = np.array([[2.0**63, 1, -2.0**63, -0.5]]), np.array([[1.0, 0, 0, 1, 0.25, 1]])
    assert enumeration.argmax(u, w).tolist() == [[1, 1, 0, 0]]
    assert first_best(u[0], w[0]) == (1, 1, 0, 0)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_enumeration_is_exact_where_scores_cancel(rng, dtype):
    """Scores of very different sizes cancel to a small rest, also with ties; the reference uses fractions."""
    for _ in range(40):
        n = int(rng.integers(2, 6))
        u, w = (rng.choice([-1, 1], size) * rng.choice([1.0, 1e8, 1e17, 0.3, 2.0**60], size)
                for size in (n, n * (n - 1) // 2))
        u, w = u.astype(dtype), w.astype(dtype)
        assert tuple(enumeration.argmax(u[None], w[None])[0]) == first_best(u, w)


def test_enumeration_returns_the_first_of_many_ties_quickly():
    """All of the 32,768 values tie; comparing them one by one would take too long."""
    assert not enumeration.argmax(np.zeros((1, 15)), np.zeros((1, 105))).any()
    assert enumeration.argmax(np.full((1, 15), -0.0), np.zeros((1, 105))).tolist() == [[0] * 15]


def test_integer_program_respects_ordinary_scores_next_to_one_of_3e5():
    """The tolerance of the solver is relative to the best score: one score of 3e5 must not hide the others."""
    for seed in range(10):
        rng = np.random.default_rng(seed)
        u, w = 3 * rng.normal(size=(1, 10)), 3 * rng.normal(size=(1, 45))
        u[0, 3] = 3e5
        loss = base.score(u, w, enumeration.argmax(u, w)) - base.score(u, w, milp.argmax(u, w))
        assert loss < 0.5                                               # 1e-6 of the largest score, and a little more


def test_coordinate_ascent_follows_a_chain_of_forty_to_its_end():
    u, w = np.full((1, 40), -1.0), np.zeros((1, 780))
    u[0, 39] = 1.0
    i, j = base.pairs(40)
    w[0] = 2.0 * (j == i + 1)
    assert coordinate.argmax(u, w).tolist() == [[1] * 40]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("family", [Independent(1, 3), Pairwise(2, solvers.get("enumeration"), False)])
@pytest.mark.parametrize("tau", [0, -1.0, np.nan, np.inf, 1e-300, 5e-324])
def test_families_reject_invalid_temperatures(family, tau, rng):
    theta = np.zeros((1, 1, 3)) if isinstance(family, Independent) else np.zeros((1, 3))
    with pytest.raises(ValueError, match="^tau must be at least 1e-06 and at most 1000000, got"):
        family.relax(theta, rng, tau)
    assert np.isfinite(family.relax(theta, rng, 1e-6).z).all()


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", [name for name, entry in estimators.REGISTRY.items() if entry.temperature])
@pytest.mark.parametrize("value", [0.0, 5e-324, 1e-300, 1e300, np.nan, -1.0, "x", 1j, [0.3]])
def test_estimators_reject_invalid_temperatures_before_they_evaluate_f(name, value, rng):
    entry = estimators.get(name)
    keywords = {"memory": entry.memory(2, 2)} if entry.memory else {}
    toy = Toy(3, 2, 2, rng)
    with pytest.raises((ValueError, TypeError), match=f"^{entry.temperature} must be ") as problem:
        entry.estimate(np.zeros((3, 2, 2)), toy, rng, **{entry.temperature: value}, **keywords)
    assert "\n" not in str(problem.value) and toy.evaluations == 0
    for good in (1e-6, 1e6):
        grad = entry.estimate(np.zeros((3, 2, 2)), toy, rng, **{entry.temperature: good}, **keywords).grad
        assert np.isfinite(grad).all()


@pytest.mark.parametrize("family, shape", [(Independent(2, 3), (4, 2, 3)), (Paths(2, 3), (4, 6))])
def test_perturb_adds_the_noise_of_the_family(family, shape, rng):
    theta = rng.normal(size=shape)
    noise = family.noise(theta, np.random.default_rng(3))
    assert (family.perturb(theta, np.random.default_rng(3)) == theta + noise).all()
    with pytest.raises(ValueError, match="must be finite"):
        family.noise(theta * np.inf, rng)


def test_noise_is_rejected_for_families_with_scores_without_noise(rng):
    with pytest.raises(TypeError, match="^family must perturb every score"):
        Pairwise(2, solvers.get("enumeration"), False).noise(np.zeros((1, 3)), rng)


def test_perturbed_is_exact_to_rounding_for_scores_of_1e12():
    """The factor 1 - X is exact to rounding.  Computed from noisy - theta, X would be wrong by 6e-5."""
    h = 1e12 + np.zeros((200, 1, 2))
    toy, memory = Toy(200, 1, 2, np.random.default_rng(0)), perturbed.memory(1, 2)
    grad, run = perturbed.estimate(h, toy, np.random.default_rng(4), memory=memory)
    noise = Independent(1, 2).noise(h, np.random.default_rng(4))
    factor = 1 - np.exp(-noise - EULER)
    signal = grad / factor
    np.testing.assert_allclose(signal[:, 0, 0], signal[:, 0, 1], rtol=1e-9)     # f - baseline, one number per image
