"""Every symbol has one meaning: check each chapter's table of symbols and its formulas against the glossary."""
from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.chapters import APPENDICES, FOLDER, SOURCES, prose

HEAD = "| symbol | in the code |"
GREEK = ("alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi pi rho sigma tau upsilon phi chi "
         "psi omega Gamma Delta Theta Lambda Xi Pi Sigma Upsilon Phi Psi Omega ell").split()


class Row(NamedTuple):
    """A row of the glossary's table; it may contain several spellings of one symbol."""

    symbols: tuple[str, ...]
    codes: tuple[str, ...]
    words: tuple[str, ...]          # the words in bold; a chapter's meaning contains one of them
    chapters: frozenset[int | str]  # chapters 1 ..., appendices "A" ...


def split(line: str) -> list[str]:
    """Return the cells of a row of a table."""
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip().strip("|"))]


def normalised(formula: str) -> str:
    return re.sub(r",\s+", ",", formula.strip())


def symbols_in(cell: str) -> tuple[str, ...]:
    """Return the symbols of a cell: $a$, $b = ...$ gives a, b, and a cell without formulas gives itself."""
    symbols = [normalised(formula.partition(" = ")[0]) for formula in re.findall(r"\$([^$]+)\$", cell)]
    return tuple(symbols) or (cell,)


def codes_in(cell: str) -> tuple[str, ...]:
    return tuple(re.findall(r"`([^`]+)`", cell))


def numbers(cell: str) -> frozenset[int | str]:
    """Return the chapters of a cell: 1-3, 7, A gives 1, 2, 3, 7, "A"."""
    parts = [part.strip() for part in cell.split(",")]
    ends = [[int(end) for end in part.split("-")] for part in parts if not part.isalpha()]
    letters = {part for part in parts if part.isalpha()}
    return frozenset(number for pair in ends for number in range(pair[0], pair[-1] + 1)) | letters


def parsed(page: str) -> list[Row]:
    (table,) = re.findall(r"^\| symbol \| code \| meaning \| chapters \|\n\|[ -|]+\n((?:\|.*\n)+)", page, re.M)
    return [Row(symbols_in(symbol), codes_in(code), tuple(re.findall(r"\*\*(.+?)\*\*", meaning)), numbers(chapters))
            for symbol, code, meaning, chapters in map(split, table.splitlines())]


ROWS = parsed((FOLDER / "glossary.md").read_text(encoding="utf-8"))


def ambiguous(rows: list[Row]) -> list[str]:
    """Return the symbols and names in the code that occur more than once in the table.

    Only the name `w` may, because it means both w and w_ij in the code.
    """
    spellings = [symbol for row in rows for symbol in row.symbols] + [
        f"`{code}`" for row in rows for code in row.codes if code != "w"]
    return sorted({name for name in spellings if spellings.count(name) > 1})


def table_of(text: str) -> list[list[str]]:
    """Return the rows (symbols, code, meaning) of the chapter's own table."""
    _, found, rest = text.partition(HEAD)
    assert found, "a chapter has a table of its symbols"
    body = re.match(r"[^\n]*\n\|[ -|]+\n((?:\|.*(?:\n|$))+)", rest)[1]
    return [[cells[0], cells[1], cells[-1]] for cells in map(split, body.splitlines())]


def meanings(symbols: tuple[str, ...], cell: str) -> list[str]:
    """Return a meaning for each symbol: the parts between semicolons if the numbers agree, else the whole cell."""
    parts = [part.strip() for part in cell.replace(r"\arg\max", "arg max").lower().split(";")]
    return parts if len(parts) == len(symbols) else ["; ".join(parts)] * len(symbols)


def table_errors(text: str, chapter: int | str, rows: list[Row] = ROWS) -> list[str]:
    """Return the differences between the chapter's own table and that of the glossary."""
    place, errors = {symbol: row for row in rows for symbol in row.symbols}, []
    for first, code, last in table_of(text):
        symbols = symbols_in(first)
        unknown = [symbol for symbol in symbols if symbol not in place]
        errors += [f"{symbol} is not in the glossary's table" for symbol in unknown]
        for symbol, meaning in zip(symbols, meanings(symbols, last)):
            row = place.get(symbol)
            if row and row.words and not any(word.lower() in meaning for word in row.words):
                errors.append(f"{symbol}: {meaning!r} has none of {row.words}")
            if row and chapter not in row.chapters:
                errors.append(f"{symbol}: the glossary does not name chapter {chapter}")
        known = [name for symbol in symbols if symbol in place for name in place[symbol].codes]
        errors += [f"`{name}` is not the glossary's name of {first}" for name in codes_in(code)
                  if not unknown and name not in known]
    return errors


def mathematics(text: str) -> list[str]:
    """Return every formula of the chapter, except those in the column of the slides."""
    text = re.sub(r"```.*?```", "", text, flags=re.S)
    text = re.sub(r"`[^`\n]*`", "", text)
    lines = [" ".join(split(line)[:2] + split(line)[-1:]) if line.startswith("|") else line
             for line in text.split("\n")]
    return [normalised(formula) for formula in re.findall(r"\$+([^$]+)\$+", "\n".join(lines))]


def symbols_used(formulas: list[str], rows: list[Row] = ROWS) -> tuple[set[int], set[str]]:
    """Return the rows whose symbols occur, and the letters that are in no row.  The longest matching symbol counts."""
    place = {symbol: number for number, row in enumerate(rows) for symbol in row.symbols}
    spellings = sorted(place, key=len, reverse=True)
    token = re.compile("|".join([re.escape(symbol) + r"(?![a-zA-Z])" * bool(re.search(r"\\[a-zA-Z]+$", symbol))
                                 for symbol in spellings] + [r"\\text\{[^}]*\}", r"\\[a-zA-Z]+", r"[a-zA-Z]"]))
    used, unknown = set(), set()
    for formula in formulas:
        for symbol in token.findall(formula):
            if symbol in place:
                used.add(place[symbol])
            elif len(symbol) == 1 or symbol[1:] in GREEK:
                unknown.add(symbol)
    return used, unknown


def text_errors(text: str, chapter: int | str, rows: list[Row] = ROWS) -> list[str]:
    """Return letters in the chapter's formulas that the glossary lacks, and errors in the glossary's last column."""
    used, unknown = symbols_used(mathematics(text), rows)
    errors = [f"{letter} is not in the glossary's table" for letter in sorted(unknown)]
    for number, row in enumerate(rows):
        if row.symbols != ("ELBO",) and (number in used) != (chapter in row.chapters):
            errors.append(f"{row.symbols[0]} is {'' if number in used else 'not '}used in chapter {chapter}")
    return errors


def chapter_of(source: Path) -> int | str:
    return source.name.split("_")[1].upper() if source in APPENDICES else int(source.name[:2])


each = pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)


def test_symbols_and_names_in_the_glossary_are_unambiguous():
    assert ambiguous(ROWS) == []
    assert len(ROWS) > 40 and all(row.chapters for row in ROWS)


@each
def test_table_of_symbols_of_a_chapter_agrees_with_the_glossary(source):
    assert len(table_of(prose(source))) >= 3
    assert table_errors(prose(source), chapter_of(source)) == []


@pytest.mark.parametrize("source", SOURCES + APPENDICES, ids=lambda path: path.stem)
def test_mathematics_of_a_chapter_uses_only_symbols_of_the_glossary(source):
    assert text_errors(prose(source), chapter_of(source)) == []


# --- the checks can fail ----------------------------------------------------------------------------------------------

PAGE = """| symbol | code | meaning | chapters |
| --- | --- | --- | --- |
| $h$, $h(x,z)$ | `h` | the **score** of a value | 1-3 |
| $\\epsilon$ | `eps` | **how strongly** | 1, 3 |
| $q$ | `q` | **softmax** of $h$ | 1 |
| $q_\\epsilon$ | `q_eps` | **softmax** of both | 1 |
| $\\tau$ | `tau` | **temperature** | 1 |
| $x$, $z$ | | **places** | 1-3 |
"""
CHAPTER = """# 1
| symbol | in the code | the slides write | meaning |
| --- | --- | --- | --- |
| $h(x, z) = 1$ | `h` (B, k) | $\\phi$ | the score of it |
| $q$, $\\tau$ | `q`, `tau` | | softmax of $h$; a temperature |

Text with $x$ and $q_\\epsilon$ and $\\epsilon$, `$ no formula $`.
"""


def test_checks_accept_a_table_and_a_chapter_that_agree():
    rows = parsed(PAGE)
    assert rows[0] == Row(("h", "h(x,z)"), ("h",), ("score",), frozenset({1, 2, 3}))
    assert numbers("1-2, 7, A") == {1, 2, 7, "A"}
    assert ambiguous(rows) == table_errors(CHAPTER, 1, rows) == text_errors(CHAPTER, 1, rows) == []


@pytest.mark.parametrize("old, new, message", [
    ("the score of it", "a threshold", "h(x,z): 'a threshold' has none"), ("`tau`", "`T`", "`T` is not the glossary's"),
    ("softmax of $h$; a", "mean of $h$; a", "q: 'mean of $h$' has none"),
    ("$h(x, z) = 1$", "$r$", "r is not in the glossary's table")])
def test_table_check_detects_a_different_meaning_name_or_symbol(old, new, message):
    errors = table_errors(CHAPTER.replace(old, new), 1, parsed(PAGE))
    assert len(errors) == 1 and message in errors[0]


def test_checks_detect_a_missing_letter_or_chapter():
    rows = parsed(PAGE)
    assert text_errors(CHAPTER + "$\\lambda$ and $T$", 1, rows) == [
        "T is not in the glossary's table", "\\lambda is not in the glossary's table"]
    assert text_errors(CHAPTER.replace("$q_\\epsilon$ and", ""), 1, rows) == ["q_\\epsilon is not used in chapter 1"]
    assert "q is used in chapter 2" in text_errors(CHAPTER, 2, rows)
    assert "q: the glossary does not name chapter 2" in table_errors(CHAPTER, 2, rows)


def test_ambiguity_check_detects_a_symbol_in_two_rows():
    assert ambiguous(parsed(PAGE + "| $\\tau$ | `lam` | a **time** | 2 |\n")) == ["\\tau"]
    assert ambiguous(parsed(PAGE + "| $t$ | `h` | a **time** | 2 |\n")) == ["`h`"]


def test_table_of_rejects_a_chapter_without_a_table():
    with pytest.raises(AssertionError, match="a chapter has a table"):
        table_of("# 1\nno table")
