# %% [markdown]
# # 9. A few labels
#
# **You will** mix a discrete and a continuous latent variable, and teach the discrete one with a handful of labels. You
# find out what three ways of teaching really do. **You will learn** that "replace the perturbed arg max by the label"
# is cross-entropy under another name, and what fifty and a hundred labels do on digits. **You need** chapters
# [2](02_theorem_1.ipynb), [3](03_gumbel_noise.ipynb), [4](04_finite_epsilon.ipynb), [6](06_discrete_vae.ipynb). It runs
# in about ten seconds. Three trained runs are loaded; `python -m refimpl make tutorial-runs --write labels-0 labels-50
# labels-100` makes them again in a few minutes.
#
# | symbol | in the code | the slides write | meaning |
# | --- | --- | --- | --- |
# | $z$ | `z` | part of $z$ | the class, one of $k$ values, chosen by a Gumbel arg max |
# | $\zeta$ | `zeta` (B, 30) | part of $z$ | Gaussian variable: style, slant, width |
# | $y$ | `y` | $z$, in the labelled set $S_1$ | the label, known for a few images |
# | $\ell(z)$ | `ell` | $\ell(z, z^{\phi+\gamma})$ | 0/1 loss: 1 where $z$ is not the label |
# | $h$ | `h` | $\phi(x,z)$ | the encoder's scores of the classes |
# | $f(x, z)$ | `f` | $\theta(x,z)$ | the decoder's score of class $z$ |
# | $\gamma$ | `noise` | $\gamma(z)$ | Gumbel noise, one number a class |
# | $z^{\star}$, $z(\epsilon)$ | `z_star`, `z_eps` | $z^{\phi+\gamma}$, $z^{\epsilon\theta+\phi+\gamma}$ | arg max of $h + \gamma$, without and with $\epsilon f$ or $-\epsilon \ell$ added |
# | $q$ | `q` | | softmax of $h$ |
# | $m_z$ | `m` | | the toy decoder's mean of class $z$ |
# | $W$ | `W` | | a layer's weights |
# | $B$, $k$ | `B`, `k` | | images in a batch; number of classes |

# %%
import start    # if it is not found: clone the whole repository, and run this chapter in its folder tutorials/

import matplotlib.pyplot as plt
import numpy as np
from scipy.optimize import linear_sum_assignment

from refimpl import gumbel, plots
from refimpl.experiments.training import tutorial_runs

rng = np.random.default_rng(6)


def softmax(h):
    e = np.exp(h - h.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


# %% [markdown]
# ## The matrix that is zero but for one row
#
# Slide 33 feeds the decoder a matrix with a row for each class. Row $z$ holds $\zeta$, the others are zero. So each
# class has its own first layer, and all share the rest. Direct optimisation asks for $f$ of *every* class (chapter 6),
# that is $k$ decoder runs an image. Here is the first layer of all of them, as it reads and then with the zeros left
# out:

# %%
B, k, length, hidden = 100, 10, 30, 200
zeta, W = rng.normal(size=(B, length)), rng.normal(size=(k * length, hidden))


def naive(zeta):
    columns = []
    for z in range(k):
        matrix = np.zeros((B, k, length))
        matrix[:, z] = zeta
        columns.append(matrix.reshape(B, k * length) @ W)   # (B, 300) times (300, hidden), nine tenths of it zeros
    return np.stack(columns, axis=1)                        # (B, k, hidden)


def without_zeros(zeta):
    by_class = W.reshape(k, length, hidden).transpose(1, 0, 2).reshape(length, k * hidden)
    return (zeta @ by_class).reshape(B, k, hidden)          # one product: a tenth of the work


assert np.allclose(naive(zeta), without_zeros(zeta))
print("the same first layer for all ten classes, at a tenth of the cost")

# %% [markdown]
# The Gaussian needs no theorem. It is a mean plus a standard deviation times a standard normal number, and the chain
# rule goes through (Kingma and Welling). The class does need one.
#
# ## What a label teaches
#
# For an image with label $y$ we want $q(y)$ large. Here are three gradients in the scores $h$, for something to be
# *maximised*:
#
# - **Cross-entropy**: $\nabla_h \log q(y) = \text{onehot}(y) - q$. No noise.
# - **As released**: take the direct gradient and put the label in the place of the perturbed arg max,
#   $(\text{onehot}(y) - \text{onehot}(z^{\star}))/\epsilon$.
# - **As the slide writes it**: direct loss minimisation. Put $-\ell$ in the place of $f$:
#   $z(\epsilon) = \arg\max_z \{h + \gamma - \epsilon \ell\}$.
#
# What are their means? By Theorem 2, $E\,\text{onehot}(z^{\star}) = q$. So the released term has the mean
# $(\text{onehot}(y) - q)/\epsilon$. That is *exactly cross-entropy, times* $1/\epsilon$, with noise added. At the
# released $\epsilon = 0.05$ the label weighs twenty times as much.
#
# The slide's term is chapter 4 with $-\ell$ in the place of $f$. So its mean is the gradient of
# $\frac{1}{\epsilon} \log E_q e^{-\epsilon \ell}$. The loss is 0 with probability $q(y)$ and else 1, so
#
# $$E_q e^{-\epsilon \ell} = q(y) + (1 - q(y))\, e^{-\epsilon}$$
#
# The pull on the label's score is the derivative in $h(y)$. There $q(y)$ has the derivative $q(y)(1 - q(y))$, so the
# pull is
#
# $$\frac{(1 - e^{-\epsilon})\, q(y) (1 - q(y))}{\epsilon\, (q(y) + (1 - q(y)) e^{-\epsilon})}$$
#
# It vanishes as $q(y) \to 0$. That of cross-entropy is $1 - q(y)$, and does not. Check the slide's gradient by
# differences, and all means by draws.

# %%
h, y = np.array([1.0, -1.5, 0.4, 0.0]), 1                   # the label is the least likely class: the image is misread
q, onehot = softmax(h), np.eye(4)[1]


def slides_objective(h, eps):
    return np.log(softmax(h)[y] + (1 - softmax(h)[y]) * np.exp(-eps)) / eps


noise = gumbel.sample((200_000, 4), rng)
z_star = np.eye(4)[(h + noise).argmax(axis=1)]
for eps in (0.05, 1.0, 5.0):
    ell = 1 - onehot
    z_eps = np.eye(4)[(h + noise - eps * ell).argmax(axis=1)]
    slope = [(slides_objective(h + 1e-5 * unit, eps) - slides_objective(h - 1e-5 * unit, eps)) / 2e-5
             for unit in np.eye(4)]
    assert np.allclose(slope, (softmax(h - eps * ell) - q) / eps, atol=1e-8)
    pull = (1 - np.exp(-eps)) * q[y] * (1 - q[y]) / (eps * (q[y] + (1 - q[y]) * np.exp(-eps)))
    assert np.isclose(slope[y], pull)
    for name, sampled, mean in (("released", (onehot - z_star) / eps, (onehot - q) / eps),
                                ("direct loss", (z_eps - z_star) / eps, (softmax(h - eps * ell) - q) / eps)):
        error = sampled.std(axis=0) / np.sqrt(len(noise))
        assert (np.abs(sampled.mean(axis=0) - mean) < 4.5 * error).all()
        print(f"eps = {eps:4.2f} {name:13s} pull on the label's score {mean[y]:7.3f}, "
              f"standard deviation {sampled[:, y].std():6.2f}")
print(f"           cross-entropy pull on the label's score {1 - q[y]:7.3f}, standard deviation   0.00")

# %% [markdown]
# The same pulls against $q(y)$, by their formulas:

# %%
shares = np.linspace(0.001, 0.999, 300)                     # q(y), two classes
figure, ax = plt.subplots(figsize=(6, 3.2))
ax.plot(shares, 1 - shares, color=plots.TRUTH, linewidth=3, label="cross-entropy; released, times eps")
for eps, colour in ((0.05, plots.FURTHER[3]), (1.0, plots.FURTHER[1]), (5.0, plots.FURTHER[2])):
    tilted = shares * np.exp(eps) / (1 + shares * (np.exp(eps) - 1))
    ax.plot(shares, (tilted - shares) / eps, color=colour, label=f"direct loss, eps = {eps:g}")
ax.set(xlabel="q(y), what the encoder gives the label", ylabel="mean pull on the label's score")
ax.legend(fontsize=9)
plt.show()

# %% [markdown]
# What to see. Cross-entropy pulls hardest where the encoder is most wrong. Direct loss at a small $\epsilon$ hardly
# pulls there, about as little as where the encoder is right. At any $\epsilon$ its pull goes to nothing as
# $q(y) \to 0$. The 0/1 loss is flat: an image that is wrong under every likely draw teaches nothing.
# [results.md](results.md) has what that does in training.
#
# ## A mixture small enough to see
#
# Three clouds of points, a decoder of three means, a linear encoder. The decoder's score is minus the squared distance
# from $m_z$, over twice the variance of a cloud. Without labels, direct optimisation trains on the ELBO. With labels
# there is one labelled point a class, off its centre, and cross-entropy is added.

# %%
centres = np.array([[-2.0, 0.0], [2.0, 0.5], [0.0, 2.5]])
toy = np.random.default_rng(6)
labels = toy.integers(3, size=600)
x = centres[labels] + 0.7 * toy.normal(size=(600, 2))
towards = centres + 0.38 * (np.roll(centres, -1, axis=0) - centres)     # poor examples, each leaning to the next class
distance = ((x - towards[labels]) ** 2).sum(axis=1)
known = np.array([np.where(labels == z, distance, np.inf).argmin() for z in range(3)])


def train(with_labels, seed, steps=600, eps=0.1, spread=0.7, rate=0.03):
    rng = np.random.default_rng(seed)
    m, W, bias = 0.5 * rng.normal(size=(3, 2)), np.zeros((2, 3)), np.zeros(3)
    for _ in range(steps):
        batch = x[rng.integers(600, size=50)]
        h = batch @ W + bias
        f = -((batch[:, None] - m) ** 2).sum(axis=2) / (2 * spread**2)              # all classes: (50, 3)
        noise = gumbel.sample(h.shape, rng)
        z_star, z_eps = np.eye(3)[(h + noise).argmax(axis=1)], np.eye(3)[(h + eps * f + noise).argmax(axis=1)]
        q = softmax(h)
        log_q = np.log(q)
        dh = (z_eps - z_star) / eps - q * (log_q - (q * log_q).sum(axis=1, keepdims=True))      # ascend E f - KL
        dm = (z_star[:, :, None] * (batch[:, None] - m)).sum(axis=0) / spread**2 / 50
        dW, dbias = batch.T @ dh / 50, dh.mean(axis=0)
        if with_labels:
            dh = np.eye(3)[labels[known]] - softmax(x[known] @ W + bias)
            dW, dbias = dW + x[known].T @ dh, dbias + dh.sum(axis=0)
        m, W, bias = m + rate * dm, W + rate * dW, bias + rate * dbias
    return m, (x @ W + bias).argmax(axis=1)


def matched(predicted):
    counts = np.zeros((3, 3), int)
    np.add.at(counts, (predicted, labels), 1)
    rows, columns = linear_sum_assignment(counts, maximize=True)                    # the best names for the clusters
    return counts[rows, columns].sum() / len(labels), columns[rows.argsort()]       # and the name of each cluster


nearest = ((x[:, None] - x[known]) ** 2).sum(axis=2).argmin(axis=1)
print(f"accuracy by the nearest of the three labelled points, nothing learnt: {(nearest == labels).mean():.3f}")
figure, axes = plt.subplots(1, 2, sharex=True, sharey=True)
for ax, with_labels in zip(axes, (False, True)):
    m, predicted = train(with_labels, seed=0)
    accuracy, name_of = ((predicted == labels).mean(), range(3)) if with_labels else matched(predicted)
    for z in range(3):
        ax.scatter(*x[predicted == z].T, s=6, color=plots.FURTHER[1 + name_of[z]])      # the colour of the name
    ax.scatter(*m.T, s=150, marker="X", color="black", label="decoder's means")
    if with_labels:
        ax.scatter(*x[known].T, s=110, marker="o", color=plots.FURTHER[1:4], edgecolor="black", linewidth=2,
                   label="labelled, in its label's colour")
        ax.legend(fontsize=9)
    ax.set(title="three labels" if with_labels else "no labels", xlabel="x1", ylabel="x2")
    assert accuracy > 0.9
    words = "accuracy" if with_labels else "accuracy, clusters named as well as can be"
    ten = [(train(True, s)[1] == labels).mean() if with_labels else matched(train(False, s)[1])[0] for s in range(10)]
    print(f"{words}: {accuracy:.3f}; over ten seeds", np.sort(ten).round(2))
    assert sum(value > 0.9 for value in ten) >= 9
plt.show()

# %% [markdown]
# What to see. A colour is the class that the encoder gives a point. The clouds are found without labels, in nine runs
# of ten. Which cluster gets which number is chance. So their accuracy is counted, and they are coloured, under the best
# naming.
#
# With three poor labels beside the unlabelled points no such naming is needed. It costs a little accuracy: each label
# is off its cloud's centre and pulls the boundary with it. The nearest of the three labelled points, nothing learnt, is
# right less often than the picture's two runs. But that is another kind of classifier, and the one unlabelled run that
# missed a cloud is worse still. Here the clusters were there before the labels came. With digits they are not, as the
# next section shows.
#
# ## In training
#
# The real thing on 10,000 MNIST images (`--limit 10000`), one seed: fifteen epochs after those on the labelled images
# alone. Left the accuracy on the test images, right the bound with the class enumerated.

# %%
figure, (left, right) = plt.subplots(1, 2)
for count, colour in ((0, "0.5"), (50, plots.FURTHER[1]), (100, plots.FURTHER[2])):
    rows = tutorial_runs.load(f"labels-{count}").rows
    left.plot([row["epoch"] for row in rows], [100 * row["accuracy"] for row in rows],
              color=colour, marker="o", label=f"{count} labels")
    right.plot([row["epoch"] for row in rows[1:]], [-row["test_elbo"] for row in rows[1:]], color=colour, marker="o")
    before = "from the labelled images alone" if count else "untrained"
    print(f"{count:3d} labels: accuracy {100 * rows[0]['accuracy']:.1f} % {before}, "
          f"{100 * rows[-1]['accuracy']:.1f} % at the end; -ELBO {-rows[-1]['test_elbo']:.1f} nats")
left.set(xlabel="epoch (0: labelled images alone, or nothing)", ylabel="test accuracy, %")
right.set(xlabel="epoch", ylabel="test -ELBO, nats an image")
left.xaxis.get_major_locator().set_params(integer=True)
left.legend(fontsize=9)
plt.show()

# %% [markdown]
# What to see. Without labels the classes settle on something else than digits: the best naming of the classes gets less
# than half of the images right. Fifty labels, read alone, do better. Then, in the same run, with the other images
# beside them, it rises to more than nine of ten. (The labels are taught on in these epochs too.)
#
# What do the labels do, beside giving the classes their names? These three runs do not show it alone. The runs with
# labels also had more steps, those on the labelled images, before the first epoch. And each is one seed. So we compare
# a run with its own start, and no more. For the same reason do not compare the bounds of the runs with labels with that
# of the run without. How *few* labels are enough is not answered here either: that would take more counts than 0, 50
# and 100, and more seeds.
#
# These are short runs on a fifth of the data, by
# `python -m refimpl semi-supervised --labels 50 --limit 10000 --beta-epochs 10 --epochs 15`. Longer ones are in
# [results.md](results.md#a-few-labels), and draw this:
#
# ![Generated digits: a column a class, a row a Gaussian; without labels and with a hundred](figures/classes-mnist.png)
#
# The recipe is not the paper's:
#
# - The labelled images stay beside every batch. Their cross-entropy has weight 50, their own reconstruction 0.2.
# - They are shifted by up to three pixels, each time anew.
# - The Gaussian's KL term starts with weight 5. So $\zeta$ is expensive at first, and the decoder has to use the class.
#   Otherwise $\zeta$ alone would tell it everything.
#
# These numbers were chosen by the test accuracy with a hundred labels on MNIST, seed 0. What each part is worth, and
# the paper's table beside ours, is in [results.md](results.md).
#
# ## Exercises
#
# **1 (easy).** A labelled image whose $q(y)$ is 0.99 already. Which of the three terms still moves it, and how often is
# the released one zero?
#
# <details><summary>Solution</summary>
#
# Cross-entropy pulls with 0.01. The released term is zero whenever $z^{\star} = y$, in 99 of 100 draws. Otherwise it is
# $1/\epsilon = 20$. So it is 0.2 on average, twenty times as much. Direct loss pulls with less than cross-entropy.
#
# ```python
# sure, first = np.log([0.99, 0.01]), np.array([1.0, 0.0])
# gamma = gumbel.sample((100_000, 2), rng)
# star = np.eye(2)[(sure + gamma).argmax(axis=1)]
# released_pull = ((first - star) / 0.05)[:, 0]
# assert abs((released_pull == 0).mean() - 0.99) < 4 * np.sqrt(0.99 * 0.01 / 100_000)
# assert abs(released_pull.mean() - 0.2) < 4 * released_pull.std() / np.sqrt(100_000)
# assert (softmax(sure - 0.05 * (1 - first))[0] - 0.99) / 0.05 < 0.01
# ```
#
# </details>
#
# **2 (middling).** Show what direct loss minimisation becomes: the released term (at the same $\epsilon$) as
# $\epsilon \to \infty$, and the gradient of the expected accuracy $q(y)$ as $\epsilon \to 0$.
#
# <details><summary>Solution</summary>
#
# The mean is $(\text{softmax}(h - \epsilon \ell) - q) / \epsilon$. As $\epsilon \to \infty$ the softmax tends to
# $\text{onehot}(y)$. As $\epsilon \to 0$ the mean tends to $q (f - E_q f)$ with
# $f = -\ell = \text{onehot}(y) - 1$. That is $q(y) (\text{onehot}(y) - q)$, which is $\nabla q(y)$. In numbers:
#
# ```python
# pull = lambda eps: (softmax(h - eps * (1 - onehot)) - q) / eps
# assert np.allclose(pull(60.0), (onehot - q) / 60.0)
# assert np.allclose(pull(1e-6), q[y] * (onehot - q), atol=1e-5)              # grad q(y) = q(y) (onehot(y) - q)
# ```
#
# </details>
#
# **3 (hard).** Wrong labels. Swap two of the toy's three labels. What happens to the accuracy, and to the clusters?
# Then compare how hard cross-entropy and direct loss ($\epsilon = 1$) pull on a point that the encoder is sure about
# and the label contradicts.
#
# <details><summary>Solution</summary>
#
# The clusters stay what they are, under other names. Accuracy falls below a half. Accuracy under the best naming stays
# above nine in ten. And direct loss hardly pulls on a point whose label is very unlikely.
#
# ```python
# right = labels.copy()
# labels = labels.copy()
# labels[known[:2]] = labels[known[:2]][::-1]                                 # `train` reads `labels` at `known` only
# predicted = train(True, seed=0)[1]
# labels = right
# assert (predicted == labels).mean() < 0.5 and matched(predicted)[0] > 0.9
#
# confident = np.array([6.0, 0.0, 0.0])                                       # sure of class 0, labelled 1
# wrong = np.eye(3)[1]
# by_loss = (softmax(confident - (1 - wrong)) - softmax(confident))[1]
# by_entropy = (wrong - softmax(confident))[1]
# assert by_loss < 0.01 * by_entropy
# ```
#
# </details>
#
# ## Where it goes wrong in practice
#
# - The labelled images may come from the *training* part only. The released code may have drawn them from validation
#   images too. And it left them grey where all others were binary, which shows the network which ones they are.
# - Labels drawn at random are not balanced. With fifty of them some classes get many, and others hardly any.
# - The accuracy of *clusters* needs the best one-to-one match of names. To name each cluster by its majority makes the
#   number too good: with as many clusters as images it is 100 %.
#
# ## What to read next
#
# [results.md](results.md), and the code: `refimpl/models/mixture.py`, `refimpl/estimators/label_terms.py`,
# `refimpl/runs/mixture.py`. There the class is called `c` and the Gaussian variable `g`. McAllester, Hazan and Keshet,
# *Direct loss minimization for structured prediction* (NIPS 2010), is where the difference of two arg maxes began.
