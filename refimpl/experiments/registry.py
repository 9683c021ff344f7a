"""List the experiments with their runs and their pictures.  Run an experiment, or continue it."""
from __future__ import annotations

import functools
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib.figure import Figure

from refimpl import data, plots
from refimpl.arguments import InputError, unknown
from refimpl.experiments import columns, options
from refimpl.experiments.faces import experiment as faces_experiment
from refimpl.experiments.jigsaw import experiment as jigsaw
from refimpl.experiments.jigsaw.runs import train as train_jigsaws
from refimpl.experiments.records import Record
from refimpl.experiments.training import cells, panels, runs_by_slide, semi_supervised
from refimpl.experiments.training.cells import Cell
from refimpl.system.files import output_folder

Runs = dict[Cell, list[dict[str, float]]]


def _train(name: str, wanted: Sequence[Cell], every: Sequence[Cell], epochs: int, folder: Path, jobs: int,
           data_dir: str | None, report: Callable[[str], None]) -> tuple[Runs, list[Record]]:
    cells.run_cells(wanted, epochs, folder, jobs, data_dir, report)
    runs = cells.collect([cell for cell in every if (folder / cell.folder).is_dir()], folder)
    return runs, cells.write_results(runs, folder, name)


@dataclass(frozen=True)
class Experiment:
    name: str
    summary: str
    datasets: tuple[str, ...]
    merit: str
    """The column by which the runs are compared after the last epoch."""
    make: Callable[[str, int], list[Cell]]
    """Returns the cells (runs) for a data set and a seed."""
    draw: Callable[[Sequence[Record], str], Figure]
    """Plots the records of the runs.  The string is the title of the picture."""
    lines: Callable[[Runs, int], list[str]] | None = None
    """Returns the lines of the printed table.  By default, the table lists minus `merit`, and the best comes first."""
    further: Callable[[Runs, Path], dict[str, Figure]] = lambda runs, folder: {}
    """Makes more pictures from the runs and their folder.  Returns the figures by file name."""
    measure: Callable[[Runs, Path, str | None, Callable[[str], None]], None] = lambda *arguments: None
    """Measures the trained runs and writes rows into their folder.  Arguments: runs, folder, data_dir and report."""
    train: Callable[..., tuple[Runs, list[Record]]] = _train
    """Trains the cells.  This function has the arguments and the result of _train."""

    def table(self, runs: Runs, epoch: int) -> list[str]:
        if self.lines is not None:
            return self.lines(runs, epoch)
        words = {"test_elbo": "Test -ELBO", "test_log_likelihood": "Test -log p(x)",
                 "valid_elbo": "Validation -ELBO"}[self.merit]
        made = [f"{words} after {epoch} epoch{'s' * (epoch != 1)}, nats per image: mean over seeds ± 95 % interval"]
        for dataset, label, seeds, mean, half in cells.table(runs, epoch, self.merit):
            made.append(f"  {dataset:14s} {label:28s} {mean:8.2f}" + ("" if math.isnan(half) else f" ± {half:.2f}")
                        + f"  ({seeds} seed{'s' * (seeds > 1)})")
        return made


ALL = ("mnist", "fashion-mnist", "omniglot")
REGISTRY = {entry.name: entry for entry in (
    Experiment("binary", "slide 31: n = 15 binary variables, every estimator", ("fashion-mnist", "mnist"), "test_elbo",
               runs_by_slide.binary, panels.binary),
    Experiment("joint", "slides 29 and 30: coordinate-wise and joint arg max, n = 8 and 12", ("mnist",), "test_elbo",
               runs_by_slide.joint, panels.ranked),
    Experiment("structured", "slide 32: structured encoders", ("fashion-mnist",), "test_log_likelihood",
               runs_by_slide.structured, panels.structured),
    Experiment("latent-sizes", "supplement, figure 1: k = 20, 30, 40, 50", ALL, "test_elbo", runs_by_slide.latent_sizes,
               panels.latent_sizes),
    Experiment("convergence", "slides 23 and 24: k = 10 and 50", ALL, "test_elbo", runs_by_slide.convergence,
               panels.convergence),
    Experiment("plateau", "why training by direct leaves the plateau: its bias, its noise, or its decoder's sample",
               ALL[:2], "test_elbo", runs_by_slide.plateau, panels.plateau),
    Experiment("plateau-exits", "which half of direct's bias makes training leave the plateau", ALL[:2], "test_elbo",
               runs_by_slide.plateau_exits, panels.plateau_exits),
    Experiment("plateau-tests", "whether training with the capped half leaves the plateau if one setting is changed",
               ALL[:1], "test_elbo", runs_by_slide.plateau_tests, panels.plateau_tests),
    Experiment("tuning", "every method with several settings, to choose the best on the validation part", ALL[:1],
               "valid_elbo", runs_by_slide.tuning,
               functools.partial(panels.ranked, merit="valid_elbo", words="validation -ELBO")),
    Experiment("semi-supervised", "slide 33: a few labels", ("mnist", "fashion-mnist"), "test_elbo",
               semi_supervised.by_labels, semi_supervised.draw, semi_supervised.lines, semi_supervised.grids),
    Experiment("labelled-terms", "slide 33: 100 labels, with different terms for them in the objective", ("mnist",),
               "test_elbo", semi_supervised.by_term, semi_supervised.draw_terms, semi_supervised.lines),
    Experiment("label-weights", "slide 33: weights of the terms for labels, to choose them on the validation part",
               ("mnist",), "valid_accuracy", semi_supervised.by_weight, functools.partial(
                   panels.ranked, merit="valid_accuracy", words="validation accuracy, %", sign=100.0),
               semi_supervised.lines),
    Experiment("label-steps", "slide 33: different numbers of labels, with the same number of pretraining steps",
               ("mnist",), "test_elbo", semi_supervised.by_steps, semi_supervised.draw, semi_supervised.lines),
    Experiment("faces", "slides 2 and 25: faces, with one binary variable for each attribute", ("faces",), "test_elbo",
               faces_experiment.by_labels, faces_experiment.draw, faces_experiment.lines, faces_experiment.pictures,
               faces_experiment.measure),
    Experiment("jigsaw", "images cut into tiles and put together again by a matching", ALL[:2], "test_tiles",
               jigsaw.make, jigsaw.draw, jigsaw.lines, jigsaw.solved, train=train_jigsaws),
    Experiment("jigsaw-tuning", "jigsaws with every setting that was tried, to choose one on the validation images",
               ALL[:1], "valid_tiles", jigsaw.grid, functools.partial(
                   panels.ranked, merit="valid_tiles", words="validation tiles that are right, %", sign=100.0),
               jigsaw.lines, train=train_jigsaws),
)}

# Maps a measurement to the experiment whose runs it measures.  Experiments with special columns map to themselves.
CELLS_OF = {"plateau-steps": "plateau", "plateau-forces": "plateau-exits", "faces-switch": "faces",
            "jigsaw": "jigsaw", "jigsaw-tuning": "jigsaw-tuning"}


@functools.cache
def settings_of(name: str, dataset: str, seed: int) -> dict[str, dict[str, object]]:
    """Return the settings of every run of an experiment or a measurement, by label."""
    experiment = REGISTRY.get(CELLS_OF.get(name, name))
    made = experiment.make(dataset, seed) if experiment and dataset in data.REGISTRY else []
    return {cell.label: cell.settings.as_dict() for cell in made}


def require(name: str, dataset: str | None = None, label: str | None = None) -> None:
    """Raise ValueError if there is no experiment `name`, or if the experiment has no label `label`."""
    table = columns.TABLES.get(name) if name not in CELLS_OF else None
    if table is None and name not in REGISTRY and name not in CELLS_OF:
        raise ValueError(f"{name!r} is not an experiment")
    known = {} if table else settings_of(name, dataset or REGISTRY[CELLS_OF.get(name, name)].datasets[0], 0)
    if label is not None and label not in known and not (table and re.fullmatch(table.label, label)):
        raise ValueError(f"{name} has no label {label!r}" + (f"; there are {'; '.join(known)}" if known else ""))


def check(record: Record) -> None:
    """Raise InputError if the record does not have the label and the settings of a run of its experiment."""
    if record.experiment in columns.TABLES and record.experiment not in CELLS_OF:
        return
    known = settings_of(record.experiment, record.dataset, record.seed)
    if record.label not in known:
        raise InputError(f"{record.file} is not a run of {record.experiment} on {record.dataset!r}"
                         + (f"; there are {'; '.join(known)}" if known else ""))
    wanted = known[record.label]
    names = [name for name, value in wanted.items() if value is not None] if record.experiment != "faces-switch" else []
    differing = [name for name in dict.fromkeys((*names, *record.settings))
                 if name in wanted and (name not in record.settings or record.settings[name] != wanted[name])]
    if differing:
        raise InputError(f"the settings of {record.file} are not those of {record.label!r}: {', '.join(differing)}")


def run(name: str, epochs: int, seeds: int, out: Path, jobs: int = 1, datasets: Sequence[str] | None = None,
        data_dir: str | None = None, report: Callable[[str], None] = print, only: Sequence[str] | None = None) -> Runs:
    """Run or continue an experiment, and write NAME.csv, NAME.png and rows/ into `out`.

    If `only` is given, it lists the labels of the runs to train.  Runs that already have `epochs` epochs are skipped.
    The pictures show all runs in the folder.  Raises InputError for a bad argument.
    """
    experiment = REGISTRY[name]
    options.check("experiment", epochs=epochs, seeds=seeds, jobs=jobs)
    datasets = list(datasets or experiment.datasets)
    wanted = [cell for dataset in datasets for seed in range(seeds) for cell in experiment.make(dataset, seed)]
    for dataset in datasets:
        data.load(dataset, data_dir)                            # if data are missing, stop before anything is made
    if only:
        known = list(dict.fromkeys(cell.label for cell in wanted))
        for label in only:
            if label not in known:
                raise InputError(unknown(f"label of {name}", label, known))
        wanted = [cell for cell in wanted if cell.label in only]
    folder = output_folder(out)
    report(f"{name}: {len(wanted)} run{'s' * (len(wanted) != 1)} of {epochs} epoch{'s' * (epochs != 1)}; "
           "you can stop it at any time and continue with the same command")
    there = sorted({int(path.name.rpartition("-seed")[2]) for path in folder.glob("*-seed*")
                    if path.name.rpartition("-seed")[2].isdecimal()} | set(range(seeds)))
    every = [cell for dataset in dict.fromkeys((*experiment.datasets, *datasets)) for seed in there
             for cell in experiment.make(dataset, seed)]
    runs, records = experiment.train(name, wanted, every, epochs, folder, jobs, data_dir, report)
    experiment.measure(runs, folder, data_dir, report)
    with plots.may_fail(folder / f"{name}.png"):
        plots.save(experiment.draw(records, experiment.summary), folder / f"{name}.png")
        for file, figure in experiment.further(runs, folder).items():
            plots.save(figure, folder / file)
    return runs
