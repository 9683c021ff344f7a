"""Update the tables and pictures of the pages from the rows in tutorials/rows (`make report`).

Each table is in a block of a page.  A block looks like this:

    <!-- report: binary -->
    ... made by refimpl/report, never by hand ...
    <!-- end of report -->
"""
from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Sequence
from pathlib import Path

from matplotlib.figure import Figure

from refimpl import plots
from refimpl.arguments import InputError, unknown
from refimpl.experiments import records, registry
from refimpl.experiments.measuring import plateau_forces, plateau_steps, relaxation, structured_timing, variance
from refimpl.experiments.theory import estimators_table
from refimpl.experiments.training import panels
from refimpl.report import causes, choice, claims, faces, jigsaw, labels, markdown, measurements, training
from refimpl.report.store import Store
from refimpl.report.tables import plural
from refimpl.system.files import locked, output_folder, read_whole, write_text

ROOT = Path(__file__).resolve().parent.parent.parent
PAGES = ("README.md", "tutorials/results.md", "tutorials/results-details.md", "tutorials/results-gradients.md",
         "tutorials/plateau.md", "tutorials/attributes.md", "tutorials/jigsaw.md")
ROWS, FIGURES = "tutorials/rows", "tutorials/figures"
BLOCKS: dict[str, Callable[[Store], str]] = {
    **claims.BLOCKS, **choice.BLOCKS, **training.BLOCKS, **causes.BLOCKS, **labels.BLOCKS, **faces.BLOCKS,
    **measurements.BLOCKS, **jigsaw.BLOCKS}

# Each sentence describes the picture below its block, and is the picture's alternative text on the page.  If the block
# is an experiment, the sentence is also the title of the picture.
SHOWN = {
    "plateau": "On MNIST every seed of direct ends low; with each other gradient some seeds end higher",
    "plateau-exits": "Which half of direct's bias is enough to leave the plateau depends on ε and on the KL gradient",
    "plateau-steps": "On MNIST all images soon have the same value; with direct the gradient shrinks least, and "
                     "further values come into use soonest",
    "plateau-tests": "Whatever is changed, training with the capped half of the bias leaves the plateau; with momentum "
                     "and a small learning rate there is no plateau",
    "plateau-forces": "With the exact gradient the push exceeds the pull for more than a hundred steps; if it is "
                      "capped, the pull is larger from about step 25 on, and every seed leaves the plateau",
    "relaxation": "At τ = 0.25 and above, the −ELBO of relaxed samples falls, and the exact −ELBO rises",
    "convergence": "Direct soon leaves a plateau on which the exact gradient and Gumbel-softmax stay longer",
    "latent-sizes": "After ten epochs direct has the lowest median −ELBO at every k",
    "noise": "Standard deviation of the encoder gradient against ε and τ",
    "estimators": "Bias of every estimator and its noise at equal cost, on the toy",
    "binary": "Direct and local-tilted, which share a bias, have the lowest means after 100 epochs",
    "released-signal": "In these runs −ELBO after 100 epochs is higher with the released settings, and if REBAR and "
                       "RELAX learn from the batch's mean",
    "structured": "Pairs of any sign have the lowest exact −log p(x) after 10 epochs, and pairs that start "
                  "at 0 have by far the highest",
    "structured-timing": "Seconds per training step of structured encoders against n",
    "semi-supervised": "With few labels direct has the higher median accuracy, but its lead is smaller than in the "
                       "paper",
    "labelled-terms": "With one seed the variants of the recipe differ little in accuracy, apart from as "
                      "released and direct loss at ε = 0.05",
    "jigsaw": "With labels cross-entropy places the most tiles correctly, and without labels direct does",
    "faces": "With 50 labels or more all three attributes are right in over 99 % of the images (median); without "
             "labels they are right in about half or less"}
FILES = {name: f"{name}.png" for name in SHOWN} | {
    "noise": "variance.png", "released-signal": "binary-released.png", "faces": "faces-accuracy.png"}


def pictures(store: Store) -> dict[str, Callable[[], Figure]]:
    """Return a plotting function for each picture whose rows are in the store.  The keys are file names."""
    made: dict[str, Callable[[], Figure]] = {}
    draws = {name: entry.draw for name, entry in registry.REGISTRY.items()} | {
        "plateau-steps": plateau_steps.draw, "plateau-forces": plateau_forces.draw, "relaxation": relaxation.draw}
    for name, title in SHOWN.items():
        if name in draws and (found := store.select(name)):
            made[FILES[name]] = functools.partial(draws[name], found, title)
    if found := store.select("binary"):
        made[FILES["released-signal"]] = functools.partial(panels.released, found, SHOWN["released-signal"])
    for file, name, label, draw in (("variance.png", "variance", "k = 10", variance.draw),
                                    ("structured-timing.png", "structured-timing", "batch 100", structured_timing.draw),
                                    ("estimators.png", "estimators", "n = 4, k = 2", estimators_table.draw)):
        for record in store.select(name, label=label):
            made[file] = functools.partial(draw, record)
    return made


@plots.own_settings()
def run(root: Path = ROOT, add: Sequence[Path] = (), write: bool = False,
        report: Callable[[str], None] = print) -> bool:
    """Make every block and picture from the rows, and return whether all were up to date.

    If `write` is true, the function first copies the rows from the paths in `add`, and then writes the outdated blocks
    and pictures.  Otherwise it changes no file.

    Raises InputError if a page cannot be read, if a block is unknown, or if the marks around a block are incomplete.
    If a block is on no page, or if rows cannot be used, InputError is raised after everything else has been reported.
    """
    root = Path(root)
    for page in PAGES:
        if not (root / page).is_file():
            raise InputError(f"{root} has no {page}: the pages and their rows are in the repository, not in an "
                             "installed package")
    refused: list[InputError] = []

    def refuse(problem: InputError) -> None:
        refused.append(problem)
        report(f"left out: {problem}")

    add = add if write else ()
    with locked(output_folder(root / ROWS)) if add else contextlib.nullcontext():
        for record in [record for source in add for record in records.read_source(source, refuse)]:
            try:
                registry.check(record)
                taken = records.add(root / ROWS, record)
            except InputError as problem:
                refuse(problem)
                continue
            report(f"{record.file}: " + (f"added, {len(record.rows)} rows" if taken else
                                         "not changed, because it has a longer run"))
    store, same, missing = Store.read(root / ROWS, refuse), True, set(BLOCKS)
    for page in PAGES:
        try:
            before = read_whole(root / page, "is missing").decode("utf-8").replace("\r\n", "\n")
            after = markdown.filled(before, lambda name: block(store, name))
        except UnicodeDecodeError:
            raise InputError(f"{root / page} is not a text in UTF-8") from None
        except InputError as problem:
            raise InputError(f"{root / page}: {problem}") from None
        missing -= set(markdown.blocks(before))
        same &= _settle(page, after == before, write, report, lambda: write_text(root / page, after))
    for file, draw in pictures(store).items():
        path, figure = root / FIGURES / file, draw()
        known = path.is_file() and plots.digest_of(path) == plots.figure_digest(figure)
        same &= _settle(f"{FIGURES}/{file}", known, write, report, lambda: plots.save(figure, path))
    if missing:
        raise InputError(f"no page has a block {', '.join(sorted(missing))}: its marks have been removed or changed")
    if refused:
        raise InputError(f"{plural(len(refused), 'file')} of rows could not be used, the first because {refused[0]}")
    return same


def _settle(name: str, same: bool, write: bool, report: Callable[[str], None], make: Callable[[], None]) -> bool:
    if not same:
        report(f"{name}: " + ("written" if write else "would change"))
        if write:
            make()
    return same


def block(store: Store, name: str) -> str:
    if name not in BLOCKS:
        raise InputError(unknown("block", name, BLOCKS))
    shown = f"\n\n![{SHOWN[name]}](figures/{FILES[name]})" if FILES.get(name) in pictures(store) else ""
    return BLOCKS[name](store) + shown
