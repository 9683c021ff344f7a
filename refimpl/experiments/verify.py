"""Every step of the paper's mathematics in numbers: claim, exact value, sampled value with its standard error, verdict.

    python -m refimpl verify --k 6
    python -m refimpl verify --h 0.5,-1,0.2 --f 1,2,0 --eps 0.3

The problem is a random one, k values, encoder scores h and decoder scores f of a few nats, or the caller's own.  A
claim between two exact routes must agree to 1e-10; a sampled value must lie within five standard errors of the exact
one, so that a true claim fails about once in 10^5 runs.
"""
from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.optimize import brentq, minimize, minimize_scalar

from refimpl import danskin, direct, exact, gumbel, plots
from refimpl.checks import InputError
from refimpl.experiments import options, theorem1
from refimpl.system.files import output_folder
from refimpl.system.progress import Progress

EPS = 0.5                   # of the sampled claims, unless the caller has another
STANDARD_ERRORS = 5.0
RELATIVE = 1e-10
CHUNK = 100_000             # draws of the noise at a time


class Claim(NamedTuple):
    """A line of the report.  `exact` and `found` are what is shown; `holds` is the verdict."""

    text: str
    exact: str
    found: str
    holds: bool
    short: bool = False
    """Whether it is one of the five that a class needs."""


def _short(claim: Claim) -> Claim:
    return claim._replace(short=True)


class Sampled:
    """Running mean and standard error of a statistic of the noise, entry by entry: statistic(noise) is (n, ...)."""

    def __init__(self, statistic: Callable[[np.ndarray], np.ndarray]) -> None:
        self.statistic = statistic
        self.n, self.total, self.squares = 0, 0.0, 0.0

    def add(self, noise: np.ndarray) -> None:
        values = self.statistic(noise)
        self.n += len(values)
        self.total = self.total + values.sum(axis=0)
        self.squares = self.squares + (values * values).sum(axis=0)

    @property
    def mean(self) -> np.ndarray:
        return np.atleast_1d(self.total / self.n)

    @property
    def error(self) -> np.ndarray:
        return np.sqrt(np.maximum(np.atleast_1d(self.squares / self.n) - self.mean**2, 0) / (self.n - 1))


class Counted(Sampled):
    """Frequencies of an integer statistic with values 0 ... cells - 1: the same as sampling its one-hot vector."""

    def __init__(self, statistic: Callable[[np.ndarray], np.ndarray], cells: int) -> None:
        super().__init__(statistic)
        self.cells = cells

    def add(self, noise: np.ndarray) -> None:
        values = self.statistic(noise)
        self.n += len(values)
        self.total = self.squares = self.total + np.bincount(values, minlength=self.cells)


def identity(text: str, one: np.ndarray, other: np.ndarray, tolerance: float = RELATIVE) -> Claim:
    """Two exact routes to one quantity: shown is the first route's largest entry and how far the second differs."""
    one, other = np.atleast_1d(one), np.atleast_1d(other)
    scale = np.abs(one).max()
    off = float(np.abs(one - other).max() / scale) if scale > 0 else float(np.abs(other).max())
    return Claim(text, f"{one.flat[np.abs(one).argmax()]:.6g}", f"second method differs by {off:.0e}", off <= tolerance)


def estimated(text: str, truth: np.ndarray, sampled: Sampled, probability: np.ndarray | None = None) -> Claim:
    """A sampled quantity: shown is the entry that is furthest off, in standard errors.

    probability: that of the events behind each entry, where they can be rare.  An entry that expects fewer than 25 of
    them is left out: its error is not normal, and its standard error not to be had from the sample.
    """
    truth, mean, error = np.ravel(truth), np.ravel(sampled.mean), np.ravel(sampled.error)
    if probability is not None:
        expected = np.ravel(probability) * sampled.n
        often = expected >= min(25, expected.max())
        truth, mean, error = truth[often], mean[often], error[often]
    z = np.abs(mean - truth) / np.maximum(error, 1e-300)
    worst = z.argmax()
    of = f", worst of {len(z)}" if len(z) > 1 else ""
    return Claim(text, f"{truth[worst]:.6g}", f"{mean[worst]:.6g} ± {error[worst]:.1g} ({z[worst]:.1f} s.e.{of})",
                 bool(z[worst] < STANDARD_ERRORS))


def problem(k: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """h, f (k,): normalised encoder scores log q and decoder scores of a few nats."""
    h = rng.normal(size=k)
    return h - danskin.G(h, np.zeros(k), 0.0), 2 * rng.normal(size=k)


def scores(k: int = 6, seed: int = 0, h: np.ndarray | None = None, f: np.ndarray | None = None
           ) -> tuple[np.ndarray, np.ndarray]:
    """h (normalised to log q) and f of the problem: the caller's own where they are given, else random with k values.

    Raises InputError if one of the two is missing, or they are not 2 ... 50 numbers each, at most 1,000 in size.
    """
    if (h is None) != (f is None):
        raise InputError("--h and --f go together: as many scores of the decoder as of the encoder")
    if h is None:
        return problem(k, np.random.default_rng(seed))
    for name, value in (("h", h), ("f", f)):
        if not 2 <= len(value) <= 50 or len(value) != len(h) or not (np.abs(value) <= 1e3).all():
            raise InputError(f"--{name} must be 2 ... 50 numbers of at most 1,000 in size, as many in --h as in --f, "
                             f"got {','.join(f'{number:g}' for number in value)}")
    if np.ptp(f) == 0:
        raise InputError("--f must hold different numbers: with equal ones there is nothing to be gained")
    return h - danskin.G(h, np.zeros(len(h)), 0.0), np.asarray(f, float)


def run(k: int = 6, seed: int = 0, samples: int = 200_000, out: Path | str | None = None,
        report: Callable[[Claim], None] = lambda claim: None, h: np.ndarray | None = None,
        f: np.ndarray | None = None, eps: float = EPS,
        started: Callable[[np.ndarray, np.ndarray], None] = lambda h, f: None) -> list[Claim]:
    """Check all claims on a random problem with k values, or on h and f; write theorem1.png and component.png into
    `out` if it is given.  started: called with h and f once nothing has been refused.

    Raises InputError if a number is out of range, or h and f are not what scores() takes.
    """
    options.check("verify", k=k, eps=eps, seed=seed, samples=samples)
    h, f = scores(k, seed, h, f)
    folder = output_folder(out) if out is not None else None
    started(h, f)
    rng = np.random.default_rng(seed)
    problem(k, rng)                                     # the noise is the same, whether h and f are given or drawn
    claims: list[Claim] = []
    for claim in _claims(h, f, eps, samples, rng):
        claims.append(claim)
        report(claim)
    if folder is not None:
        plots.save(theorem1.errors(h, f, samples, rng, seed), folder / "theorem1.png")
        plots.save(theorem1.component(h, f, samples, rng), folder / "component.png")
    return claims


def _claims(h: np.ndarray, f: np.ndarray, eps: float, samples: int, rng: np.random.Generator):
    """Generate the claims in the order of the paper."""
    k = len(h)
    q, q_eps, truth = gumbel.choice_probabilities(h), gumbel.choice_probabilities(h + eps * f), exact.gradient(h, f)
    mean_g, variance = direct.expected_gradient(h, f, eps), direct.variance(h, f, eps)
    two_mean = direct.expected_gradient(h, f, eps, two_sided=True)
    two_variance = direct.variance(h, f, eps, two_sided=True)
    moves = eps**2 * (variance + mean_g**2)                              # chance that an entry of g is not 0
    law, best = direct.joint_law(h, f, eps), float(direct.best_eps(h, f, samples=1))

    def one_sided(noise):
        return direct.gradient(h, f, eps, noise)

    def two_sided(noise):
        return direct.two_sided_gradient(h, f, eps, noise)

    def pair(noise):
        z_star, z_eps = direct.argmax_pair(h, f, eps, noise)
        return z_star * k + z_eps

    statistics = {
        "choice": Counted(lambda noise: gumbel.argmax(h, noise), k),
        "G": Sampled(lambda noise: danskin.perturbed_max(h, f, eps, noise).value),
        "slope": Sampled(lambda noise: f[danskin.perturbed_max(h, f, eps, noise).z_eps]),
        "winner": Counted(lambda noise: danskin.perturbed_max(h, f, eps, noise).z_eps, k),
        "gradient": Sampled(one_sided),
        "two-sided": Sampled(two_sided),
        "score": Sampled(lambda noise: gumbel.one_hot(gumbel.argmax(h, noise), k) - q),
        "pair": Counted(pair, k * k),
        "spread": Sampled(lambda noise: ((one_sided(noise) - mean_g) ** 2).sum(axis=-1)),
        "two-sided spread": Sampled(lambda noise: ((two_sided(noise) - two_mean) ** 2).sum(axis=-1)),
    }
    if np.isfinite(best):                   # else no finite eps beats the estimate 0, and there is nothing to sample
        statistics["best"] = Sampled(lambda noise: ((direct.gradient(h, f, best, noise) - truth) ** 2).sum(axis=-1))
    progress = Progress("sampling", samples)
    for start in range(0, samples, CHUNK):
        noise = gumbel.sample((min(CHUNK, samples - start), k), rng)
        for sampled in statistics.values():
            sampled.add(noise)
        progress.advance(len(noise))
    progress.clear()

    yield identity("Theorem 2: P(z* = z) = softmax(h); second method: the integral (6)", q,
                   gumbel.choice_probabilities_by_quadrature(h))
    yield _short(estimated("Theorem 2: P(z* = z), sampled", q, statistics["choice"], q))
    noise = gumbel.sample((1_000, k), np.random.default_rng(k))         # a generator of its own: no other draw moves
    yield identity("step 1: max {eps f + h + gamma}, draw by draw; second method: the highest line",
                   danskin.perturbed_max(h, f, eps, noise).value, (eps * f + h + noise).max(axis=1))
    yield _short(estimated(f"step 1: G(h, {eps}) = E max = logsumexp(h + eps f)", danskin.G(h, f, eps),
                           statistics["G"]))
    yield estimated("Danskin: dG/deps = E f(z*(eps)) = sum q_eps f", danskin.dG_deps(h, f, eps), statistics["slope"])
    yield estimated("Danskin: dG/dh = E onehot(z*(eps)) = q_eps", q_eps, statistics["winner"], q_eps)
    yield identity("Danskin: dG/deps; second method: differences of G, to 1e-7", danskin.dG_deps(h, f, eps),
                   _gradient_by_differences(lambda x: danskin.G(h, f, x[:, 0]), np.array([eps])), 1e-7)
    yield identity("Danskin: dG/dh; second method: differences of G, to 1e-7", danskin.dG_dh(h, f, eps),
                   _gradient_by_differences(lambda x: danskin.G(x, f, eps), h), 1e-7)
    yield _short(identity("(2): the Hessian is symmetric; second method: the other order",
                          danskin.d2G_dh_deps(h, f, eps), danskin.d2G_deps_dh(h, f, eps)))
    yield identity("(3): d/dh d/deps G at eps = 0; second method: grad E f(z*)", danskin.d2G_dh_deps(h, f, 0.0), truth)
    yield identity("(4): d/deps d/dh G at eps = 0; second method: grad E f(z*)", danskin.d2G_deps_dh(h, f, 0.0), truth)
    yield _short(identity("Theorem 1 (1): grad E f(z*); second method: E g at eps = 1e-7, to 1e-5", truth,
                          direct.expected_gradient(h, f, 1e-7), 1e-5))
    yield _short(estimated("finite eps: E g = (q_eps - q) / eps", mean_g, statistics["gradient"], moves))
    yield identity("finite eps: E g = grad T, T = log E exp(eps f) / eps; by differences, to 1e-7", mean_g,
                   _gradient_by_differences(lambda x: direct.tilted_objective(x, f, eps), h), 1e-7)
    yield estimated("finite eps, two-sided: E g = (q_eps - q_-eps) / 2 eps", two_mean, statistics["two-sided"],
                    4 * eps**2 * (two_variance + two_mean**2))
    yield _slope("bias of the one-sided difference is O(eps): slope 1", h, f, False, 1)
    yield _slope("bias of the two-sided difference is O(eps^2): slope 2", h, f, True, 2)
    yield estimated("control variate: E grad log q(z*) = 0", np.zeros(k), statistics["score"], q)
    yield _control_variate(h, f)
    yield identity("coupling law: rows; second method: q", law.sum(axis=1), q)
    yield identity("coupling law: columns; second method: q_eps", law.sum(axis=0), q_eps)
    yield estimated("coupling law: P(z* = i, z*(eps) = j), sampled", law, statistics["pair"], law)
    climbs = np.subtract.outer(f, f).T >= 0                             # f(z*(eps)) >= f(z*), (i, j)
    wrong = statistics["pair"].mean.reshape(k, k)[~climbs].sum()
    yield Claim("coupling: the pair only climbs, f(z*(eps)) >= f(z*)", "0", f"{wrong:.6g} of the draws",
                bool(wrong == 0))
    yield estimated("total variance of g, from the coupling law", variance.sum(), statistics["spread"])
    yield estimated("total variance of the two-sided g", two_variance.sum(), statistics["two-sided spread"])
    if not np.isfinite(best):                           # as eps grows the estimate tends to 0, with this error
        grid = np.geomspace(1e-3, 1e6, 400) / (f.max() - f.min())
        least, of_zero = float(direct.mse(h, f, grid).min()), float((truth**2).sum())
        for words in ("its mean squared error", "a search over nine decades of eps"):
            yield Claim(f"best eps for one sample: no eps beats the estimate 0 here; {words}", f"{of_zero:.6g}",
                        f"{least:.6g} at the best of 400 eps", bool(least >= of_zero * (1 - 1e-6)))
    else:
        yield estimated(f"best eps for one sample is {best:.4g}: mean squared error there", direct.mse(h, f, best),
                        statistics["best"])
        yield identity("best eps for one sample; second method: Brent's search for the least error, to 1e-4", best,
                       _least_error(h, f, best), 1e-4)
    probability = preferred_probability(10, 1.0)
    yield identity("T - KL at eps = 1, k = 10, one value far the best: its q; second method: maximised, to 1e-5",
                   probability, _maximised_probability(10, 1.0), 1e-5)


def preferred_probability(k: int, eps: float) -> float:
    """The q of the one good value when T - KL(q || uniform) is maximised, T the tilted objective.

    With all other values worse by much more than 1/eps nats, T = f_b + (1/eps) log q_b, and the maximum over q_b = p
    with the rest spread evenly solves 1 / (eps p) = log((k - 1) p / (1 - p)).  At eps = 1, k = 10 this is 0.476: half
    of all samples come from a wrong value.  The ELBO itself (eps -> 0) would put all its mass on b.
    """
    # In t = log((k - 1) p / (1 - p)), which stays apart from its limit when p rounds to 1:  eps p t = 1
    probability = lambda t: 1 / (1 + (k - 1) * np.exp(-t))
    return float(probability(brentq(lambda t: eps * probability(t) * t - 1, 0, k / eps, xtol=1e-14)))


def _maximised_probability(k: int, eps: float) -> float:
    """The same with no algebra: a general optimiser on T - KL with f = 0 for one value and -1,000 for the others."""
    f = np.full(k, -1e3)
    f[0] = 0
    found = minimize(lambda h: -(direct.tilted_objective(h, f, eps) - exact.kl(h)), np.zeros(k), method="BFGS",
                     options={"gtol": 1e-9})
    return float(gumbel.choice_probabilities(found.x)[0])


def _gradient_by_differences(function: Callable[[np.ndarray], np.ndarray], x: np.ndarray,
                             step: float = 1e-5) -> np.ndarray:
    moves = step * np.eye(len(x))
    return (function(x + moves) - function(x - moves)) / (2 * step)


def _least_error(h: np.ndarray, f: np.ndarray, near: float) -> float:
    """The eps of the least mean squared error of one sample within a factor of 1.5 of `near`."""
    found = minimize_scalar(lambda t: float(direct.mse(h, f, near * np.exp(t))), bounds=(-0.4, 0.4), method="bounded",
                            options={"xatol": 1e-9})
    return near * float(np.exp(found.x))


def _slope(text: str, h: np.ndarray, f: np.ndarray, two_sided: bool, order: int) -> Claim:
    """The order of the exact bias, from eps = 0.01 to 0.005 in units of 1 over the spread of f."""
    eps = np.array([0.01, 0.005]) / (f.max() - f.min())
    size = np.linalg.norm(direct.bias(h, f, eps, two_sided), axis=-1)
    slope = np.log(size[0] / size[1]) / np.log(2)
    return Claim(text, str(order), f"{slope:.4f}", bool(abs(slope - order) < 0.05))


def _control_variate(h: np.ndarray, f: np.ndarray) -> Claim:
    """Total variance of g, and of onehot(z*(eps)) / eps alone: as eps -> 0 one grows as 1/eps, the other as 1/eps^2.

    At large eps it is the other way round: z*(eps) then settles on the best f and hardly varies, while the subtracted
    onehot(z*) still does.
    """
    with_it = lambda eps: direct.variance(h, f, eps).sum(axis=-1)
    without = lambda eps: (1 - (gumbel.choice_probabilities(h + np.multiply.outer(eps, f)) ** 2).sum(axis=-1)) / eps**2
    small = 0.01
    eps = np.geomspace(small, 100, 2_000)
    pays = with_it(eps) < without(eps)
    up_to = f"; it pays below eps = {eps[pays.argmin()]:.2g}" if not pays.all() else ""
    return Claim(f"control variate: at eps = {small} it lowers the variance", f"{with_it(small):.6g}",
                 f"{without(np.array(small)):.6g} without it{up_to}", bool(with_it(small) < without(np.array(small))))
