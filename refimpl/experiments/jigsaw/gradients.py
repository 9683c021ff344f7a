"""Gradients in the scores theta (B, N, N), to climb: one function a method, all with the same arguments.

    theta       scores of the network
    puzzle      the objective f, and the matching y that undoes the shuffling (None without labels)
    rng         of the noise, a Gumbel variable on each theta_ij
    setting     eps or tau, for those that have one

The law of z* = argmax_z (theta + gamma) . z is no Gibbs law, since a matching's noise is a sum of N of the N^2
variables; it has no closed form.  A method that solves matchings solves 2 draws of them for each image and step, where
draws is 1 unless a run says otherwise.
"""
from __future__ import annotations

import functools
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.special import softmax

from refimpl import gumbel
from refimpl.experiments.jigsaw import sinkhorn
from refimpl.experiments.jigsaw.objectives import Objective
from refimpl.latent import sets

matchings = functools.cache(sets.matchings)


class Puzzle(NamedTuple):
    objective: Objective
    y: np.ndarray | None


def direct(theta: np.ndarray, puzzle: Puzzle, rng: np.random.Generator, eps: float,
           draws: int = 1) -> np.ndarray:
    """(z(eps) - z*) / eps, z(eps) = argmax_z (theta + gamma + eps c) . z, with c the gradient of f at z*.

    f is what is maximised: minus the loss.  Its mean is (E z(eps) - E z*) / eps, and for a linear f it goes to the
    gradient of E f(z*) as eps falls to 0.  Both matchings share the noise gamma.
    """
    family = matchings(theta.shape[-1])
    return np.mean([family.gradient(theta, puzzle.objective.tangent, eps, rng) for _ in range(draws)], axis=0)


def fenchel_young(theta: np.ndarray, puzzle: Puzzle, rng: np.random.Generator, draws: int = 1) -> np.ndarray:
    """y - z*: minus the gradient of the perturbed Fenchel-Young loss E max_z (theta + gamma) . z - theta . y
    (Berthet et al., NeurIPS 2020), averaged over two draws."""
    family = matchings(theta.shape[-1])
    return puzzle.y - np.mean([family.sample(theta, rng) for _ in range(2 * draws)], axis=0)


def reinforce(theta: np.ndarray, puzzle: Puzzle, rng: np.random.Generator, draws: int = 1) -> np.ndarray:
    """f(z*) (1 - E), E = exp(-(gamma + c)), minus the mean f of the other samples: the score function of the noise.

    theta moves the density of theta + gamma, and -d log p(gamma) / d gamma_ij = 1 - E_ij.  The usual score function,
    z - E z, would need the law of z*, which has no closed form here; and that of Gibbs is another.  E (1 - E_ij) = 0,
    so a baseline that is independent of gamma costs no bias.
    """
    family, samples = matchings(theta.shape[-1]), 2 * draws
    noise = [gumbel.sample(theta.shape, rng) for _ in range(samples)]
    f = np.array([puzzle.objective.value(family.sample(theta, each)) for each in noise])
    ahead = (f - f.mean(axis=0)) * samples / (samples - 1)              # (samples, B): f_m - mean of the others
    score = np.array([1 - np.exp(-(each + gumbel.EULER)) for each in noise])
    return np.einsum("mb,mbij->bij", ahead, score) / samples


def gumbel_sinkhorn(theta: np.ndarray, puzzle: Puzzle, rng: np.random.Generator, tau: float) -> np.ndarray:
    """The gradient of f(P), P = S((theta + gamma) / tau): f where the matching is relaxed."""
    made = sinkhorn.forward(theta + gumbel.sample(theta.shape, rng, theta.dtype), tau)
    return sinkhorn.backward(made, puzzle.objective.tangent(sinkhorn.result(made)), tau)


def enumeration(theta: np.ndarray, puzzle: Puzzle, rng: np.random.Generator) -> np.ndarray:
    """sum_z p(z) (f(z) - E f) z: the exact gradient of E f(z) for z from the Gibbs law p(z) = exp(theta . z) / Z.

    All N! matchings are listed, 24 for 2 x 2 tiles.  This is not the law of z* above.
    """
    every = matchings(theta.shape[-1]).values()
    p = softmax(np.einsum("bij,kij->bk", theta, every), axis=1)
    f = np.stack([puzzle.objective.value(np.broadcast_to(z, theta.shape)) for z in every], axis=1)
    return np.einsum("bk,kij->bij", p * (f - (p * f).sum(axis=1, keepdims=True)), every)


def cross_entropy(theta: np.ndarray, puzzle: Puzzle, rng: np.random.Generator) -> np.ndarray:
    """y - softmax: each tile is classified on its own, by its place, as if two could lie at the same one."""
    return puzzle.y - softmax(theta, axis=-1)


METHODS: dict[str, Callable[..., np.ndarray]] = {
    "direct": direct, "fenchel-young": fenchel_young, "reinforce": reinforce, "gumbel-sinkhorn": gumbel_sinkhorn,
    "enumeration": enumeration, "cross-entropy": cross_entropy}
SETTING = {"direct": "eps", "gumbel-sinkhorn": "tau"}
"""What a method has beside the learning rate."""
