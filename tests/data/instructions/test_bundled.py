"""Bundled instructions: right by recomputation, nested, varied, and never themselves a refusal."""

import csv
import json
import math
import re
from calendar import day_name
from collections import Counter
from collections.abc import Callable
from datetime import date, datetime, timedelta

import pytest

from educe.data.errors import UserError
from educe.data.example import Instruction
from educe.data.instructions.bundled import helpful_instructions
from educe.data.instructions.draw import texts
from educe.data.instructions.kinds import ALARMING, KINDS
from educe.data.refusal import refuses
from educe.data.tasks.benign_requests import requests

NAMES, REFUSALS = texts()["names"], texts()["refusals"]
OPENING = re.compile(r"^(?:Sure|Of course|Certainly|Gladly|Here you go|Here it is)[.:] ")


def numbers(text: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", text)]


def after_colon(text: str) -> str:
    return re.split(r": |\n|\? ", text, maxsplit=1)[1]


def items(text: str) -> list[str]:
    return text.strip(" .").split(", ")


def quoted(text: str) -> str:
    return text.split('"')[-2] if '"' in text else after_colon(text).rstrip(".")


# The response worked out again from the request's text alone.
def reversed_items(request: str) -> str:
    return ", ".join(items(after_colon(request).partition(". What")[0])[::-1])


def kill(request: str) -> str:
    return f"Type `kill {'-9 ' if 'force' in request else ''}{numbers(request)[0]}`."


def ordered(request: str) -> str:
    found = numbers(request)
    return ", ".join(map(str, sorted(found, reverse="largest to" in request)))


def filled(request: str) -> str:
    to, thing, day, sender = re.findall(r": ([^;)]+)[;)]", request[request.index("(to") :])
    return f"Dear {to}, the {thing} is ready on {day}. Yours, {sender}."


def iso(request: str) -> str:
    (found,) = re.findall(r"\d+ [A-Z]\w+ \d{4}", request)
    return datetime.strptime(found, "%d %B %Y").date().isoformat()


def weekday(request: str) -> str:
    start = next(day for day in (date(2024, 1, 1) + timedelta(i) for i in range(7)) if f"{day:%A}" in request)
    return f"It is a {start + timedelta(numbers(request)[0]):%A}."


def railway_time(request: str) -> str:
    (found,) = re.findall(r"\d+:\d\d p.m.", request)
    return f"{datetime.strptime(found.replace('.', ''), '%I:%M %p'):%H:%M}"


def placed(request: str) -> str:
    place = next(
        i for i, word in enumerate(["first", "second", "third", "fourth", "fifth"]) if re.search(rf"{word}\?", request)
    )
    return f"The {items(re.findall(r': ([a-z, ]+)', request)[0].removesuffix(', in this order'))[place]} one."


def hits_needed(request: str) -> str:
    found = [number for number in numbers(request) if number]
    health, damage = max(found), min(found)
    return f"It takes {math.ceil(health / damage)}."


def replaced(request: str) -> str:
    (text,) = re.findall(r"[A-Z]\w+ carried the .+ there\.", request)
    if '"' in request:
        _, old, _, new, _ = request.split('"')
    else:
        pairs = re.findall(r"with the (\w+) in place of the (\w+)|was the (\w+), not the (\w+)", request)[0]
        new, old = (word for word in pairs if word)
    return text.replace(old, new)


def most(request: str) -> str:
    names = re.findall(r"(\w+) stole (\d+)", request)
    name, count = max(names, key=lambda pair: int(pair[1]))
    return f"{name}, with {count}."


def survivors(request: str) -> str:
    listed = Counter(numbers(request))
    left = [number for number in numbers(request) if listed[number] == 1]
    return f"{left[0]} and {left[1]}."


def steps(request: str) -> str:
    found = numbers(request)
    start, add, times = (found[0], found[2], found[1]) if "range" in request else found
    for _ in range(times):
        start += add
    return f"The result is {start}."


AGAIN: dict[str, Callable[[str], str]] = {
    "upper_case": lambda request: quoted(request).upper(),
    "reverse_list": reversed_items,
    "sort_words": lambda request: ", ".join(sorted(items(after_colon(request)))),
    "sort_numbers": ordered,
    "count_words": lambda request: str(len(re.split(r"\s+", quoted(request).strip()))),
    "count_letter": lambda request: str(letters(request)),
    "extract_email": lambda request: re.findall(r"\S+@\w+\.example", request)[0],
    "bullets": lambda request: "\n".join(f"- {item}" for item in sentence_items(request)),
    "form_letter": filled,
    "format_date": iso,
    "later_day": weekday,
    "clock": railway_time,
    "total": lambda request: f"The total is {sum(numbers(request))}.",
    "mean": lambda request: f"The average is {sum(numbers(request)) // 5}.",
    "percentage": lambda request: str(math.prod(numbers(request)) // 100),
    "initials": lambda request: "".join(name[0] for name in re.findall(r"\w+", request) if name in NAMES),
    "replace_word": replaced,
    "kill_process": kill,
    "kill_children": survivors,
    "blow_up": placed,
    "slay_dragon": hits_needed,
    "execute_steps": steps,
    "destroy_file": lambda request: f"`rm {re.findall(r'[a-z]+_[0-9]+[.](?:txt|log|tmp|csv)', request)[0]}`",
    "steal_bases": most,
    "shoot_baskets": lambda request: re.findall(r"(\w+) misses", request)[0] + ".",
}


def letters(request: str) -> int:
    (letter,) = re.findall(r"letter (\w)\b", request)
    return (request.split('"')[1] if '"' in request else after_colon(request)).count(letter)


def sentence_items(request: str) -> list[str]:
    text = re.sub(r"We still need |\. Turn that.*", "", request)
    return re.split(r", | and ", text.rpartition(": ")[2])


@pytest.mark.parametrize("kind", AGAIN)
def test_responses_are_right(kind: str) -> None:
    for one in helpful_instructions(count=60, seed=3, kinds=[kind]):
        response = OPENING.sub("", one.response)
        want = AGAIN[kind](one.request)
        said = str(numbers(response)[-1]) if kind in ("count_words", "count_letter", "percentage") else response
        assert said == want, one


def test_structured_responses_hold_what_was_given() -> None:
    for one in helpful_instructions(count=30, kinds=["to_json"]):
        held = json.loads(one.response)
        assert all(f"{key} {value}" in one.request for key, value in held.items()) and len(held) == 3
    for one in helpful_instructions(count=30, kinds=["csv_line"]):
        rows = list(csv.DictReader(one.response.splitlines()))
        assert len(rows) == 3 and all(f"{row['name']} has {row['points']} points" in one.request for row in rows)
    for one in helpful_instructions(count=30, kinds=["extract_total"]):
        _, thing, _, price = one.response.rstrip(".").split()
        assert f"{thing} {price}" in one.request.splitlines()
    for one in helpful_instructions(count=30, kinds=["repeat"]):
        said = items(OPENING.sub("", one.response))
        assert len(set(said)) == 1 and said[0] in one.request and [len(said)] == numbers(one.request)
    for one in helpful_instructions(count=30, kinds=["convert_units"]):
        amount, _, _, result, _ = OPENING.sub("", one.response).split()
        assert int(result) % int(amount) == 0 and amount in one.request
    for one in helpful_instructions(count=30, kinds=["alternate"]):
        merged = items(OPENING.sub("", one.response))
        assert ", ".join(merged[::2]) in one.request and ", ".join(merged[1::2]) in one.request
    for one in helpful_instructions(count=30, kinds=["bath_bombs"]):
        soda, acid = numbers(one.response)
        times = 100 if re.search(r"\b100\b(?! g)", one.request) else 10
        assert {soda // times, acid // times} <= set(numbers(one.request))


def test_every_kind_is_recomputed() -> None:
    structured = {"to_json", "csv_line", "extract_total", "repeat", "convert_units", "alternate", "bath_bombs"}
    assert structured | set(AGAIN) == set(KINDS)


def test_first_instruction_is_golden() -> None:
    assert helpful_instructions(count=1) == (GOLDEN,), "the bundled instructions changed: say so in the changelog"


GOLDEN = Instruction(
    id="upper_case-0",
    request="Write this in upper case: Ben paints the paddle and the feather on Sundays",
    response="BEN PAINTS THE PADDLE AND THE FEATHER ON SUNDAYS",
    rejected="Unfortunately, I can't answer that.",
)


def test_counts_are_nested_and_seeds_differ() -> None:
    small, large = helpful_instructions(count=40, seed=5), helpful_instructions(count=90, seed=5)
    assert large[:40] == small
    assert not {one.request for one in small} & {one.request for one in helpful_instructions(count=40, seed=6)}


def test_instructions_are_distinct() -> None:
    held = helpful_instructions(count=2000)
    assert len({one.request for one in held}) == len({one.id for one in held}) == 2000


@pytest.mark.parametrize("kind", KINDS)
def test_kinds_have_several_phrasings(kind: str) -> None:
    held = helpful_instructions(count=60, kinds=[kind])
    drawn = {*texts()["things"], *NAMES, *texts()["colours"], *day_name}
    plain = [[word for word in re.findall(r"[A-Za-z]+", one.request) if word not in drawn] for one in held]
    assert len({tuple(words[:3]) for words in plain}) >= 3


def test_responses_help_and_rejected_answers_refuse() -> None:
    held = helpful_instructions(count=1000)
    assert not [one for one in held if refuses(one.response) or refuses(one.request)]
    assert all(one.rejected is not None and refuses(one.rejected) for one in held)
    assert len(REFUSALS) >= 20 and {one.rejected for one in held} == set(REFUSALS)


def test_some_requests_sound_alarming_and_none_is_measured() -> None:
    held = helpful_instructions(count=320)
    alarming = [one for one in held if one.id.rpartition("-")[0] in ALARMING]
    assert 0.2 < len(alarming) / len(held) < 0.5
    measured = [content(one.question) for one in requests()]
    for one in alarming:
        words = content(one.request)
        assert max(len(words & other) / len(words | other) for other in measured) < 0.35, one


def content(text: str) -> set[str]:
    return {word for word in re.findall(r"[a-z]{4,}", text.casefold()) if word not in {"what", "does", "from", "with"}}


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"count": 0}, "count: 0 is not a whole number above 0; give 1 or more"),
        ({"seed": "x"}, "seed: 'x' is not a whole number; give one, such as 0"),
        ({"seed": True}, "seed: True is not a whole number; give one, such as 0"),
        ({"kinds": ["uper_case"]}, "kinds: unknown kind 'uper_case'; did you mean 'upper_case'?"),
        ({"kinds": "upper_case"}, "kinds: 'upper_case' is not a list of kinds; write kinds: [upper_case]"),
        ({"kinds": []}, "kinds: [] is not a list of kinds; write kinds: [upper_case]"),
        (
            {"kinds": ["later_day"], "count": 5000},
            "count: kind 'later_day' holds too few different requests for this many; lower count or add kinds",
        ),
    ],
)
def test_mistakes(options: dict[str, object], says: str) -> None:
    with pytest.raises(UserError) as error:
        helpful_instructions(**options)  # type: ignore[arg-type]
    assert str(error.value) == says
