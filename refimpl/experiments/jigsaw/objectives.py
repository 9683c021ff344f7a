"""Define two objectives f(z) of a matching z: the number of correct tiles, and the log-likelihood of the picture.

The method value(z) returns f, an array of shape (B,).  The method tangent(z) returns the gradient of f with respect to
z, an array of shape (B, N, N).  The matchings z have shape (B, N, N) and may be relaxed.
"""
from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.special import logsumexp, softmax

from refimpl.experiments.jigsaw.tiles import cut
from refimpl.latent import sets


class Places(NamedTuple):
    """The objective f(z) = sum_ij c_ij z_ij.  If c comes from tiles.right, f is the number of correct tiles."""

    c: np.ndarray

    def value(self, z: np.ndarray) -> np.ndarray:
        return np.einsum("bij,bij->b", self.c, z)

    def tangent(self, z: np.ndarray) -> np.ndarray:
        return self.c


class Likelihood(NamedTuple):
    """The objective f(z) = log p(picture), in nats, under a mixture model.

    The pixels are independent in each component of the mixture:

        f(z) = log sum_k pi_k exp(sum_ij c_ijk z_ij),   c_ijk = log p(tile i | place j of component k)

    f is a log-sum-exp of linear functions, so f is convex, and the tangent at z* is nowhere above f.  Let t be the
    gradient of f at z*.  Then f(z) - f(z*) >= sum_ij t_ij (z_ij - z*_ij) for every z.  With one component, f is linear.
    """

    c: np.ndarray
    log_pi: np.ndarray

    def _joint(self, z: np.ndarray) -> np.ndarray:
        return self.log_pi + np.einsum("bij,bijk->bk", z, self.c, optimize=True)

    def value(self, z: np.ndarray) -> np.ndarray:
        return logsumexp(self._joint(z), axis=1)

    def tangent(self, z: np.ndarray) -> np.ndarray:
        weights = softmax(self._joint(z), axis=1)
        return np.einsum("bk,bijk->bij", weights, self.c, optimize=True)


class Mixture:
    """A mixture of K components with independent Bernoulli pixels, fitted by expectation-maximisation."""

    def __init__(self, x: np.ndarray, components: int, rng: np.random.Generator, rounds: int = 20) -> None:
        """Fit the mixture to the binary images x, of shape (images, 784)."""
        x = x.astype(np.float64)
        self.mean = 0.25 + 0.5 * x[rng.choice(len(x), components, replace=False)]
        self.log_pi = np.full(components, -np.log(components))
        for _ in range(rounds if components > 1 else 1):
            weights = softmax(self.joint(x), axis=1)                        # E step: p(k | x), (images, K)
            counts = weights.sum(axis=0)
            self.mean = (weights.T @ x + 0.5) / (counts + 1)[:, None]       # M step; half a pixel per colour is added
            self.log_pi = np.log(counts + 1) - np.log(len(x) + components)

    def joint(self, x: np.ndarray) -> np.ndarray:
        """Return an array of shape (images, K): log(pi_k p(x | k)) for each image x and each component k."""
        on, off = np.log(self.mean), np.log1p(-self.mean)
        return self.log_pi + x @ (on - off).T + off.sum(axis=1)

    def objective(self, tiles: np.ndarray, side: int) -> Likelihood:
        """`tiles` has shape (B, N, pixels).  Pixels of the image that lie in no tile are ignored."""
        (B, N, pixels), K = tiles.shape, len(self.mean)
        on, off = (cut(each, side).reshape(K * N, pixels) for each in (np.log(self.mean), np.log1p(-self.mean)))
        c = tiles.reshape(B * N, pixels) @ (on - off).T + off.sum(axis=1)
        return Likelihood(c.reshape(B, N, K, N).transpose(0, 1, 3, 2), self.log_pi)


def best(objective: Likelihood) -> np.ndarray:
    """Return an array of shape (B, N, N): for each picture, the z with the largest f that the search finds.

    For each component of the mixture, one search starts from the best matching of this component.  If there are several
    components, each search then moves three times to the arg max of the tangent of f.  No such move can decrease f.
    """
    B, N, _, K = objective.c.shape
    family, found, worth = sets.matchings(N), np.zeros((B, N, N)), np.full(B, -np.inf)
    for k in range(K):
        z = family.argmax(objective.c[..., k])
        for _ in range(3 * (K > 1)):
            z = family.argmax(objective.tangent(z))
        value = objective.value(z)
        found, worth = np.where((value > worth)[:, None, None], z, found), np.maximum(worth, value)
    return found
