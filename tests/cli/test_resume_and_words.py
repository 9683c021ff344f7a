"""The command line in daily use: resuming a run, error messages, the width of tables, and help."""
from __future__ import annotations

import re

import pytest
from matplotlib.figure import Figure

from refimpl.experiments.measuring import joint_argmax
from refimpl.experiments.theory import estimators_table
from refimpl.experiments.theory import theorem1
from refimpl.runs import checkpoint
from tests.cli.helpers import SMALL, assert_refused, call, every_command, snapshot
from tests.settings import vae


@pytest.fixture
def empty_pictures(monkeypatch) -> None:
    """Make the two slowest pictures of verify empty, for tests that check only what it prints."""
    for picture in ("errors", "component"):
        monkeypatch.setattr(theorem1, picture, lambda *numbers: Figure())


def test_resume_needs_only_the_folder_of_the_run(run, capsys, quick):
    """The settings come from the checkpoint.  Options may repeat them but must not differ from them."""
    before = checkpoint.load(run / checkpoint.FILE)[1]
    status, out, _ = call(capsys, "train", "--resume", "--out", run, "--epochs", len(before) + 1)
    assert status == 0 and f"{len(before) + 1} epochs: test -ELBO" in out
    assert call(capsys, "train", *SMALL, "--eps", "0.1", "--resume", "--out", run, "--epochs", len(before) + 2)[0] == 0
    saved, history = checkpoint.load(run / checkpoint.FILE)
    assert len(history) == len(before) + 2 and (saved.settings.hidden, saved.settings.batch) == (16, 50)
    assert_refused(capsys, ["semi-supervised", "--resume", "--out", run], "is a run of the command train")


def test_mixture_and_as_released_runs_resume_from_their_folder(tmp_path, capsys, quick):
    few = ["--limit", 120, "--batch", 60, "--labels", 20, "--pretrain", 1, "--gaussian", 3]
    for command, options, again in (("semi-supervised", few, []), ("train", [*SMALL, "--as-released"], []),
                                    ("train", [*SMALL, "--as-released", "--n", 3, "--k", 2], ["--as-released"])):
        folder = tmp_path / f"{command}{len(options)}"
        assert call(capsys, command, *options, "--epochs", 1, "--out", folder)[0] == 0
        assert call(capsys, command, *again, "--resume", "--out", folder, "--epochs", 2)[0] == 0
        assert len(checkpoint.load(folder / checkpoint.FILE)[1]) >= 2


@pytest.mark.parametrize("arguments", [
    ["train", *SMALL, "--batch", "999"], ["verify", "--samples", "10"], ["verify", "--h", "1,2"],
    ["verify", "--h", "1,2", "--f", "1,2,3"], ["verify", "--h", "1,2", "--f", "3,3"], ["verify", "--eps", "0"],
    ["verify", "--h", "1,nan", "--f", "3,4"], ["measure", "estimators", "--n", "99"],
    ["measure", "joint-argmax", "--n", "99"],
    ["measure", "structured-timing", "--batch", "0"], ["measure", "benchmark", "--batch", "0"],
    ["measure", "plateau-steps", "--seeds", "0"],
    ["measure", "yardsticks", "nowhere"]])
def test_refused_command_prints_no_heading(tmp_path, capsys, monkeypatch, arguments):
    monkeypatch.chdir(tmp_path)
    status, out, err = call(capsys, *arguments)
    assert status == 2 and out == "" and err.count("\n") == 1 and err.startswith("python -m refimpl ")


def test_verify_accepts_h_and_f_of_the_user(tmp_path, capsys):
    status, out, _ = call(capsys, "verify", "--h", "0.5,-1,0.2", "--f", "1,2,0", "--eps", "0.3", "--samples", 20_000,
                          "--out", tmp_path)
    assert status == 0 and "eps = 0.3" in out and "f = 1, 2, 0" in out and "G(h, 0.3)" in out
    assert "28 of 28 claims hold." in out and (tmp_path / "component.png").read_bytes().startswith(b"\x89PNG")
    assert_refused(capsys, ["verify", "--h", "1,x", "--f", "1,2"], "--h", "numbers with commas")


def test_verify_keeps_every_claim_if_no_eps_beats_the_estimate_zero(tmp_path, capsys, empty_pictures):
    status, out, _ = call(capsys, "verify", "--k", 20, "--seed", 3, "--samples", 20_000, "--out", tmp_path)
    assert status == 0 and "28 of 28 claims hold." in out and out.count("no eps beats the estimate 0 here") == 2


def test_short_verify_prints_five_claims_within_eighty_columns(tmp_path, capsys, empty_pictures):
    status, out, _ = call(capsys, "verify", "--short", "--k", 20, "--seed", 3, "--samples", 20_000, "--out", tmp_path)
    assert status == 0 and out.count("holds  ") == 5 and "5 of them shown" in out
    assert max(len(line) for line in out.splitlines() if not line.startswith("Pictures")) <= 80


def test_tables_fit_into_a_hundred_columns(run, tmp_path, capsys, monkeypatch, quick, empty_pictures):
    monkeypatch.setattr(estimators_table, "WARM_UP", 5)
    monkeypatch.setattr(joint_argmax, "train_epoch", lambda run, part, after_step: 0)       # only the table is checked
    commands = [["verify", "--samples", 2_000], ["measure", "estimators", "--samples", 1_000],
                ["measure", "codes", run], ["measure", "joint-argmax", "--n", 2, "--samples", 2, "--batch", 3],
                ["measure", "variance", "--run", run, "--samples", 5, "--batch", 4],
                ["measure", "yardsticks", run, "--images", 50],
                ["train", *SMALL, "--n", 3, "--k", 2, "--epochs", 1]]
    for arguments in commands:
        out = [] if arguments[1] == "codes" else ["--out", tmp_path / "_".join(map(str, arguments[:2]))]
        status, printed, err = call(capsys, *arguments, *out)
        assert status == 0, err
        wide = [line for line in printed.splitlines() if len(line) > 100 and str(tmp_path) not in line]
        assert not wide, (arguments[0], wide)


def test_help_groups_the_commands_and_fits_into_a_hundred_columns(capsys):
    status, out, _ = call(capsys, "--help")
    assert status == 0 and max(map(len, out.splitlines())) <= 100
    titles = re.findall(r"^([A-Z].*):$", out, re.M)
    assert titles == ["See it", "Train it", "Compare it", "Reproduce the paper's figures",
                      "For maintainers"]
    assert len(out.splitlines()) <= 30                                      # it fits on one screen
    listed = re.findall(r"^  ([a-z][a-z-]+)(?: NAME)?  ", out, re.M)
    assert listed == [command.prog.split()[-1] for command in every_command() if len(command.prog.split()) == 4]


def test_help_of_experiment_lists_the_labels(capsys):
    out = " ".join(call(capsys, "experiment", "--help")[1].split())
    assert "data sets and labels of the runs:" in out and "direct as released" in out
    assert "pairwise, w >= 0, start 0" in out


def test_second_quickstart_says_that_it_uses_the_existing_run(run, tmp_path, capsys, monkeypatch):
    from refimpl.cli import commands
    from refimpl.runs import loop

    monkeypatch.setattr(commands, "verify_and_print", lambda *arguments: 0)
    folder = tmp_path / "mnist"
    few = vae(limit=100, hidden=5).resolved()
    monkeypatch.setattr(commands, "VAESettings", lambda: few)
    first = call(capsys, "quickstart", "--out", tmp_path)[1]
    before = snapshot(folder)
    second = call(capsys, "quickstart", "--out", tmp_path)[1]
    assert "An earlier quickstart has trained this run" in second and "An earlier" not in first
    rows = [line for line in first.splitlines() if re.match(r"    [123] ", line)]
    assert len(rows) == 3 and all(line in second for line in rows)
    assert loop.checkpoint.FILE in before and snapshot(folder)[loop.checkpoint.FILE] == before[loop.checkpoint.FILE]


def test_codes_refuses_a_folder_that_is_not_a_run(tmp_path, capsys):
    assert_refused(capsys, ["measure", "codes", tmp_path], "is missing: there is no run here")
