"""Define the commands.  Other files declare the options of runs and of experiments (see cli/options.py)."""
from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

from refimpl import __version__, data
from refimpl.cli import commands, measurements
from refimpl.cli.options import add_settings, number, numbers
from refimpl.cli.subcommands import PROGRAM, Commands, Parser
from refimpl.runs import KINDS
from refimpl.system.commit import ROOT
from refimpl.system.files import folder_name

EXPERIMENTS = ("binary", "joint", "structured", "latent-sizes", "convergence", "plateau", "plateau-exits",
               "plateau-tests", "tuning", "semi-supervised", "labelled-terms", "label-weights", "label-steps", "faces",
               "jigsaw", "jigsaw-tuning")
SEE, TRAIN, COMPARE, PAPER, KEEP = ("See it", "Train it", "Compare it", "Reproduce the paper's figures",
                                    "For maintainers")
SAVED = "file for the picture; its suffix, .png, .pdf or .svg, chooses the format"
OVERWRITES = "overwrite these files, which the repository tracks"


def _add_data_dir(parser: Parser) -> None:
    parser.add_argument("--data-dir", type=folder_name,
                        help="folder that is searched first for data; Omniglot needs it (default: the environment "
                             "variable REFIMPL_DATA_DIR, if it is set)")


def _add_out(parser: Parser, default: str | None, holds: str) -> None:
    parser.add_argument("--out", type=folder_name, default=default and Path(default), help=f"folder for {holds}")


def _add_scores(parser: Parser, many: str, example: str, otherwise: str) -> None:
    parser.add_argument("--h", type=numbers, metavar=many, help=f"your own encoder scores, together with --f; write "
                        f"--h={example} if the first number is negative (default: {otherwise})")
    parser.add_argument("--f", type=numbers, metavar=many.replace("H", "F"),
                        help=f"your own decoder scores, as many as in --h (default: {otherwise})")


def make_parser() -> argparse.ArgumentParser:
    parser = Parser(prog=PROGRAM, formatter_class=argparse.RawDescriptionHelpFormatter,
                    description="Direct optimisation through arg max, checked and trained in NumPy.")
    parser.add_argument("--version", action="version", version=f"refimpl {__version__}")
    command = Commands(parser, "command").add
    datasets = list(data.REGISTRY)
    any_images = f"{', '.join(datasets)} or FILE{data.own_images.SUFFIX} of your own"

    quickstart = command(SEE, "quickstart", commands.quickstart,
                         "verify the theorems, then train on MNIST; both together take less than a minute",
                         "; the same command continues")
    _add_out(quickstart, "runs/quickstart", "the pictures and the run")

    verify = command(SEE, "verify", commands.verify, "check the mathematics claim by claim, exactly and by sampling",
                     example="--h=0.5,-1,0.2 --f=1,2,0 --eps 0.3 --short")
    _add_scores(verify, "H,H,...", "-1,2", "random scores")
    verify.add_argument("--short", action="store_true", help="print only the five claims that are needed in class")
    _add_out(verify, "runs/verify", "theorem1.png and component.png")

    explore = command(SEE, "explore", commands.explore,
                      "show Theorem 1 for three values of z, in a window with sliders for eps, f and h",
                      example="--save explorer.png")
    _add_scores(explore, "H,H,H", "-1,2,0", "those of the chapters")
    explore.add_argument("--save", type=Path, metavar="FILE", help=f"{SAVED}; with --save no window is opened")

    for kind in KINDS.values():
        trained = command(TRAIN, kind.COMMAND, partial(commands.train, kind), kind.SUMMARY, "; continue with --resume",
                          example=kind.EXAMPLE)
        add_settings(trained, kind.SETTINGS)
        trained.add_argument("--epochs", type=number(int), default=kind.EPOCHS,
                             help="epochs in all, including those already done, at least 1")
        _add_data_dir(trained)
        _add_out(trained, None, "the run (default: a folder below runs/, named after the settings)")
        trained.add_argument("--resume", action="store_true",
                             help="continue the run in --out; its settings are taken from there")

    compare = command(COMPARE, "compare", commands.compare,
                      "draw the test bounds of several runs in one picture (slides 23 and 24)",
                      example="runs/a runs/b --save compared.png")
    compare.add_argument("runs", nargs="+", type=Path, metavar="DIR", help="folder of a run")
    compare.add_argument("--save", type=Path, required=True, metavar="FILE", help=SAVED)

    measure = command(COMPARE, "measure", None, "measure estimators, trained models or times; see `measure --help`",
                      shown="measure NAME")
    _add_measurements(Commands(measure, "name"), datasets, any_images)

    experiment = command(PAPER, "experiment", commands.experiment,
                         "train all runs of one of the paper's comparisons; see `experiment --help`",
                         "; the same command continues", shown="experiment NAME",
                         example="binary --epochs 10 --seeds 3 --only arm direct")
    experiment.add_argument("name", choices=EXPERIMENTS, metavar="NAME",
                            help=f"name of the comparison: {', '.join(EXPERIMENTS)}")
    parser.elsewhere |= {name: f"experiment {name}" for name in EXPERIMENTS if name not in parser.elsewhere}
    experiment.add_argument("--dataset", nargs="+", choices=datasets, metavar="DATASET",
                            help=f"images to train on: {', '.join(datasets)} (default: those listed below)")
    experiment.add_argument("--only", nargs="+", metavar="LABEL",
                            help="only the runs with these labels (default: all, listed below)")
    _add_data_dir(experiment)
    _add_out(experiment, None, "the runs, their rows, NAME.csv and NAME.png (default: runs/experiment-NAME)")
    experiment.late = commands.labels_of_experiments

    make = command(KEEP, "make", None, "make pages, pictures or runs of the repository anew; see `make --help`",
                   shown="make NAME")
    _add_made(Commands(make, "name"))
    return parser


def _add_measurements(measure: Commands, datasets: list[str], any_images: str) -> None:
    command = partial(measure.add, "Estimators, on small problems with a known gradient")
    estimators = command("estimators", measurements.estimators, "bias, variance and cost of every gradient estimator",
                         example="--n 4 --k 2")
    _add_out(estimators, "runs/estimators", "estimators.png and the rows")
    command("choose-eps", measurements.choose_eps,
            "the eps that a rule chooses without the exact gradient, and the best eps", example="--average 1000")

    command = partial(measure.add, "Trained models")
    variance = command("variance", measurements.variance,
                       "noise of the encoder gradient against eps and tau (slide 21)", example="--k 10")
    variance.add_argument("--run", dest="folder", type=folder_name, metavar="DIR", help="folder of the run whose model "
                          "is measured (default: none; a model is trained by direct for one epoch)")
    variance.add_argument("--dataset", default="mnist", help=f"without --run: images to train on, {any_images}")
    _add_out(variance, "runs/variance", "variance.png and variance.csv")

    joint = command("joint-argmax", measurements.joint_argmax,
                    "the coordinate-wise arg max compared with the joint one (slides 29, 30)", example="--n 8")
    joint.add_argument("--dataset", default="mnist", help=f"images to train on for one epoch, {any_images}")
    _add_out(joint, "runs/joint-argmax", "the rows")

    for name, run, default, words, example in (
            ("plateau-steps", measurements.plateau_steps, ["mnist", "fashion-mnist"],
             "gradients and number of used values in the first steps of `experiment plateau`",
             "--dataset mnist --seeds 1"),
            ("plateau-forces", measurements.plateau_forces, ["mnist"],
             "push and pull on the scores of the losing values in `experiment plateau-exits`", "--seeds 1")):
        steps = command(name, run, words, example=example)
        steps.add_argument("--dataset", nargs="+", choices=datasets, default=default, metavar="DATASET",
                           help=f"images to train on: {', '.join(datasets)} (default: {' '.join(default)})")
        _add_out(steps, f"runs/{name}", "the picture and the rows")

    relaxation = command("relaxation", measurements.relaxation,
                         "the bound that Gumbel-softmax maximises at a fixed tau, and the exact bound",
                         example="--epochs 10")
    relaxation.add_argument("--dataset", choices=datasets, default="mnist", metavar="DATASET",
                            help=f"images to train on: {', '.join(datasets)}")
    _add_out(relaxation, "runs/relaxation", "the picture and the rows")

    yardsticks = command("yardsticks", measurements.yardsticks,
                         "the bound of a model, estimates of this bound, and the bound of relaxed samples",
                         example="runs/mnist-direct-k10-seed0")
    yardsticks.add_argument("runs", nargs="+", type=Path, metavar="DIR", help="folder of a run of `train`")
    _add_out(yardsticks, "runs/yardsticks", "the rows")

    codes = command("codes", measurements.codes, "which latent values a model uses, before and after training",
                    example="runs/mnist-direct-k10-seed0")
    codes.add_argument("folder", type=Path, metavar="DIR", help="folder of a run of `train`")
    subset = command("subset", measurements.subset, "the few pixels that suffice to read a digit")
    _add_out(subset, "runs/subset", "the picture and the rows")
    for parser in (variance, joint, yardsticks, codes, subset):
        _add_data_dir(parser)

    command = partial(measure.add, "Times")
    timing = command("structured-timing", measurements.structured_timing,
                     "seconds per step of structured encoders against n (slide 32)", example="--largest 20")
    _add_out(timing, "runs/structured-timing", "the picture and its numbers")
    benchmark = command("benchmark", measurements.benchmark,
                        "milliseconds per step, compared with the step's matrix products alone",
                        example="--rounds 3")
    _add_out(benchmark, "runs/benchmark", "the rows")


def _add_made(make: Commands) -> None:
    command = partial(make.add, "Check tracked files, and overwrite them only with --write")
    report = command("report", commands.report, "all tables and charts of README.md and of the pages in tutorials/",
                     example="--write --add runs/experiment-binary")
    report.add_argument("--write", action="store_true", help=f"{OVERWRITES}; without --write no file "
                        "changes, and the exit status is 1 if a file is not up to date")
    report.add_argument("--add", nargs="+", type=folder_name, default=[], metavar="DIR",
                        help="first add the rows in these folders, made by `experiment` or `measure`, to "
                             "tutorials/rows; needs --write")
    report.add_argument("--root", type=folder_name, default=ROOT,
                        help="folder of README.md and tutorials/ (default: that of this package)")

    runs = command("tutorial-runs", commands.tutorial_runs, "the small trained runs that the tutorials load")
    runs.add_argument("names", nargs="*", metavar="NAME", help="only these runs (default: all)")
    runs.add_argument("--write", action="store_true",
                      help=f"train the runs and {OVERWRITES}; without it they are only listed")

    functions = command("functions", commands.functions, "the page of the public functions, tutorials/functions.md")
    functions.add_argument("--write", action="store_true", help=f"{OVERWRITES}; without it the page is only printed")

    page = command("commands", commands.reference, "the page of the commands and estimators, tutorials/commands.md")
    page.add_argument("--write", action="store_true", help=f"{OVERWRITES}; without it the page is only printed")

    lecture = command("lecture", commands.lecture, "the pages that a lecturer shows, tutorials/lecture/lecture.pdf")
    lecture.add_argument("--write", action="store_true", help=f"draw the pages and {OVERWRITES}; "
                         "without it the pages are only listed")

    sheet = make.add("Write a file that you name", "faces-sheet", commands.faces_sheet,
                     "a picture of the drawn faces with every combination of attributes", example="--save faces.png")
    sheet.add_argument("--save", type=Path, required=True, metavar="FILE", help=SAVED)
