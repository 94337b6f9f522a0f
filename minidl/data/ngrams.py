"""Language models of counts: how probable a text is when each token is guessed from the few before it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, NamedTuple

import numpy as np

from minidl.data.batches import Array

_FALLBACK = np.array([0.0, 0.5, 1.0, 1.5])  # KenLM's, where a text has too few n-grams to estimate discounts


class Grams(NamedTuple):
    """The n-grams of one order that end at each place of a text.

    at (N,): which n-gram ends there. contexts (N,): which one of the order below stands before, 0 where there is none.
    firsts (K,): where each of the K kinds stands first.
    """

    at: Array
    contexts: Array
    firsts: Array


class NGrams:
    """The n-grams of a text that was learnt and of one that is to be guessed, of order 1 to `order`.

    train, validation: ids (N,), below `depth`. (N of both)² depth is below 2⁶². goes_on: called after each order.
    """

    def __init__(
        self,
        train: Array,
        validation: Array,
        depth: int,
        order: int,
        goes_on: Callable[[], None] = lambda: None,
    ) -> None:
        self._learnt, self._depth = len(train), depth
        self._guessed = slice(len(train) + 1, None)
        self._orders: list[Grams] = []
        for grams in islice(_orders_of(np.concatenate([train, validation]), depth), order):
            self._orders.append(grams)
            goes_on()

    def witten_bell(self) -> Iterator[Array]:
        """The probability of each of validation[1:] under n-grams of order 1, 2, …, by Witten and Bell's smoothing.

        After a context h that was followed N(h) times by K(h) kinds of tokens,

            p(w | h) = (count(h w) + K(h) p(w | h without its first token)) / (N(h) + K(h))

        starting from the uniform distribution over `depth` tokens. Counts are those of `train`.
        Bell, Cleary and Witten, Text Compression, 1990, method C; Chen and Goodman, 1998, section 2.6.
        """
        probability = self._uniform()
        for at, contexts, firsts in self._orders:
            count = np.bincount(at[: self._learnt], minlength=len(firsts))
            total = np.bincount(contexts[: self._learnt], minlength=len(at) + 1)
            kinds = np.bincount(contexts[firsts[firsts < self._learnt]], minlength=len(at) + 1)
            total, kinds = total[contexts[self._guessed]], kinds[contexts[self._guessed]]
            smoothed = (count[at[self._guessed]] + kinds * probability) / np.maximum(total + kinds, 1)
            probability = np.where(total > 0, smoothed, probability)
            yield probability

    def kneser_ney(self, order: int) -> Array:
        """The probability of each of validation[1:] under n-grams of `order`, by modified Kneser-Ney smoothing.

            p(w | h) = (c(h w) - D(c(h w)) + (Σ D(c(h v)) over v) p(w | h without its first token)) / Σ c(h v) over v

        starting from the uniform distribution over `depth` tokens. c counts `train`: how often h w occurs where it is
        of the highest order, and otherwise how many kinds of tokens precede it. Each order has its own discounts
        D(1), D(2), D(3 and more), from how many of its n-grams have c = 1, 2, 3, 4.
        Kneser and Ney 1995; Chen and Goodman 1998, section 3, modified and interpolated.

        >>> NGrams(np.array([0, 1, 0, 1, 0, 1]), np.array([0, 1]), depth=2, order=2).kneser_ney(2).round(2)
        array([0.71])
        """
        probability = self._uniform()
        counted: list[Any] = [grams.firsts[grams.firsts < self._learnt] for grams in self._orders[1:order]]
        counted.append(slice(self._learnt))
        for (at, contexts, firsts), places in zip(self._orders, counted, strict=False):
            count = np.bincount(at[places], minlength=len(firsts))
            discount = _discounts(count)[np.minimum(count, 3)]
            total = np.bincount(contexts[firsts], count, minlength=len(at) + 1)[contexts[self._guessed]]
            taken = np.bincount(contexts[firsts], discount, minlength=len(at) + 1)[contexts[self._guessed]]
            smoothed = (count - discount)[at[self._guessed]] + taken * probability
            probability = np.where(total > 0, smoothed / np.maximum(total, 1), probability)
        return probability

    def _uniform(self) -> Array:
        return np.full(len(self._orders[0].at) - self._guessed.start, 1 / self._depth)


def _orders_of(ids: Array, depth: int) -> Iterator[Grams]:
    """The n-grams of order 1, 2, 3 …; what precedes the first token is one symbol.

    An n-gram and its place are sorted as one number, several times as fast as np.unique.
    """
    places, bits = np.arange(len(ids)), len(ids).bit_length()
    contexts = np.zeros(len(ids), np.int64)
    while True:
        ordered = np.sort((contexts * depth + ids << bits) | places)
        grams = ordered >> bits
        begins = np.concatenate([[True], grams[1:] != grams[:-1]])
        ordered &= (1 << bits) - 1
        at = np.empty_like(contexts)
        at[ordered] = np.cumsum(begins) - 1
        yield Grams(*(array.astype(np.int32) for array in (at, contexts, ordered[begins])))
        contexts = np.concatenate([[0], at[:-1] + 1])


def _discounts(count: Array) -> Array:
    """D(0) = 0, D(1), D(2), D(3 and more): Chen and Goodman 1998, equation 17."""
    n = np.bincount(np.minimum(count, 5), minlength=6)[1:5].astype(float)
    if not n.all():
        return _FALLBACK
    share = n[0] / (n[0] + 2 * n[1])
    found = np.array([0.0, *(k - (k + 1) * share * n[k] / n[k - 1] for k in (1, 2, 3))])
    usable = bool((found[1:] > 0).all() and (found[1:] <= (1, 2, 3)).all())
    return found if usable else _FALLBACK
