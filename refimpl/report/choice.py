"""When to use what, with numbers behind each line."""
from __future__ import annotations

import math

from refimpl.report.markdown import table
from refimpl.report.store import Store
from refimpl.report.tables import NOT_RUN, counted, step_ms
from refimpl.report.verdicts import compared

BINARY, PAIRS = ("binary", "fashion-mnist"), ("structured", "fashion-mnist")
# what you have, what to use, the runs that show it, and the column that they are compared by
CHOICES = (
    ("f of every value of z", "`exact`: it has no noise and no bias. Where it stays on a plateau, use `direct`.",
     ("plateau", "mnist"), {"exact, decoder q": "exact", "direct, decoder z*": "direct"}, "test_elbo"),
    ("f of every single change around a sample", "`direct`, or its mean, `local-tilted`. Where the gradient must be "
     "unbiased, use `local-expectation`.", BINARY, ("direct", "local-tilted", "local-expectation"), "test_elbo"),
    ("f at a few samples", "`disarm`, for binary variables.", BINARY, ("disarm", "arm"), "test_elbo"),
    ("f that can be differentiated between the corners", "`gumbel-softmax`, with its bounds checked by enumeration.",
     BINARY, ("gumbel-softmax",), "test_elbo"),
    ("an arg max that is cheap where the sum is out of reach", "`direct`: it needs nothing else.", PAIRS,
     {"unstructured, no KL": "unstructured", "pairwise, any sign": "pairs of any sign"}, "test_log_likelihood"),
    ("the same, and only the slope of f", "`imle`, if f is close to linear. A decoder's f is not.", BINARY, ("imle",),
     "test_elbo"))


def choice(store: Store) -> str:
    """What you have, what to use, and what was measured: nats, epochs, and milliseconds per step of the first."""
    lines = []
    for have, use, where, names, column in CHOICES:
        names = names if isinstance(names, dict) else {name: name for name in names}
        finding = compared(*where, names, lambda runs: True, column=column, median=where[0] == "plateau")(store)
        first = next(iter(names))
        ms = min((step_ms(store, f"{first}, n = 15, k = 2{setting}") for setting in ("", ", eps = 0.1", ", tau = 0.5")),
                 key=lambda value: (math.isnan(value), value))
        lines.append([have, use, NOT_RUN if not finding else f"{finding.here} nats ({counted(finding.epochs, 'epoch')})"
                      + ("" if math.isnan(ms) else f"; {first} takes {ms:.1f} ms per step")])
    return table(["what you have", "what to use", "measured here"], lines)


BLOCKS = {"choice": choice}
