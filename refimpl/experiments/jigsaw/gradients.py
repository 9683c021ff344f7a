"""Compute gradients with respect to the scores theta, of shape (B, N, N), with one function per method.

All gradients point uphill.  Each function has those of the following arguments that it needs:

    theta       scores of the network
    puzzle      the objective f, and the matching y that undoes the shuffling (None without labels)
    rng         generator of the noise: one Gumbel variable is added to each theta_ij
    eps, tau    the settings eps of `direct` and tau of gumbel_sinkhorn
    draws       see below

The distribution of z* = argmax_z (theta + gamma) . z is not a Gibbs distribution and has no closed form, because the
noise of a matching is a sum of N of the N^2 variables.  A method that samples z* computes 2 x `draws` arg maxes per
image and step, where `draws` is 1 by default.
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
    """Holds the objective f, and the right matching y, of shape (B, N, N), which is None without labels."""

    objective: Places | Likelihood
    y: np.ndarray | None


def direct(theta: np.ndarray, puzzle: Puzzle, rng: np.random.Generator, eps: float,
           draws: int = 1) -> np.ndarray:
    """Return (z(eps) - z*) / eps, where z(eps) = argmax_z (theta + gamma + eps c) . z and c is the gradient of f at z*.

    The objective f is maximised: it is minus the loss.  Both matchings have the same noise gamma.  The mean of the
    result is (E z(eps) - E z*) / eps; for a linear f, this mean tends to the gradient of E f(z*) as eps -> 0.
    """
    family = matchings(theta.shape[-1])
    return np.mean([family.gradient(theta, puzzle.objective.tangent, eps, rng) for _ in range(draws)], axis=0)


def fenchel_young(theta: np.ndarray, puzzle: Puzzle, rng: np.random.Generator, draws: int = 1) -> np.ndarray:
    """Return y minus the average of z* over 2 x `draws` draws of the noise.

    The result is an estimate of minus the gradient of the perturbed Fenchel-Young loss (Berthet et al., NeurIPS 2020),
    which is E max_z (theta + gamma) . z - theta . y.
    """
    family = matchings(theta.shape[-1])
    return puzzle.y - np.mean([family.sample(theta, rng) for _ in range(2 * draws)], axis=0)


def reinforce(theta: np.ndarray, puzzle: Puzzle, rng: np.random.Generator, draws: int = 1) -> np.ndarray:
    """Return the average over 2 x `draws` samples of (f(z*) - baseline) (1 - X).

    Here X = exp(-(gamma + c)) with Euler's constant c, and the baseline is the mean of f over the other samples.

    The scores theta shift the density of theta + gamma, so the derivative of the log density with respect to theta_ij
    is -d log p(gamma) / d gamma_ij = 1 - X_ij.  The usual score function z - E z would need the distribution of z*,
    which has no closed form here.  As 1 - X_ij has mean 0, a baseline independent of gamma causes no bias.
    """
    family, samples = matchings(theta.shape[-1]), 2 * draws
    noise = [gumbel.sample(theta.shape, rng) for _ in range(samples)]
    f = np.array([puzzle.objective.value(family.sample(theta, each)) for each in noise])
    ahead = (f - f.mean(axis=0)) * samples / (samples - 1)              # (samples, B): f_m - mean of the others
    score = np.array([1 - np.exp(-(each + gumbel.EULER)) for each in noise])
    return np.einsum("mb,mbij->bij", ahead, score) / samples


def gumbel_sinkhorn(theta: np.ndarray, puzzle: Puzzle, rng: np.random.Generator, tau: float) -> np.ndarray:
    """Return the gradient of f(P), where P = S((theta + gamma) / tau) is a relaxed matching (sinkhorn.py)."""
    made = sinkhorn.forward(theta + gumbel.sample(theta.shape, rng, theta.dtype), tau)
    return sinkhorn.backward(made, puzzle.objective.tangent(sinkhorn.result(made)), tau)


def enumeration(theta: np.ndarray, puzzle: Puzzle, rng: np.random.Generator) -> np.ndarray:
    """Return sum_z p(z) (f(z) - E f) z, the exact gradient of E f(z) if z has the Gibbs law p(z) = exp(theta . z) / Z.

    The sum is over all N! matchings (24 for 2 x 2 tiles).  The z* that other methods sample has another distribution.
    """
    every = matchings(theta.shape[-1]).values()
    p = softmax(np.einsum("bij,kij->bk", theta, every), axis=1)
    f = np.stack([puzzle.objective.value(np.broadcast_to(z, theta.shape)) for z in every], axis=1)
    return np.einsum("bk,kij->bij", p * (f - (p * f).sum(axis=1, keepdims=True)), every)


def cross_entropy(theta: np.ndarray, puzzle: Puzzle, rng: np.random.Generator) -> np.ndarray:
    """Return y - softmax(theta).  The place of each tile is classified separately, so two tiles may get the same place.
    """
    return puzzle.y - softmax(theta, axis=-1)


METHODS: dict[str, Callable[..., np.ndarray]] = {
    "direct": direct, "fenchel-young": fenchel_young, "reinforce": reinforce, "gumbel-sinkhorn": gumbel_sinkhorn,
    "enumeration": enumeration, "cross-entropy": cross_entropy}
