"""Files as a user writes them: an estimator with hyperparameters, and a family of latent variables."""
from __future__ import annotations

ESTIMATOR = '''
import numpy as np
from refimpl import estimators
from refimpl.estimators import Estimate, Estimator, Setting
from refimpl.estimators.sampling import sample


def estimate(h, objective, rng, *, lam, words="plain", steep=False):
    """REINFORCE with lam times the batch's mean as its baseline."""
    seen.append((lam, words, steep))
    run = objective.run(sample(h, rng))
    q = np.exp(h - np.logaddexp.reduce(h, axis=-1, keepdims=True))
    return Estimate((run.f - lam * run.f.mean())[:, None, None] * (run.z - q), run)


seen = []
estimators.REGISTRY["mine"] = Estimator(
    "mine", estimate, "score function with a part of the mean", unbiased=False, colour="#123456", hyperparameters={
        "lam": Setting(float, 0.5, "weight of the baseline", least=0, most=1),
        "words": Setting(str, "plain", "how it is said", choices=lambda: ("plain", "florid")),
        "steep": Setting(bool, False, "whether it is steep")})
'''

FAMILY = '''
import itertools

import numpy as np
from refimpl import gumbel, joint, latent
from refimpl.arguments import InputError, Setting
from refimpl.latent import Family


class Subsets(Family):
    """Exactly `size` of n binary variables are 1; h(z) = sum_i theta_i z_i, the noise a Gumbel variable each."""

    k = 2
    normalised = relaxable = has_unary_kl = False
    noise_on_every_score = True
    options = {"size": Setting(int, 1, "variables that are 1", least=1),
               "mirrored": Setting(bool, False, "the other way")}

    @classmethod
    def complete(cls, n, k, options):
        chosen = super().complete(n, k, options)
        if k != 2 or chosen["size"] > n:
            raise InputError(f"--family subsets needs --k 2 and size at most --n, got size {chosen['size']} of {n}")
        return chosen

    def __init__(self, n, k, size=1, mirrored=False):
        self.n, self.outputs, self.size, self.mirrored = n, n, size, mirrored

    def label(self):
        return f"subsets of {self.size}"

    def every(self):
        rows = [[1.0 * (i in chosen) for i in range(self.n)]
                for chosen in itertools.combinations(range(self.n), self.size)]
        return np.array(rows)

    def values(self, dtype=np.float64):
        ones = self.every()
        return np.stack([1 - ones, ones], axis=-1).reshape(len(ones), -1).astype(dtype)

    def count(self):
        return len(self.every())

    def perturb(self, theta, rng):
        return theta + gumbel.sample(theta.shape, rng)

    def argmax(self, theta):
        order = np.argsort(-theta, axis=1)[:, :self.size]
        ones = np.zeros(theta.shape)
        np.put_along_axis(ones, order, 1.0, axis=1)
        return np.stack([1 - ones, ones], axis=-1)

    def features(self, z):
        return z[..., 1]

    def tilt(self, theta, table):
        return theta + table[..., 1] - table[..., 0]

    def joint_argmax(self, theta, table):
        every = self.every().astype(int)
        place = every @ (2 ** np.arange(self.n - 1, -1, -1))
        return gumbel.one_hot(every[(theta @ every.T + table[:, place]).argmax(axis=1)], 2)


latent.REGISTRY["subsets"] = Subsets
'''
