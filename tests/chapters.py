"""Read the sources of the chapters and appendices."""
from __future__ import annotations

from pathlib import Path
import re

FOLDER = Path(__file__).resolve().parent.parent / "tutorials"
SOURCES = sorted(FOLDER.glob("[0-9][0-9]_*.py"))
APPENDICES = sorted(FOLDER.glob("appendix_?_*.py"))


def cells(source: Path) -> list[tuple[str, str]]:
    """Return (kind, text) of each cell of a source in percent format."""
    found_cells = []
    for block in re.split(r"^# %%", source.read_text(encoding="utf-8"), flags=re.M)[1:]:
        head, _, body = block.partition("\n")
        if head.strip() == "[markdown]":
            lines = [line[2:] if line.startswith("# ") else line[1:] for line in body.rstrip("\n").split("\n")]
            found_cells.append(("markdown", "\n".join(lines).strip()))
        else:
            assert head.strip() == "", f"unknown cell {head!r}"
            found_cells.append(("code", body.strip()))
    return found_cells


def prose(source: Path) -> str:
    return "\n\n".join(text for kind, text in cells(source) if kind == "markdown")
