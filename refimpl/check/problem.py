"""Define problems with scores h, a function f and eps, and compute their exact gradients and variances."""
from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.special import softmax

from refimpl import arguments, direct, exact, joint

JOINT = joint.TRAINABLE                                     # the largest number of joint values of several variables


class Problem(NamedTuple):
    """A problem with n variables of k values.

    In the list of the K = k^n joint values, the first variable varies slowest.
    """

    h: np.ndarray                       # (n, k)
    f: np.ndarray                       # (K,)
    eps: float
    single: bool                        # h was given as (k,), so the function gets (draws, k), not (draws, n, k)
    callable: Callable | None           # the function f of z, if f was given as a function
    digits: np.ndarray                  # (K, n) integers, the values of the n variables in each joint value

    @property
    def q(self) -> np.ndarray:
        return softmax(self.h, axis=-1)

    @property
    def joint_q(self) -> np.ndarray:
        """Return an array of shape (K,): the probability of each joint value."""
        return self._corner(self.q).prod(axis=-1)

    def _corner(self, values: np.ndarray) -> np.ndarray:
        """Return an array of shape (K, n): values[i, z_i] for each joint value z and each variable i."""
        return values[np.arange(len(self.h)), self.digits]

    def scores(self, values: np.ndarray) -> np.ndarray:
        """Return an array of shape (..., K): for each joint value z, the sum over i of values[..., i, z_i]."""
        total = values[..., 0, :]
        for i in range(1, values.shape[-2]):
            total = (total[..., :, None] + values[..., i, None, :]).reshape(values.shape[:-2] + (-1,))
        return total

    def index(self, digits: np.ndarray) -> np.ndarray:
        """Return the index of each joint value.  The last axis of `digits` holds the values of the n variables."""
        n, k = self.h.shape
        return digits @ k ** np.arange(n - 1, -1, -1)

    def shaped(self, values: np.ndarray) -> np.ndarray:
        """Remove the second axis of `values` if h was given with shape (k,).  `values` has shape (draws, n, k)."""
        return values[:, 0] if self.single else values

    def gradient(self) -> np.ndarray:
        """Return an array of shape (n, k): the exact grad_h E f.  Entry (i, a) is q_i(a) (E[f given z_i = a] - E f)."""
        if len(self.h) == 1:
            return exact.gradient(self.h, self.f)
        return self._conditional(self.joint_q * (self.f - self.joint_q @ self.f))

    def tilted(self, two_sided: bool = False) -> np.ndarray | None:
        """Return the exact mean of the direct gradient, or None if there are several variables."""
        return direct.expected_gradient(self.h, self.f, self.eps, two_sided) if len(self.h) == 1 else None

    def _conditional(self, mass: np.ndarray) -> np.ndarray:
        """Return an array of shape (n, k).  Entry (i, a) is the sum of `mass` over all joint values with z_i = a."""
        k = self.h.shape[1]
        return np.array([np.bincount(digit, mass, k) for digit in self.digits.T])

    def reinforce_variance(self, best_baseline: bool) -> np.ndarray:
        """Return an array of shape (n, k): the exact variance of the REINFORCE gradient (f(z) - b) grad log q(z).

        If `best_baseline` is True, b is the constant that minimises the total variance.  Otherwise, b is 0.
        """
        q, joint_q = self.q, self.joint_q
        lengths = (1 - 2 * self._corner(q) + (q**2).sum(axis=-1)).sum(axis=-1)          # |grad log q(z)|^2, (K,)
        worth = joint_q @ lengths
        b = joint_q @ (lengths * self.f) / worth if best_baseline and worth > 0 else 0.0
        mass = joint_q * (self.f - b) ** 2
        second = self._conditional(mass) * (1 - 2 * q) + q**2 * mass.sum()
        return np.maximum(second - self.gradient() ** 2, 0)


def make(h: object, f: object, eps: object, of_z: Callable | None = None) -> Problem:
    """Check the arguments, and return the Problem.

    h has shape (k,) or (n, k).  f is a function, or an array with the shape (k,), (k, ..., k) or (k^n,).  If f is a
    function, of_z(f, z) returns f at one-hot z.  Raises ValueError or TypeError with a message of one line.
    """
    (h,) = arguments.scores(h=h)
    if h.ndim not in (1, 2) or h.shape[-1] < 2:
        raise ValueError(f"h must have shape (k,) or (n, k) with k >= 2, got shape {h.shape}")
    single, h = h.ndim == 1, np.atleast_2d(h)
    n, k = h.shape
    if n > 1 and joint.count(n, k) > JOINT:
        raise ValueError(f"h must have at most {JOINT:,} joint values k^n, which are enumerated, got {k}^{n}")
    digits = joint.values(n, k)
    if callable(f):
        z = (digits[:, :, None] == np.arange(k)).astype(np.float64)
        table, given = of_z(f, z[:, 0] if single else z), f
    else:
        (table,), given = arguments.scores(f=f), None
        allowed = ((k,),) if single else ((k,) * n, (k**n,))
        if table.shape not in allowed:
            raise ValueError(f"h and f must be vectors of the same length, or h (n, k) and f (k, ..., k) with n axes: "
                             f"got shapes {h[0].shape if single else h.shape} and {table.shape}")
        table = table.reshape(-1)
    if np.ptp(table) == 0:
        raise ValueError("f must hold different numbers: if all are equal, every estimate is 0")
    if np.ndim(arguments.array("eps", eps)) or isinstance(eps, bool):
        raise TypeError("eps must be a single number above 0")
    eps = float(arguments.epsilon(eps)[0])
    arguments.perturbation(np.array(2 * eps), table)
    if np.abs(table).max() > 1e100 or np.abs(h).max() > 1e100:
        raise ValueError("h and f must be at most 1e100 in absolute value, as their squares are compared")
    if not 1e-100 <= eps <= 1e100:
        raise ValueError(f"eps must be in 1e-100 ... 1e100 here, as variances are compared, got {eps:g}")
    return Problem(h, table, eps, single, given, digits)


def probe(like: Problem, number: int) -> Problem:
    """Return one of four further problems.  On them, different mistakes give different estimates.

    `number`, from 0 to 3, selects the problem.  If f is a function, it stays the same.  If f is a table, it is replaced
    by another one, and in problems 0 and 1, k usually changes too.
    """
    n, k = like.h.shape
    if like.callable is None and number < 2:
        k = (4, 5)[number] + (k in (4, 5)) * 2
        while n > 1 and k**n > JOINT:
            k -= 1
    for seed in range(200):
        rng = np.random.default_rng([7, number, seed])
        h = rng.permuted(np.tile(np.linspace(-0.9, 0.9, k), (n, 1)), axis=1) + 0.1 * rng.normal(size=(n, k))
        if like.callable is not None:
            eps = (1.3, 2.7, 0.77, 3.1)[number] / np.ptp(like.f)
            problem = Problem(h, like.f, eps, like.single, like.callable, like.digits)
        else:
            f = rng.permuted(np.linspace(-1.1, 1.6, k**n)) + 0.05 * rng.normal(size=k**n)
            problem = Problem(h, f, (0.7, 1.7, 0.6, 1.6)[number], like.single, None, joint.values(n, k))
        scores = problem.scores(h)
        first, *others = [(scores + step * problem.f).argmax() for step in (0, problem.eps, -problem.eps, 1, -1)]
        if first not in others[:2] and (others[0] != others[2] or k == 2 or like.callable is not None):
            break                                           # the slips differ even without noise
    return problem
