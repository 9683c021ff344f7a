"""Pages 20 and 21: results of the committed rows about training and timing."""
from __future__ import annotations

from functools import cache
from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from lecture import slide
from refimpl import plots
from refimpl.report.store import Store

ROWS = Path(__file__).resolve().parent.parent / "rows"


@cache
def store() -> Store:
    return Store.read(ROWS)


def bounds(figure: Figure) -> None:
    """Test bounds on MNIST after each epoch, with k = 10 and five seeds for each method."""
    ax = figure.add_axes(slide.WHOLE)
    epochs = 0
    for label, name, words in (("exact, decoder q", "exact", "the exact gradient"),
                               ("direct, decoder z*", "direct", "two arg maxes, ε = 0.1")):
        runs = store().select("plateau", "mnist", label)
        for record in runs:
            ax.plot([row["epoch"] for row in record.rows], [-row["test_elbo"] for row in record.rows], "o-",
                    color=plots.colour(name), markersize=8, alpha=0.8)
            epochs = max(epochs, len(record.rows))
        ax.plot([], [], "o-", color=plots.colour(name), label=f"{words}, {len(runs)} seeds")
    ax.set(xlabel="epoch  (MNIST, one variable of ten values; lower is better)", ylabel="test −ELBO, nats",
           xlim=(0.7, epochs + 0.3), ylim=(160, 222))
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.legend(loc="upper right", borderaxespad=0)


def seconds(figure: Figure) -> None:
    """Seconds per training step of structured encoders against the number of binary variables."""
    ax = figure.add_axes(slide.WHOLE)
    rows = store().measurements("structured-timing", "batch 100")
    for method, colour, words, place in (
            ("joint Gumbel-softmax", plots.colour("gumbel-softmax"), "a softmax over all $2^n$ values", (15.5, 0.14)),
            ("direct, maxflow", plots.SOLVERS["maxflow"], "two arg maxes by minimum cut", (21, 0.0125))):
        found = [(row["n"], row["seconds"]) for row in rows if row["method"] == method]
        ax.plot(*zip(*found), "o-", color=colour, markersize=11)
        ax.text(*place, words, color=colour, fontsize=26)
    ax.set(yscale="log", xlabel="n binary variables that depend on each other", ylabel="seconds per training step",
           xlim=(3, 42), ylim=(0.004, 0.3))
    ax.set_yticks([0.005, 0.01, 0.02, 0.05, 0.1, 0.2], ["0.005", "0.01", "0.02", "0.05", "0.1", "0.2"])
    ax.minorticks_off()
