"""Facts become items: wrong options are drawn so that the options alone do not tell which one is right.

Options come from facts of the same side: train, or dev and test. An option that was right in train would else stand
among the wrong ones of test, where a model that remembers train could strike it out.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import product

from educe.data.example import Example
from educe.data.format import Format
from educe.data.grade import exact_match
from educe.data.hashing import fraction, shuffled
from educe.data.splits import SPLITS, split_of
from educe.data.task import Grade, Task
from educe.data.validation import check_bool


@dataclass(frozen=True, kw_only=True)
class Fact:
    """A question with its answer, before it has options. Options come from facts with the same `group`."""

    id: str
    question: str
    answer: str
    cluster: str | None = None
    aliases: tuple[str, ...] = ()
    group: str = ""


def bundled(
    name: str,
    examples: Callable[[], Sequence[Example]],
    *,
    written: bool = False,
    grade: Grade = exact_match,
    max_new_tokens: int = 16,
    form: Format | None = None,
) -> Task:
    """A choice task or, `written`, the generation task of the same items: same ids, questions and splits, no options.

    UserError where `written` is neither true nor false.
    """
    check_bool("written", written)
    form = form or Format()
    if not written:
        return Task(name=name, version=1, kind="choice", load=lambda: {"all": placed(examples())}, format=form)
    return Task(
        name=f"{name}_written",
        version=1,
        kind="generation",
        load=lambda: {"all": [replace(example, choices=()) for example in examples()]},
        grade=grade,
        max_new_tokens=max_new_tokens,
        format=form,
    )


def with_choices(fact: Fact, others: Sequence[str]) -> Example:
    """The item with its answer among the others, in an order fixed by hash; `placed` moves the answer."""
    return Example(
        id=fact.id,
        question=fact.question,
        answer=fact.answer,
        choices=shuffled([fact.answer, *others], key=f"{fact.id}:order"),
        aliases=fact.aliases,
        cluster=fact.cluster,
    )


def placed(examples: Sequence[Example]) -> list[Example]:
    """The items with their right options at places that are equally frequent in each split.

    The order of the ids' hashes decides who gets which place, so it does not depend on the answer.
    """
    places: dict[str, int] = {}
    for split in SPLITS:
        rows = [example for example in examples if split_of(example) == split]
        ordered = sorted(rows, key=lambda row: fraction(f"{row.id}:place"))
        places |= {row.id: turn % len(row.choices) for turn, row in enumerate(ordered)}
    return [_moved(example, places[example.id]) for example in examples]


def near_choices(facts: Sequence[Fact], *, num_choices: int, width: int) -> list[Example]:
    """Items whose wrong options stand near the right one in the order of the facts, which should put like beside like.

    For facts whose answers differ. The facts of a side and group form a ring. An item's options are drawn from `width`
    neighbours in which the right one may have any place, so it is the middle one no more often than the first. No two
    options of an item are of one cluster.
    """
    return [
        with_choices(fact, _near(ring, place, num_choices - 1, width))
        for ring in _rings(facts)
        for place, fact in enumerate(ring)
    ]


def balanced_choices(facts: Sequence[Fact], *, num_choices: int) -> list[Example]:
    """Items in which each answer is a wrong option `num_choices - 1` times as often as it is the right one.

    For facts that share answers. It holds within each side and group, as far as an answer that is right in more than
    one row of `num_choices` lets it.
    """
    found = []
    for ring in _rings(facts):
        taken = _balanced(ring, num_choices - 1)
        found += [with_choices(fact, taken[fact.id]) for fact in ring]
    return found


def grid(first: Sequence[str], second: Sequence[str], *, write: Callable[[str, str], str]) -> list[str]:
    """Every combination of two ways to read one part of an answer with two ways to read another.

    None of the four stands out, whichever is right.
    """
    return [write(one, other) for one, other in product(first, second)]


def _moved(example: Example, place: int) -> Example:
    others = [choice for choice in example.choices if choice != example.answer]
    return replace(example, choices=(*others[:place], example.answer, *others[place:]))


def _rings(facts: Sequence[Fact]) -> list[list[Fact]]:
    rings: dict[tuple[bool, str], list[Fact]] = defaultdict(list)
    for fact in facts:
        rings[in_train(fact), fact.group].append(fact)
    return list(rings.values())


def in_train(fact: Fact) -> bool:
    """Whether the item of a fact is a train row."""
    row = Example(id=fact.id, question=fact.question, answer=fact.answer, cluster=fact.cluster)
    return split_of(row) == "train"


def _near(ring: Sequence[Fact], place: int, count: int, width: int) -> list[str]:
    fact = ring[place]
    apart = [other for other in ring if other.cluster is None or other.cluster != fact.cluster or other is fact]
    place, width = apart.index(fact), min(width, len(apart))
    start = place - int(fraction(f"{fact.id}:window") * width)
    window = {apart[(start + step) % len(apart)].answer: apart[(start + step) % len(apart)] for step in range(width)}
    others: dict[str, str] = {}  # by cluster, so that no two of them could be right together
    for text in shuffled((text for text in window if text != fact.answer), key=f"{fact.id}:distractors"):
        others.setdefault(window[text].cluster or text, text)
    assert len(others) >= count, f"{fact.id} has {len(others)} others near it, not {count}"
    return list(others.values())[:count]


def _balanced(facts: Sequence[Fact], count: int) -> dict[str, list[str]]:
    right = Counter(fact.answer for fact in facts)
    taken: dict[str, list[str]] = {fact.id: [] for fact in facts}
    left: list[str] = []
    for text, times in sorted(right.items(), key=lambda each: (-each[1], each[0])):
        free = [fact for fact in facts if fact.answer != text and len(taken[fact.id]) < count]
        # The rows with most room first: else those of the common answers would be left with none.
        ranked = sorted(free, key=lambda fact: (len(taken[fact.id]), fraction(f"{fact.id}:{text}")))
        for fact in ranked[: count * times]:
            taken[fact.id].append(text)
        left += [text] * (count * times - len(ranked))
    for fact in facts:
        while len(taken[fact.id]) < count and left:
            _exchange(fact, left.pop(), facts, taken)
        spare = shuffled((text for text in right if text not in (fact.answer, *taken[fact.id])), key=fact.id)
        taken[fact.id] += spare[: count - len(taken[fact.id])]
        assert len(taken[fact.id]) == count, f"{fact.id} has too few options"
    return taken


def _exchange(fact: Fact, text: str, facts: Sequence[Fact], taken: dict[str, list[str]]) -> None:
    """Give the text to another item and what that one had for it to this item, which cannot take the text itself."""
    for other in sorted(facts, key=lambda other: fraction(f"{fact.id}:{other.id}:{text}")):
        given = [each for each in taken[other.id] if each not in (fact.answer, *taken[fact.id])]
        if given and text not in (other.answer, *taken[other.id]):
            taken[other.id][taken[other.id].index(given[0])] = text
            taken[fact.id].append(given[0])
            return
