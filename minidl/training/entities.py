"""Entities in tags of the kinds BIO and BIOES: exact spans, as the CoNLL shared tasks counted them.

B-PER I-PER O B-LOC   ->   PER from 0 to 2, LOC from 3 to 4
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise

Span = tuple[str, int, int]
BEGINS, ENDS = "BSU", "ESLU"  # first letters of tags that begin, and that end, an entity; S or U is one token alone
INSIDE = {*BEGINS, *ENDS, "I"}


def is_of_entities(names: Iterable[str]) -> bool:
    """Whether these are the names of tags of entities: "O", and letters with a type, such as "B-PER".

    >>> is_of_entities(["O", "B-PER", "I-PER"]), is_of_entities(["noun", "verb"]), is_of_entities("BIO")
    (True, False, False)
    """
    typed = [name for name in names if name != "O"]
    return bool(typed) and all(name[:1] in INSIDE and name[1:2] == "-" and len(name) > 2 for name in typed)


def spans(tags: Sequence[str]) -> list[Span]:
    """The entities in the tags of a sequence: type, first step, and the step after the last.

    An entity begins with B-, and with I- where none of its type goes before (as in the evaluation of CoNLL-2003).

    >>> spans(["B-PER", "I-PER", "O", "I-LOC", "B-LOC"])
    [('PER', 0, 2), ('LOC', 3, 4), ('LOC', 4, 5)]
    """
    found, start = [], 0
    for i, (before, tag) in enumerate(pairwise(["O", *tags, "O"])):
        if before != "O" and _ends(before, tag):
            found.append((before[2:], start, i))
        if tag != "O" and (before == "O" or _ends(before, tag)):
            start = i
    return found


def _ends(before: str, tag: str) -> bool:
    """Whether an entity ends between two tags, the first of which is in it."""
    return tag == "O" or before[0] in ENDS or tag[0] in BEGINS or before[2:] != tag[2:]


class EntityCounts:
    """How many entities were hit exactly, predicted, and asked for, by type."""

    def __init__(self) -> None:
        self.hits: Counter[str] = Counter()
        self.predicted: Counter[str] = Counter()
        self.asked: Counter[str] = Counter()

    def add(self, predicted: Sequence[str], asked: Sequence[str]) -> None:
        """Count a sequence."""
        found, wanted = set(spans(predicted)), set(spans(asked))
        for counter, entities in ((self.hits, found & wanted), (self.predicted, found), (self.asked, wanted)):
            counter.update(kind for kind, _, _ in entities)

    def report(self) -> dict[str, dict[str, float]]:
        """Precision, recall, F1 and number of entities of each type.

        >>> counts = EntityCounts()
        >>> counts.add(["B-A", "O", "B-B"], ["B-A", "I-A", "B-B"])
        >>> counts.report()["B"], counts.f1
        ({'precision': 1.0, 'recall': 1.0, 'f1': 1.0, 'support': 1}, 0.5)
        """
        kinds = sorted({*self.predicted, *self.asked})
        return {kind: _scores(self.hits[kind], self.predicted[kind], self.asked[kind]) for kind in kinds}

    @property
    def f1(self) -> float:
        """F1 over the entities of all types."""
        totals = (sum(counter.values()) for counter in (self.hits, self.predicted, self.asked))
        return _scores(*totals)["f1"]


def _scores(hits: int, predicted: int, asked: int) -> dict[str, float]:
    f1 = 2 * hits / max(predicted + asked, 1)
    return {"precision": hits / max(predicted, 1), "recall": hits / max(asked, 1), "f1": f1, "support": asked}
