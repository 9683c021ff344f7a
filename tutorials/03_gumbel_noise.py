# %% [markdown]
# # 3. Gumbel noise: every probability and every mean in closed form
#
# **You will** find the distribution (the *law*) of the arg max under Gumbel noise in three ways. From this distribution
# you will derive closed forms for the mean maximum $G$ and for the density along every wall of chapter 2.
# **You will learn** why Gumbel noise gives exactly a softmax (Theorem 2 of the paper), what alarm clocks have to do
# with the softmax, and why the noise is shifted so that its mean is zero. **You need** [chapter 2](02_theorem_1.ipynb).
# This chapter runs in about ten seconds. Its symbols are listed at the end.

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
# Chapters 1 and 2 used NumPy's Gumbel noise without explaining it. A Gumbel variable has the distribution function
#
# $$P(\gamma \le t) = F(t) = e^{-e^{-(t+c)}}$$
#
# To draw such a variable, take $U$ uniform on $[0, 1]$ and solve $U = F(\gamma)$ for $\gamma$:
# $\gamma = -\log(-\log U) - c$. Here $c$ is Euler's constant. The shift by $c$ makes the mean zero, as the next cell
# confirms by sampling. (On the slides, the formula is $e^{-e^{-t+c}}$. A variable with this distribution function has
# the mean $2c$.)
#
# **Guess first.** Which is more common, a value above 3 or a value below $-3$?

# %%
c = np.euler_gamma
uniform = np.random.default_rng(2).random(300_000)
flat = -np.log(-np.log(uniform)) - c
error = flat.std() / np.sqrt(flat.size)
squares = (flat - flat.mean()) ** 2
print(f"mean {flat.mean():+.4f} ± {error:.4f} (exactly 0);  variance {squares.mean():.4f} ± "
      f"{squares.std() / np.sqrt(flat.size):.4f} (exactly pi^2 / 6 = {np.pi**2 / 6:.4f})")


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
# **What to see.** The density is not symmetric. On the right it falls slowly, like $e^{-(t+c)}$. On the left it falls
# abruptly, because of the factor $e^{-e^{-(t+c)}}$. A value above 3 occurs once in 36 draws, and a value below $-3$
# once in 79,000. So large positive values of the noise are much more common than large negative ones.
#
# ## Theorem 2
#
# **Theorem 2** (Fisher and Tippett 1928, Gumbel 1954, McFadden 1973). If the noise is Gumbel noise, the probability
# that the value $z$ wins is $P(z^{\star} = z) = q(z)$. Here $q$ is the softmax of the scores.
#
# So you can draw from a softmax without computing the softmax: no score is exponentiated, and nothing is divided by a
# sum. The next cell draws in this way, first in a loop, which is easier to read, and then with arrays:

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
    off = (share - q) / np.sqrt(q * (1 - q) / len(drawn))                   # difference from q, in standard errors
    print(f"{name:12s}", share.round(4), "  difference from the softmax, in standard errors:", off.round(1))
    assert np.abs(off).max() < 4

# %% [markdown]
# ## First proof: the integral
#
# We say that the value $z$ *wins at height* $t$ if its sum $h(z) + \gamma(z)$ is exactly $t$ and the sums of all other
# values are below $t$. The sum of $z$ is $t$ if the noise of $z$ is $t - h(z)$, and the density of the noise at that
# number is $F'(t-h(z))$. The sum of another value $z'$ is below $t$ with probability $F(t-h(z'))$. Integrate over all
# heights (equation 6 of the supplement):
#
# $$P(z^{\star} = z) = \int F'(t - h(z)) \prod_{z' \ne z} F(t - h(z')) \, dt$$
#
# Before we solve this integral, we compute it numerically on a fine grid.
#
# **Guess first.** The dress wins more often than the shirt. Is the height at which it wins also greater, on average?

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
print("mean height at which each name wins:", np.round(heights, 6))

# %% [markdown]
# **What to see.** The three curves have *the same* shape, and differ only in scale. So the height of the largest sum
# has the same distribution for every winner. It remains to show that the scale of each curve is proportional
# to $e^{h(z)}$.
#
# ## First proof: the algebra
#
# Write $S = \sum_{z'} e^{h(z')}$. In a product of exponentials, the exponents add up, so
#
# $$\prod_{z'} F(t - h(z')) = e^{-\sum_{z'} e^{h(z') - t - c}} = e^{-S e^{-(t+c)}}$$
#
# The integrand is this product, except that the factor $F(t - h(z))$ is replaced by
# $F'(t - h(z)) = e^{h(z)} e^{-(t+c)} F(t - h(z))$. So the integrand is
#
# $$e^{h(z)} \cdot e^{-(t+c)} e^{-S e^{-(t+c)}}$$
#
# Only the first factor depends on $z$. The rest has the antiderivative $e^{-S e^{-(t+c)}} / S$, so its integral is
# $1/S$. So the whole integral is $e^{h(z)}/S = q(z)$. The next cell checks each line on the grid:

# %%
S = np.exp(h).sum()
product = np.prod([F(t - score) for score in h], axis=0)
assert np.allclose(product, np.exp(-S * np.exp(-(t + c))), rtol=0, atol=1e-14)
shape = np.exp(-(t + c)) * np.exp(-S * np.exp(-(t + c)))            # the same for every z
assert np.allclose(integrand, np.exp(h)[:, None] * shape, rtol=0, atol=1e-14)
assert np.isclose(shape.sum() * step, 1 / S)
print("each line of the proof holds on the grid")

# %% [markdown]
# ## Second proof: alarm clocks
#
# There is a second way to prove Theorem 2. Let $X_z = e^{-(h(z) + \gamma(z) + c)}$. This number falls as the perturbed
# score $h(z) + \gamma(z)$ rises. So the largest perturbed score belongs to the smallest $X_z$. What is the distribution
# of $X_z$? Insert $\gamma(z) = -\log(-\log U) - c$:
#
# $$X_z = e^{-h(z)} \cdot e^{\log(-\log U)} = \frac{-\log U}{r_z}, \qquad r_z = e^{h(z)}$$
#
# The number $-\log U$ is an exponential variable of rate 1, since $P(-\log U > t) = P(U < e^{-t}) = e^{-t}$. So $X_z$
# exceeds $t$ with probability $P(-\log U > r_z t) = e^{-r_z t}$, which means that $X_z$ is an exponential variable of
# *rate* $r_z$. Thus the three scores have become three alarm clocks. Each of them rings at a random time, and a clock
# with a larger rate rings earlier on average. **The first clock to ring is $z^{\star}$.**
#
# The density of the event that clock $z$ rings first, at time $t$, is the density $r_z e^{-r_z t}$ of this clock times
# the probabilities $e^{-r_{z'} t}$ that the other clocks are still silent. The product is $r_z e^{-S t}$. Its integral
# is $r_z / S = q(z)$. And the time of the first ring has the density $S e^{-St}$, whichever clock rings first.
#
# **Guess first.** Here $S$ is about 3.8. At what time does the first clock ring, on average?

# %%
X = np.exp(-(h + noise + c))
first, when = X.argmin(axis=-1), X.min(axis=-1)
assert (first == z_star).all()          # the first clock to ring is the arg max

draw.clocks(X, first, when, S)
plt.show()
for z in range(3):
    mean_time, error = when[first == z].mean(), when[first == z].std() / np.sqrt(np.sum(first == z))
    print(f"{names[z]:6s} rings first in a share of {np.mean(first == z):.4f} of the draws (q = {q[z]:.4f}), "
          f"in these at {mean_time:.4f} ± {error:.4f} on average (1 / S = {1 / S:.4f})")
    assert abs(mean_time - 1 / S) < 4 * error

# %% [markdown]
# **What to see.** Left: the picture shows eight draws. In each draw, the three clocks ring once, and the dot marks the
# first ring. Right: the histograms show the time of the first ring, with one panel for each winner. All three
# histograms follow the same black curve, whose mean is $1/S$, about 0.26. In chapter 4, a second race of the same
# clocks leads to the probability that two arg maxes agree.
#
# ## The walls of chapter 2 in closed form
#
# Chapter 2 used several formulas for Gumbel noise without proof. All of them follow from Theorem 2.
#
# *On the line.* With two values, the shirt wins if $\Delta_1 = \gamma_1 - \gamma_0 < h_0 - h_1$. By Theorem 2 the
# probability of this is $e^{h_0} / (e^{h_0} + e^{h_1}) = 1 / (1 + e^{-(h_0 - h_1)})$. The scores can be chosen so that
# $h_0 - h_1$ is any number $t$. Hence $P(\Delta_1 < t) = 1/(1 + e^{-t})$. The derivative of this is the density
# $e^{-t} / (1 + e^{-t})^2$.
#
# *In the plane.* With three values, the shirt wins if $\Delta_1 < h_0 - h_1$ and $\Delta_2 < h_0 - h_2$. As on the
# line, Theorem 2 gives $P(\Delta_1 < t_1, \Delta_2 < t_2) = 1 / (1 + e^{-t_1} + e^{-t_2})$. Differentiate this
# probability with respect to $t_1$ and then with respect to $t_2$. The result is the density of the cloud,
# $2 e^{-t_1 - t_2} / (1 + e^{-t_1} + e^{-t_2})^3$.
#
# *Along the walls.* In chapter 2, $\rho_{ij} = \int F'(t - h_i)\, F'(t - h_j) \prod_{z \ne i, j} F(t - h_z)\, dt$. As
# in the algebra above, $F'(t - h_i) = r_i\, e^{-(t+c)} F(t - h_i)$, and likewise for $j$. Substitute $X = e^{-(t+c)}$,
# so that $dt = -dX / X$:
#
# $$\rho_{ij} = r_i r_j \int e^{-2(t+c)} e^{-S e^{-(t+c)}} dt = r_i r_j \int_0^\infty X e^{-S X} dX = \frac{r_i r_j}{S^2} = q_i q_j$$
#
# Now think of clocks, and measure time by its logarithm. Then $\rho_{ij}$ is the density of the event that $i$ and $j$
# ring together, before all others.

# %%
at, width = (0.4, -0.3), 0.4                                            # a square of the plane around this point
inside = np.abs(noise[:, 1:] - noise[:, :1] - at).max(axis=1) < width
plane = lambda t_1, t_2: 2 * np.exp(-t_1 - t_2) / (1 + np.exp(-t_1) + np.exp(-t_2)) ** 3
grid = np.linspace(-width, width, 41)
there = plane(at[0] + grid[:, None], at[1] + grid).mean() * (2 * width) ** 2
print(f"share of draws in the square: {inside.mean():.4f} ± {inside.std() / np.sqrt(M):.4f}, "
      f"from the density: {there:.4f}")
rho = np.array([[(density(t - h[i]) * density(t - h[j]) * F(t - h[3 - i - j])).sum() * step for j in range(3) if j != i]
                for i in range(3)])
print("rho by the integral", rho.ravel().round(6))
print("q_i q_j            ", np.array([q[i] * q[j] for i in range(3) for j in range(3) if i != j]).round(6))

# %% [markdown]
# ## Why mean zero: the mean maximum in closed form
#
# The maximum itself has the distribution function $\prod F(t-h(z)) = e^{-S e^{-(t+c)}}$. So it is a Gumbel variable
# shifted by $\log S$. If the noise has mean zero, the mean of the maximum is $\log S$. The same holds for the scores
# $h + \epsilon f$. So
#
# $$G(h, \epsilon) = E_\gamma \max_z \{\epsilon f(z) + h(z) + \gamma(z)\} = \log \sum_z e^{h(z) + \epsilon f(z)}$$
#
# There is no additive constant, because the noise has mean zero. (A constant added to the noise of every value would
# change no arg max, but it would raise the maximum.) The right side, called *logsumexp*, is an analytic function of $h$
# and $\epsilon$, so it has no kinks. The black curve of the mean maximum in chapter 1 approximates this function.

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
# Now every quantity of chapter 2 has a formula. By Danskin's theorem, $\partial G / \partial h$ is the law of the
# winner, and the gradient of a logsumexp is a softmax. So $q_\epsilon = \text{softmax}(h + \epsilon f)$, which is
# Theorem 2 again. And $\partial G / \partial \epsilon = \sum_z q_\epsilon(z) f(z)$ is the mean of $f$. The derivatives
# of a softmax are
#
# $$\frac{\partial q_\epsilon(z)}{\partial h(z')} = q_\epsilon(z) ([z = z'] - q_\epsilon(z')), \qquad \frac{\partial q_\epsilon(z)}{\partial \epsilon} = q_\epsilon(z) (f(z) - E_{q_\epsilon} f)$$
#
# ($[z = z']$ is 1 if the two values are the same, and 0 otherwise.) If $z \ne z'$, the first formula is minus the
# density along the wall between the two values. At $\epsilon = 0$, the first formula gives $-q_i q_j$ for two different
# values $i$ and $j$.
#
# Multiply the first formula by $f(z')$ and sum over $z'$. The result is $q_\epsilon(z) (f(z) - E_{q_\epsilon} f)$,
# which is $\partial q_\epsilon(z) / \partial \epsilon$. Multiply the first formula by $f(z)$ instead and sum over $z$.
# The result is $\partial E_{q_\epsilon} f / \partial h(z')$. The first formula is symmetric in $z$ and $z'$, so both
# results are the same vector, $q_\epsilon (f - E_{q_\epsilon} f)$, at every $\epsilon$. At $\epsilon = 0$ this is
# Theorem 1: $q (f - E_q f)$.

# %%
eps, d = 0.4, 1e-4
q_eps = np.exp(h + eps * f) / np.exp(h + eps * f).sum()
formula = q_eps * (f - q_eps @ f)
dG_deps = lambda scores: (G(scores, eps + d) - G(scores, eps - d)) / (2 * d)
dG_dh = lambda eps: np.array([(G(h + d * unit, eps) - G(h - d * unit, eps)) / (2 * d) for unit in np.eye(3)])
in_eps_then_h = np.array([(dG_deps(h + d * unit) - dG_deps(h - d * unit)) / (2 * d) for unit in np.eye(3)])
in_h_then_eps = (dG_dh(eps + d) - dG_dh(eps - d)) / (2 * d)
print("q_eps (f - E f)                          ", formula.round(6))
print("derivative in eps first, then in h       ", in_eps_then_h.round(6))
print("derivative in h first, then in eps       ", in_h_then_eps.round(6))
assert np.allclose(in_eps_then_h, formula, rtol=0, atol=1e-6)
assert np.allclose(in_h_then_eps, formula, rtol=0, atol=1e-6)

# %% [markdown]
# ## Other noise
#
# Theorem 1 holds for any noise with a bounded density (chapter 2). So what is special about Gumbel noise? The next cell
# computes the law of the arg max for Gumbel, Gaussian and Laplace noise. It uses the integral of the first proof. All
# three kinds of noise are scaled to the same variance. The shirt and the coat keep their scores, while the score of the
# dress varies.
#
# **Guess first.** The score of the dress rises. Do the odds of shirt against coat change?

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
# **What to see.** Left: the three curves are much alike, and only the curve for Laplace noise differs a little. Right:
# for Gumbel noise the odds of shirt against coat are $e^{h_0 - h_1}$, whatever the third score is. (This is called the
# *independence of irrelevant alternatives*.) For the other kinds of noise, the score of the dress changes the odds of
# the other two. So with Gumbel noise the encoder's scores *are* its log-probabilities, up to a constant. With other
# noise they are not. (We have seen that Gumbel noise gives a softmax. Yellott's theorem of 1977, which we do not prove,
# says that for three or more values *only* Gumbel noise gives a softmax, if the noise of all values is independent and
# has the same distribution.)
#
# ## The same functions in the package
#
# `refimpl/gumbel.py` contains the sampler, the quadrature, and the distribution of the noise given the winner. The
# sampler does not compute $-\log U$, but draws the exponential variable directly (see "Where it goes wrong in practice"
# below).

# %%
assert np.allclose(gumbel.choice_probabilities(h), q)
assert np.allclose(gumbel.choice_probabilities_by_quadrature(h), by_integral, atol=1e-12)
assert np.isclose(danskin.G(h, f, eps), G(h, eps)) and (gumbel.argmax(h, noise) == z_star).all()

# %% [markdown]
# ## Exercises
#
# **1 (easy).** Let $\tau$ be a temperature. Show by sampling that $\arg\max\{h/\tau + \gamma\}$ and
# $\arg\max\{h + \tau\gamma\}$ are the same in every draw, and compute the law of this arg max.
#
# <details><summary>Solution</summary>
#
# ```python
# tau = 0.5
# one, other = np.argmax(h / tau + noise, axis=-1), np.argmax(h + tau * noise, axis=-1)
# assert (one == other).all()                         # a positive factor does not change an arg max
# law = np.exp(h / tau) / np.exp(h / tau).sum()
# share = np.bincount(one, minlength=3) / M
# assert np.abs((share - law) / np.sqrt(law * (1 - law) / M)).max() < 4
# ```
#
# </details>
#
# **2 (medium).** This exercise has two parts. (i) The two values with the largest $h + \gamma$ are a draw of two
# values *without replacement*. Check that $P(\text{first} = 2, \text{second} = 0) = q(2)\, q(0) / (1 - q(2))$. (ii)
# Show that the derivative of $E f(z(\epsilon))$ with respect to $\epsilon$ is the variance of $f$ under $q_\epsilon$,
# so $E f(z(\epsilon))$ can never decrease.
#
# <details><summary>Solution</summary>
#
# (i) Exponential clocks have no memory: after the first ring the race starts again among the other clocks. (ii)
# Differentiate $\sum_z q_\epsilon(z) f(z)$, using $\partial q_\epsilon / \partial \epsilon = q_\epsilon (f - E f)$.
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
# **3 (hard).** What is the mean of the noise *of the winner*, $E[\gamma(z^{\star})]$? Guess its sign, derive it from
# $E \max = \log S$, and check it. What is its limit when the probability of one value tends to 1?
#
# <details><summary>Solution</summary>
#
# The maximum is $h(z^{\star}) + \gamma(z^{\star})$, so $E[\gamma(z^{\star})] = \log S - \sum_z q(z) h(z)$. This is the
# entropy of $q$, which is never negative. The entropy tends to 0 when one value becomes certain, because then the
# winner no longer depends on the noise, and the noise of that value keeps its mean 0.
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
#   million draws ($2^{24}$), and never returns 1. An arg max still works with an infinite value. But if $\gamma$ itself
#   is used (in the mean maximum $G$, or in the Gumbel-softmax of chapter 6), a single such draw ruins a run. Instead,
#   draw an exponential variable $X$ of rate 1 in float64, and take $\gamma = -\log X - c$.
# - The noise must be added to the *scores*, not to the probabilities.
# - Each value needs its own random number. If the same number is added to all values, no arg max changes.
# - If the noise is rounded coarsely, ties occur, and then the lowest index wins too often.
#
# ## Now write it yourself
#
# The workbook checks what you write. After this chapter you can write file 1 (Gumbel noise) and file 2 (the arg max and
# its law): `python tutorials/workbook/check.py 1` and `python tutorials/workbook/check.py 2`.
#
# ## What to read next
#
# [Chapter 4](04_finite_epsilon.ipynb) computes the mean and the variance of the estimate at a finite $\epsilon$. It
# also finds the function whose gradient is exactly this mean. The last section of [appendix
# A](appendix_a_walls_and_noise.ipynb) fits a logistic regression by counting winners instead of computing a softmax. In
# the package, see `refimpl/gumbel.py`. Maddison, Tarlow and Minka, *A\* sampling* (NeurIPS 2014), treat maxima over
# continuous sets.
#
# ## Symbols
#
# | symbol | in the code | the slides write | meaning |
# | --- | --- | --- | --- |
# | $h(z)$ | `h` | $\phi(x,z)$ | the encoder's score of the value $z$, any real number |
# | $f(z)$ | `f` | $\theta(x,z)$ | the decoder's score of the value $z$, in nats |
# | $\gamma(z)$ | `noise` | $\gamma(z)$ | Gumbel noise, an independent random number for each value |
# | $z^{\star}$ | `z_star` | $z^{\phi+\gamma}$ | $\arg\max_z \{h(z) + \gamma(z)\}$ |
# | $F(t)$, $F'(t)$ | `F`, `density` | $G(t)$, $g(t)$ | distribution function and density of the noise of one value |
# | $c$ | `c` | $c$ | Euler's constant, 0.5772… |
# | $q(z)$, $q_\epsilon(z)$ | `q`, `q_eps` | $e^{\phi(x,z)}$ | the softmax of $h$, and the softmax of $h + \epsilon f$ |
# | $S$ | `S` | | $\sum_z e^{h(z)}$ |
# | $X_z$ | `X` | | the time at which an alarm clock rings, an exponential variable of rate $r_z = e^{h(z)}$ |
# | $G(h, \epsilon)$ | `G` | $G(w, \epsilon)$ | the mean maximum, $E_\gamma \max_z \{\epsilon f(z) + h(z) + \gamma(z)\}$ |
# | $\tau$ | `tau` | | a temperature |
