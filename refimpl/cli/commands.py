"""The commands of `python -m refimpl`: each takes the parsed options, prints for a person to read, returns the status.

Modules that a command alone needs are imported by it, so that `--help` and bad options answer at once.
"""
from __future__ import annotations

import argparse
import math
import os
from pathlib import Path

from refimpl.cli.options import read_settings
from refimpl.runs.protocol import Row, Run
from refimpl.runs.settings import RunSettings
from refimpl.runs.vae import VAERun, VAESettings


def verify(options: argparse.Namespace) -> int:
    failed = verify_and_print(options.k, options.seed, options.samples, options.out)
    print(f"\nPicture: {options.out / 'theorem1.png'}")
    return 1 if failed else 0


def verify_and_print(k: int, seed: int, samples: int, out: Path) -> int:
    """Print the claims as they are checked; returns the number of those that failed."""
    from refimpl.experiments import verify

    print(f"k = {k}, seed {seed}, {samples:,} draws of the noise, eps = {verify.EPS}; "
          "sampled values in brackets: how many standard errors off\n")
    print(f"{'claim':88s} {'exact':>11s}  {'found':44s} verdict")
    claims = verify.run(k, seed, samples, out, lambda claim: print(
        f"{claim.text:88s} {claim.exact:>11s}  {claim.found:44s} {'holds' if claim.holds else 'FAILS'}", flush=True))
    failed = sum(not claim.holds for claim in claims)
    print(f"\n{len(claims) - failed} of {len(claims)} claims hold" + (f", {failed} FAIL" if failed else ""))
    return failed


def train(kind: type[Run], options: argparse.Namespace) -> int:
    """Any kind of run: the settings say what is trained."""
    settings = read_settings(options, kind.SETTINGS)
    out = options.out or Path("runs") / kind.folder(settings)
    train_and_print(kind, settings, options.epochs, out, options.resume, options.data_dir)
    return 0


def train_and_print(kind: type[Run], settings: RunSettings, epochs: int, out: Path, resume: bool,
                    data_dir: Path | None) -> list[Row]:
    """Train and print a line an epoch."""
    from refimpl.runs import loop

    print(kind.heading(settings), flush=True)
    rows = loop.train(settings, epochs, out, resume, data_dir, lambda row: print(kind.line(settings, row), flush=True))
    last = rows[-1]
    print(f"{last['epoch']:.0f} epoch{'s' * (last['epoch'] != 1)}: {kind.result(settings, last)}. "
          f"Weights, metrics.csv, curves.png and samples.png are in {out}")
    return rows


def quickstart(options: argparse.Namespace) -> int:
    from refimpl.runs.checkpoint import FILE
    from refimpl.system.files import output_folder

    out = output_folder(options.out)
    print("1. The mathematics, in numbers: every claim beside its exact value.\n")
    failed = verify_and_print(6, 0, 200_000, out)
    print("\n2. A discrete auto-encoder on MNIST: each image is squeezed into ONE of ten values, chosen by arg max, "
          "and drawn again\n   from it. The encoder learns by the difference of two arg maxes (direct optimisation).\n")
    run = out / "mnist"
    rows = train_and_print(VAERun, VAESettings().resolved(), 3, run, resume=(run / FILE).exists(), data_dir=None)
    first, last = rows[0], rows[-1]
    verdict = "Every claim held" if not failed else f"{failed} claims FAILED"
    fell = f"from {-first['test_elbo']:.1f} to {-last['test_elbo']:.1f} nats an image"
    worth = f"-log p(x) = {-last['test_log_likelihood']:.1f} nats"
    print(f"""
What was seen
- {verdict}: Gumbel-max samples a softmax, and the difference of two arg maxes is, on average, the
  gradient that the theorem says.
- Training took {last['seconds']:.1f} s. The exact bound fell {fell} on images it has not seen
  (a fair coin for every pixel would need {784 * math.log(2):.0f}).
- Enumeration says what the model is really worth: {worth}, so the bound is {last['gap']:.2f} nats from the truth.

Where the pictures are
- {out / 'theorem1.png'}: bias and noise of the gradient against eps, exact lines with sampled points on them
- {run / 'curves.png'}: the bounds, epoch by epoch
- {run / 'samples.png'}: what each of the ten values draws""")
    return 1 if failed else 0


def compare(options: argparse.Namespace) -> int:
    from refimpl.experiments import compare

    for folder, (settings, rows) in zip(options.runs, compare.run(options.runs, options.out)):
        last = rows[-1]
        print(f"{folder}: {settings.label()}, seed {settings.seed}: test -ELBO {-last['test_elbo']:.2f} nats after "
              f"{last['epoch']:.0f} epochs, {last['seconds']:.1f} s")
    print(f"Picture: {options.out}")
    return 0


def codes(options: argparse.Namespace) -> int:
    from refimpl.experiments import codes as experiment

    at_the_start, trained = experiment.run(options.folder, options.images, options.data_dir)
    for words, counted in (("at the start", at_the_start), ("trained", trained)):
        still = int((counted.shares.max(axis=1) == 1).sum())
        print(f"{words}: {counted.images} test images have {counted.different} different z; {still} of "
              f"{len(counted.shares)} variables never change")
        if counted.shares.shape[1] == 2:
            print("  share of ones: " + " ".join(f"{share:.2f}" for share in counted.shares[:, 1]))
    return 0


def variance(options: argparse.Namespace) -> int:
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


def estimators(options: argparse.Namespace) -> int:
    from refimpl.experiments import estimators_table

    print(f"Toy with n = {options.n}, k = {options.k}, seed {options.seed}; {options.samples:,} draws each\n"
          f"{'estimator':32s} {'|bias|, nats':>12s} {'worst z':>8s} {'variance':>10s} {'evaluations':>11s} "
          f"{'var. x eval.':>12s}  verdict")
    rows = estimators_table.run(options.n, options.k, options.samples, options.seed, options.out, lambda row: print(
        f"{row.name:32s} {row.bias:12.2g} {row.z:8.1f} {row.variance:10.4g} {row.evaluations:11d} "
        f"{row.at_equal_cost:12.4g}  {estimators_table.verdict(row)}", flush=True))
    print(f"Picture: {options.out / 'estimators.png'}")
    return 1 if any(row.claims and not row.found for row in rows) else 0


def joint_argmax(options: argparse.Namespace) -> int:
    from refimpl.experiments import joint_argmax

    print(f"{options.dataset}, n = {options.n} binary variables, one epoch of direct; "
          f"{options.samples} draws on {options.batch} images.\n"
          "Bias and standard deviation of the mean gradient relative to the exact one's length\n"
          f"{'eps':>5s} {'moved':>7s} {'coordinates agree':>18s} {'images agree':>13s} {'bias':>7s} {'joint':>7s} "
          f"{'linear':>7s} {'st. dev.':>9s} {'joint':>7s} {'linear':>7s} {'noise of the biases':>20s}")
    joint_argmax.run(options.n, options.dataset, options.seed, options.samples, options.batch, options.data_dir,
                     lambda row: print(f"{row.eps:5.2f} {row.moved:7.2%} {row.coordinates_agree:18.2%} "
                                       f"{row.images_agree:13.2%} {row.bias:7.3f} {row.bias_joint:7.3f} "
                                       f"{row.bias_linear:7.3f} {row.deviation:9.2f} {row.deviation_joint:7.2f} "
                                       f"{row.deviation_linear:7.2f} {row.floor:20.3f}",
                                       flush=True), options.out)
    return 0


def plateau_steps(options: argparse.Namespace) -> int:
    from refimpl.experiments import plateau_steps

    print(f"k = 10, step {options.steps}, means over {options.seeds} seed{'s' * (options.seeds > 1)}\n"
          f"{'data set':14s} {'run':26s} {'-ELBO':>8s} {'entropy of q':>13s} {'winner':>8s} {'values used':>12s} "
          f"{'|dh| exact':>11s} {'|dh| made':>11s}")
    plateau_steps.run(options.out, options.seeds, options.steps, options.dataset, lambda dataset, label, row: print(
        f"{dataset:14s} {label:26s} {-row['elbo']:8.2f} {row['entropy']:13.3f} {row['winner']:8.1%} "
        f"{row['values_used']:12.2f} {row['length_exact']:11.3g} {row['length_made']:11.3g}", flush=True))
    print(f"Picture: {options.out / 'plateau-steps.png'}")
    return 0


def yardsticks(options: argparse.Namespace) -> int:
    from refimpl.experiments import yardsticks

    print("Minus the test bound of the same model, nats an image; ± is the standard deviation over repetitions\n"
          f"{'run':40s} {'exact':>8s} {'one sample':>16s} {'a hundred':>16s} {'relaxed, one':>16s} "
          f"{'relaxed, hundred':>17s}")
    yardsticks.run(options.runs, options.repetitions, options.images, options.data_dir, options.out,
                   lambda row: print(f"{row.run:40s} {row.exact:8.2f} "
                                     f"{f'{row.one:.2f} ± {row.one_spread:.2f}':>16s} "
                                     f"{f'{row.hundred:.2f} ± {row.hundred_spread:.2f}':>16s} "
                                     + (f"{row.relaxed_one:16.2f} {row.relaxed_hundred:17.2f}"
                                        if row.relaxed_one == row.relaxed_one else ""), flush=True))
    return 0


def structured_timing(options: argparse.Namespace) -> int:
    from refimpl.experiments import structured_timing

    print(f"{'method':28s} {'n':>3s} {'ms a step':>10s}")
    structured_timing.run(options.out, options.batch, options.largest, lambda row: print(
        f"{row.method:28s} {row.n:3d} {1e3 * row.seconds:10.1f}", flush=True))
    print(f"Picture: {options.out / 'structured-timing.png'}")
    return 0


def experiment(options: argparse.Namespace) -> int:
    from refimpl.experiments import figures

    out = options.out or Path(f"runs/experiment-{options.name}")
    runs = figures.run(options.name, options.epochs, options.seeds, out, options.jobs, options.dataset,
                       options.data_dir, lambda line: print(line, flush=True), options.only)
    print("\n" + "\n".join(figures.REGISTRY[options.name].table(runs, options.epochs)))
    print(f"Picture: {out / (options.name + '.png')}")
    return 0


def report(options: argparse.Namespace) -> int:
    from refimpl.report import pages

    same = pages.run(options.root, options.add, options.check, lambda line: print(line, flush=True))
    if same:
        print("Pages and pictures are what the rows make.")
    return 1 if options.check and not same else 0


def tutorial_runs(options: argparse.Namespace) -> int:
    from refimpl.experiments import tutorial_runs

    tutorial_runs.make(options.names, report=lambda line: print(line, flush=True))
    return 0


def benchmark(options: argparse.Namespace) -> int:
    from refimpl.experiments import benchmark

    kernels = os.environ.get("OPENBLAS_CORETYPE")
    if kernels:                                     # it may halve the speed of every product
        print(f"OPENBLAS_CORETYPE={kernels} is set: OpenBLAS takes the kernels of that processor, not of this one")
    print(f"{'step of':62s} {'ms':>7s} {'products, ms':>13s} {'ratio':>6s} {'s an epoch of 50,000':>21s}")
    benchmark.run(options.batch, options.steps, options.rounds, lambda row: print(
        f"{row.settings.label():62s} {1e3 * row.step:7.2f} {1e3 * row.products:13.2f} {row.step / row.products:6.2f} "
        f"{row.step * math.ceil(50_000 / options.batch):21.2f}", flush=True), options.out)
    taken = benchmark.epoch_seconds()
    print(f"direct, k = 10: epochs of {', '.join(f'{s:.2f}' for s in taken)} s; "
          f"the third took {taken[-1] / taken[0]:.2f} times the first")
    return 0
