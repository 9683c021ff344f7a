"""Write a figure that can show any of its frames as a looping GIF, and one of the frames as a PNG for print."""
from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from matplotlib.animation import PillowWriter
from matplotlib.figure import Figure

from refimpl.plots.style import save
from refimpl.system.files import write_whole

SIZE = (8.8, 5.2)                                       # in inches, with DPI dots per inch; legible at half this size
DPI = 100


class Moving(Protocol):
    """An animation.  `show` draws a frame on the figure, and the same frame always gives the same picture."""

    figure: Figure
    order: Sequence[int]
    """The numbers of the frames in the order of the GIF.  A frame that is shown for longer occurs several times."""
    still: int
    """The number of the frame for print."""
    fps: int

    def show(self, frame: int) -> None: ...


def write(moving: Moving, path: Path, advance: Callable[[], None] = lambda: None) -> None:
    """Write the GIF to `path` and the frame for print to the same path with the suffix .png.

    Each file is written whole or not at all.  `advance` is called after each frame.  Raises InputError if a file cannot
    be written.
    """
    with tempfile.TemporaryDirectory() as scratch:      # matplotlib's writer accepts a file name, but no stream
        gif, writer = Path(scratch) / "moving.gif", PillowWriter(fps=moving.fps)
        writer.setup(moving.figure, str(gif), DPI)
        for frame in moving.order:
            moving.show(frame)
            writer.grab_frame()
            advance()
        writer.finish()
        content = gif.read_bytes()
    write_whole(path, lambda stream: stream.write(content))
    moving.show(moving.still)
    save(moving.figure, path.with_suffix(".png"))
