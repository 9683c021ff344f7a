"""Read and print the stored runs for chapters 6 and 8, and time the solvers of chapter 8."""
from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

import numpy as np

from refimpl.experiments import paper
from refimpl.experiments.training import tutorial_runs
from refimpl.latent.solvers import REGISTRY
from refimpl.report import store

STORE = store.Store.read(tutorial_runs.FOLDER.parent / "rows")
METHODS = "exact", "tilted", "capped", "amplified", "noisy-exact", "direct"
SETTINGS = (0.1, True), (1, True), (0.1, False), (1, False)
FIVE = {"exact, decoder q": "enumeration", "tilted, decoder q": "the mean alone",
        "noisy-exact, decoder q": "the noise alone", "exact, decoder z*": "the decoder alone",
        "tilted, decoder z*": "mean and decoder", "noisy-exact, decoder z*": "noise and decoder",
        "direct, decoder q": "mean and noise", "direct, decoder z*": "direct: all three"}


def exits() -> dict[tuple, list[float]]:
    """Return the test -ELBO after each epoch for the runs of the experiment plateau-exits on MNIST with seed 0.

    The keys are (method, eps, whether the KL gradient is on).
    """
    found = {}
    for record in STORE.select("plateau-exits", "mnist"):
        name, *rest = record.label.split(", ")
        eps = [float(part[4:]) for part in rest if part.startswith("eps ")]
        key = name, eps[0] if eps else None, "no KL" not in rest
        found.setdefault(key, [-row["test_elbo"] for row in record.rows])
    return found


def show_exits(found: Mapping[tuple, Sequence[float]]) -> None:
    """Print the bounds after 3 and after 10 epochs, with one column per setting.  A dash means that there is no run."""
    print("one seed: test -ELBO in nats, after 3 epochs and after 10 epochs")
    heads = [f"{'KL' if kl else 'no KL'}, eps = {eps}" for eps, kl in SETTINGS]
    print(" " * 12, *(f"{head:>18s}" for head in heads))
    for name in METHODS:
        cells = []
        for eps, kl in SETTINGS:
            run = found.get((name, None if name == "exact" else eps, kl))
            cells.append("-" if run is None else f"{run[2]:.1f}   {run[9]:.1f}")
        print(f"{name:12s}", *(f"{cell:>18s}" for cell in cells))


def plateau() -> dict[str, dict[tuple[str, int], tuple[float, ...]]]:
    """Return the test -ELBO of five seeds with the KL gradient and eps = 0.1, by value of FIVE, data set and epoch."""
    cells = ("mnist", 3), ("mnist", 10), ("fashion-mnist", 10)
    return {words: {(dataset, epoch): store.spread(STORE.select("plateau", dataset, name), epoch, "test_elbo").values
                    for dataset, epoch in cells} for name, words in FIVE.items()}


def show_plateau(found: Mapping[str, Mapping[tuple[str, int], Sequence[float]]]) -> None:
    print("\nfive seeds, KL gradient on, eps = 0.1: test -ELBO in nats, median (lowest to highest)")
    heads = " ".join(f"{f'{dataset}, epoch {epoch}':>25s}" for dataset, epoch in found["enumeration"])
    print(" " * 18 + heads)
    for words, cells in found.items():
        assert all(len(values) == 5 for values in cells.values())
        print(f"{words:18s}" + " ".join(f"{f'{np.median(v):.1f} ({min(v):.1f} to {max(v):.1f})':>25s}"
                                        for v in cells.values()))


WORDS = {"exact": "enumeration", "gumbel-softmax": "Gumbel-softmax", "direct as released": "direct, authors' recipe",
         "direct": "direct, KL gradient on", "direct without KL": "direct, no KL gradient",
         "direct with falling eps": "direct, KL, falling eps"}


def published() -> dict[tuple[int, str], store.Spread]:
    """Return the test -ELBO after ten epochs on MNIST for each (k, method).

    The last two methods were run only with k = 50.
    """
    return {(k, name): store.spread(STORE.select("convergence", "mnist", f"{name}, k = {k}"), 10, "test_elbo")
            for k, names in ((10, [*WORDS][:-2]), (50, WORDS)) for name in names}


def show_published(found: Mapping[tuple[int, str], store.Spread]) -> None:
    print("test -ELBO, nats                   paper, 300 epochs   here, 10 epochs: median (lowest to highest)")
    for (k, name), spread in found.items():
        theirs = paper.CONVERGENCE["mnist"][k].get(name, "-")
        print(f"k = {k}   {WORDS[name]:23s} {theirs:>17}   {spread.median:14.1f} ({min(spread.values):.1f} to "
              f"{max(spread.values):.1f}), {len(spread.values)} seeds")


def yardsticks() -> list[dict]:
    """Return the rows with the exact and the sampled -ELBO of three trained models on 2,000 images."""
    return [row for record in STORE.select("yardsticks") for row in record.rows]


def show_yardsticks(rows: Sequence[Mapping]) -> None:
    print(f"\n{'-ELBO, nats':26s}  exact   one sample per image    100 samples   one relaxed         100 relaxed")
    for row in rows:
        relaxed = [f"{row[name]:.2f}" if np.isfinite(row[name]) else "-" for name in ("relaxed_one", "relaxed_hundred")]
        print(f"{row['run'].split(', ')[1]:26s} {row['exact']:.2f} {row['one']:13.2f} ± {row['one_spread']:.2f} "
              f"{row['hundred']:14.2f} {relaxed[0]:>13s} {relaxed[1]:>19s}")


def milliseconds(sizes: Mapping[str, Sequence[int]], rng: np.random.Generator) -> dict[str, list[float]]:
    """Return the time of a hundred arg maxes, in milliseconds, for each solver and each n.

    The shortest of five measurements counts.  milp is slow: it is measured once, with five arg maxes.
    """
    taken: dict[str, list[float]] = {name: [] for name in sizes}
    for name, n in [(name, n) for name, ns in sizes.items() for n in ns]:
        w = rng.exponential(size=(100, n * (n - 1) // 2)) * 2 / n       # each variable's pair scores add up to about 2
        u = rng.normal(size=(100, n)) - (n - 1) / n                         # 0 and 1 are about equally likely
        batch, tries = (5, 1) if name == "milp" else (100, 5)
        seconds = []
        for _ in range(tries):
            started = time.perf_counter()
            REGISTRY[name].argmax(u[:batch], w[:batch])
            seconds.append(time.perf_counter() - started)
        taken[name].append(min(seconds) * 1e3 * 100 / batch)
    return taken


LONG_RUNS = {"exact": "single-exact", "direct, eps = 0.1": "single-direct",
             "direct as released": "single-direct-as-released", "gumbel-softmax, tau = 0.5": "single-gumbel-softmax"}
PAIRS = {"no pairs": "structured-none", "pairs, w >= 0": "structured-non-negative",
         "pairs of any sign": "structured-any-sign"}


def long_runs() -> dict[str, list[dict]]:
    """Return the rows of the four runs of ten epochs in LONG_RUNS."""
    return {words: tutorial_runs.load(name).rows for words, name in LONG_RUNS.items()}


def show_long_runs(found: Mapping[str, Sequence[Mapping]]) -> None:
    for words, rows in found.items():
        print(f"{words:26s} -ELBO {-rows[-1]['test_elbo']:.2f}, -log p(x) {-rows[-1]['test_log_likelihood']:.2f}, "
              f"gap {rows[-1]['gap']:.2f} nats;  -ELBO after each epoch", *(f"{-row['test_elbo']:.0f}" for row in rows))


def structured() -> dict[str, list[float]]:
    """Return -log p(x) after each epoch for the three runs in PAIRS."""
    return {words: [-row["test_log_likelihood"] for row in tutorial_runs.load(name).rows]
            for words, name in PAIRS.items()}
