# %% [markdown]
# # 4. Finite epsilon
#
# **You will** find out what the estimator is the exact gradient of, derive its variance, pick the best $\epsilon$, and
# see $\epsilon$ at work in trained models. **You will learn** that a finite $\epsilon$ is not "almost zero": it has an
# objective of its own, and that objective and a KL term pull against each other. **You need**
# [chapter 3](03_theorem_1.ipynb). It runs in about five seconds; three small trained models are loaded, which
# `python -m refimpl tutorial-runs eps-1-kl eps-0.1-kl eps-1-no-kl` makes again in a quarter of a minute.
#
# | symbol | in the code | the slides write | meaning |
# | --- | --- | --- | --- |
# | $g$ | `g` | | one sample of the estimator, $(\text{onehot}(z(\epsilon)) - \text{onehot}(z^{\star}))/\epsilon$ |
# | $T(h)$ | `T` | | the tilted objective, $\frac{1}{\epsilon} \log E_q e^{\epsilon f}$ |
# | $q_\epsilon$ | `q_eps` | | softmax of $h + \epsilon f$ |
# | $P_{ii}$ | `both` | | probability that $z^{\star}$ and $z(\epsilon)$ are both $i$, noise shared |
# | $k$, $b$ | | | the number of values; the best of them, $\arg\max f$ |

# %%
import sys
from pathlib import Path

here = Path.cwd()               # find the package, wherever in (or just above) a clone of the repository this runs
sys.path[:0] = [str(place) for place in (here, *here.parents, *here.glob("*/")) if (place / "refimpl").is_dir()][:1]
if not any((Path(place) / "refimpl").is_dir() for place in sys.path):
    sys.exit("This chapter needs the package: clone the whole repository and start in it, or set PYTHONPATH to it.")

import matplotlib.pyplot as plt
import numpy as np
from scipy.optimize import brentq

from refimpl import data, gumbel, plots
from refimpl.experiments import tutorial_runs

plots.chapter_style()
rng = np.random.default_rng(5)
h = np.array([0.5, -0.3, 0.9, -1.2, 0.0])
f = np.array([1.0, -2.0, 0.3, 2.5, -0.5])


def softmax(a):
    e = np.exp(a - a.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


q = softmax(h)
gradient = q * (f - q @ f)                                  # the truth, grad E f

# %% [markdown]
# ## The gradient of what?
#
# Theorem 2 holds for both arg maxes, so the mean of $g$ is known exactly at *every* $\epsilon$:
#
# $$E\, g = \frac{q_\epsilon - q}{\epsilon}$$
#
# Chapter 2: $q_\epsilon$ is the gradient of $G(h, \epsilon)$ in $h$, and $q$ that of $G(h, 0)$. So $E g$ is the
# gradient of
#
# $$T(h) = \frac{G(h, \epsilon) - G(h, 0)}{\epsilon} = \frac{1}{\epsilon} \log \frac{\sum_z e^{h(z) + \epsilon f(z)}}{\sum_z e^{h(z)}} = \frac{1}{\epsilon} \log E_q\, e^{\epsilon f}$$
#
# The direct gradient at finite $\epsilon$ is an *unbiased* gradient, namely of the tilted objective $T$. It is biased
# only if you take it for a gradient of $E_q f$.

# %%
def T(h, eps):
    return np.log(softmax(h) @ np.exp(eps * f)) / eps


def mean_of_g(eps):
    return (softmax(h + eps * f) - q) / eps


for eps in (0.1, 1.0, 5.0):
    by_difference = np.array([(T(h + 1e-5 * unit, eps) - T(h - 1e-5 * unit, eps)) / 2e-5 for unit in np.eye(5)])
    assert np.allclose(by_difference, mean_of_g(eps), atol=1e-8)

eps = np.geomspace(0.01, 100, 200)
figure, ax = plt.subplots(figsize=(6, 3.2))
ax.semilogx(eps, [T(h, e) for e in eps], color=plots.colour("direct"), label="tilted objective T")
ax.axhline(q @ f, color=plots.TRUTH, label="$E_q f$")
ax.axhline(f.max(), color="0.6", linestyle="--", label="max f")
ax.plot(1, np.log(q @ np.exp(f)), "o", color=plots.FURTHER[2], label="$\\log E_q e^f$, at eps = 1")
ax.set(xlabel="eps, 1/nat", ylabel="nats")
ax.legend(fontsize=9)
plt.show()

# %% [markdown]
# What to see. Small $\epsilon$: $E_q f$. Large: the best $f$, whatever $q$ thinks of it, so long as it is possible at
# all. At $\epsilon = 1$, with $f = \log p(x | z)$, it is $\log E_q\, p(x|z)$: a mixture's log-likelihood. $T$ forgives
# spread: halving the best value's share costs at most $(\log 2) / \epsilon$ nats, however bad the others are.
#
# ## The bias and its order
#
# Expand: $E_q e^{\epsilon f} = 1 + \epsilon E_q f + \frac{\epsilon^2}{2} E_q f^2 + O(\epsilon^3)$, and
# $\log(1 + u) = u - u^2/2 + O(u^3)$. So $T = E_q f + \frac{\epsilon}{2} \text{Var}_q f + O(\epsilon^2)$, and the bias
# is $\frac{\epsilon}{2} \nabla \text{Var}_q f + O(\epsilon^2)$: first order. Taking both signs,
# $(\text{onehot}(z(\epsilon)) - \text{onehot}(z(-\epsilon)))/2\epsilon$, has the mean
# $\frac12 \nabla (T_\epsilon + T_{-\epsilon})$, which is even in $\epsilon$: the first order cancels, the second is
# left. No sampling is needed to see it:

# %%
def two_sided_mean(eps):
    return (softmax(h + eps * f) - softmax(h - eps * f)) / (2 * eps)


eps = np.geomspace(0.001, 30, 120)
one = np.array([np.linalg.norm(mean_of_g(e) - gradient) for e in eps])
two = np.array([np.linalg.norm(two_sided_mean(e) - gradient) for e in eps])
figure, ax = plt.subplots(figsize=(6, 3.2))
ax.loglog(eps, one, color=plots.colour("direct"), label="one-sided")
ax.loglog(eps, two, color=plots.colour("two-sided"), label="two-sided")
ax.axhline(np.linalg.norm(gradient), color=plots.TRUTH, label="length of the gradient itself")
ax.set(xlabel="eps, 1/nat", ylabel="length of the bias", ylim=(1e-7, 10))
ax.legend(fontsize=9)
plt.show()

slope = lambda error: np.log(error[20] / error[0]) / np.log(eps[20] / eps[0])
print(f"slopes at the left end: {slope(one):.3f} and {slope(two):.3f}")
assert abs(slope(one) - 1) < 0.02 and abs(slope(two) - 2) < 0.02

mean_f = q @ f
grad_variance = q * ((f - mean_f) ** 2 - q @ (f - mean_f) ** 2)        # of Var_q f in h
leading = 0.001 / 2 * grad_variance
assert np.linalg.norm(mean_of_g(0.001) - gradient - leading) < 0.02 * np.linalg.norm(leading)

# %% [markdown]
# What to see. Slopes 1 and 2 at the left. At the right both tend to the length of the gradient itself: at a very large
# $\epsilon$ the estimate tends to 0, so the bias is the whole gradient. On the way the one-sided bias overshoots: for
# $\epsilon$ from about 1.4 to 7 it is *longer* than the gradient, and answering 0 would be nearer to the truth.
#
# ## The variance, derived
#
# A component of $g$ is $+1/\epsilon$ if $z(\epsilon) = i$ alone, $-1/\epsilon$ if $z^{\star} = i$ alone, else 0. So all
# that is missing is how often *both* equal $i$:
#
# $$\text{Var}\, g_i = \frac{q_\epsilon(i) + q(i) - 2 P_{ii}}{\epsilon^2} - (E g_i)^2$$
#
# $P_{ii}$ by the alarm clocks of chapter 1. $E_z$ are independent exponentials of rate $w_z = e^{h(z)}$. $z^{\star}$ is
# the least $E_z$; $z(\epsilon)$ the least $e^{-(\epsilon f(z) + h(z) + \gamma(z) + c)} = a_z E_z$ with
# $a_z = e^{-\epsilon f(z)}$. The value $i$ wins both if for every other $j$ both $E_j > E_i$ and $a_j E_j > a_i E_i$,
# that is $E_j > E_i \max(1, a_i/a_j)$. Given $E_i = t$ these are independent, with probabilities
# $e^{-w_j t \max(1, a_i/a_j)}$. Integrate against the density $w_i e^{-w_i t}$, which supplies the term $j = i$ of the
# sum (its maximum is 1):
#
# $$P_{ii} = \int_0^\infty w_i\, e^{-t \sum_j w_j \max(1, a_i/a_j)}\, dt = \frac{w_i}{\sum_j w_j \max(1, a_i / a_j)}$$
#
# In scores, $1 / P_{ii} = \sum_j e^{\max(h_j - h_i,\; h_j - h_i + \epsilon (f_j - f_i))}$. Three lines of algebra; now
# the check.

# %%
def both(h, f, eps):
    gap_h, gap_f = h[None, :] - h[:, None], f[None, :] - f[:, None]     # [i, j]: j less i
    return 1 / np.exp(np.maximum(gap_h, gap_h + eps * gap_f)).sum(axis=1)


def variance(eps):
    return (softmax(h + eps * f) + q - 2 * both(h, f, eps)) / eps**2 - mean_of_g(eps) ** 2


noise = gumbel.sample((400_000, 5), rng)
z_star = (h + noise).argmax(axis=1)
for eps in (0.05, 0.5, 2.0):
    z_eps = (h + eps * f + noise).argmax(axis=1)
    share = np.array([np.mean((z_star == i) & (z_eps == i)) for i in range(5)])
    law = both(h, f, eps)
    error = np.sqrt(law * (1 - law) / len(noise))
    g = (np.eye(5)[z_eps] - np.eye(5)[z_star]) / eps
    print(f"eps = {eps}: zero in {np.mean(z_eps == z_star):.4f} of draws, exactly {law.sum():.4f}; "
          f"total variance {g.var(axis=0).sum():.3f}, exactly {variance(eps).sum():.3f}")
    assert (np.abs(share - law) < 4 * error).all()
    squares = (g - mean_of_g(eps)) ** 2
    assert (np.abs(squares.mean(axis=0) - variance(eps)) < 4 * squares.std(axis=0) / np.sqrt(len(g))).all()

# %% [markdown]
# As $\epsilon \to 0$ the winners differ with a probability proportional to $\epsilon$ (each $\max(1, a_i/a_j)$ is
# $1 + O(\epsilon)$, so $P_{ii} = q_i - O(\epsilon)$), and then the estimate is $1/\epsilon$: the variance grows like
# $1/\epsilon$, not $1/\epsilon^2$. Sharing the noise bought a whole order.
#
# ## The best epsilon
#
# The mean of $M$ samples is off by $|\text{bias}|^2 + \text{variance}/M$ in mean square. Both are known, so is the best
# $\epsilon$.

# %%
from refimpl import direct

eps = np.geomspace(0.005, 30, 150)
figure, ax = plt.subplots(figsize=(6, 3.2))
for M, colour in ((1, "0.6"), (100, plots.FURTHER[1]), (10_000, plots.FURTHER[0])):
    rms = np.sqrt([np.sum((mean_of_g(e) - gradient) ** 2) + variance(e).sum() / M for e in eps])
    best = direct.best_eps(h, f, samples=M)
    ax.loglog(eps, rms, color=colour, label=f"M = {M}, best eps {best:.2g}")
    if np.isfinite(best):
        ax.plot(best, np.sqrt(direct.mse(h, f, best, M)), "o", color=colour)
ax.axhline(np.linalg.norm(gradient), color=plots.TRUTH, label="of answering 0")
ax.set(xlabel="eps, 1/nat", ylabel="root mean squared error")
ax.legend(fontsize=9)
plt.show()

assert np.allclose(direct.variance(h, f, 0.5), variance(0.5))
assert np.allclose(direct.stay_probability(h, f, 0.5), both(h, f, 0.5))
assert np.allclose(direct.expected_gradient(h, f, 0.5), mean_of_g(0.5))

# %% [markdown]
# What to see. With more samples a smaller $\epsilon$ pays. With a single one hardly anything beats answering 0: the
# best $\epsilon$ is 23, where the estimate is nearly 0 itself and its error one percent less; training averages over
# thousands of steps, so it is on the side of many samples.
#
# ## A KL term beside it: the 0.476
#
# An auto-encoder (chapter 6) maximises $E_q f - \text{KL}(q \| \text{uniform})$ with $f = \log p(x \mid z)$ and
# $\text{KL} = \sum_z q \log q + \log k$: a lower bound on $\log p(x)$, the *ELBO*. With direct optimisation it follows
# the gradient of $T - \text{KL}$. Suppose the best value $b$ beats all others by much more than $1/\epsilon$ nats. Then
# only $b$ matters inside $E_q e^{\epsilon f}$, and $T = f_b + \frac{1}{\epsilon} \log q_b$. With $p = q_b$ given, $T$
# does not care how the rest is spread, so the entropy spreads it evenly, and what is maximised is
#
# $$\frac{1}{\epsilon} \log p - p \log p - (1-p) \log \frac{1-p}{k-1}, \qquad \text{at its top: } \frac{1}{\epsilon p} = \log \frac{(k-1)\, p}{1-p}$$
#
# The true objective, $p f_b + \ldots$, would push $p$ to 1, for $f_b$ leads by tens of nats. $T$ has taken the
# logarithm: it no longer sees by *how much* $b$ is better. (Both terms are concave in $p$, so this stationary point is
# the top. "Much more than $1/\epsilon$" matters: at $\epsilon = 0.1$ a lead of 10 nats is just $1/\epsilon$, and the
# top is then at 0.985 instead of 0.9996.)

# %%
def best_share(k, eps):
    return brentq(lambda p: 1 / (eps * p) - np.log((k - 1) * p / (1 - p)), 1 / k + 1e-9, 1 - 1e-15)


for eps in (1.0, 0.5, 0.1):
    print(f"k = 10, eps = {eps}: p = {best_share(10, eps):.4f}")
assert abs(best_share(10, 1.0) - 0.476) < 5e-4

# and by brute force, on T - KL itself, with a lead of 30 nats
lead = np.array([30.0] + 9 * [0.0])
grid = np.linspace(0.01, 0.999, 4_000)
objective = [np.log(p * np.exp(30.0) + (1 - p)) - p * np.log(p) - (1 - p) * np.log((1 - p) / 9) for p in grid]
assert abs(grid[np.argmax(objective)] - best_share(10, 1.0)) < 1e-3

# %% [markdown]
# At $\epsilon = 1$ more than half of all samples come from a *wrong* value, and each of them costs the reconstruction
# tens of nats.
#
# Does that happen in training? Three auto-encoders on MNIST, ten values of $z$, eight epochs, direct optimisation; they
# differ in $\epsilon$ and in whether the KL term has a gradient. (40 hidden units, to keep the files small.)

# %%
test = data.load("mnist").test
x = test.images(slice(0, 1_000))
figure, ax = plt.subplots(figsize=(6, 3.2))
for name, words, colour in (("eps-1-kl", "eps = 1, KL on", plots.FURTHER[1]),
                            ("eps-0.1-kl", "eps = 0.1, KL on", plots.colour("direct")),
                            ("eps-1-no-kl", "eps = 1, KL off", plots.FURTHER[2])):
    loaded = tutorial_runs.load(name)
    rows, last = loaded.rows, loaded.rows[-1]
    scores, f_all = loaded.run.model.score_all(x)                   # (1000, 1, 10), (1000, 10): all, by enumeration
    share = softmax(scores[:, 0])[np.arange(len(x)), f_all.argmax(axis=1)]
    second, first = np.sort(f_all, axis=1)[:, -2:].T
    clear = first - second > 10                                     # images whose best value leads by over 10 nats
    print(f"{words:18s} test -ELBO {-last['test_elbo']:.1f} nats, -log p(x) {-last['test_log_likelihood']:.1f}; "
          f"q of the best value, median: {np.median(share):.3f}, "
          f"where it leads clearly ({clear.sum()} images) {np.median(share[clear]):.3f}")
    ax.plot([row["epoch"] for row in rows], [-row["test_elbo"] for row in rows], color=colour, marker="o", label=words)
    if name == "eps-1-kl":
        assert abs(np.median(share[clear]) - best_share(10, 1.0)) < 0.05
ax.set(xlabel="epoch", ylabel="test -ELBO, exact, nats an image")
ax.legend(fontsize=9)
plt.show()

# %% [markdown]
# What to see. With $\epsilon = 1$ and the KL gradient on, $q$ of the best value ends at a median of 0.49 where that
# value leads by more than 10 nats, close to the predicted 0.476 (0.42 over all images; where two values are about
# equally good, the prediction does not apply). The bound is 28 nats behind the run with $\epsilon = 0.1$: 16 because
# $q$ is so far from the posterior, the rest because a decoder that is fed wrong values half of the time is itself
# worse. A smaller $\epsilon$, or no KL gradient, removes the conflict. The authors' code starts at $\epsilon = 1$ *and*
# leaves the KL gradient out: two departures from the formula that happen to cancel.
#
# ## Exercises
#
# **1 (easy).** Show that $E_q f \le T \le \max f$ for this problem at a hundred values of $\epsilon$, and name the
# inequality.
#
# <details><summary>Solution</summary>
#
# Below by Jensen, $\log E e^{\epsilon f} \ge E\, \epsilon f$; above because $e^{\epsilon f} \le e^{\epsilon \max f}$.
# That it rises is Jensen once more, for the power $\epsilon'/\epsilon \ge 1$ of $e^{\epsilon f}$.
#
# ```python
# values = np.array([T(h, e) for e in np.geomspace(0.01, 100, 100)])
# assert (values >= q @ f).all() and (values <= f.max()).all() and (np.diff(values) > 0).all()
# ```
#
# </details>
#
# **2 (middling).** Two-sided estimation uses $z(\epsilon)$ and $z(-\epsilon)$. Get its variance from the functions
# above without a new derivation.
#
# <details><summary>Solution</summary>
#
# It is the one-sided problem seen from the scores $h - \epsilon f$, with $2\epsilon$.
#
# ```python
# e = 0.3
# start, width = h - e * f, 2 * e
# mean = (softmax(start + width * f) - softmax(start)) / width
# two_sided = (softmax(start + width * f) + softmax(start) - 2 * both(start, f, width)) / width**2 - mean**2
# assert np.allclose(two_sided, direct.variance(h, f, e, two_sided=True)) and np.allclose(mean, two_sided_mean(e))
# ```
#
# </details>
#
# **3 (hard).** Find the constant in "variance $\approx C/\epsilon$": expand $1 - P_{ii}$-type terms to first order and
# check $C$ against the exact variance at $\epsilon = 10^{-4}$.
#
# <details><summary>Solution</summary>
#
# Clock $i$ rings first at $t$; $j$, favoured by $f_j > f_i$, overtakes it if it rings within the factor
# $e^{\epsilon(f_j - f_i)}$, with probability about $w_j t\, \epsilon (f_j - f_i)$. With $S$ the sum of the rates,
# $\int w_i e^{-S t} w_j t\, dt = q_i q_j$, so
# $P(z^{\star} = i, z(\epsilon) = j) \approx \epsilon\, q_i q_j (f_j - f_i)^+$. Component $i$ collects arrivals and
# departures, and $(E g)^2$ does not grow: $C_i = q_i \sum_j q_j |f_j - f_i|$.
#
# ```python
# C = q * (np.abs(f[None, :] - f[:, None]) @ q)
# assert np.allclose(1e-4 * direct.variance(h, f, 1e-4), C, rtol=2e-3)
# ```
#
# </details>
#
# ## Where it goes wrong in practice
#
# - $\epsilon$ has a unit, 1/nat. An $\epsilon$ that is right for $f$ of a few nats is enormous for the log-likelihood
#   of an image, whose values differ by tens or hundreds.
# - Annealing $\epsilon$ from 1 down with a KL gradient on trains on the wrong side of that conflict until $\epsilon$ is
#   small.
# - The subtraction $q - P_{ii}$ loses its digits at tiny $\epsilon$; `refimpl/direct.py` sums positive terms instead.
#
# ## What to read next
#
# [Chapter 5](05_backpropagation.ipynb) builds the networks, [chapter 6](06_discrete_vae.ipynb) trains them. In the
# package: `refimpl/direct.py`, whose `joint_law` has the whole of $P_{ij}$.
