"""The family of independent variables, each with its own arg max: q(z) = prod_i softmax(h_i)(z_i) (slides 8 to 31)."""
from __future__ import annotations

import numpy as np
from scipy.special import softmax

from refimpl import arguments, gumbel, joint
from refimpl.latent.family import Family, Relaxed
from refimpl.nn.losses import categorical_kl


def through_softmax(p: np.ndarray, gradient: np.ndarray) -> np.ndarray:
    """Convert a gradient with respect to p = softmax(h) to a gradient with respect to h.

    p and both gradients have shape (..., k).  The function multiplies by the Jacobian of the softmax, diag(p) - p p^T.
    """
    return p * (gradient - (p * gradient).sum(axis=-1, keepdims=True))


class Independent(Family):
    """The family of independent variables.

    theta has shape (B, n, k).  It is h, the scores of the values of each variable.  features(z) is z itself.
    """

    normalised = True
    noise_on_every_score = True

    def __init__(self, n: int, k: int) -> None:
        if k < 2:
            raise ValueError(f"k must be at least 2, got {k}")
        if n < 1:
            raise ValueError(f"n must be at least 1, got {n}")
        self.n, self.k, self.outputs = n, k, n * k

    def theta(self, out: np.ndarray) -> np.ndarray:
        return out.reshape(len(out), self.n, self.k)

    def back(self, out: np.ndarray, dtheta: np.ndarray) -> np.ndarray:
        return dtheta.reshape(out.shape)

    def perturb(self, theta: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return theta + gumbel.sample(arguments.finite("h", theta).shape, rng)

    def argmax(self, theta: np.ndarray) -> np.ndarray:
        return gumbel.one_hot(theta.argmax(axis=-1), theta.shape[-1])

    def features(self, z: np.ndarray) -> np.ndarray:
        return z

    def tilt(self, theta: np.ndarray, table: np.ndarray) -> np.ndarray:
        return theta + arguments.finite("f", table)

    def joint_argmax(self, theta: np.ndarray, table: np.ndarray) -> np.ndarray:
        hots = joint.one_hots(*theta.shape[1:])                                         # (K, n k)
        total = theta.reshape(len(theta), -1) @ hots.T + arguments.finite("f", table)
        return hots[total.argmax(axis=-1)].reshape(theta.shape)

    def relax(self, theta: np.ndarray, rng: np.random.Generator, tau: float) -> Relaxed:
        """Return the relaxed sample z = softmax((h + gamma) / tau) and its backward function."""
        tau = arguments.temperature("tau", tau)
        z = softmax(self.perturb(theta, rng) / tau, axis=-1)
        return Relaxed(z, lambda df_dz: through_softmax(z, df_dz) / tau)

    def kl(self, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        kl, dkl = categorical_kl(theta)
        return kl.sum(axis=1), dkl

    def unary_kl(self, theta: np.ndarray) -> np.ndarray:
        return self.kl(theta)[0]
