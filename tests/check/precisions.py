"""The direct gradient as frameworks of lower precision compute it, rounded after every operation."""
from __future__ import annotations

import numpy as np


def rounded(values, precision: str) -> np.ndarray:
    """Round to the nearest number of this precision; bfloat16 is rounded from float32, with ties to even."""
    if precision != "bfloat16":
        return np.asarray(values).astype(precision).astype(np.float64)
    bits = np.asarray(values, dtype=np.float32).view(np.uint32)
    low = bits & np.uint32(0xFFFF)
    up = (low > 0x8000) | ((low == 0x8000) & ((bits >> 16) & 1 == 1))
    nearest = (bits - low) + np.where(up, np.uint32(0x10000), np.uint32(0))
    return nearest.astype(np.uint32).view(np.float32).astype(float)


class Tensor:
    """Imitates a framework's bfloat16 tensor, whose numpy() works only after float()."""

    def __init__(self, values, dtype="torch.bfloat16", attached=True):
        self.values, self.dtype, self.attached = values, dtype, attached
        self.shape = np.shape(values)

    def detach(self):
        return Tensor(self.values, self.dtype, attached=False)

    def cpu(self):
        return self

    def float(self):
        return Tensor(self.values, "torch.float32", self.attached)

    def numpy(self):
        if self.attached:
            raise RuntimeError("Can't call numpy() on Tensor that requires grad. Use tensor.detach().numpy() instead.")
        if self.dtype == "torch.bfloat16":
            raise TypeError("Got unsupported ScalarType BFloat16")
        return np.asarray(self.values, dtype=np.float32)

    def __array__(self, *_, **__):
        return self.numpy()


def direct_in(precision: str, two_sided: bool = False, typed: bool = True):
    """Return a function that computes in this precision; if `typed`, its result has the dtype of this precision."""
    def r(values):
        return rounded(values, precision)

    def function(h, f, eps, noise):
        base = r(r(h) + r(noise))
        step = r(r(eps) * r(f))
        first, second = (r(base - step) if two_sided else base).argmax(-1), r(step + base).argmax(-1)
        places = np.arange(h.shape[-1])
        with np.errstate(over="ignore"):
            size = r(1 / r(2 * r(eps) if two_sided else eps))
        stays = second[..., None] == first[..., None]
        g = np.where(places == second[..., None], size, np.where(places == first[..., None], -size, 0))
        g = np.where(stays, 0, g)
        if not typed:
            return g.astype(np.float32 if np.isfinite(size) else np.float16)
        return Tensor(g) if precision == "bfloat16" else g.astype(precision)
    return function
