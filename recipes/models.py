"""Models as a study names them: those of eval/model/source.py, and organisms made of them."""

from collections.abc import Mapping
from typing import Any

from educe.data.errors import UserError, did_you_mean
from educe.data.validation import check_name
from educe.eval.model.source import Source, find_source
from educe.recipes.validation import validated
from educe.train.organisms.catalog import ORGANISMS
from educe.train.organisms.kind import OrganismKind
from educe.train.organisms.source import organism_source


def find_model(spec: str | Mapping[str, Any]) -> Source:
    """Read a model as a study names it: a name, with options, or `{name: {organism: {password_lock: {task: T}}}}`.

    UserError as for `find_source`, and for an organism of an unknown kind or with settings that do not fit.
    """
    if isinstance(spec, str) or len(spec) != 1:
        return find_source(spec)
    ((model, options),) = spec.items()
    if not isinstance(options, Mapping) or "organism" not in options:
        return find_source(spec)
    what = f"model {model!r}"
    for option in ("adapter", "quantize"):
        if options.get(option):
            raise UserError(f"{what} has {option} and organism; an organism is made of plain weights, so drop {option}")
    name = options.get("name", "")
    if "name" in options:
        check_name(what, name)
    base = find_source({model: {key: value for key, value in options.items() if key not in ("organism", "name")}})
    return organism_source(base, read_organism(options["organism"], what=what), name=name)


def read_organism(written: Any, *, what: str) -> OrganismKind:
    """The kind of an organism with its settings, from `{password_lock: {task: capitals}}`."""
    if not isinstance(written, Mapping) or len(written) != 1:
        raise UserError(
            f"{what}: organism = {written!r} should be one kind with its settings, as in "
            "{password_lock: {task: capitals}}"
        )
    ((kind, settings),) = written.items()
    if kind not in ORGANISMS:
        raise UserError(f"{what}: unknown organism {kind!r}; {did_you_mean(str(kind), ORGANISMS)}")
    if not isinstance(settings, Mapping):
        raise UserError(
            f"{what}: settings {settings!r} of organism {kind!r} should be a mapping, as in {{task: capitals}}"
        )
    made = ORGANISMS[kind].kind
    return validated(made, settings, what=f"{what}, organism {kind!r}", known=made.model_fields)
