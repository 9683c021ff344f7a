# %% [markdown]
# # 4. Finite epsilon
#
# **You will** find the objective whose gradient is exactly the mean of the estimator, derive the variance of the
# estimator, choose $\epsilon$ with and without knowing the true gradient, and choose between estimators.
# **You will learn** that a finite $\epsilon$ is not just "almost zero": it has an objective of its own. **You need**
# [chapter 3](03_gumbel_noise.ipynb). This chapter runs in about twenty seconds. Its symbols are listed at the end.

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
gradient = q * (f - q @ f)                      # the true gradient of E f with respect to h (chapter 3)

# %% [markdown]
# ## The function whose gradient is estimated
#
# Theorem 2 applies to both arg maxes, so the mean of the estimate $g$ is known exactly at *every* $\epsilon$:
#
# $$E\, g = \frac{q_\epsilon - q}{\epsilon}$$
#
# By chapter 3, $q_\epsilon$ is the gradient of $G(h, \epsilon)$ with respect to $h$, and $q$ is the gradient of
# $G(h, 0)$. So $E g$ is the gradient of
#
# $$T(h) = \frac{G(h, \epsilon) - G(h, 0)}{\epsilon} = \frac{1}{\epsilon} \log \frac{\sum_z e^{h(z) + \epsilon f(z)}}{\sum_z e^{h(z)}} = \frac{1}{\epsilon} \log E_q\, e^{\epsilon f}$$
#
# This function is called the *tilted objective* $T$. At a finite $\epsilon$, the direct gradient is an *unbiased*
# estimate of the gradient of $T$. It is biased only as an estimate of the gradient of $E_q f$.
#
# **Guess first.** What does $T$ tend to as $\epsilon$ tends to infinity?

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
# **What to see.** At small $\epsilon$, $T$ is close to $E_q f$. At large $\epsilon$ it is close to the largest $f$, for
# any $q$ under which the best value has positive probability. At $\epsilon = 1$, with $f = \log p(x \mid z)$, $T$ is
# $\log E_q\, p(x \mid z)$, the log-likelihood of a mixture.
#
# The objective $T$ hardly punishes a $q$ that is spread over several values. To see this, halve the probability of the
# best value, and distribute the other half over the remaining values in proportion to their probabilities. In
# $E_q e^{\epsilon f}$, the term of the best value is halved, and all other terms grow. So $E_q e^{\epsilon f}$ is at
# least half of what it was, and $T$ falls by at most $(\log 2) / \epsilon$ nats, however bad the other values are. In
# contrast, $E_q f$ can fall by any amount.
#
# ## The bias and its order
#
# Expand $T$ in powers of $\epsilon$. We have
# $E_q e^{\epsilon f} = 1 + \epsilon E_q f + \frac{\epsilon^2}{2} E_q f^2 + O(\epsilon^3)$ and
# $\log(1 + \delta) = \delta - \delta^2/2 + O(\delta^3)$. So
# $T = E_q f + \frac{\epsilon}{2} \text{Var}_q f + O(\epsilon^2)$. The bias of the estimate is
# $\nabla T - \nabla E_q f = \frac{\epsilon}{2} \nabla \text{Var}_q f + O(\epsilon^2)$, which is of first order in
# $\epsilon$.
#
# The estimate $g$ is called *one-sided*. The *two-sided* estimate uses both signs of $\epsilon$:
# $(\text{onehot}(z(\epsilon)) - \text{onehot}(z(-\epsilon)))/2\epsilon$. Its mean is
# $\frac12 \nabla (T_\epsilon + T_{-\epsilon})$, where $T_\epsilon$ is $T$ at $\epsilon$. The first-order term of the
# bias is an odd function of $\epsilon$, so it cancels in this sum. What remains is of second order.
#
# **Guess first.** We divide $\epsilon$ by 10. By what factor does the bias of the one-sided estimate fall? By what
# factor does the bias of the two-sided estimate fall?

# %%
def two_sided_mean(eps):
    return (softmax(h + eps * f) - softmax(h - eps * f)) / (2 * eps)


eps = np.geomspace(0.001, 30, 120)
one = np.array([np.linalg.norm(mean_of_g(e) - gradient) for e in eps])
two = np.array([np.linalg.norm(two_sided_mean(e) - gradient) for e in eps])
h_5, f_5 = np.array([0.5, -0.3, 0.9, -1.2, 0.0]), np.array([1.0, -2.0, 0.3, 2.5, -0.5])    # another problem
of_5 = np.linalg.norm(softmax(h_5) * (f_5 - softmax(h_5) @ f_5))
longer = np.array([np.linalg.norm(direct.bias(h_5, f_5, e)) for e in np.linspace(0.1, 12, 120)]) / of_5

draw.biases(eps, one, two, np.linalg.norm(gradient), np.linspace(0.1, 12, 120), longer)
plt.show()
slope = lambda error: np.log(error[20] / error[0]) / np.log(eps[20] / eps[0])
print(f"slopes of the two curves at the left end: one-sided {slope(one):.3f}, two-sided {slope(two):.3f}")
excess = lambda e: np.linalg.norm(direct.bias(h_5, f_5, e)) - of_5
begins, ends = brentq(excess, 0.5, 3), brentq(excess, 3, 12)
print(f"problem with five values: the bias is longer than the gradient for eps from {begins:.2f} to {ends:.2f}")

# %% [markdown]
# **What to see.** Left: on these logarithmic axes, the slopes at the left end are 1 and 2. So dividing $\epsilon$ by 10
# divides the one-sided bias by 10 and the two-sided bias by 100. At the right end, the estimates tend to 0, so both
# biases tend to minus the gradient. Right: the bias need not rise steadily with $\epsilon$. In the problem on the
# right, the bias is *longer* than the gradient for some $\epsilon$. At these $\epsilon$, an estimate that is always 0
# (*the estimate 0*) is closer to the true gradient than the mean of the direct estimate.
#
# ## Deriving the variance
#
# A component $g_i$ is $1/\epsilon$ if $z(\epsilon)$ is $i$ and $z^{\star}$ is not. It is $-1/\epsilon$ if $z^{\star}$
# is $i$ and $z(\epsilon)$ is not, and 0 otherwise. For the variance we still need the probability $P_{ii}$ that *both*
# winners are $i$:
#
# $$\text{Var}\, g_i = \frac{q_\epsilon(i) + q(i) - 2 P_{ii}}{\epsilon^2} - (E g_i)^2$$
#
# The alarm clocks of chapter 3 give $P_{ii}$. The times $X_z$ are independent exponential variables of rates
# $r_z = e^{h_z}$, and the first clock to ring is $z^{\star}$. When $\epsilon f$ is added to the scores, the time $X_z$
# becomes $e^{-\epsilon f_z} X_z$, so each clock runs faster or slower by a factor of its own. The first clock to ring
# in this second race is $z(\epsilon)$. The clock $i$ wins both races if two conditions hold for every other $j$:
# $X_j > X_i$ and $e^{-\epsilon f_j} X_j > e^{-\epsilon f_i} X_i$. Together they are
# $X_j > X_i \max(1, e^{\epsilon (f_j - f_i)})$. Given $X_i = t$, these events are independent for different $j$. For
# clock $j$, the event has the probability $e^{-r_j t \max(1, e^{\epsilon (f_j - f_i)})}$. Multiply these probabilities,
# and integrate over $t$ with the density $r_i e^{-r_i t}$ of $X_i$. (The exponents add up to the sum below. The
# exponent $-r_i t$ of the density is the term $j = i$, where the maximum is 1.)
#
# $$P_{ii} = \int_0^\infty r_i\, e^{-t \sum_j r_j \max(1, e^{\epsilon (f_j - f_i)})}\, dt = \frac{r_i}{\sum_j r_j \max(1, e^{\epsilon (f_j - f_i)})}$$
#
# In terms of the scores, $1 / P_{ii} = \sum_j e^{\max(h_j - h_i,\; h_j - h_i + \epsilon (f_j - f_i))}$. The next cell
# compares the formulas with sampled estimates:

# %%
def both(h, f, eps):
    gap_h, gap_f = h[None, :] - h[:, None], f[None, :] - f[:, None]     # entry [i, j]: that of j minus that of i
    return 1 / np.exp(np.maximum(gap_h, gap_h + eps * gap_f)).sum(axis=1)


def variance(eps):
    return (softmax(h + eps * f) + q - 2 * both(h, f, eps)) / eps**2 - mean_of_g(eps) ** 2


z_star = (h + noise).argmax(axis=1)
for eps in (0.05, 0.5, 2.0):
    z_eps = (h + eps * f + noise).argmax(axis=1)
    g, stay = direct_gradient(h, f, eps, noise), both(h, f, eps)
    squares = (g - mean_of_g(eps)) ** 2
    error = squares.sum(axis=1).std() / np.sqrt(M)
    print(f"eps = {eps}: share of zero estimates {np.mean(z_eps == z_star):.4f}, by the formula {stay.sum():.4f}; "
          f"total variance {squares.sum(axis=1).mean():.3f} ± {error:.3f}, by the formula {variance(eps).sum():.3f}")
assert np.allclose(direct.variance(h, f, 0.5), variance(0.5))

# %% [markdown]
# As $\epsilon \to 0$, the probability that the winners differ is proportional to $\epsilon$. Where they differ, the
# estimate has entries of $\pm 1/\epsilon$. So the variance grows like $C_i / \epsilon$, with
# $C_i = q_i \sum_j q_j |f_j - f_i|$ (chapter 2). ([Appendix B](appendix_b_joint_law.ipynb) derives the joint
# distribution of the two winners. It also examines the "built-in control variate" of the slides.)
#
# ![One draw as three alarm clocks; in the second race another one overtakes](figures/clocks.gif)
#
# **What to see.** The animation shows one draw of the noise. In the first race, the coat's clock rings first. Then
# $\epsilon$ grows from 0. The open circles are the times of the first race, and the full dots those of the second. The
# stars mark the winners. At some $\epsilon$, the shirt's clock overtakes the coat's.
#
# ## The best epsilon if the true gradient is known
#
# The mean squared error of the mean of $M$ estimates is $|\text{bias}|^2 + \text{variance}/M$. Both terms are known
# exactly, so the best $\epsilon$ can be computed.
#
# **Guess first.** If $M$ is multiplied by 100, by what factor does the best $\epsilon$ fall?

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
print(f"from 100 to 10,000 draws the best eps falls by a factor of {factor:.2f}; 100^(1/3) = {100 ** (1 / 3):.2f}")

# %% [markdown]
# **What to see.** The dots mark the best $\epsilon$. Far to the left of them, the error comes mostly from the noise.
# Far to the right, it comes mostly from the bias. With more draws, a smaller $\epsilon$ is better. By the formula
# below, the best $\epsilon$ falls by a factor of 4.6 from 100 to 10,000 draws. The printed factor is slightly larger.
# Even at the best $\epsilon$, a *single* estimate is hardly better than the estimate 0. But training averages over many
# estimates (see "What is $M$ in training?" below).
#
# At small $\epsilon$, the mean squared error is about $\epsilon^2 |\beta|^2 + C / (\epsilon M)$, where $C = \sum_i C_i$
# and $\epsilon \beta$ is the leading term of the bias. Set the derivative with respect to $\epsilon$ to zero:
#
# $$\epsilon = \left( \frac{C}{2 M |\beta|^2} \right)^{1/3}$$
#
# So the best $\epsilon$ falls like $M^{-1/3}$. And because $g(10 f, \epsilon) = 10\, g(f, 10 \epsilon)$ (chapter 2,
# exercise 2), the best $\epsilon$ is inversely proportional to the scale of $f$.
#
# The components of an estimate add up to 0, so all estimates lie in a plane. In the next figure, each dot is the mean
# of 100 estimates.
#
# **Guess first.** For which $\epsilon$ (0.03, 0.3 or 3) are the dots closest to the true gradient, and for which are
# they furthest away?

# %%
means = {e: direct_gradient(h, f, e, noise[:40_000]).reshape(400, 100, 3).mean(axis=1) for e in (0.03, 0.3, 3.0)}
off = {e: np.sqrt(np.sum((means[e] - gradient) ** 2, axis=1).mean()) for e in means}
draw.clouds(means, gradient, mean_of_g, off)
plt.show()

# %% [markdown]
# **What to see.** The arrow is the true gradient, and the ring is the exact mean of the estimate. At $\epsilon = 0.03$,
# the ring surrounds the head of the arrow, but the cloud is wide. (The dots lie on a grid, because each component is a
# small whole number times $1/(100\, \epsilon)$. A larger dot stands for several equal means. A few dots lie outside the
# axes.) At $\epsilon = 3$, the cloud is narrow, but in the wrong place. At $\epsilon = 0.3$, both errors are
# acceptable. The number in each title is the root mean square of the distance between the dots and the arrow's head.
#
# ## Choosing epsilon without the true gradient
#
# In practice you have draws, and you know the range of $f$, which is $\max f - \min f$ (`R` in the code). The range
# bounds the bias. Let $|\ldots|_1$ be the sum of the absolute values. For all $h$ and $f$
#
# $$|\text{bias}|_1 \le \left( \frac{e^{\epsilon\, \text{range}} - 1}{\epsilon\, \text{range}} - 1 \right) |\text{gradient}|_1$$
#
# (The proof is in `refimpl/experiments/theory/choosing_eps.py`.) At $\epsilon = 1/\text{range}$, the factor in brackets
# is $e - 2 = 0.72$. If $\epsilon$ is above about $1.26/\text{range}$, this factor is greater than 1, so the bias can be
# longer than the gradient. Therefore $\epsilon$ should be at most $1/\text{range}$. How much smaller it should be
# depends on the noise. An estimate is noisy if the winner changes in few draws. So, among the $M$ draws, count those in
# which the winner changes at $\epsilon = 1/\text{range}$. The rule is
#
# $$\epsilon = \frac{1}{\text{range}} \min\left( 1, \left( \frac{20}{\text{changed draws}} \right)^{1/3} \right)$$
#
# By this rule, $\epsilon$ is inversely proportional to the range, and it falls like $M^{-1/3}$ for large $M$. If the
# winner changes in fewer than 5 draws, the $M$ draws are not enough to determine $\epsilon$. Then the rule returns
# $1/\text{range}$ and warns that 0 may be a better estimate of the gradient.
#
# For all $h$, $f$ and $M$, the $\epsilon$ of the rule lies between $\min(1, (20/M)^{1/3})/\text{range}$ and
# $1/\text{range}$. There is also a guarantee for the error. If the rule does not warn, use its $\epsilon$ with $M$
# further draws. If it warns, use 0 as your estimate. In both cases, the mean squared error is at most
# $1.7\, |\text{gradient}|_1^2$. By Schwarz's inequality, this bound for $k$ values is at most $1.7\, k$ times
# $|\text{gradient}|_2^2$, the squared error of the estimate 0.
#
# **Guess first.** Take $h = (8, 0, 0)$ and $f = (0, 10, 20)$. Then the first value has nearly all of $q$. In how many
# of 500 draws does the winner change at $\epsilon = 1/20$?

# %%
def choose(h, f, noise):
    R = f.max() - f.min()
    changed = np.sum((h + noise).argmax(axis=1) != (h + f / R + noise).argmax(axis=1))
    return min(1, (20 / max(changed, 1)) ** (1 / 3)) / R, changed


for draws in (100, 10_000):
    chosen, changed = choose(h, f, noise[:draws])
    print(f"{draws:6,} draws, winner changes in {changed:5,}: eps by the rule {chosen:.3f}, best {best[draws][0]:.3f}\n"
          f"    mean squared error {direct.mse(h, f, chosen, draws) / best[draws][1] ** 2:.2f} times the least")
for h_sure in (np.array([8.0, 0, 0]), np.array([12.0, 0, 0])):
    sure = choosing_eps.choose(h_sure, np.array([0.0, 10, 20]), noise[:500])
    print(f"h = {h_sure}: eps by the rule {sure.eps:.2f}; {sure.reason}")

# %% [markdown]
# (The right guess was 0 draws.) The next table tests the rule on four kinds of random problems, with twelve problems of
# each kind. The scale of $f$ differs widely between problems. In the kinds called "concentrated", a single value has
# most of $q$. The errors are expected values over the noise, computed exactly.

# %%
found = choosing_eps.table(1_000, count=12)
print("\n".join(choosing_eps.lines(found, 1_000)))

# %% [markdown]
# **What to see.** The first four rows show mean squared errors, divided by the least possible error. So 1 is the
# optimum. (The row `answering 0` is for the estimate 0.) With three to ten values, the rule is close to the optimum,
# and so is the choice `1/R always` (median 1.07, worst 1.93). The rule is useful where $q$ is concentrated: its worst
# error is 7 times the least, and the worst error of `1/R always` is 417 times the least. With a fixed $\epsilon = 0.1$,
# the median error is several times the least error, because this choice does not take the scale of $f$ into account. On
# most of the concentrated problems, a thousand draws are too few to choose $\epsilon$, and the rule warns. On all
# concentrated problems, the error of the rule is at most 1.06 times the error of the estimate 0.
#
# With two values, the worst numbers are huge, because the least error can be tiny. If $h$ and $f$ prefer different
# values, the bias is zero at one $\epsilon$. Nobody can find this $\epsilon$ without knowing the true gradient. So the
# row "over best up to 1/R" divides the error of the rule by the smaller of two errors: that of the best $\epsilon$ up
# to `1/R`, and that of the estimate 0. All numbers in this row are below 4.
#
# ## Which estimator and which epsilon
#
# **One-sided or two-sided?** The two-sided estimate is the same as a one-sided estimate that starts at the scores
# $h - \epsilon f$ and uses $2\epsilon$. So at small $\epsilon$, its variance is $C_i / (2\epsilon)$ instead of
# $C_i / \epsilon$. As shown above, its bias is of second order. Both estimates take two arg maxes. (But if the decoder
# is trained at $z^{\star}$, the two-sided estimate needs $z^{\star}$ as a third arg max.) The next cell compares the
# two, each at its own best $\epsilon$.
#
# The third estimate in the comparison is REINFORCE with a *baseline*:
# $(f(z^{\star}) - E_q f) \nabla \log q(z^{\star})$. The mean of REINFORCE is the gradient, because
# $\sum_z f \nabla q = E_q[f \nabla \log q]$. Subtracting a baseline does not change this mean, because $\nabla \log q$
# has the mean 0. But the baseline removes any constant in $f$. (Without a baseline, REINFORCE becomes useless if 100 is
# added to $f$.) The exact baseline $E_q f$ needs $f$ of all values, so in practice a running mean of $f$ is used
# instead. REINFORCE also needs $\nabla \log q$. For the matchings of chapter 1, neither $\nabla \log q$ nor the sum
# over all $z$ can be computed.
#
# **Guess first.** Is the two-sided estimate always better?

# %%
E = lambda h, f: (softmax(h) * f).sum(axis=-1, keepdims=True)


def score_function_error(baseline, draws):
    """Exact root mean squared error of the mean of this many REINFORCE estimates."""
    squares = ((np.eye(3) - q) ** 2).sum(axis=1) * (f - baseline) ** 2
    return np.sqrt((q @ squares - gradient @ gradient) / draws)


def least_error(h, f, draws, two_sided):
    """The error at the best eps, or the error of the estimate 0 where no eps is better."""
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
print(f"error of one REINFORCE estimate if 100 is added to f: {score_function_error(-100, 1):.1f} without a baseline, "
      f"{score_function_error(q @ f, 1):.2f} with it")
for n, ratio in ratios.items():
    print(f"M = {n:5,}: error of two-sided / error of one-sided, median {np.median(ratio):.2f}, from {ratio.min():.2f} "
          f"to {ratio.max():.2f}\n    two-sided is worse on {np.sum(ratio > 1)} of 40 problems")

# %% [markdown]
# **What to see.** Left: the two-sided error is about half the one-sided error, or less. The two-sided bias is much
# smaller than the one-sided bias, so a larger $\epsilon$ can be used. The two-sided error falls like $M^{-2/5}$, and
# the one-sided error like $M^{-1/3}$. REINFORCE has no bias, so its error falls like $M^{-1/2}$. For many draws, its
# error is the smallest. Right: the two-sided estimate is worse on two of the forty problems. There the one-sided bias
# happens to be small at a large $\epsilon$ (above $1/\text{range}$), so the one-sided estimate can use it. So **use the
# two-sided estimate, unless a third arg max costs too much.** (The rule above is for one-sided estimates. For two-sided
# estimates, you can use the same $\epsilon$, but a larger one is better: the best two-sided $\epsilon$ falls like
# $M^{-1/5}$, and the best one-sided $\epsilon$ falls faster, like $M^{-1/3}$. The paper, the authors' code and, by
# default, this package use one-sided estimates.)
#
# **What is $M$ in training?** In training, there are many images with one draw each, and the weights change. Averaging
# over images and over steps reduces the noise, as averaging over draws does. But averaging does not reduce the bias.
# The next cell shows two experiments. In the first experiment, many images share the weight $w$. Each image has one
# draw, and its own $h$ and $f$. All images together estimate the slope with respect to $w$. In the second experiment,
# $w$ is trained, with one draw per step, to maximise $E f - w^2/20$. (The term $-w^2/20$ makes sure that there is a
# maximum.)
#
# **Guess first.** With $\epsilon = 3$, does $w$ settle above or below the true maximum?

# %%
images, rng = 32_000, np.random.default_rng(8)
h_all, f_all = (scores + 0.3 * rng.normal(size=(images, 3)) for scores in (h, f))
gumbel, q_all = rng.gumbel(size=(images, 3)), softmax(h_all)
slopes = (q_all * (f_all - E(h_all, f_all))) @ race.DIRECTION                       # the true slope of each image
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
          f"bias {floor[eps]:.3f}\n    w settles at {np.mean(paths[eps][-1000:]):.2f}, maximum predicted by T "
          f"{settles[eps]:.2f}")
optimum = tried[(race.mean_of_f(tried) - tried**2 / 20).argmax()]
draw.training(numbers, error, floor, paths, settles, optimum)
plt.show()

# %% [markdown]
# **What to see.** Left: with more images, the error falls towards the bias (dashed lines), but not below it. (The last
# points are inaccurate, because each comes from only four groups of 8,000 images.) At $\epsilon = 0.1$, even 8,000
# images are too few for the bias to be visible. The bias rises until about $\epsilon = 1.25$ and then falls, so
# it is smaller at $\epsilon = 3$ than at 0.5. Right: although most single estimates are 0, $w$ rises and settles. It
# settles at the maximum of $T - w^2/20$ (dashed lines) and not at that of $E f - w^2/20$ (black line).
#
# Both experiments show that training averages over many draws. Their number is the $M$ of the rule above: the
# number of images in a batch, times the number of steps during which the weights hardly change.
#
# **Where $q$ is concentrated**, the winner changes in few draws. For $\epsilon$ up to $1/\text{range}$, the share of
# these draws is at most $1.72\, \epsilon\, |\text{gradient}|_1$. If $|\text{gradient}|_1$ is a thousandth of the range
# of $f$, at most two draws in a thousand give a nonzero estimate, even at $\epsilon = 1/\text{range}$. REINFORCE does
# not help, because it seldom draws the improbable values. If you can, enumerate all values.
#
# **The thousand training runs of chapter 2.** At $\epsilon = 0.1$, with one draw per step, 6.6 % of them ended on the
# wrong side. The next cell repeats them with three other methods.

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
    print(f"{name:20s} {np.mean(w[-1] < race.bottom_of_the_valley()):5.1%} of the runs end on the wrong side, "
          f"median E f {np.median(race.mean_of_f(w[-1])):.2f}")
chapter_2.race(shown)
plt.show()

# %% [markdown]
# **What to see.** At $\epsilon = 0.3$ and at $\epsilon = 1$, hardly any run ends on the wrong side. With the larger
# $\epsilon$, the bias makes the mean of $f$ rise more slowly. REINFORCE with a baseline does as well as the direct
# gradient.
#
# | your problem | what to use |
# | --- | --- |
# | $f$ can be computed for every value | enumeration, which is exact and needs no $\epsilon$ |
# | $f$ is known only for sampled values, and $\nabla \log q$ can be computed | REINFORCE with a running mean of $f$ as its baseline |
# | the sum cannot be computed, but the arg max of $\epsilon f + h + \gamma$ can | the direct gradient, two-sided if the third arg max is cheap |
# | you use the direct gradient, and know the range of $f$ | $\epsilon$ at most $1/\text{range}$, and smaller with more draws |
#
# How is the arg max of $\epsilon f + h + \gamma$ computed if $f$ is a neural network? With one variable, $f$ is a table
# of $k$ values, and each entry takes one run of the decoder. With several variables, the arg max is approximated.
# Either each variable is chosen as if the others kept their values in $z^{\star}$ (chapter 7), or $f$ is replaced by
# the linear function that has the same slope at $z^{\star}$ (implicit MLE, chapter 10).
#
# ## Exercises
#
# **1 (easy).** Show that $E_q f \le T \le \max f$ for this problem at a hundred values of $\epsilon$. What is the first
# inequality called?
#
# <details><summary>Solution</summary>
#
# The lower bound is Jensen's inequality, $\log E e^{\epsilon f} \ge E\, \epsilon f$. The upper bound holds because
# $e^{\epsilon f} \le e^{\epsilon \max f}$.
#
# ```python
# values = np.array([T(h, e) for e in np.geomspace(0.01, 100, 100)])
# assert (values >= q @ f).all() and (values <= f.max()).all()
# ```
#
# </details>
#
# **2 (medium).** The two-sided estimate uses $z(\epsilon)$ and $z(-\epsilon)$. Compute its variance with the functions
# above, without a new derivation. Then show that this variance is about $C_i / (2 \epsilon)$ at small $\epsilon$.
#
# <details><summary>Solution</summary>
#
# The two-sided estimate is a one-sided estimate that starts at the scores $h - \epsilon f$ and uses $2\epsilon$. As
# $\epsilon \to 0$, these scores tend to $h$, so the constant is the same $C_i$, and it is divided by $2 \epsilon$.
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
# **3 (hard).** Derive the constant $C_i$ of chapter 2 from the alarm clocks: expand $P_{ij}$, the probability that
# $z^{\star} = i$ and $z(\epsilon) = j$, to first order. Compare $C_i$ with the exact variance at $\epsilon = 10^{-4}$.
#
# <details><summary>Solution</summary>
#
# Suppose that clock $i$ rings first, at time $t$, and that $f_j > f_i$. In the second race, clock $j$ overtakes clock
# $i$ if $X_j$ is at most $e^{\epsilon(f_j - f_i)}\, t$. The probability of this is about
# $r_j t\, \epsilon (f_j - f_i)$. Let $S$ be the sum of the rates. Then $\int r_i e^{-S t} r_j t\, dt = q_i q_j$, so
# $P_{ij} \approx \epsilon\, q_i q_j \max(0, f_j - f_i)$. The component $g_i$ is $\pm 1/\epsilon$ if the winner changes
# to $i$ or from $i$, and 0 otherwise. So
# $E g_i^2 = \sum_{j \ne i} (P_{ij} + P_{ji}) / \epsilon^2 \approx C_i / \epsilon$ with
# $C_i = q_i \sum_j q_j |f_j - f_i|$. The variance also grows like $C_i / \epsilon$, because $(E g_i)^2$ stays bounded
# as $\epsilon$ falls.
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
# - $\epsilon$ has a unit, 1/nat. An $\epsilon$ that suits an $f$ of a few nats is far too large if $f$ is the
#   log-likelihood of an image, because the values of that $f$ differ by tens or hundreds of nats.
# - If the objective has a KL term, a large $\epsilon$ keeps $q$ spread out: see [appendix C](appendix_c_kl_term.ipynb).
# - The difference $q - P_{ii}$ loses its significant digits at tiny $\epsilon$. `refimpl/direct.py` avoids this by
#   adding positive terms instead.
#
# ## Now write it yourself
#
# The workbook checks what you write. After this chapter, you can write file 5, the exact mean, bias and variance:
# `python tutorials/workbook/check.py 5`.
#
# ## What to read next
#
# [Chapter 5](05_backpropagation.ipynb) builds the networks, and [chapter 6](06_discrete_vae.ipynb) trains them. In the
# package, see `refimpl/coupling.py` and `refimpl/experiments/theory/choosing_eps.py`.
#
# ## Symbols
#
# These symbols are new. The others are listed at the end of chapters 1 to 3.
#
# | symbol | in the code | the slides write | meaning |
# | --- | --- | --- | --- |
# | $T(h)$ | `T` | | the tilted objective, $\frac{1}{\epsilon} \log E_q e^{\epsilon f}$ |
# | $P_{ii}$ | | | the probability that $z^{\star}$ and $z(\epsilon)$ are both $i$, with shared noise |
# | $C_i$, $C$ | `C` | | $C_i = q_i \sum_j q_j \lvert f_j - f_i \rvert$ is the variance of $g_i$ at small $\epsilon$, times $\epsilon$; $C$ is the total variance at small $\epsilon$, times $\epsilon$, which is the sum of all $C_i$ |
# | $\beta$ | | | the leading term of the bias is $\epsilon \beta$ |
# | $k$ | `k` | | the number of values |
# | $M$ | `M` | | a number of draws, or samples |
