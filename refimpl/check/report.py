"""What check.gradient has found, as a table and a few sentences, in plain ASCII."""
from __future__ import annotations

import math
import textwrap
from typing import NamedTuple

import numpy as np

SHOWN = 12                              # components that are printed
WIDTH = 99                              # columns


class Report(NamedTuple):
    """What was found; print it, or take as_dict()."""

    samples: int
    holds: bool | None
    """Whether it is the direct gradient; None where these samples cannot tell."""
    verdict: str
    kind: str | None
    """"direct", "two-sided", "local", or the short name of the slip; None where it has none, or several."""
    equal: float | None
    """Share of the draws that are those of the direct gradient; None where the function draws its own noise."""
    near_ties: int
    """Draws that differ and are explained by a near-tie at `precision`."""
    precision: str | None
    mean: str
    """What the mean is: "E f", "tilted", "two-sided", "both" (it can be E f or another), a minus before it, or
    "neither"."""
    mean_z: float
    """Worst component of the mean, in standard errors from the gradient of the tilted objective."""
    mean_z_exact: float
    """The same from the gradient of E f."""
    bias: float
    """The largest distance of the mean from the gradient of E f: exact where the kind is known, else as sampled."""
    variances: dict[str, float]
    """Sum over the components of the variance of one gradient: "found", "direct", "two-sided", "reinforce",
    "baseline" (REINFORCE with the best constant)."""
    rows: tuple[tuple[float, float, float, float, float], ...]
    """A component each: mean of the direct gradient, mean found, its standard error, variance of the direct gradient,
    variance found.  Exact for one variable, sampled for several."""
    exact_gradient: tuple[float, ...]
    """The gradient of E f, a component each."""
    sentences: tuple[str, ...]
    """Everything that is printed below the table."""
    notes: tuple[str, ...]
    """What was noticed about the function: it changes its arguments, it overflows."""

    def as_dict(self) -> dict[str, object]:
        """Everything as numbers, strings, lists and dictionaries, ready for json.dumps."""
        plain = {name: [list(row) if isinstance(row, tuple) else row for row in value] if isinstance(value, tuple) else
                 value for name, value in self._asdict().items()}
        return plain | {"variances": dict(self.variances)}

    def __str__(self) -> str:
        lines = [f"{'':9s} {'gradient':>11s} {'mean of':>11s} {'mean':>11s} {'standard':>9s} {'variance':>11s} "
                 f"{'variance':>11s}",
                 f"{'component':>9s} {'of E f':>11s} {'direct':>11s} {'found':>11s} {'error':>9s} {'of direct':>11s} "
                 f"{'found':>11s}"]
        off = [-abs(found - mean) / (error or math.inf) for mean, found, error, _, _ in self.rows]
        places = sorted(np.argsort(off, kind="stable")[:SHOWN].tolist())
        for i in places:
            mean, found, error, variance, spread = self.rows[i]
            lines.append(f"{i:9d} {self.exact_gradient[i]:11.5g} {mean:11.5g} {found:11.5g} {error:9.2g} "
                         f"{variance:11.5g} {spread:11.5g}")
        if len(places) < len(self.rows):
            lines.append(f"(the {len(places)} of {len(self.rows):,} components that are farthest off)")
        for words in [*self.sentences, *(f"Note: {note}" for note in self.notes)]:
            lines += textwrap.wrap(words, WIDTH, subsequent_indent="    ", break_on_hyphens=False)
        return "\n".join(lines)
