"""Bundled instructions for offline use: small chores done well, each with a refusal to prefer the response to."""

from collections.abc import Sequence

from educe.data.errors import UserError, did_you_mean
from educe.data.example import Instruction
from educe.data.instructions.draw import Draw, texts
from educe.data.instructions.kinds import KINDS
from educe.data.validation import check_size

# A kind is used up when so many draws in a row repeat an earlier request.
MAX_REPEATS = 50


def helpful_instructions(
    *, count: int = 256, seed: int = 0, kinds: Sequence[str] | None = None
) -> tuple[Instruction, ...]:
    """`count` different instructions, the kinds in turn, each with a rejected answer that refuses.

    Fixed by the seed and nested: a larger count begins with the smaller one. UserError where a kind is unknown or the
    kinds do not hold that many.
    """
    check_size("count", count)
    if isinstance(seed, bool) or not isinstance(seed, int):
        raise UserError(f"seed: {seed!r} is not a whole number; give one, such as 0")
    kinds = list(KINDS) if kinds is None else _checked(kinds)
    seen: set[str] = set()
    return tuple(_unseen(kinds[number % len(kinds)], number, seed, seen) for number in range(count))


def _checked(kinds: Sequence[str]) -> list[str]:
    if isinstance(kinds, str) or not isinstance(kinds, Sequence) or not kinds:
        raise UserError(f"kinds: {kinds!r} is not a list of kinds; write kinds: [{next(iter(KINDS))}]")
    for kind in kinds:
        if kind not in KINDS:
            raise UserError(f"kinds: unknown kind {kind!r}; {did_you_mean(str(kind), KINDS)}")
    return list(dict.fromkeys(kinds))


def _unseen(kind: str, number: int, seed: int, seen: set[str]) -> Instruction:
    # Each instruction has draws of its own, so that none depends on how many come after it.
    draw = Draw(f"{seed}:{kind}:{number}")
    for _ in range(MAX_REPEATS):
        chore = KINDS[kind](draw)
        request = draw.choice(texts()["requests"][kind]).format(**chore.parts)
        opening = draw.choice(chore.openings) if chore.openings else "{}"
        if request not in seen:
            seen.add(request)
            response = opening.replace("{}", chore.response)
            rejected = draw.choice(texts()["refusals"])
            return Instruction(id=f"{kind}-{number}", request=request, response=response, rejected=rejected)
    raise UserError(f"count: kind {kind!r} holds too few different requests for this many; lower count or add kinds")
