"""3. Danskin's derivative of a maximum."""
from __future__ import annotations

import numpy as np
from scipy.special import softmax

from checking.arg_max import one_hot
from checking.core import Task
from checking.problems import perturbed


def maximum(h, f, eps, noise, d_eps=None, d_h=None, value=None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The right one, or with other results put in place of one."""
    scores = h + eps * f + noise
    z_eps = one_hot(scores)
    return (scores.max(axis=1) if value is None else value, (z_eps * f).sum(axis=1) if d_eps is None else d_eps,
            z_eps if d_h is None else d_h)


def _all_of(scores):
    """A slip in the scores, with its consequences."""
    def slip(h, f, eps, noise):
        made = scores(h, f, eps, noise)
        z = one_hot(made)
        return made.max(axis=1), (z * f).sum(axis=1), z
    return slip


def _z_star(h, noise):
    return one_hot(h + noise)


TASKS = (Task("maximum", maximum, perturbed("h", "f", "eps", "noise"), {
    "eps f is left out of the scores": _all_of(lambda h, f, eps, noise: h + noise),
    "f enters without eps": _all_of(lambda h, f, eps, noise: h + f + noise),
    "f is divided by eps": _all_of(lambda h, f, eps, noise: h + f / eps + noise),
    "f enters with the wrong sign": _all_of(lambda h, f, eps, noise: h - eps * f + noise),
    "the noise is left out of the scores": _all_of(lambda h, f, eps, noise: h + eps * f),
    "h is left out of the scores": _all_of(lambda h, f, eps, noise: eps * f + noise),
    "it is one maximum over all rows: axis=1 is missing":
        lambda h, f, eps, noise: maximum(h, f, eps, noise, value=(h + eps * f + noise).max()),
    "it is the sum of the three maxima; the maximum must be taken of the sum":
        lambda h, f, eps, noise: maximum(h, f, eps, noise, value=h.max(axis=1) + eps * f.max(axis=1) + noise.max(axis=1)),
    "it is the mean over z (logsumexp) instead of the maximum": lambda h, f, eps, noise: maximum(
        h, f, eps, noise, value=np.log(np.exp(h + eps * f + noise).sum(axis=1))),
    "it is the largest f, and must be f of the winner z(eps)":
        lambda h, f, eps, noise: maximum(h, f, eps, noise, d_eps=f.max(axis=1)),
    "it is f of z*, and must be f of z(eps): the winner with eps f in the scores":
        lambda h, f, eps, noise: maximum(h, f, eps, noise, d_eps=(_z_star(h, noise) * f).sum(axis=1)),
    "it is eps f(z(eps)); the derivative of eps f in eps is f":
        lambda h, f, eps, noise: maximum(h, f, eps, noise, d_eps=eps * maximum(h, f, eps, noise)[1]),
    "it is the sum over z of softmax times f; that is the mean over the noise, and this noise is fixed":
        lambda h, f, eps, noise: maximum(h, f, eps, noise, d_eps=(softmax(h + eps * f, axis=1) * f).sum(axis=1)),
    "it is the score of the winner, and must be its slope in eps, f":
        lambda h, f, eps, noise: maximum(h, f, eps, noise, d_eps=(h + eps * f + noise).max(axis=1)),
    "it is the derivative for each z (f at z(eps), 0 elsewhere): the sum over z is missing":
        lambda h, f, eps, noise: maximum(h, f, eps, noise, d_eps=maximum(h, f, eps, noise)[2] * f),
    "it is softmax(h + eps f); that is the mean over the noise, and this noise is fixed":
        lambda h, f, eps, noise: maximum(h, f, eps, noise, d_h=softmax(h + eps * f, axis=1)),
    "it is softmax(h + eps f + noise), and must be the one-hot vector of the winner":
        lambda h, f, eps, noise: maximum(h, f, eps, noise, d_h=softmax(h + eps * f + noise, axis=1)),
    "it is the one-hot vector of z*, and must be that of z(eps)":
        lambda h, f, eps, noise: maximum(h, f, eps, noise, d_h=_z_star(h, noise)),
    "it is the index of the winner, and must be its one-hot vector":
        lambda h, f, eps, noise: maximum(h, f, eps, noise, d_h=(h + eps * f + noise).argmax(axis=1)),
    "it is onehot times f, which belongs to the derivative in eps":
        lambda h, f, eps, noise: maximum(h, f, eps, noise, d_h=maximum(h, f, eps, noise)[2] * f),
    "it is the difference of two arg maxes; of a maximum the derivative is one one-hot vector":
        lambda h, f, eps, noise: maximum(h, f, eps, noise, d_h=(maximum(h, f, eps, noise)[2] - _z_star(h, noise)) / eps),
}, outputs=("value", "d_eps", "d_h"), factors={"eps": lambda eps, **rest: eps}),)
