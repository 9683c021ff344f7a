# %% [markdown]
# # 8. Structured encoders
#
# **You will** give scores to pairs of variables of $z$, find the arg max by a minimum cut and by an integer program,
# and differentiate through the arg max. **You will learn** why any solver can be used (direct optimisation needs only
# an arg max of the encoder), what the second arg max requires of $f$, and when pair scores help. **You need** chapters
# [2](02_theorem_1.ipynb) and [7](07_many_variables.ipynb). This chapter runs in about five seconds. Three trained runs
# are loaded; `python -m refimpl make tutorial-runs --write structured-none structured-non-negative structured-any-sign`
# makes them again in about a minute and a half. The symbols are listed at the end.
#
# In the formulas, the variables are counted from 1, and in the code from 0.

# %%
import start    # if it is not found: clone the whole repository, and run this chapter in its folder tutorials/

import itertools

import matplotlib.pyplot as plt
import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp, minimize
from scipy.sparse import csr_array
from scipy.sparse.csgraph import breadth_first_order, maximum_flow

import later_figures
import later_rows

rng = np.random.default_rng(4)


def score(u, w, z):
    pairs = itertools.combinations(range(len(u)), 2)
    return u @ z + sum(value * z[i] * z[j] for value, (i, j) in zip(w, pairs))


# %% [markdown]
# ## Why pairs
#
# In chapter 7 each $z_i$ was chosen independently of the others. But the attributes of a picture are not independent.
# In pictures of faces, for example, glasses are more frequent with some attributes than with others. Let each variable
# have a *unary score* $u_i$, which is added to $h$ if $z_i = 1$, and let each pair of variables have a *pair score*
# $w_{ij}$, which is added if $z_i$ and $z_j$ are both 1. Pair scores have a price: the arg max can no longer be found
# for each variable separately. For now we find it by comparing all $2^n$ vectors:

# %%
def by_enumeration(u, w):
    every = list(itertools.product([0, 1], repeat=len(u)))
    return np.array(max(every, key=lambda z: score(u, w, np.array(z))))


u = np.array([-0.5, 0.8, -0.4, -0.9])
w = np.array([0.9, 0.4, 0.0, 0.7, 0.6, 0.2])                # pairs 12, 13, 14, 23, 24, 34
best = by_enumeration(u, w)
alone = (u > 0).astype(int)
print("alone:", alone, "  together:", best, f"  scores {score(u, w, alone):.2f} and {score(u, w, best):.2f}")

# %% [markdown]
# If each variable is chosen separately, only $z_2$ is 1. With the pair scores, $z_1$ and $z_3$ are 1 as well, because
# their pair scores with $z_2$ are positive. But $z_4$ stays 0.
#
# ## A minimum cut
#
# If no $w_{ij}$ is negative, the arg max can be found in polynomial time, as a minimum cut of a graph (Hammer 1965).
# Such an $h$ is called *supermodular*, and $-h$ is called *submodular*. (These are the words to search for.) To find
# the graph, use the identity $-w_{ij} z_i z_j = -\frac{w_{ij}}{2}(z_i + z_j) + \frac{w_{ij}}{2} |z_i - z_j|$, which
# holds for all four pairs of values of $z_i$ and $z_j$. Then
#
# $$-h(z) = \sum_i \kappa_i z_i + \sum_{i<j} \frac{w_{ij}}{2} |z_i - z_j|, \qquad \kappa_i = -u_i - \frac12 \sum_j w_{ij}$$
#
# Think of $-h(z)$ as a total cost, which should be small. The variables are divided into two camps, *source* ($z = 1$)
# and *sink* ($z = 0$). Putting $i$ and $j$ into different camps costs $w_{ij}/2$. If $\kappa_i < 0$, putting $i$ into
# the sink's camp costs $-\kappa_i$. If $\kappa_i > 0$, putting $i$ into the source's camp costs $\kappa_i$. The
# cheapest division is a minimum cut, and a maximum flow finds it. Here is the graph of our example.

# %%
def terminals(u, w):
    kappa = -np.asarray(u, float)
    for value, (i, j) in zip(w, itertools.combinations(range(len(u)), 2)):
        kappa[i] -= value / 2
        kappa[j] -= value / 2
    return kappa


kappa = terminals(u, w)
edges = [(i, j, value / 2) for value, (i, j) in zip(w, itertools.combinations(range(4), 2)) if value > 0]
edges += [("source", i, -kappa[i]) if kappa[i] < 0 else (i, "sink", kappa[i]) for i in range(4) if kappa[i] != 0]
side = {**{i: bool(best[i]) for i in range(4)}, "source": True, "sink": False}
later_figures.cut(edges, side)
plt.show()

constant = np.minimum(kappa, 0).sum()                       # -h = sum of the cut edges + this constant
bill = sum(capacity for one, other, capacity in edges if side[one] != side[other])
assert np.isclose(bill + constant, -score(u, w, best))
print(f"the cut edges add up to {bill:.2f}; with the constant {constant:.2f} that is -h = {-score(u, w, best):.2f}")

# %% [markdown]
# **What to see.** Blue variables are in the source's camp. The thicker an edge is, the more it costs to cut it. The
# dashed edges are cut, and no other division costs less. In the next cell, scipy finds this cheapest division. Scipy's
# function `maximum_flow` requires integers, so the capacities are scaled up and rounded. Then the flow is subtracted
# from the capacities. A variable is in the source's camp if the source is connected to it by edges with some capacity
# left.

# %%
def by_min_cut(u, w, unit=1e6):
    n, kappa = len(u), terminals(u, w)
    rows, columns, capacity = [], [], []
    for i in range(n):
        rows.append(n if kappa[i] < 0 else i)               # n is the source, n + 1 the sink
        columns.append(i if kappa[i] < 0 else n + 1)
        capacity.append(abs(kappa[i]))
    for value, (i, j) in zip(w, itertools.combinations(range(n), 2)):
        rows += [i, j]
        columns += [j, i]
        capacity += [value / 2, value / 2]
    ends = np.array([rows, columns], np.int32)
    graph = csr_array((np.rint(np.array(capacity) * unit).astype(np.int32), ends), shape=(n + 2, n + 2))
    residual = graph - maximum_flow(graph, n, n + 1).flow
    residual.data = np.maximum(residual.data, 0)
    residual.eliminate_zeros()
    z = np.zeros(n, int)
    reached = breadth_first_order(residual, n, return_predecessors=False)
    z[reached[reached < n]] = 1
    return z


assert (by_min_cut(u, w) == best).all()
for _ in range(100):
    n = rng.integers(2, 8)
    unary, pair = rng.normal(size=n), rng.exponential(size=n * (n - 1) // 2)
    unary -= pair.mean() * (n - 1) / 2                      # otherwise z would often be all ones
    found, true = by_min_cut(unary, pair), by_enumeration(unary, pair)
    assert np.isclose(score(unary, pair, found), score(unary, pair, true), atol=1e-4)
print("minimum cut and enumeration agree on 100 random instances")

# %% [markdown]
# ## Pair scores of any sign: an integer program
#
# A negative pair score lowers $h$ if both variables are 1. With such scores, the problem is NP-hard in general. (A cut
# can still find the best values of *some* variables. This use of a cut is called QPBO, quadratic pseudo-Boolean
# optimisation, or roof duality.) An integer linear program allows pair scores of any sign. Each product $z_i z_j$
# becomes a new variable $z_{ij}$. Three inequalities make it equal to the product: $z_{ij} \le z_i$, $z_{ij} \le z_j$
# and $z_{ij} \ge z_i + z_j - 1$. Then $\sum_i u_i z_i + \sum_{i<j} w_{ij} z_{ij}$ is linear, and the program maximises
# this sum.

# %%
def by_integer_program(u, w):
    n, pairs = len(u), list(itertools.combinations(range(len(u)), 2))
    rows, upper = [], []
    for place, (i, j) in enumerate(pairs):
        product = n + place
        for coefficients, bound in (({i: -1, product: 1}, 0), ({j: -1, product: 1}, 0), ({i: 1, j: 1, product: -1}, 1)):
            row = np.zeros(n + len(pairs))
            row[list(coefficients)] = list(coefficients.values())
            rows.append(row)
            upper.append(bound)
    integer = np.r_[np.ones(n), np.zeros(len(pairs))]       # the products need no such condition
    held = LinearConstraint(np.array(rows), -np.inf, upper)
    found = milp(-np.r_[u, w], integrality=integer, bounds=Bounds(0, 1), constraints=held)
    return np.rint(found.x[:n]).astype(int)


for _ in range(20):
    n = rng.integers(2, 7)
    unary, pair = rng.normal(size=n), 1.5 * rng.normal(size=n * (n - 1) // 2)
    found, true = by_integer_program(unary, pair), by_enumeration(unary, pair)
    assert np.isclose(score(unary, pair, found), score(unary, pair, true), atol=1e-6)
print("integer program and enumeration agree on 20 random instances with pair scores of any sign")

# %% [markdown]
# ## Direct optimisation through a solver
#
# The score $h(z)$ is linear in all $u_i$ and $w_{ij}$: $\partial h(z) / \partial u_i = z_i$ and
# $\partial h(z) / \partial w_{ij} = z_i z_j$. So the estimate of Theorem 1 consists of differences between two arg
# maxes:
#
# $$\frac{\partial}{\partial u_i} \approx \frac{z_i(\epsilon) - z^{\star}_i}{\epsilon}, \qquad \frac{\partial}{\partial w_{ij}} \approx \frac{z_i(\epsilon) z_j(\epsilon) - z^{\star}_i z^{\star}_j}{\epsilon}$$
#
# There is noise on the unary scores only: $\gamma_i$ is added to $u_i$. Is that enough for Theorem 1? For $u_i$ the
# argument of chapter 7 applies: in an integral over $u_i + \gamma_i$, the score $u_i$ occurs only in the smooth
# density, and not in the maximum. For $w_{ij}$ this argument fails, because $w_{ij}$ has no noise. So $w_{ij}$ stays in
# the maximum, and the derivative of the maximum with respect to $w_{ij}$ is the product $z_i z_j$ at the arg max. This
# product jumps. Nevertheless Theorem 1 holds for $w_{ij}$ too. [Appendix D](appendix_d_unary_noise.ipynb) proves this
# with the walls of chapter 2: where two 0/1 vectors tie, they differ in some variable, and the noise of that variable
# smooths the tie.
#
# *The first arg max* maximises $h + \gamma$. This is a problem with unary and pair scores, in which $u_i + \gamma_i$
# replaces $u_i$. Any solver can be used.
#
# *The second arg max* maximises $\epsilon f + h + \gamma$. It is a problem of the same kind only if $f$ is also a sum
# of unary and pair scores. The score of a decoder is not such a sum: each of the $2^n$ vectors can have any score.
# Then neither a cut nor an integer program of this form finds $z(\epsilon)$, and the exact arg max requires a list of
# all vectors. So training uses the approximation of chapter 7 instead. Evaluate $f$ at $z^{\star}$ and at the $n$
# vectors that differ from it in one variable. Let $\text{gain}_i$ be the change of $f$ when $z_i$ changes from 0 to 1
# and the other variables stay as in $z^{\star}$. Add $\epsilon\, \text{gain}_i$ to $u_i$:
#
# $$z(\epsilon) \approx \arg\max_z \Big\{ \sum_i (u_i + \gamma_i + \epsilon\, \text{gain}_i) z_i + \sum_{i<j} w_{ij} z_i z_j \Big\}$$
#
# The pair scores have not changed, so this arg max is one more problem for the same solver. The package works in this
# way (`refimpl/estimators/direct.py`, `estimate`).
#
# With this approximation, does the mean of $(z(\epsilon) - z^{\star})/\epsilon$ tend to the gradient as
# $\epsilon \to 0$? In chapter 7 it does: the variables were independent, and at a small $\epsilon$ two of them hardly
# ever change at once. Here two variables with a positive pair score often change at once. Then $f$ changes by
# $f(z(\epsilon)) - f(z^{\star})$. Unless $f$ is linear in $z$, this is not the sum of the changes of $f$ that the two
# variables cause separately. The gains contain only these separate changes, so a bias remains.
#
# The next cell checks two estimates against finite differences of $E f(z^{\star})$: the estimate with the exact second
# arg max, and the estimate with the arg max by gains. The estimates and the differences use the same noise:

# %%
n = 3
every = np.array(list(itertools.product([0, 1], repeat=n)))
products = np.array([[z[i] * z[j] for i, j in itertools.combinations(range(n), 2)] for z in every])
f = 2 * rng.normal(size=len(every))                         # a score for each of the eight vectors
u0, w0 = rng.normal(size=n), rng.normal(size=3)
M = 150_000
noise = rng.logistic(size=(M, n))                           # gamma_i(1) - gamma_i(0)


def solve(u, w, eps=0.0):
    return ((u + noise) @ every.T + w @ products.T + eps * f).argmax(axis=1)


def gains(z):
    """f with z_i = 1 less f with z_i = 0, the other variables as in z: (places, n)."""
    place = every @ 2 ** np.arange(n)[::-1]                 # of a vector in `every`
    assert (place == np.arange(len(every))).all()
    bit = 2 ** np.arange(n)[::-1]
    off = place[:, None] - every * bit                      # the same vector with z_i = 0
    return (f[off + bit] - f[off])[z]


def estimate(z_eps, eps):
    return np.c_[every[z_eps] - every[z_star], products[z_eps] - products[z_star]] / eps


step, z_star = 0.05, solve(u0, w0)                          # z is given by its place in `every`
paired = []
for unit in np.eye(6):
    above, below = solve(u0 + step * unit[:3], w0 + step * unit[3:]), solve(u0 - step * unit[:3], w0 - step * unit[3:])
    paired.append((f[above] - f[below]) / (2 * step))
paired = np.array(paired).T
print("finite differences of E f", paired.mean(axis=0).round(3), "±", (paired.std(axis=0) / np.sqrt(M)).round(3))
off = {}
for eps in (0.1, 0.02):
    by_list = solve(u0, w0, eps)
    by_gains = ((u0 + noise + eps * gains(z_star)) @ every.T + w0 @ products.T).argmax(axis=1)
    for name, z_eps in (("z(eps) from the list", by_list), ("z(eps) by gains", by_gains)):
        g = estimate(z_eps, eps)
        difference = g - paired                             # draw by draw: they share the noise
        off[name, eps] = np.abs(difference.mean(axis=0)), difference.std(axis=0) / np.sqrt(M)
        print(f"{name:20s} {eps:4.2f}", g.mean(axis=0).round(3),
              f"distance {np.linalg.norm(difference.mean(axis=0)):.3f}")

# %% [markdown]
# With the exact arg max from the list, the estimate agrees with the finite differences at $\epsilon = 0.02$, up to
# noise and the small bias that is left at this $\epsilon$. At $\epsilon = 0.1$ the bias is plain to see. With the arg
# max by gains there is a bias that does not go away, however small $\epsilon$ is. This is the price of evaluating $f$
# at only $n + 1$ vectors. ($f$ is a random table here. The size of the bias depends on how nonlinear $f$ is.)
#
# There is no closed form for $q$ here. The noise is on single variables only, so the law of the *perturbed* arg max
# is not the softmax of $h(z)$. (For two variables, this law is an integral over one number, and it is computed below.)
# The KL term is well defined, but there is no formula for it or for the bound. The released code uses the KL divergence
# of the softmax of the unary scores instead. With this term, the result is not a bound on $\log p(x)$. But $\log p(x)$
# itself can still be computed exactly, by enumeration over $z$. So we report $\log p(x)$.

# %% [markdown]
# If $f$ itself is a sum of unary and pair scores, neither arg max has to be approximated. (But the estimate still has a
# bias, because $\epsilon$ is finite: here $\epsilon = 0.5$.) The scores of $\epsilon f$ are added to those of $h$. If
# no pair score is negative, both arg maxes are minimum cuts. The next example has twenty variables, that is, a million
# vectors. We take a hundred draws in each step and use the package's solver, which finds many cuts at once. Starting at
# $u = 0$ and $w_{ij} = 0$, we follow the gradient of $E f$ upwards. A pair score that would fall below 0 is set to 0.
# (Such an ascent can end in a local maximum.)

# %%
from refimpl.latent.solvers import REGISTRY

maxflow, many, draw = REGISTRY["maxflow"].argmax, 20, np.random.default_rng(3)
first, second = np.triu_indices(many, 1)                    # the pairs
f_unary, f_pair = draw.normal(size=many) - 0.7, draw.exponential(size=len(first)) / 10
f_of = lambda z: z @ f_unary + (z[:, first] * z[:, second]) @ f_pair
unary, pair, eps, kept = np.zeros(many), np.zeros(len(first)), 0.5, []
for _ in range(150):
    noisy = unary + draw.logistic(size=(100, many))
    pairs = np.broadcast_to(pair, (100, len(pair)))
    star, tilted = maxflow(noisy, pairs), maxflow(noisy + eps * f_unary, pairs + eps * f_pair)
    kept.append(f_of(star).mean())
    unary = unary + (tilted - star).mean(axis=0) / eps
    pair = pair + (tilted[:, first] * tilted[:, second] - star[:, first] * star[:, second]).mean(axis=0) / eps
    pair = np.maximum(pair, 0)                              # a negative one would not allow a cut
highest = f_of(maxflow(f_unary[None], f_pair[None]))[0]
print(f"E f, with 300 calls that cut a hundred graphs each: {kept[0]:.2f} at first, {kept[-1]:.2f} at the end; "
      f"the largest f, by one more cut: {highest:.2f}")

# %% [markdown]
# For two variables, both sides of Theorem 1 can be computed without sampling. Write $v_1 = u_1 + \gamma_1$. Given
# $v_1$, the probability of $z_2 = 1$ is the sigmoid of a number. Then only an integral over $v_1$ is left, and its
# integrand has two kinks: one where the best $z_1$ for $z_2 = 0$ changes, and one where the best $z_1$ for $z_2 = 1$
# changes.

# %%
nodes, weights = np.polynomial.legendre.leggauss(60)


def law(at, eps, f):
    """The probabilities of z = 00, 01, 10, 11 at (u_1, u_2, w_12), by Gauss's rule between the kinks.

    The variable of integration is s = sigmoid(gamma_1)."""
    sigmoid = lambda a: 1 / (1 + np.exp(-a))
    kinks = np.array([eps * (f[0] - f[2]), eps * (f[1] - f[3]) - at[2]])             # of v_1
    edges = np.sort(np.r_[0.0, sigmoid(kinks - at[0]), 1.0])
    chance = np.zeros(4)
    for low, high in zip(edges[:-1], edges[1:]):
        s = low + (high - low) * (nodes + 1) / 2
        v = at[0] + np.log(s / (1 - s))
        without = np.array([0 * v + eps * f[0], v + eps * f[2]])                        # z_2 = 0: z_1 = 0 or 1
        beside = np.array([0 * v + eps * f[1], v + at[2] + eps * f[3]])              # z_2 = 1
        one = sigmoid(at[1] + beside.max(axis=0) - without.max(axis=0))              # P(z_2 = 1 given v_1)
        for z_1 in (0, 1):
            chance[2 * z_1] += ((1 - one) * (without.argmax(axis=0) == z_1)) @ weights * (high - low) / 2
            chance[2 * z_1 + 1] += (one * (beside.argmax(axis=0) == z_1)) @ weights * (high - low) / 2
    return chance


def slope(function, step=1e-3):
    """The derivative at 0, by a finite difference of fourth order."""
    return (8 * (function(step) - function(-step)) - function(2 * step) + function(-2 * step)) / (12 * step)


at, f_two = np.array([0.4, -0.7, 0.9]), np.array([0.5, -1.0, 0.3, 2.0])
features = np.array([[0, 0, 0], [0, 1, 0], [1, 0, 0], [1, 1, 1]])                            # z_1, z_2, z_1 z_2
left = [slope(lambda t: law(at + t * unit, 0.0, f_two) @ f_two) for unit in np.eye(3)]
right = slope(lambda eps: law(at, eps, f_two) @ features)
print("d/d(u_1, u_2, w_12) of E f(z*)              ", np.array(left))
print("d/d eps of the means of z_1, z_2, z_1 z_2   ", right)

# %% [markdown]
# ## When do pairs help?
#
# Pair scores help where the *posterior* is coupled. The posterior is the law $p(z \mid x)$ that the encoder should
# imitate. Take two variables, and let their posterior be proportional to $e^{f(z)}$. Their coupling is known: $f$ is
# higher by a fixed number of nats if $z_1 = z_2$. Apart from this, $f$ is nearly the same for all $z$. The table shows
# the least gap $\text{KL}(q \| \text{posterior})$ that an encoder can reach, first without pairs and then with pairs.
# This gap is what we lose because $q$ differs from the posterior. With pairs, $q$ is the law of the perturbed arg max,
# and it is computed by the integral above.
#
# Can training by direct optimisation find this least gap? Here $q$ is known, so $f$ can be replaced by
# $f(z) - \log q(z)$. Training then raises the mean of this function by gradient ascent. Within each step, the $q$ in
# the function is held fixed. (Holding $q$ fixed does no harm, because the mean slope of $\log q$ is zero.) The second
# arg max is found by listing all four vectors. Encoders with and without pairs are trained for 150 steps of 300 draws.

# %%
four = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
unary_f = np.array([0.0, 0.3, -0.2, 0.1])


def gap(at, f):
    q = law(at, 0.0, np.zeros(4))
    return q @ (np.log(np.maximum(q, 1e-300)) - f) + np.log(np.exp(f).sum())


def trained(f, with_pairs, eps=0.1, steps=150):
    at, draw = np.zeros(3), np.random.default_rng(0)
    for step in range(steps):
        reward = f - np.log(law(at, 0.0, np.zeros(4)))
        total = (at[:2] + draw.logistic(size=(300, 2))) @ four.T + at[2] * features[:, 2]
        g = (features[(total + eps * reward).argmax(axis=1)] - features[total.argmax(axis=1)]).mean(axis=0) / eps
        at = at + 2.0 * (1 - step / steps) * g * [1, 1, with_pairs]
    return gap(at, f)


print("coupling   least gap: no pairs   pairs   best w_12   gap after training: no pairs   pairs")
for coupling in (0.0, 1.0, 2.0, 4.0):
    f_four = unary_f + coupling * (four[:, 0] == four[:, 1])
    alone = min((minimize(lambda u: gap(np.r_[u, 0.0], f_four), start, method="Nelder-Mead").fun
                 for start in ([0.5, 0.5], [2.0, 2.0])))
    joint = minimize(gap, [-coupling / 2, -coupling / 2, coupling], args=(f_four,), method="Nelder-Mead")
    line = f"{coupling:8.0f} {alone:22.3f} {joint.fun:7.3f} {joint.x[2]:11.2f}"
    if coupling >= 2:
        direct_alone, direct_joint = trained(f_four, 0), trained(f_four, 1)
        line += f"{direct_alone:30.3f} {direct_joint:7.3f}"
        assert alone <= direct_alone + 1e-6 < alone + 0.05 and direct_joint < 0.02 < alone
    print(line)
    assert joint.fun <= alone + 1e-6 and (joint.fun < 1e-3 or coupling == 0)

# %% [markdown]
# **What to see.** Without coupling, pair scores are of no use. With coupling, an encoder without pairs has two choices.
# It can take one mode (00 or 11), or spread its probability over all vectors, also the wrong ones. Either choice costs
# up to $\log 2 = 0.69$ nats. With a pair score nothing is lost, because two unary scores and one pair score can give
# any law of two variables. Direct optimisation finds such scores. Is the posterior of a decoder coupled? That depends
# on training, because a decoder can also learn to code its images with independent variables. So we have to look at
# trained models:

# %%
runs = later_rows.structured()
for words, nats in runs.items():
    print(f"{words:18s} -log p(x) after each epoch:", np.round(nats, 1))
n_of = {"enumeration": (4, 6, 8, 10, 12, 14), "maxflow": (4, 8, 12, 20), "milp": (4, 8)}
taken = later_rows.milliseconds(n_of, rng)                                  # of a hundred arg maxes
for name, ns in n_of.items():
    print(f"{name:12s}", ", ".join(f"n = {n}: {each:.2f} ms" for n, each in zip(ns, taken[name])))
later_figures.structured(runs, n_of, taken)
plt.show()

# %% [markdown]
# **What to see.** Left: the curves show three runs on Fashion-MNIST, with eight variables, eight epochs and one seed.
# None of them uses the gradient of the KL term. All three improve, and *the encoders with pairs are behind at the end*.
# The second arg max is found by gains, as above. The runs in [results.md](results.md#structured-encoders) have fifteen
# variables, ten epochs and three seeds. There the encoder whose $w_{ij}$ may have any sign is 1.4 nats *ahead* of the
# encoder without pairs, and only the encoder with $w_{ij} \ge 0$ is behind.
#
# Right: the curves show the time of a hundred arg maxes. Enumeration lists twice as many vectors with each additional
# variable. From about $n = 8$ on, its time also roughly doubles. With few variables, enumeration is the fastest method.
# The time of the minimum cut (`maxflow`) grows more slowly, and for larger $n$ the cut is faster than enumeration. The
# integer program (`milp`) needs one call for each image, and takes longest by far, but it allows pair scores of any
# sign. (Five images were timed for `milp`, and the time was scaled up to a hundred.) `maxflow` handles all hundred
# images at once, as arrays, and does not round the capacities. (The trained runs with pairs used `enumeration`, or
# `persistency`, which fixes the variables that are certain and enumerates the rest. All exact solvers find the same arg
# max.)
#
# ## Exercises
#
# **1 (easy).** Give an example with a negative $w_{ij}$ for which the minimum cut fails, and say which step of the
# construction fails.
#
# <details><summary>Solution</summary>
#
# The formula for $-h$ holds whether $w_{ij}$ is positive or negative. But if $w_{ij}$ is negative, so is the capacity
# $w_{ij}/2$. A flow requires capacities of at least 0. An example is two variables with positive unary scores and a
# strongly negative pair score:
#
# ```python
# unary, pair = np.array([1.0, 0.9]), np.array([-3.0])
# assert (by_enumeration(unary, pair) == [1, 0]).all() and (by_integer_program(unary, pair) == [1, 0]).all()
# assert (by_min_cut(unary, pair) != [1, 0]).any()            # our function returns a wrong z, without a warning
# from refimpl.latent.solvers import maxflow                  # the package's function raises a ValueError
# try:
#     maxflow.argmax(unary[None], pair[None])
#     raise SystemExit("it should have refused")
# except ValueError as refusal:
#     assert "negative" in str(refusal)
# ```
#
# </details>
#
# **2 (medium).** The best value of some variables is *certain*, whatever the other variables are. Set variables with
# $u_i + \sum_j \min(w_{ij}, 0) > 0$ to 1 and those with $u_i + \sum_j \max(w_{ij}, 0) < 0$ to 0, and check that these
# values are correct.
#
# <details><summary>Solution</summary>
#
# ```python
# for _ in range(100):
#     unary, pair = 2 * rng.normal(size=5), rng.normal(size=10)
#     square = np.zeros((5, 5))
#     square[np.triu_indices(5, 1)] = pair
#     square += square.T
#     on, off = unary + np.minimum(square, 0).sum(axis=1) > 0, unary + np.maximum(square, 0).sum(axis=1) < 0
#     z = by_enumeration(unary, pair)
#     assert (z[on] == 1).all() and (z[off] == 0).all()
# ```
#
# </details>
#
# **3 (hard).** When the capacities are rounded to integers, the cut that is found is not always the best one. So the
# score $h(z)$ of this cut can be below the maximum, but how far below? Find a bound that depends on `unit`, and test
# the bound with `unit=20`.
#
# <details><summary>Solution</summary>
#
# Rounding changes each capacity by at most $\frac12 / \text{unit}$. A cut has at most $n + n(n-1)/2$ edges, so its cost
# changes by at most $\frac12 (n + n(n-1)/2) / \text{unit}$. Two cuts are compared, so the score of the cut that is
# found differs from the maximum by at most twice this bound.
#
# ```python
# for _ in range(100):
#     unary, pair = rng.normal(size=5) - 1, rng.exponential(size=10)
#     loss = score(unary, pair, by_enumeration(unary, pair)) - score(unary, pair, by_min_cut(unary, pair, unit=20))
#     assert -1e-9 <= loss <= (5 + 10) / 20
# ```
#
# </details>
#
# ## Where it goes wrong in practice
#
# - An *undirected* edge is given its capacity in only one of the two directions.
# - In the released code $w_{ij}$ is the softplus of an output of the network. This output is near 0 at the start, and
#   softplus of 0 is 0.7. So the pair scores of each variable add up to $0.7 (n-1)$. This sum is so large that training
#   starts with $z = (1, \ldots, 1)$ for every image. Training has to undo that first
#   (`python -m refimpl measure codes DIR` counts how many different $z$ the images get). The package starts this output
#   at $-3$, unless `--pair-start 0` is given.
# - The KL divergence of the unary softmax is reported as if it belonged to the arg max with pair scores.
#
# ## Now write it yourself
#
# The gains of this chapter are computed from the table of single changes. In workbook file 12 you write a function that
# returns this table. Check the file with `python tutorials/workbook/check.py 12`. A structured encoder also needs a
# solver. And it needs the difference of two arg maxes, which you write in file 4.
#
# ## What to read next
#
# [Chapter 9](09_few_labels.ipynb) is about training with a few labels. In the package, see
# `refimpl/latent/pairwise.py`, `refimpl/latent/solvers/` and `refimpl/estimators/direct.py`. Papandreou and Yuille,
# *Perturb-and-MAP random fields* (2011), describe the law of the perturbed arg max.
#
# ## Symbols
#
# | symbol | in the code | the slides write | meaning |
# | --- | --- | --- | --- |
# | $z = (z_1, \ldots, z_n)$ | `z` (n,) | $z_1, \ldots, z_n$ | $n$ binary variables |
# | $u_i$ | `u` (n,) | $\phi_i(x, z_i)$ | unary score: what $h$ gains if $z_i = 1$ |
# | $w_{ij}$ | `w` (pairs,) | $\phi_{ij}(x, z_i, z_j)$ | pair score: what $h$ gains if $z_i = z_j = 1$ |
# | $h(z)$ | `score(u, w, z)` | $\phi(x,z)$ | the encoder's score of the whole vector: $\sum_i u_i z_i + \sum_{i<j} w_{ij} z_i z_j$ |
# | $f(z)$ | `f` | $\theta(x,z)$ | the decoder's score of the whole vector |
# | $\gamma_i$ | `noise` (M, n) | $\gamma_i(1) - \gamma_i(0)$ | logistic noise of variable $i$, added to $u_i$ |
# | $z^{\star}$, $z(\epsilon)$ | `z_star`, `z_eps` | $z^{\phi+\gamma}$, $z^{\epsilon\theta+\phi+\gamma}$ | arg max of $h(z) + \sum_i \gamma_i z_i$, and with $\epsilon f(z)$ added |
# | $\kappa_i$ | `kappa` | | what $z_i = 1$ costs in the minimum cut, apart from the edges to other variables |
# | $z_{ij}$ | `product` | | the product $z_i z_j$, as a variable of the integer program |
# | $\text{gain}_i$ | `gain` | | what $f$ gains if $z_i$ is 1 instead of 0, while the other variables are as in $z^{\star}$ |
# | $v_1$ | `v` | | the perturbed score $u_1 + \gamma_1$ |
# | $M$ | `M` | | number of samples |
