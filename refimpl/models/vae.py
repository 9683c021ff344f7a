"""Define the variational auto-encoder with discrete latent variables of any family (slides 8 to 32).

    encoder  x (784) -> 300 ReLU -> theta               the family's scores: h (n, k), or u and w for pairwise scores
    latent   z* = argmax of the perturbed scores        a sample of q = prod_i softmax(h_i) for independent variables
    decoder  n one-hots (n k) -> 300 ReLU -> a (784)    f(x, z) = log p(x given z) = sum_d x_d a_d - log(1 + e^{a_d})
    prior    the uniform law on the joint values of the family

    -log p(x) <= loss = -E_q f + KL(q || uniform), averaged over the batch
"""
from __future__ import annotations

import numpy as np

from refimpl import arguments
from refimpl.estimators import Estimator
from refimpl.latent.family import Family
from refimpl.latent.independent import Independent
from refimpl.models import bounds
from refimpl.models.decoder import DecoderObjective
from refimpl.models.inputs import OneHots
from refimpl.nn.losses import softplus_sum
from refimpl.nn.network import MLP
from refimpl.nn.parameters import bind


class VAE:
    """Implements a variational auto-encoder with latent variables of the given family.

    The encoder and the decoder have one hidden layer each, of width `hidden`.  `dtype` is float32 for training and
    float64 for checks.  A flat vector stores all parameters.  The encoder's parameters come first (see nn.parameters).
    """

    def __init__(self, family: Family, hidden: int = 300, pixels: int = 784, dtype: np.dtype = np.float32) -> None:
        if family.normalised and not isinstance(family, Independent):
            raise ValueError("family must not be normalised: the exact bound is known for independent variables only")
        self.family, self.dtype = family, np.dtype(dtype)
        self.n, self.k = family.n, family.k
        self.encoder = MLP([pixels, hidden, family.outputs])
        self.decoder = MLP([family.n * family.k, hidden, pixels])
        self.parameters = bind([self.encoder, self.decoder], dtype)

    def initialise(self, rng: np.random.Generator) -> None:
        """Draw all weights at random from `rng`."""
        self.encoder.initialise(rng)
        self.encoder.layers[-1].b[...] += self.family.start
        self.decoder.initialise(rng)

    @property
    def encoder_grads(self) -> np.ndarray:
        """Return the encoder's part of the flat vector of gradients."""
        return self.parameters.grads[:self.encoder.n_parameters]

    def encode(self, x: np.ndarray) -> np.ndarray:
        """Return theta for images x of shape (B, pixels).  For independent variables, theta is h of shape (B, n, k)."""
        return self.family.theta(self.encoder.forward(x))

    def objective(self, x: np.ndarray) -> DecoderObjective:
        """Return f(z) = log p(x given z) as a function of z.  The images x have shape (B, pixels)."""
        return DecoderObjective(self.decoder, OneHots(self.n, self.k), x)

    def backward(self, x: np.ndarray, estimator: Estimator, rng: np.random.Generator, kl_grad: bool = True,
                 kl_weight: float = 1.0, **settings) -> DecoderObjective:
        """Estimate the gradient of the loss for a batch, and add it to the parameters' gradients.

        x          an array of shape (B, pixels): images of zeros and ones, in the model's dtype
        kl_grad    whether the gradient includes the KL term
        kl_weight  the weight of the KL term.  If kl_weight = 1, the loss is an upper bound on -log p(x)
        settings   the hyperparameters of the estimator, and `memory` if the estimator needs it

        Returns the objective, whose attribute `evaluations` is the number of decoder evaluations.  Raises ValueError if
        kl_grad is True and the KL term has no closed form, or if the estimator cannot be used for this family.
        """
        if not estimator.serves(self.family):
            raise ValueError(f"estimator {estimator.name} cannot be used for this family of latent variables. "
                             f"{estimator.serves.__doc__ or 'Its function serves says so.'}")
        kl_grad, kl_weight = arguments.flag("kl_grad", kl_grad), arguments.weight("kl_weight", kl_weight)
        run = self.encoder.run(x)                                                   # image -> scores
        theta = self.family.theta(run.y)
        objective = self.objective(x)
        keywords = estimator.keywords(self.family)
        grad, decoder_term = estimator.checked_estimate(theta, objective, rng, **keywords, **settings)    # of E f
        dtheta = grad / -len(x)                                                     # loss = -1/B sum_b (E f - KL)
        if kl_grad:
            if (kl := self.family.kl(theta)) is None:
                raise ValueError("kl_grad must be False: these latent variables have no KL term in closed form")
            dtheta = dtheta + kl[1] * (kl_weight / len(x))
        decoder_term.accumulate()                                      # the decoder's gradient
        dout = self.family.back(run.y, dtheta).astype(self.dtype, copy=False)
        run.backward(dout).accumulate()                                             # the encoder's
        return objective

    # --- what it has learnt -------------------------------------------------------------------------------------------

    def decode_all(self) -> np.ndarray:
        """Return an array of shape (K, pixels): the logits for all joint values.  Raise InputError if K is too big."""
        return self.decoder.forward(self.family.values(self.dtype))

    def score_all(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return theta and f for images x, in float64.  The array f has shape (B, K), with a column per joint value."""
        a = self.decode_all().astype(np.float64)
        f = x.astype(np.float64) @ a.T - softplus_sum(a)
        return self.encode(x).astype(np.float64), f

    def bounds(self, images) -> bounds.Bounds:
        """Return three means over the images of a data.Part: ELBO, log-likelihood and gap.

        The means are exact, because all joint values are enumerated.  ELBO and gap are NaN if q has no closed form.
        Raises InputError if there are too many joint values.
        """
        return bounds.bounds(self.decode_all(), images, self.encode if self.family.normalised else None)

    def draw(self, x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Return an array of shape (B, n, k): one sample z* for each image, in one-hot form."""
        return self.family.sample(self.encode(x), rng)

    def sampled_elbo(self, images, rng: np.random.Generator, block: int = 2_000) -> float:
        """Return the mean of f(x, z*) - KL(unary scores || uniform) over the images, with one sampled z* per image.

        For independent variables, the mean is an unbiased estimate of the ELBO.  For pair scores, the loss that
        the released code reports is minus this mean.  This loss is NOT a bound on -log p(x), because its KL term
        ignores the pair scores.
        """
        total = 0.0
        for x in images.blocks(block, self.dtype):
            theta = self.encode(x)
            f = self.objective(x).run(self.family.sample(theta, rng)).f
            total += (f - self.family.unary_kl(theta)).sum(dtype=np.float64)
        return float(arguments.finite("f", total) / len(images))
