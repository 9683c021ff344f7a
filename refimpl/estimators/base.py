"""What every estimator is: one signature, one result, and what it may ask of a model.

    estimate(theta, objective, rng, **hyperparameters) -> Estimate(grad, decoder_term)

theta are the encoder's scores, for independent variables h (B, n, k): n variables of k values each, one image per row.
The estimate is of grad_theta E f(z*), for independent variables grad_h E_q f with q the product of softmax(h_i), and
f(z) the objective's score of a joint z, to be maximised.  A KL term is not the estimator's business: it is analytic,
and the model adds it.

Noise is shared by all coordinates of an image, and f(z) is the score of the whole joint z: every coordinate's gradient
sees it.
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
    """The decoder's part of the loss at the end of a step: one pass, or all joint values with their weights."""

    def accumulate(self, weight: float = 1.0) -> None:
        """Add weight times the gradient of the batch's loss, -1/B sum_b f_b, to the decoder's parameter gradients."""


class Pass(DecoderTerm, Protocol):
    """One z per image, run through the decoder."""

    z: np.ndarray
    """(B, n, k) one-hot or relaxed."""
    f: np.ndarray
    """(B,) in nats."""

    def df_dz(self) -> np.ndarray:
        """(B, n, k), an image at a time."""


class Table(NamedTuple):
    """f of z and of all z that differ from it in one coordinate."""

    f: np.ndarray
    """(B, n, k): f with z_i replaced by each of its values in turn, the other coordinates as in z.  For n = 1 there are
    no others, and this is f of all values, by enumeration."""
    at_z: DecoderTerm
    """The pass at z itself, for the decoder to learn from."""


class JointTable(Protocol):
    """f of every joint value."""

    f: np.ndarray
    """(B, k^n), in the order of joint.values."""

    def weighted(self, weights: np.ndarray) -> DecoderTerm:
        """All joint values at once, for the decoder to learn from: weights (B, K), rows sum to 1."""


class Objective(Protocol):
    """The decoder bound to a batch of images, or a toy function: all that an estimator may ask of a model."""

    evaluations: int
    """Decoder evaluations so far, an image: how many f's of one image were computed."""

    def run(self, z: np.ndarray, counted: bool = True) -> Pass:
        """f at a joint z, (B, n, k) one-hot or relaxed, an image its own z.

        counted: whether it is an evaluation; where f of this z is known already and the pass only serves to learn, no.
        """

    def table(self, z: np.ndarray) -> Table:
        """f around a one-hot z.  Raises ValueError if z is relaxed."""

    def joint_table(self) -> JointTable:
        """f of all joint values."""


class Estimate(NamedTuple):
    """grad: the estimate, in the shape of theta, in nats per image.  decoder_term: what the decoder learns from."""

    grad: np.ndarray
    decoder_term: DecoderTerm


Memory = dict[str, np.ndarray]
"""What an estimator has learnt so far (a baseline, a scale, a control variate): arrays that it changes in place.
Whoever trains keeps them, and saves them with the run."""


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
    """An entry of the registry: the function, and what it declares about itself."""

    name: str
    estimate: Callable[..., Estimate]
    summary: str
    unbiased: bool
    """Whether it claims E[grad] = grad_h E_q f, for every f."""
    bias_order: int | None = None
    """The order of its bias in eps: 1 for O(eps), 2 for O(eps^2); None where it has no eps, or where the bias does not
    vanish as eps -> 0."""
    hyperparameters: Mapping[str, Setting] = field(default_factory=dict)
    """Its hyperparameters by name; they are passed to estimate() as keywords."""
    serves: Callable[[Family], bool] = independent
    """Which families of latent variables it serves: one of the functions above, or another.  Those that serve more than
    independent variables are given the family as the keyword `family`."""
    memory: Callable[[int, int], Memory] | None = None
    """Makes its memory for n variables of k values; it is then passed as the keyword `memory`."""
    enumerates: bool = False
    """Whether it evaluates f at all k^n joint values."""
    released: Mapping[str, Value] = field(default_factory=dict)
    """The settings of a run (runs/settings.py) and the hyperparameters that the authors' code has for it."""
    colour: str = "#5F5F5F"
    """Of its curves, in every picture."""

    @property
    def temperature(self) -> str | None:
        """The hyperparameter that the released schedule moves, "eps" or "tau"; None if it has neither."""
        return next((name for name in ("eps", "tau") if name in self.hyperparameters), None)

    @property
    def defaults(self) -> Options:
        """The default of every hyperparameter."""
        return Options({name: setting.default for name, setting in self.hyperparameters.items()})

    def keywords(self, family: Family) -> dict[str, Family]:
        """The keyword `family` of estimate(), for those that serve more than independent variables."""
        return {} if self.serves in (independent, binary) else {"family": family}
