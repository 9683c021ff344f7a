"""The command line, `python -m refimpl COMMAND`.

Exit status: 0 done; 1 a claim of `verify` failed; 2 the input cannot be used, with one line that says what, where, and what
is allowed; 130 stopped with Ctrl-C.
"""
from __future__ import annotations

import argparse
import contextlib
import os
import sys
from pathlib import Path

from refimpl import __version__, argmax, commands, data, estimators
from refimpl.checks import InputError


EXPERIMENTS = ("binary", "joint", "structured", "latent-sizes", "convergence", "semi-supervised", "labelled-terms")


class Parser(argparse.ArgumentParser):
    """argparse with its errors in one line: the usage stays with --help."""

    def error(self, message: str):
        self.exit(2, f"{self.prog}: error: {message} (see {self.prog} --help)\n")


def main(arguments: list[str] | None = None) -> int:
    """Run a command; returns the exit status."""
    options = _parser().parse_args(arguments)
    for stream in (sys.stdout, sys.stderr):     # a terminal that knows no ± gets a question mark
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    try:
        status = options.run(options)
        sys.stdout.flush()
        return status
    except InputError as problem:
        message, status = f"error: {problem}", 2
    except MemoryError:
        message, status = "error: there is not enough memory for this; use a smaller --k, --n, --hidden or --batch", 2
    except KeyboardInterrupt:
        message, status = f"stopped{options.after_stop}", 130
    except BrokenPipeError:                     # the reader of a pipe has gone, as with `| head`
        _discard_output()
        return 141
    except OSError as problem:                  # a path too long, a disk full, standard output closed
        message, status = f"error: {f'{problem.filename}: ' if problem.filename else ''}{problem.strerror or problem}", 2
        _discard_output()
    if sys.stderr is not None:
        print(f"refimpl {options.command}: {message}", file=sys.stderr)
    return status


def _discard_output() -> None:
    """Send what is still in the buffer of standard output nowhere: it cannot be written, and must not complain at exit."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class Help(argparse.ArgumentDefaultsHelpFormatter):
    """--help with the defaults, where there are any."""

    def _get_help_string(self, action: argparse.Action) -> str:
        return action.help if action.default is None else super()._get_help_string(action)


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog="refimpl", description="Direct optimisation through arg max, checked and trained in NumPy.")
    parser.add_argument("--version", action="version", version=f"refimpl {__version__}")
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=Parser)

    def command(name: str, run, summary: str, after_stop: str = "") -> argparse.ArgumentParser:
        added = subparsers.add_parser(name, help=summary, description=summary,
                                    formatter_class=Help)
        added.set_defaults(run=run, after_stop=after_stop)
        return added

    quickstart = command("quickstart", commands.quickstart,
                         "verify the theorems, then train on real MNIST: under a minute", "; the same command continues")
    quickstart.add_argument("--out", type=Path, default=Path("runs/quickstart"), help="folder for the pictures and the run")

    verify = command("verify", commands.verify, "every claim of the mathematics: exact value, sampled value, verdict")
    verify.add_argument("--k", type=int, default=6, help="number of values of z, 2 ... 50")
    verify.add_argument("--seed", type=int, default=0, help="of the problem and of the noise")
    verify.add_argument("--samples", type=int, default=200_000, help="draws of the noise")
    verify.add_argument("--out", type=Path, default=Path("runs/verify"), help="folder for theorem1.png")

    train = command("train", commands.train, "train a discrete variational auto-encoder", "; continue with --resume")
    train.add_argument("--dataset", choices=data.NAMES, default="mnist", help="images to train on")
    train.add_argument("--estimator", choices=list(estimators.REGISTRY), default="direct", help="gradient of the encoder")
    train.add_argument("--n", type=int, default=1, help="number of latent variables")
    train.add_argument("--k", type=int, default=10, help="values of each latent variable")
    train.add_argument("--epochs", type=int, default=10, help="epochs in all, those already done included")
    train.add_argument("--batch", type=int, default=100, help="images a step")
    train.add_argument("--lr", type=float, default=1e-3, help="Adam's learning rate")
    train.add_argument("--hidden", type=int, default=300, help="width of both hidden layers")
    train.add_argument("--eps", type=float, help="of direct, constant, in 1/nat (default: "
                       f"{estimators.get('direct').default})")
    train.add_argument("--tau", type=float, help="of Gumbel-softmax, constant (default: "
                       f"{estimators.get('gumbel-softmax').default})")
    train.add_argument("--kl-grad", action=argparse.BooleanOptionalAction,
                       help="whether the KL term takes part in the gradient (default: it does)")
    train.add_argument("--as-released", action="store_true",
                       help="as the authors' code: eps or tau falls from 1 to 0.1, and direct has no KL gradient")
    train.add_argument("--structure", choices=["pairwise"], help="pair scores in the encoder; needs --k 2 and --n above 1")
    train.add_argument("--solver", choices=list(argmax.REGISTRY), help="arg max of a structured encoder (default: maxflow)")
    train.add_argument("--non-negative", action=argparse.BooleanOptionalAction,
                       help="pair scores through a softplus (default: yes, but for milp)")
    train.add_argument("--exact-every", type=int, default=5,
                       help="with more than 1,024 joint values: epochs between exact test bounds")
    train.add_argument("--seed", type=int, default=0, help="of weights, order and noise")
    train.add_argument("--limit", type=int, help="use only the first LIMIT images of each part")
    train.add_argument("--data-dir", type=Path, help="folder to look for data in first; Omniglot needs it")
    train.add_argument("--out", type=Path, help="folder for the run (default: runs/DATASET-ESTIMATOR-kK-seedSEED, or …-nN-kK-…)")
    train.add_argument("--resume", action="store_true", help="continue the run in --out")

    semi = command("semi-supervised", commands.semi_supervised,
                   "train the mixture model, a class and a Gaussian, with a few labels (slide 33)", "; continue with --resume")
    semi.add_argument("--dataset", choices=data.NAMES, default="mnist", help="images to train on; Omniglot has no labels")
    semi.add_argument("--labels", type=int, default=100, help="labelled images, as many of each class; 0: clustering")
    semi.add_argument("--estimator", choices=["direct", "gumbel-softmax", "exact"], default="direct",
                      help="gradient of the class's scores")
    semi.add_argument("--epochs", type=int, default=60, help="epochs over all images, those already done included")
    semi.add_argument("--pretrain", type=int, default=1200, help="epochs over the labelled images alone, before the first")
    semi.add_argument("--labelled-term", choices=["cross-entropy", "released", "direct-loss"],
                      help="what a label teaches the class's scores (default: cross-entropy)")
    semi.add_argument("--label-eps", type=float, default=0.05, help="of the terms released and direct-loss")
    semi.add_argument("--label-weight", type=float, help="weight of that term after the pretraining (default: 50)")
    semi.add_argument("--image-weight", type=float,
                      help="weight of the labelled images as images of a known class, after the pretraining (default: 0.2)")
    semi.add_argument("--label-batch", type=int, default=50, help="labelled images beside each batch")
    semi.add_argument("--shift", type=int, help="pixels that labelled images are moved by, at most, anew each time (default: 3)")
    semi.add_argument("--beta", type=float, help="weight of the Gaussian's KL term at the start; it goes to 1 (default: 5)")
    semi.add_argument("--beta-epochs", type=int, default=20, help="epochs in which it does")
    semi.add_argument("--gaussian", type=int, default=30, help="dimension of the Gaussian")
    semi.add_argument("--batch", type=int, default=100, help="images a step")
    semi.add_argument("--lr", type=float, default=8e-4, help="Adam's learning rate")
    semi.add_argument("--eps", type=float, help=f"of direct, constant, in 1/nat (default: {estimators.get('direct').default})")
    semi.add_argument("--tau", type=float, help=f"of Gumbel-softmax, constant (default: {estimators.get('gumbel-softmax').default})")
    semi.add_argument("--kl-grad", action=argparse.BooleanOptionalAction,
                      help="whether the class's KL term takes part in the gradient (default: it does)")
    semi.add_argument("--as-released", action="store_true",
                      help="the authors' recipe: no labels after the pretraining, released labelled term, eps or tau from 1 down")
    semi.add_argument("--seed", type=int, default=0, help="of weights, labelled images, order and noise")
    semi.add_argument("--limit", type=int, help="use only the first LIMIT images of each part")
    semi.add_argument("--data-dir", type=Path, help="folder to look for data in first")
    semi.add_argument("--out", type=Path, help="folder for the run (default: runs/semi-supervised-DATASET-ESTIMATOR-LABELS-seedSEED)")
    semi.add_argument("--resume", action="store_true", help="continue the run in --out")

    compare = command("compare", commands.compare, "test bounds of several runs in one picture (slides 23 and 24)")
    compare.add_argument("runs", nargs="+", type=Path, metavar="DIR", help="folder of a run")
    compare.add_argument("--out", type=Path, required=True, metavar="FILE.png", help="the picture")

    codes = command("codes", commands.codes, "which latent values a trained model uses, at the start and now")
    codes.add_argument("folder", type=Path, metavar="DIR", help="folder of a run")
    codes.add_argument("--images", type=int, default=2_000, help="test images to draw a z for")
    codes.add_argument("--data-dir", type=Path, help="folder to look for data in first; Omniglot needs it")

    variance = command("variance", commands.variance, "noise of the encoder gradient against eps and tau (slide 21)")
    variance.add_argument("--run", dest="folder", type=Path, metavar="DIR",
                          help="take the model of this run; without it one is trained by direct for one epoch")
    variance.add_argument("--dataset", choices=data.NAMES, default="mnist", help="without --run: images to train on")
    variance.add_argument("--k", type=int, default=10, help="without --run: number of values of z")
    variance.add_argument("--seed", type=int, default=0, help="of the noise, and of the model without --run")
    variance.add_argument("--samples", type=int, default=100, help="draws of the noise a point, 2 ... 1000")
    variance.add_argument("--batch", type=int, default=100, help="images in the batch")
    variance.add_argument("--data-dir", type=Path, help="folder to look for data in first")
    variance.add_argument("--out", type=Path, default=Path("runs/variance"), help="folder for variance.png and variance.csv")

    compared = command("estimators", commands.estimators, "every gradient estimator against enumeration: bias, variance, cost")
    compared.add_argument("--n", type=int, default=4, help="latent variables, 1 ... 12")
    compared.add_argument("--k", type=int, default=2, help="values of each")
    compared.add_argument("--samples", type=int, default=400_000, help="draws of each estimator")
    compared.add_argument("--seed", type=int, default=0, help="of the toy and of the noise")
    compared.add_argument("--out", type=Path, default=Path("runs/estimators"), help="folder for estimators.png")

    both = command("joint-argmax", commands.joint_argmax,
                   "what the coordinate-wise arg max loses against the joint one (slides 29 and 30)")
    both.add_argument("--n", type=int, default=8, help="binary latent variables, 2 ... 12")
    both.add_argument("--dataset", choices=data.NAMES, default="mnist", help="images to train on for one epoch")
    both.add_argument("--seed", type=int, default=0, help="of the model and of the noise")
    both.add_argument("--samples", type=int, default=400, help="draws of the noise at each eps")
    both.add_argument("--batch", type=int, default=50, help="images in the batch")
    both.add_argument("--data-dir", type=Path, help="folder to look for data in first; Omniglot needs it")

    timing = command("structured-timing", commands.structured_timing,
                     "seconds a step of structured encoders against n (slide 32)")
    timing.add_argument("--batch", type=int, default=100, help="images a step")
    timing.add_argument("--largest", type=int, default=40, help="largest n, for the polynomial solvers; others stop at 15")
    timing.add_argument("--out", type=Path, default=Path("runs/structured-timing"), help="folder for the picture and its numbers")

    experiment = command("experiment", commands.experiment, "the paper's comparisons, run by run", "; the same command continues")
    experiment.add_argument("name", choices=list(EXPERIMENTS), help="which one")
    experiment.add_argument("--epochs", type=int, default=10, help="epochs of each run")
    experiment.add_argument("--seeds", type=int, default=1, help="seeds 0 ... SEEDS-1 of each run")
    experiment.add_argument("--dataset", nargs="+", choices=data.NAMES, help="instead of those of the paper")
    experiment.add_argument("--only", nargs="+", metavar="LABEL", help="only the runs of these labels, as the tables name them")
    experiment.add_argument("--jobs", type=int, default=1, help="runs at a time, 1 or 2")
    experiment.add_argument("--data-dir", type=Path, help="folder to look for data in first; Omniglot needs it")
    experiment.add_argument("--out", type=Path, help="folder for runs, NAME.csv, NAME.json and NAME.png (default: "
                            "runs/experiment-NAME)")

    runs = command("tutorial-runs", commands.tutorial_runs, "train the small runs that the tutorials load, into tutorials/runs")
    runs.add_argument("names", nargs="*", metavar="NAME", help="only these")

    benchmark = command("benchmark", commands.benchmark, "seconds a step, beside the matrix products it cannot avoid")
    benchmark.add_argument("--batch", type=int, default=100, help="images a step")
    benchmark.add_argument("--steps", type=int, default=30, help="steps a round")
    benchmark.add_argument("--rounds", type=int, default=7, help="rounds, of which the median counts")
    return parser
