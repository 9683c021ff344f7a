# %% [markdown]
# # 10. One identity, many papers
#
# **You will** put six published methods into one table of bias, variance and cost, computed without sampling.
# **You will learn** that all six methods start from the same identity and replace different parts of it. You will also
# learn which target the bias of each method is measured against, how REINFORCE follows from one of the methods, and
# when to use which method. **You need** chapters [2](02_theorem_1.ipynb), [3](03_gumbel_noise.ipynb) and
# [4](04_finite_epsilon.ipynb); [8](08_structured_encoders.ipynb) helps. This chapter runs in about three seconds.
# [Appendix E](appendix_e_landscape.ipynb) applies two of the methods to paths: there the costs of a landscape are
# learnt from paths that were walked in this landscape. The symbols are listed at the end.

# %%
import start    # if it is not found: clone the whole repository, and run this chapter in its folder tutorials/

import matplotlib.pyplot as plt
import numpy as np
from scipy.special import logsumexp, ndtr, softmax

import later_figures
from refimpl import direct, gumbel

rng = np.random.default_rng(10)
h, f = np.array([0.3, -0.4, 0.6]), np.array([1.0, -2.0, 0.5])       # shirt, coat, dress: the problem of chapters 1 to 4
k, c, hot = 3, np.euler_gamma, np.eye(3)
q = softmax(h)
truth = q * (f - q @ f)                                             # grad E f(z*)

# %% [markdown]
# ## One identity, six methods
#
# The mean maximum $G$ has two derivatives. By Danskin's theorem (chapter 1), both derivatives are means of what the
# winner contributes: $\partial G / \partial \epsilon = E f(z(\epsilon))$, and
# $\partial G / \partial h = E\, \text{onehot}(z(\epsilon))$. Differentiate each of them with respect to the other
# variable. The order of the two derivatives does not matter (chapter 2), so at $\epsilon = 0$
#
# $$\underbrace{\frac{\partial}{\partial h} E f(z^{\star})}_{\text{first } \epsilon \text{, then } h} = \frac{\partial^2 G}{\partial h\, \partial \epsilon} = \frac{\partial^2 G}{\partial \epsilon\, \partial h} = \underbrace{\lim_{\epsilon \to 0} \frac{E\, \text{onehot}(z(\epsilon)) - E\, \text{onehot}(z^{\star})}{\epsilon}}_{\text{first } h \text{, then } \epsilon}$$
#
# The left side is the gradient that we want. The right side is a limit of differences of two arg maxes. Each method in
# the table, except the last one, replaces a part of one of the two sides.
#
# | method | side | what it replaces |
# | --- | --- | --- |
# | `direct` (Lorberbom et al. 2019) | right | the limit, by a finite $\epsilon$ |
# | implicit MLE (Niepert et al. 2021) | right | the limit; and $f$, by a linear function with the slope that $f$ has at $z^{\star}$ |
# | blackbox differentiation (Vlastelica et al. 2020) | right | the limit; $f$, by a linear function with the slope that $f$ has at the arg max; and the noise, by no noise at all |
# | direct loss minimisation (McAllester et al. 2010) | right | the limit; and the mean over the noise, by a mean over the data |
# | score function of the noise (Berthet et al. 2020) | left | the derivative of a mean, by the mean of $f$ times the derivative of the log density of the noise |
# | perturbed Fenchel-Young loss (Berthet et al. 2020) | neither | the second derivative, by the first: $\partial G / \partial h$ at $\epsilon = 0$, minus the one-hot vector of an observed $y$ |
#
# Four remarks. First, the method *score function of the noise* does not differentiate a maximum. (*Score function* is
# the statisticians' name for the derivative of a log density. This name has nothing to do with the scores $h$ and $f$.)
# Second, Fenchel-Young has no $f$. Third, implicit MLE adds a linear function with the slope of $f$ at $z^{\star}$ to
# the scores. If this slope is not the same everywhere, the added function changes from draw to draw, and implicit MLE
# does not estimate the derivative of any single $G$. Fourth, in chapter 9, as on the slide, the name *direct loss
# minimisation* means the direct gradient with noise. There, $f$ is minus a loss. The method of McAllester et al. has no
# noise.
#
# To compare the methods without sampling, we need the laws of both arg maxes under any noise, not only Gumbel noise.
# Value $i$ is the winner if the noise of every other value $j$ is less than the noise of $i$ plus the margin
# $h_i - h_j$. The probability of this is an integral over one number, the noise of $i$:

# %%
t = np.arange(-12.0, 45.0, 0.02)                                    # values of the winner's noise
F = lambda s: np.exp(-np.exp(-(s + c)))                             # Gumbel
F_slope = lambda s: np.exp(-(s + c)) * F(s)
spread = np.pi / np.sqrt(6)                                         # the standard deviation of a Gumbel variable
normal = lambda s: ndtr(s / spread)                                 # and Gaussian, of the same variance
normal_slope = lambda s: np.exp(-(s / spread) ** 2 / 2) / (spread * np.sqrt(2 * np.pi))


def wins(margins, cdf=F, density=F_slope):
    """P(noise_j < noise_i + margins[i, j] for all j), for each i, by the trapezoid rule."""
    below = cdf(t[:, None, None] + margins)                         # (T, i, j)
    below[:, range(k), range(k)] = 1
    return (density(t)[:, None] * below.prod(axis=2)).sum(axis=0) * 0.02


def mean_and_variance(h, pull, eps, cdf=F, density=F_slope):
    """Of (onehot(z(eps)) - onehot(z*)) / eps, from q, q_eps, and the probability that both arg maxes are i."""
    before, after = np.subtract.outer(h, h), np.subtract.outer(h + eps * pull, h + eps * pull)
    q, q_eps, both = (wins(m, cdf, density) for m in (before, after, np.minimum(before, after)))
    mean = (q_eps - q) / eps
    return mean, (q_eps + q - 2 * both) / eps**2 - mean**2


assert np.allclose(wins(np.subtract.outer(h, h)), q, atol=1e-12)                            # Theorem 2
for eps in (0.1, 1.0):                                                                      # chapter 4
    mean, variance = mean_and_variance(h, f, eps)
    assert np.allclose(mean, direct.expected_gradient(h, f, eps), atol=1e-10)
    assert np.allclose(variance, direct.variance(h, f, eps), rtol=1e-8)
G = lambda h, eps: logsumexp(h + eps * f)                                                   # chapter 3, Gumbel noise
d = 1e-3
mixed = [(G(h + s, d) - G(h + s, -d) - G(h - s, d) + G(h - s, -d)) / (4 * d**2) for s in d * hot]
left = [(softmax(h + s) - softmax(h - s)) @ f / 2e-5 for s in 1e-5 * hot]                   # d/dh of E f(z*)
right = (softmax(h + 1e-5 * f) - softmax(h - 1e-5 * f)) / 2e-5                              # d/d eps of E onehot
print("first eps, then h:", np.round(left, 6), "\nfirst h, then eps:", right.round(6))
assert np.allclose(left, right, atol=1e-9) and np.allclose(mixed, truth, atol=1e-6) and np.allclose(left, truth)

# %% [markdown]
# ## Blackbox differentiation is the gradient of a ramp
#
# Leave out the noise, and write $z(h)$ for the arg max of $h$ alone. As a function of $h$, $f(z(h))$ is a staircase,
# and its slope is 0 except at the jumps. Vlastelica et al. nevertheless use the difference of two arg maxes. Divided by
# $\epsilon$, this difference is the gradient of a function, the *ramp*. The ramp is the tilted objective of chapter 4,
# but without the noise.
#
# $$\text{ramp}(h) = \frac{1}{\epsilon} \left( \max_z (\epsilon f + h) - \max_z h \right)$$
#
# By Danskin's theorem, the gradient of the ramp is exactly
# $(\text{onehot}(z(h + \epsilon f)) - \text{onehot}(z(h))) / \epsilon$. Where the two arg maxes agree, the ramp equals
# $f(z(h))$. Where they differ, straight slopes replace the jumps of the staircase. (These statements hold if $f$ is
# linear in the one-hot vector. Any table of values gives such an $f$. A decoder can also be evaluated at points between
# the one-hot vectors, and it need not be linear there. For such a decoder, blackbox differentiation replaces $f$ in the
# second arg max by a linear function with the slope of $f$ at $z(h)$. Implicit MLE does the same with noise, and with
# the slope at $z^{\star}$.)
#
# In the next picture, the scores are $h_w = h + w\,(1, 0, -1)$, and $w$ varies. The left panel shows the staircase and
# its ramps, and the right panel shows $E f$ and its tilted objectives $T$.

# %%
def ramp(h, eps):
    return ((h + eps * f).max(axis=-1) - h.max(axis=-1)) / eps


def blackbox(h, eps):
    return (hot[(h + eps * f).argmax()] - hot[h.argmax()]) / eps


for _ in range(200):                                                # the gradient by differences, away from the kinks
    point, eps = 2 * rng.normal(size=k), rng.uniform(0.2, 3)
    by_difference = [(ramp(point + 1e-6 * unit, eps) - ramp(point - 1e-6 * unit, eps)) / 2e-6 for unit in hot]
    assert np.allclose(by_difference, blackbox(point, eps), atol=1e-6)

w = np.linspace(-1.2, 1.2, 601)
line = h + w[:, None] * np.array([1, 0, -1])
ramps = {eps: ramp(line, eps) for eps in (0.5, 1.0, 2.0)}
tilted = {eps: direct.tilted_objective(line, f, eps) for eps in ramps}
later_figures.ramps(w, (f[line.argmax(axis=1)], softmax(line, axis=1) @ f), (ramps, tilted))
plt.show()

# %% [markdown]
# **What to see.** On the left, $f$ jumps by half a nat where the winner changes from *dress* to *shirt*. Each ramp also
# rises by half a nat. Its slope is $2/\epsilon$, because $w$ raises the score of *shirt* and lowers the score of
# *dress*. The larger $\epsilon$ is, the further to the left the ramp begins. Outside a ramp, the gradient is 0, and
# nothing is learnt. On the right, the noise rounds all corners. With noise, the curve has a slope even without
# $\epsilon$. So we can let $\epsilon$ go to 0, and the limit is Theorem 1.
#
# ## Perturbed optimisers, and where REINFORCE comes from
#
# Berthet et al. change the variable from $\gamma$ to $v = h + \gamma$. Then $E f(z^{\star})$ is an integral of $f$ over
# $v$ with the density $\prod_i F'(v_i - h_i)$, and $h$ occurs only in the density. For Gumbel noise, the derivative of
# $\log F'(\gamma)$ is $-(1 - e^{-(\gamma + c)})$. Now use the alarm clocks of chapter 3. Clock $i$ has the rate
# $r_i = e^{h_i}$ and rings at the time $X_i$, so $e^{-(\gamma_i + c)} = r_i X_i$. Hence
#
# $$\frac{\partial}{\partial h_i} E f(z^{\star}) = E\left[ f(z^{\star}) (1 - r_i X_i) \right]$$
#
# This estimate has no bias. It needs one arg max and one value of $f$. But $r_i X_i$ varies even when the winner is
# fixed. To remove this variation, we average over all noise with the same winner. So we need the mean of $1 - r_i X_i$
# over all draws in which clock $j$ rings first. Let $S = \sum_i r_i$.
#
# 1. The time of the first ring is exponential with the rate $S$, and it does not depend on which clock rings first. So
#    in these draws, $r_j X_j$ has the mean $r_j / S = q_j$.
# 2. The other clocks have no memory: after the time $X_j$, clock $i$ waits as if it had just started. So
#    $r_i X_i = r_i X_j + V_i$, where $V_i$ is exponential with the mean 1, and $r_i X_i$ has the mean $q_i + 1$.
# 3. Hence $E[1 - r_i X_i \mid z^{\star} = j] = [i = j] - q_i$, which is $\partial \log q(j) / \partial h_i$.
#
# Here $[i = j]$ is 1 if $i = j$, and 0 otherwise. The result is REINFORCE. So REINFORCE is the conditional mean of the
# estimate of Berthet et al., given the winner. Such a conditional mean never has a higher variance than the estimate
# itself (Rao and Blackwell). The difference of the two variances follows from the same three steps. Suppose that
# $z^{\star} = j$. Then $r_i X_i = q_i R + [i \ne j] V_i$ with two independent standard exponential variables $R$ and
# $V_i$. Each of these two variables has the variance 1. So
#
# $$\text{Var}_{\text{noise}} = \text{Var}_{\text{REINFORCE}} + E\left[ f(z^{\star})^2 \left( q_i^2 + [i \ne z^{\star}] \right) \right]$$

# %%
conditional = np.empty((k, k))                                      # E[1 - r_i X_i | z* = b], line 3 without sampling
for b in range(k):
    for i in range(k):
        others = np.prod([F(t + h[b] - h[j]) for j in range(k) if j not in (b, i)], axis=0)
        clock = np.exp(-(t + h[b] - h[i] + c))
        inner = clock if i == b else (1 + clock) * np.exp(-clock)   # r_i X_i, where clock i rings later than b
        conditional[b, i] = 1 - (F_slope(t) * others * inner).sum() * 0.02 / q[b]
assert np.allclose(conditional, hot - q, atol=1e-10)

square = q * f**2
reinforce_variance = square @ (hot - q) ** 2 - truth**2
noise_variance = reinforce_variance + square @ (q**2 + 1 - hot)
print("score function of the noise:  variance", noise_variance.round(2))
print("REINFORCE, its mean given z*: variance", reinforce_variance.round(2))
assert noise_variance.round(2).tolist() == [1.14, 0.84, 1.57]
assert reinforce_variance.round(2).tolist() == [0.18, 0.34, 0.25]

samples = 200_000                                                   # and by sampling
noise = gumbel.sample((samples, k), rng)
z_star, rX = (h + noise).argmax(axis=1), np.exp(-(noise + c))
g = f[z_star, None] * (1 - rX)
assert (np.abs(g.mean(axis=0) - truth) < 4 * np.sqrt(noise_variance / samples)).all()
square_error = (g - truth) ** 2
assert (np.abs(square_error.mean(axis=0) - noise_variance) < 4 * square_error.std(axis=0) / np.sqrt(samples)).all()

# %% [markdown]
# ## Fenchel-Young: the derivative of a maximum, minus what was observed
#
# Suppose that a value $y$ was observed, and that there is no $f$. The *perturbed Fenchel-Young loss* is
# $E \max_z (h + \gamma) - h_y$. This is the mean lead of the winner over $y$, because the noise of $y$ has the mean 0.
# By Danskin's theorem, the gradient of the loss is $q - \text{onehot}(y)$: the mean one-hot vector of the winner, minus
# the one-hot vector of $y$. With Gumbel noise, $E \max (h + \gamma)$ is $\log \sum e^h$, and the loss is $-\log q(y)$,
# the cross-entropy. (Here $q$ is known, so there is no reason to sample. If a solver finds the winner and $q$ has no
# formula, a draw of $z^{\star}$ replaces $q$.)
#
# With $f = [z = y]$ and a large $\epsilon$, $z(\epsilon) = y$ in practically every draw. Then the estimate $g$ of
# `direct` satisfies $\epsilon g = \text{onehot}(y) - \text{onehot}(z^{\star})$. This is minus the gradient of the
# Fenchel-Young loss, with a draw of $z^{\star}$ in place of $q$.

# %%
y = 0                                                               # shirt, which also has the highest f
loss = lambda h: logsumexp(h) - h[y]
slope = [(loss(h + 1e-5 * unit) - loss(h - 1e-5 * unit)) / 2e-5 for unit in hot]
assert np.allclose(slope, q - hot[y], atol=1e-9)
assert (direct.gradient(h, hot[y], 100.0, noise[:20_000]) * 100.0 == hot[y] - hot[z_star[:20_000]]).all()

# %% [markdown]
# ## One table
#
# All numbers of the table are computed without sampling: by enumeration, by the joint law of the two arg maxes, by
# the integrals above, and in one place by a finite difference of integrals.
#
# *Bias* is measured against a different target for each method:
#
# - (a) `direct`, implicit MLE, REINFORCE and the score function of the noise: the target is the gradient of
#   $E f(z^{\star})$ under Gumbel noise. In the code, this gradient is called `truth`.
# - (b) Direct loss minimisation: the target is the gradient of the mean of $f$ over the data.
# - (c) Blackbox differentiation: the target is the slope of $f(z(h))$, which is 0.
# - (d) Fenchel-Young: the target is the gradient of $\log q(y)$. This gradient is the mean of the estimate, so the bias
#   is 0.
#
# So compare only rows with the same letter. The *variance* is printed twice, for $f$ and for $f + 10$. Adding a
# constant to $f$ changes no gradient and no arg max, but it changes the variance of some estimates. Our $f$ happens to
# have a mean near 0, while for an image $f$ is more like $-170$ (chapter 6). A *baseline* is a constant that is
# subtracted from $f$. Here the baseline is $E f$. In practice, the baseline is a running mean.
#
# The *cost* has three columns: the number of values of $f$, of gradients of $f$, and of arg maxes that one estimate
# needs.
#
# We have to choose two things. First, direct loss minimisation needs data. We make up the data: the scores of each
# image $x$ are our $h$ plus a Gaussian deviation with the variance of Gumbel noise. This deviation takes the place of
# the noise. If $f$ is the same for all images, direct loss minimisation is the method `direct` with Gaussian noise
# instead of Gumbel noise. Second, implicit MLE uses $f$ *between* the values. We let $f$ be curved there:
# $f(z) = \sum_i f_i z_i + \frac12 \sum_i z_i (1 - z_i)$. At the one-hot vectors, the three *corners*, the formula gives
# the same $f$ as before. Between the corners, this $f$ is concave, like the $\log p(x \mid z)$ of a decoder whose
# logits are linear in $z$.

# %%
def implicit_mle(eps, bend=0.5, f=f):
    """Mean and variance.  Given z* = b, implicit MLE is `direct` with the slope at corner b instead of f."""
    mean = square = 0
    for b in range(k):
        slope = f + bend * (1 - 2 * hot[b])
        chance = direct.joint_law(h, slope, eps)[b]                 # P(z* = b, z(eps) = j), for each j
        moves = (hot - hot[b]) / eps
        mean, square = mean + chance @ moves, square + chance @ moves**2
    return mean, square - mean**2


def data_truth():
    expected = lambda h: wins(np.subtract.outer(h, h), normal, normal_slope) @ f
    return np.array([(expected(h + 1e-4 * unit) - expected(h - 1e-4 * unit)) / 2e-4 for unit in hot])


assert np.allclose(implicit_mle(0.3, bend=0), mean_and_variance(h, f, 0.3), atol=1e-9)      # linear f: it is direct


def score_function(f, of_noise, baseline=0.0):
    """Mean and variance of REINFORCE with a constant baseline, or of the score function of the noise."""
    mean = (q * (f - baseline)) @ (conditional if of_noise else hot - q)
    square = q * (f - baseline) ** 2
    return mean, square @ (hot - q) ** 2 - mean**2 + of_noise * (square @ (q**2 + 1 - hot))


def row(name, target, law, costs):
    """law(f) is (mean, variance); it is called for f and for f + 10."""
    (mean, variance), (shifted, more) = law(f), law(f + 10)
    assert np.allclose(mean, shifted, atol=1e-8)                    # the constant changes no mean
    bias = np.linalg.norm(mean - {"a": truth, "b": data_truth(), "c": np.zeros(k), "d": hot[y] - q}[target])
    print(f"{name:44s} {target:>6s} {bias:7.3f} {variance.sum():9.2f} {more.sum():9.2f}   {costs}")
    return bias, variance.sum(), more.sum()


print(f"|grad E f| = {np.linalg.norm(truth):.3f} over Gumbel noise, {np.linalg.norm(data_truth()):.3f} over the data")
print(f"{'':44s} {'':6s} {'':7s} {'variance':>9s} {'variance':>9s}   {'values':>6s} {'gradients':>9s} {'arg':>6s}")
print(f"{'method':44s} {'target':>6s} {'bias':>7s} {'of f':>9s} {'of f + 10':>9s}   {'of f':>6s} {'of f':>9s} "
      f"{'maxes':>6s}")
table = {}
for eps in (0.3, 1.0):
    for name, target, law, costs in (
            ("direct", "a", lambda f: mean_and_variance(h, f, eps), (k, 0, 2)),
            ("implicit MLE, f curved", "a", lambda f: implicit_mle(eps, f=f), (0, 1, 2)),
            ("direct loss minimisation", "b", lambda f: mean_and_variance(h, f, eps, normal, normal_slope), (k, 0, 2)),
            ("blackbox", "c", lambda f: (blackbox(h, eps), np.zeros(k)), (0, 1, 2))):
        table[name, eps] = row(f"{name}, eps = {eps}", target, law, "{:6d} {:9d} {:6d}".format(*costs))
for name, of_noise in (("score function of the noise", 1), ("REINFORCE", 0)):
    for words, share in (("", 0), (", with a baseline", 1)):
        table[name, share] = row(name + words, "a", lambda f: score_function(f, of_noise, share * (q @ f)),
                                 f"{1:6d} {0:9d} {1:6d}")
table["Fenchel-Young"] = row("Fenchel-Young, y = shirt, sampled", "d", lambda f: (hot[y] - q, q * (1 - q)),
                             f"{0:6d} {0:9d} {1:6d}")
row("Fenchel-Young, y = shirt, q known", "d", lambda f: (hot[y] - q, np.zeros(k)), f"{0:6d} {0:9d} {0:6d}")
assert np.allclose(score_function(f, 1)[1], noise_variance)
assert np.allclose(score_function(f, 0)[1], reinforce_variance)
assert table["blackbox", 0.3][:2] == (0, 0) and (blackbox(h, 0.3) == 0).all()       # no bias, no noise, no use
for name in ("direct", "implicit MLE, f curved", "direct loss minimisation"):
    assert np.isclose(*table[name, 0.3][1:], rtol=1e-6)                             # the constant changes nothing
assert table["REINFORCE", 0][2] > 50 > 10 > table["direct", 0.3][2] > table["REINFORCE", 1][2]

# %% [markdown]
# One pair of rows looks wrong: the baseline $E f$ *raises* the variance of REINFORCE, from 0.77 to 0.81. A baseline
# lowers the variance if the mean of $f$ is far from 0, as in the last column. Here the mean of $f$ is near 0, and $E f$
# is not the best constant. Let $\text{far} = |\text{onehot}(z^{\star}) - q|^2$. The variance is
# $E[(f - \text{baseline})^2\, \text{far}]$ minus a constant, so the best baseline is
# $E[f\, \text{far}] / E[\text{far}]$. This is a weighted mean of $f$. In it, unlikely values of $z$ have more weight
# than in $E f$, because their one-hot vectors are far from $q$.

# %%
far = ((hot - q) ** 2).sum(axis=1)                                  # for each value
best_baseline = (q * far) @ f / (q @ far)
for words, b in (("no baseline", 0.0), ("E f", q @ f), ("the best constant", best_baseline)):
    print(f"REINFORCE, {words:17s} {b:+.3f}: total variance {score_function(f, 0, b)[1].sum():.3f}")
assert score_function(f, 0, best_baseline)[1].sum() < table["REINFORCE", 0][1] < table["REINFORCE", 1][1]
by_grid = [score_function(f, 0, b)[1].sum() for b in np.linspace(-2, 1, 3_001)]
assert abs(np.linspace(-2, 1, 3_001)[np.argmin(by_grid)] - best_baseline) < 1e-3

# %% [markdown]
# Implicit MLE has a bias from the finite difference and another bias from the slope. The next cell splits each
# of the two biases into a part along the gradient and a part across it. Then it plots the bias and the noise of the
# methods with target (a) or (b).

# %%
assert np.linalg.norm(implicit_mle(0.01)[0] - truth) > 0.5 * np.linalg.norm(implicit_mle(0.3)[0] - truth)   # stays
assert np.linalg.norm(mean_and_variance(h, f, 0.01)[0] - truth) < 0.01                                      # goes away
of_eps = mean_and_variance(h, f, 0.3)[0] - truth
of_slope = implicit_mle(0.3)[0] - mean_and_variance(h, f, 0.3)[0]
along = truth / np.linalg.norm(truth)
across = np.cross(along, np.ones(k) / np.sqrt(k))       # the entries of a gradient add up to 0
for words, direction in (("along the gradient", along), ("across it", across)):
    print(f"bias at eps = 0.3 {words}: {of_eps @ direction:+.3f} from the finite difference, "
          f"{of_slope @ direction:+.3f} from the slope")
assert of_eps @ along < 0 < of_slope @ along and (of_eps @ across) * (of_slope @ across) > 0

point = lambda law, target, eps: (np.linalg.norm(law(eps)[0] - target), np.sqrt(law(eps)[1].sum()))
gaussian = lambda eps: mean_and_variance(h, f, eps, normal, normal_slope)
lines = {"direct (a)": (lambda eps: mean_and_variance(h, f, eps), truth),
         "implicit MLE, f curved (a)": (implicit_mle, truth), "direct loss (b)": (gaussian, data_truth())}
later_figures.bias_and_noise(
    {name: {eps: point(law, target, eps) for eps in np.r_[np.geomspace(0.03, 3, 31), 0.03, 0.1, 0.3, 1.0, 3.0]}
     for name, (law, target) in lines.items()},
    {"score function of the noise (a)": np.sqrt(noise_variance.sum()),
     "REINFORCE, with no baseline (a)": np.sqrt(reinforce_variance.sum())}, (0.03, 0.1, 0.3, 1.0, 3.0))
plt.show()

# %% [markdown]
# **What to see.** Each line is a method, and its dots are at $\epsilon$ = 0.03, 0.1, 0.3, 1 and 3. These numbers are
# written beside two of the lines. Further up on a line, $\epsilon$ is smaller, so there is less bias and more noise. As
# $\epsilon \to 0$, the bias of `direct` and of direct loss minimisation goes to 0, and their noise grows without limit.
# In this example, these two methods differ only in the law of the noise, and below $\epsilon = 0.3$, their lines nearly
# coincide. The line of implicit MLE turns back, because this method has two biases. The first bias comes from the
# finite $\epsilon$. This bias makes the mean too short, and goes away as $\epsilon$ falls. The second bias arises
# because the method uses the slope of $f$ instead of the values of $f$. This bias makes the mean too long, and does not
# go away: where $f$ is curved, the slope at one corner overestimates how much $f$ changes on the way to the next
# corner. In the direction of the gradient, the two biases have opposite signs and cancel at $\epsilon = 0.3$.
# Perpendicular to the gradient, they have the same sign, and their sum is the bias in the table. The diamonds are
# methods without bias and without an $\epsilon$.
#
# The table shows something that the picture does not. If 10 is added to $f$ and there is no baseline, REINFORCE and the
# score function of the noise have a very large variance. The variance of `direct` does not change, because `direct`
# depends only on differences of $f$. REINFORCE with a baseline does not depend on the constant either, and a baseline
# is one line of code. REINFORCE with a baseline has no bias, and its variance is a third of the variance that `direct`
# has at $\epsilon = 0.3$.
#
# Blackbox differentiation and Fenchel-Young are in the table, but not in the picture. At $\epsilon = 0.3$, our $h$
# does not lie on a ramp, so the gradient of blackbox differentiation is 0. This gradient equals target (c), so the
# bias is 0. The variance is also 0. But a gradient of 0 is useless. So the row with the smallest numbers can belong
# to the worst method. At $\epsilon = 1$, our $h$ is on the ramp, and the gradient is not 0. Target (c) is still 0, so
# the whole gradient is bias.
#
# If $z$ has only three values, there is no reason to use two arg maxes, because REINFORCE with a baseline needs only
# one value of $f$ in each draw. If all values of $f$ are in a table, the exact gradient can be computed from the table.
#
# ## When to use which method
#
# - **All values of $f$ are in a table.** Enumerate, or sum over the values of one variable at a time (local
#   expectation, chapter 7). This has no bias, and little noise or none.
# - **$f$ is known at samples only, and $q$ is known.** Use REINFORCE or one of its relatives, with a baseline (chapter
#   7). If $q$ is *not* known, because a solver computes $z$ from the noise, use the score function of the noise. This
#   method is noisier than REINFORCE, and needs the baseline even more than REINFORCE does.
# - **A $y$ was observed.** Use Fenchel-Young. It needs one arg max and no $\epsilon$, and its loss is convex in $h$.
# - **$f$ can be added to the scores, because it is linear in $z$.** Use `direct`, with a second call of the same
#   solver. If $f$ is a distance to an observed $y$, try Fenchel-Young first, which is simpler: in appendix E, with five
#   seeds, no difference between the two methods was as large as two standard errors. If there is no $y$ and $f$ is
#   linear, an advantage of `direct` is that it needs no baseline.
# - **Any other $f$.** The exact second arg max needs the list of all values. If this list is too long, $f$ has to be
#   replaced. One way is to use the slope of $f$ at $z^{\star}$. This is implicit MLE. If $f$ is curved, the bias of
#   implicit MLE does not go away as $\epsilon$ falls. Another way is to use the changes of $f$ when single variables
#   change. If the variables are independent, the bias of this second way goes away as $\epsilon$ falls (chapter 7). If
#   the variables depend on each other, the bias does not go away (chapter 8).
# - **Decisions that must be made without noise.** Use blackbox differentiation. Choose $\epsilon$ so large that the
#   scores $h$ lie on a ramp, because the gradient is 0 elsewhere.
#
# In which problems is the arg max cheap and the *sum* $\sum_z e^{h(z)}$ expensive? For the paths of appendix E, the sum
# is as cheap as the maximum: use Bellman's recursion with logsumexp instead of max. If every path has its own Gumbel
# noise, $z^{\star}$ follows the softmax over the paths, and this sum is its denominator. For chains and trees, the sum
# is also as cheap as the maximum. For the cuts of chapter 8 and for matchings, no such recursion is known. The best
# matching of $n$ pairs is found in about $n^3$ steps, but counting the perfect matchings of a bipartite graph is
# #P-complete (Valiant 1979). For cuts and matchings, use a method that needs only arg maxes.
#
# ## Exercises
#
# **1 (easy).** Let $f$ be the constant 1. Then the gradient is 0. What is the variance of each of the following three
# estimators: `direct`, REINFORCE, and the score function of the noise? What do the three variances say about baselines?
#
# <details><summary>Solution</summary>
#
# The variance of each component is 0 for `direct`, $q_i (1 - q_i)$ for REINFORCE, and 1 for the score function of the
# noise. (A standard exponential variable has the variance 1.) REINFORCE needs a baseline, and the score function of the
# noise needs a baseline even more. `direct` needs no baseline, because a constant moves no arg max.
#
# ```python
# ones = np.ones(k)
# of_reinforce = (q * ones) @ (hot - q) ** 2
# assert np.allclose(of_reinforce, q * (1 - q))
# assert np.allclose(of_reinforce + (q * ones) @ (q**2 + 1 - hot), 1)
# assert np.allclose(mean_and_variance(h, ones, 0.3)[1], 0, atol=1e-10)
# ```
#
# </details>
#
# **2 (medium).** Show that $f(z(h)) \le \text{ramp}(h) \le f(z(h + \epsilon f))$, and check it.
#
# <details><summary>Solution</summary>
#
# For the first inequality, let $z = z(h)$. The first maximum of the ramp is at least $\epsilon f(z) + h(z)$, and the
# second maximum is $h(z)$. For the second inequality, let $z$ be the winner of the first maximum. This maximum is
# $\epsilon f(z) + h(z)$, and the second maximum is at least $h(z)$.
#
# ```python
# for _ in range(500):
#     point, eps = 2 * rng.normal(size=k), rng.uniform(0.1, 3)
#     lower, upper = f[point.argmax()], f[(point + eps * f).argmax()]
#     assert lower - 1e-12 <= ramp(point, eps) <= upper + 1e-12
# ```
#
# </details>
#
# **3 (hard).** Each component of REINFORCE can have a baseline of its own. Which baseline is best for component $i$?
# How large is the variance of REINFORCE if each component has its best baseline? How large is it with the best single
# constant? At what $\epsilon$ does `direct` have the same variance as REINFORCE with the best baseline for each
# component? How large is the bias of `direct` at this $\epsilon$?
#
# <details><summary>Solution</summary>
#
# The best baseline minimises $E[(f - \text{baseline})^2 ([i = z^{\star}] - q_i)^2]$. So it is the mean of $f$ with the
# weights $([i = z^{\star}] - q_i)^2$.
#
# ```python
# weight = q[:, None] * (hot - q) ** 2                                        # value, component
# own = (weight * f[:, None]).sum(axis=0) / weight.sum(axis=0)
# left = np.array([score_function(f, 0, own[i])[1][i] for i in range(k)])
# single = score_function(f, 0, best_baseline)[1].sum()
# print(f"variance {left.sum():.3f} with three baselines, {single:.3f} with one")
# assert left.sum() < single
# eps = np.geomspace(0.1, 10, 400)
# equal = eps[np.argmin([abs(mean_and_variance(h, f, e)[1].sum() - left.sum()) for e in eps])]
# bias = np.linalg.norm(mean_and_variance(h, f, equal)[0] - truth)
# print(f"direct has that variance at eps = {equal:.2f}, with a bias of {bias / np.linalg.norm(truth):.0%}")
# assert bias > 0.5 * np.linalg.norm(truth)
# ```
#
# </details>
#
# ## Where it goes wrong in practice
#
# - The sign is wrong. Vlastelica et al. and McAllester et al. use a loss, which is to be lowered. Here $f$ is a score,
#   which is to be raised.
# - The two arg maxes have different noise. `direct` needs the same noise for both. If the second arg max
#   has fresh noise, the mean stays the same, but the variance becomes far larger (chapter 2).
# - The scale of $\epsilon f$ does not fit $h$ and the noise. If $\epsilon$ is too small, the two arg maxes agree in
#   nearly all draws, most gradients are zero, and the variance grows like $1/\epsilon$. To notice this, count how often
#   the two arg maxes agree. If $\epsilon$ is too large and $f$ is a distance to $y$, then $z(\epsilon) = y$ in nearly
#   all draws, and the method is Fenchel-Young. The table of appendix E has rows for both cases.
#
# ## Now write it yourself
#
# The right side of the identity is the subject of workbook files 2 (the arg max and its law), 3 (Danskin's derivative),
# 4 (the difference of two arg maxes) and 5 (its exact mean, bias and variance). With file 5, you can compute the rows
# of `direct` in the table yourself: `python tutorials/workbook/check.py 5`.
#
# ## What to read next
#
# In [appendix E](appendix_e_landscape.ipynb), a landscape is learnt from walks. In the package, see
# `refimpl/estimators/perturbed.py` and `refimpl/estimators/imle.py`. The papers are Vlastelica et al., *Differentiation
# of blackbox combinatorial solvers* (ICLR 2020); Berthet et al., *Learning with differentiable perturbed optimizers*
# (NeurIPS 2020); Niepert et al., *Implicit MLE* (NeurIPS 2021); and McAllester et al., *Direct loss minimization for
# structured prediction* (NIPS 2010). Then read [results.md](results.md).
#
# ## Symbols
#
# | symbol | in the code | the slides write | meaning |
# | --- | --- | --- | --- |
# | $h$, $f$, $\gamma$ | `h`, `f`, `noise` | $\phi$, $\theta$, $\gamma$ | scores of the encoder and the decoder, and zero-mean Gumbel noise |
# | $z^{\star}$, $z(\epsilon)$ | `z_star`, `z_eps` | | $\arg\max (h + \gamma)$ and $\arg\max (\epsilon f + h + \gamma)$, with the same noise |
# | $q$, $q_\epsilon$ | `q`, `q_eps` | | the laws of $z^{\star}$ and $z(\epsilon)$: softmax of $h$, and of $h + \epsilon f$ |
# | $G(h, \epsilon)$ | `G` | $G$ | $E \max_z (\epsilon f + h + \gamma)$ |
# | $T(h)$ | | | the tilted objective of chapter 4, $\frac{1}{\epsilon} (G(h, \epsilon) - G(h, 0))$ |
# | $\epsilon$ | `eps` | $\epsilon$ | how strongly $f$ takes part in the second arg max |
# | $F(t)$, $F'(t)$ | `F` | | the distribution function of one Gumbel variable; its density |
# | $v$ | | | the perturbed scores, $h + \gamma$ |
# | $c$ | `c` | | Euler's constant, 0.5772… |
# | $X_z$, $r_i X_i$ | `rX` | | the time of an alarm clock, whose rate is $r_z = e^{h_z}$; time multiplied by rate, which is $e^{-(\gamma_i + c)}$ |
# | $S$ | | | the sum $\sum_i r_i$, the rate of the first ring |
# | $R$, $V_i$ | | | the waiting time until the first ring, multiplied by $S$; the waiting time from the first ring until clock $i$ rings, multiplied by $r_i$ (both then have the rate 1) |
# | $w$ | `w` | $w$ | one weight of the encoder, whose scores are $h + w\,(1, 0, -1)$ |
# | $y$ | `y` | $y$ | the label: a value, or a path, that was observed |
