"""The family of binary variables with a score for each variable and for each pair of variables (slide 32).

    h(z) = sum_i u_i z_i + sum_{i<j} w_ij z_i z_j          z in {0, 1}^n, theta = (u, w), features(z) = (z_i, z_i z_j)

The noise is low-dimensional: gamma_i(1) - gamma_i(0) is added to u_i, and w has no noise.  A solver finds z*, the arg
max of the perturbed score.  The law q(z) of z* is not the Gibbs distribution exp(h) / Z, and has no closed form.  So
training has no KL term, and there is no ELBO to report.  Models are compared by the exact log-likelihood, which does
not depend on q.
"""
from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy.special import softmax

from refimpl import arguments, gumbel
from refimpl.arguments import InputError, Setting, Value
from refimpl.latent import solvers
from refimpl.latent.family import Family, Relaxed
from refimpl.latent.independent import through_softmax
from refimpl.latent.solvers import Solver, enumeration
from refimpl.latent.solvers.base import products
from refimpl.nn.losses import categorical_kl, softplus_and_sigmoid

PAIR_START = -3.0           # softplus(-3) = 0.05, so at the start the variables hardly influence each other
ABSOLUTE_START = 0.05       # the same w


class Pairwise(Family):
    """The family of n binary variables with pair scores.

    theta has shape (B, n + n (n-1)/2) and holds u and then w.  The pairs are in the order of solvers.base.pairs(n).

    non_negative  if True, w = softplus(v), where v is the encoder's output.  So w >= 0, as max-flow requires.  If
                  False, w = v
    absolute      if True, w = |v| instead of softplus(v)
    pair_start    the initial value of v.  If it is 0 and the softplus is used, every w is 0.7 at the start.  Such pair
                  scores are so large that they set each variable to 1, whatever the image is

    Raises ValueError in three cases: the solver does not accept this n; the solver needs w >= 0, but non_negative is
    False; absolute is True, but non_negative is False.
    """

    k = 2
    normalised = False
    options = {
        "solver": Setting(str, "maxflow", "solver for the arg max with pair scores", choices=lambda: solvers.REGISTRY),
        "non_negative": Setting(bool, None, "make pair scores positive by a softplus (default: yes, but no for milp)"),
        "absolute": Setting(bool, None, "make pair scores positive by an absolute value instead of a softplus "
                                        "(default: no)"),
        "pair_start": Setting(float, None, "initial value of the pair scores, before the softplus if there is one "
                                           "(default: 0 without softplus, and -3, that is w = 0.05, with it; as "
                                           "released: 0, that is w = 0.7 with it; 0.05 with the absolute value)",
                              least=-30, most=30)}

    released = {"pair_start": 0.0}

    @classmethod
    def complete(cls, n: int, k: int, options: Mapping[str, Value]) -> dict[str, Value]:
        chosen = super().complete(n, k, options)
        solver = solvers.get(chosen["solver"])
        if k != 2:
            raise InputError(f"--family pairwise needs binary variables, --k 2, got --k {k}")
        if not 2 <= n <= solver.most:
            raise InputError(f"--n must be in 2 ... {solver.most} for --solver {solver.name}, got {n}")
        if chosen["non_negative"] is None:
            chosen["non_negative"] = solver.name != "milp"
        if solver.non_negative and not chosen["non_negative"]:
            raise InputError(f"--solver {solver.name} needs pair scores that are not negative; leave out "
                             "--no-non-negative, or use --solver milp or enumeration")
        if chosen["absolute"] and not chosen["non_negative"]:
            raise InputError("--absolute makes pair scores positive, so it does not go together with "
                             "--no-non-negative or --solver milp")
        if chosen["pair_start"] is None and chosen["non_negative"]:
            chosen["pair_start"] = ABSOLUTE_START if chosen["absolute"] else PAIR_START
        return chosen

    @classmethod
    def create(cls, n: int, k: int, *, solver: str, non_negative: bool, pair_start: float = 0.0,
               absolute: bool = False) -> Pairwise:
        return cls(n, solvers.get(solver), non_negative, pair_start, absolute)

    def label(self) -> str:
        sign = ", absolute value" if self.absolute else "" if self.non_negative else ", any sign"
        words = f"pairwise by {self.solver.name}{sign}"
        default = ABSOLUTE_START if self.absolute else PAIR_START if self.non_negative else 0.0
        return words + (f", pairs start at {self.pair_start:g}" if self.pair_start != default else "")

    def __init__(self, n: int, solver: Solver, non_negative: bool, pair_start: float = 0.0,
                 absolute: bool = False) -> None:
        if not 2 <= n <= solver.most:
            raise ValueError(f"n must be in 2 ... {solver.most} for {solver.name}, got {n}")
        if solver.non_negative and not non_negative:
            raise ValueError(f"{solver.name} needs non-negative pair scores")
        if absolute and not non_negative:
            raise ValueError("absolute needs non_negative=True")
        self.n, self.outputs = n, n + n * (n - 1) // 2
        self.solver, self.non_negative, self.pair_start = solver, non_negative, pair_start
        self.absolute = absolute

    @property
    def start(self) -> np.ndarray:
        return np.repeat([0.0, self.pair_start], [self.n, self.outputs - self.n])

    def theta(self, out: np.ndarray) -> np.ndarray:
        if not self.non_negative:
            return out
        return np.concatenate([out[:, :self.n], self._positive(out)[0]], axis=1)

    def back(self, out: np.ndarray, dtheta: np.ndarray) -> np.ndarray:
        if not self.non_negative:
            return dtheta
        return np.concatenate([dtheta[:, :self.n], dtheta[:, self.n:] * self._positive(out)[1]], axis=1)

    def _positive(self, out: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the non-negative pair scores w, and dw/dv."""
        v = out[:, self.n:]
        return (np.abs(v), np.sign(v)) if self.absolute else softplus_and_sigmoid(v)

    def perturb(self, theta: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        noisy = arguments.finite("theta", theta).copy()
        gamma = gumbel.sample((len(theta), self.n, 2), rng)
        noisy[:, :self.n] += gamma[..., 1] - gamma[..., 0]
        return noisy

    def argmax(self, theta: np.ndarray) -> np.ndarray:
        return gumbel.one_hot(self.solver.argmax(theta[:, :self.n], theta[:, self.n:]), 2)

    def features(self, z: np.ndarray) -> np.ndarray:
        ones = z[..., 1]
        return np.concatenate([ones, products(ones)], axis=-1)

    def tilt(self, theta: np.ndarray, table: np.ndarray) -> np.ndarray:
        """Add table[..., 1] - table[..., 0], of shape (B, n), to u, and return the new theta."""
        tilted = theta.copy()
        tilted[:, :self.n] += arguments.finite("f", table[..., 1] - table[..., 0])
        return tilted

    def joint_argmax(self, theta: np.ndarray, table: np.ndarray) -> np.ndarray:
        total = self._joint_scores(theta) + arguments.finite("f", table)
        return gumbel.one_hot(enumeration.all_values(self.n)[total.argmax(axis=1)], 2)

    def relax(self, theta: np.ndarray, rng: np.random.Generator, tau: float) -> Relaxed:
        """Return a Gumbel-softmax sample with one Gumbel variable for each of the 2^n joint values (slide 32)."""
        tau = arguments.temperature("tau", tau)
        scores = self._joint_scores(arguments.finite("theta", theta))
        weights = softmax((scores + gumbel.sample(scores.shape, rng)) / tau, axis=1)    # (B, 2^n)
        phi = enumeration.features(self.n, weights.dtype)                               # (2^n, outputs)
        ones = weights @ phi[:, :self.n]                                                # (B, n)

        def back(df_dz: np.ndarray) -> np.ndarray:
            df_dweights = (df_dz[..., 1] - df_dz[..., 0]) @ phi[:, :self.n].T
            return through_softmax(weights, df_dweights) / tau @ phi

        return Relaxed(np.stack([1 - ones, ones], axis=-1), back)

    def unary_kl(self, theta: np.ndarray) -> np.ndarray:
        u = theta[:, :self.n]
        return categorical_kl(np.stack([np.zeros_like(u), u], axis=-1))[0].sum(axis=1)

    def _joint_scores(self, theta: np.ndarray) -> np.ndarray:
        return enumeration.all_scores(theta[:, :self.n], theta[:, self.n:])
