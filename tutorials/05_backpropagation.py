# %% [markdown]
# # 5. Backpropagation by hand
#
# **You will** write a two-layer network forward and backward, line by line, check it, and train it with an Adam of your
# own. **You will learn** to read a backward pass off the forward pass, and how to be sure that it is right.
# **You need** the chain rule and NumPy; no earlier chapter. It runs in about five seconds.
#
# | symbol | in the code | the slides write | meaning |
# | --- | --- | --- | --- |
# | $x$ | `x` | $x$ | images, 784 pixels of 0 or 1, a row each |
# | $z$ | `z` | $z$ | the decoder's input, a one-hot row each |
# | $a$ | `a` | | logits, one a pixel |
# | $f$ | `f` | $\theta(x,z)$ | $\log p(x \mid z)$, nats an image |
# | $\partial L / \partial v$ | `dv` | | derivative of the loss in whatever is called `v` |

# %%
import start    # if it is not found: clone the whole repository, and run this chapter in its folder tutorials/

import matplotlib.pyplot as plt
import numpy as np

from refimpl import data, plots

rng = np.random.default_rng(0)

# %% [markdown]
# ## A decoder
#
# The decoder of a discrete auto-encoder turns one of $k$ values into an image. Here we spare it the encoder and let $z$
# be the digit's label, so that the best possible answer is known: pixel by pixel, the share of that digit's images in
# which the pixel is on. *No network can do better*, and a good one must come close.

# %%
dataset = data.load("mnist", limit=10_000)
x_all = dataset.train.images(dtype=np.float64)                      # (10000, 784)
labels = dataset.train.labels
z_all = np.eye(10)[labels]                                          # (10000, 10)

share = np.stack([x_all[labels == digit].mean(axis=0) for digit in range(10)])
clipped = np.clip(share, 1e-12, 1 - 1e-12)
best = (x_all * np.log(clipped[labels]) + (1 - x_all) * np.log(1 - clipped[labels])).sum(axis=1).mean()
print(f"the best possible mean f on these images: {best:.2f} nats")

# %% [markdown]
# ## Forward, in named chunks
#
# Every intermediate result gets a name: the backward pass will need it. Shapes in the comments.
#
# The score of binary pixels with logits $a$ is $f = \sum_d x_d a_d - \log(1 + e^{a_d})$: for $x_d = 1$ that is
# $\log \sigma(a_d)$, for 0 it is $\log(1 - \sigma(a_d))$.

# %%
K, H, D = 10, 40, 784


def initial_weights(rng):
    uniform = lambda n_in, *shape: rng.uniform(-1, 1, shape) / np.sqrt(n_in)
    return {"W1": uniform(K, K, H), "b1": uniform(K, H), "W2": uniform(H, H, D), "b2": uniform(H, D)}


def forward(p, z, x):
    pre = z @ p["W1"] + p["b1"]                 # (B, H)
    hid = np.maximum(pre, 0)                    # (B, H)     ReLU
    a = hid @ p["W2"] + p["b2"]                 # (B, D)     logits
    e = np.exp(-np.abs(a))                      # (B, D)     never overflows
    softplus = np.maximum(a, 0) + np.log1p(e)   # (B, D)     log(1 + e^a)
    f = (x * a - softplus).sum(axis=1)          # (B,)
    loss = -f.mean()
    return loss, (pre, hid, a, e)


weights = initial_weights(rng)
x, z = x_all[:100], z_all[:100]
loss, _ = forward(weights, z, x)
print(f"loss at the start {loss:.1f} nats; 784 fair coins would cost {784 * np.log(2):.1f}")

# %% [markdown]
# ## Backward, line by line
#
# Walk the forward pass from its last line to its first. Each line `out = function(in)` becomes
# `din = dout * derivative`. Three rules are enough:
#
# - **elementwise** $y = s(v)$: $dv = dy \cdot s'(v)$
# - **matrix product** $Y = V W$: $dV = dY\, W^T$ and $dW = V^T dY$. (Write it out: $Y_{bj} = \sum_i V_{bi} W_{ij}$, so
#   $dW_{ij} = \sum_b V_{bi}\, dY_{bj}$. Or remember that only this order has the right shapes.)
# - **used several times** (a bias in every row): add up what comes back
#
# The first step needs $\frac{d}{da} [x a - \log(1 + e^a)] = x - \sigma(a)$.

# %%
def backward(p, z, x, saved):
    pre, hid, a, e = saved
    sigmoid = np.where(a >= 0, 1, e) / (1 + e)  # (B, D)
    da = (sigmoid - x) / len(x)                 # loss = -mean f
    dW2 = hid.T @ da                            # a = hid W2 + b2
    db2 = da.sum(axis=0)
    dhid = da @ p["W2"].T
    dpre = dhid * (pre > 0)                     # hid = max(pre, 0)
    dW1 = z.T @ dpre                            # pre = z W1 + b1
    db1 = dpre.sum(axis=0)
    return {"W1": dW1, "b1": db1, "W2": dW2, "b2": db2}


# %% [markdown]
# ## Is it right?
#
# Never believe a backward pass. Move *all* weights along a random direction $v$, a little to either side, and compare
# the change of the loss with the gradient's component along $v$. In float64 the two agree to seven digits or more, or
# there is a mistake; a slip in one of the four arrays shows in every direction.

# %%
def along(weights, direction, step):
    return {name: weights[name] + step * direction[name] for name in weights}


def check(weights, gradient, step=1e-6):
    direction = {name: rng.normal(size=value.shape) for name, value in weights.items()}
    analytic = sum((gradient[name] * direction[name]).sum() for name in weights)
    above = forward(along(weights, direction, step), z, x)[0]
    below = forward(along(weights, direction, -step), z, x)[0]
    numeric = (above - below) / (2 * step)
    return analytic, numeric, abs(analytic - numeric) / max(abs(analytic), abs(numeric))


loss, saved = forward(weights, z, x)
gradient = backward(weights, z, x, saved)
for _ in range(3):
    analytic, numeric, error = check(weights, gradient)
    print(f"backward {analytic:+.8f}   differences {numeric:+.8f}   relative {error:.0e}")
    assert error < 1e-6

wrong = {**gradient, "b1": 1.05 * gradient["b1"]}           # the check is worth something only if it can fail
print(f"with 5 % too much in b1 alone: relative {check(weights, wrong)[2]:.0e}")
assert check(weights, wrong)[2] > 1e-5

# %% [markdown]
# ## Adam
#
# Gradients of different weights differ in scale by orders of magnitude, and one learning rate has to suit all. Adam
# keeps a running mean $m$ of the gradient and $v$ of its square, and steps by $m / \sqrt v$: about one learning rate
# per step and weight, whatever the gradient's scale. Both start at zero, which the two divisions correct.

# %%
class Adam:
    def __init__(self, lr=1e-3, beta1=0.9, beta2=0.999, eps=1e-8):
        self.lr, self.beta1, self.beta2, self.eps, self.t = lr, beta1, beta2, eps, 0
        self.m, self.v = {}, {}

    def step(self, weights, gradient):
        self.t += 1
        for name, g in gradient.items():
            self.m[name] = self.beta1 * self.m.get(name, 0) + (1 - self.beta1) * g
            self.v[name] = self.beta2 * self.v.get(name, 0) + (1 - self.beta2) * g**2
            m_hat = self.m[name] / (1 - self.beta1**self.t)
            v_hat = self.v[name] / (1 - self.beta2**self.t)
            weights[name] -= self.lr * m_hat / (np.sqrt(v_hat) + self.eps)


def train(optimise, epochs=3):
    weights, history = initial_weights(np.random.default_rng(1)), []
    shuffle = np.random.default_rng(2)
    for _ in range(epochs):
        order = shuffle.permutation(len(x_all))
        for first in range(0, len(order), 100):
            rows = order[first:first + 100]
            loss, saved = forward(weights, z_all[rows], x_all[rows])
            optimise(weights, backward(weights, z_all[rows], x_all[rows], saved))
            history.append(loss)
    return weights, np.array(history)


def plain(weights, gradient, lr=0.1):
    for name in weights:
        weights[name] -= lr * gradient[name]


trained, adam_losses = train(Adam(lr=0.01).step)
trained_plainly, plain_losses = train(plain)

smooth = lambda values: np.convolve(values, np.ones(20) / 20, mode="valid")
figure, ax = plt.subplots(figsize=(6, 3.2))
ax.axhline(-best, color=plots.TRUTH, linewidth=3, label="best possible")
ax.plot(smooth(plain_losses), color=plots.FURTHER[1], label="plain gradient steps, 0.1")
ax.plot(smooth(adam_losses), color=plots.FURTHER[0], label="Adam, 0.01")
ax.set(xlabel="step of 100 images", ylabel="loss, nats an image", ylim=(160, 320))
ax.legend(fontsize=9)
plt.show()
final, final_plain = forward(trained, z_all, x_all)[0], forward(trained_plainly, z_all, x_all)[0]
print(f"after {len(adam_losses)} steps: Adam {final:.2f}, plain {final_plain:.2f}, best possible {-best:.2f}")
assert -best <= final < -best + 2

# %% [markdown]
# What to see. The black line cannot be crossed (the curves are means of 20 noisy batches, so they may touch it), and
# Adam comes within a nat of it in 300 steps. Each runs at the best of a few rates that we tried (plain: 0.02, 0.05,
# 0.1, 0.2, 0.5; Adam: 0.001, 0.003, 0.01, 0.03); on a problem this easy plain steps are only a little behind, but at
# 0.02 or 0.5 they are ten or forty nats behind.
#
# What has been learnt, above; the truth, below: the mean image of each digit.

# %%
_, (_, _, a, _) = forward(trained, np.eye(10), np.zeros((10, 784)))
figure, axes = plt.subplots(2, 10, figsize=(9, 2.1))
for digit in range(10):
    axes[0, digit].imshow(1 / (1 + np.exp(-a[digit].reshape(28, 28))), cmap="gray_r", vmin=0, vmax=1)
    axes[1, digit].imshow(share[digit].reshape(28, 28), cmap="gray_r", vmin=0, vmax=1)
for ax in axes.ravel():
    ax.set_axis_off()
plt.show()

# %% [markdown]
# ## The package's layers
#
# The same network from `refimpl.nn`. A layer holds `forward` and `backward` side by side. All parameters are views of
# *one* flat vector, so that Adam is a few passes over one array. A forward pass is a value, `run`: it keeps what its
# backward pass needs. Same weights in, same gradient out.

# %%
from refimpl.nn.losses import bernoulli_score, bernoulli_score_backward
from refimpl.nn.network import MLP
from refimpl.nn.parameters import bind

network = MLP([K, H, D])
parameters = bind([network], np.float64)
order = ("W1", "b1", "W2", "b2")
parameters.values[...] = np.concatenate([weights[name].ravel() for name in order])
run = network.run(z)
f, df_da = bernoulli_score(x, run.y), bernoulli_score_backward(x, run.y)
run.backward(df_da).accumulate(weight=-1 / len(x))          # loss = -mean f; gradients add up until zero_grads()
assert np.isclose(-f.mean(), loss)
assert np.allclose(parameters.grads, np.concatenate([gradient[name].ravel() for name in order]), atol=1e-14)

from refimpl.nn.adam import Adam as FlatAdam

flat, ours = FlatAdam(parameters, lr=3e-3), Adam(lr=3e-3)
mine = {name: weights[name].copy() for name in weights}
for _ in range(5):
    flat.step()
    ours.step(mine, gradient)
assert np.allclose(parameters.values, np.concatenate([mine[name].ravel() for name in order]), atol=1e-12)
print("layers and Adam of the package do what ours do")

# %% [markdown]
# ## Exercises
#
# **1 (easy).** Replace the ReLU by $\tanh$: which line of the backward pass changes, and to what? Check it.
#
# <details><summary>Solution</summary>
#
# Only `dpre`: $\tanh' = 1 - \tanh^2$, and $\tanh$ is `hid` already.
#
# ```python
# from unittest import mock
#
# def backward_tanh(p, z, x, saved):
#     pre, hid, a, e = saved
#     da = (np.where(a >= 0, 1, e) / (1 + e) - x) / len(x)
#     dpre = (da @ p["W2"].T) * (1 - hid**2)              # the only line that differs
#     return {"W1": z.T @ dpre, "b1": dpre.sum(axis=0), "W2": hid.T @ da, "b2": da.sum(axis=0)}
#
# with mock.patch.object(np, "maximum", lambda a, zero: np.tanh(a) if a.shape[1] == H else np.where(a > 0, a, 0)):
#     right = backward_tanh(weights, z, x, forward(weights, z, x)[1])
#     assert check(weights, right)[2] < 1e-6
#     wrong = backward(weights, z, x, forward(weights, z, x)[1])      # its ReLU's line no longer fits
#     assert check(weights, wrong)[2] > 1e-4
# ```
#
# </details>
#
# **2 (middling).** The KL term of a discrete encoder, $\text{KL}(q \| \text{uniform}) = \sum q \log q + \log k$ with
# $q$ the softmax of $h$. Find its gradient in $h$ by hand and check it.
#
# <details><summary>Solution</summary>
#
# $\partial q_i / \partial h_j = q_i ([i=j] - q_j)$, and
# $\sum_i (\log q_i + 1)\, \partial q_i / \partial h_j = q_j (\log q_j - \sum_i q_i \log q_i)$; the 1 cancels.
#
# ```python
# def kl(h):
#     q = np.exp(h) / np.exp(h).sum()
#     return (q * np.log(q)).sum() + np.log(len(h))
#
# h = rng.normal(size=6)
# q = np.exp(h) / np.exp(h).sum()
# by_hand = q * (np.log(q) - (q * np.log(q)).sum())
# numeric = np.array([(kl(h + 1e-6 * unit) - kl(h - 1e-6 * unit)) / 2e-6 for unit in np.eye(6)])
# assert np.allclose(by_hand, numeric, atol=1e-9)
# ```
#
# </details>
#
# **3 (hard).** All $k$ values at once: with $A$ the logits of all ten values, (10, D), the table
# $F_{bz} = x_b \cdot A_z - \sum_d \log(1+e^{A_{zd}})$ scores every image under every value. For a loss
# $-\frac{1}{B}\sum_{bz} w_{bz} F_{bz}$ give $dA$ without a loop, and say what it costs compared with running the
# decoder ten times an image.
#
# <details><summary>Solution</summary>
#
# $dA = -\frac{1}{B} (w^T x - (\textstyle\sum_b w_{bz}) \sigma(A))$: two products of (10, B, D), whatever the batch. Ten
# decoders an image would be $10 B$ rows instead of 10. This is how the package enumerates.
#
# ```python
# A, w = rng.normal(size=(10, D)), rng.random((100, 10))
# table = lambda A: x @ A.T - np.logaddexp(0, A).sum(axis=1)
# dA = -(w.T @ x - w.sum(axis=0)[:, None] / (1 + np.exp(-A))) / 100
# v = rng.normal(size=A.shape)
# numeric = -((w * table(A + 1e-6 * v)).sum() - (w * table(A - 1e-6 * v)).sum()) / 2e-6 / 100
# assert np.isclose((dA * v).sum(), numeric, rtol=1e-7)
# ```
#
# </details>
#
# ## Where it goes wrong in practice
#
# - A gradient check in float32 can hardly see an error of a percent. Check in float64, train in float32.
# - A check at the very start, with symmetric or zero weights, hides errors. Scale the weights up first.
# - $\log(1 + e^a)$ written as it reads overflows at $a = 89$ in float32.
# - Adam's $m$ and $v$ of a dead weight decay for ever and end as *denormal* numbers, on which a processor is many times
#   slower. `refimpl/nn/adam.py` sets them to 0.
#
# ## What to read next
#
# [Chapter 6](06_discrete_vae.ipynb) puts an encoder in front. In the package: `refimpl/nn/layers.py`, `network.py`,
# `losses.py`, `gradcheck.py`, `adam.py`. Andrej Karpathy's *makemore, part 4* takes the same walk through a deeper
# network.
