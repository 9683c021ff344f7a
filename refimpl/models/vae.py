"""The variational auto-encoder with discrete latent variables (slides 8 to 32): an encoder, a family, a decoder.

    encoder  x (784) -> 300 ReLU -> theta               the family's scores: h (n, k), or u and w of pairwise scores
    latent   z* = argmax of the perturbed scores        for independent variables a sample of q = prod_i softmax(h_i)
    decoder  n one-hots (n k) -> 300 ReLU -> a (784)    f(x, z) = log p(x given z) = sum_d x_d a_d - log(1 + e^{a_d})
    prior    uniform on the joint values that the family can take

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
    """family: the latent variables.  hidden: width of both hidden layers.  dtype: float32 to train, float64 to check.

    All parameters are in one flat vector, the encoder's first: see nn.parameters.
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
        """Draw all weights; the same generator state gives the same model."""
        self.encoder.initialise(rng)
        self.encoder.layers[-1].b[...] += self.family.start
        self.decoder.initialise(rng)

    @property
    def encoder_grads(self) -> np.ndarray:
        """The encoder's part of the flat gradients."""
        return self.parameters.grads[:self.encoder.n_parameters]

    def encode(self, x: np.ndarray) -> np.ndarray:
        """theta of these images; for independent variables h (B, n, k)."""
        return self.family.theta(self.encoder.forward(x))

    def objective(self, x: np.ndarray) -> DecoderObjective:
        """f of the decoder, bound to these images."""
        return DecoderObjective(self.decoder, OneHots(self.n, self.k), x)

    def backward(self, x: np.ndarray, estimator: Estimator, rng: np.random.Generator, kl_grad: bool = True,
                 kl_weight: float = 1.0, **settings) -> DecoderObjective:
        """One batch's way: adds the (estimated) gradient of the loss to the parameters' gradients.

        x          (B, pixels) of 0 and 1, in the model's dtype
        kl_grad    whether the KL term takes part in the encoder's gradient
        kl_weight  with this weight; 1 is the bound
        settings   the estimator's hyperparameters, and its memory
        Returns the objective, with its count of decoder evaluations.  Raises ValueError for a KL term that has no
        closed form, or an estimator that does not serve this family.
        """
        if not estimator.serves(self.family):
            raise ValueError(f"estimator must serve this family of latent variables, and {estimator.name} does not: "
                             f"{estimator.serves.__doc__}")
        kl_grad, kl_weight = arguments.flag("kl_grad", kl_grad), arguments.weight("kl_weight", kl_weight)
        run = self.encoder.run(x)                                                   # image -> scores
        theta = self.family.theta(run.y)
        objective = self.objective(x)
        keywords = estimator.keywords(self.family)
        grad, decoder_term = estimator.estimate(theta, objective, rng, **keywords, **settings)  # of E f
        dtheta = grad / -len(x)                                                     # loss = -1/B sum_b (E f - KL)
        if kl_grad:
            dtheta = dtheta + self._kl_gradient(theta) * (kl_weight / len(x))
        decoder_term.accumulate()                                      # the decoder's gradient
        dout = self.family.back(run.y, dtheta).astype(self.dtype, copy=False)
        run.backward(dout).accumulate()                                             # the encoder's
        return objective

    def _kl_gradient(self, theta: np.ndarray) -> np.ndarray:
        kl = self.family.kl(theta)
        if kl is None:
            raise ValueError("kl_grad must be False: these latent variables have no KL term in closed form")
        return kl[1]

    # --- what it has learnt -------------------------------------------------------------------------------------------

    def decode_all(self) -> np.ndarray:
        """The logits a (K, pixels) of every joint value.  InputError if there are too many to be listed."""
        return self.decoder.forward(self.family.values(self.dtype))

    def score_all(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(theta, f (B, K)) of these images in float64: all that exact expectations need."""
        a = self.decode_all().astype(np.float64)
        f = x.astype(np.float64) @ a.T - softplus_sum(a)
        return self.encode(x).astype(np.float64), f

    def bounds(self, images) -> bounds.Bounds:
        """Exact ELBO, log-likelihood and gap, averaged over the images of a data.Part, by enumeration.

        ELBO and gap are NaN where q has no closed form.  Raises InputError where the joint values are too many.
        """
        return bounds.bounds(self.decode_all(), images, self.encode if self.family.normalised else None)

    def draw(self, x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """One z* per image, one-hot (B, n, k)."""
        return self.family.sample(self.encode(x), rng)

    def sampled_elbo(self, images, rng: np.random.Generator, block: int = 2_000) -> float:
        """Mean over the images of f(x, z*) - KL(unary scores || uniform), one z* per image, however many joint values.

        For independent variables unbiased for the ELBO.  With pair scores it is minus the loss that the released code
        reports, and NOT a bound on log p(x): z* comes from the perturbed pairwise arg max, the KL from the unary scores
        alone.
        """
        total = 0.0
        for x in images.blocks(block, self.dtype):
            theta = self.encode(x)
            f = self.objective(x).run(self.family.sample(theta, rng)).f
            total += (f - self.family.unary_kl(theta)).sum(dtype=np.float64)
        return float(arguments.finite("f", total) / len(images))
