"""What every estimator is: one signature, one result, and what it may ask of a model.

    estimate(h, objective, rng, **settings) -> Estimate(grad_h, latent)

h (B, n, k) are the encoder's scores of n latent variables with k values each, an image a row.  The estimate is of
grad_h E_q f, where q is the product of softmax(h_i) and f(z) the objective's score of a joint z, to be maximised.
A KL term is not the estimator's business: it is analytic, and the model adds it.

Noise is shared by all coordinates of an image, and f(z) is the score of the whole joint z: every coordinate's gradient sees it.
"""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import numpy as np


class Objective(Protocol):
    """The decoder bound to a batch of images, or a toy function: all that an estimator may ask of a model."""

    evaluations: int
    """Decoder evaluations so far, an image: how many f's of one image were computed."""

    def score(self, z: np.ndarray) -> np.ndarray:
        """f at a joint z, (B, n, k) one-hot or relaxed, an image its own z.  Returns (B,) in nats."""

    def score_and_grad(self, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The same, and df/dz (B, n, k)."""

    def table(self, z: np.ndarray | None = None) -> np.ndarray:
        """(B, n, k): f with z_i replaced by each of its values in turn, the other coordinates as in the one-hot z.

        With n = 1 there are no other coordinates, and this is f of all values, by enumeration; z may be left out.
        """

    def joint_table(self) -> np.ndarray:
        """(B, k^n): f of every joint value, in the order of joint.values."""


@dataclass(frozen=True)
class Point:
    """The decoder learns from one z an image: z (B, n, k), one-hot or relaxed."""

    z: np.ndarray


@dataclass(frozen=True)
class Mixture:
    """The decoder learns from all joint values at once: weights (B, K), K = k^n in the order of joint.values, rows sum to 1."""

    weights: np.ndarray


class Estimate(NamedTuple):
    """grad_h (B, n, k): the estimate, in nats an image.  latent: what the decoder learns from."""

    grad_h: np.ndarray
    latent: Point | Mixture


Memory = dict[str, np.ndarray]
"""What an estimator has learnt so far (a baseline, a scale, a control variate): arrays that it changes in place.  Whoever
trains keeps them, and saves them with the run."""


@dataclass(frozen=True)
class Estimator:
    """An entry of the registry."""

    name: str
    estimate: Callable[..., Estimate]
    summary: str
    unbiased: bool
    """Whether it claims E[grad_h] = grad_h E_q f, for every f."""
    setting: str | None = None
    """The keyword of its temperature-like setting, "eps" or "tau"; None where there is none."""
    default: float | None = None
    """The value of that setting unless the user says otherwise."""
    memory: Callable[[int, int], Memory] | None = None
    """Makes its memory for n variables of k values; it is then passed as the keyword `memory`."""
    binary: bool = False
    """Whether it serves k = 2 only."""
    enumerates: bool = False
    """Whether it evaluates f at all k^n joint values."""
    as_released: dict[str, object] = field(default_factory=dict)
    """Further keywords that make it do what the released code does."""
