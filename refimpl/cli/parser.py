"""Every command and its options, by what a person wants.  Those of a kind of run are made from its settings: see
options.py."""
from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path

from refimpl import __version__, data
from refimpl.cli import commands
from refimpl.cli.options import add_settings, numbers
from refimpl.runs import KINDS
from refimpl.system.files import folder_name

PROGRAM = "python -m refimpl"
EXPERIMENTS = ("binary", "joint", "structured", "latent-sizes", "convergence", "plateau", "plateau-exits", "tuning",
               "semi-supervised", "labelled-terms", "label-steps", "faces")
REPOSITORY = Path(__file__).resolve().parent.parent.parent
SEE, TRAIN, COMPARE, PAPER, KEEP = ("See it", "Train it", "Compare it", "Make the paper's figures again",
                                    "For whoever maintains it")


class Parser(argparse.ArgumentParser):
    """argparse with its errors in one line: the usage stays with --help, and so does what only --help has time for."""

    late: Callable[[], str] | None = None
    """Makes more text for the end of --help, when it is asked for."""

    def _print_message(self, message: str, file=None) -> None:
        """A closed stream, which is None, takes nothing; argparse would take the other one."""
        if file is not None:
            super()._print_message(message, file)

    def error(self, message: str):
        self.exit(2, f"{self.prog}: error: {message} (see {self.prog} --help)\n")

    def format_help(self) -> str:
        return super().format_help() + ("\n" + self.late() if self.late else "")


class Help(argparse.ArgumentDefaultsHelpFormatter):
    """--help with the defaults, where there are any."""

    def _get_help_string(self, action: argparse.Action) -> str:
        return action.help if action.default is None or action.default is False else super()._get_help_string(action)


def _overview(groups: dict[str, list[tuple[str, str]]]) -> str:
    """The commands, a line each, below what they are for."""
    return "\n\n".join("\n".join([f"{title}:", *(f"  {name:18s} {summary}" for name, summary in entries)])
                       for title, entries in groups.items())


def make_parser() -> argparse.ArgumentParser:
    parser = Parser(prog=PROGRAM, formatter_class=argparse.RawDescriptionHelpFormatter, usage=f"{PROGRAM} COMMAND ...",
                    description="Direct optimisation through arg max, checked and trained in NumPy.")
    parser.add_argument("--version", action="version", version=f"refimpl {__version__}")
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=Parser,
                                       help=argparse.SUPPRESS, prog=PROGRAM)
    groups: dict[str, list[tuple[str, str]]] = {title: [] for title in (SEE, TRAIN, COMPARE, PAPER, KEEP)}
    datasets = list(data.REGISTRY)
    any_images = f"{', '.join(datasets)} or FILE{data.own.SUFFIX}"

    def command(group: str, name: str, run, summary: str, after_stop: str = "") -> Parser:
        groups[group].append((name, summary))
        added = subparsers.add_parser(name, description=summary, formatter_class=Help,
                                      allow_abbrev=False)       # --no-n is a slip, and not --no-non-negative
        added.set_defaults(run=run, after_stop=after_stop)
        return added

    quickstart = command(SEE, "quickstart", commands.quickstart,
                         "verify the theorems, then train on real MNIST: under a minute",
                         "; the same command continues")
    quickstart.add_argument("--out", type=folder_name, default=Path("runs/quickstart"),
                            help="folder for the pictures and the run")

    verify = command(SEE, "verify", commands.verify, "the mathematics, claim by claim: exact, sampled, verdict")
    verify.add_argument("--k", type=int, default=6, help="number of values of z, 2 ... 50")
    verify.add_argument("--h", type=numbers, metavar="H,H,...",
                        help="encoder scores of your own, with --f; --h=-1,2 where the first is negative")
    verify.add_argument("--f", type=numbers, metavar="F,F,...", help="decoder scores of your own, as many")
    verify.add_argument("--eps", type=float, default=0.5, help="of the sampled claims, 1/nat")
    verify.add_argument("--seed", type=int, default=0, help="of the problem and of the noise")
    verify.add_argument("--samples", type=int, default=200_000, help="draws of the noise")
    verify.add_argument("--short", action="store_true", help="the five lines that a class needs")
    verify.add_argument("--out", type=folder_name, default=Path("runs/verify"),
                        help="folder for theorem1.png and component.png")

    explore = command(SEE, "explore", commands.explore,
                      "a window with sliders: eps, f and h under your own hands, three values of z")
    explore.add_argument("--h", type=numbers, metavar="H,H,H",
                         help="encoder scores of your own, with --f; --h=-1,2,0 where the first is negative")
    explore.add_argument("--f", type=numbers, metavar="F,F,F", help="decoder scores of your own, three too")
    explore.add_argument("--eps", type=float, default=0.3, help="where its slider starts, 0.01 ... 10, 1/nat")
    explore.add_argument("--seed", type=int, default=0, help="of the noise")
    explore.add_argument("--samples", type=int, default=2_000, help="draws of the noise, 10 ... 20000")
    explore.add_argument("--save", type=Path, metavar="FILE",
                         help="draw it into this file, without a window; .png, .pdf or .svg")

    sheet = command(SEE, "faces-sheet", commands.faces_sheet, "examples of the drawn faces, all attributes in a row")
    sheet.add_argument("--rows", type=int, default=8, help="rows, 1 ... 100")
    sheet.add_argument("--out", type=Path, required=True, metavar="FILE",
                       help="the picture; its suffix says the format: .png, .pdf or .svg")

    for kind in KINDS.values():
        trained = command(TRAIN, kind.COMMAND, partial(commands.train, kind), kind.SUMMARY, "; continue with --resume")
        add_settings(trained, kind.SETTINGS)
        trained.add_argument("--epochs", type=int, default=kind.EPOCHS,
                             help="epochs in all, those already done included")
        trained.add_argument("--data-dir", type=folder_name, help="folder to look for data in first; Omniglot needs it")
        trained.add_argument("--out", type=folder_name,
                             help="folder for the run (default: below runs/, named after the settings)")
        trained.add_argument("--resume", action="store_true",
                             help="continue the run in --out; its settings are taken from there")

    codes = command(TRAIN, "codes", commands.codes, "which latent values a trained model uses, at the start and now")
    codes.add_argument("folder", type=folder_name, metavar="DIR", help="folder of a run")
    codes.add_argument("--images", type=int, default=2_000, help="test images to draw a z for")
    codes.add_argument("--data-dir", type=folder_name, help="folder to look for data in first; Omniglot needs it")

    compare = command(COMPARE, "compare", commands.compare,
                      "test bounds of several runs in one picture (slides 23 and 24)")
    compare.add_argument("runs", nargs="+", type=folder_name, metavar="DIR", help="folder of a run")
    compare.add_argument("--out", type=Path, required=True, metavar="FILE",
                         help="the picture; its suffix says the format: .png, .pdf or .svg")

    compared = command(COMPARE, "estimators", commands.estimators,
                       "every gradient estimator against enumeration: bias, variance, cost")
    compared.add_argument("--n", type=int, default=4, help="latent variables, 1 ... 12")
    compared.add_argument("--k", type=int, default=2, help="values of each")
    compared.add_argument("--samples", type=int, default=400_000, help="draws of each estimator")
    compared.add_argument("--seed", type=int, default=0, help="of the toy and of the noise")
    compared.add_argument("--out", type=folder_name, default=Path("runs/estimators"), help="folder for estimators.png")

    choosing = command(COMPARE, "choose-eps", commands.choose_eps,
                       "a rule that chooses eps without the truth, against the best one")
    choosing.add_argument("--samples", type=int, default=1_000, help="estimates that are averaged, 2 ... 100000")
    choosing.add_argument("--problems", type=int, default=50, help="random problems of each kind, 1 ... 1000")
    choosing.add_argument("--seed", type=int, default=0, help="of the problems")

    yardsticks = command(COMPARE, "yardsticks", commands.yardsticks,
                         "one sample, a hundred, relaxed ones, enumeration: the bound of one model")
    yardsticks.add_argument("runs", nargs="+", type=folder_name, metavar="DIR", help="folder of a run of `train`")
    yardsticks.add_argument("--repetitions", type=int, default=10, help="of each sampled bound")
    yardsticks.add_argument("--images", type=int, default=2_000, help="test images")
    yardsticks.add_argument("--data-dir", type=folder_name, help="folder to look for data in first; Omniglot needs it")
    yardsticks.add_argument("--out", type=folder_name, default=Path("runs/yardsticks"), help="folder for the rows")

    experiment = command(PAPER, "experiment", commands.experiment,
                         "the paper's comparisons, run by run", "; the same command continues")
    experiment.add_argument("name", choices=list(EXPERIMENTS), help="which one")
    experiment.add_argument("--epochs", type=int, default=10, help="epochs of each run")
    experiment.add_argument("--seeds", type=int, default=1, help="seeds 0 ... SEEDS-1 of each run")
    experiment.add_argument("--dataset", nargs="+", choices=datasets, help="instead of those of the paper")
    experiment.add_argument("--only", nargs="+", metavar="LABEL", help="only the runs of these labels, listed below")
    experiment.add_argument("--jobs", type=int, default=1,
                            help="runs at a time, each with one thread; 1: one after the other")
    experiment.add_argument("--data-dir", type=folder_name, help="folder to look for data in first; Omniglot needs it")
    experiment.add_argument("--out", type=folder_name,
                            help="folder for runs, rows, NAME.csv and NAME.png (default: runs/experiment-NAME)")
    experiment.late = commands.labels_of_experiments

    variance = command(PAPER, "variance", commands.variance,
                       "noise of the encoder gradient against eps and tau (slide 21)")
    variance.add_argument("--run", dest="folder", type=folder_name, metavar="DIR",
                          help="take the model of this run; without it one is trained by direct for one epoch")
    variance.add_argument("--dataset", default="mnist", help=f"without --run: images to train on, {any_images}")
    variance.add_argument("--k", type=int, default=10, help="without --run: number of values of z")
    variance.add_argument("--seed", type=int, default=0, help="of the noise, and of the model without --run")
    variance.add_argument("--samples", type=int, default=100, help="draws of the noise a point, 5 ... 1000")
    variance.add_argument("--batch", type=int, default=100, help="images in the batch")
    variance.add_argument("--data-dir", type=folder_name, help="folder to look for data in first")
    variance.add_argument("--out", type=folder_name, default=Path("runs/variance"),
                          help="folder for variance.png and variance.csv")

    both = command(PAPER, "joint-argmax", commands.joint_argmax,
                   "what the coordinate-wise arg max loses against the joint one (slides 29, 30)")
    both.add_argument("--n", type=int, default=8, help="binary latent variables, 2 ... 12")
    both.add_argument("--dataset", default="mnist", help=f"images to train on for one epoch, {any_images}")
    both.add_argument("--seed", type=int, default=0, help="of the model and of the noise")
    both.add_argument("--samples", type=int, default=400, help="draws of the noise at each eps")
    both.add_argument("--batch", type=int, default=50, help="images in the batch")
    both.add_argument("--data-dir", type=folder_name, help="folder to look for data in first; Omniglot needs it")
    both.add_argument("--out", type=folder_name, default=Path("runs/joint-argmax"), help="folder for the rows")

    timing = command(PAPER, "structured-timing", commands.structured_timing,
                     "seconds a step of structured encoders against n (slide 32)")
    timing.add_argument("--batch", type=int, default=100, help="images a step")
    timing.add_argument("--largest", type=int, default=40,
                        help="largest n, for the polynomial solvers; others stop at 15")
    timing.add_argument("--out", type=folder_name, default=Path("runs/structured-timing"),
                        help="folder for the picture and its numbers")

    steps = command(PAPER, "plateau-steps", commands.plateau_steps,
                    "the first steps of `experiment plateau`, looked at from inside")
    steps.add_argument("--seeds", type=int, default=5, help="seeds 0 ... SEEDS-1 of each run")
    steps.add_argument("--steps", type=int, default=200, help="training steps of 100 images")
    steps.add_argument("--dataset", nargs="+", choices=datasets, default=["mnist", "fashion-mnist"],
                       help="images to train on")
    steps.add_argument("--out", type=folder_name, default=Path("runs/plateau-steps"),
                       help="folder for the picture and the rows")

    report = command(KEEP, "report", commands.report,
                     "every table and picture of README, results.md and attributes.md, from the rows")
    report.add_argument("--add", nargs="+", type=folder_name, default=[], metavar="DIR",
                        help="first take up the rows below these folders of `experiment` and others")
    report.add_argument("--check", action="store_true", help="change nothing; status 1 if something would change")
    report.add_argument("--root", type=folder_name, default=REPOSITORY, help="folder of README.md and tutorials/")

    runs = command(KEEP, "tutorial-runs", commands.tutorial_runs,
                   "train the small runs that the tutorials load, into tutorials/runs")
    runs.add_argument("names", nargs="*", metavar="NAME", help="only these")

    benchmark = command(KEEP, "benchmark", commands.benchmark,
                        "seconds a step, beside the matrix products it cannot avoid")
    benchmark.add_argument("--batch", type=int, default=100, help="images a step")
    benchmark.add_argument("--steps", type=int, default=30, help="steps a round")
    benchmark.add_argument("--rounds", type=int, default=7, help="rounds, of which the median counts")
    benchmark.add_argument("--out", type=folder_name, default=Path("runs/benchmark"), help="folder for the rows")

    functions = command(KEEP, "functions", commands.functions,
                        "the public functions with their first lines, as in tutorials/functions.md")
    functions.add_argument("--write", action="store_true", help="write that page")
    parser.epilog = _overview(groups)
    return parser
