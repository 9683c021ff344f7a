"""Names, ranges and defaults of the command line are consistent, and a misspelt name gets a suggestion."""
from __future__ import annotations

import argparse
import re

import pytest

from refimpl.arguments import InputError, Options, unknown
from refimpl.cli.options import OTHER_OPTIONS
from refimpl.cli.parser import EXPERIMENTS, make_parser
from refimpl.cli.words import words_of
from refimpl.experiments import options, registry
from refimpl.experiments.options import OPTIONS
from refimpl.experiments.records import read_source
from refimpl.experiments.theory.estimators_table import Row
from refimpl.plots import explorer
from refimpl.report import functions
from refimpl.runs import KINDS
from refimpl.runs.vae import VAESettings
from tests.cli.helpers import ROOT, assert_refused, call, every_command, snapshot

PARSERS = {command.prog.removeprefix("python -m refimpl "): command for command in every_command()}
SUBCOMMANDS = {group: [name.split()[1] for name in PARSERS if name.startswith(f"{group} ")]
               for group in ("measure", "make")}
NUMERIC_OPTIONS = [(command, name) for command, declared in OPTIONS.items() for name in declared]


def with_required_arguments(command: str) -> list[str]:
    """Return the full name of the command whose last word is `command`, followed by its required arguments."""
    (words,) = [name for name in PARSERS if name.split()[-1] == command]
    required = {"experiment": ["binary"], "codes": ["x"], "yardsticks": ["x"], "faces-sheet": ["--save", "x.png"]}
    return [*words.split(), *required.get(command, [])]


# --- suggestions ------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("arguments, suggested", [
    (["tarin"], "train"), (["mesure"], "measure"), (["compre"], "compare"), (["varience"], "measure variance"),
    (["binary"], "experiment binary"), (["measure", "yardstick"], "yardsticks"), (["make", "reprot"], "report"),
    (["measure", "report"], "python -m refimpl make report"), (["make", "train"], "python -m refimpl train"),
    (["experiment", "binery"], "binary"), (["experiment", "variance"], "python -m refimpl measure variance"),
    (["experiment", "binary", "--dataset", "minst"], "mnist"), (["measure", "plateau-steps", "--dataset", "fashion"],
                                                                "fashion-mnist"),
    (["experiment", "binary", "--only", "arm", "relaks"], "relax"),
    (["experiment", "binary", "--only", "rebar, bach mean"], "rebar, batch mean"),
    (["train", "--dataset", "mnits"], "mnist"), (["measure", "variance", "--dataset", "face"], "faces"),
    (["measure", "joint-argmax", "--dataset", "omniglott"], "omniglot"), (["train", "--estimator", "dirct"], "direct"),
    (["train", "--n", "3", "--k", "2", "--family", "pairwise", "--solver", "maxflo"], "maxflow"),
    (["train", "--family", "pairwse"], "pairwise"), (["train", "--schedule", "relased"], "released"),
    (["train", "--learn-from", "zstar"], "z_star"), (["train", "--set", "esp=0.1"], "eps"),
    (["semi-supervised", "--labelled-term", "cross-entrpy"], "cross-entropy"),
    (["semi-supervised", "--estimator", "exat"], "exact"), (["make", "tutorial-runs", "single-exat"], "single-exact"),
    (["verify", "--sampels", "10"], "--samples"), (["train", "--frobnicate"], None), (["xyzzy"], None)])
def test_misspelt_name_gets_a_suggestion(tmp_path, capsys, monkeypatch, arguments, suggested):
    monkeypatch.chdir(tmp_path)
    assert_refused(capsys, arguments, "did you mean" if suggested else "unknown")
    _, _, err = call(capsys, *arguments)
    assert re.findall(r"did you mean '(.*?)'\?", err) == ([suggested] if suggested else []), err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("group, name", [(group, name) for group, names in SUBCOMMANDS.items() for name in names])
def test_command_without_its_group_gets_the_full_name_as_suggestion(capsys, group, name):
    assert_refused(capsys, [name], f"unknown command '{name}'; did you mean '{group} {name}'?")


def test_names_with_commas_are_separated_by_semicolons():
    assert unknown("label", "a, c", ["a, b", "z"]) == "unknown label 'a, c'; did you mean 'a, b'? there are a, b; z"
    assert unknown("name", "q", ["ab", "cd"]) == "unknown name 'q'; there are ab, cd"
    assert "did you mean 'here'?" in unknown("name", "here", ["here"], {"here": "elsewhere"})


# --- the commands -----------------------------------------------------------------------------------------------------

def test_top_level_commands():
    top = {name for name in PARSERS if " " not in name}
    assert top == {"quickstart", "verify", "explore", *KINDS, "compare", "measure", "experiment", "make"}


@pytest.mark.parametrize("group", SUBCOMMANDS)
def test_help_of_a_group_describes_each_command_in_one_line(capsys, group):
    status, out, _ = call(capsys, group, "--help")
    listed = re.findall(r"^  ([a-z][a-z-]+) +(\S.*)$", out, re.M)
    assert status == 0 and sorted(name for name, _ in listed) == sorted(SUBCOMMANDS[group])
    assert max(map(len, out.splitlines())) <= 100
    assert_refused(capsys, [group], "NAME")


def test_command_line_offers_the_experiments_of_the_registry():
    assert set(EXPERIMENTS) == set(registry.REGISTRY)


def test_out_save_and_samples_mean_the_same_for_every_command():
    seen = {"--out": 0, "--save": 0, "--samples": 0}
    for name, command in PARSERS.items():
        for action in command._actions:
            for option in seen.keys() & set(action.option_strings):
                seen[option] += 1
                start, metavar = {"--out": ("folder for ", None), "--save": ("file for ", "FILE"),
                                  "--samples": ("number of draws of the noise", "SAMPLES")}[option]
                assert action.help.startswith(start) and action.metavar == metavar, name
    assert seen["--out"] >= 11 and seen["--save"] == 3 and seen["--samples"] == 7


def test_help_shows_a_meaningful_default_for_every_option():
    for name, command in PARSERS.items():
        for action in command._actions:
            without_default = action.option_strings in (["--set"], ["--save"], ["--add"]) or action.required
            if not action.option_strings or without_default or action.nargs == 0 and not isinstance(
                    action, argparse.BooleanOptionalAction):
                continue
            help_text = command._get_formatter()._get_help_string(action)
            assert "(default: " in help_text, (name, help_text)
            assert "(default: None" not in help_text and "own choice" not in help_text, (name, help_text)


def test_help_names_estimators_whose_default_differs(capsys):
    out = " ".join(call(capsys, "train", "--help")[1].split())
    assert "(default: 0.5, 1.0 for reinmax)" in out and "to 1,000,000 (default: 0.1)" in out


# --- ranges -----------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("command, name", NUMERIC_OPTIONS)
def test_range_is_the_same_in_help_at_the_command_line_and_in_the_library(capsys, command, name):
    declared = OPTIONS[command][name]
    parser = PARSERS.get(command) or PARSERS[" ".join(with_required_arguments(command)[:2])]
    (action,) = [action for action in parser._actions if action.dest == name]
    for end, words, beyond in ((declared.least, "at least", -1), (declared.most, "at most", 1)):
        if end is None:
            continue
        assert f"{end:,.10g}" in action.help
        make_parser().parse_args([*with_required_arguments(command), f"--{name}={end}"])
        options.check(command, **{name: end})
        with pytest.raises(InputError, match=f"^--{name} must be {words} {end}"):
            options.check(command, **{name: end + beyond})
        assert_refused(capsys, [*with_required_arguments(command), f"--{name}={end + beyond}"],
                       f"error: --{name} must be {words} {end}")
    assert_refused(capsys, [*with_required_arguments(command), f"--{name}=ten"], f"--{name} must be a ", "got 'ten'")


def test_slider_of_the_explorer_has_the_range_of_its_option():
    assert explorer.EPS == (OPTIONS["explore"]["eps"].least, OPTIONS["explore"]["eps"].most)


def test_plateau_steps_runs_as_many_steps_as_the_committed_rows():
    steps = {record.settings["steps"] for record in read_source(ROOT / "tutorials/rows/plateau-steps")}
    assert steps == {make_parser().parse_args(["measure", "plateau-steps"]).steps}


# --- commands that overwrite tracked files ----------------------------------------------------------------------------

@pytest.mark.parametrize("name", ["report", "tutorial-runs", "functions", "commands", "lecture"])
def test_help_says_which_commands_overwrite_tracked_files(capsys, name):
    out = " ".join(call(capsys, "make", name, "--help")[1].split())
    assert "--write" in out and "overwrite these files, which the repository tracks" in out


def test_no_file_is_written_without_the_write_option(tmp_path, capsys, monkeypatch):
    (tmp_path / "tutorials").mkdir()
    (tmp_path / functions.PAGE).write_text("old")
    monkeypatch.setattr(functions, "ROOT", tmp_path)
    before = snapshot(tmp_path)
    assert call(capsys, "make", "functions")[0] == 0 and snapshot(tmp_path) == before
    assert_refused(capsys, ["make", "report", "--add", "x", "--root", tmp_path], "--add", "--write")
    assert call(capsys, "make", "functions", "--write")[0] == 0 and snapshot(tmp_path) != before


# --- printed tables ---------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("settings, titles", [
    (dict(n=1, k=2_000), ["train -ELBO", "valid -ELBO", "test -ELBO", "test -log p(x)", "gap"]),
    (dict(n=10, k=2), ["train -ELBO", "valid -ELBO", "test -ELBO", "test -log p(x)", "gap", "one-sample -ELBO"]),
    (dict(n=15, k=2), ["test -ELBO", "test -log p(x)", "gap", "one-sample -ELBO"]),
    (dict(n=15, k=10), ["one-sample -ELBO"]), (dict(n=10, k=2, family="pairwise"), ["test -log p(x)"]),
    (dict(n=17, k=2, family="pairwise", family_options=Options(solver="maxflow")), [])])
def test_only_columns_with_values_are_printed(settings, titles):
    settings = VAESettings(**settings).resolved()
    heading = words_of("train").heading(settings)
    assert " ".join(heading.splitlines()[-1].split()) == " ".join(["epoch", *titles, "seconds"])
    assert ("exact by enumeration" in heading) == any("one-sample" not in title for title in titles)
    row = dict.fromkeys(("epoch", "train_elbo", "valid_elbo", "test_elbo", "test_log_likelihood", "gap",
                         "sampled_elbo", "seconds"), 1.0)
    assert len(words_of("train").line(settings, row)) == len(heading.splitlines()[-1])
    if not titles:
        message = words_of("train").result(settings, row | {"test_log_likelihood": float("nan")})
        assert "too many joint values" in message


def test_verify_says_that_h_is_normalised(tmp_path, capsys):
    out = call(capsys, "verify", "--h", "0.5,-1,0.2", "--f", "1,2,0", "--samples", 1_000, "--out", tmp_path)[1]
    assert "h is normalised to log q, which changes no probability." in out


@pytest.mark.parametrize("z, words", [(0.0, "-"), (413397112.9, "> 1,000"), (999.94, "999.9"), (0.04, "0.0")])
def test_large_or_undefined_numbers_of_standard_errors_are_abbreviated(z, words):
    from refimpl.cli import measurements

    assert measurements._errors(Row("direct", 0.1, z, 1.0, 3, False, False)) == words


def test_only_make_commands_have_the_write_option():
    assert {name for name, command in PARSERS.items() if "--write" in command._option_string_actions} == {
        "make report", "make tutorial-runs", "make functions", "make commands", "make lecture"}


@pytest.mark.parametrize("command", ["train", "semi-supervised"])
def test_parser_sets_only_reserved_names(command):
    assert set(vars(make_parser().parse_args([command]))) <= OTHER_OPTIONS
