"""The command line, `python -m refimpl COMMAND`.

Exit status: 0 done; 1 a claim of `verify` failed; 2 the input cannot be used, with one line that says what, where, and what
is allowed; 130 stopped with Ctrl-C.
"""
from __future__ import annotations

import argparse
import math
import os
import sys
from pathlib import Path

from refimpl import __version__, data, estimators
from refimpl.checks import InputError
from refimpl.settings import Settings


class Parser(argparse.ArgumentParser):
    """argparse with its errors in one line: the usage stays with --help."""

    def error(self, message: str):
        self.exit(2, f"{self.prog}: error: {message} (see {self.prog} --help)\n")


def main(arguments: list[str] | None = None) -> int:
    """Run a command; returns the exit status."""
    options = _parser().parse_args(arguments)
    try:
        return options.run(options)
    except InputError as problem:
        print(f"refimpl {options.command}: error: {problem}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"\nrefimpl {options.command}: stopped" + options.after_stop.format(**vars(options)), file=sys.stderr)
        return 130
    except BrokenPipeError:                     # the reader of a pipe has gone, as with `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog="refimpl", description="Direct optimisation through arg max, checked and trained in NumPy.")
    parser.add_argument("--version", action="version", version=f"refimpl {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=Parser)

    def command(name: str, run, summary: str, after_stop: str = "") -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=summary, description=summary,
                                    formatter_class=argparse.ArgumentDefaultsHelpFormatter)
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
    train.add_argument("--k", type=int, default=10, help="number of values of z")
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
    train.add_argument("--seed", type=int, default=0, help="of weights, order and noise")
    train.add_argument("--limit", type=int, help="use only the first LIMIT images of each part")
    train.add_argument("--data-dir", type=Path, help="folder to look for data in first; Omniglot needs it")
    train.add_argument("--out", type=Path, help="folder for the run (default: runs/DATASET-ESTIMATOR-kK-seedSEED)")
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

    benchmark = command("benchmark", _benchmark, "seconds a step, beside the matrix products it cannot avoid")
    benchmark.add_argument("--batch", type=int, default=100, help="images a step")
    benchmark.add_argument("--steps", type=int, default=50, help="steps a round")
    benchmark.add_argument("--rounds", type=int, default=9, help="rounds, of which the median counts")
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
    settings = Settings(options.dataset, options.estimator, options.k, options.hidden, options.batch, options.lr,
                        options.eps, options.tau, options.kl_grad, options.as_released, options.seed,
                        options.limit).resolved()
    options.out = options.out or Path(f"runs/{options.dataset}-{options.estimator}-k{options.k}-seed{options.seed}")
    train_and_print(settings, options.epochs, options.out, options.resume, options.data_dir)
    return 0


def train_and_print(settings: Settings, epochs: int, out: Path, resume: bool, data_dir: Path | None) -> list[dict]:
    """Train and print a line an epoch."""
    from refimpl import training

    print(f"{settings.dataset}: {settings.label()}, seed {settings.seed}; exact bounds by enumeration, nats an image\n"
          f"{'epoch':>5s} {'train -ELBO':>12s} {'valid -ELBO':>12s} {'test -ELBO':>11s} {'test -log p':>12s} {'gap':>6s} "
          f"{'seconds':>8s}", flush=True)

    def report(row: dict[str, float]) -> None:
        print(f"{row['epoch']:5.0f} {-row['train_elbo']:12.2f} {-row['valid_elbo']:12.2f} {-row['test_elbo']:11.2f} "
              f"{-row['test_log_likelihood']:12.2f} {row['gap']:6.2f} {row['seconds']:8.1f}", flush=True)

    rows = training.train(settings, epochs, out, resume, data_dir, report)
    last = rows[-1]
    print(f"{last['epoch']:.0f} epochs: test -ELBO {-last['test_elbo']:.2f} nats. Weights, metrics.csv, curves.png and "
          f"samples.png are in {out}")
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


def _benchmark(options: argparse.Namespace) -> int:
    from refimpl.experiments import benchmark

    print(f"{'estimator':32s} {'k':>3s} {'ms a step':>10s} {'products, ms':>13s} {'ratio':>6s} {'s an epoch of 50,000':>21s}")
    benchmark.run(options.batch, options.steps, options.rounds, lambda row: print(
        f"{row.estimator:32s} {row.k:3d} {1e3 * row.step:10.2f} {1e3 * row.products:13.2f} {row.step / row.products:6.2f} "
        f"{row.step * math.ceil(50_000 / options.batch):21.2f}", flush=True))
    taken = benchmark.epoch_seconds()
    print(f"direct, k = 10: epochs of {', '.join(f'{s:.2f}' for s in taken)} s; the third took {taken[-1] / taken[0]:.2f} "
          "times the first")
    return 0
