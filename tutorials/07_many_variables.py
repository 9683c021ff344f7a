# %% [markdown]
# # 7. Many binary variables
#
# **You will** write direct optimisation for $n$ binary variables, and compare it with REINFORCE, ARM, DisARM, REBAR,
# RELAX and local expectation. You will check every estimator against the exact gradient, which is found by enumeration.
# **You will learn** how little is lost when each variable has an arg max of its own, what each unbiased estimator
# costs, and when to choose which estimator. **You need** chapters [2](02_theorem_1.ipynb), [3](03_gumbel_noise.ipynb)
# and [4](04_finite_epsilon.ipynb). This chapter runs in about five seconds. Trained runs are loaded;
# `python -m refimpl make tutorial-runs --write` makes them again. The symbols are listed at the end.

# %%
import start    # if it is not found: clone the whole repository, and run this chapter in its folder tutorials/

import itertools

import matplotlib.pyplot as plt
import numpy as np

import later_figures
from refimpl.experiments.training import tutorial_runs

rng = np.random.default_rng(2)
n = 6
l = rng.normal(size=n)
waves, heights = 1.5 * rng.normal(size=(5, n)), 2 * rng.normal(size=5)


def f(z):                               # (..., n) -> (...): five waves; nonlinear, and not a sum over the variables
    return np.sin(z @ waves.T + 1) @ heights


def sigmoid(l):
    return 1 / (1 + np.exp(-l))


# %% [markdown]
# ## The exact gradient
#
# With $n = 6$ binary variables, there are 64 vectors $z$, and all of them can be listed. Variable $i$ is 1 with
# probability $\sigma(l_i)$, where $l_i$ is its *logit* and $\sigma$ is the function `sigmoid`, defined above. The
# variables are independent, so $q(z) = \prod_i q(z_i)$. The gradient of the mean score is
# $\partial E_q f / \partial l_i = E_q[f(z) (z_i - \sigma(l_i))]$.

# %%
every = np.array(list(itertools.product([0, 1], repeat=n)), float)          # (64, n)
on = sigmoid(l)
q = np.prod(np.where(every == 1, on, 1 - on), axis=1)
truth = (q * f(every)) @ (every - on)
print("gradient with respect to the logits:", truth.round(4))

step = 1e-5
for i in range(n):                                                          # check it by finite differences
    value = []
    for sign in (1, -1):
        moved = sigmoid(l + sign * step * np.eye(n)[i])
        value.append(np.prod(np.where(every == 1, moved, 1 - moved), axis=1) @ f(every))
    assert abs((value[0] - value[1]) / (2 * step) - truth[i]) < 1e-8

# %% [markdown]
# ## Direct optimisation: one joint arg max, or one per variable
#
# There is no separate noise for each of the $2^n$ vectors. Each variable has two Gumbel numbers, one for each of its
# values. Only the difference of these numbers matters. This difference is a single number $\gamma_i$ with a *logistic*
# distribution. So $z^{\star}$ is found variable by variable: $z^{\star}_i$ is 1 if $l_i + \gamma_i > 0$. The
# *perturbed* arg max cannot be found in this way, because $f$ depends on all variables together (slide 29):
#
# $$z(\epsilon) = \arg\max_z \; \epsilon f(z_1, \ldots, z_n) + \sum_i (l_i + \gamma_i) z_i$$
#
# This is a maximum over $2^n$ vectors. Slide 30 uses an approximation. Each variable is chosen *as if the other
# variables kept their values* in $z^{\star}$:
#
# $$z_i(\epsilon) = 1 \quad \text{where} \quad l_i + \gamma_i + \epsilon\, \text{gain}_i > 0$$
#
# Here $\text{gain}_i$ is how much larger $f$ is with $z_i = 1$ than with $z_i = 0$, when the other variables are as in
# $z^{\star}$. To compute all gains, $f$ is needed only at $z^{\star}$ and at its $n$ *neighbours*. These are the
# vectors that differ from $z^{\star}$ in one variable. Here is the code, first with loops and then with arrays:

# %%
def neighbours_loop(z):
    table = np.empty((n, 2))
    for i in range(n):
        for value in (0, 1):
            flipped = z.copy()
            flipped[i] = value
            table[i, value] = f(flipped)
    return table


def neighbours(z):                                                          # (M, n) -> (M, n, 2)
    put = np.repeat(np.repeat(z[:, None, None, :], n, axis=1), 2, axis=2)   # (M, n, 2, n)
    index = np.arange(n)
    put[:, index, 0, index], put[:, index, 1, index] = 0, 1
    return f(put)


def logistic(count):
    uniform = rng.random((count, n))
    return np.log(uniform) - np.log1p(-uniform)


M = 40_000
noise = logistic(M)
z_star = (l + noise > 0).astype(float)
table = neighbours(z_star)
assert np.allclose(table[7], neighbours_loop(z_star[7]))
gain = table[:, :, 1] - table[:, :, 0]


def direct_coordinates(eps):
    return ((l + noise + eps * gain > 0) - z_star) / eps


def direct_joint(eps):
    total = eps * f(every) + (l + noise) @ every.T                          # (M, 64)
    return (every[total.argmax(axis=1)] - z_star) / eps


def exact_mean(eps):                                                        # of the estimate with one arg max each
    gain = neighbours(every) @ [-1, 1]                                      # (64, n)
    return q @ (sigmoid(l + eps * gain) - on) / eps


print("       variables     |bias|, one arg max each    |bias|, joint   standard error")
print(" eps   that agree    exact      measured         measured        of a measured mean")
for eps in (1.0, 0.3, 0.1, 0.03):
    one, both = direct_coordinates(eps), direct_joint(eps)
    error = one.std(axis=0) / np.sqrt(M)
    assert (np.abs(one.mean(axis=0) - exact_mean(eps)) < 4 * error).all()
    print(f"{eps:4.2f} {np.mean(one == both):11.2%} {np.linalg.norm(exact_mean(eps) - truth):11.3f} "
          f"{np.linalg.norm(one.mean(axis=0) - truth):13.3f} {np.linalg.norm(both.mean(axis=0) - truth):14.3f} "
          f"{np.linalg.norm(error):14.3f}")

# %% [markdown]
# At small $\epsilon$, the joint arg max and the arg maxes of the single variables agree in nearly all variables. At
# $\epsilon = 1$, the biases of the two estimates are about equally large. At $\epsilon = 0.3$, the joint estimate has
# the larger bias. At smaller $\epsilon$, 40,000 draws are too few to compare the biases.
#
# Does Theorem 1 hold for the joint estimate? The proof of chapter 2 does not show this, because assumption (d) of the
# theorem is not met. There is one logistic number for each variable, and not one Gumbel number for each vector, so
# the noises of two vectors are not independent. But the proof by the mean maximum $G$ still works. Write $G$ as an
# integral over the perturbed logits $s_i = l_i + \gamma_i$, where $\rho$ is the logistic density:
#
# $$G(l, \epsilon) = \int \max_z \Big\{ \epsilon f(z) + \sum_i s_i z_i \Big\} \prod_i \rho(s_i - l_i)\, ds$$
#
# In this integral, the logits occur only in the smooth density, and $\epsilon$ occurs only in the maximum. So in
# $\partial G / \partial l_i$, only $\rho$ is differentiated. If the result is then differentiated with respect to
# $\epsilon$, the maximum becomes $f(z(\epsilon))$, by Danskin's theorem. The mixed derivative exists and is continuous,
# so it is the same in both orders. The first derivatives are $\partial G / \partial l_i = E z_i(\epsilon)$ and
# $\partial G / \partial \epsilon = E f(z(\epsilon))$, and Theorem 1 follows as in chapter 2.
#
# The estimate with one arg max per variable has the mean
# $E_q\left[(\sigma(l_i + \epsilon\, \text{gain}_i) - \sigma(l_i)) / \epsilon\right]$. This is the formula of chapter
# 4, applied to one variable at a time. This estimate needs $n + 1$ evaluations of $f$, and the joint estimate needs
# $2^n$. From here on, `direct` is the estimate with one arg max per variable.
#
# ## Local expectation
#
# Does the estimate for $l_i$ need a sample of the noise of variable $i$? No: we can average the estimate over this
# noise, and let $\epsilon \to 0$. By Theorem 1 for one variable, the result is the exact gradient with respect to
# $l_i$, given the other variables: $\sigma(l_i) (1 - \sigma(l_i))\, \text{gain}_i$. This estimator is called *local
# expectation*. Like `direct`, it needs $n + 1$ evaluations, but it has no bias. If $\epsilon$ is so small that the bias
# of `direct` is small, the variance of local expectation is far lower than that of `direct`. The slides do not mention
# this estimator.

# %%
def local_expectation():
    return on * (1 - on) * gain


# %% [markdown]
# ## Estimators that only evaluate $f$
#
# **REINFORCE** uses $\nabla E_q f = E_q[(f(z) - \text{baseline}) \nabla \log q(z)]$, where
# $\partial \log q / \partial l_i = z_i - \sigma(l_i)$. The baseline can be any number that does not depend on this
# $z$. If two samples are drawn, the score of each sample can be the baseline of the other. This version is called
# *leave one out*.
#
# **ARM.** One uniform number $U$ per variable gives two *opposed* samples: $b_1 = [U > \sigma(-l)]$ and
# $b_2 = [U < \sigma(l)]$, where $[\ldots]$ is 1 if the condition holds and 0 otherwise. The estimate is
# $(f(b_1) - f(b_2))(U - \frac12)$. Why is its mean correct? Given $b_1$, the mean of $2 (U - \frac12)$ is
# $b_1 - \sigma(l)$. So $2 f(b_1) (U - \frac12)$ has the same mean as REINFORCE. If $U$ is replaced by $1 - U$, then
# $b_1$ becomes $b_2$, and $U - \frac12$ changes its sign. So $-2 f(b_2) (U - \frac12)$ has the same mean too. ARM is
# the mean of these two estimates.
#
# **DisARM.** ARM uses the exact value of $U$, but $f$ depends only on $b_1$ and $b_2$. What do $b_1$ and $b_2$ tell us
# about $U$? Look at the unit interval, in which $U$ lies. The two thresholds $\sigma(-l)$ and $\sigma(l)$ cut this
# interval into three parts. Both $b_1$ and $b_2$ are fixed in each part:

# %%
later_figures.disarm((1.0, -0.4))
plt.show()
for logit in (1.0, -0.4):                                                   # check the middles of the three parts
    low, high = sigmoid(-abs(logit)), sigmoid(abs(logit))
    for middle in (low / 2, (low + high) / 2, (1 + high) / 2):
        first, second = int(middle > sigmoid(-logit)), int(middle < sigmoid(logit))
        assert np.isclose(middle - 0.5, 0.5 * (-1) ** second * (first != second) * sigmoid(abs(logit)))

# %% [markdown]
# In the left and the right part of the interval, the two samples differ. The samples tell us only in which of these two
# parts $U$ lies, so the mean of $U$ is the midpoint of this part. The midpoint of the left part ($b_2 = 1$) is
# $\frac12 - \sigma(|l|)/2$, and the midpoint of the right part ($b_2 = 0$) is $\frac12 + \sigma(|l|)/2$. In the central
# part, the samples agree, and the mean of $U - \frac12$ is zero. So replace $U - \frac12$ by its mean. This gives
# DisARM: $\frac12 (f(b_1) - f(b_2)) (-1)^{b_2} [b_1 \ne b_2]\, \sigma(|l|)$. Replacing a random factor by such a
# conditional mean never increases the variance (Rao and Blackwell).

# %%
baseline = f((l + logistic(1_000) > 0).astype(float)).mean()    # a constant; its draws are not counted, see below


def reinforce():
    return (f(z_star)[:, None] - baseline) * (z_star - on)


def reinforce_loo():
    other = (l + logistic(M) > 0).astype(float)
    difference = (f(z_star) - f(other))[:, None]
    return difference * (z_star - other) / 2                                # mean of two, each the other's baseline


uniform = rng.random((M, n))
b1, b2 = (uniform > sigmoid(-l)).astype(float), (uniform < sigmoid(l)).astype(float)


def arm():
    return (f(b1) - f(b2))[:, None] * (uniform - 0.5)


def disarm():
    return 0.5 * (f(b1) - f(b2))[:, None] * (-1) ** b2 * (b1 != b2) * sigmoid(np.abs(l))


# %% [markdown]
# ## REBAR
#
# The idea of REBAR is a control variate: subtract something that is correlated with the estimate, and add its mean
# back. REBAR uses the relaxed score $f_\tau(s) = f(\sigma(s / \tau))$ of the perturbed logit $s = l + \gamma$. This
# requires that $f$ is also defined between 0 and 1, as it is here. At small $\tau$, the relaxed score is close to
# $f(z)$, since $z = [s > 0]$.
#
# Consider a single variable, $n = 1$. The mean $E f_\tau(s)$ depends on $l$. This mean can be differentiated with
# respect to $l$ in two ways.
#
# - *Through* $s$. The noise does not depend on $l$, and $s$ moves with $l$. So the derivative is $E f_\tau'(s)$.
# - *Through* $z$ *first*. Draw $z$, which is 1 with probability $\sigma(l)$. Then draw a new perturbed logit, given
#   this $z$, and call it $\tilde s$. Since $z$ is random too, $\tilde s$ has the same law as $s$. So
#   $E f_\tau(s) = q(1)\, E[f_\tau(\tilde s) \mid z = 1] + q(0)\, E[f_\tau(\tilde s) \mid z = 0]$. The product rule
#   gives two terms. In the first term, $q$ is differentiated:
#   $\sum_z q'(z) E[f_\tau(\tilde s) \mid z] = E[f_\tau(\tilde s) \frac{d}{dl} \log q(z)]$. In the second term, $z$ is
#   held fixed and $\tilde s$, which also depends on $l$ (see below), is differentiated. This term is
#   $E \frac{d}{dl} f_\tau(\tilde s)$.
#
# Both ways give the same derivative, so the first result minus the second one is zero:
#
# $$E\left[-f_\tau(\tilde s) \frac{d}{dl} \log q(z) + \frac{d}{dl} f_\tau(s) - \frac{d}{dl} f_\tau(\tilde s)\right] = 0$$
#
# REBAR subtracts $f_\tau(\tilde s) \frac{d}{dl} \log q(z)$ from REINFORCE. The other two terms add the mean of this
# product back. The same holds for each of $n$ variables. Since the mean of the bracket is zero, $\eta$ times the
# bracket can be added to REINFORCE. The sum has the correct mean for every $\eta$ and $\tau$:
#
# $$\left[f(z) - \eta f_\tau(\tilde s)\right] \nabla \log q(z) + \eta \nabla f_\tau(s) - \eta \nabla f_\tau(\tilde s)$$
#
# How is $\tilde s$ drawn? The noise is logistic, so $s = l + \log \frac{U}{1-U}$ with a uniform $U$, and $z = 1$ if
# $U > 1 - \sigma(l)$. Given $z = 1$, the number $U$ is uniform between $1 - \sigma(l)$ and 1. So draw a fresh uniform
# number $U'$ and take $\tilde U = 1 - \sigma(l) + \sigma(l) U'$. Given $z = 0$, take $\tilde U = (1 - \sigma(l)) U'$.
# Remember that $\tilde s$ depends on $l$ through $\tilde U$ as well.

# %%
def redrawn(z, fresh, l):
    """s~ given z, and its derivative with respect to l."""
    on = sigmoid(l)
    again = np.where(z == 1, 1 - on + on * fresh, (1 - on) * fresh)
    slope = np.where(z == 1, fresh - 1, -fresh) * on * (1 - on)             # derivative of `again` w.r.t. l
    return l + np.log(again) - np.log1p(-again), 1 + slope / (again * (1 - again))


grid = (np.arange(20_000) + 0.5) / 20_000                                   # n = 1: integrals over U, without sampling
logit, tau = 0.7, 0.5
smooth, slope = (lambda z: np.sin(3 * z + 1)), (lambda z: 3 * np.cos(3 * z + 1))


def relaxed_score(s, ds):                                                   # f_tau, its derivative w.r.t. l
    soft = sigmoid(s / tau)
    return smooth(soft), slope(soft) * soft * (1 - soft) / tau * ds


through_s = relaxed_score(logit + np.log(grid) - np.log1p(-grid), 1.0)[1].mean()
signal = inner = 0.0
for z, share in ((1, sigmoid(logit)), (0, 1 - sigmoid(logit))):
    score, derivative = relaxed_score(*redrawn(z, grid, logit))
    signal += share * (score * (z - sigmoid(logit))).mean()                 # d log q / dl = z - sigma(l)
    inner += share * derivative.mean()
print(f"through s: {through_s:.5f}   through z first: {signal:+.5f} {inner:+.5f} = {signal + inner:.5f}")
assert abs(through_s - signal - inner) < 1e-5

# %% [markdown]
# ## RELAX
#
# The argument for REBAR used no special property of $f_\tau$. Any other function of $s$ can replace $f_\tau$. Call
# this function the control. Then
#
# $$f(z) \nabla \log q(z) + \left[ -\text{control}(\tilde s)\, \nabla \log q(z) + \nabla \text{control}(s) - \nabla \text{control}(\tilde s) \right]$$
#
# has the correct mean for *every* control. REBAR uses $\eta f_\tau$ as its control, so only $\eta$ and $\tau$ can be
# chosen. RELAX (Grathwohl et al. 2018) uses $f_\tau$ plus a small network, and trains the weights of this network to
# *lower the variance*. How is that possible when the true gradient is not known? Let $g$ be the estimate. The mean of
# $g$ does not depend on the weights of the network. So the variance of $g$ and the mean square $E g^2$ differ by a
# constant, and $g^2$ of each sample can be differentiated with respect to the weights. (Since $g$ contains the slope of
# the control, this slope has to be differentiated too.) If $f$ cannot be evaluated between 0 and 1, or if its values
# there differ much from those at 0 and 1, the network alone can be the control.
#
# Here the network is so small that it needs no training: the control is
# $\eta f_\tau + \sum_i \eta_i\, \sigma(s_i / \tau)$. It is linear in its $n + 1$ weights, so $g$ is linear in them
# too, and least squares finds the weights for which $E g^2$ is smallest. The weights are fitted on separate draws. In
# the table below, REBAR has $\eta = 1$ and no network.

# %%
def grad_f(z):
    return (np.cos(z @ waves.T + 1) * heights) @ waves


def corrections(z, s, fresh, tau=0.5, forget=False):
    """The bracket above for f_tau and for each of the n sigmoids: (draws, n + 1, n)."""
    (again, slope), made = redrawn(z, fresh, l), []
    if forget:
        slope = 1.0                                                         # wrong: s~ depends on l through U~ too
    for point, ds in ((s, 1.0), (again, slope)):
        soft = sigmoid(point / tau)
        rate = soft * (1 - soft) / tau * ds                                 # derivative of soft w.r.t. l
        made.append((np.c_[f(soft), soft], np.concatenate([(grad_f(soft) * rate)[:, None],
                                                           rate[:, :, None] * np.eye(n)], axis=1)))
    (_, slopes), (values, slopes_given) = made
    return -values[:, :, None] * (z - on)[:, None] + slopes - slopes_given


parts = corrections(z_star, l + noise, rng.random((M, n)))
signal_only = f(z_star)[:, None] * (z_star - on)                            # REINFORCE without a baseline
more = logistic(10_000)                                                     # draws for the weights only
z_more = (l + more > 0).astype(float)
fit = corrections(z_more, l + more, rng.random(more.shape))
eta = np.linalg.lstsq(fit.transpose(0, 2, 1).reshape(-1, n + 1),
                      -(f(z_more)[:, None] * (z_more - on)).ravel(), rcond=None)[0]
print("weights of the fitted control:", eta.round(2))


def relaxed(weights):
    return signal_only + np.einsum("j,mjn->mn", weights, parts)


# %% [markdown]
# ## The table
#
# The table has these columns for each estimator. *Worst, s.e.* is the distance of the mean from the exact gradient,
# in standard errors, for the component in which this distance is largest. *Variance* is the total variance of one
# estimate, and *evaluations* is the number of evaluations of $f$ that one estimate needs. The product of these two
# numbers is the variance at equal cost. The number after ± is the standard error of this product. (REBAR and RELAX
# also need two gradients of $f$, which are not counted. The draws for REINFORCE's baseline and for RELAX's weights
# are not counted either, because in training they come from earlier batches.)

# %%
estimates = {"direct, eps = 0.1": (direct_coordinates(0.1), n + 1, "direct"),
             "direct, eps = 1": (direct_coordinates(1.0), n + 1, "direct"),
             "local expectation": (local_expectation(), n + 1, "local-expectation"),
             "REINFORCE": (reinforce(), 1, "reinforce"),
             "REINFORCE, leave one out": (reinforce_loo(), 2, "reinforce-loo"),
             "ARM": (arm(), 2, "arm"),
             "DisARM": (disarm(), 2, "disarm"),
             "REBAR": (relaxed(np.eye(n + 1)[0]), 3, "rebar"),
             "RELAX": (relaxed(eta), 3, "relax")}
at_equal_cost, bias, own_noise = {}, {}, {}
print(f"{'estimator':26s} {'worst, s.e.':>12s} {'variance':>9s} {'evaluations':>12s} {'variance x evaluations':>24s}")
product_error = {}
for name, (g, cost, colour) in estimates.items():
    error = g.std(axis=0) / np.sqrt(M)
    worst = np.abs((g.mean(axis=0) - truth) / error).max()
    squares = ((g - g.mean(axis=0)) ** 2).sum(axis=1)
    total, product_error[name] = squares.mean(), cost * squares.std() / np.sqrt(M)
    print(f"{name:26s} {worst:12.1f} {total:9.2f} {cost:12d} {total * cost:16.2f} ± {product_error[name]:.2f}")
    assert worst < 4 or name.startswith("direct")                           # only direct is biased
    assert worst > 20 or name != "direct, eps = 1"                          # and at eps = 1 this is plain to see
    at_equal_cost[name], bias[name] = total * cost, np.linalg.norm(g.mean(axis=0) - truth)
    own_noise[name] = np.sqrt(total / M)
later_figures.estimators({name: colour for name, (_, _, colour) in estimates.items()}, bias, own_noise, at_equal_cost)
plt.show()
print("in order of variance at equal cost, lowest first:", "; ".join(sorted(at_equal_cost, key=at_equal_cost.get)))
assert min(at_equal_cost, key=at_equal_cost.get) == "REINFORCE"
assert max(at_equal_cost, key=at_equal_cost.get) == "direct, eps = 0.1"

careless = signal_only + corrections(z_star, l + noise, rng.random((M, n)), forget=True)[:, 0]
error = careless.std(axis=0) / np.sqrt(M)
print(f"REBAR that forgets how s~ depends on l: worst {np.abs((careless.mean(axis=0) - truth) / error).max():.0f} "
      f"s.e., variance {careless.var(axis=0).sum():.2f}")
assert np.abs((careless.mean(axis=0) - truth) / error).max() > 10

unshared = ((l + logistic(M) + 0.1 * gain > 0) - z_star) / 0.1
error = unshared.std(axis=0) / np.sqrt(M)
print(f"direct, eps = 0.1, with fresh noise for the second arg max: variance {unshared.var(axis=0).sum():.0f}")
assert (np.abs(unshared.mean(axis=0) - exact_mean(0.1)) < 4 * error).all()

# %% [markdown]
# On the left, the dot of each estimator shows the distance of its mean from the exact gradient, and the mark shows the
# standard error of this mean. An estimator whose dot is near its mark, or to the left of it, is unbiased as far as
# these draws can tell. (For `direct` at $\epsilon = 0.1$, the distance is twice the standard error. We know from
# `exact_mean` that this estimator is biased, but these draws hardly show it.) On the right, the dots show the variance
# at equal cost, so a dot further to the left is better.
#
# Which estimator is best at equal cost? On this problem, it is REINFORCE with its constant baseline: it has no bias,
# and its variance at equal cost is the lowest. DisARM and local expectation come next and differ by 2 % (the exact
# values of variance times cost are 4.95 and 5.06). RELAX, with fitted weights and a fitted $\eta$, has a quarter less
# variance than REBAR at $\eta = 1$. `direct` at $\epsilon = 0.1$ is last by far. At $\epsilon = 1$, its variance is
# low, but it has a bias that no number of draws removes.
#
# The last two printed lines show two mistakes. If the dependence of $\tilde s$ on $l$ is forgotten, the mean of REBAR
# is wrong. The variance does not reveal this: it is even a little smaller than that of the correct REBAR. So always
# test the mean of an estimator, against enumeration, with a nonlinear $f$. The last line is explained under "Where it
# goes wrong".
#
# ## In training
#
# Do the estimators have the same order in training as in the table? We train models with eight binary variables and 100
# hidden units on MNIST, for eight epochs and with one seed. The runs differ in the gradient estimator. There is one
# other difference. With enumeration (`exact`), the decoder learns from all vectors, and each vector is weighted by $q$.
# With any other estimator, the decoder learns from a sample. The bound is exact: it is a sum over all 256 vectors. (In
# these runs, REBAR and RELAX learn their weights from earlier batches.)

# %%
names = ("exact", "direct", "local-expectation", "rebar", "relax", "arm", "disarm", "reinforce-loo")
runs, budget = {name: tutorial_runs.load(f"binary-{name}").rows for name in names}, 0.8     # million evaluations
later_figures.binary_runs(runs)
plt.show()
at_end = {name: -rows[-1]["test_elbo"] for name, rows in runs.items()}
at_budget = {name: np.interp(budget, [row["evaluations"] / 1e6 for row in rows], [-row["test_elbo"] for row in rows])
             for name, rows in runs.items() if rows[0]["evaluations"] <= budget * 1e6}
for words, bounds in (("after eight epochs", at_end), (f"after {budget} million evaluations", at_budget)):
    print(f"{words:>29s}:", ", ".join(f"{name} {bounds[name]:.1f}" for name in sorted(bounds, key=bounds.get)))
in_table = {"disarm": "DisARM", "local-expectation": "local expectation", "arm": "ARM",
            "reinforce-loo": "REINFORCE, leave one out", "rebar": "REBAR"}
by_variance = sorted(in_table, key=lambda name: at_equal_cost[in_table[name]])
print("in the table, by variance at equal cost, lowest first:", ", ".join(by_variance))
assert set(sorted(at_budget, key=at_budget.get)[:2]) == {"disarm", "reinforce-loo"}
assert set(by_variance[:2]) == {"disarm", "local-expectation"} and at_end["arm"] == max(at_end.values())
for one, other in (("DisARM", "local expectation"), ("ARM", "REINFORCE, leave one out")):
    assert abs(at_equal_cost[one] / at_equal_cost[other] - 1) < 0.03                             # level in the table
assert max(in_table, key=at_budget.get) == "local-expectation" and by_variance[-1] == "rebar"

# %% [markdown]
# At the same number of epochs (left), most runs lie close together, and ARM is behind. At the same number of
# evaluations (right), the estimators that need two or three scores are far ahead of those that need all neighbours. In
# the table of variances at equal cost, DisARM and local expectation are nearly equal. But their bounds in training, at
# equal evaluations (second printed line), are not: DisARM is first, local expectation is sixth, and `direct` is last.
# Local expectation is far behind DisARM partly because it makes fewer steps: it has not finished two epochs when DisARM
# has finished eight. At equal epochs, local expectation is ahead of DisARM. These runs have only one seed and eight
# epochs.
#
# ## When to choose which estimator
#
# [results.md](results.md#fifteen-binary-variables) has longer runs, with fifteen variables on Fashion-MNIST, a hundred
# epochs and one to three seeds for each estimator. These runs have our settings: a fixed $\epsilon$, and the gradient
# of the KL term. `direct` ends at 150.8 nats, DisARM at 155.0, RELAX at 155.5, REBAR at 157.1, local expectation at
# 157.3 and ARM at 161.8. The 95 % intervals of REBAR and DisARM (two seeds each) overlap with the interval of `direct`.
# (The interval of REBAR is far wider than that of RELAX.) With the settings of the released
# code, the comparison is still open. [results.md](results.md#fifteen-binary-variables) also shows that the *bias* of
# `direct` is an advantage: this bias helps the decoder.
#
# | estimator | what it needs | bias | choose it when |
# | --- | --- | --- | --- |
# | local expectation | $f$ at $z$ and its $n$ neighbours | none | the neighbours are cheap and $q$ is a product |
# | DisARM | $f$ at two samples | none | $f$ is a black box or expensive, and the variables are binary |
# | ARM | the same two samples | none | never: DisARM is the mean of ARM given the same samples, so DisARM has less variance |
# | REBAR | $f$ at three points, two of them relaxed, and two gradients | none | $f$ is differentiable, and its values between 0 and 1 are close to those at 0 and 1 |
# | RELAX | the same, and a network | none | $f_\tau$ is not close enough to $f$ for REBAR, and training is long enough to fit the network |
# | `direct` | $f$ at $z^{\star}$ and its $n$ neighbours | order $\epsilon$ | the arg max comes from a solver and $q$ has no formula (chapter 8), or training is long and may profit from the bias |
#
# REINFORCE needs $f$ only at the sample. The baseline is the mean score of samples from earlier steps, or of other
# samples from the same step. With few evaluations, REINFORCE is hard to beat, as the printed table shows.
#
# ## Exercises
#
# **1 (easy).** Let $f$ be linear. Then $\text{gain}_i$ is the same at every $z$. Which estimators have zero variance?
# Guess first. Then check the guess for local expectation, and compute the bias of `direct` at $\epsilon = 1$.
#
# <details><summary>Solution</summary>
#
# Local expectation has zero variance, because $\sigma(l_i)(1-\sigma(l_i))\, \text{gain}_i$ is the same in every draw.
# `direct` is still noisy, and biased.
#
# ```python
# slopes, nonlinear = rng.normal(size=n), f
# f = lambda z: z @ slopes                                              # `neighbours` looks f up when it is called
# exact, linear = on * (1 - on) * slopes, neighbours(z_star[:1_000])
# f = nonlinear
# assert np.allclose(on * (1 - on) * (linear[:, :, 1] - linear[:, :, 0]), exact)      # the same in every draw
# biased = (sigmoid(l + slopes) - on) / 1.0                                   # mean of direct at eps = 1
# assert np.abs(biased - exact).max() > 0.01
# ```
#
# </details>
#
# **2 (medium).** For one variable, check by sampling that DisARM is the mean of ARM given $b_1$ and $b_2$. To do this,
# average ARM within the groups of draws that have the same $b_1$ and $b_2$.
#
# <details><summary>Solution</summary>
#
# ```python
# i = 0
# half = uniform[:, i] - 0.5
# for first, second in ((0, 1), (1, 0), (1, 1), (0, 0)):
#     group = (b1[:, i] == first) & (b2[:, i] == second)
#     if group.sum() > 100:
#         mean = 0.5 * (-1) ** second * (first != second) * sigmoid(abs(l[i]))
#         assert abs(half[group].mean() - mean) < 4.5 * half[group].std() / np.sqrt(group.sum())
# ```
#
# </details>
#
# **3 (hard).** In the released code, REBAR multiplies every image's $\nabla \log q$ by the *batch mean* of $f$, instead
# of the image's own $f$. Do the same with REINFORCE, on batches of $B = 100$ copies of this problem. Show that the
# *sum* of the $B$ estimates is an unbiased estimate of the gradient of one copy, and find out what happens to the
# variance.
#
# <details><summary>Solution</summary>
#
# In the batch mean, the image's own score has the weight $1/B$. The scores of the 99 other images do not depend on this
# image's $z$, so they add noise but change no mean. So the expectation of one image's estimate is $1/B$ times the true
# gradient. Hence the *sum* of the $B$ estimates has the true gradient as its expectation, and their average has only
# $1/B$ of this gradient.
#
# ```python
# B = 100
# z = z_star.reshape(-1, B, n)
# signal = f(z) - q @ f(every)
# own = (signal[..., None] * (z - on)).mean(axis=1)                            # one row for each of the 400 batches
# shared = (signal.mean(axis=1)[:, None, None] * (z - on)).sum(axis=1)         # has the same expectation as `own`
# error = shared.std(axis=0) / np.sqrt(len(shared))
# assert (np.abs(shared.mean(axis=0) - truth) < 4.5 * error).all()
# assert shared.var(axis=0).sum() > 20 * own.var(axis=0).sum()
# ```
#
# </details>
#
# ## Where it goes wrong in practice
#
# - $f$ is not evaluated at the whole vector $z^{\star}$ that was drawn.
# - The two arg maxes do not share their noise. Fresh noise for the second one leaves the mean as it is, since
#   $\text{gain}_i$ does not depend on $\gamma_i$. But then the two arg maxes often differ by chance alone, and the
#   variance grows like $1/\epsilon^2$ instead of $1/\epsilon$. The last line below the table shows this variance.
# - Only the variance is measured. An estimator with a large bias can have a very low variance.
# - Two methods are compared at the same number of epochs, although one method needs 16 evaluations per step and the
#   other method needs only two.
#
# ## Now write it yourself
#
# In workbook file 12, you write the table of single changes for $n$ binary variables. Both `direct` and local
# expectation are computed from this table. Check the file with `python tutorials/workbook/check.py 12`.
#
# ## What to read next
#
# [Chapter 8](08_structured_encoders.ipynb) is about variables that depend on each other. In the package,
# `refimpl/estimators/` has one file for each estimator, and `python -m refimpl measure estimators` measures them. The
# papers are Tucker et al. (REBAR, 2017), Grathwohl et al. (RELAX, 2018), Yin and Zhou (ARM, 2019) and Dong et al.
# (DisARM, 2020).
#
# ## Symbols
#
# | symbol | in the code | the slides write | meaning |
# | --- | --- | --- | --- |
# | $z = (z_1, \ldots, z_n)$ | `z` (M, n) | $z_1, \ldots, z_n$ | $n$ binary variables, independent under $q$, given the image $x$ |
# | $l_i = h_i(1) - h_i(0)$ | `l` (n,) | $\phi_i$ | logit of variable $i$ |
# | $\sigma(l_i)$ | `on` (n,) | | the sigmoid of the logit: $q(z_i = 1)$ |
# | $f(z)$ | `f(z)` | $\theta(z_1, \ldots, z_n)$ | the decoder's score of the *whole* vector |
# | $\text{gain}_i$ | `gain` (M, n) | | what $f$ gains if $z_i$ is 1 instead of 0, while the other variables are as in $z^{\star}$ |
# | $\gamma_i$ | `noise` (M, n) | $\gamma_i(1) - \gamma_i(0)$ | logistic noise of variable $i$: the difference of two Gumbels |
# | $z^{\star}$, $z(\epsilon)$ | `z_star` (M, n) | $z^{\phi+\gamma}$, $z^{\epsilon\theta+\phi+\gamma}$ | the arg max without and with $\epsilon f$ |
# | $G$ | | $G(w, \epsilon)$ | the mean maximum, $E \max_z \{\epsilon f(z) + \sum_i (l_i + \gamma_i) z_i\}$ |
# | $q$ | `q` (64,) | | law of $z^{\star}$, the product of the $q(z_i)$ |
# | $U$ | `uniform`, `fresh` | | uniform random number between 0 and 1 |
# | $b_1$, $b_2$ | `b1`, `b2` | | the two opposed binary samples that ARM uses |
# | $s$ | `s` | | perturbed logit $l + \gamma$, which REBAR uses |
# | $\tau$, $\eta$ | `tau`, `eta` | | temperature of the relaxed sample; the factor with which REBAR subtracts the relaxed score |
# | $\rho$ | | | the logistic density of the noise |
# | $g$ | `g` (M, n) | | one estimate of the gradient |
# | $M$ | `M` | | number of samples |
