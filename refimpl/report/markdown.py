"""Write tables in Markdown, and find and fill the marked blocks of a page."""
from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Sequence

from refimpl.arguments import InputError

START = re.compile(r"^<!-- report: ([\w-]+) -->$")
END = "<!-- end of report -->"
WIDTH = 112             # characters per line, so at most 120 bytes even if a few have two or three bytes


def table(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    made = [head, ["---"] * len(head), *lines]
    return "\n".join("| " + " | ".join(line) + " |" for line in made)


def wrapped(text: str) -> str:
    """Break the text into lines of at most WIDTH characters, except in tables and pictures."""
    return "\n".join(line if line.startswith(("|", "![")) else textwrap.fill(line, WIDTH, break_on_hyphens=False)
                     for line in text.split("\n"))


def blocks(page: str) -> list[str]:
    """Return the names of the blocks of a page, in order.

    Raises InputError if a start or end mark has no counterpart, or if two blocks have the same name.
    """
    names, inside = [], None
    for number, line in enumerate(page.split("\n"), start=1):
        start = START.match(line)
        if start and inside is None:
            inside = start[1]
            if inside in names:
                raise InputError(f"line {number}: there is already a block {inside}")
            names.append(inside)
        elif start or (line == END and inside is None):
            raise InputError(f"line {number}: {line} is inside another block, or has no beginning")
        elif line == END:
            inside = None
    if inside is not None:
        raise InputError(f"the block {inside} has no end: {END}")
    return names


def filled(page: str, make: Callable[[str], str]) -> str:
    """Return the page after replacing the text of each block by the result of `make` for the block's name."""
    blocks(page)                                        # raises InputError if a mark is missing
    return re.sub(rf"({START.pattern}).*?^{END}$",
                  lambda found: f"{found[1]}\n\n{wrapped(make(found[2]))}\n\n{END}", page, flags=re.M | re.S)
