"""Open axes by letter, inputs of a layer by name, and graphs of thousands of nodes."""

from __future__ import annotations

import copy
import json
import re
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from minidl import Input, Model
from minidl.experiment.build.read_experiment import read_experiment
from minidl.experiment.run.preview import preview
from minidl.generate.sampling import sample_text
from minidl.graph.graph import Graph
from minidl.layers import LSTM, MSE, Add, Concat, Dense, Last
from minidl.system.errors import DataError, GraphError


def two_sequences() -> Model:
    """One summary of a sequence of S steps, with its lengths, beside one of T steps."""
    source, x = Input("source", shape=("S", "B", 3)), Input("x", depth=3)
    ends = Input("ends", dtype="int", shape=("B",))
    return Model(outputs={"y": Add()(Last()(LSTM(2)(source, lengths=ends), lengths=ends), Last()(LSTM(2)(x)))})


def feeds(S: int, T: int, B: int = 2) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    return {"source": rng.standard_normal((S, B, 3)), "x": rng.standard_normal((T, B, 3)), "ends": np.full(B, S)}


def test_each_letter_is_bound_by_itself() -> None:
    model = two_sequences()
    for S, T in ((5, 4), (2, 7), (3, 3)):
        assert model.forward(**feeds(S, T))["y"].shape == (2, 2)
        model.reset_state()
    assert "(S, B, 3)" in str(model)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"source": np.zeros((5, 3, 3))}, "with B = 3 as in 'source', got shape (2,)"),
        ({"ends": np.array([6, 1])}, "input 'ends' holds the length 6 at (0,), but lengths lie in [1, 6)"),
    ],
)
def test_sizes_that_do_not_agree_are_told(changed: dict[str, Any], words: str) -> None:
    with pytest.raises(DataError, match=re.escape(words)):
        two_sequences().forward(**{**feeds(5, 8), **changed})


def test_one_letter_has_one_size_in_a_call() -> None:
    a, b = Input("a", shape=("S", "B", 1)), Input("b", shape=("S", "B", 1))
    with pytest.raises(DataError, match="with S = 3 as in 'a'"):
        Model(outputs={"y": Add()(a, b)}).forward(a=np.zeros((3, 1, 1)), b=np.zeros((4, 1, 1)))
    with pytest.raises(GraphError, match="one shape"):
        Add()(a, Input("x", depth=1))


@pytest.mark.parametrize("axis", ["s", "SS", "1", "", "é"])
def test_an_axis_is_a_capital_letter(axis: str) -> None:
    with pytest.raises(GraphError, match="an open axis is a capital letter"):
        Input("x", shape=(axis, "B", 3))


def test_axes_and_named_inputs_are_saved(tmp_path: Path) -> None:
    model = two_sequences()
    model.save(tmp_path / "model.npz")
    again = Model.load(tmp_path / "model.npz")
    given = feeds(5, 4)
    np.testing.assert_array_equal(model.forward(**given)["y"], again.replica().forward(**given)["y"])


def test_inputs_by_name_are_those_by_place() -> None:
    x, targets, lengths = Input("x", depth=2), Input("t", depth=2), Input("l", dtype="int", shape=("B",))
    by_place, by_name = MSE()(x, targets, lengths), MSE()(x, lengths=lengths, targets=targets)
    assert Graph({"y": by_place}).config() == Graph({"y": by_name}).config()
    config = json.loads(json.dumps(Graph({"y": by_name}).config(), sort_keys=True))
    assert Graph.from_config(config).config() == config
    assert Last()(x, lengths=None).ports == ("x",)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda x: Last()(x, length=x), "Last has no input 'length'; did you mean 'lengths'? (it takes: x, lengths)"),
        (lambda x: Last()(x, x=x), "Last is given its input 'x' twice: by place and by name"),
        (lambda x: Last()(lengths=x), "takes the inputs x, lengths (optional); it got 1"),
        (lambda x: Add()(x, y=x), "Add has no input 'y'"),
        (lambda x: Last()(x, lengths=3), "got int"),
    ],
)
def test_inputs_that_cannot_be_named(call: Any, words: str) -> None:
    with pytest.raises(GraphError, match=re.escape(words)):
        call(Input("x", depth=2))


def test_thousands_of_nodes_are_built_in_little_time() -> None:
    """Linear in the nodes: 4,000 take four times what 1,000 do, and not sixteen times."""
    seconds = {}
    for count in (1000, 4000):
        start = time.process_time()
        x = Input("x", depth=4)
        end: Any = x
        for _ in range(count):
            end = Dense(4)(end)
        model = Model(outputs={"y": Concat()(end, x)})
        model.forward(x=np.ones((2, 2, 4)))
        model.backward(y=1.0)
        seconds[count] = time.process_time() - start
    assert seconds[4000] < 8 * seconds[1000], seconds


FILE = """
data: {type: text, source: text.txt, batch_size: 2, seq_len: 4, split: [0.8, 0.1, 0.1]}
model:
  layers:
    - {type: Embedding, units: 2}
"""


def large_experiment(folder: Path, count: int) -> Path:
    """A file with a chain of so many nodes, all of which feed another."""
    nodes = "    - {type: Dense, units: 2}\n" * count
    names = ", ".join(["dense", *(f"dense_{i}" for i in range(2, count + 1))])
    ends = f"    - {{type: Concat, inputs: [{names}]}}\n    - {{type: Dense, units: '${{data.vocab_size}}'}}\n"
    (folder / "text.txt").write_text("large graphs are cheap " * 9)
    path = folder / f"large_{count}.yaml"
    path.write_text(f"{FILE}{nodes}{ends}loss: {{type: SoftmaxCE}}\noptimizer: {{type: SGD, lr: 0.1}}\n")
    return path


def test_a_file_of_thousands_of_nodes_is_read_shown_and_sampled_in_little_time(tmp_path: Path) -> None:
    """Linear in the nodes: four times as many take four times as long, and not sixteen times."""
    seconds: dict[int, float] = {}
    for count in (10, 1000, 250, 1000, 250):  # the first one imports; of two tries the quieter one counts
        path = large_experiment(tmp_path, count)
        start = time.process_time()
        experiment = read_experiment(path)
        assert f"dense_{count}" in preview(experiment)
        assert len("".join(sample_text(experiment.model, prime="l", length=2))) == 2
        seconds[count] = min(seconds.get(count, 60.0), time.process_time() - start)
    assert seconds[1000] < 8 * seconds[250], seconds


def test_a_long_chain_is_copied() -> None:
    """Deeper than Python may recurse; what is shared stays shared."""
    x = Input("x", depth=2)
    layer = Dense(2)
    end: Any = x
    for _ in range(1500):
        end = layer(end)
    one, start = copy.deepcopy([end, x])
    layers = {id(layer)}
    while one.inputs:
        layers.add(id(one.layer))
        one = one.inputs[0]
    assert one is start
    assert start is not x
    assert len(layers) == 2
