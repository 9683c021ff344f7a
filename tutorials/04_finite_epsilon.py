# %% [markdown]
# # 4. Finite epsilon
#
# **You will** find out which objective the estimator is the exact gradient of, derive its variance, choose $\epsilon$
# with and without knowing the truth, and choose between estimators. **You will learn** that a finite $\epsilon$ is
# not "almost zero": it has an objective of its own. **You need** [chapter 3](03_gumbel_noise.ipynb). The chapter runs
# in about twenty seconds. Its symbols are listed at the end.

# %%
import start    # if it is not found: clone the whole repository, and run this chapter in its folder tutorials/

import matplotlib.pyplot as plt
import numpy as np
from scipy.optimize import brentq

import race
from draw import chapter_2, chapter_4 as draw
from race import softmax
from refimpl import direct, plots
from refimpl.experiments.theory import choosing_eps

names = ["shirt", "coat", "dress"]              # z = 0, 1, 2
colours = ["#004488", "#DDAA33", "#BB5566"]
h = np.array([0.3, -0.4, 0.6])                  # the encoder's scores
f = np.array([1.0, -2.0, 0.5])                  # the decoder's scores, nats
noise = np.random.default_rng(1).gumbel(-np.euler_gamma, size=(100_000, 3))     # one row per draw, mean 0
M = len(noise)


def direct_gradient(h, f, eps, noise):
    z_star, z_eps = (h + noise).argmax(axis=-1), (eps * f + h + noise).argmax(axis=-1)
    onehot = np.eye(noise.shape[-1])
    return (onehot[z_eps] - onehot[z_star]) / eps


q = softmax(h)
gradient = q * (f - q @ f)                      # the truth, the gradient of E f in h (chapter 3)

# %% [markdown]
# ## The gradient of what?
#
# Theorem 2 holds for both arg maxes, so the mean of the estimate $g$ is known exactly at *every* $\epsilon$:
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


for eps in (0.1, 1.0, 5.0):                     # the mean of the estimate is the gradient of T
    by_difference = np.array([(T(h + 1e-5 * unit, eps) - T(h - 1e-5 * unit, eps)) / 2e-5 for unit in np.eye(3)])
    assert np.allclose(by_difference, mean_of_g(eps), rtol=0, atol=1e-8)

eps = np.geomspace(0.01, 100, 200)
draw.tilted(eps, [T(h, e) for e in eps], q @ f, f.max(), np.log(q @ np.exp(f)))
plt.show()

# %% [markdown]
# What to see. At small $\epsilon$, $T$ is $E_q f$. At large $\epsilon$ it is the best $f$ alone, whatever $q$ is, as
# long as the best value is possible at all. At $\epsilon = 1$, with $f = \log p(x \mid z)$, it is
# $\log E_q\, p(x \mid z)$: a mixture's log-likelihood.
#
# $T$ forgives spread. Halve the share of the best value, and give the other half to the rest in proportion to their
# shares. In $E_q e^{\epsilon f}$ the term of the best value is halved, and all other terms grow. So the sum is at
# least half of what it was, and $T$ falls by at most $(\log 2) / \epsilon$ nats, however bad the other values are.
# $E_q f$ can fall by any amount.
#
# ## The bias and its order
#
# Expand: $E_q e^{\epsilon f} = 1 + \epsilon E_q f + \frac{\epsilon^2}{2} E_q f^2 + O(\epsilon^3)$, and
# $\log(1 + \delta) = \delta - \delta^2/2 + O(\delta^3)$. So
# $T = E_q f + \frac{\epsilon}{2} \text{Var}_q f + O(\epsilon^2)$. The bias is
# $\frac{\epsilon}{2} \nabla \text{Var}_q f + O(\epsilon^2)$: first order.
#
# Take both signs of $\epsilon$: $(\text{onehot}(z(\epsilon)) - \text{onehot}(z(-\epsilon)))/2\epsilon$. Its mean is
# $\frac12 \nabla (T_\epsilon + T_{-\epsilon})$. ($T_\epsilon$ is $T$ at $\epsilon$.) The first-order term of the bias
# is an odd function of $\epsilon$, so it cancels in this sum, and the second order is left.
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

draw.biases(eps, one, two, np.linalg.norm(gradient), np.linspace(0.1, 12, 120), longer)
plt.show()
slope = lambda error: np.log(error[20] / error[0]) / np.log(eps[20] / eps[0])
print(f"slopes at the left end: {slope(one):.3f} and {slope(two):.3f}")
excess = lambda e: np.linalg.norm(direct.bias(h_5, f_5, e)) - of_5
begins, ends = brentq(excess, 0.5, 3), brentq(excess, 3, 12)
print(f"five values: the bias is longer than the gradient for eps from {begins:.2f} to {ends:.2f}")

# %% [markdown]
# What to see. Left: the slopes are 1 and 2 at the left end, so the biases fall by 10 and by 100. At the right end the
# estimate tends to 0, and both biases to the length of the gradient itself. Right: in between, the bias need not rise
# steadily. For these five values it is *longer* than the gradient for a while. There answering 0 would be nearer to
# the truth.
#
# ## The variance, derived
#
# A component $g_i$ is $1/\epsilon$ if only $z(\epsilon)$ is $i$, $-1/\epsilon$ if only $z^{\star}$ is $i$, and 0
# otherwise. So all that is missing is the chance $P_{ii}$ that *both* are $i$:
#
# $$\text{Var}\, g_i = \frac{q_\epsilon(i) + q(i) - 2 P_{ii}}{\epsilon^2} - (E g_i)^2$$
#
# The alarm clocks of chapter 3 give it. The times $X_z$ are independent exponential variables of rates
# $r_z = e^{h_z}$, and the first to ring is $z^{\star}$. Mixing in $\epsilon f$ turns the time $X_z$ into
# $e^{-\epsilon f_z} X_z$: each clock runs faster or slower by a factor. In this second race the first to ring is
# $z(\epsilon)$. The clock $i$ wins both races if for every other $j$ both $X_j > X_i$ and
# $e^{-\epsilon f_j} X_j > e^{-\epsilon f_i} X_i$, that is $X_j > X_i \max(1, e^{\epsilon (f_j - f_i)})$. Given
# $X_i = t$ these are independent events. Clock $j$ has the chance $e^{-r_j t \max(1, e^{\epsilon (f_j - f_i)})}$.
# Integrate over $t$ with the density $r_i e^{-r_i t}$ of $X_i$. (Its exponent $-r_i t$ becomes the term $j = i$ of
# the sum below; there the maximum is 1.)
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
    g, stay = direct_gradient(h, f, eps, noise), both(h, f, eps)
    squares = (g - mean_of_g(eps)) ** 2
    error = squares.sum(axis=1).std() / np.sqrt(M)
    print(f"eps = {eps}: zero in {np.mean(z_eps == z_star):.4f} of the draws, exactly {stay.sum():.4f}; "
          f"total variance {squares.sum(axis=1).mean():.3f} ± {error:.3f}, exactly {variance(eps).sum():.3f}")
assert np.allclose(direct.variance(h, f, 0.5), variance(0.5))

# %% [markdown]
# As $\epsilon \to 0$ the winners differ with a chance proportional to $\epsilon$, and then the estimate is
# $\pm 1/\epsilon$. So the variance grows like $C_i / \epsilon$, with $C_i = q_i \sum_j q_j |f_j - f_i|$ (chapter 2).
# ([Appendix B](appendix_b_joint_law.ipynb) has the whole joint law of the two winners, and judges the slides'
# "built-in control variate" by it.)
#
# ![One draw as three alarm clocks; in the second race another one overtakes](figures/clocks.gif)
#
# What to see. In the first race of one draw the coat rings first. Then $\epsilon$ grows from 0. The open rings are
# the times of the first race, the full dots the same times multiplied by $e^{-\epsilon f_z}$, and the stars the
# winners. At some $\epsilon$ the shirt overtakes.
#
# ## The best epsilon, if the truth is known
#
# The mean of $M$ estimates is off by $|\text{bias}|^2 + \text{variance}/M$ in mean square. Both are known exactly, and
# so is the best $\epsilon$.
#
# **Guess first.** With 100 times as many draws, by what factor does the best $\epsilon$ fall?

# %%
eps = np.geomspace(0.01, 30, 150)
rms, best = {}, {}
for draws in (1, 100, 10_000):
    rms[draws] = np.sqrt([np.sum((mean_of_g(e) - gradient) ** 2) + variance(e).sum() / draws for e in eps])
    best_eps = direct.best_eps(h, f, samples=draws)
    best[draws] = best_eps, np.sqrt(direct.mse(h, f, best_eps, draws))
draw.errors(eps, rms, best, np.linalg.norm(gradient))
plt.show()
factor = best[100][0] / best[10_000][0]
print(f"from 100 to 10,000 draws the best eps falls by {factor:.2f}; 100^(1/3) = {100 ** (1 / 3):.2f}")

# %% [markdown]
# What to see. Far to the left of the dots the noise rules, and far to the right the bias. With more draws a smaller
# $\epsilon$ pays: the best one falls by a bit more than the factor of 4.6 of the law below. A *single* estimate is
# hardly better than answering 0 at any $\epsilon$. But training averages many of them (see the last section).
#
# At small $\epsilon$ the mean squared error is about $\epsilon^2 |\beta|^2 + C / (\epsilon M)$, with $C = \sum_i C_i$
# and $\epsilon \beta$ the leading bias. Set its derivative to zero:
#
# $$\epsilon = \left( \frac{C}{2 M |\beta|^2} \right)^{1/3}$$
#
# So the best $\epsilon$ falls like $M^{-1/3}$. And by $g(10 f, \epsilon) = 10\, g(f, 10 \epsilon)$ (chapter 2, exercise
# 2) it is proportional to 1 / (spread of $f$).
#
# The components of an estimate add up to 0, so all estimates lie in a plane. Each dot below is the mean of 100 of
# them.
#
# **Guess first.** Of $\epsilon$ = 0.03, 0.3 and 3, which is nearest to the true gradient, and which is worst?

# %%
means = {e: direct_gradient(h, f, e, noise[:40_000]).reshape(400, 100, 3).mean(axis=1) for e in (0.03, 0.3, 3.0)}
off = {e: np.sqrt(np.sum((means[e] - gradient) ** 2, axis=1).mean()) for e in means}
draw.clouds(means, gradient, mean_of_g, off)
plt.show()

# %% [markdown]
# What to see. The arrow is the true gradient, and the ring is the exact mean of the estimate. At $\epsilon = 0.03$
# the ring is around the arrow's head, and the cloud is wide. (Its dots lie on a grid, because each component is a
# small whole number times $1/(100\, \epsilon)$. A larger dot stands for more means. A few lie outside the axes.) At 3
# the cloud is narrow and in the wrong place. At 0.3 both are tolerable. ("Off by" is the root mean square of the
# distance to the arrow's head.)
#
# ## Choosing epsilon without the truth
#
# In practice one has draws, and the range of $f$, which is $\max f - \min f$ (`R` in the code). The range gives a
# bound. Let $|\ldots|_1$ be the sum of the absolute values. For all $h$ and $f$
#
# $$|\text{bias}|_1 \le \left( \frac{e^{\epsilon\, \text{range}} - 1}{\epsilon\, \text{range}} - 1 \right) |\text{gradient}|_1$$
#
# (`refimpl/experiments/theory/choosing_eps.py` has the proof.) At $\epsilon = 1/\text{range}$ the bracket is
# $e - 2 = 0.72$; from $1.26/\text{range}$ on it is above 1, and the bias may be longer than the gradient. So $\epsilon$
# should be at most $1/\text{range}$. How much smaller depends on the noise, and an estimate is noisy because few draws
# change their winner. So count how many of the $M$ draws do so at $\epsilon = 1/\text{range}$. The rule is
#
# $$\epsilon = \frac{1}{\text{range}} \min\left( 1, \left( \frac{20}{\text{changed draws}} \right)^{1/3} \right)$$
#
# It has both scaling laws, in the range and in $M$. If fewer than 5 draws change, they cannot tell $\epsilon$. Then
# the rule returns $1/\text{range}$, with a warning that 0 may be the better answer.
#
# The rule cannot run away: for all $h$, $f$ and $M$ its $\epsilon$ times the range is at most 1 and at least the
# smaller of 1 and $(20/M)^{1/3}$. There is a guarantee. Use its $\epsilon$ with $M$ further draws, and answer 0 where
# it warns. Then the mean squared error is at most $1.7\, |\text{gradient}|_1^2$, which is, for $k$ values, at most
# $1.7\, k$ times that of answering 0, by Schwarz's inequality.
#
# **Guess first.** $h = (8, 0, 0)$ and $f = (0, 10, 20)$: $q$ is nearly certain. How many of 500 draws change their
# winner at $\epsilon = 1/20$?

# %%
def choose(h, f, noise):
    R = f.max() - f.min()
    changed = np.sum((h + noise).argmax(axis=1) != (h + f / R + noise).argmax(axis=1))
    return min(1, (20 / max(changed, 1)) ** (1 / 3)) / R, changed


for draws in (100, 10_000):
    chosen, changed = choose(h, f, noise[:draws])
    print(f"{draws:6,} draws, {changed:5,} change: eps {chosen:.3f}, best {best[draws][0]:.3f}; mean squared error "
          f"{direct.mse(h, f, chosen, draws) / best[draws][1] ** 2:.2f} times the least")
for h_sure in (np.array([8.0, 0, 0]), np.array([12.0, 0, 0])):
    sure = choosing_eps.choose(h_sure, np.array([0.0, 10, 20]), noise[:500])
    print(f"h = {h_sure}: eps {sure.eps:.2f}; {sure.reason}")

# %% [markdown]
# (None of them.) Here are twelve random problems of each of four kinds, with $f$ on scales from small to large. In
# the concentrated ones a single value has most of $q$. The errors are means over all draws, computed exactly.

# %%
found = choosing_eps.table(1_000, count=12)
print("\n".join(choosing_eps.lines(found, 1_000)))

# %% [markdown]
# What to see. 1 is the optimum. With three to ten values the rule is close to it, and so is `1/R always` (median
# 1.07, worst 1.93). The rule pays where $q$ is concentrated (worst 7 against 417). A fixed $\epsilon = 0.1$ is
# several times off in the median, since it does not know the unit of $f$. On most concentrated problems a thousand
# draws cannot tell $\epsilon$, and the rule says so. On all of these problems its error is at most 1.06 times that of
# answering 0.
#
# The worst cases are huge for two values. There the bias is a single number, and where $h$ and $f$ prefer different
# values it crosses zero at one accidental $\epsilon$, which nobody can find without the truth. The line
# "over best up to 1/R" divides by the error of the best $\epsilon$ up to `1/R`, or of answering 0 if that is less.
# There all numbers are below 4.
#
# ## Which estimator, which epsilon
#
# **One-sided or two-sided?** The two-sided estimate is the one-sided estimate started at the scores $h - \epsilon f$,
# with $2\epsilon$. So at small $\epsilon$ its variance is $C_i / (2\epsilon)$, against $C_i / \epsilon$, and its bias
# is of second order. Both take two arg maxes. (But if the decoder is trained at $z^{\star}$, the two-sided estimate
# needs that one as a third.) Give each its own best $\epsilon$. Beside them stands REINFORCE with a *baseline*:
# $(f(z^{\star}) - E_q f) \nabla \log q(z^{\star})$. Its mean is the gradient, because
# $\sum_z f \nabla q = E_q[f \nabla \log q]$. The baseline does not change it, because $\nabla \log q$ has the
# mean 0, and it removes the constant in $f$. (Without it, add 100 to $f$, and REINFORCE is useless.) This exact
# baseline needs $f$ of all values; in practice a running mean of $f$ stands in for it. And REINFORCE needs
# $\nabla \log q$, which is out of reach for chapter 1's matchings, as the sum is.
#
# **Guess first.** Is two-sided always better?

# %%
E = lambda h, f: (softmax(h) * f).sum(axis=-1, keepdims=True)


def score_function_error(baseline, draws):
    """Exact root mean squared error of a mean of REINFORCE estimates."""
    squares = ((np.eye(3) - q) ** 2).sum(axis=1) * (f - baseline) ** 2
    return np.sqrt((q @ squares - gradient @ gradient) / draws)


def least_error(h, f, draws, two_sided):
    """At the best eps, or by answering 0 where no eps is better."""
    best = direct.best_eps(h, f, draws, two_sided)
    at_best = direct.mse(h, f, np.where(np.isfinite(best), best, 1.0), draws, two_sided)
    return np.sqrt(np.where(np.isfinite(best), at_best, ((softmax(h) * (f - E(h, f))) ** 2).sum(axis=-1)))


counts = np.array([1, 100, 10_000])
curves = {"one-sided": [best[n][1] for n in counts],
          "two-sided": [least_error(h, f, n, True) for n in counts],
          "REINFORCE, baseline": score_function_error(q @ f, counts)}
random = np.random.default_rng(0).normal(size=(2, 40, 3))                   # forty problems of three values
ratios = {n: least_error(*random, n, True) / least_error(*random, n, False) for n in (1, 1_000)}
assert (np.array(curves["two-sided"]) < curves["one-sided"]).all()
draw.sides(counts, curves, ratios)
plt.show()
for name, errors in curves.items():
    print(f"{name:20s}", "  ".join(f"M = {n:,}: {each:.3f}" for n, each in zip(counts, errors)))
print(f"error of one REINFORCE estimate with 100 added to f: {score_function_error(-100, 1):.1f} without a baseline, "
      f"{score_function_error(q @ f, 1):.2f} with it")
for n, ratio in ratios.items():
    print(f"M = {n:5,}: two- over one-sided, median {np.median(ratio):.2f}, {ratio.min():.2f} to {ratio.max():.2f}; "
          f"two-sided is worse on {np.sum(ratio > 1)} of 40")

# %% [markdown]
# What to see. Left: two-sided has about half the error or less. Its bias is so much smaller that it can afford a
# larger $\epsilon$. Its error falls like $M^{-2/5}$ and the one-sided one like $M^{-1/3}$, but that of REINFORCE,
# which has no bias, falls like $M^{-1/2}$ and wins in the end. Right: two-sided is worse on two of the forty problems
# only. There the one-sided bias happens to be small at one large $\epsilon$, beyond $1/\text{range}$. So **use
# two-sided, unless a third arg max costs too much.** (The rule above is for one-sided estimates. Its $\epsilon$
# serves for two-sided ones too, but is smaller than their best one, which falls only like $M^{-1/5}$. The paper
# and the authors' code are one-sided, and so is this package unless told otherwise.)
#
# **What is $M$ in training?** There are many images with one draw each, and the weights move. Images and steps
# average the noise, as draws do. They do not average the bias. First: images with scores $h$ and $f$ of their own,
# one draw each, estimate the slope in the weight $w$ that they share. Second: $w$ is trained on $E f - w^2/20$, which
# has an optimum, with one draw per step.
#
# **Guess first.** With $\epsilon = 3$, does $w$ settle above or below the true optimum?

# %%
images, rng = 32_000, np.random.default_rng(8)
h_all, f_all = (scores + 0.3 * rng.normal(size=(images, 3)) for scores in (h, f))
gumbel, q_all = rng.gumbel(size=(images, 3)), softmax(h_all)
slopes = (q_all * (f_all - E(h_all, f_all))) @ race.DIRECTION                       # the truth, for each image
numbers, error, floor, paths, settles = [8, 80, 800, 8_000], {}, {}, {}, {}
tried = np.linspace(0, 4, 2001)
from_w = lambda w: h + w[:, None] * race.DIRECTION
for eps in (0.1, 0.5, 3.0):
    miss = direct_gradient(h_all, f_all, eps, gumbel) @ race.DIRECTION - slopes
    error[eps] = [np.sqrt(np.mean(miss.reshape(-1, n).mean(axis=1) ** 2)) for n in numbers]
    floor[eps] = abs(((softmax(h_all + eps * f_all) - q_all) / eps @ race.DIRECTION - slopes).mean())
    w, paths[eps] = np.full(200, 0.5), []
    for _ in range(3000):                                                           # 200 runs side by side
        w = w + 0.02 * (direct_gradient(from_w(w), f, eps, rng.gumbel(size=(200, 3))) @ race.DIRECTION - w / 10)
        paths[eps].append(w.mean())
    settles[eps] = tried[(np.log(softmax(from_w(tried)) @ np.exp(eps * f)) / eps - tried**2 / 20).argmax()]
    print(f"eps = {eps:3g}: error of the slope {error[eps][0]:.3f} with 8 images, {error[eps][-1]:.3f} with 8,000, "
          f"bias {floor[eps]:.3f}; w settles at {np.mean(paths[eps][-1000:]):.2f}, optimum of T {settles[eps]:.2f}")
optimum = tried[(race.mean_of_f(tried) - tried**2 / 20).argmax()]
draw.training(numbers, error, floor, paths, settles, optimum)
plt.show()

# %% [markdown]
# What to see. Left: with more images the error falls towards the bias (dashed), and no further. At $\epsilon = 0.1$
# even 8,000 images are too few to see it. (Each last point is from four groups only. That $\epsilon = 3$ has less
# bias than 0.5 is an accident of these scores: the bias grows to 0.07 near $\epsilon = 1.25$, falls again, and
# crosses 0 near 5.) Right: although single estimates are mostly 0, $w$ climbs and settles, at the optimum of
# $T - w^2/20$ (dashed) and not of $E f - w^2/20$ (black). So in the rule above $M$ is the number of draws over which
# training averages: images in a batch, times the steps in which the weights hardly move.
#
# **Where $q$ is concentrated** few draws change their winner: at most a share of
# $1.72\, \epsilon\, |\text{gradient}|_1$ for $\epsilon$ up to $1/\text{range}$. If the gradient is a thousandth of
# the range of $f$, then at most two draws in a thousand say anything. REINFORCE sees the other values just as rarely.
# Enumerate, if you can.
#
# **The race of chapter 2 again.** At $\epsilon = 0.1$ and one draw for each step, 6.6 % of the runs went the wrong way.

# %%
def direct_with(eps):
    return lambda h, rng: direct_gradient(h, f, eps, race.gumbel_noise(rng))


def reinforce_with_baseline(h, rng):
    z, q = np.argmax(h + race.gumbel_noise(rng), axis=1), softmax(h)
    return (f[z] - q @ f)[:, None] * (np.eye(3)[z] - q)


methods = {"eps = 0.3": direct_with(0.3), "eps = 1": direct_with(1.0), "REINFORCE, baseline": reinforce_with_baseline}
final, shown = {}, {}
for name, method in methods.items():
    w = race.train(method)
    colour = plots.colour("direct") if name.startswith("eps") else "0.4"
    final[name], shown[name] = w[-1], (colour, race.mean_of_f(w[:, :10]))
    print(f"{name:20s} {np.mean(w[-1] < race.bottom_of_the_valley()):5.1%} of the runs go the wrong way, "
          f"median E f {np.median(race.mean_of_f(w[-1])):.2f}")
chapter_2.race(shown)
plt.show()

# %% [markdown]
# What to see. At $\epsilon = 0.3$ and 1 hardly any run goes the wrong way. At 1 the bias makes the climb slower.
# REINFORCE with a baseline does as well as direct.
#
# | your problem | use |
# | --- | --- |
# | $f$ of all values can be computed | enumeration: exact, no $\epsilon$ |
# | $f$ is known only where it is sampled, and $\nabla \log q$ can be computed | REINFORCE, with a running mean of $f$ as baseline |
# | the sum is out of reach, the arg max of $\epsilon f + h + \gamma$ is not | direct, two-sided if the third arg max is cheap |
# | the range of $f$ is known | $\epsilon$ at most $1/\text{range}$, smaller with more draws |
#
# How is the arg max of $\epsilon f + h + \gamma$ found if $f$ is a neural network? With one variable $f$ is a table
# of $k$ values, one decoder run for each. With several it is approximated: each variable moves as if the others
# stayed at $z^{\star}$ (chapter 7), or $f$ is replaced by the linear function with its slope at $z^{\star}$
# (implicit MLE, chapter 10).
#
# ## Exercises
#
# **1 (easy).** Show that $E_q f \le T \le \max f$ for this problem at a hundred values of $\epsilon$, and name the
# inequality.
#
# <details><summary>Solution</summary>
#
# The lower bound is Jensen's inequality, $\log E e^{\epsilon f} \ge E\, \epsilon f$. The upper one holds because
# $e^{\epsilon f} \le e^{\epsilon \max f}$.
#
# ```python
# values = np.array([T(h, e) for e in np.geomspace(0.01, 100, 100)])
# assert (values >= q @ f).all() and (values <= f.max()).all()
# ```
#
# </details>
#
# **2 (middling).** Two-sided estimation uses $z(\epsilon)$ and $z(-\epsilon)$. Get its variance from the functions
# above without a new derivation, and from it the constant at small $\epsilon$, $C_i / (2 \epsilon)$.
#
# <details><summary>Solution</summary>
#
# It is the one-sided problem started at the scores $h - \epsilon f$, with $2\epsilon$. As $\epsilon \to 0$ these
# scores tend to $h$, so the constant is the same $C_i$, and it is divided by $2 \epsilon$.
#
# ```python
# def two_sided_variance(e):
#     start, width = h - e * f, 2 * e
#     mean = (softmax(start + width * f) - softmax(start)) / width
#     return (softmax(start + width * f) + softmax(start) - 2 * both(start, f, width)) / width**2 - mean**2
# C = q * (np.abs(f[None, :] - f[:, None]) @ q)
# assert np.allclose(two_sided_variance(0.3), direct.variance(h, f, 0.3, two_sided=True))
# assert np.allclose(2e-4 * two_sided_variance(1e-4), C, rtol=2e-3)
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
# $\int r_i e^{-S t} r_j t\, dt = q_i q_j$, so $P_{ij} \approx \epsilon\, q_i q_j \max(0, f_j - f_i)$. Component $i$
# collects arrivals and departures, and $(E g)^2$ does not grow: $C_i = q_i \sum_j q_j |f_j - f_i|$.
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
# - With a KL term in the objective a large $\epsilon$ keeps $q$ spread out: see [appendix C](appendix_c_kl_term.ipynb).
# - The subtraction $q - P_{ii}$ loses its digits at tiny $\epsilon$; `refimpl/direct.py` sums positive terms instead.
#
# ## Now write it yourself
#
# The workbook checks what you write. After this chapter you can write file 5, the exact mean, bias and variance:
# `python tutorials/workbook/check.py 5`.
#
# ## What to read next
#
# [Chapter 5](05_backpropagation.ipynb) builds the networks, [chapter 6](06_discrete_vae.ipynb) trains them. In the
# package: `refimpl/coupling.py` and `refimpl/experiments/theory/choosing_eps.py`.
#
# ## Symbols
#
# These are new; the others are at the end of chapters 1 to 3.
#
# | symbol | in the code | the slides write | meaning |
# | --- | --- | --- | --- |
# | $T(h)$ | `T` | | the tilted objective, $\frac{1}{\epsilon} \log E_q e^{\epsilon f}$ |
# | $P_{ii}$ | | | chance that $z^{\star}$ and $z(\epsilon)$ are both $i$, noise shared |
# | $C_i$, $C$ | `C` | | $q_i \sum_j q_j \lvert f_j - f_i \rvert$, the variance at small $\epsilon$ times $\epsilon$; the sum of all $C_i$, of the variance |
# | $\beta$ | | | the leading bias is $\epsilon \beta$ |
# | $k$ | `k` | | the number of values |
# | $M$ | `M` | | a number of draws, or samples |
