"""Text for language models: read, split into train, validation and test, numbered, cut into streams."""

from __future__ import annotations

import hashlib
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from annotated_types import Ge, Gt

from minidl.data.batches import Array, ArraySpec, Dataset, split_slices
from minidl.data.data import Data
from minidl.data.sources import read_text
from minidl.data.streams import Streams, evaluation_streams
from minidl.data.tasks.split import Shares, Split, in_order
from minidl.data.vocabulary import Ids, Kind, Vocabulary
from minidl.data.words import split_words


@dataclass(frozen=True)
class Text(Data):
    """A text as a task of guessing the next character, word or subword.   ids (T, B) -> targets (T, B)

    `source`: a built-in name, a path, several of these, or `{"url": ..., "sha256": ...}`.
    `tokens`: "char", "word", or "bpe": subwords, learnt of the training part by byte-pair encoding. `split`: shares of
    train, validation and test, contiguous in this order.
    `batch_size` (B): parallel streams. `seq_len` (T): window of truncated backpropagation through time.
    `max_vocab`: size of the vocabulary, "<unk>" included; None for all that occurs, or 2000 subwords. `encoding`: of
    the files; UTF-8 or UTF-16 unless another is given. `normalise`: the form of Unicode that the text is brought into
    first.

    >>> dataset = Text("pydoc_topics", batch_size=8, seq_len=20).load(Path())
    >>> dataset.train.batch(0).inputs["ids"].shape, dataset.inputs["ids"].shape
    ((20, 8), ('T', 'B'))
    """

    source: str | tuple[str, ...] | dict[str, str]
    tokens: Kind = "char"
    split: Shares | Split = (0.9, 0.05, 0.05)
    batch_size: Annotated[int, Gt(0)] = 32
    seq_len: Annotated[int, Gt(0)] = 64
    max_vocab: Annotated[int, Ge(2)] | None = None
    encoding: str | None = None
    normalise: Literal["NFC", "NFD", "NFKC", "NFKD"] | None = None

    facts: ClassVar = ("vocab_size", "characters", "train_tokens", "validation_tokens", "test_tokens")

    def load(self, folder: Path) -> Dataset:
        """Read and prepare the text; `folder` is where relative paths start."""
        text = self.read(self.source, folder)
        vocabulary, parts = self._numbered(text)
        spec = ArraySpec("int", len(vocabulary), ("T", "B"))
        return Dataset(
            train=Streams(parts[0], self.batch_size, self.seq_len, name="training text"),
            validation=self._evaluation(parts[1], "validation text"),
            test=self._evaluation(parts[2], "test text"),
            inputs={"ids": spec, "targets": spec},
            facts=_facts(text, vocabulary, parts),
            vocabulary=vocabulary,
            digest=hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest(),
            unit=self.tokens,
        )

    def read(self, source: str | tuple[str, ...] | dict[str, str], folder: Path) -> str:
        """The text of a source, read as this one is."""
        text = read_text(source, folder, self.encoding)
        return text if self.normalise is None else unicodedata.normalize(self.normalise, text)

    def _numbered(self, text: str) -> tuple[Vocabulary, list[Ids]]:
        """The vocabulary, and the ids of the parts: shares of words, or of characters.

        Characters of the whole text, so that none is unseen; words and subwords of the training part, whatever else
        there is becomes unknown.
        """
        # A part is ids and the same ids shifted by one: it takes two to have one target.
        shares = in_order(self.split, "a text")
        if self.tokens == "word":
            words = split_words(text)
            parts = split_slices(len(words), shares, least=2, what="words")
            vocabulary = Vocabulary.from_words(words[parts[0]], self.max_vocab)
            return vocabulary, [vocabulary.encode_words(words[part]) for part in parts]
        parts = split_slices(len(text), shares, least=2, what="chars")
        learnt_of = text if self.tokens == "char" else text[parts[0]]
        vocabulary = Vocabulary.from_text(learnt_of, self.tokens, self.max_vocab)
        return vocabulary, [vocabulary.encode(text[part]) for part in parts]

    def _evaluation(self, ids: Array, name: str) -> Streams | None:
        return evaluation_streams(ids, self.batch_size, self.seq_len, name) if ids.size else None


def _facts(text: str, vocabulary: Vocabulary, parts: list[Ids]) -> dict[str, int | float]:
    names = ("train_tokens", "validation_tokens", "test_tokens")
    sizes = {name: len(part) for name, part in zip(names, parts, strict=True)}
    return {"vocab_size": len(vocabulary), "characters": len(text), **sizes}
