"""No line is longer than a reader's window: 120 columns, in every Python and Markdown file of the repository."""
from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = "refimpl", "tutorials", "tests", "data"
MOST = 120
WHOLE = re.compile(r"(# )?\||(# )?\$\$.*\$\$$|!\[")     # tables, displayed formulas, pictures: they cannot be broken


def too_long(text: str) -> list[int]:
    """The numbers of the lines that are too long, counted in bytes: a character outside ASCII has several."""
    return [number for number, line in enumerate(text.split("\n"), start=1)
            if len(line.encode("utf-8")) > MOST and not WHOLE.match(line)]


def test_no_line_is_too_long():
    files = [ROOT / "README.md"]
    for folder in FOLDERS:
        files += [path for path in sorted((ROOT / folder).rglob("*")) if path.suffix in (".py", ".md")]
    assert len(files) > 100                                     # they are found at all
    found = [f"{path.relative_to(ROOT)}:{number}" for path in files
             for number in too_long(path.read_text(encoding="utf-8"))]
    assert not found, f"longer than {MOST} bytes:\n" + "\n".join(found)


LONG = "word " * 24 + "w"                                       # 121 characters


@pytest.mark.parametrize("line, found", [
    (LONG, True), (LONG[:-1], False), ("# " + LONG, True), ("    " + LONG, True), ("é" + LONG[2:], True),
    ("| " + LONG, False), ("# | " + LONG, False), ("x | " + LONG, True),
    (f"$$ {LONG} $$", False), (f"# $$ {LONG} $$", False), (f"{LONG} $$ x $$", True),
    (f"![{LONG}](x.png)", False), (f"[{LONG}](x.png)", True)])
def test_what_is_too_long(line, found):
    assert too_long(f"first\n{line}\nlast") == [2] * found
