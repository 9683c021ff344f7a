# %% [markdown]
# # Appendix C. The KL term and epsilon: the 0.476
#
# This appendix belongs to [chapter 4](04_finite_epsilon.ipynb). **You will** predict the probability of the best value
# after training with a KL term. The prediction uses the tilted objective $T$. Then you will find the predicted
# probability in trained models. **You will learn** that $T$ and a KL term pull in opposite directions if $\epsilon$ is
# large. The appendix runs in about ten seconds. It loads three trained models.
# `python -m refimpl make tutorial-runs --write eps-1-kl eps-0.1-kl eps-1-no-kl` trains them again in a quarter of a
# minute.

# %%
import start    # if it is not found: clone the whole repository, and run this chapter in its folder tutorials/

import matplotlib.pyplot as plt
import numpy as np
from scipy.optimize import brentq

from draw import appendices as draw
from race import softmax
from refimpl import data
from refimpl.experiments.training import tutorial_runs

# %% [markdown]
# ## The prediction
#
# An auto-encoder (chapter 6) is trained to raise a lower bound on the log-probability of an image $x$. The prior gives
# each of the $k$ values the probability $1/k$, and $f = \log p(x \mid z)$. So
# $\log p(x) = \log \sum_z \frac{1}{k} e^{f(z)}$. The bound is
#
# $$\text{ELBO} = E_q f - \text{KL}(q \,\|\, \text{uniform}), \qquad \text{KL}(q \,\|\, \text{uniform}) = \sum_z q(z) \log q(z) + \log k$$
#
# The *Kullback-Leibler divergence* (KL) measures how far one distribution is from another. It is never negative. How
# far is the bound below $\log p(x)$? The *posterior* is $p(z | x) = e^{f(z)} / (k\, p(x))$. Insert the posterior into
# the definition of the divergence:
#
# $$\text{KL}(q \,\|\, p(\cdot | x)) = \sum_z q(z) \log q(z) - E_q f + \log k + \log p(x) = \log p(x) - \text{ELBO}$$
#
# So the *gap* between $\log p(x)$ and the ELBO is the divergence of $q$ from the posterior.
#
# With direct optimisation, the encoder follows the gradient of $T - \text{KL}$ instead of the gradient of the ELBO.
# Suppose that the best value $\hat z$ is better than all others by much more than $1/\epsilon$ nats. Then only $\hat z$
# matters inside $E_q e^{\epsilon f}$. Write $p$, without an argument, for the probability $q(\hat z)$. Then $T$ is
# close to $f(\hat z) + \frac{1}{\epsilon} \log p$. So $T$ does not depend on how the remaining probability $1 - p$ is
# distributed. The KL term is smallest if $1 - p$ is spread evenly over the other $k - 1$ values. So the
# quantity to maximise, and the equation for its maximum, are
#
# $$\frac{1}{\epsilon} \log p - p \log p - (1-p) \log \frac{1-p}{k-1}, \qquad \text{at its maximum: } \frac{1}{\epsilon p} = \log \frac{(k-1)\, p}{1-p}$$
#
# The true objective contains $p f(\hat z)$, so it pushes $p$ close to 1 if $f(\hat z)$ is ahead by many nats. $T$
# contains a logarithm instead, so it does not depend on *how much* better $\hat z$ is. (Both $\log p$ and the entropy
# are concave in $p$, so the solution of the equation is the maximum. The equation gives too large a $p$ if the lead of
# $\hat z$ is not much more than $1/\epsilon$, for example if the lead is 10 nats and $\epsilon = 0.1$.)

# %%
def best_share(k, eps):
    return brentq(lambda p: 1 / (eps * p) - np.log((k - 1) * p / (1 - p)), 1 / k + 1e-9, 1 - 1e-15)


def top_by_search(eps, lead, k=10):
    """The p with the largest T - KL, if the other k - 1 values are `lead` nats below the best one."""
    p = np.concatenate([np.linspace(0.01, 0.99, 20_000), 1 - np.geomspace(1e-2, 1e-7, 5_000)])
    tilted = np.log(p + (1 - p) * np.exp(-eps * lead)) / eps
    return p[np.argmax(tilted - p * np.log(p) - (1 - p) * np.log((1 - p) / (k - 1)))]


for eps in (1.0, 0.5, 0.1):
    print(f"k = 10, eps = {eps}: p = {best_share(10, eps):.4f} by the equation; by search with a lead of 100 nats "
          f"{top_by_search(eps, 100):.4f}, with a lead of 10 nats {top_by_search(eps, 10):.4f}")

# %% [markdown]
# Take ten values, $\epsilon = 1$, and an image whose best value is clearly better than all others. Then more than half
# of all samples have a *wrong* value. In each of these samples the reconstruction is many nats worse than with the best
# value.
#
# Does this happen in training? The next cell loads three auto-encoders. Each has ten values of $z$, and was trained on
# MNIST for eight epochs by direct optimisation. They differ in two things: $\epsilon$, and whether the gradient of the
# KL term is used. (To keep the files small, the networks have 40 hidden units. Each model was trained with a single
# seed. The bounds are computed on all 10,000 test images, and $q(\hat z)$ is computed on the first 2,000 of them.)
#
# **Guess first.** With $\epsilon = 1$ and the KL gradient, where does the histogram of $q(\hat z)$ peak?

# %%
x = data.load("mnist").test.images(slice(0, 2_000))
elbos, bounds, gaps, medians, shares = {}, {}, {}, {}, {}
for name, (words, _) in draw.RUNS.items():
    loaded = tutorial_runs.load(name)
    last = loaded.rows[-1]
    scores, f_all = loaded.run.model.score_all(x)                   # h (2000, 1, 10) and f (2000, 10) of all values
    share = softmax(scores[:, 0])[np.arange(len(x)), f_all.argmax(axis=1)]
    second, first = np.sort(f_all, axis=1)[:, -2:].T
    shares[name] = share[first - second > 10]                       # images whose best value is over 10 nats ahead
    elbos[name] = [-row["test_elbo"] for row in loaded.rows]
    bounds[name], medians[name] = -last["test_elbo"], np.median(shares[name])
    gaps[name] = last["test_log_likelihood"] - last["test_elbo"]
    print(f"{words:17s} test -ELBO {bounds[name]:.1f} nats = -log p(x) {-last['test_log_likelihood']:.1f} + gap "
          f"{gaps[name]:.1f}\n    median of q(best value) {np.median(share):.3f}, over the {len(shares[name])} images "
          f"whose best value is over 10 nats ahead {medians[name]:.3f}")
draw.bounds_and_shares(elbos, lambda p: np.log(9 * p / (1 - p)), shares,
                       {"eps-1-kl": (1.0, best_share(10, 1.0)), "eps-0.1-kl": (0.1, best_share(10, 0.1))})
plt.show()
behind, by_gap = bounds["eps-1-kl"] - bounds["eps-0.1-kl"], gaps["eps-1-kl"] - gaps["eps-0.1-kl"]
print(f"eps = 1 with KL is {behind:.1f} nats worse than eps = 0.1 with KL: {by_gap:.1f} because of the gap, "
      f"{behind - by_gap:.1f} because of the decoder")

# %% [markdown]
# **What to see.** Left: the curves show the bounds. Middle: the curves show the two sides of the equation above as
# functions of $p$. The pull of $T$ is $1/(\epsilon p)$, which falls as $p$ rises. The pull of the KL term is
# $\log((k-1)p/(1-p))$, which grows as $p$ rises. The maximum is where the two sides are equal (dots). Right: each
# histogram shows $q(\hat z)$ in one of the two models that are trained with the KL gradient. The histogram counts only
# images on which $f$ of the best value is more than 10 nats above $f$ of the second-best value. The dashed lines are
# the predictions.
#
# At $\epsilon = 1$ a lead of 10 nats is many times $1/\epsilon$, as the prediction requires. The histogram lies around
# the prediction, 0.476. (Over all images, the median of $q(\hat z)$ is lower than over those in the histogram: if two
# values are about equally good, $q$ is shared between them.) At $\epsilon = 0.1$ a lead of 10 nats is exactly
# $1/\epsilon$, so the prediction holds only for larger leads. In this model $q(\hat z)$ is close to 1 for nearly all
# images. For about twenty images it is close to 0, because $q$ has settled on a wrong value.
#
# The bound at $\epsilon = 1$ is more than 20 nats worse than at $\epsilon = 0.1$. A part of this difference is due to
# the gap, because $q$ is far from the posterior. The rest is due to the decoder, which learns less: about half of the
# values that it receives are wrong.
#
# A smaller $\epsilon$ weakens the conflict between $T$ and the KL term. Training without the KL gradient removes this
# conflict. With this single seed, the run without the KL gradient has the best bound of the three runs. The authors'
# code starts at $\epsilon = 1$ *and* omits the KL gradient. [results.md](results.md) contains further runs, which are
# longer. Some of these runs use the KL gradient, and some do not.
#
# ## An example without a network
#
# The conflict does not need a network. Take ten values. One of them is the best: its $f$ is 100 nats higher than the
# $f$ of every other value. We train the ten scores by direct optimisation, with ten draws per step and with the KL
# gradient. This training is repeated with ten seeds. For comparison, the scores are also trained with the exact
# gradient of the ELBO.
#
# **Guess first.** For $\epsilon = 1$ the prediction is 0.476. Is the prediction for $\epsilon = 0.5$ nearer to 0.7 or
# to 0.95?

# %%
lead = np.eye(10)[0] * 100.0


def train(gradient, seeds=1, steps=600, lr=0.05):
    """q of the best value at each step, (seeds, steps).  All seeds are trained at the same time."""
    rng, scores, kept = np.random.default_rng(0), np.zeros((seeds, 10)), []
    for _ in range(steps):
        share = softmax(scores)
        lag = np.log(share)
        kl_gradient = share * (lag - (share * lag).sum(axis=1, keepdims=True))
        scores = scores + lr * (gradient(scores, rng) - kl_gradient)
        kept.append(softmax(scores)[:, 0])
    return np.array(kept).T


def by_direct(eps, draws=10):
    def gradient(scores, rng):
        perturbed = scores + rng.gumbel(size=(draws, *scores.shape))
        z_star, z_eps = perturbed.argmax(axis=-1), (perturbed + eps * lead).argmax(axis=-1)
        return ((np.eye(10)[z_eps] - np.eye(10)[z_star]) / eps).mean(axis=0)
    return gradient


def of_the_elbo(scores, rng):
    share = softmax(scores)
    return share * (lead - share @ lead[:, None])


exact_run, runs = train(of_the_elbo)[0], {eps: train(by_direct(eps), seeds=10) for eps in (1.0, 0.5, 0.2)}
draw.settling(exact_run, runs, {eps: best_share(10, eps) for eps in runs})
plt.show()
settled = {eps: runs[eps][:, -200:].mean() for eps in runs}
for eps in runs:
    print(f"eps = {eps:g}: q of the best value, predicted {best_share(10, eps):.3f}, mean of the last 200 steps of ten "
          f"seeds {settled[eps]:.3f}")
print(f"exact gradient: q of the best value at the end {exact_run[-1]:.6f}")

# %% [markdown]
# **What to see.** For each $\epsilon$, the probability of the best value settles near the dashed line. (At
# $\epsilon = 0.2$ it settles slightly below the line, at 0.946 instead of 0.954.) With the exact gradient of the
# ELBO, this probability tends to 1.
#
# ## Now write it yourself
#
# After this appendix you can write file 8 of the workbook (the KL term): `python tutorials/workbook/check.py 8`.
#
# ## What to read next
#
# [Chapter 5](05_backpropagation.ipynb) builds the networks, and [chapter 6](06_discrete_vae.ipynb) trains them.
