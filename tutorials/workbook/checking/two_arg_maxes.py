"""4. The difference of two arg maxes, with the slips of `refimpl.check` and further slips in the result.

refimpl.check.slips describes a slip by the scores of its two arg maxes and a factor.  This file computes its result.
"""
from __future__ import annotations

from types import SimpleNamespace

import numpy as np
from scipy.special import softmax

from checking.arg_max import one_hot
from checking.core import Task
from checking.problems import perturbed
from refimpl import direct
from refimpl.check import slips as known


def _arg_max(score: known.Score | None, h, f, noise) -> np.ndarray | float:
    """Return the one-hot vectors, (B, k), of the arg max of these scores.  If `score` is None, return 0."""
    if score is None:
        return 0.0
    return one_hot(score.h * (softmax(h, axis=1) if score.probabilities else h) + score.f * f + score.noise * noise)


def _table(eps: float) -> dict[str, known.Slip]:
    return known.slips(SimpleNamespace(eps=eps, h=np.zeros((1, 1))))


def _evaluated(name: str, sign: float):
    def slip(h, f, eps, noise):
        each = _table(eps)[name]
        return sign * (_arg_max(each.plus, h, f, noise) - _arg_max(each.minus, h, f, noise)) * each.unit
    return slip


def _which(cases: list[dict], mine: list[np.ndarray], at_random: bool) -> str | None:
    """Return a message if exactly one of the two arg maxes is right, otherwise None."""
    (h, f, eps, noise), g = cases[-1].values(), mine[-1]
    if g.shape != h.shape or not ((g > 0).any() and (g < 0).any()):
        return None
    first, second = (one_hot(h + noise)[g < 0] == 1).all(), (one_hot(h + eps * f + noise)[g > 0] == 1).all()
    if at_random and first != second:
        return f"the {'second' if first else 'first'} arg max draws its own noise; both must have the same"
    if first and not second:
        return "z* is right and z(eps) is not: it is not the arg max of h + eps f + noise"
    if second and not first:
        return "z(eps) is right and z* is not: it is not the arg max of h + noise"
    return None


def _pair(h, f, eps, noise):
    return one_hot(h + eps * f + noise), one_hot(h + noise)


SLIPS = {
    "the division by eps is missing": lambda h, f, eps, noise: np.subtract(*_pair(h, f, eps, noise)),
    "it is divided by eps twice: it has the right direction and is 1/eps too large":
        lambda h, f, eps, noise: np.subtract(*_pair(h, f, eps, noise)) / eps**2,
    "it is multiplied by eps, and must be divided by eps":
        lambda h, f, eps, noise: np.subtract(*_pair(h, f, eps, noise)) * eps,
    "it is divided by 2 eps, which belongs to the two-sided difference":
        lambda h, f, eps, noise: np.subtract(*_pair(h, f, eps, noise)) / (2 * eps),
    "it is the two-sided difference (z(-eps) instead of z*); it is a good estimate too, but not the one asked for":
        _evaluated(known.TWO_SIDED, 1),
    "z(-eps) is used instead of z*: the first arg max must be without f": lambda h, f, eps, noise: (
        one_hot(h + eps * f + noise) - one_hot(h - eps * f + noise)) / eps,
    "z(eps) and z* are in the wrong order, so the sign is wrong (z(eps) comes first)":
        lambda h, f, eps, noise: -np.subtract(*_pair(h, f, eps, noise)) / eps,
    "only the second term is divided by eps: brackets around the difference are missing":
        lambda h, f, eps, noise: _pair(h, f, eps, noise)[0] - _pair(h, f, eps, noise)[1] / eps,
    "the difference of the indices is taken, and must be that of the one-hot vectors": lambda h, f, eps, noise: (
        (h + eps * f + noise).argmax(axis=1) - (h + noise).argmax(axis=1)) / eps,
    "it is multiplied by f: f takes part in the arg max only": lambda h, f, eps, noise: f * np.subtract(
        *_pair(h, f, eps, noise)) / eps,
    "it is the mean over the rows; each row must keep its own estimate": lambda h, f, eps, noise: (
        np.subtract(*_pair(h, f, eps, noise)) / eps).mean(axis=0),
    "it is the exact mean (q_eps - q) / eps; here the two arg maxes are asked for": lambda h, f, eps, noise: (
        softmax(h + eps * f, axis=1) - softmax(h, axis=1)) / eps,
}
for _name, _slip in _table(0.5).items():
    if _name not in known.ACCEPTED:
        SLIPS[_slip.words] = _evaluated(_name, 1)
        if _slip.negated:
            SLIPS[_slip.negated] = _evaluated(_name, -1)

TASKS = (Task("direct_gradient", direct.gradient, perturbed("h", "f", "eps", "noise"), SLIPS, factors={
    "eps": lambda eps, **rest: eps, "B": lambda h, **rest: len(h)}, explain=_which),)
