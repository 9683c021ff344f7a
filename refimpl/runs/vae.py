"""`train`: the auto-encoder with one or many discrete latent variables, independent or with pair scores."""
from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from refimpl import data, estimators, joint
from refimpl.checks import InputError
from refimpl.estimators.learning import SIGNALS, learning_from
from refimpl.latent import solvers
from refimpl.latent.family import Family
from refimpl.latent.independent import Independent
from refimpl.latent.pairwise import Pairwise
from refimpl.models.bounds import DOUBLE_UP_TO, Bounds
from refimpl.models.vae import VAE
from refimpl.runs import streams
from refimpl.runs.protocol import Row, Run
from refimpl.runs.settings import WIDEST, RunSettings, option, setting

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLUMNS = ("epoch", "step", "train_elbo", "valid_elbo", "test_elbo", "test_log_likelihood", "gap", "eps_or_tau",
           "seconds")
NOT_A_BOUND = "released_loss_not_a_bound"
PAIR_START = -3.0                       # softplus(-3) = 0.05: at the start the variables hardly pull on each other


NARROWEST = 12                          # columns of a printed number
SHOWN = 2_000                           # test images that say which joint values samples.png shows


def _digits(value: np.ndarray, k: int) -> str:
    """A joint value as its variables' values one after the other, at most 15 a line."""
    digits = [f"{digit}" for digit in value]
    text = "".join(digits) if k <= 10 else ",".join(digits)
    return text if len(text) <= 15 else text[:14] + "…"


@dataclass(frozen=True)
class VAESettings(RunSettings):
    """All that determines a run of `train`, but for its length.

    structure "pairwise": pair scores beside the unary ones, arg max by `solver`; non_negative: through a softplus.
    """

    n: int = setting(1, "number of latent variables", least=1, most=200)
    k: int = setting(10, "values of each latent variable", least=2, most=WIDEST)
    hidden: int = setting(300, "width of both hidden layers", least=1, most=WIDEST)
    structure: str | None = setting(None, "pair scores in the encoder; needs --k 2 and --n above 1",
                                    choices=lambda: ("pairwise",))
    solver: str | None = setting(None, "arg max of a structured encoder (default: maxflow)",
                                 choices=lambda: solvers.REGISTRY)
    non_negative: bool | None = setting(None, "pair scores through a softplus (default: yes, but for milp)")
    pair_start: float | None = setting(None, "where pair scores start, before their softplus (default: -3, that is "
                                             "w = 0.05; released: 0, that is w = 0.7)", least=-30, most=30)
    learn_from: str | None = setting(None, "what the decoder learns from (default: the estimator's own choice)",
                                     choices=lambda: SIGNALS)
    exact_every: int = setting(5, "with more than 1,024 joint values: epochs between exact test bounds", least=1)

    def preset(self) -> dict[str, object]:
        made = super().preset() | ({"kl_grad": False} if self.structure else {})
        return made | ({"pair_start": 0.0} if self.structure and self._softplus() else {})

    def _softplus(self) -> bool:
        """Whether pair scores go through a softplus: as said, or else wherever the solver does not take any sign."""
        return self.non_negative if self.non_negative is not None else (self.solver or "maxflow") != "milp"

    def _filled(self) -> VAESettings:
        estimator = estimators.get(self.estimator)
        if self.n * self.k > WIDEST:
            raise InputError(f"--n times --k must be at most {WIDEST}, got {self.n * self.k}")
        if estimator.binary and self.k != 2:
            raise InputError(f"--estimator {self.estimator} serves binary variables only; use --k 2, got --k {self.k}")
        if estimator.enumerates and self.n > 1:
            joint.require(self.n, self.k, joint.TRAINABLE, f"--estimator {self.estimator}",
                          "use direct, local-expectation or another that does not enumerate")
        if self.structure:
            return self._structured(estimator)
        for name in ("solver", "non_negative", "pair_start"):
            if getattr(self, name) is not None:
                raise InputError(f"{option(name)} goes with --structure pairwise only")
        if self.learn_from == "q":
            joint.require(self.n, self.k, joint.TRAINABLE, "--learn-from q", "use z_star")
        return replace(self, kl_grad=self.kl_grad is not False)

    def _structured(self, estimator: estimators.Estimator) -> VAESettings:
        if self.k != 2:
            raise InputError(f"--structure pairwise needs binary variables, --k 2, got --k {self.k}")
        if not estimator.any_family:
            able = ", ".join(name for name, entry in estimators.REGISTRY.items() if entry.any_family)
            raise InputError(f"--estimator {self.estimator} does not serve a structured encoder; {able} do")
        if self.kl_grad:
            raise InputError("a structured encoder has no KL term in closed form; leave out --kl-grad")
        solver = solvers.get(self.solver or "maxflow")
        if not 2 <= self.n <= solver.most:
            raise InputError(f"--n must be in 2 ... {solver.most} for --solver {solver.name}, got {self.n}")
        if self.estimator == "gumbel-softmax":
            joint.require(self.n, 2, joint.COUNTABLE, "gumbel-softmax over joint values", "use direct")
        if self.learn_from is not None:
            raise InputError("--learn-from needs independent variables; leave it out with --structure")
        non_negative = self._softplus()
        if solver.non_negative and not non_negative:
            raise InputError(f"--solver {solver.name} needs pair scores that are not negative; leave out "
                             "--no-non-negative, or use --solver milp or enumeration")
        if self.pair_start is not None and not non_negative:
            raise InputError("--pair-start is where a softplus starts, and these pair scores have none; leave it out")
        start = (PAIR_START if self.pair_start is None else self.pair_start) if non_negative else None
        return replace(self, kl_grad=False, solver=solver.name, non_negative=non_negative, pair_start=start)

    def family(self) -> Family:
        """The latent variables, of resolved settings."""
        if self.structure:
            return Pairwise(self.n, solvers.get(self.solver), self.non_negative, self.pair_start or 0.0)
        return Independent(self.n, self.k)

    def label(self) -> str:
        """A few words for the legend of a picture."""
        words = [self.estimator, f"n = {self.n}, k = {self.k}" if self.n > 1 else f"k = {self.k}"]
        if self.structure:
            words.append(f"pairwise by {self.solver}" + ("" if self.non_negative else ", any sign"))
        if self.released:
            return ", ".join([*words, "as released"])
        name = estimators.get(self.estimator).setting
        if name:
            words.append(f"{name} released" if self.schedule == "released" else f"{name} = {getattr(self, name):g}")
        words += ["batch's mean score"] if self.batch_mean else []
        words += [] if self.kl_grad or self.structure else ["no KL gradient"]
        words += [f"decoder learns from {self.learn_from}"] if self.learn_from else []
        words += [f"pairs start at {self.pair_start:g}"] if self.pair_start not in (None, PAIR_START) else []
        return ", ".join(words)


class VAERun(Run):
    """A run of `train` under way."""

    COMMAND, SUMMARY = "train", "train a discrete variational auto-encoder"
    FORMAT = "refimpl run 3"
    SETTINGS = VAESettings
    EPOCHS = 10

    settings: VAESettings
    model: VAE

    def __init__(self, settings: VAESettings, model: VAE, rng: np.random.Generator) -> None:
        super().__init__(settings, model, rng)
        if settings.learn_from:
            self.estimator = learning_from(self.estimator, settings.learn_from)

    @classmethod
    def blank(cls, settings: VAESettings, rng: np.random.Generator) -> VAERun:
        return cls(settings, VAE(settings.family(), settings.hidden, settings.pixels), rng)

    def step(self, x: np.ndarray) -> int:
        """Forward, backward (models/vae.py), Adam on one batch."""
        self.model.parameters.zero_grads()
        keywords = self.keywords(self.adam.t)
        objective = self.model.backward(x, self.estimator, self.rng, self.settings.kl_grad, **keywords)
        self.adam.step()
        return objective.evaluations * len(x)

    @property
    def columns(self) -> tuple[str, ...]:
        """COLUMNS, and more behind them where there are several latent variables."""
        if self.settings.n == 1:
            return COLUMNS + ("evaluations",)
        if not self.model.family.normalised:
            return COLUMNS + ((NOT_A_BOUND,) if self.settings.released else ()) + ("evaluations",)
        return COLUMNS + ("sampled_elbo", "evaluations")

    @property
    def may_be_missing(self) -> tuple[str, ...]:
        """Exact bounds too, where there are several latent variables."""
        several = ("train_elbo", "valid_elbo", "test_elbo", "test_log_likelihood", "gap") if self.settings.n > 1 else ()
        return (*super().may_be_missing, *several)

    def measure(self, dataset: data.Dataset, epoch: int, last: bool) -> Row:
        """Bounds are exact, by enumeration, whatever the estimator; NaN where none was computed.

        Up to 1,024 joint values all three parts are measured each epoch.  Beyond, and up to 65,536, the test images
        every exact_every epochs and at the end, so that a run which was once shorter keeps an exact row at its old
        end.  sampled_elbo, one z an image, is there each epoch; its noise is a generator's of its own.
        """
        settings, model = self.settings, self.model
        values = joint.count(settings.n, settings.k)
        train = valid = test = Bounds(math.nan, math.nan, math.nan)
        if values <= DOUBLE_UP_TO or settings.n == 1:
            train, valid, test = (model.bounds(part) for part in (dataset.train, dataset.valid, dataset.test))
        elif values <= joint.COUNTABLE and (last or epoch % settings.exact_every == 0):
            test = model.bounds(dataset.test)
        temperature = settings.temperature(self.adam.t - 1)                                 # of the last step made
        row = {"epoch": epoch, "step": self.adam.t, "train_elbo": train.elbo, "valid_elbo": valid.elbo,
               "test_elbo": test.elbo, "test_log_likelihood": test.log_likelihood, "gap": test.gap,
               "eps_or_tau": next(iter(temperature.values()), math.nan)}
        for name in ("sampled_elbo", NOT_A_BOUND):
            if name in self.columns:
                row[name] = model.sampled_elbo(dataset.test, streams.measuring(settings.seed, epoch))
        return row

    def pictures(self, rows: Sequence[Row], dataset: data.Dataset) -> dict[str, Figure]:
        """curves.png, and samples.png: every value of a single latent variable, or the 100 joint values that the test
        images use most, each once, named by its digits and the share of images that take it."""
        from refimpl.plots import curves, images

        settings, model = self.settings, self.model
        names = None
        if settings.n == 1:
            logits = model.decode_all()
        else:
            x = dataset.test.images(slice(0, SHOWN), model.dtype)
            z = model.draw(x, streams.samples(settings.seed)).argmax(axis=-1)
            values, counts = np.unique(z, axis=0, return_counts=True)
            most = np.argsort(-counts, kind="stable")[:100]
            hots = np.eye(settings.k)[values[most]].reshape(len(most), -1)
            logits = model.decoder.forward(hots.astype(model.dtype))
            names = [_digits(value, settings.k) + f"\n{count / len(x):.1%}"
                     for value, count in zip(values[most], counts[most])]
        return {"curves.png": curves.bounds(rows, settings.label(), settings.entry.name),
                "samples.png": images.tiles(logits, settings.entry.name, settings.label(), names, settings.shape)}

    # --- in words -----------------------------------------------------------------------------------------------------

    @classmethod
    def folder(cls, settings: VAESettings) -> str:
        size = f"n{settings.n}-k{settings.k}" if settings.n > 1 else f"k{settings.k}"
        structure = f"-{settings.structure}-{settings.solver}" if settings.structure else ""
        return f"{settings.entry.name}-{settings.estimator}{structure}-{size}-seed{settings.seed}"

    @classmethod
    def _shown(cls, settings: VAESettings) -> list[tuple[str, str, int]]:
        """(title, column, sign) of what is printed."""
        if not settings.family().normalised:    # what the released code calls its loss is not a bound on anything
            more = [("unary-KL loss, no bound", NOT_A_BOUND, -1)] if settings.released else []
            return [("test -log p(x)", "test_log_likelihood", -1), *more]
        more = [("one-sample -ELBO", "sampled_elbo", -1)] if settings.n > 1 else []
        return [("train -ELBO", "train_elbo", -1), ("valid -ELBO", "valid_elbo", -1), ("test -ELBO", "test_elbo", -1),
                ("test -log p(x)", "test_log_likelihood", -1), ("gap", "gap", 1), *more]

    @classmethod
    def heading(cls, settings: VAESettings) -> str:
        titles = " ".join(f"{title:>{NARROWEST}s}" for title, _, _ in cls._shown(settings))
        return (f"{settings.entry.name}: {settings.label()}, seed {settings.seed}\n"
                f"exact by enumeration, nats an image\nepoch {titles}  seconds")

    @classmethod
    def line(cls, settings: VAESettings, row: Row) -> str:
        shown = [("" if math.isnan(row[name]) else f"{sign * row[name]:.2f}").rjust(max(NARROWEST, len(title)))
                 for title, name, sign in cls._shown(settings)]
        return " ".join([f"{row['epoch']:5.0f}", *shown, f"{row['seconds']:8.1f}"])

    @classmethod
    def result(cls, settings: VAESettings, row: Row) -> str:
        name, words = "test_elbo", "-ELBO"
        if not settings.family().normalised:
            name, words = "test_log_likelihood", "-log p(x)"
        elif math.isnan(row["test_elbo"]):
            name, words = "sampled_elbo", "-ELBO (one sample)"
        return f"test {words} {-row[name]:.2f} nats"
