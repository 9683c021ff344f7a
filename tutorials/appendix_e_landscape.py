# %% [markdown]
# # Appendix E. A landscape learnt from walks
#
# [Chapter 10](10_one_identity.ipynb) compares methods on three values. In this appendix the values are paths. On a
# large grid there are far too many paths to list. There are five kinds of ground, and their costs are hidden. Two of
# the methods learn these costs from paths that were walked: Fenchel-Young, and `direct` (here with a Hamming loss). You
# will also see how to recognise an $\epsilon$ that is too small or too large. You need chapters [2](02_theorem_1.ipynb)
# to [4](04_finite_epsilon.ipynb) and [10](10_one_identity.ipynb). The appendix runs in about ten seconds.

# %%
import start    # if it is not found: clone the whole repository, and run this chapter in its folder tutorials/

import matplotlib.pyplot as plt
import numpy as np
from scipy.ndimage import gaussian_filter
from scipy.special import softmax

import later_figures
from refimpl import direct, gumbel
from refimpl.latent import paths

rng = np.random.default_rng(10)
c = np.euler_gamma

# %% [markdown]
# ## The best path
#
# Take a square of terrain. Each cell $i$ has a score $h_i$, which is minus its cost. A path leads from the first cell
# to the last, and each of its steps goes right or down. The entry $z_i$ is 1 if cell $i$ is on the path, and 0
# otherwise. The score of a path is $h(z) = \sum_i h_i z_i$, which is linear in the scores, so
# $\partial h(z) / \partial h_i = z_i$. The best path is found backwards from the end, cell by cell (Bellman 1957).
# The following function does this for a batch of grids:

# %%
def best_path(h):
    """h (B, rows, columns) -> z of 0 and 1, in the same shape.  Among equally good paths it goes right first."""
    B, rows, columns = h.shape
    best = np.full((rows + 1, columns + 1, B), -np.inf)             # score of the best way from a cell to the end
    best[-1, -2] = 0
    for i in reversed(range(rows)):
        for j in reversed(range(columns)):
            best[i, j] = h[:, i, j] + np.maximum(best[i, j + 1], best[i + 1, j])
    z, batch, i, j = np.zeros(h.shape), np.arange(B), np.zeros(B, int), np.zeros(B, int)
    z[:, 0, 0] = 1
    for _ in range(rows + columns - 2):                             # forward along the best way
        down = best[i + 1, j, batch] > best[i, j + 1, batch]
        i, j = i + down, j + ~down
        z[batch, i, j] = 1
    return z


every = paths.all_paths(4, 4)                                       # (20, 16): small enough to list
assert len(every) == 20
scores = rng.normal(size=(1_000, 4, 4))
found = best_path(scores).reshape(-1, 16)
assert (found == every[(scores.reshape(-1, 16) @ every.T).argmax(axis=1)]).all()            # as by enumeration
assert (found == paths.Paths(4, 4).argmax(scores.reshape(-1, 16))[..., 1]).all()            # as in the package
print(f"paths on 4 x 4 cells: {len(every)}; on 16 x 16: {paths.count(16, 16):,}; on 100 x 100: "
      f"about 10^{len(str(paths.count(100, 100))) - 1}")

# %% [markdown]
# ## Twenty paths, few enough to check
#
# First let $f$ be a table with one number for each of the twenty paths. This number is not a sum over the cells of the
# path. Which noise should we use? If there is one Gumbel variable for each *path*, all of chapter 4 holds: $q$ is a
# softmax of twenty scores, and the mean and the variance of the estimate are known. But on $16 \times 16$ cells this
# noise needs one random number for each of 155 million paths. If there is one Gumbel variable for each *cell*, the arg
# max can still be found by Bellman's recursion. But this has a price: if two paths have a cell in common, their scores
# have the noise of this cell in common. So $q$ has no formula. In the next figure, the left picture is computed from
# the list of the twenty paths, with noise on the paths. The other three pictures are means over draws, with noise on
# the cells.
#
# If the noise is on the cells, how can the estimates be tested? We compare them with finite differences that use the
# same noise. In each draw we subtract the finite difference from the estimate. Then we divide the mean of the results
# by its standard error. There are three comparisons:
#
# - The mean of `direct` is the gradient of the tilted objective $T$ (chapter 4), so `direct` is compared with finite
#   differences of $T$. In each draw, `direct` and the finite difference are nearly equal. So their difference has
#   little noise, and this test finds even an error of 5 %.
# - The score function of the noise is compared with finite differences of $E f$.
# - `direct` is compared with finite differences of $E f$. This comparison shows the bias of `direct`, but only if the
#   bias is larger than the noise of the mean over all draws.

# %%
cells = rng.normal(size=16)
waves = rng.normal(size=(2, 16))
f_paths = 2 * np.sin(every @ waves.T).sum(axis=1)
q_paths, eps = softmax(every @ cells), 0.1
exact_slope = every.T @ (q_paths * (f_paths - q_paths @ f_paths))   # a Gumbel variable for each path
exact_mean = every.T @ direct.expected_gradient(every @ cells, f_paths, eps)
exact_variance = np.diag(every.T @ direct.covariance(every @ cells, f_paths, eps) @ every)

draws, step = 100_000, 0.05
cell_noise = gumbel.sample((draws, 16), rng)                        # a Gumbel variable for each cell
perturbed = (cells + cell_noise) @ every.T                          # (draws, 20)
z_star, z_eps = perturbed.argmax(axis=1), (perturbed + eps * f_paths).argmax(axis=1)
score_of_noise = 1 - np.exp(-(cell_noise + c))
estimates = {"direct, eps = 0.1": (every[z_eps] - every[z_star]) / eps,
             "score function of the noise": f_paths[z_star, None] * score_of_noise,
             "score function, with a baseline": (f_paths[z_star, None] - f_paths[z_star].mean()) * score_of_noise}
of_f, of_T = np.empty((draws, 16)), np.empty((draws, 16))           # finite differences, draw by draw
for cell in range(16):
    up, down = (perturbed + sign * step * every[:, cell] for sign in (1, -1))
    of_f[:, cell] = (f_paths[up.argmax(axis=1)] - f_paths[down.argmax(axis=1)]) / (2 * step)
    tilted = [(s + eps * f_paths).max(axis=1) - s.max(axis=1) for s in (up, down)]
    of_T[:, cell] = (tilted[0] - tilted[1]) / (2 * step * eps)
estimates["differences of E f"] = of_f


def furthest(one, other):
    """The largest mean difference of a cell, in standard errors, without the two cells that all paths share."""
    difference = (one - other)[:, 1:-1]
    return np.abs(difference.mean(axis=0) / difference.std(axis=0)).max() * np.sqrt(draws)


print(f"a Gumbel for each path, from the list: |grad E f| {np.linalg.norm(exact_slope):.3f}, bias of direct at "
      f"eps = {eps} {np.linalg.norm(exact_mean - exact_slope):.3f}, its variance {exact_variance.sum():.1f}")
print("a Gumbel for each cell, sampled:")
for name, g in estimates.items():
    print(f"  {name:32s} length of the mean {np.linalg.norm(g.mean(axis=0)):.3f}, variance {g.var(axis=0).sum():7.1f}")
by_direct, by_score, by_baseline = list(estimates.values())[:3]
tests = {"direct and differences of T": (by_direct, of_T),
         "score function, with a baseline, and differences of E f": (by_baseline, of_f),
         "direct and differences of E f": (by_direct, of_f),
         "direct at eps = 0.5 and differences of E f":
             ((every[(perturbed + 0.5 * f_paths).argmax(axis=1)] - every[z_star]) / 0.5, of_f),
         "made wrong: direct, 5 % too large, and differences of T": (1.05 * by_direct, of_T),
         "made wrong: score function without c, and differences of E f":
             ((f_paths[z_star, None] - f_paths[z_star].mean()) * (1 - np.exp(-cell_noise)), of_f)}
found = {name: furthest(*pair) for name, pair in tests.items()}
for name, units in found.items():
    print(f"  {name:70s} {units:5.1f} standard errors")
units = list(found.values())
assert max(units[:2]) < 4.5 < min(units[3:])

later_figures.grids({"Gumbel for each path": exact_slope, "differences of E f": of_f.mean(axis=0),
                     "direct, eps = 0.1": by_direct.mean(axis=0), "score function": by_baseline.mean(axis=0)})
plt.show()

# %% [markdown]
# **What to see.** Each picture shows the gradient of $E f$ with respect to the score of each cell. If a cell is red, a
# higher score of this cell raises $E f$. The first and the last cell are white, up to noise, because every path goes
# through them. The last three pictures agree up to their noise and the bias of `direct`. The comparison of `direct`
# with finite differences of $E f$ shows this bias at $\epsilon = 0.5$. At $\epsilon = 0.1$ the bias is too small to be
# seen in this comparison. The first picture uses a different noise, which changes $q$ and therefore the gradient. In
# each draw, the score-function estimator needs one value of $f$ and one arg max. With a baseline, its variance is less
# than twice the variance of `direct` at $\epsilon = 0.1$. `direct`, however, needs the values of $f$ for all twenty
# paths.
#
# For this $f$ the second arg max was found by comparing all paths in a list. On large grids such a list is impossible.
# The situation is different if $f$ is *linear in* $z$: then $\epsilon f$ is added to the scores of the cells, and
# Bellman's recursion is run a second time.
#
# ## An epsilon that is too small or too large
#
# From here on $f$ is minus the *Hamming loss* with respect to an observed path $y$: $f(z) = - \sum_i |z_i - y_i|$, that
# is, minus the number of cells that are on only one of the two paths. For 0/1 entries $f$ is linear: it is
# $\sum_i z_i (2 y_i - 1)$ minus a constant. So $z(\epsilon)$ is the best path for the scores
# $h + \gamma + \epsilon (2 y - 1)$.
#
# What is a good $\epsilon$? Take grids of several sizes with $h = 0$ and a random path $y$, and look at three numbers:
# the share of draws in which the two arg maxes agree; the share in which $z(\epsilon)$ is $y$ itself; and the variance
# of the gradient with respect to the score of one cell, averaged over the cells.

# %%
print("side   eps   z(eps) = z*   z(eps) = y   variance of a cell   variance x eps")
seen = {}
for side in (4, 8, 16, 32):
    count = 400 if side < 32 else 200
    noise, y = gumbel.sample((count, side, side), rng), best_path(gumbel.sample((count, side, side), rng))
    z_star = best_path(noise)
    for eps in (0.01, 0.03, 0.1, 0.3, 1.0, 3.0) if side == 16 else (1.0,):
        z_eps = best_path(noise + eps * (2 * y - 1))
        same, reached = ((z_eps == other).all(axis=(1, 2)).mean() for other in (z_star, y))
        variance = ((z_eps - z_star) / eps).var(axis=0).mean()
        seen[side, eps] = same, reached, variance
        print(f"{side:4d} {eps:5.2f} {same:12.0%} {reached:12.0%} {variance:18.2f} {variance * eps:16.3f}")
assert [seen[side, 1.0][1] for side in (4, 8, 16, 32)] == sorted([seen[side, 1.0][1] for side in (4, 8, 16, 32)])[::-1]
assert seen[16, 0.01][0] > 0.6 and seen[16, 0.01][2] > 5 * seen[16, 0.1][2] and seen[16, 3.0][1] > 0.8

# %% [markdown]
# **What to see.** The term $\epsilon (2 y_i - 1)$ is added to the score of each *cell*. Its size is the same on all
# grids, but a longer path has more places at which it can leave $y$. So with the same $\epsilon$, the path
# $z(\epsilon)$ equals $y$ less often on a large grid than on a small grid. Now compare the values of $\epsilon$ on one
# grid. At a small $\epsilon$, the two arg maxes agree in most draws. So most gradients are zero, and the variance grows
# like $1/\epsilon$. The last column shows this: the variance times $\epsilon$ changes little. This is how you recognise
# an $\epsilon$ that is too small. At a large $\epsilon$, $z(\epsilon)$ is $y$ in nearly all draws, and the gradient is
# $(y - z^{\star})/\epsilon$, which is the gradient of Fenchel-Young divided by $\epsilon$.
#
# So use two numbers to choose $\epsilon$: the share of draws in which $z(\epsilon)$ is $z^{\star}$, and the share of
# draws in which $z(\epsilon)$ is $y$. Compute both shares again during training, because the scores change. If the two
# arg maxes agree in most draws, raise $\epsilon$. If $z(\epsilon)$ is $y$ in nearly all draws, Fenchel-Young does the
# same without a second arg max. Between these two cases, a smaller $\epsilon$ has less bias and more noise.
#
# ## Learning a landscape from walks
#
# Each terrain has $16 \times 16$ cells and five kinds of ground. Each kind has a cost, which is hidden from the
# learner. For each of 200 terrains the learner sees a photograph, and one path that was walked: the cheapest path. The
# photograph has three noisy colour values for each cell. A small network computes the score of each cell from the
# cell's own three colour values, with the same weights for all cells. This network is trained in two ways:
#
# - **Fenchel-Young**: the gradient with respect to the scores is $y - z^{\star}$.
# - **`direct`** with the Hamming loss: $(z(\epsilon) - z^{\star})/\epsilon$.
#
# `direct` is run with three values of $\epsilon$. All runs have the learning rate 0.3 and use the same five seeds, so
# the methods differ only in the gradient. The networks are tested on terrains that were not used in training. The
# arrays have an additional axis for the runs, so all runs are trained side by side. This saves time: the search for the
# best paths takes hardly longer on many grids than on a few grids.

# %%
SIDE, TERRAINS, EPOCHS, BATCH = 16, 200, 10, 10
COST = np.array([1.0, 1.5, 2.5, 4.0, 7.0])                          # of a step on each kind of ground
PAINT = np.array([[.62, .80, .42], [.92, .86, .58], [.22, .50, .28], [.50, .46, .44], [.32, .52, .80]])


def make_terrains(number, rng):
    """Kinds of ground (number, SIDE, SIDE), each on a fifth of the cells, and photographs (number, SIDE, SIDE, 3)."""
    smooth = gaussian_filter(rng.normal(size=(number, SIDE, SIDE)), (0, 1.2, 1.2), mode="wrap").reshape(number, -1)
    fifth = smooth.argsort(axis=1).argsort(axis=1) * 5 // SIDE**2
    names = rng.random((number, 5)).argsort(axis=1)                 # each terrain has its own order of kinds
    kind = np.take_along_axis(names, fifth, axis=1).reshape(number, SIDE, SIDE)
    return kind, (PAINT[kind] + 0.03 * rng.normal(size=kind.shape + (3,))).astype(np.float32)


def walked(number, rng):
    kind, photo = make_terrains(number, rng)
    return kind, photo, best_path(-COST[kind])


def cost_of(z, kind):
    return (z * COST[kind]).sum(axis=(-2, -1))


def best_paths(h):
    """best_path for h (runs, B, SIDE, SIDE)."""
    return best_path(h.reshape(-1, SIDE, SIDE)).reshape(h.shape)


def forward(weights, photo):
    """Scores (runs, B, SIDE, SIDE) from colours (runs or 1, B, SIDE, SIDE, 3), and what `backward` needs."""
    colours = photo.reshape(len(photo), -1, 3)
    hidden = np.maximum(colours @ weights["W1"] + weights["b1"], 0)
    h = hidden @ weights["W2"] + weights["b2"]
    return h.reshape(len(h), *photo.shape[1:4]), (colours, hidden)


def backward(weights, saved, dh):
    colours, hidden = saved
    dh = dh.reshape(len(dh), -1, 1).astype(np.float32)
    dpre = (dh * weights["W2"].transpose(0, 2, 1)) * (hidden > 0)
    flip = lambda array: array.transpose(0, 2, 1)
    return {"W1": flip(colours) @ dpre, "b1": dpre.sum(axis=1, keepdims=True), "W2": flip(hidden) @ dh,
            "b2": dh.sum(axis=1, keepdims=True)}


def test(weights, kind, photo, y):
    """Return, for each run, the Hamming loss, the share of optimal paths, and the relative cost above the least."""
    z = best_paths(forward(weights, photo[None])[0])
    least, paid = cost_of(y, kind), cost_of(z, kind)
    return np.abs(z - y).sum(axis=(2, 3)).mean(axis=1), (paid < least + 1e-9).mean(axis=1), (
        paid / least - 1).mean(axis=1)


def start_weights(seeds):
    runs = {name: [] for name in ("W1", "b1", "W2", "b2")}
    for seed in seeds:
        draw = np.random.default_rng(seed)
        for name, n_in, shape in (("W1", 3, (3, 16)), ("b1", 3, (1, 16)), ("W2", 16, (16, 1)), ("b2", 16, (1, 1))):
            runs[name].append(draw.uniform(-1, 1, shape) / np.sqrt(n_in))
    return {name: np.array(values, np.float32) for name, values in runs.items()}


def train(settings, held_out=None, tested=()):
    """The weights, and tests at some epochs.  settings: (rate, eps or None for Fenchel-Young, seed) of each run."""
    rates, eps, seeds = zip(*settings)
    rate = np.array(rates, np.float32)[:, None, None]
    of_loss = np.array([value is not None for value in eps])
    eps = np.array([value or 1.0 for value in eps])[:, None, None, None]
    walks = {seed: walked(TERRAINS, np.random.default_rng(seed))[1:] for seed in set(seeds)}
    photo, y = (np.array([walks[seed][part] for seed in seeds]) for part in (0, 1))
    weights, draw, steps, curve = start_weights(seeds), np.random.default_rng(1), 0, []
    mean, square = ({name: np.zeros_like(value) for name, value in weights.items()} for _ in range(2))
    for epoch in range(EPOCHS):
        if epoch in tested:
            curve.append(test(weights, *held_out))
        for rows in draw.permutation(TERRAINS).reshape(-1, BATCH):
            h, saved = forward(weights, photo[:, rows])
            noisy = h + gumbel.sample(h.shape, draw)
            z_star, second = best_paths(noisy), y[:, rows].astype(float)
            if of_loss.any():
                second[of_loss] = best_paths((noisy + eps * (2 * second - 1))[of_loss])
            gradient, steps = backward(weights, saved, (second - z_star) / eps / BATCH), steps + 1
            for name, g in gradient.items():                                # Adam, to raise f
                mean[name] = 0.9 * mean[name] + 0.1 * g
                square[name] = 0.999 * square[name] + 0.001 * g**2
                size = np.sqrt(square[name] / (1 - 0.999**steps)) + 1e-8
                weights[name] += rate * (1 - epoch / EPOCHS) * mean[name] / (1 - 0.9**steps) / size
    return weights, curve


probe, draw = start_weights([0]), np.random.default_rng(0)          # the backward pass is checked by differences
probe = {name: value.astype(float) for name, value in probe.items()}
some, dh = draw.normal(size=(1, 2, SIDE, SIDE, 3)), draw.normal(size=(1, 2, SIDE, SIDE)).astype(np.float32)
along = {name: draw.normal(size=value.shape) for name, value in probe.items()}
ends = [(forward({name: probe[name] + side * along[name] for name in probe}, some)[0] * dh).sum()
        for side in (1e-6, -1e-6)]
by_hand = sum((g * along[name]).sum() for name, g in backward(probe, forward(probe, some)[1], dh).items())
assert np.isclose(by_hand, (ends[0] - ends[1]) / 2e-6, rtol=1e-5)

# %%
SEEDS, EPS, tested = range(5), (None, 0.3, 1.0, 3.0), (0, 1, 3)     # None: Fenchel-Young
name_of = {eps: f"direct, eps = {eps:g}" if eps else "Fenchel-Young" for eps in EPS}
of = {name_of[eps]: slice(5 * place, 5 * place + 5) for place, eps in enumerate(EPS)}
held_out = walked(200, np.random.default_rng(200))
weights, curve = train([(0.3, eps, seed) for eps in EPS for seed in SEEDS], held_out, tested)
curve = np.array([*curve, test(weights, *held_out)]).transpose(2, 0, 1)     # (runs, times, 3 measures)
print("200 held-out terrains: mean of five seeds (lowest to highest); before training; difference from Fenchel-Young")
measures = ("Hamming loss, cells", 1), ("optimal, %", 100), ("cost above the least, %", 100)
for place, (name, unit) in enumerate(measures):
    for method, part in of.items():
        values, start = unit * curve[part, -1, place], unit * curve[part, 0, place].mean()
        difference = values - unit * curve[of["Fenchel-Young"], -1, place]
        print(f"{name:24s} {method:18s} {values.mean():6.2f} ({values.min():.2f} to {values.max():.2f}); before "
              f"{start:.1f}; {difference.mean():+.2f} ± {difference.std(ddof=1) / np.sqrt(len(SEEDS)):.2f}")
assert (curve[:, -1, 2] < 0.03).all() and (curve[:, -1, 1] > 0.25).all()

kind, photo, y = held_out
h_after = forward(weights, photo[None])[0]
for method, eps in (("direct, eps = 0.3", 0.3), ("direct, eps = 1", 1.0), ("direct, eps = 3", 3.0)):
    noisy = h_after[of[method]][0] + gumbel.sample(kind.shape, np.random.default_rng(0))
    z_eps = best_path(noisy + eps * (2 * y - 1))
    print(f"{method}, after training: z(eps) is y in {(z_eps == y).all(axis=(1, 2)).mean():.0%} of the draws, "
          f"and z* in {(z_eps == best_path(noisy)).all(axis=(1, 2)).mean():.0%}")

# %% [markdown]
# All runs start with random weights, and at the end the costs of their paths are close to the least possible cost. No
# run was given a cost, and no run computed a sum over paths. No method is best. For each seed, we compared the runs of
# `direct` with the run of Fenchel-Young. Each mean difference is smaller than twice its standard error. (Only one
# learning rate was tried, so we do not know what another learning rate would change.) At $\epsilon = 3$, the second arg
# max is $y$ in nearly all draws. So `direct` is nearly *the same* as Fenchel-Young there: its gradient is the gradient
# of Fenchel-Young divided by 3, and Adam ignores such a factor. At $\epsilon = 0.3$, the two arg maxes agree in most
# draws. This shows that $\epsilon$ is too small. In each of the three measures above, the mean over the five seeds is
# worst with this $\epsilon$. So here the second arg max doubled the work and had no advantage.
#
# The Hamming loss looks large compared with the cost. The reason is that many paths cost nearly the same, or exactly
# the same, and differ in many cells. The next pictures show the first of the held-out terrains.

# %%
def as_costs(learnt):
    """Scores (..., 5) as costs, scaled so that meadow and water, the first and the last, have their true costs."""
    meadow, water = learnt[..., :1], learnt[..., -1:]
    return (learnt - meadow) / (water - meadow) * (COST[-1] - COST[0]) + COST[0]


before, after = (best_paths(forward(each, photo[None, :1])[0])[:, 0] for each in (start_weights([0]), weights))
shown = {"the cheapest path": y[0], "before training": before[0], "after: Fenchel-Young": after[0],
         "after: direct, eps = 3": after[15]}
shown = {f"{title}\ncost {cost_of(z, kind[0]):g}": z for title, z in shown.items()}
later_figures.terrains(kind[0], shown, PAINT, COST)
plt.show()
learnt = as_costs((np.maximum(PAINT @ weights["W1"] + weights["b1"], 0) @ weights["W2"] + weights["b2"])[..., 0])
pair = {method: of[method] for method in ("Fenchel-Young", "direct, eps = 3")}
later_figures.landscape({method: (curve[part, :, 2], learnt[part]) for method, part in pair.items()},
                        (*tested, EPOCHS), COST)
plt.show()
for method, part in of.items():
    print(f"{method:17s} learnt costs of meadow, sand, wood, rock, water, mean of the seeds:",
          learnt[part].mean(axis=0).round(2))

# %% [markdown]
# **What to see.** Above: the black line is the path. Before training, the scores are those of a network with random
# weights. (The picture shows seed 0. With three of the five seeds, the mean cost of a path before training is more than
# 130 % above the least possible cost. With seed 0 and one other seed, the paths are much cheaper.) Below left: each
# line is one run. The lines of the two methods overlap, but one run of `direct` ends lower than all other runs. Below
# right: the trained networks are given the five colours without noise, and the scores are converted to costs. The walks
# do not determine the costs completely. The cheapest path does not change if all costs are multiplied by the same
# positive number. Nor does it change if the same number is added to all costs, since all paths have 31 cells. So the
# learnt costs are scaled and shifted until water and meadow have their true costs. Then the learnt costs of the other
# three colours are compared with the true costs of these colours. On average over the seeds, the learnt costs of these
# three colours are too high. Why?
#
# In the model of both methods, a walk is the best path for *noisy* scores. So both methods assume that the walkers make
# mistakes. Our walkers make no mistakes. This may be the reason why the learnt costs are too high. If this is the
# reason, the learnt costs should be correct for walkers who make exactly the mistakes that the model assumes. To test
# this, we leave the network out and learn one score for each kind of ground by Fenchel-Young. In three runs, the
# walkers make no mistakes. In three other runs, the walkers make mistakes of the kind that the model assumes:

# %%
def five_scores(mistakes, steps=250, rate=0.3):
    """Costs (runs, 5) learnt from walkers who make no mistakes (0) or the model's mistakes (1), for each run."""
    draw, runs = np.random.default_rng(0), len(mistakes)
    kind, _ = make_terrains(runs * 500, draw)
    y = best_path(-2 * COST[kind] + np.repeat(mistakes, 500)[:, None, None] * gumbel.sample(kind.shape, draw))
    kind, y, scores = kind.reshape(runs, 500, -1), y.reshape(runs, 500, -1), np.zeros((runs, 5))
    count = lambda z, kind: np.stack([(z * (kind == place)).sum(axis=(1, 2)) for place in range(5)], axis=1) / 40
    for step in range(steps):
        rows = draw.integers(500, size=40)
        there = kind[:, rows]
        h = np.take_along_axis(scores[:, None], there.reshape(runs, 1, -1), axis=2).reshape(runs, 40, SIDE, SIDE)
        z_star = best_paths(h + gumbel.sample(h.shape, draw)).reshape(there.shape)
        scores = scores + rate * (1 - step / steps) * (count(y[:, rows], there) - count(z_star, there))
    return as_costs(scores)


costs = five_scores(np.array([0, 0, 0, 1, 1, 1]))
for words, part in (("walkers without mistakes", costs[:3]), ("walkers with the model's mistakes", costs[3:])):
    print(f"{words:34s} sand, wood, rock: {part.mean(axis=0)[1:4].round(2)}, wood in three seeds {part[:, 2].round(2)}")
print(f"{'true':34s} sand, wood, rock: {COST[1:4]}")
assert costs[:3, 2].mean() - 2.5 > 0.2 > 0.1 > abs(costs[3:, 2].mean() - 2.5)

# %% [markdown]
# If the walks contain mistakes of the kind that the model assumes, the learnt costs are correct, up to noise. If the
# walks contain no mistakes, the learnt costs are too high in all three runs. So the gradient finds the true costs if
# the model is true. We did not test whether more steps would correct the costs that are too high.
#
# Two warnings. First, if the terrain has few different costs, many paths are equally good. Then "the" cheapest path is
# the one that the solver finds first. So compare costs, not paths. Second, this example does not need an arg max. If
# every path has Gumbel noise of its own, the mean of the maximum over paths is $\log \sum_z e^{h(z)}$. This *sum* over
# paths is as cheap as the maximum (see the exercise). We chose paths because all paths of a small grid can be listed.
#
# ## An exercise
#
# Write Bellman's recursion with logsumexp instead of max. What does it compute at $h = 0$? And what is its gradient?
# Check both against the list of the twenty paths.
#
# <details><summary>Solution</summary>
#
# The recursion computes $\log \sum_z e^{h(z)}$ over all paths. At $h = 0$ this is the log of the number of paths. To
# find the gradient, add a Gumbel variable to the score of every *path*. The path with the largest sum wins. Averaged
# over the noise, this largest sum is $\log \sum_z e^{h(z)}$. By Danskin's theorem, the gradient of this average is the
# winning path, averaged over the noise.
#
# ```python
# def log_sum(h):
#     rows, columns = h.shape
#     total = np.full((rows + 1, columns + 1), -np.inf)
#     total[-1, -2] = 0
#     for i in reversed(range(rows)):
#         for j in reversed(range(columns)):
#             total[i, j] = h[i, j] + np.logaddexp(total[i, j + 1], total[i + 1, j])
#     return total[0, 0]
#
# assert round(np.exp(log_sum(np.zeros((4, 4))))) == 20
# assert round(np.exp(log_sum(np.zeros((16, 16))))) == 155_117_520
# for cell in range(16):
#     unit = np.eye(16)[cell]
#     slope = (log_sum((cells + 1e-5 * unit).reshape(4, 4)) - log_sum((cells - 1e-5 * unit).reshape(4, 4))) / 2e-5
#     assert abs(slope - q_paths @ every[:, cell]) < 1e-8
# ```
#
# </details>
