"""No line of a Python or Markdown file in the repository is longer than 120 bytes."""
from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = "refimpl", "tutorials", "tests", "data"
MOST = 120
UNBREAKABLE = re.compile(r"(# )?\||(# )?\$\$.*\$\$$|!\[")     # table rows, displayed formulas and pictures


def too_long(text: str) -> list[int]:
    """Return the numbers of the lines that are too long, in bytes: a character outside ASCII has several."""
    return [number for number, line in enumerate(text.split("\n"), start=1)
            if len(line.encode("utf-8")) > MOST and not UNBREAKABLE.match(line)]


def test_no_line_is_too_long():
    files = [ROOT / "README.md"]
    for folder in FOLDERS:
        files += [path for path in sorted((ROOT / folder).rglob("*")) if path.suffix in (".py", ".md")]
    assert len(files) > 100                                     # the search finds files at all
    too_long_lines = [f"{path.relative_to(ROOT)}:{number}" for path in files
                      for number in too_long(path.read_text(encoding="utf-8"))]
    assert not too_long_lines, f"longer than {MOST} bytes:\n" + "\n".join(too_long_lines)


LONG = "word " * 24 + "w"                                       # 121 characters


@pytest.mark.parametrize("line, expected", [
    (LONG, True), (LONG[:-1], False), ("# " + LONG, True), ("    " + LONG, True), ("é" + LONG[2:], True),
    ("| " + LONG, False), ("# | " + LONG, False), ("x | " + LONG, True),
    (f"$$ {LONG} $$", False), (f"# $$ {LONG} $$", False), (f"{LONG} $$ x $$", True),
    (f"![{LONG}](x.png)", False), (f"[{LONG}](x.png)", True)])
def test_too_long_reports_lines_that_could_be_broken(line, expected):
    assert too_long(f"first\n{line}\nlast") == [2] * expected
