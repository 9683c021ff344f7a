# %% [markdown]
# # 4. Finite epsilon
#
# **You will** find out what the estimator is the exact gradient of, derive its variance, choose $\epsilon$ with and
# without knowing the truth, and see $\epsilon$ at work in trained models. **You will learn** that a finite $\epsilon$
# is not "almost zero": it has an objective of its own, and that objective and a KL term pull against each other.
# **You need** [chapter 3](03_gumbel_noise.ipynb). It runs in about twenty seconds. Three trained models are loaded.
# `python -m refimpl make tutorial-runs --write eps-1-kl eps-0.1-kl eps-1-no-kl` makes them again in a quarter of a
# minute.
#
# | symbol | in the code | the slides write | meaning |
# | --- | --- | --- | --- |
# | $h(z)$ | `h` | $\phi(x,z)$ | the encoder's score of the value $z$, a pure number |
# | $f(z)$ | `f` | $\theta(x,z)$ | the decoder's score of the value $z$, in nats |
# | $\epsilon$ | `eps` | $\epsilon$ | how strongly $f$ takes part, in 1/nat |
# | $g$ | `g` | | one estimate, $(\text{onehot}(z(\epsilon)) - \text{onehot}(z^{\star})) / \epsilon$ |
# | $q(z)$, $q_\epsilon(z)$ | `q`, `q_eps` | | softmax of $h$, of $h + \epsilon f$ |
# | $T(h)$ | `T` | | the tilted objective, $\frac{1}{\epsilon} \log E_q e^{\epsilon f}$ |
# | $P_{ij}$ | `law` | | chance that $z^{\star} = i$ and $z(\epsilon) = j$, noise shared |
# | $X_z$ | `X` | | time of an alarm clock, an exponential variable of rate $r_z = e^{h(z)}$ |
# | $C_i$ | `C` | | $q_i \sum_j q_j \lvert f_j - f_i \rvert$, the variance at small $\epsilon$ times $\epsilon$ |
# | $M$ | `M` | | a number of draws, or samples |
# | $k$ | `k` | | the number of values |
# | $\hat z$ | | | the best of them, $\arg\max f$ |
# | $p$ | `p` | | the chance $q(\hat z)$ of the best value |

# %%
import start    # if it is not found: clone the whole repository, and run this chapter in its folder tutorials/

import matplotlib.pyplot as plt
import numpy as np
from scipy import integrate
from scipy.optimize import brentq

from refimpl import data, direct, plots
from refimpl.experiments.theory import choosing_eps
from refimpl.experiments.training import tutorial_runs

names = ["shirt", "coat", "dress"]              # z = 0, 1, 2
colours = ["#004488", "#DDAA33", "#BB5566"]
h = np.array([0.3, -0.4, 0.6])                  # the encoder's scores
f = np.array([1.0, -2.0, 0.5])                  # the decoder's scores, nats
noise = np.random.default_rng(1).gumbel(-np.euler_gamma, size=(100_000, 3))     # one row a draw, mean 0
M = len(noise)


def softmax(scores):
    e = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def direct_gradient(h, f, eps, noise):
    z_star, z_eps = (h + noise).argmax(axis=-1), (eps * f + h + noise).argmax(axis=-1)
    return (np.eye(len(h))[z_eps] - np.eye(len(h))[z_star]) / eps


q = softmax(h)
gradient = q * (f - q @ f)                      # the truth, the gradient of E f in h (chapter 3)

# %% [markdown]
# ## The gradient of what?
#
# Theorem 2 holds for both arg maxes, so the mean of $g$ is known exactly at *every* $\epsilon$:
#
# $$E\, g = \frac{q_\epsilon - q}{\epsilon}$$
#
# Chapter 3: $q_\epsilon$ is the gradient of $G(h, \epsilon)$ in $h$, and $q$ that of $G(h, 0)$. So $E g$ is the
# gradient of
#
# $$T(h) = \frac{G(h, \epsilon) - G(h, 0)}{\epsilon} = \frac{1}{\epsilon} \log \frac{\sum_z e^{h(z) + \epsilon f(z)}}{\sum_z e^{h(z)}} = \frac{1}{\epsilon} \log E_q\, e^{\epsilon f}$$
#
# The direct gradient at finite $\epsilon$ is an *unbiased* gradient, namely of the tilted objective $T$. It is biased
# only if you take it for a gradient of $E_q f$.
#
# **Guess first.** As $\epsilon$ grows without end, what does $T$ tend to?

# %%
def T(h, eps):
    return np.log(softmax(h) @ np.exp(eps * f)) / eps


def mean_of_g(eps):
    return (softmax(h + eps * f) - q) / eps


for eps in (0.1, 1.0, 5.0):
    by_difference = np.array([(T(h + 1e-5 * unit, eps) - T(h - 1e-5 * unit, eps)) / 2e-5 for unit in np.eye(3)])
    assert np.allclose(by_difference, mean_of_g(eps), rtol=0, atol=1e-8)

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
# What to see. At small $\epsilon$, $T$ is $E_q f$. At large $\epsilon$ it is the best $f$ alone, whatever $q$ thinks of
# it, so long as it is possible at all. At $\epsilon = 1$, with $f = \log p(x | z)$, it is $\log E_q\, p(x|z)$: a
# mixture's log-likelihood. $T$ forgives spread. Halve the best value's share, and give that half to the others in
# proportion to theirs: this at most halves $E_q e^{\epsilon f}$. So it costs at most $(\log 2) / \epsilon$ nats,
# however bad the other values are. (With other noise $T$ is $(G(h, \epsilon) - G(h, 0))/\epsilon$ still, without the
# logarithm.)
#
# ## The bias and its order
#
# Expand: $E_q e^{\epsilon f} = 1 + \epsilon E_q f + \frac{\epsilon^2}{2} E_q f^2 + O(\epsilon^3)$, and
# $\log(1 + \delta) = \delta - \delta^2/2 + O(\delta^3)$. So
# $T = E_q f + \frac{\epsilon}{2} \text{Var}_q f + O(\epsilon^2)$. The bias is
# $\frac{\epsilon}{2} \nabla \text{Var}_q f + O(\epsilon^2)$: first order.
#
# Take both signs of $\epsilon$: $(\text{onehot}(z(\epsilon)) - \text{onehot}(z(-\epsilon)))/2\epsilon$. Its mean is
# $\frac12 \nabla (T_\epsilon + T_{-\epsilon})$. That is even in $\epsilon$: the first order cancels, the second is
# left. No sampling is needed to see it.
#
# **Guess first.** $\epsilon$ falls to a tenth. By what factor does each of the two biases fall?

# %%
def two_sided_mean(eps):
    return (softmax(h + eps * f) - softmax(h - eps * f)) / (2 * eps)


eps = np.geomspace(0.001, 30, 120)
one = np.array([np.linalg.norm(mean_of_g(e) - gradient) for e in eps])
two = np.array([np.linalg.norm(two_sided_mean(e) - gradient) for e in eps])
h_5, f_5 = np.array([0.5, -0.3, 0.9, -1.2, 0.0]), np.array([1.0, -2.0, 0.3, 2.5, -0.5])    # five values, once
of_5 = np.linalg.norm(softmax(h_5) * (f_5 - softmax(h_5) @ f_5))
longer = np.array([np.linalg.norm(direct.bias(h_5, f_5, e)) for e in np.linspace(0.1, 12, 120)]) / of_5

figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.3))
left.loglog(eps, one, color=plots.colour("direct"), label="one-sided")
left.loglog(eps, two, color=plots.colour("two-sided"), label="two-sided")
left.axhline(np.linalg.norm(gradient), color=plots.TRUTH, label="length of the gradient itself")
left.set(xlabel="eps, 1/nat", ylabel="length of the bias, nats", ylim=(1e-7, 10))
left.legend(fontsize=9)
right.plot(np.linspace(0.1, 12, 120), longer, color=plots.colour("direct"))
right.axhline(1, color=plots.TRUTH)
right.set(xlabel="eps, 1/nat", ylabel="bias / gradient", title="another problem, five values")
plt.show()

slope = lambda error: np.log(error[20] / error[0]) / np.log(eps[20] / eps[0])
print(f"slopes at the left end: {slope(one):.3f} and {slope(two):.3f}")
assert abs(slope(one) - 1) < 0.02 and abs(slope(two) - 2) < 0.02
mean_f = q @ f
grad_variance = q * ((f - mean_f) ** 2 - q @ (f - mean_f) ** 2)         # of Var_q f in h
leading = 0.001 / 2 * grad_variance
assert np.linalg.norm(mean_of_g(0.001) - gradient - leading) < 0.02 * np.linalg.norm(leading)
excess = lambda e: np.linalg.norm(direct.bias(h_5, f_5, e)) - of_5
begins, ends = brentq(excess, 0.5, 3), brentq(excess, 3, 12)
print(f"five values: the bias is longer than the gradient for eps from {begins:.2f} to {ends:.2f}")
assert abs(begins - 1.41) < 0.01 and 6 < ends < 8

# %% [markdown]
# What to see. Left: slopes 1 and 2 at the left end: the biases fall by 10 and by 100. At the right end both tend to the
# length of the gradient itself: at a very large $\epsilon$ the estimate tends to 0, so that the bias is the whole
# gradient. Right: the way there need not be straight. For these five values the bias overshoots, and in between it is
# *longer* than the gradient. There answering 0 would be nearer to the truth.
#
# ## The variance, derived
#
# A component of $g$ is $+1/\epsilon$ if $z(\epsilon) = i$ alone, $-1/\epsilon$ if $z^{\star} = i$ alone, else 0. So all
# that is missing is how often *both* equal $i$:
#
# $$\text{Var}\, g_i = \frac{q_\epsilon(i) + q(i) - 2 P_{ii}}{\epsilon^2} - (E g_i)^2$$
#
# $P_{ii}$ by the alarm clocks of chapter 3. The times $X_z$ are independent exponentials of rates $r_z = e^{h_z}$, and
# the first to ring is $z^{\star}$. Mixing in $\epsilon f$ turns the time $X_z$ into $e^{-\epsilon f_z} X_z$. It runs
# each clock faster or slower by a factor. The first to ring then is $z(\epsilon)$. The clock $i$ wins both races if for
# every other $j$ both $X_j > X_i$ and $e^{-\epsilon f_j} X_j > e^{-\epsilon f_i} X_i$, that is
# $X_j > X_i \max(1, e^{\epsilon (f_j - f_i)})$. Given $X_i = t$ these are independent events. Clock $j$ has the chance
# $e^{-r_j t \max(1, e^{\epsilon (f_j - f_i)})}$. Integrate over $t$ with the density $r_i e^{-r_i t}$ of $X_i$. (Its
# exponent is the term $j = i$ of the sum below, where the maximum is 1.)
#
# $$P_{ii} = \int_0^\infty r_i\, e^{-t \sum_j r_j \max(1, e^{\epsilon (f_j - f_i)})}\, dt = \frac{r_i}{\sum_j r_j \max(1, e^{\epsilon (f_j - f_i)})}$$
#
# In scores, $1 / P_{ii} = \sum_j e^{\max(h_j - h_i,\; h_j - h_i + \epsilon (f_j - f_i))}$. The check:

# %%
def both(h, f, eps):
    gap_h, gap_f = h[None, :] - h[:, None], f[None, :] - f[:, None]     # [i, j]: j less i
    return 1 / np.exp(np.maximum(gap_h, gap_h + eps * gap_f)).sum(axis=1)


def variance(eps):
    return (softmax(h + eps * f) + q - 2 * both(h, f, eps)) / eps**2 - mean_of_g(eps) ** 2


z_star = (h + noise).argmax(axis=1)
for eps in (0.05, 0.5, 2.0):
    z_eps = (h + eps * f + noise).argmax(axis=1)
    share = np.array([np.mean((z_star == i) & (z_eps == i)) for i in range(3)])
    stay = both(h, f, eps)
    g = direct_gradient(h, f, eps, noise)
    squares = (g - mean_of_g(eps)) ** 2
    error = squares.sum(axis=1).std() / np.sqrt(M)
    print(f"eps = {eps}: zero in {np.mean(z_eps == z_star):.4f} of the draws, exactly {stay.sum():.4f}; "
          f"total variance {squares.sum(axis=1).mean():.3f} ± {error:.3f}, exactly {variance(eps).sum():.3f}")
    assert (np.abs(share - stay) < 4 * np.sqrt(stay * (1 - stay) / M)).all()
    assert (np.abs(squares.mean(axis=0) - variance(eps)) < 4 * squares.std(axis=0) / np.sqrt(M)).all()
two_values = both(h[:2], f[:2], 0.2).sum()
sigmoid = lambda score: 1 / (1 + np.exp(-score))
assert np.isclose(1 - two_values, sigmoid(h[1] - h[0]) - sigmoid(h[1] - h[0] + 0.2 * (f[1] - f[0])))
assert np.allclose(direct.variance(h, f, 0.5), variance(0.5))
assert np.allclose(direct.stay_probability(h, f, 0.5), both(h, f, 0.5))
assert np.allclose(direct.expected_gradient(h, f, 0.5), mean_of_g(0.5))

# %% [markdown]
# With two values the winner stays with the chance
#
# $$P_{00} + P_{11} = 1 - |\sigma(h_1 - h_0 + \epsilon (f_1 - f_0)) - \sigma(h_1 - h_0)|$$
#
# which is 1 less the strip of chapter 2. With three it agrees with chapter 2 as well: as $\epsilon \to 0$ the winners
# differ with a chance proportional to $\epsilon$, and then the estimate is $\pm 1/\epsilon$. So the variance grows like
# $C_i / \epsilon$, not like $1/\epsilon^2$.
#
# ![One draw as three alarm clocks; in the second race another one overtakes](figures/clocks.gif)
#
# What to see. First the three clocks of one draw run, and the coat rings first. Then $\epsilon$ grows from 0. Open
# rings: the times of the first race. Full dots: the same times multiplied by $e^{-\epsilon f_z}$. Stars: the winners.
# At some $\epsilon$ the shirt overtakes.
#
# ## The whole joint law
#
# The same two races give $P_{ij}$ for $i \ne j$. Say $i$ rings first at time $t$ in the first race, and $j$ wins the
# second one. Write $j$'s second time as a multiple $\lambda$ of $t$: $e^{-\epsilon f_j} X_j = \lambda\, t$. For $j$ to
# lose the first race and to win the second, $\lambda$ must lie between $e^{-\epsilon f_j}$ and $e^{-\epsilon f_i}$.
# Every other clock must ring after $t$ in the first race and after $\lambda\, t$ in the second. With the exponents of
# the densities of $i$ and $j$ this makes the factor $e^{-t S(\lambda)}$, where
#
# $$S(\lambda) = \sum_z r_z \max(1, \lambda\, e^{\epsilon f_z})$$
#
# The density of $i$ at $t$ and of $j$ at $\lambda$ brings the factors $r_i$ and $r_j e^{\epsilon f_j} t$. The integral
# over $t$ is $\int t\, e^{-t S(\lambda)} dt = 1/S(\lambda)^2$. So
#
# $$P_{ij} = r_i r_j e^{\epsilon f_j} \int_{e^{-\epsilon f_j}}^{e^{-\epsilon f_i}} \frac{d\lambda}{S(\lambda)^2} \quad \text{if } f_j > f_i, \text{ else } 0$$
#
# No draw goes from a better to a worse value, as chapter 1 proved. The sums over $j$ are $q$, the sums over $i$ are
# $q_\epsilon$.

# %%
def whole_law(h, f, eps):
    P = np.diag(both(h, f, eps))
    S_of = lambda s: (np.exp(h) * np.maximum(1, s * np.exp(eps * f))).sum()
    for i in range(len(h)):
        for j in range(len(h)):
            if f[j] > f[i]:
                kinks = np.sort(np.exp(-eps * f))
                area = integrate.quad(lambda s: S_of(s) ** -2, np.exp(-eps * f[j]), np.exp(-eps * f[i]),
                                      points=kinks, epsabs=1e-13)[0]
                P[i, j] = np.exp(h[i] + h[j] + eps * f[j]) * area
    return P


for eps in (0.3, 2.0):
    P = whole_law(h, f, eps)
    z_eps = (h + eps * f + noise).argmax(axis=1)
    share = np.array([[np.mean((z_star == i) & (z_eps == j)) for j in range(3)] for i in range(3)])
    print(f"eps = {eps}: rows z*, columns z(eps)\n{P.round(4)}")
    assert np.allclose(P.sum(axis=1), q, rtol=0, atol=1e-10)
    assert np.allclose(P.sum(axis=0), softmax(h + eps * f), rtol=0, atol=1e-10)
    assert np.allclose(P, direct.joint_law(h, f, eps), rtol=0, atol=1e-10)
    assert (np.abs(share - P) <= 4 * np.sqrt(P * (1 - P) / M)).all()

# %% [markdown]
#
# ## A control variate inside the difference
#
# The slides call the second term a *built-in control variate*. Take $q/\epsilon$, the known mean of
# $\text{onehot}(z^{\star})/\epsilon$, from both terms of $g$:
#
# $$g = \frac{\text{onehot}(z(\epsilon)) - q}{\epsilon} - \frac{\text{onehot}(z^{\star}) - q}{\epsilon}$$
#
# The first part alone has the right mean. The second part has the mean 0. To subtract it changes no mean, and where it
# goes up and down together with the first part, it takes noise away. That is a *control variate*. (In terms of weights:
# if $h$ is normalised, so that $h = \log q$, the mean of the second term $\nabla_w h_w(z^{\star})$ is 0. That is what
# the slide says.)
#
# Does it lower the variance? The variance of a difference is the first variance, less twice the covariance, plus the
# second variance. So it helps where
#
# $$\text{Cov}(\text{onehot}_i(z(\epsilon)),\, \text{onehot}_i(z^{\star})) > \tfrac12 \text{Var}\, \text{onehot}_i(z^{\star})$$
#
# and hurts elsewhere. The covariance is $P_{ii} - q_i q_\epsilon(i)$, exactly.
#
# **Guess first.** As $\epsilon$ grows, for which of the three names does the control variate stop helping first?

# %%
def coefficient(eps):
    """Cov(onehot_i(z(eps)), onehot_i(z*)) / Var(onehot_i(z*)): above 1/2 the sample helps."""
    law = direct.joint_law(h, f, eps)
    return (np.diag(law) - q * law.sum(axis=0)) / (q * (1 - q))


eps = np.geomspace(0.02, 10, 80)
ratio = np.array([coefficient(e) for e in eps])
crossing = [brentq(lambda e: coefficient(e)[i] - 0.5, 0.02, 10) for i in range(3)]
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.3))
for i in range(3):
    left.semilogx(eps, ratio[:, i], color=colours[i], label=f"{names[i]}, crosses at eps = {crossing[i]:.2f}")
    with_sample = np.array([variance(e)[i] for e in eps])
    without = np.array([softmax(h + e * f)[i] * (1 - softmax(h + e * f)[i]) / e**2 for e in eps])
    right.semilogx(eps, with_sample / without, color=colours[i])
left.axhline(0.5, color=plots.TRUTH, linewidth=1)
left.set(xlabel="eps, 1/nat", ylabel="covariance / variance of $z^{\\star}$")
left.legend(fontsize=9)
right.axhline(1, color=plots.TRUTH, linewidth=1)
right.set(xlabel="eps, 1/nat", title="the same colours", ylabel="variance with / without", yscale="log",
          ylim=(0.01, 100))
plt.show()
assert np.argmin(crossing) == 1
at_002 = variance(0.02) / (softmax(h + 0.02 * f) * (1 - softmax(h + 0.02 * f)) / 0.02**2)
print("variance with / without at eps = 0.02:", at_002.round(3))
assert (at_002 < 0.1).all()
for i in range(3):                                          # the two criteria are one
    e = crossing[i]
    assert np.isclose(variance(e)[i], softmax(h + e * f)[i] * (1 - softmax(h + e * f)[i]) / e**2)
best = ratio**2 * (q * (1 - q)) / np.array([softmax(h + e * f) * (1 - softmax(h + e * f)) for e in eps])
assert (best <= 1).all()        # with the best multiple, Cov / Var of the sample, 1 - best of the variance is left

# %% [markdown]
# What to see. Left: where a line is above 1/2, the sample helps. Right: the variance of $g_i$ over the variance without
# the sample. Below 1 it helps. At small $\epsilon$ the two winners nearly always agree, and it helps by more than a
# factor of ten. At large $\epsilon$ it hurts, the coat first. Its $f$ is the worst, so that it wins the second race
# only if it has won the first: $P_{ii} = q_\epsilon(i)$, and this soon gets small. So "built-in control variate" is
# right for small $\epsilon$ only. (One could take Cov / Var times the sample less its mean. That never hurts.)
#
# ## The best epsilon, if the truth is known
#
# The mean of $M$ estimates is off by $|\text{bias}|^2 + \text{variance}/M$ in mean square. Both are known exactly, and
# so is the best $\epsilon$.
#
# **Guess first.** With 100 times as many draws, by what factor does the best $\epsilon$ fall?

# %%
eps = np.geomspace(0.01, 30, 150)
figure, ax = plt.subplots(figsize=(6, 3.2))
for draws, colour in ((1, "0.6"), (100, plots.FURTHER[1]), (10_000, plots.FURTHER[0])):
    rms = np.sqrt([np.sum((mean_of_g(e) - gradient) ** 2) + variance(e).sum() / draws for e in eps])
    best_eps = direct.best_eps(h, f, samples=draws)
    ax.loglog(eps, rms, color=colour, label=f"{draws:,} draw{'s' * (draws > 1)}, best eps {best_eps:.2g}")
    ax.plot(best_eps, np.sqrt(direct.mse(h, f, best_eps, draws)), "o", color=colour)
ax.axhline(np.linalg.norm(gradient), color=plots.TRUTH, label="of answering 0")
ax.set(xlabel="eps, 1/nat", ylabel="root mean squared error, nats")
ax.legend(fontsize=9)
plt.show()
factor = direct.best_eps(h, f, samples=100) / direct.best_eps(h, f, samples=10_000)
print(f"from 100 to 10,000 draws the best eps falls by {factor:.2f}; 100^(1/3) = {100 ** (1 / 3):.2f}")
assert 100 ** (1 / 3) < factor < 5.5

# %% [markdown]
# What to see. On the coloured curves, far left of the dot the noise rules, and far right of it the bias. With more
# draws a smaller $\epsilon$ pays. With a single draw no $\epsilon$ is much better than answering 0. (The answer: a bit
# more than the 4.6 of the law below.)
#
# At small $\epsilon$ the error is $\epsilon^2 |\beta|^2 + C / (\epsilon M)$, with $C = \sum_i C_i$ and
# $\epsilon \beta$ the leading bias. Set its derivative to zero:
#
# $$\epsilon = \left( \frac{C}{2 M |\beta|^2} \right)^{1/3}$$
#
# So the best $\epsilon$ falls like $M^{-1/3}$. And by $g(10 f, \epsilon) = 10\, g(f, 10 \epsilon)$ (chapter 2, exercise
# 2) it is proportional to 1 / (spread of $f$).
#
# The same as a picture. The components of an estimate add up to 0, so all estimates lie in a plane. Each dot below is
# the mean of 100 of them.
#
# **Guess first.** Of $\epsilon$ = 0.03, 0.3 and 3, which is nearest to the true gradient, and which is worst?

# %%
axis_1, axis_2 = np.array([1, -1, 0]) / np.sqrt(2), np.array([1, 1, -2]) / np.sqrt(6)
onto = lambda vectors: (vectors @ axis_1, vectors @ axis_2)
figure, axes = plt.subplots(1, 3, figsize=(11, 3.7), sharex=True, sharey=True, layout="constrained")
for ax, e in zip(axes, (0.03, 0.3, 3.0)):
    means = direct_gradient(h, f, e, noise[:40_000]).reshape(400, 100, 3).mean(axis=1)
    off = np.sqrt(np.sum((means - gradient) ** 2, axis=1).mean())
    dots, counts = np.unique(means.round(9), axis=0, return_counts=True)
    ax.scatter(*onto(dots), s=6 + 3 * counts, color=plots.colour("direct"), alpha=0.5, linewidths=0)
    ax.annotate("", onto(gradient), (0, 0), arrowprops={"arrowstyle": "-|>", "linewidth": 2})
    ax.plot(*onto(mean_of_g(e)), "*", color=plots.FURTHER[1], markersize=14, markeredgecolor="white")
    ax.set(title=f"eps = {e:g}: off by {off:.2f}", aspect="equal", xlabel="nats", xlim=(-0.8, 1.9), ylim=(-1.4, 1.3))
    assert abs(off / np.sqrt(direct.mse(h, f, e, 100)) - 1) < 0.1
axes[0].set_ylabel("nats")
plt.show()

# %% [markdown]
# What to see. Arrow: the true gradient. Star: the exact mean of the estimate. At $\epsilon = 0.03$ the star sits on the
# arrow's head, and the cloud is wide. (Its dots lie on a grid: each component is a small whole number, arrivals less
# departures, times $1/(100\, \epsilon)$. A larger dot stands for more means.) At 3 the cloud is narrow and in the wrong
# place. At 0.3 both are tolerable. ("Off by": root mean square of the distance to the arrow's head.)
#
# ## Choosing epsilon without the truth
#
# In practice nobody knows the gradient. One has draws, and the range of $f$, which is $\max f - \min f$ (`R` in the
# code). The range gives a bound. Let $|\ldots|_1$ be the sum of the absolute values. For all $h$ and $f$
#
# $$|\text{bias}|_1 \le \left( \frac{e^{\epsilon\, \text{range}} - 1}{\epsilon\, \text{range}} - 1 \right) |\text{gradient}|_1$$
#
# (`refimpl/experiments/theory/choosing_eps.py` has the proof, of four lines.) At $\epsilon = 1/\text{range}$ the
# bracket is $e - 2 = 0.72$; from $1.26/\text{range}$ on the bias may be longer than the gradient. So $\epsilon$
# shall be at most $1/\text{range}$.
#
# How much smaller it should be depends on the noise. An estimate is noisy because only few draws change their winner.
# So count how many of the $M$ draws do so at $\epsilon = 1/\text{range}$. The rule is
#
# $$\epsilon = \frac{1}{\text{range}} \min\left( 1, \left( \frac{20}{\text{changed draws}} \right)^{1/3} \right)$$
#
# It has both scaling laws: $\epsilon$ goes like $1/\text{range}$, and like $M^{-1/3}$ when there are many draws. (20
# was chosen among 5, 10, 20 and 30 on other random problems.) If fewer than 5 draws change, they cannot tell
# $\epsilon$. The rule says so, and answers 0.
#
# This rule cannot run away. Use its $\epsilon$ with $M$ further draws. For all $h$, $f$ and $M$ its mean squared error
# is at most $1.7\, |\text{gradient}|_1^2$. That is at most $1.7\, k$ times the error of answering 0, by Schwarz's
# inequality.
#
# **Guess first.** $h = (8, 0, 0)$ and $f = (0, 10, 20)$: $q$ is nearly certain. How many of 500 draws change their
# winner at $\epsilon = 1/20$?

# %%
def choose(h, f, noise):
    R = f.max() - f.min()
    changed = np.sum((h + noise).argmax(axis=1) != (h + f / R + noise).argmax(axis=1))
    return min(1, (20 / max(changed, 1)) ** (1 / 3)) / R, changed


assert abs(brentq(lambda x: np.expm1(x) / x - 2, 1, 2) - 1.26) < 0.005
for draws in (100, 1_000, 10_000):
    (chosen, changed), known = choose(h, f, noise[:draws]), direct.best_eps(h, f, samples=draws)
    print(f"{draws:6,} draws, {changed:5,} change: eps {chosen:.3f}, best {known:.3f}; "
          f"mean squared error {direct.mse(h, f, chosen, draws) / direct.mse(h, f, known, draws):.2f} times the least")
    assert np.isclose(chosen, choosing_eps.choose(h, f, noise[:draws]).eps)
for h_sure in (np.array([8.0, 0, 0]), np.array([12.0, 0, 0])):
    sure = choosing_eps.choose(h_sure, np.array([0.0, 10, 20]), noise[:500])
    print(f"h = {h_sure}: eps {sure.eps:.2f}; {sure.reason}")
    assert sure.eps == 1 / 20 and sure.changed == 0 and sure.reason

# %% [markdown]
# (The answer: none of them.) One problem proves little. Here are fifty random ones of each of four kinds, with $f$ on
# scales from small to large. In the concentrated ones a single value has most of $q$. The errors are means over all
# draws, computed exactly. (`python -m refimpl measure choose-eps` prints the same table, for other numbers of draws
# too.)

# %%
found = choosing_eps.table(1_000)
print("\n".join(choosing_eps.lines(found, 1_000)))
two = choosing_eps.problems(50, 2, 2, 0) + choosing_eps.problems(50, 2, 2, 0, concentrated=True)
crossing = [len(set(np.sign(direct.bias(h_2, f_2, np.geomspace(1e-3, 1e8, 400) / np.ptp(f_2))[:, 0]))) > 1
            for h_2, f_2 in two]
opposed = [(h_2[1] - h_2[0]) * (f_2[1] - f_2[0]) < 0 for h_2, f_2 in two]
print(f"two values: the bias crosses zero on {sum(crossing[:50])} of 50 problems, and on {sum(crossing[50:])} of the "
      "50 concentrated ones")
assert crossing == opposed                          # where h and f prefer different values, and only there
for kind, rows in found.items():
    assert rows[choosing_eps.OVER_BOUND].max() < 4 and rows[choosing_eps.OVER_ZERO].max() < 1.7
    assert np.median(rows[choosing_eps.COUNTED]) < np.median(rows["0.1 always"])
assert np.median(found["k = 3 ... 10"][choosing_eps.COUNTED]) < 1.2

# %% [markdown]
# What to see. 1 is the optimum. With three to ten values the rule is close to it. A fixed $\epsilon = 0.1$ is about
# three times off in the median, since it does not know the unit of $f$. On most concentrated problems a thousand draws
# cannot tell $\epsilon$. Then the rule answers 0. On all two hundred problems its error is less than 1.7 times that of
# answering 0.
#
# The worst cases over the least possible error are huge for two values. Where $h$ and $f$ prefer different values, the
# bias is a single number that crosses zero at one accidental $\epsilon$. There the best error is tiny, and nobody
# without the truth can find it. With more values the bias is a vector, which seldom comes so close to zero. The line
# "over best up to 1/R" compares with the best $\epsilon$ up to `1/R`, or with answering 0 if that is better. There the
# factor is below 4 on all two hundred problems.
#
# ## A KL term beside it: the 0.476
#
# An auto-encoder (chapter 6) is trained to raise a lower bound on the log-probability of the photo. With a uniform
# prior $1/k$ on the values, $f = \log p(x \mid z)$ and $\log p(x) = \log \sum_z \frac{1}{k} e^{f(z)}$, the bound is
#
# $$\text{ELBO} = E_q f - \text{KL}(q \,\|\, \text{uniform}), \qquad \text{KL}(q \,\|\, \text{uniform}) = \sum_z q(z) \log q(z) + \log k$$
#
# The *Kullback-Leibler divergence* (KL) measures how far a law is from another one. It is never negative. How far is
# the bound below $\log p(x)$? The *posterior* is $p(z | x) = e^{f(z)} / (k\, p(x))$. Put it into the definition:
#
# $$\text{KL}(q \,\|\, p(\cdot | x)) = \sum_z q(z) \log q(z) - E_q f + \log k + \log p(x) = \log p(x) - \text{ELBO}$$
#
# So the *gap* is the divergence of $q$ from the posterior.
#
# With direct optimisation, the encoder follows the gradient of $T - \text{KL}$ instead. Suppose the best value $\hat z$
# beats all others by much more than $1/\epsilon$ nats. Then only $\hat z$ matters inside $E_q e^{\epsilon f}$. Write
# $p$, without an argument, for its chance $q(\hat z)$. Then $T$ is close to $f(\hat z) + \frac{1}{\epsilon} \log p$. It
# does not care how the rest is spread, so the entropy spreads it evenly. What is maximised is
#
# $$\frac{1}{\epsilon} \log p - p \log p - (1-p) \log \frac{1-p}{k-1}, \qquad \text{at its top: } \frac{1}{\epsilon p} = \log \frac{(k-1)\, p}{1-p}$$
#
# The true objective, $p f(\hat z) + \ldots$, would push $p$ close to 1 where $f(\hat z)$ leads by many nats. $T$ has
# taken the logarithm: it does not see any more by *how much* $\hat z$ is better. (Both terms are concave in $p$, so
# this stationary point is the top. "Much more than $1/\epsilon$" matters: at $\epsilon = 0.1$ a lead of 10 nats is just
# $1/\epsilon$.)

# %%
def best_share(k, eps):
    return brentq(lambda p: 1 / (eps * p) - np.log((k - 1) * p / (1 - p)), 1 / k + 1e-9, 1 - 1e-15)


def top_by_search(eps, lead, k=10):
    """The p with the highest T - KL, with k - 1 values lead nats below the best."""
    p = np.concatenate([np.linspace(0.01, 0.99, 20_000), 1 - np.geomspace(1e-2, 1e-7, 5_000)])
    tilted = np.log(p + (1 - p) * np.exp(-eps * lead)) / eps
    return p[np.argmax(tilted - p * np.log(p) - (1 - p) * np.log((1 - p) / (k - 1)))]


for eps in (1.0, 0.5, 0.1):
    print(f"k = 10, eps = {eps}: p = {best_share(10, eps):.4f}; by search with a lead of 100 nats "
          f"{top_by_search(eps, 100):.4f}, of 10 nats {top_by_search(eps, 10):.4f}")
assert abs(best_share(10, 1.0) - 0.476) < 5e-4 and abs(best_share(10, 0.1) - 0.9996) < 5e-5
assert all(abs(top_by_search(eps, 100) - best_share(10, eps)) < 2e-4 for eps in (1.0, 0.5, 0.1))
assert abs(top_by_search(0.1, 10) - 0.985) < 2e-3

# %% [markdown]
# So with ten values and $\epsilon = 1$ more than half of all samples come from a *wrong* value, where the best one
# leads clearly. Each of them costs the reconstruction as many nats as the best value is ahead of it.
#
# Does that happen in training? Three auto-encoders on MNIST, ten values of $z$, eight epochs, direct optimisation. They
# differ in $\epsilon$ and in whether the KL term has a gradient. (40 hidden units, to keep the files small. One seed.
# Bounds on all 10,000 test images; $q(\hat z)$ on the first 2,000.)
#
# **Guess first.** In the first run, where does the histogram of $q(\hat z)$ peak?

# %%
x = data.load("mnist").test.images(slice(0, 2_000))
figure, (left, middle, right) = plt.subplots(1, 3, figsize=(12, 3.5), layout="constrained")
p = np.linspace(0.02, 0.999, 400)
middle.plot(p, np.log(9 * p / (1 - p)), color=plots.TRUTH, label="KL pulls back")
bounds, gaps, medians = {}, {}, {}
for name, words, colour, eps in (("eps-1-kl", "eps = 1, KL on", plots.FURTHER[1], 1.0),
                                 ("eps-0.1-kl", "eps = 0.1, KL on", plots.colour("direct"), 0.1),
                                 ("eps-1-no-kl", "eps = 1, KL off", plots.FURTHER[2], None)):
    loaded = tutorial_runs.load(name)
    rows, last = loaded.rows, loaded.rows[-1]
    scores, f_all = loaded.run.model.score_all(x)                   # (2000, 1, 10), (2000, 10): all, by enumeration
    share = softmax(scores[:, 0])[np.arange(len(x)), f_all.argmax(axis=1)]
    second, first = np.sort(f_all, axis=1)[:, -2:].T
    clear = first - second > 10                                     # images whose best value leads by over 10 nats
    bounds[name], medians[name] = -last["test_elbo"], np.median(share[clear])
    gaps[name] = last["test_log_likelihood"] - last["test_elbo"]
    print(f"{words:17s} test -ELBO {bounds[name]:.1f} nats = -log p(x) {-last['test_log_likelihood']:.1f} + gap "
          f"{gaps[name]:.1f}; median q(best) {np.median(share):.3f}, where it leads by over 10 nats ({clear.sum()} "
          f"images, median lead {np.median((first - second)[clear]):.0f} nats) {medians[name]:.3f}")
    left.plot([row["epoch"] for row in rows], [-row["test_elbo"] for row in rows], color=colour, marker="o",
              label=words)
    if eps:
        middle.plot(p, 1 / (eps * p), color=colour, label=f"T pulls up, eps = {eps:g}")
        middle.plot(best_share(10, eps), 1 / (eps * best_share(10, eps)), "o", color=colour)
        right.hist(share[clear], bins=40, range=(0, 1), color=colour, alpha=0.6, label=words)
        right.axvline(best_share(10, eps), color=colour, linestyle="--")
left.set(xlabel="epoch", ylabel="test -ELBO, exact, nats an image")
middle.set(xlabel="p, the best value's chance", ylabel="the two forces on p", ylim=(0, 14), xlim=(0, 1))
right.set(xlabel="q of the best value, where it leads clearly", ylabel="images", yscale="log")
for ax in (left, middle, right):
    ax.legend(fontsize=9)
plt.show()
behind = bounds["eps-1-kl"] - bounds["eps-0.1-kl"]
print(f"eps = 1 with KL is {behind:.1f} nats behind eps = 0.1: {gaps['eps-1-kl'] - gaps['eps-0.1-kl']:.1f} by the gap, "
      f"{behind - gaps['eps-1-kl'] + gaps['eps-0.1-kl']:.1f} by the decoder")
assert abs(medians["eps-1-kl"] - best_share(10, 1.0)) < 0.03 and behind > 20
assert bounds["eps-1-no-kl"] < bounds["eps-0.1-kl"]

# %% [markdown]
# What to see. Left: the bounds. Middle: the force of $T$ on $p$ falls, that of the KL term rises, and where they cross
# is the top. Right: $q(\hat z)$ of the two models with the KL term, dashed the predicted top. It is of images whose
# best value leads by over 10 nats. That is many times $1/\epsilon$ at $\epsilon = 1$, as the prediction asks for, but
# at 0.1 just $1/\epsilon$: there the dashed line holds for larger leads only. At $\epsilon = 1$ it stands around the
# prediction, 0.476. (Over all images the median is lower: where two values are about equally good, $q$ is shared
# between them.) At $\epsilon = 0.1$ nearly all stand at 1, and some twenty at 0: there $q$ has settled on a wrong
# value. The bound at $\epsilon = 1$ is more than 20 nats behind. Part of this is the gap, for $q$ is far from the
# posterior. The rest is the decoder: it is fed wrong values half of the time, and learns less from them.
#
# A smaller $\epsilon$ makes the conflict small, and leaving the KL gradient out removes it. On this one seed the run
# without it is the best of the three. The authors' code starts at $\epsilon = 1$ *and* leaves the KL gradient out.
# [results.md](results.md) has longer runs of both, with more seeds.
#
# ## Train with it
#
# The smallest case that shows the conflict: ten values, the best one 100 nats ahead, scores trained directly by ten
# draws a step, the KL gradient on, ten seeds. Beside it the exact gradient of the ELBO.
#
# **Guess first.** The prediction for $\epsilon = 1$ is 0.476. Is the one for $\epsilon = 0.5$ nearer to 0.7 or to 0.95?

# %%
lead = np.eye(10)[0] * 100.0


def train(gradient, seed=0, steps=600, lr=0.05):
    rng, scores, kept = np.random.default_rng(seed), np.zeros(10), []
    for _ in range(steps):
        share = softmax(scores)
        kl_gradient = share * (np.log(share) - share @ np.log(share))
        scores = scores + lr * (gradient(scores, rng) - kl_gradient)
        kept.append(softmax(scores)[0])
    return kept


def by_direct(eps):
    return lambda scores, rng: direct_gradient(scores, lead, eps,
                                               rng.gumbel(-np.euler_gamma, size=(10, 10))).mean(axis=0)


figure, ax = plt.subplots(figsize=(6, 3.2))
exact_runs = train(lambda scores, rng: softmax(scores) * (lead - softmax(scores) @ lead))
ax.plot(exact_runs, color=plots.TRUTH, label="exact gradient of the ELBO")
for eps, colour in ((1.0, plots.FURTHER[1]), (0.5, plots.FURTHER[2]), (0.2, plots.FURTHER[3])):
    runs = np.array([train(by_direct(eps), seed) for seed in range(10)])
    ax.plot(runs.T, color=colour, alpha=0.3)
    ax.axhline(best_share(10, eps), color=colour, linestyle="--", label=f"eps = {eps:g}: {best_share(10, eps):.3f}")
    settled = runs[:, -200:].mean()
    print(f"eps = {eps:g}: predicted {best_share(10, eps):.3f}, mean of the last 200 steps of ten seeds {settled:.3f}")
    assert abs(settled - best_share(10, eps)) < 0.01
print(f"exact gradient: {exact_runs[-1]:.6f}")
assert exact_runs[-1] > 0.999
ax.set(xlabel="step", ylabel="q of the best value")
ax.legend(fontsize=9, loc="lower right")
plt.show()

# %% [markdown]
# What to see. Each $\epsilon$ settles at its own share of the best value, the dashed line. The exact gradient of the
# ELBO goes to 1.
#
# ## Exercises
#
# **1 (easy).** Show that $E_q f \le T \le \max f$ for this problem at a hundred values of $\epsilon$, and name the
# inequality.
#
# <details><summary>Solution</summary>
#
# Below by Jensen, $\log E e^{\epsilon f} \ge E\, \epsilon f$. Above because $e^{\epsilon f} \le e^{\epsilon \max f}$.
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
# **3 (hard).** Find the constant $C_i$ of chapter 2 by the clocks: expand $P_{ij}$ to first order and check $C_i$
# against the exact variance at $\epsilon = 10^{-4}$.
#
# <details><summary>Solution</summary>
#
# Clock $i$ rings first at $t$. Clock $j$, favoured by $f_j > f_i$, overtakes it if it rings within the factor
# $e^{\epsilon(f_j - f_i)}$, with probability about $r_j t\, \epsilon (f_j - f_i)$. With $S$ the sum of the rates,
# $\int r_i e^{-S t} r_j t\, dt = q_i q_j$, so $P_{ij} \approx \epsilon\, q_i q_j (f_j - f_i)^+$. Component $i$ collects
# arrivals and departures, and $(E g)^2$ does not grow: $C_i = q_i \sum_j q_j |f_j - f_i|$.
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
# - If you start at $\epsilon = 1$ and lower it slowly, with the KL gradient on, $q(\hat z)$ is held near 0.476 at
#   first.
# - The subtraction $q - P_{ii}$ loses its digits at tiny $\epsilon$; `refimpl/direct.py` sums positive terms instead.
#
# ## What to read next
#
# [Chapter 5](05_backpropagation.ipynb) builds the networks, [chapter 6](06_discrete_vae.ipynb) trains them. In the
# package: `refimpl/coupling.py`, whose `joint_law` has the whole of $P_{ij}$, and
# `refimpl/experiments/theory/choosing_eps.py`. `python -m refimpl explore` has sliders for $\epsilon$, $h$ and the
# spread of $f$.
