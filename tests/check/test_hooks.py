"""How check.gradient calls a function, and the errors of one line if it cannot."""
from __future__ import annotations

import numpy as np
import pytest

from refimpl import check, gumbel
from refimpl.check import calling
from tests.check.planted import right

H, F = np.array([0.5, -1.0, 0.2, 1.0]), np.array([1.0, 2.5, 0.0, -1.0])


def seeded(name, kind, make):
    """Return a function whose fourth parameter has this name and must be of this type."""
    names = {"right": right, "gumbel": gumbel, "make": make, "kind": kind}
    exec(f"def function(h, f, eps, {name}):\n    assert isinstance({name}, kind), type({name})\n"
         f"    return right(h, f, eps, gumbel.sample(h.shape, make({name})))", names)
    return names["function"]


@pytest.mark.parametrize("name, kind, make", [
    *[(name, np.random.Generator, lambda rng: rng) for name in ("rng", "generator", "gen", "random_state", "RNG")],
    ("seed", int, np.random.default_rng), ("seed_sequence", np.random.SeedSequence, np.random.default_rng),
    ("key", np.ndarray, lambda key: np.random.default_rng(key.tolist())),
    ("prng_key", np.ndarray, lambda key: np.random.default_rng(key.tolist()))])
def test_function_gets_a_generator_seed_or_key_by_its_parameter_name(name, kind, make):
    report = check.gradient(seeded(name, kind, make), H, F, 0.3, 2_000)
    assert report.holds and report.equal is None


def test_function_may_draw_its_own_noise_or_use_keyword_parameters():
    state = np.random.default_rng(0)
    for function in (lambda h, f, eps: right(h, f, eps, gumbel.sample(h.shape, state)),
                     lambda h, f, eps, *, rng: right(h, f, eps, gumbel.sample(h.shape, rng))):
        assert check.gradient(function, H, F, 0.3, 2_000).holds
    assert check.gradient(lambda h, f, eps, *, noise: right(h, f, eps, noise), H, F, 0.3, 2_000).equal == 1.0
    report = check.gradient(lambda h, f, eps, generator: right(h, f, eps, gumbel.sample(h.shape, generator[0])), H, F,
                            0.3, 2_000, generator=lambda seed: [np.random.default_rng(seed)])
    assert report.holds and report.equal is None


class Traced:
    """A minimal array with a gradient, as in a framework with automatic differentiation."""

    def __init__(self, values):
        self.values, self.shape, self.grad = values, values.shape, None


def test_loss_can_be_differentiated_by_a_given_function():
    def loss(h, f, eps, noise):
        return h, -right(h.values, f.values, eps, noise.values)

    def differentiate(objective, h):
        argument, slope = objective(h)
        assert argument is h
        return slope

    report = check.gradient(loss, H, F, 0.3, 2_000, convert=Traced, differentiate=differentiate)
    assert report.holds is False and report.kind == "direct" and "pass loss=True" in report.verdict
    assert check.gradient(loss, H, F, 0.3, 2_000, convert=Traced, differentiate=differentiate, loss=True).holds is True


def test_lists_and_tuples_of_one_array_are_accepted():
    assert check.gradient(lambda *four: right(*four).tolist(), H, F, 0.3, 2_000).holds
    assert check.gradient(lambda *four: (right(*four),), H, F, 0.3, 2_000).holds


def test_slope_of_f_between_one_hot_vectors_agrees_with_differences():
    rng = np.random.default_rng(0)
    from refimpl.check import problem

    f, z = rng.normal(size=(2, 2, 2)), rng.dirichlet(np.ones(2), size=(5, 3))
    case = problem.make(rng.normal(size=(3, 2)), f, 0.3)

    def value(z):
        return np.einsum("abc,da,db,dc->d", f, z[:, 0], z[:, 1], z[:, 2])

    for i, a in np.ndindex(3, 2):
        up, down = z.copy(), z.copy()
        up[:, i, a] += 1e-3
        down[:, i, a] -= 1e-3
        np.testing.assert_allclose(calling.slope(case, z, None)[:, i, a], (value(up) - value(down)) / 2e-3, atol=1e-10)


def cyclic_list(*_):
    result: list = []
    result.append(result)
    return result


BAD = {"dict": (lambda h, f, eps, noise: {"g": h}, TypeError, "got dict"),
       "nothing": (lambda h, f, eps, noise: None, TypeError, "got NoneType"),
       "words": (lambda h, f, eps, noise: "x", TypeError, "got str"),
       "complex": (lambda h, f, eps, noise: h * 1j, TypeError, "complex"),
       "masked": (lambda h, f, eps, noise: np.ma.masked_all(h.shape), TypeError, "masked"),
       "ragged": (lambda h, f, eps, noise: [[1.0], [1.0, 2.0]], ValueError, "equal length"),
       "objects": (lambda h, f, eps, noise: np.full(h.shape, None), TypeError, "dtype object"),
       "huge": (lambda h, f, eps, noise: 0 * h + 1e300, ValueError, "at most 1e\\+150"),
       "nan": (lambda h, f, eps, noise: h * np.nan, ValueError, "finite"),
       "infinite": (lambda h, f, eps, noise: h + np.inf, ValueError, "finite"),
       "shape": (lambda h, f, eps, noise: h[:3], ValueError, "an array of shape \\(256, 4\\)"),
       "axes": (lambda h, f, eps, noise: h.reshape((1,) * 40 + h.shape), ValueError, "at most 24 axes, got 42"),
       "itself": (cyclic_list, ValueError, "contains itself"),
       "raises": (lambda h, f, eps, noise: 1 / 0, ValueError, "raised ZeroDivisionError: division by zero"),
       "types": (lambda h, f, eps, rng: rng.manual_seed(0), ValueError, "pass generator=")}


@pytest.mark.parametrize("name", BAD)
def test_unusable_results_are_rejected_in_one_line(name):
    function, problem, words = BAD[name]
    with pytest.raises(problem, match=words) as caught:
        check.gradient(function, H, F, 0.3, 1_000)
    assert "\n" not in str(caught.value)


LOOP: list = []
LOOP.append(LOOP)


@pytest.mark.parametrize("arguments, more, problem, words", [
    ((5, H, F), {}, TypeError, "^function must be a function"),
    ((lambda h, f: h, H, F), {}, TypeError, "four arguments"),
    ((right, H, F[:2]), {}, ValueError, "^h and f must be vectors of the same length"),
    ((right, H, 0 * F), {}, ValueError, "^f must hold diff"), ((right, [H] * 2, F), {}, ValueError, "^h and f"),
    ((right, np.zeros((30, 2)), F), {}, ValueError, "joint values"), ((right, np.zeros((1,) * 40 + (4,)), F), {},
                                                                     ValueError, "^h must have at most 24 axes"),
    ((right, LOOP, F), {}, ValueError, "contains itself"), ((right, [np.nan, 1], [1, 2]), {}, ValueError, "^h"),
    *[((right, H, F, eps), {}, problem, "^eps") for eps, problem in (
        (0.0, ValueError), (-1, ValueError), (np.inf, ValueError), ("x", TypeError), ([0.3], TypeError),
        (1j, TypeError), (None, TypeError), (True, TypeError), (1e300, ValueError), (1e-200, ValueError))],
    ((right, H, F, 0.3, 10), {}, ValueError, "^samples"), ((right, H, F, 0.3, 1_000, 5), {}, TypeError, "^rng"),
    ((right, H, F), {"precision": "half"}, ValueError, "^precision"), ((right, H, F), {"loss": 1}, TypeError, "^loss"),
    ((right, H, F), {"two_sided": "no"}, TypeError, "^two_sided"),
    ((right, H, F), {"convert": 3}, TypeError, "^convert"),
    ((right, H, lambda z: z), {}, ValueError, "^f must return a number for each z"),
    ((right, H, lambda z: 1 / 0), {}, ValueError, r"^f\(z\) raised"),
    ((right, H, F), {"convert": lambda array: 1 / 0}, ValueError, r"^convert\(h\) raised ZeroDivisionError")])
def test_bad_arguments_are_rejected_in_one_line(arguments, more, problem, words):
    with pytest.raises(problem, match=words) as caught:
        check.gradient(*arguments, **more)
    assert "\n" not in str(caught.value)
