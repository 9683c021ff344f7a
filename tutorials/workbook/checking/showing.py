"""Turn numbers and messages into text that can be printed."""
from __future__ import annotations

import numpy as np

MOST = 12                                       # an array with more numbers than this is not shown
FEW = 6                                         # an array with at most this many numbers is shown with all its rows
PLAIN = {"✓": "ok", "✗": "x", "…": "...", "ε": "eps", "γ": "gamma", "−": "-", "×": "x",
         "█": "#", "░": "."}


def shown(value: object) -> str:
    """Return a number or an array as one line of text.  For a large array, this is only its shape."""
    if callable(value):
        return " ".join((value.__doc__ or "a function").split()).rstrip(".")
    if isinstance(value, list):
        small = sum(each.size for each in value) <= MOST
        return "[" + ", ".join(map(shown, value)) + "]" if small else f"({len(value)} arrays)"
    value = np.asarray(value)
    if value.size > MOST:
        return f"(array of shape {value.shape})"
    return _written(value.tolist())


def _written(value: object) -> str:
    """Return nested lists of numbers as text, with four digits.  -0 is written as 0."""
    if isinstance(value, list):
        return "[" + " ".join(map(_written, value)) + "]"
    return f"{value + 0:.4g}" if isinstance(value, (int, float)) else str(value)


def counted(count: float, noun: str) -> str:
    """Return the number with the noun in the singular or plural, such as "1 array" or "2 arrays"."""
    return f"{count:g} {noun}{'' if count == 1 else 's'}"


def example(case: dict[str, object], mine: np.ndarray, right: np.ndarray) -> tuple[str, str]:
    """Return two lines: one with the arguments, and one with the student's result and the right result.

    If the results are large, only the first number that differs is shown.
    """
    if mine.shape == right.shape and right.size > FEW:
        case, mine, right = _one_row(case, mine, right)
    given = "For " + ", ".join(f"{name} = {shown(value)}" for name, value in case.items())
    if mine.shape != right.shape:
        return given, f"yours has the shape {mine.shape}, right is {right.shape}."
    if right.size <= MOST:
        return given, f"yours is {shown(mine)}, right is {shown(right)}."
    place = _first_difference(mine, right)
    return given, f"at {list(place)} yours is {shown(mine[place])}, right is {shown(right[place])}."


def _one_row(case: dict[str, object], mine: np.ndarray, right: np.ndarray) -> tuple[dict, np.ndarray, np.ndarray]:
    """Return the case and both results, reduced to the first row that differs.

    They are not reduced if some array does not have one row for each row of the result.
    """
    tables = {name: value for name, value in case.items() if isinstance(value, np.ndarray) and value.ndim > 1}
    B = len(right) if right.ndim else 0
    if B < 2 or not tables or any(len(value) != B for value in tables.values()) or any(
            isinstance(value, list) for value in case.values()):
        return case, mine, right
    row = slice(first := _first_difference(mine, right)[0], first + 1)
    return case | {name: value[row] for name, value in tables.items()}, mine[row], right[row]


def _first_difference(mine: np.ndarray, right: np.ndarray) -> tuple[int, ...]:
    differs = ~np.isclose(mine, right, rtol=1e-5, atol=1e-8, equal_nan=True)
    return tuple(int(each) for each in np.argwhere(differs)[0])


def plain(text: str, encoding: str | None) -> str:
    """Return the text with ASCII instead of all characters that this encoding does not have."""
    try:
        text.encode(encoding or "ascii")
        return text
    except (UnicodeEncodeError, LookupError):
        for sign, ascii_text in PLAIN.items():
            text = text.replace(sign, ascii_text)
        return text.encode("ascii", "replace").decode()
