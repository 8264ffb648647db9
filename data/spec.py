"""A spec as a person writes it: a name or PREFIX:PATH, alone or with options, as in {arithmetic: {digits: 3}}."""

import inspect
from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import Any

from educe.data.errors import UserError, did_you_mean

Spec = str | Mapping[str, Mapping[str, Any]]
Maker = Callable[..., Any]


def read_spec(
    spec: Spec,
    *,
    what: str,
    example: str,
    names: Mapping[str, Maker],
    prefixes: Mapping[str, Maker],
    shared_options: Collection[str] = (),
) -> tuple[str, Mapping[str, Any], Maker]:
    """The name that a spec holds, its options, and the function to call with those that are not shared.

    A maker's keyword-only parameters are its options; the maker of a prefix takes the path first. UserError, which
    begins with `what` the spec names, where the name or an option is unknown.
    """
    if isinstance(spec, str):
        spec = {spec: {}}
    if not isinstance(spec, Mapping) or len(spec) != 1:
        raise UserError(f"{what} {spec!r}: neither a name nor a name with options; write e.g. {example}")
    ((name, options),) = spec.items()
    if not isinstance(options, Mapping):
        raise UserError(f"{what} {name!r}: its options {options!r} are not a mapping; write {{name: value}}")
    make = _maker(str(name), what=what, names=names, prefixes=prefixes)
    parameters = inspect.signature(make).parameters.values()
    own = [each.name for each in parameters if each.kind is inspect.Parameter.KEYWORD_ONLY]
    known = (*own, *shared_options)
    for option in options:
        if option not in known:
            raise UserError(f"{what} {name!r}: unknown option {option!r}; {did_you_mean(str(option), known)}")
    return str(name), options, make


def _maker(name: str, *, what: str, names: Mapping[str, Maker], prefixes: Mapping[str, Maker]) -> Maker:
    if name in names:
        return names[name]
    prefix, colon, path = name.partition(":")
    if not colon:
        raise UserError(f"unknown {what} {name!r}; {did_you_mean(name, names)} (a file is written file:PATH)")
    if prefix not in prefixes:
        raise UserError(f"{what} {name!r}: unknown prefix {prefix!r}; {did_you_mean(prefix, prefixes)}")
    if not path:
        raise UserError(f"{what} {name!r}: no path; write {prefix}:PATH")
    return partial(prefixes[prefix], path)
