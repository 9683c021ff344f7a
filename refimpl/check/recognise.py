"""Call the user's function on one problem, and find all estimators that would explain its results."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from refimpl import gumbel
from refimpl.check import calling, draws, factors, laws, moments, rounding, slips, smooth
from refimpl.check.calling import Hook
from refimpl.check.problem import Problem
from refimpl.check.smooth import Hypothesis

FIRST = 2_000                           # the number of draws in each of the first calls, which exclude most slips
BLOCK = 1_000_000                       # the number of scores in memory at a time


@dataclass
class Finding:
    problem: Problem
    moments: moments.Moments
    explanations: dict[Hypothesis, str] = field(default_factory=dict)
    by_draws: bool = False              # whether the function uses the noise that it is given
    own_noise: bool = False             # whether two calls with the same noise differ
    moved: int = 0                      # number of gradients that are not zero
    unequal: int = 0                    # number of draws that differ from the direct gradient
    best_unequal: int = 0               # number of draws that differ from the correct gradient that fits best
    precision: str = "float64"          # the precision in which these draws are near-ties
    coarse: bool = True                 # whether no slip explains the draws in single or double precision
    odd_share: bool = False             # whether there are too few or too many near-ties for this precision
    law_fits: bool = False              # whether the counts are consistent with the direct gradient
    by_counts: bool = False             # whether the explanations come from counts, not from single draws
    spoiled: set[str] = field(default_factory=set)
    overflowed: bool = False
    returned: str = "float64"


def run(hook: Hook, problem: Problem, samples: int, rng: np.random.Generator, allowed: list[str],
        f_gradient: Callable) -> Finding:
    """Call the user's function in blocks of draws, and find all estimators that would explain its results.

    `samples` is the total number of draws.  `allowed` lists the precisions to try, from the finest to the coarsest.
    """
    n, k = problem.h.shape
    found = Finding(problem, moments.none(problem.gradient()))
    found.own_noise = hook.fourth == "noise" and _draws_its_own(hook, problem, rng, found)
    found.by_draws = by_draws = hook.fourth == "noise" and not found.own_noise
    known = slips.slips(problem)
    compared = {}
    if by_draws:
        compared = {(name, sign): draws.Match(slip, sign) for name, slip in known.items() for sign in (1, -1)}
    counts, sizes, kept, lattice, alike, single_rows = None, [], [], True, True, set()
    tail = max(1, min(20_000, BLOCK // max(len(problem.f), n * k)))
    few = max(1, min(FIRST, tail, samples // 60))
    start = 0
    while start < samples:
        rows = min(few if alike else tail, samples - start)             # use short calls while all rows are equal
        noise = gumbel.sample((rows, n, k), rng)
        result = calling.call(hook, problem, noise, rng)
        g = result.g
        found.moments, found.returned = found.moments.add(g), result.precision
        found.spoiled |= set(result.spoiled)
        found.overflowed |= result.overflowed
        decoded = slips.decode(g)
        found.moved += int(decoded.moved.sum())
        if decoded.most:
            sizes.append((decoded.least, decoded.most, rows))
        lattice &= decoded.fits
        same = rows > 1 and bool((g == g[0]).all())
        alike &= same or rows == 1
        single_rows.add(g[0].tobytes() if same else b"")
        if by_draws:
            block = slips.Draws(problem, noise)
            found.unequal += _unequal(block, known["direct"], decoded, allowed)
            if not decoded.fits:
                compared = {}
            for match in compared.values():
                match.compare(block, decoded)
            compared = {key: match for key, match in compared.items()
                        if rounding.level(match.share, list(rounding.PRECISIONS), problem.eps)}
        if decoded.fits:
            here = laws.count(decoded.plus, decoded.minus, k)
            counts = counts + here if counts else here
        if sum(len(each[0]) for each in kept) < 20_000 and sum(each[0].size for each in kept) < 2_000_000:
            kept.append((g.copy(), noise, rows))
        start += rows
    lattice &= not sizes or max(size[1] for size in sizes) <= 1.0001 * min(size[0] for size in sizes) or \
        all(abs(size[1] * size[2] / (sizes[0][1] * sizes[0][2]) - 1) < 1e-3 for size in sizes)
    if lattice and by_draws and compared:
        _by_draws(found, compared, allowed, sizes, np.concatenate([noise for _, noise, _ in kept]))
    if lattice and by_draws and found.coarse:
        g, noise = (np.concatenate([each[i] for each in kept]) for i in (0, 1))
        cooled = draws.temperatures(problem, noise, slips.decode(g))
        if cooled:                      # if a temperature fits (almost) exactly, low precision is not the explanation
            fewest = min(match.unequal for match in cooled.values())
            found.explanations = {each: words for each, words in found.explanations.items() if each.name in
                                  slips.ACCEPTED and each.sign > 0 and found.best_unequal <= 10 * fewest + 20}
        for (name, sign), match in cooled.items():
            _explain(found, name, sign, match.slip, sizes, allowed)
    if lattice and counts is not None and not found.explanations:
        _by_counts(found, counts, sizes, allowed, rng)
    if not found.moved or not any(map(_usual, found.explanations)):
        _smooth(found, kept, f_gradient, rng)
    chance = laws.expected_changes(problem, known["direct"]) or 0.0
    if alike and (len(single_rows) > 1 or (not found.moved and (1 - chance) ** (samples / few) > laws.LEVEL)):
        found.explanations |= {Hypothesis("one noise", 1, factors.RIGHT): "all draws of a call share one noise vector: "
                               "every draw must have its own noise"}
    for each in [each for each in found.explanations if each.factor != factors.RIGHT and
                 each.name in ("temperature", "1/sigma missing outside")]:
        if any(other.factor == factors.RIGHT for other in found.explanations):      # a simpler explanation
            del found.explanations[each]
    plain = {each: words for each, words in found.explanations.items() if _usual(each)}
    found.explanations = plain or found.explanations
    return found


def _usual(hypothesis: Hypothesis) -> bool:
    """Return whether factors.py has a name for the factor of this hypothesis."""
    return not hypothesis.factor.startswith("times ") or hypothesis.factor in factors.WORDS


def _unequal(block: slips.Draws, slip: slips.Slip, decoded: slips.Decoded, allowed: list[str]) -> int:
    """Return how many of the user's gradients differ from those of the estimator `slip`, even if only by a factor."""
    if not decoded.fits:
        return len(block.noise)
    plus, minus = block.expected(slip)
    wrong = ((plus != decoded.plus) | (minus != decoded.minus)).any(axis=-1)
    if decoded.most and not all(rounding.of_value(size, slip.unit, allowed, block.problem.eps)
                                for size in (decoded.least, decoded.most)):
        wrong |= decoded.moved
    return int(wrong.sum())


def _draws_its_own(hook: Hook, problem: Problem, rng: np.random.Generator, found: Finding) -> bool:
    n, k = problem.h.shape
    noise = gumbel.sample((max(2, min(256, 100_000 // (n * k))), n, k), rng)
    one, two = (calling.call(hook, problem, noise, rng) for _ in range(2))
    found.spoiled |= set(one.spoiled)
    return not np.array_equal(one.g, two.g)


def _explain(found: Finding, name: str, sign: int, slip: slips.Slip, sizes: list, allowed: list[str]) -> None:
    """For each factor that fits all blocks of gradients, add `slip` with this factor to the explanations."""
    names = [factors.named(size, slip.unit, found.problem, rows, allowed) for *both, rows in sizes for size in both]
    words = slip.words if sign > 0 else slip.negated or f"{slip.words}, and the sign is wrong"
    for factor in sorted(set.intersection(*names)) if names else [factors.RIGHT]:       # in the same order every time
        found.explanations[Hypothesis(name, sign, factor)] = words


def _by_draws(found: Finding, compared: dict, allowed: list[str], sizes: list, noise: np.ndarray) -> None:
    """Add to found.explanations the estimators that explain all draws."""
    problem, told = found.problem, found.returned in ("float16", "bfloat16")
    levels = draws.decide(compared, allowed, problem.eps)
    precisions = {}
    for (name, sign), level in levels.items():
        match = compared[name, sign]
        precisions[name, sign] = level
        found.coarse &= rounding.PRECISIONS[level] > 1e-6
        if rounding.PRECISIONS[level] > 1e-6 and not told and allowed[-1] != level:
            precisions[name, sign] = draws.usual(problem, match, level, allowed, noise, found.moments.draws)
        few = match.unequal <= (10 if name in slips.ACCEPTED else min(10, 0.01 * found.moved))
        if few or precisions[name, sign] or (name in slips.ACCEPTED and sign > 0):
            _explain(found, name, sign, match.slip, sizes, allowed)
            precisions[name, sign] = precisions[name, sign] or (level if few else None)
    right = [(compared[name, 1].unequal, (name, 1)) for name in slips.ACCEPTED if (name, 1) in levels]
    if right:
        found.best_unequal, key = min(right)
        found.odd_share, found.precision = precisions[key] is None, precisions[key] or levels[key]


def _by_counts(found: Finding, counts: laws.Counts, sizes: list, allowed: list[str], rng: np.random.Generator) -> None:
    """Add to found.explanations the estimators that agree with the counts."""
    problem = found.problem
    known = slips.slips(problem)
    if found.by_draws:                  # only a correct gradient with its noise reordered is still possible
        known = {name: slip for name, slip in known.items() if name in slips.ACCEPTED}
    known |= slips.of_own_noise(problem)
    for name, slip in known.items():
        for sign in (1, -1):
            some = counts if sign > 0 else counts.negated()
            if not laws.excluded(some, problem, slip, rng):
                found.law_fits |= name in slips.ACCEPTED and sign > 0
                _explain(found, name, sign, slip, sizes, allowed)
    found.by_counts = True
    if len(problem.h) > 1 or found.moved < laws.CHANGES or found.law_fits or found.by_draws:
        return
    if found.explanations and found.moved > 1_000:          # with so many counts no other explanation is needed
        return
    for names in (("temperature", "1/sigma missing outside"), ("1/sigma missing",)):    # each group has the same law
        def family(problem: Problem, sigma: float, name: str = names[0]) -> slips.Slip:
            return slips.cooled(problem, sigma)[name]
        for sign in (1, -1):
            some = counts if sign > 0 else counts.negated()
            fitted = laws.temperature(some, problem, family)
            sigma = next((each for each in (laws.snapped(fitted, 0.15), fitted)      # the usual number, if it fits
                          if not laws.excluded(some, problem, family(problem, each), rng)), None)
            for name in names if sigma is not None else ():
                _explain(found, name, sign, slips.cooled(problem, sigma)[name], sizes, allowed)


def _smooth(found: Finding, kept: list, f_gradient: Callable, rng: np.random.Generator) -> None:
    """Add to found.explanations the estimators of smooth.py that agree with the gradients."""
    kept = kept[:2] if found.by_draws else kept
    if len({rows for _, _, rows in kept}) > 1:              # use one block size, because a factor may be 1 / size
        kept = kept[:1]
    g, noise = (np.concatenate([each[i] for each in kept])[:smooth.ROWS if found.by_draws else None] for i in (0, 1))
    rough = {"float64": 1e-4, "float32": 1e-3}.get(found.returned, 0.05)
    seen = smooth.Seen(found.problem, g, noise if found.by_draws else None, kept[0][2], rough,
                       lambda z: f_gradient(found.problem, z))
    found.explanations |= smooth.recognised(seen, rng)
