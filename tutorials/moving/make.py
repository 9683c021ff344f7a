"""Make the moving pictures of the tutorials: GIFs that loop, each with a still PNG for print.

    python tutorials/moving/make.py --out DIR               all of them, into DIR
    python tutorials/moving/make.py walls --write           only this one, over the file of tutorials/figures

    walls       the walls of Theorem 1 move over a cloud of draws as eps falls; then the draws become more
    clocks      one draw as three alarm clocks; as eps grows a second winner overtakes the first
    learning    what ten latent values draw in the first two epochs, by enumeration and by direct; trains
    puzzle      the tiles of ten test images find their places while direct trains

The same command on the same machine makes the same frames: every seed stands in the picture's own file.  Another number
of threads rounds otherwise, which the later frames of `learning` show.
"""
from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

TUTORIALS = Path(__file__).resolve().parent.parent
if __name__ == "__main__":                              # the package and this one are found from any folder
    sys.path[:1] = [str(TUTORIALS.parent), str(TUTORIALS)]

from moving import gif                                  # noqa: E402
from moving.clocks import Clocks                        # noqa: E402
from moving.puzzle import Puzzle                        # noqa: E402
from moving.learning import Learning                    # noqa: E402
from moving.walls import Walls                          # noqa: E402
from refimpl.arguments import InputError                   # noqa: E402
from refimpl.system.files import folder_name, output_folder         # noqa: E402
from refimpl.system.progress import Progress            # noqa: E402

REGISTRY: dict[str, Callable[[], gif.Moving]] = {"walls": Walls, "clocks": Clocks, "learning": Learning,
                                                "puzzle": Puzzle}
FIGURES = TUTORIALS / "figures"


def run(names: Sequence[str], out: Path, write: bool = False) -> None:
    """Make the pictures of these names, or all of them, into the folder `out`: NAME.gif and NAME.png.

    Raises InputError if a name is unknown, the folder cannot be used, or it is FIGURES and `write` is not set.
    """
    for name in names:
        if name not in REGISTRY:
            raise InputError(f"unknown moving picture {name!r}; there are {', '.join(REGISTRY)}")
    if out.resolve() == FIGURES and not write:
        raise InputError("the files in tutorials/figures would be replaced; --write allows it, --out DIR chooses "
                         "another folder")
    folder = output_folder(out)
    for name in names or REGISTRY:
        made = REGISTRY[name]()
        progress = Progress(f"{name}.gif", len(made.order))
        path = folder / f"{name}.gif"
        gif.write(made, path, progress.advance)
        progress.clear()
        print(f"{path}: {path.stat().st_size / 1e6:.2f} MB, {len(made.order) / made.fps:.0f} s a turn; "
              f"to print: {name}.png", flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit status: 0, or 2 with one line on standard error if the input cannot be used."""
    parser = argparse.ArgumentParser(prog="make.py", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"only these of {', '.join(REGISTRY)}")
    parser.add_argument("--out", type=folder_name, default=FIGURES, metavar="DIR",
                        help="folder for NAME.gif and NAME.png")
    parser.add_argument("--write", action="store_true", help="replace the files in tutorials/figures")
    options = parser.parse_args(arguments)
    try:
        run(options.names, options.out, options.write)
    except InputError as problem:
        print(f"make.py: error: {problem}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
