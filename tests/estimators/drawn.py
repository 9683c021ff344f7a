"""Tests of an estimator's draws: their moments compared with the laws, the law of decoder_term, exact relations."""
from __future__ import annotations

import functools

import numpy as np
from scipy.special import softmax

from refimpl import direct, estimators, gumbel, joint
from refimpl.estimators import rebar, relax
from refimpl.models.toy import Toy
from tests.estimators import laws

SAMPLES = 120_000           # the relative standard error of a covariance is then about one per cent
STANDARD_ERRORS = 4.5       # limit for the largest of about four hundred deviations, with fixed seeds
EPS, TAU = 0.6, 0.7

# name: (n, k), settings, and its moments
CASES = {
    "direct": ((2, 3), {"eps": EPS}, lambda h, toy: laws.coordinate_wise(h, toy, EPS)),
    "two-sided": ((2, 2), {"eps": EPS}, lambda h, toy: laws.two_sided(h, toy, EPS)),
    "direct-joint": ((2, 2), {"eps": EPS}, lambda h, toy: laws.direct_joint(h, toy, EPS)),
    "noisy-exact": ((2, 2), {"eps": EPS}, lambda h, toy: laws.noisy_exact(h, toy, EPS)),
    "imle": ((2, 3), {"eps": EPS}, lambda h, toy: laws.imle(h, toy, EPS)),
    "gumbel-softmax": ((2, 2), {"tau": TAU}, lambda h, toy: laws.gumbel_softmax(h, toy, TAU)),
    "straight-through-gumbel-softmax": ((2, 2), {"tau": TAU},
                                        lambda h, toy: laws.gumbel_softmax(h, toy, TAU, hard=True)),
    "gumbel-rao": ((2, 2), {"tau": TAU, "samples": 3}, lambda h, toy: laws.gumbel_rao(h, toy, TAU, 3)),
    "reinmax": ((2, 3), {"tau": TAU}, lambda h, toy: laws.reinmax(h, toy, TAU)),
    "local-expectation": ((2, 3), {}, laws.local_expectation),
    "local-tilted": ((2, 3), {"eps": EPS}, lambda h, toy: laws.local_tilted(h, toy, EPS)),
    "reinforce": ((2, 3), {"memory": {"baseline": [0.8], "steps": [5.0]}}, lambda h, toy: laws.reinforce(h, toy, 0.8)),
    "reinforce-loo": ((2, 3), {}, laws.leave_one_out),
    "perturbed": ((2, 3), {"memory": {"baseline": [0.8], "steps": [5.0]}}, lambda h, toy: laws.perturbed(h, toy, 0.8)),
    "rebar": ((1, 2), {"tau": TAU, "memory": {"a_dot_d": [0.4], "d_dot_d": [1.0]}},
              lambda h, toy: laws.rebar(h, toy, TAU, 0.4)),
    "relax": ((1, 2), {"tau": TAU, "memory": relax.memory(1, 2)}, lambda h, toy: laws.rebar(h, toy, TAU, 1.0)),
    "arm": ((2, 2), {}, laws.arm),
    "disarm": ((2, 2), {}, laws.disarm),
}


def problem(n, k):
    rng = np.random.default_rng([n, k, 3])
    return rng.normal(size=(n, k)), Toy(1, n, k, rng)


@functools.lru_cache(maxsize=1)                     # two checks in a row use the same draws
def _right(name):
    return _draw(name, estimators.get(name).estimate, SAMPLES)


def draw(name, estimate=None, samples=SAMPLES):
    """Return h, a toy objective, and many draws of the estimator for one image."""
    if estimate is None and samples == SAMPLES:
        return _right(name)
    return _draw(name, estimate or estimators.get(name).estimate, samples)


def _draw(name, estimate, samples):
    (n, k), settings, _ = CASES[name]
    samples = min(samples, {"relax": 20_000, "gumbel-rao": 30_000}.get(name, samples))      # these two are slow
    settings = {key: {part: np.array(array) for part, array in value.items()} if key == "memory" else value
                for key, value in settings.items()}
    h, toy = problem(n, k)
    many = np.broadcast_to(h, (samples, n, k))
    estimate = estimate or estimators.get(name).estimate
    return h, toy, estimate(many, toy.repeated(0, samples), np.random.default_rng(11), **settings)


def worst_moment(name, estimate=None) -> tuple[float, float]:
    """Return the largest deviation of an entry of mean and covariance, in standard errors."""
    h, toy, (grad, _) = draw(name, estimate)
    mean, covariance = CASES[name][2](h, toy)
    grad = grad.reshape(len(grad), -1)
    products = (grad - mean)[:, :, None] * (grad - mean)[:, None, :]
    worst = []
    for samples, truth in ((grad, mean), (products, covariance)):
        error = np.maximum(samples.std(axis=0) / np.sqrt(len(samples)), 1e-9)
        worst.append(float((np.abs(samples.mean(axis=0) - truth) / error).max()))
    return worst[0], worst[1]


def excess_chi_square_of_the_latent(name, estimate=None) -> float:
    """Return the chi-square statistic of the latent's joint values under q, as standard deviations above its mean."""
    h, _, (_, decoder_term) = draw(name, estimate)
    nearest = gumbel.one_hot(decoder_term.z.argmax(axis=-1), h.shape[-1])
    counts = np.bincount(joint.index(nearest), minlength=joint.count(*h.shape))
    expected = np.exp(joint.log_q(h)) * len(decoder_term.z)
    freedom = len(counts) - 1
    return float((((counts - expected) ** 2 / expected).sum() - freedom) / np.sqrt(2 * freedom))


def check_gradient_is_zero_if_f_is_zero(name) -> None:
    """Check that the gradient is 0 in every draw if f = 0, and not only on average."""
    (n, k), settings, _ = CASES[name]
    h, toy = problem(n, k)
    toy.c *= 0
    entry = estimators.get(name)
    settings = {key: value for key, value in settings.items() if key != "memory"}
    settings |= {"memory": entry.memory(n, k)} if entry.memory else {}
    many = np.broadcast_to(h, (500, n, k))
    assert (entry.estimate(many, toy.repeated(0, 500), np.random.default_rng(1), **settings).grad == 0).all()


def draws_in_which_the_joint_pair_falls(estimate=None) -> int:
    """Return the number of draws with f(z*(eps)) < f(z*); it must be 0 if both arg maxes use the same noise."""
    _, toy, (grad, decoder_term) = draw("direct-joint", estimate, 5_000)
    moved = decoder_term.z + EPS * grad
    return int((laws.f_at(toy, moved.round()) < decoder_term.f - 1e-9).sum())


def check_scaling_f_equals_scaling_eps(name) -> None:
    """Check that g(c f, eps) = c g(f, c eps) in every draw."""
    h, toy = problem(3, 2)
    many, estimate = np.broadcast_to(h, (500, 3, 2)), estimators.get(name).estimate
    of_scaled_eps = estimate(many, toy.repeated(0, 500), np.random.default_rng(2), eps=3 * EPS).grad
    toy.c *= 3
    of_scaled_f = estimate(many, toy.repeated(0, 500), np.random.default_rng(2), eps=EPS).grad
    assert np.abs(of_scaled_eps).max() > 0
    np.testing.assert_allclose(of_scaled_f, 3 * of_scaled_eps, rtol=1e-12)


def check_two_sided_equals_direct_two_sided_gradient() -> None:
    h, toy = problem(1, 4)
    f = toy.joint_table().f[0]
    grad = estimators.get("two-sided").estimate(np.broadcast_to(h, (500, 1, 4)), toy.repeated(0, 500),
                                                np.random.default_rng(2), eps=EPS).grad
    noise = gumbel.sample((500, 1, 4), np.random.default_rng(2))
    np.testing.assert_array_equal(grad, direct.two_sided_gradient(h, f, EPS, noise))


def share_of_nonzero_where_samples_agree(estimate=None) -> float:
    """Return the fraction of entries that are not 0 although b1 and b2 are equal."""
    h, _, (grad, _) = draw("disarm", estimate, 5_000)
    u = np.random.default_rng(11).random((5_000, len(h)))
    logit = h[:, 1] - h[:, 0]
    agree = (u > 1 / (1 + np.exp(logit))) == (u < 1 / (1 + np.exp(-logit)))
    assert 0.1 < agree.mean() < 0.9
    return float((grad[agree] != 0).mean())


class Polynomial:
    """f(z) = v . z + z Q z + cubic (z . w)^3, defined and differentiable also for z that are not one-hot."""

    def __init__(self, n, k, cubic):
        rng = np.random.default_rng(5)
        self.v, self.w, self.Q, self.cubic = *rng.normal(size=(2, n * k)), rng.normal(size=(n * k, n * k)), cubic

    def run(self, z, counted=True):
        flat, pass_ = z.reshape(len(z), -1), type("Pass", (), {})()
        pass_.z, pass_.f = z, flat @ self.v + ((flat @ self.Q) * flat).sum(axis=1) + self.cubic * (flat @ self.w) ** 3
        slope = self.v + flat @ (self.Q + self.Q.T) + 3 * self.cubic * np.outer((flat @ self.w) ** 2, self.w)
        pass_.df_dz = lambda: slope.reshape(z.shape)
        return pass_


def error_of_reinmax(module, monkeypatch, tau=1.0, cubic=0.0) -> float:
    """Return |E grad - truth| / |truth|.  E is a sum over all one-hot samples: each joint value is one image."""
    n, k = 2, 3
    h, f = np.random.default_rng(6).normal(size=(n, k)), Polynomial(n, k, cubic)
    z, q = laws.one_hot_values(n, k), np.exp(joint.log_q(h))
    monkeypatch.setattr(module, "sample", lambda h, rng: z)
    grad = module.estimate(np.broadcast_to(h, z.shape), f, np.random.default_rng(0), tau=tau).grad
    truth = joint.gradient(h, f.run(z).f)
    return float(np.abs(np.tensordot(q, grad, 1) - truth).max() / np.abs(truth).max())


def kolmogorov_smirnov(samples, cdf) -> float:
    """Return sqrt(N) times the largest distance from the CDF.  It exceeds 1.95 in one case of a thousand."""
    values = cdf(np.sort(samples))
    steps = np.arange(len(values) + 1) / len(values)
    return float(np.sqrt(len(values)) * max((steps[1:] - values).max(), (values - steps[:-1]).max()))


def worst_law_of_z_given_b(coupled=rebar.coupled_samples) -> float:
    """Return the largest Kolmogorov-Smirnov statistic of z and of z~ given b, over all b, variables and values.

    z~_b is the largest entry.  The rates sum to 1, so P(z~_b < t) = exp(-e^-t).  In terms of the clocks e^-z~, another
    value i rings later than b by an exponential time of rate p_i.  With x = e^-t this means
    P(z~_i < t) = (e^{-p_i x} - p_i e^{-x}) / (1 - p_i), and p_i (e^-z~_i - e^-z~_b) is a standard exponential.
    """
    h = np.array([[0.4, -0.3, 1.1], [-1.0, 0.2, 0.0]])
    drawn = coupled(np.broadcast_to(h, (40_000, 2, 3)), np.random.default_rng(8))
    worst = 0.0
    for variable in range(2):
        p = softmax(h[variable])
        for b in range(3):
            rows = drawn.b[:, variable, b] == 1
            for z in (drawn.z[rows, variable], drawn.z_given_b[rows, variable]):
                worst = max(worst, kolmogorov_smirnov(z[:, b], lambda t: np.exp(-np.exp(-t))))
                for i in {0, 1, 2} - {b}:
                    late = lambda t: (np.exp(-p[i] * np.exp(-t)) - p[i] * np.exp(-np.exp(-t))) / (1 - p[i])
                    wait = p[i] * (np.exp(-z[:, i]) - np.exp(-z[:, b]))
                    worst = max(worst, kolmogorov_smirnov(z[:, i], late),
                                kolmogorov_smirnov(wait, lambda t: 1 - np.exp(-np.maximum(t, 0))))
    return worst


def correlation_of_the_winners(coupled=rebar.coupled_samples) -> float:
    """Return the rank correlation of the largest entries of z and of z~, in standard errors; its mean is 0."""
    drawn = coupled(np.zeros((40_000, 1, 3)), np.random.default_rng(8))
    ranks = [np.argsort(np.argsort((z * drawn.b).sum(axis=(1, 2)))) for z in (drawn.z, drawn.z_given_b)]
    return float(abs(np.corrcoef(*ranks)[0, 1]) * np.sqrt(len(drawn.b)))
