# %% [markdown]
# # 1. An arg max has no slope, a maximum has
#
# **You will** meet a program that ends in an arg max, see that its derivative is zero almost everywhere, and train it
# all the same. **You will learn** what the whole series is about, and Danskin's theorem: a *maximum* can be
# differentiated even where its *arg max* cannot. **You need** NumPy, and you should know what a derivative, a density
# and an expectation are. The chapter runs in about ten seconds. Its symbols are listed at the end.
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
# A photo shows a garment, which may be a shirt, a coat or a dress. Two networks look at it.
#
# - The *encoder* gives each name a score $h(z)$, which says how much the photo looks like that garment. Then one name
#   $z$ is chosen.
# - The *decoder* is told the name only. It paints what such a garment looks like, and compares this with the photo:
#   $f(z)$ is the log-probability of the photo given the name, here up to a constant. It is measured in *nats*, the unit
#   of natural logarithms of probabilities.
#
# Together they are an *auto-encoder*: from a photo to a name and back to a photo. It is *discrete*, because the part in
# the middle is a choice. We want names with which the decoder paints well, so $f(z)$ should be high on average.
#
# These three scores $h$ and three scores $f$ serve chapters 1 to 4, and so do these draws of the noise. The encoder
# prefers *dress* a little. The decoder is best with *shirt*, and bad with *coat*.
#
# The choice is random: to each score a random number $\gamma(z)$ is added, and the largest sum wins; the winner is
# called $z^{\star}$. The noise here is NumPy's Gumbel noise, moved so that its mean is 0. Chapter 3 says what is
# special about it. Until then nearly any noise would do.

# %%
z_star = (h + noise).argmax(axis=1)
shares = np.bincount(z_star, minlength=3) / M
for z in range(3):
    print(f"{names[z]:6s} h = {h[z]:+.1f}   f = {f[z]:+.1f} nats   chosen in {shares[z]:.1%} of {M:,} draws")
print(f"mean f = {f[z_star].mean():.3f} nats")

# %% [markdown]
# The noise is now an *input* of the program, separate from the scores. The same noise with other scores may give
# another choice. Writing a random choice in this way is called a *reparameterisation*.
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

draw.staircase(w, one, ten, coarse, smooth)
plt.show()
jumps_of_one, jumps_of_ten = np.sum(np.diff(one) != 0), np.sum(np.diff(ten) != 0)
print(f"steps with a slope: {jumps_of_one} for one draw, {jumps_of_ten} for the mean of ten; the other "
      f"{600 - jumps_of_ten} steps of that mean are exactly flat")

# %% [markdown]
# What to see. One draw makes a staircase. Here it has one jump, and nothing happens on either side of it. The mean of
# ten draws is a finer staircase with 13 jumps, and it is still flat between them. The black curve is the mean of
# 100,000 draws. It is a staircase too, but its steps are far too small to see. The mean over *all* noise is a smooth
# curve.
#
# A program learns by following the slope of its result. Here the slope of a single run is zero, except at the jumps,
# where it does not exist. More runs do not help, because the mean of zeros is zero. Yet the mean over all noise,
# which the black curve approximates, has a slope everywhere. **That slope, from single runs of the program, is what
# this series is about.** It is the gradient of $E f(z^{\star})$ in the weights of the encoder.
#
# ## When to want this, and when not
#
# With three names there is no problem. We know $f$ of all three. If we also know the chance $q(z)$ of each name, the
# mean is a sum, $\sum_z q(z) f(z)$, and a sum can be differentiated. This is called *enumeration*. It has no noise, and
# where it can be done it is the better tool. We use it throughout as the truth that everything else is compared with.
#
# The sum is out of reach when there are too many values. Here is such a case. Fifty photos lie on a table beside their
# fifty captions, out of order. A value of $z$ is a *matching*: one caption for each photo. There are
# $50! \approx 3 \cdot 10^{64}$ matchings. To add up a weight for each of them is to compute a *permanent*. No
# exact way is known whose work does not grow exponentially with the number of photos, and there is probably none
# (Valiant 1979). But the *best* matching is found at once. SciPy has the algorithm.
#
# The next cell trains an encoder with 36 weights $W$ in that situation, by two arg maxes for each step and no sum.
# The score of a matching is the sum of the scores of its fifty pairs, $f$ counts the photos that get their own
# caption, and each step has new photos. Chapter 2 explains why the loop's last line is right if each value has noise
# of its own. Matchings share the noise of their pairs. Yet any two of them differ in a pair, and its noise moves
# the tie between them. So steps 1 to 5 of [appendix D](appendix_d_unary_noise.ipynb) prove it: they hold for any
# set of 0/1 vectors with noise on each entry. (Here the entries are the 2,500 pairs. Appendix D's "pair scores"
# $w_{ij}$ are something else, and do not occur here.)
#
# **Guess first.** By pure chance one photo of the fifty gets its own caption, on average. How many do after 300 steps?

# %%
n, own = 50, np.eye(50)                         # own: 1 where a photo meets its own caption


def best_matching(scores):
    """The caption of each photo: the arg max over all n! matchings of the sum of their n scores."""
    return linear_sum_assignment(scores, maximize=True)[1]


def learn_to_match(seed, steps=300, eps=1.0, lr=0.02):
    rng, right, W = np.random.default_rng(seed), [], np.zeros((6, 6))
    from_photos = rng.normal(size=(6, 6))       # how captions follow from photos: unknown to the encoder
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
# What to see. Left: the sum has $50!$ terms where the dotted line is. Even the usual exact way, Ryser's formula,
# needs about $6 \cdot 10^{16}$ steps there, while the steps of the arg max grow like the third power of the number of
# photos. Right: each thin line is one seed, and the thick one is their mean. Most photos soon get their own caption.
#
# That is what the method of these chapters is for: problems where the sum is out of reach and the arg max is not.
# Chapters 7, 8 and 10 have more of them. (For some of those a clever sum is known as well. Each chapter says so.) We
# learn the method on three values, because there every step can be checked.
#
# ## One draw: a maximum of three lines
#
# Back to the three names. The way out is to look at the *height* of the maximum instead of its place. Let the
# decoder's score take part in the choice with a small weight $\epsilon$, so that $\epsilon f(z) + h(z) + \gamma(z)$
# is compared; the winner is called $z(\epsilon)$. ($\epsilon$ has the unit 1/nat, so that $\epsilon f$ is a pure
# number like $h$ and $\gamma$.) Hold the noise fixed. As $\epsilon$ moves, each name is a straight line. Its slope is
# $f(z)$, its height at $\epsilon = 0$ is $h(z) + \gamma(z)$.
#
# **Guess first.** The maximum follows the uppermost line. From left to right, in which order do the three names win?

# %%
eps = np.linspace(-2, 2, 401)
lines = eps[None, :, None] * f + h + noise[:1000, None, :]                     # (draws, 401, 3)
everybody_wins = [len(set(row)) for row in lines.argmax(axis=2)].index(3)      # the first draw where all three do
lines = lines[everybody_wins]
winner = lines.argmax(axis=1)
scores = np.linspace(-4, 4, 201)                                               # of shirt alone, at eps = 0
over_scores = np.maximum(scores + noise[everybody_wins, 0], (h + noise[everybody_wins])[1:].max())
draw.lines(eps, lines, winner, f, scores, over_scores)
plt.show()
order = [names[z] for z in dict.fromkeys(winner.tolist())]
print("winners from left to right:", ", ".join(order))

# %% [markdown]
# What to see. Left: the maximum bends only upwards, with a kink where the winner changes. Middle: its slope is a
# staircase, and the height of each step is $f$ of the winner. The names win in the order of their slopes, because a
# steeper line ends above a flatter one. Right: the same maximum as a function of the shirt's score, with
# $\epsilon = 0$. It is flat as long as another name wins, and rises with slope 1 once the shirt does.
#
# **It bends only upwards.** A function that does so is called *convex*. *Proof.* Take $\epsilon_1$, $\epsilon_2$ and
# their midpoint. At the midpoint each line has the mean of its heights at the two ends, which is at most the mean of
# the two maxima. So the maximum at the midpoint is at most that mean as well. $\square$ The same words hold for the
# scores in the place of $\epsilon$, and for a mean of many maxima.
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
# The same holds in the direction of the scores. Raise $h(z)$ by a little: the maximum rises by the same amount if $z$
# wins, and not at all if it does not. So its gradient in $h$ is $\text{onehot}(z(\epsilon))$, a 1 at the winner and 0
# elsewhere.
#
# **At a kink** two values tie, and the maximum has no derivative there. In $\epsilon$ its slope is the larger of the
# two $f$ to the right of the kink and the smaller one to the left. In the scores it is the same: raise one of the two
# tied scores, and the maximum rises at the full rate. Lower it, and the maximum stays where it is, because the other
# value holds it. So there is a slope of 1 to the right and of 0 to the left, as in the right panel. With noise that
# has a density, a given $\epsilon$ and a given $h$ are at a kink with probability zero.
#
# Check both, for 1,000 draws at once: differences of the maximum against the winner.

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
print("slopes by differences of the first five draws:", slope[:5].round(6))
print("f of their winners:                           ", f[won[:5]])
gamma = some[0].copy()
gamma[0] = (h + gamma)[1:].max() - h[0]                                         # shirt ties with the best of the others
rate = lambda change: (maximum(h + change * np.eye(3)[0], 0, gamma) - maximum(h, 0, gamma)) / change
print(f"slope in h(shirt) where it ties: {rate(-step) + 0.0:.3f} to the left, {rate(step):.3f} to the right")

# %% [markdown]
# ## Mixing in f never lowers f
#
# A convex function's slope never falls. So $f(z(\epsilon)) \ge f(z^{\star})$ for every $\epsilon > 0$, *in every single
# draw*. Here is a direct proof in two lines. $z^{\star}$ wins at 0, and $z(\epsilon)$ wins at $\epsilon$:
#
# $$h(z^{\star}) + \gamma(z^{\star}) \ge h(z(\epsilon)) + \gamma(z(\epsilon))$$
#
# $$\epsilon f(z(\epsilon)) + h(z(\epsilon)) + \gamma(z(\epsilon)) \ge \epsilon f(z^{\star}) + h(z^{\star}) + \gamma(z^{\star})$$
#
# Add the two. Scores and noise stand on both sides and cancel, and $\epsilon f(z(\epsilon)) \ge \epsilon f(z^{\star})$
# is left. No two names have the same $f$ here, so $f$ rises wherever the winner changes.

# %%
for value in (0.1, 1.0, 10.0):
    z_eps = (value * f + h + noise).argmax(axis=1)
    assert (f[z_eps] >= f[z_star]).all()
    print(f"eps = {value:4g}: the winner changes in {np.mean(z_eps != z_star):.1%} of the draws, "
          f"and in each of these f rises")

# %% [markdown]
# ## Averaging makes it smooth
#
# Each draw of the noise puts its kinks in other places. Average the maxima over more and more draws.
#
# **Guess first.** From what number of draws on will you see no kink any more: 10, 1,000 or 100,000?

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
# What to see. One draw gives a bent line and a staircase. A thousand draws give kinks and steps that are too small to
# see, close to the black lines. Only the mean over *all* noise, for which we write $E_\gamma$, has no kink at all. It
# is a function of the scores and of $\epsilon$:
#
# $$G(h, \epsilon) = E_\gamma \max_z \{\epsilon f(z) + h(z) + \gamma(z)\}$$
#
# Chapters 2 and 3 differentiate it twice.
#
# **May we differentiate under the mean?** Is the slope of the mean the mean of the slopes? If $\epsilon$ moves by
# $\delta$, each line moves by at most $\max |f| \cdot |\delta|$, and so does their maximum, kinks included. So all
# difference quotients are bounded by $\max |f|$, whatever the noise. If the scores move by at most $\delta$ each, so
# does the maximum. For bounded quotients the limit and the mean may be exchanged (dominated convergence), and a kink
# at a given point has probability zero. Hence
#
# $$\frac{\partial G}{\partial \epsilon} = E_\gamma f(z(\epsilon)), \qquad \frac{\partial G}{\partial h} = E_\gamma \, \text{onehot}(z(\epsilon))$$
#
# The second one says: the gradient of $G$ in the scores is the chance of each name to win. (For $f(z^{\star})$ itself
# the exchange fails. Where it jumps, its quotient is the jump divided by $\delta$, which has no bound. Its slope is
# 0 with probability one, but the slope of its mean is not 0.) With our draws (± after a mean or a difference is one
# standard error, here and later):

# %%
at, width = 0.5, 0.01
won = (at * f + h + noise).argmax(axis=1)
quotients = (maximum(h, at + width, noise) - maximum(h, at - width, noise)) / (2 * width)
difference = quotients - f[won]                         # not zero only where a kink lies within the width
error = difference.std() / np.sqrt(M)
print(f"slope of the mean {quotients.mean():.4f}, mean of the slopes {f[won].mean():.4f}, "
      f"their difference {difference.mean():+.5f} ± {error:.5f}; "
      f"a kink within ± {width} in {np.mean(np.abs(difference) > 1e-9):.1%} of the draws")
assert abs(difference.mean()) < 4 * error
for z in range(3):
    unit = width * np.eye(3)[z]
    quotients = (maximum(h + unit, at, noise) - maximum(h - unit, at, noise)) / (2 * width)
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
# times *shirt*, 100 times *coat* and 300 times *dress*. Which scores $h$ make our program choose like that? Take the
# loss
#
# $$L(h) = G(h, 0) - \sum_z \text{observed}(z)\, h(z)$$
#
# By Danskin, its gradient in $h(z)$ is the chance of $z$ to win minus the observed share of $z$. It is zero when the
# two agree. Nobody differentiates an arg max: we only count who wins.
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
draw.learnt(runs)
plt.show()
print("shares after training, mean of ten seeds:", np.mean(chosen, axis=0).round(3), " wanted:", observed)
print("scores after training, mean of ten seeds:", dict(zip(names, runs[:, -1].mean(axis=0).round(2).tolist())))
print("the furthest of the ten seeds is off by", np.abs(np.array(chosen) - observed).max().round(3))

# %% [markdown]
# What to see. There are ten runs with ten seeds. The scores settle, *coat* near $-1$, and the program then chooses with
# nearly the wanted shares. The sum of the scores stays at zero, because every step adds as much as it takes away.
#
# This worked because the loss contains a mean maximum. But what we want to raise is $E f(z^{\star})$, which is not a
# mean maximum. It is the *slope* of one, $\partial G / \partial \epsilon$ at $\epsilon = 0$. Its gradient is a second
# derivative of $G$, and the staircases of single draws have no slope that could be averaged. That is the difficulty,
# and chapter 2 gets around it.
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
# With the same noise the two results rarely differ. With fresh noise they differ most of the time, and each
# difference is divided by $2\delta$. Even the better way needs two runs for *every weight*, and a network has
# hundreds of thousands.
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
# - The slope in one draw is an unbiased estimate of the mean slope. But differentiating that slope once more, draw by
#   draw, gives zero, because each staircase is flat. Only the *mean* has a useful second derivative.
# - The noise must not depend on $h$ or $\epsilon$. It is drawn first, and kept.
#
# ## Now write it yourself
#
# The workbook asks you to write the method from nothing, and checks what you wrote. After this chapter you can write
# file 3, Danskin's derivative: `python tutorials/workbook/check.py 3`.
#
# ## What to read next
#
# [Chapter 2](02_theorem_1.ipynb) finds the slope of the staircase. In the package: `refimpl/danskin.py`. Further away:
# J. M. Danskin, *The theory of max-min* (1967), for maxima over compact sets.
#
# ## Symbols
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
