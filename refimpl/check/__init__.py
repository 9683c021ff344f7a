"""Check a gradient estimator of your own, from any framework, against the direct gradient and exact enumeration.

    def mine(h, f, eps, noise):                     # (n, k) each; noise: zero-mean Gumbel; n gradients back, (n, k)
        ...
    print(check.gradient(mine, h, f, eps=0.3))

The report says what the mean is the gradient of, how the variance compares with that of the usual estimators, and
whether it is the direct gradient.  If not, the likeliest slip is named.

Where the noise is given, every single draw is compared, and only near-ties of the function's own precision may differ.
Where the function draws its own, the counts of changes are held to their exact law.  Where several explanations fit,
the function is tried on problems that separate them.

    problem     h, f, eps and what is known exactly about them        calling    how the function is hooked up
    slips       differences of two arg maxes                          smooth     all other estimators
    draws       comparison draw by draw                               laws       comparison of counts
    rounding    precisions and near-ties                              factors    the factor before the gradient
    moments     sums, standard errors                                 mean       of what the mean is the gradient
    recognise   all explanations on one problem                       verdict    one of them, or what is missing
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

    function   gets h and f broadcast to (draws, k), eps, and zero-mean Gumbel noise (draws, k).  Returns gradients
               (draws, k), one per draw, of E f in h: an ascent direction, in units of f.  Arrays and tensors of any
               framework will do, also in half precision.  If its fourth parameter has the name of a random generator
               (rng, generator, random_state, seed, key, ...), or if there is none, it draws its own noise
    h          (k,) scores, k >= 2; or (n, k) for n variables: the function then gets h and noise as (draws, n, k), and
               returns (draws, n, k).  All k^n <= 4,096 joint values are enumerated
    f          (k,), not constant; for n variables (k, ..., k).  Or a function of z, (draws, k) or (draws, n, k) ->
               (draws,): it is handed on as it is, and relaxations are judged by what it does between the corners
    eps        above 0
    samples    draws, at least 1,000; 100,000 by default, and fewer if k^n is above 500
    rng        of the noise, numpy.random.default_rng(0) by default
    two_sided  True or False: only the two-sided, or only the one-sided gradient holds; None: either, and it is said
               which
    precision  "float64", "float32", "float16" or "bfloat16", in which the function computes; None: it is found out
    loss       True: what the function returns is the gradient of the loss -f, a descent direction
    convert    applied to every array before it is handed over, as torch.from_numpy
    differentiate  the function returns a loss or an objective, and differentiate(objective, h) its gradient in h:
               objective(h) calls the function
    generator  makes what the function takes as its fourth argument from a seed, an int

    Raises TypeError or ValueError, of one line, if an argument is out of range, if the function cannot be called, and
    if what it returns has another shape or is not finite.
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
