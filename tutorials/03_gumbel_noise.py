# %% [markdown]
# # 3. Gumbel noise: every chance and every mean in closed form
#
# **You will** find the law of the arg max under Gumbel noise in three ways, and with it the mean maximum $G$.
# **You will learn** why Gumbel noise gives exactly a softmax (Theorem 2 of the paper), what alarm clocks have to do
# with it, and why the noise is given mean zero. **You need** [chapter 2](02_theorem_1.ipynb). It runs in about ten
# seconds.
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

# %%
import start    # if it is not found: clone the whole repository, and run this chapter in its folder tutorials/

import matplotlib.pyplot as plt
import numpy as np
from scipy import stats

from refimpl import danskin, gumbel, plots

names = ["shirt", "coat", "dress"]              # z = 0, 1, 2
colours = ["#004488", "#DDAA33", "#BB5566"]
h = np.array([0.3, -0.4, 0.6])                  # the encoder's scores
f = np.array([1.0, -2.0, 0.5])                  # the decoder's scores, nats
noise = np.random.default_rng(1).gumbel(-np.euler_gamma, size=(100_000, 3))     # one row a draw, mean 0
M = len(noise)
q = np.exp(h) / np.exp(h).sum()
print("softmax of h:", dict(zip(names, q.round(4).tolist())))

# %% [markdown]
# ## The noise
#
# Chapters 1 and 2 took NumPy's Gumbel noise and asked nothing. A Gumbel variable has the distribution function
#
# $$P(\gamma \le t) = F(t) = e^{-e^{-(t+c)}}$$
#
# To draw one, take $U$ uniform on $[0, 1]$, set $U = F(\gamma)$ and solve: $\gamma = -\log(-\log U) - c$. The shift by
# $c$ makes the mean zero. (The slides print $e^{-e^{-t+c}}$. With $c > 0$ that would have mean $2c$. The sign above is
# the one that gives zero, as the next cell measures.)
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
assert abs(flat.mean()) < 4 * error
assert abs(squares.mean() - np.pi**2 / 6) < 4 * squares.std() / np.sqrt(flat.size)
assert abs(noise.mean()) < 4 * noise.std() / np.sqrt(noise.size)            # NumPy's, moved by -c, is the same


def F(t):
    return np.exp(-np.exp(-(t + c)))


def density(t):                 # F'
    return np.exp(-(t + c)) * F(t)


t = np.linspace(-4, 7, 400)
figure, ax = plt.subplots(figsize=(6, 3.2))
ax.hist(flat, bins=130, range=(-4, 7), density=True, color="0.8", label="drawn")
ax.plot(t, density(t), color=plots.TRUTH, label="density $F'(t)$")
ax.set(xlabel="t", ylabel="density")
ax.legend()
plt.show()
print(f"above 3: {np.mean(flat > 3):.2%} (exactly {1 - F(3):.2%});  below -3: {np.mean(flat < -3):.4%} "
      f"(exactly {F(-3):.4%})")
assert 1 / 36.5 < 1 - F(3) < 1 / 35.5 and 1 / 79_500 < F(-3) < 1 / 78_500

# %% [markdown]
# What to see. The density leans. On the right it falls like $e^{-t}$, slowly. On the left it falls like $e^{-e^{-t}}$,
# abruptly. A value above 3 comes once in 36 draws, one below $-3$ once in 79,000. A maximum is decided on the right.
#
# ## Theorem 2
#
# **Theorem 2** (Fisher 1928, Gumbel 1954, McFadden 1973). With Gumbel noise $P(z^{\star} = z) = q(z)$, the softmax of
# the scores.
#
# So a softmax can be drawn from without computing one. Nobody exponentiates a score or divides by a sum. First draw by
# draw, as one would say it, then all draws at once:

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
# The value $z$ wins at height $t$ if it stands at $t$ exactly and all others stand below. Noise at $t - h(z)$ has
# density $F'(t-h(z))$. The others are below with probability $F(t-h(z'))$. Sum over all heights (equation 6 of the
# supplement):
#
# $$P(z^{\star} = z) = \int F'(t - h(z)) \prod_{z' \ne z} F(t - h(z')) \, dt$$
#
# No theory yet: just add it up on a fine grid.
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
assert np.abs(by_integral - q).max() < 1e-12

figure, ax = plt.subplots(figsize=(6, 3.2))
for z in range(3):
    ax.plot(t, integrand[z], color=colours[z], label=f"{names[z]}, area {by_integral[z]:.3f}")
ax.set(xlim=(-2, 8), xlabel="height t of the maximum", ylabel="density of: z wins, at t")
ax.legend(fontsize=9)
plt.show()
heights = [integrand[z] @ t / integrand[z].sum() for z in range(3)]
print("mean height at which each wins:", np.round(heights, 6))
assert np.ptp(heights) < 1e-9

# %% [markdown]
# What to see. Three curves of *one* shape, scaled. Whoever wins, the height at which it wins is distributed alike. What
# is left to show: the scale of each curve is $e^{h(z)}$.
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
# Only the first factor knows $z$. The rest integrates to $1/S$, since its antiderivative is $e^{-S e^{-(t+c)}} / S$.
# Together: $e^{h(z)}/S = q(z)$. Check each line against the grid:

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
# Turn the axis around. Let $X_z = e^{-(h(z) + \gamma(z) + c)}$. The largest perturbed score is the smallest $X_z$.
# Since $-\log U$ is an exponential variable of rate 1, $X_z$ is an exponential variable of rate $r_z = e^{h(z)}$. So
# the scores have become three alarm clocks. Each rings at a random time, the one with the larger rate earlier on
# average, and **the first to ring is $z^{\star}$**.
#
# Clock $z$ rings first, at time $t$, with density $r_z e^{-r_z t}$ times the chances $e^{-r_{z'} t}$ that the others
# are silent still. The product is $r_z e^{-S t}$. It integrates to $r_z / S = q(z)$. And the time of the first ring has
# the density $S e^{-St}$, whichever clock it is.
#
# **Guess first.** Here $S$ is about 3.8. When does the first clock ring, on average?

# %%
X = np.exp(-(h + noise + c))
first, when = X.argmin(axis=-1), X.min(axis=-1)
assert (first == z_star).all()

figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.2), width_ratios=[1.4, 1])
for row in range(8):
    left.hlines(row, 0, 3, color="0.9", linewidth=1)
    for z in range(3):
        won = first[row] == z
        left.plot(X[row, z], row, marker="o" if won else "|", color=colours[z], markersize=10 if won else 12,
                  markeredgewidth=2)
left.set(xlabel="time (later rings are not shown)", yticks=[], ylabel="eight draws", xlim=(-0.05, 3),
         title="dot: the first to ring")
times = np.linspace(0, 2, 41)
for z in range(3):
    right.hist(when[first == z], bins=times, density=True, histtype="step", color=colours[z], label=names[z])
right.plot(times, S * np.exp(-S * times), color=plots.TRUTH, linewidth=1, label="$S e^{-S t}$")
right.set(xlabel="time of the first ring", title="whoever it is: the same law")
right.legend(fontsize=9)
plt.show()
for z in range(3):
    mean_time, error = when[first == z].mean(), when[first == z].std() / np.sqrt(np.sum(first == z))
    print(f"{names[z]:6s} rings first in {np.mean(first == z):.4f} of the draws (q = {q[z]:.4f}), "
          f"then at {mean_time:.4f} ± {error:.4f} on average (1 / S = {1 / S:.4f})")
    assert abs(mean_time - 1 / S) < 4 * error

# %% [markdown]
# What to see. Left: eight draws. Each has three rings, and the dot is the first one. Right: the time of the first ring,
# for each winner by itself. Its mean is $1/S$, about 0.26. The three histograms lie on one another. Chapter 4 lets the
# same clocks run a second race. That gives the joint law of two arg maxes.
#
# ## Why mean zero: the mean maximum in closed form
#
# The maximum itself has the distribution function $\prod F(t-h(z)) = e^{-S e^{-(t+c)}}$. That is a Gumbel variable,
# moved by $\log S$. With zero-mean noise its mean is $\log S$. The same holds for the scores $h + \epsilon f$. So
#
# $$G(h, \epsilon) = E_\gamma \max_z \{\epsilon f(z) + h(z) + \gamma(z)\} = \log \sum_z e^{h(z) + \epsilon f(z)}$$
#
# without a constant. The arg max does not care about the shift of the noise. The maximum does. This *logsumexp* is an
# analytic function of $h$ and $\epsilon$. It has no kink left. The black line of chapter 1's third picture, a mean of
# draws, comes close to it.

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
# Now all of chapter 2 has a formula. Danskin: $\partial G / \partial h$ is the law of the winner, and the gradient of a
# logsumexp is a softmax. So $q_\epsilon = \text{softmax}(h + \epsilon f)$, which is Theorem 2 once more. And
# $\partial G / \partial \epsilon = \sum_z q_\epsilon(z) f(z)$, the mean of $f$. A softmax has
#
# $$\frac{\partial q_\epsilon(z)}{\partial h(z')} = q_\epsilon(z) ([z = z'] - q_\epsilon(z')), \qquad \frac{\partial q_\epsilon(z)}{\partial \epsilon} = q_\epsilon(z) (f(z) - E_{q_\epsilon} f)$$
#
# ($[z = z']$ is 1 if the two are the same value, else 0.) The first one is the wall: $-q_i q_j$ off the diagonal.
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
assert np.allclose(dG_dh(eps), q_eps, rtol=0, atol=1e-8) and np.isclose(dG_deps(h), q_eps @ f, rtol=0, atol=1e-8)
assert np.isclose(danskin.G(h, f, eps), G(h, eps)) and np.allclose(danskin.dG_dh(h, f, eps), q_eps)
assert np.allclose(danskin.d2G_dh_deps(h, f, eps), formula) and np.allclose(danskin.d2G_deps_dh(h, f, eps), formula)

# %% [markdown]
# ## Other noise
#
# Slide 11 shows Gumbel beside Gaussian and Laplace noise. Chapter 2 said that any noise with a bounded density will do
# for Theorem 1. What is special about Gumbel? The next cell computes the law of the arg max by the integral, with all
# three noises scaled to the same variance. Shirt and coat keep their scores, and the dress's score moves.
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
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.2))
odds = {}
for name, shade in (("Gumbel", plots.TRUTH), ("Gaussian", plots.FURTHER[1]), ("Laplace", plots.FURTHER[2])):
    chosen = np.array([chances(laws[name], [h[0], h[1], score]) for score in moving])
    odds[name] = chosen[:, 0] / chosen[:, 1]
    left.plot(moving, chosen[:, 2], color=shade, label=name)
    right.plot(moving, odds[name], color=shade, label=name)
left.set(xlabel="score of dress", ylabel="chance of dress")
right.set(xlabel="score of dress", ylabel="odds, shirt : coat", ylim=(1.5, 3.2))
left.legend(fontsize=9)
plt.show()
assert np.allclose(odds["Gumbel"], np.exp(h[0] - h[1]), rtol=1e-9)
assert np.ptp(odds["Gaussian"]) > 1 and np.ptp(odds["Laplace"]) > 0.2
print({name: f"odds from {values.min():.2f} to {values.max():.2f}" for name, values in odds.items()})

# %% [markdown]
# What to see. Left: much the same curve, Laplace a little apart. Right: for Gumbel noise the odds are $e^{h_0 - h_1}$,
# whatever the third score does (the *independence of irrelevant alternatives*). For the others the dress moves the odds
# of the other two. With Gumbel noise the encoder's scores *are* its log-probabilities, up to a constant. With other
# noise they are not. (That among independent noises of one law *only* Gumbel's gives the softmax for three or more
# values is Yellott's theorem of 1977. It is not shown here. What is shown is that Gumbel's does.)
#
# ## What you built is in the package
#
# `refimpl/gumbel.py` holds the sampler, the quadrature and the law of the noise given its winner. It draws the
# exponential variable directly rather than as $-\log U$, for a reason that the last section names.

# %%
assert np.allclose(gumbel.choice_probabilities(h), q)
assert np.allclose(gumbel.choice_probabilities_by_quadrature(h), by_integral, atol=1e-12)
assert (gumbel.argmax(h, noise) == z_star).all()

# %% [markdown]
# ## Train with it
#
# Chapter 1 fitted scores to observed choices by counting who wins. With $G$ in closed form the same loss,
# $G(h_w, 0) - h_w(y)$ for an observed name $y$, needs no draw. This loss is $-\log q(y)$, the *cross-entropy*: with it
# most neural classifiers are trained, and with $h = W x$ it is logistic regression. Its gradient in the scores is
# $q - \text{onehot}(y)$. Thirty garments, two measurements each, ten seeds of the sampled version beside the exact one.
#
# **Guess first.** By how many nats do the sampled runs miss the closed form at the end: 0.5, 0.05 or 0.005?

# %%
rng = np.random.default_rng(6)
labels = np.repeat([0, 1, 2], 10)
measured = np.array([[0.0, 1.0], [1.2, -0.2], [-1.0, -0.8]])[labels] + 0.8 * rng.normal(size=(30, 2))
inputs = np.column_stack([measured, np.ones(30)])                           # (30, 3), a constant one for the intercept
targets = np.eye(3)[labels]


def softmax(scores):
    e = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def fit(winners, steps=300, lr=0.02):
    """winners(scores) -> the chance, or the share, of each name to win."""
    W, kept = np.zeros((3, 3)), []
    for _ in range(steps):
        scores = inputs @ W.T
        W = W - lr * (winners(scores) - targets).T @ inputs                 # backward of h = W x
        kept.append(-np.log(softmax(inputs @ W.T)[np.arange(30), labels]).mean())
    return np.array(kept)


def one_draw(seed):
    rng = np.random.default_rng(seed)
    return lambda scores: np.eye(3)[(scores + rng.gumbel(size=scores.shape)).argmax(axis=1)]


exact, sampled = fit(softmax), np.array([fit(one_draw(seed)) for seed in range(10)])
figure, ax = plt.subplots(figsize=(6, 3.2))
ax.plot(sampled.T, color=plots.colour("direct"), alpha=0.4)
ax.plot([], [], color=plots.colour("direct"), label="one arg max an image, ten seeds")
ax.plot(exact, color=plots.TRUTH, label="closed form, no noise")
ax.set(xlabel="step", ylabel="cross-entropy, nats")
ax.legend(fontsize=9)
plt.show()
print(f"cross-entropy from {np.log(3):.2f} to {exact[-1]:.3f}; sampled, ten seeds: {sampled[:, -1].min():.3f} to "
      f"{sampled[:, -1].max():.3f}")
assert np.abs(sampled[:, -1] - exact[-1]).max() < 0.01 and exact[-1] < 0.5 * np.log(3)

# %% [markdown]
# What to see. Both learn. The ten seeds follow the closed form, and end within 0.01 nats of it. Where the sum $S$ can
# be written down, one uses it. The sampled version needs an arg max only. Chapter 10 uses it for paths.
#
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
# law = softmax(h / tau)
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
# (i) Exponential clocks have no memory: after the first ring the race starts anew among the others. (ii) Differentiate
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
# of $q$. Never negative, and 0 when one value is certain, for then its noise is not selected at all.
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
# - In float32, $-\log(-\log U)$ is infinite where $U$ rounds to 0 or 1, once in ten million draws or so. An arg max
#   bears that. But where $\gamma$ itself is used (a mean maximum, chapter 6's Gumbel-softmax), one such draw spoils a
#   run. Draw an exponential variable $X$ of rate 1 in float64 instead, and take $\gamma = -\log X - c$.
# - Noise is added to *scores*, not to probabilities.
# - Each value needs a number of its own. The same number added to all values changes nothing.
# - With ties (noise rounded coarsely) the lowest index wins too often.
#
# ## What to read next
#
# [Chapter 4](04_finite_epsilon.ipynb): at a finite $\epsilon$, what is the estimate exactly right for, and how noisy is
# it? In the package: `refimpl/gumbel.py`. Further away: Maddison, Tarlow and Minka, *A\* sampling* (NeurIPS 2014), for
# maxima over continuous sets.
