"""3. Danskin's derivative of a maximum."""
from __future__ import annotations

import numpy as np
from scipy.special import logsumexp, softmax

from checking.arg_max import one_hot
from checking.core import Task
from checking.problems import perturbed


def maximum(h, f, eps, noise, scores=lambda h, f, eps, noise: h + eps * f + noise) -> tuple[np.ndarray, ...]:
    """Return the maximum of the scores, and its derivatives with respect to eps and h.

    `scores` can be replaced to make a common mistake (a slip).
    """
    made = scores(h, f, eps, noise)
    z = one_hot(made)
    return made.max(axis=1), (z * f).sum(axis=1), z


def _scores(scores):
    """Return a slip in which the scores are wrong, and all three results follow from the wrong scores."""
    return lambda **case: maximum(**case, scores=scores)


def _instead(place: int, of):
    """Return a slip in which only the result at `place` is wrong.

    `of` computes the wrong result from all arguments, the scores and the right one-hot vectors.
    """
    def slip(h, f, eps, noise):
        results = list(maximum(h, f, eps, noise))
        results[place] = of(h, f, eps, noise, h + eps * f + noise, results[2])
        return tuple(results)
    return slip


VALUE, D_EPS, D_H = 0, 1, 2
TASKS = (Task("maximum", maximum, perturbed("h", "f", "eps", "noise"), {
    "eps f is left out of the scores": _scores(lambda h, f, eps, noise: h + noise),
    "f enters without eps": _scores(lambda h, f, eps, noise: h + f + noise),
    "eps multiplies h too, and must multiply f alone": _scores(lambda h, f, eps, noise: eps * (h + f) + noise),
    "f is divided by eps": _scores(lambda h, f, eps, noise: h + f / eps + noise),
    "f enters with the wrong sign": _scores(lambda h, f, eps, noise: h - eps * f + noise),
    "the noise is left out of the scores": _scores(lambda h, f, eps, noise: h + eps * f),
    "the noise is subtracted, and must be added": _scores(lambda h, f, eps, noise: h + eps * f - noise),
    "h is left out of the scores": _scores(lambda h, f, eps, noise: eps * f + noise),
    "it is one maximum over all rows: axis=1 is missing": _instead(
        VALUE, lambda h, f, eps, noise, scores, z: scores.max()),
    "it is the sum of the three maxima, and must be the maximum of the sum": _instead(
        VALUE, lambda h, f, eps, noise, scores, z: h.max(axis=1) + eps * f.max(axis=1) + noise.max(axis=1)),
    "it is logsumexp, the mean over the noise, and must be the maximum": _instead(
        VALUE, lambda h, f, eps, noise, scores, z: logsumexp(scores, axis=1)),
    "it is the largest f, and must be f of the winner z(eps)": _instead(
        D_EPS, lambda h, f, eps, noise, scores, z: f.max(axis=1)),
    "it is f of z*, and must be f of z(eps): the winner with eps f in the scores": _instead(
        D_EPS, lambda h, f, eps, noise, scores, z: (one_hot(h + noise) * f).sum(axis=1)),
    "it is eps f(z(eps)); the derivative of eps f with respect to eps is f": _instead(
        D_EPS, lambda h, f, eps, noise, scores, z: eps * (z * f).sum(axis=1)),
    "it is the sum over z of softmax times f, which is the mean over the noise; here the noise is fixed": _instead(
        D_EPS, lambda h, f, eps, noise, scores, z: (softmax(h + eps * f, axis=1) * f).sum(axis=1)),
    "it is the score of the winner, and must be its slope in eps, which is f": _instead(
        D_EPS, lambda h, f, eps, noise, scores, z: scores.max(axis=1)),
    "it is the difference of two maxima, divided by eps; the derivative is known exactly": _instead(
        D_EPS, lambda h, f, eps, noise, scores, z: (scores.max(axis=1) - (h + noise).max(axis=1)) / eps),
    "it is f at z(eps) and 0 elsewhere: the sum over z is missing": _instead(
        D_EPS, lambda h, f, eps, noise, scores, z: z * f),
    "the mean over z is taken of f at z(eps), and must be the sum": _instead(
        D_EPS, lambda h, f, eps, noise, scores, z: (z * f).mean(axis=1)),
    "it is softmax(h + eps f), which is the mean over the noise; here the noise is fixed": _instead(
        D_H, lambda h, f, eps, noise, scores, z: softmax(h + eps * f, axis=1)),
    "it is softmax(h + eps f + noise), and must be the one-hot vector of the winner": _instead(
        D_H, lambda h, f, eps, noise, scores, z: softmax(scores, axis=1)),
    "it is the one-hot vector of z*, and must be that of z(eps)": _instead(
        D_H, lambda h, f, eps, noise, scores, z: one_hot(h + noise)),
    "it is the index of the winner, and must be its one-hot vector": _instead(
        D_H, lambda h, f, eps, noise, scores, z: scores.argmax(axis=1)),
    "it is the one-hot vector times f; f belongs to the derivative in eps": _instead(
        D_H, lambda h, f, eps, noise, scores, z: z * f),
    "it is the difference of two arg maxes; the derivative of a maximum is one one-hot vector": _instead(
        D_H, lambda h, f, eps, noise, scores, z: (z - one_hot(h + noise)) / eps),
}, outputs=("value", "d_eps", "d_h"), factors={"eps": lambda eps, **rest: eps}),)
