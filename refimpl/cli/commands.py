"""The commands of `python -m refimpl`: each takes the parsed options, prints for a person to read, returns the status.

Modules that a command alone needs are imported by it, so that `--help` and bad options answer at once.
"""
from __future__ import annotations

import argparse
import math
import os
import textwrap
from pathlib import Path

from refimpl import data
from refimpl.checks import InputError
from refimpl.cli.options import agreed, read_settings
from refimpl.cli.words import words_of
from refimpl.runs.protocol import Row, Run
from refimpl.runs.settings import RunSettings
from refimpl.runs.vae import VAERun, VAESettings


class _Below:
    """Prints lines below a heading that comes with the first of them: a call that is refused prints none."""

    def __init__(self, heading: str) -> None:
        self.heading = heading

    def __call__(self, line: str) -> None:
        if self.heading:
            print(self.heading)
        self.heading = ""
        print(line, flush=True)


def _noted(dataset: str) -> str:
    """What is to be said of the data set, if anything, as a line."""
    note = data.get(dataset).note
    return f"{note}\n" if note else ""


def verify(options: argparse.Namespace) -> int:
    failed = verify_and_print(options.k, options.seed, options.samples, options.out, options.h, options.f, options.eps,
                              options.short)
    print(f"\nPictures: {options.out / 'theorem1.png'} and, for a projector, component.png")
    return 1 if failed else 0


RULE = """Two exact routes hold where they agree to 1e-10, or to what the line says; a sampled value where it lies
within 5 standard errors (s.e.) of the exact one, the worst of many components within as many as are as rare."""


def verify_and_print(k: int, seed: int, samples: int, out: Path, h=None, f=None, eps: float = 0.5,
                     short: bool = False) -> int:
    """Print the claims as they are checked, two lines each; returns the number of those that failed."""
    from refimpl.experiments import verify

    def started(h, f) -> None:
        print(f"k = {len(h)}, seed {seed}, {samples:,} draws of the noise, eps = {eps:g}")
        for name, values in (("h, as log q,", h), ("f", f)):
            print(textwrap.fill(", ".join(f"{value:.4g}" for value in values), 78, initial_indent=f"{name} = ",
                                subsequent_indent="    "))
        print()

    def show(claim: verify.Claim) -> None:
        if short and not claim.short and claim.holds is not False:
            return
        words = textwrap.wrap(claim.text, 70 if short else 90, subsequent_indent="  ")
        verdict = {True: "holds  ", False: "FAILS  ", None: "-      "}[claim.holds]
        print(verdict + "\n       ".join(words)
              + f"\n         exact {claim.exact}; {claim.found}", flush=True)

    claims = verify.run(k, seed, samples, out, show, h, f, eps, started)
    failed, untested = (sum(claim.holds is verdict for claim in claims) for verdict in (False, None))
    kept = f", {sum(claim.short for claim in claims)} of them shown" if short and not failed else ""
    print(f"\n{len(claims) - failed - untested} of {len(claims)} claims hold{kept}"
          + (f", {failed} FAIL" if failed else "") + (f", {untested} cannot be tested here" if untested else "")
          + ".\n" + textwrap.fill(RULE, 78))
    return failed


def explore(options: argparse.Namespace) -> int:
    try:
        from refimpl.experiments import explore
    except ValueError:                              # matplotlib refuses a window system that it does not know
        raise InputError(f"MPLBACKEND={os.environ.get('MPLBACKEND')} is no window system that matplotlib knows; "
                         "leave it unset, and matplotlib finds one") from None

    explore.run(options.h, options.f, options.eps, options.seed, options.samples, options.save)
    if options.save is not None:
        print(f"Picture: {options.save}")
    return 0


def train(kind: type[Run], options: argparse.Namespace) -> int:
    """Any kind of run: the settings say what is trained.  A run that is continued brings its own."""
    from refimpl.runs import checkpoint

    if options.resume and options.out is not None:
        path = options.out / checkpoint.FILE
        settings = agreed(options, checkpoint.load(path, kind=kind)[0].settings, str(path))
    else:
        settings = read_settings(options, kind.SETTINGS)
    out = options.out or Path("runs") / words_of(kind.COMMAND).folder(settings)
    train_and_print(kind, settings, options.epochs, out, options.resume, options.data_dir)
    return 0


def train_and_print(kind: type[Run], settings: RunSettings, epochs: int, out: Path, resume: bool,
                    data_dir: Path | None) -> list[Row]:
    """Train and print a line an epoch, below a heading that comes once nothing has been refused."""
    from refimpl.runs import loop

    words = words_of(kind.COMMAND)
    rows = loop.train(settings, epochs, out, resume, data_dir, lambda row: print(words.line(settings, row), flush=True),
                      lambda: print(_noted(settings.dataset) + words.heading(settings), flush=True), draw=draw_run)
    last = rows[-1]
    print(f"{last['epoch']:.0f} epoch{'s' * (last['epoch'] != 1)}: {words.result(settings, last)}. "
          f"Weights, metrics.csv, curves.png and samples.png are in {out}")
    return rows


def draw_run(run, rows, dataset):
    """The pictures of a run; matplotlib is imported only now, because `--help` need not wait for it."""
    from refimpl.plots import runs

    return runs.of_run(run, rows, dataset)


def quickstart(options: argparse.Namespace) -> int:
    from refimpl.experiments.cells import read_rows
    from refimpl.runs.checkpoint import FILE
    from refimpl.system.files import output_folder

    out = output_folder(options.out)
    print("1. The mathematics, in numbers: every claim beside its exact value.\n")
    failed = verify_and_print(6, 0, 200_000, out)
    print("\n2. A discrete auto-encoder on MNIST: each image is squeezed into ONE of ten values, chosen by arg max, "
          "and drawn again\n   from it. The encoder learns by the difference of two arg maxes (direct optimisation).\n")
    run, settings = out / "mnist", VAESettings().resolved()
    if (run / FILE).exists():
        print(f"An earlier quickstart has trained this run, in {run}; remove it to see it trained. Its epochs:")
        words = words_of(VAERun.COMMAND)
        print(words.heading(settings))
        for row in read_rows(run):
            print(words.line(settings, row))
        print()
    rows = train_and_print(VAERun, settings, 3, run, resume=(run / FILE).exists(), data_dir=None)
    first, last = rows[0], rows[-1]
    verdict = "Every claim held" if not failed else f"{failed} claims FAILED"
    fell = f"from {-first['test_elbo']:.1f} to {-last['test_elbo']:.1f} nats an image"
    worth = f"-log p(x) = {-last['test_log_likelihood']:.1f} nats"
    print(f"""
What was seen
- {verdict}: Gumbel-max samples a softmax, and the difference of two arg maxes is, on average, the
  gradient that the theorem says.
- Training took {last['seconds']:.1f} s. The exact bound fell {fell} on images it has not seen
  (a fair coin for every pixel would need {settings.pixels * math.log(2):.0f}).
- Enumeration says what the model is really worth: {worth}, so the bound is {last['gap']:.2f} nats from the truth.

Where the pictures are
- {out / 'theorem1.png'}: bias and noise of the gradient against eps, exact lines with sampled points on them
- {run / 'curves.png'}: the bounds, epoch by epoch
- {run / 'samples.png'}: what each of the ten values draws""")
    return 1 if failed else 0


def faces_sheet(options: argparse.Namespace) -> int:
    from refimpl.experiments import faces_sheet

    faces_sheet.run(options.out, options.rows)
    print(f"Picture: {options.out}")
    return 0


def compare(options: argparse.Namespace) -> int:
    from refimpl.experiments import compare

    for folder, (settings, rows) in zip(options.runs, compare.run(options.runs, options.out)):
        last = rows[-1]
        print(f"{folder}: {settings.label()}, seed {settings.seed}: test -ELBO {-last['test_elbo']:.2f} nats after "
              f"{last['epoch']:.0f} epoch{'s' * (last['epoch'] != 1)}, {last['seconds']:.1f} s")
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
        elif len(counted.shares) == 1:
            for value, (share, (label, part)) in enumerate(zip(counted.shares[0], counted.labels)):
                most = f", most often label {label} ({part:.0%})" if label is not None and share else ""
                print(f"  value {value}: {share:.1%} of the images{most}")
    return 0


def variance(options: argparse.Namespace) -> int:
    from refimpl.experiments import variance

    rows = variance.run(options.out, options.folder, options.dataset, options.k, options.seed, options.samples,
                        options.batch, options.data_dir)
    print(("" if options.folder else _noted(options.dataset))
          + "Standard deviation of the encoder gradient, nats (± standard error)\n"
          f"{'eps, tau':>8s} {'direct, exact':>15s} {'direct, sampled':>22s} {'Gumbel-softmax, sampled':>26s}")
    for row in rows:
        direct = f"{row.direct:13.4g} ± {row.direct_error:.1g}" if row.direct else f"{'no draw moved it':>21s}"
        print(f"{row.temperature:8.1f} {row.direct_exact:15.4g} {direct} "
              f"{row.gumbel_softmax:17.4g} ± {row.gumbel_softmax_error:.1g}")
    print(f"Picture: {options.out / 'variance.png'}")
    return 0


def estimators(options: argparse.Namespace) -> int:
    from refimpl.experiments import estimators_table

    show = _Below(f"Toy with n = {options.n}, k = {options.k}, seed {options.seed}; {options.samples:,} draws each\n"
                  f"{'estimator':31s} {'|bias|':>7s} {'worst z':>8s} {'variance':>8s} {'evals':>5s} {'var x ev.':>9s}  "
                  "verdict")
    z = lambda row: f"{row.z:.1f}" if row.tested and not row.silent else "-"
    rows = estimators_table.run(options.n, options.k, options.samples, options.seed, options.out, lambda row: show(
        f"{row.name:31s} {row.bias:7.2g} {z(row):>8s} {row.variance:8.4g} {row.evaluations:5d} "
        f"{row.at_equal_cost:9.4g}  {estimators_table.verdict(row)}"))
    print(f"Picture: {options.out / 'estimators.png'}")
    return 1 if any(row.claims and not row.found for row in rows) else 0


def choose_eps(options: argparse.Namespace) -> int:
    from refimpl.experiments import choosing_eps

    print("\n".join(choosing_eps.run(options.samples, options.problems, options.seed)))
    return 0


def joint_argmax(options: argparse.Namespace) -> int:
    from refimpl.experiments import joint_argmax

    show = _Below(f"{_noted(options.dataset)}{data.get(options.dataset).name}, n = {options.n} binary variables, "
                  "one epoch of direct; "
                  f"{options.samples} draws on {options.batch} images.\n"
                  "Bias and standard deviation of the mean gradient relative to the exact one's length\n"
                  "of the coordinate-wise arg max, the joint one, and with f linearised; last: the biases' noise\n"
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
    from refimpl.experiments import plateau_steps

    show = _Below(f"k = 10, step {options.steps}, means over {options.seeds} seed{'s' * (options.seeds > 1)}\n"
                  f"{'data set':13s} {'run':24s} {'-ELBO':>7s} {'entropy':>8s} {'winner':>7s} {'values':>7s} "
                  f"{'|dh| exact':>10s} {'|dh| made':>10s}")
    plateau_steps.run(options.out, options.seeds, options.steps, options.dataset, lambda dataset, label, row: show(
        f"{dataset:13s} {label:24s} {-row['elbo']:7.2f} {row['entropy']:8.3f} {row['winner']:7.1%} "
        f"{row['values_used']:7.2f} {row['length_exact']:10.3g} {row['length_made']:10.3g}"))
    print(f"Picture: {options.out / 'plateau-steps.png'}")
    return 0


def yardsticks(options: argparse.Namespace) -> int:
    from refimpl.experiments import yardsticks

    show = _Below("Minus the test bound of the same model, nats an image; ± is the spread over repetitions\n"
                  f"{'exact':>8s} {'one sample':>16s} {'a hundred':>16s} {'relaxed, one':>14s} "
                  f"{'relaxed, hundred':>17s}")
    yardsticks.run(options.runs, options.repetitions, options.images, options.data_dir, options.out,
                   lambda row: show(f"{row.run}\n{row.exact:8.2f} "
                                     f"{f'{row.one:.2f} ± {row.one_spread:.2f}':>16s} "
                                     f"{f'{row.hundred:.2f} ± {row.hundred_spread:.2f}':>16s} "
                                     + (f"{row.relaxed_one:14.2f} {row.relaxed_hundred:17.2f}"
                                        if row.relaxed_one == row.relaxed_one else "")))
    return 0


def structured_timing(options: argparse.Namespace) -> int:
    from refimpl.experiments import structured_timing

    show = _Below(f"{'method':28s} {'n':>3s} {'ms a step':>10s}")
    structured_timing.run(options.out, options.batch, options.largest, lambda row: show(
        f"{row.method:28s} {row.n:3d} {1e3 * row.seconds:10.1f}"))
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


def labels_of_experiments() -> str:
    """For --help: what --only takes."""
    from refimpl.experiments import figures

    made = []
    for name, entry in figures.REGISTRY.items():
        labels = "; ".join(cell.label for cell in entry.make(entry.datasets[0], 0))
        made.append(textwrap.fill(f"{name}: {labels}", 98, initial_indent="  ", subsequent_indent="      "))
    return "labels of the runs:\n" + "\n".join(made) + "\n"


def functions(options: argparse.Namespace) -> int:
    from refimpl.report import functions

    if options.write:
        functions.write()
    else:
        print(functions.page(), end="")
    return 0


def tutorial_runs(options: argparse.Namespace) -> int:
    from refimpl.experiments import tutorial_runs

    tutorial_runs.make(options.names, report=lambda line: print(line, flush=True))
    return 0


def benchmark(options: argparse.Namespace) -> int:
    from refimpl.experiments import benchmark

    kernels = os.environ.get("OPENBLAS_CORETYPE")
    if kernels:                                     # it may halve the speed of every product
        print(f"OPENBLAS_CORETYPE={kernels} is set: OpenBLAS takes the kernels of that processor, not of this one")
    show = _Below(f"{'step of':60s} {'ms':>7s} {'products, ms':>13s} {'ratio':>6s} {'s an epoch':>10s}")
    benchmark.run(options.batch, options.steps, options.rounds, lambda row: show(
        f"{row.settings.label():60s} {1e3 * row.step:7.2f} {1e3 * row.products:13.2f} {row.step / row.products:6.2f} "
        f"{row.step * math.ceil(50_000 / options.batch):10.2f}"), options.out)
    taken = benchmark.epoch_seconds()
    print(f"direct, k = 10: epochs of {', '.join(f'{s:.2f}' for s in taken)} s; "
          f"the third took {taken[-1] / taken[0]:.2f} times the first")
    return 0
