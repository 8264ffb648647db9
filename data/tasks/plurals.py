"""What is the plural of city?

Source: LemmInflect (MIT), which has its forms from the SPECIALIST lexicon of the NIH (free to use). Common nouns are
those that syllapy (MIT) lists.
"""

from educe.data.example import Example
from educe.data.grade import exact_match
from educe.data.hashing import shuffled
from educe.data.task import Task
from educe.data.tasks.letters import common_words, compounds, inflections

_MIN_LETTERS = 3
# Nouns that are rare, that are names, or that are no words for a classroom.
_NOT_ASKED = {
    "ass", "binary", "bind", "comes", "contemporary", "daily", "eddy", "fetish", "heavy", "impress", "jimmy", "lovely",
    "miss", "monthly", "necessary", "nobody", "orgy", "preliminary", "primary", "pussy", "quarterly", "sally",
    "secondary", "silly", "steady", "temporary", "via", "voluntary", "weekly", "why", "yes", "advisory", "disabled",
    "revolutionary", "documentary", "while", "once", "fix", "planning", "behind", "fourth", "martin", "analog",
}  # fmt: skip


def plurals() -> Task:
    """The plural of about 230 nouns, answered by generation: half of them take more than an -s.

    There are no options: wrong forms (citys) show what the question asks, so options alone would tell. Nouns that end
    in one another (man, fisherman) share a split.
    """
    return Task(
        name="plurals",
        version=1,
        kind="generation",
        load=lambda: {"all": _examples()},
        grade=exact_match,
        max_new_tokens=16,
    )


def _examples() -> list[Example]:
    common = common_words()
    others = {**inflections("verb"), **inflections("adj")}
    nouns = {
        noun: forms[0]
        for noun, forms in inflections("noun").items()
        if noun in common and forms[0].isalpha() and forms[0] != noun and len(noun) >= _MIN_LETTERS
    }
    changed = {noun: form for noun, form in nouns.items() if form != f"{noun}s" and noun not in _NOT_ASKED}
    plain = [noun for noun, form in nouns.items() if form == f"{noun}s" and noun not in (*others, *_NOT_ASKED)]
    asked = {**changed, **{noun: nouns[noun] for noun in shuffled(plain, key="plurals")[: len(changed)]}}
    family = compounds(asked)
    return [
        Example(
            id=noun,
            question=f'What is the plural of the noun "{noun}"?',
            answer=form,
            cluster=f"noun:{family[noun]}",
        )
        for noun, form in asked.items()
    ]
