"""One symbol, one meaning: every chapter's table of symbols and its mathematics against the table of the glossary."""
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
    """A row of the glossary's table: it may give one thing several spellings."""

    symbols: tuple[str, ...]
    codes: tuple[str, ...]
    words: tuple[str, ...]          # in bold: a chapter's meaning has one of them
    chapters: frozenset[int | str]  # 1 ... of chapters, "A" ... of appendices


def split(line: str) -> list[str]:
    """The cells of a row of a table."""
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip().strip("|"))]


def spelt(formula: str) -> str:
    return re.sub(r",\s+", ",", formula.strip())


def symbols_in(cell: str) -> tuple[str, ...]:
    """$a$, $b = ...$ -> a, b; a name without mathematics is itself."""
    found = [spelt(formula.partition(" = ")[0]) for formula in re.findall(r"\$([^$]+)\$", cell)]
    return tuple(found) or (cell,)


def codes_in(cell: str) -> tuple[str, ...]:
    return tuple(re.findall(r"`([^`]+)`", cell))


def numbers(cell: str) -> frozenset[int | str]:
    """1-3, 7, A -> 1, 2, 3, 7, "A"."""
    parts = [part.strip() for part in cell.split(",")]
    ends = [[int(end) for end in part.split("-")] for part in parts if not part.isalpha()]
    letters = {part for part in parts if part.isalpha()}
    return frozenset(number for pair in ends for number in range(pair[0], pair[-1] + 1)) | letters


def parsed(page: str) -> list[Row]:
    (table,) = re.findall(r"^\| symbol \| code \| meaning \| chapters \|\n\|[ -|]+\n((?:\|.*\n)+)", page, re.M)
    return [Row(symbols_in(symbol), codes_in(code), tuple(re.findall(r"\*\*(.+?)\*\*", meaning)), numbers(chapters))
            for symbol, code, meaning, chapters in map(split, table.splitlines())]


ROWS = parsed((FOLDER / "glossary.md").read_text(encoding="utf-8"))


def twice(rows: list[Row]) -> list[str]:
    """What stands for two things: a symbol in two rows, or twice in one; a name in the code likewise.

    `w` alone is allowed: one letter is w and w_ij in the code too.
    """
    spellings = [symbol for row in rows for symbol in row.symbols] + [
        f"`{code}`" for row in rows for code in row.codes if code != "w"]
    return sorted({name for name in spellings if spellings.count(name) > 1})


def table_of(text: str) -> list[list[str]]:
    """The chapter's own table: (symbols, code, meaning) a row."""
    _, found, rest = text.partition(HEAD)
    assert found, "a chapter has a table of its symbols"
    body = re.match(r"[^\n]*\n\|[ -|]+\n((?:\|.*(?:\n|$))+)", rest)[1]
    return [[cells[0], cells[1], cells[-1]] for cells in map(split, body.splitlines())]


def meanings(symbols: tuple[str, ...], cell: str) -> list[str]:
    """A meaning for each symbol: the parts between semicolons if there are as many, else the whole for all."""
    parts = [part.strip() for part in cell.replace(r"\arg\max", "arg max").lower().split(";")]
    return parts if len(parts) == len(symbols) else ["; ".join(parts)] * len(symbols)


def wrong_in_table(text: str, chapter: int | str, rows: list[Row] = ROWS) -> list[str]:
    """What the chapter's own table has otherwise than the glossary's."""
    place, wrong = {symbol: row for row in rows for symbol in row.symbols}, []
    for first, code, last in table_of(text):
        symbols = symbols_in(first)
        unknown = [symbol for symbol in symbols if symbol not in place]
        wrong += [f"{symbol} is not in the glossary's table" for symbol in unknown]
        for symbol, meaning in zip(symbols, meanings(symbols, last)):
            row = place.get(symbol)
            if row and row.words and not any(word.lower() in meaning for word in row.words):
                wrong.append(f"{symbol}: {meaning!r} has none of {row.words}")
            if row and chapter not in row.chapters:
                wrong.append(f"{symbol}: the glossary does not name chapter {chapter}")
        known = [name for symbol in symbols if symbol in place for name in place[symbol].codes]
        wrong += [f"`{name}` is not the glossary's name of {first}" for name in codes_in(code)
                  if not unknown and name not in known]
    return wrong


def mathematics(text: str) -> list[str]:
    """Every formula of the chapter, but for what the slides write."""
    text = re.sub(r"```.*?```", "", text, flags=re.S)
    text = re.sub(r"`[^`\n]*`", "", text)
    lines = [" ".join(split(line)[:2] + split(line)[-1:]) if line.startswith("|") else line
             for line in text.split("\n")]
    return [spelt(formula) for formula in re.findall(r"\$+([^$]+)\$+", "\n".join(lines))]


def read(formulas: list[str], rows: list[Row] = ROWS) -> tuple[set[int], set[str]]:
    """The rows whose symbols occur, and the letters that no row explains.  The longest symbol that fits is meant."""
    place = {symbol: number for number, row in enumerate(rows) for symbol in row.symbols}
    spellings = sorted(place, key=len, reverse=True)
    token = re.compile("|".join([re.escape(symbol) + r"(?![a-zA-Z])" * bool(re.search(r"\\[a-zA-Z]+$", symbol))
                                 for symbol in spellings] + [r"\\text\{[^}]*\}", r"\\[a-zA-Z]+", r"[a-zA-Z]"]))
    used, unknown = set(), set()
    for formula in formulas:
        for found in token.findall(formula):
            if found in place:
                used.add(place[found])
            elif len(found) == 1 or found[1:] in GREEK:
                unknown.add(found)
    return used, unknown


def wrong_in_text(text: str, chapter: int | str, rows: list[Row] = ROWS) -> list[str]:
    """Letters of the chapter's mathematics that the glossary's table does not have, and where its last column errs."""
    used, unknown = read(mathematics(text), rows)
    wrong = [f"{letter} is not in the glossary's table" for letter in sorted(unknown)]
    for number, row in enumerate(rows):
        if row.symbols != ("ELBO",) and (number in used) != (chapter in row.chapters):
            wrong.append(f"{row.symbols[0]} is {'' if number in used else 'not '}used in chapter {chapter}")
    return wrong


def chapter_of(source: Path) -> int | str:
    return source.name.split("_")[1].upper() if source in APPENDICES else int(source.name[:2])


each = pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)


def test_no_symbol_and_no_name_stands_for_two_things():
    assert twice(ROWS) == []
    assert len(ROWS) > 40 and all(row.chapters for row in ROWS)


@each
def test_a_chapter_s_table_is_the_glossary_s(source):
    assert len(table_of(prose(source))) >= 3
    assert wrong_in_table(prose(source), chapter_of(source)) == []


@pytest.mark.parametrize("source", SOURCES + APPENDICES, ids=lambda path: path.stem)
def test_a_chapter_s_mathematics_has_no_other_symbols(source):
    assert wrong_in_text(prose(source), chapter_of(source)) == []


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


def test_a_table_and_a_chapter_that_agree():
    rows = parsed(PAGE)
    assert rows[0] == Row(("h", "h(x,z)"), ("h",), ("score",), frozenset({1, 2, 3}))
    assert numbers("1-2, 7, A") == {1, 2, 7, "A"}
    assert twice(rows) == wrong_in_table(CHAPTER, 1, rows) == wrong_in_text(CHAPTER, 1, rows) == []


@pytest.mark.parametrize("old, new, said", [
    ("the score of it", "a threshold", "h(x,z): 'a threshold' has none"), ("`tau`", "`T`", "`T` is not the glossary's"),
    ("softmax of $h$; a", "mean of $h$; a", "q: 'mean of $h$' has none"),
    ("$h(x, z) = 1$", "$r$", "r is not in the glossary's table")])
def test_another_meaning_name_or_symbol_is_seen(old, new, said):
    wrong = wrong_in_table(CHAPTER.replace(old, new), 1, parsed(PAGE))
    assert len(wrong) == 1 and said in wrong[0]


def test_a_letter_or_a_chapter_that_is_missing_is_seen():
    rows = parsed(PAGE)
    assert wrong_in_text(CHAPTER + "$\\lambda$ and $T$", 1, rows) == [
        "T is not in the glossary's table", "\\lambda is not in the glossary's table"]
    assert wrong_in_text(CHAPTER.replace("$q_\\epsilon$ and", ""), 1, rows) == ["q_\\epsilon is not used in chapter 1"]
    assert "q is used in chapter 2" in wrong_in_text(CHAPTER, 2, rows)
    assert "q: the glossary does not name chapter 2" in wrong_in_table(CHAPTER, 2, rows)


def test_a_symbol_of_two_rows_is_seen():
    assert twice(parsed(PAGE + "| $\\tau$ | `lam` | a **time** | 2 |\n")) == ["\\tau"]
    assert twice(parsed(PAGE + "| $t$ | `h` | a **time** | 2 |\n")) == ["`h`"]


def test_a_chapter_without_a_table_is_seen():
    with pytest.raises(AssertionError, match="a chapter has a table"):
        table_of("# 1\nno table")
