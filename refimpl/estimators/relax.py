"""RELAX (Grathwohl, Choi, Wu, Roeder and Duvenaud, ICLR 2018) is REBAR with a learnt control variate.

    c(z) = f(softmax(z / tau)) + r(z),     r(z) = w2 . tanh(W1 z + b1) + b2, a small network
    grad_{log p} = [f(b) - c(z~)] b + grad c(z) - grad c(z~)

Adam trains r to reduce the variance of the estimate grad_h, by minimising sum grad_h^2.  Because grad_h contains dr/dz,
the training needs the derivative of dr/dz with respect to the weights of r (add_gradient).
"""
from __future__ import annotations

from typing import NamedTuple

import numpy as np

from refimpl.arguments import flag, temperature
from refimpl.estimators.base import Estimate, Memory, Objective, Pass
from refimpl.estimators.rebar import Coupled, coupled_samples, relaxed_score
from refimpl.estimators.sampling import through_log_softmax
from refimpl.nn.adam import Adam
from refimpl.nn.parameters import Parameters

HIDDEN = 32
LR = 1e-3


class Network(NamedTuple):
    """Holds the parameters of r, or their gradients, as views of a flat array.  The input of r has d = n k numbers."""

    W1: np.ndarray          # (d, HIDDEN)
    b1: np.ndarray          # (HIDDEN,)
    w2: np.ndarray          # (HIDDEN,)
    b2: np.ndarray          # (1,)


def network(flat: np.ndarray, d: int) -> Network:
    cuts = np.cumsum([d * HIDDEN, HIDDEN, HIDDEN])
    W1, b1, w2, b2 = np.split(flat, cuts)
    return Network(W1.reshape(d, HIDDEN), b1, w2, b2)


def size(d: int) -> int:
    """Return the number of parameters of r for inputs of d numbers."""
    return d * HIDDEN + 2 * HIDDEN + 1


def memory(n: int, k: int) -> Memory:
    """Return the initial parameters of r and the initial moments of Adam.

    W1 holds small pseudo-random numbers from a fixed seed.  All other parameters are 0, so r(z) = 0 at first.
    """
    d = n * k
    flat = np.zeros(size(d))
    network(flat, d).W1[...] = np.random.default_rng(0).normal(size=(d, HIDDEN)) / np.sqrt(d)
    return {"r": flat, "adam_M": np.zeros_like(flat), "adam_V": np.zeros_like(flat), "adam_t": np.zeros(1)}


def value_and_slope(r: Network, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return r(z) and its gradient with respect to z.  They have the shapes (B,) and (B, d)."""
    t = np.tanh(z @ r.W1 + r.b1)
    return t @ r.w2 + r.b2[0], (r.w2 * (1 - t**2)) @ r.W1.T


def add_gradient(into: Network, r: Network, z: np.ndarray, of_value: np.ndarray, of_slope: np.ndarray) -> None:
    """Compute the gradient of the sum below with respect to the parameters of r, and add the gradient to `into`:

        sum_b  of_value_b r(z_b) + of_slope_b . grad r(z_b)

    The constants of_value and of_slope have the shapes (B,) and (B, d).  With t = tanh(W1 z + b1) and v = W1 of_slope:

        of_slope . grad r = sum_j w2_j (1 - t_j^2) v_j
    """
    t = np.tanh(z @ r.W1 + r.b1)
    one_less = 1 - t**2
    v = of_slope @ r.W1
    into.w2[...] += of_value @ t + (one_less * v).sum(axis=0)
    into.b2[...] += of_value.sum()
    # With t = tanh(s): d t / d s = 1 - t^2, and d (1 - t^2) / d s = -2 t (1 - t^2).
    ds = r.w2 * one_less * (of_value[:, None] - 2 * t * v)
    into.W1[...] += z.T @ ds + of_slope.T @ (r.w2 * one_less)           # the second term: v = W1 of_slope
    into.b1[...] += ds.sum(axis=0)


def estimate(h: np.ndarray, objective: Objective, rng: np.random.Generator, *, tau: float, memory: Memory,
             batch_mean: bool = False) -> Estimate:
    """Return the unbiased estimate, from three decoder evaluations.  For `batch_mean`, see rebar.estimate.

    The network r is updated after the estimate is computed.  So r depends only on past batches, and the estimate is
    unbiased.
    """
    found = gradients(h, objective, rng, temperature("tau", tau), memory["r"], flag("batch_mean", batch_mean))
    adam = Adam(Parameters(memory["r"], found.grads_r), LR)
    adam.M, adam.V, adam.t = memory["adam_M"], memory["adam_V"], int(memory["adam_t"][0])
    adam.step()
    memory["adam_t"][0] = adam.t
    return Estimate(found.grad_h, found.run)


class Gradients(NamedTuple):
    """Holds the estimate, the samples, the decoder's pass at b, and the gradient that trains the network r."""

    grad_h: np.ndarray
    samples: Coupled
    run: Pass
    grads_r: np.ndarray                 # the gradient of mean_b |grad_h|^2 with respect to the parameters of r


def gradients(h: np.ndarray, objective: Objective, rng: np.random.Generator, tau: float, flat: np.ndarray,
              batch_mean: bool = False) -> Gradients:
    """Return the estimate grad_h and the gradient that trains r.  `flat` holds the parameters of r."""
    batch, n, k = h.shape
    d = n * k
    r = network(flat, d)
    samples = coupled_samples(h, rng)
    z, z_given_b = samples.z.reshape(batch, d), samples.z_given_b.reshape(batch, d)
    f_z, grad_z = relaxed_score(samples.z, objective, tau)
    f_given_b, grad_given_b = relaxed_score(samples.z_given_b, objective, tau)
    r_z, slope_z = value_and_slope(r, z)
    r_given_b, slope_given_b = value_and_slope(r, z_given_b)
    run = objective.run(samples.b)
    signal = run.f - f_given_b - r_given_b                                          # f(b) - c(z~)
    if batch_mean:
        signal = np.full_like(signal, signal.sum())
    grad_c = grad_z + slope_z.reshape(h.shape)
    grad_c_given_b = grad_given_b + slope_given_b.reshape(h.shape)
    grad_log_p = signal[:, None, None] * samples.b + grad_c - samples.dz_given_b * grad_c_given_b
    grad_h = through_log_softmax(samples.p, grad_log_p)

    # L = mean_b |grad_h|^2.  dL = sum y . d grad_log_p, where y is computed from 2 grad_h / B by the
    # transpose of the linear map through_log_softmax.
    y = 2 * grad_h / batch
    y = y - (samples.p * y).sum(axis=-1, keepdims=True)
    of_signal = (y * samples.b).sum(axis=(1, 2))
    if batch_mean:
        of_signal = np.full_like(of_signal, of_signal.sum())
    grads = np.zeros_like(flat)
    into = network(grads, d)
    add_gradient(into, r, z, np.zeros(batch), y.reshape(batch, d))
    add_gradient(into, r, z_given_b, -of_signal, -(y * samples.dz_given_b).reshape(batch, d))
    return Gradients(grad_h, samples, run, grads)
