"""Tables that are drawn by a small program, always the same: what people bring to a recurrent network, in small."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

from minidl.data.sources.examples import to_csv

OFFERS = ("win", "free", "prize", "cash", "offer", "claim", "urgent", "bonus")
EVERYDAY = (
    "meeting",
    "lunch",
    "report",
    "train",
    "call",
    "tomorrow",
    "thanks",
    "project",
    "home",
    "late",
    "free",
    "call",
)
FILLERS = ("the", "a", "your", "for", "to", "is", "and", "we", "you", "now")
ACTIVITIES = {"rest": (0.0, 0.05), "walk": (0.8, 0.4), "run": (1.6, 0.9)}  # swing and noise of a sensor
PEOPLE = ("Ada", "Alan", "Grace", "Kurt", "Emmy", "Carl")
SURNAMES = ("Stone", "Rivers", "Hill", "Field", "Marsh")
TOWNS = ("Bonn", "Oslo", "Lima", "Porto", "Kyoto", "Quito")


def messages() -> str:
    """`text,kind`: 3,000 short messages, one in ten of them spam. Spam says at least two words of an offer."""
    rng = random.Random(0)
    rows = []
    for i in range(3000):
        spam = i % 10 == 0
        words = rng.choices(EVERYDAY, k=rng.randint(2, 5)) + rng.choices(FILLERS, k=rng.randint(3, 8))
        words += rng.choices(OFFERS, k=rng.randint(2, 3) if spam else rng.random() < 0.3)
        rng.shuffle(words)
        rows.append((" ".join(words), "spam" if spam else "ham"))
    return to_csv(("text", "kind"), rows)


def sensors() -> str:
    """`recording,x,y,z,activity`: 300 recordings of 30 to 60 steps by a sensor that is at rest, walks or runs."""
    rng = random.Random(1)
    rows: list[Sequence[str]] = []
    for recording in range(300):
        activity = list(ACTIVITIES)[recording % 3]
        swing, noise = ACTIVITIES[activity]
        pace, phase, tilt = rng.uniform(0.5, 0.9), rng.uniform(0, 6.28), rng.gauss(0, 0.5)
        for step in range(rng.randint(30, 60)):
            wave = swing * math.sin(pace * step + phase)
            axes = (tilt + wave, 0.5 * wave - tilt, 1 - abs(wave))
            rows.append((str(recording), *(f"{axis + rng.gauss(0, noise):.3f}" for axis in axes), activity))
    return to_csv(("recording", "x", "y", "z", "activity"), rows)


def demand() -> str:
    """`town,hour,demand,temperature,hour_sin,hour_cos`: 90 days of two towns; one cell in fifty is empty.

    The demand follows the hour of the day, the weekend and the temperature of six hours before.
    """
    rng = random.Random(2)
    rows = []
    for town, base in (("north", 400.0), ("south", 900.0)):
        warm = [10 + 8 * math.sin(hour / 24 / 14) + 5 * math.sin(hour * math.tau / 24) for hour in range(24 * 90)]
        for hour, temperature in enumerate(warm):
            angle = hour * math.tau / 24
            weekend = 0.8 if hour // 24 % 7 > 4 else 1.0
            load = base * weekend * (1 + 0.3 * math.sin(angle - 1.5)) - 0.01 * base * warm[max(0, hour - 6)]
            cell = "" if rng.random() < 0.02 else f"{load + rng.gauss(0, base / 60):.1f}"
            rows.append(
                (town, str(hour), cell, f"{temperature:.1f}", f"{math.sin(angle):.4f}", f"{math.cos(angle):.4f}")
            )
    return to_csv(("town", "hour", "demand", "temperature", "hour_sin", "hour_cos"), rows)


def entities() -> str:
    """`text,tags`: 2,000 sentences about people and towns, some of whose names are both, with BIO tags."""
    rng = random.Random(3)
    rows = []
    for _ in range(2000):
        name, surname, town = rng.choice(PEOPLE), rng.choice((*SURNAMES, *TOWNS)), rng.choice((*TOWNS, *SURNAMES))
        person, place = [(name, "B-PER"), (surname, "I-PER")], [(town, "B-LOC")]
        parts = rng.choice(
            (
                [*person, ("lives", "O"), ("in", "O"), *place],
                [("from", "O"), *place, ("came", "O"), *person, ("yesterday", "O")],
                [("the", "O"), ("train", "O"), ("to", "O"), *place, ("was", "O"), ("late", "O")],
                [*person, ("met", "O"), (rng.choice(PEOPLE), "B-PER"), ("near", "O"), *place],
            )
        )
        rows.append((" ".join(word for word, _ in parts), " ".join(tag for _, tag in parts)))
    return to_csv(("text", "tags"), rows)
