# %% [markdown]
# # 1. An arg max has no slope, but a maximum has one
#
# **You will** meet a program that ends in an arg max, see that its derivative is zero almost everywhere, and train a
# program of this kind nevertheless. **You will learn** what the whole series is about. You will also learn Danskin's
# theorem: a *maximum* can be differentiated even where its *arg max* cannot. **You need** NumPy, and you should know
# what a derivative, a density and an expectation are. This chapter runs in about ten seconds. Its symbols are listed at
# the end.
#
# **Where this comes from.** "The paper" is G. Lorberbom, A. Gane, T. Jaakkola and T. Hazan, *Direct Optimization
# through arg max for Discrete Variational Auto-Encoder*, NeurIPS 2019 ([arXiv
# 1806.02867](https://arxiv.org/abs/1806.02867)). "The supplement" is the paper's appendix, which contains the proofs.
# "The slides" are the slides of the authors' talk at NeurIPS 2019. "The authors' code" is the PyTorch code that they
# published with the paper. "As released" means: as in that code.

# %%
import start    # if it is not found: clone the whole repository, and run this chapter in its folder tutorials/

import matplotlib.pyplot as plt
import numpy as np
from scipy.optimize import linear_sum_assignment

from draw import chapter_1 as draw
from refimpl import danskin

names = ["shirt", "coat", "dress"]              # z = 0, 1, 2
colours = ["#004488", "#DDAA33", "#BB5566"]
h = np.array([0.3, -0.4, 0.6])                  # the encoder's scores
f = np.array([1.0, -2.0, 0.5])                  # the decoder's scores, nats
noise = np.random.default_rng(1).gumbel(-np.euler_gamma, size=(100_000, 3))     # one row per draw, mean 0
M = len(noise)

# %% [markdown]
# ## The problem
#
# A photo shows a garment: a shirt, a coat or a dress. Two networks work together on it.
#
# - The *encoder* gives each of the three names $z$ a score $h(z)$, which measures how much the photo looks like a
#   garment of that name. Then one name $z$ is chosen.
# - The *decoder* receives only the chosen name. It paints a picture of a garment with this name, and compares the
#   picture with the photo. The better the picture fits the photo, the higher the decoder's score $f(z)$. This score is
#   the log-probability of the photo given the name, here up to a constant. The score is measured in *nats*, the unit of
#   natural logarithms of probabilities.
#
# Together the two networks are an *auto-encoder*: they lead from a photo to a name, and from the name back to a photo.
# This auto-encoder is *discrete*, because the name is one of finitely many. We want the encoder to choose names from
# which the decoder paints well. So $f(z)$ should be high on average.
#
# Chapters 1 to 4 use the same three scores $h$, the same three scores $f$ and the same draws of the noise. The cell
# above defines these numbers. The encoder slightly prefers *dress*. The decoder's score is highest for *shirt* and very
# low for *coat*.
#
# The choice is random. A random number $\gamma(z)$, the *noise*, is added to each score $h(z)$, and the name with the
# largest sum is chosen. We call this name the *winner*, and write $z^{\star}$ for it. The noise here is NumPy's Gumbel
# noise, shifted so that its mean is 0. Chapter 3 explains what is special about Gumbel noise. Before that chapter,
# nearly any other noise could be used instead of Gumbel noise.

# %%
z_star = (h + noise).argmax(axis=1)
shares = np.bincount(z_star, minlength=3) / M
for z in range(3):
    print(f"{names[z]:6s} h = {h[z]:+.1f}   f = {f[z]:+.1f} nats   chosen in {shares[z]:.1%} of {M:,} draws")
print(f"mean f = {f[z_star].mean():.3f} nats")

# %% [markdown]
# In this program the noise is an *input*, separate from the scores. If the scores change and the noise stays the same,
# the choice can change. Writing a random choice in this way, with its noise as an input, is called
# *reparameterisation*.
#
# ## The staircase
#
# Give the encoder a single weight $w$, which is added to the score of *shirt* and subtracted from the score of *dress*:
# $h_w = h + w \cdot (1, 0, -1)$. Keep the noise of one draw fixed, vary $w$, and look at the program's result
# $f(z^{\star})$.
#
# **Guess first.** The curve is computed at 601 values of $w$. On how many of the 600 intervals between neighbouring
# values does $f(z^{\star})$ change?

# %%
direction = np.array([1.0, 0.0, -1.0])


def program(w, gamma):
    """f of the chosen name, for an encoder with one weight w and the noise gamma."""
    return f[(h + w * direction + gamma).argmax(axis=-1)]


w = np.linspace(-3, 3, 601)
one = program(w[:, None], noise[0])
ten = np.mean([program(w[:, None], noise[draw]) for draw in range(10)], axis=0)
coarse = w[::10]
smooth = np.array([program(value, noise).mean() for value in coarse])          # mean of all 100,000 draws

draw.staircase(w, one, ten, coarse, smooth)
plt.show()
jumps_of_one, jumps_of_ten = np.sum(np.diff(one) != 0), np.sum(np.diff(ten) != 0)
print(f"intervals with a change: {jumps_of_one} for one draw, {jumps_of_ten} for the mean of ten draws\non the other "
      f"{600 - jumps_of_ten} intervals this mean is exactly flat")

# %% [markdown]
# **What to see.** A single draw gives a staircase. Here the staircase has one jump, and it is flat on both sides of the
# jump. The mean of ten draws is a finer staircase with 13 jumps, and it is still flat between these jumps. The black
# curve is the mean of 100,000 draws. It is a staircase too, but its steps are far too small to see. The mean over *all*
# noise is a smooth curve.
#
# A program is trained by following the slope of its result. Here the slope of a single run is zero, except at the
# jumps, where it does not exist. Averaging the slopes of more runs does not help, because the mean of zeros is zero.
# Yet the mean of $f(z^{\star})$ over all noise has a slope everywhere. **This series is about estimating that slope
# from single runs of the program.** The slope is the gradient of $E f(z^{\star})$ with respect to the weights of the
# encoder. ($E$ is the expectation over the noise.)
#
# ## When you need this, and when you do not
#
# With three names there is no problem. We know $f$ for all three. If we also know the probability $q(z)$ of each name,
# the mean is a sum, $\sum_z q(z) f(z)$, and a sum can be differentiated. Computing this sum is called *enumeration*.
# Enumeration has no noise. Where it is feasible, it is better than our method. In these chapters enumeration provides
# the exact results, and all other results are compared with them.
#
# The sum cannot be computed when there are too many values. Here is such a case. Fifty photos and their fifty captions
# lie on a table, and the captions are out of order. A value of $z$ is a *matching*: it assigns one caption to each
# photo. There are $50! \approx 3 \cdot 10^{64}$ matchings. Consider a sum with one term for each matching, where the
# term is a product over the pairs of that matching. Such a sum is called a *permanent*. The work of every known exact
# method grows exponentially with the number of photos, and probably no exact method avoids this growth (Valiant 1979).
# But the *best* matching can be found quickly. SciPy provides the algorithm.
#
# The next cell trains an encoder with 36 weights $W$ on this problem. Each training step uses two arg maxes and no sum.
# The score of a matching is the sum of the scores of its fifty pairs. Here $f$ is the number of photos that get their
# own caption. Each step uses new photos.
#
# Why is the last line of the training loop right? Chapter 2 gives the reason for the case in which each value has noise
# of its own. Here the noise belongs to the pairs, and two matchings can share some pairs. Yet any two matchings differ
# in at least one pair, so the noise of that pair shifts the difference between their sums. Steps 1 to 5 of [appendix
# D](appendix_d_unary_noise.ipynb) give the proof, for any set of 0/1 vectors with noise on each entry. (A matching is
# such a vector, with one entry for each of the 2,500 pairs. The "pair scores" $w_{ij}$ of appendix D are something
# else, and do not occur here.)
#
# **Guess first.** On average, a random matching gives one of the fifty photos its own caption. How many photos get
# their own caption after 300 training steps?

# %%
n, own = 50, np.eye(50)                         # own[i, j]: 1 if caption j belongs to photo i, else 0


def best_matching(scores):
    """The caption of each photo in the matching with the largest sum of its n scores, among all n! matchings."""
    return linear_sum_assignment(scores, maximize=True)[1]


def learn_to_match(seed, steps=300, eps=1.0, lr=0.02):
    rng, right, W = np.random.default_rng(seed), [], np.zeros((6, 6))
    from_photos = rng.normal(size=(6, 6))       # makes captions from photos; the encoder does not know it
    for _ in range(steps):
        photos = rng.normal(size=(n, 6))
        captions = photos @ from_photos + 0.5 * rng.normal(size=(n, 6))
        perturbed = photos @ W @ captions.T + rng.gumbel(size=(n, n))
        z_star, z_eps = best_matching(perturbed), best_matching(perturbed + eps * own)
        right.append(np.mean(z_star == np.arange(n)))
        W = W + lr * photos.T @ (own[z_eps] - own[z_star]) @ captions / eps
    return right


right = np.array([learn_to_match(seed) for seed in range(5)])
draw.matching(right, n)
plt.show()
print(f"right captions, mean of five seeds: {n * right[:, 0].mean():.1f} of 50 at the first step, "
      f"{n * right[:, -50:].mean():.1f} in the last 50 steps")

# %% [markdown]
# **What to see.** Left: the grey curve shows the number of terms of the sum, one for each matching. For 50 photos
# (dotted line) there are $50!$ terms. The usual exact method, Ryser's formula, still needs about $6 \cdot 10^{16}$
# steps. For the arg max, the number of steps grows only like the third power of the number of photos. Right: each thin
# line is one seed, and the thick line is their mean. Most photos soon get their own caption.
#
# The method of these chapters is meant for problems of this kind, in which the arg max can be computed and the sum
# cannot. Chapters 7, 8 and 11 contain more such problems. (For some of these problems, there is also a clever way to
# compute the sum.) We learn the method on three values, because there every step can be checked.
#
# ## One draw: a maximum of three lines
#
# We return to the three names. The key idea is to look at the *height* of the maximum instead of its place. Add
# $\epsilon f(z)$ to the sum $h(z) + \gamma(z)$ of each name, where $\epsilon$ is a small factor. The name with the
# largest $\epsilon f(z) + h(z) + \gamma(z)$ is now the winner, which we call $z(\epsilon)$. ($\epsilon$ has the unit
# 1/nat, so $\epsilon f$ is a pure number like $h$ and $\gamma$.) Keep the noise fixed. As a function of $\epsilon$, the
# sum of each name is a straight line. Its slope is $f(z)$, and its height at $\epsilon = 0$ is $h(z) + \gamma(z)$.
#
# **Guess first.** The maximum follows the uppermost line. In which order, from left to right, do the three names win?

# %%
eps = np.linspace(-2, 2, 401)
lines = eps[None, :, None] * f + h + noise[:1000, None, :]                     # (draws, 401, 3)
everybody_wins = [len(set(row)) for row in lines.argmax(axis=2)].index(3)      # the first draw in which all three win
lines = lines[everybody_wins]
winner = lines.argmax(axis=1)
scores = np.linspace(-4, 4, 201)                                               # scores of the shirt, at eps = 0
over_scores = np.maximum(scores + noise[everybody_wins, 0], (h + noise[everybody_wins])[1:].max())
draw.lines(eps, lines, winner, f, scores, over_scores)
plt.show()
order = [names[z] for z in dict.fromkeys(winner.tolist())]
print("winners from left to right:", ", ".join(order))

# %% [markdown]
# **What to see.** Left: the maximum bends only upwards, and it has a kink wherever the winner changes. Middle: the
# slope of the maximum is a staircase, and the height of each step is $f$ of the winner. From left to right the names
# win in the order of their slopes, for this reason: where two lines cross, the line with the larger slope is the higher
# one to the right of the crossing. Right: the curve is the same maximum as a function of the shirt's score, with
# $\epsilon = 0$. It is flat as long as another name wins, and rises with slope 1 where the shirt wins.
#
# **Why it bends only upwards.** A function that bends only upwards is called *convex*. *Proof that the maximum is
# convex.* Take $\epsilon_1$, $\epsilon_2$ and their midpoint. The height of each line at the midpoint is the mean of
# its heights at the two ends. This mean is at most the mean of the two maxima. So the maximum at the midpoint, which is
# the height of one of the lines, is at most the mean of the two maxima. $\square$ The same proof works for the scores
# instead of $\epsilon$, and for a mean of many maxima.
#
# ## Danskin's theorem
#
# **Theorem (Danskin 1967), here for finitely many lines.** At every $\epsilon$ at which a single line is the highest,
#
# $$\frac{d}{d\epsilon} \max_z \{\epsilon f(z) + h(z) + \gamma(z)\} = f(z(\epsilon))$$
#
# So the slope of the maximum is the slope of the winner. In other words: to differentiate a maximum, keep the winner
# fixed and differentiate the winning expression.
#
# *Proof.* If line $z$ is strictly above the others at $\epsilon$, it is still above them in a small interval around
# $\epsilon$. In this interval, the maximum *is* that line. $\square$ (The theorem also holds for curves instead of
# lines. If the curves are differentiable, the derivative of the maximum is the derivative of the winning curve.)
#
# The maximum also has a derivative with respect to each score. Raise $h(z)$ by a small amount. If $z$ wins, the maximum
# rises by the same amount. If $z$ does not win, the maximum does not change. So the gradient of the maximum with
# respect to $h$ is $\text{onehot}(z(\epsilon))$, the vector with a 1 at the winner and 0 elsewhere.
#
# **At a kink**, two values tie, and the maximum has no derivative there. As a function of $\epsilon$, the maximum has a
# different slope on each side of the kink. To the left of the kink, the slope is the smaller of the two values of $f$.
# To the right of the kink, the slope is the larger value. There is a similar kink with respect to a score. If you raise
# one of the two tied scores, the maximum rises by the same amount. If you lower this score, the maximum does not
# change, because the other value stays at the top. So the slope is 1 to the right and 0 to the left, as in the right
# panel of the last figure. If the noise has a density, the probability that there is a kink at a given $\epsilon$ and
# $h$ is zero.
#
# The next cell checks both derivatives for 1,000 draws. It compares each derivative with a difference quotient of the
# maximum.

# %%
def maximum(scores, eps, gamma):
    return (eps * f + scores + gamma).max(axis=-1)


at, step = 0.6, 1e-6
some = noise[:1000]
won = (at * f + h + some).argmax(axis=1)
slope = (maximum(h, at + step, some) - maximum(h, at - step, some)) / (2 * step)
in_h = np.stack([(maximum(h + step * unit, at, some) - maximum(h - step * unit, at, some)) / (2 * step)
                 for unit in np.eye(3)], axis=1)
assert np.allclose(slope, f[won], rtol=0, atol=1e-8) and np.allclose(in_h, np.eye(3)[won], rtol=0, atol=1e-8)
print("first five draws, slope by differences:", slope[:5].round(6))
print("f of the five winners:                 ", f[won[:5]])
gamma = some[0].copy()
gamma[0] = (h + gamma)[1:].max() - h[0]                                         # shirt ties with the best of the others
rate = lambda change: (maximum(h + change * np.eye(3)[0], 0, gamma) - maximum(h, 0, gamma)) / change
print(f"slope with respect to h(shirt) at a tie: {rate(-step) + 0.0:.3f} to the left, {rate(step):.3f} to the right")

# %% [markdown]
# ## Adding eps f never lowers f of the winner
#
# The slope of a convex function never decreases. The slope of the maximum is $f(z(\epsilon))$, and $z(0)$ is
# $z^{\star}$. So $f(z(\epsilon)) \ge f(z^{\star})$ for every $\epsilon > 0$, *in every single draw*. Here is a direct
# proof in two lines. The first line holds because $z^{\star}$ wins at 0, and the second because $z(\epsilon)$ wins at
# $\epsilon$:
#
# $$h(z^{\star}) + \gamma(z^{\star}) \ge h(z(\epsilon)) + \gamma(z(\epsilon))$$
#
# $$\epsilon f(z(\epsilon)) + h(z(\epsilon)) + \gamma(z(\epsilon)) \ge \epsilon f(z^{\star}) + h(z^{\star}) + \gamma(z^{\star})$$
#
# Add the two inequalities. The scores and the noise appear on both sides and cancel. What remains is
# $\epsilon f(z(\epsilon)) \ge \epsilon f(z^{\star})$. In our problem no two names have the same $f$, so $f$ of the
# winner rises whenever the winner changes.

# %%
for value in (0.1, 1.0, 10.0):
    z_eps = (value * f + h + noise).argmax(axis=1)
    assert (f[z_eps] >= f[z_star]).all()
    print(f"eps = {value:4g}: the winner changes in {np.mean(z_eps != z_star):.1%} of the draws, "
          f"and f of the winner rises in each of them")

# %% [markdown]
# ## Averaging makes the maximum smooth
#
# The kinks are at different places for different draws of the noise. Now average the maxima of more and more draws.
#
# **Guess first.** How many draws does it take until no kinks are visible any more: 10, 1,000 or 100,000?

# %%
grid = np.linspace(-2, 2, 161)


def means(draws):
    """The mean maximum and the mean slope at each eps of the grid."""
    maxima, slopes = [], []
    for eps in grid:
        heights = eps * f + h + noise[:draws]
        winner = heights.argmax(axis=1)
        maxima.append(heights[np.arange(draws), winner].mean())
        slopes.append(f[winner].mean())
    return maxima, slopes


draw.averages(grid, {draws: means(draws) for draws in (1, 10, 1000, M)})
plt.show()

# %% [markdown]
# **What to see.** One draw gives a bent line (left) and a staircase (right). With a thousand draws, the kinks and steps
# are too small to see, and the curves are close to the black curves, which are the means of all 100,000 draws. Only the
# mean over *all* noise, written $E_\gamma$, has no kink at all. This mean is a function of the scores and of
# $\epsilon$:
#
# $$G(h, \epsilon) = E_\gamma \max_z \{\epsilon f(z) + h(z) + \gamma(z)\}$$
#
# Chapters 2 and 3 differentiate it twice.
#
# **Can we exchange the derivative and the mean?** In other words, is the slope of the mean equal to the mean of the
# slopes? If $\epsilon$ changes by $\delta$, each line changes by at most $\max |f| \cdot |\delta|$. So the maximum
# changes by at most this amount, even across a kink. Hence all difference quotients are bounded by $\max |f|$, for any
# noise. In the same way, if each score changes by at most $\delta$, the maximum also changes by at most $\delta$. For
# bounded quotients the limit and the mean can be exchanged (dominated convergence), and the probability of a kink at
# any given point is zero. Hence
#
# $$\frac{\partial G}{\partial \epsilon} = E_\gamma f(z(\epsilon)), \qquad \frac{\partial G}{\partial h} = E_\gamma \, \text{onehot}(z(\epsilon))$$
#
# The second equation says that the gradient of $G$ with respect to the scores consists of the probabilities with which
# the names win. (For $f(z^{\star})$ itself the exchange is not allowed. At a jump the difference quotient of
# $f(z^{\star})$ is the height of the jump divided by $\delta$, and this quotient is not bounded. The slope of
# $f(z^{\star})$ is 0 with probability one, but the slope of its mean is not 0.)
#
# The next cell checks both equations with our draws. Here and later, the number after ± is one standard error.

# %%
at, width = 0.5, 0.01
won = (at * f + h + noise).argmax(axis=1)
quotients = (maximum(h, at + width, noise) - maximum(h, at - width, noise)) / (2 * width)
difference = quotients - f[won]                         # it is 0 unless there is a kink within the width
error = difference.std() / np.sqrt(M)
print(f"slope of the mean {quotients.mean():.4f}, mean of the slopes {f[won].mean():.4f}, "
      f"their difference {difference.mean():+.5f} ± {error:.5f}\n"
      f"there is a kink within ± {width} in {np.mean(np.abs(difference) > 1e-9):.1%} of the draws")
assert abs(difference.mean()) < 4 * error
for z in range(3):
    unit = width * np.eye(3)[z]
    quotients = (maximum(h + unit, at, noise) - maximum(h - unit, at, noise)) / (2 * width)
    print(f"{names[z]:6s} dG/dh {quotients.mean():.4f}, share of draws that it wins {np.mean(won == z):.4f}")

# %% [markdown]
# The package has the function `danskin.perturbed_max`, which returns the maximum and the winner of each draw.

# %%
value, place = danskin.perturbed_max(h, f, at, noise)
assert np.allclose(value, maximum(h, at, noise)) and (place == won).all()

# %% [markdown]
# ## Train with Danskin's theorem
#
# Danskin's theorem alone is enough to train a program that contains an arg max. Suppose that somebody has labelled
# 1,000 photos like ours: 600 as *shirt*, 100 as *coat* and 300 as *dress*. For which scores $h$ is the probability of
# each name equal to the share of photos with this label? Take the loss
#
# $$L(h) = G(h, 0) - \sum_z \text{observed}(z)\, h(z)$$
#
# By Danskin's theorem, the derivative of $L$ with respect to $h(z)$ is a difference: the probability that $z$ wins,
# minus the observed share of $z$. It is zero when the probability equals the share. No arg max is differentiated: we
# only count how often each name wins.
#
# **Guess first.** All scores start at 0. Does the score of *coat* end above or below $-0.5$?

# %%
observed = np.array([0.6, 0.1, 0.3])


def learn(seed, steps=400, lr=0.5, draws=20):
    rng, scores, kept = np.random.default_rng(seed), np.zeros(3), []
    for _ in range(steps):
        gamma = rng.gumbel(-np.euler_gamma, size=(draws, 3))
        wins = np.bincount((scores + gamma).argmax(axis=1), minlength=3) / draws
        scores = scores - lr * (wins - observed)                            # a gradient step on L
        kept.append(scores)
        lr *= 0.99
    return np.array(kept)


runs = np.array([learn(seed) for seed in range(10)])                        # (10, 400, 3)
chosen = [np.bincount((run[-1] + noise).argmax(axis=1), minlength=3) / M for run in runs]
draw.learnt(runs)
plt.show()
print("shares after training, mean of ten seeds:", np.mean(chosen, axis=0).round(3), " observed shares:", observed)
print("scores after training, mean of ten seeds:", dict(zip(names, runs[:, -1].mean(axis=0).round(2).tolist())))
print("largest difference from the observed shares, over all ten seeds:",
      np.abs(np.array(chosen) - observed).max().round(3))

# %% [markdown]
# **What to see.** The figure shows ten runs with ten seeds. The scores settle, and the score of *coat* ends near $-1$.
# After training, the share of each name is close to the observed share. The sum of the scores stays at zero, because
# every step adds as much as it subtracts.
#
# The training worked because its loss contains a mean maximum. But we want to increase $E f(z^{\star})$, which is the
# *slope* of a mean maximum, namely $\partial G / \partial \epsilon$ at $\epsilon = 0$. So the gradient of
# $E f(z^{\star})$ is a second derivative of $G$. We cannot get this derivative by averaging over single draws, because
# in a single draw the slope of the maximum is a staircase, and the slope of a staircase is zero. Chapter 2 solves this
# problem.
#
# ## Exercises
#
# **1 (easy).** Choose new heights for the three lines at $\epsilon = 0$. At $\epsilon = 0.5$, the lines of *coat* and
# *shirt* should be equally high, and the line of *dress* should be lower. Measure the slope of the maximum on both
# sides of $\epsilon = 0.5$.
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
# **2 (medium).** Why do we not simply use difference quotients in $w$? Estimate the slope of $E f(z^{\star})$ at
# $w = 0$ by $(f(z^{\star}_{w + \delta}) - f(z^{\star}_{w - \delta})) / 2\delta$ with $\delta = 0.05$. First use the
# same noise for both terms, and then fresh noise for the second term. Compare the standard deviations.
#
# <details><summary>Solution</summary>
#
# With the same noise, the two values of $f$ rarely differ. With fresh noise, they differ most of the time, and every
# difference is divided by the small number $2\delta$. Even with the same noise, you need two runs for *every weight*,
# and a network has hundreds of thousands of weights.
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
# **3 (hard).** Danskin's theorem holds for curves too. Take the maximum of $\sin(w + z)$ over $z = 0, 1, 2$, as a
# function of $w$. Find its slope at $w = 2.5$ without difference quotients. Then find a point at which the maximum has
# a kink.
#
# <details><summary>Solution</summary>
#
# The slope is the derivative of the winning curve, so it is $\cos(w + z)$ at the winning $z$. There is a kink where two
# of the sine curves cross and the third curve is lower. The curves of $z$ and $z'$ cross where
# $w + z = \pi - (w + z')$, because then $\sin(w + z) = \sin(w + z')$.
#
# ```python
# z = np.arange(3)
# highest = lambda w: np.sin(w + z).max()
# best = np.sin(2.5 + z).argmax()
# assert np.isclose(np.cos(2.5 + best), (highest(2.5 + 1e-6) - highest(2.5 - 1e-6)) / 2e-6, atol=1e-8)
# kink = (np.pi - 1) / 2                                      # here kink + 0 = pi - (kink + 1), so values 0 and 1 tie
# assert np.isclose(np.sin(kink), np.sin(kink + 1)) and np.sin(kink) > np.sin(kink + 2)
# assert (highest(kink + 1e-6) - highest(kink)) / 1e-6 > 0.4      # it rises to the right of the kink
# assert (highest(kink) - highest(kink - 1e-6)) / 1e-6 < -0.4     # and falls to the left of it
# ```
#
# </details>
#
# ## Where it goes wrong in practice
#
# - If you differentiate *through the arg max*, you get zero almost everywhere, and no error message. The training then
#   makes no progress.
# - The slope of the maximum in one draw is an unbiased estimate of the mean slope. But if you differentiate this slope
#   again, draw by draw, you get zero, because the slope is a staircase, which is flat between its jumps. Only the
#   *mean* has a useful second derivative.
# - The noise must not depend on $h$ or $\epsilon$. Draw it first, and then keep it fixed.
#
# ## Now write it yourself
#
# The workbook asks you to write the method from scratch, and it checks what you have written. After this chapter, you
# can write file 3, which computes Danskin's derivative: `python tutorials/workbook/check.py 3`.
#
# ## What to read next
#
# [Chapter 2](02_theorem_1.ipynb) shows how to estimate the slope of the smooth curve. The code of the package for this
# chapter is in `refimpl/danskin.py`. J. M. Danskin, *The theory of max-min* (1967), treats maxima over compact sets.
#
# ## Symbols
#
# | symbol | in the code | the slides write | meaning |
# | --- | --- | --- | --- |
# | $z$ | `z` | $z$ | the latent variable: one of three values, which is chosen at random |
# | $h(z)$ | `h` | $\phi(x,z)$ | the encoder's score of the value $z$, any real number |
# | $f(z)$ | `f` | $\theta(x,z)$ | the decoder's score of the value $z$, in nats |
# | $\gamma(z)$ | `noise` | $\gamma(z)$ | the noise, an independent random number for each value |
# | $z^{\star}$ | `z_star` | $z^{\phi+\gamma}$ | $\arg\max_z \{h(z) + \gamma(z)\}$ |
# | $\epsilon$ | `eps` | $\epsilon$ | how strongly $f$ influences the arg max, in 1/nat |
# | $z(\epsilon)$ | `z_eps` | $z^{\epsilon\theta+\phi+\gamma}$ | $\arg\max_z \{\epsilon f(z) + h(z) + \gamma(z)\}$; $z(0)$ is $z^{\star}$ |
# | $G(h, \epsilon)$ | `G` | $G(w, \epsilon)$ | the mean maximum, $E_\gamma \max_z \{\epsilon f(z) + h(z) + \gamma(z)\}$ |
# | $w$ | `w` | $w$ | a weight of the encoder |
# | $M$ | `M` | | a number of draws, or samples |
