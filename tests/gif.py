"""Read the size of a GIF file, how often it repeats, and how long each frame stays."""
from __future__ import annotations

from pathlib import Path
from typing import NamedTuple


class Gif(NamedTuple):
    width: int
    height: int
    loops: int | None
    """0 if it repeats for ever, None if it plays once."""
    delays: list[int]
    """The duration of each frame, in hundredths of a second."""


def read(path: Path) -> Gif:
    """Walk through the blocks of the file in the order of the GIF89a specification."""
    content = path.read_bytes()
    assert content[:6] == b"GIF89a"
    width, height = (int.from_bytes(content[at:at + 2], "little") for at in (6, 8))
    at, loops, delays, delay = 13 + _table(content[10]), None, [], 0
    while content[at] != 0x3B:                              # the trailer
        if content[at] == 0x21:                             # an extension
            kind, at = content[at + 1], at + 2
            if kind == 0xF9:
                delay = int.from_bytes(content[at + 2:at + 4], "little")
            if kind == 0xFF and content[at + 1:at + 12] == b"NETSCAPE2.0":
                loops = int.from_bytes(content[at + 14:at + 16], "little")
        else:
            assert content[at] == 0x2C                      # a frame: its position, perhaps a table, its codes
            delays.append(delay)
            at += 11 + _table(content[at + 9])
        while content[at]:                                  # sub-blocks, up to an empty one
            at += 1 + content[at]
        at += 1
    assert at == len(content) - 1
    return Gif(width, height, loops, delays)


def _table(flags: int) -> int:
    """Return the number of bytes of the colour table that these flags describe."""
    return 3 * 2 ** ((flags & 7) + 1) if flags & 0x80 else 0
