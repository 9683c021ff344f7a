# %% [markdown]
# # 2. Danskin's theorem: the slope of a maximum
#
# **You will** draw a maximum of straight lines, differentiate it, and average many of them until the kinks are too
# small to see. **You will learn** why a maximum may be differentiated although its arg max may not, and what function
# the average is. **You need** [chapter 1](01_gumbel_max.ipynb). It runs in about five seconds.
#
# | symbol | in the code | the slides write | meaning |
# | --- | --- | --- | --- |
# | $f(z)$ | `f` | $\theta(x,z)$ | a second score: later, how well the decoder explains the image with $z$, in nats (a nat is the unit of a natural logarithm of a probability) |
# | $h(z)$ | `h` | $\phi(x,z)$ | the score of chapter 1 |
# | $\epsilon$ | `eps` | $\epsilon$ | how strongly $f$ takes part, in 1/nat |
# | $z(\epsilon)$ | `z_eps` | $z^{\epsilon\theta+\phi+\gamma}$ | $\arg\max_z \{\epsilon f(z) + h(z) + \gamma(z)\}$; $z(0)$ is the $z^{\star}$ of chapter 1 |
# | $G(h, \epsilon)$ | `G` | $G(w, \epsilon)$ | $E_\gamma \max_z \{\epsilon f(z) + h(z) + \gamma(z)\}$; no relation to the distribution function $G(t)$ of chapter 1 |

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
rng = np.random.default_rng(7)
h = np.array([1.0, 0.2, -0.6, 0.4])
f = np.array([-1.5, 0.5, 2.0, 1.0])

# %% [markdown]
# ## One draw of the noise: four lines
#
# Fix the noise. As a function of $\epsilon$ each value $z$ is a straight line, $\epsilon f(z) + [h(z) + \gamma(z)]$:
# its slope is $f(z)$, its height at $\epsilon = 0$ the perturbed score. The maximum is the upper envelope. Here it is
# drawn line by line.

# %%
noise = gumbel.sample(4, rng)
eps = np.linspace(-2, 2, 401)
lines = eps[:, None] * f + h + noise                                # (401, 4)
envelope, winner = lines.max(axis=1), lines.argmax(axis=1)

figure, (left, right) = plt.subplots(1, 2, sharex=True)
for z in range(4):
    left.plot(eps, lines[:, z], color=plots.FURTHER[z], label=f"z = {z}, slope {f[z]:g}")
left.plot(eps, envelope, color=plots.TRUTH, linewidth=3, alpha=0.5, label="maximum")
left.set(xlabel="eps", ylabel="eps f + h + noise")
left.legend(fontsize=9)
right.step(eps, f[winner], color=plots.TRUTH, where="mid")
right.set(xlabel="eps", ylabel="slope of the maximum")
plt.show()

# %% [markdown]
# What to see. The maximum bends upwards only (it is *convex*), at kinks where the winner changes. Its slope is a
# staircase, and each step has the height of the winner's slope.
#
# ## The theorem
#
# **Danskin (1967), for finitely many lines.** Where one line wins alone,
# $\frac{d}{d\epsilon} \max_z \{\ldots\} = f(z(\epsilon))$: the slope of the winner. The *arg max* may be differentiated
# nowhere usefully (it is piecewise constant); it need not be.
#
# *Proof.* If line $z$ is strictly above the others at $\epsilon$, it is still above them in a small interval around.
# There the maximum *is* that line. $\square$ (Nothing in this asks for straight lines: for differentiable curves the
# derivative is that of the winning curve.)
#
# Where two lines tie there is a kink: from the right the slope is the larger of the two, from the left the smaller.
# With continuous noise a given $\epsilon$ is a kink with probability zero.
#
# Naive: differences of the maximum. Then the algebra: just ask who wins. They agree away from kinks.

# %%
def maximum(eps):
    return (eps * f + h + noise).max()


step = 1e-6
points = np.array([-1.7, -0.9, 0.0, 0.6, 1.8])
by_difference = np.array([(maximum(e + step) - maximum(e - step)) / (2 * step) for e in points])
by_danskin = np.array([f[(e * f + h + noise).argmax()] for e in points])
print("differences", by_difference.round(4))
print("Danskin    ", by_danskin)
assert np.allclose(by_difference, by_danskin, atol=1e-6)

# %% [markdown]
# The same in the direction of the scores: raise $h(z)$ by a little and the maximum rises as much if $z$ wins, not at
# all if it does not. Its gradient in $h$ is $\text{onehot}(z(\epsilon))$.

# %%
def maximum_of(scores, eps):
    return (eps * f + scores + noise).max()


at = 0.6
above = np.array([maximum_of(h + step * direction, at) for direction in np.eye(4)])
below = np.array([maximum_of(h - step * direction, at) for direction in np.eye(4)])
gradient = (above - below) / (2 * step)
print("gradient in h:", gradient.round(4), "  winner:", (at * f + h + noise).argmax())
assert np.allclose(gradient, np.eye(4)[(at * f + h + noise).argmax()], atol=1e-6)

# %% [markdown]
# ## Averaging makes it smooth
#
# Every draw of the noise puts its kinks elsewhere. Average the maxima over more and more draws:

# %%
many = gumbel.sample((20_000, 4), rng)


def average_maximum(eps, draws):
    return np.array([(e * f + h + many[:draws]).max(axis=1).mean() for e in eps])


def average_slope(eps, draws):
    return np.array([f[(e * f + h + many[:draws]).argmax(axis=1)].mean() for e in eps])


def logsumexp(a):
    return np.log(np.exp(a).sum(axis=-1))


coarse = np.linspace(-2, 2, 161)
figure, (left, right) = plt.subplots(1, 2, sharex=True)
left.plot(coarse, logsumexp(coarse[:, None] * f + h), color=plots.TRUTH, linewidth=3, label="logsumexp(h + eps f)")
q_eps = np.exp(coarse[:, None] * f + h)
q_eps /= q_eps.sum(axis=1, keepdims=True)
right.plot(coarse, q_eps @ f, color=plots.TRUTH, linewidth=3, label="its derivative")
for draws, colour in ((1, "0.75"), (10, plots.FURTHER[1]), (2_000, plots.FURTHER[0])):
    left.plot(coarse, average_maximum(coarse, draws), color=colour, label=f"{draws} draws")
    right.plot(coarse, average_slope(coarse, draws), color=colour)
left.set(xlabel="eps", ylabel="mean maximum")
right.set(xlabel="eps", ylabel="mean slope of the winner")
left.legend(fontsize=9)
plt.show()

# %% [markdown]
# What to see. One draw: a polygon, a staircase. Two thousand: kinks and steps too small to see, on top of the black
# lines. Only the expectation has none. We know the black lines from chapter 1: zero-mean Gumbel noise on scores $a(z)$
# has a maximum of mean $\log \sum_z e^{a(z)}$, and here $a = h + \epsilon f$. So
#
# $$G(h, \epsilon) = E_\gamma \max_z \{\epsilon f(z) + h(z) + \gamma(z)\} = \log \sum_z e^{h(z) + \epsilon f(z)}$$
#
# an analytic function of $h$ and $\epsilon$: no kink is left.
#
# ## Differentiating under the average
#
# Is the derivative of the average the average of the derivatives? If $\epsilon$ moves by $\Delta$, each line moves by
# at most $\max |f| \cdot |\Delta|$, and so does their maximum, kinks included. If the scores move by at most $\Delta$
# each, so does the maximum. The difference quotients are therefore bounded whatever the noise, and dominated
# convergence allows it:
#
# $$\frac{\partial G}{\partial \epsilon} = E_\gamma f(z(\epsilon)), \qquad \frac{\partial G}{\partial h} = E_\gamma \, \text{onehot}(z(\epsilon))$$
#
# Right-hand sides by sampling the winner, left-hand sides from the formula for $G$, whose derivatives are those of a
# logsumexp: $\sum_z q_\epsilon(z) f(z)$ and $q_\epsilon$, with $q_\epsilon$ the softmax of $h + \epsilon f$.

# %%
at = 0.5
weights = np.exp(h + at * f)
q_at = weights / weights.sum()
z_eps = (at * f + h + many).argmax(axis=1)

difference = (logsumexp(h + (at + 1e-5) * f) - logsumexp(h + (at - 1e-5) * f)) / 2e-5
error = f[z_eps].std() / np.sqrt(len(many))
mean = f[z_eps].mean()
print(f"dG/deps: by differences {difference:.6f}, q_eps . f {q_at @ f:.6f}, sampled {mean:.4f} ± {error:.4f}")
assert abs(difference - q_at @ f) < 1e-9 and abs(mean - q_at @ f) < 4 * error

share = np.bincount(z_eps, minlength=4) / len(many)
error = np.sqrt(q_at * (1 - q_at) / len(many))
print("dG/dh:   q_eps", q_at.round(4), " sampled", share.round(4))
assert (np.abs(share - q_at) < 4 * error).all()

# %% [markdown]
# That was Danskin's theorem twice: once for each argument of $G$. Chapter 3 differentiates twice *in a row*, once each
# way, and Theorem 1 falls out.
#
# In the package these are `danskin.G`, `danskin.dG_deps`, `danskin.dG_dh`, and `danskin.perturbed_max` for single
# draws:

# %%
from refimpl import danskin

assert np.isclose(danskin.G(h, f, at), logsumexp(h + at * f))
assert np.isclose(danskin.dG_deps(h, f, at), q_at @ f) and np.allclose(danskin.dG_dh(h, f, at), q_at)

# %% [markdown]
# ## Exercises
#
# **1 (easy).** At $\epsilon = 0.5$ set the lines' heights at $\epsilon = 0$ so that lines 1 and 3 tie at the top, and
# measure the slope of the maximum from either side.
#
# <details><summary>Solution</summary>
#
# ```python
# tied = np.array([-5.0, 0.0, -5.0, 0.0])
# heights = 0.5 * f + tied
# tied[3] += heights[1] - heights[3]                              # now lines 1 and 3 are equally high at 0.5
# top = lambda e: (e * f + tied).max()
# left_slope, right_slope = (top(0.5) - top(0.5 - 1e-6)) / 1e-6, (top(0.5 + 1e-6) - top(0.5)) / 1e-6
# assert np.isclose(left_slope, min(f[1], f[3]), atol=1e-5) and np.isclose(right_slope, max(f[1], f[3]), atol=1e-5)
# ```
#
# </details>
#
# **2 (middling).** The mean slope $E f(z(\epsilon))$ rises with $\epsilon$. Show that its own slope is the variance of
# $f$ under $q_\epsilon$, so that it can never fall.
#
# <details><summary>Solution</summary>
#
# The second derivative of a logsumexp along a line is a variance: differentiate $\sum_z q_\epsilon(z) f(z)$ with
# $\partial q_\epsilon / \partial \epsilon = q_\epsilon (f - E f)$.
#
# ```python
# mean = q_at @ f
# variance = q_at @ (f - mean) ** 2
# slope = (danskin.dG_deps(h, f, at + 1e-5) - danskin.dG_deps(h, f, at - 1e-5)) / 2e-5
# assert np.isclose(slope, variance, rtol=1e-7)
# ```
#
# </details>
#
# **3 (hard).** Danskin's theorem is not about lines. Let $m(a) = \max_{z} \{ \sin(a + z) \}$ over $z = 0, 1, 2$. Find
# $m'(2.5)$ without differences, then a point where $m$ has a kink.
#
# <details><summary>Solution</summary>
#
# The winner's derivative, $\cos(a + z(a))$. A kink where two sines cross at the top: $\sin(a + z) = \sin(a + z')$ with
# $a + z = \pi - (a + z')$.
#
# ```python
# z = np.arange(3)
# m = lambda a: np.sin(a + z).max()
# winner = np.sin(2.5 + z).argmax()
# assert np.isclose(np.cos(2.5 + winner), (m(2.5 + 1e-6) - m(2.5 - 1e-6)) / 2e-6, atol=1e-8)
# a = (np.pi - 1) / 2                                             # a + 0 = pi - (a + 1): values 0 and 1 tie
# assert np.isclose(np.sin(a), np.sin(a + 1)) and np.sin(a) > np.sin(a + 2)
# assert (m(a + 1e-6) - m(a)) / 1e-6 > 0.4                        # up on the right,
# assert (m(a) - m(a - 1e-6)) / 1e-6 < -0.4                       # down on the left
# ```
#
# </details>
#
# ## Where it goes wrong in practice
#
# - Differentiating *through the arg max*, that is $\epsilon \mapsto f(z(\epsilon))$, gives zero almost everywhere.
#   Danskin says to hold the winner fixed and differentiate what it wins with.
# - One draw's slope is a fair estimate of the mean slope, but the slope's own derivative cannot be estimated draw by
#   draw: each staircase is flat. Only the *average* has a second derivative. That is the difficulty that Theorem 1 gets
#   around.
# - The noise must not depend on $h$ or $\epsilon$: it is drawn first, and kept.
#
# ## What to read next
#
# [Chapter 3](03_theorem_1.ipynb). In the package: `refimpl/danskin.py`. J. M. Danskin, *The theory of max-min* (1967),
# for maxima over compact sets.
