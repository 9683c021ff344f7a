"""Compute gradients with respect to the scores theta, an array of shape (B, N, N).  Each method is one function.

All gradients point uphill.  Each function has some of these arguments:

    theta       scores of the network
    puzzle      the objective f, and the matching y that undoes the shuffling (None if there are no labels)
    rng         generator of the noise: one Gumbel variable is added to each theta_ij
    eps, tau    eps is a setting of direct(), and tau is a setting of gumbel_sinkhorn()
    draws       each function computes 2 * draws arg maxes for each image; by default, draws = 1

The distribution of z* = argmax_z (theta + gamma) . z is not a Gibbs distribution and has no closed form, because the
noise of a matching is a sum of N Gumbel variables.
"""
from __future__ import annotations

import functools
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.special import softmax

from refimpl import gumbel
from refimpl.experiments.jigsaw import sinkhorn
from refimpl.experiments.jigsaw.objectives import Likelihood, Places
from refimpl.latent import sets

matchings = functools.cache(sets.matchings)


class Puzzle(NamedTuple):
    """Holds the objective f and the correct matching y, an array of shape (B, N, N).  Without labels, y is None."""

    objective: Places | Likelihood
    y: np.ndarray | None


def direct(theta: np.ndarray, puzzle: Puzzle, rng: np.random.Generator, eps: float,
           draws: int = 1) -> np.ndarray:
    """Return an average of (z(eps) - z*) / eps, where z(eps) = argmax_z (theta + gamma + eps c) . z.

    Here c is the gradient of f at z*, and gamma is the same noise as in z*.  If f is linear, the mean of the result
    tends to the gradient of E f(z*) as eps -> 0.
    """
    family = matchings(theta.shape[-1])
    return np.mean([family.gradient(theta, puzzle.objective.tangent, eps, rng) for _ in range(draws)], axis=0)


def fenchel_young(theta: np.ndarray, puzzle: Puzzle, rng: np.random.Generator, draws: int = 1) -> np.ndarray:
    """Return y minus an average of samples z*.

    The perturbed Fenchel-Young loss is E max_z (theta + gamma) . z - theta . y (Berthet et al., NeurIPS 2020).  The
    mean of the result is minus the gradient of this loss.
    """
    family = matchings(theta.shape[-1])
    return puzzle.y - np.mean([family.sample(theta, rng) for _ in range(2 * draws)], axis=0)


def reinforce(theta: np.ndarray, puzzle: Puzzle, rng: np.random.Generator, draws: int = 1) -> np.ndarray:
    """Return an average of (f(z*) - baseline) (1 - X), where X = exp(-(gamma + c)) and c is Euler's constant.

    The derivative of the log density of theta + gamma with respect to theta_ij is 1 - X_ij.  The usual score function
    z - E z would need the distribution of z*, which has no closed form here.

    The baseline is the mean of f over the other samples.  It causes no bias, because it is independent of gamma and
    because 1 - X_ij has mean 0.
    """
    family, samples = matchings(theta.shape[-1]), 2 * draws
    noise = [gumbel.sample(theta.shape, rng) for _ in range(samples)]
    f = np.array([puzzle.objective.value(family.sample(theta, each)) for each in noise])
    ahead = (f - f.mean(axis=0)) * samples / (samples - 1)              # (samples, B): f_m - mean of the others
    score = np.array([1 - np.exp(-(each + gumbel.EULER)) for each in noise])
    return np.einsum("mb,mbij->bij", ahead, score) / samples


def gumbel_sinkhorn(theta: np.ndarray, puzzle: Puzzle, rng: np.random.Generator, tau: float) -> np.ndarray:
    """Return the gradient of f(P), where P = S((theta + gamma) / tau) is a relaxed matching (see sinkhorn.py)."""
    made = sinkhorn.forward(theta + gumbel.sample(theta.shape, rng, theta.dtype), tau)
    return sinkhorn.backward(made, puzzle.objective.tangent(sinkhorn.result(made)), tau)


def enumeration(theta: np.ndarray, puzzle: Puzzle, rng: np.random.Generator) -> np.ndarray:
    """Return the exact gradient of E f(z), where z has the Gibbs distribution p(z) = exp(theta . z) / Z.

    The code sums over all N! matchings (24 for 2 x 2 tiles).  The methods `direct`, `fenchel_young` and `reinforce`
    sample z*, which does not have this distribution.
    """
    every = matchings(theta.shape[-1]).values()
    p = softmax(np.einsum("bij,kij->bk", theta, every), axis=1)
    f = np.stack([puzzle.objective.value(np.broadcast_to(z, theta.shape)) for z in every], axis=1)
    return np.einsum("bk,kij->bij", p * (f - (p * f).sum(axis=1, keepdims=True)), every)


def cross_entropy(theta: np.ndarray, puzzle: Puzzle, rng: np.random.Generator) -> np.ndarray:
    """Return y - softmax(theta), the gradient of the sum of log softmax(theta) over the correct places of the tiles."""
    return puzzle.y - softmax(theta, axis=-1)


METHODS: dict[str, Callable[..., np.ndarray]] = {
    "direct": direct, "fenchel-young": fenchel_young, "reinforce": reinforce, "gumbel-sinkhorn": gumbel_sinkhorn,
    "enumeration": enumeration, "cross-entropy": cross_entropy}
