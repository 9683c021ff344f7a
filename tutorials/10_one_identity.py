# %% [markdown]
# # 10. One identity, many papers
#
# **You will** put six published methods into one table of bias, variance and cost, computed without sampling. Then you
# learn the costs of a landscape from the paths that were walked in it. **You will learn** which part of one identity
# each method replaces; what each is measured against; why the mean of one of them, given the winner, is REINFORCE; and
# which is the tool for what. **You need** chapters [2](02_theorem_1.ipynb), [3](03_gumbel_noise.ipynb) and
# [4](04_finite_epsilon.ipynb); [8](08_structured_encoders.ipynb) helps. It runs in about thirty seconds.
#
# | symbol | in the code | the slides write | meaning |
# | --- | --- | --- | --- |
# | $h$, $f$, $\gamma$ | `h`, `f`, `noise` | $\phi$, $\theta$, $\gamma$ | scores of the encoder and the decoder, and zero-mean Gumbel noise |
# | $z^{\star}$, $z(\epsilon)$ | `z_star`, `z_eps` | | $\arg\max (h + \gamma)$ and $\arg\max (\epsilon f + h + \gamma)$, one noise |
# | $q$, $q_\epsilon$ | `q`, `q_eps` | | the laws of the two: softmax of $h$, and of $h + \epsilon f$ |
# | $G(h, \epsilon)$ | `G` | $G$ | $E \max_z (\epsilon f + h + \gamma)$ |
# | $T(h)$ | | | the tilted objective of chapter 4, $\frac{1}{\epsilon} (G(h, \epsilon) - G(h, 0))$ |
# | $\epsilon$ | `eps` | $\epsilon$ | how strongly $f$ takes part in the second arg max |
# | $F(t)$, $F'(t)$ | `F` | | the distribution function of one Gumbel variable; its density |
# | $v$ | | | the perturbed scores, $h + \gamma$ |
# | $c$ | `c` | | Euler's constant, 0.5772… |
# | $X_z$, $r_i X_i$ | `rX` | | an alarm clock's time, of rate $r_z = e^{h_z}$; times its rate, $e^{-(\gamma_i + c)}$ |
# | $S$ | | | the sum $\sum_i r_i$, the rate of the first ring |
# | $R$, $V_i$ | | | waiting times of rate 1: of the first ring, times $S$, and of clock $i$ after it, times $r_i$ |
# | $w$ | `w` | $w$ | one weight of the encoder, whose scores are $h + w\,(1, 0, -1)$ |
# | $y$ | `y` | $y$ | the label: a value, or a path, that was observed |

# %%
import start    # if it is not found: clone the whole repository, and run this chapter in its folder tutorials/

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import ListedColormap
from matplotlib.patches import Patch
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
# ## One identity, six methods
#
# $G$ has two derivatives. By Danskin (chapter 1) both are those of the winner:
# $\partial G / \partial \epsilon = E f(z(\epsilon))$, and $\partial G / \partial h = E\, \text{onehot}(z(\epsilon))$.
# Differentiate each of them in the other variable. The order does not matter (chapter 2), so at $\epsilon = 0$
#
# $$\underbrace{\frac{\partial}{\partial h} E f(z^{\star})}_{\text{first } \epsilon \text{, then } h} = \frac{\partial^2 G}{\partial h\, \partial \epsilon} = \frac{\partial^2 G}{\partial \epsilon\, \partial h} = \underbrace{\lim_{\epsilon \to 0} \frac{E\, \text{onehot}(z(\epsilon)) - E\, \text{onehot}(z^{\star})}{\epsilon}}_{\text{first } h \text{, then } \epsilon}$$
#
# The left side is what we want. The right side is two arg maxes. Each method takes one side and replaces something.
#
# | method | side | what it replaces |
# | --- | --- | --- |
# | direct (Lorberbom et al. 2019) | right | the limit, by a finite $\epsilon$ |
# | implicit MLE (Niepert et al. 2021) | right | the limit; and $f$, by its slope at $z^{\star}$ |
# | blackbox differentiation (Vlastelica et al. 2020) | right | the limit; $f$, by its slope at the arg max; and the mean over the noise, by no noise at all |
# | direct loss minimisation (McAllester et al. 2010) | right | the limit; and the mean over the noise, by a mean over the data |
# | score function of the noise (Berthet et al. 2020) | left | the slope of a mean, by the mean of $f$ times a slope: that of the noise's log density |
# | perturbed Fenchel-Young loss (Berthet et al. 2020) | neither | the second derivative, by the first: $\partial G / \partial h$ at $\epsilon = 0$, less an observed $y$ |
#
# Three remarks. The score function of the noise differentiates no maximum. (*Score function* is the statisticians' word
# for the slope of a log density. It has nothing to do with the scores $h$ and $f$.) Fenchel-Young has no $f$ at all.
# And in implicit MLE what is mixed in depends on $z^{\star}$. So if the slope of $f$ is not the same everywhere, there
# is no single $G$ behind it. (Chapter 9, like the slide, says *direct loss minimisation* for direct with minus a loss
# in the place of $f$, the noise kept. McAllester et al. have no noise.)
#
# To compare them without sampling we need the laws of two arg maxes under any noise, not
# only Gumbel's. Value $i$ wins if every other noise stays below its own plus a margin, $h_i - h_j$. That is an integral
# over one number:

# %%
t = np.arange(-12.0, 45.0, 0.02)                                    # where the noise of the winner may lie
F = lambda s: np.exp(-np.exp(-(s + c)))                             # Gumbel
F_slope = lambda s: np.exp(-(s + c)) * F(s)
spread = np.pi / np.sqrt(6)                                         # the standard deviation of a Gumbel variable
normal = lambda s: ndtr(s / spread)                                 # and Gaussian, of the same variance
normal_slope = lambda s: np.exp(-(s / spread) ** 2 / 2) / (spread * np.sqrt(2 * np.pi))


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
G = lambda h, eps: logsumexp(h + eps * f)                                                   # chapter 3, Gumbel noise
d = 1e-3
mixed = [(G(h + s, d) - G(h + s, -d) - G(h - s, d) + G(h - s, -d)) / (4 * d**2) for s in d * hot]
left = [(softmax(h + s) - softmax(h - s)) @ f / 2e-5 for s in 1e-5 * hot]                   # d/dh of E f(z*)
right = (softmax(h + 1e-5 * f) - softmax(h - 1e-5 * f)) / 2e-5                              # d/d eps of E onehot
print("first eps, then h:", np.round(left, 6), "\nfirst h, then eps:", right.round(6))
assert np.allclose(left, right, atol=1e-9) and np.allclose(mixed, truth, atol=1e-6) and np.allclose(left, truth)

# %% [markdown]
# ## Blackbox differentiation: the gradient of a ramp
#
# Take the noise away, and write $z(h)$ for the arg max of $h$ alone. Then $f(z(h))$ is a staircase in $h$, and its
# slope is 0 wherever it has one. Vlastelica et al. use the difference of two arg maxes all the same. Is it the
# gradient of anything? Yes: of the tilted objective of chapter 4 without its noise. We call it the ramp.
#
# $$\text{ramp}(h) = \frac{1}{\epsilon} \left( \max_z (\epsilon f + h) - \max_z h \right)$$
#
# By Danskin its gradient is exactly $(\text{onehot}(z(h + \epsilon f)) - \text{onehot}(z(h))) / \epsilon$. It equals
# $f(z(h))$ wherever the two arg maxes agree, and is piecewise linear in between: each jump of the staircase becomes a
# ramp. ($f$ must be linear in the one-hot vector, as any table of values is. A decoder can be asked between the values
# too, and need not be linear there. Then blackbox differentiation takes its slope at $z(h)$. So does implicit MLE at
# $z^{\star}$: it is this method with the noise put back.)
#
# The picture shows $h_w = h + w\,(1, 0, -1)$: left the staircase and its ramps, right $E f$ and its $T$.

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
for eps, shade, dash in ((0.5, plots.FURTHER[2], "-."), (1.0, plots.FURTHER[1], "--"), (2.0, plots.FURTHER[3], ":")):
    left.plot(w, ramp(line, eps), color=shade, linestyle=dash, label=f"ramp, eps = {eps}")
    right.plot(w, direct.tilted_objective(line, f, eps), color=shade, linestyle=dash, label=f"$T$, eps = {eps}")
left.plot(w, f[line.argmax(axis=1)], color=plots.TRUTH, linewidth=1.2, label="$f(z(h))$")
right.plot(w, softmax(line, axis=1) @ f, color=plots.TRUTH, linewidth=1.2, label="$E\\, f(z^{\\star})$")
left.set(xlabel="w", ylabel="nats", title="without noise")
right.set(xlabel="w", title="averaged over Gumbel noise")
left.legend(fontsize=9)
right.legend(fontsize=9)
plt.show()

# %% [markdown]
# What to see. Left: where the dress gives way to the shirt, $f$ jumps by half a nat. Each ramp climbs the same step
# with the slope $2/\epsilon$. It begins the earlier the larger $\epsilon$ is. Off the ramp the gradient is 0, and
# nothing is learnt. Right: noise rounds all corners. There $\epsilon$ is no longer needed to have a slope at all, and
# may go to 0: what is left then is Theorem 1.
#
# ## Perturbed optimisers, and where REINFORCE comes from
#
# Berthet et al. put $h$ into the density of $v = h + \gamma$. $E f(z^{\star})$ is an integral of $f$ over $v$ with the
# density $\prod_i F'(v_i - h_i)$. Now $h$ stands in the density only. For Gumbel noise minus the slope of
# $\log F'(\gamma)$ is $1 - e^{-(\gamma + c)}$. With the clocks of chapter 3, $e^{-(\gamma_i + c)} = r_i X_i$:
#
# $$\frac{\partial}{\partial h_i} E f(z^{\star}) = E\left[ f(z^{\star}) (1 - r_i X_i) \right]$$
#
# No bias, one arg max, $f$ at one value. But $r_i X_i$ varies even when the winner is fixed. Average that away: what is
# its mean, given that clock $j$ rang first?
#
# 1. The first ring comes after an exponential time of rate $S$, whoever rings. So $r_j X_j$ has mean $r_j / S = q_j$.
# 2. The other clocks have no memory. After $X_j$, clock $i$ waits afresh, and $r_i X_i = r_i X_j + V_i$, with $V_i$
#    exponential of mean 1. So $r_i X_i$ has mean $q_i + 1$.
# 3. So $E[1 - r_i X_i \mid z^{\star} = j] = [i = j] - q_i$, which is $\partial \log q(j) / \partial h_i$.
#
# ($[i = j]$ is 1 if $i = j$, and else 0.) That is REINFORCE: the mean of the noise's estimate, given the winner. Such a
# mean never has more variance than what it is the mean of (Rao and Blackwell). How much less follows from the same
# lines. Given $z^{\star} = j$, $r_i X_i = q_i R + [i \ne j] V_i$ with $R$ and $V_i$ independent standard exponentials
# of variance 1. So
#
# $$\text{Var}_{\text{noise}} = \text{Var}_{\text{REINFORCE}} + E\left[ f(z^{\star})^2 \left( q_i^2 + [i \ne z^{\star}] \right) \right]$$

# %%
conditional = np.empty((k, k))                                      # E[1 - r_i X_i | z* = b], line 3 without sampling
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
square_error = (g - truth) ** 2
assert (np.abs(square_error.mean(axis=0) - noise_variance) < 4 * square_error.std(axis=0) / np.sqrt(samples)).all()

# %% [markdown]
# ## Fenchel-Young: the slope of a maximum, less what was seen
#
# Now a value $y$ was observed, and there is no $f$. The *perturbed Fenchel-Young loss* is
# $E \max_z (h + \gamma) - h_y$: how far $y$ is from winning, on average. Danskin gives its gradient at once, the mean
# winner less the observed one: $q - \text{onehot}(y)$. With Gumbel noise $E \max (h + \gamma)$ is $\log \sum e^h$, and
# the loss is $-\log q(y)$, cross-entropy. ($q$ is known here, and nobody would sample. Where a solver gives the winner
# and $q$ has no formula, $z^{\star} - y$ is sampled in the place of $q - \text{onehot}(y)$.) It is also what direct
# becomes for $f = [z = y]$ at large $\epsilon$: then $z(\epsilon) = y$ in practically every draw, and
# $\epsilon g = \text{onehot}(y) - \text{onehot}(z^{\star})$.

# %%
y = 0                                                               # a shirt, as it happens the best value of f
loss = lambda h: logsumexp(h) - h[y]
slope = [(loss(h + 1e-5 * unit) - loss(h - 1e-5 * unit)) / 2e-5 for unit in hot]
assert np.allclose(slope, q - hot[y], atol=1e-9)
assert (direct.gradient(h, hot[y], 100.0, noise[:20_000]) * 100.0 == hot[y] - hot[z_star[:20_000]]).all()

# %% [markdown]
# ## One table
#
# All numbers are computed without sampling: by enumeration, by the joint law of the two arg maxes, by the integrals
# above, and in one place by a difference of integrals. (Fenchel-Young's bias is 0 by what it is measured against.)
#
# *Bias* is measured against a different target for each method:
#
# - (a) the gradient of $E f(z^{\star})$ over Gumbel noise, `truth`: direct, implicit MLE and the score functions;
# - (b) the gradient of the mean of $f$ over the data: direct loss minimisation;
# - (c) the slope of $f(z(h))$, which is 0: blackbox differentiation;
# - (d) the gradient of $\log q(y)$: Fenchel-Young.
#
# So compare rows with the same letter only. *Variance* is printed twice, for $f$ and for $f + 10$. A constant changes
# no gradient and no arg max. Our $f$ happens to have a mean near 0, and the score of an image is more like $-170$
# (chapter 6). A *baseline* is a constant that is subtracted from $f$. Here it is $E f$. In practice it is a running
# mean.
#
# *Cost* has three columns: how many values of $f$, how many gradients of $f$, how many arg maxes.
#
# Two things have to be chosen. Direct loss minimisation needs data: let the scores of the images $x$ lie around our $h$
# with Gaussian scatter, of the variance that Gumbel noise has. With the same $f$ for all $x$ it is then direct itself
# under another noise. And implicit MLE looks at $f$ *between* the values. We let it be bent there,
# $f(z) = \sum_i f_i z_i + \frac12 \sum_i z_i (1 - z_i)$, with the same $f$ at all three corners. It bulges upwards
# between them. So does a decoder whose logits are linear in $z$: its $\log p(x \mid z)$ is concave.

# %%
def implicit_mle(eps, bend=0.5, f=f):
    """From the joint law of the pair: given z* = b, direct with the slope at corner b in the place of f."""
    mean = square = 0
    for b in range(k):
        slope = f + bend * (1 - 2 * hot[b])
        chance = direct.joint_law(h, slope, eps)[b]                 # P(z* = b, z(eps) = j), for each j
        moves = (hot - hot[b]) / eps
        mean, square = mean + chance @ moves, square + chance @ moves**2
    return mean, square - mean**2


def data_truth():
    expected = lambda h: wins(np.subtract.outer(h, h), normal, normal_slope) @ f
    return np.array([(expected(h + 1e-4 * unit) - expected(h - 1e-4 * unit)) / 2e-4 for unit in hot])


assert np.allclose(implicit_mle(0.3, bend=0), mean_and_variance(h, f, 0.3), atol=1e-9)      # f linear: it is direct


def score_function(f, of_noise, baseline=0.0):
    """Mean and variance of REINFORCE with a constant baseline, or of the score function of the noise."""
    mean = (q * (f - baseline)) @ (conditional if of_noise else hot - q)
    square = q * (f - baseline) ** 2
    return mean, square @ (hot - q) ** 2 - mean**2 + of_noise * (square @ (q**2 + 1 - hot))


def row(name, target, law, costs):
    """law(f) is (mean, variance); it is asked again for f + 10."""
    (mean, variance), (shifted, more) = law(f), law(f + 10)
    assert np.allclose(mean, shifted, atol=1e-8)                    # no mean depends on the constant
    bias = np.linalg.norm(mean - {"a": truth, "b": data_truth(), "c": np.zeros(k), "d": hot[y] - q}[target])
    print(f"{name:44s} {target:>6s} {bias:7.3f} {variance.sum():9.2f} {more.sum():9.2f}   {costs}")
    return bias, variance.sum(), more.sum()


print(f"|grad E f| = {np.linalg.norm(truth):.3f} over Gumbel noise, {np.linalg.norm(data_truth()):.3f} over the data")
print(f"{'':44s} {'':6s} {'':7s} {'variance':>9s} {'variance':>9s}   {'values':>6s} {'gradients':>9s} {'arg':>6s}")
print(f"{'method':44s} {'target':>6s} {'bias':>7s} {'of f':>9s} {'of f + 10':>9s}   {'of f':>6s} {'of f':>9s} "
      f"{'maxes':>6s}")
table = {}
for eps in (0.3, 1.0):
    for name, target, law, costs in (
            ("direct", "a", lambda f: mean_and_variance(h, f, eps), (k, 0, 2)),
            ("implicit MLE, f bent", "a", lambda f: implicit_mle(eps, f=f), (0, 1, 2)),
            ("direct loss minimisation", "b", lambda f: mean_and_variance(h, f, eps, normal, normal_slope), (k, 0, 2)),
            ("blackbox", "c", lambda f: (blackbox(h, eps), np.zeros(k)), (0, 1, 2))):
        table[name, eps] = row(f"{name}, eps = {eps}", target, law, "{:6d} {:9d} {:6d}".format(*costs))
for name, of_noise in (("score function of the noise", 1), ("REINFORCE", 0)):
    for words, share in (("", 0), (", with a baseline", 1)):
        table[name, share] = row(name + words, "a", lambda f: score_function(f, of_noise, share * (q @ f)),
                                 f"{1:6d} {0:9d} {1:6d}")
table["Fenchel-Young"] = row("Fenchel-Young, y = shirt, sampled", "d", lambda f: (hot[y] - q, q * (1 - q)),
                             f"{0:6d} {0:9d} {1:6d}")
row("Fenchel-Young, y = shirt, q known", "d", lambda f: (hot[y] - q, np.zeros(k)), f"{0:6d} {0:9d} {0:6d}")
assert np.allclose(score_function(f, 1)[1], noise_variance)
assert np.allclose(score_function(f, 0)[1], reinforce_variance)
assert table["blackbox", 0.3][:2] == (0, 0) and (blackbox(h, 0.3) == 0).all()       # no bias, no noise, no use
for name in ("direct", "implicit MLE, f bent", "direct loss minimisation"):
    assert np.isclose(*table[name, 0.3][1:], rtol=1e-6)                             # the constant does nothing
assert table["REINFORCE", 0][2] > 50 > 10 > table["direct", 0.3][2] > table["REINFORCE", 1][2]

assert np.linalg.norm(implicit_mle(0.01)[0] - truth) > 0.5 * np.linalg.norm(implicit_mle(0.3)[0] - truth)   # it stays
assert np.linalg.norm(mean_and_variance(h, f, 0.01)[0] - truth) < 0.01                                      # it goes
too_short = mean_and_variance(h, f, 0.3)[0] - truth
too_long = implicit_mle(0.3)[0] - mean_and_variance(h, f, 0.3)[0]
along = truth / np.linalg.norm(truth)
across = np.cross(along, np.ones(k) / np.sqrt(k))       # the entries of a gradient add up to 0: one direction is left
print("bias at eps = 0.3 of the difference and of the slope: along the gradient "
      f"{too_short @ along:+.3f} and {too_long @ along:+.3f}, across it {too_short @ across:+.3f} and "
      f"{too_long @ across:+.3f}")
assert too_short @ along < 0 < too_long @ along and (too_short @ across) * (too_long @ across) > 0

figure, ax = plt.subplots(figsize=(7, 4))
eps_line, marked = np.geomspace(0.03, 3, 60), (0.03, 0.1, 0.3, 1.0, 3.0)
for name, law, target, shade, dash in (
        ("direct (a)", lambda eps: mean_and_variance(h, f, eps), truth, plots.colour("direct"), "-"),
        ("implicit MLE, f bent (a)", implicit_mle, truth, plots.colour("imle"), "--"),
        ("direct loss (b)", lambda eps: mean_and_variance(h, f, eps, normal, normal_slope), data_truth(),
         plots.FURTHER[2], ":")):
    point = lambda eps: (np.linalg.norm(law(eps)[0] - target), np.sqrt(law(eps)[1].sum()))
    ax.plot(*zip(*map(point, eps_line)), color=shade, linestyle=dash, linewidth=2.2, label=name)
    ax.plot(*zip(*map(point, marked)), "o", color=shade)
    if not name.startswith("direct loss"):
        for eps in marked:
            ahead = name.startswith("implicit")
            ax.annotate(f"{eps:g}", point(eps), xytext=(7, 3) if ahead else (-7, -10), fontsize=9, color=shade,
                        textcoords="offset points", ha="left" if ahead else "right")
for shade, variance, words in ((plots.colour("perturbed"), noise_variance, "score function of the noise (a)"),
                               (plots.TRUTH, reinforce_variance, "REINFORCE (a)"),
                               ("0.55", score_function(f, 0, q @ f)[1], "REINFORCE, with a baseline (a)")):
    ax.plot(0, np.sqrt(variance.sum()), "D", color=shade, clip_on=False, label=words)
ax.set(xlabel="bias, nats, against the method's own target", ylabel="standard deviation, nats", yscale="log",
       xlim=(0, 0.75))
ax.set_yticks([0.3, 1, 3, 10], ["0.3", "1", "3", "10"])
ax.minorticks_off()
ax.legend(fontsize=9)
plt.show()

# %% [markdown]
# What to see. A line is a method, its dots are at $\epsilon$ = 0.03, 0.1, 0.3, 1 and 3, as written beside two of the
# lines. From below upwards $\epsilon$ falls: less bias, more noise. Direct and direct loss minimisation run to no bias
# and any amount of noise. Their lines nearly coincide: they are one method under two noises of the same variance.
# Implicit MLE's line turns back. It has two biases. That of a finite $\epsilon$ makes the mean too short, and goes away
# as $\epsilon$ falls. That of the slope makes it too long, and stays: where $f$ is bent, the slope at one corner says
# too much about the next. Along the gradient the two cancel at $\epsilon = 0.3$. Across it they add up: that is the
# bias in the table. The diamonds have no bias, and no $\epsilon$ to choose.
#
# The table says what the picture does not. Add 10 to $f$, and both score functions drown in noise. Direct does not
# notice: it sees differences of $f$ only. But a baseline is one line of code. With it REINFORCE does not notice the
# constant either. It has no bias, and a third of the variance that direct has at $\epsilon = 0.3$.
#
# Blackbox differentiation is in the table only. At $\epsilon = 0.3$ our $h$ is off its ramp, and its gradient is 0. Its
# bias against (c) is 0, its variance is 0, and it is useless. The best row of a table can be the worst method. At
# $\epsilon = 1$ it is on the ramp and moves, which (c) counts as bias.
#
# With three values there is no case for two arg maxes: REINFORCE with a baseline asks for $f$ once, and with $f$
# in a table the exact gradient is free.
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
# ## Twenty paths, small enough to check
#
# First an $f$ of whole paths, a table of twenty numbers that is no sum over cells. What noise? With one Gumbel variable
# a *path*, all of chapter 4 holds: $q$ is a softmax of twenty scores, and mean and variance are known. But that is a
# number to draw for each of 155 million paths. With one Gumbel variable a *cell* the arg max stays a matter of
# Bellman's equation. The price: paths that share cells share noise, and $q$ has no formula. So in the next figure the
# left picture is computed from the list, and the other three are means of draws.
#
# How can these three be tested? All use the same noise, so they are compared draw by draw: the mean of the
# *difference*, in units of its own standard error.
#
# - Direct at $\epsilon$ is without bias for $T$, so its mean is held against differences of $T$. Both come from the
#   same maxima, and hardly differ in any draw: a sharp test.
# - The score function of the noise is held against differences of $E f$.
# - Direct against differences of $E f$: here its bias must show, if it is large enough for so many draws.

# %%
cells = rng.normal(size=16)
waves = rng.normal(size=(2, 16))
f_paths = 2 * np.sin(every @ waves.T).sum(axis=1)
q_paths, eps = softmax(every @ cells), 0.1
exact_slope = every.T @ (q_paths * (f_paths - q_paths @ f_paths))   # a Gumbel variable a path
exact_mean = every.T @ direct.expected_gradient(every @ cells, f_paths, eps)
exact_variance = np.diag(every.T @ direct.covariance(every @ cells, f_paths, eps) @ every)

draws, step = 200_000, 0.05
cell_noise = gumbel.sample((draws, 16), rng)                        # a Gumbel variable a cell
perturbed = (cells + cell_noise) @ every.T                          # (draws, 20)
z_star, z_eps = perturbed.argmax(axis=1), (perturbed + eps * f_paths).argmax(axis=1)
score_of_noise = 1 - np.exp(-(cell_noise + c))
estimates = {"direct, eps = 0.1": (every[z_eps] - every[z_star]) / eps,
             "score function of the noise": f_paths[z_star, None] * score_of_noise,
             "score function, with a baseline": (f_paths[z_star, None] - f_paths[z_star].mean()) * score_of_noise}
of_f, of_T = np.empty((draws, 16)), np.empty((draws, 16))           # differences, draw by draw
for cell in range(16):
    up, down = (perturbed + sign * step * every[:, cell] for sign in (1, -1))
    of_f[:, cell] = (f_paths[up.argmax(axis=1)] - f_paths[down.argmax(axis=1)]) / (2 * step)
    tilted = [(s + eps * f_paths).max(axis=1) - s.max(axis=1) for s in (up, down)]
    of_T[:, cell] = (tilted[0] - tilted[1]) / (2 * step * eps)
estimates["differences of E f"] = of_f


def furthest(one, other):
    """The mean difference in units of its standard error, of the cell where that is largest; paths share two cells."""
    difference = (one - other)[:, 1:-1]
    return np.abs(difference.mean(axis=0) / difference.std(axis=0)).max() * np.sqrt(draws)


print(f"a Gumbel a path, from the list: |grad E f| {np.linalg.norm(exact_slope):.3f}, bias of direct at eps = {eps} "
      f"{np.linalg.norm(exact_mean - exact_slope):.3f}, its variance {exact_variance.sum():.1f}")
print("a Gumbel a cell, sampled:")
for name, g in estimates.items():
    print(f"  {name:32s} length of the mean {np.linalg.norm(g.mean(axis=0)):.3f}, variance {g.var(axis=0).sum():7.1f}")
by_direct, by_score, by_baseline = list(estimates.values())[:3]
tests = {"direct against differences of T": (by_direct, of_T),
         "score function, with a baseline, against differences of E f": (by_baseline, of_f),
         "direct against differences of E f": (by_direct, of_f),
         "direct at eps = 0.5 against differences of E f":
             ((every[(perturbed + 0.5 * f_paths).argmax(axis=1)] - every[z_star]) / 0.5, of_f),
         "planted: direct, 5 % too large, against differences of T": (1.05 * by_direct, of_T),
         "planted: score function with c forgotten, against differences of E f":
             ((f_paths[z_star, None] - f_paths[z_star].mean()) * (1 - np.exp(-cell_noise)), of_f)}
found = {name: furthest(*pair) for name, pair in tests.items()}
for name, units in found.items():
    print(f"  {name:70s} {units:5.1f} standard errors")
units = list(found.values())
assert max(units[:2]) < 4.5 < min(units[3:])

figure, axes = plt.subplots(1, 4, figsize=(9, 2.7))
four = {"a Gumbel a path, from the list": exact_slope, "differences of E f": of_f.mean(axis=0),
        "direct, eps = 0.1": by_direct.mean(axis=0), "score function, baseline": by_baseline.mean(axis=0)}
largest = max(np.abs(mean).max() for mean in four.values())
for ax, (title, mean) in zip(axes, four.items()):
    shown = ax.imshow(mean.reshape(4, 4), cmap="RdBu_r", vmin=-largest, vmax=largest)
    ax.set_title(title, fontsize=9)
    ax.set_axis_off()
figure.colorbar(shown, ax=axes, shrink=0.8, label="nats")
plt.show()

# %% [markdown]
# What to see. The gradient of $E f$ in each cell's score: red cells should score higher. The first cell and the last
# are white, up to noise: every path goes through them. The last three pictures agree up to their noise and direct's
# bias. That bias is too small for the test at $\epsilon = 0.1$, and plain at 0.5. The first picture is of another
# gradient: other noise, another $q$. The score function of the noise asks for $f$ once and for one arg max. With a
# baseline it is about as noisy as direct at this $\epsilon$, which asks for $f$ of all twenty.
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
# - **Direct** with the *Hamming loss*, $f(z) = - \sum_i |z_i - y_i|$, the number of cells that are on one of the two
#   paths only. On 0 and 1 it is linear, $\sum_i z_i (2 y_i - 1)$ less a constant. So $z(\epsilon)$ is the best path for
#   the scores $h + \gamma + \epsilon (2 y - 1)$.
#
# Each has a learning rate to choose, and direct an $\epsilon$ too. We choose them on *validation* terrains that are
# used for nothing else. The costs are hidden, so what counts there is the Hamming loss against the walks. Then both
# train with five other seeds, and are tested on terrains that neither training nor choosing has seen.

# %%
SIDE, TERRAINS, EPOCHS, BATCH = 16, 200, 20, 20
COST = np.array([1.0, 1.5, 2.5, 4.0, 7.0])                          # of a step on each of KINDS
KINDS = "meadow", "sand", "wood", "rock", "water"
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


def test(scores, kind, photo, y):
    """Hamming loss, share of optimal paths, and what is paid more than needed, as a part of the least cost."""
    z = best_path(scores(photo))
    least, paid = cost_of(y, kind), cost_of(z, kind)
    return np.abs(z - y).sum(axis=(1, 2)).mean(), np.mean(paid < least + 1e-9), np.mean(paid / least - 1)


def walked(number, rng):
    kind, photo = make_terrains(number, rng)
    return kind, photo, best_path(-COST[kind])


def train(method, seed, rate, eps, held_out, every_epoch=True):
    rng = np.random.default_rng(seed)
    _, photo, y = walked(TERRAINS, rng)                             # the walks; the costs are not used again
    scores = Scores(rng)
    adam, curve, learnt = Adam(scores.parameters, rate), [test(scores, *held_out)], []
    before = best_path(scores(held_out[1][:1]))[0]
    for epoch in range(EPOCHS):
        adam.lr = rate * (1 - epoch / EPOCHS)
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
        if every_epoch or epoch == EPOCHS - 1:
            curve.append(test(scores, *held_out))
        learnt.append(scores.network.forward(PAINT)[:, 0])
    return np.array(curve), before, scores, np.array(learnt)


RATES = 0.1, 0.3, 1.0
validation, chosen = walked(100, np.random.default_rng(100)), {}
print("Hamming loss on 100 validation terrains")
for method, eps_tried in (("Fenchel-Young", (None,)), ("direct", (0.3, 1.0, 3.0))):
    tried = {(rate, eps): train(method, 101, rate, eps, validation, False)[0][-1, 0]
             for eps in eps_tried for rate in RATES}
    chosen[method] = min(tried, key=tried.get)
    for eps in eps_tried:
        print(f"  {method:14s}", f"eps = {eps}: " if eps else " " * 11,
              ", ".join(f"{tried[rate, eps]:5.2f} at rate {rate}" for rate in RATES))
print("chosen (rate, eps):", chosen)
assert chosen["direct"][1] == 3.0                                   # see the text below

SEEDS = range(5)
held_out = walked(200, np.random.default_rng(200))
trained = {(method, seed): train(method, seed, *chosen[method], held_out) for method in chosen for seed in SEEDS}
final = {method: np.array([trained[method, seed][0][-1] for seed in SEEDS]) for method in chosen}
print("200 terrains that were held out; mean over five seeds (lowest ... highest)")
names = ("Hamming loss, cells", "optimal, %", "cost above the least, %")
for place, (name, unit) in enumerate(zip(names, (1, 100, 100))):
    for method in chosen:
        start, values = unit * trained[method, 0][0][0, place], unit * final[method][:, place]
        print(f"  {name:24s} {method:14s} {values.mean():6.2f} ({values.min():.2f} ... {values.max():.2f}); "
              f"untrained, seed 0: {start:.1f}")
    difference = unit * (final["direct"] - final["Fenchel-Young"])[:, place]
    print(f"  {'':24s} direct less Fenchel-Young, seed by seed: {difference.mean():+.2f} ± "
          f"{difference.std(ddof=1) / np.sqrt(len(SEEDS)):.2f}")
for method in chosen:
    assert (final[method][:, 2] < 0.03).all() and (final[method][:, 1] > 0.25).all()

kind, photo, y = held_out
noisy = trained["direct", 0][2](photo) + gumbel.sample(kind.shape, np.random.default_rng(0))
reached = {eps: (best_path(noisy + eps * (2 * y - 1)) == y).all(axis=(1, 2)).mean() for eps in (0.1, 0.3, 1.0, 3.0)}
print("z(eps) is y itself:", ", ".join(f"{share:.0%} at eps = {eps}" for eps, share in reached.items()))
assert reached[0.1] < 0.5 and reached[3.0] > 0.9

# %% [markdown]
# Both start where all scores mean nothing and end close to the least cost. Neither was told a cost, and neither ever
# added up anything over paths. Neither wins. Seed by seed their difference is about as large as its standard error, for
# all three measures. And validation chose the $\epsilon$ at which direct *is* nearly Fenchel-Young: at $\epsilon = 3$
# the second arg max is nearly always $y$, so that the gradient is Fenchel-Young's divided by 3, and Adam does not see
# the 3. So the comparison says that the second arg max, twice the work, bought nothing here. It does not say how good
# direct is at a small $\epsilon$. (Validation had one run a setting. Seeds differ by more than these settings do, so
# its choice may be chance.)
#
# The Hamming loss looks large beside the cost. Many paths cost nearly the same, or just the same, and differ in many
# cells. And now the pictures, of the first terrain that was held out.

# %%
kind, photo, least = (part[0] for part in held_out)
figure, axes = plt.subplots(1, 4, figsize=(9, 2.9), layout="constrained")
shown = [("the cheapest path", least), ("before training", trained["direct", 0][1])]
shown += [(f"after: {method}", best_path(trained[method, 0][2](photo[None]))[0])
          for method in ("Fenchel-Young", "direct")]
for ax, (title, z) in zip(axes, shown):
    ax.imshow(kind, cmap=ListedColormap(PAINT), vmin=-0.5, vmax=4.5)
    ax.plot(*np.argwhere(z)[np.argsort(np.argwhere(z).sum(axis=1))].T[::-1], color="black", linewidth=2.5)
    ax.set_title(f"{title}\ncost {cost_of(z[None], kind[None])[0]:g}", fontsize=10)
    ax.set_axis_off()
figure.legend(handles=[Patch(color=paint, label=f"{word}, {cost:g}") for word, paint, cost in zip(KINDS, PAINT, COST)],
              loc="outside lower center", ncols=5, fontsize=9)
plt.show()



def as_costs(learnt):
    """Scores (..., 5) as costs: meadow and water, the last axis' ends, set to their true ones."""
    meadow, water = learnt[..., :1], learnt[..., -1:]
    return (learnt - meadow) / (water - meadow) * (COST[-1] - COST[0]) + COST[0]


figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.0))
for method, shade, dash in (("direct", plots.colour("direct"), "-"), ("Fenchel-Young", plots.FURTHER[1], ":")):
    curves = np.array([trained[method, seed][0] for seed in SEEDS])
    learnt = np.array([trained[method, seed][3] for seed in SEEDS])             # (seeds, epochs, kinds)
    once = [method, *["_"] * (len(SEEDS) - 1)]
    left.plot(100 * curves[:, :, 2].T, color=shade, linestyle=dash, label=once)
    right.plot(COST, as_costs(learnt[:, -1]).T, color=shade, linestyle=dash, marker="o", label=once)
    mean = as_costs(learnt[:, -1]).mean(axis=0)
    print(f"{method:14s} learnt costs, mean of the seeds:", ", ".join(f"{word} {cost:.2f}" for word, cost
                                                                     in zip(KINDS, mean)))
right.plot(COST, COST, color=plots.TRUTH, linewidth=1, label="true")
left.set(xlabel="epoch of 200 terrains", ylabel="cost above the least, %", yscale="log")
right.set(xlabel="true cost of a step", ylabel="learnt cost, rescaled")
left.legend(fontsize=9)
right.legend(fontsize=9)
plt.show()

# %% [markdown]
# What to see. Above: black the path. Before training it runs through anything. Below left: a line a seed. The two
# methods lie on top of each other. Below right: the learnt score of each pure colour. Walks fix the costs up to a
# constant, since all paths have 31 cells, and up to a scale, since the cheapest path does not depend on it. So water
# and meadow are set to their true costs, and the other three can be judged. In the mean of the seeds they are too high,
# wood (2.5 in truth) with both methods, though single seeds come out right. Why?
#
# Both methods suppose that the walker makes mistakes: the model is the best path for *noisy* scores. Our walkers make
# none. If that is the reason, then walkers who make just these mistakes must teach the true costs. To test it we leave
# the network out, and learn one score for each kind of ground, by Fenchel-Young:

# %%
def five_scores(mistakes, seed, steps=250, rate=0.3):
    """The walkers are sure of the costs, or make mistakes as the model supposes.  Learnt costs (5,)."""
    rng = np.random.default_rng(seed)
    kind, _ = make_terrains(500, rng)
    y = best_path(-2 * COST[kind] + mistakes * gumbel.sample(kind.shape, rng))
    count = lambda z, kind: np.array([(z * (kind == place)).sum() for place in range(5)]) / len(kind)
    scores = np.zeros(5)
    for step in range(steps):
        rows = rng.integers(len(kind), size=50)
        z_star = best_path(scores[kind[rows]] + gumbel.sample((50, SIDE, SIDE), rng))
        scores = scores + rate * (1 - step / steps) * (count(y[rows], kind[rows]) - count(z_star, kind[rows]))
    return as_costs(scores)


wood = {}
for mistakes, words in ((0, "walkers without mistakes"), (1, "walkers with the model's mistakes")):
    costs = np.array([five_scores(mistakes, seed) for seed in range(3)])
    wood[mistakes] = costs[:, 2].mean()
    print(f"{words:34s} sand, wood, rock: {costs.mean(axis=0)[1:4].round(2)}, "
          f"wood in three seeds {costs[:, 2].round(2)}")
print(f"{'true':34s} sand, wood, rock: {COST[1:4]}")
assert wood[0] - 2.5 > 0.2 > 0.1 > abs(wood[1] - 2.5)

# %% [markdown]
# With the model's own mistakes in the walks the costs come out right, up to noise. Without them they are too high with
# all three seeds. So where the model is true, the gradient finds the true costs. Whether more steps would mend the
# other case was not tried. Single networks above found the costs all the same.
#
# ## Which is the tool for what
#
# - **All values of $f$ in a table**: enumerate, or take one variable at a time (local expectation, chapter 7). No bias,
#   and little noise or none.
# - **$f$ at samples only, and a $q$ that is known**: REINFORCE and its kin, with a baseline (chapter 7). With a $q$
#   that is *not* known, because a solver stands between the noise and $z$: the score function of the noise. It is
#   noisier, and needs the baseline even more.
# - **A $y$ was observed**: Fenchel-Young. One arg max, no $\epsilon$, a loss that is convex in $h$.
# - **A score $f$ that can be added to the scores**, because it is linear in $z$: direct, with a second call of the same
#   solver. If $f$ is a distance to an observed $y$, try Fenchel-Young first. Ours showed no difference. Where there is
#   no $y$, and $f$ is linear, direct needs no baseline.
# - **Any other $f$**: the second arg max needs the list of all values, as for the twenty paths. Or $f$ is replaced: by
#   its slope at $z^{\star}$, which is implicit MLE, whose bias stays where $f$ is bent; or by its single changes there,
#   whose bias goes away with $\epsilon$ where the variables are independent (chapter 7), and stays where they pull each
#   other (chapter 8).
# - **Decisions without noise that must stay so**: blackbox differentiation, with an $\epsilon$ so large that the ramps
#   reach where $h$ is.
#
# Our example could do without: on a grid the *sum* over paths is as cheap as the maximum, with logsumexp in the place
# of max (exercise 3), if every path has a noise of its own. So for a linear score the exact gradient costs a few such
# sweeps. (Exercise 3 has the first derivative. That of $E f$ is one more, in the direction of $f$.) It is so for chains
# and trees too. For the cuts of chapter 8 and for matchings no such recursion is known: the best matching of $n$ pairs
# is found in about $n^3$ steps, but counting the perfect matchings of a bipartite graph is #P-complete (Valiant 1979).
# What was done here for paths asks for an arg max and nothing else, so that it can be done for these word by word.
# Paths were taken because twenty of them can be listed.
#
# ## Exercises
#
# **1 (easy).** Let $f$ be a constant, 1. The gradient is 0. What is the variance of the score function of the noise, of
# REINFORCE, and of direct? What does that say about baselines?
#
# <details><summary>Solution</summary>
#
# 1 in each component, the variance of an exponential; $q_i (1 - q_i)$; and 0. Both score functions need a baseline, the
# first more urgently. Direct needs none: a constant moves no arg max.
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
# **2 (middling).** Show that $f(z(h)) \le \text{ramp}(h) \le f(z(h + \epsilon f))$, and check it.
#
# <details><summary>Solution</summary>
#
# Put $z = z(h)$ into the first maximum of the ramp: it is at least $\epsilon f(z) + h(z)$, and the second one is
# $h(z)$. For the other side put the winner of the first maximum into the second, which is at least its $h$.
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
#   variance explodes (chapter 2).
# - The scale of $\epsilon f$ against $h$ and the noise. Hamming losses grow with the length of the path. So $\epsilon$
#   is smaller for long paths, or $z(\epsilon)$ is always $y$.
#
# ## What to read next
#
# In the package: `refimpl/latent/paths.py`, `refimpl/estimators/perturbed.py`, `refimpl/estimators/imle.py`. Vlastelica
# et al., *Differentiation of blackbox combinatorial solvers* (ICLR 2020); Berthet et al., *Learning with differentiable
# perturbed optimizers* (NeurIPS 2020); Niepert et al., *Implicit MLE* (NeurIPS 2021); McAllester et al., *Direct loss
# minimization for structured prediction* (NIPS 2010). Then [results.md](results.md).
