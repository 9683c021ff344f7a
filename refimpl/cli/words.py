"""Define the text that the command line prints about a run."""
from __future__ import annotations

import math

from refimpl import latent
from refimpl.runs import kind_of
from refimpl.runs.mixture import MixtureSettings, attribute_columns
from refimpl.runs.protocol import Row
from refimpl.runs.settings import RunSettings
from refimpl.runs.vae import NOT_A_BOUND, VAESettings

NARROWEST = 12                          # smallest width of a printed number, characters
EACH = 9                                # smallest width of the printed accuracy of one attribute, characters


class Words:
    """Makes the text about a run.  For some kinds of runs, a subclass makes a different text (see KINDS)."""

    def folder(self, settings: RunSettings) -> str:
        """Return the default name of the run's folder in runs/."""
        kind = kind_of(settings).COMMAND
        return f"{kind}-{settings.entry.name}-{settings.estimator}-seed{settings.seed}"

    def heading(self, settings: RunSettings) -> str:
        return f"{settings.entry.name}: {settings.label()}, seed {settings.seed}"

    def line(self, settings: RunSettings, row: Row) -> str:
        return ", ".join(f"{name} {value:.6g}" for name, value in row.items() if not math.isnan(value))

    def result(self, settings: RunSettings, row: Row) -> str:
        """Return the result of the run in a few words, from its last metrics `row`."""
        return self.line(settings, row)


class VAEWords(Words):
    def folder(self, settings: VAESettings) -> str:
        size = f"n{settings.n}-k{settings.k}" if settings.n > 1 else f"k{settings.k}"
        family = "".join(f"-{word}" for word in (settings.family, settings.family_options.get("solver")) if word)
        family = "" if settings.family == "independent" else family
        return f"{settings.entry.name}-{settings.estimator}{family}-{size}-seed{settings.seed}"

    def _shown(self, settings: VAESettings) -> list[tuple[str, str, int]]:
        """Return the title, the metric and the sign (1 or -1) of each printed column."""
        family, parts = latent.get(settings.family), settings.exact_parts
        shown = [(f"{part} -ELBO", f"{part}_elbo", -1) for part in parts if family.normalised]
        shown += [("test -log p(x)", "test_log_likelihood", -1)] if parts else []
        if family.normalised:
            return shown + ([("gap", "gap", 1)] if parts else []) + \
                ([("one-sample -ELBO", "sampled_elbo", -1)] if settings.n > 1 else [])
        released = settings.released and family.has_unary_kl        # the loss of the released code is no bound
        return shown + ([("unary-KL loss, no bound", NOT_A_BOUND, -1)] if released else [])

    def heading(self, settings: VAESettings) -> str:
        titles = "".join(f" {title:>{NARROWEST}s}" for title, _, _ in self._shown(settings))
        how = "exact by enumeration, unless the title says otherwise" if settings.exact_parts else \
            "nothing is exact: there are too many joint values to enumerate"
        return (f"{settings.entry.name}: {settings.label()}, seed {settings.seed}\n"
                f"nats per image; {how}\nepoch{titles}  seconds")

    def line(self, settings: VAESettings, row: Row) -> str:
        shown = [("" if math.isnan(row[name]) else f"{sign * row[name]:.2f}").rjust(max(NARROWEST, len(title)))
                 for title, name, sign in self._shown(settings)]
        return " ".join([f"{row['epoch']:5.0f}", *shown, f"{row['seconds']:8.1f}"])

    def result(self, settings: VAESettings, row: Row) -> str:
        name, words = "test_elbo", "-ELBO"
        if not latent.get(settings.family).normalised:
            name, words = "test_log_likelihood", "-log p(x)"
            if math.isnan(row[name]):
                return "no test bound, because there are too many joint values to enumerate"
        elif math.isnan(row["test_elbo"]):
            name, words = "sampled_elbo", "-ELBO (one sample)"
        return f"test {words} {-row[name]:.2f} nats"


class MixtureWords(Words):
    def folder(self, settings: MixtureSettings) -> str:
        return f"semi-supervised-{settings.entry.name}-{settings.estimator}-{settings.labels}-seed{settings.seed}"

    def _accuracy(self, settings: MixtureSettings) -> str:
        return "accuracy" if settings.labels else "accuracy (best match)"

    def heading(self, settings: MixtureSettings) -> str:
        start = "trained on the labelled images alone" if settings.labels else "untrained"
        attributes = settings.entry.attributes
        enumerated = "attributes" if attributes else "class"
        each = "".join(f" {name:>{EACH}s}" for name in attributes)
        return (f"{settings.entry.name}: {settings.label()}, seed {settings.seed}\n"
                f"test images; bound with the {enumerated} enumerated, in nats per image; epoch 0: {start}\n"
                f"epoch {self._accuracy(settings)} test -ELBO reconstruction class KL Gaussian KL  seconds{each}")

    def line(self, settings: MixtureSettings, row: Row) -> str:
        width = len(self._accuracy(settings)) - 2
        each = "".join(f" {100 * row[name]:{max(EACH, len(words)) - 2}.2f} %" for words, name in
                       zip(settings.entry.attributes, attribute_columns(settings.entry.attributes)))
        return (f"{row['epoch']:5.0f} {100 * row['accuracy']:{width}.2f} % {-row['test_elbo']:10.2f} "
                f"{-row['reconstruction']:14.2f} {row['class_kl']:8.2f} {row['gaussian_kl']:11.2f} "
                f"{row['seconds']:8.1f}{each}")

    def result(self, settings: MixtureSettings, row: Row) -> str:
        return f"test {self._accuracy(settings)} {100 * row['accuracy']:.2f} %, -ELBO {-row['test_elbo']:.2f} nats"


KINDS: dict[str, Words] = {"train": VAEWords(), "semi-supervised": MixtureWords()}


def words_of(kind: str) -> Words:
    return KINDS.get(kind, Words())
