"""13. The best matching, and the difference of two matchings, compared with the package's set of matchings."""
from __future__ import annotations

import numpy as np

from checking.core import Task
from checking.problems import noise as gumbel
from checking.problems import rows
from refimpl.latent import sets


def matching(theta: np.ndarray) -> np.ndarray:
    """Return the best matchings, (B, n, n)."""
    return sets.matchings(theta.shape[-1]).argmax(theta)


def _row_by_row(theta: np.ndarray) -> np.ndarray:
    return np.eye(theta.shape[-1])[theta.argmax(axis=2)]


def _column_by_column(theta: np.ndarray) -> np.ndarray:
    return _row_by_row(theta.transpose(0, 2, 1)).transpose(0, 2, 1)


def _greedy(theta: np.ndarray) -> np.ndarray:
    """Return the result of a slip: one tile after the other is put at the best place that is still free."""
    z, left = np.zeros(theta.shape), theta.copy()
    for b in range(len(theta)):
        for i in range(theta.shape[1]):
            place = left[b, i].argmax()
            z[b, i, place], left[b, :, place] = 1, -np.inf
    return z


def _highest_first(theta: np.ndarray) -> np.ndarray:
    """Return the result of a slip: among the pairs whose tile and place are free, the best is chosen, repeatedly."""
    z, left = np.zeros(theta.shape), theta.copy()
    for b in range(len(theta)):
        for _ in range(theta.shape[1]):
            i, j = np.unravel_index(left[b].argmax(), left[b].shape)
            z[b, i, j], left[b, i, :], left[b, :, j] = 1, -np.inf, -np.inf
    return z


def _square(B: int, n: int, seed: int, spread: float = 1.0) -> np.ndarray:
    return rows(B, n * n, seed, spread).reshape(B, n, n)


CASES = [{"theta": np.array([[[1.0, 0.9], [0.8, 0.1]]])}, {"theta": _square(2, 3, 6)}, {"theta": _square(40, 4, 3)}]
MATCHING = Task("matching", matching, CASES, {
    "it is the matching of the lowest score (linear_sum_assignment minimises unless it is given maximize=True)":
        lambda theta: matching(-theta),
    "each row takes its best place alone, so a place may be taken twice": _row_by_row,
    "each column takes its best tile alone, so a tile may be taken twice": _column_by_column,
    "the tiles choose one after the other among the places that are left, which need not be the best matching":
        _greedy,
    "the highest score that is left is taken again and again, which need not be the best matching": _highest_first,
    "it is transposed: z_ij = 1 must put tile i, the row, at place j, the column": lambda theta: matching(
        theta).transpose(0, 2, 1),
    "it holds the columns of the ones; the ones themselves are asked for, (B, n, n)": lambda theta: matching(
        theta).argmax(axis=2),
    "it is the score of the best matching; the matching itself is asked for": lambda theta: (
        matching(theta) * theta).sum(axis=(1, 2)),
    "the first matching is used for the whole batch": lambda theta: np.repeat(matching(theta[:1]), len(theta), axis=0),
    "it is the best matching of the sum of all matrices; each matrix has its own": lambda theta: np.repeat(
        matching(theta.sum(axis=0, keepdims=True)), len(theta), axis=0),
    "it contains the scores of the matching instead of ones": lambda theta: matching(theta) * theta,
})


def direct_matching(theta, c, eps, noise, second=None, first=None, unit=None, of=matching):
    """Return g, (B, n, n).  The keywords after `noise` serve to make common mistakes (slips)."""
    z_eps = of(theta + eps * c + noise if second is None else second)
    return (z_eps - of(theta + noise if first is None else first)) * (1 / eps if unit is None else unit)


def _unshared(cases: list[dict], mine: list[np.ndarray], at_random: bool) -> str | None:
    """Return a message if the function draws its own noise.  It says which matching does so, if only one does."""
    if not at_random:
        return None
    (theta, c, eps, noise), g = cases[-1].values(), mine[-1]
    if g.shape == theta.shape:
        for word, other, score, sign in (("second", "first", theta + noise, -1), ("first", "second",
                                                                                   theta + eps * c + noise, 1)):
            if (matching(score)[g * sign > 0] == 1).all():
                return f"the {word} matching draws its own noise; both must have the noise that is given"
    return "it draws noise of its own; both matchings must have the noise that is given"


def _noise(B: int, n: int, seed: int) -> np.ndarray:
    return gumbel(B, n * n, seed).reshape(B, n, n)


DIRECT_CASES = [{"theta": np.array([[[0.5, 0.0], [0.3, 0.1]]]), "c": np.array([[[0.0, 2.0], [1.0, 0.0]]]), "eps": 0.5,
                 "noise": np.array([[[0.2, -0.4], [0.0, 0.6]]])},
                {"theta": _square(2, 3, 1), "c": _square(2, 3, 2, 2.0), "eps": 0.8, "noise": _noise(2, 3, 3)},
                {"theta": _square(60, 4, 4), "c": _square(60, 4, 5, 2.0), "eps": 0.3, "noise": _noise(60, 4, 6)}]
DIRECT = Task("direct_matching", direct_matching, DIRECT_CASES, {
    "the division by eps is missing": lambda **case: direct_matching(**case, unit=1.0),
    "it is divided by eps twice: it has the right direction and is 1/eps too large": lambda eps, **case:
        direct_matching(eps=eps, **case, unit=1 / eps**2),
    "it is multiplied by eps, and must be divided by eps": lambda eps, **case: direct_matching(
        eps=eps, **case, unit=eps),
    "it is divided by 2 eps, which belongs to the two-sided difference": lambda eps, **case: direct_matching(
        eps=eps, **case, unit=1 / (2 * eps)),
    "z(eps) and z* are in the wrong order, so the sign is wrong": lambda eps, **case: direct_matching(
        eps=eps, **case, unit=-1 / eps),
    "c enters without eps": lambda theta, c, eps, noise: direct_matching(theta, c, eps, noise, theta + c + noise),
    "c enters with the wrong sign: f is what grows": lambda theta, c, eps, noise: direct_matching(
        theta, c, eps, noise, theta - eps * c + noise),
    "the noise is missing in z(eps); both matchings must have it": lambda theta, c, eps, noise: direct_matching(
        theta, c, eps, noise, theta + eps * c),
    "the noise is missing in z*; both matchings must have it": lambda theta, c, eps, noise: direct_matching(
        theta, c, eps, noise, first=theta),
    "the noise is missing in both matchings": lambda theta, c, eps, noise: direct_matching(theta, c, eps, 0 * noise),
    "the noise is subtracted, and must be added": lambda theta, c, eps, noise: direct_matching(theta, c, eps, -noise),
    "theta is missing in z(eps)": lambda theta, c, eps, noise: direct_matching(theta, c, eps, noise, eps * c + noise),
    "z(eps) comes from eps c alone: theta and the noise are missing": lambda theta, c, eps, noise: direct_matching(
        theta, c, eps, noise, eps * c),
    "z* is not subtracted: it is z(eps) / eps": lambda theta, c, eps, noise: matching(theta + eps * c + noise) / eps,
    "only z* is divided by eps: brackets around the difference are missing": lambda theta, c, eps, noise: matching(
        theta + eps * c + noise) - matching(theta + noise) / eps,
    "it is the two-sided difference (z(-eps) instead of z*); it is a good estimate too, but not the one asked for":
        lambda theta, c, eps, noise: direct_matching(theta, c, eps, noise, first=theta - eps * c + noise,
                                                     unit=1 / (2 * eps)),
    "z(-eps) is used instead of z*: the first matching must be without f": lambda theta, c, eps, noise:
        direct_matching(theta, c, eps, noise, first=theta - eps * c + noise),
    "it is multiplied by c: f takes part in the arg max only": lambda c, **case: c * direct_matching(c=c, **case),
    "it is the mean over the batch; each matrix must keep its own estimate": lambda **case: direct_matching(
        **case).mean(axis=0),
    "each row takes its best place alone: both arg maxes must be matchings": lambda **case: direct_matching(
        **case, of=_row_by_row),
    "it is transposed": lambda **case: direct_matching(**case).transpose(0, 2, 1),
}, factors={"eps": lambda eps, **rest: eps, "B": lambda theta, **rest: len(theta)}, explain=_unshared)

TASKS = MATCHING, DIRECT
