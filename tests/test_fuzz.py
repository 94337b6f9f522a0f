"""A short part of the fuzzing in `fuzz.py`, always the same; `python tests/fuzz.py` goes on for an hour."""

from __future__ import annotations

import contextlib
import json
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fuzz_targets
import pytest
from fuzz import NAMES
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from runs import launch

from minidl.system.errors import DataError, MinidlError

INPUTS = 60  # of each target
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
FEW = settings(derandomize=True, max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.fixture(scope="module")
def targets(tmp_path_factory: pytest.TempPathFactory) -> Iterator[fuzz_targets.Targets]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MINIDL_KERNELS", "numpy")
        yield fuzz_targets.Targets(tmp_path_factory.mktemp("fuzz"))


@pytest.mark.parametrize("name", NAMES)
def test_only_our_own_errors_come_out(name: str, targets: fuzz_targets.Targets, tmp_path: Path) -> None:
    assert set(targets.targets) == set(NAMES)

    def work() -> int:
        fuzz_targets.limit_memory()
        seeds, read = targets.targets[name]
        rng = random.Random(0)
        for _ in range(INPUTS):
            data = fuzz_targets.mutated(rng.choice(seeds), seeds, rng)
            what = fuzz_targets.trouble(read, data)
            if what:
                print(data, what)
                return 1
        return 0

    ended = launch(tmp_path, work).wait()
    assert ended.code == 0, ended.out + ended.err


@pytest.mark.parametrize("name", NAMES)
def test_sound_inputs_are_sound(name: str, targets: fuzz_targets.Targets) -> None:
    seeds, read = targets.targets[name]
    for seed in seeds:
        read(seed)


def places(tree: Any) -> Iterator[tuple[Any, Any]]:
    """Every value in a tree, by what holds it and where."""
    for key, value in tree.items() if isinstance(tree, dict) else enumerate(tree):
        yield tree, key
        if isinstance(value, (dict, list)):
            yield from places(value)


@FEW
@given(data=st.data(), value=JSON)
def test_anything_in_the_place_of_anything_in_a_checkpoint(
    targets: fuzz_targets.Targets, data: st.DataObject, value: Any
) -> None:
    meta = json.loads(json.dumps(targets.meta))
    holder, key = data.draw(st.sampled_from(list(places(meta))))
    holder[key] = value
    with contextlib.suppress(MinidlError):
        targets.checkpoint(json.dumps(meta).encode())


@FEW
@given(st.binary(max_size=60) | st.text(max_size=60).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_any_bytes_as_a_text(targets: fuzz_targets.Targets, data: bytes) -> None:
    with contextlib.suppress(DataError):
        targets.text(data)


@FEW
@given(st.text(max_size=40))
def test_any_text_as_a_change(targets: fuzz_targets.Targets, change: str) -> None:
    with contextlib.suppress(MinidlError):
        targets.override(change.encode("utf-8", "surrogatepass"))


def test_what_comes_out_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(data: bytes) -> None:
        raise KeyError("a mistake of ours")

    def refuse(data: bytes) -> None:
        raise DataError("a mistake of theirs")

    monkeypatch.setattr(fuzz_targets, "SECONDS", 0.1)
    assert "KeyError: 'a mistake of ours'" in fuzz_targets.trouble(fail, b"")
    assert "AssertionError: more than 0.1 s" in fuzz_targets.trouble(lambda _: time.sleep(9), b"")
    assert fuzz_targets.trouble(refuse, b"") == fuzz_targets.trouble(lambda _: None, b"") == ""
