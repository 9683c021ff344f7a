# %% [markdown]
# # 5. Backpropagation by hand
#
# **You will** write the forward and the backward pass of a two-layer network, line by line. You will check the
# gradient, and train the network with your own Adam optimiser. **You will learn** how to derive a backward pass from
# the forward pass, and how to make sure that it is right. **You need** the chain rule and NumPy, but no earlier
# chapter. This chapter runs in about five seconds. Its symbols are listed at the end.

# %%
import start    # if it is not found: clone the whole repository, and run this chapter in its folder tutorials/

import matplotlib.pyplot as plt
import numpy as np

import later_figures
from refimpl import data

rng = np.random.default_rng(0)

# %% [markdown]
# ## A decoder
#
# The decoder of a discrete auto-encoder turns one of $k$ values into an image. In this chapter there is no encoder: $z$
# is the label of the digit. Then the best possible decoder is known. For each digit, this decoder predicts the mean
# image of the digit. The value at a pixel is the share of the digit's images in which this pixel is on. *No network can
# do better*, and a good network must come close.

# %%
dataset = data.load("mnist", limit=10_000)
x_all = dataset.train.images()                                      # (10000, 784), float32
labels = dataset.train.labels
z_all = np.eye(10, dtype=np.float32)[labels]                                          # (10000, 10)

share = np.stack([x_all[labels == digit].mean(axis=0, dtype=float) for digit in range(10)])
count = np.bincount(labels)                                         # number of images of each digit
clipped = np.clip(share, 1e-12, 1 - 1e-12)
best_of_digit = (share * np.log(clipped) + (1 - share) * np.log(1 - clipped)).sum(axis=1)   # mean f of each digit
best = count @ best_of_digit / count.sum()
print(f"the best possible mean f on these images: {best:.2f} nats")

# %% [markdown]
# ## The forward pass, in named steps
#
# Every intermediate result gets a name, because the backward pass will need it. The comments give the shapes.
#
# The score of binary pixels with logits $a$ is $f = \sum_i [x_i a_i - \log(1 + e^{a_i})]$, a sum over the pixels. For
# $x_i = 1$ the term of the sum is $\log \sigma(a_i)$. For $x_i = 0$ it is $\log(1 - \sigma(a_i))$.
#
# The activation function of the hidden layer is an argument of `forward`. It is the ReLU here, and a different function
# in exercise 1.

# %%
k, hidden, pixels = 10, 40, 784


def initial_weights(rng):
    uniform = lambda n_in, *shape: rng.uniform(-1, 1, shape) / np.sqrt(n_in)
    return {"W1": uniform(k, k, hidden), "bias1": uniform(k, hidden),
            "W2": uniform(hidden, hidden, pixels), "bias2": uniform(hidden, pixels)}


def relu(pre):
    return np.maximum(pre, 0)


def forward(weights, z, x, activation=relu):
    pre = z @ weights["W1"] + weights["bias1"]      # (B, hidden)
    hid = activation(pre)                           # (B, hidden)
    a = hid @ weights["W2"] + weights["bias2"]      # (B, pixels)   logits
    e = np.exp(-np.abs(a))                          # (B, pixels)   never overflows
    softplus = np.maximum(a, 0) + np.log1p(e)       # (B, pixels)   log(1 + e^a)
    f = (x * a - softplus).sum(axis=1)              # (B,)
    loss = -f.mean()
    return loss, (pre, hid, a, e)


weights = initial_weights(rng)
x, z = x_all[:100].astype(float), z_all[:100].astype(float)                 # float64, to check the gradient
loss, _ = forward(weights, z, x)
print(f"loss at the start {loss:.1f} nats; if every pixel had probability 1/2, it would be {784 * np.log(2):.1f} nats")

# %% [markdown]
# ## The backward pass, line by line
#
# Go through the forward pass from its last line to its first. Write `dv` for the derivative of the loss $L$ with
# respect to the variable `v`. Each line `out = function(v)` of the forward pass becomes a line that computes `dv` from
# `dout`. Three rules are enough:
#
# - **Elementwise function**, `out = s(v)`: `dv = dout * s'(v)`.
# - **Matrix product**, `out = v @ W`: `dv = dout @ W.T` and `dW = v.T @ dout`. (To see this, consider a single weight.
#   `v[:, i]` enters `out[:, j]` with the factor `W[i, j]`, so `dW[i, j]` is the sum of `v[:, i] * dout[:, j]` over the
#   rows. The shapes also help: the factors fit together only in this order.)
# - **A variable that is used several times**, for example a bias, which is used in every row: add up the derivatives
#   from all uses.
#
# The first step needs $\frac{d}{da} [x a - \log(1 + e^a)] = x - \sigma(a)$.

# %%
def backward(weights, z, x, saved):
    pre, hid, a, e = saved
    sigmoid = np.where(a >= 0, 1, e) / (1 + e)      # (B, pixels)
    da = (sigmoid - x) / len(x)                     # loss = -mean f
    dW2 = hid.T @ da                                # a = hid W2 + bias2
    dbias2 = da.sum(axis=0)
    dhid = da @ weights["W2"].T
    dpre = dhid * (pre > 0)                         # hid = max(pre, 0)
    dW1 = z.T @ dpre                                # pre = z W1 + bias1
    dbias1 = dpre.sum(axis=0)
    return {"W1": dW1, "bias1": dbias1, "W2": dW2, "bias2": dbias2}


# %% [markdown]
# ## Is the gradient right?
#
# Never trust a backward pass without a check. Move *all* weights by a small step, once along a random direction and
# once against it. The difference of the two losses, divided by twice the step, must equal the inner product of the
# gradient and the direction. In float64, with a step of $10^{-6}$, the two numbers agree to seven digits or more. If
# fewer digits agree, there is a mistake. (There are two exceptions: the inner product can happen to be near 0, and a
# ReLU can have its kink between the two points.)

# %%
def along(weights, direction, step):
    return {name: weights[name] + step * direction[name] for name in weights}


def check(weights, gradient, activation=relu, step=1e-6):
    """The gradient's component along a random direction, for each array; the measured sum; their relative error."""
    direction = {name: rng.normal(size=value.shape) for name, value in weights.items()}
    parts = {name: (gradient[name] * direction[name]).sum() for name in weights}
    above = forward(along(weights, direction, step), z, x, activation)[0]
    below = forward(along(weights, direction, -step), z, x, activation)[0]
    analytic, numeric = sum(parts.values()), (above - below) / (2 * step)
    return parts, numeric, abs(analytic - numeric) / max(abs(analytic), abs(numeric))


loss, saved = forward(weights, z, x)
gradient = backward(weights, z, x, saved)
for _ in range(3):
    parts, numeric, error = check(weights, gradient)
    print(f"backward pass {sum(parts.values()):+.8f}   difference quotient {numeric:+.8f}   relative error {error:.0e}")
    assert error < 1e-6

# %% [markdown]
# A check is useful only if it can fail. So we make the gradient of the first bias 5 % too large on purpose.

# %%
wrong = {**gradient, "bias1": 1.05 * gradient["bias1"]}
for _ in range(3):
    parts, numeric, error = check(weights, wrong)
    words = ", ".join(f"{name} {part:+.2f}" for name, part in parts.items())
    print(f"{words}: sum {sum(parts.values()):+.2f}, measured {numeric:+.2f}, relative error {error:.1e}")
    planted = abs(parts["bias1"]) * 0.05 / 1.05
    assert np.isclose(error, planted / max(abs(sum(parts.values())), abs(numeric)), rtol=1e-4)

# %% [markdown]
# Why is the relative error hardly ever 5 %? The mistake is 5 % of *one* of four parts, and it is divided by the sum of
# all four parts, which have different signs. If `bias1` contributes little to the sum, the relative error is far below
# 5 %. If the four parts nearly cancel, the sum is small, and the relative error is far above 5 %. So only the order of
# magnitude of the relative error means anything.
#
# How small a mistake can the check detect? The next cell inserts smaller and smaller mistakes, and prints the median
# relative error over twenty directions. The last row is for a correct gradient. A mistake is detected if its number is
# clearly larger than the number in the last row. The cell compares three checks: in float64 with the step of $10^{-6}$
# used above, in float32 with the same step, and in float32 with a step of $10^{-3}$.

# %%
def planted_errors(dtype, step, sizes, directions=20):
    """Median relative error over random directions, for each relative size of the mistake made in dbias1."""
    draws, low = np.random.default_rng(3), lambda array: array.astype(dtype)
    there = {name: low(value) for name, value in weights.items()}
    right = backward(there, low(z), low(x), forward(there, low(z), low(x))[1])
    found = []
    for _ in range(directions):
        direction = {name: low(draws.normal(size=value.shape)) for name, value in there.items()}
        ends = [forward(along(there, direction, dtype(side * step)), low(z), low(x))[0] for side in (1, -1)]
        numeric = (float(ends[0]) - float(ends[1])) / (2 * step)
        parts = {name: float((right[name] * direction[name]).sum()) for name in there}
        sums = np.array([sum(parts.values()) + size * parts["bias1"] for size in sizes])
        found.append(np.abs(sums - numeric) / np.maximum(np.abs(sums), abs(numeric)))
    return np.median(found, axis=0)


sizes = (0.1, 0.05, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 0.0)
settings = (np.float64, 1e-6), (np.float32, 1e-6), (np.float32, 1e-3)
columns = [planted_errors(dtype, step, sizes) for dtype, step in settings]
print("mistake in bias1", *(f"{dtype.__name__}, step {step:.0e}".rjust(22) for dtype, step in settings))
for size, *values in zip(sizes, *columns):
    print(f"{size:16g}", *(f"{value:22.1e}" for value in values))
doubled = [[size for size, value in zip(sizes, column) if value > 2 * column[-1]] for column in columns]
print("smallest mistake that gives more than twice the number in the last row, for each column:",
      *(f"{min(found):g};" if found else "none;" for found in doubled))
assert min(doubled[0]) <= 1e-6 and min(doubled[2]) <= 0.01 and not [size for size in doubled[1] if size < 0.1]

# %% [markdown]
# **What to see.** In float64 the check detects a mistake of one millionth in one of the four arrays. In float32 the
# result depends on the step. The loss is several hundred nats. With a step of $10^{-6}$, the rounding error of the loss
# is larger than the change of the loss, so the check does not even detect a mistake of 10 %. With a step of $10^{-3}$,
# the check detects a mistake of one percent. A larger step is not a general solution, because it crosses more kinks of
# the ReLU. So check in float64 and train in float32.
#
# ## Adam
#
# The gradients of different weights can differ by orders of magnitude, but a single learning rate has to suit all of
# them. Adam keeps a running mean of the gradient, and a running mean of its square. Each step is the learning rate
# times the first mean, divided by the square root of the second mean. If the gradient of a weight keeps its sign and
# its size, each step changes the weight by about one learning rate, whatever the size of the gradient. If the sign of
# the gradient alternates, the weight changes less. Both running means start at zero, so they are too small at first.
# The two divisions by `1 - beta**steps` in the code correct this.

# %%
class Adam:
    def __init__(self, lr=1e-3, beta1=0.9, beta2=0.999, tiny=1e-8):
        self.lr, self.beta1, self.beta2, self.tiny, self.steps = lr, beta1, beta2, tiny, 0
        self.mean, self.square = {}, {}

    def step(self, weights, gradient):
        self.steps += 1
        for name, g in gradient.items():
            self.mean[name] = self.beta1 * self.mean.get(name, 0) + (1 - self.beta1) * g
            self.square[name] = self.beta2 * self.square.get(name, 0) + (1 - self.beta2) * g**2
            mean = self.mean[name] / (1 - self.beta1**self.steps)
            square = self.square[name] / (1 - self.beta2**self.steps)
            weights[name] -= self.lr * mean / (np.sqrt(square) + self.tiny)


def train(optimise, epochs=3):
    weights = {name: value.astype(np.float32) for name, value in initial_weights(np.random.default_rng(1)).items()}
    history, shuffle = [], np.random.default_rng(2)
    for _ in range(epochs):
        for rows in shuffle.permutation(len(x_all)).reshape(-1, 100):
            loss, saved = forward(weights, z_all[rows], x_all[rows])
            optimise(weights, backward(weights, z_all[rows], x_all[rows], saved))
            history.append(loss)
    return weights, np.array(history)


def plain(weights, gradient, lr=0.1):
    for name in weights:
        weights[name] -= lr * gradient[name]


trained, adam_losses = train(Adam(lr=0.01).step)
trained_plainly, plain_losses = train(plain)

later_figures.losses({"plain gradient steps, rate 0.1": plain_losses, "Adam, rate 0.01": adam_losses}, -best)
plt.show()


def loss_on_all(weights):
    """f is linear in x, so the mean of f over a digit's images is f of their mean image.  Ten rows are enough."""
    return sum(n * forward(weights, row, mean)[0] for n, row, mean in zip(
        count, np.eye(10)[:, None], share[:, None])) / count.sum()


final, final_plain = loss_on_all(trained), loss_on_all(trained_plainly)
assert np.isclose(final, forward(trained, z_all, x_all)[0])
print(f"loss after {len(adam_losses)} steps: Adam {final:.2f}, plain gradient steps {final_plain:.2f}, best possible "
      f"{-best:.2f} nats")
assert -best <= final < -best + 1

# %% [markdown]
# **What to see.** The black line is the best possible loss on all images. Each point of a curve is the mean over up to
# 21 neighbouring batches (fewer at the two ends). Some batches are easier than others, so a curve can touch the line.
# Adam comes within one nat of the best possible loss in 300 steps. Each method uses the best of the learning rates that
# we tried (plain gradient steps: 0.02, 0.05, 0.1, 0.2, 0.5; Adam: 0.001, 0.003, 0.01, 0.03). On such an easy problem,
# plain gradient steps are only slightly worse than Adam.
#
# But each of the two methods needs a suitable learning rate. The next cell shows the effect of an unsuitable rate. It
# trains on the ten mean images instead of all images, so each step is cheap.

# %%
def behind(optimise):
    """Nats above the best possible loss after 200 steps on the ten mean images, which have equal weights."""
    ten = initial_weights(np.random.default_rng(1))
    for _ in range(200):
        optimise(ten, backward(ten, np.eye(10), share, forward(ten, np.eye(10), share)[1]))
    return forward(ten, np.eye(10), share)[0] + best_of_digit.mean()


for words, rates in (("plain steps", (0.02, 0.1, 0.5)), ("Adam", (0.001, 0.01, 0.1))):
    late = [behind(Adam(lr=rate).step if words == "Adam" else lambda ten, g: plain(ten, g, rate)) for rate in rates]
    print(f"{words:12s}", ", ".join(f"rate {rate:g}: {value:.1f} nats above" for rate, value in zip(rates, late)))
    assert late[0] > late[1] + 5
    assert words == "Adam" or late[2] > late[1] + 5

# %% [markdown]
# Each number is the difference between the loss and the best possible loss, in nats. If the rate is too small, both
# methods are still far from the best loss. If the rate is too large, plain gradient steps become unstable. Adam is less
# sensitive to a large rate than plain gradient steps are. In this cell, even the rate 0.1 does no harm to Adam. (In the
# training above, with batches, Adam used the rate 0.01. In that training, the rate 0.1 costs some nats.)
#
# In the next figure, each column belongs to one digit. The upper row shows what the network has learnt. The lower row
# shows the best possible result, which is the mean image of the digit.

# %%
_, (_, _, a, _) = forward(trained, np.eye(10), np.zeros((10, 784)))
later_figures.digits(1 / (1 + np.exp(-a)), share)
plt.show()

# %% [markdown]
# ## The package's layers
#
# The next cell builds the same network from `refimpl.nn`. All parameters are parts of *one* flat vector, so a step of
# Adam takes only a few operations on one array. A forward pass returns an object, `run`, which keeps everything that
# its backward pass needs. With the same weights, the gradient must be the same as ours.

# %%
from refimpl.nn.losses import bernoulli_score, bernoulli_score_backward
from refimpl.nn.network import MLP
from refimpl.nn.parameters import bind

network = MLP([k, hidden, pixels])
parameters = bind([network], np.float64)
order = ("W1", "bias1", "W2", "bias2")
parameters.values[...] = np.concatenate([weights[name].ravel() for name in order])
run = network.run(z)
f, df_da = bernoulli_score(x, run.y), bernoulli_score_backward(x, run.y)
run.backward(df_da).accumulate(weight=-1 / len(x))          # loss = -mean f; adds to the gradient of earlier passes
assert np.isclose(-f.mean(), loss)
assert np.allclose(parameters.grads, np.concatenate([gradient[name].ravel() for name in order]), atol=1e-14)

from refimpl.nn.adam import Adam as FlatAdam

flat, ours = FlatAdam(parameters, lr=3e-3), Adam(lr=3e-3)
mine = {name: weights[name].copy() for name in weights}
one_by_one = np.concatenate([gradient[name].ravel() for name in order])
for factor in (1.0, -2.0, 0.5, 3.0, -1.0):                  # a constant gradient would not test the values of beta
    parameters.grads[...] = factor * one_by_one
    flat.step()
    ours.step(mine, {name: factor * part for name, part in gradient.items()})
assert np.allclose(parameters.values, np.concatenate([mine[name].ravel() for name in order]), atol=1e-12)
print("the layers and the Adam of the package give the same results as ours")

# %% [markdown]
# ## Exercises
#
# **1 (easy).** Replace the ReLU by $\tanh$. Which line of the backward pass changes, and to what? Check it.
#
# <details><summary>Solution</summary>
#
# Only the line that computes `dpre` changes. Since $\tanh' = 1 - \tanh^2$ and `hid` is already $\tanh$ of `pre`, the
# factor `(pre > 0)` becomes `(1 - hid**2)`.
#
# ```python
# def backward_tanh(weights, z, x, saved):
#     pre, hid, a, e = saved
#     da = (np.where(a >= 0, 1, e) / (1 + e) - x) / len(x)
#     dpre = (da @ weights["W2"].T) * (1 - hid**2)        # the only line that differs
#     return {"W1": z.T @ dpre, "bias1": dpre.sum(axis=0), "W2": hid.T @ da, "bias2": da.sum(axis=0)}
#
# saved = forward(weights, z, x, np.tanh)[1]
# assert check(weights, backward_tanh(weights, z, x, saved), np.tanh)[2] < 1e-6
# assert check(weights, backward(weights, z, x, saved), np.tanh)[2] > 1e-4    # the line for the ReLU is wrong here
# ```
#
# </details>
#
# **2 (medium).** A discrete encoder gives scores $h$. Let $q$ be the softmax of these scores. The KL term of the
# encoder is $\text{KL}(q \| \text{uniform}) = \sum_z q(z) \log q(z) + \log k$. Derive the gradient of this term with
# respect to $h$ by hand, and check it.
#
# <details><summary>Solution</summary>
#
# $\partial q_i / \partial h_j = q_i ([i=j] - q_j)$, where $[i=j]$ is 1 if $i = j$ and 0 otherwise. So the derivative
# with respect to $h_j$ is $\sum_i (\log q_i + 1)\, q_i ([i=j] - q_j) = q_j (\log q_j - \sum_i q_i \log q_i)$. The terms
# that come from the $+1$ cancel.
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
# **3 (hard).** In this exercise the decoder's scores of all $k = 10$ values are computed at once. Let `a`, of shape (k,
# 784), be the logits of these values. The table `f = x @ a.T - softplus(a).sum(axis=1)`, of shape (B, k), contains the
# score of every image for every value. Take the loss `-(share * f).sum() / B`, where `share`, also of shape (B, k), may
# contain any numbers. Compute `da`, the gradient of this loss with respect to `a`, without a loop. How much cheaper is
# this than running the decoder ten times per image?
#
# <details><summary>Solution</summary>
#
# `da = -(share.T @ x - share.sum(axis=0)[:, None] * sigmoid(a)) / B`. The forward and the backward pass are one matrix
# product each, and the decoder runs on 10 rows, however large the batch is. The package enumerates in this way. Ten
# decoder runs per image would need $10 B$ rows instead of 10.
#
# ```python
# a, share = rng.normal(size=(10, pixels)), rng.random((100, 10))
# table = lambda a: x @ a.T - np.logaddexp(0, a).sum(axis=1)
# da = -(share.T @ x - share.sum(axis=0)[:, None] / (1 + np.exp(-a))) / 100
# direction = rng.normal(size=a.shape)
# numeric = -((share * table(a + 1e-6 * direction)).sum() - (share * table(a - 1e-6 * direction)).sum()) / 2e-6 / 100
# assert np.isclose((da * direction).sum(), numeric, rtol=1e-7)
# ```
#
# </details>
#
# ## Where it goes wrong in practice
#
# - The gradient is checked in float32, with a step that was chosen for float64. The table above shows which mistakes
#   such a check can detect. Check in float64, and train in float32.
# - The gradient is checked at weights that are symmetric or zero. Such a check hides mistakes, because parts of the
#   gradient are zero there. Use random weights.
# - $\log(1 + e^a)$ is coded exactly as it is written. Then it overflows at $a = 89$ in float32.
# - The gradient of a weight stays zero, so Adam's running means for this weight become smaller and smaller. In the end
#   the means are *denormal* numbers. A processor is many times slower with denormal numbers than with other numbers. So
#   `refimpl/nn/adam.py` sets very small means to 0, before they become denormal.
#
# ## Now write it yourself
#
# The workbook, in the folder `workbook`, has files in which the code is left out, and a program that checks what you
# write. After this chapter you can write file 6 (a linear layer and a ReLU, forward and backward), file 7 (the
# Bernoulli score), file 8 (the KL term of exercise 2 above) and file 9 (Adam). Check each file by its number:
# `python tutorials/workbook/check.py 6`.
#
# ## What to read next
#
# [Chapter 6](06_discrete_vae.ipynb) adds an encoder. In the package, see `refimpl/nn/layers.py`, `network.py`,
# `losses.py`, `gradcheck.py` and `adam.py`. Andrej Karpathy's *makemore, part 4* derives the backward pass of a deeper
# network in the same way.
#
# ## Symbols
#
# | symbol | in the code | the slides write | meaning |
# | --- | --- | --- | --- |
# | $x$ | `x` (B, 784) | $x$ | images of 784 pixels, 0 or 1, one per row |
# | $z$ | `z` (B, k) | $z$ | the decoder's input: one of $k$ values, as a one-hot row |
# | $a$ | `a` (B, 784) | | logits, one per pixel |
# | $\sigma$ | `sigmoid` | | the sigmoid, $\sigma(a) = 1 / (1 + e^{-a})$ |
# | $f(x, z)$ | `f` (B,) | $\theta(x,z)$ | the decoder's score $\log p(x \mid z)$, nats per image |
# | $W$ | `W1`, `W2` | | a layer's weights, a row for each of its inputs |
# | $L$ | `loss` | | what training makes small: minus the mean of $f$ over the batch |
# | $da$ | `da` | | derivative of $L$ with respect to $a$; with another name after the $d$, the derivative with respect to that variable |
# | $B$, $k$ | `B`, `k` | | number of images in a batch; number of values of $z$ |
