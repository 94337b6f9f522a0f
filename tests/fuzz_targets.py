"""What is fuzzed: for each thing that minidl reads, sound inputs, what reads them, and how they are spoiled."""

from __future__ import annotations

import contextlib
import io
import json
import random
import resource
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from runs import TINY, no_longer_than

from minidl import Input, Model
from minidl.callbacks import Evaluate, RunLog, TrainMetrics
from minidl.data import Data, Vocabulary, join_words, split_words
from minidl.data.sources import decode_text
from minidl.experiment import read_experiment
from minidl.layers import LSTM, Dense, Embedding, SoftmaxCE
from minidl.optim import Adam
from minidl.storage.archive import _SEAL_SIZE, _digest, read_archive, write_archive
from minidl.system.errors import MinidlError
from minidl.training.checkpoint import capture, restore, saved_progress
from minidl.training.trainer import Trainer

SECONDS = 20  # that one input may take
ROOM = 1 << 30  # bytes that all of them may take beyond what is there at first
TEXT = "the quick brown fox jumps over the lazy dog.\n" * 6
TABLE = "name,label,x\n" + "".join(f'"n{i}, o",{"ab"[i % 2]},{i / 7}\n' for i in range(30))
# What often breaks readers, of numbers, of texts, of YAML and of names.
TOKENS = (
    b"0|-1|1e999|99999999999999999999|2147483648|.nan|.inf|null|true|''|\"|\\|\0|\xff|\xed\xa0\x80|\xef\xbb\xbf|\r\n|\t|"
    b"  |- |: |{|}|[|]|&a |*a|!!python/name:os.system |<<: |---\n|...\n|${data.vocab_size}|${model}|../|%|#|"
    b"type|units|name|inputs|minutes|steps|source|shape|B|T"
).split(b"|")


def trainer(folder: Path) -> Trainer:
    """A small run with all that a checkpoint holds, after two steps."""
    data = Data.from_config({"type": "text", "source": "text.txt", "batch_size": 2, "seq_len": 4}).load(folder)
    depth = len(data.vocabulary or ())
    ids, targets = (Input(name, dtype="int", depth=depth) for name in ("ids", "targets"))
    model = Model(SoftmaxCE()(Dense(depth)(LSTM(3, dropout=0.1)(Embedding(2)(ids))), targets))
    model.vocabulary = data.vocabulary
    callbacks = [TrainMetrics(), Evaluate(), RunLog(folder=folder)]
    return Trainer(model, data, Adam(lr=0.01), steps=2, callbacks=callbacks)


class Targets:
    """What is fuzzed: for each name, sound inputs and what reads them. All files lie in one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "text.txt").write_text(TEXT)
        (folder / "book.txt").write_text(TEXT * 100)  # long enough for the shipped experiments
        self.trainer = trainer(folder)
        self.trainer.run()
        arrays, self.meta = capture(self.trainer)
        write_archive(folder / "sound.npz", arrays, self.meta)
        (folder / "sound.yaml").write_text(json.dumps({**TINY, "data": {**TINY["data"], "batch_size": 2}}))
        self.targets: dict[str, tuple[list[bytes], Callable[[bytes], None]]] = {
            "experiment": (self._experiments(), self.experiment),
            "override": ([b"optimizer.lr=1e-3", b"train={epochs: 2}", b"model.layers.1.units=9"], self.override),
            "archive": ([(folder / "sound.npz").read_bytes()], self.archive),
            "sealed": ([(folder / "sound.npz").read_bytes()[:-_SEAL_SIZE]], self.sealed),
            "meta": ([json.dumps(self.meta).encode()], self.checkpoint),
            "text": ([TEXT.encode(), "äöü 𝔘 <unk>\r\n\ufeff".encode() * 20], self.text),
            "vocabulary": ([Vocabulary.from_text(TEXT, "char", None).to_json().encode()], self.vocabulary),
            "table": ([TABLE.encode()], self.table),
            "arrays": (self._arrays(), self.arrays),
        }

    def _experiments(self) -> list[bytes]:
        shipped = [path.read_text() for path in sorted((Path(__file__).parent.parent / "experiments").glob("*.yaml"))]
        few = [text.replace("pydoc_topics", "book.txt") for text in shipped if "pydoc_topics" in text]
        return [(self.folder / "sound.yaml").read_bytes(), *(text.encode() for text in few)]

    def _arrays(self) -> list[bytes]:
        file = io.BytesIO()
        np.savez(file, x=np.zeros((5, 12, 2), np.float32), targets=np.arange(12) % 3, lengths=np.full(12, 5))
        return [file.getvalue()]

    def experiment(self, data: bytes) -> None:
        (self.folder / "fuzzed.yaml").write_bytes(data)
        read_experiment(self.folder / "fuzzed.yaml").resolved()

    def override(self, data: bytes) -> None:
        read_experiment(self.folder / "sound.yaml", [data.decode("utf-8", "surrogateescape")])

    def archive(self, data: bytes) -> None:
        (self.folder / "fuzzed.npz").write_bytes(data)
        self._load(self.folder / "fuzzed.npz")

    def sealed(self, data: bytes) -> None:
        self.archive(data + _digest([data]))

    def checkpoint(self, data: bytes) -> None:
        try:
            meta = json.loads(data.decode("utf-8", "replace"))
        except (ValueError, RecursionError):
            return
        if isinstance(meta, dict):
            arrays = read_archive(self.folder / "sound.npz").arrays
            write_archive(self.folder / "fuzzed.npz", arrays, meta)
            self._load(self.folder / "fuzzed.npz")

    def _load(self, path: Path) -> None:
        with contextlib.suppress(MinidlError):
            Model.load(path)
        archive = read_archive(path)
        saved_progress(archive, "fuzzed")
        restore(self.trainer, archive, "fuzzed")

    def text(self, data: bytes) -> None:
        (self.folder / "fuzzed.txt").write_bytes(data)
        text = decode_text(data, "fuzzed")
        words = split_words(text)
        assert join_words(words) == text or "\n" in text or text.strip() != text
        for tokens in ("char", "word"):
            settings = {"type": "text", "source": "fuzzed.txt", "tokens": tokens, "batch_size": 2, "seq_len": 3}
            Data.from_config(settings).load(self.folder).train.batch(0)

    def vocabulary(self, data: bytes) -> None:
        vocabulary = Vocabulary.from_json(data.decode("utf-8", "replace"))
        vocabulary.decode(vocabulary.encode("the fox, né", unknown="skip"))

    def table(self, data: bytes) -> None:
        (self.folder / "fuzzed.csv").write_bytes(data)
        tasks: list[dict[str, Any]] = [
            {"type": "classification", "text": "name", "label": "label"},
            {"type": "forecasting", "columns": ["x"], "window": 3, "horizon": 1},
        ]
        for task in tasks:
            with contextlib.suppress(MinidlError):
                Data.from_config({"type": "table", "source": "fuzzed.csv", "task": task}).load(self.folder).train.batch(
                    0
                )

    def arrays(self, data: bytes) -> None:
        (self.folder / "fuzzed.npz").write_bytes(data)
        Data.from_config({"type": "arrays", "source": "fuzzed.npz", "batch_size": 2}).load(self.folder).train.batch(0)


def mutated(sound: bytes, others: list[bytes], rng: random.Random) -> bytes:
    """An input with some bytes changed, left out, repeated, or replaced by others' or by what often breaks readers."""
    data = bytearray(sound)
    for _ in range(rng.choice((1, 1, 2, 3, 5, 9))):
        at, length = rng.randrange(len(data) + 1), rng.choice((1, 1, 2, 4, 9, 40))
        kind = rng.randrange(6)
        if kind == 0 and at < len(data):
            data[at] ^= 1 << rng.randrange(8)
        elif kind == 1:
            del data[at : at + length]
        elif kind == 2:
            data[at:at] = data[at : at + length] * rng.choice((1, 2, 30))
        elif kind == 3:
            other = rng.choice(others)
            start = rng.randrange(len(other) + 1)
            data[at : at + length] = other[start : start + length]
        else:
            data[at : at + rng.choice((0, length))] = rng.choice(TOKENS)
    return bytes(data)


def trouble(read: Callable[[bytes], None], data: bytes) -> str:
    """A traceback of what came out and is no error of minidl's; nothing where all is well."""
    try:
        with no_longer_than(SECONDS):
            read(data)
    except MinidlError:
        return ""
    except Exception:
        return traceback.format_exc()
    return ""


def limit_memory() -> None:
    """Let this process take little, so that what asks for much is refused."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + ROOM, resource.RLIM_INFINITY))
