# %% [markdown]
# # 11. When the sum is out of reach
#
# **You will** put the pieces of a picture into their places with a linear scorer. The scorer learns through a solver,
# without a sum over all arrangements. **You will learn** why it is cheap to find the best of $n!$ matchings, but
# expensive to sum over all matchings; that Theorem 1 holds for every arg max of a linear score; when direct
# optimisation was better than other methods in our runs; and when to use which method. **You need** chapters
# [2](02_theorem_1.ipynb) and [8](08_structured_encoders.ipynb); [10](10_one_identity.ipynb) helps. This chapter runs in
# about five seconds. The table of symbols is at the end.

# %%
import start    # if it is not found: clone the whole repository, and run this chapter in its folder tutorials/

import itertools
import time
import timeit

import matplotlib.pyplot as plt
import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.special import expit, factorial, logsumexp

from refimpl import data, gumbel, plots
from refimpl.experiments import records
from refimpl.latent import sets

rng = np.random.default_rng(11)

# %% [markdown]
# ## The best is cheap, the sum is not
#
# A matching gives each of $n$ tiles a place of its own. Write a matching as a matrix $z$ of zeros and ones:
# $z_{ij} = 1$ puts tile $i$ at place $j$, so each row and each column has a single 1. Tile $i$ has the score
# $\theta_{ij}$ at place $j$, and the score of the whole matching is $h(z) = \sum_{ij} \theta_{ij} z_{ij}$. There are
# $n!$ matchings.
#
# *The best matching* can be found in about $n^3$ steps. The reason is that mistakes can be corrected one by one. A
# matching that is not the best can be improved along a cycle: for example, tile 1 takes the place of tile 4, tile 4
# takes the place of tile 2, and tile 2 takes the place of tile 1. Finding a cycle that increases the score is a
# shortest-path problem. So no list of all matchings is needed.
#
# *The sum* over all matchings, $\sum_z e^{h(z)}$, has terms for the bad matchings too. The sum is called the permanent
# of the matrix with the entries $e^{\theta_{ij}}$. Computing a permanent is #P-hard (Valiant 1979): a fast algorithm
# for permanents could also count the solutions of every puzzle whose solutions are easy to check. Probably no such
# algorithm exists. The fastest known exact algorithms take about $2^n$ steps. One of them is `by_subsets` below. It
# adds the tiles one after another, and stores one sum for each *set* of places that are already taken. Randomised
# algorithms approximate the sum in polynomial time (Jerrum, Sinclair and Vigoda 2004), but they are too slow for
# training: their running time is a high power of $n$.

# %%
def best(theta):                                                # the highest score of a matching
    return theta[linear_sum_assignment(theta, maximize=True)].sum()


def by_list(theta):                                             # the log of the sum, and the highest score
    scores = theta[range(len(theta)), list(itertools.permutations(range(len(theta))))].sum(axis=1)
    return logsumexp(scores), scores.max()


def by_subsets(theta):                                          # the log of the sum
    every = np.arange(2 ** len(theta))                          # sets of places: bit j is 1 if place j is taken
    total = (every == 0) * 1.0                                  # no tile yet: the empty set has the sum 1
    for row in np.exp(theta):
        longer = np.zeros(len(every))
        for j, value in enumerate(row):
            free = every[every >> j & 1 == 0]
            longer[free | 1 << j] += value * total[free]
        total = longer
    return np.log(total[-1])


# %%
theta = rng.normal(size=(7, 7))
assert np.allclose(by_list(theta), (by_subsets(theta), best(theta)))

# %%
def seconds(function, n, repeat):
    theta = rng.normal(size=(n, n))
    return min(timeit.repeat(lambda: function(theta), number=1, repeat=repeat, timer=time.process_time))


_, chart = plt.subplots(figsize=(7.5, 3.6))
for colour, function, sizes, word, repeat, grows in (
        ("C1", best, [2**i for i in range(1, 10)], "the best matching", 5, None),
        ("C0", by_list, range(2, 10), "the sum, from a list", 1, factorial),
        ("C2", by_subsets, range(2, 16), "the sum, by sets of places", 2, lambda n: n**2 * 2.0**n)):
    taken, last = [seconds(function, n, repeat) for n in sizes], sizes[-1]
    chart.loglog(sizes, taken, colour + "o-", label=word, markersize=4)
    print(f"{word}: {taken[-1]:.2g} s at n = {last}")
    if grows:
        chart.loglog(range(last, 36), taken[-1] * grows(np.arange(last, 36)) / grows(last), colour + ":")
chart.axhline(365 * 24 * 3600, color="0.5", linewidth=1, label="a year")
chart.set(xlabel="n, tiles and places", ylabel="seconds", ylim=(1e-6, 1e14))
chart.set_xticks(2 ** np.arange(1, 10), 2 ** np.arange(1, 10), minor=False)
chart.legend(fontsize=9, loc="upper right")
plt.show()

# %% [markdown]
# The dots are measured times. The dotted lines continue them. They grow like $n!$ for the list, and like $n^2\, 2^n$
# for `by_subsets`. The list works for up to about nine tiles, and `by_subsets` for up to twenty or thirty. But `best`
# finds the best of $512!$ matchings in milliseconds.
#
# The next table lists five sets. For the first three, the sum is as easy to compute as the best element, so use the
# sum:
#
# | set | how to find the best element | how to compute the sum |
# | --- | --- | --- |
# | subsets of fixed size | sorting | a recursion over the places |
# | paths on a grid, chains | Bellman's recursion | the same recursion with logsumexp instead of max (chapter 10) |
# | spanning trees | Kruskal's greedy choice | a determinant (Kirchhoff 1847) |
# | cuts, no pair score below 0 | maximum flow (chapter 8) | no fast algorithm is known: #P-hard (Jerrum and Sinclair 1993) |
# | matchings | an assignment algorithm, as above | no fast algorithm is known: #P-hard (Valiant 1979) |

# %% [markdown]
# ## Theorem 1 for every linear arg max
#
# Matchings are one example of the following situation. There is a finite set of arrays $z$ of zeros and ones, and the
# score of an array is linear: $h(z) = \sum_i \theta_i z_i$, where $i$ runs over the entries of the array. Add noise
# $\gamma_i$ to the score of each *entry*:
#
# $$z^{\star} = \arg\max_z \sum_i (\theta_i + \gamma_i) z_i, \qquad z(\epsilon) = \arg\max_z \Big\{ \epsilon f(z) + \sum_i (\theta_i + \gamma_i) z_i \Big\}$$
#
# Both arg maxes have the same noise. Then, for every $f$,
#
# $$\frac{\partial}{\partial \theta_i} E f(z^{\star}) = \lim_{\epsilon \to 0} E \frac{z_i(\epsilon) - z^{\star}_i}{\epsilon}$$
#
# The proof is the one in [appendix D](appendix_d_unary_noise.ipynb). That proof is written for the set of all binary
# vectors (chapter 8), but needs only one property: every entry is 0 or 1. As in chapter 2, the proof looks at the
# *walls*: two different arrays $z$ and $z'$ tie for certain draws of the noise, and these draws form a wall between
# them in the space of the noises. The proof has five steps.
#
# 1. The wall between two different arrays $z$ and $z'$ is a hyperplane. Its normal is $z - z'$, with the entries 0, 1
#    and $-1$.
# 2. Take the part of the wall on which $z$ and $z'$ beat all other arrays. On this part, the noise has a finite density
#    $\rho_{zz'}$. To see this, take an entry in which $z$ and $z'$ differ, and hold the noises of all other entries
#    fixed. Then $z$ and $z'$ tie at only one value of this entry's noise.
# 3. No third array $z''$ ties with $z$ and $z'$ along the whole wall. Otherwise the normals $z - z''$ and $z - z'$
#    would be parallel, so equal or opposite. Then $z''$ would be $z'$, or it would be $2 z - z'$, which has entries 2
#    or $-1$ where $z$ and $z'$ differ.
# 4. Hence $\rho_{zz'}$ is continuous in the scores, if the density of each $\gamma_i$ is bounded and continuous, as
#    it is for Gumbel noise.
# 5. If $\theta_i$ is raised by $\delta$, the wall moves by $\delta (z'_i - z_i)$. Each draw that changes from $z$ to
#    $z'$ changes $f$ by $f(z') - f(z)$. If $\epsilon f$ is added instead, the wall moves by $\epsilon (f(z') - f(z))$.
#    Each such draw changes entry $i$ by $z'_i - z_i$. Divided by $\delta$ or $\epsilon$, the product of movement and
#    change is the same. So both sides of the theorem are $\frac12 \sum_{z,z'} \rho_{zz'} (f(z') - f(z)) (z'_i - z_i)$,
#    with the factor $\frac12$ because the sum counts each wall twice. $\blacksquare$
#
# Let $f$ be linear too: $f(z) = \sum_i c_i z_i$. Then the second arg max is *a problem of the same kind* with the
# scores $\theta_i + \gamma_i + \epsilon c_i$. The same solver finds it, and nothing is approximated except the limit.
# One such $f$ is the number of correct tiles. Let $\mu = E z^{\star}$ and $\mu_\epsilon = E z(\epsilon)$ be the mean
# arrays. In $G(\theta + \epsilon c_i)$, every score $\theta_i$ is raised by its own $\epsilon c_i$. Then
#
# $$E \frac{z(\epsilon) - z^{\star}}{\epsilon} = \frac{\mu_\epsilon - \mu}{\epsilon} = \frac{\partial}{\partial \theta} \frac{G(\theta + \epsilon c_i) - G(\theta)}{\epsilon}, \qquad G(\theta) = E \max_z \sum_i (\theta_i + \gamma_i) z_i$$
#
# Here $G$ is the mean maximum, and $\partial G / \partial \theta = \mu$ by Danskin's theorem.
#
# **The law of $z^{\star}$ is not the Gibbs law.** The *Gibbs law* gives each $z$ a probability proportional to
# $e^{h(z)}$. It is the softmax of the scores of all $z$. In chapter 3, there was Gumbel noise on every *value*, and
# $z^{\star}$ was a draw from this softmax. Here the noise is on the entries, and the noise of a matching is the sum of
# $n$ of these noises. Sums of Gumbel variables are not Gumbel variables. Two matchings that both put tile $i$ at place
# $j$ share the noise $\gamma_{ij}$, so their noises are not independent. For two tiles, the law has a closed form. Let
# the *lead* be the score of the identity (tile 1 at place 1, tile 2 at place 2) minus the score of the other matching.
# The noises of the two matchings differ by the sum of two independent logistic variables. The identity is chosen if the
# lead plus this sum is positive:

# %%
def identity_wins(theta):
    lead = np.trace(theta) - np.trace(theta[::-1])
    return np.exp(lead) * (np.exp(lead) - 1 - lead) / np.expm1(lead) ** 2


two = sets.matchings(2)
for lead in (0.5, 1.0, 2.0, 4.0):
    theta = lead * np.eye(2) / 2
    exact, sampled = identity_wins(theta), two.sample(np.broadcast_to(theta, (4_000, 2, 2)), rng)[:, 0, 0].mean()
    print(f"lead {lead}: the identity is chosen with probability {exact:.4f} ({sampled:.3f} sampled); "
          f"under the Gibbs law {expit(lead):.4f}")
    assert abs(sampled - exact) < 4.5 * np.sqrt(exact * (1 - exact) / 4_000) and expit(lead) - exact > 0.03

# %% [markdown]
# The law of $z^{\star}$ is flatter than the Gibbs law. It is not an approximation of the Gibbs law, but a different
# law. So formulas for a softmax must not be used here. For example, the derivative of the log probability is "$z$ minus
# its mean" for the Gibbs law, but not for the law of $z^{\star}$. Also, the KL term has no closed form. Theorem 1 does
# not need such formulas.
#
# **The bias** can be computed without sampling in two small cases. In the first case, $z$ marks two of four places. The
# two highest perturbed scores are two draws without replacement. A subset can be drawn in two orders, so its
# probability has two terms. In the second case, the formula above gives the law for two tiles. In both cases, $\mu$ is
# known, so both sides of the theorem are known:

# %%
orders = np.array(list(itertools.permutations(range(4), 2)))
mean_pair = lambda theta: gumbel.top_k_probability(theta, orders) @ np.eye(4)[orders].sum(axis=1)
mean_matching = lambda theta: np.where(np.eye(2) == 1, identity_wins(theta), 1 - identity_wins(theta))
slope = lambda f, d=2e-3: (8 * (f(d) - f(-d)) - f(2 * d) + f(-2 * d)) / (12 * d)     # derivative at 0
figure, ax = plt.subplots(figsize=(7.5, 3.4))
widths = np.geomspace(0.02, 4, 25)
for colour, word, family, mu in (("C0", "two of four places", sets.subsets(4, 2), mean_pair),
                                 ("C1", "two tiles", two, mean_matching)):
    theta, worth = rng.normal(size=(2, *family.shape))
    along = lambda eps: mu(theta + eps * worth)
    truth = [slope(lambda t: (worth * mu(theta + t * unit.reshape(theta.shape))).sum()) for unit in np.eye(theta.size)]
    truth = np.reshape(truth, theta.shape)                                      # the gradient of E f(z*) in theta
    assert np.allclose(truth, slope(along), atol=1e-8)                          # Theorem 1
    g = family.gradient(np.broadcast_to(theta, (8_000, *theta.shape)), worth, 0.5, rng)
    assert (np.abs(g.mean(axis=0) - (along(0.5) - mu(theta)) / 0.5) < 4.5 * g.std(axis=0) / np.sqrt(8_000)).all()
    for name, order, mean in (("one-sided", 1, lambda eps: (along(eps) - mu(theta)) / eps),
                              ("two-sided", 2, lambda eps: (along(eps) - along(-eps)) / (2 * eps))):
        bias = [np.linalg.norm(mean(eps) - truth) for eps in widths]
        power = np.polyfit(np.log(widths[:8]), np.log(bias[:8]), 1)[0]
        ax.loglog(widths, bias, colour + order * "-", label=f"{word}, {name}: slope {power:.2f}")
        assert abs(power - order) < 0.05
ax.set(xlabel=r"$\epsilon$", ylabel="length of the bias")
ax.legend(fontsize=9)
plt.show()

# %% [markdown]
# As in chapter 4, the one-sided bias is of the order $\epsilon$: with logarithmic axes, its lines have slope 1. The
# two-sided estimate has $z(-\epsilon)$ instead of $z^{\star}$, and divides by $2\epsilon$. Its lines have slope 2, so
# its bias is of the order $\epsilon^2$.
#
# **One draw.** How do two matchings differ? In each of the two matchings, every tile has a place of its own. So if a
# tile moves, it takes the place of another tile, which must move too, and so on, until a tile takes the place that the
# first tile has left. The next cell looks for a draw in which three tiles move. Here $f$ counts the correct tiles:
# $c_{ij} = 1$ if tile $i$ belongs at place $j$, and 0 otherwise. In the code $c_{ij}$ is called `worth`.

# %%
six = sets.matchings(6)
theta, worth, moved = rng.normal(size=(6, 6)), np.eye(6), 0                     # tile i belongs at place i
while moved != 3:
    z_star, z_eps = six.argmax_pair(theta, worth, 1.0, rng)
    change, moved = z_eps - z_star, 6 - (z_star * z_eps).sum()
assert not change.sum(axis=0).any() and not change.sum(axis=1).any() and (worth * change).sum() >= 0
print(f"right tiles: {(worth * z_star).sum():.0f} in z*, {(worth * z_eps).sum():.0f} in z(eps)")

figure, (left, right) = plt.subplots(1, 2, figsize=(8.5, 3.6), width_ratios=(1.3, 1))
for z, style, colour, words in ((z_star * z_eps, "o-", "0.7", "in both"),
                                (change < 0, "o--", plots.FURTHER[0], r"in $z^{\star}$ only"),
                                (change > 0, "o-", plots.FURTHER[1], r"in $z(\epsilon)$ only")):
    left.plot([0, 1], np.argwhere(z).T + 1, style, color=colour, linewidth=2.5)[0].set_label(words)
left.set(xticks=[0, 1], xticklabels=["tile", "place"], yticks=range(1, 7), ylim=(6.5, 0.5))
figure.legend(fontsize=9, loc="outside lower center", ncols=3)
right.imshow(change, cmap="RdBu", vmin=-1.5, vmax=1.5, extent=(0.5, 6.5, 6.5, 0.5))
right.set(xlabel="place", ylabel="tile", xticks=range(1, 7), title=r"$z(\epsilon) - z^{\star}$: red $-1$, blue $+1$")
right.grid(False)
plt.show()

# %% [markdown]
# In the left plot, start at a tile that moves. Its blue line leads to its new place. The dashed line at this place
# leads to the tile that was there in $z^{\star}$. Go on in the same way: after three tiles you are back at the first
# one. The matrix in the right plot is $\epsilon$ times the estimate of the gradient. Its columns (places) and rows
# (tiles) sum to 0. So a step along the estimate never changes the sum of the scores at a place. As in chapter 1,
# $f(z(\epsilon)) \ge f(z^{\star})$ in every draw.
#
# ## A jigsaw in a few lines
#
# Cut a digit into $3 \times 3$ tiles of $9 \times 9$ pixels, shuffle them, and learn to put them back. (The last row
# and the last column of the $28 \times 28$ pixels are cut off.) The scorer is linear: the nine scores of a tile, one
# for each place, are weighted sums of its 81 pixels. (The scorer sees one tile at a time, and never two neighbours.)
# Let $c_{ij} = 1$ if tile $i$ has exactly the pixels that belong at place $j$, and 0 otherwise. (So two empty tiles can
# change places, and both are correct.) Then $f$ counts the correct tiles.

# %%
nine, images = sets.matchings(9), data.load("mnist")


def shuffled(part, rows):
    """Tiles in the right order and in a random one, (B, 9, 81), and c for each tile and place, (B, 9, 9)."""
    x = part.images(rows).reshape(-1, 28, 28)[:, :27, :27].reshape(-1, 3, 9, 3, 9).astype(float)
    true = x.transpose(0, 1, 3, 2, 4).reshape(-1, 9, 81)
    order = rng.permuted(np.arange(9) + np.zeros((len(x), 1), int), axis=1)
    tiles = np.take_along_axis(true, order[:, :, None], axis=1)
    return true, tiles, (tiles[:, :, None] == true[:, None]).all(axis=3) * 1.0


def test(weights):
    z = nine.argmax(tiles @ weights)
    right = (worth_there * z).sum(axis=(1, 2))
    print(f"{right.mean() / 9:.1%} of the test tiles are right, and all nine tiles in {(right == 9).mean():.1%} "
          "of the test pictures")
    return z, (right == 9).mean()


true, tiles, worth_there = shuffled(images.test, slice(0, 1_000))
weights, eps = np.zeros((81, 9)), 3.0
_, before = test(weights)
for _ in range(300):
    _, x, worth = shuffled(images.train, rng.integers(len(images.train), size=50))
    g = nine.gradient(x @ weights, worth, eps, rng)                 # the estimate: two matchings, one noise
    weights += 0.1 * np.einsum("bip,bij->pj", x, g) / 50                        # the chain rule of a linear scorer
z, after = test(weights)
assert before < 0.02 and after > 0.25

# %%
shown = np.array([tiles[:9], np.einsum("bij,bip->bjp", z, tiles)[:9], true[:9]]).reshape(3, 9, 3, 3, 9, 9)
shown = np.pad(shown, 4 * [(0, 0)] + 2 * [(0, 1)], constant_values=0.35)        # a line between tiles
shown = np.pad(shown.transpose(0, 2, 4, 1, 3, 5).reshape(3, 30, 9, 30), [(0, 0), (0, 5), (0, 0), (0, 5)])
figure, ax = plt.subplots(figsize=(9, 3.2))
ax.imshow(shown.reshape(105, 315), cmap="gray_r")
ax.set(xticks=[], yticks=[15, 50, 85], yticklabels=["shuffled", "put together", "the truth"])
ax.grid(False)
plt.show()

# %% [markdown]
# In 300 steps the linear scorer has learnt where strokes like these usually lie. It confuses tiles that look alike. No
# line of the loop computes a sum over matchings: the line with `nine.gradient` calls scipy's solver twice for each
# picture.
#
# ## The same in measured runs
#
# [A jigsaw that learns to solve itself](jigsaw.md) does the same with a network, for $2 \times 2$ to $4 \times 4$
# tiles, on two data sets, with three seeds. The linked page compares `direct` with other methods:
#
# - *cross-entropy* teaches the network to predict the place of each tile, without a matching;
# - *Fenchel-Young* takes the correct matching minus $z^{\star}$ as its gradient (chapter 10);
# - *Gumbel-Sinkhorn* replaces the matching by a matrix of positive numbers whose rows and columns sum to 1, and
#   differentiates $f$ at this matrix;
# - *REINFORCE* here subtracts a baseline from $f(z^{\star})$, and multiplies the difference by the derivative of the
#   log density of the noise (chapter 10, "score function of the noise");
# - *enumeration* sums over all matchings to compute the exact gradient of the mean of $f$ under the Gibbs law.
#
# The settings of each method were chosen on validation images of MNIST, at $3 \times 3$. (For enumeration, we used
# $2 \times 2$ tiles.) The animation shows ten digits while a network learns. The results follow. A picture counts as
# solved if all its tiles are correct.
#
# ![Ten digits whose tiles find their places while the network is trained](figures/puzzle.gif)

# %%
def kept(name):
    return [records.parsed(file.read_text("utf-8")) for file in start.CLONE.glob(f"tutorials/rows/{name}/*.csv")]


runs, groups, whole = kept("jigsaw"), ("2 x 2", "3 x 3", "4 x 4", "3 x 3, no labels"), {}
epoch = min(run.rows[-1]["epoch"] for run in runs)                              # the last epoch that all runs have
for run in runs:                                                                # % of solved pictures of each seed
    whole.setdefault((run.dataset, run.label), []).append(100 * run.at(epoch, "test_images"))
for dataset in ("mnist", "fashion-mnist"):
    of = lambda method, group: whole.get((dataset, f"{method}, {group}"), [])
    print(f"{dataset + ', solved, %':32s}" + "".join(f"{group:>17s}" for group in groups))
    for method in ("cross-entropy", "fenchel-young", "direct", "gumbel-sinkhorn", "reinforce", "enumeration"):
        means = [f"{np.mean(of(method, group)):17.1f}" if of(method, group) else f"{'-':>17s}" for group in groups]
        print(f"  {method:30s}" + "".join(means))
    for group in groups[1:3]:
        assert np.mean(of("cross-entropy", group)) > np.mean(of("fenchel-young", group)) > np.mean(of("direct", group))
    assert min(of("direct", "4 x 4")) > max(of("gumbel-sinkhorn", "4 x 4") + of("reinforce", "4 x 4"))
    assert min(of("direct", groups[3])) > max(of("gumbel-sinkhorn", groups[3]) + of("reinforce", groups[3]))

# %% [markdown]
# The numbers are means over three seeds.
#
# *With labels, `direct` is not the best method.* The correct place of every tile is known, so it is enough to predict
# the place of each tile. Cross-entropy needs no noise and no matching. With nine or sixteen tiles, Fenchel-Young is
# second. Its gradient, the correct matching minus $z^{\star}$, raises the score of the correct place of every misplaced
# tile. The gradient of `direct` is 0 in every draw where adding $\epsilon c_{ij}$ does not change the matching. (With a
# very large $\epsilon$, `direct` would have the gradient of Fenchel-Young, divided by $\epsilon$.) With ten draws per
# step, `direct` on average solves as many pictures as Fenchel-Young. This was tried only on MNIST at $3 \times 3$, and
# the ranges over the seeds overlap ([the runs](jigsaw.md#is-it-the-noise-of-the-gradient-or-its-mean)).
#
# *With sixteen tiles, `direct` is better than the other methods that know only* $f$. `direct` is ahead of
# Gumbel-Sinkhorn, and far ahead of REINFORCE, which uses only the values of $f$. With four tiles, there are only 24
# matchings, and enumeration can be used. But there, every run of enumeration is behind every run of `direct`.
#
# *Without labels, `direct` is the best of the three methods that can be used.* Now the correct place of a tile is
# unknown. $f(z)$ is the log-likelihood of the assembled picture under a mixture of ten mean pictures. The mixture was
# learnt from other images, which were never cut. This $f$ is a logsumexp of linear functions, and $c_{ij}$ is its slope
# at $z^{\star}$. Cross-entropy and Fenchel-Young need a correct matching, so they cannot be used.
#
# These runs have limits. The network is small, and it sees each tile alone, without its neighbours. There are few
# epochs. Except for enumeration, the settings were chosen with 3 × 3 tiles.
#
# ## A subset that explains
#
# Which ten of the 784 pixels are enough to read a digit? One network, the chooser, gives each pixel a score $\theta_i$,
# and $z$ marks the ten pixels with the highest $\theta_i + \gamma_i$. A second network, the reader, sees only these
# pixels, and $f(z)$ is the log probability that it gives to the label. This $f$ is not linear in $z$. So $f$ is
# replaced by a linear function: $c_i$ is the slope of $f$ at $z^{\star}$. One backward pass computes all $c_i$.
# `direct` with these $c_i$ is called implicit MLE (chapter 10; Niepert et al. 2021). There are more than $10^{22}$
# subsets of ten pixels. For a linear $h$, a recursion computes the *sum* of $e^{h(z)}$ over all these subsets. But this
# recursion does not work with an $f$ that is a network.

# %%
shares = {}                                                                     # % of test labels, one for each seed
for row in kept("subset")[0].rows:
    shares.setdefault(row["method"], []).append(100 * row["test"])
for method, values in shares.items():
    print(f"{method:17s} {np.mean(values):4.1f} % of the test digits are read correctly "
          f"(seeds: {min(values):.1f} to {max(values):.1f})")
assert min(shares["direct"] + shares["two-sided"]) > max(shares["relaxed"] + shares["straight-through"])

# %% [markdown]
# ![The ten pixels of ten test images, a row for each method, direct at the top](figures/subset.png)
#
# The picture comes from the same runs, and [the table](results-gradients.md#a-subset-that-explains) has more of their
# results. *Straight-through* uses $c_i$ itself as the gradient with respect to $\theta_i$. *Relaxed* uses $c_i$ times
# the derivative of a softmax. Two methods choose pixels without learning: *random* chooses them at random for each
# image, and *most variable* takes those with the largest variance over the images. With `direct`, one- or two-sided,
# every seed is better than every seed of straight-through and relaxed. Straight-through, relaxed and both forms of
# `direct` use the slope $c_i$ at $z^{\star}$. But only `direct` finds out which *other* pixels would be chosen if
# $\epsilon c_i$ were added. (The runs are short, 300 steps, with three settings tried for each method. For
# straight-through, the lowest learning rate was best.)
#
# Does the subset *explain* the decision? Be careful. The chooser sees the whole image. So the chooser can recognise the
# digit itself, and then choose pixels from which the reader can guess the digit. Even if the ten pixels are enough for
# this reader, perhaps other pixels matter more.
#
# ## When to use which method
#
# | what you have | what to use | its result in the runs above |
# | --- | --- | --- |
# | a label for each entry of $z$ | cross-entropy for each entry, and the solver only at test time | best in the jigsaw with labels |
# | the right $z$, as a whole | Fenchel-Young: it has no $\epsilon$, and a convex loss | second in the jigsaw with nine or more tiles |
# | an $f$ that is linear, or has a slope | `direct`, or implicit MLE: two calls of the solver | best in the jigsaw without labels, and in the subset |
# | a sum that is cheap, and $f$ in a table | enumeration, or a recursion | behind `direct` at $2 \times 2$ |
# | an $f$ that can be evaluated at relaxed $z$ | Gumbel-Sinkhorn, or another relaxation | level with `direct` on MNIST at $3 \times 3$, behind it at $4 \times 4$ and without labels |
# | only values of $f$ | score function of the noise, with a baseline | last in the jigsaw at $4 \times 4$ |
#
# Related work: Gumbel-Sinkhorn (Mena et al., ICLR 2018) relaxes matchings. Stochastic softmax tricks (Paulus et al.,
# NeurIPS 2020) relax the arg max of a linear score over any set, for example trees or subsets. Perturbed optimisers
# (Berthet et al., NeurIPS 2020) are the source of Fenchel-Young and of the score function of the noise. I-MLE (Niepert
# et al., NeurIPS 2021) is `direct` with a linear function in place of $f$. Gumbel-Rao (Paulus et al., ICLR 2021)
# averages the straight-through gradient over all draws with the same winner.
#
# ## Now write it yourself
#
# [The workbook](workbook/README.md) has two files for this chapter. In `tutorials/workbook/04_two_arg_maxes.py` you
# write the estimate for one variable. In `tutorials/workbook/13_matching.py` you write the estimate for matchings: the
# difference of two best matchings, divided by $\epsilon$. `python tutorials/workbook/check.py 13` checks
# `13_matching.py` and names the likely mistake.
#
# ## Exercises
#
# **1 (easy).** Add the same number to all entries of one row of $\theta_{ij}$, or of $c_{ij}$. What happens to the two
# matchings? What does this say about a constant that the scorer adds to the scores of one tile at all places?
#
# <details><summary>Solution</summary>
#
# Each matching has a single 1 in this row, so the scores of all matchings grow by the same number, and no arg max
# moves. Such a constant cannot be learnt, and is not needed.
#
# ```python
# shift = np.zeros((6, 6))
# shift[2] = 3.0
# theta, worth, noise = np.random.default_rng(1).normal(size=(3, 6, 6))
# g = six.gradient(theta, worth, 1.0, noise)
# assert (g == six.gradient(theta + shift, worth, 1.0, noise)).all()
# assert (g == six.gradient(theta, worth + shift, 1.0, noise)).all()
# ```
#
# </details>
#
# **2 (medium).** For subsets of fixed size, the sum is cheap. Take the subsets that contain three of eight places.
# Write the sum over these subsets as a recursion over the places, and check it against a list of the subsets.
#
# <details><summary>Solution</summary>
#
# Go through the places one after another. For each of the sizes 0, 1, 2 and 3, keep the sum over all subsets of this
# size that can be made from the places seen so far. A new place $i$ is left out of a subset, or it is added. If place
# $i$ is added, the term of the subset is multiplied by $e^{\theta_i}$.
#
# ```python
# theta, total = np.random.default_rng(2).normal(size=8), np.array([1.0, 0, 0, 0])
# for value in np.exp(theta):
#     total[1:] += value * total[:-1]
# assert np.isclose(total[3], np.exp(sets.subsets(8, 3).values() @ theta).sum())
# ```
#
# </details>
#
# **3 (hard).** The mean of $z_{ij}$ under the Gibbs law is the derivative of the log of the sum with respect to
# $\theta_{ij}$. Compute this mean for six tiles with `by_subsets`, without finite differences. Compare it with the mean
# of $z^{\star}$. Which of the two is flatter?
#
# <details><summary>Solution</summary>
#
# A matching with $z_{ij} = 1$ puts tile $i$ at place $j$, and matches the other tiles with the other places. Let `rest`
# be the matrix of the scores without row $i$ and column $j$. The mean of $z_{ij}$ under the Gibbs law is
# $e^{\theta_{ij}}$ times the sum over the matchings of `rest`, divided by the sum over all matchings. The mean of
# $z^{\star}$ is flatter than the mean under the Gibbs law. We saw the same for two tiles.
#
# ```python
# theta = 2 * np.random.default_rng(3).normal(size=(6, 6))
# gibbs = np.empty((6, 6))
# for i, j in np.ndindex(6, 6):
#     rest = np.delete(np.delete(theta, i, axis=0), j, axis=1)
#     gibbs[i, j] = np.exp(theta[i, j] + by_subsets(rest) - by_subsets(theta))
# assert np.allclose(gibbs.sum(axis=0), 1) and np.allclose(gibbs.sum(axis=1), 1)
# mean = six.sample(np.broadcast_to(theta, (4_000, 6, 6)), np.random.default_rng(4)).mean(axis=0)
# assert (mean**2).sum() < (gibbs**2).sum() - 0.5
# ```
#
# </details>
#
# ## Where it goes wrong in practice
#
# - The sign is wrong. Solvers of assignment problems minimise a cost. Use `maximize=True`, or change the sign of all
#   scores. Do the same for both matchings.
# - The second matching has fresh noise. Then nearly every tile moves, and the variance becomes far larger (chapter
#   2).
# - The scale of $\epsilon c_{ij}$ does not fit that of $\theta_{ij} + \gamma_{ij}$. With a large $\epsilon$, the second
#   matching is always the correct matching, and `direct` is Fenchel-Young divided by $\epsilon$.
# - Some tiles are identical. Two empty tiles can be exchanged without changing the picture. If each place accepts only
#   its own tile, a correct picture can count as wrong.
#
# ## What to read next
#
# In the package, see `refimpl/latent/sets.py` and `refimpl/latent/linear.py`. The class `Linear` takes your solver as
# an argument. The papers are Mena et al., *Learning latent permutations with Gumbel-Sinkhorn networks* (ICLR 2018);
# Paulus et al., *Gradient estimation with stochastic softmax tricks* (NeurIPS 2020); and Valiant, *The complexity of
# computing the permanent* (1979). Then read [the jigsaw](jigsaw.md).
#
# ## Symbols
#
# | symbol | in the code | the slides write | meaning |
# | --- | --- | --- | --- |
# | $z$, $z_{ij}$ | `z` | $z$ | an array of zeros and ones, that is, of binary variables (here mostly a matching, (n, n)); its entry |
# | $n$ | `n` | | number of tiles, rows of a matching |
# | $\theta$, $\theta_i$, $\theta_{ij}$ | `theta` | $\phi$ | the score of each entry of $z$ |
# | $h(z)$ | | $\phi(x,z)$ | the score of the whole array, $\sum_i \theta_i z_i$ |
# | $f$, $f(z)$ | `f` | $\theta(x,z)$ | the score whose mean is to be raised: the number of correct tiles, or a log probability |
# | $c_i$, $c_{ij}$ | `worth` | | what each entry is worth for $f$: $f(z) = \sum_i c_i z_i$ |
# | $\gamma_i$ | `noise` | $\gamma$ | Gumbel noise of mean zero, one number for each entry |
# | $z^{\star}$, $z(\epsilon)$ | `z_star`, `z_eps` | | arg max of $\sum_i (\theta_i + \gamma_i) z_i$, and with $\epsilon f$ added |
# | $\epsilon$ | `eps` | $\epsilon$ | how strongly $f$ takes part in the second arg max |
# | $\mu$, $\mu_\epsilon$ | `mu` | | mean of $z^{\star}$; mean of $z(\epsilon)$ |
# | $G$ | | $G$ | the mean maximum $E \max_z \sum_i (\theta_i + \gamma_i) z_i$ |
# | $\rho_{zz'}$ | | | density of the noise along the wall between $z$ and $z'$ |
