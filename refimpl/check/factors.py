"""Name the wrong factors by which gradients are often multiplied."""
from __future__ import annotations

from refimpl.check import rounding
from refimpl.check.problem import Problem

RIGHT = "right"


def factors(problem: Problem, draws: int) -> dict[str, float]:
    """Return the right factor, and wrong factors that are often used by mistake."""
    n, k = problem.h.shape
    eps = problem.eps
    known = {RIGHT: 1.0, "times eps": eps, "over eps": 1 / eps, "half": 0.5, "twice": 2.0, "over draws": 1 / draws,
             "over values": 1 / k, "times eps over draws": eps / draws, "times 2 eps": 2 * eps, "half of eps": eps / 2}
    return known | ({"over variables": 1 / n, "over all": 1 / (n * k)} if n > 1 else {})


WORDS = {"times eps": "the factor 1/eps is missing", "over eps": "it is divided by eps twice",
         "half": "it is half of what it should be, as if divided by 2 eps", "twice": "it is twice what it should be",
         "over draws": "it is divided by the number of draws, as if the loss were a mean over them: take the sum",
         "over values": "it is divided by the number of values k",
         "times eps over draws": "the factor 1/eps is missing, and it is divided by the number of draws",
         "times 2 eps": "it is multiplied by 2 eps", "half of eps": "it is multiplied by eps / 2",
         "over variables": "it is divided by the number of variables",
         "over all": "it is divided by the number of all entries"}
TWO_SIDED = {"twice": "it is divided by eps, and should be by 2 eps", "times 2 eps": "the factor 1/(2 eps) is missing",
             "times eps": "the factor 1/eps is missing"}


def named(found: float, unit: float, problem: Problem, draws: int, allowed: list[str]) -> set[str]:
    """Return the names of the known factors that equal `found` / `unit` up to rounding.

    If there is no such factor, return "times " followed by the quotient.
    """
    names = {name for name, value in factors(problem, draws).items()
             if rounding.of_value(found, value * unit, allowed, problem.eps)}
    return names or {f"times {found / unit:.3g}"}


def near(found: float, problem: Problem, draws: int, within: float) -> set[str]:
    """Return the names of the known factors that are close to `found`, or else a name such as "times 0.37"."""
    names = {name for name, value in factors(problem, draws).items() if abs(found / value - 1) < within}
    return names or {f"times {found:.2g}"}


def words(name: str, two_sided: bool = False) -> str:
    if name == RIGHT:
        return ""
    return (TWO_SIDED if two_sided else {}).get(name) or WORDS.get(name) or f"it is {name.removeprefix('times ')} " \
        "times what it should be"
