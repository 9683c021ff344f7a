"""The command line, `python -m refimpl COMMAND`.

Exit status: 0 done; 1 a claim of `verify` failed; 2 the input cannot be used, with one line that says what, where, and what
is allowed; 130 stopped with Ctrl-C.
"""
from __future__ import annotations

import argparse
import contextlib
import math
import os
import sys
from dataclasses import fields
from pathlib import Path

from refimpl import __version__, argmax, data, estimators
from refimpl.checks import InputError
from refimpl.settings import Settings


EXPERIMENTS = ("binary", "joint", "structured", "latent-sizes", "convergence")


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
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=Parser)

    def command(name: str, run, summary: str, after_stop: str = "") -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=summary, description=summary,
                                    formatter_class=Help)
        added.set_defaults(run=run, after_stop=after_stop)
        return added

    quickstart = command("quickstart", _quickstart, "verify the theorems, then train on real MNIST: under a minute",
                         "; the same command continues")
    quickstart.add_argument("--out", type=Path, default=Path("runs/quickstart"), help="folder for the pictures and the run")

    verify = command("verify", _verify, "every claim of the mathematics: exact value, sampled value, verdict")
    verify.add_argument("--k", type=int, default=6, help="number of values of z, 2 ... 50")
    verify.add_argument("--seed", type=int, default=0, help="of the problem and of the noise")
    verify.add_argument("--samples", type=int, default=200_000, help="draws of the noise")
    verify.add_argument("--out", type=Path, default=Path("runs/verify"), help="folder for theorem1.png")

    train = command("train", _train, "train a discrete variational auto-encoder", "; continue with --resume")
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

    compare = command("compare", _compare, "test bounds of several runs in one picture (slides 23 and 24)")
    compare.add_argument("runs", nargs="+", type=Path, metavar="DIR", help="folder of a run")
    compare.add_argument("--out", type=Path, required=True, metavar="FILE.png", help="the picture")

    variance = command("variance", _variance, "noise of the encoder gradient against eps and tau (slide 21)")
    variance.add_argument("--run", dest="folder", type=Path, metavar="DIR",
                          help="take the model of this run; without it one is trained by direct for one epoch")
    variance.add_argument("--dataset", choices=data.NAMES, default="mnist", help="without --run: images to train on")
    variance.add_argument("--k", type=int, default=10, help="without --run: number of values of z")
    variance.add_argument("--seed", type=int, default=0, help="of the noise, and of the model without --run")
    variance.add_argument("--samples", type=int, default=100, help="draws of the noise a point, 2 ... 1000")
    variance.add_argument("--batch", type=int, default=100, help="images in the batch")
    variance.add_argument("--data-dir", type=Path, help="folder to look for data in first")
    variance.add_argument("--out", type=Path, default=Path("runs/variance"), help="folder for variance.png and variance.csv")

    compared = command("estimators", _estimators, "every gradient estimator against enumeration: bias, variance, cost")
    compared.add_argument("--n", type=int, default=4, help="latent variables, 1 ... 12")
    compared.add_argument("--k", type=int, default=2, help="values of each")
    compared.add_argument("--samples", type=int, default=400_000, help="draws of each estimator")
    compared.add_argument("--seed", type=int, default=0, help="of the toy and of the noise")
    compared.add_argument("--out", type=Path, default=Path("runs/estimators"), help="folder for estimators.png")

    both = command("joint-argmax", _joint_argmax, "what the coordinate-wise arg max loses against the joint one (slides 29, 30)")
    both.add_argument("--n", type=int, default=8, help="binary latent variables, 2 ... 12")
    both.add_argument("--dataset", choices=data.NAMES, default="mnist", help="images to train on for one epoch")
    both.add_argument("--seed", type=int, default=0, help="of the model and of the noise")
    both.add_argument("--samples", type=int, default=400, help="draws of the noise at each eps")
    both.add_argument("--batch", type=int, default=50, help="images in the batch")
    both.add_argument("--data-dir", type=Path, help="folder to look for data in first; Omniglot needs it")

    timing = command("structured-timing", _structured_timing, "seconds a step of structured encoders against n (slide 32)")
    timing.add_argument("--batch", type=int, default=100, help="images a step")
    timing.add_argument("--largest", type=int, default=40, help="largest n, for the polynomial solvers; others stop at 15")
    timing.add_argument("--out", type=Path, default=Path("runs/structured-timing"), help="folder for the picture and its numbers")

    experiment = command("experiment", _experiment, "the paper's comparisons, run by run", "; the same command continues")
    experiment.add_argument("name", choices=list(EXPERIMENTS), help="which one")
    experiment.add_argument("--epochs", type=int, default=10, help="epochs of each run")
    experiment.add_argument("--seeds", type=int, default=1, help="seeds 0 ... SEEDS-1 of each run")
    experiment.add_argument("--dataset", nargs="+", choices=data.NAMES, help="instead of those of the paper")
    experiment.add_argument("--jobs", type=int, default=1, help="runs at a time, 1 or 2")
    experiment.add_argument("--data-dir", type=Path, help="folder to look for data in first; Omniglot needs it")
    experiment.add_argument("--out", type=Path, help="folder for runs, NAME.csv, NAME.json and NAME.png (default: "
                            "runs/experiment-NAME)")

    benchmark = command("benchmark", _benchmark, "seconds a step, beside the matrix products it cannot avoid")
    benchmark.add_argument("--batch", type=int, default=100, help="images a step")
    benchmark.add_argument("--steps", type=int, default=30, help="steps a round")
    benchmark.add_argument("--rounds", type=int, default=7, help="rounds, of which the median counts")
    return parser


# --- the commands --------------------------------------------------------------------------------------------------------

def _verify(options: argparse.Namespace) -> int:
    failed = verify_and_print(options.k, options.seed, options.samples, options.out)
    print(f"\nPicture: {options.out / 'theorem1.png'}")
    return 1 if failed else 0


def verify_and_print(k: int, seed: int, samples: int, out: Path) -> int:
    """Print the claims as they are checked; returns the number of those that failed."""
    from refimpl.experiments import verify

    print(f"k = {k}, seed {seed}, {samples:,} draws of the noise, eps = {verify.EPS}; sampled values in brackets: how many "
          "standard errors off\n")
    print(f"{'claim':88s} {'exact':>11s}  {'found':44s} verdict")
    claims = verify.run(k, seed, samples, out, lambda claim: print(
        f"{claim.text:88s} {claim.exact:>11s}  {claim.found:44s} {'holds' if claim.holds else 'FAILS'}", flush=True))
    failed = sum(not claim.holds for claim in claims)
    print(f"\n{len(claims) - failed} of {len(claims)} claims hold" + (f", {failed} FAIL" if failed else ""))
    return failed


def _train(options: argparse.Namespace) -> int:
    settings = Settings(**{field.name: getattr(options, field.name) for field in fields(Settings)}).resolved()
    size = f"n{options.n}-k{options.k}" if options.n > 1 else f"k{options.k}"
    structure = f"-{settings.structure}-{settings.solver}" if settings.structure else ""
    options.out = options.out or Path(f"runs/{options.dataset}-{options.estimator}{structure}-{size}-seed{options.seed}")
    train_and_print(settings, options.epochs, options.out, options.resume, options.data_dir)
    return 0


def train_and_print(settings: Settings, epochs: int, out: Path, resume: bool, data_dir: Path | None) -> list[dict]:
    """Train and print a line an epoch."""
    from refimpl import checkpoint, training

    columns = [("train -ELBO", "train_elbo", -1), ("valid -ELBO", "valid_elbo", -1), ("test -ELBO", "test_elbo", -1),
               ("test -log p(x)", "test_log_likelihood", -1), ("gap", "gap", 1)]
    if settings.structure:
        columns = [("test -log p(x)", "test_log_likelihood", -1)]
        if settings.as_released:                # what the released code calls its loss; not a bound on anything
            columns.append(("unary-KL loss, no bound", checkpoint.NOT_A_BOUND, -1))
    elif settings.n > 1:
        columns.append(("one-sample -ELBO", "sampled_elbo", -1))
    print(f"{settings.dataset}: {settings.label()}, seed {settings.seed}; exact by enumeration, nats an image\n"
          + " ".join(["epoch", *(f"{title:>14s}" for title, _, _ in columns), " seconds"]), flush=True)

    def report(row: dict[str, float]) -> None:
        shown = (row[name] for _, name, _ in columns)
        print(" ".join([f"{row['epoch']:5.0f}", *(f"{'' if math.isnan(value) else f'{sign * value:.2f}':>{max(14, len(title))}s}"
                                                  for value, (title, _, sign) in zip(shown, columns)),
                        f"{row['seconds']:8.1f}"]), flush=True)

    rows = training.train(settings, epochs, out, resume, data_dir, report)
    last = rows[-1]
    name, words = (("test_log_likelihood", "-log p(x)") if settings.structure else ("test_elbo", "-ELBO")
                   if not math.isnan(last["test_elbo"]) else ("sampled_elbo", "-ELBO (one sample)"))
    print(f"{last['epoch']:.0f} epoch{'s' * (last['epoch'] > 1)}: test {words} {-last[name]:.2f} nats. Weights, metrics.csv, "
          f"curves.png and samples.png are in {out}")
    return rows


def _quickstart(options: argparse.Namespace) -> int:
    from refimpl.files import output_folder
    from refimpl.training import CHECKPOINT

    out = output_folder(options.out)
    print("1. The mathematics, in numbers: every claim beside its exact value.\n")
    failed = verify_and_print(6, 0, 200_000, out)
    print("\n2. A discrete auto-encoder on MNIST: each image is squeezed into ONE of ten values, chosen by arg max, and drawn "
          "again\n   from it. The encoder learns by the difference of two arg maxes (direct optimisation).\n")
    run = out / "mnist"
    rows = train_and_print(Settings().resolved(), 3, run, resume=(run / CHECKPOINT).exists(), data_dir=None)
    first, last = rows[0], rows[-1]
    print(f"""
What was seen
- {'Every claim held' if not failed else f'{failed} claims FAILED'}: Gumbel-max samples a softmax, and the difference of two arg maxes is, on average, the
  gradient that the theorem says.
- Training took {last['seconds']:.1f} s. The exact bound fell from {-first['test_elbo']:.1f} to {-last['test_elbo']:.1f} nats an image on images it has not seen
  (a fair coin for every pixel would need {784 * math.log(2):.0f}).
- Enumeration says what the model is really worth: -log p(x) = {-last['test_log_likelihood']:.1f} nats, so the bound is {last['gap']:.2f} nats from the truth.

Where the pictures are
- {out / 'theorem1.png'}: bias and noise of the gradient against eps, exact lines with sampled points on them
- {run / 'curves.png'}: the bounds, epoch by epoch
- {run / 'samples.png'}: what each of the ten values draws""")
    return 1 if failed else 0


def _compare(options: argparse.Namespace) -> int:
    from refimpl.experiments import compare

    for folder, (settings, rows) in zip(options.runs, compare.run(options.runs, options.out)):
        last = rows[-1]
        print(f"{folder}: {settings.label()}, seed {settings.seed}: test -ELBO {-last['test_elbo']:.2f} nats after "
              f"{last['epoch']:.0f} epochs, {last['seconds']:.1f} s")
    print(f"Picture: {options.out}")
    return 0


def _variance(options: argparse.Namespace) -> int:
    from refimpl.experiments import variance

    rows = variance.run(options.out, options.folder, options.dataset, options.k, options.seed, options.samples,
                        options.batch, options.data_dir)
    print("Standard deviation of the encoder gradient, nats (± standard error)\n"
          f"{'eps, tau':>8s} {'direct, exact':>15s} {'direct, sampled':>22s} {'Gumbel-softmax, sampled':>26s}")
    for row in rows:
        print(f"{row.temperature:8.1f} {row.direct_exact:15.4g} {row.direct:13.4g} ± {row.direct_error:.1g} "
              f"{row.gumbel_softmax:17.4g} ± {row.gumbel_softmax_error:.1g}")
    print(f"Picture: {options.out / 'variance.png'}")
    return 0


def _estimators(options: argparse.Namespace) -> int:
    from refimpl.experiments import estimators_table

    print(f"Toy with n = {options.n}, k = {options.k}, seed {options.seed}; {options.samples:,} draws each\n"
          f"{'estimator':32s} {'|bias|, nats':>12s} {'worst z':>8s} {'variance':>10s} {'evaluations':>11s} "
          f"{'var. x eval.':>12s}  verdict")
    rows = estimators_table.run(options.n, options.k, options.samples, options.seed, options.out, lambda row: print(
        f"{row.name:32s} {row.bias:12.2g} {row.z:8.1f} {row.variance:10.4g} {row.evaluations:11d} {row.at_equal_cost:12.4g}  "
        f"{estimators_table.verdict(row)}", flush=True))
    print(f"Picture: {options.out / 'estimators.png'}")
    return 1 if any(row.claims and not row.found for row in rows) else 0


def _joint_argmax(options: argparse.Namespace) -> int:
    from refimpl.experiments import joint_argmax

    print(f"{options.dataset}, n = {options.n} binary variables, one epoch of direct; {options.samples} draws on "
          f"{options.batch} images.\nBias and standard deviation of the mean gradient relative to the exact one's length\n"
          f"{'eps':>5s} {'moved':>7s} {'coordinates agree':>18s} {'images agree':>13s} {'bias':>7s} {'joint':>7s} "
          f"{'st. dev.':>9s} {'joint':>7s} {'noise of the biases':>20s}")
    joint_argmax.run(options.n, options.dataset, options.seed, options.samples, options.batch, options.data_dir,
                     lambda row: print(f"{row.eps:5.2f} {row.moved:7.2%} {row.coordinates_agree:18.2%} "
                                       f"{row.images_agree:13.2%} {row.bias:7.3f} {row.bias_joint:7.3f} "
                                       f"{row.deviation:9.2f} {row.deviation_joint:7.2f} {row.floor:20.3f}", flush=True))
    return 0


def _structured_timing(options: argparse.Namespace) -> int:
    from refimpl.experiments import structured_timing

    print(f"{'method':28s} {'n':>3s} {'ms a step':>10s}")
    structured_timing.run(options.out, options.batch, options.largest, lambda row: print(
        f"{row.method:28s} {row.n:3d} {1e3 * row.seconds:10.1f}", flush=True))
    print(f"Picture: {options.out / 'structured-timing.png'}")
    return 0


def _experiment(options: argparse.Namespace) -> int:
    from refimpl.experiments import cells, figures

    out = options.out or Path(f"runs/experiment-{options.name}")
    runs = figures.run(options.name, options.epochs, options.seeds, out, options.jobs, options.dataset, options.data_dir,
                       lambda line: print(line, flush=True))
    merit = figures.REGISTRY[options.name].merit
    print(f"\nMinus {merit} after {options.epochs} epochs, nats an image: mean over seeds ± 95 % interval")
    for dataset, label, seeds, mean, half in cells.table(runs, options.epochs, merit):
        print(f"  {dataset:14s} {label:28s} {mean:8.2f}" + ("" if math.isnan(half) else f" ± {half:.2f}")
              + f"  ({seeds} seed{'s' * (seeds > 1)})")
    print(f"Picture: {out / (options.name + '.png')}")
    return 0


def _benchmark(options: argparse.Namespace) -> int:
    from refimpl.experiments import benchmark

    print(f"{'step of':62s} {'ms':>7s} {'products, ms':>13s} {'ratio':>6s} {'s an epoch of 50,000':>21s}")
    benchmark.run(options.batch, options.steps, options.rounds, lambda row: print(
        f"{row.settings.label():62s} {1e3 * row.step:7.2f} {1e3 * row.products:13.2f} {row.step / row.products:6.2f} "
        f"{row.step * math.ceil(50_000 / options.batch):21.2f}", flush=True))
    taken = benchmark.epoch_seconds()
    print(f"direct, k = 10: epochs of {', '.join(f'{s:.2f}' for s in taken)} s; the third took {taken[-1] / taken[0]:.2f} "
          "times the first")
    return 0
