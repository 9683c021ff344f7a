"""The interface of all estimators: their signature, their result, and the parts of a model that they may use.

    estimate(theta, objective, rng, **hyperparameters) -> Estimate(grad, decoder_term)

theta are the encoder's scores.  For independent variables they are h (B, n, k): n variables of k values each, one image
per row.  The estimate is of grad_theta E f(z*), where f(z) is the objective's score of a joint z, to be maximised.  For
independent variables this is grad_h E_q f, where q is the product of softmax(h_i).  The KL term is not estimated: it is
analytic, and the model adds it.
"""
from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import numpy as np

from refimpl.arguments import Options, Setting, Value
from refimpl.latent.family import Family
from refimpl.latent.independent import Independent


class DecoderTerm(Protocol):
    """The decoder's part of the loss in a step, from one z per image or from all joint values with weights."""

    def accumulate(self, weight: float = 1.0) -> None:
        """Add weight times the gradient of the batch's loss, -1/B sum_b f_b, to the decoder's parameter gradients."""


class Pass(DecoderTerm, Protocol):
    """Holds the result of running one z per image through the decoder."""

    z: np.ndarray
    """(B, n, k), one-hot or relaxed."""
    f: np.ndarray
    """(B,), in nats."""

    def df_dz(self) -> np.ndarray:
        """Return the gradient of each image's f with respect to its z, (B, n, k)."""


class Table(NamedTuple):
    """Holds f at z and at every joint value that differs from z in one coordinate."""

    f: np.ndarray
    """(B, n, k): f with z_i replaced by each of its values in turn and the other coordinates as in z.  For n = 1 this
    is f at all values."""
    at_z: DecoderTerm
    """The pass at z itself, from which the decoder learns."""


class JointTable(Protocol):
    """Holds f at every joint value."""

    f: np.ndarray
    """(B, k^n), in the order of joint.values."""

    def weighted(self, weights: np.ndarray) -> DecoderTerm:
        """Return the term from which the decoder learns at all joint values; weights (B, K) have rows that sum to 1."""


class Objective(Protocol):
    """The decoder with a batch of images, or a toy function: the only part of a model that an estimator may use."""

    evaluations: int
    """Number of decoder evaluations so far per image, i.e. how many values of f were computed for one image."""

    def run(self, z: np.ndarray, counted: bool = True) -> Pass:
        """Evaluate f at a joint z per image, (B, n, k), one-hot or relaxed.

        counted says whether this counts as an evaluation.  It does not if f is already known at z, and the pass is
        needed only for the decoder to learn.
        """

    def table(self, z: np.ndarray) -> Table:
        """Evaluate f at a one-hot z and at all single changes of it.  Raises ValueError if z is relaxed."""

    def joint_table(self) -> JointTable:
        """Evaluate f at all joint values."""


class Estimate(NamedTuple):
    """Holds grad, the estimate in the shape of theta in nats per image, and the term from which the decoder learns."""

    grad: np.ndarray
    decoder_term: DecoderTerm


Memory = dict[str, np.ndarray]
"""What an estimator has learnt so far (a baseline, a scale, a control variate).  The estimator changes the arrays in
place; the training loop keeps them and saves them with the run."""


def independent(family: Family) -> bool:
    """Serves independent variables only."""
    return isinstance(family, Independent)


def binary(family: Family) -> bool:
    """Serves independent variables of two values only."""
    return isinstance(family, Independent) and family.k == 2


def every_family(family: Family) -> bool:
    """Serves every family of latent variables."""
    return True


def relaxable(family: Family) -> bool:
    """Serves the families that have a relaxed arg max."""
    return family.relaxable


def noise_on_every_score(family: Family) -> bool:
    """Serves the families that add a Gumbel variable to every score."""
    return family.noise_on_every_score


@dataclass(frozen=True)
class Estimator:
    """An entry of the registry: an estimator's function and its properties."""

    name: str
    estimate: Callable[..., Estimate]
    summary: str
    unbiased: bool
    """Whether it claims E[grad] = grad_h E_q f, for every f."""
    bias_order: int | None = None
    """The order of its bias in eps: 1 for O(eps), 2 for O(eps^2); None if it has no eps, or if the bias does not vanish
    as eps -> 0."""
    hyperparameters: Mapping[str, Setting] = field(default_factory=dict)
    """Its hyperparameters by name; they are passed to estimate() as keywords."""
    serves: Callable[[Family], bool] = independent
    """Whether it serves a family of latent variables: one of the functions above, or another one.  An estimator that
    serves more than independent variables gets the family as the keyword `family`."""
    memory: Callable[[int, int], Memory] | None = None
    """Makes its memory for n variables of k values, which is passed as the keyword `memory`; None if it has none."""
    enumerates: bool = False
    """Whether it evaluates f at all k^n joint values."""
    released: Mapping[str, Value] = field(default_factory=dict)
    """The settings of a run (runs/settings.py) and the hyperparameters that the authors' code uses for it."""
    colour: str = "#5F5F5F"
    """The colour of its curves in every picture."""

    @property
    def temperature(self) -> str | None:
        """Return the hyperparameter that the released schedule changes, "eps" or "tau"; None if it has neither."""
        return next((name for name in ("eps", "tau") if name in self.hyperparameters), None)

    @property
    def defaults(self) -> Options:
        """Return the default of every hyperparameter."""
        return Options({name: setting.default for name, setting in self.hyperparameters.items()})

    def keywords(self, family: Family) -> dict[str, Family]:
        """Return the keyword `family` of estimate(), if the estimator serves more than independent variables."""
        return {} if self.serves in (independent, binary) else {"family": family}
