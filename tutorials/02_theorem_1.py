# %% [markdown]
# # 2. Theorem 1: the slope of a staircase from two arg maxes
#
# **You will** see Theorem 1 in one picture, prove it, see where it fails, and train with it. **You will learn** why the
# gradient of an expectation over an arg max is a difference of two arg maxes, where the $1/\epsilon$ comes from, and
# what each assumption is for. **You need** [chapter 1](01_staircase.ipynb). It runs in about fifteen seconds.
#
# | symbol | in the code | the slides write | meaning |
# | --- | --- | --- | --- |
# | $h_w(z)$ | `h` | $\phi(x,z;w)$ | the encoder's score of the value $z$; it depends on weights $w$ |
# | $f(z)$ | `f` | $\theta(x,z)$ | the decoder's score of the value $z$, in nats |
# | $\gamma(z)$ | `noise` | $\gamma(z)$ | noise, an independent number for each value |
# | $\epsilon$ | `eps` | $\epsilon$ | how strongly $f$ takes part, in 1/nat |
# | $z^{\star}$, $z(\epsilon)$ | `z_star`, `z_eps` | $z^{\phi+\gamma}$, $z^{\epsilon\theta+\phi+\gamma}$ | winners of $h + \gamma$ and of $\epsilon f + h + \gamma$, with the *same* $\gamma$ |
# | $q(z)$, $q_\epsilon(z)$ | `q`, `q_eps` | $e^{\phi(x,z)}$ | the laws of $z^{\star}$ and of $z(\epsilon)$: the chances of each value |
# | $\rho$, $\rho_{ij}$ | `rho` | | density of the noise at a wall, and along the wall between $i$ and $j$ |
# | $\Delta_1$, $\Delta_2$ | `delta_1` | | differences of the noise, $\gamma_1 - \gamma_0$ and $\gamma_2 - \gamma_0$ |
# | $F(t)$, $F'(t)$ | `F`, `density` | $G(t)$, $g(t)$ | distribution function and density of the noise of one value |
# | $G(h, \epsilon)$ | `G` | $G(w, \epsilon)$ | the mean maximum, $E_\gamma \max_z \{\epsilon f(z) + h(z) + \gamma(z)\}$ |
# | $g$ | `g` | | one estimate, $(\text{onehot}(z(\epsilon)) - \text{onehot}(z^{\star})) / \epsilon$ |
# | $M$ | `M` | | a number of draws, or samples |

# %%
import start    # if it is not found: clone the whole repository, and run this chapter in its folder tutorials/

import matplotlib.pyplot as plt
import numpy as np
from scipy import integrate, stats

from refimpl import plots

names = ["shirt", "coat", "dress"]              # z = 0, 1, 2
colours = ["#004488", "#DDAA33", "#BB5566"]
h = np.array([0.3, -0.4, 0.6])                  # the encoder's scores
f = np.array([1.0, -2.0, 0.5])                  # the decoder's scores, nats
noise = np.random.default_rng(1).gumbel(-np.euler_gamma, size=(100_000, 3))     # one row a draw, mean 0
M = len(noise)

# %% [markdown]
# **Theorem 1** (equation 1 of the paper). Let $z$ take finitely many values. Assume
#
# - (a) $h_w(z)$ is continuously differentiable in $w$, for each $z$;
# - (b) $f(z)$ does not depend on $w$;
# - (c) the law of the noise $\gamma$ depends neither on $w$ nor on $\epsilon$;
# - (d) the $\gamma(z)$ are independent, and each has a bounded density.
#
# (Gumbel, Gaussian, uniform noise and many more have one.) Then
#
# $$\nabla_w E_\gamma [f(z^{\star})] = \lim_{\epsilon \to 0} \frac{1}{\epsilon} E_\gamma [\nabla_w h_w(z(\epsilon)) - \nabla_w h_w(z^{\star})]$$
#
# On the left stands what we want: the slope of the smooth curve of chapter 1. On the right stands what we can get from
# runs of the program: two arg maxes, and derivatives of *scores*, which are smooth. Read it as a recipe: draw the noise
# once. Find the winner. Find the winner again, with the decoder's scores mixed in a little. Push the second winner's
# score up and the first one's down.
#
# (About (a): a network with ReLUs is that smooth except on a set of weights of measure zero. One lives with this, here
# as elsewhere. About (b): in an auto-encoder $f$ has weights too, those of the decoder. They are trained by the
# ordinary gradient of $f$ at $z^{\star}$.)
#
# **When would one not use it?** To find $z(\epsilon)$ we need $f$ of all values here. Whoever has that, and has $q$,
# can write down the sum $\sum_z q(z) f(z)$ and differentiate it. With three names that is better. The recipe pays where
# the sum is out of reach and the arg max is not (chapters 7, 8 and 10).
#
# ## Two values: a wall on a line
#
# Leave *dress* out for a moment. Shirt or coat? All that the arg max sees of the noise is one difference,
# $\Delta_1 = \gamma_1 - \gamma_0$. The coat wins if $h_1 + \gamma_1 > h_0 + \gamma_0$, that is if
#
# $$\Delta_1 > h_0 - h_1$$
#
# So the line of all $\Delta_1$ is cut at one point, a *wall*. Left of it the shirt wins, right of it the coat. Nothing
# random moves when scores move: the noise stays where it is, and **the wall walks through it**.
#
# **Guess first.** With $\epsilon = 0.2$ the wall moves from $\Delta_1 = 0.7$ to $1.3$, for $f$ dislikes the coat. How
# many of 100 draws change their winner?

# %%
delta_1 = noise[:, 1] - noise[:, 0]
wall, eps = h[0] - h[1], 0.2
tilted_wall = wall + eps * (f[0] - f[1])
changed = np.mean((delta_1 > wall) & (delta_1 < tilted_wall))

t = np.linspace(-6, 6, 600)
density_there = np.exp(-t) / (1 + np.exp(-t)) ** 2              # of the difference of two Gumbel variables
figure, ax = plt.subplots(figsize=(6.5, 3.2))
ax.plot(t, density_there, color=plots.TRUTH)
ax.hist(delta_1, bins=120, range=(-6, 6), density=True, color="0.85")
for place, style, words in ((wall, "-", "wall"), (tilted_wall, "--", "wall, eps = 0.2")):
    ax.axvline(place, color=plots.TRUTH, linestyle=style, label=words)
strip = (t > wall) & (t < tilted_wall)
ax.fill_between(t[strip], density_there[strip], color=colours[0], alpha=0.6, label="coat before, shirt after")
ax.text(-4.5, 0.12, "shirt wins", color=colours[0], fontsize=12)
ax.text(3.2, 0.12, "coat wins", color=colours[1], fontsize=12)
ax.set(xlabel="$\\Delta_1 = \\gamma_1 - \\gamma_0$", ylabel="density")
ax.legend(fontsize=9)
plt.show()
in_the_strip = density_there[strip].mean() * (tilted_wall - wall)
print(f"{100 * changed:.1f} of 100 draws change their winner")
assert abs(in_the_strip - changed) < 4 * np.sqrt(changed / M) + 0.001           # 0.001: the grid of t is coarse

# %% [markdown]
# What to see. The two walls enclose a strip. The draws in it change from *coat* to *shirt*, all others keep their
# winner. How many there are: width of the strip times the mean density in it. For a narrow strip, that is the density
# at the wall.
#
# Now the theorem for two values. Let $\rho$ be the density of $\Delta_1$ at the wall.
#
# - **Raise** $h_1$ by a little $\delta$. The wall moves left by $\delta$. A share $\delta \rho$ of the draws goes over
#   to the coat, and each changes $f$ by $f_1 - f_0$. So $\partial E f(z^{\star}) / \partial h_1 = (f_1 - f_0)\, \rho$.
# - **Mix in** $\epsilon f$. The wall moves left by $\epsilon (f_1 - f_0)$. A share $\epsilon (f_1 - f_0)\, \rho$ goes
#   over to the coat. Divide by $\epsilon$: $(f_1 - f_0)\, \rho$.
#
# The two are the same. That is all. (Here $f_1 - f_0$ is negative: the wall moves right, and draws leave the coat.) The
# noise entered by one number, its density at the wall. In formulas: $q_1 = P(\Delta_1 > h_0 - h_1)$, so that
# $\partial q_1 / \partial h_1 = \rho$, and $E f(z^{\star}) = f_0 + (f_1 - f_0)\, q_1$.
#
# For Gumbel noise the difference has the density $e^{-\Delta_1} / (1 + e^{-\Delta_1})^2$ (chapter 3 proves it). The
# coat wins with the chance $\sigma(h_1 - h_0)$, a sigmoid, and $\rho = q_0 q_1$, which the next cell checks.

# %%
sigmoid = lambda score: 1 / (1 + np.exp(-score))
q_coat = sigmoid(h[1] - h[0])
rho = np.exp(-wall) / (1 + np.exp(-wall)) ** 2
slope = (f[1] - f[0]) * (sigmoid(h[1] - h[0] + 1e-5) - sigmoid(h[1] - h[0] - 1e-5)) / 2e-5     # of E f, in h_1
print(f"slope of E f in the coat's score {slope:.6f};  (f_1 - f_0) rho = {(f[1] - f[0]) * rho:.6f}")
for small in (0.1, 0.01, 0.001):
    print(f"eps = {small:5g}: (chance of the coat at eps - chance at 0) / eps = "
          f"{(sigmoid(h[1] - h[0] + small * (f[1] - f[0])) - q_coat) / small:.6f}")
assert np.isclose(rho, q_coat * (1 - q_coat), rtol=1e-14) and np.isclose(slope, (f[1] - f[0]) * rho, rtol=1e-8)
assert abs(np.mean(delta_1 > wall) - q_coat) < 4 * np.sqrt(q_coat * (1 - q_coat) / M)

# %% [markdown]
# ## Three values: a Y on a plane
#
# With three names the arg max sees two differences, $\Delta_1$ and $\Delta_2 = \gamma_2 - \gamma_0$. Each draw of the
# noise is a dot on a plane. The shirt wins where $\Delta_1 < h_0 - h_1$ and $\Delta_2 < h_0 - h_2$. Three regions meet
# in a Y, at the point $(h_0 - h_1,\; h_0 - h_2)$. Its three arms are the walls: on the arm between $i$ and $j$ these
# two tie at the top. Scores move the Y. The dots, all together the *cloud*, stay where they are.
#
# **Guess first.** From left to right $\epsilon$ falls to a tenth. How many times fewer draws change their winner?

# %%
from refimpl.plots import walls as pictures

figure, axes = plt.subplots(1, 3, figsize=(12, 4.6), sharey=True, layout="constrained")
for ax, value in zip(axes, (1.0, 0.3, 0.1)):
    cloud = pictures.draw_cloud(ax, h, f, value, noise[:600], size=1.1, legend=False)
    ax.set_title(f"eps = {value:g}: {cloud.moved} of 600 change")
plt.show()
counts = [np.mean((h + noise).argmax(axis=1) != (value * f + h + noise).argmax(axis=1)) for value in (1.0, 0.1)]
print(f"of all draws {counts[0]:.1%} change at eps = 1, {counts[1]:.1%} at eps = 0.1: "
      f"{counts[0] / counts[1]:.1f} times fewer; share / eps is {counts[0]:.2f} and {counts[1] / 0.1:.2f}")
assert 5 < counts[0] / counts[1] < 10

# %% [markdown]
# What to see. A dot is a draw, its colour the winner. Solid: the Y of $h$. Dashed: the Y of $h + \epsilon f$. A large
# dot lies between the two Ys: it changes its winner, from the colour of its rim to the colour of its middle. As
# $\epsilon$ falls, the strips get narrower and fewer dots change: about six times fewer here, and not ten, because the
# wide strips at $\epsilon = 1$ reach out to where there are few dots. At small $\epsilon$ the number is proportional to
# $\epsilon$. Each changed dot counts $1/\epsilon$ in the estimate. So what they add up to tends to a limit.
#
# The same, moving (`python -m refimpl explore` has it under sliders):
#
# ![The walls move over the cloud: fewer draws change their winner, and each weighs more](figures/walls.gif)
#
# ## How much noise lies along a wall
#
# Let $\rho_{ij}$ be the density of the noise along the wall between $i$ and $j$: how large a share of the draws is
# swept over when $h_j$ rises by $\delta$, divided by $\delta$, as $\delta \to 0$. To be on the wall at height $t$,
# $i$ and $j$ stand at $t$ exactly and all others below. So, with the density $F'$ and the distribution function $F$ of
# the noise,
#
# $$\rho_{ij} = \int F'(t - h_i)\, F'(t - h_j) \prod_{z \ne i, j} F(t - h_z) \, dt$$
#
# (One law for all values, as here. If each has its own, each has its own $F$.) In the plane it is an integral of the
# density of $(\Delta_1, \Delta_2)$ along one arm, per unit of $h_i - h_j$. For Gumbel noise that density is
# $2 e^{-\Delta_1-\Delta_2} / (1 + e^{-\Delta_1} + e^{-\Delta_2})^3$. The next cell does both integrals numerically
# (*quadrature*). For Gumbel noise both are $q_i q_j$; chapter 3 proves it.

# %%
def plane(a, b):                                                # density of the two differences, Gumbel noise
    return 2 * np.exp(-a - b) / (1 + np.exp(-a) + np.exp(-b)) ** 3


def line_integral(i, j):
    """Along the arm between i and j, per unit of h_i - h_j."""
    corner_a, corner_b = h[0] - h[1], h[0] - h[2]
    along = {(0, 1): lambda b: plane(corner_a, b), (0, 2): lambda a: plane(a, corner_b),
             (1, 2): lambda a: plane(a, a + h[1] - h[2])}[i, j]
    low, high = {(0, 1): (-30, corner_b), (0, 2): (-30, corner_a), (1, 2): (corner_a, 60)}[i, j]
    return integrate.quad(along, low, high, epsabs=1e-13, epsrel=1e-13, limit=200)[0]


gumbel_law = stats.gumbel_r(loc=-np.euler_gamma)
heights = np.arange(-12, 45, 0.01)


def chances(law, scores):
    """P(z* = z) for each z: z stands at height t exactly, all others below; added up over t (equation 6)."""
    below, at = law.cdf(heights - scores[:, None]), law.pdf(heights - scores[:, None])
    return np.array([(at[z] * np.delete(below, z, axis=0).prod(axis=0)).sum() for z in range(len(scores))]) * 0.01


def walls(law, scores):
    """rho (k, k): two stand at height t exactly, all others below; added up over t."""
    k, rho = len(scores), np.zeros((len(scores), len(scores)))
    below, at = law.cdf(heights - scores[:, None]), law.pdf(heights - scores[:, None])
    for i in range(k):
        for j in range(k):
            if i != j:
                rho[i, j] = (at[i] * at[j] * np.delete(below, [i, j], axis=0).prod(axis=0)).sum() * 0.01
    return rho


q, rho = chances(gumbel_law, h), walls(gumbel_law, h)
for i, j in ((0, 1), (0, 2), (1, 2)):
    print(f"{names[i]:5s} | {names[j]:5s}: along the arm {line_integral(i, j):.12f}, over heights {rho[i, j]:.12f}, "
          f"q_i q_j {q[i] * q[j]:.12f}")
    assert abs(line_integral(i, j) - q[i] * q[j]) < 1e-10 and abs(rho[i, j] - q[i] * q[j]) < 1e-10

# %% [markdown]
# ## One wall, two sides
#
# Raise $h_j$ by a little. Every wall of $j$ moves into a neighbour's region. From $i$ it takes the share $\rho_{ij}$
# per unit:
#
# $$\frac{\partial q_i}{\partial h_j} = -\rho_{ij} \quad (i \ne j), \qquad \frac{\partial q_j}{\partial h_j} = \sum_{i \ne j} \rho_{ij}$$
#
# The wall between $i$ and $j$ is *one* wall. What raising $h_j$ takes from $i$ is what raising $h_i$ takes from $j$, so
# $\partial q_i / \partial h_j = \partial q_j / \partial h_i$. By Danskin (chapter 1) $q = \partial G / \partial h$. So
# this says that the second derivatives of $G$ do not depend on their order. That is Schwarz's theorem, and here one can
# see it.

# %%
def jacobian(law, scores, d=1e-4):
    """d q_i / d h_j by differences of the chances, (k, k)."""
    return np.stack([(chances(law, scores + d * unit) - chances(law, scores - d * unit)) / (2 * d)
                     for unit in np.eye(len(scores))], axis=1)


J = jacobian(gumbel_law, h)
print("dq_i / dh_j by differences:\n", J.round(6))
assert np.allclose(J, J.T, rtol=0, atol=1e-8)
assert np.allclose(J, np.diag(rho.sum(axis=1)) - rho, rtol=0, atol=1e-8)

# %% [markdown]
# ## The proof
#
# Let $J$ be the table of all $\partial q_i / \partial h_j$. One wall has two sides, so $J$ is symmetric. That is the
# whole point.
#
# *Left side.* $E f(z^{\star}) = \sum_i q_i f_i$. By the chain rule its derivative in $h_j$ is
# $\sum_i f_i\, \partial q_i / \partial h_j$. With the walls: each neighbour $i$ gives $\rho_{ij}$ to $j$, and each draw
# that goes over changes $f$ by $f_j - f_i$:
#
# $$\frac{\partial}{\partial h_j} E f(z^{\star}) = \sum_{i \ne j} \rho_{ij} (f_j - f_i)$$
#
# *Right side.* $q_\epsilon$ is $q$ at the scores $h + \epsilon f$. By the chain rule its derivative in $\epsilon$ at 0
# is $\sum_i f_i\, \partial q_j / \partial h_i$, with the two places the other way round. With the walls: the one
# between $i$ and $j$ moves by $\epsilon (f_j - f_i)$, and $j$ gains $\epsilon \rho_{ij} (f_j - f_i)$ from $i$, at first
# order:
#
# $$\lim_{\epsilon \to 0} \frac{q_\epsilon(j) - q(j)}{\epsilon} = \sum_{i \ne j} \rho_{ij} (f_j - f_i)$$
#
# The two are the same, because $J$ is symmetric. *Weights.* The chain rule once more. On the left,
# $\nabla_w E f(z^{\star}) = \sum_j (\partial E f(z^{\star}) / \partial h_j)\, \nabla_w h_w(j)$. On the right,
# $E[\nabla_w h_w(z(\epsilon)) - \nabla_w h_w(z^{\star})] = \sum_j (q_\epsilon(j) - q(j))\, \nabla_w h_w(j)$. Divide by
# $\epsilon$ and let it go to 0. $\blacksquare$
#
# **Why $J$ exists.** The chain rule needs $q$ to be continuously differentiable in $h$. Take
# $q_i = \int F'(t - h_i) \prod_{z \ne i} F(t - h_z)\, dt$, with $F'$ bounded. Then no $F$ changes faster than that
# bound, so for $j \ne i$ we may differentiate under the integral, and get $-\rho_{ij}$. It is finite: the integral of
# $F'$ is 1, and the other factors are bounded. It is continuous in $h$: a small shift changes an integrable function by
# little in the mean. The diagonal follows from $\sum_i q_i = 1$: $\partial q_j / \partial h_j$ is
# $\sum_{i \ne j} \rho_{ij}$.
#
# | assumption | where it is used |
# | --- | --- |
# | finitely many values | the sums over $i$ and $j$ |
# | (a) $h_w(z)$ continuously differentiable | the chain rule, on the left; twice is not needed |
# | (b) $f$ free of $w$ | else the left side has one more term, $E \nabla_w f(z^{\star})$ |
# | (c) noise free of $w$ and $\epsilon$ | only the walls move, not the cloud |
# | (d) independent, bounded densities | $J$ exists and is continuous: the walls have a density |
#
# Nothing here asked for Gumbel noise, nor for *the same* noise in both arg maxes: a mean does not see whether its two
# terms share their draws. The variance does. See "What sharing the noise saves" below.

# %%
def left_side(law, scores, d=1e-4):
    return np.array([(chances(law, scores + d * unit) @ f - chances(law, scores - d * unit) @ f) / (2 * d)
                     for unit in np.eye(len(scores))])


truth = left_side(gumbel_law, h)
print("d E f / dh by differences:   ", truth.round(6))
for eps in (0.1, 0.01, 0.001):
    print(f"(q_eps - q) / eps at {eps:5g}: ", ((chances(gumbel_law, h + eps * f) - q) / eps).round(6))
by_walls = np.array([sum(rho[i, j] * (f[j] - f[i]) for i in range(3)) for j in range(3)])
assert np.allclose(truth, by_walls, rtol=0, atol=1e-8)
assert np.allclose((chances(gumbel_law, h + 1e-5 * f) - q) / 1e-5, by_walls, rtol=0, atol=1e-4)
assert np.allclose(by_walls, q * (f - q @ f), rtol=0, atol=1e-10)           # for Gumbel noise, rho_ij = q_i q_j

# %% [markdown]
# For Gumbel noise $\rho_{ij} = q_i q_j$, and the proof's sum $\sum_i \rho_{ij} (f_j - f_i)$ becomes
# $q_j (f_j - \sum_i q_i f_i)$. We write $E_q f$ for $\sum_i q_i f_i$. So **with Gumbel noise the gradient in the scores
# is $q (f - E_q f)$**: a name is pushed up if its $f$ is above the average, in proportion to how often it wins.
#
# ## The estimator
#
# Drop the limit and the expectation: draw noise once, take two arg maxes, subtract. First as one would say it, draw by
# draw, then all draws at once. With $h$ itself in the place of $w$, $\nabla_h h(z)$ is $\text{onehot}(z)$.

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
for eps in (1.0, 0.3, 0.1):
    g = direct_gradient(h, f, eps, noise)
    mean, error = (chances(gumbel_law, h + eps * f) - q) / eps, g.std(axis=0) / np.sqrt(M)
    print(f"eps = {eps}: sampled {g.mean(axis=0).round(4)} ± {error.round(4)}, exact mean {mean.round(4)}, "
          f"limit {truth.round(4)}; {np.mean((g == 0).all(axis=1)):.0%} of the draws are zero")
    assert (np.abs(g.mean(axis=0) - mean) < 4 * error).all()

# %% [markdown]
# **Guess first.** In the next picture each point is the mean of 4,000 estimates, with fresh draws at each $\epsilon$.
# Where are the error bars longest, and where are the points off the black line?

# %%
grid = np.geomspace(0.02, 4, 16)
figure, ax = plt.subplots(figsize=(6.5, 3.3))
ax.axhline(truth[0], color=plots.TRUTH, linewidth=3, label="the gradient")
fine = np.geomspace(0.02, 4, 100)
ax.semilogx(fine, [(chances(gumbel_law, h + eps * f) - q)[0] / eps for eps in fine], color="0.5",
            label="exact mean $(q_\\epsilon - q) / \\epsilon$")
several = [direct_gradient(h, f, eps, noise[4_000 * place:4_000 * (place + 1)])[:, 0]
           for place, eps in enumerate(grid)]                               # other draws for each eps
ax.errorbar(grid, [g.mean() for g in several], [2 * g.std() / np.sqrt(4_000) for g in several], fmt="o",
            color=plots.colour("direct"), label="4,000 draws, ± 2 standard errors")
ax.set(xlabel="eps, 1/nat", ylabel="component of shirt, nats")
ax.legend(fontsize=9)
plt.show()
assert several[0].std() > 3 * several[-1].std()

# %% [markdown]
# What to see. At small $\epsilon$ the mean is right and the error bars are long. At large $\epsilon$ the bars are short
# and the mean is off. Chapter 4 is about choosing between the two.
#
# ## What sharing the noise saves
#
# The walls give the variance too. Draws go from $i$ to $j$ only if $f_j > f_i$. They are a share of
# $\epsilon\, q_i q_j (f_j - f_i)$, for Gumbel noise and small $\epsilon$. A component $g_i$ is $\pm 1/\epsilon$ for the
# draws that arrive at $i$ or leave it, and 0 for all others. So its mean square is $C_i / \epsilon$ at first order. The
# square of its mean stays bounded. So
#
# $$\text{Var}\, g_i = \frac{C_i}{\epsilon} + O(1), \qquad C_i = q_i \sum_j q_j |f_j - f_i|$$
#
# With *fresh* noise for the second arg max, two independent winners differ with a chance that does not fall with
# $\epsilon$. Then
# $\text{Var}\, g_i = (q_i (1 - q_i) + q_\epsilon(i) (1 - q_\epsilon(i))) / \epsilon^2$, about
# $2 q_i (1 - q_i) / \epsilon^2$. The mean is the same. Sharing the noise buys a whole order of $\epsilon$.

# %%
from refimpl import direct                      # its exact variance and joint law; chapter 4 derives both

C = q * (np.abs(f[None, :] - f[:, None]) @ q)
other = np.random.default_rng(3).gumbel(-np.euler_gamma, size=(M, 3))
for eps in (0.1, 0.01, 0.001):
    law = direct.joint_law(h, f, eps)           # P(z* = i, z(eps) = j)
    swept = law / (eps * np.outer(q, q))
    print(f"eps = {eps:5g}: swept from coat to shirt / (eps q q) = {swept[1, 0]:.4f} (f_j - f_i = {f[0] - f[1]:g}), "
          f"back {swept[0, 1]:.1g};  eps Var g = {(eps * direct.variance(h, f, eps)).round(4)}")
assert np.isclose(swept[1, 0], 3, rtol=2e-3) and swept[0, 1] == 0
assert np.allclose(0.001 * direct.variance(h, f, 0.001), C, rtol=2e-3)
eps = 0.1
fresh = (np.eye(3)[(eps * f + h + other).argmax(axis=1)] - np.eye(3)[(h + noise).argmax(axis=1)]) / eps
shared, q_eps = direct_gradient(h, f, eps, noise), chances(gumbel_law, h + eps * f)
unshared = (q * (1 - q) + q_eps * (1 - q_eps)) / eps**2
print(f"C = {C.round(4)}\nvariances at eps = 0.1: shared {shared.var(axis=0).round(2)}, "
      f"fresh {fresh.var(axis=0).round(1)} (formula {unshared.round(1)})")
assert np.allclose(fresh.var(axis=0), unshared, rtol=0.02)
assert (np.abs(fresh.mean(axis=0) - (q_eps - q) / eps) < 4 * fresh.std(axis=0) / np.sqrt(M)).all()

# %% [markdown]
# ## Other noise
#
# With Gaussian noise the proof stays, with other numbers in $\rho$. Also at finite $\epsilon$ the mean of the
# estimate is $(q_\epsilon - q)/\epsilon$, if $q$ and $q_\epsilon$ are the laws of *that* arg max, at $h$ and at
# $h + \epsilon f$. Also $f$ never falls from $z^{\star}$ to $z(\epsilon)$ (chapter 1), and the variance grows like
# $1/\epsilon$, with $\rho_{ij}$ in the place of $q_i q_j$. What is lost is $\rho_{ij} = q_i q_j$, and with it the
# formula $q (f - E_q f)$.

# %%
gaussian = stats.norm(scale=np.pi / np.sqrt(6))                     # of the variance of a Gumbel variable
q_gauss, rho_gauss = chances(gaussian, h), walls(gaussian, h)
J = jacobian(gaussian, h)
assert np.allclose(J, J.T, rtol=0, atol=1e-8)
assert np.allclose(J, np.diag(rho_gauss.sum(axis=1)) - rho_gauss, rtol=0, atol=1e-8)
truth_gauss = left_side(gaussian, h)
by_walls = [sum(rho_gauss[i, j] * (f[j] - f[i]) for i in range(3)) for j in range(3)]
assert np.allclose(truth_gauss, by_walls, rtol=0, atol=1e-8)
gamma = np.random.default_rng(2).normal(scale=np.pi / np.sqrt(6), size=(M, 3))
g = (np.eye(3)[(0.3 * f + h + gamma).argmax(axis=1)] - np.eye(3)[(h + gamma).argmax(axis=1)]) / 0.3
mean = (chances(gaussian, h + 0.3 * f) - q_gauss) / 0.3
assert (np.abs(g.mean(axis=0) - mean) < 4 * g.std(axis=0) / np.sqrt(M)).all()
print("Gaussian noise: q", q_gauss.round(4), "  gradient", truth_gauss.round(4), "  mean of g at eps = 0.3",
      mean.round(4), "sampled", g.mean(axis=0).round(4))
print("Gumbel noise:   q", q.round(4), "  gradient", truth.round(4))
print("rho_ij / (q_i q_j), Gaussian:", [round(float(rho_gauss[i, j] / (q_gauss[i] * q_gauss[j])), 3)
                                        for i, j in ((0, 1), (0, 2), (1, 2))])
assert np.abs(rho_gauss[0, 1] / (q_gauss[0] * q_gauss[1]) - 1) > 0.01

# %% [markdown]
# ## Where it fails: atoms
#
# Why a density? An *atom* is a single value that the noise takes with a positive chance. Let two values have equal
# scores $h = (0, 0)$, and let the noise of each be $+1$ or $-1$, by a fair coin. Let $f = (0, 2)$. With chance 1/2 the
# two coins agree, and the values tie exactly: **half of the mass sits on the wall**. (A tie goes to the lower index.)
# Any $\epsilon > 0$, however small, tips all of it over to value 1.
#
# **Guess first.** What happens to (chance of value 1 at $\epsilon$ less chance at 0) divided by $\epsilon$, as
# $\epsilon$ falls?

# %%
coins = np.array([[s, t] for s in (-1.0, 1.0) for t in (-1.0, 1.0)])        # four draws, 1/4 each: no sampling needed
f_coins = np.array([0.0, 2.0])                                               


def mean_f(score):
    return f_coins[(np.array([0.0, score]) + coins).argmax(axis=1)].mean()


def quotient(eps):
    return ((eps * f_coins + coins).argmax(axis=1).mean() - coins.argmax(axis=1).mean()) / eps


figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.2))
scores = np.linspace(-3, 3, 1201)
left.plot(scores, [mean_f(score) for score in scores], ".", color=plots.TRUTH, markersize=2)
left.set(xlabel="score of value 1", ylabel="E f, nats")
small = np.geomspace(0.001, 0.9, 40)
right.loglog(small, [quotient(eps) for eps in small], ".", color=plots.colour("direct"))
right.set(xlabel="eps, 1/nat", ylabel="quotient, nats")
plt.show()
assert all(np.isclose(quotient(eps), 1 / (2 * eps)) for eps in small)
assert mean_f(1e-9) - mean_f(0.0) == 1.0                                     

# %% [markdown]
# What to see. Left: $E f$ is a staircase itself. It jumps by 1 at 0 and by a half at $-2$ and at 2, and has no gradient
# there. Between the jumps its gradient is 0. Right: the quotient at $h = (0, 0)$ is $1/(2\epsilon)$. It does not
# converge. Averaging over this noise does not smooth anything, because a moving wall meets nothing, and then a quarter
# or a half of the noise at once. No noise at all, $\gamma = 0$, is the extreme case.
#
# A bounded density is enough. It is needed only near a wall: with the coins at $h = (0, 1)$ nothing lies there, and
# both sides of the theorem are 0.
#
# ## The paper's proof
#
# The supplement proves the theorem without pictures, by the mean maximum $G$ of chapter 1. It is short enough for a
# blackboard.
#
# 1. $G(w, \epsilon) = E_\gamma \max_z \{\epsilon f(z) + h_w(z) + \gamma(z)\}$ is smooth in $(w, \epsilon)$. (Substitute
#    $\hat\gamma = \epsilon f + h_w + \gamma$ in the integral: then only the density carries $w$ and $\epsilon$, and no
#    max does. This asks for a smooth density, and for noise with a finite mean, so that $G$ exists. It asks for scores
#    with two derivatives, too. With one derivative only, take $h$ itself for $w$, and add the chain rule at the end.)
# 2. Danskin under the mean, in $\epsilon$: $\partial_\epsilon G = E f(z(\epsilon))$. At $\epsilon = 0$ this is
#    $E f(z^{\star})$, the very thing whose gradient we want. So (equation 3)
#    $\partial_w \partial_\epsilon G(w, 0) = \nabla_w E f(z^{\star})$.
# 3. Danskin under the mean, in the scores, and the chain rule: $\partial_w G = E \nabla_w h_w(z(\epsilon))$. Its
#    derivative in $\epsilon$ at 0 is, by definition, a limit of difference quotients (equation 4):
#    $\frac{1}{\epsilon} E[\nabla_w h_w(z(\epsilon)) - \nabla_w h_w(z^{\star})]$. **That is where $1/\epsilon$ comes
#    from.**
# 4. $G$ is smooth, so the order does not matter (Schwarz): 2 = 3. $\blacksquare$
#
# Steps 2 to 4 in numbers, with one weight, $h_w = h + w \cdot (1, 0, -1)$. Chapter 3 shows that Gumbel noise has
# $G = \log \sum_z e^{h_w(z) + \epsilon f(z)}$. Here $G$ is got from this, and checked by the draws. The chances of the
# winners come from their own integrals, as above, so that each line below compares two things that were got apart.

# %%
direction, d = np.array([1.0, 0.0, -1.0]), 1e-4


def G(w, eps):
    return np.log(np.exp(h + w * direction + eps * f).sum())


at = 0.4
highest = (h + at * direction + 0.3 * f + noise).max(axis=1)                        # 1: G by its definition
assert abs(highest.mean() - G(at, 0.3)) < 4 * highest.std() / np.sqrt(M)
dG_deps = lambda w: (G(w, d) - G(w, -d)) / (2 * d)                                  # at eps = 0
dG_dw = lambda eps: (G(at + d, eps) - G(at - d, eps)) / (2 * d)
chance = lambda w, eps: chances(gumbel_law, h + w * direction + eps * f)
assert np.isclose(dG_deps(at), chance(at, 0) @ f, rtol=0, atol=1e-7)                # 2: it is E f(z*)
assert np.isclose(dG_dw(0.3), chance(at, 0.3) @ direction, rtol=0, atol=1e-7)       # 3: it is E grad h(z(eps))
in_eps_then_w = (chance(at + d, 0) - chance(at - d, 0)) @ f / (2 * d)               # the slope of E f(z*)
in_w_then_eps = (chance(at, d) - chance(at, -d)) @ direction / (2 * d)              # the limit of the quotients
print(f"first eps, then w: {in_eps_then_w:.6f}\nfirst w, then eps: {in_w_then_eps:.6f}")
assert np.isclose(in_eps_then_w, in_w_then_eps, rtol=0, atol=1e-7)                  # 4

# %% [markdown]
# ## Weights
#
# Real encoders have many weights. Nothing changes: $\nabla_w h_w(z)$ is an ordinary backward pass through the encoder,
# started from $\text{onehot}(z)$. It is linear in what it starts from. So one backward pass, started from the
# *difference* $g$, does for both terms. A linear encoder $h = W x$ shows it: its gradient is the outer product of $g$
# and $x$.

# %%
rng = np.random.default_rng(4)
x, W = rng.normal(size=4), rng.normal(size=(3, 4))
dW = direct_gradient(W @ x, f, 0.1, noise)[:, :, None] * x      # backward: h_z = sum_i W_zi x_i, so dW_zi = dh_z x_i
exact = np.outer(chances(gumbel_law, W @ x + 0.1 * f) - chances(gumbel_law, W @ x), x) / 0.1
assert (np.abs(dW.mean(axis=0) - exact) <= 4 * dW.std(axis=0) / np.sqrt(M)).all()
shift = np.zeros((3, 4))
shift[1, 2] = 1e-4
slope = (chances(gumbel_law, (W + shift) @ x) - chances(gumbel_law, (W - shift) @ x)) @ f / 2e-4
assert np.isclose(slope, left_side(gumbel_law, W @ x)[1] * x[2], rtol=0, atol=1e-7)
print(f"one of the twelve weights: slope of E f by differences {slope:.6f}, by the chain rule "
      f"{left_side(gumbel_law, W @ x)[1] * x[2]:.6f}")

# %% [markdown]
# ## Train with it: first, fail
#
# Now train the one weight of chapter 1, from $w = 0$, one draw a step. The start lies near the bottom of the valley in
# chapter 1's first picture. To the right the slope leads to the shirt, $f = 1$. To the left it leads to the dress,
# $f = 0.5$. The gradient points right. A thousand runs go side by side, to see how often one ends on the wrong side.
#
# Write the loop as it comes to mind: each arg max draws the noise that it needs.

# %%
RUNS = 1_000


def train(gradient, steps=3000, lr=0.01, eps=0.1):
    """w at each step of each run: (steps, RUNS)."""
    rng, w, kept = np.random.default_rng(5), np.zeros(RUNS), []
    for _ in range(steps):
        kept.append(w)
        w = w + lr * gradient(h + w[:, None] * direction, eps, rng) @ direction     # ascend E f
    return np.array(kept)


def softmax(scores):                            # the chances of the winners, with Gumbel noise (chapter 3)
    e = np.exp(scores)
    return e / e.sum(axis=-1, keepdims=True)


def mean_of_f(w):                               # E f, exactly
    return softmax(h + w[..., None] * direction) @ f


def gumbel_noise(rng):
    return rng.gumbel(-np.euler_gamma, size=(RUNS, 3))


def fresh_noise(h, eps, rng):
    z_star = np.argmax(h + gumbel_noise(rng), axis=1)
    z_eps = np.argmax(eps * f + h + gumbel_noise(rng), axis=1)
    return (np.eye(3)[z_eps] - np.eye(3)[z_star]) / eps


weights = np.linspace(-2, 2, 4001)
bottom = weights[mean_of_f(weights).argmin()]   # of the valley: left of it is the wrong side
failed = train(fresh_noise)
print(f"the valley's bottom is at w = {bottom:.2f}; after 3,000 steps {np.mean(failed[-1] < bottom):.1%} of the runs "
      "are left of it")

# %% [markdown]
# The mean of the estimate is the same as with shared noise. Its variance is far too large. Change one line: draw the
# noise first, use it twice.
#
# **Guess first.** How many runs in a hundred go the wrong way now?

# %%
def shared_noise(h, eps, rng):
    gamma = gumbel_noise(rng)                                                   # the one line
    z_star, z_eps = np.argmax(h + gamma, axis=1), np.argmax(eps * f + h + gamma, axis=1)
    return (np.eye(3)[z_eps] - np.eye(3)[z_star]) / eps


def reinforce(h, eps, rng):                     # f(z) grad log q(z), another unbiased estimate; see below
    z = np.argmax(h + gumbel_noise(rng), axis=1)
    return f[z][:, None] * (np.eye(3)[z] - softmax(h))


def enumeration(h, eps, rng):                   # the exact gradient, no noise
    q = softmax(h)
    return q * (f - (q @ f)[:, None])


methods = {"fresh noise": (fresh_noise, "#F0A878"), "shared noise": (shared_noise, plots.colour("direct")),
           "REINFORCE": (reinforce, plots.colour("reinforce")), "exact": (enumeration, plots.TRUTH)}
figure, axes = plt.subplots(1, 4, figsize=(12, 3.1), sharey=True)
wrong_way = {}
for ax, (name, (gradient, colour)) in zip(axes, methods.items()):
    runs = failed if name == "fresh noise" else train(gradient)
    wrong_way[name] = np.mean(runs[-1] < bottom)
    ax.plot(mean_of_f(runs[:, :10]), color=colour, alpha=0.6)
    ax.set(title=name, xlabel="step")
    print(f"{name:13s} after 3,000 steps: median E f {np.median(mean_of_f(runs[-1])):.2f}, "
          f"wrong way {wrong_way[name]:.1%}")
axes[0].set_ylabel("E f, nats")
plt.show()
assert wrong_way["fresh noise"] > 0.3 > 0.15 > wrong_way["shared noise"] > wrong_way["REINFORCE"]
assert wrong_way["exact"] == 0 and np.allclose(enumeration(h[None], 0, None), truth, rtol=0, atol=1e-8)

# %% [markdown]
# What to see. Each panel: one method, the first ten runs. With fresh noise the curves jump up and down, and a large
# part of the runs goes the wrong way. With shared noise most climb. A few unlucky steps still carry some to the other
# side.
#
# REINFORCE is the *score function* estimate, $f(z^{\star}) \nabla \log q(z^{\star})$. It is unbiased, because
# $\sum_z q(z) f(z) \nabla \log q(z) = \nabla \sum_z q(z) f(z)$. It needs $f$ at one value only. At $\epsilon = 0.1$,
# and with the constant that this $f$ has, it has less noise than direct. (Add 100 to $f$, and it has far more, where
# direct does not change.) And the exact gradient has no noise at all. So with three values direct is not the tool.
# Chapter 7 compares the methods on problems with many variables. The variances:

# %%
draws = (h + noise).argmax(axis=1)
sampled = {"direct, eps = 0.1": direct_gradient(h, f, 0.1, noise), "fresh noise, eps = 0.1": fresh,
           "REINFORCE": f[draws][:, None] * (np.eye(3)[draws] - q)}
variances = {name: (g @ direction).var() for name, g in sampled.items()}
sampled["REINFORCE, f + 100"] = (f[draws] + 100)[:, None] * (np.eye(3)[draws] - q)
variances |= {"REINFORCE, f + 100": (sampled["REINFORCE, f + 100"] @ direction).var()}
print("variance of one estimate of the slope in w:",
      {name: round(float(value), 2) for name, value in variances.items()})
assert variances["REINFORCE"] < variances["direct, eps = 0.1"] < variances["fresh noise, eps = 0.1"] / 20
assert variances["REINFORCE, f + 100"] > 20 * variances["fresh noise, eps = 0.1"]

# %% [markdown]
# In the package: `direct.gradient` (the estimator), `exact.gradient` (the truth), `danskin.d2G_dh_deps` and
# `danskin.d2G_deps_dh` (steps 2 and 3 of the paper's proof).

# %%
from refimpl import danskin
from refimpl import exact as by_enumeration

assert (direct.gradient(h, f, 0.1, noise) == direct_gradient(h, f, 0.1, noise)).all()
assert np.allclose(by_enumeration.gradient(h, f), truth, rtol=0, atol=1e-8)
assert np.allclose(danskin.d2G_dh_deps(h, f, 0), truth, rtol=0, atol=1e-8)
assert np.allclose(danskin.d2G_deps_dh(h, f, 0), truth, rtol=0, atol=1e-8)

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
# $\epsilon \cdot 10 f = 10 \epsilon \cdot f$, so both have the same winners, and only the division differs. An
# $\epsilon$ that is right for $f$ is ten times too large for $10 f$: the best one is a tenth, with the same error
# relative to the gradient. At an $\epsilon$ that stays fixed, $10 f$ behaves like $f$ at $10 \epsilon$: relative to the
# gradient, more bias and less noise.
#
# ```python
# assert np.allclose(direct_gradient(h, 10 * f, 0.05, noise), 10 * direct_gradient(h, f, 0.5, noise))
# one, ten = direct.best_eps(h, f, samples=1000), direct.best_eps(h, 10 * f, samples=1000)
# assert np.isclose(ten, one / 10, rtol=1e-3)
# ```
#
# </details>
#
# **3 (hard).** Noise of only two values failed. Try noise with a density on a short interval only: the uniform law on
# $[0, 1]$, two values, $h = (0, h_1)$. For which $h_1$ does the theorem hold, and what is the gradient at $h_1 = 1.5$?
#
# <details><summary>Solution</summary>
#
# The difference of two uniform variables has the triangular density $1 - |t|$ on $[-1, 1]$, bounded and continuous. So
# it holds for every $h_1$, with $\rho = \max(0, 1 - |h_1|)$. At $h_1 = 1.5$ value 1 always wins: no noise reaches the
# wall, and the gradient is 0 although $f$ may prefer value 0 by far. At a finite $\epsilon$ the mean is that of the
# density over the strip, as in the first picture.
#
# ```python
# uniform = np.random.default_rng(5).random((M, 2))
# for h_1 in (0.0, 0.4, 1.5):
#     pair, payoff = np.array([0.0, h_1]), np.array([0.0, -2.0])
#     g = direct_gradient(pair, payoff, 0.05, uniform)[:, 1]
#     strip = np.linspace(-h_1, -h_1 + 0.05 * 2, 1001)                    # the wall moves right by eps * 2
#     mean, limit = -2.0 * np.maximum(0, 1 - abs(strip)).mean(), -2.0 * max(0, 1 - abs(h_1))
#     assert abs(g.mean() - mean) <= 4 * g.std() / np.sqrt(M) and abs(mean - limit) <= 0.1 + 1e-9
# ```
#
# </details>
#
# ## Where it goes wrong in practice
#
# - Fresh noise for the second arg max: the mean stays as it was, the training does not.
# - $\epsilon$ too small: nearly all estimates are zero, and a rare one is enormous. $\epsilon$ too large: chapter 4.
# - $1/\epsilon$ forgotten. The direction is right, and the step shrinks with $\epsilon$.
# - Noise rounded to few digits has atoms, and then a little mass sits on the walls.
#
# ## What to read next
#
# [Chapter 3](03_gumbel_noise.ipynb) says what is special about Gumbel noise: every chance and every mean in closed
# form. In the package: `refimpl/danskin.py` has the paper's proof, a function a step, and `refimpl/direct.py` the
# estimator.
