"""Settings of runs from flat names: vae(eps=0.3, solver="milp") instead of a mapping for each kind of name."""
from __future__ import annotations

from dataclasses import fields, replace

from refimpl import latent
from refimpl.arguments import Options
from refimpl.runs.mixture import MixtureSettings
from refimpl.runs.settings import RunSettings
from refimpl.runs.vae import VAESettings

FAMILY_OPTIONS = {name for family in latent.REGISTRY.values() for name in family.options}


def sorted_out(kind: type[RunSettings], flat: dict[str, object]) -> dict[str, object]:
    """The same with the options of a family, and hyperparameters (every other name that is no field), by themselves."""
    names, made = {each.name for each in fields(kind)}, {}
    for name, value in flat.items():
        if name in names:
            made[name] = value
        else:
            of_family = name in FAMILY_OPTIONS and "family_options" in names
            made.setdefault("family_options" if of_family else "hyperparameters", {})[name] = value
    return {name: Options(value) if isinstance(value, dict) else value for name, value in made.items()}


def vae(**flat: object) -> VAESettings:
    return VAESettings(**sorted_out(VAESettings, flat))


def mixture(**flat: object) -> MixtureSettings:
    return MixtureSettings(**sorted_out(MixtureSettings, flat))


def changed(settings: RunSettings, **flat: object) -> RunSettings:
    """The settings with other values of these names."""
    made = sorted_out(type(settings), flat)
    return replace(settings, **{name: getattr(settings, name) | value if name not in flat else value
                                for name, value in made.items()})


def flat(settings: RunSettings) -> dict[str, object]:
    """Every field, hyperparameter and option of the family that has a value."""
    values = settings.as_dict()
    own = {**values.pop("hyperparameters"), **values.pop("family_options", {})}
    return values | own
