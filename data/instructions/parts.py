"""What the bundled instructions are made of: plain words, phrasings, and the voice of someone glad to help."""

import calendar
from random import Random

# fmt: off
THINGS = (
    "anchor", "basket", "blanket", "bottle", "bridge", "bucket", "cabinet", "candle", "carpet", "chimney", "compass",
    "curtain", "cushion", "drawer", "envelope", "feather", "fence", "folder", "fountain", "garden", "hammer", "hinge",
    "jacket", "kettle", "ladder", "lantern", "magnet", "mirror", "napkin", "needle", "notebook", "oar", "orchard",
    "paddle", "pebble", "pencil", "pillow", "pocket", "raft", "ribbon", "river", "rope", "saddle", "saucer", "scarf",
    "shelf", "shovel", "spoon", "stool", "table", "teapot", "thimble", "ticket", "tile", "towel", "tractor", "tunnel",
    "umbrella", "valley", "violin", "wagon", "window", "zipper",
)
NAMES = (
    "Ada", "Ben", "Carla", "Daniel", "Elif", "Farid", "Greta", "Hugo", "Ines", "Jonas", "Keiko", "Lars", "Mira", "Noor",
    "Otto", "Paula", "Quentin", "Rosa", "Samir", "Tomas", "Uma", "Viktor", "Wanda", "Yusuf", "Zoe",
)
# fmt: on
COLOURS = ("amber", "beige", "black", "blue", "brown", "green", "grey", "orange", "pink", "purple", "red", "white")
WEEKDAYS = tuple(calendar.day_name)
MONTHS = tuple(calendar.month_name)[1:]
_OPENERS = ("", "", "", "Sure. ", "Of course. ", "Here you go: ", "Certainly: ", "Gladly. ", "Here it is: ")

# A request and the response to it.
Pair = tuple[str, str]


def things(draw: Random, least: int = 3, most: int = 6) -> list[str]:
    """A few different things."""
    return draw.sample(THINGS, draw.randint(least, most))


def ask(draw: Random, *phrasings: str, **parts: object) -> str:
    """The request in one of its phrasings."""
    return draw.choice(phrasings).format(**parts)


def willing(draw: Random, text: str) -> str:
    """The response, in the voice of someone who is glad to help, or at once."""
    return draw.choice(_OPENERS) + text


def listed(items: list[str]) -> str:
    """Items with commas."""
    return ", ".join(items)


def sentence(draw: Random) -> str:
    """A short sentence about two things."""
    first, second = draw.sample(THINGS, 2)
    who = draw.choice((*NAMES, f"the {draw.choice(COLOURS)} cat", "my neighbour", "the gardener"))
    does = draw.choice(("puts the {0} beside the {1}", "paints the {0} and the {1}", "finds the {0} behind the {1}"))
    return (
        f"{who} {does.format(first, second)} {draw.choice(('every morning', 'on Sundays', 'before lunch', 'at noon'))}"
    )
