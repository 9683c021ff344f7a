"""Train the jigsaw networks.

In each epoch, 10,000 images are chosen from the first 40,000 training images, and the tiles of each image are shuffled.
In the runs without labels, f is the log-likelihood of the picture under a mixture model.  This model is fitted to all
training images except the first 40,000.  The file state.npz contains all that is needed to continue a run.
"""
from __future__ import annotations

import functools
import json
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from refimpl import data
from refimpl.arguments import InputError
from refimpl.experiments.jigsaw import gradients, tiles
from refimpl.experiments.jigsaw.gradients import Puzzle
from refimpl.experiments.jigsaw.network import Scorer
from refimpl.experiments.jigsaw.objectives import Likelihood, Mixture, Places, best
from refimpl.experiments.records import Record, read, write
from refimpl.experiments.training.cells import Cell
from refimpl.nn.adam import Adam
from refimpl.system.commit import commit, threads
from refimpl.system.files import locked, output_folder, read_arrays, write_whole

FILE, FOREIGN = "state.npz", "is truncated, damaged, or not a jigsaw's run"
SHUFFLED, EPOCH, TESTED = 40_000, 10_000, 2_000
BATCH, HIDDEN, COMPONENTS = 100, 64, 10
SHUFFLES, FITTING = 12, 13                              # seeds for the tested jigsaws and for fitting the mixture
COLUMNS = ("epoch", "valid_tiles", "valid_images", "test_tiles", "test_images", "chance", "seconds", "f", "f_truth",
           "f_best", "best_tiles", "best_images")
Row = dict[str, float]


@dataclass(frozen=True)
class JigsawSettings:
    """All settings that determine a run, except for the number of epochs."""

    dataset: str
    seed: int
    side: int
    method: str
    lr: float
    eps: float | None = None
    tau: float | None = None
    by_place: bool = False
    """If False, f also counts a tile as correct at the place of another tile with the same pixels."""
    labels: bool = True
    """If True, f is the number of correct tiles.  If False, f is the log-likelihood of the picture."""
    draws: int = 1
    """The usual number of draws of the noise is multiplied by this number."""

    def as_dict(self) -> dict[str, object]:
        return dict(vars(self))


class Tested(NamedTuple):
    """Holds the jigsaws that every run solves after each epoch."""

    tiles: np.ndarray
    y: np.ndarray
    right: np.ndarray

    @classmethod
    def of(cls, part: data.Part, side: int) -> Tested:
        whole = tiles.cut(part.images(slice(0, TESTED)), side)
        shuffled, y = tiles.shuffle(whole, np.random.default_rng(SHUFFLES))
        return cls(shuffled, y, tiles.right(shuffled, y))

    def shares(self, z: np.ndarray) -> tuple[float, float]:
        count = (self.right * z).sum(axis=(1, 2))
        return float(count.mean() / z.shape[1]), float((count == z.shape[1]).mean())


@functools.lru_cache(maxsize=1)
def mixture_of(dataset: str, data_dir: str | None) -> Mixture:
    whole = data.load(dataset, data_dir).train.images(slice(SHUFFLED, None))
    return Mixture(whole, COMPONENTS, np.random.default_rng(FITTING))


@functools.lru_cache(maxsize=1)
def ceiling(dataset: str, data_dir: str | None, side: int) -> tuple[Likelihood, dict[str, float]]:
    """Return f for the test images, and the best possible results, with which a network can be compared."""
    tested = Tested.of(data.load(dataset, data_dir).test, side)
    f = mixture_of(dataset, data_dir).objective(tested.tiles, side)
    z = best(f)
    shares = dict(zip(("best_tiles", "best_images"), tested.shares(z)))
    return f, {"f_truth": float(f.value(tested.y).mean()), "f_best": float(f.value(z).mean()), **shares}


class JigsawRun:
    def __init__(self, settings: JigsawSettings, data_dir: str | None) -> None:
        self.settings, self.data_dir, side = settings, data_dir, settings.side
        self.dataset, self.rng = data.load(settings.dataset, data_dir), np.random.default_rng(settings.seed)
        if len(self.dataset.train) <= SHUFFLED:
            raise InputError(f"--dataset {settings.dataset} has {len(self.dataset.train):,} training images, and "
                             f"jigsaws need more than {SHUFFLED:,}")
        self.scorer = Scorer((data.SHAPE[0] // side)**2, side**2, HIDDEN)
        self.scorer.initialise(self.rng)
        self.adam, self.rows = Adam(self.scorer.parameters, settings.lr), []
        self.made_by: dict[str, list] = {"commits": [], "threads": []}      # several if the run is continued
        self.tested = {name: Tested.of(getattr(self.dataset, name), side) for name in ("valid", "test")}
        self.keywords = {name: value for name in ("eps", "tau") if (value := getattr(settings, name)) is not None}
        self.keywords |= {"draws": settings.draws} if settings.draws > 1 else {}

    def puzzle(self, shuffled: np.ndarray, y: np.ndarray) -> Puzzle:
        settings = self.settings
        if not settings.labels:
            return Puzzle(mixture_of(settings.dataset, self.data_dir).objective(shuffled, settings.side), None)
        return Puzzle(Places(y if settings.by_place else tiles.right(shuffled, y)), y)

    def step(self, x: np.ndarray) -> None:
        shuffled, y = tiles.shuffle(tiles.cut(x, self.settings.side), self.rng)
        scores = self.scorer.run(shuffled)
        up = gradients.METHODS[self.settings.method](scores.theta, self.puzzle(shuffled, y), self.rng, **self.keywords)
        self.scorer.parameters.zero_grads()
        scores.backward(up, -1 / len(x))                                    # Adam goes downhill, `up` points uphill
        self.adam.step()

    def epoch(self) -> None:
        chosen, started = self.rng.choice(SHUFFLED, EPOCH, replace=False), time.process_time()
        for start in range(0, EPOCH, BATCH):
            self.step(self.dataset.train.images(chosen[start:start + BATCH]))
        seconds = time.process_time() - started + (self.rows[-1]["seconds"] if self.rows else 0)
        row = dict.fromkeys(COLUMNS, np.nan) | {"epoch": len(self.rows) + 1.0, "seconds": seconds}
        for name, tested in self.tested.items():
            z = self.solve(tested.tiles)
            row[f"{name}_tiles"], row[f"{name}_images"] = tested.shares(z)
        row["chance"] = float(self.tested["test"].right.mean())
        if not self.settings.labels:
            f, reached = ceiling(self.settings.dataset, self.data_dir, self.settings.side)
            row |= {"f": float(f.value(z).mean()), **reached}
        self.rows.append(row)
        for name, now in (("commits", commit()), ("threads", threads())):
            self.made_by[name] += [now] * (now not in self.made_by[name][-1:])

    def solve(self, shuffled: np.ndarray) -> np.ndarray:
        """Return an array of shape (B, N, N): for each jigsaw, the matching with the largest score without noise."""
        return gradients.matchings(shuffled.shape[1]).argmax(self.scorer.run(shuffled).theta)

    def save(self, path: Path) -> None:
        adam, rows = self.adam, np.array([list(row.values()) for row in self.rows])
        content = {"settings": json.dumps(self.settings.as_dict()), "values": adam.parameters.values, "M": adam.M,
                   "V": adam.V, "t": adam.t, "rng": json.dumps(self.rng.bit_generator.state),
                   "made_by": json.dumps(self.made_by), "rows": rows}
        write_whole(path, lambda stream: np.savez(stream, **content))

    @classmethod
    def load(cls, path: Path, settings: JigsawSettings, data_dir: str | None) -> JigsawRun:
        """Load the run.  Raises InputError if the file is missing or damaged, or if it has other settings."""
        found, run = read_arrays(path, "is missing", FOREIGN), cls(settings, data_dir)
        try:
            if json.loads(str(found["settings"])) != settings.as_dict():
                raise InputError(f"{path} holds a run with other settings; choose another --out")
            for target, name in ((run.scorer.parameters.values, "values"), (run.adam.M, "M"), (run.adam.V, "V")):
                if (found[name].shape, found[name].dtype) != (target.shape, target.dtype):
                    raise ValueError
                if not np.isfinite(found[name]).all():
                    raise ValueError
                target[...] = found[name]
            run.adam.t, run.rng.bit_generator.state = int(found["t"]), json.loads(str(found["rng"]))
            made_by = json.loads(str(found["made_by"]))
            run.made_by = {name: list(made_by[name]) for name in run.made_by}
            run.rows = [dict(zip(COLUMNS, row, strict=True)) for row in found["rows"].astype(float).tolist()]
            done = len(run.rows)
            if [row["epoch"] for row in run.rows] != [*range(1, done + 1)] or not (run.adam.V >= 0).all():
                raise ValueError
            if run.adam.t != done * math.ceil(EPOCH / BATCH):           # one step for each batch
                raise ValueError
        except InputError:
            raise
        except (KeyError, ValueError, TypeError, OverflowError, RecursionError):
            raise InputError(f"{path} {FOREIGN}") from None
        return run


def opened(cell: Cell, out: Path, data_dir: str | None) -> JigsawRun:
    path = out / cell.folder / FILE
    return JigsawRun.load(path, cell.settings, data_dir) if path.exists() else JigsawRun(cell.settings, data_dir)


def train(name: str, wanted: Sequence[Cell], every: Sequence[Cell], epochs: int, out: Path, jobs: int,
          data_dir: str | None, report: Callable[[str], None]) -> tuple[dict[Cell, list[Row]], list[Record]]:
    if jobs != 1:
        raise InputError(f"--jobs must be 1 for {name}, whose runs are trained one after the other, got {jobs}")

    def record(cell: Cell, rows: Sequence[Row] = (), commits: Sequence[str] = (),
               threads: Sequence[int] = ()) -> Record:
        return Record(name, cell.label, cell.settings.as_dict(), tuple(commits), list(rows), tuple(threads))

    for cell in wanted:
        folder = output_folder(out / cell.folder)
        with locked(folder):
            run = opened(cell, out, data_dir)
            if len(run.rows) >= epochs and (out / "rows" / record(cell).file).exists():
                continue
            while len(run.rows) < epochs:
                run.epoch()
                run.save(folder / FILE)
        write(out / "rows", record(cell, run.rows, **run.made_by))
        last = run.rows[-1]
        report(f"{cell.settings.dataset}, {cell.label}, seed {cell.settings.seed}: {last['test_tiles']:.1%} of the "
               f"tiles and {last['test_images']:.1%} of the test images are right, {last['seconds']:.0f} s")
    files = {cell: out / "rows" / record(cell).file for cell in every if (out / cell.folder).is_dir()}
    there = {cell: read(file) for cell, file in files.items() if file.exists()}     # interrupted runs have no file
    return {cell: record.rows for cell, record in there.items()}, list(there.values())
