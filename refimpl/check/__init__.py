"""Check a gradient estimator of your own, from any framework, against the direct gradient and exact enumeration.

    def mine(h, f, eps, noise):                     # h, f and zero-mean Gumbel noise of shape (n, k)
        ...                                         # returns n gradients, (n, k)
    print(check.gradient(mine, h, f, eps=0.3))

The report says of what objective the mean is the gradient, how the variance compares with that of the usual estimators,
and whether the function computes the direct gradient.  If it does not, the report names the likeliest slip.

If the function is given the noise, every draw is compared, and only near-ties in the function's precision may differ.
If the function draws its own noise, the counts of changes are compared with their exact law.  If several explanations
fit, the function is tried on further problems that separate them.

    problem     h, f, eps and what is known exactly about them        calling    calling the function
    slips       differences of two arg maxes                          smooth     all other estimators
    draws       comparison draw by draw                               laws       comparison of counts
    rounding    precisions and near-ties                              factors    wrong factors of the gradient
    moments     sums, standard errors                                 mean       identifying the mean
    recognise   all explanations that fit on one problem              verdict    choosing one explanation
    report      what is printed
"""
from __future__ import annotations

from collections.abc import Callable

import numpy as np

from refimpl import arguments
from refimpl.check import calling, mean, problem, recognise, rounding, verdict
from refimpl.check.report import Report

MOST_SAMPLES = 10**9
DEFAULT, BUDGET = 100_000, 50_000_000


def gradient(function: Callable, h: np.ndarray, f: np.ndarray | Callable, eps: float = 0.3, samples: int | None = None,
             rng: np.random.Generator | None = None, *, two_sided: bool | None = None, precision: str | None = None,
             loss: bool = False, convert: Callable | None = None, differentiate: Callable | None = None,
             generator: Callable | None = None) -> Report:
    """Compare function(h, f, eps, noise) with the direct gradient of Theorem 1, equation (1), and with enumeration.

    function   gets h and f broadcast to (draws, k), eps, and zero-mean Gumbel noise (draws, k).  It returns (draws, k),
               one estimate per draw of the gradient of E f with respect to h: an ascent direction, in units of f.
               Arrays and tensors of any framework are accepted, also in half precision.  If its fourth parameter has
               the name of a random generator (rng, generator, random_state, seed, key, ...), or if there is none, the
               function draws its own noise
    h          scores (k,) with k >= 2; or (n, k) for n variables: the function then gets h and noise of shape
               (draws, n, k) and returns (draws, n, k).  All k^n joint values, at most 4,096, are enumerated
    f          (k,), not constant; for n variables (k, ..., k).  Or a function of z, which takes (draws, k) or
               (draws, n, k), also between the one-hot vectors, and returns (draws,); it is passed on unchanged
    eps        a number above 0
    samples    number of draws, at least 1,000; by default 100,000, and fewer if k^n is above 500
    rng        generator of the noise, by default numpy.random.default_rng(0)
    two_sided  True or False to accept only the two-sided, or only the one-sided gradient; None to accept either
    precision  "float64", "float32", "float16" or "bfloat16", in which the function computes; None to find it out
    loss       True if the function returns the gradient of the loss -f, a descent direction
    convert    a function such as torch.from_numpy, applied to every array before it is passed on
    differentiate  needed if the function returns a loss or an objective; differentiate(objective, h) must return the
               gradient with respect to h, where objective(h) calls the function
    generator  makes the fourth argument of the function from a seed, an int

    Raises TypeError or ValueError if an argument is out of range, if the function cannot be called, or if the array
    that it returns has the wrong shape or is not finite.
    """
    hook = calling.hook(function, convert, differentiate, generator, loss)
    values = calling.of_z(convert)
    wanted = problem.make(h, f, eps, values)
    if two_sided is not None and not isinstance(two_sided, (bool, np.bool_)):
        raise TypeError(f"two_sided must be True, False or None, got {type(two_sided).__name__}")
    precision = rounding.check(precision)
    if samples is None:
        samples = max(1_000, min(DEFAULT, BUDGET // max(len(wanted.f), wanted.h.size)))
    samples = arguments.integer("samples", samples, 1_000, most=MOST_SAMPLES)
    rng = np.random.default_rng(0) if rng is None else arguments.generator(rng)

    def slope(of: problem.Problem, z: np.ndarray) -> np.ndarray:
        return calling.slope(of, z, values)

    finding = recognise.run(hook, wanted, samples, rng, precision, slope)
    decided = verdict.decide(hook, finding, rng, precision, slope, two_sided)
    truth = mean.known(wanted, np.random.default_rng(1))
    return verdict.report(finding, decided, truth)
