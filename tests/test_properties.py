"""Call the public functions 2,000 times with random arguments, valid and invalid, from a fixed seed.

Each call must return finite numbers of the right shape, or raise a ValueError or TypeError whose message starts with
the name of an argument.  No call may warn, change its arguments, or raise anything else.  Valid arguments must be
accepted.  Arguments that can only be a mistake (NaN, a ragged list, a mask ...) must be refused.
"""
from __future__ import annotations

import inspect
import random
import re
import warnings
from typing import NamedTuple

import numpy as np
import pytest

from refimpl import coupling, danskin, direct, exact, finite_eps, gumbel, joint

CALLS = 2_000
GOOD, EXTREME, BAD = "good", "extreme", "bad"       # must be accepted; may be refused; must be refused
BATCHES = [(), (), (1,), (3,), (2, 1), (1, 3), (2, 3), (0,), (2, 0, 1)]


class Argument(NamedTuple):
    value: object
    verdict: str
    shape: tuple[int, ...] | None = None            # of a good or extreme value


class Draw:
    """Draw random arguments for one call, most of which share k, n and a batch shape."""

    def __init__(self, seed: int) -> None:
        self.random, self.rng = random.Random(seed), np.random.default_rng(seed)
        self.k, self.n, self.batch = self.random.choice([1, 2, 3, 4]), self.random.choice([1, 2, 3]), self.draw_batch()
        self.wild = self.random.random() < 0.4                          # several extreme magnitudes in one call

    def draw_batch(self) -> tuple[int, ...]:
        return self.random.choice(BATCHES)

    def odd(self) -> Argument | None:
        """In one of eight cases, return a value that no function accepts."""
        if self.random.random() > 0.12:
            return None
        return Argument(self.random.choice([
            None, "text", [[1.0, 2.0], [3.0]], [1j, 2.0], np.array([1.0, 2 + 1j]), np.array([1.0, None]), {}, object(),
            np.ma.masked_array([1.0, 2.0], [False, True]), [np.ma.masked_array([1.0], [True])], [1.0, np.nan], [np.inf],
            np.full((2, self.k), -np.inf), [10**400, 1], ["1", "2"], np.array(["2020-01-01"], "datetime64[D]")]), BAD)

    def numbers(self, shape: tuple[int, ...], shared: bool) -> Argument:
        """Return scores of this shape in one of many forms and magnitudes."""
        values = self.rng.normal(size=shape)
        form = self.random.randrange(12) if not self.wild else self.random.randrange(6, 12)
        verdict = GOOD if shared else EXTREME
        if form == 0:
            return Argument(np.round(values * 3).astype(int), verdict, shape)
        if form == 1:
            return Argument(values > 0, verdict, shape)
        if form == 2 and 0 not in shape:
            return Argument(values.tolist(), verdict, shape)
        if form == 3:
            values = values.astype(np.float32)
        if form == 4:
            values = np.asfortranarray(values)
            values.flags.writeable = False
        if form > 8:
            scale = self.random.choice([0.0, 5e-324, 1e-300, 1e-150, 30.0, 1e4, 1e16, 1e100, 1e155, 2e299, 1e308])
            with np.errstate(over="ignore"):
                values, verdict = np.clip(values * scale, -1.7e308, 1.7e308), EXTREME
            if self.random.random() < 0.3:
                values = values + self.rng.normal(size=shape)
        return Argument(values, verdict, shape)

    def table(self, *tail: int, leading: tuple[int, ...] = ()) -> Argument:
        """Return numbers of shape leading + batch + tail, or sometimes of another shape."""
        odd = self.odd()
        if odd:
            return odd
        shared = self.random.random() < 0.85
        batch = self.random.choice([self.batch, self.batch if leading else ()]) if shared else self.draw_batch()
        tail = tail if shared else tail[:-1] + (self.random.choice([0, 1, 2, tail[-1]]),)
        return self.numbers(leading + batch + tail, shared)

    def scores(self) -> Argument:
        return self.table(self.k)

    def variables(self) -> Argument:
        return self.table(self.n, self.k)

    def joint_scores(self) -> Argument:
        return self.table(self.k**self.n)

    def noise(self) -> Argument:
        return self.table(self.k, leading=self.random.choice([(), (), (5,)]) if self.batch else ())

    def samples_of_noise(self) -> Argument:
        leading = self.random.choice([(5,), (5,), (5,), (1,), (1,), (0,)])
        noise = self.table(self.k, leading=leading)
        return noise if leading != (0,) else noise._replace(verdict=BAD)

    def eps(self, signed: bool = False) -> Argument:
        if self.random.random() < 0.1:
            return Argument(self.random.choice([
                None, "0.1", True, 1j, [[0.1, 0.2], [0.3]], np.nan, np.inf, -np.inf, 1e308, [0.1, np.nan],
                np.ma.masked_array([0.1], [True]), 10**400, {}]), BAD)
        if self.random.random() < 0.08:
            return Argument(self.random.choice([0.0, -0.1, -1e-320, -3]), GOOD if signed else BAD, ())
        value = self.random.choice([0.1, 0.5, 1, 2.0, np.float32(0.25), 1e-3, 30.0])
        extreme = self.random.random() < (0.8 if self.wild else 0.1)
        if extreme:
            value = self.random.choice([5e-324, 1e-310, 1e-305, 1e-300, 1e-160, 1e-20, 1e4, 1e20, 1e100, 1e160, 1e300,
                                        1e305])
            value = self.random.choice([value, -value]) if signed else value
        shape = self.random.choice([(), (), self.batch])
        return Argument(np.full(shape, value) if shape else value, EXTREME if extreme else GOOD, shape)

    def signed_eps(self) -> Argument:
        return self.eps(signed=True)

    def samples(self) -> Argument:
        good = [Argument(1, GOOD), Argument(100, GOOD), Argument(np.int64(7), GOOD), Argument(1e6, GOOD),
                Argument(10**299, EXTREME)]
        wrong = [0, -1, 1.5, np.nan, np.inf, None, "3", True, [1, 2], 10**400, 1j, {}, np.ma.masked]
        return self.random.choice(good * 6 + [Argument(value, BAD) for value in wrong])

    def generator(self) -> Argument:
        return self.random.choice([Argument(self.rng, GOOD)] * 9 + [Argument(None, BAD), Argument(np.random, BAD)])

    def index(self) -> Argument:
        good = Argument(self.rng.integers(self.k, size=self.batch), GOOD, self.batch)
        wrong = [[0.5], [self.k + 2], [-1], [True], "0", None, [[0], [0, 0]], np.ma.masked_array([0], [True]), np.nan,
                 10**30]
        return self.random.choice([good] * 20 + [Argument(0, GOOD, ())] * 5 + [Argument(value, BAD) for value in wrong])

    def count(self) -> Argument:
        """Return how many of the k values are chosen."""
        self.chosen = self.random.randrange(self.k + 1)
        wrong = [-1, self.k + 1, 1.5, None, "1", [1], True, np.nan, 10**30]
        return self.random.choice([Argument(self.chosen, GOOD)] * 20 + [Argument(value, BAD) for value in wrong])

    def order(self) -> Argument:
        chosen = self.random.randrange(self.k + 1)
        good = np.argsort(self.rng.random(self.batch + (self.k,)), axis=-1)[..., :chosen]
        wrong = [0, [0.5], [self.k], [-1], [0, 0], "0", None, [[0], [0, 0]], [True], np.nan, 10**30]
        return self.random.choice([Argument(good, GOOD, good.shape)] * 20 + [Argument(value, BAD) for value in wrong])

    def one_hots(self) -> Argument:
        z = np.eye(self.k)[self.rng.integers(self.k, size=self.batch + (self.n,))]
        form = self.random.randrange(6)
        if form == 0:
            return self.odd() or Argument(z, GOOD, z.shape)
        if form == 1:
            return Argument(z + 0.5, BAD if z.size else EXTREME, z.shape)
        if form == 2:
            return Argument(np.eye(2)[np.zeros(64, int)], BAD)
        return Argument(z.astype(bool) if form == 3 or 0 in z.shape else z.tolist(), GOOD, z.shape)

    def size(self) -> Argument:
        good = [Argument(1, GOOD), Argument(2, GOOD), Argument(np.int32(3), GOOD), Argument(4, GOOD)]
        wrong = [0, -1, 2.5, np.nan, None, "2", [2], 10**400, 10**7]
        return self.random.choice(good * 6 + [Argument(10**5, EXTREME)] + [Argument(value, BAD) for value in wrong])

    def limit(self) -> Argument:
        return self.random.choice([Argument(10, GOOD), Argument(10**7, GOOD), Argument(10**20, GOOD)] * 4 +
                                  [Argument(wrong, BAD) for wrong in (0, 2.5, None, "2")])

    def array_shape(self) -> Argument:
        good = [Argument(shape, GOOD, shape) for shape in BATCHES] + [Argument(4, GOOD, (4,))]
        wrong = [-1, (2, -1), (1.5,), None, "a", (None,), (10**10, 10**10), [[1], [2, 3]], (1,) * 70, np.nan, 10**400]
        return self.random.choice(good * 2 + [Argument(value, BAD) for value in wrong])

    def dtype(self) -> Argument:
        good = [Argument(np.float64, GOOD), Argument("float32", GOOD), Argument(np.float32, GOOD)]
        wrong = [complex, "no such", str, 7, {"a": 1}, object]
        return self.random.choice(good * 4 + [Argument(value, BAD) for value in wrong])

    def flag(self) -> Argument:
        return Argument(self.random.random() < 0.5, GOOD)

    def text(self) -> Argument:
        return Argument("the call", GOOD)


class Case(NamedTuple):
    """A function, how its arguments are drawn, and the shape of its result after the batch axes."""

    function: object
    arguments: dict[str, object]
    tail: object
    share: int = 12             # relative number of calls; the slowest function has fewer


def cases() -> list[Case]:
    scores, eps, signed, flag = Draw.scores, Draw.eps, Draw.signed_eps, Draw.flag
    h, hf = {"h": scores}, {"h": scores, "f": scores}
    at = hf | {"eps": eps, "two_sided": flag}
    drawn = hf | {"eps": eps, "noise": Draw.noise}
    smooth = hf | {"eps": signed}
    tables = {"h": Draw.variables, "f": Draw.joint_scores}
    no_axes, one_axis, two_axes = (lambda draw: ()), (lambda draw: (draw.k,)), (lambda draw: (draw.k, draw.k))
    variables, values = (lambda draw: (draw.n, draw.k)), (lambda draw: (draw.k**draw.n,))
    rows = lambda draw: (draw.k**draw.n, draw.n)
    hot_rows = lambda draw: (draw.k**draw.n, draw.n * draw.k)
    nothing = None                                                      # the function returns no array
    return [
        Case(gumbel.sample, {"shape": Draw.array_shape, "rng": Draw.generator, "dtype": Draw.dtype}, no_axes),
        Case(gumbel.one_hot, {"index": Draw.index, "k": lambda draw: Argument(draw.k, GOOD)}, one_axis),
        Case(gumbel.argmax, {"h": scores, "noise": Draw.noise}, no_axes),
        Case(gumbel.choice_probabilities, h, one_axis),
        Case(gumbel.choice_probabilities_by_quadrature, h, one_axis),
        Case(gumbel.sample_given_argmax, {"h": scores, "index": Draw.index, "rng": Draw.generator}, one_axis),
        Case(gumbel.top_k, {"h": scores, "k": Draw.count, "rng": Draw.generator}, lambda draw: (draw.chosen,)),
        Case(gumbel.top_k_probability, {"h": scores, "order": Draw.order}, no_axes),
        Case(danskin.perturbed_max, smooth | {"noise": Draw.noise}, no_axes),
        Case(danskin.G, smooth, no_axes),
        Case(danskin.G_monte_carlo, smooth | {"noise": Draw.samples_of_noise}, no_axes),
        Case(danskin.dG_deps, smooth, no_axes),
        Case(danskin.dG_dh, smooth, one_axis),
        Case(danskin.d2G_dh_deps, smooth, one_axis),
        Case(danskin.d2G_deps_dh, smooth, one_axis),
        Case(direct.argmax_pair, drawn, no_axes),
        Case(direct.gradient, drawn | {"two_sided": flag}, one_axis),
        Case(direct.two_sided_gradient, drawn, one_axis),
        Case(direct.tilted_objective, hf | {"eps": eps}, no_axes),
        Case(direct.expected_gradient, at, one_axis),
        Case(direct.bias, at, one_axis),
        Case(direct.stay_probability, at, one_axis),
        Case(direct.joint_law, at, two_axes),
        Case(direct.variance, at, one_axis),
        Case(direct.covariance, at, two_axes),
        Case(direct.mse, at | {"samples": Draw.samples}, no_axes),
        Case(direct.best_eps, hf | {"samples": Draw.samples, "two_sided": flag}, no_axes, 6),
        Case(exact.expectation, hf, no_axes),
        Case(exact.gradient, hf, one_axis),
        Case(exact.from_likeliest, hf, one_axis),
        Case(exact.kl, h, no_axes),
        Case(exact.elbo, hf, no_axes),
        Case(exact.log_likelihood, {"f": scores}, no_axes),
        Case(exact.posterior, {"f": scores}, one_axis),
        Case(exact.gap, hf, no_axes),
        Case(joint.count, {"n": Draw.size, "k": Draw.size}, nothing),
        Case(joint.require, {"n": Draw.size, "k": Draw.size, "most": Draw.limit, "what": Draw.text,
                             "instead": Draw.text}, nothing),
        Case(joint.values, {"n": Draw.size, "k": Draw.size}, rows),
        Case(joint.one_hots, {"n": Draw.size, "k": Draw.size, "dtype": Draw.dtype}, hot_rows),
        Case(joint.index, {"z": Draw.one_hots}, no_axes),
        Case(joint.log_q, {"h": Draw.variables}, values),
        Case(joint.expectation, tables, no_axes),
        Case(joint.gradient, tables, variables),
    ]


def frozen(value: object) -> object:
    """Return an unchangeable copy of the value, to compare with it later."""
    if isinstance(value, np.ndarray) and not isinstance(value, np.ma.MaskedArray):
        return value.dtype.str, value.shape, value.tobytes()
    return repr(value)


def expected_shape(case: Case, arguments: dict[str, Argument], draw: Draw) -> tuple[int, ...]:
    """Return the broadcast batch axes of all arguments and the tail, with k and n from the first argument."""
    name, first = next(iter(arguments.items()))
    if case.arguments[name] is Draw.scores:
        draw.k = first.shape[-1]
    if case.arguments[name] is Draw.variables:
        draw.n, draw.k = first.shape[-2:]
    if name == "n":
        draw.n, draw.k = int(first.value), int(arguments["k"].value)
    batches = []
    for name, argument in arguments.items():
        if argument.shape is None:
            continue
        own = {"shape": 0, "index": 0, "eps": 0, "z": 2}.get(name, 1)       # trailing axes that are not batch axes
        if case.arguments[name] is Draw.variables:
            own = 2
        averaged = 1 if case.arguments[name] is Draw.samples_of_noise else 0
        batches.append(argument.shape[averaged:len(argument.shape) - own])
    return np.broadcast_shapes(*batches) + case.tail(draw)


def check_call(case: Case, seed: int, function=None) -> str:
    """Make one call, check it, and return whether the arguments were "accepted" or "refused"."""
    draw = Draw(seed)
    arguments = {name: maker(draw) for name, maker in case.arguments.items()}
    values = {name: argument.value for name, argument in arguments.items()}
    before = {name: frozen(value) for name, value in values.items() if name != "rng"}
    verdicts = {argument.verdict for argument in arguments.values()}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            result = (function or case.function)(**values)
    except (ValueError, TypeError) as error:
        outcome = "refused"
        if case.function is joint.require and str(error).startswith("the call enumerates"):
            return outcome                                                  # this function's purpose
        match = re.match(r"(\w+) must ", str(error))
        assert match and match[1] in values, f"the error names no argument: {error!r}"
        assert verdicts != {GOOD}, f"valid arguments were refused: {error!r}"
    else:
        outcome = "accepted"
        assert BAD not in verdicts, "an invalid argument was accepted"
        if case.tail is not None:
            shape = expected_shape(case, arguments, draw)
            for part in result if isinstance(result, tuple) else (result,):
                assert np.shape(part) == shape, f"shape {np.shape(part)}, not {shape}"
                limit = np.inf if case.function is direct.best_eps else np.finfo(float).max
                assert (np.abs(part) <= limit).all(), "not finite"
    for name, original in before.items():
        assert frozen(values[name]) == original, f"{name} was changed"
    return outcome


def test_random_calls_succeed_or_name_the_invalid_argument():
    every = cases()
    turns = [case for case in every for _ in range(case.share)]
    outcomes: dict[str, list[str]] = {case.function.__name__: [] for case in every}
    for call in range(CALLS):
        case = turns[call % len(turns)]
        try:
            outcomes[case.function.__name__].append(check_call(case, call))
        except Exception as error:
            name = f"{case.function.__module__}.{case.function.__name__}"
            raise AssertionError(f"{name}, seed {call}: {error!r}") from error
    for name, seen in outcomes.items():
        assert 0.1 < seen.count("accepted") / len(seen) < 0.95, f"{name}: too few calls of one kind"


def test_every_public_function_is_called():
    public = {function for module in (gumbel, danskin, direct, coupling, exact, finite_eps, joint)
              for name, function in vars(module).items()
              if inspect.isfunction(function) and function.__module__ == module.__name__ and not name.startswith("_")}
    assert {case.function for case in cases()} == public


def raises_without_a_name(h, f):
    if np.shape(h) != np.shape(f):
        raise ValueError("operands could not be broadcast together")
    return exact.gradient(h, f)


def ignores_masks(h, f):
    return exact.gradient(np.asarray(h), np.asarray(f))


def changes_its_input(h, f):
    result = exact.gradient(h, f)
    if isinstance(f, np.ndarray) and f.flags.writeable and f.dtype == float:
        f -= 1.0
    return result


def warns(h, f):
    return exact.gradient(h, f) + 0 * np.float64(1e300) * np.square(np.abs(np.asarray(h, float)).max(initial=0))


def wrong_shape(h, f):
    return exact.gradient(h, f)[..., :1]


@pytest.mark.parametrize("planted", [raises_without_a_name, ignores_masks, changes_its_input, warns, wrong_shape])
def test_random_calls_detect_planted_faults(planted):
    # the correct function passes these 200 calls
    case = next(case for case in cases() if case.function is exact.gradient)
    failures = 0
    for call in range(200):
        try:
            check_call(case, call, planted)
        except Exception:
            failures += 1
    assert failures > 0
