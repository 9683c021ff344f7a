# %% [markdown]
# # 11. When the sum is out of reach
#
# **You will** put the pieces of a picture into their places with a network that learns through a solver, without ever
# adding anything up. **You will learn** why the best of $n!$ matchings is cheap to find when the sum over them is not;
# that Theorem 1 holds for every arg max of a linear score; what this bought in measured runs, and what it did not; and
# which tool is for what. **You need** chapters [2](02_theorem_1.ipynb) and [8](08_structured_encoders.ipynb);
# [10](10_one_identity.ipynb) helps. It runs in about five seconds. The table of symbols is at the end.

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
# A matching gives each of $n$ tiles a place of its own. Write it as a matrix $z$ of 0 and 1: $z_{ij} = 1$ puts tile $i$
# at place $j$, so each row and each column has a single 1. Tile $i$ has the score $\theta_{ij}$ at place $j$, and the
# matching scores $h(z) = \sum_{ij} \theta_{ij} z_{ij}$. There are $n!$ matchings.
#
# *The best one* takes about $n^3$ steps. The reason is that a mistake can be mended: a matching that is not the best
# can be improved along a cycle (tile 1 takes the place of tile 4, tile 4 that of tile 2, tile 2 that of tile 1), and
# looking for a cycle that gains is a shortest-path problem. No list is needed.
#
# *The sum* over all of them, $\sum_z e^{h(z)}$, cannot skip the bad ones. It is the permanent of the matrix of the
# $e^{\theta_{ij}}$, and computing it is #P-hard (Valiant 1979): a fast algorithm would also count the solutions of
# every puzzle whose solutions are easy to check. The best exact algorithms known take about $2^n$ steps. One is below.
# (It goes through the tiles and keeps one sum for each *set* of places that are taken.) Random algorithms approximate
# it in polynomial time (Jerrum, Sinclair and Vigoda 2004), with powers too high to run in every step of a training.

# %%
def best(theta):
    return theta[linear_sum_assignment(theta, maximize=True)].sum()


def by_list(theta):                                             # log of the sum, and the best
    scores = theta[range(len(theta)), list(itertools.permutations(range(len(theta))))].sum(axis=1)
    return logsumexp(scores), scores.max()


def by_subsets(theta):
    every = np.arange(2 ** len(theta))
    total = (every == 0) * 1.0
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
# What to see. Dots are measured; the dotted lines go on as $n!$ and $n^2\, 2^n$ do. The list ends at about nine tiles.
# A clever sum gets to twenty or thirty. The best of $512!$ matchings takes milliseconds.
#
# For other sets the sum is as easy as the best, and then it should be used:
#
# | set | the best one, by | the sum, by |
# | --- | --- | --- |
# | subsets of fixed size | sorting | a recursion over the places |
# | paths on a grid, chains | Bellman's recursion | the same with logsumexp (chapter 10) |
# | spanning trees | Kruskal's greedy choice | a determinant (Kirchhoff 1847) |
# | cuts, no pair score below 0 | maximum flow (chapter 8) | none that is fast: #P-hard (Jerrum and Sinclair 1993) |
# | matchings | assignment | none that is fast: #P-hard (Valiant 1979) |

# %% [markdown]
# ## Theorem 1 for every linear arg max
#
# Let $z$ be any 0/1 array out of a finite set, and $h(z) = \sum_i \theta_i z_i$. Each *entry* gets noise:
#
# $$z^{\star} = \arg\max_z \sum_i (\theta_i + \gamma_i) z_i, \qquad z(\epsilon) = \arg\max_z \Big\{ \epsilon f(z) + \sum_i (\theta_i + \gamma_i) z_i \Big\}$$
#
# with one noise for both. Then, for every $f$,
#
# $$\frac{\partial}{\partial \theta_i} E f(z^{\star}) = \lim_{\epsilon \to 0} E \frac{z_i(\epsilon) - z^{\star}_i}{\epsilon}$$
#
# The proof is that of [appendix D](appendix_d_unary_noise.ipynb), where the set was all binary vectors of chapter 8.
# Nothing in it used that. In five lines:
#
# 1. Two arrays $z \ne z'$ tie on a hyperplane in the space of the noises, whose normal $z - z'$ has entries 0, 1, $-1$.
# 2. Along this wall lies a finite density $\rho_{zz'}$: hold all noises but one in which they differ.
# 3. No third array ties along the whole wall: its entries would have to be 2 or $-1$ somewhere.
# 4. So $\rho_{zz'}$ is continuous in the scores, if the density of $\gamma_i$ is bounded and continuous.
# 5. Raising $\theta_i$ by $\delta$ moves the wall by $\delta (z'_i - z_i)$, and each draw that crosses changes $f$ by
#    $f(z') - f(z)$. Mixing in $\epsilon f$ moves it by $\epsilon (f(z') - f(z))$, and each draw that crosses changes
#    entry $i$ by $z'_i - z_i$. Both sides are $\frac12 \sum_{z,z'} \rho_{zz'} (f(z') - f(z)) (z'_i - z_i)$.
#    $\blacksquare$
#
# If $f$ is linear too, $f(z) = \sum_i c_i z_i$, the second arg max is *the same problem* with the scores
# $\theta_i + \gamma_i + \epsilon c_i$. The same solver takes it: nothing is approximated except the limit. With
# $\mu = E z^{\star}$ and $\mu_\epsilon = E z(\epsilon)$,
#
# $$E \frac{z(\epsilon) - z^{\star}}{\epsilon} = \frac{\mu_\epsilon - \mu}{\epsilon} = \frac{\partial}{\partial \theta} \frac{G(\theta + \epsilon c_i) - G(\theta)}{\epsilon}, \qquad G(\theta) = E \max_z \sum_i (\theta_i + \gamma_i) z_i$$
#
# (By Danskin $\partial G / \partial \theta = \mu$; $\theta + \epsilon c_i$ adds $\epsilon c_i$ to each entry.) The
# number of right tiles is such an $f$.
#
# **It is not the Gibbs law.** In chapter 3 Gumbel noise on every *value* made $z^{\star}$ a softmax draw. Here the
# noise is on the entries, and a matching's noise is the sum of $n$ of them. Sums of Gumbel variables are not Gumbel,
# and matchings that share tiles share noise. For two tiles the law has a closed form:

# %%
def first_wins(theta):
    lead = np.trace(theta) - np.trace(theta[::-1])      # of the identity; the noises differ by two logistic ones
    return np.exp(lead) * (np.exp(lead) - 1 - lead) / np.expm1(lead) ** 2


two = sets.matchings(2)
for lead in (0.5, 1.0, 2.0, 4.0):
    theta = lead * np.eye(2) / 2
    exact, sampled = first_wins(theta), two.sample(np.broadcast_to(theta, (4_000, 2, 2)), rng)[:, 0, 0].mean()
    print(f"lead {lead}: the first wins with chance {exact:.4f} ({sampled:.3f} sampled); Gibbs: {expit(lead):.4f}")
    assert abs(sampled - exact) < 4.5 * np.sqrt(exact * (1 - exact) / 4_000) and expit(lead) - exact > 0.03

# %% [markdown]
# The law is flatter: it is a law of its own, not a bad sample of the Gibbs law. So no softmax formula may be used for
# it (no $z$ minus its mean as a score function, no KL term in closed form). Theorem 1 does not need one.
#
# **The bias**, without sampling. For the subsets of two of four places the law of $z^{\star}$ is a sum over two orders
# of drawing without replacement; for two tiles it is the line above. So $\mu$ is known, and both sides of the theorem:

# %%
orders = np.array(list(itertools.permutations(range(4), 2)))
mean_pair = lambda theta: gumbel.top_k_probability(theta, orders) @ np.eye(4)[orders].sum(axis=1)
mean_matching = lambda theta: np.where(np.eye(2) == 1, first_wins(theta), 1 - first_wins(theta))
slope = lambda f, d=2e-3: (8 * (f(d) - f(-d)) - f(2 * d) + f(-2 * d)) / (12 * d)     # at 0, of fourth order
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
# As in chapter 4: slope 1, and slope 2 if $z(-\epsilon)$ stands in the place of $z^{\star}$ (and $2\epsilon$ below).
#
# **One draw.** How do two matchings differ? Each tile has one place in both. So a tile that moves takes the place of
# another, which must move too, and so on, until the circle closes.

# %%
six = sets.matchings(6)
theta, worth, moved = rng.normal(size=(6, 6)), np.eye(6), 0                     # tile i belongs at place i
while moved != 3:                                                               # a draw in which three tiles move
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
# What to see. Follow the dashed and the blue lines by turns: they close a circle. On the right is the gradient, times
# $\epsilon$. Every row and column sums to 0, so a scorer that is learnt from it can never raise all tiles at one place.
# And $f(z(\epsilon)) \ge f(z^{\star})$ in every draw, as in chapter 1.
#
# ## A jigsaw that you can read
#
# Cut a digit into $3 \times 3$ tiles, shuffle them, and learn to put them back. The scorer is linear: the nine scores
# of a tile are a weighted sum of its 81 pixels. (It sees one tile at a time, and never two neighbours.) Let
# $c_{ij} = 1$ if tile $i$ has the pixels that belong at place $j$. (Black tiles may change places.) So $f$ counts the
# right tiles.

# %%
nine, images = sets.matchings(9), data.load("mnist")


def shuffled(part, rows):
    """Tiles in the right order and in a random one, (B, 9, 81), and what each is worth at each place, (B, 9, 9)."""
    x = part.images(rows).reshape(-1, 28, 28)[:, :27, :27].reshape(-1, 3, 9, 3, 9).astype(float)
    true = x.transpose(0, 1, 3, 2, 4).reshape(-1, 9, 81)
    order = rng.permuted(np.arange(9) + np.zeros((len(x), 1), int), axis=1)
    tiles = np.take_along_axis(true, order[:, :, None], axis=1)
    return true, tiles, (tiles[:, :, None] == true[:, None]).all(axis=3) * 1.0


def test(weights):
    z = nine.argmax(tiles @ weights)
    right = (worth_there * z).sum(axis=(1, 2))
    print(f"{right.mean() / 9:.1%} of the test tiles right, {(right == 9).mean():.1%} of the pictures whole")
    return z, (right == 9).mean()


true, tiles, worth_there = shuffled(images.test, slice(0, 1_000))
weights, eps = np.zeros((81, 9)), 3.0
_, before = test(weights)
for _ in range(300):
    _, x, worth = shuffled(images.train, rng.integers(len(images.train), size=50))
    g = nine.gradient(x @ weights, worth, eps, rng)                 # two matchings, one noise, divided by eps
    weights += 0.1 * np.einsum("bip,bij->pj", x, g) / 50                        # the chain rule of a linear scorer
z, after = test(weights)
assert before < 0.02 and after > 0.25

# %%
shown = np.array([tiles[:9], np.einsum("bij,bip->bjp", z, tiles)[:9], true[:9]]).reshape(3, 9, 3, 3, 9, 9)
shown = np.pad(shown, 4 * [(0, 0)] + 2 * [(0, 1)], constant_values=0.35)        # a line beside each tile
shown = np.pad(shown.transpose(0, 2, 4, 1, 3, 5).reshape(3, 30, 9, 30), [(0, 0), (0, 5), (0, 0), (0, 5)])
figure, ax = plt.subplots(figsize=(9, 3.2))
ax.imshow(shown.reshape(105, 315), cmap="gray_r")
ax.set(xticks=[], yticks=[15, 50, 85], yticklabels=["shuffled", "laid", "the truth"])
ax.grid(False)
plt.show()

# %% [markdown]
# What to see. In 300 steps the linear scorer has learnt where strokes like these usually lie. What it gets wrong are
# tiles that look alike. Nothing in the loop knows about sums: the line with `nine.gradient` is two calls of scipy's
# solver for each picture.
#
# ## The same, measured
#
# [A jigsaw that learns to solve itself](jigsaw.md) does this with a network, $2 \times 2$ to $4 \times 4$ tiles, two
# data sets and three seeds, and compares. Each method's settings were chosen on validation images, at $3 \times 3$.
# Here are ten digits while a network learns, and then the rows.
#
# ![Ten digits whose tiles find their places while the network is trained](figures/puzzle.gif)

# %%
def kept(name):
    return [records.parsed(file.read_text("utf-8")) for file in start.CLONE.glob(f"tutorials/rows/{name}/*.csv")]


runs, groups, whole = kept("jigsaw"), ("2 x 2", "3 x 3", "4 x 4", "3 x 3, no labels"), {}
epoch = min(run.rows[-1]["epoch"] for run in runs)                              # the last that all runs have
for run in runs:                                                                # % of test pictures, a number a seed
    whole.setdefault((run.dataset, run.label), []).append(100 * run.at(epoch, "test_images"))
for dataset in ("mnist", "fashion-mnist"):
    of = lambda method, group: whole.get((dataset, f"{method}, {group}"), [])
    print(f"{dataset + ', pictures whole, %':32s}" + "".join(f"{group:>17s}" for group in groups))
    for method in ("cross-entropy", "fenchel-young", "direct", "gumbel-sinkhorn", "reinforce", "enumeration"):
        means = [f"{np.mean(of(method, group)):17.1f}" if of(method, group) else f"{'-':>17s}" for group in groups]
        print(f"  {method:30s}" + "".join(means))
    for group in groups[1:3]:
        assert np.mean(of("cross-entropy", group)) > np.mean(of("fenchel-young", group)) > np.mean(of("direct", group))
    assert min(of("direct", "4 x 4")) > max(of("gumbel-sinkhorn", "4 x 4") + of("reinforce", "4 x 4"))
    assert min(of("direct", groups[3])) > max(of("gumbel-sinkhorn", groups[3]) + of("reinforce", groups[3]))

# %% [markdown]
# Means over three seeds. Three things:
#
# *With labels direct does not win.* Every tile's place is known then, and classifying each tile by its place is enough:
# no noise, and no matching until the test. Fenchel-Young comes second: its gradient, the right matching less
# $z^{\star}$, pulls at every tile that is wrong. Direct's is 0 in every draw in which $\epsilon c_{ij}$ does not change
# the matching. (With a very large $\epsilon$ it would be Fenchel-Young's, divided by $\epsilon$.) Much of the distance
# is noise: with ten draws a step it comes level with Fenchel-Young ([the
# page](jigsaw.md#is-it-the-noise-of-the-gradient-or-its-mean) has these runs).
#
# *With four tiles a side direct is ahead of what is told the same:* it is ahead of Gumbel-Sinkhorn, which
# differentiates a relaxed $f$, and far ahead of the score function of the noise (`reinforce`), which uses the value of
# $f$ only. At $2 \times 2$ the sum has 24 terms. Enumeration takes it, exactly and under the Gibbs law, and is no
# better.
#
# *Without labels direct wins.* Nobody says where a tile belongs. $f(z)$ is the log-likelihood of the laid picture under
# ten mean pictures that were learnt from other, whole images. It is a logsumexp of linear functions, and $c_{ij}$ is
# its slope at $z^{\star}$. There is no right matching to compare with, so cross-entropy and Fenchel-Young have nothing
# to learn from.
#
# The limits: a small network that never sees two neighbours, few epochs, and settings chosen at one size.
#
# ## A subset that explains
#
# Which ten of the 784 pixels are enough to read a digit? One network scores the pixels: $z$ marks the ten highest of
# $\theta_i + \gamma_i$. A second network sees these pixels only, and $f(z)$ is the log probability that it gives to the
# label. This $f$ is not linear in $z$. So $c_i$ is its slope at $z^{\star}$, one backward pass, and direct becomes
# implicit MLE (chapter 10; Niepert et al. 2021). There are more than $10^{22}$ such subsets. Their *sum* is not out of
# reach, but an $f$ that is a network cannot be put into its recursion.

# %%
shares = {}                                                                     # % of test labels, a number a seed
for row in kept("subset")[0].rows:
    shares.setdefault(row["method"], []).append(100 * row["test"])
for method, values in shares.items():
    print(f"{method:17s} reads {np.mean(values):4.1f} % of the test labels ({min(values):.1f} ... {max(values):.1f})")
assert min(shares["direct"] + shares["two-sided"]) > max(shares["relaxed"] + shares["straight-through"])

# %% [markdown]
# ![The ten pixels of ten test images, a row for each method, direct at the top](figures/subset.png)
#
# (The picture and [the table](results-gradients.md#a-subset-that-explains).) With direct, one- or two-sided, every seed
# is better than every seed of the relaxed and the straight-through gradient. These have the same $c_i$. What differs is
# that direct asks which *other* pixels would win. (Runs are short, 300 steps, with three settings tried for each
# method. Straight-through did best at the lowest learning rate that was tried.)
#
# Does it *explain*? Be careful. The chooser sees the whole image, so it may find the digit itself and then place its
# pixels so that the reader can guess it. Ten pixels that suffice for this reader are no proof of what matters in the
# image.
#
# ## When to use what
#
# | what you have | use | in the rows above |
# | --- | --- | --- |
# | a label for each entry of $z$ | cross-entropy for each entry; the solver only when testing | first in the jigsaw |
# | the right $z$, as a whole | Fenchel-Young: no $\epsilon$, a convex loss | second in the jigsaw |
# | an $f$ to raise that is linear, or has a slope | direct (implicit MLE): two calls of the solver | first without labels, and in the subset |
# | a sum that is cheap, and $f$ in a table | enumeration, or a recursion | no better at $2 \times 2$ |
# | an $f$ that takes relaxed $z$ | Gumbel-Sinkhorn, or another relaxation | behind direct at $4 \times 4$, without labels and in the subset |
# | only values of $f$ | score function of the noise, with a baseline | last in the jigsaw |
#
# The peers: Gumbel-Sinkhorn (Mena et al., ICLR 2018) relaxes matchings; stochastic softmax tricks (Paulus et al.,
# NeurIPS 2020) relax any set with a linear arg max, trees and subsets among them; perturbed optimisers (Berthet et al.,
# NeurIPS 2020) give Fenchel-Young and the score function of the noise; I-MLE (Niepert et al., NeurIPS 2021) is direct
# with a slope; Gumbel-Rao (Paulus et al., ICLR 2021) averages straight-through over the noise that has the same winner.
#
# ## Now write it yourself
#
# [The workbook](workbook/README.md) has two files for this chapter. `tutorials/workbook/04_two_arg_maxes.py` is the
# estimate for one variable. `tutorials/workbook/13_matching.py` is the estimate for a batch of score matrices: a best
# matching, and the difference of two. `python tutorials/workbook/check.py 13` names the slip, if there is one.
#
# ## Exercises
#
# **1 (easy).** Add a number to one row of $\theta_{ij}$ or of $c_{ij}$. What happens to the two matchings? What does it
# say about a bias that the scorer adds to all places of a tile?
#
# <details><summary>Solution</summary>
#
# Each matching has a single 1 in this row, so every score grows by the same number, and no arg max moves. Such a bias
# cannot be learnt, and need not be.
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
# **2 (middling).** For subsets of fixed size the sum is cheap. Write it as a recursion over the places, and check it
# against the list for three of eight.
#
# <details><summary>Solution</summary>
#
# Keep one sum for each number of places that are chosen so far. A new place is left out, or is chosen and multiplies.
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
# **3 (hard).** The mean of $z_{ij}$ under the Gibbs law is the derivative of the log of the sum. Compute it for six
# tiles with `by_subsets` and without differences. Compare it with the mean of $z^{\star}$. Which is flatter?
#
# <details><summary>Solution</summary>
#
# A matching with $z_{ij} = 1$ is a matching of the other tiles and places. So the mean is $e^{\theta_{ij}}$ times the
# sum without row $i$ and column $j$, over the whole sum. The mean of $z^{\star}$ is flatter, as for two tiles.
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
# - The sign. Solvers of assignment minimise a cost. `maximize=True`, or a minus, and the same for both matchings.
# - Fresh noise for the second matching. Nearly every tile moves then, and the variance explodes (chapter 2).
# - The scale of $\epsilon c_{ij}$ against $\theta_{ij} + \gamma_{ij}$. With a large $\epsilon$ the second matching is
#   always the right one, and direct is Fenchel-Young divided by $\epsilon$.
# - Identical tiles. If only one of two black tiles counts as right at a place, $f$ may call a right picture wrong.
#
# ## What to read next
#
# In the package: `refimpl/latent/linear.py` (any solver of yours is one argument), `refimpl/latent/sets.py`. Mena et
# al., *Learning latent permutations with Gumbel-Sinkhorn networks* (ICLR 2018); Paulus et al., *Gradient estimation
# with stochastic softmax tricks* (NeurIPS 2020); Valiant, *The complexity of computing the permanent* (1979). Then [the
# jigsaw](jigsaw.md).
#
# ## Symbols
#
# | symbol | in the code | the slides write | meaning |
# | --- | --- | --- | --- |
# | $z$, $z_{ij}$ | `z` | $z$ | an array of 0 and 1, that is of binary variables, here mostly a matching (n, n); its entry |
# | $n$ | `n` | | number of tiles, rows of a matching |
# | $\theta$, $\theta_i$, $\theta_{ij}$ | `theta` | $\phi$ | the score of each entry of $z$ |
# | $h(z)$ | | $\phi(x,z)$ | the score of the whole array, $\sum_i \theta_i z_i$ |
# | $f$, $f(z)$ | `f` | $\theta(x,z)$ | the score that is to be raised: the number of right tiles, or a log probability |
# | $c_i$, $c_{ij}$ | `worth` | | what each entry is worth: $f(z) = \sum_i c_i z_i$ |
# | $\gamma_i$ | `noise` | $\gamma$ | Gumbel noise of mean zero, one number an entry |
# | $z^{\star}$, $z(\epsilon)$ | `z_star`, `z_eps` | | arg max of $\sum_i (\theta_i + \gamma_i) z_i$, and with $\epsilon f$ added |
# | $\epsilon$ | `eps` | $\epsilon$ | how strongly $f$ takes part in the second arg max |
# | $\mu$, $\mu_\epsilon$ | `mu` | | mean of $z^{\star}$; mean of $z(\epsilon)$ |
# | $G$ | | $G$ | the mean maximum $E \max_z \sum_i (\theta_i + \gamma_i) z_i$ |
# | $\rho_{zz'}$ | | | density of the noise along the wall between $z$ and $z'$ |
