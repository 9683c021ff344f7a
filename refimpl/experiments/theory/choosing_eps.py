"""Choose a suitable eps without the exact gradient.  Only the range of f and draws of the noise are needed.

    python -m refimpl measure choose-eps --average 1000     compares the rule with the best eps on random problems

The mean of M estimates has the mean squared error |bias|^2 + variance / M.  Let R = max f - min f, x = eps R, and
phi(x) = (e^x - 1) / x - 1.  Let grad = grad_h E_q f, and let |.|_1 be the sum of absolute values.  Let P(eps) be the
probability that the winner changes, that is, that the two arg maxes differ.  Then for all h and f

    |bias|_1   <= phi(x) |grad|_1                                       (1)
    P(eps)     <= (1 + phi(x)) eps |grad|_1                             (2)
    variance   <= 2 P(eps) / eps^2                                      (3)

Proof of (1): let y = eps (f - E_q f) and Z = E_q e^y >= 1.  Then bias = q (e^y / Z - 1 - y) / eps.  The last bracket is
(e^y - 1 - y) - (1 - 1/Z) e^y, so |bias|_1 is at most 2 (Z - 1) / eps.  Next, Z - 1 = E_q phi(y) y.  Let a be the
largest y and -b the smallest, so that a + b = x.  Because E_q y = 0, half of E_q |y| comes from the y above 0, and half
from the y below 0.  So 2 (Z - 1) <= (phi(a) - phi(-b)) E_q |y| <= phi(x) E_q |y|.  The last step holds because phi is
convex: phi increases from -b to a by at most phi(x) - phi(0), and phi(0) = 0.  Finally, E_q |y| = eps |grad|_1.

Proof of (2): by direct.stay_probability, q_i - P(i, i) <= q_i sum_j q_j (e^(eps (f_j - f_i)) - 1), where the sum is
over the j with f_j > f_i.  Here e^y - 1 <= (1 + phi(x)) y for y = eps (f_j - f_i), because 0 <= y <= x.  Summed over
i, the bound is (1 + phi(x)) eps E |f - f'| / 2 with independent f and f' from q, and E |f - f'| / 2 <= |grad|_1.

Proof of (3): an estimate is 0, or it has two entries that are not 0, each of absolute value 1 / eps.

The rule never chooses an eps above 1 / R.  So |bias|_1 is at most (e - 2) |grad|_1 = 0.72 |grad|_1 because of (1).
The best eps below 1 / R depends on the variance, and the variance depends on how often the winner changes.  Let N be
the number of draws whose winner changes at eps = 1 / R:

    N < ENOUGH:     the draws cannot determine eps; return 0 as the estimate, or use eps = 1 / R if 0 is not acceptable
    otherwise:      eps = min(1, (AIM / N)^(1/3)) / R.  This eps is proportional to M^(-1/3).  If the bias is small,
                    the best eps is also proportional to M^(-1/3)

The following use of the rule has a guarantee for all h, f and M.  M draws determine eps, and the result is the mean of
the estimates from M further draws.  Let E be the expectation over all these draws.  Then

    E |result - grad|^2 <= 1.7 |grad|_1^2 <= 1.7 k |grad|^2

So the error is at most 1.7 k times the error of returning 0.

Proof: if N < ENOUGH, the error is |grad|^2 <= |grad|_1^2 / 2, since grad sums to 0.  If N >= ENOUGH, the squared bias
is at most |bias|_1^2 / 2 <= 0.26 |grad|_1^2.  By (3) and (2), variance / M is at most 2 (e - 1) |grad|_1 / (eps M).
Here 1 / eps = R max(1, (N / AIM)^(1/3)) <= R N / ENOUGH, because N and AIM are at least ENOUGH.  By (2),
E N = M P(1 / R) <= M (e - 1) |grad|_1 / R.  So E[variance / M] <= 2 (e - 1)^2 |grad|_1^2 / ENOUGH < 1.19 |grad|_1^2.
"""
from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.special import gammaln, xlog1py, xlogy

from refimpl import arguments, direct, exact
from refimpl.experiments import options

# ENOUGH counts changed winners.  The relative error of a count of 5 is about 1/2, and that of its cube root about 1/6.
ENOUGH = 5
AIM = 20                # chosen among 5, 10, 20 and 30 on other random problems
GUARANTEE = 1.7         # times |grad|_1^2, see above
PROBLEMS = 50
# (smallest k, largest k, whether q is concentrated).  If k = 2, the bias may happen to be 0 at some eps.
KINDS = {"k = 3 ... 10": (3, 10, False), "k = 2": (2, 2, False),
         "concentrated": (3, 10, True), "conc., k = 2": (2, 2, True)}


class Choice(NamedTuple):
    """Holds the chosen eps, and whether the draws could determine it."""

    eps: float
    """The chosen eps, which is at most 1 / (max f - min f).  Its unit is 1 divided by the unit of f."""
    changed: int
    """The number of draws whose winner changes at eps = 1 / (max f - min f)."""
    reason: str
    """Why the draws cannot determine eps; empty if they can."""


def choose(h: np.ndarray, f: np.ndarray, noise: np.ndarray) -> Choice:
    """Choose eps for the mean of M one-sided estimates.

    The scores h and f have shape (k,).  `noise` contains M >= 2 draws and has shape (M, k).  Let R be max f - min f,
    and let N be the number of draws whose two arg maxes differ at eps = 1 / R.  If N is at most AIM, the rule chooses
    eps = 1 / R.  Otherwise, it chooses eps = (AIM / N)^(1/3) / R.  Raises ValueError if an array has another shape, or
    if R is 0.
    """
    h, f, noise = arguments.scores(h=h, f=f, noise=noise)
    if h.ndim != 1 or f.shape != h.shape or noise.ndim != 2 or noise.shape[1] != len(h) or len(noise) < 2:
        raise ValueError(f"h and f must have shape (k,) and noise (M, k) with M at least 2, "
                         f"got {h.shape}, {f.shape}, {noise.shape}")
    f_of_unit_range, R = _unit_range(f)
    z_star, z_eps = direct.argmax_pair(h, f_of_unit_range, 1.0, noise)
    changed = int((z_star != z_eps).sum())
    reason = "" if changed >= ENOUGH else (
        f"{changed} of {len(noise):,} draws change their winner at eps = 1 / (max f - min f); fewer than {ENOUGH} "
        "do not determine eps, and the estimate 0 may be better")
    return Choice(float(_eps(changed, R)), changed, reason)


def _unit_range(f: np.ndarray) -> tuple[np.ndarray, float]:
    R = float(np.ptp(f))
    if R == 0:
        raise ValueError("f must differ between the values of z: if it is constant, so is every estimate")
    return (f - f.min()) / R, R


def _eps(changed: np.ndarray | int, R: float) -> np.ndarray:
    return np.minimum(1, (AIM / np.maximum(changed, 1)) ** (1 / 3)) * min(1 / max(R, 1e-307), arguments.LARGEST_EPS)


class Expected(NamedTuple):
    """Holds the exact error of the rule, and the exact probability that the rule cannot choose eps."""

    error: float
    """Mean squared error of the rule's result.  The result is 0 if M draws cannot determine eps.  Otherwise, it is the
    mean of M further estimates."""
    cannot_tell: float


def expected(h: np.ndarray, f: np.ndarray, M: int) -> Expected:
    """Return the exact error of the rule, and the exact probability that the rule cannot choose eps.

    The scores h and f have shape (k,).  The number of changed winners has a binomial distribution.
    """
    M = arguments.integer("M", M, 1)
    f_of_unit_range, R = _unit_range(np.asarray(f))
    law = direct.joint_law(h, f_of_unit_range, 1.0)
    chance = min(law[~np.eye(len(law), dtype=bool)].sum(), 1.0)
    changed = np.arange(M + 1)
    logarithm = gammaln(M + 1) - gammaln(changed + 1) - gammaln(M - changed + 1)
    weight = np.exp(logarithm + xlogy(changed, chance) + xlog1py(M - changed, -chance))
    few, used = changed < ENOUGH, (changed >= ENOUGH) & (weight > 1e-25)
    cannot_tell = min(float(weight[few].sum()), 1.0)
    error = cannot_tell * float(at_zero(h, f))
    if used.any():
        error += float(weight[used] @ direct.mse(h, f, _eps(changed[used], R), M))
    return Expected(error, cannot_tell)


def at_zero(h: np.ndarray, f: np.ndarray) -> np.ndarray:
    """Return |grad_h E_q f|^2.  This is the squared error of the estimate 0."""
    return (exact.gradient(h, f) ** 2).sum(axis=-1)


def problems(count: int, least: int, most: int, seed: int,
             concentrated: bool = False) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return random problems (h, f).  Each problem has its own number k of values, between `least` and `most`.

    The size of f differs between the problems, by a factor of up to about 150.  If `concentrated` is true, a random
    number between 2 and 12 is added to one score of each problem.  Then q is usually concentrated on one value.
    """
    rng, made = np.random.default_rng(seed), []
    for _ in range(count):
        k = int(rng.integers(least, most + 1))
        h, f = rng.normal(size=k), rng.normal(size=k) * np.exp(rng.uniform(-2, 3))
        if concentrated:
            h[rng.integers(k)] += rng.uniform(2, 12)
        made.append((h, f))
    return made


def least_errors(given: list[tuple[np.ndarray, np.ndarray]], M: int) -> np.ndarray:
    """Return an array of shape (len(given),): the exact error of each problem at its best eps.

    If an estimate that is always 0 has a smaller error, the result is the error of this estimate.
    """
    least = np.empty(len(given))
    for k in {len(h) for h, _ in given}:                                # problems of the same size together, for speed
        rows = [row for row, (h, _) in enumerate(given) if len(h) == k]
        h, f = (np.stack([given[row][part] for row in rows]) for part in (0, 1))
        best = direct.best_eps(h, f, samples=M)
        at_best = direct.mse(h, f, np.where(np.isfinite(best), best, 1.0), M)
        least[rows] = np.where(np.isfinite(best), at_best, at_zero(h, f))
    return least


def least_up_to_bound(h: np.ndarray, f: np.ndarray, M: int) -> float:
    """Return the least mean squared error of the estimate 0 and of 200 values of eps up to 1 / (max f - min f)."""
    return min(float(direct.mse(h, f, np.geomspace(0.01, 1, 200) / np.ptp(f), M).min()), float(at_zero(h, f)))


COUNTED, OVER_BOUND, OVER_ZERO = "the rule", "the rule, over best up to 1/R", "the rule, over answering 0"
CANNOT_TELL = "chance that it cannot tell"


def table(M: int, seed: int = 0, count: int = PROBLEMS) -> dict[str, dict[str, np.ndarray]]:
    """Return the table: table(M)[kind][row] is an array of shape (count,), with one value for each problem.

    The first four rows are mean squared errors divided by least_errors().  The first of them is the error of the rule,
    which expected() computes.  The fifth row is this error divided by least_up_to_bound(), and the sixth by at_zero().
    The last row is the probability that the draws cannot determine eps.
    """
    made = {}
    for words, (least_k, most_k, concentrated) in KINDS.items():
        given = problems(count, least_k, most_k, seed, concentrated)
        least, zero = least_errors(given, M), np.array([at_zero(h, f) for h, f in given])
        bounded = np.array([least_up_to_bound(h, f, M) for h, f in given])
        rule = np.array([expected(h, f, M) for h, f in given])
        fixed = [np.array([direct.mse(h, f, eps(f), M) for h, f in given])
                 for eps in (lambda f: 1 / np.ptp(f), lambda f: 0.1)]
        made[words] = {COUNTED: rule[:, 0] / least, "1/R always": fixed[0] / least, "0.1 always": fixed[1] / least,
                       "answering 0": zero / least, OVER_BOUND: rule[:, 0] / bounded, OVER_ZERO: rule[:, 0] / zero,
                       CANNOT_TELL: rule[:, 1]}
    return made


def lines(found: dict[str, dict[str, np.ndarray]], M: int) -> list[str]:
    """Return the results of table() as lines of text."""
    made = [f"Mean squared error of the mean of {M:,} estimates, divided by the least possible; R = max f - min f",
            f"{'random problems:':31s}" + "".join(f" {words:>19s}" for words in found),
            f"{'':31s}" + f" {'median':>9s} {'worst':>9s}" * len(found)]
    for row in next(iter(found.values())):
        show = ".2f" if row == CANNOT_TELL else ".3g"
        made.append(f"  {row:29s}" + "".join(f" {np.median(rows[row]):9{show}} {rows[row].max():9{show}}"
                                             for rows in found.values()))
    return made + [f"If fewer than {ENOUGH} draws change their winner at eps = 1/R, they cannot determine eps.  For "
                   "such draws the table uses the estimate 0."]


def run(M: int, count: int = PROBLEMS, seed: int = 0) -> list[str]:
    """Return the lines of the table.  M is the number of estimates that are averaged.

    Raises InputError if an option is out of range.
    """
    options.check("choose-eps", average=M, problems=count, seed=seed)
    return lines(table(M, seed, count), M)
