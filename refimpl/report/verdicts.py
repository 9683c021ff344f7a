"""Decide whether measurements support a claim, and whether a difference between groups of runs may be chance."""
from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from refimpl.experiments.records import Record
from refimpl.report.store import Spread, Store, lengths, paired, spread

FEWEST = 3              # seeds; with only two seeds each, ranges are apart by chance in one of three cases


class Finding(NamedTuple):
    holds: bool
    """Whether the rows still support the handwritten sentence about the claim."""
    here: str = ""
    epochs: int = 0
    """The number of epochs of the runs, or 0 if nothing was trained."""
    seeds: tuple[int, ...] = ()
    """The number of seeds of each method."""


Look = Callable[[Store], Finding | None]
"""A function that returns what the rows of a store show about a claim, or None if rows are missing."""


class Runs(NamedTuple):
    groups: Mapping[str, Sequence[Record]]
    epoch: int
    column: str
    sign: float

    def of(self, name: str) -> Spread:
        return spread(self.groups[name], self.epoch, self.column, self.sign)

    def apart(self, one: str, other: str) -> bool | None:
        """Return whether the range of `one` is below the range of `other`, or None if the ranges overlap.

        Unlike a comparison of confidence intervals, a comparison of ranges is valid even if some runs are on a plateau.
        """
        a, b = self.of(one).values, self.of(other).values
        if min(len(a), len(b)) < FEWEST:
            return None
        if max(a) < min(b):
            return True
        return False if max(b) < min(a) else None

    def ahead(self, one: str, other: str) -> bool | None:
        """Return whether the mean of `one` is below the mean of `other`, or None if the means may be equal.

        The means differ if their 95 % intervals do not overlap.  They also differ if 0 lies outside the 95 % interval
        of the mean difference between runs with the same seed.
        """
        a, b = self.of(one), self.of(other)
        if not math.isnan(a.half + b.half) and abs(a.mean - b.mean) > a.half + b.half:
            return a.mean < b.mean
        side = paired(self.groups[one], self.groups[other], self.epoch, self.column, self.sign).side
        return None if side is None else side < 0


def compared(experiment: str, dataset: str, names: Mapping[str, str], rule: Callable[[Runs], bool] = lambda runs: True,
             *, epoch: int | None = None, column: str = "test_elbo", sign: float = -1.0, median: bool = False,
             words: str = "", shown: bool = True) -> Look:
    """Return a function that reads groups of runs from a store and checks whether `rule` holds for these runs.

    names   maps the label of each group of runs to the name of the group in the table
    epoch   the epoch at which the runs are compared.  By default it is the last epoch that all runs have reached
    column  the column whose values are compared
    sign    the factor by which these values are multiplied before the comparison
    median  whether the table shows the median over the seeds instead of the mean
    words   the text before the values in the table
    shown   whether the table shows the values
    """
    def look(store: Store) -> Finding | None:
        groups = {name: store.select(experiment, dataset, label) for label, name in names.items()}
        epochs = lengths(list(groups.values()), column)
        if not epochs:
            return None
        runs = Runs(groups, epoch or epochs[0], column, sign)
        values = {name: runs.of(name) for name in groups}
        if not all(value.values for value in values.values()):
            return None
        if not shown:
            return Finding(rule(runs))
        here = ", ".join(f"{name} {value.median if median else value.mean:.1f}" for name, value in values.items())
        return Finding(rule(runs), words + here, runs.epoch, tuple(len(value.values) for value in values.values()))
    return look
