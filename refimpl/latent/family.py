"""The interface of all families of latent variables: the operations that direct optimisation needs.

    noisy = family.perturb(theta, rng)                          h + gamma
    z_star = family.argmax(noisy)                               z* = argmax_z noisy . features(z)
    z_eps = family.argmax(family.tilt(noisy, eps * table))      z*(eps), with the same noise
    (family.features(z_eps) - family.features(z_star)) / eps    (grad h(z*(eps)) - grad h(z*)) / eps: Theorem 1

The score of a joint value z is linear in the parameters theta: h(z) = theta . features(z).  So features(z) is
grad_theta h(z).  theta has one row per image.  z has shape (B, n, k) and holds a one-hot vector for each variable.  The
decoder has z as its input.
"""
from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import ClassVar, NamedTuple

import numpy as np

from refimpl import joint
from refimpl.arguments import Setting, Value, finite


class Relaxed(NamedTuple):
    """Holds a relaxed sample and its backward function: back(df_dz) is the gradient of f with respect to theta."""

    z: np.ndarray           # (B, n, k)
    back: Callable[[np.ndarray], np.ndarray]


class Family(ABC):
    """The base class of all families.  A family has n variables of k values.

    To add a family, write a file with a subclass, and add an entry to latent.REGISTRY.
    """

    options: ClassVar[Mapping[str, Setting]] = {}
    """The options that a user can choose in addition to n and k.  The names are the keywords of create()."""
    released: ClassVar[Mapping[str, Value]] = {}
    """The options that the authors' code uses."""

    n: int
    k: int
    outputs: int
    """The number of outputs of the encoder for each image."""
    normalised: bool
    """Whether q(z), the law of the perturbed arg max, has a closed form.  If so, there is a KL term and an ELBO."""
    relaxable: bool = True
    """Whether the family has a relaxed arg max, relax()."""
    has_unary_kl: bool = True
    """Whether unary_kl() can be computed: the scores of one variable must define a law of this variable."""
    noise_on_every_score: bool = False
    """Whether perturb() adds a separate Gumbel variable to each number of theta.  If so, adding a number to a score has
    the same effect as adding it to the noise, so the density of the noise can be differentiated instead of the law of
    z* (estimators/perturbed.py)."""

    @classmethod
    def complete(cls, n: int, k: int, options: Mapping[str, Value]) -> dict[str, Value]:
        """Return the values of all options by name, with a default for each option that the user did not give.

        The value None means that the option has no effect.  Raises InputError if a value is not allowed, or if it does
        not fit n and k.
        """
        defaults = {name: setting.default for name, setting in cls.options.items()}
        return defaults | {name: cls.options[name].check(name, value) for name, value in options.items()}

    @classmethod
    def create(cls, n: int, k: int, **options: Value) -> Family:
        """Return a family of n variables of k values.  `options` holds the values from complete() that are not None."""
        return cls(n, k, **options)

    def label(self) -> str:
        """Return a short description for the legend of a plot.  It is empty for independent variables."""
        return ""

    def values(self, dtype: np.dtype = np.float64) -> np.ndarray:
        """Return an array of shape (K, n k): all joint values, in one-hot form.  The prior is uniform on these values.

        Raises InputError if there are too many joint values to list.
        """
        joint.require(self.n, self.k, joint.COUNTABLE, "listing every z", "use fewer variables")
        return joint.one_hots(self.n, self.k, dtype)

    def count(self) -> int:
        """Return the number of joint values."""
        return joint.count(self.n, self.k)

    @property
    def start(self) -> np.ndarray:
        """Return an array of shape (outputs,), which is added to the initial bias of the encoder's last layer."""
        return np.zeros(self.outputs)

    def theta(self, out: np.ndarray) -> np.ndarray:
        """Return theta, the parameters of the family.  The encoder output `out` has shape (B, outputs)."""
        return out

    def back(self, out: np.ndarray, dtheta: np.ndarray) -> np.ndarray:
        """Return the gradient with respect to `out`.  `dtheta` is the gradient with respect to theta."""
        return dtheta

    @abstractmethod
    def perturb(self, theta: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Return theta plus Gumbel noise, which is drawn from `rng`.  Raise NotFinite if theta is not finite."""

    def noise(self, theta: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Return the noise that perturb(theta, rng) would add to theta.  The noise has the shape of theta.

        Do not use perturb(theta) - theta instead, because this difference loses digits if theta is large.  Raises
        NotFinite if theta is not finite, and TypeError if noise_on_every_score is False.
        """
        if not self.noise_on_every_score:
            raise TypeError("family must perturb every score to have noise in the shape of its scores")
        return self.perturb(np.zeros_like(finite("h", theta)), rng)

    @abstractmethod
    def argmax(self, theta: np.ndarray) -> np.ndarray:
        """Return a float64 array of shape (B, n, k): the one-hot z with the highest score for each image."""

    @abstractmethod
    def features(self, z: np.ndarray) -> np.ndarray:
        """Return grad_theta h(z), which has the shape of theta."""

    @abstractmethod
    def tilt(self, theta: np.ndarray, table: np.ndarray) -> np.ndarray:
        """Add table[:, i, c] to the score of value c of variable i, and return the new theta.

        `table` has shape (B, n, k).  Raises NotFinite if the table is not finite.
        """

    @abstractmethod
    def joint_argmax(self, theta: np.ndarray, table: np.ndarray) -> np.ndarray:
        """Return an array of shape (B, n, k): the z with the highest h(z) + table(z), found by enumeration.

        `table` has shape (B, k^n), with the joint values in the order of joint.values.
        """

    def relax(self, theta: np.ndarray, rng: np.random.Generator, tau: float) -> Relaxed:
        """Return a Gumbel-softmax sample and its backward function.  Raise TypeError if `relaxable` is False."""
        raise TypeError(f"{type(self).__name__} has no relaxed arg max: use direct or imle")

    def kl(self, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
        """Return KL(q || uniform) and its gradient with respect to theta.

        The KL divergence has shape (B,).  Returns None if q has no closed form.
        """
        return None

    def unary_kl(self, theta: np.ndarray) -> np.ndarray:
        """Return an array of shape (B,): KL(p || uniform), where p(z) = prod_i softmax(scores of z_i alone).

        For independent variables, p is q.  Raises TypeError if has_unary_kl is False.
        """
        raise TypeError(f"{type(self).__name__} has no law of each variable alone")

    def sample(self, theta: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Return an array of shape (B, n, k): one sample z* for each image, in one-hot form."""
        return self.argmax(self.perturb(theta, rng))
