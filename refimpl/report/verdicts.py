"""When a difference counts, and whether an order comes out as on a slide.

Where some seeds may sit on a plateau, a difference counts if the ranges of at least three seeds each part; else if the
95 % intervals part, or that of the differences, seed by seed, leaves 0 out.
"""
from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence

from refimpl.experiments.rows import Record
from refimpl.report.store import Spread, paired, spread
from refimpl.report.tables import NOT_RUN, counted

READING = 2.0           # nats: what two curves of a slide have to be apart to be told apart by eye
FEWEST = 3              # seeds whose ranges are compared: those of two part by chance one time in three


def apart(one: Spread, other: Spread) -> bool | None:
    """Whether every seed of the first lies below every seed of the second; None where they overlap, or where one of
    them has fewer than FEWEST seeds."""
    if min(len(one.values), len(other.values)) < FEWEST:
        return None
    if max(one.values) < min(other.values):
        return True
    return False if max(other.values) < min(one.values) else None


def ahead(one: Sequence[Record], other: Sequence[Record], epoch: int, column: str) -> bool | None:
    """Whether the first is lower: the 95 % intervals part, or that of the differences, seed by seed, leaves 0 out.
    None where neither is so."""
    a, b = spread(one, epoch, column), spread(other, epoch, column)
    if not math.isnan(a.half + b.half) and abs(a.mean - b.mean) > a.half + b.half:
        return a.mean < b.mean
    return {-1: True, 1: False, None: None}[paired(one, other, epoch, column).side]


def order_verdict(seeds: Mapping[str, int], slide: Mapping[str, float], told: Callable[[str, str], bool | None]) -> str:
    """Do the pairs that the slide tells apart come out in the same order?

    seeds: how many we have of each; told(one, other): whether the first is lower here, None where that is open.
    """
    pairs = [(one, other) for one, other in itertools.permutations(slide, 2)
             if one in seeds and other in seeds and slide[one] < slide[other] - READING]
    if not pairs:
        return NOT_RUN
    if any(seeds[name] < 2 for pair in pairs for name in pair):
        return "not decided: one seed"
    found = [told(one, other) for one, other in pairs]
    agree, against = found.count(True), found.count(False)
    if agree == len(found):
        return "confirmed"
    if against == len(found):
        return "refuted"
    return (f"qualified: of {counted(len(found), 'difference')} {agree} as on the slide, {against} the other way "
            f"round, {len(found) - agree - against} within the seeds")
