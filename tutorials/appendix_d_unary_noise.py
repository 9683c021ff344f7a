# %% [markdown]
# # Appendix D. Noise on the unary scores is enough
#
# [Chapter 8](08_structured_encoders.ipynb) differentiates with respect to pair scores $w_{ij}$, although only the
# unary scores $u_i$ have noise. This appendix proves that Theorem 1 nevertheless holds, checks the formula of the
# proof numerically, and gives a set of values for which the theorem fails. You need chapters [2](02_theorem_1.ipynb)
# and [8](08_structured_encoders.ipynb). The appendix runs in about two seconds.

# %%
import start    # if it is not found: clone the whole repository, and run this chapter in its folder tutorials/

import itertools

import numpy as np

rng = np.random.default_rng(4)
n = 3
every = np.array(list(itertools.product([0, 1], repeat=n)))
products = np.array([[z[i] * z[j] for i, j in itertools.combinations(range(n), 2)] for z in every])
f = 2 * rng.normal(size=len(every))                         # a score for each of the eight vectors
u0, w0 = rng.normal(size=n), rng.normal(size=3)
M = 200_000
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


# %% [markdown]
# ## The proof
#
# In chapter 2, every value had noise of its own. Here $2^n$ vectors share $n$ numbers $\gamma_i$, and the pair scores
# have no noise. Nevertheless, Theorem 1 holds for the derivatives with respect to the $u_i$ and to the $w_{ij}$. As in
# chapter 2, the proof uses the walls. Let the $\gamma_i$ be independent, each with a density $\rho_i$ that is bounded
# and continuous. (The logistic density is continuous and at most $\frac14$.) The walls are now surfaces in the space of
# the $n$ noises.
#
# 1. *A wall is a hyperplane.* Two vectors $z \ne z'$ tie where
#    $\sum_i \gamma_i (z_i - z'_i) = \epsilon f(z') + h(z') - \epsilon f(z) - h(z)$. The two vectors differ in some
#    variable $i$, and the noise $\gamma_i$ of this variable has the coefficient 1 or $-1$ in this equation. So the
#    left side contains noise, and the wall is a hyperplane with the normal $z - z' \ne 0$. The scores occur on the
#    right side only. So a change of the scores shifts the wall, but does not turn it.
# 2. *The density along a wall is finite.* Hold all noises fixed except the $\gamma_i$ of step 1. Then $z$ and $z'$
#    tie at a single value of $\gamma_i$. If the score of $z'$ is raised by $\delta$, this value moves by $\delta$. So
#    the share of the draws that the wall sweeps over is at most $\delta \sup \rho_i$. Divide this share by $\delta$,
#    let $\delta$ go to 0, and take the mean over the other noises:
#
# $$\rho_{zz'} = E\left[ \rho_i(\gamma_i \text{ on the wall}) \cdot [z \text{ and } z' \text{ beat all others there}] \right] \le \sup \rho_i$$
#
#    (The limit exists where no third vector ties. By step 3, almost no point of the wall has such a tie. If $z$ and
#    $z'$ differ in several variables, any of them can be chosen as $i$, because the share of the draws that the wall
#    sweeps over does not depend on this choice.)
#
# 3. *No third vector ties along a whole wall.* The vectors $z''$ and $z$ tie on a hyperplane with the normal $z - z''$.
#    This hyperplane contains our wall only if $z - z''$ is a multiple of $z - z'$. All entries of both differences are
#    0, 1 or $-1$, and neither difference is the zero vector. So the factor is 1 or $-1$. If it is 1, then $z'' = z'$.
#    If it is $-1$, then $z'' = 2 z - z'$. But where $z$ and $z'$ differ, $2 z - z'$ is 2 or $-1$, so it is not a 0/1
#    vector. So $z''$ ties with $z$ and $z'$ only on a part of the wall that has measure 0.
# 4. *The density along a wall is continuous in the scores.* Move the scores a little. At almost every point of the
#    wall, $z$ and $z'$ still beat the same vectors as before, and $\rho_i$ changes only a little. The integrand is
#    always at most $\sup \rho_i$. So $\rho_{zz'}$ is continuous in all scores (dominated convergence).
# 5. *The rest is as in chapter 2.* Raising the score of $z'$ by $\delta$ moves the share $\delta \rho_{zz'}$ of the
#    draws from $z$ to $z'$, to first order. Raising the score of $z$ by $\delta$ moves the same share from $z'$ to $z$,
#    because both changes move the same wall. These derivatives are continuous. So when many scores change at once,
#    their effects add up (the chain rule). Raising $w_{ij}$ by $\delta$ moves the wall by
#    $\delta (z'_i z'_j - z_i z_j)$. Adding $\epsilon f$ moves the wall by $\epsilon (f(z') - f(z))$. When a draw moves
#    from $z$ to $z'$, the value of $f$ changes by $f(z') - f(z)$, and the product $z_i z_j$ changes by
#    $z'_i z'_j - z_i z_j$. So both sides of the theorem are the same sum over the pairs of vectors:
#
# $$\frac{\partial}{\partial w_{ij}} E f(z^{\star}) = \frac12 \sum_{z, z'} \rho_{zz'} (f(z') - f(z)) (z'_i z'_j - z_i z_j) = \frac{\partial}{\partial \epsilon} P(z_i(\epsilon) = z_j(\epsilon) = 1) \Big|_{\epsilon = 0}$$
#
# The formula for the derivative with respect to $u_i$ is proved in the same way. Here $z_i$ takes the place of
# $z_i z_j$, and $z'_i$ takes the place of $z'_i z'_j$. The probability on the right side is $P(z_i(\epsilon) = 1)$.
# $\blacksquare$ (The paper's proof is in [appendix A](appendix_a_walls_and_noise.ipynb). In the notation of that proof,
# $G$ has continuous second derivatives, so the order of differentiation does not matter.)
#
# The formula of step 2 can be computed: draw the other noises, and set $\gamma_i$ to its value on the wall. The next
# cell does this for all pairs of vectors of three variables. The walls also show why the estimate by gains in chapter 8
# is biased. Let $z$ be the first arg max of a draw, and let the second one be found by the gains at $z$. The second arg
# max is $z'$ instead of $z$ if the sum $\sum_i \text{gain}_i (z'_i - z_i)$ is positive and the draw is close enough to
# the wall between $z$ and $z'$. The share of such draws is $\epsilon \rho_{zz'}$ times this sum:

# %%
step, z_star = 0.05, solve(u0, w0)                          # z is given by its place in `every`
paired = []
for unit in np.eye(6):
    above, below = solve(u0 + step * unit[:3], w0 + step * unit[3:]), solve(u0 - step * unit[:3], w0 - step * unit[3:])
    paired.append((f[above] - f[below]) / (2 * step))
paired = np.array(paired).T
logistic = lambda t: 1 / (2 + np.exp(t) + np.exp(-t))       # the density


def wall(z, other, h_all, gamma, which=0):
    """rho of step 2 for two places in `every`, as a mean over the other noises; and its standard error.

    which: the place of variable i of step 2 among the variables in which the two differ.
    """
    normal = every[z] - every[other]
    i = np.flatnonzero(normal)[which]
    on_wall = gamma.copy()
    on_wall[:, i] = 0
    on_wall[:, i] = (h_all[other] - h_all[z] - on_wall @ normal) / normal[i]
    scores = h_all + on_wall @ every.T
    beaten = (np.delete(scores, [z, other], axis=1) < scores[:, [z]]).all(axis=1)
    rho = logistic(on_wall[:, i]) * beaten
    return rho.mean(), rho.std() / np.sqrt(len(rho))


h_all, features = every @ u0 + products @ w0, np.c_[every, products]
by_walls, of_gains, error = np.zeros(6), np.zeros(6), np.zeros(6)
for z, other in itertools.combinations(range(len(every)), 2):
    rho, rho_error = wall(z, other, h_all, noise[:100_000])
    by_the_last, last_error = wall(z, other, h_all, noise[100_000:200_000], which=-1)
    assert abs(rho - by_the_last) <= 4.5 * np.hypot(rho_error, last_error)      # whichever is variable i
    move, change = features[other] - features[z], every[other] - every[z]
    by_walls += rho * (f[other] - f[z]) * move
    of_gains += rho * (max(0, gains(z) @ change) - max(0, gains(other) @ -change)) * move
    error = np.hypot(error, rho_error * (f[other] - f[z]) * move)
print("the formula with the walls      ", by_walls.round(3), "±", error.round(3),
      "(as if the errors of the walls were independent)")
print("finite differences of E f       ", paired.mean(axis=0).round(3))
print("estimate by gains, its limit    ", of_gains.round(3))
g = estimate(((u0 + noise + 0.02 * gains(z_star)) @ every.T + w0 @ products.T).argmax(axis=1), 0.02)
print("estimate by gains, at eps = 0.02", g.mean(axis=0).round(3))
assert (np.abs(by_walls - paired.mean(axis=0)) < 4.5 * np.hypot(error, paired.std(axis=0) / np.sqrt(M))).all()
assert np.linalg.norm(of_gains - g.mean(axis=0)) < 0.5 * np.linalg.norm(of_gains - by_walls)

# %% [markdown]
# Which assumptions were needed?
#
# - *Noise in every tie.* If $u_1$ had no noise, there would be no noise in the difference between the scores of two
#   vectors that differ in $z_1$ only.
# - *A continuous density.* In chapter 2, it was enough that the density is bounded: two noises were involved at each
#   wall, and the density of their difference is continuous. Here, some walls involve only one noise. With one variable
#   and uniform noise, the probability of $z_1 = 1$ has kinks.
# - *Step 3.* This step is true for 0/1 vectors, but not for every set of values. Let $v_1 = u_1 + \gamma_1$, and let
#   $z$ be 0, 1 or 2, with the scores 0, $v_1 + \delta$ and $2 v_1$. The difference of any two of these scores contains
#   noise. But at $\delta = 0$, the wall between the values 0 and 2 is the point $v_1 = 0$, and there the value 1 ties
#   with both of them. So a third value ties along the whole wall. The value 1 is the winner for
#   $-\delta < v_1 < \delta$. So with $u_1 = 0$, the probability of the value 1 is
#   $\max(0, P(\gamma_1 < \delta) - P(\gamma_1 < -\delta))$. As a function of $\delta$, this probability has a kink at
#   0, and the theorem fails there:

# %%
v = noise.ravel()                                           # u_1 = 0


def share_of_one(delta):
    return np.mean(np.stack([0 * v, v + delta, 2 * v]).argmax(axis=0) == 1)


for small in (0.1, -0.1):
    exact_share = max(0, np.tanh(small / 2))                # sigmoid(d) - sigmoid(-d)
    print(f"(probability of 1 at delta = {small:+.1f} - probability at 0) / {small:+.1f} = "
          f"{(share_of_one(small) - share_of_one(0)) / small:.3f}, by the formula {exact_share / small:.3f}")
    assert abs(share_of_one(small) - exact_share) < 4 * np.sqrt(0.05 / len(v))
assert share_of_one(0) == 0

