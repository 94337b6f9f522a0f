"""Composition: what a user wires, feeds, runs, prints, saves, and what minidl answers to mistakes."""

from __future__ import annotations

import copy
import json
import re
import time
import tracemalloc
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import contract
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from minidl import Input, Layer, Model
from minidl.experiment.run.load_model import load_trained
from minidl.graph.arrays import Array, Declaration, Out, Shape
from minidl.graph.graph import Graph
from minidl.layers import (
    GRU,
    LSTM,
    MSE,
    Activation,
    Add,
    Bidirectional,
    Concat,
    Dense,
    Dropout,
    Embedding,
    Last,
    OneHot,
    Reverse,
    SigmoidCE,
    SoftmaxCE,
)
from minidl.optim import Adam
from minidl.storage.archive import read_archive, write_archive
from minidl.system.errors import CheckpointError, DataError, GraphError, UsageError
from minidl.testing.gradcheck import gradcheck

Feeds = dict[str, NDArray[Any]]
ENDS = Input("ends", dtype="int", shape=("B",))


def x(name: str = "x", depth: int = 4) -> Input:
    return Input(name, depth=depth)


def ids(name: str = "ids", depth: int = 5) -> Input:
    return Input(name, dtype="int", depth=depth)


def nodes(model: Model) -> list[str]:
    return list(model.graph.nodes)


class TestTheContractsExample:
    """Word for word what a user sees first."""

    def test_example(self) -> None:
        x, y = np.random.default_rng(0).integers(56, size=(2, 7, 3))
        before = None

        from minidl import Input, Model
        from minidl.layers import LSTM, Dense, OneHot, SoftmaxCE
        from minidl.optim import Adam

        ids = Input("ids", dtype="int", depth=56)  # token ids        (T, B)
        targets = Input("targets", dtype="int", depth=56)  # the next tokens  (T, B)
        hidden = LSTM(100, name="lstm")(OneHot()(ids))  #                  (T, B, 100)
        logits = Dense(56, name="logits")(hidden)  #                  (T, B, 56)
        loss = SoftmaxCE(name="loss")(logits, targets)  # mean over tokens, nats

        model = Model(loss, outputs={"logits": logits}, seed=0, dtype="float32")
        values = model.forward(ids=x, targets=y)  # {"loss": float, "logits": array}
        model.backward()  # d loss / d every parameter
        before = model.parameters["lstm/Wx"].copy()
        Adam(lr=5e-4, clip_value=5.0).step(model)  # one update, in place

        assert set(values) == {"loss", "logits"}
        assert isinstance(values["loss"], float)
        assert abs(values["loss"] - np.log(56)) < 0.2
        assert values["logits"].shape == (7, 3, 56)
        assert values["logits"].dtype == np.float32
        assert list(model.parameters) == ["lstm/Wx", "lstm/Wh", "lstm/b", "logits/W", "logits/b"]
        shapes = [array.shape for array in model.parameters.values()]
        assert shapes == [(56, 400), (100, 400), (400,), (100, 56), (56,)]
        assert [array.shape for array in model.gradients.values()] == shapes
        assert all(np.abs(gradient).max() > 0 for gradient in model.gradients.values())
        assert (model.parameters["lstm/Wx"] != before).any()
        assert {name: array.shape for name, array in model.state.items()} == {"lstm/h": (3, 100), "lstm/c": (3, 100)}
        assert set(model.forward(ids=x)) == {"logits"}
        model.reset_state()
        assert not model.state["lstm/h"].any()
        assert not model.state["lstm/c"].any()

    def test_training_lowers_the_loss(self, char_model: Model, batch: Feeds) -> None:
        optimizer, losses = Adam(lr=0.05), []
        for _ in range(60):
            char_model.reset_state()
            losses.append(char_model.forward(**batch)["loss"])
            char_model.backward()
            optimizer.step(char_model)
        assert losses[-1] < 0.2 * losses[0]

    def test_parameters_are_live_and_writable(self, char_model: Model, batch: Feeds) -> None:
        char_model.parameters["logits/W"][...] = 0
        char_model.parameters["logits/b"][...] = [0, 0, 50, 0, 0]
        assert char_model.forward(**batch)["logits"].argmax(axis=-1).tolist() == [[2, 2]] * 6

    def test_a_layer_alone(self, rng: np.random.Generator) -> None:
        model = Model.of(LSTM(3), rng.standard_normal((5, 2, 4)))
        assert model.arrays["lstm/y"].shape == (5, 2, 3)
        assert model.backward(y=np.ones((5, 2, 3)))["x"].shape == (5, 2, 4)

    @pytest.mark.parametrize("shape", [(4,), (3, 4), (2, 3, 4), (2, 2, 3, 4)])
    def test_dense_alone_on_any_leading_axes(self, shape: tuple[int, ...]) -> None:
        model = Model.of(Dense(2), np.ones(shape))
        assert model.arrays["dense/y"].shape == (*shape[:-1], 2)
        assert model.backward(y=1.0)["x"].shape == shape

    def test_several_inputs_alone(self) -> None:
        model = Model.of(Add(), np.ones((2, 1, 3)), np.ones((2, 1, 3)))
        assert model.arrays["add/y"].tolist() == np.full((2, 1, 3), 2.0).tolist()
        assert sorted(model.backward(y=1.0)) == ["x1", "x2"]

    def test_the_same_seed_gives_the_same_weights_in_every_precision(self) -> None:
        single, double, other = (
            Model(outputs={"y": LSTM(3)(x())}, seed=seed, dtype=dtype)
            for seed, dtype in ((1, "float32"), (1, "float64"), (2, "float64"))
        )
        np.testing.assert_array_equal(single.weights.flat, double.weights.flat.astype("float32"))
        assert (double.weights.flat != other.weights.flat).any()


class TestNames:
    def test_names_are_given_or_made(self) -> None:
        hidden = LSTM(3)(LSTM(3)(LSTM(3, name="below")(x())))
        assert nodes(Model(outputs={"y": Dense(1)(hidden)})) == ["below", "lstm", "lstm_2", "dense"]

    def test_a_made_name_avoids_a_given_one(self) -> None:
        assert nodes(Model(outputs={"y": Dense(1)(Dense(2, name="dense")(x()))})) == ["dense", "dense_2"]
        assert nodes(Model(outputs={"y": Dense(1, name="dense")(Dense(2)(x()))})) == ["dense_2", "dense"]

    def test_what_a_layer_is_made_of_avoids_a_given_name(self) -> None:
        last = Reverse(name="reverse")(Bidirectional(LSTM(2))(x()))
        assert {"reverse", "reverse_2", "reverse_3"} <= set(nodes(Model(outputs={"y": last})))

    def test_a_second_use_of_a_layer_avoids_a_given_name(self) -> None:
        shared = Dense(4, name="a")
        last = Dense(1, name="a_2")(shared(shared(x())))
        assert nodes(Model(outputs={"y": last})) == ["a", "a_3", "a_2"]

    def test_two_layers_of_one_given_name(self) -> None:
        with pytest.raises(GraphError, match="two layers are named 'a'"):
            Model(outputs={"y": Dense(1, name="a")(Dense(2, name="a")(x()))})

    def test_two_inputs_of_one_name(self) -> None:
        with pytest.raises(GraphError, match="two inputs are named 'x'"):
            Model(outputs={"y": Add()(x(), x())})

    @pytest.mark.parametrize("late", [False, True])
    def test_a_layer_named_like_an_input(self, late: bool) -> None:
        name = "other" if late else "x"  # an input that is met after the layer, or before
        with pytest.raises(GraphError, match=f"'{name}'.*another name"):
            Model(MSE()(Dense(4, name=name)(x()), x("other")))

    def test_a_made_name_avoids_an_input(self, rng: np.random.Generator) -> None:
        model = Model(MSE()(Dense(4)(x()), x("dense")))
        assert nodes(model) == ["dense_2", "mse"]
        feed = rng.standard_normal((2, 3, 4))
        assert model.forward(x=feed, dense=model.forward(x=feed)["dense"].copy())["loss"] == 0

    def test_several_bidirectional_layers(self) -> None:
        model = Model(outputs={"y": Bidirectional(GRU(3))(Bidirectional(LSTM(2))(x()))})
        assert len(model.parameters) == 2 * 3 + 2 * 4
        named = Model(outputs={"y": Bidirectional(GRU(3), name="top")(Bidirectional(GRU(2), name="low")(x()))})
        assert {"top", "low", "top_forward", "top_backward", "low_forward", "low_backward"} <= set(nodes(named))

    def test_both_directions_are_fed_by_place_by_name_or_by_a_list(self, rng: np.random.Generator) -> None:
        first, ends = x(), Input("ends", dtype="int", shape=("B",), depth=9)
        calls: list[Callable[[Layer], Any]] = [
            lambda layer: layer(first, ends),
            lambda layer: layer([first, ends]),
            lambda layer: layer(lengths=ends, x=first),
        ]
        models = [Model(outputs={"y": call(Bidirectional(GRU(3), name="both"))}) for call in calls]
        feeds = {"x": rng.standard_normal((5, 2, 4)), "ends": np.array([2, 5])}
        found = [model.forward(**feeds)["y"] for model in models]
        assert all(np.array_equal(result, found[0]) for result in found)
        for wrong, says in (({}, "it got 0"), ({"y": first}, "no input 'y'"), ({"lengths": ends}, "it got 1")):
            with pytest.raises(GraphError, match=says):
                Bidirectional(GRU(3))(**wrong)

    def test_an_unknown_name_of_an_array_gets_a_suggestion(self, char_model: Model) -> None:
        for arrays, kind in ((char_model.parameters, "parameter"), (char_model.gradients, "gradient")):
            with pytest.raises(UsageError, match=f"no {kind} 'lstm/wx'; did you mean 'lstm/Wx'"):
                arrays["lstm/wx"]
        with pytest.raises(UsageError, match="none yet: call forward first"):
            char_model.state["lstm/h"]

    def test_names_that_are_not_there_are_as_in_any_mapping(self, char_model: Model) -> None:
        assert char_model.parameters.get("lstm/Wz") is None
        assert "lstm/Wz" not in char_model.parameters
        with pytest.raises(KeyError) as caught:
            char_model.gradients["lstm/Wz"]
        assert str(caught.value).startswith("there is no gradient 'lstm/Wz'; did you mean")


class TestShapes:
    """Fault 38: found when a graph is built; the message names node, got, expected, and who feeds it."""

    @pytest.mark.parametrize(
        ("wire", "words"),
        [
            (lambda: Dense(2, name="out")(ids()), ["out", "numbers", "'ids'", "(T, B)", "OneHot"]),
            (lambda: Embedding(2)(x()), ["embedding", "integers", "'x'", "(T, B, 4)"]),
            (lambda: LSTM(3, name="top")(Last(name="end")(x())), ["top", "(T, B, F)", "'end'", "(B, 4)"]),
            (lambda: GRU(3)(x(), Input("ends", dtype="int", shape=("T",))), ["gru", "lengths", "B", "'ends'", "(T,)"]),
            (lambda: Last()(x(), x("other")), ["last", "lengths", "integers", "'other'"]),
            (lambda: Add(name="sum")(x(), Dense(3)(x("x2"))), ["sum", "'x'", "(T, B, 4)", "'dense'", "(T, B, 3)"]),
            (lambda: Concat()(x(), Last(name="end")(x("x2"))), ["concat", "'x'", "'end'", "(B, 4)"]),
            (lambda: MSE(name="loss")(Dense(2)(x()), x("t")), ["loss", "'dense'", "(T, B, 2)", "'t'", "(T, B, 4)"]),
            (lambda: SigmoidCE()(x(), x("t", 3)), ["sigmoid_ce", "(T, B, 4)", "'t'", "(T, B, 3)"]),
            (lambda: MSE()(Last()(x()), Last()(x("t")), ENDS), ["mse", "lengths (B,)", "(T, B, ...)", "(B, 4)"]),
            (lambda: SoftmaxCE()(Dense(3)(x()), ids()), ["softmax_ce", "5 symbols", "3 logits", "'ids'"]),
            (lambda: SoftmaxCE()(Last()(x()), ids("t", 4)), ["softmax_ce", "(B,)", "'last'", "'t'", "(T, B)"]),
            (lambda: OneHot()(Input("ids", dtype="int")), ["one_hot", "depth=", "'ids'"]),
            (lambda: Dense(2)(Input("x", shape=("T", "B"))), ["dense", "W (B, 2)", "open", "'x' (T, B)"]),
        ],
    )  # fmt: skip
    def test_what_does_not_fit(self, wire: Callable[[], Any], words: list[str]) -> None:
        with pytest.raises(GraphError) as caught:
            wire()
        missing = [word for word in words if word not in str(caught.value)]
        assert not missing, f"{missing} not in {caught.value}"

    @pytest.mark.parametrize(
        ("wire", "words"),
        [
            (lambda: LSTM(2)(), "takes the inputs x, lengths (optional), h0 (optional), c0 (optional); it got 0"),
            (lambda: Dense(2)(x(), x("x2")), "takes the inputs x; it got 2"),
            (lambda: SoftmaxCE()(x()), "takes the inputs logits, targets, weights (optional); it got 1"),
            (lambda: Add()(), "at least one input"),
            (lambda: Dense(2)(np.ones((2, 1, 4))), "got ndarray; to try a layer on an array use Model.of"),
            (lambda: Input("x"), "say how many features"),
            (lambda: Input("x", shape=("T", "batch", 3)), '"T" (time) or "B" (batch), got \'batch\''),
            (lambda: Model(), "needs a loss or outputs"),
            (lambda: Model(Dense(2)(x())), "(T, B, 2)"),
            (lambda: Model(outputs={"y": np.ones(3)}), "'y'.*ndarray"),  # type: ignore[dict-item]
            (lambda: Model(outputs=[Dense(2)(x())]), "outputs are nodes by name.*got list"),  # type: ignore[arg-type]
            (lambda: Model(Dense), "the loss should be what a layer gave.*got type"),  # type: ignore[arg-type]
            (lambda: Input("x", depth=0), "input 'x': depth is a whole number of 1 or more, got 0"),
            (lambda: Input("x", depth=2.5), "depth is a whole number of 1 or more, got 2.5"),  # type: ignore[arg-type]
            (lambda: Input("x", shape=("T", "B", -3)), "axis 2 of shape is a whole number of 1 or more, got -3"),
            (lambda: Input("x", dtype="ids", depth=3), """dtype is "int" or "float", got 'ids'"""),
            (lambda: Input("x", dtype="i,,nt", depth=3), """dtype is "int" or "float", got 'i,,nt'"""),
            (lambda: Input("x", dtype=bool, depth=3), 'dtype is "int" or "float", got <class \'bool\'>'),
            (lambda: Input("", depth=3), "an input has a name"),
        ],
    )
    def test_calls_that_cannot_be(self, wire: Callable[[], Any], words: str) -> None:
        pattern = words if ".*" in words else re.escape(words)
        with pytest.raises(GraphError, match=pattern):
            wire()

    def test_an_output_named_loss_beside_the_loss(self) -> None:
        hidden = Dense(4)(x())
        with pytest.raises(GraphError, match="'loss'"):
            Model(MSE()(hidden, x("t")), outputs={"loss": hidden})

    @pytest.mark.parametrize("dtype", ["int", int, np.int64, "int32", np.dtype("uint8")])
    def test_an_input_of_ids_by_any_type_of_integers(self, dtype: Any) -> None:
        given = Input("ids", dtype=dtype, depth=np.int64(5))  # type: ignore[arg-type]
        assert (given.dtype, given.shape, given.config()) == ("int", ids().shape, ids().config())

    def test_an_input_of_features_by_any_type_of_numbers(self) -> None:
        for dtype in ("float", float, np.float32, "float64"):
            assert Input("x", dtype=dtype, depth=4).config() == x().config()

    def test_open_axes_print_as_their_names(self) -> None:
        assert repr(LSTM(3, name="lstm")(x())) == "<lstm (T, B, 3)>"
        assert repr(Last()(x())) == "<last (B, 4)>"

    def test_own_layers_are_checked_when_they_are_wired(self) -> None:
        class Half(Layer):
            def arrays(self, x: Shape) -> dict[str, Declaration]:
                return {"y": Out(x)}

            def forward(self, x: Array, y: Array) -> None: ...

        with pytest.raises(GraphError, match="Half has no method 'backward'"):
            Half()(x())

        class Dumb(Half):
            def arrays(self, x: Shape) -> dict[str, Declaration]:
                return {"z": Out(x)}

            def backward(self, dy: Array) -> None: ...

        with pytest.raises(GraphError, match=r"Dumb.arrays declares no output: it needs 'y': Out\(shape\)"):
            Dumb()(x())

        class Misspelt(Half):
            def backward(self, dy: Array, dX: Array) -> None: ...

        with pytest.raises(GraphError, match=r"Misspelt\.backward asks for 'dX'; did you mean 'dx'"):
            Misspelt()(x())


class TestWiring:
    def test_a_shared_layer_shares_its_weights(self, rng: np.random.Generator) -> None:
        layer, feed = LSTM(4, name="lstm"), rng.standard_normal((5, 2, 4))
        model = Model(outputs={"y": layer(layer(x()))}, dtype="float64")
        assert nodes(model) == ["lstm", "lstm_2"]
        assert list(model.parameters) == ["lstm/Wx", "lstm/Wh", "lstm/b"]
        y = model.forward(x=feed)["y"].copy()
        assert set(model.state) == {"lstm/h", "lstm/c", "lstm_2/h", "lstm_2/c"}

        alone = Model(outputs={"y": LSTM(4)(x())}, dtype="float64")
        alone.weights.flat[...] = model.weights.flat
        once = alone.forward(x=feed)["y"].copy()
        alone.reset_state()
        np.testing.assert_array_equal(alone.forward(x=once)["y"], y)

    @pytest.mark.parametrize(
        "layer",
        [
            LSTM(4, dropout=0.2),
            LSTM(4, dropout=0.2, name="cell"),
            Bidirectional(GRU(2)),
            Bidirectional(GRU(2, dropout=0.2), name="both"),
        ],
        ids=repr,
    )
    def test_every_layer_can_be_shared(self, layer: Layer) -> None:
        model = Model(outputs={"y": layer(layer(x()))})
        once = Model(outputs={"y": layer(x())})
        assert {name: array.shape for name, array in model.parameters.items()} == {
            name: array.shape for name, array in once.parameters.items()
        }

    def test_a_shared_layer_wants_the_same_features_each_time(self) -> None:
        layer = LSTM(3, name="cell")
        with pytest.raises(GraphError) as caught:
            Model(outputs={"y": layer(layer(x()))})
        assert all(word in str(caught.value) for word in ("cell", "(3, 12)", "(4, 12)"))

    def test_equal_layers_are_not_one_layer(self) -> None:
        model = Model(outputs={"y": Dense(4)(Dense(4)(x()))})
        assert list(model.parameters) == ["dense/W", "dense/b", "dense_2/W", "dense_2/b"]
        assert (model.parameters["dense/W"] != model.parameters["dense_2/W"]).any()

    def test_skip_connection(self, rng: np.random.Generator) -> None:
        entry = x()
        model = Model(outputs={"y": Add()(entry, Dense(4)(entry))}, dtype="float64")
        feed, dy = rng.standard_normal((2, 3, 2, 4))
        W = model.parameters["dense/W"]
        np.testing.assert_allclose(model.forward(x=feed)["y"], feed + feed @ W)
        np.testing.assert_allclose(model.backward(y=dy)["x"], dy + dy @ W.T)

    def test_tied_weights(self, rng: np.random.Generator) -> None:
        hidden = Embedding(3, name="table")(ids())
        logits = Dense(5, tied_to="table", name="out")(hidden)
        model = Model(SoftmaxCE()(logits, ids("targets")), dtype="float64")
        assert list(model.parameters) == ["table/table", "out/b"]
        feeds = {"ids": rng.integers(5, size=(4, 2)), "targets": rng.integers(5, size=(4, 2))}
        table = model.parameters["table/table"]
        expected = table[feeds["ids"]] @ table.T + model.parameters["out/b"]
        np.testing.assert_allclose(model.forward(**feeds)["out"], expected)
        assert max(check.error for check in gradcheck(model, feeds)) < 1e-12

    @pytest.mark.parametrize(
        ("tied_to", "units", "words"),
        [("tabel", 5, "did you mean 'table'"), ("table", 6, r"\(6, 3\)"), ("below", 5, "found none")],
    )
    def test_ties_that_do_not_hold(self, tied_to: str, units: int, words: str) -> None:
        hidden = Activation("tanh", name="below")(Embedding(3, name="table")(ids()))
        with pytest.raises(GraphError, match=words):
            Model(outputs={"y": Dense(units, tied_to=tied_to)(hidden)})

    def test_several_inputs_and_outputs(self, rng: np.random.Generator) -> None:
        hidden = GRU(3)(Concat()(x(), Embedding(2)(ids())))
        model = Model(outputs={"tags": Dense(5)(hidden), "label": Dense(2)(Last()(hidden))}, dtype="float64")
        feeds = {"x": rng.standard_normal((4, 2, 4)), "ids": rng.integers(5, size=(4, 2))}
        values = model.forward(**feeds)
        assert {name: value.shape for name, value in values.items()} == {"tags": (4, 2, 5), "label": (2, 2)}
        assert set(model.backward(label=np.ones((2, 2)))) == {"x"}
        assert not model.gradients["dense/W"].any(), "tags gave no gradient"
        assert model.gradients["dense_2/W"].any()

    def test_gradients_of_one_node_under_two_names_add_up(self, rng: np.random.Generator) -> None:
        node = Dense(2)(x())
        model = Model(outputs={"a": node, "b": node}, dtype="float64")
        model.forward(x=rng.standard_normal((3, 1, 4)))
        da, db = rng.standard_normal((2, 3, 1, 2))
        together = model.backward(a=da, b=db)["x"].copy()
        np.testing.assert_allclose(together, model.backward(a=da + db)["x"])

    def test_an_input_can_be_an_output(self, rng: np.random.Generator) -> None:
        entry, feed = x(), rng.standard_normal((3, 1, 4))
        model = Model(outputs={"copy": entry, "y": Dense(4)(entry)}, dtype="float64")
        np.testing.assert_array_equal(model.forward(x=feed)["copy"], feed)
        dcopy, dy = rng.standard_normal((2, 3, 1, 4))
        through = model.backward(y=dy)["x"].copy()
        np.testing.assert_allclose(model.backward(copy=dcopy, y=dy)["x"], dcopy + through)

    def test_a_deep_chain(self) -> None:
        node: Any = x()
        for _ in range(1200):
            node = Activation("tanh")(node)
        assert len(Model(outputs={"y": node}).graph.nodes) == 1200

    def test_one_hot_is_written_out_only_where_somebody_reads_it(self, rng: np.random.Generator) -> None:
        rows = OneHot()(ids())
        feed = rng.integers(5, size=(4, 2))
        looked_up = Model(outputs={"y": Dense(3)(rows)}, dtype="float64")
        written = Model(outputs={"y": Dense(3)(rows), "rows": rows}, dtype="float64")
        values = written.forward(ids=feed)
        np.testing.assert_array_equal(values["rows"], np.eye(5)[feed])
        np.testing.assert_allclose(looked_up.forward(ids=feed)["y"], values["y"], atol=1e-15)
        assert "one_hot/y" not in looked_up.arrays

    def test_a_graph_without_weights(self, rng: np.random.Generator) -> None:
        model = Model(MSE()(Activation("tanh")(x()), x("t")), dtype="float64")
        feeds = {"x": rng.standard_normal((2, 2, 4)), "t": rng.standard_normal((2, 2, 4))}
        np.testing.assert_allclose(model.forward(**feeds)["loss"], np.mean((np.tanh(feeds["x"]) - feeds["t"]) ** 2))
        assert set(model.backward()) == {"x", "t"}
        assert len(model.parameters) == 0


class TestCalls:
    def test_t_and_b_change_from_call_to_call(self, char_model: Model, rng: np.random.Generator) -> None:
        sizes = [(7, 3), (1, 1), (4, 3), (7, 3), (12, 5), (2, 1), (7, 3)]
        fresh = {}
        for T, B in [*sizes, *sizes]:
            feeds = {"ids": rng.integers(5, size=(T, B)), "targets": rng.integers(5, size=(T, B))}
            char_model.reset_state()
            loss = char_model.forward(**feeds)["loss"]
            char_model.backward()
            alone = char_model.replica(training=True)
            fresh = alone.forward(**feeds)
            alone.backward()
            assert loss == fresh["loss"]
            np.testing.assert_array_equal(char_model.executor.gradient, alone.executor.gradient)

    def test_more_shapes_than_programs_are_kept(self, char_model: Model, rng: np.random.Generator) -> None:
        losses = []
        for _ in range(2):
            for T in range(1, 14):
                text = np.random.default_rng(T).integers(5, size=(T + 1, 2))
                char_model.reset_state()
                losses.append(char_model.forward(ids=text[:-1], targets=text[1:])["loss"])
                char_model.backward()
        assert losses[:13] == losses[13:]

    def test_a_new_batch_size_begins_at_zero(self, char_model: Model) -> None:
        char_model.forward(ids=np.ones((4, 3), int))
        carried = char_model.state["lstm/h"].copy()
        assert carried.any()
        first = char_model.forward(ids=np.ones((4, 2), int))["logits"].copy()
        char_model.reset_state()
        np.testing.assert_array_equal(char_model.forward(ids=np.ones((4, 2), int))["logits"], first)

    def test_replicas_have_a_state_of_their_own(self, char_model: Model, batch: Feeds) -> None:
        char_model.forward(**batch)
        before = {name: array.copy() for name, array in char_model.state.items()}
        replica = char_model.replica()
        assert replica.forward(ids=np.zeros((9, 1), int))["logits"].shape == (9, 1, 5)
        contract.assert_same(dict(char_model.state), before, "after a replica ran")
        assert replica.state["lstm/h"].shape == (1, 4)

    def test_a_replica_without_caches_has_no_way_back(self, char_model: Model, batch: Feeds) -> None:
        bare = char_model.replica(caches=False)
        for replica in (bare, copy.deepcopy(bare)):
            replica.forward(**batch)
            assert "lstm/c" in replica.arrays
            assert "lstm/gates" not in replica.arrays
            with pytest.raises(UsageError, match="make it without caches=False"):
                replica.backward()

    def test_replicas_share_weights_until_they_change_precision(self, char_model: Model) -> None:
        same, single = char_model.replica(), char_model.replica(dtype="float32")
        char_model.parameters["logits/b"][...] = 7
        assert (same.parameters["logits/b"] == 7).all()
        assert not (single.parameters["logits/b"] == 7).any()
        assert single.forward(ids=np.zeros((2, 1), int))["logits"].dtype == np.float32

    def test_a_deep_copy_is_a_model_of_its_own(self, char_model: Model, batch: Feeds) -> None:
        """Weights, state and random numbers go on from where they are, and are trained without the other."""
        expected = char_model.forward(**batch)["loss"]
        other = copy.deepcopy(char_model)
        np.testing.assert_array_equal(other.state["lstm/h"], char_model.state["lstm/h"])
        assert other.forward(**batch)["loss"] == char_model.forward(**batch)["loss"]
        other.backward()
        Adam(lr=0.1).step(other)
        assert (other.parameters["lstm/Wx"] != char_model.parameters["lstm/Wx"]).any()
        other.reset_state()
        char_model.reset_state()
        assert other.forward(**batch)["loss"] != expected
        assert char_model.forward(**batch)["loss"] == expected

    def test_a_model_is_not_pickled(self) -> None:
        fixed = Model(outputs={"y": Dense(2)(Input("x", shape=(5, 1, 4)))})
        with pytest.raises(UsageError, match=r"use model\.save\(path\)"):
            fixed.__reduce__()

    def test_gradients_of_replicas_are_their_own(self, char_model: Model, batch: Feeds) -> None:
        char_model.forward(**batch)
        char_model.backward()
        before = char_model.executor.gradient.copy()
        replica = char_model.replica(training=True)
        replica.forward(ids=batch["ids"][:2], targets=batch["targets"][:2])
        replica.backward()
        np.testing.assert_array_equal(char_model.executor.gradient, before)

    def test_forward_without_targets(self, char_model: Model, batch: Feeds) -> None:
        expected = char_model.replica().forward(**batch)["logits"].copy()
        found = char_model.forward(ids=batch["ids"])
        assert set(found) == {"logits"}
        np.testing.assert_array_equal(found["logits"], expected)
        gradient = char_model.backward(logits=np.ones_like(expected))
        assert gradient == {}
        assert char_model.gradients["lstm/Wx"].any()

    def test_what_forward_returns_are_the_models_own_buffers(self, char_model: Model, batch: Feeds) -> None:
        first = char_model.forward(**batch)["logits"]
        assert char_model.forward(**batch)["logits"] is not None
        assert np.shares_memory(first, char_model.forward(**batch)["logits"])

    def test_state_can_be_put_back(self, char_model: Model, batch: Feeds) -> None:
        char_model.forward(**batch)
        memory = char_model.executor.state_dict()
        expected = char_model.forward(**batch)["loss"]
        char_model.forward(**batch)
        char_model.executor.load_state_dict(*memory)
        assert char_model.forward(**batch)["loss"] == expected

    @settings(max_examples=25, deadline=None)
    @given(cuts=st.lists(st.integers(1, 6), min_size=1, max_size=6), batch=st.integers(1, 3))
    def test_windows_of_any_length_make_one_sequence(self, cuts: list[int], batch: int) -> None:
        model = Model(outputs={"y": LSTM(3)(GRU(4)(x()))}, dtype="float64")
        feed = np.random.default_rng(0).standard_normal((sum(cuts), batch, 4))
        whole = model.forward(x=feed)["y"].copy()
        model.reset_state()
        ends = np.cumsum([0, *cuts])
        parts = [model.forward(x=feed[a:b])["y"].copy() for a, b in pairwise(ends)]
        np.testing.assert_allclose(np.concatenate(parts), whole, atol=1e-14)


class Fragile(Layer):
    """Passes on what it gets, and raises at numbers above 100: a layer of a user's that fails half way."""

    def arrays(self, x: Shape) -> dict[str, Declaration]:
        return {"y": Out(x)}

    def forward(self, x: Array, y: Array) -> None:
        y[...] = x
        if x.max() > 100:
            raise ZeroDivisionError("the user's own")

    def backward(self, dy: Array, dx: Array | None) -> None:
        if dx is not None:
            dx[...] = dy


class TestOrder:
    """Fault 39: backward before forward, twice, stale."""

    def test_backward_before_forward(self, char_model: Model) -> None:
        with pytest.raises(UsageError, match=r"call model\.forward\(\.\.\.\) first"):
            char_model.backward()

    def test_backward_twice_gives_the_same(self, char_model: Model, batch: Feeds) -> None:
        char_model.forward(**batch)
        char_model.backward()
        first = char_model.executor.gradient.copy()
        char_model.backward()
        np.testing.assert_array_equal(char_model.executor.gradient, first)

    def test_backward_twice_after_clipping_in_place(self, char_model: Model, batch: Feeds) -> None:
        char_model.forward(**batch)
        char_model.backward()
        first = char_model.executor.gradient.copy()
        char_model.executor.gradient *= 0.1
        char_model.backward()
        np.testing.assert_array_equal(char_model.executor.gradient, first)

    def test_backward_after_an_update(self, char_model: Model, batch: Feeds) -> None:
        char_model.forward(**batch)
        char_model.backward()
        Adam().step(char_model)
        with pytest.raises(UsageError, match="weights have changed"):
            char_model.backward()
        char_model.forward(**batch)
        char_model.backward()

    def test_a_replica_notices_an_update_too(self, char_model: Model, batch: Feeds) -> None:
        replica = char_model.replica(training=True)
        replica.forward(**batch)
        char_model.forward(**batch)
        char_model.backward()
        Adam().step(char_model)
        with pytest.raises(UsageError, match="weights have changed"):
            replica.backward()

    def test_backward_of_a_loss_that_was_not_computed(self, char_model: Model, batch: Feeds) -> None:
        char_model.forward(ids=batch["ids"])
        with pytest.raises(UsageError, match=r"'loss' was not computed.*given no targets"):
            char_model.backward()

    def test_backward_without_a_loss(self) -> None:
        model = Model.of(Dense(2), np.ones((3, 1, 4)))
        with pytest.raises(UsageError, match=r"no loss: give the gradient of an output, as in backward\(logits=dy\)"):
            model.backward()

    def test_backward_of_an_unknown_output(self, char_model: Model, batch: Feeds) -> None:
        char_model.forward(**batch)
        with pytest.raises(UsageError, match="no output 'logit'; did you mean 'logits'"):
            char_model.backward(logit=1.0)

    def test_backward_with_a_gradient_of_another_shape(self, char_model: Model, batch: Feeds) -> None:
        char_model.forward(**batch)
        with pytest.raises(DataError, match=r"gradient of 'logits' should have its shape \(6, 2, 5\), got \(6, 2\)"):
            char_model.backward(logits=np.ones((6, 2)))

    def test_backward_after_a_forward_pass_that_failed(self, rng: np.random.Generator) -> None:
        """What the failed pass left is half new, half old: no gradient may come of it."""
        model = Model(MSE()(Dense(4)(Fragile()(Dense(4)(x()))), x("t")))
        feeds = {"x": rng.standard_normal((5, 2, 4)), "t": rng.standard_normal((5, 2, 4))}
        model.forward(**feeds)
        with pytest.raises(ZeroDivisionError, match="the user's own"):
            model.forward(x=1e6 * feeds["x"], t=feeds["t"])
        with pytest.raises(UsageError, match="forward"):
            model.backward()
        model.forward(**feeds)
        model.backward()

    def test_backward_after_feeds_that_were_refused(self, char_model: Model, batch: Feeds) -> None:
        char_model.forward(**batch)
        char_model.backward()
        expected = char_model.executor.gradient.copy()
        with pytest.raises(DataError):
            char_model.forward(ids=batch["ids"] + 100, targets=batch["targets"])
        char_model.backward()
        np.testing.assert_array_equal(char_model.executor.gradient, expected)


class TestFeeds:
    """Faults 37 and 40: refused with the input's name, what was expected and what came, or taken as they are."""

    @pytest.mark.parametrize(
        ("feed", "words"),
        [
            ([[0, -1]], r"'ids' holds the id -1 at \(0, 1\), but ids lie in \[0, 5\)"),
            ([[0], [5]], r"'ids' holds the id 5 at \(1, 0\)"),
            ([[2**40]], "1099511627776"),
            (np.array([[2**64 - 1]], np.uint64), "18446744073709551615"),
            ([[0.0, 1.0]], "'ids' takes integer ids, got float64"),
            ([[np.nan]], "'ids' takes integer ids, got float64"),
            ([[True]], "'ids' takes integer ids, got bool"),
            ([["a"]], "'ids' takes integer ids, got <U1"),
            (np.array([[1, None]]), "'ids' takes integer ids, got object"),
            ([0, 1], r"'ids' should have axes \(T, B\), got shape \(2,\)"),
            (3, r"'ids' should have axes \(T, B\), got shape \(\)"),
            (np.zeros((1, 2, 3), int), r"got shape \(1, 2, 3\)"),
            (np.zeros((0, 2), int), r"'ids' is empty: shape \(0, 2\)"),
            ([[1, 2], [3]], "'ids'"),
        ],
    )
    def test_bad_ids(self, char_model: Model, feed: Any, words: str) -> None:
        with pytest.raises(DataError, match=words):
            char_model.forward(ids=feed)

    @pytest.mark.parametrize(
        ("feed", "words"),
        [
            (np.ones((2, 3)), r"'x' should have axes \(T, B, 4\), got shape \(2, 3\)"),
            (np.ones((2, 3, 5)), r"'x'.*4 features.*got shape \(2, 3, 5\)"),
            (np.ones((2, 0, 4)), r"'x' is empty: shape \(2, 0, 4\)"),
            (np.ones((1, 1, 4), object), "'x' takes numbers, got an array of object"),
            (np.full((1, 1, 4), "a"), "'x' takes numbers, got an array of <U1"),
            (np.ones((1, 1, 4)) + 1j, "'x'.*complex"),
            ([[[1, 2, 3, 4]], [[1, 2, 3]]], "'x'"),
        ],
    )
    def test_bad_features(self, feed: Any, words: str) -> None:
        model = Model(outputs={"y": Dense(2)(x())})
        with pytest.raises(DataError, match=words):
            model.forward(x=feed)

    def test_a_target_may_be_ignored_but_no_less(self, char_model: Model, batch: Feeds) -> None:
        batch["targets"][0, 0] = -1
        assert np.isfinite(char_model.forward(**batch)["loss"])
        batch["targets"][0, 0] = -2
        with pytest.raises(DataError, match=r"'targets' holds the id -2.*\[-1, 5\)"):
            char_model.forward(**batch)

    def test_ids_that_are_targets_too_may_not_be_ignored(self) -> None:
        both = ids()
        model = Model(SoftmaxCE()(Dense(5)(OneHot()(both)), both))
        with pytest.raises(DataError, match=r"\[0, 5\)"):
            model.forward(ids=[[-1]])

    @pytest.mark.parametrize("lengths", [[0, 1], [-1, 2], [5, 1]])
    @pytest.mark.parametrize("depth", [None, 100])
    def test_lengths_lie_within_the_steps(self, lengths: list[int], depth: int | None) -> None:
        symbol = Input("lengths", dtype="int", depth=depth, shape=("B",))
        model = Model(outputs={"y": Last()(LSTM(3)(x(), symbol), symbol)})
        bad = next(length for length in lengths if not 1 <= length <= 4)
        with pytest.raises(DataError, match=f"'lengths'.* {bad}\\b"):
            model.forward(x=np.ones((4, 2, 4)), lengths=lengths)

    def test_axes_that_differ_between_inputs(self, char_model: Model) -> None:
        with pytest.raises(DataError, match=r"'targets' should have axes \(T, B\) with B = 2 as in 'ids', got shape"):
            char_model.forward(ids=np.zeros((3, 2), int), targets=np.zeros((3, 4), int))

    def test_an_unknown_input(self, char_model: Model) -> None:
        with pytest.raises(DataError, match=r"no input 'id'; did you mean 'ids'\? \(inputs: ids \(T, B\), targets"):
            char_model.forward(id=[[0]])

    @pytest.mark.parametrize("dtype", ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"])
    def test_integers_of_every_kind(self, char_model: Model, dtype: str) -> None:
        feed = np.array([[0, 4], [2, 3]])
        expected = char_model.replica().forward(ids=feed)["logits"].copy()
        np.testing.assert_array_equal(char_model.forward(ids=feed.astype(dtype))["logits"], expected)

    @pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int8", "int64", "uint8", "bool"])
    def test_numbers_of_every_kind(self, dtype: str) -> None:
        model = Model(outputs={"y": Dense(2)(x())})
        feed = np.array([[[0, 1, 1, 0]]])
        expected = model.forward(x=feed.astype("float32"))["y"].copy()
        np.testing.assert_array_equal(model.forward(x=feed.astype(dtype))["y"], expected)

    def test_arrays_of_every_layout(self, rng: np.random.Generator) -> None:
        model = Model(outputs={"y": LSTM(3)(x())})
        feed = rng.standard_normal((5, 2, 4)).astype("float32")
        read_only = feed.copy()
        read_only.flags.writeable = False
        wide = np.zeros((10, 4, 8), "float32")
        wide[::2, ::2, ::2] = feed
        layouts = [feed.tolist(), np.asfortranarray(feed), read_only, wide[::2, ::2, ::2], feed[::-1].copy()[::-1]]
        model.reset_state()
        expected = model.forward(x=feed)["y"].copy()
        for layout in layouts:
            model.reset_state()
            np.testing.assert_array_equal(model.forward(x=layout)["y"], expected)

    def test_feeds_are_left_alone(self, rng: np.random.Generator) -> None:
        model = Model(MSE()(Dense(4)(Dropout(0.5)(x())), x("t")))
        feeds = {"x": rng.standard_normal((5, 2, 4)), "t": rng.standard_normal((5, 2, 4))}
        before = {name: array.copy() for name, array in feeds.items()}
        model.forward(**feeds)
        model.backward()
        contract.assert_same(feeds, before, "after a step")

    def test_huge_logits(self) -> None:
        """Fault 28: the loss stays finite, the gradient right."""
        feed = np.array([[[1e30, 0, -1e30, 0]]])
        model = Model(SoftmaxCE()(x(), ids("targets", 4)), dtype="float64")
        assert model.forward(x=feed, targets=[[0]])["loss"] == 0
        assert model.backward()["x"].tolist() == [[[0, 0, 0, 0]]]
        assert model.forward(x=feed, targets=[[1]])["loss"] == 1e30
        assert model.backward()["x"].tolist() == [[[1, -1, 0, 0]]]
        sigmoid = Model(SigmoidCE("sum")(x(), x("t")), dtype="float64")
        assert sigmoid.forward(x=feed, t=np.array([[[1.0, 0.5, 0.0, 0.5]]]))["loss"] == pytest.approx(2 * np.log(2))
        np.testing.assert_array_equal(sigmoid.backward()["x"], 0)

    def test_nothing_but_ignored_targets(self, char_model: Model) -> None:
        feed = {"ids": np.zeros((3, 2), int), "targets": np.full((3, 2), -1)}
        assert char_model.forward(**feed)["loss"] == 0
        char_model.backward()
        assert not char_model.executor.gradient.any()


class TestTable:
    def test_the_table(self) -> None:
        hidden = Embedding(8, name="table")(ids(depth=50))
        logits = Dense(50, tied_to="table", name="out")(LSTM(8, name="lstm")(hidden))
        model = Model(SoftmaxCE(name="loss")(logits, ids("targets", 50)))
        assert str(model).splitlines() == [
            "Node     Layer      Output shape  Parameters              Inputs",
            "──────────────────────────────────────────────────────────────────────",
            "ids      Input      (T, B)        0",
            "targets  Input      (T, B)        0",
            "table    Embedding  (T, B, 8)     400                     ids",
            "lstm     LSTM       (T, B, 8)     544                     table",
            "out      Dense      (T, B, 50)    50 + shared with table  lstm",
            "loss     SoftmaxCE  ()            0                       out, targets",
            "──────────────────────────────────────────────────────────────────────",
            "994 parameters",
        ]

    def test_large_numbers_are_grouped_and_shared_layers_counted_once(self) -> None:
        layer = Dense(1000, name="big")
        model = Model(outputs={"y": layer(layer(x(depth=1000)))})
        text = str(model)
        assert text.splitlines()[-1] == "1,001,000 parameters"
        assert "0 + shared with big" in text
        assert model.weights.flat.size == 1_001_000


class TestSaving:
    @pytest.mark.parametrize("name", sorted(contract.WIRINGS))
    def test_round_trip(self, name: str, tmp_path: Path) -> None:
        for i, wiring in enumerate(contract.WIRINGS[name].values()):
            model = contract.model_of(wiring)
            path = tmp_path / f"{i}.npz"
            model.save(path)
            again = Model.load(path)
            assert again.config() == model.config()
            again.executor.leave_padding()  # as model_of does
            feeds = contract.feeds_of(model, 4, 3)
            contract.assert_same(contract.run(again, feeds), contract.run(model, feeds), "after loading")

    def test_the_vocabulary_is_in_the_file(self, char_model: Model, tmp_path: Path) -> None:
        from minidl.data.vocabulary import Vocabulary

        char_model.vocabulary = Vocabulary.from_text("héllo")
        char_model.save(tmp_path / "model.npz")
        again = Model.load(tmp_path / "model.npz")
        assert again.vocabulary == char_model.vocabulary
        assert again.replica().vocabulary == char_model.vocabulary

    def test_config_is_plain_data(self) -> None:
        for wirings in contract.WIRINGS.values():
            for wiring in wirings.values():
                config = contract.model_of(wiring).graph.config()
                assert json.loads(json.dumps(config)) == config
                assert Graph.from_config(config).config() == config

    def test_weights_of_another_model(self, char_model: Model) -> None:
        arrays = {f"parameters/{name}": array.copy() for name, array in char_model.parameters.items()}
        before = char_model.weights.flat.copy()
        arrays["parameters/lstm/Wx"] = np.zeros((9, 16))
        arrays["parameters/extra"] = arrays.pop("parameters/lstm/b")
        arrays["parameters/logits/b"] = np.full(5, np.nan)
        with pytest.raises(CheckpointError) as caught:
            char_model.set_parameters(arrays, "other.npz")
        for words in (
            "other.npz",
            "missing lstm/b (16,)",
            "unexpected extra (16,)",
            "lstm/Wx: shape (9, 16)",
            "logits/b: holds NaN",
        ):
            assert words in str(caught.value)
        np.testing.assert_array_equal(char_model.weights.flat, before)

    @pytest.mark.parametrize("config", [None, [], {}, {"graph": {}}, {"graph": {"inputs": [], "nodes": 3}}])
    def test_what_describes_no_model(self, config: Any) -> None:
        with pytest.raises(CheckpointError, match=r"some\.npz: describes no model"):
            Model.from_config(config, {}, "some.npz")

    @pytest.mark.parametrize(("units", "described"), [(4, 3000), (700, 4)], ids=["small file", "small model"])
    def test_a_file_that_describes_another_model_takes_no_memory(
        self, units: int, described: int, tmp_path: Path
    ) -> None:
        """Fault 8: what a file says of its model is compared with its arrays before these are read or any is made."""
        Model(outputs={"y": LSTM(units, name="lstm")(x())}).save(tmp_path / "model.npz")
        archive = read_archive(tmp_path / "model.npz")
        archive.meta["model"]["graph"]["nodes"][0]["units"] = described
        write_archive(tmp_path / "model.npz", archive.arrays, archive.meta)
        message = rf"lstm/Wh: shape \({units}, {4 * units}\), the model has \({described}, {4 * described}\)"
        for load in (Model.load, load_trained):
            tracemalloc.start()
            try:
                with pytest.raises(CheckpointError, match=message):
                    load(tmp_path / "model.npz")
                assert tracemalloc.get_traced_memory()[1] < 3 << 20
            finally:
                tracemalloc.stop()

    def test_loading_makes_an_earlier_forward_pass_stale(self, char_model: Model, batch: Feeds) -> None:
        char_model.forward(**batch)
        arrays = {f"parameters/{name}": array * 2 for name, array in char_model.parameters.items()}
        char_model.set_parameters(arrays, "file")
        with pytest.raises(UsageError, match="weights have changed"):
            char_model.backward()


class TestNotEvenClose:
    """What is no array, no dtype or nothing at all gets a sentence too."""

    @pytest.mark.parametrize("gradient", ["abc", [[1], [1, 2]], {"y": 1}])
    def test_a_gradient_that_is_none(self, gradient: Any) -> None:
        model = Model.of(Dense(2), np.ones((3, 1, 4)))
        with pytest.raises(DataError, match=r"gradient of 'y' should be numbers of its shape \(3, 1, 2\)"):
            model.backward(y=gradient)

    @pytest.mark.parametrize("dtype", ["int32", "complex128", "float16", "single precision", "f,,4", "2f,(,"])
    def test_a_dtype_that_models_do_not_compute_in(self, dtype: str) -> None:
        with pytest.raises(UsageError, match="computes in float32 or float64"):
            Model(outputs={"y": Dense(2)(x())}, dtype=dtype)

    @pytest.mark.parametrize("seed", [-1, None, "abc", 0.5])
    def test_a_seed_that_is_none(self, seed: Any) -> None:
        with pytest.raises(UsageError, match="a seed is a whole number of 0 or more"):
            Model(outputs={"y": Dense(2)(x())}, seed=seed)

    def test_a_seed_of_numpys_can_be_saved(self, tmp_path: Path) -> None:
        Model(outputs={"y": Dense(2)(x())}, seed=np.int64(3)).save(tmp_path / "model.npz")  # type: ignore[arg-type]
        assert Model.load(tmp_path / "model.npz").seed == 3

    def test_forward_of_nothing(self, char_model: Model) -> None:
        with pytest.raises(DataError, match=r"given nothing \(inputs: ids"):
            char_model.forward()


@pytest.mark.parametrize("wide", [False, True])
def test_time_grows_with_the_graph_and_not_with_its_square(wide: bool) -> None:
    """What took minutes in graphs of 4,000 nodes would take seconds here."""
    began = time.process_time()
    one_hot = OneHot()(Input("ids", dtype="int", depth=3))
    nodes = [Dense(2)(one_hot)]
    for _ in range(600):
        nodes.append(Dense(2)(one_hot if wide else nodes[-1]))
    model = Model(outputs={"y": Dense(2)(Concat()(nodes) if wide else nodes[-1])})
    assert str(model).count("Dense") > 600
    model.forward(ids=np.zeros((3, 2), int))
    model.backward(y=1.0)
    assert time.process_time() - began < 2
