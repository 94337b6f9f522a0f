"""Experiments: what a file and its changes mean, what they resolve to, and random ones made from the declarations."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from random_experiments import EXPERIMENTS, FAMILIES, configs, misspell, name_paths

from minidl.config.rules import nested_families
from minidl.experiment import read_experiment, train
from minidl.experiment.build.experiment import complete
from minidl.experiment.build.spec import SECTIONS, read_parts
from minidl.experiment.yaml.document import dump, parse
from minidl.experiment.yaml.references import escape
from minidl.graph.layer import Layer
from minidl.storage.archive import read_archive
from minidl.system.errors import ConfigError, DataError, ExperimentError
from minidl.training.callback import Every

TEXT = "the quick brown fox jumps over the lazy dog.\n" * 40
SMALL = """
data: {type: text, source: book.txt, batch_size: 4, seq_len: 8}
model:
  layers:
    - {type: Embedding, name: symbols, units: 6}
    - {type: LSTM, units: 6, dropout: 0.1}
    - {type: Dense, units: "${data.vocab_size}", tied_to: symbols}
loss: {type: SoftmaxCE}
train: {steps: 5, evaluate_every: {steps: 2}, sample_every: null}
log: {tensorboard: false}
"""
BUILDER = '''"""A network with a layer of its own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from minidl.graph.arrays import Out
from minidl.layers import Dense, Embedding
from minidl import Layer


@dataclass(frozen=True)
class ScaledBy(Layer):
    """y = factor x."""

    factor: float = 2.0

    def arrays(self, x):
        return {"y": Out(x)}

    def forward(self, x, y):
        np.multiply(x, self.factor, out=y)

    def backward(self, dy, dx):
        if dx is not None:
            np.multiply(dy, self.factor, out=dx)


def build(ids, vocab_size, units: int, depth: int = 2, note=None, **more: float):
    hidden = Embedding(units)(ids)
    for factor in (1.5, *more.values()):
        hidden = ScaledBy(factor)(hidden)
    for _ in range(depth - 1):
        hidden = Dense(units)(hidden)
    return Dense(vocab_size, name="logits")(hidden)
'''


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "book.txt").write_text(TEXT)
    (tmp_path / "small.yaml").write_text(SMALL)
    (tmp_path / "models").mkdir()
    (tmp_path / "models/scaled.py").write_text(BUILDER)
    return tmp_path


def refusal(path: Path, *changes: str) -> str:
    with pytest.raises(ExperimentError) as caught:
        read_experiment(path, list(changes))
    return str(caught.value)


def test_defaults_are_filled_in(folder: Path) -> None:
    experiment = read_experiment(folder / "small.yaml")
    assert (experiment.name, experiment.seed, experiment.header.dtype) == ("small", 0, "float32")
    assert experiment.optimizer.config() == {"type": "Adam"}
    assert experiment.train.checkpoint_every == Every(minutes=1)
    assert experiment.sample.length == 200
    assert list(experiment.model.graph.nodes) == ["symbols", "lstm_dropout", "lstm", "dense", "softmax_ce"]
    assert list(experiment.model.graph.results) == ["loss", "dense"]
    assert experiment.model.vocabulary is experiment.dataset.vocabulary


@pytest.mark.parametrize(
    ("file", "name"), [("my net (2).yaml", "my_net_2"), ("--.yaml", "experiment"), ("é.yaml", "experiment")]
)
def test_the_name_is_that_of_the_file_made_fit_for_a_folder(folder: Path, file: str, name: str) -> None:
    (folder / file).write_text(SMALL)
    assert read_experiment(folder / file).name == name


def test_empty_sections_are_as_good_as_none(folder: Path) -> None:
    (folder / "small.yaml").write_text(f"{SMALL}\noptimizer:\nsample:\nseed:\n")
    experiment = read_experiment(folder / "small.yaml")
    assert experiment.optimizer.type_name() == "Adam"
    assert experiment.seed == 0


def test_changes_reach_lists_replace_sections_and_are_seen_by_references(folder: Path) -> None:
    experiment = read_experiment(
        folder / "small.yaml",
        [
            "model.layers.0.units=12",
            "model.layers.1.units=${model.layers.0.units}",
            "optimizer={type: SGD, lr: 0.1}",
            "seed=0x10",
            "name=wide_${seed}",
            "dtype=float64",
        ],
    )
    assert experiment.model.parameters["lstm/Wh"].shape == (12, 48)
    assert experiment.model.parameters["lstm/Wh"].dtype == np.float64
    assert repr(experiment.optimizer) == "SGD(lr=0.1)"
    assert (experiment.name, experiment.seed, experiment.model.seed) == ("wide_16", 16, 16)


def test_of_several_ends_the_first_counts(folder: Path) -> None:
    (folder / "small.yaml").write_text(SMALL.replace("steps: 5", "epochs: 1"))
    steps_per_epoch = read_experiment(folder / "small.yaml").dataset.train.steps_per_epoch
    for change, steps in (("train.steps=3", 3), ("train.steps=1000", steps_per_epoch)):
        experiment = read_experiment(folder / "small.yaml", [change])
        outcome = train(experiment, folder / "small.yaml", folder / "runs")
        assert read_archive(outcome.run / "checkpoints/last").meta["progress"]["step"] == steps


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (["train.epochs=10"], True),
        (["train.epochs=10", "train.steps=null"], False),
        (["train.epochs=1e-3"], False),
        (["train={steps: 3, epochs: 10}"], False),
        (["train.steps=2"], False),
    ],
)
def test_an_end_that_the_file_does_not_let_come_is_told(
    folder: Path, caplog: pytest.LogCaptureFixture, changes: list[str], told: bool
) -> None:
    read_experiment(folder / "small.yaml", changes)
    found = "train.steps ends training before train.epochs=10 does; to lift it, add train.steps=null"
    assert (found in caplog.text) is told


def test_a_path_starts_at_the_file_that_names_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So a base can be extended from anywhere; on the command line it may also start at the working folder."""
    other = folder / "other"
    other.mkdir()
    (other / "over.yaml").write_text("extends: ../small.yaml\nname: over")
    assert read_experiment(other / "over.yaml").folder == folder
    (other / "mine.txt").write_text(TEXT.upper())
    (other / "own.yaml").write_text("extends: ../small.yaml\ndata: {source: mine.txt}")
    assert "Q" in (read_experiment(other / "own.yaml").dataset.vocabulary or [None]).symbols  # type: ignore[union-attr]
    monkeypatch.chdir(other)
    assert read_experiment("../small.yaml", ["data.source=mine.txt"]).folder == other
    assert read_experiment("over.yaml", ["data.source=../book.txt"]).folder == other
    monkeypatch.chdir("/")
    assert read_experiment(other / "own.yaml", ["data.source=mine.txt"]).folder == other
    with pytest.raises(DataError, match="command line:1:6: no file at"):
        read_experiment(other / "own.yaml", ["data.source=nowhere.txt"])


def test_a_graph_has_names_skips_and_one_way(folder: Path) -> None:
    (folder / "graph.yaml").write_text(
        SMALL.replace(
            "    - {type: Dense", "    - {type: Concat, inputs: [symbols, lstm]}\n    - {type: Dense"
        ).replace(", tied_to: symbols", "")
    )
    graph = read_experiment(folder / "graph.yaml").model.graph
    assert graph.sources("concat") == ("symbols", "lstm")
    assert graph.sources("dense") == ("concat",)
    later = "model.layers.1={type: LSTM, units: 6, inputs: dense}"
    assert "there is no node 'dense' above" in refusal(folder / "graph.yaml", later)


def test_layers_of_one_type_are_numbered(folder: Path) -> None:
    layers = (
        "[{type: OneHot}, {type: GRU, units: 3}, {type: GRU, units: 4}, {type: Dense, units: '${data.vocab_size}'}]"
    )
    experiment = read_experiment(folder / "small.yaml", [f"model={{layers: {layers}}}"])
    assert list(experiment.model.graph.nodes) == ["one_hot", "gru", "gru_2", "dense", "softmax_ce"]


def save_arrays(folder: Path, **arrays: Any) -> Path:
    np.savez(folder / "arrays.npz", **arrays)
    path = folder / "arrays.yaml"
    path.write_text(
        "data: {type: arrays, source: arrays.npz, batch_size: 5}\n"
        "model: {layers: [{type: GRU, units: 4, inputs: [x, lengths]}, {type: Last, inputs: [gru, lengths]}, "
        "{type: Dense, units: '${data.classes}'}]}\nloss: {type: SoftmaxCE}\ntrain: {steps: 3}"
    )
    return path


def test_arrays_give_the_inputs_of_the_graph(folder: Path, rng: np.random.Generator) -> None:
    x, lengths, targets = rng.normal(size=(6, 40, 3)), rng.integers(1, 7, 40), rng.integers(0, 4, 40)
    path = save_arrays(folder, x=x, lengths=lengths, targets=targets)
    assert read_experiment(path).model.graph.nodes["dense"].shape[-1] == 4
    message = refusal(path, "model.layers.0={type: GRU, units: 4, inputs: x}", "model.layers.1={type: Last}")
    assert "no layer reads 'lengths' of the data" in message
    assert "such as {type: Last, inputs: [lstm, lengths]}" in message


@pytest.mark.parametrize("source", ["{url: 'http://127.0.0.1:9/x'}", "{url: 'http://127.0.0.1:9/x', sha256: '00'}"])
def test_a_download_without_a_hash_is_a_mistake_of_the_file(folder: Path, source: str) -> None:
    assert "sha256" in refusal(folder / "small.yaml", f"data.source={source}")


def test_a_loss_compares_with_what_is_given(folder: Path, rng: np.random.Generator) -> None:
    path = save_arrays(folder, x=rng.normal(size=(6, 40, 3)), targets=rng.normal(size=(6, 40, 3)))
    layers = "model={layers: [{type: GRU, units: 4}, {type: Dense, units: '${data.outputs}', name: out}]}"
    assert read_experiment(path, [layers, "loss={type: MSE}"]).model.graph.sources("mse") == ("out", "targets")
    assert "gives (T, B, 3), and a loss gives one number" in refusal(path, layers, "loss={type: Add}")
    assert "not with the node 'out'" in refusal(path, layers, "loss={type: MSE, inputs: [targets, out]}")


def test_a_model_too_large_for_the_machine_is_refused_before_it_is_made(folder: Path) -> None:
    message = refusal(
        folder / "small.yaml", "model={layers: [{type: Embedding, units: 10_000_000_000}]}".replace("_", "")
    )
    assert "GB" in message
    assert "command line:1:1: " in message


def test_a_model_file_builds_with_layers_of_its_own(folder: Path) -> None:
    change = "model={type: scaled, units: 5, extra: 3}"
    experiment = read_experiment(folder / "small.yaml", [change])
    assert list(experiment.model.graph.nodes) == [
        "embedding",
        "scaled_by",
        "scaled_by_2",
        "dense",
        "logits",
        "softmax_ce",
    ]
    assert experiment.resolved()["model"] == {"type": "scaled", "units": 5, "depth": 2, "note": None, "extra": 3}
    assert "ScaledBy" in Layer.types()
    assert "'extra' should be a number" not in refusal(
        folder / "small.yaml", "model={type: scaled, units: 5, depth: 1.5}"
    )


def test_model_files_are_looked_for_beside_in_and_at_the_working_folder(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "experiments").mkdir()
    (folder / "experiments/one.yaml").write_text(SMALL.replace("book.txt", "../book.txt"))
    change = ["model={type: scaled, units: 5}"]
    assert read_experiment(folder / "experiments/one.yaml", change).builder == folder / "models/scaled.py"
    assert read_experiment(folder / "small.yaml", change).builder == folder / "models/scaled.py"
    elsewhere = folder / "a/b"
    elsewhere.mkdir(parents=True)
    (elsewhere / "one.yaml").write_text(SMALL.replace("book.txt", "../../book.txt"))
    monkeypatch.chdir(folder)
    assert read_experiment(elsewhere / "one.yaml", change).builder == folder / "models/scaled.py"
    monkeypatch.chdir("/")
    assert "there is no model 'scaled'" in refusal(elsewhere / "one.yaml", *change)


def test_a_model_file_may_have_annotations_and_defaults_that_no_file_can_hold(folder: Path) -> None:
    build = "def build(ids, vocab_size: 'Unheard', units: int = 5, scale=len):\n    return ScaledBy(2.0)"
    build += "(Dense(vocab_size)(Embedding(units)(ids)))\n"
    (folder / "models/free.py").write_text(BUILDER[: BUILDER.index("def build")] + build)
    experiment = read_experiment(folder / "small.yaml", ["model={type: free}"])
    assert experiment.resolved()["model"] == {"type": "free", "units": 5}


def test_a_misspelt_fact_of_the_data_is_told(folder: Path) -> None:
    text = BUILDER.replace("vocab_size", "vocab_siz")
    (folder / "models/free.py").write_text(text)
    message = refusal(folder / "small.yaml", "model={type: free, units: 5}")
    assert "'vocab_siz' is missing; did you mean 'vocab_size'?" in message


def test_layers_of_two_model_files_may_have_one_name_but_not_that_of_ours(folder: Path) -> None:
    other = BUILDER.replace("factor: float = 2.0", "factor: float = 2.0\n    unused: int = 1")
    (folder / "models/other.py").write_text(other)
    for name, fields in (("scaled", 3), ("other", 4), ("scaled", 3)):
        nodes = read_experiment(folder / "small.yaml", [f"model={{type: {name}, units: 5}}"]).model.graph.nodes
        assert len(dataclasses.fields(nodes["scaled_by"].layer)) == fields
    (folder / "models/shadow.py").write_text(BUILDER.replace("ScaledBy", "LSTM"))
    message = refusal(folder / "small.yaml", "model={type: shadow, units: 5}")
    assert "'LSTM' is a layer of minidl already: choose another name" in message
    assert f"{folder}/models/shadow.py:15: " in message


def weights(run: Path) -> dict[str, bytes]:
    arrays = read_archive(run / "checkpoints/last").arrays
    return {name: array.tobytes() for name, array in arrays.items()}


@pytest.mark.parametrize("change", ["sample.prime='cost: ${'", "model={type: scaled, units: 5}"])
def test_resolved_reproduces_the_run_from_anywhere(folder: Path, monkeypatch: pytest.MonkeyPatch, change: str) -> None:
    source = folder / "small.yaml"
    change = change.replace("${", "$${")
    first = train(read_experiment(source, [change, "optimizer.lr=3e-3", "seed=5"]), source, folder / "runs")
    resolved = first.run / "resolved.yaml"
    monkeypatch.chdir("/")
    again = read_experiment(resolved)
    assert again.resolved() == read_experiment(source, [change, "optimizer.lr=3e-3", "seed=5"]).resolved()
    second = train(again, resolved, folder / "again")
    assert weights(second.run) == weights(first.run)
    assert (second.run / "resolved.yaml").read_text() == resolved.read_text()
    assert weights(train(read_experiment(source), source, folder / "runs").run) != weights(first.run)


def test_resolved_has_every_default(folder: Path) -> None:
    resolved = read_experiment(folder / "small.yaml").resolved()
    assert resolved["data"]["source"] == str(folder / "book.txt")
    assert resolved["data"]["split"] == [0.9, 0.05, 0.05]
    assert resolved["model"]["layers"][1] == {
        "type": "LSTM",
        "units": 6,
        "dropout": 0.1,
        "recurrent_dropout": 0.0,
        "state_dropout": 0.0,
        "bias": True,
        "peepholes": False,
        "projection": None,
        "init": None,
    }
    assert resolved["loss"] == {
        "type": "SoftmaxCE",
        "reduction": "mean",
        "label_smoothing": 0.0,
        "class_weights": None,
        "init": None,
    }
    for section, declared in {"optimizer": "Adam", "train": "Train", "log": "Log", "sample": "Samples"}.items():
        cls = SECTIONS[section].types()[declared]
        assert set(resolved[section]) - {"type"} == {field.name for field in dataclasses.fields(cls)}


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.__name__)
@settings(max_examples=20, suppress_health_check=list(HealthCheck), deadline=None)
@given(data=st.data())
def test_any_declaration_goes_through_json(family: Any, data: st.DataObject) -> None:
    described = family.from_config(data.draw(configs(family)))
    assert family.from_config(json.loads(json.dumps(described.config()))) == described
    assert family.from_config(json.loads(json.dumps(complete(described)))) == described


@settings(max_examples=30, suppress_health_check=list(HealthCheck), deadline=None)
@given(tree=EXPERIMENTS)
def test_any_experiment_is_read_as_it_is_written(tree: dict[str, Any]) -> None:
    """As YAML, as JSON, and with every default written out; and there is nothing against it."""
    text = dump(escape(tree))
    assert parse(text, "random.yaml").tree == escape(tree)
    assert parse(json.dumps(escape(tree)), "random.yaml").tree == escape(tree)
    parts = read_parts(tree, Path(), "random")
    assert not parts.mistakes
    for name, section in parts.sections.items():
        full = read_parts({**tree, name: complete(section)}, Path(), "random")
        assert not full.mistakes
        assert full.sections[name] == section


@settings(max_examples=30, suppress_health_check=list(HealthCheck), deadline=None)
@given(tree=EXPERIMENTS, data=st.data())
def test_any_wrong_name_is_found_where_it_stands(tree: dict[str, Any], data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(list(name_paths(tree, ()))))
    place: Any = tree
    for step in path[:-1]:
        place = place[step]
    wrong = misspell(path[-1])
    place[wrong] = place.pop(path[-1])
    parts = read_parts(tree, Path(), "random")
    assert (*path[:-1], wrong) in [finding.path for finding in parts.mistakes]


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ({"type": "LSTM", "unit": 3}, "LSTM: unknown name 'unit'; did you mean 'units'?"),
        ({"type": "LSTM", "units": 0, "dropout": 2}, "LSTM: 'dropout' should be less than 1, got 2"),
        ({"type": "LTSM"}, "LTSM: there is no layer of type 'LTSM'; did you mean 'LSTM'?"),
        (["LSTM"], "Layer: this should be a mapping with the type"),
    ],
)
def test_plain_data_is_refused_with_all_mistakes(config: Any, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Layer.from_config(config)
    assert any(line.startswith(says) for line in str(caught.value).splitlines()), caught.value


def test_nested_declarations_are_known() -> None:
    assert nested_families(Layer.types()["Bidirectional"])["layer"].__name__ == "Cell"
