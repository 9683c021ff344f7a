"""The interface of all estimators: their signature, their result, and the parts of a model that they may use.

    estimate(theta, objective, rng, **hyperparameters) -> Estimate(grad, decoder_term)

theta holds the encoder's scores, with one row per image.  For independent variables, theta is an array h of shape
(B, n, k): the scores of n variables with k values each.  `grad` is an estimate of grad_theta E f(z*).  Here f(z) is a
number that the objective computes for a joint value z.  A larger f(z) is better.  For independent variables, `grad`
estimates grad_h E_q f, where q is the product of all softmax(h_i).  The gradient of the KL term is not estimated: the
model computes it from a formula.
"""
from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import numpy as np

from refimpl.arguments import InputError, Options, Setting, Value
from refimpl.latent.family import Family
from refimpl.latent.independent import Independent


class DecoderTerm(Protocol):
    """The decoder's part of the loss.  It uses f at one z per image, or a weighted sum of f over all joint values."""

    def accumulate(self, weight: float = 1.0) -> None:
        """Add `weight` times the gradient of this part of the loss to the gradients stored in the decoder."""


class Pass(DecoderTerm, Protocol):
    """Holds the decoder's result for one z per image.  The decoder's part of the loss is -1/B sum_b f_b."""

    z: np.ndarray
    """An array of shape (B, n, k): one z for each image, one-hot or relaxed."""
    f: np.ndarray
    """An array of shape (B,): the score f of each z, in nats."""

    def df_dz(self) -> np.ndarray:
        """Return an array of shape (B, n, k): df/dz for each image."""


class Table(NamedTuple):
    """Holds f at z and at every joint value that differs from z in one coordinate."""

    f: np.ndarray
    """A table of shape (B, n, k).  Its entry (b, i, c) is f for image b at the joint value z with z_i replaced by c.
    If n = 1, the table holds f at all values."""
    at_z: DecoderTerm
    """The decoder's part of the loss, computed at z itself."""


class JointTable(Protocol):
    """Holds f at every joint value."""

    f: np.ndarray
    """An array of shape (B, k^n): f at every joint value, in the order of joint.values."""

    def weighted(self, weights: np.ndarray) -> DecoderTerm:
        """Return the decoder's part of the loss, -1/B sum_b sum_z w_b(z) f_b(z).

        `weights` holds w and has shape (B, k^n).  Each row sums to 1.
        """


class Objective(Protocol):
    """The part of a model that an estimator may use: a decoder with a batch of images, or a toy function."""

    evaluations: int
    """The number of decoder evaluations so far: how many values of f have been computed for each image."""

    def run(self, z: np.ndarray, counted: bool = True) -> Pass:
        """Evaluate f at one joint value per image.  z has shape (B, n, k), and is one-hot or relaxed.

        If `counted` is True, the pass counts as an evaluation.  Set `counted` to False if f is already known at z.  In
        that case, the pass serves to train the decoder and not to compute f.
        """

    def table(self, z: np.ndarray) -> Table:
        """Evaluate f at z and at all joint values that differ from z in one coordinate.

        z has shape (B, n, k) and is one-hot.  Raises ValueError if z is relaxed.
        """

    def joint_table(self) -> JointTable:
        """Evaluate f at all joint values."""


class Estimate(NamedTuple):
    """Holds an estimate and the decoder's part of the loss.  `grad` has the shape of theta, in nats per image."""

    grad: np.ndarray
    decoder_term: DecoderTerm


Memory = dict[str, np.ndarray]
"""Named arrays that hold what an estimator has learnt so far: a baseline, a scale or a control variate.  The
estimator changes the arrays in place.  The training loop saves them with the run."""


def independent(family: Family) -> bool:
    """The estimator works only for independent variables."""
    return isinstance(family, Independent)


def binary(family: Family) -> bool:
    """The estimator works only for independent variables with two values."""
    return isinstance(family, Independent) and family.k == 2


def every_family(family: Family) -> bool:
    """The estimator works for every family of latent variables."""
    return True


def relaxable(family: Family) -> bool:
    """The estimator works only for families with a relaxed arg max."""
    return family.relaxable


def noise_on_every_score(family: Family) -> bool:
    """The estimator works only for families that add a Gumbel variable to every score."""
    return family.noise_on_every_score


@dataclass(frozen=True)
class Estimator:
    """Describes an estimator: its function and its properties."""

    name: str
    estimate: Callable[..., Estimate]
    summary: str
    unbiased: bool
    """Whether E[grad] = grad_h E_q f for every f."""
    bias_order: int | None = None
    """The order of the bias in eps: 1 for O(eps), 2 for O(eps^2).  None if the estimator has no eps, or if its bias
    does not vanish as eps -> 0."""
    hyperparameters: Mapping[str, Setting] = field(default_factory=dict)
    """The hyperparameters by name, which are passed to estimate() as keywords."""
    serves: Callable[[Family], bool] = independent
    """A function, such as binary or every_family, that returns whether the estimator can be used for a family of latent
    variables.  Estimators that also work for families other than independent variables have a keyword `family`."""
    memory: Callable[[int, int], Memory] | None = None
    """A function that makes the initial memory for n variables of k values.  The memory is passed to estimate() as the
    keyword `memory`.  None if the estimator has no memory."""
    enumerates: bool = False
    """Whether the estimator evaluates f at all k^n joint values."""
    released: Mapping[str, Value] = field(default_factory=dict)
    """The values that the authors' code uses for the settings of a run (runs/settings.py) and the hyperparameters."""
    colour: str = "#5F5F5F"
    """The colour of the estimator's curves in every picture, as "#RRGGBB"."""

    def __post_init__(self) -> None:
        if not isinstance(self.unbiased, bool):
            raise TypeError(f"unbiased must be True or False, got {self.unbiased!r}")
        if not re.fullmatch("#[0-9A-Fa-f]{6}", self.colour):
            raise ValueError(f"colour must be a string such as '#D55E00', got {self.colour!r}")

    @property
    def temperature(self) -> str | None:
        """Return "eps" or "tau" if the estimator has a hyperparameter of this name, otherwise None."""
        return next((name for name in ("eps", "tau") if name in self.hyperparameters), None)

    @property
    def defaults(self) -> Options:
        """Return the default of every hyperparameter."""
        return Options({name: setting.default for name, setting in self.hyperparameters.items()})

    def checked_estimate(self, theta: np.ndarray, objective: Objective, rng: np.random.Generator,
                         **settings) -> Estimate:
        """Return estimate(theta, objective, rng, **settings).

        Raises InputError if the result is not an Estimate, if its gradient is not finite, or if the gradient does not
        have the shape of theta.
        """
        result = self.estimate(theta, objective, rng, **settings)
        if not (isinstance(result, tuple) and len(result) == 2 and hasattr(result[1], "accumulate")):
            raise InputError(f"the estimator {self.name} must return Estimate(grad, decoder_term), "
                             f"got {type(result).__name__}")
        if np.shape(result[0]) != theta.shape:
            raise InputError(f"the estimator {self.name} must return a gradient of the shape of theta, {theta.shape}, "
                             f"got {np.shape(result[0])}")
        if not np.isfinite(result[0]).all():
            raise InputError(f"the estimator {self.name} returned a gradient that contains NaN or infinity; "
                             "if this happens only after many steps, training diverged: try a smaller --lr")
        return result

    def keywords(self, family: Family) -> dict[str, Family]:
        """Return {"family": family}, or {} if the estimator works only for independent variables."""
        return {} if self.serves in (independent, binary) else {"family": family}
