"""Read the stored measurements, and compute the numbers that the tables show."""
from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from refimpl.arguments import InputError
from refimpl.experiments import records, registry
from refimpl.experiments.records import Record
from refimpl.experiments.training import cells, panels


@dataclass(frozen=True)
class Spread:
    """Holds one value for each seed."""

    values: tuple[float, ...]

    @property
    def mean(self) -> float:
        return float(np.mean(self.values)) if self.values else math.nan

    @property
    def median(self) -> float:
        return float(np.median(self.values)) if self.values else math.nan

    @property
    def half(self) -> float:
        """Return half the width of the 95 % interval of the mean (Student's t), or NaN for fewer than two values."""
        return cells.interval(self.values)[1]

    def text(self, digits: int = 2, unit: str = "", sign: str = "") -> str:
        """Return text such as "1.50 ± 0.20": the mean, and half the width of its 95 % interval."""
        if not self.values:
            return "–"
        half = "" if math.isnan(self.half) else f" ± {self.half:.{digits}f}"
        return f"{self.mean:{sign}.{digits}f}{half}{unit}"

    @property
    def side(self) -> int | None:
        """Return 1 if the 95 % interval of the mean is above 0, -1 if it is below 0, and otherwise None."""
        return None if math.isnan(self.half) or abs(self.mean) <= self.half else 1 if self.mean > 0 else -1

    def range_text(self, digits: int = 2, unit: str = "") -> str:
        """Return the median as text, with the lowest and the highest value: "1.50 (1.20 … 1.90)"."""
        if len(self.values) < 2:
            return self.text(digits, unit)
        return f"{self.median:.{digits}f} ({min(self.values):.{digits}f} … {max(self.values):.{digits}f}){unit}"


class Store:
    """Holds the records of all runs and measurements in a folder."""

    def __init__(self, records: Iterable[Record]) -> None:
        self.records = list(records)

    @classmethod
    def read(cls, folder: Path, refused: Callable[[InputError], None] = records.raise_it) -> Store:
        """Return a store with the records in a folder and its subfolders.

        For each record that cannot be used, refused(InputError) is called.  By default, it raises the error.
        """
        kept = []
        for record in records.read_all(folder, refused):
            try:
                registry.check(record)
                kept.append(record)
            except InputError as problem:
                refused(problem)
        return cls(kept)

    def select(self, experiment: str, dataset: str | None = None, label: str | None = None) -> list[Record]:
        """Return the records, sorted by seed.  Raises ValueError if there is no such experiment or label."""
        registry.require(experiment, dataset, label)
        found = [record for record in self.records if record.experiment == experiment
                 and dataset in (None, record.dataset) and label in (None, record.label)]
        return sorted(found, key=lambda record: record.seed)

    def datasets(self, experiment: str) -> list[str]:
        return panels.datasets(self.select(experiment))

    def measurements(self, experiment: str, label: str) -> list[dict[str, records.Value]]:
        """Return the rows of a table of measurements, or an empty list if the table does not exist."""
        found = self.select(experiment, label=label)
        return found[0].rows if found else []


def lengths(runs: Sequence[Sequence[Record]], column: str) -> list[int]:
    """Return the epochs at which a table shows these groups of runs.

    The list contains the last epoch at which every run has a value in the column.  If some runs are longer, it can also
    contain a later epoch: the last one at which each group still has at least one run with a value.  If a group has no
    run, the list is empty.  Runs without any value are ignored.
    """
    if not runs or not all(runs):
        return []
    every = [set(epochs) for group in runs for record in group if (epochs := record.epochs(column))]
    some = [set().union(*(record.epochs(column) for record in group)) for group in runs]
    if not every:
        return []
    found = {max(common) for common in (set.intersection(*every), set.intersection(*some)) if common}
    return sorted(found)


def spread(runs: Sequence[Record], epoch: int, column: str, sign: float = -1.0) -> Spread:
    values = (sign * record.at(epoch, column) for record in runs)
    return Spread(tuple(value for value in values if not math.isnan(value)))


def at_best_validation(runs: Sequence[Record], epoch: int) -> Spread:
    """Return the test -ELBO of each run at the epoch with the best validation bound.

    Epochs after `epoch` are ignored, and so are runs that do not reach `epoch`.
    """
    values = []
    for record in runs:
        rows = [row for row in record.rows if row["epoch"] <= epoch and not math.isnan(row.get("valid_elbo", math.nan))]
        if rows and not math.isnan(record.at(epoch, "test_elbo")):
            values.append(-max(rows, key=lambda row: row["valid_elbo"])["test_elbo"])
    return Spread(tuple(values))


def paired(one: Sequence[Record], other: Sequence[Record], epoch: int, column: str, sign: float = -1.0) -> Spread:
    """For each seed in both lists, return `sign` * (the value in `one` - the value in `other`).

    Runs with the same seed have the same initial weights, batches and labelled images, so the effects of these choices
    partly cancel in the difference.
    """
    there = {record.seed: record.at(epoch, column) for record in other}
    values = (sign * (record.at(epoch, column) - there.get(record.seed, math.nan)) for record in one)
    return Spread(tuple(value for value in values if not math.isnan(value)))


def evaluations_an_epoch(runs: Sequence[Record]) -> float:
    """Return the median number of decoder evaluations per epoch, or NaN if they were not counted."""
    found = [float(record.rows[-1].get("evaluations", math.nan)) / float(record.rows[-1]["epoch"]) for record in runs]
    return float(np.median(found)) if found else math.nan
