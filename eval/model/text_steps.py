"""What a tokenizer's text steps can make of one character: a bound that is read from its settings, before they run.

And whether they leave anything of a text.
"""

import base64
import math
from collections.abc import Mapping
from typing import Any

from educe.data.errors import UserError, one_line
from educe.data.untrusted import parse_json

# Unicode's longest expansion has 18 characters and bytes as characters take 4: no known tokenizer needs over 100.
MAX_GROWTH = 1000
# Texts that every tokenizer can read.
_TEXTS = ("The capital of France is Paris.", "a")
FIX = "give the tokenizer that belongs to these weights"

_UNICODE = 18  # NFKC of U+FDFA
_GROWTH = {
    "NFC": _UNICODE,
    "NFD": _UNICODE,
    "NFKC": _UNICODE,
    "NFKD": _UNICODE,
    "Nmt": 1,
    "BertNormalizer": 3,  # spaces around a Chinese character
    "Lowercase": 3,
    "ByteLevel": 4,
}


def check_growth(tokenizer: Any, *, name: str) -> None:
    """UserError where the tokenizer's normalizer or decoder could make over MAX_GROWTH characters of one.

    A chain of forty steps that double a letter is a file of three kilobytes and a text of a terabyte.
    """
    fast = getattr(tokenizer, "backend_tokenizer", None)
    for step in ("normalizer", "decoder"):
        part = getattr(fast, step, None)
        if part is not None and _growth(parse_json(part.__getstate__().decode(), source=step)) > MAX_GROWTH:
            raise UserError(
                f"model {name!r} has a tokenizer whose {step} makes over {MAX_GROWTH:,} characters of one; " + FIX
            )


def check_reads(tokenizer: Any, *, name: str) -> None:
    """UserError where the tokenizer fails on a plain text, or makes no tokens of it."""
    for text in _TEXTS:
        with one_line(f"the tokenizer of model {name!r} cannot read {text!r}", FIX):
            ids = tokenizer(text, add_special_tokens=False, verbose=False).input_ids
            tokenizer.decode(ids)
        if not ids:
            raise UserError(f"the tokenizer of model {name!r} makes no tokens of {text!r}; {FIX}")


def _growth(step: Mapping[str, Any]) -> float:
    """The most characters that a step, as tokenizer.json writes it, can make of one."""
    kind = step.get("type")
    if kind == "Sequence":
        return math.prod((_growth(each) for each in step.get("normalizers") or step.get("decoders") or []), start=1.0)
    if kind == "Replace":
        # A regular expression can match nothing, before and after every character.
        shortest = len(step["pattern"].get("String", "")) or 0.5
        return max(1.0, len(step["content"]) / shortest)
    if kind == "Prepend":
        return 1.0 + len(step["prepend"])
    if kind == "Precompiled":
        return float(_longest_entry(base64.b64decode(step["precompiled_charsmap"] or "")))
    return float(_GROWTH.get(str(kind), 1))


def _longest_entry(charsmap: bytes) -> int:
    """The longest replacement of a SentencePiece map, in bytes: after its trie, whose size comes first, they lie
    one after another, each ended by a zero (sentencepiece, builder.h, EncodePrecompiledCharsMap)."""
    start = 4 + int.from_bytes(charsmap[:4], "little")
    return max(1, *map(len, charsmap[start:].split(b"\0")))
