"""The explorer: Theorem 1 under one's own hands.  Sliders for eps, the spread of f and each h; four panels.

    python -m refimpl explore
    python -m refimpl explore --save explore.png            without a display
    python -m refimpl explore --time                        how long a redraw takes

The walls and a cloud of draws; the joint law of the two winners, with its exact numbers; the errors of the mean of
these draws against eps, exact; and the draw that lies under the mouse, with its two arg maxes.
"""
from __future__ import annotations

import time
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from refimpl import gumbel, plots
from refimpl.checks import InputError
from refimpl.experiments import options, verify
from refimpl.plots import walls
from refimpl.plots.explorer import Explorer

SIZE = (13.6, 8.2)                                      # inches, at 100 dots each
MOVES = 60                                              # of the measurement


def problem(h: np.ndarray | None, f: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """h and f, or those of the chapters where both are missing.  InputError, one line, if they are not three each."""
    if h is None and f is None:
        return walls.H, walls.F
    verify.scores(h=h, f=f)                             # refuses what `verify` refuses
    if len(h) != 3:
        raise InputError(f"--h and --f must be three numbers each, got {len(h)}: the walls are those of three values")
    if np.abs(h).max() > 10:
        raise InputError(f"--h must be numbers of at most 10 in size, for their sliders, got {np.abs(h).max():g}")
    return np.asarray(h, float), np.asarray(f, float)


def run(h: np.ndarray | None = None, f: np.ndarray | None = None, eps: float = 0.3, seed: int = 0,
        samples: int = 2_000, save: Path | None = None, measure: bool = False) -> tuple[float, float] | None:
    """Open the window and wait until it is closed; or draw into the file `save`; or measure, in a memory image.

    Returns what median_seconds() does if it was measured.  Raises InputError if an option is out of range, the
    file's suffix is no format, or there is neither a display nor a file to draw into.
    """
    options.check("explore", eps=eps, seed=seed, samples=samples)
    h, f = problem(h, f)
    noise = gumbel.sample((samples, 3), np.random.default_rng(seed))
    if save is not None:
        plots.format_of(save)
        plots.save(Explorer(Figure(figsize=SIZE, dpi=100), h, f, eps, noise).figure, save)
    if measure:
        return median_seconds(h, f, eps, noise)
    if save is None:
        explorer = Explorer(_window(), h, f, eps, noise)        # has a name: sliders that nobody holds do not answer
        explorer.go_live()
        _wait()
    return None


def median_seconds(h: np.ndarray, f: np.ndarray, eps: float, noise: np.ndarray) -> tuple[float, float]:
    """Seconds of one redraw by the clock, and seconds of the processor: medians over MOVES moves of all sliders, drawn
    into memory and onto no window.  Where the processor is shared, the first is longer."""
    figure = Figure(figsize=SIZE, dpi=100)
    FigureCanvasAgg(figure)
    explorer, rng, taken = Explorer(figure, h, f, eps, noise), np.random.default_rng(0), []
    explorer.go_live()
    figure.canvas.draw()
    for move in range(MOVES):
        slider = list(explorer.sliders.values())[move % 5]
        value = rng.uniform(slider.valmin, slider.valmax)
        start = time.perf_counter(), time.process_time()
        slider.set_val(value)
        taken.append((time.perf_counter() - start[0], time.process_time() - start[1]))
    clock, processor = np.median(taken, axis=0)
    return float(clock), float(processor)


def _window() -> Figure:
    """A figure in a window of its own; InputError, one line, where there is no display to open one on."""
    try:
        import matplotlib.pyplot as plt                 # asks for a window system, which a file does not need

        figure = plt.figure("Direct optimisation through arg max", figsize=SIZE, dpi=100)
        if figure.canvas.required_interactive_framework is None:
            plt.close(figure)
            raise RuntimeError
    except Exception:                                   # every toolkit has its own error where there is no display
        raise InputError("there is no display to open a window on; --save FILE.png draws the explorer into a file") \
            from None
    return figure


def _wait() -> None:
    import matplotlib.pyplot as plt

    plt.show()
