"""The moving pictures, all of them by one command: GIFs that loop, each with a still PNG for print.

    python -m refimpl moving-pictures                       into tutorials/figures
    python -m refimpl moving-pictures walls --out DIR       only this one, elsewhere

    walls       the walls of Theorem 1 move over a cloud of draws as eps falls
    clocks      one draw as three alarm clocks; as eps grows a second winner overtakes the first
    learning    what ten latent values draw in the first two epochs, by enumeration and by direct; trains

The same command on the same machine makes the same frames: every seed stands in the picture's own file.  Another number
of threads rounds otherwise, which the later frames of `learning` show.
"""
from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from refimpl.checks import InputError
from moving.clocks import Clocks
from moving.learning import Learning
from moving.walls import Walls
from moving import gif
from refimpl.system.files import output_folder
from refimpl.system.progress import Progress

REGISTRY: dict[str, Callable[[], gif.Moving]] = {"walls": Walls, "clocks": Clocks, "learning": Learning}


def run(names: Sequence[str], out: Path, report: Callable[[str], None] = print) -> None:
    """Make the pictures of these names, or all, into the folder `out`: NAME.gif and NAME.png.

    report: called with a line for each file.  Raises InputError if a name is unknown or the folder cannot be used.
    """
    for name in names:
        if name not in REGISTRY:
            raise InputError(f"unknown moving picture {name!r}; there are {', '.join(REGISTRY)}")
    folder = output_folder(out)
    for name in names or REGISTRY:
        made = REGISTRY[name]()
        progress = Progress(f"{name}.gif", len(made.order))
        path = folder / f"{name}.gif"
        gif.write(made, path, progress.advance)
        progress.clear()
        seconds = len(made.order) / made.fps
        report(f"{path}: {path.stat().st_size / 1e6:.2f} MB, {seconds:.0f} s a turn; to print: {name}.png")
