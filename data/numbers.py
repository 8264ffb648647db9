"""Numbers in text, read as a person reads them: exact, of any length, and in time linear in the text.

Read are whole and decimal numbers, thousands separators (1,234 1 234 1'234 1_234 and, as in India, 1,00,000), exponents
(1e5, 6.02 x 10^23), powers (2^10, (-2)^3), fractions (3/4, 1 3/4, ½, \\frac{3}{4}) and signs. A number with both
separators is read by the last one: 1.234,56 is 1234.56. With one separator, the comma separates thousands and the point
decimals. Currency, units and percent signs do not count: $12, 12 kg and 12% are 12. Words (forty-two, million) are not
read, nor are other powers and roots: a text that ends in one has no number, rather than that of its exponent.
"""

import re
from collections import deque
from decimal import Decimal
from fractions import Fraction

# Of a number as a fraction. A longer one is a Decimal, which is compared digit by digit.
MAX_DIGITS = 4000
# Of an exponent, and of a part of a fraction or power.
MAX_EXPONENT_DIGITS, MAX_PART_DIGITS = 9, 500

Number = Fraction | Decimal

_MINUS = "-\u2212\u2013\ufe63\uff0d"
_SIGN = rf"[{_MINUS}+]"
_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻", "0123456789+-")
_RAISED = "⁰¹²³⁴⁵⁶⁷⁸⁹"
_VULGAR = "½⅓⅔¼¾⅕⅖⅗⅘⅙⅚⅐⅛⅜⅝⅞⅑⅒"
_VULGAR_PARTS = dict(
    zip(
        _VULGAR,
        [
            "1/2",
            "1/3",
            "2/3",
            "1/4",
            "3/4",
            "1/5",
            "2/5",
            "3/5",
            "4/5",
            "1/6",
            "5/6",
            "1/7",
            "1/8",
            "3/8",
            "5/8",
            "7/8",
            "1/9",
            "1/10",
        ],
        strict=True,
    )
)
_SEPARATORS = r"(?:\{,\}|,?\\!|\\,|[,'_\u2019\u00a0\u2007\u2009\u202f])"
# What follows a repetition never begins with what it repeats, and no number begins inside another one's digits: so the
# time is linear.
_GROUPED = rf"\d{{1,3}}{_SEPARATORS}\d{{3}}(?:{_SEPARATORS}\d{{3}})*(?!\d)"
_SPACED = r"(?<!\d )[1-9]\d{0,2}(?: \d{3})+(?! ?\d)"
_INDIAN = r"(?<!\d,)[1-9]\d?(?:,\d{2})+,\d{3}(?!,?\d)"
_BOTH = r"[1-9]\d{0,2}(?:\.\d{3}){1,20},\d+|[1-9]\d{0,2}(?:\.\d{3}){2,20}(?![,.]?\d)"
_PLAIN = rf"(?:(?:{_GROUPED}|(?=\d{{1,3}}[ ,]\d\d)(?:{_SPACED}|{_INDIAN})|\d+)(?:\.\d+)?|\.\d+)"
_BAR = r"\s?[/\u2044\u2215]\s?"
_POWER = (
    rf"(?:\s?\^\s?|\*\*)(?:[({{]\s?(?P<{{0}}>{_SIGN}?\d+)\s?[)}}]|(?P<{{1}}>{_SIGN}?\d+)(?![.,/]?\d))"
    rf"|(?P<{{2}}>[⁺⁻]?[{_RAISED}]+)"
)


def _power(name: str) -> str:
    return "(?:" + _POWER.replace("{0}", f"{name}0").replace("{1}", f"{name}1").replace("{2}", f"{name}2") + ")"


_NUMBER = re.compile(
    # What every number begins with: most places of a text are left at once.
    rf"(?=[{_MINUS}+$\u20ac\u00a3\u00a5\u20b9\\ (]{{0,4}}(?:[.\d{_VULGAR}]|[dtc]?frac))(?! )"
    # Not the exponent of a unit or variable (12 m^2).
    rf"(?:(?<!\d)|(?=\.))(?<![^\W\d_]\^)(?<![^\W\d_]\^[{_MINUS}{{])(?<![^\W\d_]\^\{{[{_MINUS}])"
    # A minus sign after something to subtract from does not count: "16-3" ends in 3, "= -3" in -3.
    rf"(?:(?<![\w.)]){_SIGN})?(?:\\?[$\u20ac\u00a3\u00a5\u20b9]\s?)?(?:"
    rf"(?P<latex>(?P<latex_whole>\d+\s?)?\\[dtc]?frac\s?(?:\{{\s?(?P<over>{_SIGN}?\d+)\s?\}}\s?\{{\s?(?P<under>\d+)"
    r"\s?\}|(?P<over_digit>\d)\s?(?P<under_digit>\d)))"
    rf"|(?P<vulgar>(?:\d+\s?)?[{_VULGAR}])"
    rf"|(?P<chain>\d+(?:{_BAR}\d+){{2,}})"
    rf"|(?P<mixed>\d+[ \u00a0](?!0)\d+[/\u2044\u2215]\d+(?![.,]?\d))"
    rf"|(?P<fraction>{_PLAIN}{_BAR}{_PLAIN})"
    rf"|(?P<both>{_BOTH})"
    rf"|(?P<base>(?<!\w)\(\s?{_SIGN}?{_PLAIN}\s?\)){_power('of_base')}"
    rf"|(?P<digits>{_PLAIN})(?P<suffix>[eE](?P<exponent>{_SIGN}?\d+)"
    rf"|\s{{0,2}}(?:[\u00d7xX*\u00b7\u22c5]|\\times|\\cdot)\s{{0,2}}10{_power('ten')}"
    rf"|{_power('raised')})?)"
)
# What makes a number part of something else, as in 3:45, 2020-01-05 and 3,14.
_GLUED_BEFORE, _GLUED_AFTER = re.compile(r"\d[^\w\s=>]\Z"), re.compile(r"[^\w\s]?\d")
# A unit with its exponent: \\boxed{5\\text{ km}^2} is 5.
_UNIT_POWER = re.compile(
    r"\\(?:text[a-z]{0,6}|math[a-z]{2}|mbox|operatorname)\s?\{[^{}]{0,40}\}\s?\^\s?"
    rf"(?:\{{\s?{_SIGN}?\d+\s?\}}|{_SIGN}?\d+)"
)
# What stands before a number that is a part of another one.
_PART = re.compile(r"(?:\^\s?[({]?|\\sqrt\s?(?:\[\d{1,3}\])?\{?|\u221a\(?)\s?\Z")
_WINDOW = 16


def first_number(text: str) -> re.Match[str] | None:
    """Where the first number of the text stands."""
    return _NUMBER.search(text)


def last_number(text: str) -> re.Match[str] | None:
    """Where the last number of the text stands, or of the text without the exponents of units."""
    last = deque(_NUMBER.finditer(_UNIT_POWER.sub(" ", text) if "^" in text else text), maxlen=1)
    return last[0] if last else None


def only_number(text: str) -> re.Match[str] | None:
    """The number that the text is, perhaps with a percent sign or a stop after it.

    None where the text is more than that, or begins with a zero like a code (007).
    """
    found = _NUMBER.match(text)
    if not found or re.match(r"0\d", text) or text[found.end() :].strip(" %."):
        return None
    return found


def stands_alone(found: re.Match[str]) -> bool:
    """Whether a number is not glued to other digits, which would make it part of a date, a time or the like."""
    before, after = found.string[max(0, found.start() - 2) : found.start()], found.string[found.end() :][:2]
    return not (found["chain"] or _GLUED_BEFORE.search(before) or _GLUED_AFTER.match(after))


def value(found: re.Match[str]) -> Number | None:
    """What a number found in a text is worth.

    None where no one could say, such as 3/0 or an exponent of ten digits, and where it is an exponent or under a root.
    """
    before = found.string[max(0, found.start() - _WINDOW) : found.start()]
    size = None if _PART.search(before) else _size(found)
    if size is None or found[0][0] not in _MINUS:
        return size
    return size.copy_negate() if isinstance(size, Decimal) else -size


def is_plain(found: re.Match[str]) -> bool:
    """Whether a number is written with digits, separators and a decimal point alone."""
    return found["digits"] is not None and found["suffix"] is None


def number_text(number: Number) -> str:
    """A number without exponent and trailing zeros, or as a fraction where it has no end."""
    if isinstance(number, Decimal):
        return f"{number:f}"
    twos, rest = _without_factor(number.denominator, 2)
    fives, rest = _without_factor(rest, 5)
    places = max(twos, fives)
    if rest != 1:
        return str(number)
    digits = str(abs(number.numerator) * 10**places // number.denominator).zfill(places + 1)
    sign = "-" if number < 0 else ""
    return sign + (f"{digits[:-places]}.{digits[-places:]}" if places else digits)


def _without_factor(number: int, factor: int) -> tuple[int, int]:
    times = 0
    while number % factor == 0:
        number //= factor
        times += 1
    return times, number


def _size(found: re.Match[str]) -> Number | None:
    if found["digits"]:
        return _suffixed(found) if found["suffix"] else _decimal(found["digits"], 0)
    if found["base"]:
        return _raised(found["base"], _either(found, "of_base0", "of_base1", "of_base2"))
    if found["both"]:
        return _decimal(found["both"].replace(".", "").replace(",", "."), 0)
    if found["chain"]:
        return _decimal(re.split(_BAR, found["chain"])[-1], 0)
    if found["mixed"]:
        whole, part = re.split(r"[ \u00a0]", found["mixed"])
        return _mixed(whole, *re.split(_BAR, part))
    if found["vulgar"]:
        return _mixed(found["vulgar"][:-1].strip(), *_VULGAR_PARTS[found["vulgar"][-1]].split("/"))
    if found["latex"]:
        over, under = _either(found, "over", "over_digit"), _either(found, "under", "under_digit")
        return _mixed((found["latex_whole"] or "").strip(), over, under)
    return _ratio(*re.split(_BAR, found["fraction"]))


def _suffixed(found: re.Match[str]) -> Number | None:
    power = _either(found, "raised0", "raised1", "raised2")
    if power:
        return _raised(found["digits"], power)
    exponent = _whole(_either(found, "exponent", "ten0", "ten1", "ten2"), MAX_EXPONENT_DIGITS)
    return None if exponent is None else _decimal(found["digits"], exponent)


def _either(found: re.Match[str], *names: str) -> str:
    return next((found[name] for name in names if found[name]), "")


def _decimal(text: str, exponent: int) -> Number | None:
    whole, _, part = re.sub(f"{_SEPARATORS}| ", "", text).partition(".")
    digits = (whole + part).lstrip("0")
    significant = digits.rstrip("0")
    exponent += len(digits) - len(significant) - len(part)
    if not significant:
        return Fraction(0)
    if len(significant) + abs(exponent) <= MAX_DIGITS:
        return int(significant) * Fraction(10) ** exponent
    return Decimal(f"{significant}E{exponent}")


def _whole(text: str, most: int) -> int | None:
    """A whole number with its sign; None where it has more than `most` digits."""
    plain = text.translate(_SUPERSCRIPTS)
    digits = plain.lstrip(_MINUS + "+").lstrip("0") or "0"
    if len(digits) > most:
        return None
    return -int(digits) if plain[0] in _MINUS else int(digits)


def _raised(base: str, power: str) -> Number | None:
    signed = base.strip("() ")
    exponent = _whole(power, MAX_EXPONENT_DIGITS)
    number = _decimal(signed.lstrip(_MINUS + "+"), 0) if len(signed) <= MAX_PART_DIGITS else None
    if not isinstance(number, Fraction) or exponent is None or (number == 0 and exponent < 0):
        return None
    number = -number if signed[0] in _MINUS else number
    if number == 10:
        return _decimal("1", exponent)
    return None if abs(exponent) * len(str(number)) > MAX_DIGITS else number**exponent


def _ratio(over: str, under: str) -> Number | None:
    if len(over) > MAX_PART_DIGITS or len(under) > MAX_PART_DIGITS:
        return None
    above, below = _decimal(over, 0), _decimal(under, 0)
    assert isinstance(above, Fraction) and isinstance(below, Fraction), "short parts are fractions"
    return above / below if below else None


def _mixed(whole: str, over: str, under: str) -> Number | None:
    above, below = _whole(over, MAX_PART_DIGITS), _whole(under, MAX_PART_DIGITS)
    number = _whole(whole or "0", MAX_PART_DIGITS)
    if above is None or number is None or not below:
        return None
    # "2 10/5" is no mixed number but a number and a fraction after it.
    return Fraction(above, below) + (number if 0 <= above < below else 0)
