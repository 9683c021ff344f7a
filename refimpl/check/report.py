"""Define the Report that check.gradient returns.  It is printed as a table and a few sentences, in plain ASCII."""
from __future__ import annotations

import math
import textwrap
from typing import NamedTuple

import numpy as np

SHOWN = 12                              # the largest number of components that are printed
WIDTH = 99                              # the width of the printed sentences, in characters


class Report(NamedTuple):
    """Holds the result of check.gradient.  Print it to read it, or call as_dict() to process it."""

    samples: int
    holds: bool | None
    """Whether the function computes the direct gradient.  None if these samples do not decide it."""
    verdict: str
    kind: str | None
    """"direct", "two-sided", "local", or the short name of the slip.  None if no slip fits, or if several slips fit."""
    equal: float | None
    """The share of draws that give the direct gradient.  None if the function draws its own noise."""
    near_ties: int
    """The number of draws that differ from the direct gradient because of a near-tie in `precision`."""
    precision: str | None
    """The precision in which the function seems to compute.  None if the function draws its own noise."""
    mean: str
    """The objective whose gradient is the mean of the function's gradients: "E f", "tilted" or "two-sided", or one of
    these with a minus sign in front.  "both" means that several of them fit, "neither" that none of them fits."""
    mean_z: float
    """The largest distance of the function's mean from that of the direct gradient (see `rows`), in standard errors."""
    mean_z_exact: float
    """The largest distance of a component of the mean from the gradient of E f, in standard errors."""
    bias: float
    """The largest distance of a component of the mean from the gradient of E f, in units of f.  It is exact if
    the function is REINFORCE or the direct gradient of one variable, and otherwise computed from the draws."""
    variances: dict[str, float]
    """The variance of one gradient, summed over its components, for "found" (the function), "direct", "two-sided",
    "reinforce" and "baseline" (REINFORCE with the best constant baseline)."""
    rows: tuple[tuple[float, float, float, float, float], ...]
    """Five numbers for each component: the mean of the direct gradient, the function's mean, the standard error of the
    function's mean, the variance of the direct gradient, and the function's variance.  If `kind` is "two-sided", the
    direct gradient is the two-sided one.  Its values are exact for one variable, and simulated for several."""
    exact_gradient: tuple[float, ...]
    """The components of the gradient of E f."""
    sentences: tuple[str, ...]
    """The sentences that are printed below the table."""
    notes: tuple[str, ...]
    """Other remarks about the function, for example that it changes its arguments or overflows."""

    def as_dict(self) -> dict[str, object]:
        """Return all fields in a dictionary that json.dumps accepts."""
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
