"""Wrong functions that a report should diagnose, and the words that its verdict must contain."""
from __future__ import annotations

import numpy as np
from scipy.special import softmax

from refimpl import direct, exact, gumbel


def onehot(scores):
    return np.eye(scores.shape[-1])[scores.argmax(-1)]


def right(h, f, eps, noise):
    return (onehot(eps * f + h + noise) - onehot(h + noise)) / eps


def unshared(h, f, eps, rng):
    first, second = (gumbel.sample(h.shape, rng) for _ in range(2))
    return (onehot(eps * f + h + first) - onehot(h + second)) / eps


def gumbel_softmax(tau):
    def function(h, f, eps, noise):
        z = softmax((h + noise) / tau, axis=-1)
        return z * (f - (f * z).sum(-1, keepdims=True)) / tau
    return function


def reinforce(baseline):
    def function(h, f, eps, noise):
        z = onehot(h + noise)
        return ((f * z).sum(-1, keepdims=True) - baseline) * (z - softmax(h, axis=-1))
    return function


def times_f_of(which):
    def function(h, f, eps, noise):
        z = onehot(h + noise + (eps * f if which == "z_eps" else 0))
        return right(h, f, eps, noise) * (f * z).sum(-1, keepdims=True)
    return function


def own(function):
    """Return the function with noise that it draws itself, instead of the given noise."""
    return lambda h, f, eps, rng: function(h, f, eps, gumbel.sample(h.shape, rng))


def with_law(law):
    return lambda h, f, eps, rng: right(h, f, eps, law(rng, h.shape))


OF_NOISE = {
    "sign": (lambda h, f, eps, noise: -right(h, f, eps, noise), "the sign is wrong"),
    "missing 1/eps": (lambda h, f, eps, noise: eps * right(h, f, eps, noise), "the factor 1/eps is missing"),
    "sign, missing 1/eps": (lambda h, f, eps, noise: -eps * right(h, f, eps, noise),
                            "the sign is wrong*the factor 1/eps is missing"),
    "double 1/eps": (lambda h, f, eps, noise: right(h, f, eps, noise) / eps, "divided by eps twice"),
    "half": (lambda h, f, eps, noise: right(h, f, eps, noise) / 2, "half of what it should be"),
    "twice": (lambda h, f, eps, noise: right(h, f, eps, noise) * 2, "twice what it should be"),
    "over draws": (lambda h, f, eps, noise: right(h, f, eps, noise) / len(h), "divided by the number of draws"),
    "1.01": (lambda h, f, eps, noise: right(h, f, eps, noise) * 1.01, "1.01 times what it should be"),
    "second dropped": (lambda h, f, eps, noise: onehot(eps * f + h + noise) / eps, "the second term is dropped"),
    "first dropped": (lambda h, f, eps, noise: -onehot(h + noise) / eps, "the first term is dropped"),
    "f negated": (lambda h, f, eps, noise: right(h, -f, eps, noise), "f enters with the wrong sign"),
    "backward": (lambda h, f, eps, noise: -right(h, -f, eps, noise), "the backward difference"),
    "f without eps": (lambda h, f, eps, noise: (onehot(f + h + noise) - onehot(h + noise)) / eps,
                      "f enters without eps"),
    "eps nowhere": (lambda h, f, eps, noise: onehot(f + h + noise) - onehot(h + noise),
                    "f enters without eps*the factor 1/eps is missing"),
    "no noise": (lambda h, f, eps, noise: right(h, f, eps, 0 * noise), "no noise in the arg maxes"),
    "no noise, loss": (lambda h, f, eps, noise: right(h, -f, eps, 0 * noise), "no noise in the arg maxes"),
    "noise reversed": (lambda h, f, eps, noise: right(h, f, eps, -noise), "the noise has the wrong sign"),
    "probabilities": (lambda h, f, eps, noise: right(softmax(h, axis=-1), f, eps, noise), "to the probabilities"),
    "temperature": (lambda h, f, eps, noise: right(h, f, eps, 2 * noise), "the noise is multiplied by 2"),
    "1/sigma": (lambda h, f, eps, noise: right(h / 2, f, eps, noise), "a factor 1/2 is missing"),
    "one noise": (lambda h, f, eps, noise: right(h, f, eps, np.repeat(noise[:1], len(h), axis=0)), "one noise vector"),
    "times f": (lambda h, f, eps, noise: right(h, f, eps, noise) * f, "multiplied by f"),
    "times f(z_star)": (times_f_of("z_star"), "multiplied by f(z_star)"),
    "times f(z_eps)": (times_f_of("z_eps"), "multiplied by f(z_eps)"),
    "mean": (lambda h, f, eps, noise: direct.expected_gradient(h, f, eps), "the mean at this eps"),
    "exact": (lambda h, f, eps, noise: exact.gradient(h, f), "the exact gradient"),
    "zero": (lambda h, f, eps, noise: 0 * h, "it is zero"),
    "gumbel-softmax": (gumbel_softmax(0.5), "the Gumbel-softmax gradient at temperature 0.5"),
    "gumbel-softmax, loss": (lambda *four: -gumbel_softmax(1.0)(*four),
                             "the Gumbel-softmax gradient at temperature 1*with the wrong sign"),
    "reinforce": (reinforce(0), "it is REINFORCE without a baseline"),
    "reinforce, baseline": (reinforce(0.7), "it is REINFORCE with the constant baseline 0.7"),
}
OF_OWN_NOISE = {
    "unshared": (unshared, "the noise is not shared"),
    "sign, unshared": (lambda h, f, eps, rng: -unshared(h, f, eps, rng), "not shared*the sign is wrong"),
    "one logarithm": (with_law(lambda rng, shape: rng.exponential(size=shape)), "a logarithm is missing"),
    "log U": (with_law(lambda rng, shape: np.log(rng.random(shape))), "a logarithm is missing"),
    "normal": (with_law(lambda rng, shape: rng.normal(size=shape)), "the noise is normal"),
    "uniform": (with_law(lambda rng, shape: rng.random(shape)), "the noise is uniform"),
    "no log": (lambda h, f, eps, rng: right(h, f, eps, gumbel.sample(h.shape, rng)) / len(h),
               "divided by the number of draws"),
}
