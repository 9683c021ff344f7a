"""Find out how good a model can be that uses only some of its values, by EM (expectation maximisation); chapter 6."""
from __future__ import annotations

import numpy as np

K = 10                                                      # number of values


def log_sum(f: np.ndarray) -> np.ndarray:
    """Return the logarithm of the sum of exp(f) over the values."""
    top = f.max(axis=-1, keepdims=True)
    return top[..., 0] + np.log(np.exp(f - top).sum(axis=-1))


def height(used: int, x: np.ndarray, test: np.ndarray) -> float:
    """Return the test -log p(x) of a model that uses only `used` of the K values.

    The model is fitted twice to 4,000 images, and the better fit counts.
    """
    average, x = x.mean(axis=0), x[:4_000]
    fits, draw = [], np.random.default_rng(0)
    for _ in range(2):
        mean = 0.5 * x[draw.choice(4_000, used, replace=False)] + 0.5 * average
        for _ in range(20):
            picture = np.clip(mean, 1e-4, 1 - 1e-4)
            score = lambda images: images @ np.log(picture / (1 - picture)).T + np.log(1 - picture).sum(axis=1)
            f = score(x)
            share = np.exp(f - log_sum(f)[:, None])
            mean = share.T @ x / share.sum(axis=0)[:, None]
        fits.append((-log_sum(f).mean(), -(log_sum(score(test)) - np.log(K)).mean()))
    return min(fits)[1]
