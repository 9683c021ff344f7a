"""Define the runs of the command `train`, which trains an auto-encoder with discrete latent variables."""
from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from refimpl import data, estimators, joint, latent
from refimpl.arguments import InputError, Options, weight
from refimpl.estimators import relaxable
from refimpl.estimators.learning import SIGNALS, learning_from
from refimpl.latent import Family
from refimpl.models.bounds import DOUBLE_UP_TO, Bounds
from refimpl.models.vae import VAE
from refimpl.runs import streams
from refimpl.runs.protocol import Row, Run
from refimpl.runs.settings import WIDEST, RunSettings, check_options, setting

COLUMNS = ("epoch", "step", "train_elbo", "valid_elbo", "test_elbo", "test_log_likelihood", "gap", "eps_or_tau",
           "seconds")
NOT_A_BOUND = "released_loss_not_a_bound"


@dataclass(frozen=True)
class VAESettings(RunSettings):
    """Holds all settings of a run of `train`, except the number of epochs."""

    n: int = setting(1, "number of latent variables", least=1, most=200)
    k: int = setting(10, "number of values of each latent variable", least=2, most=WIDEST)
    hidden: int = setting(300, "width of both hidden layers", least=1, most=WIDEST)
    family: str = setting("independent", "family of the latent variables", choices=lambda: latent.REGISTRY)
    family_options: Options = setting(Options(), "of the family, by name")
    learn_from: str | None = setting(None, "what the decoder learns from (default: q for exact, tilted, capped and "
                                           "amplified; a relaxed sample for gumbel-softmax; z_star for all others)",
                                     choices=lambda: SIGNALS)
    kl_weight: float | None = setting(None, "weight of the KL term in the gradient (default: 1)", check=weight)
    optimiser: str | None = setting(None, "optimiser; momentum is Adam without its division by the size of the "
                                          "gradient (default: adam)", choices=lambda: ("adam", "momentum"))
    exact_every: int = setting(5, "number of epochs between exact test bounds if there are more than 1,024 joint "
                                  "values", least=1)

    def preset(self) -> dict[str, object]:
        family, options = latent.get(self.family), self._completed()
        preset = super().preset() | ({} if family.normalised else {"kl_grad": False})
        released = {name: value for name, value in family.released.items() if name in options}
        return preset | ({"family_options": Options(released)} if released else {})

    def _completed(self) -> Options:
        family = latent.get(self.family)
        check_options(family.options, self.family_options, f"the family {self.family}")
        completed = family.complete(self.n, self.k, self.family_options)
        return Options({name: value for name, value in completed.items() if value is not None})

    def _filled(self) -> VAESettings:
        estimator, family = estimators.get(self.estimator), latent.get(self.family)
        if self.n * self.k > WIDEST:
            raise InputError(f"--n times --k must be at most {WIDEST}, got {self.n * self.k}")
        if self.kl_weight is not None and self.kl_grad is False:
            raise InputError("--kl-weight needs the KL term in the gradient; leave out --no-kl-grad")
        settings = replace(self, family_options=self._completed())
        if not estimator.serves(settings.make_family()):
            able = ", ".join(name for name, entry in estimators.REGISTRY.items()
                             if entry.serves(settings.make_family()))
            raise InputError(f"--estimator {self.estimator} does not work with --family {self.family} and --k "
                             f"{self.k}. {estimator.serves.__doc__ or 'Its function serves says so.'} "
                             f"Use one of: {able}")
        if estimator.enumerates and self.n > 1:
            joint.require(self.n, self.k, joint.TRAINABLE, f"--estimator {self.estimator}",
                          "use direct, local-expectation or another that does not enumerate")
        if not family.normalised:
            return settings._without_a_law(estimator)
        if self.learn_from == "q":
            joint.require(self.n, self.k, joint.TRAINABLE, "--learn-from q", "use z_star")
        return replace(settings, kl_grad=self.kl_grad is not False)

    def _without_a_law(self, estimator: estimators.Estimator) -> VAESettings:
        if self.kl_grad or self.kl_weight is not None:
            given = "--kl-grad" if self.kl_grad else "--kl-weight"
            raise InputError(f"--family {self.family} has no KL term in closed form; leave out {given}")
        if estimator.serves is relaxable:
            joint.require(self.n, self.k, joint.COUNTABLE, f"{self.estimator} over joint values", "use direct")
        if self.learn_from is not None:
            raise InputError(f"--learn-from needs independent variables; leave it out with --family {self.family}")
        return replace(self, kl_grad=False)

    def make_family(self) -> Family:
        """Return the family of latent variables; the settings must be resolved."""
        return latent.get(self.family).create(self.n, self.k, **self.family_options)

    @property
    def exact_parts(self) -> tuple[str, ...]:
        """Return the names of the parts of the data set for which the bounds are computed by enumeration.

        With one variable or up to 1,024 joint values, all three names are returned.  With up to 65,536 joint values,
        only the test part is returned.  Otherwise the result is empty.  The settings must be resolved.
        """
        values = self.make_family().count()
        if values <= DOUBLE_UP_TO or self.n == 1:
            return "train", "valid", "test"
        return ("test",) if values <= joint.COUNTABLE else ()

    def label(self) -> str:
        estimator, family = estimators.get(self.estimator), self.make_family()
        words = [self.estimator, f"n = {self.n}, k = {self.k}" if self.n > 1 else f"k = {self.k}"]
        words += [family.label()] if family.label() else []
        own = [f"decoder learns from {self.learn_from}"] if self.learn_from else []
        own += ["momentum"] if self.optimiser == "momentum" else []
        if self.released:
            return ", ".join([*words, "as released", *own])
        if self.schedule == "released":
            words.append(f"{estimator.temperature} released")
        words += [f"{name} = {value:g}" if isinstance(value, (int, float)) else f"{name} = {value}"
                  for name, value in self.hyperparameters.items() if type(value) is not bool]
        words += [name.replace("_", " ") for name, value in self.hyperparameters.items() if value is True]
        words += [] if self.kl_grad or not family.normalised else ["no KL gradient"]
        words += [] if self.kl_weight is None else [f"KL weight {self.kl_weight:g}"]
        return ", ".join([*words, *own])


class VAERun(Run):
    """Trains an auto-encoder with discrete latent variables (the command `train`)."""

    COMMAND, SUMMARY = "train", "train a discrete variational auto-encoder"
    EXAMPLE = "--dataset fashion-mnist --estimator direct --k 10 --epochs 8"
    FORMAT = "refimpl run 4"
    SETTINGS = VAESettings
    EPOCHS = 10

    settings: VAESettings
    model: VAE

    def __init__(self, settings: VAESettings, model: VAE, rng: np.random.Generator) -> None:
        super().__init__(settings, model, rng)
        self.adam.momentum_only = settings.optimiser == "momentum"
        if settings.learn_from:
            self.estimator = learning_from(self.estimator, settings.learn_from)

    @classmethod
    def create(cls, settings: VAESettings, rng: np.random.Generator) -> VAERun:
        return cls(settings, VAE(settings.make_family(), settings.hidden, settings.pixels), rng)

    def step(self, x: np.ndarray) -> int:
        self.model.parameters.zero_grads()
        keywords = self.keywords(self.adam.t)
        kl_weight = 1.0 if self.settings.kl_weight is None else self.settings.kl_weight
        objective = self.model.backward(x, self.estimator, self.rng, self.settings.kl_grad, kl_weight, **keywords)
        self.adam.step()
        return objective.evaluations * len(x)

    @property
    def columns(self) -> tuple[str, ...]:
        if self.settings.n == 1:
            return COLUMNS + ("evaluations",)
        if not self.model.family.normalised:
            released = self.settings.released and self.model.family.has_unary_kl
            return COLUMNS + ((NOT_A_BOUND,) if released else ()) + ("evaluations",)
        return COLUMNS + ("sampled_elbo", "evaluations")

    @property
    def may_be_missing(self) -> tuple[str, ...]:
        several = ("train_elbo", "valid_elbo", "test_elbo", "test_log_likelihood", "gap") if self.settings.n > 1 else ()
        return (*super().may_be_missing, *several)

    def measure(self, dataset: data.Dataset, epoch: int, last: bool) -> Row:
        """Return the metrics that Run.measure describes.  Exact bounds that are not computed are NaN.

        If `exact_parts` contains all three parts, their bounds are computed at every call.  If it contains only the
        test part, its bounds are computed every `exact_every` epochs, and whenever `last` is True.  sampled_elbo uses
        one z per image.
        """
        settings, model = self.settings, self.model
        train = valid = test = Bounds(math.nan, math.nan, math.nan)
        if len(settings.exact_parts) == 3:
            train, valid, test = (model.bounds(part) for part in (dataset.train, dataset.valid, dataset.test))
        elif settings.exact_parts and (last or epoch % settings.exact_every == 0):
            test = model.bounds(dataset.test)
        temperature = settings.temperature(self.adam.t - 1)                                 # in the last step
        row = {"epoch": epoch, "step": self.adam.t, "train_elbo": train.elbo, "valid_elbo": valid.elbo,
               "test_elbo": test.elbo, "test_log_likelihood": test.log_likelihood, "gap": test.gap,
               "eps_or_tau": next(iter(temperature.values()), math.nan)}
        for name in ("sampled_elbo", NOT_A_BOUND):
            if name in self.columns:
                row[name] = model.sampled_elbo(dataset.test, streams.measuring(settings.seed, epoch))
        return row
