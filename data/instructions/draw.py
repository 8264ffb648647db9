"""What a bundled instruction is drawn from: words, wordings of the request, and openings of the response."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from random import Random
from typing import Any

# `{}` is the response itself. A third of the responses come without an opening.
OPENINGS = (
    *("{}", "{}", "{}", "Sure. {}", "Of course. {}", "Here you go: {}"),
    *("Certainly: {}", "Gladly. {}", "Here it is: {}"),
)


@dataclass(frozen=True)
class Chore:
    """The right response, and the parts that fill the wording of the request.

    The response is put into one of the `openings`, drawn at random. Without any it stands alone.
    """

    response: str
    parts: Mapping[str, object]
    openings: tuple[str, ...] = OPENINGS


@cache
def texts() -> Mapping[str, Any]:
    """The content of bundled.toml: lists of words, and wordings of requests by kind."""
    return tomllib.loads(files(__package__).joinpath("bundled.toml").read_text("utf-8"))


class Draw(Random):
    """Random draws of numbers and of words."""

    def colour(self) -> str:
        return self.choice(texts()["colours"])

    def colours(self, count: int) -> list[str]:
        return self.sample(texts()["colours"], count)

    def name(self) -> str:
        return self.choice(texts()["names"])

    def names(self, count: int) -> list[str]:
        return self.sample(texts()["names"], count)

    def thing(self) -> str:
        return self.choice(texts()["things"])

    def things(self, count: int) -> list[str]:
        return self.sample(texts()["things"], count)

    def few_things(self) -> list[str]:
        return self.things(self.randint(3, 6))

    def sentence(self) -> str:
        first, second = self.things(2)
        who = self.choice((*texts()["names"], f"the {self.colour()} cat", "my neighbour", "the gardener"))
        does = self.choice(
            ("puts the {0} beside the {1}", "paints the {0} and the {1}", "finds the {0} behind the {1}")
        )
        when = self.choice(("every morning", "on Sundays", "before lunch", "at noon"))
        return f"{who} {does.format(first, second)} {when}"


def listed(items: Any) -> str:
    """Items with commas."""
    return ", ".join(map(str, items))
