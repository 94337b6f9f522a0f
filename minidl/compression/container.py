"""The file of compressed data: what made it, the bytes of the coder, and checksums of both ends.

    minidl compressed 2\\n   a line of JSON   literals   code   sha256 of all before

Both sides have to compute the same bits: a file says by which model, on which kernels and processor it was written.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from dataclasses import dataclass

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from minidl.compression.coded_streams import MOST_STREAMS, decode, encode, streams_for
from minidl.compression.symbol_predictor import Predictor, untrained
from minidl.engine.dispatch import in_use
from minidl.graph.arrays import Array
from minidl.model import Model
from minidl.system.errors import CheckpointError, DataError, UsageError

FORMAT, VERSION = b"minidl compressed ", b"2\n"
DIGEST = 32  # bytes of a sha256


class Header(BaseModel):
    """What a file says of itself. alphabet: the bytes that occur, where no trained model has a vocabulary."""

    model_config = ConfigDict(extra="forbid", strict=True)
    size: int = Field(ge=0)
    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    symbols: int = Field(ge=0)
    streams: int = Field(ge=1, le=MOST_STREAMS)
    alphabet: str | None = Field(pattern="^([0-9a-f]{2})*$")
    model: str | None = Field(pattern="^[0-9a-f]{64}$")
    literals: int = Field(ge=0)
    made_by: dict[str, str]


@dataclass(frozen=True)
class Alphabet:
    """The symbols of a file: the characters that a trained model knows and one for all others, or the bytes that occur.

    known: each symbol by its text, or by its byte.
    """

    known: tuple[str, ...]
    of_bytes: bool

    @property
    def size(self) -> int:
        """Symbols, with that for what is not known."""
        return len(self.known) + (not self.of_bytes)

    def letters(self) -> Array:
        """What each symbol is within a word: a number that capitals and small letters share; 0 for what ends a word."""
        letters = [ord(symbol.lower()[0]) if symbol.isalnum() else 0 for symbol in self.known]
        return np.array([*letters, 0][: self.size], np.int64)

    def encode(self, data: bytes) -> tuple[Array, bytes]:
        """Symbols, and the text of those that are not known."""
        text = data.decode("latin-1") if self.of_bytes else data.decode("utf-8", "surrogateescape")
        places = {symbol: i for i, symbol in enumerate(self.known)}
        symbols = np.array([places.get(symbol, len(places)) for symbol in text], np.int64)
        strange = "".join(symbol for symbol in text if symbol not in places)
        return symbols, zlib.compress(strange.encode("utf-8", "surrogateescape"), 9) if strange else b""

    def decode(self, symbols: Array, literals: bytes) -> bytes:
        """The data again."""
        strange = iter(zlib.decompress(literals).decode("utf-8", "surrogateescape") if literals else "")
        text = "".join(self.known[i] if i < len(self.known) else next(strange) for i in symbols.tolist())
        return text.encode("latin-1") if self.of_bytes else text.encode("utf-8", "surrogateescape")


def compress(data: bytes, model: Model | None = None) -> bytes:
    """The data, smaller. model: a trained model of characters, which the other side needs as well; None for none.

    >>> decompress(compress(b"abracadabra"))
    b'abracadabra'
    """
    alphabet = _alphabet(model, sorted(set(data)))
    symbols, literals = alphabet.encode(data)
    streams = streams_for(len(symbols))
    code = encode(symbols, _predictor(model, alphabet, streams, len(symbols)), streams) if len(symbols) else b""
    header = Header(
        size=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        symbols=len(symbols),
        streams=streams,
        alphabet=bytes(map(ord, alphabet.known)).hex() if alphabet.of_bytes else None,
        model=None if model is None else digest(model),
        literals=len(literals),
        made_by=_made_by(),
    )
    blob = FORMAT + VERSION + header.model_dump_json().encode() + b"\n" + literals + code
    return blob + hashlib.sha256(blob).digest()


def decompress(blob: bytes, model: Model | None = None) -> bytes:
    """What `compress` was given; DataError for a damaged file, CheckpointError for another model or processor."""
    header, body = _opened(blob)
    if header.model != (None if model is None else digest(model)):
        which = "without a trained model" if header.model is None else f"by the model {header.model[:12]}"
        raise CheckpointError(f"it was compressed {which}, which is not the one given")
    alphabet = _alphabet(model, list(bytes.fromhex(header.alphabet or "")))
    symbols = np.zeros(0, np.int64)
    if header.symbols:
        predictor = _predictor(model, alphabet, header.streams, header.symbols)
        symbols = decode(body[header.literals :], header.symbols, predictor, header.streams)
    try:
        data = alphabet.decode(symbols, body[: header.literals])
    except (StopIteration, zlib.error, IndexError):
        data = b""
    if hashlib.sha256(data).hexdigest() != header.sha256:
        changed = {name: (was, _made_by().get(name)) for name, was in header.made_by.items()}
        differing = [f"{name} {was}, now {now}" for name, (was, now) in changed.items() if was != now]
        raise CheckpointError(
            "decompression came to other data: it needs every bit to be computed as before "
            f"({'; '.join(differing) or 'nothing that is recorded has changed'})"
        )
    return data


def digest(model: Model) -> str:
    """A sha256 of the wiring and the weights of a model."""
    described = json.dumps(model.config(), sort_keys=True).encode()
    return hashlib.sha256(described + model.weights.flat.tobytes()).hexdigest()


def _opened(blob: bytes) -> tuple[Header, bytes]:
    if not blob.startswith(FORMAT):
        raise DataError("it is no file that minidl has compressed")
    inner, start = blob[:-DIGEST], len(FORMAT + VERSION)
    if len(blob) < start + DIGEST or hashlib.sha256(inner).digest() != blob[-DIGEST:]:
        raise DataError("the file is damaged or cut off: its checksum does not fit")
    if inner[len(FORMAT) : start] != VERSION:
        raise DataError("it was compressed by another version of minidl: decompress it with the one that made it")
    line, _, body = inner[start:].partition(b"\n")
    try:
        return Header.model_validate_json(line), body
    except ValidationError:
        raise DataError("the file says nothing that minidl could have written") from None


def _alphabet(model: Model | None, occurring: list[int]) -> Alphabet:
    if model is None:
        return Alphabet(tuple(map(chr, occurring)), of_bytes=True)
    if model.vocabulary is None or any(len(symbol) != 1 for symbol in model.vocabulary.symbols):
        raise UsageError("a file is compressed by a model of characters, such as char_lstm")
    return Alphabet(tuple(model.vocabulary.symbols), of_bytes=False)


def _predictor(model: Model | None, alphabet: Alphabet, streams: int, length: int) -> Predictor:
    network = untrained(alphabet.size) if model is None else model
    return Predictor(network, streams, alphabet.letters(), length, begun=model is not None)


def _made_by() -> dict[str, str]:
    import platform

    from minidl.system.version import __version__

    return {
        "minidl": __version__,
        "numpy": np.__version__,
        "kernels": in_use(),
        "machine": platform.machine(),
    }
