"""Choose one explanation of the results.  If several fit, the function is tested again with other h, f and eps."""
from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from itertools import islice
from typing import NamedTuple

from refimpl.check import factors, laws, moments, slips
from refimpl.check.mean import Known, of, variance_sentence
from refimpl.check.problem import Problem, probe
from refimpl.check.recognise import Finding
from refimpl.check.report import Report
from refimpl.check.rounding import PRECISIONS
from refimpl.check.smooth import Hypothesis

PROBE, PROBE_BY_COUNTS = 10_000, 20_000 # the number of draws on a further problem
CANNOT = "One cannot tell with these samples"
IS = {"direct": "It is the direct gradient.", "two-sided": "It is the two-sided direct gradient.",
      "local": "It is the direct gradient by single changes around z_star (slides 18 and 30), an approximation of the "
               "joint arg max."}


class Decided(NamedTuple):
    left: dict[Hypothesis, str]                         # the explanations that remain
    holds: bool | None
    verdict: str


def accepted(hypothesis: Hypothesis, two_sided: bool | None = None) -> bool:
    names = slips.ACCEPTED if two_sided is None else ("two-sided",) if two_sided else ("direct", "local")
    return hypothesis.name in names and hypothesis.sign > 0 and hypothesis.factor == factors.RIGHT


def decide(finding: Finding, explain: Callable[[Problem, int], Finding], two_sided: bool | None) -> Decided:
    """Return the verdict.  If `finding` is not enough, the estimator is tested on other problems by explain()."""
    left, tried, differs = dict(finding.explanations), [], False
    sure = not finding.by_counts and not (finding.coarse and finding.by_draws)     # if False, use a further problem
    further = _again(finding, explain)
    while len(left) > 1 or left and not (sure or any(map(accepted, left))):
        other = next(further, None)
        if other is None:
            break
        both = {each: words for each, words in left.items() if each in other.explanations}
        if not both and any(map(accepted, left)):
            differs = True                                  # on that problem the function is another estimator
            continue
        if len(both) < len(left):
            tried.append(other.problem)
        left, sure = both, True
    if differs and len(left) > 1:                           # the direct gradient fits only the given problem
        if named := _elsewhere(finding, explain):
            return named
    here = _coincide(finding, left, tried)
    if any(map(accepted, left)):
        return _accepted(finding, left, here, two_sided)
    if not left:
        if named := _elsewhere(finding, explain):
            return named
        return Decided(left, False, "NOT the direct gradient, and none of the slips that this check knows.")
    said = [_clause(each, words) for each, words in left.items()]
    if len(left) == 1:
        other = next(iter(left)).name in ("reinforce", "exact")
        start = "NOT the direct gradient: " if not other else "Not the direct gradient: "
        return Decided(left, False, f"{start}{said[0]}.{here}")
    return Decided(left, False, f"NOT the direct gradient; several slips fit these results, and the check "
                                f"cannot tell which of them it is: {'; or '.join(said)}.{here}")


def _again(finding: Finding, explain: Callable[[Problem, int], Finding]) -> Iterator[Finding]:
    for number in range(4):
        try:
            yield explain(probe(finding.problem, number), PROBE if finding.by_draws else PROBE_BY_COUNTS)
        except (TypeError, ValueError):                     # the function accepts only these h, f or eps
            continue


def _elsewhere(finding: Finding, explain: Callable[[Problem, int], Finding]) -> Decided | None:
    names = [other.explanations for other in islice(_again(finding, explain), 2)]
    both = {each: words for each, words in names[0].items() if each in names[1]} if len(names) == 2 else {}
    if len(both) != 1 or accepted(next(iter(both))):
        return None
    each, words = next(iter(both.items()))
    return Decided(both, False, f"NOT the direct gradient: on other problems of the same kind {_clause(each, words)}.")


def _clause(hypothesis: Hypothesis, words: str) -> str:
    factor = factors.words(hypothesis.factor, hypothesis.name.startswith(("two-sided", "unshared two")))
    smooth = hypothesis.name in ("reinforce", "exact", "mean", "mean of two", "gumbel-softmax", "straight",
                                 "straight-through") or hypothesis.name.startswith("times ")
    if smooth and hypothesis.sign < 0:
        words += ", with the wrong sign (or of the loss -f: then pass loss=True)"
    if not factor:
        return words
    if hypothesis.name in ("direct", "two-sided") and hypothesis.sign > 0:
        return factor if hypothesis.name == "direct" else f"{words}, but {factor}"
    return f"{words}; and {factor}"


def _coincide(finding: Finding, left: dict[Hypothesis, str], tried: list[Problem]) -> str:
    """Return a sentence that names the explanations excluded by other test problems, or "" if none was excluded."""
    others = [_clause(each, words).split(":")[0] for each, words in finding.explanations.items() if each not in left]
    others = list(dict.fromkeys(others))
    if not tried or not others:
        return ""
    where = " and ".join(f"k = {each.h.shape[1]}, eps = {each.eps:.3g}" for each in tried)
    shown = others if len(others) <= 4 else others[:3] + [f"{len(others) - 3} more"]
    return (f" At these h, f and eps (k = {finding.problem.h.shape[1]}, eps = {finding.problem.eps:.4g}) other "
            f"explanations fit as well ({'; '.join(shown)}); they do not fit further problems of the same kind "
            f"({where}).")


def _accepted(finding: Finding, left: dict[Hypothesis, str], here: str, two_sided: bool | None) -> Decided:
    """Return the verdict for the case that one of the explanations in `left` is a direct gradient."""
    problem = finding.problem
    names = [each.name for each in left if accepted(each)]
    if len(left) > 1:
        said = "; or ".join(_clause(each, words) for each, words in left.items())
        return Decided(left, None, f"{CANNOT}: {said}. Try an h, f and eps at which they differ.{here}")
    if not accepted(next(iter(left)), two_sided):
        asked = "two-sided" if two_sided else "one-sided"
        return Decided(left, False, f"NOT the {asked} direct gradient that was asked for: {next(iter(left.values()))}."
                                    f"{here}")
    by_draws = finding.by_draws and not finding.law_fits                # False if only the counts agree
    if by_draws and finding.explanations and finding.best_unequal < finding.moments.draws:
        if finding.odd_share:
            return Decided(left, None, f"{CANNOT}: {finding.best_unequal:,} draws differ from the direct gradient's, "
                           f"each at a near-tie of {finding.precision}, but there are too many or too few of them "
                           f"for its rounding. If the function computes in {finding.precision}, pass "
                           f"precision='{finding.precision}'.{here}")
        return Decided(left, True, IS[names[0]] + here)
    slip = slips.slips(problem)[names[0]]
    if finding.own_noise:
        return Decided(left, None, "The law is that of the direct gradient, but the function does not use the noise "
                                   "that it is given: it draws its own. To have only its law checked, rename its "
                                   f"fourth parameter to rng.{here}")
    if finding.by_draws:
        return Decided(left, False, "Mean and variance are those of the direct gradient, but the function does not use "
                                    "the noise that it is given: it draws its own from a fixed seed, or uses the given "
                                    f"entries in another order.{here}")
    chance = laws.expected_changes(problem, slip)
    chance = finding.moved / finding.moments.draws if chance is None else chance
    expected = chance * finding.moments.draws
    if expected < laws.CHANGES:
        needed = moments.round_up(laws.CHANGES / chance) if chance > 0 else math.inf
        more = f"{needed:,.0f} would be enough" if needed < 1e15 else "no practicable number would be enough"
        return Decided(left, None, f"{CANNOT}: only {expected:.2g} of {finding.moments.draws:,} draws are expected to "
                                   f"change the winner at these h, f and eps; {more}. The draws are consistent "
                                   f"with this: {IS[names[0]]}{here}")
    return Decided(left, True, IS[names[0]] + here)


def report(finding: Finding, decided: Decided, truth: Known) -> Report:
    found = finding.moments
    kind = next(iter(decided.left)) if len(decided.left) == 1 else None
    known = kind.name if kind is not None and accepted(kind) and decided.holds is not False else None
    plain = kind is not None and kind.sign > 0 and kind.factor == factors.RIGHT and kind in finding.explanations
    mean = of(finding, known or ("reinforce" if plain and kind.name == "reinforce" else None), truth)
    variances = {"found": float(found.variance.sum())} | {name: float(value.sum())
                                                          for name, value in truth.variances.items()}
    two = kind is not None and kind.name == "two-sided"
    target = truth.means["two-sided" if two else "tilted"], truth.variances["two-sided" if two else "direct"]
    rows = tuple(tuple(float(each) for each in row) for row in
                 zip(target[0].ravel(), found.mean.ravel(), found.error.ravel(), target[1].ravel(),
                     found.variance.ravel()))
    by_draws = finding.by_draws
    unequal = finding.best_unequal if known else finding.unequal
    equal = 1 - unequal / found.draws if by_draws else None
    near_ties = unequal if by_draws and known and not finding.law_fits else 0
    sentences = [f"{found.draws:,} draws.", *mean.sentences, variance_sentence(variances)]
    if by_draws:
        share = f"{equal:.2%}" if unequal == 0 or equal < 0.9999 else f"All but {unequal:,}"
        names = "two-sided direct gradient" if two and known else "direct gradient"
        near = f"; each of the {near_ties:,} others is a near-tie of {finding.precision}" if near_ties else ""
        sentences.append(f"{share} of the draws are the {names} of the same noise{near}.")
    verdict = decided.verdict
    if kind is None and not decided.left and decided.holds is False and mean.name in ("E f", "both"):
        verdict += " It is another estimator: its mean is the gradient of E f, as far as these draws can tell."
    sentences.append(verdict)
    notes = _notes(finding, near_ties)
    return Report(found.draws, decided.holds, verdict, None if kind is None else kind.name, equal, near_ties,
                  max(finding.precision, finding.returned, key=list(PRECISIONS).index) if by_draws else None,
                  mean.name, mean.distances["two-sided" if two else "tilted"],
                  mean.distances["E f"], mean.bias, variances, rows,
                  tuple(map(float, truth.means["E f"].ravel())), tuple(sentences), notes)


def _notes(finding: Finding, near_ties: int) -> tuple[str, ...]:
    notes = [f"the function changes the array {name} that it is given, in place" for name in sorted(finding.spoiled)]
    if finding.own_noise:
        notes.append("the function does not use the noise that it is given: two calls with the same noise differ")
    if finding.overflowed:
        notes.append("the function returns infinity, because 1/eps exceeds 65,504, the largest number in float16; "
                     "divide by eps in single precision")
    if near_ties > 0.01 * finding.moments.draws:
        notes.append(f"{finding.precision} changes {near_ties / finding.moments.draws:.1%} of the draws: subtract the "
                     "largest entries from h and f first, and add the noise in single precision")
    return tuple(notes)
