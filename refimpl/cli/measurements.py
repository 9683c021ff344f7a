"""Define the commands of `python -m refimpl measure`, one function per command.

Each function takes the parsed options, prints a table and returns the exit status.
"""
from __future__ import annotations

import argparse
import math
import os
from collections.abc import Callable

from refimpl import data
from refimpl.cli.commands import noted


def _below(heading: str) -> Callable[[str], None]:
    """Return a function that prints lines, and that prints the heading above the first line."""
    above = heading + "\n"

    def show(line: str) -> None:
        nonlocal above
        print(above + line, flush=True)
        above = ""

    return show


def _errors(row) -> str:
    """Return the largest bias of a component, in standard errors, or "-" if the bias cannot be tested."""
    if not row.tested or row.silent:
        return "-"
    return f"{row.z:.1f}" if row.z < 1_000 else "> 1,000"


def estimators(options: argparse.Namespace) -> int:
    from refimpl.experiments.theory import estimators_table

    show = _below(f"A toy problem with n = {options.n}, k = {options.k}, seed {options.seed}; "
                  f"{options.samples:,} draws for each estimator.\n"
                  "worst: the worst component of the bias, in standard errors; cost: variance times evaluations\n"
                  f"{'estimator':31s} {'|bias|':>7s} {'worst':>8s} {'variance':>8s} {'evals':>5s} {'cost':>9s}  "
                  "verdict")
    rows = estimators_table.run(options.n, options.k, options.samples, options.seed, options.out, lambda row: show(
        f"{row.name:31s} {row.bias:7.2g} {_errors(row):>8s} {row.variance:8.4g} {row.evaluations:5d} "
        f"{row.at_equal_cost:9.4g}  {estimators_table.verdict(row)}"))
    print(f"Picture: {options.out / 'estimators.png'}")
    return 1 if any(row.claims and not row.found for row in rows) else 0


def choose_eps(options: argparse.Namespace) -> int:
    from refimpl.experiments.theory import choosing_eps

    print("\n".join(choosing_eps.run(options.average, options.problems, options.seed)))
    return 0


def variance(options: argparse.Namespace) -> int:
    from refimpl.experiments.measuring import variance

    rows = variance.run(options.out, options.folder, options.dataset, options.k, options.seed, options.samples,
                        options.batch, options.data_dir)
    print(("" if options.folder else noted(options.dataset))
          + "Standard deviation of the encoder gradient, nats (± standard error)\n"
          f"{'eps, tau':>8s} {'direct, exact':>15s} {'direct, sampled':>22s} {'Gumbel-softmax, sampled':>26s}")
    for row in rows:
        direct = f"{row.direct:13.4g} ± {row.direct_error:.1g}" if row.direct else f"{'no winner changed':>21s}"
        print(f"{row.temperature:8.1f} {row.direct_exact:15.4g} {direct} "
              f"{row.gumbel_softmax:17.4g} ± {row.gumbel_softmax_error:.1g}")
    print(f"Picture: {options.out / 'variance.png'}")
    return 0


def joint_argmax(options: argparse.Namespace) -> int:
    from refimpl.experiments.measuring import joint_argmax

    show = _below(f"{noted(options.dataset)}{data.get(options.dataset).name}, n = {options.n} binary variables, "
                  "one epoch of direct; "
                  f"{options.samples} draws on {options.batch} images.\n"
                  "Bias and standard deviation of the mean gradient, relative to the length of the exact one, for\n"
                  "the coordinate-wise arg max (one), the joint arg max (joint) and a linearised f (linear); noise:\n"
                  "the bias that an unbiased estimate would show\n"
                  f"{'':5s} {'':7s} {'both arg maxes agree in':>24s} {'bias':>19s} {'standard deviation':>26s}\n"
                  f"{'eps':>5s} {'moved':>7s} {'coordinates':>12s} {'images':>11s} {'one':>7s} {'joint':>7s} "
                  f"{'linear':>7s} {'one':>7s} {'joint':>7s} {'linear':>7s} {'noise':>7s}")
    joint_argmax.run(options.n, options.dataset, options.seed, options.samples, options.batch, options.data_dir,
                     lambda row: show(f"{row.eps:5.2f} {row.moved:7.2%} {row.coordinates_agree:12.2%} "
                                       f"{row.images_agree:11.2%} {row.bias:7.3f} {row.bias_joint:7.3f} "
                                       f"{row.bias_linear:7.3f} {row.deviation:7.2f} {row.deviation_joint:7.2f} "
                                       f"{row.deviation_linear:7.2f} {row.floor:7.3f}"), options.out)
    return 0


def plateau_steps(options: argparse.Namespace) -> int:
    from refimpl.experiments.measuring import plateau_steps

    show = _below(f"k = 10, after {options.steps} steps; means over {options.seeds} seed{'s' * (options.seeds > 1)}\n"
                  f"{'data set':13s} {'run':24s} {'-ELBO':>7s} {'entropy':>8s} {'winner':>7s} {'values':>7s} "
                  f"{'|dh| exact':>10s} {'estimated':>10s}")
    plateau_steps.run(options.out, options.seeds, options.steps, options.dataset, lambda dataset, label, row: show(
        f"{dataset:13s} {label:24s} {-row['elbo']:7.2f} {row['entropy']:8.3f} {row['winner']:7.1%} "
        f"{row['values_used']:7.2f} {row['length_exact']:10.3g} {row['length_made']:10.3g}"))
    print(f"Picture: {options.out / 'plateau-steps.png'}")
    return 0


def plateau_forces(options: argparse.Namespace) -> int:
    from refimpl.experiments.measuring import plateau_forces

    show = _below(f"k = 10, after {options.steps} steps; means over {options.seeds} seed{'s' * (options.seeds > 1)}\n"
                  f"{'data set':13s} {'run':24s} {'-ELBO':>7s} {'values':>7s} {'lead in f':>9s} {'lead in h':>9s} "
                  f"{'push':>7s} {'pull':>7s}")
    plateau_forces.run(options.out, options.seeds, options.steps, options.dataset, lambda dataset, label, row: show(
        f"{dataset:13s} {label:24s} {-row['elbo']:7.2f} {row['values_used']:7.2f} {row['lead_f']:9.1f} "
        f"{row['lead_h']:9.1f} {row['push']:7.1f} {row['pull']:7.1f}"))
    print(f"Picture: {options.out / 'plateau-forces.png'}")
    return 0


def relaxation(options: argparse.Namespace) -> int:
    from refimpl.experiments.measuring import relaxation

    show = _below(f"k = 10, minus bounds on 2,000 test images after {options.epochs} epochs, nats per image\n"
                  f"{'run':28s} {'relaxed':>8s} {'exact':>8s} {'-log p(x)':>9s}")
    relaxation.run(options.out, options.epochs, options.seeds, options.dataset, lambda label, row: show(
        f"{label:28s} {'-' if math.isnan(row['relaxed']) else format(-row['relaxed'], '.2f'):>8s} {-row['elbo']:8.2f} "
        f"{-row['log_likelihood']:9.2f}"))
    print(f"Picture: {options.out / 'relaxation.png'}")
    return 0


def yardsticks(options: argparse.Namespace) -> int:
    from refimpl.experiments.measuring import yardsticks

    show = _below("Minus the test bound of the same model, in nats per image; ±: standard deviation over repetitions\n"
                  f"{'exact':>8s} {'one sample':>16s} {'a hundred':>16s} {'relaxed, one':>14s} "
                  f"{'relaxed, hundred':>17s}")
    yardsticks.run(options.runs, options.repetitions, options.images, options.data_dir, options.out,
                   lambda row: show(f"{row.run}\n{row.exact:8.2f} "
                                     f"{f'{row.one:.2f} ± {row.one_spread:.2f}':>16s} "
                                     f"{f'{row.hundred:.2f} ± {row.hundred_spread:.2f}':>16s} "
                                     + (f"{row.relaxed_one:14.2f} {row.relaxed_hundred:17.2f}"
                                        if row.relaxed_one == row.relaxed_one else "")))
    return 0


def codes(options: argparse.Namespace) -> int:
    from refimpl.experiments.measuring import codes as experiment

    at_the_start, trained = experiment.run(options.folder, options.images, options.data_dir)
    for words, counted in (("before training", at_the_start), ("after training", trained)):
        still = int((counted.shares.max(axis=1) == 1).sum())
        constant = f"{still} of {len(counted.shares)} variables are the same for all of them" if still else \
            "every variable varies"
        print(f"{words}: {counted.images} test images have {counted.different} different z, and {constant}")
        if counted.shares.shape[1] == 2:
            print("  share of ones: " + " ".join(f"{share:.2f}" for share in counted.shares[:, 1]))
        elif len(counted.shares) == 1:
            for value, (share, (label, part)) in enumerate(zip(counted.shares[0], counted.labels)):
                most = f", most often label {label} ({part:.0%})" if label is not None and share else ""
                print(f"  value {value}: {share:.1%} of the images{most}")
    return 0


def subset(options: argparse.Namespace) -> int:
    from refimpl.experiments.measuring import subset as experiment
    from refimpl.experiments.training.cells import interval

    show = _below(f"{'method':18s} {'setting':>8s} {'seed':>5s} {'validation':>11s} {'test':>8s} {'log p, nats':>12s}")
    rows = experiment.run(options.out, options.k, options.steps, options.seeds, options.data_dir, lambda row: show(
        f"{row.method:18s} {row.setting:8g} {row.seed:5.0f} {row.valid:11.2%} {row.test:8.2%} {row.test_f:12.3f}"))
    for method in experiment.METHODS:
        mean, half = interval([100 * row.test for row in rows if row.method == method])
        print(f"{method}: {mean:.1f}" + ("" if math.isnan(half) else f" ± {half:.1f}") + " % of the test labels")
    print(f"Picture: {options.out / 'subset.png'}")
    return 0


def structured_timing(options: argparse.Namespace) -> int:
    from refimpl.experiments.measuring import structured_timing

    show = _below(f"{'method':28s} {'n':>3s} {'ms per step':>12s}")
    structured_timing.run(options.out, options.batch, options.largest, lambda row: show(
        f"{row.method:28s} {row.n:3d} {1e3 * row.seconds:12.1f}"))
    print(f"Picture: {options.out / 'structured-timing.png'}")
    return 0


def benchmark(options: argparse.Namespace) -> int:
    from refimpl.experiments.measuring import benchmark

    kernels = os.environ.get("OPENBLAS_CORETYPE")
    if kernels:                                     # this may halve the speed of every matrix product
        print(f"OPENBLAS_CORETYPE={kernels} is set: OpenBLAS uses the kernels of that processor, not of this one")
    show = _below(f"{'step of':60s} {'ms':>7s} {'products, ms':>13s} {'ratio':>6s} {'s per epoch':>12s}")
    benchmark.run(options.batch, options.steps, options.rounds, lambda row: show(
        f"{row.step_of:60s} {1e3 * row.step:7.2f} {1e3 * row.products:13.2f} {row.step / row.products:6.2f} "
        f"{row.step * math.ceil(50_000 / options.batch):12.2f}"), options.out)
    taken = benchmark.epoch_seconds()
    print(f"direct, k = 10: epochs of {', '.join(f'{s:.2f}' for s in taken)} s; "
          f"the third took {taken[-1] / taken[0]:.2f} times as long as the first")
    return 0
