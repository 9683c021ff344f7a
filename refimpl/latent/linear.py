"""Direct optimisation over subsets, matchings and other sets with linear scores.

    h(z) = theta . z        z in Z, a finite set of arrays of 0 and 1 in the shape of theta;  grad_theta h(z) = z
    z*     = argmax (theta + gamma) . z                     gamma: a Gumbel variable for each entry of theta
    z(eps) = argmax (theta + gamma + eps c) . z             f(z) = c . z, the same gamma, and the same solver
    E (z(eps) - z*) / eps = (mu_eps - mu) / eps,  mu = E z*,  mu_eps = E z(eps)                 Theorem 1

This mean is exactly the gradient of (G(theta + eps c) - G(theta)) / eps, where G(theta) = E max (theta + gamma) . z.
As eps -> 0, the mean tends to grad_theta E f(z*).  The bias is O(eps), or O(eps^2) for the two-sided estimator.
Only the arg max has to be computed.  No sum over Z is needed, so Z can have very many members.  The law of z* is not
the Gibbs distribution exp(theta . z) / sum.

If f is not linear, c can be a function that returns the slope of f at z*.  Then `direct` becomes I-MLE (Niepert,
Minervini and Franceschi, NeurIPS 2021).

To use a solver of your own, write one function.  In this example, z marks three neighbouring places out of six:

    >>> import numpy as np
    >>> from refimpl.latent.linear import Linear
    >>> def best_window(theta):
    ...     start = np.convolve(theta, np.ones(3), "valid").argmax()
    ...     return [start <= place < start + 3 for place in range(6)]
    >>> windows = Linear(6, argmax=best_window)
    >>> windows.argmax([0, 0, 1, 2, 0, 0]).tolist()
    [0.0, 1.0, 1.0, 1.0, 0.0, 0.0]
    >>> theta, c = np.zeros((1000, 6)), np.array([0, 0, 0, 0, 0, 1])
    >>> g = windows.gradient(theta, c, eps=0.5, noise=np.random.default_rng(0))
    >>> g.mean(axis=0).round(2).tolist()                        # towards the windows that contain the last place
    [-0.03, -0.05, -0.16, 0.03, 0.05, 0.16]
"""
from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from refimpl import arguments, gumbel
from refimpl.arguments import LARGEST, NotFinite
from refimpl.direct import Pair

Solver = Callable[[np.ndarray], np.ndarray]
EXCLUDED = "theta must leave at least one z: its entries of minus infinity exclude them all"


class Linear:
    """A finite set Z of arrays of 0 and 1, described by a solver for its linear arg max or by a list of its members.

    shape    the shape of one z and of one theta.  All methods accept arrays with batch axes in front of this shape
    argmax   the solver, a function from a theta of this shape to the best z of this shape.  theta is read-only float64.
             Without a solver, all z are compared
    values   all z as an array of shape (K, *shape), or a function without arguments that returns this array
    batched  whether the solver maps an array of thetas, of shape (B, *shape), to an array of their z, of the same shape

    Each score in theta is finite or minus infinity.  Minus infinity excludes an entry, so that z must be 0 there.  If
    several z are equally good, the solver chooses one of them.  Without a solver, the first of them is chosen.

    Raises TypeError if neither `argmax` nor `values` is given.  The methods raise NotFinite, a ValueError, if an array
    contains NaN or a forbidden infinity.  They raise ValueError if an array has the wrong shape, if every z is
    excluded, or if the solver does not return 0s and 1s.
    """

    def __init__(self, shape: int | tuple[int, ...], argmax: Solver | None = None,
                 values: np.ndarray | Callable[[], np.ndarray] | None = None, batched: bool = False) -> None:
        if argmax is None and values is None:
            raise TypeError("argmax or values must be given: a solver, or the list of every z")
        if argmax is not None and not callable(argmax):
            raise TypeError(f"argmax must be a function, got {type(argmax).__name__}")
        self.shape = arguments.shape(shape)
        self._values, self._listed = values, None
        self._argmax, self._batched = (argmax, batched) if argmax is not None else (self._compare, True)

    def values(self) -> np.ndarray:
        """Return all z as a read-only array of shape (K, *shape).

        Raises ValueError if Linear was called without `values`, or if Z has too many members to list.
        """
        if self._values is None:
            raise ValueError("values must be given to list every z: this set has only a solver")
        if self._listed is None:
            listed = self._values() if callable(self._values) else self._values
            if len(listed) == 0:
                raise ValueError("values must hold at least one z")
            self._listed = self._zeros_and_ones("values", listed, (len(listed), *self.shape))
            self._listed.flags.writeable = False
        return self._listed

    def perturb(self, theta: np.ndarray, noise: np.ndarray | np.random.Generator) -> np.ndarray:
        """Return theta + gamma, of shape (..., *shape).

        `noise` is gamma itself or a Generator.  If it is gamma, its batch axes broadcast with those of theta.  A
        Generator draws one Gumbel variable for each number in theta.
        """
        theta = self._scores("theta", theta, excluding=True)
        if isinstance(noise, np.random.Generator):
            return theta + gumbel.sample(theta.shape, noise)
        noise = self._scores("noise", noise)
        arguments.broadcast(("noise", "theta"), (noise.shape, theta.shape))
        return theta + noise

    def argmax(self, theta: np.ndarray) -> np.ndarray:
        """Return an array of shape (..., *shape) and dtype float64: for each theta, the z with the highest score."""
        return self._solve(self._scores("theta", theta, excluding=True))

    def sample(self, theta: np.ndarray, noise: np.ndarray | np.random.Generator) -> np.ndarray:
        """Return samples z* = argmax (theta + gamma) . z, of shape (..., *shape)."""
        return self._solve(self.perturb(theta, noise))

    def argmax_pair(self, theta: np.ndarray, c: np.ndarray | Solver, eps: float,
                    noise: np.ndarray | np.random.Generator, two_sided: bool = False) -> Pair:
        """Return z* and z(eps) for the same noise, each of shape (..., *shape).

        c          an array of shape (..., *shape) if f(z) = c . z; otherwise a function that maps z* to the slope of
                   f at z*
        eps        a number above 0, or an array of such numbers that broadcasts with the batch axes
        noise      as in perturb()
        two_sided  whether to return z(-eps) instead of z*
        """
        two_sided, noisy = arguments.flag("two_sided", two_sided), self.perturb(theta, noise)
        z_star = None if two_sided and not callable(c) else self._solve(noisy)
        c = self._scores("c", c(z_star) if callable(c) else c)
        step = self._width(eps, arguments.broadcast(("c", "theta"), (c.shape, noisy.shape)))
        arguments.perturbation(step, c)
        z_eps = self._solve(noisy + step * c)
        return Pair(self._solve(noisy - step * c) if two_sided else np.broadcast_to(z_star, z_eps.shape), z_eps)

    def gradient(self, theta: np.ndarray, c: np.ndarray | Solver, eps: float,
                 noise: np.ndarray | np.random.Generator, two_sided: bool = False) -> np.ndarray:
        """Return an estimate of grad_theta E f(z*) for each draw of the noise, in units of f.

        The estimate is (z(eps) - z*) / eps, or (z(eps) - z(-eps)) / (2 eps) if `two_sided` is True.  Its shape is
        (..., *shape).  The arguments are those of argmax_pair().
        """
        first, second = self.argmax_pair(theta, c, eps, noise, two_sided)
        return (second - first) / (self._width(eps, first.shape) * (2 if two_sided else 1))

    def _width(self, eps: float, shape: tuple[int, ...]) -> np.ndarray:
        """Return eps in a shape that broadcasts with arrays of shape (..., *self.shape)."""
        width = arguments.epsilon(eps, shape[:len(shape) - len(self.shape)])[..., 0]
        return width.reshape(width.shape + (1,) * len(self.shape))

    def _solve(self, theta: np.ndarray) -> np.ndarray:
        flat = theta.reshape(math.prod(theta.shape[:theta.ndim - len(self.shape)]), *self.shape)
        flat.flags.writeable = False
        found = self._argmax(flat) if self._batched else [self._argmax(each) for each in flat]
        z = self._zeros_and_ones("argmax", found, flat.shape)
        if flat.size and flat.min() == -np.inf and z[np.isneginf(flat)].any():
            raise ValueError(EXCLUDED)
        return z.reshape(theta.shape)

    def _compare(self, theta: np.ndarray) -> np.ndarray:
        values, rows = self.values(), theta.reshape(len(theta), -1)
        every, excluded = values.reshape(len(values), -1).T, np.isneginf(rows)
        scores = np.where(excluded, 0, rows) @ every
        return values[np.where(excluded @ every > 0, -np.inf, scores).argmax(axis=1)]

    def _scores(self, name: str, value: np.ndarray, excluding: bool = False) -> np.ndarray:
        found = arguments.array(name, value)
        if found.dtype.kind not in "fiub":
            also = " or a numpy.random.Generator" if name == "noise" else ""
            raise TypeError(f"{name} must be an array of real numbers{also}, got dtype {found.dtype}")
        if found.ndim < len(self.shape) or found.shape[found.ndim - len(self.shape):] != self.shape:
            raise ValueError(f"{name} must have shape (..., {', '.join(map(str, self.shape))}), got {found.shape}")
        found = found.astype(np.float64, copy=False)
        ordinary = found.max(initial=0) <= LARGEST and found.min(initial=0) >= -LARGEST
        if not (ordinary or excluding and ((np.abs(found) <= LARGEST) | np.isneginf(found)).all()):
            also = ", or minus infinity to exclude an entry" if excluding else ""
            raise NotFinite(f"{name} must be finite and at most {LARGEST:g} in absolute value{also}")
        return found

    @staticmethod
    def _zeros_and_ones(name: str, value: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        z = arguments.array(name, value)
        if z.shape != shape and (z.size or math.prod(shape)):
            raise ValueError(f"{name} must return arrays of the shape of theta, {shape} in all, got {z.shape}")
        if np.count_nonzero(z) != np.count_nonzero(z == 1):
            raise ValueError(f"{name} must return arrays of 0 and 1, got other numbers")
        return z.astype(np.float64, copy=False).reshape(shape)
