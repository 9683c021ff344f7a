"""Define the style of all pictures, and save pictures.

The palette is safe for colour-blind readers, and each estimator has one colour in all pictures.
"""
from __future__ import annotations

import contextlib
import hashlib
import math
import re
import sys
import textwrap
import warnings
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from refimpl import estimators
from refimpl.arguments import InputError, one_line
from refimpl.system.files import output_folder, read_whole, write_whole

TRUTH = "#000000"
TEXT = 12                                               # size of all letters in pictures of results, points
# These colours are for everything that is not an estimator: Okabe and Ito's palette (Color Universal Design, 2008).
FURTHER = ("#D55E00", "#0072B2", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")


def colour(estimator: str) -> str:
    entry = estimators.REGISTRY.get(estimator)
    return entry.colour if entry else "#5F5F5F"


SOLVERS = {"enumeration": "#AA4499", "persistency": "#DDCC77", "maxflow": "#117733", "milp": "#332288",
           "coordinate": "#88CCEE"}
"""The colour of each solver of structured arg maxes, from Paul Tol's muted palette."""
# A line has the dash of the first entry whose words are in the line's label.  DisARM has a dash of its own, because its
# green is close to the green of ARM.
DASHES = (("as released", "--"), ("batch mean", ":"), ("no KL", "-."), ("start 0", "--"), ("disarm", "--"), ("", "-"))


def line_style(words: str) -> dict[str, object]:
    """Return the colour and the dash of a run with the label `words`, as keyword arguments for matplotlib."""
    if words.startswith("pairwise"):
        shade = SOLVERS["milp" if "any sign" in words else "maxflow"]
    else:
        name = re.split(r"[ ,]", words, maxsplit=1)[0]
        full = {"unstructured": "direct", "straight-through": "straight-through-gumbel-softmax", "enumeration": "exact",
                "gumbel-sinkhorn": "gumbel-softmax", "fenchel-young": "arm", "cross-entropy": "rebar"}
        shade = colour(full.get(name, name))
    return {"color": shade, "linestyle": next(dash for part, dash in DASHES if part in words)}


def new_figure(columns: int, rows: int = 1, width: float = 4.6, height: float = 3.6) -> tuple[Figure, list]:
    """Return a figure with `columns` times `rows` subplots, and a list of their axes.

    `width` and `height` are the size of each subplot, in inches.  Letters stay legible at half this size.
    """
    figure = Figure(figsize=(width * columns, height * rows), dpi=110, layout="constrained")
    axes = [figure.add_subplot(rows, columns, place + 1) for place in range(rows * columns)]
    for ax in axes:
        ax.grid(color="0.9", linewidth=0.8)
        ax.set_axisbelow(True)
        for side in ("top", "right"):
            ax.spines[side].set_visible(False)
        ax.tick_params(labelsize=TEXT)
        ax.xaxis.label.set_size(TEXT)
        ax.yaxis.label.set_size(TEXT)
    return figure, axes


def entitle(figure: Figure, title: str, note: str = "") -> None:
    """Write a title above all axes, and a note that explains how to read the picture."""
    letters = int(figure.get_size_inches()[0] * 11)
    figure.suptitle("\n".join(textwrap.fill(words, len(words) // math.ceil(len(words) / letters) + 8)
                              for words in (title, note) if words), fontsize=TEXT)


def name_lines(ax: Axes, ends: Sequence[tuple[str, float, float, str]]) -> None:
    """Write the name of each line beside the right edge of the axes, and move overlapping names apart.

    `ends` contains one tuple (name, x, y, colour) per line, where (x, y) is the right end of the line.
    """
    ax.get_xlim(), ax.get_ylim()                            # this fits the limits to the lines, if needed
    gap = 0.24 / (ax.get_position().height * ax.figure.get_size_inches()[1])
    to_axes = ax.transScale + ax.transLimits
    placed = sorted(((*to_axes.transform((x, y)), name, colour) for name, x, y, colour in ends), key=lambda end: end[1])
    steps = gap * np.arange(len(placed))
    heights = np.maximum.accumulate(np.maximum([y for _, y, _, _ in placed], 0.0) - steps) + steps
    heights = np.minimum(heights, max([1.0, *steps]) - steps[::-1])
    for (x, y, name, colour), height in zip(placed, heights):
        ax.annotate(name, (x, min(y, 1.0)), (1.04, height), "axes fraction", "axes fraction", color=colour,
                    fontsize=TEXT, va="center", annotation_clip=False, arrowprops=dict(
                        arrowstyle="-", color=colour, linewidth=0.7, shrinkA=1, shrinkB=3, relpos=(0, 0.5)))


def chapter_style() -> None:
    """Set the style and the size of pyplot's figures for a chapter of the tutorials.

    With the option `--save-figures DIR`, a chapter saves each figure as a PNG file in DIR and prints the path of the
    file.  If there is neither this option nor a display, a message states that figures are not shown.
    """
    import matplotlib.pyplot as plt                         # imported here: only chapters need it

    # Without a display, show() does nothing, and its warning about this is not needed.
    warnings.filterwarnings("ignore", message="FigureCanvasAgg is non-interactive")
    program = Path(sys.argv[0]).suffix == ".py"             # otherwise it is a notebook
    if program and "--save-figures" in sys.argv[1:]:
        names = sys.argv[sys.argv.index("--save-figures") + 1:]
        if not names:
            sys.exit("--save-figures needs the name of a folder")
        plt.show = partial(_save_all, output_folder(names[0]), Path(sys.argv[0]).stem, [])
    elif program and plt.get_backend().lower() == "agg":
        print("There is no display, so figures are not shown; --save-figures DIR saves them.")
    plt.rcParams.update({
        "axes.prop_cycle": plt.cycler(color=FURTHER),
        "figure.dpi": 80, "figure.figsize": (9.0, 3.4), "figure.constrained_layout.use": True, "font.size": 11,
        "axes.grid": True, "axes.axisbelow": True, "grid.color": "0.9",
        "axes.spines.top": False, "axes.spines.right": False, "legend.frameon": False, "axes.titlesize": 12})


def figure_digest(figure: Figure) -> str:
    """Return a digest of the lines, bars, bands, images and words that a figure shows.

    The digest depends on the plotted numbers and on most colours, but not on the version of matplotlib.
    """
    shown: list[object] = [figure.get_suptitle()]
    for ax in figure.axes:
        shown += [ax.get_title(), ax.get_xlabel(), ax.get_ylabel(), ax.get_xscale(), ax.get_yscale()]
        shown += [_short(limits, 3) for limits, chosen in ((ax.get_xlim(), not ax.get_autoscalex_on()),
                                                           (ax.get_ylim(), not ax.get_autoscaley_on())) if chosen]
        shown += [(line.get_label(), str(line.get_color()), line.get_linestyle(), _short(line.get_xydata()))
                  for line in ax.lines]
        shown += [(str(patch.get_facecolor()), _short(patch.get_bbox().bounds))
                  for patch in ax.patches if hasattr(patch, "get_bbox")]
        shown += [_short(path.vertices) for band in ax.collections for path in band.get_paths()]
        shown += [_short(np.ma.filled(image.get_array(), np.nan)) for image in ax.images]
        shown += [text.get_text() for text in ax.texts]
    return hashlib.sha256(repr(shown).encode()).hexdigest()


def _short(numbers: object, digits: int = 6) -> list[str]:
    return [f"{number:.{digits}g}" for number in np.asarray(numbers, float).ravel()]


FORMATS = ("png", "pdf", "svg")


def format_of(path: Path) -> str:
    found = path.suffix.lower().removeprefix(".")
    if found not in FORMATS:
        raise InputError(f"{path}: a picture's suffix says its format, which must be one of .{', .'.join(FORMATS)}")
    return found


def _save_all(folder: Path, chapter: str, saved: list[Path]) -> None:
    """Save and close all open figures, and print their paths.  This function replaces pyplot.show."""
    import matplotlib.pyplot as plt

    for number in plt.get_fignums():
        saved.append(folder / f"{chapter}-{len(saved) + 1}.png")
        save(plt.figure(number), saved[-1])
        plt.close(number)
        print(f"Figure: {saved[-1]}")


@contextlib.contextmanager
def own_settings() -> Iterator[None]:
    """In a `with` block or a decorated function, use matplotlib's default settings, not the settings of the user."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        yield


@contextlib.contextmanager
def may_fail(path: Path) -> Iterator[None]:
    """Let the program continue if the picture `path` cannot be drawn in the `with` block.

    In that case, the reason is printed to sys.stderr in one line.  The block uses matplotlib's default settings.
    Raises InputError if the file `path` cannot be written.
    """
    try:
        with own_settings():
            yield
    except InputError:
        raise
    except Exception as problem:                            # a picture must not stop the program
        if sys.stderr is not None:
            reason = f"{type(problem).__name__}: {problem}".splitlines()[0]
            print(one_line(f"{path} could not be drawn: {reason}"), file=sys.stderr)


def save(figure: Figure, path: Path) -> None:
    """Write the figure into the file `path`, completely or not at all.

    The suffix of `path` determines the format.  A PNG file also contains the digest of the figure.
    """
    kind = format_of(path)
    metadata = {"Drawn": figure_digest(figure)} if kind == "png" else None
    with own_settings(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")         # matplotlib draws a box instead
        write_whole(path, lambda stream: figure.savefig(stream, format=kind, metadata=metadata))


def digest_of(path: Path) -> str:
    """Return the digest that save() has written into this PNG file, or the empty string if there is none."""
    found = re.search(rb"Drawn\x00([0-9a-f]{64})", read_whole(path, "is missing"))
    return found[1].decode() if found else ""
