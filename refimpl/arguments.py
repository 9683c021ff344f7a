"""Check the arguments of public functions.  A wrong argument raises an error with a one-line message."""
from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches

import numpy as np


def one_line(text: object) -> str:
    """Return str(text) on one line.  Python's escape sequences replace line breaks and other unprintable characters."""
    return "".join(each if each.isprintable() else repr(each)[1:-1] for each in str(text))


class InputError(ValueError):
    """Raised if the user gives a file, a folder or an option that cannot be used.

    The message is one line.  It states what is wrong, where it is wrong, and what is allowed.  The command line prints
    the message and exits with status 2.
    """

    def __init__(self, message: str = "") -> None:
        super().__init__(one_line(message))


class NotFinite(ValueError):
    """Raised if a number is NaN, infinite or too large."""


Value = bool | int | float | str

TRUTH_VALUES = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


@dataclass(frozen=True)
class Setting:
    """Describes an option of an estimator, of a family of latent variables, or of an experiment.

    kind         the type of the value: bool, int, float or str
    default      the default value, or None if it is computed from other options
    help         one line of help, including the unit
    least, most  the smallest and the largest allowed number
    within       a function, for example `temperature`.  It raises ValueError if the value is out of range
    choices      a function that returns the allowed values of a str
    """

    kind: type
    default: Value | None
    help: str
    least: float | None = None
    most: float | None = None
    within: Callable[[str, float], float] | None = None
    choices: Callable[[], Iterable[str]] | None = None

    def __post_init__(self) -> None:
        if self.default is not None and self.choices is None:           # choices may not be registered yet
            self.check("the default of a setting", self.default)

    def check(self, name: str, value: Value) -> Value:
        """Convert `value` to the type `kind`.  Raise an InputError if the value is not allowed."""
        accepted = (int, float) if self.kind is float else (self.kind,)
        if type(value) not in accepted:
            raise InputError(f"{name} must be of the type {self.kind.__name__}, got {value!r}")
        value = self.kind(value)
        if self.choices is not None and value not in (allowed := list(self.choices())):
            raise InputError(unknown(name, value, allowed))
        in_range(name, value, self.least, self.most, self.within)
        return value

    def parse(self, name: str, text: str) -> Value:
        """Convert a word of the command line to the type `kind`.  Raise an InputError if the value is not allowed."""
        try:
            value = TRUTH_VALUES[text.lower()] if self.kind is bool else self.kind(text)
        except (KeyError, ValueError):
            words = {bool: "true or false", int: "a whole number", float: "a number"}[self.kind]
            raise InputError(f"{name} must be {words}, got {text!r}") from None
        return self.check(name, value)


def in_range(name: str, value: Value, least: float | None = None, most: float | None = None,
             within: Callable[[str, float], float] | None = None) -> None:
    """Raise an InputError if `value` is below `least` or above `most`, or if within(name, value) raises an error."""
    if least is not None and not value >= least:
        also = "" if most is None else f" and at most {most}"
        raise InputError(f"{name} must be at least {least}{also}, got {value}")
    if most is not None and not value <= most:
        also = "" if least is None else f" and at least {least}"
        raise InputError(f"{name} must be at most {most}{also}, got {value}")
    if within is not None:
        try:
            within(name, value)
        except (TypeError, ValueError) as problem:
            raise InputError(str(problem)) from None


def unknown(what: str, given: str, known: Iterable[str], elsewhere: Mapping[str, str] = {}) -> str:
    """Return an error message for the unknown name `given`.  It lists all known names and suggests the nearest name.

    what       the kind of thing that was named, for example "estimator"
    known      all known names
    elsewhere  maps other names to what the user should write instead
    """
    known = list(known)
    near = get_close_matches(str(given), [*known, *elsewhere], 1)
    suggestion = f"did you mean {near[0] if near[0] in known else elsewhere[near[0]]!r}? " if near else ""
    separator = "; " if any("," in name for name in known) else ", "
    verb = "is only" if len(known) == 1 else "are"
    return f"unknown {what} {given!r}; {suggestion}there {verb} {separator.join(known) or 'none'}"


class Options(Mapping[str, Value]):
    """An immutable, hashable mapping from the names of settings to their values, sorted by name."""

    def __init__(self, values: Mapping[str, Value] = {}, **more: Value) -> None:
        self._values = dict(sorted({**values, **more}.items()))

    def __getitem__(self, name: str) -> Value:
        return self._values[name]

    def __iter__(self):
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __hash__(self) -> int:
        return hash(tuple(self._values.items()))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Mapping) and self._values == dict(other)

    def __repr__(self) -> str:
        return f"Options({self._values})"

    def __or__(self, other: Mapping[str, Value]) -> Options:
        return Options(self._values, **other)


# The largest absolute value of a score, of the noise and of eps f.  float64 overflows beyond 1.8e308, so with this
# limit neither a difference nor a sum of millions of terms overflows.
LARGEST = 1e300

MOST_AXES = 24

# The range of eps.  Within it, 2 eps and 1 / eps are normal floating-point numbers.
SMALLEST_EPS, LARGEST_EPS = 1e-305, 1e305

# The ranges of the settings of a training run.  In these ranges an estimate and its square are normal float32 numbers.
TEMPERATURES = (1e-6, 1e6)          # eps and tau
LEARNING_RATES = (1e-20, 1e3)
WEIGHTS, KL_WEIGHTS = (0.0, 1e6), (1e-6, 1e6)
COUNTS = 10**9


def array(name: str, value: object) -> np.ndarray:
    """Return `value` as an array.  The error messages call it `name`.

    Raises TypeError if `value` is a masked array.  Raises ValueError if `value` is ragged or has more than 24 axes.
    """
    try:
        if _masked(value):                                          # np.asarray would drop the mask silently
            raise TypeError(f"{name} must not be a masked array")
    except RecursionError:
        raise ValueError(f"{name} must be an array, not a list that contains itself") from None
    try:
        found = np.asarray(value)
    except (ValueError, TypeError, OverflowError):
        raise ValueError(f"{name} must be an array with rows of equal length") from None
    if found.ndim > MOST_AXES:                                      # NumPy's own limit is 32 in some of its functions
        raise ValueError(f"{name} must have at most {MOST_AXES} axes, got {found.ndim}")
    return found


def _masked(value: object) -> bool:
    if isinstance(value, (list, tuple)):
        return any(_masked(item) for item in value)
    return isinstance(value, np.ma.MaskedArray)


def _real(name: str, value: object, kinds: str) -> np.ndarray:
    """Return `value` as a float64 array.  `kinds` contains the letters (dtype.kind) of the allowed types."""
    numbers = array(name, value)
    if numbers.dtype.kind not in kinds:
        raise TypeError(f"{name} must be a real number or an array of them, got dtype {numbers.dtype}")
    with np.errstate(over="ignore", invalid="ignore"):              # a long double may overflow; the callers check
        return numbers.astype(np.float64, copy=False)


def broadcast(names: tuple[str, str], shapes: tuple[tuple[int, ...], tuple[int, ...]]) -> tuple[int, ...]:
    """Return the shape to which both shapes broadcast.  Raise a ValueError if there is no such shape."""
    try:
        return np.broadcast_shapes(*shapes)
    except ValueError:
        raise ValueError(f"{names[0]} must broadcast with {names[1]}: got shapes {shapes[0]} and {shapes[1]}") from None


def scores(**named: object) -> list[np.ndarray]:
    """Check the arguments, and return them as float64 arrays.

    All arguments must have shape (..., k) with the same k >= 1, and their batch axes must broadcast.  Every entry must
    be finite and at most LARGEST = 1e300 in absolute value, so no difference of two entries overflows.  Raises
    TypeError if an argument is a masked array or does not contain real numbers, and ValueError for all other faults.
    """
    arrays: dict[str, np.ndarray] = {}
    for name, value in named.items():
        numbers = _real(name, value, "fiub")
        if numbers.ndim == 0 or numbers.shape[-1] == 0:
            raise ValueError(f"{name} must have shape (..., k) with k >= 1, got shape {numbers.shape}")
        if not (np.abs(numbers) <= LARGEST).all():
            raise NotFinite(f"{name} must be finite and at most {LARGEST:g} in absolute value, "
                            f"got NaN, infinity or more{_excluded(numbers)}")
        for other, earlier in arrays.items():
            if numbers.shape[-1] != earlier.shape[-1]:
                raise ValueError(f"{name} must have as many values of z on its last axis as {other}: "
                                 f"got shapes {numbers.shape} and {earlier.shape}")
            broadcast((name, other), (numbers.shape, earlier.shape))
        arrays[name] = numbers
    return list(arrays.values())


def epsilon(eps, batch_shape: tuple[int, ...] = (), positive: bool = True) -> np.ndarray:
    """Check eps, and return it as a float64 array of shape (..., 1).

    eps is a number, or an array that broadcasts with the batch axes.  Raises TypeError if eps does not contain real
    numbers.  Raises ValueError if eps is not finite, does not broadcast, or has an absolute value above LARGEST_EPS.
    If `positive` is True, eps must also be at least SMALLEST_EPS.
    """
    numbers = _real("eps", eps, "fiu")
    if not np.isfinite(numbers).all():
        raise ValueError("eps must be finite, got NaN or infinity")
    if positive and not (numbers > 0).all():
        raise ValueError(f"eps must be above 0, got {numbers.min():g}")
    if positive and not (numbers >= SMALLEST_EPS).all():
        raise ValueError(f"eps must be at least {SMALLEST_EPS:g}, got {numbers.min():g}")
    if not (np.abs(numbers) <= LARGEST_EPS).all():
        raise ValueError(f"eps must be at most {LARGEST_EPS:g} in absolute value, got {np.abs(numbers).max():g}")
    broadcast(("eps", "the batch axes"), (numbers.shape, batch_shape))
    return numbers[..., None]


def perturbation(eps: np.ndarray, f: np.ndarray) -> None:
    """Raise ValueError if |eps f| exceeds LARGEST.  The other checks of eps and f must come first."""
    with np.errstate(over="ignore"):
        if not (np.abs(eps * f) <= LARGEST).all():
            raise ValueError(f"eps must be so small that eps f is at most {LARGEST:g} in absolute value, "
                             f"got eps = {np.abs(eps).max():g} and |f| up to {np.abs(f).max():g}")


def no_overflow(result: np.ndarray, name: str, allowed: str) -> np.ndarray:
    """Return `result`.  Raise ValueError if one of its entries has overflowed.

    The error message begins with `name`, "must" and `allowed`, for example with "eps must be larger".
    """
    if not np.isfinite(result).all():
        raise ValueError(f"{name} must {allowed}: the result exceeds the largest float64, 1.8e308")
    return result


def integer(name: str, value: object, least: int, most: int = 10**300) -> int:
    """Return `value` as an int.  A float such as 1e6 is accepted.

    Raises TypeError if `value` is not a number, and ValueError if it is not a whole number from `least` to `most`.
    """
    number = array(name, value)
    # NumPy turns a Python int beyond 64 bits into an array of objects.
    huge = isinstance(value, int) and number.dtype == object
    if number.ndim or (number.dtype.kind not in "fiu" and not huge):
        raise TypeError(f"{name} must be a whole number, got {type(value).__name__}")
    if not (np.isfinite(value) if not huge else True) or value != int(value):
        raise ValueError(f"{name} must be a whole number, got {value}")
    if not least <= int(value) <= most:
        shown = f"{most:,}" if most < 10**15 else f"{most:g}"
        raise ValueError(f"{name} must be in {least} ... {shown}, got {value}")
    return int(value)


def shape(value: object) -> tuple[int, ...]:
    """Convert a shape, given as an int or a tuple of ints, to a tuple.  Raise TypeError or ValueError otherwise."""
    axes = tuple(value) if isinstance(value, (tuple, list)) else (value,)
    if len(axes) > 64:
        raise ValueError(f"shape must have at most 64 axes, got {len(axes)}")
    sizes = tuple(integer("shape", axis, 0) for axis in axes)
    if math.prod(sizes) >= 2**59:
        raise ValueError("shape must hold fewer than 2^59 numbers")
    return sizes


def finite(name: str, values: np.ndarray) -> np.ndarray:
    """Return `values`.  Raise NotFinite if one of the values is NaN or infinite."""
    if not np.isfinite(values).all():
        raise NotFinite(f"{name} must be finite, got NaN or infinity{_excluded(values)}")
    return values


def _excluded(numbers: np.ndarray) -> str:
    low = "-1e30" if numbers.dtype == np.float32 else f"{-LARGEST:g}"
    return f"; to exclude a value, give it a score of {low}" if np.isneginf(numbers).any() else ""


def number(name: str, value: object) -> float:
    """Return `value` as a float.  Raise TypeError if it is not a single real number."""
    found = _real(name, value, "fiu")
    if found.ndim:
        raise TypeError(f"{name} must be one number, got an array of shape {found.shape}")
    return float(found)


def positive(name: str, value: float) -> float:
    """Return `value` as a float.  Raise TypeError or ValueError if it is not a number above 0 and below infinity."""
    found = number(name, value)
    if not (math.isfinite(found) and found > 0):
        raise ValueError(f"{name} must be above 0 and finite, got {value}")
    return found


def _within(name: str, value: float, limits: tuple[float, float]) -> float:
    found, (least, most) = number(name, value), limits
    if not least <= found <= most:
        raise ValueError(f"{name} must be at least {least:.10g} and at most {most:.10g}, got {found:g}")
    return found


def temperature(name: str, value: float) -> float:
    """Return an eps or a tau as a float.  Raise ValueError if it is outside TEMPERATURES."""
    return _within(name, value, TEMPERATURES)


def learning_rate(name: str, value: float) -> float:
    """Return a learning rate as a float.  Raise ValueError if it is outside LEARNING_RATES."""
    return _within(name, value, LEARNING_RATES)


def weight(name: str, value: float) -> float:
    """Return the weight of a loss term as a float.  Raise ValueError if it is outside WEIGHTS."""
    return _within(name, value, WEIGHTS)


def kl_weight(name: str, value: float) -> float:
    """Return the weight of a KL term as a float.  Raise ValueError if it is outside KL_WEIGHTS."""
    return _within(name, value, KL_WEIGHTS)


RANGES = {temperature: TEMPERATURES, learning_rate: LEARNING_RATES, weight: WEIGHTS, kl_weight: KL_WEIGHTS}


def flag(name: str, value: object) -> bool:
    """Return `value` as a bool.  Raise TypeError if it is not a bool, for example if it is a number or a string."""
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{name} must be True or False, got {value!r}")
    return bool(value)


def corners(name: str, z: np.ndarray) -> np.ndarray:
    """Return the index of the 1 in each one-hot vector of z.

    z has shape (..., k), and the result has shape (...).  Raises ValueError if a vector is not one-hot.
    """
    if not (((z == 0) | (z == 1)).all() and (z.sum(axis=-1) == 1).all()):
        raise ValueError(f"{name} must be one-hot vectors on its last axis, got a relaxed or an empty one")
    return z.argmax(axis=-1)


def generator(rng) -> np.random.Generator:
    """Return `rng`.  Raise TypeError if it is not a numpy.random.Generator."""
    if not isinstance(rng, np.random.Generator):
        raise TypeError(f"rng must be a numpy.random.Generator (numpy.random.default_rng(seed)), "
                        f"got {type(rng).__name__}")
    return rng


def dtype(value: object) -> np.dtype:
    """Return `value` as a numpy dtype.  Raise TypeError if it is not a dtype."""
    try:
        return np.dtype(value)
    except (TypeError, ValueError, SyntaxError):
        raise TypeError(f"dtype must be a numpy dtype, got {value!r}") from None


def indices(index, k: int, name: str = "index") -> np.ndarray:
    """Return `index` as an array.  Raise TypeError or ValueError if an entry is not an integer from 0 to k-1."""
    numbers = array(name, index)
    if numbers.dtype.kind not in "iu":
        raise TypeError(f"{name} must hold integers, got dtype {numbers.dtype}")
    if numbers.size and (numbers.min() < 0 or numbers.max() >= k):
        raise ValueError(f"{name} must lie in 0 ... {k - 1}, got {numbers.min()} ... {numbers.max()}")
    return numbers
