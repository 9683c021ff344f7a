"""Train a discrete auto-encoder by direct optimisation through arg max: `python -m refimpl.one_page`.

1. The encoder maps an image x to a score h(z) for each of the ten values of z.  We add Gumbel noise gamma to the
   scores.  The arg max z* of the sums is a sample of q = softmax(h).
2. The decoder maps z to the logits a of 784 pixels, and f(z) = log p(x given z) measures how well z explains x.
3. An arg max has no useful derivative, so the encoder learns from a second arg max, z(eps).  By Theorem 1,
   (onehot z(eps) - onehot z*) / eps estimates the gradient of E f(z*) with respect to h.
4. The decoder learns from z*.  Each backward pass differentiates the lines of its forward pass in reverse order.
5. After each epoch, the bound on -log p(x) is computed exactly, as a sum over all ten values of z.

Comments give array shapes and the labels of the formulas below.  The numbers (1) and (5) are those of the supplement:

    (a)  h = relu(x W1 + b1) W2 + b2                                    encoder
    (b)  a = relu(z V1 + c1) V2 + c2                                    decoder, z as a one-hot vector
    (c)  f(z) = log p(x given z) = sum_d  x_d a_d - log(1 + e^a_d)      black and white pixels
    (5)  z* = argmax_z  h(z) + gamma(z)                                 Theorem 2: a sample of q = softmax(h)
    (1)  dE f(z*)/dh = lim E (onehot z(eps) - onehot z*) / eps          Theorem 1, the limit as eps -> 0
         z(eps) = argmax_z  eps f(z) + h(z) + gamma(z)                  with the same gamma as in (5)
    (d)  KL = sum_z q(z) log q(z) + log k                               from q to the uniform prior
    (e)  -log p(x) <= -ELBO = -E f(z*) + KL                             the loss, averaged over a batch
    (f)  w <- w - rate M / (sqrt(V) + tiny)                             Adam (Kingma and Ba 2015)
"""
import numpy as np

from refimpl import data

PIXELS, HIDDEN, K = 784, 300, 10
EPS, RATE, BATCH, EPOCHS, SEED = 0.1, 1e-3, 100, 3, 0


def initialise(rng: np.random.Generator, dtype: type = np.float32) -> list[np.ndarray]:
    """Draw [W1, b1, W2, b2, V1, c1, V2, c2] uniformly between -a and a, where a = 1/sqrt(n_in) for n_in inputs."""
    layers = (PIXELS, HIDDEN), (HIDDEN, K), (K, HIDDEN), (HIDDEN, PIXELS)
    return [rng.uniform(-1 / np.sqrt(n_in), 1 / np.sqrt(n_in), shape).astype(dtype)
            for n_in, n_out in layers for shape in ((n_in, n_out), (n_out,))]


def gumbel(shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """Draw Gumbel noise with mean zero: gamma = -log(E) - 0.5772, where E is exponential with mean 1."""
    return -np.log(rng.standard_exponential(shape)) - np.euler_gamma    # shape     (5) gamma


def forward(weights: list[np.ndarray], x: np.ndarray) -> tuple[np.ndarray, ...]:
    """Run the encoder and the decoder on images x of shape (B, 784), whose pixels are 0 or 1.  H = 300 and k = 10."""
    W1, b1, W2, b2, V1, c1, V2, c2 = weights
    r = np.maximum(x @ W1 + b1, 0)                                      # (B, H)    (a) relu
    h = r @ W2 + b2                                                     # (B, k)    (a) the encoder's scores
    s = np.maximum(V1 + c1, 0)                                          # (k, H)    (b) one-hot z @ V1 is row z of V1
    a = s @ V2 + c2                                                     # (k, 784)  (b) the logits of every z
    f = x @ a.T - np.logaddexp(0, a).sum(axis=1)                        # (B, k)    (c) the table of f, by enumeration
    g = h - h.max(axis=1, keepdims=True)                                # (B, k)    (5) the same q; e^g is at most 1
    log_q = g - np.log(np.exp(g).sum(axis=1, keepdims=True))            # (B, k)    (5) q = softmax(h)
    q = np.exp(log_q)                                                   # (B, k)    (5)
    return r, h, s, a, f, q, log_q


def gradients(weights: list[np.ndarray], x: np.ndarray, noise: np.ndarray, eps: float = EPS) -> list[np.ndarray]:
    """Estimate the gradient of the loss for each weight.  x has shape (B, 784), and noise has shape (B, k)."""
    W1, b1, W2, b2, V1, c1, V2, c2 = weights
    r, h, s, a, f, q, log_q = forward(weights, x)                       # as there  (a) (b) (c) (5)
    onehot, B = np.eye(f.shape[1]), len(x)                              # (k, k)    (5) row z is the one-hot z
    z_star = onehot[(h + noise).argmax(axis=1)]                         # (B, k)    (5)
    z_eps = onehot[(h + noise + eps * f).argmax(axis=1)]                # (B, k)    (1) with the same noise

    # The decoder's backward pass.  Its part of the loss is -f(z*), averaged over the batch; da means d loss / da.
    df = (-z_star / B).astype(x.dtype)                                  # (B, k)    (e)
    da = df.T @ x - df.sum(axis=0)[:, None] * (1 + np.tanh(a / 2)) / 2  # (k, 784)  (c) x - sigmoid(a)
    dV2, dc2 = s.T @ da, da.sum(axis=0)                                 # (H, 784), (784,)  (b)
    ds = da @ V2.T * (s > 0)                                            # (k, H)    (b) 0 where the relu is off
    dV1, dc1 = ds, ds.sum(axis=0)                                       # (k, H), (H,)      (b)

    # The encoder's backward pass.  Its loss is -E f(z*), whose gradient is estimated, plus KL, whose gradient is known.
    grad_f = (z_eps - z_star) / eps                                     # (B, k)    (1) d E f(z*) / dh
    grad_KL = q * (log_q - (q * log_q).sum(axis=1, keepdims=True))      # (B, k)    (d) d KL / dh
    dh = (grad_KL / B - grad_f / B).astype(x.dtype)                     # (B, k)    (e)
    dW2, db2 = r.T @ dh, dh.sum(axis=0)                                 # (H, k), (k,)      (a)
    dr = dh @ W2.T * (r > 0)                                            # (B, H)    (a) 0 where the relu is off
    dW1, db1 = x.T @ dr, dr.sum(axis=0)                                 # (784, H), (H,)    (a)
    return [dW1, db1, dW2, db2, dV1, dc1, dV2, dc2]


def adam(weights: list, grads: list, M: list, V: list, t: int) -> tuple[list, list, list]:
    """Take step t = 1, 2, ... of Adam.  M sums the gradients, and V sums their squares.  In both sums, old terms decay.

    The numbers `rate` and `tiny`, computed below, contain Adam's bias corrections for step t."""
    root = ((1 - 0.999**t) / (1 - 0.999)) ** 0.5                                            # ()             (f)
    rate, tiny = RATE * root * (1 - 0.9) / (1 - 0.9**t), 1e-8 * root                        # (), ()         (f)
    M = [0.9 * M_ + g for M_, g in zip(M, grads)]                                           # as the weights (f)
    V = [0.999 * V_ + g * g for V_, g in zip(V, grads)]                                     # as the weights (f)
    weights = [w - rate * (M_ / (np.sqrt(V_) + tiny)) for w, M_, V_ in zip(weights, M, V)]  # as the weights (f)
    return weights, M, V


def bound(weights: list[np.ndarray], x: np.ndarray) -> float:
    """Return the exact mean of -ELBO over the images x, in nats.  x has shape (N, 784)."""
    *_, f, q, log_q = forward(weights, x)                               # (N, k)    (a) (b) (c) (5)
    KL = (q * log_q).sum(axis=1) + np.log(q.shape[1])                   # (N,)      (d)
    return float((-(q * f).sum(axis=1) + KL).mean(dtype=np.float64))    # ()        (e)


def train(images: data.Part, rng: np.random.Generator, epochs: int = EPOCHS):
    """Train, and yield the weights after each epoch.  An epoch is one pass over the images in random order."""
    weights, t = initialise(rng), 0                                     # W1 (784, H), b1 (H,), ..., c2 (784,)
    M = V = [np.zeros_like(w) for w in weights]
    for _ in range(epochs):
        order = rng.permutation(len(images))                            # (50000,)
        for start in range(0, len(order), BATCH):
            x, t = images.images(order[start:start + BATCH]), t + 1     # (B, 784)  float32
            noise = gumbel((len(x), K), rng)                            # (B, k)    (5) gamma
            grads = gradients(weights, x, noise)                        # as the weights
            weights, M, V = adam(weights, grads, M, V, t)
        yield weights


def main() -> None:
    """Train on MNIST, and print the exact bound on the test images after each epoch."""
    mnist = data.load("mnist")
    for epoch, weights in enumerate(train(mnist.train, np.random.default_rng(SEED)), start=1):
        print(f"epoch {epoch}: test bound -ELBO {bound(weights, mnist.test.images()):.2f} nats", flush=True)
    print("Read next: refimpl/gumbel.py on why z* is a sample of q, then the proof of Theorem 1 in refimpl/danskin.py.")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:                       # Ctrl-C
        raise SystemExit(130) from None
    except data.InputError as problem:              # the images are missing or damaged
        print(f"error: {problem}")
        raise SystemExit(2) from None
