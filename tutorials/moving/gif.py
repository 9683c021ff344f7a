"""Moving pictures: a figure that can show any of its frames, written as a GIF that loops, and one frame for print."""
from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from matplotlib.animation import PillowWriter
from matplotlib.figure import Figure

from refimpl.plots.style import save
from refimpl.system.files import write_whole

SIZE = (8.8, 5.2)                                       # inches, at DPI dots each: legible at half that size
DPI = 100


class Moving(Protocol):
    """What is written: `show` puts a frame on the figure.  The same frame is always the same picture."""

    figure: Figure
    order: Sequence[int]
    """The frames, one after the other; one that is to stand still comes several times."""
    still: int
    """The frame for print."""
    fps: int

    def show(self, frame: int) -> None: ...


def write(moving: Moving, path: Path, advance: Callable[[], None] = lambda: None) -> None:
    """Write the GIF at `path`, and the still frame beside it as .png; each file whole or not at all.

    advance: called for each frame.  Raises InputError, one line, if a file cannot be written.
    """
    with tempfile.TemporaryDirectory() as scratch:      # matplotlib's writer takes a file's name, and no stream
        made, writer = Path(scratch) / "moving.gif", PillowWriter(fps=moving.fps)
        writer.setup(moving.figure, str(made), DPI)
        for frame in moving.order:
            moving.show(frame)
            writer.grab_frame()
            advance()
        writer.finish()
        content = made.read_bytes()
    write_whole(path, lambda stream: stream.write(content))
    moving.show(moving.still)
    save(moving.figure, path.with_suffix(".png"))
