"""What every family of latent variables is: all that direct optimisation asks of whatever it perturbs and arg-maxes.

    noisy = family.perturb(theta, rng)                          h + gamma
    z_star = family.argmax(noisy)                               z* = argmax_z noisy . features(z)
    z_eps = family.argmax(family.tilt(noisy, eps * table))      z*(eps), with the same noise
    (family.features(z_eps) - family.features(z_star)) / eps    grad h(z*(eps)) - grad h(z*), over eps: Theorem 1

The score of a joint value is linear in its parameters, h(z) = theta . features(z): features(z) is grad_theta h(z).
theta is an array with one row per image; z (B, n, k) has one one-hot vector per variable, as the decoder takes it.
"""
from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import ClassVar, NamedTuple

import numpy as np

from refimpl import joint
from refimpl.arguments import Setting, Value, finite


class Relaxed(NamedTuple):
    """A sample between the corners: z (B, n, k), and back(df_dz) -> gradient in theta."""

    z: np.ndarray
    back: Callable[[np.ndarray], np.ndarray]


class Family(ABC):
    """n variables of k values.  A new family is one file with these members, and one entry in latent.REGISTRY."""

    options: ClassVar[Mapping[str, Setting]] = {}
    """What a user may choose beside n and k, by name: the keywords of create()."""
    released: ClassVar[Mapping[str, Value]] = {}
    """The options that the authors' code has."""

    n: int
    k: int
    outputs: int
    """How many numbers the encoder has to give for each image."""
    normalised: bool
    """Whether q(z), the law of the perturbed arg max, is known in closed form: then there is a KL term, and an ELBO."""
    relaxable: bool = True
    """Whether it has a relaxed arg max: relax()."""
    has_unary_kl: bool = True
    """Whether each variable has a law of its own scores alone: unary_kl()."""
    noise_on_every_score: bool = False
    """Whether perturb() adds a Gumbel variable of its own to each number of theta.  Then a shift of a score is a shift
    of its noise, and the density of the noise can be differentiated in its place (estimators/perturbed.py)."""

    @classmethod
    def complete(cls, n: int, k: int, options: Mapping[str, Value]) -> dict[str, Value]:
        """All options, the user's own and the defaults of the others, for n variables of k values; None where an option
        plays no part.

        Raises InputError, one line that names the option, if one is not allowed or does not go with n and k.
        """
        defaults = {name: setting.default for name, setting in cls.options.items()}
        return defaults | {name: cls.options[name].check(name, value) for name, value in options.items()}

    @classmethod
    def create(cls, n: int, k: int, **options: Value) -> Family:
        """The family of n variables of k values with these options, as complete() returns them but for those that are
        None."""
        return cls(n, k, **options)

    def label(self) -> str:
        """A few words for the legend of a picture; empty for the family that every reader expects."""
        return ""

    def values(self, dtype: np.dtype = np.float64) -> np.ndarray:
        """Every joint value that the family can take, (K, n k), one-hot: the prior is uniform on them.

        Raises InputError, one line, if they are too many to be listed.
        """
        joint.require(self.n, self.k, joint.COUNTABLE, "listing every z", "use fewer variables")
        return joint.one_hots(self.n, self.k, dtype)

    def count(self) -> int:
        """How many joint values there are."""
        return joint.count(self.n, self.k)

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
        """theta with fresh Gumbel noise added.  Raises arguments.NotFinite if theta is not finite."""

    def noise(self, theta: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """The noise alone that perturb() adds, from the same draws, in the shape of theta.

        The difference perturb(theta) - theta would have lost the digits that a large theta rounds away.  Raises
        NotFinite if theta is not finite, TypeError unless noise_on_every_score.
        """
        if not self.noise_on_every_score:
            raise TypeError("family must perturb every score to have noise in the shape of its scores")
        return self.perturb(np.zeros_like(finite("h", theta)), rng)

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

    def relax(self, theta: np.ndarray, rng: np.random.Generator, tau: float) -> Relaxed:
        """A Gumbel-softmax sample, with its way back to theta.  tau as in arguments.temperature.

        TypeError for a family that is not relaxable."""
        raise TypeError(f"{type(self).__name__} has no relaxed arg max: use direct or imle")

    def kl(self, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
        """KL(q || uniform) (B,), and its gradient in theta; None where q has no closed form."""
        return None

    def unary_kl(self, theta: np.ndarray) -> np.ndarray:
        """KL(prod_i softmax(scores of z_i alone) || uniform), (B,): kl() itself where nothing couples the variables.
        TypeError for a family whose variables have no law of their own."""
        raise TypeError(f"{type(self).__name__} has no law of each variable alone")

    def sample(self, theta: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """One z* per image, (B, n, k) one-hot."""
        return self.argmax(self.perturb(theta, rng))
