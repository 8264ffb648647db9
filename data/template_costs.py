"""What the operations of a chat template cost, and which of them no template may use."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from jinja2.exceptions import SecurityError
from jinja2.runtime import BlockReference, LoopContext, Macro, TemplateReference, Undefined
from jinja2.utils import Cycler, Joiner, Namespace

# Nested deeper, a value could exhaust the stack of C code that hashes or compares it.
MAX_NESTING = 64
MAX_BITS = 16_384


class Spent(SecurityError):
    """The budget of a template is spent."""


class TemplateDict:
    """`dict` as templates may call it, without its attributes."""

    def __call__(self, /, *given: Any, **named: Any) -> dict[Any, Any]:
        return dict(*given, **named)

    def fromkeys(self, *given: Any) -> dict[Any, Any]:
        return dict.fromkeys(*given)


# Filters that are random, or that take quadratic time.
NO_FILTERS = ("random", "wordwrap", "urlize", "striptags", "pprint", "xmlattr")
# Filters that look at no item, and those that pass items on one by one.
FREE_FILTERS = frozenset({"first", "last", "length", "count", "default", "d", "attr", "items", "safe"})
LAZY_FILTERS = frozenset({"map", "select", "reject", "selectattr", "rejectattr", "list", "batch", "slice", "reverse"})
WEIGHED_TESTS = frozenset(
    {"in", "==", "eq", "equalto", "!=", "ne", ">", "gt", "greaterthan", "ge", ">=", "<", "lt", "lessthan", "<=", "le"}
) | {"lower", "upper"}
NUMBER_TESTS = frozenset({"odd", "even", "divisibleby"})
_NO_METHODS = {"encode", "translate", "maketrans"}
_TEXT_METHODS = {name for name in dir(str) if not name.startswith("_")} - _NO_METHODS
_READABLE = (
    dict, list, tuple, Namespace, LoopContext, Cycler, Joiner, Macro, TemplateReference, BlockReference, TemplateDict,
    Undefined,
)  # fmt: skip
_SMALL = (int, float, bool, type(None))
# A conversion of `%`, which may have a key, with its width and precision.
_CONVERSION = re.compile(r"%(?:\(([^)]*)\))?[#0\- +]*([*]|\d*)(?:\.([*]|\d*))?")


def may_read(owner: Any, name: str) -> bool:
    """Whether templates may read an attribute of this name: of values that chat templates have a use for."""
    if isinstance(owner, str):
        return name in _TEXT_METHODS
    return isinstance(owner, _READABLE)


def size(value: Any, limit: int) -> int:
    """The cost of reading a value wholly; items that occur several times count each time. At most a bit over limit."""
    kind = value.__class__
    if kind is str:
        return len(value) // 4 + 1
    if kind in _SMALL:
        return 1 + (value.bit_length() // 64 if kind is int else 0)
    total, rest = 0, [(value, 0)]
    while rest and total <= limit:
        each, depth = rest.pop()
        if depth > MAX_NESTING:
            raise SecurityError(f"a value nested over {MAX_NESTING} deep")
        total += 3 + top_size(each)
        rest.extend((child, depth + 1) for child in _children(each))
    return total


def top_size(value: Any) -> int:
    """The cost of a value without what it holds."""
    if isinstance(value, str):
        return len(value) // 4 + 1
    if isinstance(value, int):
        return 1 + value.bit_length() // 64
    return 1 + (len(value) if isinstance(value, list | tuple | Mapping | range) else 0)


def _children(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return value
    if isinstance(value, dict):
        return [*value.keys(), *value.values()]
    if isinstance(value, type({}.values()) | type({}.items()) | type({}.keys())):
        return list(value)
    if isinstance(value, Namespace):
        return list(object.__getattribute__(value, "_Namespace__attrs").values())
    return ()


def check_width(spec: str) -> None:
    """SecurityError for a format that would write a thousand characters or more for one value."""
    if re.search(r"\d{4}", spec):
        raise SecurityError(f"a width over 999 in the format {spec[:100]!r}")


def of_operation(operator: str, left: Any, right: Any, limit: int) -> int:
    """The cost of `left operator right`; SecurityError where it would be a number of over MAX_BITS bits."""
    cost = size(left, limit) + size(right, limit)
    if isinstance(left, int) and isinstance(right, int):
        _check_bits(operator, left, right)
    elif operator == "*":
        for one, times in ((left, right), (right, left)):
            if isinstance(one, str | list | tuple) and isinstance(times, int):
                cost += len(one) * max(0, times)
    elif operator == "%" and isinstance(left, str):
        cost += of_percent(left, right, limit)
    return cost


def _check_bits(operator: str, left: int, right: int) -> None:
    bits = max(left.bit_length(), right.bit_length())
    if operator == "**":
        bits = left.bit_length() * max(0, right)
    elif operator == "*":
        bits = left.bit_length() + right.bit_length()
    if bits > MAX_BITS:
        raise SecurityError(f"a number of over {MAX_BITS:,} bits")


def of_percent(form: str, values: Any, limit: int) -> int:
    """The cost of `form % values`. SecurityError where it pads to a thousand characters or more."""
    for key, *widths in _CONVERSION.findall(form):
        if "(" in key or "*" in widths:
            raise SecurityError(f"a key or a width of an unusual form in {form[:100]!r}")
        check_width(" ".join(widths))
    return form.count("%") * (1 + size(values, limit))


def is_join(called: Any) -> bool:
    """Whether this is `str.join`, which reads what a lazy filter gives."""
    return isinstance(getattr(called, "__self__", None), str) and called.__name__ == "join"


def of_call(called: Any, given: Sequence[Any], limit: int) -> int:
    """The cost of a call beside reading its arguments, which count already."""
    owner = getattr(called, "__self__", None)
    if not isinstance(owner, str | list | tuple):
        return 1
    name = called.__name__
    cost = len(owner) // 4 + 1 if isinstance(owner, str) else size(owner, limit)
    if name in ("center", "ljust", "rjust", "zfill"):
        return cost + _whole(given, 0)
    if name == "expandtabs":
        return cost + str(owner).count("\t") * (_whole(given, 0) if given else 8)
    if name == "join" and given and hasattr(given[0], "__len__"):
        return cost + len(owner) * len(given[0])
    if name == "replace":
        return cost + _replaced(str(owner), *given[:2])
    if name in ("split", "rsplit", "splitlines", "partition", "rpartition"):
        return cost + len(owner)
    return cost


def _replaced(text: str, old: Any = "", new: Any = "") -> int:
    if not isinstance(old, str) or not isinstance(new, str):
        return 1  # it will fail
    return (text.count(old) if old else len(text) + 1) * len(new)


def _whole(given: Sequence[Any], position: int, default: int = 0) -> int:
    value = given[position] if len(given) > position else default
    return max(0, value) if isinstance(value, int) else 0


def of_filter(name: str, value: Any, given: Sequence[Any], named: Mapping[str, Any], limit: int) -> int:
    """The cost of a filter on a value. What a lazy one gives, if the value is lazy too, costs as much an item."""
    arguments = (*given, *named.values())
    cost = 1 + sum(size(each, limit) for each in arguments)
    if name in FREE_FILTERS:
        return cost
    if name in LAZY_FILTERS:
        # Each item is looked up by the arguments, such as a path of attributes.
        cost *= max(1, len(value) if hasattr(value, "__len__") else 1)
    else:
        cost += size(value, limit)
    if cost > limit:
        raise Spent
    return cost + (_EXTRA[name](value, given, named, limit) if name in _EXTRA else 0)


def _of_round(value: Any, given: Sequence[Any], named: Mapping[str, Any], limit: int) -> int:
    places = _argument(0, "precision", given, named, 0)
    if not isinstance(value, int | float) or not isinstance(places, int) or abs(places) > 300:
        raise SecurityError("round takes a number and a precision of up to 300")
    return 1


def _of_tojson(value: Any, given: Sequence[Any], named: Mapping[str, Any], limit: int) -> int:
    indent, separators = _argument(1, "indent", given, named, 0), _argument(2, "separators", given, named, ())
    wide = indent if isinstance(indent, int) else len(indent or "")
    if wide > 64 or sum(map(len, separators or ())) > 64:
        raise SecurityError("tojson takes an indent and separators of up to 64 characters")
    return (size(value, limit) * (1 + wide) if indent is not None else 0) + size(value, limit)


def _of_sum(value: Any, given: Sequence[Any], named: Mapping[str, Any], limit: int) -> int:
    """Lists are added one by one, each time to a new list."""
    start = _argument(1, "start", given, named, 0)
    return 1 if isinstance(start, int | float) else len(value) * (size(value, limit) + size(start, limit))


def _argument(position: int, name: str, given: Sequence[Any], named: Mapping[str, Any], default: Any) -> Any:
    return given[position] if len(given) > position else named.get(name, default)


def _width(position: int, name: str, default: int, times: Callable[[Any], int]) -> Callable[..., int]:
    """A cost of as many characters as an argument says, so many times."""

    def extra(value: Any, given: Sequence[Any], named: Mapping[str, Any], limit: int) -> int:
        width = _argument(position, name, given, named, default)
        return times(value) * max(0, width if isinstance(width, int) else len(str(width)))

    return extra


_EXTRA: dict[str, Callable[..., int]] = {
    "center": _width(0, "width", 80, lambda value: 1),
    "indent": _width(0, "width", 4, lambda value: str(value).count("\n") + 1),
    "batch": _width(0, "linecount", 0, lambda value: 1),
    "slice": _width(0, "slices", 0, lambda value: 1),
    "join": _width(0, "d", 0, lambda value: len(value) if hasattr(value, "__len__") else 1),
    "format": lambda value, given, named, limit: of_percent(str(value), given or named, limit),
    "replace": lambda value, given, named, limit: _replaced(
        str(value), _argument(0, "old", given, named, ""), _argument(1, "new", given, named, "")
    ),
    "sort": lambda value, given, named, limit: 16 * size(value, limit),
    "groupby": lambda value, given, named, limit: 16 * size(value, limit),
    "dictsort": lambda value, given, named, limit: 16 * size(value, limit),
    "round": _of_round,
    "tojson": _of_tojson,
    "sum": _of_sum,
}
