# %% [markdown]
# # 8. Structured encoders
#
# **You will** let variables of $z$ score in pairs, find the arg max as a minimum cut and as an integer program, and
# differentiate through it. **You will learn** that direct optimisation needs nothing of the encoder but an arg max, so
# that any solver will do; what its second arg max asks of $f$; and when pair scores help. **You need** chapters
# [2](02_theorem_1.ipynb) and [7](07_many_variables.ipynb). It runs in about five seconds. Three trained runs are
# loaded; `python -m refimpl make tutorial-runs --write structured-none structured-non-negative structured-any-sign`
# makes them again in about a minute and a half. The symbols are listed at the end.
#
# In formulas the variables are counted from 1, in the code from 0.

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
# In chapter 7 the encoder chose each $z_i$ on its own. Attributes of a picture are not like that: glasses go with a
# face. A pair score $w_{ij}$ says how much $z_i$ and $z_j$ like to be 1 together. This has a price: the arg max is no
# longer $n$ separate small ones. The truth comes from a look at all $2^n$ vectors:

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
# Alone only the second variable would be 1. It pulls the first and the third along. The last one stays 0.
#
# ## A minimum cut
#
# If no $w_{ij}$ is negative, the arg max is a minimum cut, which takes polynomial time (Hammer 1965). Such an $h$ is
# called *supermodular*, and $-h$ *submodular*: these are the words to search for. Rewrite
# $-w_{ij} z_i z_j = -\frac{w_{ij}}{2}(z_i + z_j) + \frac{w_{ij}}{2} |z_i - z_j|$, true for all four cases. Then
#
# $$-h(z) = \sum_i \kappa_i z_i + \sum_{i<j} \frac{w_{ij}}{2} |z_i - z_j|, \qquad \kappa_i = -u_i - \frac12 \sum_j w_{ij}$$
#
# Read it as a bill. There are two camps, *source* ($z = 1$) and *sink* ($z = 0$). Whoever separates $i$ from $j$ pays
# $w_{ij}/2$. Where $\kappa_i < 0$, leaving the source costs $-\kappa_i$. Where $\kappa_i > 0$, leaving the sink costs
# $\kappa_i$. The cheapest division is a minimum cut, and a maximum flow finds it. Here is our instance, drawn.

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

constant = np.minimum(kappa, 0).sum()                       # the bill if all with kappa < 0 stay with the source
bill = sum(capacity for one, other, capacity in edges if side[one] != side[other])
assert np.isclose(bill + constant, -score(u, w, best))
print(f"cut edges add up to {bill:.2f}; with the constant {constant:.2f} that is -h = {-score(u, w, best):.2f}")

# %% [markdown]
# What to see. Blue variables are with the source. A thick edge costs much to cut. The dashed edges are cut, and no
# other division costs less. Now let scipy find it. Its `maximum_flow` takes integers, so the capacities are scaled up
# and rounded. After the flow, whatever the source can still reach is on its side.

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
    unary -= pair.mean() * (n - 1) / 2                      # so that it is not always all ones
    found, true = by_min_cut(unary, pair), by_enumeration(unary, pair)
    assert np.isclose(score(unary, pair, found), score(unary, pair, true), atol=1e-4)
print("minimum cut and enumeration agree on 100 random instances")

# %% [markdown]
# ## Any sign: an integer program
#
# Negative pair scores ("not both") make the problem NP-hard in general. (A cut can still fix *some* variables with
# certainty. That method is called QPBO, quadratic pseudo-Boolean optimisation, or roof duality.) An integer linear
# program takes any sign. Each product gets a variable of its own, $z_{ij}$. Three inequalities hold it to the product
# from both sides: $z_{ij} \le z_i$, $z_{ij} \le z_j$ and $z_{ij} \ge z_i + z_j - 1$. Then
# $\sum_i u_i z_i + \sum_{i<j} w_{ij} z_{ij}$ is linear, and is maximised.

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
    integer = np.r_[np.ones(n), np.zeros(len(pairs))]       # the products follow by themselves
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
# $\partial h(z) / \partial w_{ij} = z_i z_j$. So Theorem 1 says: find two arg maxes, subtract.
#
# $$\frac{\partial}{\partial u_i} \approx \frac{z_i(\epsilon) - z^{\star}_i}{\epsilon}, \qquad \frac{\partial}{\partial w_{ij}} \approx \frac{z_i(\epsilon) z_j(\epsilon) - z^{\star}_i z^{\star}_j}{\epsilon}$$
#
# The noise sits on the unary scores only: $\gamma_i$ is added to $u_i$. Is that enough? Chapter 7's argument covers
# $u_i$: take $u_i + \gamma_i$ as the variable of integration, and $u_i$ moves out of the maximum into the smooth
# density. It fails for $w_{ij}$, because no noise is added to $w_{ij}$. It stays in the maximum, and its derivative is
# a product $z_i z_j$ of an arg max that jumps. Theorem 1 holds for $w_{ij}$ all the same.
# [Appendix D](appendix_d_unary_noise.ipynb) proves it by the walls of chapter 2: where two 0/1 vectors tie, some
# variable differs, and the noise of that variable smooths the tie.
#
# *The first arg max*, of $h + \gamma$, is a pairwise problem with $u_i + \gamma_i$ in the place of $u_i$. Any solver
# will do.
#
# *The second arg max* is of $\epsilon f + h + \gamma$. It is a pairwise problem only if $f$ is one. The score of a
# decoder is not: it is any number for each of the $2^n$ vectors. Then no cut finds $z(\epsilon)$, and no integer
# program of this form. The exact one takes a list of all vectors. So in training something else stands in its place,
# chapter 7's approximation. Take $f$ at $z^{\star}$ and at the $n$ vectors that differ from it in one variable. Call
# $\text{gain}_i$ what $f$ gains by $z_i = 1$ over $z_i = 0$. Add $\epsilon\, \text{gain}_i$ to $u_i$:
#
# $$z(\epsilon) \approx \arg\max_z \Big\{ \sum_i (u_i + \gamma_i + \epsilon\, \text{gain}_i) z_i + \sum_{i<j} w_{ij} z_i z_j \Big\}$$
#
# The $w_{ij}$ are as before. So it is one more problem for the same solver. That is what the package does
# (`refimpl/estimators/direct.py`, `estimate`).
#
# Is the mean of $(z(\epsilon) - z^{\star})/\epsilon$ right?
# In chapter 7 it is, as $\epsilon \to 0$: the variables were independent, and
# then hardly ever two of them change at once. Here two variables that pull each other in do change at once. Then $f$
# changes by $f(z(\epsilon)) - f(z^{\star})$, which is not the sum of their gains (with a minus for a variable that is
# switched off), unless $f$ is linear in $z$. So a bias stays.
#
# Check both against differences of $E f(z^{\star})$, with the same noise in all:

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
    """What f gains by z_i = 1 over z_i = 0, the others as in z: (places, n)."""
    place = every @ 2 ** np.arange(n)[::-1]                 # of a vector in `every`
    assert (place == np.arange(len(every))).all()
    bit = 2 ** np.arange(n)[::-1]
    off = place[:, None] - every * bit                      # the same vector with z_i = 0
    return (f[off + bit] - f[off])[z]


def estimate(z_eps, eps):
    return np.c_[every[z_eps] - every[z_star], products[z_eps] - products[z_star]] / eps


step, z_star = 0.05, solve(u0, w0)                          # z: places in `every`
paired = []
for unit in np.eye(6):
    above, below = solve(u0 + step * unit[:3], w0 + step * unit[3:]), solve(u0 - step * unit[:3], w0 - step * unit[3:])
    paired.append((f[above] - f[below]) / (2 * step))
paired = np.array(paired).T
print("differences of E f      ", paired.mean(axis=0).round(3), "±", (paired.std(axis=0) / np.sqrt(M)).round(3))
off = {}
for eps in (0.1, 0.02):
    by_list = solve(u0, w0, eps)
    by_gains = ((u0 + noise + eps * gains(z_star)) @ every.T + w0 @ products.T).argmax(axis=1)
    for name, z_eps in (("z(eps) from the list", by_list), ("z(eps) by gains", by_gains)):
        g = estimate(z_eps, eps)
        difference = g - paired                             # draw by draw: they share the noise
        off[name, eps] = np.abs(difference.mean(axis=0)), difference.std(axis=0) / np.sqrt(M)
        print(f"{name:20s} {eps:4.2f}", g.mean(axis=0).round(3),
              f"off by {np.linalg.norm(difference.mean(axis=0)):.3f}")

# %% [markdown]
# From the list, the differences are met to within their noise and the bias that $\epsilon = 0.02$ leaves. At 0.1 that
# bias is plain to see. By gains a bias stays that no small $\epsilon$ removes. It is the price of asking $f$ at $n + 1$
# vectors only. ($f$ of this table is random. How large the bias is depends on how far $f$ is from linear.)
#
# What has no closed form here is $q$. The noise is on single variables only, so the law of the *perturbed* arg max is
# not the softmax of $h(z)$. (For two variables it is an integral over one number, below.) So the KL term exists, but
# there is no formula for it, and so none for the bound. The released code adds the KL of the unary softmax instead. The
# result is not a bound on anything. What remains exact is $\log p(x)$, by enumeration over $z$, and it is what we
# report.

# %% [markdown]
# When $f$ is a pairwise score itself, neither arg max is approximated. (A finite $\epsilon$ still is an approximation,
# here 0.5.) The scores of $\epsilon f$ are added to those of $h$. If no pair score is negative, both arg maxes are
# minimum cuts. Here are twenty variables, a million vectors, and a hundred draws in each step, with the package's
# solver for many cuts at once. $E f$ is raised from $u = 0$ and $w_{ij} = 0$. A pair score that would fall below 0 is
# put back to 0. (It is a climb, and may end on a lower hill.)

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
    pair = np.maximum(pair, 0)                              # else it is no cut any more
highest = f_of(maxflow(f_unary[None], f_pair[None]))[0]
print(f"E f by 300 cuts of a hundred graphs each: {kept[0]:.2f} at first, {kept[-1]:.2f} at last; "
      f"the largest f, by one more cut: {highest:.2f}")

# %% [markdown]
# For two variables both sides of the theorem can be computed without sampling. Write $v_1 = u_1 + \gamma_1$. Given
# $v_1$, the choice of $z_2$ is one sigmoid. The rest is an integral over $v_1$, with a kink where $z_1$ changes if
# $z_2 = 0$, and another where it changes if $z_2 = 1$.

# %%
nodes, weights = np.polynomial.legendre.leggauss(60)


def law(at, eps, f):
    """Chances of z = 00, 01, 10, 11 at (u_1, u_2, w_12): Gauss's rule between kinks, on s = sigmoid(gamma_1)."""
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
    """d/dt at 0, by differences of fourth order."""
    return (8 * (function(step) - function(-step)) - function(2 * step) + function(-2 * step)) / (12 * step)


at, f_two = np.array([0.4, -0.7, 0.9]), np.array([0.5, -1.0, 0.3, 2.0])
features = np.array([[0, 0, 0], [0, 1, 0], [1, 0, 0], [1, 1, 1]])                            # z_1, z_2, z_1 z_2
left = [slope(lambda t: law(at + t * unit, 0.0, f_two) @ f_two) for unit in np.eye(3)]
right = slope(lambda eps: law(at, eps, f_two) @ features)
print("d/d(u_1, u_2, w_12) of E f(z*)              ", np.array(left))
print("d/d eps of the chances of z_1, z_2, z_1 z_2 ", right)

# %% [markdown]
# ## When do pairs help?
#
# They help where the posterior is coupled. Take two variables whose posterior is $\propto e^{f(z)}$ with a known
# coupling: $f$ is some nats higher where $z_1 = z_2$, and slightly different for 0 and 1. The gap
# $\text{KL}(q \| \text{posterior})$ of the best encoder is what its family costs. Here is its least value for a $q$
# without pairs, and for the perturbed arg max of a pairwise score, whose law is the integral above.
#
# Can direct training find it? $q$ is known here, so $\log q$ can be put into $f$: ascend with $f(z) - \log q(z)$ in the
# place of $f$, held fixed within a step. (The slope of $\log q$ itself has mean zero.) Its second arg max takes the
# list of all four vectors. Both encoders are trained for 150 steps of 300 draws.

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


print("coupling   least gap: no pairs   pairs   best w_12   trained by direct: no pairs   pairs")
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
# What to see. Without coupling pairs are of no use. With it, an encoder without pairs can only choose one of the two
# modes, 00 and 11, or spread over wrong vectors, and pays up to $\log 2 = 0.69$ nats. With a pair score nothing is
# lost: two unary scores and one pair score can give any law of two variables. Direct finds them. Is a decoder's
# posterior coupled? That depends on training: a decoder can also learn to code its images with independent variables.
# So trained models decide:

# %%
runs = later_rows.structured()
for words, nats in runs.items():
    print(f"{words:18s} -log p(x) by epochs:", np.round(nats, 1))
n_of = {"enumeration": (4, 6, 8, 10, 12, 14), "maxflow": (4, 8, 12, 20), "milp": (4, 8)}
taken = later_rows.milliseconds(n_of, rng)                                  # for a hundred arg maxes
for name, ns in n_of.items():
    print(f"{name:12s}", ", ".join(f"n = {n}: {each:.2f} ms" for n, each in zip(ns, taken[name])))
later_figures.structured(runs, n_of, taken)
plt.show()

# %% [markdown]
# What to see. Left: Fashion-MNIST, eight variables, eight epochs, one seed, no KL gradient in any. All three improve,
# and *the encoders with pairs are behind at the end*. The second arg max is by gains, as above. With fifteen variables,
# ten epochs and three seeds [results.md](results.md#structured-encoders) has pairs of any sign ahead by 1.4 nats, and
# pairs with $w_{ij} \ge 0$ behind.
#
# Right: the time of a hundred arg maxes. Enumeration lists twice as many vectors with each variable, which its time
# shows from about $n = 8$ on, but it is the fastest while there are few. The minimum cut grows more slowly and
# overtakes it. The integer program is one call for each image (timed on five) and takes longest by far. In return it
# takes pair scores of any sign. `maxflow` pushes the flows of all hundred images at once, as arrays, and rounds no
# capacity. (The trained runs used `persistency`, which fixes the variables that are certain and enumerates the rest,
# and `enumeration`. All exact solvers find the same arg max.)
#
# ## Exercises
#
# **1 (easy).** Give an instance with a negative $w_{ij}$ on which the minimum cut fails, and say which step breaks.
#
# <details><summary>Solution</summary>
#
# The rewriting holds for any sign. But the capacity $w_{ij}/2$ would be negative, and a flow has none. Two variables
# that both want to be 1, but not together:
#
# ```python
# unary, pair = np.array([1.0, 0.9]), np.array([-3.0])
# assert (by_enumeration(unary, pair) == [1, 0]).all() and (by_integer_program(unary, pair) == [1, 0]).all()
# assert (by_min_cut(unary, pair) != [1, 0]).any()            # ours is silently wrong; the package's refuses
# from refimpl.latent.solvers import maxflow
# try:
#     maxflow.argmax(unary[None], pair[None])
#     raise SystemExit("it should have refused")
# except ValueError as refusal:
#     assert "negative" in str(refusal)
# ```
#
# </details>
#
# **2 (middling).** Which variables are *certain*, whatever the others do? Fix those with
# $u_i + \sum_j \min(w_{ij}, 0) > 0$ or $u_i + \sum_j \max(w_{ij}, 0) < 0$ and check that they are right.
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
# **3 (hard).** Rounding capacities to integers loses something. Bound the loss of $h(z)$ in terms of the unit, and test
# the bound with `unit=20`.
#
# <details><summary>Solution</summary>
#
# Each capacity is off by at most half of $1 / \text{unit}$. A cut has at most $n + n(n-1)/2$ edges, so its cost is off
# by at most half of $(n + n(n-1)/2) / \text{unit}$. Two cuts are compared, so the loss is at most twice that.
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
# - *Undirected* edges need their capacity both ways.
# - As released, $w_{ij}$ is the softplus of a network's output. That output is near 0 at the start, and softplus of 0
#   is 0.7. So each variable gains $0.7 (n-1)$ from the others, and all images start with $z = (1, \ldots, 1)$. Training
#   has to undo that first (`python -m refimpl measure codes DIR` counts it). The package starts that output at $-3$,
#   unless told `--pair-start 0`.
# - The unary KL is reported as if it belonged to the pairwise arg max.
#
# ## Now write it yourself
#
# The table of single changes, from which this chapter's gains are made, is workbook file 12:
# `python tutorials/workbook/check.py 12`. With 4, the difference of two arg maxes, it is all that a structured encoder
# needs besides a solver.
#
# ## What to read next
#
# [Chapter 9](09_few_labels.ipynb). In the package: `refimpl/latent/pairwise.py`, `refimpl/latent/solvers/`,
# `refimpl/estimators/direct.py`. Papandreou and Yuille, *Perturb-and-MAP random fields* (2011), for what the perturbed
# arg max is a sample of.
#
# ## Symbols
#
# | symbol | in the code | the slides write | meaning |
# | --- | --- | --- | --- |
# | $z = (z_1, \ldots, z_n)$ | `z` (n,) | $z_1, \ldots, z_n$ | $n$ binary variables |
# | $u_i$ | `u` (n,) | $\phi_i(x, z_i)$ | unary score: of $z_i = 1$, against $z_i = 0$ |
# | $w_{ij}$ | `w` (pairs,) | $\phi_{ij}(x, z_i, z_j)$ | pair score: of $z_i = z_j = 1$ |
# | $h(z)$ | `score(u, w, z)` | $\phi(x,z)$ | the encoder's score of the whole vector: $\sum_i u_i z_i + \sum_{i<j} w_{ij} z_i z_j$ |
# | $f(z)$ | `f` | $\theta(x,z)$ | the decoder's score of the whole vector |
# | $\gamma_i$ | `noise` (M, n) | $\gamma_i(1) - \gamma_i(0)$ | logistic noise of variable $i$, added to $u_i$ |
# | $z^{\star}$, $z(\epsilon)$ | `z_star`, `z_eps` | $z^{\phi+\gamma}$, $z^{\epsilon\theta+\phi+\gamma}$ | arg max of $h(z) + \sum_i \gamma_i z_i$, and with $\epsilon f(z)$ added |
# | $\kappa_i$ | `kappa` | | what $z_i = 1$ costs in a cut, if the others cost nothing |
# | $z_{ij}$ | `product` | | the product $z_i z_j$, as a variable of the integer program |
# | $\text{gain}_i$ | `gain` | | what $f$ gains by $z_i = 1$ over $z_i = 0$, the other variables staying at $z^{\star}$ |
# | $v_1$ | `v` | | the perturbed score $u_1 + \gamma_1$ |
# | $M$ | `M` | | number of samples |
