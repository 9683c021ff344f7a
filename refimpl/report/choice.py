"""Make the table that recommends a method for each situation, with the measurements behind each choice."""
from __future__ import annotations

import math

from refimpl.arguments import InputError
from refimpl.report.markdown import table
from refimpl.report.store import Store
from refimpl.report.tables import NOT_RUN, plural, step_ms
from refimpl.report.verdicts import Look, compared


def _binary(*names: str) -> Look:
    return compared("binary", "fashion-mnist", {name: name for name in names})


def _tiles(size: str, *names: str, best: int) -> Look:
    rule = lambda runs: all(runs.ahead(other, name) for name in names[:best] for other in names[best:])
    return compared("jigsaw", "mnist", {f"{name}, {size}": name for name in names}, rule, column="test_tiles",
                    sign=100.0, words=f"% of the tiles of a {size.split(',')[0].replace('x', '×')} jigsaw: ")


# Each entry has four parts: what you have, what to use, the runs that support this choice, and the method whose time
# per step is shown.
CHOICES = (
    ("f at every value of z", "`exact`: it has no noise and no bias. If it stays on a plateau, use `direct`, or use "
     "momentum instead of Adam.",
     compared("plateau", "mnist", {"exact, decoder q": "exact", "direct, decoder z*": "direct"}, median=True),
     "exact, k = 10"),
    ("f after every change of a single variable of a sample", "`direct`, or its mean, `local-tilted`. If the gradient "
     "must be unbiased, use `local-expectation` or, for binary variables, `disarm`.",
     _binary("direct", "local-tilted", "local-expectation", "disarm"),
     "direct, n = 15, k = 2, eps = 0.1"),
    ("f at a few samples", "`disarm`, for binary variables.", _binary("disarm", "arm"), "disarm, n = 15, k = 2"),
    ("an f that is differentiable between the one-hot values", "`gumbel-softmax`; check its bounds by enumeration.",
     _binary("gumbel-softmax"), "gumbel-softmax, n = 15, k = 2, tau = 0.5"),
    ("a cheap arg max, a sum that is out of reach, and an f to be maximised", "`direct`.",
     _tiles("3 x 3, no labels", "direct", "gumbel-sinkhorn", "reinforce", best=1), ""),
    ("a cheap arg max, a sum that is out of reach, and labels that say which z is right",
     "Use the labels: train a classifier of the parts, or use Fenchel–Young.",
     _tiles("4 x 4", "cross-entropy", "fenchel-young", "direct", best=2), ""),
    ("a cheap arg max, a sum that is out of reach, and only the gradient of f at a sample",
     "`imle`, if f is close to linear. A decoder's f is not.",
     _binary("imle"),
     "imle, n = 15, k = 2, eps = 0.1"))


def choice(store: Store) -> str:
    lines = []
    for have, use, look, step in CHOICES:
        finding, ms = look(store), step_ms(store, step)
        if finding is None:
            lines.append([have, use, NOT_RUN])
            continue
        if not finding.holds:
            raise InputError(f"the rows no longer support what is written for {have!r}; they show {finding.here}")
        unit = "" if "%" in finding.here else " nats"
        time = "" if math.isnan(ms) else f"; a step of `{step.split(',')[0]}` takes {ms:.1f} ms"
        lines.append([have, use, f"{finding.here}{unit} ({plural(finding.epochs, 'epoch')}){time}"])
    return table(["what you have", "what to use", "measured here"], lines)


BLOCKS = {"choice": choice}
