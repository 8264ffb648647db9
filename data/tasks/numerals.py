"""Numbers in words and letters: English, French of France, and Roman."""

_SMALL = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
)  # fmt: skip
_TENS = ("", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_SCALES = ((10**6, "million"), (10**3, "thousand"), (100, "hundred"))
_FRENCH_SMALL = (
    "zéro", "un", "deux", "trois", "quatre", "cinq", "six", "sept", "huit", "neuf", "dix", "onze", "douze",
    "treize", "quatorze", "quinze", "seize", "dix-sept", "dix-huit", "dix-neuf",
)  # fmt: skip
_FRENCH_TENS = (
    "",
    "",
    "vingt",
    "trente",
    "quarante",
    "cinquante",
    "soixante",
    "soixante",
    "quatre-vingt",
    "quatre-vingt",
)
_ROMAN = (
    (1000, "M"), (900, "CM"), (500, "D"), (400, "CD"), (100, "C"), (90, "XC"), (50, "L"), (40, "XL"), (10, "X"),
    (9, "IX"), (5, "V"), (4, "IV"), (1, "I"),
)  # fmt: skip


def in_english(number: int) -> str:
    """A whole number below a billion in American English: 342 is "three hundred forty-two"."""
    assert 0 <= number < 10**9, number
    for scale, name in _SCALES:
        if number >= scale:
            count, rest = divmod(number, scale)
            return f"{in_english(count)} {name}" + (f" {in_english(rest)}" if rest else "")
    if number < len(_SMALL):
        return _SMALL[number]
    tens, units = divmod(number, 10)
    return _TENS[tens] + (f"-{_SMALL[units]}" if units else "")


def in_french(number: int) -> str:
    """A whole number below 1,000 in the French of France: 171 is "cent soixante et onze"."""
    assert 0 <= number < 1000, number
    hundreds, rest = divmod(number, 100)
    if not hundreds:
        return _french_below_100(rest)
    count = "cent" if hundreds == 1 else f"{_FRENCH_SMALL[hundreds]} cent"
    if rest:
        return f"{count} {_french_below_100(rest)}"
    return count if hundreds == 1 else f"{count}s"


def _french_below_100(number: int) -> str:
    if number < len(_FRENCH_SMALL):
        return _FRENCH_SMALL[number]
    tens = number // 10
    # Seventy is sixty-ten, ninety is eighty-ten.
    units = number - (tens - tens % 2 if tens >= 6 else tens) * 10
    if number == 80:
        return "quatre-vingts"
    if units == 0:
        return _FRENCH_TENS[tens]
    joined = " et " if units in (1, 11) and tens < 8 else "-"
    return f"{_FRENCH_TENS[tens]}{joined}{_FRENCH_SMALL[units]}"


def in_roman(number: int) -> str:
    """A whole number from 1 to 3,999 as a Roman numeral: 42 is XLII."""
    assert 0 < number < 4000, number
    written = ""
    for value, letters in _ROMAN:
        count, number = divmod(number, value)
        written += letters * count
    return written
