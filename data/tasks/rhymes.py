"""Which word rhymes with rough?

Source: rhymes.txt, one sound a line, written for this suite.
"""

from importlib.resources import files

from educe.data.example import Example
from educe.data.task import Task
from educe.data.tasks.drawing import Fact, bundled, near_choices


def rhymes() -> Task:
    """A rhyme for each of about 370 words, four options that end in like letters.

    Words of one sound share a split, and each word is the answer once. Small models are near chance.
    """
    return bundled("rhymes", _examples)


def families() -> list[list[str]]:
    """Words that rhyme with each other, in British and American English alike."""
    return [line.split() for line in files(__package__).joinpath("rhymes.txt").read_text("utf-8").splitlines()]


def _examples() -> list[Example]:
    facts = [
        Fact(
            id=f"{asked}-{answer}",
            question=f'Which word rhymes with "{asked}"?',
            answer=answer,
            cluster=f"sound:{words[0]}",
        )
        for words in families()
        for asked, answer in zip(words, [*words[1:], words[0]], strict=True)
    ]
    return near_choices(sorted(facts, key=lambda fact: fact.answer[::-1]), num_choices=4, width=30)
