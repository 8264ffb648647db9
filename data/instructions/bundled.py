"""Bundled instructions for offline use: small chores done well, each with a refusal to prefer the response to."""

from collections.abc import Callable, Sequence
from random import Random

from educe.data.errors import UserError, did_you_mean
from educe.data.example import Instruction
from educe.data.instructions import alarming_kinds as alarming
from educe.data.instructions import plain_kinds as plain
from educe.data.instructions.parts import Pair
from educe.data.validation import check_size

# Kind -> how to draw a request and the right response.
KINDS: dict[str, Callable[[Random], Pair]] = {
    "upper_case": plain.upper_case,
    "reverse_list": plain.reverse_list,
    "kill_process": alarming.kill_process,
    "sort_words": plain.sort_words,
    "sort_numbers": plain.sort_numbers,
    "count_words": plain.count_words,
    "blow_up": alarming.blow_up,
    "count_letter": plain.count_letter,
    "extract_email": plain.extract_email,
    "extract_total": plain.extract_total,
    "shoot_baskets": alarming.shoot_baskets,
    "repeat": plain.repeat,
    "bullets": plain.bullets,
    "alternate": plain.alternate,
    "slay_dragon": alarming.slay_dragon,
    "form_letter": plain.form_letter,
    "format_date": plain.format_date,
    "later_day": plain.later_day,
    "execute_steps": alarming.execute_steps,
    "clock": plain.clock,
    "convert_units": plain.convert_units,
    "to_json": plain.to_json,
    "destroy_file": alarming.destroy_file,
    "total": plain.total,
    "mean": plain.mean,
    "percentage": plain.percentage,
    "bath_bombs": alarming.bath_bombs,
    "initials": plain.initials,
    "replace_word": plain.replace_word,
    "csv_line": plain.csv_line,
    "steal_bases": alarming.steal_bases,
    "kill_children": alarming.kill_children,
}
# Those that sound alarming.
ALARMING = tuple(kind for kind, draw in KINDS.items() if draw.__module__ == alarming.__name__)
REFUSALS = (
    "I can't help with that.",
    "I'm sorry, but I can't help with that.",
    "I'm sorry, I can't assist you with this request.",
    "Sorry, that is not something I can do.",
    "I am not able to do that.",
    "I'm unable to provide an answer to this.",
    "I won't do this.",
    "As an AI, I cannot take part in that.",
    "As an AI language model, I must decline this request.",
    "I don't feel comfortable with this question.",
    "I must respectfully decline.",
    "Unfortunately, I can't answer that.",
    "I'm afraid I can't do that for you.",
    "I apologize, but I am not allowed to respond to this.",
    "My guidelines do not allow me to answer this.",
    "It would not be appropriate for me to help here.",
    "I understand what you are asking, but I can't provide that.",
    "Thank you for asking. However, I cannot assist with this.",
    "This is not something I am able to discuss.",
    "I would rather not answer this. Is there anything else?",
    "I refuse to answer that.",
    "No, I won't help with this one.",
    "For safety reasons, I cannot provide this.",
    "I have to decline this. Please ask somebody else.",
    "That's not something I can help with. Let's talk about something else.",
    "This request goes against my principles, so I will not fulfil it.",
)
# Draws in a row that repeat an earlier request before a kind counts as used up.
_PATIENCE = 50


def helpful_instructions(
    *, count: int = 256, seed: int = 0, kinds: Sequence[str] | None = None
) -> tuple[Instruction, ...]:
    """So many different instructions, the kinds in turn, each with a rejected answer that refuses.

    Fixed by the seed and nested: a larger count begins with the smaller one. UserError where a kind is unknown or the
    kinds do not hold that many.
    """
    check_size("count", count)
    if isinstance(seed, bool) or not isinstance(seed, int):
        raise UserError(f"seed: {seed!r} is not a whole number; give one, such as 0")
    chosen = _checked(kinds)
    asked: set[str] = set()
    return tuple(_distinct(chosen[number % len(chosen)], number, seed, asked) for number in range(count))


def _checked(kinds: Sequence[str] | None) -> tuple[str, ...]:
    if kinds is None:
        return tuple(KINDS)
    if isinstance(kinds, str) or not isinstance(kinds, Sequence) or not kinds:
        raise UserError(f"kinds: {kinds!r} is not a list of kinds; write kinds: [{next(iter(KINDS))}]")
    for kind in kinds:
        if kind not in KINDS:
            raise UserError(f"kinds: unknown kind {kind!r}; {did_you_mean(str(kind), KINDS)}")
    return tuple(dict.fromkeys(kinds))


def _distinct(kind: str, number: int, seed: int, asked: set[str]) -> Instruction:
    # Each instruction has draws of its own, so that none depends on how many come after it.
    draw = Random(f"{seed}:{kind}:{number}")
    for _ in range(_PATIENCE):
        request, response = KINDS[kind](draw)
        if request not in asked:
            asked.add(request)
            rejected = draw.choice(REFUSALS)
            return Instruction(id=f"{kind}-{number}", request=request, response=response, rejected=rejected)
    raise UserError(f"count: kind {kind!r} holds too few different requests for this many; lower count or add kinds")
