# %% [markdown]
# # 9. A few labels
#
# **You will** combine a discrete and a continuous latent variable, and train the discrete one with a few labels. You
# will compare three ways of using a label. **You will learn** what the released code does: it uses the direct gradient
# with the label in place of the perturbed arg max. The mean of this gradient is the cross-entropy gradient times
# $1/\epsilon$. You will also see the accuracy on digits with fifty and with a hundred labels. **You need** chapters
# [2](02_theorem_1.ipynb), [3](03_gumbel_noise.ipynb), [4](04_finite_epsilon.ipynb) and [6](06_discrete_vae.ipynb). This
# chapter runs in about five seconds. Three trained runs are loaded;
# `python -m refimpl make tutorial-runs --write labels-0 labels-50 labels-100` makes them again in a few minutes. The
# symbols are listed at the end.

# %%
import start    # if it is not found: clone the whole repository, and run this chapter in its folder tutorials/

import copy

import matplotlib.pyplot as plt
import numpy as np
from scipy.optimize import linear_sum_assignment

import later_figures
from refimpl import gumbel
from refimpl.experiments.training import tutorial_runs

rng = np.random.default_rng(6)


def softmax(h):
    e = np.exp(h - h.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


# %% [markdown]
# ## The model and its bound
#
# An image is described by a class $z$ and a style $\zeta$, which is a Gaussian vector. The encoder gives the scores $h$
# of the classes, and a mean and a standard deviation for each entry of $\zeta$. The score $f(x, z, \zeta)$ of the
# decoder is the log probability of $x$, given $z$ and $\zeta$. Under $q$, class and style are independent. So the bound
# on $\log p(x)$ is the mean of $f$ minus two KL terms:
#
# $$\text{ELBO} = E_{\zeta} \left[ \sum_z q(z) f(x, z, \zeta) \right] - \text{KL}(q(z) \| \text{uniform}) - \text{KL}(q(\zeta) \| \text{normal})$$
#
# The first term has a gradient with respect to the Gaussian part of the encoder and a gradient with respect to $h$. The
# Gaussian part needs none of our methods: $\zeta$ is the mean plus the standard deviation times a standard normal
# number. So once this number is drawn, the chain rule applies (Kingma and Welling). Given this $\zeta$, the class is
# trained as in chapter 6: a table contains the $f$ of each class, and the estimate is the difference of two arg maxes,
# divided by $\epsilon$. Both KL terms have formulas. The KL term of the class is that of chapter 6. The KL term of each
# entry of $\zeta$ is $\frac12 (\text{mean}^2 + \text{sd}^2 - \log \text{sd}^2 - 1)$. A label adds a fourth term, which
# is described below.
#
# For the table of $f$, the decoder has to run with all $k$ classes for every image. On slide 33, the input of the
# decoder is a matrix with a row for each class: row $z$ is $\zeta$, and the other rows are zero. The zeros switch off
# all weights of the first layer except those of row $z$. So each class has a first layer of its own, and all classes
# share the other layers. The next cell computes the output of the first layer for all classes in two ways: as on the
# slide, and without the multiplications by zero.

# %%
B, k, length, hidden = 100, 10, 30, 200
zeta, W = rng.normal(size=(B, length)), rng.normal(size=(k * length, hidden))


def naive(zeta):
    columns = []
    for z in range(k):
        matrix = np.zeros((B, k, length))
        matrix[:, z] = zeta
        columns.append(matrix.reshape(B, k * length) @ W)   # (B, 300) times (300, hidden); 9/10 are zeros
    return np.stack(columns, axis=1)                        # (B, k, hidden)


def without_zeros(zeta):
    by_class = W.reshape(k, length, hidden).transpose(1, 0, 2).reshape(length, k * hidden)
    return (zeta @ by_class).reshape(B, k, hidden)          # one product, a tenth of the work


assert np.allclose(naive(zeta), without_zeros(zeta))
print("both ways give the same first layer for all ten classes; the second one takes a tenth of the multiplications")

# %% [markdown]
# ## What a label teaches
#
# For an image with label $y$, we want $q(y)$ to be large. Here are three gradients with respect to the scores $h$. A
# run uses one of them and follows it *upwards*:
#
# - **Cross-entropy**: $\nabla_h \log q(y) = \text{onehot}(y) - q$. It has no noise.
# - **As released**: take the direct gradient and replace the perturbed arg max by the label, which gives
#   $(\text{onehot}(y) - \text{onehot}(z^{\star}))/\epsilon$.
# - **As on the slide**: direct loss minimisation (*direct loss* for short). Let $\ell(z)$ be the 0/1 loss, which is 0
#   if $z = y$ and 1 otherwise. Use $-\ell$ instead of $f$: $z(\epsilon) = \arg\max_z \{h + \gamma - \epsilon \ell\}$.
#
# What are the means of these gradients? By Theorem 2, $E\,\text{onehot}(z^{\star}) = q$. So the released term has the
# mean $(\text{onehot}(y) - q)/\epsilon$. This mean is *exactly the cross-entropy gradient, times* $1/\epsilon$. The
# term itself is this mean plus noise. With the released $\epsilon = 0.05$, a label counts twenty times as much as with
# cross-entropy.
#
# The slide's term is the direct gradient of chapter 4 with $-\ell$ instead of $f$. So its mean is the gradient of
# $\frac{1}{\epsilon} \log E_q e^{-\epsilon \ell}$. The loss is 0 with probability $q(y)$, and 1 otherwise, so
#
# $$E_q e^{-\epsilon \ell} = q(y) + (1 - q(y))\, e^{-\epsilon}$$
#
# The *pull* on the label's score $h(y)$ is entry $y$ of the gradient. The derivative of $q(y)$ with respect to $h(y)$
# is $q(y)(1 - q(y))$, so the mean pull of direct loss minimisation is
#
# $$\frac{(1 - e^{-\epsilon})\, q(y) (1 - q(y))}{\epsilon\, (q(y) + (1 - q(y)) e^{-\epsilon})}$$
#
# This pull goes to 0 as $q(y) \to 0$. The pull of cross-entropy is $1 - q(y)$, which does not go to 0. The next cell
# checks the slide's gradient by finite differences. It also checks the mean of each gradient by sampling.

# %%
h, y = np.array([1.0, -1.5, 0.4, 0.0]), 1                   # the label is the least likely class
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
# The next figure shows the mean pulls as functions of $q(y)$. The curves are computed from the formulas above. The
# pulls of direct loss and of the released term contain the factor $1/\epsilon$. In the right picture, these pulls are
# multiplied by $\epsilon$. There the curve of the released term is that of cross-entropy. (If training uses only one of
# these gradients, Adam ignores the scale of this gradient, and only the shape of the curve matters.)

# %%
shares = np.linspace(0.001, 0.999, 300)                     # q(y), two classes
pulls = {eps: (shares * np.exp(eps) / (1 + shares * (np.exp(eps) - 1)) - shares) / eps for eps in (0.05, 1.0, 5.0)}
later_figures.pulls(shares, pulls)
plt.show()
assert all(pull[0] < 0.03 < 1 - shares[0] for pull in pulls.values())       # all are weak where q(y) is small
assert (5 * pulls[5.0] > pulls[1.0]).all() and (pulls[1.0] > 0.05 * pulls[0.05]).all()

# %% [markdown]
# **What to see.** Cross-entropy pulls hardest where the encoder is most wrong, and so does the released term. Direct
# loss at a small $\epsilon$ hardly pulls there: its pull at $q(y)$ near 0 is about as weak as at $q(y)$ near 1. With a
# larger $\epsilon$, direct loss comes closer to cross-entropy. But at any $\epsilon$, the pull of direct loss tends to
# 0 as $q(y) \to 0$. The reason is that the 0/1 loss is flat: if every likely draw gives a wrong class, a small change
# of the scores does not change the loss, and the image teaches nothing.
#
# ## A mixture small enough to plot
#
# The data of this example are three clouds of points. The decoder has three means $m_z$, and the encoder is linear. The
# score $f$ of class $z$ is minus the squared distance between the point and $m_z$, divided by twice the variance of a
# cloud. The decoder and the encoder are trained on the ELBO by direct optimisation. One point of each class is
# labelled. This point lies off the centre of its cloud. Its label adds a term to the gradient. We compare runs with
# each of the three terms above. The arrays have an additional axis with one entry for each seed, so one call of `train`
# makes a run with every seed.

# %%
centres = np.array([[-2.0, 0.0], [2.0, 0.5], [0.0, 2.5]])
toy = np.random.default_rng(6)
labels = toy.integers(3, size=600)
x = centres[labels] + 0.7 * toy.normal(size=(600, 2))
towards = centres + 0.38 * (np.roll(centres, -1, axis=0) - centres)     # poor examples, each leaning to the next class
distance = ((x - towards[labels]) ** 2).sum(axis=1)
known = np.array([np.where(labels == z, distance, np.inf).argmin() for z in range(3)])


def label_term(name, h, eps, rng):
    """The gradient of a label's term with respect to the scores of the labelled points, for each seed."""
    wanted = np.eye(3)[labels[known]]
    if name == "cross-entropy":
        return wanted - softmax(h)
    if name == "mean of direct loss":
        return (softmax(h - eps * (1 - wanted)) - softmax(h)) / eps
    noisy = h + gumbel.sample(h.shape, rng)
    z_star = np.eye(3)[noisy.argmax(axis=-1)]
    if name == "released":
        return (wanted - z_star) / eps
    return (np.eye(3)[(noisy - eps * (1 - wanted)).argmax(axis=-1)] - z_star) / eps         # direct loss


def train(term=None, label_eps=None, weight=1, begin=None, seeds=10, steps=400, eps=0.1, spread=0.7, rate=0.045):
    """The decoder's means (seeds, 3, 2), the encoder's class of each point (seeds, 600), and the state, to go on."""
    rng = np.random.default_rng(0)
    m, W, bias = 0.5 * rng.normal(size=(seeds, 3, 2)), np.zeros((seeds, 2, 3)), np.zeros((seeds, 1, 3))
    x_known = x[known]
    if begin:
        m, W, bias, rng = *begin[:3], copy.deepcopy(begin[3])               # go on from this state
    for step in range(steps):
        batch = x.take(rng.integers(600, size=(seeds, 40)), axis=0)
        h = batch @ W + bias
        f = (batch @ m.transpose(0, 2, 1) - (m**2).sum(axis=-1)[:, None] / 2) / spread**2  # without a common term
        noisy = h + gumbel.sample(h.shape, rng)
        z_star, z_eps = np.eye(3)[noisy.argmax(axis=-1)], np.eye(3)[(noisy + eps * f).argmax(axis=-1)]
        log_q = h - np.log(np.exp(h).sum(axis=-1, keepdims=True))
        q = np.exp(log_q)
        dh = (z_eps - z_star) / eps - q * (log_q - (q * log_q).sum(axis=-1, keepdims=True))     # ascend E f - KL
        dm = (z_star.transpose(0, 2, 1) @ batch - z_star.sum(axis=1)[..., None] * m) / spread**2 / 40
        dW, dbias = batch.transpose(0, 2, 1) @ dh / 40, dh.sum(axis=1, keepdims=True) / 40
        if term:
            dh = weight * label_term(term, x_known @ W + bias, label_eps, rng)
            dW, dbias = dW + x_known.T @ dh, dbias + dh.sum(axis=1, keepdims=True)
        m, W, bias = m + rate * dm, W + rate * dW, bias + rate * dbias
    return m, (x @ W + bias).argmax(axis=-1), (m, W, bias, rng)


def matched(predicted):
    counts = np.zeros((3, 3), int)
    np.add.at(counts, (predicted, labels), 1)
    rows, columns = linear_sum_assignment(counts, maximize=True)                    # the best naming of the clusters
    return counts[rows, columns].sum() / len(labels), columns[rows.argsort()]       # and each cluster's name


nearest = ((x[:, None] - x[known]) ** 2).sum(axis=2).argmin(axis=1)
print(f"accuracy of the class of the nearest labelled point, without training: {(nearest == labels).mean():.3f}")
half = train(steps=200)[2]
m, predicted, _ = train(begin=half, steps=200)
unlabelled = np.array([matched(each)[0] for each in predicted])
print("accuracy without labels, under the best naming of the clusters, ten seeds:", np.sort(unlabelled).round(2))
assert (unlabelled > 0.9).sum() >= 8
shown = int(unlabelled.argmax())
pictures = {"no labels, best of ten seeds": (m[shown], predicted[shown], matched(predicted[shown])[1])}
print("accuracy with three labels: mean (lowest to highest)\n"
      f"{'of ten seeds; the labels are used':50s} {'from the first step':24s} from step 200 on")
found = {}
for term, label_eps, weight in (("cross-entropy", None, 1), ("released", 0.05, 1), ("released", 1.0, 1),
                                ("direct loss", 0.05, 1), ("direct loss", 1.0, 1), ("direct loss", 5.0, 1),
                                ("cross-entropy", None, 20), ("direct loss", 5.0, 20), ("direct loss", 0.05, 20),
                                ("mean of direct loss", 0.05, 20)):
    words = term + (f", eps = {label_eps:g}" if label_eps else "") + (f", weight {weight}" if weight > 1 else "")
    for start, settings in ((0, {}), (200, dict(begin=half, steps=200))):
        m, predicted, _ = train(term, label_eps, weight, **settings)
        found[words, start] = (predicted == labels).mean(axis=1)
        if words == "cross-entropy" and start == 0:
            pictures["three labels, cross-entropy, seed 0"] = m[0], predicted[0], range(3)
    cells = [f"{values.mean():.2f} ({values.min():.2f} to {values.max():.2f})" for values in
             (found[words, 0], found[words, 200])]
    print(f"{words:50s} {cells[0]:24s} {cells[1]}")
later_figures.clouds(x, pictures, x[known])
plt.show()
assert min(found["cross-entropy", 0].min(), found["released, eps = 0.05", 0].min(), found["released, eps = 1", 0].min(),
           found["released, eps = 0.05", 200].min()) > 0.75
assert all(found[f"direct loss, eps = {eps}", start].min() < 0.5 for eps in ("0.05", "1", "5") for start in (0, 200))
assert found["cross-entropy", 200].min() < 0.5 and found["released, eps = 1", 200].min() < 0.5
heavy = {key: values for key, values in found.items() if "weight 20" in key[0]}
assert min(heavy[words, start].min() for words in ("cross-entropy, weight 20", "direct loss, eps = 5, weight 20")
           for start in (0, 200)) > 0.75
drawn, mean = "direct loss, eps = 0.05, weight 20", "mean of direct loss, eps = 0.05, weight 20"
assert heavy[drawn, 0].mean() < 0.5 < 0.9 < heavy[mean, 0].min() and heavy[mean, 200].min() < 0.5

# %% [markdown]
# **What to see.** In the picture, the colour of a point is the class that the encoder gives it. With nearly every seed,
# training finds the three clouds even without labels. Each cloud becomes one cluster, but chance decides which number
# the cluster gets. So without labels, the clusters are renamed until the accuracy is highest (*the best naming*). With
# labels, no renaming is needed.
#
# In the left column of the table, the labels are used from the first step on. In this case, cross-entropy and the
# released term give the clusters the correct names with all ten seeds. At $\epsilon = 1$, the two terms give nearly the
# same accuracy, because their means are equal. At $\epsilon = 0.05$, a label has twenty times as much weight in the
# released term as in cross-entropy, and the noise of the released term costs a little accuracy. Direct loss at weight
# one gives wrong names with some seeds, at every $\epsilon$ and in both columns. In the right column, the labels are
# not used in the first 200 steps. After these steps, the clusters already have names. In this column, cross-entropy at
# weight one gives wrong names with some seeds too: the bound keeps the clusters where they are, and the pull of
# cross-entropy is too weak to move them. The released term at $\epsilon = 0.05$ has a large weight and renames the
# clusters.
#
# Does direct loss fail because of its form, or because of its weight? In the last four rows, the label's term has the
# weight 20. With this weight, cross-entropy gives the clusters their correct names. The released term at
# $\epsilon = 0.05$ has the same mean as cross-entropy at weight 20. But it is noisy, and its accuracy is a little
# lower. With equal weights, the mean pull of direct loss at $\epsilon = 5$ is at most a fifth of the pull of
# cross-entropy. But with weight 20, direct loss at $\epsilon = 5$ finds the correct names with all ten seeds. So at
# weight one, direct loss with this $\epsilon$ failed because of its weight. At $\epsilon = 0.05$ and weight 20, direct
# loss still fails when the labels are used from the first step on. The reason is the noise: the mean of direct loss,
# computed without draws, gives the correct names with all ten seeds. The effect of the form of direct loss can be seen
# when the labels are used only after 200 steps. By then, some labelled points are in a wrong cluster, with
# $q(y) \approx 0$. On these points, direct loss hardly pulls. Cross-entropy at weight 20 brings all these points back
# to the correct cluster. Direct loss with $\epsilon = 0.05$ and weight 20 does not bring them back, even if its mean is
# computed without draws. So the weight, the noise and the form of a label's term all matter. (This is a toy problem
# with one learning rate and plain gradient steps.)
#
# The three labels are poorly chosen: each labelled point lies off the centre of its cloud and pulls the boundary to
# itself. So if cross-entropy is used from the first step on, the accuracy is slightly lower than without labels (where
# the clusters get the names that fit best). A classifier that takes the class of the nearest labelled point needs no
# training, but its accuracy is even lower. In this example, the clusters exist before the labels are used. With digits,
# there are no such clusters before the labels are used, as the next section shows.
#
# ## In training
#
# Now we make three runs on 10,000 images of MNIST (`--limit 10000`), all with the same seed. The first run has no
# labels. The second run has 50 labelled images, and the third run has 100. Every run has fifteen epochs on all images.
# Before these epochs, the two runs with labels have a pretraining that uses only the labelled images. The left picture
# shows the accuracy on the test images. The right picture shows the bound, in which the sum over the classes is exact.

# %%
runs = {count: tutorial_runs.load(f"labels-{count}").rows for count in (0, 50, 100)}
for count, rows in runs.items():
    before = "from the labelled images alone" if count else "untrained"
    print(f"{count:3d} labels: accuracy {100 * rows[0]['accuracy']:.1f} % {before}, "
          f"{100 * rows[-1]['accuracy']:.1f} % at the end; -ELBO {-rows[-1]['test_elbo']:.1f} nats")
later_figures.labels(runs)
plt.show()

# %% [markdown]
# **What to see.** Without labels, the classes do not become the digits: under the best naming of the classes, less than
# half of the images are classified correctly. After the pretraining, the accuracy of the run with fifty labels is
# already higher than the final accuracy of the run without labels. After the epochs on all images, the accuracy with
# fifty labels is above nine in ten. (These epochs also use the labels.)
#
# What do the labels do, besides naming the classes? These three runs cannot answer this question, for two reasons.
# Because of the pretraining, the runs with labels had more steps than the run without labels. And there is only one run
# for each number of labels. So for this question, we compare each run only with its own start. In particular, the bound
# of the unlabelled run should not be compared with the bounds of the other two runs. The question of how *few* labels
# are enough is not answered here either: an answer would need runs with other numbers of labels, and more seeds.
#
# These are short runs on a fifth of the data, made by
# `python -m refimpl semi-supervised --labels 50 --limit 10000 --beta-epochs 10 --epochs 15`. Longer runs are in
# [results.md](results.md#a-few-labels). The digits in the next picture were generated by two models. These models were
# trained even longer than the runs in results.md:
#
# ![Generated digits, one column per class, without labels and with a hundred](figures/classes-mnist.png)
#
# The recipe is not that of the paper. Fifty labelled images are added to every batch. Their cross-entropy has the
# weight 50, and their reconstruction has the weight 0.2. Each time a labelled image is used, it is shifted by up to
# three pixels. The KL term of the Gaussian starts with the weight 5. So $\zeta$ is expensive at first, and the decoder
# has to use the class. These numbers were chosen according to the test accuracy on MNIST, in runs with seed 0 and a
# hundred labels. [A table](results-details.md#parts-of-the-recipe) shows how the accuracy and the bound change if one
# part of the recipe is changed. [results.md](results.md#a-few-labels) compares our accuracies with those of the paper.
#
# ## Exercises
#
# **1 (easy).** The $q(y)$ of a labelled image is 0.99 already. Which of the three terms still change it, and how often
# is the released term zero?
#
# <details><summary>Solution</summary>
#
# The pull of cross-entropy is 0.01. The released term is zero whenever $z^{\star} = y$. This happens in 99 of 100
# draws. In the other draws, the pull of the released term is $1/\epsilon = 20$. So the mean pull of the released term
# is 0.2, which is twenty times the pull of cross-entropy. By the formula above, the mean pull of direct loss at
# $\epsilon = 0.05$ is 0.0097, a little less than the pull of cross-entropy.
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
# **2 (medium).** Show two facts about the mean of the gradient of direct loss minimisation. For large $\epsilon$, this
# mean is nearly equal to the mean of the released term with the same $\epsilon$. As $\epsilon \to 0$, this mean tends
# to the gradient of the expected accuracy $q(y)$.
#
# <details><summary>Solution</summary>
#
# The mean of the gradient is $(\text{softmax}(h - \epsilon \ell) - q) / \epsilon$. As $\epsilon \to \infty$, the
# softmax tends to $\text{onehot}(y)$. So for large $\epsilon$, the mean is nearly $(\text{onehot}(y) - q)/\epsilon$,
# which is the mean of the released term. As $\epsilon \to 0$, the mean tends to $q (f - E_q f)$ with
# $f = -\ell = \text{onehot}(y) - 1$. This limit is $q(y) (\text{onehot}(y) - q)$, which is $\nabla q(y)$. In numbers:
#
# ```python
# pull = lambda eps: (softmax(h - eps * (1 - onehot)) - q) / eps
# assert np.allclose(pull(60.0), (onehot - q) / 60.0)
# assert np.allclose(pull(1e-6), q[y] * (onehot - q), atol=1e-5)              # grad q(y) = q(y) (onehot(y) - q)
# ```
#
# </details>
#
# **3 (hard).** Labels can be wrong. Swap two of the three labels of the toy problem. What happens to the accuracy, and
# to the clusters? Then take a point for which the encoder is sure of one class, while the label is another class.
# Compare the pull of cross-entropy on the score of this label with the pull of direct loss ($\epsilon = 1$).
#
# <details><summary>Solution</summary>
#
# The clusters stay where they are, and only their names change. The accuracy falls below a half, but under the best
# naming it stays above nine in ten. Direct loss hardly pulls on a point whose label is very unlikely.
#
# ```python
# right = labels.copy()
# labels = labels.copy()
# labels[known[:2]] = labels[known[:2]][::-1]                                 # `train` reads `labels` at `known` only
# predicted = train("cross-entropy", seeds=1)[1][0]
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
# - The labelled images must all come from the *training* part. The released code possibly took some of them from the
#   validation images. It also left the labelled images grey while all other images were binary. This difference tells
#   the network which images are labelled.
# - Labels drawn at random are not balanced. If fifty labelled images are drawn, some classes have many labels and other
#   classes have hardly any. The runs above have five or ten labels for each class.
# - To measure the accuracy of *clusters*, name each cluster after a class, with no class used twice, and choose the
#   naming with the highest accuracy. If each cluster is named after the most frequent class in it, the accuracy looks
#   too good: if there are as many clusters as images, the accuracy is 100 %.
#
# ## Now write it yourself
#
# Workbook file 8 (the KL term) and file 11 (one step of direct training) contain the code that trains the scores $h$ of
# the classes. Only the line for the label is missing: `onehot(y) - q`. You can check this line by finite differences,
# as file 3 does for Danskin's derivative. `python tutorials/workbook/check.py 11` checks your training step.
#
# ## What to read next
#
# [results.md](results.md) has the results of longer runs. In the package, see `refimpl/models/mixture.py`,
# `refimpl/estimators/label_terms.py` and `refimpl/runs/mixture.py`. In this code, the class variable is called `c`, and
# the Gaussian variable is called `g`. The difference of two arg maxes was first used by McAllester, Hazan and Keshet,
# *Direct loss minimization for structured prediction* (NIPS 2010).
#
# ## Symbols
#
# | symbol | in the code | the slides write | meaning |
# | --- | --- | --- | --- |
# | $z$ | `z` | part of $z$ | the class, one of $k$ values, chosen by a Gumbel arg max |
# | $\zeta$ | `zeta` (B, 30) | part of $z$ | Gaussian variable: style, slant, width |
# | $y$ | `y` | $z$, in the labelled set $S_1$ | the label, known for a few images |
# | $\ell(z)$ | `ell` | $\ell(z, z^{\phi+\gamma})$ | 0/1 loss: 1 where $z$ is not the label |
# | $h$ | `h` | $\phi(x,z)$ | the encoder's scores of the classes |
# | $f(x, z)$ | `f` | $\theta(x,z)$ | the decoder's score of class $z$ |
# | $\gamma$ | `noise` | $\gamma(z)$ | Gumbel noise, one number per class |
# | $z^{\star}$, $z(\epsilon)$ | `z_star`, `z_eps` | $z^{\phi+\gamma}$, $z^{\epsilon\theta+\phi+\gamma}$ | arg max of $h + \gamma$, without and with $\epsilon f$ or $-\epsilon \ell$ added |
# | $q$ | `q` | | softmax of $h$ |
# | $m_z$ | `m` | | the toy decoder's mean of class $z$ |
# | $W$ | `W` | | a layer's weights |
# | $B$, $k$ | `B`, `k` | | images in a batch; number of classes |
