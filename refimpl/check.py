"""Check a gradient estimator of your own, from any framework, against the exact law of the direct gradient.

    def mine(h, f, eps, noise):                     # (n, k) each; noise: zero-mean Gumbel; n gradients back, (n, k)
        ...
    print(check.gradient(mine, h, f, eps=0.3))

The mean, the variance of every component, and, where the function takes the noise, every single draw are compared
with what they must be.  Where they differ, the likeliest slip is named: each known slip has a mean and a variance of
its own.
"""
from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.special import softmax

from refimpl import checks, direct, exact, gumbel

STANDARD_ERRORS = 5.0
CHUNK = 20_000
GENERATORS = ("rng", "generator", "seed_sequence", "random_state")


class Report(NamedTuple):
    """What was found; print it."""

    samples: int
    mean_z: float
    """Worst component of the mean, in standard errors."""
    variance_z: float
    """Worst component of the variance, in standard errors."""
    equal: float | None
    """Share of the draws that are the direct gradient of the same noise; None where the function draws its own."""
    holds: bool
    verdict: str
    rows: tuple[tuple[float, float, float, float, float], ...]
    """A component each: exact mean, found, its standard error, exact variance, found."""

    def __str__(self) -> str:
        lines = [f"{'component':>9s} {'exact mean':>11s} {'found':>11s} {'± s.e.':>9s} {'exact variance':>15s} "
                 f"{'found':>11s}"]
        lines += [f"{i:9d} {mean:11.5g} {found:11.5g} {error:9.2g} {variance:15.5g} {spread:11.5g}"
                  for i, (mean, found, error, variance, spread) in enumerate(self.rows)]
        lines.append(f"{self.samples:,} draws; worst component of the mean {self.mean_z:.1f} standard errors off, "
                     f"of the variance {self.variance_z:.1f}")
        if self.equal is not None:
            lines.append(f"{self.equal:.2%} of the draws are the difference of two arg maxes of the same noise")
        return "\n".join([*lines, self.verdict])


def gradient(function: Callable[..., np.ndarray], h: np.ndarray, f: np.ndarray, eps: float = 0.3,
             samples: int = 100_000, rng: np.random.Generator | None = None) -> Report:
    """Compare function(h, f, eps, noise) with the direct gradient of Theorem 1, equation (1).

    function   gets h and f broadcast to (n, k), eps, and zero-mean Gumbel noise (n, k); if its fourth parameter is
               called rng or generator, a numpy Generator instead.  Returns n gradients (n, k), one a draw, of E f in h:
               an ascent direction, in units of f.  Any array that numpy can read will do
    h, f       (k,) scores, 2 <= k; f not constant
    samples    draws, at least 1,000

    Raises TypeError if the function is none or takes other than four arguments, ValueError if what it returns has
    another shape or is not finite, or if an argument is out of range.
    """
    (h,), (f,) = checks.scores(h=h), checks.scores(f=f)
    if h.ndim != 1 or h.shape != f.shape or len(h) < 2:
        raise ValueError(f"h and f must be vectors of one length of at least 2, got shapes {h.shape} and {f.shape}")
    if np.ptp(f) == 0:
        raise ValueError("f must hold different numbers: with equal ones every estimate is 0")
    eps = float(checks.positive("eps", eps))
    samples = checks.whole("samples", samples, 1_000)
    rng = np.random.default_rng(0) if rng is None else rng
    own_noise = _draws_its_own(function)
    total, squares, fourth, same = (np.zeros(len(h)) for _ in range(4))
    mean, variance = direct.expected_gradient(h, f, eps), direct.variance(h, f, eps)
    for start in range(0, samples, CHUNK):
        rows = min(CHUNK, samples - start)
        many_h, many_f = (np.repeat(scores[None], rows, axis=0) for scores in (h, f))
        noise = gumbel.sample((rows, len(h)), rng)
        g = _called(function, many_h, many_f, eps, rng if own_noise else noise.copy())
        off = g - mean
        total, squares, fourth = total + off.sum(axis=0), squares + (off**2).sum(axis=0), fourth + (off**4).sum(axis=0)
        if not own_noise:
            same += np.isclose(g, direct.gradient(h, f, eps, noise), rtol=1e-3, atol=1e-6 / eps).all(axis=1).sum()
    found, spread = total / samples, squares / samples
    error = np.sqrt(np.maximum(spread - found**2, 0) / samples)
    mean_z, variance_z = _worst(mean, variance, mean, found, spread, fourth / samples, samples)
    equal = None if own_noise else float(same[0] / samples)
    holds = mean_z < STANDARD_ERRORS and variance_z < STANDARD_ERRORS and equal in (None, 1.0)
    rows = tuple(zip(mean, mean + found, error, variance, spread - found**2))
    verdict = "It is the direct gradient." if holds else _slip(h, f, eps, mean, found, spread, fourth / samples,
                                                                 samples, equal)
    return Report(samples, mean_z, variance_z, equal, holds, verdict, rows)


def _draws_its_own(function: Callable[..., np.ndarray]) -> bool:
    if not callable(function):
        raise TypeError(f"function must be a function (h, f, eps, noise) -> gradient, got {type(function).__name__}")
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):                         # some compiled functions do not tell
        return False
    if any(each.kind is each.VAR_POSITIONAL for each in parameters):
        return False
    places = [each for each in parameters if each.kind in (each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD)]
    needed = [each for each in places if each.default is each.empty]
    if len(places) < 4 or len(needed) > 4:
        raise TypeError("function must take four arguments (h, f, eps, noise), or (h, f, eps, rng)")
    return places[3].name in GENERATORS


def _called(function: Callable[..., np.ndarray], h: np.ndarray, f: np.ndarray, eps: float, fourth: object
            ) -> np.ndarray:
    g = np.asarray(function(h, f, eps, fourth), dtype=np.float64)
    if g.shape != h.shape:
        raise ValueError(f"function must return an array of shape {h.shape}, a gradient a draw, got {g.shape}")
    if not np.isfinite(g).all():
        raise ValueError("function must return finite numbers, got NaN or infinity")
    return g


def _worst(mean: np.ndarray, variance: np.ndarray, origin: np.ndarray, found: np.ndarray, spread: np.ndarray,
           fourth: np.ndarray, samples: int) -> tuple[float, float]:
    """How far, in standard errors, mean and second moment about `origin` are from what this mean and variance say."""
    scale = np.abs(mean).max() + np.sqrt(variance.max()) + 1e-300
    floor = 1e-5 * scale                                    # single precision: rounding is no slip
    off = np.abs(origin + found - mean)
    of_mean = off / np.maximum(np.sqrt(np.maximum(spread - found**2, variance) / samples), floor)
    second = variance + (mean - origin) ** 2
    of_spread = np.abs(spread - second) / np.maximum(np.sqrt(np.maximum(fourth - spread**2, 0) / samples),
                                                     floor * scale)
    return float(of_mean.max()), float(of_spread.max())


def _slips(h: np.ndarray, f: np.ndarray, eps: float) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """What a slip makes of mean and variance, exactly."""
    q, q_eps, q_minus = softmax(h), softmax(h + eps * f), softmax(h - eps * f)
    mean, variance = direct.expected_gradient(h, f, eps), direct.variance(h, f, eps)
    bernoulli, of_eps = q * (1 - q), q_eps * (1 - q_eps)
    none = np.zeros(len(h))
    return {
        "The sign is wrong: this descends. The gradient is onehot(z_eps) - onehot(z_star), over eps.":
            (-mean, variance),
        "The factor 1/eps is missing.": (eps * mean, eps**2 * variance),
        "It is divided by eps twice.": (mean / eps, variance / eps**2),
        "It is half of what it should be: divided by 2 eps, as only the two-sided difference is.":
            (mean / 2, variance / 4),
        "It is twice what it should be.": (2 * mean, 4 * variance),
        "The noise is not shared: each arg max has drawn its own. The mean is right, the variance is that of two "
        "independent draws.": (mean, (bernoulli + of_eps) / eps**2),
        "The second term is dropped: onehot(z_star) is not subtracted.": (q_eps / eps, of_eps / eps**2),
        "The first term is dropped: this is -onehot(z_star) / eps.": (-q / eps, bernoulli / eps**2),
        "f enters with the wrong sign: z_eps is the arg max of h - eps f + noise. For a loss, put f = -loss.":
            ((q_minus - q) / eps, direct.variance(h, -f, eps)),
        "f enters without eps: z_eps is the arg max of f + h + noise.":
            ((softmax(h + f) - q) / eps, direct.variance(h, f, 1.0) / eps**2),
        "This is the two-sided difference, with both signs of eps: check it against direct.two_sided_gradient.":
            (direct.expected_gradient(h, f, eps, two_sided=True), direct.variance(h, f, eps, two_sided=True)),
        "There is no noise in it: this is the mean at this eps, (q_eps - q) / eps.": (mean, none),
        "There is no noise in it: this is the exact gradient, q (f - E f).": (exact.gradient(h, f), none),
        "There is no noise in the arg maxes: h decides alone.": (
            (gumbel.one_hot((h + eps * f).argmax(), len(h)) - gumbel.one_hot(h.argmax(), len(h))) / eps, none),
        "The noise has the wrong sign: -gamma is added. Its arg max is not a softmax.": _reversed_noise(h, f, eps)}


def _reversed_noise(h: np.ndarray, f: np.ndarray, eps: float) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance with -gamma for gamma, by many draws: there is no closed form."""
    g = direct.gradient(h, f, eps, -gumbel.sample((400_000, len(h)), np.random.default_rng(1)))
    return g.mean(axis=0), g.var(axis=0)


def _slip(h: np.ndarray, f: np.ndarray, eps: float, origin: np.ndarray, found: np.ndarray, spread: np.ndarray,
          fourth: np.ndarray, samples: int, equal: float | None) -> str:
    """The slip whose mean and variance fit best, if one of them fits."""
    off = {words: max(_worst(mean, variance, origin, found, spread, fourth, samples))
           for words, (mean, variance) in _slips(h, f, eps).items()}
    words = min(off, key=off.__getitem__)
    if off[words] < STANDARD_ERRORS:
        return "NOT the direct gradient. " + words
    if equal is not None and max(_worst(origin, direct.variance(h, f, eps), origin, found, spread, fourth,
                                        samples)) < STANDARD_ERRORS:
        return ("Mean and variance are those of the direct gradient, but it does not use the noise that it is given: "
                "it draws its own, or takes its entries in another order.")
    return "NOT the direct gradient, and none of the slips that are known here: compare it draw by draw."
