"""Make the table of bounds, and the sentences below a table."""
from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

from refimpl.experiments.records import Record
from refimpl.report.markdown import table
from refimpl.report.store import Spread, Store, at_best_validation, evaluations_an_epoch, lengths, spread

NOT_RUN = "not run yet"
# A method counts as worse if its -ELBO ends more than WORSE nats above that at its best validation epoch.
WORSE = 0.5
NO_ROWS = "*No rows yet: `python -m refimpl experiment {}`, then `python -m refimpl make report --write --add DIR`.*"


def plural(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'s' * (count != 1)}"


def seeds_at(groups: Sequence[Sequence[Record]], epoch: int, column: str) -> str:
    """Return how many seeds have a value at this epoch: "3 seeds", or "1 to 3 seeds" if the groups differ."""
    counts = sorted({len(spread(group, epoch, column).values) for group in groups})
    most = plural(counts[-1], "seed")
    return most if len(counts) == 1 else f"{counts[0]} to {most}" if counts[0] else f"up to {most}"


def bounds(store: Store, experiment: str, dataset: str, labels: Sequence[str], paper: Mapping[str, float] | None = None,
           rename: Callable[[str], str] = str, stuck: bool = False) -> str:
    """Make the table of an experiment's bounds on one data set.  The best run is in the first row.

    The table has a column of bounds for each epoch that lengths() returns, and one for the last epoch of the longest
    run.  log p(x) and the gap are shown at the last epoch that every group has reached.  If a bound gets worse by more
    than WORSE nats, another column shows the bounds at the best validation epoch.

    paper   the values of the paper.  The keys are labels
    rename  a function that returns the name of a label in the table
    stuck   True if some runs may be on a plateau.  Then the table shows medians and ranges instead of means
    """
    groups = {label: group for label in labels if (group := store.select(experiment, dataset, label))}
    epochs = lengths(list(groups.values()), "test_elbo")
    if not epochs:
        return NO_ROWS.format(experiment)
    head = ["run"] + (["paper, 300 epochs"] if paper else [])
    longest = max(max(record.epochs("test_elbo"), default=0) for group in groups.values() for record in group)
    columns = sorted({*epochs, longest})
    head += [f"−ELBO, {plural(epoch, 'epoch')}, {seeds_at(list(groups.values()), epoch, 'test_elbo')}"
             for epoch in columns]
    chosen = {label: at_best_validation(group, epochs[-1]) for label, group in groups.items()}
    validated = any(spread(group, epochs[-1], "test_elbo").median - chosen[label].median > WORSE
                    for label, group in groups.items())
    head += ["−ELBO at the best validation epoch"] if validated else []
    after = f", {plural(epochs[-1], 'epoch')}" if longest > epochs[-1] else ""
    head += [f"−log p(x){after}", f"gap{after}"]
    counts = {label: evaluations_an_epoch(group) for label, group in groups.items()}
    some = any(not math.isnan(count) for count in counts.values())
    head += ["decoder evaluations per epoch, millions"] if some else []
    lines, shown = [], Spread.range_text if stuck else Spread.text
    for label, group in sorted(groups.items(), key=lambda pair: spread(pair[1], epochs[-1], "test_elbo").median):
        line = [rename(label)]
        if paper:
            line.append(f"{paper[label]:g}" if label in paper else "–")
        line += [shown(spread(group, epoch, "test_elbo")) for epoch in columns]
        line += [shown(chosen[label])] if validated else []
        for name, sign in (("test_log_likelihood", -1), ("gap", 1)):
            values = spread(group, epochs[-1], name, sign)
            line.append(f"{values.median:.2f}" if stuck else values.text())
        if some:
            millions = counts[label] / 1e6
            line.append("–" if math.isnan(millions) else f"{millions:.2f}" if millions >= 0.01 else f"{millions:.1g}")
        lines.append(line)
    several = any(len(spread(group, epoch, "test_elbo").values) > 1 for group in groups.values() for epoch in epochs)
    note = ("from one seed each" if not several else "medians over seeds (the lowest and highest are in brackets)"
            if stuck else "means over the seeds ± half the width of the 95 % interval")
    return table(head, lines) + f"\n\nOur bounds are {note}, in nats per image; lower is better."


def commits_line(records: Sequence[Record]) -> str:
    found = sorted({commit for record in records for commit in record.commits})
    counts = sorted({count for record in records for count in record.threads})
    words = "number of threads is" if len(counts) == 1 else "numbers of threads are"
    threads = f" The recorded {words} {' and '.join(map(str, counts))}." if counts else ""
    commits = f"commit{'s' * (len(found) != 1)} " + ", ".join(f"`{commit}`" for commit in found)
    return f"The runs used {commits}.{threads}" if found else ""


def step_ms(store: Store, label: str) -> float:
    """Return the milliseconds per step that `measure benchmark` found, or NaN if the label was not timed."""
    rows = store.measurements("benchmark", "batch 100")
    return next((1e3 * float(row["step"]) for row in rows if row["step_of"] == label), math.nan)
