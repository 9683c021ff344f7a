# %% [markdown]
# # 1. Sampling by arg max
#
# **You will** draw from a softmax without computing one: add noise to the scores and take the arg max.
# **You will learn** why the noise has to be Gumbel's, where that comes from (Theorem 2 of the paper: by sampling, by an
# integral, by algebra), and why it is given mean zero.
# **You need** NumPy, and to know what a density and an expectation are. It runs in about five seconds.
#
# | symbol | in the code | the slides write | meaning |
# | --- | --- | --- | --- |
# | $h(z)$ | `h` | $\phi(x,z)$ | score of the value $z$, any real number |
# | $\gamma(z)$ | `noise` | $\gamma(z)$ | Gumbel noise, one independent number a value |
# | $z^{\star}$ | `z_star` | $z^{\phi+\gamma}$ | $\arg\max_z \{h(z) + \gamma(z)\}$ |
# | $q(z)$ | `q` | $e^{\phi(x,z)}$ | softmax of $h$: $e^{h(z)} / \sum_{z'} e^{h(z')}$ |
# | $c$ | `c` | $c$ | Euler's constant, 0.5772… |

# %%
import sys
from pathlib import Path

here = Path.cwd()               # find the package, wherever in (or just above) a clone of the repository this runs
sys.path[:0] = [str(place) for place in (here, *here.parents, *here.glob("*/")) if (place / "refimpl").is_dir()][:1]
if not any((Path(place) / "refimpl").is_dir() for place in sys.path):
    sys.exit("This chapter needs the package: clone the whole repository and start in it, or set PYTHONPATH to it.")

import matplotlib.pyplot as plt
import numpy as np

from refimpl import plots

plots.chapter_style()
rng = np.random.default_rng(1)

# %% [markdown]
# ## The task
#
# Five values, a score for each. We want to draw $z$ with probability $q(z)$, the softmax of the scores. Here is the
# truth that everything below is held against.

# %%
h = np.array([1.0, -0.5, 2.0, 0.3, -2.0])
q = np.exp(h) / np.exp(h).sum()
print("q =", q.round(4))

# %% [markdown]
# ## Gumbel noise
#
# A Gumbel variable has the distribution function
#
# $$P(\gamma \le t) = G(t) = e^{-e^{-(t+c)}}$$
#
# To draw one, set $U = G(\gamma)$ with $U$ uniform and solve: $\gamma = -\log(-\log U) - c$. The shift by $c$ makes the
# mean zero; we come back to why. (The slides print $e^{-e^{-t+c}}$. With $c > 0$ that would have mean $2c$; the sign
# above is the one that gives zero, as the next cell measures.)

# %%
c = np.euler_gamma
samples = 200_000
noise = -np.log(-np.log(rng.random((samples, len(h))))) - c

flat = noise.ravel()
error = flat.std() / np.sqrt(flat.size)
print(f"mean     {flat.mean():+.4f} ± {error:.4f}     (0)")
print(f"variance {flat.var():.4f}               (pi^2 / 6 = {np.pi**2 / 6:.4f})")
assert abs(flat.mean()) < 4 * error

# %%
def G(t):
    return np.exp(-np.exp(-(t + c)))


def g(t):                       # its derivative, the density
    return np.exp(-(t + c)) * G(t)


t = np.linspace(-3, 7, 400)
figure, ax = plt.subplots(figsize=(6, 3.2))
ax.plot(t, g(t), color=plots.TRUTH, label="density $g(t)$")
ax.hist(flat, bins=120, range=(-3, 7), density=True, color=plots.colour("direct"), alpha=0.4, label="drawn")
ax.set(xlabel="t", ylabel="density")
ax.legend()
plt.show()

# %% [markdown]
# What to see: it is skew. The right tail falls like $e^{-t}$, slowly; the left one like $e^{-e^{-t}}$, abruptly. Large
# values are not rare, small ones are. A maximum is decided in the right tail.
#
# ## The trick
#
# Add the noise to the scores, take the arg max. First as one would say it, draw by draw:

# %%
def draw_one(h, rng):
    best, winner = -np.inf, None
    for z in range(len(h)):
        gamma = -np.log(-np.log(rng.random())) - c
        if h[z] + gamma > best:
            best, winner = h[z] + gamma, z
    return winner


slow = np.array([draw_one(h, rng) for _ in range(20_000)])

# %% [markdown]
# and then as one writes it, all draws at once:

# %%
z_star = np.argmax(h + noise, axis=-1)

for name, drawn in (("loop", slow), ("all at once", z_star)):
    share = np.bincount(drawn, minlength=len(h)) / len(drawn)
    z_score = (share - q) / np.sqrt(q * (1 - q) / len(drawn))       # how many standard errors off
    print(f"{name:12s}", share.round(4), "  standard errors off:", z_score.round(1))
    assert np.abs(z_score).max() < 4

# %% [markdown]
# **Theorem 2** (Fisher 1928, Gumbel 1954, McFadden 1973). $P(z^{\star} = z) = q(z)$.
#
# Nowhere did we exponentiate a score or divide by a sum. The randomness is now an input, separate from the scores. That
# is all that a *reparameterisation* is, and chapters 3 and 4 live on it.
#
# ## Why: the integral
#
# The value $z$ wins at height $t$ if it stands at $t$ exactly and all others stand below. Noise at $t - h(z)$ has
# density $g(t-h(z))$; the others are below with probability $G(t-h(z'))$. Sum over all heights (equation 6 of the
# supplement):
#
# $$P(z^{\star} = z) = \int g(t - h(z)) \prod_{z' \ne z} G(t - h(z')) \, dt$$
#
# No theory yet: just add it up on a fine grid.

# %%
step = 0.01
t = np.arange(-15, 45, step)
integrand = np.stack([g(t - h[z]) * np.prod([G(t - h[other]) for other in range(len(h)) if other != z], axis=0)
                      for z in range(len(h))])
by_integral = integrand.sum(axis=1) * step
print("integral", by_integral.round(6))
print("softmax ", q.round(6), f"  largest difference {np.abs(by_integral - q).max():.0e}")
assert np.abs(by_integral - q).max() < 1e-12

# %%
figure, ax = plt.subplots(figsize=(6, 3.2))
for z in range(len(h)):
    ax.plot(t, integrand[z], label=f"z = {z}, area {by_integral[z]:.3f}")
ax.set(xlim=(-2, 9), xlabel="height t of the maximum", ylabel="density of: z wins, at t")
ax.legend(fontsize=9)
plt.show()

# %% [markdown]
# What to see: five curves of *one* shape, scaled. Whoever wins, the height at which it wins is distributed alike. That
# is the whole proof:
#
# ## Why: the algebra
#
# Write $S = \sum_{z'} e^{h(z')}$. A product of exponentials adds their exponents,
#
# $$\prod_{z'} G(t - h(z')) = e^{-\sum_{z'} e^{h(z') - t - c}} = e^{-S e^{-(t+c)}}$$
#
# and $g(t - h(z)) = e^{h(z)} e^{-(t+c)} G(t - h(z))$ supplies the missing factor $G$. So the integrand is
#
# $$e^{h(z)} \cdot e^{-(t+c)} e^{-S e^{-(t+c)}}$$
#
# Only the first factor knows $z$. The rest integrates to $1/S$, since its antiderivative is $e^{-S e^{-(t+c)}} / S$.
# Together: $e^{h(z)}/S = q(z)$. Check each line against the grid:

# %%
S = np.exp(h).sum()
product = np.prod([G(t - score) for score in h], axis=0)
assert np.allclose(product, np.exp(-S * np.exp(-(t + c))), atol=1e-14)
shape = np.exp(-(t + c)) * np.exp(-S * np.exp(-(t + c)))            # the same for every z
assert np.allclose(integrand, np.exp(h)[:, None] * shape, atol=1e-14)
assert np.isclose(shape.sum() * step, 1 / S)
print("each line of the proof holds on the grid")

# %% [markdown]
# ## Alarm clocks
#
# The same proof in one picture. Let $E(z) = e^{-(h(z) + \gamma(z) + c)}$. The largest perturbed score is the smallest
# $E$, and since $-\log U$ is an exponential variable of rate 1, $E(z)$ is one of rate $r(z) = e^{h(z)}$. Five alarm
# clocks. Clock $z$ rings first, at time $t$, with density $r(z) e^{-r(z) t}$ times the others' chances $e^{-r(z') t}$
# of being silent still: $r(z) e^{-S t}$, which integrates to $r(z) / S$. The time of the first ring does not depend on
# which clock it is. Chapter 4 uses these clocks to compute what no sampling could.

# %%
E = np.exp(-(h + noise + c))
first, when = E.argmin(axis=-1), E.min(axis=-1)
assert (first == z_star).all()
for z in range(len(h)):
    rings_first, mean_time = np.mean(first == z), when[first == z].mean()
    print(f"z = {z}: rings first in {rings_first:.4f} of draws, then at {mean_time:.4f} on average "
          f"(1 / S = {1 / S:.4f})")

# %% [markdown]
# ## Why mean zero
#
# The maximum itself has distribution function $\prod G(t-h(z))$, a Gumbel shifted by $\log S$. So with zero-mean noise
#
# $$E_\gamma \max_z \{h(z) + \gamma(z)\} = \log \sum_z e^{h(z)}$$
#
# without a constant. The arg max does not care about the shift; the maximum, which is the hero of chapter 2, does.

# %%
highest = (h + noise).max(axis=-1)
error = highest.std() / np.sqrt(samples)
print(f"mean of the maximum {highest.mean():.4f} ± {error:.4f},   logsumexp(h) = {np.log(S):.4f}")
assert abs(highest.mean() - np.log(S)) < 4 * error

# %% [markdown]
# ## Other noise
#
# Slide 11 shows Gumbel beside Gaussian and Laplace noise. Any noise gives *some* law for the arg max. The next cell
# computes it by the same integral, with all three noises scaled to the same variance, for three values: scores 0, 1,
# and a third that moves.

# %%
from scipy import stats

sigma = np.pi / np.sqrt(6)
laws = {"Gumbel": stats.gumbel_r(loc=-c), "Gaussian": stats.norm(scale=sigma),
        "Laplace": stats.laplace(scale=sigma / np.sqrt(2))}


def choice(law, h, t=np.arange(-40, 60, 0.02)):
    below = np.stack([law.cdf(t - score) for score in h])
    others = [np.prod(np.delete(below, z, axis=0), axis=0) for z in range(len(h))]      # all other scores are below t
    return np.array([(law.pdf(t - h[z]) * others[z]).sum() * 0.02 for z in range(len(h))])


third = np.linspace(-4, 4, 33)
figure, (left, right) = plt.subplots(1, 2)
colours = {"Gumbel": plots.TRUTH, "Gaussian": plots.FURTHER[1], "Laplace": plots.FURTHER[2]}
for name, law in laws.items():
    chosen = np.array([choice(law, [0.0, 1.0, score]) for score in third])
    left.plot(third, chosen[:, 2], color=colours[name], label=name)
    right.plot(third, chosen[:, 1] / chosen[:, 0], color=colours[name], label=name)
left.set(xlabel="h(2), with h(0) = 0, h(1) = 1", ylabel="P(z = 2)")
right.set(xlabel="h(2)", ylabel="P(z = 1) / P(z = 0)", ylim=(0, 6))
left.legend()
plt.show()

# %% [markdown]
# What to see. Left: much the same curve, Laplace a little apart. Right: the odds of 1 against 0. For Gumbel they are
# $e^1$, whatever the third value does (the *independence of irrelevant alternatives*); for the others a third value
# that has nothing to do with the two moves their odds. With Gumbel noise the encoder's scores *are* its
# log-probabilities, up to a constant; with other noise they are not. (That among independent noises of one law only
# Gumbel's gives the softmax for three or more values is Yellott's theorem of 1977, not shown here.)
#
# ## What you built is in the package
#
# `refimpl/gumbel.py` holds the sampler, the quadrature and the law of the noise given its winner. It draws the
# exponential variable directly rather than as $-\log U$, for a reason that the last section names.

# %%
from refimpl import gumbel

assert np.allclose(gumbel.choice_probabilities(h), q)
assert np.allclose(gumbel.choice_probabilities_by_quadrature(h), by_integral, atol=1e-12)
same = gumbel.argmax(h, noise)
assert (same == z_star).all()

# %% [markdown]
# ## Exercises
#
# **1 (easy).** A temperature: show by sampling that $\arg\max\{h/T + \gamma\}$ and $\arg\max\{h + T\gamma\}$ are the
# same draw, and compute its law.
#
# <details><summary>Solution</summary>
#
# ```python
# T = 0.5
# one, other = np.argmax(h / T + noise, axis=-1), np.argmax(h + T * noise, axis=-1)
# assert (one == other).all()                         # the arg max does not see a positive factor
# law = np.exp(h / T) / np.exp(h / T).sum()
# share = np.bincount(one, minlength=len(h)) / samples
# assert np.abs((share - law) / np.sqrt(law * (1 - law) / samples)).max() < 4
# ```
#
# </details>
#
# **2 (middling).** The two largest of $h + \gamma$ are a draw of two values *without replacement*: the second is
# distributed as $q$ with the winner taken out. Check
# $P(\text{first} = 2, \text{second} = 0) = q(2)\, q(0) / (1 - q(2))$.
#
# <details><summary>Solution</summary>
#
# ```python
# order = np.argsort(-(h + noise), axis=-1)
# share = np.mean((order[:, 0] == 2) & (order[:, 1] == 0))
# truth = q[2] * q[0] / (1 - q[2])                    # exponential clocks have no memory: the race starts anew
# assert abs(share - truth) < 4 * np.sqrt(truth * (1 - truth) / samples)
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
# winners = noise[np.arange(samples), z_star]
# entropy = -(q * np.log(q)).sum()
# assert abs(winners.mean() - entropy) < 4 * winners.std() / np.sqrt(samples)
# ```
#
# </details>
#
# ## Where it goes wrong in practice
#
# - In float32, $-\log(-\log U)$ is infinite where $U$ rounds to 0 or 1, once in ten million draws or so; one such draw
#   spoils a run. Draw an exponential variable $X$ of rate 1 in float64 instead, and take $\gamma = -\log X - c$.
# - Noise is added to *scores*, not to probabilities.
# - One number a value. The same number added to all values changes nothing; the arg max is then always the same.
# - With ties (scores or noise rounded coarsely) the lowest index wins too often.
#
# ## What to read next
#
# [Chapter 2](02_danskin.ipynb) follows the *height* of the maximum instead of its place. In the package:
# `refimpl/gumbel.py`. Further away: Maddison, Tarlow and Minka, *A\* sampling* (NeurIPS 2014), for maxima over
# continuous sets.
