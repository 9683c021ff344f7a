"""Define the commands of `python -m refimpl`, one function per command.

Each function takes the parsed options, prints its results and returns the exit status.  A module that only
one command needs is imported in the function of this command, so that `--help` appears quickly.
"""
from __future__ import annotations

import argparse
import math
import os
import textwrap
from functools import partial
from pathlib import Path

from refimpl import data
from refimpl.arguments import InputError
from refimpl.cli.options import resumed_settings, read_settings
from refimpl.cli.words import words_of
from refimpl.runs.protocol import Row, Run
from refimpl.runs.settings import RunSettings
from refimpl.runs.vae import VAERun, VAESettings

say = partial(print, flush=True)


def noted(dataset: str) -> str:
    note = data.get(dataset).note
    return f"{note}\n" if note else ""


def verify(options: argparse.Namespace) -> int:
    failed = verify_and_print(options.k, options.seed, options.samples, options.out, options.h, options.f, options.eps,
                              options.short)
    print(f"\nPictures: {options.out / 'theorem1.png'} and, for a projector, component.png")
    return 1 if failed else 0


RULE = """Two exact methods must agree to 1e-10, or to the tolerance that the line gives. A sampled value must lie
within 5 standard errors (s.e.) of the exact one. If many components are compared, the limit for the worst of them is
wider, so that chance alone exceeds it as rarely as for one component."""


def verify_and_print(k: int, seed: int, samples: int, out: Path, h=None, f=None, eps: float = 0.5,
                     short: bool = False) -> int:
    from refimpl.experiments.theory import verify

    def started(h, f) -> None:
        print(f"k = {len(h)}, seed {seed}, {samples:,} draws of the noise, eps = {eps:g}")
        for name, values in (("h", h), ("f", f)):
            print(textwrap.fill(", ".join(f"{value:.4g}" for value in values), 78, initial_indent=f"{name} = ",
                                subsequent_indent="    "))
        print("h is normalised to log q, which changes no probability.\n")

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
        from refimpl.experiments.theory import explore
    except UnicodeDecodeError:                      # matplotlib cannot read its settings file
        raise
    except ValueError:                              # MPLBACKEND names an unknown window system
        raise InputError(f"MPLBACKEND={os.environ.get('MPLBACKEND')} is not a window system that matplotlib knows; "
                         "if it is not set, matplotlib chooses one") from None

    explore.run(options.h, options.f, options.eps, options.seed, options.samples, options.save)
    if options.save is not None:
        print(f"Picture: {options.save}")
    return 0


def train(kind: type[Run], options: argparse.Namespace) -> int:
    from refimpl.runs import checkpoint

    if options.resume and options.out is not None:
        path = options.out / checkpoint.FILE
        settings = resumed_settings(options, checkpoint.load(path, kind=kind)[0].settings, str(path))
    else:
        settings = read_settings(options, kind.SETTINGS)
    out = options.out or Path("runs") / words_of(kind.COMMAND).folder(settings)
    train_and_print(kind, settings, options.epochs, out, options.resume, options.data_dir)
    return 0


def train_and_print(kind: type[Run], settings: RunSettings, epochs: int, out: Path, resume: bool,
                    data_dir: Path | None) -> list[Row]:
    from refimpl.runs import loop

    words = words_of(kind.COMMAND)
    rows = loop.train(settings, epochs, out, resume, data_dir, lambda row: print(words.line(settings, row), flush=True),
                      lambda: print(noted(settings.dataset) + words.heading(settings), flush=True), draw=draw_run)
    last = rows[-1]
    print(f"{last['epoch']:.0f} epoch{'s' * (last['epoch'] != 1)}: {words.result(settings, last)}. "
          f"Weights, metrics.csv, curves.png and samples.png are in {out}")
    return rows


def draw_run(run, rows, dataset):
    from refimpl.plots import runs

    return runs.of_run(run, rows, dataset)


def quickstart(options: argparse.Namespace) -> int:
    from refimpl.experiments.training.cells import read_rows
    from refimpl.runs.checkpoint import FILE
    from refimpl.system.files import output_folder

    out = output_folder(options.out)
    print("1. The mathematics in numbers: every claim is compared with its exact value.\n")
    failed = verify_and_print(6, 0, 200_000, out)
    print("\n2. A discrete auto-encoder on MNIST: an arg max encodes each image as ONE of ten values, and a decoder "
          "redraws\n   the image from this value. The encoder is trained by the difference of two arg maxes "
          "(direct optimisation).\n")
    run, settings = out / "mnist", VAESettings().resolved()
    if (run / FILE).exists():
        print(f"An earlier quickstart has trained this run. Remove {run} to train it again. Its epochs:")
        words = words_of(VAERun.COMMAND)
        print(words.heading(settings))
        for row in read_rows(run):
            print(words.line(settings, row))
        print()
    rows = train_and_print(VAERun, settings, 3, run, resume=(run / FILE).exists(), data_dir=None)
    first, last = rows[0], rows[-1]
    verdict = "Every claim held" if not failed else f"{failed} claims FAILED"
    fell = f"from {-first['test_elbo']:.1f} to {-last['test_elbo']:.1f} nats per image"
    worth = f"-log p(x) = {-last['test_log_likelihood']:.1f} nats"
    print(f"""
What you have seen
- {verdict}: Gumbel-max samples a softmax, and the mean of the difference of two arg maxes is the
  gradient in the theorem.
- Training took {last['seconds']:.1f} s. On the test images the exact bound fell {fell}
  (guessing every pixel with a fair coin would need {settings.pixels * math.log(2):.0f}).
- Enumeration gives the likelihood itself: {worth}, so the bound is {last['gap']:.2f} nats from it.

Where the pictures are
- {out / 'theorem1.png'}: bias and noise of the gradient against eps, as exact lines and sampled points
- {run / 'curves.png'}: the bounds, epoch by epoch
- {run / 'samples.png'}: what each of the ten values draws""")
    return 1 if failed else 0


def faces_sheet(options: argparse.Namespace) -> int:
    from refimpl.experiments.faces import sheet as faces_sheet

    faces_sheet.run(options.save, options.faces)
    print(f"Picture: {options.save}")
    return 0


def compare(options: argparse.Namespace) -> int:
    from refimpl.experiments.training import compare

    for folder, (settings, rows) in zip(options.runs, compare.run(options.runs, options.save)):
        last = rows[-1]
        print(f"{folder}: {settings.label()}, seed {settings.seed}: test -ELBO {-last['test_elbo']:.2f} nats after "
              f"{last['epoch']:.0f} epoch{'s' * (last['epoch'] != 1)}, {last['seconds']:.1f} s")
    print(f"Picture: {options.save}")
    return 0


def experiment(options: argparse.Namespace) -> int:
    from refimpl.experiments import registry

    out = options.out or Path(f"runs/experiment-{options.name}")
    runs = registry.run(options.name, options.epochs, options.seeds, out, options.jobs, options.dataset,
                       options.data_dir, say, options.only)
    print("\n" + "\n".join(registry.REGISTRY[options.name].table(runs, options.epochs)))
    print(f"Picture: {out / (options.name + '.png')}")
    return 0


def report(options: argparse.Namespace) -> int:
    from refimpl.report import pages

    if options.add and not options.write:
        raise InputError("--add changes tutorials/rows, and so it needs --write")
    same = pages.run(options.root, options.add, options.write, say)
    if same:
        print("The pages and pictures are up to date with the rows.")
    elif not options.write:
        print("Nothing was changed; --write writes these files.")
    return 0 if same or options.write else 1


def labels_of_experiments() -> str:
    """Return a list of the labels that --only accepts, as text for the end of --help."""
    from refimpl.experiments import registry

    made = []
    for name, entry in registry.REGISTRY.items():
        labels = "; ".join(cell.label for cell in entry.make(entry.datasets[0], 0))
        made.append(textwrap.fill(f"{name} ({' '.join(entry.datasets)}): {labels}", 98, initial_indent="  ",
                                  subsequent_indent="      "))
    return "data sets and labels of the runs:\n" + "\n".join(made) + "\n"


def _written_or_printed(module, options: argparse.Namespace) -> int:
    if options.write:
        module.write()
    else:
        print(module.page(), end="")
    return 0


def functions(options: argparse.Namespace) -> int:
    from refimpl.report import functions

    return _written_or_printed(functions, options)


def reference(options: argparse.Namespace) -> int:
    from refimpl.cli import reference

    return _written_or_printed(reference, options)


def lecture(options: argparse.Namespace) -> int:
    from refimpl.report import lecture

    print("\n".join(f"{number:2d}  {title}" for number, (title, _) in enumerate(lecture.pages().PAGES, start=1)))
    if options.write:
        lecture.write()
        print(f"Written: {lecture.PDF}")
    else:
        print(f"Nothing was written; --write draws these pages into {lecture.PDF}.")
    return 0


def tutorial_runs(options: argparse.Namespace) -> int:
    from refimpl.experiments.training import tutorial_runs

    if options.write:
        tutorial_runs.make(options.names, report=say)
    else:
        print("\n".join(map(tutorial_runs.described, options.names or tutorial_runs.PLANS)))
        print("Nothing was trained; --write trains these runs and overwrites their files.")
    return 0
