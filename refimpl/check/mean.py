"""Compare the mean and the variance of the user's gradients with those of known estimators."""
from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from refimpl import direct
from refimpl.check import laws, moments, slips
from refimpl.check.problem import Problem
from refimpl.check.recognise import Finding

NAMES = {"E f": "the gradient of E f", "tilted": "the gradient of the tilted objective (the mean of the direct "
         "gradient at this eps)", "two-sided": "the mean of the two-sided difference at this eps"}
SIMULATED = 40_000


class Known(NamedTuple):
    """Each dictionary maps names to arrays of shape (n, k).  In `errors`, the standard error of an exact mean is 0."""

    means: dict[str, np.ndarray]
    errors: dict[str, np.ndarray]
    variances: dict[str, np.ndarray]


def known(problem: Problem, rng: np.random.Generator) -> Known:
    """With several variables, the moments of the direct gradient are simulated.  All other moments are exact."""
    zero = np.zeros(problem.h.shape)
    means = {"E f": problem.gradient()}
    errors = {"E f": zero}
    variances = {"reinforce": problem.reinforce_variance(False), "baseline": problem.reinforce_variance(True)}
    for name, two_sided in (("tilted", False), ("two-sided", True)):
        kind = "two-sided" if two_sided else "direct"
        if len(problem.h) == 1:
            means[name], errors[name] = problem.tilted(two_sided), zero
            variances[kind] = direct.variance(problem.h, problem.f, problem.eps, two_sided)
            continue
        slip = slips.slips(problem)[kind]
        counts = laws.simulated(problem, slip, SIMULATED, rng)
        draws = counts.draws
        means[name] = (counts.arrive - counts.leave) / draws * slip.unit
        second = (counts.arrive + counts.leave) / draws * slip.unit**2
        variances[kind] = second - means[name] ** 2
        errors[name] = np.sqrt((variances[kind] + moments.RARE * slip.unit**2 / draws) / draws)
    return Known(means, errors, variances)


class Mean(NamedTuple):
    """Describes the mean of the user's gradients."""

    name: str                           # the known mean that agrees with this mean, or "both" or "neither"
    distances: dict[str, float]         # the distance of this mean from each known mean, in standard errors
    bias: float
    sentences: list[str]


def of(finding: Finding, kind: str | None, truth: Known) -> Mean:
    """`kind` is "direct", "two-sided" or "reinforce" if the estimator has been recognised, and None otherwise."""
    problem, found = finding.problem, finding.moments
    least_event = max(np.ptp(problem.f), 1 / problem.eps) if not finding.moved else 0.0
    error = found.careful_error(least_event)
    tests = 8 * problem.h.size
    limit = moments.threshold(tests)
    # A difference of the size of rounding errors is not a bias.
    rounding = {"float64": 1e-9, "float32": 1e-5}.get(finding.returned, 2e-2) * \
        max(np.abs(truth.means["E f"]).max(), np.abs(found.mean).max())
    distances = {}
    for name, mean in truth.means.items():
        for sign in ("", "-"):
            off = np.abs(found.mean - (mean if not sign else -mean))
            off = np.where(off <= rounding, 0.0, off)
            distances[sign + name] = moments.farthest(off, np.hypot(error, truth.errors[name]))
    fits = [name for name, distance in distances.items() if distance < limit]
    bias = float(np.abs(found.mean - truth.means["E f"]).max())
    if kind in ("direct", "two-sided") and len(problem.h) == 1:
        mean = "two-sided" if kind == "two-sided" else "tilted"
        bias = float(np.abs(direct.bias(problem.h, problem.f, problem.eps, kind == "two-sided")).max())
        return Mean(mean, distances, bias, [
            f"Mean: {NAMES[mean]}, as this estimator's always is; its bias, the distance from the gradient of E f, is "
            f"{bias:.4g} in the worst component, known exactly (sampled: {distances[mean]:.1f} standard errors "
            f"off)."])
    if kind == "reinforce":
        return Mean("E f", distances, 0.0, [f"Mean: the gradient of E f, as that of REINFORCE with a constant baseline "
                                            f"always is (sampled: {_z(distances['E f'])} standard errors off)."])
    words = _sentence(fits, distances, bias, limit)
    name = "neither" if not fits else fits[0] if len(fits) == 1 else "both"
    if name == "both" and "E f" in fits and any(each != "E f" for each in fits):
        other = next(each for each in fits if each != "E f")
        target = truth.means[other.lstrip("-")] * (-1 if other[0] == "-" else 1)
        needed = moments.draws_needed(target - truth.means["E f"], error**2 * found.draws, tests)
        more = (f"about {needed:,.0f} draws would be enough" if needed < 1e15
                else "no practicable number of draws would be enough, because they agree")
        words += f" These samples cannot tell which of them it is; {more}."
    return Mean(name, distances, bias, [words])


def _sentence(fits: list[str], distances: dict[str, float], bias: float, limit: float) -> str:
    if not fits:
        return (f"Mean: neither the gradient of E f ({_z(distances['E f'])} standard errors off, the bias is about "
                f"{bias:.4g}) nor that of the tilted objective ({_z(distances['tilted'])} standard errors off).")
    named = [f"{'minus ' * (each[0] == '-')}{NAMES[each.lstrip('-')]} ({_z(distances[each])} standard errors off)"
             for each in fits]
    if len(fits) == 1:
        extra = "" if fits[0] == "E f" else (f"; from the gradient of E f it is {_z(distances['E f'])} standard "
                                             f"errors off, a bias of about {bias:.4g}")
        return f"Mean: {named[0]}{extra}."
    return f"Mean: it agrees with {', with '.join(named)}."


def variance_sentence(variances: dict[str, float]) -> str:
    found = variances["found"]
    parts = []
    for name, words in (("direct", "the direct gradient"), ("reinforce", "REINFORCE"),
                        ("baseline", "REINFORCE with the best constant baseline")):
        other = variances[name]
        parts.append(f"{found / other:.3g} times that of {words} ({other:.4g})" if other > 0 else
                     f"that of {words} is 0")
    return f"Variance of one gradient, summed over the components: {found:.4g}; " + ", ".join(parts) + "."


def _z(value: float) -> str:
    return f"{value:.1f}" if value < 1e4 else "more than 10,000" if math.isfinite(value) else "infinitely many"
