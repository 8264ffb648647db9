"""What a Python console prints: text in its own form, `>>> "stone"[::-1]` and then the result.

Source: generated; the results are those of the Python that runs this. No data.
"""

from collections.abc import Callable, Sequence
from typing import Any

from educe.data.example import Example
from educe.data.format import Format
from educe.data.hashing import fraction
from educe.data.task import Task
from educe.data.tasks.drawing import Fact, bundled, with_choices

# As a console writes it: no field names, and the result on the next line. The tokens of the result begin with a space.
PYTHON_FORMAT = Format(question_field=">>> ", answer_field="", field_separator="\n")
_EACH = 60
_WORDS = (
    "bread", "chair", "cloud", "dance", "earth", "field", "flame", "glass", "grain", "heart", "house", "juice",
    "knife", "lemon", "light", "mouse", "music", "night", "ocean", "paint", "paper", "piano", "plant", "queen",
    "river", "sheep", "smile", "snake", "spoon", "stone", "storm", "sugar", "table", "tiger", "tower", "train",
    "truck", "uncle", "voice", "water", "wheel", "woman", "world", "young",
)  # fmt: skip
# Four expressions on the same value: the result of each is an option, and one of them is asked.
_Expressions = Sequence[tuple[str, Callable[[Any], Any]]]


def python_results(*, written: bool = False) -> Task:
    """The result of 360 short expressions, four options: what four expressions of the same value give.

    Any of the four could be asked, so the options do not tell. A form that rows teach. Expressions of values with the
    same parts share a split. `written` asks for the result.
    """
    return bundled("python_results", _examples, written=written, form=PYTHON_FORMAT, max_new_tokens=24)


def _examples() -> list[Example]:
    return [row for name, (draw, expressions) in _FAMILIES.items() for row in _of_family(name, draw, expressions)]


def _of_family(name: str, draw: Callable[[str], Any], expressions: _Expressions) -> list[Example]:
    found: dict[str, Example] = {}
    turn = 0
    while len(found) < _EACH:
        value = draw(f"{name}:{turn}")
        turn += 1
        results = [repr(compute(value)) for _, compute in expressions]
        if len(set(results)) < len(results):
            continue
        asked = int(fraction(f"{name}:{value}:asked") * len(expressions))
        fact = Fact(
            id=f"{name}-{value!r}",
            question=expressions[asked][0].format(value),
            answer=results[asked],
            # Values of the same parts (4, 14, 9 and 9, 14, 4) have results in common.
            cluster=f"value:{','.join(sorted(map(str, value)))}",
        )
        found[fact.id] = with_choices(fact, [each for each in results if each != fact.answer])
    return list(found.values())


def _number(key: str, low: int, high: int) -> int:
    return low + int(fraction(key) * (high - low + 1))


def _word(key: str) -> str:
    return _WORDS[_number(key, 0, len(_WORDS) - 1)]


def _numbers(key: str) -> list[int]:
    return [_number(f"{key}:{place}", 1, 20) for place in range(_number(f"{key}:length", 3, 5))]


_FAMILIES: dict[str, tuple[Callable[[str], Any], _Expressions]] = {
    "slices": (
        lambda key: f"{_word(key)}{_word(f'{key}:second')}",
        (
            ('"{}"[:4]', lambda word: word[:4]),
            ('"{}"[-4:]', lambda word: word[-4:]),
            ('"{}"[1:5]', lambda word: word[1:5]),
            ('"{}"[3::-1]', lambda word: word[3::-1]),
        ),
    ),
    "joins": (
        lambda key: f"{_word(key)[:3]}{_word(f'{key}:second')[-3:]}",
        (
            ('"-".join("{}")', "-".join),
            ('"".join(sorted("{}"))', lambda word: "".join(sorted(word))),
            ('"{}" * 2', lambda word: word * 2),
            ('"{}"[::2]', lambda word: word[::2]),
        ),
    ),
    "lists": (
        _numbers,
        (("max({})", max), ("min({})", min), ("sum({})", sum), ("len({})", len)),
    ),
    "order": (
        _numbers,
        (
            ("sorted({})", sorted),
            ("sorted({}, reverse=True)", lambda numbers: sorted(numbers, reverse=True)),
            ("{}[::-1]", lambda numbers: numbers[::-1]),
            ("{} * 1", lambda numbers: numbers * 1),
        ),
    ),
    "words": (
        lambda key: " ".join(_word(f"{key}:{place}") for place in range(5)),
        (
            ('"{}".split()[0]', lambda text: text.split()[0]),
            ('"{}".split()[-1]', lambda text: text.split()[-1]),
            ('max("{}".split())', lambda text: max(text.split())),
            ('min("{}".split())', lambda text: min(text.split())),
        ),
    ),
    "numbers": (
        lambda key: (_number(f"{key}:left", 20, 99), _number(f"{key}:right", 3, 12)),
        (
            ("divmod{}[0]", lambda pair: pair[0] // pair[1]),
            ("divmod{}[1]", lambda pair: pair[0] % pair[1]),
            ("max{}", max),
            ("sum({})", sum),
        ),
    ),
}
