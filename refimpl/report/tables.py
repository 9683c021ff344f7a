"""The table that most sections have: one line per run, with its bound, its log p(x) and its gap."""
from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

from refimpl.experiments.records import Record
from refimpl.report.markdown import table
from refimpl.report.store import Spread, Store, at_best_validation, evaluations_an_epoch, lengths, spread

NOT_RUN = "not run yet"
WORSE = 0.5             # nats above its own best value, for a run that gets worse
NO_ROWS = "*No rows yet: `python -m refimpl experiment {}`, then `python -m refimpl make report --write --add DIR`.*"


def plural(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'s' * (count != 1)}"


def seeds_at(groups: Sequence[Sequence[Record]], epoch: int, column: str) -> str:
    """How many seeds there are at this epoch."""
    counts = sorted({len(spread(group, epoch, column).values) for group in groups})
    return plural(counts[0], "seed") if len(counts) == 1 else f"{counts[0]} to {counts[-1]} seeds"


def bounds(store: Store, experiment: str, dataset: str, labels: Sequence[str], paper: Mapping[str, float] | None = None,
           rename: Callable[[str], str] = str, merit: str = "test_elbo", stuck: bool = False) -> str:
    """Runs of an experiment on one data set, best first.

    The bounds are those of the longest epoch that every run has, and of the longest that one run of each label has.
    log p(x), gap and decoder evaluations are those of the last.  If a method gets worse, there is a column with the
    bounds at the best validation epoch, as on the slides for Gumbel-softmax.  stuck: some seeds may be on a plateau, so
    median and range are shown instead of mean and 95 % interval.
    """
    groups = {label: store.select(experiment, dataset, label) for label in labels}
    groups = {label: group for label, group in groups.items() if group}
    epochs = lengths(list(groups.values()), merit)
    if not epochs:
        return NO_ROWS.format(experiment)
    has_bound = merit == "test_elbo"
    words = "−ELBO" if has_bound else "−log p(x)"
    head = ["run"] + (["paper, 300 epochs"] if paper else [])
    head += [f"{words}, {plural(epoch, 'epoch')}, {seeds_at(list(groups.values()), epoch, merit)}" for epoch in epochs]
    chosen = {label: at_best_validation(group, epochs[-1]) for label, group in groups.items()}
    validated = has_bound and any(spread(group, epochs[-1], merit).median - chosen[label].median > WORSE
                                  for label, group in groups.items())
    head += ["−ELBO at the best validation epoch"] if validated else []
    head += ["−log p(x)", "gap"] if has_bound else []
    counts = {label: evaluations_an_epoch(group) for label, group in groups.items()}
    some = any(not math.isnan(count) for count in counts.values())
    head += ["decoder evaluations per epoch, millions"] if some else []
    lines = []
    for label, group in sorted(groups.items(), key=lambda pair: spread(pair[1], epochs[-1], merit).median):
        line = [rename(label)]
        if paper:
            line.append(f"{paper[label]:g}" if label in paper else "–")
        values = [spread(group, epoch, merit) for epoch in epochs]
        line += [value.range_text() if stuck else value.text() for value in values]
        line += [chosen[label].range_text() if stuck else chosen[label].text()] if validated else []
        if has_bound:
            line += [Spread(spread(group, epochs[-1], name, sign).values).text() if not stuck else
                     f"{spread(group, epochs[-1], name, sign).median:.2f}"
                     for name, sign in (("test_log_likelihood", -1), ("gap", 1))]
        if some:
            millions = counts[label] / 1e6
            line.append("–" if math.isnan(millions) else f"{millions:.2f}" if millions >= 0.01 else f"{millions:.1g}")
        lines.append(line)
    several = any(len(spread(group, epoch, merit).values) > 1 for group in groups.values() for epoch in epochs)
    note = ("One seed, so no intervals" if not several else "Median over the seeds (lowest and highest in brackets)"
            if stuck else "Mean over the seeds ± half of the 95 % interval; a single seed has no interval")
    note += "; nats per image, lower is better."
    return table(head, lines) + "\n\n" + note


def commits_line(records: Sequence[Record]) -> str:
    """The commits of the code that made the rows."""
    found = sorted({commit for record in records for commit in record.commits})
    counts = sorted({count for record in records for count in record.threads})
    numbers = f"{' and '.join(map(str, counts))} thread{'s' * (counts != [1])}"
    threads = f", with {numbers} where this was recorded" if counts else ""
    commits = f"commit{'s' * (len(found) != 1)} " + ", ".join(f"`{commit}`" for commit in found)
    return f"Made at {commits}{threads}." if found else ""


def step_ms(store: Store, label: str) -> float:
    """Milliseconds per step by `measure benchmark`, during which no other program ran; NaN if it was not timed."""
    rows = store.measurements("benchmark", "batch 100")
    return next((1e3 * float(row["step"]) for row in rows if row["step_of"] == label), math.nan)
