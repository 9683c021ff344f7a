"""Check the columns, numbers and strings in a file of measurements before a page shows them."""
from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from refimpl import data
from refimpl.runs.mixture import attribute_columns

if TYPE_CHECKING:
    from refimpl.experiments.records import Record

# Strings from a file are shown in Markdown tables.  With only these characters, a string cannot start a new column or a
# new line, and cannot become a link, code or HTML.
WORDS = re.compile(r"[\w .,+*=>()-]{1,300}")
COMMIT = re.compile(r"[\w .+-]{1,100}")


class Refused(ValueError):
    """Raised if a record is not allowed.  The message states what is wrong."""


class Column(NamedTuple):
    """Allows the numbers from `least` to `most`, both included."""

    least: float = -1e12
    most: float = 1e12
    whole: bool = False
    missing: bool = False
    """Whether a cell may be empty."""


class Table(NamedTuple):
    """Describes what a table of measurements must contain.

    label: the pattern that the label of the table must match.
    settings: the names of the settings that the record must have.  Their values must be whole numbers.
    columns: the descriptions of the columns, by name.  A column of strings has None instead of a description.
    rising: the column whose numbers must rise from row to row, if there is one.
    """

    label: str
    settings: tuple[str, ...]
    columns: Mapping[str, Column | None]
    rising: str | None = None


NUMBER, PERHAPS = Column(), Column(missing=True)
SIZE, ABOVE_0, SHARE, COUNT = Column(0), Column(1e-12), Column(0, 1), Column(0, 1e15, whole=True)
FLAG, FROM_1 = Column(0, 1, whole=True), Column(1, 1e6, whole=True)

JIGSAW = Table(WORDS.pattern, ("seed", "side"), {
    "epoch": FROM_1, **dict.fromkeys(("valid_tiles", "valid_images", "test_tiles", "test_images", "chance"), SHARE),
    "seconds": SIZE, **dict.fromkeys(("f", "f_truth", "f_best", "best_tiles", "best_images"), PERHAPS)}, "epoch")
TABLES: dict[str, Table] = {
    "benchmark": Table(r"batch \d+", (), {"step_of": None, "step": ABOVE_0, "products": ABOVE_0}),
    "estimators": Table(r"n = \d+, k = \d+", ("samples",), {
        "name": None, "bias": SIZE, "z": Column(0, 1e300), "variance": SIZE, "evaluations": COUNT, "claims": FLAG,
        "found": FLAG}),
    "faces-switch": Table(WORDS.pattern, ("seed",), {
        "attribute": None, "bit": COUNT, "epochs": COUNT, "judge": SHARE, "generated": SHARE, "encoded": SHARE,
        "pixels_again": SIZE, "pixels_switched": SIZE, "pixels_other": SIZE, "agrees": SHARE, "nuisance": None,
        "correlation": Column(-1.000001, 1.000001, missing=True)}),
    "jigsaw": JIGSAW, "jigsaw-tuning": JIGSAW,
    "joint-argmax": Table(r"n = \d+", ("samples",), {
        "eps": ABOVE_0, "moved": SHARE, "coordinates_agree": SHARE, "images_agree": SHARE, "bias": SIZE,
        "bias_joint": SIZE, "bias_linear": SIZE, "deviation": SIZE, "deviation_joint": SIZE, "deviation_linear": SIZE,
        "floor": SIZE}, "eps"),
    "plateau-forces": Table(WORDS.pattern, ("seed", "steps"), {
        "step": COUNT, "elbo": NUMBER, "values_used": Column(0.999, 1e4), "lead_f": NUMBER, "lead_h": NUMBER,
        "push": NUMBER, "pull": NUMBER}, "step"),
    "plateau-steps": Table(WORDS.pattern, ("seed", "steps"), {
        "step": COUNT, "elbo": NUMBER, "entropy": SIZE, "winner": SHARE, "values_used": Column(0.999, 1e4),
        "ahead": SHARE, "length_exact": SIZE, "length_made": SIZE}, "step"),
    "relaxation": Table(WORDS.pattern, ("seed", "epochs"), {
        "epoch": FROM_1, "relaxed": PERHAPS, "elbo": NUMBER, "log_likelihood": NUMBER}, "epoch"),
    "structured-timing": Table(r"batch \d+", (), {"method": None, "n": FROM_1, "seconds": ABOVE_0}),
    "subset": Table(r"k = \d+", ("k", "steps", "seeds"), {
        "method": None, "setting": SIZE, "seed": COUNT, "valid": SHARE, "test": SHARE, "test_f": NUMBER}),
    "variance": Table(r"k = \d+", ("k", "samples", "batch"), {
        "temperature": ABOVE_0, "direct_exact": SIZE, "direct": SIZE, "direct_error": SIZE,
        "direct_mean": SIZE, "gumbel_softmax": ABOVE_0, "gumbel_softmax_error": SIZE,
        "gumbel_softmax_mean": ABOVE_0}, "temperature"),
    "yardsticks": Table("all", ("repetitions", "images"), {
        "run": None, "exact": NUMBER, "one": NUMBER, "one_spread": SIZE, "hundred": NUMBER, "hundred_spread": SIZE,
        "relaxed_one": PERHAPS, "relaxed_hundred": PERHAPS}),
}
"""Maps an experiment to the description of its tables.  For an experiment that is not listed here, use of_run."""


def of_run(record: Record) -> Table:
    entry = data.REGISTRY.get(record.dataset)
    columns = {"epoch": FROM_1, "test_elbo": PERHAPS, "seconds": SIZE, "evaluations": COUNT}
    if "labels" in record.settings:
        attributes = attribute_columns(entry.attributes if entry else ())
        columns |= {"epoch": COUNT, "test_elbo": NUMBER, "accuracy": SHARE, "valid_accuracy": SHARE,
                    **dict.fromkeys(attributes, SHARE)}
    else:
        exact = NUMBER if record.settings.get("n") == 1 else PERHAPS        # computed in every epoch only if n = 1
        columns |= {name: exact for name in ("valid_elbo", "test_elbo", "test_log_likelihood", "gap")}
        columns |= {"sampled_elbo": NUMBER} if "sampled_elbo" in record.rows[0] else {}
    return Table(WORDS.pattern, ("seed",), columns, "epoch")


def check(record: Record) -> None:
    """Raise Refused if the record does not fit the description of its table."""
    for words in (record.label, record.dataset or "-"):
        if not WORDS.fullmatch(words):
            raise Refused(f"{words!r} is not a label or data set that a page can show")
    for commit in record.commits:
        if not COMMIT.fullmatch(commit):
            raise Refused(f"{commit!r} is not a commit")
    if not re.fullmatch(r"[\w-]+", record.experiment) or not record.rows:
        raise Refused("it has no rows, or no experiment")
    table = TABLES.get(record.experiment) or of_run(record)
    if not re.fullmatch(table.label, record.label):
        raise Refused(f"{record.experiment} has no label {record.label!r}")
    for name in dict.fromkeys((*table.settings, *{"seed", *table.settings} & {*record.settings})):
        value = record.settings.get(name)
        if type(value) is not int or not 0 <= value < 10**15:
            raise Refused(f"the setting {name} must be a whole number that is not negative")
    before = -math.inf
    for number, row in enumerate(record.rows, start=1):
        if set(row) != set(table.columns):
            odd = ", ".join(sorted(set(row) ^ set(table.columns)))
            raise Refused(f"it needs the columns {', '.join(table.columns)}; missing or unknown: {odd}")
        for name, column in table.columns.items():
            if not _allowed(row[name], column):
                raise Refused(f"{name} of row {number} cannot be {row[name]!r}")
        if table.rising:
            if not row[table.rising] > before:
                raise Refused(f"{table.rising} must rise from row to row")
            before = row[table.rising]
    if "test_elbo" in table.columns and table.rising and math.isnan(last := record.rows[-1]["test_elbo"]) \
            and math.isnan(record.rows[-1].get("test_log_likelihood", last)):
        raise Refused("its last row has no exact bound")


def _allowed(value: float | str, column: Column | None) -> bool:
    if column is None or isinstance(value, str):
        return column is None and isinstance(value, str) and bool(WORDS.fullmatch(value))
    if math.isnan(value):
        return column.missing
    return column.least <= value <= column.most and (not column.whole or value == int(value))
