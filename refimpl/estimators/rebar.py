"""REBAR (Tucker, Mnih, Maddison, Lawson and Sohl-Dickstein, NIPS 2017) for n categorical variables.

REBAR is REINFORCE with the control variate c(z) = eta f(softmax(z / tau)).  The gradient of the mean of the control
variate is computed by reparameterisation and added back.  With p = softmax(h) and uniform noise u, v:

    z  = log p - log(-log u),                   b = onehot(argmax z)
    z~ = z given b:   z~_b = -log(-log v_b),    z~_i = -log(-log v_i / p_i - log v_b)     for i != b
    grad_{log p} = [f(b) - c(z~)] b + grad c(z) - grad c(z~)

The estimate is unbiased for every eta.  It has the form a - eta d, where a is the term with f(b), and -eta d is the sum
of the terms with c.  Because E d = 0, the variance is smallest for eta = E<a, d> / E<d, d>, where <a, d> is the inner
product.  Both means are estimated from past batches only, because the current batch would make the estimate biased.
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
    """Holds p, the samples z, b and z~, and the derivatives d z~_i / d log p_i.  All arrays have shape (B, n, k)."""

    p: np.ndarray
    z: np.ndarray           # the perturbed scores
    b: np.ndarray           # the one-hot arg max of z
    z_given_b: np.ndarray   # z~
    dz_given_b: np.ndarray  # d z~_i / d log p_i, a diagonal Jacobian


def coupled_samples(h: np.ndarray, rng: np.random.Generator) -> Coupled:
    """Draw z, b and z~, and compute the derivatives d z~_i / d log p_i.

    With E = -log v, the derivative is (E_i / p_i) / (E_i / p_i + E_b) for i != b, and 0 for i = b.
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
    """Return f(softmax(z / tau)) and its gradient with respect to z.  They have the shapes (B,) and (B, n, k)."""
    soft = softmax(z / tau, axis=-1)
    run = objective.run(soft)
    return run.f, through_softmax(soft, run.df_dz()) / tau


def memory(n: int, k: int) -> Memory:
    """Return the initial memory: the moving averages of the inner products <a, d> and <d, d>.  Both start at 0."""
    return {"a_dot_d": np.zeros(1), "d_dot_d": np.zeros(1)}


def eta(memory: Memory) -> float:
    """From past batches, estimate the eta at which REBAR has the least variance.  For the first batch, return 1."""
    return float(memory["a_dot_d"][0] / memory["d_dot_d"][0]) if memory["d_dot_d"][0] > 0 else 1.0


def estimate(h: np.ndarray, objective: Objective, rng: np.random.Generator, *, tau: float, memory: Memory,
             batch_mean: bool = False) -> Estimate:
    """Return the unbiased estimate, from three decoder evaluations.

    If `batch_mean` is True, the learning signal of each image is the sum of f over the batch, as in the code of
    Lorberbom et al. for REBAR and RELAX.  The scores of the other images add noise but no bias, because they do not
    depend on the sample b of this image.
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
    grad_h = a - eta(memory) * d                    # eta is from past batches; this batch is averaged in below
    for name, now in (("a_dot_d", (a * d).sum()), ("d_dot_d", (d * d).sum())):
        memory[name] *= DECAY
        memory[name] += (1 - DECAY) * now / len(h)
    return Estimate(grad_h, run)
