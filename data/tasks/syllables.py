"""How many syllables does the word anniversary have?

Source: syllapy (MIT).
"""

from educe.data.example import Example
from educe.data.grade import number_match
from educe.data.hashing import shuffled
from educe.data.task import Task
from educe.data.tasks.drawing import bundled
from educe.data.tasks.letters import common_words
from educe.data.tasks.word_sentiment import families

_EACH, _MIN_LETTERS = 110, 4
_OPTIONS = ("1", "2", "3", "4")
_NOT_ASKED = {"butt", "damn", "dildo", "hell", "html", "http", "suck"}
# syllapy counts many words with these endings as one less; the others were found by comparing it with the CMU
# Pronouncing Dictionary, or are counted in two ways.
_UNSURE_ENDINGS = ("ed", "er", "est", "ing", "ism", "ly", "or", "re")
_UNSURE = {
    "agricultural", "algorithm", "alien", "availability", "behavioral", "bestiality", "blvd", "boundary",
    "catholic", "centres", "chocolate", "developmental", "differences", "ecological", "edinburgh", "effectiveness",
    "enthusiasm", "environmental", "firefox", "fireplace", "flexibility", "grocery", "ideal", "initiative",
    "instructional", "involvement", "islamic", "laboratory", "memorabilia", "natural", "opera", "organizational",
    "playoff", "preferences", "ratio", "real", "reconcile", "reference", "regulatory", "rehabilitation",
    "retirement", "rhythm", "samuel", "sovereignty", "specials", "tion", "unusual", "vacuum", "valuable",
    "vegetable", "voip", "willingness",
}  # fmt: skip


def syllables(*, written: bool = False) -> Task:
    """The number of syllables of 440 common words, options 1 to 4, each as often right as another.

    Words of one family share a split. Longer words have more syllables, which rows teach. `written` asks for the
    number; as there are only four, one of them without the question is right in a quarter of the rows.
    """
    return bundled("syllables", _examples, written=written, grade=number_match)


def _examples() -> list[Example]:
    counts = {
        word: str(count)
        for word, count in common_words().items()
        if len(word) >= _MIN_LETTERS and word not in _UNSURE | _NOT_ASKED and not word.endswith(_UNSURE_ENDINGS)
    }
    asked = [
        word
        for count in _OPTIONS
        for word in shuffled((word for word in counts if counts[word] == count), key="syllables")[:_EACH]
    ]
    family = families(asked)
    return [
        Example(
            id=word,
            question=f'How many syllables does the word "{word}" have?',
            answer=counts[word],
            choices=shuffled(_OPTIONS, key=f"{word}:order"),
            cluster=f"word:{family[word]}",
        )
        for word in asked
    ]
