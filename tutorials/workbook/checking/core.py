"""Compare the results of a student's function with the exact numbers, and find the slip that explains the results.

A slip is a common mistake.  It is represented by a function with the same arguments that makes this mistake.  A slip is
named only if its results are the student's numbers in all cases, up to rounding.
"""
from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable
from dataclasses import dataclass, field
from types import ModuleType

import numpy as np

from checking import loading
from checking.loading import Problem
from checking.showing import counted, example


@dataclass(frozen=True)
class Task:
    """Describes one function that the student has to write.

    name        the name of the function
    right       a correct function with the same arguments
    cases       a list of arguments by name on which the function is called, the smallest arguments first
    slips       maps a clause that names a slip to a function that makes this mistake
    outputs     the names of the results; () if the function returns a single result without a name
    factors     maps a name to a function of the arguments that returns a number.  A wrong factor of the results can be
                a power of this number
    explain     a function (cases, results, at_random) that is called if no slip explains the results.  It returns a
                clause for the student, or None.  at_random says whether the results differ from call to call
    """

    name: str
    right: Callable
    cases: list[dict[str, object]]
    slips: dict[str, Callable] = field(default_factory=dict)
    outputs: tuple[str, ...] = ()
    factors: dict[str, Callable] = field(default_factory=dict)
    explain: Callable = lambda cases, results, at_random: None

    def judge(self, module: ModuleType) -> None:
        """Raise Problem if the student's function is not right."""
        results, later = [], None
        for place in range(len(self.cases)):
            try:
                results.append(self._called(module, place))
            except Problem as problem:
                if not results or problem.state != loading.WRONG:
                    raise
                later = problem                         # the smaller cases may have a more helpful message
                break
        self._compare(results, lambda: self._called(module, len(results) - 1))
        if later:
            raise later

    def _called(self, module: ModuleType, place: int) -> dict[str, np.ndarray]:
        """Call the student's function on case number `place`, and return its results by name.

        Each array of a list has a name of its own.  Raises Problem if a result is not an array of numbers.
        """
        returned = loading.call(module, self.name, self.cases[place])
        return named(self.name, returned, self.outputs, self.rights[place])

    def _compare(self, results: list[dict[str, np.ndarray]], again: Callable) -> None:
        """Raise Problem if a result differs from the right result.  again() calls the function on the last case."""
        cases = self.cases[:len(results)]
        rights = self.rights
        for name in rights[0]:
            mine, right = [result[name] for result in results], [each[name] for each in rights[:len(results)]]
            wrong = [place for place in range(len(cases)) if not same(mine[place], right[place])]
            if not wrong:
                continue
            which = f"`{name}` of `{self.name}`" if name else f"`{self.name}`"
            first = wrong[0]
            where = example(cases[first], mine[first], right[first])
            at_random = not same(again()[name], mine[-1])
            slip = None if at_random else self._slip(name, results) or _exchanged(name, results, rights)
            slip = slip or self.explain(cases, mine, at_random)
            if at_random:
                slip = slip or "it draws random numbers of its own"
            if slip:
                raise Problem(f"{which} is wrong.  Likely slip: {slip}.", *where)
            raise Problem(f"{which} is wrong: {self._in_general(cases, mine, right)}.", *where)

    @functools.cached_property
    def rights(self) -> list[dict[str, np.ndarray]]:
        """Return the right results of all cases."""
        return [named("", self.right(**case), self.outputs) for case in self.cases]

    @functools.cached_property
    def known(self) -> dict[str, list[dict[str, np.ndarray]]]:
        """Return the results of each slip for all cases.  The keys are the clauses that name the slips."""
        return {words: self.of_slip(slip) for words, slip in self.slips.items()}

    def of_slip(self, slip: Callable) -> list[dict[str, np.ndarray]]:
        """Return the results of a slip for all cases before the first one whose shapes it does not accept."""
        made = []
        with np.errstate(all="ignore"), contextlib.suppress(ValueError, IndexError, TypeError):
            for case in self.cases:
                made.append(named("", slip(**case), self.outputs))
        return made

    def _slip(self, name: str, results: list[dict[str, np.ndarray]]) -> str | None:
        """Return the clause of the slip that explains all results.

        If there is none, return the clause of the first slip that explains the result `name`, or None.
        """
        partly = None
        for words, made in self.known.items():
            if len(made) != len(results) or not all(
                    name in each and same(mine[name], each[name]) for mine, each in zip(results, made)):
                continue
            if all(same(mine[each], those[each]) for mine, those in zip(results, made) for each in mine):
                return words
            partly = partly or words
        return partly

    def _in_general(self, cases: list[dict], mine: list[np.ndarray], right: list[np.ndarray]) -> str:
        """Return a message about wrong numbers that can be used for any function."""
        for one, other in zip(mine, right):
            if one.shape != other.shape:
                return f"its shape is {one.shape}, and must be {other.shape}" + _why(one, other)
        for one, other in zip(mine, right):
            if not np.isfinite(one).all() and np.isfinite(other).all():
                kind = "NaN (not a number)" if np.isnan(one).any() else "infinite"
                count = np.count_nonzero(~np.isfinite(one))
                return f"{count} of {counted(one.size, 'number')} {'is' if count == 1 else 'are'} {kind}"
        told = [place for place, other in enumerate(right) if other.any()]         # where the right result is not 0
        factors = [_factor(mine[place], right[place]) for place in told]
        if told and not any(factor is None or abs(factor - 1) < 1e-6 for factor in factors) and not any(
                one.any() for place, one in enumerate(mine) if place not in told):
            return self._of_factor([cases[place] for place in told], factors)
        if all(np.allclose(one, other, rtol=1e-3, atol=1e-3 * np.abs(other).max(initial=0))
               for one, other in zip(mine, right)):
            return "it is nearly right, but less exact than rounding explains (a rounded constant, or half precision)"
        if all(one.ndim and same(one - one[..., :1], other - other[..., :1]) for one, other in zip(mine, right)):
            return "the numbers of a row are right up to a constant, the same for the whole row"
        if all(same(np.sort(one, axis=None), np.sort(other, axis=None)) for one, other in zip(mine, right)):
            return "these are the right numbers, but they are in the wrong places"
        wrong = sum(int(np.count_nonzero(~close(one, other))) for one, other in zip(mine, right))
        verb, them = ("is", "it") if wrong == 1 else ("are", "them")
        return (f"{wrong} of {counted(sum(each.size for each in mine), 'number')} {verb} not right, and no common slip "
                f"explains {them}")

    def _of_factor(self, cases: list[dict], factors: list[float]) -> str:
        """Return the message for results that are right up to a factor, given the factor in each case."""
        if np.allclose(factors, 0):
            return "all its numbers are 0"
        if np.allclose(factors, -1):
            return "the sign is wrong: it is minus the right result"
        sign = "minus the right result" if factors[0] < 0 else "the right result"
        direction = "the direction is right, and the length is not: " if factors[0] > 0 else ""
        for name, number in self.factors.items():
            values = np.array([number(**case) for case in cases], float)
            for power, words in ((-1, f"1/{name}"), (1, name), (-2, f"1/{name}^2"), (2, f"{name}^2")):
                if np.ptp(values) and np.allclose(np.abs(factors), values**power):
                    much = {-1: f" (divided by {name} once too often)", 1: f" (times {name} once too often, or the "
                            f"division by {name} is missing)"}.get(power, "")
                    return f"{direction}it is {sign} times {words}{much}"
        if np.allclose(factors, factors[0]):
            return f"{direction}it is {sign} times {factors[0] if factors[0] > 0 else -factors[0]:.4g}"
        return f"{direction}it is {sign} times a number that differs from case to case"


def named(function: str, returned: object, outputs: tuple[str, ...],
          right: dict[str, np.ndarray] | None = None) -> dict[str, np.ndarray]:
    """Return what a function has returned as arrays by name.  Each array of a list has a name of its own.

    If `right`, the right results by name, is given, their names are used.  Raises Problem if `returned` does not have
    this form.
    """
    if not outputs:
        return {"": array(f"`{function}`", returned, right and right[""])}
    if not isinstance(returned, (tuple, list)) or len(returned) != len(outputs):
        found = (counted(len(returned), "thing") if isinstance(returned, (tuple, list)) else
                 f"one {type(returned).__name__}")
        raise Problem(f"`{function}` returns {found}, and must return {len(outputs)}: {', '.join(outputs)}.")
    made = {}
    for name, value in zip(outputs, returned):
        many = right is not None and f"{name}[0]" in right or right is None and isinstance(value, list)
        if not many:
            made[name] = array(f"`{name}` of `{function}`", value, right and right[name])
            continue
        count = len(value) if right is None else sum(each.startswith(f"{name}[") for each in right)
        if not isinstance(value, (tuple, list)) or len(value) != count:
            found = (f"a {type(value).__name__} of {len(value)}" if isinstance(value, (tuple, list)) else
                     f"an array of shape {value.shape}" if isinstance(value, np.ndarray) else
                     f"of type {type(value).__name__}")
            raise Problem(f"`{name}` of `{function}` must be a list of {counted(count, 'array')}, and is {found}.")
        for place, each in enumerate(value):
            made[f"{name}[{place}]"] = array(f"`{name}[{place}]` of `{function}`", each, None)
    return made


def array(what: str, value: object, right: np.ndarray | None) -> np.ndarray:
    """Return `value` as an array of numbers.  Raise Problem if it is not an array of numbers or a number."""
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not (isinstance(value, (np.ndarray, np.generic)) or number):
        wanted = "a number" if right is not None and right.ndim == 0 else "a NumPy array" + (
            f" of shape {right.shape}" if right is not None and right.size else "")
        raise Problem(f"{what} is of type {type(value).__name__}, and must be {wanted}.")
    made = np.asarray(value)
    if made.dtype.kind == "b":
        raise Problem(f"{what} is of True and False, and must be numbers: .astype(float).")
    if made.dtype.kind not in "fiu":
        raise Problem(f"{what} holds {made.dtype} instead of real numbers.")
    return made if made.dtype.kind == "f" else made.astype(float)


def close(mine: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Return whether each entry of `mine` equals `right` up to the rounding of the student's precision."""
    unit = 1e-6 if mine.dtype.itemsize >= 8 else 2e-5           # a step of a float64 result may have used float32
    finite = np.abs(right[np.isfinite(right)])
    with np.errstate(all="ignore"):
        return np.isclose(mine, right, rtol=unit, atol=unit * min(finite.max(initial=1), 100), equal_nan=True)


def same(mine: np.ndarray, right: np.ndarray) -> bool:
    """Return whether the two arrays have the same shape and the same numbers, up to rounding."""
    return mine.shape == right.shape and bool(close(mine, right).all())


def _exchanged(name: str, results: list[dict[str, np.ndarray]], rights: list[dict[str, np.ndarray]]) -> str | None:
    """Return a clause if the student's result `name` is the right result of another name, otherwise None."""
    for other in rights[0]:
        if other != name and all(same(mine[name], right[other]) for mine, right in zip(results, rights)):
            return f"it is `{other}`: the results are returned in the wrong order"
    return None


def _factor(mine: np.ndarray, right: np.ndarray) -> float | None:
    """Return the number c with `mine` = c * `right`, or None if there is none.  `right` must not be 0 everywhere."""
    factor = float((mine * right).sum()) / float((right * right).sum())
    return factor if same(mine, factor * right) else None


def _why(mine: np.ndarray, right: np.ndarray) -> str:
    if mine.ndim == 0:
        return ": it is one number: an axis is missing in a sum (axis=1, say), or there is a mean that should not be"
    if mine.ndim == 2 and mine.shape[::-1] == right.shape:
        return ": it is transposed"
    if np.squeeze(mine).shape == np.squeeze(right).shape and mine.size:
        return ": there is one axis of length 1 too many or too few (keepdims=True keeps one)"
    return ""
