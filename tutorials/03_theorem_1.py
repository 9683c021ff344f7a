# %% [markdown]
# # 3. Theorem 1, step by step
#
# **You will** prove that the gradient of an expectation over an arg max is a difference of two arg maxes, checking
# every step in numbers. **You will learn** where the $1/\epsilon$ comes from, what "smooth" is needed for, and how the
# weights of an encoder enter. **You need** [chapter 2](02_danskin.ipynb). It runs in about five seconds.
#
# | symbol | in the code | the slides write | meaning |
# | --- | --- | --- | --- |
# | $h_w(z)$ | `h`, `h_of(w)` | $\phi(x,z;w)$ | the encoder's score, which depends on weights $w$ |
# | $f(z)$ | `f` | $\theta(x,z)$ | the decoder's score, to be made large on average |
# | $z^{\star}$, $z(\epsilon)$ | `z_star`, `z_eps` | $z^{\phi+\gamma}$, $z^{\epsilon\theta+\phi+\gamma}$ | winners of $h + \gamma$ and of $\epsilon f + h + \gamma$, with the *same* $\gamma$ |
# | $q$, $q_\epsilon$ | `q`, `q_eps` | | softmax of $h$, of $h + \epsilon f$ |
# | $G(w, \epsilon)$ | `G` | $G(w, \epsilon)$ | $E_\gamma \max_z \{\epsilon f(z) + h_w(z) + \gamma(z)\}$ |
#
# **Theorem 1** (equation 1 of the paper).
#
# $$\nabla_w E_\gamma [f(z^{\star})] = \lim_{\epsilon \to 0} \frac{1}{\epsilon} E_\gamma [\nabla_w h_w(z(\epsilon)) - \nabla_w h_w(z^{\star})]$$
#
# Finitely many values $z$; $h_w(z)$ twice continuously differentiable in $w$; $f$ does not depend on $w$ (what $f$
# depends on beside is trained by its own gradient); $\gamma$ has a law that depends on neither $w$ nor $\epsilon$. (A
# ReLU network is that smooth except on a set of weights of measure zero, which is what one lives with in practice.)
#
# On the left, what we want and cannot get by differentiating a sample $f(z^{\star})$. (One can sample it another way,
# $f(z^{\star}) \nabla_w \log q(z^{\star})$, the score function or REINFORCE: chapter 7 compares.) On the right, what we
# can sample: run the arg max twice, and differentiate *scores*, which are smooth functions of the weights.

# %%
import sys
from pathlib import Path

here = Path.cwd()               # find the package, wherever in (or just above) a clone of the repository this runs
sys.path[:0] = [str(place) for place in (here, *here.parents, *here.glob("*/")) if (place / "refimpl").is_dir()][:1]
if not any((Path(place) / "refimpl").is_dir() for place in sys.path):
    sys.exit("This chapter needs the package: clone the whole repository and start in it, or set PYTHONPATH to it.")

import matplotlib.pyplot as plt
import numpy as np

from refimpl import gumbel, plots

plots.chapter_style()
rng = np.random.default_rng(11)
f = np.array([-1.0, 2.0, 0.5])
centre = np.array([0.8, 0.1, -0.4])
direction = np.array([-1.0, 1.0, 0.3])


def h_of(w):                                # an encoder with one weight, to be able to draw it
    return centre + w * direction


def softmax(a):
    e = np.exp(a - a.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def logsumexp(a):
    return np.log(np.exp(a).sum(axis=-1))


# %% [markdown]
# ## What does not work (slide 17)
#
# Fix the noise and move the weight. The winner jumps; in between nothing happens. The derivative of $f(z^{\star})$ is
# zero wherever it exists. Averaging ten such staircases gives a finer staircase, of slope zero still. The
# *average over all noise* is the black curve, whose slope we are after.

# %%
w = np.linspace(-2, 3, 501)
truth = (softmax(h_of(w[:, None])) * f).sum(axis=1)                   # E f(z*), exactly, by Theorem 2
noise = gumbel.sample((10, 3), rng)
stairs = f[(h_of(w[:, None, None]) + noise).argmax(axis=-1)]          # (501, 10)

figure, ax = plt.subplots(figsize=(6.5, 3.2))
ax.plot(w, truth, color=plots.TRUTH, linewidth=3, label="$E f(z^{\\star})$, exact")
ax.plot(w, stairs[:, 0], color=plots.FURTHER[1], label="one draw of the noise")
ax.plot(w, stairs.mean(axis=1), color=plots.FURTHER[0], label="mean of ten draws")
ax.set(xlabel="weight w", ylabel="f, nats")
ax.legend(fontsize=9)
plt.show()
flat = np.diff(stairs.mean(axis=1)) == 0
print(f"mean of ten draws: {flat.mean():.1%} of the steps along w are exactly flat, {np.sum(~flat)} are jumps")

# %% [markdown]
# ## Step 1: $G$ is smooth
#
# Put the objective *inside the maximum* with a small weight $\epsilon$. Chapter 2:
# $G(w, \epsilon) = \log \sum_z e^{h_w(z) + \epsilon f(z)}$. If $h_w$ is smooth in $w$, then $G$ is smooth in
# $(w, \epsilon)$ together, also around $\epsilon = 0$.

# %%
def G(w, eps):
    return logsumexp(h_of(w) + eps * f)


draws = gumbel.sample((200_000, 3), rng)                    # shared by the three points, so their errors go together
for point in ((0.0, 0.0), (1.0, 0.7), (1.0, -0.7)):
    highest = (point[1] * f + h_of(point[0]) + draws).max(axis=1)
    error = highest.std() / np.sqrt(len(draws))
    print(f"w = {point[0]:g}, eps = {point[1]:+g}: logsumexp {G(*point):.4f}, "
          f"mean of sampled maxima {highest.mean():.4f} ± {error:.4f}")
    assert abs(highest.mean() - G(*point)) < 4 * error

# %% [markdown]
# ## Step 2: differentiate in $\epsilon$ first, then in $w$
#
# Danskin in $\epsilon$: $\partial_\epsilon G(w, \epsilon) = E f(z(\epsilon))$. At $\epsilon = 0$ that is
# $E f(z^{\star})$, the very thing whose gradient we want. So (equation 3)
#
# $$\partial_w \partial_\epsilon G(w, 0) = \nabla_w E_\gamma [f(z^{\star})]$$

# %%
at, d = 0.6, 1e-4


def dG_deps(w, eps):
    return softmax(h_of(w) + eps * f) @ f                   # E f(z(eps)), exactly


assert np.isclose(dG_deps(at, 0), (G(at, d) - G(at, -d)) / (2 * d), rtol=1e-7)
left_side = (dG_deps(at + d, 0) - dG_deps(at - d, 0)) / (2 * d)
print(f"d/dw of E f(z*) = {left_side:.8f}")

# %% [markdown]
# ## Step 3: differentiate in $w$ first, then in $\epsilon$
#
# Danskin in the scores (chapter 2): $\partial G / \partial h(z) = P(z(\epsilon) = z)$. The chain rule adds up what each
# score contributes,
# $\partial_w G(w, \epsilon) = \sum_z P(z(\epsilon) = z)\, \nabla_w h_w(z) = E_\gamma [\nabla_w h_w(z(\epsilon))]$: hold
# the winner, and differentiate what it wins with. Now the derivative in $\epsilon$ at 0 is, by definition, the limit of
# a difference quotient (equation 4):
#
# $$\partial_\epsilon \partial_w G(w, 0) = \lim_{\epsilon \to 0} \frac{1}{\epsilon} E_\gamma [\nabla_w h_w(z(\epsilon)) - \nabla_w h_w(z^{\star})]$$
#
# That is the right-hand side of the theorem, and this is where $1/\epsilon$ comes from: it is nothing but a difference
# quotient in $\epsilon$.

# %%
def dG_dw(w, eps):
    return softmax(h_of(w) + eps * f) @ direction           # E grad_w h(z(eps)), and grad_w h(z) = direction[z] here


assert np.isclose(dG_dw(at, 0), (G(at + d, 0) - G(at - d, 0)) / (2 * d), rtol=1e-7)
for eps in (1.0, 0.1, 0.01, 0.001):
    print(f"eps = {eps:5g}: (E grad h(z(eps)) - E grad h(z*)) / eps = {(dG_dw(at, eps) - dG_dw(at, 0)) / eps:.8f}")
right_side = (dG_dw(at, d) - dG_dw(at, -d)) / (2 * d)

# %% [markdown]
# ## Step 4: the order does not matter
#
# $G$ is twice continuously differentiable (step 1), so its mixed derivatives agree (Schwarz): the Hessian of $G$ in
# $(w, \epsilon)$ is symmetric. Step 2 equals step 3. $\blacksquare$

# %%
print(f"in eps, then in w: {left_side:.8f}\nin w, then in eps: {right_side:.8f}")
assert np.isclose(left_side, right_side, rtol=1e-6)

# %% [markdown]
# Written out, with $h$ itself in the place of $w$ (so that $\nabla_h h(z) = \text{onehot}(z)$) and
# $E_q f = \sum_z q(z) f(z)$: a softmax has
# $\partial q_\epsilon(z) / \partial h(z') = q_\epsilon(z) ([z = z'] - q_\epsilon(z'))$ and
# $\partial q_\epsilon(z) / \partial \epsilon = q_\epsilon(z) (f(z) - E_{q_\epsilon} f)$. Multiply the first by $f(z)$
# and add over $z$: the second comes out. Both orders give $q_\epsilon (f - E_{q_\epsilon} f)$, at every $\epsilon$; at
# 0 it is $q (f - E_q f)$.

# %%
h, eps = h_of(at), 0.4
q_eps = softmax(h + eps * f)
formula = q_eps * (f - q_eps @ f)
expected = lambda h: softmax(h + eps * f) @ f
in_h = np.array([(expected(h + d * unit) - expected(h - d * unit)) / (2 * d) for unit in np.eye(3)])
in_eps = (softmax(h + (eps + d) * f) - softmax(h + (eps - d) * f)) / (2 * d)
print("q_eps (f - E f)    ", formula.round(7))
print("d/dh of E f(z_eps) ", in_h.round(7))
print("d/deps of q_eps    ", in_eps.round(7))
assert np.allclose(in_h, formula, atol=1e-8) and np.allclose(in_eps, formula, atol=1e-8)

# %% [markdown]
# ## The estimator
#
# Drop the limit, drop the expectation: draw noise once, take two arg maxes, subtract. Naive loop, then in one go:

# %%
def direct_gradient_loop(h, f, eps, noise):
    rows = []
    for gamma in noise:
        z_star = np.argmax(h + gamma)
        z_eps = np.argmax(eps * f + h + gamma)              # the same gamma
        rows.append((np.eye(len(h))[z_eps] - np.eye(len(h))[z_star]) / eps)
    return np.array(rows)


def direct_gradient(h, f, eps, noise):
    z_star, z_eps = (h + noise).argmax(axis=-1), (eps * f + h + noise).argmax(axis=-1)
    return (np.eye(len(h))[z_eps] - np.eye(len(h))[z_star]) / eps


assert (direct_gradient_loop(h, f, 0.2, draws[:500]) == direct_gradient(h, f, 0.2, draws[:500])).all()

q = softmax(h)
truth = q * (f - q @ f)
for eps in (1.0, 0.3, 0.1):
    sampled = direct_gradient(h, f, eps, draws)
    exact_mean = (softmax(h + eps * f) - q) / eps           # E onehot(z(eps)) = q_eps, E onehot(z*) = q
    error = sampled.std(axis=0) / np.sqrt(len(draws))
    print(f"eps = {eps}: sampled {sampled.mean(axis=0).round(4)}, "
          f"its exact mean {exact_mean.round(4)}; limit {truth.round(4)}; "
          f"share of draws that are zero {np.mean((sampled == 0).all(axis=1)):.2f}")
    assert (np.abs(sampled.mean(axis=0) - exact_mean) < 4 * error).all()

# %%
few = draws[:4_000]
grid = np.geomspace(0.03, 3, 15)
figure, ax = plt.subplots(figsize=(6.5, 3.2))
ax.axhline(truth[1], color=plots.TRUTH, linewidth=3, label="the gradient")
finite = [((softmax(h + eps * f) - q) / eps)[1] for eps in grid]
ax.semilogx(grid, finite, color="0.5", label="$(q_\\epsilon - q) / \\epsilon$")
means = np.array([direct_gradient(h, f, eps, few)[:, 1].mean() for eps in grid])
errors = np.array([direct_gradient(h, f, eps, few)[:, 1].std() for eps in grid]) / np.sqrt(len(few))
ax.errorbar(grid, means, 2 * errors, fmt="o", color=plots.colour("direct"), label="4,000 draws, ± 2 standard errors")
ax.set(xlabel="eps, 1/nat", ylabel="component of z = 1, nats")
ax.legend(fontsize=9)
plt.show()

# %% [markdown]
# What to see. Most draws give zero: the two winners are the same. The rest have $+1/\epsilon$ at $z(\epsilon)$,
# $-1/\epsilon$ at $z^{\star}$ and 0 elsewhere. The smaller $\epsilon$, the rarer and the larger; the mean at each
# $\epsilon$ is known exactly, $(q_\epsilon - q)/\epsilon$, and tends to the gradient. How to choose $\epsilon$ is
# chapter 4.
#
# ## Weights
#
# Real encoders have many weights. Nothing changes: $\nabla_w h_w(z)$ is an ordinary backward pass through the encoder,
# started from $\text{onehot}(z)$. It is linear in what it starts from, so one backward pass, started from the
# *difference*, does for both terms. A linear encoder $h = W x$ shows it:

# %%
x, W = rng.normal(size=4), rng.normal(size=(3, 4))
sampled = direct_gradient(W @ x, f, 0.1, draws)             # a gradient in h for each draw
dW = np.einsum("sz,i->szi", sampled, x)                     # backward: h_z = sum_i W_zi x_i  =>  dW_zi = dh_z x_i
q_W = softmax(W @ x)
exact = np.outer((softmax(W @ x + 0.1 * f) - q_W) / 0.1, x)
error = dW.std(axis=0) / np.sqrt(len(draws))
assert (np.abs(dW.mean(axis=0) - exact) <= 4 * error).all()
by_difference = np.zeros((3, 4))
for index in np.ndindex(3, 4):
    shift = np.zeros((3, 4))
    shift[index] = 1e-5
    by_difference[index] = (softmax((W + shift) @ x) @ f - softmax((W - shift) @ x) @ f) / 2e-5
assert np.allclose(by_difference, np.outer(q_W * (f - q_W @ f), x), atol=1e-8)
print("gradient in W: differences of the exact E f agree with the chain rule, and samples with their exact mean")

# %% [markdown]
# ## On the blackboard
#
# 1. $G(w,\epsilon) = E_\gamma \max_z \{\epsilon f(z) + h_w(z) + \gamma(z)\}$. For Gumbel noise
#    $G = \log\sum_z e^{h_w(z)+\epsilon f(z)}$, so $G$ is smooth.
# 2. Danskin under the average, in $\epsilon$: $\partial_\epsilon G = E f(z(\epsilon))$. Hence
#    $\partial_w \partial_\epsilon G(w,0) = \nabla_w E f(z^{\star})$.
# 3. Danskin under the average, in the scores, and the chain rule: $\partial_w G = E \nabla_w h_w(z(\epsilon))$. Hence
#    $\partial_\epsilon \partial_w G(w,0)$ is the limit of
#    $\frac{1}{\epsilon} E[\nabla_w h_w(z(\epsilon)) - \nabla_w h_w(z^{\star})]$.
# 4. $G$ is twice continuously differentiable, so 2 = 3.
#
# Gumbel noise entered in step 1 only. Other noise with a smooth, bounded density and a finite mean smooths $G$ as well,
# and the theorem holds for it (the supplement proves it; exercise 3 tries it); what is lost is $q$ in closed form.
#
# In the package: `danskin.d2G_dh_deps` and `danskin.d2G_deps_dh` (two routes), `direct.gradient` (the estimator),
# `exact.gradient` (the truth).

# %%
from refimpl import danskin, direct
from refimpl import exact as enumeration

assert np.allclose(danskin.d2G_dh_deps(h, f, 0.4), formula) and np.allclose(danskin.d2G_deps_dh(h, f, 0.4), formula)
assert (direct.gradient(h, f, 0.1, draws) == direct_gradient(h, f, 0.1, draws)).all()
assert np.allclose(enumeration.gradient(h, f), truth)

# %% [markdown]
# ## Exercises
#
# **1 (easy).** The entries of the estimate add up to 0 in every single draw. Why must they, and does the true gradient
# do the same?
#
# <details><summary>Solution</summary>
#
# Each draw adds $1/\epsilon$ once and takes it away once. Moving all scores by one number changes no winner, so the
# derivative in that direction is 0.
#
# ```python
# assert (direct_gradient(h, f, 0.1, draws).sum(axis=1) == 0).all() and abs(truth.sum()) < 1e-12
# ```
#
# </details>
#
# **2 (middling).** Use *fresh* noise for the second arg max. Is the estimate still unbiased for
# $(q_\epsilon - q)/\epsilon$? Compare the variances at $\epsilon = 0.1$.
#
# <details><summary>Solution</summary>
#
# The mean is the same: expectations do not see whether the two terms share noise. The variance is another matter: two
# independent winners differ in six draws of ten, instead of in seven of a hundred. (Reversing the order of `draws`
# would not do as fresh noise: a permutation leaves the sample mean of each term exactly as it was.)
#
# ```python
# other = gumbel.sample(draws.shape, rng)
# fresh = (np.eye(3)[(0.1 * f + h + other).argmax(axis=1)] - np.eye(3)[(h + draws).argmax(axis=1)]) / 0.1
# mean = (softmax(h + 0.1 * f) - q) / 0.1
# assert (np.abs(fresh.mean(axis=0) - mean) < 5 * fresh.std(axis=0) / np.sqrt(len(draws))).all()
# assert fresh.var(axis=0).sum() > 5 * direct_gradient(h, f, 0.1, draws).var(axis=0).sum()
# ```
#
# </details>
#
# **3 (hard).** Test the remark on other noise: with Gaussian noise, compare $\nabla_h E f(z^{\star})$, by differences
# of an integral, with the mean of the direct estimate at a small $\epsilon$.
#
# <details><summary>Solution</summary>
#
# ```python
# from scipy import stats
#
# t = np.arange(-12, 12, 0.01)
#
# def chosen(h):                                  # P(z* = z) with standard normal noise, as in chapter 1
#     below = np.stack([stats.norm.cdf(t - score) for score in h])
#     others = [np.prod(np.delete(below, z, axis=0), axis=0) for z in range(3)]
#     return np.array([(stats.norm.pdf(t - h[z]) * others[z]).sum() * 0.01 for z in range(3)])
#
# by_integral = np.array([(chosen(h + 1e-4 * unit) @ f - chosen(h - 1e-4 * unit) @ f) / 2e-4 for unit in np.eye(3)])
# sampled = direct_gradient(h, f, 0.05, rng.normal(size=(400_000, 3)))
# error = sampled.std(axis=0) / np.sqrt(len(sampled))
# bias = (chosen(h + 0.05 * f) - chosen(h)) / 0.05 - by_integral            # of eps = 0.05, exactly
# assert (np.abs(sampled.mean(axis=0) - by_integral - bias) < 4 * error).all() and np.abs(bias).max() < 0.05
# ```
#
# </details>
#
# ## Where it goes wrong in practice
#
# - Two different draws of noise (exercise 2): right on average, useless in practice.
# - The sign. $z(\epsilon)$ is favoured by $f$, and $f$ is to be *maximised*. With a loss in the place of $f$, put
#   $f = -\text{loss}$ and ascend.
# - The limit is of the *expectation*. For one fixed draw of the noise the two winners coincide for all small enough
#   $\epsilon$, and the "limit" of the estimate is 0.
# - Forgetting $1/\epsilon$ leaves the direction right and the size wrong, which a learning rate hides until a second
#   term (a KL) is added.
#
# ## What to read next
#
# [Chapter 4](04_finite_epsilon.ipynb): what the estimate is worth at the $\epsilon$ one really uses. In the package:
# `refimpl/danskin.py`, `refimpl/direct.py`. The supplement has the proof for general noise.
