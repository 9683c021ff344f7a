# %% [markdown]
# # 1. An arg max has no slope, a maximum has
#
# **You will** meet a program that ends in an arg max, see that its derivative is zero almost everywhere, and train it
# all the same. **You will learn** what the whole series is about, and Danskin's theorem: a *maximum* may be
# differentiated although its *arg max* may not. **You need** NumPy, and to know what a derivative, a density and an
# expectation are. It runs in about ten seconds.
#
# | symbol | in the code | the slides write | meaning |
# | --- | --- | --- | --- |
# | $z$ | `z` | $z$ | the latent variable: the one that is chosen of three values |
# | $h(z)$ | `h` | $\phi(x,z)$ | the encoder's score of the value $z$, any real number |
# | $f(z)$ | `f` | $\theta(x,z)$ | the decoder's score of the value $z$, in nats |
# | $\gamma(z)$ | `noise` | $\gamma(z)$ | noise, an independent number for each value |
# | $z^{\star}$ | `z_star` | $z^{\phi+\gamma}$ | $\arg\max_z \{h(z) + \gamma(z)\}$ |
# | $\epsilon$ | `eps` | $\epsilon$ | how strongly $f$ takes part, in 1/nat |
# | $z(\epsilon)$ | `z_eps` | $z^{\epsilon\theta+\phi+\gamma}$ | $\arg\max_z \{\epsilon f(z) + h(z) + \gamma(z)\}$; $z(0)$ is $z^{\star}$ |
# | $G(h, \epsilon)$ | `G` | $G(w, \epsilon)$ | the mean maximum, $E_\gamma \max_z \{\epsilon f(z) + h(z) + \gamma(z)\}$ |
# | $w$ | `w` | $w$ | a weight of the encoder |
# | $M$ | `M` | | a number of draws, or samples |
#
# **Where this comes from.** "The paper" is G. Lorberbom, A. Gane, T. Jaakkola and T. Hazan, *Direct Optimization
# through arg max for Discrete Variational Auto-Encoder*, NeurIPS 2019
# ([arXiv 1806.02867](https://arxiv.org/abs/1806.02867)). "The supplement" is its appendix with the proofs. "The slides"
# are those of the authors' talk at NeurIPS 2019. "The authors' code", or "as released", is the PyTorch code that they
# published with the paper.

# %%
import start    # if it is not found: clone the whole repository, and run this chapter in its folder tutorials/

import matplotlib.pyplot as plt
import numpy as np

from refimpl import danskin, plots

names = ["shirt", "coat", "dress"]              # z = 0, 1, 2
colours = ["#004488", "#DDAA33", "#BB5566"]
h = np.array([0.3, -0.4, 0.6])                  # the encoder's scores
f = np.array([1.0, -2.0, 0.5])                  # the decoder's scores, nats
noise = np.random.default_rng(1).gumbel(-np.euler_gamma, size=(100_000, 3))     # one row a draw, mean 0
M = len(noise)

# %% [markdown]
# ## The problem
#
# A photo of a garment. It may be a shirt, a coat or a dress. Two networks look at it.
#
# - The *encoder* gives each name a score $h(z)$: how much the photo looks like that garment. Then one name $z$ is
#   chosen.
# - The *decoder* is told the name only. It paints what such a garment looks like, and compares this with the photo:
#   $f(z)$ is the log-probability of the photo given the name, here up to a constant. It is measured in *nats*, the unit
#   of natural logarithms of probabilities.
#
# Together they are an *auto-encoder*: photo, name, photo. It is *discrete*, because the middle is a choice. We want
# names with which the decoder paints well: $f(z)$ should be high on average.
#
# These three scores $h$ and three scores $f$ serve chapters 1 to 4, and so do these draws of the noise. The encoder
# prefers *dress* a little. The decoder is best with *shirt*, and bad with *coat*.
#
# The choice is random: to each score a random number $\gamma(z)$ is added, and the largest sum wins. The noise here is
# NumPy's Gumbel noise, moved so that its mean is 0. Chapter 3 says what is special about it. Until then nearly any
# noise would do.

# %%
z_star = (h + noise).argmax(axis=1)
shares = np.bincount(z_star, minlength=3) / M
for z in range(3):
    print(f"{names[z]:6s} h = {h[z]:+.1f}   f = {f[z]:+.1f} nats   chosen in {shares[z]:.1%} of {M:,} draws")
print(f"mean f = {f[z_star].mean():.3f} nats")

# %% [markdown]
# The noise is now an *input* of the program, separate from the scores. The same noise with other scores gives another
# choice. To write a random choice like this is called a *reparameterisation*.
#
# ## The staircase
#
# Give the encoder one weight $w$, which moves score from *dress* to *shirt*: $h_w = h + w \cdot (1, 0, -1)$. Hold the
# noise of one draw fixed, turn $w$, and look at the program's result $f(z^{\star})$.
#
# **Guess first.** The curve has 601 points. At how many of the 600 steps between them is its slope not zero?

# %%
direction = np.array([1.0, 0.0, -1.0])


def program(w, gamma):
    """f of the chosen name: an encoder with one weight, noise, an arg max."""
    return f[(h + w * direction + gamma).argmax(axis=-1)]


w = np.linspace(-3, 3, 601)
one = program(w[:, None], noise[0])
ten = np.mean([program(w[:, None], noise[draw]) for draw in range(10)], axis=0)
coarse = w[::10]
smooth = np.array([program(value, noise).mean() for value in coarse])          # all 100,000 draws

figure, ax = plt.subplots(figsize=(6.5, 3.4))
ax.plot(coarse, smooth, color=plots.TRUTH, linewidth=3, label="mean of 100,000 draws")
ax.plot(w, one, color=plots.FURTHER[1], label="one draw")
ax.plot(w, ten, color=plots.FURTHER[0], label="mean of ten draws")
ax.set(xlabel="weight w", ylabel="$f(z^{\\star})$, nats")
ax.legend(fontsize=9)
plt.show()
jumps_of_one, jumps_of_ten = np.sum(np.diff(one) != 0), np.sum(np.diff(ten) != 0)
print(f"steps with a slope: {jumps_of_one} for one draw, {jumps_of_ten} for the mean of ten; the other "
      f"{600 - jumps_of_ten} steps of that mean are exactly flat")
assert jumps_of_one == 1 and jumps_of_ten == 13

# %% [markdown]
# What to see. One draw makes a staircase: here one jump, and left and right of it nothing happens. Ten draws make a
# finer staircase: 13 jumps, and it is flat between them still. The black curve is the mean of 100,000 draws. It is a
# staircase too, with steps far too small to see. The mean over *all* noise is a smooth curve.
#
# A program learns by following the slope of its result. Here the slope of every single run is zero, and where it is not
# zero it does not exist. More runs do not help: the mean of zeros is zero. Yet the mean over all noise, which the black
# curve comes close to, has a slope everywhere. **That slope, from single runs of the program, is what this series is
# about.** It is the gradient of $E f(z^{\star})$ in the weights of the encoder.
#
# ## When to want this, and when not
#
# With three names there is no problem. We know $f$ of all three. If we also know the chance $q(z)$ of each name, the
# mean is a sum, $\sum_z q(z) f(z)$, and a sum can be differentiated. This is called *enumeration*. It has no noise, and
# where it can be done it is the better tool. We use it throughout as the truth against which all else is held.
#
# A sum over all values cannot be had when there are too many of them. Fifteen yes-or-no variables have 32,768 joint
# values, which can still be added up. A hundred of them have $10^{30}$. The paths through a grid of 16 x 16 cells, to
# the right or down at each step, are more than a hundred million. Then an arg max can still be cheap: a best path is
# found in one sweep over the grid. There the method of these chapters pays, and chapters 7, 8 and 10
# have such cases. (For some of them a clever sum is known as well. Each chapter says so.) We learn it on three values
# because there every step can be checked.
#
# ## One draw: a maximum of three lines
#
# The way out is to look at the *height* of the maximum instead of its place. Let the decoder's score take part in the
# choice with a small weight $\epsilon$, so that $\epsilon f(z) + h(z) + \gamma(z)$ is compared. ($\epsilon$ has the
# unit 1/nat, so that $\epsilon f$ is a pure number like $h$ and $\gamma$.) Hold the noise fixed. As $\epsilon$ moves,
# each name is a straight line. Its slope is $f(z)$, its height at $\epsilon = 0$ is $h(z) + \gamma(z)$.
#
# **Guess first.** The maximum follows the uppermost line. From left to right, in which order do the three names win?

# %%
eps = np.linspace(-2, 2, 401)
lines = eps[None, :, None] * f + h + noise[:1000, None, :]                     # (draws, 401, 3)
everybody_wins = [len(set(row)) for row in lines.argmax(axis=2)].index(3)      # the first draw where all three do
lines = lines[everybody_wins]
envelope, winner = lines.max(axis=1), lines.argmax(axis=1)

figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.4), sharex=True)
left.plot(eps, envelope, color="0.75", linewidth=7, label="maximum", solid_capstyle="round")
for z in range(3):
    left.plot(eps, lines[:, z], color=colours[z], label=f"{names[z]}, slope {f[z]:g}")
    right.plot(eps[winner == z], f[winner[winner == z]], color=colours[z], linewidth=4)
left.set(xlabel="eps, 1/nat", ylabel="eps f + h + noise")
left.legend(fontsize=9)
right.set(xlabel="eps, 1/nat", ylabel="slope of the maximum, nats")
plt.show()
order = [names[z] for z in dict.fromkeys(winner.tolist())]
print("winners from left to right:", ", ".join(order))
assert order == [names[z] for z in np.argsort(f)]

# %% [markdown]
# What to see. Left: the maximum bends upwards only (it is *convex*), with a kink where the winner changes. Right: its
# slope is a staircase, and the height of each step is $f$ of the winner. The names win in the order of their slopes,
# for a steeper line ends above a flatter one.
#
# ## Danskin's theorem
#
# **Danskin (1967), for finitely many lines.** Where one line wins alone,
#
# $$\frac{d}{d\epsilon} \max_z \{\epsilon f(z) + h(z) + \gamma(z)\} = f(z(\epsilon))$$
#
# the slope of the winner. To differentiate a maximum, hold the winner fixed and differentiate what it wins with.
#
# *Proof.* If line $z$ is strictly above the others at $\epsilon$, it is still above them in a small interval around.
# There the maximum *is* that line. $\square$ (Nothing in this asks for straight lines. For differentiable curves the
# derivative is that of the winning curve.)
#
# Where two lines tie there is a kink. From the right the slope is the larger of the two, from the left the smaller.
# With continuous noise a given $\epsilon$ is a kink with probability zero.
#
# The same holds in the direction of the scores. Raise $h(z)$ by a little: the maximum rises as much if $z$ wins, and
# not at all if it does not. So its gradient in $h$ is $\text{onehot}(z(\epsilon))$, a 1 at the winner and 0 elsewhere.
#
# Check both, for 1,000 draws at once: differences of the maximum against the winner.

# %%
def maximum(scores, eps, gamma):
    return (eps * f + scores + gamma).max(axis=-1)


at, step = 0.6, 1e-6
some = noise[:1000]
winner = (at * f + h + some).argmax(axis=1)
slope = (maximum(h, at + step, some) - maximum(h, at - step, some)) / (2 * step)
in_h = np.stack([(maximum(h + step * unit, at, some) - maximum(h - step * unit, at, some)) / (2 * step)
                 for unit in np.eye(3)], axis=1)
assert np.allclose(slope, f[winner], rtol=0, atol=1e-8) and np.allclose(in_h, np.eye(3)[winner], rtol=0, atol=1e-8)
print("slopes by differences of the first five draws:", slope[:5].round(6))
print("f of their winners:                           ", f[winner[:5]])

# %% [markdown]
# ## Mixing in f never lowers f
#
# A convex function's slope never falls. So $f(z(\epsilon)) \ge f(z^{\star})$ for every $\epsilon > 0$, *in every single
# draw*. Here is the same in two lines. $z^{\star}$ wins at 0, and $z(\epsilon)$ wins at $\epsilon$:
#
# $$h(z^{\star}) + \gamma(z^{\star}) \ge h(z(\epsilon)) + \gamma(z(\epsilon))$$
#
# $$\epsilon f(z(\epsilon)) + h(z(\epsilon)) + \gamma(z(\epsilon)) \ge \epsilon f(z^{\star}) + h(z^{\star}) + \gamma(z^{\star})$$
#
# Add the two. Scores and noise stand on both sides and go, and $\epsilon f(z(\epsilon)) \ge \epsilon f(z^{\star})$ is
# left. No two names have the same $f$ here. So where the winner changes, $f$ rises.

# %%
for value in (0.1, 1.0, 10.0):
    z_eps = (value * f + h + noise).argmax(axis=1)
    assert (f[z_eps] >= f[z_star]).all()
    print(f"eps = {value:4g}: the winner changes in {np.mean(z_eps != z_star):.1%} of the draws, "
          f"and in each of these f rises")

# %% [markdown]
# ## Averaging makes it smooth
#
# Every draw of the noise puts its kinks elsewhere. Average the maxima over more and more draws.
#
# **Guess first.** From what number of draws on will you see no kink any more: 10, 1,000 or 100,000?

# %%
grid = np.linspace(-2, 2, 161)


def mean_maximum(eps, draws):
    return np.array([maximum(h, value, noise[:draws]).mean() for value in eps])


def mean_slope(eps, draws):
    return np.array([f[(value * f + h + noise[:draws]).argmax(axis=1)].mean() for value in eps])


figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.4), sharex=True)
left.plot(grid, mean_maximum(grid, M), color=plots.TRUTH, linewidth=3, label=f"{M:,} draws")
right.plot(grid, mean_slope(grid, M), color=plots.TRUTH, linewidth=3)
for draws, colour in ((1, "0.7"), (10, plots.FURTHER[1]), (1000, plots.FURTHER[0])):
    left.plot(grid, mean_maximum(grid, draws), color=colour, label=f"{draws:,} draw{'s' * (draws > 1)}")
    right.plot(grid, mean_slope(grid, draws), color=colour)
left.set(xlabel="eps, 1/nat", ylabel="mean maximum")
right.set(xlabel="eps, 1/nat", ylabel="mean slope of the winner, nats")
left.legend(fontsize=9)
plt.show()

# %% [markdown]
# What to see. One draw: a bent line, and a staircase. A thousand draws: kinks and steps too small to see, close to the
# black lines. Only the mean over *all* noise has no kink at all. It is a function of the scores and of $\epsilon$:
#
# $$G(h, \epsilon) = E_\gamma \max_z \{\epsilon f(z) + h(z) + \gamma(z)\}$$
#
# Chapters 2 and 3 differentiate it twice.
#
# **May we differentiate under the mean?** Is the slope of the mean the mean of the slopes? If $\epsilon$ moves by
# $\delta$, each line moves by at most $\max |f| \cdot |\delta|$, and so does their maximum, kinks included. So all
# difference quotients are bounded by $\max |f|$, whatever the noise. If the scores move by at most $\delta$ each, so
# does the maximum. Bounded quotients may be averaged before the limit (dominated convergence), and a kink at a given
# point has probability zero. Hence
#
# $$\frac{\partial G}{\partial \epsilon} = E_\gamma f(z(\epsilon)), \qquad \frac{\partial G}{\partial h} = E_\gamma \, \text{onehot}(z(\epsilon))$$
#
# The second one says: the gradient of $G$ in the scores is the chance of each name to win. With our draws:

# %%
at, width = 0.5, 0.01
won = (at * f + h + noise).argmax(axis=1)
quotients = (maximum(h, at + width, noise) - maximum(h, at - width, noise)) / (2 * width)
difference = quotients - f[won]                         # not zero only where a kink lies within the width
error = difference.std() / np.sqrt(M)
print(f"slope of the mean {quotients.mean():.4f}, mean of the slopes {f[won].mean():.4f}, "
      f"their difference {difference.mean():+.5f} ± {error:.5f}; "
      f"a kink within ± {width} in {np.mean(np.abs(difference) > 1e-9):.1%} of the draws")
assert abs(difference.mean()) < 4 * error and error < 0.001
for z in range(3):
    unit = width * np.eye(3)[z]
    quotients = (maximum(h + unit, at, noise) - maximum(h - unit, at, noise)) / (2 * width)
    difference = quotients - (won == z)
    assert abs(difference.mean()) < 4 * difference.std() / np.sqrt(M)
    print(f"{names[z]:6s} dG/dh {quotients.mean():.4f}, chance to win {np.mean(won == z):.4f}")

# %% [markdown]
# In the package: `danskin.perturbed_max`, for single draws.

# %%
value, place = danskin.perturbed_max(h, f, at, noise)
assert np.allclose(value, maximum(h, at, noise)) and (place == won).all()

# %% [markdown]
# ## Train with it
#
# Danskin's theorem alone can already train a program with an arg max in it. Somebody names 1,000 photos like ours: 600
# times *shirt*, 100 times *coat*, 300 times *dress*. Which scores $h$ make our program choose like that? Take the loss
#
# $$L(h) = G(h, 0) - \sum_z \text{observed}(z)\, h(z)$$
#
# By Danskin its gradient is (chance of $z$ to win) less (observed share of $z$). It is zero when the two agree. Nobody
# differentiates an arg max: we only count who wins.
#
# **Guess first.** All scores start at 0. Where does the score of *coat* end, above or below $-0.5$?

# %%
observed = np.array([0.6, 0.1, 0.3])


def learn(seed, steps=400, lr=0.5, draws=20):
    rng, scores, kept = np.random.default_rng(seed), np.zeros(3), []
    for _ in range(steps):
        gamma = rng.gumbel(-np.euler_gamma, size=(draws, 3))
        wins = np.bincount((scores + gamma).argmax(axis=1), minlength=3) / draws
        scores = scores - lr * (wins - observed)                            # down the gradient of L
        kept.append(scores)
        lr *= 0.99
    return np.array(kept)


runs = np.array([learn(seed) for seed in range(10)])                        # (10, 400, 3)
chosen = [np.bincount((run[-1] + noise).argmax(axis=1), minlength=3) / M for run in runs]
figure, ax = plt.subplots(figsize=(6.5, 3.4))
for z in range(3):
    ax.plot(runs[:, :, z].T, color=colours[z], alpha=0.4)
    ax.plot([], [], color=colours[z], label=names[z])
ax.set(xlabel="step", ylabel="score h", xlim=(0, 480))
ax.legend(fontsize=9, loc="center right")
plt.show()
print("shares after training, mean of ten seeds:", np.mean(chosen, axis=0).round(3), " wanted:", observed)
print("scores after training, mean of ten seeds:", dict(zip(names, runs[:, -1].mean(axis=0).round(2).tolist())))
print("the furthest of the ten seeds is off by", np.abs(np.array(chosen) - observed).max().round(3))
assert np.abs(np.mean(chosen, axis=0) - observed).max() < 0.02 and -1.1 < runs[:, -1, 1].mean() < -0.8

# %% [markdown]
# What to see. Ten runs, ten seeds. The scores settle, *coat* near $-1$, and the program then chooses with nearly the
# wanted shares. The sum of the scores stays at zero, because every step adds as much as it takes away.
#
# This worked because the loss *is* a mean maximum. But what we want to raise is $E f(z^{\star})$, and this is no
# maximum. It is the *slope* of one, $\partial G / \partial \epsilon$ at $\epsilon = 0$. Its gradient is a second
# derivative of $G$, and staircases have no slope to average. That is the difficulty, and chapter 2 gets around it.
#
# ## Exercises
#
# **1 (easy).** Set the heights of the lines so that *coat* and *shirt* tie at the top at $\epsilon = 0.5$. Measure the
# slope of the maximum from either side.
#
# <details><summary>Solution</summary>
#
# ```python
# heights = np.array([0.0, 0.5 * (f[0] - f[1]), -5.0])                  # shirt and coat are equally high at 0.5
# top = lambda e: (e * f + heights).max()
# from_left, from_right = (top(0.5) - top(0.5 - 1e-6)) / 1e-6, (top(0.5 + 1e-6) - top(0.5)) / 1e-6
# assert np.isclose(from_left, min(f[0], f[1]), atol=1e-5) and np.isclose(from_right, max(f[0], f[1]), atol=1e-5)
# ```
#
# </details>
#
# **2 (middling).** Why not simply take differences in $w$? Estimate the slope of $E f(z^{\star})$ at $w = 0$ from
# $(f(z^{\star}_{w + \delta}) - f(z^{\star}_{w - \delta})) / 2\delta$ at $\delta = 0.05$: once with the same noise on
# both sides, once with fresh noise. Compare the standard deviations.
#
# <details><summary>Solution</summary>
#
# The same noise: the two results differ rarely. Fresh noise: they differ most of the time, and each difference is
# divided by $2\delta$. Even so, the better one needs two runs for *every weight*. A network has hundreds of thousands.
#
# ```python
# delta = 0.05
# same = (program(delta, noise) - program(-delta, noise)) / (2 * delta)
# fresh = (program(delta, noise) - program(-delta, np.random.default_rng(2).gumbel(size=(M, 3)))) / (2 * delta)
# assert abs(same.mean() - fresh.mean()) < 4 * np.hypot(same.std(), fresh.std()) / np.sqrt(M)
# assert fresh.std() > 3 * same.std()
# ```
#
# </details>
#
# **3 (hard).** Danskin's theorem is not about lines. Take the maximum of $\sin(w + z)$ over $z = 0, 1, 2$, as a
# function of $w$. Find its slope at $w = 2.5$ without differences, then a point where it has a kink.
#
# <details><summary>Solution</summary>
#
# The winner's derivative, $\cos(w + z)$ at the winning $z$. A kink where two sines cross at the top:
# $\sin(w + z) = \sin(w + z')$ with $w + z = \pi - (w + z')$.
#
# ```python
# z = np.arange(3)
# highest = lambda w: np.sin(w + z).max()
# best = np.sin(2.5 + z).argmax()
# assert np.isclose(np.cos(2.5 + best), (highest(2.5 + 1e-6) - highest(2.5 - 1e-6)) / 2e-6, atol=1e-8)
# kink = (np.pi - 1) / 2                                          # kink + 0 = pi - (kink + 1): values 0 and 1 tie
# assert np.isclose(np.sin(kink), np.sin(kink + 1)) and np.sin(kink) > np.sin(kink + 2)
# assert (highest(kink + 1e-6) - highest(kink)) / 1e-6 > 0.4      # up on the right,
# assert (highest(kink) - highest(kink - 1e-6)) / 1e-6 < -0.4     # down on the left
# ```
#
# </details>
#
# ## Where it goes wrong in practice
#
# - Differentiating *through the arg max* gives zero almost everywhere, and no error message. Training then stands
#   still.
# - One draw's slope is a fair estimate of the mean slope. But the slope's own derivative cannot be had by
#   differentiating each draw, for each staircase is flat. Only the *mean* has a second derivative.
# - The noise must not depend on $h$ or $\epsilon$. It is drawn first, and kept.
#
# ## What to read next
#
# [Chapter 2](02_theorem_1.ipynb) finds the slope of the staircase. In the package: `refimpl/danskin.py`. Further away:
# J. M. Danskin, *The theory of max-min* (1967), for maxima over compact sets.
