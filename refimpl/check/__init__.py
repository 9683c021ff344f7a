"""Check your own gradient estimator, from any framework, against the direct gradient and exact enumeration.

    def mine(h, f, eps, noise):                     # h, f and zero-mean Gumbel noise of shape (n, k)
        ...                                         # returns n gradients, of shape (n, k)
    print(check.gradient(mine, h, f, eps=0.3))

The report states whether the function computes the direct gradient.  If it does not, the report names the likeliest
mistake.  The report also compares the mean of your estimates with known gradients, such as that of E f, and the
variance of your estimates with the variances of well-known estimators.

If the function uses the given noise, each of its gradients is compared with the direct gradient for the same noise.
These two gradients may differ only at a near-tie: if the two best scores are nearly equal, rounding can change the arg
max.  If the function draws its own noise, the check makes two counts for each value of z: in how many draws the arg max
changes from this value to another one, and in how many draws it changes from another value to this one.  The check
tests whether the counts fit the direct gradient or a common mistake.  The code calls such a mistake a slip.  If several
explanations fit, the check uses further problems.  The modules are:

    problem     h, f and eps, and the exact gradients and variances   calling    call the function
    slips       estimators that are differences of two arg maxes      smooth     recognise all other estimators
    draws       compare the gradients draw by draw                    laws       compare counts with their law
    rounding    precisions and near-ties                              factors    name wrong factors of the gradient
    moments     means, variances and standard errors                  mean       identify the mean
    recognise   find all explanations that fit one problem            verdict    choose one explanation
    report      print the result
"""
from __future__ import annotations

from collections.abc import Callable
from functools import partial

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
    """Check function(h, f, eps, noise) against the direct gradient of Theorem 1, equation (1), and return a Report.

    function   your estimator.  It is given h, f, eps and zero-mean Gumbel noise.  h, f and the noise have shape
               (draws, k).  Your function returns an array of this shape, or a tensor of any framework.  Half precision
               is allowed.  Each row is an estimate of the gradient of E f with respect to h.  If your function draws
               its own noise, leave out the fourth parameter, or name it rng, seed or key.  A parameter rng is given a
               NumPy generator, a parameter seed is given an int, and a parameter key is given a JAX key
    h          the scores, of shape (k,) with k >= 2, or of shape (n, k) for n variables.  With n variables, `function`
               is given h and noise of shape (draws, n, k), and returns gradients of this shape.  All k^n joint values
               are enumerated, so k^n must be at most 4,096
    f          an array of shape (k,), or of shape (k, ..., k) for n variables.  Its entries must not all be equal.
               f can also be a function that takes z and returns an array of shape (draws,).  Then your estimator is
               given this function as its argument f.  z has shape (draws, k) or (draws, n, k), and need not be one-hot
    eps        a number above 0
    samples    the number of draws, at least 1,000.  The default is 100,000, or fewer if k^n is above 500
    rng        the generator of the noise, by default numpy.random.default_rng(0)
    two_sided  True accepts only the two-sided gradient.  False accepts only the one-sided gradient.  None, the default,
               accepts both
    precision  the precision in which the function computes: "float64", "float32", "float16" or "bfloat16".  If it is
               None, the check finds the precision
    loss       True if the function returns the gradient of the loss -f
    convert    a function that converts an array, such as torch.from_numpy.  Then `function` is given converted
               arrays.  If f is a function, f is given converted arrays, too
    differentiate  a function that computes the gradients.  It is needed if `function` returns an objective or a loss.
               The check calls differentiate(objective, h), where objective(h) calls `function`
    generator  a function that makes the fourth argument of `function`, a random generator, from a seed (an int)

    Raises TypeError or ValueError if an argument is out of range, if the function cannot be called, or if the array
    that it returns has the wrong shape or is not finite.
    """
    hook = calling.hook(function, convert, differentiate, generator, loss)
    values = calling.of_z(convert)
    wanted = problem.make(h, f, eps, values)
    if two_sided is not None and not isinstance(two_sided, (bool, np.bool_)):
        raise TypeError(f"two_sided must be True, False or None, got {type(two_sided).__name__}")
    allowed = rounding.up_to(precision)
    if samples is None:
        samples = max(1_000, min(DEFAULT, BUDGET // max(len(wanted.f), wanted.h.size)))
    samples = arguments.integer("samples", samples, 1_000, most=MOST_SAMPLES)
    rng = np.random.default_rng(0) if rng is None else arguments.generator(rng)

    def explain(of: problem.Problem, draws: int) -> recognise.Finding:
        return recognise.run(hook, of, draws, rng, allowed, partial(calling.slope, values=values))

    finding = explain(wanted, samples)
    decided = verdict.decide(finding, explain, two_sided)
    truth = mean.known(wanted, np.random.default_rng(1))
    return verdict.report(finding, decided, truth)
