# %% [markdown]
# # 2. Theorem 1: the slope of a staircase from two arg maxes
#
# **You will** see Theorem 1 in one picture, prove it, see where it fails, and train with it. **You will learn** why the
# gradient of an expectation over an arg max is a difference of two arg maxes, why it is divided by $\epsilon$, and what
# each assumption is for. **You need** [chapter 1](01_staircase.ipynb). The chapter runs in about fifteen seconds.
# Its symbols are listed at the end.

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
# We want the slope of chapter 1's smooth curve: the gradient of $E f(z^{\star})$ in the scores. Leave *dress* out for
# a moment. Shirt or coat? Only one difference of the noise matters, $\Delta_1 = \gamma_1 - \gamma_0$. The coat wins
# if $h_1 + \gamma_1 > h_0 + \gamma_0$, that is if
#
# $$\Delta_1 > h_0 - h_1$$
#
# So the line of all $\Delta_1$ is cut at one point, a *wall*. Left of it the shirt wins, right of it the coat. Nothing
# random moves when scores move: the noise stays where it is, and **the wall walks through it**.
#
# As in chapter 1, there are two arg maxes: $z^{\star}$ of $h + \gamma$ and $z(\epsilon)$ of $\epsilon f + h + \gamma$,
# with the *same* $\gamma$.
#
# **Guess first.** With $\epsilon = 0.2$ the wall moves from $\Delta_1 = 0.7$ to $1.3$. How many of 100 draws change
# their winner?

# %%
delta_1 = noise[:, 1] - noise[:, 0]
wall = h[0] - h[1]
tilted_wall = wall + 0.2 * (f[0] - f[1])
changed = np.mean((delta_1 > wall) & (delta_1 < tilted_wall))
t = np.linspace(-6, 6, 600)
density = np.exp(-t) / (1 + np.exp(-t)) ** 2                    # of the difference of two Gumbel variables (chapter 3)
draw.wall(delta_1, t, density, wall, tilted_wall)
plt.show()
print(f"{100 * changed:.1f} of 100 draws change their winner")

# %% [markdown]
# What to see. The two walls enclose a strip. The draws in it change from *coat* to *shirt*, and all others keep their
# winner. Their share is the width of the strip times the density in it, which for a narrow strip is the density at
# the wall, called $\rho$.
#
# - **Raise** $h_1$ by a little $\delta$. The wall moves left by $\delta$. A share $\delta \rho$ of the draws goes over
#   to the coat, and each changes $f$ by $f_1 - f_0$. So $\partial E f(z^{\star}) / \partial h_1 = (f_1 - f_0)\, \rho$.
# - **Mix in** $\epsilon f$. The wall moves left by $\epsilon (f_1 - f_0)$. A share $\epsilon (f_1 - f_0)\, \rho$ goes
#   over to the coat. Divide by $\epsilon$: $(f_1 - f_0)\, \rho$.
#
# The two are the same. (Here $f_1 - f_0$ is negative: the wall moves right, and draws leave the coat.) The first is
# the slope that we want. The second is what a program can count: how often a second arg max, with a little of $f$
# mixed in, differs from the first. What follows is the same for many values.
#
# For Gumbel noise the coat wins with the chance $\sigma(h_1 - h_0)$, a sigmoid, and then $\rho = q_0 q_1$, the product
# of the two chances (chapter 3 proves both):

# %%
sigmoid = lambda score: 1 / (1 + np.exp(-score))
q_coat = sigmoid(h[1] - h[0])
rho = np.exp(-wall) / (1 + np.exp(-wall)) ** 2
slope = (f[1] - f[0]) * (sigmoid(h[1] - h[0] + 1e-5) - sigmoid(h[1] - h[0] - 1e-5)) / 2e-5     # of E f, in h_1
print(f"slope of E f in the coat's score {slope:.6f};  (f_1 - f_0) rho = {(f[1] - f[0]) * rho:.6f}")
for eps in (0.1, 0.01, 0.001):
    more = sigmoid(h[1] - h[0] + eps * (f[1] - f[0])) - q_coat
    print(f"eps = {eps:5g}: (chance of the coat at eps - chance at 0) / eps = {more / eps:.6f}")

# %% [markdown]
# ## Three values: a Y on a plane
#
# With three names the arg max depends on two differences, $\Delta_1$ and $\Delta_2 = \gamma_2 - \gamma_0$. Each draw of
# the noise is a dot on a plane. The shirt wins where $\Delta_1 < h_0 - h_1$ and $\Delta_2 < h_0 - h_2$. Three regions
# meet in a Y, at the point $(h_0 - h_1,\; h_0 - h_2)$. Its three arms are the walls: on the arm between $i$ and $j$
# these two tie at the top. Scores move the Y. The dots, which together are called the *cloud*, stay where they are.
#
# **Guess first.** From left to right $\epsilon$ falls to a tenth. How many times fewer draws change their winner?

# %%
draw.clouds(h, f, (1.0, 0.3, 0.1), noise[:150])
plt.show()
z_star = (h + noise).argmax(axis=1)
share = {eps: np.mean((eps * f + h + noise).argmax(axis=1) != z_star) for eps in (1.0, 0.1)}
print(f"of all draws {share[1.0]:.1%} change at eps = 1, {share[0.1]:.1%} at eps = 0.1: "
      f"{share[1.0] / share[0.1]:.1f} times fewer; share / eps is {share[1.0]:.2f} and {share[0.1] / 0.1:.2f}")

# %% [markdown]
# What to see. A dot is a draw, and its colour is the winner. The solid Y is that of $h$, the dashed one that of
# $h + \epsilon f$. The winner of a large dot changes from the colour of its left half to that of its right half. As
# $\epsilon$ falls, the strips between the Ys get narrower and fewer dots change: about six times fewer over all
# 100,000 draws (38 to 5 among the 150 drawn here), and not ten, because the wide strips at $\epsilon = 1$ reach out
# to where there are few dots. At small $\epsilon$ their number is proportional to $\epsilon$. Each changed dot counts
# $1/\epsilon$ in the estimate, so the mean of the estimate over all noise tends to a limit.
#
# ![The walls move over the cloud: fewer draws change their winner, and each weighs more](figures/walls.gif)
#
# ## How much noise lies along a wall
#
# Raise $h_j$ by $\delta$. Which draws does $j$ take from $i$? Those in which $i$ led, at some height $t$, with $j$ less
# than $\delta$ behind it and all others below. In formulas: $\gamma_i + h_i = t$, and $\gamma_j + h_j$ is in
# $[t - \delta, t]$, and $\gamma_z + h_z < t$ for the others. Write $F$ for the distribution function of the noise and
# $F'$ for its density. The first event has the density $F'(t - h_i)$, the second has the chance
# $\delta\, F'(t - h_j)$ for small $\delta$, and each of the others has the chance $F(t - h_z)$. All are independent.
# Multiply, integrate over $t$, and divide by $\delta$:
#
# $$\rho_{ij} = \int F'(t - h_i)\, F'(t - h_j) \prod_{z \ne i, j} F(t - h_z) \, dt$$
#
# This is the density of the noise along the wall between $i$ and $j$: the share of the draws that is swept over, for
# each unit by which $h_j$ rises. It does not change if $i$ and $j$ change places. The next cell adds it up
# numerically (*quadrature*, `tutorials/quadrature.py`). For Gumbel noise it is $q_i q_j$, as chapter 3 proves.

# %%
gumbel_law = stats.gumbel_r(loc=-np.euler_gamma)
q, rho = chances(gumbel_law, h), walls(gumbel_law, h)           # P(z* = z) by a similar integral, and all rho_ij
for i, j in ((0, 1), (0, 2), (1, 2)):
    print(f"{names[i]:5s} | {names[j]:5s}: rho = {rho[i, j]:.12f}, q_i q_j = {q[i] * q[j]:.12f}")

# %% [markdown]
# ## One wall, two sides
#
# Raise $h_j$ by a little. Every wall of $j$ moves into a neighbour's region. From $i$ it takes the share $\rho_{ij}$
# per unit:
#
# $$\frac{\partial q_i}{\partial h_j} = -\rho_{ij} \quad (i \ne j), \qquad \frac{\partial q_j}{\partial h_j} = \sum_{i \ne j} \rho_{ij}$$
#
# The wall between $i$ and $j$ is *one* wall. What raising $h_j$ takes from $i$ is what raising $h_i$ takes from $j$,
# so $\partial q_i / \partial h_j = \partial q_j / \partial h_i$. By Danskin (chapter 1)
# $q = \partial G / \partial h$, so the second derivatives of $G$ do not depend on their order. That is Schwarz's
# theorem, and here one can see it.

# %%
J = jacobian(gumbel_law, h)                                     # by differences of the chances
print("dq_i / dh_j by differences:\n", J.round(6))
assert np.allclose(J, J.T, rtol=0, atol=1e-8)
assert np.allclose(J, np.diag(rho.sum(axis=1)) - rho, rtol=0, atol=1e-8)

# %% [markdown]
# ## The theorem
#
# **Theorem 1** (equation 1 of the paper). Let $z$ take finitely many values, and let the scores $h_w(z)$ depend on
# weights $w$. Assume
#
# - (a) $h_w(z)$ is differentiable at $w$, for each $z$ (continuously, if the gradient is to be continuous);
# - (b) $f(z)$ does not depend on $w$ (otherwise the left side has one more term, $E \nabla_w f(z^{\star})$);
# - (c) the law of the noise $\gamma$ depends neither on $w$ nor on $\epsilon$ (only the walls move, not the cloud);
# - (d) the $\gamma(z)$ are independent, and each has a bounded density, like Gumbel, Gaussian or uniform noise (walls
#   have a density; for values that share noise, like chapter 1's matchings, see
#   [appendix D](appendix_d_unary_noise.ipynb)).
#
# Then
#
# $$\nabla_w E_\gamma [f(z^{\star})] = \lim_{\epsilon \to 0} \frac{1}{\epsilon} E_\gamma [\nabla_w h_w(z(\epsilon)) - \nabla_w h_w(z^{\star})]$$
#
# Read it as a recipe. Draw the noise once. Find the winner. Find the winner again, with the decoder's scores mixed in
# a little. Push the second winner's score up and the first one's down. (In an auto-encoder $f$ has weights too, those
# of the decoder. They are trained by the ordinary gradient of $f$ at $z^{\star}$.)
#
# *Proof.* Let $J$ be the table of all $\partial q_i / \partial h_j$. *Left side.* $E f(z^{\star}) = \sum_i q_i f_i$. By
# the chain rule its derivative in $h_j$ is $\sum_i f_i\, \partial q_i / \partial h_j$. In walls: each neighbour $i$
# gives $\rho_{ij}$ to $j$, and each draw that goes over changes $f$ by $f_j - f_i$:
#
# $$\frac{\partial}{\partial h_j} E f(z^{\star}) = \sum_{i \ne j} \rho_{ij} (f_j - f_i)$$
#
# *Right side.* The law $q_\epsilon$ of $z(\epsilon)$ is $q$ at the scores $h + \epsilon f$. By the chain rule the
# derivative of $q_\epsilon(j)$ in $\epsilon$ at 0 is $\sum_i f_i\, \partial q_j / \partial h_i$, with $i$ and $j$ the
# other way round. In walls: the one between $i$ and $j$ moves by $\epsilon (f_j - f_i)$, and $j$ gains
# $\epsilon \rho_{ij} (f_j - f_i)$ from $i$, to first order:
#
# $$\lim_{\epsilon \to 0} \frac{q_\epsilon(j) - q(j)}{\epsilon} = \sum_{i \ne j} \rho_{ij} (f_j - f_i)$$
#
# The two are the same because $J$ is symmetric: one wall has two sides. *Weights.* The chain rule once more gives
# $\nabla_w E f(z^{\star}) = \sum_j (\partial E f(z^{\star}) / \partial h_j)\, \nabla_w h_w(j)$ on the left. On the
# right, $E[\nabla_w h_w(z(\epsilon)) - \nabla_w h_w(z^{\star})] = \sum_j (q_\epsilon(j) - q(j))\, \nabla_w h_w(j)$.
# Divide by $\epsilon$ and let it go to 0. $\blacksquare$
#
# (That $J$ exists and is continuous follows from the bounded density: [appendix A](appendix_a_walls_and_noise.ipynb).
# It also has the paper's own proof, by the mean maximum $G$ of chapter 1.)
#
# Nothing here asked for Gumbel noise, nor for *the same* noise in both arg maxes: a mean does not depend on whether
# its two terms share their draws. The variance does. With Gumbel noise $\rho_{ij} = q_i q_j$, and the sum becomes
# $q_j (f_j - \sum_i q_i f_i)$. We write $E_q f$ for $\sum_i q_i f_i$. So **with Gumbel noise the gradient in the
# scores is $q (f - E_q f)$**: a name is pushed up if its $f$ is above the average, in proportion to how often it
# wins. With other noise only the values of $\rho_{ij}$ change.
#
# **Where $h$ has a kink.** Take two values, $h_w = (0, |w|)$ and $f = (0, 1)$. With Gumbel noise
# $E f(z^{\star}) = \sigma(|w|)$. At $w = 0$ its slope is $\rho = 1/4$ to the right and $-1/4$ to the left, so there
# is no gradient. The recipe still returns a number: $1/4$ times whatever slope of $|w|$ the program puts in at 0,
# which is 0 in most libraries. At every other $w$ the theorem holds. So it is with ReLUs: their kinks are a set of
# weights of measure zero.

# %%
truth = np.array([(chances(gumbel_law, h + 1e-4 * unit) - chances(gumbel_law, h - 1e-4 * unit)) @ f / 2e-4
                  for unit in np.eye(3)])
print("d E f / dh by differences:   ", truth.round(6))
for eps in (0.1, 0.01, 0.001):
    print(f"(q_eps - q) / eps at {eps:5g}: ", ((chances(gumbel_law, h + eps * f) - q) / eps).round(6))
E_f = lambda w: sigmoid(np.abs(w))                              # h_w = (0, |w|), f = (0, 1)
kink = [(E_f(0.0) - E_f(-1e-6)) / 1e-6, (sigmoid(1e-6) - sigmoid(0)) / 1e-6 * np.sign(0.0), (E_f(1e-6) - E_f(0)) / 1e-6]
print("h_w = (0, |w|) at w = 0: slope to the left {:.3f}, recipe {:.3f}, slope to the right {:.3f}".format(*kink))
assert np.allclose(truth, q * (f - q @ f), rtol=0, atol=1e-8)

# %% [markdown]
# ## The estimator
#
# Drop the limit and the expectation: draw the noise once, take two arg maxes, subtract. Here it is draw by draw, and
# then for all draws at once. With $h$ itself in the place of $w$, $\nabla_h h(z)$ is $\text{onehot}(z)$.

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
# For an encoder with many weights, $\nabla_w h_w(z)$ is an ordinary backward pass started from $\text{onehot}(z)$. It
# is linear in what it starts from, so one pass, started from the *difference* $g$, is enough for both terms.
#
# **Guess first.** In the next picture each point is the mean of 4,000 estimates, with fresh draws at each $\epsilon$.
# Where are the error bars longest, and where are the points off the black line?

# %%
grid, fine = np.geomspace(0.02, 4, 16), np.geomspace(0.02, 4, 30)
several = [direct_gradient(h, f, eps, noise[4_000 * place:4_000 * (place + 1)])[:, 0]
           for place, eps in enumerate(grid)]                               # other draws for each eps
draw.estimates(grid, [g.mean() for g in several], [2 * g.std() / np.sqrt(4_000) for g in several], fine,
               [(chances(gumbel_law, h + eps * f) - q)[0] / eps for eps in fine], truth[0])
plt.show()
print(f"at eps = 0.02 {np.mean(several[0] == 0):.1%} of the shirt's components are 0, all others are +50 "
      "(its f is the highest: no draw leaves it)")

# %% [markdown]
# What to see. At small $\epsilon$ the mean is right and the error bars are long; at large $\epsilon$ they are short
# and the mean is off. Chapter 4 is about choosing between the two.
#
# ## What sharing the noise saves
#
# The walls give the variance too. Draws go from $i$ to $j$ only if $f_j > f_i$. For small $\epsilon$ and Gumbel noise
# their share is $\epsilon\, q_i q_j (f_j - f_i)$. A component $g_i$ is $\pm 1/\epsilon$ for the draws that arrive at
# $i$ or leave it, and 0 for all others. So its mean square is $C_i / \epsilon$ to first order. The square of its mean
# stays bounded. So
#
# $$\text{Var}\, g_i = \frac{C_i}{\epsilon} + O(1), \qquad C_i = q_i \sum_j q_j |f_j - f_i|$$
#
# With *fresh* noise for the second arg max, two independent winners differ with a chance that does not fall with
# $\epsilon$. Then
# $\text{Var}\, g_i = (q_i (1 - q_i) + q_\epsilon(i) (1 - q_\epsilon(i))) / \epsilon^2$, about
# $2 q_i (1 - q_i) / \epsilon^2$. Sharing the noise saves a whole order of $\epsilon$.

# %%
C = q * (np.abs(f[None, :] - f[:, None]) @ q)
other = np.random.default_rng(3).gumbel(-np.euler_gamma, size=(M, 3))
variances = {}
for eps in (0.1, 0.01):
    shared = direct_gradient(h, f, eps, noise)
    fresh = (np.eye(3)[(eps * f + h + other).argmax(axis=1)] - np.eye(3)[z_star]) / eps
    variances[eps] = shared.var(axis=0), fresh.var(axis=0)
    print(f"eps = {eps:4g}: variances, noise shared {shared.var(axis=0).round(2)} (C / eps = {(C / eps).round(2)}), "
          f"fresh {fresh.var(axis=0).round(0)}")

# %% [markdown]
# ## Where it fails: atoms
#
# Why a density? An *atom* is a single value that the noise takes with a positive chance. Let two values have equal
# scores $h = (0, 0)$ and noise of $+1$ or $-1$, by a fair coin each. Let $f = (0, 2)$. With chance 1/2 the two coins
# agree, and the values tie exactly (a tie goes to the lower index): **half of the mass sits on the wall**. Any
# $\epsilon > 0$, however small, moves all of it over to value 1.
#
# **Guess first.** What happens to (chance of value 1 at $\epsilon$ less chance at 0) divided by $\epsilon$, as
# $\epsilon$ falls?

# %%
coins = np.array([[s, t] for s in (-1.0, 1.0) for t in (-1.0, 1.0)])        # four draws, 1/4 each: no sampling needed
f_coins = np.array([0.0, 2.0])
mean_f = lambda score: f_coins[(np.array([0.0, score]) + coins).argmax(axis=1)].mean()
quotient = lambda eps: ((eps * f_coins + coins).argmax(axis=1).mean() - coins.argmax(axis=1).mean()) / eps
scores, small = np.linspace(-3, 3, 1201), np.geomspace(0.001, 0.9, 40)
draw.atoms(scores, [mean_f(score) for score in scores], small, [quotient(eps) for eps in small])
plt.show()

# %% [markdown]
# What to see. Left: $E f$ is a staircase itself. It has no gradient at 0 and at $\pm 2$, and elsewhere its gradient
# is 0. Right: the quotient at $h = (0, 0)$ is $1/(2\epsilon)$, which does not converge. A moving wall meets nothing
# for a while, and then a quarter or a half of the noise at once. The density is needed only near a wall: with the
# coins at $h = (0, 1)$ nothing lies there, and both sides of the theorem are 0.
#
# ## Train with it: first, fail
#
# Now train the one weight of chapter 1, with one draw for each step. The start, $w = 0$, lies near the bottom of the
# valley in chapter 1's first picture. To the right the slope leads to the shirt, $f = 1$, and to the left to the
# dress, $f = 0.5$. The gradient points right. How many of a thousand runs end on the wrong side? (`tutorials/race.py`
# has the loop of six lines: each step adds 0.01 times the estimate to $w$.)
#
# Write the estimate as it comes to mind: each arg max draws the noise that it needs.

# %%
from race import gumbel_noise, softmax


def fresh_noise(h, rng, eps=0.1):
    z_star = np.argmax(h + gumbel_noise(rng), axis=1)
    z_eps = np.argmax(eps * f + h + gumbel_noise(rng), axis=1)
    return (np.eye(3)[z_eps] - np.eye(3)[z_star]) / eps


failed, bottom = race.train(fresh_noise), race.bottom_of_the_valley()
print(f"the valley's bottom is at w = {bottom:.2f}; after 3,000 steps {np.mean(failed[-1] < bottom):.1%} of the runs "
      "are left of it")

# %% [markdown]
# The mean of the estimate is the same as with shared noise. Its variance is far too large. Change one line: draw the
# noise first, use it twice.
#
# **Guess first.** How many runs in a hundred go the wrong way now?

# %%
def shared_noise(h, rng, eps=0.1):
    gamma = gumbel_noise(rng)                                                   # the one line
    z_star, z_eps = np.argmax(h + gamma, axis=1), np.argmax(eps * f + h + gamma, axis=1)
    return (np.eye(3)[z_eps] - np.eye(3)[z_star]) / eps


def enumeration(h, rng):                        # the exact gradient, no noise
    q = softmax(h)
    return q * (f - (q @ f)[:, None])


runs = {"fresh noise": ("#C46A2B", failed), "shared noise": (plots.colour("direct"), race.train(shared_noise)),
        "exact gradient": (plots.TRUTH, race.train(enumeration))}
draw.race({name: (colour, race.mean_of_f(w[:, :10])) for name, (colour, w) in runs.items()})
plt.show()
wrong_way = {name: np.mean(w[-1] < bottom) for name, (_, w) in runs.items()}
for name, (_, w) in runs.items():
    print(f"{name:14s} after 3,000 steps: median E f {np.median(race.mean_of_f(w[-1])):.2f}, "
          f"wrong way {wrong_way[name]:.1%}")

# %% [markdown]
# What to see. Each panel shows ten runs. With fresh noise the curves jump up and down, and many runs go the wrong
# way. With shared noise most of them climb, but a few unlucky steps still carry some to the other side. Chapter 4
# chooses $\epsilon$ better, and runs the race again.
#
# The exact gradient has no noise at all, so with three values the *direct* gradient, as this estimator is called, is
# not the tool: it needs $f$ of all values here too.
#
# The same in the package:

# %%
from refimpl import danskin, direct, exact

assert (direct.gradient(h, f, 0.1, noise) == direct_gradient(h, f, 0.1, noise)).all()
assert np.allclose(exact.gradient(h, f), truth, rtol=0, atol=1e-8)
assert np.allclose(danskin.d2G_dh_deps(h, f, 0), danskin.d2G_deps_dh(h, f, 0), rtol=0, atol=1e-12)

# %% [markdown]
# ## Exercises
#
# **1 (easy).** The entries of the estimate add up to 0 in every single draw. Why must they, and does the true gradient
# do the same?
#
# <details><summary>Solution</summary>
#
# Each draw adds $1/\epsilon$ once and takes it away once. Moving all scores by one number moves no wall, so the
# derivative in that direction is 0.
#
# ```python
# assert (direct_gradient(h, f, 0.1, noise).sum(axis=1) == 0).all() and abs(truth.sum()) < 1e-8
# ```
#
# </details>
#
# **2 (middling).** Multiply $f$ by 10. Show that $g(10 f, \epsilon) = 10\, g(f, 10 \epsilon)$, draw by draw. What does
# this say about the best $\epsilon$?
#
# <details><summary>Solution</summary>
#
# $\epsilon \cdot 10 f = 10 \epsilon \cdot f$, so both have the same winners, and only the division differs. The true
# gradient is ten times as long too. So, relative to the gradient, $10 f$ at $\epsilon$ has the same bias and noise as
# $f$ at $10 \epsilon$, and its best $\epsilon$ is a tenth.
#
# ```python
# assert np.allclose(direct_gradient(h, 10 * f, 0.05, noise), 10 * direct_gradient(h, f, 0.5, noise))
# off = lambda f, eps: np.linalg.norm(direct_gradient(h, f, eps, noise[:500]).mean(axis=0) / (q * (f - q @ f)) - 1)
# assert np.allclose([off(f, eps) for eps in (0.1, 1)], [off(10 * f, eps / 10) for eps in (0.1, 1)])
# ```
#
# </details>
#
# **3 (hard).** Try noise with a density on a short interval: the uniform law on $[0, 1]$, two values, $h = (0, h_1)$.
# For which $h_1$ does the theorem hold, and what is the gradient at $h_1 = 1.5$?
#
# <details><summary>Solution</summary>
#
# The difference of two uniform variables has the triangular density $1 - |t|$ on $[-1, 1]$, bounded and continuous. So
# it holds for every $h_1$, with $\rho = \max(0, 1 - |h_1|)$. At $h_1 = 1.5$ value 1 always wins: no noise reaches the
# wall, and the gradient is 0.
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
# - Fresh noise for the second arg max: the mean stays as it was, but training fails.
# - $\epsilon$ too small: nearly all estimates are zero, and a rare one is enormous.
# - $1/\epsilon$ is forgotten. The direction is right, but the step shrinks with $\epsilon$.
# - Noise that is rounded to a few digits has atoms.
#
# ## Now write it yourself
#
# The workbook checks what you write. After this chapter you can write file 4, the difference of two arg maxes:
# `python tutorials/workbook/check.py 4`.
#
# ## What to read next
#
# [Chapter 3](03_gumbel_noise.ipynb) says what is special about Gumbel noise: every chance and every mean has a closed
# form. In the package: `refimpl/danskin.py` has the paper's proof, and `refimpl/direct.py` the estimator.
#
# ## Symbols
#
# These are new; the others are at the end of chapter 1.
#
# | symbol | in the code | the slides write | meaning |
# | --- | --- | --- | --- |
# | $q(z)$, $q_\epsilon(z)$ | `q`, `q_eps` | $e^{\phi(x,z)}$ | the laws of $z^{\star}$ and of $z(\epsilon)$: the chances of each value |
# | $\rho$, $\rho_{ij}$ | `rho` | | density of the noise at a wall, and along the wall between $i$ and $j$ |
# | $\Delta_1$, $\Delta_2$ | `delta_1` | | differences of the noise, $\gamma_1 - \gamma_0$ and $\gamma_2 - \gamma_0$ |
# | $g$ | `g` | | one estimate, $(\text{onehot}(z(\epsilon)) - \text{onehot}(z^{\star})) / \epsilon$ |
# | $C_i$ | `C` | | the variance of $g_i$ at small $\epsilon$, times $\epsilon$ |
