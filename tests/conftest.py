"""Fixtures that many tests share: a generator, and the character model of the README in small."""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from minidl import Input, Model
from minidl.layers import LSTM, Dense, OneHot, SoftmaxCE

# The layers' own code is what most tests are about; tests/test_kernels.py sets the compiled twins against it.
os.environ.setdefault("MINIDL_KERNELS", "numpy")
# Where bytecode is not kept, each run that a test starts would compile all that it imports anew: twice the time.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False
# Looking for garbage took a seventh of the time of the tests: it is done less often.
gc.set_threshold(100_000)
# A test is no slower for a machine that has more to do.
with contextlib.suppress(ImportError):
    from hypothesis import settings

    settings.register_profile("minidl", deadline=None)
    settings.load_profile("minidl")
# A shell that starts the tests in the background ignores Ctrl-C on their behalf, and so would the runs that they stop.
signal.signal(signal.SIGINT, signal.default_int_handler)
# Runs flush what they write to the disk, thousands of times in all: a disk in memory takes no time for it.
MEMORY = Path("/dev/shm")
if MEMORY.is_dir():
    about = os.statvfs(MEMORY)
    programs_may_run = not about.f_flag & os.ST_NOEXEC
    if programs_may_run and os.access(MEMORY, os.W_OK) and about.f_bavail * about.f_frsize > 2 << 30:
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))


def pytest_collection_finish() -> None:
    """What is imported and collected stays, and is looked through no more."""
    gc.freeze()


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture
def char_model() -> Model:
    """OneHot, LSTM, Dense, SoftmaxCE over 5 symbols, in float64."""
    ids = Input("ids", dtype="int", depth=5)
    targets = Input("targets", dtype="int", depth=5)
    logits = Dense(5, name="logits")(LSTM(4, name="lstm")(OneHot()(ids)))
    return Model(SoftmaxCE(name="loss")(logits, targets), outputs={"logits": logits}, dtype="float64")


@pytest.fixture
def batch(rng: np.random.Generator) -> dict[str, NDArray[Any]]:
    """Feeds for `char_model`: a window of 6 steps of 2 streams."""
    text = rng.integers(5, size=(7, 2))
    return {"ids": text[:-1].copy(), "targets": text[1:].copy()}
