# %% [markdown]
# # Appendix A. More about walls and noise
#
# This belongs to [chapter 2](02_theorem_1.ipynb) and [chapter 3](03_gumbel_noise.ipynb): why the derivatives in the
# proof of Theorem 1 exist, the density along a wall as an integral in the plane, Gaussian noise, an encoder with
# twelve weights, the paper's own proof, and logistic regression by counting winners. It runs in about five seconds.

# %%
import start    # if it is not found: clone the whole repository, and run this chapter in its folder tutorials/

import matplotlib.pyplot as plt
import numpy as np
from scipy import integrate, stats

from draw import appendices as draw
from quadrature import chances, jacobian, walls
from race import softmax

h = np.array([0.3, -0.4, 0.6])                  # the encoder's scores of shirt, coat and dress
f = np.array([1.0, -2.0, 0.5])                  # the decoder's scores, nats
noise = np.random.default_rng(1).gumbel(-np.euler_gamma, size=(100_000, 3))     # one row per draw, mean 0
M = len(noise)
gumbel_law = stats.gumbel_r(loc=-np.euler_gamma)
q, rho = chances(gumbel_law, h), walls(gumbel_law, h)


def direct_gradient(h, f, eps, noise):
    z_star, z_eps = (h + noise).argmax(axis=-1), (eps * f + h + noise).argmax(axis=-1)
    return (np.eye(3)[z_eps] - np.eye(3)[z_star]) / eps


def left_side(law, scores, d=1e-4):
    """The derivative of E f(z*) in each score, by differences."""
    return np.array([(chances(law, scores + d * unit) @ f - chances(law, scores - d * unit) @ f) / (2 * d)
                     for unit in np.eye(3)])

# %% [markdown]
# ## Why the derivatives exist
#
# The proof of Theorem 1 uses the chain rule twice. The chain rule needs $q$ to be continuously differentiable in $h$.
# Take $q_i = \int F'(t - h_i) \prod_{z \ne i} F(t - h_z)\, dt$, with $F'$ bounded. Then no $F$ changes faster than
# that bound, so for $j \ne i$ we may differentiate under the integral, and get $-\rho_{ij}$. It is finite, because
# the integral of $F'$ is 1 and the other factors are bounded. It is continuous in $h$, because
# $\int |F'(t + \delta) - F'(t)|\, dt \to 0$ as $\delta \to 0$. The diagonal follows from $\sum_i q_i = 1$.
#
# ## Along the arms of the Y
#
# Chapter 2 adds up $\rho_{ij}$ over heights $t$. In the plane of $(\Delta_1, \Delta_2)$ it is an integral of the
# density of the cloud, $2 e^{-\Delta_1-\Delta_2} / (1 + e^{-\Delta_1} + e^{-\Delta_2})^3$ (chapter 3), along one arm.
# In which unit is the arm's length measured? A strip has an area, its length times its width, and the width is given:
# when $h_i - h_j$ changes by $\delta$, the wall moves by $\delta$ *along a coordinate*. So the length is measured
# along the other coordinate. On the two arms that are parallel to an axis this is the arc length. The third one,
# between 1 and 2, is diagonal. When $h_2$ rises by $\delta$ it moves down by $\delta$, and its length is measured
# along $\Delta_1$. Its arc length is $\sqrt 2$ times that, and the strip is thinner by the same factor across.

# %%
def plane(a, b):                                                # density of the two differences, Gumbel noise
    return 2 * np.exp(-a - b) / (1 + np.exp(-a) + np.exp(-b)) ** 3


def line_integral(i, j):
    """Along the arm between i and j, per unit of h_i - h_j."""
    corner_a, corner_b = h[0] - h[1], h[0] - h[2]
    along = {(0, 1): lambda b: plane(corner_a, b), (0, 2): lambda a: plane(a, corner_b),
             (1, 2): lambda a: plane(a, a + h[1] - h[2])}[i, j]
    low, high = {(0, 1): (-30, corner_b), (0, 2): (-30, corner_a), (1, 2): (corner_a, 60)}[i, j]
    return integrate.quad(along, low, high, epsabs=1e-13, epsrel=1e-13, limit=200)[0]


for i, j in ((0, 1), (0, 2), (1, 2)):
    print(f"{i} | {j}: along the arm {line_integral(i, j):.12f}, over heights {rho[i, j]:.12f}, "
          f"q_i q_j {q[i] * q[j]:.12f}")
    assert abs(line_integral(i, j) - q[i] * q[j]) < 1e-10 and abs(rho[i, j] - q[i] * q[j]) < 1e-10

# %% [markdown]
# ## Gaussian noise
#
# With Gaussian noise the proof stays, with other numbers in $\rho$. At finite $\epsilon$ the mean of the estimate is
# $(q_\epsilon - q)/\epsilon$, if $q$ and $q_\epsilon$ are the laws of *that* arg max, at $h$ and at $h + \epsilon f$.
# And $f$ never falls from $z^{\star}$ to $z(\epsilon)$ (chapter 1), and the variance grows like $1/\epsilon$, with
# $\rho_{ij}$ in the place of $q_i q_j$. What is lost is $\rho_{ij} = q_i q_j$, and with it the formula
# $q (f - E_q f)$.

# %%
gaussian = stats.norm(scale=np.pi / np.sqrt(6))                     # of the variance of a Gumbel variable
q_gauss, rho_gauss, J = chances(gaussian, h), walls(gaussian, h), jacobian(gaussian, h)
truth, truth_gauss = left_side(gumbel_law, h), left_side(gaussian, h)
gamma = np.random.default_rng(2).normal(scale=np.pi / np.sqrt(6), size=(M, 3))
g, mean = direct_gradient(h, f, 0.3, gamma), (chances(gaussian, h + 0.3 * f) - q_gauss) / 0.3
print("Gaussian noise: q", q_gauss.round(4), "  gradient", truth_gauss.round(4), "  mean of g at eps = 0.3",
      mean.round(4), "sampled", g.mean(axis=0).round(4))
print("Gumbel noise:   q", q.round(4), "  gradient", truth.round(4))
print("rho_ij / (q_i q_j), Gaussian:", [round(float(rho_gauss[i, j] / (q_gauss[i] * q_gauss[j])), 3)
                                        for i, j in ((0, 1), (0, 2), (1, 2))])
assert np.allclose(J, np.diag(rho_gauss.sum(axis=1)) - rho_gauss, rtol=0, atol=1e-8)
assert np.allclose(truth_gauss, (rho_gauss * (f - f[:, None])).sum(axis=0), rtol=0, atol=1e-8)
assert (np.abs(g.mean(axis=0) - mean) < 4 * g.std(axis=0) / np.sqrt(M)).all()

# %% [markdown]
# ## Many weights
#
# A linear encoder $h = W x$ has the gradient $\nabla_W h(z)$, which is $x$ in row $z$ and 0 elsewhere. So the
# estimate in the weights is the outer product of $g$ and $x$: one backward pass, started from $g$.

# %%
rng = np.random.default_rng(4)
x, W = rng.normal(size=4), rng.normal(size=(3, 4))
dW = direct_gradient(W @ x, f, 0.1, noise)[:, :, None] * x      # backward: h_z = sum_i W_zi x_i, so dW_zi = dh_z x_i
exact = np.outer(chances(gumbel_law, W @ x + 0.1 * f) - chances(gumbel_law, W @ x), x) / 0.1
assert (np.abs(dW.mean(axis=0) - exact) <= 4 * dW.std(axis=0) / np.sqrt(M)).all()
shift = np.zeros((3, 4))
shift[1, 2] = 1e-4
slope = (chances(gumbel_law, (W + shift) @ x) - chances(gumbel_law, (W - shift) @ x)) @ f / 2e-4
print(f"one of the twelve weights: slope of E f by differences {slope:.6f}, by the chain rule "
      f"{left_side(gumbel_law, W @ x)[1] * x[2]:.6f}")
assert np.isclose(slope, left_side(gumbel_law, W @ x)[1] * x[2], rtol=0, atol=1e-7)

# %% [markdown]
# ## The paper's proof
#
# The supplement proves the theorem without pictures, by the mean maximum $G$ of chapter 1. It is short enough for a
# blackboard.
#
# 1. $G(w, \epsilon) = E_\gamma \max_z \{\epsilon f(z) + h_w(z) + \gamma(z)\}$ is smooth in $(w, \epsilon)$. To see
#    it, substitute $\hat\gamma = \epsilon f + h_w + \gamma$:
#    $G = \int \max_z \hat\gamma(z)\, \prod_z F'(\hat\gamma(z) - \epsilon f(z) - h_w(z))\, d\hat\gamma$. Now the maximum
#    contains neither $w$ nor $\epsilon$; they are only in the density, which may be differentiated. (This asks for a
#    smooth density, for noise with a finite mean, so that $G$ exists, and for scores with two derivatives. With one
#    derivative only, take $h$ itself for $w$, and use the chain rule at the end.)
# 2. Danskin under the mean, in $\epsilon$: $\partial_\epsilon G = E f(z(\epsilon))$. At $\epsilon = 0$ this is
#    $E f(z^{\star})$, the very thing whose gradient we want. So (equation 3)
#    $\partial_w \partial_\epsilon G(w, 0) = \nabla_w E f(z^{\star})$.
# 3. Danskin under the mean, in the scores, and the chain rule: $\partial_w G = E \nabla_w h_w(z(\epsilon))$. Its
#    derivative in $\epsilon$ at 0 is, by definition, a limit of difference quotients (equation 4):
#    $\frac{1}{\epsilon} E[\nabla_w h_w(z(\epsilon)) - \nabla_w h_w(z^{\star})]$. **That is where $1/\epsilon$ comes
#    from.**
# 4. $G$ is smooth, so the order does not matter (Schwarz): 2 = 3. $\blacksquare$
#
# Steps 2 to 4 in numbers, with one weight, $h_w = h + w \cdot (1, 0, -1)$. Gumbel noise has
# $G = \log \sum_z e^{h_w(z) + \epsilon f(z)}$ (chapter 3). The chances of the winners come from their own integrals, so
# each line below compares two things that were computed separately.

# %%
direction, d = np.array([1.0, 0.0, -1.0]), 1e-4


def G(w, eps):
    return np.log(np.exp(h + w * direction + eps * f).sum())


at = 0.4
highest = (h + at * direction + 0.3 * f + noise).max(axis=1)                        # 1: G by its definition
assert abs(highest.mean() - G(at, 0.3)) < 4 * highest.std() / np.sqrt(M)
dG_deps = lambda w: (G(w, d) - G(w, -d)) / (2 * d)                                  # at eps = 0
dG_dw = lambda eps: (G(at + d, eps) - G(at - d, eps)) / (2 * d)
chance = lambda w, eps: chances(gumbel_law, h + w * direction + eps * f)
assert np.isclose(dG_deps(at), chance(at, 0) @ f, rtol=0, atol=1e-7)                # 2: it is E f(z*)
assert np.isclose(dG_dw(0.3), chance(at, 0.3) @ direction, rtol=0, atol=1e-7)       # 3: it is E grad h(z(eps))
in_eps_then_w = (chance(at + d, 0) - chance(at - d, 0)) @ f / (2 * d)               # the slope of E f(z*)
in_w_then_eps = (chance(at, d) - chance(at, -d)) @ direction / (2 * d)              # the limit of the quotients
print(f"first eps, then w: {in_eps_then_w:.6f}\nfirst w, then eps: {in_w_then_eps:.6f}")
assert np.isclose(in_eps_then_w, in_w_then_eps, rtol=0, atol=1e-7)                  # 4

# %% [markdown]
# ## Logistic regression by counting winners
#
# This belongs to [chapter 3](03_gumbel_noise.ipynb). Chapter 1 fitted scores to observed choices by counting who
# wins. With $G$ in closed form the same loss, $G(h_w, 0) - h_w(y)$ for an observed name $y$, needs no draw. The loss
# is $-\log q(y)$, the *cross-entropy*: with it most neural classifiers are trained, and with $h = W x$ it is logistic
# regression. Its gradient in the scores is $q - \text{onehot}(y)$. Thirty garments, two measurements each, ten seeds
# of the sampled version beside the exact one.
#
# **Guess first.** By how many nats do the sampled runs miss the closed form at the end: 0.5, 0.05 or 0.005?

# %%
rng = np.random.default_rng(6)
labels = np.repeat([0, 1, 2], 10)
measured = np.array([[0.0, 1.0], [1.2, -0.2], [-1.0, -0.8]])[labels] + 0.8 * rng.normal(size=(30, 2))
inputs = np.column_stack([measured, np.ones(30)])                           # (30, 3), a constant one for the intercept
targets = np.eye(3)[labels]


def fit(winners, steps=300, lr=0.02):
    """The cross-entropy before each step and after the last; winners(scores) is the chance or share of each name."""
    W, kept = np.zeros((3, 3)), []
    for _ in range(steps + 1):
        scores = inputs @ W.T
        kept.append(-np.log(softmax(scores)[np.arange(30), labels]).mean())
        W = W - lr * (winners(scores) - targets).T @ inputs                 # backward of h = W x
    return np.array(kept)


def one_draw(seed):
    rng = np.random.default_rng(seed)
    return lambda scores: np.eye(3)[(scores + rng.gumbel(size=scores.shape)).argmax(axis=1)]


exact, sampled = fit(softmax), np.array([fit(one_draw(seed)) for seed in range(10)])
draw.cross_entropy(exact, sampled)
plt.show()
print(f"cross-entropy from {exact[0]:.2f} to {exact[-1]:.3f}; sampled, ten seeds: {sampled[:, -1].min():.3f} to "
      f"{sampled[:, -1].max():.3f}")
assert np.abs(sampled[:, -1] - exact[-1]).max() < 0.01 and exact[-1] < 0.5 * exact[0]

# %% [markdown]
# What to see. Both learn. The ten seeds follow the closed form, and end within 0.01 nats of it. Where the sum $S$ can
# be written down, one uses it. The sampled version needs an arg max only. Chapter 10 uses it for paths.
#
# ## What to read next
#
# Back to [chapter 2](02_theorem_1.ipynb) or [chapter 3](03_gumbel_noise.ipynb).
