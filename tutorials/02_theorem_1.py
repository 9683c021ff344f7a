# %% [markdown]
# # 2. Theorem 1: the slope of a staircase from two arg maxes
#
# **You will** see Theorem 1 in one picture, prove it, see where it fails, and train with it. **You will learn** why the
# gradient of an expectation over an arg max is a difference of two arg maxes, why this difference is divided by
# $\epsilon$, and what each assumption is for. **You need** [chapter 1](01_staircase.ipynb). This chapter runs in about
# fifteen seconds. Its symbols are listed at the end.

# %%
import start    # if it is not found: clone the whole repository, and run this chapter in its folder tutorials/

import matplotlib.pyplot as plt
import numpy as np
from scipy import stats

import race
from draw import chapter_2 as draw
from quadrature import chances, jacobian, walls
from refimpl import plots

names = ["shirt", "coat", "dress"]              # z = 0, 1, 2
colours = ["#004488", "#DDAA33", "#BB5566"]
h = np.array([0.3, -0.4, 0.6])                  # the encoder's scores
f = np.array([1.0, -2.0, 0.5])                  # the decoder's scores, nats
noise = np.random.default_rng(1).gumbel(-np.euler_gamma, size=(100_000, 3))     # one row per draw, mean 0
M = len(noise)

# %% [markdown]
# ## Two values: a wall on a line
#
# We want the slope of the smooth curve of chapter 1, that is, the gradient of $E f(z^{\star})$ with respect to the
# scores. Leave *dress* out for a moment, so that the choice is between shirt and coat. Only one difference of the noise
# matters, $\Delta_1 = \gamma_1 - \gamma_0$. The coat wins if $h_1 + \gamma_1 > h_0 + \gamma_0$, that is, if
#
# $$\Delta_1 > h_0 - h_1$$
#
# So the line of all values of $\Delta_1$ is divided at one point, which we call a *wall*. The shirt wins to the left of
# the wall, and the coat wins to the right. When the scores change, the noise stays where it is, and **the wall moves
# through the noise**.
#
# As in chapter 1, there are two arg maxes: $z^{\star}$ is the arg max of $h + \gamma$, and $z(\epsilon)$ is the arg max
# of $\epsilon f + h + \gamma$, with the *same* $\gamma$.
#
# **Guess first.** With $\epsilon = 0.2$, the wall moves from $\Delta_1 = 0.7$ to $1.3$. In how many of 100 draws does
# the winner change?

# %%
delta_1 = noise[:, 1] - noise[:, 0]
wall = h[0] - h[1]
tilted_wall = wall + 0.2 * (f[0] - f[1])
changed = np.mean((delta_1 > wall) & (delta_1 < tilted_wall))
t = np.linspace(-6, 6, 600)
density = np.exp(-t) / (1 + np.exp(-t)) ** 2                    # of the difference of two Gumbel variables (chapter 3)
draw.wall(delta_1, t, density, wall, tilted_wall)
plt.show()
print(f"the winner changes in {100 * changed:.1f} of 100 draws")

# %% [markdown]
# **What to see.** The two positions of the wall enclose a strip. For each draw in the strip, the winner changes from
# *coat* to *shirt*. For all other draws, the winner stays the same. The share of the draws in the strip is the width of
# the strip times the density in it. In a narrow strip, the density is nearly the same everywhere: it is the density at
# the wall, which we call $\rho$.
#
# - **Raise** $h_1$ by a small amount $\delta$. The wall moves to the left by $\delta$. In a share $\delta \rho$ of the
#   draws, the winner changes to the coat. In each of these draws, $f$ changes by $f_1 - f_0$. So
#   $\partial E f(z^{\star}) / \partial h_1 = (f_1 - f_0)\, \rho$.
# - **Add** $\epsilon f$ to the scores. The wall moves to the left by $\epsilon (f_1 - f_0)$. In a share
#   $\epsilon (f_1 - f_0)\, \rho$ of the draws, the winner changes to the coat. Divided by $\epsilon$, this share is
#   $(f_1 - f_0)\, \rho$.
#
# The two results are the same. (Here $f_1 - f_0$ is negative. So when $\epsilon f$ is added, the wall moves to the
# right, and the winner changes from coat to shirt.) The first result is the slope that we want. The second result can
# be estimated by counting: a program adds a small multiple of $f$ to the scores, computes a second arg max, and counts
# how often the second arg max differs from the first. The rest of this chapter does the same for many values.
#
# For Gumbel noise, the coat wins with probability $\sigma(h_1 - h_0)$, where $\sigma$ is the sigmoid function. Then
# $\rho = q_0 q_1$, the product of the two probabilities. (Chapter 3 proves both statements.) The next cell compares the
# slope with $(f_1 - f_0)\, \rho$ and with the share divided by $\epsilon$:

# %%
sigmoid = lambda score: 1 / (1 + np.exp(-score))
q_coat = sigmoid(h[1] - h[0])
rho = np.exp(-wall) / (1 + np.exp(-wall)) ** 2
slope = (f[1] - f[0]) * (sigmoid(h[1] - h[0] + 1e-5) - sigmoid(h[1] - h[0] - 1e-5)) / 2e-5     # dE f / dh_1
print(f"slope of E f with respect to the coat's score {slope:.6f};  (f_1 - f_0) rho = {(f[1] - f[0]) * rho:.6f}")
for eps in (0.1, 0.01, 0.001):
    more = sigmoid(h[1] - h[0] + eps * (f[1] - f[0])) - q_coat
    print(f"eps = {eps:5g}: (probability of the coat at eps - probability at 0) / eps = {more / eps:.6f}")

# %% [markdown]
# ## Three values: a Y in the plane
#
# With three names, the arg max depends on two differences, $\Delta_1$ and $\Delta_2 = \gamma_2 - \gamma_0$. So each
# draw of the noise is a dot in a plane. The shirt wins where $\Delta_1 < h_0 - h_1$ and $\Delta_2 < h_0 - h_2$. The
# borders between the regions of the three names form a Y, whose centre is the point $(h_0 - h_1,\; h_0 - h_2)$. The
# three arms of the Y are the walls. On the arm between the names $i$ and $j$, these two names tie at the top. When the
# scores change, the Y moves, but the dots stay where they are. All dots together are the *cloud*.
#
# **Guess first.** In the next figure, $\epsilon$ is ten times smaller in the right panel than in the left one. So the
# winner changes in fewer draws in the right panel. How many times fewer?

# %%
draw.clouds(h, f, (1.0, 0.3, 0.1), noise[:150])
plt.show()
z_star = (h + noise).argmax(axis=1)
share = {eps: np.mean((eps * f + h + noise).argmax(axis=1) != z_star) for eps in (1.0, 0.1)}
print(f"the winner changes in {share[1.0]:.1%} of all draws at eps = 1, in {share[0.1]:.1%} at eps = 0.1: "
      f"{share[1.0] / share[0.1]:.1f} times fewer\nshare / eps is {share[1.0]:.2f} and {share[0.1] / 0.1:.2f}")

# %% [markdown]
# **What to see.** Each dot is a draw, and its colour is the winner. The solid Y belongs to the scores $h$, and the
# dashed Y to the scores $h + \epsilon f$. A large dot is a draw whose winner changes: its left half has the colour of
# the old winner, and its right half the colour of the new one. As $\epsilon$ falls, the strips between the two Ys
# become narrower, and the winner changes in fewer draws. From $\epsilon = 1$ to $0.1$, the number of changes among all
# 100,000 draws falls by a factor of only about six. (Among the 150 draws shown, it falls from 38 to 5.) The reason is
# that the wide strips at $\epsilon = 1$ reach into regions where there are few dots. As $\epsilon$ tends to 0, the
# number of changes becomes proportional to $\epsilon$. In the estimate, a draw has the weight $1/\epsilon$ if its
# winner changes. So the mean of the estimate over all noise tends to a limit.
#
# ![As epsilon falls, the walls move less: the winner changes in fewer draws, and each counts more](figures/walls.gif)
#
# ## The density of the noise along a wall
#
# Raise $h_j$ by $\delta$. In which draws does the winner change from $i$ to $j$? Let $t = \gamma_i + h_i$ be the height
# of $i$. The winner changes if two conditions hold before $h_j$ is raised. First, $j$ is lower than $i$ by less than
# $\delta$, so $\gamma_j + h_j$ is in $[t - \delta, t]$. Second, all other names $z$ are lower than $i$, so
# $\gamma_z + h_z < t$. Write $F$ for the distribution function of the noise and $F'$ for its density. The height of $i$
# has the density $F'(t - h_i)$. The condition on $j$ has probability $\delta\, F'(t - h_j)$ for small $\delta$. The
# condition on $z$ has probability $F(t - h_z)$. All names have independent noise. Multiply, integrate over $t$, and
# divide by $\delta$:
#
# $$\rho_{ij} = \int F'(t - h_i)\, F'(t - h_j) \prod_{z \ne i, j} F(t - h_z) \, dt$$
#
# Here $\rho_{ij}$ is the density of the noise along the wall between $i$ and $j$: the share of the draws that the wall
# sweeps over, per unit of increase in $h_j$. This density stays the same when $i$ and $j$ are exchanged. The next cell
# computes the integral numerically, by *quadrature* (`tutorials/quadrature.py`). For Gumbel noise, the result is
# $q_i q_j$, as chapter 3 proves.

# %%
gumbel_law = stats.gumbel_r(loc=-np.euler_gamma)
q, rho = chances(gumbel_law, h), walls(gumbel_law, h)           # P(z* = z) by a similar integral, and all rho_ij
for i, j in ((0, 1), (0, 2), (1, 2)):
    print(f"{names[i]:5s} | {names[j]:5s}: rho = {rho[i, j]:.12f}, q_i q_j = {q[i] * q[j]:.12f}")

# %% [markdown]
# ## One wall, two sides
#
# Raise $h_j$ by a small amount. The region of $j$ grows, and every wall of $j$ moves into the region of a neighbour. So
# $j$ gains draws from each neighbour $i$. The draws that $j$ gains from $i$ are a fraction of all draws. Divided by the
# increase in $h_j$, this fraction tends to $\rho_{ij}$:
#
# $$\frac{\partial q_i}{\partial h_j} = -\rho_{ij} \quad (i \ne j), \qquad \frac{\partial q_j}{\partial h_j} = \sum_{i \ne j} \rho_{ij}$$
#
# The wall between $i$ and $j$ is *one* wall. So the rate $\rho_{ij}$ is the same in both directions. If $h_j$ rises,
# $j$ gains draws from $i$. If $h_i$ rises instead, $i$ gains draws from $j$ at the same rate. So
# $\partial q_i / \partial h_j = \partial q_j / \partial h_i$. By Danskin's theorem (chapter 1),
# $q = \partial G / \partial h$. So these two derivatives of $q$ are second derivatives of $G$ with respect to $h_i$ and
# $h_j$, taken in different orders. By Schwarz's theorem, the two derivatives are equal, and the wall explains why.

# %%
J = jacobian(gumbel_law, h)                                     # by difference quotients of the probabilities
print("dq_i / dh_j by difference quotients:\n", J.round(6))
assert np.allclose(J, J.T, rtol=0, atol=1e-8)
assert np.allclose(J, np.diag(rho.sum(axis=1)) - rho, rtol=0, atol=1e-8)

# %% [markdown]
# ## The theorem
#
# **Theorem 1** (equation 1 of the paper). Let $z$ take finitely many values, and let the scores $h_w(z)$ depend on
# weights $w$. Assume that
#
# - (a) $h_w(z)$ is differentiable at $w$, for each $z$ (this is enough; if $h_w(z)$ is even continuously
#   differentiable, so is $E f(z^{\star})$);
# - (b) $f(z)$ does not depend on $w$ (otherwise the left side of the equation below has one more term,
#   $E \nabla_w f(z^{\star})$);
# - (c) the distribution of the noise $\gamma$ depends neither on $w$ nor on $\epsilon$ (so the walls move, but the
#   cloud does not);
# - (d) the $\gamma(z)$ are independent, and each has a bounded density (so the noise has a density along each wall).
#   Gumbel, Gaussian and uniform noise have bounded densities. If several values share noise, as matchings do in chapter
#   1, see [appendix D](appendix_d_unary_noise.ipynb).
#
# Then
#
# $$\nabla_w E_\gamma [f(z^{\star})] = \lim_{\epsilon \to 0} \frac{1}{\epsilon} E_\gamma [\nabla_w h_w(z(\epsilon)) - \nabla_w h_w(z^{\star})]$$
#
# The theorem is also a recipe. Draw the noise once. Find the winner. Add a small multiple of the decoder's scores to
# the encoder's scores, and find the winner again with the same noise. Push the score of the second winner up and the
# score of the first winner down. (In an auto-encoder, the decoder's weights are trained with the ordinary gradient of
# $f$ at $z^{\star}$.)
#
# *Proof.* Let $J$ be the table of all $\partial q_i / \partial h_j$.
#
# *Left side.* $E f(z^{\star}) = \sum_i q_i f_i$. By the chain rule, its derivative with respect to $h_j$ is
# $\sum_i f_i\, \partial q_i / \partial h_j$. In terms of walls: each neighbour $i$ loses $\rho_{ij}$ to $j$. If the
# winner of a draw changes from $i$ to $j$, then $f$ changes by $f_j - f_i$:
#
# $$\frac{\partial}{\partial h_j} E f(z^{\star}) = \sum_{i \ne j} \rho_{ij} (f_j - f_i)$$
#
# *Right side.* The distribution $q_\epsilon$ of $z(\epsilon)$ is $q$ at the scores $h + \epsilon f$. By the chain rule,
# the derivative of $q_\epsilon(j)$ with respect to $\epsilon$ at 0 is $\sum_i f_i\, \partial q_j / \partial h_i$. (The
# left side contains $\partial q_i / \partial h_j$ instead.) In terms of walls: the wall between $i$ and $j$ moves by
# $\epsilon (f_j - f_i)$, and, to first order, $j$ gains $\epsilon \rho_{ij} (f_j - f_i)$ from $i$:
#
# $$\lim_{\epsilon \to 0} \frac{q_\epsilon(j) - q(j)}{\epsilon} = \sum_{i \ne j} \rho_{ij} (f_j - f_i)$$
#
# The left side and the right side are equal because $J$ is symmetric, and $J$ is symmetric because the wall between $i$
# and $j$ has one density, $\rho_{ij}$.
#
# *Weights.* On the left, the chain rule gives
# $\nabla_w E f(z^{\star}) = \sum_j (\partial E f(z^{\star}) / \partial h_j)\, \nabla_w h_w(j)$. On the right,
# $E[\nabla_w h_w(z(\epsilon)) - \nabla_w h_w(z^{\star})] = \sum_j (q_\epsilon(j) - q(j))\, \nabla_w h_w(j)$. Divide
# this by $\epsilon$ and let $\epsilon$ go to 0. $\blacksquare$
#
# ([Appendix A](appendix_a_walls_and_noise.ipynb) shows that $J$ exists and is continuous if the density is bounded. The
# appendix also contains the paper's own proof.)
#
# The proof is not restricted to Gumbel noise. It also holds if the second arg max uses *fresh* noise, because the mean
# of a difference does not depend on whether its two terms use the same draws. (But fresh noise changes the variance of
# the difference.) With Gumbel noise, $\rho_{ij}$ is $q_i q_j$, and the sum in the proof becomes
# $q_j (f_j - \sum_i q_i f_i)$. We write $E_q f$ for $\sum_i q_i f_i$. So **with Gumbel noise, the gradient with respect
# to the scores is $q (f - E_q f)$**: the score of a name is pushed up if the $f$ of this name is above the average. The
# push is proportional to how often the name wins. With other noise, only the values of $\rho_{ij}$ are different.
#
# **Where $h$ has a kink.** Take two values of $z$, with $h_w = (0, |w|)$ and $f = (0, 1)$. With Gumbel noise,
# $E f(z^{\star})$ is $\sigma(|w|)$. At $w = 0$, its slope is $\rho = 1/4$ to the right and $-1/4$ to the left, so the
# gradient does not exist there. The recipe still returns a number: $1/4$ times the slope that the program uses for
# $|w|$ at 0. Most libraries use 0 as this slope. At every other $w$, the theorem holds. For a network with ReLUs, the
# theorem holds at almost all weights, because the kinks occur on a set of weights of measure zero.

# %%
truth = np.array([(chances(gumbel_law, h + 1e-4 * unit) - chances(gumbel_law, h - 1e-4 * unit)) @ f / 2e-4
                  for unit in np.eye(3)])
print("dE f / dh by differences:    ", truth.round(6))
for eps in (0.1, 0.01, 0.001):
    print(f"(q_eps - q) / eps at {eps:5g}: ", ((chances(gumbel_law, h + eps * f) - q) / eps).round(6))
E_f = lambda w: sigmoid(np.abs(w))                              # h_w = (0, |w|), f = (0, 1)
kink = [(E_f(0.0) - E_f(-1e-6)) / 1e-6, (sigmoid(1e-6) - sigmoid(0)) / 1e-6 * np.sign(0.0), (E_f(1e-6) - E_f(0)) / 1e-6]
print("h_w = (0, |w|) at w = 0: slope to the left {:.3f}, recipe {:.3f}, slope to the right {:.3f}".format(*kink))
assert np.allclose(truth, q * (f - q @ f), rtol=0, atol=1e-8)

# %% [markdown]
# ## The estimator
#
# To get an estimator, drop the limit and the expectation: draw the noise once, take two arg maxes, subtract, and divide
# by $\epsilon$. The next cell does this in a loop over the draws, and then for all draws at once. The parameter here is
# $h$ itself instead of $w$, so $\nabla_h h(z)$ is $\text{onehot}(z)$.

# %%
def direct_gradient_loop(h, f, eps, noise):
    rows = []
    for gamma in noise:
        z_star = np.argmax(h + gamma)
        z_eps = np.argmax(eps * f + h + gamma)                  # the same gamma
        rows.append((np.eye(len(h))[z_eps] - np.eye(len(h))[z_star]) / eps)
    return np.array(rows)


def direct_gradient(h, f, eps, noise):
    z_star, z_eps = (h + noise).argmax(axis=-1), (eps * f + h + noise).argmax(axis=-1)
    return (np.eye(len(h))[z_eps] - np.eye(len(h))[z_star]) / eps


assert (direct_gradient_loop(h, f, 0.2, noise[:500]) == direct_gradient(h, f, 0.2, noise[:500])).all()

# %% [markdown]
# For an encoder with many weights, $\nabla_w h_w(z)$ is computed by an ordinary backward pass that starts from
# $\text{onehot}(z)$. The result depends linearly on the starting vector. So a single pass is enough for both terms, if
# it starts from $g$, the *difference* of the two one-hot vectors divided by $\epsilon$.
#
# **Guess first.** In the next figure, each point is the mean of 4,000 estimates, with fresh draws at each $\epsilon$.
# The black line is the true gradient. At which $\epsilon$ are the error bars longest? At which $\epsilon$ are the
# points far from the black line?

# %%
grid, fine = np.geomspace(0.02, 4, 16), np.geomspace(0.02, 4, 30)
several = [direct_gradient(h, f, eps, noise[4_000 * place:4_000 * (place + 1)])[:, 0]
           for place, eps in enumerate(grid)]                               # different draws for each eps
draw.estimates(grid, [g.mean() for g in several], [2 * g.std() / np.sqrt(4_000) for g in several], fine,
               [(chances(gumbel_law, h + eps * f) - q)[0] / eps for eps in fine], truth[0])
plt.show()
print(f"at eps = 0.02 {np.mean(several[0] == 0):.1%} of the shirt's components are 0, and all others are +50\n"
      "(f of the shirt is the highest, so the winner never changes from the shirt to another name)")

# %% [markdown]
# **What to see.** At small $\epsilon$, the mean is close to the gradient, but the error bars are long. At large
# $\epsilon$, the error bars are short, but the mean is wrong. Chapter 4 explains how to choose $\epsilon$.
#
# ## What sharing the noise saves
#
# The variance also follows from the walls. Suppose that both arg maxes use the same noise. Then the winner can change
# from $i$ to $j$ only if $f_j > f_i$. For small $\epsilon$ and Gumbel noise, this change happens in a share
# $\epsilon\, q_i q_j (f_j - f_i)$ of the draws. The component $g_i$ of the estimate is $\pm 1/\epsilon$ if the winner
# changes to $i$ or from $i$, and 0 otherwise. So $E g_i^2$ is $C_i / \epsilon$ to first order, while $(E g_i)^2$ stays
# bounded. Hence
#
# $$\text{Var}\, g_i = \frac{C_i}{\epsilon} + O(1), \qquad C_i = q_i \sum_j q_j |f_j - f_i|$$
#
# With *fresh* noise for the second arg max, the two winners are independent. So the probability that the winners differ
# does not tend to 0 when $\epsilon$ tends to 0. Then
# $\text{Var}\, g_i = (q_i (1 - q_i) + q_\epsilon(i) (1 - q_\epsilon(i))) / \epsilon^2$, which is about
# $2 q_i (1 - q_i) / \epsilon^2$. So if a small $\epsilon$ becomes ten times smaller, the variance becomes about ten
# times larger with shared noise, and about a hundred times larger with fresh noise.

# %%
C = q * (np.abs(f[None, :] - f[:, None]) @ q)
other = np.random.default_rng(3).gumbel(-np.euler_gamma, size=(M, 3))
variances = {}
for eps in (0.1, 0.01):
    shared = direct_gradient(h, f, eps, noise)
    fresh = (np.eye(3)[(eps * f + h + other).argmax(axis=1)] - np.eye(3)[z_star]) / eps
    variances[eps] = shared.var(axis=0), fresh.var(axis=0)
    print(f"eps = {eps:4g}: variances with shared noise {shared.var(axis=0).round(2)} "
          f"(C / eps = {(C / eps).round(2)}), with fresh noise {fresh.var(axis=0).round(0)}")

# %% [markdown]
# ## Where the theorem fails: atoms
#
# Why must the noise have a density? An *atom* is a single number that the noise takes with positive probability. Let
# two values have equal scores $h = (0, 0)$. The noise of each value is $+1$ or $-1$, decided by a fair coin. Let
# $f = (0, 2)$. With probability 1/2, the two coins agree, and the values tie exactly. So **half of the draws lie
# exactly on the wall**. In these draws, value 0 wins, because its index is lower. Any $\epsilon > 0$, however small,
# makes value 1 win instead.
#
# **Guess first.** Take the probability that value 1 wins at $\epsilon$, subtract the probability that it wins at
# $\epsilon = 0$, and divide by $\epsilon$. What happens to this quotient as $\epsilon$ falls?

# %%
coins = np.array([[s, t] for s in (-1.0, 1.0) for t in (-1.0, 1.0)])        # all four cases, each with probability 1/4
f_coins = np.array([0.0, 2.0])
mean_f = lambda score: f_coins[(np.array([0.0, score]) + coins).argmax(axis=1)].mean()
quotient = lambda eps: ((eps * f_coins + coins).argmax(axis=1).mean() - coins.argmax(axis=1).mean()) / eps
scores, small = np.linspace(-3, 3, 1201), np.geomspace(0.001, 0.9, 40)
draw.atoms(scores, [mean_f(score) for score in scores], small, [quotient(eps) for eps in small])
plt.show()

# %% [markdown]
# **What to see.** Left: as a function of the score of value 1, $E f$ is a staircase with jumps at 0 and at $\pm 2$.
# Elsewhere its slope is 0. Right: the quotient at $h = (0, 0)$ is $1/(2\epsilon)$, which does not converge. A moving
# wall meets no draw for a while, and then meets a quarter or a half of all draws at once. The noise needs a density
# only near a wall. For example, take the same coins and $h = (0, 1)$. Then no draw lies near the wall, and both sides
# of the theorem are 0.
#
# ## Train with the estimator: a first attempt that fails
#
# Now train the single weight of chapter 1, with one draw per step. The start, $w = 0$, lies near the bottom of the
# valley in the first figure of chapter 1. To the right of the start, the curve rises towards $f = 1$ (the shirt). To
# the left, it rises towards $f = 0.5$ (the dress). At the start, the gradient points to the right. How many of a
# thousand runs end on the wrong side of the valley? (The six-line training loop is in `tutorials/race.py`. Each step
# adds 0.01 times the estimate to $w$.)
#
# First write the estimate in the most obvious way: each arg max draws its own noise.

# %%
from race import gumbel_noise, softmax


def fresh_noise(h, rng, eps=0.1):
    z_star = np.argmax(h + gumbel_noise(rng), axis=1)
    z_eps = np.argmax(eps * f + h + gumbel_noise(rng), axis=1)
    return (np.eye(3)[z_eps] - np.eye(3)[z_star]) / eps


failed, bottom = race.train(fresh_noise), race.bottom_of_the_valley()
print(f"the bottom of the valley is at w = {bottom:.2f}; after 3,000 steps {np.mean(failed[-1] < bottom):.1%} of the "
      "runs are to the left of it")

# %% [markdown]
# The mean of the estimate is the same as with shared noise, but its variance is far too large. Now draw the noise
# first, and use the same noise for both arg maxes. This is the only change.
#
# **Guess first.** How many runs in a hundred end on the wrong side now?

# %%
def shared_noise(h, rng, eps=0.1):
    gamma = gumbel_noise(rng)                                                   # drawn once, used twice
    z_star, z_eps = np.argmax(h + gamma, axis=1), np.argmax(eps * f + h + gamma, axis=1)
    return (np.eye(3)[z_eps] - np.eye(3)[z_star]) / eps


def enumeration(h, rng):                        # the exact gradient, without noise
    q = softmax(h)
    return q * (f - (q @ f)[:, None])


runs = {"fresh noise": ("#C46A2B", failed), "shared noise": (plots.colour("direct"), race.train(shared_noise)),
        "exact gradient": (plots.TRUTH, race.train(enumeration))}
draw.race({name: (colour, race.mean_of_f(w[:, :10])) for name, (colour, w) in runs.items()})
plt.show()
wrong_way = {name: np.mean(w[-1] < bottom) for name, (_, w) in runs.items()}
for name, (_, w) in runs.items():
    print(f"{name:14s} after 3,000 steps: median E f {np.median(race.mean_of_f(w[-1])):.2f}, "
          f"runs on the wrong side {wrong_way[name]:.1%}")

# %% [markdown]
# **What to see.** Each panel shows ten runs. With fresh noise, the curves jump up and down, and many runs end on the
# wrong side. With shared noise, most runs climb towards $f = 1$, but a few unlucky steps still move some runs to the
# other side. Chapter 4 chooses $\epsilon$ better and repeats the experiment.
#
# The estimator of this chapter is called the *direct* gradient. Here it needs $f$ of all values. The exact gradient
# needs the same, but it has no noise. So with three values, use the exact gradient instead.
#
# The package has the same functions:

# %%
from refimpl import danskin, direct, exact

assert (direct.gradient(h, f, 0.1, noise) == direct_gradient(h, f, 0.1, noise)).all()
assert np.allclose(exact.gradient(h, f), truth, rtol=0, atol=1e-8)
assert np.allclose(danskin.d2G_dh_deps(h, f, 0), danskin.d2G_deps_dh(h, f, 0), rtol=0, atol=1e-12)

# %% [markdown]
# ## Exercises
#
# **1 (easy).** The entries of the estimate add up to 0 in every single draw. Why must they? Do the entries of the true
# gradient add up to 0 as well?
#
# <details><summary>Solution</summary>
#
# In each draw, $1/\epsilon$ is added to the entry of $z(\epsilon)$ and subtracted from the entry of $z^{\star}$. So the
# entries of the estimate add up to 0. The entries of the exact gradient also add up to 0: this sum is the derivative of
# $E f(z^{\star})$ when all scores rise by the same number, and in that case no wall moves.
#
# ```python
# assert (direct_gradient(h, f, 0.1, noise).sum(axis=1) == 0).all() and abs(truth.sum()) < 1e-8
# ```
#
# </details>
#
# **2 (medium).** Multiply $f$ by 10. Show that $g(10 f, \epsilon) = 10\, g(f, 10 \epsilon)$, draw by draw. What
# follows for the best $\epsilon$?
#
# <details><summary>Solution</summary>
#
# $\epsilon \cdot 10 f = 10 \epsilon \cdot f$, so $g(10 f, \epsilon)$ and $g(f, 10 \epsilon)$ have the same winners. The
# first is divided by $\epsilon$ and the second by $10 \epsilon$, so the first is ten times as long as the second. The
# true gradient for $10 f$ is also ten times as long as the true gradient for $f$. So, relative to the true gradient,
# $10 f$ at $\epsilon$ has the same bias and noise as $f$ at $10 \epsilon$. Hence the best $\epsilon$ for $10 f$ is a
# tenth of the best $\epsilon$ for $f$.
#
# ```python
# assert np.allclose(direct_gradient(h, 10 * f, 0.05, noise), 10 * direct_gradient(h, f, 0.5, noise))
# off = lambda f, eps: np.linalg.norm(direct_gradient(h, f, eps, noise[:500]).mean(axis=0) / (q * (f - q @ f)) - 1)
# assert np.allclose([off(f, eps) for eps in (0.1, 1)], [off(10 * f, eps / 10) for eps in (0.1, 1)])
# ```
#
# </details>
#
# **3 (hard).** Try noise whose density is zero outside a short interval: the uniform distribution on $[0, 1]$. Take two
# values and $h = (0, h_1)$. For which $h_1$ does the theorem hold, and what is the gradient at $h_1 = 1.5$?
#
# <details><summary>Solution</summary>
#
# The difference of two uniform variables has the triangular density $1 - |t|$ on $[-1, 1]$, which is bounded and
# continuous. So the theorem holds for every $h_1$, with $\rho = \max(0, 1 - |h_1|)$. If $h_1 = 1.5$, the value $z = 1$
# always wins. Then no draw lies near the wall, and the gradient is 0.
#
# ```python
# uniform = np.random.default_rng(5).random((M, 2))
# for h_1 in (0.0, 0.4, 1.5):
#     g = direct_gradient(np.array([0, h_1]), np.array([0.0, -2]), 0.05, uniform)[:, 1]
#     limit = -2 * max(0, 1 - h_1)
#     assert abs(g.mean() - limit) <= 4 * g.std() / np.sqrt(M) + 0.1            # 0.1: the bias at this eps
# ```
#
# </details>
#
# ## Where it goes wrong in practice
#
# - Fresh noise is used for the second arg max. The mean of the estimate stays the same, but training fails.
# - $\epsilon$ is too small. Then nearly all estimates are zero, and the few others are enormous.
# - The division by $\epsilon$ is forgotten. The direction is still correct, but the length of the step is proportional
#   to $\epsilon$.
# - The noise is rounded to a few digits. Then it has atoms.
#
# ## Now write it yourself
#
# The workbook checks what you write. After this chapter you can write file 4, the difference of two arg maxes:
# `python tutorials/workbook/check.py 4`.
#
# ## What to read next
#
# [Chapter 3](03_gumbel_noise.ipynb) explains what is special about Gumbel noise: every probability and every mean has a
# closed form. In the package, `refimpl/danskin.py` follows the paper's proof step by step, and `refimpl/direct.py`
# contains the estimator.
#
# ## Symbols
#
# These symbols are new. The others are listed at the end of chapter 1.
#
# | symbol | in the code | the slides write | meaning |
# | --- | --- | --- | --- |
# | $q(z)$, $q_\epsilon(z)$ | `q`, `q_eps` | $e^{\phi(x,z)}$ | the distributions (laws) of $z^{\star}$ and of $z(\epsilon)$: the probability of each value |
# | $\rho$, $\rho_{ij}$ | `rho` | | density of the noise at a wall, and along the wall between $i$ and $j$ |
# | $\Delta_1$, $\Delta_2$ | `delta_1` | | differences of the noise, $\gamma_1 - \gamma_0$ and $\gamma_2 - \gamma_0$ |
# | $g$ | `g` | | one estimate, $(\text{onehot}(z(\epsilon)) - \text{onehot}(z^{\star})) / \epsilon$ |
# | $C_i$ | `C` | | the variance of $g_i$ at small $\epsilon$, times $\epsilon$ |
