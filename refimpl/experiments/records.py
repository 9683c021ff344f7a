"""Read and write measurements, which are kept as small text files next to the pages that quote them.

Each run and each table of measurements has one file:

    # refimpl rows 2
    # {"experiment": "binary", "label": "direct", "commits": ["960579f7e4fc"], "threads": [1], "settings": {...}}
    epoch,test_elbo,test_log_likelihood,gap,seconds,evaluations
    1,-245.3102,...

`experiment` and most commands of `measure` write such files into the folder rows/ of the output folder.  `make report
--write --add FOLDER` adds the files in FOLDER to tutorials/rows, and `make report --write` generates all tables and
pictures of the pages from tutorials/rows.
"""
from __future__ import annotations

import contextlib
import csv
import io
import json
import math
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from refimpl.arguments import InputError
from refimpl.experiments import columns
from refimpl.system.commit import commit, threads
from refimpl.system.files import csv_text, output_folder, read_whole, write_text

FIRST_LINE = "# refimpl rows 2"
EARLIER = "# refimpl rows 1"                        # also accepted: see _upgraded
LARGEST = 10**6                                     # largest size of a file of rows, in bytes
ALL_UP_TO, THEN_EVERY = 20, 5                       # epochs: see `thinned`
KEPT = ("epoch", "valid_elbo", "test_elbo", "test_log_likelihood", "gap", "sampled_elbo", "accuracy", "valid_accuracy",
        "seconds", "evaluations")
OF_ATTRIBUTES = "accuracy_"                         # prefix of the columns for a data set's attributes

Value = float | str


@dataclass(frozen=True)
class Record:
    """Holds a table of measurements, for example the results of a run after each epoch."""

    experiment: str
    label: str
    settings: dict[str, object]
    """All settings, including dataset and seed if there are any."""
    commits: tuple[str, ...]
    """The commits of the code that made the rows, in order; several if the run was continued with later code."""
    rows: list[dict[str, Value]]
    threads: tuple[int, ...] = ()
    """The numbers of threads with which the rows were made, in order; an empty tuple if they were not recorded.

    The last digits of the rows depend on the number of threads.
    """

    @property
    def dataset(self) -> str:
        return str(self.settings.get("dataset", ""))

    @property
    def seed(self) -> int:
        return int(self.settings.get("seed", 0))

    @property
    def file(self) -> str:
        """Return the path of the record's file, relative to the folder of all rows."""
        words = [self.dataset] * bool(self.dataset) + [self.label]
        words += [f"seed{self.seed}"] * ("seed" in self.settings)
        return f"{self.experiment}/{file_name('-'.join(words))}.csv"

    @property
    def identity(self) -> tuple[object, ...]:
        """Return a key that identifies the record.  Different records may share a file name, but never a key."""
        return self.experiment, self.dataset, self.label, self.settings.get("seed")

    def at(self, epoch: float, name: str, key: str = "epoch") -> float:
        """Return the value of the column `name` at an epoch.  If there is no value, return NaN."""
        return next((float(row.get(name, math.nan)) for row in self.rows if row.get(key) == epoch),
                    math.nan)

    def epochs(self, name: str = "epoch", key: str = "epoch") -> list[int]:
        return [int(row[key]) for row in self.rows if key in row and not math.isnan(float(row.get(name, math.nan)))]


def file_name(words: str) -> str:
    """Return `words` as a file name: "tau 0.5" becomes "tau_0p5", and other special characters are removed."""
    return re.sub(r"[^\w-]", "", words.replace(" ", "_").replace(".", "p"))


def thinned(rows: Sequence[dict[str, float]]) -> list[dict[str, float]]:
    """Return the rows that are kept: those of the first 20 epochs, of every fifth epoch, and of the last epoch.

    If only some epochs have exact bounds, the rows of those epochs are kept, too.
    """
    exact = [row for row in rows if not math.isnan(row.get("test_log_likelihood", math.nan))]
    sparse = len(exact) < len(rows)
    kept = [row for row in rows if row["epoch"] <= ALL_UP_TO or row["epoch"] % THEN_EVERY == 0 or row is rows[-1]
            or sparse and row in exact]
    return [{name: row[name] for name in (*KEPT, *(name for name in row if name.startswith(OF_ATTRIBUTES)))
             if name in row} for row in kept]


def text(record: Record) -> str:
    head = {"experiment": record.experiment, "label": record.label, "commits": list(record.commits),
            "threads": list(record.threads), "settings": record.settings}
    names = list(dict.fromkeys(name for row in record.rows for name in row))
    rows = [[_written(row.get(name, math.nan)) for name in names] for row in record.rows]
    return f"{FIRST_LINE}\n# {json.dumps(head)}\n{csv_text([names, *rows])}"


def _written(value: Value) -> str:
    return value if isinstance(value, str) else "" if math.isnan(value) else f"{value:.8g}"


def parsed(content: str) -> Record:
    """Return the record that the text of a file contains, or raise one of the exceptions that `read` catches."""
    first, second, rest = content.split("\n", 2)
    if first not in (FIRST_LINE, EARLIER):
        raise ValueError("another format")
    head = json.loads(second.removeprefix("# "))
    if first == EARLIER:
        head["settings"] = _upgraded(head["settings"])
    lines = list(csv.reader(io.StringIO(rest, newline=""), strict=True))
    names = lines[0]
    if not names or len(set(names)) != len(names) or any(len(line) != len(names) for line in lines):
        raise ValueError("ragged")
    rows = [{name: _read(value) for name, value in zip(names, line)} for line in lines[1:]]
    record = Record(head["experiment"], head["label"], head["settings"], tuple(head["commits"]), rows,
                    tuple(head.get("threads", ())))
    if not all(type(count) is int and count > 0 for count in record.threads):
        raise TypeError("its threads must be whole numbers above 0")
    if not all(isinstance(word, str) for word in (*record.identity[:3], *record.commits)):
        raise TypeError("not a record")
    columns.check(record)
    return record


def _upgraded(settings: dict[str, object]) -> dict[str, object]:
    if "estimator" not in settings:                 # the record is a table of measurements
        return settings
    moved = {"hyperparameters": ("eps", "tau", "batch_mean"),
             "family_options": ("solver", "non_negative", "pair_start")}
    upgraded: dict[str, object] = {}
    for name, value in settings.items():
        field = next((field for field, names in moved.items() if name in names), None)
        if name == "eps":
            upgraded["hyperparameters"] = {}        # here, so that the fields have the current order
        if name == "exact_every":
            upgraded |= {"kl_weight": None, "optimiser": None}
        if name == "structure":
            upgraded |= {"family": value or "independent", "family_options": {}}
        elif field is None:
            upgraded[name] = value
        elif value is not None:
            upgraded[field][name] = value
    return {name: dict(sorted(value.items())) if isinstance(value, dict) else value for name, value in upgraded.items()}


def _read(value: str) -> Value:
    try:
        number = float(value or "nan")
    except ValueError:
        return value
    if math.isinf(number):
        raise ValueError("infinite")
    return number


def read(path: Path) -> Record:
    """Read a record.  Raises InputError if the file is missing or damaged, or if it has another format."""
    content = read_whole(path, "is missing")
    if len(content) <= LARGEST and content.startswith(b"# refimpl rows ") and \
            content.split(b"\n")[0].rstrip(b"\r") not in (FIRST_LINE.encode(), EARLIER.encode()):
        raise InputError(f"{path} is in another version of the format; this version reads {FIRST_LINE!r}")
    try:
        if len(content) > LARGEST:
            raise ValueError
        return parsed(content.decode("utf-8").replace("\r\n", "\n"))       # git may have changed line endings
    except columns.Refused as problem:
        raise InputError(f"{path} is damaged, or is not a file of rows: {problem}") from None
    except (ValueError, TypeError, KeyError, AttributeError, IndexError, RecursionError, csv.Error):
        raise InputError(f"{path} is damaged, or is not a file of rows") from None


def write(folder: Path, record: Record) -> None:
    """Write the record into `folder`.  A file of the same run or table is replaced.

    Raises InputError, and writes nothing, if a file of this name contains another run or table.
    """
    path, before = folder / record.file, None
    with contextlib.suppress(InputError):           # a file that cannot be read is replaced
        before = read(path)
    if before:
        _require_same(path, before, record)
    output_folder(path.parent)
    write_text(path, text(record))


def _require_same(path: Path, before: Record, record: Record) -> None:
    if before.identity != record.identity:
        raise InputError(f"{path} holds the rows of {before.label!r}, and those of {record.label!r} would have the "
                         f"same file name: give {record.label!r} another label")


def write_measurements(out: Path, experiment: str, label: str, settings: dict[str, object],
                       rows: Sequence[tuple]) -> None:
    """Write a table of measurements into the folder out/rows.  Each row is a namedtuple."""
    made = [{name: value if isinstance(value, str) else float(value) for name, value in row._asdict().items()}
            for row in rows]
    write(out / "rows", Record(experiment, label, settings, (commit(),), made, (threads(),)))


def add(folder: Path, record: Record) -> bool:
    """Write the record into `folder`, unless the folder has a longer record of the same run.  Return whether it did so.

    Raises InputError, and writes nothing, if the record's file in `folder` is damaged or contains another record.
    """
    path = folder / record.file
    if path.exists():
        before = read(path)
        _require_same(path, before, record)
        differing = [name for name in dict.fromkeys((*before.settings, *record.settings))
                     if before.settings.get(name) != record.settings.get(name)]
        if differing:
            raise InputError(f"{path} holds a run with other settings ({', '.join(differing)}) under the same label; "
                             "remove it first, or give the new one another label")
        if "epoch" in before.rows[0] and before.rows[-1]["epoch"] > record.rows[-1]["epoch"]:
            return False
    write(folder, record)
    return True


def raise_it(problem: InputError) -> None:
    raise problem


def read_all(folder: Path, refused: Callable[[InputError], None] = raise_it) -> list[Record]:
    """Return all records in this folder and its subfolders, sorted by path.

    If a file is damaged or has the wrong name, an InputError is raised.  If `refused` is given, it is called with the
    InputError instead, and the other files are still read.
    """
    return _each(sorted(Path(folder).rglob("*.csv")), refused, Path(folder))


def read_source(source: Path, refused: Callable[[InputError], None] = raise_it) -> list[Record]:
    """Return the record of a file, or all records of a folder.

    Raises InputError if there are no files.  `refused` is used as in read_all().
    """
    source = Path(source)
    paths = sorted(path for path in source.rglob("*.csv") if "rows" in Path(os.path.abspath(path)).parts) \
        if source.is_dir() else [source]
    if not paths:
        raise InputError(f"{source} holds no rows; `experiment` writes them below rows/ in its folder")
    return _each(paths, refused)


def _each(paths: Sequence[Path], refused: Callable[[InputError], None], folder: Path | None = None) -> list[Record]:
    """Return the records in these files.  If `folder` is given, check that each file has the name of its record."""
    records = []
    for path in paths:
        try:
            record = read(path)
            if folder is not None and path != folder / record.file:
                raise InputError(f"{path} holds the rows of {record.file}: a file must have the name of its run")
            records.append(record)
        except InputError as problem:
            refused(problem)
    return records
