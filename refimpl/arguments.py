"""What the public functions ask of their arguments, and the one line they answer when it is not so."""
from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches

import numpy as np


def one_line(text: object) -> str:
    """The text with every character that breaks a line or moves a terminal's cursor written as Python writes it.

    A path may hold any character but NUL, and so may a word on the command line.
    """
    return "".join(each if each.isprintable() else repr(each)[1:-1] for each in str(text))


class InputError(ValueError):
    """Something that the user gave cannot be used: a file, a folder, an option.  One line says what, where, and what is
    allowed; the command line prints it and exits with status 2."""

    def __init__(self, message: str = "") -> None:
        super().__init__(one_line(message))


class NotFinite(ValueError):
    """NaN, infinity, or a number beyond LARGEST where there should be a score."""


Value = bool | int | float | str

TRUTH_VALUES = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


@dataclass(frozen=True)
class Setting:
    """A hyperparameter of an estimator, or an option of a family of latent variables: what it is and what is allowed.

    kind     its type: bool, int, float or str
    default  its value unless the user gives another; None where whoever declares it works it out
    help     a line of help, with the unit
    least, most           the range of a number, ends included
    within                a function (name, value) of this file that raises ValueError outside a range of its own
    choices  a function that lists the allowed values of a str
    """

    kind: type
    default: Value | None
    help: str
    least: float | None = None
    most: float | None = None
    within: Callable[[str, float], float] | None = None
    choices: Callable[[], Iterable[str]] | None = None

    def check(self, name: str, value: Value) -> Value:
        """The value itself, as `kind`.  Raises InputError, one line that names the setting, if it is not allowed."""
        accepted = (int, float) if self.kind is float else (self.kind,)
        if type(value) not in accepted:
            raise InputError(f"{name} must be of the type {self.kind.__name__}, got {value!r}")
        value = self.kind(value)
        if self.choices is not None and value not in (allowed := list(self.choices())):
            raise InputError(unknown(name, value, allowed))
        in_range(name, value, self.least, self.most, self.within)
        return value

    def parse(self, name: str, text: str) -> Value:
        """The value that a text on the command line stands for.  Raises InputError as check() does."""
        try:
            value = TRUTH_VALUES[text.lower()] if self.kind is bool else self.kind(text)
        except (KeyError, ValueError):
            words = {bool: "true or false", int: "a whole number", float: "a number"}[self.kind]
            raise InputError(f"{name} must be {words}, got {text!r}") from None
        return self.check(name, value)


def in_range(name: str, value: Value, least: float | None = None, most: float | None = None,
             within: Callable[[str, float], float] | None = None) -> None:
    """Raises InputError, one line that states the whole range, if a number lies outside it or is not finite."""
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
    """The message for a name that does not exist: the nearest one, if any is near, and all that are known.

    elsewhere: names that are not known here, and what the user should write instead of each.
    """
    known = list(known)
    near = get_close_matches(str(given), [*known, *elsewhere], 1)
    suggestion = f"did you mean {near[0] if near[0] in known else elsewhere[near[0]]!r}? " if near else ""
    separator = "; " if any("," in name for name in known) else ", "
    return f"unknown {what} {given!r}; {suggestion}there are {separator.join(known)}"


class Options(Mapping[str, Value]):
    """Settings by name, in the order of their names: a mapping that does not change and can be hashed."""

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


# Scores, noise, and eps f may be this large in absolute value.  Beyond 1.8e308 float64 overflows; below this limit
# differences, and sums of millions of terms, do not.
LARGEST = 1e300

MOST_AXES = 24

# The range of eps.  Within it 2 eps and 1 / eps are ordinary numbers.
SMALLEST_EPS, LARGEST_EPS = 1e-305, 1e305

# The ranges of what a training run is set to.  Within them an estimate and its square are ordinary float32 numbers.
TEMPERATURES = (1e-6, 1e6)          # eps and tau
LEARNING_RATES = (1e-20, 1e3)
WEIGHTS, KL_WEIGHTS = (0.0, 1e6), (1e-6, 1e6)
COUNTS = 10**9


def array(name: str, value: object) -> np.ndarray:
    """value as an array.  TypeError naming it if it is masked, ValueError if it is ragged."""
    try:
        if _masked(value):                                          # np.asarray would drop the mask without a word
            raise TypeError(f"{name} must not be a masked array")
    except RecursionError:
        raise ValueError(f"{name} must be an array, not a list that holds itself") from None
    try:
        found = np.asarray(value)
    except (ValueError, TypeError, OverflowError):
        raise ValueError(f"{name} must be an array, its rows all of one length") from None
    if found.ndim > MOST_AXES:                                      # NumPy's own limit is 32 in some of its functions
        raise ValueError(f"{name} must have at most {MOST_AXES} axes, got {found.ndim}")
    return found


def _masked(value: object) -> bool:
    if isinstance(value, (list, tuple)):
        return any(_masked(item) for item in value)
    return isinstance(value, np.ma.MaskedArray)


def _real(name: str, value: object, kinds: str) -> np.ndarray:
    """value as a float64 array, if its dtype is one of these kinds; TypeError naming it otherwise."""
    numbers = array(name, value)
    if numbers.dtype.kind not in kinds:
        raise TypeError(f"{name} must be a real number or an array of them, got dtype {numbers.dtype}")
    with np.errstate(over="ignore", invalid="ignore"):              # a long double may overflow: the callers look
        return numbers.astype(np.float64, copy=False)


def broadcast(names: tuple[str, str], shapes: tuple[tuple[int, ...], tuple[int, ...]]) -> tuple[int, ...]:
    """The common shape; ValueError naming the pair if there is none."""
    try:
        return np.broadcast_shapes(*shapes)
    except ValueError:
        raise ValueError(f"{names[0]} must broadcast with {names[1]}: got shapes {shapes[0]} and {shapes[1]}") from None


def scores(**named: object) -> list[np.ndarray]:
    """Each argument as a float64 array (..., k), k >= 1, of one k, with batch axes that broadcast.

    Every entry must be finite and at most LARGEST = 1e300 in absolute value, so that no difference of two overflows.
    Raises TypeError for what is not real numbers (also for complex ones and masked arrays) and ValueError for the rest;
    the message names the argument, or the two that disagree.
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
    """eps as float64, with a last axis of length 1 so that it multiplies (..., k).

    A number, or an array that broadcasts with the batch axes.  Raises ValueError naming eps if it is not finite, beyond
    LARGEST_EPS, if `positive` and it is below SMALLEST_EPS, or if it does not broadcast.
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
    """ValueError naming eps unless eps f stays within LARGEST.  Both come from `epsilon` and `scores`."""
    with np.errstate(over="ignore"):
        if not (np.abs(eps * f) <= LARGEST).all():
            raise ValueError(f"eps must be so small that eps f is at most {LARGEST:g} in absolute value, "
                             f"got eps = {np.abs(eps).max():g} and |f| up to {np.abs(f).max():g}")


def no_overflow(result: np.ndarray, name: str, allowed: str) -> np.ndarray:
    """result itself; ValueError naming the argument that is at fault if an entry overflowed."""
    if not np.isfinite(result).all():
        raise ValueError(f"{name} must {allowed}: the result exceeds the largest float64, 1.8e308")
    return result


def integer(name: str, value: object, least: int, most: int = 10**300) -> int:
    """value as an int; TypeError unless it is a number, ValueError unless it is whole and in least ... most.

    A float counts if it is whole: 1e6 is a handy way to write a million.
    """
    number = array(name, value)
    # A Python int beyond 64 bits makes an array of objects.
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
    """value, an int or a tuple of ints, as the shape of an array; TypeError or ValueError naming it otherwise."""
    axes = tuple(value) if isinstance(value, (tuple, list)) else (value,)
    if len(axes) > 64:
        raise ValueError(f"shape must have at most 64 axes, got {len(axes)}")
    sizes = tuple(integer("shape", axis, 0) for axis in axes)
    if math.prod(sizes) >= 2**59:
        raise ValueError("shape must hold fewer than 2^59 numbers")
    return sizes


def finite(name: str, values: np.ndarray) -> np.ndarray:
    """The values themselves, if all of them are finite; NotFinite that names them otherwise."""
    if not np.isfinite(values).all():
        raise NotFinite(f"{name} must be finite, got NaN or infinity{_excluded(values)}")
    return values


def _excluded(numbers: np.ndarray) -> str:
    """How a value is excluded, for the end of a message, if that is what minus infinity was meant to do."""
    low = "-1e30" if numbers.dtype == np.float32 else f"{-LARGEST:g}"
    return f"; to exclude a value, give it a score of {low}" if np.isneginf(numbers).any() else ""


def number(name: str, value: object) -> float:
    """value as a float; TypeError that names it unless it is one real number."""
    found = _real(name, value, "fiu")
    if found.ndim:
        raise TypeError(f"{name} must be one number, got an array of shape {found.shape}")
    return float(found)


def positive(name: str, value: float) -> float:
    """value as a float, if it is above 0 and finite; ValueError or TypeError that names it otherwise."""
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
    """eps or tau of an estimator, as a float; ValueError or TypeError that names it unless it is in TEMPERATURES."""
    return _within(name, value, TEMPERATURES)


def learning_rate(name: str, value: float) -> float:
    """As a float; ValueError or TypeError that names it unless it is in LEARNING_RATES."""
    return _within(name, value, LEARNING_RATES)


def weight(name: str, value: float) -> float:
    """Of a term of the loss, as a float; ValueError or TypeError that names it unless it is in WEIGHTS."""
    return _within(name, value, WEIGHTS)


def kl_weight(name: str, value: float) -> float:
    """Of a KL term, as a float; ValueError or TypeError that names it unless it is in KL_WEIGHTS."""
    return _within(name, value, KL_WEIGHTS)


RANGES = {temperature: TEMPERATURES, learning_rate: LEARNING_RATES, weight: WEIGHTS, kl_weight: KL_WEIGHTS}


def flag(name: str, value: object) -> bool:
    """value as a bool; TypeError that names it for anything else, such as a number or a word."""
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{name} must be True or False, got {value!r}")
    return bool(value)


def corners(name: str, z: np.ndarray) -> np.ndarray:
    """Indices (...) of the one-hot vectors z (..., k); ValueError that names it if they are anything else."""
    if not (((z == 0) | (z == 1)).all() and (z.sum(axis=-1) == 1).all()):
        raise ValueError(f"{name} must be one-hot vectors on its last axis, got a relaxed or an empty one")
    return z.argmax(axis=-1)


def generator(rng) -> np.random.Generator:
    """rng itself, if it is a numpy Generator; TypeError otherwise."""
    if not isinstance(rng, np.random.Generator):
        raise TypeError(f"rng must be a numpy.random.Generator (numpy.random.default_rng(seed)), "
                        f"got {type(rng).__name__}")
    return rng


def dtype(value: object) -> np.dtype:
    """value as a numpy dtype; TypeError naming it otherwise."""
    try:
        return np.dtype(value)
    except (TypeError, ValueError, SyntaxError):
        raise TypeError(f"dtype must be a numpy dtype, got {value!r}") from None


def indices(index, k: int, name: str = "index") -> np.ndarray:
    """index as an integer array with all entries in 0 ... k-1; TypeError or ValueError otherwise."""
    numbers = array(name, index)
    if numbers.dtype.kind not in "iu":
        raise TypeError(f"{name} must hold integers, got dtype {numbers.dtype}")
    if numbers.size and (numbers.min() < 0 or numbers.max() >= k):
        raise ValueError(f"{name} must lie in 0 ... {k - 1}, got {numbers.min()} ... {numbers.max()}")
    return numbers
