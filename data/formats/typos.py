"""Typing mistakes, fixed by hash: two neighbouring letters change places inside some longer words."""

import re

from educe.data.hashing import fraction

_LONGER = re.compile(r"[^\W\d_]{4,}")


def with_typos(text: str, *, share: float, key: str) -> str:
    """Swap two letters inside about this share of the words of four letters or more; `key` and place decide which.

    The first and the last letter stay. A larger share includes the typos of a smaller one.
    """
    if share <= 0:
        return text

    def slip(found: re.Match[str]) -> str:
        word, at = found.group(), found.start()
        if fraction(f"typo {key} {at}") >= share:
            return word
        places = [place for place in range(1, len(word) - 2) if word[place] != word[place + 1]]
        if not places:
            return word
        place = places[int(fraction(f"where {key} {at}") * len(places))]
        return word[:place] + word[place + 1] + word[place] + word[place + 2 :]

    return _LONGER.sub(slip, text)
