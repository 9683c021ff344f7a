"""The committed rows, and what tables need from them: values over seeds, common lengths of runs, intervals."""
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
    """Values of several seeds."""

    values: tuple[float, ...]

    @property
    def mean(self) -> float:
        return float(np.mean(self.values)) if self.values else math.nan

    @property
    def median(self) -> float:
        return float(np.median(self.values)) if self.values else math.nan

    @property
    def half(self) -> float:
        """Half the 95 % interval of Student's t of the mean; NaN for fewer than two values."""
        return cells.interval(self.values)[1]

    def text(self, digits: int = 2, unit: str = "", sign: str = "") -> str:
        """The mean and its interval, or a single value.  sign "+": with its sign, as for a difference."""
        if not self.values:
            return "–"
        half = "" if math.isnan(self.half) else f" ± {self.half:.{digits}f}"
        return f"{self.mean:{sign}.{digits}f}{half}{unit}"

    @property
    def side(self) -> int | None:
        """1 if the 95 % interval is above 0, -1 if it is below 0; None if it contains 0, or with one value."""
        return None if math.isnan(self.half) or abs(self.mean) <= self.half else 1 if self.mean > 0 else -1

    def range_text(self, digits: int = 2, unit: str = "") -> str:
        """The median, the lowest and the highest value, for runs of which some may be stuck."""
        if len(self.values) < 2:
            return self.text(digits, unit)
        return f"{self.median:.{digits}f} ({min(self.values):.{digits}f} … {max(self.values):.{digits}f}){unit}"


class Store:
    """All records of a folder of rows."""

    def __init__(self, records: Iterable[Record]) -> None:
        self.records = list(records)

    @classmethod
    def read(cls, folder: Path, refused: Callable[[InputError], None] | None = None) -> Store:
        """The records below a folder; what is wrong with one goes to refused(problem), and the others are read."""
        kept = []
        for record in records.read_all(folder, refused):
            try:
                registry.check(record)
                kept.append(record)
            except InputError as problem:
                if refused is None:
                    raise
                refused(problem)
        return cls(kept)

    def select(self, experiment: str, dataset: str | None = None, label: str | None = None) -> list[Record]:
        """The records of an experiment, by seed, and of one data set or label if it is named.

        Raises ValueError if there is no such experiment or label; if only its records are missing, the list is empty.
        """
        registry.require(experiment, dataset, label)
        found = [record for record in self.records if record.experiment == experiment
                 and dataset in (None, record.dataset) and label in (None, record.label)]
        return sorted(found, key=lambda record: record.seed)

    def labels(self, experiment: str, dataset: str | None = None) -> list[str]:
        return list(dict.fromkeys(record.label for record in self.select(experiment, dataset)))

    def datasets(self, experiment: str) -> list[str]:
        return panels.datasets(self.select(experiment))

    def measurements(self, experiment: str, label: str) -> list[dict[str, records.Value]]:
        """The rows of a table of measurements; none if there is none."""
        found = self.select(experiment, label=label)
        return found[0].rows if found else []


def lengths(runs: Sequence[Sequence[Record]], column: str) -> list[int]:
    """Epochs for a table: the last that every run of every group has, and the last that some run of every group has.
    One epoch if they are the same, none if a group has no run.  Runs without a value of the column do not count."""
    if not runs or not all(runs):
        return []
    every = [set(epochs) for group in runs for record in group if (epochs := record.epochs(column))]
    some = [set().union(*(record.epochs(column) for record in group)) for group in runs]
    if not every:
        return []
    found = {max(common) for common in (set.intersection(*every), set.intersection(*some)) if common}
    return sorted(found)


def spread(runs: Sequence[Record], epoch: int, column: str, sign: float = -1.0) -> Spread:
    """sign times a column at this epoch, over the runs that have it."""
    values = (sign * record.at(epoch, column) for record in runs)
    return Spread(tuple(value for value in values if not math.isnan(value)))


def at_best_validation(runs: Sequence[Record], epoch: int) -> Spread:
    """Test -ELBO at the epoch of the best validation bound, up to this epoch, over the runs that reach it."""
    values = []
    for record in runs:
        rows = [row for row in record.rows if row["epoch"] <= epoch and not math.isnan(row.get("valid_elbo", math.nan))]
        if rows and not math.isnan(record.at(epoch, "test_elbo")):
            values.append(-max(rows, key=lambda row: row["valid_elbo"])["test_elbo"])
    return Spread(tuple(values))


def paired(one: Sequence[Record], other: Sequence[Record], epoch: int, column: str, sign: float = -1.0) -> Spread:
    """sign * (one's column - the other's), seed by seed, for seeds that both have.

    Runs of one seed share their first weights, batches and labelled images, whose common effect cancels.
    """
    there = {record.seed: record.at(epoch, column) for record in other}
    values = (sign * (record.at(epoch, column) - there.get(record.seed, math.nan)) for record in one)
    return Spread(tuple(value for value in values if not math.isnan(value)))


def evaluations_an_epoch(runs: Sequence[Record]) -> float:
    """Decoder evaluations per epoch; NaN where they were not counted."""
    found = [float(record.rows[-1].get("evaluations", math.nan)) / float(record.rows[-1]["epoch"]) for record in runs]
    return float(np.median(found)) if found else math.nan
