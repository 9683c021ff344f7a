"""What every family of latent variables is: all that direct optimisation asks of whatever it perturbs and arg-maxes.

    noisy = family.perturb(theta, rng)                          h + gamma
    z_star = family.argmax(noisy)                               z* = argmax_z noisy . features(z)
    z_eps = family.argmax(family.tilt(noisy, eps * table))      z*(eps), with the same noise
    (family.features(z_eps) - family.features(z_star)) / eps    grad h(z*(eps)) - grad h(z*), over eps: Theorem 1

The score of a joint value is linear in its parameters, h(z) = theta . features(z): features(z) is grad_theta h(z).
theta is an array with an image a row; z is (B, n, k), a one-hot vector a variable, as the decoder takes it.
"""
from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import NamedTuple

import numpy as np


class Relaxed(NamedTuple):
    """A sample between the corners: z (B, n, k), and back(df_dz) -> gradient in theta."""

    z: np.ndarray
    back: Callable[[np.ndarray], np.ndarray]


class Family(ABC):
    """n variables of k values.  A new family is one file with these members."""

    n: int
    k: int
    outputs: int
    """Numbers an image that the encoder has to give."""
    normalised: bool
    """Whether q(z), the law of the perturbed arg max, is known in closed form: then there is a KL term, and an ELBO."""
    noise_on_every_score: bool = False
    """Whether perturb() adds a Gumbel variable of its own to each number of theta.  Then a shift of a score is a shift
    of its noise, and the density of the noise can be differentiated in its place (estimators/perturbed.py)."""

    @property
    def start(self) -> np.ndarray:
        """(outputs,), added to the encoder's last bias when a model's weights are drawn: where its outputs start."""
        return np.zeros(self.outputs)

    def theta(self, out: np.ndarray) -> np.ndarray:
        """The family's parameters from the encoder's output (B, outputs)."""
        return out

    def back(self, out: np.ndarray, dtheta: np.ndarray) -> np.ndarray:
        """The chain rule of theta(): d/d out (B, outputs) from d/d theta."""
        return dtheta

    @abstractmethod
    def perturb(self, theta: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """theta with fresh Gumbel noise added.  Raises checks.NotFinite if theta is not finite."""

    def noise(self, theta: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """The noise alone that perturb() adds, from the same draws, in the shape of theta.

        Taken from noisy - theta it would have lost the digits that a large theta rounds away.  Raises NotFinite if
        theta is not finite, TypeError unless noise_on_every_score.
        """
        raise TypeError("family must perturb every score to have noise in the shape of its scores")

    @abstractmethod
    def argmax(self, theta: np.ndarray) -> np.ndarray:
        """The joint value of the highest score: z (B, n, k) one-hot, float64."""

    @abstractmethod
    def features(self, z: np.ndarray) -> np.ndarray:
        """grad_theta h(z), in the shape of theta."""

    @abstractmethod
    def tilt(self, theta: np.ndarray, table: np.ndarray) -> np.ndarray:
        """theta with scores (B, n, k) of each variable's single values added.  NotFinite if the table is not finite."""

    @abstractmethod
    def joint_argmax(self, theta: np.ndarray, table: np.ndarray) -> np.ndarray:
        """argmax of h(z) + table(z) over all k^n joint values, by enumeration.

        table (B, K) is in the order of joint.values.
        """

    @abstractmethod
    def relax(self, theta: np.ndarray, rng: np.random.Generator, tau: float) -> Relaxed:
        """A Gumbel-softmax sample, with its way back to theta.  tau as in checks.temperature."""

    @abstractmethod
    def kl(self, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
        """KL(q || uniform) (B,), and its gradient in theta; None where q has no closed form."""

    @abstractmethod
    def unary_kl(self, theta: np.ndarray) -> np.ndarray:
        """KL(prod_i softmax(scores of z_i alone) || uniform), (B,): kl() itself where nothing couples the variables."""

    def sample(self, theta: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """One z* an image, (B, n, k) one-hot."""
        return self.argmax(self.perturb(theta, rng))
