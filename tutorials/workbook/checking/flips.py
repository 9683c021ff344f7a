"""12. The table of single changes, for n binary variables, compared with a list of all 2^n vectors."""
from __future__ import annotations

import itertools

import numpy as np
from scipy.special import expit

from checking.core import Task
from checking.problems import rows


def pair(z):
    """f(z) = z_1 - 3 z_2 + 4 z_1 z_2"""
    z = np.asarray(z, float)
    return z[..., 0] - 3 * z[..., 1] + 4 * z[..., 0] * z[..., 1]


def waves(n: int, seed: int):
    """Return a function f that is a sum of five waves.  It is not a sum of functions of single variables."""
    rng = np.random.default_rng(seed)
    directions, heights = 1.5 * rng.normal(size=(5, n)), 3 * rng.normal(size=5)

    def f(z):
        """f(z) = a sum of five waves sin(w.z + 1)"""
        return np.sin(np.asarray(z, float) @ directions.T + 1) @ heights

    return f


def every(n: int) -> np.ndarray:
    """Return all vectors of n zeros and ones, (2^n, n)."""
    return np.array(list(itertools.product((0.0, 1.0), repeat=n)))


def flip_table(f, z) -> np.ndarray:
    """Return the table, (B, n, 2), by looking up its entries in a list of f at all vectors."""
    n = z.shape[1]
    values, place = f(every(n)), 2 ** np.arange(n - 1, -1, -1)
    at = z.astype(int) @ place                                                  # (B,)
    at = at[:, None, None] + place[:, None] * (np.arange(2) - z.astype(int)[:, :, None])
    return values[at]


def _accumulated(f, z):
    table, z = np.empty((*z.shape, 2)), z.copy()
    for i in range(z.shape[1]):
        for c in (0, 1):
            z[:, i] = c
            table[:, i, c] = f(z)
    return table


CASES = [{"f": pair, "z": np.array([[1.0, 0.0]])}, {"f": waves(3, 1), "z": every(3)[[5, 2]]},
         {"f": waves(4, 2), "z": every(4)[::2]}]
TABLE = Task("flip_table", flip_table, CASES, {
    "the two columns are exchanged: [b, i, 0] must be f with z_i = 0": lambda f, z: flip_table(f, z)[:, :, ::-1],
    "a change is not undone before the next variable is changed: begin from a copy of z each time": _accumulated,
    "[b, i, 0] is f at z, and [b, i, 1] with z_i changed; they must be f with z_i = 0 and with z_i = 1":
        lambda f, z: np.stack([np.repeat(f(z)[:, None], z.shape[1], axis=1), np.where(
            z == 0, flip_table(f, z)[:, :, 1], flip_table(f, z)[:, :, 0])], axis=2),
    "the other variables are 0, and must be as in z": lambda f, z: flip_table(f, 0 * z),
    "the other variables are changed too: they must be as in z": lambda f, z: flip_table(f, 1 - z),
    "f of z is subtracted; the table contains f itself": lambda f, z: flip_table(f, z) - f(z)[:, None, None],
    "it is f of z everywhere: no variable is changed": lambda f, z: np.broadcast_to(
        f(z)[:, None, None], (*z.shape, 2)),
    "the axes are in the wrong order: the shape must be (B, n, 2)": lambda f, z: flip_table(f, z).transpose(0, 2, 1),
    "the axes are in the wrong order: the image comes first, then the variable": lambda f, z: flip_table(
        f, z).transpose(1, 0, 2),
    "it is the gain, the difference of the two columns": lambda f, z: np.diff(flip_table(f, z), axis=2)[:, :, 0],
    "the first row of z is used for all rows": lambda f, z: np.repeat(flip_table(f, z)[:1], len(z), axis=0),
    "it is f of the changed vector only, (B, n); both columns are asked for": lambda f, z: np.where(
        z == 0, flip_table(f, z)[:, :, 1], flip_table(f, z)[:, :, 0]),
})


def direct_flips(f, l, noise, eps, gain_of=lambda table, z: table[:, :, 1] - table[:, :, 0], z_eps=None, unit=None):
    """Return g, (B, n).  The keywords after `eps` serve to make common mistakes (slips)."""
    z_star = (l + noise > 0) * 1.0
    gain = gain_of(flip_table(f, z_star), z_star)
    second = z_eps(l, noise, eps, gain) if z_eps else l + noise + eps * gain
    return ((second > 0) - z_star) * (1 / eps if unit is None else unit)


def _second(z_eps):
    return lambda **case: direct_flips(**case, z_eps=z_eps)


def _joint(f, l, noise, eps):
    z = every(len(l))
    best = z[(eps * f(z) + (l + noise) @ z.T).argmax(axis=1)]
    return (best - (l + noise > 0)) / eps


def _both(of_star, of_eps):
    """Return a slip in which both arg maxes are wrong.

    `of_star` is a function of (l, noise), and `of_eps` is a function of (l, noise, eps gain).
    """
    def slip(f, l, noise, eps):
        z_star = (of_star(l, noise) > 0) * 1.0
        gain = np.diff(flip_table(f, z_star), axis=2)[:, :, 0]
        return ((of_eps(l, noise) + eps * gain > 0) - z_star) / eps
    return slip


def _half(f, l, noise, eps):
    z_star = (l + noise > 0.5) * 1.0
    gain = np.diff(flip_table(f, z_star), axis=2)[:, :, 0]
    return ((l + noise + eps * gain > 0.5) - z_star) / eps


def _logistic(B: int, n: int, seed: int) -> np.ndarray:
    return np.round(np.random.default_rng(seed).logistic(size=(B, n)), 2)


def _which(cases: list[dict], mine: list[np.ndarray], at_random: bool) -> str | None:
    """Return a message if z* is right and z(eps) is not, otherwise None."""
    (_, l, noise, _), g = cases[-1].values(), mine[-1]
    if g.shape != noise.shape or not g.any() or (np.sign(g) * (l + noise) > 0).any():
        return None
    if at_random:
        return "the second arg max draws its own noise; both must have the noise that is given"
    return "z* is right and z(eps) is not: it is not 1 where l + noise + eps gain > 0, and else 0, or the "\
            "table is not taken at z = z*"


DIRECT_CASES = [{"f": pair, "l": np.array([0.5, -0.5]), "noise": np.array([[0.3, -1.0]]), "eps": 2.0},
                {"f": waves(3, 1), "l": rows(1, 3, 5)[0], "noise": _logistic(2, 3, 6), "eps": 0.6},
                {"f": waves(4, 2), "l": rows(1, 4, 7)[0] + 0.003, "noise": _logistic(200, 4, 8), "eps": 0.5}]
DIRECT = Task("direct_flips", direct_flips, DIRECT_CASES, {
    "the division by eps is missing": lambda **case: direct_flips(**case, unit=1.0),
    "it is divided by eps twice: it has the right direction and is 1/eps too large": lambda eps, **case: direct_flips(
        eps=eps, **case, unit=1 / eps**2),
    "z(eps) and z* are in the wrong order, so the sign is wrong": lambda eps, **case: direct_flips(
        eps=eps, **case, unit=-1 / eps),
    "gain has the wrong sign: it is f with z_i = 1 minus f with z_i = 0": lambda **case: direct_flips(
        **case, gain_of=lambda table, z: table[:, :, 0] - table[:, :, 1]),
    "gain is f of the changed vector minus f of z*; it must be f with z_i = 1 minus f with z_i = 0": lambda **case:
        direct_flips(**case, gain_of=lambda table, z: (table[:, :, 1] - table[:, :, 0]) * (1 - 2 * z)),
    "gain is f with z_i = 1 alone: f with z_i = 0 is not subtracted": lambda **case: direct_flips(
        **case, gain_of=lambda table, z: table[:, :, 1]),
    "gain enters without eps": _second(lambda l, noise, eps, gain: l + noise + gain),
    "gain is divided by eps": _second(lambda l, noise, eps, gain: l + noise + gain / eps),
    "the noise is missing in z(eps); both arg maxes must have it": _second(lambda l, noise, eps, gain: l + eps * gain),
    "l is missing in z(eps)": _second(lambda l, noise, eps, gain: noise + eps * gain),
    "z(eps) comes from eps gain alone: l and the noise are missing": _second(lambda l, noise, eps, gain: gain),
    "the noise is missing in both arg maxes": _both(lambda l, noise: l + 0 * noise, lambda l, noise: l + 0 * noise),
    "the noise is subtracted, and must be added": _both(lambda l, noise: l - noise, lambda l, noise: l - noise),
    "l is missing in z*": _both(lambda l, noise: noise, lambda l, noise: l + noise),
    "the noise is missing in z*": _both(lambda l, noise: l + 0 * noise, lambda l, noise: l + noise),
    "l is missing in both arg maxes": _both(lambda l, noise: noise, lambda l, noise: noise),
    "the noise is added to the probabilities sigmoid(l), and must be added to the logits l": _both(
        lambda l, noise: expit(l) + noise, lambda l, noise: expit(l) + noise),
    "the thresholds are 0.5, and must be 0: l + noise is no probability": _half,
    "it is the arg max over all 2^n vectors; here each variable moves by itself": _joint,
    "it is local expectation, sigmoid(l) (1 - sigmoid(l)) gain; here the difference of two arg maxes is asked for":
        lambda f, l, noise, eps: expit(l) * expit(-l) * np.diff(flip_table(f, (l + noise > 0) * 1.0), axis=2)[:, :, 0],
    "it is z(eps) / eps: z* is not subtracted": lambda f, l, noise, eps: (
        l + noise + eps * np.diff(flip_table(f, (l + noise > 0) * 1.0), axis=2)[:, :, 0] > 0) / eps,
}, factors={"eps": lambda eps, **rest: eps}, explain=_which)

TASKS = TABLE, DIRECT
