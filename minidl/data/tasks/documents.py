"""Documents: texts of their own, such as names, log lines or tunes, for a language model that begins and ends them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Annotated, Literal

import numpy as np
from annotated_types import Ge

from minidl.data.batches import Array, ArraySpec, Batches, Dataset
from minidl.data.independent import Independent, Order, Part
from minidl.data.padded import IGNORED, PADDING, pad
from minidl.data.ragged import Ragged
from minidl.data.sources.lines import COLUMN
from minidl.data.sources.rows import Rows
from minidl.data.tasks.reader import Answers, Reader
from minidl.data.tasks.sequence_task import tell_cut, three_parts
from minidl.data.tasks.split import Kind
from minidl.data.tasks.start_end import ends_of, with_ends
from minidl.data.tasks.task import Settings, Task
from minidl.data.tasks.text_input import TextInput
from minidl.data.vocabulary import Vocabulary
from minidl.system.errors import DataError, UsageError


class DocumentBatches(Independent):
    """Texts, each between START and END, as a model reads and predicts them.

        ids (T, B): START and the text;   targets (T, B): the text and END, then -1

    sequences: the ids of each, START and END included; a text that was cut has no END.

    >>> sequences = Ragged(np.array([8, 1, 2, 9, 8, 3, 9]), [4, 3])
    >>> documents = DocumentBatches(sequences, batch_size=2, rows=np.arange(2))
    >>> {name: array.T.tolist() for name, array in documents.batch(0).inputs.items()}
    {'ids': [[8, 1, 2], [8, 3, 0]], 'targets': [[1, 2, 9], [3, 9, -1]]}
    """

    def __init__(self, sequences: Ragged, batch_size: int, rows: Array) -> None:
        lengths = sequences.lengths - 1
        super().__init__(len(sequences), batch_size, 0, False, int(lengths.sum()), lengths=lengths, rows=rows)
        self.sequences = sequences

    def take(self, chosen: Order) -> dict[str, Array]:
        """These texts, padded."""
        found = [self.sequences[i] for i in chosen]
        return {"ids": pad([ids[:-1] for ids in found], PADDING), "targets": pad([ids[1:] for ids in found], IGNORED)}


@dataclass(frozen=True)
class DocumentsReader(Reader):
    """Texts, and how likely a model takes them to be. drop: whether empty ones are left out."""

    input: TextInput
    drop: bool = field(default=False, kw_only=True)

    @property
    def columns(self) -> tuple[str, ...]:
        return self.input.columns

    @property
    def targets(self) -> tuple[str, ...]:
        return ()

    @property
    def ends(self) -> tuple[int, int]:
        """The ids of START and END."""
        return ends_of(self.vocabulary)

    def read(self, rows: Rows, *, targets: bool = False, batch_size: int = 32) -> DocumentBatches:
        kept = np.flatnonzero(~self.input.empty(rows)) if self.drop else np.arange(len(rows))
        if not len(kept):
            raise DataError(f"{rows.name}: every row is empty, so that none is left")
        used = rows if len(kept) == len(rows) else rows.take(kept)
        texts = self.input.read(used, self.vocabulary, self.unseen).values
        return DocumentBatches(enclosed(texts, self.ends, self.input.is_cut(used)), batch_size, kept)

    def decode(self, outputs: Array, examples: Independent, chosen: Order) -> Answers:
        """The bits that a symbol of each text takes, its end included: many where it is unlike those of training."""
        targets = examples.take(chosen)["targets"]
        logits = outputs.astype(np.float64) - outputs.max(axis=-1, keepdims=True)
        chosen_logits = np.take_along_axis(logits, np.maximum(targets, 0)[..., None], axis=-1)[..., 0]
        nats = np.where(targets >= 0, np.log(np.exp(logits).sum(axis=-1)) - chosen_logits, 0.0)
        return {"prediction": (nats.sum(axis=0) / (targets >= 0).sum(axis=0) / np.log(2)).tolist()}


@dataclass(frozen=True)
class Documents(Task):
    """The next symbol of texts that begin and end.        ids (T, B) -> targets (T, B), -1 past the end

    `text`: the column of the texts; None: the source is plain text, and each line is one. tokens: whether characters or
    words are predicted. max_vocab: size of the vocabulary, "<unk>", start and end included; None for all that occurs.
    """

    text: str | None = None
    tokens: Literal["char", "word"] = field(default="char", kw_only=True)
    max_vocab: Annotated[int, Ge(4)] | None = field(default=None, kw_only=True)

    @property
    def reads_lines(self) -> bool:
        return self.text is None

    @property
    def unit(self) -> Literal["char", "word", "step"]:
        return self.tokens

    def wanted(self) -> tuple[str, ...]:
        return (self.text or COLUMN,)

    def dataset(self, rows: Rows, settings: Settings) -> Dataset:
        """The texts as padded batches."""
        if settings.weight is not None or settings.missing in ("fill", "mask"):
            raise UsageError("documents have no weights, and nothing to fill or mask")
        drop = settings.missing == "drop"
        given = TextInput(self.text or COLUMN, self.tokens, False, settings.max_length, settings.normalise)
        rows = rows.take(np.flatnonzero(~given.empty(rows))) if drop and given.empty(rows).any() else rows
        owners = None if settings.group is None else list(rows.column(settings.group))
        default: Kind = "random" if owners is None else "group"
        parts = settings.parts(len(rows), default, groups=owners)
        vocabulary = self._vocabulary(given, rows, parts[0])
        reader = DocumentsReader(given, drop=drop).with_vocabulary(vocabulary)
        examples = reader.read(rows, targets=True)
        tell_cut(rows, given, settings)
        train, validation, test = three_parts(examples, parts, settings)
        spec = ArraySpec("int", len(vocabulary), ("T", "B"))
        return Dataset(
            train=train,
            validation=validation,
            test=test,
            inputs={"ids": spec, "targets": spec},
            facts={
                "vocab_size": len(vocabulary),
                "train_sequences": train.count,
                "train_tokens": int(train.lengths.sum()),
            },
            vocabulary=vocabulary,
            digest=rows.digest,
            unit=self.tokens,
            metadata={"reader": reader.config()},
            reader=reader,
            places=(rows.name, rows.lines),
        )

    def _vocabulary(self, given: TextInput, rows: Rows, training: Order) -> Vocabulary:
        """START and END, and characters of all rows, or words of the training part."""
        counts: Counter[str] = Counter()
        for texts in given.texts(rows, training if self.tokens == "word" else None):
            for text in texts:
                counts.update(text)
        return with_ends(counts, self.tokens, self.max_vocab)


def enclosed(texts: Ragged, ends: tuple[int, int], cut: Array) -> Ragged:
    """The ids of texts between those of START and END; without END where a text was cut.

    >>> enclosed(Ragged(np.array([1, 2, 3]), [2, 1]), (8, 9), np.array([False, True])).values.tolist()
    [8, 1, 2, 9, 8, 3]
    """
    lengths = texts.lengths + 1 + ~cut
    values = np.empty(int(lengths.sum()), np.int32)
    begins = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    within = np.ones(len(values), bool)
    within[begins] = False
    lasts = (begins + lengths - 1)[~cut]
    within[lasts] = False
    values[begins], values[lasts], values[within] = ends[0], ends[1], texts.values
    return Ragged(values, lengths)


def texts_of(part: Batches, vocabulary: Vocabulary) -> frozenset[str]:
    """The documents of a part, as a model could write them."""
    if not isinstance(part, Part) or not isinstance(part.examples, DocumentBatches):
        return frozenset()
    sequences, ends = part.examples.sequences, ends_of(vocabulary)
    ids = (sequences[i] for i in part.chosen.tolist())
    return frozenset(vocabulary.decode(each[~np.isin(each, ends)]) for each in ids)
