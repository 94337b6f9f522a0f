"""Language models of counts: how probable a text is when each token is guessed from the few before it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
_FALLBACK = np.array([0.0, 0.5, 1.0, 1.5])  # KenLM's, where a text has too few n-grams to estimate discounts


class Grams(NamedTuple):
    """The n-grams of one order that end at each place of a text.

    at (N,): which n-gram ends there. contexts (N,): which one of the order below stands before, 0 where there is none.
    firsts (K,): where each of the K kinds stands first.
    """

    at: Array
    contexts: Array
    firsts: Array


def grams_of(ids: Array, depth: int) -> Iterator[Grams]:
    """The n-grams of ids (N,), which are below `depth`: order 1, 2, 3 … What precedes the first token is one symbol.

    N² depth is below 2⁶²: an n-gram and its place are sorted as one number, several times as fast as np.unique.
    """
    places, bits = np.arange(len(ids)), len(ids).bit_length()
    contexts = np.zeros(len(ids), np.int64)
    while True:
        ordered = np.sort((contexts * depth + ids << bits) | places)
        begins = np.diff(ordered >> bits, prepend=-1) != 0
        ordered &= (1 << bits) - 1
        at = np.empty_like(contexts)
        at[ordered] = np.cumsum(begins) - 1
        yield Grams(at, contexts, ordered[begins])
        contexts = np.concatenate([[0], at[:-1] + 1])


def witten_bell(train: Array, validation: Array, depth: int, order: int) -> Iterator[Array]:
    """The probability of each of validation[1:] under n-grams of order 1 to `order`, by Witten and Bell's smoothing.

    After a context h that was followed N(h) times by K(h) kinds of tokens,

        p(w | h) = (count(h w) + K(h) p(w | h without its first token)) / (N(h) + K(h))

    starting from the uniform distribution over `depth` tokens. Counts are those of `train`.
    Bell, Cleary and Witten, Text Compression, 1990, method C; Chen and Goodman, 1998, section 2.6.
    """
    ids = np.concatenate([train, validation])
    scored = slice(len(train) + 1, None)
    probability = np.full(len(validation) - 1, 1 / depth)
    for at, contexts, firsts in islice(grams_of(ids, depth), order):
        count = np.bincount(at[: len(train)], minlength=len(firsts))
        total = np.bincount(contexts[: len(train)], minlength=len(ids) + 1)
        kinds = np.bincount(contexts[firsts[firsts < len(train)]], minlength=len(ids) + 1)
        total, kinds, found = total[contexts[scored]], kinds[contexts[scored]], count[at[scored]]
        smoothed = (found + kinds * probability) / np.maximum(total + kinds, 1)
        probability = np.where(total > 0, smoothed, probability)
        yield probability


def kneser_ney(train: Array, validation: Array, depth: int, order: int) -> Array:
    """The probability of each of validation[1:] under n-grams of `order`, by modified Kneser-Ney smoothing.

        p(w | h) = (c(h w) - D(c(h w)) + (Σ D(c(h v)) over v) p(w | h without its first token)) / Σ c(h v) over v

    starting from the uniform distribution over `depth` tokens. c counts `train`: how often h w occurs where it is of
    the highest order, and otherwise how many kinds of tokens precede it. Each order has its own discounts
    D(1), D(2), D(3 and more), from how many of its n-grams have c = 1, 2, 3, 4.
    Kneser and Ney 1995; Chen and Goodman 1998, section 3, modified and interpolated.

    >>> kneser_ney(np.array([0, 1, 0, 1, 0, 1]), np.array([0, 1]), depth=2, order=2).round(2)
    array([0.71])
    """
    ids = np.concatenate([train, validation])
    scored = slice(len(train) + 1, None)
    probability = np.full(len(validation) - 1, 1 / depth)
    orders = grams_of(ids, depth)
    above = next(orders)
    for remaining in reversed(range(order)):
        (at, contexts, firsts), above = above, next(orders) if remaining else above
        places = above.firsts[above.firsts < len(train)] if remaining else slice(len(train))
        count = np.bincount(at[places], minlength=len(firsts))
        discount = _discounts(count)[np.minimum(count, 3)]
        total = np.bincount(contexts[firsts], count, minlength=len(ids) + 1)[contexts[scored]]
        taken = np.bincount(contexts[firsts], discount, minlength=len(ids) + 1)[contexts[scored]]
        smoothed = (count - discount)[at[scored]] + taken * probability
        probability = np.where(total > 0, smoothed / np.maximum(total, 1), probability)
    return probability


def _discounts(count: Array) -> Array:
    """D(0) = 0, D(1), D(2), D(3 and more): Chen and Goodman 1998, equation 17."""
    n = np.bincount(np.minimum(count, 5), minlength=6)[1:5].astype(float)
    if not n.all():
        return _FALLBACK
    share = n[0] / (n[0] + 2 * n[1])
    found = np.array([0.0, *(k - (k + 1) * share * n[k] / n[k - 1] for k in (1, 2, 3))])
    usable = bool((found[1:] > 0).all() and (found[1:] <= (1, 2, 3)).all())
    return found if usable else _FALLBACK
