"""Which language is the word keskiviikko from?

Source: names of days and months in Unicode CLDR (Unicode licence), through babel (BSD-3-Clause).
"""

from collections import defaultdict

from babel import Locale

from educe.data.example import Example
from educe.data.hashing import shuffled
from educe.data.task import Task
from educe.data.tasks.drawing import Fact, balanced_choices, bundled
from educe.data.tasks.letters import bare

# Languages of one group are options for each other.
_GROUPS = {
    "germanic": ("af", "da", "de", "is", "lb", "nl", "sv", "fo", "fy"),
    "romance": ("ca", "es", "fr", "gl", "it", "pt", "ro", "oc"),
    "slavic": ("bs", "cs", "hr", "pl", "sk", "sl", "hsb", "lt", "lv"),
    "celtic": ("br", "cy", "ga", "gd", "eu", "mt", "sq"),
    "others": ("et", "fi", "hu", "tr", "az", "uz", "sw", "so", "id", "zu", "xh", "eo"),
}
_MAX_ITEMS = 450
_MIN_LETTERS = 4


def word_language() -> Task:
    """The language of up to 450 names of days and months, four options of its group.

    Words that two of the languages share, accents aside, are left out. The words of a language share endings (-kuu,
    -dag), which are in train as well: this is a form that rows teach.
    """
    return bundled("word_language", _examples)


def _examples() -> list[Example]:
    languages: dict[str, set[str]] = defaultdict(set)
    for code in (code for codes in _GROUPS.values() for code in codes):
        for word in _words(code):
            languages[bare(word)].add(code)
    facts = [
        Fact(
            id=f"{code}-{word}",
            question=f'Which language is the word "{word}" from?',
            answer=str(Locale(code).english_name),
            group=group,
        )
        for group, codes in _GROUPS.items()
        for code in codes
        for word in sorted({word.casefold() for word in _words(code)})
        if languages[bare(word)] == {code} and len(word) >= _MIN_LETTERS
    ]
    kept = set(shuffled((fact.id for fact in facts), key="word_language")[:_MAX_ITEMS])
    return balanced_choices([fact for fact in facts if fact.id in kept], num_choices=4)


def _words(code: str) -> list[str]:
    locale = Locale(code)
    names = [*locale.months["stand-alone"]["wide"].values(), *locale.days["stand-alone"]["wide"].values()]
    return [str(name) for name in names if str(name).isalpha()]
