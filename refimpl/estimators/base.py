"""What every estimator is: one signature, one result, and what it may ask of a model.

    estimate(theta, objective, rng, **settings) -> Estimate(grad, latent)

theta are the encoder's scores, for independent variables h (B, n, k): n variables of k values each, an image a row.
The estimate is of grad_theta E f(z*), for independent variables grad_h E_q f with q the product of softmax(h_i), and
f(z) the objective's score of a joint z, to be maximised.  A KL term is not the estimator's business: it is analytic,
and the model adds it.

Noise is shared by all coordinates of an image, and f(z) is the score of the whole joint z: every coordinate's gradient
sees it.
"""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import numpy as np


class Latent(Protocol):
    """What the decoder learns from, at the end of a step: a pass that was made, or a table and its weights."""

    def learn(self, weight: float = 1.0) -> None:
        """Add weight times the gradient of the batch's loss, -1/B sum_b f_b, to the decoder's parameter gradients."""


class Pass(Latent, Protocol):
    """One z an image, run through the decoder."""

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
    at_z: Latent
    """To learn from z itself, by the pass that was made for it."""


class JointTable(Protocol):
    """f of every joint value."""

    f: np.ndarray
    """(B, k^n), in the order of joint.values."""

    def weighted(self, weights: np.ndarray) -> Latent:
        """To learn from all joint values at once: weights (B, K), rows sum to 1."""


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
    """grad: the estimate, in the shape of theta, in nats an image.  latent: what the decoder learns from."""

    grad: np.ndarray
    latent: Latent


Memory = dict[str, np.ndarray]
"""What an estimator has learnt so far (a baseline, a scale, a control variate): arrays that it changes in place.
Whoever trains keeps them, and saves them with the run."""


@dataclass(frozen=True)
class Estimator:
    """An entry of the registry."""

    name: str
    estimate: Callable[..., Estimate]
    summary: str
    unbiased: bool
    """Whether it claims E[grad] = grad_h E_q f, for every f."""
    colour: str = "#5F5F5F"
    """Of its curves, in every picture."""
    setting: str | None = None
    """The keyword of its temperature-like setting, "eps" or "tau"; None where there is none."""
    default: float | None = None
    """The value of that setting unless the user says otherwise."""
    memory: Callable[[int, int], Memory] | None = None
    """Makes its memory for n variables of k values; it is then passed as the keyword `memory`."""
    any_family: bool = False
    """Whether it serves every family of latent variables (latent/family.py), passed as the keyword `family`; else only
    independent ones."""
    binary: bool = False
    """Whether it serves k = 2 only."""
    enumerates: bool = False
    """Whether it evaluates f at all k^n joint values."""
    released: dict[str, object] = field(default_factory=dict)
    """Settings of a run that the authors' code has for it (runs/settings.py)."""

    def keywords(self, family: object) -> dict[str, object]:
        """The keyword `family` of estimate(), for those that serve every family."""
        return {"family": family} if self.any_family else {}
