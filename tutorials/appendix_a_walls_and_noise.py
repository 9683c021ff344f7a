# %% [markdown]
# # Appendix A. More about walls and noise
#
# This appendix belongs to [chapter 2](02_theorem_1.ipynb) and [chapter 3](03_gumbel_noise.ipynb). It explains why the
# derivatives in the proof of Theorem 1 exist, writes the density along a wall as an integral in the plane, and treats
# Gaussian noise and an encoder with twelve weights. It also contains the paper's own proof, and logistic regression by
# counting winners. The appendix runs in about five seconds.

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
    """The derivative of E f(z*) with respect to each score, by difference quotients."""
    return np.array([(chances(law, scores + d * unit) @ f - chances(law, scores - d * unit) @ f) / (2 * d)
                     for unit in np.eye(3)])

# %% [markdown]
# ## Why the derivatives exist
#
# The proof of Theorem 1 uses the chain rule twice. The chain rule requires that $q$ is continuously differentiable with
# respect to $h$. Consider $q_i = \int F'(t - h_i) \prod_{z \ne i} F(t - h_z)\, dt$ with a bounded $F'$. The bound
# limits how fast each $F$ can change. So for $j \ne i$, we can differentiate with respect to $h_j$ under the integral,
# and the result is $-\rho_{ij}$. The density $\rho_{ij}$ is finite: in its integrand, $F'(t - h_i)$ has the integral 1,
# and the factors $F'(t - h_j)$ and $F(t - h_z)$ are bounded. This density is continuous in $h$, because
# $\int |F'(t + \delta) - F'(t)|\, dt \to 0$ as $\delta \to 0$. The derivatives $\partial q_i / \partial h_i$ then
# follow from $\sum_i q_i = 1$.
#
# ## The density along the arms of the Y
#
# Chapter 2 computes $\rho_{ij}$ as an integral over heights $t$. In the plane of $(\Delta_1, \Delta_2)$, it is an
# integral along one arm of the Y. The integrand is the density of the cloud,
# $2 e^{-\Delta_1-\Delta_2} / (1 + e^{-\Delta_1} + e^{-\Delta_2})^3$ (chapter 3). How must the length of the arm be
# measured? The area of a strip is its length times its width, and the width is given: when $h_i - h_j$ changes by
# $\delta$, the wall moves by $\delta$ *along a coordinate axis*. So the length must be measured along the other
# coordinate axis. For the two arms that are parallel to an axis, the length measured in this way is the arc length. The
# third arm, between 1 and 2, is diagonal. When $h_2$ rises by $\delta$, this arm moves by $\delta$ along $\Delta_2$. So
# its length is measured along $\Delta_1$. The arc length of this arm is $\sqrt 2$ times the length along $\Delta_1$,
# but the width of the strip at a right angle to the arm is only $\delta / \sqrt 2$. So both ways of measuring give the
# same area.

# %%
def plane(a, b):                                                # density of the two differences of Gumbel noise
    return 2 * np.exp(-a - b) / (1 + np.exp(-a) + np.exp(-b)) ** 3


def line_integral(i, j):
    """The integral of the density along the arm between i and j, per unit of h_i - h_j."""
    corner_a, corner_b = h[0] - h[1], h[0] - h[2]
    along = {(0, 1): lambda b: plane(corner_a, b), (0, 2): lambda a: plane(a, corner_b),
             (1, 2): lambda a: plane(a, a + h[1] - h[2])}[i, j]
    low, high = {(0, 1): (-30, corner_b), (0, 2): (-30, corner_a), (1, 2): (corner_a, 60)}[i, j]
    return integrate.quad(along, low, high, epsabs=1e-13, epsrel=1e-13, limit=200)[0]


for i, j in ((0, 1), (0, 2), (1, 2)):
    print(f"wall between {i} and {j}: integral along the arm {line_integral(i, j):.12f}, over heights "
          f"{rho[i, j]:.12f}, q_i q_j {q[i] * q[j]:.12f}")
    assert abs(line_integral(i, j) - q[i] * q[j]) < 1e-10 and abs(rho[i, j] - q[i] * q[j]) < 1e-10

# %% [markdown]
# ## Gaussian noise
#
# The proof of Theorem 1 also holds for Gaussian noise, but the values of $\rho$ differ from those for Gumbel noise. At
# a finite $\epsilon$, the mean of the estimate is $(q_\epsilon - q)/\epsilon$, where $q$ and $q_\epsilon$ are the laws
# of the arg max *with this noise*, at $h$ and at $h + \epsilon f$. As before, $f(z(\epsilon))$ is never less than
# $f(z^{\star})$ (chapter 1). The variance again grows like $1/\epsilon$, but $\rho_{ij}$ replaces $q_i q_j$ in the
# formula of the variance. The formula $q (f - E_q f)$ for the gradient does not hold, because $\rho_{ij}$ is no longer
# $q_i q_j$.

# %%
gaussian = stats.norm(scale=np.pi / np.sqrt(6))                     # with the variance of a Gumbel variable
q_gauss, rho_gauss, J = chances(gaussian, h), walls(gaussian, h), jacobian(gaussian, h)
truth, truth_gauss = left_side(gumbel_law, h), left_side(gaussian, h)
gamma = np.random.default_rng(2).normal(scale=np.pi / np.sqrt(6), size=(M, 3))
g, mean = direct_gradient(h, f, 0.3, gamma), (chances(gaussian, h + 0.3 * f) - q_gauss) / 0.3
print("Gaussian noise: q", q_gauss.round(4), "  gradient", truth_gauss.round(4), "\n    mean of g at eps = 0.3",
      mean.round(4), "  by sampling", g.mean(axis=0).round(4))
print("Gumbel noise:   q", q.round(4), "  gradient", truth.round(4))
print("rho_ij / (q_i q_j), Gaussian:", [round(float(rho_gauss[i, j] / (q_gauss[i] * q_gauss[j])), 3)
                                        for i, j in ((0, 1), (0, 2), (1, 2))])
assert np.allclose(J, np.diag(rho_gauss.sum(axis=1)) - rho_gauss, rtol=0, atol=1e-8)
assert np.allclose(truth_gauss, (rho_gauss * (f - f[:, None])).sum(axis=0), rtol=0, atol=1e-8)
assert (np.abs(g.mean(axis=0) - mean) < 4 * g.std(axis=0) / np.sqrt(M)).all()

# %% [markdown]
# ## Many weights
#
# Consider a linear encoder $h = W x$. Its gradient $\nabla_W h(z)$ is $x$ in row $z$ and 0 in the other rows. So the
# estimate for the weights is the outer product of $g$ and $x$. One backward pass from $g$ computes this product.

# %%
rng = np.random.default_rng(4)
x, W = rng.normal(size=4), rng.normal(size=(3, 4))
dW = direct_gradient(W @ x, f, 0.1, noise)[:, :, None] * x      # backward: h_z = sum_i W_zi x_i, so dW_zi = dh_z x_i
exact = np.outer(chances(gumbel_law, W @ x + 0.1 * f) - chances(gumbel_law, W @ x), x) / 0.1
assert (np.abs(dW.mean(axis=0) - exact) <= 4 * dW.std(axis=0) / np.sqrt(M)).all()
shift = np.zeros((3, 4))
shift[1, 2] = 1e-4
slope = (chances(gumbel_law, (W + shift) @ x) - chances(gumbel_law, (W - shift) @ x)) @ f / 2e-4
print(f"one of the twelve weights: slope of E f by a difference quotient {slope:.6f}, by the chain rule "
      f"{left_side(gumbel_law, W @ x)[1] * x[2]:.6f}")
assert np.isclose(slope, left_side(gumbel_law, W @ x)[1] * x[2], rtol=0, atol=1e-7)

# %% [markdown]
# ## The paper's proof
#
# The supplement proves the theorem without pictures. Its proof uses the mean maximum $G$ of chapter 1, and it is short
# enough for a blackboard.
#
# 1. $G(w, \epsilon) = E_\gamma \max_z \{\epsilon f(z) + h_w(z) + \gamma(z)\}$ is smooth in $(w, \epsilon)$. To see
#    this, substitute $\hat\gamma = \epsilon f + h_w + \gamma$. Then
#    $G = \int \max_z \hat\gamma(z)\, \prod_z F'(\hat\gamma(z) - \epsilon f(z) - h_w(z))\, d\hat\gamma$. Now the maximum
#    contains neither $w$ nor $\epsilon$. These two occur only in the density, which can be differentiated. (This
#    requires a smooth density and scores that are twice differentiable. For $G$ to exist, the noise must have a finite
#    mean. If the scores are only once differentiable, take $h$ itself as the parameter $w$, and use the chain rule at
#    the end.)
# 2. Differentiate $G$ with respect to $\epsilon$. By Danskin's theorem, used inside the mean,
#    $\partial_\epsilon G = E f(z(\epsilon))$. At $\epsilon = 0$, this derivative is $E f(z^{\star})$, whose gradient we
#    want. Taking this gradient gives equation 3: $\partial_w \partial_\epsilon G(w, 0) = \nabla_w E f(z^{\star})$.
# 3. Differentiate $G$ with respect to $w$. The maximum depends on $w$ through the scores. Danskin's theorem, used
#    inside the mean, gives the derivative with respect to the scores. By the chain rule,
#    $\partial_w G = E \nabla_w h_w(z(\epsilon))$. Now take the derivative of $\partial_w G$ with respect to $\epsilon$
#    at 0. By definition, this mixed derivative is
#    $\lim_{\epsilon \to 0} \frac{1}{\epsilon} E[\nabla_w h_w(z(\epsilon)) - \nabla_w h_w(z^{\star})]$ (equation 4).
#    **This is where the factor $1/\epsilon$ comes from.**
# 4. $G$ is smooth, so the order of the two derivatives does not matter (Schwarz's theorem). Hence the results of steps
#    2 and 3 are equal. $\blacksquare$
#
# The next cell checks the steps numerically, for the scores $h_w = h + w \cdot (1, 0, -1)$ with a single weight $w$.
# With Gumbel noise, $G$ is $\log \sum_z e^{h_w(z) + \epsilon f(z)}$ (chapter 3). The probabilities of the winners are
# computed by quadrature, without $G$, so each check compares two separate computations.

# %%
direction, d = np.array([1.0, 0.0, -1.0]), 1e-4


def G(w, eps):
    return np.log(np.exp(h + w * direction + eps * f).sum())


at = 0.4
highest = (h + at * direction + 0.3 * f + noise).max(axis=1)                        # step 1: G by its definition
assert abs(highest.mean() - G(at, 0.3)) < 4 * highest.std() / np.sqrt(M)
dG_deps = lambda w: (G(w, d) - G(w, -d)) / (2 * d)                                  # at eps = 0
dG_dw = lambda eps: (G(at + d, eps) - G(at - d, eps)) / (2 * d)
chance = lambda w, eps: chances(gumbel_law, h + w * direction + eps * f)
assert np.isclose(dG_deps(at), chance(at, 0) @ f, rtol=0, atol=1e-7)                # step 2: E f(z*)
assert np.isclose(dG_dw(0.3), chance(at, 0.3) @ direction, rtol=0, atol=1e-7)       # step 3: E grad h(z(eps))
in_eps_then_w = (chance(at + d, 0) - chance(at - d, 0)) @ f / (2 * d)               # the slope of E f(z*)
in_w_then_eps = (chance(at, d) - chance(at, -d)) @ direction / (2 * d)              # the limit of the quotients
print(f"derivative in eps first, then in w: {in_eps_then_w:.6f}\n"
      f"derivative in w first, then in eps: {in_w_then_eps:.6f}")
assert np.isclose(in_eps_then_w, in_w_then_eps, rtol=0, atol=1e-7)                  # step 4

# %% [markdown]
# ## Logistic regression by counting winners
#
# This section belongs to [chapter 3](03_gumbel_noise.ipynb). In chapter 1, we fitted scores to observed choices by
# counting how often each name wins. For a single observed name $y$, the loss is $G(h_w, 0) - h_w(y)$. With the closed
# form of $G$, this loss can be computed without any draw: it is $-\log q(y)$, the *cross-entropy*, with which most
# neural classifiers are trained. With $h = W x$, this is logistic regression. The gradient of the loss with respect to
# the scores is $q - \text{onehot}(y)$. The next cell fits $W$ to thirty garments, each of which has two measurements.
# One fit uses the exact $q$. Ten more fits, each with its own seed, use sampled winners in place of $q$.
#
# **Guess first.** At the end of training, by how many nats does the loss of a sampled run differ from the loss of the
# run with the exact $q$: 0.5, 0.05 or 0.005?

# %%
rng = np.random.default_rng(6)
labels = np.repeat([0, 1, 2], 10)
measured = np.array([[0.0, 1.0], [1.2, -0.2], [-1.0, -0.8]])[labels] + 0.8 * rng.normal(size=(30, 2))
inputs = np.column_stack([measured, np.ones(30)])                           # (30, 3), with a 1 for the intercept
targets = np.eye(3)[labels]


def fit(winners, steps=300, lr=0.02):
    """The cross-entropy before each step and after the last.  winners(scores): q, or the share of each name."""
    W, kept = np.zeros((3, 3)), []
    for _ in range(steps + 1):
        scores = inputs @ W.T
        kept.append(-np.log(softmax(scores)[np.arange(30), labels]).mean())
        W = W - lr * (winners(scores) - targets).T @ inputs                 # the backward pass of h = W x
    return np.array(kept)


def one_draw(seed):
    rng = np.random.default_rng(seed)
    return lambda scores: np.eye(3)[(scores + rng.gumbel(size=scores.shape)).argmax(axis=1)]


exact, sampled = fit(softmax), np.array([fit(one_draw(seed)) for seed in range(10)])
draw.cross_entropy(exact, sampled)
plt.show()
print(f"cross-entropy, exact: {exact[0]:.2f} before training, {exact[-1]:.3f} after it; sampled, after training, ten "
      f"seeds: {sampled[:, -1].min():.3f} to {sampled[:, -1].max():.3f}")
assert np.abs(sampled[:, -1] - exact[-1]).max() < 0.01 and exact[-1] < 0.5 * exact[0]

# %% [markdown]
# **What to see.** Both versions learn. At the end, the loss of each sampled run is within 0.01 nats of the loss of the
# exact run. If the sum $S$ can be computed, use the closed form. If not, use the sampled version, which needs only an
# arg max. Appendix E uses the sampled version for paths.
#
# ## What to read next
#
# Go back to [chapter 2](02_theorem_1.ipynb) or [chapter 3](03_gumbel_noise.ipynb).
