"""Call the user's function: prepare its arguments, read its result, and shorten its errors to one line."""
from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from refimpl import arguments
from refimpl.check.problem import Problem
from refimpl.check.rounding import PRECISIONS

LARGEST = 1e150                                             # with this limit, squares and their sums stay finite
NAMES = {"rng": "numpy", "generator": "numpy", "gen": "numpy", "random_generator": "numpy", "numpy_rng": "numpy",
         "np_rng": "numpy", "random_state": "numpy", "prng": "numpy", "random": "numpy", "seed": "seed",
         "random_seed": "seed", "seed_sequence": "sequence", "key": "key", "rng_key": "key", "prng_key": "key",
         "prngkey": "key", "random_key": "key", "jax_key": "key", "subkey": "key"}


class Hook(NamedTuple):
    function: Callable
    fourth: str                         # what its fourth argument is: "noise", "none", or a kind of generator
    keyword: str | None                 # the name of the fourth argument, if it can only be passed by name
    convert: Callable | None
    differentiate: Callable | None
    generator: Callable | None
    loss: bool


def hook(function: object, convert: object, differentiate: object, generator: object, loss: bool) -> Hook:
    """Raise TypeError if the function has the wrong parameters, or if an option is wrong."""
    for name, value in (("convert", convert), ("differentiate", differentiate), ("generator", generator)):
        if value is not None and not callable(value):
            raise TypeError(f"{name} must be a function, got {type(value).__name__}")
    if not isinstance(loss, (bool, np.bool_)):
        raise TypeError(f"loss must be True or False, got {type(loss).__name__}")
    fourth, keyword = _fourth(function)
    if generator is not None and fourth != "none":
        fourth = "made"
    return Hook(function, fourth, keyword, convert, differentiate, generator, bool(loss))


def _fourth(function: object) -> tuple[str, str | None]:
    if not callable(function):
        raise TypeError(f"function must be a function (h, f, eps, noise) -> gradient, got {type(function).__name__}")
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):                         # some compiled functions have no signature
        return "noise", None
    places = [each for each in parameters if each.kind in (each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD)]
    needed = [each for each in places if each.default is each.empty]
    by_name = [each for each in parameters if each.kind is each.KEYWORD_ONLY]
    missing = [each.name for each in by_name if each.default is each.empty]
    many = any(each.kind is each.VAR_POSITIONAL for each in parameters)
    if len(places) + (4 if many else 0) >= 4 and len(needed) <= 4 and not missing:
        return (NAMES.get(places[3].name.lower(), "noise") if len(places) > 3 else "noise"), None
    if len(places) == 3 and len(missing) <= 1:              # (h, f, eps), and perhaps a keyword-only generator
        names = missing or [each.name for each in by_name if each.name.lower() in NAMES or each.name == "noise"]
        return (NAMES.get(names[0].lower(), "noise"), names[0]) if names else ("none", None)
    raise TypeError("function must take four arguments (h, f, eps, noise), or (h, f, eps, rng)")


class Result(NamedTuple):
    g: np.ndarray                       # (draws, n, k) float64, an ascent direction if the function is correct
    precision: str                      # the precision of the returned numbers
    spoiled: tuple[str, ...]            # the names of the arguments that the function has changed in place
    overflowed: bool                    # whether 1 / eps was too large for float16


def call(hook: Hook, problem: Problem, noise: np.ndarray, rng: np.random.Generator) -> Result:
    """Call the user's function once.  Raise a one-line ValueError or TypeError if it fails or its result is wrong."""
    draws = len(noise)
    given = {"h": problem.shaped(np.repeat(problem.h[None], draws, axis=0)), "noise": problem.shaped(noise).copy()}
    if problem.callable is None:
        n, k = problem.h.shape
        given["f"] = np.repeat(problem.f[None], draws, axis=0) if problem.single else problem.f.reshape((k,) * n).copy()
    before = {name: each.copy() for name, each in given.items() if name != "noise"} | {"noise": problem.shaped(noise)}
    handed = given if hook.convert is None else {name: _guarded(f"convert({name})", hook, hook.convert, each)
                                                 for name, each in given.items()}
    f = handed.get("f", problem.callable)
    fourth = handed["noise"] if hook.fourth == "noise" else _generator(hook, rng)

    def once(h: object) -> object:
        if hook.fourth == "none":
            return hook.function(h, f, problem.eps)
        if hook.keyword is not None:
            return hook.function(h, f, problem.eps, **{hook.keyword: fourth})
        return hook.function(h, f, problem.eps, fourth)

    if hook.differentiate is None:
        returned = _guarded("function", hook, once, handed["h"])
    else:
        returned = _guarded("differentiate(function, h)", hook, hook.differentiate, once, handed["h"])
    spoiled = tuple(name for name in before if not np.array_equal(before[name], given[name]))
    g, precision = read("function", returned)
    shape = problem.shaped(noise).shape
    if g.shape != shape:
        raise ValueError(f"function must return an array of shape {shape}, one gradient per draw, got {g.shape}")
    overflowed = precision == "float16" and 1 / problem.eps > 65504 and bool(np.isinf(g).any())
    if overflowed:
        g = np.where(np.isinf(g), np.copysign(1 / problem.eps, g), g)
    peak = np.abs(g).max()
    if not np.isfinite(peak):
        raise ValueError("function must return finite numbers, got NaN or infinity")
    if peak > LARGEST:
        raise ValueError(f"function must return numbers of at most {LARGEST:g} in absolute value, got {peak:g}")
    g = g.reshape(noise.shape)
    return Result(-g if hook.loss else g, precision, spoiled, overflowed)


def _generator(hook: Hook, rng: np.random.Generator) -> object:
    if hook.fourth == "numpy":
        return rng
    seed = int(rng.integers(2**31))
    if hook.fourth == "made":
        return _guarded("generator(seed)", hook, hook.generator, seed)
    if hook.fourth == "sequence":
        return np.random.SeedSequence(seed)
    # A key of JAX is two 32-bit numbers.
    return np.array([0, seed], dtype=np.uint32) if hook.fourth == "key" else seed


def _guarded(what: str, hook: Hook | None, function: Callable, *arguments: object) -> object:
    """Call the function, and turn any exception into a ValueError or TypeError with a one-line message."""
    try:
        return function(*arguments)
    except Exception as error:
        words = " ".join(str(error).split())
        words = words if len(words) <= 300 else words[:300] + " ..."
        hint = ""
        if hook is not None and hook.fourth in ("numpy", "key", "seed", "sequence"):
            hint = "; if it needs another random generator, pass generator=, a function that makes one from a seed"
        kind = TypeError if isinstance(error, TypeError) else ValueError
        raise kind(f"{what} raised {type(error).__name__}: {words}{hint}") from error


def read(name: str, value: object) -> tuple[np.ndarray, str]:
    """Convert an array or a tensor to float64, and return it together with the name of its original precision.

    Raises TypeError or ValueError if `value` is not an array of real numbers.
    """
    if isinstance(value, tuple) and len(value) == 1:        # torch.autograd.grad returns such a tuple
        value = value[0]
    if value is None or isinstance(value, (dict, set, str, bytes)):
        raise TypeError(f"{name} must return an array of numbers, got {type(value).__name__}")
    told = str(getattr(value, "dtype", ""))
    for method in ("detach", "cpu"):
        value = getattr(value, method)() if callable(getattr(value, method, None)) else value
    if "bfloat16" in told:
        value = value.float() if callable(getattr(value, "float", None)) else np.asarray(value).astype(np.float32)
    if not isinstance(value, np.ndarray) and callable(getattr(value, "numpy", None)):
        value = value.numpy()
    array = arguments.array(f"{name}'s result", value)
    if array.dtype.kind == "c":
        raise TypeError(f"{name} must return real numbers, got complex ones")
    if array.dtype.kind not in "fiub":
        raise TypeError(f"{name} must return an array of numbers, got dtype {array.dtype}")
    precision = "bfloat16" if "bfloat16" in told else array.dtype.name
    with np.errstate(over="ignore"):
        return array.astype(np.float64, copy=False), precision if precision in PRECISIONS else "float64"


def of_z(convert: Callable | None) -> Callable:
    """Return a function values(f, z) that returns f(convert(z)) as float64, of shape (draws,)."""
    def values(f: Callable, z: np.ndarray) -> np.ndarray:
        handed = z if convert is None else _guarded("convert(z)", None, convert, z)
        result, _ = read("f", _guarded("f(z)", None, f, handed))
        if result.shape != (len(z),):
            raise ValueError(f"f must return a number for each z, shape ({len(z)},), got shape {result.shape}")
        return arguments.finite("f(z)", result)
    return values


def slope(problem: Problem, z: np.ndarray, values: Callable) -> np.ndarray:
    """Return the derivative of f with respect to z, of shape (draws, n, k).  z need not be one-hot.

    If f is a table, f(z) is the mean of f when the variables are drawn independently with the probabilities z.
    Otherwise, values(f, z) is called, and central differences approximate the derivative.
    """
    n, k = problem.h.shape
    if problem.callable is None:
        result = np.empty(z.shape)
        for i in range(n):
            part = np.broadcast_to(np.moveaxis(problem.f.reshape((k,) * n), i, -1), (len(z),) + (k,) * n)
            for j in range(n):
                if j != i:                                  # the first remaining axis is that of variable j
                    part = np.einsum("da...,da->d...", part, z[:, j])
            result[:, i] = part
        return result
    step, result = 1e-3, np.empty(z.shape)
    for i in range(n):
        for a in range(k):
            both = [z.copy(), z.copy()]
            both[0][:, i, a] += step
            both[1][:, i, a] -= step
            high, low = (values(problem.callable, problem.shaped(each)) for each in both)
            result[:, i, a] = (high - low) / (2 * step)
    return result
