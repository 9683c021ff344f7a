"""Files of rows: they are read as they were written, and damaged files are refused and never overwritten."""
from __future__ import annotations

import math
import re
from dataclasses import replace

import pytest

from refimpl.arguments import InputError
from refimpl.experiments import records
from refimpl.experiments.records import Record
from refimpl.runs.mixture import MixtureSettings
from refimpl.runs.vae import VAESettings
from tests.experiments.records import RUN, TABLE
from tests.settings import mixture, vae


def are_equal(first: Record, second: Record) -> bool:
    return records.text(first) == records.text(second) and first.file == second.file


@pytest.mark.parametrize("record", [RUN, TABLE])
def test_record_survives_the_round_trip_through_a_file(record, tmp_path):
    records.write(tmp_path, record)
    assert are_equal(records.read(tmp_path / record.file), record) and are_equal(records.read_all(tmp_path)[0], record)
    assert are_equal(records.read_source(tmp_path / record.file)[0], record)


def test_file_names_of_records():
    assert RUN.file == "binary/mnist-rebar_as_released-seed3.csv"
    assert TABLE.file == "estimators/n__4_k__2.csv"
    assert records.file_name("eps 0.03, lr 0.001") == "eps_0p03_lr_0p001"       # unlike eps 0.3, lr 0.01


def test_record_gives_values_and_epochs():
    assert RUN.at(2, "test_elbo") == -200.125
    assert math.isnan(RUN.at(1, "test_elbo")) and math.isnan(RUN.at(3, "seconds"))
    assert RUN.epochs() == [1, 2] and RUN.epochs("test_elbo") == [2]
    assert (RUN.dataset, RUN.seed) == ("mnist", 3) and (TABLE.dataset, TABLE.seed) == ("", 0)


def test_thinned_keeps_early_fifth_and_last_epochs():
    rows = [{"epoch": float(epoch), "test_elbo": -1.0, "test_log_likelihood": -1.0, "train_elbo": 5.0}
            for epoch in range(1, 44)]
    kept = records.thinned(rows)
    assert [row["epoch"] for row in kept] == [*range(1, 21), 25, 30, 35, 40, 43]
    assert set(kept[0]) == {"epoch", "test_elbo", "test_log_likelihood"}
    for row in rows:                            # epochs with an exact bound, here every seventh, are all kept
        row["test_log_likelihood"] = -1.0 if row["epoch"] % 7 == 0 else math.nan
    assert [row["epoch"] for row in records.thinned(rows)] == [*range(1, 22), 25, 28, 30, 35, 40, 42, 43]


DAMAGED = {
    "empty": "", "no rows": "\n".join(records.text(RUN).split("\n")[:3]) + "\n",
    "another format": "epoch,test_elbo\n1,2\n",
    "settings missing": records.text(RUN).replace('"settings"', '"set'),
    "label missing": records.text(RUN).replace('"label"', '"words"'),
    "settings are a list": records.text(RUN).replace('{"dataset": "mnist", "seed": 3, "eps": null, "lr": 0.001}', "[]"),
    "line too short": records.text(RUN).replace("1,,4.5", "1,"),
    "word instead of a number": records.text(RUN).replace("-200.125", "lots"),
    "infinite number": records.text(RUN).replace("4.5", "inf"),
    "decreasing epochs": records.text(RUN).replace("\n2,", "\n0,"),
    "repeated epoch": records.text(RUN).replace("\n2,", "\n1,"),
    "repeated column": records.text(RUN).replace("seconds", "epoch"),
    "seed is a word": records.text(RUN).replace('"seed": 3', '"seed": "x"'),
    "path outside the folder": records.text(RUN).replace('"binary"', '"../binary"'),
    "epoch missing": re.sub("\n1,.*\n2,", "\n,,,,,,\n,", records.text(RUN)),
    "epoch is nan": records.text(RUN).replace("\n2,", "\nnan,"),
    "fractional epoch": records.text(RUN).replace("\n2,", "\n1.5,"),
    "column missing": records.text(RUN).replace("test_log_likelihood", "test_likelihood"),
    "end mark of a report in a commit": records.text(RUN).replace('"abc"', '"a\\n<!-- end of report -->"'),
    "table separator in a label": records.text(RUN).replace("rebar as", "rebar | as"),
    "HTML in a name": records.text(TABLE).replace("exact", "<b>exact"),
    "link in a name": records.text(TABLE).replace("exact", "[exact](x)"),
    "unknown label of a table": records.text(TABLE).replace("n = 4", "n is 4"),
    "fractional count": records.text(TABLE).replace("0.5,4,", "0.5,4.5,"),
    "quotation mark": records.text(TABLE).replace("exact", '"exact'),
    "deeply nested": "# refimpl rows 2\n# " + "[" * 10**5 + "\n\n"}


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED)
def test_damaged_files_are_refused_in_one_line_and_not_overwritten(content, tmp_path):
    path = tmp_path / RUN.file
    path.parent.mkdir()
    path.write_text(content)
    for function in (lambda: records.read(path), lambda: records.read_all(tmp_path), lambda: records.read_source(path),
                     lambda: records.add(tmp_path, RUN)):
        with pytest.raises(InputError) as problem:
            function()
        assert "is damaged, or is not a file of rows" in str(problem.value) and "\n" not in str(problem.value)
    assert path.read_text() == content


def test_undecodable_and_oversized_files_are_refused(tmp_path):
    for content in (b"\xff\xfe# refimpl", records.text(RUN).encode() + b"3,1,1\n" * 200_000):
        (tmp_path / "x.csv").write_bytes(content)
        with pytest.raises(InputError, match="is damaged"):
            records.read(tmp_path / "x.csv")


def test_other_version_of_the_format_is_refused(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text(records.text(RUN).replace("rows 2", "rows 3"))
    with pytest.raises(InputError, match="in another version of the format; this version reads '# refimpl rows 2'$"):
        records.read(path)


def test_run_with_other_settings_under_the_same_label_is_refused(tmp_path):
    assert records.add(tmp_path, RUN)
    changed = replace(RUN, settings={**RUN.settings, "lr": 2e-3, "k": 5})
    with pytest.raises(InputError, match=r"holds a run with other settings \(lr, k\) under the same label"):
        records.add(tmp_path, changed)
    assert are_equal(records.read(tmp_path / RUN.file), RUN)
    newer = replace(RUN, settings={**RUN.settings, "learn_from": None})  # a setting that the old run does not have
    assert records.add(tmp_path, newer)


def test_different_labels_with_the_same_file_name_are_refused(tmp_path):
    first, second = (replace(RUN, label=label) for label in ("direct, decoder q", "direct decoder q"))
    assert first.file == second.file
    records.write(tmp_path, first)
    for write in (records.write, records.add):
        with pytest.raises(InputError, match="holds the rows of 'direct, decoder q', and those of 'direct decoder q'"):
            write(tmp_path, second)
    assert are_equal(records.read(tmp_path / first.file), first)


def test_files_with_windows_line_endings_are_read(tmp_path):
    records.write(tmp_path, RUN)
    path = tmp_path / RUN.file
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert are_equal(records.read(path), RUN)


def test_add_keeps_the_longer_run(tmp_path):
    shorter, longer = replace(RUN, rows=RUN.rows[:1]), replace(RUN, rows=[*RUN.rows, {**RUN.rows[0], "epoch": 3.0}])
    assert records.add(tmp_path, RUN) and not records.add(tmp_path, shorter)
    assert are_equal(records.read(tmp_path / RUN.file), RUN)
    assert records.add(tmp_path, longer) and are_equal(records.read(tmp_path / RUN.file), longer)


def test_file_with_a_wrong_name_is_refused(tmp_path):
    records.write(tmp_path, RUN)
    (tmp_path / RUN.file).rename(tmp_path / "binary" / "other.csv")
    with pytest.raises(InputError, match="a file must have the name of its run"):
        records.read_all(tmp_path)


def test_rows_are_read_from_the_folder_named_rows(tmp_path):
    records.write(tmp_path / "run" / "rows", RUN)
    (tmp_path / "run" / "metrics.csv").write_text("epoch\n1\n")             # this is not a file of rows
    assert [record.label for record in records.read_source(tmp_path / "run")] == [RUN.label]
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="holds no rows"):
        records.read_source(tmp_path / "empty")
    with pytest.raises(InputError, match="is missing"):
        records.read_source(tmp_path / "none")


# --- the first version of the format ----------------------------------------------------------------------------------

COMMON = {"dataset": "mnist", "estimator": "direct", "batch": 100, "lr": 0.001, "eps": 0.1, "tau": None,
          "schedule": "constant", "kl_grad": True, "batch_mean": None, "as_released": False, "seed": 0, "limit": None}
TRAIN = {"n": 1, "k": 10, "hidden": 300, "structure": None, "solver": None, "non_negative": None, "pair_start": None,
         "learn_from": None, "exact_every": 10}
PAIRS = {"n": 15, "k": 2, "kl_grad": False, "structure": "pairwise"}
MIXTURE = {"labels": 50, "labelled_term": "cross-entropy", "label_eps": 0.05, "label_weight": 50.0,
           "image_weight": 0.2, "label_batch": 50, "pretrain": 1200, "shift": 3, "beta": 5.0, "beta_epochs": 20,
           "gaussian": 30}
FIRST_VERSION = {
    "direct": (COMMON | TRAIN, dict(exact_every=10)),
    "direct as released": (COMMON | TRAIN | {"eps": None, "schedule": "released", "kl_grad": False},
                           dict(as_released=True, exact_every=10)),
    "exact": (COMMON | TRAIN | {"eps": None, "estimator": "exact"}, dict(estimator="exact", exact_every=10)),
    "gumbel-softmax": (COMMON | TRAIN | {"eps": None, "tau": 0.25, "estimator": "gumbel-softmax"},
                       dict(estimator="gumbel-softmax", tau=0.25, exact_every=10)),
    "rebar": (COMMON | TRAIN | {"eps": None, "tau": 0.5, "batch_mean": True, "estimator": "rebar"},
              dict(estimator="rebar", batch_mean=True, exact_every=10)),
    "pairs": (COMMON | TRAIN | PAIRS | {"solver": "persistency", "non_negative": True, "pair_start": 0.0},
              dict(n=15, k=2, family="pairwise", solver="persistency", pair_start=0.0, exact_every=10)),
    "pairs of any sign": (COMMON | TRAIN | PAIRS | {"solver": "enumeration", "non_negative": False},
                          dict(n=15, k=2, family="pairwise", solver="enumeration", non_negative=False,
                               exact_every=10)),
    "mixture": (COMMON | {"lr": 8e-4} | MIXTURE, dict(labels=50)),
}


@pytest.mark.parametrize("name", FIRST_VERSION)
def test_rows_of_the_first_version_are_read_with_converted_settings(name, tmp_path):
    old_settings, flat = FIRST_VERSION[name]
    path = tmp_path / "old.csv"
    columns = {"epoch": 1.0, "test_elbo": -151.25, "seconds": 4.5, "evaluations": 8e5}
    more = {"valid_elbo": -150.5, "test_log_likelihood": -149.0, "gap": 2.25}
    run = replace(RUN, rows=[columns | (more if name != "mixture" else {"accuracy": 0.5, "valid_accuracy": 0.75})])
    path.write_text(records.text(replace(run, settings=old_settings)).replace("rows 2", "rows 1"))
    record = records.read(path)
    kind, settings_now = (MixtureSettings, mixture(**flat)) if name == "mixture" else (VAESettings, vae(**flat))
    values = settings_now.resolved().as_dict()
    assert record.settings == {key: value for key, value in values.items() if not key.startswith("file_")}
    assert list(record.settings) == [key for key in values if not key.startswith("file_")]
    assert kind.from_dict(record.settings).resolved() == settings_now.resolved()
    assert (record.label, record.commits, record.rows[0]) == (run.label, run.commits, run.rows[0])
    records.write(tmp_path, record)                                             # written in the present format
    content = (tmp_path / record.file).read_text()
    assert content.startswith("# refimpl rows 2\n") and are_equal(records.read(tmp_path / record.file), record)
    assert records.add(tmp_path, records.read(path))                        # the same run, not another


def test_tables_of_the_first_version_are_read_unchanged(tmp_path):
    (tmp_path / "old.csv").write_text(records.text(TABLE).replace("rows 2", "rows 1"))
    assert are_equal(records.read(tmp_path / "old.csv"), TABLE)
    (tmp_path / "bad.csv").write_text(records.text(RUN).replace("rows 2", "rows 1").replace(
        '{"dataset": "mnist", "seed": 3, "eps": null, "lr": 0.001}', '[]'))
    with pytest.raises(InputError, match="is damaged, or is not a file of rows$"):
        records.read(tmp_path / "bad.csv")
    for settings in ({"estimator": "direct", "tau": 0.5}, {"estimator": "direct", "solver": "milp", "eps": 0.1}):
        (tmp_path / "bad.csv").write_text(records.text(replace(RUN, settings=settings)).replace("rows 2", "rows 1"))
        with pytest.raises(InputError, match="is damaged, or is not a file of rows$"):
            records.read(tmp_path / "bad.csv")
