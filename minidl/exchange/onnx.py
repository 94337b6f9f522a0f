"""A model as ONNX: its whole graph but the loss, with open T and B, and states that are given and are given back."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from minidl import layers
from minidl.exchange import operators, recurrent_operators, scan_operators, sequence_operators
from minidl.exchange.sheet import Desk, Sheet
from minidl.graph.arrays import Shape
from minidl.graph.layer import Layer
from minidl.graph.symbol import OPEN, Axis, Symbol
from minidl.model import Model
from minidl.storage.atomic import FilePath, write_whole
from minidl.system.errors import UsageError
from minidl.system.version import __version__

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, ValueInfoProto

OPSET, IR_VERSION = 17, 8  # the first with LayerNormalization: older runtimes read it too
LIMIT = 2**31  # bytes of a file
WRITERS: dict[type[Layer], Callable[[Desk], Any]] = {
    layers.Activation: operators.activation,
    layers.Add: operators.add,
    layers.Concat: operators.concat,
    layers.Dense: operators.dense,
    layers.Dropout: operators.dropout,
    layers.Embedding: operators.embedding,
    layers.GRU: recurrent_operators.gru,
    layers.LSTM: recurrent_operators.lstm,
    layers.Last: operators.last,
    layers.LastState: operators.last_state,
    layers.LayerNorm: operators.layer_norm,
    layers.Mean: operators.mean,
    layers.OneHot: operators.one_hot,
    layers.AdditiveAttention: sequence_operators.additive_attention,
    layers.Attention: sequence_operators.attention,
    layers.Conv1D: sequence_operators.conv1d,
    layers.MinGRU: scan_operators.min_gru,
    layers.MinLSTM: scan_operators.min_lstm,
    layers.Multiply: sequence_operators.multiply,
    layers.Pool: sequence_operators.pool,
    layers.RNN: recurrent_operators.rnn,
    layers.Repeat: sequence_operators.repeat,
    layers.Slice: sequence_operators.slice_,
    layers.Reverse: operators.reverse,
    layers.SLSTM: scan_operators.slstm,
}


def to_onnx(model: Model) -> ModelProto:
    """The model in float32, as the checker of ONNX accepts it; UsageError where ONNX has nothing for a layer.

    Inputs are those that the outputs depend on. A recurrent layer named lstm adds the inputs lstm/h and lstm/c (B, H),
    zeros at first, and the outputs lstm/h_last and lstm/c_last. The metadata hold, in JSON, the vocabulary, what else
    the model knows of its data, such as names of classes and scales, and as `states` the output for each such input.
    """
    try:
        import onnx
    except ModuleNotFoundError:
        raise UsageError("export to ONNX needs onnx: pip install 'minidl[export]'") from None
    sheet = _written(model)
    metadata = {"states": json.dumps({name: f"{name}_last" for name in sheet.states})}
    if model.vocabulary is not None:
        metadata["vocabulary"] = model.vocabulary.to_json()
    metadata |= {name: json.dumps(value) for name, value in model.metadata.items()}
    proto = onnx.helper.make_model(
        _graph(sheet),
        opset_imports=[onnx.helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="minidl",
        producer_version=__version__,
    )
    onnx.helper.set_model_props(proto, metadata)
    onnx.checker.check_model(proto, full_check=True)
    return proto


def write_onnx(model: Model, path: FilePath) -> dict[str, dict[str, Any]]:
    """Write the model into one file; its inputs and outputs with their shapes."""
    proto = to_onnx(model)
    write_whole(path, proto.SerializeToString())
    ends = {"inputs": proto.graph.input, "outputs": proto.graph.output}
    return {end: {value.name: _shape(value) for value in values} for end, values in ends.items()}


def _shape(value: ValueInfoProto) -> list[int | str]:
    return [axis.dim_param or axis.dim_value for axis in value.type.tensor_type.shape.dim]


def _written(model: Model) -> Sheet:
    """The nodes that the outputs depend on, as operators."""
    sheet = Sheet(model)
    needed, outputs = needed_nodes(model), outputs_of(model)
    for name in model.graph.nodes:
        if name in needed:
            _write(sheet, name)
    for name, symbol in outputs.items():
        sheet.put("Identity", [sheet.value(model.graph.names[symbol])], [name])
    for name in sheet.states:
        sheet.put("Identity", [sheet.ends[name]], [f"{name}_last"])
    made = [name for operator in sheet.operators for name in operator.outputs]
    twice = [name for name, count in Counter([*_inputs(model), *sheet.states, *made]).items() if count > 1]
    if twice:
        raise UsageError(f"two values would be named {twice[0]!r}: give the input or output of that name another one")
    return sheet


def _write(sheet: Sheet, name: str) -> None:
    layer = sheet.model.graph.nodes[name].layer
    if type(layer) not in WRITERS:  # also of a class that derives from one of ours: it may compute something else
        kind = layer.type_name()
        raise UsageError(f"node {name!r}: ONNX has no operators for {kind}; its weights can be had as safetensors")
    WRITERS[type(layer)](Desk(sheet, name))


def outputs_of(model: Model) -> dict[str, Symbol]:
    """The results but for the loss; UsageError where there are none."""
    outputs = {name: symbol for name, symbol in model.graph.results.items() if name != "loss"}
    if not outputs:
        raise UsageError("this model has no outputs besides its loss: name one, as in Model(loss, outputs={'y': node})")
    return outputs


def _inputs(model: Model) -> dict[str, Symbol]:
    needed = needed_nodes(model)
    return {name: symbol for name, symbol in model.graph.inputs.items() if name in needed}


def needed_nodes(model: Model) -> set[str]:
    """The nodes and inputs that the outputs depend on."""
    return model.graph.needed_for(model.graph.ends[name] for name in outputs_of(model))


def _graph(sheet: Sheet) -> GraphProto:
    from onnx import helper, numpy_helper

    if sum(array.nbytes for array in sheet.constants.values()) >= LIMIT:
        raise UsageError("the weights are more than the 2 GB that a file of ONNX may hold; export them as safetensors")
    inputs = [_described(name, symbol.dtype, symbol.shape) for name, symbol in _inputs(sheet.model).items()]
    outputs = [_described(name, symbol.dtype, symbol.shape) for name, symbol in outputs_of(sheet.model).items()]
    for name, size in sheet.states.items():
        shape = (OPEN["B"], size)
        inputs.append(_described(name, "float", shape))
        outputs.append(_described(f"{name}_last", "float", shape))
    return helper.make_graph(
        [
            helper.make_node(item.kind, item.inputs, item.outputs, name=item.outputs[0], **item.attributes)
            for item in sheet.operators
        ],
        "minidl",
        inputs,
        outputs,
        [numpy_helper.from_array(array, name) for name, array in sheet.constants.items()],
    )


def _described(name: str, dtype: str, shape: Shape) -> ValueInfoProto:
    """A value with its type and shape; open axes by their names."""
    from onnx import TensorProto, helper

    kind = TensorProto.INT64 if dtype == "int" else TensorProto.FLOAT
    return helper.make_tensor_value_info(name, kind, [a.symbol if isinstance(a, Axis) else int(a) for a in shape])
