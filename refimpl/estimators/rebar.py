"""REBAR (Tucker, Mnih, Maddison, Lawson and Sohl-Dickstein, NIPS 2017), for n categorical variables.

It is REINFORCE with a control variate made from the relaxed score c(z) = eta f(softmax(z / tau)), whose mean is added
back by reparameterisation.  With p = softmax(h) and uniform noise u, v:

    z  = log p - log(-log u),                   b = onehot(argmax z)
    z~ = z given b:   z~_b = -log(-log v_b),    z~_i = -log(-log v_i / p_i - log v_b)     for the others
    grad_{log p} = [f(b) - c(z~)] b + grad c(z) - grad c(z~)

It is unbiased for every eta.  The gradient is a - eta d with E d = 0, so the eta of least variance is
E[a . d] / E[d . d].  It is estimated from past batches only, because the current batch would make the estimate biased.
"""
from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.special import softmax

from refimpl.arguments import flag, temperature
from refimpl.estimators.base import Estimate, Memory, Objective
from refimpl.estimators.sampling import through_log_softmax
from refimpl.gumbel import one_hot
from refimpl.latent.independent import through_softmax
from refimpl.nn.losses import log_softmax

DECAY = 0.99


class Coupled(NamedTuple):
    """Holds p, the three samples, and the derivative of z~ with respect to log p, all of shape (B, n, k)."""

    p: np.ndarray
    z: np.ndarray           # relaxed, before the softmax
    b: np.ndarray           # one-hot arg max of z
    z_given_b: np.ndarray   # z~
    dz_given_b: np.ndarray  # d z~_i / d log p_i, a diagonal Jacobian


def coupled_samples(h: np.ndarray, rng: np.random.Generator) -> Coupled:
    """Draw z, b and z~, with d z~_i / d log p_i = (-log v_i / p_i) / (-log v_i / p_i - log v_b), and 0 for i = b.

    -log of a uniform variable is exponential, and is drawn as such.
    """
    h = h.astype(np.float64)
    p = softmax(h, axis=-1)
    log_p = log_softmax(h)
    tiny = np.finfo(np.float64).tiny
    E_u = np.maximum(rng.standard_exponential(h.shape), tiny)                       # -log u
    E_v = np.maximum(rng.standard_exponential(h.shape), tiny)                       # -log v
    z = log_p - np.log(E_u)
    b = one_hot(z.argmax(axis=-1), h.shape[-1])
    of_winner = (E_v * b).sum(axis=-1, keepdims=True)                               # -log v_b
    log_waiting = np.log(E_v) - log_p                                       # log(-log v_i / p_i); p_i may underflow
    log_total = np.logaddexp(log_waiting, np.log(of_winner))
    z_given_b = np.where(b > 0, -np.log(of_winner), -log_total)
    dz_given_b = np.where(b > 0, 0.0, np.exp(log_waiting - log_total))
    return Coupled(p, z, b, z_given_b, dz_given_b)


def relaxed_score(z: np.ndarray, objective: Objective, tau: float) -> tuple[np.ndarray, np.ndarray]:
    """Return f(softmax(z / tau)), (B,), and its gradient with respect to z, (B, n, k)."""
    soft = softmax(z / tau, axis=-1)
    run = objective.run(soft)
    return run.f, through_softmax(soft, run.df_dz()) / tau


def memory(n: int, k: int) -> Memory:
    """Return the initial moving averages of a . d and d . d over past batches; eta is their ratio."""
    return {"a_dot_d": np.zeros(1), "d_dot_d": np.zeros(1)}


def eta(memory: Memory) -> float:
    """Return the eta of least variance, estimated from past batches; 1 before the first batch."""
    return float(memory["a_dot_d"][0] / memory["d_dot_d"][0]) if memory["d_dot_d"][0] > 0 else 1.0


def estimate(h: np.ndarray, objective: Objective, rng: np.random.Generator, *, tau: float, memory: Memory,
             batch_mean: bool = False) -> Estimate:
    """Return the unbiased estimate, from three decoder evaluations.

    batch_mean: do as the released baselines, which differentiate the log q of the whole batch times the batch's mean
    score.  Then each image's learning signal is the sum of the scores of all images (in the units used here, in which
    an image's gradient is that of its own f).  The estimate stays unbiased, because the scores of the other images do
    not depend on an image's b.  They only add noise.
    """
    tau, batch_mean = temperature("tau", tau), flag("batch_mean", batch_mean)
    samples = coupled_samples(h, rng)
    f_z, grad_z = relaxed_score(samples.z, objective, tau)
    f_given_b, grad_given_b = relaxed_score(samples.z_given_b, objective, tau)
    run = objective.run(samples.b)
    f = run.f
    if batch_mean:
        f, f_given_b = np.full_like(f, f.sum()), np.full_like(f_given_b, f_given_b.sum())

    a = through_log_softmax(samples.p, f[:, None, None] * samples.b)
    d = through_log_softmax(samples.p, f_given_b[:, None, None] * samples.b - grad_z
                            + samples.dz_given_b * grad_given_b)
    grad_h = a - eta(memory) * d                    # eta comes from past batches; this one is added below
    for name, now in (("a_dot_d", (a * d).sum()), ("d_dot_d", (d * d).sum())):
        memory[name] *= DECAY
        memory[name] += (1 - DECAY) * now / len(h)
    return Estimate(grad_h, run)
