"""Reference for the gradient terms of labelled images: plain loops over images and values."""
from __future__ import annotations

import math

import numpy as np

from refimpl.estimators import label_terms


def by_loops(name, h, labels, rng, eps):
    """Compute a term by loops over images and values, in scalar arithmetic."""
    gamma = [[-math.log(rng.standard_exponential()) for _ in row] for row in h] if name != "cross-entropy" else None
    gradient = []
    for b, (row, y) in enumerate(zip(h, labels)):
        right = [1.0 if c == y else 0.0 for c in range(len(row))]
        if name == "cross-entropy":
            total = sum(math.exp(s) for s in row)
            gradient.append([r - math.exp(s) / total for r, s in zip(right, row)])
            continue
        noisy = [s + g for s, g in zip(row, gamma[b])]
        lossy = [s - eps * (1 - r) for s, r in zip(noisy, right)]               # h + gamma - eps [c != y]
        star, moved = (max(range(len(row)), key=lambda c: scores[c]) for scores in (noisy, lossy))
        to = y if name == "released" else moved
        gradient.append([((c == to) - (c == star)) / eps for c in range(len(row))])
    return gradient


def worst_difference(name, term=None) -> float:
    """Return the largest difference between the package and the loops with the same noise.

    It is infinite if they draw different numbers of random numbers.
    """
    worst, moved = 0.0, 0.0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        h, labels, eps = rng.normal(size=(3, 4)), rng.integers(4, size=3), (0.4, 1.5)[seed % 2]
        rng_of_package, rng_of_loops = np.random.default_rng(seed), np.random.default_rng(seed)
        value = (term or label_terms.REGISTRY[name])(h, labels, rng_of_package, eps)
        truth = np.array(by_loops(name, h.tolist(), labels.tolist(), rng_of_loops, eps))
        worst, moved = max(worst, np.abs(value - truth).max()), moved + np.abs(truth).sum()
        if rng_of_package.bit_generator.state != rng_of_loops.bit_generator.state:
            return np.inf
    assert moved > 0
    return worst
