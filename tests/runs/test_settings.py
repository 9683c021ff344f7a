"""Settings: presets, defaults, ranges, labels, and the conversion to and from options of the command line."""
from __future__ import annotations

import re
from dataclasses import fields, replace
from types import SimpleNamespace

import numpy as np
import pytest

from refimpl import arguments, data, estimators, latent
from refimpl.arguments import InputError, Options
from refimpl.cli import commands
from refimpl.cli.options import read_settings
from refimpl.cli.parser import make_parser
from refimpl.cli.words import words_of
from refimpl.estimators import label_terms
from refimpl.latent import solvers
from refimpl.latent.pairwise import PAIR_START
from refimpl.runs import KINDS, checkpoint, kind_of, loop
from refimpl.runs.mixture import PRETRAIN_BATCH, MixtureRun, MixtureSettings, serving
from refimpl.runs.settings import TYPES, WIDEST, check_fields, command_line, option
from refimpl.runs.vae import VAERun, VAESettings
from tests.runs.arriving import check_released_schedule
from tests.settings import flat, grouped, mixture, vae

# What --as-released sets for each estimator, in both kinds of run: (schedule, kl_grad, batch_mean).
PRESETS = {
    "exact": (None, True, None),
    "direct": ("released", False, None),
    "two-sided": ("released", False, None),
    "direct-joint": ("released", False, None),
    "tilted": ("released", False, None),
    "capped": ("released", False, None),
    "amplified": ("released", False, None),
    "noisy-exact": ("released", False, None),
    "imle": ("released", False, None),
    "gumbel-softmax": ("released", True, None),
    "straight-through-gumbel-softmax": ("released", True, None),
    "gumbel-rao": ("released", True, None),
    "reinmax": ("released", True, None),
    "local-expectation": (None, True, None),
    "local-tilted": ("released", False, None),
    "reinforce": (None, True, None),
    "reinforce-loo": (None, True, None),
    "perturbed": (None, True, None),
    "rebar": ("released", True, True),
    "relax": ("released", True, True),
    "arm": (None, True, None),
    "disarm": (None, True, None),
}
# What --as-released sets for a mixture with any estimator.
RELEASED_MIXTURE = {"labelled_term": "released", "label_eps": 0.05, "label_weight": 0.0, "image_weight": 0.0,
                    "shift": 0, "beta": 1.0}

# The default temperature of each estimator that has one, without the preset.
TEMPERATURES = {"direct": {"eps": 0.1}, "two-sided": {"eps": 0.1}, "direct-joint": {"eps": 0.1},
                "tilted": {"eps": 0.1}, "capped": {"eps": 0.1}, "amplified": {"eps": 0.1},
                "noisy-exact": {"eps": 0.1}, "imle": {"eps": 0.1},
                "local-tilted": {"eps": 0.1},
                "gumbel-softmax": {"tau": 0.5},
                "straight-through-gumbel-softmax": {"tau": 0.5}, "gumbel-rao": {"tau": 0.5},
                "reinmax": {"tau": 1.0}, "rebar": {"tau": 0.5},
                "relax": {"tau": 0.5}}
# Other defaults of hyperparameters, which neither the preset nor a schedule changes.
OTHER_DEFAULTS = {"gumbel-rao": {"samples": 10}}


def changed(settings) -> dict[str, object]:
    """Return the fields whose values differ from the defaults of the class, and all hyperparameters."""
    defaults = {each.name: each.default for each in fields(settings)}
    return {name: value for name, value in flat(settings).items() if name not in defaults or value != defaults[name]}


def without_none(**settings) -> dict[str, object]:
    return {name: value for name, value in settings.items() if value is not None}


# --- presets and defaults ---------------------------------------------------------------------------------------------

def test_table_of_presets_lists_every_estimator():
    assert set(PRESETS) == set(estimators.REGISTRY)


@pytest.mark.parametrize("name", PRESETS)
def test_as_released_preset_of_train(name):
    schedule, kl_grad, batch_mean = PRESETS[name]
    settings = vae(estimator=name, n=2, k=2, as_released=True).resolved()
    expected = without_none(schedule=schedule or "constant", kl_grad=kl_grad, batch_mean=batch_mean, n=2, k=2)
    expected |= OTHER_DEFAULTS.get(name, {}) | ({} if name == "direct" else {"estimator": name})
    assert changed(settings) == expected and settings.as_released is False
    assert settings.released is (schedule is not None)          # without a schedule the preset equals the defaults
    assert ("as released" in settings.label()) is settings.released
    temperature = {} if schedule is None else {estimators.get(name).temperature: 1.0}
    assert settings.temperature(0) == settings.temperature(499) == temperature
    others = OTHER_DEFAULTS.get(name, {}) | ({"batch_mean": True} if batch_mean else {})
    assert settings.keywords(0) == temperature | others


@pytest.mark.parametrize("name", [name for name in PRESETS if name not in ("arm", "disarm")])
def test_as_released_preset_of_semi_supervised(name):
    schedule, kl_grad, batch_mean = PRESETS[name]
    settings = mixture(estimator=name, as_released=True).resolved()
    expected = RELEASED_MIXTURE | without_none(schedule=schedule or "constant", kl_grad=kl_grad, batch_mean=batch_mean)
    expected |= OTHER_DEFAULTS.get(name, {}) | ({} if name == "direct" else {"estimator": name})
    assert changed(settings) == expected and settings.as_released is False
    assert settings.released and "as released" in settings.label()


@pytest.mark.parametrize("name", ["direct", "two-sided", "direct-joint", "gumbel-softmax"])
def test_as_released_preset_of_a_structured_encoder_has_no_kl_gradient(name):
    settings = vae(estimator=name, n=4, k=2, family="pairwise", as_released=True).resolved()
    assert settings.schedule == "released" and settings.kl_grad is False and settings.released
    assert vae(estimator=name, n=4, k=2, family="pairwise").resolved().kl_grad is False


@pytest.mark.parametrize("name", PRESETS)
def test_default_settings_of_every_estimator(name):
    hyperparameters = TEMPERATURES.get(name, {}) | OTHER_DEFAULTS.get(name, {})
    hyperparameters |= {"batch_mean": False} if name in ("rebar", "relax") else {}
    estimator = {} if name == "direct" else {"estimator": name}
    settings = vae(estimator=name, k=2).resolved()
    assert changed(settings) == {"schedule": "constant", "kl_grad": True, "k": 2} | hyperparameters | estimator
    assert not settings.released
    for step in (0, 500, 10**6):
        assert settings.temperature(step) == TEMPERATURES.get(name, {}) and settings.keywords(step) == hyperparameters
    if name in serving():
        mixed = mixture(estimator=name).resolved()
        assert changed(mixed) == {"schedule": "constant", "kl_grad": True, "labelled_term": "cross-entropy",
                                  "label_eps": 0.05, "label_weight": 50.0, "image_weight": 0.2, "shift": 3,
                                  "beta": 5.0} | hyperparameters | estimator and not mixed.released


def test_setting_may_repeat_the_preset_but_not_contradict_it():
    same = vae(as_released=True, kl_grad=False, schedule="released").resolved()
    assert same == vae(as_released=True).resolved() == vae(
        kl_grad=False, schedule="released").resolved()
    for settings, name in ((vae(as_released=True, kl_grad=True), "kl grad, False; leave out --kl-grad"),
                           (vae(as_released=True, schedule="constant"), "schedule, released"),
                           (vae(as_released=True, estimator="rebar", batch_mean=False),
                            "batch_mean, True; leave out --batch-mean"),
                           (vae(as_released=True, estimator="exact", kl_grad=False), "kl grad, True")):
        with pytest.raises(InputError, match=f"--as-released has its own {name}"):
            settings.resolved()
    with pytest.raises(InputError, match="--schedule released has its own schedule for eps; leave out --eps"):
        vae(schedule="released", eps=0.1).resolved()
    with pytest.raises(InputError, match="^batch_mean is not a setting of the estimator direct, which has eps$"):
        vae(batch_mean=False).resolved()
    problem = "--schedule released needs an estimator with eps or tau, and exact has neither"
    with pytest.raises(InputError, match=problem):
        vae(estimator="exact", schedule="released").resolved()


def test_released_schedule():
    check_released_schedule()


def test_beta_decreases_linearly():
    settings = mixture(beta=5.0, beta_epochs=10).resolved()
    assert [settings.beta_at(epochs) for epochs in (0, 2.5, 10, 99)] == [5, 4, 1, 1]
    assert mixture(beta=5.0, beta_epochs=0).resolved().beta_at(0) == 1


# --- random settings --------------------------------------------------------------------------------------------------

def option_fields(kind) -> list:
    """Return the fields that have an option of their own; other fields come from the data or hold settings by name."""
    return [each for each in fields(kind) if each.metadata["option"] and not isinstance(each.default, Options)]


def draw_settings(kind, rng: np.random.Generator):
    """Return settings with random values of random fields; the combination need not be allowed."""
    chosen: dict[str, object] = {}
    for each in option_fields(kind):
        if rng.random() < (0.95 if each.name == "learn_from" else 0.55):              # few other settings allow it
            continue
        allowed = each.metadata
        if allowed["choices"] is not None:
            chosen[each.name] = str(rng.choice(list(allowed["choices"]())))
        elif each.type.startswith("bool"):
            chosen[each.name] = bool(rng.random() < 0.5)
        elif each.type.startswith("float"):
            chosen[each.name] = float(np.exp(rng.normal()))
        else:
            low = int(allowed["least"])
            chosen[each.name] = int(rng.integers(low, min(allowed["most"] or low + 60, low + 60) + 1))
    if "labels" in chosen:
        chosen["labels"] = 10 * (chosen["labels"] // 10)
    if "k" in chosen and rng.random() < 0.7:                # many special cases need a few binary variables
        chosen["k"] = 2
    if "n" in chosen and rng.random() < 0.7:
        chosen["n"] = int(rng.integers(1, 13))
    own = dict(estimators.get(chosen.get("estimator", "direct")).hyperparameters)
    own |= latent.get(chosen.get("family", "independent")).options if kind is VAESettings else {}
    for name, each in own.items():
        if rng.random() < 0.3:
            chosen[name] = (str(rng.choice(list(each.choices()))) if each.choices else bool(rng.random() < 0.5)
                            if each.kind is bool else int(rng.integers(1, 5)) if each.kind is int
                            else float(np.exp(rng.normal())))
    return kind(**grouped(kind, chosen))


@pytest.fixture(scope="module", params=[VAESettings, MixtureSettings], ids=["train", "semi-supervised"])
def random_settings(request):
    """Return pairs of allowed random settings: as drawn, and resolved."""
    rng, pairs = np.random.default_rng(14), []
    for _ in range(4_000):
        settings = draw_settings(request.param, rng)
        try:
            pairs.append((settings, settings.resolved()))
        except InputError:
            continue
    return pairs


def test_random_settings_cover_all_choices(random_settings):
    assert len(random_settings) > 300
    kind = type(random_settings[0][0])
    names = set(estimators.REGISTRY if kind is VAESettings else serving())
    assert {settings.estimator for settings, _ in random_settings} == names
    assert {settings.as_released for settings, _ in random_settings} == {True, False}
    assert {resolved.schedule for _, resolved in random_settings} == {"constant", "released"}
    if kind is VAESettings:
        assert {resolved.family_options.get("solver") for _, resolved in random_settings} == {None, *solvers.REGISTRY}
        assert {resolved.family for _, resolved in random_settings} == set(latent.REGISTRY)
    else:
        assert {resolved.labelled_term for _, resolved in random_settings} == set(label_terms.REGISTRY)


def test_resolving_settings_twice_changes_nothing(random_settings):
    for settings, resolved in random_settings:
        assert resolved.resolved() == resolved, settings
        assert not resolved.as_released and resolved.schedule and resolved.kl_grad is not None
        entry = estimators.get(resolved.estimator)
        scheduled = {entry.temperature} if resolved.schedule == "released" else set()
        assert set(resolved.hyperparameters) == set(entry.hyperparameters) - scheduled, settings
        for each in fields(settings):                       # a given value is never changed, except as_released
            given, value = getattr(settings, each.name), getattr(resolved, each.name)
            kept = given.items() <= value.items() if isinstance(given, Options) else given is None or value == given
            assert kept or each.name == "as_released", (settings, each.name)


def test_settings_survive_the_round_trip_through_command_line_options(random_settings):
    parser = make_parser()
    for settings, resolved in random_settings[:120]:
        for variant in (settings, resolved):
            kind = kind_of(variant)
            options = parser.parse_args([kind.COMMAND, *command_line(variant)])
            assert read_settings(options, kind.SETTINGS) == resolved, command_line(variant)


def test_settings_survive_the_round_trip_through_json(random_settings):
    import json

    for _, resolved in random_settings:
        assert type(resolved).from_dict(json.loads(json.dumps(resolved.as_dict()))) == resolved


# --- options ----------------------------------------------------------------------------------------------------------

def option_examples(each) -> list[tuple[list[str], object]]:
    """Return pairs of the words of an option and the value that they give the field, which is not its default."""
    name, kind = option(each.name), each.type.split(" | ")[0]
    if each.type == "bool | None":
        return [([name], True), ([name.replace("--", "--no-", 1)], False)]
    if kind == "bool":
        return [([name], True)]
    if each.metadata["choices"] is not None:
        return [([name, value], value) for value in each.metadata["choices"]() if value != each.default]
    if kind == "float":
        return [([name, "0.0625"], 0.0625), ([name, "1e-3" if each.default != 1e-3 else "2e-3"],
                                             1e-3 if each.default != 1e-3 else 2e-3)]
    assert kind == "int"
    return [([name, "17"], 17)]


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_every_field_is_a_command_line_option_that_sets_it(kind, monkeypatch, capsys):
    read, given = [], []
    monkeypatch.setattr(kind.SETTINGS, "resolved", lambda self: read.append(self) or self)     # as parsed
    monkeypatch.setattr(commands, "train_and_print", lambda kind, settings, *rest: given.append(settings))
    from refimpl import cli

    with pytest.raises(SystemExit):
        cli.main([kind.COMMAND, "--help"])
    shown = " ".join(capsys.readouterr().out.split())
    for each in option_fields(kind.SETTINGS):
        assert each.metadata["help"].partition(" (default: ")[0] in shown, each.name
        assert option(each.name) in shown and each.type.split(" | ")[0] in TYPES
        for words, value in option_examples(each):
            assert cli.main([kind.COMMAND, *words, "--out", "never"]) == 0
            assert given.pop() == replace(kind.SETTINGS(), **{each.name: value}) != kind.SETTINGS(), words
            assert type(getattr(read.pop(), each.name)) is type(value)
    assert cli.main([kind.COMMAND, "--out", "never"]) == 0
    assert given.pop() == kind.SETTINGS()                           # the parser has the same defaults as the settings
    without_option = [each for each in fields(kind.SETTINGS) if not each.metadata["option"]]
    assert [each.name for each in without_option] == ["file_sha256", "file_height", "file_width", "file_classes"]
    for each in without_option:
        assert option(each.name) not in shown and each.default is None
        with pytest.raises(SystemExit):
            make_parser().parse_args([kind.COMMAND, option(each.name), "3"])


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_epochs_folder_data_folder_and_resume_reach_the_loop(kind, monkeypatch, tmp_path):
    calls: list[tuple] = []

    def train(settings, epochs, out, resume, data_dir, report, started, draw):
        calls.append((settings, epochs, out, resume, data_dir))
        raise InputError("enough")

    monkeypatch.setattr(loop, "train", train)
    saved = kind.SETTINGS(seed=4).resolved()
    monkeypatch.setattr(checkpoint, "load", lambda path, kind: (SimpleNamespace(settings=saved), None))
    from refimpl import cli

    assert cli.main([kind.COMMAND, "--epochs", "7", "--out", str(tmp_path / "x"), "--data-dir", str(tmp_path),
                     "--resume",
                     "--seed", "4"]) == 2
    assert cli.main([kind.COMMAND]) == 2
    (settings, *first), (plain, *second) = calls
    assert settings == kind.SETTINGS(seed=4).resolved() and first == [7, tmp_path / "x", True, tmp_path]
    assert plain == kind.SETTINGS().resolved() and second[0] == kind.EPOCHS and second[2:] == [False, None]
    assert second[1].parts == ("runs", words_of(kind.COMMAND).folder(plain))


def test_kinds_of_run_have_different_identifiers():
    assert list(KINDS) == ["train", "semi-supervised"] and KINDS["train"] is VAERun
    for name in ("COMMAND", "SUMMARY", "FORMAT", "SETTINGS"):
        assert len({getattr(kind, name) for kind in KINDS.values()}) == len(KINDS)
    assert kind_of(vae()) is VAERun and kind_of(mixture()) is MixtureRun


# --- invalid settings -------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("settings, problem", [
    ({"labels": 55}, "--labels must be divisible by the 10 classes, got 55"),
    ({"labels": -10}, "--labels must be at least 0"),
    ({"dataset": "omniglot"}, "omniglot has no labels of two classes"),
    ({"estimator": "arm"}, "unknown estimator 'arm'; there are exact, direct, two-sided, .*rebar, relax$"),
    ({"labelled_term": "hinge"}, "unknown labelled term 'hinge'"),
    ({"estimator": "exact", "eps": 0.1}, "^eps is not a setting of the estimator exact, which has no settings$"),
    ({"eps": 0.0}, "^--eps must be at least 1e-06 and at most 1000000, got 0$"),
    ({"eps": 1e7}, "^--eps must be at least 1e-06 and at most 1000000, got 1e\\+07$"),
    ({"eps": "1"}, "^--eps must be of the type float, got '1'$"), ({"eps": True}, "^--eps must be of the type float"),
    ({"as_released": True, "eps": 0.1}, "--as-released has its own schedule for eps"),
    ({"as_released": True, "shift": 2}, "--as-released has its own shift, 0; leave out --shift"),
    ({"as_released": True, "labelled_term": "cross-entropy"}, "--as-released has its own labelled term, released"),
    ({"as_released": True, "label_eps": 1.0}, "--as-released has its own label eps, 0.05"),
    ({"as_released": True, "image_weight": 0.2}, "--as-released has its own image weight, 0.0"),
    ({"as_released": True, "label_weight": 0.2}, "--as-released has its own label weight, 0.0"),
    ({"label_eps": 0.0}, "--label-eps must be at least 1e-06"),
    ({"beta": float("nan")}, "--beta must be at least 1e-06"),
    ({"label_weight": float("inf")}, "--label-weight must be at least 0 and at most"),
    ({"shift": 28}, "--shift must be at most 27"),
    ({"image_weight": float("nan")}, "--image-weight must be at least 0"),
    ({"pretrain": -1}, "--pretrain must be at least 0"), ({"labels": "100"}, "labels must be int")])
def test_invalid_settings_are_refused(settings, problem):
    with pytest.raises(InputError, match=problem):
        mixture(**settings).resolved()


@pytest.mark.parametrize("kind", [VAESettings, MixtureSettings])
def test_field_of_wrong_type_or_out_of_range_is_refused(kind):
    for each in fields(kind):
        allowed = each.metadata
        if isinstance(each.default, Options):
            for value in ({}, None, "eps=1"):
                with pytest.raises(InputError, match=f"^{each.name} must be settings by name"):
                    replace(kind(), **{each.name: value}).resolved()
            continue
        wrong: list[object] = [[], b"x", 1.5 if each.type.startswith(("int", "bool", "str")) else "1"]
        wrong += [None] if "None" not in each.type else []
        wrong += ["nothing of the kind"] if allowed["choices"] is not None else []
        wrong += [allowed["least"] - 1] if allowed["least"] is not None else []
        wrong += [allowed["most"] + 1] if allowed["most"] is not None else []
        wrong += [-1.0, 1e308, float("nan"), float("inf")] if allowed["check"] is not None else []
        wrong += [10**300] if each.type.startswith("int") and each.name != "seed" else []
        for value in wrong:
            with pytest.raises(InputError, match=f"{each.name.replace('_', '.')}"):
                replace(kind(), **{each.name: value}).resolved()


def test_mixture_accepts_the_data_sets_with_labels():
    assert [name for name in data.NAMES if data.REGISTRY[name].classes == 10] == ["mnist", "fashion-mnist"]
    for name in ("mnist", "fashion-mnist"):
        assert mixture(dataset=name).resolved().dataset == name


# --- limits, defaults, labels -----------------------------------------------------------------------------------------

@pytest.mark.parametrize("kind", [VAESettings, MixtureSettings])
def test_limits_of_a_range_are_allowed_and_named_in_the_error(kind):
    for each in fields(kind):
        name, allowed = option(each.name), each.metadata
        for end, words, beyond in (("least", "at least", -1), ("most", "at most", 1)):
            if allowed[end] is not None:
                check_fields(replace(kind(), **{each.name: type(each.default or 0)(allowed[end])}))
                with pytest.raises(InputError) as problem:
                    check_fields(replace(kind(), **{each.name: allowed[end] + beyond}))
                assert str(problem.value).startswith(f"{name} must be {words} {allowed[end]}")
                assert str(problem.value).endswith(f", got {allowed[end] + beyond}")
        if allowed["check"] is not None:                                # a check of the library, with its message
            for value in (0.0, 5e-324, 1e-6, 1.0, 1e3, 1e6, 1e308, float("nan"), float("inf")):
                try:
                    allowed["check"](name, value)
                except ValueError as problem:
                    with pytest.raises(InputError, match=f"^{re.escape(str(problem))}$"):
                        check_fields(replace(kind(), **{each.name: value}))
                else:
                    check_fields(replace(kind(), **{each.name: value}))


def test_settings_use_the_range_checks_of_the_library():
    checks = {(kind, each.name): each.metadata["check"] for kind in (VAESettings, MixtureSettings)
              for each in option_fields(kind) if each.type.startswith("float") and each.metadata["least"] is None}
    common = {"lr": arguments.learning_rate}
    of_train = common | dict(kl_weight=arguments.weight)
    assert checks == {(VAESettings, name): check for name, check in of_train.items()} | {
        (MixtureSettings, name): check for name, check in (common | dict(
            label_eps=arguments.temperature, label_weight=arguments.weight, image_weight=arguments.weight,
            beta=arguments.kl_weight)).items()}


def test_limits_on_combinations_of_settings():
    for allowed, beyond in (
            (vae(k=10_000), None), (vae(n=100, k=100), vae(n=101, k=100)),
            (vae(n=200, k=50), vae(n=200, k=51)),
            (vae(n=12, k=2, estimator="exact"), vae(n=13, k=2, estimator="exact")),
            *((vae(n=solver.most, k=2, family="pairwise", solver=name),
               vae(n=solver.most + 1, k=2, family="pairwise", solver=name))
              for name, solver in solvers.REGISTRY.items()),
            (vae(n=2, k=2, family="pairwise"), vae(n=1, k=2, family="pairwise")),
            (vae(n=16, k=2, family="pairwise", estimator="gumbel-softmax"),
             vae(n=17, k=2, family="pairwise", estimator="gumbel-softmax"))):
        allowed.resolved()
        if beyond:
            with pytest.raises(InputError):
                beyond.resolved()


def test_largest_batch_and_number_of_labels_depend_on_the_data():
    dataset = data.load("mnist", limit=300)
    rarest = int(np.bincount(dataset.train.labels).min())
    for settings, beyond in ((vae(batch=300), vae(batch=301)),
                             (mixture(labels=10 * rarest), mixture(labels=10 * rarest + 10))):
        settings.resolved().check_data(dataset)
        with pytest.raises(InputError, match="must be at most"):
            beyond.resolved().check_data(dataset)


def test_kl_weight_requires_the_kl_gradient():
    assert "KL weight 0.2" in vae(kl_weight=0.2).resolved().label()
    with pytest.raises(InputError, match="^--kl-weight needs the KL term in the gradient"):
        vae(kl_weight=0.2, kl_grad=False).resolved()
    with pytest.raises(InputError, match="^--kl-weight must be"):
        vae(kl_weight=-0.2).resolved()


def test_optimiser_is_named_in_the_label_and_must_be_known():
    assert vae(optimiser="momentum").resolved().label() == "direct, k = 10, eps = 0.1, momentum"
    assert vae(optimiser="adam").resolved().label() == "direct, k = 10, eps = 0.1"
    released = vae(as_released=True, optimiser="momentum", learn_from="q").resolved()
    assert released.label() == "direct, k = 10, as released, decoder learns from q, momentum"
    with pytest.raises(InputError, match="^unknown optimiser 'sgd'; there are adam, momentum$"):
        vae(optimiser="sgd").resolved()


def test_default_settings_of_both_kinds_of_run():
    """If a default changes, the published results no longer describe the default settings."""
    common = dict(dataset="mnist", estimator="direct", batch=100, hyperparameters={"eps": 0.1}, schedule="constant",
                  kl_grad=True, as_released=False, seed=0, limit=None, file_sha256=None, file_height=None,
                  file_width=None, file_classes=None)
    assert vae().resolved().as_dict() == common | dict(
        lr=1e-3, n=1, k=10, hidden=300, family="independent", family_options={}, learn_from=None, kl_weight=None,
        optimiser=None, exact_every=5)
    assert mixture().resolved().as_dict() == common | dict(
        lr=8e-4, labels=100, labelled_term="cross-entropy", label_eps=0.05, label_weight=50.0, label_batch=50,
        pretrain=1200, image_weight=0.2, shift=3, beta=5.0, beta_epochs=20, gaussian=30)
    assert (VAERun.EPOCHS, MixtureRun.EPOCHS, PRETRAIN_BATCH, WIDEST) == (10, 60, 100, 10_000)
    largest = {(kind, each.name): each.metadata["most"] for kind in (VAESettings, MixtureSettings)
               for each in option_fields(kind) if each.metadata["most"] is not None}
    assert largest == {(VAESettings, "n"): 200, (VAESettings, "k"): 10_000, (VAESettings, "hidden"): 10_000,
                       (MixtureSettings, "shift"): 27, (MixtureSettings, "gaussian"): 1_000}


def test_initial_value_of_pair_scores():
    pairs = dict(n=4, k=2, family="pairwise")
    assert vae(**pairs).resolved().family_options["pair_start"] == PAIR_START == -3
    assert vae(as_released=True, **pairs).resolved().family_options["pair_start"] == 0
    assert vae(pair_start=1.5, **pairs).resolved().make_family().pair_start == 1.5
    for free in (dict(solver="milp"), dict(solver="enumeration", non_negative=False)):
        assert vae(**free, **pairs).resolved().make_family().pair_start == 0
        assert vae(as_released=True, **free, **pairs).resolved().make_family().pair_start == 0
        explicit = vae(pair_start=0.05, **free, **pairs).resolved()
        assert explicit.make_family().pair_start == 0.05 and ", any sign, pairs start at 0.05" in explicit.label()
    with pytest.raises(InputError, match="^pair_start is not a setting of the family independent, which has no"):
        vae(pair_start=0.0).resolved()


def test_learn_from_refuses_unsupported_settings():
    assert vae(n=12, k=2, learn_from="q").resolved().learn_from == "q"
    for settings, words in ((vae(n=13, k=2, learn_from="q"), "^--learn-from q enumerates all"),
                            (vae(n=3, k=2, family="pairwise", learn_from="z_star"), "^--learn-from needs"),
                            (vae(learn_from="z"), "^unknown learn from 'z'; there are z_star, q")):
        with pytest.raises(InputError, match=words):
            settings.resolved()


@pytest.mark.parametrize("settings, words", [
    (vae(learn_from="q"), "direct, k = 10, eps = 0.1, decoder learns from q"),
    (vae(n=3, k=2, family="pairwise", pair_start=0.5),
     "direct, n = 3, k = 2, pairwise by maxflow, pairs start at 0.5, eps = 0.1"),
    (vae(), "direct, k = 10, eps = 0.1"), (vae(n=5, k=3, eps=2.0), "direct, n = 5, k = 3, eps = 2"),
    (vae(kl_grad=False), "direct, k = 10, eps = 0.1, no KL gradient"),
    (vae(schedule="released"), "direct, k = 10, eps released"),
    (vae(estimator="gumbel-softmax", tau=0.25), "gumbel-softmax, k = 10, tau = 0.25"),
    (vae(estimator="exact"), "exact, k = 10"),
    (vae(estimator="rebar", k=2), "rebar, k = 2, tau = 0.5"),
    (vae(estimator="rebar", k=2, batch_mean=True), "rebar, k = 2, tau = 0.5, batch mean"),
    (vae(estimator="rebar", k=2, as_released=True), "rebar, k = 2, as released"),
    (vae(n=4, k=2, family="pairwise"), "direct, n = 4, k = 2, pairwise by maxflow, eps = 0.1"),
    (vae(n=4, k=2, family="pairwise", solver="milp"),
     "direct, n = 4, k = 2, pairwise by milp, any sign, eps = 0.1"),
    (mixture(), "direct, 100 labels"), (mixture(labels=0, estimator="exact"), "exact, no labels"),
    (mixture(labels=50, as_released=True), "direct, 50 labels, as released")])
def test_label_describes_the_settings(settings, words):
    assert settings.resolved().label() == words


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_only_switches_that_default_to_none_have_a_no_option(kind, capsys):
    """--no-kl-grad is an option, but --no-as-released is not, because as_released is already off by default."""
    parser = make_parser()
    for each in option_fields(kind.SETTINGS):
        words = [kind.COMMAND, option(each.name).replace("--", "--no-", 1)]
        if each.type == "bool | None":
            assert getattr(parser.parse_args(words), each.name) is False
        elif each.type == "bool":
            with pytest.raises(SystemExit):
                parser.parse_args(words)
            assert "unknown argument" in capsys.readouterr().err
