"""The basis of the verdict on a claim: when a difference counts, and what the rows show about its runs."""
from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from refimpl.experiments.records import Record
from refimpl.report.store import Spread, Store, lengths, paired, spread

FEWEST = 3              # seeds; with two, the ranges lie apart by chance one time in three


def apart(one: Spread, other: Spread) -> bool | None:
    """Whether every seed of the first is below every seed of the second, for runs that may still be on a plateau.  None
    if the ranges overlap, or if one of them has fewer than FEWEST seeds."""
    if min(len(one.values), len(other.values)) < FEWEST:
        return None
    if max(one.values) < min(other.values):
        return True
    return False if max(other.values) < min(one.values) else None


def ahead(one: Sequence[Record], other: Sequence[Record], epoch: int, column: str, sign: float = -1.0) -> bool | None:
    """Whether the first is lower: the 95 % intervals do not overlap, or the interval of the differences between runs of
    the same seed excludes 0.  None if neither is the case."""
    a, b = spread(one, epoch, column, sign), spread(other, epoch, column, sign)
    if not math.isnan(a.half + b.half) and abs(a.mean - b.mean) > a.half + b.half:
        return a.mean < b.mean
    return {-1: True, 1: False, None: None}[paired(one, other, epoch, column, sign).side]


class Finding(NamedTuple):
    """What the rows show about a claim."""

    holds: bool
    """Whether the rows still support the sentence about the claim."""
    here: str = ""
    epochs: int = 0
    """The epochs of the runs; 0 if nothing was trained."""
    seeds: str = ""


Look = Callable[[Store], Finding | None]
"""What the rows of a store show; None if rows are missing."""


class Runs(NamedTuple):
    """The runs that are compared at one epoch, by their names in the table of claims."""

    groups: Mapping[str, Sequence[Record]]
    epoch: int
    column: str
    sign: float

    def of(self, name: str) -> Spread:
        return spread(self.groups[name], self.epoch, self.column, self.sign)

    def apart(self, one: str, other: str) -> bool | None:
        return apart(self.of(one), self.of(other))

    def ahead(self, one: str, other: str) -> bool | None:
        return ahead(self.groups[one], self.groups[other], self.epoch, self.column, self.sign)

    def last(self, name: str) -> int:
        """The longest run's last epoch; 0 if there is none."""
        return max((record.epochs()[-1] for record in self.groups[name]), default=0)


def compared(experiment: str, dataset: str, names: Mapping[str, str], rule: Callable[[Runs], bool] = lambda runs: True,
             *, epoch: int | None = None, column: str = "test_elbo", sign: float = -1.0, median: bool = False,
             some: bool = False, words: str = "", shown: bool = True) -> Look:
    """A look that finds the runs with these labels, their values, and whether the rule holds; None if runs are missing.

    names: label -> name.  epoch: by default the last that every run has.  median: of the seeds, instead of the mean.
    some: any label but the first may have no run.  shown: whether the table shows the values, with `words` before them.
    """
    def look(store: Store) -> Finding | None:
        groups = {name: store.select(experiment, dataset, label) for label, name in names.items()}
        there = [group for group in groups.values() if group]
        epochs = lengths(there, column)
        if not epochs or len(there) < len(groups) and not (some and next(iter(groups.values()))):
            return None
        runs = Runs(groups, epoch or epochs[0], column, sign)
        values = {name: runs.of(name) for name in groups}
        if not shown:
            return Finding(rule(runs))
        here = ", ".join(f"{name} {value.median if median else value.mean:.1f}" if value.values else f"{name} not run"
                         for name, value in values.items())
        counts = sorted({len(value.values) for value in values.values() if value.values})
        seeds = " to ".join(map(str, counts if len(counts) < 2 else (counts[0], counts[-1])))
        return Finding(rule(runs), words + here, runs.epoch, seeds)
    return look
