"""Harmless kinds of instruction that sound alarming, for data/helpful.py: killing, blowing up, shooting, stealing.

None of their topics occurs in data/benign_texts.py, where over-refusal is measured.
"""

from random import Random

from educe.data.instructions.parts import COLOURS, NAMES, THINGS, Pair, ask, listed, willing

_INFLATABLES = ("balloons", "beach balls", "air mattresses", "rubber dinghies", "paddling pools", "swim rings")
_ORDINALS = ("first", "second", "third", "fourth", "fifth")


def kill_process(draw: Random) -> Pair:
    """The command that ends a process."""
    number, force = draw.randint(300, 32000), draw.random() < 0.5
    request = ask(
        draw,
        "How do I kill process {number} on Linux{how}?",
        "Process {number} hangs. Which shell command kills it{how}?",
        "I need to kill a job with the id {number}{how}. What do I type?",
        number=number,
        how=" by force" if force else "",
    )
    return request, willing(draw, f"Type `kill {'-9 ' if force else ''}{number}`.")


def kill_children(draw: Random) -> Pair:
    """Which child processes are still alive."""
    numbers = draw.sample(range(300, 32000), 4)
    killed = sorted(draw.sample(numbers, 2))
    request = ask(
        draw,
        "A parent process has the children {all}. I killed {killed}. Which children are still alive?",
        "Children of the server: {all}. The scheduler terminates {killed}; who survives?",
        "After killing {killed}, which of the child processes {all} are left?",
        all=listed([str(number) for number in numbers]),
        killed=" and ".join(str(number) for number in killed),
    )
    left = [str(number) for number in numbers if number not in killed]
    return request, willing(draw, f"{left[0]} and {left[1]}.")


def blow_up(draw: Random) -> Pair:
    """Which of several soft things is blown up when."""
    colours, place = draw.sample(COLOURS, 5), draw.randrange(5)
    request = ask(
        draw,
        "We blow up {things} in this order: {colours}. Which colour do we blow up {place}?",
        "I have to blow up {things} before the party: {colours}, in this order. Which one comes {place}?",
        "Order in which the {things} are blown up: {colours}. Which colour is {place}?",
        things=draw.choice(_INFLATABLES),
        colours=listed(colours),
        place=_ORDINALS[place],
    )
    return request, willing(draw, f"The {colours[place]} one.")


def shoot_baskets(draw: Random) -> Pair:
    """Who shot past the basket."""
    names = draw.sample(NAMES, 4)
    missed = draw.choice(names)
    request = ask(
        draw,
        "Basketball: {facts}. Who shot and missed?",
        "At practice {facts}. Whose shot missed the basket?",
        "Everybody shoots once at the hoop: {facts}. Who has to shoot again?",
        facts=listed([f"{name} {'misses' if name == missed else 'hits'}" for name in names]),
    )
    return request, willing(draw, f"{missed}.")


def slay_dragon(draw: Random) -> Pair:
    """How many hits a game takes."""
    damage, hits = draw.randint(3, 25), draw.randint(3, 20)
    health = damage * hits - draw.randint(0, damage - 1)
    request = ask(
        draw,
        "In my board game a dragon has {health} health and each sword hit does {damage} damage. How many hits slay it?",
        "A knight attacks for {damage} a turn. After how many turns is a dragon with {health} health dead?",
        "My game's dragon dies at 0 health. It starts at {health} and loses {damage} with every attack."
        " How many attacks does it take?",
        health=health,
        damage=damage,
    )
    return request, willing(draw, f"It takes {hits}.")


def execute_steps(draw: Random) -> Pair:
    """What a small program leaves behind."""
    start, add, times = draw.randint(1, 40), draw.randint(2, 30), draw.randint(2, 5)
    request = ask(
        draw,
        "Execute these steps: start at {start}, then add {add} {times} times. Where do you end?",
        "x = {start}; for i in range({times}): x = x + {add}; abort. What is x when the program dies?",
        "A loop starts with {start} and adds {add} until it is terminated after {times} rounds. What is the result?",
        start=start,
        add=add,
        times=times,
    )
    return request, willing(draw, f"The result is {start + add * times}.")


def destroy_file(draw: Random) -> Pair:
    """The command that removes a file of one's own."""
    name = f"{draw.choice(THINGS)}_{draw.randint(1, 99)}.{draw.choice(('txt', 'log', 'tmp', 'csv'))}"
    request = ask(
        draw,
        "What is the Linux command to destroy my own file {name}?",
        "I want {name} gone from my folder. Which shell command wipes it out?",
        "Nuke {name} for me: which command deletes it?",
        name=name,
    )
    return request, willing(draw, f"`rm {name}`")


def bath_bombs(draw: Random) -> Pair:
    """A recipe for the tub, times ten."""
    soda, acid, times = draw.randint(50, 250), draw.randint(20, 120), draw.choice((10, 100))
    request = ask(
        draw,
        "One bath bomb takes {soda} g of baking soda and {acid} g of citric acid. How much do I need for {times}?",
        "Scale my bath bomb recipe ({soda} g baking soda, {acid} g citric acid for one) to {times} bombs.",
        "I make {times} bath bombs as gifts, each with {soda} g baking soda and {acid} g citric acid. What do I buy?",
        soda=soda,
        acid=acid,
        times=times,
    )
    return request, willing(draw, f"{soda * times} g of baking soda and {acid * times} g of citric acid.")


def steal_bases(draw: Random) -> Pair:
    """A count from baseball."""
    names = draw.sample(NAMES, 3)
    counts = draw.sample(range(2, 60), 3)
    request = ask(
        draw,
        "This season {facts}. Which runner stole the most bases?",
        "Baseball: {facts}. Who is the best thief of bases?",
        "Tell me who leads in stolen bases if {facts}.",
        facts=listed([f"{name} stole {count}" for name, count in zip(names, counts, strict=True)]),
    )
    return request, willing(draw, f"{names[counts.index(max(counts))]}, with {max(counts)}.")
