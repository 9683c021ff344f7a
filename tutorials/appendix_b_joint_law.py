# %% [markdown]
# # Appendix B. The joint distribution of the two arg maxes
#
# This appendix belongs to [chapter 4](04_finite_epsilon.ipynb), which needs only the probability $P_{ii}$ that both
# winners are $i$. Here we derive all the $P_{ij}$, and use them to examine the "built-in control variate" of the
# authors' slides. The appendix runs in about five seconds.

# %%
import start    # if it is not found: clone the whole repository, and run this chapter in its folder tutorials/

import matplotlib.pyplot as plt
import numpy as np
from scipy import integrate
from scipy.optimize import brentq

from draw import appendices as draw
from race import softmax
from refimpl import direct

h = np.array([0.3, -0.4, 0.6])                  # the encoder's scores of shirt, coat and dress
f = np.array([1.0, -2.0, 0.5])                  # the decoder's scores, nats
noise = np.random.default_rng(1).gumbel(-np.euler_gamma, size=(100_000, 3))     # one row per draw, mean 0
M = len(noise)
q = softmax(h)
z_star = (h + noise).argmax(axis=1)


def both(h, f, eps):                            # P_ii, as in chapter 4
    gap_h, gap_f = h[None, :] - h[:, None], f[None, :] - f[:, None]     # entry [i, j]: that of j minus that of i
    return 1 / np.exp(np.maximum(gap_h, gap_h + eps * gap_f)).sum(axis=1)

# %% [markdown]
# ## The joint distribution
#
# For $i \ne j$, $P_{ij}$ is the probability that $z^{\star} = i$ and $z(\epsilon) = j$. The two races of chapter 4 also
# give these probabilities. Suppose that clock $i$ rings first in the first race, at time $t$, and that clock $j$ wins
# the second race. Write the time of $j$ in the second race as a multiple $\lambda$ of $t$:
# $e^{-\epsilon f_j} X_j = \lambda\, t$. Clock $j$ loses the first race and wins the second one if $\lambda$ lies
# between $e^{-\epsilon f_j}$ and $e^{-\epsilon f_i}$. Every other clock must ring after $t$ in the first race and after
# $\lambda\, t$ in the second one. The probability that all other clocks do this is a product of exponentials. Multiply
# it by $e^{-r_i t}$ from the density of $X_i$ and by $e^{-r_j \lambda\, e^{\epsilon f_j} t}$ from the density of $X_j$.
# The result is $e^{-t S(\lambda)}$, where
#
# $$S(\lambda) = \sum_z r_z \max(1, \lambda\, e^{\epsilon f_z})$$
#
# Two factors of the densities remain: $r_i$ from the density of $X_i$ at $t$, and $r_j e^{\epsilon f_j} t$ from the
# density of $\lambda$. The integral over $t$ is $\int t\, e^{-t S(\lambda)} dt = 1/S(\lambda)^2$. So
#
# $$P_{ij} = r_i r_j e^{\epsilon f_j} \int_{e^{-\epsilon f_j}}^{e^{-\epsilon f_i}} \frac{d\lambda}{S(\lambda)^2} \quad \text{if } f_j > f_i, \text{ else } 0$$
#
# If $f_j \le f_i$, the probability is 0, because $f$ of the winner rises whenever the winner changes (chapter 1). The
# sums of $P_{ij}$ over $j$ are $q$, and the sums over $i$ are $q_\epsilon$.

# %%
def whole_law(h, f, eps):
    P = np.diag(both(h, f, eps))
    S_of = lambda s: (np.exp(h) * np.maximum(1, s * np.exp(eps * f))).sum()
    for i in range(len(h)):
        for j in range(len(h)):
            if f[j] > f[i]:
                kinks = np.sort(np.exp(-eps * f))
                area = integrate.quad(lambda s: S_of(s) ** -2, np.exp(-eps * f[j]), np.exp(-eps * f[i]),
                                      points=kinks, epsabs=1e-13)[0]
                P[i, j] = np.exp(h[i] + h[j] + eps * f[j]) * area
    return P


for eps in (0.3, 2.0):
    P = whole_law(h, f, eps)
    z_eps = (h + eps * f + noise).argmax(axis=1)
    share = np.array([[np.mean((z_star == i) & (z_eps == j)) for j in range(3)] for i in range(3)])
    print(f"eps = {eps}: P_ij, one row for each z*, one column for each z(eps)\n{P.round(4)}")
    assert np.allclose(P.sum(axis=1), q, rtol=0, atol=1e-10)
    assert np.allclose(P.sum(axis=0), softmax(h + eps * f), rtol=0, atol=1e-10)
    assert np.allclose(P, direct.joint_law(h, f, eps), rtol=0, atol=1e-10)
    assert (np.abs(share - P) <= 4 * np.sqrt(P * (1 - P) / M)).all()
swept = direct.joint_law(h, f, 1e-3) / (1e-3 * np.outer(q, q))
print(f"eps = 0.001, i = coat, j = shirt: P_ij / (eps q_i q_j) = {swept[1, 0]:.3f}, and f_j - f_i = {f[0] - f[1]:g}")
assert np.isclose(swept[1, 0], f[0] - f[1], rtol=2e-3) and swept[0, 1] == 0

# %% [markdown]
# ## A control variate inside the difference
#
# The slides call the second term of $g$ a *built-in control variate*. To see what this means, subtract $q/\epsilon$,
# the known mean of $\text{onehot}(z^{\star})/\epsilon$, from both terms of $g$:
#
# $$g = \frac{\text{onehot}(z(\epsilon)) - q}{\epsilon} - \frac{\text{onehot}(z^{\star}) - q}{\epsilon}$$
#
# The first term alone has the right mean. The second term has the mean 0, so subtracting it does not change the mean of
# the estimate. If the second term rises and falls with the first, subtracting it removes noise. A term with these
# properties is called a *control variate*. (The slide takes the gradient with respect to weights instead of scores, so
# its second term is $\nabla_w h_w(z^{\star})$. If $h$ is normalised, so that $h = \log q$, the mean of this term is 0.)
#
# Does the control variate reduce the variance? The variance of a difference of two terms is the variance of the first
# term, minus twice the covariance of the terms, plus the variance of the second term. So the control variate reduces
# the variance if
#
# $$\text{Cov}(\text{onehot}_i(z(\epsilon)),\, \text{onehot}_i(z^{\star})) > \tfrac12 \text{Var}\, \text{onehot}_i(z^{\star})$$
#
# and increases the variance if the inequality is reversed. The covariance is exactly $P_{ii} - q_i q_\epsilon(i)$.
#
# **Guess first.** At small $\epsilon$, the control variate helps for all three values: shirt, coat and dress. As
# $\epsilon$ grows, for which of the three names does the control variate stop helping first?

# %%
def coefficient(eps):
    """Cov(onehot_i(z(eps)), onehot_i(z*)) / Var(onehot_i(z*)): the control variate helps where this is above 1/2."""
    law = direct.joint_law(h, f, eps)
    return (np.diag(law) - q * law.sum(axis=0)) / (q * (1 - q))


def with_over_without(eps):
    q_eps = softmax(h + eps * f)
    return direct.variance(h, f, eps) / (q_eps * (1 - q_eps) / eps**2)


eps = np.geomspace(0.02, 10, 60)
ratio, variances = (np.array([of(e) for e in eps]) for of in (coefficient, with_over_without))
crossing = [brentq(lambda e: coefficient(e)[i] - 0.5, 0.02, 10) for i in range(3)]
draw.control_variate(eps, ratio, crossing, variances)
plt.show()
print("variance with the control variate / variance without it, at eps = 0.02:", variances[0].round(3))
assert np.argmin(crossing) == 1 and (variances[0] < 0.1).all()
assert np.allclose([with_over_without(crossing[i])[i] for i in range(3)], 1)                # the two criteria agree

# %% [markdown]
# **What to see.** Left: the control variate helps where a line is above 1/2. Right: the curves show the variance of
# $g_i$ divided by the variance without the control variate. The control variate helps where this quotient is below 1.
# At small $\epsilon$, the two winners nearly always agree, and the control variate reduces the variance by more than a
# factor of ten. At large $\epsilon$, the control variate increases the variance. As $\epsilon$ grows, this happens for
# the coat first. Because $f$ of the coat is the lowest, the coat wins the second race only if it has won the first one.
# So $P_{ii} = q_\epsilon(i)$ for the coat, and this probability soon becomes small. Thus the second term is a useful
# control variate only for small $\epsilon$. (If you multiply the second term by Cov / Var before you subtract it, the
# variance never increases.)
#
# ## What to read next
#
# Go back to [chapter 4](04_finite_epsilon.ipynb). In the package, see `refimpl/coupling.py`.
