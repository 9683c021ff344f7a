"""Families of latent variables against plain loops, their gradients, and a family that is defined in this file."""
from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy.special import softmax
from scipy.stats import chi2

from refimpl import estimators, exact, gumbel, joint
from refimpl.arguments import NotFinite
from refimpl.latent import solvers
from refimpl.latent.family import Family, Relaxed
from refimpl.latent.independent import Independent
from refimpl.latent.pairwise import Pairwise
from refimpl.latent.solvers import base, enumeration
from refimpl.models.toy import Toy
from refimpl.nn.gradcheck import gradcheck, worst
from tests.asserts import z_scores

N = 4
FAMILIES = {"independent": lambda: Independent(3, 2), "three values": lambda: Independent(2, 3),
            "pairwise": lambda: Pairwise(3, solvers.get("enumeration"), False),
            "pairwise, w >= 0": lambda: Pairwise(3, solvers.get("maxflow"), True)}
each = pytest.mark.parametrize("name", FAMILIES)


def score(family: Family, theta: np.ndarray, z: tuple[int, ...]) -> float:
    """Return h(z) of one image by its definition."""
    if isinstance(family, Independent):
        return sum(theta[i, z[i]] for i in range(family.n))
    w = iter(theta[family.n:])
    return sum(theta[i] * z[i] for i in range(family.n)) + sum(
        next(w) * z[i] * z[j] for i in range(family.n) for j in range(i + 1, family.n))


def every(family: Family) -> list[tuple[int, ...]]:
    return list(itertools.product(range(family.k), repeat=family.n))


def one_hot(family: Family, z: tuple[int, ...]) -> np.ndarray:
    return np.eye(family.k)[list(z)]


def draw_theta(family: Family, rng, batch: int = 6) -> np.ndarray:
    return family.theta(2 * rng.normal(size=(batch, family.outputs)))


@each
def test_arg_maxes_features_and_tilt_agree_with_plain_loops(name, rng):
    family = FAMILIES[name]()
    theta, table = draw_theta(family, rng), 2 * rng.normal(size=(6, family.n, family.k))
    joint_table = 2 * rng.normal(size=(6, family.k**family.n))
    arg_maxes = family.argmax(theta), family.argmax(family.tilt(theta, table)), family.joint_argmax(theta, joint_table)
    for b in range(6):
        h = {z: score(family, theta[b], z) for z in every(family)}
        tilted = {z: h[z] + sum(table[b, i, z[i]] for i in range(family.n)) for z in every(family)}
        joint_scores = {z: h[z] + joint_table[b, place] for place, z in enumerate(every(family))}
        for z, scores in zip(arg_maxes, (h, tilted, joint_scores)):
            assert tuple(z[b].argmax(axis=-1)) == max(scores, key=scores.get)
        for z in every(family):                                     # h(z) = theta . features(z), so features = grad h
            features = family.features(one_hot(family, z)[None])[0]
            assert features.shape == theta[b].shape
            assert (features * theta[b]).sum() == pytest.approx(h[z], abs=1e-12)
    assert all(z.dtype == np.float64 and z.shape == (6, family.n, family.k) for z in arg_maxes)


@each
def test_perturb_adds_one_gumbel_variable_for_each_value_of_each_variable(name, rng):
    family = FAMILIES[name]()
    theta = draw_theta(family, rng)
    kept = theta.copy()
    noisy = family.perturb(theta, np.random.default_rng(5))
    gamma = gumbel.sample((6, family.n, family.k), np.random.default_rng(5))
    if isinstance(family, Independent):
        np.testing.assert_array_equal(noisy, theta + gamma)
    else:                                                          # u has the noise gamma_i(1) - gamma_i(0), w has none
        np.testing.assert_allclose(noisy[:, :3], theta[:, :3] + gamma[..., 1] - gamma[..., 0], rtol=1e-14)
        np.testing.assert_array_equal(noisy[:, 3:], theta[:, 3:])
    np.testing.assert_array_equal(theta, kept)
    family.tilt(theta, np.ones((6, family.n, family.k)))
    np.testing.assert_array_equal(theta, kept)
    z = family.sample(theta, np.random.default_rng(5))
    np.testing.assert_array_equal(z, family.argmax(noisy))


@pytest.mark.parametrize("n, k", [(1, 4), (2, 3), (3, 2)])
def test_samples_of_independent_variables_have_the_law_q(n, k, rng):
    """A chi-square test over all joint values with 200,000 draws; it detects scores that are 5 % too large."""
    family, draws = Independent(n, k), 200_000
    h = rng.normal(size=(n, k))
    z = family.sample(np.broadcast_to(h, (draws, n, k)), rng)
    q = np.exp(joint.log_q(h))
    counts = np.bincount(joint.index(z), minlength=k**n)
    statistic = ((counts - draws * q) ** 2 / (draws * q)).sum()
    assert statistic < chi2.ppf(1 - 1e-5, k**n - 1)
    wrong = np.exp(joint.log_q(1.05 * h))
    assert ((counts - draws * wrong) ** 2 / (draws * wrong)).sum() > 2 * chi2.ppf(1 - 1e-5, k**n - 1)


@each
def test_relaxed_sample_and_its_backward_pass_are_correct(name, rng):
    family, tau, toy = FAMILIES[name](), 0.7, None
    theta, toy = draw_theta(family, rng), Toy(6, family.n, family.k, rng)
    relaxed = family.relax(theta, np.random.default_rng(2), tau)

    def z():
        if isinstance(family, Independent):
            return softmax((theta + gumbel.sample(theta.shape, np.random.default_rng(2))) / tau, axis=-1)
        scores = np.array([[score(family, row, value) for value in every(family)] for row in theta])
        weights = softmax((scores + gumbel.sample(scores.shape, np.random.default_rng(2))) / tau, axis=1)
        return np.einsum("bz,zik->bik", weights, np.array([one_hot(family, value) for value in every(family)]))

    np.testing.assert_allclose(relaxed.z, z(), rtol=1e-12, atol=1e-14)
    gradient = relaxed.back(toy.run(relaxed.z).df_dz())
    assert gradient.shape == theta.shape
    assert worst(gradcheck(lambda: toy.run(z()).f.sum(), theta, gradient, rng)) < 1e-7


@each
def test_kl_and_unary_kl_agree_with_exact_kl(name, rng):
    family = FAMILIES[name]()
    theta = draw_theta(family, rng)
    unary = theta if isinstance(family, Independent) else np.stack([0 * theta[:, :3], theta[:, :3]], axis=-1)
    np.testing.assert_allclose(family.unary_kl(theta), exact.kl(unary).sum(axis=1), rtol=1e-12)
    assert family.normalised == (family.kl(theta) is not None)
    if family.normalised:
        kl, dkl = family.kl(theta)
        np.testing.assert_allclose(kl, exact.kl(theta).sum(axis=1), rtol=1e-12)
        assert worst(gradcheck(lambda: exact.kl(theta).sum(), theta, dkl, rng)) < 1e-7


@each
def test_theta_and_its_backward_pass_are_correct(name, rng):
    family = FAMILIES[name]()
    out, dtheta = 2 * rng.normal(size=(6, family.outputs)), None
    theta = family.theta(out)
    dtheta = rng.normal(size=theta.shape)
    assert worst(gradcheck(lambda: (dtheta * family.theta(out)).sum(), out, family.back(out, dtheta), rng)) < 1e-7
    if name == "pairwise, w >= 0":
        np.testing.assert_allclose(theta, np.concatenate([out[:, :3], np.logaddexp(0, out[:, 3:])], axis=1), rtol=1e-12)
    else:
        np.testing.assert_array_equal(theta.reshape(6, -1), out)


@each
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_values_that_are_not_finite_are_rejected(name, bad, rng):
    family = FAMILIES[name]()
    theta, table = draw_theta(family, rng), np.zeros((6, family.n, family.k))
    broken, broken_table = theta.copy(), table.copy()
    broken.flat[2], broken_table.flat[3] = bad, bad
    scores = "h" if isinstance(family, Independent) else "theta"
    for call, at_fault in ((lambda: family.perturb(broken, rng), scores),
                           (lambda: family.relax(broken, rng, 1.0), scores),
                           (lambda: family.tilt(theta, broken_table), "f"),
                           (lambda: family.joint_argmax(theta, np.full((6, family.k**family.n), bad)), "f")):
        with pytest.raises(NotFinite, match=f"^{at_fault} must be finite"):
            call()


def test_invalid_sizes_are_rejected():
    for arguments in ((1, solvers.get("enumeration"), True), (21, solvers.get("enumeration"), True),
                      (5, solvers.get("maxflow"), False), (5, solvers.get("enumeration"), False, 0.0, True)):
        with pytest.raises(ValueError):
            Pairwise(*arguments)
    for n, k, name in ((1, 1, "k"), (0, 2, "n")):
        with pytest.raises(ValueError, match=f"^{name} must"):
            Independent(n, k)
    assert base.pairs(3)[0].tolist() == [0, 0, 1]
    for name, most in (("enumeration", 20), ("milp", 60), ("maxflow", 200)):           # the largest is allowed
        assert Pairwise(2, solvers.get(name), True).outputs == 3
        assert Pairwise(most, solvers.get(name), True).outputs == most * (most + 1) // 2
        with pytest.raises(ValueError, match=rf"^n must be in 2 ... {most} for {name}"):
            Pairwise(most + 1, solvers.get(name), True)


def test_non_negative_pair_scores_are_softplus_or_absolute_values():
    out = np.array([[0.3, -0.7, -2.0], [0.1, 0.2, 1.5]])                    # u_1, u_2 and v
    for absolute, w in ((False, np.log1p(np.exp(out[:, 2]))), (True, [2.0, 1.5])):
        theta = Pairwise(2, solvers.get("maxflow"), True, absolute=absolute).theta(out)
        np.testing.assert_allclose(theta, np.column_stack([out[:, :2], w]), rtol=1e-12)


@each
def test_arg_max_of_ties_is_the_first_value(name):
    family = FAMILIES[name]()
    theta = np.zeros(family.theta(np.zeros((2, family.outputs))).shape)
    first = np.tile(np.eye(family.k)[0], (2, family.n, 1))
    np.testing.assert_array_equal(family.joint_argmax(theta, np.zeros((2, family.k**family.n))), first)
    if isinstance(family, Independent):
        np.testing.assert_array_equal(family.argmax(theta), first)


# --- the direct gradient through a family -----------------------------------------------------------------------------

def estimate(name, theta, objective, seed, family, **settings):
    return estimators.get(name).estimate(theta, objective, np.random.default_rng(seed), family=family, **settings)


@pytest.mark.parametrize("name", ["direct", "two-sided", "direct-joint"])
def test_pairwise_gradient_without_pair_scores_is_that_of_independent_variables(name, rng):
    """With w = 0 and the same noise, the gradient is that of independent variables with h = (0, u)."""
    u, toy = rng.normal(size=(50, N)), Toy(50, N, 2, rng)
    theta = np.concatenate([u, np.zeros((50, N * (N - 1) // 2))], axis=1)
    pairwise = estimate(name, theta, toy, 3, Pairwise(N, solvers.get("enumeration"), False), eps=0.4)
    h = np.stack([np.zeros_like(u), u], axis=-1)
    independent = estimate(name, h, toy, 3, None, eps=0.4)
    assert np.allclose(pairwise.grad[:, :N], independent.grad[..., 1]) and (pairwise.grad[:, :N] != 0).any()
    assert (pairwise.decoder_term.z == independent.decoder_term.z).all()


class Linear:
    """f(z) = c . z of binary variables: single changes of z* determine f completely."""

    def __init__(self, c):
        self.c, self.evaluations = c, 0

    def run(self, z, counted=True):
        return type("Pass", (), {"z": z, "f": (self.c * z[..., 1]).sum(axis=1)})()

    def table(self, z):
        off = (self.c * z[..., 1]).sum(axis=1)[:, None] - self.c * z[..., 1]
        return estimators.Table(np.stack([off, off + self.c], axis=-1), self.run(z))

    def joint_table(self):
        return type("Joint", (), {"f": self.c @ enumeration.all_values(self.c.shape[1]).T})()


def test_direct_and_direct_joint_agree_for_linear_f(rng):
    theta, c = rng.normal(size=(40, N + 6)), rng.normal(size=(40, N))
    family = Pairwise(N, solvers.get("enumeration"), False)
    coordinate_wise, in_one = (estimate(name, theta, Linear(c), 1, family, eps=0.5)
                               for name in ("direct", "direct-joint"))
    assert (coordinate_wise.grad == in_one.grad).all() and (coordinate_wise.grad[:, N:] != 0).any()


def all_features(family: Family) -> np.ndarray:
    return np.concatenate([family.features(one_hot(family, z)[None]).reshape(1, -1) for z in every(family)])


@pytest.mark.parametrize("name, sides", [("direct", (0, 1)), ("two-sided", (-1, 1))])
def test_mean_gradient_is_the_gradient_of_the_tilted_objective(name, sides, rng):
    """T(theta) = (E max(h + b eps f) - E max(h + a eps f)) / ((b - a) eps) for linear f, differentiated numerically.

    T and the gradients use the same draws of the noise, and the maximum is convex in theta.  So they differ only by the
    draws whose arg max changes within the step, which is far below the tolerance of 2 %.
    """
    n, times, eps = 3, 100_000, 0.5
    theta, c = rng.normal(size=(1, n + 3)), rng.normal(size=(1, n))
    many = lambda a: np.broadcast_to(a, (times, a.shape[1]))
    family = Pairwise(n, solvers.get("enumeration"), False)
    grad = estimate(name, many(theta), Linear(many(c)), 0, family, eps=eps).grad.mean(axis=0)
    noise = family.perturb(np.zeros((times, n + 3)), np.random.default_rng(0))
    phi = all_features(family)
    tilt = np.concatenate([c, np.zeros((1, 3))], axis=1)

    def objective(theta):
        top = [((theta + side * eps * tilt + noise) @ phi.T).max(axis=1).mean() for side in sides]
        return (top[1] - top[0]) / (eps * (sides[1] - sides[0]))

    for place in range(n + 3):
        step = 1e-3 * np.eye(n + 3)[place]
        difference = (objective(theta + step) - objective(theta - step)) / 2e-3
        assert abs(grad[place] - difference) < 0.02 * np.abs(grad).max()


# --- a family defined in a test ---------------------------------------------------------------------------------------

class OneOf(Family):
    """n binary variables of which at most one is 1, with a score for each in theta (B, n).

    Like a path through a graph, z has structure, and the arg max needs no table of all values.
    """

    normalised = False

    def __init__(self, n):
        self.n, self.k, self.outputs = n, 2, n

    def perturb(self, theta, rng):
        return theta + gumbel.sample(theta.shape, rng)

    def argmax(self, theta):
        on = (np.arange(self.n) == theta.argmax(axis=1)[:, None]) & (theta > 0)
        return np.stack([~on, on], axis=-1).astype(float)

    def features(self, z):
        return z[..., 1]

    def tilt(self, theta, table):
        return theta + (table[..., 1] - table[..., 0])

    def joint_argmax(self, theta, table):
        raise TypeError("not needed here")

    def relax(self, theta, rng, tau) -> Relaxed:
        raise TypeError("not needed here")

    def kl(self, theta):
        return None

    def unary_kl(self, theta):
        raise TypeError("not needed here")


def test_direct_has_the_exact_mean_for_a_family_defined_in_a_test(rng):
    """The mean is the exact one: z has n + 1 values, the last with score 0 and without noise, and f is linear."""
    n, times, eps = 3, 400_000, 0.5
    theta, c = rng.normal(size=n), rng.normal(size=n)
    many = lambda a: np.broadcast_to(a, (times, n))
    grad = estimate("direct", many(theta), Linear(many(c)), 0, OneOf(n), eps=eps).grad

    def law(theta):
        # The largest of n Gumbel variables is a Gumbel variable, independent of the arg max.  It must be above 0.
        total = np.logaddexp.reduce(theta)
        return softmax(theta) * -np.expm1(-np.exp(total - np.euler_gamma))

    mean = (law(theta + eps * c) - law(theta)) / eps
    assert np.abs(z_scores(grad, mean)).max() < 4
    assert np.abs(z_scores(grad, 1.05 * mean)).max() > 5
