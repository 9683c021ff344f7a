"""Make the four tables for slide 33.  Two of them compare our accuracies and bounds with the paper's values."""
from __future__ import annotations

from functools import partial

from refimpl.experiments.paper import LABEL_EPOCHS, LABELLED, LABELS
from refimpl.experiments.pictures import by_label
from refimpl.experiments.training.semi_supervised import ESTIMATORS, IMAGE_WEIGHTS, LABEL_WEIGHTS, weights_label
from refimpl.report.markdown import table
from refimpl.report.store import Store, lengths, paired, spread
from refimpl.report.tables import NO_ROWS, plural, commits_line


def semi_supervised(store: Store, experiment: str = "semi-supervised", words: str = "") -> str:
    lines = []
    for dataset in filter(LABELLED.__contains__, store.datasets(experiment)):
        for place, labels in enumerate(LABELS):
            groups = {name: store.select(experiment, dataset, f"{name}, {labels} labels{words}")
                      for name in ESTIMATORS}
            epochs = lengths([group for group in groups.values() if group], "accuracy")
            if not epochs:
                continue
            line = [f"{dataset}, {labels}", str(epochs[0])]
            for name, group in groups.items():
                accuracy, bound = (LABELLED[dataset][name][which][place] for which in (0, 1))
                line += [spread(group, epochs[0], "accuracy", 100).text(2, " %") + f" ({accuracy:g} %)",
                         spread(group, epochs[0], "test_elbo").text() + f" ({bound:g})", str(len(group))]
            line += [paired(*groups.values(), epochs[0], "accuracy", 100).text(2, " %", "+"),
                     paired(*groups.values(), epochs[0], "test_elbo").text(2, "", "+")]
            lines.append(line)
    if not lines:
        return NO_ROWS.format(experiment)
    return (table(["labels", "epochs", "direct: accuracy", "direct: −ELBO", "seeds", "Gumbel-softmax: accuracy",
                   "Gumbel-softmax: −ELBO", "seeds", "direct minus Gumbel-softmax: accuracy",
                   "direct minus Gumbel-softmax: −ELBO"], lines)
            + "\n\nOur values are means ± half the width of the 95 % interval; the paper's values "
              f"({LABEL_EPOCHS} epochs) are in brackets. Each difference is between two runs with the same seed and "
              "the same labels. "
            + commits_line(store.select(experiment)))


def labelled_terms(store: Store) -> str:
    groups = by_label(store.select("labelled-terms", "mnist"))
    epochs = lengths(list(groups.values()), "accuracy")
    if not epochs:
        return NO_ROWS.format("labelled-terms")
    lines = [[label, spread(group, 0, "accuracy", 100).text(2, " %"),
              spread(group, epochs[0], "accuracy", 100).text(2, " %"), spread(group, epochs[0], "test_elbo").text()]
             for label, group in groups.items()]
    seeds = plural(len(next(iter(groups.values()))), "seed")
    after = f"after {plural(epochs[0], 'epoch')} on all images"
    head = ["variant", "after the labelled images alone", after, "−ELBO"]
    return (table(head, lines)
            + f"\n\nThe accuracies are on the test images of MNIST, for 100 labels and {seeds}"
            + (". " if seeds == "1 seed" else ", as means ± half the width of the 95 % interval. ")
            + commits_line(store.select("labelled-terms")))


def label_weights(store: Store) -> str:
    groups = by_label(store.select("label-weights", "mnist"))
    epochs = lengths(list(groups.values()), "valid_accuracy")
    if len(groups) < len(LABEL_WEIGHTS) * len(IMAGE_WEIGHTS) or not epochs:
        return NO_ROWS.format("label-weights")
    reached = {label: {part: spread(group, epochs[0], part, 100) for part in ("valid_accuracy", "accuracy")}
               for label, group in groups.items()}
    best = max(reached, key=lambda label: reached[label]["valid_accuracy"].mean)
    head = ["validation accuracy", *(f"image weight {of_image:g}" for of_image in IMAGE_WEIGHTS)]
    lines = [[f"label weight {of_label:g}",
              *(reached[weights_label(of_label, of_image)]["valid_accuracy"].text(2, " %")
                for of_image in IMAGE_WEIGHTS)] for of_label in LABEL_WEIGHTS]
    return (table(head, lines) + f"\n\nAll runs have 100 labels of MNIST, {plural(epochs[0], 'epoch')} on all "
            f"images and {plural(len(groups[best]), 'seed')}. The best pair ({best}) has the test accuracy "
            f"{reached[best]['accuracy'].text(2, ' %')}. " + commits_line(store.select("label-weights")))


BLOCKS = {"semi-supervised": semi_supervised, "labelled-terms": labelled_terms, "label-weights": label_weights,
          "label-steps": partial(semi_supervised, experiment="label-steps", words=", 1,200 steps")}
