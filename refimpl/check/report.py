"""The result of check.gradient as a table and a few sentences, in plain ASCII."""
from __future__ import annotations

import math
import textwrap
from typing import NamedTuple

import numpy as np

SHOWN = 12                              # most components that are printed
WIDTH = 99                              # columns of the printed text


class Report(NamedTuple):
    """Holds what was found.  Print it, or use as_dict()."""

    samples: int
    holds: bool | None
    """Whether the function computes the direct gradient; None if these samples cannot tell."""
    verdict: str
    kind: str | None
    """"direct", "two-sided", "local", or the short name of the slip; None if no slip fits, or several do."""
    equal: float | None
    """Share of the draws that equal the direct gradient; None if the function draws its own noise."""
    near_ties: int
    """Number of draws that differ and are explained by a near-tie in `precision`."""
    precision: str | None
    mean: str
    """The objective of which the mean is the gradient: "E f", "tilted", "two-sided", one of them with a minus before
    it, "both" (it can be E f or another one), or "neither"."""
    mean_z: float
    """Largest distance of a component of the mean from the gradient of the tilted objective, in standard errors."""
    mean_z_exact: float
    """The same distance from the gradient of E f."""
    bias: float
    """The largest distance of the mean from the gradient of E f: exact if the kind is known, else sampled."""
    variances: dict[str, float]
    """Sum over the components of the variance of one gradient: "found", "direct", "two-sided", "reinforce",
    "baseline" (REINFORCE with the best constant)."""
    rows: tuple[tuple[float, float, float, float, float], ...]
    """For each component: mean of the direct gradient, mean found, its standard error, variance of the direct gradient,
    variance found.  The values of the direct gradient are exact for one variable and simulated for several."""
    exact_gradient: tuple[float, ...]
    """The components of the gradient of E f."""
    sentences: tuple[str, ...]
    """The sentences that are printed below the table."""
    notes: tuple[str, ...]
    """Other remarks about the function, for example that it changes its arguments or overflows."""

    def as_dict(self) -> dict[str, object]:
        """Return everything as numbers, strings, lists and dictionaries, ready for json.dumps."""
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
