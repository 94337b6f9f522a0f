"""Beam search: the likeliest of all sequences that a model may write, as far as a few at a time can find them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from minidl.graph.arrays import Array

NextLogP = Callable[[Array, Array], Array]  # prefixes (t, R), the case of each (R,) -> log probabilities (R, V)


@dataclass(frozen=True, order=True)
class Hypothesis:
    """A finished sequence: its log probability over the length penalty, its ids without start and end, log p itself."""

    score: float
    ids: tuple[int, ...] = field(compare=False)
    log_p: float = field(compare=False)


@dataclass(frozen=True)
class Beam:
    """How a search is done.

        score = log p / ((5 + L) / 6)^α        L: symbols, the end included

    width: prefixes that are followed at a time; 1 is greedy. length_penalty: α; above 0 longer sequences are preferred.
    longest: symbols, the end included, after which a sequence is given up. Wu et al. 2016, equation 14.
    """

    width: int = 1
    length_penalty: float = 0.0
    longest: int = 100

    def score(self, log_p: float, length: int) -> float:
        """The score of a sequence of so many symbols."""
        return float(log_p / ((5 + length) / 6) ** self.length_penalty)

    def search(self, next_log_p: NextLogP, cases: int, start: int, end: int) -> list[list[Hypothesis]]:
        """The finished sequences of each case, the best first, at most `width`.

        At each step the `width` likeliest of all ways to go on are followed; those that end are finished. The search of
        a case ends when no prefix can get better than what is finished, or after `longest` symbols, of which the last
        is then taken for an end.

        >>> p = np.log([[0.1, 0.6, 0.3], [0.5, 0.2, 0.3]])     # after start (0) and after 1: of 0, 1, and 2, the end
        >>> found = Beam(2, longest=2).search(lambda ids, cases: p[ids[-1]], 1, start=0, end=2)
        >>> [hypothesis.ids for hypothesis in found[0]]
        [(), (1,)]
        """
        open_, prefixes, log_ps = np.arange(cases), np.full((1, cases), start), np.zeros(cases)
        finished: list[list[Hypothesis]] = [[] for _ in range(cases)]
        for length in range(1, self.longest + 1):
            totals = log_ps[:, None] + next_log_p(prefixes, open_)
            if length == self.longest:
                totals[:, np.arange(totals.shape[1]) != end] = -np.inf
            chosen: list[tuple[int, int]] = []
            for case in np.unique(open_).tolist():
                rows = np.flatnonzero(open_ == case)
                chosen += self._extend(finished[case], rows, prefixes, totals, end, length)
            if not chosen:
                break
            rows, symbols = (np.array(each) for each in zip(*chosen, strict=True))
            log_ps, open_ = totals[rows, symbols], open_[rows]
            prefixes = np.vstack([prefixes[:, rows], symbols])
        return finished

    def _extend(
        self, finished: list[Hypothesis], rows: Array, prefixes: Array, totals: Array, end: int, length: int
    ) -> list[tuple[int, int]]:
        """Finish what ends among the likeliest ways to go on, and give the rows and symbols that are followed."""
        places = np.argsort(-totals[rows].reshape(-1), kind="stable")[: self.width]
        ways = [(int(rows[place // totals.shape[1]]), place % totals.shape[1]) for place in places.tolist()]
        ways = [way for way in ways if np.isfinite(totals[way])]
        for row, symbol in ways:
            if symbol == end:
                log_p = float(totals[row, end])
                finished.append(Hypothesis(self.score(log_p, length), tuple(prefixes[1:, row].tolist()), log_p))
        finished.sort(reverse=True)
        del finished[self.width :]
        worst = finished[-1].score if len(finished) == self.width else -np.inf
        return [way for way in ways if way[1] != end and self._reachable(float(totals[way]), length) > worst]

    def _reachable(self, log_p: float, length: int) -> float:
        """The best score that a prefix may come to: one of the ends, for a score is monotonic in the length."""
        return max(self.score(log_p, length + 1), self.score(log_p, self.longest))
