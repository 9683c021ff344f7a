"""What the auto-encoders with discrete latent variables share: two networks, one parameter vector, the decoder's side."""
from __future__ import annotations

import numpy as np

from refimpl import joint
from refimpl.models.objective import DecoderObjective
from refimpl.nn.layers import MLP, Buffers, bind_all


class LatentVAE:
    """Encoder 784 - hidden ReLU - scores, decoder (n k) - hidden ReLU - 784, for n latent variables of k values.

    All parameters are in one flat vector, `values`, the encoder's first, and their gradients in `grads`.
    """

    def __init__(self, scores: int, n: int, k: int, hidden: int, pixels: int, dtype: np.dtype) -> None:
        self.n, self.k, self.dtype = n, k, np.dtype(dtype)
        self.encoder = MLP([pixels, hidden, scores])
        self.decoder = MLP([n * k, hidden, pixels])
        self.values, self.grads = bind_all([self.encoder, self.decoder], dtype)
        self.encoder_grads = self.grads[: self.encoder.n_parameters]
        self._buffers = Buffers()

    def initialise(self, rng: np.random.Generator) -> None:
        """Draw all weights; the same generator state gives the same model."""
        self.encoder.initialise(rng)
        self.decoder.initialise(rng)

    def objective(self, x: np.ndarray) -> DecoderObjective:
        """f of the decoder, bound to these images."""
        return DecoderObjective(self.decoder, self.n, self.k, x, self._buffers)

    def decode_all(self) -> np.ndarray:
        """The logits a (k^n, pixels) of every joint value, a copy.  InputError if there are more than joint.COUNTABLE."""
        joint.require(self.n, self.k, joint.COUNTABLE, "decoding every z", "use fewer variables")
        return self.decoder.forward(joint.one_hots(self.n, self.k, self.dtype)).copy()
