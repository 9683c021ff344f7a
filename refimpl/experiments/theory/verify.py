"""Check every step of the paper's mathematics numerically, and report a verdict on each claim.

    python -m refimpl verify --k 6
    python -m refimpl verify --h 0.5,-1,0.2 --f 1,2,0 --eps 0.3

z has k values, with the encoder scores h and the decoder scores f.  If h and f are not given, they are random.

Two exact computations must agree to within 1e-10.  A sampled value must be within five standard errors of the exact
value.  One run makes about ten such comparisons, so a true claim fails in about one of 10^5 runs.  For some h and f, a
claim cannot be tested.  For example, z* and z*(eps) may be equal in every draw.  The report then states the reason
(evidence.py).
"""
from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from scipy.optimize import brentq, minimize, minimize_scalar

from refimpl import danskin, direct, exact, gumbel, plots
from refimpl.arguments import InputError
from refimpl.experiments import options
from refimpl.experiments.theory import theorem1
from refimpl.experiments.theory.evidence import (SMALLEST, Claim, Sampled, estimated, identity, normal, of_events,
                                                 of_values)
from refimpl.system.files import output_folder
from refimpl.system.progress import Progress

EPS = 0.5                   # default eps of the sampled claims
CHUNK = 100_000             # draws of the noise at a time
LEAST_SPREAD = 1e-300       # smallest allowed max f - min f, because its inverse is used as eps
SLOPE = 0.05                # largest allowed difference between the slope of a bias and its claimed order


def _short(claim: Claim) -> Claim:
    return claim._replace(short=True)


def problem(k: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return two arrays of shape (k,): random encoder scores h and random decoder scores f.

    h is normalised, so h = log q.  The scores f are a few nats in size.
    """
    h = rng.normal(size=k)
    return h - danskin.G(h, np.zeros(k), 0.0), 2 * rng.normal(size=k)


def scores(k: int = 6, seed: int = 0, h: np.ndarray | None = None, f: np.ndarray | None = None
           ) -> tuple[np.ndarray, np.ndarray]:
    """Return h and f.  h is normalised, so h = log q.  If h and f are not given, they are random scores of k values.

    Raises InputError if only h or only f is given, if the lengths of h and f differ, if a length is below 2 or
    above 50, if an entry is below -1,000 or above 1,000, or if all entries of f are equal.
    """
    if (h is None) != (f is None):
        raise InputError("--h and --f go together: as many scores of the decoder as of the encoder")
    if h is None:
        return problem(k, np.random.default_rng(seed))
    for name, value in (("h", h), ("f", f)):
        if not 2 <= len(value) <= 50 or len(value) != len(h) or not (np.abs(value) <= 1e3).all():
            raise InputError(f"--{name} must be 2 ... 50 numbers of at most 1,000 in size, as many in --h as in --f, "
                             f"got {','.join(f'{number:g}' for number in value)}")
    if np.ptp(f) < LEAST_SPREAD:
        raise InputError(f"--f must hold different numbers, at least {LEAST_SPREAD:g} apart: if all f are equal, "
                         "the gradient is 0")
    return h - danskin.G(h, np.zeros(len(h)), 0.0), np.asarray(f, float)


def run(k: int = 6, seed: int = 0, samples: int = 200_000, out: Path | str | None = None,
        report: Callable[[Claim], None] = lambda claim: None, h: np.ndarray | None = None,
        f: np.ndarray | None = None, eps: float = EPS,
        started: Callable[[np.ndarray, np.ndarray], None] = lambda h, f: None) -> list[Claim]:
    """Check all claims for h and f.  If h and f are not given, they are random scores of k values.

    When all arguments have been checked, started(h, f) is called.  Raises InputError if a number is out of
    range, or if scores() does not accept h and f.
    """
    options.check("verify", k=k, eps=eps, seed=seed, samples=samples)
    h, f = scores(k, seed, h, f)
    folder = output_folder(out) if out is not None else None
    started(h, f)
    rng = np.random.default_rng(seed)
    problem(k, rng)                                     # even for given h and f, so that the noise is the same
    claims: list[Claim] = []
    for claim in _claims(h, f, eps, samples, rng):
        claims.append(claim)
        report(claim)
    if folder is not None:
        with plots.may_fail(folder / "theorem1.png"):
            plots.save(theorem1.errors(h, f, samples, rng, seed), folder / "theorem1.png")
        with plots.may_fail(folder / "component.png"):
            plots.save(theorem1.component(h, f, samples, rng), folder / "component.png")
    return claims


def _claims(h: np.ndarray, f: np.ndarray, eps: float, samples: int, rng: np.random.Generator) -> Iterator[Claim]:
    k, spread = len(h), float(np.ptp(f))
    q, q_eps, truth = gumbel.choice_probabilities(h), gumbel.choice_probabilities(h + eps * f), exact.gradient(h, f)
    mean_g, variance = direct.expected_gradient(h, f, eps), direct.variance(h, f, eps)
    two_mean = direct.expected_gradient(h, f, eps, two_sided=True)
    two_variance = direct.variance(h, f, eps, two_sided=True)
    law, two_law = direct.joint_law(h, f, eps), direct.joint_law(h, f, eps, two_sided=True)
    one_hots = np.eye(k)
    moves = (one_hots - one_hots[:, None]).reshape(k * k, k)            # onehot(z*(eps)) - onehot(z*) of each pair
    # Errors are in nats squared.  If they are below SMALLEST, no best eps can be found.
    best = float(direct.best_eps(h, f, samples=1)) if spread**2 >= SMALLEST else None

    one_sided = lambda noise: direct.gradient(h, f, eps, noise)
    two_sided = lambda noise: direct.two_sided_gradient(h, f, eps, noise)
    squared = lambda g, mean: ((g - mean) ** 2).sum(axis=-1)

    def pair(noise):
        z_star, z_eps = direct.argmax_pair(h, f, eps, noise)
        return z_star * k + z_eps

    statistics = {
        "choice": Sampled(lambda noise: gumbel.argmax(h, noise), k),
        "G": Sampled(lambda noise: danskin.perturbed_max(h, f, eps, noise).value),
        "slope": Sampled(lambda noise: f[danskin.perturbed_max(h, f, eps, noise).z_eps]),
        "winner": Sampled(lambda noise: danskin.perturbed_max(h, f, eps, noise).z_eps, k),
        "gradient": Sampled(one_sided),
        "two-sided": Sampled(two_sided),
        "score": Sampled(lambda noise: gumbel.one_hot(gumbel.argmax(h, noise), k) - q),
        "pair": Sampled(pair, k * k),
        "spread": Sampled(lambda noise: squared(one_sided(noise), mean_g)),
        "two-sided spread": Sampled(lambda noise: squared(two_sided(noise), two_mean)),
    }
    if best is not None and np.isfinite(best):          # otherwise no eps beats the estimate 0
        statistics["best"] = Sampled(lambda noise: squared(direct.gradient(h, f, best, noise), truth))
    progress = Progress("sampling", samples)
    for start in range(0, samples, CHUNK):
        noise = gumbel.sample((min(CHUNK, samples - start), k), rng)
        for sampled in statistics.values():
            sampled.add(noise)
        progress.advance(len(noise))
    progress.clear()

    yield identity("Theorem 2: P(z* = z) = softmax(h); second method: the integral (6)", q,
                   gumbel.choice_probabilities_by_quadrature(h))
    yield _short(estimated("Theorem 2: P(z* = z), sampled", q, statistics["choice"], of_events(q)))
    noise = gumbel.sample((1_000, k), np.random.default_rng(k))         # its own generator: other draws stay the same
    yield identity("step 1: max {eps f + h + gamma}, draw by draw; second method: the highest line",
                   danskin.perturbed_max(h, f, eps, noise).value, (eps * f + h + noise).max(axis=1))
    # The maximum is a Gumbel variable with mean G, variance pi^2 / 6 and kurtosis 5.4.
    yield _short(estimated(f"step 1: G(h, {eps}) = E max = logsumexp(h + eps f)", danskin.G(h, f, eps),
                           statistics["G"], normal(np.pi**2 / 6, 5.4)))
    yield estimated("Danskin: dG/deps = E f(z*(eps)) = sum q_eps f", danskin.dG_deps(h, f, eps), statistics["slope"],
                    of_values(q_eps, f))
    yield estimated("Danskin: dG/dh = E onehot(z*(eps)) = q_eps", q_eps, statistics["winner"], of_events(q_eps))
    # A constant in f only shifts G and T.  If the winner's f is subtracted, both are small and rounding hides no slope.
    f_best = f[(h + eps * f).argmax()]
    centred = f - f_best
    yield identity("Danskin: dG/deps; second method: differences of G, to 1e-7", danskin.dG_deps(h, f, eps), f_best
                   + _gradient_by_differences(lambda x: danskin.G(h, centred, x[:, 0]), np.array([eps]), 1 / spread),
                   1e-7, spread)
    yield identity("Danskin: dG/dh; second method: differences of G, to 1e-7", danskin.dG_dh(h, f, eps),
                   _gradient_by_differences(lambda x: danskin.G(x, centred, eps), h), 1e-7)
    yield _short(identity("(2): the Hessian is symmetric; second method: the other order",
                          danskin.d2G_dh_deps(h, f, eps), danskin.d2G_deps_dh(h, f, eps)))
    yield identity("(3): d/dh d/deps G at eps = 0; second method: grad E f(z*)", danskin.d2G_dh_deps(h, f, 0.0), truth)
    yield identity("(4): d/deps d/dh G at eps = 0; second method: grad E f(z*)", danskin.d2G_deps_dh(h, f, 0.0), truth)
    power = min(-7, -int(np.ceil(np.log10(spread))) - 6)                # eps times spread is at most 1e-6
    yield _short(identity(f"Theorem 1 (1): grad E f(z*); second method: E g at eps = 1e{power}, to 1e-5", truth,
                          direct.expected_gradient(h, f, 10.0**power), 1e-5))
    yield _short(estimated("finite eps: E g = (q_eps - q) / eps", mean_g, statistics["gradient"],
                           of_values(law, moves / eps)))
    yield _tilted_gradient("finite eps: E g = grad T, T = log E exp(eps f) / eps; by differences, to 1e-7", mean_g,
                           h, f - f[h.argmax()], eps)
    yield estimated("finite eps, two-sided: E g = (q_eps - q_-eps) / 2 eps", two_mean, statistics["two-sided"],
                    of_values(two_law, moves / (2 * eps)))
    yield _slope("bias of the one-sided difference is O(eps): slope 1", h, f, False, 1)
    yield _slope("bias of the two-sided difference is O(eps^2): slope 2", h, f, True, 2)
    yield estimated("control variate: E grad log q(z*) = 0", np.zeros(k), statistics["score"],
                    of_values(q, one_hots - q))
    yield _control_variate(h, f)
    yield identity("coupling law: rows; second method: q", law.sum(axis=1), q)
    yield identity("coupling law: columns; second method: q_eps", law.sum(axis=0), q_eps)
    yield estimated("coupling law: P(z* = i, z*(eps) = j), sampled", law, statistics["pair"], of_events(law))
    climbs = np.subtract.outer(f, f).T >= 0                             # f(z*(eps)) >= f(z*), (i, j)
    wrong = statistics["pair"].mean.reshape(k, k)[~climbs].sum()
    yield Claim("coupling: the pair only climbs, f(z*(eps)) >= f(z*)", "0", f"{wrong:.6g} of the draws",
                bool(wrong == 0))
    yield estimated("total variance of g, from the coupling law", variance.sum(), statistics["spread"],
                    of_values(law, squared(moves / eps, mean_g)))
    yield estimated("total variance of the two-sided g", two_variance.sum(), statistics["two-sided spread"],
                    of_values(two_law, squared(moves / (2 * eps), two_mean)))
    of_zero = float((truth**2).sum())                   # error of the estimate 0, the limit of large eps
    if best is None or of_zero < SMALLEST:
        for words in ("mean squared error there", "second method: Brent's search for the least error"):
            yield Claim(f"best eps for one sample; {words}", f"{of_zero:.6g}", "cannot be tested: the square of the "
                        f"gradient is below {SMALLEST:g} and has lost digits", None)
    elif not np.isfinite(best):
        least = float(direct.mse(h, f, np.geomspace(1e-3, 1e6, 400) / spread).min())
        for words in ("its mean squared error", "a search over nine decades of eps"):
            yield Claim(f"best eps for one sample: no eps beats the estimate 0 here; {words}", f"{of_zero:.6g}",
                        f"{least:.6g} at the best of 400 eps", bool(least >= of_zero * (1 - 1e-6)))
    else:
        yield estimated(f"best eps for one sample is {best:.4g}: mean squared error there", direct.mse(h, f, best),
                        statistics["best"], of_values(direct.joint_law(h, f, best), squared(moves / best, truth)))
        yield _best_eps("best eps for one sample; second method: Brent's search for the least error, to 1e-4", h, f,
                        best)
    probability = preferred_probability(10, 1.0)
    yield identity("T - KL at eps = 1, k = 10, one value far the best: its q; second method: maximised, to 1e-5",
                   probability, _maximised_probability(10, 1.0), 1e-5)


def preferred_probability(k: int, eps: float) -> float:
    """Return p, the probability of the best value b under the q that maximises T - KL(q || uniform).

    T is the tilted objective.  If all other values are worse than b by much more than 1/eps nats,
    T = f_b + (1/eps) log p.  At the maximum, all values except b are equally probable.  The derivative of T - KL with
    respect to p is 0 there, so p solves 1 / (eps p) = log((k - 1) p / (1 - p)).  For eps = 1 and k = 10, p is 0.476, so
    more than half of all samples are not b.  In the limit eps -> 0, T - KL is the ELBO, and p is 1.
    """
    # Solve eps p t = 1 for t = log((k - 1) p / (1 - p)), which keeps its digits when p rounds to 1.
    probability = lambda t: 1 / (1 + (k - 1) * np.exp(-t))
    return float(probability(brentq(lambda t: eps * probability(t) * t - 1, 0, k / eps, xtol=1e-14)))


def _maximised_probability(k: int, eps: float) -> float:
    f = np.full(k, -1e3)
    f[0] = 0
    found = minimize(lambda h: -(direct.tilted_objective(h, f, eps) - exact.kl(h)), np.zeros(k), method="BFGS",
                     options={"gtol": 1e-6})
    return float(gumbel.choice_probabilities(found.x)[0])


def _gradient_by_differences(function: Callable[[np.ndarray], np.ndarray], x: np.ndarray,
                             unit: float = 1.0) -> np.ndarray:
    moves = 0.01 * unit * np.eye(len(x))
    weights = (3 / 4, -3 / 20, 1 / 60)                  # for function(x + m step) - function(x - m step)
    return sum(weight * (function(x + m * moves) - function(x - m * moves))
               for m, weight in enumerate(weights, 1)) / (0.01 * unit)


def _tilted_gradient(text: str, mean_g: np.ndarray, h: np.ndarray, f: np.ndarray, eps: float) -> Claim:
    objective = lambda x: direct.tilted_objective(x, f, eps)
    claim = identity(text, mean_g, _gradient_by_differences(objective, h), 1e-7)
    rounding = 1e-15 * abs(float(objective(h))) / 0.01
    if claim.holds is not None and rounding > 1e-8 * np.abs(mean_g).max():
        return claim._replace(found="cannot be tested: the differences of T are lost in its rounding", holds=None)
    return claim


def _best_eps(text: str, h: np.ndarray, f: np.ndarray, best: float) -> Claim:
    """Check that a search for the eps with the smallest mean squared error finds nothing better than `best`.

    The error can be almost constant near `best`.  Errors that differ only by rounding count as equal.
    """
    error = lambda t: float(direct.mse(h, f, best * np.exp(t)))
    found = minimize_scalar(error, bounds=(-0.4, 0.4), method="bounded", options={"xatol": 1e-9})
    claim = identity(text, best, best * float(np.exp(found.x)), 1e-4)
    return claim._replace(holds=claim.holds or error(0.0) <= found.fun * (1 + 1e-11))


def _slope(text: str, h: np.ndarray, f: np.ndarray, two_sided: bool, order: int) -> Claim:
    """Check the order of the exact bias: if eps is halved, the bias must fall by a factor close to 2^order.

    The test is repeated at seven values of eps: 0.01 / (max f - min f), and this value divided by 10, 100, ..., 10^6.
    The largest eps may be too large to show the order.  If the first term of the bias is 0, the order is higher, and
    the claim holds.
    """
    f = (f - f.max()) / np.ptp(f)
    eps = np.multiply.outer(0.01 / 10.0 ** np.arange(7), [1.0, 0.5])
    size = np.linalg.norm(direct.bias(h, f, eps, two_sided), axis=-1)
    size = size[size.min(axis=1) >= SMALLEST]
    if not len(size):
        return Claim(text, str(order), f"cannot be tested: the bias is below {SMALLEST:g} and has lost digits", None)
    slopes = np.log2(size[:, 0] / size[:, 1])
    shows = np.abs(slopes - order) < SLOPE
    higher = (slopes > order + SLOPE) & (np.abs(slopes - np.rint(slopes)) < SLOPE)
    slope = slopes[(shows if shows.any() else higher).argmax()]
    return Claim(text, str(order), f"{slope:.4f}" + ("" if shows.any() or not higher.any() else
                                                     ", as the first term vanishes here"),
                 bool(shows.any() or higher.any()))


def _control_variate(h: np.ndarray, f: np.ndarray) -> Claim:
    """Compare the total variances of g and of onehot(z*(eps)) / eps, which is g without its control variate.

    The variance of g is of order 1/eps.  Without the control variate, the variance is of order 1/eps^2.  The claim
    compares the variances at eps = 0.01 or at eps = 0.1 / (max f - min f), whichever is smaller.  At a large eps, the
    control variate increases the variance: z*(eps) is then almost always the value with the largest f, but onehot(z*)
    still varies.
    """
    small = min(0.01, 0.1 / float(np.ptp(f)))
    eps = np.geomspace(small, 1e4 * small, 2_000)
    q_eps = gumbel.choice_probabilities(h + np.multiply.outer(eps, f))
    with_it = direct.variance(h, f, eps).sum(axis=-1)
    without = (q_eps * (q_eps @ (1 - np.eye(len(h))))).sum(axis=-1) / eps**2        # 1 - sum q^2, with all its digits
    text = f"control variate: at eps = {small:.2g} it lowers the variance"
    if max(with_it[0], without[0]) < SMALLEST:
        return Claim(text, f"{with_it[0]:.6g}", f"cannot be tested: variances below {SMALLEST:g} have lost digits",
                     None)
    pays = with_it < without
    up_to = f"; it pays below eps = {eps[pays.argmin()]:.2g}" if not pays.all() else ""
    return Claim(text, f"{with_it[0]:.6g}", f"{without[0]:.6g} without it{up_to}", bool(pays[0]))
