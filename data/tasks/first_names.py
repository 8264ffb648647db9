"""Is Dorothy a name for women or for men? First names of the United States.

Source: the lists of Faker's provider for English (MIT), from the census and social security lists of the United States.
"""

from faker.providers.person.en_US import Provider

from educe.data.example import Example
from educe.data.hashing import shuffled
from educe.data.task import Task
from educe.data.tasks.drawing import bundled

_EACH = 250
# Names that begin with the same letters are one family: Christina, Christine, Christopher.
_FAMILY_LETTERS = 4
_OPTIONS = ("woman", "man")


def first_names() -> Task:
    """The 250 most frequent names of women and of men, two options. Names in both lists are left out.

    Names that begin with the same four letters share a split. Endings (-a) tell a part, and rows teach them.
    """
    return bundled("first_names", _examples)


def _examples() -> list[Example]:
    women, men = Provider.first_names_female, Provider.first_names_male
    chosen = [(name, answer) for names, others, answer in ((women, men, "woman"), (men, women, "man"))
              for name in _frequent({name: rate for name, rate in names.items() if name not in others})]  # fmt: skip
    return [
        Example(
            id=name,
            question=f'Is "{name}" the first name of a woman or of a man?',
            answer=answer,
            choices=shuffled(_OPTIONS, key=f"{name}:order"),
            cluster=f"name:{name[:_FAMILY_LETTERS].casefold()}",
        )
        for name, answer in chosen
    ]


def _frequent(rates: dict[str, float]) -> list[str]:
    return sorted(rates, key=lambda name: (-rates[name], name))[:_EACH]
