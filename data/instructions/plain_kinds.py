"""Plain kinds of instruction for data/helpful.py: each draws a request and the right response to it.

Every response is computed from what was drawn. Nothing here is a question of a bundled task: no sum, difference or
product of two numbers, nothing about what a word feels like, no places.
"""

import json
from random import Random

from educe.data.instructions.parts import (
    COLOURS,
    MONTHS,
    NAMES,
    THINGS,
    WEEKDAYS,
    Pair,
    ask,
    listed,
    sentence,
    things,
    willing,
)


def upper_case(draw: Random) -> Pair:
    """A sentence in upper-case letters."""
    text = sentence(draw)
    request = ask(
        draw,
        "Write this in upper case: {text}",
        "Please turn the following into block letters: {text}",
        'Can you put "{text}" in upper-case letters?',
        "Upper case, please.\n{text}",
        text=text,
    )
    return request, willing(draw, text.upper())


def reverse_list(draw: Random) -> Pair:
    """A list, last item first."""
    items = things(draw)
    request = ask(
        draw,
        "Reverse this list: {items}",
        "Give me these in the opposite order: {items}",
        "List the following from last to first: {items}",
        "Here is a list: {items}. What is it backwards, item by item?",
        items=listed(items),
    )
    return request, willing(draw, listed(items[::-1]))


def sort_words(draw: Random) -> Pair:
    """Words in the order of the alphabet."""
    items = things(draw)
    request = ask(
        draw,
        "Sort these words alphabetically: {items}",
        "Put the following in the order of the alphabet: {items}",
        "Alphabetise this list for me: {items}",
        "In which order would a dictionary have these? {items}",
        items=listed(items),
    )
    return request, willing(draw, listed(sorted(items)))


def sort_numbers(draw: Random) -> Pair:
    """Numbers in order, up or down."""
    numbers = draw.sample(range(1, 500), draw.randint(4, 7))
    up = draw.random() < 0.5
    request = ask(
        draw,
        "Sort these numbers from {order}: {numbers}",
        "Please order {numbers} from {order}.",
        "Arrange the following from {order}: {numbers}",
        numbers=listed([str(number) for number in numbers]),
        order="smallest to largest" if up else "largest to smallest",
    )
    return request, willing(draw, listed([str(number) for number in sorted(numbers, reverse=not up)]))


def count_words(draw: Random) -> Pair:
    """How many words a sentence has."""
    text = sentence(draw)
    request = ask(
        draw,
        "How many words are in this sentence? {text}.",
        "Count the words: {text}.",
        'Please tell me the number of words in "{text}".',
        text=text,
    )
    number = len(text.split())
    return request, draw.choice(("There are {} words.", "It has {} words.", "I count {} words.")).format(number)


def count_letter(draw: Random) -> Pair:
    """How often a letter stands in a few words."""
    text = " ".join(things(draw, 2, 4))
    letter = draw.choice(sorted(set(text) - {" "}))
    request = ask(
        draw,
        'How often does the letter {letter} occur in "{text}"?',
        "Count the letter {letter} in: {text}",
        'Look at "{text}". How many times do you see the letter {letter}?',
        letter=letter,
        text=text,
    )
    number = text.count(letter)
    return request, f"The letter {letter} occurs {number} time{'' if number == 1 else 's'}."


def extract_email(draw: Random) -> Pair:
    """The address in a note."""
    name, place = draw.choice(NAMES), draw.choice(THINGS)
    address = f"{name.lower()}{draw.randint(1, 99)}@{place}.example"
    note = f"{name} moved the meeting to {draw.choice(WEEKDAYS)}; write to {address} if the {place} does not arrive."
    request = ask(
        draw,
        "Which e-mail address is in this note? {note}",
        "Extract the e-mail address: {note}",
        "{note}\n\nWhat address should I write to?",
        note=note,
    )
    return request, willing(draw, address)


def extract_total(draw: Random) -> Pair:
    """A price in a receipt."""
    items = things(draw, 3, 4)
    prices = {item: f"{draw.randint(1, 60)}.{draw.randint(0, 99):02}" for item in items}
    wanted = draw.choice(items)
    request = ask(
        draw,
        "What does the {wanted} cost according to this receipt?\n{receipt}",
        "Receipt:\n{receipt}\n\nRead me the price of the {wanted}.",
        "Find the price of the {wanted} below.\n{receipt}",
        wanted=wanted,
        receipt="\n".join(f"{item} {price}" for item, price in prices.items()),
    )
    return request, f"The {wanted} costs {prices[wanted]}."


def repeat(draw: Random) -> Pair:
    """A thing said several times."""
    text, times = f"{draw.choice(COLOURS)} {draw.choice(THINGS)}", draw.randint(2, 6)
    request = ask(
        draw,
        'Repeat "{text}" {times} times.',
        "Write {text} {times} times, with commas between.",
        'Say "{text}" {times} times in a row, please.',
        text=text,
        times=times,
    )
    return request, willing(draw, listed([text] * times))


def bullets(draw: Random) -> Pair:
    """A sentence of items as a list."""
    items = things(draw)
    text = f"{', '.join(items[:-1])} and {items[-1]}"
    request = ask(
        draw,
        "Rewrite this as a list with one item a line: {text}",
        "Make bullet points of the following: {text}",
        "We still need {text}. Turn that into a bulleted shopping list.",
        text=text,
    )
    return request, "\n".join(f"- {item}" for item in items)


def alternate(draw: Random) -> Pair:
    """Two lists, taking turns."""
    size = draw.randint(2, 4)
    first, second = draw.sample(THINGS, size), draw.sample(COLOURS, size)
    request = ask(
        draw,
        "Merge these two lists, alternating between them: {first} / {second}",
        "Take items in turn from A ({first}) and B ({second}), beginning with A.",
        "Interleave the lists. First: {first}. Second: {second}.",
        first=listed(first),
        second=listed(second),
    )
    return request, willing(draw, listed([item for pair in zip(first, second, strict=True) for item in pair]))


def form_letter(draw: Random) -> Pair:
    """A short note with its blanks filled."""
    to, sender = draw.sample(NAMES, 2)
    thing, day = draw.choice(THINGS), draw.choice(WEEKDAYS)
    request = ask(
        draw,
        "Fill in the form: Dear [to], the [thing] is ready on [day]. Yours, [sender]. {facts}",
        "Complete this note. {facts}\nDear [to], the [thing] is ready on [day]. Yours, [sender].",
        "{facts} Please put these into: Dear [to], the [thing] is ready on [day]. Yours, [sender].",
        facts=f"(to: {to}; thing: {thing}; day: {day}; sender: {sender})",
    )
    return request, f"Dear {to}, the {thing} is ready on {day}. Yours, {sender}."


def format_date(draw: Random) -> Pair:
    """A date written in numbers."""
    year, month, day = draw.randint(1950, 2049), draw.randint(1, 12), draw.randint(1, 28)
    request = ask(
        draw,
        "Write {date} as YYYY-MM-DD.",
        "What is {date} in ISO format?",
        "Please format this date as year-month-day in digits: {date}",
        date=f"{day} {MONTHS[month - 1]} {year}",
    )
    return request, willing(draw, f"{year}-{month:02}-{day:02}")


def later_day(draw: Random) -> Pair:
    """The weekday some days on."""
    start, days = draw.randrange(7), draw.randint(2, 20)
    request = ask(
        draw,
        "Today is {day}. Which weekday is it in {days} days?",
        "What day of the week comes {days} days after a {day}?",
        "Counting {days} days on from {day}, where do I end up?",
        day=WEEKDAYS[start],
        days=days,
    )
    return request, willing(draw, f"It is a {WEEKDAYS[(start + days) % 7]}.")


def clock(draw: Random) -> Pair:
    """A time of the afternoon on a 24-hour clock."""
    hour, minute = draw.randint(1, 11), draw.randint(0, 59)
    request = ask(
        draw,
        "Write {time} on a 24-hour clock.",
        "What is {time} in 24-hour notation?",
        "Our timetable has no a.m. and p.m. How does it show {time}?",
        time=f"{hour}:{minute:02} p.m.",
    )
    return request, willing(draw, f"{hour + 12}:{minute:02}")


# Unit, its smaller unit, how many of those it holds.
UNITS = (
    ("metres", "centimetres", 100),
    ("kilometres", "metres", 1000),
    ("kilograms", "grams", 1000),
    ("litres", "millilitres", 1000),
    ("centimetres", "millimetres", 10),
    ("tonnes", "kilograms", 1000),
)


def convert_units(draw: Random) -> Pair:
    """A quantity in a smaller unit."""
    unit, smaller, holds = draw.choice(UNITS)
    amount = draw.randint(2, 400)
    request = ask(
        draw,
        "Convert {amount} {unit} to {smaller}.",
        "How many {smaller} are {amount} {unit}?",
        "I need {amount} {unit} expressed in {smaller}.",
        amount=amount,
        unit=unit,
        smaller=smaller,
    )
    return request, willing(draw, f"{amount} {unit} are {amount * holds} {smaller}.")


def to_json(draw: Random) -> Pair:
    """Fields as JSON."""
    fields = {"name": draw.choice(NAMES), "item": draw.choice(THINGS), "count": draw.randint(1, 99)}
    request = ask(
        draw,
        "Make a JSON object of these fields: {facts}",
        "Write as JSON: {facts}",
        "Our program reads JSON. Give it this: {facts}",
        facts="; ".join(f"{key} {value}" for key, value in fields.items()),
    )
    return request, json.dumps(fields)


def total(draw: Random) -> Pair:
    """A sum of several numbers."""
    numbers = [draw.randint(10, 199) for _ in range(draw.randint(3, 5))]
    request = ask(
        draw,
        "Add up {numbers}.",
        "What do {numbers} make altogether?",
        "My till shows these amounts: {numbers}. What is the total?",
        numbers=listed([str(number) for number in numbers]),
    )
    return request, willing(draw, f"The total is {sum(numbers)}.")


def mean(draw: Random) -> Pair:
    """An average that comes out even."""
    middle, spread = draw.randint(20, 90), draw.randint(1, 9)
    numbers = [middle - spread, middle, middle + spread, middle + 2 * spread, middle - 2 * spread]
    draw.shuffle(numbers)
    request = ask(
        draw,
        "What is the average of {numbers}?",
        "Give me the mean of these measurements: {numbers}",
        "On five days I walked {numbers} minutes. How long was that on average?",
        numbers=listed([str(number) for number in numbers]),
    )
    return request, willing(draw, f"The average is {middle}.")


def percentage(draw: Random) -> Pair:
    """A share of a round number."""
    share, whole = draw.randrange(5, 100, 5), 100 * draw.randint(2, 90)
    request = ask(
        draw,
        "What is {share}% of {whole}?",
        "A fund of {whole} pays out {share} percent. How much is that?",
        "Work out {share} percent of {whole} for me.",
        share=share,
        whole=whole,
    )
    return request, willing(draw, f"{share}% of {whole} is {share * whole // 100}.")


def initials(draw: Random) -> Pair:
    """The first letters of names."""
    names = draw.sample(NAMES, draw.randint(3, 6))
    request = ask(
        draw,
        "Give me the first letters of these names: {names}",
        "Make an acronym from: {names}",
        "What do the initials of {names} spell, in this order?",
        names=listed(names),
    )
    return request, willing(draw, "".join(name[0] for name in names))


def replace_word(draw: Random) -> Pair:
    """A sentence with one thing for another."""
    old, new, other = draw.sample(THINGS, 3)
    text = f"{draw.choice(NAMES)} carried the {old} to the {other} and left the {old} there."
    request = ask(
        draw,
        'Replace every "{old}" with "{new}": {text}',
        "Rewrite this with the {new} in place of the {old}: {text}",
        "{text}\nIt was the {new}, not the {old}. Please correct the sentence.",
        old=old,
        new=new,
        text=text,
    )
    return request, text.replace(old, new)


def csv_line(draw: Random) -> Pair:
    """Facts as a table in CSV."""
    rows = [(name, str(draw.randint(1, 99))) for name in draw.sample(NAMES, 3)]
    request = ask(
        draw,
        "Write this as CSV with a header name,points: {facts}",
        "Turn these results into CSV (columns name and points): {facts}",
        "Columns: name, points. Format: CSV. Data: {facts}",
        facts="; ".join(f"{name} has {points} points" for name, points in rows),
    )
    return request, "\n".join(["name,points", *(",".join(row) for row in rows)])
