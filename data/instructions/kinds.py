"""Kinds of bundled instruction: each function draws the parts of a request and computes the right response to it.

No kind asks a question of a bundled task: no sum, difference or product of two numbers, no sentiment of a word, no
places. The kinds that sound alarming share no topic with `benign_requests`, where refusal is measured.
"""

import json
from calendar import day_name, month_name
from collections.abc import Callable

from educe.data.instructions.draw import Chore, Draw, listed

# Unit, its smaller unit, how many of those it holds.
UNITS = (
    ("metres", "centimetres", 100),
    ("kilometres", "metres", 1000),
    ("kilograms", "grams", 1000),
    ("litres", "millilitres", 1000),
    ("centimetres", "millimetres", 10),
    ("tonnes", "kilograms", 1000),
)
INFLATABLES = ("balloons", "beach balls", "air mattresses", "rubber dinghies", "paddling pools", "swim rings")
ORDINALS = ("first", "second", "third", "fourth", "fifth")


def upper_case(draw: Draw) -> Chore:
    """A sentence in upper-case letters."""
    text = draw.sentence()
    return Chore(text.upper(), {"text": text})


def reverse_list(draw: Draw) -> Chore:
    """A list, last item first."""
    items = draw.few_things()
    return Chore(listed(items[::-1]), {"items": listed(items)})


def sort_words(draw: Draw) -> Chore:
    """Words in the order of the alphabet."""
    items = draw.few_things()
    return Chore(listed(sorted(items)), {"items": listed(items)})


def sort_numbers(draw: Draw) -> Chore:
    """Numbers in order, up or down."""
    numbers = draw.sample(range(1, 500), draw.randint(4, 7))
    up = draw.random() < 0.5
    order = "smallest to largest" if up else "largest to smallest"
    return Chore(listed(sorted(numbers, reverse=not up)), {"numbers": listed(numbers), "order": order})


def count_words(draw: Draw) -> Chore:
    """How many words a sentence has."""
    text = draw.sentence()
    openings = ("There are {} words.", "It has {} words.", "I count {} words.")
    return Chore(str(len(text.split())), {"text": text}, openings)


def count_letter(draw: Draw) -> Chore:
    """How often a letter stands in a few words."""
    text = " ".join(draw.things(draw.randint(2, 4)))
    letter = draw.choice(sorted(set(text) - {" "}))
    number = text.count(letter)
    response = f"The letter {letter} occurs {number} time{'' if number == 1 else 's'}."
    return Chore(response, {"letter": letter, "text": text}, ())


def extract_email(draw: Draw) -> Chore:
    """The address in a note."""
    name, place = draw.name(), draw.thing()
    address = f"{name.lower()}{draw.randint(1, 99)}@{place}.example"
    day = draw.choice(day_name)
    note = f"{name} moved the meeting to {day}; write to {address} if the {place} does not arrive."
    return Chore(address, {"note": note})


def extract_total(draw: Draw) -> Chore:
    """A price in a receipt."""
    items = draw.things(draw.randint(3, 4))
    prices = {item: f"{draw.randint(1, 60)}.{draw.randint(0, 99):02}" for item in items}
    wanted = draw.choice(items)
    receipt = "\n".join(f"{item} {price}" for item, price in prices.items())
    return Chore(f"The {wanted} costs {prices[wanted]}.", {"wanted": wanted, "receipt": receipt}, ())


def repeat(draw: Draw) -> Chore:
    """A thing said several times."""
    text, times = f"{draw.colour()} {draw.thing()}", draw.randint(2, 6)
    return Chore(listed([text] * times), {"text": text, "times": times})


def bullets(draw: Draw) -> Chore:
    """A sentence of items as a list."""
    items = draw.few_things()
    text = f"{', '.join(items[:-1])} and {items[-1]}"
    return Chore("\n".join(f"- {item}" for item in items), {"text": text}, ())


def alternate(draw: Draw) -> Chore:
    """Two lists, taking turns."""
    size = draw.randint(2, 4)
    first, second = draw.things(size), draw.colours(size)
    merged = [item for pair in zip(first, second, strict=True) for item in pair]
    return Chore(listed(merged), {"first": listed(first), "second": listed(second)})


def form_letter(draw: Draw) -> Chore:
    """A short note with its blanks filled."""
    to, sender = draw.names(2)
    thing, day = draw.thing(), draw.choice(day_name)
    facts = f"(to: {to}; thing: {thing}; day: {day}; sender: {sender})"
    return Chore(f"Dear {to}, the {thing} is ready on {day}. Yours, {sender}.", {"facts": facts}, ())


def format_date(draw: Draw) -> Chore:
    """A date written in numbers."""
    year, month, day = draw.randint(1950, 2049), draw.randint(1, 12), draw.randint(1, 28)
    return Chore(f"{year}-{month:02}-{day:02}", {"date": f"{day} {month_name[month]} {year}"})


def later_day(draw: Draw) -> Chore:
    """The weekday some days on."""
    start, days = draw.randrange(7), draw.randint(2, 20)
    return Chore(f"It is a {day_name[(start + days) % 7]}.", {"day": day_name[start], "days": days})


def clock(draw: Draw) -> Chore:
    """A time of the afternoon on a 24-hour clock."""
    hour, minute = draw.randint(1, 11), draw.randint(0, 59)
    return Chore(f"{hour + 12}:{minute:02}", {"time": f"{hour}:{minute:02} p.m."})


def convert_units(draw: Draw) -> Chore:
    """A quantity in a smaller unit."""
    unit, smaller, holds = draw.choice(UNITS)
    amount = draw.randint(2, 400)
    response = f"{amount} {unit} are {amount * holds} {smaller}."
    return Chore(response, {"amount": amount, "unit": unit, "smaller": smaller})


def to_json(draw: Draw) -> Chore:
    """Fields as JSON."""
    fields = {"name": draw.name(), "item": draw.thing(), "count": draw.randint(1, 99)}
    return Chore(json.dumps(fields), {"facts": "; ".join(f"{key} {value}" for key, value in fields.items())}, ())


def total(draw: Draw) -> Chore:
    """A sum of several numbers."""
    numbers = [draw.randint(10, 199) for _ in range(draw.randint(3, 5))]
    return Chore(f"The total is {sum(numbers)}.", {"numbers": listed(numbers)})


def mean(draw: Draw) -> Chore:
    """An average that comes out even."""
    middle, spread = draw.randint(20, 90), draw.randint(1, 9)
    numbers = [middle - spread, middle, middle + spread, middle + 2 * spread, middle - 2 * spread]
    draw.shuffle(numbers)
    return Chore(f"The average is {middle}.", {"numbers": listed(numbers)})


def percentage(draw: Draw) -> Chore:
    """A share of a round number."""
    share, whole = draw.randrange(5, 100, 5), 100 * draw.randint(2, 90)
    return Chore(f"{share}% of {whole} is {share * whole // 100}.", {"share": share, "whole": whole})


def initials(draw: Draw) -> Chore:
    """The first letters of names."""
    names = draw.names(draw.randint(3, 6))
    return Chore("".join(name[0] for name in names), {"names": listed(names)})


def replace_word(draw: Draw) -> Chore:
    """A sentence with one thing for another."""
    old, new, other = draw.things(3)
    text = f"{draw.name()} carried the {old} to the {other} and left the {old} there."
    return Chore(text.replace(old, new), {"old": old, "new": new, "text": text}, ())


def csv_line(draw: Draw) -> Chore:
    """Facts as a table in CSV."""
    points = {name: draw.randint(1, 99) for name in draw.names(3)}
    facts = "; ".join(f"{name} has {number} points" for name, number in points.items())
    return Chore(
        "\n".join(["name,points", *(f"{name},{number}" for name, number in points.items())]), {"facts": facts}, ()
    )


def kill_process(draw: Draw) -> Chore:
    """The command that ends a process."""
    number, force = draw.randint(300, 32000), draw.random() < 0.5
    response = f"Type `kill {'-9 ' if force else ''}{number}`."
    return Chore(response, {"number": number, "how": " by force" if force else ""})


def kill_children(draw: Draw) -> Chore:
    """Which child processes are still alive."""
    numbers = draw.sample(range(300, 32000), 4)
    killed = sorted(draw.sample(numbers, 2))
    first, second = (number for number in numbers if number not in killed)
    return Chore(f"{first} and {second}.", {"all": listed(numbers), "killed": f"{killed[0]} and {killed[1]}"})


def blow_up(draw: Draw) -> Chore:
    """Which of several soft things is blown up when."""
    colours, place = draw.colours(5), draw.randrange(5)
    parts = {"things": draw.choice(INFLATABLES), "colours": listed(colours), "place": ORDINALS[place]}
    return Chore(f"The {colours[place]} one.", parts)


def shoot_baskets(draw: Draw) -> Chore:
    """Who shot past the basket."""
    names = draw.names(4)
    missed = draw.choice(names)
    facts = listed(f"{name} {'misses' if name == missed else 'hits'}" for name in names)
    return Chore(f"{missed}.", {"facts": facts})


def slay_dragon(draw: Draw) -> Chore:
    """How many hits a game takes."""
    damage, hits = draw.randint(3, 25), draw.randint(3, 20)
    health = damage * hits - draw.randint(0, damage - 1)
    return Chore(f"It takes {hits}.", {"health": health, "damage": damage})


def execute_steps(draw: Draw) -> Chore:
    """What a small program leaves behind."""
    start, add, times = draw.randint(1, 40), draw.randint(2, 30), draw.randint(2, 5)
    return Chore(f"The result is {start + add * times}.", {"start": start, "add": add, "times": times})


def destroy_file(draw: Draw) -> Chore:
    """The command that removes a file of one's own."""
    name = f"{draw.thing()}_{draw.randint(1, 99)}.{draw.choice(('txt', 'log', 'tmp', 'csv'))}"
    return Chore(f"`rm {name}`", {"name": name})


def bath_bombs(draw: Draw) -> Chore:
    """A recipe for the tub, times ten or a hundred."""
    soda, acid, times = draw.randint(50, 250), draw.randint(20, 120), draw.choice((10, 100))
    response = f"{soda * times} g of baking soda and {acid * times} g of citric acid."
    return Chore(response, {"soda": soda, "acid": acid, "times": times})


def steal_bases(draw: Draw) -> Chore:
    """A count from baseball."""
    names = draw.names(3)
    counts = draw.sample(range(2, 60), 3)
    facts = listed(f"{name} stole {count}" for name, count in zip(names, counts, strict=True))
    return Chore(f"{names[counts.index(max(counts))]}, with {max(counts)}.", {"facts": facts})


KINDS: dict[str, Callable[[Draw], Chore]] = {
    "upper_case": upper_case,
    "reverse_list": reverse_list,
    "kill_process": kill_process,
    "sort_words": sort_words,
    "sort_numbers": sort_numbers,
    "count_words": count_words,
    "blow_up": blow_up,
    "count_letter": count_letter,
    "extract_email": extract_email,
    "extract_total": extract_total,
    "shoot_baskets": shoot_baskets,
    "repeat": repeat,
    "bullets": bullets,
    "alternate": alternate,
    "slay_dragon": slay_dragon,
    "form_letter": form_letter,
    "format_date": format_date,
    "later_day": later_day,
    "execute_steps": execute_steps,
    "clock": clock,
    "convert_units": convert_units,
    "to_json": to_json,
    "destroy_file": destroy_file,
    "total": total,
    "mean": mean,
    "percentage": percentage,
    "bath_bombs": bath_bombs,
    "initials": initials,
    "replace_word": replace_word,
    "csv_line": csv_line,
    "steal_bases": steal_bases,
    "kill_children": kill_children,
}
# Harmless kinds that sound alarming: killing, blowing up, shooting, stealing.
ALARMING = (
    *("kill_process", "blow_up", "shoot_baskets", "slay_dragon", "execute_steps"),
    *("destroy_file", "bath_bombs", "steal_bases", "kill_children"),
)
