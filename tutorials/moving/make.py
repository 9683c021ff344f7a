"""Make the animations of the tutorials: looping GIFs, each with one frame as a PNG for print.

    python tutorials/moving/make.py --out DIR               write all of them to DIR
    python tutorials/moving/make.py walls --write           replace this one in tutorials/figures

    walls       the boundaries between the winners move over a cloud of draws as eps falls; then more draws are added
    clocks      one draw of the noise as three alarm clocks; as eps grows, another clock overtakes the first
    learning    the images of ten latent values in the first two epochs, by enumeration and by direct; this trains
    puzzle      the tiles of ten test images move to their places while direct trains; this trains

On the same machine the same command makes the same frames, because every animation has a fixed seed.  With another
number of threads, rounding differs, and the later frames of `learning` look different.
"""
from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

TUTORIALS = Path(__file__).resolve().parent.parent
if __name__ == "__main__":                              # so that both packages are found from any working folder
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
    """Write NAME.gif and NAME.png to the folder `out` for each of these names, or for all animations if there are none.

    Raises InputError if a name is unknown, if the folder cannot be used, or if it is FIGURES and `write` is not set.
    """
    for name in names:
        if name not in REGISTRY:
            raise InputError(f"unknown animation {name!r}; there are {', '.join(REGISTRY)}")
    if out.resolve() == FIGURES and not write:
        raise InputError("this would replace the files in tutorials/figures; give --write to allow it, or --out DIR "
                         "to choose another folder")
    folder = output_folder(out)
    for name in names or REGISTRY:
        moving = REGISTRY[name]()
        progress = Progress(f"{name}.gif", len(moving.order))
        path = folder / f"{name}.gif"
        gif.write(moving, path, progress.advance)
        progress.clear()
        print(f"{path}: {path.stat().st_size / 1e6:.2f} MB, {len(moving.order) / moving.fps:.0f} s; "
              f"for print: {name}.png", flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Return the exit status, which is 0, or 2 with one line on standard error if the input cannot be used."""
    parser = argparse.ArgumentParser(prog="make.py", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME",
                        help=f"animations to make (default: all of {', '.join(REGISTRY)})")
    parser.add_argument("--out", type=folder_name, default=FIGURES, metavar="DIR",
                        help="folder for NAME.gif and NAME.png (default: tutorials/figures, which needs --write)")
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
