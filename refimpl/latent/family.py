"""The interface of all families of latent variables: the operations that direct optimisation needs.

    noisy = family.perturb(theta, rng)                          h + gamma
    z_star = family.argmax(noisy)                               z* = argmax_z noisy . features(z)
    z_eps = family.argmax(family.tilt(noisy, eps * table))      z*(eps), with the same noise
    (family.features(z_eps) - family.features(z_star)) / eps    grad h(z*(eps)) - grad h(z*), over eps: Theorem 1

The score of a joint value is linear in its parameters, h(z) = theta . features(z), so features(z) is grad_theta h(z).
theta has one row per image.  z, (B, n, k), has one one-hot vector per variable and is the input of the decoder.
"""
from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import ClassVar, NamedTuple

import numpy as np

from refimpl import joint
from refimpl.arguments import Setting, Value, finite


class Relaxed(NamedTuple):
    """Holds a relaxed sample z, (B, n, k), and a function that turns df/dz into the gradient with respect to theta."""

    z: np.ndarray
    back: Callable[[np.ndarray], np.ndarray]


class Family(ABC):
    """The base class of n variables of k values.  A new family is one file with these members and one entry in
    latent.REGISTRY."""

    options: ClassVar[Mapping[str, Setting]] = {}
    """The options that a user may choose besides n and k, by name: the keywords of create()."""
    released: ClassVar[Mapping[str, Value]] = {}
    """The options that the authors' code uses."""

    n: int
    k: int
    outputs: int
    """How many numbers the encoder returns for each image."""
    normalised: bool
    """Whether q(z), the law of the perturbed arg max, is known in closed form: then there is a KL term, and an ELBO."""
    relaxable: bool = True
    """Whether it has a relaxed arg max, relax()."""
    has_unary_kl: bool = True
    """Whether each variable alone has a law that its own scores define, so that unary_kl() exists."""
    noise_on_every_score: bool = False
    """Whether perturb() adds a separate Gumbel variable to each number of theta.  Then shifting a score is shifting its
    noise, and the density of the noise can be differentiated instead (estimators/perturbed.py)."""

    @classmethod
    def complete(cls, n: int, k: int, options: Mapping[str, Value]) -> dict[str, Value]:
        """Return all options, with defaults for those that the user did not give; None for one that has no effect.

        Raises InputError, which names the option, if an option is not allowed or does not fit n and k.
        """
        defaults = {name: setting.default for name, setting in cls.options.items()}
        return defaults | {name: cls.options[name].check(name, value) for name, value in options.items()}

    @classmethod
    def create(cls, n: int, k: int, **options: Value) -> Family:
        """Return the family of n variables of k values with the options of complete() that are not None."""
        return cls(n, k, **options)

    def label(self) -> str:
        """Return a few words for the legend of a picture; they are empty for independent variables."""
        return ""

    def values(self, dtype: np.dtype = np.float64) -> np.ndarray:
        """Return every joint value of the family, one-hot, (K, n k); the prior is uniform on them.

        Raises InputError if there are too many to be listed.
        """
        joint.require(self.n, self.k, joint.COUNTABLE, "listing every z", "use fewer variables")
        return joint.one_hots(self.n, self.k, dtype)

    def count(self) -> int:
        """Return the number of joint values."""
        return joint.count(self.n, self.k)

    @property
    def start(self) -> np.ndarray:
        """Return the initial bias (outputs,) of the encoder's outputs, which is added when the weights are drawn."""
        return np.zeros(self.outputs)

    def theta(self, out: np.ndarray) -> np.ndarray:
        """Return the family's parameters for the encoder's output, (B, outputs)."""
        return out

    def back(self, out: np.ndarray, dtheta: np.ndarray) -> np.ndarray:
        """Turn a gradient with respect to theta into one with respect to the encoder's output, (B, outputs)."""
        return dtheta

    @abstractmethod
    def perturb(self, theta: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Return theta with newly drawn Gumbel noise added.  Raises arguments.NotFinite if theta is not finite."""

    def noise(self, theta: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Return the noise that perturb() would add, from the same draws, in the shape of theta.

        The difference perturb(theta) - theta would lose digits if theta is large.  Raises NotFinite if theta is not
        finite, TypeError unless noise_on_every_score.
        """
        if not self.noise_on_every_score:
            raise TypeError("family must perturb every score to have noise in the shape of its scores")
        return self.perturb(np.zeros_like(finite("h", theta)), rng)

    @abstractmethod
    def argmax(self, theta: np.ndarray) -> np.ndarray:
        """Return the joint value with the highest score, one-hot, (B, n, k), float64."""

    @abstractmethod
    def features(self, z: np.ndarray) -> np.ndarray:
        """Return grad_theta h(z), in the shape of theta."""

    @abstractmethod
    def tilt(self, theta: np.ndarray, table: np.ndarray) -> np.ndarray:
        """Return theta with scores (B, n, k) of single values added.  Raises NotFinite if the table is not finite."""

    @abstractmethod
    def joint_argmax(self, theta: np.ndarray, table: np.ndarray) -> np.ndarray:
        """Return argmax of h(z) + table(z) by enumeration; table, (B, K), is in the order of joint.values."""

    def relax(self, theta: np.ndarray, rng: np.random.Generator, tau: float) -> Relaxed:
        """Return a Gumbel-softmax sample and its backward function; raise TypeError if there is no relaxed arg max."""
        raise TypeError(f"{type(self).__name__} has no relaxed arg max: use direct or imle")

    def kl(self, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
        """Return KL(q || uniform), (B,), and its gradient with respect to theta; None if q has no closed form."""
        return None

    def unary_kl(self, theta: np.ndarray) -> np.ndarray:
        """Return KL(prod_i softmax(scores of z_i alone) || uniform), (B,), which is kl() for independent variables.
        Raises TypeError unless has_unary_kl."""
        raise TypeError(f"{type(self).__name__} has no law of each variable alone")

    def sample(self, theta: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Draw one z* per image, one-hot, (B, n, k)."""
        return self.argmax(self.perturb(theta, rng))
