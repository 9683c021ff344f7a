"""Make the table that compares each claim of the slides with our measurements.  It is the first one in results.md.

The verdicts and their explanations are written by hand.  Each verdict comes with a rule that the measurements must
satisfy.  If the measurements break a rule, `make report` stops with an error.  Then a person must correct the text.
"""
from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

from refimpl.arguments import InputError
from refimpl.experiments import paper
from refimpl.report import faces
from refimpl.report.markdown import table
from refimpl.report.store import Store, at_best_validation, paired
from refimpl.report.tables import NOT_RUN, step_ms
from refimpl.report.verdicts import FEWEST, Finding, Look, Runs, compared

CONFIRMED, PARTLY, OPEN, REFUTED, OTHER = VERDICTS = (
    "confirmed", "partly confirmed", "not decided", "refuted", "not comparable")


class Claim(NamedTuple):
    words: str
    slide: str
    section: str
    verdict: str
    """One of VERDICTS."""
    why: str
    paper: str
    looks: tuple[Look, ...]
    """Functions that return what the rows show, and whether the rows support `verdict` and `why`."""


def _wall_clock(store: Store) -> Finding | None:
    ratio = step_ms(store, "exact, k = 50") / step_ms(store, "direct, k = 50, eps = 0.1")
    return None if math.isnan(ratio) else Finding(ratio < 1.3, f"{ratio:.2f} times")


def _noise(store: Store) -> Finding | None:
    rows = store.measurements("variance", "k = 10")
    if not rows or not rows[0]["direct"]:                       # 0 if no winner changed
        return None
    far = all(row[name.replace("-", "_") + which] > factor * value for which, factor in (("", 8), ("_mean", 1.5))
              for name, values in paper.NOISE.items() for row, value in zip((rows[0], rows[-1]), values))
    return Finding(far, f"{rows[0]['gumbel_softmax'] / rows[0]['direct']:.1f} times less at ε = τ = 0.1")


def _coordinates(store: Store) -> Finding | None:
    found = [(record, row) for n in (8, 12) for record in store.select("joint-argmax", label=f"n = {n}")
             for row in record.rows if abs(row["eps"] - 0.1) < 1e-9]
    near = all(abs(row["bias"] - row["bias_joint"]) < max(row["deviation"], row["deviation_joint"]) / math.sqrt(
        record.settings["samples"]) for record, row in found)
    return Finding(near, "; ".join(f"n = {record.label[4:]}: bias {row['bias']:.2f}, joint {row['bias_joint']:.2f}"
                                   for record, row in found)) if found else None


def _step(store: Store) -> Finding | None:
    of = {str(row["method"]): 1e3 * float(row["seconds"])
          for row in store.measurements("structured-timing", "batch 100") if row["n"] == 15}
    return Finding(of["joint Gumbel-softmax"] > 3 * of["direct, maxflow"],
                   f"direct {of['direct, maxflow']:.0f} ms, Gumbel-softmax {of['joint Gumbel-softmax']:.0f} ms"
                   ) if {"joint Gumbel-softmax", "direct, maxflow"} <= of.keys() else None


def _in_order(runs: Runs, *names: str) -> bool:
    return all(max(runs.of(one).values) <= min(runs.of(other).values) for one, other in pairwise(names))


def _lowest(runs: Runs, name: str) -> bool:
    return runs.of(name).median == min(runs.of(other).median for other in runs.groups)


def _seed_by_seed(runs: Runs, other: str = "Gumbel-softmax") -> set[bool]:
    """For each seed, is `direct` below `other`?  Return the set of the answers, or an empty set for too few seeds."""
    leads = paired(runs.groups["direct"], runs.groups[other], runs.epoch, runs.column, runs.sign).values
    return {lead < 0 for lead in leads} if len(leads) >= FEWEST else set()


def _shown(values: Mapping[str, float], names: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {values[label]:g}" for label, name in names.items())


ENDS = {"direct as released": "direct", "exact": "enumeration"}
STRAIGHT = {"direct as released": "direct", "straight-through as released": "Gumbel-softmax"}
SMALL_TAU = {"direct as released": "direct", "gumbel-softmax with tau 0.1": "Gumbel-softmax"}
SLIDE_31 = {"direct as released": "direct", "relax as released": "RELAX", "arm": "ARM", "rebar as released": "REBAR"}
SETTLED = {"direct": "direct", "relax": "RELAX", "arm": "ARM", "rebar": "REBAR"}
PAIRS = {"unstructured, no KL": "unstructured", "pairwise, w >= 0, start 0": "max-flow",
         "pairwise, any sign": "any sign"}


def _ends(dataset: str, k: int, rule: Callable[[Runs], bool], names: Mapping[str, str] = ENDS, **options) -> Look:
    return compared("convergence", dataset, {f"{label}, k = {k}": name for label, name in names.items()}, rule,
                    median=True, **options)


def _labels(count: int, expected: bool | None, unit: str = "", **options) -> Look:
    names = {f"direct, {count} labels": "direct", f"gumbel-softmax, {count} labels": "Gumbel-softmax"}
    return compared("semi-supervised", "mnist", names, lambda runs: runs.ahead(*names.values()) is expected,
                    words=f"{count} labels{unit}: ", **options)


def _slide_33(which: int, unit: str = "") -> str:
    names = {"direct": "direct", "gumbel-softmax": "Gumbel-softmax"}
    return "; ".join(f"{count} labels{unit}: " + _shown({
        name: paper.LABELLED["mnist"][name][which][place] for name in names}, names)
        for place, count in enumerate(paper.LABELS[:2]))


CLAIMS = (
    Claim("Enumeration stays on a plateau at first, and `direct` does not", "slide 23", "the-plateau", CONFIRMED,
          "With Adam, `direct`'s bias is enough to leave the plateau: `tilted` has only this bias, and leaves it too. "
          "With momentum and a learning rate of 0.1, there is no plateau.",
          f"MNIST: a plateau at {paper.PLATEAU['mnist']:g}",
          (_ends("mnist", 10, lambda runs: runs.apart("direct", "enumeration") is True, epoch=3),
           compared("plateau", "mnist", {"tilted, decoder q": "tilted", "exact, decoder q": "exact"},
                    lambda runs: runs.apart("tilted", "exact") is True, epoch=3, shown=False),
           compared("plateau-tests", "mnist", {"exact, momentum lr 0.1": "exact"},
                    lambda runs: max(runs.of("exact").values) < 170 and len(runs.of("exact").values) >= FEWEST, epoch=1,
                    shown=False))),
    Claim("With k = 10, `direct` and enumeration end at the same bound", "slide 23", "convergence", CONFIRMED,
          "After the paper's 300 epochs, the medians differ by less than half a nat, and neither is ahead with every "
          "seed.", "MNIST: " + _shown(paper.CONVERGENCE["mnist"][10], ENDS),
          (_ends("mnist", 10, lambda runs: abs(runs.of("direct").median - runs.of("enumeration").median) < 0.5
                 and _seed_by_seed(runs, "enumeration") == {True, False}, epoch=300, words="MNIST: "),)),
    Claim("With k = 50, `direct` ends below enumeration", "slide 24", "convergence", PARTLY,
          "On MNIST, two of three seeds of enumeration end far behind `direct`. On Omniglot, `direct` is ahead after "
          "ten epochs, but not with every seed after 300.",
          "; ".join(f"{words}: " + _shown(paper.CONVERGENCE[dataset][50], ENDS)
                    for words, dataset in (("MNIST", "mnist"), ("Omniglot", "omniglot"))),
          (_ends("mnist", 50, lambda runs: runs.of("enumeration").median > max(runs.of("direct").values) + 3
                 and abs(min(runs.of("enumeration").values) - runs.of("direct").median) < 1, words="MNIST: "),
           _ends("omniglot", 50, lambda runs: runs.apart("direct", "enumeration") is True, epoch=10, shown=False),
           _ends("omniglot", 50, lambda runs: _seed_by_seed(runs, "enumeration") == {True, False}, epoch=300,
                 words="Omniglot: "))),
    Claim("`direct` ends below Gumbel-softmax", "slides 23, 24", "convergence", PARTLY,
          "On MNIST it does with every seed, also at the best validation epoch of Gumbel-softmax. If τ is always 0.1, "
          "it does so with k = 50, but not with k = 10.",
          "; ".join(f"MNIST, k = {k}: " + _shown(paper.CONVERGENCE["mnist"][k], STRAIGHT) for k in (10, 50)),
          tuple(_ends("mnist", k, lambda runs: len(runs.of("Gumbel-softmax").values) >= FEWEST
                      and min(at_best_validation(runs.groups["Gumbel-softmax"], runs.epoch).values)
                      > max(runs.of("direct").values) and len(runs.of("direct").values) >= FEWEST,
                      STRAIGHT, words=f"MNIST, k = {k}: ", epoch=300) for k in (10, 50)) + (
              _ends("mnist", 10, lambda runs: _seed_by_seed(runs) == {True, False}, SMALL_TAU, epoch=300, shown=False),
              _ends("mnist", 50, lambda runs: _seed_by_seed(runs) == {True}, SMALL_TAU, epoch=300, shown=False))),
    Claim("Enumeration takes twice the time of `direct`", "slide 24", "time-per-step", REFUTED,
          "Here one decoder pass per batch covers all values of z, because the decoder's output does not depend on the "
          "image.", f"{paper.WALL_CLOCK:g} times", (_wall_clock,)),
    Claim("`direct`'s gradient has less noise than Gumbel-softmax's", "slide 21", "noise-of-the-gradient", OTHER,
          "Every value is at least eight times the slide's as a root mean square over the weights, and 1.5 times as a "
          "mean. Equal numbers for ε and τ are not equal settings.",
          f"{paper.NOISE['gumbel-softmax'][0] / paper.NOISE['direct'][0]:.0f} times less at ε = τ = 0.1", (_noise,)),
    Claim("`direct` is best at k = 20, 30, 40 and 50", "supplement, figure 1",
          "sizes-of-a-single-latent-variable", OTHER,
          "At k = 20, 30 and 40, no method was run with the released settings.", "curves only",
          (compared("latent-sizes", "mnist", {"direct, k = 20": "direct", "exact, k = 20": "enumeration",
                                              "gumbel-softmax, k = 20": "Gumbel-softmax"},
                    median=True, words="k = 20: "), lambda store: Finding(
                        not any("as released" in record.label for record in store.select("latent-sizes"))))),
    Claim("The coordinate-wise arg max is good enough", "slide 30", "what-the-coordinate-wise-arg-max-loses", OPEN,
          "At ε = 0.1, the biases of the coordinate-wise and the joint arg max differ by less than their sampling "
          "error.", "no number", (_coordinates,)),
    Claim("With 15 binary variables, `direct` ends lowest", "slide 31", "fifteen-binary-variables", OPEN,
          "It does, ahead of REBAR, RELAX and ARM, in this order. But RELAX has two seeds and the others have one, so "
          "the order may be due to chance.", _shown(paper.BINARY, SLIDE_31),
          (compared("binary", "fashion-mnist", SLIDE_31, lambda runs: _in_order(runs, "direct", "REBAR", "RELAX", "ARM")
                    and all(len(runs.of(name).values) == 1 for name in ("direct", "REBAR", "ARM")),
                    epoch=paper.EPOCHS),)),
    Claim("With 15 binary variables, `direct` is lowest from the 40th epoch on", "slide 31", "fifteen-binary-variables",
          OPEN, "Here ARM is lowest at that epoch, and `direct` only from the 150th epoch on. But `direct` and REBAR "
          "have one seed each.", f"epoch {paper.CROSSING}: direct is lowest",
          (compared("binary", "fashion-mnist", SLIDE_31, lambda runs: _lowest(runs, "ARM") and 1 == max(
              len(runs.groups[name]) for name in ("direct", "REBAR")), epoch=paper.CROSSING),
           *(compared("binary", "fashion-mnist", SLIDE_31, lambda runs, is_direct=(epoch >= 150):
                      _lowest(runs, "direct") is is_direct, epoch=epoch, shown=False)
             for epoch in range(140, paper.EPOCHS + 1, 10)))),
    Claim("With 15 binary variables and a fixed ε, `direct` ends with the lowest bound", "slide 31, our settings",
          "fifteen-binary-variables", PARTLY,
          "`direct` is below RELAX and ARM; REBAR's interval overlaps. The cause is `direct`'s bias: `local-tilted`, "
          "which has this bias, is below the unbiased `local-expectation`.", "–",
          (compared("binary", "fashion-mnist", SETTLED, lambda runs: runs.ahead("direct", "RELAX") is True
                    and runs.ahead("direct", "ARM") is True and runs.ahead("direct", "REBAR") is None),
           compared("binary", "fashion-mnist", {"local-tilted": "bias", "local-expectation": "neither"},
                    lambda runs: runs.ahead("bias", "neither") is True, shown=False))),
    Claim("As n grows, a step of `direct` stays cheap, and a step of joint Gumbel-softmax becomes expensive",
          "slide 32", "structured-encoders", CONFIRMED,
          "The factor is smaller here, because the sum over the 2ⁿ values of z is one matrix product.",
          "n = 15: " + ", ".join(f"{name} {1e3 * paper.STEP[label]:g} ms" for label, name in (
              ("direct, maxflow", "direct"), ("joint Gumbel-softmax", "Gumbel-softmax"))), (_step,)),
    Claim("A structured encoder beats the unstructured one", "slide 32", "structured-encoders", PARTLY,
          "After ten epochs it does if the pair scores may have any sign. With pair scores that max-flow can "
          "handle (w ≥ 0), it is behind, because they may not be negative.", _shown(paper.STRUCTURED, PAIRS),
          (compared("structured", "fashion-mnist", PAIRS, lambda runs: runs.ahead("any sign", "unstructured") is True
                    and runs.ahead("unstructured", "max-flow") is True,
                    column="test_log_likelihood"),
           compared("structured", "fashion-mnist", {"unstructured, no KL": "without", "pairwise, w >= 0": "with"},
                    lambda runs: runs.ahead("without", "with") is True, shown=False, column="test_log_likelihood"))),
    Claim("With few labels, `direct` is more accurate than Gumbel-softmax", "slide 33", "a-few-labels", PARTLY,
          "With 50 labels it is. With 100, the difference is within the variation of the seeds. The training recipe "
          "is not the paper's.", _slide_33(0, ", %"),
          (_labels(50, False, ", %", column="accuracy", sign=100.0),
           _labels(100, None, ", %", column="accuracy", sign=100.0))),
    Claim("With few labels, `direct`'s bound is no worse than Gumbel-softmax's", "slide 33", "a-few-labels", PARTLY,
          "`direct`'s bound is better with both numbers of labels that were run, after five epochs instead of 400.",
          _slide_33(1), (_labels(50, True), _labels(100, True))),
    Claim("Each binary variable switches one attribute of a face", "slides 2, 25", "faces", PARTLY,
          "With 50 labels, every variable does, on drawn faces. Without labels, no run finds all three attributes.",
          "pictures only", (faces.look,)))


def find(claim: Claim, store: Store) -> Finding | None:
    every = [finding for look in claim.looks if (finding := look(store))]
    if len(every) < len(claim.looks):
        return None
    shown = [finding for finding in every if finding.here]
    here = "; ".join(finding.here for finding in shown)
    if not all(finding.holds for finding in every):
        raise InputError(f"the claim {claim.words!r} ({claim.slide}) is called {claim.verdict!r} in refimpl/report/"
                         f"claims.py, and the rows no longer support the sentence that says why; they show {here}")
    return Finding(True, here, max(finding.epochs for finding in shown), sum((found.seeds for found in shown), ()))


def counts(store: Store) -> str:
    findings = {claim: find(claim, store) for claim in CLAIMS}
    number = Counter(claim.verdict if finding else NOT_RUN for claim, finding in findings.items())
    *first, last = [f"{number[verdict]} {'is' if number[verdict] == 1 else 'are'} {verdict}"
                    for verdict in (*VERDICTS, NOT_RUN) if number[verdict]]
    epochs = [finding.epochs for finding in findings.values() if finding and finding.epochs]
    length = f" The runs behind these verdicts have {min(epochs)} to {max(epochs)} epochs, and the paper's runs have " \
             f"{paper.EPOCHS} or {paper.LABEL_EPOCHS}." if epochs else ""
    return f"Of {len(CLAIMS)} claims, {' and '.join(filter(None, (', '.join(first), last)))}.{length}"


def claims(store: Store) -> str:
    lines = []
    for claim in CLAIMS:
        finding = find(claim, store)
        length = f"{finding.epochs}, {_range(finding.seeds)}" if finding and finding.epochs else "–"
        lines.append([f"{claim.words} ([{claim.slide}](#{claim.section}))",
                      *((f"**{claim.verdict}**", claim.paper, finding.here, length, claim.why) if finding else
                        (NOT_RUN, claim.paper, "–", "–", "–"))])
    return counts(store) + "\n\n" + table(["claim", "verdict", "paper", "here", "epochs, seeds", "why"], lines)


def _range(numbers: Sequence[int]) -> str:
    return " to ".join(map(str, sorted({min(numbers), max(numbers)})))


def readme(store: Store) -> str:
    run = [claim for claim in CLAIMS if find(claim, store)]
    return "\n".join([counts(store), ""] + [f"- **{verdict.capitalize()}:** " + ". ".join(
        f"{claim.words} ({claim.slide})" for claim in run if claim.verdict == verdict) + "."
        for verdict in (CONFIRMED, PARTLY, REFUTED)])


BLOCKS = {"claims": claims, "readme-claims": readme}
