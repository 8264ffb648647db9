"""What is the past tense of sing?

Source: LemmInflect (MIT), which has its forms from the SPECIALIST lexicon of the NIH (free to use). Common verbs are
those that syllapy (MIT) lists.
"""

from collections.abc import Mapping

from educe.data.example import Example
from educe.data.hashing import shuffled
from educe.data.task import Task
from educe.data.tasks.drawing import Fact, bundled, near_choices, with_choices
from educe.data.tasks.letters import common_words, compounds, inflections

_REGULAR = 150
# No common verbs, or verbs whose other past tense is as common.
_NOT_ASKED = {
    "inter", "lay", "login", "lounge", "pan", "peter", "questionnaire", "template", "third", "tin", "weave", "wet",
}  # fmt: skip
_PARTNERS = 8


def past_tense(*, written: bool = False) -> Task:
    """The past tense of about 220 verbs and the past participle of those that have another one, four options.

    Every option is a form of some verb: singed would be wrong whatever is asked, and rows would teach that. Where the
    past tense and the participle differ, the options are both forms of two verbs. The one spelled most like the verb is
    right for three in four. Verbs that end in one another (stand, understand) share a split. `written` asks for the
    form.
    """
    return bundled("past_tense", _examples, written=written)


def verb_forms() -> dict[str, tuple[str, str]]:
    """Past tense and past participle of the common verbs that have one spelling of each and no form like the verb."""
    common = common_words()
    forms = {}
    for verb, (past, participle, *_) in inflections("verb").items():
        pair = (past, participle or past)
        plain = all(form.isalpha() and form != verb for form in pair)
        if verb in common and verb not in _NOT_ASKED and plain:
            forms[verb] = pair
    return forms


def _examples() -> list[Example]:
    forms = verb_forms()
    irregular = [verb for verb in forms if not forms[verb][0].endswith("ed")]
    nouns = {**inflections("noun"), **inflections("adj")}
    regular = [verb for verb in forms if forms[verb][0].endswith("ed") and verb not in nouns]
    chosen = {verb: forms[verb] for verb in [*irregular, *shuffled(regular, key="past_tense")[:_REGULAR]]}
    family = compounds(chosen)
    alike = [
        _fact(verb, "past tense", past, family)
        for verb, (past, participle) in sorted(chosen.items(), key=lambda each: each[1])
        if past == participle
    ]
    return near_choices(alike, num_choices=4, width=10) + _of_two_verbs(chosen, family)


def _of_two_verbs(forms: Mapping[str, tuple[str, str]], family: Mapping[str, str]) -> list[Example]:
    """Both questions about each verb with two forms; the wrong options are the other form and both of another verb."""
    verbs = [verb for verb, (past, participle) in forms.items() if past != participle]
    # Both forms of a verb are one option here: what is drawn is the verb that lends its forms.
    lenders = near_choices(
        sorted((_fact(verb, "past tense", verb, family) for verb in verbs), key=lambda fact: forms[fact.answer]),
        num_choices=2,
        width=_PARTNERS,
    )
    found = []
    for row in lenders:
        verb, other = row.answer, next(choice for choice in row.choices if choice != row.answer)
        for form, answer in zip(("past tense", "past participle"), forms[verb], strict=True):
            others = [each for each in (*forms[verb], *forms[other]) if each != answer]
            found.append(with_choices(_fact(verb, form, answer, family), others))
    return found


def _fact(verb: str, form: str, answer: str, family: Mapping[str, str]) -> Fact:
    return Fact(
        id=f"{verb}-{form.rpartition(' ')[2]}",
        question=f'What is the {form} of the verb "{verb}"?',
        answer=answer,
        cluster=f"verb:{family[verb]}",
    )
