"""Streams: each target once and in order, views of one array, and clear words where the data is too short."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minidl.data import Streams, evaluation_streams
from minidl.system.errors import DataError, UsageError


def windows(streams):
    return [streams.batch(step) for step in range(streams.steps_per_epoch)]


@given(st.integers(2, 200), st.integers(1, 9), st.integers(1, 12), st.booleans())
@settings(deadline=None, max_examples=300)
def test_each_target_once_and_in_order(n, batch_size, seq_len, partial):
    length = (n - 1) // batch_size
    if length < (1 if partial else seq_len):
        with pytest.raises(DataError):
            Streams(np.arange(n), batch_size, seq_len, partial)
        return
    streams = Streams(np.arange(n), batch_size, seq_len, partial)
    batches = windows(streams)
    targets = np.concatenate([batch.inputs["targets"] for batch in batches])
    kept = length if partial else length // seq_len * seq_len
    assert targets.shape == (kept, batch_size)
    for stream in range(batch_size):
        assert np.array_equal(targets[:, stream], np.arange(kept) + stream * length + 1)
    assert all(np.array_equal(b.inputs["ids"] + 1, b.inputs["targets"]) for b in batches)
    assert [b.reset_state for b in batches] == [True] + [False] * (len(batches) - 1)
    assert all(b.inputs["ids"].size == streams.tokens_per_step for b in batches[:-1])
    assert np.array_equal(streams.ids(), np.arange(batch_size * length + 1))


@given(st.integers(2, 120), st.integers(1, 12))
@settings(deadline=None)
def test_one_stream_is_read_as_a_plain_loop_reads_it(n, seq_len):
    starts = range(0, n - seq_len, seq_len)
    if not starts:
        return
    batches = windows(Streams(np.arange(n), 1, seq_len))
    assert [int(b.inputs["ids"][0, 0]) for b in batches] == list(starts)


def test_windows_are_views_of_one_contiguous_array():
    streams = Streams(np.arange(101, dtype=np.int32), 4, 5)
    first, second = streams.batch(0).inputs, streams.batch(1).inputs
    assert np.shares_memory(first["ids"], first["targets"])
    assert np.shares_memory(first["targets"], second["ids"])
    assert first["ids"].flags.c_contiguous
    assert first["ids"].dtype == np.int32
    assert first["ids"].shape == (5, 4)


def test_steps_count_on_over_epochs():
    streams = Streams(np.arange(41), 2, 5)
    for step in range(streams.steps_per_epoch):
        again = streams.batch(step + 3 * streams.steps_per_epoch)
        assert np.array_equal(again.inputs["ids"], streams.batch(step).inputs["ids"])
        assert again.reset_state == (step == 0)


def test_a_text_shorter_than_a_window():
    message = "book: 40 ids are too few for 1 stream with a window of 64 each, which take 65: set seq_len to 39 or less"
    with pytest.raises(DataError, match=re.escape(message)):
        Streams(np.arange(40), 1, 64, name="book")


@pytest.mark.parametrize("ids", [np.arange(0), np.arange(1)])
def test_a_text_without_a_target(ids):
    with pytest.raises(DataError, match="take 2: use more data"):
        Streams(ids, 1, 1, partial=True)


def test_more_streams_than_windows():
    with pytest.raises(DataError) as caught:
        Streams(np.arange(1000), 32, 64)
    assert "1000 ids" in str(caught.value)
    assert "take 2049" in str(caught.value)
    assert "set batch_size to 15 or less, set seq_len to 31 or less or use more data" in str(caught.value)
    for batch_size, seq_len in [(15, 64), (32, 31)]:
        assert Streams(np.arange(1000), batch_size, seq_len).steps_per_epoch >= 1
    for batch_size, seq_len in [(16, 64), (32, 32)]:
        with pytest.raises(DataError):
            Streams(np.arange(1000), batch_size, seq_len)


@pytest.mark.parametrize("ids", [np.arange(9.0), np.zeros((3, 3), int), np.array([1, -1, 2]), np.array(["a", "b"])])
def test_what_is_not_a_row_of_ids(ids):
    with pytest.raises(DataError, match="id"):
        Streams(ids, 1, 1)


@pytest.mark.parametrize("ids", [np.arange(20)[::2], np.arange(10, dtype=np.uint8), np.broadcast_to(np.int64(3), 10)])
def test_odd_but_sound_ids(ids):
    assert np.array_equal(Streams(ids, 3, 3).ids(), ids)


@pytest.mark.parametrize(("batch_size", "seq_len"), [(0, 5), (5, 0), (-1, 5)])
def test_sizes_below_one(batch_size, seq_len):
    for make in (Streams, evaluation_streams):
        with pytest.raises(UsageError, match="1 or more"):
            make(np.arange(100), batch_size, seq_len)


@given(st.integers(2, 3000), st.integers(1, 40), st.integers(1, 50))
@settings(deadline=None)
def test_evaluation_takes_any_split_and_leaves_streams_long(n, batch_size, seq_len):
    streams = evaluation_streams(np.arange(n), batch_size, seq_len)
    width = streams.batch(0).inputs["ids"].shape[1]
    assert 1 <= width <= batch_size
    assert width == 1 or streams.steps_per_epoch >= 8
    assert sum(b.inputs["targets"].size for b in windows(streams)) == (n - 1) // width * width
