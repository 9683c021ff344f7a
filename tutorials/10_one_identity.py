# %% [markdown]
# # 10. One identity, many papers
#
# **You will** put six published methods into one table of bias, variance and cost, computed exactly, and then learn the
# costs of a landscape from the paths that were walked in it. **You will learn** that all of them differentiate one
# maximum, most by a difference of two arg maxes, and that they differ in what they average over; why REINFORCE is one
# of them with its needless noise averaged out; and which is the tool for what. **You need** chapters
# [2](02_theorem_1.ipynb), [3](03_gumbel_noise.ipynb) and [4](04_finite_epsilon.ipynb);
# [8](08_structured_encoders.ipynb) helps. It runs in about twenty seconds.
#
# | symbol | in the code | the slides write | meaning |
# | --- | --- | --- | --- |
# | $h$, $f$, $\gamma$ | `h`, `f`, `noise` | $\phi$, $\theta$, $\gamma$ | scores of the encoder and the decoder, and zero-mean Gumbel noise |
# | $z^{\star}$, $z(\epsilon)$ | `z_star`, `z_eps` | | $\arg\max (h + \gamma)$ and $\arg\max (\epsilon f + h + \gamma)$, one noise |
# | $q$, $q_\epsilon$ | `q`, `q_eps` | | the laws of the two: softmax of $h$, and of $h + \epsilon f$ |
# | $G(h, \epsilon)$ | `G` | $G$ | $E \max_z (\epsilon f + h + \gamma)$ |
# | $X_z$, $r_i X_i$ | `rX` | | an alarm clock's time, of rate $r_z = e^{h_z}$; times its rate, $e^{-(\gamma_i + c)}$ |
# | $S$ | | | $\sum_i r_i$, the rate of the first ring |
# | $y$ | `y` | $y$ | the label: a value, or a path, that was observed |

# %%
import start    # if it is not found: clone the whole repository, and run this chapter in its folder tutorials/

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import ListedColormap
from scipy.ndimage import gaussian_filter
from scipy.special import logsumexp, ndtr, softmax

from refimpl import direct, gumbel, plots
from refimpl.latent import paths
from refimpl.nn.adam import Adam
from refimpl.nn.network import MLP
from refimpl.nn.parameters import bind

rng = np.random.default_rng(10)
h, f = np.array([0.3, -0.4, 0.6]), np.array([1.0, -2.0, 0.5])       # shirt, coat, dress: the problem of chapters 1 to 4
k, c, hot = 3, np.euler_gamma, np.eye(3)
q = softmax(h)
truth = q * (f - q @ f)                                             # grad E f(z*)

# %% [markdown]
# ## One maximum, six methods
#
# Chapter 2 in one line: both derivatives of $G$ are those of the winner. So the slope of $E f$ in $h$ is how far the
# winner moves when $f$ pulls at it a little. Here is who uses this, and how.
#
# | method | first arg max | second arg max | averaged over |
# | --- | --- | --- | --- |
# | direct (Lorberbom et al. 2019) | of $h + \gamma$ | of $h + \gamma + \epsilon f$ | the noise |
# | implicit MLE (Niepert et al. 2021) | of $h + \gamma$ | of $h + \gamma + \epsilon f'(z^{\star}) \cdot z$, the slope of $f$ | the noise |
# | blackbox differentiation (Vlastelica et al. 2020) | of $h$ | of $h + \epsilon f'(z(h)) \cdot z$ | nothing |
# | direct loss minimisation (McAllester et al. 2010) | of $h(x)$ | of $h(x) + \epsilon f$ | the data $x$ |
# | perturbed Fenchel-Young loss (Berthet et al. 2020) | of $h + \gamma$ | none: the observed $y$ stands there | the noise |
# | score function of the noise (Berthet et al. 2020) | of $h + \gamma$ | none: the noise says what a small move does | the noise |
#
# To compare them exactly we need the laws of two arg maxes under any noise, not only Gumbel's. Value $i$ wins if every
# other noise stays below its own plus a margin, $h_i - h_j$. That is an integral over one number:

# %%
t = np.arange(-12.0, 45.0, 0.02)                                    # where the noise of the winner may lie
F = lambda s: np.exp(-np.exp(-(s + c)))                             # Gumbel
F_slope = lambda s: np.exp(-(s + c)) * F(s)
normal_slope = lambda s: np.exp(-s**2 / 2) / np.sqrt(2 * np.pi)     # and Gaussian, with ndtr


def wins(margins, cdf=F, density=F_slope):
    """P(noise_j < noise_i + margins[i, j] for all j), for each i, by the trapezoid rule."""
    below = cdf(t[:, None, None] + margins)                         # (T, i, j)
    below[:, range(k), range(k)] = 1
    return (density(t)[:, None] * below.prod(axis=2)).sum(axis=0) * 0.02


def mean_and_variance(h, pull, eps, cdf=F, density=F_slope):
    """Of (onehot(z(eps)) - onehot(z*)) / eps: each from q, q_eps, and the chance that both arg maxes are i."""
    before, after = np.subtract.outer(h, h), np.subtract.outer(h + eps * pull, h + eps * pull)
    q, q_eps, both = (wins(m, cdf, density) for m in (before, after, np.minimum(before, after)))
    mean = (q_eps - q) / eps
    return mean, (q_eps + q - 2 * both) / eps**2 - mean**2


assert np.allclose(wins(np.subtract.outer(h, h)), q, atol=1e-12)                            # Theorem 2
for eps in (0.1, 1.0):                                                                      # chapter 4
    mean, variance = mean_and_variance(h, f, eps)
    assert np.allclose(mean, direct.expected_gradient(h, f, eps), atol=1e-10)
    assert np.allclose(variance, direct.variance(h, f, eps), rtol=1e-8)

# %% [markdown]
# ## Blackbox differentiation: the gradient of a ramp
#
# Take the noise away, and write $z(h)$ for the arg max of $h$ alone. Then $f(z(h))$ is a staircase in $h$, and its
# slope is 0 wherever it has one. Vlastelica et al. use the difference of two arg maxes all the same. Is it the
# gradient of anything? Yes: leave $\gamma$ out of the tilted objective of chapter 4,
#
# $$T(h) = \frac{1}{\epsilon} \left( \max_z (\epsilon f + h) - \max_z h \right)$$
#
# and by Danskin its gradient is exactly $(\text{onehot}(z(h + \epsilon f)) - \text{onehot}(z(h))) / \epsilon$. $T$
# equals $f(z(h))$ wherever the two arg maxes agree, and is linear in between: each jump of the staircase becomes a
# ramp. ($f$ must be linear in the one-hot vector, as any table of values is. Else it is replaced by its slope at
# $z(h)$, as in implicit MLE, which is this method with the noise put back.)
#
# The picture shows both along $h_w = h + w\,(1, 0, -1)$: left without noise, right with it.

# %%
def ramp(h, eps):
    return ((h + eps * f).max(axis=-1) - h.max(axis=-1)) / eps


def blackbox(h, eps):
    return (hot[(h + eps * f).argmax()] - hot[h.argmax()]) / eps


for _ in range(200):                                                # the gradient by differences, away from the kinks
    point, eps = 2 * rng.normal(size=k), rng.uniform(0.2, 3)
    by_difference = [(ramp(point + 1e-6 * unit, eps) - ramp(point - 1e-6 * unit, eps)) / 2e-6 for unit in hot]
    assert np.allclose(by_difference, blackbox(point, eps), atol=1e-6)

w = np.linspace(-1.2, 1.2, 601)
line = h + w[:, None] * np.array([1, 0, -1])
figure, (left, right) = plt.subplots(1, 2, sharey=True, figsize=(9, 3.2))
left.plot(w, f[line.argmax(axis=1)], color=plots.TRUTH, label="$f(z(h))$")
right.plot(w, softmax(line, axis=1) @ f, color=plots.TRUTH, label="$E\\, f(z^{\\star})$")
for eps, shade in ((0.5, plots.FURTHER[4]), (1.0, plots.FURTHER[0]), (2.0, plots.FURTHER[3])):
    left.plot(w, ramp(line, eps), color=shade, linestyle="--", label=f"$T$, eps = {eps}")
    right.plot(w, direct.tilted_objective(line, f, eps), color=shade, linestyle="--", label=f"$T$, eps = {eps}")
left.set(xlabel="w", ylabel="nats", title="without noise")
right.set(xlabel="w", title="averaged over Gumbel noise")
left.legend(fontsize=9)
right.legend(fontsize=9)
plt.show()

# %% [markdown]
# What to see. Left: where the dress gives way to the shirt, $f$ jumps by half a nat. Each $T$ climbs the same step as a
# ramp of slope $2/\epsilon$, which begins the earlier the larger $\epsilon$ is. Off the ramp its gradient is 0, and
# nothing is learnt. Right: noise rounds all corners. There $\epsilon$ is no longer needed to have a slope at all, and
# may go to 0: what is left then is Theorem 1.
#
# ## Perturbed optimisers, and where REINFORCE comes from
#
# Berthet et al. shift the noise instead of the arg max. $E f(z^{\star})$ is an integral of $f$ over $v = h + \gamma$
# with the density $\prod_i F'(v_i - h_i)$. Now $h$ stands in the density only, and
# $-F''(\gamma) / F'(\gamma) = 1 - e^{-(\gamma + c)}$. With the clocks of chapter 3, $e^{-(\gamma_i + c)} = r_i X_i$:
#
# $$\frac{\partial}{\partial h_i} E f(z^{\star}) = E\left[ f(z^{\star}) (1 - r_i X_i) \right]$$
#
# No bias, one arg max, $f$ at one value. But $r_i X_i$ is also random where $f$ does not care. Average that away: what
# is its mean, given that clock $j$ rang first?
#
# 1. The first ring comes after an exponential time of rate $S$, whoever rings. So $r_j X_j$ has mean $r_j / S = q_j$.
# 2. The other clocks have no memory. Each waits afresh: $r_i X_i = r_i X_j + V_i$, of mean $q_i + 1$.
# 3. So $E[1 - r_i X_i \mid z^{\star} = j] = [i = j] - q_i$, which is $\partial \log q(j) / \partial h_i$.
#
# That is REINFORCE. It is the score function of the noise with all noise averaged out but that which decided (Rao and
# Blackwell), so it never has more variance. How much less follows from the same lines. Given $z^{\star} = j$,
# $r_i X_i = q_i R + [i \ne j] V_i$ with $R$ and $V_i$ independent standard exponentials of variance 1. So
#
# $$\text{Var}_{\text{noise}} = \text{Var}_{\text{REINFORCE}} + E\left[ f(z^{\star})^2 \left( q_i^2 + [i \ne z^{\star}] \right) \right]$$

# %%
conditional = np.empty((k, k))                                      # E[1 - r_i X_i | z* = b], line 3 by integrals
for b in range(k):
    for i in range(k):
        others = np.prod([F(t + h[b] - h[j]) for j in range(k) if j not in (b, i)], axis=0)
        clock = np.exp(-(t + h[b] - h[i] + c))
        inner = clock if i == b else (1 + clock) * np.exp(-clock)   # the part of r_i X_i where clock i rings later
        conditional[b, i] = 1 - (F_slope(t) * others * inner).sum() * 0.02 / q[b]
assert np.allclose(conditional, hot - q, atol=1e-10)

square = q * f**2
reinforce_variance = square @ (hot - q) ** 2 - truth**2
noise_variance = reinforce_variance + square @ (q**2 + 1 - hot)
print("score function of the noise: variance", noise_variance.round(2))
print("REINFORCE, its mean given z*         ", reinforce_variance.round(2))
assert noise_variance.round(2).tolist() == [1.14, 0.84, 1.57]
assert reinforce_variance.round(2).tolist() == [0.18, 0.34, 0.25]

samples = 200_000                                                   # and by sampling
noise = gumbel.sample((samples, k), rng)
z_star, rX = (h + noise).argmax(axis=1), np.exp(-(noise + c))
g = f[z_star, None] * (1 - rX)
assert (np.abs(g.mean(axis=0) - truth) < 4 * np.sqrt(noise_variance / samples)).all()
spread = (g - truth) ** 2
assert (np.abs(spread.mean(axis=0) - noise_variance) < 4 * spread.std(axis=0) / np.sqrt(samples)).all()

# %% [markdown]
# ## Fenchel-Young: the slope of a maximum, twice
#
# Now a value $y$ was observed, and there is no $f$. The *perturbed Fenchel-Young loss* is
# $E \max_z (h + \gamma) - h_y$: how far $y$ is from winning, on average. Danskin gives its gradient at once, the mean
# winner less the observed one: $q - \text{onehot}(y)$. With Gumbel noise $E \max (h + \gamma)$ is $\log \sum e^h$, and
# the loss is $-\log q(y)$, cross-entropy. It is also what direct becomes for $f = [z = y]$ at large $\epsilon$: then
# $z(\epsilon) = y$ in every draw, and $\epsilon g = \text{onehot}(y) - \text{onehot}(z^{\star})$.

# %%
y = 0                                                               # a shirt, as it happens the best value of f
loss = lambda h: logsumexp(h) - h[y]
slope = [(loss(h + 1e-5 * unit) - loss(h - 1e-5 * unit)) / 2e-5 for unit in hot]
assert np.allclose(slope, q - hot[y], atol=1e-9)
assert (direct.gradient(h, hot[y], 100.0, noise[:20_000]) * 100.0 == hot[y] - hot[z_star[:20_000]]).all()

# %% [markdown]
# ## One table
#
# Every number is exact: by enumeration, by the joint law of the two arg maxes, or by the integral above.
#
# *Bias* is the distance of the mean from the gradient of what the method averages: $E f$ over Gumbel noise;
# over the data; or, where nothing is averaged, of $f(z(h))$, which is 0. For Fenchel-Young it is the gradient of
# $\log q(y)$. Two things have to be chosen. Direct loss minimisation needs data: let the scores of the
# images $x$ lie around our $h$ with Gaussian scatter of variance 1 in each. And implicit MLE looks at $f$ *between* the
# values. We let it bend there, $f(z) = \sum_i f_i z_i + \frac12 \sum_i z_i (1 - z_i)$, with the same $f$ at all three
# corners. It bulges upwards between them. So does a decoder whose logits are linear in $z$: its $\log p(x \mid z)$ is
# concave.

# %%
def implicit_mle(eps, bend=0.5):
    """From the joint law of the pair: given z* = b, direct with the slope at corner b in the place of f."""
    mean = square = 0
    for b in range(k):
        slope = f + bend * (1 - 2 * hot[b])
        chance = direct.joint_law(h, slope, eps)[b]                 # P(z* = b, z(eps) = j), for each j
        moves = (hot - hot[b]) / eps
        mean, square = mean + chance @ moves, square + chance @ moves**2
    return mean, square - mean**2


def data_truth():
    expected = lambda h: wins(np.subtract.outer(h, h), ndtr, normal_slope) @ f
    return np.array([(expected(h + 1e-4 * unit) - expected(h - 1e-4 * unit)) / 2e-4 for unit in hot])


assert np.allclose(implicit_mle(0.3, bend=0), mean_and_variance(h, f, 0.3), atol=1e-9)      # f linear: it is direct
table = []                                          # method, averages over, bias, variance, f asked at, arg maxes
for eps in (0.3, 1.0):
    for name, (mean, variance), target, over, asked in (
            ("direct", mean_and_variance(h, f, eps), truth, "noise", k),
            ("implicit MLE, f bent", implicit_mle(eps), truth, "noise", 1),
            ("blackbox", (blackbox(h, eps), np.zeros(k)), np.zeros(k), "nothing", 1),
            ("direct loss", mean_and_variance(h, f, eps, ndtr, normal_slope), data_truth(), "data", k)):
        table.append((f"{name}, eps = {eps}", over, np.linalg.norm(mean - target), variance.sum(), asked, 2))
table.append(("score function of the noise", "noise", 0.0, noise_variance.sum(), 1, 1))
table.append(("REINFORCE", "z*", 0.0, reinforce_variance.sum(), 1, 1))
table.append(("Fenchel-Young, y = shirt", "noise", 0.0, (q * (1 - q)).sum(), 0, 1))
print(f"|grad E f| = {np.linalg.norm(truth):.3f} over the noise, {np.linalg.norm(data_truth()):.3f} over the data\n")
print(f"{'method':32s} {'averages over':14s} {'bias':>7s} {'variance':>9s} {'f asked at':>11s} {'arg maxes':>10s}")
for name, over, bias, variance, asked, maxima in table:
    print(f"{name:32s} {over:14s} {bias:7.4f} {variance:9.3f} {asked:11d} {maxima:10d}")

assert np.linalg.norm(implicit_mle(0.01)[0] - truth) > 0.5 * np.linalg.norm(implicit_mle(0.3)[0] - truth)   # it stays
assert np.linalg.norm(mean_and_variance(h, f, 0.01)[0] - truth) < 0.01                                      # it goes

figure, ax = plt.subplots(figsize=(6.6, 3.5))
eps_line = np.geomspace(0.03, 3, 60)
for name, law, target, shade in (("direct", lambda eps: mean_and_variance(h, f, eps), truth, plots.colour("direct")),
                                 ("implicit MLE, f bent", implicit_mle, truth, plots.colour("imle")),
                                 ("direct loss", lambda eps: mean_and_variance(h, f, eps, ndtr, normal_slope),
                                  data_truth(), plots.FURTHER[2])):
    points = [(np.linalg.norm(mean - target), np.sqrt(variance.sum())) for mean, variance in map(law, eps_line)]
    ax.plot(*zip(*points), color=shade, label=name)
    mean, variance = law(0.3)
    ax.plot(np.linalg.norm(mean - target), np.sqrt(variance.sum()), "o", color=shade)
for name, variance, words in (("perturbed", noise_variance, "score function of the noise"),
                              ("reinforce-loo", reinforce_variance, "REINFORCE")):
    ax.plot(0, np.sqrt(variance.sum()), "D", color=plots.colour(name), clip_on=False, label=words)
ax.set(xlabel="bias, nats", ylabel="standard deviation, nats", yscale="log", xlim=(0, 0.6))
ax.set_yticks([0.3, 1, 3], ["0.3", "1", "3"])
ax.minorticks_off()
ax.legend(fontsize=9)
plt.show()

# %% [markdown]
# What to see. A line is a method as $\epsilon$ goes from 3 (below) to 0.03 (above); its dot is at 0.3. Direct and
# direct loss minimisation end at no bias and any amount of noise. Implicit MLE does not: where $f$ bends, the slope at
# one corner says too much about the next, and that bias stays. The diamonds have no bias, and no $\epsilon$ to choose.
# Blackbox differentiation is in the table only: at $\epsilon = 0.3$ our $h$ is off its ramp, and the gradient is 0,
# without bias or noise, and of no use. At 1 it is on the ramp.
#
# With three values there is no case for two arg maxes: REINFORCE is quiet and asks for $f$ once, and with $f$ in a
# table the exact gradient is free. Two arg maxes are for values that cannot be listed.
#
# ## Paths: an arg max is all that is asked
#
# A square of terrain, each cell $i$ with a score $h_i$, minus its cost. A path leads from the first cell to the last,
# and each step goes right or down. $z_i = 1$ on the path, and $h(z) = \sum_i h_i z_i$ is linear in the scores, so
# $\partial h(z) / \partial h_i = z_i$. The best path is found backwards, cell by cell (Bellman 1957). The same few
# lines serve a batch of grids:

# %%
def best_path(h):
    """h (B, rows, columns) -> z of 0 and 1 in the same shape.  Of equal paths the one that goes right first."""
    B, rows, columns = h.shape
    best = np.full((rows + 1, columns + 1, B), -np.inf)             # of the way from a cell to the end
    best[-1, -2] = 0
    for i in reversed(range(rows)):
        for j in reversed(range(columns)):
            best[i, j] = h[:, i, j] + np.maximum(best[i, j + 1], best[i + 1, j])
    z, batch, i, j = np.zeros(h.shape), np.arange(B), np.zeros(B, int), np.zeros(B, int)
    z[:, 0, 0] = 1
    for _ in range(rows + columns - 2):                             # and forward along the best
        down = best[i + 1, j, batch] > best[i, j + 1, batch]
        i, j = i + down, j + ~down
        z[batch, i, j] = 1
    return z


every = paths.all_paths(4, 4)                                       # (20, 16): small enough to list
assert len(every) == 20
scores = rng.normal(size=(1_000, 4, 4))
found = best_path(scores).reshape(-1, 16)
assert (found == every[(scores.reshape(-1, 16) @ every.T).argmax(axis=1)]).all()            # by enumeration
assert (found == paths.Paths(4, 4).argmax(scores.reshape(-1, 16))[..., 1]).all()            # and the package's
print(f"paths on 4 x 4 cells: {len(every)}; on 16 x 16: {paths.count(16, 16):,}; on 100 x 100: "
      f"about 10^{len(str(paths.count(100, 100))) - 1}")

# %% [markdown]
# ## Twenty paths, everything against enumeration
#
# First a *bent* $f$ of whole paths, a table of twenty numbers that is no sum over cells. What noise? With one Gumbel
# variable a *path*, all of chapter 4 holds: $q$ is a softmax of twenty scores, and means and variances are exact. But
# that is a number to draw for each of 155 million paths. With one Gumbel variable a *cell* the arg max stays a matter
# of Bellman's equation. The price: paths that share cells share noise, and $q$ has no formula. So the left picture is
# exact, and the other three are means of 100,000 draws, held against each other in units of their standard errors.

# %%
cells = rng.normal(size=16)
waves = rng.normal(size=(2, 16))
f_paths = 2 * np.sin(every @ waves.T).sum(axis=1)
q_paths, eps = softmax(every @ cells), 0.1
exact_slope = every.T @ (q_paths * (f_paths - q_paths @ f_paths))   # a Gumbel variable a path
exact_mean = every.T @ direct.expected_gradient(every @ cells, f_paths, eps)
exact_variance = np.diag(every.T @ direct.covariance(every @ cells, f_paths, eps) @ every)

draws = 100_000
cell_noise = gumbel.sample((draws, 16), rng)                        # a Gumbel variable a cell
perturbed = (cells + cell_noise) @ every.T                          # (draws, 20)
z_star, z_eps = perturbed.argmax(axis=1), (perturbed + eps * f_paths).argmax(axis=1)
estimates = {"direct, eps = 0.1": (every[z_eps] - every[z_star]) / eps,
             "score function of the noise": f_paths[z_star, None] * (1 - np.exp(-(cell_noise + c)))}
step, differences = 0.05, []
for cell in range(16):
    moved = [f_paths[(perturbed + sign * step * every[:, cell]).argmax(axis=1)] for sign in (1, -1)]
    differences.append((moved[0] - moved[1]) / (2 * step))
estimates["differences of E f"] = np.array(differences).T
means = {name: g.mean(axis=0) for name, g in estimates.items()}
errors = {name: g.std(axis=0) / np.sqrt(draws) for name, g in estimates.items()}
print(f"a Gumbel a path, exact: |grad E f| {np.linalg.norm(exact_slope):.3f}, bias of direct at eps = {eps} "
      f"{np.linalg.norm(exact_mean - exact_slope):.3f}, its variance {exact_variance.sum():.1f}")
print("a Gumbel a cell, sampled:")
for name, g in estimates.items():
    z = (means[name] - means["differences of E f"]) / np.hypot(errors[name], errors["differences of E f"]).clip(1e-12)
    print(f"  {name:28s} length of the mean {np.linalg.norm(means[name]):.3f}, variance {g.var(axis=0).sum():7.1f}, "
          f"furthest from the differences {np.abs(z).max():.1f} standard errors")
    assert np.abs(z).max() < 4.5
of_direct, of_noise = (g.var(axis=0).sum() for g in list(estimates.values())[:2])
assert 0.5 < of_noise / of_direct < 2

figure, axes = plt.subplots(1, 4, figsize=(9, 2.7))
largest = max(np.abs(exact_slope).max(), *(np.abs(mean).max() for mean in means.values()))
four = {"a Gumbel a path, exact": exact_slope, "differences": means["differences of E f"],
        "direct, eps = 0.1": means["direct, eps = 0.1"], "score of the noise": means["score function of the noise"]}
for ax, (title, mean) in zip(axes, four.items()):
    shown = ax.imshow(mean.reshape(4, 4), cmap="RdBu_r", vmin=-largest, vmax=largest)
    ax.set_title(title, fontsize=10)
    ax.set_axis_off()
figure.colorbar(shown, ax=axes, shrink=0.8, label="nats")
plt.show()

# %% [markdown]
# What to see. The gradient of $E f$ in each cell's score: red cells should score higher. The first cell and the last
# are white, up to noise: every path goes through them. The last three pictures are one gradient, found in three ways.
# The first is another one: other noise, another $q$. The score function of the noise asks for $f$ once and for one arg
# max. At this $\epsilon$ it is about as noisy as direct, which asks for $f$ of all twenty.
#
# For this $f$ the second arg max went through a list of all paths. That does not scale. An $f$ that is *linear in* $z$
# does: $\epsilon f$ is added to the cells' scores, and Bellman's equation is solved a second time.
#
# ## Learning a landscape from walks
#
# Five kinds of ground on $16 \times 16$ cells, with costs that we hide. We see a photograph, three noisy colours a
# cell, and for each of 200 terrains one path that was walked, the cheapest. A small network gives each cell its score
# from its own three colours. All cells share it. It is trained in two ways:
#
# - **Fenchel-Young**: the gradient in the scores is $y - z^{\star}$.
# - **Direct** with the *Hamming loss*, $f(z) = - \sum_i |z_i - y_i|$. On 0 and 1 it is linear,
#   $\sum_i z_i (2 y_i - 1)$ less a constant. So $z(\epsilon)$ is the best path for the scores
#   $h + \gamma + \epsilon (2 y - 1)$.

# %%
SIDE, TERRAINS, EPOCHS, BATCH = 16, 200, 20, 20
COST = np.array([1.0, 1.5, 2.5, 4.0, 7.0])                          # of a step on meadow, sand, wood, rock, water
PAINT = np.array([[.62, .80, .42], [.92, .86, .58], [.22, .50, .28], [.50, .46, .44], [.32, .52, .80]])


def make_terrains(number, rng):
    """Kinds (number, SIDE, SIDE) in patches, a fifth each, and photographs (number, SIDE, SIDE, 3)."""
    smooth = gaussian_filter(rng.normal(size=(number, SIDE, SIDE)), (0, 1.2, 1.2), mode="wrap").reshape(number, -1)
    fifth = smooth.argsort(axis=1).argsort(axis=1) * 5 // SIDE**2
    names = rng.random((number, 5)).argsort(axis=1)                 # which kind lies lowest differs
    kind = np.take_along_axis(names, fifth, axis=1).reshape(number, SIDE, SIDE)
    return kind, PAINT[kind] + 0.03 * rng.normal(size=kind.shape + (3,))


def cost_of(z, kind):
    return (z * COST[kind]).sum(axis=(1, 2))


class Scores:
    """A network from the colours of a cell to its score, shared by all cells."""

    def __init__(self, rng):
        self.network = MLP([3, 16, 1])
        self.parameters = bind([self.network], np.float64)
        self.network.initialise(rng)

    def __call__(self, photo):
        return self.network.forward(photo.reshape(-1, 3)).reshape(photo.shape[:3])


def test(scores, kind, photo):
    """Share of optimal paths, and what is paid more than needed, as a part of the least cost."""
    least, paid = cost_of(best_path(-COST[kind]), kind), cost_of(best_path(scores(photo)), kind)
    return np.mean(paid < least + 1e-9), np.mean(paid / least - 1)


def train(method, seed, eps=0.3):
    rng = np.random.default_rng(seed)
    kind, photo = make_terrains(TERRAINS, rng)
    y = best_path(-COST[kind])                                      # the walks; the costs are not used again
    held_out = make_terrains(100, rng)
    scores = Scores(rng)
    adam, curve = Adam(scores.parameters, 0.03), [test(scores, *held_out)]
    before = best_path(scores(held_out[1][:1]))[0]
    for epoch in range(EPOCHS):
        adam.lr = 0.03 * (1 - epoch / EPOCHS)
        for rows in rng.permutation(TERRAINS).reshape(-1, BATCH):
            scores.parameters.zero_grads()
            run = scores.network.run(photo[rows].reshape(-1, 3))
            noisy = run.y.reshape(BATCH, SIDE, SIDE) + gumbel.sample((BATCH, SIDE, SIDE), rng)
            z_star = best_path(noisy)
            if method == "Fenchel-Young":
                g = y[rows] - z_star
            else:
                g = (best_path(noisy + eps * (2 * y[rows] - 1)) - z_star) / eps
            run.backward(-g.reshape(-1, 1) / BATCH).accumulate()    # both ascend
            adam.step()
        curve.append(test(scores, *held_out))
    return np.array(curve), held_out, before, scores


trained = {(method, seed): train(method, seed) for method in ("Fenchel-Young", "direct") for seed in range(3)}
print("100 terrains that were held out; over three seeds: median (lowest ... highest)")
for method in ("Fenchel-Young", "direct"):
    curves = np.array([trained[method, seed][0] for seed in range(3)])                      # (seeds, epochs + 1, 2)
    for when, place in (("before", 0), ("after", -1)):
        share, regret = (np.sort(curves[:, place, column]) for column in (0, 1))
        print(f"  {method:14s} {when:7s} optimal {share[1]:4.0%} ({share[0]:.0%} ... {share[2]:.0%}), "
              f"cost above the least {regret[1]:6.1%} ({regret[0]:.1%} ... {regret[2]:.1%})")
    assert (curves[:, -1, 1] < 0.03).all() and (curves[:, 0, 1] > 0.3).all() and (curves[:, -1, 0] > 0.25).all()

kind, photo = trained["direct", 0][1]
y = best_path(-COST[kind])
noisy = trained["direct", 0][3](photo) + gumbel.sample(kind.shape, np.random.default_rng(0))
reached = {eps: (best_path(noisy + eps * (2 * y - 1)) == y).all(axis=(1, 2)).mean() for eps in (0.1, 0.3, 1.0, 3.0)}
print("z(eps) is y itself:", ", ".join(f"{share:.0%} at eps = {eps}" for eps, share in reached.items()))
assert reached[0.1] < 0.5 and reached[3.0] > 0.9

# %% [markdown]
# Both start where all scores mean nothing and end close to the least cost. Neither was told a cost, and neither ever
# added up anything over paths. Fenchel-Young solves one arg max a step, direct two. Many a path that is not optimal
# costs nearly the same. The last line shows how direct becomes Fenchel-Young: at $\epsilon = 3$ the second arg max is
# nearly always $y$. And now the pictures, of the first terrain that was held out.

# %%
kind, photo = (part[0] for part in trained["direct", 0][1])
least = best_path(-COST[kind][None])[0]
figure, axes = plt.subplots(1, 4, figsize=(9, 2.9))
shown = [("the cheapest path", least), ("before training", trained["direct", 0][2])]
shown += [(f"after: {method}", best_path(trained[method, 0][3](photo[None]))[0])
          for method in ("Fenchel-Young", "direct")]
for ax, (title, z) in zip(axes, shown):
    ax.imshow(kind, cmap=ListedColormap(PAINT), vmin=-0.5, vmax=4.5)
    ax.plot(*np.argwhere(z)[np.argsort(np.argwhere(z).sum(axis=1))].T[::-1], color="black", linewidth=2.5)
    ax.set_title(f"{title}\ncost {cost_of(z[None], kind[None])[0]:g}", fontsize=10)
    ax.set_axis_off()
plt.show()

figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.0))
for method, shade in (("Fenchel-Young", plots.FURTHER[1]), ("direct", plots.colour("direct"))):
    curves = np.array([trained[method, seed][0] for seed in range(3)])
    learnt = np.array([trained[method, seed][3].network.forward(PAINT)[:, 0] for seed in range(3)])
    left.plot(curves[:, :, 1].T * 100, color=shade, label=[method, *["_"] * 2])
    scaled = (learnt - learnt[:, :1]) / (learnt[:, -1:] - learnt[:, :1]) * (COST[-1] - COST[0]) + COST[0]
    right.plot(COST, scaled.T, color=shade, marker="o", label=[method, *["_"] * 2])
right.plot(COST, COST, color=plots.TRUTH, linestyle="--", label="true")
left.set(xlabel="epoch of 200 terrains", ylabel="cost above the least, %", yscale="log")
right.set(xlabel="true cost of a step", ylabel="learnt cost, rescaled")
left.legend(fontsize=9)
right.legend(fontsize=9)
plt.show()

# %% [markdown]
# What to see. Above: black the path, green meadow cheapest, blue water dearest. Before training the path runs through
# anything. Below left: a line a seed. Below right: the learnt score of each pure colour. Walks fix the costs up to a
# scale and a constant only, since all paths have 31 cells; so water and meadow are set to their true costs, and the
# other three can be judged.
#
# ## Which is the tool for what
#
# - **All values of $f$ in a table**: enumerate, or local expectation a variable at a time. No bias, and little noise or
#   none.
# - **$f$ at samples only, and a $q$ that is known**: REINFORCE and its kin (chapter 7). With a $q$ that is *not* known,
#   because a solver stands between the noise and $z$: the score function of the noise, which is noisier.
# - **A $y$ was observed**: Fenchel-Young. One arg max, no $\epsilon$, a loss that is convex in $h$.
# - **A loss that can be added to the scores**, linear in $z$ or made so: direct. It lowers the loss one cares about,
#   where Fenchel-Young only pulls towards $y$. As $\epsilon$ grows its $z(\epsilon)$ becomes $y$, and direct becomes
#   Fenchel-Young over $\epsilon$. $f$ not linear: its slope at $z^{\star}$, which is implicit MLE, with its bias.
# - **Decisions without noise that must stay so**: blackbox differentiation, with an $\epsilon$ so large that the ramps
#   reach where $h$ is.
#
# Our example could do without: on a grid the *sum* over paths is as cheap as the maximum, with logsumexp in the place
# of max (exercise 3), if every path has a noise of its own. It is so for chains and trees too. For the cuts of chapter
# 8 and for matchings no such recursion is known: the best matching of $n$ pairs is found in about $n^3$ steps, but
# counting the perfect matchings of a bipartite graph is #P-complete (Valiant 1979). What was done here for paths asks
# for an arg max and nothing else, so that it can be done for these word by word. Paths were taken because twenty of
# them can be listed.
#
# ## Exercises
#
# **1 (easy).** Let $f$ be a constant, 1. The gradient is 0. What is the variance of the score function of the noise, of
# REINFORCE, and of direct? What does that say about baselines?
#
# <details><summary>Solution</summary>
#
# 1 in each component, the variance of an exponential; $q_i (1 - q_i)$; and 0. Both score functions need a baseline, the
# first more urgently. Direct subtracts its own.
#
# ```python
# ones = np.ones(k)
# of_reinforce = (q * ones) @ (hot - q) ** 2
# assert np.allclose(of_reinforce, q * (1 - q))
# assert np.allclose(of_reinforce + (q * ones) @ (q**2 + 1 - hot), 1)
# assert np.allclose(mean_and_variance(h, ones, 0.3)[1], 0, atol=1e-10)
# ```
#
# </details>
#
# **2 (middling).** Show that $f(z(h)) \le T(h) \le f(z(h + \epsilon f))$ for the ramp of blackbox differentiation, and
# check it.
#
# <details><summary>Solution</summary>
#
# Put $z = z(h)$ into the first maximum of $T$: it is at least $\epsilon f(z) + h(z)$, and the second one is $h(z)$. For
# the other side put the winner of the first maximum into the second, which is at least its $h$.
#
# ```python
# for _ in range(500):
#     point, eps = 2 * rng.normal(size=k), rng.uniform(0.1, 3)
#     lower, upper = f[point.argmax()], f[(point + eps * f).argmax()]
#     assert lower - 1e-12 <= ramp(point, eps) <= upper + 1e-12
# ```
#
# </details>
#
# **3 (hard).** Write Bellman's recursion with logsumexp in the place of max. What does it compute at $h = 0$? And what
# is its gradient? Check both against the twenty paths.
#
# <details><summary>Solution</summary>
#
# It computes $\log \sum_z e^{h(z)}$ over all paths: at $h = 0$ the log of their number. Its gradient is the mean path
# when every *path* has a Gumbel variable of its own: $E \max$ is a logsumexp, and Danskin does the rest.
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
#
# ## Where it goes wrong in practice
#
# - The sign. Vlastelica et al. and McAllester et al. write a loss, to be lowered; here $f$ is a score, to be raised.
# - Ties. On terrain with whole costs many paths are equally good, and "the" cheapest is whichever the solver takes
#   first. Compare costs, not paths.
# - Two noises. Direct needs one noise for both arg maxes. With fresh noise for the second the mean stays and the
#   variance explodes (chapter 4).
# - The scale of $\epsilon f$ against $h$ and the noise. Hamming losses grow with the length of the path. So $\epsilon$
#   is smaller for long paths, or $z(\epsilon)$ is always $y$.
#
# ## What to read next
#
# In the package: `refimpl/latent/paths.py`, `refimpl/estimators/perturbed.py`, `refimpl/estimators/imle.py`. Vlastelica
# et al., *Differentiation of blackbox combinatorial solvers* (ICLR 2020); Berthet et al., *Learning with differentiable
# perturbed optimizers* (NeurIPS 2020); Niepert et al., *Implicit MLE* (NeurIPS 2021); McAllester et al., *Direct loss
# minimization for structured prediction* (NIPS 2010). Then [results.md](results.md).
