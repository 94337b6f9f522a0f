"""written_dates: dates in words, as people write them in several ways, and in the form of ISO 8601."""

from __future__ import annotations

import datetime
import random
from collections.abc import Iterator

ROWS, FIRST, LAST = 12_000, datetime.date(1900, 1, 1), datetime.date(2099, 12, 31)
MONTHS = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]
ORDINALS = [
    "first",
    "second",
    "third",
    "fourth",
    "fifth",
    "sixth",
    "seventh",
    "eighth",
    "ninth",
    "tenth",
    "eleventh",
    "twelfth",
    "thirteenth",
    "fourteenth",
    "fifteenth",
    "sixteenth",
    "seventeenth",
    "eighteenth",
    "nineteenth",
    "twentieth",
]
UNITS = ("", *["one", "two", "three", "four", "five", "six", "seven", "eight", "nine"])
TEENS = ["ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"]
TENS = ("", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
FORMS = (
    "{day} of {month}, {year}",
    "the {day} of {month} {year}",
    "{month} the {day}, {year}",
    "{month} {number}, {year}",
    "{number} {month} {year}",
    "{weekday}, {number} {short} {digits}",
)


def written_dates() -> Iterator[tuple[str, str]]:
    """`written,iso`: dates between 1900 and 2099 that are drawn, each in one of six forms.

    >>> next(iter(written_dates()))
    ('April 1, twenty thirty-eight', '2038-04-01')
    """
    rng = random.Random(0)
    for _ in range(ROWS):
        date = FIRST + datetime.timedelta(days=rng.randrange((LAST - FIRST).days + 1))
        yield in_words(date, rng.choice(FORMS)), date.isoformat()


def in_words(date: datetime.date, form: str) -> str:
    """A date in one of the forms.

    >>> in_words(datetime.date(1998, 3, 23), FORMS[0])
    'twenty-third of March, nineteen ninety-eight'
    """
    month = MONTHS[date.month - 1]
    weekday = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")[date.weekday()]
    return form.format(
        day=ordinal(date.day),
        number=date.day,
        month=month,
        short=month[:3],
        year=spoken_year(date.year),
        digits=date.year,
        weekday=weekday,
    )


def ordinal(number: int) -> str:
    """1 to 39: first, twenty-third."""
    if number <= len(ORDINALS):
        return ORDINALS[number - 1]
    tens, units = divmod(number, 10)
    return f"{TENS[tens]}-{ORDINALS[units - 1]}" if units else "thirtieth"


def cardinal(number: int) -> str:
    """1 to 99: one, twenty-three."""
    tens, units = divmod(number, 10)
    if tens == 1:
        return TEENS[units]
    return "-".join(filter(None, (TENS[tens], UNITS[units])))


def spoken_year(year: int) -> str:
    """A year as it is said.

    >>> spoken_year(1905), spoken_year(2000), spoken_year(2007), spoken_year(2031)
    ('nineteen oh five', 'two thousand', 'two thousand and seven', 'twenty thirty-one')
    """
    century, rest = divmod(year, 100)
    if century == 20 and rest < 10:
        return f"two thousand and {UNITS[rest]}" if rest else "two thousand"
    if rest == 0:
        return f"{cardinal(century)} hundred"
    return f"{cardinal(century)} oh {UNITS[rest]}" if rest < 10 else f"{cardinal(century)} {cardinal(rest)}"
