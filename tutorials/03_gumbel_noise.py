# %% [markdown]
# # 3. Gumbel noise: every chance and every mean in closed form
#
# **You will** find the law of the arg max under Gumbel noise in three ways, and with it the mean maximum $G$ and the
# density along every wall of chapter 2. **You will learn** why Gumbel noise gives exactly a softmax (Theorem 2 of the
# paper), what alarm clocks have to do with it, and why the noise is given mean zero. **You need**
# [chapter 2](02_theorem_1.ipynb). The chapter runs in about ten seconds. Its symbols are listed at the end.

# %%
import start    # if it is not found: clone the whole repository, and run this chapter in its folder tutorials/

import matplotlib.pyplot as plt
import numpy as np
from scipy import stats

from draw import chapter_3 as draw
from refimpl import danskin, gumbel

names = ["shirt", "coat", "dress"]              # z = 0, 1, 2
colours = ["#004488", "#DDAA33", "#BB5566"]
h = np.array([0.3, -0.4, 0.6])                  # the encoder's scores
f = np.array([1.0, -2.0, 0.5])                  # the decoder's scores, nats
noise = np.random.default_rng(1).gumbel(-np.euler_gamma, size=(100_000, 3))     # one row per draw, mean 0
M = len(noise)
q = np.exp(h) / np.exp(h).sum()
print("softmax of h:", dict(zip(names, q.round(4).tolist())))

# %% [markdown]
# ## The noise
#
# Chapters 1 and 2 used NumPy's Gumbel noise without looking into it. A Gumbel variable has the distribution function
#
# $$P(\gamma \le t) = F(t) = e^{-e^{-(t+c)}}$$
#
# To draw one, take $U$ uniform on $[0, 1]$, set $U = F(\gamma)$ and solve: $\gamma = -\log(-\log U) - c$. The shift
# by $c$ makes the mean zero, as the next cell measures. (The slides print $e^{-e^{-t+c}}$, which would have the mean
# $2c$.)
#
# **Guess first.** Which is more common, a value above 3 or one below $-3$?

# %%
c = np.euler_gamma
uniform = np.random.default_rng(2).random(300_000)
flat = -np.log(-np.log(uniform)) - c
error = flat.std() / np.sqrt(flat.size)
squares = (flat - flat.mean()) ** 2
print(f"mean {flat.mean():+.4f} ± {error:.4f} (0);  variance {squares.mean():.4f} ± "
      f"{squares.std() / np.sqrt(flat.size):.4f} (pi^2 / 6 = {np.pi**2 / 6:.4f})")


def F(t):
    return np.exp(-np.exp(-(t + c)))


def density(t):                 # F'
    return np.exp(-(t + c)) * F(t)


t = np.linspace(-4, 7, 400)
draw.noise(flat, t, density(t))
plt.show()
print(f"above 3: {np.mean(flat > 3):.2%} (exactly {1 - F(3):.2%});  below -3: {np.mean(flat < -3):.4%} "
      f"(exactly {F(-3):.4%})")

# %% [markdown]
# What to see. The density is not symmetric. On the right it falls slowly, like $e^{-(t+c)}$. On the left it falls
# abruptly, because of the factor $e^{-e^{-(t+c)}}$. A value above 3 comes once in 36 draws, one below $-3$ once in
# 79,000. So it is the slow right side that decides a maximum.
#
# ## Theorem 2
#
# **Theorem 2** (Fisher and Tippett 1928, Gumbel 1954, McFadden 1973). With Gumbel noise $P(z^{\star} = z) = q(z)$,
# the softmax of the scores.
#
# So one can draw from a softmax without computing it: no score is exponentiated, and nothing is divided by a sum.
# Here it is first draw by draw, as one would explain it, and then for all draws at once:

# %%
def draw_one(h, rng):
    best, winner = -np.inf, None
    for z in range(len(h)):
        gamma = -np.log(-np.log(rng.random())) - c
        if h[z] + gamma > best:
            best, winner = h[z] + gamma, z
    return winner


rng = np.random.default_rng(3)
slow = np.array([draw_one(h, rng) for _ in range(20_000)])
z_star = np.argmax(h + noise, axis=-1)
for name, drawn in (("loop", slow), ("all at once", z_star)):
    share = np.bincount(drawn, minlength=3) / len(drawn)
    off = (share - q) / np.sqrt(q * (1 - q) / len(drawn))                   # how many standard errors off
    print(f"{name:12s}", share.round(4), "  standard errors off:", off.round(1))
    assert np.abs(off).max() < 4

# %% [markdown]
# ## Why: the integral
#
# The value $z$ wins at height $t$ if it stands at $t$ exactly and all others stand below. It stands there if its
# noise is $t - h(z)$, which has the density $F'(t-h(z))$. Each of the others is below with probability $F(t-h(z'))$.
# Integrate over all heights (equation 6 of the supplement):
#
# $$P(z^{\star} = z) = \int F'(t - h(z)) \prod_{z' \ne z} F(t - h(z')) \, dt$$
#
# Before any theory, just add it up on a fine grid.
#
# **Guess first.** The dress wins more often than the shirt. Does it also win at greater heights?

# %%
step = 0.01
t = np.arange(-15, 45, step)
integrand = np.stack([density(t - h[z]) * np.prod([F(t - h[other]) for other in range(3) if other != z], axis=0)
                      for z in range(3)])
by_integral = integrand.sum(axis=1) * step
print("integral", by_integral.round(6), "  softmax", q.round(6),
      f"  largest difference {np.abs(by_integral - q).max():.0e}")
draw.heights(t, integrand, by_integral)
plt.show()
heights = [integrand[z] @ t / integrand[z].sum() for z in range(3)]
print("mean height at which each wins:", np.round(heights, 6))

# %% [markdown]
# What to see. The three curves have *one* shape, at different scales. Whoever wins, the height at which it wins has the
# same distribution. It remains to show that the scale of each curve is $e^{h(z)}$.
#
# ## Why: the algebra
#
# Write $S = \sum_{z'} e^{h(z')}$. A product of exponentials adds their exponents,
#
# $$\prod_{z'} F(t - h(z')) = e^{-\sum_{z'} e^{h(z') - t - c}} = e^{-S e^{-(t+c)}}$$
#
# and $F'(t - h(z)) = e^{h(z)} e^{-(t+c)} F(t - h(z))$ supplies the missing factor $F$. So the integrand is
#
# $$e^{h(z)} \cdot e^{-(t+c)} e^{-S e^{-(t+c)}}$$
#
# Only the first factor depends on $z$. The rest integrates to $1/S$, since its antiderivative is
# $e^{-S e^{-(t+c)}} / S$. Together this is $e^{h(z)}/S = q(z)$. Check each line against the grid:

# %%
S = np.exp(h).sum()
product = np.prod([F(t - score) for score in h], axis=0)
assert np.allclose(product, np.exp(-S * np.exp(-(t + c))), rtol=0, atol=1e-14)
shape = np.exp(-(t + c)) * np.exp(-S * np.exp(-(t + c)))            # the same for every z
assert np.allclose(integrand, np.exp(h)[:, None] * shape, rtol=0, atol=1e-14)
assert np.isclose(shape.sum() * step, 1 / S)
print("each line of the proof holds on the grid")

# %% [markdown]
# ## Why: alarm clocks
#
# Turn the axis around. Let $X_z = e^{-(h(z) + \gamma(z) + c)}$. This falls as the perturbed score rises, so the largest
# perturbed score is the smallest $X_z$. Which law does it have? Put in $\gamma(z) = -\log(-\log U) - c$:
#
# $$X_z = e^{-h(z)} \cdot e^{\log(-\log U)} = \frac{-\log U}{r_z}, \qquad r_z = e^{h(z)}$$
#
# $-\log U$ is an exponential variable of rate 1, since $P(-\log U > t) = P(U < e^{-t}) = e^{-t}$. Divided by $r_z$ it
# exceeds $t$ with the chance $P(-\log U > r_z t) = e^{-r_z t}$: an exponential variable of *rate* $r_z$. So the scores
# have become three alarm clocks. Each rings at a random time, the one with the larger rate earlier on average, and
# **the first to ring is $z^{\star}$**.
#
# The density of clock $z$ ringing first, at time $t$, is $r_z e^{-r_z t}$ times the chances $e^{-r_{z'} t}$ that the
# others are still silent. The product is $r_z e^{-S t}$. It integrates to $r_z / S = q(z)$. And the time of the first
# ring has the density $S e^{-St}$, whichever clock it is.
#
# **Guess first.** Here $S$ is about 3.8. When does the first clock ring, on average?

# %%
X = np.exp(-(h + noise + c))
first, when = X.argmin(axis=-1), X.min(axis=-1)
assert (first == z_star).all()          # the first to ring is the arg max

draw.clocks(X, first, when, S)
plt.show()
for z in range(3):
    mean_time, error = when[first == z].mean(), when[first == z].std() / np.sqrt(np.sum(first == z))
    print(f"{names[z]:6s} rings first in {np.mean(first == z):.4f} of the draws (q = {q[z]:.4f}), "
          f"then at {mean_time:.4f} ± {error:.4f} on average (1 / S = {1 / S:.4f})")
    assert abs(mean_time - 1 / S) < 4 * error

# %% [markdown]
# What to see. Left: eight draws. Each has three rings, and the dot is the first one. Right: the time of the first ring,
# one panel for each winner. All three follow the same black curve, with the mean $1/S$, about 0.26. Chapter 4 lets the
# same clocks run a second race. That gives the chance that two arg maxes agree.
#
# ## The walls of chapter 2 in closed form
#
# Chapter 2 used three formulas for Gumbel noise and promised their proofs. Theorem 2 gives them all.
#
# *On the line.* With two values the shirt wins if $\Delta_1 = \gamma_1 - \gamma_0 < h_0 - h_1$. By Theorem 2 the
# chance of that is $e^{h_0} / (e^{h_0} + e^{h_1}) = 1 / (1 + e^{-(h_0 - h_1)})$. The scores can be chosen so that
# $h_0 - h_1$ is any number $t$. Hence $P(\Delta_1 < t) = 1/(1 + e^{-t})$, and its derivative is the density
# $e^{-t} / (1 + e^{-t})^2$.
#
# *On the plane.* With three values the shirt wins if $\Delta_1 < h_0 - h_1$ and $\Delta_2 < h_0 - h_2$. In the same way
# $P(\Delta_1 < t_1, \Delta_2 < t_2) = 1 / (1 + e^{-t_1} + e^{-t_2})$. Differentiate it in $t_1$ and then in $t_2$: the
# density of the cloud is $2 e^{-t_1 - t_2} / (1 + e^{-t_1} + e^{-t_2})^3$.
#
# *Along the walls.* Chapter 2 has $\rho_{ij} = \int F'(t - h_i)\, F'(t - h_j) \prod_{z \ne i, j} F(t - h_z)\, dt$.
# Each $F'$ gives a factor $r\, e^{-(t+c)}$ and its missing $F$, as in the algebra above. With $X = e^{-(t+c)}$ in the
# place of $t$, so that $dt = -dX / X$:
#
# $$\rho_{ij} = r_i r_j \int e^{-2(t+c)} e^{-S e^{-(t+c)}} dt = r_i r_j \int_0^\infty X e^{-S X} dX = \frac{r_i r_j}{S^2} = q_i q_j$$
#
# In clocks: $i$ and $j$ ring together, before all others.

# %%
at, width = (0.4, -0.3), 0.4                                            # a square of the plane around this point
inside = np.abs(noise[:, 1:] - noise[:, :1] - at).max(axis=1) < width
plane = lambda t_1, t_2: 2 * np.exp(-t_1 - t_2) / (1 + np.exp(-t_1) + np.exp(-t_2)) ** 3
grid = np.linspace(-width, width, 41)
there = plane(at[0] + grid[:, None], at[1] + grid).mean() * (2 * width) ** 2
print(f"draws in the square: {inside.mean():.4f} ± {inside.std() / np.sqrt(M):.4f}, by the density {there:.4f}")
rho = np.array([[(density(t - h[i]) * density(t - h[j]) * F(t - h[3 - i - j])).sum() * step for j in range(3) if j != i]
                for i in range(3)])
print("rho by the integral", rho.ravel().round(6))
print("q_i q_j            ", np.array([q[i] * q[j] for i in range(3) for j in range(3) if i != j]).round(6))

# %% [markdown]
# ## Why mean zero: the mean maximum in closed form
#
# The maximum itself has the distribution function $\prod F(t-h(z)) = e^{-S e^{-(t+c)}}$. That is a Gumbel variable,
# moved by $\log S$. With zero-mean noise its mean is $\log S$. The same holds for the scores $h + \epsilon f$. So
#
# $$G(h, \epsilon) = E_\gamma \max_z \{\epsilon f(z) + h(z) + \gamma(z)\} = \log \sum_z e^{h(z) + \epsilon f(z)}$$
#
# without a constant. A shift of all the noise changes no arg max, but it does shift the maximum. This *logsumexp* is an
# analytic function of $h$ and $\epsilon$, so no kink is left. The black line of chapter 1, a mean of draws, comes close
# to it.

# %%
def G(scores, eps):
    return np.log(np.exp(scores + eps * f).sum())


for eps in (-1.0, 0.0, 0.5):
    highest = (eps * f + h + noise).max(axis=-1)
    error = highest.std() / np.sqrt(M)
    print(f"eps = {eps:+.1f}: mean of the maximum {highest.mean():.4f} ± {error:.4f}, logsumexp {G(h, eps):.4f}")
    assert abs(highest.mean() - G(h, eps)) < 4 * error

# %% [markdown]
# ## Theorem 1 in closed form
#
# Now all of chapter 2 has a formula. By Danskin, $\partial G / \partial h$ is the law of the winner, and the gradient
# of a logsumexp is a softmax. So $q_\epsilon = \text{softmax}(h + \epsilon f)$, which is Theorem 2 once more. And
# $\partial G / \partial \epsilon = \sum_z q_\epsilon(z) f(z)$, the mean of $f$. A softmax has
#
# $$\frac{\partial q_\epsilon(z)}{\partial h(z')} = q_\epsilon(z) ([z = z'] - q_\epsilon(z')), \qquad \frac{\partial q_\epsilon(z)}{\partial \epsilon} = q_\epsilon(z) (f(z) - E_{q_\epsilon} f)$$
#
# ($[z = z']$ is 1 if the two are the same value, else 0.) The first one is the wall once more: $-q_i q_j$ off the
# diagonal.
# Multiply it by $f(z)$ and add over $z$: that is $\partial E_{q_\epsilon} f / \partial h(z')$. Multiply it by $f(z')$
# and add over $z'$: that is $\partial q_\epsilon(z) / \partial \epsilon$. The table of all
# $\partial q_\epsilon(z) / \partial h(z')$ is symmetric, so both come out the same,
# $q_\epsilon (f - E_{q_\epsilon} f)$, at every $\epsilon$. At $\epsilon = 0$ this is Theorem 1: $q (f - E_q f)$.

# %%
eps, d = 0.4, 1e-4
q_eps = np.exp(h + eps * f) / np.exp(h + eps * f).sum()
formula = q_eps * (f - q_eps @ f)
dG_deps = lambda scores: (G(scores, eps + d) - G(scores, eps - d)) / (2 * d)
dG_dh = lambda eps: np.array([(G(h + d * unit, eps) - G(h - d * unit, eps)) / (2 * d) for unit in np.eye(3)])
in_eps_then_h = np.array([(dG_deps(h + d * unit) - dG_deps(h - d * unit)) / (2 * d) for unit in np.eye(3)])
in_h_then_eps = (dG_dh(eps + d) - dG_dh(eps - d)) / (2 * d)
print("q_eps (f - E f)   ", formula.round(6))
print("first eps, then h ", in_eps_then_h.round(6))
print("first h, then eps ", in_h_then_eps.round(6))
assert np.allclose(in_eps_then_h, formula, rtol=0, atol=1e-6)
assert np.allclose(in_h_then_eps, formula, rtol=0, atol=1e-6)

# %% [markdown]
# ## Other noise
#
# Chapter 2 said that any noise with a bounded density will do for Theorem 1. What is special about Gumbel noise? The
# next cell computes the law of the arg max by the integral for Gumbel, Gaussian and Laplace noise, all scaled to the
# same variance. Shirt and coat keep their scores, while the score of the dress moves.
#
# **Guess first.** The dress gets more attractive. Do the odds of shirt against coat change?

# %%
sigma = np.pi / np.sqrt(6)
laws = {"Gumbel": stats.gumbel_r(loc=-c), "Gaussian": stats.norm(scale=sigma),
        "Laplace": stats.laplace(scale=sigma / np.sqrt(2))}


def chances(law, scores, t=np.arange(-40, 60, 0.02)):
    below = np.stack([law.cdf(t - score) for score in scores])
    others = [np.prod(np.delete(below, z, axis=0), axis=0) for z in range(len(scores))]
    return np.array([(law.pdf(t - scores[z]) * others[z]).sum() * 0.02 for z in range(len(scores))])


moving = np.linspace(-4, 4, 33)
odds, of_dress = {}, {}
for name, law in laws.items():
    chosen = np.array([chances(law, [h[0], h[1], score]) for score in moving])
    odds[name], of_dress[name] = chosen[:, 0] / chosen[:, 1], chosen[:, 2]
draw.other_noise(moving, of_dress, odds)
plt.show()
print({name: f"odds from {values.min():.2f} to {values.max():.2f}" for name, values in odds.items()})

# %% [markdown]
# What to see. Left: the three curves are much alike, and Laplace's differs a little. Right: for Gumbel noise the odds
# are $e^{h_0 - h_1}$, whatever the third score does (the *independence of irrelevant alternatives*). For the other
# noises the score of the dress changes the odds of the other two. With Gumbel noise the encoder's scores *are* its
# log-probabilities, up to a constant. With other noise they are not. (We have seen that Gumbel noise gives a softmax.
# Yellott's theorem of 1977, not proved here, says that for three or more values *only* Gumbel noise does, among
# independent noises of one law.)
#
# ## What you built is in the package
#
# `refimpl/gumbel.py` has the sampler, the quadrature and the law of the noise given its winner. It draws the
# exponential variable directly rather than as $-\log U$, for a reason that is given near the end.

# %%
assert np.allclose(gumbel.choice_probabilities(h), q)
assert np.allclose(gumbel.choice_probabilities_by_quadrature(h), by_integral, atol=1e-12)
assert np.isclose(danskin.G(h, f, eps), G(h, eps)) and (gumbel.argmax(h, noise) == z_star).all()

# %% [markdown]
# ## Exercises
#
# **1 (easy).** A temperature $\tau$: show by sampling that $\arg\max\{h/\tau + \gamma\}$ and
# $\arg\max\{h + \tau\gamma\}$ are the same draw, and compute its law.
#
# <details><summary>Solution</summary>
#
# ```python
# tau = 0.5
# one, other = np.argmax(h / tau + noise, axis=-1), np.argmax(h + tau * noise, axis=-1)
# assert (one == other).all()                         # the arg max does not see a positive factor
# law = np.exp(h / tau) / np.exp(h / tau).sum()
# share = np.bincount(one, minlength=3) / M
# assert np.abs((share - law) / np.sqrt(law * (1 - law) / M)).max() < 4
# ```
#
# </details>
#
# **2 (middling).** Two of them. (i) The two largest of $h + \gamma$ are a draw of two values *without replacement*.
# Check $P(\text{first} = 2, \text{second} = 0) = q(2)\, q(0) / (1 - q(2))$. (ii) The mean slope $E f(z(\epsilon))$
# rises with $\epsilon$. Show that its own slope is the variance of $f$ under $q_\epsilon$, so that it can never fall.
#
# <details><summary>Solution</summary>
#
# (i) Exponential clocks have no memory: after the first ring the race starts again among the others. (ii) Differentiate
# $\sum_z q_\epsilon(z) f(z)$ with $\partial q_\epsilon / \partial \epsilon = q_\epsilon (f - E f)$.
#
# ```python
# order = np.argsort(-(h + noise), axis=-1)
# share, chance = np.mean((order[:, 0] == 2) & (order[:, 1] == 0)), q[2] * q[0] / (1 - q[2])
# assert abs(share - chance) < 4 * np.sqrt(chance * (1 - chance) / M)
# slope = (danskin.dG_deps(h, f, eps + 1e-5) - danskin.dG_deps(h, f, eps - 1e-5)) / 2e-5
# assert np.isclose(slope, q_eps @ (f - q_eps @ f) ** 2, rtol=1e-7)
# ```
#
# </details>
#
# **3 (hard).** What is the mean of the *winner's own* noise, $E[\gamma(z^{\star})]$? Guess its sign, derive it from
# $E \max = \log S$, check it. What does it tend to when one value is certain?
#
# <details><summary>Solution</summary>
#
# The maximum is $h(z^{\star}) + \gamma(z^{\star})$, so $E[\gamma(z^{\star})] = \log S - \sum_z q(z) h(z)$: the entropy
# of $q$. It is never negative. It tends to 0 when one value is certain, because then its noise is not selected at all.
#
# ```python
# winners = noise[np.arange(M), z_star]
# entropy = -(q * np.log(q)).sum()
# assert abs(winners.mean() - entropy) < 4 * winners.std() / np.sqrt(M)
# ```
#
# </details>
#
# ## Where it goes wrong in practice
#
# - In float32, $-\log(-\log U)$ is infinite where $U$ is 0 or 1. A generator with 24 bits returns 0 once in about 17
#   million draws ($2^{24}$), and never 1. An arg max can cope with that. But where $\gamma$ itself is used (in a mean
#   maximum, or in chapter 6's Gumbel-softmax), one such draw spoils a run. Draw an exponential variable $X$ of rate 1
#   in float64 instead, and take $\gamma = -\log X - c$.
# - Noise is added to *scores*, not to probabilities.
# - Each value needs a number of its own. The same number added to all values changes nothing.
# - If the noise is rounded coarsely there are ties, and then the lowest index wins too often.
#
# ## Now write it yourself
#
# The workbook checks what you write. After this chapter you can write file 1, Gumbel noise, and file 2, the arg max and
# its law: `python tutorials/workbook/check.py 1` and `python tutorials/workbook/check.py 2`.
#
# ## What to read next
#
# [Chapter 4](04_finite_epsilon.ipynb): at a finite $\epsilon$, what is the estimate the exact gradient of, and how
# noisy is it? [Appendix A](appendix_a_walls_and_noise.ipynb) ends with logistic regression, learnt by counting
# winners instead of computing a softmax. In the package: `refimpl/gumbel.py`. Further away: Maddison, Tarlow and
# Minka, *A\* sampling* (NeurIPS 2014), for maxima over continuous sets.
#
# ## Symbols
#
# | symbol | in the code | the slides write | meaning |
# | --- | --- | --- | --- |
# | $h(z)$ | `h` | $\phi(x,z)$ | the encoder's score of the value $z$, any real number |
# | $f(z)$ | `f` | $\theta(x,z)$ | the decoder's score of the value $z$, in nats |
# | $\gamma(z)$ | `noise` | $\gamma(z)$ | Gumbel noise, an independent number for each value |
# | $z^{\star}$ | `z_star` | $z^{\phi+\gamma}$ | $\arg\max_z \{h(z) + \gamma(z)\}$ |
# | $F(t)$, $F'(t)$ | `F`, `density` | $G(t)$, $g(t)$ | distribution function and density of the noise of one value |
# | $c$ | `c` | $c$ | Euler's constant, 0.5772… |
# | $q(z)$, $q_\epsilon(z)$ | `q`, `q_eps` | $e^{\phi(x,z)}$ | softmax of $h$, of $h + \epsilon f$ |
# | $S$ | `S` | | $\sum_z e^{h(z)}$ |
# | $X_z$ | `X` | | time of an alarm clock, an exponential variable of rate $r_z = e^{h(z)}$ |
# | $G(h, \epsilon)$ | `G` | $G(w, \epsilon)$ | the mean maximum, $E_\gamma \max_z \{\epsilon f(z) + h(z) + \gamma(z)\}$ |
# | $\tau$ | `tau` | | a temperature |
