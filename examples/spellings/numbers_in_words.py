"""Numbers in words and in digits, 12,000 pairs up to a million, as numbers.csv for spellings.yaml.

python examples/spellings/numbers_in_words.py && minidl run examples/spellings/spellings.yaml
"""

from __future__ import annotations

import csv
import random
from pathlib import Path

SMALL = [
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"),
    *("thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
]
TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
PAIRS = 12_000


def in_words(number: int) -> str:
    """As it is said in English.

    >>> in_words(42_107)
    'forty-two thousand one hundred and seven'
    """
    if number < 20:
        return SMALL[number]
    if number < 100:
        tens, ones = divmod(number, 10)
        return TENS[tens - 2] + (f"-{SMALL[ones]}" if ones else "")
    size, name = (100, "hundred") if number < 1000 else (1000, "thousand")
    head, rest = divmod(number, size)
    between = " and " if rest and rest < 100 else " " if rest else ""
    return f"{in_words(head)} {name}{between}{in_words(rest) if rest else ''}"


def main() -> None:
    """As many numbers of each length."""
    draw = random.Random(0)
    numbers = {draw.randrange(10**digits) for digits in (3, 4, 5, 6) for _ in range(PAIRS)}
    with Path(__file__).with_name("numbers.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["words", "digits"])
        table.writerows((in_words(number), number) for number in draw.sample(sorted(numbers), PAIRS))


if __name__ == "__main__":
    main()
