"""Compression: any bytes come back, whatever is damaged is refused, and text becomes smaller than with bzip2."""

from __future__ import annotations

import bz2
import hashlib
import pydoc_data.topics
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from runs import minidl_run, write_experiment

from minidl.cli.main import main
from minidl.compression import compress, decompress
from minidl.compression.arithmetic_coder import BITS, Decoder, Encoder
from minidl.compression.container import DIGEST
from minidl.compression.contexts import Contexts
from minidl.compression.matches import LENGTH, Matches
from minidl.compression.mixture import ContextMixer
from minidl.model import Model
from minidl.system.errors import CheckpointError, DataError

TEXT = "".join(pydoc_data.topics.topics.values())[:4000].encode()


@given(st.binary(max_size=300))
@settings(max_examples=25, deadline=None)
def test_any_bytes_come_back(data: bytes) -> None:
    assert decompress(compress(data)) == data


@given(st.lists(st.integers(0, 3), max_size=400), st.integers(1, 1 << 19))
@settings(max_examples=100, deadline=None)
def test_the_coder_writes_what_the_frequencies_say(symbols: list[int], rare: int) -> None:
    """Skewed frequencies reach every branch: carries, and intervals that are widened byte by byte."""
    sizes = [rare, 1, 1, (1 << BITS) - rare - 2]
    starts = np.concatenate([[0], np.cumsum(sizes)]).tolist()
    encoder = Encoder()
    for symbol in symbols:
        encoder.encode(starts[symbol], sizes[symbol])
    written = encoder.finish()
    bits = sum(BITS - np.log2(sizes[symbol]) for symbol in symbols)
    assert len(written) <= bits / 8 + 10
    decoder = Decoder(written)
    for symbol in symbols:
        place = decoder.place()
        found = next(k for k in range(4) if place < starts[k + 1])
        assert found == symbol
        decoder.narrow(starts[found], sizes[found])


def test_a_text_becomes_smaller_than_with_bzip2() -> None:
    packed = compress(TEXT * 3)
    assert decompress(packed) == TEXT * 3
    assert len(packed) < len(bz2.compress(TEXT, 9)) * 1.5


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_damage_is_refused(data: st.DataObject) -> None:
    packed = _packed()
    place = data.draw(st.integers(0, len(packed) - 1))
    if data.draw(st.booleans()):
        damaged = packed[:place]
    else:
        damaged = packed[:place] + bytes([packed[place] ^ data.draw(st.integers(1, 255))]) + packed[place + 1 :]
    with pytest.raises(DataError):
        decompress(damaged)


def test_a_file_of_another_version_is_refused() -> None:
    older = _packed().replace(b"minidl compressed 2", b"minidl compressed 1")[:-DIGEST]
    with pytest.raises(DataError, match="by another version of minidl"):
        decompress(older + hashlib.sha256(older).digest())


_PACKED: list[bytes] = []


def _packed() -> bytes:
    if not _PACKED:
        _PACKED.append(compress(TEXT[:500]))
    return _PACKED[0]


def test_contexts_learn_what_comes_next_and_stay_distributions() -> None:
    mixer, network = ContextMixer(2, np.zeros(5, int), 800), np.full((2, 5), np.log(0.2), np.float32)
    told = []
    for step in range(400):
        p = mixer.mix(network)
        np.testing.assert_allclose(p.sum(axis=1), 1, rtol=1e-5)
        next_symbols = np.array([step % 5, (2 * step) % 5])
        told.append(p[[0, 1], next_symbols])
        mixer.learn(next_symbols, np.array([True, True]))
    assert np.min(told[-50:]) > 0.9


def test_a_context_of_words_forgets_what_a_word_was_parted_by() -> None:
    """Symbols 1 and 2 are one letter, small and capital; 0 and 3 part words."""
    hashes = []
    for text in ([1, 0, 1, 1, 0, 1], [2, 3, 1, 2, 3, 3, 1], [1, 0, 1, 0, 1]):
        contexts = Contexts(1, np.array([0, 7, 7, 0]))
        for symbol in text:
            contexts.read(np.array([symbol]))
        hashes.append(contexts.hashes()[:, 0])
    words = slice(-3, None)
    assert (hashes[0][words] == hashes[1][words]).all()
    assert (hashes[0][words] == hashes[2][words]).tolist() == [True, False, False]


def test_what_was_read_long_ago_in_another_stream_is_expected_again() -> None:
    text = np.random.default_rng(0).integers(0, 9, 3 * LENGTH)
    again = np.concatenate([text[::-1], text])  # the second stream reads later what the first one begins with
    matches, log_p = Matches(2), np.zeros((2, 9), np.float32)
    for step, symbols in enumerate(zip(np.concatenate([text, text[::-1]]), again, strict=True)):
        matches.find(log_p)
        np.testing.assert_allclose(np.exp(log_p[matches.is_found]).sum(axis=1), 1, rtol=1e-5)
        if step >= len(text) + LENGTH:
            assert matches.is_found.all()
            assert (log_p.argmax(axis=1) == symbols).all()
        matches.read(np.array(symbols))


def test_counts_that_are_full_are_halved() -> None:
    mixer, network = ContextMixer(1, np.zeros(2, int), 600), np.full((1, 2), np.log(0.5), np.float32)
    for _ in range(600):
        mixer.mix(network)
        mixer.learn(np.array([1]), np.array([True]))
    assert mixer.mix(network)[0, 1] > 0.95


def test_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    write_experiment(tmp_path, log={"every": {"steps": 5}, "tensorboard": False})
    assert minidl_run("tiny.yaml", "train.steps=10") == 0
    Path("book.txt").write_bytes("the quick brown fox ☃ jumps\xff".encode() + b"\xff\x00")
    original = Path("book.txt").read_bytes()
    for options in ([], ["--run", "tiny"]):
        assert main(["compress", "book.txt", *options]) == 0
        assert main(["decompress", "book.txt.minidl", *options]) == 2, "book.txt is there"
        assert main(["decompress", "book.txt.minidl", *options, "--out", "copy.txt", "--force"]) == 0
        assert Path("copy.txt").read_bytes() == original
        assert main(["compress", "book.txt", *options]) == 2, "it is not overwritten"
        if options:
            assert main(["decompress", "book.txt.minidl", "--out", "other"]) == 4, "without the model"
        Path("book.txt.minidl").unlink()
    assert main(["decompress", "book.txt", "--out", "other"]) == 3
    assert not Path("other").exists()


def test_another_model_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_experiment(tmp_path, log={"every": {"steps": 5}, "tensorboard": False})
    assert minidl_run("tiny.yaml", "train.steps=4") == 0
    model = Model.load("runs/tiny/001/checkpoints/last")
    packed = compress(b"the quick brown fox", model)
    assert decompress(packed, model) == b"the quick brown fox"
    model.weights.flat[0] += 1e-3
    with pytest.raises(CheckpointError, match="which is not the one given"):
        decompress(packed, model)
