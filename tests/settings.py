"""Make settings of runs from flat names: vae(eps=0.3, solver="milp") instead of a mapping for each kind of name."""
from __future__ import annotations

from dataclasses import fields, replace

from refimpl import latent
from refimpl.arguments import Options
from refimpl.runs.mixture import MixtureSettings
from refimpl.runs.settings import RunSettings
from refimpl.runs.vae import VAESettings

FAMILY_OPTIONS = {name for family in latent.REGISTRY.values() for name in family.options}


def grouped(kind: type[RunSettings], flat: dict[str, object]) -> dict[str, object]:
    """Group the values that are not fields into options of the family and hyperparameters (all other names)."""
    names, sorted_values = {each.name for each in fields(kind)}, {}
    for name, value in flat.items():
        if name in names:
            sorted_values[name] = value
        else:
            of_family = name in FAMILY_OPTIONS and "family_options" in names
            sorted_values.setdefault("family_options" if of_family else "hyperparameters", {})[name] = value
    return {name: Options(value) if isinstance(value, dict) else value for name, value in sorted_values.items()}


def vae(**flat: object) -> VAESettings:
    return VAESettings(**grouped(VAESettings, flat))


def mixture(**flat: object) -> MixtureSettings:
    return MixtureSettings(**grouped(MixtureSettings, flat))


def changed(settings: RunSettings, **flat: object) -> RunSettings:
    """Return the settings with new values for these names."""
    new = grouped(type(settings), flat)
    return replace(settings, **{name: getattr(settings, name) | value if name not in flat else value
                                for name, value in new.items()})


def flat(settings: RunSettings) -> dict[str, object]:
    """Return every field, hyperparameter and option of the family that has a value."""
    values = settings.as_dict()
    own = {**values.pop("hyperparameters"), **values.pop("family_options", {})}
    return values | own
