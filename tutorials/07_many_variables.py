# %% [markdown]
# # 7. Many binary variables
#
# **You will** write direct optimisation for $n$ variables, and REINFORCE, ARM, DisARM, REBAR and local expectation
# beside it, and hold all of them against enumeration. **You will learn** what the coordinate-wise arg max loses
# (little), what each estimator pays for being unbiased, and which is best at equal cost. **You need** chapters
# [3](03_theorem_1.ipynb) and [4](04_finite_epsilon.ipynb). It runs in about ten seconds; trained runs are loaded, which
# `python -m refimpl tutorial-runs` makes again.
#
# | symbol | in the code | the slides write | meaning |
# | --- | --- | --- | --- |
# | $z = (z_1, \ldots, z_n)$ | `z` (B, n) | $z_1, \ldots, z_n$ | binary variables, given $x$ independent under $q$ |
# | $l_i = h_i(1) - h_i(0)$ | `l` (n,) | $\phi_i$ | logit of variable $i$: $q(z_i = 1) = \sigma(l_i)$ |
# | $f(z)$ | `f(z)` | $\theta(z_1, \ldots, z_n)$ | the decoder's score of the *whole* vector |
# | $\gamma_i$ | `noise` | $\gamma_i(1) - \gamma_i(0)$ | difference of two Gumbels: logistic noise |

# %%
import start    # if it is not found: clone the whole repository, and run this chapter in its folder tutorials/

import itertools

import matplotlib.pyplot as plt
import numpy as np

from refimpl import plots
from refimpl.experiments import tutorial_runs

rng = np.random.default_rng(2)
n = 6
l = rng.normal(size=n)
A, c = 1.5 * rng.normal(size=(5, n)), 2 * rng.normal(size=5)


def f(z):                               # (..., n) -> (...): five waves, nonlinear in every variable and joint in all
    return np.sin(z @ A.T + 1) @ c


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


# %% [markdown]
# ## The truth
#
# With $n = 6$ all 64 vectors can be listed. $q(z) = \prod_i q_i(z_i)$, and
# $\partial E_q f / \partial l_i = E_q[f(z) (z_i - \sigma(l_i))]$.

# %%
every = np.array(list(itertools.product([0, 1], repeat=n)), float)          # (64, n)
p = sigmoid(l)
q = np.prod(np.where(every == 1, p, 1 - p), axis=1)
truth = (q * f(every)) @ (every - p)
print("gradient in the logits:", truth.round(4))

step = 1e-5
for i in range(n):                                                          # not believed until differenced
    value = []
    for sign in (1, -1):
        moved = sigmoid(l + sign * step * np.eye(n)[i])
        value.append(np.prod(np.where(every == 1, moved, 1 - moved), axis=1) @ f(every))
    assert abs((value[0] - value[1]) / (2 * step) - truth[i]) < 1e-8

# %% [markdown]
# ## Direct, jointly and coordinate by coordinate
#
# The noise is low-dimensional: two Gumbels a variable, or one logistic number. $z^{\star}$ is found variable by
# variable. The *perturbed* arg max is not, since $f$ ties the variables together (slide 29):
#
# $$z(\epsilon) = \arg\max_z \; \epsilon f(z_1, \ldots, z_n) + \sum_i (l_i + \gamma_i) z_i$$
#
# over $2^n$ vectors. Slide 30 settles for less: each variable moves *as if the others stayed at* $z^{\star}$, which
# needs only the $n$ neighbours of $z^{\star}$. First with loops:

# %%
def neighbours_loop(z):
    table = np.empty((n, 2))
    for i in range(n):
        for value in (0, 1):
            flipped = z.copy()
            flipped[i] = value
            table[i, value] = f(flipped)
    return table


def neighbours(z):                                                          # (S, n) -> (S, n, 2)
    put = np.repeat(np.repeat(z[:, None, None, :], n, axis=1), 2, axis=2)   # (S, n, 2, n)
    index = np.arange(n)
    put[:, index, 0, index], put[:, index, 1, index] = 0, 1
    return f(put)


def logistic(samples):
    u = rng.random((samples, n))
    return np.log(u) - np.log1p(-u)


samples = 40_000
noise = logistic(samples)
z_star = (l + noise > 0).astype(float)
table = neighbours(z_star)
assert np.allclose(table[7], neighbours_loop(z_star[7]))


def direct_coordinates(eps):
    gain = table[:, :, 1] - table[:, :, 0]
    return ((l + noise + eps * gain > 0) - z_star) / eps


def direct_joint(eps):
    total = eps * f(every) + (l + noise) @ every.T                          # (S, 64)
    return (every[total.argmax(axis=1)] - z_star) / eps


print(" eps   coordinates agree   |bias| coordinate-wise   |bias| joint   (noise of the mean)")
for eps in (1.0, 0.3, 0.1, 0.03):
    one, both = direct_coordinates(eps), direct_joint(eps)
    error = np.sqrt(one.var(axis=0).sum() / samples)
    print(f"{eps:4.2f}   {np.mean(one == both):17.2%}   {np.linalg.norm(one.mean(axis=0) - truth):22.3f}   "
          f"{np.linalg.norm(both.mean(axis=0) - truth):12.3f}   {error:19.3f}")

# %% [markdown]
# What to see. At small $\epsilon$ the two agree in nearly all coordinates; the table says how often they do at 1. Their
# biases are of one size, and come from $\epsilon$, as in chapter 4. The joint one is the argument of chapter 3 with
# other noise: not a Gumbel for every vector, but $n$ logistic numbers. The coordinate-wise one has the mean
# $E\left[(\sigma(l_i + \epsilon\, \text{gain}_i) - \sigma(l_i)) / \epsilon\right]$, where $\text{gain}_i$ is what $f$
# gains by $z_i = 1$ beside the other coordinates' $z^{\star}$: chapter 4, a coordinate at a time. It needs $n + 1$
# evaluations, and is the only one that can be afforded for large $n$.
#
# ## Local expectation
#
# Why sample the coordinate at all? Average the coordinate-wise estimate over the noise of coordinate $i$ alone and let
# $\epsilon \to 0$: by Theorem 1 for one variable what comes out is its exact gradient,
# $p_i (1 - p_i) (f(z_i{=}1) - f(z_i{=}0))$, at the same $n + 1$ evaluations. No bias, and less variance.
# Slide 31 does not show it. [results.md](results.md#fifteen-binary-variables) does, and there it is ahead at first and
# behind direct in the end: less noise and no bias are not everything.

# %%
def local_expectation():
    return p * (1 - p) * (table[:, :, 1] - table[:, :, 0])


# %% [markdown]
# ## Estimators that only evaluate $f$
#
# **REINFORCE.** $\nabla E f = E[(f(z) - \text{baseline}) \nabla \log q(z)]$, and
# $\partial \log q / \partial l_i = z_i - p_i$. Any baseline that does not depend on this $z$ is allowed; with two
# samples each can be the other's.
#
# **ARM.** One uniform number a variable makes two *opposed* samples: $b_1 = [u > \sigma(-l)]$, $b_2 = [u < \sigma(l)]$;
# estimate $(f(b_1) - f(b_2))(u - \frac12)$. **DisARM** averages ARM over what $b_1, b_2$ leave open about $u$:
# $\frac12 (f(b_1) - f(b_2)) (-1)^{b_2} [b_1 \ne b_2] \sigma(|l|)$. The same mean, never more variance (Rao and
# Blackwell).

# %%
baseline = f((l + logistic(1_000) > 0).astype(float)).mean()    # from earlier draws: a running mean costs no more


def reinforce():
    return (f(z_star)[:, None] - baseline) * (z_star - p)


def reinforce_loo():
    other = (l + logistic(samples) > 0).astype(float)
    difference = (f(z_star) - f(other))[:, None]
    return difference * (z_star - other) / 2                                # mean of the two, each the other's baseline


u = rng.random((samples, n))
b1, b2 = (u > sigmoid(-l)).astype(float), (u < sigmoid(l)).astype(float)


def arm():
    return (f(b1) - f(b2))[:, None] * (u - 0.5)


def disarm():
    return 0.5 * (f(b1) - f(b2))[:, None] * (-1) ** b2 * (b1 != b2) * sigmoid(np.abs(l))


# %% [markdown]
# ## REBAR
#
# Subtract something correlated whose mean you know. The relaxed sample $\sigma(s/\lambda)$, $s = l + \text{noise}$, is
# close to $z$, but its score depends on the noise *and* on $l$. The trick: draw a second $\tilde s$ from the law of $s$
# *given* the $z$ that came out. Then
#
# $$\left[f(z) - \eta\, c(\tilde s)\right] \nabla \log q(z) + \eta \nabla c(s) - \eta \nabla c(\tilde s), \qquad c(s) = f(\sigma(s / \lambda))$$
#
# is unbiased for every $\eta$ and $\lambda$. Why? $E c(s)$ has two gradients, which are equal. By the chain rule
# through $s$ it is $E \nabla c(s)$. By first drawing $z$, then $\tilde s$ given $z$, it is
# $E[c(\tilde s) \nabla \log q(z)] + E \nabla c(\tilde s)$. So the three terms with $\eta$ add up to zero on average.
# For logistic noise $s = l + \log \frac{u}{1-u}$ and $z = [u > 1 - p]$; given $z = 1$, $u$ is uniform above $1-p$, so
# $\tilde u = 1 - p + v p$, and $\tilde u = v (1-p)$ for $z = 0$. Do not forget that $\tilde s$ depends on $l$ through
# $\tilde u$ as well.

# %%
def grad_f(z):
    return (np.cos(z @ A.T + 1) * c) @ A


def rebar(eta=1.0, lam=0.5, forget=False):
    v = rng.random((samples, n))
    u_given = np.where(z_star == 1, 1 - p + v * p, v * (1 - p))
    s, s_given = l + noise, l + np.log(u_given) - np.log1p(-u_given)
    dp = p * (1 - p)                                                        # dp/dl
    du = np.where(z_star == 1, (v - 1) * dp, -v * dp)                       # d u_given / dl
    ds_given = 1 + du / (u_given * (1 - u_given)) * (not forget)
    relaxed, relaxed_given = sigmoid(s / lam), sigmoid(s_given / lam)
    dc = grad_f(relaxed) * relaxed * (1 - relaxed) / lam
    dc_given = grad_f(relaxed_given) * relaxed_given * (1 - relaxed_given) / lam * ds_given
    return (f(z_star) - eta * f(relaxed_given))[:, None] * (z_star - p) + eta * (dc - dc_given)


# %% [markdown]
# ## The table
#
# Bias in standard errors of the worst coordinate, total variance of one estimate, evaluations of $f$, and their
# product: the variance at equal cost. (REBAR also asks for two gradients of $f$, which are not counted.)

# %%
estimates = {"direct, eps = 0.1": (direct_coordinates(0.1), n + 1, "direct"),
             "direct, eps = 1": (direct_coordinates(1.0), n + 1, "direct"),
             "local expectation": (local_expectation(), n + 1, "local-expectation"),
             "REINFORCE": (reinforce(), 1, "reinforce"),
             "REINFORCE, leave one out": (reinforce_loo(), 2, "reinforce-loo"),
             "ARM": (arm(), 2, "arm"),
             "DisARM": (disarm(), 2, "disarm"),
             "REBAR": (rebar(), 3, "rebar")}
figure, (left, right) = plt.subplots(1, 2, sharey=True, figsize=(9, 3.4))
print(f"{'estimator':26s} {'worst z':>8s} {'variance':>9s} {'evaluations':>12s} {'variance x evaluations':>23s}")
for name, (g, cost, colour) in estimates.items():
    error = g.std(axis=0) / np.sqrt(samples)
    worst = np.abs((g.mean(axis=0) - truth) / error).max()
    total = g.var(axis=0).sum()
    print(f"{name:26s} {worst:8.1f} {total:9.2f} {cost:12d} {total * cost:23.1f}")
    assert worst < 4 or name.startswith("direct")                           # only direct is biased
    assert worst > 20 or name != "direct, eps = 1"                          # and at eps = 1 there is no missing it
    left.plot(np.linalg.norm(g.mean(axis=0) - truth), name, "o", color=plots.colour(colour), markersize=8)
    left.plot(np.sqrt(total / samples), name, "|", color=plots.TRUTH, markersize=18)
    right.plot(total * cost, name, "o", color=plots.colour(colour), markersize=8)
left.set(xlabel="measured bias, nats (dot); its own noise (|)", xscale="log")
right.set(xlabel="variance x evaluations, nats squared", xscale="log")
left.invert_yaxis()
plt.show()

careless = rebar(forget=True)
error = careless.std(axis=0) / np.sqrt(samples)
print(f"REBAR without the dependence of s~ on l: worst z {np.abs((careless.mean(axis=0) - truth) / error).max():.0f}, "
      f"variance {careless.var(axis=0).sum():.2f}")
assert np.abs((careless.mean(axis=0) - truth) / error).max() > 10

# %% [markdown]
# What to see. Left: a dot near its noise mark, or to the left of it, is unbiased as far as these draws can
# tell. Right: further left is better. At equal cost REINFORCE, DisARM and local expectation are best here, and direct
# at $\epsilon = 0.1$ is by far the worst: it trades bias against variance by $\epsilon$. The forgotten derivative does
# not show in the variance, which is even a little smaller: always test the mean, against enumeration, on a nonlinear
# $f$.
#
# ## In training
#
# Eight binary variables on MNIST, eight epochs, one seed, 100 hidden units, everything else alike; the bound is exact,
# over 256 vectors. (`results.md` has fifteen variables, Fashion-MNIST and more epochs.)

# %%
figure, (left, right) = plt.subplots(1, 2, sharey=True)
for name in ("exact", "direct", "local-expectation", "rebar", "relax", "arm", "disarm", "reinforce-loo"):
    rows = tutorial_runs.load(f"binary-{name}").rows
    bound = [-row["test_elbo"] for row in rows]
    left.plot([row["epoch"] for row in rows], bound, color=plots.colour(name), label=name)
    right.plot([row["evaluations"] / 1e6 for row in rows], bound, color=plots.colour(name))
    print(f"{name:18s} after {len(rows)} epochs {bound[-1]:.2f} nats, "
          f"{rows[-1]['evaluations'] / 1e6:.1f} million evaluations")
left.set(xlabel="epoch", ylabel="test -ELBO, exact, nats", ylim=(140, 175))
right.set(xlabel="evaluations of f, millions", xscale="log")
left.legend(fontsize=8, ncols=2)
plt.show()

# %% [markdown]
# What to see. Enumeration, in black, is not the lower envelope, though with one seed a nat more or less may be chance.
# Per epoch most lie close together, and ARM is behind; per evaluation (right) those that ask for two or three scores
# are far ahead of those that ask for all neighbours. These are eight epochs. After a hundred, with fifteen variables,
# direct has passed them all per epoch ([results.md](results.md#fifteen-binary-variables)).
#
# ## Exercises
#
# **1 (easy).** A linear $f(z) = a \cdot z$: which estimators have zero variance? Guess, then check local expectation
# and the coordinate-wise bias at $\epsilon = 1$.
#
# <details><summary>Solution</summary>
#
# Local expectation: $p_i(1-p_i) a_i$ in every draw. Direct stays noisy, and biased.
#
# ```python
# a, nonlinear = rng.normal(size=n), f
# f = lambda z: z @ a                                                   # `neighbours` looks f up when it is called
# exact, linear = p * (1 - p) * a, neighbours(z_star[:1_000])
# f = nonlinear
# assert np.allclose(p * (1 - p) * (linear[:, :, 1] - linear[:, :, 0]), exact)        # the same in every draw
# biased = (sigmoid(l + a) - p) / 1.0                                         # mean of direct at eps = 1
# assert np.abs(biased - exact).max() > 0.01
# ```
#
# </details>
#
# **2 (middling).** Prove that DisARM is the conditional mean of ARM given $(b_1, b_2)$ and $l$, for one variable, by
# averaging draws of ARM in groups.
#
# <details><summary>Solution</summary>
#
# ```python
# i = 0
# half = u[:, i] - 0.5
# for first, second in ((0, 1), (1, 0), (1, 1), (0, 0)):
#     group = (b1[:, i] == first) & (b2[:, i] == second)
#     if group.sum() > 100:
#         mean = 0.5 * (-1) ** second * (first != second) * sigmoid(abs(l[i]))
#         assert abs(half[group].mean() - mean) < 4.5 * half[group].std() / np.sqrt(group.sum())
# ```
#
# </details>
#
# **3 (hard).** The released REBAR baseline used the *batch mean* of $f$ as every image's signal. Show with REINFORCE on
# 100 copies of this problem that this is unbiased, and what it does to the variance.
#
# <details><summary>Solution</summary>
#
# The other 99 scores are independent of this image's $z$: mean zero, pure noise. The sum over the batch still has the
# right mean, since $\sum_b E[\bar f (z_b - p)] = \frac{1}{B} \sum_b E[f_b (z_b - p)]$: one has to multiply by $B$.
#
# ```python
# B = 100
# z = z_star.reshape(-1, B, n)
# signal = f(z) - q @ f(every)
# own = (signal[..., None] * (z - p)).mean(axis=1)                            # a batch's gradient, 400 batches
# shared = (signal.mean(axis=1)[:, None, None] * (z - p)).sum(axis=1)         # the same mean
# error = shared.std(axis=0) / np.sqrt(len(shared))
# assert (np.abs(shared.mean(axis=0) - truth) < 4.5 * error).all()
# assert shared.var(axis=0).sum() > 20 * own.var(axis=0).sum()
# ```
#
# </details>
#
# ## Where it goes wrong in practice
#
# - $f$ is the score of the whole vector, at the $z^{\star}$ of this draw. And the two arg maxes share their noise.
#   Fresh noise for the second one leaves the mean as it is, since $\text{gain}_i$ does not depend on $\gamma_i$. But
#   then the two no longer cancel, and the variance grows by $1/\epsilon^2$ instead of $1/\epsilon$.
# - Watching the variance only. A biased estimator can always have less of it.
# - Comparing at equal epochs what costs 16 evaluations with what costs 2.
#
# ## What to read next
#
# [Chapter 8](08_structured_encoders.ipynb): variables that depend on each other. In the package: `refimpl/estimators/`,
# one file an idea, and `python -m refimpl estimators`. Tucker et al. (REBAR, 2017), Grathwohl et al. (RELAX, 2018), Yin
# and Zhou (ARM, 2019), Dong et al. (DisARM, 2020).
