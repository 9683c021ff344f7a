"""When to use what, with the numbers behind each line."""
from __future__ import annotations

import math

from refimpl.report import causes
from refimpl.report.markdown import table
from refimpl.report.store import Store, lengths, spread
from refimpl.report.tables import NOT_RUN, counted, step_ms


def choice(store: Store) -> str:
    """What you have, what to use, and the numbers behind it."""
    groups = {label: store.of("binary", "fashion-mnist", label) for label in store.labels("binary", "fashion-mnist")}
    epochs = lengths([groups.get(name, []) for name in ("direct", "local-expectation", "disarm")], "test_elbo")

    def here(name: str, setting: str = "") -> str:
        value = spread(groups.get(name, []), epochs[-1] if epochs else 0, "test_elbo")
        ms = step_ms(store, f"{name}, n = 15, k = 2{setting}")
        return f"{name} {value.text(1)} nats" + ("" if math.isnan(ms) else f", {ms:.1f} ms a step") \
            if value.values else f"{name} {NOT_RUN}"

    on_table = "; ".join(
        f"{dataset} after 10 epochs: " + ", ".join(
            f"{name} {runs[name, signal].range_text(1)}" for name, signal in
            (("exact", "q"), ("tilted", "q"), ("direct", "z*")))
        for dataset in store.datasets("plateau") if (runs := causes.plateau_runs(store, dataset))) or NOT_RUN
    pairs = {name: store.of("structured", "fashion-mnist", name) for name in (
        "unstructured, no KL", "pairwise, w >= 0", "pairwise, any sign")}
    length = lengths(list(pairs.values()), "test_log_likelihood")
    structured = NOT_RUN if not length else f"−log p(x) after {counted(length[-1], 'epoch')}: " + ", ".join(
        f"{name} {spread(group, length[-1], 'test_log_likelihood').text(1)}" for name, group in pairs.items())
    after = f"n = 15, {counted(epochs[-1], 'epoch')}: " if epochs else ""
    lines = [
        ["f of every value, in a table (one variable, or few joint values)",
         "enumeration has no noise, no bias and nearly the same price; where it is late, `direct`, on MNIST `tilted` "
         "too", on_table],
        ["f of every single change around a sample", "`direct`, or `local-tilted`, its mean; `local-expectation` where "
         "it must be unbiased", after + ", ".join((here("direct", ", eps = 0.1"), here("local-tilted", ", eps = 0.1"),
                                                   here("local-expectation")))],
        ["f at a few samples only", "`disarm` for binary variables",
         after + ", ".join(map(here, ("disarm", "reinforce-loo", "arm")))],
        ["f differentiable between the corners", "`gumbel-softmax`; check it with exact bounds",
         after + ", ".join((here("gumbel-softmax", ", tau = 0.5"), here("reinmax", ", tau = 1")))],
        ["an arg max that is cheap where the sum is not: pairs, cuts, matchings", "`direct`: it asks for nothing else",
         structured],
        ["the same, and f's slope cheaper than its values", "`imle`, direct with f linearised; not for f that bends as "
         "a decoder's does", after + here("imle", ", eps = 0.1")]]
    return table(["what you have", "what to use", "measured here"], lines)


BLOCKS = {"choice": choice}
