"""Show the explorer of Theorem 1.  It has sliders for eps, for the spread of f, and for each entry of h.

    python -m refimpl explore
    python -m refimpl explore --save explore.png            without a display

The explorer has four panels:

    the draws as points, and the walls at which the arg max changes
    the exact joint law of z* and z*(eps)
    the exact errors of the average of several direct gradients, plotted against eps
    the scores of the draw under the mouse, with stars at the two arg maxes
"""
from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from refimpl import gumbel, plots
from refimpl.arguments import InputError
from refimpl.experiments import options
from refimpl.experiments.theory import verify
from refimpl.plots import walls
from refimpl.plots.explorer import Explorer

SIZE = (13.6, 8.2)                                      # inches, at 100 dots each


def problem(h: np.ndarray | None, f: np.ndarray | None) -> tuple[np.ndarray, np.ndarray, Sequence[str]]:
    """Return h, f and the names of the values.  The default is the problem of the tutorials.

    Raises InputError if h and f are not three numbers each, or if a number is out of range.
    """
    if h is None and f is None:
        return walls.H, walls.F, walls.NAMES
    verify.scores(h=h, f=f)                             # checks them as `verify` does
    if len(h) != 3:
        raise InputError(f"--h and --f must be three numbers each, got {len(h)}: the walls are those of three values")
    if np.abs(h).max() > 10:
        raise InputError(f"--h must be numbers of at most 10 in size, for their sliders, got {np.abs(h).max():g}")
    return np.asarray(h, float), np.asarray(f, float), ("value 0", "value 1", "value 2")


@plots.own_settings()
def run(h: np.ndarray | None = None, f: np.ndarray | None = None, eps: float = 0.3, seed: int = 0,
        samples: int = 2_000, save: Path | None = None) -> None:
    """Plot the explorer into the file `save`.  If `save` is None, open a window and wait until the user closes it.

    Raises InputError if an option is out of range, if the suffix of `save` is not a known format, or if `save` is None
    and there is no display.
    """
    options.check("explore", eps=eps, seed=seed, samples=samples)
    h, f, names = problem(h, f)
    noise = gumbel.sample((samples, 3), np.random.default_rng(seed))
    if save is not None:
        plots.format_of(save)
        plots.save(Explorer(Figure(figsize=SIZE, dpi=100), h, f, eps, noise, names).figure, save)
    else:
        explorer = Explorer(_window(), h, f, eps, noise, names)         # noqa: F841  keeps the sliders
        _wait()


def _window() -> Figure:
    try:
        import matplotlib.pyplot as plt                 # needs a window system, but drawing a file does not

        figure = plt.figure("Direct optimisation through arg max", figsize=SIZE, dpi=100)
        if figure.canvas.required_interactive_framework is None:
            plt.close(figure)
            raise RuntimeError
    except Exception:                                   # without a display, each toolkit raises another error
        raise InputError("there is no display to open a window on; --save FILE.png draws the explorer into a file") \
            from None
    return figure


def _wait() -> None:
    import matplotlib.pyplot as plt

    plt.show()
