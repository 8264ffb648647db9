"""Control characters become visible, whatever they are."""

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from educe.data.display import visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain text, with ünïcode and 日本語", "plain text, with ünïcode and 日本語"),
        ("\x1b[31mred\x1b]0;title\x07", r"\x1b[31mred\x1b]0;title\x07"),
        ("\x9b2J \x7f \x00", r"\x9b2J \x7f \x00"),
        ("a\r\n\tb", r"a\r\n\tb"),
        ("user\u202egpj.exe\u2066\u2069", r"user\u202egpj.exe\u2066\u2069"),
        ("ad\u200bmin\ufeff\u2060", r"ad\u200bmin\ufeff\u2060"),
        ("one\u2028two\u2029three\x85", r"one\u2028two\u2029three\x85"),
        ("\ud800 lone", r"\ud800 lone"),
        ("tag\U000e0041", r"tag\U000e0041"),
    ],
)
def test_what_is_shown(text: str, shown: str) -> None:
    assert visible(text) == shown


def test_lines_and_tabs_stay_where_asked() -> None:
    assert visible("a\n\tb\r\x1b", lines=True) == "a\n\tb" + r"\r\x1b"


@settings(derandomize=True)
@given(st.text(st.characters(), max_size=40))
def test_nothing_hidden_is_left_and_the_rest_is_kept(text: str) -> None:
    shown = visible(text)
    shown.encode()
    kept = [one for one in text if unicodedata.category(one)[0] != "C" and one not in "\u2028\u2029"]
    assert not any(unicodedata.category(one)[0] == "C" for one in shown)
    assert visible(shown) == shown
    assert len(shown) >= len(text)
    if len(kept) == len(text):
        assert shown == text


def test_every_character_of_ascii_and_latin_1() -> None:
    hidden = [chr(code) for code in [*range(0x20), *range(0x7F, 0xA0), 0xAD]]
    assert [chr(code) for code in range(0x100) if visible(chr(code)) != chr(code)] == hidden
